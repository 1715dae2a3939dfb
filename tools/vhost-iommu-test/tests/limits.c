// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest can make the host spend: limits, page tables, large maps.
 */
#include <pthread.h>
#include <stdlib.h>

#include "suite.h"

#define DOM	1
#define SPAN	MIB(2)

FIXTURE(limit)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(limit);
KIND_NONE(limit);
KIND_MOCK(limit);
KIND_EDU(limit);

FIXTURE_SETUP(limit)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(limit)
{
	env_down(&self->e);
}

static struct vmm_stats stats(struct vmm *v)
{
	struct vmm_stats s;

	vmm_stats(v, &s);
	return s;
}

TEST_F(limit, domains)
{
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_EQ(0, vmm_set_limits(v, 3, 0, 0));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, vmm_add_endpoint(v, EMU(i), NULL, -1, NULL, 0));
	EXPECT_ST(OK, g_attach(v, 10, EMU(0)));
	EXPECT_ST(OK, g_attach_flags(v, 11, EMU(1),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(3, stats(v).domains);
	EXPECT_ST(NOMEM, g_attach(v, 12, EMU(2)));
	EXPECT_ST(NOMEM, g_attach(v, 12, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EMU(2)));
	EXPECT_EQ(3, stats(v).domains);
	/* One that exists can be joined, and when one goes, one may come */
	EXPECT_ST(OK, g_attach(v, 10, EMU(2)));
	EXPECT_ST(OK, g_detach(v, 11, EMU(1)));
	EXPECT_ST(OK, g_attach(v, 12, EP(1)));
	/* Lowering the limit takes nothing away */
	ASSERT_EQ(0, vmm_set_limits(v, 1, 0, 0));
	EXPECT_EQ(3, stats(v).domains);
	EXPECT_ST(NOMEM, g_attach(v, 13, EMU(3)));
}

TEST_F(limit, mappings)
{
	struct vmm *v = self->v;
	unsigned int i;

	/* Two devices in one domain have the shares of both */
	ASSERT_ST(OK, g_attach(v, DOM, EP(1)));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 10, 0));
	for (i = 0; i < 11; i++)
		EXPECT_ST(i < 10 ? OK : NOMEM,
			  g_map(v, DOM, IOVA + i * PAGE,
				IOVA + (i + 1) * PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_unmap(v, DOM, 0, ~0ULL));
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 10, 0));
	for (i = 0; i < 10; i++)
		EXPECT_ST(OK, g_map(v, DOM + (i & 1), IOVA + i * PAGE,
				    IOVA + (i + 1) * PAGE - 1, RAM_GPA,
				    MAP_RW));
	EXPECT_ST(NOMEM, g_map(v, DOM, IOVA + MIB(1), IOVA + MIB(1) + PAGE - 1,
			       RAM_GPA, MAP_RW));
	EXPECT_EQ(10, stats(v).mappings);
	EXPECT_ST(OK, g_unmap(v, DOM + 1, IOVA + PAGE, IOVA + 2 * PAGE - 1));
	/* What one device does not use is no other's, if there are devices */
	EXPECT_ST(self->e.kind == DEV_NONE ? OK : NOMEM,
		  g_map(v, DOM, IOVA + MIB(1), IOVA + MIB(1) + PAGE - 1,
			RAM_GPA, MAP_RW));
	EXPECT_ST(self->e.kind == DEV_NONE ? NOMEM : OK,
		  g_map(v, DOM + 1, IOVA + MIB(1), IOVA + MIB(1) + PAGE - 1,
			RAM_GPA, MAP_RW));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 5, 0));
	EXPECT_EQ(10, stats(v).mappings);
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_ST(NOMEM, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
}

/* Endpoints without devices are as many as a guest likes, and are bounded together */
TEST_F(limit, mappings_without_devices)
{
	const unsigned int n = 6;
	struct vmm *v = self->v;
	unsigned int i, k;

	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 10, 0));
	for (k = 0; k < n; k++) {
		ASSERT_EQ(0, vmm_add_endpoint(v, EMU(k), NULL, -1, NULL, 0));
		ASSERT_ST(OK, g_attach(v, 10 + k, EMU(k)));
		for (i = 0; i < 5; i++)
			EXPECT_ST(k < 2 ? OK : NOMEM,
				  g_map(v, 10 + k, IOVA + i * PAGE,
					IOVA + (i + 1) * PAGE - 1, RAM_GPA,
					MAP_RW));
	}
	EXPECT_EQ(10, stats(v).mappings);
	/* A device has its share nevertheless */
	for (i = 0; i < 6; i++)
		EXPECT_ST(self->e.kind != DEV_NONE && i < 5 ? OK : NOMEM,
			  g_map(v, DOM, IOVA + i * PAGE,
				IOVA + (i + 1) * PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_unmap(v, 10, 0, ~0ULL));
	EXPECT_ST(self->e.kind == DEV_NONE ? OK : NOMEM,
		  g_map(v, 12, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	for (k = 0; k < n; k++)
		EXPECT_EQ(0, vmm_remove_endpoint(v, EMU(k)));
}

/* A device that fills one domain after the other, which an emulated endpoint stays in */
TEST_F(limit, mappings_left_behind)
{
	const unsigned int n = 6;
	struct vmm *v = self->v;
	unsigned int i, k;

	ASSERT_EQ(0, vmm_set_limits(v, 0, 10, 0));
	for (k = 0; k < n; k++) {
		ASSERT_EQ(0, vmm_add_endpoint(v, EMU(k), NULL, -1, NULL, 0));
		ASSERT_ST(OK, g_attach(v, 10 + k, EMU(k)));
		ASSERT_ST(OK, g_attach(v, 10 + k, EP(0)));
		ASSERT_ST(OK, g_attach(v, 10 + k, EP(1)));
		for (i = 0; i < 10; i++)
			g_map(v, 10 + k, IOVA + i * PAGE,
			      IOVA + (i + 1) * PAGE - 1, RAM_GPA, MAP_RW);
	}
	EXPECT_EQ(self->e.kind == DEV_NONE ? 10 : 20, stats(v).mappings);
	for (k = 0; k < n; k++)
		EXPECT_EQ(0, vmm_remove_endpoint(v, EMU(k)));
}

/* One domain has no more than that, whatever there is for all together */
TEST_F(limit, per_domain)
{
	struct vmm *v = self->v;
	unsigned int i, k;

	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	ASSERT_EQ(0, vmm_set_domain_limits(v, 5, 0));
	for (k = 0; k < 2; k++)
		for (i = 0; i < 6; i++)
			EXPECT_ST(i < 5 ? OK : NOMEM,
				  g_map(v, DOM + k, IOVA + i * PAGE,
					IOVA + (i + 1) * PAGE - 1, RAM_GPA,
					MAP_RW));
	EXPECT_EQ(10, stats(v).mappings);
	EXPECT_EQ(2, stats(v).refused_maps[NOMEM]);
	/* Room for one */
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_ST(NOMEM, g_map(v, DOM + 1, IOVA + MIB(1),
			       IOVA + MIB(1) + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	/* 0 changes nothing, and the limit for all holds, too */
	ASSERT_EQ(0, vmm_set_domain_limits(v, 0, 0));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 10, 0));
	EXPECT_ST(NOMEM, g_map(v, DOM, IOVA + MIB(1), IOVA + MIB(1) + PAGE - 1,
			       RAM_GPA, MAP_RW));
	ASSERT_EQ(0, vmm_set_domain_limits(v, 6, 0));
	EXPECT_ST(NOMEM, g_map(v, DOM, IOVA + MIB(1), IOVA + MIB(1) + PAGE - 1,
			       RAM_GPA, MAP_RW));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 100, 0));
	EXPECT_ST(OK, g_map(v, DOM, IOVA + MIB(1), IOVA + MIB(1) + PAGE - 1,
			    RAM_GPA, MAP_RW));
	EXPECT_ST(NOMEM, g_map(v, DOM, IOVA + MIB(2), IOVA + MIB(2) + PAGE - 1,
			       RAM_GPA, MAP_RW));
	/* Lowering it takes nothing away */
	ASSERT_EQ(0, vmm_set_domain_limits(v, 1, 0));
	EXPECT_EQ(11, stats(v).mappings);
	/* A domain of the same number begins anew */
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(NOMEM, g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1,
			       RAM_GPA, MAP_RW));
}

/* Memory is given back, all of it */
TEST_F_TIMEOUT(limit, nothing_is_left_over, 120)
{
	struct vmm_stats s;
	struct vmm *v = self->v;
	unsigned int n, i;
	long before = 0;

	for (n = 0; n < 6; n++) {
		for (i = 0; i < 1000; i++) {
			g_batch_add(v, BATCH_MAP, DOM, IOVA + i * PAGE, PAGE,
				    RAM_GPA + i * PAGE);
			if (i % 100 == 99)
				ASSERT_ST(OK, g_batch_run(v, 100));
		}
		s = stats(v);
		EXPECT_EQ(1000, s.mappings);
		EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
		s = stats(v);
		EXPECT_EQ(0, s.mappings);
		EXPECT_EQ(0, s.mapped_bytes);
		EXPECT_EQ(0, s.table_pages);
		EXPECT_EQ(0, s.domains);
		ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
		if (n == 2)
			before = slab_kib();
	}
	TH_LOG("slab grew by %ld KiB in three rounds", slab_kib() - before);
}

/* Without a device: a map of any size is one entry */
TEST(limit_huge_map_software)
{
	__u64 size = sizeof(long) == 8 ? GIB(512) : MIB(256);
	struct vmm v;
	void *va;
	long slab;

	/* Address space, not memory; as much as this machine lets us have */
	do {
		va = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_NORESERVE, -1, 0);
		size >>= va == MAP_FAILED;
	} while (va == MAP_FAILED && size);
	ASSERT_NE(MAP_FAILED, va);
	TH_LOG("%llu MiB", size >> 20);
	vmm_init(&v);
	v.config.input_end = ~0ULL;
	ASSERT_EQ(0, vmm_prepare(&v, false));
	v.ram[v.nr_ram++] = (struct ram){
		.gpa = GIB(1024), .size = size, .va = va, .memfd = -1,
	};
	ASSERT_EQ(0, vmm_set_mem_table(&v));
	ASSERT_EQ(0, vmm_add_endpoint(&v, EMU(0), NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_start(&v));
	ASSERT_ST(OK, g_attach(&v, DOM, EMU(0)));
	slab = slab_kib();
	EXPECT_ST(OK, g_map(&v, DOM, GIB(4), GIB(4) + size - 1, GIB(1024),
			    MAP_RW));
	EXPECT_EQ(size, stats(&v).mapped_bytes);
	EXPECT_LT(slab_kib() - slab, 4096);
	EXPECT_ST(RANGE, g_unmap(&v, DOM, GIB(4), GIB(4) + PAGE - 1));
	EXPECT_ST(OK, g_unmap(&v, DOM, GIB(4), GIB(4) + size - 1));
	vmm_close(&v);
}

FIXTURE(limit_dev)
{
	struct env e;
	struct vmm *v;
	int stop;
	unsigned int moved;
	unsigned int lost;
};

KIND_VARIANTS(limit_dev);
KIND_MOCK(limit_dev);
KIND_EDU(limit_dev);

FIXTURE_SETUP(limit_dev)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(limit_dev)
{
	env_down(&self->e);
}

/*
 * IOMMU drivers keep a table whose entries are all gone. One page, mapped and
 * unmapped in every 2 MiB, would fill the host with such tables.
 */
TEST_F_TIMEOUT(limit_dev, stale_page_tables_are_freed, 300)
{
	const __u64 limit = 64;
	unsigned int i, n = long_tests() ? 20000 : 2000;
	struct vhost_iommu_mock_ctl ctl;
	struct vmm *v = self->v;
	__u64 at, worst = 0;

	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, limit));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	for (i = 0; i < n; i++) {
		at = GIB(8) + i * SPAN;
		ASSERT_ST(OK, g_map(v, DOM, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
		ASSERT_ST(OK, g_unmap(v, DOM, at, at + PAGE - 1));
		if (stats(v).table_pages > worst)
			worst = stats(v).table_pages;
	}
	EXPECT_LE(worst, limit);
	EXPECT_GT(stats(v).rebuilds, n / limit / 2);
	if (self->e.kind == DEV_MOCK) {
		ASSERT_EQ(0, mock_ctl(self->e.dev[0], &ctl));
		EXPECT_LE(ctl.domain_tables / PAGE, limit);
	}
	/* What was mapped all the time is mapped still, and works */
	EXPECT_ST(OK, g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1,
			    RAM_GPA + PAGE, MAP_RW));
	fill(ram_va(v, RAM_GPA), 0x5c, 256);
	ASSERT_EQ(0, dev_copy(self->e.dev[0], IOVA, IOVA + PAGE, 256));
	EXPECT_TRUE(filled(ram_va(v, RAM_GPA + PAGE), 0x5c, 256));
}

/* A thread that kicks does not go through all mappings of a domain */
TEST_F_TIMEOUT(limit_dev, rebuilds_are_the_workers, 120)
{
	struct vmm_stats before, after;
	unsigned int i, rebuilds = 0, kicked = 0;
	struct vmm *v = self->v;
	__u64 at;

	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, 64));
	for (i = 0; i < 500; i++) {
		at = GIB(8) + i * SPAN;
		before = stats(v);
		ASSERT_ST(OK, g_map(v, DOM, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
		after = stats(v);
		if (after.rebuilds != before.rebuilds) {
			EXPECT_EQ(before.in_place, after.in_place);
			rebuilds++;
		}
		kicked += after.in_place - before.in_place;
		ASSERT_ST(OK, g_unmap(v, DOM, at, at + PAGE - 1));
	}
	EXPECT_GT(rebuilds, 0);
	EXPECT_GT(kicked, 500 / 2);
}

TEST_F_TIMEOUT(limit_dev, page_tables_in_use, 120)
{
	const __u64 limit = 64;
	struct vmm *v = self->v;
	unsigned int i, n = 0;
	__u64 at;
	int st = OK;

	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, limit));
	for (i = 0; i < 2 * limit && st == OK; i++) {
		at = GIB(8) + i * SPAN;
		st = g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW);
		n += st == OK;
	}
	EXPECT_ST(NOMEM, st);
	EXPECT_GE(n, limit / 4);
	EXPECT_LE(n, limit);
	EXPECT_EQ(n, stats(v).mappings);
	EXPECT_LE(stats(v).table_pages, limit);
	/* Where there is a table, there is room */
	EXPECT_ST(OK, g_map(v, DOM, GIB(8) + PAGE, GIB(8) + 2 * PAGE - 1,
			    RAM_GPA, MAP_RW));
	/* One request for more than the limit allows fails as a whole */
	EXPECT_ST(OK, g_unmap(v, DOM, 0, ~0ULL));
	EXPECT_EQ(0, stats(v).mappings);
	st = OK;
	for (i = 0; i < limit / 4 && st == OK; i++) {
		at = GIB(16) + i * SPAN;
		st = g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW);
	}
	EXPECT_ST(OK, st);
}

/* The same limit for one domain only */
TEST_F_TIMEOUT(limit_dev, per_domain_tables, 120)
{
	const __u64 limit = 32;
	struct vmm *v = self->v;
	unsigned int i, n = 0;
	__u64 at;
	int st;

	ASSERT_EQ(0, vmm_set_domain_limits(v, 0, limit));
	for (i = 0, st = OK; i < 2 * limit && st == OK; i++) {
		at = GIB(8) + i * SPAN;
		st = g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW);
		n += st == OK;
	}
	EXPECT_ST(NOMEM, st);
	EXPECT_GE(n, limit / 4);
	EXPECT_LE(n, limit);
	EXPECT_LE(stats(v).table_pages, limit);
	/* Where there is a table, there is room */
	EXPECT_ST(OK, g_map(v, DOM, GIB(8) + PAGE, GIB(8) + 2 * PAGE - 1,
			    RAM_GPA, MAP_RW));
	/* 0 changes nothing, and more is more */
	ASSERT_EQ(0, vmm_set_domain_limits(v, 0, 0));
	EXPECT_ST(NOMEM, g_map(v, DOM, GIB(32), GIB(32) + PAGE - 1, RAM_GPA,
			       MAP_RW));
	ASSERT_EQ(0, vmm_set_domain_limits(v, 0, 2 * limit));
	EXPECT_ST(OK, g_map(v, DOM, GIB(32), GIB(32) + PAGE - 1, RAM_GPA,
			    MAP_RW));
	/* What nothing needs any more is freed before a MAP fails for it */
	EXPECT_ST(OK, g_unmap(v, DOM, 0, ~0ULL));
	for (i = 0, st = OK; i < limit / 4 && st == OK; i++) {
		at = GIB(64) + i * SPAN;
		st = g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW);
	}
	EXPECT_ST(OK, st);
	EXPECT_LE(stats(v).table_pages, 2 * limit);
	/* Filled without a device, it's too large for one */
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(v, DOM + 1, EMU(0)));
	for (i = 0; i < 3 * limit; i++) {
		at = GIB(8) + i * SPAN;
		ASSERT_ST(OK, g_map(v, DOM + 1, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
	}
	EXPECT_ST(NOMEM, g_attach(v, DOM + 1, EP(0)));
	ASSERT_EQ(0, vmm_set_domain_limits(v, 0, 8 * limit));
	EXPECT_ST(OK, g_attach(v, DOM + 1, EP(0)));
}

TEST_F_TIMEOUT(limit_dev, page_tables_of_another_domain, 120)
{
	const __u64 limit = 64;
	struct vmm *v = self->v;
	unsigned int i;
	__u64 at;

	/* A domain's tables are free when it is */
	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, limit));
	for (i = 0; i < 40; i++) {
		at = GIB(8) + i * SPAN;
		ASSERT_ST(OK, g_map(v, DOM, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
	}
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(0)));
	for (i = 0; i < 40; i++) {
		at = GIB(8) + i * SPAN;
		ASSERT_ST(OK, g_map(v, DOM + 1, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
	}
}

/* Continuous DMA while another domain uses up what it may */
static void *keeps_moving(void *arg)
{
	FIXTURE_DATA(limit_dev) *self = arg;
	__u8 *src = ram_va(self->v, RAM_GPA);
	__u8 *dst = ram_va(self->v, RAM_GPA + PAGE);
	__u8 seed = 0;

	while (!LOAD(&self->stop)) {
		fill(src, ++seed, 256);
		dev_copy(self->e.dev[1], IOVA, IOVA + PAGE, 256);
		if (!filled(dst, seed, 256))
			self->lost++;
		STORE(&self->moved, self->moved + 1);
	}
	return NULL;
}

/*
 * A guest's process that has a device of its own fills all the page tables it can
 * have, and makes its domain be rebuilt all the time: no DMA of another domain is
 * lost by that, and no MAP.
 */
TEST_F_TIMEOUT(limit_dev, rebuild_leaves_others_alone, 240)
{
	struct vmm *v = self->v;
	unsigned int i, refused = 0;
	struct vhost_iommu_mock_ctl was, is;
	pthread_t thread;
	__u64 at, before, end;
	char *said;

	/* A second device, in a domain of its own */
	env_down(&self->e);
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	ASSERT_ST(OK, g_map(v, DOM + 1, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, 128));
	/* There is something that a rebuild of it could free */
	for (i = 0; i < 20; i++) {
		at = GIB(8) + i * SPAN;
		ASSERT_ST(OK, g_map(v, DOM + 1, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
		ASSERT_ST(OK, g_unmap(v, DOM + 1, at, at + PAGE - 1));
	}
	before = stats(v).rebuilds;
	trace_mark(&self->e.trace);
	if (self->e.kind == DEV_MOCK)
		ASSERT_EQ(0, mock_ctl(self->e.dev[1], &was));
	ASSERT_EQ(0, pthread_create(&thread, NULL, keeps_moving, self));
	/* How many requests that takes depends on how fast they are answered */
	end = now_ns() + 120000000000ULL;
	for (i = 0; i < 300 || (LOAD(&self->moved) < 12 && now_ns() < end);
	     i++) {
		at = GIB(16) + i * SPAN;
		if (g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW)) {
			refused++;
			/* Give back some of it, and try others */
			at -= 40 * SPAN;
			EXPECT_ST(OK, g_unmap(v, DOM, at, at + 40 * SPAN - 1));
		}
	}
	STORE(&self->stop, 1);
	pthread_join(thread, NULL);
	EXPECT_GT(refused, 0);
	EXPECT_GT(stats(v).rebuilds, before);
	EXPECT_GT(self->moved, 10);
	EXPECT_EQ(0, self->lost)
		TH_LOG("%u of %u transfers are lost", self->lost, self->moved);
	said = trace_since(&self->e.trace);
	EXPECT_FALSE(said && strstr(said, "C_BAD_CD"));
	free(said);
	if (self->e.kind == DEV_MOCK) {
		/* A mock loses no DMA when it is attached to something else */
		ASSERT_EQ(0, mock_ctl(self->e.dev[1], &is));
		EXPECT_EQ(was.attach_domain, is.attach_domain);
	}
	/* It has its own share still, when the other one has used up its */
	for (i = 0; i < 300; i++) {
		at = GIB(8) + i * SPAN;
		if (g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW))
			break;
	}
	EXPECT_LT(i, 300);
	for (i = 0; i < 20; i++) {
		at = GIB(32) + i * SPAN;
		EXPECT_ST(OK, g_map(v, DOM + 1, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
	}
}

/* On a busy machine it takes longer than any other request */
static int large(struct vmm *v, enum batch_op op, __u64 size, __u64 gpa)
{
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	int st, rc;

	g_batch_add(v, op, DOM, GIB(8), size, gpa);
	vq_publish(q);
	vq_kick(q);
	rc = vq_wait(q, 1, 120000);
	rc = rc ? rc : g_batch_status(v, 1, &st);
	return rc ? rc : st;
}

/*
 * All of a large guest in one request: guest RAM is one piece of memory over
 * and over again.
 */
TEST_F_TIMEOUT(limit_dev, large_map, 300)
{
	const __u64 gpa = GIB(64), piece = MIB(8);
	__u64 size = self->e.kind == DEV_MOCK ? MIB(128) : GIB(2), at, start;
	struct vmm_stats s;
	struct vmm *v = self->v;
	long slab;

	/* The mock walks its pages one by one, in a kernel full of checks */
	if (long_tests())
		size *= self->e.kind == DEV_MOCK ? 2 : 8;
	for (at = 0; at < size; at += piece)
		ASSERT_EQ(0, vmm_ioas_map(v, v->ram_ioas, v->ram[0].va,
					  gpa + at, piece));
	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, size / SPAN + 64));
	slab = slab_kib();
	start = now_ns();
	EXPECT_ST(OK, large(v, BATCH_MAP, size, gpa));
	TH_LOG("%llu MiB mapped in %llu ms, slab grew by %ld KiB", size >> 20,
	       (now_ns() - start) / 1000000, slab_kib() - slab);
	s = stats(v);
	EXPECT_EQ(1, s.mappings);
	EXPECT_EQ(size, s.mapped_bytes);
	/* iommufd has an area for each of the pieces; the rest is small */
	EXPECT_LT(slab_kib() - slab, 2048 + (long)(size / piece) * 4);
	start = now_ns();
	EXPECT_ST(OK, large(v, BATCH_UNMAP, size, 0));
	TH_LOG("unmapped in %llu ms", (now_ns() - start) / 1000000);
	EXPECT_EQ(0, stats(v).mapped_bytes);
}

SUITE;
