// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who serves the request queue: the thread that kicks does it at once, before
 * its write() to the eventfd returns; what may take long, and kicks of others,
 * are left to the worker.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "suite.h"

#define DOM	1

FIXTURE(kick)
{
	struct env e;
	struct vmm *v;
	struct vq *q;
};

FIXTURE_SETUP(kick)
{
	self->v = &self->e.v;
	self->q = &self->v->vq[VHOST_IOMMU_VQ_REQUEST];
	env_init(&self->e, DEV_NONE);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
	/* Waits for the ring, until the worker has had its last look at it */
	vq_kick(self->q);
}

FIXTURE_TEARDOWN(kick)
{
	env_down(&self->e);
}

/* Requests that threads which kicked have served so far */
static __u64 in_place(struct vmm *v)
{
	struct vmm_stats s;

	return vmm_stats(v, &s) ? ~0ULL : s.in_place;
}

static __u16 used(struct vq *q)
{
	return le16toh(LOAD(&q->used->idx)) - q->used_idx;
}

static int map(struct vmm *v, __u64 iova, __u64 len)
{
	return g_batch_add(v, BATCH_MAP, DOM, iova, len, RAM_GPA);
}

/* Take replies; returns how many of them are not OK */
static unsigned int errors(struct vmm *v, unsigned int n)
{
	unsigned int i, bad = 0;
	int status[256];

	if (n > ARRAY_SIZE(status) || g_batch_status(v, n, status))
		return ~0;
	for (i = 0; i < n; i++)
		bad += status[i] != VIRTIO_IOMMU_S_OK;
	return bad;
}

/* Nobody is waited for: the reply is there when write() returns */
TEST_F(kick, is_served_in_place)
{
	__u64 before = in_place(self->v);
	unsigned int i;

	for (i = 0; i < 100; i++) {
		ASSERT_LE(0, g_batch_add(self->v, i & 1 ? BATCH_UNMAP :
					 BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA));
		vq_publish(self->q);
		vq_kick(self->q);
		ASSERT_EQ(1, used(self->q));
		EXPECT_EQ(0, errors(self->v, 1));
	}
	EXPECT_EQ(before + 100, in_place(self->v));
}

TEST_F(kick, bad_requests_are_served_in_place)
{
	__u64 before = in_place(self->v);
	struct seg s = { .gpa = NOT_RAM_GPA, .len = 4 };

	/* Not aligned */
	EXPECT_ST(RANGE, g_map(self->v, DOM, IOVA, IOVA + 1, RAM_GPA, MAP_RW));
	EXPECT_EQ(before + 1, in_place(self->v));
	vq_add(self->q, &s, 1);
	vq_publish(self->q);
	vq_kick(self->q);
	ASSERT_EQ(1, used(self->q));
	EXPECT_EQ(0, vq_pop(self->q).len);
}

/* Another process can't reach the owner's memory */
TEST_F(kick, of_another_process)
{
	__u64 before = in_place(self->v);
	int status;
	pid_t pid;

	ASSERT_LE(0, map(self->v, IOVA, PAGE));
	vq_publish(self->q);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		vq_kick(self->q);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, vq_wait(self->q, 1, REQ_TIMEOUT_MS));
	EXPECT_EQ(0, errors(self->v, 1));
	EXPECT_EQ(before, in_place(self->v));
}

/* In order, whoever does it, and all by one kick */
TEST_F(kick, long_requests_go_to_the_worker)
{
	__u64 before = in_place(self->v);

	ASSERT_LE(0, map(self->v, IOVA, PAGE));
	ASSERT_LE(0, map(self->v, IOVA + MIB(2), MIB(2)));
	ASSERT_LE(0, map(self->v, IOVA + MIB(4), MIB(2) + PAGE));
	ASSERT_LE(0, map(self->v, IOVA + MIB(8), PAGE));
	ASSERT_LE(0, g_batch_add(self->v, BATCH_UNMAP, DOM, IOVA, MIB(16), 0));
	vq_publish(self->q);
	vq_kick(self->q);
	ASSERT_EQ(0, vq_wait(self->q, 5, REQ_TIMEOUT_MS));
	EXPECT_EQ(0, errors(self->v, 5));
	EXPECT_EQ(before + 2, in_place(self->v));
}

TEST_F(kick, attach_and_probe_go_to_the_worker)
{
	__u64 before = in_place(self->v);
	__u8 props[512];

	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
	EXPECT_ST(OK, g_probe(self->v, EP(0), props, sizeof(props)));
	EXPECT_EQ(before, in_place(self->v));
}

/* No more than a pass holds is done in place; the rest is not forgotten */
TEST_F(kick, full_ring)
{
	unsigned int i, n = self->q->num / 4;

	for (i = 0; i < n; i++)
		ASSERT_LE(0, map(self->v, IOVA + i * PAGE, PAGE));
	vq_publish(self->q);
	vq_kick(self->q);
	ASSERT_EQ(0, vq_wait(self->q, n, REQ_TIMEOUT_MS));
	EXPECT_EQ(0, errors(self->v, n));
}

static void nothing(int sig)
{
}

/* A thread that is wanted elsewhere leaves requests behind, to the worker */
TEST_F(kick, signal_while_serving)
{
	struct itimerval off = {}, often = { { 0, 300 }, { 0, 300 } };
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	unsigned int i, j, n = self->q->num / 4;
	__u64 before = in_place(self->v), served;

	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	for (j = 0; j < 40; j++) {
		for (i = 0; i < n; i++)
			ASSERT_LE(0, g_batch_add(self->v, j & 1 ? BATCH_UNMAP :
						 BATCH_MAP, DOM,
						 IOVA + i * PAGE, PAGE,
						 RAM_GPA));
		EXPECT_EQ(0, errors(self->v, n));
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &off, NULL));
	served = in_place(self->v) - before;
	EXPECT_GT(served, 0);
	EXPECT_LT(served, 40 * n);
}

static void *kicks(void *arg)
{
	struct vq *q = arg;
	__u64 end = now_ns() + 500000000ULL;

	while (now_ns() < end)
		vq_kick(q);
	return NULL;
}

/* Several that kick at a time: one serves, and no request is left behind */
TEST_F(kick, of_several_threads)
{
	pthread_t t[3];
	unsigned int i, n = 0;
	__u64 end;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, kicks, self->q));
	for (end = now_ns() + 400000000ULL; now_ns() < end; n++) {
		EXPECT_ST(OK, g_map(self->v, DOM, IOVA, IOVA + PAGE - 1,
				    RAM_GPA, MAP_RW));
		EXPECT_ST(OK, g_unmap(self->v, DOM, IOVA, IOVA + PAGE - 1));
	}
	for (i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	EXPECT_GT(n, 0);
}

/* The file is closed under a thread that may be about to serve the queue */
TEST_F(kick, file_is_closed_meanwhile)
{
	struct vq q = *self->q;
	unsigned int i;
	pthread_t t;

	q.kick = dup(q.kick);
	ASSERT_GE(q.kick, 0);
	ASSERT_EQ(0, pthread_create(&t, NULL, kicks, &q));
	for (i = 0; i < 20; i++) {
		env_down(&self->e);
		env_init(&self->e, DEV_NONE);
		ASSERT_EQ(0, env_up(&self->e, 1));
	}
	pthread_join(t, NULL);
	close(q.kick);
}

/* Whoever kicks is killed at any moment */
TEST_F(kick, kicker_is_killed)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		pid_t pid = vfork();
		int status;

		ASSERT_GE(pid, 0);
		if (!pid) {
			ualarm(200 + 100 * i, 0);
			for (;;)
				vq_kick(self->q);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		ASSERT_ST(OK, g_map(self->v, DOM, IOVA, IOVA + PAGE - 1,
				    RAM_GPA, MAP_RW));
		ASSERT_ST(OK, g_unmap(self->v, DOM, IOVA, IOVA + PAGE - 1));
	}
}

SUITE;
