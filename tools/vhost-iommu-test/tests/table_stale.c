// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOMMU has cached of the guest's tables stays as long as the guest
 * does not invalidate it, and never longer; for every way to say what is to be
 * invalidated, and every way that it can have been mapped.
 *
 * Each round maps a range to one place, uses it, changes the tables to another
 * place, sees that the old one is still used (without that, the round would
 * prove nothing; only where the SMMU is QEMU's, which caches all), invalidates,
 * and sees the new one.
 */
#include "suite.h"
#include "table.h"

#define DOM	1
#define ASID	0x5a5
#define LEN	128

/* Two places that are alike: aligned to 1 GiB, 8 MiB long */
#define OLD_GPA	RAM_GPA
#define NEW_GPA	0x80000000ULL
#define SPAN	MIB(8)
/* For tables that have to be in one piece: QEMU's SMMU translates their begin */
#define TABLES_GPA	0x90000000ULL
/* What the device sends, in its driver's or its own memory */
#define SRC_GPA	(LOW_GPA + KIB(64))
#define SRC	0x0e000000ULL

/* How the guest says it */
enum how {
	/* Address and ASID, all of it in one request */
	RANGE_OF_ASID,
	/* The same, with the hint that no table changed */
	RANGE_LEAF,
	/* By address, whatever the ASID */
	RANGE_ALL_ASIDS,
	RANGE_GLOBAL,
	/* A request for each page, in one kick */
	PAGE_BY_PAGE,
	PAGE_BY_PAGE_LEAF,
	/* By other pages than it was mapped with: then the hint would lie */
	IN_SMALL_PAGES,
	IN_LARGE_PAGES,
	/* A page size that is none */
	ODD_PAGES,
	WHOLE_ASID,
	WHOLE_DOMAIN,
	NR_HOW,
};

static const char *const how_names[] = {
	"range", "range, leaf", "range, no ASID", "range, global",
	"page by page", "page by page, leaf", "in small pages",
	"in large pages", "in odd pages", "ASID", "domain",
};

/* How it is mapped: @nr entries of tables of @level */
struct shape {
	unsigned int shift;
	unsigned int level;
	unsigned int nr;
};

static const struct shape shapes[] = {
	{ 12, 3, 1 }, { 12, 3, 2 }, { 12, 3, 3 }, { 12, 3, 7 }, { 12, 3, 16 },
	{ 12, 3, 31 }, { 12, 3, 33 }, { 12, 3, 63 }, { 12, 3, 65 },
	{ 12, 3, 511 }, { 12, 3, 512 }, { 12, 3, 513 },
	{ 12, 2, 1 }, { 12, 2, 2 }, { 12, 2, 3 },
	{ 12, 1, 1 },
	{ 14, 3, 1 }, { 14, 3, 5 }, { 14, 3, 128 }, { 14, 2, 1 },
	{ 16, 3, 1 }, { 16, 3, 3 }, { 16, 3, 64 }, { 16, 2, 1 },
};

FIXTURE(stale)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct s1 s;
	__u64 seed;
	unsigned int dma;
	__u64 tables;
	__u64 ste1;
	struct vhost_iommu_mock_config mock;
};

FIXTURE_VARIANT(stale)
{
	enum dev_kind kind;
	/* The host maps RAM in large pages, too */
	bool huge;
	/* A mock IOMMU with ATS, or without ranges */
	bool ats;
	bool no_ranges;
};

FIXTURE_VARIANT_ADD(stale, mock)
{
	.kind = DEV_MOCK,
};

FIXTURE_VARIANT_ADD(stale, mock_ats)
{
	.kind = DEV_MOCK,
	.ats = true,
};

FIXTURE_VARIANT_ADD(stale, mock_no_ranges)
{
	.kind = DEV_MOCK,
	.no_ranges = true,
};

FIXTURE_VARIANT_ADD(stale, edu)
{
	.kind = DEV_EDU,
};

FIXTURE_VARIANT_ADD(stale, igb)
{
	.kind = DEV_IGB,
};

FIXTURE_VARIANT_ADD(stale, igb_huge)
{
	.kind = DEV_IGB,
	.huge = true,
};

#define SELF	FIXTURE_DATA(stale) *self

FIXTURE_SETUP(stale)
{
	const char *seed = getenv("VHOST_IOMMU_TEST_SEED");

	self->v = &self->e.v;
	self->seed = seed ? strtoull(seed, NULL, 0) : now_ns();
	ksft_print_msg("VHOST_IOMMU_TEST_SEED=%llu\n", self->seed);
	env_init_table(&self->e, variant->kind);
	self->ste1 = STE1_USUAL;
	mock_config_init(&self->mock);
	if (variant->ats) {
		self->mock.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
		self->ste1 |= STE1_EATS(1);
	}
	if (variant->no_ranges)
		self->mock.idr[3] &= ~VHOST_IOMMU_MOCK_IDR3_RIL;
	self->v->mock = &self->mock;
	if (!huge_pages(variant->huge ? (RAM_SIZE + LOW_SIZE + SPAN) / MIB(2) +
					2 : 2)) {
		if (variant->huge)
			SKIP(return, "there are not enough huge pages");
		ksft_print_msg("no huge pages: only 4 KiB granules\n");
	} else {
		self->tables = TABLES_GPA;
	}
	self->v->small_pages = !variant->huge;
	ENV_UP(&self->e, env_open(&self->e, 1, false));
	ASSERT_EQ(0, vmm_add_ram(self->v, NEW_GPA, SPAN));
	self->v->small_pages = false;
	if (self->tables)
		ASSERT_EQ(0, vmm_add_ram(self->v, TABLES_GPA, MIB(4)));
	ASSERT_EQ(0, vmm_set_mem_table(self->v));
	ASSERT_EQ(0, env_add(&self->e));
	self->d = self->e.dev[0];
	fill(ram_va(self->v, SRC_GPA), 0x3c, LEN);
	/* A device with a buffer holds the pattern from now on */
	if (dev_has_buffer(self->d)) {
		ASSERT_ST(OK, g_attach_table(self->v, DOM, EP(0), STE0_BYPASS,
					     0));
		ASSERT_EQ(0, dev_load(self->d, SRC_GPA, LEN));
		ASSERT_ST(OK, g_detach(self->v, DOM, EP(0)));
	}
}

FIXTURE_TEARDOWN(stale)
{
	env_down(&self->e);
	huge_pages_back();
}

enum landed { NOWHERE, IN_OLD, IN_NEW };

static const char *const landed_names[] = { "nowhere", "old", "new" };

/* Writes to an address of which both places have a part, at @off */
static enum landed poke(SELF, __u64 iova, __u64 off)
{
	void *old = ram_va(self->v, OLD_GPA + off);
	void *new = ram_va(self->v, NEW_GPA + off);
	int rc;

	self->dma++;
	memset(old, 0, LEN);
	memset(new, 0, LEN);
	if (dev_has_buffer(self->d))
		rc = dev_store(self->d, iova, LEN);
	else
		rc = dev_copy(self->d, SRC, iova, LEN);
	if (!rc && filled(old, 0x3c, LEN))
		return IN_OLD;
	return !rc && filled(new, 0x3c, LEN) ? IN_NEW : NOWHERE;
}

/*
 * Empty tables of a granule, but for what a driver needs. Those of before go:
 * the new ones are at the same place.
 */
static int begin(SELF, unsigned int shift)
{
	struct s1 *s = &self->s;

	g_detach(self->v, DOM, EP(0));
	/* Addresses beyond 64 GiB are none for edu, which does not use any */
	s1_init(s, self->v, self->tables ?: TABLE_GPA, MIB(4), shift,
		shift == 16 ? 42 : 40, ASID);
	if (self->d->drv_len)
		s1_map(s, SRC, SRC_GPA, 1ULL << shift, MAP_R);
	return s->failed ? -ENOMEM : 0;
}

static int attach(SELF)
{
	int rc = g_attach_table(self->v, DOM, EP(0), s1_ste0(&self->s),
				self->ste1);

	return rc ? rc : env_table_driver(&self->e, 0, &self->s);
}

static void set(SELF, const struct shape *sh, __u64 iova, __u64 gpa)
{
	unsigned int i, bits = s1_lvl_shift(&self->s, sh->level);

	for (i = 0; i < sh->nr; i++)
		s1_map_leaf(&self->s, iova + ((__u64)i << bits),
			    gpa + ((__u64)i << bits), sh->level, MAP_RW);
}

static int invalidate(SELF, enum how how, __u64 iova, __u64 len,
		      unsigned int bits)
{
	struct vmm *v = self->v;
	struct virtio_iommu_req_invalidate r;
	unsigned int n = 0;
	__u16 flags = 0;
	__u64 at, align;

	r = inv_range(DOM, ASID, iova, len >> bits, bits, 0);
	switch (how) {
	case RANGE_OF_ASID:
		return g_inv(v, r);
	case RANGE_LEAF:
		r.flags |= htole16(VIRTIO_IOMMU_INV_F_LEAF);
		return g_inv(v, r);
	case RANGE_ALL_ASIDS:
		r.flags = 0;
		r.id = 0;
		return g_inv(v, r);
	case RANGE_GLOBAL:
		r.flags |= htole16(VIRTIO_IOMMU_INV_F_GLOBAL);
		return g_inv(v, r);
	case PAGE_BY_PAGE_LEAF:
	case PAGE_BY_PAGE:
		if (how == PAGE_BY_PAGE_LEAF)
			flags = VIRTIO_IOMMU_INV_F_LEAF;
		for (at = 0; at < len; at += 1ULL << bits) {
			int rc = g_inv_add(v, inv_range(DOM, ASID, iova + at, 1,
							bits, flags));

			if (rc < 0)
				return rc;
			/* The ring holds two descriptors for each */
			if (++n == 100) {
				rc = g_batch_run(v, n);
				if (rc)
					return rc;
				n = 0;
			}
		}
		return g_batch_run(v, n);
	case IN_SMALL_PAGES:
		return g_inv(v, inv_range(DOM, ASID, iova, len >> self->s.shift,
					  self->s.shift, 0));
	case IN_LARGE_PAGES:
		/* Of level 2, as many as it takes */
		bits = s1_lvl_shift(&self->s, 2);
		align = iova & ~((1ULL << bits) - 1);
		return g_inv(v, inv_range(DOM, ASID, align,
					  ((iova + len - 1) >> bits) -
					  (align >> bits) + 1, bits, 0));
	case ODD_PAGES:
		return g_inv(v, inv_range(DOM, ASID, iova, 1, 17,
					  VIRTIO_IOMMU_INV_F_LEAF));
	case WHOLE_ASID:
		return g_inv(v, inv_asid(DOM, ASID));
	default:
		return g_inv(v, inv_domain(DOM, VIRTIO_IOMMU_INV_C_TLB));
	}
}

/* Where in the range to look: its ends, and another entry */
static unsigned int points(SELF, const struct shape *sh, __u64 len,
			   __u64 *off)
{
	__u64 max = len < SPAN ? len : SPAN, bit, size;
	unsigned int n = 0;

	size = 1ULL << s1_lvl_shift(&self->s, sh->level);
	off[n++] = 64;
	if (max > PAGE)
		off[n++] = max - LEN;
	if (sh->nr > 2) {
		bit = rand64(&self->seed) % (sh->nr - 2) + 1;
		off[n++] = bit * size;
	}
	return n;
}

/* One round; false if it went wrong, and it says how */
static bool one(SELF, const struct shape *sh, enum how how, __u64 iova,
		__u64 gpa_off)
{
	unsigned int bits = s1_lvl_shift(&self->s, sh->level), i, n;
	__u64 len = (__u64)sh->nr << bits, off[3];
	enum landed at;
	int st;

	set(self, sh, iova, OLD_GPA + gpa_off);
	n = points(self, sh, len, off);
	for (i = 0; i < n; i++) {
		at = poke(self, iova + off[i], gpa_off + off[i]);
		if (at != IN_OLD)
			goto wrong;
	}
	set(self, sh, iova, NEW_GPA + gpa_off);
	if (self->e.trace.fd >= 0 || self->d->kind == DEV_MOCK) {
		at = poke(self, iova + off[0], gpa_off + off[0]);
		i = 10;
		if (at != IN_OLD)
			goto wrong;
	}
	st = invalidate(self, how, iova, len, bits);
	if (st) {
		ksft_print_msg("%s: %s\n", how_names[how], status_name(st));
		return false;
	}
	for (i = 0; i < n; i++) {
		at = poke(self, iova + off[i], gpa_off + off[i]);
		if (at != IN_NEW)
			goto wrong;
	}
	/* For the next round; whoever made this one wrong has no part in it */
	s1_clear(&self->s, iova, len);
	st = g_inv(self->v, inv_domain(DOM, VIRTIO_IOMMU_INV_C_TLB));
	return st == OK;

wrong:
	ksft_print_msg("granule 2^%u, %u entries of level %u at 0x%llx, %s: look %u: %s\n",
		       sh->shift, sh->nr, sh->level, iova, how_names[how], i,
		       landed_names[at]);
	return false;
}

static bool has_granule(SELF, unsigned int shift)
{
	static const __u32 bit[] = {
		[12] = IDR5_GRAN4K, [14] = IDR5_GRAN16K, [16] = IDR5_GRAN64K,
	};

	return self->v->nest.idr[5] & bit[shift] &&
	       (shift == 12 || self->tables);
}

/* edu reaches 256 MiB: only one block of most sizes */
static bool wide(SELF)
{
	return self->d->max_iova > GIB(64);
}

/* An address for a shape, and where in both places it points */
static __u64 place(SELF, const struct shape *sh, __u64 *gpa_off)
{
	unsigned int bits = s1_lvl_shift(&self->s, sh->level);
	__u64 len = (__u64)sh->nr << bits, size = 1ULL << bits, base;

	*gpa_off = 0;
	if (bits >= 25)
		return wide(self) ? GIB(8) + rand64(&self->seed) % 8 * size : 0;
	base = MIB(64);
	base += rand64(&self->seed) % ((MIB(64) - len) >> bits) << bits;
	if (len < SPAN)
		*gpa_off = rand64(&self->seed) % ((SPAN - len) >> bits) << bits;
	return base;
}

/* Whether this can be said of that */
static bool makes_sense(const struct shape *sh, enum how how)
{
	switch (how) {
	case PAGE_BY_PAGE:
	case PAGE_BY_PAGE_LEAF:
		return sh->nr > 1;
	case IN_SMALL_PAGES:
		return sh->level < 3;
	case IN_LARGE_PAGES:
		return sh->level == 3;
	default:
		return true;
	}
}

/* Each shape in each way, one round each */
TEST_F_TIMEOUT(stale, every_way, 900)
{
	unsigned int i, how, shift = 0, n = 0;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *sh = &shapes[i];

		if (!has_granule(self, sh->shift))
			continue;
		/* edu takes 100 ms for each transfer */
		if (self->d->kind == DEV_EDU && !long_tests() && i % 3)
			continue;
		if (sh->shift != shift || (sh->level < 3 && !wide(self))) {
			shift = sh->shift;
			ASSERT_EQ(0, begin(self, shift));
			ASSERT_EQ(0, attach(self));
		}
		for (how = 0; how < NR_HOW; how++) {
			__u64 off, iova = place(self, sh, &off);

			if (!makes_sense(sh, how))
				continue;
			ASSERT_TRUE(one(self, sh, how, iova, off));
			n++;
		}
	}
	ksft_print_msg("%u rounds, %u transfers\n", n, self->dma);
}

/* Any shape, any way, any place */
TEST_F_TIMEOUT(stale, many_rounds, 7200)
{
	unsigned int n, shift = 0, rounds = 10000;
	const struct shape *sh;
	__u64 off, iova;
	enum how how;

	/* edu takes 100 ms for each transfer; all but igb differ from it by little */
	if (self->d->kind == DEV_EDU)
		rounds = long_tests() ? 1000 : 10;
	else if (!long_tests())
		rounds = self->d->kind == DEV_MOCK || variant->huge ? 2000 :
								     4000;
	for (n = 0; n < rounds; n++) {
		if (!(n % 100)) {
			static const unsigned int shifts[] = { 12, 14, 16, 12 };

			do {
				shift = shifts[rand64(&self->seed) % 4];
			} while (!has_granule(self, shift));
			ASSERT_EQ(0, begin(self, shift));
			ASSERT_EQ(0, attach(self));
		}
		do {
			sh = &shapes[rand64(&self->seed) % ARRAY_SIZE(shapes)];
			how = rand64(&self->seed) % NR_HOW;
		} while (sh->shift != shift || !makes_sense(sh, how) ||
			 (!wide(self) && sh->level < 3));
		iova = place(self, sh, &off);
		ASSERT_TRUE(one(self, sh, how, iova, off))
			TH_LOG("round %u", n);
		ASSERT_FALSE(self->s.failed);
	}
	ksft_print_msg("%u rounds, %u transfers\n", n, self->dma);
}

/* A table that is freed: what the walker has cached of it, too */
TEST_F_TIMEOUT(stale, tables, 300)
{
	const struct shape sh = { 12, 3, 4 };
	unsigned int i, k, level;
	struct s1 *s = &self->s;
	__u64 iova, *e, saved;

	ASSERT_EQ(0, begin(self, 12));
	ASSERT_EQ(0, attach(self));
	for (i = 0; i < (self->d->kind == DEV_EDU ? 4 : 20); i++) {
		iova = MIB(64) + i * MIB(2);
		level = 1 + i % 2;
		if (level == 1 && wide(self))
			iova += GIB(4) + i * GIB(1);
		else
			level = 2;
		set(self, &sh, iova, OLD_GPA);
		ASSERT_FALSE(s->failed);
		for (k = 0; k < 4; k++)
			ASSERT_EQ(IN_OLD, poke(self, iova + k * PAGE,
					       k * PAGE));
		/* Another table for the same range */
		e = s1_entry(s, iova, level, false);
		saved = *e;
		STORE(e, 0);
		set(self, &sh, iova, NEW_GPA);
		ASSERT_NE(saved, *e);
		ASSERT_FALSE(s->failed);
		ASSERT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, iova, 4, 12,
						       0)));
		for (k = 0; k < 4; k++) {
			ASSERT_EQ(IN_NEW, poke(self, iova + k * PAGE,
					       k * PAGE));
		}
	}
}

/* Less permission is a change like any other; more is none that is cached */
TEST_F_TIMEOUT(stale, permissions, 60)
{
	const __u64 iova = MIB(64);
	unsigned int i;

	ASSERT_EQ(0, begin(self, 12));
	ASSERT_EQ(0, attach(self));
	for (i = 0; i < 3; i++) {
		s1_map(&self->s, iova, OLD_GPA, PAGE, MAP_RW);
		ASSERT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, iova, 1, 12,
						       1)));
		ASSERT_EQ(IN_OLD, poke(self, iova, 0));
		s1_map(&self->s, iova, OLD_GPA, PAGE, MAP_R);
		ASSERT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, iova, 1, 12,
						       1)));
		ASSERT_EQ(NOWHERE, poke(self, iova, 0));
	}
}

SUITE;
