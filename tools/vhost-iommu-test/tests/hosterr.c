// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's IOMMU fails: every failure ends blocked, never open. The mock
 * fails where it is told to.
 */
#include <pthread.h>

#include "suite.h"

#define DOM	1
#define FOREVER	(~0u)
#define ATTACH	VHOST_IOMMU_MOCK_INJECT_ATTACH
#define DOMAIN	VHOST_IOMMU_MOCK_INJECT_DOMAIN
#define MAPOP	VHOST_IOMMU_MOCK_INJECT_MAP
#define ALLOC	VHOST_IOMMU_MOCK_INJECT_ALLOC

FIXTURE(hosterr)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
};

KIND_VARIANTS(hosterr);
KIND_MOCK(hosterr);

FIXTURE_SETUP(hosterr)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	self->d = self->e.dev[0];
}

FIXTURE_TEARDOWN(hosterr)
{
	unsigned int i, k;

	for (i = 0; i < self->e.nr; i++)
		for (k = 0; k < VHOST_IOMMU_MOCK_NR_INJECT; k++)
			mock_inject(self->e.dev[i], k, 0, 0, 0, 0);
	env_down(&self->e);
}

static int state(struct vmm *v)
{
	return vmm_ep_state(v, EP(0));
}

static struct vmm_stats stats(struct vmm *v)
{
	struct vmm_stats s;

	vmm_stats(v, &s);
	return s;
}

static int disarm(struct dma_dev *d, unsigned int point)
{
	return mock_inject(d, point, 0, 0, 0, 0);
}

/* Whether the device reaches anything that a test has mapped, or RAM */
static bool reaches(struct dma_dev *d)
{
	static const __u64 at[] = { IOVA, IOVA + MIB(2), LOW_GPA, RAM_GPA };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		dev_load(d, at[i], 64);
		if (d->status == VHOST_IOMMU_MOCK_DMA_OK)
			return true;
	}
	return false;
}

static int map_one(struct vmm *v, __u32 dom)
{
	return g_map(v, dom, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW);
}

static void *disarm_soon(void *arg)
{
	sleep_ms(50);
	disarm(arg, ATTACH);
	return NULL;
}

/* A PCI reset that goes by */
TEST_F(hosterr, attach_busy_for_a_while)
{
	pthread_t t;

	ASSERT_EQ(0, mock_inject(self->d, ATTACH, 0, FOREVER, EBUSY, 0));
	ASSERT_EQ(0, pthread_create(&t, NULL, disarm_soon, self->d));
	EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
	pthread_join(t, NULL);
	EXPECT_ST(OK, map_one(self->v, DOM));
	EXPECT_TRUE(reaches(self->d));
}

/* One that does not: an answer comes all the same */
TEST_F(hosterr, attach_busy_for_ever)
{
	struct vhost_iommu_mock_ctl ctl;
	__u64 start, took;

	ASSERT_EQ(0, mock_inject(self->d, ATTACH, 0, FOREVER, EBUSY, 0));
	start = now_ns();
	EXPECT_ST(DEVERR, g_attach(self->v, DOM, EP(0)));
	took = (now_ns() - start) / 1000000;
	EXPECT_GE(took, 80);
	EXPECT_LT(took, 3000);
	ASSERT_EQ(0, mock_ctl(self->d, &ctl));
	EXPECT_GT(ctl.injected, 3);
	EXPECT_FALSE(reaches(self->d));
	EXPECT_GE(stats(self->v).host_errors, 1);
	EXPECT_EQ(0, stats(self->v).domains);
}

TEST_F(hosterr, attach_fails_once)
{
	static const int errors[] = { EIO, ENOMEM, EINVAL, ENODEV, EPERM };
	unsigned int i, flag;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		for (flag = 0; flag < 2; flag++) {
			int st;

			ASSERT_EQ(0, mock_inject(self->d, DOMAIN, 0, 1,
						 errors[i], flag));
			st = g_attach(self->v, DOM, EP(0));
			EXPECT_TRUE(st > OK && st < NO_STATUS)
				TH_LOG("%s: %s", strerror(errors[i]),
				       status_name(st));
			EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v));
			EXPECT_FALSE(reaches(self->d));
			EXPECT_EQ(0, stats(self->v).domains);
			EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
			EXPECT_ST(OK, map_one(self->v, DOM));
			EXPECT_TRUE(reaches(self->d));
			EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
			EXPECT_FALSE(reaches(self->d));
		}
}

/* From one domain to another, and it fails: it's in none of them */
TEST_F(hosterr, move_fails)
{
	unsigned int flag;

	for (flag = 0; flag < 2; flag++) {
		EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
		EXPECT_ST(OK, map_one(self->v, DOM));
		ASSERT_EQ(0, mock_inject(self->d, DOMAIN, 0, 1, EIO, flag));
		EXPECT_ST(DEVERR, g_attach(self->v, DOM + 1, EP(0)));
		EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v));
		EXPECT_FALSE(reaches(self->d));
		EXPECT_ST(NOENT, g_unmap(self->v, DOM, 0, PAGE - 1));
		EXPECT_ST(NOENT, g_unmap(self->v, DOM + 1, 0, PAGE - 1));
	}
}

/*
 * Not even blocking works, as while a device is reset: detached, and out of use
 * until it is attached again
 */
TEST_F(hosterr, broken_until_attach)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_ST(OK, map_one(v, DOM));
	ASSERT_EQ(0, mock_inject(self->d, ATTACH, 0, FOREVER, EIO, 0));
	/* DETACH can't fail: what can't be blocked is detached */
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, state(v));
	EXPECT_EQ(1, stats(v).broken);
	EXPECT_FALSE(reaches(self->d));
	EXPECT_ST(DEVERR, g_attach(v, DOM, EP(0)));
	/* The other endpoint does not suffer */
	EXPECT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	EXPECT_ST(OK, map_one(v, DOM + 1));
	EXPECT_TRUE(reaches(self->e.dev[1]));
	EXPECT_ST(OK, g_detach(v, DOM + 1, EP(1)));
	ASSERT_EQ(0, disarm(self->d, ATTACH));
	EXPECT_FALSE(reaches(self->d));
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_EQ(0, stats(v).broken);
	EXPECT_FALSE(reaches(self->d));
	EXPECT_ST(OK, map_one(v, DOM));
	EXPECT_TRUE(reaches(self->d));

	/* A reset of the virtio device does it as well */
	ASSERT_EQ(0, mock_inject(self->d, ATTACH, 0, FOREVER, EIO, 0));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(1, stats(v).broken);
	ASSERT_EQ(0, disarm(self->d, ATTACH));
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(0, vmm_reset(v));
	EXPECT_EQ(0, stats(v).broken);
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v));
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_start(v));
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_ST(OK, map_one(v, DOM));
	EXPECT_TRUE(reaches(self->d));
}

TEST_F(hosterr, reset_fails)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_ST(OK, map_one(v, DOM));
	EXPECT_ST(OK, g_attach(v, DOM, EP(1)));
	ASSERT_EQ(0, mock_inject(self->d, ATTACH, 0, FOREVER, EIO, 0));
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(-EIO, vmm_reset(v));
	EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, state(v));
	EXPECT_FALSE(reaches(self->d));
	/* The others are reset all the same */
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(1)));
	EXPECT_FALSE(reaches(self->e.dev[1]));
	EXPECT_EQ(0, stats(v).domains);
	EXPECT_EQ(-EIO, vmm_reset(v));
	ASSERT_EQ(0, disarm(self->d, ATTACH));
	EXPECT_EQ(0, vmm_reset(v));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v));
}

TEST_F(hosterr, bypass_fails)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, mock_inject(self->d, DOMAIN, 0, 1, EIO, 0));
	EXPECT_EQ(-EIO, vmm_set_bypass(v, 1));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v));
	EXPECT_FALSE(reaches(self->d));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, vmm_ep_state(v, EP(1)));
	EXPECT_EQ(0, vmm_set_bypass(v, 1));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(v));
	EXPECT_TRUE(reaches(self->d));
	/* Out of bypass, with and without having been there */
	ASSERT_EQ(0, mock_inject(self->d, ATTACH, 0, FOREVER, EIO, 0));
	EXPECT_EQ(-EIO, vmm_set_bypass(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, state(v));
	EXPECT_FALSE(reaches(self->d));
}

TEST_F(hosterr, no_page_table)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, mock_inject(self->d, ALLOC, 0, 1, ENOMEM, 0));
	EXPECT_ST(NOMEM, g_attach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v));
	EXPECT_EQ(0, stats(v).domains);
	EXPECT_FALSE(reaches(self->d));
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
}

TEST_F(hosterr, add_endpoint_fails)
{
	struct vmm *v = self->v;
	unsigned int point;

	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	for (point = ATTACH; point <= ALLOC; point++) {
		int rc;

		if (point == MAPOP)
			continue;
		ASSERT_EQ(0, mock_inject(self->d, point, 0, FOREVER, ENOMEM,
					 0));
		rc = vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0);
		EXPECT_TRUE(rc == -ENOMEM || rc == -EIO)
			TH_LOG("point %u: %s", point, strerror(-rc));
		EXPECT_EQ(-ENOENT, state(v));
		EXPECT_FALSE(reaches(self->d));
		ASSERT_EQ(0, disarm(self->d, point));
	}
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v));
}

/* A MAP of several pieces of RAM, of which one fails */
TEST_F(hosterr, map_fails_in_the_middle)
{
	const __u64 gpa = RAM_GPA + RAM_SIZE;
	struct vhost_iommu_mock_ctl ctl;
	struct vmm *v = self->v;
	unsigned int skip;

	ASSERT_EQ(0, vmm_add_ram(v, gpa, MIB(2)));
	ASSERT_EQ(0, vmm_set_mem_table(v));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	for (skip = 0; skip < 2; skip++) {
		ASSERT_EQ(0, mock_inject(self->d, MAPOP, skip, 1, ENOMEM, 0));
		EXPECT_ST(NOMEM, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1,
				       gpa - PAGE, MAP_RW));
		ASSERT_EQ(0, mock_ctl(self->d, &ctl));
		EXPECT_EQ(0, ctl.domain_bytes);
		EXPECT_EQ(0, stats(v).mappings);
		EXPECT_FALSE(reaches(self->d));
		EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v));
		ASSERT_EQ(0, disarm(self->d, MAPOP));
		EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1,
				    gpa - PAGE, MAP_RW));
		EXPECT_TRUE(reaches(self->d));
		EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + 2 * PAGE - 1));
	}
}

/* The remains of a mapping that is cut can't be mapped again */
TEST_F(hosterr, remove_ram_fails)
{
	struct vmm *v = self->v;
	unsigned int count;
	int rc;

	for (count = 1; count < 6; count++) {
		ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
		ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + 8 * PAGE - 1,
				    RAM_GPA, MAP_RW));
		ASSERT_EQ(0, mock_inject(self->d, MAPOP, 0, count, ENOMEM, 0));
		rc = vmm_remove_ram(v, RAM_GPA + 2 * PAGE,
				    RAM_GPA + 4 * PAGE - 1, NULL);
		EXPECT_TRUE(!rc || rc == -ENOMEM || rc == -EIO)
			TH_LOG("%s", strerror(-rc));
		/* Whatever it says, that range is out of reach */
		dev_load(self->d, IOVA + 2 * PAGE, 64);
		EXPECT_NE(VHOST_IOMMU_MOCK_DMA_OK, self->d->status);
		dev_load(self->d, IOVA + 3 * PAGE, 64);
		EXPECT_NE(VHOST_IOMMU_MOCK_DMA_OK, self->d->status);
		ASSERT_EQ(0, disarm(self->d, MAPOP));
		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(0, vmm_reset(v));
		ASSERT_EQ(0, vmm_set_rings(v, 256));
		ASSERT_EQ(0, vmm_start(v));
	}
}

/* A domain that is rebuilt to free tables, when it can't be */
TEST_F_TIMEOUT(hosterr, rebuild_fails, 60)
{
	struct vmm *v = self->v;
	unsigned int i;
	__u64 at;
	int st;

	ASSERT_EQ(0, vmm_set_limits(v, 0, 0, 64));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, map_one(v, DOM));
	for (i = 0; i < 300; i++) {
		at = GIB(8) + i * MIB(2);
		if (i == 100)
			ASSERT_EQ(0, mock_inject(self->d, ALLOC, 0, FOREVER,
						 ENOMEM, 0));
		if (i == 200)
			ASSERT_EQ(0, disarm(self->d, ALLOC));
		st = g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW);
		EXPECT_TRUE(st == OK || (i >= 100 && i < 200))
			TH_LOG("span %u: %s", i, status_name(st));
		if (st == OK)
			EXPECT_ST(OK, g_unmap(v, DOM, at, at + PAGE - 1));
		EXPECT_LE(stats(v).table_pages, 64);
		if (vmm_ep_state(v, EP(0)) != VHOST_IOMMU_STATE_PAGING)
			break;
	}
	/* Either it goes on with what it had, or it's out of use: not open */
	if (state(v) == VHOST_IOMMU_STATE_PAGING) {
		EXPECT_TRUE(reaches(self->d));
		EXPECT_ST(INVAL, map_one(v, DOM));
	} else {
		EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, state(v));
		EXPECT_FALSE(reaches(self->d));
	}
	ASSERT_EQ(0, disarm(self->d, ALLOC));
}

/* A device fails that shares its group */
FIXTURE(hosterr_group)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(hosterr_group);
KIND_MOCK(hosterr_group);

FIXTURE_SETUP(hosterr_group)
{
	unsigned int i;

	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, true));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vmm_add_endpoint(self->v, EP(i), self->e.dev[i],
					      1, NULL, 0));
	ASSERT_EQ(0, vmm_start(self->v));
}

FIXTURE_TEARDOWN(hosterr_group)
{
	env_down(&self->e);
}

TEST_F(hosterr_group, attach_fails)
{
	unsigned int i, k;

	for (i = 0; i < 2; i++)
		for (k = 0; k < 2; k++) {
			ASSERT_EQ(0, mock_inject(self->e.dev[i], DOMAIN, 0, 1,
						 EIO, 0));
			EXPECT_ST(DEVERR, g_attach(self->v, DOM, EP(k)));
			EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED,
				  vmm_ep_state(self->v, EP(0)));
			EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED,
				  vmm_ep_state(self->v, EP(1)));
			EXPECT_FALSE(reaches(self->e.dev[0]));
			EXPECT_FALSE(reaches(self->e.dev[1]));
			EXPECT_ST(OK, g_attach(self->v, DOM, EP(k)));
			EXPECT_ST(OK, map_one(self->v, DOM));
			EXPECT_ST(OK, g_attach(self->v, DOM, EP(!k)));
			EXPECT_TRUE(reaches(self->e.dev[0]));
			EXPECT_TRUE(reaches(self->e.dev[1]));
			EXPECT_ST(OK, g_detach(self->v, DOM, EP(k)));
			EXPECT_ST(OK, g_detach(self->v, DOM, EP(!k)));
			EXPECT_FALSE(reaches(self->e.dev[0]));
			EXPECT_FALSE(reaches(self->e.dev[1]));
		}
}

SUITE;
