/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM__VIRTIO_PCI_H
#define KVM__VIRTIO_PCI_H

#include "kvm/stub.h"

struct virtio_pci {
	struct device_header	dev_hdr;
};

/* kvm/virtio-pci-dev.h */
#define PCI_DEVICE_ID_VIRTIO_BASE	0x1040

#endif /* KVM__VIRTIO_PCI_H */
