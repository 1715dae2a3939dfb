// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random requests, judged by a model of the specification's rules; and random
 * rings, after which the device has to work. VHOST_IOMMU_TEST_SEED gives the
 * seed, which is printed.
 */
#include "suite.h"

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
};

KIND_VARIANTS(fuzz);
KIND_NONE(fuzz);
KIND_MOCK(fuzz);
KIND_EDU(fuzz);

FIXTURE_SETUP(fuzz)
{
	const char *s = getenv("VHOST_IOMMU_TEST_SEED");

	self->v = &self->e.v;
	self->seed = s ? strtoull(s, NULL, 0) : now_ns();
	self->seconds = long_tests() ? 60 : 5;
	ksft_print_msg("VHOST_IOMMU_TEST_SEED=%llu\n", self->seed);
	env_init(&self->e, variant->kind);
	self->v->config.domain_end = NR_DOM;
	ENV_UP(&self->e, env_up(&self->e, 2));
}

FIXTURE_TEARDOWN(fuzz)
{
	env_down(&self->e);
}

/* The model: all there is to know of what the guest has done */
struct model {
	/* Domain of each endpoint, or -1 */
	int ep_dom[NR_EP];
	struct {
		bool bypass;
		/* For each page: the number of its mapping, or 0 */
		unsigned int page[NR_PAGES];
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
	bool bypass = flags & VIRTIO_IOMMU_ATTACH_F_BYPASS;

	if (flags & ~VIRTIO_IOMMU_ATTACH_F_BYPASS || dom > NR_DOM)
		return INVAL;
	if (ep >= NR_EP)
		return NOENT;
	if (exists(m, dom) && m->dom[dom].bypass != bypass)
		return INVAL;
	if (m->ep_dom[ep] == dom)
		return OK;
	if (ep == 2 && exists(m, dom) && m->dom[dom].page[RESV_PAGE])
		return UNSUPP;
	if (!exists(m, dom)) {
		memset(&m->dom[dom], 0, sizeof(m->dom[dom]));
		m->dom[dom].bypass = bypass;
	}
	m->ep_dom[ep] = dom;
	return OK;
}

static int model_detach(struct model *m, int dom, int ep)
{
	if (ep >= NR_EP)
		return NOENT;
	if (m->ep_dom[ep] < 0)
		return INVAL;
	if (!m->dom[m->ep_dom[ep]].bypass && m->ep_dom[ep] != dom)
		return INVAL;
	m->ep_dom[ep] = -1;
	return OK;
}

static int model_map(struct model *m, int dom, unsigned int at, unsigned int n,
		     bool ram, __u32 flags)
{
	unsigned int i;

	if (flags & ~7u)
		return INVAL;
	if (!n)
		return INVAL;
	if (dom > NR_DOM || !exists(m, dom))
		return NOENT;
	if (m->dom[dom].bypass)
		return INVAL;
	for (i = at; i < at + n; i++)
		if (m->dom[dom].page[i])
			return INVAL;
	if (m->ep_dom[2] == dom && RESV_PAGE >= at && RESV_PAGE < at + n)
		return INVAL;
	/* There is no doorbell */
	if (flags & VIRTIO_IOMMU_MAP_F_MMIO || !ram)
		return INVAL;
	m->next++;
	for (i = at; i < at + n; i++)
		m->dom[dom].page[i] = m->next;
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
	if (m->dom[dom].bypass)
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

	if (e->kind != DEV_MOCK || (dom >= 0 && m->dom[dom].bypass))
		return true;
	may = dom >= 0 && m->dom[dom].page[k] &&
	      m->dom[dom].page[k] & 0x80000000u;
	dev_load(e->dev[i], IOVA + k * PAGE, 16);
	ok = e->dev[i]->status == VHOST_IOMMU_MOCK_DMA_OK;
	/* Only what is readable was marked so */
	return ok == may;
}

TEST_F_TIMEOUT(fuzz, requests, 180)
{
	struct virtio_iommu_probe_resv_mem p;
	struct model m = { .ep_dom = { -1, -1, -1 } };
	struct vhost_iommu_stats s;
	struct vmm *v = self->v;
	__u64 end, seed = self->seed;
	unsigned long n = 0;

	probe_resv(&p, 0, IOVA + RESV_PAGE * PAGE,
		   IOVA + (RESV_PAGE + 1) * PAGE - 1);
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, &p, sizeof(p)));
	end = now_ns() + self->seconds * 1000000000ULL;
	for (n = 0; now_ns() < end; n++) {
		__u64 r = rand64(&seed);
		int dom = r % (NR_DOM + 2), ep = (r >> 8) % 8, want, got;
		unsigned int at = (r >> 16) % (NR_PAGES - 8);
		unsigned int len = (r >> 24) % 8;
		__u32 flags = (r >> 32) % 4;
		bool ram = (r >> 40) % 16, mmio = !((r >> 44) % 16);
		__u64 iova = IOVA + at * PAGE;

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
		case 2 ... 9:
			flags |= mmio ? VIRTIO_IOMMU_MAP_F_MMIO : 0;
			/* The model's marks: bit 31 says readable */
			m.next = (m.next & 0x7fffffff) |
				 (flags & MAP_R ? 0x80000000 : 0);
			want = model_map(&m, dom, at, len, ram, flags);
			got = g_map(v, dom, iova, iova + len * PAGE - 1,
				    ram ? RAM_GPA + at * PAGE : NOT_RAM_GPA,
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
		if (!(n % 64)) {
			ASSERT_EQ(0, vmm_stats(v, &s));
			ASSERT_EQ(model_bytes(&m), s.out_mapped_bytes);
		}
	}
	ksft_print_msg("%lu requests\n", n);
}

/* Anything in the tables, the rings and the buffers */
TEST_F_TIMEOUT(fuzz, rings, 180)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	__u64 end, seed = self->seed, gpa;
	__u8 *area = req_buf(v, KIB(64), &gpa);
	unsigned long rounds = 0;

	end = now_ns() + self->seconds * 1000000000ULL;
	while (now_ns() < end) {
		unsigned int i, k, n = 1 + rand64(&seed) % 32;

		/* Requests that look like some, with a byte wrong */
		for (i = 0; i < KIB(64) / 64; i++) {
			__u8 *r = area + i * 64;

			for (k = 0; k < 8; k++)
				((__u64 *)r)[k] = k == 1 || k == 2 ?
					IOVA + rand64(&seed) % 64 * PAGE :
					rand64(&seed) % 4;
			r[0] = rand64(&seed) % 8;
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
