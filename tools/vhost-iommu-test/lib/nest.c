// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's part of table mode: nesting parent, vIOMMU, vDEVICEs and event
 * queue in the iommufd.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "table.h"

/**
 * nest_hw_info() - Learn what IOMMU is behind a device
 * @v: VMM; @v->nest is filled
 * @d: Open device
 *
 * Return: 0, a negative errno, or -EOPNOTSUPP if there is no nesting for that
 * kind of IOMMU
 */
int nest_hw_info(struct vmm *v, struct dma_dev *d)
{
	struct iommu_hw_info_arm_smmuv3 arm = { };
	struct iommu_hw_info i = {
		.size = sizeof(i), .dev_id = d->dev_id,
		.data_len = sizeof(arm),
		.data_uptr = (__u64)(uintptr_t)&arm,
	};
	int rc = xioctl(v->iommufd, IOMMU_GET_HW_INFO, &i);

	if (rc)
		return rc;
	if (i.out_data_type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		return -EOPNOTSUPP;
	v->nest.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3;
	v->nest.event_type = IOMMU_VEVENTQ_TYPE_ARM_SMMUV3;
	memcpy(v->nest.idr, arm.idr, sizeof(v->nest.idr));
	return 0;
}

/**
 * nest_alloc() - Make a nesting parent over guest RAM, a vIOMMU and its event
 *		  queue
 * @v: VMM
 * @d: Open device; the vIOMMU is a part of the IOMMU behind it
 *
 * The nesting parent is the RAM HWPT, too.
 */
int nest_alloc(struct vmm *v, struct dma_dev *d)
{
	struct iommu_hwpt_alloc h = {
		.size = sizeof(h), .dev_id = d->dev_id, .pt_id = v->ram_ioas,
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
	};
	struct iommu_viommu_alloc a = { .size = sizeof(a) };
	struct iommu_veventq_alloc q = { .size = sizeof(q) };
	int rc = nest_hw_info(v, d);

	if (!rc)
		rc = xioctl(v->iommufd, IOMMU_HWPT_ALLOC, &h);
	if (rc)
		return rc;
	v->ram_hwpt = h.out_hwpt_id;
	a.type = v->nest.type;
	a.dev_id = d->dev_id;
	a.hwpt_id = v->ram_hwpt;
	rc = xioctl(v->iommufd, IOMMU_VIOMMU_ALLOC, &a);
	if (rc)
		return rc;
	v->nest.viommu = a.out_viommu_id;
	q.viommu_id = v->nest.viommu;
	q.type = v->nest.event_type;
	q.veventq_depth = v->nest.depth;
	rc = xioctl(v->iommufd, IOMMU_VEVENTQ_ALLOC, &q);
	if (rc)
		return rc;
	v->nest.veventq = q.out_veventq_id;
	v->nest.event_fd = q.out_veventq_fd;
	return 0;
}

/**
 * nest_vdevice() - Make a device known to the vIOMMU
 * @v: VMM
 * @d: Open device; it gets the next ID
 */
int nest_vdevice(struct vmm *v, struct dma_dev *d)
{
	struct iommu_vdevice_alloc a = {
		.size = sizeof(a), .viommu_id = v->nest.viommu,
		.dev_id = d->dev_id, .virt_id = v->nest.next_id,
	};
	int rc = xioctl(v->iommufd, IOMMU_VDEVICE_ALLOC, &a);

	if (rc)
		return rc;
	d->vdevice = a.out_vdevice_id;
	d->virt_id = v->nest.next_id++;
	d->table = true;
	return 0;
}

/**
 * vmm_add_viommu() - VHOST_IOMMU_ADD_VIOMMU
 * @v: VMM
 * @event_fd: Event queue, or -1
 */
int vmm_add_viommu(struct vmm *v, int event_fd)
{
	struct vhost_iommu_add_viommu a = {
		.size = sizeof(a),
		.viommu_id = v->nest.viommu,
		.viommu_type = v->nest.type,
		.parent_hwpt_id = v->ram_hwpt,
		.event_fd = event_fd,
	};

	return xioctl(v->fd, VHOST_IOMMU_ADD_VIOMMU, &a);
}

/**
 * vmm_remove_viommu() - VHOST_IOMMU_REMOVE_VIOMMU
 * @v: VMM
 */
int vmm_remove_viommu(struct vmm *v)
{
	struct vhost_iommu_remove_viommu a = {
		.size = sizeof(a), .viommu_id = v->nest.viommu,
	};

	return xioctl(v->fd, VHOST_IOMMU_REMOVE_VIOMMU, &a);
}
