// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table mode when the host's IOMMU fails: whom it concerns is told, nobody
 * else, and nothing is left behind that could be used.
 */
#include "suite.h"
#include "table.h"

#define DOM	1
#define ASID	7
#define LEAF	VIRTIO_IOMMU_INV_F_LEAF
#define C_PASID	VIRTIO_IOMMU_INV_C_PASID
#define C_TLB	VIRTIO_IOMMU_INV_C_TLB
#define FOREVER	(~0u)
#define LEN	64
#define COMMAND	VHOST_IOMMU_MOCK_INJECT_F_COMMAND
#define INV	VHOST_IOMMU_MOCK_INJECT_INVALIDATE
#define NESTED	VHOST_IOMMU_MOCK_INJECT_NESTED
#define DOMAIN	VHOST_IOMMU_MOCK_INJECT_DOMAIN
#define ATTACH	VHOST_IOMMU_MOCK_INJECT_ATTACH
#define OLD_GPA	(RAM_GPA + MIB(2))
#define NEW_GPA	(RAM_GPA + MIB(4))

FIXTURE(terr)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct s1 s;
};

KIND_VARIANTS(terr);
KIND_MOCK(terr);

#define SELF	FIXTURE_DATA(terr) *self

FIXTURE_SETUP(terr)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	self->d = self->e.dev[0];
	s1_usual(&self->s, self->v, 0, ASID);
	s1_map(&self->s, IOVA, OLD_GPA, PAGE, MAP_RW);
}

FIXTURE_TEARDOWN(terr)
{
	unsigned int i, k;

	for (i = 0; i < self->e.nr; i++)
		for (k = 0; k < VHOST_IOMMU_MOCK_NR_INJECT; k++)
			mock_inject(self->e.dev[i], k, 0, 0, 0, 0);
	env_down(&self->e);
}

static int attach(SELF)
{
	return g_attach_s1(self->v, DOM, EP(0), &self->s);
}

static int state(SELF)
{
	return vmm_ep_state(self->v, EP(0));
}

static struct vmm_stats stats(SELF)
{
	struct vmm_stats s;

	vmm_stats(self->v, &s);
	return s;
}

static bool reaches(SELF, __u64 iova)
{
	dev_load(self->d, iova, LEN);
	return self->d->status == VHOST_IOMMU_MOCK_DMA_OK;
}

/* Anything: what was mapped, and RAM untranslated */
static bool reaches_any(SELF)
{
	return reaches(self, IOVA) || reaches(self, LOW_GPA) ||
	       reaches(self, RAM_GPA);
}

static int arm(SELF, unsigned int point, __u32 skip, __u32 count, __u32 error,
	       __u32 flags)
{
	return mock_inject(self->d, point, skip, count, error, flags);
}

static int disarm(SELF, unsigned int point)
{
	return arm(self, point, 0, 0, 0, 0);
}

/* @n invalidations that do not touch; their statuses */
static int kick(SELF, unsigned int n, int *status)
{
	unsigned int i;

	cmds_mark(&self->e, self->d);
	for (i = 0; i < n; i++)
		g_inv_add(self->v, inv_range(DOM, ASID, IOVA + 2 * i * PAGE, 1,
					     12, LEAF));
	return g_batch_status(self->v, n, status);
}

/* Whether the IOMMU was given all that the guest was told is done */
static bool honest(SELF, unsigned int n, const int *status)
{
	struct trace_range r[512];
	unsigned int i, k, nr;

	nr = cmds_ranges(&self->e, self->d, r, ARRAY_SIZE(r));
	for (i = 0; i < n; i++) {
		if (status[i] == DEVERR)
			continue;
		for (k = 0; k < nr; k++)
			if (r[k].addr == IOVA + 2 * i * PAGE)
				break;
		if (status[i] != OK || k == nr) {
			ksft_print_msg("request %u: %s\n", i,
				       status_name(status[i]));
			return false;
		}
	}
	return true;
}

static unsigned int failed(unsigned int n, const int *status)
{
	unsigned int nr = 0;

	while (n--)
		nr += status[n] != OK;
	return nr;
}

/* No answer from the hardware: of none of the group it's known what it did */
TEST_F(terr, sync_times_out)
{
	unsigned int skip;
	int status[120];

	ASSERT_ST(OK, attach(self));
	ASSERT_EQ(0, arm(self, INV, 0, 1, ETIMEDOUT, 0));
	EXPECT_ST(DEVERR, g_inv(self->v, inv_range(DOM, ASID, IOVA, 1, 12,
						   LEAF)));
	EXPECT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, IOVA, 1, 12, LEAF)));
	ASSERT_EQ(0, arm(self, INV, 0, 1, ETIMEDOUT, 0));
	ASSERT_EQ(0, kick(self, 10, status));
	EXPECT_EQ(10, failed(10, status));
	EXPECT_TRUE(honest(self, 10, status));
	/* The second of two */
	for (skip = 0; skip < 2; skip++) {
		ASSERT_EQ(0, arm(self, INV, skip, 1, ETIMEDOUT, 0));
		ASSERT_EQ(0, kick(self, 120, status));
		EXPECT_GE(failed(120, status), 57);
		EXPECT_TRUE(honest(self, 120, status));
		ASSERT_EQ(0, disarm(self, INV));
		ASSERT_EQ(0, kick(self, 120, status));
		EXPECT_EQ(0, failed(120, status));
	}
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(self));
	EXPECT_EQ(4, stats(self).host_errors);
}

/* A command is refused, and not again: then nobody suffers */
TEST_F(terr, command_is_refused_once)
{
	unsigned int at;
	int status[120];

	ASSERT_ST(OK, attach(self));
	for (at = 0; at < 120; at += at < 4 || at > 58 ? 1 : 9) {
		ASSERT_EQ(0, arm(self, INV, at, 1, EIO, COMMAND));
		ASSERT_EQ(0, kick(self, 120, status));
		EXPECT_EQ(0, failed(120, status))
			TH_LOG("command %u", at);
		ASSERT_TRUE(honest(self, 120, status))
			TH_LOG("command %u", at);
	}
}

/* One is refused again when it is tried alone: it is the one that fails */
TEST_F(terr, command_is_refused)
{
	int status[100];

	ASSERT_ST(OK, attach(self));
	/* The second refusal is that of the first that is tried */
	ASSERT_EQ(0, arm(self, INV, 50, 2, EIO, COMMAND));
	ASSERT_EQ(0, kick(self, 100, status));
	EXPECT_ST(DEVERR, status[0]);
	EXPECT_EQ(1, failed(100, status));
	EXPECT_TRUE(honest(self, 100, status));
	/* And all of them */
	ASSERT_EQ(0, arm(self, INV, 0, FOREVER, EIO, COMMAND));
	ASSERT_EQ(0, kick(self, 20, status));
	EXPECT_EQ(20, failed(20, status));
	ASSERT_EQ(0, disarm(self, INV));
	ASSERT_EQ(0, kick(self, 20, status));
	EXPECT_EQ(0, failed(20, status));
}

/* A request that is guilty by itself, among others */
TEST_F(terr, guilty_request)
{
	struct vmm *v = self->v;
	unsigned int where;
	int status[5];
	struct s1 t;

	s1_usual(&t, v, 1, ASID + 1);
	ASSERT_ST(OK, attach(self));
	ASSERT_ST(OK, g_attach_s1(v, DOM + 1, EP(1), &t));
	/* Without its vDEVICE the host knows no endpoint to the descriptor */
	ASSERT_EQ(0, vmm_destroy(v, self->e.dev[1]->vdevice));
	self->e.dev[1]->table = false;
	for (where = 0; where < 5; where++) {
		unsigned int i;

		for (i = 0; i < 5; i++) {
			if (i == where)
				g_inv_add(v, inv_domain(DOM + 1, 3));
			else if (i % 2)
				g_inv_add(v, inv_domain(DOM, 3));
			else
				g_inv_add(v, inv_range(DOM, ASID, IOVA, 1, 12,
						       LEAF));
		}
		ASSERT_EQ(0, g_batch_status(v, 5, status));
		for (i = 0; i < 5; i++)
			EXPECT_ST(i == where ? DEVERR : OK, status[i]);
	}
}

/* Context descriptors, TLB and device: what fails first is not made up later */
TEST_F(terr, phases)
{
	struct vmm *v = self->v;
	char seq[64];

	ASSERT_ST(OK, attach(self));
	cmds_mark(&self->e, self->d);
	ASSERT_EQ(0, arm(self, INV, 0, 1, ETIMEDOUT, 0));
	EXPECT_ST(DEVERR, g_inv(v, inv_domain(DOM, 3)));
	/* The TLB may be cleared all the same, but no OK is told */
	cmds_seq(&self->e, self->d, seq, sizeof(seq));
	EXPECT_EQ(NULL, strchr(seq, 'c'))
		TH_LOG("%s", seq);
	ASSERT_EQ(0, arm(self, INV, 1, 1, ETIMEDOUT, 0));
	EXPECT_ST(DEVERR, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
}

/* Nothing that was there before changes if there is no table to go to */
TEST_F(terr, no_nested_table)
{
	static const int errors[][2] = {
		{ ENOMEM, NOMEM }, { EIO, DEVERR }, { EINVAL, -1 },
	};
	struct vmm *v = self->v;
	unsigned int i;
	int st;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(0, arm(self, NESTED, 0, 1, errors[i][0], 0));
		st = attach(self);
		EXPECT_TRUE(errors[i][1] < 0 ? st > OK && st < NO_STATUS :
			    st == errors[i][1])
			TH_LOG("%s: %s", strerror(errors[i][0]),
			       status_name(st));
		EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self));
		EXPECT_FALSE(reaches_any(self));
		EXPECT_EQ(0, stats(self).domains);
	}
	/* From a paging domain, and from a table domain */
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM + 1, IOVA, IOVA + PAGE - 1, OLD_GPA,
			    MAP_RW));
	ASSERT_EQ(0, arm(self, NESTED, 0, 1, ENOMEM, 0));
	EXPECT_ST(NOMEM, attach(self));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self));
	EXPECT_TRUE(reaches(self, IOVA));
	EXPECT_EQ(1, stats(self).domains);
	ASSERT_ST(OK, attach(self));
	ASSERT_EQ(0, arm(self, NESTED, 0, 1, ENOMEM, 0));
	EXPECT_ST(NOMEM, g_attach_table(v, DOM, EP(0), STE0_BYPASS, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(self));
	EXPECT_TRUE(reaches(self, IOVA));
	EXPECT_FALSE(reaches(self, LOW_GPA));
	ASSERT_EQ(0, arm(self, NESTED, 0, 1, ENOMEM, 0));
	EXPECT_ST(NOMEM, g_attach_table(v, DOM + 2, EP(0), STE0_BYPASS, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(self));
	EXPECT_EQ(1, stats(self).domains);
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
}

/* The table is there, but the device can't be moved: it's nowhere */
TEST_F(terr, attach_fails)
{
	struct vmm *v = self->v;
	unsigned int from, flag;

	for (from = 0; from < 3; from++)
		for (flag = 0; flag < 2; flag++) {
			if (from == 1) {
				ASSERT_ST(OK, g_attach(v, DOM + 1, EP(0)));
				ASSERT_ST(OK, g_map(v, DOM + 1, IOVA,
						    IOVA + PAGE - 1, OLD_GPA,
						    MAP_RW));
			} else if (from == 2) {
				ASSERT_ST(OK, g_attach_table(v, DOM + 1, EP(0),
							     STE0_BYPASS, 0));
			}
			ASSERT_EQ(0, arm(self, DOMAIN, 0, 1, EIO, flag));
			EXPECT_ST(DEVERR, attach(self));
			EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self));
			EXPECT_FALSE(reaches_any(self));
			EXPECT_EQ(0, stats(self).domains);
			EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
			ASSERT_ST(OK, attach(self));
			EXPECT_TRUE(reaches(self, IOVA));
			/* The same domain, another table */
			ASSERT_EQ(0, arm(self, DOMAIN, 0, 1, EIO, flag));
			EXPECT_ST(DEVERR, g_attach_table(v, DOM, EP(0),
							 STE0_BYPASS, 0));
			EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self));
			EXPECT_FALSE(reaches_any(self));
			EXPECT_EQ(0, stats(self).domains);
		}
}

/* Not even blocking works */
TEST_F(terr, broken)
{
	struct vmm *v = self->v;

	ASSERT_ST(OK, attach(self));
	EXPECT_TRUE(reaches(self, IOVA));
	ASSERT_EQ(0, arm(self, ATTACH, 0, FOREVER, EIO, 0));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, state(self));
	EXPECT_FALSE(reaches_any(self));
	EXPECT_ST(DEVERR, attach(self));
	EXPECT_ST(OK, g_attach_s1(v, DOM, EP(1), &self->s));
	ASSERT_EQ(0, disarm(self, ATTACH));
	/* It is tried again with each request, and by a reset */
	EXPECT_ST(OK, attach(self));
	EXPECT_TRUE(reaches(self, IOVA));
	ASSERT_EQ(0, arm(self, ATTACH, 0, FOREVER, EIO, 0));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, state(self));
	ASSERT_EQ(0, disarm(self, ATTACH));
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(0, vmm_reset(v));
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_start(v));
	EXPECT_ST(OK, attach(self));
	EXPECT_TRUE(reaches(self, IOVA));
}

/*
 * The end of a domain, and the IOMMU does not answer: the guest can't be told,
 * so its ASIDs must not be used again before they are gone.
 */
TEST_F(terr, flush_fails)
{
	struct vmm *v = self->v;
	struct s1 t;

	s1_usual(&t, v, 1, ASID);
	s1_map(&t, IOVA + PAGE, NEW_GPA, PAGE, MAP_RW);
	ASSERT_ST(OK, attach(self));
	EXPECT_TRUE(reaches(self, IOVA));
	ASSERT_EQ(0, arm(self, INV, 0, 3, ETIMEDOUT, 0));
	/* It is in no domain, but what the TLB has of that one may be there still */
	EXPECT_ST(DEVERR, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self));
	EXPECT_FALSE(reaches_any(self));
	/* Not yet, and not by another endpoint either */
	EXPECT_ST(DEVERR, g_attach_s1(v, DOM, EP(0), &t));
	EXPECT_ST(DEVERR, g_attach_s1(v, DOM + 1, EP(1), &t));
	EXPECT_FALSE(reaches_any(self));
	EXPECT_ST(OK, g_attach_s1(v, DOM, EP(0), &t));
	EXPECT_TRUE(reaches(self, IOVA + PAGE));
	EXPECT_FALSE(reaches(self, IOVA));
	/* To other tables in one step: they are not used before that, either */
	EXPECT_ST(OK, attach(self));
	EXPECT_TRUE(reaches(self, IOVA));
	ASSERT_EQ(0, arm(self, INV, 0, 1, ETIMEDOUT, 0));
	EXPECT_ST(DEVERR, g_attach_s1(v, DOM + 1, EP(0), &t));
	ASSERT_EQ(0, disarm(self, INV));
	EXPECT_ST(OK, g_attach_s1(v, DOM + 1, EP(0), &t));
	EXPECT_FALSE(reaches(self, IOVA));
	EXPECT_TRUE(reaches(self, IOVA + PAGE));
}

TEST_F(terr, reset_fails)
{
	struct vmm *v = self->v;

	ASSERT_ST(OK, attach(self));
	EXPECT_TRUE(reaches(self, IOVA));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, arm(self, INV, 0, 1, ETIMEDOUT, 0));
	EXPECT_EQ(-EIO, vmm_reset(v));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self));
	EXPECT_FALSE(reaches_any(self));
	EXPECT_EQ(0, vmm_reset(v));
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_start(v));
	ASSERT_ST(OK, attach(self));
	EXPECT_TRUE(reaches(self, IOVA));
}

TEST_F(terr, add_endpoint_fails)
{
	struct vmm *v = self->v;
	unsigned int point;

	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	for (point = 0; point < VHOST_IOMMU_MOCK_NR_INJECT; point++) {
		int rc;

		if (point != ATTACH && point != DOMAIN && point != NESTED)
			continue;
		ASSERT_EQ(0, arm(self, point, 0, FOREVER, ENOMEM, 0));
		rc = vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0);
		EXPECT_TRUE(rc == -ENOMEM || rc == -EIO)
			TH_LOG("point %u: %s", point, strerror(-rc));
		EXPECT_EQ(-ENOENT, state(self));
		EXPECT_FALSE(reaches_any(self));
		ASSERT_EQ(0, disarm(self, point));
	}
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(1)));
	/* Nothing holds the vIOMMU any more */
	EXPECT_EQ(0, vmm_remove_viommu(v));
	EXPECT_EQ(0, vmm_add_viommu(v, -1));
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	EXPECT_ST(OK, attach(self));
}

/* The nested tables of the past are gone, however they ended */
TEST_F(terr, nothing_is_left)
{
	struct vhost_iommu_mock_nest n;
	struct vmm *v = self->v;
	unsigned int i, before;

	ASSERT_EQ(0, mock_nest(self->d, &n));
	before = n.nested;
	for (i = 0; i < 50; i++) {
		attach(self);
		if (i % 3 == 0)
			arm(self, DOMAIN, 0, 1, EIO, i & 1);
		g_attach_table(v, DOM, EP(0), STE0_BYPASS, 0);
		if (i % 5 == 0)
			arm(self, NESTED, 0, 1, ENOMEM, 0);
		g_attach_table(v, DOM + 1, EP(0), STE0_ABORT, 0);
		disarm(self, NESTED);
		disarm(self, DOMAIN);
		g_detach(v, DOM, EP(0));
		g_detach(v, DOM + 1, EP(0));
		ASSERT_EQ(0, mock_nest(self->d, &n));
		ASSERT_EQ(before, n.nested)
			TH_LOG("round %u", i);
	}
}

SUITE;
