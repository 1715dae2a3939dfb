// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of the vhost_iommu_mock module.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vit.h"

static int mock_run(struct dma_dev *d, __u64 iova, __u32 len, __u32 cmd)
{
	struct vhost_iommu_mock_dma dma = {
		.iova = iova, .len = len, .cmd = cmd,
	};
	size_t n = offsetof(struct vhost_iommu_mock_dma, status);
	__u64 region;
	int rc = dev_region(d, VHOST_IOMMU_MOCK_REGION_DMA, &region, NULL);

	if (rc)
		return rc;
	if (pwrite(d->fd, &dma, n, region) != (ssize_t)n)
		return -errno;
	if (pread(d->fd, &dma, sizeof(dma), region) != sizeof(dma))
		return -errno;
	d->status = dma.status;
	return dma.status == VHOST_IOMMU_MOCK_DMA_BAD_CMD ? -EIO : 0;
}

/**
 * mock_open() - Disarm what another test left behind
 * @d: Device
 */
int mock_open(struct dma_dev *d)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < VHOST_IOMMU_MOCK_NR_INJECT; i++)
		rc = mock_inject(d, i, 0, 0, 0, 0);
	return rc;
}

/**
 * mock_load() - See dev_load()
 * @d: Device
 * @iova: Address
 * @len: Bytes
 *
 * A denied read clears the buffer, so that nothing old is taken for new.
 */
int mock_load(struct dma_dev *d, __u64 iova, __u32 len)
{
	static const char zero[VHOST_IOMMU_MOCK_WINDOW_SIZE];
	__u64 region;
	int rc = dev_region(d, VHOST_IOMMU_MOCK_REGION_DMA, &region, NULL);

	if (rc)
		return rc;
	if (pwrite(d->fd, zero, len, region + VHOST_IOMMU_MOCK_WINDOW) !=
	    (ssize_t)len)
		return -errno;
	return mock_run(d, iova, len, VHOST_IOMMU_MOCK_CMD_READ);
}

/**
 * mock_store() - See dev_store()
 * @d: Device
 * @iova: Address
 * @len: Bytes
 */
int mock_store(struct dma_dev *d, __u64 iova, __u32 len)
{
	return mock_run(d, iova, len, VHOST_IOMMU_MOCK_CMD_WRITE);
}

/**
 * mock_inject() - Arm or disarm a point of failure
 * @d: Device
 * @point: VHOST_IOMMU_MOCK_INJECT_*
 * @skip: Calls that still succeed
 * @count: Calls that fail after those; ~0 for all
 * @error: Positive errno
 * @flags: VHOST_IOMMU_MOCK_INJECT_F_*
 */
int mock_inject(struct dma_dev *d, unsigned int point, __u32 skip, __u32 count,
		__u32 error, __u32 flags)
{
	struct vhost_iommu_mock_inject inj = {
		.skip = skip, .count = count, .error = error, .flags = flags,
	};
	__u64 region;
	int rc = dev_region(d, VHOST_IOMMU_MOCK_REGION_CTL, &region, NULL);

	if (rc)
		return rc;
	region += offsetof(struct vhost_iommu_mock_ctl, inject) +
		  point * sizeof(inj);
	return pwrite(d->fd, &inj, sizeof(inj), region) == sizeof(inj) ?
		0 : -errno;
}

/**
 * mock_ctl() - Read the counters
 * @d: Device
 * @ctl: Is filled
 */
int mock_ctl(struct dma_dev *d, struct vhost_iommu_mock_ctl *ctl)
{
	__u64 region;
	int rc = dev_region(d, VHOST_IOMMU_MOCK_REGION_CTL, &region, NULL);

	if (rc)
		return rc;
	return pread(d->fd, ctl, sizeof(*ctl), region) == sizeof(*ctl) ?
		0 : -errno;
}
