/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM__VIRTIO_IOMMU_H
#define KVM__VIRTIO_IOMMU_H

#include <stdbool.h>

#include <linux/types.h>

#include "kvm/parse-options.h"

struct kvm;

/*
 * Where the guest's devices write their MSIs. The host programs its own
 * doorbells in this range of an SMMU's addresses, and PROBE reports it as the
 * one MSI region of every endpoint. So Linux takes a doorbell that lies in it
 * for mapped. kvmtool hands the address that it finds in an MSI-X table to KVM
 * as it is: a doorbell elsewhere would be mapped at an address that KVM does not
 * know, and interrupts would be lost. Hence the guest's frame has to be in here.
 */
#define VIOMMU_MSI_START	0x08000000ULL
#define VIOMMU_MSI_LAST		0x080fffffULL
#define VIOMMU_MSI_FRAME	0x08080000ULL

enum viommu_tables {
	VIOMMU_TABLES_OFF,
	VIOMMU_TABLES_ON,
	VIOMMU_TABLES_BOTH,
};

/* --viommu */
struct viommu_params {
	bool			enabled;
	bool			boot_bypass;
	enum viommu_tables	tables;
	u32			poll_us;
	u64			granule;	/* 0: the smallest */
};

#ifdef CONFIG_ARM64

int viommu_parser(const struct option *opt, const char *arg, int unset);
void viommu_validate_cfg(struct kvm *kvm);
void viommu_generate_fdt_nodes(void *fdt, struct kvm *kvm);

#else

static inline int viommu_parser(const struct option *opt, const char *arg,
				int unset)
{
	die("--viommu needs an arm64 guest: elsewhere kvmtool has no way to tell the guest which devices are behind the IOMMU");
}

static inline void viommu_validate_cfg(struct kvm *kvm)
{
}

#endif /* CONFIG_ARM64 */

#endif /* KVM__VIRTIO_IOMMU_H */
