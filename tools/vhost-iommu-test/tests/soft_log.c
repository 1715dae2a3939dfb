// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log by which a VMM knows which translations do not hold any more: what is written
 * there, what is not, and the file that it is read from.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "soft.h"
#include "suite.h"
#include "table.h"

#define DOM		1
#define EP0		EMU(0)
#define EP1		EMU(1)

FIXTURE(soft_log)
{
	struct env e;
	struct vmm *v;
	struct vhost_iommu_log *log;
	size_t len;
	__u64 seen;
};

KIND_VARIANTS(soft_log);
KIND_NONE(soft_log);

#define SELF	FIXTURE_DATA(soft_log) *self

FIXTURE_SETUP(soft_log)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 0));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP0, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EP1, NULL, -1, NULL, 0));
	self->log = soft_map_log(self->v, &self->len);
	ASSERT_NE(NULL, self->log);
	self->seen = LOAD(&self->log->head);
}

FIXTURE_TEARDOWN(soft_log)
{
	if (self->log)
		munmap(self->log, self->len);
	if (self->v->fd >= 0) {
		vmm_set_running(self->v, false);
		vmm_remove_endpoint(self->v, EP0);
		vmm_remove_endpoint(self->v, EP1);
	}
	env_down(&self->e);
}

static bool nothing_new(SELF)
{
	return LOAD(&self->log->head) == self->seen;
}

/* There is such an entry among those that are new; there may be others */
static bool told(SELF, __u32 kind, __u32 id, __u64 start, __u64 last)
{
	__u64 head = LOAD(&self->log->head), at;

	for (at = self->seen; at < head; at++) {
		const struct vhost_iommu_log_entry *e =
			&self->log->entries[at % self->log->nr];

		if (e->kind == kind && e->id == id && e->start == start &&
		    e->last == last)
			return true;
		ksft_print_msg("kind %u, ID 0x%x, 0x%llx to 0x%llx\n", e->kind,
			       e->id, e->start, e->last);
	}
	return false;
}

static bool elsewhere(SELF, __u32 ep)
{
	return told(self, VHOST_IOMMU_LOG_ENDPOINT, ep, 0, ~0ULL);
}

static bool unmapped(SELF, __u32 dom, __u64 start, __u64 last)
{
	return told(self, VHOST_IOMMU_LOG_DOMAIN, dom, start, last);
}

/* What comes now is what the next step says */
static void go_on(SELF)
{
	self->seen = LOAD(&self->log->head);
}

static __u64 sequence(SELF, __u32 ep, __u64 iova)
{
	struct vhost_iommu_translate t;

	return vmm_translate(self->v, ep, iova, 0, &t) ? ~0ULL :
							 t.out_sequence;
}

TEST_F(soft_log, entries)
{
	const __u64 last = IOVA + 2 * PAGE - 1;
	struct vhost_iommu_translate t;
	struct vmm *v = self->v;

	EXPECT_LT(0, self->seen);
	EXPECT_EQ(self->seen, sequence(self, EP0, IOVA));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	EXPECT_TRUE(elsewhere(self, EP0));
	go_on(self);
	EXPECT_EQ(self->seen, sequence(self, EP0, IOVA));
	/* What is mapped, nobody has known before */
	ASSERT_ST(OK, g_map(v, DOM, IOVA, last, RAM_GPA, MAP_RW));
	EXPECT_TRUE(nothing_new(self));
	ASSERT_EQ(0, vmm_translate(v, EP0, IOVA, 0, &t));
	EXPECT_EQ(DOM, t.out_domain);
	EXPECT_EQ(0, t.__reserved2);
	ASSERT_ST(OK, g_unmap(v, DOM, IOVA, last));
	EXPECT_TRUE(unmapped(self, DOM, IOVA, last));
	go_on(self);
	EXPECT_EQ(self->seen, sequence(self, EP0, IOVA));

	/* An UNMAP of several says of each */
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_ST(OK, g_map(v, DOM, IOVA + PAGE, last, RAM_GPA, MAP_R));
	ASSERT_ST(OK, g_unmap(v, DOM, 0, ~0ULL));
	EXPECT_TRUE(unmapped(self, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_TRUE(unmapped(self, DOM, IOVA + PAGE, last));

	go_on(self);
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP0));
	EXPECT_TRUE(elsewhere(self, EP0));
	go_on(self);
	ASSERT_ST(OK, g_detach(v, DOM + 1, EP0));
	EXPECT_TRUE(elsewhere(self, EP0));
	go_on(self);
	ASSERT_EQ(0, vmm_set_bypass(v, true));
	EXPECT_TRUE(elsewhere(self, EP0) && elsewhere(self, EP1));
	go_on(self);
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP0));
	EXPECT_TRUE(elsewhere(self, EP0));
}

/* A group that is larger than anybody would like to read of */
TEST_F(soft_log, large_group)
{
	const unsigned int n = 100;
	struct vhost_iommu_translate t;
	struct vmm *v = self->v;
	struct soft_cache c;
	unsigned int i;

	for (i = 2; i < n; i++)
		ASSERT_EQ(0, vmm_add_endpoint(v, EMU(i), NULL, 7, NULL, 0));
	ASSERT_EQ(0, soft_open(&c, v, EMU(n - 1)));
	go_on(self);
	ASSERT_ST(OK, g_attach(v, DOM, EMU(2)));
	EXPECT_TRUE(told(self, VHOST_IOMMU_LOG_ALL, 0, 0, ~0ULL));
	EXPECT_GT(self->seen + n / 2, LOAD(&self->log->head));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
	EXPECT_EQ(MAP_RW, t.out_access);
	ASSERT_ST(OK, g_detach(v, DOM, EMU(2)));
	ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
	EXPECT_EQ(0, t.out_access);
	soft_close(&c);
	for (i = 2; i < n; i++)
		EXPECT_EQ(0, vmm_remove_endpoint(v, EMU(i)));
}

/* Domains that nobody has asked about would only push out what matters */
TEST_F(soft_log, nobody_asked)
{
	struct vmm *v = self->v;

	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	EXPECT_TRUE(elsewhere(self, EP0));
	go_on(self);
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_TRUE(nothing_new(self));
}

/* A part that goes takes all with it that was told of the mapping */
TEST_F(soft_log, cut)
{
	const __u64 last = IOVA + 4 * PAGE - 1;
	struct vmm *v = self->v;
	struct soft_cache c;
	struct vhost_iommu_translate t;

	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_EQ(0, soft_open(&c, v, EP0));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, last, RAM_GPA, MAP_RW));
	ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
	EXPECT_EQ(last, t.out_last);
	ASSERT_EQ(0, vmm_remove_ram(v, RAM_GPA + PAGE, RAM_GPA + 2 * PAGE - 1,
				    NULL));
	ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
	EXPECT_EQ(IOVA + PAGE - 1, t.out_last);
	EXPECT_EQ(0, c.hits);
	ASSERT_EQ(0, soft_translate(&c, IOVA + PAGE, &t));
	EXPECT_EQ(0, t.out_access);
	ASSERT_EQ(0, soft_translate(&c, IOVA + 2 * PAGE, &t));
	EXPECT_EQ(RAM_GPA + 2 * PAGE, t.out_phys + IOVA + 2 * PAGE -
				      t.out_start);
	soft_close(&c);
}

/* After a reset nothing is known of before */
TEST_F(soft_log, reset)
{
	struct vhost_iommu_translate t;
	struct vmm *v = self->v;
	struct soft_cache c;

	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_EQ(0, soft_open(&c, v, EP0));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
	EXPECT_EQ(MAP_RW, t.out_access);
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
	EXPECT_EQ(0, t.out_access);
	EXPECT_EQ(0, c.hits);
	soft_close(&c);
}

static int some_unmaps(struct vmm *v, unsigned int n)
{
	const __u64 at = IOVA + MIB(1);
	int rc = 0;

	for (; !rc && n; n--)
		rc = g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW) ?:
		     g_unmap(v, DOM, at, at + PAGE - 1);
	return rc;
}

/* Who reads too late knows it, and forgets all */
TEST_F(soft_log, overtaken)
{
	struct vhost_iommu_translate t;
	struct vmm *v = self->v;
	struct soft_cache c;
	unsigned int n;

	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_EQ(0, soft_open(&c, v, EP0));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	for (n = self->log->nr - 2; n < self->log->nr + 2; n++) {
		ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
		c.hits = 0;
		c.forgotten = 0;
		ASSERT_ST(OK, some_unmaps(v, n));
		ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
		EXPECT_EQ(n >= self->log->nr, c.forgotten);
		EXPECT_EQ(n < self->log->nr, c.hits);
	}
	soft_close(&c);
}

/* What was overwritten while it was read is not believed */
TEST_F(soft_log, overtaken_amid_it)
{
	struct vhost_iommu_translate t;
	struct vmm *v = self->v;
	struct soft_cache c;
	__u64 head;

	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_EQ(0, soft_open(&c, v, EP0));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_EQ(0, soft_translate(&c, IOVA, &t));
	ASSERT_ST(OK, some_unmaps(v, 2));
	head = LOAD(&self->log->head);
	ASSERT_EQ(c.seen + 2, head);
	/* Two entries are left of those that are safe */
	ASSERT_ST(OK, some_unmaps(v, self->log->nr - 3));
	EXPECT_TRUE(soft_follow(&c, head));
	c.seen = head - 2;
	ASSERT_ST(OK, some_unmaps(v, 1));
	EXPECT_FALSE(soft_follow(&c, head));
	EXPECT_EQ(head, c.seen);
	soft_close(&c);
}

static unsigned int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Nobody writes to it but the kernel, and it is there for as long as it is mapped */
TEST_F(soft_log, file)
{
	struct vhost_iommu_get_log a = { .size = sizeof(a) };
	const int rw = PROT_READ | PROT_WRITE;
	struct vhost_iommu_log *other;
	struct vmm *v = self->v;
	void *before, *some;
	size_t len;
	__u64 head;

	EXPECT_EQ(0, self->log->__reserved);
	EXPECT_LE(sizeof(*self->log) + self->log->nr *
		  sizeof(self->log->entries[0]), self->len);
	ASSERT_EQ(0, xioctl(v->fd, VHOST_IOMMU_GET_LOG, &a));
	EXPECT_EQ(self->len, a.out_len);
	EXPECT_EQ(FD_CLOEXEC, fcntl(a.out_fd, F_GETFD));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, a.out_len, rw, MAP_SHARED, a.out_fd,
				   0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, a.out_len, rw, MAP_PRIVATE, a.out_fd,
				   0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, a.out_len + PAGE, PROT_READ,
				   MAP_SHARED, a.out_fd, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, a.out_fd,
				   PAGE));
	close(a.out_fd);
	EXPECT_EQ(-1, mprotect(self->log, self->len, rw));
	EXPECT_EQ(EACCES, errno);

	other = soft_map_log(v, &len);
	ASSERT_NE(NULL, other);
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	head = LOAD(&self->log->head);
	EXPECT_LT(0, head);
	EXPECT_EQ(head, LOAD(&other->head));
	munmap(self->log, self->len);
	self->log = NULL;
	/* It is what it was when the device is gone, and its memory somebody else's */
	before = malloc(len);
	ASSERT_NE(NULL, before);
	memcpy(before, other, len);
	close(v->fd);
	v->fd = -1;
	some = mmap(NULL, MIB(16), rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, some);
	memset(some, 0xee, MIB(16));
	EXPECT_EQ(0, memcmp(before, other, len));
	munmap(some, MIB(16));
	free(before);
	munmap(other, len);
}

/* A call that fails leaves no file */
TEST_F(soft_log, errors)
{
	struct vhost_iommu_get_log *a, b = { .size = sizeof(b) };
	struct rlimit limit, low;
	struct vmm *v = self->v;
	unsigned int n;

	a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, a);
	*a = b;
	ASSERT_EQ(0, mprotect(a, PAGE, PROT_READ));
	n = open_files();
	EXPECT_EQ(-EFAULT, xioctl(v->fd, VHOST_IOMMU_GET_LOG, a));
	EXPECT_EQ(n, open_files());
	munmap(a, PAGE);

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	low = limit;
	low.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &low));
	EXPECT_EQ(-EMFILE, xioctl(v->fd, VHOST_IOMMU_GET_LOG, &b));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(n, open_files());

	b.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, xioctl(v->fd, VHOST_IOMMU_GET_LOG, &b));
	b.flags = 0;
	b.size--;
	EXPECT_EQ(-EINVAL, xioctl(v->fd, VHOST_IOMMU_GET_LOG, &b));
}

SUITE;
