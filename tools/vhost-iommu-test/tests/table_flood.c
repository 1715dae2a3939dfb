// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two guests, of which one does what it can to hold up the other: faults and
 * invalidations as fast as possible. The SMMU and its queues are shared, so it
 * can't be without effect; but the other one's requests go on, and within
 * bounds. What was measured is printed.
 */
#include <pthread.h>

#include "suite.h"
#include "table.h"

#define DOM	1
#define NR	400
/*
 * No request takes longer than this, in milliseconds. An emulator that writes a
 * line for each fault has a disk to wait for, in which nothing goes on.
 */
#define LIMIT	(self->bad.trace.fd < 0 ? 2000 : REQ_TIMEOUT_MS)

FIXTURE(flood)
{
	/* The one that floods has a NIC, the other one an edu */
	struct env bad;
	struct env good;
	struct s1 bad_s;
	struct s1 good_s;
	bool stop;
	unsigned long done;
	int rc;
};

KIND_VARIANTS(flood);
KIND_IGB(flood);

#define SELF	FIXTURE_DATA(flood) *self

FIXTURE_SETUP(flood)
{
	env_init_table(&self->bad, variant->kind);
	ENV_UP(&self->bad, env_up(&self->bad, 1));
	env_init_table(&self->good, DEV_EDU);
	ENV_UP(&self->good, env_up(&self->good, 2));
	s1_usual(&self->bad_s, &self->bad.v, 0, 1);
	s1_map(&self->bad_s, IOVA, RAM_GPA + MIB(2), PAGE, MAP_R);
	ASSERT_ST(OK, g_attach_s1(&self->bad.v, DOM, EP(0), &self->bad_s));
	ASSERT_EQ(0, env_table_driver(&self->bad, 0, &self->bad_s));
	/* The other one has a domain of each kind */
	s1_usual(&self->good_s, &self->good.v, 0, 1);
	ASSERT_ST(OK, g_attach_s1(&self->good.v, DOM, EP(0), &self->good_s));
	ASSERT_ST(OK, g_attach(&self->good.v, DOM + 1, EP(1)));
}

FIXTURE_TEARDOWN(flood)
{
	env_down(&self->good);
	env_down(&self->bad);
}

/* Requests of the other guest, one by one; returns the longest in ms */
static int measure(SELF, const char *what)
{
	static __u64 ns[NR];
	struct vmm *v = &self->good.v;
	unsigned int i;
	__u64 start;
	int st;

	for (i = 0; i < NR; i++) {
		start = now_ns();
		switch (i % 3) {
		case 0:
			st = g_inv(v, inv_range(DOM, 1, IOVA, 1, 12, 1));
			break;
		case 1:
			st = g_map(v, DOM + 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
				   MAP_RW);
			break;
		default:
			st = g_unmap(v, DOM + 1, IOVA, IOVA + PAGE - 1);
		}
		ns[i] = now_ns() - start;
		if (st) {
			ksft_print_msg("%s: request %u: %s\n", what, i,
				       status_name(st));
			return -EIO;
		}
		/* Spread over what the other one does */
		if (!(i % 10))
			sleep_ms(2);
	}
	return print_times(what, ns, NR) / 1000000;
}

static void *fault(void *arg)
{
	FIXTURE_DATA(flood) *self = arg;
	struct virtio_iommu_fault_pasid f;
	struct vmm *v = &self->bad.v;
	unsigned int buffers = 0;

	while (!LOAD(&self->stop)) {
		/* A guest that reads them, now and then */
		if (self->done / 200 % 4 == 0) {
			while (!g_event(v, &f, 0))
				buffers--;
			g_events_post(v, 250 - buffers);
			buffers = 250;
		}
		self->rc = dev_flood(self->bad.dev[0], IOVA, MIB(96), 64, 200);
		if (self->rc)
			break;
		self->done += 200;
		if (self->bad.trace.fd >= 0)
			sleep_ms(5);
	}
	return NULL;
}

static void *invalidate(void *arg)
{
	FIXTURE_DATA(flood) *self = arg;
	struct vmm *v = &self->bad.v;
	unsigned int i;

	while (!LOAD(&self->stop)) {
		for (i = 0; i < 120; i++)
			g_inv_add(v, inv_range(DOM, 1, IOVA + 2 * i * PAGE, 1,
					       12, 1));
		self->rc = g_batch_run(v, 120);
		if (self->rc)
			break;
		self->done += 120;
	}
	return NULL;
}

static int under(SELF, void *(*flood)(void *), const char *what)
{
	pthread_t t;
	__u64 start;
	int ms;

	self->stop = false;
	self->done = 0;
	start = now_ns();
	if (pthread_create(&t, NULL, flood, self))
		return -EAGAIN;
	sleep_ms(20);
	ms = measure(self, what);
	STORE(&self->stop, true);
	pthread_join(t, NULL);
	ksft_print_msg("%lu in %llu ms\n", self->done,
		       (now_ns() - start) / 1000000);
	return self->rc ? -EIO : ms;
}

/*
 * Whether the SMMU has recorded that many faults since the mark, by its own
 * trace, of which there may be gigabytes
 */
static bool recorded(const struct trace *t, __u64 want)
{
	static const char word[] = "smmuv3_record_event";
	static char buf[65536 + sizeof(word)];
	off_t pos = t->pos;
	size_t keep = 0;
	__u64 n = 0;
	ssize_t got;
	char *p;

	while (n < want) {
		got = pread(t->fd, buf + keep, 65536, pos);
		if (got <= 0)
			return false;
		pos += got;
		got += keep;
		buf[got] = 0;
		for (p = buf; (p = strstr(p, word)); p++)
			n++;
		/* It may be cut in two */
		keep = (size_t)got < sizeof(word) - 2 ? got : sizeof(word) - 2;
		memmove(buf, buf + got - keep, keep);
	}
	return true;
}

TEST_F_TIMEOUT(flood, faults, 120)
{
	struct vmm_stats s;
	int ms;

	ms = measure(self, "alone");
	EXPECT_GE(ms, 0);
	trace_mark(&self->bad.trace);
	ms = under(self, fault, "with faults");
	EXPECT_GE(ms, 0);
	EXPECT_LT(ms, LIMIT);
	EXPECT_GT(self->done, 200);
	/*
	 * What the SMMU's own queue lost nobody has counted, but there can't be
	 * more than it has recorded. None is the other guest's.
	 */
	ASSERT_EQ(0, vmm_set_running(&self->bad.v, false));
	ASSERT_EQ(0, vmm_reset(&self->bad.v));
	ASSERT_EQ(0, vmm_stats(&self->bad.v, &s));
	ksft_print_msg("%llu events, %llu lost, %llu dropped\n", s.events,
		       s.events_lost, s.events_dropped);
	EXPECT_GT(s.events, 0);
	EXPECT_GT(s.events_lost, 0);
	if (self->bad.trace.fd >= 0)
		EXPECT_TRUE(recorded(&self->bad.trace, s.events +
				     s.events_lost +
				     s.events_dropped));
	ASSERT_EQ(0, vmm_stats(&self->good.v, &s));
	EXPECT_EQ(0, s.events + s.events_lost + s.events_dropped);
	/* And when it's over, it's over */
	ms = measure(self, "alone again");
	EXPECT_GE(ms, 0);
}

TEST_F_TIMEOUT(flood, invalidations, 120)
{
	int ms;

	ms = measure(self, "alone");
	EXPECT_GE(ms, 0);
	ms = under(self, invalidate, "with invalidations");
	EXPECT_GE(ms, 0);
	EXPECT_LT(ms, LIMIT);
	EXPECT_GT(self->done, 200);
}

SUITE;
