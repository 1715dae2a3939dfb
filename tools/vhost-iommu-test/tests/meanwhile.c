// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others do while the kernel is in the middle of a request or an event: it
 * waits for a page of guest memory, and goes on when the test lets it.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "suite.h"
#include "table.h"

#define DOM		1
#define HOLD_GPA	0x60000000ULL
#define CANARY		0x5a
#define SOON		3000

FIXTURE(meanwhile)
{
	struct env e;
	struct vmm *v;
	struct vq *q;
	struct hold h;
	char page[PAGE];
	unsigned int left;
	int rc;
};

#define SELF	FIXTURE_DATA(meanwhile) *self

FIXTURE_SETUP(meanwhile)
{
	self->v = &self->e.v;
	self->q = &self->v->vq[VHOST_IOMMU_VQ_REQUEST];
	self->h.uffd = -1;
	env_init(&self->e, DEV_NONE);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_EQ(0, hold_open(&self->h, self->v, HOLD_GPA, 2 * PAGE));
}

FIXTURE_TEARDOWN(meanwhile)
{
	hold_close(&self->h);
	env_down(&self->e);
}

/*
 * A driver on another processor: while the device reads one of the ring's two
 * requests, it adds the other once more, though that has not come back.
 */
static void *adds_more(void *arg)
{
	SELF = arg;
	struct vq *q = self->q;
	char *page;

	for (;; self->left--) {
		self->rc = hold_wait(&self->h, &page, SOON);
		if (self->rc)
			return NULL;
		if (self->left) {
			unsigned int other = page == self->h.va;

			hold_take(self->h.va + other * PAGE);
			vq_push_head(q, other);
			vq_publish(q);
		}
		self->rc = hold_give(&self->h, page, self->page);
		if (self->rc || !self->left)
			return NULL;
	}
}

/* The smallest ring, whose requests are in memory that is waited for */
static int smallest_ring(SELF, const void *req, __u32 len, __u64 tail_gpa)
{
	struct vmm *v = self->v;
	struct vq *q = self->q;
	unsigned int i;
	void *table;
	int rc;

	rc = vmm_set_running(v, false);
	rc = rc ? rc : vmm_set_rings(v, 2);
	rc = rc ? rc : vmm_start(v);
	if (rc)
		return rc;
	memcpy(self->page, req, len);
	for (i = 0; i < 2; i++) {
		struct seg s[] = {
			{ .gpa = HOLD_GPA + i * PAGE, .len = len },
			{ .gpa = tail_gpa, .len = 4, .write = true },
		};
		__u64 gpa;

		table = req_buf(v, 2 * sizeof(struct vring_desc), &gpa);
		vq_add_indirect(q, s, 2, table, gpa);
	}
	/* Only the first of them, for now */
	q->avail_idx = 1;
	return 0;
}

/* More requests come back than the ring has entries, and nothing beside it */
static void run(struct __test_metadata *_metadata, SELF, const void *req,
		__u32 len, int status)
{
	const unsigned int n = 300;
	struct vq *q = self->q;
	char *end, *tail;
	pthread_t thread;
	unsigned int i;
	__u64 gpa;

	tail = req_buf(self->v, 16, &gpa);
	tail[0] = (char)REQ_FILL;
	ASSERT_EQ(0, smallest_ring(self, req, len, gpa));
	end = (char *)&q->used->ring[q->num] + 2;
	memset(end, CANARY, KIB(4));
	self->left = n - 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, adds_more, self));
	vq_publish(q);
	vq_kick(q);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, self->rc);
	ASSERT_EQ(0, self->left);
	for (i = 0; i < SOON && le16toh(LOAD(&q->used->idx)) != n; i++)
		sleep_ms(1);
	EXPECT_EQ(n, le16toh(LOAD(&q->used->idx)));
	EXPECT_EQ(status, tail[0]);
	for (i = 0; i < 2; i++) {
		EXPECT_LT(le32toh(q->used->ring[i].id), 2);
		EXPECT_EQ(4, le32toh(q->used->ring[i].len));
	}
	EXPECT_TRUE(all_bytes(end, CANARY, KIB(4)));
}

TEST_F_TIMEOUT(meanwhile, ring_is_added_to, 60)
{
	struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = htole32(99),
		.virt_end = htole64(PAGE - 1),
	};

	run(_metadata, self, &req,
	    offsetof(struct virtio_iommu_req_unmap, tail), NOENT);
}

/* Those are for the worker */
TEST_F_TIMEOUT(meanwhile, ring_of_worker_is_added_to, 60)
{
	struct virtio_iommu_req_attach req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = htole32(99),
		.endpoint = htole32(99),
	};

	run(_metadata, self, &req,
	    offsetof(struct virtio_iommu_req_attach, tail), NOENT);
}

struct kicker {
	struct vq *q;
	int done;
};

static void *kicks(void *arg)
{
	struct kicker *k = arg;

	vq_kick(k->q);
	STORE(&k->done, 1);
	return NULL;
}

static void ignore(int sig)
{
}

static bool is_done(struct kicker *k, unsigned int ms)
{
	while (!LOAD(&k->done) && ms--)
		sleep_ms(1);
	return LOAD(&k->done);
}

/* A request, and its reply's place, in memory that is waited for */
static int add_held(SELF, bool request)
{
	struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = htole32(99),
		.virt_end = htole64(PAGE - 1),
	};
	struct seg s[] = {
		{ HOLD_GPA, offsetof(struct virtio_iommu_req_unmap, tail) },
		{ HOLD_GPA + PAGE, .len = 4, .write = true },
	};
	void *other;

	if (request) {
		memcpy(self->page, &req, sizeof(req));
		other = req_buf(self->v, 4, &s[1].gpa);
	} else {
		other = req_buf(self->v, sizeof(req), &s[0].gpa);
		memcpy(other, &req, sizeof(req));
	}
	vq_add(self->q, s, 2);
	vq_publish(self->q);
	return 0;
}

static int call_back(pthread_t t, struct kicker *k)
{
	sleep_ms(50);
	pthread_kill(t, SIGUSR1);
	return is_done(k, SOON) ? 0 : -ETIMEDOUT;
}

/*
 * A thread that kicks waits for no memory of the guest's. It may wait for the worker,
 * which does, and then can be called back.
 */
TEST_F(meanwhile, kicker_is_wanted)
{
	struct kicker a = { self->q }, b = { self->q };
	struct sigaction sa = { .sa_handler = ignore };
	struct vmm *v = self->v;
	struct vq *q = self->q;
	unsigned int i;
	pthread_t ta, tb;
	char *page;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	for (i = 0; i < 2; i++) {
		a.done = 0;
		b.done = 0;
		ASSERT_EQ(0, add_held(self, !i));
		ASSERT_EQ(0, pthread_create(&ta, NULL, kicks, &a));
		ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
		EXPECT_EQ(0, call_back(ta, &a));
		g_batch_add(v, BATCH_UNMAP, 99, 0, PAGE, 0);
		vq_publish(q);
		ASSERT_EQ(0, pthread_create(&tb, NULL, kicks, &b));
		EXPECT_EQ(0, call_back(tb, &b));
		EXPECT_EQ(0, vq_wait(q, 0, 0));
		/* Nothing is lost by that */
		ASSERT_EQ(0, hold_give(&self->h, page, self->page));
		EXPECT_EQ(0, vq_wait(q, 2, REQ_TIMEOUT_MS));
		pthread_join(ta, NULL);
		pthread_join(tb, NULL);
		vq_pop(q);
		vq_pop(q);
	}
}

/* A VMM with two request queues, and a page for replies that comes and goes */
struct other_memory {
	struct vmm v;
	struct hold h;
	char *page;
	char *instead;
	int rc;
	__u16 answered;
};

static int other_memory_open(struct other_memory *m)
{
	struct vmm *v = &m->v;
	struct ram *r;
	int rc;

	m->h.uffd = -1;
	vmm_init(v);
	vmm_propose_queues(v, 2);
	rc = vmm_prepare(v, false);
	rc = rc ?: vmm_add_ram(v, HOLD_GPA + MIB(1), PAGE);
	if (rc)
		return rc;
	r = &v->ram[v->nr_ram - 1];
	m->page = r->va;
	m->instead = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  r->memfd, 0);
	rc = m->instead == MAP_FAILED ? -errno : 0;
	/* The memory table as well */
	rc = rc ?: hold_open(&m->h, v, HOLD_GPA, PAGE);
	return rc ?: vmm_start(v);
}

/* The same memory is somewhere else, and nobody expects to be written to where it was */
static void *moves_memory(void *arg)
{
	struct other_memory *m = arg;
	struct vq *q = &m->v.vq[VHOST_IOMMU_VQ_REQUEST];
	struct ram *r = &m->v.ram[1];

	r->va = m->instead;
	m->rc = vmm_set_mem_table(&m->v);
	m->answered = le16toh(LOAD(&q->used->idx));
	memset(m->page, CANARY, PAGE);
	return NULL;
}

/*
 * The thread that kicks has carried out a request, and can't write the reply; the worker,
 * which is to do it, waits for other memory. Before the call returns that moves the
 * reply's place, it is written.
 */
TEST_F(meanwhile, reply_is_before_other_memory)
{
	const struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = htole32(99),
		.virt_end = htole64(PAGE - 1),
	};
	const __u32 len = offsetof(struct virtio_iommu_req_unmap, tail);
	struct seg held[] = { { HOLD_GPA, len }, { 0, 4, true } };
	struct seg away[] = { { 0, len }, { HOLD_GPA + MIB(1), 4, true } };
	struct other_memory m = {};
	struct vq *q0 = &m.v.vq[VHOST_IOMMU_VQ_REQUEST_NR(0)];
	struct vq *q1 = &m.v.vq[VHOST_IOMMU_VQ_REQUEST_NR(1)];
	char *page, copy[PAGE];
	pthread_t t;

	ASSERT_EQ(0, other_memory_open(&m));
	req_buf(&m.v, 4, &held[1].gpa);
	memcpy(req_buf(&m.v, sizeof(req), &away[0].gpa), &req, sizeof(req));
	vq_add(q1, held, 2);
	vq_publish(q1);
	vq_kick(q1);
	ASSERT_EQ(0, hold_wait(&m.h, &page, SOON));
	ASSERT_EQ(0, madvise(m.page, PAGE, MADV_DONTNEED));
	vq_add(q0, away, 2);
	vq_publish(q0);
	vq_kick(q0);
	EXPECT_EQ(-ETIMEDOUT, vq_wait(q0, 1, 50));
	ASSERT_EQ(0, pthread_create(&t, NULL, moves_memory, &m));
	sleep_ms(50);
	memset(copy, 0, sizeof(copy));
	memcpy(copy, &req, sizeof(req));
	ASSERT_EQ(0, hold_give(&m.h, page, copy));
	pthread_join(t, NULL);
	EXPECT_EQ(0, m.rc);
	EXPECT_EQ(1, m.answered);
	EXPECT_EQ(0, vq_wait(q0, 1, REQ_TIMEOUT_MS));
	EXPECT_EQ(0, vq_wait(q1, 1, REQ_TIMEOUT_MS));
	sleep_ms(20);
	EXPECT_TRUE(all_bytes(m.page, CANARY, PAGE));
	hold_close(&m.h);
	munmap(m.instead, PAGE);
	m.v.ram[1].va = m.page;
	vmm_close(&m.v);
}

/* The VMM, in the middle of a call that holds the device's state */
struct vmm_call {
	struct vmm *v;
	__u64 probe;
	int rc;
	int done;
};

static void *adds_endpoint(void *arg)
{
	struct vmm_call *c = arg;
	struct vhost_iommu_add_endpoint a = {
		.size = sizeof(a), .endpoint = EP(7), .device_fd = -1,
		.probe_len = 64, .probe_addr = c->probe,
	};

	c->rc = xioctl(c->v->fd, VHOST_IOMMU_ADD_ENDPOINT, &a);
	STORE(&c->done, 1);
	return NULL;
}

/* Whoever reads what is in /proc waits for nobody */
static int fdinfo_reads(struct vmm *v)
{
	struct vmm_stats s;
	char path[64], buf[KIB(8)];
	int status, i;
	pid_t pid;

	if (vmm_stats(v, &s))
		return -EIO;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", getpid(), v->fd);
	pid = fork();
	if (!pid)
		_exit(read_file(path, buf, sizeof(buf)) <= 0);
	for (i = 0; i < SOON; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && !WEXITSTATUS(status) ?
				0 : -EPROTO;
		sleep_ms(1);
	}
	kill(pid, SIGKILL);
	return -ETIMEDOUT;
}

TEST_F(meanwhile, fdinfo_never_waits)
{
	struct vmm_call c = { self->v };
	struct kicker a = { self->q };
	pthread_t t;
	char *page;

	/* A PROBE blob that does not come */
	c.probe = (__u64)(uintptr_t)self->h.va;
	ASSERT_EQ(0, pthread_create(&t, NULL, adds_endpoint, &c));
	ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
	EXPECT_EQ(0, fdinfo_reads(self->v));
	ASSERT_EQ(0, hold_give(&self->h, page, self->page));
	pthread_join(t, NULL);
	EXPECT_EQ(0, c.rc);
	ASSERT_EQ(0, hold_take(self->h.va));

	/* A reply that can't be written */
	ASSERT_EQ(0, add_held(self, false));
	ASSERT_EQ(0, pthread_create(&t, NULL, kicks, &a));
	ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
	EXPECT_EQ(0, fdinfo_reads(self->v));
	ASSERT_EQ(0, hold_give(&self->h, page, self->page));
	EXPECT_EQ(0, vq_wait(self->q, 1, REQ_TIMEOUT_MS));
	pthread_join(t, NULL);
}

/* The VMM is in the middle of a call when a guest's request is to be served */
TEST_F(meanwhile, kicker_is_called_back)
{
	struct sigaction sa = { .sa_handler = ignore };
	struct vmm_call c = { self->v };
	struct kicker a = { self->q };
	pthread_t t, ta;
	char *page;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	c.probe = (__u64)(uintptr_t)self->h.va;
	ASSERT_EQ(0, pthread_create(&t, NULL, adds_endpoint, &c));
	ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
	g_batch_add(self->v, BATCH_UNMAP, 99, 0, PAGE, 0);
	vq_publish(self->q);
	ASSERT_EQ(0, pthread_create(&ta, NULL, kicks, &a));
	EXPECT_EQ(0, call_back(ta, &a));
	EXPECT_FALSE(LOAD(&c.done));
	ASSERT_EQ(0, hold_give(&self->h, page, self->page));
	EXPECT_EQ(0, vq_wait(self->q, 1, REQ_TIMEOUT_MS));
	pthread_join(t, NULL);
	pthread_join(ta, NULL);
}

/* The same with a device: the scratch area is what does not come */
FIXTURE(meanwhile_dev)
{
	struct env e;
	struct vmm *v;
	struct vq *q;
	struct hold h;
};

KIND_VARIANTS(meanwhile_dev);
KIND_MOCK(meanwhile_dev);
KIND_EDU(meanwhile_dev);

FIXTURE_SETUP(meanwhile_dev)
{
	self->v = &self->e.v;
	self->q = &self->v->vq[VHOST_IOMMU_VQ_REQUEST];
	self->h.uffd = -1;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, false));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP(0), self->e.dev[0], -1, NULL,
				      0));
	ASSERT_EQ(0, vmm_start(self->v));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(meanwhile_dev)
{
	hold_close(&self->h);
	env_down(&self->e);
}

static void *adds_device(void *arg)
{
	FIXTURE_DATA(meanwhile_dev) *self = arg;

	return (void *)(long)vmm_add_endpoint(self->v, EP(1), self->e.dev[1],
					      -1, NULL, 0);
}

TEST_F(meanwhile_dev, scratch_is_waited_for)
{
	struct sigaction sa = { .sa_handler = ignore };
	struct kicker a = { self->q };
	char *page, zeroes[PAGE] = {};
	struct vmm *v = self->v;
	pthread_t t, ta;
	void *rc;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	/* It has a page of its own */
	ASSERT_EQ(0, hold_over(&self->h, v->scratch, v->scratch_len));
	ASSERT_EQ(0, pthread_create(&t, NULL, adds_device, self));
	ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
	EXPECT_EQ(0, fdinfo_reads(v));
	g_batch_add(v, BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA);
	vq_publish(self->q);
	ASSERT_EQ(0, pthread_create(&ta, NULL, kicks, &a));
	EXPECT_EQ(0, call_back(ta, &a));
	ASSERT_EQ(0, hold_give(&self->h, page, zeroes));
	EXPECT_EQ(0, vq_wait(self->q, 1, REQ_TIMEOUT_MS));
	pthread_join(t, &rc);
	EXPECT_EQ(0, (long)rc);
	pthread_join(ta, NULL);
	vq_pop(self->q);

	/* A thread that kicks does not begin with it */
	ASSERT_EQ(0, hold_take(v->scratch));
	a.done = 0;
	g_batch_add(v, BATCH_UNMAP, DOM, IOVA, PAGE, 0);
	vq_publish(self->q);
	ASSERT_EQ(0, pthread_create(&ta, NULL, kicks, &a));
	ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
	EXPECT_EQ(0, call_back(ta, &a));
	ASSERT_EQ(0, hold_give(&self->h, page, zeroes));
	EXPECT_EQ(0, vq_wait(self->q, 1, REQ_TIMEOUT_MS));
	pthread_join(ta, NULL);
	vq_pop(self->q);
	EXPECT_ST(NOENT, g_unmap(v, DOM + 1, 0, PAGE - 1));
}

FIXTURE(meanwhile_events)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct hold h;
	struct s1 s;
	pthread_t thread;
	int rc;
};

KIND_VARIANTS(meanwhile_events);
KIND_MOCK(meanwhile_events);

FIXTURE_SETUP(meanwhile_events)
{
	self->v = &self->e.v;
	self->h.uffd = -1;
	env_init_table(&self->e, variant->kind);
	self->v->depth = 30000;
	/* The fourth is behind another IOMMU */
	ENV_UP(&self->e, env_up(&self->e, 4));
	self->d = self->e.dev[0];
	s1_usual(&self->s, self->v, 0, 7);
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
	ASSERT_EQ(0, hold_open(&self->h, self->v, HOLD_GPA, PAGE));
}

FIXTURE_TEARDOWN(meanwhile_events)
{
	hold_close(&self->h);
	env_down(&self->e);
}

#undef SELF
#define SELF	FIXTURE_DATA(meanwhile_events) *self

/* An event whose buffer is in memory that is waited for, and more behind it */
static int let_worker_wait(SELF, char **page, __u32 more)
{
	const __u64 record[4] = { 0x10, 0, 0x1000, 0 };
	struct seg s = { .gpa = HOLD_GPA, .len = 24, .write = true };
	struct vq *q = &self->v->vq[VHOST_IOMMU_VQ_EVENT];
	int rc;

	vq_add(q, &s, 1);
	vq_publish(q);
	vq_kick(q);
	rc = mock_event(self->d, 1 + more, VHOST_IOMMU_MOCK_EVENT_F_SID,
			record);
	return rc ? rc : hold_wait(&self->h, page, SOON);
}

static void *removes_viommu(void *arg)
{
	SELF = arg;

	self->rc = vmm_remove_viommu(self->v);
	return NULL;
}

/* The VMM reads what is left */
static void drain(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char records[KIB(4)];

	while (poll(&p, 1, 0) == 1 && read(fd, records, sizeof(records)) > 0)
		;
}

/* There is more to do for the worker than it does at a time */
TEST_F_TIMEOUT(meanwhile_events, viommu_is_removed, 120)
{
	char *page, zeroes[PAGE] = {};
	struct vmm *v = self->v;
	unsigned int i, round;

	for (round = 0; round < (long_tests() ? 200 : 20); round++) {
		ASSERT_EQ(0, hold_take(self->h.va));
		ASSERT_EQ(0, let_worker_wait(self, &page, 1000));
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, vmm_remove_endpoint(v, EP(i)));
		ASSERT_EQ(0, pthread_create(&self->thread, NULL,
					    removes_viommu, self));
		/* It has to wait for the worker */
		sleep_ms(20);
		ASSERT_EQ(0, hold_give(&self->h, page, zeroes));
		pthread_join(self->thread, NULL);
		ASSERT_EQ(0, self->rc);
		/* The worker lives, and what the queue still has is nobody's */
		ASSERT_EQ(0, vmm_add_viommu(v, v->nest.event_fd));
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, vmm_add_endpoint(v, EP(i), self->e.dev[i],
						      -1, NULL, 0));
		ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
		drain(v->nest.event_fd);
	}
}

/* One buffer at a time, and two that wait for one */
TEST_F(meanwhile_events, two_iommus_wait_for_buffers)
{
	const __u64 record[4] = { 0x10, 0, 0x1000, 0 };
	struct virtio_iommu_fault_pasid f;
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_FALSE(v->vq[VHOST_IOMMU_VQ_EVENT].event_idx);
	ASSERT_EQ(0, mock_event(self->d, 8, VHOST_IOMMU_MOCK_EVENT_F_SID,
				record));
	for (i = 0; i < 8; i++) {
		g_events_post(v, 1);
		ASSERT_EQ(0, g_event(v, &f, SOON))
			TH_LOG("event %u does not come", i);
		EXPECT_EQ(EP(0), le32toh(f.endpoint));
		/* The other one is looked at, too */
		sleep_ms(10);
	}
}

/* What is told of an endpoint that is gone, is not told of the next one */
TEST_F(meanwhile_events, endpoint_is_replaced)
{
	const __u64 record[4] = { 0x10, 0, 0x1000, 0 };
	struct virtio_iommu_fault_pasid f;
	struct vmm_stats s;
	struct vmm *v = self->v;

	ASSERT_EQ(0, mock_event(self->d, 3, VHOST_IOMMU_MOCK_EVENT_F_SID,
				record));
	/* One of them has been read, and waits for a buffer */
	sleep_ms(20);
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(1)));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[1], -1, NULL, 0));
	g_events_post(v, 4);
	EXPECT_EQ(-ETIMEDOUT, g_event(v, &f, 200));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.events);
	EXPECT_EQ(3, s.events_dropped);
}

SUITE;
