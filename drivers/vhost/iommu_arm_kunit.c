// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vhost-iommu: tables of Arm SMMUv3, all but TLB commands
 */
#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "iommu_arm_kunit.h"

static const struct vhost_iommu_format *arm = &vhost_iommu_format_arm;

/* What of those above the tests rely on */
static void host_checks(struct kunit *test)
{
	static const struct {
		const struct vhost_iommu_hw *hw;
		u64 lo, hi;
		bool takes;
	} cases[] = {
		{ &hw_plain, TLBI_NSNH_ALL, 0, true },
		{ &hw_plain, TLBI_NSNH_ALL, 1, false },
		{ &hw_plain, 0x28, 0, false },
		{ &hw_plain, TLBI_NH_ASID | 0xffULL << 48, 0, true },
		{ &hw_plain, TLBI_NH_ASID | 0x100ULL << 48, 0, false },
		{ &hw_full, TLBI_NH_ASID | 0x100ULL << 48, 0, true },
		{ &hw_plain, TLBI_NH_VA, 0x1001, true },
		{ &hw_plain, TLBI_NH_VA, 0x1401, false },
		{ &hw_full, TLBI_NH_VA, 0x1401, false },
		{ &hw_full, TLBI_NH_VA, 0x1501, true },
		{ &hw_full, TLBI_NH_VA, 0x1901, false },
		{ &hw_full, TLBI_NH_VA | 0x1000, 0x1401, true },
		{ &hw_full, TLBI_NH_VA | 0x1000, 0x1001, false },
		{ &hw_full, TLBI_NH_VAA | 1ULL << 48, 0x1501, false },
		{ &hw_full, TLBI_NH_VA | BIT(25), 0x1501, false },
		{ &hw_plain, ATC_INV, ATC_SIZE_ALL, false },
		{ &hw_full, ATC_INV, ATC_SIZE_ALL, true },
		{ &hw_full, ATC_INV, ATC_SIZE_ALL + 1, false },
		{ &hw_lab, CFGI_CD | 0x1000, 0, false },
		{ &hw_full, CFGI_CD | 0x1000, 1, true },
		{ &hw_full, CFGI_CD_ALL, 1, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, host_takes(cases[i].hw, cases[i].lo,
						     cases[i].hi),
				    cases[i].takes, "case %u", i);
}

/* Offsets in the descriptor, which is at 13 in the request */
#define STE0_AT			3
#define STE1_AT			11

#define STE0_V			BIT_ULL(0)
#define STE0_CONFIG(n)		((u64)(n) << 1)
#define STE0_S1FMT(n)		((u64)(n) << 4)
#define STE0_S1CDMAX(n)		((u64)(n) << 59)
#define STE0_S1			(STE0_V | STE0_CONFIG(5))
#define STE0_BYPASS		(STE0_V | STE0_CONFIG(4))
#define STE0_ABORT		STE0_V
#define STE1_S1DSS(n)		((u64)(n))
#define STE1_S1CIR(n)		((u64)(n) << 2)
#define STE1_S1COR(n)		((u64)(n) << 4)
#define STE1_S1CSH(n)		((u64)(n) << 6)
#define STE1_S1STALLD		BIT_ULL(27)
#define STE1_EATS(n)		((u64)(n) << 28)

/* All bits that are a guest's: V, Config, S1Fmt, S1ContextPtr, S1CDMax */
#define STE0_GUEST		0xf80fffffffffffffULL
/* S1DSS, S1CIR, S1COR, S1CSH, S1STALLD, EATS */
#define STE1_GUEST		0x00000000380000ffULL

static u8 table_of(const struct vhost_iommu_hw *hw, u64 ste0, u64 ste1,
		   struct vhost_iommu_table *table)
{
	u8 descriptor[VHOST_IOMMU_DESCRIPTOR_LEN] = {};

	put_unaligned_le64(ste0, descriptor + STE0_AT);
	put_unaligned_le64(ste1, descriptor + STE1_AT);
	memset(table, 0xff, sizeof(*table));
	return arm->table(hw, descriptor, table);
}

static void table_status(struct kunit *test)
{
	static const struct {
		const struct vhost_iommu_hw *hw;
		u64 ste0, ste1;
		int status;
		bool ats;
	} cases[] = {
		/* One context descriptor, which is what most guests have */
		{ &hw_plain, STE0_S1 | 0x123456789ab40, 0, VIRTIO_IOMMU_S_OK },
		{ &hw_lab, STE0_S1 | 0xfffffffffffc0, STE1_S1DSS(2) |
		  STE1_S1CIR(1) | STE1_S1COR(1) | STE1_S1CSH(3) | STE1_S1STALLD,
		  VIRTIO_IOMMU_S_OK },
		{ &hw_plain, STE0_BYPASS, 0, VIRTIO_IOMMU_S_OK },
		{ &hw_plain, STE0_ABORT, 0, VIRTIO_IOMMU_S_OK },
		/* V */
		{ &hw_full, 0, 0, VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_CONFIG(5) | 0x1000, 0, VIRTIO_IOMMU_S_INVAL },
		/* Config: stage 2 is the host's, 1 to 3 are reserved */
		{ &hw_full, STE0_V | STE0_CONFIG(1), 0, VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_V | STE0_CONFIG(2), 0, VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_V | STE0_CONFIG(3), 0, VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_V | STE0_CONFIG(6), 0, VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_V | STE0_CONFIG(7), 0, VIRTIO_IOMMU_S_INVAL },
		/* S1CDMax */
		{ &hw_full, STE0_S1 | STE0_S1CDMAX(20), 0, VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_S1 | STE0_S1CDMAX(21), 0,
		  VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_S1 | STE0_S1CDMAX(31), 0,
		  VIRTIO_IOMMU_S_INVAL },
		{ &hw_lab, STE0_S1 | STE0_S1CDMAX(1), 0, VIRTIO_IOMMU_S_INVAL },
		/* S1Fmt */
		{ &hw_full, STE0_S1 | STE0_S1CDMAX(9) | STE0_S1FMT(1), 0,
		  VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_S1 | STE0_S1CDMAX(9) | STE0_S1FMT(2), 0,
		  VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_S1 | STE0_S1CDMAX(9) | STE0_S1FMT(3), 0,
		  VIRTIO_IOMMU_S_INVAL },
		{ &hw_plain, STE0_S1 | STE0_S1FMT(2), 0, VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_S1 | STE0_S1FMT(3), 0, VIRTIO_IOMMU_S_INVAL },
		/* S1DSS */
		{ &hw_full, STE0_S1, STE1_S1DSS(1), VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_S1, STE1_S1DSS(3), VIRTIO_IOMMU_S_INVAL },
		/* S1CIR, S1COR */
		{ &hw_full, STE0_S1, STE1_S1CIR(3) | STE1_S1COR(3),
		  VIRTIO_IOMMU_S_OK },
		/* S1CSH */
		{ &hw_full, STE0_S1, STE1_S1CSH(2), VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_S1, STE1_S1CSH(1), VIRTIO_IOMMU_S_INVAL },
		/* EATS */
		{ &hw_full, STE0_S1, STE1_EATS(1), VIRTIO_IOMMU_S_OK, true },
		{ &hw_full, STE0_S1, STE1_EATS(2), VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_S1, STE1_EATS(3), VIRTIO_IOMMU_S_INVAL },
		{ &hw_lab, STE0_S1, STE1_EATS(1), VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, STE0_BYPASS, STE1_EATS(1), VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_ABORT, STE1_EATS(1), VIRTIO_IOMMU_S_OK },
		{ &hw_full, STE0_BYPASS, STE1_EATS(2), VIRTIO_IOMMU_S_INVAL },
		/* What stage 1 does not use is not looked at */
		{ &hw_plain, STE0_BYPASS | STE0_S1CDMAX(31) | STE0_S1FMT(3),
		  STE1_S1DSS(3) | STE1_S1CSH(1), VIRTIO_IOMMU_S_OK },
	};
	struct vhost_iommu_table table;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 ste1 = cases[i].ste1 & ~STE1_EATS(3);

		KUNIT_EXPECT_EQ_MSG(test, table_of(cases[i].hw, cases[i].ste0,
						   cases[i].ste1, &table),
				    cases[i].status, "case %u", i);
		if (cases[i].status != VIRTIO_IOMMU_S_OK)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(table.data[0]),
				    cases[i].ste0, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(table.data[1]), ste1,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, table.ats, cases[i].ats, "case %u",
				    i);
		if (!cases[i].ats)
			continue;
		arm->host_table(&hw_full, &table);
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(table.data[0]),
				    cases[i].ste0, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(table.data[1]),
				    cases[i].ste1, "case %u", i);
	}
}

/* Where the guest's context descriptor could let an access stall, the entry forbids it */
static void table_stalls(struct kunit *test)
{
	static const struct {
		u32 idr0;
		u64 ste0;
		u64 ste1;
		u64 host;
	} cases[] = {
		{ 0, STE0_S1, 0, STE1_S1STALLD },
		{ 0, STE0_S1, STE1_S1STALLD, STE1_S1STALLD },
		{ 0, STE0_BYPASS, 0, 0 },
		{ 0, STE0_ABORT, 0, 0 },
		{ IDR0_NO_STALL, STE0_S1, 0, 0 },
		{ IDR0_STALL_FORCED, STE0_S1, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vhost_iommu_hw hw = { .idr[0] = cases[i].idr0 };
		struct vhost_iommu_table table = {};

		KUNIT_ASSERT_EQ(test, VIRTIO_IOMMU_S_OK,
				table_of(&hw, cases[i].ste0, cases[i].ste1,
					 &table));
		/* What the guest has sent is what further endpoints' is like */
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(table.data[1]),
				    cases[i].ste1, "case %u", i);
		arm->host_table(&hw, &table);
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(table.data[1]),
				    cases[i].host, "case %u", i);
	}
}

/* Each bit that is not the guest's, and each byte around the entry */
static void table_reserved(struct kunit *test)
{
	static const u64 configs[] = { STE0_S1, STE0_BYPASS, STE0_ABORT };
	u8 descriptor[VHOST_IOMMU_DESCRIPTOR_LEN] = {};
	struct vhost_iommu_table table;
	unsigned int i, k;

	for (k = 0; k < ARRAY_SIZE(configs); k++) {
		for (i = 0; i < 64; i++) {
			u64 bit = BIT_ULL(i);

			if (!(STE0_GUEST & bit))
				KUNIT_EXPECT_EQ_MSG(test,
						    table_of(&hw_full,
							     configs[k] | bit,
							     0, &table),
						    VIRTIO_IOMMU_S_INVAL,
						    "word 0, bit %u", i);
			if (!(STE1_GUEST & bit))
				KUNIT_EXPECT_EQ_MSG(test,
						    table_of(&hw_full,
							     configs[k], bit,
							     &table),
						    VIRTIO_IOMMU_S_INVAL,
						    "word 1, bit %u", i);
		}
	}

	put_unaligned_le64(STE0_S1, descriptor + STE0_AT);
	KUNIT_EXPECT_EQ(test, arm->table(&hw_full, descriptor, &table),
			VIRTIO_IOMMU_S_OK);
	for (i = 0; i < sizeof(descriptor); i++) {
		if (i >= STE0_AT && i < STE1_AT + 8)
			continue;
		descriptor[i] = 0x80;
		KUNIT_EXPECT_EQ_MSG(test,
				    arm->table(&hw_full, descriptor, &table),
				    VIRTIO_IOMMU_S_INVAL, "byte %u", i);
		descriptor[i] = 0;
	}
}

/* Linux' check of an entry, for whatever passes ours */
static bool host_takes_table(const struct vhost_iommu_table *table)
{
	u64 ste0 = le64_to_cpu(table->data[0]);
	u64 ste1 = le64_to_cpu(table->data[1]);
	u64 config = FIELD_GET(GENMASK_ULL(3, 1), ste0);

	if (!(ste0 & STE0_V))
		return true;
	return !(ste0 & ~STE0_GUEST) && !(ste1 & ~STE1_GUEST) &&
	       (config == 0 || config == 4 || config == 5) &&
	       FIELD_GET(GENMASK_ULL(29, 28), ste1) <= 1;
}

static void table_random(struct kunit *test)
{
	unsigned int round, nr_ok = 0;
	struct vhost_iommu_table table;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	for (round = 0; round < 20000; round++) {
		/* Mostly of legal bits: few would get any further otherwise */
		u64 ste0 = (rnd64(&rnd) & STE0_GUEST) | STE0_V;
		u64 ste1 = rnd64(&rnd) & STE1_GUEST;

		if (!(round % 16))
			ste0 ^= BIT_ULL(prandom_u32_state(&rnd) % 64);
		if (!(round % 15))
			ste1 ^= BIT_ULL(prandom_u32_state(&rnd) % 64);
		if (table_of(&hw_full, ste0, ste1, &table))
			continue;
		nr_ok++;
		arm->host_table(&hw_full, &table);
		KUNIT_ASSERT_TRUE_MSG(test, host_takes_table(&table),
				      "%llx %llx", ste0, ste1);
	}
	KUNIT_EXPECT_GT(test, nr_ok, 1000);
}

static void check_request(struct kunit *test)
{
	static const struct {
		const struct vhost_iommu_hw *hw;
		u32 flags, pasid;
		u64 id;
		int status;
	} cases[] = {
		{ &hw_plain, VIRTIO_IOMMU_INV_F_ID, 0, 0xff,
		  VIRTIO_IOMMU_S_OK },
		{ &hw_plain, VIRTIO_IOMMU_INV_F_ID, 0, 0x100,
		  VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, VIRTIO_IOMMU_INV_F_ID, 0, 0xffff,
		  VIRTIO_IOMMU_S_OK },
		{ &hw_full, VIRTIO_IOMMU_INV_F_ID, 0, 0x10000,
		  VIRTIO_IOMMU_S_INVAL },
		{ &hw_full, VIRTIO_IOMMU_INV_F_ID, 0, BIT_ULL(63),
		  VIRTIO_IOMMU_S_INVAL },
		/* Not an ASID unless the flag says so */
		{ &hw_plain, 0, 0, U64_MAX, VIRTIO_IOMMU_S_OK },
		{ &hw_full, VIRTIO_IOMMU_INV_F_PASID, 0xfffff, 0,
		  VIRTIO_IOMMU_S_OK },
		{ &hw_lab, VIRTIO_IOMMU_INV_F_PASID, 0, 0, VIRTIO_IOMMU_S_OK },
		{ &hw_lab, VIRTIO_IOMMU_INV_F_PASID, 1, 0,
		  VIRTIO_IOMMU_S_INVAL },
	};
	struct vhost_iommu_hw hw = hw_full;
	struct vhost_iommu_req req = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		req.flags = cases[i].flags;
		req.pasid = cases[i].pasid;
		req.id = cases[i].id;
		KUNIT_EXPECT_EQ_MSG(test, arm->check(cases[i].hw, &req),
				    cases[i].status, "case %u", i);
	}

	req.flags = VIRTIO_IOMMU_INV_F_PASID;
	for (i = 0; i < 20; i++) {
		hw.idr[1] = IDR1_SSIDSIZE(i);
		req.pasid = BIT(i) - 1;
		KUNIT_EXPECT_EQ_MSG(test, arm->check(&hw, &req),
				    VIRTIO_IOMMU_S_OK, "%u bits", i);
		req.pasid = BIT(i);
		KUNIT_EXPECT_EQ_MSG(test, arm->check(&hw, &req),
				    VIRTIO_IOMMU_S_INVAL, "%u bits", i);
	}
}

static void context(struct kunit *test)
{
	static const struct {
		u8 scope;
		u32 flags, pasid;
		u64 lo, hi;
	} cases[] = {
		{ VIRTIO_IOMMU_INV_S_DOMAIN, 0, 0, 0x89abcdef00000006, 0 },
		{ VIRTIO_IOMMU_INV_S_DOMAIN, VIRTIO_IOMMU_INV_F_LEAF, 0,
		  0x89abcdef00000006, 0 },
		{ VIRTIO_IOMMU_INV_S_DOMAIN, VIRTIO_IOMMU_INV_F_PASID, 5,
		  0x89abcdef00000006, 0 },
		{ VIRTIO_IOMMU_INV_S_PASID, VIRTIO_IOMMU_INV_F_PASID, 0,
		  0x89abcdef00000005, 0 },
		{ VIRTIO_IOMMU_INV_S_PASID, 0, 0, 0x89abcdef00000005, 0 },
		{ VIRTIO_IOMMU_INV_S_PASID, VIRTIO_IOMMU_INV_F_PASID, 0xfedcb,
		  0x89abcdeffedcb005, 0 },
		{ VIRTIO_IOMMU_INV_S_PASID, VIRTIO_IOMMU_INV_F_PASID |
		  VIRTIO_IOMMU_INV_F_LEAF, 1, 0x89abcdef00001005, 1 },
	};
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vhost_iommu_req req = {
			.scope = cases[i].scope,
			.caches = VIRTIO_IOMMU_INV_C_PASID,
			.flags = cases[i].flags,
			.pasid = cases[i].pasid,
		};

		arm->context(&req, 0x89abcdef, cmds);
		/* They are appended */
		KUNIT_ASSERT_EQ(test, cmds->nr, i + 1);
		KUNIT_EXPECT_EQ_MSG(test, cmd_lo(cmds, i), cases[i].lo,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cmd_hi(cmds, i), cases[i].hi,
				    "case %u", i);
		KUNIT_EXPECT_TRUE(test, host_takes(&hw_full, cases[i].lo,
						   cases[i].hi));
	}
}

/* What the endpoint with ID 0x1f is told */
static void device(struct kunit *test)
{
	static const struct {
		u8 scope, pasid_bits;
		u32 flags, pasid;
		u64 start, end;
		u64 lo, hi;
	} cases[] = {
		/* Without a PASID: all that is cached, of PASIDs as well */
		{ VIRTIO_IOMMU_INV_S_DOMAIN, 20, 0, 0, 0, 0,
		  0x1f00000040, 52 },
		{ VIRTIO_IOMMU_INV_S_DOMAIN, 20, VIRTIO_IOMMU_INV_F_PASID, 5,
		  0, 0, 0x1f00000040, 52 },
		{ VIRTIO_IOMMU_INV_S_PASID, 20, 0, 0, 0, 0,
		  0x1f00000040, 52 },
		{ VIRTIO_IOMMU_INV_S_PASID, 20, VIRTIO_IOMMU_INV_F_PASID, 0,
		  0, 0, 0x1f00000040, 52 },
		/* With one */
		{ VIRTIO_IOMMU_INV_S_PASID, 20, VIRTIO_IOMMU_INV_F_PASID, 5,
		  0, 0, 0x1f00005840, 52 },
		{ VIRTIO_IOMMU_INV_S_PASID, 20, VIRTIO_IOMMU_INV_F_PASID,
		  0xfffff, 0, 0, 0x1ffffff840, 52 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 1, VIRTIO_IOMMU_INV_F_PASID |
		  VIRTIO_IOMMU_INV_F_ID, 1, 0x5000, 0x5fff,
		  0x1f00001840, 0x5000 },
		{ VIRTIO_IOMMU_INV_S_PASID, 3, VIRTIO_IOMMU_INV_F_PASID, 7,
		  0, 0, 0x1f00007840, 52 },
		/* With one that the device can't have */
		{ VIRTIO_IOMMU_INV_S_PASID, 3, VIRTIO_IOMMU_INV_F_PASID, 8,
		  0, 0, 0x1f00000040, 52 },
		{ VIRTIO_IOMMU_INV_S_PASID, 0, VIRTIO_IOMMU_INV_F_PASID, 1,
		  0, 0, 0x1f00000040, 52 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, VIRTIO_IOMMU_INV_F_PASID, 1,
		  0x5000, 0x5fff, 0x1f00000040, 0x5000 },
		/* From here on: the ranges */
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0x5000, 0x5fff,
		  0x1f00000040, 0x5000 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0x8000, 0xbfff,
		  0x1f00000040, 0x8002 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0x7000, 0xafff,
		  0x1f00000040, 0x0004 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0x5800, 0x67ff,
		  0x1f00000040, 0x4002 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0x1234, 0x1234,
		  0x1f00000040, 0x1000 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, SZ_2M, 2 * SZ_2M - 1,
		  0x1f00000040, SZ_2M | 9 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0xfffffffffffff000,
		  U64_MAX, 0x1f00000040, 0xfffffffffffff000 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, BIT_ULL(63), U64_MAX,
		  0x1f00000040, BIT_ULL(63) | 51 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0, BIT_ULL(63) - 1,
		  0x1f00000040, 51 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, BIT_ULL(63) - 1,
		  BIT_ULL(63), 0x1f00000040, 52 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0, 0, 0, U64_MAX,
		  0x1f00000040, 52 },
	};
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vhost_iommu_req req = {
			.scope = cases[i].scope,
			.page_size = 12,
			.caches = VIRTIO_IOMMU_INV_C_TLB,
			.flags = cases[i].flags,
			.pasid = cases[i].pasid,
			.virt_start = cases[i].start,
			.virt_end = cases[i].end,
		};

		cmds->nr = 0;
		arm->device(&req, 0x1f, false, cases[i].pasid_bits, cmds);
		KUNIT_EXPECT_EQ_MSG(test, cmds->nr, 0, "case %u", i);
		arm->device(&req, 0x1f, true, cases[i].pasid_bits, cmds);
		KUNIT_EXPECT_EQ_MSG(test, cmds->nr, 1, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cmd_lo(cmds, 0), cases[i].lo,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cmd_hi(cmds, 0), cases[i].hi,
				    "case %u", i);
		KUNIT_EXPECT_TRUE(test, host_takes(&hw_full, cmd_lo(cmds, 0),
						   cmd_hi(cmds, 0)));
	}
}

/* Whole pages, or everything if the page size is one that no granule has */
static void device_page_sizes(struct kunit *test)
{
	static const struct {
		u64 start, end;
		u8 page_size, size;
		u64 at;
	} cases[] = {
		{ SZ_2M, 2 * SZ_2M - 1, 21, 9, SZ_2M },
		{ SZ_4K, SZ_2M + SZ_4K - 1, 21, 10, 0 },
		{ SZ_2M + 5, SZ_2M + 6, 12, 0, SZ_2M },
		{ SZ_1G, 2ULL * SZ_1G - 1, 30, 18, SZ_1G },
		{ SZ_16K, SZ_32K - 1, 14, 2, SZ_16K },
		{ SZ_4K, SZ_4K, 14, 2, 0 },
		{ SZ_32M, SZ_64M - 1, 25, 13, SZ_32M },
		{ SZ_64K, SZ_128K - 1, 16, 4, SZ_64K },
		{ SZ_64K + SZ_32K, SZ_128K - 1, 16, 4, SZ_64K },
		{ SZ_512M, SZ_1G - 1, 29, 17, SZ_512M },
		{ 0, 0, 0, ATC_SIZE_ALL, 0 },
		{ SZ_4K, SZ_4K, 11, ATC_SIZE_ALL, 0 },
		{ SZ_8K, SZ_16K - 1, 13, ATC_SIZE_ALL, 0 },
		{ SZ_1M, SZ_2M - 1, 20, ATC_SIZE_ALL, 0 },
		{ 0, BIT_ULL(63) - 1, 63, ATC_SIZE_ALL, 0 },
	};
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vhost_iommu_req req = {
			.scope = VIRTIO_IOMMU_INV_S_ADDRESS,
			.page_size = cases[i].page_size,
			.virt_start = cases[i].start,
			.virt_end = cases[i].end,
		};

		cmds->nr = 0;
		arm->device(&req, 1, true, 0, cmds);
		KUNIT_ASSERT_EQ(test, cmds->nr, 1);
		KUNIT_EXPECT_EQ_MSG(test, cmd_hi(cmds, 0),
				    cases[i].at | cases[i].size, "case %u", i);
	}
}

/* The smallest power of two of pages, aligned to itself, that has both ends */
static void device_random(struct kunit *test)
{
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	struct vhost_iommu_req req = {
		.scope = VIRTIO_IOMMU_INV_S_ADDRESS,
		.page_size = 12,
	};
	struct rnd_state rnd;
	unsigned int round;

	prandom_seed_state(&rnd, 2);
	for (round = 0; round < 20000; round++) {
		unsigned int shift = prandom_u32_state(&rnd) % 64;
		u64 size, mask, hi, at;

		req.virt_start = rnd64(&rnd);
		req.virt_end = req.virt_start + (rnd64(&rnd) >> shift);
		if (req.virt_end < req.virt_start)
			swap(req.virt_start, req.virt_end);
		cmds->nr = 0;
		arm->device(&req, 1, true, 0, cmds);
		KUNIT_ASSERT_EQ(test, cmds->nr, 1);
		hi = cmd_hi(cmds, 0);
		KUNIT_ASSERT_TRUE(test, host_takes(&hw_full, cmd_lo(cmds, 0),
						   hi));
		size = FIELD_GET(HI_ATC_SIZE, hi);
		at = hi & HI_ADDRESS;
		mask = size == ATC_SIZE_ALL ? U64_MAX :
					      BIT_ULL(size + 12) - 1;
		KUNIT_ASSERT_EQ(test, at & mask, 0);
		KUNIT_ASSERT_EQ(test, req.virt_start & ~mask, at);
		KUNIT_ASSERT_EQ(test, req.virt_end & ~mask, at);
		if (size)
			KUNIT_ASSERT_NE(test,
					req.virt_start & ~(mask >> 1),
					req.virt_end & ~(mask >> 1));
	}
}

static void event(struct kunit *test)
{
	static const struct {
		u64 word0, word1;
		u32 flags, pasid;
	} cases[] = {
		/* F_TRANSLATION: write, read, fetch; privileged; with PASID */
		{ 0x0000004500000010, 0, 0x102, 0 },
		{ 0x0000004500000010, BIT_ULL(35), 0x101, 0 },
		{ 0x0000004500000010, BIT_ULL(35) | BIT_ULL(34), 0x105, 0 },
		{ 0x0000004500000010, BIT_ULL(35) | BIT_ULL(33), 0x101, 0 },
		{ 0x0000004512345810, BIT_ULL(35), 0x301, 0x12345 },
		{ 0x0000004500000810, 0, 0x302, 0 },
		/* A substream that is not valid */
		{ 0x0000004512345010, 0, 0x102, 0 },
	};
	struct vhost_iommu_event ev;
	__le64 record[4];
	unsigned int i;

	KUNIT_EXPECT_EQ(test, arm->event_len, sizeof(record));
	KUNIT_EXPECT_LE(test, arm->event_len, VHOST_IOMMU_EVENT_MAX_LEN);
	record[2] = cpu_to_le64(0xfedcba9876543210);
	record[3] = cpu_to_le64(U64_MAX);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		record[0] = cpu_to_le64(cases[i].word0);
		record[1] = cpu_to_le64(cases[i].word1);
		memset(&ev, 0xff, sizeof(ev));
		arm->event(record, &ev);
		KUNIT_EXPECT_EQ_MSG(test, ev.virt_id, 0x45, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, ev.reason,
				    VIRTIO_IOMMU_FAULT_R_MAPPING, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, ev.flags, cases[i].flags, "case %u",
				    i);
		KUNIT_EXPECT_EQ_MSG(test, ev.pasid, cases[i].pasid, "case %u",
				    i);
		KUNIT_EXPECT_EQ_MSG(test, ev.address, 0xfedcba9876543210,
				    "case %u", i);
	}
}

static void event_types(struct kunit *test)
{
	struct vhost_iommu_event ev;
	__le64 record[4];
	unsigned int type;

	record[2] = cpu_to_le64(0x5000);
	record[3] = 0;
	for (type = 0; type < 256; type++) {
		u32 flags = VIRTIO_IOMMU_FAULT_F_PASID;
		u8 reason = VIRTIO_IOMMU_FAULT_R_UNKNOWN;

		switch (type) {
		case 0x02: /* C_BAD_STREAMID */
		case 0x03: /* F_STE_FETCH */
		case 0x04: /* C_BAD_STE */
		case 0x06: /* F_STREAM_DISABLED */
		case 0x08: /* C_BAD_SUBSTREAMID */
			reason = VIRTIO_IOMMU_FAULT_R_DOMAIN;
			break;
		case 0x10: /* F_TRANSLATION */
		case 0x11: /* F_ADDR_SIZE */
		case 0x12: /* F_ACCESS */
		case 0x13: /* F_PERMISSION */
			reason = VIRTIO_IOMMU_FAULT_R_MAPPING;
			flags |= VIRTIO_IOMMU_FAULT_F_READ |
				 VIRTIO_IOMMU_FAULT_F_ADDRESS;
			break;
		}
		record[0] = cpu_to_le64(0xffffffff00007800 | type);
		record[1] = cpu_to_le64(BIT_ULL(35));
		memset(&ev, 0xff, sizeof(ev));
		arm->event(record, &ev);
		KUNIT_EXPECT_EQ_MSG(test, ev.reason, reason, "type %x", type);
		KUNIT_EXPECT_EQ_MSG(test, ev.flags, flags, "type %x", type);
		KUNIT_EXPECT_EQ(test, ev.virt_id, U32_MAX);
		KUNIT_EXPECT_EQ(test, ev.pasid, 7);
		KUNIT_EXPECT_EQ(test, ev.address,
				reason == VIRTIO_IOMMU_FAULT_R_MAPPING ?
				0x5000 : 0);
	}
}

static void constants(struct kunit *test)
{
	struct vhost_iommu_hw hw = {};

	KUNIT_EXPECT_EQ(test, arm->id, 1);
	KUNIT_EXPECT_EQ(test, arm->data_len, 16);
	/* V and a Config of 0: abort */
	KUNIT_EXPECT_EQ(test, le64_to_cpu(arm->blocked.data[0]), 1);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(arm->blocked.data[1]), 0);
	KUNIT_EXPECT_FALSE(test, arm->blocked.ats);
	KUNIT_EXPECT_TRUE(test, host_takes_table(&arm->blocked));
	KUNIT_ASSERT_NOT_NULL(test, arm->flush);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(arm->flush->data[0]), TLBI_NSNH_ALL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(arm->flush->data[1]), 0);

	KUNIT_EXPECT_FALSE(test, arm->repeat(&hw));
	hw.flags = BIT(1);
	KUNIT_EXPECT_FALSE(test, arm->repeat(&hw));
	hw.flags = BIT(0);
	KUNIT_EXPECT_TRUE(test, arm->repeat(&hw));
}

static struct kunit_case vhost_iommu_arm_cases[] = {
	KUNIT_CASE(host_checks),
	KUNIT_CASE(table_status),
	KUNIT_CASE(table_stalls),
	KUNIT_CASE(table_reserved),
	KUNIT_CASE(table_random),
	KUNIT_CASE(check_request),
	KUNIT_CASE(context),
	KUNIT_CASE(device),
	KUNIT_CASE(device_page_sizes),
	KUNIT_CASE(device_random),
	KUNIT_CASE(event),
	KUNIT_CASE(event_types),
	KUNIT_CASE(constants),
	{}
};

static struct kunit_suite vhost_iommu_arm_suite = {
	.name = "vhost_iommu_arm",
	.test_cases = vhost_iommu_arm_cases,
};

kunit_test_suites(&vhost_iommu_arm_suite);
