// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints that share an IOMMU group: they are in one domain, or in none, or they
 * reach nothing.
 */
#include <pthread.h>

#include "suite.h"

#define GROUP	42

FIXTURE(group)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(group);
KIND_NONE(group);
KIND_MOCK(group);
KIND_EDU(group);

FIXTURE_SETUP(group)
{
	struct vmm *v = &self->e.v;
	unsigned int i;

	self->v = v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, true));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vmm_add_endpoint(v, EP(i), self->e.dev[i], GROUP,
					      NULL, 0));
	ASSERT_EQ(0, vmm_start(v));
}

FIXTURE_TEARDOWN(group)
{
	env_down(&self->e);
}

static int state(struct vmm *v, unsigned int i)
{
	return vmm_ep_state(v, EP(i));
}

TEST_F(group, members_join_one_domain)
{
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, 1));
	EXPECT_ST(OK, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, 1));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, 1));
	EXPECT_ST(NOENT, g_unmap(self->v, 1, 0, PAGE - 1));
}

/* Linux attaches one after the other to a group's new domain, and detaches none */
TEST_F(group, moves_one_by_one)
{
	struct vmm *v = self->v;
	unsigned int i;

	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(v, 1, EP(1)));
	EXPECT_ST(OK, g_attach(v, 2, EP(1)));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, i));
	/* Both domains are there */
	EXPECT_ST(OK, g_map(v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_map(v, 2, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_attach(v, 2, EP(0)));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, i));
	EXPECT_ST(NOENT, g_unmap(v, 1, 0, PAGE - 1));
	/* Back half-way, and there again */
	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 1));
	EXPECT_ST(OK, g_attach(v, 2, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 1));
	/* One that leaves lets the other one decide */
	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_ST(OK, g_detach(v, 2, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 1));
	EXPECT_ST(NOENT, g_unmap(v, 2, 0, PAGE - 1));
	/* Domains of other kinds */
	EXPECT_ST(OK, g_attach_flags(v, 3, EP(1),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 0));
	EXPECT_ST(OK, g_attach_flags(v, 3, EP(0),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS_DOMAIN, state(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS_DOMAIN, state(v, 1));
	/* One that is removed, too */
	EXPECT_ST(OK, g_attach(v, 1, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 1));
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 1));
}

TEST_F(group, alone_in_its_domain_it_may_go)
{
	struct vhost_iommu_get_attachment e;

	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 2, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 2, EP(1)));
	ASSERT_EQ(0, vmm_attachment(self->v, EP(1), 0, &e));
	EXPECT_EQ(2, e.out_domain);
	EXPECT_EQ(GROUP, e.out_group_id);
	EXPECT_ST(NOENT, g_unmap(self->v, 1, 0, PAGE - 1));
}

TEST_F(group, bypass)
{
	EXPECT_EQ(0, vmm_set_bypass(self->v, 1));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, 1));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(1)));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, 1));
}

TEST_F(group, member_is_removed)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(v, 1, EP(1)));
	EXPECT_ST(OK, g_map(v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 1));
	EXPECT_ST(INVAL, g_map(v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(1)));
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], GROUP, NULL,
				      0));
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(1), self->e.dev[1], GROUP, NULL,
				      0));
	EXPECT_ST(OK, g_attach(v, 1, EP(1)));
}

TEST_F(group, reset)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(v, 1, EP(1)));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 1));
}

/* DMA of members: one page table for all */
FIXTURE(group_dma)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(group_dma);
KIND_MOCK(group_dma);
KIND_EDU(group_dma);

FIXTURE_SETUP(group_dma)
{
	struct vmm *v = &self->e.v;
	unsigned int i;

	self->v = v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, true));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vmm_add_endpoint(v, EP(i), self->e.dev[i], GROUP,
					      NULL, 0));
	ASSERT_EQ(0, vmm_start(v));
}

FIXTURE_TEARDOWN(group_dma)
{
	env_down(&self->e);
}

static bool moves(struct env *e, unsigned int i, __u8 seed)
{
	__u8 *src = ram_va(&e->v, RAM_GPA);
	__u8 *dst = ram_va(&e->v, RAM_GPA + PAGE);

	fill(src, seed, 256);
	memset(dst, 0xee, 256);
	dev_copy(e->dev[i], IOVA, IOVA + PAGE, 256);
	return filled(dst, seed, 256);
}

/* Nothing moves as long as they disagree, and then it does by the new domain */
TEST_F_TIMEOUT(group_dma, moves_one_by_one, 90)
{
	struct env *e = &self->e;
	struct vmm *v = self->v;
	unsigned int i, to;

	for (i = 0; i < 2; i++)
		ASSERT_ST(OK, g_attach(v, 1, EP(i)));
	ASSERT_ST(OK, g_map(v, 1, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_TRUE(moves(e, 0, 1));
	EXPECT_TRUE(moves(e, 1, 2));
	for (to = 2; to < 6; to++) {
		ASSERT_ST(OK, g_attach(v, to, EP(to & 1)));
		ASSERT_ST(OK, g_map(v, to, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA,
				    MAP_RW));
		EXPECT_FALSE(moves(e, 0, 3));
		EXPECT_FALSE(moves(e, 1, 4));
		ASSERT_ST(OK, g_attach(v, to, EP(!(to & 1))));
		EXPECT_TRUE(moves(e, 0, 5));
		EXPECT_TRUE(moves(e, 1, 6));
	}
}

TEST_F_TIMEOUT(group_dma, follows_the_group, 90)
{
	struct env *e = &self->e;
	struct vmm *v = self->v;

	EXPECT_FALSE(moves(e, 0, 1));
	EXPECT_FALSE(moves(e, 1, 2));
	ASSERT_ST(OK, g_attach(v, 1, EP(0)));
	ASSERT_ST(OK, g_map(v, 1, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_TRUE(moves(e, 0, 3));
	ASSERT_ST(OK, g_attach(v, 1, EP(1)));
	EXPECT_TRUE(moves(e, 1, 4));
	ASSERT_ST(OK, g_detach(v, 1, EP(0)));
	EXPECT_TRUE(moves(e, 1, 5));
	ASSERT_ST(OK, g_detach(v, 1, EP(1)));
	EXPECT_FALSE(moves(e, 0, 6));
	EXPECT_FALSE(moves(e, 1, 7));
}

/* A group without a device, in a domain with many mappings, which gets one */
FIXTURE(group_device)
{
	struct env e;
	struct vmm *v;
	bool done;
	unsigned int changes;
	int rc;
};

KIND_VARIANTS(group_device);
KIND_MOCK(group_device);
KIND_EDU(group_device);

FIXTURE_SETUP(group_device)
{
	struct vmm *v = &self->e.v;

	self->v = v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 1, true));
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, GROUP, NULL, 0));
	ASSERT_EQ(0, vmm_start(v));
	ASSERT_ST(OK, g_attach(v, 1, EMU(0)));
}

FIXTURE_TEARDOWN(group_device)
{
	env_down(&self->e);
}

static void *maps_and_unmaps(void *arg)
{
	FIXTURE_DATA(group_device) *self = arg;
	const __u64 at = IOVA - PAGE;
	struct vmm *v = self->v;

	while (!self->rc && !LOAD(&self->done)) {
		self->rc = g_map(v, 1, at, at + PAGE - 1, RAM_GPA, MAP_RW) ?:
			   g_unmap(v, 1, at, at + PAGE - 1);
		self->changes++;
	}
	return NULL;
}

/* The IOAS that the device needs is made while the guest goes on changing the domain */
TEST_F_TIMEOUT(group_device, joins_a_busy_domain, 60)
{
	/* So many pieces that the guest comes in between, and no more: it has to wait */
	const unsigned int n = 1500;
	struct vmm *v = self->v;
	pthread_t thread;
	unsigned int i;
	int rc;

	for (i = 0; i < n; i++) {
		g_batch_add(v, BATCH_MAP, 1, IOVA + i * PAGE, PAGE,
			    RAM_GPA + i % 1024 * PAGE);
		if (i % 100 == 99)
			ASSERT_ST(OK, g_batch_run(v, 100));
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, maps_and_unmaps, self));
	while (!LOAD(&self->changes) && !LOAD(&self->rc))
		sleep_ms(1);
	rc = vmm_add_endpoint(v, EP(0), self->e.dev[0], GROUP, NULL, 0);
	STORE(&self->done, true);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, rc);
	EXPECT_ST(OK, self->rc);
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 0));
	EXPECT_TRUE(moves(&self->e, 0, 1));
}

SUITE;
