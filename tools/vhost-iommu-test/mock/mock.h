/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the mock share: mock_main.c has the bus and its devices,
 * mock_iommu.c the IOMMU driver, mock_vfio.c the VFIO driver with the DMA
 * engine.
 */
#ifndef VHOST_IOMMU_MOCK_H
#define VHOST_IOMMU_MOCK_H

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/spinlock.h>

#include "vhost_iommu_mock_uapi.h"

#define MOCK_MAX_DEVICES	64
#define MOCK_MAX_IOMMUS		4

struct mock_domain;

/**
 * struct mock_iommu - An IOMMU
 * @iommu: The IOMMU core's part
 */
struct mock_iommu {
	struct iommu_device iommu;
};

/**
 * struct mock_device - A device on the mock bus
 * @dev: The device
 * @index: Number among the devices of its kind
 * @emulated: The device has no IOMMU
 * @group: Number of the shared IOMMU group, 0 for a group of its own
 * @iommu: The IOMMU that the device is behind
 * @domain: Page table that translates DMA, NULL if the device is blocked
 * @ctl: Points of failure, and the counters that belong to the device
 */
struct mock_device {
	struct device dev;
	unsigned int index;
	bool emulated;
	int group;
	struct mock_iommu *iommu;
	/**
	 * @lock: Protects @domain and @ctl. Held while the DMA engine copies a
	 * page, so that no access through a page table outlives its
	 * attachment. Taken before the lock of a page table.
	 */
	spinlock_t lock;
	struct mock_domain *domain;
	struct vhost_iommu_mock_ctl ctl;
};

extern const struct bus_type mock_bus;
extern struct device_driver mock_driver;
extern struct mock_device *mock_devices[2 * MOCK_MAX_DEVICES];
extern unsigned int nr_mock_devices;
extern unsigned int mock_iova_bits;

static inline struct mock_device *to_mock_device(struct device *dev)
{
	return container_of(dev, struct mock_device, dev);
}

int mock_inject(struct mock_device *mdev, unsigned int point);

int mock_iommu_register(struct device *parent);
void mock_iommu_unregister(void);
int mock_iommu_device_add(struct mock_device *mdev, unsigned int iommu);
u32 mock_iommu_dma(struct mock_device *mdev, u64 iova, void *buf, size_t len,
		   bool write);
void mock_iommu_stats(struct mock_device *mdev,
		      struct vhost_iommu_mock_ctl *ctl);

#endif /* VHOST_IOMMU_MOCK_H */
