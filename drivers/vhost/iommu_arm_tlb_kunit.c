// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vhost-iommu: TLB commands of Arm SMMUv3
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

#define INV_LEAF		VIRTIO_IOMMU_INV_F_LEAF
#define INV_ID			VIRTIO_IOMMU_INV_F_ID
#define INV_GLOBAL		VIRTIO_IOMMU_INV_F_GLOBAL

/* What a request means */
static void tlb_request(struct kunit *test)
{
	static const struct {
		struct vhost_iommu_req req;
		struct vhost_iommu_inv inv;
	} cases[] = {
		{ { .scope = VIRTIO_IOMMU_INV_S_DOMAIN, .flags = INV_ID,
		    .id = 5 }, { .scope = VHOST_IOMMU_INV_ALL } },
		{ { .scope = VIRTIO_IOMMU_INV_S_DOMAIN },
		  { .scope = VHOST_IOMMU_INV_ALL } },
		{ { .scope = VIRTIO_IOMMU_INV_S_PASID, .flags = INV_ID,
		    .id = 0xffff },
		  { .scope = VHOST_IOMMU_INV_ID, .id = 0xffff } },
		{ { .scope = VIRTIO_IOMMU_INV_S_PASID,
		    .flags = INV_ID | INV_GLOBAL, .id = 5 },
		  { .scope = VHOST_IOMMU_INV_ALL } },
		/* Without the flag it is no ASID */
		{ { .scope = VIRTIO_IOMMU_INV_S_PASID, .id = 5 },
		  { .scope = VHOST_IOMMU_INV_ALL } },
		{ { .scope = VIRTIO_IOMMU_INV_S_ADDRESS,
		    .flags = INV_ID | INV_LEAF, .id = 5, .page_size = 12,
		    .virt_start = 0x1000, .virt_end = 0x4fff },
		  { .scope = VHOST_IOMMU_INV_RANGE, .id = 5, .leaf = true,
		    .page_size = 12, .start = 0x1000, .last = 0x4fff } },
		{ { .scope = VIRTIO_IOMMU_INV_S_ADDRESS, .flags = INV_ID,
		    .id = 0, .page_size = 21, .virt_end = SZ_2M - 1 },
		  { .scope = VHOST_IOMMU_INV_RANGE, .page_size = 21,
		    .last = SZ_2M - 1 } },
		{ { .scope = VIRTIO_IOMMU_INV_S_ADDRESS,
		    .flags = INV_ID | INV_GLOBAL, .id = 5, .page_size = 12,
		    .virt_end = 0xfff },
		  { .scope = VHOST_IOMMU_INV_RANGE_ANY, .page_size = 12,
		    .last = 0xfff } },
		{ { .scope = VIRTIO_IOMMU_INV_S_ADDRESS, .flags = INV_LEAF,
		    .id = 5, .page_size = 12, .virt_end = 0xfff },
		  { .scope = VHOST_IOMMU_INV_RANGE_ANY, .leaf = true,
		    .page_size = 12, .last = 0xfff } },
		/* Whole pages, whatever the address is */
		{ { .scope = VIRTIO_IOMMU_INV_S_ADDRESS, .flags = INV_ID,
		    .id = 5, .page_size = 21, .virt_start = SZ_2M + 0x1234,
		    .virt_end = 2 * SZ_2M + 0x1233 },
		  { .scope = VHOST_IOMMU_INV_RANGE, .id = 5, .page_size = 21,
		    .start = SZ_2M, .last = 3 * SZ_2M - 1 } },
		{ { .scope = VIRTIO_IOMMU_INV_S_ADDRESS, .flags = INV_ID,
		    .id = 5, .page_size = 63, .virt_start = 1,
		    .virt_end = BIT_ULL(63) },
		  { .scope = VHOST_IOMMU_INV_RANGE, .id = 5, .page_size = 63,
		    .start = 0, .last = U64_MAX } },
		{ { .scope = VIRTIO_IOMMU_INV_S_ADDRESS, .flags = INV_ID,
		    .id = 5, .page_size = 0, .virt_start = 7, .virt_end = 9 },
		  { .scope = VHOST_IOMMU_INV_RANGE, .id = 5, .page_size = 0,
		    .start = 7, .last = 9 } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vhost_iommu_inv *want = &cases[i].inv;
		struct vhost_iommu_inv inv;

		memset(&inv, 0xff, sizeof(inv));
		arm->tlb(&cases[i].req, &inv);
		KUNIT_EXPECT_EQ_MSG(test, inv.scope, want->scope, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, inv.leaf, want->leaf, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, inv.page_size, want->page_size,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, inv.id, want->id, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, inv.start, want->start, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, inv.last, want->last, "case %u", i);
	}
}

#define RANGE(size, _leaf, _start, bytes) \
	{ .scope = VHOST_IOMMU_INV_RANGE, .id = 0x1234, .leaf = (_leaf), \
	  .page_size = (size), .start = (_start), \
	  .last = (u64)(_start) + (bytes) - 1 }
#define ANY(size, _leaf, _start, bytes) \
	{ .scope = VHOST_IOMMU_INV_RANGE_ANY, .leaf = (_leaf), \
	  .page_size = (size), .start = (_start), \
	  .last = (u64)(_start) + (bytes) - 1 }

/* With ASID 0x1234: NUM and SCALE in bits 16:12 and 24:20 */
#define VA(scale, num) \
	(0x1234000000000012 | (scale) << 20 | (num) << 12)
#define VAA(scale, num) \
	(0x13 | (scale) << 20 | (num) << 12)
#define WIDE			0x1234000000000011
#define MAX_RANGE		(31ULL << 31)

/* 4 KiB, 16 KiB and 64 KiB, with the level of the leaf in bits 9:8 */
#define TG_4K			0x400
#define TG_16K			0x800
#define TG_64K			0xc00
#define LEAF(level)		((level) << 8 | 1)

static const struct encoding {
	const struct vhost_iommu_hw *hw;
	struct vhost_iommu_inv inv;
	unsigned int nr;
	u64 cmd[3][2];
} encodings[] = {
	{ &hw_full, { .scope = VHOST_IOMMU_INV_ALL }, 1, { { 0x10, 0 } } },
	{ &hw_plain, { .scope = VHOST_IOMMU_INV_ALL }, 1, { { 0x10, 0 } } },
	{ &hw_full, { .scope = VHOST_IOMMU_INV_ID, .id = 0x1234 }, 1,
	  { { WIDE, 0 } } },
	{ &hw_plain, { .scope = VHOST_IOMMU_INV_ID, .id = 0x34 }, 1,
	  { { 0x0034000000000011, 0 } } },

	/* One page of 4 KiB; without a level it becomes two */
	{ &hw_full, RANGE(12, true, 0x12345000, SZ_4K), 1,
	  { { VA(0, 0), 0x12345701 } } },
	{ &hw_full, RANGE(12, false, 0x12345000, SZ_4K), 1,
	  { { VA(0, 1), 0x12345400 } } },
	{ &hw_full, ANY(12, true, 0x12345000, SZ_4K), 1,
	  { { VAA(0, 0), 0x12345701 } } },
	{ &hw_full, ANY(12, false, 0x12345000, SZ_4K), 1,
	  { { VAA(0, 1), 0x12345400 } } },
	/* At the top the other one is below */
	{ &hw_full, RANGE(12, true, 0xfffffffffffff000, SZ_4K), 1,
	  { { VA(0, 0), 0xfffffffffffff701 } } },
	{ &hw_full, RANGE(12, false, 0xfffffffffffff000, SZ_4K), 1,
	  { { VA(0, 1), 0xffffffffffffe400 } } },
	{ &hw_full, RANGE(12, false, 0xffffffffffffe000, SZ_4K), 1,
	  { { VA(0, 1), 0xffffffffffffe400 } } },
	{ &hw_full, RANGE(12, false, 0xffffffffffffe000, SZ_8K), 1,
	  { { VA(1, 0), 0xffffffffffffe400 } } },
	{ &hw_full, RANGE(14, false, 0xffffffffffffc000, SZ_16K), 1,
	  { { VA(0, 1), 0xffffffffffff8000 | TG_16K } } },
	{ &hw_full, RANGE(16, false, 0xffffffffffff0000, SZ_64K), 1,
	  { { VA(0, 1), 0xfffffffffffe0000 | TG_64K } } },

	/* More pages of 4 KiB */
	{ &hw_full, RANGE(12, true, SZ_1G, 31 * SZ_4K), 1,
	  { { VA(0, 30), SZ_1G | TG_4K | LEAF(3) } } },
	{ &hw_full, RANGE(12, true, SZ_1G, 32 * SZ_4K), 1,
	  { { VA(5, 0), SZ_1G | TG_4K | LEAF(3) } } },
	{ &hw_full, RANGE(12, true, SZ_1G, 33 * SZ_4K), 2,
	  { { VA(0, 0), SZ_1G | TG_4K | LEAF(3) },
	    { VA(5, 0), SZ_1G | SZ_4K | TG_4K | LEAF(3) } } },
	{ &hw_full, RANGE(12, false, SZ_1G, 33 * SZ_4K), 2,
	  { { VA(0, 1), SZ_1G | TG_4K },
	    { VA(5, 0), SZ_1G | SZ_4K | TG_4K } } },
	{ &hw_full, RANGE(12, true, SZ_1G, 1023 * SZ_4K), 2,
	  { { VA(0, 30), SZ_1G | TG_4K | LEAF(3) },
	    { VA(5, 30), (SZ_1G + 31 * SZ_4K) | TG_4K | LEAF(3) } } },
	{ &hw_full, RANGE(12, true, SZ_1M, SZ_1M), 1,
	  { { VA(8, 0), SZ_1M | TG_4K | LEAF(3) } } },
	{ &hw_full, RANGE(12, false, SZ_1M, SZ_1M), 1,
	  { { VA(8, 0), SZ_1M | TG_4K } } },

	/* Blocks, named in full */
	{ &hw_full, RANGE(21, true, SZ_2M, SZ_2M), 1,
	  { { VA(9, 0), SZ_2M | TG_4K | LEAF(2) } } },
	{ &hw_full, RANGE(21, false, SZ_2M, SZ_2M), 1,
	  { { VA(9, 0), SZ_2M | TG_4K } } },
	{ &hw_full, RANGE(21, true, 0, 3 * SZ_2M), 1,
	  { { VA(9, 2), TG_4K | LEAF(2) } } },
	{ &hw_full, RANGE(30, true, SZ_1G, SZ_1G), 1,
	  { { VA(18, 0), SZ_1G | TG_4K | LEAF(1) } } },
	{ &hw_full, RANGE(30, false, SZ_1G, SZ_1G), 1,
	  { { VA(18, 0), SZ_1G | TG_4K } } },
	{ &hw_full, RANGE(14, true, SZ_16K, SZ_16K), 1,
	  { { VA(0, 0), SZ_16K | TG_16K | LEAF(3) } } },
	{ &hw_full, RANGE(14, false, SZ_16K, SZ_16K), 1,
	  { { VA(0, 1), SZ_16K | TG_16K } } },
	{ &hw_full, RANGE(25, true, SZ_32M, SZ_32M), 1,
	  { { VA(11, 0), SZ_32M | TG_16K | LEAF(2) } } },
	{ &hw_full, RANGE(25, false, SZ_32M, SZ_32M), 1,
	  { { VA(11, 0), SZ_32M | TG_16K } } },
	{ &hw_full, RANGE(16, true, SZ_64K, SZ_64K), 1,
	  { { VA(0, 0), SZ_64K | TG_64K | LEAF(3) } } },
	{ &hw_full, RANGE(16, false, SZ_64K, SZ_64K), 1,
	  { { VA(0, 1), SZ_64K | TG_64K } } },
	{ &hw_full, RANGE(29, true, SZ_512M, SZ_512M), 1,
	  { { VA(13, 0), SZ_512M | TG_64K | LEAF(2) } } },
	{ &hw_full, RANGE(29, false, SZ_512M, SZ_512M), 1,
	  { { VA(13, 0), SZ_512M | TG_64K } } },

	/* The largest range there is, and one more page */
	{ &hw_full, RANGE(12, true, 0, MAX_RANGE << 12), 1,
	  { { VA(31ULL, 30), TG_4K | LEAF(3) } } },
	{ &hw_full, RANGE(12, true, 0, (MAX_RANGE + 1) << 12), 1,
	  { { WIDE, 0 } } },
	{ &hw_full, ANY(12, true, 0, (MAX_RANGE + 1) << 12), 1,
	  { { 0x10, 0 } } },
	/* Everything: one less than 2^52 is the number of pages, less one */
	{ &hw_full, RANGE(12, true, 0, 0), 1, { { WIDE, 0 } } },
	{ &hw_full, RANGE(16, false, 0, 0), 1, { { WIDE, 0 } } },

	/* Pages that there are none of, in general and in this SMMU */
	{ &hw_full, RANGE(13, true, 0, SZ_8K), 1, { { WIDE, 0 } } },
	{ &hw_full, ANY(13, true, 0, SZ_8K), 1, { { 0x10, 0 } } },
	{ &hw_plain, RANGE(14, true, 0, SZ_16K), 1, { { WIDE, 0 } } },
	{ &hw_plain, RANGE(29, true, 0, SZ_512M), 1, { { WIDE, 0 } } },
	{ &hw_plain, ANY(16, true, 0, SZ_64K), 1, { { 0x10, 0 } } },

	/* Without ranges: a list */
	{ &hw_no_ril, RANGE(12, true, 0x12345000, SZ_4K), 1,
	  { { VA(0, 0), 0x12345001 } } },
	{ &hw_no_ril, RANGE(12, false, 0x12345000, SZ_4K), 1,
	  { { VA(0, 0), 0x12345000 } } },
	{ &hw_no_ril, ANY(12, true, 0x12345000, SZ_4K), 1,
	  { { VAA(0, 0), 0x12345001 } } },
	{ &hw_no_ril, RANGE(12, false, 0xfffffffffffff000, SZ_4K), 1,
	  { { VA(0, 0), 0xfffffffffffff000 } } },
	{ &hw_no_ril, RANGE(12, true, 0, 3 * SZ_4K), 3,
	  { { VA(0, 0), 0x0001 }, { VA(0, 0), 0x1001 },
	    { VA(0, 0), 0x2001 } } },
	{ &hw_no_ril, RANGE(14, true, 0, 2 * SZ_16K), 2,
	  { { VA(0, 0), 0x0001 }, { VA(0, 0), 0x4001 } } },
	{ &hw_no_ril, RANGE(16, false, 0, 2 * SZ_64K), 2,
	  { { VA(0, 0), 0x00000 }, { VA(0, 0), 0x10000 } } },
	/* Too long a one: a block is named in full, too */
	{ &hw_no_ril, RANGE(12, true, 0, 64 * SZ_4K), 1, { { WIDE, 0 } } },
	{ &hw_no_ril, ANY(12, true, 0, 64 * SZ_4K), 1, { { 0x10, 0 } } },
	{ &hw_no_ril, RANGE(16, true, 0, 64 * SZ_64K), 1, { { WIDE, 0 } } },
	{ &hw_no_ril, RANGE(21, true, 0, SZ_2M), 1, { { WIDE, 0 } } },
	{ &hw_no_ril, RANGE(30, false, 0, SZ_1G), 1, { { WIDE, 0 } } },
	{ &hw_no_ril, RANGE(12, true, 0, 0), 1, { { WIDE, 0 } } },
};

static u64 cmd_tg(u64 hi)
{
	return FIELD_GET(HI_TG, hi);
}

static u64 cmd_ttl(u64 hi)
{
	return FIELD_GET(HI_TTL, hi);
}

static void tlb_encodings(struct kunit *test)
{
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	unsigned int i, k, l;

	for (i = 0; i < ARRAY_SIZE(encodings); i++) {
		const struct encoding *e = &encodings[i];

		cmds->nr = 0;
		arm->tlb_commands(e->hw, &e->inv, cmds);
		KUNIT_EXPECT_EQ_MSG(test, cmds->nr, e->nr, "case %u", i);
		for (k = 0; k < e->nr; k++) {
			for (l = 0; l < cmds->nr; l++)
				if (cmd_lo(cmds, l) == e->cmd[k][0] &&
				    cmd_hi(cmds, l) == e->cmd[k][1])
					break;
			KUNIT_EXPECT_LT_MSG(test, l, cmds->nr,
					    "case %u: no command %llx %llx, but %llx %llx",
					    i, e->cmd[k][0], e->cmd[k][1],
					    cmd_lo(cmds, 0), cmd_hi(cmds, 0));
		}
	}
}

/* What commands are appended to stays as it is */
static void tlb_append(struct kunit *test)
{
	static const struct vhost_iommu_inv inv = RANGE(12, true, 0,
							63 * SZ_4K);
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	unsigned int i;

	cmds->nr = VHOST_IOMMU_CALL_CMDS - 1;
	memset(cmds->cmd, 0xff, sizeof(cmds->cmd));
	arm->tlb_commands(&hw_no_ril, &inv, cmds);
	KUNIT_EXPECT_EQ(test, cmds->nr, VHOST_IOMMU_CALL_CMDS - 1 + 63);
	for (i = 0; i < ARRAY_SIZE(cmds->cmd); i++) {
		bool old = i < VHOST_IOMMU_CALL_CMDS - 1 || i >= cmds->nr;

		KUNIT_EXPECT_EQ_MSG(test, cmd_lo(cmds, i) == U64_MAX, old,
				    "%u", i);
	}
}

static const struct page_kind {
	u8 size, granule, level;
} page_kinds[] = {
	{ 12, 12, 3 }, { 21, 12, 2 }, { 30, 12, 1 },
	{ 14, 14, 3 }, { 25, 14, 2 },
	{ 16, 16, 3 }, { 29, 16, 2 },
};

/* Every size of pages, for every SMMU there can be */
static void tlb_page_sizes(struct kunit *test)
{
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	unsigned int i, size, granules, ranges, leaf;

	for (i = 0; i < 64 * 8 * 2 * 2; i++) {
		const struct page_kind *kind = NULL;
		struct vhost_iommu_hw hw = hw_no_ril;
		struct vhost_iommu_inv inv = {
			.scope = VHOST_IOMMU_INV_RANGE,
			.id = 1,
		};
		unsigned int k;
		u64 tg;

		leaf = i & 1;
		ranges = i >> 1 & 1;
		granules = i >> 2 & 7;
		size = i >> 5;
		for (k = 0; k < ARRAY_SIZE(page_kinds); k++)
			if (page_kinds[k].size == size)
				kind = &page_kinds[k];
		hw.idr[3] = ranges ? IDR3_RIL : 0;
		hw.idr[5] = granules << 4;
		inv.page_size = size;
		inv.leaf = leaf;
		inv.last = BIT_ULL(size) - 1;
		if (kind && !(granules & BIT((kind->granule - 12) / 2)))
			kind = NULL;

		cmds->nr = 0;
		arm->tlb_commands(&hw, &inv, cmds);
		KUNIT_ASSERT_EQ_MSG(test, cmds->nr, 1, "%x", i);
		KUNIT_EXPECT_TRUE_MSG(test,
				      host_takes(&hw, cmd_lo(cmds, 0),
						 cmd_hi(cmds, 0)), "%x", i);
		/* Without ranges a block is a long list of pages */
		if (!kind || (!ranges && kind->size != kind->granule)) {
			KUNIT_EXPECT_EQ_MSG(test, cmd_lo(cmds, 0),
					    0x0001000000000011, "%x", i);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, cmd_lo(cmds, 0) & LO_OP, TLBI_NH_VA,
				    "%x", i);
		tg = ranges ? (kind->granule - 10) / 2 : 0;
		KUNIT_EXPECT_EQ_MSG(test, cmd_tg(cmd_hi(cmds, 0)), tg, "%x", i);
		KUNIT_EXPECT_EQ_MSG(test, cmd_ttl(cmd_hi(cmds, 0)),
				    ranges && leaf ? kind->level : 0, "%x", i);
	}
}

/* The addresses that a command names */
static void cmd_span(u64 lo, u64 hi, u8 granule, u64 *first, u64 *last)
{
	u64 pages = 1;

	if (hi & HI_TG) {
		granule = 10 + 2 * cmd_tg(hi);
		pages = (FIELD_GET(LO_NUM, lo) + 1) << FIELD_GET(LO_SCALE, lo);
	}
	*first = hi & HI_ADDRESS;
	*last = *first + ((pages << granule) - 1);
}

static bool covered(const struct vhost_iommu_cmds *cmds, u8 granule,
		    const struct vhost_iommu_inv *inv)
{
	u64 at = inv->start, first, last;
	unsigned int i;

	for (;;) {
		for (i = 0; i < cmds->nr; i++) {
			cmd_span(cmd_lo(cmds, i), cmd_hi(cmds, i), granule,
				 &first, &last);
			if (first <= at && at <= last)
				break;
		}
		if (i == cmds->nr)
			return false;
		if (last >= inv->last)
			return true;
		at = last + 1;
	}
}

/* A range of a few pages or a great many, anywhere, also at the very end */
static void rnd_range(struct rnd_state *rnd, struct vhost_iommu_inv *inv)
{
	u64 most = U64_MAX >> inv->page_size, first, nr;

	first = (rnd64(rnd) & most) >> (prandom_u32_state(rnd) % 52);
	nr = rnd64(rnd) >> (12 + prandom_u32_state(rnd) % 52);
	nr = min(nr, most - first);
	if (!(prandom_u32_state(rnd) % 8))
		first = most - nr;
	inv->start = first << inv->page_size;
	inv->last = ((first + nr) << inv->page_size) |
		    (BIT_ULL(inv->page_size) - 1);
}

/*
 * The commands of a range name all of it, and nothing else but one page beside
 * a single one; or everything, if the range is too long.
 */
static void check_commands(struct kunit *test, const struct vhost_iommu_hw *hw,
			   const struct vhost_iommu_inv *inv,
			   const struct page_kind *kind,
			   const struct vhost_iommu_cmds *cmds)
{
	u64 op = inv->scope == VHOST_IOMMU_INV_RANGE ?
		 TLBI_NH_VA | (u64)inv->id << 48 : TLBI_NH_VAA;
	u64 wide = inv->scope == VHOST_IOMMU_INV_RANGE ?
		   TLBI_NH_ASID | (u64)inv->id << 48 : TLBI_NH_ALL;
	u64 pages = ((inv->last - inv->start) >> kind->granule) + 1;
	bool ranges = hw->idr[3] & IDR3_RIL;
	u64 slack = pages == 1 && ranges && !inv->leaf ?
		    BIT_ULL(kind->granule) : 0;
	unsigned int i;

	KUNIT_ASSERT_LE(test, cmds->nr, VHOST_IOMMU_INV_CMDS);
	for (i = 0; i < cmds->nr; i++)
		KUNIT_ASSERT_TRUE_MSG(test,
				      host_takes(hw, cmd_lo(cmds, i),
						 cmd_hi(cmds, i)),
				      "%llx %llx", cmd_lo(cmds, i),
				      cmd_hi(cmds, i));
	if (pages > (ranges ? MAX_RANGE : 63)) {
		KUNIT_ASSERT_EQ(test, cmds->nr, 1);
		KUNIT_ASSERT_EQ(test, cmd_lo(cmds, 0), wide);
		return;
	}
	if (ranges)
		KUNIT_ASSERT_LE(test, cmds->nr, 8);
	KUNIT_ASSERT_TRUE_MSG(test, covered(cmds, kind->granule, inv),
			      "%llx to %llx", inv->start, inv->last);
	for (i = 0; i < cmds->nr; i++) {
		u64 lo = cmd_lo(cmds, i), hi = cmd_hi(cmds, i), first, last;
		u64 before, behind;

		cmd_span(lo, hi, kind->granule, &first, &last);
		KUNIT_ASSERT_EQ(test, lo & ~(LO_NUM | LO_SCALE), op);
		KUNIT_ASSERT_EQ(test, hi & HI_LEAF, inv->leaf);
		KUNIT_ASSERT_LE(test, first, last);
		if (ranges) {
			KUNIT_ASSERT_EQ(test, cmd_tg(hi),
					(kind->granule - 10) / 2);
			KUNIT_ASSERT_EQ(test, cmd_ttl(hi),
					inv->leaf ? kind->level : 0);
		}
		/* The level says that there are whole pages of that level */
		if (hi & HI_TTL)
			KUNIT_ASSERT_EQ(test, (first | (last + 1)) &
					(BIT_ULL(kind->size) - 1), 0);
		KUNIT_ASSERT_EQ(test, first & (BIT_ULL(kind->granule) - 1), 0);
		before = first < inv->start ? inv->start - first : 0;
		behind = last > inv->last ? last - inv->last : 0;
		KUNIT_ASSERT_LE(test, before, slack);
		KUNIT_ASSERT_LE(test, behind, slack);
	}
}

static void tlb_coverage(struct kunit *test)
{
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	struct vhost_iommu_inv inv = {};
	unsigned int round;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 3);
	for (round = 0; round < 20000; round++) {
		const struct vhost_iommu_hw *hw = round % 4 ? &hw_full :
							      &hw_no_ril;
		const struct page_kind *kind = &page_kinds[round %
							   ARRAY_SIZE(page_kinds)];

		inv.scope = prandom_u32_state(&rnd) % 2 ?
			    VHOST_IOMMU_INV_RANGE : VHOST_IOMMU_INV_RANGE_ANY;
		inv.id = inv.scope == VHOST_IOMMU_INV_RANGE ?
			 (u16)prandom_u32_state(&rnd) : 0;
		inv.leaf = prandom_u32_state(&rnd) % 2;
		inv.page_size = kind->size;
		rnd_range(&rnd, &inv);
		cmds->nr = 0;
		arm->tlb_commands(hw, &inv, cmds);
		check_commands(test, hw, &inv, kind, cmds);
	}
}

/* An INVALIDATE request, at the offsets of the draft, often a good one */
static void rnd_request(struct rnd_state *rnd, u8 *raw)
{
	u32 bits = prandom_u32_state(rnd);
	struct vhost_iommu_inv inv = {
		.page_size = page_kinds[(bits >> 8) %
					ARRAY_SIZE(page_kinds)].size,
	};

	memset(raw, 0, 64);
	if (!(bits & 0xf))
		inv.page_size = bits >> 16 & 63;
	rnd_range(rnd, &inv);
	raw[0] = VIRTIO_IOMMU_T_INVALIDATE;
	raw[4] = bits >> 4 & 3;
	raw[5] = bits >> 6 & 3;
	raw[6] = bits >> 16 & 0xf;
	put_unaligned_le32(rnd64(rnd) >> (44 + (bits >> 20 & 15)), raw + 12);
	put_unaligned_le64(rnd64(rnd) >> (46 + (bits >> 24 & 15)), raw + 16);
	put_unaligned_le64(inv.start | (bits & 0x20 ? 0 : bits), raw + 24);
	put_unaligned_le64(((inv.last - inv.start) >> inv.page_size) + 1,
			   raw + 32);
	raw[40] = inv.page_size;
}

#define CHAIN_BATCH		16

/*
 * Whatever a guest asks for, whatever the SMMU has: from the bytes of requests
 * to commands, none is one that the host would refuse.
 */
static void request_chain(struct kunit *test)
{
	static const struct vhost_iommu_rules rules = {
		.features = BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE),
		.page_size_mask = SZ_4K,
	};
	struct vhost_iommu_cmds *cmds = cmds_alloc(test);
	unsigned int round, i, nr, nr_ok = 0;
	struct vhost_iommu_inv *inv;
	struct vhost_iommu_req req;
	struct rnd_state rnd;
	u8 raw[64] __aligned(8);

	inv = kunit_kcalloc(test, CHAIN_BATCH, sizeof(*inv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, inv);
	prandom_seed_state(&rnd, 4);
	for (round = 0; round < 2000; round++) {
		u32 bits = prandom_u32_state(&rnd);
		struct vhost_iommu_hw hw = {
			.idr = {
				[0] = bits & (IDR0_ATS | IDR0_ASID16),
				[1] = IDR1_SSIDSIZE(bits & 1 ? bits % 21 : 0),
				[3] = bits >> 3 & IDR3_RIL,
				[5] = bits >> 14 & IDR5_GRANULES,
			},
		};
		u8 pasid_bits = FIELD_GET(GENMASK(10, 6), hw.idr[1]);
		bool ats = hw.idr[0] & IDR0_ATS;

		for (i = 0, nr = 0; i < CHAIN_BATCH; i++) {
			unsigned int k;

			rnd_request(&rnd, raw);
			if (vhost_iommu_req_decode(&rules, raw, 60, 4, &req) ||
			    arm->check(&hw, &req))
				continue;
			nr_ok++;
			cmds->nr = 0;
			if (req.caches & VIRTIO_IOMMU_INV_C_PASID)
				arm->context(&req, U32_MAX, cmds);
			arm->device(&req, U32_MAX, ats, pasid_bits, cmds);
			if (req.caches & VIRTIO_IOMMU_INV_C_TLB)
				arm->tlb(&req, &inv[nr++]);
			for (k = 0; k < cmds->nr; k++) {
				KUNIT_ASSERT_TRUE(test,
						  host_takes(&hw,
							     cmd_lo(cmds, k),
							     cmd_hi(cmds, k)));
				KUNIT_ASSERT_EQ(test, cmd_lo(cmds, k) >> 32,
						U32_MAX);
			}
		}
		nr = vhost_iommu_inv_merge(inv, nr);
		for (i = 0; i < nr; i++) {
			unsigned int k;

			cmds->nr = 0;
			arm->tlb_commands(&hw, &inv[i], cmds);
			KUNIT_ASSERT_GE(test, cmds->nr, 1);
			KUNIT_ASSERT_LE(test, cmds->nr, VHOST_IOMMU_INV_CMDS);
			for (k = 0; k < cmds->nr; k++)
				KUNIT_ASSERT_TRUE_MSG(test,
						      host_takes(&hw,
								 cmd_lo(cmds, k),
								 cmd_hi(cmds, k)),
						      "%llx %llx",
						      cmd_lo(cmds, k),
						      cmd_hi(cmds, k));
		}
	}
	KUNIT_EXPECT_GT(test, nr_ok, 2000);
}

static struct kunit_case vhost_iommu_arm_tlb_cases[] = {
	KUNIT_CASE(tlb_request),
	KUNIT_CASE(tlb_encodings),
	KUNIT_CASE(tlb_append),
	KUNIT_CASE(tlb_page_sizes),
	KUNIT_CASE(tlb_coverage),
	KUNIT_CASE(request_chain),
	{}
};

static struct kunit_suite vhost_iommu_arm_tlb_suite = {
	.name = "vhost_iommu_arm_tlb",
	.test_cases = vhost_iommu_arm_tlb_cases,
};

kunit_test_suites(&vhost_iommu_arm_tlb_suite);
