// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATTACH_TABLE: which requests are taken, with which status the others come
 * back, and what that leaves behind.
 */
#include "suite.h"
#include "table.h"

#define DOM	1

FIXTURE(table)
{
	struct env e;
	struct vmm *v;
	struct s1 s;
	__u64 ste0;
};

KIND_VARIANTS(table);
KIND_MOCK(table);
KIND_EDU(table);

FIXTURE_SETUP(table)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	s1_usual(&self->s, self->v, 0, 1);
	self->ste0 = s1_ste0(&self->s);
}

FIXTURE_TEARDOWN(table)
{
	env_down(&self->e);
}

static int state(struct vmm *v, unsigned int i)
{
	return vmm_ep_state(v, EP(i));
}

static __u32 domains(struct vmm *v)
{
	struct vmm_stats s;

	return vmm_stats(v, &s) ? ~0u : s.domains;
}

static int attach(FIXTURE_DATA(table) *self, __u64 ste0, __u64 ste1)
{
	return g_attach_table(self->v, DOM, EP(0), ste0, ste1);
}

/* What is refused changes nothing: there is no domain, and nobody in it */
static bool refused(FIXTURE_DATA(table) *self, int want, __u64 ste0,
		    __u64 ste1)
{
	int got = attach(self, ste0, ste1);
	bool ok = got == want &&
		  state(self->v, 0) == VHOST_IOMMU_STATE_BLOCKED &&
		  domains(self->v) == 0;

	if (!ok)
		ksft_print_msg("STE 0x%llx 0x%llx: %s, state %d\n", ste0, ste1,
			       status_name(got), state(self->v, 0));
	if (!got)
		g_detach(self->v, DOM, EP(0));
	return ok;
}

/* What is taken puts the endpoint into a table domain */
static bool taken(FIXTURE_DATA(table) *self, __u64 ste0, __u64 ste1)
{
	int got = attach(self, ste0, ste1);
	bool ok = got == OK && state(self->v, 0) == VHOST_IOMMU_STATE_TABLE;

	if (!ok)
		ksft_print_msg("STE 0x%llx 0x%llx: %s, state %d\n", ste0, ste1,
			       status_name(got), state(self->v, 0));
	return g_detach(self->v, DOM, EP(0)) == OK && ok;
}

TEST_F(table, ok)
{
	struct vhost_iommu_get_attachment ep;

	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	ASSERT_EQ(0, vmm_attachment(self->v, EP(0), 0, &ep));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, ep.out_state);
	EXPECT_EQ(5, ep.out_state);
	EXPECT_EQ(DOM, ep.out_domain);
	EXPECT_EQ(VHOST_IOMMU_EP_DEVICE | VHOST_IOMMU_EP_TABLE, ep.out_flags);
	EXPECT_EQ(self->v->nest.handle, ep.out_viommu);
	EXPECT_EQ(0, ep.out_mappings);
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, 1));
	EXPECT_EQ(1, domains(self->v));
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, 0));
	EXPECT_EQ(0, domains(self->v));
}

TEST_F(table, bypass_and_abort)
{
	EXPECT_TRUE(taken(self, STE0_BYPASS, 0));
	EXPECT_TRUE(taken(self, STE0_BYPASS, STE1_USUAL));
	EXPECT_TRUE(taken(self, STE0_ABORT, 0));
	EXPECT_TRUE(taken(self, STE0_ABORT, STE1_USUAL));
}

TEST_F(table, not_valid)
{
	EXPECT_TRUE(refused(self, INVAL, 0, 0));
	EXPECT_TRUE(refused(self, INVAL, self->ste0 & ~STE0_V, STE1_USUAL));
	EXPECT_TRUE(refused(self, INVAL, STE0_CFG_BYPASS, 0));
	EXPECT_TRUE(refused(self, INVAL, STE0_CFG_ABORT, STE1_USUAL));
}

TEST_F(table, config)
{
	unsigned int cfg;

	/* Stage 2 is the host's */
	for (cfg = 0; cfg < 8; cfg++) {
		__u64 ste0 = (self->ste0 & ~STE0_CFG(7)) | STE0_CFG(cfg);

		if (cfg == 0 || cfg == 4)
			ste0 &= ~STE0_CTXPTR;
		EXPECT_TRUE(cfg == 0 || cfg == 4 || cfg == 5 ?
			    taken(self, ste0, STE1_USUAL) :
			    refused(self, INVAL, ste0, STE1_USUAL));
	}
}

/* One context descriptor is all there is without substreams */
TEST_F(table, substreams)
{
	unsigned int n;

	if (IDR1_SSIDSIZE(self->v->nest.idr[1]))
		SKIP(return, "the SMMU has substreams");
	for (n = 1; n < 32; n++) {
		EXPECT_TRUE(refused(self, INVAL, self->ste0 | STE0_S1CDMAX(n),
				    STE1_USUAL));
	}
	/* The one format that is reserved */
	EXPECT_TRUE(refused(self, INVAL, self->ste0 | STE0_S1FMT(3),
			    STE1_USUAL));
	EXPECT_TRUE(taken(self, self->ste0, STE1_USUAL));
}

/* Bits that are not the guest's, or nobody's */
TEST_F(table, other_bits)
{
	const __u64 known0 = STE0_V | STE0_CFG(7) | STE0_S1FMT(3) |
			     STE0_CTXPTR | STE0_S1CDMAX(31);
	const __u64 known1 = STE1_S1DSS(3) | STE1_S1CIR(3) | STE1_S1COR(3) |
			     STE1_S1CSH(3) | STE1_S1STALLD | STE1_EATS(3);
	const __u64 cfg[] = { self->ste0, STE0_BYPASS, STE0_ABORT };
	unsigned int bit, i;

	for (i = 0; i < ARRAY_SIZE(cfg); i++)
		for (bit = 0; bit < 64; bit++) {
			if (!(known0 & 1ULL << bit))
				EXPECT_TRUE(refused(self, INVAL,
						    cfg[i] | 1ULL << bit,
						    STE1_USUAL));
			if (!(known1 & 1ULL << bit))
				EXPECT_TRUE(refused(self, INVAL, cfg[i],
						    STE1_USUAL | 1ULL << bit));
		}
}

TEST_F(table, attributes)
{
	unsigned int n;

	for (n = 0; n < 4; n++) {
		EXPECT_TRUE(taken(self, self->ste0, STE1_S1CIR(n)));
		EXPECT_TRUE(taken(self, self->ste0, STE1_S1COR(n)));
		/* 1 is reserved, and not checked: the SMMU takes it for 0 */
		if (n != 1)
			EXPECT_TRUE(taken(self, self->ste0, STE1_S1CSH(n)));
	}
}

TEST_F(table, ats)
{
	EXPECT_TRUE(refused(self, INVAL, self->ste0,
			    STE1_USUAL | STE1_EATS(2)));
	EXPECT_TRUE(refused(self, INVAL, self->ste0,
			    STE1_USUAL | STE1_EATS(3)));
	if (self->v->nest.idr[0] & IDR0_ATS) {
		EXPECT_TRUE(taken(self, self->ste0, STE1_USUAL | STE1_EATS(1)));
	} else {
		EXPECT_TRUE(refused(self, INVAL, self->ste0,
				    STE1_USUAL | STE1_EATS(1)));
	}
}

/*
 * On some SMMUs it is the guest's context descriptor that decides whether an
 * access which faults stalls: then it waits for an answer that nobody gives.
 */
TEST_F(table, stall_is_not_the_guests_choice)
{
	struct vhost_iommu_mock_config c;
	struct vhost_iommu_mock_nest nest;
	struct vmm *v = self->v;

	if (self->e.kind != DEV_MOCK) {
		ksft_print_msg("no emulator has an SMMU that stalls\n");
		return;
	}
	env_down(&self->e);
	env_init_table(&self->e, DEV_MOCK);
	mock_config_init(&c);
	c.idr[0] &= ~VHOST_IOMMU_MOCK_IDR0_STALL_MODEL;
	v->mock = &c;
	ASSERT_EQ(0, env_up(&self->e, 2));
	s1_usual(&self->s, v, 0, 1);
	s1_write_cd(&self->s, s1_cd0(&self->s) | CD0_S);
	ASSERT_ST(OK, attach(self, s1_ste0(&self->s), STE1_USUAL));
	ASSERT_EQ(0, mock_nest(self->e.dev[0], &nest));
	EXPECT_TRUE(nest.ste[1] & STE1_S1STALLD);
	dev_store(self->e.dev[0], IOVA, 64);
	EXPECT_EQ(VHOST_IOMMU_MOCK_DMA_BAD_CONFIG, self->e.dev[0]->status);
	/* A guest that wants no stalls is none the worse for it */
	s1_write_cd(&self->s, s1_cd0(&self->s));
	s1_map(&self->s, IOVA, RAM_GPA, PAGE, MAP_RW);
	ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	dev_store(self->e.dev[0], IOVA, 64);
	EXPECT_EQ(VHOST_IOMMU_MOCK_DMA_OK, self->e.dev[0]->status);
	/* What is compared with other endpoints' is what the guest has sent */
	EXPECT_ST(INVAL, g_attach_table(v, DOM, EP(1), s1_ste0(&self->s),
					STE1_USUAL ^ STE1_S1STALLD));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(1), s1_ste0(&self->s),
				     STE1_USUAL));
}

TEST_F(table, reserved_bytes)
{
	struct virtio_iommu_req_attach_table_arm good =
		attach_table_req(DOM, EP(0), self->ste0, STE1_USUAL), r;
	unsigned int i;

	for (i = 0; i < sizeof(r.reserved); i++) {
		r = good;
		r.reserved[i] = 1;
		EXPECT_ST(INVAL, attach_table_raw(self->v, &r));
	}
	for (i = 0; i < sizeof(r.reserved2); i++) {
		r = good;
		r.reserved2[i] = 0x80;
		EXPECT_EQ(INVAL, attach_table_raw(self->v, &r))
			TH_LOG("byte %zu", i + offsetof(typeof(r), reserved2));
	}
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, 0));
	EXPECT_EQ(0, domains(self->v));
	/* That of the head is ignored, as in every request */
	r = good;
	memset(r.head.reserved, 0xff, sizeof(r.head.reserved));
	EXPECT_ST(OK, attach_table_raw(self->v, &r));
}

TEST_F(table, format)
{
	struct virtio_iommu_req_attach_table_arm r =
		attach_table_req(DOM, EP(0), self->ste0, STE1_USUAL);
	unsigned int format;

	for (format = 0; format < 256; format++) {
		if (format == VIRTIO_IOMMU_FORMAT_ARM_SMMUV3)
			continue;
		r.format = format;
		EXPECT_EQ(UNSUPP, attach_table_raw(self->v, &r))
			TH_LOG("format %u", format);
	}
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(self->v, 0));
	EXPECT_EQ(0, domains(self->v));
}

TEST_F(table, endpoints_without_tables)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0));
	EXPECT_ST(UNSUPP, g_attach_table(v, DOM, EMU(0), self->ste0,
					 STE1_USUAL));
	EXPECT_ST(UNSUPP, g_attach_table(v, DOM, EMU(0), STE0_BYPASS, 0));
	/* A device that the VMM announced without a vIOMMU */
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	self->e.dev[0]->table = false;
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], -1, NULL, 0));
	self->e.dev[0]->table = true;
	EXPECT_ST(UNSUPP, attach(self, self->ste0, STE1_USUAL));
	EXPECT_EQ(0, domains(v));
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	/* Nor does it, or the emulated one, join others in a table domain */
	EXPECT_ST(OK, g_attach_table(v, DOM + 1, EP(1), self->ste0,
				     STE1_USUAL));
	EXPECT_ST(UNSUPP, g_attach_table(v, DOM + 1, EMU(0), self->ste0,
					 STE1_USUAL));
	EXPECT_ST(UNSUPP, g_attach_table(v, DOM + 1, EP(0), self->ste0,
					 STE1_USUAL));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 0));
}

TEST_F(table, unknown_endpoint)
{
	EXPECT_ST(NOENT, g_attach_table(self->v, DOM, 0xdead, self->ste0,
					STE1_USUAL));
	EXPECT_EQ(0, domains(self->v));
	EXPECT_ST(NOENT, g_inv(self->v, inv_domain(DOM, 3)));
}

TEST_F(table, domain_range)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, g_attach_table(v, 0, EP(0), self->ste0, STE1_USUAL));
	EXPECT_ST(OK, g_attach_table(v, 0xffff, EP(0), self->ste0,
				     STE1_USUAL));
	EXPECT_ST(INVAL, g_attach_table(v, 0x10000, EP(0), self->ste0,
					STE1_USUAL));
	EXPECT_ST(INVAL, g_attach_table(v, ~0u, EP(0), self->ste0,
					STE1_USUAL));
	/* A request that fails its checks changes nothing */
	EXPECT_ST(OK, g_inv(v, inv_domain(0xffff, 3)));
	ASSERT_EQ(0, vmm_set_running(v, false));
	v->features &= ~FEATURE(VIRTIO_IOMMU_F_DOMAIN_RANGE);
	ASSERT_EQ(0, vmm_set_features(v));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(OK, g_attach_table(v, ~0u, EP(0), self->ste0, STE1_USUAL));
	EXPECT_ST(OK, g_inv(v, inv_domain(~0u, 3)));
	EXPECT_ST(NOENT, g_inv(v, inv_domain(0xffff, 3)));
}

/* A domain is of one kind as long as it is there */
TEST_F(table, kinds_do_not_mix)
{
	struct vmm *v = self->v;

	/* Paging */
	EXPECT_ST(OK, g_attach(v, DOM, EP(1)));
	EXPECT_ST(INVAL, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(INVAL, attach(self, STE0_BYPASS, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 0));
	EXPECT_ST(INVAL, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_ST(INVAL, g_inv(v, inv_range(DOM, 1, IOVA, 1, 12, 0)));
	/* Nor for the endpoint that is its only one */
	EXPECT_ST(INVAL, g_attach_table(v, DOM, EP(1), self->ste0,
					STE1_USUAL));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 1));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_detach(v, DOM, EP(1)));
	/* Bypass */
	EXPECT_ST(OK, g_attach_flags(v, DOM, EP(1),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_ST(INVAL, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(INVAL, attach(self, STE0_BYPASS, 0));
	EXPECT_ST(INVAL, g_attach_table(v, DOM, EP(1), STE0_BYPASS, 0));
	EXPECT_ST(INVAL, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS_DOMAIN, state(v, 1));
	EXPECT_ST(OK, g_detach(v, DOM, EP(1)));
	/* Table */
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(INVAL, g_attach(v, DOM, EP(1)));
	EXPECT_ST(INVAL, g_attach_flags(v, DOM, EP(1),
					VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_ST(INVAL, g_attach(v, DOM, EP(0)));
	EXPECT_ST(INVAL, g_attach_flags(v, DOM, EP(0),
					VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 1));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(INVAL, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_ST(INVAL, g_unmap(v, DOM, 0, ~0ULL));
	/* And when it's gone, the ID is free */
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, state(v, 0));
}

TEST_F(table, endpoints_share_a_domain)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(1), self->ste0, STE1_USUAL));
	EXPECT_EQ(1, domains(v));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 1));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(OK, g_detach(v, DOM, EP(1)));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_EQ(0, domains(v));
}

TEST_F(table, sharing_takes_the_same_table)
{
	const struct {
		__u64 ste0;
		__u64 ste1;
	} other[] = {
		{ self->ste0 + 64, STE1_USUAL },
		{ self->ste0 ^ STE0_CFG(1), STE1_USUAL },
		{ STE0_BYPASS, STE1_USUAL },
		{ STE0_ABORT, STE1_USUAL },
		{ self->ste0, STE1_USUAL ^ STE1_S1DSS(1) },
		{ self->ste0, STE1_USUAL ^ STE1_S1CIR(2) },
		{ self->ste0, STE1_USUAL ^ STE1_S1COR(2) },
		{ self->ste0, STE1_USUAL ^ STE1_S1CSH(1) },
		{ self->ste0, STE1_USUAL ^ STE1_S1STALLD },
	};
	struct vmm *v = self->v;
	unsigned int i;

	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		EXPECT_EQ(INVAL, g_attach_table(v, DOM, EP(1), other[i].ste0,
						other[i].ste1))
			TH_LOG("STE 0x%llx 0x%llx", other[i].ste0,
			       other[i].ste1);
	}
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 1));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(1), self->ste0, STE1_USUAL));
	/* Nor can one of them have another later */
	EXPECT_ST(INVAL, attach(self, STE0_BYPASS, STE1_USUAL));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 0));
	EXPECT_EQ(1, domains(v));
	/* EATS is each endpoint's own */
	if (v->nest.idr[0] & IDR0_ATS)
		EXPECT_ST(OK, attach(self, self->ste0,
				     STE1_USUAL | STE1_EATS(1)));
}

TEST_F(table, only_endpoint_replaces_the_table)
{
	struct vmm *v = self->v;
	struct s1 t;

	s1_usual(&t, v, 1, 2);
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(OK, attach(self, STE0_BYPASS, 0));
	EXPECT_ST(OK, attach(self, STE0_ABORT, 0));
	EXPECT_ST(OK, attach(self, s1_ste0(&t), STE1_USUAL));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 0));
	EXPECT_EQ(1, domains(v));
	/* That one is what a second endpoint has to have */
	EXPECT_ST(INVAL, g_attach_table(v, DOM, EP(1), self->ste0,
					STE1_USUAL));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(1), s1_ste0(&t), STE1_USUAL));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	/* A replacement that is refused leaves the table as it was */
	EXPECT_ST(INVAL, g_attach_table(v, DOM, EP(1), 0, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 1));
	EXPECT_ST(OK, attach(self, s1_ste0(&t), STE1_USUAL));
}

TEST_F(table, detach)
{
	struct vmm *v = self->v;

	EXPECT_ST(INVAL, g_detach(v, DOM, EP(0)));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(INVAL, g_detach(v, DOM + 1, EP(0)));
	EXPECT_ST(INVAL, g_detach(v, DOM, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 0));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 0));
	EXPECT_ST(INVAL, g_detach(v, DOM, EP(0)));
	/* Out of a table domain, into the bypass of those without a domain */
	EXPECT_EQ(0, vmm_set_bypass(v, 1));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(v, 0));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(v, 1));
	EXPECT_EQ(0, vmm_set_bypass(v, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 0));
	EXPECT_EQ(0, vmm_set_bypass(v, 1));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS, state(v, 0));
}

/* Elsewhere is DETACH, then ATTACH, whatever the domains are */
TEST_F(table, elsewhere)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(OK, g_attach_table(v, DOM + 1, EP(0), self->ste0,
				     STE1_USUAL));
	EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM + 1, 3)));
	EXPECT_ST(OK, g_attach(v, DOM + 2, EP(0)));
	EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM + 1, 3)));
	EXPECT_ST(OK, g_map(v, DOM + 2, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(NOENT, g_unmap(v, DOM + 2, IOVA, IOVA + PAGE - 1));
	EXPECT_EQ(1, domains(v));
}

/* A vIOMMU's limit of domains is that of all kinds together */
TEST_F(table, domains_are_limited)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_set_limits(v, 1, 0, 0));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(NOMEM, g_attach_table(v, DOM + 1, EP(1), self->ste0,
					STE1_USUAL));
	EXPECT_ST(NOMEM, g_attach(v, DOM + 1, EP(1)));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 1));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_attach_table(v, DOM + 1, EP(1), self->ste0,
				     STE1_USUAL));
}

TEST_F(table, stop_and_start)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, state(v, 0));
	EXPECT_EQ(1, domains(v));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
}

TEST_F(table, reset)
{
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
		EXPECT_ST(OK, i == 0 ? g_attach(v, DOM + 1, EP(1)) :
			      g_attach_table(v, DOM + i - 1, EP(1),
					     self->ste0, STE1_USUAL));
		EXPECT_EQ(-EBUSY, vmm_reset(v));
		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(0, vmm_reset(v));
		EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 0));
		EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 1));
		EXPECT_EQ(0, domains(v));
		ASSERT_EQ(0, vmm_set_rings(v, 256));
		ASSERT_EQ(0, vmm_start(v));
		EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
	}
}

TEST_F(table, endpoint_removed)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(1), self->ste0, STE1_USUAL));
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	EXPECT_EQ(1, domains(v));
	EXPECT_ST(NOENT, attach(self, self->ste0, STE1_USUAL));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(1)));
	EXPECT_EQ(0, domains(v));
	EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], -1, NULL, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, state(v, 0));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
}

/* The list of what the guest may rely on is the VMM's; it's only passed on */
TEST_F(table, probe_property)
{
	struct virtio_iommu_probe_arm_smmuv3 p = {
		.head.type = htole16(VIRTIO_IOMMU_PROBE_T_ARM_SMMUV3),
		.head.length = htole16(52),
		.idr = { htole64(0x0d44101b), htole64(0x02730010), 0,
			 htole64(0x1414), 0, htole64(0x74) },
	};
	struct vmm *v = self->v;
	__u8 in[260];

	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], -1, &p,
				      sizeof(p)));
	EXPECT_ST(OK, g_probe(v, EP(0), in, sizeof(in)));
	EXPECT_EQ(0, memcmp(in, &p, sizeof(p)));
	EXPECT_ST(OK, attach(self, self->ste0, STE1_USUAL));
}

SUITE;
