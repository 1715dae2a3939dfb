// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's nesting, by iommufd and VFIO alone: tests of table mode are worth
 * what the mock is worth. mock_cmd.c has the commands.
 */
#include <pthread.h>

#include "mock_guest.h"
#include "suite.h"

#define BAD_CONFIG	(-VHOST_IOMMU_MOCK_DMA_BAD_CONFIG)
#define UNMAPPED	(-VHOST_IOMMU_MOCK_DMA_UNMAPPED)
#define DENIED		(-VHOST_IOMMU_MOCK_DMA_DENIED)
#define BLOCKED		(-VHOST_IOMMU_MOCK_DMA_BLOCKED)

FIXTURE(mocknest)
{
	struct mg g;
};

KIND_VARIANTS(mocknest);
KIND_MOCK(mocknest);

FIXTURE_SETUP(mocknest)
{
	int rc = mg_open(&self->g);

	if (rc == -ENODEV)
		SKIP(return, "needs dma0, dma1, and dma4 behind another IOMMU");
	ASSERT_EQ(0, rc);
}

FIXTURE_TEARDOWN(mocknest)
{
	struct vhost_iommu_mock_nest n;

	mg_down(&self->g);
	if (self->g.d[0] && !mock_nest(self->g.d[0], &n)) {
		EXPECT_EQ(0, n.viommus);
		EXPECT_EQ(0, n.nested);
		EXPECT_EQ(0, n.tlb_entries);
		EXPECT_EQ(0, n.walk_entries);
	}
	mg_close(&self->g);
}

static struct vhost_iommu_mock_nest nest_of(struct dma_dev *d)
{
	struct vhost_iommu_mock_nest n;

	if (mock_nest(d, &n))
		memset(&n, 0xff, sizeof(n));
	return n;
}

static int hw_info(struct mg *g, struct dma_dev *d, __u32 in_type, __u32 *type,
		   void *data, __u32 len)
{
	struct iommu_hw_info i = {
		.size = sizeof(i), .dev_id = d->dev_id, .data_len = len,
		.data_uptr = (__u64)(uintptr_t)data,
		.flags = in_type ? IOMMU_HW_INFO_FLAG_INPUT_TYPE : 0,
		.in_data_type = in_type,
	};
	int rc = xioctl(g->v.iommufd, IOMMU_GET_HW_INFO, &i);

	*type = i.out_data_type;
	g->no_ats = i.out_capabilities & IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	return rc;
}

TEST_F(mocknest, hw_info)
{
	struct iommu_hw_info_arm_smmuv3 arm;
	struct vhost_iommu_mock_config c;
	struct iommu_test_hw_info test;
	struct mg *g = &self->g;
	__u32 type;

	ASSERT_EQ(0, hw_info(g, g->d[0], 0, &type, &arm, sizeof(arm)));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_ARM_SMMUV3, type);
	EXPECT_EQ(VHOST_IOMMU_MOCK_IDR0, arm.idr[0]);
	EXPECT_EQ(VHOST_IOMMU_MOCK_IDR3, arm.idr[3]);
	EXPECT_EQ(0, arm.flags);
	EXPECT_TRUE(g->no_ats);
	EXPECT_EQ(-EOPNOTSUPP, hw_info(g, g->d[0], IOMMU_HW_INFO_TYPE_SELFTEST,
				       &type, &test, sizeof(test)));

	mock_config_init(&c);
	c.flags = IOMMU_HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI;
	c.idr[3] &= ~VHOST_IOMMU_MOCK_IDR3_RIL;
	c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
	c.iidr = 0x12345;
	ASSERT_EQ(0, mock_config(g->d[0], &c));
	/* It is the IOMMU's, so the other device's, too; but not of the other */
	ASSERT_EQ(0, hw_info(g, g->d[1], 0, &type, &arm, sizeof(arm)));
	EXPECT_EQ(c.flags, arm.flags);
	EXPECT_EQ(c.idr[3], arm.idr[3]);
	EXPECT_EQ(c.iidr, arm.iidr);
	EXPECT_FALSE(g->no_ats);
	ASSERT_EQ(0, hw_info(g, g->far, 0, &type, &arm, sizeof(arm)));
	EXPECT_EQ(VHOST_IOMMU_MOCK_IDR3, arm.idr[3]);
	EXPECT_EQ(0, nest_of(g->d[1]).iommu);
	EXPECT_EQ(1, nest_of(g->far).iommu);

	c.type = IOMMU_HW_INFO_TYPE_SELFTEST;
	ASSERT_EQ(0, mock_config(g->d[0], &c));
	ASSERT_EQ(0, hw_info(g, g->d[0], 0, &type, &test, sizeof(test)));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, type);
	EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL, test.test_reg);

	c.type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	EXPECT_EQ(-EINVAL, mock_config(g->d[0], &c));
	c.type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3;
	c.no_nesting = 2;
	EXPECT_EQ(-EINVAL, mock_config(g->d[0], &c));
	c.no_nesting = 0;
	c.no_hwpt_flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	EXPECT_EQ(-EINVAL, mock_config(g->d[0], &c));
	c.no_hwpt_flags = 0;

	/* Fixed as long as somebody relies on it */
	ASSERT_EQ(0, mg_up(g, NULL));
	c.no_nesting = 0;
	EXPECT_EQ(-EBUSY, mock_config(g->d[1], &c));
	mg_down(g);
	EXPECT_EQ(0, mock_config(g->d[1], &c));

	/* Each user begins with the same IOMMU */
	mg_close_devices(g);
	ASSERT_EQ(0, mg_open_devices(g));
	ASSERT_EQ(0, hw_info(g, g->d[0], 0, &type, &arm, sizeof(arm)));
	EXPECT_EQ(VHOST_IOMMU_MOCK_IDR3, arm.idr[3]);
	EXPECT_EQ(0, arm.flags);
}

TEST_F(mocknest, objects)
{
	struct mg *g = &self->g;
	struct vhost_iommu_mock_config c;
	__u32 parent, plain, far_parent, viommu, id;
	__u64 ste[2] = { STE0_V | STE0_BYPASS };

	mock_config_init(&c);
	c.no_nesting = 1;
	ASSERT_EQ(0, mock_config(g->d[0], &c));
	EXPECT_EQ(-EOPNOTSUPP, mg_parent(g, g->d[0], &id));
	c.no_nesting = 0;
	ASSERT_EQ(0, mock_config(g->d[0], &c));

	ASSERT_EQ(0, mg_parent(g, g->d[0], &parent));
	ASSERT_EQ(0, mg_parent(g, g->far, &far_parent));
	ASSERT_EQ(0, vmm_hwpt_alloc(&g->v, g->d[0]->dev_id, g->v.ram_ioas,
				    &plain));
	c.no_nesting = 1;
	ASSERT_EQ(0, mock_config(g->d[0], &c));
	EXPECT_EQ(-EOPNOTSUPP, mg_viommu(g, g->d[0], parent, ARM, &id));
	c.no_nesting = 0;
	ASSERT_EQ(0, mock_config(g->d[0], &c));

	EXPECT_EQ(-EINVAL, mg_viommu(g, g->d[0], plain, ARM, &id));
	EXPECT_EQ(-EINVAL, mg_viommu(g, g->d[0], far_parent, ARM, &id));
	EXPECT_EQ(-EOPNOTSUPP, mg_viommu(g, g->d[0], parent, SELFTEST, &id));
	EXPECT_EQ(0, nest_of(g->d[0]).viommus);

	ASSERT_EQ(0, mock_inject(g->d[1], VHOST_IOMMU_MOCK_INJECT_VIOMMU, 0, 1,
				 ENOSPC, 0));
	EXPECT_EQ(-ENOSPC, mg_viommu(g, g->d[0], parent, ARM, &id));
	ASSERT_EQ(0, mg_viommu(g, g->d[0], parent, ARM, &viommu));
	EXPECT_EQ(1, nest_of(g->d[0]).viommus);
	EXPECT_EQ(0, nest_of(g->far).viommus);
	EXPECT_EQ(-EBUSY, vmm_destroy(&g->v, parent));

	EXPECT_EQ(-EINVAL, mg_vdevice(g, viommu, g->far, 1, &id));
	EXPECT_EQ(-EINVAL, mg_ste(g, g->far, viommu, ste[0], 0, &id));
	ASSERT_EQ(0, mock_inject(g->d[0], VHOST_IOMMU_MOCK_INJECT_NESTED, 0, 1,
				 EIO, 0));
	EXPECT_EQ(-EIO, mg_ste(g, g->d[0], viommu, ste[0], 0, &id));
	EXPECT_EQ(0, nest_of(g->d[0]).nested);
	ASSERT_EQ(0, mg_ste(g, g->d[0], viommu, ste[0], 0, &id));
	EXPECT_EQ(1, nest_of(g->d[0]).nested);
	EXPECT_EQ(-EBUSY, vmm_destroy(&g->v, viommu));

	/* Page tables are bound to the IOMMU that they were made for */
	EXPECT_EQ(-EINVAL, dev_attach(g->far, plain));
	EXPECT_EQ(-EINVAL, dev_attach(g->far, id));
	EXPECT_EQ(0, dev_attach(g->d[1], id));
	EXPECT_EQ(0, dev_attach(g->d[1], plain));
	EXPECT_EQ(0, dev_detach(g->d[1]));

	EXPECT_EQ(0, vmm_destroy(&g->v, id));
	EXPECT_EQ(0, vmm_destroy(&g->v, viommu));
	EXPECT_EQ(0, vmm_destroy(&g->v, parent));
	EXPECT_EQ(0, vmm_destroy(&g->v, far_parent));
	EXPECT_EQ(0, vmm_destroy(&g->v, plain));
}

/* Each bit of a stream table entry that a guest must not set */
TEST_F(mocknest, ste_rules)
{
	const __u64 allowed[2] = { 0xf80fffffffffffffULL, 0x380000ffULL };
	struct mg *g = &self->g;
	__u32 id;
	int i, rc;

	ASSERT_EQ(0, mg_up(g, NULL));
	for (i = 1; i < 128; i++) {
		__u64 ste[2] = { STE0_V | STE0_S1, 0 };
		bool ok = allowed[i / 64] & 1ULL << i % 64;

		/* The bits of Config are the next loop's */
		if (i <= 3)
			continue;
		ste[i / 64] |= 1ULL << i % 64;
		/* EATS of 2 */
		if (i == 64 + 29)
			ok = false;
		rc = mg_ste(g, g->d[0], g->viommu, ste[0], ste[1], &id);
		EXPECT_EQ(ok ? 0 : -EIO, rc)
			TH_LOG("bit %d: %d", i, rc);
		if (!rc)
			vmm_destroy(&g->v, id);
		/* Nothing matters if it is not valid */
		EXPECT_EQ(0, mg_ste(g, g->d[0], g->viommu, ste[0] & ~STE0_V,
				    ste[1], &id));
		vmm_destroy(&g->v, id);
	}
	for (i = 0; i < 8; i++) {
		rc = mg_ste(g, g->d[0], g->viommu, STE0_V | i << 1, 0, &id);
		EXPECT_EQ(i == 0 || i == 4 || i == 5 ? 0 : -EIO, rc);
		if (!rc)
			vmm_destroy(&g->v, id);
	}
	for (i = 0; i < 4; i++) {
		rc = mg_ste(g, g->d[0], g->viommu, STE0_V | STE0_BYPASS,
			    (__u64)i << 28, &id);
		EXPECT_EQ(i < 2 ? 0 : -EIO, rc);
		if (!rc)
			vmm_destroy(&g->v, id);
	}
	EXPECT_EQ(2, nest_of(g->d[0]).nested);
}

TEST_F(mocknest, attach)
{
	struct mg *g = &self->g;
	struct vhost_iommu_mock_ctl ctl;
	struct vhost_iommu_mock_nest n;
	__u32 abort, invalid, bypass;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, mg_ste(g, g->d[0], g->viommu, STE0_V, 0, &abort));
	ASSERT_EQ(0, mg_ste(g, g->d[0], g->viommu, 0, 0, &invalid));
	ASSERT_EQ(0, mg_ste(g, g->d[0], g->viommu, STE0_V | STE0_BYPASS, 0,
			    &bypass));
	mg_map(g, 0, IOVA, DATA(1), 3, 0);

	EXPECT_EQ(0, dev_attach(g->d[0], abort));
	n = nest_of(g->d[0]);
	EXPECT_EQ(VHOST_IOMMU_MOCK_NEST_ABORT, n.state);
	EXPECT_EQ(1, n.has_virt_id);
	EXPECT_EQ(BLOCKED, mg_see(g, 0, IOVA));
	EXPECT_EQ(BLOCKED, mg_see(g, 0, DATA(2)));

	EXPECT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	n = nest_of(g->d[0]);
	EXPECT_EQ(VHOST_IOMMU_MOCK_NEST_STAGE1, n.state);
	EXPECT_EQ(VIRT_ID(0), n.virt_id);
	EXPECT_EQ(mg_ste0(g, 0), n.ste[0]);
	EXPECT_EQ(0, n.ats);
	EXPECT_EQ(1, mg_see(g, 0, IOVA));
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, DATA(2)));

	EXPECT_EQ(0, dev_attach(g->d[0], bypass));
	EXPECT_EQ(VHOST_IOMMU_MOCK_NEST_BYPASS, nest_of(g->d[0]).state);
	EXPECT_EQ(2, mg_see(g, 0, DATA(2)));
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA));
	ASSERT_EQ(0, mock_ctl(g->d[0], &ctl));
	EXPECT_EQ(nest_of(g->d[0]).vmid, ctl.domain_id);

	EXPECT_EQ(0, dev_attach(g->d[0], invalid));
	EXPECT_EQ(BLOCKED, mg_see(g, 0, DATA(2)));
	EXPECT_EQ(0, dev_attach(g->d[0], g->parent));
	EXPECT_EQ(VHOST_IOMMU_MOCK_NEST_NONE, nest_of(g->d[0]).state);
	EXPECT_EQ(0, nest_of(g->d[0]).has_virt_id);
	EXPECT_EQ(2, mg_see(g, 0, DATA(2)));
	EXPECT_EQ(0, dev_detach(g->d[0]));
	EXPECT_EQ(BLOCKED, mg_see(g, 0, DATA(2)));

	/* Tables need a vDEVICE, others don't */
	ASSERT_EQ(0, vmm_destroy(&g->v, g->vdev[0]));
	g->vdev[0] = 0;
	EXPECT_EQ(-ENOENT, dev_attach(g->d[0], g->nested[0]));
	EXPECT_EQ(BLOCKED, mg_see(g, 0, DATA(2)));
	EXPECT_EQ(0, dev_attach(g->d[0], abort));
	EXPECT_EQ(0, dev_attach(g->d[0], bypass));
	EXPECT_EQ(0, nest_of(g->d[0]).has_virt_id);
	EXPECT_EQ(-ENOENT, dev_attach(g->d[0], g->nested[0]));
	EXPECT_EQ(2, mg_see(g, 0, DATA(2)));
	dev_detach(g->d[0]);
	vmm_destroy(&g->v, abort);
	vmm_destroy(&g->v, invalid);
	vmm_destroy(&g->v, bypass);
}

/* An attach that fails leaves what was there, or nothing if so told */
TEST_F(mocknest, attach_fails)
{
	struct mg *g = &self->g;

	ASSERT_EQ(0, mg_up(g, NULL));
	mg_map(g, 0, IOVA, DATA(1), 3, 0);
	mg_map(g, 1, IOVA, DATA(2), 3, 0);
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	EXPECT_EQ(1, mg_see(g, 0, IOVA));
	ASSERT_EQ(0, mock_inject(g->d[0], VHOST_IOMMU_MOCK_INJECT_DOMAIN, 0, 1,
				 EIO, 0));
	EXPECT_EQ(-EIO, dev_attach(g->d[0], g->nested[1]));
	EXPECT_EQ(1, mg_see(g, 0, IOVA));
	ASSERT_EQ(0, mock_inject(g->d[0], VHOST_IOMMU_MOCK_INJECT_DOMAIN, 0, 1,
				 EIO, VHOST_IOMMU_MOCK_INJECT_F_BLOCK));
	EXPECT_EQ(-EIO, dev_attach(g->d[0], g->nested[1]));
	EXPECT_EQ(BLOCKED, mg_see(g, 0, IOVA));
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[1]));
	EXPECT_EQ(2, mg_see(g, 0, IOVA));
}

TEST_F(mocknest, translate)
{
	static char buf[3 * PAGE];
	struct mg *g = &self->g;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	mg_map(g, 0, IOVA, DATA(7), 3, 0);
	mg_map(g, 0, IOVA + PAGE, DATA(5), 3, 0);
	mg_map(g, 0, IOVA + 2 * PAGE, DATA(6), 3, 0);
	mg_map(g, 0, IOVA + MIB(2), RAM_GPA + MIB(2), 2, 0);
	mg_map(g, 0, GIB(4), RAM_GPA & ~(GIB(1) - 1), 1, 0);
	EXPECT_EQ(7, mg_see(g, 0, IOVA));
	EXPECT_EQ(5, mg_see(g, 0, IOVA + PAGE));
	EXPECT_EQ(512, mg_see(g, 0, IOVA + MIB(2)));
	EXPECT_EQ(1023, mg_see(g, 0, IOVA + MIB(4) - PAGE));
	EXPECT_EQ(9, mg_see(g, 0, GIB(4) + (DATA(9) & (GIB(1) - 1))));
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA - PAGE));
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA + MIB(4)));
	/* Beyond the input address space, not wrapped */
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA + (1ULL << 39)));
	/* Not memory of the parent */
	mg_map(g, 0, IOVA + 3 * PAGE, NOT_RAM_GPA, 3, 0);
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA + 3 * PAGE));

	/* A transfer over pages that are not neighbours */
	ASSERT_EQ(0, dev_load(g->d[0], IOVA + 100, sizeof(buf) - 200));
	ASSERT_EQ(0, g->d[0]->status);
	mg_buffer(g, 0, buf, sizeof(buf) - 200);
	EXPECT_EQ(0, memcmp(buf, ram_va(&g->v, DATA(7) + 100), PAGE - 100));
	EXPECT_EQ(0, memcmp(buf + PAGE - 100, ram_va(&g->v, DATA(5)), PAGE));
	EXPECT_EQ(0, memcmp(buf + 2 * PAGE - 100, ram_va(&g->v, DATA(6)),
			    PAGE - 100));
	ASSERT_EQ(0, dev_store(g->d[0], IOVA + PAGE + 8, 64));
	ASSERT_EQ(0, g->d[0]->status);
	EXPECT_EQ(0, memcmp(ram_va(&g->v, DATA(5) + 8), buf, 64));

	/* Permissions: the guest's, and who is asking */
	mg_map(g, 0, IOVA + 4 * PAGE, DATA(8), 3, PTE_RDONLY);
	EXPECT_EQ(8, mg_see(g, 0, IOVA + 4 * PAGE));
	ASSERT_EQ(0, dev_store(g->d[0], IOVA + 4 * PAGE, 8));
	EXPECT_EQ(VHOST_IOMMU_MOCK_DMA_DENIED, g->d[0]->status);
	*mg_entry(g, 0, IOVA + 5 * PAGE, 3) = DATA(8) | PTE_LEAF3 | PTE_AF;
	EXPECT_EQ(DENIED, mg_see(g, 0, IOVA + 5 * PAGE));
	*mg_entry(g, 0, IOVA + 6 * PAGE, 3) = DATA(8) | PTE_LEAF3 | PTE_USER;
	EXPECT_EQ(DENIED, mg_see(g, 0, IOVA + 6 * PAGE));
}

/* A read-only parent, and pages that go */
TEST_F(mocknest, parent)
{
	struct vhost_iommu_mock_nest n;
	struct mg *g = &self->g;
	int round;

	for (round = 0; round < 2; round++) {
		struct vhost_iommu_mock_config c;

		mock_config_init(&c);
		if (round)
			c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
		ASSERT_EQ(0, mg_up(g, &c));
		ASSERT_EQ(0, mg_events(g, 16));
		ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
		EXPECT_EQ(round, nest_of(g->d[0]).ats);
		ASSERT_EQ(0, vmm_ioas_copy(&g->v, g->v.ram_ioas, g->v.ram_ioas,
					   NOT_RAM_GPA, DATA(3), PAGE,
					   IOMMU_IOAS_MAP_READABLE));
		mg_map(g, 0, IOVA, NOT_RAM_GPA, 3, 0);
		mg_map(g, 0, IOVA + PAGE, DATA(4), 3, 0);
		EXPECT_EQ(3, mg_see(g, 0, IOVA));
		EXPECT_EQ(4, mg_see(g, 0, IOVA + PAGE));
		n = nest_of(g->d[0]);
		EXPECT_EQ(2, n.tlb_entries);
		EXPECT_EQ(1, n.walk_entries);
		EXPECT_EQ(1, n.cd_entries);
		EXPECT_EQ(round ? 2 : 0, n.atc_entries);
		ASSERT_EQ(0, dev_store(g->d[0], IOVA, 8));
		EXPECT_EQ(VHOST_IOMMU_MOCK_DMA_DENIED, g->d[0]->status);
		ASSERT_EQ(0, vmm_ioas_unmap(&g->v, g->v.ram_ioas, NOT_RAM_GPA,
					    PAGE));
		/* Whatever was cached */
		n = nest_of(g->d[0]);
		EXPECT_EQ(0, n.tlb_entries);
		EXPECT_EQ(0, n.walk_entries);
		EXPECT_EQ(0, n.atc_entries);
		EXPECT_EQ(1, n.cd_entries);
		EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA));
		EXPECT_EQ(4, mg_see(g, 0, IOVA + PAGE));
		/* The guest has no part in that */
		EXPECT_EQ(0, mg_event(g, NULL));
		EXPECT_GE(nest_of(g->d[0]).stage2_faults, 2);
		mg_down(g);
	}
}

TEST_F(mocknest, pasid)
{
	struct vhost_iommu_mock_config c;
	struct mg *g = &self->g;
	struct mg_event e;
	unsigned int dss;

	mock_config_init(&c);
	c.idr[1] |= VHOST_IOMMU_MOCK_IDR1_SSIDSIZE(4);
	ASSERT_EQ(0, mg_up(g, &c));
	ASSERT_EQ(0, mg_events(g, 16));
	mg_map(g, 0, IOVA, DATA(1), 3, 0);
	mg_map(g, 1, IOVA, DATA(2), 3, 0);
	/* Descriptors 0 and 3 of a table of four */
	mg_cd(g, CDS_GPA, 0, 1);
	mg_cd(g, CDS_GPA + 3 * 64, 1, 2);

	for (dss = 0; dss < 4; dss++) {
		__u32 id;

		ASSERT_EQ(0, mg_ste(g, g->d[0], g->viommu,
				    STE0_V | STE0_S1 | CDS_GPA | 2ULL << 59,
				    dss, &id));
		ASSERT_EQ(0, dev_attach(g->d[0], id));
		ASSERT_EQ(0, mock_pasid(g->d[0], 3));
		EXPECT_EQ(2, mg_see(g, 0, IOVA));
		ASSERT_EQ(0, mock_pasid(g->d[0], 2));
		EXPECT_EQ(BAD_CONFIG, mg_see(g, 0, IOVA));
		ASSERT_EQ(1, mg_event(g, &e));
		EXPECT_EQ(0x0a | 1 << 11 | 2 << 12 | VIRT_ID(0) << 32,
			  e.evt[0]);
		ASSERT_EQ(0, mock_pasid(g->d[0], 4));
		EXPECT_EQ(BAD_CONFIG, mg_see(g, 0, IOVA));
		ASSERT_EQ(1, mg_event(g, &e));
		EXPECT_EQ(0x08, e.evt[0] & 0xff);
		ASSERT_EQ(0, mock_pasid(g->d[0], 3));
		EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA + PAGE));
		ASSERT_EQ(1, mg_event(g, &e));
		EXPECT_EQ(0x10 | 1 << 11 | 3 << 12 | VIRT_ID(0) << 32,
			  e.evt[0]);
		ASSERT_EQ(0, mock_pasid(g->d[0], 0));
		EXPECT_EQ(dss == 2 ? 1 : dss == 1 ? UNMAPPED : BAD_CONFIG,
			  mg_see(g, 0, IOVA));
		EXPECT_EQ(dss == 1 ? 7 : dss == 2 ? UNMAPPED : BAD_CONFIG,
			  mg_see(g, 0, DATA(7)));
		if (dss != 1)
			ASSERT_GE(mg_event(g, &e), 1);
		if (dss == 0)
			EXPECT_EQ(0x06 | VIRT_ID(0) << 32, e.evt[0]);
		if (dss == 3)
			EXPECT_EQ(0x04 | VIRT_ID(0) << 32, e.evt[0]);
		while (mg_event(g, NULL))
			;
		dev_detach(g->d[0]);
		vmm_destroy(&g->v, id);
	}
	/* A device without tables takes none */
	ASSERT_EQ(0, dev_attach(g->d[0], g->parent));
	ASSERT_EQ(0, mock_pasid(g->d[0], 1));
	EXPECT_EQ(BAD_CONFIG, mg_see(g, 0, DATA(1)));
	ASSERT_EQ(0, mock_pasid(g->d[0], 0));
}

TEST_F(mocknest, faults)
{
	struct mg *g = &self->g;
	__u64 *cd = ram_va(&g->v, CD_GPA(0));
	__u64 good[2], want = IOVA, unheard;
	struct mg_event e;
	unsigned int i;
	static const struct {
		__u64 flip;
		__u8 id;
	} cds[] = {
		{ 1ULL << 31, 0x0a },		/* V */
		{ 1ULL << 41, 0x0a },		/* AA64 */
		{ 1ULL << 46, 0x0a },		/* A */
		{ 1ULL << 44, 0x0a },		/* S */
		{ 1ULL << 15, 0x0a },		/* ENDI */
		{ 1ULL << 6, 0x0a },		/* TG0 */
		{ 1ULL << 5, 0x0a },		/* T0SZ of 57 */
		{ 1ULL << 14, 0x10 },		/* EPD0 */
		{ 1ULL << 45 | 1ULL << 14, 0 },	/* R and EPD0 */
	};

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	/* Nobody listens */
	unheard = nest_of(g->d[0]).events_unheard;
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, want));
	EXPECT_EQ(unheard + 1, nest_of(g->d[0]).events_unheard);
	ASSERT_EQ(0, mg_events(g, 16));

	EXPECT_EQ(UNMAPPED, mg_see(g, 0, want + 0x123));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(0, e.flags);
	EXPECT_EQ(0x10 | VIRT_ID(0) << 32, e.evt[0]);
	EXPECT_EQ(2ULL << 40 | 1ULL << 35, e.evt[1]);
	EXPECT_EQ(want + 0x123, e.evt[2]);
	EXPECT_EQ(0, e.evt[3]);
	ASSERT_EQ(0, dev_store(g->d[0], want, 8));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(2ULL << 40, e.evt[1]);

	mg_map(g, 0, IOVA, DATA(1), 3, PTE_RDONLY);
	ASSERT_EQ(0, dev_store(g->d[0], IOVA, 8));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(0x13, e.evt[0] & 0xff);
	*mg_entry(g, 0, IOVA + PAGE, 3) = DATA(8) | PTE_LEAF3 | PTE_USER;
	EXPECT_EQ(DENIED, mg_see(g, 0, IOVA + PAGE));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(0x12, e.evt[0] & 0xff);
	mg_map(g, 0, IOVA + PAGE, 1ULL << 46, 3, 0);
	EXPECT_EQ(DENIED, mg_see(g, 0, IOVA + PAGE));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(0x11, e.evt[0] & 0xff);

	memcpy(good, cd, sizeof(good));
	for (i = 0; i < ARRAY_SIZE(cds); i++) {
		cd[0] = good[0] ^ cds[i].flip;
		/* The descriptor stays in the cache until the next attach */
		ASSERT_EQ(0, dev_attach(g->d[0], g->parent));
		ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
		EXPECT_GT(0, mg_see(g, 0, IOVA));
		ASSERT_EQ(!!cds[i].id, mg_event(g, &e))
			TH_LOG("%u", i);
		if (cds[i].id)
			EXPECT_EQ(cds[i].id, e.evt[0] & 0xff)
				TH_LOG("%u", i);
	}
	memcpy(cd, good, sizeof(good));

	/* Neither an abort nor the parent's faults are the guest's to know */
	ASSERT_EQ(0, mg_ste(g, g->d[0], g->viommu, STE0_V | STE0_S1 |
			    NOT_RAM_GPA, 0, &g->extra));
	ASSERT_EQ(0, dev_attach(g->d[0], g->extra));
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, IOVA));
	EXPECT_EQ(0, mg_event(g, NULL));
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	EXPECT_EQ(1, mg_see(g, 0, IOVA));
}

/* Events on request: any record, as many as wanted */
TEST_F(mocknest, raise)
{
	const __u64 data[4] = { 0x1234567800000013ULL, 2, 3, ~0ULL };
	struct mg *g = &self->g;
	struct mg_event e;
	unsigned int i;

	ASSERT_EQ(0, mg_up(g, NULL));
	EXPECT_EQ(-ENOENT, mock_event(g->d[0], 1, 0, data));
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	EXPECT_EQ(-EOPNOTSUPP, mock_event(g->d[0], 1, 0, data));
	ASSERT_EQ(0, mg_events(g, 4));
	EXPECT_EQ(-EINVAL, mock_event(g->d[0], 1, 2, data));
	ASSERT_EQ(0, mock_event(g->d[0], 1, 0, data));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(0, memcmp(data, e.evt, sizeof(data)));
	ASSERT_EQ(0, mock_event(g->d[0], 1, VHOST_IOMMU_MOCK_EVENT_F_SID,
				data));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(VIRT_ID(0) << 32 | 0x13, e.evt[0]);

	ASSERT_EQ(0, mock_event(g->d[0], 5000, 0, data));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(1, mg_event(g, &e));
		EXPECT_EQ(0, e.flags);
		EXPECT_EQ(2 + i, e.sequence);
	}
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(IOMMU_VEVENTQ_FLAG_LOST_EVENTS, e.flags);
	EXPECT_EQ(5001, e.sequence);
	EXPECT_EQ(0, mg_event(g, &e));
}

/* The format of iommufd's selftest */
TEST_F(mocknest, selftest)
{
	struct iommu_viommu_invalidate_selftest cmds[4] = {
		{ .vdev_id = VIRT_ID(0), .cache_id = 2 },
		{ .vdev_id = VIRT_ID(1), .flags = IOMMU_TEST_INVALIDATE_FLAG_ALL },
		{ .vdev_id = 1 },
		{ .vdev_id = VIRT_ID(0) },
	};
	struct iommu_hwpt_selftest hwpt = { .iotlb = 0x1234 };
	const __u32 cache[4] = { 1, 2, 3, 4 };
	struct vhost_iommu_mock_config c;
	struct vhost_iommu_mock_nest n;
	static struct vhost_iommu_mock_log log;
	struct mg *g = &self->g;
	struct mg_event e;
	__u32 num;

	mock_config_init(&c);
	c.type = IOMMU_HW_INFO_TYPE_SELFTEST;
	ASSERT_EQ(0, mock_config(g->d[0], &c));
	ASSERT_EQ(0, mg_parent(g, g->d[0], &g->parent));
	EXPECT_EQ(-EOPNOTSUPP, mg_viommu(g, g->d[0], g->parent, ARM,
					 &g->viommu));
	ASSERT_EQ(0, mg_viommu(g, g->d[0], g->parent, SELFTEST, &g->viommu));
	g->vtype = SELFTEST;
	ASSERT_EQ(0, mg_events(g, 4));
	EXPECT_EQ(-EOPNOTSUPP, mg_ste(g, g->d[0], g->viommu, STE0_V, 0,
				      &g->nested[0]));
	g->nested[0] = 0;
	ASSERT_EQ(0, mg_hwpt(g, g->d[0], g->viommu, 0, IOMMU_HWPT_DATA_SELFTEST,
			     &hwpt, sizeof(hwpt), &g->nested[0]));
	EXPECT_EQ(-ENOENT, dev_attach(g->d[0], g->nested[0]));
	ASSERT_EQ(0, mg_vdevice(g, g->viommu, g->d[0], VIRT_ID(0),
				&g->vdev[0]));
	ASSERT_EQ(0, mg_vdevice(g, g->viommu, g->d[1], VIRT_ID(1),
				&g->vdev[1]));
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	n = nest_of(g->d[0]);
	EXPECT_EQ(VHOST_IOMMU_MOCK_NEST_SELFTEST, n.state);
	EXPECT_EQ(0x1234, n.iotlb);
	EXPECT_EQ(VHOST_IOMMU_MOCK_CACHE_DEFAULT, n.cache[3]);
	EXPECT_EQ(5, mg_see(g, 0, DATA(5)));
	EXPECT_EQ(0, mg_event(g, NULL));
	EXPECT_EQ(UNMAPPED, mg_see(g, 0, NOT_RAM_GPA));
	ASSERT_EQ(1, mg_event(g, &e));
	EXPECT_EQ(VIRT_ID(0), (__u32)e.evt[0]);

	ASSERT_EQ(0, mock_cache(g->d[0], cache));
	ASSERT_EQ(0, mock_log_clear(g->d[0]));
	num = 4;
	EXPECT_EQ(-EINVAL, mg_inv(g, g->viommu, SELFTEST_INV, cmds,
				  sizeof(cmds[0]), &num));
	EXPECT_EQ(2, num);
	n = nest_of(g->d[0]);
	EXPECT_EQ(1, n.cache[0]);
	EXPECT_EQ(0, n.cache[2]);
	EXPECT_EQ(4, n.cache[3]);
	n = nest_of(g->d[1]);
	EXPECT_EQ(0, n.cache[0] | n.cache[1] | n.cache[2] | n.cache[3]);
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	ASSERT_EQ(2, log.count);
	EXPECT_EQ(VIRT_ID(0) << 32, log.entry[0].cmd[0]);
	EXPECT_EQ(2, log.entry[0].cmd[1]);
	EXPECT_EQ(VIRT_ID(1) << 32 | 1, log.entry[1].cmd[0]);
	EXPECT_EQ(1, log.entry[1].device);

	cmds[0].flags = 2;
	num = 1;
	EXPECT_EQ(-EOPNOTSUPP, mg_inv(g, g->viommu, SELFTEST_INV, cmds,
				      sizeof(cmds[0]), &num));
	cmds[0].flags = 0;
	cmds[0].cache_id = 4;
	num = 1;
	EXPECT_EQ(-EINVAL, mg_inv(g, g->viommu, SELFTEST_INV, cmds,
				  sizeof(cmds[0]), &num));
	num = 0;
	EXPECT_EQ(0, mg_inv(g, g->viommu, SELFTEST_INV, cmds, sizeof(cmds[0]),
			    &num));
	num = 1;
	EXPECT_EQ(-EINVAL, mg_inv(g, g->viommu, ARM_INV, cmds, 16, &num));
	ASSERT_EQ(0, mock_inject(g->d[1], VHOST_IOMMU_MOCK_INJECT_INVALIDATE,
				 0, 1, ETIMEDOUT, 0));
	num = 1;
	EXPECT_EQ(-ETIMEDOUT, mg_inv(g, g->viommu, SELFTEST_INV, &cmds[3],
				     sizeof(cmds[0]), &num));
	EXPECT_EQ(0, num);
	EXPECT_EQ(1, nest_of(g->d[0]).cache[0]);
}

struct racer {
	struct mg *g;
	bool stop;
	unsigned long ok;
};

static void *race_dma(void *arg)
{
	struct racer *r = arg;

	while (!LOAD(&r->stop)) {
		__u64 off = r->ok % 64 * PAGE;

		dev_load(r->g->d[0], IOVA + off, 64);
		r->ok += !r->g->d[0]->status;
		dev_store(r->g->d[0], IOVA + off, 64);
		dev_load(r->g->d[0], IOVA + GIB(1), 64);
	}
	return NULL;
}

static void *race_events(void *arg)
{
	struct racer *r = arg;
	const __u64 data[4] = { 0x10 };

	while (!LOAD(&r->stop)) {
		mock_event(r->g->d[0], 3, VHOST_IOMMU_MOCK_EVENT_F_SID, data);
		while (mg_event(r->g, NULL))
			;
	}
	return NULL;
}

/* DMA and events against everything that takes something away from them */
TEST_F_TIMEOUT(mocknest, race, 60)
{
	struct mg *g = &self->g;
	struct racer r = { .g = g };
	pthread_t dma, events;
	__u64 seed = 1, end;
	unsigned int i, n = 0;
	__u32 bypass;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, mg_events(g, 8));
	ASSERT_EQ(0, mg_ste(g, g->d[0], g->viommu, STE0_V | STE0_BYPASS, 0,
			    &bypass));
	for (i = 0; i < 64; i++)
		mg_map(g, 0, IOVA + i * PAGE, i & 1 ? NOT_RAM_GPA : DATA(i), 3,
		       0);
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	ASSERT_EQ(0, pthread_create(&dma, NULL, race_dma, &r));
	ASSERT_EQ(0, pthread_create(&events, NULL, race_events, &r));
	end = now_ns() + (long_tests() ? 30 : 2) * 1000000000ULL;
	while (now_ns() < end) {
		__u32 to[] = { g->nested[0], bypass, g->parent, g->nested[0] };

		vmm_ioas_copy(&g->v, g->v.ram_ioas, g->v.ram_ioas, NOT_RAM_GPA,
			      DATA(n % 64), PAGE,
			      IOMMU_IOAS_MAP_READABLE |
			      IOMMU_IOAS_MAP_WRITEABLE);
		mg_cmd(g, CMD_VAA, IOVA + rand64(&seed) % 64 * PAGE);
		mg_cmd(g, CMD_CFGI_ALL | VIRT_ID(0) << 32, 0);
		EXPECT_EQ(0, dev_attach(g->d[0], to[rand64(&seed) % 4]));
		EXPECT_EQ(0, vmm_ioas_unmap(&g->v, g->v.ram_ioas, NOT_RAM_GPA,
					    PAGE));
		if (!(n++ % 8)) {
			EXPECT_EQ(0, dev_detach(g->d[0]));
			EXPECT_EQ(0, dev_attach(g->d[0], g->nested[0]));
		}
	}
	STORE(&r.stop, true);
	pthread_join(dma, NULL);
	pthread_join(events, NULL);
	EXPECT_GT(r.ok, 0);
	EXPECT_GT(n, 10);
	dev_detach(g->d[0]);
	vmm_destroy(&g->v, bypass);
}

SUITE;
