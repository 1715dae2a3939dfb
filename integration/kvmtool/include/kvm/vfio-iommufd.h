/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM__VFIO_IOMMUFD_H
#define KVM__VFIO_IOMMUFD_H

#include <linux/types.h>

struct kvm;
struct vfio_device;

/* An assigned device, opened by its own file instead of its group's */
struct vfio_iommufd_device {
	struct vfio_device	*vdev;
	u32			dev_id;		/* in the iommufd */
	u32			hwpt_id;	/* page table with guest RAM */
};

struct vfio_iommufd {
	int				fd;
	u32				ioas_id;	/* guest RAM, 1:1 */
	unsigned int			nr_devices;
	struct vfio_iommufd_device	*devices;
	u64				iova_last;	/* that all devices have */
	u64				iova_alignment;
};

#ifdef CONFIG_ARM64

/* What follows ends the process if it fails */
int vfio_iommufd_init(struct kvm *kvm, struct vfio_device *devices);
void vfio_iommufd_exit(struct kvm *kvm);

struct vfio_iommufd *vfio_iommufd_get(void);
void vfio_iommufd_destroy(u32 id);

#else

static inline int vfio_iommufd_init(struct kvm *kvm, struct vfio_device *devices)
{
	return -1;
}

static inline void vfio_iommufd_exit(struct kvm *kvm)
{
}

#endif /* CONFIG_ARM64 */

#endif /* KVM__VFIO_IOMMUFD_H */
