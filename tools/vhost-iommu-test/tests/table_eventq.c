// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event queues of vIOMMUs: each errno of ADD_EVENTQ and REMOVE_EVENTQ, and what
 * they hold.
 */
#include <fcntl.h>
#include <sys/eventfd.h>

#include "suite.h"
#include "table.h"

#define DOM	1

FIXTURE(eventq)
{
	struct env e;
	struct vmm *v;
	struct nest *n;
};

KIND_VARIANTS(eventq);
KIND_MOCK(eventq);
KIND_EDU(eventq);

#define SELF	FIXTURE_DATA(eventq) *self

/* A vIOMMU without an event queue, and no endpoint */
FIXTURE_SETUP(eventq)
{
	self->v = &self->e.v;
	self->n = &self->v->nest;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 1, false));
	ASSERT_EQ(0, vmm_remove_eventq(self->v, self->n));
}

FIXTURE_TEARDOWN(eventq)
{
	env_down(&self->e);
}

static struct vhost_iommu_add_eventq good_eventq(SELF)
{
	return (struct vhost_iommu_add_eventq){
		.size = sizeof(struct vhost_iommu_add_eventq),
		.eventq = NEST_EVENTQ(self->n),
		.type = VHOST_IOMMU_EVENTQ_VIOMMU,
		.viommu = self->n->handle,
		.fd = self->n->event_fd,
	};
}

static int add_eventq(SELF, struct vhost_iommu_add_eventq a)
{
	return xioctl(self->v->fd, VHOST_IOMMU_ADD_EVENTQ, &a);
}

static int remove_eventq(SELF, __u32 eventq)
{
	struct vhost_iommu_remove_eventq a = {
		.size = sizeof(a), .eventq = eventq,
	};

	return xioctl(self->v->fd, VHOST_IOMMU_REMOVE_EVENTQ, &a);
}

/* Only the vIOMMU, whatever belongs to it */
static int remove_viommu(SELF)
{
	struct vhost_iommu_remove_viommu a = {
		.size = sizeof(a), .viommu = self->n->handle,
	};

	return xioctl(self->v->fd, VHOST_IOMMU_REMOVE_VIOMMU, &a);
}

TEST_F(eventq, added_and_removed)
{
	struct vhost_iommu_add_eventq a = good_eventq(self);
	unsigned int i;

	for (i = 0; i < 5; i++) {
		EXPECT_EQ(-ENOENT, remove_eventq(self, a.eventq));
		EXPECT_EQ(0, add_eventq(self, a));
		/* The vIOMMU's number is not the queue's */
		EXPECT_EQ(-ENOENT, remove_eventq(self, a.viommu));
		EXPECT_EQ(-ENOENT, remove_eventq(self, self->n->veventq));
		EXPECT_EQ(0, remove_eventq(self, a.eventq));
	}
	/* Any number will do, also that of an object of another kind */
	for (i = 0; i < 4; i++) {
		a.eventq = (const __u32[]){ 0, 1, a.viommu, ~0u }[i];
		EXPECT_EQ(0, add_eventq(self, a));
		EXPECT_EQ(0, remove_eventq(self, a.eventq));
	}
	/* While it's running, too */
	ASSERT_EQ(0, vmm_start(self->v));
	EXPECT_EQ(0, add_eventq(self, a));
	EXPECT_EQ(0, remove_eventq(self, a.eventq));
	EXPECT_EQ(0, add_eventq(self, a));
}

TEST_F(eventq, values)
{
	struct vhost_iommu_add_eventq good = good_eventq(self), a;
	unsigned int bit;

#define BAD(err, field, value) do {					\
	a = good;							\
	a.field = (value);						\
	EXPECT_EQ(-(err), add_eventq(self, a))				\
		TH_LOG(#field " " #value);				\
} while (0)
	for (bit = 0; bit < 32; bit++)
		BAD(EOPNOTSUPP, flags, 1u << bit);
	BAD(EOPNOTSUPP, type, 0);
	BAD(EOPNOTSUPP, type, 2);
	BAD(EOPNOTSUPP, type, 0x101);
	BAD(EOPNOTSUPP, type, ~0u);
	BAD(ENOENT, viommu, 0);
	BAD(ENOENT, viommu, VMM_HANDLE(9));
	BAD(ENOENT, viommu, good.eventq);
	/* Its ID in the iommufd is not its number */
	BAD(ENOENT, viommu, self->n->viommu);
	BAD(EBADF, fd, -1);
	BAD(EBADF, fd, -2);
	BAD(EBADF, fd, 1000);
#undef BAD
	EXPECT_EQ(0, add_eventq(self, good));
}

TEST_F(eventq, wrong_files)
{
	struct vhost_iommu_add_eventq a = good_eventq(self);
	int wrong[6], p[2];
	unsigned int i;

	ASSERT_EQ(0, pipe(p));
	wrong[0] = open("/dev/null", O_RDWR);
	wrong[1] = eventfd(0, 0);
	wrong[2] = self->v->iommufd;
	wrong[3] = self->v->fd;
	wrong[4] = self->e.dev[0]->fd;
	wrong[5] = p[0];
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		a.fd = wrong[i];
		EXPECT_EQ(-EBADFD, add_eventq(self, a))
			TH_LOG("file %u", i);
	}
	/* Nothing of that is left */
	EXPECT_EQ(-ENOENT, remove_eventq(self, a.eventq));
	a = good_eventq(self);
	EXPECT_EQ(0, add_eventq(self, a));
	close(wrong[0]);
	close(wrong[1]);
	close(p[0]);
	close(p[1]);
}

/* A number is one queue's, and a vIOMMU has one queue */
TEST_F(eventq, exists)
{
	struct vhost_iommu_add_eventq good = good_eventq(self), a;
	struct vmm *v = self->v;
	struct nest other = *self->n;

	ASSERT_EQ(0, add_eventq(self, good));
	EXPECT_EQ(-EEXIST, add_eventq(self, good));
	a = good;
	a.eventq++;
	EXPECT_EQ(-EEXIST, add_eventq(self, a));
	/* The same number for another vIOMMU, which nobody asks anything */
	other.handle = VMM_HANDLE(9);
	other.viommu = 4711;
	ASSERT_EQ(0, vmm_add_nest(v, &other, -1));
	a = good;
	a.viommu = other.handle;
	EXPECT_EQ(-EEXIST, add_eventq(self, a));
	EXPECT_EQ(0, remove_eventq(self, good.eventq));
	EXPECT_EQ(0, add_eventq(self, good));
	EXPECT_EQ(0, vmm_remove_nest(v, &other));
}

/* What is looked at first, if several things are wrong */
TEST_F(eventq, order)
{
	struct vhost_iommu_add_eventq good = good_eventq(self), a;

	ASSERT_EQ(0, add_eventq(self, good));
	/* Type, number, vIOMMU, its queue, file */
	a = good;
	a.type = 2;
	EXPECT_EQ(-EOPNOTSUPP, add_eventq(self, a));
	a = good;
	a.viommu = VMM_HANDLE(9);
	EXPECT_EQ(-EEXIST, add_eventq(self, a));
	a.eventq++;
	a.fd = -1;
	EXPECT_EQ(-ENOENT, add_eventq(self, a));
	a.viommu = good.viommu;
	EXPECT_EQ(-EEXIST, add_eventq(self, a));
	ASSERT_EQ(0, remove_eventq(self, good.eventq));
	EXPECT_EQ(-EBADF, add_eventq(self, a));
}

/* Without an iommufd there is no vIOMMU */
TEST_F(eventq, before_the_iommufd)
{
	struct vhost_iommu_add_eventq a = good_eventq(self);
	struct vmm w;

	vmm_init(&w);
	ASSERT_EQ(0, vmm_open(&w));
	ASSERT_EQ(0, vmm_set_owner(&w));
	EXPECT_EQ(-ENOENT, xioctl(w.fd, VHOST_IOMMU_ADD_EVENTQ, &a));
	vmm_close(&w);
}

/* A vIOMMU stays as long as a queue or an endpoint is of it */
TEST_F(eventq, holds_the_viommu)
{
	struct vhost_iommu_add_eventq a = good_eventq(self);
	struct vmm *v = self->v;

	ASSERT_EQ(0, add_eventq(self, a));
	EXPECT_EQ(-EBUSY, remove_viommu(self));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], -1, NULL, 0));
	EXPECT_EQ(-EBUSY, remove_viommu(self));
	ASSERT_EQ(0, remove_eventq(self, a.eventq));
	EXPECT_EQ(-EBUSY, remove_viommu(self));
	ASSERT_EQ(0, add_eventq(self, a));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	EXPECT_EQ(-EBUSY, remove_viommu(self));
	ASSERT_EQ(0, remove_eventq(self, a.eventq));
	EXPECT_EQ(0, remove_viommu(self));
	EXPECT_EQ(-ENOENT, add_eventq(self, a));
}

/* The file is held, and with it what it belongs to in the iommufd */
TEST_F(eventq, holds_the_file)
{
	struct vhost_iommu_add_eventq a = good_eventq(self);
	struct vmm *v = self->v;

	ASSERT_EQ(0, add_eventq(self, a));
	close(self->n->event_fd);
	self->n->event_fd = -1;
	EXPECT_EQ(-EBUSY, vmm_destroy(v, self->n->veventq));
	ASSERT_EQ(0, remove_eventq(self, a.eventq));
	EXPECT_EQ(0, vmm_destroy(v, self->n->veventq));
}

/* Events come while there is a queue, also one that was added late */
FIXTURE(eventq_mock)
{
	struct env e;
	struct vmm *v;
	struct s1 s;
};

KIND_VARIANTS(eventq_mock);
KIND_MOCK(eventq_mock);

FIXTURE_SETUP(eventq_mock)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	s1_usual(&self->s, self->v, 0, 7);
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
}

FIXTURE_TEARDOWN(eventq_mock)
{
	env_down(&self->e);
}

TEST_F(eventq_mock, comes_and_goes)
{
	const __u64 record[4] = { 0x10, 0, 0x1000, 0 };
	struct virtio_iommu_fault_pasid f;
	struct vmm *v = self->v;
	unsigned int i;

	g_events_post(v, 8);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, mock_event(self->e.dev[0], 1,
					VHOST_IOMMU_MOCK_EVENT_F_SID, record));
		ASSERT_EQ(0, g_event(v, &f, 3000));
		EXPECT_EQ(EP(0), le32toh(f.endpoint));
		/* The endpoint stays where it is */
		ASSERT_EQ(0, vmm_remove_eventq(v, &v->nest));
		EXPECT_EQ(VHOST_IOMMU_STATE_TABLE, vmm_ep_state(v, EP(0)));
		EXPECT_EQ(-ETIMEDOUT, g_event(v, &f, 50));
		ASSERT_EQ(0, vmm_add_eventq(v, &v->nest, v->nest.event_fd));
	}
	/* What comes in between waits for whoever reads the queue next */
	ASSERT_EQ(0, vmm_remove_eventq(v, &v->nest));
	ASSERT_EQ(0, mock_event(self->e.dev[0], 1,
				VHOST_IOMMU_MOCK_EVENT_F_SID, record));
	EXPECT_EQ(-ETIMEDOUT, g_event(v, &f, 50));
	ASSERT_EQ(0, vmm_add_eventq(v, &v->nest, v->nest.event_fd));
	ASSERT_EQ(0, g_event(v, &f, 3000));
	EXPECT_EQ(EP(0), le32toh(f.endpoint));
}

SUITE;
