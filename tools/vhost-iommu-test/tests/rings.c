// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring: bad descriptors, bad indexes, notifications, batches, wrap-around.
 */
#include <poll.h>

#include "suite.h"

#define DOM	1

FIXTURE(ring)
{
	struct env e;
	struct vmm *v;
	struct vq *q;
};

FIXTURE_SETUP(ring)
{
	self->v = &self->e.v;
	self->q = &self->v->vq[VHOST_IOMMU_VQ_REQUEST];
	env_init(&self->e, DEV_NONE);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(ring)
{
	env_down(&self->e);
}

static __u64 ring_errors(struct vmm *v)
{
	struct vmm_stats s;

	return vmm_stats(v, &s) ? ~0ULL : s.ring_errors;
}

static struct seg seg(__u64 gpa, __u32 len, bool write)
{
	return (struct seg){ .gpa = gpa, .len = len, .write = write };
}

static int works(struct vmm *v)
{
	int rc = g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW);

	return rc ? rc : g_unmap(v, DOM, IOVA, IOVA + PAGE - 1);
}

/*
 * Publish what is a bad chain: the head has to come back with length 0, the
 * error is counted and signalled, and the ring goes on.
 */
static int bad_chain(struct vmm *v, __u16 head)
{
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	__u64 before = ring_errors(v);
	struct vring_used_elem u;
	int rc;

	eventfd_take(q->err);
	vq_publish(q);
	vq_kick(q);
	rc = vq_wait(q, 1, REQ_TIMEOUT_MS);
	if (rc)
		return rc;
	u = vq_pop(q);
	if (u.id != head)
		return -EPROTO;
	if (u.len)
		return -EMSGSIZE;
	if (ring_errors(v) != before + 1)
		return -ENOMSG;
	if (!eventfd_wait(q->err, 1000))
		return -ENODATA;
	return works(v);
}

TEST_F(ring, chain_loops)
{
	struct seg s[2] = { seg(RAM_GPA, 4, false), seg(RAM_GPA, 4, true) };
	__u16 head = vq_add(self->q, s, 2);

	self->q->desc[head + 1].flags = htole16(VRING_DESC_F_NEXT |
						VRING_DESC_F_WRITE);
	self->q->desc[head + 1].next = htole16(head);
	EXPECT_EQ(0, bad_chain(self->v, head));
}

TEST_F(ring, chain_is_its_own_next)
{
	struct seg s = seg(RAM_GPA, 4, true);
	__u16 head = vq_add(self->q, &s, 1);

	self->q->desc[head].flags = htole16(VRING_DESC_F_NEXT |
					    VRING_DESC_F_WRITE);
	self->q->desc[head].next = htole16(head);
	EXPECT_EQ(0, bad_chain(self->v, head));
}

TEST_F(ring, next_outside_the_table)
{
	struct seg s = seg(RAM_GPA, 4, false);
	static const __u16 bad[] = { 256, 257, 0x8000, 0xffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		__u16 head = vq_add(self->q, &s, 1);

		self->q->desc[head].flags = htole16(VRING_DESC_F_NEXT);
		self->q->desc[head].next = htole16(bad[i]);
		EXPECT_EQ(0, bad_chain(self->v, head));
	}
}

TEST_F(ring, descriptor_outside_memory)
{
	static const struct {
		__u64 gpa;
		__u32 len;
	} bad[] = {
		{ NOT_RAM_GPA, 4 },
		{ 0, 4 },
		{ ~0ULL, 1 },
		{ ~0ULL, 64 },
		{ ~0ULL - 3, 4 },
		{ RAM_GPA + RAM_SIZE - 2, 4 },
		{ RAM_GPA - 2, 4 },
		{ RAM_GPA, ~0u },
		{ LOW_GPA + LOW_SIZE, 4 },
	};
	unsigned int i, dir;
	__u16 head;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (dir = 0; dir < 2; dir++) {
			struct seg s[2] = {
				seg(RAM_GPA, 40, false),
				seg(RAM_GPA + PAGE, 4, true),
			};

			s[dir].gpa = bad[i].gpa;
			s[dir].len = bad[i].len;
			head = vq_add(self->q, s, 2);
			EXPECT_EQ(0, bad_chain(self->v, head))
				TH_LOG("0x%llx + 0x%x, direction %u",
				       bad[i].gpa, bad[i].len, dir);
		}
}

TEST_F(ring, writable_before_readable)
{
	struct seg s[2] = {
		seg(RAM_GPA, 4, true), seg(RAM_GPA + PAGE, 36, false),
	};
	__u16 head = vq_add(self->q, s, 2);

	EXPECT_EQ(0, bad_chain(self->v, head));
}

TEST_F(ring, indirect_is_bad)
{
	struct seg s = seg(RAM_GPA, 4, false);
	struct vring_desc *d;
	__u64 gpa;
	void *table = req_buf(self->v, 64, &gpa);
	__u16 head;

#define TRY(what) do {							\
	head = vq_add_indirect(self->q, &s, 1, table, gpa);		\
	d = &self->q->desc[head];					\
	what;								\
	EXPECT_EQ(0, bad_chain(self->v, head))				\
		TH_LOG("%s", #what);					\
} while (0)
	TRY(d->addr = htole64(NOT_RAM_GPA));
	TRY(d->addr = htole64(~0ULL - 15));
	TRY(d->len = htole32(15));
	TRY(d->len = htole32(17));
	TRY(d->len = htole32(~0u));
	TRY(d->len = htole32(0x100000 * 16));
	TRY(((struct vring_desc *)table)->flags =
	    htole16(VRING_DESC_F_INDIRECT));
	TRY(((struct vring_desc *)table)->flags = htole16(VRING_DESC_F_NEXT);
	    ((struct vring_desc *)table)->next = htole16(0));
	TRY(((struct vring_desc *)table)->flags = htole16(VRING_DESC_F_NEXT);
	    ((struct vring_desc *)table)->next = htole16(7));
#undef TRY
}

/* Nothing at all in the buffer isn't a ring error; it has no head, though */
TEST_F(ring, empty_descriptors)
{
	struct seg s[3] = {
		seg(RAM_GPA, 0, false), seg(RAM_GPA, 0, false),
		seg(RAM_GPA, 0, true),
	};
	struct vring_used_elem u;
	__u16 head = vq_add(self->q, s, 3);

	vq_publish(self->q);
	vq_kick(self->q);
	ASSERT_EQ(0, vq_wait(self->q, 1, REQ_TIMEOUT_MS));
	u = vq_pop(self->q);
	EXPECT_EQ(head, u.id);
	EXPECT_EQ(0, u.len);
	EXPECT_ST(OK, works(self->v));
}

static void to_guest(struct vmm *v, __u64 gpa, const void *from, size_t len)
{
	const __u8 *byte = from;

	for (; len; len--)
		*(__u8 *)ram_va(v, gpa++) = *byte++;
}

/*
 * A MAP whose parts are where they are said to be, the descriptors in an indirect @table
 * if that is not 0. Returns the status, or an errno if the reply is not what it should.
 */
static int map_at(struct vmm *v, __u64 out, __u64 in, __u64 table)
{
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	struct virtio_iommu_req_map map = {
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = htole32(DOM),
		.virt_start = htole64(IOVA),
		.virt_end = htole64(IOVA + PAGE - 1),
		.phys_start = htole64(RAM_GPA),
		.flags = htole32(MAP_RW),
	};
	const size_t len = offsetof(struct virtio_iommu_req_map, tail);
	struct seg s[2] = { seg(out, len, false), seg(in, 4, true) };
	struct vring_desc desc[2];
	unsigned int i;
	int rc;

	to_guest(v, out, &map, len);
	to_guest(v, in, "\xff\xff\xff\xff", 4);
	if (table) {
		vq_add_indirect(q, s, 2, desc, table);
		to_guest(v, table, desc, sizeof(desc));
	} else {
		vq_add(q, s, 2);
	}
	vq_publish(q);
	vq_kick(q);
	rc = vq_wait(q, 1, REQ_TIMEOUT_MS);
	if (rc)
		return rc;
	if (vq_pop(q).len != 4)
		return -EMSGSIZE;
	for (i = 1; i < 4; i++)
		if (*(__u8 *)ram_va(v, in + i))
			return -EPROTO;
	return *(__u8 *)ram_va(v, in);
}

/* Memory that is in one piece for the guest only: cut each part anywhere */
TEST_F(ring, parts_in_two_regions)
{
	__u64 end = RAM_GPA + RAM_SIZE, at = RAM_GPA + PAGE;
	struct vmm *v = self->v;
	unsigned int cut;

	ASSERT_EQ(0, vmm_add_ram(v, end, MIB(2)));
	ASSERT_EQ(0, vmm_set_mem_table(v));
	for (cut = 1; cut < 36; cut++) {
		EXPECT_ST(OK, map_at(v, end - cut, at, 0));
		EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	}
	for (cut = 1; cut < 4; cut++) {
		EXPECT_ST(OK, map_at(v, at, end - cut, 0));
		EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	}
	for (cut = 1; cut < 2 * sizeof(struct vring_desc); cut++) {
		EXPECT_ST(OK, map_at(v, at, at + 64, end - cut));
		EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	}
	EXPECT_EQ(0, ring_errors(v));
}

/* A head that isn't one: the ring stops, and can be started again */
TEST_F(ring, head_outside_the_table)
{
	struct vhost_vring_state s = { .index = VHOST_IOMMU_VQ_REQUEST };
	struct vq *q = self->q;
	__u64 errors = ring_errors(self->v);

	vq_push_head(q, 256);
	vq_publish(q);
	vq_kick(q);
	EXPECT_TRUE(eventfd_wait(q->err, 5000));
	EXPECT_EQ(errors + 1, ring_errors(self->v));
	/* Nothing comes back, and further requests are not looked at */
	EXPECT_EQ(-ETIMEDOUT, vq_wait(q, 1, 200));
	vq_kick(q);
	EXPECT_EQ(-ETIMEDOUT, vq_wait(q, 1, 200));

	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, xioctl(self->v->fd, VHOST_GET_VRING_BASE, &s));
	EXPECT_EQ((__u16)(q->avail_idx - 1), s.num);
	ASSERT_EQ(0, vmm_set_rings(self->v, 256));
	ASSERT_EQ(0, vmm_start(self->v));
	EXPECT_ST(OK, works(self->v));
}

TEST_F(ring, too_many_available)
{
	struct vq *q = self->q;

	q->avail_idx += 257;
	vq_publish(q);
	vq_kick(q);
	EXPECT_TRUE(eventfd_wait(q->err, 5000));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_set_rings(self->v, 256));
	ASSERT_EQ(0, vmm_start(self->v));
	EXPECT_ST(OK, works(self->v));
}

/* The VMM takes the ring's memory away, and brings it back */
TEST_F(ring, memory_goes)
{
	struct ram *r = &self->v->ram[0];
	struct vq *q = self->q;
	char *page = (char *)((uintptr_t)q->avail & ~(uintptr_t)(PAGE - 1));

	ASSERT_EQ(0, munmap(page, PAGE));
	vq_kick(q);
	EXPECT_TRUE(eventfd_wait(q->err, 5000));
	EXPECT_GE(ring_errors(self->v), 1);
	ASSERT_EQ(page, mmap(page, PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, r->memfd,
			     page - (char *)r->va));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_set_rings(self->v, 256));
	ASSERT_EQ(0, vmm_start(self->v));
	EXPECT_ST(OK, works(self->v));
}

TEST_F(ring, kick_without_requests)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		vq_kick(self->q);
	sleep_ms(20);
	EXPECT_EQ(0, ring_errors(self->v));
	EXPECT_ST(OK, works(self->v));
}

TEST_F(ring, in_order)
{
	struct vq *q = self->q;
	__u16 heads[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(heads); i++)
		heads[i] = g_batch_add(self->v, BATCH_MAP, DOM, IOVA + i * PAGE,
				       PAGE, RAM_GPA);
	vq_publish(q);
	vq_kick(q);
	ASSERT_EQ(0, vq_wait(q, i, REQ_TIMEOUT_MS));
	for (i = 0; i < ARRAY_SIZE(heads); i++)
		EXPECT_EQ(heads[i], vq_pop(q).id);
}

/*
 * What is in the ring together is published together, 126 at a time, or as many as
 * some milliseconds are enough for
 */
TEST_F(ring, batches)
{
	struct vmm_stats a, b;
	unsigned int i;

	ASSERT_EQ(0, vmm_stats(self->v, &a));
	for (i = 0; i < 128; i++)
		g_batch_add(self->v, BATCH_MAP, DOM, IOVA + i * PAGE, PAGE,
			    RAM_GPA);
	ASSERT_ST(OK, g_batch_run(self->v, 128));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_stats(self->v, &b));
	EXPECT_EQ(128, b.requests[VIRTIO_IOMMU_T_MAP] -
		       a.requests[VIRTIO_IOMMU_T_MAP]);
	EXPECT_EQ(128, b.mappings);
	EXPECT_GE(b.batches - a.batches, 2);
	EXPECT_LE(b.batches - a.batches, 8);
}

TEST_F(ring, statistics)
{
	struct vmm_stats a, b;

	ASSERT_EQ(0, vmm_stats(self->v, &a));
	EXPECT_ST(OK, works(self->v));
	EXPECT_ST(NOENT, g_unmap(self->v, DOM + 1, 0, PAGE - 1));
	EXPECT_ST(RANGE, g_map(self->v, DOM, 1, PAGE, RAM_GPA, MAP_R));
	EXPECT_ST(INVAL, g_detach(self->v, DOM + 1, EP(0)));
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_stats(self->v, &b));
#define MORE(n, f) EXPECT_EQ(n, b.f - (a).f)
	MORE(2, requests[VIRTIO_IOMMU_T_MAP]);
	MORE(2, requests[VIRTIO_IOMMU_T_UNMAP]);
	MORE(2, requests[VIRTIO_IOMMU_T_DETACH]);
	MORE(0, requests[VIRTIO_IOMMU_T_PROBE]);
	MORE(3, replies[OK]);
	MORE(1, replies[NOENT]);
	MORE(1, replies[RANGE]);
	MORE(1, replies[INVAL]);
	MORE(0, no_status);
	MORE(6, batches);
#undef MORE
	EXPECT_EQ(0, b.ring_errors);
	EXPECT_EQ(0, b.host_errors);
}

/* The index runs through its 16 bits more than once */
TEST_F_TIMEOUT(ring, index_wraps, 240)
{
	unsigned int n, i, rounds = long_tests() ? 2200 : 1100;

	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_set_rings(self->v, 128));
	ASSERT_EQ(0, vmm_start(self->v));
	for (n = 0; n < rounds; n++) {
		for (i = 0; i < 64; i++)
			g_batch_add(self->v, n & 1 ? BATCH_UNMAP : BATCH_MAP,
				    DOM, IOVA + i * PAGE, PAGE, RAM_GPA);
		ASSERT_ST(OK, g_batch_run(self->v, 64));
	}
	EXPECT_GT(n * 64, 65536);
	EXPECT_EQ(0, ring_errors(self->v));
}

TEST_F(ring, smallest_ring)
{
	unsigned int i;

	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_set_rings(self->v, 2));
	ASSERT_EQ(0, vmm_start(self->v));
	for (i = 0; i < 20; i++)
		EXPECT_ST(OK, works(self->v));
}

TEST_F(ring, interrupt)
{
	struct vq *q = self->q;

	eventfd_take(q->call);
	EXPECT_ST(OK, works(self->v));
	EXPECT_TRUE(eventfd_wait(q->call, 5000));
	sleep_ms(20);
	eventfd_take(q->call);
	q->avail->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	EXPECT_ST(OK, works(self->v));
	EXPECT_FALSE(eventfd_wait(q->call, 100));
}

/* With event indexes, both sides say when they want to be told */
TEST_F(ring, event_index)
{
	struct vq *q = self->q;
	__u16 *used_event;
	unsigned int i;

	ASSERT_EQ(0, vmm_set_running(self->v, false));
	self->v->features |= FEATURE(VIRTIO_RING_F_EVENT_IDX);
	ASSERT_EQ(0, vmm_set_features(self->v));
	ASSERT_EQ(0, vmm_set_rings(self->v, 256));
	ASSERT_EQ(0, vmm_start(self->v));
	used_event = &q->avail->ring[q->num];
	/* Many requests: none is lost between two kicks that weren't needed */
	for (i = 0; i < 1000; i++)
		ASSERT_ST(OK, works(self->v));
	STORE(used_event, htole16(q->used_idx + 3));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	sleep_ms(20);
	eventfd_take(q->call);
	EXPECT_ST(OK, works(self->v));
	EXPECT_FALSE(eventfd_wait(q->call, 100));
	EXPECT_ST(OK, works(self->v));
	EXPECT_TRUE(eventfd_wait(q->call, 5000));
}

/* A request that a busy worker finds needs no kick */
TEST_F(ring, busy_polling)
{
	struct vhost_vring_state s = {
		.index = VHOST_IOMMU_VQ_REQUEST, .num = 200000,
	};
	/* With one CPU, it gives way to us at once */
	bool alone = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	__u64 end = now_ns() + 20000000000ULL;
	struct vmm_stats a, b;
	unsigned int i;
	int rc;

	ASSERT_EQ(0, xioctl(self->v->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
			    &s));
	ASSERT_EQ(0, vmm_stats(self->v, &a));
	b = a;
	/* As a driver does it; a worker that comes late once polls later */
	for (i = 0; i < 200 || (!alone && b.poll_hits == a.poll_hits &&
				now_ns() < end); i++) {
		__u16 old = self->q->published;

		g_batch_add(self->v, i & 1 ? BATCH_UNMAP : BATCH_MAP, DOM,
			    IOVA, PAGE, RAM_GPA);
		vq_publish(self->q);
		/* The device looks once more after it asked for kicks */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (vq_wants_kick(self->q, old))
			vq_kick(self->q);
		rc = vq_wait(self->q, 1, REQ_TIMEOUT_MS);
		ASSERT_EQ(0, rc);
		vq_pop(self->q);
		if (!(i % 64))
			ASSERT_EQ(0, vmm_stats(self->v, &b));
	}
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	ASSERT_EQ(0, vmm_stats(self->v, &b));
	if (!alone)
		EXPECT_GE(b.poll_hits - a.poll_hits, 1);
	EXPECT_LE(b.poll_hits - a.poll_hits, i);
}

/* A ring that is full all the time does not take the worker from another */
TEST_F_TIMEOUT(ring, flood_does_not_starve, 60)
{
	struct vmm_stats sa, sb;
	struct env other;
	__u64 end, start, worst = 0;
	unsigned int i;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		env_init(&other, DEV_NONE);
		if (env_up(&other, 1) || g_attach(&other.v, DOM, EP(0)))
			_exit(1);
		end = now_ns() + 3000000000ULL;
		while (now_ns() < end) {
			for (i = 0; i < 100; i++)
				g_batch_add(&other.v, BATCH_UNMAP, DOM,
					    IOVA + i * PAGE, PAGE, 0);
			if (g_batch_run(&other.v, 100))
				_exit(2);
		}
		_exit(0);
	}
	sleep_ms(300);
	ASSERT_EQ(0, vmm_stats(self->v, &sa));
	for (i = 0; i < 50; i++) {
		start = now_ns();
		ASSERT_ST(OK, works(self->v));
		if (now_ns() - start > worst)
			worst = now_ns() - start;
	}
	ASSERT_EQ(0, vmm_stats(self->v, &sb));
	TH_LOG("slowest MAP and UNMAP beside the flood: %llu us",
	       worst / 1000);
	EXPECT_LT(worst, 2000000000ULL);
	ASSERT_EQ(pid, waitpid(pid, (int *)&i, 0));
	EXPECT_EQ(0, i);
}

/* Two rings' worth of requests in one process: each fd has its own worker */
TEST_F(ring, two_devices)
{
	struct env other;
	unsigned int i;

	env_init(&other, DEV_NONE);
	ASSERT_EQ(0, env_up(&other, 1));
	EXPECT_ST(NOENT, g_map(&other.v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	ASSERT_ST(OK, g_attach(&other.v, DOM, EP(0)));
	for (i = 0; i < 20; i++) {
		EXPECT_ST(OK, g_map(&other.v, DOM, IOVA + i * PAGE,
				    IOVA + (i + 1) * PAGE - 1, RAM_GPA,
				    MAP_RW));
		EXPECT_ST(OK, works(self->v));
	}
	env_down(&other);
	EXPECT_ST(OK, works(self->v));
}

SUITE;
