// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random requests, judged by a model of the specification's rules; and random
 * rings, after which the device has to work. VHOST_IOMMU_TEST_SEED gives the
 * seed, which is printed.
 */
#include "soft.h"
#include "suite.h"
#include "table.h"

#define NR_DOM		4
#define NR_EP		3
#define NR_PAGES	48
#define RESV_PAGE	20

FIXTURE(fuzz)
{
	struct env e;
	struct vmm *v;
	__u64 seed;
	unsigned int seconds;
	struct s1 s[2];
};

FIXTURE_VARIANT(fuzz)
{
	enum dev_kind kind;
	/* Request queues */
	unsigned int queues;
};

#define FUZZ_VARIANT(_name, _kind, _queues)				\
	FIXTURE_VARIANT_ADD(fuzz, _name) { .kind = _kind, .queues = _queues, }

FUZZ_VARIANT(none, DEV_NONE, 1);
FUZZ_VARIANT(mock, DEV_MOCK, 1);
FUZZ_VARIANT(edu, DEV_EDU, 1);
FUZZ_VARIANT(none_queues, DEV_NONE, 4);
FUZZ_VARIANT(mock_queues, DEV_MOCK, 4);
FUZZ_VARIANT(edu_queues, DEV_EDU, 2);

static int fuzz_up(FIXTURE_DATA(fuzz) *self, enum dev_kind kind, bool table,
		   unsigned int queues)
{
	env_init_table(&self->e, kind);
	self->v->table &= table;
	if (queues > 1)
		vmm_propose_queues(self->v, queues);
	self->v->config.domain_end = NR_DOM;
	return env_up(&self->e, 2);
}

FIXTURE_SETUP(fuzz)
{
	const char *s = getenv("VHOST_IOMMU_TEST_SEED");
	int rc;

	self->v = &self->e.v;
	self->seed = s ? strtoull(s, NULL, 0) : now_ns();
	self->seconds = long_tests() ? 60 : 5;
	ksft_print_msg("VHOST_IOMMU_TEST_SEED=%llu\n", self->seed);
	rc = fuzz_up(self, variant->kind, true, variant->queues);
	/* There are devices, on a host that can't nest tables: all else can be tried */
	if (rc == -ENODEV && self->e.nr) {
		env_down(&self->e);
		rc = fuzz_up(self, variant->kind, false, variant->queues);
	}
	ENV_UP(&self->e, rc);
	for (unsigned int i = 0; i < 2; i++) {
		s1_usual(&self->s[i], self->v, i, 1 + i);
		s1_map(&self->s[i], IOVA, RAM_GPA, NR_PAGES / 2 * PAGE, MAP_R);
	}
}

FIXTURE_TEARDOWN(fuzz)
{
	env_down(&self->e);
}

enum kind { PAGING, BYPASS, TABLE };

/* The model: all there is to know of what the guest has done */
struct model {
	/* Domain of each endpoint, or -1 */
	int ep_dom[NR_EP];
	/* Endpoints from here on can't have tables */
	int no_tables;
	struct {
		enum kind kind;
		/* Which table, by number */
		unsigned int table;
		/* For each page: the number of its mapping, or 0 */
		unsigned int page[NR_PAGES];
		/* And where it is, with what permissions */
		__u64 phys[NR_PAGES];
		__u32 access[NR_PAGES];
	} dom[NR_DOM + 2];
	unsigned int next;
};

static bool exists(const struct model *m, int dom)
{
	int i;

	for (i = 0; i < NR_EP; i++)
		if (m->ep_dom[i] == dom)
			return true;
	return false;
}

/* The third endpoint is emulated and has a reserved page */
static const __u32 eps[NR_EP] = { EP(0), EP(1), EMU(0) };

static int model_attach(struct model *m, int dom, int ep, __u32 flags)
{
	enum kind kind = flags & VIRTIO_IOMMU_ATTACH_F_BYPASS ? BYPASS : PAGING;

	if (flags & ~VIRTIO_IOMMU_ATTACH_F_BYPASS || dom > NR_DOM)
		return INVAL;
	if (ep >= NR_EP)
		return NOENT;
	if (exists(m, dom) && m->dom[dom].kind != kind)
		return INVAL;
	if (m->ep_dom[ep] == dom)
		return OK;
	if (ep == 2 && exists(m, dom) && m->dom[dom].page[RESV_PAGE])
		return UNSUPP;
	if (!exists(m, dom)) {
		memset(&m->dom[dom], 0, sizeof(m->dom[dom]));
		m->dom[dom].kind = kind;
	}
	m->ep_dom[ep] = dom;
	return OK;
}

/* Stream table entries; the last ones are wrong */
#define NR_TABLES	4
#define NR_STES		6

static int model_attach_table(struct model *m, int dom, int ep,
			      unsigned int table)
{
	int i, members = 0;

	if (dom > NR_DOM)
		return INVAL;
	if (ep >= NR_EP)
		return NOENT;
	if (ep >= m->no_tables)
		return UNSUPP;
	if (table >= NR_TABLES)
		return INVAL;
	for (i = 0; i < NR_EP; i++)
		members += m->ep_dom[i] == dom;
	if (members && m->dom[dom].kind != TABLE)
		return INVAL;
	/* The only one can have another */
	if (members && m->dom[dom].table != table &&
	    (members > 1 || m->ep_dom[ep] != dom))
		return INVAL;
	if (!members)
		memset(&m->dom[dom], 0, sizeof(m->dom[dom]));
	m->dom[dom].kind = TABLE;
	m->dom[dom].table = table;
	m->ep_dom[ep] = dom;
	return OK;
}

static int model_inv(struct model *m, int dom, bool valid)
{
	if (!valid)
		return INVAL;
	if (!exists(m, dom))
		return NOENT;
	return m->dom[dom].kind == TABLE ? OK : INVAL;
}

static int model_detach(struct model *m, int dom, int ep)
{
	if (ep >= NR_EP)
		return NOENT;
	if (m->ep_dom[ep] < 0)
		return INVAL;
	if (m->dom[m->ep_dom[ep]].kind != BYPASS && m->ep_dom[ep] != dom)
		return INVAL;
	m->ep_dom[ep] = -1;
	return OK;
}

static int model_map(struct model *m, int dom, unsigned int at, unsigned int n,
		     __u64 phys, __u32 flags)
{
	unsigned int i;

	if (flags & ~7u)
		return INVAL;
	if (!n)
		return INVAL;
	if (dom > NR_DOM || !exists(m, dom))
		return NOENT;
	if (m->dom[dom].kind != PAGING)
		return INVAL;
	for (i = at; i < at + n; i++)
		if (m->dom[dom].page[i])
			return INVAL;
	if (m->ep_dom[2] == dom && RESV_PAGE >= at && RESV_PAGE < at + n)
		return INVAL;
	/* There is no doorbell */
	if (flags & VIRTIO_IOMMU_MAP_F_MMIO || phys == NOT_RAM_GPA)
		return INVAL;
	m->next++;
	for (i = at; i < at + n; i++) {
		m->dom[dom].page[i] = m->next;
		m->dom[dom].phys[i] = phys + (i - at) * PAGE;
		m->dom[dom].access[i] = flags & MAP_RW;
	}
	return OK;
}

static int model_unmap(struct model *m, int dom, unsigned int at,
		       unsigned int n)
{
	unsigned int *page, i;

	if (!n)
		return INVAL;
	if (dom > NR_DOM || !exists(m, dom))
		return NOENT;
	if (m->dom[dom].kind != PAGING)
		return INVAL;
	page = m->dom[dom].page;
	if (page[at] && at && page[at - 1] == page[at])
		return RANGE;
	i = at + n - 1;
	if (page[i] && i + 1 < NR_PAGES && page[i + 1] == page[i])
		return RANGE;
	memset(page + at, 0, n * sizeof(*page));
	return OK;
}

static __u64 model_bytes(const struct model *m)
{
	unsigned int i, k;
	__u64 n = 0;

	for (i = 0; i <= NR_DOM; i++)
		for (k = 0; exists(m, i) && k < NR_PAGES; k++)
			n += !!m->dom[i].page[k];
	return n * PAGE;
}

/* What the devices reach is what the model says they do */
static bool dma_agrees(struct env *e, const struct model *m, __u64 *seed)
{
	unsigned int i = rand64(seed) % 2, k = rand64(seed) % NR_PAGES;
	int dom = m->ep_dom[i];
	bool ok, may;

	if (e->kind != DEV_MOCK || (dom >= 0 && m->dom[dom].kind == BYPASS))
		return true;
	if (dom >= 0 && m->dom[dom].kind == TABLE) {
		/* By its tables; 2 and 3 are bypass and abort */
		may = m->dom[dom].table < 2 && k < NR_PAGES / 2;
		dev_load(e->dev[i], IOVA + k * PAGE, 16);
		return (e->dev[i]->status == VHOST_IOMMU_MOCK_DMA_OK) == may;
	}
	may = dom >= 0 && m->dom[dom].page[k] &&
	      m->dom[dom].page[k] & 0x80000000u;
	dev_load(e->dev[i], IOVA + k * PAGE, 16);
	ok = e->dev[i]->status == VHOST_IOMMU_MOCK_DMA_OK;
	/* Only what is readable was marked so */
	return ok == may;
}

/* So is what the VMM is told of any of them, now or before */
static bool soft_agrees(const struct model *m, struct soft_cache *c,
			__u64 *seed)
{
	unsigned int i = rand64(seed) % NR_EP, k = rand64(seed) % NR_PAGES;
	int dom = m->ep_dom[i];
	__u64 iova = IOVA + k * PAGE, phys;
	struct vhost_iommu_translate t;

	if (eps[i] == c->ep ? soft_translate(c, iova, &t) :
			      vmm_translate(c->v, eps[i], iova, 0, &t))
		return false;
	phys = t.out_phys + iova - t.out_start;
	if (dom < 0 || (i == 2 && k == RESV_PAGE))
		return !t.out_access;
	switch (m->dom[dom].kind) {
	case BYPASS:
		return t.out_access == MAP_RW && phys == iova;
	case TABLE:
		return !t.out_access;
	default:
		if (!m->dom[dom].page[k])
			return !t.out_access;
		return t.out_access == m->dom[dom].access[k] &&
		       phys == m->dom[dom].phys[k];
	}
}

TEST_F_TIMEOUT(fuzz, requests, 180)
{
	struct virtio_iommu_probe_resv_mem p;
	struct model m = {
		.ep_dom = { -1, -1, -1 },
		.no_tables = self->v->table ? 2 : 0,
	};
	const __u64 ste[NR_STES] = {
		s1_ste0(&self->s[0]), s1_ste0(&self->s[1]), STE0_BYPASS,
		STE0_ABORT, 0, STE0_V | STE0_CFG(7),
	};
	struct virtio_iommu_req_invalidate inv;
	struct vmm_stats s;
	struct vmm *v = self->v;
	__u64 end, seed = self->seed;
	unsigned long n = 0;
	struct soft_cache c;

	probe_resv(&p, 0, IOVA + RESV_PAGE * PAGE,
		   IOVA + (RESV_PAGE + 1) * PAGE - 1);
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, &p, sizeof(p)));
	ASSERT_EQ(0, soft_open(&c, v, EMU(0)));
	end = now_ns() + self->seconds * 1000000000ULL;
	for (n = 0; now_ns() < end; n++) {
		__u64 r = rand64(&seed);
		int dom = r % (NR_DOM + 2), ep = (r >> 8) % 8, want, got;
		unsigned int at = (r >> 16) % (NR_PAGES - 8);
		unsigned int len = (r >> 24) % 8, queue;
		__u32 flags = (r >> 32) % 4;
		bool ram = (r >> 40) % 16, mmio = !((r >> 44) % 16);
		__u64 iova = IOVA + at * PAGE, phys;

		/* Each is waited for, so it does not matter which queue it is from */
		queue = rand64(&seed) % variant->queues;
		v->ring = VHOST_IOMMU_VQ_REQUEST_NR(queue);
		ep = ep < NR_EP ? ep : (r >> 11) % 2;
		ep = (r >> 48) % 16 ? ep : NR_EP;
		switch ((r >> 52) % 16) {
		case 0:
			flags = flags == 1 ? 1 : 0;
			flags |= (r >> 60) ? 0 : 4;
			want = model_attach(&m, dom, ep, flags);
			got = g_attach_flags(v, dom, ep < NR_EP ? eps[ep]
							       : 0xdead,
					     flags);
			break;
		case 1:
			want = model_detach(&m, dom, ep);
			got = g_detach(v, dom, ep < NR_EP ? eps[ep] : 0xdead);
			break;
		case 2:
			want = model_attach_table(&m, dom, ep, at % NR_STES);
			got = g_attach_table(v, dom, ep < NR_EP ? eps[ep]
							       : 0xdead,
					     ste[at % NR_STES], 0);
			break;
		case 3:
			inv = inv_range(dom, len, iova, len, 12, flags & 1);
			if (at % 4 == 0)
				inv = inv_domain(dom, at % 5);
			want = model_inv(&m, dom, at % 4 ? len :
					 at % 5 && at % 5 < 4);
			got = g_inv(v, inv);
			break;
		case 4 ... 9:
			flags |= mmio ? VIRTIO_IOMMU_MAP_F_MMIO : 0;
			/* The model's marks: bit 31 says readable */
			m.next = (m.next & 0x7fffffff) |
				 (flags & MAP_R ? 0x80000000 : 0);
			phys = ram ? RAM_GPA + rand64(&seed) % 64 * PAGE :
				     NOT_RAM_GPA;
			want = model_map(&m, dom, at, len, phys, flags);
			got = g_map(v, dom, iova, iova + len * PAGE - 1, phys,
				    flags);
			break;
		default:
			want = model_unmap(&m, dom, at, len);
			got = g_unmap(v, dom, iova, iova + len * PAGE - 1);
			break;
		}
		ASSERT_EQ(want, got)
			TH_LOG("request %lu (0x%llx): %s, not %s", n, r,
			       status_name(got), status_name(want));
		ASSERT_TRUE(dma_agrees(&self->e, &m, &seed))
			TH_LOG("DMA after request %lu (0x%llx)", n, r);
		ASSERT_TRUE(soft_agrees(&m, &c, &seed))
			TH_LOG("translation after request %lu (0x%llx)", n, r);
		if (!(n % 64)) {
			ASSERT_EQ(0, vmm_stats(v, &s));
			ASSERT_EQ(model_bytes(&m), s.mapped_bytes);
		}
	}
	ksft_print_msg("%lu requests, %llu translations that were kept\n", n,
		       c.hits);
	EXPECT_LT(0, c.hits);
	soft_close(&c);
}

/* Requests of table mode are seldom right by chance */
static void good_table(FIXTURE_DATA(fuzz) *self, void *to, bool room)
{
	struct virtio_iommu_req_attach_table_arm a =
		attach_table_req(1, EP(0), s1_ste0(&self->s[0]), STE1_USUAL);
	struct virtio_iommu_req_invalidate i = inv_domain(1, 3);

	if (*(__u8 *)to == VIRTIO_IOMMU_T_INVALIDATE)
		memcpy(to, &i, sizeof(i));
	else if (room)
		memcpy(to, &a, sizeof(a));
}

/* Anything in the tables, the rings and the buffers */
TEST_F_TIMEOUT(fuzz, rings, 180)
{
	struct vmm *v = self->v;
	__u64 end, seed = self->seed, gpa;
	unsigned int ring = 0;
	__u8 *area = req_buf(v, KIB(64), &gpa);
	unsigned long rounds = 0;

	end = now_ns() + self->seconds * 1000000000ULL;
	while (now_ns() < end) {
		unsigned int i, k, n = 1 + rand64(&seed) % 32;
		struct vq *q;

		ring = (ring + 1) % variant->queues;
		q = &v->vq[VHOST_IOMMU_VQ_REQUEST_NR(ring)];
		/* Requests that look like some, with a byte wrong */
		for (i = 0; i < KIB(64) / 64; i++) {
			__u8 *r = area + i * 64;

			for (k = 0; k < 8; k++)
				((__u64 *)r)[k] = k == 1 || k == 2 ?
					IOVA + rand64(&seed) % 64 * PAGE :
					rand64(&seed) % 4;
			r[0] = rand64(&seed) % 8;
			if (r[0] >= VIRTIO_IOMMU_T_ATTACH_TABLE)
				good_table(self, r, i + 2 < KIB(64) / 64);
			/* One of two that follow each other is half of it */
			i += r[0] == VIRTIO_IOMMU_T_ATTACH_TABLE;
			r[1 + rand64(&seed) % 63] = rand64(&seed);
		}
		for (i = 0; i < q->num; i++) {
			struct vring_desc *d = &q->desc[i];
			__u64 r = rand64(&seed);

			d->addr = htole64(r % 8 ? gpa + r % KIB(64) :
					  rand64(&seed));
			d->len = htole32((r >> 20) % 8 ? (r >> 24) % 80 :
					 rand64(&seed));
			d->flags = htole16((r >> 32) % 8 ? (r >> 36) % 4 :
					   rand64(&seed));
			d->next = htole16((r >> 40) % 16 ?
					  (i + 1 + (r >> 44) % 2) % q->num :
					  rand64(&seed));
		}
		for (i = 0; i < n; i++)
			vq_push_head(q, rand64(&seed) % 64 ?
				     rand64(&seed) % q->num : rand64(&seed));
		if (!(rand64(&seed) % 32))
			q->avail_idx += rand64(&seed);
		vq_publish(q);
		vq_kick(q);
		/* Change what is being read */
		for (i = 0; i < 200; i++)
			STORE(&q->desc[rand64(&seed) % q->num].next,
			      (__u16)rand64(&seed));
		/* Of several, all are busy when they are stopped */
		if (ring + 1 < variant->queues)
			continue;
		vq_wait(q, n, 5);
		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(0, vmm_reset(v));
		v->buf_next = KIB(64);
		ASSERT_EQ(0, vmm_set_rings(v, 256));
		ASSERT_EQ(0, vmm_start(v));
		ASSERT_ST(OK, g_attach(v, 1, EP(0)));
		ASSERT_ST(OK, g_map(v, 1, IOVA, IOVA + PAGE - 1, RAM_GPA,
				    MAP_RW));
		rounds++;
	}
	ksft_print_msg("%lu rounds\n", rounds);
}

SUITE;
