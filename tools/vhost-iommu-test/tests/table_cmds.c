// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands that the SMMU sees for what a guest asks for: as few as can be,
 * waited for as seldom as can be, and never less than what was asked for. See
 * trace_cmds() for the letters.
 */
#include "suite.h"
#include "table.h"

#define DOM	1
#define ASID	0x123
#define LEAF	VIRTIO_IOMMU_INV_F_LEAF
/* Commands between two SYNCs, at most */
#define SYNC	63

FIXTURE(cmds)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct s1 s;
	char seq[4096];
	struct trace_range r[512];
	unsigned int nr;
	struct vmm_stats before;
};

KIND_VARIANTS(cmds);
KIND_MOCK(cmds);
KIND_EDU(cmds);

#define SELF	FIXTURE_DATA(cmds) *self

FIXTURE_SETUP(cmds)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	self->d = self->e.dev[0];
	if (!cmds_known(&self->e, self->d))
		SKIP(return, "there is no trace of the SMMU");
	if (!(self->v->nest.idr[3] & IDR3_RIL))
		SKIP(return, "the SMMU can't invalidate ranges");
	s1_usual(&self->s, self->v, 0, ASID);
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
}

FIXTURE_TEARDOWN(cmds)
{
	env_down(&self->e);
}

static const char *seq(SELF)
{
	return cmds_seq(&self->e, self->d, self->seq, sizeof(self->seq));
}

static void begin(SELF)
{
	cmds_mark(&self->e, self->d);
	vmm_stats(self->v, &self->before);
}

/* Looks at what came since begin(); checks that the counters say the same */
static bool look(SELF)
{
	struct vmm_stats after;
	unsigned int cmds = 0, syncs = 0;
	__u64 counted, calls;
	const char *p;

	self->nr = cmds_ranges(&self->e, self->d, self->r,
			       ARRAY_SIZE(self->r));
	seq(self);
	for (p = self->seq; *p; p++) {
		cmds += *p != 'S';
		syncs += *p == 'S';
	}
	vmm_stats(self->v, &after);
	counted = after.inv_commands - self->before.inv_commands;
	calls = after.inv_calls - self->before.inv_calls;
	if (counted == cmds && calls <= syncs && !calls == !cmds &&
	    after.host_errors == self->before.host_errors)
		return true;
	ksft_print_msg("%s: %llu commands in %llu arrays counted, %llu host errors\n",
		       self->seq, counted, calls, after.host_errors);
	return false;
}

/* One request, and the commands that it has to be */
static bool is(SELF, struct virtio_iommu_req_invalidate r, const char *want)
{
	int st;

	begin(self);
	st = g_inv(self->v, r);
	if (look(self) && st == OK && !strcmp(want, self->seq))
		return true;
	ksft_print_msg("%s: %s, not %s\n", status_name(st), self->seq, want);
	return false;
}

static bool range_is(SELF, unsigned int i, int asid, __u64 addr, __u64 len,
		     unsigned int tg, unsigned int ttl, bool leaf)
{
	const struct trace_range *r = &self->r[i];

	if (i < self->nr && r->asid == asid && r->addr == addr &&
	    r->len == len && r->tg == tg && r->ttl == ttl && r->leaf == leaf)
		return true;
	if (i < self->nr)
		ksft_print_msg("range %u: asid %d 0x%llx, 0x%llx bytes, tg %u, ttl %u, leaf %u\n",
			       i, r->asid, r->addr, r->len, r->tg, r->ttl,
			       r->leaf);
	else
		ksft_print_msg("there is no range %u\n", i);
	return false;
}

/* A request of one range, by pages of a size, as one command */
static bool one_range(SELF, __u64 iova, __u64 nr, __u8 page_size, __u16 flags,
		      unsigned int tg, unsigned int ttl)
{
	return is(self, inv_range(DOM, ASID, iova, nr, page_size, flags),
		  "VS") &&
	       range_is(self, 0, ASID, iova, nr << page_size, tg, ttl,
			flags & LEAF) && self->nr == 1;
}

TEST_F(cmds, one_command)
{
	/* A page, and as much as one command can be */
	EXPECT_TRUE(one_range(self, IOVA, 1, 12, LEAF, 1, 3));
	EXPECT_TRUE(one_range(self, IOVA, 2, 12, LEAF, 1, 3));
	EXPECT_TRUE(one_range(self, IOVA, 31, 12, LEAF, 1, 3));
	EXPECT_TRUE(one_range(self, IOVA + PAGE, 31, 12, LEAF, 1, 3));
	/* 1 MiB */
	EXPECT_TRUE(one_range(self, IOVA, 256, 12, LEAF, 1, 3));
	EXPECT_TRUE(one_range(self, IOVA, 256, 12, 0, 1, 0));
	/* A block, of which the TLB may have pages */
	EXPECT_TRUE(one_range(self, IOVA, 1, 21, LEAF, 1, 2));
	EXPECT_TRUE(one_range(self, IOVA, 1, 21, 0, 1, 0));
	EXPECT_TRUE(one_range(self, IOVA, 3, 21, LEAF, 1, 2));
	EXPECT_TRUE(one_range(self, GIB(4), 1, 30, LEAF, 1, 1));
	EXPECT_TRUE(one_range(self, GIB(4), 7, 30, LEAF, 1, 1));
	/* The other granules */
	if (self->v->nest.idr[5] & IDR5_GRAN16K) {
		EXPECT_TRUE(one_range(self, IOVA, 1, 14, LEAF, 2, 3));
		EXPECT_TRUE(one_range(self, MIB(32), 1, 25, LEAF, 2, 2));
	}
	if (self->v->nest.idr[5] & IDR5_GRAN64K) {
		EXPECT_TRUE(one_range(self, IOVA, 1, 16, LEAF, 3, 3));
		EXPECT_TRUE(one_range(self, MIB(512), 1, 29, LEAF, 3, 2));
		EXPECT_TRUE(one_range(self, MIB(512), 2, 29, 0, 3, 0));
	}
}

/* A single page needs a level in the command: without one, it is two pages */
TEST_F(cmds, page_without_a_level)
{
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, 0), "VS"));
	EXPECT_TRUE(range_is(self, 0, ASID, IOVA, 2 * PAGE, 1, 0, false));
	/* The last page there is has none behind it */
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, -PAGE, 1, 12, 0), "VS"));
	EXPECT_TRUE(range_is(self, 0, ASID, -2 * PAGE, 2 * PAGE, 1, 0, false));
	if (self->v->nest.idr[5] & IDR5_GRAN16K) {
		EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 14, 0),
			       "VS"));
		EXPECT_TRUE(range_is(self, 0, ASID, IOVA, 2 * KIB(16), 2, 0,
				     false));
	}
	if (self->v->nest.idr[5] & IDR5_GRAN64K) {
		EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 16, 0),
			       "VS"));
		EXPECT_TRUE(range_is(self, 0, ASID, IOVA, 2 * KIB(64), 3, 0,
				     false));
	}
}

TEST_F(cmds, wider)
{
	struct virtio_iommu_req_invalidate r;

	/* No page size of any granule: the ASID */
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 13, LEAF), "DS"));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 0, 0), "DS"));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, 0, 1, 63, 0), "DS"));
	EXPECT_TRUE(is(self, inv_asid(DOM, ASID), "DS"));
	/* Nor has it one */
	r = inv_range(DOM, 0, IOVA, 1, 13, 0);
	r.flags = 0;
	EXPECT_TRUE(is(self, r, "NS"));
	r = inv_asid(DOM, 0);
	r.flags = 0;
	EXPECT_TRUE(is(self, r, "NS"));
	EXPECT_TRUE(is(self, inv_domain(DOM, VIRTIO_IOMMU_INV_C_TLB), "NS"));
	/* Whatever the ASID, and global ones */
	r = inv_range(DOM, 0, IOVA, 4, 12, 0);
	r.flags = htole16(LEAF);
	EXPECT_TRUE(is(self, r, "AS"));
	EXPECT_TRUE(range_is(self, 0, -1, IOVA, 4 * PAGE, 1, 3, true));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 4, 12,
				       VIRTIO_IOMMU_INV_F_GLOBAL), "AS"));
	EXPECT_TRUE(range_is(self, 0, -1, IOVA, 4 * PAGE, 1, 0, false));
	/* All addresses that there are */
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, 0, 1ULL << 52, 12, LEAF),
		       "DS"));
}

/* A context descriptor is gone before the TLB can be filled by it again */
TEST_F(cmds, context_descriptors_first)
{
	struct virtio_iommu_req_invalidate r;

	EXPECT_TRUE(is(self, inv_domain(DOM, VIRTIO_IOMMU_INV_C_PASID), "cS"));
	EXPECT_TRUE(is(self, inv_domain(DOM, 3), "cSNS"));
	r = inv_asid(DOM, ASID);
	r.caches = VIRTIO_IOMMU_INV_C_PASID;
	EXPECT_TRUE(is(self, r, "CS"));
	r.caches = 3;
	EXPECT_TRUE(is(self, r, "CSDS"));
	/* Of each endpoint; the TLB is one */
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(1), &self->s));
	EXPECT_TRUE(is(self, r, "CCSDS"));
	EXPECT_TRUE(is(self, inv_domain(DOM, 3), "ccSNS"));
	ASSERT_ST(OK, g_detach(self->v, DOM, EP(1)));
	EXPECT_TRUE(is(self, r, "CSDS"));
	/* In any order in one kick */
	begin(self);
	g_inv_add(self->v, inv_range(DOM, ASID, IOVA, 1, 12, LEAF));
	g_inv_add(self->v, r);
	g_inv_add(self->v, inv_range(DOM, ASID + 1, IOVA, 1, 12, LEAF));
	ASSERT_ST(OK, g_batch_run(self->v, 3));
	EXPECT_TRUE(look(self));
	EXPECT_TRUE(!strcmp(self->seq, "CSDVS") ||
		    !strcmp(self->seq, "CSVDS"))
		TH_LOG("%s", self->seq);
}

/* A thread that does not run for longer than a pass lasts leaves the rest to another */
static bool was_split(SELF)
{
	struct vmm_stats after;

	return !vmm_stats(self->v, &after) &&
	       after.wakeups > self->before.wakeups + 1;
}

/* Adds @n requests with a distance in pages, runs them, at once if it can be, looks */
static bool burst(SELF, unsigned int n, unsigned int distance)
{
	unsigned int i, tries = 3;
	int st;

	do {
		begin(self);
		for (i = 0; i < n; i++)
			g_inv_add(self->v, inv_range(DOM, ASID, IOVA +
						     i * distance * PAGE, 1, 12,
						     LEAF));
		st = g_batch_run(self->v, n);
	} while (was_split(self) && --tries);
	if (st)
		ksft_print_msg("%s\n", status_name(st));
	return look(self) && !st;
}

static unsigned int count(SELF, char which)
{
	unsigned int n = 0;
	const char *p;

	for (p = self->seq; *p; p++)
		n += *p == which;
	return n;
}

/* So many requests that do not touch in one kick */
TEST_F(cmds, disjoint)
{
	static const unsigned int n[] = {
		2, 62, 63, 64, 65, 100, 126, 127, 128,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(n); i++) {
		EXPECT_TRUE(burst(self, n[i], 2));
		EXPECT_EQ(n[i], count(self, 'V'));
		EXPECT_EQ((n[i] + SYNC - 1) / SYNC, count(self, 'S'))
			TH_LOG("%u: %s", n[i], self->seq);
	}
}

TEST_F(cmds, adjacent)
{
	EXPECT_TRUE(burst(self, 64, 1));
	EXPECT_EQ(0, strcmp("VS", self->seq))
		TH_LOG("%s", self->seq);
	EXPECT_TRUE(range_is(self, 0, ASID, IOVA, KIB(256), 1, 3, true));
	/* The same again and again is once */
	EXPECT_TRUE(burst(self, 60, 0));
	EXPECT_EQ(0, strcmp("VS", self->seq))
		TH_LOG("%s", self->seq);
	EXPECT_TRUE(range_is(self, 0, ASID, IOVA, PAGE, 1, 3, true));
}

/* A kick with these requests is these commands */
#define KICK(want, ...) do {						\
	struct virtio_iommu_req_invalidate r[] = { __VA_ARGS__ };	\
	unsigned int k, tries = 3;					\
									\
	do {								\
		begin(self);						\
		for (k = 0; k < ARRAY_SIZE(r); k++)			\
			g_inv_add(self->v, r[k]);			\
		EXPECT_ST(OK, g_batch_run(self->v, ARRAY_SIZE(r)));	\
	} while (was_split(self) && --tries);				\
	EXPECT_TRUE(look(self));					\
	EXPECT_EQ(0, strcmp(want, self->seq))				\
		TH_LOG("%s, not %s", self->seq, want);			\
} while (0)

TEST_F(cmds, merged)
{
	/* Overlapping, one in the other, backwards */
	KICK("VS", inv_range(DOM, ASID, IOVA, 4, 12, LEAF),
	     inv_range(DOM, ASID, IOVA + 2 * PAGE, 6, 12, LEAF));
	EXPECT_TRUE(range_is(self, 0, ASID, IOVA, 8 * PAGE, 1, 3, true));
	KICK("VS", inv_range(DOM, ASID, IOVA, 8, 12, 0),
	     inv_range(DOM, ASID, IOVA + 2 * PAGE, 1, 12, 0),
	     inv_range(DOM, ASID, IOVA, 8, 12, 0));
	EXPECT_TRUE(range_is(self, 0, ASID, IOVA, 8 * PAGE, 1, 0, false));
	KICK("VS", inv_range(DOM, ASID, IOVA + 3 * PAGE, 1, 12, LEAF),
	     inv_range(DOM, ASID, IOVA + 2 * PAGE, 1, 12, LEAF),
	     inv_range(DOM, ASID, IOVA + PAGE, 1, 12, LEAF),
	     inv_range(DOM, ASID, IOVA, 1, 12, LEAF));
	EXPECT_TRUE(range_is(self, 0, ASID, IOVA, 4 * PAGE, 1, 3, true));
	/* What differs stays apart */
	KICK("VVS", inv_range(DOM, ASID, IOVA, 2, 12, LEAF),
	     inv_range(DOM, ASID, IOVA + 2 * PAGE, 2, 12, 0));
	KICK("VVS", inv_range(DOM, ASID, IOVA, 512, 12, LEAF),
	     inv_range(DOM, ASID, IOVA + MIB(2), 1, 21, LEAF));
	KICK("VVS", inv_range(DOM, ASID, IOVA, 2, 12, LEAF),
	     inv_range(DOM, ASID + 1, IOVA + 2 * PAGE, 2, 12, LEAF));
	/* What is wider covers the rest */
	KICK("DS", inv_range(DOM, ASID, IOVA, 2, 12, LEAF),
	     inv_asid(DOM, ASID),
	     inv_range(DOM, ASID, IOVA + MIB(1), 2, 12, LEAF));
	KICK("DVS", inv_range(DOM, ASID + 1, IOVA, 2, 12, LEAF),
	     inv_asid(DOM, ASID));
	KICK("NS", inv_range(DOM, ASID, IOVA, 2, 12, LEAF),
	     inv_asid(DOM, ASID + 1), inv_domain(DOM, VIRTIO_IOMMU_INV_C_TLB),
	     inv_range(DOM, ASID, IOVA + MIB(1), 2, 12, LEAF));
}

/* The nesting parent is one for all domains, and so is the TLB */
TEST_F(cmds, domains_share_a_sync)
{
	struct s1 t;

	s1_usual(&t, self->v, 1, ASID + 1);
	ASSERT_ST(OK, g_attach_s1(self->v, DOM + 1, EP(1), &t));
	KICK("VVS", inv_range(DOM, ASID, IOVA, 1, 12, LEAF),
	     inv_range(DOM + 1, ASID + 1, IOVA, 1, 12, LEAF));
	KICK("ccSNS", inv_domain(DOM, 3), inv_domain(DOM + 1, 3));
}

/* Nothing overtakes a request of another kind */
TEST_F(cmds, other_requests_between)
{
	struct virtio_iommu_req_attach attach = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = htole32(DOM + 1), .endpoint = htole32(EP(1)),
	};
	struct req q = {
		.out = &attach, .out_len = sizeof(attach) - 4, .in_len = 4,
	};
	const char *p;
	int status[3];

	begin(self);
	g_inv_add(self->v, inv_range(DOM, ASID, IOVA, 1, 12, LEAF));
	req_add(self->v, &q, NULL);
	g_inv_add(self->v, inv_range(DOM, ASID, IOVA + PAGE, 1, 12, LEAF));
	ASSERT_EQ(0, g_batch_status(self->v, 3, status));
	EXPECT_ST(OK, status[0]);
	EXPECT_ST(OK, status[1]);
	EXPECT_ST(OK, status[2]);
	seq(self);
	/* First one, complete; then the stream table; then the other */
	EXPECT_EQ(0, strncmp("VS", self->seq, 2))
		TH_LOG("%s", self->seq);
	p = self->d->kind == DEV_MOCK ? self->seq + 2 :
	    strrchr(self->seq, 'E');
	EXPECT_EQ(2, count(self, 'V'));
	EXPECT_TRUE(p && strstr(p, "VS"))
		TH_LOG("%s", self->seq);
	/* One that is wrong between two that are right does not part them */
	begin(self);
	g_inv_add(self->v, inv_range(DOM, ASID, IOVA, 1, 12, LEAF));
	g_inv_add(self->v, inv_domain(DOM + 7, 3));
	g_inv_add(self->v, inv_range(DOM, ASID, IOVA + MIB(1), 1, 12, LEAF));
	ASSERT_EQ(0, g_batch_status(self->v, 3, status));
	EXPECT_ST(OK, status[0]);
	EXPECT_ST(NOENT, status[1]);
	EXPECT_ST(OK, status[2]);
	EXPECT_TRUE(look(self));
	EXPECT_EQ(0, strcmp("VVS", self->seq))
		TH_LOG("%s", self->seq);
}

/* The reply comes when the hardware has synced, not before */
TEST_F(cmds, complete_when_answered)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		begin(self);
		ASSERT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, IOVA, 1, 12,
						       LEAF)));
		ASSERT_EQ(0, strcmp("VS", seq(self)))
			TH_LOG("%u: %s", i, self->seq);
	}
}

/* The last endpoint takes the domain's ASIDs with it, whatever ends it */
TEST_F(cmds, flush_at_the_end)
{
	struct vmm *v = self->v;
	unsigned int how;
	const char *p;
	struct s1 t;

	s1_usual(&t, v, 1, ASID + 1);
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(1), &self->s));
	begin(self);
	ASSERT_ST(OK, g_detach(v, DOM, EP(1)));
	EXPECT_EQ(NULL, strchr(seq(self), 'N'));
	for (how = 0; how < 5; how++) {
		begin(self);
		switch (how) {
		case 0:
			ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
			break;
		case 1:
			ASSERT_ST(OK, g_attach(v, DOM + 1, EP(0)));
			break;
		case 2:
			ASSERT_ST(OK, g_attach_table(v, DOM + 1, EP(0),
						     STE0_BYPASS, 0));
			break;
		case 3:
			/* The same domain, and its end all the same */
			ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &t));
			break;
		default:
			ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
		}
		seq(self);
		/* First the stream table entry, complete; then the TLB */
		p = self->seq;
		if (self->d->kind != DEV_MOCK) {
			p = strrchr(p, 'E');
			p = p ? strchr(p, 'S') : NULL;
		}
		EXPECT_TRUE(p && strstr(p, "NS"))
			TH_LOG("%u: %s", how, self->seq);
		if (how == 4)
			break;
		g_detach(v, DOM, EP(0));
		g_detach(v, DOM + 1, EP(0));
		ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	}
}

/*
 * Any requests in one kick: each page that was asked for is in a command, and
 * hardly any that was not.
 */
#define WINDOW	4096

static void mark_pages(__u8 *map, __u64 addr, __u64 len, __u8 bit)
{
	__u64 first = (addr - IOVA) / PAGE, n = len / PAGE;

	while (n--)
		if (first < WINDOW)
			map[first++] |= bit;
}

TEST_F_TIMEOUT(cmds, random_ranges, 120)
{
	unsigned int rounds = long_tests() ? 2000 : 200, round, i, n;
	const char *env = getenv("VHOST_IOMMU_TEST_SEED");
	__u64 seed = env ? strtoull(env, NULL, 0) : now_ns(), iova, nr;
	__u8 map[WINDOW];

	ksft_print_msg("VHOST_IOMMU_TEST_SEED=%llu\n", seed);
	for (round = 0; round < rounds; round++) {
		bool two = false;

		memset(map, 0, sizeof(map));
		n = 1 + rand64(&seed) % 20;
		begin(self);
		for (i = 0; i < n; i++) {
			__u16 flags = rand64(&seed) % 2 ? LEAF : 0;
			__u8 size = rand64(&seed) % 8 ? 12 : 21;

			nr = 1 + rand64(&seed) % (rand64(&seed) % 4 ? 8 : 700);
			if (size == 21)
				nr = 1;
			iova = rand64(&seed) % (WINDOW - 1024);
			if (size == 21)
				iova &= ~511ULL;
			iova = IOVA + iova * PAGE;
			mark_pages(map, iova, nr << size, 1);
			two |= !flags;
			g_inv_add(self->v, inv_range(DOM, ASID, iova, nr, size,
						     flags));
		}
		ASSERT_ST(OK, g_batch_run(self->v, n));
		ASSERT_TRUE(look(self));
		ASSERT_LT(self->nr, ARRAY_SIZE(self->r));
		for (i = 0; i < self->nr; i++) {
			ASSERT_EQ(ASID, self->r[i].asid);
			mark_pages(map, self->r[i].addr, self->r[i].len, 2);
		}
		for (i = 0; i < WINDOW; i++) {
			ASSERT_NE(1, map[i])
				TH_LOG("round %u: page %u is left out", round,
				       i);
			/* One more, if there was no level for a single one */
			if (map[i] == 2)
				ASSERT_TRUE(two && i &&
					    (map[i - 1] == 3 ||
					     map[i + 1] == 3))
					TH_LOG("round %u: page %u is too much",
					       round, i);
		}
		ASSERT_EQ((count(self, 'V') + SYNC - 1) / SYNC,
			  count(self, 'S'));
		/* A range is a few commands, however odd it is */
		ASSERT_LE(count(self, 'V'), 3 * n);
	}
}

SUITE;
