// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several request queues: each is served in order, none waits for another, and what
 * they do at once adds up to what they would do one after the other.
 */
#include <pthread.h>
#include <stdlib.h>

#include "suite.h"
#include "table.h"

#define DOM		1
#define BIG_GPA		GIB(64)
#define BIG_IOVA	GIB(8)
#define PIECE		MIB(8)
/* Pages of the IOVA space that each queue has for itself */
#define SPACE		64

#define QUEUES_FIXTURE(_name, _devices, _init)				\
	FIXTURE(_name) {						\
		struct env e;						\
		struct vmm *v;						\
		/* What the processor of each queue sees */		\
		struct vmm cpu[VMM_MAX_QUEUES];				\
	};								\
									\
	FIXTURE_VARIANT(_name) {					\
		enum dev_kind kind;					\
		unsigned int nr;					\
	};								\
									\
	FIXTURE_SETUP(_name)						\
	{								\
		self->v = &self->e.v;					\
		_init(&self->e, variant->kind);				\
		vmm_propose_queues(self->v, variant->nr);		\
		ENV_UP(&self->e, env_up(&self->e, _devices));		\
		views(self->cpu, self->v);				\
	}								\
									\
	FIXTURE_TEARDOWN(_name)						\
	{								\
		env_down(&self->e);					\
	}								\
	struct env

#define QUEUES_VARIANT(_fixture, _name, _kind, _nr)			\
	FIXTURE_VARIANT_ADD(_fixture, _name) { .kind = _kind, .nr = _nr, }

static void views(struct vmm *cpu, const struct vmm *v)
{
	unsigned int i;

	for (i = 0; i < VMM_MAX_QUEUES; i++)
		vmm_view(&cpu[i], v, i);
}

QUEUES_FIXTURE(queues, 1, env_init);
QUEUES_VARIANT(queues, none_2, DEV_NONE, 2);
QUEUES_VARIANT(queues, none_4, DEV_NONE, 4);
QUEUES_VARIANT(queues, mock_2, DEV_MOCK, 2);
QUEUES_VARIANT(queues, mock_4, DEV_MOCK, 4);
QUEUES_VARIANT(queues, edu_2, DEV_EDU, 2);
QUEUES_VARIANT(queues, edu_4, DEV_EDU, 4);

TEST_F(queues, each_is_served)
{
	struct vmm_stats s;
	unsigned int i;

	ASSERT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	for (i = 0; i < variant->nr; i++)
		EXPECT_ST(OK, g_map(&self->cpu[i], DOM, IOVA + i * PAGE,
				    IOVA + i * PAGE + PAGE - 1, RAM_GPA,
				    MAP_RW));
	/* By the one that comes next what the one before has mapped */
	for (i = 0; i < variant->nr; i++) {
		unsigned int next = (i + 1) % variant->nr;

		EXPECT_ST(OK, g_unmap(&self->cpu[next], DOM, IOVA + i * PAGE,
				      IOVA + i * PAGE + PAGE - 1));
	}
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(variant->nr, s.requests[VIRTIO_IOMMU_T_MAP]);
	EXPECT_EQ(variant->nr, s.requests[VIRTIO_IOMMU_T_UNMAP]);
	EXPECT_EQ(2 * variant->nr + 1, s.replies[OK]);
	EXPECT_EQ(3, s.queue_requests[0]);
	for (i = 1; i < variant->nr; i++)
		EXPECT_EQ(2, s.queue_requests[i]);
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.ring_errors);
}

/* A driver that does not know of them is served on the first one, and only there */
TEST_F(queues, old_driver_has_one)
{
	struct vmm *v = self->v;
	struct vmm_stats s;
	unsigned int i;

	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	v->features &= ~FEATURE(VIRTIO_IOMMU_F_MQ);
	ASSERT_EQ(0, vmm_set_features(v));
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_start(v));
	views(self->cpu, v);
	EXPECT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	for (i = 1; i < variant->nr; i++) {
		struct vmm *cpu = &self->cpu[i];
		struct vq *q = &cpu->vq[cpu->ring];

		g_batch_add(cpu, BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA);
		vq_publish(q);
		vq_kick(q);
		EXPECT_EQ(-ETIMEDOUT, vq_wait(q, 1, 50));
	}
	/* The worker, which has what nobody else does, goes in order */
	EXPECT_ST(OK, g_detach(&self->cpu[0], DOM, EP(0)));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.requests[VIRTIO_IOMMU_T_MAP]);
}

/* One that has no use for all of them leaves some alone */
TEST_F(queues, not_all_are_used)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	v->config.num_queues = 1;
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_start(v));
	views(self->cpu, v);
	EXPECT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	EXPECT_ST(OK, g_map(&self->cpu[0], DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
}

/**
 * struct processor - One of the guest's, with a queue of its own
 * @v: What it sees
 * @nr: Its number
 * @rounds: How often it does what it does
 * @failed: The first status that it did not expect, or 0
 * @stop: It is to come to its end
 */
struct processor {
	struct vmm *v;
	unsigned int nr;
	unsigned int rounds;
	int failed;
	int stop;
};

/* All in one domain, each in its own part, in batches of random size and order */
static void *maps_and_unmaps(void *arg)
{
	struct processor *p = arg;
	unsigned int seed = p->nr + 1, round, i, n;
	bool mapped[SPACE] = { false };
	__u64 base = IOVA + (__u64)p->nr * SPACE * PAGE;

	for (round = 0; round < p->rounds && !p->failed; round++) {
		n = 1 + rand_r(&seed) % 16;
		for (i = 0; i < n; i++) {
			unsigned int at = (rand_r(&seed) + i) % SPACE;

			/* In order within the queue: so this is what is there */
			g_batch_add(p->v, mapped[at] ? BATCH_UNMAP : BATCH_MAP,
				    DOM, base + at * PAGE, PAGE,
				    RAM_GPA + at * PAGE);
			mapped[at] = !mapped[at];
		}
		p->failed = g_batch_run(p->v, n);
	}
	for (i = 0; i < SPACE && !p->failed; i++)
		if (mapped[i])
			p->failed = g_unmap(p->v, DOM, base + i * PAGE,
					    base + i * PAGE + PAGE - 1);
	return NULL;
}

static void start(struct __test_metadata *_metadata, struct vmm *cpu,
		  pthread_t *thread, struct processor *p, unsigned int nr,
		  void *(*what)(void *), unsigned int rounds)
{
	*p = (struct processor){
		.v = &cpu[nr], .nr = nr, .rounds = rounds,
	};
	ASSERT_EQ(0, pthread_create(thread, NULL, what, p));
}

TEST_F_TIMEOUT(queues, one_domain, 120)
{
	struct processor p[VMM_MAX_QUEUES];
	pthread_t thread[VMM_MAX_QUEUES];
	struct vmm_stats s;
	unsigned int i;

	ASSERT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	for (i = 0; i < variant->nr; i++)
		start(_metadata, self->cpu, &thread[i], &p[i], i, maps_and_unmaps,
		      300);
	for (i = 0; i < variant->nr; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_ST(OK, p[i].failed);
	}
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.mapped_bytes);
	EXPECT_EQ(s.replies[OK], s.requests[VIRTIO_IOMMU_T_MAP] +
		  s.requests[VIRTIO_IOMMU_T_UNMAP] + 1);
	EXPECT_EQ(0, s.host_errors);
}

/* One worker polls for all of them, and others are served in place meanwhile */
TEST_F_TIMEOUT(queues, polled, 120)
{
	struct processor p[VMM_MAX_QUEUES];
	pthread_t thread[VMM_MAX_QUEUES];
	struct vmm_stats s;
	unsigned int i;

	for (i = 0; i < variant->nr; i++) {
		struct vhost_vring_state poll = {
			.index = VHOST_IOMMU_VQ_REQUEST_NR(i), .num = 200,
		};

		ASSERT_EQ(0, xioctl(self->v->fd,
				    VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll));
	}
	ASSERT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	for (i = 0; i < variant->nr; i++)
		start(_metadata, self->cpu, &thread[i], &p[i], i, maps_and_unmaps,
		      300);
	for (i = 0; i < variant->nr; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_ST(OK, p[i].failed);
	}
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_GT(s.in_place, 0);
	for (i = 0; i < variant->nr; i++)
		EXPECT_GT(s.queue_requests[i], 300);
	/* What others kick for keeps the worker from polling, mostly */
	TH_LOG("%llu in place, %llu found by polling", s.in_place, s.poll_hits);
}

/* The same page is mapped and unmapped by all: one of them is right each time */
static void *fights_for_a_page(void *arg)
{
	struct processor *p = arg;
	unsigned int round;
	int st;

	for (round = 0; round < p->rounds && !p->failed; round++) {
		st = g_map(p->v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW);
		if (st != OK && st != INVAL)
			p->failed = st;
		st = g_unmap(p->v, DOM, IOVA, IOVA + PAGE - 1);
		if (st != OK)
			p->failed = st;
	}
	return NULL;
}

TEST_F_TIMEOUT(queues, one_page, 120)
{
	struct processor p[VMM_MAX_QUEUES];
	pthread_t thread[VMM_MAX_QUEUES];
	struct vmm_stats s;
	unsigned int i;

	ASSERT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	for (i = 0; i < variant->nr; i++)
		start(_metadata, self->cpu, &thread[i], &p[i], i,
		      fights_for_a_page, 300);
	for (i = 0; i < variant->nr; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_ST(OK, p[i].failed);
	}
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.host_errors);
}

/* Whatever domains come and go meanwhile: the one that is there stays as it is */
static void *attaches_and_detaches(void *arg)
{
	struct processor *p = arg;
	unsigned int dom = DOM + 1;

	while (!p->failed && !LOAD(&p->stop)) {
		p->failed = g_attach(p->v, dom, EMU(0)) ?:
			    g_map(p->v, dom, IOVA, IOVA + PAGE - 1, RAM_GPA,
				  MAP_RW) ?:
			    g_detach(p->v, dom, EMU(0));
		STORE(&p->rounds, p->rounds + 1);
		dom++;
	}
	return NULL;
}

TEST_F_TIMEOUT(queues, attach_beside_maps, 120)
{
	struct processor p[VMM_MAX_QUEUES], mover;
	pthread_t thread[VMM_MAX_QUEUES], other;
	struct vmm_stats s;
	unsigned int i;

	ASSERT_EQ(0, vmm_add_endpoint(self->v, EMU(0), NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	start(_metadata, self->cpu, &other, &mover, 0, attaches_and_detaches, 0);
	while (!LOAD(&mover.rounds) && !LOAD(&mover.failed))
		;
	for (i = 1; i < variant->nr; i++)
		start(_metadata, self->cpu, &thread[i], &p[i], i, maps_and_unmaps,
		      200);
	for (i = 1; i < variant->nr; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_ST(OK, p[i].failed);
	}
	STORE(&mover.stop, 1);
	pthread_join(other, NULL);
	EXPECT_ST(OK, mover.failed);
	EXPECT_GT(mover.rounds, 0);
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(1, s.domains);
	EXPECT_EQ(0, s.host_errors);
}

/*
 * A large guest, whose RAM is one piece of memory over and over again. On a machine that
 * does it too soon, it is larger after some tries.
 */
static __u64 big_ram(struct env *e, unsigned int tries)
{
	__u64 size = (e->kind == DEV_MOCK ? MIB(32) : MIB(256)) << tries / 5, at;
	struct vmm *v = &e->v;

	for (at = 0; at < size; at += PIECE)
		if (vmm_ioas_map(v, v->ram_ioas, v->ram[0].va, BIG_GPA + at,
				 PIECE))
			return 0;
	return size;
}

QUEUES_FIXTURE(queues_large, 2, env_init);
QUEUES_VARIANT(queues_large, mock_2, DEV_MOCK, 2);
QUEUES_VARIANT(queues_large, edu_2, DEV_EDU, 2);

/* A device that has measured nothing yet, and makes pieces of the usual size */
static int once_more(struct env *e, unsigned int nr)
{
	enum dev_kind kind = e->kind;

	env_down(e);
	env_init(e, kind);
	vmm_propose_queues(&e->v, nr);
	return env_up(e, 2);
}

/*
 * A domain, and a MAP of all that there is in @cpu's ring, which is not published yet.
 * Pieces are larger the longer a device is in use: it is another one if this is done
 * @_again.
 */
#define LARGE_MAP(_cpu, _size, _again) do {				\
	if (_again)							\
		ENV_UP(&self->e, once_more(&self->e, variant->nr));	\
	views(self->cpu, self->v);					\
	(_size) = big_ram(&self->e, _again);				\
	ASSERT_NE(0, _size);						\
	ASSERT_ST(OK, g_attach(_cpu, DOM, EP(0)));			\
	g_batch_add(_cpu, BATCH_MAP, DOM, BIG_IOVA, _size, BIG_GPA);	\
} while (0)

/* Have the device see what is in a ring, and wait until so much is mapped */
static int map_begins(struct vmm *cpu, __u64 bytes, struct vmm_stats *s)
{
	struct vq *q = &cpu->vq[cpu->ring];
	__u64 end = now_ns() + 60000000000ULL;
	int rc;

	vq_publish(q);
	vq_kick(q);
	do {
		rc = vmm_stats(cpu, s);
	} while (!rc && s->mapped_bytes < bytes && now_ns() < end);
	return rc;
}

/* What is half done on one queue is not undone for what another one wants */
TEST_F_TIMEOUT(queues_large, half_a_map_goes_on, 240)
{
	struct vmm *big = &self->cpu[0], *small = &self->cpu[1];
	struct vmm *v = self->v;
	unsigned int i, k, seen = 0;
	struct vmm_stats s;
	__u64 size, before, end;

	/* It may be done before the other one is asked for */
	for (i = 0; i < 20 && !seen; i++) {
		LARGE_MAP(big, size, i);
		g_batch_add(small, BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA);
		ASSERT_EQ(0, map_begins(big, 1, &s));
		end = now_ns() + 60000000000ULL;
		vq_publish(&small->vq[small->ring]);
		vq_kick(&small->vq[small->ring]);
		before = 0;
		do {
			ASSERT_EQ(0, vmm_stats(v, &s));
			EXPECT_GE(s.mapped_bytes, before);
			seen += s.mapped_bytes < size;
			before = s.mapped_bytes;
		} while (s.requests[VIRTIO_IOMMU_T_MAP] < 2 && now_ns() < end);
		for (k = 0; k < 2; k++)
			ASSERT_EQ(0, vq_wait(&self->cpu[k].vq[self->cpu[k].ring],
					     1, 60000));
		ASSERT_EQ(0, vmm_stats(v, &s));
		EXPECT_EQ(size + PAGE, s.mapped_bytes);
		EXPECT_EQ(3, s.replies[OK]);
		EXPECT_EQ(0, s.host_errors);
	}
	TH_LOG("looked at %u times, at the %u. try", seen, i);
	EXPECT_GT(seen, 0);
}

/*
 * It waits for one of them, and for what else is done in a pass: not for as long as
 * there are some. On a machine that does them all in a pass, they are larger after some
 * tries.
 */
TEST_F_TIMEOUT(queues_large, one_page_beside_many, 240)
{
	struct vmm *big = &self->cpu[0], *small = &self->cpu[1];
	const unsigned int maps = 16, tries = 8;
	struct vmm *v = self->v;
	struct vmm_stats s;
	__u64 size, before;
	unsigned int i, k;

	for (i = 0; i < tries; i++) {
		LARGE_MAP(big, size, i);
		for (k = 1; k < maps; k++)
			g_batch_add(big, BATCH_MAP, DOM, BIG_IOVA + k * size,
				    size, BIG_GPA);
		g_batch_add(small, BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA);
		ASSERT_EQ(0, map_begins(big, 1, &s));
		before = s.requests[VIRTIO_IOMMU_T_MAP];
		vq_publish(&small->vq[small->ring]);
		vq_kick(&small->vq[small->ring]);
		ASSERT_EQ(0, vq_wait(&small->vq[small->ring], 1, 60000));
		ASSERT_EQ(0, vmm_stats(v, &s));
		TH_LOG("%llu were done before, %llu then", before,
		       s.requests[VIRTIO_IOMMU_T_MAP]);
		ASSERT_EQ(0, vq_wait(&big->vq[big->ring], maps, 60000));
		if (s.requests[VIRTIO_IOMMU_T_MAP] <= maps / 2)
			break;
	}
	EXPECT_LT(i, tries);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(maps * size + PAGE, s.mapped_bytes);
	EXPECT_EQ(0, s.host_errors);
}

/* @n of the guest's page tables that nothing needs any more */
static int leave_tables(struct vmm *v, __u32 dom, unsigned int n)
{
	unsigned int i;
	__u64 at;
	int st = OK;

	for (i = 0; i < n && st == OK; i++) {
		at = BIG_IOVA - GIB(4) + i * MIB(2);
		st = g_map(v, dom, at, at + PAGE - 1, RAM_GPA, MAP_RW);
		if (st == OK)
			st = g_unmap(v, dom, at, at + PAGE - 1);
	}
	return st;
}

/*
 * A MAP that has the domain rebuilt first keeps others out for that, and not for as long
 * as it lasts itself. It may be done before the other one is asked for.
 */
TEST_F_TIMEOUT(queues_large, attach_beside_a_map_that_was_alone, 240)
{
	struct vmm *big = &self->cpu[0], *small = &self->cpu[1];
	struct vmm *v = self->v;
	unsigned int i, seen = 0;
	struct vmm_stats s;
	__u64 size;

	for (i = 0; i < 20 && !seen; i++) {
		LARGE_MAP(big, size, i);
		/* Each of two devices has a half of it */
		ASSERT_EQ(0, vmm_set_limits(v, 0, 0, 2 * (size / MIB(2) + 72)));
		ASSERT_ST(OK, leave_tables(small, DOM, size / MIB(2) + 64));
		ASSERT_EQ(0, map_begins(big, 1, &s));
		ASSERT_ST(OK, g_attach(small, DOM + 1, EP(1)));
		ASSERT_EQ(0, vmm_stats(v, &s));
		EXPECT_GT(s.rebuilds, 0);
		seen += s.mapped_bytes < size;
		ASSERT_EQ(0, vq_wait(&big->vq[big->ring], 1, 60000));
		ASSERT_EQ(0, vmm_stats(v, &s));
		EXPECT_EQ(size, s.mapped_bytes);
		EXPECT_EQ(0, s.host_errors);
	}
	TH_LOG("seen at the %u. try", i);
	EXPECT_GT(seen, 0);
}

/* A MAP is done as a whole or not at all, also when its domain ends meanwhile */
TEST_F_TIMEOUT(queues_large, domain_ends_amid_a_map, 240)
{
	struct vmm *big = &self->cpu[0], *small = &self->cpu[1];
	struct vmm *v = self->v;
	struct vmm_stats s;
	unsigned int i;
	__u64 size;

	for (i = 0; i < 4; i++) {
		LARGE_MAP(big, size, i);
		ASSERT_EQ(0, map_begins(big, size / 2, &s));
		EXPECT_ST(OK, g_attach(small, DOM + 1, EP(0)));
		ASSERT_EQ(0, vq_wait(&big->vq[big->ring], 1, 60000));
		ASSERT_EQ(0, vmm_stats(v, &s));
		EXPECT_EQ(0, s.replies[INVAL]);
		EXPECT_EQ(0, s.mapped_bytes);
		EXPECT_EQ(1, s.domains);
		EXPECT_EQ(0, s.host_errors);
	}
}

/* Wait until something of each of @n MAPs is mapped, and stop the device then */
static int stop_amid(struct vmm *v, unsigned int n, struct vmm_stats *s)
{
	__u64 end = now_ns() + 10000000000ULL;
	int rc;

	do {
		rc = vmm_stats(v, s);
	} while (!rc && s->mappings < n && now_ns() < end);
	rc = rc ?: vmm_set_running(v, false);
	return rc ?: vmm_stats(v, s);
}

/* The queue that has begun it never comes back */
TEST_F_TIMEOUT(queues_large, half_a_map_is_given_up, 120)
{
	struct vmm *big = &self->cpu[0], *small = &self->cpu[1];
	struct vmm *v = self->v;
	struct vmm_stats s;
	unsigned int i;
	__u64 size;

	/* It may be faster than we are, and then makes larger pieces */
	for (i = 0; i < 20; i++) {
		LARGE_MAP(big, size, i);
		vq_publish(&big->vq[big->ring]);
		vq_kick(&big->vq[big->ring]);
		ASSERT_EQ(0, stop_amid(v, 1, &s));
		if (!s.requests[VIRTIO_IOMMU_T_MAP])
			break;
	}
	ASSERT_LT(i, 20);
	EXPECT_GT(s.mapped_bytes, 0);
	EXPECT_LT(s.mapped_bytes, size);
	/* Its ring is empty when the device is started again */
	ASSERT_EQ(0, vmm_set_vring(v, VHOST_IOMMU_VQ_REQUEST, 256));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(OK, g_map(small, DOM, BIG_IOVA, BIG_IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(1, s.mappings);
	EXPECT_EQ(PAGE, s.mapped_bytes);
	EXPECT_EQ(0, s.host_errors);
}

/* Make an UNMAP of the MAP that was put into a ring last, and for another domain */
static void make_it_unmap(struct vmm *cpu, __u32 domain)
{
	struct vq *q = &cpu->vq[cpu->ring];
	unsigned int slot = (__u16)(q->published - 1) % q->num;
	struct vring_desc *d = &q->desc[le16toh(q->avail->ring[slot])];
	struct virtio_iommu_req_unmap *r;

	if (d->flags & htole16(VRING_DESC_F_INDIRECT))
		d = ram_va(cpu, le64toh(d->addr));
	r = ram_va(cpu, le64toh(d->addr));
	r->head.type = VIRTIO_IOMMU_T_UNMAP;
	r->domain = htole32(domain);
}

/*
 * Each queue is in the middle of a MAP, and each gets in its place an UNMAP for the
 * other one's domain: they don't wait for each other.
 */
TEST_F_TIMEOUT(queues_large, crosswise, 240)
{
	struct vmm *v = self->v;
	struct vmm_stats s;
	unsigned int i, k;
	__u64 size;

	for (i = 0; i < 20; i++) {
		if (i)
			ENV_UP(&self->e, once_more(&self->e, variant->nr));
		size = big_ram(&self->e, i);
		ASSERT_NE(0, size);
		for (k = 0; k < 2; k++)
			ASSERT_ST(OK, g_attach(v, DOM + k, EP(k)));
		views(self->cpu, v);
		for (k = 0; k < 2; k++)
			g_batch_add(&self->cpu[k], BATCH_MAP, DOM + k, BIG_IOVA,
				    size, BIG_GPA);
		for (k = 0; k < 2; k++)
			vq_publish(&self->cpu[k].vq[self->cpu[k].ring]);
		for (k = 0; k < 2; k++)
			vq_kick(&self->cpu[k].vq[self->cpu[k].ring]);
		ASSERT_EQ(0, stop_amid(v, 2, &s));
		if (!s.requests[VIRTIO_IOMMU_T_MAP] && s.mappings == 2)
			break;
	}
	ASSERT_LT(i, 20);
	for (k = 0; k < 2; k++)
		make_it_unmap(&self->cpu[k], DOM + !k);
	ASSERT_EQ(0, vmm_set_running(v, true));
	for (k = 0; k < 2; k++)
		EXPECT_EQ(0, vq_wait(&self->cpu[k].vq[self->cpu[k].ring], 1,
				     60000));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(2, s.requests[VIRTIO_IOMMU_T_UNMAP]);
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.host_errors);
}

/* Flips a page of the same domain until it is told to stop */
static void *flips_a_page(void *arg)
{
	struct processor *p = arg;

	while (!p->failed && !LOAD(&p->stop)) {
		p->failed = g_map(p->v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
				  MAP_RW);
		if (!p->failed)
			p->failed = g_unmap(p->v, DOM, IOVA, IOVA + PAGE - 1);
		p->rounds++;
	}
	return NULL;
}

/*
 * A domain that is rebuilt for a MAP, to free page tables, takes longer than a pass.
 * What another queue does to it meanwhile is no reason to refuse the MAP.
 */
TEST_F_TIMEOUT(queues_large, rebuilt_beside_maps, 120)
{
	const __u64 used = 800, limit = used + 300, span = MIB(2);
	struct vmm *v = self->v, *cpu = &self->cpu[0];
	struct processor p;
	struct vmm_stats s;
	pthread_t thread;
	unsigned int i;
	__u64 at, end;

	ASSERT_ST(OK, g_attach(cpu, DOM, EP(0)));
	/* The device has its share of that */
	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, 2 * limit));
	for (i = 0; i < used; i++) {
		at = BIG_IOVA + i * span;
		ASSERT_ST(OK, g_map(cpu, DOM, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
	}
	start(_metadata, self->cpu, &thread, &p, 1, flips_a_page, 0);
	/* However fast requests are answered: several times, but not for ever */
	end = now_ns() + 40000000000ULL;
	for (i = 0; i < 3 * used && now_ns() < end; i++) {
		at = BIG_IOVA + (used + i) * span;
		EXPECT_ST(OK, g_map(cpu, DOM, at, at + PAGE - 1, RAM_GPA,
				    MAP_RW));
		EXPECT_ST(OK, g_unmap(cpu, DOM, at, at + PAGE - 1));
	}
	STORE(&p.stop, 1);
	pthread_join(thread, NULL);
	EXPECT_ST(OK, p.failed);
	ASSERT_EQ(0, vmm_stats(v, &s));
	TH_LOG("%llu rebuilds in %u requests", s.rebuilds, i);
	EXPECT_GT(s.rebuilds, 0);
	EXPECT_EQ(used, s.mappings);
	EXPECT_EQ(0, s.host_errors);
	EXPECT_EQ(0, s.refused_maps[NOMEM]);
}

/* Rings are stopped and started with requests in all of them */
TEST_F_TIMEOUT(queues, stop_and_go_on, 120)
{
	struct processor p[VMM_MAX_QUEUES];
	pthread_t thread[VMM_MAX_QUEUES];
	struct vmm_stats s;
	unsigned int i;

	ASSERT_ST(OK, g_attach(&self->cpu[0], DOM, EP(0)));
	for (i = 0; i < variant->nr; i++)
		start(_metadata, self->cpu, &thread[i], &p[i], i, maps_and_unmaps,
		      200);
	for (i = 0; i < 50; i++) {
		EXPECT_EQ(0, vmm_set_running(self->v, false));
		EXPECT_EQ(0, vmm_set_running(self->v, true));
		sleep_ms(2);
	}
	for (i = 0; i < variant->nr; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_ST(OK, p[i].failed);
	}
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.host_errors);
}

QUEUES_FIXTURE(queues_table, 2, env_init_table);
QUEUES_VARIANT(queues_table, mock_2, DEV_MOCK, 2);
QUEUES_VARIANT(queues_table, mock_4, DEV_MOCK, 4);
QUEUES_VARIANT(queues_table, edu_2, DEV_EDU, 2);

/* Page by page, and some in a batch */
static void *invalidates(void *arg)
{
	struct processor *p = arg;
	unsigned int round, i, n;

	for (round = 0; round < p->rounds && !p->failed; round++) {
		n = 1 + round % 8;
		for (i = 0; i < n; i++)
			g_inv_add(p->v, inv_range(DOM, 1,
						  IOVA + 2 * (round + i) * PAGE,
						  1, 12,
						  VIRTIO_IOMMU_INV_F_LEAF));
		p->failed = g_batch_run(p->v, n);
	}
	return NULL;
}

/*
 * A domain of tables is invalidated by some queues, while another one makes a domain
 * come and go, with the same tables in other places: TLB entries of an address space
 * that has ended are flushed before it is answered.
 */
TEST_F_TIMEOUT(queues_table, attach_beside_invalidations, 120)
{
	struct processor p[VMM_MAX_QUEUES];
	pthread_t thread[VMM_MAX_QUEUES];
	struct vmm *v = self->v;
	struct s1 s1[2];
	struct vmm_stats s;
	unsigned int i, n = 0;

	s1_usual(&s1[0], v, 0, 1);
	s1_usual(&s1[1], v, 1, 2);
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &s1[0]));
	views(self->cpu, v);
	for (i = 1; i < variant->nr; i++)
		start(_metadata, self->cpu, &thread[i], &p[i], i, invalidates,
		      300);
	for (i = 0; i < 60; i++) {
		struct virtio_iommu_req_invalidate inv;

		inv = inv_range(DOM + 1 + i, 2, IOVA, 1, 12, 0);
		ASSERT_ST(OK, g_attach_s1(&self->cpu[0], DOM + 1 + i, EP(1),
					  &s1[1]));
		/* Of the one that is there, and of one that is not */
		EXPECT_ST(OK, g_inv(&self->cpu[0], inv));
		ASSERT_ST(OK, g_detach(&self->cpu[0], DOM + 1 + i, EP(1)));
		EXPECT_ST(NOENT, g_inv(&self->cpu[0], inv));
	}
	for (i = 1; i < variant->nr; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_ST(OK, p[i].failed);
	}
	ASSERT_EQ(0, vmm_stats(v, &s));
	for (i = 1; i < variant->nr; i++)
		n += s.queue_requests[i] > 300;
	EXPECT_EQ(variant->nr - 1, n);
	EXPECT_EQ(1, s.domains);
	EXPECT_EQ(0, s.host_errors);
}

SUITE;
