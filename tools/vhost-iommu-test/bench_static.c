// SPDX-License-Identifier: GPL-2.0-only
/*
 * A large mapping that stays, as a user-space driver makes it when it starts: all
 * of its memory, in huge pages. The guest's kernel asks for it in one request
 * where its memory is contiguous, and huge page by huge page where it is not.
 *
 * The same RAM, which is one block for the iommufd, shows whether it matters where
 * in it a page lies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define HUGE		MIB(2)
#define HUGE_PAGES	"/proc/sys/vm/nr_hugepages"

/* Return whether the system now has that many huge pages */
static bool reserve(__u64 pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)pages);
	return !write_file(HUGE_PAGES, text) &&
	       read_file(HUGE_PAGES, text, sizeof(text)) > 0 &&
	       strtoull(text, NULL, 0) >= pages;
}

static int once(struct bench *b, enum bench_mode mode, enum batch_op op,
		__u64 start, __u64 size)
{
	struct vmm *v = &b->e.v;
	__u64 iova = BENCH_BASE + start, gpa = BIG_GPA + start;

	if (mode != MODE_IOCTL)
		return op == BATCH_MAP ?
		       g_map(v, BENCH_DOM, iova, iova + size - 1, gpa, MAP_RW) :
		       g_unmap(v, BENCH_DOM, iova, iova + size - 1);
	return op == BATCH_MAP ?
	       vmm_ioas_copy(v, b->ioas, v->ram_ioas, iova, gpa, size,
			     IOMMU_IOAS_MAP_READABLE |
			     IOMMU_IOAS_MAP_WRITEABLE) :
	       vmm_ioas_unmap(v, b->ioas, iova, size);
}

/* All of the RAM, in requests of @piece */
static int all(struct bench *b, enum bench_mode mode, enum batch_op op,
	       __u64 piece, struct samples *s)
{
	__u64 begin = now_ns(), at;
	int rc = 0;

	for (at = 0; !rc && at < b->large; at += piece)
		rc = once(b, mode, op, at, piece);
	s->ns[s->n++] = now_ns() - begin;
	return rc;
}

static void large(struct bench *b, const char *what, __u64 piece)
{
	static struct samples s[2][NR_MODES];
	static const char *const ops[] = { "map", "unmap" };
	unsigned int i, op, mode;
	char name[64];
	int rc = 0;

	memset(s, 0, sizeof(s));
	for (i = 0; i < (b->samples + 1) / 2; i++)
		for (mode = 0; mode < NR_MODES; mode++) {
			bench_polling(b, mode == MODE_POLL);
			for (op = 0; !rc && op < 2; op++)
				rc = all(b, mode, op, piece, &s[op][mode]);
			if (rc)
				bench_die(what, rc);
		}
	bench_polling(b, false);
	printf("| %s |", what);
	for (mode = 0; mode < NR_MODES; mode++)
		for (op = 0; op < 2; op++) {
			snprintf(name, sizeof(name), "%s, %s", ops[op], what);
			printf(" %.1f %s",
			       bench_report(b, mode, name, &s[op][mode]) / 1e6,
			       op ? "|" : "/");
		}
	printf("\n");
	fflush(stdout);
}

/* The same with pages at both ends of the RAM */
static void ends(struct bench *b)
{
	__u64 all_pages = b->pages;

	printf("\nTime per MAP / UNMAP in microseconds, in batches of 16, by where\n");
	printf("in guest RAM the page lies:\n");
	bench_table(b, "place");
	b->pages = 512;
	bench_compare(b, "start of RAM", 16, 16);
	b->first = all_pages - b->pages;
	bench_compare(b, "end of RAM", 16, 16);
}

/**
 * bench_static() - Map and unmap all of a large RAM, and pages of it
 * @proto: Benchmark that says how to measure, and where rows go
 * @kind: Kind of the devices
 * @size: Size of the RAM
 */
void bench_static(struct bench *proto, enum dev_kind kind, __u64 size)
{
	struct bench b = {
		.json = proto->json, .rows = proto->rows, .rand = 1,
		.samples = proto->samples, .poll_us = proto->poll_us,
		.sleep = proto->sleep, .large = size,
	};
	char name[64];
	int rc;

	/* The other regions of RAM are in huge pages as well, then */
	if (!reserve((size + RAM_SIZE + LOW_SIZE) / HUGE)) {
		printf("\nNot enough memory for %llu GiB of huge pages\n",
		       (unsigned long long)(size >> 30));
	} else {
		rc = bench_set_up(&b, kind, 4096);
		if (rc)
			bench_die("static mapping", rc);
		printf("\nMAP / UNMAP of %llu GiB in milliseconds:\n\n",
		       (unsigned long long)(size >> 30));
		printf("| requests | vhost-iommu | busy polling | iommufd ioctls |\n");
		printf("| --- | --- | --- | --- |\n");
		snprintf(name, sizeof(name), "%llu GiB at once",
			 (unsigned long long)(size >> 30));
		large(&b, name, size);
		snprintf(name, sizeof(name), "%llu GiB in 2 MiB",
			 (unsigned long long)(size >> 30));
		large(&b, name, HUGE);
		ends(&b);
		env_down(&b.e);
		proto->rows = b.rows;
	}
	reserve(0);
}
