// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints that the VMM emulates: what their accesses mean, at any moment, and what
 * becomes of those that are not allowed.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soft.h"
#include "suite.h"
#include "table.h"

#define DOM		1
#define EP0		EMU(0)
#define EP1		EMU(1)
#define MSI_IOVA	0x08000000ULL
#define RESV_IOVA	0x09000000ULL
#define RESV_LEN	MIB(1)
/* As far as what is not translated is told of */
#define LAST_ADDR	((1ULL << 52) - 1)
#define SOON		3000
#define NEVER		150
#define FAULTS		64

#define R		VHOST_IOMMU_ACCESS_READ
#define W		VHOST_IOMMU_ACCESS_WRITE
#define F_ADDR		VIRTIO_IOMMU_FAULT_F_ADDRESS

/* What is kept of EMU(0) and those that follow; also tried where is() is called */
#define NR_KEPT		4

FIXTURE(soft)
{
	struct env e;
	struct vmm *v;
	struct soft_cache kept[NR_KEPT];
};

KIND_VARIANTS(soft);
KIND_NONE(soft);
KIND_MOCK(soft);

#define SELF	FIXTURE_DATA(soft) *self

FIXTURE_SETUP(soft)
{
	unsigned int i;
	char probe[256];
	size_t n;

	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	n = probe_resv(probe, VIRTIO_IOMMU_RESV_MEM_T_MSI, MSI_IOVA,
		       MSI_IOVA + MIB(1) - 1);
	n += probe_resv(probe + n, VIRTIO_IOMMU_RESV_MEM_T_RESERVED, RESV_IOVA,
			RESV_IOVA + RESV_LEN - 1);
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP0, NULL, -1, probe, n));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP1, NULL, -1, NULL, 0));
	for (i = 0; i < NR_KEPT; i++)
		ASSERT_EQ(0, soft_open(&self->kept[i], self->v, EMU(i)));
}

FIXTURE_TEARDOWN(soft)
{
	unsigned int i;

	for (i = 0; i < NR_KEPT; i++)
		soft_close(&self->kept[i]);
	if (self->v->fd >= 0) {
		vmm_set_running(self->v, false);
		vmm_remove_endpoint(self->v, EP0);
		vmm_remove_endpoint(self->v, EP1);
	}
	env_down(&self->e);
}

struct answer {
	__u64 start;
	__u64 last;
	__u64 phys;
	__u32 access;
	int state;
};

static struct answer answer_of(int rc, const struct vhost_iommu_translate *t)
{
	if (rc)
		return (struct answer){ .state = rc };
	return (struct answer){ t->out_start, t->out_last, t->out_phys,
				t->out_access, t->out_state };
}

static struct answer look(struct vmm *v, __u32 ep, __u64 iova)
{
	struct vhost_iommu_translate t;

	return answer_of(vmm_translate(v, ep, iova, 0, &t), &t);
}

/* By what is kept, if the log says nothing against it */
static struct answer look_here(struct soft_cache *c, __u64 iova)
{
	struct vhost_iommu_translate t;

	return answer_of(soft_translate(c, iova, &t), &t);
}

static bool is_answer(const char *how, __u64 iova, struct answer a,
		      struct answer want)
{
	if (a.state == want.state && a.start == want.start &&
	    a.last == want.last && a.phys == want.phys &&
	    a.access == want.access)
		return true;
	ksft_print_msg("%s, 0x%llx: 0x%llx to 0x%llx at 0x%llx, access %u, state %d\n",
		       how, iova, a.start, a.last, a.phys, a.access, a.state);
	return false;
}

static bool is_asked(struct vmm *v, __u32 ep, __u64 iova, struct answer want)
{
	return is_answer("asked", iova, look(v, ep, iova), want);
}

/* Also by what is kept of before, and of now */
static bool is(SELF, __u32 ep, __u64 iova, struct answer want)
{
	struct soft_cache *c = &self->kept[ep - EMU(0)];

	return is_answer("kept before", iova, look_here(c, iova), want) &&
	       is_asked(self->v, ep, iova, want) &&
	       is_answer("kept now", iova, look_here(c, iova), want);
}

static struct answer nothing(__u64 iova, int state)
{
	return (struct answer){ iova, iova, iova, 0, state };
}

static struct answer same(__u64 start, __u64 last, __u32 access, int state)
{
	return (struct answer){ start, last, start, access, state };
}

/* The whole mapping, whichever of its addresses is asked for */
TEST_F(soft, mappings)
{
	const struct answer rw = { IOVA, IOVA + 3 * PAGE - 1, RAM_GPA, R | W,
				   VHOST_IOMMU_STATE_PAGING };
	const struct answer ro = { IOVA + MIB(4), IOVA + MIB(4) + PAGE - 1,
				   RAM_GPA + MIB(1), R,
				   VHOST_IOMMU_STATE_PAGING };
	struct vmm *v = self->v;

	EXPECT_TRUE(is(self, EP0, IOVA, nothing(IOVA, VHOST_IOMMU_STATE_BLOCKED)));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	EXPECT_TRUE(is(self, EP0, IOVA, nothing(IOVA, VHOST_IOMMU_STATE_PAGING)));
	ASSERT_ST(OK, g_map(v, DOM, rw.start, rw.last, rw.phys, MAP_RW));
	ASSERT_ST(OK, g_map(v, DOM, ro.start, ro.last, ro.phys, MAP_R));
	EXPECT_TRUE(is(self, EP0, IOVA, rw));
	EXPECT_TRUE(is(self, EP0, IOVA + PAGE + 3, rw));
	EXPECT_TRUE(is(self, EP0, IOVA + 3 * PAGE - 1, rw));
	EXPECT_TRUE(is(self, EP0, ro.start + 5, ro));
	EXPECT_TRUE(is(self, EP0, IOVA - 1,
		       nothing(IOVA - 1, VHOST_IOMMU_STATE_PAGING)));
	EXPECT_TRUE(is(self, EP0, IOVA + 3 * PAGE,
		       nothing(IOVA + 3 * PAGE, VHOST_IOMMU_STATE_PAGING)));
	EXPECT_TRUE(is(self, EP0, ~0ULL,
		       nothing(~0ULL, VHOST_IOMMU_STATE_PAGING)));
	/* Another endpoint is somewhere else, until it is in the same domain */
	EXPECT_TRUE(is(self, EP1, IOVA, nothing(IOVA, VHOST_IOMMU_STATE_BLOCKED)));
	ASSERT_ST(OK, g_attach(v, DOM, EP1));
	EXPECT_TRUE(is(self, EP1, IOVA, rw));
	ASSERT_ST(OK, g_unmap(v, DOM, rw.start, rw.last));
	EXPECT_TRUE(is(self, EP1, IOVA, nothing(IOVA, VHOST_IOMMU_STATE_PAGING)));
	EXPECT_TRUE(is(self, EP1, ro.start, ro));
	ASSERT_ST(OK, g_detach(v, DOM, EP1));
	EXPECT_TRUE(is(self, EP1, ro.start,
		       nothing(ro.start, VHOST_IOMMU_STATE_BLOCKED)));
	/* A device that is stopped translates all the same */
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_TRUE(is(self, EP0, ro.start, ro));
	ASSERT_EQ(0, vmm_reset(v));
	EXPECT_TRUE(is(self, EP0, ro.start,
		       nothing(ro.start, VHOST_IOMMU_STATE_BLOCKED)));
}

/* The guest's own mapping of the whole range has one answer, too */
TEST_F(soft, largest)
{
	struct vmm *v = self->v;

	ASSERT_ST(OK, g_attach(v, DOM, EP1));
	ASSERT_ST(OK, g_map(v, DOM, 0, RAM_SIZE - 1, RAM_GPA, MAP_RW));
	EXPECT_TRUE(is(self, EP1, 0, (struct answer){
		0, RAM_SIZE - 1, RAM_GPA, R | W, VHOST_IOMMU_STATE_PAGING }));
	EXPECT_TRUE(is(self, EP1, RAM_SIZE - 1, (struct answer){
		0, RAM_SIZE - 1, RAM_GPA, R | W, VHOST_IOMMU_STATE_PAGING }));
}

/* An MSI gets through in any state; what else is reserved does not, in none */
TEST_F(soft, reserved)
{
	const __u32 bypass = VIRTIO_IOMMU_ATTACH_F_BYPASS;
	struct vmm *v = self->v;
	int state;

	for (state = 0; state < 3; state++) {
		int want = state == 0 ? VHOST_IOMMU_STATE_BLOCKED :
			   state == 1 ? VHOST_IOMMU_STATE_PAGING :
					VHOST_IOMMU_STATE_BYPASS_DOMAIN;

		if (state == 1)
			ASSERT_ST(OK, g_attach(v, DOM, EP0));
		if (state == 2) {
			ASSERT_ST(OK, g_detach(v, DOM, EP0));
			ASSERT_ST(OK, g_attach_flags(v, DOM, EP0, bypass));
		}
		EXPECT_TRUE(is(self, EP0, MSI_IOVA + 0x40,
			       same(MSI_IOVA, MSI_IOVA + MIB(1) - 1, W, want)));
		EXPECT_TRUE(is(self, EP0, RESV_IOVA + 0x40,
			       same(RESV_IOVA, RESV_IOVA + RESV_LEN - 1, 0,
				    want)));
	}
	/* In bypass, what lies between them, and no further than addresses go */
	EXPECT_TRUE(is(self, EP0, 0, same(0, MSI_IOVA - 1, R | W,
					  VHOST_IOMMU_STATE_BYPASS_DOMAIN)));
	EXPECT_TRUE(is(self, EP0, RESV_IOVA - 1,
		       same(MSI_IOVA + MIB(1), RESV_IOVA - 1, R | W,
			    VHOST_IOMMU_STATE_BYPASS_DOMAIN)));
	EXPECT_TRUE(is(self, EP0, LAST_ADDR,
		       same(RESV_IOVA + RESV_LEN, LAST_ADDR, R | W,
			    VHOST_IOMMU_STATE_BYPASS_DOMAIN)));
	EXPECT_TRUE(is(self, EP0, LAST_ADDR + 1,
		       nothing(LAST_ADDR + 1,
			       VHOST_IOMMU_STATE_BYPASS_DOMAIN)));
}

TEST_F(soft, bypass)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_set_bypass(v, true));
	EXPECT_TRUE(is(self, EP1, RAM_GPA, same(0, LAST_ADDR, R | W,
						VHOST_IOMMU_STATE_BYPASS)));
	ASSERT_ST(OK, g_attach(v, DOM, EP1));
	EXPECT_TRUE(is(self, EP1, RAM_GPA,
		       nothing(RAM_GPA, VHOST_IOMMU_STATE_PAGING)));
	ASSERT_ST(OK, g_detach(v, DOM, EP1));
	ASSERT_EQ(0, vmm_set_bypass(v, false));
	EXPECT_TRUE(is(self, EP1, RAM_GPA,
		       nothing(RAM_GPA, VHOST_IOMMU_STATE_BLOCKED)));
}

/* What comes from another process is not the VMM's, nor what is malformed */
TEST_F(soft, errors)
{
	struct vhost_iommu_translate t = {
		.size = sizeof(t), .endpoint = EP0, .iova = IOVA,
	}, was = t;
	struct vmm *v = self->v, other;
	int status;
	pid_t pid;

	EXPECT_EQ(0, xioctl(v->fd, VHOST_IOMMU_TRANSLATE, &t));
	t.endpoint = EP0 + 99;
	EXPECT_EQ(-ENOENT, xioctl(v->fd, VHOST_IOMMU_TRANSLATE, &t));
	t = was;
	t.flags = 4;
	EXPECT_EQ(-EOPNOTSUPP, xioctl(v->fd, VHOST_IOMMU_TRANSLATE, &t));
	t = was;
	t.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, xioctl(v->fd, VHOST_IOMMU_TRANSLATE, &t));
	t = was;
	t.size = sizeof(t) - 1;
	EXPECT_EQ(-EINVAL, xioctl(v->fd, VHOST_IOMMU_TRANSLATE, &t));
	EXPECT_EQ(-EFAULT, xioctl(v->fd, VHOST_IOMMU_TRANSLATE, NULL));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(vmm_translate(v, EP0, IOVA, 0, &t) != -EPERM);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* Without an owner there is nobody who may ask */
	vmm_init(&other);
	ASSERT_EQ(0, vmm_open(&other));
	EXPECT_EQ(-EPERM, vmm_translate(&other, EP0, IOVA, 0, &t));
	vmm_close(&other);
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP0));
	EXPECT_EQ(-ENOENT, vmm_translate(v, EP0, IOVA, 0, &t));
}

/* An access that is made, not just looked at */
static __u32 access_to(struct vmm *v, __u32 ep, __u64 iova, __u32 flags)
{
	struct vhost_iommu_translate t;

	return vmm_translate(v, ep, iova, flags, &t) ? ~0u : t.out_access;
}

static bool fault_is(struct vmm *v, __u32 ep, __u8 reason, __u32 flags,
		     __u64 address)
{
	struct virtio_iommu_fault_pasid f;
	int rc = g_event(v, &f, SOON);

	if (!rc && f.reason == reason && le32toh(f.flags) == flags &&
	    le32toh(f.endpoint) == ep && le64toh(f.address) == address &&
	    !f.pasid)
		return true;
	ksft_print_msg("%d: reason %u, flags 0x%x, endpoint 0x%x, address 0x%llx\n",
		       rc, f.reason, le32toh(f.flags), le32toh(f.endpoint),
		       (__u64)le64toh(f.address));
	return false;
}

static bool no_fault(struct vmm *v)
{
	struct virtio_iommu_fault_pasid f;

	return g_event(v, &f, NEVER) == -ETIMEDOUT;
}

TEST_F(soft, faults)
{
	struct vmm *v = self->v;
	struct vmm_stats s;

	g_events_post(v, 16);
	/* Looking is no access */
	EXPECT_EQ(0, access_to(v, EP0, IOVA, 0));
	EXPECT_TRUE(no_fault(v));
	EXPECT_EQ(0, access_to(v, EP0, IOVA + 8, W));
	EXPECT_TRUE(fault_is(v, EP0, VIRTIO_IOMMU_FAULT_R_DOMAIN, W | F_ADDR,
			     IOVA + 8));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	EXPECT_EQ(0, access_to(v, EP0, IOVA + 8, R));
	EXPECT_TRUE(fault_is(v, EP0, VIRTIO_IOMMU_FAULT_R_MAPPING, R | F_ADDR,
			     IOVA + 8));
	/* Of an access that does both, what is not allowed */
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_R));
	EXPECT_EQ(R, access_to(v, EP0, IOVA + 8, R));
	EXPECT_EQ(R, access_to(v, EP0, IOVA + 8, R | W));
	EXPECT_TRUE(fault_is(v, EP0, VIRTIO_IOMMU_FAULT_R_MAPPING, W | F_ADDR,
			     IOVA + 8));
	EXPECT_EQ(W, access_to(v, EP0, MSI_IOVA, W));
	EXPECT_EQ(0, access_to(v, EP0, RESV_IOVA, W));
	EXPECT_TRUE(fault_is(v, EP0, VIRTIO_IOMMU_FAULT_R_MAPPING, W | F_ADDR,
			     RESV_IOVA));
	EXPECT_TRUE(no_fault(v));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(4, s.events);
	EXPECT_EQ(0, s.events_dropped);
	EXPECT_EQ(0, s.events_lost);
}

/* Members of a group that are in different domains reach nothing, in neither */
TEST_F(soft, divided_group)
{
	const struct answer page = { IOVA, IOVA + PAGE - 1, RAM_GPA, R | W,
				     VHOST_IOMMU_STATE_PAGING };
	const struct answer none = nothing(IOVA, VHOST_IOMMU_STATE_BLOCKED);
	const __u32 one = EMU(2), other = EMU(3);
	struct vmm *v = self->v;

	g_events_post(v, 4);
	ASSERT_EQ(0, vmm_add_endpoint(v, one, NULL, 7, NULL, 0));
	ASSERT_EQ(0, vmm_add_endpoint(v, other, NULL, 7, NULL, 0));
	ASSERT_ST(OK, g_attach(v, DOM, one));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	/* Who is in none follows */
	EXPECT_EQ(R | W, access_to(v, other, IOVA, R | W));
	EXPECT_TRUE(is(self, one, IOVA, page) && is(self, other, IOVA, page));
	ASSERT_ST(OK, g_attach(v, DOM + 1, other));
	EXPECT_TRUE(is(self, one, IOVA, none) && is(self, other, IOVA, none));
	EXPECT_EQ(0, access_to(v, one, IOVA, W));
	EXPECT_TRUE(fault_is(v, one, VIRTIO_IOMMU_FAULT_R_DOMAIN, W | F_ADDR,
			     IOVA));
	ASSERT_ST(OK, g_attach(v, DOM, other));
	EXPECT_TRUE(is(self, one, IOVA, page) && is(self, other, IOVA, page));
	EXPECT_TRUE(no_fault(v));
	EXPECT_EQ(0, vmm_remove_endpoint(v, one));
	EXPECT_EQ(-ENOENT, look_here(&self->kept[2], IOVA).state);
	EXPECT_EQ(0, vmm_remove_endpoint(v, other));
}

/* Whether or not the guest has buffers, each fault is told or counted */
TEST_F(soft, flood_of_faults)
{
	const unsigned int n = 1000;
	struct vmm *v = self->v;
	struct vmm_stats s;
	unsigned int i;

	for (i = 0; i < n; i++)
		access_to(v, EP0, IOVA + i * PAGE, R);
	/* They are counted when it happens */
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_LE(n - FAULTS - 1, s.events_lost);
	EXPECT_GE(n - FAULTS, s.events_lost);
	g_events_post(v, 128);
	/* One is read already, and waits for a buffer */
	EXPECT_TRUE(fault_is(v, EP0, VIRTIO_IOMMU_FAULT_R_DOMAIN, R | F_ADDR,
			     IOVA));
	for (i = 1; i <= FAULTS; i++) {
		struct virtio_iommu_fault_pasid f;

		if (g_event(v, &f, i < n - s.events_lost ? SOON : NEVER))
			break;
	}
	EXPECT_GE(i, FAULTS);
	EXPECT_TRUE(no_fault(v));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(i, s.events);
	EXPECT_EQ(n, s.events + s.events_lost);
	/* And the next one is heard of again */
	access_to(v, EP0, 0, R);
	EXPECT_TRUE(fault_is(v, EP0, VIRTIO_IOMMU_FAULT_R_DOMAIN, R | F_ADDR,
			     0));
}

/* Nobody is told what another device did that had the ID before, or before a reset */
TEST_F(soft, faults_of_before)
{
	struct vmm *v = self->v;
	struct vmm_stats s;

	access_to(v, EP0, IOVA, R);
	/* The worker takes it, and has nothing to do when the endpoint goes */
	sleep_ms(50);
	access_to(v, EP0, IOVA, R);
	sleep_ms(50);
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP0));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP0, NULL, -1, NULL, 0));
	access_to(v, EP0, IOVA + PAGE, R);
	g_events_post(v, 4);
	EXPECT_TRUE(fault_is(v, EP0, VIRTIO_IOMMU_FAULT_R_DOMAIN, R | F_ADDR,
			     IOVA + PAGE));
	EXPECT_TRUE(no_fault(v));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(2, s.events_dropped);
	/* Buffers of before the reset are gone, too */
	ASSERT_EQ(0, vmm_set_running(v, false));
	access_to(v, EP1, IOVA, R);
	ASSERT_EQ(0, vmm_reset(v));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(3, s.events_dropped);
	EXPECT_EQ(1, s.events);
	/* Nor is anything lost that happens while the device is stopped */
	access_to(v, EP1, IOVA + PAGE, W);
	ASSERT_EQ(0, vmm_set_rings(v, 64));
	ASSERT_EQ(0, vmm_start(v));
	g_events_post(v, 4);
	EXPECT_TRUE(fault_is(v, EP1, VIRTIO_IOMMU_FAULT_R_DOMAIN, W | F_ADDR,
			     IOVA + PAGE));
}

FIXTURE(soft_busy)
{
	struct env e;
	struct vmm *v;
	struct hold h;
};

KIND_VARIANTS(soft_busy);
KIND_MOCK(soft_busy);

FIXTURE_SETUP(soft_busy)
{
	self->v = &self->e.v;
	self->h.uffd = -1;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, false));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP(0), self->e.dev[0], -1, NULL,
				      0));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP0, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_start(self->v));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP0));
	ASSERT_ST(OK, g_map(self->v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
}

FIXTURE_TEARDOWN(soft_busy)
{
	hold_close(&self->h);
	if (self->v->fd >= 0) {
		vmm_set_running(self->v, false);
		vmm_remove_endpoint(self->v, EP0);
	}
	env_down(&self->e);
}

static void *adds_device(void *arg)
{
	FIXTURE_DATA(soft_busy) *self = arg;

	return (void *)(long)vmm_add_endpoint(self->v, EP(1), self->e.dev[1],
					      -1, NULL, 0);
}

/*
 * An ioctl, or the worker, is in the middle of a command that does not end; who makes
 * an access does not wait for it. What is being unmapped is gone by then.
 */
TEST_F(soft_busy, nobody_is_waited_for)
{
	const struct answer mapped = { IOVA, IOVA + PAGE - 1, RAM_GPA, R | W,
				       VHOST_IOMMU_STATE_PAGING };
	char *page, zeroes[PAGE] = {};
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	pthread_t t;
	void *rc;

	ASSERT_EQ(0, hold_over(&self->h, v->scratch, v->scratch_len));
	ASSERT_EQ(0, pthread_create(&t, NULL, adds_device, self));
	ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
	EXPECT_TRUE(is_asked(v, EP0, IOVA, mapped));
	EXPECT_EQ(-ENOENT, look(v, EP(1), IOVA).state);
	ASSERT_EQ(0, hold_give(&self->h, page, zeroes));
	pthread_join(t, &rc);
	EXPECT_EQ(0, (long)rc);

	ASSERT_EQ(0, hold_take(v->scratch));
	g_batch_add(v, BATCH_UNMAP, DOM, IOVA, PAGE, 0);
	vq_publish(q);
	vq_kick(q);
	ASSERT_EQ(0, hold_wait(&self->h, &page, SOON));
	EXPECT_TRUE(is_asked(v, EP0, IOVA, nothing(IOVA, VHOST_IOMMU_STATE_PAGING)));
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, look(v, EP(0), IOVA).state);
	ASSERT_EQ(0, hold_give(&self->h, page, zeroes));
	ASSERT_EQ(0, vq_wait(q, 1, REQ_TIMEOUT_MS));
	vq_pop(q);
	EXPECT_TRUE(is_asked(v, EP0, IOVA, nothing(IOVA, VHOST_IOMMU_STATE_PAGING)));
}

/*
 * Threads that make accesses all the time, beside a guest that changes what they may
 * reach. Of each of its pages the guest says before a request what may be met from now
 * on, and after the reply what may not any more.
 */
#define PAGES		8
#define READERS		3

struct shadow {
	/* Where a page may be: generation in the mapping's guest-physical page */
	unsigned int may[2];
};

struct race {
	struct vmm *v;
	__u32 ep;
	/* What all of them keep, or NULL: they ask each time */
	struct soft_cache *kept;
	unsigned int seq[PAGES];
	struct shadow page[PAGES];
	__u64 looks;
	__u64 wrong;
	bool stop;
	pthread_t thread[READERS];
};

/* Mapped to page @gen of RAM; 0 is not mapped */
static __u64 gpa_of(unsigned int gen)
{
	return RAM_GPA + gen * PAGE;
}

static void *looks(void *arg)
{
	__u64 state = (uintptr_t)&state, n = 0, wrong = 0;
	struct race *r = arg;

	while (!LOAD(&r->stop) && !wrong) {
		unsigned int i = rand64(&state) % PAGES, seq = LOAD(&r->seq[i]);
		struct shadow may = {
			{ LOAD(&r->page[i].may[0]), LOAD(&r->page[i].may[1]) },
		};
		__u64 iova = IOVA + 2 * i * PAGE;
		struct answer a = r->kept ? look_here(r->kept, iova) :
					    look(r->v, r->ep, iova);
		unsigned int gen;

		n++;
		/* Written to meanwhile: nothing can be said */
		if (seq & 1 || LOAD(&r->seq[i]) != seq)
			continue;
		gen = a.access ? (a.phys - RAM_GPA) / PAGE : 0;
		if (gen != may.may[0] && gen != may.may[1])
			wrong++;
		if (a.access && (a.start != iova || a.last != iova + PAGE - 1))
			wrong++;
		/* This one comes and goes */
		a = look(r->v, EP1, iova);
		wrong += a.state < 0 && a.state != -ENOENT;
	}
	__atomic_fetch_add(&r->looks, n, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&r->wrong, wrong, __ATOMIC_SEQ_CST);
	return NULL;
}

static void may_be(struct race *r, unsigned int i, unsigned int a,
		   unsigned int b)
{
	__atomic_fetch_add(&r->seq[i], 1, __ATOMIC_SEQ_CST);
	STORE(&r->page[i].may[0], a);
	STORE(&r->page[i].may[1], b);
	__atomic_fetch_add(&r->seq[i], 1, __ATOMIC_SEQ_CST);
}

static int change(struct race *r, unsigned int i, unsigned int gen)
{
	unsigned int was = r->page[i].may[0];
	__u64 iova = IOVA + 2 * i * PAGE;
	int rc;

	may_be(r, i, was, was ? 0 : gen);
	rc = was ? g_unmap(r->v, DOM, iova, iova + PAGE - 1) :
		   g_map(r->v, DOM, iova, iova + PAGE - 1, gpa_of(gen), MAP_RW);
	may_be(r, i, was ? 0 : gen, was ? 0 : gen);
	return rc;
}

/* Everybody is somewhere else for a moment */
static int leave(struct race *r)
{
	unsigned int i;
	int rc;

	for (i = 0; i < PAGES; i++)
		may_be(r, i, r->page[i].may[0], 0);
	rc = g_attach(r->v, DOM + 1, r->ep);
	rc = rc ? rc : g_attach(r->v, DOM, r->ep);
	for (i = 0; i < PAGES; i++)
		may_be(r, i, r->page[i].may[0], r->page[i].may[0]);
	return rc;
}

static void race(struct __test_metadata *_metadata, SELF,
		 struct soft_cache *kept)
{
	const unsigned int ops = long_tests() ? 200000 : 4000;
	struct race r = { .v = self->v, .ep = EP0, .kept = kept };
	__u64 state = 3;
	unsigned int i;
	int rc = 0;

	ASSERT_ST(OK, g_attach(self->v, DOM, EP0));
	/* The domain stays while its endpoint is somewhere else */
	ASSERT_ST(OK, g_attach(self->v, DOM, EP1));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&r.thread[i], NULL, looks, &r));
	for (i = 0; !rc && i < ops; i++) {
		unsigned int page = rand64(&state) % PAGES;

		rc = i % 64 ? change(&r, page, 1 + i % 1000) : leave(&r);
		if (!rc && i % 256 == 128)
			rc = vmm_remove_endpoint(self->v, EP1) ?:
			     vmm_add_endpoint(self->v, EP1, NULL, -1, NULL, 0) ?:
			     g_attach(self->v, DOM, EP1);
	}
	EXPECT_ST(OK, rc);
	STORE(&r.stop, true);
	for (i = 0; i < READERS; i++)
		pthread_join(r.thread[i], NULL);
	EXPECT_EQ(0, r.wrong);
	EXPECT_GT(r.looks, ops / 10);
	TH_LOG("%u requests, %llu accesses", ops, r.looks);
	if (!kept)
		return;
	EXPECT_LT(0, kept->hits);
	TH_LOG("%llu of them without a call, %llu answers came late",
	       kept->hits, kept->late);
}

TEST_F_TIMEOUT(soft, races, 600)
{
	race(_metadata, self, NULL);
}

TEST_F_TIMEOUT(soft, races_of_what_is_kept, 600)
{
	race(_metadata, self, &self->kept[0]);
}

/* Once an UNMAP is answered, nobody reaches what it removed, asked or kept */
TEST_F_TIMEOUT(soft, stale, 1200)
{
	const unsigned int n = long_tests() ? 250000 : 20000;
	unsigned int i, stale = 0, missed = 0;
	struct vmm *v = self->v;
	struct soft_cache c;

	ASSERT_EQ(0, soft_open(&c, v, EP0));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	for (i = 0; i < n; i++) {
		ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1,
				    gpa_of(i % 64), MAP_RW));
		missed += look(v, EP0, IOVA).phys != gpa_of(i % 64);
		missed += look_here(&c, IOVA).phys != gpa_of(i % 64);
		/* Now it is kept */
		missed += look_here(&c, IOVA).phys != gpa_of(i % 64);
		ASSERT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
		stale += look(v, EP0, IOVA).access != 0;
		stale += look_here(&c, IOVA).access != 0;
	}
	EXPECT_EQ(n, c.hits);
	soft_close(&c);
	EXPECT_EQ(0, stale);
	EXPECT_EQ(0, missed);
}

SUITE;
