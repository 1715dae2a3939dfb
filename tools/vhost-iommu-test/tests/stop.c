// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a guest has put into the ring: who wants the device to stop gets it,
 * in little of the time that the worker, or a thread that kicks, spends on it.
 * What is left in the ring goes on when the device is started again.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "suite.h"

#define DOM		1
#define BIG_GPA		GIB(64)
#define BIG_IOVA	GIB(8)
#define PIECE		MIB(8)
/*
 * What may be spent on the ring once somebody wants it, in ms. A thread's time has
 * in it what a machine that runs beside this one takes, so a share of what the whole
 * ring costs will do as well; and who kills tries it again.
 */
#define PROMPT		100
#define PART		4
#define TRIES		3

FIXTURE(stop)
{
	struct env e;
	struct vmm *v;
	struct vq *q;
	__u64 size;
	pid_t worker;
	/* The worker's time when the ring was filled */
	__u64 began;
	/* What was spent while others wanted the ring: at once, and together */
	__u64 longest;
	__u64 together;
	const char *call;
};

KIND_VARIANTS(stop);
KIND_MOCK(stop);
KIND_EDU(stop);

#define SELF	FIXTURE_DATA(stop) *self

FIXTURE_SETUP(stop)
{
	self->v = &self->e.v;
	self->q = &self->v->vq[VHOST_IOMMU_VQ_REQUEST];
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
	self->worker = vmm_worker_tid();
	ASSERT_GT(self->worker, 0);
}

FIXTURE_TEARDOWN(stop)
{
	env_down(&self->e);
}

/* A large guest, whose RAM is one piece of memory over and over again */
static int big_ram(SELF)
{
	struct vmm *v = self->v;
	__u64 at;
	int rc = 0;

	self->size = self->e.kind == DEV_MOCK ? MIB(32) : GIB(1);
	for (at = 0; at < self->size && !rc; at += PIECE)
		rc = vmm_ioas_map(v, v->ram_ioas, v->ram[0].va, BIG_GPA + at,
				  PIECE);
	return rc;
}

static __u16 used(struct vq *q)
{
	return le16toh(LOAD(&q->used->idx)) - q->used_idx;
}

static void spent_on(SELF, const char *call, __u64 ns)
{
	self->together += ns;
	if (ns < self->longest)
		return;
	self->longest = ns;
	self->call = call;
}

/* What the worker spends while @request is made */
#define SPENT(self, request) ({						\
	__u64 __t = thread_ns((self)->worker);				\
									\
	EXPECT_EQ(0, request);						\
	spent_on(self, #request, thread_ns((self)->worker) - __t);	\
})

/* Nobody had to wait for all that is in the ring, which costs @ring ns */
static void was_prompt(struct __test_metadata *_metadata, SELF, __u64 ring)
{
	EXPECT_TRUE(self->longest / 1000000 < PROMPT ||
		    self->together < ring / PART)
		TH_LOG("%s: %llu ms, all such calls %llu ms, the whole ring %llu ms",
		       self->call, self->longest / 1000000,
		       self->together / 1000000, ring / 1000000);
}

static int set_call(struct vmm *v)
{
	struct vhost_vring_file f = { .index = VHOST_IOMMU_VQ_REQUEST,
				      .fd = v->vq[0].call };

	return xioctl(v->fd, VHOST_SET_VRING_CALL, &f);
}

static int set_err(struct vmm *v)
{
	struct vhost_vring_file f = { .index = VHOST_IOMMU_VQ_REQUEST,
				      .fd = v->vq[0].err };

	return xioctl(v->fd, VHOST_SET_VRING_ERR, &f);
}

static int set_busyloop(struct vmm *v)
{
	struct vhost_vring_state s = { .index = VHOST_IOMMU_VQ_REQUEST,
				       .num = 0 };

	return xioctl(v->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s);
}

/* Who serves the ring is in the middle of it: everybody else gets through */
static void everybody(struct __test_metadata *_metadata, SELF, unsigned int n)
{
	struct vmm *v = self->v;

	SPENT(self, set_call(v));
	SPENT(self, set_err(v));
	SPENT(self, set_busyloop(v));
	SPENT(self, vmm_set_mem_table(v));
	SPENT(self, vmm_set_running(v, false));
	EXPECT_LT(used(self->q), n);
}

/* What is in the ring is carried out, and answered by what was done */
static void goes_on(struct __test_metadata *_metadata, SELF, unsigned int n,
		    unsigned int timeout_ms)
{
	struct vmm_stats s;
	unsigned int i;
	int st[256];

	ASSERT_EQ(0, vmm_set_running(self->v, true));
	ASSERT_EQ(0, vq_wait(self->q, n, timeout_ms));
	ASSERT_EQ(0, g_batch_status(self->v, n, st));
	for (i = 0; i < n; i++)
		EXPECT_ST(OK, st[i]);
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.mapped_bytes);
	EXPECT_EQ(0, s.host_errors);
	was_prompt(_metadata, self, thread_ns(self->worker) - self->began);
}

TEST_F_TIMEOUT(stop, prompt_maps, 240)
{
	const unsigned int n = self->e.kind == DEV_MOCK ? 8 : 16;
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_EQ(0, big_ram(self));
	for (i = 0; i < n; i++)
		g_batch_add(v, i & 1 ? BATCH_UNMAP : BATCH_MAP, DOM, BIG_IOVA,
			    self->size, BIG_GPA);
	vq_publish(self->q);
	self->began = thread_ns(self->worker);
	vq_kick(self->q);
	sleep_ms(20);
	everybody(_metadata, self, n);
	/* What is half done is undone, or taken up again; never both */
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, vmm_set_running(v, true));
		sleep_ms(15);
		SPENT(self, vmm_set_running(v, false));
	}
	goes_on(_metadata, self, n, 200000);
}

/* The device is stopped when a MAP has begun, and is not done */
static void half_a_map(struct __test_metadata *_metadata, SELF)
{
	ASSERT_EQ(0, big_ram(self));
	g_batch_add(self->v, BATCH_MAP, DOM, BIG_IOVA, self->size, BIG_GPA);
	vq_publish(self->q);
	vq_kick(self->q);
	sleep_ms(20);
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, used(self->q));
}

/* Half a MAP is in the ring when the device is reset */
TEST_F_TIMEOUT(stop, reset_amid_a_map, 120)
{
	struct vmm_stats s;
	struct vmm *v = self->v;

	half_a_map(_metadata, self);
	ASSERT_EQ(0, vmm_reset(v));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.mapped_bytes);
	EXPECT_EQ(0, s.table_pages);
	EXPECT_EQ(0, s.host_errors);
}

/* The guest, or another VMM, puts another request in the place of half a MAP */
TEST_F_TIMEOUT(stop, another_map_instead, 120)
{
	struct vmm_stats s;
	struct vmm *v = self->v;

	half_a_map(_metadata, self);
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(OK, g_map(v, DOM, BIG_IOVA, BIG_IOVA + MIB(1) - 1, RAM_GPA,
			    MAP_RW));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(1, s.mappings);
	EXPECT_EQ(MIB(1), s.mapped_bytes);
	EXPECT_ST(RANGE, g_unmap(v, DOM, BIG_IOVA, BIG_IOVA + PAGE - 1));
	EXPECT_ST(OK, g_unmap(v, DOM, BIG_IOVA, BIG_IOVA + self->size - 1));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.mapped_bytes);
	EXPECT_EQ(0, s.host_errors);
}

/* The last piece of a MAP is not guest RAM: nothing of it is mapped */
TEST_F_TIMEOUT(stop, end_is_not_ram, 120)
{
	struct vhost_iommu_mock_ctl ctl;
	struct vmm_stats s;
	struct vmm *v = self->v;

	ASSERT_EQ(0, big_ram(self));
	EXPECT_ST(INVAL, g_map(v, DOM, BIG_IOVA, BIG_IOVA + self->size +
			       PAGE - 1, BIG_GPA, MAP_RW));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.mapped_bytes);
	if (self->e.kind == DEV_MOCK) {
		ASSERT_EQ(0, mock_ctl(self->e.dev[0], &ctl));
		EXPECT_EQ(0, ctl.domain_bytes);
	}
	EXPECT_ST(OK, g_map(v, DOM, BIG_IOVA, BIG_IOVA + self->size - 1,
			    BIG_GPA, MAP_RW));
	EXPECT_ST(OK, g_unmap(v, DOM, 0, ~0ULL));
}

/* Memory is removed from the middle of a mapping of many pieces */
TEST_F_TIMEOUT(stop, remove_ram_of_a_large_map, 120)
{
	const __u64 at = MIB(10), len = MIB(16) + KIB(8);
	struct vmm_stats s;
	struct vmm *v = self->v;
	__u64 n = 0;

	ASSERT_EQ(0, big_ram(self));
	ASSERT_ST(OK, g_map(v, DOM, BIG_IOVA + PAGE, BIG_IOVA + self->size - 1,
			    BIG_GPA + PAGE, MAP_RW));
	ASSERT_EQ(0, vmm_remove_ram(v, BIG_GPA + at, BIG_GPA + at + len - 1,
				    &n));
	EXPECT_EQ(1, n);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(2, s.mappings);
	EXPECT_EQ(self->size - PAGE - len, s.mapped_bytes);
	EXPECT_EQ(0, s.host_errors);
	/* There is a hole now, and only there */
	EXPECT_ST(INVAL, g_map(v, DOM, BIG_IOVA + at - PAGE,
			       BIG_IOVA + at - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_map(v, DOM, BIG_IOVA + at, BIG_IOVA + at + len - 1,
			    BIG_GPA, MAP_RW));
	EXPECT_ST(INVAL, g_map(v, DOM, BIG_IOVA + at + len,
			       BIG_IOVA + at + len + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(OK, g_unmap(v, DOM, 0, ~0ULL));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.mapped_bytes);
	EXPECT_EQ(0, s.host_errors);
}

TEST_F_TIMEOUT(stop, prompt_unmaps, 240)
{
	const unsigned int n = self->e.kind == DEV_MOCK ? 3000 : 20000;
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 0; i < n; i++) {
		g_batch_add(v, BATCH_MAP, DOM, BIG_IOVA + i * PAGE, PAGE,
			    RAM_GPA + i % 1024 * PAGE);
		if (i % 100 == 99)
			ASSERT_ST(OK, g_batch_run(v, 100));
	}
	g_batch_add(v, BATCH_UNMAP, DOM, BIG_IOVA, n * PAGE, 0);
	vq_publish(self->q);
	self->began = thread_ns(self->worker);
	vq_kick(self->q);
	sleep_ms(10);
	everybody(_metadata, self, 1);
	goes_on(_metadata, self, 1, 100000);
}

/* A domain with many mappings loses its last endpoint */
TEST_F_TIMEOUT(stop, prompt_detach, 240)
{
	const unsigned int n = self->e.kind == DEV_MOCK ? 3000 : 20000;
	struct virtio_iommu_req_detach req = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = htole32(DOM),
		.endpoint = htole32(EP(0)),
	};
	const struct req r = {
		.out = &req,
		.out_len = offsetof(struct virtio_iommu_req_detach, tail),
		.in_len = sizeof(struct virtio_iommu_req_tail),
	};
	struct vmm_stats s;
	struct vmm *v = self->v;
	unsigned int i;
	void *in;

	for (i = 0; i < n; i++) {
		g_batch_add(v, BATCH_MAP, DOM, BIG_IOVA + i * PAGE, PAGE,
			    RAM_GPA + i % 1024 * PAGE);
		if (i % 100 == 99)
			ASSERT_ST(OK, g_batch_run(v, 100));
	}
	ASSERT_LE(0, req_add(v, &r, &in));
	vq_publish(self->q);
	self->began = thread_ns(self->worker);
	vq_kick(self->q);
	sleep_ms(10);
	SPENT(self, vmm_set_running(v, false));
	EXPECT_EQ(0, used(self->q));
	ASSERT_EQ(0, vmm_set_running(v, true));
	ASSERT_EQ(0, vq_wait(self->q, 1, 100000));
	vq_pop(self->q);
	EXPECT_EQ(OK, *(__u8 *)in);
	was_prompt(_metadata, self, thread_ns(self->worker) - self->began);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.domains);
	EXPECT_EQ(0, s.host_errors);
}

/*
 * Chains that go through each entry of the ring, and from each of them through a
 * table of 65,536 descriptors without any bytes.
 */
static void add_chains(SELF)
{
	struct vring_desc *t = ram_va(self->v, RAM_GPA);
	struct vq *q = self->q;
	unsigned int i;

	for (i = 0; i < 65536; i++)
		t[i] = (struct vring_desc){
			.addr = htole64(RAM_GPA + MIB(2)),
			.flags = htole16(i < 65535 ? VRING_DESC_F_NEXT : 0),
			.next = htole16(i + 1),
		};
	for (i = 0; i < q->num; i++)
		q->desc[i] = (struct vring_desc){
			.addr = htole64(RAM_GPA),
			.len = htole32(MIB(1)),
			.flags = htole16(VRING_DESC_F_INDIRECT |
					 (i + 1 < q->num ? VRING_DESC_F_NEXT :
					  0)),
			.next = htole16(i + 1),
		};
	for (i = 0; i < q->num; i++)
		vq_push_head(q, 0);
	vq_publish(q);
}

static __u64 this_thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/*
 * A ring of such chains costs what its chains may cost, and no more by being
 * stopped and started again: too little for a share of it to tell anything.
 */
static void ring_of_chains(struct __test_metadata *_metadata, SELF,
			   unsigned int vq)
{
	struct vmm *v = self->v;
	unsigned int try;

	for (try = 0; try < TRIES; try++) {
		__u64 kick;

		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(0, vmm_set_rings(v, 256));
		self->q = &v->vq[vq];
		self->longest = 0;
		ASSERT_EQ(0, vmm_set_running(v, true));
		add_chains(self);
		kick = this_thread_ns();
		vq_kick(self->q);
		spent_on(self, "the kick itself", this_thread_ns() - kick);
		SPENT(self, set_call(v));
		SPENT(self, vmm_set_running(v, false));
		if (self->longest / 1000000 < PROMPT)
			break;
	}
	was_prompt(_metadata, self, 0);
}

TEST_F_TIMEOUT(stop, prompt_chains, 240)
{
	struct vmm *v = self->v;
	struct vq *q = self->q;
	unsigned int i;

	ring_of_chains(_metadata, self, VHOST_IOMMU_VQ_REQUEST);
	ASSERT_EQ(0, vmm_set_running(v, true));
	ASSERT_EQ(0, vq_wait(q, q->num, 60000));
	for (i = 0; i < q->num; i++)
		EXPECT_EQ(0, vq_pop(q).len);
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
}

/* The event queue has chains, too */
TEST_F_TIMEOUT(stop, prompt_event_chains, 120)
{
	ring_of_chains(_metadata, self, VHOST_IOMMU_VQ_EVENT);
}

static void nothing(int sig)
{
}

static int catch_signals(void)
{
	struct sigaction sa = { .sa_handler = nothing };

	return sigaction(SIGALRM, &sa, NULL) ? -errno : 0;
}

/*
 * Make a call while signals come again and again, but not so often that there is
 * time for nothing else
 */
static int disturbed(struct vmm *v, unsigned long cmd, void *arg)
{
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, off = { };
	int rc;

	if (setitimer(ITIMER_REAL, &often, NULL))
		return -errno;
	rc = xioctl(v->fd, cmd, arg);
	return setitimer(ITIMER_REAL, &off, NULL) ? -errno : rc;
}

/* One page each, at consecutive addresses, of 4 MiB of RAM */
static int many_maps(SELF, unsigned int n)
{
	unsigned int i;
	int st = OK;

	for (i = 0; i < n && !st; i++) {
		g_batch_add(self->v, BATCH_MAP, DOM, BIG_IOVA + i * PAGE, PAGE,
			    RAM_GPA + i % 1024 * PAGE);
		if (i % 100 == 99)
			st = g_batch_run(self->v, 100);
	}
	return st;
}

/* A call that is made by another thread */
struct call {
	struct vmm *v;
	unsigned long cmd;
	void *arg;
	int rc;
};

static void *makes_call(void *arg)
{
	struct call *c = arg;

	c->rc = xioctl(c->v->fd, c->cmd, c->arg);
	return NULL;
}

/*
 * Make a call that is to be interrupted: a signal comes while the kernel waits for
 * the scratch area, amid the first piece of work
 */
static int interrupted(struct vmm *v, unsigned long cmd, void *arg)
{
	struct call c = { .v = v, .cmd = cmd, .arg = arg };
	char *page, zeroes[PAGE] = { };
	struct hold h = { .uffd = -1 };
	pthread_t t;
	int rc;

	rc = hold_over(&h, v->scratch, v->scratch_len);
	if (!rc)
		rc = -pthread_create(&t, NULL, makes_call, &c);
	if (rc)
		return rc;
	rc = hold_wait(&h, &page, 3000);
	if (!rc) {
		pthread_kill(t, SIGALRM);
		rc = hold_give(&h, page, zeroes);
	}
	/* Whatever else it touches comes at once */
	hold_close(&h);
	pthread_join(t, NULL);
	return rc ? rc : c.rc;
}

/* Interrupted, it says how far it came, and goes on from there */
TEST_F_TIMEOUT(stop, remove_ram_goes_on, 240)
{
	const unsigned int n = self->e.kind == DEV_MOCK ? 3000 : 20000;
	struct vhost_iommu_remove_ram a = {
		.size = sizeof(a), .start = RAM_GPA,
		.last = RAM_GPA + MIB(4) - 1,
	}, was;
	unsigned int again = 0;
	struct vmm *v = self->v;
	struct vmm_stats s;
	int rc;

	ASSERT_ST(OK, many_maps(self, n));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, catch_signals());
	for (;; again++) {
		was = a;
		/* The first time for sure, and then as it happens */
		if (again)
			rc = disturbed(v, VHOST_IOMMU_REMOVE_RAM, &a);
		else
			rc = interrupted(v, VHOST_IOMMU_REMOVE_RAM, &a);
		if (rc != -EINTR)
			break;
		/* Something was done each time, and it is told */
		EXPECT_NE(0, memcmp(&was, &a, sizeof(a)));
		EXPECT_GE(a.next_mappings, was.next_mappings);
		EXPECT_LE(a.next_mappings, n);
		EXPECT_EQ(was.start, a.start);
		EXPECT_EQ(was.last, a.last);
		EXPECT_EQ(0, vmm_stats(v, &s));
		EXPECT_EQ(n - a.next_mappings, s.mappings);
	}
	EXPECT_EQ(0, rc);
	EXPECT_GT(again, 0);
	EXPECT_EQ(n, a.next_mappings);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.mapped_bytes);
	EXPECT_EQ(0, s.host_errors);
	/* The next one begins anew */
	a.next_domain = 0;
	a.next_iova = 0;
	a.next_mappings = 0;
	EXPECT_EQ(0, xioctl(v->fd, VHOST_IOMMU_REMOVE_RAM, &a));
	EXPECT_EQ(0, a.next_mappings);
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(OK, g_map(v, DOM, BIG_IOVA, BIG_IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
}

/* A reset that was interrupted is no reset until it came to its end */
TEST_F_TIMEOUT(stop, reset_goes_on, 240)
{
	const unsigned int n = 2000;
	struct vmm *v = self->v;
	unsigned int i, round;
	struct vmm_stats s;

	/* Other endpoints come behind the device */
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, vmm_add_endpoint(v, EMU(i), NULL, -1, NULL, 0));
	ASSERT_EQ(0, catch_signals());
	for (round = 0; round < 4; round++) {
		struct vhost_iommu_reset a = { .size = sizeof(a) }, was;
		__u64 mappings = 1000;
		int rc = -EINTR;

		ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
		for (i = 0; i < n; i += 100)
			ASSERT_ST(OK, g_attach(v, DOM + 1, EMU(i)));
		ASSERT_ST(OK, many_maps(self, 1000));
		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(-EINTR, interrupted(v, VHOST_IOMMU_RESET, &a));
		EXPECT_EQ(0, a.next_failed);
		/* With what it said, or without */
		if (round & 1)
			a.next_endpoint = 0;
		while (rc == -EINTR) {
			ASSERT_EQ(0, vmm_set_rings(v, 256));
			EXPECT_EQ(-EBUSY, vmm_set_running(v, true));
			EXPECT_EQ(0, vmm_set_running(v, false));
			EXPECT_EQ(-EBUSY, vmm_add_endpoint(v, EMU(n), NULL, -1,
							   NULL, 0));
			EXPECT_EQ(-EBUSY, vmm_remove_endpoint(v, EMU(0)));
			EXPECT_EQ(-EBUSY, vmm_remove_ram(v, RAM_GPA, RAM_GPA +
							 PAGE - 1, NULL));
			EXPECT_EQ(-EBUSY, vmm_set_bypass(v, true));
			was = a;
			/* Mappings go first, then devices move */
			ASSERT_EQ(0, vmm_stats(v, &s));
			EXPECT_LE(s.mappings, mappings);
			mappings = s.mappings;
			rc = disturbed(v, VHOST_IOMMU_RESET, &a);
			ASSERT_EQ(0, vmm_stats(v, &s));
			if (rc == -EINTR && s.mappings == mappings)
				EXPECT_NE(was.next_endpoint, a.next_endpoint);
		}
		ASSERT_EQ(0, rc);
		ASSERT_EQ(0, vmm_stats(v, &s));
		EXPECT_EQ(0, s.domains);
		EXPECT_EQ(0, s.mappings);
		EXPECT_EQ(0, s.mapped_bytes);
		EXPECT_EQ(0, s.broken);
		EXPECT_EQ(0, s.host_errors);
		EXPECT_EQ(n + 1, s.endpoints);
		EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(0)));
		ASSERT_EQ(0, vmm_set_rings(v, 256));
		ASSERT_EQ(0, vmm_set_running(v, true));
	}
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_map(v, DOM, BIG_IOVA, BIG_IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
}

/* The worker of another process, by its name */
static pid_t worker_of(pid_t pid)
{
	char path[64], comm[32];
	pid_t tid = -ENOENT;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/comm", pid,
			 e->d_name);
		if (read_file(path, comm, sizeof(comm)) > 0 &&
		    !strncmp(comm, "vhost-", 6))
			tid = atoi(e->d_name);
	}
	if (d)
		closedir(d);
	return tid;
}

/* Ticks that a thread of another process has spent, or -1 when it is gone */
static long spent(pid_t pid, pid_t tid)
{
	unsigned long user, sys;
	char path[64], buf[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (read_file(path, buf, sizeof(buf)) <= 0)
		return -1;
	p = strrchr(buf, ')');
	if (!p || p[2] == 'X' || p[2] == 'Z' ||
	    sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &sys) != 2)
		return -1;
	return user + sys;
}

/* Ends when it is killed; says on @fd when its ring is full */
static void victim(SELF, int fd, bool chains)
{
	unsigned int i;

	env_down(&self->e);
	env_init(&self->e, self->e.kind);
	if (env_up(&self->e, 1) || g_attach(self->v, DOM, EP(0)))
		_exit(1);
	if (chains) {
		add_chains(self);
	} else {
		if (big_ram(self))
			_exit(1);
		for (i = 0; i < 64; i++)
			g_batch_add(self->v, i & 1 ? BATCH_UNMAP : BATCH_MAP,
				    DOM, BIG_IOVA, self->size, BIG_GPA);
		vq_publish(self->q);
	}
	if (write(fd, "", 1) != 1)
		_exit(1);
	for (;;)
		vq_kick(self->q);
}

/* What the worker of a process with a full ring spends after SIGKILL, in ms */
static void killed(struct __test_metadata *_metadata, SELF, bool chains, long *ms)
{
	long before, after, now;
	int fds[2], status;
	pid_t pid, worker;
	char c;

	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		victim(self, fds[1], chains);
	close(fds[1]);
	ASSERT_EQ(1, read(fds[0], &c, 1));
	close(fds[0]);
	sleep_ms(50);
	worker = worker_of(pid);
	ASSERT_GT(worker, 0);
	before = spent(pid, worker);
	ASSERT_GE(before, 0);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	for (after = before; (now = spent(pid, worker)) >= 0; after = now)
		sleep_ms(1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	*ms = (after - before) * 1000 / sysconf(_SC_CLK_TCK);
}

TEST_F_TIMEOUT(stop, prompt_kill, 240)
{
	unsigned int chains, try;

	/* The device is the child's */
	env_down(&self->e);
	for (chains = 0; chains < 2; chains++) {
		long ms = PROMPT;

		for (try = 0; try < TRIES && ms >= PROMPT; try++)
			killed(_metadata, self, chains, &ms);
		EXPECT_LT(ms, PROMPT)
			TH_LOG("%s: the worker spends %ld ms after that",
			       chains ? "chains" : "maps", ms);
	}
}

SUITE;
