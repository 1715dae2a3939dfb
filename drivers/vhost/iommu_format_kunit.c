// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vhost-iommu: merging of invalidations, and the format of
 * iommufd's selftest
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/math.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "iommu_format.h"

#define ALL		{ .scope = VHOST_IOMMU_INV_ALL }
#define ID(_id)		{ .scope = VHOST_IOMMU_INV_ID, .id = (_id) }
#define RANGE(_id, _size, _leaf, _start, _last) \
	{ .scope = VHOST_IOMMU_INV_RANGE, .id = (_id), .page_size = (_size), \
	  .leaf = (_leaf), .start = (_start), .last = (_last) }
#define ANY(_size, _leaf, _start, _last) \
	{ .scope = VHOST_IOMMU_INV_RANGE_ANY, .page_size = (_size), \
	  .leaf = (_leaf), .start = (_start), .last = (_last) }

/* Ranges of pages of 4 KiB */
#define R(_id, first, nr) \
	RANGE(_id, 12, true, (first) * SZ_4K, ((first) + (nr)) * SZ_4K - 1)

#define TOP(nr)		(U64_MAX - (nr) * (u64)SZ_4K + 1)

static const struct merge_case {
	const char *what;
	unsigned int nr_in, nr_out;
	struct vhost_iommu_inv in[5], out[5];
} merge_cases[] = {
	{ "one", 1, 1, { R(1, 0, 1) }, { R(1, 0, 1) } },
	{ "duplicates", 3, 1,
	  { R(1, 4, 2), R(1, 4, 2), R(1, 4, 2) }, { R(1, 4, 2) } },
	{ "adjacent", 2, 1, { R(1, 0, 1), R(1, 1, 1) }, { R(1, 0, 2) } },
	{ "adjacent, the higher first", 3, 1,
	  { R(1, 2, 1), R(1, 1, 1), R(1, 0, 1) }, { R(1, 0, 3) } },
	{ "adjacent, the middle last", 3, 1,
	  { R(1, 0, 1), R(1, 2, 1), R(1, 1, 1) }, { R(1, 0, 3) } },
	{ "overlapping", 2, 1, { R(1, 0, 3), R(1, 2, 4) }, { R(1, 0, 6) } },
	{ "one inside the other", 2, 1,
	  { R(1, 3, 1), R(1, 0, 8) }, { R(1, 0, 8) } },
	{ "a long one covers what comes after a short one", 3, 1,
	  { R(1, 0, 8), R(1, 1, 1), R(1, 6, 4) }, { R(1, 0, 10) } },
	{ "a hole", 2, 2, { R(1, 0, 1), R(1, 2, 1) },
	  { R(1, 0, 1), R(1, 2, 1) } },
	{ "runs of each address space", 4, 2,
	  { R(1, 0, 1), R(2, 1, 1), R(1, 1, 1), R(2, 0, 1) },
	  { R(1, 0, 2), R(2, 0, 2) } },
	{ "pages of another size", 2, 2,
	  { R(1, 0, 512), RANGE(1, 21, true, 0, SZ_2M - 1) },
	  { R(1, 0, 512), RANGE(1, 21, true, 0, SZ_2M - 1) } },
	{ "another leaf hint", 2, 2,
	  { R(1, 0, 1), RANGE(1, 12, false, 0, SZ_4K - 1) },
	  { R(1, 0, 1), RANGE(1, 12, false, 0, SZ_4K - 1) } },
	{ "a range of any and one of one", 2, 2,
	  { R(0, 0, 1), ANY(12, true, 0, SZ_4K - 1) },
	  { R(0, 0, 1), ANY(12, true, 0, SZ_4K - 1) } },
	{ "ranges of any", 3, 2,
	  { ANY(12, true, SZ_4K, SZ_8K - 1), ANY(12, true, 0, SZ_4K - 1),
	    ANY(12, false, 0, SZ_4K - 1) },
	  { ANY(12, true, 0, SZ_8K - 1), ANY(12, false, 0, SZ_4K - 1) } },
	{ "address spaces", 4, 2, { ID(2), ID(1), ID(2), ID(1) },
	  { ID(1), ID(2) } },
	{ "an address space covers its ranges", 4, 2,
	  { R(1, 0, 1), ID(1), R(1, 9, 1), R(2, 0, 1) },
	  { ID(1), R(2, 0, 1) } },
	{ "that of all bits, too", 3, 1,
	  { R(U16_MAX, 0, 1), RANGE(U16_MAX, 21, false, 0, SZ_2M - 1),
	    ID(U16_MAX) }, { ID(U16_MAX) } },
	{ "an address space does not cover a range of any", 2, 2,
	  { ANY(12, true, 0, SZ_4K - 1), ID(0) },
	  { ANY(12, true, 0, SZ_4K - 1), ID(0) } },
	{ "ranges on both sides of a covered one", 5, 4,
	  { R(1, 0, 1), R(2, 1, 1), R(3, 2, 1), ID(2), R(3, 4, 1) },
	  { R(1, 0, 1), ID(2), R(3, 2, 1), R(3, 4, 1) } },
	{ "everything covers everything", 5, 1,
	  { R(1, 0, 1), ID(1), ALL, ANY(12, true, 0, SZ_4K - 1), ALL },
	  { ALL } },
	{ "up to the last address", 3, 1,
	  { RANGE(1, 12, true, TOP(1), U64_MAX),
	    RANGE(1, 12, true, TOP(2), TOP(1) - 1),
	    RANGE(1, 12, true, TOP(1), U64_MAX) },
	  { RANGE(1, 12, true, TOP(2), U64_MAX) } },
	{ "all addresses", 3, 1,
	  { RANGE(1, 12, true, 0, U64_MAX), R(1, 3, 1),
	    RANGE(1, 12, true, TOP(1), U64_MAX) },
	  { RANGE(1, 12, true, 0, U64_MAX) } },
	{ "the first and the last page do not touch", 2, 2,
	  { R(1, 0, 1), RANGE(1, 12, true, TOP(1), U64_MAX) },
	  { R(1, 0, 1), RANGE(1, 12, true, TOP(1), U64_MAX) } },
	{ "nor those of two address spaces", 2, 2,
	  { RANGE(1, 12, true, TOP(1), U64_MAX), R(2, 0, 1) },
	  { RANGE(1, 12, true, TOP(1), U64_MAX), R(2, 0, 1) } },
};

static bool same(const struct vhost_iommu_inv *a,
		 const struct vhost_iommu_inv *b)
{
	return a->scope == b->scope && a->leaf == b->leaf &&
	       a->page_size == b->page_size && a->id == b->id &&
	       a->start == b->start && a->last == b->last;
}

static void merge_examples(struct kunit *test)
{
	unsigned int i, k, l, nr;

	for (i = 0; i < ARRAY_SIZE(merge_cases); i++) {
		const struct merge_case *c = &merge_cases[i];
		struct vhost_iommu_inv inv[ARRAY_SIZE(c->in)];

		memcpy(inv, c->in, sizeof(inv));
		nr = vhost_iommu_inv_merge(inv, c->nr_in);
		KUNIT_EXPECT_EQ_MSG(test, nr, c->nr_out, "%s", c->what);
		for (k = 0; k < c->nr_out; k++) {
			for (l = 0; l < nr && !same(&inv[l], &c->out[k]); l++)
				;
			KUNIT_EXPECT_LT_MSG(test, l, nr, "%s: %u", c->what, k);
		}
	}
	KUNIT_EXPECT_EQ(test, vhost_iommu_inv_merge(NULL, 0), 0);
}

/*
 * The model: for each address space, or any (the last one), page size and leaf
 * hint, a mask of 32 pages from address 0 on and of the 32 last ones.
 */
#define MODEL_IDS	3
#define MODEL_NR	64

struct merge_model {
	bool all;
	bool id[MODEL_IDS];
	u64 pages[MODEL_IDS + 1][2][2];
};

static const u8 model_sizes[] = { 12, 21 };

static u64 model_start(unsigned int page, u8 size)
{
	/* Page 64 would be at 0 again */
	return page < 32 ? (u64)page << size : -((u64)(64 - page) << size);
}

/* Returns false if it is none that can have come from those of the model */
static bool model_add(struct merge_model *model,
		      const struct vhost_iommu_inv *inv)
{
	unsigned int size = inv->page_size == model_sizes[1], page, nr = 0;
	unsigned int id = inv->id;

	switch (inv->scope) {
	case VHOST_IOMMU_INV_ALL:
		model->all = true;
		return true;
	case VHOST_IOMMU_INV_ID:
		model->id[id] = true;
		return true;
	case VHOST_IOMMU_INV_RANGE_ANY:
		id = MODEL_IDS;
		break;
	case VHOST_IOMMU_INV_RANGE:
		break;
	}
	for (page = 0; page < 64; page++) {
		u64 start = model_start(page, inv->page_size);
		u64 last = start + BIT_ULL(inv->page_size) - 1;

		if (last < inv->start || start > inv->last)
			continue;
		if (start < inv->start || last > inv->last)
			return false;
		model->pages[id][size][inv->leaf] |= BIT_ULL(page);
		nr++;
	}
	/* All of it was found among the pages */
	return nr == ((inv->last - inv->start) >> inv->page_size) + 1;
}

static unsigned int model_runs(u32 mask)
{
	return hweight32(mask & ~(mask << 1));
}

/* Take out what is covered; returns how many invalidations it has to be */
static unsigned int model_reduce(struct merge_model *model)
{
	unsigned int id, size, leaf, nr = 0;

	if (model->all) {
		memset(model, 0, sizeof(*model));
		model->all = true;
		return 1;
	}
	for (id = 0; id <= MODEL_IDS; id++) {
		if (id < MODEL_IDS && model->id[id]) {
			memset(model->pages[id], 0, sizeof(model->pages[id]));
			nr++;
		}
		for (size = 0; size < 2; size++) {
			for (leaf = 0; leaf < 2; leaf++) {
				u64 mask = model->pages[id][size][leaf];

				nr += model_runs(lower_32_bits(mask)) +
				      model_runs(upper_32_bits(mask));
			}
		}
	}
	return nr;
}

static u64 rnd_next(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 8;
}

/* Few are of a wider scope, or there would be nothing to merge */
static void rnd_inv(u64 *x, struct vhost_iommu_inv *inv)
{
	unsigned int first = rnd_next(x) % 64, nr = 1 + rnd_next(x) % 4;
	unsigned int kind = rnd_next(x) % 256;

	memset(inv, 0, sizeof(*inv));
	inv->id = rnd_next(x) % MODEL_IDS;
	if (kind == 0) {
		inv->scope = VHOST_IOMMU_INV_ALL;
		inv->id = 0;
		return;
	}
	if (kind < 6) {
		inv->scope = VHOST_IOMMU_INV_ID;
		return;
	}
	inv->scope = kind < 64 ? VHOST_IOMMU_INV_RANGE_ANY :
				 VHOST_IOMMU_INV_RANGE;
	if (kind < 64)
		inv->id = 0;
	inv->page_size = model_sizes[rnd_next(x) % 2];
	inv->leaf = rnd_next(x) % 2;
	nr = min(nr, 32 - first % 32);
	inv->start = model_start(first, inv->page_size);
	inv->last = inv->start + ((u64)nr << inv->page_size) - 1;
}

static void merge_model(struct kunit *test)
{
	struct merge_model *want, *got;
	struct vhost_iommu_inv *inv;
	u64 x = 0x9e3779b97f4a7c15;
	unsigned int round, i;

	want = kunit_kzalloc(test, sizeof(*want), GFP_KERNEL);
	got = kunit_kzalloc(test, sizeof(*got), GFP_KERNEL);
	inv = kunit_kcalloc(test, MODEL_NR, sizeof(*inv), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, want && got && inv);

	for (round = 0; round < 4000; round++) {
		unsigned int nr = 1 + rnd_next(&x) % MODEL_NR, nr_want;

		memset(want, 0, sizeof(*want));
		memset(got, 0, sizeof(*got));
		for (i = 0; i < nr; i++) {
			rnd_inv(&x, &inv[i]);
			KUNIT_ASSERT_TRUE(test, model_add(want, &inv[i]));
		}
		nr_want = model_reduce(want);
		nr = vhost_iommu_inv_merge(inv, nr);
		KUNIT_ASSERT_EQ_MSG(test, nr, nr_want, "round %u", round);
		for (i = 0; i < nr; i++)
			KUNIT_ASSERT_TRUE_MSG(test, model_add(got, &inv[i]),
					      "round %u", round);
		KUNIT_ASSERT_MEMEQ_MSG(test, got, want, sizeof(*want),
				       "round %u", round);
	}
}

static struct kunit_case vhost_iommu_merge_cases[] = {
	KUNIT_CASE(merge_examples),
	KUNIT_CASE(merge_model),
	{}
};

static struct kunit_suite vhost_iommu_merge_suite = {
	.name = "vhost_iommu_merge",
	.test_cases = vhost_iommu_merge_cases,
};

kunit_test_suites(&vhost_iommu_merge_suite);

#if IS_ENABLED(CONFIG_IOMMUFD_TEST)
static const struct vhost_iommu_format *selftest = &vhost_iommu_format_selftest;

static void selftest_table(struct kunit *test)
{
	u8 descriptor[VHOST_IOMMU_DESCRIPTOR_LEN] = { 0x78, 0x56, 0x34, 0x12 };
	struct vhost_iommu_table table = { .ats = true };
	struct vhost_iommu_hw hw = {};
	unsigned int i;

	KUNIT_EXPECT_GE(test, selftest->data_len, 4);
	KUNIT_EXPECT_LE(test, selftest->data_len, sizeof(table.data));
	KUNIT_EXPECT_EQ(test, selftest->table(&hw, descriptor, &table),
			VIRTIO_IOMMU_S_OK);
	/* In the host's byte order, alone in the first 4 bytes */
	KUNIT_EXPECT_EQ(test, *(u32 *)table.data, 0x12345678);
	KUNIT_EXPECT_EQ(test, ((u32 *)table.data)[1], 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(table.data[1]), 0);
	KUNIT_EXPECT_FALSE(test, table.ats);

	for (i = 4; i < sizeof(descriptor); i++) {
		descriptor[i] = 1;
		KUNIT_EXPECT_EQ_MSG(test,
				    selftest->table(&hw, descriptor, &table),
				    VIRTIO_IOMMU_S_INVAL, "byte %u", i);
		descriptor[i] = 0;
	}
}

static void selftest_device(struct kunit *test)
{
	static const struct {
		u8 scope;
		u64 start, end;
		u32 flags, cache;
	} cases[] = {
		{ VIRTIO_IOMMU_INV_S_DOMAIN, 0, 0, 1, 0 },
		{ VIRTIO_IOMMU_INV_S_PASID, 0, 0, 1, 0 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0, 0xfff, 0, 0 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0x3000, 0x3fff, 0, 3 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0x4000, 0x4fff, 0, 0 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0x1800, 0x1fff, 0, 1 },
		{ VIRTIO_IOMMU_INV_S_ADDRESS, 0x1000, 0x2fff, 1, 0 },
	};
	struct vhost_iommu_cmds *cmds;
	unsigned int i;

	cmds = kunit_kzalloc(test, sizeof(*cmds), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cmds);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vhost_iommu_req req = {
			.scope = cases[i].scope,
			.virt_start = cases[i].start,
			.virt_end = cases[i].end,
		};
		const u32 *cmd = (const u32 *)cmds->cmd[i].data;

		memset(&cmds->cmd[i], 0xff, sizeof(cmds->cmd[i]));
		selftest->device(&req, 0x77, false, 0, cmds);
		KUNIT_ASSERT_EQ(test, cmds->nr, i + 1);
		KUNIT_EXPECT_EQ_MSG(test, cmd[0], cases[i].flags, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cmd[1], 0x77, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cmd[2], cases[i].cache, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cmd[3], 0, "case %u", i);
	}
}

static void selftest_rest(struct kunit *test)
{
	struct vhost_iommu_event event;
	struct vhost_iommu_req req = {};
	struct vhost_iommu_hw hw = {};
	const u32 record = 0xcafe;

	KUNIT_EXPECT_EQ(test, selftest->check(&hw, &req), VIRTIO_IOMMU_S_OK);
	req.pasid = 1;
	KUNIT_EXPECT_EQ(test, selftest->check(&hw, &req), VIRTIO_IOMMU_S_INVAL);

	KUNIT_EXPECT_EQ(test, selftest->event_len, sizeof(record));
	memset(&event, 0xff, sizeof(event));
	selftest->event(&record, &event);
	KUNIT_EXPECT_EQ(test, event.virt_id, 0xcafe);
	KUNIT_EXPECT_EQ(test, event.reason, VIRTIO_IOMMU_FAULT_R_UNKNOWN);
	KUNIT_EXPECT_EQ(test, event.flags, 0);
	KUNIT_EXPECT_EQ(test, event.pasid, 0);
	KUNIT_EXPECT_EQ(test, event.address, 0);

	/* There is one kind of cache */
	KUNIT_EXPECT_NULL(test, selftest->context);
	KUNIT_EXPECT_NULL(test, selftest->tlb);
	KUNIT_EXPECT_NULL(test, selftest->flush);
}

static struct kunit_case vhost_iommu_selftest_cases[] = {
	KUNIT_CASE(selftest_table),
	KUNIT_CASE(selftest_device),
	KUNIT_CASE(selftest_rest),
	{}
};

static struct kunit_suite vhost_iommu_selftest_suite = {
	.name = "vhost_iommu_selftest",
	.test_cases = vhost_iommu_selftest_cases,
};

kunit_test_suites(&vhost_iommu_selftest_suite);
#endif
