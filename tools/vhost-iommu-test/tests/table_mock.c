// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table mode on IOMMUs that the emulated one is not: with ATS and substreams,
 * without ranges, with short ASIDs, with an erratum, and two at a time. A mock
 * IOMMU is all of these.
 */
#include "suite.h"
#include "table.h"

#define DOM	1
#define ASID	7
#define LEAF	VIRTIO_IOMMU_INV_F_LEAF
#define F_PASID	VIRTIO_IOMMU_INV_F_PASID
#define C_PASID	VIRTIO_IOMMU_INV_C_PASID
#define C_TLB	VIRTIO_IOMMU_INV_C_TLB
#define OLD_GPA	(RAM_GPA + MIB(2))
#define NEW_GPA	(RAM_GPA + MIB(4))
#define LEN	64
#define ATS_ON	(STE1_USUAL | STE1_EATS(1))

FIXTURE(smmu)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct vhost_iommu_mock_config c;
	struct s1 s;
	char seq[2048];
};

KIND_VARIANTS(smmu);
KIND_MOCK(smmu);

#define SELF	FIXTURE_DATA(smmu) *self

FIXTURE_SETUP(smmu)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	mock_config_init(&self->c);
	self->v->mock = &self->c;
}

FIXTURE_TEARDOWN(smmu)
{
	env_down(&self->e);
}

/* After self->c was changed: endpoints, and the first one's tables */
static int up(SELF, unsigned int nr)
{
	int rc = env_up(&self->e, nr);

	self->d = self->e.dev[0];
	if (rc)
		return rc;
	s1_usual(&self->s, self->v, 0, ASID);
	s1_map(&self->s, IOVA, OLD_GPA, MIB(1), MAP_RW);
	return 0;
}

static const char *seq(SELF, struct dma_dev *d)
{
	return cmds_seq(&self->e, d, self->seq, sizeof(self->seq));
}

/* One request, and the commands that it has to be */
static bool is(SELF, struct virtio_iommu_req_invalidate r, const char *want)
{
	int st;

	cmds_mark(&self->e, self->d);
	st = g_inv(self->v, r);
	if (st == OK && !strcmp(want, seq(self, self->d)))
		return true;
	ksft_print_msg("%s: %s, not %s\n", status_name(st), self->seq, want);
	return false;
}

static struct vhost_iommu_mock_log_entry entry(SELF, unsigned int i)
{
	static struct vhost_iommu_mock_log log;

	mock_log(self->d, &log);
	return log.entry[i];
}

static struct vhost_iommu_mock_nest nest_of(struct dma_dev *d)
{
	struct vhost_iommu_mock_nest n;

	if (mock_nest(d, &n))
		memset(&n, 0xff, sizeof(n));
	return n;
}

/* Whether a write goes there */
static bool lands(SELF, struct dma_dev *d, __u64 iova, __u64 gpa)
{
	void *to = ram_va(self->v, gpa);

	memset(to, 0, LEN);
	dev_store(d, iova, LEN);
	return d->status == VHOST_IOMMU_MOCK_DMA_OK &&
	       !all_bytes(to, 0, LEN);
}

/* A pattern to write, whatever the device was used for before */
static int load(SELF, struct dma_dev *d)
{
	void *from = ram_va(self->v, OLD_GPA + KIB(512));

	fill(from, 0x5d, LEN);
	return dev_load(d, IOVA + KIB(512), LEN);
}

TEST_F(smmu, ats_commands)
{
	struct vmm *v = self->v;

	self->c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
	ENV_UP(&self->e, up(self, 2));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), s1_ste0(&self->s),
				     ATS_ON));
	/* The device is told last, in a sync of its own */
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF), "VSTS"));
	EXPECT_EQ(IOVA, entry(self, 1).cmd[1]);
	EXPECT_TRUE(is(self, inv_asid(DOM, ASID), "DSTS"));
	EXPECT_EQ(52, entry(self, 1).cmd[1]);
	EXPECT_TRUE(is(self, inv_domain(DOM, C_TLB), "NSTS"));
	EXPECT_EQ(52, entry(self, 1).cmd[1]);
	EXPECT_TRUE(is(self, inv_domain(DOM, 3), "cSNSTS"));
	EXPECT_TRUE(is(self, inv_domain(DOM, C_PASID), "cSTS"));
	/* One that has no ATS is not told */
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(1), &self->s));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF), "VSTS"));
	EXPECT_EQ(self->d->virt_id, entry(self, 1).cmd[0] >> 32);
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(1), s1_ste0(&self->s),
				     ATS_ON));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF),
		       "VSTTS"));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF), "VSTS"));
	EXPECT_EQ(self->e.dev[1]->virt_id, entry(self, 1).cmd[0] >> 32);
	/* Without a stage 1 nobody has */
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_detach(v, DOM, EP(1)));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_BYPASS,
				     STE1_EATS(1)));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF), "VS"));
}

/* The range that a device is told is a power of two, and holds all of it */
TEST_F(smmu, ats_ranges)
{
	static const struct {
		__u64 iova;
		__u64 nr;
		__u64 want;
	} r[] = {
		{ IOVA, 1, IOVA },
		{ IOVA, 2, IOVA | 1 },
		{ IOVA + PAGE, 1, IOVA + PAGE },
		/* Two pages that are in no pair */
		{ IOVA + PAGE, 2, IOVA | 2 },
		{ IOVA, 3, IOVA | 2 },
		{ IOVA + 7 * PAGE, 2, IOVA | 4 },
		{ IOVA, 512, IOVA | 9 },
		{ GIB(1) - PAGE, 2, 0 | 19 },
		{ 0, 1ULL << 52, 52 },
		{ (1ULL << 63) - PAGE, 2, 52 },
	};
	unsigned int i;

	self->c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
	ENV_UP(&self->e, up(self, 1));
	ASSERT_ST(OK, g_attach_table(self->v, DOM, EP(0), s1_ste0(&self->s),
				     ATS_ON));
	for (i = 0; i < ARRAY_SIZE(r); i++) {
		cmds_mark(&self->e, self->d);
		ASSERT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, r[i].iova,
						       r[i].nr, 12, LEAF)));
		seq(self, self->d);
		EXPECT_EQ('T', self->seq[strlen(self->seq) - 2])
			TH_LOG("%s", self->seq);
		/* The last one; each S in front of it is no entry */
		EXPECT_EQ(r[i].want,
			  entry(self, strlen(self->seq) - 3).cmd[1])
			TH_LOG("0x%llx, %llu pages: 0x%llx", r[i].iova, r[i].nr,
			       entry(self, strlen(self->seq) - 3).cmd[1]);
	}
}

TEST_F(smmu, ats_cache)
{
	struct vmm *v = self->v;

	self->c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
	ENV_UP(&self->e, up(self, 1));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), s1_ste0(&self->s),
				     ATS_ON));
	ASSERT_EQ(0, load(self, self->d));
	EXPECT_TRUE(lands(self, self->d, IOVA, OLD_GPA));
	EXPECT_GT(nest_of(self->d).atc_entries, 0);
	s1_map(&self->s, IOVA, NEW_GPA, PAGE, MAP_RW);
	EXPECT_TRUE(lands(self, self->d, IOVA, OLD_GPA));
	ASSERT_ST(OK, g_inv(v, inv_range(DOM, ASID, IOVA, 1, 12, LEAF)));
	EXPECT_TRUE(lands(self, self->d, IOVA, NEW_GPA));
	/* On and off by the same STE but for EATS */
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	EXPECT_EQ(0, nest_of(self->d).ats);
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), s1_ste0(&self->s),
				     ATS_ON));
	EXPECT_EQ(1, nest_of(self->d).ats);
	EXPECT_TRUE(lands(self, self->d, IOVA, NEW_GPA));
}

/* Context descriptors for substreams follow the first one */
static void write_cds(SELF, unsigned int n, struct s1 *others)
{
	unsigned int i;
	__u64 gpa;

	for (i = 1; i < n; i++) {
		gpa = TABLE_GPA + TABLE_LEN / 4 * i;
		s1_init(&others[i], self->v, gpa, TABLE_LEN / 4, 12, 39,
			ASID + i);
		others[i].cd = self->s.cd + i * CD_LEN;
		s1_write_cd(&others[i], s1_cd0(&others[i]));
	}
}

TEST_F(smmu, substreams)
{
	struct virtio_iommu_fault_pasid f;
	struct virtio_iommu_req_invalidate r;
	struct vmm *v = self->v;
	struct s1 others[4];
	unsigned int n;

	self->c.idr[1] |= VHOST_IOMMU_MOCK_IDR1_SSIDSIZE(2);
	ENV_UP(&self->e, up(self, 1));
	for (n = 0; n < 32; n++)
		EXPECT_ST(n <= 2 ? OK : INVAL,
			  g_attach_table(v, DOM, EP(0), s1_ste0(&self->s) |
					 STE0_S1CDMAX(n), STE1_USUAL));
	/* Descriptors in two levels only if the SMMU has that */
	EXPECT_EQ(0, self->v->nest.idr[0] & 1u << 19 ? 0 :
		  g_attach_table(v, DOM, EP(0), s1_ste0(&self->s) |
				 STE0_S1CDMAX(2) | STE0_S1FMT(2),
				 STE1_USUAL) != INVAL);
	EXPECT_ST(INVAL, g_attach_table(v, DOM, EP(0), s1_ste0(&self->s) |
					STE0_S1FMT(3), STE1_USUAL));
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	/* The descriptors are where the root table of the first one was */
	s1_init(&self->s, v, TABLE_GPA + PAGE, TABLE_LEN / 4 - PAGE, 12, 39,
		ASID);
	self->s.cd = TABLE_GPA;
	s1_write_cd(&self->s, s1_cd0(&self->s));
	s1_map(&self->s, IOVA, OLD_GPA, MIB(1), MAP_RW);
	write_cds(self, 4, others);
	s1_map(&others[3], IOVA, NEW_GPA, PAGE, MAP_RW);
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), s1_ste0(&self->s) |
				     STE0_S1CDMAX(2),
				     STE1_USUAL | STE1_S1DSS(2)));
	ASSERT_EQ(0, load(self, self->d));
	EXPECT_TRUE(lands(self, self->d, IOVA, OLD_GPA));
	ASSERT_EQ(0, mock_pasid(self->d, 3));
	EXPECT_TRUE(lands(self, self->d, IOVA, NEW_GPA));
	/* A fault says which one it is of */
	g_events_post(v, 4);
	ASSERT_EQ(0, dev_store(self->d, IOVA + PAGE, LEN));
	ASSERT_EQ(0, g_event(v, &f, 3000));
	EXPECT_EQ(VIRTIO_IOMMU_FAULT_F_PASID | VIRTIO_IOMMU_FAULT_F_WRITE |
		  VIRTIO_IOMMU_FAULT_F_ADDRESS, le32toh(f.flags));
	EXPECT_EQ(3, le32toh(f.pasid));
	EXPECT_EQ(IOVA + PAGE, le64toh(f.address));
	/* Its descriptor, and no other */
	r = inv_asid(DOM, ASID + 3);
	r.caches = C_PASID;
	r.flags |= htole16(F_PASID | LEAF);
	r.pasid = htole32(3);
	EXPECT_TRUE(is(self, r, "CS"));
	EXPECT_EQ(3, entry(self, 0).cmd[0] >> 12 & 0xfffff);
	EXPECT_EQ(1, entry(self, 0).cmd[1]);
	r.caches = 3;
	EXPECT_TRUE(is(self, r, "CSDS"));
	EXPECT_EQ(ASID + 3, entry(self, 1).cmd[0] >> 48);
	r.pasid = htole32(4);
	EXPECT_ST(INVAL, g_inv(v, r));
	r.pasid = htole32(1u << 20);
	EXPECT_ST(INVAL, g_inv(v, r));
	EXPECT_TRUE(lands(self, self->d, IOVA, NEW_GPA));
	s1_map(&others[3], IOVA, OLD_GPA, PAGE, MAP_RW);
	EXPECT_TRUE(lands(self, self->d, IOVA, NEW_GPA));
	ASSERT_ST(OK, g_inv(v, inv_range(DOM, ASID + 3, IOVA, 1, 12, LEAF)));
	EXPECT_TRUE(lands(self, self->d, IOVA, OLD_GPA));
}

/* Page by page, as long as that is less than the wait for a sync is worth */
TEST_F(smmu, no_ranges)
{
	struct trace_range r[128];
	unsigned int i, n;

	self->c.idr[3] &= ~VHOST_IOMMU_MOCK_IDR3_RIL;
	ENV_UP(&self->e, up(self, 1));
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF), "VS"));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, 0), "VS"));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 3, 12, LEAF), "VVVS"));
	for (n = 60; n < 70; n++) {
		cmds_mark(&self->e, self->d);
		ASSERT_ST(OK, g_inv(self->v, inv_range(DOM, ASID, IOVA, n, 12,
						       LEAF)));
		if (strcmp("DS", seq(self, self->d)))
			EXPECT_EQ(n, cmds_ranges(&self->e, self->d, r,
						 ARRAY_SIZE(r)));
		for (i = 0; i < n && strcmp("DS", self->seq); i++) {
			/* A field of ranges would make the host refuse it */
			EXPECT_EQ(0, r[i].tg);
			EXPECT_EQ(0, r[i].ttl);
			EXPECT_EQ(1, r[i].leaf);
		}
	}
	EXPECT_EQ(0, strcmp("DS", self->seq))
		TH_LOG("%u pages: %s", n, self->seq);
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 21, LEAF), "DS"));
	/* More requests than one array takes commands */
	cmds_mark(&self->e, self->d);
	for (i = 0; i < 100; i++)
		g_inv_add(self->v, inv_range(DOM, ASID, i * MIB(1), 5, 12,
					     LEAF));
	ASSERT_ST(OK, g_batch_run(self->v, 100));
	seq(self, self->d);
	for (i = n = 0; self->seq[i]; i++)
		n += self->seq[i] == 'V';
	EXPECT_EQ(500, n);
	EXPECT_EQ((500 + 62) / 63, i - n);
}

TEST_F(smmu, short_asids)
{
	self->c.idr[0] &= ~VHOST_IOMMU_MOCK_IDR0_ASID16;
	ENV_UP(&self->e, up(self, 1));
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
	EXPECT_TRUE(is(self, inv_asid(DOM, 0xff), "DS"));
	EXPECT_ST(INVAL, g_inv(self->v, inv_asid(DOM, 0x100)));
	EXPECT_ST(INVAL, g_inv(self->v, inv_range(DOM, 0x100, IOVA, 1, 12,
						  LEAF)));
}

/* Commands have to be given twice, each time with the sync behind them */
TEST_F(smmu, erratum)
{
	struct vmm_stats before, after;
	struct vmm *v = self->v;

	self->c.flags = IOMMU_HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI;
	self->c.idr[0] |= VHOST_IOMMU_MOCK_IDR0_ATS;
	ENV_UP(&self->e, up(self, 1));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	ASSERT_EQ(0, vmm_stats(v, &before));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF), "VSVS"));
	EXPECT_TRUE(is(self, inv_domain(DOM, 3), "cScSNSNS"));
	ASSERT_EQ(0, vmm_stats(v, &after));
	/* Repetitions are not counted */
	EXPECT_EQ(3, after.inv_commands - before.inv_commands);
	EXPECT_EQ(3, after.inv_calls - before.inv_calls);
	cmds_mark(&self->e, self->d);
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(0, strcmp("NSNS", seq(self, self->d)))
		TH_LOG("%s", self->seq);
}

/*
 * TLB commands go to one of the vIOMMUs that share a parent: not to one without
 * an endpoint, of which it is not known what it can do and what it gets wrong.
 */
TEST_F(smmu, vacant_viommu)
{
	struct iommu_viommu_alloc a = { .size = sizeof(a) };
	struct vmm *v = self->v;
	struct nest vacant;

	self->c.flags = IOMMU_HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI;
	ENV_UP(&self->e, up(self, 1));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	ASSERT_EQ(0, vmm_remove_viommu(v));
	vacant = v->nest;
	a.type = vacant.type;
	a.dev_id = self->d->dev_id;
	a.hwpt_id = vacant.parent;
	ASSERT_EQ(0, xioctl(v->iommufd, IOMMU_VIOMMU_ALLOC, &a));
	vacant.viommu = a.out_viommu_id;
	vacant.handle = VMM_HANDLE(3);
	ASSERT_EQ(0, vmm_add_nest(v, &vacant, -1));
	ASSERT_EQ(0, vmm_add_viommu(v, v->nest.event_fd));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	EXPECT_TRUE(is(self, inv_range(DOM, ASID, IOVA, 1, 12, LEAF), "VSVS"));
	EXPECT_TRUE(is(self, inv_asid(DOM, ASID), "DSDS"));
	/* A domain that has ended is forgotten by the one that had it */
	cmds_mark(&self->e, self->d);
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_EQ(0, strcmp("NSNS", seq(self, self->d)))
		TH_LOG("%s", self->seq);
	ASSERT_EQ(0, vmm_remove_nest(v, &vacant));
	ASSERT_EQ(0, vmm_destroy(v, vacant.viommu));
}

/* A domain on two IOMMUs: both hear of what both have, and of no more */
TEST_F(smmu, two_iommus)
{
	struct dma_dev *near, *far;
	struct vmm *v = self->v;
	struct s1 t;

	ENV_UP(&self->e, up(self, 4));
	near = self->e.dev[0];
	far = self->e.dev[3];
	ASSERT_NE(near->nest, far->nest);
	ASSERT_EQ(&v->far, far->nest);
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(3), &self->s));
	ASSERT_EQ(0, load(self, near));
	ASSERT_EQ(0, load(self, far));
	EXPECT_TRUE(lands(self, near, IOVA, OLD_GPA));
	EXPECT_TRUE(lands(self, far, IOVA, OLD_GPA));
	s1_map(&self->s, IOVA, NEW_GPA, PAGE, MAP_RW);
	cmds_mark(&self->e, near);
	cmds_mark(&self->e, far);
	ASSERT_ST(OK, g_inv(v, inv_range(DOM, ASID, IOVA, 1, 12, LEAF)));
	EXPECT_EQ(0, strcmp("VS", seq(self, near)));
	EXPECT_EQ(0, strcmp("VS", seq(self, far)));
	EXPECT_TRUE(lands(self, near, IOVA, NEW_GPA));
	EXPECT_TRUE(lands(self, far, IOVA, NEW_GPA));
	/* On one of them the domain ends; its ASIDs are gone there */
	cmds_mark(&self->e, near);
	cmds_mark(&self->e, far);
	ASSERT_ST(OK, g_detach(v, DOM, EP(3)));
	EXPECT_EQ(0, strcmp("", seq(self, near)));
	EXPECT_EQ(0, strcmp("NS", seq(self, far)));
	/* From now on it does not concern that one */
	cmds_mark(&self->e, far);
	ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_EQ(0, strcmp("", seq(self, far)));
	/* A domain of its own, in the same kick as the other's */
	s1_usual(&t, v, 1, ASID);
	s1_map(&t, IOVA, OLD_GPA, PAGE, MAP_RW);
	ASSERT_ST(OK, g_attach_s1(v, DOM + 1, EP(3), &t));
	EXPECT_TRUE(lands(self, far, IOVA, OLD_GPA));
	cmds_mark(&self->e, near);
	cmds_mark(&self->e, far);
	g_inv_add(v, inv_range(DOM + 1, ASID, IOVA, 1, 12, LEAF));
	g_inv_add(v, inv_range(DOM, ASID, IOVA + MIB(1), 2, 12, LEAF));
	ASSERT_ST(OK, g_batch_run(v, 2));
	EXPECT_EQ(0, strcmp("VS", seq(self, far)));
	EXPECT_EQ(0, strcmp("VS", seq(self, near)));
	/* Moved to the other's, and the last one goes */
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(3), &self->s));
	EXPECT_TRUE(lands(self, far, IOVA, NEW_GPA));
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	EXPECT_TRUE(lands(self, far, IOVA, NEW_GPA));
	ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	ASSERT_ST(OK, g_detach(v, DOM, EP(3)));
	EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
}

/* Each IOMMU has its own IDs: the same virtual ID is two endpoints */
TEST_F(smmu, faults_of_two_iommus)
{
	struct virtio_iommu_fault_pasid f;
	struct vmm *v = self->v;
	unsigned int i;

	ENV_UP(&self->e, up(self, 4));
	EXPECT_EQ(self->e.dev[0]->virt_id, self->e.dev[3]->virt_id);
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(3), &self->s));
	g_events_post(v, 8);
	for (i = 0; i < 4; i += 3) {
		ASSERT_EQ(0, dev_store(self->e.dev[i], MIB(64) + i * PAGE,
				       LEN));
		ASSERT_EQ(0, g_event(v, &f, 3000));
		EXPECT_EQ(EP(i), le32toh(f.endpoint));
		EXPECT_EQ(MIB(64) + i * PAGE, le64toh(f.address));
	}
}

/* Event records of all kinds, also such that there are not */
TEST_F(smmu, event_records)
{
	struct virtio_iommu_fault_pasid f;
	struct vmm_stats s;
	struct vmm *v = self->v;
	unsigned int type;
	int reason;

	ENV_UP(&self->e, up(self, 1));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	for (type = 0; type < 256; type++) {
		__u64 record[4] = {
			~0xffULL | type, ~0ULL, 0x123456789abcdef0ULL, ~0ULL,
		};
		bool addr = type >= 0x10 && type <= 0x13;

		g_events_post(v, 1);
		ASSERT_EQ(0, mock_event(self->d, 1,
					VHOST_IOMMU_MOCK_EVENT_F_SID, record));
		ASSERT_EQ(0, g_event(v, &f, 3000));
		switch (type) {
		case 0x02: case 0x03: case 0x04: case 0x06: case 0x08:
			reason = VIRTIO_IOMMU_FAULT_R_DOMAIN;
			break;
		default:
			reason = addr ? VIRTIO_IOMMU_FAULT_R_MAPPING :
					VIRTIO_IOMMU_FAULT_R_UNKNOWN;
		}
		EXPECT_EQ(reason, f.reason)
			TH_LOG("type 0x%x", type);
		EXPECT_EQ(EP(0), le32toh(f.endpoint));
		EXPECT_EQ(addr, !!(le32toh(f.flags) &
				   VIRTIO_IOMMU_FAULT_F_ADDRESS));
		EXPECT_EQ(addr ? record[2] : 0, le64toh(f.address));
		/* SSV is set in all of them */
		EXPECT_TRUE(le32toh(f.flags) & VIRTIO_IOMMU_FAULT_F_PASID);
		EXPECT_EQ(0xfffff, le32toh(f.pasid));
	}
	/* Of a device that is none of ours */
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.events_dropped);
	ASSERT_EQ(0, mock_event(self->d, 5, 0, (__u64[4]){ 0x10 | 99ULL << 32 }));
	g_events_post(v, 8);
	EXPECT_EQ(-ETIMEDOUT, g_event(v, &f, 100));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(5, s.events_dropped);
	EXPECT_EQ(256, s.events);
}

/* A thousand at once: each is given or counted */
TEST_F(smmu, event_burst)
{
	const __u64 record[4] = { 0x10, 0, 0x1000, 0 };
	struct virtio_iommu_fault_pasid f;
	struct vmm_stats s;
	struct vmm *v = self->v;
	unsigned int round, i;
	__u64 given = 0, before;

	v->depth = 50;
	ENV_UP(&self->e, up(self, 1));
	before = nest_of(self->d).events;
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	for (round = 1; round < 11; round++) {
		if (round % 2)
			g_events_post(v, 100);
		ASSERT_EQ(0, mock_event(self->d, 1000,
					VHOST_IOMMU_MOCK_EVENT_F_SID, record));
		if (!(round % 2))
			g_events_post(v, 100);
		for (i = 0; i < 100 && !g_event(v, &f, 200); i++)
			given++;
		/* Those that are left in the host, and the buffers */
		for (; i < 100; i++) {
			ASSERT_EQ(0, mock_event(self->d, 1,
						VHOST_IOMMU_MOCK_EVENT_F_SID,
						record));
			ASSERT_EQ(0, g_event(v, &f, 3000));
			given++;
		}
		ASSERT_EQ(0, vmm_stats(v, &s));
		EXPECT_EQ(given, s.events);
		EXPECT_EQ(0, s.events_dropped);
	}
	/* What waits now is given up by the reset, and counted, too */
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	ASSERT_EQ(0, vmm_stats(v, &s));
	ksft_print_msg("%llu given, %llu lost, %llu dropped\n", s.events,
		       s.events_lost, s.events_dropped);
	EXPECT_EQ(nest_of(self->d).events - before,
		  s.events + s.events_lost + s.events_dropped);
}

SUITE;
