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
		n->format = VIRTIO_IOMMU_FORMAT_ARM_SMMUV3;
		memcpy(n->idr, arm.idr, sizeof(n->idr));
		return 0;
	case IOMMU_HW_INFO_TYPE_SELFTEST:
		n->type = IOMMU_VIOMMU_TYPE_SELFTEST;
		n->event_type = IOMMU_VEVENTQ_TYPE_SELFTEST;
		n->format = FORMAT_SELFTEST;
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
 * vmm_add_eventq() - VHOST_IOMMU_ADD_EVENTQ
 * @v: VMM
 * @n: The vIOMMU
 * @fd: Event queue
 */
int vmm_add_eventq(struct vmm *v, const struct nest *n, int fd)
{
	struct vhost_iommu_add_eventq a = {
		.size = sizeof(a),
		.eventq = NEST_EVENTQ(n),
		.type = VHOST_IOMMU_EVENTQ_VIOMMU,
		.viommu = n->handle,
		.fd = fd,
	};

	return xioctl(v->fd, VHOST_IOMMU_ADD_EVENTQ, &a);
}

/**
 * vmm_remove_eventq() - VHOST_IOMMU_REMOVE_EVENTQ
 * @v: VMM
 * @n: The vIOMMU
 */
int vmm_remove_eventq(struct vmm *v, const struct nest *n)
{
	struct vhost_iommu_remove_eventq a = {
		.size = sizeof(a), .eventq = NEST_EVENTQ(n),
	};

	return xioctl(v->fd, VHOST_IOMMU_REMOVE_EVENTQ, &a);
}

/**
 * vmm_add_nest() - VHOST_IOMMU_ADD_VIOMMU and VHOST_IOMMU_ADD_EVENTQ
 * @v: VMM
 * @n: The vIOMMU
 * @event_fd: Event queue, or -1
 *
 * If the event queue can't be added, the vIOMMU isn't, either.
 */
int vmm_add_nest(struct vmm *v, const struct nest *n, int event_fd)
{
	struct vhost_iommu_add_viommu a = {
		.size = sizeof(a),
		.flags = VHOST_IOMMU_VIOMMU_ID,
		.viommu = n->handle,
		.format = n->format,
		.parent_hwpt_id = n->parent,
		.viommu_id = n->viommu,
	};
	int rc = xioctl(v->fd, VHOST_IOMMU_ADD_VIOMMU, &a);

	if (rc || event_fd == -1)
		return rc;
	rc = vmm_add_eventq(v, n, event_fd);
	if (rc)
		vmm_remove_nest(v, n);
	return rc;
}

/**
 * vmm_remove_nest() - VHOST_IOMMU_REMOVE_EVENTQ, if there is an event queue, and
 *		       VHOST_IOMMU_REMOVE_VIOMMU
 * @v: VMM
 * @n: The vIOMMU
 */
int vmm_remove_nest(struct vmm *v, const struct nest *n)
{
	struct vhost_iommu_remove_viommu a = {
		.size = sizeof(a), .viommu = n->handle,
	};
	int rc = vmm_remove_eventq(v, n);

	if (rc && rc != -ENOENT)
		return rc;
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
