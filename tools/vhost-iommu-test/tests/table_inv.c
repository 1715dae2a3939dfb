// SPDX-License-Identifier: GPL-2.0-only
/*
 * INVALIDATE: the status of every request, right or wrong.
 */
#include "suite.h"
#include "table.h"

#define DOM	1
#define ASID	7

#define C_PASID	VIRTIO_IOMMU_INV_C_PASID
#define C_TLB	VIRTIO_IOMMU_INV_C_TLB
#define F_LEAF	VIRTIO_IOMMU_INV_F_LEAF
#define F_PASID	VIRTIO_IOMMU_INV_F_PASID
#define F_ID	VIRTIO_IOMMU_INV_F_ID
#define F_GLOBAL VIRTIO_IOMMU_INV_F_GLOBAL

FIXTURE(inv)
{
	struct env e;
	struct vmm *v;
	struct s1 s;
};

KIND_VARIANTS(inv);
KIND_MOCK(inv);
KIND_EDU(inv);

FIXTURE_SETUP(inv)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	s1_usual(&self->s, self->v, 0, ASID);
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
}

FIXTURE_TEARDOWN(inv)
{
	env_down(&self->e);
}

static struct virtio_iommu_req_invalidate range(void)
{
	return inv_range(DOM, ASID, IOVA, 1, 12, F_LEAF);
}

TEST_F(inv, ok)
{
	struct vmm *v = self->v;
	unsigned int caches;
	struct virtio_iommu_req_invalidate r;

	for (caches = 1; caches < 4; caches++) {
		EXPECT_ST(OK, g_inv(v, inv_domain(DOM, caches)));
		r = inv_asid(DOM, ASID);
		r.caches = caches;
		EXPECT_ST(OK, g_inv(v, r));
	}
	EXPECT_ST(OK, g_inv(v, range()));
	EXPECT_ST(OK, g_inv(v, inv_range(DOM, ASID, IOVA, 1, 12, 0)));
	EXPECT_ST(OK, g_inv(v, inv_range(DOM, ASID, IOVA, 1, 12, F_GLOBAL)));
	EXPECT_ST(OK, g_inv(v, inv_range(DOM, ASID, IOVA, 1, 12,
					 F_GLOBAL | F_LEAF)));
	/* Whose ASID it is, and whether it's in use, is the guest's affair */
	EXPECT_ST(OK, g_inv(v, inv_asid(DOM, ASID + 1)));
	EXPECT_ST(OK, g_inv(v, inv_asid(DOM, 0)));
	EXPECT_ST(OK, g_inv(v, inv_asid(DOM, 0xffff)));
}

TEST_F(inv, without_an_asid)
{
	struct virtio_iommu_req_invalidate r = range();

	r.flags = htole16(F_LEAF);
	r.id = 0;
	EXPECT_ST(OK, g_inv(self->v, r));
	r = inv_asid(DOM, 0);
	r.flags = 0;
	EXPECT_ST(OK, g_inv(self->v, r));
	r.flags = htole16(F_GLOBAL);
	EXPECT_ST(OK, g_inv(self->v, r));
}

TEST_F(inv, domain_that_is_not_there)
{
	struct virtio_iommu_req_invalidate r = range();

	EXPECT_ST(NOENT, g_inv(self->v, inv_domain(DOM + 1, C_TLB)));
	EXPECT_ST(NOENT, g_inv(self->v, inv_domain(~0u, C_TLB)));
	r.domain = htole32(DOM + 1);
	EXPECT_ST(NOENT, g_inv(self->v, r));
	EXPECT_ST(NOENT, g_inv(self->v, inv_asid(DOM + 1, ASID)));
}

TEST_F(inv, scope)
{
	struct virtio_iommu_req_invalidate r = inv_domain(DOM, C_TLB);
	unsigned int scope;

	for (scope = 0; scope < 256; scope++) {
		if (scope >= 1 && scope <= 3)
			continue;
		r.scope = scope;
		EXPECT_EQ(INVAL, g_inv(self->v, r))
			TH_LOG("scope %u", scope);
		/* With all that the other scopes need */
		r = range();
		r.scope = scope;
		EXPECT_EQ(INVAL, g_inv(self->v, r))
			TH_LOG("scope %u", scope);
		r = inv_domain(DOM, C_TLB);
	}
}

TEST_F(inv, caches)
{
	unsigned int caches;
	struct virtio_iommu_req_invalidate r;

	for (caches = 0; caches < 256; caches++) {
		int want = caches >= 1 && caches <= 3 ? OK : INVAL;

		EXPECT_EQ(want, g_inv(self->v, inv_domain(DOM, caches)))
			TH_LOG("caches 0x%x", caches);
		r = inv_asid(DOM, ASID);
		r.caches = caches;
		EXPECT_EQ(want, g_inv(self->v, r))
			TH_LOG("caches 0x%x of an ASID", caches);
		/* Context descriptors have no address */
		r = range();
		r.caches = caches;
		EXPECT_EQ(caches == C_TLB ? OK : INVAL, g_inv(self->v, r))
			TH_LOG("caches 0x%x of an address", caches);
	}
}

TEST_F(inv, flags)
{
	unsigned int bit;
	struct virtio_iommu_req_invalidate r;

	for (bit = 4; bit < 16; bit++) {
		r = range();
		r.flags |= htole16(1u << bit);
		EXPECT_EQ(INVAL, g_inv(self->v, r))
			TH_LOG("flag bit %u", bit);
		r = inv_domain(DOM, C_TLB);
		r.flags |= htole16(1u << bit);
		EXPECT_EQ(INVAL, g_inv(self->v, r))
			TH_LOG("flag bit %u", bit);
	}
}

TEST_F(inv, reserved_bytes)
{
	unsigned int i;
	struct virtio_iommu_req_invalidate r;

	for (i = 0; i < sizeof(r.reserved); i++) {
		r = range();
		r.reserved[i] = 1;
		EXPECT_ST(INVAL, g_inv(self->v, r));
		r = inv_domain(DOM, C_TLB);
		r.reserved[i] = 0x80;
		EXPECT_ST(INVAL, g_inv(self->v, r));
	}
	/* That of the head is ignored, as in every request */
	r = range();
	memset(r.head.reserved, 0xff, sizeof(r.head.reserved));
	EXPECT_ST(OK, g_inv(self->v, r));
}

/* Any size of a page is one; what is no granule costs more, that's all */
TEST_F(inv, page_size)
{
	unsigned int size;
	struct virtio_iommu_req_invalidate r = range();

	r.address = 0;
	for (size = 0; size < 256; size++) {
		r.page_size = size;
		EXPECT_EQ(size < 64 ? OK : INVAL, g_inv(self->v, r))
			TH_LOG("page size %u", size);
	}
}

TEST_F(inv, size)
{
	struct vmm *v = self->v;
	static const struct {
		__u64 iova;
		__u64 nr;
		__u8 page_size;
		int want;
	} r[] = {
		{ IOVA, 0, 12, INVAL },
		{ 0, 0, 63, INVAL },
		/* Up to the very end, and beyond it */
		{ 0, 1ULL << 52, 12, OK },
		{ 0, (1ULL << 52) + 1, 12, INVAL },
		{ PAGE, (1ULL << 52) - 1, 12, OK },
		{ PAGE, 1ULL << 52, 12, INVAL },
		{ -PAGE, 1, 12, OK },
		{ -PAGE, 2, 12, INVAL },
		{ 1ULL << 63, 1, 63, OK },
		{ 1ULL << 63, 2, 63, INVAL },
		{ 0, 2, 63, OK },
		{ 0, 3, 63, INVAL },
		/* The size itself does not fit, or wraps to a small one */
		{ IOVA, ~0ULL, 12, INVAL },
		{ IOVA, (1ULL << 52) + 1, 12, INVAL },
		{ IOVA, 1ULL << 63, 1, INVAL },
		{ IOVA, ~0ULL, 0, INVAL },
		{ 0, ~0ULL, 0, OK },
		{ 1, ~0ULL, 0, OK },
		{ 2, ~0ULL, 0, INVAL },
		/* Where it begins need not be the begin of a page */
		{ IOVA + 1, 1, 12, OK },
		{ IOVA + PAGE, 1, 21, OK },
		{ IOVA + 1, 1, 30, OK },
		{ ~0ULL, 1, 0, OK },
		{ ~0ULL, 1, 12, INVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(r); i++) {
		EXPECT_EQ(r[i].want,
			  g_inv(v, inv_range(DOM, ASID, r[i].iova, r[i].nr,
					     r[i].page_size, F_LEAF)))
			TH_LOG("0x%llx, %llu pages of 2^%u", r[i].iova,
			       r[i].nr, r[i].page_size);
	}
}

TEST_F(inv, asid_of_more_than_16_bits)
{
	unsigned int bit;
	struct virtio_iommu_req_invalidate r;

	for (bit = 16; bit < 64; bit++) {
		r = range();
		r.id = htole64(1ULL << bit | ASID);
		EXPECT_EQ(INVAL, g_inv(self->v, r))
			TH_LOG("ID bit %u, an address", bit);
		r = inv_asid(DOM, ASID);
		r.id = htole64(1ULL << bit | ASID);
		EXPECT_EQ(INVAL, g_inv(self->v, r))
			TH_LOG("ID bit %u, an ASID", bit);
	}
}

TEST_F(inv, pasid_without_substreams)
{
	__u32 pasid[] = { 1, 0xfffff, 0x100000, ~0u };
	unsigned int i;
	struct virtio_iommu_req_invalidate r;

	if (IDR1_SSIDSIZE(self->v->nest.idr[1]))
		SKIP(return, "the SMMU has substreams");
	for (i = 0; i < ARRAY_SIZE(pasid); i++) {
		r = range();
		r.flags |= htole16(F_PASID);
		r.pasid = htole32(pasid[i]);
		EXPECT_ST(INVAL, g_inv(self->v, r));
		r = inv_asid(DOM, ASID);
		r.caches = C_PASID;
		r.flags |= htole16(F_PASID);
		r.pasid = htole32(pasid[i]);
		EXPECT_ST(INVAL, g_inv(self->v, r));
	}
}

/* What was there before and after is not what counts, but what is there */
TEST_F(inv, between_attaches)
{
	struct vmm *v = self->v;
	int status[5];

	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_ST(NOENT, g_inv(v, range()));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_BYPASS, 0));
	EXPECT_ST(OK, g_inv(v, range()));
	EXPECT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_ABORT, 0));
	EXPECT_ST(OK, g_inv(v, range()));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	/* In one kick, too */
	g_inv_add(v, range());
	g_inv_add(v, inv_domain(DOM + 1, 3));
	g_inv_add(v, inv_range(DOM, ASID, IOVA, 0, 12, 0));
	g_inv_add(v, inv_domain(DOM, 4));
	g_inv_add(v, inv_asid(DOM, ASID));
	ASSERT_EQ(0, g_batch_status(v, 5, status));
	EXPECT_ST(OK, status[0]);
	EXPECT_ST(NOENT, status[1]);
	EXPECT_ST(INVAL, status[2]);
	EXPECT_ST(INVAL, status[3]);
	EXPECT_ST(OK, status[4]);
}

/* Every combination of scope, caches and flags has an answer, and only one */
TEST_F_TIMEOUT(inv, all_combinations, 60)
{
	struct vmm_stats before, after;
	unsigned int scope, caches, flags, i, n = 0;
	int first, st;
	struct virtio_iommu_req_invalidate r;

	ASSERT_EQ(0, vmm_stats(self->v, &before));
	for (scope = 0; scope < 5; scope++)
		for (caches = 0; caches < 8; caches++)
			for (flags = 0; flags < 32; flags++)
				for (i = 0; i < 2; i++) {
					r = range();
					r.scope = scope;
					r.caches = caches;
					r.flags = htole16(flags);
					st = g_inv(self->v, r);
					n++;
					if (!i)
						first = st;
					EXPECT_EQ(first, st);
					EXPECT_TRUE(st == OK || st == INVAL)
						TH_LOG("%u 0x%x 0x%x: %s",
						       scope, caches, flags,
						       status_name(st));
				}
	ASSERT_EQ(0, vmm_stats(self->v, &after));
	EXPECT_EQ(n, after.requests[VIRTIO_IOMMU_T_INVALIDATE] -
		     before.requests[VIRTIO_IOMMU_T_INVALIDATE]);
	EXPECT_EQ(0, after.host_errors);
}

SUITE;
