// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's invalidation commands, by iommufd and VFIO alone: each takes away
 * what it should and nothing else.
 */
#include "mock_guest.h"
#include "suite.h"

#define OLD	0
#define NEW	100

/* Where the pages are: two neighbours, and a global one */
#define A	IOVA
#define B	(IOVA + PAGE)
#define G	(IOVA + 2 * PAGE)

#define TG(n)		((__u64)(n) << 10)
#define TTL(n)		((__u64)(n) << 8)
#define LEAF		1ULL
#define NUM(n)		((__u64)(n) << 12)
#define SCALE(n)	((__u64)(n) << 20)
#define ASID_IS(n)	((__u64)(n) << 48)
#define SID(n)		((__u64)(n) << 32)

FIXTURE(mockcmd)
{
	struct mg g;
};

KIND_VARIANTS(mockcmd);
KIND_MOCK(mockcmd);

FIXTURE_SETUP(mockcmd)
{
	int rc = mg_open(&self->g);

	if (rc == -ENODEV)
		SKIP(return, "needs dma0, dma1, and dma4 behind another IOMMU");
	ASSERT_EQ(0, rc);
}

FIXTURE_TEARDOWN(mockcmd)
{
	mg_down(&self->g);
	mg_close(&self->g);
}

static struct vhost_iommu_mock_nest nest_of(struct dma_dev *d)
{
	struct vhost_iommu_mock_nest n;

	if (mock_nest(d, &n))
		memset(&n, 0xff, sizeof(n));
	return n;
}

static int attach_both(struct mg *g)
{
	int rc = dev_attach(g->d[0], g->nested[0]);

	return rc ? rc : dev_attach(g->d[1], g->nested[1]);
}

static void map_all(struct mg *g, unsigned int to)
{
	mg_map(g, 0, A, DATA(to + 1), 3, 0);
	mg_map(g, 0, B, DATA(to + 2), 3, 0);
	mg_map(g, 0, G, DATA(to + 3), 3, PTE_NG);
	mg_map(g, 1, A, DATA(to + 4), 3, 0);
}

/* Of the four pages, those that are where they were mapped first */
static unsigned int stale(struct mg *g)
{
	const int see[4] = {
		mg_see(g, 0, A), mg_see(g, 0, B), mg_see(g, 0, G),
		mg_see(g, 1, A),
	};
	unsigned int i, mask = 0;

	for (i = 0; i < 4; i++) {
		if (see[i] == (int)(OLD + 1 + i))
			mask |= 1 << i;
		else if (see[i] != (int)(NEW + 1 + i))
			return ~0;
	}
	return mask;
}

/* All four in the cache, and then elsewhere */
static bool make_stale(struct mg *g)
{
	map_all(g, OLD);
	if (mg_cmd(g, CMD_NSNH, 0) || stale(g) != 0xf)
		return false;
	map_all(g, NEW);
	return stale(g) == 0xf;
}

#define IN_A	0x1
#define IN_B	0x2
#define IN_G	0x4
#define IN_1	0x8
#define IN_ALL	0xf

TEST_F(mockcmd, tlb)
{
	static const struct {
		__u64 cmd[2];
		unsigned int gone;
	} t[] = {
		{ { CMD_NSNH, 0 }, IN_ALL },
		{ { CMD_ALL, 0 }, IN_ALL },
		/* Whose VMID is in the command does not matter */
		{ { CMD_ALL | SID(77), 0 }, IN_ALL },
		{ { CMD_ASID | ASID_IS(1), 0 }, IN_A | IN_B },
		{ { CMD_ASID | ASID_IS(2), 0 }, IN_1 },
		{ { CMD_ASID | ASID_IS(3), 0 }, 0 },
		{ { CMD_VA | ASID_IS(1), A }, IN_A },
		{ { CMD_VA | ASID_IS(1), A | LEAF }, IN_A },
		{ { CMD_VA | ASID_IS(2), A }, IN_1 },
		{ { CMD_VA | ASID_IS(2), B }, 0 },
		{ { CMD_VA | ASID_IS(3), A }, 0 },
		{ { CMD_VA | ASID_IS(3), G }, IN_G },
		{ { CMD_VAA, A }, IN_A | IN_1 },
		{ { CMD_VAA, A + MIB(2) }, 0 },
		/* Ranges */
		{ { CMD_VA | ASID_IS(1) | NUM(1), A | TG(1) }, IN_A | IN_B },
		{ { CMD_VA | ASID_IS(1) | NUM(2), A | TG(1) },
		  IN_A | IN_B | IN_G },
		{ { CMD_VAA | NUM(31) | SCALE(2), (A - 127 * PAGE) | TG(1) },
		  IN_A | IN_1 },
		{ { CMD_VAA | NUM(30) | SCALE(2), (A - 127 * PAGE) | TG(1) },
		  0 },
		{ { CMD_VAA | SCALE(31) | NUM(31), TG(3) }, IN_ALL },
		{ { CMD_VA | ASID_IS(1) | SCALE(9), A | TG(1) },
		  IN_A | IN_B | IN_G },
		/* The level of the entry */
		{ { CMD_VA | ASID_IS(1), A | TG(1) | TTL(3) | LEAF }, IN_A },
		{ { CMD_VA | ASID_IS(1), A | TG(1) | TTL(2) | LEAF }, 0 },
		{ { CMD_VA | ASID_IS(1) | NUM(1), A | TG(1) | TTL(1) }, 0 },
		/* Not translations */
		{ { CMD_CFGI | SID(VIRT_ID(0)), LEAF }, 0 },
		{ { CMD_CFGI_ALL | SID(VIRT_ID(0)), 0 }, 0 },
	};
	struct mg *g = &self->g;
	unsigned int i;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, attach_both(g));
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		ASSERT_TRUE(make_stale(g));
		EXPECT_EQ(0, mg_cmd(g, t[i].cmd[0], t[i].cmd[1]));
		EXPECT_EQ(IN_ALL & ~t[i].gone, stale(g))
			TH_LOG("%u: %#llx %#llx", i, t[i].cmd[0], t[i].cmd[1]);
	}
	EXPECT_EQ(0, nest_of(g->d[0]).evictions);
}

/* The cache keeps a block's pages one by one */
TEST_F(mockcmd, block)
{
	struct mg *g = &self->g;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, attach_both(g));
	mg_map(g, 0, IOVA, RAM_GPA, 2, 0);
	EXPECT_EQ(0, mg_see(g, 0, IOVA));
	EXPECT_EQ(1, mg_see(g, 0, IOVA + PAGE));
	EXPECT_EQ(511, mg_see(g, 0, IOVA + 511 * PAGE));
	mg_map(g, 0, IOVA, RAM_GPA + MIB(2), 2, 0);
	ASSERT_EQ(0, mg_cmd(g, CMD_VA | ASID_IS(1), IOVA));
	EXPECT_EQ(512, mg_see(g, 0, IOVA));
	EXPECT_EQ(1, mg_see(g, 0, IOVA + PAGE));
	/* Neither the last level, nor half of it */
	ASSERT_EQ(0, mg_cmd(g, CMD_VA | ASID_IS(1) | SCALE(9),
			    IOVA | TG(1) | TTL(3) | LEAF));
	EXPECT_EQ(1, mg_see(g, 0, IOVA + PAGE));
	ASSERT_EQ(0, mg_cmd(g, CMD_VA | ASID_IS(1) | SCALE(8),
			    IOVA | TG(1) | TTL(2) | LEAF));
	EXPECT_EQ(513, mg_see(g, 0, IOVA + PAGE));
	EXPECT_EQ(511, mg_see(g, 0, IOVA + 511 * PAGE));
	mg_map(g, 0, IOVA, RAM_GPA, 2, 0);
	ASSERT_EQ(0, mg_cmd(g, CMD_VA | ASID_IS(1) | SCALE(9),
			    IOVA | TG(1) | TTL(2) | LEAF));
	EXPECT_EQ(0, mg_see(g, 0, IOVA));
	EXPECT_EQ(1, mg_see(g, 0, IOVA + PAGE));
	EXPECT_EQ(511, mg_see(g, 0, IOVA + 511 * PAGE));
}

/* The table of the last level is cached, too: LEAF must not be said of it */
TEST_F(mockcmd, table)
{
	static const struct {
		__u64 cmd[2];
		bool gone;
	} t[] = {
		{ { CMD_VA | ASID_IS(1), A | LEAF }, false },
		{ { CMD_VAA | SCALE(9), A | TG(1) | LEAF }, false },
		{ { CMD_VA | ASID_IS(2), A }, false },
		{ { CMD_VA | ASID_IS(1), A }, true },
		{ { CMD_VAA, A + MIB(2) - PAGE }, true },
		{ { CMD_VAA, A + MIB(2) }, false },
		{ { CMD_VAA | NUM(1), (A - PAGE) | TG(1) }, true },
		{ { CMD_ASID | ASID_IS(1), 0 }, true },
		{ { CMD_ASID | ASID_IS(2), 0 }, false },
		{ { CMD_ALL, 0 }, true },
	};
	struct mg *g = &self->g;
	__u64 old, table;
	__u64 *dir, *pte;
	unsigned int i;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, attach_both(g));
	mg_map(g, 0, A, DATA(1), 3, 0);
	mg_map(g, 0, B, DATA(3), 3, 0);
	dir = mg_entry(g, 0, A, 2);
	old = *dir;
	table = mg_table(g);
	pte = ram_va(&g->v, table);
	pte[0] = DATA(2) | PTE_LEAF3 | PTE_USER | PTE_AF | PTE_NG;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		STORE(dir, old);
		ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
		ASSERT_EQ(3, mg_see(g, 0, B));
		ASSERT_EQ(1, nest_of(g->d[0]).walk_entries);
		STORE(dir, table | PTE_TABLE | PTE_VALID);
		ASSERT_EQ(0, mg_cmd(g, t[i].cmd[0], t[i].cmd[1]));
		EXPECT_EQ(t[i].gone ? 2 : 1, mg_see(g, 0, A))
			TH_LOG("%u", i);
	}
}

TEST_F(mockcmd, context)
{
	static const struct {
		__u64 cmd[2];
		bool gone;
	} t[] = {
		{ { CMD_NSNH, 0 }, false },
		{ { CMD_CFGI | SID(VIRT_ID(1)), LEAF }, false },
		{ { CMD_CFGI_ALL | SID(VIRT_ID(1)), 0 }, false },
		{ { CMD_CFGI | SID(VIRT_ID(0)), LEAF }, true },
		{ { CMD_CFGI | SID(VIRT_ID(0)), 0 }, true },
		{ { CMD_CFGI_ALL | SID(VIRT_ID(0)), 0 }, true },
	};
	struct mg *g = &self->g;
	unsigned int i;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, attach_both(g));
	map_all(g, OLD);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		mg_cd(g, CD_GPA(0), 0, 1);
		ASSERT_EQ(0, mg_cmd(g, CMD_CFGI_ALL | SID(VIRT_ID(0)), 0));
		ASSERT_EQ(1, mg_see(g, 0, A));
		ASSERT_EQ(1, nest_of(g->d[0]).cd_entries);
		/* The other device's tables, in an unused address space */
		mg_cd(g, CD_GPA(0), 1, 10 + i);
		ASSERT_EQ(1, mg_see(g, 0, A));
		ASSERT_EQ(0, mg_cmd(g, t[i].cmd[0], t[i].cmd[1]));
		EXPECT_EQ(t[i].gone ? 4 : 1, mg_see(g, 0, A))
			TH_LOG("%u", i);
	}
	/* What is not valid is cached, too */
	*(__u64 *)ram_va(&g->v, CD_GPA(0)) = 0;
	ASSERT_EQ(0, mg_cmd(g, CMD_CFGI_ALL | SID(VIRT_ID(0)), 0));
	EXPECT_EQ(-VHOST_IOMMU_MOCK_DMA_BAD_CONFIG, mg_see(g, 0, A));
	mg_cd(g, CD_GPA(0), 0, 1);
	EXPECT_EQ(-VHOST_IOMMU_MOCK_DMA_BAD_CONFIG, mg_see(g, 0, A));
	ASSERT_EQ(0, mg_cmd(g, CMD_CFGI | SID(VIRT_ID(0)), LEAF));
	EXPECT_EQ(1, mg_see(g, 0, A));
}

/* Two guests of one IOMMU, with the same numbers for everything */
TEST_F(mockcmd, parents)
{
	const __u64 asid[2] = { htole64(CMD_ASID | ASID_IS(1)) };
	const __u64 cfgi[2] = { htole64(CMD_CFGI_ALL | SID(VIRT_ID(0))) };
	struct mg *g = &self->g;
	__u32 parent, num = 1;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, vmm_destroy(&g->v, g->nested[1]));
	ASSERT_EQ(0, vmm_destroy(&g->v, g->vdev[1]));
	ASSERT_EQ(0, mg_parent(g, g->d[1], &parent));
	ASSERT_EQ(0, mg_viommu(g, g->d[1], parent, ARM, &g->extra));
	ASSERT_EQ(0, mg_vdevice(g, g->extra, g->d[1], VIRT_ID(0), &g->vdev[1]));
	mg_cd(g, CD_GPA(1), 1, ASID(0));
	ASSERT_EQ(0, mg_ste(g, g->d[1], g->extra, mg_ste0(g, 1), 0,
			    &g->nested[1]));
	ASSERT_EQ(0, attach_both(g));
	ASSERT_TRUE(make_stale(g));
	ASSERT_EQ(0, mg_cmd(g, asid[0], 0));
	EXPECT_EQ(IN_G | IN_1, stale(g));
	ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
	EXPECT_EQ(IN_1, stale(g));
	ASSERT_EQ(0, mg_inv(g, g->extra, ARM_INV, asid, sizeof(asid), &num));
	EXPECT_EQ(0, stale(g));
	ASSERT_EQ(0, mg_inv(g, g->extra, ARM_INV, cfgi, sizeof(cfgi), &num));
	EXPECT_EQ(1, nest_of(g->d[0]).cd_entries);
	EXPECT_EQ(0, nest_of(g->d[1]).cd_entries);
	mg_down(g);
	EXPECT_EQ(0, vmm_destroy(&g->v, parent));
}

/* Translations belong to an address space, and outlive an attachment */
TEST_F(mockcmd, reattach)
{
	struct mg *g = &self->g;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, attach_both(g));
	ASSERT_TRUE(make_stale(g));
	dev_detach(g->d[0]);
	EXPECT_EQ(0, nest_of(g->d[0]).cd_entries);
	EXPECT_EQ(4, nest_of(g->d[0]).tlb_entries);
	ASSERT_EQ(0, dev_attach(g->d[0], g->nested[0]));
	EXPECT_EQ(IN_ALL, stale(g));
	ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
	EXPECT_EQ(0, stale(g));
}

TEST_F(mockcmd, ats)
{
	static const struct {
		__u64 cmd[2];
		unsigned int gone;
	} t[] = {
		{ { CMD_ATC | SID(VIRT_ID(0)), A }, IN_A },
		{ { CMD_ATC | SID(VIRT_ID(0)), B }, IN_B },
		{ { CMD_ATC | SID(VIRT_ID(1)), A }, IN_1 },
		{ { CMD_ATC | SID(VIRT_ID(1)), B }, 0 },
		{ { CMD_ATC | SID(VIRT_ID(0)), A | 1 }, IN_A | IN_B },
		{ { CMD_ATC | SID(VIRT_ID(0)), A | 2 },
		  IN_A | IN_B | IN_G },
		/* The size says how much of the address counts */
		{ { CMD_ATC | SID(VIRT_ID(0)), B | 9 },
		  IN_A | IN_B | IN_G },
		{ { CMD_ATC | SID(VIRT_ID(0)), 52 }, IN_A | IN_B | IN_G },
		{ { CMD_NSNH, 0 }, 0 },
	};
	struct vhost_iommu_mock_config c;
	struct mg *g = &self->g;
	unsigned int i;

	mock_config_init(&c);
	c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
	ASSERT_EQ(0, mg_up(g, &c));
	ASSERT_EQ(0, attach_both(g));
	EXPECT_EQ(1, nest_of(g->d[0]).ats);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		map_all(g, OLD);
		ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
		ASSERT_EQ(0, mg_cmd(g, CMD_ATC | SID(VIRT_ID(0)), 52));
		ASSERT_EQ(0, mg_cmd(g, CMD_ATC | SID(VIRT_ID(1)), 52));
		ASSERT_EQ(IN_ALL, stale(g));
		map_all(g, NEW);
		/* The device has them, whatever the IOMMU has */
		ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
		ASSERT_EQ(IN_ALL, stale(g));
		ASSERT_EQ(0, mg_cmd(g, t[i].cmd[0], t[i].cmd[1]));
		EXPECT_EQ(IN_ALL & ~t[i].gone, stale(g))
			TH_LOG("%u", i);
	}
	/* In the wrong order the old translation comes back */
	ASSERT_EQ(0, mg_cmd(g, CMD_ATC | SID(VIRT_ID(0)), 52));
	ASSERT_EQ(101, mg_see(g, 0, A));
	map_all(g, OLD);
	ASSERT_EQ(0, mg_cmd(g, CMD_ATC | SID(VIRT_ID(0)), A));
	ASSERT_EQ(101, mg_see(g, 0, A));
	ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
	ASSERT_EQ(101, mg_see(g, 0, A));
}

TEST_F(mockcmd, ats_pasid)
{
	static const struct {
		__u64 cmd[2];
		bool gone[2];
	} t[] = {
		{ { CMD_ATC | SID(VIRT_ID(0)), A }, { true, false } },
		{ { CMD_ATC | SID(VIRT_ID(0)) | 1 << 11 | 3 << 12, A },
		  { false, true } },
		{ { CMD_ATC | SID(VIRT_ID(0)) | 1 << 11 | 2 << 12, 52 },
		  { false, false } },
		{ { CMD_ATC | SID(VIRT_ID(0)) | 1 << 11 | 1 << 9, 52 },
		  { true, true } },
	};
	struct vhost_iommu_mock_config c;
	struct mg *g = &self->g;
	unsigned int i, k;

	mock_config_init(&c);
	c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
	c.idr[1] |= VHOST_IOMMU_MOCK_IDR1_SSIDSIZE(4);
	ASSERT_EQ(0, mg_up(g, &c));
	mg_cd(g, CDS_GPA, 0, 1);
	mg_cd(g, CDS_GPA + 3 * 64, 0, 2);
	ASSERT_EQ(0, mg_ste(g, g->d[0], g->viommu,
			    STE0_V | STE0_S1 | CDS_GPA | 2ULL << 59,
			    STE1_EATS | 2, &g->extra));
	ASSERT_EQ(0, dev_attach(g->d[0], g->extra));
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		map_all(g, OLD);
		ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
		ASSERT_EQ(0, mg_cmd(g, CMD_ATC | SID(VIRT_ID(0)) | 1 << 11 |
				    1 << 9, 52));
		for (k = 0; k < 2; k++) {
			ASSERT_EQ(0, mock_pasid(g->d[0], k * 3));
			ASSERT_EQ(1, mg_see(g, 0, A));
		}
		map_all(g, NEW);
		ASSERT_EQ(0, mg_cmd(g, CMD_NSNH, 0));
		ASSERT_EQ(0, mg_cmd(g, t[i].cmd[0], t[i].cmd[1]));
		for (k = 0; k < 2; k++) {
			ASSERT_EQ(0, mock_pasid(g->d[0], k * 3));
			EXPECT_EQ(t[i].gone[k] ? 101 : 1, mg_see(g, 0, A))
				TH_LOG("%u %u", i, k);
		}
	}
	/* One descriptor of a table */
	EXPECT_EQ(2, nest_of(g->d[0]).cd_entries);
	ASSERT_EQ(0, mg_cmd(g, CMD_CFGI | SID(VIRT_ID(0)) | 3 << 12, LEAF));
	EXPECT_EQ(1, nest_of(g->d[0]).cd_entries);
	ASSERT_EQ(0, mg_cmd(g, CMD_CFGI_ALL | SID(VIRT_ID(0)), 0));
	EXPECT_EQ(0, nest_of(g->d[0]).cd_entries);
}

/* What an IOMMU lacks, a command must not have */
enum lack { USUAL, NO_RIL, ASID8, ATS, SSID };

TEST_F(mockcmd, rules)
{
#define GOOD	0
#define BAD	(-EIO)
#define DEV	SID(VIRT_ID(0))
	static const struct {
		enum lack config;
		__u64 cmd[2];
		int rc;
	} t[] = {
		{ USUAL, { CMD_NSNH | SID(1), 0 }, BAD },
		{ USUAL, { CMD_NSNH, 1 }, BAD },
		{ USUAL, { CMD_ALL | ASID_IS(1), 0 }, BAD },
		{ USUAL, { CMD_ASID | ASID_IS(0xffff), 0 }, GOOD },
		{ USUAL, { CMD_ASID, A }, BAD },
		{ USUAL, { CMD_VA | 1 << 8, A }, BAD },
		{ USUAL, { CMD_VA | 1 << 17, A }, BAD },
		{ USUAL, { CMD_VA | 1 << 26, A }, BAD },
		{ USUAL, { CMD_VA, A | 2 }, BAD },
		{ USUAL, { CMD_VA, ~0ULL << 12 }, GOOD },
		{ USUAL, { CMD_VAA | ASID_IS(1), A }, BAD },
		/* Ranges that mean nothing */
		{ USUAL, { CMD_VA, A | TG(1) }, BAD },
		{ USUAL, { CMD_VA, A | TG(1) | TTL(1) }, GOOD },
		{ USUAL, { CMD_VA | NUM(1), A }, BAD },
		{ USUAL, { CMD_VA, A | TTL(3) }, BAD },
		{ USUAL, { CMD_VA | NUM(1), A | TG(2) }, GOOD },
		{ USUAL, { CMD_VA | NUM(1), A | TG(2) | TTL(1) }, BAD },
		{ USUAL, { CMD_VA | SCALE(31), A | TG(1) }, GOOD },
		{ USUAL, { CMD_VA | SCALE(32), A | TG(1) }, BAD },
		{ USUAL, { CMD_ATC | DEV, A }, BAD },
		{ USUAL, { CMD_CFGI | DEV | 1 << 12, 0 }, BAD },
		{ USUAL, { CMD_CFGI | DEV, 2 }, BAD },
		{ USUAL, { CMD_CFGI_ALL | DEV, 1 }, BAD },
		{ USUAL, { CMD_CFGI_ALL | SID(VIRT_ID(9)), 0 }, BAD },
		{ USUAL, { 0x01, 0 }, BAD },
		{ USUAL, { 0x03 | DEV, 1 }, BAD },
		{ USUAL, { 0x04, 31 }, BAD },
		{ USUAL, { 0x20, 0 }, BAD },
		{ USUAL, { 0x28, 0 }, BAD },
		{ USUAL, { 0x46, 0 }, BAD },
		{ NO_RIL, { CMD_VA | ASID_IS(1), A | LEAF }, GOOD },
		{ NO_RIL, { CMD_VA | NUM(1), A | TG(1) }, BAD },
		{ NO_RIL, { CMD_VA, A | TG(1) | TTL(3) }, BAD },
		{ ASID8, { CMD_ASID | ASID_IS(0xff), 0 }, GOOD },
		{ ASID8, { CMD_ASID | ASID_IS(0x100), 0 }, BAD },
		{ ASID8, { CMD_VA | ASID_IS(0x100), A }, BAD },
		{ ATS, { CMD_ATC | DEV, A | 52 }, GOOD },
		{ ATS, { CMD_ATC | DEV, A | 53 }, BAD },
		{ ATS, { CMD_ATC | DEV, A | 1 << 6 }, BAD },
		{ ATS, { CMD_ATC | DEV | 1 << 11, A }, BAD },
		{ ATS, { CMD_ATC | DEV | 1 << 12, A }, BAD },
		{ ATS, { CMD_ATC | DEV | 1 << 9, A }, BAD },
		{ SSID, { CMD_ATC | DEV | 1 << 11 | 1 << 12, A }, GOOD },
		{ SSID, { CMD_CFGI | DEV | 1 << 12, 0 }, GOOD },
		{ SSID, { CMD_CFGI | DEV | 1 << 11, 0 }, BAD },
		{ SSID, { CMD_CFGI_ALL | DEV | 1 << 12, 0 }, BAD },
	};
	struct vhost_iommu_mock_nest before, after;
	struct vhost_iommu_mock_config c;
	struct mg *g = &self->g;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		if (!i || t[i].config != t[i - 1].config) {
			mg_down(g);
			mock_config_init(&c);
			if (t[i].config == NO_RIL)
				c.idr[3] &= ~VHOST_IOMMU_MOCK_IDR3_RIL;
			if (t[i].config == ASID8)
				c.idr[0] &= ~VHOST_IOMMU_MOCK_IDR0_ASID16;
			if (t[i].config >= ATS)
				c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
			if (t[i].config >= SSID)
				c.idr[1] |= VHOST_IOMMU_MOCK_IDR1_SSIDSIZE(8);
			ASSERT_EQ(0, mg_up(g, &c));
		}
		before = nest_of(g->d[0]);
		EXPECT_EQ(t[i].rc, mg_cmd(g, t[i].cmd[0], t[i].cmd[1]))
			TH_LOG("%u: %#llx %#llx", i, t[i].cmd[0], t[i].cmd[1]);
		after = nest_of(g->d[0]);
		EXPECT_EQ(before.inv_calls + 1, after.inv_calls);
		EXPECT_EQ(before.inv_errors + !!t[i].rc, after.inv_errors);
		EXPECT_EQ(before.inv_commands + !t[i].rc, after.inv_commands);
		EXPECT_EQ(before.inv_syncs + !t[i].rc, after.inv_syncs);
	}
}

#define MANY	700

static __u64 many[MANY][2];

static void fill_many(void)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		many[i][0] = htole64(CMD_VA | ASID_IS(1));
		many[i][1] = htole64(IOVA + i * PAGE);
	}
}

static int inv_many(struct mg *g, __u32 num, __u32 *done)
{
	*done = num;
	return mg_inv(g, g->viommu, ARM_INV, many, sizeof(many[0]), done);
}

TEST_F(mockcmd, groups)
{
	static struct vhost_iommu_mock_log log;
	struct vhost_iommu_mock_nest a, b;
	struct vhost_iommu_mock_ctl ctl;
	struct mg *g = &self->g;
	unsigned int i;
	__u32 done;

	ASSERT_EQ(0, mg_up(g, NULL));
	fill_many();

	a = nest_of(g->d[0]);
	ASSERT_EQ(0, mock_log_clear(g->d[0]));
	EXPECT_EQ(0, inv_many(g, 130, &done));
	EXPECT_EQ(130, done);
	b = nest_of(g->d[0]);
	EXPECT_EQ(1, b.inv_calls - a.inv_calls);
	EXPECT_EQ(130, b.inv_commands - a.inv_commands);
	EXPECT_EQ(3, b.inv_syncs - a.inv_syncs);
	ASSERT_EQ(0, dev_attach(g->d[0], g->parent));
	ASSERT_EQ(0, mock_ctl(g->d[0], &ctl));
	ASSERT_EQ(0, mock_log(g->d[1], &log));
	ASSERT_EQ(130, log.count);
	for (i = 0; i < 130; i++) {
		EXPECT_EQ(a.inv_syncs + 1 + i / 63, log.entry[i].sync);
		EXPECT_EQ(b.inv_calls, log.entry[i].call);
		EXPECT_EQ(ctl.domain_id, log.entry[i].vmid);
		EXPECT_EQ(~0U, log.entry[i].device);
		EXPECT_EQ(IOVA + i * PAGE, log.entry[i].cmd[1]);
	}
	ASSERT_EQ(0, mock_log(g->far, &log));
	EXPECT_EQ(0, log.count);

	/* One that is refused: those before it in its group are not done */
	many[70][1] |= htole64(2);
	ASSERT_EQ(0, mock_log_clear(g->d[0]));
	EXPECT_EQ(-EIO, inv_many(g, 130, &done));
	EXPECT_EQ(70, done);
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	EXPECT_EQ(63, log.count);
	EXPECT_EQ(a.inv_errors + 1, nest_of(g->d[0]).inv_errors);
	many[5][1] |= htole64(2);
	EXPECT_EQ(-EIO, inv_many(g, 130, &done));
	EXPECT_EQ(5, done);
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	EXPECT_EQ(63, log.count);
	fill_many();

	/* A sync that fails, and a command that does */
	ASSERT_EQ(0, mock_inject(g->d[1], VHOST_IOMMU_MOCK_INJECT_INVALIDATE,
				 1, 1, ETIMEDOUT, 0));
	EXPECT_EQ(-ETIMEDOUT, inv_many(g, 130, &done));
	EXPECT_EQ(125, done);
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	EXPECT_EQ(126, log.count);
	ASSERT_EQ(0, mock_inject(g->d[0], VHOST_IOMMU_MOCK_INJECT_INVALIDATE,
				 10, 1, EIO,
				 VHOST_IOMMU_MOCK_INJECT_F_COMMAND));
	EXPECT_EQ(-EIO, inv_many(g, 130, &done));
	EXPECT_EQ(10, done);
	EXPECT_EQ(0, inv_many(g, 1, &done));
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	EXPECT_EQ(127, log.count);

	/* The log keeps the newest */
	ASSERT_EQ(0, mock_log_clear(g->d[0]));
	EXPECT_EQ(0, inv_many(g, MANY, &done));
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	EXPECT_EQ(MANY, log.count);
	EXPECT_EQ(IOVA + (MANY - 512) * PAGE, log.entry[0].cmd[1]);
	EXPECT_EQ(IOVA + (MANY - 1) * PAGE, log.entry[511].cmd[1]);

	/* Calls that are wrong as a whole */
	EXPECT_EQ(-EINVAL, inv_many(g, 0, &done));
	done = 1;
	EXPECT_EQ(-EINVAL, mg_inv(g, g->viommu, SELFTEST_INV, many, 16, &done));
	EXPECT_EQ(0, done);
	done = 1;
	EXPECT_EQ(-EFAULT, mg_inv(g, g->viommu, ARM_INV, (void *)16, 16,
				  &done));
	done = 1;
	EXPECT_EQ(-EOPNOTSUPP, mg_inv(g, g->nested[0], ARM_INV, many, 16,
				      &done));
}

/* Which device a command was for, and two vIOMMUs of one parent */
TEST_F(mockcmd, log)
{
	static struct vhost_iommu_mock_log log;
	struct vhost_iommu_mock_nest n;
	struct mg *g = &self->g;
	__u64 zero[2] = { };
	__u64 region;

	ASSERT_EQ(0, mg_up(g, NULL));
	ASSERT_EQ(0, attach_both(g));
	n = nest_of(g->d[0]);
	ASSERT_EQ(0, mg_cmd(g, CMD_CFGI | SID(VIRT_ID(1)), LEAF));
	ASSERT_EQ(0, mg_cmd(g, CMD_ASID | ASID_IS(4), 0));
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	ASSERT_EQ(2, log.count);
	EXPECT_EQ(1, log.entry[0].device);
	EXPECT_EQ(n.vmid, log.entry[0].vmid);
	EXPECT_EQ(CMD_CFGI | SID(VIRT_ID(1)), log.entry[0].cmd[0]);
	EXPECT_EQ(LEAF, log.entry[0].cmd[1]);
	EXPECT_EQ(~0U, log.entry[1].device);

	ASSERT_EQ(0, dev_region(g->d[0], VHOST_IOMMU_MOCK_REGION_LOG, &region,
				NULL));
	zero[0] = 1;
	EXPECT_EQ(-1, pwrite(g->d[0]->fd, zero, 8, region));
	EXPECT_EQ(-1, pwrite(g->d[0]->fd, zero, 16, region));
	EXPECT_EQ(-1, pread(g->d[0]->fd, zero, 16, region + sizeof(log) - 8));
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	EXPECT_EQ(2, log.count);

	/* The next user begins with an empty log */
	mg_down(g);
	mg_close_devices(g);
	ASSERT_EQ(0, mg_open_devices(g));
	ASSERT_EQ(0, mock_log(g->d[0], &log));
	EXPECT_EQ(0, log.count);
}

SUITE;
