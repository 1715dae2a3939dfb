// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds for every ioctl of the user API, from one table of all of them:
 * size, flags, reserved members, faults, ownership.
 */
#include <sys/wait.h>

#include <linux/virtio_iommu_table.h>

#include "suite.h"

struct ioctl_desc {
	unsigned long cmd;
	__u32 size;
	/* What a call with valid arguments returns here, where no device is */
	int good;
	__u32 known_flags;
	/* Can be called without owning the device */
	bool anybody;
	/* Members that must be 0 */
	struct {
		__u32 at;
		__u32 len;
	} reserved;
	/* Valid arguments; called once */
	int (*prepare)(struct vmm *v, void *arg);
};

static int prep_none(struct vmm *v, void *arg)
{
	return 0;
}

static int prep_config(struct vmm *v, void *arg)
{
	memcpy(arg, &v->config, sizeof(v->config));
	return 0;
}

static int prep_iommufd(struct vmm *v, void *arg)
{
	struct vhost_iommu_info info = { .size = sizeof(info) };
	struct vhost_iommu_set_iommufd *a = arg;
	int rc = vmm_open_iommufd(v);

	if (!rc)
		rc = xioctl(v->fd, VHOST_IOMMU_GET_INFO, &info);
	if (rc)
		return rc;
	v->scratch_len = info.out_scratch_size;
	v->scratch = mmap(NULL, v->scratch_len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v->scratch == MAP_FAILED)
		return -ENOMEM;
	a->iommufd = v->iommufd;
	a->ram_ioas_id = v->ram_ioas;
	a->scratch_addr = (__u64)(uintptr_t)v->scratch;
	a->scratch_len = v->scratch_len;
	return 0;
}

static int prep_add(struct vmm *v, void *arg)
{
	struct vhost_iommu_add_endpoint *a = arg;

	a->endpoint = EMU(1);
	a->device_fd = -1;
	return 0;
}

static int prep_viommu(struct vmm *v, void *arg)
{
	struct vhost_iommu_add_viommu *a = arg;

	/* Without an iommufd; with one, and a device: see table_uapi.c */
	a->flags = VHOST_IOMMU_VIOMMU_ID;
	a->viommu = VMM_HANDLE(1);
	a->format = VIRTIO_IOMMU_FORMAT_ARM_SMMUV3;
	a->parent_hwpt_id = 2;
	a->viommu_id = 1;
	return 0;
}

static int prep_eventq(struct vmm *v, void *arg)
{
	struct vhost_iommu_add_eventq *a = arg;

	/* There is no vIOMMU; where there is one, see table_eventq.c */
	a->eventq = VMM_HANDLE(2);
	a->type = VHOST_IOMMU_EVENTQ_VIOMMU;
	a->viommu = VMM_HANDLE(1);
	a->fd = -1;
	return 0;
}

static int prep_stats(struct vmm *v, void *arg)
{
	static struct vhost_iommu_stat list[8];
	struct vhost_iommu_get_stats *a = arg;

	a->addr = (__u64)(uintptr_t)list;
	a->nr = ARRAY_SIZE(list);
	return 0;
}

static int prep_refusal(struct vmm *v, void *arg)
{
	int rc = vmm_start(v);

	/* There is no such domain */
	if (!rc)
		rc = g_map(v, 1, 0, PAGE - 1, RAM_GPA, MAP_R) == NOENT ?
		     0 : -EPROTO;
	return rc ? rc : vmm_set_running(v, false);
}

static int prep_endpoint(struct vmm *v, void *arg)
{
	/* The ID is at the same place in all calls that are about one endpoint */
	struct vhost_iommu_remove_endpoint *a = arg;

	a->endpoint = EMU(0);
	return vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0);
}

static int prep_doorbell(struct vmm *v, void *arg)
{
	struct vhost_iommu_set_doorbell *a = arg;

	a->start = DOORBELL_GPA;
	a->last = DOORBELL_GPA + PAGE - 1;
	return 0;
}

static int prep_ram(struct vmm *v, void *arg)
{
	struct vhost_iommu_remove_ram *a = arg;

	a->start = RAM_GPA;
	a->last = RAM_GPA + PAGE - 1;
	return 0;
}

static int prep_running(struct vmm *v, void *arg)
{
	struct vhost_iommu_set_running *a = arg;

	a->running = 1;
	return 0;
}

static int prep_limits(struct vmm *v, void *arg)
{
	struct vhost_iommu_set_limits *a = arg;

	a->max_domains = 10;
	a->max_mappings = 10;
	a->max_table_pages = 10;
	a->max_domain_mappings = 10;
	a->max_domain_table_pages = 10;
	return 0;
}

static int prep_vhost(struct vmm *v, void *arg)
{
	/* Without a vhost device; with one, see vnet.c */
	struct vhost_iommu_vhost_file *a = arg;

	a->endpoint = EMU(0);
	a->fd = -1;
	return vmm_add_endpoint(v, a->endpoint, NULL, -1, NULL, 0);
}

static int prep_notify(struct vmm *v, void *arg)
{
	struct vhost_iommu_get_log log = { .size = sizeof(log) };
	struct vhost_iommu_set_notify *a = arg;
	int rc = xioctl(v->fd, VHOST_IOMMU_GET_LOG, &log);

	if (rc)
		return rc;
	close(log.out_fd);
	a->endpoint = EMU(0);
	return vmm_add_endpoint(v, a->endpoint, NULL, -1, NULL, 0);
}

/* Nobody waits for the first entry */
static int prep_ack(struct vmm *v, void *arg)
{
	struct vhost_iommu_set_notify notify;
	struct vhost_iommu_ack *a = arg;

	a->sequence = 1;
	return prep_notify(v, &notify);
}

static int prep_bypass(struct vmm *v, void *arg)
{
	struct vhost_iommu_set_bypass *a = arg;

	a->bypass = 1;
	return 0;
}

#define RESERVED(s)	.reserved = {					\
	offsetof(struct vhost_iommu_##s, __reserved),			\
	sizeof(((struct vhost_iommu_##s *)0)->__reserved) }

#define IOCTLS(X)							\
	X(get_info, GET_INFO, info, prep_none, .anybody = true)		\
	X(set_config, SET_CONFIG, set_config, prep_config,		\
	  .known_flags = VHOST_IOMMU_CONFIG_WORKER_ONLY,		\
	  RESERVED(set_config))						\
	X(set_limits, SET_LIMITS, set_limits, prep_limits,		\
	  RESERVED(set_limits))						\
	X(set_iommufd, SET_IOMMUFD, set_iommufd, prep_iommufd,		\
	  RESERVED(set_iommufd))					\
	X(add_viommu, ADD_VIOMMU, add_viommu, prep_viommu,		\
	  .known_flags = VHOST_IOMMU_VIOMMU_ID, .good = -ENXIO)		\
	X(remove_viommu, REMOVE_VIOMMU, remove_viommu, prep_none,	\
	  .good = -ENOENT, RESERVED(remove_viommu))			\
	X(add_eventq, ADD_EVENTQ, add_eventq, prep_eventq,		\
	  .good = -ENOENT)						\
	X(remove_eventq, REMOVE_EVENTQ, remove_eventq, prep_none,	\
	  .good = -ENOENT, RESERVED(remove_eventq))			\
	X(add_endpoint, ADD_ENDPOINT, add_endpoint, prep_add,		\
	  .known_flags = VHOST_IOMMU_EP_DEVICE | VHOST_IOMMU_EP_GROUP |	\
			 VHOST_IOMMU_EP_TABLE)				\
	X(remove_endpoint, REMOVE_ENDPOINT, remove_endpoint,		\
	  prep_endpoint, RESERVED(remove_endpoint))			\
	X(set_doorbell, SET_DOORBELL, set_doorbell, prep_doorbell,	\
	  .known_flags = VHOST_IOMMU_DOORBELL_REMOVE)			\
	X(remove_ram, REMOVE_RAM, remove_ram, prep_ram,			\
	  .known_flags = 0)						\
	X(set_bypass, SET_BYPASS, set_bypass, prep_bypass,		\
	  RESERVED(set_bypass))						\
	X(set_running, SET_RUNNING, set_running, prep_running,		\
	  RESERVED(set_running))					\
	X(reset, RESET, reset, prep_none, .known_flags = 0)		\
	X(get_stats, GET_STATS, get_stats, prep_stats,			\
	  .anybody = true)						\
	X(get_refusal, GET_REFUSAL, get_refusal, prep_refusal,		\
	  .anybody = true)						\
	X(get_attachment, GET_ATTACHMENT, get_attachment,		\
	  prep_endpoint, .anybody = true)				\
	X(translate, TRANSLATE, translate, prep_endpoint,		\
	  .known_flags = VHOST_IOMMU_ACCESS_READ |			\
			 VHOST_IOMMU_ACCESS_WRITE,			\
	  RESERVED(translate))						\
	X(get_log, GET_LOG, get_log, prep_none, .known_flags = 0)	\
	X(add_vhost, ADD_VHOST, vhost_file, prep_vhost, .good = -EBADF)	\
	X(remove_vhost, REMOVE_VHOST, vhost_file, prep_vhost,		\
	  .good = -EBADF)						\
	X(vhost_miss, VHOST_MISS, vhost_miss, prep_vhost,		\
	  .known_flags = VHOST_IOMMU_ACCESS_READ |			\
			 VHOST_IOMMU_ACCESS_WRITE,			\
	  .good = -EBADF)						\
	X(set_notify, SET_NOTIFY, set_notify, prep_notify,		\
	  .known_flags = VHOST_IOMMU_NOTIFY_ON, RESERVED(set_notify))	\
	X(ack, ACK, ack, prep_ack, .known_flags = 0)

#define AS_ENUM(n, c, s, p, ...) IOCTL_##n,
enum { IOCTLS(AS_ENUM) NR_IOCTLS };

#define AS_DESC(n, c, s, p, ...) [IOCTL_##n] = {			\
	.cmd = VHOST_IOMMU_##c, .size = sizeof(struct vhost_iommu_##s),	\
	.prepare = p, __VA_ARGS__ },
static const struct ioctl_desc descs[] = { IOCTLS(AS_DESC) };

FIXTURE(ioctl)
{
	struct vmm v;
	const struct ioctl_desc *d;
	/* Flags of a call with valid arguments */
	__u32 flags;
	/* The argument is at the end of a page, the next one is not mapped */
	char *page;
	__u8 *arg;
};

FIXTURE_VARIANT(ioctl)
{
	unsigned int i;
};

#define AS_VARIANT(n, c, s, p, ...)					\
	FIXTURE_VARIANT_ADD(ioctl, n) { .i = IOCTL_##n };
IOCTLS(AS_VARIANT)

FIXTURE_SETUP(ioctl)
{
	struct vmm *v = &self->v;
	int rc;

	self->d = &descs[variant->i];
	self->page = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + 2 * PAGE, PAGE, PROT_NONE));
	self->arg = (__u8 *)self->page;
	vmm_init(v);
	ASSERT_EQ(0, vmm_open(v));
	ASSERT_EQ(0, vmm_add_ram(v, RAM_GPA, RAM_SIZE));
	ASSERT_EQ(0, vmm_set_owner(v));
	ASSERT_EQ(0, vmm_set_mem_table(v));
	ASSERT_EQ(0, vmm_set_config(v));
	ASSERT_EQ(0, vmm_set_features(v));
	ASSERT_EQ(0, vmm_set_rings(v, 256));
	rc = self->d->prepare(v, self->arg);
	if (rc == -ENOTTY && sizeof(long) == 4)
		SKIP(return, "iommufd does not serve 32-bit callers");
	ASSERT_EQ(0, rc);
	*(__u32 *)self->arg = self->d->size;
	self->flags = ((__u32 *)self->arg)[1];
}

FIXTURE_TEARDOWN(ioctl)
{
	vmm_close(&self->v);
}

/* A call that fails writes nothing */
static int failing(FIXTURE_DATA(ioctl) *self, void *arg, __u32 len)
{
	__u8 copy[1024];
	int rc;

	memcpy(copy, arg, len);
	rc = xioctl(self->v.fd, self->d->cmd, arg);
	if (memcmp(copy, arg, len))
		return -EUCLEAN;
	return rc;
}

/* Whether a call that is right does what it can here */
static bool good(FIXTURE_DATA(ioctl) *self)
{
	int rc = xioctl(self->v.fd, self->d->cmd, self->arg);

	if (rc != self->d->good)
		ksft_print_msg("%s\n", strerror(-rc));
	return rc == self->d->good;
}

TEST_F(ioctl, exact)
{
	EXPECT_TRUE(good(self));
	/* The caller's words are left as they were */
	EXPECT_EQ(self->d->size, *(__u32 *)self->arg);
	EXPECT_EQ(self->flags, ((__u32 *)self->arg)[1]);
}

TEST_F(ioctl, short)
{
	__u32 size;

	for (size = 0; size < self->d->size; size++) {
		*(__u32 *)self->arg = size;
		EXPECT_EQ(-EINVAL, failing(self, self->arg, self->d->size))
			TH_LOG("size %u of %u", size, self->d->size);
	}
	*(__u32 *)self->arg = self->d->size;
	EXPECT_TRUE(good(self));
}

/* What is behind the structure is neither read nor written */
TEST_F(ioctl, behind)
{
	__u8 *rest = self->arg + self->d->size;

	memset(rest, 0x5a, 64);
	EXPECT_TRUE(good(self));
	EXPECT_TRUE(all_bytes(rest, 0x5a, 64));
}

TEST_F(ioctl, long_zero)
{
	*(__u32 *)self->arg = self->d->size + 64;
	EXPECT_TRUE(good(self));
}

TEST_F(ioctl, long_not_zero)
{
	static const __u32 extra[] = { 1, 4, 8, 64 };
	unsigned int i;
	__u32 at;

	for (i = 0; i < ARRAY_SIZE(extra); i++) {
		*(__u32 *)self->arg = self->d->size + extra[i];
		for (at = 0; at < extra[i]; at++) {
			self->arg[self->d->size + at] = 1;
			EXPECT_EQ(-E2BIG, failing(self, self->arg,
						  self->d->size + extra[i]));
			self->arg[self->d->size + at] = 0;
		}
	}
	*(__u32 *)self->arg = self->d->size;
	EXPECT_TRUE(good(self));
}

/* Flags that there are not, and reserved members if it has some */
TEST_F(ioctl, must_be_zero)
{
	__u32 *flags = (__u32 *)self->arg + 1;
	unsigned int bit, i;

	for (bit = 0; bit < 32; bit++) {
		if (self->d->known_flags & 1u << bit)
			continue;
		*flags = self->flags | 1u << bit;
		EXPECT_EQ(-EOPNOTSUPP, failing(self, self->arg, self->d->size))
			TH_LOG("flag bit %u", bit);
	}
	*flags = self->flags;
	for (i = 0; i < self->d->reserved.len; i++) {
		__u8 *p = self->arg + self->d->reserved.at + i;

		*p = 1;
		EXPECT_EQ(-EOPNOTSUPP, failing(self, self->arg, self->d->size))
			TH_LOG("reserved byte %u", i);
		*p = 0;
	}
	EXPECT_TRUE(good(self));
}

TEST_F(ioctl, fault)
{
	__u8 *edge = (__u8 *)self->page + 2 * PAGE;
	__u32 at;

	EXPECT_EQ(-EFAULT, xioctl(self->v.fd, self->d->cmd, NULL));
	EXPECT_EQ(-EFAULT, xioctl(self->v.fd, self->d->cmd, edge));
	EXPECT_EQ(-EFAULT, xioctl(self->v.fd, self->d->cmd, (void *)-1L));
	/* Part of it can be read */
	for (at = 4; at < self->d->size; at += 4) {
		memcpy(edge - at, self->arg, at);
		EXPECT_EQ(-EFAULT, failing(self, edge - at, at));
	}
	/* So can all that the kernel knows, but not all of what there is */
	memset(edge - PAGE, 0, PAGE);
	memcpy(edge - PAGE, self->arg, self->d->size);
	*(__u32 *)(edge - PAGE) = PAGE + 4;
	EXPECT_EQ(-EFAULT, failing(self, edge - PAGE, self->d->size));
	/* At the very end of what is mapped */
	memcpy(edge - self->d->size, self->arg, self->d->size);
	EXPECT_EQ(self->d->good, xioctl(self->v.fd, self->d->cmd,
					edge - self->d->size));
}

TEST_F(ioctl, not_owned)
{
	struct vmm v;
	int rc;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	rc = xioctl(v.fd, self->d->cmd, self->arg);
	EXPECT_EQ(!self->d->anybody, rc == -EPERM)
		TH_LOG("%s", strerror(-rc));
	vmm_close(&v);
}

TEST_F(ioctl, other_process)
{
	int status, rc;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		rc = xioctl(self->v.fd, self->d->cmd, self->arg);
		_exit(rc == (self->d->anybody ? self->d->good : -EPERM));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(1, WEXITSTATUS(status));
	EXPECT_TRUE(good(self));
}

/* The table has all there are: the rest of our range is not an ioctl */
TEST(ioctl_numbers)
{
	unsigned int nr, i;
	__u32 arg[256] = { sizeof(arg) };
	struct vmm v;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	ASSERT_EQ(0, vmm_set_owner(&v));
	for (nr = 0; nr < 0x40; nr++) {
		unsigned long cmd = _IO(VHOST_IOMMU_TYPE, nr);

		for (i = 0; i < NR_IOCTLS; i++)
			if (descs[i].cmd == cmd)
				break;
		if (i == NR_IOCTLS)
			EXPECT_EQ(-ENOTTY, xioctl(v.fd, cmd, arg))
				TH_LOG("ioctl 0x%x", nr);
	}
	/* Beyond our range, and in that of all vhost devices */
	EXPECT_EQ(-ENOTTY, xioctl(v.fd, _IO(VHOST_IOMMU_TYPE, 0x40), arg));
	EXPECT_EQ(-ENOTTY, xioctl(v.fd, _IO(VHOST_IOMMU_TYPE, 0xff), arg));
	for (nr = 0x50; nr < 0x60; nr++)
		EXPECT_EQ(-ENOTTY, xioctl(v.fd, _IO(VHOST_VIRTIO, nr), arg))
			TH_LOG("vhost ioctl 0x%x", nr);
	EXPECT_EQ(-ENOTTY, xioctl(v.fd, _IO(0x42, 0), arg));
	/* The direction and size bits belong to the number */
	EXPECT_EQ(-ENOTTY, xioctl(v.fd, _IOWR(VHOST_IOMMU_TYPE, 0,
					      struct vhost_iommu_info), arg));
	vmm_close(&v);
}

SUITE;
