// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says of the lab's PCI devices what the firmware of the emulated machine can't
 *
 * The SMMUv3 driver nests tables of a guest only if the guest can't make a
 * device bypass the processor's caches: the SMMU forces the memory attributes
 * of stage 2 (FWB), or firmware says that the root complex makes all accesses
 * coherent, even those that ask not to be ("CANWBS"). There is no way to say
 * the latter in a device tree. QEMU's SMMUv3 has no FWB. But QEMU emulates no
 * caches: its devices and its processors see the same bytes whatever attributes
 * an access has. So the statement is true of this machine; of any other, the
 * module does not know, and does not load.
 *
 * Has to be loaded before a device is bound to VFIO. Devices that appear later
 * are not covered. It can't be unloaded, as what was built on it stays.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/pci.h>

static int __init lab_canwbs_init(void)
{
	struct pci_dev *pdev = NULL;
	struct iommu_fwspec *fwspec;
	unsigned int count = 0;

	if (!of_machine_is_compatible("linux,dummy-virt")) {
		pr_err("this is not QEMU's machine \"virt\"\n");
		return -ENODEV;
	}
	for_each_pci_dev(pdev) {
		fwspec = dev_iommu_fwspec_get(&pdev->dev);
		if (!fwspec)
			continue;
		fwspec->flags |= IOMMU_FWSPEC_PCI_RC_CANWBS;
		count++;
	}
	pr_info("%u devices\n", count);
	return 0;
}
module_init(lab_canwbs_init);

MODULE_DESCRIPTION("CANWBS for the devices of an emulated Arm machine");
MODULE_LICENSE("GPL");
