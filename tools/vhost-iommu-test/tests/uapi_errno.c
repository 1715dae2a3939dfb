// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each errno of the user API, and what the vhost ioctls are restricted to.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <linux/virtio_iommu_table.h>

#include "suite.h"

FIXTURE(uapi)
{
	struct vmm v;
	struct vhost_iommu_info info;
};

FIXTURE_SETUP(uapi)
{
	struct vmm *v = &self->v;

	vmm_init(v);
	ASSERT_EQ(0, vmm_prepare(v, false));
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, xioctl(v->fd, VHOST_IOMMU_GET_INFO, &self->info));
}

FIXTURE_TEARDOWN(uapi)
{
	vmm_close(&self->v);
}

TEST_F(uapi, info)
{
	struct vhost_iommu_info *i = &self->info;
	__u64 features;

	EXPECT_EQ(0, i->__reserved);
	EXPECT_EQ((1ULL << 25) - 1, i->out_calls);
	EXPECT_TRUE(i->out_capabilities & VHOST_IOMMU_CAP_MAP_UNMAP);
	EXPECT_TRUE(i->out_capabilities & VHOST_IOMMU_CAP_ATTACH_TABLE);
	EXPECT_TRUE(i->out_table_formats &
		    1ULL << VIRTIO_IOMMU_FORMAT_ARM_SMMUV3);
	EXPECT_GE(i->out_max_viommus, 8);
	EXPECT_EQ(128, i->out_max_eventqs);
	EXPECT_EQ(4, i->out_max_queues);
	EXPECT_EQ(IOMMU_HWPT_ALLOC_DIRTY_TRACKING | IOMMU_HWPT_ALLOC_PASID,
		  i->out_hwpt_flags);
	EXPECT_GT(i->out_scratch_size, 0);
	EXPECT_GE(i->out_max_probe_size, 512);
	EXPECT_GE(i->out_max_domains, 256);
	EXPECT_GE(i->out_max_endpoints, 256);
	EXPECT_GE(i->out_max_mappings, 65536);
	EXPECT_GE(i->out_max_table_pages, 65536);
	EXPECT_GE(i->out_max_doorbells, 1);
	ASSERT_EQ(0, xioctl(self->v.fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE) |
		  FEATURE(VIRTIO_IOMMU_F_MQ), i->out_proposals);
	EXPECT_EQ(i->out_features, features | i->out_proposals);
	EXPECT_EQ(0, features & i->out_proposals);
}

TEST_F(uapi, features_offered)
{
	__u64 all = ALL_FEATURES | FEATURE(VIRTIO_F_ANY_LAYOUT) |
		    FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY);
	__u64 features;

	ASSERT_EQ(0, xioctl(self->v.fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(all, features);
}

TEST_F(uapi, features_unknown)
{
	__u64 offered, features;
	unsigned int bit;

	ASSERT_EQ(0, xioctl(self->v.fd, VHOST_GET_FEATURES, &offered));
	for (bit = 0; bit < 64; bit++) {
		if (offered & FEATURE(bit))
			continue;
		features = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(bit);
		EXPECT_EQ(-EOPNOTSUPP, xioctl(self->v.fd, VHOST_SET_FEATURES,
					      &features))
			TH_LOG("feature bit %u", bit);
	}
	EXPECT_EQ(0, xioctl(self->v.fd, VHOST_SET_FEATURES, &offered));
}

TEST_F(uapi, features_while_running)
{
	ASSERT_EQ(0, vmm_start(&self->v));
	EXPECT_EQ(-EBUSY, vmm_set_features(&self->v));
	ASSERT_EQ(0, vmm_set_running(&self->v, false));
	EXPECT_EQ(0, vmm_set_features(&self->v));
}

/* A worker that is a kernel thread would have the rights of one */
TEST(kthread_mode_is_refused)
{
	struct vmm v;
	__u8 fork_owner = VHOST_FORK_OWNER_KTHREAD;
	int rc;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	EXPECT_EQ(-EOPNOTSUPP, xioctl(v.fd, VHOST_SET_FORK_FROM_OWNER,
				      &fork_owner));
	fork_owner = VHOST_FORK_OWNER_TASK;
	/* A kernel without the choice does not know the ioctl */
	rc = xioctl(v.fd, VHOST_SET_FORK_FROM_OWNER, &fork_owner);
	EXPECT_TRUE(!rc || rc == -EPERM)
		TH_LOG("%s", strerror(-rc));
	ASSERT_EQ(0, vmm_set_owner(&v));
	EXPECT_GT(vmm_worker_tid(), 0);
	vmm_close(&v);
}

TEST_F(uapi, reset_owner)
{
	EXPECT_EQ(-EOPNOTSUPP, xioctl(self->v.fd, VHOST_RESET_OWNER, NULL));
}

TEST_F(uapi, set_owner_twice)
{
	EXPECT_EQ(-EBUSY, vmm_set_owner(&self->v));
}

TEST_F(uapi, config_values)
{
	struct vhost_iommu_set_config good = self->v.config;
	struct vhost_iommu_set_config *c = &self->v.config;
	struct vmm *v = &self->v;

#define BAD(field, value) do {						\
	*c = good;							\
	c->field = (value);						\
	EXPECT_EQ(-EINVAL, vmm_set_config(v))				\
		TH_LOG(#field " " #value);				\
} while (0)
	BAD(page_size_mask, 0);
	BAD(page_size_mask, 1);
	BAD(page_size_mask, 0x800);
	BAD(page_size_mask, ~0ULL);
	BAD(page_size_mask, 0x1800);
	BAD(bypass, 2);
	BAD(bypass, 255);
	BAD(probe_size, self->info.out_max_probe_size + 1);
	BAD(probe_size, ~0u);
	BAD(num_queues, 0);
	BAD(num_queues, self->info.out_max_queues + 1);
	BAD(num_queues, ~0u);
#undef BAD
	*c = good;
	c->input_start = 1;
	c->input_end = 0;
	EXPECT_EQ(-EINVAL, vmm_set_config(v));
	*c = good;
	c->domain_start = 8;
	c->domain_end = 7;
	EXPECT_EQ(-EINVAL, vmm_set_config(v));
	/* The extremes that are valid */
	*c = good;
	c->page_size_mask = 1ULL << 63;
	c->input_start = c->input_end = ~0ULL;
	c->domain_start = c->domain_end = ~0u;
	c->probe_size = self->info.out_max_probe_size;
	c->bypass = 1;
	EXPECT_EQ(0, vmm_set_config(v));
	*c = good;
	EXPECT_EQ(0, vmm_set_config(v));
}

TEST_F(uapi, config_busy)
{
	struct vmm *v = &self->v;

	ASSERT_EQ(0, vmm_start(v));
	EXPECT_EQ(-EBUSY, vmm_set_config(v));
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(0, vmm_set_config(v));
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0));
	EXPECT_EQ(-EBUSY, vmm_set_config(v));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EMU(0)));
	EXPECT_EQ(0, vmm_set_config(v));
}

FIXTURE(uapi_iommufd)
{
	struct vmm v;
};

FIXTURE_SETUP(uapi_iommufd)
{
	int rc;

	vmm_init(&self->v);
	rc = vmm_prepare(&self->v, true);
	if (rc == -ENOTTY && sizeof(long) == 4)
		SKIP(return, "iommufd does not serve 32-bit callers");
	ASSERT_EQ(0, rc);
}

FIXTURE_TEARDOWN(uapi_iommufd)
{
	vmm_close(&self->v);
}

TEST_F(uapi_iommufd, values)
{
	struct vhost_iommu_set_iommufd good = {
		.size = sizeof(good),
		.iommufd = self->v.iommufd,
		.ram_ioas_id = self->v.ram_ioas,
		.scratch_addr = (__u64)(uintptr_t)self->v.scratch,
		.scratch_len = self->v.scratch_len,
	}, a;
	int null = open("/dev/null", O_RDWR);
	struct vmm w;

	/* vmm_prepare() has made the one call that works */
	EXPECT_EQ(-EBUSY, xioctl(self->v.fd, VHOST_IOMMU_SET_IOMMUFD, &good));

	vmm_init(&w);
	ASSERT_EQ(0, vmm_open(&w));
	ASSERT_EQ(0, vmm_set_owner(&w));
#define BAD(err, field, value) do {					\
	a = good;							\
	a.field = (value);						\
	EXPECT_EQ(-(err), xioctl(w.fd, VHOST_IOMMU_SET_IOMMUFD, &a))	\
		TH_LOG(#field " " #value);				\
} while (0)
	BAD(EBADF, iommufd, -1);
	BAD(EBADF, iommufd, 1000);
	BAD(EBADFD, iommufd, null);
	BAD(EBADFD, iommufd, w.fd);
	BAD(EBADFD, iommufd, self->v.fd);
	BAD(ENOENT, ram_ioas_id, 12345);
	BAD(ENOENT, ram_ioas_id, 0);
	BAD(EINVAL, scratch_addr, good.scratch_addr + 1);
	BAD(EINVAL, scratch_addr, good.scratch_addr + 4);
	BAD(EINVAL, scratch_len, good.scratch_len - 1);
	BAD(EINVAL, scratch_len, 0);
	BAD(EFAULT, scratch_addr, 0);
	BAD(EFAULT, scratch_addr, ~7ULL);
#undef BAD
	EXPECT_EQ(0, xioctl(w.fd, VHOST_IOMMU_SET_IOMMUFD, &good));
	EXPECT_EQ(-EBUSY, xioctl(w.fd, VHOST_IOMMU_SET_IOMMUFD, &good));
	vmm_close(&w);
	close(null);
}

TEST_F(uapi, endpoint_exists)
{
	EXPECT_EQ(0, vmm_add_endpoint(&self->v, EMU(0), NULL, -1, NULL, 0));
	EXPECT_EQ(-EEXIST, vmm_add_endpoint(&self->v, EMU(0), NULL, -1, NULL,
					    0));
	EXPECT_EQ(-EEXIST, vmm_add_endpoint(&self->v, EMU(0), NULL, 5, NULL,
					    0));
	EXPECT_EQ(0, vmm_remove_endpoint(&self->v, EMU(0)));
	EXPECT_EQ(0, vmm_add_endpoint(&self->v, EMU(0), NULL, -1, NULL, 0));
}

TEST_F(uapi, endpoint_not_there)
{
	EXPECT_EQ(-ENOENT, vmm_remove_endpoint(&self->v, EMU(0)));
	ASSERT_EQ(0, vmm_add_endpoint(&self->v, EMU(0), NULL, -1, NULL, 0));
	EXPECT_EQ(-ENOENT, vmm_remove_endpoint(&self->v, EMU(1)));
	EXPECT_EQ(0, vmm_remove_endpoint(&self->v, EMU(0)));
	EXPECT_EQ(-ENOENT, vmm_remove_endpoint(&self->v, EMU(0)));
}

TEST(endpoint_before_config)
{
	struct vmm v;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	ASSERT_EQ(0, vmm_set_owner(&v));
	EXPECT_EQ(-ENXIO, vmm_add_endpoint(&v, EMU(0), NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_set_config(&v));
	EXPECT_EQ(0, vmm_add_endpoint(&v, EMU(0), NULL, -1, NULL, 0));
	vmm_close(&v);
}

TEST(device_before_iommufd)
{
	struct dma_dev d = { .fd = open("/dev/null", O_RDWR) };
	struct vmm v;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	ASSERT_EQ(0, vmm_set_owner(&v));
	ASSERT_EQ(0, vmm_set_config(&v));
	EXPECT_EQ(-ENXIO, vmm_add_endpoint(&v, EMU(0), &d, -1, NULL, 0));
	vmm_close(&v);
	close(d.fd);
}

TEST_F(uapi_iommufd, endpoint_device_fd)
{
	struct dma_dev d = { .fd = -1 };
	struct vmm w;

	vmm_init(&w);
	ASSERT_EQ(0, vmm_open(&w));
	EXPECT_EQ(-EBADF, vmm_add_endpoint(&self->v, EMU(0), &d, -1, NULL, 0));
	d.fd = 1000;
	EXPECT_EQ(-EBADF, vmm_add_endpoint(&self->v, EMU(0), &d, -1, NULL, 0));
	d.fd = open("/dev/null", O_RDWR);
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->v, EMU(0), &d, -1, NULL,
					    0));
	close(d.fd);
	d.fd = eventfd(0, 0);
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->v, EMU(0), &d, -1, NULL,
					    0));
	close(d.fd);
	d.fd = self->v.fd;
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->v, EMU(0), &d, -1, NULL,
					    0));
	d.fd = w.fd;
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->v, EMU(0), &d, -1, NULL,
					    0));
	d.fd = self->v.iommufd;
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->v, EMU(0), &d, -1, NULL,
					    0));
	vmm_close(&w);
}

TEST_F(uapi, probe_list)
{
	struct virtio_iommu_probe_resv_mem p[4];
	struct virtio_iommu_probe_property *head = &p[0].head;
	struct vmm *v = &self->v;
	__u32 len = sizeof(p[0]), i;
	__u8 *big;

#define TRY(err, n) do {						\
	int __err = (err);						\
									\
	EXPECT_EQ(-__err, vmm_add_endpoint(v, EMU(0), NULL, -1, p, n));	\
	EXPECT_EQ(__err ? -ENOENT : 0, vmm_remove_endpoint(v, EMU(0)));	\
} while (0)
	memset(p, 0, sizeof(p));
	probe_resv(&p[0], 0, 0x1000, 0x1fff);
	TRY(0, len);
	/* Cut off, in the header and behind it */
	for (i = 1; i < len; i++)
		TRY(EINVAL, i);
	head->length = htole16(len);
	TRY(EINVAL, len);
	head->length = htole16(0xffff);
	TRY(EINVAL, len);
	head->length = htole16(8);
	TRY(EINVAL, len);
	probe_resv(&p[0], 0, 0x2000, 0x1fff);
	TRY(EINVAL, len);
	/* Overlaps */
	probe_resv(&p[0], 0, 0x1000, 0x1fff);
	probe_resv(&p[1], 0, 0x1fff, 0x2fff);
	TRY(EINVAL, 2 * len);
	probe_resv(&p[1], 0, 0, ~0ULL);
	TRY(EINVAL, 2 * len);
	probe_resv(&p[1], 0, 0x2000, 0x2fff);
	TRY(0, 2 * len);
	/* MSI regions */
	probe_resv(&p[0], 1, 0x1000, 0x1fff);
	TRY(0, 2 * len);
	probe_resv(&p[1], 1, 0x2000, 0x2fff);
	TRY(EINVAL, 2 * len);
#undef TRY
	EXPECT_EQ(-EFAULT, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, len));
	EXPECT_EQ(-EFAULT, vmm_add_endpoint(v, EMU(0), NULL, -1, (void *)-8L,
					    len));
	big = calloc(1, self->info.out_max_probe_size + 1);
	ASSERT_NE(NULL, big);
	EXPECT_EQ(-EINVAL, vmm_add_endpoint(v, EMU(0), NULL, -1, big,
					    self->info.out_max_probe_size +
					    1));
	free(big);
}

TEST_F(uapi, doorbells)
{
	struct vmm *v = &self->v;
	__u32 i;

	EXPECT_EQ(-EINVAL, vmm_set_doorbell(v, 0x2000, 0x1fff, 0));
	EXPECT_EQ(-ENOENT, vmm_set_doorbell(v, 0x2000, 0x2fff,
					    VHOST_IOMMU_DOORBELL_REMOVE));
	EXPECT_EQ(0, vmm_set_doorbell(v, 0x2000, 0x2fff, 0));
	EXPECT_EQ(-EEXIST, vmm_set_doorbell(v, 0x2000, 0x2fff, 0));
	EXPECT_EQ(-EEXIST, vmm_set_doorbell(v, 0x1000, 0x2000, 0));
	EXPECT_EQ(-EEXIST, vmm_set_doorbell(v, 0x2fff, 0x3000, 0));
	EXPECT_EQ(-EEXIST, vmm_set_doorbell(v, 0x2800, 0x2800, 0));
	EXPECT_EQ(-EEXIST, vmm_set_doorbell(v, 0, ~0ULL, 0));
	EXPECT_EQ(0, vmm_set_doorbell(v, 0x3000, 0x3000, 0));
	EXPECT_EQ(0, vmm_set_doorbell(v, ~0ULL, ~0ULL, 0));
	EXPECT_EQ(-ENOENT, vmm_set_doorbell(v, 0x2000, 0x2ffe,
					    VHOST_IOMMU_DOORBELL_REMOVE));
	EXPECT_EQ(0, vmm_set_doorbell(v, 0x2000, 0x2fff,
				      VHOST_IOMMU_DOORBELL_REMOVE));
	EXPECT_EQ(-ENOENT, vmm_set_doorbell(v, 0x2000, 0x2fff,
					    VHOST_IOMMU_DOORBELL_REMOVE));
	for (i = 2; i < self->info.out_max_doorbells; i++)
		ASSERT_EQ(0, vmm_set_doorbell(v, MIB(1) + i * PAGE,
					      MIB(1) + i * PAGE, 0));
	EXPECT_EQ(-ENOSPC, vmm_set_doorbell(v, 0x2000, 0x2fff, 0));
	EXPECT_EQ(0, vmm_set_doorbell(v, 0x3000, 0x3000,
				      VHOST_IOMMU_DOORBELL_REMOVE));
	EXPECT_EQ(0, vmm_set_doorbell(v, 0x2000, 0x2fff, 0));
}

TEST_F(uapi, remove_ram_values)
{
	struct vmm *v = &self->v;

	EXPECT_EQ(-EINVAL, vmm_remove_ram(v, RAM_GPA, RAM_GPA - 1, NULL));
	EXPECT_EQ(-EINVAL, vmm_remove_ram(v, RAM_GPA + 1, RAM_GPA + PAGE - 1,
					  NULL));
	EXPECT_EQ(-EINVAL, vmm_remove_ram(v, RAM_GPA, RAM_GPA + PAGE - 2,
					  NULL));
	EXPECT_EQ(0, vmm_remove_ram(v, RAM_GPA, RAM_GPA + PAGE - 1, NULL));
	EXPECT_EQ(0, vmm_remove_ram(v, 0, ~0ULL, NULL));
}

TEST_F(uapi, running_values)
{
	struct vhost_iommu_set_running a = { .size = sizeof(a), .running = 2 };
	struct vmm *v = &self->v;

	EXPECT_EQ(-EINVAL, xioctl(v->fd, VHOST_IOMMU_SET_RUNNING, &a));
	a.running = ~0u;
	EXPECT_EQ(-EINVAL, xioctl(v->fd, VHOST_IOMMU_SET_RUNNING, &a));
	EXPECT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(0, vmm_set_running(v, true));
	EXPECT_EQ(0, vmm_set_running(v, true));
	EXPECT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(0, vmm_set_running(v, false));
}

TEST(running_too_early)
{
	struct vmm v;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	ASSERT_EQ(0, vmm_set_owner(&v));
	ASSERT_EQ(0, vmm_set_config(&v));
	/* No rings */
	EXPECT_EQ(-EFAULT, vmm_set_running(&v, true));
	ASSERT_EQ(0, vmm_add_ram(&v, RAM_GPA, RAM_SIZE));
	ASSERT_EQ(0, vmm_set_mem_table(&v));
	ASSERT_EQ(0, vmm_set_features(&v));
	ASSERT_EQ(0, vmm_set_rings(&v, 256));
	EXPECT_EQ(0, vmm_set_running(&v, true));
	vmm_close(&v);

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	ASSERT_EQ(0, vmm_add_ram(&v, RAM_GPA, RAM_SIZE));
	ASSERT_EQ(0, vmm_set_owner(&v));
	ASSERT_EQ(0, vmm_set_mem_table(&v));
	ASSERT_EQ(0, vmm_set_features(&v));
	ASSERT_EQ(0, vmm_set_rings(&v, 256));
	/* No configuration */
	EXPECT_EQ(-ENXIO, vmm_set_running(&v, true));
	vmm_close(&v);
}

TEST_F(uapi, limits_values)
{
	struct vhost_iommu_info *i = &self->info;
	struct vmm *v = &self->v;

	EXPECT_EQ(0, vmm_set_limits(v, 0, 0, 0));
	EXPECT_EQ(0, vmm_set_limits(v, i->out_max_domains, i->out_max_mappings,
				    i->out_max_table_pages));
	EXPECT_EQ(-EINVAL, vmm_set_limits(v, i->out_max_domains + 1, 0, 0));
	EXPECT_EQ(-EINVAL, vmm_set_limits(v, 0, i->out_max_mappings + 1, 0));
	EXPECT_EQ(-EINVAL, vmm_set_limits(v, 0, 0,
					  i->out_max_table_pages + 1));
	EXPECT_EQ(-EINVAL, vmm_set_limits(v, ~0u, ~0ULL, ~0ULL));
	EXPECT_EQ(0, vmm_set_domain_limits(v, 0, 0));
	EXPECT_EQ(0, vmm_set_domain_limits(v, i->out_max_mappings,
					   i->out_max_table_pages));
	EXPECT_EQ(-EINVAL, vmm_set_domain_limits(v, i->out_max_mappings + 1,
						 0));
	EXPECT_EQ(-EINVAL, vmm_set_domain_limits(v, 0,
						 i->out_max_table_pages + 1));
	EXPECT_EQ(-EINVAL, vmm_set_domain_limits(v, ~0ULL, ~0ULL));
}

TEST_F(uapi, bypass_values)
{
	struct vhost_iommu_set_bypass a = { .size = sizeof(a), .bypass = 2 };

	EXPECT_EQ(-EINVAL, xioctl(self->v.fd, VHOST_IOMMU_SET_BYPASS, &a));
	a.bypass = 255;
	EXPECT_EQ(-EINVAL, xioctl(self->v.fd, VHOST_IOMMU_SET_BYPASS, &a));
}

TEST_F(uapi, get_attachment_walks)
{
	struct vhost_iommu_get_attachment e;
	struct vmm *v = &self->v;

	EXPECT_EQ(-ENOENT, vmm_attachment(v, 0, 0, &e));
	ASSERT_EQ(0, vmm_add_endpoint(v, 7, NULL, 3, NULL, 0));
	ASSERT_EQ(0, vmm_add_endpoint(v, ~0u, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_add_endpoint(v, 0, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_attachment(v, 0, 0, &e));
	EXPECT_EQ(0, e.out_endpoint);
	ASSERT_EQ(0, vmm_attachment(v, 1, 0, &e));
	EXPECT_EQ(7, e.out_endpoint);
	EXPECT_EQ(VHOST_IOMMU_EP_GROUP, e.out_flags);
	EXPECT_EQ(3, e.out_group_id);
	ASSERT_EQ(0, vmm_attachment(v, 8, 0, &e));
	EXPECT_EQ(~0u, e.out_endpoint);
	EXPECT_EQ(0, e.out_flags);
}

TEST_F_TIMEOUT(uapi, endpoints_are_counted, 300)
{
	struct vmm_stats s;
	struct vmm *v = &self->v;
	__u32 i, max = self->info.out_max_endpoints;

	for (i = 0; i < max && (i < 3000 || long_tests()); i++)
		ASSERT_EQ(0, vmm_add_endpoint(v, i, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(i, s.endpoints);
	if (i == max)
		EXPECT_EQ(-ENOSPC, vmm_add_endpoint(v, i, NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_remove_endpoint(v, 0));
	EXPECT_EQ(0, vmm_add_endpoint(v, i, NULL, -1, NULL, 0));
}

/* The same figures are in fdinfo */
TEST_F(uapi, fdinfo)
{
	static const char *const names[] = {
		"mappings", "domains", "endpoints", "broken", "mapped-bytes",
		"table-pages", "batches", "wakeups", "poll-hits",
		"ring-errors", "rebuilds", "host-errors", "no-status",
		"requests-unknown", "requests-attach", "requests-detach",
		"requests-map", "requests-unmap", "requests-probe",
		"requests-attach-table", "requests-invalidate",
		"events", "events-dropped", "events-lost", "inv-commands",
		"inv-calls", "in-place", "queue-requests-0",
		"vhost-misses", "vhost-updates", "vhost-invalidations",
		"status-ok", "status-ioerr", "status-unsupp", "status-deverr",
		"status-inval", "status-range", "status-noent", "status-fault",
		"status-nomem",
	};
	char path[64], text[8192], line[64], *at;
	struct vmm *v = &self->v;
	unsigned int i;

	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_start(v));
	ASSERT_ST(OK, g_attach(v, 1, EMU(0)));
	ASSERT_ST(OK, g_map(v, 1, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA, MAP_R));
	ASSERT_EQ(0, vmm_set_running(v, false));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", v->fd);
	ASSERT_GT(read_file(path, text, sizeof(text)), 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(line, sizeof(line), "\nvhost-iommu-%s:\t", names[i]);
		EXPECT_NE(NULL, strstr(text, line))
			TH_LOG("no %s in fdinfo", names[i]);
	}
#define HAS(name, value) do {						\
	at = strstr(text, "\nvhost-iommu-" name ":\t");		\
	ASSERT_NE(NULL, at);						\
	EXPECT_EQ(value, strtoull(strchr(at, '\t'), NULL, 10));		\
} while (0)
	HAS("mappings", 1);
	HAS("domains", 1);
	HAS("endpoints", 1);
	HAS("mapped-bytes", 2 * PAGE);
	HAS("requests-attach", 1);
	HAS("requests-map", 1);
	HAS("status-ok", 2);
#undef HAS
}

/* Devices: needs one, mock or real */
FIXTURE(uapi_dev)
{
	struct env e;
};

KIND_VARIANTS(uapi_dev);
KIND_MOCK(uapi_dev);
KIND_EDU(uapi_dev);

FIXTURE_SETUP(uapi_dev)
{
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 1, false));
}

FIXTURE_TEARDOWN(uapi_dev)
{
	env_down(&self->e);
}

TEST_F(uapi_dev, not_bound)
{
	struct dma_dev *d = self->e.dev[0], fresh = *d;

	close(d->fd);
	d->fd = -1;
	fresh.fd = open(d->cdev, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fresh.fd, 0);
	EXPECT_EQ(-ENODEV, vmm_add_endpoint(&self->e.v, EP(0), &fresh, -1,
					    NULL, 0));
	close(fresh.fd);
}

TEST_F(uapi_dev, bound_to_another_iommufd)
{
	struct dma_dev *d = self->e.dev[0];
	struct vmm other;

	close(d->fd);
	d->fd = -1;
	vmm_init(&other);
	ASSERT_EQ(0, vmm_open_iommufd(&other));
	ASSERT_EQ(0, dev_open(d, &other));
	EXPECT_EQ(-EXDEV, vmm_add_endpoint(&self->e.v, EP(0), d, -1, NULL,
					   0));
	dev_close(d);
	vmm_close(&other);
}

TEST_F(uapi_dev, wrong_ids)
{
	struct dma_dev *d = self->e.dev[0], bad = *d;
	struct vmm *v = &self->e.v;
	__u32 hwpt = v->ram_hwpt;

	bad.dev_id = 54321;
	EXPECT_NE(0, vmm_add_endpoint(v, EP(0), &bad, -1, NULL, 0));
	v->ram_hwpt = 54321;
	EXPECT_EQ(-ENOENT, vmm_add_endpoint(v, EP(0), d, -1, NULL, 0));
	v->ram_hwpt = hwpt;
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), d, -1, NULL, 0));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(0)));
}

TEST_F(uapi_dev, endpoint_removed_and_added)
{
	struct dma_dev *d = self->e.dev[0];
	struct vmm *v = &self->e.v;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), d, -1, NULL, 0));
		EXPECT_EQ(-EEXIST, vmm_add_endpoint(v, EP(0), d, -1, NULL,
						    0));
		EXPECT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	}
}

/* The device holds the file as long as there is the endpoint, not longer */
TEST_F(uapi_dev, endpoint_holds_the_file)
{
	struct vfio_device_bind_iommufd b = { .argsz = sizeof(b) };
	struct dma_dev *d = self->e.dev[0];
	struct vmm *v = &self->e.v, other;
	int fd;

	vmm_init(&other);
	ASSERT_EQ(0, vmm_open_iommufd(&other));
	b.iommufd = other.iommufd;
	ASSERT_EQ(0, vmm_add_endpoint(v, EP(0), d, -1, NULL, 0));
	dev_close(d);
	fd = open(d->cdev, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_GT(0, xioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &b));
	close(fd);
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	fd = open(d->cdev, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, xioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &b));
	close(fd);
	vmm_close(&other);
}

/* The older way to a VFIO device, through its group: not with an iommufd */
FIXTURE(uapi_group)
{
	struct env e;
};

KIND_VARIANTS(uapi_group);
KIND_EDU(uapi_group);

FIXTURE_SETUP(uapi_group)
{
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 1, false));
}

FIXTURE_TEARDOWN(uapi_group)
{
	env_down(&self->e);
}

TEST_F(uapi_group, legacy_files)
{
	struct dma_dev d = *self->e.dev[0], file;
	int container, group;
	char path[32];

	dev_close(self->e.dev[0]);
	file = d;
	snprintf(path, sizeof(path), "/dev/vfio/%d", d.group);
	group = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(group, 0)
		TH_LOG("%s: %s", path, strerror(errno));
	file.fd = group;
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->e.v, EP(0), &file, -1,
					    NULL, 0));
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	ASSERT_GE(container, 0);
	file.fd = container;
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->e.v, EP(0), &file, -1,
					    NULL, 0));
	ASSERT_EQ(0, xioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	ASSERT_EQ(0, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	file.fd = xioctl(group, VFIO_GROUP_GET_DEVICE_FD, d.name);
	ASSERT_GE(file.fd, 0);
	EXPECT_EQ(-EBADFD, vmm_add_endpoint(&self->e.v, EP(0), &file, -1,
					    NULL, 0));
	close(file.fd);
	close(group);
	close(container);
}

FIXTURE(uapi_mock)
{
	struct env e;
};

KIND_VARIANTS(uapi_mock);
KIND_MOCK(uapi_mock);

FIXTURE_SETUP(uapi_mock)
{
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 1, false));
}

FIXTURE_TEARDOWN(uapi_mock)
{
	env_down(&self->e);
}

/* A device that no IOMMU translates */
TEST_F(uapi_mock, device_without_iommu)
{
	struct dma_dev d;

	ASSERT_TRUE(dev_find_emulated(&d));
	ASSERT_EQ(0, dev_open(&d, &self->e.v));
	EXPECT_EQ(-ENODEV, vmm_add_endpoint(&self->e.v, EP(0), &d, -1, NULL,
					    0));
	dev_close(&d);
}

SUITE;
