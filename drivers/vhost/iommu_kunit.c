// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vhost-iommu's pure parts
 *
 * "granule" in the UNMAP examples is 4 KiB; the numbers are those of VIRTIO
 * 1.3, section 5.13.6.6.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <uapi/linux/virtio_iommu.h>

#include "iommu_map.h"
#include "iommu_req.h"

#define ALL_FEATURES	GENMASK_ULL(6, 0)
#define SZ_512G_IOVA	BIT_ULL(39)

static const struct vhost_iommu_rules all_rules = {
	.features = ALL_FEATURES,
	.page_size_mask = SZ_4K | SZ_2M,
	.input_start = SZ_1M,
	.input_end = SZ_1G - 1,
	.domain_start = 2,
	.domain_end = 10,
	.probe_size = 64,
};

static const struct vhost_iommu_rules no_rules = {
	.page_size_mask = SZ_4K,
};

static int decode(const struct vhost_iommu_rules *rules, const void *raw,
		  size_t len, size_t reply_len, struct vhost_iommu_req *req)
{
	return vhost_iommu_req_decode(rules, raw, len, reply_len, req);
}

static int decode_attach(const struct vhost_iommu_rules *rules,
			 const struct virtio_iommu_req_attach *raw,
			 struct vhost_iommu_req *req)
{
	return decode(rules, raw, offsetof(typeof(*raw), tail), 4, req);
}

static int decode_map(const struct vhost_iommu_rules *rules,
		      const struct virtio_iommu_req_map *raw,
		      struct vhost_iommu_req *req)
{
	return decode(rules, raw, offsetof(typeof(*raw), tail), 4, req);
}

static void req_attach(struct kunit *test)
{
	struct virtio_iommu_req_attach raw = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.head.reserved = { 1, 2, 3 },
		.domain = cpu_to_le32(2),
		.endpoint = cpu_to_le32(0xabcd),
		.flags = cpu_to_le32(VIRTIO_IOMMU_ATTACH_F_BYPASS),
	};
	struct vhost_iommu_rules rules = all_rules;
	struct vhost_iommu_req req;

	KUNIT_EXPECT_EQ(test, decode_attach(&rules, &raw, &req),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, req.type, VIRTIO_IOMMU_T_ATTACH);
	KUNIT_EXPECT_EQ(test, req.domain, 2);
	KUNIT_EXPECT_EQ(test, req.endpoint, 0xabcd);
	KUNIT_EXPECT_EQ(test, req.flags, VIRTIO_IOMMU_ATTACH_F_BYPASS);
	KUNIT_EXPECT_EQ(test, req.tail, 0);

	rules.features &= ~BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG);
	KUNIT_EXPECT_EQ(test, decode_attach(&rules, &raw, &req),
			VIRTIO_IOMMU_S_INVAL);
	raw.flags = cpu_to_le32(2);
	KUNIT_EXPECT_EQ(test, decode_attach(&all_rules, &raw, &req),
			VIRTIO_IOMMU_S_INVAL);
	raw.flags = 0;
	raw.reserved[3] = 1;
	KUNIT_EXPECT_EQ(test, decode_attach(&all_rules, &raw, &req),
			VIRTIO_IOMMU_S_INVAL);
}

static void req_domain_range(struct kunit *test)
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
	struct virtio_iommu_req_attach raw = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
	};
	struct vhost_iommu_req req;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		raw.domain = cpu_to_le32(cases[i].domain);
		KUNIT_EXPECT_EQ_MSG(test, decode_attach(&all_rules, &raw, &req),
				    cases[i].status, "domain %u",
				    cases[i].domain);
		KUNIT_EXPECT_EQ(test, decode_attach(&no_rules, &raw, &req),
				VIRTIO_IOMMU_S_OK);
	}
}

static void req_detach(struct kunit *test)
{
	struct virtio_iommu_req_detach raw = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = cpu_to_le32(99),
		.endpoint = cpu_to_le32(7),
		.reserved = { 1, 1, 1, 1, 1, 1, 1, 1 },
	};
	struct vhost_iommu_req req;

	KUNIT_EXPECT_EQ(test, decode(&all_rules, &raw,
				     offsetof(typeof(raw), tail), 4, &req),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, req.domain, 99);
	KUNIT_EXPECT_EQ(test, req.endpoint, 7);
}

static void req_map(struct kunit *test)
{
	static const struct {
		u64 start, end, phys;
		u32 flags;
		int status;
	} cases[] = {
		{ SZ_1M, SZ_1M + 0xfff, 0x5000, 3, VIRTIO_IOMMU_S_OK },
		{ SZ_1M, SZ_1G - 1, 0, 1, VIRTIO_IOMMU_S_OK },
		{ SZ_1M, SZ_1M + 0xfff, 0, 0, VIRTIO_IOMMU_S_OK },
		{ SZ_1M, SZ_1M + 0xfff, 0, 4, VIRTIO_IOMMU_S_OK },
		{ SZ_1M, SZ_1M + 0xfff, 0, 8, VIRTIO_IOMMU_S_INVAL },
		{ SZ_1M, SZ_1M - 1, 0, 1, VIRTIO_IOMMU_S_INVAL },
		{ SZ_2M, SZ_1M + 0xfff, 0, 1, VIRTIO_IOMMU_S_INVAL },
		{ SZ_1M + 1, SZ_1M + 0xfff, 0, 1, VIRTIO_IOMMU_S_RANGE },
		{ SZ_1M, SZ_1M + 0x1000, 0, 1, VIRTIO_IOMMU_S_RANGE },
		{ SZ_1M, SZ_1M + 0xfff, 0x800, 1, VIRTIO_IOMMU_S_RANGE },
		{ SZ_1M - SZ_4K, SZ_1M + 0xfff, 0, 1, VIRTIO_IOMMU_S_RANGE },
		{ SZ_1M, SZ_1G + 0xfff, 0, 1, VIRTIO_IOMMU_S_RANGE },
		{ SZ_1M, SZ_1M + 0x1fff, U64_MAX - 0xfff, 1,
		  VIRTIO_IOMMU_S_INVAL },
		{ SZ_1M, SZ_1M + 0xfff, U64_MAX - 0xfff, 1, VIRTIO_IOMMU_S_OK },
	};
	struct virtio_iommu_req_map raw = {
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = cpu_to_le32(5),
	};
	struct vhost_iommu_rules rules = all_rules;
	struct vhost_iommu_req req;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		raw.virt_start = cpu_to_le64(cases[i].start);
		raw.virt_end = cpu_to_le64(cases[i].end);
		raw.phys_start = cpu_to_le64(cases[i].phys);
		raw.flags = cpu_to_le32(cases[i].flags);
		KUNIT_EXPECT_EQ_MSG(test, decode_map(&all_rules, &raw, &req),
				    cases[i].status, "case %u", i);
		KUNIT_EXPECT_EQ(test, req.virt_start, cases[i].start);
		KUNIT_EXPECT_EQ(test, req.virt_end, cases[i].end);
		KUNIT_EXPECT_EQ(test, req.phys_start, cases[i].phys);
		KUNIT_EXPECT_EQ(test, req.flags, cases[i].flags);
		KUNIT_EXPECT_EQ(test, req.domain, 5);
	}

	/* The last page there is, and no input range */
	raw.virt_start = cpu_to_le64(U64_MAX - 0xfff);
	raw.virt_end = cpu_to_le64(U64_MAX);
	raw.phys_start = 0;
	raw.flags = cpu_to_le32(VIRTIO_IOMMU_MAP_F_MMIO);
	rules.features &= ~BIT_ULL(VIRTIO_IOMMU_F_INPUT_RANGE);
	KUNIT_EXPECT_EQ(test, decode_map(&rules, &raw, &req),
			VIRTIO_IOMMU_S_OK);
	rules.features &= ~BIT_ULL(VIRTIO_IOMMU_F_MMIO);
	KUNIT_EXPECT_EQ(test, decode_map(&rules, &raw, &req),
			VIRTIO_IOMMU_S_INVAL);

	/* A granule of 64 KiB */
	rules = all_rules;
	rules.page_size_mask = SZ_64K | SZ_2M;
	raw.virt_start = cpu_to_le64(SZ_1M);
	raw.virt_end = cpu_to_le64(SZ_1M + SZ_4K - 1);
	KUNIT_EXPECT_EQ(test, decode_map(&rules, &raw, &req),
			VIRTIO_IOMMU_S_RANGE);
	raw.virt_end = cpu_to_le64(SZ_1M + SZ_64K - 1);
	KUNIT_EXPECT_EQ(test, decode_map(&rules, &raw, &req),
			VIRTIO_IOMMU_S_OK);
}

static void req_unmap(struct kunit *test)
{
	struct virtio_iommu_req_unmap raw = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = cpu_to_le32(5),
		.virt_start = 0,
		.virt_end = cpu_to_le64(U64_MAX),
		.reserved = { 1, 2, 3, 4 },
	};
	struct vhost_iommu_req req;

	KUNIT_EXPECT_EQ(test, decode(&all_rules, &raw,
				     offsetof(typeof(raw), tail), 4, &req),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, req.virt_end, U64_MAX);
	raw.virt_start = cpu_to_le64(SZ_8K);
	raw.virt_end = cpu_to_le64(SZ_4K);
	KUNIT_EXPECT_EQ(test, decode(&all_rules, &raw,
				     offsetof(typeof(raw), tail), 4, &req),
			VIRTIO_IOMMU_S_INVAL);
}

static void req_short(struct kunit *test)
{
	static const struct {
		u8 type;
		size_t len, reply;
	} full[] = {
		{ VIRTIO_IOMMU_T_ATTACH, 20, 4 },
		{ VIRTIO_IOMMU_T_DETACH, 20, 4 },
		{ VIRTIO_IOMMU_T_MAP, 36, 4 },
		{ VIRTIO_IOMMU_T_UNMAP, 28, 4 },
		{ VIRTIO_IOMMU_T_PROBE, 72, 68 },
	};
	u8 raw[VHOST_IOMMU_REQ_MAX_LEN] __aligned(8) = {};
	struct vhost_iommu_req req;
	unsigned int i;
	size_t len;

	for (i = 0; i < ARRAY_SIZE(full); i++) {
		raw[0] = full[i].type;
		for (len = 0; len < full[i].len; len++)
			KUNIT_EXPECT_EQ_MSG(test,
					    decode(&all_rules, raw, len,
						   full[i].reply, &req),
					    len < 4 ? -EMSGSIZE :
						      VIRTIO_IOMMU_S_INVAL,
					    "type %u length %zu", raw[0], len);
		KUNIT_EXPECT_EQ(test, decode(&all_rules, raw, len,
					     full[i].reply - 1, &req),
				-EMSGSIZE);
		KUNIT_EXPECT_NE(test, decode(&all_rules, raw, len,
					     full[i].reply, &req),
				-EMSGSIZE);
		KUNIT_EXPECT_EQ(test, req.tail, full[i].reply - 4);
	}
}

static void req_types(struct kunit *test)
{
	u8 raw[VHOST_IOMMU_REQ_MAX_LEN] __aligned(8) = {};
	struct vhost_iommu_req req;
	unsigned int type;

	for (type = 0; type < 256; type++) {
		int rc;

		raw[0] = type;
		rc = decode(&all_rules, raw, sizeof(raw), 68, &req);
		if (type >= 1 && type <= 5) {
			KUNIT_EXPECT_GE(test, rc, 0);
			KUNIT_EXPECT_EQ(test, req.type, type);
		} else {
			KUNIT_EXPECT_EQ(test, rc, -ENOMSG);
			KUNIT_EXPECT_EQ(test, req.type, 0);
		}
		rc = decode(&no_rules, raw, sizeof(raw), 68, &req);
		if (type == 1 || type == 2)
			KUNIT_EXPECT_EQ(test, rc, VIRTIO_IOMMU_S_OK);
		else
			KUNIT_EXPECT_EQ(test, rc, -ENOMSG);
	}
}

struct probe_blob {
	struct virtio_iommu_probe_resv_mem mem[3];
} __packed;

static void probe_region(struct virtio_iommu_probe_resv_mem *mem, u8 subtype,
			 u64 start, u64 end)
{
	memset(mem, 0, sizeof(*mem));
	mem->head.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_RESV_MEM);
	mem->head.length = cpu_to_le16(sizeof(*mem) - sizeof(mem->head));
	mem->subtype = subtype;
	mem->start = cpu_to_le64(start);
	mem->end = cpu_to_le64(end);
}

static void probe_lists(struct kunit *test)
{
	struct vhost_iommu_resv resv[3];
	struct probe_blob blob;

	probe_region(&blob.mem[0], VIRTIO_IOMMU_RESV_MEM_T_MSI, 0x8000000,
		     0x80fffff);
	probe_region(&blob.mem[1], VIRTIO_IOMMU_RESV_MEM_T_RESERVED, 0, 0xfff);
	probe_region(&blob.mem[2], VIRTIO_IOMMU_RESV_MEM_T_RESERVED, SZ_1G,
		     U64_MAX);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(NULL, 0, resv, 3), 0);
	KUNIT_ASSERT_EQ(test, vhost_iommu_probe_check(&blob, sizeof(blob), resv,
						      3), 3);
	KUNIT_EXPECT_EQ(test, resv[0].start, 0x8000000);
	KUNIT_EXPECT_EQ(test, resv[0].last, 0x80fffff);
	KUNIT_EXPECT_TRUE(test, resv[0].msi);
	KUNIT_EXPECT_FALSE(test, resv[1].msi);
	KUNIT_EXPECT_EQ(test, resv[2].last, U64_MAX);

	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, sizeof(blob), resv,
						      2), -ENOSPC);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, sizeof(blob) - 1,
						      resv, 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, 2, resv, 3),
			-EINVAL);

	/* Type 0 ends the list; an unknown type is passed over */
	blob.mem[2].head.type = 0;
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, sizeof(blob), resv,
						      3), 2);
	blob.mem[1].head.type = cpu_to_le16(0x123);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, sizeof(blob), resv,
						      3), 1);
}

static void probe_bad(struct kunit *test)
{
	struct vhost_iommu_resv resv[3];
	struct probe_blob blob;

	probe_region(&blob.mem[0], VIRTIO_IOMMU_RESV_MEM_T_MSI, 0, 0xfff);
	probe_region(&blob.mem[1], VIRTIO_IOMMU_RESV_MEM_T_MSI, SZ_1M,
		     SZ_2M - 1);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, 48, resv, 3),
			-EINVAL);
	probe_region(&blob.mem[1], VIRTIO_IOMMU_RESV_MEM_T_RESERVED, 0xfff,
		     0x1fff);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, 48, resv, 3),
			-EINVAL);
	probe_region(&blob.mem[1], VIRTIO_IOMMU_RESV_MEM_T_RESERVED, 0x2000,
		     0x1fff);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, 48, resv, 3),
			-EINVAL);
	probe_region(&blob.mem[1], VIRTIO_IOMMU_RESV_MEM_T_RESERVED, 0x2000,
		     0x2fff);
	blob.mem[1].head.length = cpu_to_le16(8);
	KUNIT_EXPECT_EQ(test, vhost_iommu_probe_check(&blob, 48, resv, 3),
			-EINVAL);
}

static void errno_to_status(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vhost_iommu_errno_to_status(0),
			VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, vhost_iommu_errno_to_status(-ENOMEM),
			VIRTIO_IOMMU_S_NOMEM);
	KUNIT_EXPECT_EQ(test, vhost_iommu_errno_to_status(-ENOENT),
			VIRTIO_IOMMU_S_INVAL);
	KUNIT_EXPECT_EQ(test, vhost_iommu_errno_to_status(-EBUSY),
			VIRTIO_IOMMU_S_DEVERR);
	KUNIT_EXPECT_EQ(test, vhost_iommu_errno_to_status(-EINTR),
			VIRTIO_IOMMU_S_DEVERR);
}

static struct kunit_case vhost_iommu_req_cases[] = {
	KUNIT_CASE(req_attach),
	KUNIT_CASE(req_domain_range),
	KUNIT_CASE(req_detach),
	KUNIT_CASE(req_map),
	KUNIT_CASE(req_unmap),
	KUNIT_CASE(req_short),
	KUNIT_CASE(req_types),
	KUNIT_CASE(probe_lists),
	KUNIT_CASE(probe_bad),
	KUNIT_CASE(errno_to_status),
	{}
};

static struct kunit_suite vhost_iommu_req_suite = {
	.name = "vhost_iommu_req",
	.test_cases = vhost_iommu_req_cases,
};

static int tree_add(struct kunit *test, struct vhost_iommu_map_tree *tree,
		    u64 start, u64 last)
{
	struct vhost_iommu_map *map = kunit_kzalloc(test, sizeof(*map),
						    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, map);
	map->start = start;
	map->last = last;
	map->phys = start + SZ_1G;
	return vhost_iommu_map_insert(tree, map);
}

/* What UNMAP does to the tree: -ERANGE, or the number of mappings removed */
static int tree_unmap(struct vhost_iommu_map_tree *tree, u64 start, u64 last)
{
	struct vhost_iommu_map *map;
	int nr = 0;

	if (vhost_iommu_map_splits(tree, start, last))
		return -ERANGE;
	while ((map = vhost_iommu_map_first(tree, start, last))) {
		vhost_iommu_map_erase(tree, map);
		nr++;
	}
	return nr;
}

static void tree_examples(struct kunit *test)
{
	struct vhost_iommu_map_tree tree;

	/* (1) */
	vhost_iommu_map_tree_init(&tree);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 4), 0);
	/* (2) */
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 9), 0);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 9), 1);
	/* (3) */
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 4), 0);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 5, 9), 0);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 9), 2);
	/* (4) */
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 9), 0);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 4), -ERANGE);
	KUNIT_EXPECT_EQ(test, tree.count, 1);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 5, 12), -ERANGE);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 2, 7), -ERANGE);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, U64_MAX), 1);
	/* (5) */
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 4), 0);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 5, 9), 0);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 4), 1);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 9), 1);
	/* (6) */
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 4), 0);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 9), 1);
	/* (7) */
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 4), 0);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 10, 14), 0);
	KUNIT_EXPECT_EQ(test, tree_unmap(&tree, 0, 14), 2);
	KUNIT_EXPECT_EQ(test, tree.count, 0);
	KUNIT_EXPECT_EQ(test, tree.bytes, 0);
}

static void tree_overlap(struct kunit *test)
{
	struct vhost_iommu_map_tree tree;

	vhost_iommu_map_tree_init(&tree);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 10, 19), 0);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 10), -EEXIST);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 19, 30), -EEXIST);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 12, 13), -EEXIST);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, U64_MAX), -EEXIST);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 20, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, tree_add(test, &tree, 0, 9), 0);
	KUNIT_EXPECT_EQ(test, tree.count, 3);
	KUNIT_EXPECT_EQ(test, vhost_iommu_map_first(&tree, 0, U64_MAX)->start,
			0);
	KUNIT_EXPECT_EQ(test, vhost_iommu_map_first(&tree, 15, 25)->start, 10);
	KUNIT_EXPECT_EQ(test, vhost_iommu_map_first(&tree, U64_MAX,
						    U64_MAX)->start, 20);
}

#define MODEL_SLOTS	128

/* Random operations, compared with an array that says who owns each slot */
static void tree_model(struct kunit *test)
{
	u16 model[MODEL_SLOTS] = {}, next = 1;
	struct vhost_iommu_map_tree tree;
	struct rnd_state { u64 x; } rnd = { 0x9e3779b97f4a7c15 };
	unsigned int round;

	vhost_iommu_map_tree_init(&tree);
	for (round = 0; round < 20000; round++) {
		unsigned int start, last, i, want = 0, got;
		bool overlap = false, split = false;

		rnd.x ^= rnd.x << 13;
		rnd.x ^= rnd.x >> 7;
		rnd.x ^= rnd.x << 17;
		start = rnd.x % MODEL_SLOTS;
		last = min_t(unsigned int, start + (rnd.x >> 32) % 12,
			     MODEL_SLOTS - 1);
		for (i = start; i <= last; i++)
			overlap |= model[i];
		if (start && model[start] && model[start - 1] == model[start])
			split = true;
		if (last + 1 < MODEL_SLOTS && model[last] &&
		    model[last + 1] == model[last])
			split = true;

		if ((rnd.x >> 60) & 1) {
			int rc;

			if (next > 5000)
				continue;
			rc = tree_add(test, &tree, start, last);
			KUNIT_ASSERT_EQ(test, rc, overlap ? -EEXIST : 0);
			if (!rc) {
				for (i = start; i <= last; i++)
					model[i] = next;
				next++;
			}
			continue;
		}
		KUNIT_ASSERT_EQ(test, vhost_iommu_map_splits(&tree, start,
							     last), split);
		if (split)
			continue;
		for (i = start; i <= last; i++) {
			if (model[i] && (i == start ||
					 model[i] != model[i - 1]))
				want++;
		}
		memset(&model[start], 0, (last - start + 1) * sizeof(*model));
		got = tree_unmap(&tree, start, last);
		KUNIT_ASSERT_EQ(test, got, want);
	}
}

static void tree_pieces(struct kunit *test)
{
	struct vhost_iommu_map map = { .start = 0x1000, .shift = 21 };

	KUNIT_EXPECT_EQ(test, 0x1fffff,
			vhost_iommu_map_piece(&map, 0x1000, SZ_4M));
	KUNIT_EXPECT_EQ(test, 0x3fffff,
			vhost_iommu_map_piece(&map, SZ_2M, SZ_4M));
	KUNIT_EXPECT_EQ(test, SZ_2M,
			vhost_iommu_map_piece(&map, SZ_2M, SZ_2M));
	KUNIT_EXPECT_EQ(test, U64_MAX,
			vhost_iommu_map_piece(&map, U64_MAX - 1, U64_MAX));
}

/* A mapping that is made, or unmade, piece by piece */
static void tree_resize(struct kunit *test)
{
	struct vhost_iommu_map_tree tree;
	struct vhost_iommu_map *map;

	vhost_iommu_map_tree_init(&tree);
	KUNIT_ASSERT_EQ(test, 0, tree_add(test, &tree, 0x1000, 0x4fff));
	KUNIT_ASSERT_EQ(test, 0, tree_add(test, &tree, 0x8000, 0x8fff));
	map = vhost_iommu_map_first(&tree, 0x1000, 0x1000);
	vhost_iommu_map_resize(&tree, map, 0x1000, 0x7fff);
	KUNIT_EXPECT_EQ(test, tree.bytes, 0x8000);
	KUNIT_EXPECT_EQ(test, map->phys, 0x1000 + SZ_1G);
	KUNIT_EXPECT_EQ(test, -EEXIST, tree_add(test, &tree, 0x7000, 0x7fff));
	vhost_iommu_map_resize(&tree, map, 0x3000, 0x3fff);
	KUNIT_EXPECT_EQ(test, tree.bytes, 0x2000);
	KUNIT_EXPECT_EQ(test, map->phys, 0x3000 + SZ_1G);
	KUNIT_EXPECT_EQ(test, tree.count, 2);
	KUNIT_EXPECT_PTR_EQ(test, vhost_iommu_map_first(&tree, 0, ~0ULL), map);
	KUNIT_EXPECT_EQ(test, 0, tree_add(test, &tree, 0x1000, 0x2fff));
}

static void tables_count(struct kunit *test)
{
	struct vhost_iommu_tables tables;

	if (PAGE_SIZE != SZ_4K)
		kunit_skip(test, "the numbers are for pages of 4 KiB");

	vhost_iommu_tables_init(&tables);
	/* One page: a table on each level */
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_least(0, 0), 1);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_least(SZ_2M - 1, SZ_2M), 2);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_least(SZ_4M, SZ_8M - 1), 2);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_least(0, U64_MAX), 1ULL << 43);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_missing(&tables, 0, 0xfff), 3);
	KUNIT_ASSERT_EQ(test, vhost_iommu_tables_touch(&tables, 0, 0xfff,
						       GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_pages(&tables), 3);
	/* Its neighbours are free */
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_missing(&tables, 0x1000,
							 SZ_2M - 1), 0);
	/* The next 2 MiB, the next 1 GiB, the next 512 GiB */
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_missing(&tables, SZ_2M,
							 SZ_2M + 0xfff), 1);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_missing(&tables, SZ_1G,
							 SZ_1G + 0xfff), 2);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_missing(&tables, SZ_512G_IOVA,
							 SZ_512G_IOVA + 0xfff),
			3);
	/* A large range costs one node a level, and counts in full */
	KUNIT_ASSERT_EQ(test, vhost_iommu_tables_touch(&tables, 0,
						       SZ_512G_IOVA - 1,
						       GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_pages(&tables),
			SZ_256K + 512 + 1);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_missing(&tables, 0, U64_MAX),
			(1ULL << 43) - SZ_256K + (1ULL << 34) - 512 +
			(1ULL << 25) - 1);
	vhost_iommu_tables_clear(&tables);
	KUNIT_EXPECT_EQ(test, vhost_iommu_tables_pages(&tables), 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&tables.level[0].root));
}

static int touch_leaf(struct vhost_iommu_tables *tables, u64 nr)
{
	return vhost_iommu_tables_touch(tables, nr * SZ_2M,
					nr * SZ_2M + SZ_4K - 1, GFP_KERNEL);
}

/* Ranges grow together, from both sides and over several at a time */
static void tables_merge(struct kunit *test)
{
	struct vhost_iommu_tables tables;
	struct rb_node *node;
	unsigned int i, nodes = 0;

	if (PAGE_SIZE != SZ_4K)
		kunit_skip(test, "the numbers are for pages of 4 KiB");

	vhost_iommu_tables_init(&tables);
	for (i = 0; i < 64; i += 2)
		KUNIT_ASSERT_EQ(test, touch_leaf(&tables, i), 0);
	KUNIT_EXPECT_EQ(test, tables.level[0].count, 32);
	for (i = 63; i < 64; i -= 2)
		KUNIT_ASSERT_EQ(test, touch_leaf(&tables, i), 0);
	KUNIT_EXPECT_EQ(test, tables.level[0].count, 64);
	KUNIT_ASSERT_EQ(test, vhost_iommu_tables_touch(&tables, 100ULL * SZ_2M,
						       101ULL * SZ_2M - 1,
						       GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, vhost_iommu_tables_touch(&tables, 10ULL * SZ_2M,
						       200ULL * SZ_2M - 1,
						       GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, tables.level[0].count, 200);
	for (node = rb_first(&tables.level[0].root); node; node = rb_next(node))
		nodes++;
	KUNIT_EXPECT_EQ(test, nodes, 1);
	vhost_iommu_tables_clear(&tables);
}

static struct kunit_case vhost_iommu_map_cases[] = {
	KUNIT_CASE(tree_examples),
	KUNIT_CASE(tree_overlap),
	KUNIT_CASE(tree_model),
	KUNIT_CASE(tree_pieces),
	KUNIT_CASE(tree_resize),
	KUNIT_CASE(tables_count),
	KUNIT_CASE(tables_merge),
	{}
};

static struct kunit_suite vhost_iommu_map_suite = {
	.name = "vhost_iommu_map",
	.test_cases = vhost_iommu_map_cases,
};

kunit_test_suites(&vhost_iommu_req_suite, &vhost_iommu_map_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of vhost-iommu");
MODULE_LICENSE("GPL");
