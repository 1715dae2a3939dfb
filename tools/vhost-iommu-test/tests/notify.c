// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replies that wait until the VMM has followed the log, because it has passed answers on
 * to somebody else who has to forget them first.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soft.h"
#include "suite.h"
#include "table.h"

#define DOM		1
#define OTHER_DOM	2
#define EP0		EMU(0)
#define EP1		EMU(1)
#define SOON		5000
#define NEVER		100
/* Replies of a queue that wait before it does not go on */
#define MAX_HELD	32
/* A page of the guest's that comes when the test wants it */
#define HOLD_GPA	0x80000000ULL

#define R		VHOST_IOMMU_ACCESS_READ

FIXTURE(notify)
{
	struct env e;
	struct vmm *v;
	struct vhost_iommu_log *log;
	size_t len;
	int fd;
};

FIXTURE_VARIANT(notify)
{
	enum dev_kind kind;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(notify, none) {
	.kind = DEV_NONE,
};

FIXTURE_VARIANT_ADD(notify, none_worker) {
	.kind = DEV_NONE,
	.flags = VHOST_IOMMU_CONFIG_WORKER_ONLY,
};

FIXTURE_VARIANT_ADD(notify, mock) {
	.kind = DEV_MOCK,
};

#define SELF	FIXTURE_DATA(notify) *self

FIXTURE_SETUP(notify)
{
	struct vmm *v = &self->e.v;

	self->v = v;
	self->fd = -1;
	env_init(&self->e, variant->kind);
	v->config.flags = variant->flags;
	vmm_propose_queues(v, 2);
	vmm_propose_tables(v);
	ENV_UP(&self->e, env_up(&self->e, variant->kind != DEV_NONE));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP0, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP1, NULL, -1, NULL, 0));
	self->log = soft_open_log(v, &self->len, &self->fd);
	ASSERT_NE(NULL, self->log);
}

FIXTURE_TEARDOWN(notify)
{
	if (self->v->fd >= 0) {
		vmm_set_running(self->v, false);
		vmm_remove_endpoint(self->v, EP0);
		vmm_remove_endpoint(self->v, EP1);
	}
	if (self->log)
		munmap(self->log, self->len);
	if (self->fd >= 0)
		close(self->fd);
	env_down(&self->e);
}

static short log_polls(SELF, unsigned int timeout_ms)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) < 0 ? POLLERR : p.revents;
}

static __u64 head(SELF)
{
	return LOAD(&self->log->head);
}

/* EP0 is in the domain, has a page there, and the VMM has asked for it */
static bool told(SELF, __u64 iova)
{
	struct vmm *v = self->v;
	struct vhost_iommu_translate t;

	return g_map(v, DOM, iova, iova + PAGE - 1, RAM_GPA, MAP_RW) == OK &&
	       !vmm_translate(v, EP0, iova, R, &t) && t.out_access == MAP_RW;
}

static bool ready(SELF)
{
	return g_attach(self->v, DOM, EP0) == OK &&
	       !soft_ack(self->v, head(self)) &&
	       !soft_notify(self->v, EP0, true) && told(self, IOVA);
}

/* Make a request, and do not wait */
static void ask(struct vmm *v)
{
	struct vq *q = &v->vq[v->ring];

	vq_publish(q);
	vq_kick(q);
}

static void ask_unmap(struct vmm *v, __u64 iova)
{
	g_batch_add(v, BATCH_UNMAP, DOM, iova, PAGE, 0);
	ask(v);
}

static bool comes(struct vmm *v, unsigned int n)
{
	int status[2 * MAX_HELD];
	unsigned int i;

	if (n > ARRAY_SIZE(status) || g_batch_status(v, n, status))
		return false;
	for (i = 0; i < n; i++)
		if (status[i] != OK)
			return false;
	return true;
}

static bool nothing_comes(struct vmm *v)
{
	return vq_wait(&v->vq[v->ring], 1, NEVER) == -ETIMEDOUT;
}

static __u64 held(SELF)
{
	struct vmm_stats s;

	return vmm_stats(self->v, &s) ? ~0ULL : s.held_replies;
}

TEST_F(notify, unmap_waits)
{
	struct vhost_iommu_translate t;
	struct vmm *v = self->v;

	ASSERT_TRUE(ready(self));
	EXPECT_EQ(0, log_polls(self, 0));
	ask_unmap(v, IOVA);
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	EXPECT_TRUE(nothing_comes(v));
	EXPECT_EQ(1, held(self));
	/* It is carried out, nevertheless */
	ASSERT_EQ(0, vmm_translate(v, EP0, IOVA, 0, &t));
	EXPECT_EQ(0, t.out_access);
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_EQ(0, log_polls(self, 0));
	EXPECT_TRUE(comes(v, 1));
	/* What nobody was told of, is gone for nobody */
	EXPECT_TRUE(told(self, IOVA));
	EXPECT_EQ(1, held(self));
}

/* There is nobody to forget anything */
TEST_F(notify, nobody_was_told)
{
	struct vhost_iommu_translate t;
	struct vmm *v = self->v;

	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_ST(OK, g_attach(v, OTHER_DOM, EP1));
	/* By the time that it notifies, the VMM has forgotten that */
	ASSERT_TRUE(told(self, IOVA));
	ASSERT_EQ(0, soft_notify(v, EP0, true));
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	ASSERT_ST(OK, g_map(v, OTHER_DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	ASSERT_EQ(0, vmm_translate(v, EP1, IOVA, R, &t));
	EXPECT_ST(OK, g_unmap(v, OTHER_DOM, IOVA, IOVA + PAGE - 1));
	ASSERT_EQ(0, soft_notify(v, EP0, false));
	ASSERT_TRUE(told(self, IOVA));
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_EQ(0, held(self));
	EXPECT_EQ(0, log_polls(self, 0));
}

/* The log has an entry that says so */
TEST_F(notify, forgets_what_was_before)
{
	const struct vhost_iommu_log_entry *e;
	struct vmm *v = self->v;
	__u64 before = head(self);

	ASSERT_EQ(0, soft_notify(v, EP0, true));
	ASSERT_EQ(before + 1, head(self));
	e = &self->log->entries[before % self->log->nr];
	EXPECT_EQ(VHOST_IOMMU_LOG_ENDPOINT, e->kind);
	EXPECT_EQ(EP0, e->id);
	/* Once is enough */
	ASSERT_EQ(0, soft_notify(v, EP0, true));
	ASSERT_EQ(0, soft_notify(v, EP0, false));
	ASSERT_EQ(0, soft_notify(v, EP0, false));
	EXPECT_EQ(before + 1, head(self));
}

TEST_F(notify, others_overtake)
{
	struct vmm *v = self->v;
	struct vmm other;

	ASSERT_ST(OK, g_attach(v, OTHER_DOM, EP1));
	ASSERT_TRUE(ready(self));
	ask_unmap(v, IOVA);
	ASSERT_EQ(POLLIN, log_polls(self, SOON));
	EXPECT_ST(OK, g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, g_map(v, OTHER_DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(OK, g_unmap(v, OTHER_DOM, IOVA, IOVA + PAGE - 1));
	/* What another queue does not find any more is not forgotten yet */
	vmm_view(&other, v, 1);
	ask_unmap(&other, IOVA);
	EXPECT_TRUE(nothing_comes(&other));
	EXPECT_TRUE(nothing_comes(v));
	EXPECT_EQ(2, held(self));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, 1));
	EXPECT_TRUE(comes(&other, 1));
}

TEST_F(notify, one_after_the_other)
{
	struct vmm *v = self->v;
	__u64 first;

	ASSERT_TRUE(ready(self) && told(self, IOVA + PAGE));
	ask_unmap(v, IOVA);
	ASSERT_EQ(POLLIN, log_polls(self, SOON));
	first = head(self);
	ask_unmap(v, IOVA + PAGE);
	EXPECT_TRUE(nothing_comes(v));
	EXPECT_EQ(2, held(self));
	ASSERT_EQ(0, soft_ack(v, first - 1));
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, soft_ack(v, first));
	EXPECT_TRUE(comes(v, 1));
	EXPECT_TRUE(nothing_comes(v));
	EXPECT_EQ(POLLIN, log_polls(self, 0));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, 1));
	EXPECT_EQ(0, log_polls(self, 0));
}

/* Have an endpoint attached to a domain or detached from it, and do not wait */
static int ask_move(struct vmm *v, __u8 type, __u32 domain, __u32 ep)
{
	/* The flags of ATTACH are 0, as what DETACH has in their place */
	const struct virtio_iommu_req_attach a = {
		.head.type = type,
		.domain = htole32(domain), .endpoint = htole32(ep),
	};
	const struct req r = {
		.out = &a,
		.out_len = offsetof(struct virtio_iommu_req_attach, tail),
		.in_len = sizeof(struct virtio_iommu_req_tail),
	};
	int rc = req_add(v, &r, NULL);

	_Static_assert(offsetof(struct virtio_iommu_req_attach, tail) ==
		       offsetof(struct virtio_iommu_req_detach, tail),
		       "requests of one length");
	if (rc >= 0)
		ask(v);
	return rc;
}

/* Addresses of an endpoint that goes elsewhere mean something else */
TEST_F(notify, moves)
{
	static const __u8 types[] = {
		VIRTIO_IOMMU_T_ATTACH, VIRTIO_IOMMU_T_DETACH,
	};
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_TRUE(ready(self));
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		ASSERT_LE(0, ask_move(v, types[i], OTHER_DOM, EP0));
		EXPECT_EQ(POLLIN, log_polls(self, SOON));
		EXPECT_TRUE(nothing_comes(v));
		EXPECT_EQ(i + 1, held(self));
		ASSERT_EQ(0, soft_ack(v, head(self)));
		EXPECT_TRUE(comes(v, 1));
	}
}

/* More than the queue can hold: it goes on when it can */
TEST_F(notify, held_up)
{
	const unsigned int n = MAX_HELD + 8;
	struct vmm *v = self->v;
	struct vmm_stats s;
	struct vmm other;
	unsigned int i;

	ASSERT_TRUE(ready(self));
	for (i = 1; i < n; i++)
		ASSERT_TRUE(told(self, IOVA + i * PAGE));
	for (i = 0; i < n; i++)
		g_batch_add(v, BATCH_UNMAP, DOM, IOVA + i * PAGE, PAGE, 0);
	ask(v);
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	EXPECT_TRUE(nothing_comes(v));
	for (i = 0; i < 1000; i++)
		vq_kick(&v->vq[v->ring]);
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(MAX_HELD, s.held_replies);
	EXPECT_EQ(MAX_HELD, s.requests[VIRTIO_IOMMU_T_UNMAP]);
	/* Another queue is not */
	vmm_view(&other, v, 1);
	EXPECT_ST(OK, g_map(&other, DOM, IOVA + MIB(1),
			    IOVA + MIB(1) + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, MAX_HELD));
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, n - MAX_HELD));
	EXPECT_EQ(n, held(self));
}

/* An UNMAP in pieces, of more than the log has room for */
TEST_F(notify, large)
{
	const unsigned int n = 1000;
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_TRUE(ready(self));
	for (i = 1; i < n; i++)
		ASSERT_ST(OK, g_map(v, DOM, IOVA + i * PAGE,
				    IOVA + i * PAGE + PAGE - 1, RAM_GPA,
				    MAP_RW));
	g_batch_add(v, BATCH_UNMAP, DOM, IOVA, n * PAGE, 0);
	ask(v);
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	EXPECT_TRUE(nothing_comes(v));
	EXPECT_EQ(1, held(self));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, 1));
}

static bool waits_once_more(SELF)
{
	if (!told(self, IOVA))
		return false;
	ask_unmap(self->v, IOVA);
	return log_polls(self, SOON) == POLLIN && nothing_comes(self->v);
}

/* Nobody is left who would acknowledge */
TEST_F(notify, let_go)
{
	struct vmm *v = self->v;
	struct vmm other;

	vmm_view(&other, v, 1);
	ASSERT_TRUE(ready(self));
	ASSERT_TRUE(told(self, IOVA + PAGE));
	ask_unmap(&other, IOVA + PAGE);
	ask_unmap(v, IOVA);
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, soft_notify(v, EP1, true));
	/* There is one left */
	ASSERT_EQ(0, soft_notify(v, EP0, false));
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP1));
	EXPECT_TRUE(comes(v, 1));
	EXPECT_TRUE(comes(&other, 1));
	EXPECT_EQ(0, log_polls(self, 0));

	ASSERT_EQ(0, soft_notify(v, EP0, true));
	ASSERT_TRUE(waits_once_more(self));
	ASSERT_EQ(0, soft_notify(v, EP0, false));
	EXPECT_TRUE(comes(v, 1));

	EXPECT_EQ(0, log_polls(self, 0));
}

/* The VMM may have followed the log before the last request was carried out */
TEST_F(notify, stop)
{
	struct vmm *v = self->v;

	ASSERT_TRUE(ready(self));
	ask_unmap(v, IOVA);
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(POLLIN, log_polls(self, 0));
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_EQ(0, log_polls(self, 0));
	/* It is in the ring before anything runs again */
	ASSERT_EQ(0, vq_wait(&v->vq[0], 1, 0));
	ASSERT_EQ(0, vmm_start(v));
	EXPECT_TRUE(comes(v, 1));

	/* Nobody has acknowledged, by the time that it runs again */
	ASSERT_TRUE(waits_once_more(self));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_start(v));
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, 1));
	EXPECT_EQ(2, held(self));
}

/*
 * A driver that puts an INVALIDATE in the place of an UNMAP which is half done, and one
 * more UNMAP behind it, while there is room for the reply to one of them
 */
TEST_F_TIMEOUT(notify, other_request_midway, 120)
{
	const unsigned int n = 4000, rounds = 12;
	struct vhost_vring_state state = { .index = 0 };
	const struct virtio_iommu_req_invalidate inv =
		inv_domain(DOM, VIRTIO_IOMMU_INV_C_TLB);
	const struct virtio_iommu_req_unmap unmap = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = htole32(DOM),
		.virt_start = htole64(IOVA + MIB(1)),
		.virt_end = htole64(IOVA + MIB(1) + n * PAGE - 1),
	};
	struct vmm *v = self->v;
	struct vq *q = &v->vq[0];
	unsigned int i, round;
	struct vmm_stats s;
	void *first;

	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, soft_notify(v, EP0, false));
		ASSERT_TRUE(ready(self));
		for (i = 1; i < MAX_HELD; i++)
			ASSERT_TRUE(told(self, IOVA + i * PAGE));
		for (i = 0; i < n; i++)
			ASSERT_ST(OK, g_map(v, DOM, IOVA + MIB(1) + i * PAGE,
					    IOVA + MIB(1) + i * PAGE + PAGE - 1,
					    RAM_GPA, MAP_RW));
		for (i = 0; i < MAX_HELD - 1; i++)
			ask_unmap(v, IOVA + i * PAGE);
		ASSERT_EQ(POLLIN, log_polls(self, SOON));
		EXPECT_TRUE(nothing_comes(v));
		first = ram_va(v, le64toh(q->desc[g_inv_add(v, inv)].addr));
		memcpy(first, &unmap, offsetof(struct virtio_iommu_req_unmap, tail));
		g_batch_add(v, BATCH_UNMAP, DOM, IOVA + (MAX_HELD - 1) * PAGE,
			    PAGE, 0);
		vq_publish(q);
		vq_kick(q);
		usleep(100 << round % 4);
		/* The queue is let go of for this, and the UNMAP begun anew after it */
		xioctl(v->fd, VHOST_GET_VRING_BASE, &state);
		memcpy(first, &inv, offsetof(struct virtio_iommu_req_invalidate,
					     tail));
		/* Until both have been carried out, the UNMAP with a reply too many */
		vq_wait(q, 2, NEVER);
		for (i = 0; i < 10 && soft_ack(v, head(self)) == 0 &&
		     vq_wait(q, MAX_HELD + 1, 200); i++)
			;
		ASSERT_EQ(0, vq_wait(q, MAX_HELD + 1, 0));
		for (i = 0; i < MAX_HELD + 1; i++)
			vq_pop(q);
		ASSERT_EQ(0, soft_notify(v, EP0, false));
		EXPECT_ST(OK, g_unmap(v, DOM, 0, ~0ULL));
		EXPECT_ST(OK, g_detach(v, DOM, EP0));
	}
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_LT(0, s.requests[VIRTIO_IOMMU_T_INVALIDATE]);
}

/* What waits is written into no ring that nobody has looked at */
TEST_F(notify, ring_of_a_stopped_device)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[0];
	struct vhost_vring_addr a = {
		.avail_user_addr = (uintptr_t)q->avail,
		.used_user_addr = (uintptr_t)q->used,
	};
	__u16 idx;

	ASSERT_TRUE(ready(self));
	ask_unmap(v, IOVA);
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	ASSERT_EQ(0, vmm_set_running(v, false));
	idx = LOAD(&q->used->idx);
	/* Not one that a device can be started with */
	ASSERT_EQ(0, xioctl(v->fd, VHOST_SET_VRING_ADDR, &a));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_EQ(idx, LOAD(&q->used->idx));
	a.desc_user_addr = (uintptr_t)q->desc;
	ASSERT_EQ(0, xioctl(v->fd, VHOST_SET_VRING_ADDR, &a));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_TRUE(comes(v, 1));
}

/* So large that the log has one entry for all of its members */
TEST_F(notify, large_group)
{
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 10; i < 40; i++)
		ASSERT_EQ(0, vmm_add_endpoint(v, EMU(i), NULL, 7, NULL, 0));
	ASSERT_EQ(0, soft_notify(v, EMU(39), true));
	ASSERT_LE(0, ask_move(v, VIRTIO_IOMMU_T_ATTACH, DOM, EMU(12)));
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	EXPECT_TRUE(nothing_comes(v));
	/* That one is the last */
	ASSERT_EQ(0, soft_ack(v, head(self) - 1));
	EXPECT_TRUE(nothing_comes(v));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, 1));
	for (i = 10; i < 40; i++)
		EXPECT_EQ(0, vmm_remove_endpoint(v, EMU(i)));
}

/* Another queue may have ended the domain, whose reply waits */
TEST_F(notify, domain_that_is_gone)
{
	struct vmm *v = self->v, other;
	int status;

	vmm_view(&other, v, 1);
	ASSERT_TRUE(ready(self));
	ASSERT_LE(0, ask_move(v, VIRTIO_IOMMU_T_DETACH, DOM, EP0));
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	ask_unmap(&other, IOVA);
	EXPECT_TRUE(nothing_comes(&other));
	ASSERT_EQ(0, soft_ack(v, head(self)));
	EXPECT_TRUE(comes(v, 1));
	ASSERT_EQ(0, g_batch_status(&other, 1, &status));
	EXPECT_EQ(NOENT, status);
}

/* The status waits for the guest's memory, and the reply for the VMM */
TEST_F(notify, reply_that_could_not_be_written)
{
	FIXTURE_DATA(notify) its = { .v = &its.e.v };
	const struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = htole32(DOM),
		.virt_start = htole64(IOVA),
		.virt_end = htole64(IOVA + PAGE - 1),
	};
	const __u32 len = offsetof(struct virtio_iommu_req_unmap, tail);
	struct seg late[] = { { 0, len }, { HOLD_GPA, 4, true } };
	char *page, zeroes[PAGE] = {};
	struct vmm *v = its.v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	unsigned int i;

	/* Acknowledged after the status is written, and before */
	for (i = 0; i < 2; i++) {
		struct hold h = { .uffd = -1 };

		vmm_init(v);
		v->config.flags = variant->flags;
		ASSERT_EQ(0, vmm_prepare(v, false));
		ASSERT_EQ(0, hold_open(&h, v, HOLD_GPA, PAGE));
		ASSERT_EQ(0, vmm_start(v));
		ASSERT_EQ(0, vmm_add_endpoint(v, EP0, NULL, -1, NULL, 0));
		its.log = soft_open_log(v, &its.len, &its.fd);
		ASSERT_NE(NULL, its.log);
		ASSERT_TRUE(ready(&its));
		memcpy(req_buf(v, sizeof(req), &late[0].gpa), &req, sizeof(req));
		vq_add(q, late, 2);
		ask(v);
		ASSERT_EQ(0, hold_wait(&h, &page, SOON));
		EXPECT_EQ(0, held(&its));
		if (i)
			ASSERT_EQ(0, soft_ack(v, head(&its)));
		ASSERT_EQ(0, hold_give(&h, page, zeroes));
		if (!i) {
			EXPECT_EQ(POLLIN, log_polls(&its, SOON));
			EXPECT_TRUE(nothing_comes(v));
			EXPECT_EQ(1, held(&its));
			ASSERT_EQ(0, soft_ack(v, head(&its)));
		}
		EXPECT_EQ(0, vq_wait(q, 1, REQ_TIMEOUT_MS));
		munmap(its.log, its.len);
		close(its.fd);
		hold_close(&h);
		vmm_close(v);
	}
}

TEST_F(notify, reset)
{
	struct vmm *v = self->v;

	ASSERT_TRUE(ready(self));
	ask_unmap(v, IOVA);
	ASSERT_EQ(POLLIN, log_polls(self, SOON));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	ASSERT_EQ(0, vmm_set_rings(v, 64));
	ASSERT_EQ(0, vmm_start(v));
	EXPECT_EQ(0, log_polls(self, 0));
	/* The endpoint notifies as before: its ATTACH would wait */
	ASSERT_EQ(0, soft_notify(v, EP0, false));
	EXPECT_TRUE(ready(self));
	EXPECT_TRUE(nothing_comes(v));
	EXPECT_TRUE(told(self, IOVA + PAGE));
}

TEST_F(notify, errors)
{
	struct vhost_iommu_set_notify a = { .size = sizeof(a) };
	struct vmm *v = self->v;
	struct vmm other;

	EXPECT_EQ(-ENOENT, soft_notify(v, EMU(7), true));
	EXPECT_EQ(-ENOENT, soft_notify(v, EMU(7), false));
	if (variant->kind != DEV_NONE)
		EXPECT_EQ(-EINVAL, soft_notify(v, EP(0), true));
	a.endpoint = EP0;
	a.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, xioctl(v->fd, VHOST_IOMMU_SET_NOTIFY, &a));
	a.flags = 0;
	a.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, xioctl(v->fd, VHOST_IOMMU_SET_NOTIFY, &a));
	EXPECT_EQ(-EINVAL, soft_ack(v, head(self) + 1));
	EXPECT_EQ(-EINVAL, soft_ack(v, ~0ULL));
	EXPECT_EQ(0, soft_ack(v, head(self)));
	EXPECT_EQ(0, soft_ack(v, 0));

	vmm_init(&other);
	ASSERT_EQ(0, vmm_prepare(&other, false));
	ASSERT_EQ(0, vmm_add_endpoint(&other, EP0, NULL, -1, NULL, 0));
	EXPECT_EQ(-ENXIO, soft_notify(&other, EP0, true));
	EXPECT_EQ(-ENXIO, soft_notify(&other, EP0, false));
	EXPECT_EQ(-ENXIO, soft_ack(&other, 0));
	vmm_close(&other);
}

/* The log outlives the device, and whoever polls for it learns that */
TEST_F(notify, closed)
{
	struct vmm *v = self->v;
	__u64 last;

	ASSERT_TRUE(ready(self));
	ask_unmap(v, IOVA);
	ASSERT_EQ(POLLIN, log_polls(self, SOON));
	last = head(self);
	vmm_close(v);
	EXPECT_EQ(POLLHUP, log_polls(self, SOON));
	EXPECT_EQ(last, head(self));
}

/* A VMM of its own */
static void dies(int up)
{
	FIXTURE_DATA(notify) its = { .v = &its.e.v };

	vmm_init(its.v);
	if (vmm_prepare(its.v, false) || vmm_start(its.v) ||
	    vmm_add_endpoint(its.v, EP0, NULL, -1, NULL, 0))
		_exit(1);
	its.log = soft_open_log(its.v, &its.len, &its.fd);
	if (!its.log || !ready(&its))
		_exit(1);
	ask_unmap(its.v, IOVA);
	if (log_polls(&its, SOON) != POLLIN || write(up, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F(notify, killed)
{
	int status, up[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(up));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		dies(up[1]);
	close(up[1]);
	EXPECT_EQ(1, read(up[0], &c, 1));
	close(up[0]);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

/* Another guest, whose VMM does not acknowledge */
struct flood {
	struct vmm *v;
	bool stop;
	unsigned long kicks;
};

static void *kicks(void *arg)
{
	struct flood *f = arg;

	for (; !LOAD(&f->stop); f->kicks++)
		vq_kick(&f->v->vq[f->v->ring]);
	return NULL;
}

TEST_F_TIMEOUT(notify, flood, 120)
{
	struct flood f = { .v = self->v };
	struct vmm other;
	unsigned int i;
	pthread_t t;

	vmm_init(&other);
	ASSERT_EQ(0, vmm_prepare(&other, false));
	ASSERT_EQ(0, vmm_start(&other));
	ASSERT_EQ(0, vmm_add_endpoint(&other, EP0, NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(&other, DOM, EP0));
	EXPECT_GT(TIMES_MAX, g_times(&other, "alone", DOM, IOVA, RAM_GPA));
	ASSERT_TRUE(ready(self));
	for (i = 1; i <= MAX_HELD; i++)
		ASSERT_TRUE(told(self, IOVA + i * PAGE));
	for (i = 0; i <= MAX_HELD; i++)
		ask_unmap(self->v, IOVA + i * PAGE);
	ASSERT_EQ(0, pthread_create(&t, NULL, kicks, &f));
	EXPECT_GT(TIMES_MAX, g_times(&other, "with a queue that is held up",
				     DOM, IOVA, RAM_GPA));
	STORE(&f.stop, true);
	pthread_join(t, NULL);
	EXPECT_LT(100, f.kicks);
	ASSERT_EQ(0, soft_ack(self->v, head(self)));
	EXPECT_TRUE(comes(self->v, MAX_HELD));
	EXPECT_EQ(POLLIN, log_polls(self, SOON));
	ASSERT_EQ(0, soft_ack(self->v, head(self)));
	EXPECT_TRUE(comes(self->v, 1));
	vmm_close(&other);
}

/* Acknowledges whatever there is, at any moment */
struct acks {
	struct vmm *v;
	const struct vhost_iommu_log *log;
	bool stop;
	unsigned int failed;
};

static void *acks(void *arg)
{
	struct acks *a = arg;

	while (!LOAD(&a->stop))
		a->failed += soft_ack(a->v, LOAD(&a->log->head)) != 0;
	return NULL;
}

TEST_F_TIMEOUT(notify, acks_at_any_moment, 120)
{
	struct acks a = { .v = self->v, .log = self->log };
	struct vmm *v = self->v;
	pthread_t t[2];
	unsigned int i;

	ASSERT_TRUE(ready(self));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, acks, &a));
	for (i = 0; i < 200; i++) {
		ask_unmap(v, IOVA);
		if (i % 2) {
			ASSERT_EQ(0, vmm_set_running(v, false));
			ASSERT_EQ(0, vmm_set_running(v, true));
		}
		EXPECT_TRUE(comes(v, 1));
		ASSERT_TRUE(told(self, IOVA));
		if (i % 20 != 19)
			continue;
		ask_unmap(v, IOVA);
		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(0, vmm_reset(v));
		ASSERT_EQ(0, vmm_set_rings(v, 64));
		ASSERT_EQ(0, vmm_start(v));
		ASSERT_ST(OK, g_attach(v, DOM, EP0));
		ASSERT_TRUE(told(self, IOVA));
	}
	STORE(&a.stop, true);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(t[i], NULL));
	EXPECT_EQ(0, a.failed);
}

/**
 * struct back_end - Somebody who keeps what the VMM has passed on
 * @c: The VMM's own answers
 * @fd: The log's file
 * @lock: What the VMM does is done by one thread at a time
 * @kept: Page that each IOVA stands for, or 0. The VMM tells it what, and what to forget.
 * @stop: The test is over
 * @forgotten: Number of times that the VMM has followed the log
 * @failed: It could not
 */
struct back_end {
	struct soft_cache c;
	int fd;
	pthread_mutex_t lock;
	__u64 kept[64];
	bool stop;
	__u64 forgotten;
	bool failed;
};

static void back_end_forgets(struct back_end *b, __u64 at, __u64 last)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->kept); i++)
		if (IOVA + i * PAGE <= last && IOVA + i * PAGE + PAGE - 1 >= at)
			STORE(&b->kept[i], 0);
}

/* The VMM's main loop */
static void *follows(void *arg)
{
	struct back_end *b = arg;
	struct pollfd p = { .fd = b->fd, .events = POLLIN };
	__u64 seed = 1;

	while (!LOAD(&b->stop)) {
		const struct vhost_iommu_log *log = b->c.log;
		__u64 at, to;

		if (poll(&p, 1, 100) <= 0)
			continue;
		/* It may have other things to do first */
		if (!(rand64(&seed) % 8))
			usleep(rand64(&seed) % 200);
		pthread_mutex_lock(&b->lock);
		at = b->c.seen;
		to = LOAD(&log->head);
		if (to - at >= log->nr / 2)
			back_end_forgets(b, 0, ~0ULL);
		for (; to - at < log->nr / 2 && at != to; at++)
			back_end_forgets(b, log->entries[at % log->nr].start,
					 log->entries[at % log->nr].last);
		soft_follow(&b->c, to);
		b->forgotten++;
		b->failed |= soft_ack(b->c.v, to) != 0;
		pthread_mutex_unlock(&b->lock);
	}
	return NULL;
}

/* What the back end has missed is asked for by the VMM, and passed on */
static __u64 back_end_looks(struct back_end *b, unsigned int i)
{
	struct vhost_iommu_translate t;
	__u64 iova = IOVA + i * PAGE;
	__u64 page = LOAD(&b->kept[i]);

	if (page)
		return page;
	pthread_mutex_lock(&b->lock);
	if (!vmm_translate(b->c.v, EP0, iova, R, &t) && t.out_access) {
		page = t.out_phys + iova - t.out_start;
		STORE(&b->kept[i], page);
	}
	pthread_mutex_unlock(&b->lock);
	return page;
}

/* No access of the back end to what was unmapped, after the reply */
TEST_F_TIMEOUT(notify, stale, 1800)
{
	const unsigned int n = long_tests() ? 250000 : 5000;
	unsigned int i, at, stale = 0, missed = 0;
	struct vmm *v = self->v;
	static struct back_end b;
	__u64 seed = 7, page;
	pthread_t t;

	memset(&b, 0, sizeof(b));
	b.fd = self->fd;
	pthread_mutex_init(&b.lock, NULL);
	ASSERT_EQ(0, soft_open(&b.c, v, EP0));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_EQ(0, soft_notify(v, EP0, true));
	ASSERT_EQ(0, pthread_create(&t, NULL, follows, &b));
	for (i = 0; i < n; i++) {
		at = rand64(&seed) % ARRAY_SIZE(b.kept);
		page = RAM_GPA + (i % 256) * PAGE;
		if (g_map(v, DOM, IOVA + at * PAGE, IOVA + at * PAGE + PAGE - 1,
			  page, MAP_RW) != OK)
			break;
		missed += back_end_looks(&b, at) != page;
		missed += back_end_looks(&b, at) != page;
		if (g_unmap(v, DOM, IOVA + at * PAGE,
			    IOVA + at * PAGE + PAGE - 1) != OK)
			break;
		stale += LOAD(&b.kept[at]) != 0;
	}
	STORE(&b.stop, true);
	pthread_join(t, NULL);
	EXPECT_EQ(n, i);
	EXPECT_EQ(0, stale);
	EXPECT_EQ(0, missed);
	EXPECT_FALSE(b.failed);
	EXPECT_LT(n / 2, b.forgotten);
	EXPECT_LE(n, held(self));
	soft_close(&b.c);
}

SUITE;
