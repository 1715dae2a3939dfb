// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net behind the virtio-iommu: what it sends and receives, and what it forgets.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soft.h"
#include "suite.h"
#include "vnet.h"

#define DOM		1
#define OTHER_DOM	2
#define EP0		EMU(0)
#define EP1		EMU(1)
/* In guest memory: rings, and pages for frames */
#define RINGS_GPA	(RAM_GPA + MIB(1))
#define RINGS2_GPA	(RINGS_GPA + VNET_AREA)
#define BUF_GPA		(RAM_GPA + MIB(2))
/* The same for the device */
#define HOLD_GPA	0x80000000ULL
#define RINGS_IOVA	(IOVA + MIB(1))
#define BUF_IOVA	(IOVA + MIB(2))
#define LEN		(VNET_HDR + VNET_FRAME)
#define SOON		5000
#define NEVER		150

#define R		VHOST_IOMMU_ACCESS_READ
#define W		VHOST_IOMMU_ACCESS_WRITE

FIXTURE(vnet)
{
	struct env e;
	struct vmm *v;
	struct vnet n;
};

KIND_VARIANTS(vnet);
KIND_NONE(vnet);
KIND_MOCK(vnet);

#define SELF	FIXTURE_DATA(vnet) *self

/* Its rings are mapped in its domain, and one frame has gone each way */
static bool warm_up(SELF)
{
	struct vmm *v = self->v;

	return g_attach(v, DOM, EP0) == OK &&
	       g_map(v, DOM, RINGS_IOVA, RINGS_IOVA + VNET_AREA - 1, RINGS_GPA,
		     MAP_RW) == OK &&
	       !vnet_start(&self->n);
}

FIXTURE_SETUP(vnet)
{
	const char *missing = vnet_missing();

	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	if (missing)
		SKIP(return, "no %s", missing);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP0, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP1, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vnet_open(&self->n, self->v, EP0, RINGS_GPA, RINGS_IOVA));
}

FIXTURE_TEARDOWN(vnet)
{
	if (self->v->fd >= 0) {
		vmm_set_running(self->v, false);
		vmm_remove_endpoint(self->v, EP0);
		vmm_remove_endpoint(self->v, EP1);
	}
	vnet_close(&self->n);
	env_down(&self->e);
}

static void *page(SELF, unsigned int i)
{
	return ram_va(self->v, BUF_GPA + i * PAGE);
}

static int map_page(SELF, __u32 dom, __u64 iova, unsigned int i, __u32 flags)
{
	return g_map(self->v, dom, iova, iova + PAGE - 1, BUF_GPA + i * PAGE,
		     flags);
}

/* What is at an IOVA goes out, and nothing else; true if that is @mark */
static bool sends(SELF, __u64 mark)
{
	__u64 seen = 0;

	if (!vnet_done(&self->n, VNET_TX, SOON)) {
		ksft_print_msg("the frame was not sent\n");
		return false;
	}
	if (!vnet_sees(&self->n, &seen, SOON) || seen != mark) {
		ksft_print_msg("sent 0x%llx, not 0x%llx\n", seen, mark);
		return false;
	}
	return true;
}

static void send_from(SELF, __u64 iova)
{
	vnet_put(&self->n, VNET_TX, &iova, 1, LEN);
}

static struct vmm_stats stats(SELF)
{
	struct vmm_stats s;

	memset(&s, 0, sizeof(s));
	vmm_stats(self->v, &s);
	return s;
}

TEST_F(vnet, sends_and_receives)
{
	const __u64 rx = BUF_IOVA + PAGE;

	ASSERT_TRUE(warm_up(self));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_R));
	ASSERT_ST(OK, map_page(self, DOM, rx, 1, MAP_W));
	vnet_frame(page(self, 0), 0x1234);
	send_from(self, BUF_IOVA);
	EXPECT_TRUE(sends(self, 0x1234));
	EXPECT_LT(0, stats(self).vhost_misses);
	EXPECT_LT(0, stats(self).vhost_updates);
	memset(page(self, 1), 0, PAGE);
	vnet_put(&self->n, VNET_RX, &rx, 1, PAGE);
	ASSERT_EQ(0, vnet_receives(&self->n, 0x4321));
	EXPECT_TRUE(vnet_done(&self->n, VNET_RX, SOON));
	EXPECT_TRUE(vnet_has(page(self, 1), 0x4321));
	/* Once known, it is not missed again */
	vnet_frame(page(self, 0), 0x1235);
	send_from(self, BUF_IOVA);
	EXPECT_TRUE(sends(self, 0x1235));
}

/* Nobody but the guest can help it: it is told, and may map it late */
TEST_F(vnet, waits_for_map)
{
	struct vmm_stats s;
	__u64 mark;

	ASSERT_TRUE(warm_up(self));
	vnet_frame(page(self, 0), 7);
	s = stats(self);
	send_from(self, BUF_IOVA);
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	EXPECT_LT(s.vhost_misses, stats(self).vhost_misses);
	/* Another domain's is not this one's */
	ASSERT_ST(OK, g_attach(self->v, OTHER_DOM, EP1));
	ASSERT_ST(OK, map_page(self, OTHER_DOM, BUF_IOVA, 1, MAP_RW));
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_R));
	EXPECT_TRUE(sends(self, 7));
}

/* What is not allowed waits for a mapping that allows it */
TEST_F(vnet, permissions)
{
	const __u64 rx = BUF_IOVA;
	__u64 mark;

	ASSERT_TRUE(warm_up(self));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_R));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA + PAGE, 1, MAP_W));
	memset(page(self, 0), 0, PAGE);
	vnet_frame(page(self, 1), 8);
	vnet_put(&self->n, VNET_RX, &rx, 1, PAGE);
	ASSERT_EQ(0, vnet_receives(&self->n, 9));
	send_from(self, BUF_IOVA + PAGE);
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	EXPECT_TRUE(all_bytes(page(self, 0), 0, PAGE));
	ASSERT_ST(OK, g_unmap(self->v, DOM, BUF_IOVA, BUF_IOVA + 2 * PAGE - 1));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_RW));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA + PAGE, 1, MAP_RW));
	EXPECT_TRUE(vnet_done(&self->n, VNET_RX, SOON));
	EXPECT_TRUE(vnet_has(page(self, 0), 9));
	EXPECT_TRUE(sends(self, 8));
}

/* One miss brings all that the guest has mapped for the packet */
TEST_F(vnet, looks_ahead)
{
	__u64 iovas[9], before;
	unsigned int i;

	ASSERT_TRUE(warm_up(self));
	/* The rings are known afterwards */
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_R));
	vnet_frame(page(self, 0), 1);
	send_from(self, BUF_IOVA);
	ASSERT_TRUE(sends(self, 1));
	for (i = 0; i < ARRAY_SIZE(iovas); i++) {
		iovas[i] = BUF_IOVA + (i + 1) * 2 * PAGE;
		ASSERT_ST(OK, map_page(self, DOM, iovas[i], i + 1, MAP_R));
		memset(page(self, i + 1), 0, PAGE);
	}
	vnet_frame(page(self, 1), 2);
	before = stats(self).vhost_misses;
	vnet_put(&self->n, VNET_TX, iovas, ARRAY_SIZE(iovas), 64);
	EXPECT_TRUE(sends(self, 2));
	EXPECT_EQ(before + 1, stats(self).vhost_misses);
}

/* After the reply to UNMAP it neither reads nor sends what was there */
static bool is_forgotten(SELF, __u64 i)
{
	__u64 mark;

	vnet_frame(page(self, 0), 2 * i);
	if (map_page(self, DOM, BUF_IOVA, 0, MAP_RW) != OK)
		return false;
	send_from(self, BUF_IOVA);
	if (!sends(self, 2 * i))
		return false;
	if (g_unmap(self->v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1) != OK)
		return false;
	/* The page is somebody else's; another one is mapped a moment later */
	vnet_frame(page(self, 0), ~0ULL);
	vnet_frame(page(self, 1), 2 * i + 1);
	send_from(self, BUF_IOVA);
	if (i % 16 == 0 && vnet_sees(&self->n, &mark, 1)) {
		ksft_print_msg("sent 0x%llx without a mapping\n", mark);
		return false;
	}
	if (map_page(self, DOM, BUF_IOVA, 1, MAP_RW) != OK)
		return false;
	return sends(self, 2 * i + 1) &&
	       g_unmap(self->v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1) == OK;
}

/* The same while it sends: it has done so before the reply, or does so afterwards */
static bool is_sent_or_not(SELF, __u64 i)
{
	__u64 seen = 0;

	vnet_frame(page(self, 0), 2 * i);
	if (map_page(self, DOM, BUF_IOVA, 0, MAP_RW) != OK)
		return false;
	send_from(self, BUF_IOVA);
	if (g_unmap(self->v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1) != OK)
		return false;
	vnet_frame(page(self, 0), ~0ULL);
	vnet_frame(page(self, 1), 2 * i + 1);
	if (map_page(self, DOM, BUF_IOVA, 1, MAP_RW) != OK ||
	    !vnet_done(&self->n, VNET_TX, SOON) ||
	    !vnet_sees(&self->n, &seen, SOON))
		return false;
	if (seen != 2 * i && seen != 2 * i + 1) {
		ksft_print_msg("sent 0x%llx after the reply\n", seen);
		return false;
	}
	return g_unmap(self->v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1) == OK;
}

TEST_F_TIMEOUT(vnet, stale, 3600)
{
	const unsigned int nr = long_tests() ? 500000 : 1000;
	unsigned int i;

	ASSERT_TRUE(warm_up(self));
	for (i = 1; i <= nr; i++) {
		ASSERT_TRUE(is_forgotten(self, 2 * i))
			TH_LOG("at %u of %u", i, nr);
		ASSERT_TRUE(is_sent_or_not(self, 2 * i + 1))
			TH_LOG("at %u of %u", i, nr);
	}
}

/* In a domain with an endpoint whose back end the VMM tells what to forget */
TEST_F(vnet, beside_a_back_end)
{
	const __u64 iova = BUF_IOVA;
	struct vhost_iommu_translate t;
	struct vhost_iommu_log *log;
	struct vmm *v = self->v;
	struct vmm_stats before, after;
	int status;
	size_t len;

	ASSERT_TRUE(warm_up(self));
	ASSERT_ST(OK, g_attach(v, DOM, EP1));
	log = soft_map_log(v, &len);
	ASSERT_NE(NULL, log);
	ASSERT_EQ(0, soft_notify(v, EP1, true));
	ASSERT_ST(OK, map_page(self, DOM, iova, 0, MAP_R));
	ASSERT_EQ(0, vmm_translate(v, EP1, iova, R, &t));
	EXPECT_EQ(MAP_R, t.out_access);
	vnet_frame(page(self, 0), 1);
	vnet_put(&self->n, VNET_TX, &iova, 1, LEN);
	EXPECT_TRUE(sends(self, 1));
	ASSERT_EQ(0, vmm_stats(v, &before));
	g_batch_add(v, BATCH_UNMAP, DOM, iova, PAGE, 0);
	vq_publish(&v->vq[v->ring]);
	vq_kick(&v->vq[v->ring]);
	EXPECT_EQ(-ETIMEDOUT, vq_wait(&v->vq[v->ring], 1, NEVER));
	/* The vhost-net waits for nobody: who acknowledges must not wait for it */
	ASSERT_EQ(0, vmm_stats(v, &after));
	EXPECT_EQ(1, after.held_replies);
	EXPECT_EQ(before.vhost_invalidations + 1, after.vhost_invalidations);
	ASSERT_EQ(0, soft_ack(v, LOAD(&log->head)));
	ASSERT_EQ(0, g_batch_status(v, 1, &status));
	EXPECT_EQ(OK, status);
	munmap(log, len);
}

/* What comes in goes to no page that was taken away before */
static bool is_not_written(SELF, __u64 i)
{
	const __u64 rx = BUF_IOVA + MIB(1);

	memset(page(self, 2), 0, PAGE);
	if (map_page(self, DOM, rx, 2, MAP_W) != OK)
		return false;
	/* It knows the page by then, from the frame before */
	vnet_put(&self->n, VNET_RX, &rx, 1, PAGE);
	if (vnet_receives(&self->n, i) || !vnet_done(&self->n, VNET_RX, SOON) ||
	    !vnet_has(page(self, 2), i))
		return false;
	vnet_put(&self->n, VNET_RX, &rx, 1, PAGE);
	if (g_unmap(self->v, DOM, rx, rx + PAGE - 1) != OK)
		return false;
	memset(page(self, 2), 0x5a, PAGE);
	memset(page(self, 3), 0, PAGE);
	if (vnet_receives(&self->n, i + 1) ||
	    map_page(self, DOM, rx, 3, MAP_W) != OK ||
	    !vnet_done(&self->n, VNET_RX, SOON))
		return false;
	if (!all_bytes(page(self, 2), 0x5a, PAGE)) {
		ksft_print_msg("written after the reply\n");
		return false;
	}
	return vnet_has(page(self, 3), i + 1) &&
	       g_unmap(self->v, DOM, rx, rx + PAGE - 1) == OK;
}

TEST_F_TIMEOUT(vnet, stale_writes, 3600)
{
	const unsigned int nr = long_tests() ? 500000 : 1000;
	unsigned int i;

	ASSERT_TRUE(warm_up(self));
	for (i = 1; i <= nr; i++)
		ASSERT_TRUE(is_not_written(self, 2 * i))
			TH_LOG("at %u of %u", i, nr);
}

#define SLOTS	8

/* What is mapped in two domains, by pages of guest memory; none is 0 */
struct model {
	__u32 attached;
	unsigned int page[2][SLOTS];
	/* The slot that a frame is sent from, or SLOTS, and frames so far */
	unsigned int waits;
	unsigned int sent;
};

static __u64 slot_iova(unsigned int slot)
{
	return BUF_IOVA + slot * 2 * PAGE;
}

/* A frame that waits goes out as soon as it can, with what its page has then */
static bool goes_out(SELF, struct model *m)
{
	unsigned int page_nr;

	if (m->waits == SLOTS || !m->attached)
		return true;
	page_nr = m->page[m->attached - 1][m->waits];
	if (!page_nr)
		return true;
	m->waits = SLOTS;
	m->sent++;
	return sends(self, page_nr);
}

static bool model_step(SELF, struct model *m)
{
	struct vmm *v = self->v;
	unsigned int slot = rand() % SLOTS, dom = rand() % 2;
	unsigned int *mapped = &m->page[dom][slot];
	const __u64 iova = slot_iova(slot);

	switch (rand() % 8) {
	case 0:
		/* Its mappings stay, as another endpoint is in both domains */
		if (g_attach(v, dom + 1, EP0) != OK)
			return false;
		m->attached = dom + 1;
		break;
	case 1:
		if (m->attached && g_detach(v, m->attached, EP0) != OK)
			return false;
		m->attached = 0;
		break;
	case 2:
	case 3:
	case 4:
		if (*mapped) {
			if (g_unmap(v, dom + 1, iova, iova + PAGE - 1) != OK)
				return false;
			/* Whoever sends it now is caught */
			vnet_frame(page(self, *mapped), ~0ULL);
			*mapped = 0;
			break;
		}
		*mapped = 1 + slot + SLOTS * dom;
		vnet_frame(page(self, *mapped), *mapped);
		if (map_page(self, dom + 1, iova, *mapped, MAP_R) != OK)
			return false;
		break;
	default:
		if (m->waits != SLOTS)
			break;
		m->waits = slot;
		send_from(self, iova);
	}
	return goes_out(self, m);
}

/* Whatever the guest does, what goes out is what is mapped */
TEST_F_TIMEOUT(vnet, model, 600)
{
	const unsigned int nr = long_tests() ? 100000 : 2000;
	struct model m = { .attached = DOM, .waits = SLOTS };
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_TRUE(warm_up(self));
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(2), NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(v, DOM, EP1));
	ASSERT_ST(OK, g_attach(v, OTHER_DOM, EMU(2)));
	ASSERT_ST(OK, g_map(v, OTHER_DOM, RINGS_IOVA,
			    RINGS_IOVA + VNET_AREA - 1, RINGS_GPA, MAP_RW));
	for (i = 0; i < nr; i++)
		ASSERT_TRUE(model_step(self, &m))
			TH_LOG("at %u of %u", i, nr);
	EXPECT_LT(nr / 20, m.sent);
	ksft_print_msg("%u frames in %u steps\n", m.sent, nr);
	vmm_set_running(v, false);
	vmm_remove_endpoint(v, EMU(2));
}

/* Pages that are mapped, one behind the other or @step apart, and sent as one frame */
static bool send_parts(SELF, unsigned int nr, unsigned int step, __u64 mark)
{
	__u64 iovas[32];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		iovas[i] = BUF_IOVA + i * step * PAGE;
		if (map_page(self, DOM, iovas[i], i, MAP_R) != OK)
			return false;
		memset(page(self, i), 0, PAGE);
	}
	vnet_frame(page(self, 0), mark);
	vnet_put(&self->n, VNET_TX, iovas, nr, 64);
	return sends(self, mark);
}

/* A guest that unmaps in batches has it forget them together */
TEST_F(vnet, batches)
{
	struct vmm *v = self->v;
	unsigned int step, i;
	__u64 before, batches, mark;

	ASSERT_TRUE(warm_up(self));
	for (step = 1; step <= 2; step++) {
		ASSERT_TRUE(send_parts(self, 32, step, step));
		before = stats(self).vhost_invalidations;
		batches = stats(self).batches;
		for (i = 0; i < 32; i++)
			ASSERT_LE(0, g_batch_add(v, BATCH_UNMAP, DOM,
						 BUF_IOVA + i * step * PAGE,
						 PAGE, 0));
		ASSERT_EQ(0, g_batch_run(v, 32));
		i = stats(self).vhost_invalidations - before;
		batches = stats(self).batches - batches;
		ksft_print_msg("%u times for 32 ranges in %llu batches\n", i,
			       batches);
		EXPECT_LE(1, i);
		EXPECT_GE(batches * (step == 1 ? 1 : 8), i);
		/* It has forgotten all of them */
		for (i = 0; i < 32; i += 31) {
			vnet_frame(page(self, i), ~0ULL);
			send_from(self, BUF_IOVA + i * step * PAGE);
			EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
			vnet_frame(page(self, 40), 100 + i);
			ASSERT_ST(OK, map_page(self, DOM,
					       BUF_IOVA + i * step * PAGE, 40,
					       MAP_R));
			EXPECT_TRUE(sends(self, 100 + i));
			ASSERT_ST(OK, g_unmap(v, DOM, BUF_IOVA + i * step * PAGE,
					      BUF_IOVA + i * step * PAGE +
					      PAGE - 1));
		}
	}
}

/* Whatever else changes what its addresses mean */
TEST_F(vnet, moves)
{
	struct vmm *v = self->v;
	__u64 mark;

	ASSERT_TRUE(warm_up(self));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_RW));
	vnet_frame(page(self, 0), 3);
	send_from(self, BUF_IOVA);
	ASSERT_TRUE(sends(self, 3));
	/* In no domain it reaches nothing, its own rings neither */
	ASSERT_ST(OK, g_detach(v, DOM, EP0));
	vnet_frame(page(self, 0), ~0ULL);
	send_from(self, BUF_IOVA);
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	vnet_frame(page(self, 1), 4);
	ASSERT_ST(OK, g_attach(v, OTHER_DOM, EP0));
	ASSERT_ST(OK, map_page(self, OTHER_DOM, BUF_IOVA, 1, MAP_RW));
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	ASSERT_ST(OK, g_map(v, OTHER_DOM, RINGS_IOVA,
			    RINGS_IOVA + VNET_AREA - 1, RINGS_GPA, MAP_RW));
	EXPECT_TRUE(sends(self, 4));
	/* Memory that goes takes the mapping with it */
	ASSERT_EQ(0, vmm_remove_ram(v, BUF_GPA, BUF_GPA + MIB(1) - 1, NULL));
	send_from(self, BUF_IOVA);
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	vnet_frame(page(self, 2), 5);
	ASSERT_ST(OK, map_page(self, OTHER_DOM, BUF_IOVA, 2, MAP_RW));
	EXPECT_TRUE(sends(self, 5));
	/* After a reset, nothing */
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	vnet_frame(page(self, 2), ~0ULL);
	send_from(self, BUF_IOVA);
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
}

/* Nothing is translated: as guest-physical addresses, and only guest memory */
TEST_F(vnet, bypass)
{
	struct vmm *v = self->v;
	struct vnet n;
	__u64 mark;

	ASSERT_EQ(0, vmm_set_bypass(v, true));
	ASSERT_EQ(0, vnet_open(&n, v, EP1, RINGS2_GPA, RINGS2_GPA));
	EXPECT_EQ(0, vnet_start(&n));
	vnet_frame(page(self, 0), 6);
	vnet_put(&n, VNET_TX, (__u64[]){ BUF_GPA }, 1, LEN);
	EXPECT_TRUE(vnet_done(&n, VNET_TX, SOON));
	EXPECT_TRUE(vnet_sees(&n, &mark, SOON) && mark == 6);
	ASSERT_EQ(0, vmm_set_bypass(v, false));
	vnet_frame(page(self, 0), ~0ULL);
	vnet_put(&n, VNET_TX, (__u64[]){ BUF_GPA }, 1, LEN);
	EXPECT_FALSE(vnet_sees(&n, &mark, NEVER));
	vnet_frame(page(self, 0), 7);
	ASSERT_EQ(0, vmm_set_bypass(v, true));
	EXPECT_TRUE(vnet_done(&n, VNET_TX, SOON));
	EXPECT_TRUE(vnet_sees(&n, &mark, SOON) && mark == 7);
	EXPECT_EQ(0, vnet_remove(v, EP1, n.fd));
	vnet_close(&n);
}

/* Two files of one endpoint; what one was told of, the other need not forget */
TEST_F(vnet, two_files)
{
	struct vmm *v = self->v;
	struct vnet n;
	__u64 mark, before;

	ASSERT_TRUE(warm_up(self));
	ASSERT_ST(OK, g_map(v, DOM, RINGS2_GPA, RINGS2_GPA + VNET_AREA - 1,
			    RINGS2_GPA, MAP_RW));
	ASSERT_EQ(0, vnet_open(&n, v, EP0, RINGS2_GPA, RINGS2_GPA));
	ASSERT_EQ(0, vnet_start(&n));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_RW));
	vnet_frame(page(self, 0), 11);
	vnet_put(&n, VNET_TX, (__u64[]){ BUF_IOVA }, 1, LEN);
	EXPECT_TRUE(vnet_done(&n, VNET_TX, SOON));
	EXPECT_TRUE(vnet_sees(&n, &mark, SOON) && mark == 11);
	before = stats(self).vhost_invalidations;
	ASSERT_ST(OK, g_unmap(v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1));
	EXPECT_EQ(before + 1, stats(self).vhost_invalidations);
	/* Nobody was told of this one */
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_RW));
	ASSERT_ST(OK, g_unmap(v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1));
	EXPECT_EQ(before + 1, stats(self).vhost_invalidations);
	/* The first one sends when the other is gone */
	EXPECT_EQ(0, vnet_remove(v, EP0, n.fd));
	vnet_close(&n);
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_RW));
	vnet_frame(page(self, 0), 12);
	send_from(self, BUF_IOVA);
	EXPECT_TRUE(sends(self, 12));
}

/*
 * Who finds nothing to unmap may owe that to another queue, which has not answered yet:
 * its own answer means the same
 */
TEST_F(vnet, two_queues)
{
	const struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = htole32(DOM),
		.virt_start = htole64(BUF_IOVA),
		.virt_end = htole64(BUF_IOVA + PAGE - 1),
	};
	const __u32 len = offsetof(struct virtio_iommu_req_unmap, tail);
	struct seg late[] = { { 0, len }, { HOLD_GPA, 4, true } };
	struct hold h = { .uffd = -1 };
	struct vmm_stats before, s;
	struct vmm v;
	struct vnet n;
	struct vq *q = &v.vq[VHOST_IOMMU_VQ_REQUEST];
	char *hold_page, zeroes[PAGE] = {};
	__u64 mark = 0;

	vmm_init(&v);
	vmm_propose_queues(&v, 2);
	ASSERT_EQ(0, vmm_prepare(&v, false));
	ASSERT_EQ(0, hold_open(&h, &v, HOLD_GPA, PAGE));
	ASSERT_EQ(0, vmm_start(&v));
	ASSERT_EQ(0, vmm_add_endpoint(&v, EP0, NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(&v, DOM, EP0));
	ASSERT_ST(OK, g_map(&v, DOM, RINGS_IOVA, RINGS_IOVA + VNET_AREA - 1,
			    RINGS_GPA, MAP_RW));
	ASSERT_EQ(0, vnet_open(&n, &v, EP0, RINGS_GPA, RINGS_IOVA));
	ASSERT_EQ(0, vnet_start(&n));
	ASSERT_ST(OK, g_map(&v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1, BUF_GPA,
			    MAP_R));
	vnet_frame(ram_va(&v, BUF_GPA), 13);
	vnet_put(&n, VNET_TX, (__u64[]){ BUF_IOVA }, 1, LEN);
	ASSERT_TRUE(vnet_done(&n, VNET_TX, SOON));
	ASSERT_TRUE(vnet_sees(&n, &mark, SOON) && mark == 13);

	ASSERT_EQ(0, vmm_stats(&v, &before));
	memcpy(req_buf(&v, sizeof(req), &late[0].gpa), &req, sizeof(req));
	vq_add(q, late, 2);
	vq_publish(q);
	vq_kick(q);
	/* It is unmapped, and the reply can't be written */
	ASSERT_EQ(0, hold_wait(&h, &hold_page, SOON));
	ASSERT_EQ(0, vmm_stats(&v, &s));
	EXPECT_EQ(before.vhost_invalidations, s.vhost_invalidations);
	v.ring = VHOST_IOMMU_VQ_REQUEST_NR(1);
	EXPECT_ST(OK, g_unmap(&v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1));
	ASSERT_EQ(0, vmm_stats(&v, &s));
	EXPECT_LT(before.vhost_invalidations, s.vhost_invalidations);
	ASSERT_EQ(0, hold_give(&h, hold_page, zeroes));
	EXPECT_EQ(0, vq_wait(q, 1, REQ_TIMEOUT_MS));
	vnet_close(&n);
	hold_close(&h);
	vmm_close(&v);
}

/* It has forgotten all when it is let go of, and is served again when it comes back */
TEST_F(vnet, comes_and_goes)
{
	struct vmm *v = self->v;
	__u64 mark;

	ASSERT_TRUE(warm_up(self));
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_RW));
	vnet_frame(page(self, 0), 21);
	send_from(self, BUF_IOVA);
	ASSERT_TRUE(sends(self, 21));
	ASSERT_EQ(0, vnet_remove(v, EP0, self->n.fd));
	vnet_frame(page(self, 0), ~0ULL);
	send_from(self, BUF_IOVA);
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	vnet_frame(page(self, 0), 22);
	ASSERT_EQ(0, vnet_add(v, EP0, self->n.fd));
	EXPECT_TRUE(sends(self, 22));
	/* The same when its endpoint goes */
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP0));
	vnet_frame(page(self, 0), ~0ULL);
	send_from(self, BUF_IOVA);
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	EXPECT_EQ(-ENOENT, vnet_remove(v, EP0, self->n.fd));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP0, NULL, -1, NULL, 0));
	EXPECT_FALSE(vnet_sees(&self->n, &mark, NEVER));
	EXPECT_EQ(0, vnet_add(v, EP0, self->n.fd));
}

/* A queue that waits for an answer when it is let go of is not stuck */
TEST_F(vnet, goes_unanswered)
{
	struct vmm *v = self->v;
	__u64 before, end, one = 1;

	ASSERT_TRUE(warm_up(self));
	vnet_frame(page(self, 0), 31);
	/* Rings first, then the buffer */
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA, 0, MAP_R));
	send_from(self, BUF_IOVA);
	ASSERT_TRUE(sends(self, 31));
	before = stats(self).vhost_misses;
	send_from(self, BUF_IOVA + PAGE);
	end = now_ns() + SOON * 1000000ULL;
	while (stats(self).vhost_misses == before && now_ns() < end)
		sleep_ms(1);
	ASSERT_EQ(before + 1, stats(self).vhost_misses);
	ASSERT_EQ(0, vnet_remove(v, EP0, self->n.fd));
	vnet_frame(page(self, 1), 32);
	ASSERT_ST(OK, map_page(self, DOM, BUF_IOVA + PAGE, 1, MAP_R));
	ASSERT_EQ(0, vnet_add(v, EP0, self->n.fd));
	ASSERT_EQ(8, write(self->n.ring[VNET_TX].kick, &one, sizeof(one)));
	EXPECT_TRUE(sends(self, 32));
}

TEST_F(vnet, errors)
{
	struct vmm *v = self->v;
	int blocking, off, null, tun, more[64];
	unsigned int i;

	blocking = vnet_file(true, 0);
	off = vnet_file(false, O_NONBLOCK);
	null = open("/dev/null", O_RDWR | O_NONBLOCK);
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	ASSERT_LE(0, blocking);
	ASSERT_LE(0, off);
	EXPECT_EQ(-EBADF, vnet_add(v, EP0, -1));
	EXPECT_EQ(-EBADFD, vnet_add(v, EP0, null));
	EXPECT_EQ(-EBADFD, vnet_add(v, EP0, tun));
	EXPECT_EQ(-EBADFD, vnet_add(v, EP0, v->fd));
	EXPECT_EQ(-EINVAL, vnet_add(v, EP0, blocking));
	EXPECT_EQ(-ENXIO, vnet_add(v, EP0, off));
	EXPECT_EQ(-ENOENT, vnet_add(v, EMU(7), self->n.fd));
	if (self->e.kind != DEV_NONE)
		EXPECT_EQ(-EINVAL, vnet_add(v, EP(0), self->n.fd));
	EXPECT_EQ(-ENOENT, vnet_remove(v, EP0, self->n.fd));
	EXPECT_EQ(-ENOENT, vnet_miss(v, EP0, self->n.fd, IOVA, R));
	/* None of these has left anything behind */
	ASSERT_EQ(0, vnet_add(v, EP0, self->n.fd));
	EXPECT_EQ(-EEXIST, vnet_add(v, EP0, self->n.fd));
	EXPECT_EQ(-EEXIST, vnet_add(v, EP1, self->n.fd));
	EXPECT_EQ(-ENOENT, vnet_remove(v, EP1, self->n.fd));
	EXPECT_EQ(-EINVAL, vnet_miss(v, EP0, self->n.fd, IOVA, 0));
	EXPECT_EQ(-ENOENT, vnet_miss(v, EP0, self->n.fd, IOVA, R));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_ST(OK, map_page(self, DOM, IOVA, 0, MAP_R));
	EXPECT_EQ(0, vnet_miss(v, EP0, self->n.fd, IOVA, R));
	EXPECT_EQ(-ENOENT, vnet_miss(v, EP0, self->n.fd, IOVA, W));
	/* There is room for 64, of which one is taken */
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = vnet_file(true, O_NONBLOCK);
		ASSERT_LE(0, more[i]);
		ASSERT_EQ(i < 63 ? 0 : -ENOSPC, vnet_add(v, EP1, more[i]));
	}
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		EXPECT_EQ(i < 63 ? 0 : -ENOENT, vnet_remove(v, EP1, more[i]));
		close(more[i]);
	}
	EXPECT_EQ(0, vnet_remove(v, EP0, self->n.fd));
	close(blocking);
	close(off);
	close(null);
	close(tun);
}

/* Closed in every order of the device, vhost-net and the tap, with a frame that waits */
TEST_F(vnet, closed_in_any_order)
{
	static const char orders[][4] = { "vnt", "vtn", "nvt", "ntv", "tvn",
					  "tnv" };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		struct vmm v;
		struct vnet n;

		vmm_init(&v);
		ASSERT_EQ(0, vmm_prepare(&v, false));
		ASSERT_EQ(0, vmm_start(&v));
		ASSERT_EQ(0, vmm_add_endpoint(&v, EP0, NULL, -1, NULL, 0));
		ASSERT_ST(OK, g_attach(&v, DOM, EP0));
		ASSERT_ST(OK, g_map(&v, DOM, RINGS_IOVA,
				    RINGS_IOVA + VNET_AREA - 1, RINGS_GPA,
				    MAP_RW));
		ASSERT_EQ(0, vnet_open(&n, &v, EP0, RINGS_GPA, RINGS_IOVA));
		ASSERT_EQ(0, vnet_start(&n));
		vnet_put(&n, VNET_TX, (__u64[]){ BUF_IOVA }, 1, LEN);
		for (j = 0; orders[i][j]; j++) {
			int *fd = orders[i][j] == 'v' ? &v.fd :
				  orders[i][j] == 'n' ? &n.fd : &n.tap;

			EXPECT_EQ(0, close(*fd));
			*fd = -1;
			sleep_ms(2);
		}
		vnet_close(&n);
		vmm_close(&v);
	}
}

/* Another guest, which does what it can to hold this one up */
struct flood {
	struct vmm v;
	struct vnet n;
	/* It sends each page that it maps and unmaps, or has its vhost-net told of it */
	bool misses;
	bool stop;
	bool failed;
	unsigned long done;
};

static bool flood_once(struct flood *f)
{
	const __u64 iova = BUF_IOVA;

	if (g_map(&f->v, DOM, iova, iova + PAGE - 1, BUF_GPA, MAP_R) != OK)
		return false;
	if (f->misses) {
		vnet_put(&f->n, VNET_TX, &iova, 1, LEN);
		if (!vnet_done(&f->n, VNET_TX, SOON))
			return false;
	} else if (vnet_miss(&f->v, EP0, f->n.fd, iova, R)) {
		return false;
	}
	f->done++;
	return g_unmap(&f->v, DOM, iova, iova + PAGE - 1) == OK;
}

static void *flood(void *arg)
{
	struct flood *f = arg;

	while (!LOAD(&f->stop) && !f->failed)
		f->failed = !flood_once(f);
	return NULL;
}

static bool requests(SELF, const char *what)
{
	return g_times(self->v, what, DOM, IOVA, BUF_GPA) < TIMES_MAX;
}

TEST_F_TIMEOUT(vnet, floods, 120)
{
	static struct flood f;
	struct vmm *v = &f.v;
	pthread_t t;
	int i;

	ASSERT_TRUE(warm_up(self));
	memset(&f, 0, sizeof(f));
	vmm_init(v);
	ASSERT_EQ(0, vmm_prepare(v, false));
	ASSERT_EQ(0, vmm_start(v));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP0, NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_ST(OK, g_map(v, DOM, RINGS_IOVA, RINGS_IOVA + VNET_AREA - 1,
			    RINGS_GPA, MAP_RW));
	ASSERT_EQ(0, vnet_open(&f.n, v, EP0, RINGS_GPA, RINGS_IOVA));
	ASSERT_EQ(0, vnet_start(&f.n));
	EXPECT_TRUE(requests(self, "alone"));
	for (i = 0; i < 2; i++) {
		f.misses = !i;
		f.stop = false;
		f.done = 0;
		ASSERT_EQ(0, pthread_create(&t, NULL, flood, &f));
		EXPECT_TRUE(requests(self, i ? "with UNMAPs" : "with misses"));
		STORE(&f.stop, true);
		ASSERT_EQ(0, pthread_join(t, NULL));
		EXPECT_FALSE(f.failed);
		EXPECT_LT(10, f.done);
	}
	vnet_close(&f.n);
	vmm_close(v);
}

/* A VMM that dies while it sends, maps and unmaps */
TEST_F(vnet, killed)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		struct vmm v;
		struct vnet n;
		int status;
		int ready[2];
		pid_t pid;
		char c;

		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (pid) {
			close(ready[1]);
			/* It has sent something */
			EXPECT_EQ(1, read(ready[0], &c, 1));
			close(ready[0]);
			sleep_ms(7 * i);
			kill(pid, SIGKILL);
			ASSERT_EQ(pid, waitpid(pid, &status, 0));
			EXPECT_TRUE(WIFSIGNALED(status));
			continue;
		}
		vmm_init(&v);
		if (vmm_prepare(&v, false) || vmm_start(&v) ||
		    vmm_add_endpoint(&v, EP0, NULL, -1, NULL, 0) ||
		    g_attach(&v, DOM, EP0) ||
		    g_map(&v, DOM, RINGS_IOVA, RINGS_IOVA + VNET_AREA - 1,
			  RINGS_GPA, MAP_RW) ||
		    vnet_open(&n, &v, EP0, RINGS_GPA, RINGS_IOVA) ||
		    vnet_start(&n))
			_exit(1);
		for (;;) {
			g_map(&v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1, BUF_GPA,
			      MAP_RW);
			/* No more at a time than the ring has room for */
			if (n.ring[VNET_TX].added -
			    le16toh(LOAD(&n.ring[VNET_TX].used->idx)) < 8)
				vnet_put(&n, VNET_TX, (__u64[]){ BUF_IOVA }, 1,
					 LEN);
			if (ready[1] >= 0 && !vnet_done(&n, VNET_TX, SOON))
				_exit(1);
			g_unmap(&v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1);
			if (ready[1] >= 0 && write(ready[1], "", 1) == 1)
				close(ready[1]);
			ready[1] = -1;
		}
	}
}

SUITE;
