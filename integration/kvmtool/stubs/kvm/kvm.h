/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM__KVM_H
#define KVM__KVM_H

#include "kvm/stub.h"
#include "kvm/virtio-iommu.h"

struct kvm_config_arch {
	enum irqchip_type	irqchip;
};

/* With the member that hooks.patch adds */
struct kvm_config {
	struct kvm_config_arch	arch;
	struct viommu_params	viommu;
	u8			num_vfio_devices;
	bool			balloon;
	int			virtio_transport;
};

struct kvm {
	struct kvm_config	cfg;
	u64			ram_size;
};

enum kvm_mem_type {
	KVM_MEM_TYPE_RAM = 1,
};

struct kvm_mem_bank {
	u64	guest_phys_addr;
	void	*host_addr;
	u64	size;
};

int kvm__for_each_mem_bank(struct kvm *kvm, enum kvm_mem_type type,
			   int (*fn)(struct kvm *kvm, struct kvm_mem_bank *bank, void *data),
			   void *data);

/* kvm/util-init.h: kvmtool keeps lists of these, here it is enough to name them */
#define virtio_dev_init(fn)	int (*fn##_is_called)(struct kvm *kvm) = fn
#define virtio_dev_exit(fn)	int (*fn##_is_called)(struct kvm *kvm) = fn

#endif /* KVM__KVM_H */
