// SPDX-License-Identifier: GPL-2.0-only
/*
 * The specification's rules on ATTACH, DETACH, domains and bypass.
 */
#include "suite.h"

FIXTURE(attach)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(attach);
KIND_NONE(attach);
KIND_MOCK(attach);
KIND_EDU(attach);

FIXTURE_SETUP(attach)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
}

FIXTURE_TEARDOWN(attach)
{
	env_down(&self->e);
}

static int state(struct vmm *v, __u32 ep)
{
	return vmm_ep_state(v, ep);
}

static __u32 domains(struct vmm *v)
{
	struct vmm_stats s;

	return vmm_stats(v, &s) ? ~0u : s.domains;
}

/* Restart with other features; only without endpoints in domains */
static int refeature(struct vmm *v, __u64 features)
{
	int rc = vmm_set_running(v, false);

	v->features = features;
	if (!rc)
		rc = vmm_set_features(v);
	return rc ? rc : vmm_set_running(v, true);
}

TEST_F(attach, ok)
{
	struct vhost_iommu_get_attachment ep;

	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	ASSERT_EQ(0, vmm_attachment(self->v, EP(0), 0, &ep));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, ep.out_state);
	EXPECT_EQ(1, ep.out_domain);
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(1)));
	EXPECT_EQ(1, domains(self->v));
}

TEST_F(attach, two_share_a_domain)
{
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(1)));
	EXPECT_EQ(1, domains(self->v));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, EP(1)));
}

TEST_F(attach, same_domain_again_changes_nothing)
{
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	/* The mapping is still there */
	EXPECT_ST(INVAL, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
}

TEST_F(attach, elsewhere_is_detach_then_attach)
{
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, g_attach(self->v, 2, EP(0)));
	EXPECT_EQ(1, domains(self->v));
	/* Domain 1 lost its last endpoint, and 2 is empty */
	EXPECT_ST(NOENT, g_unmap(self->v, 1, IOVA, IOVA + PAGE - 1));
	EXPECT_ST(OK, g_map(self->v, 2, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
}

TEST_F(attach, unknown_endpoint)
{
	EXPECT_ST(NOENT, g_attach(self->v, 1, 0xdead));
	EXPECT_EQ(0, domains(self->v));
	EXPECT_ST(NOENT, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
}

TEST_F(attach, unknown_flag)
{
	unsigned int bit;

	for (bit = 1; bit < 32; bit++)
		EXPECT_ST(INVAL, g_attach_flags(self->v, 1, EP(0),
						1u << bit));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
	EXPECT_EQ(0, domains(self->v));
}

TEST_F(attach, unknown_flag_before_unknown_endpoint)
{
	EXPECT_ST(INVAL, g_attach_flags(self->v, 1, 0xdead, 1u << 7));
}

TEST_F(attach, reserved_not_zero)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct virtio_iommu_req_attach r = {
			.head.type = VIRTIO_IOMMU_T_ATTACH,
			.domain = htole32(1),
			.endpoint = htole32(EP(0)),
		};

		r.reserved[i] = 1;
		EXPECT_ST(INVAL, req_simple(self->v, &r, sizeof(r) - 4));
	}
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
}

TEST_F(attach, head_reserved_is_ignored)
{
	struct virtio_iommu_req_attach r = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.head.reserved = { 0xff, 0x5a, 1 },
		.domain = htole32(1),
		.endpoint = htole32(EP(0)),
	};

	EXPECT_ST(OK, req_simple(self->v, &r, sizeof(r) - 4));
}

TEST_F(attach, domain_outside_range)
{
	EXPECT_ST(OK, g_attach(self->v, 0, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 0xffff, EP(0)));
	EXPECT_ST(INVAL, g_attach(self->v, 0x10000, EP(0)));
	EXPECT_ST(INVAL, g_attach(self->v, ~0u, EP(0)));
	/* A request that fails its checks changes nothing */
	EXPECT_ST(OK, g_unmap(self->v, 0xffff, 0, PAGE - 1));
}

TEST_F(attach, any_domain_without_the_feature)
{
	ASSERT_EQ(0, refeature(self->v, self->v->features &
			       ~FEATURE(VIRTIO_IOMMU_F_DOMAIN_RANGE)));
	EXPECT_ST(OK, g_attach(self->v, 0x10000, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, ~0u, EP(0)));
	EXPECT_ST(OK, g_detach(self->v, ~0u, EP(0)));
}

TEST_F(attach, last_endpoint_ends_the_domain)
{
	struct vmm_stats s;

	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(1)));
	EXPECT_ST(OK, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(0)));
	/* One is left: the mapping stays */
	EXPECT_ST(INVAL, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(1)));
	EXPECT_ST(NOENT, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_EQ(0, s.domains);
	EXPECT_EQ(0, s.mappings);
	EXPECT_EQ(0, s.mapped_bytes);
}

TEST_F(attach, detach_unknown_endpoint)
{
	EXPECT_ST(NOENT, g_detach(self->v, 1, 0xdead));
}

TEST_F(attach, detach_not_attached)
{
	EXPECT_ST(INVAL, g_detach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(INVAL, g_detach(self->v, 2, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, EP(0)));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
	EXPECT_ST(INVAL, g_detach(self->v, 1, EP(0)));
}

TEST_F(attach, detach_reserved_is_ignored)
{
	struct virtio_iommu_req_detach r = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = htole32(1),
		.endpoint = htole32(EP(0)),
	};

	memset(r.reserved, 0xff, sizeof(r.reserved));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, req_simple(self->v, &r, sizeof(r) - 4));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
}

TEST_F(attach, bypass_domain)
{
	EXPECT_ST(OK, g_attach_flags(self->v, 3, EP(0),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS_DOMAIN, state(self->v, EP(0)));
	EXPECT_ST(INVAL, g_map(self->v, 3, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(INVAL, g_unmap(self->v, 3, IOVA, IOVA + PAGE - 1));
	EXPECT_ST(OK, g_attach_flags(self->v, 3, EP(1),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(1, domains(self->v));
	EXPECT_ST(OK, g_detach(self->v, 3, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
}

TEST_F(attach, bypass_domain_detach_takes_any_id)
{
	EXPECT_ST(OK, g_attach_flags(self->v, 3, EP(0),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_ST(OK, g_detach(self->v, 0, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
	EXPECT_EQ(0, domains(self->v));
}

TEST_F(attach, bypass_flag_disagrees)
{
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(INVAL, g_attach_flags(self->v, 1, EP(1),
					VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(1)));
	EXPECT_ST(OK, g_attach_flags(self->v, 2, EP(1),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_ST(INVAL, g_attach(self->v, 2, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, EP(0)));
}

TEST_F(attach, bypass_flag_without_the_feature)
{
	ASSERT_EQ(0, refeature(self->v, self->v->features &
			       ~FEATURE(VIRTIO_IOMMU_F_BYPASS_CONFIG)));
	EXPECT_ST(INVAL, g_attach_flags(self->v, 1, EP(0),
					VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
}

TEST_F(attach, set_bypass_moves_the_unattached)
{
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_EQ(0, vmm_set_bypass(self->v, 1));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, EP(1)));
	EXPECT_ST(OK, g_detach(self->v, 1, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, EP(0)));
	EXPECT_EQ(0, vmm_set_bypass(self->v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(1)));
}

TEST_F(attach, bypass_by_configuration)
{
	struct env *e = &self->e;
	unsigned int i;

	ASSERT_EQ(0, vmm_set_running(self->v, false));
	for (i = 0; i < e->nr; i++)
		ASSERT_EQ(0, vmm_remove_endpoint(self->v, EP(i)));
	self->v->config.bypass = 1;
	ASSERT_EQ(0, vmm_set_config(self->v));
	ASSERT_EQ(0, env_add(e));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, EP(0)));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(self->v, EP(0)));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_reset(self->v));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, EP(1)));
}

/* Offered is enough, the driver need not have accepted the feature */
TEST_F(attach, bypass_by_configuration_without_the_feature)
{
	ASSERT_EQ(0, refeature(self->v, self->v->features &
			       ~FEATURE(VIRTIO_IOMMU_F_BYPASS_CONFIG)));
	EXPECT_EQ(0, vmm_set_bypass(self->v, 1));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, EP(0)));
}

TEST_F(attach, bypass_survives_a_device_reset)
{
	EXPECT_EQ(0, vmm_set_bypass(self->v, 1));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_reset(self->v));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(self->v, EP(0)));
}

TEST_F(attach, reset_ends_all_domains)
{
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
	EXPECT_ST(OK, g_attach_flags(self->v, 2, EP(1),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_ST(OK, g_map(self->v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_EQ(-EBUSY, vmm_reset(self->v));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_reset(self->v));
	EXPECT_EQ(0, domains(self->v));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, EP(1)));
	ASSERT_EQ(0, vmm_set_rings(self->v, 256));
	ASSERT_EQ(0, vmm_start(self->v));
	EXPECT_ST(NOENT, g_unmap(self->v, 1, IOVA, IOVA + PAGE - 1));
	EXPECT_ST(OK, g_attach(self->v, 1, EP(0)));
}

/* RESV_MEM of a newcomer against what the domain has mapped */
TEST_F(attach, resv_mem_overlaps_a_mapping)
{
	struct virtio_iommu_probe_resv_mem p;
	struct vmm *v = self->v;

	probe_resv(&p, VIRTIO_IOMMU_RESV_MEM_T_RESERVED, IOVA + PAGE,
		   IOVA + 2 * PAGE - 1);
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, &p, sizeof(p)));
	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_ST(OK, g_map(v, 1, IOVA + PAGE, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_R));
	EXPECT_ST(UNSUPP, g_attach(v, 1, EMU(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, EMU(0)));
	EXPECT_ST(OK, g_unmap(v, 1, IOVA + PAGE, IOVA + 2 * PAGE - 1));
	EXPECT_ST(OK, g_attach(v, 1, EMU(0)));
}

/* A domain that began without a device is filled when one comes */
TEST_F(attach, device_joins_emulated)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0));
	EXPECT_ST(OK, g_attach(v, 1, EMU(0)));
	EXPECT_ST(OK, g_map(v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_ST(OK, g_detach(v, 1, EMU(0)));
	EXPECT_ST(INVAL, g_map(v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_unmap(v, 1, IOVA, IOVA + PAGE - 1));
}

TEST_F(attach, remove_endpoint_leaves_its_domain)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	EXPECT_EQ(0, domains(v));
	EXPECT_EQ(-ENOENT, state(v, EP(0)));
	EXPECT_ST(NOENT, g_attach(v, 1, EP(0)));
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], -1, NULL, 0));
	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
}

/* What takes a device, mock or real */
FIXTURE(attach_dev)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(attach_dev);
KIND_MOCK(attach_dev);
KIND_EDU(attach_dev);

FIXTURE_SETUP(attach_dev)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
}

FIXTURE_TEARDOWN(attach_dev)
{
	env_down(&self->e);
}

/* An endpoint whose device can't be in bypass */
TEST_F(attach_dev, bypass_domain_without_a_ram_hwpt)
{
	struct vmm *v = self->v;
	__u32 hwpt = v->ram_hwpt;

	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	v->ram_hwpt = 0;
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], -1, NULL, 0));
	v->ram_hwpt = hwpt;
	EXPECT_ST(UNSUPP, g_attach_flags(v, 1, EP(0),
					 VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, EP(0)));
	EXPECT_EQ(0, domains(v));
	EXPECT_ST(OK, g_attach(v, 1, EP(0)));
}

SUITE;
