// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vhost-iommu: decoding of the requests of table mode
 *
 * Requests are put together byte by byte, at the offsets of the draft: what is
 * tested here is the wire format, not how a header describes it.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "iommu_req.h"

#define F_DOMAIN_RANGE		BIT_ULL(1)
#define F_MAP_UNMAP		BIT_ULL(2)
#define F_ATTACH_TABLE		BIT_ULL(7)

#define T_MAP			3
#define T_UNMAP			4
#define T_ATTACH_TABLE		6
#define T_INVALIDATE		7

/* Readable parts: the tail has 4 bytes of the 128 and 64 */
#define ATTACH_TABLE_LEN	124
#define INVALIDATE_LEN		60

#define S_DOMAIN		1
#define S_PASID			2
#define S_ADDRESS		3
#define C_PASID			1
#define C_TLB			2
#define C_BOTH			3
#define INV_LEAF		1
#define INV_PASID		2
#define INV_ID			4
#define INV_GLOBAL		8

static const struct vhost_iommu_rules rules = {
	.features = F_DOMAIN_RANGE | F_ATTACH_TABLE,
	.page_size_mask = SZ_4K,
	.domain_start = 2,
	.domain_end = 10,
	.probe_size = 64,
};

static int decode(const u8 *raw, size_t len, struct vhost_iommu_req *req)
{
	return vhost_iommu_req_decode(&rules, raw, len, 4, req);
}

static void put_attach(u8 *raw, u32 domain, u32 endpoint, u8 format)
{
	memset(raw, 0, ATTACH_TABLE_LEN);
	raw[0] = T_ATTACH_TABLE;
	put_unaligned_le32(domain, raw + 4);
	put_unaligned_le32(endpoint, raw + 8);
	raw[12] = format;
}

static void attach_fields(struct kunit *test)
{
	u8 raw[VHOST_IOMMU_REQ_MAX_LEN] __aligned(8);
	struct vhost_iommu_req req;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, sizeof(raw), ATTACH_TABLE_LEN);
	KUNIT_ASSERT_EQ(test, VHOST_IOMMU_DESCRIPTOR_LEN, 111);

	put_attach(raw, 7, 0xabcd1234, 99);
	/* To be ignored */
	memset(raw + 1, 0xff, 3);
	for (i = 13; i < ATTACH_TABLE_LEN; i++)
		raw[i] = i;
	KUNIT_EXPECT_EQ(test, decode(raw, sizeof(raw), &req),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, req.type, T_ATTACH_TABLE);
	KUNIT_EXPECT_EQ(test, req.domain, 7);
	KUNIT_EXPECT_EQ(test, req.endpoint, 0xabcd1234);
	/* Which format an endpoint has is not known here */
	KUNIT_EXPECT_EQ(test, req.format, 99);
	KUNIT_EXPECT_EQ(test, req.tail, 0);
	KUNIT_EXPECT_EQ(test, req.flags, 0);
	KUNIT_EXPECT_MEMEQ(test, req.descriptor, raw + 13, 111);
}

static void attach_domain_range(struct kunit *test)
{
	static const struct {
		u32 domain;
		int status;
	} cases[] = {
		{ 0, VIRTIO_IOMMU_S_INVAL },
		{ 1, VIRTIO_IOMMU_S_INVAL },
		{ 2, VIRTIO_IOMMU_S_OK },
		{ 10, VIRTIO_IOMMU_S_OK },
		{ 11, VIRTIO_IOMMU_S_INVAL },
		{ U32_MAX, VIRTIO_IOMMU_S_INVAL },
	};
	struct vhost_iommu_rules any = rules;
	u8 raw[ATTACH_TABLE_LEN] __aligned(8);
	struct vhost_iommu_req req;
	unsigned int i;

	any.features = F_ATTACH_TABLE;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		put_attach(raw, cases[i].domain, 1, 1);
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req),
				    cases[i].status, "domain %u",
				    cases[i].domain);
		KUNIT_EXPECT_EQ(test, vhost_iommu_req_decode(&any, raw,
							     sizeof(raw), 4,
							     &req),
				VIRTIO_IOMMU_S_OK);
	}
}

/* Whatever is not one of the fields of @req is left as zeros */
static void put_inv(u8 *raw, const struct vhost_iommu_req *req, u64 pages)
{
	memset(raw, 0, INVALIDATE_LEN);
	raw[0] = T_INVALIDATE;
	raw[4] = req->scope;
	raw[5] = req->caches;
	put_unaligned_le16(req->flags, raw + 6);
	put_unaligned_le32(req->domain, raw + 8);
	put_unaligned_le32(req->pasid, raw + 12);
	put_unaligned_le64(req->id, raw + 16);
	put_unaligned_le64(req->virt_start, raw + 24);
	put_unaligned_le64(pages, raw + 32);
	raw[40] = req->page_size;
}

static const struct vhost_iommu_req by_address = {
	.scope = S_ADDRESS,
	.caches = C_TLB,
	.flags = INV_LEAF | INV_PASID | INV_ID | INV_GLOBAL,
	.domain = 5,
	.pasid = 0xfedcb,
	.id = 0x8877665544332211,
	.virt_start = 0x123456789abcd000,
	.page_size = 12,
};

static void inv_fields(struct kunit *test)
{
	u8 raw[INVALIDATE_LEN] __aligned(8);
	struct vhost_iommu_req req;

	put_inv(raw, &by_address, 2);
	/* To be ignored */
	memset(raw + 1, 0xff, 3);
	KUNIT_EXPECT_EQ(test, decode(raw, sizeof(raw), &req),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, req.type, T_INVALIDATE);
	KUNIT_EXPECT_EQ(test, req.scope, S_ADDRESS);
	KUNIT_EXPECT_EQ(test, req.caches, C_TLB);
	KUNIT_EXPECT_EQ(test, req.flags, 0xf);
	KUNIT_EXPECT_EQ(test, req.domain, 5);
	KUNIT_EXPECT_EQ(test, req.pasid, 0xfedcb);
	KUNIT_EXPECT_EQ(test, req.id, 0x8877665544332211);
	KUNIT_EXPECT_EQ(test, req.page_size, 12);
	KUNIT_EXPECT_EQ(test, req.virt_start, 0x123456789abcd000);
	KUNIT_EXPECT_EQ(test, req.virt_end, 0x123456789abcefff);
	KUNIT_EXPECT_EQ(test, req.tail, 0);

	/* The flag says whether the PASID is one */
	put_unaligned_le16(0, raw + 6);
	put_unaligned_le32(U32_MAX, raw + 12);
	KUNIT_EXPECT_EQ(test, decode(raw, sizeof(raw), &req),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, req.pasid, 0);

	/* A domain that is out of range does not exist: not found here */
	put_unaligned_le32(99, raw + 8);
	KUNIT_EXPECT_EQ(test, decode(raw, sizeof(raw), &req),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, req.domain, 99);
}

static void inv_status(struct kunit *test)
{
	static const struct {
		u8 scope, caches;
		u16 flags;
		u32 pasid;
		int status;
	} cases[] = {
		{ S_DOMAIN, C_PASID, 0, 0, VIRTIO_IOMMU_S_OK },
		{ S_DOMAIN, C_TLB, 0, 0, VIRTIO_IOMMU_S_OK },
		{ S_DOMAIN, C_BOTH, 0, 0, VIRTIO_IOMMU_S_OK },
		{ S_PASID, C_PASID, INV_PASID, 0, VIRTIO_IOMMU_S_OK },
		{ S_PASID, C_TLB, INV_PASID | INV_ID, 1, VIRTIO_IOMMU_S_OK },
		{ S_PASID, C_BOTH, INV_PASID, 0xfffff, VIRTIO_IOMMU_S_OK },
		{ S_PASID, C_PASID, INV_LEAF, 0, VIRTIO_IOMMU_S_OK },
		{ S_PASID, C_TLB, INV_GLOBAL, 0, VIRTIO_IOMMU_S_OK },
		{ S_ADDRESS, C_TLB, 0, 0, VIRTIO_IOMMU_S_OK },
		{ S_ADDRESS, C_TLB, INV_LEAF | INV_ID, 0, VIRTIO_IOMMU_S_OK },
		/* 20 bits are all a PASID can have */
		{ S_PASID, C_PASID, INV_PASID, 0x100000, VIRTIO_IOMMU_S_INVAL },
		{ S_PASID, C_TLB, INV_PASID, U32_MAX, VIRTIO_IOMMU_S_INVAL },
		{ S_DOMAIN, C_TLB, INV_PASID, U32_MAX, VIRTIO_IOMMU_S_INVAL },
		{ S_ADDRESS, C_TLB, INV_PASID, BIT(20), VIRTIO_IOMMU_S_INVAL },
		{ S_PASID, C_PASID, 0, U32_MAX, VIRTIO_IOMMU_S_OK },
		/* There has to be a cache, and a PASID table has no addresses */
		{ S_DOMAIN, 0, 0, 0, VIRTIO_IOMMU_S_INVAL },
		{ S_PASID, 0, INV_PASID, 0, VIRTIO_IOMMU_S_INVAL },
		{ S_ADDRESS, 0, 0, 0, VIRTIO_IOMMU_S_INVAL },
		{ S_ADDRESS, C_PASID, 0, 0, VIRTIO_IOMMU_S_INVAL },
		{ S_ADDRESS, C_BOTH, 0, 0, VIRTIO_IOMMU_S_INVAL },
	};
	u8 raw[INVALIDATE_LEN] __aligned(8);
	struct vhost_iommu_req in, req;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		in = by_address;
		in.scope = cases[i].scope;
		in.caches = cases[i].caches;
		in.flags = cases[i].flags;
		in.pasid = cases[i].pasid;
		put_inv(raw, &in, 1);
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req),
				    cases[i].status, "case %u", i);
		KUNIT_EXPECT_EQ(test, req.type, T_INVALIDATE);
	}
}

/* Each byte that has one, with every value */
static void inv_every_value(struct kunit *test)
{
	u8 raw[INVALIDATE_LEN] __aligned(8);
	struct vhost_iommu_req req;
	unsigned int at, value;

	put_inv(raw, &by_address, 1);
	for (value = 0; value < 256; value++) {
		int want;

		raw[4] = value;
		want = value >= S_DOMAIN && value <= S_ADDRESS ?
		       VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_INVAL;
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req), want,
				    "scope %u", value);
		raw[4] = S_DOMAIN;
		raw[5] = value;
		want = value >= C_PASID && value <= C_BOTH ?
		       VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_INVAL;
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req), want,
				    "caches %u", value);
		raw[4] = S_ADDRESS;
		raw[5] = C_TLB;
		raw[40] = value;
		put_unaligned_le64(0, raw + 24);
		want = value < 64 ? VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_INVAL;
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req), want,
				    "page size %u", value);
		raw[40] = 12;
	}
	for (value = 0; value < 16; value++) {
		put_unaligned_le16(BIT(value), raw + 6);
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req),
				    value < 4 ? VIRTIO_IOMMU_S_OK :
						VIRTIO_IOMMU_S_INVAL,
				    "flag %u", value);
	}
	put_unaligned_le16(0, raw + 6);
	for (at = 41; at < INVALIDATE_LEN; at++) {
		raw[at] = 0x80;
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req),
				    VIRTIO_IOMMU_S_INVAL, "reserved %u", at);
		raw[4] = S_DOMAIN;
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req),
				    VIRTIO_IOMMU_S_INVAL, "reserved %u", at);
		raw[4] = S_ADDRESS;
		raw[at] = 0;
	}
	KUNIT_EXPECT_EQ(test, decode(raw, sizeof(raw), &req),
			VIRTIO_IOMMU_S_OK);
}

static void inv_ranges(struct kunit *test)
{
	static const struct {
		u64 start, pages;
		u8 page_size;
		/* 0 if it is no range; no valid one ends at 0 but the last */
		u64 end;
	} cases[] = {
		{ 0, 1, 12, 0xfff },
		{ 0x1000, 16, 12, 0x10fff },
		{ 0, 1, 21, SZ_2M - 1 },
		{ SZ_1G, 3, 30, 4ULL * SZ_1G - 1 },
		/* Not aligned: what it means is up to the format */
		{ 0x123, 1, 12, 0x1122 },
		{ 5, 1, 1, 6 },
		/* All there is, in pages of every kind */
		{ 0, U64_MAX, 0, U64_MAX - 1 },
		{ 1, U64_MAX, 0, U64_MAX },
		{ 0, BIT_ULL(52), 12, U64_MAX },
		{ 0, BIT_ULL(34), 30, U64_MAX },
		{ 0, 2, 63, U64_MAX },
		{ BIT_ULL(63), 1, 63, U64_MAX },
		/* The last page */
		{ 0xfffffffffffff000, 1, 12, U64_MAX },
		{ 0xffffffffffff0000, 16, 12, U64_MAX },
		{ 0xffffffffffe00000, 1, 21, U64_MAX },
		{ U64_MAX, 1, 0, U64_MAX },
		/* None */
		{ 0, 0, 12, 0 },
		{ 0, 0, 0, 0 },
		{ 0, 0, 63, 0 },
		/* One too many */
		{ 2, U64_MAX, 0, 0 },
		{ 0, BIT_ULL(52) + 1, 12, 0 },
		{ 0x1000, BIT_ULL(52), 12, 0 },
		{ 0xfffffffffffff000, 2, 12, 0 },
		{ 0xfffffffffffff001, 1, 12, 0 },
		{ 0xffffffffffff0000, 17, 12, 0 },
		{ 0, 3, 63, 0 },
		{ 1, 2, 63, 0 },
		{ U64_MAX, 2, 0, 0 },
		/* Far too many */
		{ 0, U64_MAX, 12, 0 },
		{ 0, U64_MAX, 1, 0 },
		{ 0, U64_MAX, 63, 0 },
		{ 0, BIT_ULL(63), 63, 0 },
		{ U64_MAX, U64_MAX, 63, 0 },
		/* Pages whose number becomes a small one when it is shifted */
		{ 0, BIT_ULL(52) + 2, 12, 0 },
		{ 0, BIT_ULL(34) | 1, 30, 0 },
	};
	u8 raw[INVALIDATE_LEN] __aligned(8);
	struct vhost_iommu_req in, req;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int want = VIRTIO_IOMMU_S_OK;

		if (!cases[i].end)
			want = VIRTIO_IOMMU_S_INVAL;
		in = by_address;
		in.virt_start = cases[i].start;
		in.page_size = cases[i].page_size;
		put_inv(raw, &in, cases[i].pages);
		KUNIT_EXPECT_EQ_MSG(test, decode(raw, sizeof(raw), &req), want,
				    "case %u", i);
		if (!cases[i].end)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, req.virt_start, cases[i].start,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, req.virt_end, cases[i].end,
				    "case %u", i);
	}
}

/* Other scopes do not look at a range, good or bad */
static void inv_no_range(struct kunit *test)
{
	u8 raw[INVALIDATE_LEN] __aligned(8);
	struct vhost_iommu_req req;
	u8 scope;

	for (scope = S_DOMAIN; scope <= S_PASID; scope++) {
		put_inv(raw, &by_address, U64_MAX);
		raw[4] = scope;
		raw[40] = 255;
		KUNIT_EXPECT_EQ(test, decode(raw, sizeof(raw), &req),
				VIRTIO_IOMMU_S_OK);
		KUNIT_EXPECT_EQ(test, req.virt_start, 0);
		KUNIT_EXPECT_EQ(test, req.virt_end, 0);
		KUNIT_EXPECT_EQ(test, req.page_size, 0);
	}
}

static void table_short(struct kunit *test)
{
	static const struct {
		u8 type;
		size_t len;
	} full[] = {
		{ T_ATTACH_TABLE, ATTACH_TABLE_LEN },
		{ T_INVALIDATE, INVALIDATE_LEN },
	};
	u8 raw[ATTACH_TABLE_LEN] __aligned(8);
	struct vhost_iommu_req req;
	unsigned int i;
	size_t len, reply;

	for (i = 0; i < ARRAY_SIZE(full); i++) {
		if (full[i].type == T_ATTACH_TABLE)
			put_attach(raw, 5, 1, 1);
		else
			put_inv(raw, &by_address, 1);
		for (len = 0; len < full[i].len; len++)
			KUNIT_EXPECT_EQ_MSG(test, decode(raw, len, &req),
					    len < 4 ? -EMSGSIZE :
						      VIRTIO_IOMMU_S_INVAL,
					    "type %u length %zu", full[i].type,
					    len);
		for (; len <= sizeof(raw); len++)
			KUNIT_EXPECT_EQ_MSG(test, decode(raw, len, &req),
					    VIRTIO_IOMMU_S_OK,
					    "type %u length %zu", full[i].type,
					    len);
		for (reply = 0; reply < 8; reply++)
			KUNIT_EXPECT_EQ(test,
					vhost_iommu_req_decode(&rules, raw,
							       full[i].len,
							       reply, &req),
					reply < 4 ? -EMSGSIZE :
						    VIRTIO_IOMMU_S_OK);
	}
}

/* The two modes do not depend on each other */
static void table_features(struct kunit *test)
{
	static const struct {
		u64 features;
		bool map, table;
	} cases[] = {
		{ 0, false, false },
		{ F_MAP_UNMAP, true, false },
		{ F_ATTACH_TABLE, false, true },
		{ F_MAP_UNMAP | F_ATTACH_TABLE, true, true },
		{ ~F_ATTACH_TABLE, true, false },
	};
	u8 raw[ATTACH_TABLE_LEN] __aligned(8) = {};
	struct vhost_iommu_rules some = rules;
	struct vhost_iommu_req req;
	unsigned int i;
	u8 type;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		some.features = cases[i].features;
		for (type = T_MAP; type <= T_INVALIDATE; type++) {
			bool known = cases[i].table;
			int rc;

			if (type <= T_UNMAP)
				known = cases[i].map;
			else if (type < T_ATTACH_TABLE)
				continue;
			raw[0] = type;
			rc = vhost_iommu_req_decode(&some, raw, sizeof(raw), 4,
						    &req);
			if (known)
				KUNIT_EXPECT_GE_MSG(test, rc, 0,
						    "case %u type %u", i, type);
			else
				KUNIT_EXPECT_EQ_MSG(test, rc, -ENOMSG,
						    "case %u type %u", i, type);
			KUNIT_EXPECT_EQ(test, req.type, known ? type : 0);
		}
	}
}

static struct kunit_case vhost_iommu_table_cases[] = {
	KUNIT_CASE(attach_fields),
	KUNIT_CASE(attach_domain_range),
	KUNIT_CASE(inv_fields),
	KUNIT_CASE(inv_status),
	KUNIT_CASE(inv_every_value),
	KUNIT_CASE(inv_ranges),
	KUNIT_CASE(inv_no_range),
	KUNIT_CASE(table_short),
	KUNIT_CASE(table_features),
	{}
};

static struct kunit_suite vhost_iommu_table_suite = {
	.name = "vhost_iommu_table",
	.test_cases = vhost_iommu_table_cases,
};

kunit_test_suites(&vhost_iommu_table_suite);
