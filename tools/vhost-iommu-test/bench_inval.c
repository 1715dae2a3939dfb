// SPDX-License-Identifier: GPL-2.0-only
/*
 * INVALIDATE requests of a page each, as a guest with tables makes them when it
 * unmaps, beside the same commands by ioctl. The ioctl takes all commands of a
 * batch in one call, which is the best that a VMM could do; QEMU calls it for
 * each command.
 */
#include <stdint.h>
#include <string.h>

#include "bench.h"
#include "table.h"

#define ASID		1
#define CMD_TLBI_NH_VA	0x12
#define TLBI_ASID(n)	((__u64)(n) << 48)
#define TLBI_LEAF	1ULL
#define OPS		512

/* No two pages touch: nothing can be merged */
static __u64 page_at(unsigned int i)
{
	return IOVA + 2 * i * PAGE;
}

static int by_ioctl(struct bench *b, unsigned int n)
{
	struct iommu_viommu_arm_smmuv3_invalidate cmd[BENCH_BATCH];
	struct iommu_hwpt_invalidate inv = {
		.size = sizeof(inv), .hwpt_id = b->e.v.nest.viommu,
		.data_uptr = (__u64)(uintptr_t)cmd,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
		.entry_len = sizeof(cmd[0]), .entry_num = n,
	};
	unsigned int i;

	for (i = 0; i < n; i++) {
		cmd[i].cmd[0] = htole64(CMD_TLBI_NH_VA | TLBI_ASID(ASID));
		cmd[i].cmd[1] = htole64(page_at(i) | TLBI_LEAF);
	}
	return xioctl(b->e.v.iommufd, IOMMU_HWPT_INVALIDATE, &inv);
}

static int by_ring(struct bench *b, unsigned int n, __u64 *ns)
{
	struct vmm *v = &b->e.v;
	unsigned int i;
	__u64 start;
	int rc;

	for (i = 0; i < n; i++)
		g_inv_add(v, inv_range(BENCH_DOM, ASID, page_at(i), 1, 12,
				       VIRTIO_IOMMU_INV_F_LEAF));
	if (b->count)
		bench_mark(MARK_START);
	start = now_ns();
	rc = g_batch_run(v, n);
	*ns += now_ns() - start;
	bench_mark(MARK_STOP);
	return rc;
}

static int many(struct bench *b, enum bench_mode mode, unsigned int size,
		unsigned int requests, __u64 *ns)
{
	unsigned int done;
	__u64 start;
	int rc = 0;

	for (done = 0; !rc && done < requests; done += size) {
		if (mode != MODE_IOCTL) {
			rc = by_ring(b, size, ns);
			continue;
		}
		start = now_ns();
		rc = by_ioctl(b, size);
		*ns += now_ns() - start;
	}
	return rc;
}

static void measure(struct bench *b, unsigned int size)
{
	static struct samples s[NR_MODES];
	unsigned int i, mode;
	char name[64];
	__u64 ns;
	int rc;

	memset(s, 0, sizeof(s));
	for (i = 0; i < b->samples; i++)
		for (mode = 0; mode < NR_MODES; mode++) {
			ns = 0;
			if (mode == MODE_POLL)
				bench_polling(b, true);
			rc = many(b, mode, size, OPS, &ns);
			if (mode == MODE_POLL)
				bench_polling(b, false);
			if (rc)
				bench_die("invalidate", rc);
			s[mode].ns[s[mode].n++] = (double)ns / OPS;
		}
	snprintf(name, sizeof(name), "invalidate, batch %u", size);
	printf("| batch %u |", size);
	for (mode = 0; mode < NR_MODES; mode++)
		printf(" %.2f |", bench_report(b, mode, name, &s[mode]) / 1000);
	printf("\n");
	fflush(stdout);
}

static int set_up(struct bench *b, struct s1 *s)
{
	struct vmm *v = &b->e.v;
	int rc = env_open(&b->e, 1, false);

	if (!rc)
		rc = vmm_set_rings(v, BENCH_RING);
	v->vq[VHOST_IOMMU_VQ_REQUEST].sleep = b->sleep;
	if (!rc)
		rc = env_add(&b->e);
	if (rc)
		return rc;
	s1_usual(s, v, 0, ASID);
	rc = g_attach_s1(v, BENCH_DOM, EP(0), s);
	if (!rc)
		bench_pin();
	return rc;
}

/**
 * bench_invalidate() - Measure or count INVALIDATE requests
 * @proto: Benchmark that says how to measure, and where rows go
 * @kind: Kind of the device; nothing is measured if its tables can't be nested
 */
void bench_invalidate(struct bench *proto, enum dev_kind kind)
{
	static const unsigned int sizes[] = { 1, 4, 16, 64, 256 };
	static const unsigned int counted[] = { 1, 16, 64 };
	struct bench b = {
		.json = proto->json, .rows = proto->rows, .rand = 1,
		.samples = proto->samples, .poll_us = proto->poll_us,
		.sleep = proto->sleep,
	};
	unsigned int i;
	struct s1 s;
	__u64 ns = 0;
	int rc;

	if (kind != DEV_EDU && kind != DEV_IGB)
		return;
	env_init_table(&b.e, kind);
	rc = set_up(&b, &s);
	if (rc && b.e.skip[0]) {
		printf("\nINVALIDATE: %s\n", b.e.skip);
		env_down(&b.e);
		return;
	}
	if (rc)
		bench_die("invalidate", rc);
	if (proto->count) {
		rc = many(&b, MODE_RING, 16, OPS, &ns);
		b.count = true;
		for (i = 0; !rc && i < ARRAY_SIZE(counted); i++) {
			rc = many(&b, MODE_RING, counted[i], BENCH_COUNTED,
				  &ns);
			bench_counted(&b, "invalidate", counted[i]);
		}
		if (rc)
			bench_die("invalidate", rc);
	} else {
		printf("\nTime per INVALIDATE of one page in microseconds, by the\n");
		printf("number of requests per kick:\n\n");
		printf("| requests per kick | vhost-iommu | busy polling | iommufd ioctls |\n");
		printf("| --- | --- | --- | --- |\n");
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			measure(&b, sizes[i]);
	}
	env_down(&b.e);
	proto->rows = b.rows;
}
