// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second format: that of iommufd's selftest, on a mock IOMMU. Nothing but
 * the format itself may know of another one.
 */
#include "suite.h"
#include "iommufd_test.h"
#include "table.h"

#define DOM	1
#define FORMAT	FORMAT_SELFTEST
#define INTACT	VHOST_IOMMU_MOCK_CACHE_DEFAULT

FIXTURE(selftest)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct vhost_iommu_mock_config c;
};

KIND_VARIANTS(selftest);
KIND_MOCK(selftest);

#define SELF	FIXTURE_DATA(selftest) *self

FIXTURE_SETUP(selftest)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	mock_config_init(&self->c);
	self->c.type = IOMMU_HW_INFO_TYPE_SELFTEST;
	self->v->mock = &self->c;
	ENV_UP(&self->e, env_up(&self->e, 2));
	ASSERT_EQ(IOMMU_VIOMMU_TYPE_SELFTEST, self->v->nest.type);
	self->d = self->e.dev[0];
}

FIXTURE_TEARDOWN(selftest)
{
	env_down(&self->e);
}

static struct virtio_iommu_req_attach_table request(__u32 domain, __u32 ep,
						    __u32 value)
{
	struct virtio_iommu_req_attach_table r = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = htole32(domain),
		.endpoint = htole32(ep),
		.format = FORMAT,
	};

	value = htole32(value);
	memcpy(r.descriptor, &value, sizeof(value));
	return r;
}

static int send(SELF, const struct virtio_iommu_req_attach_table *r)
{
	return req_simple(self->v, r,
			  offsetof(struct virtio_iommu_req_attach_table, tail));
}

static int attach(SELF, __u32 domain, unsigned int i, __u32 value)
{
	struct virtio_iommu_req_attach_table r = request(domain, EP(i), value);

	return send(self, &r);
}

static struct vhost_iommu_mock_nest nest_of(SELF, unsigned int i)
{
	struct vhost_iommu_mock_nest n;

	if (mock_nest(self->e.dev[i], &n))
		memset(&n, 0xff, sizeof(n));
	return n;
}

TEST_F(selftest, attach)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, attach(self, DOM, 0, 0x1234));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, vmm_ep_state(v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_MOCK_NEST_SELFTEST, nest_of(self, 0).state);
	EXPECT_EQ(0x1234, nest_of(self, 0).iotlb);
	EXPECT_ST(INVAL, attach(self, DOM, 1, 0x1235));
	EXPECT_ST(OK, attach(self, DOM, 1, 0x1234));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(0)));
	EXPECT_ST(OK, attach(self, DOM, 1, 7));
	EXPECT_EQ(7, nest_of(self, 1).iotlb);
	EXPECT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, vmm_ep_state(v, EP(1)));
	EXPECT_ST(OK, attach(self, DOM, 1, 8));
	EXPECT_ST(OK, g_detach(v, DOM, EP(1)));
}

TEST_F(selftest, wrong)
{
	struct virtio_iommu_req_attach_table good = request(DOM, EP(0), 5), r;
	unsigned int i;

	for (i = 0; i < FORMAT; i++) {
		r = good;
		r.format = i;
		EXPECT_ST(UNSUPP, send(self, &r));
	}
	for (i = 4; i < sizeof(r.descriptor); i++) {
		r = good;
		r.descriptor[i] = 1;
		EXPECT_ST(INVAL, send(self, &r));
	}
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(self->v, EP(0)));
	/* The other format's */
	EXPECT_ST(UNSUPP, g_attach_table(self->v, DOM, EP(0), STE0_BYPASS, 0));
}

TEST_F(selftest, invalidate)
{
	static const __u32 full[VHOST_IOMMU_MOCK_NR_CACHE] = {
		INTACT, INTACT, INTACT, INTACT,
	};
	struct vhost_iommu_mock_nest n;
	struct vmm *v = self->v;
	unsigned int i, k;

	ASSERT_ST(OK, attach(self, DOM, 0, 1));
	ASSERT_ST(OK, attach(self, DOM + 1, 1, 1));
	/* A page is one entry, and of one endpoint */
	for (i = 0; i < VHOST_IOMMU_MOCK_NR_CACHE; i++) {
		ASSERT_EQ(0, mock_cache(self->d, full));
		EXPECT_ST(OK, g_inv(v, inv_range(DOM, 0, i * PAGE, 1, 12, 0)));
		n = nest_of(self, 0);
		for (k = 0; k < VHOST_IOMMU_MOCK_NR_CACHE; k++)
			EXPECT_EQ(k == i ? 0 : INTACT, n.cache[k]);
		n = nest_of(self, 1);
		for (k = 0; k < VHOST_IOMMU_MOCK_NR_CACHE; k++)
			EXPECT_EQ(INTACT, n.cache[k]);
	}
	/* Anything else is all of them */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, mock_cache(self->d, full));
		EXPECT_ST(OK, g_inv(v, i == 0 ? inv_domain(DOM, 3) :
				    i == 1 ? inv_asid(DOM, 9) :
				    inv_range(DOM, 0, 0, 2, 12, 0)));
		n = nest_of(self, 0);
		for (k = 0; k < VHOST_IOMMU_MOCK_NR_CACHE; k++)
			EXPECT_EQ(0, n.cache[k]);
	}
}

TEST_F(selftest, many)
{
	int status[126];
	unsigned int i;

	ASSERT_ST(OK, attach(self, DOM, 0, 1));
	for (i = 0; i < 126; i++)
		g_inv_add(self->v, i == 77 ? inv_domain(DOM + 5, 3) :
			  inv_range(DOM, 0, i * PAGE, 1, 12, 0));
	ASSERT_EQ(0, g_batch_status(self->v, 126, status));
	for (i = 0; i < 126; i++)
		EXPECT_ST(i == 77 ? NOENT : OK, status[i]);
	/* One of them is refused, when it's with others and when it's alone */
	ASSERT_EQ(0, mock_inject(self->d, VHOST_IOMMU_MOCK_INJECT_INVALIDATE,
				 10, 2, EIO,
				 VHOST_IOMMU_MOCK_INJECT_F_COMMAND));
	for (i = 0; i < 20; i++)
		g_inv_add(self->v, inv_range(DOM, 0, i * PAGE, 1, 12, 0));
	ASSERT_EQ(0, g_batch_status(self->v, 20, status));
	for (i = 0; i < 20; i++)
		EXPECT_ST(i ? OK : DEVERR, status[i]);
}

TEST_F(selftest, faults)
{
	struct virtio_iommu_fault_pasid f;

	ASSERT_ST(OK, attach(self, DOM, 0, 1));
	g_events_post(self->v, 4);
	ASSERT_EQ(0, mock_event(self->d, 1, VHOST_IOMMU_MOCK_EVENT_F_SID,
				(__u64[4]){ }));
	ASSERT_EQ(0, g_event(self->v, &f, 3000));
	EXPECT_EQ(VIRTIO_IOMMU_FAULT_R_UNKNOWN, f.reason);
	EXPECT_EQ(EP(0), le32toh(f.endpoint));
	EXPECT_EQ(0, le32toh(f.flags));
	EXPECT_EQ(0, le64toh(f.address));
}

/* A vIOMMU that is announced with a format that it does not have */
TEST_F(selftest, wrong_format)
{
	struct nest n = self->v->nest;

	ASSERT_EQ(0, vmm_remove_endpoint(self->v, EP(0)));
	ASSERT_EQ(0, vmm_remove_endpoint(self->v, EP(1)));
	ASSERT_EQ(0, vmm_remove_viommu(self->v));
	n.format = VIRTIO_IOMMU_FORMAT_ARM_SMMUV3;
	ASSERT_EQ(0, vmm_add_nest(self->v, &n, -1));
	EXPECT_EQ(-EINVAL, vmm_add_endpoint(self->v, EP(0), self->d, -1, NULL,
					    0));
}

SUITE;
