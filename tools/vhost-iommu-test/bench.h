/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the benchmark have in common.
 */
#ifndef VHOST_IOMMU_TEST_BENCH_H
#define VHOST_IOMMU_TEST_BENCH_H

#include "vit.h"

#define BENCH_DOM	1
#define BENCH_BASE	0x4000000000ULL
/*
 * Guest RAM for the mappings: each page is mapped about once, as in a guest.
 * The host memory behind it is the same over and over again.
 */
#define BIG_GPA		0x100000000ULL
#define BIG_PIECE	MIB(8)
/* At most */
#define BENCH_SAMPLES	101
#define BENCH_BATCH	256
#define BENCH_RING	1024

enum bench_mode { MODE_RING, MODE_POLL, MODE_IOCTL, NR_MODES };

/**
 * struct samples - Samples of one figure
 * @ns: Nanoseconds, or another unit
 * @n: Their number
 */
struct samples {
	double ns[BENCH_SAMPLES];
	unsigned int n;
};

/**
 * struct bench - A running device, and how to measure
 * @e: VMM with the devices
 * @ioas: IOAS that the ioctls work on
 * @hwpt: Its page table, which the second device is attached to
 * @json: Where rows go, or NULL
 * @rows: Number of rows written
 * @samples: Samples of each figure
 * @rand: State of the random numbers
 * @first: First page of the RAM at BIG_GPA that is used
 * @pages: Pages of it that are used
 * @large: Size of RAM that is mapped in one piece; 0 for pieces of BIG_PIECE
 * @poll_us: How long the worker polls
 * @ioctls: There is a second device to measure the ioctls with
 * @sleep: The guest's side sleeps until it is interrupted
 * @count: Tell the emulator to count instructions during requests of @count_op
 * @count_op: See @count
 */
struct bench {
	struct env e;
	__u32 ioas;
	__u32 hwpt;
	FILE *json;
	unsigned int rows;
	unsigned int samples;
	__u64 rand;
	__u64 first;
	__u64 pages;
	__u64 large;
	unsigned int poll_us;
	bool ioctls;
	bool sleep;
	bool count;
	enum batch_op count_op;
};

/* What the emulator's plugin insncount understands; nothing to a processor */
#define MARK_START	"0x78"
#define MARK_STOP	"0x79"
#define MARK_REPORT	"0x7a"
#ifdef __aarch64__
#define bench_mark(n)	asm volatile("hint #" n ::: "memory")
#else
#define bench_mark(n)	do { } while (0)
#endif

/* Requests of a kind that are counted, at least BENCH_BATCH */
#define BENCH_COUNTED	2048

int bench_set_up(struct bench *b, enum dev_kind kind, __u64 max_mappings);
int bench_batch(struct bench *b, enum bench_mode mode, enum batch_op op,
		const __u64 *iova, unsigned int n, __u64 *ns);
void bench_places(struct bench *b, __u64 *iova, unsigned int n, __u64 present);
void bench_polling(struct bench *b, bool on);
double bench_report(struct bench *b, enum bench_mode mode,
		    const char *workload, struct samples *s);
double bench_rate(struct bench *b, const char *mode, const char *workload,
		  struct samples *s);
void bench_compare(struct bench *b, const char *what, unsigned int size,
		   __u64 present);
void bench_table(struct bench *b, const char *first);
void bench_pin(void);
void bench_die(const char *what, int rc);

void bench_count(struct bench *b);
void bench_counted(struct bench *b, const char *op, unsigned int size);
void bench_invalidate(struct bench *proto, enum dev_kind kind);
void bench_queues(struct bench *proto, enum dev_kind kind);
void bench_static(struct bench *proto, enum dev_kind kind, __u64 size);

#endif /* VHOST_IOMMU_TEST_BENCH_H */
