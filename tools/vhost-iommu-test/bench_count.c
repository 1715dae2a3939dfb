// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a request costs in instructions: nothing is measured here, but the
 * emulator is told when to count. One mapping is as good as another, so that
 * two runs differ in next to nothing.
 */
#include "bench.h"

#define WARM_UP		512

static int run(struct bench *b, unsigned int size, unsigned int requests)
{
	__u64 iova[BENCH_BATCH], ns = 0;
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < requests; i += size) {
		bench_places(b, iova, size, 256);
		rc = bench_batch(b, MODE_RING, BATCH_MAP, iova, size, &ns);
		if (!rc)
			rc = bench_batch(b, MODE_RING, BATCH_UNMAP, iova, size,
					 &ns);
	}
	return rc;
}

/**
 * bench_counted() - Report what was counted for BENCH_COUNTED requests
 * @b: Benchmark
 * @op: What they are
 * @size: Requests for each kick
 */
void bench_counted(struct bench *b, const char *op, unsigned int size)
{
	bench_mark(MARK_REPORT);
	if (!b->json)
		return;
	fprintf(b->json, "%s\n  {\"workload\": \"%s, batch %u\", ",
		b->rows++ ? "," : "", op, size);
	fprintf(b->json, "\"requests\": %u}", BENCH_COUNTED);
}

/**
 * bench_count() - Make requests of each kind, with a report after each
 * @b: Benchmark, set up with @b->count
 *
 * The lines of the JSON file and those of the emulator's plugin are in the same
 * order.
 */
void bench_count(struct bench *b)
{
	static const unsigned int sizes[] = { 1, 16, 64 };
	static const char *const ops[] = {
		[BATCH_MAP] = "map", [BATCH_UNMAP] = "unmap",
	};
	unsigned int i, op;
	int rc;

	b->count = false;
	rc = run(b, 16, WARM_UP);
	b->count = true;
	bench_mark(MARK_REPORT);
	for (op = 0; !rc && op < ARRAY_SIZE(ops); op++)
		for (i = 0; !rc && i < ARRAY_SIZE(sizes); i++) {
			b->count_op = op;
			rc = run(b, sizes[i], BENCH_COUNTED);
			bench_counted(b, ops[op], sizes[i]);
		}
	if (rc)
		bench_die("count", rc);
}
