// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user API's part of table mode: each errno of ADD_VIOMMU, REMOVE_VIOMMU
 * and ADD_ENDPOINT with EP_TABLE.
 */
#include "suite.h"
#include "table.h"

#define DOM	1

FIXTURE(viommu)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct vhost_iommu_info info;
};

KIND_VARIANTS(viommu);
KIND_MOCK(viommu);
KIND_EDU(viommu);

#define SELF	FIXTURE_DATA(viommu) *self

/* Two devices, of which none is an endpoint yet; the vIOMMU is announced */
FIXTURE_SETUP(viommu)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, false));
	self->d = self->e.dev[0];
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, xioctl(self->v->fd, VHOST_IOMMU_GET_INFO, &self->info));
}

FIXTURE_TEARDOWN(viommu)
{
	env_down(&self->e);
}

static struct vhost_iommu_add_viommu good_viommu(SELF)
{
	return (struct vhost_iommu_add_viommu){
		.size = sizeof(struct vhost_iommu_add_viommu),
		.flags = VHOST_IOMMU_VIOMMU_ID,
		.viommu = self->v->nest.handle,
		.format = self->v->nest.format,
		.parent_hwpt_id = self->v->ram_hwpt,
		.viommu_id = self->v->nest.viommu,
	};
}

static struct vhost_iommu_add_endpoint good_endpoint(SELF)
{
	return (struct vhost_iommu_add_endpoint){
		.size = sizeof(struct vhost_iommu_add_endpoint),
		.flags = VHOST_IOMMU_EP_DEVICE | VHOST_IOMMU_EP_TABLE,
		.endpoint = EP(0),
		.device_fd = self->d->fd,
		.dev_id = self->d->dev_id,
		.ram_hwpt_id = self->v->ram_hwpt,
		.viommu = self->v->nest.handle,
		.virt_id = self->d->virt_id,
	};
}

static int add_viommu(SELF, struct vhost_iommu_add_viommu *a)
{
	return xioctl(self->v->fd, VHOST_IOMMU_ADD_VIOMMU, a);
}

static int add_endpoint(SELF, struct vhost_iommu_add_endpoint *a)
{
	return xioctl(self->v->fd, VHOST_IOMMU_ADD_ENDPOINT, a);
}

TEST_F(viommu, added_and_removed)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		EXPECT_EQ(-EEXIST, vmm_add_viommu(self->v, -1));
		EXPECT_EQ(0, vmm_remove_viommu(self->v));
		EXPECT_EQ(-ENOENT, vmm_remove_viommu(self->v));
		EXPECT_EQ(0, vmm_add_viommu(self->v, i % 2 ? -1 :
					    self->v->nest.event_fd));
	}
	/* While it's running, too */
	ASSERT_EQ(0, vmm_start(self->v));
	EXPECT_EQ(0, vmm_remove_viommu(self->v));
	EXPECT_EQ(0, vmm_add_viommu(self->v, self->v->nest.event_fd));
}

TEST_F(viommu, values)
{
	struct vhost_iommu_add_viommu good = good_viommu(self), a;
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_remove_viommu(v));
#define BAD(err, field, value) do {					\
	a = good;							\
	a.field = (value);						\
	EXPECT_EQ(-(err), add_viommu(self, &a))				\
		TH_LOG(#field " " #value);				\
} while (0)
	BAD(EOPNOTSUPP, format, 0);
	BAD(EOPNOTSUPP, format, 77);
	BAD(EOPNOTSUPP, format, good.format + 0x100);
	BAD(EOPNOTSUPP, format, ~0u);
	/* All formats that there are have vIOMMUs in the iommufd */
	BAD(EINVAL, flags, 0);
	BAD(ENOENT, parent_hwpt_id, 0);
	BAD(ENOENT, parent_hwpt_id, 54321);
	BAD(ENOENT, parent_hwpt_id, ~0u);
	/* Objects of other kinds */
	BAD(ENOENT, parent_hwpt_id, v->ram_ioas);
	BAD(ENOENT, parent_hwpt_id, v->nest.viommu);
	BAD(ENOENT, parent_hwpt_id, self->d->dev_id);
#undef BAD
	a = good;
	a.flags = 0;
	a.viommu_id = 0;
	EXPECT_EQ(-EINVAL, add_viommu(self, &a));
	EXPECT_EQ(0, add_viommu(self, &good));
}

TEST_F(viommu, before_the_iommufd)
{
	struct vhost_iommu_add_viommu a = good_viommu(self);
	struct vmm w;

	vmm_init(&w);
	ASSERT_EQ(0, vmm_open(&w));
	ASSERT_EQ(0, vmm_set_owner(&w));
	EXPECT_EQ(-ENXIO, xioctl(w.fd, VHOST_IOMMU_ADD_VIOMMU, &a));
	vmm_close(&w);
}

TEST_F(viommu, as_many_as_there_can_be)
{
	struct vhost_iommu_add_viommu a = good_viommu(self);
	struct vhost_iommu_remove_viommu r = { .size = sizeof(r) };
	unsigned int i;

	for (i = 1; i < self->info.out_max_viommus; i++) {
		a.viommu = VMM_HANDLE(100 + i);
		a.viommu_id = 10000 + i;
		ASSERT_EQ(0, add_viommu(self, &a));
	}
	/* Any number will do */
	a.viommu = ~0u;
	a.viommu_id = 20000;
	EXPECT_EQ(-ENOSPC, add_viommu(self, &a));
	r.viommu = VMM_HANDLE(101);
	EXPECT_EQ(0, xioctl(self->v->fd, VHOST_IOMMU_REMOVE_VIOMMU, &r));
	EXPECT_EQ(0, add_viommu(self, &a));
	/* Each endpoint finds its own among them */
	EXPECT_EQ(0, vmm_add_endpoint(self->v, EP(0), self->d, -1, NULL, 0));
	ASSERT_EQ(0, vmm_start(self->v));
	EXPECT_ST(OK, g_attach_table(self->v, DOM, EP(0), STE0_BYPASS, 0));
	EXPECT_ST(OK, g_inv(self->v, inv_domain(DOM, 3)));
}

TEST_F(viommu, endpoint_values)
{
	struct vhost_iommu_add_endpoint good = good_endpoint(self), a;
	struct vmm *v = self->v;

#define BAD(err, field, value) do {					\
	a = good;							\
	a.field = (value);						\
	EXPECT_EQ(-(err), add_endpoint(self, &a))			\
		TH_LOG(#field " " #value);				\
	EXPECT_EQ(-ENOENT, vmm_ep_state(v, EP(0)));			\
} while (0)
	BAD(ENOENT, viommu, 0);
	BAD(ENOENT, viommu, 54321);
	/* Its ID in the iommufd is not its number */
	BAD(ENOENT, viommu, v->nest.viommu);
	BAD(EINVAL, virt_id, 1ULL << 32);
	BAD(EINVAL, virt_id, ~0ULL);
	/* Without the flag they are 0 */
	a = good;
	a.flags = VHOST_IOMMU_EP_DEVICE;
	EXPECT_EQ(-EINVAL, add_endpoint(self, &a));
	a.viommu = 0;
	EXPECT_EQ(-EINVAL, add_endpoint(self, &a));
	a.virt_id = 0;
	EXPECT_EQ(0, add_endpoint(self, &a));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	/* The flag is for devices */
	a = good;
	a.flags = VHOST_IOMMU_EP_TABLE;
	EXPECT_EQ(-EINVAL, add_endpoint(self, &a));
	a.device_fd = -1;
	a.dev_id = 0;
	a.ram_hwpt_id = 0;
	EXPECT_EQ(-EINVAL, add_endpoint(self, &a));
	BAD(EBADFD, device_fd, v->iommufd);
	BAD(EBADF, device_fd, -1);
	BAD(ENOENT, ram_hwpt_id, 54321);
#undef BAD
	/* A failure leaves the vIOMMU free */
	EXPECT_EQ(0, vmm_remove_viommu(v));
	EXPECT_EQ(-ENOENT, add_endpoint(self, &good));
	EXPECT_EQ(0, vmm_add_viommu(v, -1));
	EXPECT_EQ(0, add_endpoint(self, &good));
	EXPECT_EQ(-EEXIST, add_endpoint(self, &good));
	EXPECT_EQ(-EBUSY, vmm_remove_viommu(v));
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	EXPECT_EQ(0, vmm_remove_viommu(v));
}

TEST_F(viommu, virt_id_is_one_endpoints)
{
	struct vhost_iommu_add_endpoint a = good_endpoint(self), b;

	ASSERT_EQ(0, add_endpoint(self, &a));
	b = a;
	b.endpoint = EP(1);
	b.device_fd = self->e.dev[1]->fd;
	b.dev_id = self->e.dev[1]->dev_id;
	EXPECT_EQ(-EEXIST, add_endpoint(self, &b));
	EXPECT_EQ(-ENOENT, vmm_ep_state(self->v, EP(1)));
	b.virt_id = self->e.dev[1]->virt_id;
	EXPECT_EQ(0, add_endpoint(self, &b));
}

/* An ID that is no vIOMMU's is noticed now; so is a device that is elsewhere */
TEST_F(viommu, not_a_viommu)
{
	struct vhost_iommu_add_viommu a = good_viommu(self);
	struct vhost_iommu_add_endpoint ep = good_endpoint(self);
	const __u32 bad[] = { 54321, self->v->ram_hwpt, self->v->ram_ioas };
	unsigned int i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		a.viommu = ep.viommu = VMM_HANDLE(10 + i);
		a.viommu_id = bad[i];
		ASSERT_EQ(0, add_viommu(self, &a));
		rc = add_endpoint(self, &ep);
		EXPECT_TRUE(rc == -EINVAL || rc == -ENOENT)
			TH_LOG("ID %u: %s", bad[i], strerror(-rc));
		EXPECT_EQ(-ENOENT, vmm_ep_state(self->v, EP(0)));
	}
	ep.viommu = self->v->nest.handle;
	EXPECT_EQ(0, add_endpoint(self, &ep));
}

/* What is in use can't be destroyed behind the module's back */
TEST_F(viommu, objects_are_held)
{
	struct nest *n = &self->v->nest;
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	EXPECT_EQ(-EBUSY, vmm_destroy(v, n->veventq));
	EXPECT_EQ(-EBUSY, vmm_destroy(v, n->viommu));
	EXPECT_EQ(-EBUSY, vmm_destroy(v, v->ram_hwpt));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	ASSERT_EQ(0, vmm_remove_viommu(v));
	close(n->event_fd);
	n->event_fd = -1;
	EXPECT_EQ(0, vmm_destroy(v, n->veventq));
	for (i = 0; i < (unsigned int)self->e.nr_all; i++)
		dev_close(&self->e.all[i]);
	EXPECT_EQ(0, vmm_destroy(v, n->viommu));
	EXPECT_EQ(0, vmm_destroy(v, v->ram_hwpt));
}

/* The VMM destroys what it gave: requests fail, and nothing worse */
TEST_F(viommu, vdevice_destroyed)
{
	struct vmm *v = self->v;
	struct s1 s;
	int st;

	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	ASSERT_EQ(0, vmm_start(v));
	s1_usual(&s, v, 0, 1);
	EXPECT_ST(OK, g_attach_s1(v, DOM, EP(0), &s));
	ASSERT_EQ(0, vmm_destroy(v, self->d->vdevice));
	self->d->table = false;
	/* Context descriptors need it, TLBs don't */
	st = g_inv(v, inv_domain(DOM, VIRTIO_IOMMU_INV_C_PASID));
	EXPECT_ST(DEVERR, st);
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, VIRTIO_IOMMU_INV_C_TLB)));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	st = g_attach_s1(v, DOM, EP(0), &s);
	EXPECT_NE(OK, st);
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(0)));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_BYPASS, 0));
}

/* An iommufd whose RAM is gone for the vIOMMU's parent */
TEST_F(viommu, endpoint_is_blocked_or_in_bypass)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(0)));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	ASSERT_EQ(0, vmm_set_bypass(v, 1));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, vmm_ep_state(v, EP(0)));
}

/* Devices of one group are all on one vIOMMU, or none is */
FIXTURE(viommu_group)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(viommu_group);
KIND_MOCK(viommu_group);
KIND_EDU(viommu_group);

FIXTURE_SETUP(viommu_group)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, true));
}

FIXTURE_TEARDOWN(viommu_group)
{
	env_down(&self->e);
}

#define GROUP	5

TEST_F(viommu_group, differ)
{
	struct vhost_iommu_add_viommu a = {
		.size = sizeof(a), .flags = VHOST_IOMMU_VIOMMU_ID,
		.viommu = VMM_HANDLE(7), .format = self->v->nest.format,
		.parent_hwpt_id = self->v->ram_hwpt, .viommu_id = 77,
	};
	struct dma_dev *d0 = self->e.dev[0], *d1 = self->e.dev[1];
	__u32 handle = self->v->nest.handle;
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), d0, GROUP, NULL, 0));
	d1->table = false;
	EXPECT_EQ(-EINVAL, vmm_add_endpoint(v, EP(1), d1, GROUP, NULL, 0));
	d1->table = true;
	ASSERT_EQ(0, xioctl(v->fd, VHOST_IOMMU_ADD_VIOMMU, &a));
	v->nest.handle = VMM_HANDLE(7);
	EXPECT_EQ(-EINVAL, vmm_add_endpoint(v, EP(1), d1, GROUP, NULL, 0));
	v->nest.handle = handle;
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(1), d1, GROUP, NULL, 0));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(1)));
	/* The other way round */
	d0->table = false;
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), d0, GROUP, NULL, 0));
	EXPECT_EQ(-EINVAL, vmm_add_endpoint(v, EP(1), d1, GROUP, NULL, 0));
	d1->table = false;
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(1), d1, GROUP, NULL, 0));
	d0->table = true;
	d1->table = true;
}

TEST_F(viommu_group, attach)
{
	struct vmm *v = self->v;
	struct s1 s, t;

	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], GROUP, NULL,
				      0));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(1), self->e.dev[1], GROUP, NULL,
				      0));
	ASSERT_EQ(0, vmm_start(v));
	s1_usual(&s, v, 0, 1);
	s1_usual(&t, v, 1, 2);
	s1_map(&s, IOVA, RAM_GPA, PAGE, MAP_RW);
	EXPECT_ST(OK, g_attach_s1(v, DOM, EP(0), &s));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, vmm_ep_state(v, EP(0)));
	EXPECT_ST(INVAL, g_attach_s1(v, DOM, EP(1), &t));
	EXPECT_ST(OK, g_attach_s1(v, DOM, EP(1), &s));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, vmm_ep_state(v, EP(1)));
	ASSERT_EQ(0, dev_store(self->e.dev[1], IOVA, 64));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	/* The last one can have another table */
	EXPECT_ST(OK, g_attach_s1(v, DOM, EP(1), &t));
	EXPECT_ST(OK, g_attach_s1(v, DOM, EP(0), &t));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_detach(v, DOM, EP(1)));
	EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(1)));
}

SUITE;
