// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the igb driver of the kernel's selftests (tools/testing/selftests/vfio)
 * needs of its library, for a device that the caller opened and attached.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include <libvfio/vfio_pci_device.h>

#include "igb_glue.h"

extern const struct vfio_pci_driver_ops igb_ops;

struct igb_glue {
	struct vfio_pci_device dev;
	char name[32];
	int running;
};

/**
 * vfio_pci_config_access() - Called by the driver
 * @device: Device
 * @write: Direction
 * @config: Offset
 * @size: Bytes
 * @data: Data
 */
void vfio_pci_config_access(struct vfio_pci_device *device, bool write,
			    size_t config, size_t size, void *data)
{
	off_t pos = device->config_space.offset + config;
	ssize_t n;

	n = write ? pwrite(device->fd, data, size, pos)
		  : pread(device->fd, data, size, pos);
	VFIO_ASSERT_EQ(n, (ssize_t)size, "PCI config access at 0x%zx", config);
}

static void irq_set(struct vfio_pci_device *device, u32 index, u32 vector,
		    u32 count)
{
	struct {
		struct vfio_irq_set set;
		int fd;
	} a = {
		.set.argsz = sizeof(a.set) + count * sizeof(int),
		.set.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
			     (count ? VFIO_IRQ_SET_DATA_EVENTFD
				    : VFIO_IRQ_SET_DATA_NONE),
		.set.index = index,
		.set.start = vector,
		.set.count = count,
	};

	if (count)
		memcpy(a.set.data, &device->msi_eventfds[vector], sizeof(int));
	ioctl_assert(device->fd, VFIO_DEVICE_SET_IRQS, &a);
}

/**
 * vfio_pci_irq_enable() - Called by the driver
 * @device: Device
 * @index: VFIO interrupt index
 * @vector: Vector
 * @count: 1, the driver uses one vector
 */
void vfio_pci_irq_enable(struct vfio_pci_device *device, u32 index, u32 vector,
			 int count)
{
	VFIO_ASSERT_EQ(count, 1);
	if (device->msi_eventfds[vector] < 0)
		device->msi_eventfds[vector] = eventfd(0, EFD_NONBLOCK);
	irq_set(device, index, vector, count);
}

/**
 * vfio_pci_irq_reenable() - Called by the driver after a device reset
 * @device: Device
 * @index: VFIO interrupt index
 * @vector: Vector
 * @count: 1
 */
void vfio_pci_irq_reenable(struct vfio_pci_device *device, u32 index,
			   u32 vector, int count)
{
	vfio_pci_irq_enable(device, index, vector, count);
}

/**
 * vfio_pci_irq_disable() - Called by the driver
 * @device: Device
 * @index: VFIO interrupt index
 */
void vfio_pci_irq_disable(struct vfio_pci_device *device, u32 index)
{
	irq_set(device, index, 0, 0);
	close(device->msi_eventfds[0]);
	device->msi_eventfds[0] = -1;
}

/**
 * vfio_pci_device_reset() - Called by the driver when a transfer hangs
 * @device: Device
 */
void vfio_pci_device_reset(struct vfio_pci_device *device)
{
	int tries, rc;

	for (tries = 0; tries < 20; tries++) {
		rc = ioctl(device->fd, VFIO_DEVICE_RESET, NULL);
		if (!rc || errno != EAGAIN)
			break;
		usleep(10000);
	}
	VFIO_ASSERT_EQ(rc, 0, "VFIO_DEVICE_RESET");
}

/**
 * __iommu_hva2iova() - Called by the driver: address of its memory
 * @iommu: The driver region, in the list of DMA regions
 * @vaddr: Address in it
 * @iova: What the device uses
 */
int __iommu_hva2iova(struct iommu *iommu, void *vaddr, iova_t *iova)
{
	struct dma_region *r = list_first_entry(&iommu->dma_regions,
						struct dma_region, link);

	if (vaddr < r->vaddr || vaddr >= r->vaddr + r->size)
		return -ENOENT;
	*iova = r->iova + (vaddr - r->vaddr);
	return 0;
}

/**
 * iommu_hva2iova() - As __iommu_hva2iova(), without fail
 * @iommu: The driver region, in the list of DMA regions
 * @vaddr: Address in it
 */
iova_t iommu_hva2iova(struct iommu *iommu, void *vaddr)
{
	iova_t iova;

	VFIO_ASSERT_EQ(__iommu_hva2iova(iommu, vaddr, &iova), 0);
	return iova;
}

/**
 * igb_glue_new() - Make what the driver takes for a device
 * @name: PCI address, for messages
 * @fd: VFIO device
 */
struct igb_glue *igb_glue_new(const char *name, int fd)
{
	struct vfio_region_info *bar, *config;
	struct igb_glue *g = calloc(1, sizeof(*g));
	unsigned int i;

	if (!g)
		return NULL;
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->dev.bdf = g->name;
	g->dev.fd = fd;
	for (i = 0; i < ARRAY_SIZE(g->dev.msi_eventfds); i++)
		g->dev.msi_eventfds[i] = -1;
	config = &g->dev.config_space;
	config->argsz = sizeof(*config);
	config->index = VFIO_PCI_CONFIG_REGION_INDEX;
	bar = &g->dev.bars[0].info;
	bar->argsz = sizeof(*bar);
	bar->index = 0;
	g->dev.iommu = calloc(1, sizeof(*g->dev.iommu));
	if (!g->dev.iommu || ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, config) ||
	    ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, bar))
		goto fail;
	INIT_LIST_HEAD(&g->dev.iommu->dma_regions);
	g->dev.bars[0].vaddr = mmap(NULL, bar->size, PROT_READ | PROT_WRITE,
				    MAP_SHARED, fd, bar->offset);
	if (g->dev.bars[0].vaddr == MAP_FAILED || igb_ops.probe(&g->dev))
		goto fail;
	return g;

fail:
	free(g->dev.iommu);
	free(g);
	return NULL;
}

/**
 * igb_glue_free() - Undo igb_glue_new() and igb_glue_start()
 * @g: Device
 */
void igb_glue_free(struct igb_glue *g)
{
	if (g->running)
		igb_ops.remove(&g->dev);
	munmap(g->dev.bars[0].vaddr, g->dev.bars[0].info.size);
	free(g->dev.iommu);
	free(g);
}

/**
 * igb_glue_start() - Start the driver, or start it again with other memory
 * @g: Device
 * @va: Memory for the descriptor rings
 * @iova: Where the device finds it
 * @len: Its length
 */
int igb_glue_start(struct igb_glue *g, void *va, unsigned long long iova,
		   unsigned long len)
{
	struct dma_region *r = &g->dev.driver.region;

	if (g->running)
		igb_ops.remove(&g->dev);
	g->running = 0;
	INIT_LIST_HEAD(&g->dev.iommu->dma_regions);
	r->vaddr = va;
	r->iova = iova;
	r->size = len;
	memset(va, 0, len);
	list_add(&r->link, &g->dev.iommu->dma_regions);
	igb_ops.init(&g->dev);
	g->running = 1;
	return 0;
}

/**
 * igb_glue_copy() - Send a frame from one place and receive it in another
 * @g: Device
 * @src: Address of the frame
 * @dst: Address of the receive buffer
 * @len: Bytes
 * @count: How often, without waiting in between
 */
int igb_glue_copy(struct igb_glue *g, unsigned long long src,
		  unsigned long long dst, unsigned int len, unsigned int count)
{
	igb_ops.memcpy_start(&g->dev, src, dst, len, count);
	return igb_ops.memcpy_wait(&g->dev);
}
