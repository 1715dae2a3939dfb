// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA by tables of the guest: it goes where they say, and never out of guest
 * memory, whatever they say.
 */
#include "suite.h"
#include "table.h"

#define DOM	1
#define ASID	7
#define LEN	512

/* As in dma.c */
#define SRC_GPA	(RAM_GPA + MIB(2))
#define DST_GPA	(RAM_GPA + MIB(4))
#define OUT_GPA	(RAM_GPA + MIB(6))
#define SRC	IOVA
#define DST	(IOVA + MIB(1))
#define OUT	(IOVA + MIB(3))
/* A second place that is aligned to 1 GiB */
#define HIGH_GPA	0x80000000ULL
/* For tables that have to be in one piece */
#define TABLES_GPA	0x90000000ULL

FIXTURE(tdma)
{
	struct env e;
	struct vmm *v;
	struct xfer x;
	struct s1 s;
};

KIND_VARIANTS(tdma);
KIND_MOCK(tdma);
KIND_EDU(tdma);
KIND_IGB(tdma);

FIXTURE_SETUP(tdma)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, false));
	ASSERT_EQ(0, vmm_add_ram(self->v, HIGH_GPA, MIB(2)));
	ASSERT_EQ(0, vmm_set_mem_table(self->v));
	ASSERT_EQ(0, env_add(&self->e));
	xfer_init(&self->x, &self->e, 0);
}

FIXTURE_TEARDOWN(tdma)
{
	env_down(&self->e);
	huge_pages_back();
}

#define SELF	FIXTURE_DATA(tdma) *self

static bool copies(SELF, __u64 src, __u64 src_gpa, __u64 dst, __u64 dst_gpa)
{
	return xfer_copies(&self->x, src, src_gpa, dst, dst_gpa, LEN);
}

static bool write_denied(SELF, __u64 dst, __u64 dst_gpa)
{
	return xfer_write_denied(&self->x, SRC, SRC_GPA, dst, dst_gpa, LEN);
}

static bool read_denied(SELF, __u64 src, __u64 src_gpa)
{
	return xfer_read_denied(&self->x, src, src_gpa, OUT, OUT_GPA, LEN);
}

/* SRC and OUT of a page each, DST of 1 MiB */
static void map_usual(struct s1 *s)
{
	s1_map(s, SRC, SRC_GPA, 1ULL << s->shift, MAP_R);
	s1_map(s, DST, DST_GPA, MIB(1), MAP_RW);
	s1_map(s, OUT, OUT_GPA, 1ULL << s->shift, MAP_RW);
}

/* An endpoint with tables of its own, in the table slot of the same number */
static int up(SELF, struct s1 *s, unsigned int i, __u32 dom, __u16 asid)
{
	int rc;

	s1_usual(s, self->v, i, asid);
	map_usual(s);
	rc = g_attach_s1(self->v, dom, EP(i), s);
	return rc ? rc : env_table_driver(&self->e, i, s);
}

static int up_first(SELF)
{
	return up(self, &self->s, 0, DOM, ASID);
}

/* Whether the usual copy works */
static bool works(SELF)
{
	return copies(self, SRC, SRC_GPA, DST, DST_GPA);
}

/* Whether nothing goes, by reading and by writing */
static bool dead(SELF)
{
	bool ok = write_denied(self, DST, DST_GPA);

	if (dev_has_buffer(self->x.d)) {
		trace_mark(&self->e.trace);
		dev_load(self->x.d, SRC, LEN);
		ok &= xfer_refused(&self->x);
	}
	return ok;
}

/* A device that needs a driver takes long to recover from what it was denied */
#define NOT_WITH_A_DRIVER do {						\
	if (self->x.d->drv_len) {					\
		ksft_print_msg("covered by the devices that have a buffer\n"); \
		return;							\
	}								\
} while (0)

TEST_F_TIMEOUT(tdma, mapped, 60)
{
	ASSERT_ST(OK, up_first(self));
	EXPECT_TRUE(works(self));
	EXPECT_TRUE(copies(self, OUT, OUT_GPA, DST + MIB(1) - LEN,
			   DST_GPA + MIB(1) - LEN));
	EXPECT_TRUE(copies(self, DST + PAGE, DST_GPA + PAGE, OUT, OUT_GPA));
	/* Over the end of a page */
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST + 3 * PAGE - 100,
			   DST_GPA + 3 * PAGE - 100));
}

TEST_F_TIMEOUT(tdma, scattered, 60)
{
	unsigned int i;

	ASSERT_ST(OK, up_first(self));
	/* Pages in the reverse order, in a table that is not used otherwise */
	for (i = 0; i < 8; i++)
		s1_map(&self->s, MIB(64) + i * PAGE, DST_GPA + (7 - i) * PAGE,
		       PAGE, MAP_RW);
	for (i = 0; i < 8; i++) {
		EXPECT_TRUE(copies(self, SRC, SRC_GPA, MIB(64) + i * PAGE + 64,
				   DST_GPA + (7 - i) * PAGE + 64));
	}
}

TEST_F_TIMEOUT(tdma, blocks, 60)
{
	struct s1 *s = &self->s;
	__u64 at = self->x.d->max_iova > GIB(1) ? GIB(4) : 0;

	ASSERT_ST(OK, up_first(self));
	s1_map_leaf(s, MIB(64), RAM_GPA + MIB(4), 2, MAP_RW);
	ASSERT_FALSE(s->failed);
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, MIB(64) + 100,
			   RAM_GPA + MIB(4) + 100));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, MIB(66) - LEN,
			   RAM_GPA + MIB(6) - LEN));
	EXPECT_TRUE(write_denied(self, MIB(66), RAM_GPA + MIB(6)));
	/* The device can't reach another: all of it is one block */
	if (!at) {
		EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
		s1_usual(s, self->v, 0, ASID);
	}
	s1_map_leaf(s, at, RAM_GPA, 1, MAP_RW);
	ASSERT_FALSE(s->failed);
	if (!at)
		ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), s));
	EXPECT_TRUE(copies(self, at + MIB(2), RAM_GPA + MIB(2), at + MIB(6),
			   RAM_GPA + MIB(6)));
	EXPECT_TRUE(copies(self, at + MIB(2), RAM_GPA + MIB(2),
			   at + MIB(8) - LEN, RAM_GPA + MIB(8) - LEN));
}

/*
 * Granules and sizes of the input address. QEMU's SMMU translates the begin of
 * a table only, so those that are larger than 4 KiB have to be in one piece.
 */
TEST_F_TIMEOUT(tdma, formats, 120)
{
	static const struct {
		unsigned int shift;
		unsigned int bits;
		unsigned int idr5;
	} f[] = {
		{ 12, 48, IDR5_GRAN4K }, { 12, 40, IDR5_GRAN4K },
		{ 12, 32, IDR5_GRAN4K }, { 12, 30, IDR5_GRAN4K },
		{ 14, 48, IDR5_GRAN16K }, { 14, 47, IDR5_GRAN16K },
		{ 14, 36, IDR5_GRAN16K }, { 16, 48, IDR5_GRAN64K },
		{ 16, 42, IDR5_GRAN64K },
	};
	struct s1 *s = &self->s;
	unsigned int i, block;
	bool huge = huge_pages(2);

	if (huge) {
		ASSERT_EQ(0, vmm_add_ram(self->v, TABLES_GPA, MIB(4)));
		ASSERT_EQ(0, vmm_set_mem_table(self->v));
	}
	for (i = 0; i < ARRAY_SIZE(f); i++) {
		if (!(self->v->nest.idr[5] & f[i].idr5) ||
		    (f[i].shift > 12 && !huge)) {
			ksft_print_msg("no granule 2^%u, or no huge pages\n",
				       f[i].shift);
			continue;
		}
		s1_init(s, self->v, huge ? TABLES_GPA : TABLE_GPA, MIB(4),
			f[i].shift, f[i].bits, ASID + i);
		map_usual(s);
		block = s1_lvl_shift(s, 2);
		/* Blocks of 16 and 64 KiB granules are of 32 and 512 MiB */
		if (f[i].shift > 12 && f[i].bits > 40 &&
		    self->x.d->max_iova > GIB(4))
			s1_map_leaf(s, 1ULL << (block + 3), RAM_GPA, 2,
				    MAP_RW);
		ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), s));
		ASSERT_EQ(0, env_table_driver(&self->e, 0, s));
		EXPECT_TRUE(works(self))
			TH_LOG("granule 2^%u, %u bits", f[i].shift, f[i].bits);
		EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST + KIB(64) - 100,
				   DST_GPA + KIB(64) - 100));
		EXPECT_TRUE(write_denied(self, DST + MIB(1), DST_GPA));
		if (f[i].shift > 12 && f[i].bits > 40 &&
		    self->x.d->max_iova > GIB(4)) {
			EXPECT_TRUE(copies(self, SRC, SRC_GPA,
					   (1ULL << (block + 3)) + MIB(6),
					   RAM_GPA + MIB(6)));
		}
		EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	}
}

TEST_F_TIMEOUT(tdma, not_mapped, 90)
{
	ASSERT_ST(OK, up_first(self));
	EXPECT_TRUE(read_denied(self, SRC + PAGE, SRC_GPA + PAGE));
	EXPECT_TRUE(write_denied(self, DST - PAGE, DST_GPA));
	EXPECT_TRUE(write_denied(self, DST + MIB(1), DST_GPA));
	/* No table, at any level */
	EXPECT_TRUE(write_denied(self, MIB(160), DST_GPA));
	/* The identity is not mapped, either */
	EXPECT_TRUE(write_denied(self, LOW_GPA, LOW_GPA));
	EXPECT_TRUE(works(self));
}

TEST_F_TIMEOUT(tdma, permissions, 90)
{
	struct s1 *s = &self->s;
	__u64 *e;

	ASSERT_ST(OK, up_first(self));
	/* Read only */
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA + KIB(64)));
	/* No access flag, and the SMMU does not set it */
	s1_map(s, MIB(64), DST_GPA, PAGE, MAP_RW);
	e = s1_entry(s, MIB(64), 3, false);
	ASSERT_NE(NULL, e);
	*e &= htole64(~PTE_AF);
	EXPECT_TRUE(write_denied(self, MIB(64), DST_GPA));
	*e |= htole64(PTE_AF);
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, MIB(64), DST_GPA));
	EXPECT_TRUE(works(self));
}

TEST_F_TIMEOUT(tdma, bypass_and_abort, 90)
{
	struct vmm *v = self->v;

	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_BYPASS, 0));
	ASSERT_EQ(0, env_driver(&self->e, 0, ~0u));
	EXPECT_TRUE(copies(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
			   LOW_GPA + PAGE));
	/* Not guest memory */
	EXPECT_TRUE(xfer_write_denied(&self->x, LOW_GPA, LOW_GPA,
				      LOW_GPA - PAGE, LOW_GPA + PAGE, LEN));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_ABORT, 0));
	EXPECT_TRUE(xfer_write_denied(&self->x, LOW_GPA, LOW_GPA,
				      LOW_GPA + PAGE, LOW_GPA + PAGE, LEN));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_BYPASS, 0));
	EXPECT_TRUE(copies(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
			   LOW_GPA + PAGE));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_TRUE(xfer_write_denied(&self->x, LOW_GPA, LOW_GPA,
				      LOW_GPA + PAGE, LOW_GPA + PAGE, LEN));
}

/* Tables and what they point to are guest-physical, and only guest memory */
TEST_F_TIMEOUT(tdma, leaves_out_of_ram, 90)
{
	/* Nothing, a hole next to RAM, the host's RAM, the doorbell, the end */
	static const __u64 gpa[] = {
		NOT_RAM_GPA, LOW_GPA - PAGE, LOW_GPA + LOW_SIZE, GIB(1) - PAGE,
		RAM_GPA + RAM_SIZE, RAM_GPA + MIB(128), 0, MSI_WINDOW,
		(1ULL << 44) - PAGE, (1ULL << 47),
	};
	unsigned int i;

	NOT_WITH_A_DRIVER;
	ASSERT_ST(OK, up_first(self));
	for (i = 0; i < ARRAY_SIZE(gpa); i++) {
		__u64 at = MIB(64) + i * PAGE;

		s1_map(&self->s, at, gpa[i], PAGE, MAP_RW);
		EXPECT_TRUE(read_denied(self, at, SRC_GPA + KIB(64)))
			TH_LOG("GPA 0x%llx", gpa[i]);
		/* What is not there can be written to without harm */
		if (gpa[i] == MSI_WINDOW)
			continue;
		EXPECT_TRUE(write_denied(self, at, DST_GPA))
			TH_LOG("GPA 0x%llx", gpa[i]);
	}
	EXPECT_TRUE(works(self));
}

TEST_F_TIMEOUT(tdma, tables_out_of_ram, 120)
{
	static const __u64 gpa[] = {
		NOT_RAM_GPA, 0, MSI_WINDOW, RAM_GPA + RAM_SIZE,
		(1ULL << 44) - PAGE,
	};
	struct vmm *v = self->v;
	struct s1 *s = &self->s;
	unsigned int i, level;
	__u64 *e, saved, *cd;

	NOT_WITH_A_DRIVER;
	ASSERT_ST(OK, up_first(self));
	EXPECT_TRUE(works(self));
	cd = ram_va(v, s->cd);
	for (i = 0; i < ARRAY_SIZE(gpa); i++) {
		for (level = 1; level < 3; level++) {
			e = s1_entry(s, DST, level, false);
			saved = *e;
			STORE(e, htole64(gpa[i] | PTE_VALID | PTE_TABLE));
			ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
			EXPECT_TRUE(dead(self))
				TH_LOG("table at 0x%llx", gpa[i]);
			STORE(e, saved);
		}
		/* The root */
		STORE(&cd[1], htole64(gpa[i]));
		ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
		EXPECT_TRUE(dead(self))
			TH_LOG("root at 0x%llx", gpa[i]);
		STORE(&cd[1], htole64(s->root));
		ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
		/* The context descriptor */
		ASSERT_ST(OK, g_attach_table(v, DOM, EP(0),
					     STE0_V | STE0_CFG_S1 | gpa[i],
					     STE1_USUAL));
		EXPECT_TRUE(dead(self))
			TH_LOG("context descriptor at 0x%llx", gpa[i]);
		ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), s));
	}
	EXPECT_TRUE(works(self));
}

/* Whatever is in a context descriptor, it's the guest's own affair */
TEST_F_TIMEOUT(tdma, bad_context_descriptors, 120)
{
	struct vmm *v = self->v;
	struct s1 *s = &self->s;
	unsigned int i;
	__u64 good;

	NOT_WITH_A_DRIVER;
	ASSERT_ST(OK, up_first(self));
	good = s1_cd0(s);
	const __u64 bad[] = {
		0, good & ~CD0_V, good & ~CD0_AA64, good & ~CD0_A,
		good | CD0_EPD0, good & ~CD0_T0SZ(63),
		good | CD0_T0SZ(63), good | CD0_TG0(3), ~0ULL,
	};

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		s1_write_cd(s, bad[i]);
		ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
		EXPECT_TRUE(dead(self))
			TH_LOG("CD 0x%llx", bad[i]);
		s1_write_cd(s, good);
		ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	}
	EXPECT_TRUE(works(self));
}

/* A table that points to itself maps itself, and no more than that */
TEST_F_TIMEOUT(tdma, tables_that_loop, 60)
{
	struct s1 *s = &self->s;
	__u64 *e, saved;

	NOT_WITH_A_DRIVER;
	ASSERT_ST(OK, up_first(self));
	e = s1_entry(s, DST, 1, false);
	saved = *e;
	STORE(e, htole64(s->root | PTE_VALID | PTE_TABLE));
	ASSERT_ST(OK, g_inv(self->v, inv_domain(DOM, 3)));
	/* It ends at the last level: entry 0 of the root, as a page */
	EXPECT_TRUE(dead(self));
	STORE(e, saved);
	ASSERT_ST(OK, g_inv(self->v, inv_domain(DOM, 3)));
	EXPECT_TRUE(works(self));
}

/* Memory that the VMM gave read-only is so for every table */
TEST_F_TIMEOUT(tdma, rom, 60)
{
	struct iommu_ioas_map m = {
		.size = sizeof(m),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = self->v->ram_ioas,
		.user_va = (__u64)(uintptr_t)ram_va(self->v, DST_GPA),
		.length = PAGE,
		.iova = NOT_RAM_GPA,
	};

	ASSERT_EQ(0, xioctl(self->v->iommufd, IOMMU_IOAS_MAP, &m));
	ASSERT_ST(OK, up_first(self));
	s1_map(&self->s, MIB(64), NOT_RAM_GPA, PAGE, MAP_RW);
	EXPECT_TRUE(copies(self, MIB(64), DST_GPA, OUT, OUT_GPA));
	EXPECT_TRUE(write_denied(self, MIB(64), DST_GPA));
	EXPECT_TRUE(works(self));
}

/* All states an endpoint can be in, from each to each */
enum place { BLOCKED, PAGING, BYPASS_DOM, TABLE_S1, TABLE_S1_B, TABLE_BYPASS,
	     TABLE_ABORT, NR_PLACES };

static int go(SELF, enum place to)
{
	static const __u64 table_gpa[2] = { DST_GPA, DST_GPA + MIB(1) };
	struct vmm *v = self->v;
	unsigned int dom = 10 + to;
	int rc;

	switch (to) {
	case BLOCKED:
		rc = g_detach(v, 0, EP(0));
		for (dom = 10; rc == INVAL && dom < 10 + NR_PLACES; dom++)
			rc = g_detach(v, dom, EP(0));
		/* It was there already */
		if (vmm_ep_state(v, EP(0)) == VHOST_IOMMU_STATE_BLOCKED)
			rc = OK;
		return rc;
	case PAGING:
		rc = g_attach(v, dom, EP(0));
		if (!rc)
			rc = g_map(v, dom, SRC, SRC + PAGE - 1, SRC_GPA,
				   MAP_R);
		/* The second time it is there */
		if (rc == INVAL)
			return OK;
		if (!rc)
			rc = g_map(v, dom, DST, DST + PAGE - 1, DST_GPA,
				   MAP_RW);
		return rc;
	case BYPASS_DOM:
		return g_attach_flags(v, dom, EP(0),
				      VIRTIO_IOMMU_ATTACH_F_BYPASS);
	case TABLE_S1:
	case TABLE_S1_B:
		/* Both have the same ASID, and the same addresses */
		s1_usual(&self->s, v, 0, ASID);
		s1_map(&self->s, SRC, SRC_GPA, PAGE, MAP_R);
		s1_map(&self->s, DST, table_gpa[to == TABLE_S1_B], PAGE,
		       MAP_RW);
		rc = g_attach_s1(v, dom, EP(0), &self->s);
		/* To the same again is no flush */
		return rc ? rc : g_inv(v, inv_domain(dom, 3));
	case TABLE_BYPASS:
		return g_attach_table(v, dom, EP(0), STE0_BYPASS, 0);
	default:
		return g_attach_table(v, dom, EP(0), STE0_ABORT, 0);
	}
}

static bool right_place(SELF, enum place at)
{
	switch (at) {
	case PAGING:
	case TABLE_S1:
		return copies(self, SRC, SRC_GPA, DST, DST_GPA);
	case TABLE_S1_B:
		return copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1));
	case BYPASS_DOM:
	case TABLE_BYPASS:
		return copies(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
			      LOW_GPA + PAGE);
	default:
		return dead(self) &&
		       xfer_write_denied(&self->x, LOW_GPA, LOW_GPA,
					 LOW_GPA + PAGE, LOW_GPA + PAGE, LEN);
	}
}

TEST_F_TIMEOUT(tdma, every_move, 300)
{
	static const int states[NR_PLACES] = {
		[BLOCKED] = VHOST_IOMMU_STATE_BLOCKED,
		[PAGING] = VHOST_IOMMU_STATE_PAGING,
		[BYPASS_DOM] = VHOST_IOMMU_STATE_BYPASS_DOMAIN,
		[TABLE_S1] = VHOST_IOMMU_STATE_TABLE,
		[TABLE_S1_B] = VHOST_IOMMU_STATE_TABLE,
		[TABLE_BYPASS] = VHOST_IOMMU_STATE_TABLE,
		[TABLE_ABORT] = VHOST_IOMMU_STATE_TABLE,
	};
	struct vmm_stats s;
	unsigned int from, to;

	NOT_WITH_A_DRIVER;
	for (from = 0; from < NR_PLACES; from++)
		for (to = 0; to < NR_PLACES; to++) {
			ASSERT_ST(OK, go(self, from));
			ASSERT_TRUE(right_place(self, from))
				TH_LOG("at %u", from);
			ASSERT_ST(OK, go(self, to));
			EXPECT_EQ(states[to], vmm_ep_state(self->v, EP(0)));
			ASSERT_TRUE(right_place(self, to))
				TH_LOG("from %u to %u", from, to);
			ASSERT_EQ(0, vmm_stats(self->v, &s));
			EXPECT_EQ(to != BLOCKED, s.domains);
		}
	EXPECT_EQ(0, s.host_errors);
}

TEST_F_TIMEOUT(tdma, replaced_table, 60)
{
	struct s1 t;

	ASSERT_ST(OK, up_first(self));
	EXPECT_TRUE(works(self));
	/* With the same ASID: what is cached of the old table must not stay */
	s1_usual(&t, self->v, 1, ASID);
	map_usual(&t);
	s1_map(&t, DST, DST_GPA + MIB(1), PAGE, MAP_RW);
	if (self->x.d->drv_len)
		ASSERT_EQ(0, env_table_driver(&self->e, 0, &t));
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &t));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)));
}

/*
 * The end of a domain is the end of its ASID: the guest gives it to other
 * tables, and does not invalidate before it does.
 */
enum end { END_DETACH, END_PAGING, END_TABLE, END_RESET, END_REMOVE, NR_ENDS };

static int end_domain(SELF, enum end how)
{
	struct vmm *v = self->v;
	int rc;

	switch (how) {
	case END_DETACH:
		return g_detach(v, DOM, EP(0));
	case END_PAGING:
		rc = g_attach(v, DOM + 2, EP(0));
		return rc ? rc : g_detach(v, DOM + 2, EP(0));
	case END_TABLE:
		rc = g_attach_table(v, DOM + 2, EP(0), STE0_ABORT, 0);
		return rc ? rc : g_detach(v, DOM + 2, EP(0));
	case END_RESET:
		rc = vmm_set_running(v, false);
		if (!rc)
			rc = vmm_reset(v);
		if (!rc)
			rc = vmm_set_rings(v, 256);
		return rc ? rc : vmm_start(v);
	default:
		rc = vmm_remove_endpoint(v, EP(0));
		return rc ? rc : vmm_add_endpoint(v, EP(0), self->e.dev[0], -1,
						  NULL, 0);
	}
}

TEST_F_TIMEOUT(tdma, asid_used_again, 120)
{
	unsigned int how;
	struct s1 t;

	for (how = 0; how < NR_ENDS; how++) {
		ASSERT_ST(OK, up_first(self));
		EXPECT_TRUE(works(self));
		ASSERT_EQ(0, end_domain(self, how));
		s1_usual(&t, self->v, 1, ASID);
		map_usual(&t);
		s1_map(&t, DST, DST_GPA + MIB(1), PAGE, MAP_RW);
		s1_clear(&t, DST + PAGE, PAGE);
		ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &t));
		ASSERT_EQ(0, env_table_driver(&self->e, 0, &t));
		EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)))
			TH_LOG("end %u", how);
		EXPECT_TRUE(write_denied(self, DST + PAGE, DST_GPA + PAGE));
		ASSERT_ST(OK, g_detach(self->v, DOM, EP(0)));
	}
}

/* As long as one endpoint is left, so is the domain; then it ends */
TEST_F_TIMEOUT(tdma, asid_used_again_by_the_last_one, 90)
{
	struct s1 t;

	ASSERT_ST(OK, up_first(self));
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(1), &self->s));
	EXPECT_TRUE(works(self));
	ASSERT_ST(OK, g_detach(self->v, DOM, EP(0)));
	self->x.d = self->e.dev[1];
	ASSERT_EQ(0, env_table_driver(&self->e, 1, &self->s));
	EXPECT_TRUE(works(self));
	ASSERT_ST(OK, g_detach(self->v, DOM, EP(1)));
	s1_usual(&t, self->v, 1, ASID);
	map_usual(&t);
	s1_map(&t, DST, DST_GPA + MIB(1), PAGE, MAP_RW);
	self->x.d = self->e.dev[0];
	ASSERT_ST(OK, g_attach_s1(self->v, DOM + 1, EP(0), &t));
	ASSERT_EQ(0, env_table_driver(&self->e, 0, &t));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)));
}

TEST_F_TIMEOUT(tdma, two_domains, 120)
{
	struct s1 t;

	ASSERT_ST(OK, up_first(self));
	ASSERT_ST(OK, up(self, &t, 1, DOM + 1, ASID + 1));
	/* The same addresses, and elsewhere */
	s1_map(&t, DST, HIGH_GPA, MIB(1), MAP_RW);
	ASSERT_ST(OK, g_inv(self->v, inv_asid(DOM + 1, ASID + 1)));
	EXPECT_TRUE(works(self));
	self->x.d = self->e.dev[1];
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, HIGH_GPA));
	/* One ends, the other goes on */
	ASSERT_ST(OK, g_detach(self->v, DOM, EP(0)));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, HIGH_GPA));
	self->x.d = self->e.dev[0];
	EXPECT_TRUE(dead(self));
}

TEST_F_TIMEOUT(tdma, two_in_one_domain, 120)
{
	struct s1 *s = &self->s;

	ASSERT_ST(OK, up_first(self));
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(1), s));
	ASSERT_EQ(0, env_table_driver(&self->e, 1, s));
	EXPECT_TRUE(works(self));
	self->x.d = self->e.dev[1];
	EXPECT_TRUE(works(self));
	/* An invalidation holds for all that are in the domain */
	s1_map(s, DST, DST_GPA + MIB(1), PAGE, MAP_RW);
	ASSERT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, DST, 1, 12,
					       VIRTIO_IOMMU_INV_F_LEAF)));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)));
	self->x.d = self->e.dev[0];
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)));
	/* One leaves */
	ASSERT_ST(OK, g_detach(self->v, DOM, EP(0)));
	EXPECT_TRUE(dead(self));
	self->x.d = self->e.dev[1];
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)));
}

/* A context descriptor is cached, too, for each endpoint */
TEST_F_TIMEOUT(tdma, context_descriptor_changes, 120)
{
	struct s1 *s = &self->s, t;
	__u64 *cd = NULL;

	ASSERT_ST(OK, up_first(self));
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(1), s));
	ASSERT_EQ(0, env_table_driver(&self->e, 1, s));
	EXPECT_TRUE(works(self));
	self->x.d = self->e.dev[1];
	EXPECT_TRUE(works(self));
	/* To other tables, with the drivers' memory at the same place */
	s1_usual(&t, self->v, 2, ASID);
	map_usual(&t);
	s1_map(&t, DST, DST_GPA + MIB(1), PAGE, MAP_RW);
	s1_map(&t, MSI_WINDOW, MSI_WINDOW, MSI_WINDOW_LEN, MAP_RW);
	s1_map(&t, DRV_IOVA, LOW_GPA + LOW_SIZE - KIB(256), KIB(256), MAP_RW);
	s1_map(&t, DRV_IOVA + KIB(256), LOW_GPA + LOW_SIZE - KIB(512),
	       KIB(256), MAP_RW);
	ASSERT_FALSE(t.failed);
	cd = ram_va(self->v, s->cd);
	STORE(&cd[1], htole64(t.root));
	/* The TLB alone is not enough */
	ASSERT_ST(OK, g_inv(self->v,
			    inv_domain(DOM, VIRTIO_IOMMU_INV_C_TLB)));
	if (self->e.trace.fd >= 0)
		EXPECT_TRUE(works(self));
	ASSERT_ST(OK, g_inv(self->v, inv_domain(DOM,
						VIRTIO_IOMMU_INV_C_PASID |
						VIRTIO_IOMMU_INV_C_TLB)));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)));
	self->x.d = self->e.dev[0];
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + MIB(1)));
}

TEST_F_TIMEOUT(tdma, after_stop_reset_and_removal, 120)
{
	struct vmm *v = self->v;

	ASSERT_ST(OK, up_first(self));
	EXPECT_TRUE(works(self));
	ASSERT_EQ(0, vmm_set_running(v, false));
	/* Stopping alone changes nothing */
	EXPECT_TRUE(works(self));
	ASSERT_EQ(0, vmm_reset(v));
	EXPECT_TRUE(dead(self));
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_start(v));
	ASSERT_ST(OK, up_first(self));
	EXPECT_TRUE(works(self));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	EXPECT_TRUE(dead(self));
}

/* As in map and unmap mode: the device is the VMM's, and stays as it was */
TEST_F_TIMEOUT(tdma, after_close, 60)
{
	ASSERT_ST(OK, up_first(self));
	close(self->v->fd);
	self->v->fd = -1;
	EXPECT_TRUE(works(self));
	EXPECT_TRUE(write_denied(self, DST + MIB(1), DST_GPA));
	EXPECT_EQ(0, dev_detach(self->x.d));
	EXPECT_TRUE(dead(self));
}

SUITE;
