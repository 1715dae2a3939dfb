// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the host moves as it likes: the scratch area of the VMM, or a ring, can be
 * out of place for a moment when a thread that kicks is in the middle of something. The
 * worker, which waits, then does that again, and nobody notices.
 */
#include <linux/memfd.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "table.h"

#define DOM		1
#define ASID		7
#define LEN		64
#define RACE_NS		2000000000ULL

FIXTURE(scratch)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(scratch);
KIND_MOCK(scratch);
KIND_EDU(scratch);

FIXTURE_SETUP(scratch)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	self->v->small_pages = true;
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(scratch)
{
	env_down(&self->e);
}

/* The same contents, which can be taken out of place */
static int share(struct vmm *v)
{
	int fd = memfd_create("scratch", MFD_CLOEXEC);
	void *va = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, v->scratch_len))
		va = mmap(v->scratch, v->scratch_len, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
	return va == v->scratch ? 0 : -1;
}

struct mover {
	void *va;
	size_t len;
	pthread_t thread;
	bool stop;
};

static void *moves(void *arg)
{
	struct mover *m = arg;

	while (!LOAD(&m->stop))
		madvise(m->va, m->len, MADV_DONTNEED);
	return NULL;
}

/* The memory is shared with a file, which keeps what is in it */
static int mover_start(struct mover *m, void *va, size_t len)
{
	*m = (struct mover){ .va = va, .len = len };
	return pthread_create(&m->thread, NULL, moves, m);
}

static void mover_stop(struct mover *m)
{
	STORE(&m->stop, true);
	pthread_join(m->thread, NULL);
}

static bool writes_over(struct vmm *v, struct dma_dev *d, __u8 val)
{
	void *at = ram_va(v, RAM_GPA);

	memset(at, val, LEN);
	dev_store(d, IOVA, LEN);
	/* A write that comes late is a write, too */
	sleep_ms(d->kind == DEV_MOCK ? 0 : 5);
	return !all_bytes(at, val, LEN);
}

/* Whatever the device has in its buffer, it can't be both */
static bool reaches(struct vmm *v, struct dma_dev *d)
{
	return writes_over(v, d, 0xee) || writes_over(v, d, 0x11);
}

/* At any moment: what was told to the guest is so */
TEST_F(scratch, comes_and_goes)
{
	struct dma_dev *d = self->e.dev[0];
	struct vmm *v = self->v;
	struct vmm_stats s;
	struct mover m;
	unsigned int n;
	__u64 end;

	ASSERT_EQ(0, share(v));
	ASSERT_EQ(0, mover_start(&m, v->scratch, v->scratch_len));
	for (end = now_ns() + RACE_NS, n = 0; now_ns() < end; n++) {
		EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
				    MAP_RW));
		if (!(n % 64))
			EXPECT_TRUE(reaches(v, d));
		EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
		if (!(n % 64))
			EXPECT_FALSE(reaches(v, d));
	}
	mover_stop(&m);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.host_errors);
	EXPECT_EQ(0, s.rebuilds);
	EXPECT_EQ(0, s.mappings);
	TH_LOG("%u mappings, %llu of %u requests in place", n, s.in_place, 2 * n);
}

/*
 * The guest's driver waits for each reply: it may neither miss one, nor be told not to
 * kick for the next one
 */
TEST_F(scratch, ring_comes_and_goes)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	char *first = (char *)q->desc - (uintptr_t)q->desc % PAGE;
	char *end = (char *)&q->used->ring[q->num] + sizeof(__u16);
	size_t len = ((end - first) / PAGE + 1) * PAGE;
	struct vmm_stats s;
	struct mover m;
	unsigned int n;
	__u64 until;
	int rc = 0;

	ASSERT_LT((char *)q->avail, end);
	ASSERT_EQ(0, mover_start(&m, first, len));
	for (until = now_ns() + RACE_NS, n = 0; now_ns() < until; n++) {
		rc = g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW) ?:
		     g_unmap(v, DOM, IOVA, IOVA + PAGE - 1);
		if (rc)
			break;
	}
	mover_stop(&m);
	EXPECT_ST(OK, rc);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.ring_errors);
	TH_LOG("%u mappings, %llu of %u requests in place", n, s.in_place, 2 * n);
}

FIXTURE(scratch_table)
{
	struct env e;
	struct vmm *v;
	struct s1 s;
};

KIND_VARIANTS(scratch_table);
KIND_MOCK(scratch_table);
KIND_EDU(scratch_table);

FIXTURE_SETUP(scratch_table)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	s1_usual(&self->s, self->v, 0, ASID);
	ASSERT_ST(OK, g_attach_s1(self->v, DOM, EP(0), &self->s));
}

FIXTURE_TEARDOWN(scratch_table)
{
	env_down(&self->e);
}

TEST_F(scratch_table, comes_and_goes)
{
	struct dma_dev *d = self->e.dev[0];
	struct vmm *v = self->v;
	struct vmm_stats s;
	struct mover m;
	unsigned int n;
	__u64 end;

	ASSERT_EQ(0, share(v));
	ASSERT_EQ(0, mover_start(&m, v->scratch, v->scratch_len));
	for (end = now_ns() + RACE_NS, n = 0; now_ns() < end; n++) {
		if (!(n % 64)) {
			s1_map(&self->s, IOVA, RAM_GPA, PAGE, MAP_RW);
			EXPECT_TRUE(reaches(v, d));
			s1_clear(&self->s, IOVA, PAGE);
		}
		EXPECT_ST(OK, g_inv(v, inv_range(DOM, ASID, IOVA, 1, 12,
						 VIRTIO_IOMMU_INV_F_LEAF)));
		if (!(n % 64))
			EXPECT_FALSE(reaches(v, d));
	}
	mover_stop(&m);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(0, s.host_errors);
	TH_LOG("%llu of %u requests in place", s.in_place, n);
}

SUITE;
