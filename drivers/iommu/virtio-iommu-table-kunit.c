// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what virtio-iommu with tables of the guest computes
 *
 * Expected values are numbers, not made of the constants that are tested:
 * offsets and bits are those of the wire format and of Arm IHI 0070.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/unaligned.h>

#include "virtio-iommu-table-arm.h"
#include "virtio-iommu-table-queue.h"
#include "virtio-iommu-table-wait.h"

/* The SMMUv3 of QEMU */
#define IDR0	0x0d44101b
#define IDR5	0x00000074

static u64 le64_at(const void *buf, size_t offset)
{
	return get_unaligned_le64(buf + offset);
}

static u32 le32_at(const void *buf, size_t offset)
{
	return get_unaligned_le32(buf + offset);
}

static u8 u8_at(const void *buf, size_t offset)
{
	return *(const u8 *)(buf + offset);
}

/* add_property - Append a property, return the size of the list */
static size_t add_property(void *props, size_t at, u16 type, u16 len)
{
	put_unaligned_le16(type, props + at);
	put_unaligned_le16(len, props + at + 2);
	return at + 4 + len;
}

static void probe_walk(struct kunit *test)
{
	const struct virtio_iommu_probe_property *prop;
	size_t offset = 0, size;
	u8 props[64] = {};

	size = add_property(props, 0, 1, 20);
	/* The upper four bits of the type are reserved */
	size = add_property(props, size, 0xf002, 8);
	size = add_property(props, size, 0x777, 0);

	prop = vtab_next_property(props, sizeof(props), &offset);
	KUNIT_EXPECT_PTR_EQ(test, (const void *)prop, (const void *)props);
	prop = vtab_next_property(props, sizeof(props), &offset);
	KUNIT_EXPECT_PTR_EQ(test, (const void *)prop,
			    (const void *)props + 24);
	prop = vtab_next_property(props, sizeof(props), &offset);
	KUNIT_EXPECT_PTR_EQ(test, (const void *)prop,
			    (const void *)props + 36);
	KUNIT_EXPECT_EQ(test, offset, size);
	KUNIT_EXPECT_NULL(test, vtab_next_property(props, sizeof(props),
						   &offset));
	KUNIT_EXPECT_NULL(test, vtab_next_property(props, sizeof(props),
						   &offset));
}

static void probe_walk_end(struct kunit *test)
{
	size_t offset;
	u8 props[64] = {};

	/* Nothing at all */
	offset = 0;
	KUNIT_EXPECT_NULL(test, vtab_next_property(props, 0, &offset));

	/* It fits exactly, and is 1 byte too long */
	add_property(props, 0, 1, 20);
	offset = 0;
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, vtab_next_property(props, 24,
							      &offset));
	KUNIT_EXPECT_NULL(test, vtab_next_property(props, 24, &offset));
	offset = 0;
	KUNIT_EXPECT_TRUE(test, IS_ERR(vtab_next_property(props, 23, &offset)));
	KUNIT_EXPECT_EQ(test, offset, 0);

	/* As long as it can be */
	add_property(props, 0, 1, U16_MAX);
	KUNIT_EXPECT_TRUE(test, IS_ERR(vtab_next_property(props, sizeof(props),
							  &offset)));

	/* No room for another header */
	add_property(props, 0, 1, 20);
	add_property(props, 24, 1, 0);
	offset = 0;
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, vtab_next_property(props, 27,
							      &offset));
	KUNIT_EXPECT_NULL(test, vtab_next_property(props, 27, &offset));
}

static int parse_resv(u16 len, u8 subtype, u64 start, u64 end,
		      struct vtab_resv *resv)
{
	u8 prop[24] = {};

	add_property(prop, 0, 1, len);
	prop[4] = subtype;
	put_unaligned_le64(start, prop + 8);
	put_unaligned_le64(end, prop + 16);
	return vtab_parse_resv((void *)prop, resv);
}

static void probe_resv(struct kunit *test)
{
	struct vtab_resv resv;

	KUNIT_EXPECT_EQ(test, parse_resv(20, 1, 0x8000000, 0x80fffff, &resv),
			0);
	KUNIT_EXPECT_TRUE(test, resv.msi);
	KUNIT_EXPECT_EQ(test, resv.start, 0x8000000);
	KUNIT_EXPECT_EQ(test, resv.last, 0x80fffff);

	KUNIT_EXPECT_EQ(test, parse_resv(20, 0, 1, U64_MAX, &resv), 0);
	KUNIT_EXPECT_FALSE(test, resv.msi);
	KUNIT_EXPECT_EQ(test, resv.start, 1);
	KUNIT_EXPECT_EQ(test, resv.last, U64_MAX);

	KUNIT_EXPECT_EQ(test, parse_resv(60, 77, 5, 5, &resv), 0);
	KUNIT_EXPECT_FALSE(test, resv.msi);

	KUNIT_EXPECT_EQ(test, parse_resv(19, 1, 0, 1, &resv), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse_resv(20, 1, 2, 1, &resv), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse_resv(20, 1, 0, U64_MAX, &resv), -EINVAL);
}

static const char *parse_idr(u64 idr0, u64 idr5, u64 sizes,
			     unsigned long page_size,
			     struct vtab_arm_caps *caps)
{
	u8 prop[56] = {};

	add_property(prop, 0, 2, 52);
	put_unaligned_le64(idr0, prop + 8);
	put_unaligned_le64(idr5, prop + 48);
	return vtab_arm_parse_idr((void *)prop, sizes, page_size, caps);
}

static void idr_caps(struct kunit *test)
{
	static const u8 oas[] = { 32, 36, 40, 42, 44, 48, 52, 52 };
	struct vtab_arm_caps caps;
	unsigned int i;

	KUNIT_ASSERT_NULL(test, parse_idr(IDR0, IDR5, ~0xfffULL, SZ_4K, &caps));
	KUNIT_EXPECT_EQ(test, caps.pgsizes, SZ_4K | SZ_2M | SZ_1G | SZ_16K |
			SZ_32M | SZ_64K | SZ_512M);
	KUNIT_EXPECT_EQ(test, caps.ias, 48);
	KUNIT_EXPECT_EQ(test, caps.oas, 44);
	KUNIT_EXPECT_EQ(test, caps.max_asid, 65535);
	KUNIT_EXPECT_FALSE(test, caps.ats);

	KUNIT_ASSERT_NULL(test, parse_idr(IDR0 & ~BIT(12), IDR5 | BIT(10),
					  ~0xfffULL, SZ_4K, &caps));
	KUNIT_EXPECT_EQ(test, caps.max_asid, 255);
	KUNIT_EXPECT_EQ(test, caps.ias, 52);

	KUNIT_ASSERT_NULL(test, parse_idr(IDR0 | BIT(10), IDR5, ~0xfffULL,
					  SZ_4K, &caps));
	KUNIT_EXPECT_TRUE(test, caps.ats);

	for (i = 0; i < ARRAY_SIZE(oas); i++) {
		KUNIT_ASSERT_NULL(test, parse_idr(IDR0, 0x70 | i, ~0xfffULL,
						  SZ_4K, &caps));
		KUNIT_EXPECT_EQ(test, caps.oas, oas[i]);
	}
}

static void idr_lacks(struct kunit *test)
{
	static const struct {
		u64 idr0;
		u64 idr5;
		bool works;
	} cases[] = {
		{ IDR0, IDR5, true },
		{ IDR0 & ~BIT(1), IDR5, false },	/* S1P */
		{ IDR0 & ~BIT(3), IDR5, false },	/* TTF: AArch32 only */
		{ IDR0 | BIT(2), IDR5, true },		/* TTF: both */
		{ IDR0 & ~BIT(4), IDR5, false },	/* COHACC */
		{ IDR0 | BIT(21), IDR5, false },	/* TTENDIAN: big */
		{ IDR0 & ~BIT(22), IDR5, true },	/* TTENDIAN: mixed */
		{ (IDR0 & ~BIT(24)) | BIT(25), IDR5, false },	/* STALL_MODEL */
		{ IDR0 & ~BIT(24), IDR5, true },
		{ IDR0, IDR5 & ~0x70, false },		/* no granule */
		{ 0, 0, false },
	};
	struct virtio_iommu_probe_arm_smmuv3 prop = {
		.head.length = cpu_to_le16(51),
		.idr[0] = cpu_to_le64(IDR0),
		.idr[5] = cpu_to_le64(IDR5),
	};
	struct vtab_arm_caps caps;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, !parse_idr(cases[i].idr0,
						     cases[i].idr5, ~0xfffULL,
						     SZ_4K, &caps),
				    cases[i].works, "case %u", i);

	KUNIT_EXPECT_NOT_NULL(test, vtab_arm_parse_idr(&prop.head, ~0xfffULL,
						       SZ_4K, &caps));
	prop.head.length = cpu_to_le16(52);
	KUNIT_EXPECT_NULL(test, vtab_arm_parse_idr(&prop.head, ~0xfffULL,
						   SZ_4K, &caps));
}

static void idr_page_sizes(struct kunit *test)
{
	static const struct {
		u64 idr5;
		u64 mask;
		unsigned long page_size;
		unsigned long pgsizes;
	} cases[] = {
		{ BIT(4), ~0xfffULL, SZ_4K, SZ_4K | SZ_2M | SZ_1G },
		{ BIT(4), SZ_4K | SZ_2M, SZ_4K, SZ_4K | SZ_2M },
		{ BIT(4), SZ_4K, SZ_4K, SZ_4K },
		{ BIT(4), SZ_4K, SZ_64K, SZ_4K },
		{ BIT(5), ~0xfffULL, SZ_16K, SZ_16K | SZ_32M },
		{ BIT(6), ~0xfffULL, SZ_64K, SZ_64K | SZ_512M },
		/* No granule that a page of the kernel consists of */
		{ BIT(5), ~0xfffULL, SZ_4K, 0 },
		{ BIT(6), ~0xfffULL, SZ_4K, 0 },
		{ BIT(4), SZ_2M | SZ_1G, SZ_4K, 0 },
		{ BIT(4), ~0xffffULL, SZ_64K, 0 },
	};
	struct vtab_arm_caps caps;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *lacks = parse_idr(IDR0, cases[i].idr5,
					      cases[i].mask,
					      cases[i].page_size, &caps);

		KUNIT_EXPECT_EQ_MSG(test, !lacks, !!cases[i].pgsizes,
				    "case %u", i);
		if (!lacks)
			KUNIT_EXPECT_EQ_MSG(test, caps.pgsizes,
					    cases[i].pgsizes, "case %u", i);
	}
}

static void idr_compatible(struct kunit *test)
{
	const struct io_pgtable_cfg cfg = {
		.pgsize_bitmap = SZ_4K | SZ_2M,
		.ias = 48,
		.oas = 44,
	};
	const struct vtab_arm_caps same = {
		.pgsizes = SZ_4K | SZ_2M | SZ_1G,
		.ias = 48,
		.oas = 44,
		.max_asid = 255,
	};
	struct vtab_arm_caps caps = same;

	KUNIT_EXPECT_TRUE(test, vtab_arm_can_use(&caps, &cfg, 255));
	KUNIT_EXPECT_FALSE(test, vtab_arm_can_use(&caps, &cfg, 256));
	caps.pgsizes = SZ_4K;
	KUNIT_EXPECT_FALSE(test, vtab_arm_can_use(&caps, &cfg, 1));
	caps = same;
	caps.ias = 47;
	KUNIT_EXPECT_FALSE(test, vtab_arm_can_use(&caps, &cfg, 1));
	caps = same;
	caps.oas = 40;
	KUNIT_EXPECT_FALSE(test, vtab_arm_can_use(&caps, &cfg, 1));
	caps.oas = 48;
	KUNIT_EXPECT_TRUE(test, vtab_arm_can_use(&caps, &cfg, 1));
}

static void ste_encoding(struct kunit *test)
{
	__le64 ste[2];

	/* V, Config 0b101, S1ContextPtr */
	vtab_arm_make_ste_s1(0xfedcba9876540ULL, ste);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ste[0]), 0xfedcba987654bULL);
	/* S1DSS 0b10, S1CIR and S1COR 0b01, S1CSH 0b11 */
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ste[1]), 0xd6);

	/* Config 0b100 */
	vtab_arm_make_ste_fixed(true, ste);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ste[0]), 0x9);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ste[1]), 0);

	/* Config 0b000 */
	vtab_arm_make_ste_fixed(false, ste);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ste[0]), 0x1);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ste[1]), 0);
}

static void cd_encoding(struct kunit *test)
{
	struct io_pgtable_cfg cfg = {};
	unsigned int i;
	__le64 cd[8];

	/* 4 KiB granule, 48 to 44 bits, write-back, inner shareable */
	cfg.arm_lpae_s1_cfg.tcr.tsz = 16;
	cfg.arm_lpae_s1_cfg.tcr.tg = 0;
	cfg.arm_lpae_s1_cfg.tcr.irgn = 1;
	cfg.arm_lpae_s1_cfg.tcr.orgn = 1;
	cfg.arm_lpae_s1_cfg.tcr.sh = 3;
	cfg.arm_lpae_s1_cfg.tcr.ips = 4;
	cfg.arm_lpae_s1_cfg.ttbr = 0xedcba98765000ULL;
	cfg.arm_lpae_s1_cfg.mair = 0xf404ff44;
	memset(cd, 0xff, sizeof(cd));
	vtab_arm_make_cd(&cfg, 0xabcd, cd);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(cd[0]), 0xabcde204c0003510ULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(cd[1]), 0xedcba98765000ULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(cd[3]), 0xf404ff44);
	for (i = 0; i < ARRAY_SIZE(cd); i++)
		if (i != 0 && i != 1 && i != 3)
			KUNIT_EXPECT_EQ(test, le64_to_cpu(cd[i]), 0);

	/* 64 KiB granule, 42 to 52 bits */
	cfg.arm_lpae_s1_cfg.tcr.tsz = 22;
	cfg.arm_lpae_s1_cfg.tcr.tg = 1;
	cfg.arm_lpae_s1_cfg.tcr.ips = 6;
	vtab_arm_make_cd(&cfg, 1, cd);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(cd[0]), 0x0001e206c0003556ULL);
}

static void attach_encoding(struct kunit *test)
{
	struct virtio_iommu_req_attach_table_arm req;
	const __le64 ste[] = {
		cpu_to_le64(0x1122334455667788ULL), cpu_to_le64(0xd6),
	};
	unsigned int i;

	KUNIT_EXPECT_EQ(test, sizeof(req), 128);
	memset(&req, 0xff, sizeof(req));
	vtab_arm_make_attach(0xd0d1d2d3, 0xe0e1e2e3, ste, false, &req);
	KUNIT_EXPECT_EQ(test, le32_at(&req, 0), 6);
	KUNIT_EXPECT_EQ(test, le32_at(&req, 4), 0xd0d1d2d3);
	KUNIT_EXPECT_EQ(test, le32_at(&req, 8), 0xe0e1e2e3);
	KUNIT_EXPECT_EQ(test, le32_at(&req, 12), 1);
	KUNIT_EXPECT_EQ(test, le64_at(&req, 16), 0x1122334455667788ULL);
	KUNIT_EXPECT_EQ(test, le64_at(&req, 24), 0xd6);
	for (i = 32; i < sizeof(req); i++)
		KUNIT_EXPECT_EQ_MSG(test, u8_at(&req, i), 0, "offset %u", i);

	/* EATS 0b01 */
	vtab_arm_make_attach(1, 2, ste, true, &req);
	KUNIT_EXPECT_EQ(test, le64_at(&req, 16), 0x1122334455667788ULL);
	KUNIT_EXPECT_EQ(test, le64_at(&req, 24), 0x100000d6);
}

/* expect_range - See that a request is about a range of addresses */
static void expect_range(struct kunit *test, const void *req, u16 flags,
			 u64 address, u64 nr_pages, u8 page_size)
{
	unsigned int i;

	/* Type 7; scope 3, caches 2, flags */
	KUNIT_EXPECT_EQ(test, le32_at(req, 0), 7);
	KUNIT_EXPECT_EQ(test, le32_at(req, 4), 0x0203 | flags << 16);
	KUNIT_EXPECT_EQ(test, le32_at(req, 8), 0xd0d1d2d3);
	KUNIT_EXPECT_EQ(test, le32_at(req, 12), 0);
	KUNIT_EXPECT_EQ(test, le64_at(req, 16), 0xabcd);
	KUNIT_EXPECT_EQ(test, le64_at(req, 24), address);
	KUNIT_EXPECT_EQ(test, le64_at(req, 32), nr_pages);
	KUNIT_EXPECT_EQ(test, u8_at(req, 40), page_size);
	for (i = 41; i < 64; i++)
		KUNIT_EXPECT_EQ_MSG(test, u8_at(req, i), 0, "offset %u", i);
}

static void inv_range(struct kunit *test)
{
	static const struct {
		u64 start;
		u64 size;
		unsigned long sizes;
		bool leaf;
		u16 flags;
		u64 nr_pages;
		u8 page_size;
	} cases[] = {
		/* One page, several, one block of each size */
		{ 0x123456789000, SZ_4K, SZ_4K, true, 5, 1, 12 },
		{ 0xfffff000, SZ_64K, SZ_4K, true, 5, 16, 12 },
		{ SZ_2M, SZ_2M, SZ_2M, true, 5, 1, 21 },
		{ SZ_1G, SZ_2G, SZ_1G, true, 5, 2, 30 },
		{ SZ_16K, SZ_32K, SZ_16K, true, 5, 2, 14 },
		{ SZ_32M, SZ_32M, SZ_32M, true, 5, 1, 25 },
		{ SZ_64K, SZ_64K, SZ_64K, true, 5, 1, 16 },
		{ SZ_512M, SZ_512M, SZ_512M, true, 5, 1, 29 },
		/* Sizes that differ: no level, thus no LEAF */
		{ SZ_2M - SZ_4K, SZ_2M + SZ_4K, SZ_4K | SZ_2M, true, 4, 513,
		  12 },
		{ 0, SZ_1G + SZ_2M, SZ_1G | SZ_2M, true, 4, 513, 21 },
		/* A table was freed */
		{ SZ_1G, SZ_2M, SZ_4K, false, 4, 512, 12 },
		{ SZ_1G, SZ_1G, SZ_4K, false, 4, 262144, 12 },
		/* All there is */
		{ 0, BIT_ULL(52), SZ_4K, true, 5, BIT_ULL(40), 12 },
	};
	struct virtio_iommu_req_invalidate req;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, sizeof(req), 64);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&req, 0xff, sizeof(req));
		vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, cases[i].start,
					cases[i].start + cases[i].size - 1,
					cases[i].sizes, cases[i].leaf, &req);
		expect_range(test, &req, cases[i].flags, cases[i].start,
			     cases[i].nr_pages, cases[i].page_size);
	}
}

static void inv_asid(struct kunit *test)
{
	struct virtio_iommu_req_invalidate req;
	unsigned int i;

	memset(&req, 0xff, sizeof(req));
	vtab_arm_make_inv_asid(0xd0d1d2d3, 0xabcd, &req);
	/* Type 7; scope 2, caches 2, ID valid */
	KUNIT_EXPECT_EQ(test, le32_at(&req, 0), 7);
	KUNIT_EXPECT_EQ(test, le32_at(&req, 4), 0x00040202);
	KUNIT_EXPECT_EQ(test, le32_at(&req, 8), 0xd0d1d2d3);
	KUNIT_EXPECT_EQ(test, le32_at(&req, 12), 0);
	KUNIT_EXPECT_EQ(test, le64_at(&req, 16), 0xabcd);
	for (i = 24; i < 64; i++)
		KUNIT_EXPECT_EQ_MSG(test, u8_at(&req, i), 0, "offset %u", i);
}

static void inv_gather(struct kunit *test)
{
	struct virtio_iommu_req_invalidate req;
	struct iommu_iotlb_gather gather;
	unsigned int i;

	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, gather.pgsize, 0);

	/* Adjacent pages, upwards */
	for (i = 0; i < 16; i++)
		vtab_gather_add(&gather, SZ_1M + i * SZ_4K, SZ_4K);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 5, SZ_1M, 16, 12);

	/* Pages with others in between, downwards */
	iommu_iotlb_gather_init(&gather);
	vtab_gather_add(&gather, 9 * SZ_4K, SZ_4K);
	vtab_gather_add(&gather, 0, SZ_4K);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 5, 0, 10, 12);

	/* Pages, a block, pages */
	iommu_iotlb_gather_init(&gather);
	vtab_gather_add(&gather, SZ_2M - SZ_4K, SZ_4K);
	vtab_gather_add(&gather, SZ_2M, SZ_2M);
	vtab_gather_add(&gather, SZ_4M, SZ_4K);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 4, SZ_2M - SZ_4K, 514, 12);

	/* Blocks only */
	iommu_iotlb_gather_init(&gather);
	vtab_gather_add(&gather, SZ_2M, SZ_2M);
	vtab_gather_add(&gather, SZ_4M, SZ_2M);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 5, SZ_2M, 2, 21);
}

/* As the page table tells of them: the tables first, then what they were for */
static void inv_gather_tables(struct kunit *test)
{
	struct virtio_iommu_req_invalidate req;
	struct iommu_iotlb_gather gather;
	unsigned int i;

	/* One table */
	iommu_iotlb_gather_init(&gather);
	vtab_gather_add_tables(&gather, SZ_1G, SZ_2M, SZ_4K);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 4, SZ_1G, 512, 12);
	vtab_gather_add(&gather, SZ_1G, SZ_2M);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 4, SZ_1G, 512, 12);

	/* One in the middle of blocks */
	iommu_iotlb_gather_init(&gather);
	vtab_gather_add_tables(&gather, SZ_4M, SZ_2M, SZ_4K);
	for (i = 1; i < 4; i++)
		vtab_gather_add(&gather, i * SZ_2M, SZ_2M);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 4, SZ_2M, 3 * 512, 12);

	/* A GiB of them, and pages before and after it */
	iommu_iotlb_gather_init(&gather);
	vtab_gather_add(&gather, SZ_1G - SZ_4K, SZ_4K);
	for (i = 0; i < 512; i++)
		vtab_gather_add_tables(&gather, SZ_1G + i * SZ_2M, SZ_2M,
				       SZ_4K);
	vtab_gather_add(&gather, SZ_2G, SZ_4K);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 4, SZ_1G - SZ_4K, 262146, 12);

	/* Another granule, two levels */
	iommu_iotlb_gather_init(&gather);
	vtab_gather_add_tables(&gather, SZ_512M, SZ_512M, SZ_64K);
	vtab_arm_make_inv_range(0xd0d1d2d3, 0xabcd, gather.start, gather.end,
				gather.pgsize, true, &req);
	expect_range(test, &req, 4, SZ_512M, 8192, 16);
}

static void status_errno(struct kunit *test)
{
	static const int expected[] = {
		0, -EIO, -ENODEV, -EIO, -EINVAL, -EINVAL, -ENODEV, -EINVAL,
		-ENOMEM, -EIO,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(expected); i++)
		KUNIT_EXPECT_EQ_MSG(test, vtab_errno(i), expected[i],
				    "status %u", i);
	KUNIT_EXPECT_EQ(test, vtab_errno(255), -EIO);
}

#define US	1000ULL
#define MS	(1000 * US)
#define TIMEOUT	(5000 * MS)

/* notified_at - Wait in steps until the device is to be notified, or the end */
static u64 notified_at(struct vtab_timer *timer, u64 *now, u64 step)
{
	enum vtab_wait what;

	do {
		*now += step;
		what = vtab_timer_step(timer, *now, TIMEOUT);
	} while (what == VTAB_WAIT_ON);
	return what == VTAB_WAIT_NOTIFY ? timer->waited : 0;
}

/* Somebody else should have notified the device */
static void wait_late(struct kunit *test)
{
	struct vtab_timer timer = {};
	u64 now = 77 * MS, at;

	vtab_timer_arm(&timer, false, TIMEOUT);
	at = notified_at(&timer, &now, 5 * US);
	KUNIT_EXPECT_GE(test, at, 50 * US);
	KUNIT_EXPECT_LE(test, at, 100 * US);
	at = notified_at(&timer, &now, 5 * MS);
	KUNIT_EXPECT_GE(test, at, TIMEOUT / 2);
	KUNIT_EXPECT_LE(test, at, TIMEOUT / 2 + 5 * MS);
	KUNIT_EXPECT_EQ(test, notified_at(&timer, &now, 5 * MS), 0);
	KUNIT_EXPECT_GT(test, timer.waited, TIMEOUT);
}

/* Who notified the device need not do it again soon */
static void wait_notified(struct kunit *test)
{
	struct vtab_timer timer = {};
	u64 now = 77 * MS, at;

	vtab_timer_arm(&timer, true, TIMEOUT);
	at = notified_at(&timer, &now, 5 * MS);
	KUNIT_EXPECT_GE(test, at, TIMEOUT / 2);
	KUNIT_EXPECT_LE(test, at, TIMEOUT / 2 + 5 * MS);
	KUNIT_EXPECT_EQ(test, notified_at(&timer, &now, 5 * MS), 0);
}

/* The time until there was a slot is not time that the request is late */
static void wait_slot(struct kunit *test)
{
	struct vtab_timer timer = {};
	u64 now = 77 * MS, at, waited;

	vtab_timer_arm(&timer, false, TIMEOUT);
	notified_at(&timer, &now, 5 * US);
	waited = timer.waited;
	vtab_timer_arm(&timer, false, TIMEOUT);
	at = notified_at(&timer, &now, 5 * US);
	KUNIT_EXPECT_GE(test, at, waited + 50 * US);
	KUNIT_EXPECT_LE(test, at, waited + 100 * US);
}

/* A machine that was paused for an hour has not waited for an hour */
static void wait_paused(struct kunit *test)
{
	struct vtab_timer timer = {};
	u64 now = 77 * MS;

	vtab_timer_arm(&timer, true, TIMEOUT);
	KUNIT_EXPECT_EQ(test, vtab_timer_step(&timer, now, TIMEOUT),
			VTAB_WAIT_ON);
	KUNIT_EXPECT_EQ(test, timer.waited, 0);
	KUNIT_EXPECT_EQ(test, vtab_timer_step(&timer, now + 3600 * 1000 * MS,
					      TIMEOUT), VTAB_WAIT_ON);
	KUNIT_EXPECT_EQ(test, timer.waited, 10 * MS);
}

static void queue_number(struct kunit *test)
{
	static const struct {
		unsigned int num_queues;
		unsigned int nr_cpus;
		unsigned int nr;
	} cases[] = {
		/* As many as the device has, as there are processors, as we use */
		{ 1, 1, 1 },
		{ 1, 64, 1 },
		{ 2, 64, 2 },
		{ 8, 2, 2 },
		{ 8, 1, 1 },
		{ 15, 64, 15 },
		{ 16, 16, 16 },
		{ 17, 64, 16 },
		{ 64, 64, 16 },
		{ 65535, 3, 3 },
		{ 65535, 8192, 16 },
		/* That is an error of the device */
		{ 0, 4, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, vtab_nr_queues(cases[i].num_queues,
							 cases[i].nr_cpus),
				    cases[i].nr, "case %u", i);
}

/* Each processor has a queue, and none has more processors than it must */
static void queue_choice(struct kunit *test)
{
	unsigned int nr, cpu, queue, i, users[16];

	for (nr = 1; nr <= ARRAY_SIZE(users); nr++) {
		memset(users, 0, sizeof(users));
		for (cpu = 0; cpu < 64; cpu++) {
			queue = vtab_cpu_queue(cpu, nr);
			KUNIT_ASSERT_LT(test, queue, nr);
			users[queue]++;
			if (cpu < nr)
				KUNIT_EXPECT_EQ(test, users[queue], 1);
		}
		for (i = 0; i < nr; i++) {
			KUNIT_EXPECT_GE(test, users[i], 64 / nr);
			KUNIT_EXPECT_LE(test, users[i], 64 / nr + 1);
		}
	}
}

/* Virtqueue 1 is the event queue */
static void queue_index(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, VTAB_EVENT_VQ, 1);
	KUNIT_EXPECT_EQ(test, vtab_queue_vq(0), 0);
	for (i = 1; i < 16; i++)
		KUNIT_EXPECT_EQ(test, vtab_queue_vq(i), i + 1);
}

static struct kunit_case vtab_cases[] = {
	KUNIT_CASE(probe_walk),
	KUNIT_CASE(probe_walk_end),
	KUNIT_CASE(probe_resv),
	KUNIT_CASE(idr_caps),
	KUNIT_CASE(idr_lacks),
	KUNIT_CASE(idr_page_sizes),
	KUNIT_CASE(idr_compatible),
	KUNIT_CASE(ste_encoding),
	KUNIT_CASE(cd_encoding),
	KUNIT_CASE(attach_encoding),
	KUNIT_CASE(inv_range),
	KUNIT_CASE(inv_asid),
	KUNIT_CASE(inv_gather),
	KUNIT_CASE(inv_gather_tables),
	KUNIT_CASE(status_errno),
	KUNIT_CASE(wait_late),
	KUNIT_CASE(wait_notified),
	KUNIT_CASE(wait_slot),
	KUNIT_CASE(wait_paused),
	KUNIT_CASE(queue_number),
	KUNIT_CASE(queue_choice),
	KUNIT_CASE(queue_index),
	{ }
};

static struct kunit_suite vtab_suite = {
	.name = "virtio_iommu_table",
	.test_cases = vtab_cases,
};

kunit_test_suite(vtab_suite);

MODULE_DESCRIPTION("KUnit tests of virtio-iommu with tables of the guest");
MODULE_LICENSE("GPL");
