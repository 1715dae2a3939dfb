// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults: what the guest's tables refuse, the guest is told, once and in full;
 * what is the host's, it is not. None gets lost without being counted, and none
 * keeps the worker busy.
 */
#include "suite.h"
#include "table.h"

#define DOM	1
#define ASID	7
/* What edu moves at a time: longer transfers are several, and several faults */
#define LEN	4
#define GOOD	IOVA
#define RDONLY	(IOVA + PAGE)
#define DATA_GPA	(RAM_GPA + MIB(2))
/* An address that nothing is mapped at, by number */
#define BAD(i)	(MIB(96) + (i) * MIB(1) + 0x40)
/* How long to wait for what has to come, and for what must not */
#define SOON	3000
#define NEVER	150
/* Events that the host keeps */
#define DEPTH	8

#define F_READ	VIRTIO_IOMMU_FAULT_F_READ
#define F_WRITE	VIRTIO_IOMMU_FAULT_F_WRITE
#define F_ADDR	VIRTIO_IOMMU_FAULT_F_ADDRESS

FIXTURE(faults)
{
	struct env e;
	struct vmm *v;
	struct dma_dev *d;
	struct s1 s;
};

KIND_VARIANTS(faults);
KIND_MOCK(faults);
KIND_EDU(faults);

#define SELF	FIXTURE_DATA(faults) *self

FIXTURE_SETUP(faults)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	self->v->depth = DEPTH;
	ENV_UP(&self->e, env_up(&self->e, 2));
	self->d = self->e.dev[0];
	s1_usual(&self->s, self->v, 0, ASID);
	s1_map(&self->s, GOOD, DATA_GPA, PAGE, MAP_RW);
	s1_map(&self->s, RDONLY, DATA_GPA, PAGE, MAP_R);
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
}

FIXTURE_TEARDOWN(faults)
{
	env_down(&self->e);
}

static struct vmm_stats stats(SELF)
{
	struct vmm_stats s;

	vmm_stats(self->v, &s);
	return s;
}

/* The next event is this, and complete */
static bool event_is(SELF, unsigned int ep, __u8 reason, __u32 flags,
		     __u64 address)
{
	struct virtio_iommu_fault_pasid f;
	int rc = g_event(self->v, &f, SOON);

	if (rc) {
		ksft_print_msg("no event: %s\n", strerror(-rc));
		return false;
	}
	if (f.reason == reason && le32toh(f.flags) == flags &&
	    le32toh(f.endpoint) == EP(ep) && le64toh(f.address) == address &&
	    !f.pasid && !f.reserved[0] && !f.reserved[1] && !f.reserved[2])
		return true;
	ksft_print_msg("reason %u, flags 0x%x, endpoint 0x%x, pasid %u, address 0x%llx\n",
		       f.reason, le32toh(f.flags), le32toh(f.endpoint),
		       le32toh(f.pasid), (__u64)le64toh(f.address));
	return false;
}

static bool no_event(SELF)
{
	struct virtio_iommu_fault_pasid f;

	return g_event(self->v, &f, NEVER) == -ETIMEDOUT;
}

/* Waits until the events that the guest has no buffer for are in the host */
static void let_events_come(SELF, unsigned int n)
{
	if (self->d->kind != DEV_MOCK)
		sleep_ms(50 + 5 * n);
}

TEST_F(faults, not_mapped)
{
	g_events_post(self->v, 8);
	ASSERT_EQ(0, dev_store(self->d, BAD(0), LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(0)));
	ASSERT_EQ(0, dev_load(self->d, BAD(1), LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_READ | F_ADDR, BAD(1)));
	EXPECT_TRUE(no_event(self));
	/* What is allowed is no fault */
	ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
	ASSERT_EQ(0, dev_load(self->d, RDONLY, LEN));
	EXPECT_TRUE(no_event(self));
	EXPECT_EQ(2, stats(self).events);
	EXPECT_EQ(0, stats(self).events_dropped);
	EXPECT_EQ(0, stats(self).events_lost);
	/* The guest was told that there is something */
	EXPECT_NE(0, eventfd_take(self->v->vq[VHOST_IOMMU_VQ_EVENT].call));
}

TEST_F(faults, not_permitted)
{
	__u64 *e = s1_entry(&self->s, GOOD, 3, false);

	g_events_post(self->v, 8);
	ASSERT_EQ(0, dev_store(self->d, RDONLY + 0x124, LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, RDONLY + 0x124));
	/* Access flag */
	*e &= htole64(~PTE_AF);
	ASSERT_EQ(0, dev_load(self->d, GOOD, LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_READ | F_ADDR, GOOD));
	/* A guest-physical address that is larger than there are */
	STORE(e, htole64(s1_leaf(&self->s, 3, 1ULL << 47, MAP_RW)));
	ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, GOOD));
	EXPECT_TRUE(no_event(self));
}

/* No table to speak of */
TEST_F(faults, bad_context_descriptor)
{
	struct vmm *v = self->v;

	g_events_post(v, 8);
	s1_write_cd(&self->s, s1_cd0(&self->s) & ~CD0_V);
	ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_UNKNOWN, 0, 0));
	/* QEMU's SMMU does not know stalls, and calls this a bad STE */
	if (self->d->kind == DEV_EDU) {
		ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), s1_ste0(&self->s),
					     STE1_USUAL | STE1_S1STALLD));
		ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
		EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_DOMAIN, 0,
				     0));
	}
	EXPECT_TRUE(no_event(self));
}

/* A context descriptor that asks for no records gets none */
TEST_F(faults, not_recorded)
{
	g_events_post(self->v, 8);
	s1_write_cd(&self->s, s1_cd0(&self->s) & ~CD0_R);
	ASSERT_ST(OK, g_inv(self->v, inv_domain(DOM, 3)));
	ASSERT_EQ(0, dev_store(self->d, BAD(0), LEN));
	EXPECT_TRUE(no_event(self));
}

TEST_F(faults, which_endpoint)
{
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(1), &self->s));
	g_events_post(self->v, 8);
	ASSERT_EQ(0, dev_store(self->e.dev[1], BAD(0), LEN));
	EXPECT_TRUE(event_is(self, 1, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(0)));
	ASSERT_EQ(0, dev_store(self->e.dev[0], BAD(1), LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(1)));
}

/* Stage 2 is the host's, and so are the faults of domains without tables */
TEST_F(faults, not_the_guests)
{
	struct vmm *v = self->v;

	g_events_post(v, 8);
	s1_map(&self->s, GOOD + MIB(1), NOT_RAM_GPA, PAGE, MAP_RW);
	ASSERT_EQ(0, dev_store(self->d, GOOD + MIB(1), LEN));
	EXPECT_TRUE(no_event(self));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0),
				     STE0_V | STE0_CFG_S1 | NOT_RAM_GPA,
				     STE1_USUAL));
	ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
	EXPECT_TRUE(no_event(self));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_BYPASS, 0));
	ASSERT_EQ(0, dev_store(self->d, NOT_RAM_GPA & 0xfffffff, LEN));
	EXPECT_TRUE(no_event(self));
	ASSERT_ST(OK, g_attach_table(v, DOM, EP(0), STE0_ABORT, 0));
	ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
	EXPECT_TRUE(no_event(self));
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
	EXPECT_TRUE(no_event(self));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_EQ(0, dev_store(self->d, GOOD, LEN));
	EXPECT_TRUE(no_event(self));
	EXPECT_EQ(0, stats(self).events);
	EXPECT_EQ(0, stats(self).events_dropped);
}

/* Without buffers they wait, in the order in which they came */
TEST_F(faults, no_buffers)
{
	__u64 before, cpu, wall;
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, dev_store(self->d, BAD(i), LEN));
	let_events_come(self, 5);
	EXPECT_EQ(0, stats(self).events);
	/* The worker has nothing to do, and does nothing */
	before = thread_ns(vmm_worker_tid());
	wall = now_ns();
	sleep_ms(1000);
	cpu = thread_ns(vmm_worker_tid()) - before;
	wall = now_ns() - wall;
	EXPECT_LT(cpu, wall / 50)
		TH_LOG("%llu ms of %llu", cpu / 1000000, wall / 1000000);
	/* Nor does it between requests */
	EXPECT_ST(OK, g_inv(self->v, inv_domain(DOM, 3)));
	/* One, and then the rest */
	g_events_post(self->v, 1);
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(0)));
	EXPECT_TRUE(no_event(self));
	g_events_post(self->v, 10);
	for (i = 1; i < 5; i++) {
		EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
				     F_WRITE | F_ADDR, BAD(i)));
	}
	EXPECT_EQ(5, stats(self).events);
	EXPECT_EQ(0, stats(self).events_lost);
	EXPECT_EQ(0, stats(self).events_dropped);
	/* And those that come now come at once */
	ASSERT_EQ(0, dev_store(self->d, BAD(7), LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(7)));
}

/* More than the host keeps: the guest does not get them, but they are counted */
TEST_F(faults, lost)
{
	struct virtio_iommu_fault_pasid f;
	unsigned int i, got = 0, total = 0, round;
	__u64 last;

	for (round = 0; round < 2; round++) {
		last = 0;
		for (i = 0; i < DEPTH + 6; i++)
			ASSERT_EQ(0, dev_store(self->d, BAD(i), LEN));
		total += i;
		let_events_come(self, i);
		EXPECT_EQ(got, stats(self).events);
		g_events_post(self->v, 2 * DEPTH);
		for (i = 0; !g_event(self->v, &f, 500); i++) {
			EXPECT_GT(le64toh(f.address), last);
			last = le64toh(f.address);
			got++;
		}
		EXPECT_GE(i, DEPTH);
		EXPECT_EQ(total, got + stats(self).events_lost);
		EXPECT_EQ(got, stats(self).events);
		/* Use up the buffers that are left, so that none is there */
		for (; i < 2 * DEPTH; i++) {
			ASSERT_EQ(0, dev_store(self->d, BAD(40), LEN));
			ASSERT_EQ(0, g_event(self->v, &f, SOON));
			total++;
			got++;
		}
	}
	EXPECT_EQ(total, got + stats(self).events_lost);
	EXPECT_GE(stats(self).events_lost, 8);
	EXPECT_EQ(0, stats(self).events_dropped);
}

TEST_F(faults, stopped)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, dev_store(self->d, BAD(0), LEN));
	ASSERT_EQ(0, dev_store(self->d, BAD(1), LEN));
	let_events_come(self, 2);
	g_events_post(v, 4);
	EXPECT_TRUE(no_event(self));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(0)));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(1)));
	EXPECT_TRUE(no_event(self));
}

/* What happened before a reset is of no concern afterwards */
TEST_F(faults, reset)
{
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, dev_store(self->d, BAD(i), LEN));
	let_events_come(self, 3);
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	EXPECT_EQ(3, stats(self).events_dropped);
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	ASSERT_EQ(0, vmm_start(v));
	g_events_post(v, 4);
	EXPECT_TRUE(no_event(self));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	ASSERT_EQ(0, dev_store(self->d, BAD(5), LEN));
	EXPECT_TRUE(event_is(self, 0, VIRTIO_IOMMU_FAULT_R_MAPPING,
			     F_WRITE | F_ADDR, BAD(5)));
	EXPECT_EQ(0, stats(self).events_lost);
}

/* An endpoint that is gone, with events that are still here */
TEST_F(faults, endpoint_removed)
{
	struct vmm *v = self->v;
	unsigned int i;

	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(1), &self->s));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, dev_store(self->d, BAD(i), LEN));
	ASSERT_EQ(0, dev_store(self->e.dev[1], BAD(4), LEN));
	let_events_come(self, 5);
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	g_events_post(v, 8);
	/* The first may have been read already; the others are nobody's */
	for (i = 0; i < 4; i++) {
		struct virtio_iommu_fault_pasid f;

		ASSERT_EQ(0, g_event(v, &f, SOON));
		if (le32toh(f.endpoint) == EP(1))
			break;
		EXPECT_EQ(0, i);
	}
	EXPECT_TRUE(no_event(self));
	EXPECT_EQ(5, stats(self).events + stats(self).events_dropped);
	EXPECT_EQ(0, stats(self).events_lost);
}

TEST_F(faults, viommu_removed)
{
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, dev_store(self->d, BAD(i), LEN));
	let_events_come(self, 4);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vmm_remove_endpoint(v, EP(i)));
	EXPECT_EQ(0, vmm_remove_viommu(v));
	g_events_post(v, 4);
	EXPECT_TRUE(no_event(self));
	/* The queue is the VMM's again, and it can come back */
	EXPECT_EQ(0, vmm_add_viommu(v, v->nest.event_fd));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	ASSERT_EQ(0, dev_store(self->d, BAD(9), LEN));
	for (i = 0; i < 4; i++) {
		struct virtio_iommu_fault_pasid f;

		ASSERT_EQ(0, g_event(v, &f, SOON));
		if (le64toh(f.address) == BAD(9))
			break;
	}
	EXPECT_LT(i, 4);
}

/* Closed with events in all places, and with more to come */
TEST_F(faults, closed)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, dev_store(self->d, BAD(i), LEN));
	close(self->v->fd);
	self->v->fd = -1;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, dev_store(self->d, BAD(i), LEN));
}

/* A VMM that reads the events itself, or does not care */
TEST_F(faults, without_a_queue)
{
	struct iommufd_vevent_header h[16];
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vmm_remove_endpoint(v, EP(i)));
	ASSERT_EQ(0, vmm_remove_viommu(v));
	ASSERT_EQ(0, vmm_add_viommu(v, -1));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->d, -1, NULL, 0));
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &self->s));
	g_events_post(v, 4);
	ASSERT_EQ(0, dev_store(self->d, BAD(0), LEN));
	EXPECT_TRUE(no_event(self));
	EXPECT_GT(read(v->nest.event_fd, h, sizeof(h)), 0);
	EXPECT_EQ(0, stats(self).events);
}

static __u64 event_area(struct vmm *v)
{
	return RAM_GPA + RAM_SIZE - RING_AREA + KIB(480);
}

static void post(struct vmm *v, const struct seg *s, unsigned int n)
{
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_EVENT];

	vq_add(q, s, n);
	vq_publish(q);
	vq_kick(q);
}

/* Buffers of all kinds; an event fits, or the next buffer gets it */
TEST_F(faults, odd_buffers)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_EVENT];
	__u64 at = event_area(v);
	struct seg shorter = { .gpa = at, .len = 23, .write = true };
	struct seg none = { .gpa = at, .len = 24, .write = false };
	struct seg longer = { .gpa = at + 64, .len = 64, .write = true };
	struct seg split[] = {
		{ .gpa = at + 256, .len = 5, .write = true },
		{ .gpa = at + 512, .len = 7, .write = true },
		{ .gpa = at + 768, .len = 12, .write = true },
	};
	struct virtio_iommu_fault_pasid f;
	struct vring_used_elem u;
	__u8 *p = ram_va(v, at);

	memset(p, REQ_FILL, 1024);
	post(v, &shorter, 1);
	post(v, &none, 1);
	post(v, &longer, 1);
	post(v, split, 3);
	ASSERT_EQ(0, dev_store(self->d, BAD(0), LEN));
	ASSERT_EQ(0, vq_wait(q, 3, SOON));
	u = vq_pop(q);
	EXPECT_EQ(0, u.len);
	u = vq_pop(q);
	EXPECT_EQ(0, u.len);
	EXPECT_TRUE(all_bytes(p, REQ_FILL, 64));
	u = vq_pop(q);
	EXPECT_EQ(24, u.len);
	memcpy(&f, p + 64, sizeof(f));
	EXPECT_EQ(BAD(0), le64toh(f.address));
	EXPECT_TRUE(all_bytes(p + 64 + 24, REQ_FILL, 40));
	ASSERT_EQ(0, dev_store(self->d, BAD(1), LEN));
	ASSERT_EQ(0, vq_wait(q, 1, SOON));
	u = vq_pop(q);
	EXPECT_EQ(24, u.len);
	memcpy(&f, p + 256, 5);
	memcpy((__u8 *)&f + 5, p + 512, 7);
	memcpy((__u8 *)&f + 12, p + 768, 12);
	EXPECT_EQ(BAD(1), le64toh(f.address));
	EXPECT_EQ(EP(0), le32toh(f.endpoint));
	EXPECT_EQ(2, stats(self).events);
	EXPECT_EQ(0, stats(self).events_dropped);
}

/* An event ring that can't be read is the guest's loss; requests go on */
TEST_F(faults, broken_ring)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_EVENT];
	struct seg far = { .gpa = NOT_RAM_GPA, .len = 24, .write = true };
	struct vring_used_elem u;

	/* A buffer that is not there comes back empty, the next one is used */
	post(v, &far, 1);
	g_events_post(v, 1);
	ASSERT_EQ(0, dev_store(self->d, BAD(0), LEN));
	ASSERT_EQ(0, vq_wait(q, 1, SOON));
	u = vq_pop(q);
	EXPECT_EQ(0, u.len);
	EXPECT_TRUE(eventfd_wait(q->err, SOON));
	/* A ring that makes no sense */
	q->avail_idx += 30000;
	vq_publish(q);
	vq_kick(q);
	ASSERT_EQ(0, dev_store(self->d, BAD(1), LEN));
	EXPECT_TRUE(eventfd_wait(q->err, SOON));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	ASSERT_EQ(0, dev_store(self->d, BAD(2), LEN));
	EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	EXPECT_GT(stats(self).ring_errors, 0);
	/* Made new, it works again */
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_set_vring(v, VHOST_IOMMU_VQ_EVENT, 256));
	ASSERT_EQ(0, vmm_set_running(v, true));
	g_events_post(v, 8);
	ASSERT_EQ(0, dev_store(self->d, BAD(3), LEN));
	do {
		struct virtio_iommu_fault_pasid f;

		ASSERT_EQ(0, g_event(v, &f, SOON));
		if (le64toh(f.address) == BAD(3))
			break;
	} while (1);
}

/* A driver that never sets up the event queue */
TEST_F(faults, no_event_ring)
{
	struct vmm w, *v = &w;
	struct dma_dev *d = self->d;
	unsigned int i;
	struct s1 s;

	env_down(&self->e);
	vmm_init(v);
	v->table = true;
	vmm_propose_tables(v);
	ASSERT_EQ(0, vmm_open(v));
	ASSERT_EQ(0, vmm_open_iommufd(v));
	ASSERT_EQ(0, vmm_add_ram(v, RAM_GPA, RAM_SIZE));
	ASSERT_EQ(0, vmm_set_owner(v));
	ASSERT_EQ(0, vmm_set_mem_table(v));
	ASSERT_EQ(0, vmm_set_config(v));
	ASSERT_EQ(0, vmm_set_features(v));
	ASSERT_EQ(0, vmm_set_vring(v, VHOST_IOMMU_VQ_REQUEST, 256));
	ASSERT_EQ(0, vmm_set_iommufd(v));
	d = NULL;
	for (i = 0; i < (unsigned int)self->e.nr_all; i++)
		ASSERT_EQ(0, dev_open(&self->e.all[i], v));
	d = self->e.dev[0];
	ASSERT_EQ(0, vmm_add_viommu(v, v->nest.event_fd));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), d, -1, NULL, 0));
	ASSERT_EQ(0, vmm_start(v));
	s1_usual(&s, v, 0, ASID);
	ASSERT_ST(OK, g_attach_s1(v, DOM, EP(0), &s));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, dev_store(d, BAD(i), LEN));
	ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
	for (i = 0; i < (unsigned int)self->e.nr_all; i++)
		dev_close(&self->e.all[i]);
	vmm_close(v);
}

SUITE;
