// SPDX-License-Identifier: GPL-2.0-only
/*
 * What several request queues are worth. Two threads, which stand for virtual CPUs,
 * have a domain and a device each, and serve their requests themselves when they
 * kick. A figure is how many requests a second all of them together have answered:
 *
 *   queues-1       one of them, alone
 *   queues-shared  both, with one queue, whose lock they spin for as Linux does
 *   queues-2       both, each with a queue of its own
 *
 * First comes what two threads gain that share nothing but the kernel and the machine:
 * they signal eventfds that nobody listens to, which is a kick without a device. Where
 * that is far from twice as much, the processors of an emulator wait for each other.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"
#include "table.h"

#define SIDES		2
#define ASID		1
/* Requests of a thread in a sample */
#define OPS		8192

enum kind_of_work {
	SOFTWARE, ONE_RAM, TWO_RAMS, INVALIDATIONS, SIGNALS, NR_WORKS,
};

static const char *const work_names[NR_WORKS] = {
	"map+unmap, software only", "map+unmap, devices",
	"map+unmap, devices, RAM in two pieces", "invalidate",
	"eventfds without a device",
};

enum shape { ALONE, SHARED, APART, NR_SHAPES };

static const char *const shape_names[NR_SHAPES] = {
	"queues-1", "queues-shared", "queues-2",
};

struct setting {
	struct bench b;
	enum kind_of_work work;
	unsigned int batch;
	struct s1 s1[SIDES];
	/* What the processor of each queue sees */
	struct vmm cpu[SIDES];
	__u64 gpa[SIDES];
	int event[SIDES];
	pthread_barrier_t start;
	pthread_spinlock_t lock;
};

struct side {
	struct setting *t;
	unsigned int nr;
	struct vmm *v;
	bool shared;
	__u64 begin;
	__u64 end;
	int rc;
};

static void add(struct side *s, enum batch_op op, unsigned int i)
{
	struct setting *t = s->t;
	__u64 iova = IOVA + 2 * i * PAGE;

	if (t->work == INVALIDATIONS)
		g_inv_add(s->v, inv_range(BENCH_DOM + s->nr, ASID + s->nr, iova,
					  1, 12, VIRTIO_IOMMU_INV_F_LEAF));
	else
		g_batch_add(s->v, op, BENCH_DOM + s->nr, iova, PAGE,
			    t->gpa[s->nr] + i * PAGE);
}

static int batch(struct side *s, enum batch_op op)
{
	int event = s->t->event[s->shared ? 0 : s->nr];
	unsigned int i;
	int rc;

	if (s->t->work == SIGNALS)
		return eventfd_write(event, 1) ? -errno : 0;
	if (s->shared)
		pthread_spin_lock(&s->t->lock);
	for (i = 0; i < s->t->batch; i++)
		add(s, op, i);
	rc = g_batch_run(s->v, s->t->batch);
	if (s->shared)
		pthread_spin_unlock(&s->t->lock);
	return rc;
}

static void *requests(void *arg)
{
	struct side *s = arg;
	unsigned int done;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(s->nr, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(&s->t->start);
	s->begin = now_ns();
	for (done = 0; !s->rc && done < OPS; done += 2 * s->t->batch) {
		s->rc = batch(s, BATCH_MAP);
		if (!s->rc)
			s->rc = batch(s, BATCH_UNMAP);
	}
	s->end = now_ns();
	return NULL;
}

/* Returns requests per second, by the clocks of those that make them */
static double sample(struct setting *t, enum shape shape)
{
	unsigned int i, n = shape == ALONE ? 1 : SIDES;
	struct side side[SIDES];
	pthread_t thread[SIDES];
	__u64 begin = ~0ULL, end = 0;

	pthread_barrier_init(&t->start, NULL, n);
	for (i = 0; i < n; i++) {
		side[i] = (struct side){
			.t = t, .nr = i, .shared = shape == SHARED,
			.v = &t->cpu[shape == SHARED ? 0 : i],
		};
		if (pthread_create(&thread[i], NULL, requests, &side[i]))
			bench_die("queues", -errno);
	}
	for (i = 0; i < n; i++) {
		pthread_join(thread[i], NULL);
		if (side[i].rc)
			bench_die(work_names[t->work], side[i].rc);
		begin = side[i].begin < begin ? side[i].begin : begin;
		end = side[i].end > end ? side[i].end : end;
	}
	pthread_barrier_destroy(&t->start);
	return n * OPS * 1e9 / (end - begin);
}

static void measure(struct setting *t, unsigned int size)
{
	static struct samples s[NR_SHAPES];
	unsigned int i, shape;
	char name[80];

	memset(s, 0, sizeof(s));
	t->batch = size;
	for (i = 0; i < t->b.samples; i++)
		for (shape = 0; shape < NR_SHAPES; shape++)
			s[shape].ns[s[shape].n++] = sample(t, shape);
	snprintf(name, sizeof(name), "%s, batch %u", work_names[t->work], size);
	printf("| %s |", name);
	for (shape = 0; shape < NR_SHAPES; shape++)
		printf(" %.0f |", bench_rate(&t->b, shape_names[shape], name,
					     &s[shape]));
	printf("\n");
	fflush(stdout);
}

/* Pages of another piece of RAM have another lock in iommufd */
static int add_pieces(struct setting *t)
{
	struct vmm *v = &t->b.e.v;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < SIDES; i++)
		t->gpa[i] = RAM_GPA + i * MIB(1);
	for (i = 0; t->work == TWO_RAMS && !rc && i < SIDES; i++) {
		t->gpa[i] = BIG_GPA + i * BIG_PIECE;
		rc = vmm_ioas_map(v, v->ram_ioas, v->ram[0].va, t->gpa[i],
				  BIG_PIECE);
	}
	return rc;
}

static int attach(struct setting *t, unsigned int i)
{
	struct vmm *v = &t->b.e.v;
	__u32 ep = t->work == SOFTWARE ? EMU(i) : EP(i);
	int rc = 0;

	if (t->work == SOFTWARE)
		rc = vmm_add_endpoint(v, ep, NULL, -1, NULL, 0);
	if (rc)
		return rc;
	if (t->work != INVALIDATIONS)
		return g_attach(v, BENCH_DOM + i, ep);
	s1_usual(&t->s1[i], v, i, ASID + i);
	return g_attach_s1(v, BENCH_DOM + i, ep, &t->s1[i]);
}

static int set_up(struct setting *t, enum dev_kind kind)
{
	struct vmm *v = &t->b.e.v;
	unsigned int i;
	int rc;

	if (t->work == SOFTWARE)
		env_init(&t->b.e, DEV_NONE);
	else if (t->work == INVALIDATIONS)
		env_init_table(&t->b.e, kind);
	else
		env_init(&t->b.e, kind);
	vmm_propose_queues(v, SIDES);
	rc = env_open(&t->b.e, t->work == SOFTWARE ? 0 : SIDES, false);
	if (!rc)
		rc = vmm_set_rings(v, BENCH_RING);
	if (!rc)
		rc = add_pieces(t);
	if (!rc)
		rc = env_add(&t->b.e);
	for (i = 0; !rc && i < SIDES; i++)
		rc = attach(t, i);
	for (i = 0; i < SIDES; i++)
		vmm_view(&t->cpu[i], v, i);
	return rc;
}

static void signals(struct setting *t)
{
	unsigned int i;

	t->work = SIGNALS;
	for (i = 0; i < SIDES; i++) {
		t->event[i] = eventfd(0, EFD_CLOEXEC);
		if (t->event[i] < 0)
			bench_die(work_names[SIGNALS], -errno);
	}
	measure(t, 1);
	for (i = 0; i < SIDES; i++)
		close(t->event[i]);
}

/**
 * bench_queues() - Measure two threads with one and with two request queues
 * @proto: Benchmark that says how to measure, and where rows go
 * @kind: Kind of the devices; software only if there are none
 */
void bench_queues(struct bench *proto, enum dev_kind kind)
{
	static const unsigned int sizes[] = { 1, 16 };
	static struct setting t;
	unsigned int work, i;
	int rc;

	if (sysconf(_SC_NPROCESSORS_ONLN) < SIDES) {
		printf("\nRequest queues: needs %u processors\n", SIDES);
		return;
	}
	printf("\nRequests per second, one thread and two:\n\n");
	printf("| requests | one queue, one thread | one queue | two queues |\n");
	printf("| --- | --- | --- | --- |\n");
	pthread_spin_init(&t.lock, PTHREAD_PROCESS_PRIVATE);
	t.b = (struct bench){
		.json = proto->json, .rows = proto->rows,
		.samples = proto->samples,
	};
	signals(&t);
	for (work = 0; work < SIGNALS; work++) {
		if (work != SOFTWARE && kind != DEV_EDU && kind != DEV_IGB)
			continue;
		t.b.e = (struct env){};
		t.work = work;
		rc = set_up(&t, kind);
		if (rc && !t.b.e.skip[0])
			bench_die(work_names[work], rc);
		if (rc)
			printf("| %s: %s | | | |\n", work_names[work],
			       t.b.e.skip);
		for (i = 0; !rc && i < ARRAY_SIZE(sizes); i++)
			measure(&t, sizes[i]);
		env_down(&t.b.e);
	}
	proto->rows = t.b.rows;
	pthread_spin_destroy(&t.lock);
}
