// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's part of table mode: nesting parent, vIOMMU, vDEVICEs and event
 * queue in the iommufd.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "iommufd_test.h"
#include "table.h"

/*
 * Learn what IOMMU is behind a device; -EOPNOTSUPP if it's none that tables of
 * a guest are known for.
 */
static int hw_info(struct vmm *v, struct nest *n, struct dma_dev *d)
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
	switch (i.out_data_type) {
	case IOMMU_HW_INFO_TYPE_ARM_SMMUV3:
		n->type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3;
		n->event_type = IOMMU_VEVENTQ_TYPE_ARM_SMMUV3;
		memcpy(n->idr, arm.idr, sizeof(n->idr));
		return 0;
	case IOMMU_HW_INFO_TYPE_SELFTEST:
		n->type = IOMMU_VIOMMU_TYPE_SELFTEST;
		n->event_type = IOMMU_VEVENTQ_TYPE_SELFTEST;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Make a nesting parent over guest RAM, a vIOMMU and its event queue */
static int alloc(struct vmm *v, struct nest *n, struct dma_dev *d)
{
	struct iommu_hwpt_alloc h = {
		.size = sizeof(h), .dev_id = d->dev_id, .pt_id = v->ram_ioas,
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
	};
	struct iommu_viommu_alloc a = { .size = sizeof(a) };
	struct iommu_veventq_alloc q = { .size = sizeof(q) };
	int rc = hw_info(v, n, d);

	if (!rc)
		rc = xioctl(v->iommufd, IOMMU_HWPT_ALLOC, &h);
	if (rc)
		return rc;
	n->parent = h.out_hwpt_id;
	a.type = n->type;
	a.dev_id = d->dev_id;
	a.hwpt_id = n->parent;
	rc = xioctl(v->iommufd, IOMMU_VIOMMU_ALLOC, &a);
	if (rc)
		return rc;
	n->viommu = a.out_viommu_id;
	q.viommu_id = n->viommu;
	q.type = n->event_type;
	q.veventq_depth = v->depth;
	rc = xioctl(v->iommufd, IOMMU_VEVENTQ_ALLOC, &q);
	if (rc)
		return rc;
	n->veventq = q.out_veventq_id;
	n->event_fd = q.out_veventq_fd;
	return 0;
}

/* Make a device known to a vIOMMU, by the next ID; -EINVAL if it's another's */
static int vdevice(struct vmm *v, struct nest *n, struct dma_dev *d)
{
	struct iommu_vdevice_alloc a = {
		.size = sizeof(a), .viommu_id = n->viommu,
		.dev_id = d->dev_id, .virt_id = n->next_id,
	};
	int rc = xioctl(v->iommufd, IOMMU_VDEVICE_ALLOC, &a);

	if (rc)
		return rc;
	d->nest = n;
	d->vdevice = a.out_vdevice_id;
	d->virt_id = n->next_id++;
	d->table = true;
	return 0;
}

/**
 * nest_open() - Make what an endpoint with tables of the guest takes
 * @v: VMM
 * @d: Open device
 *
 * The first device's nesting parent is the RAM HWPT, too.
 *
 * Return: 0, a negative errno, or -EOPNOTSUPP if the host can't nest there
 */
int nest_open(struct vmm *v, struct dma_dev *d)
{
	struct nest *n = &v->nest;
	int rc;

	if (n->viommu) {
		rc = vdevice(v, n, d);
		if (rc != -EINVAL)
			return rc;
		n = &v->far;
	}
	if (!n->viommu) {
		if (v->mock && d->kind == DEV_MOCK) {
			rc = mock_config(d, v->mock);
			if (rc)
				return rc;
		}
		rc = alloc(v, n, d);
		if (rc)
			return rc;
	}
	if (!v->ram_hwpt)
		v->ram_hwpt = n->parent;
	return vdevice(v, n, d);
}

/**
 * vmm_add_nest() - VHOST_IOMMU_ADD_VIOMMU
 * @v: VMM
 * @n: The vIOMMU
 * @event_fd: Event queue, or -1
 */
int vmm_add_nest(struct vmm *v, const struct nest *n, int event_fd)
{
	struct vhost_iommu_add_viommu a = {
		.size = sizeof(a),
		.viommu_id = n->viommu,
		.viommu_type = n->type,
		.parent_hwpt_id = n->parent,
		.event_fd = event_fd,
	};

	return xioctl(v->fd, VHOST_IOMMU_ADD_VIOMMU, &a);
}

/**
 * vmm_remove_nest() - VHOST_IOMMU_REMOVE_VIOMMU
 * @v: VMM
 * @n: The vIOMMU
 */
int vmm_remove_nest(struct vmm *v, const struct nest *n)
{
	struct vhost_iommu_remove_viommu a = {
		.size = sizeof(a), .viommu_id = n->viommu,
	};

	return xioctl(v->fd, VHOST_IOMMU_REMOVE_VIOMMU, &a);
}

/**
 * vmm_add_viommu() - Announce the first vIOMMU
 * @v: VMM
 * @event_fd: Event queue, or -1
 */
int vmm_add_viommu(struct vmm *v, int event_fd)
{
	return vmm_add_nest(v, &v->nest, event_fd);
}

/**
 * vmm_remove_viommu() - Take back the first vIOMMU
 * @v: VMM
 */
int vmm_remove_viommu(struct vmm *v)
{
	return vmm_remove_nest(v, &v->nest);
}
