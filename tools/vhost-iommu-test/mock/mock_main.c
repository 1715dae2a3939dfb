// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO devices with a DMA engine behind an IOMMU, both in software
 *
 * The devices live on a bus of their own and bind to a VFIO driver, so that
 * they appear as /dev/vfio/devices/vfio<n>. The IOMMU driver keeps its page
 * tables as trees of ranges, and the DMA engine translates through the page
 * table that the IOMMU core attached last, so a test sees what a real device
 * could reach. vhost_iommu_mock_uapi.h describes the registers.
 *
 * For tests only: whoever may open the devices can make them fail.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/wait.h>

#include "mock.h"

static unsigned int devices = 4;
module_param(devices, uint, 0444);
MODULE_PARM_DESC(devices, "Devices behind the IOMMU (default 4, at most 64)");

static unsigned int emulated = 1;
module_param(emulated, uint, 0444);
MODULE_PARM_DESC(emulated, "Devices without an IOMMU (default 1, at most 64)");

static int groups[MOCK_MAX_DEVICES];
static int nr_groups;
module_param_array(groups, int, &nr_groups, 0444);
MODULE_PARM_DESC(groups,
		 "IOMMU group of each device: devices with equal non-zero numbers share one (default 0: a group of its own)");

static unsigned int iommus[MOCK_MAX_DEVICES];
static int nr_iommus;
module_param_array(iommus, uint, &nr_iommus, 0444);
MODULE_PARM_DESC(iommus,
		 "IOMMU that each device is behind (default 0, less than 4)");

unsigned int mock_iova_bits = 48;
module_param_named(iova_bits, mock_iova_bits, uint, 0444);
MODULE_PARM_DESC(iova_bits, "Size of the IOVA space (default 48, 32 to 52)");

struct mock_device *mock_devices[2 * MOCK_MAX_DEVICES];
unsigned int nr_mock_devices;

static struct device *mock_root;
static struct fwnode_handle *mock_msi_fwnode;
static struct irq_domain *mock_msi_domain;
/* Devices whose release function has not run yet. */
static atomic_t mock_live_devices = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(mock_release_wait);

const struct bus_type mock_bus = {
	.name = "vhost_iommu_mock",
};

static void mock_device_release(struct device *dev)
{
	struct mock_device *mdev = to_mock_device(dev);

	mutex_destroy(&mdev->event_lock);
	kfree(mdev);
	if (atomic_dec_and_test(&mock_live_devices))
		wake_up(&mock_release_wait);
}

static int mock_device_create(unsigned int index, bool is_emulated)
{
	struct mock_device *mdev;
	int rc;

	mdev = kzalloc_obj(*mdev);
	if (!mdev)
		return -ENOMEM;

	mdev->index = index;
	mdev->emulated = is_emulated;
	mdev->group = is_emulated ? 0 : groups[index];
	spin_lock_init(&mdev->lock);
	mutex_init(&mdev->event_lock);
	device_initialize(&mdev->dev);
	mdev->dev.parent = mock_root;
	mdev->dev.bus = &mock_bus;
	mdev->dev.release = mock_device_release;
	atomic_inc(&mock_live_devices);
	dev_set_msi_domain(&mdev->dev, mock_msi_domain);

	rc = dev_set_name(&mdev->dev, "%s%u", is_emulated ? "emulated" : "dma",
			  index);
	if (!rc && is_emulated)
		rc = device_add(&mdev->dev);
	else if (!rc)
		rc = mock_iommu_device_add(mdev, iommus[index]);
	if (rc) {
		put_device(&mdev->dev);
		return rc;
	}
	mock_devices[nr_mock_devices++] = mdev;

	if (mdev->dev.driver)
		return 0;
	pr_err("%s: the VFIO driver did not bind; see the messages above\n",
	       dev_name(&mdev->dev));
	return -ENODEV;
}

static void mock_devices_destroy(void)
{
	while (nr_mock_devices)
		device_unregister(&mock_devices[--nr_mock_devices]->dev);
	wait_event(mock_release_wait, !atomic_read(&mock_live_devices));
}

static int mock_devices_create(void)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < devices; i++)
		rc = mock_device_create(i, false);
	for (i = 0; !rc && i < emulated; i++)
		rc = mock_device_create(i, true);
	if (rc)
		mock_devices_destroy();
	return rc;
}

/*
 * iommufd binds a device only if its interrupts are isolated from those of
 * others. The devices have no interrupts at all; an empty isolated domain says
 * so.
 */
static int mock_msi_create(void)
{
	struct irq_domain_info info = {
		.domain_flags = IRQ_DOMAIN_FLAG_ISOLATED_MSI,
		.ops = &irq_domain_simple_ops,
	};

	mock_msi_fwnode = irq_domain_alloc_named_fwnode("vhost-iommu-mock");
	if (!mock_msi_fwnode)
		return -ENOMEM;

	info.fwnode = mock_msi_fwnode;
	mock_msi_domain = irq_domain_instantiate(&info);
	if (IS_ERR(mock_msi_domain)) {
		irq_domain_free_fwnode(mock_msi_fwnode);
		return PTR_ERR(mock_msi_domain);
	}
	return 0;
}

static void mock_msi_destroy(void)
{
	irq_domain_remove(mock_msi_domain);
	irq_domain_free_fwnode(mock_msi_fwnode);
}

/* Devices of one group are behind one IOMMU. */
static bool mock_iommus_valid(void)
{
	unsigned int i, k;

	for (i = 0; i < devices; i++) {
		if (iommus[i] >= MOCK_MAX_IOMMUS)
			return false;
		for (k = 0; groups[i] && k < i; k++)
			if (groups[k] == groups[i] && iommus[k] != iommus[i])
				return false;
	}
	return true;
}

static int __init mock_init(void)
{
	int rc;

	if (devices > MOCK_MAX_DEVICES || emulated > MOCK_MAX_DEVICES ||
	    mock_iova_bits < 32 || mock_iova_bits > 52) {
		pr_err("devices and emulated are limited to %u, iova_bits to 32 to 52\n",
		       MOCK_MAX_DEVICES);
		return -EINVAL;
	}
	if (!mock_iommus_valid()) {
		pr_err("iommus are limited to %u, and the same for a group\n",
		       MOCK_MAX_IOMMUS);
		return -EINVAL;
	}

	mock_root = root_device_register("vhost_iommu_mock");
	if (IS_ERR(mock_root))
		return PTR_ERR(mock_root);

	rc = mock_msi_create();
	if (rc)
		goto out_root;

	rc = bus_register(&mock_bus);
	if (rc)
		goto out_msi;

	rc = driver_register(&mock_driver);
	if (rc)
		goto out_bus;

	rc = mock_iommu_register(mock_root);
	if (rc)
		goto out_driver;

	rc = mock_devices_create();
	if (rc)
		goto out_iommu;
	return 0;

out_iommu:
	mock_iommu_unregister();
out_driver:
	driver_unregister(&mock_driver);
out_bus:
	bus_unregister(&mock_bus);
out_msi:
	mock_msi_destroy();
out_root:
	root_device_unregister(mock_root);
	return rc;
}
module_init(mock_init);

static void __exit mock_exit(void)
{
	mock_devices_destroy();
	mock_iommu_unregister();
	driver_unregister(&mock_driver);
	bus_unregister(&mock_bus);
	mock_msi_destroy();
	root_device_unregister(mock_root);
}
module_exit(mock_exit);

MODULE_DESCRIPTION("VFIO devices with a DMA engine behind a software IOMMU, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("IOMMUFD");
