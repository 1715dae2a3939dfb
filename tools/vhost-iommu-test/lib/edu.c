// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's edu device: a DMA engine with a 4 KiB buffer. A transfer takes 100 ms
 * of the machine's time, and the engine does not say when it was denied.
 */
#include <errno.h>
#include <unistd.h>

#include "vit.h"

#define EDU_ID		0x00
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_RUN	0x1
#define EDU_DMA_TO_RAM	0x2
/* Where the buffer is in the device's own address space */
#define EDU_BUFFER	0x40000

static int edu_reg(struct dma_dev *d, unsigned int reg, __u32 *val, bool write)
{
	__u64 bar;
	ssize_t n;
	int rc = dev_region(d, VFIO_PCI_BAR0_REGION_INDEX, &bar, NULL);

	if (rc)
		return rc;
	n = write ? pwrite(d->fd, val, sizeof(*val), bar + reg)
		  : pread(d->fd, val, sizeof(*val), bar + reg);
	return n == sizeof(*val) ? 0 : -EIO;
}

static int edu_write(struct dma_dev *d, unsigned int reg, __u32 val)
{
	return edu_reg(d, reg, &val, true);
}

static int edu_run(struct dma_dev *d, __u32 src, __u32 dst, __u32 len,
		   __u32 cmd)
{
	__u64 end = now_ns() + 10000000000ULL;
	__u32 val;
	int rc;

	if (len > d->max_len)
		return -EINVAL;
	rc = edu_write(d, EDU_DMA_SRC, src);
	if (!rc)
		rc = edu_write(d, EDU_DMA_DST, dst);
	if (!rc)
		rc = edu_write(d, EDU_DMA_COUNT, len);
	if (!rc)
		rc = edu_write(d, EDU_DMA_CMD, cmd | EDU_DMA_RUN);
	while (!rc) {
		rc = edu_reg(d, EDU_DMA_CMD, &val, false);
		if (rc || !(val & EDU_DMA_RUN))
			break;
		if (now_ns() > end)
			rc = -ETIMEDOUT;
		sleep_ms(2);
	}
	return rc;
}

/**
 * edu_open() - Check that it is an edu and let it do DMA
 * @d: Device
 */
int edu_open(struct dma_dev *d)
{
	__u32 id;
	int rc = dev_bus_master(d);

	if (!rc)
		rc = edu_reg(d, EDU_ID, &id, false);
	if (rc)
		return rc;
	return (id & 0xffff) == 0xed ? 0 : -ENODEV;
}

/**
 * edu_load() - See dev_load()
 * @d: Device
 * @iova: Address
 * @len: Bytes
 */
int edu_load(struct dma_dev *d, __u64 iova, __u32 len)
{
	if (iova + len - 1 > d->max_iova)
		return -ERANGE;
	return edu_run(d, iova, EDU_BUFFER, len, 0);
}

/**
 * edu_store() - See dev_store()
 * @d: Device
 * @iova: Address
 * @len: Bytes
 */
int edu_store(struct dma_dev *d, __u64 iova, __u32 len)
{
	if (iova + len - 1 > d->max_iova)
		return -ERANGE;
	return edu_run(d, EDU_BUFFER, iova, len, EDU_DMA_TO_RAM);
}
