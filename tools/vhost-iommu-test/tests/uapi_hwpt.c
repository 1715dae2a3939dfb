// SPDX-License-Identifier: GPL-2.0-only
/*
 * What endpoints are attached to: the cursor of GET_ATTACHMENT, the HWPT that it
 * tells in each state, and what HWPTs of domains are made with.
 */
#include <stdint.h>

#include "suite.h"

#define DOM	1
#define FOREVER	(~0u)
#define ALLOC	VHOST_IOMMU_MOCK_INJECT_ALLOC
#define ATTACH	VHOST_IOMMU_MOCK_INJECT_ATTACH
#define DIRTY	IOMMU_HWPT_ALLOC_DIRTY_TRACKING
#define PASID	IOMMU_HWPT_ALLOC_PASID

FIXTURE(uapi_hwpt)
{
	struct env e;
	struct vmm *v;
	bool dev;
};

KIND_VARIANTS(uapi_hwpt);
KIND_NONE(uapi_hwpt);
KIND_MOCK(uapi_hwpt);
KIND_EDU(uapi_hwpt);

FIXTURE_SETUP(uapi_hwpt)
{
	self->v = &self->e.v;
	self->dev = variant->kind != DEV_NONE;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
}

FIXTURE_TEARDOWN(uapi_hwpt)
{
	env_down(&self->e);
}

/* One attachment for each endpoint, in order, by whatever way it is looked for */
TEST_F(uapi_hwpt, attachments)
{
	const __u32 order[] = { 0, EP(0), EP(1), ~0u };
	const __u32 flags[] = {
		0, self->dev ? VHOST_IOMMU_EP_DEVICE : 0,
		self->dev ? VHOST_IOMMU_EP_DEVICE : 0, VHOST_IOMMU_EP_GROUP,
	};
	struct vhost_iommu_get_attachment a;
	struct vmm *v = self->v;
	__u32 ep = 0, pasid = 0;
	unsigned int i;

	ASSERT_EQ(0, vmm_add_endpoint(v, ~0u, NULL, 3, NULL, 0));
	ASSERT_EQ(0, vmm_add_endpoint(v, 0, NULL, -1, NULL, 0));
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		ASSERT_EQ(0, vmm_attachment(v, ep, pasid, &a));
		EXPECT_EQ(order[i], a.out_endpoint);
		EXPECT_EQ(0, a.out_pasid);
		EXPECT_EQ(flags[i], a.out_flags);
		EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, a.out_state);
		EXPECT_EQ(i == 3 ? 3 : 0, a.out_group_id);
		EXPECT_EQ(0, a.out_viommu);
		EXPECT_EQ(0, a.out_mappings);
		/* What was asked for is left as it was */
		EXPECT_EQ(ep, a.endpoint);
		EXPECT_EQ(pasid, a.pasid);
		ep = a.out_endpoint;
		pasid = a.out_pasid + 1;
	}
	EXPECT_EQ(-ENOENT, vmm_attachment(v, ep, pasid, &a));
	EXPECT_EQ(-ENOENT, vmm_attachment(v, ~0u, ~0u, &a));
	/* In between */
	ASSERT_EQ(0, vmm_attachment(v, 1, 0, &a));
	EXPECT_EQ(EP(0), a.out_endpoint);
	ASSERT_EQ(0, vmm_attachment(v, 1, 77, &a));
	EXPECT_EQ(EP(0), a.out_endpoint);
	ASSERT_EQ(0, vmm_attachment(v, EP(0), ~0u, &a));
	EXPECT_EQ(EP(1), a.out_endpoint);
	ASSERT_EQ(0, vmm_attachment(v, EP(1) + 1, 0, &a));
	EXPECT_EQ(~0u, a.out_endpoint);
	/* In a domain */
	ASSERT_ST(OK, g_attach(v, 77, EP(1)));
	ASSERT_ST(OK, g_map(v, 77, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_EQ(0, vmm_attachment(v, EP(1), 0, &a));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, a.out_state);
	EXPECT_EQ(77, a.out_domain);
	EXPECT_EQ(1, a.out_mappings);
}

static __u32 hwpt(struct vmm *v, unsigned int i)
{
	return vmm_ep_hwpt(v, EP(i));
}

/* The HWPT in each state; an endpoint that is no device never has one */
TEST_F(uapi_hwpt, in_each_state)
{
	struct vmm *v = self->v;
	__u32 blocked = hwpt(v, 0), one, two;

	EXPECT_EQ(self->dev, blocked != 0);
	if (self->dev)
		EXPECT_NE(v->ram_hwpt, blocked);
	ASSERT_EQ(0, vmm_set_bypass(v, 1));
	EXPECT_EQ(v->ram_hwpt, hwpt(v, 0));
	EXPECT_EQ(v->ram_hwpt, hwpt(v, 1));
	ASSERT_EQ(0, vmm_set_bypass(v, 0));
	EXPECT_EQ(blocked, hwpt(v, 0));

	/* Two that share a domain share its HWPT */
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	one = hwpt(v, 0);
	EXPECT_EQ(self->dev, one != 0);
	if (self->dev) {
		EXPECT_NE(v->ram_hwpt, one);
		EXPECT_NE(v->ram_ioas, one);
		EXPECT_NE(blocked, one);
	}
	ASSERT_ST(OK, g_attach(v, DOM, EP(1)));
	EXPECT_EQ(one, hwpt(v, 0));
	EXPECT_EQ(one, hwpt(v, 1));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_EQ(one, hwpt(v, 1));

	/* One that moves has another one, and nobody else can destroy it */
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	two = hwpt(v, 1);
	EXPECT_EQ(one, hwpt(v, 0));
	if (self->dev) {
		EXPECT_NE(one, two);
		EXPECT_NE(0, two);
		EXPECT_EQ(-EBUSY, vmm_destroy(v, one));
		EXPECT_EQ(-EBUSY, vmm_destroy(v, two));
	}
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(0)));
	EXPECT_EQ(two, hwpt(v, 0));
	EXPECT_EQ(two, hwpt(v, 1));
	if (self->dev)
		EXPECT_EQ(-ENOENT, vmm_destroy(v, one));

	/* It's gone when the last one has left */
	ASSERT_ST(OK, g_detach(v, DOM + 1, EP(0)));
	EXPECT_EQ(blocked, hwpt(v, 0));
	EXPECT_EQ(two, hwpt(v, 1));
	ASSERT_ST(OK, g_attach_flags(v, DOM + 2, EP(1),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(v->ram_hwpt, hwpt(v, 1));
	if (self->dev)
		EXPECT_EQ(-ENOENT, vmm_destroy(v, two));
}

/* What the IOMMU can't, or nobody can */
TEST_F(uapi_hwpt, flags)
{
	static const __u32 unknown[] = {
		IOMMU_HWPT_ALLOC_NEST_PARENT, IOMMU_HWPT_FAULT_ID_VALID,
		1u << 31, ~0u,
	};
	static const __u32 known[] = { DIRTY, PASID, DIRTY | PASID };
	struct vhost_iommu_add_endpoint emu = {
		.size = sizeof(emu), .endpoint = EMU(0), .device_fd = -1,
	};
	struct dma_dev *d = self->e.dev[0];
	struct vmm *v = self->v;
	unsigned int i;

	/* They are for devices */
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		emu.hwpt_flags = known[i];
		EXPECT_EQ(-EINVAL, xioctl(v->fd, VHOST_IOMMU_ADD_ENDPOINT,
					  &emu));
	}
	EXPECT_EQ(-ENOENT, vmm_ep_state(v, EMU(0)));
	if (!self->dev)
		return;
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		d->hwpt_flags = unknown[i];
		EXPECT_EQ(-EOPNOTSUPP, vmm_add_endpoint(v, EP(0), d, -1, NULL,
							0))
			TH_LOG("flags 0x%x", unknown[i]);
		EXPECT_EQ(-ENOENT, vmm_ep_state(v, EP(0)));
	}
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		int rc;

		d->hwpt_flags = known[i];
		rc = vmm_add_endpoint(v, EP(0), d, -1, NULL, 0);
		if (self->e.kind == DEV_MOCK || rc != -EOPNOTSUPP)
			ASSERT_EQ(0, rc);
		if (rc)
			continue;
		ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
		ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA,
				    MAP_RW));
		fill(ram_va(v, RAM_GPA), known[i], 256);
		memset(ram_va(v, RAM_GPA + PAGE), 0, 256);
		EXPECT_EQ(0, dev_copy(d, IOVA, IOVA + PAGE, 256));
		EXPECT_TRUE(filled(ram_va(v, RAM_GPA + PAGE), known[i], 256));
		ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	}
}

FIXTURE(uapi_hwpt_mock)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(uapi_hwpt_mock);
KIND_MOCK(uapi_hwpt_mock);

#define SELF	FIXTURE_DATA(uapi_hwpt_mock) *self

/* No endpoint yet */
FIXTURE_SETUP(uapi_hwpt_mock)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, false));
	ASSERT_EQ(0, vmm_start(self->v));
}

FIXTURE_TEARDOWN(uapi_hwpt_mock)
{
	env_down(&self->e);
}

static int add(SELF, unsigned int i, __u32 flags)
{
	struct dma_dev *d = self->e.dev[i];

	d->hwpt_flags = flags;
	return vmm_add_endpoint(self->v, EP(i), d, -1, NULL, 0);
}

static bool reaches(SELF, unsigned int i, __u64 iova)
{
	struct dma_dev *d = self->e.dev[i];

	dev_load(d, iova, 64);
	return d->status == VHOST_IOMMU_MOCK_DMA_OK;
}

TEST_F(uapi_hwpt_mock, iommu_can_not)
{
	static const __u32 flags[] = { DIRTY, PASID };
	struct vhost_iommu_mock_config c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		mock_config_init(&c);
		c.no_hwpt_flags = flags[i];
		ASSERT_EQ(0, mock_config(self->e.dev[0], &c));
		EXPECT_EQ(-EOPNOTSUPP, add(self, 0, flags[i]));
		EXPECT_EQ(-EOPNOTSUPP, add(self, 0, DIRTY | PASID));
		EXPECT_EQ(-ENOENT, vmm_ep_state(self->v, EP(0)));
		EXPECT_EQ(0, add(self, 0, flags[!i]));
		EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
		ASSERT_EQ(0, vmm_remove_endpoint(self->v, EP(0)));
	}
}

/* Endpoints whose HWPTs differ can be in one domain all the same */
TEST_F(uapi_hwpt_mock, different_flags)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, add(self, 0, DIRTY));
	ASSERT_EQ(0, add(self, 1, 0));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_ST(OK, g_attach(v, DOM, EP(1)));
	EXPECT_NE(hwpt(v, 0), hwpt(v, 1));
	ASSERT_ST(OK, g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_TRUE(reaches(self, 0, IOVA));
	EXPECT_TRUE(reaches(self, 1, IOVA));
	EXPECT_TRUE(reaches(self, 0, IOVA + PAGE));
	EXPECT_TRUE(reaches(self, 1, IOVA + PAGE));
	ASSERT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_FALSE(reaches(self, 0, IOVA));
	EXPECT_FALSE(reaches(self, 1, IOVA));
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_TRUE(reaches(self, 1, IOVA + PAGE));
}

static int track(struct vmm *v, __u32 id, bool on)
{
	struct iommu_hwpt_set_dirty_tracking a = {
		.size = sizeof(a), .hwpt_id = id,
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
	};

	return xioctl(v->iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &a);
}

/* Which of the 64 pages at IOVA are dirty */
static int dirty(struct vmm *v, __u32 id, __u32 flags, __u64 *bits)
{
	struct iommu_hwpt_get_dirty_bitmap a = {
		.size = sizeof(a), .hwpt_id = id, .flags = flags, .iova = IOVA,
		.length = 64 * PAGE, .page_size = PAGE,
		.data = (__u64)(uintptr_t)bits,
	};

	*bits = 0;
	return xioctl(v->iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &a);
}

/* A VMM asks for the pages that devices have written, to migrate the guest */
TEST_F(uapi_hwpt_mock, dirty_pages)
{
	const __u32 keep = IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
	struct vmm *v = self->v;
	unsigned int i;
	__u64 bits;
	__u32 id;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, add(self, i, DIRTY));
		ASSERT_ST(OK, g_attach(v, DOM, EP(i)));
	}
	id = hwpt(v, 0);
	ASSERT_EQ(id, hwpt(v, 1));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + 64 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	/* Nothing is recorded before somebody asks for it */
	ASSERT_EQ(0, dev_store(self->e.dev[0], IOVA, 64));
	ASSERT_EQ(0, dirty(v, id, 0, &bits));
	EXPECT_EQ(0, bits);
	ASSERT_EQ(0, track(v, id, true));
	ASSERT_EQ(0, dirty(v, id, 0, &bits));
	EXPECT_EQ(0, bits);
	ASSERT_EQ(0, dev_store(self->e.dev[0], IOVA + 3 * PAGE, 64));
	ASSERT_EQ(0, dev_load(self->e.dev[0], IOVA + 5 * PAGE, 64));
	ASSERT_EQ(0, dev_store(self->e.dev[1], IOVA + 63 * PAGE, 64));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, dirty(v, id, i ? 0 : keep, &bits));
		EXPECT_EQ(1ULL << 3 | 1ULL << 63, bits);
	}
	ASSERT_EQ(0, dirty(v, id, 0, &bits));
	EXPECT_EQ(0, bits);
	ASSERT_EQ(0, dev_store(self->e.dev[1], IOVA, 64));
	ASSERT_EQ(0, dirty(v, id, 0, &bits));
	EXPECT_EQ(1, bits);
	ASSERT_EQ(0, track(v, id, false));
	/* Requests of the guest go on in the meantime */
	ASSERT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + 64 * PAGE - 1));
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_detach(v, DOM, EP(1)));
	EXPECT_EQ(-ENOENT, track(v, id, true));
}

static __u64 page_tables(SELF)
{
	struct vhost_iommu_mock_ctl ctl;

	return mock_ctl(self->e.dev[0], &ctl) ? ~0ULL : ctl.total_domains;
}

/* A domain has a page table on each IOMMU that its devices are behind */
TEST_F(uapi_hwpt_mock, two_iommus)
{
	struct vmm *v = self->v;
	unsigned int i;
	__u64 before;

	env_down(&self->e);
	env_init(&self->e, variant->kind);
	/* The fourth is behind another IOMMU */
	ENV_UP(&self->e, env_up(&self->e, 4));
	before = page_tables(self);
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_EQ(before + 1, page_tables(self));
	/* One that can't have one stays out, and harms nobody */
	ASSERT_EQ(0, mock_inject(self->e.dev[3], ALLOC, 0, 1, ENOMEM, 0));
	EXPECT_ST(NOMEM, g_attach(v, DOM, EP(3)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(3)));
	EXPECT_FALSE(reaches(self, 3, IOVA));
	EXPECT_TRUE(reaches(self, 0, IOVA));
	EXPECT_EQ(before + 1, page_tables(self));
	for (i = 1; i < 4; i++)
		ASSERT_ST(OK, g_attach(v, DOM, EP(i)));
	EXPECT_EQ(before + 2, page_tables(self));
	EXPECT_EQ(hwpt(v, 0), hwpt(v, 1));
	EXPECT_EQ(hwpt(v, 0), hwpt(v, 2));
	EXPECT_NE(hwpt(v, 0), hwpt(v, 3));
	ASSERT_ST(OK, g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	for (i = 0; i < 4; i++) {
		EXPECT_TRUE(reaches(self, i, IOVA));
		EXPECT_TRUE(reaches(self, i, IOVA + PAGE));
	}
	/* Each is gone with the last device that it was for */
	ASSERT_ST(OK, g_detach(v, DOM, EP(3)));
	EXPECT_EQ(before + 1, page_tables(self));
	ASSERT_ST(OK, g_attach(v, DOM, EP(3)));
	EXPECT_EQ(before + 2, page_tables(self));
	for (i = 0; i < 3; i++)
		ASSERT_ST(OK, g_detach(v, DOM, EP(i)));
	EXPECT_EQ(before + 1, page_tables(self));
	EXPECT_TRUE(reaches(self, 3, IOVA));
	ASSERT_ST(OK, g_detach(v, DOM, EP(3)));
	EXPECT_EQ(before, page_tables(self));
}

/* One that is out of use is attached to nothing */
TEST_F(uapi_hwpt_mock, broken)
{
	struct dma_dev *d = self->e.dev[0];
	struct vmm *v = self->v;

	ASSERT_EQ(0, add(self, 0, 0));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_EQ(0, mock_inject(d, ATTACH, 0, FOREVER, EIO, 0));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, vmm_ep_state(v, EP(0)));
	EXPECT_EQ(0, hwpt(v, 0));
	ASSERT_EQ(0, mock_inject(d, ATTACH, 0, 0, 0, 0));
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_NE(0, hwpt(v, 0));
}

/* Devices of one group are attached to one HWPT */
TEST_F(uapi_hwpt_mock, one_group)
{
	struct vmm *v = self->v;
	unsigned int i;

	env_down(&self->e);
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, true));
	for (i = 0; i < 2; i++)
		self->e.dev[i]->hwpt_flags = i ? PASID : DIRTY;
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], 5, NULL, 0));
	EXPECT_EQ(-EINVAL, vmm_add_endpoint(v, EP(1), self->e.dev[1], 5, NULL,
					    0));
	self->e.dev[1]->hwpt_flags = 0;
	EXPECT_EQ(-EINVAL, vmm_add_endpoint(v, EP(1), self->e.dev[1], 5, NULL,
					    0));
	EXPECT_EQ(-ENOENT, vmm_ep_state(v, EP(1)));
	self->e.dev[1]->hwpt_flags = DIRTY;
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(1), self->e.dev[1], 5, NULL, 0));
	EXPECT_EQ(hwpt(v, 0), hwpt(v, 1));
}

SUITE;
