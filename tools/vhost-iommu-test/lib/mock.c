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

static int region_read(struct dma_dev *d, unsigned int index, void *to,
		       size_t len)
{
	__u64 region;
	int rc = dev_region(d, index, &region, NULL);

	if (rc)
		return rc;
	return pread(d->fd, to, len, region) == (ssize_t)len ? 0 : -errno;
}

static int region_write(struct dma_dev *d, unsigned int index, size_t at,
			const void *from, size_t len)
{
	__u64 region;
	int rc = dev_region(d, index, &region, NULL);

	if (rc)
		return rc;
	return pwrite(d->fd, from, len, region + at) == (ssize_t)len ?
		0 : -errno;
}

/**
 * mock_config_init() - The configuration that a mock IOMMU has at first
 * @c: Is filled
 */
void mock_config_init(struct vhost_iommu_mock_config *c)
{
	*c = (struct vhost_iommu_mock_config){
		.type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
		.idr = {
			[0] = VHOST_IOMMU_MOCK_IDR0,
			[1] = VHOST_IOMMU_MOCK_IDR1,
			[3] = VHOST_IOMMU_MOCK_IDR3,
			[5] = VHOST_IOMMU_MOCK_IDR5,
		},
	};
}

/**
 * mock_config() - Change what a mock IOMMU is
 * @d: A device behind it
 * @c: What it is
 *
 * Return: 0, -EBUSY if there is a vIOMMU, or another negative errno
 */
int mock_config(struct dma_dev *d, const struct vhost_iommu_mock_config *c)
{
	return region_write(d, VHOST_IOMMU_MOCK_REGION_NEST,
			    offsetof(struct vhost_iommu_mock_nest, config), c,
			    sizeof(*c));
}

/**
 * mock_nest() - Read what is nested, and the counters
 * @d: Device
 * @nest: Is filled
 */
int mock_nest(struct dma_dev *d, struct vhost_iommu_mock_nest *nest)
{
	return region_read(d, VHOST_IOMMU_MOCK_REGION_NEST, nest,
			   sizeof(*nest));
}

/**
 * mock_cache() - Fill the caches that the selftest's commands invalidate
 * @d: Device
 * @cache: VHOST_IOMMU_MOCK_NR_CACHE values
 */
int mock_cache(struct dma_dev *d, const __u32 *cache)
{
	return region_write(d, VHOST_IOMMU_MOCK_REGION_NEST,
			    offsetof(struct vhost_iommu_mock_nest, cache),
			    cache, VHOST_IOMMU_MOCK_NR_CACHE * sizeof(*cache));
}

/**
 * mock_event() - Raise events
 * @d: Device, attached to a nested page table
 * @count: How many
 * @flags: VHOST_IOMMU_MOCK_EVENT_F_*
 * @data: Four words of an event record
 */
int mock_event(struct dma_dev *d, __u32 count, __u32 flags, const __u64 *data)
{
	struct vhost_iommu_mock_event e = { .count = count, .flags = flags };

	memcpy(e.data, data, sizeof(e.data));
	return region_write(d, VHOST_IOMMU_MOCK_REGION_NEST,
			    offsetof(struct vhost_iommu_mock_nest, event), &e,
			    sizeof(e));
}

/**
 * mock_log() - Read the commands that an IOMMU executed
 * @d: A device behind it
 * @log: Is filled, with the oldest entry first whatever the count is
 */
int mock_log(struct dma_dev *d, struct vhost_iommu_mock_log *log)
{
	struct vhost_iommu_mock_log raw;
	int rc = region_read(d, VHOST_IOMMU_MOCK_REGION_LOG, &raw, sizeof(raw));
	unsigned int i, first = 0;

	if (rc)
		return rc;
	if (raw.count > ARRAY_SIZE(raw.entry))
		first = raw.count % ARRAY_SIZE(raw.entry);
	log->count = raw.count;
	for (i = 0; i < ARRAY_SIZE(raw.entry); i++)
		log->entry[i] = raw.entry[(first + i) % ARRAY_SIZE(raw.entry)];
	return 0;
}

/**
 * mock_log_clear() - Forget the commands
 * @d: A device behind the IOMMU
 */
int mock_log_clear(struct dma_dev *d)
{
	__u64 zero = 0;

	return region_write(d, VHOST_IOMMU_MOCK_REGION_LOG, 0, &zero,
			    sizeof(zero));
}

/**
 * mock_pasid() - Set the PASID of a device's transfers
 * @d: Device
 * @pasid: PASID, 0 for none
 */
int mock_pasid(struct dma_dev *d, __u32 pasid)
{
	return region_write(d, VHOST_IOMMU_MOCK_REGION_DMA,
			    offsetof(struct vhost_iommu_mock_dma, pasid),
			    &pasid, sizeof(pasid));
}
