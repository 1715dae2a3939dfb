// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: vIOMMUs
 */
#include <linux/slab.h>

#include "iommu.h"

/**
 * vhost_iommu_nest_find - Find a vIOMMU
 * @viommu: The device
 * @id: ID of the vIOMMU in the iommufd
 *
 * Return: The vIOMMU or NULL.
 */
struct vhost_iommu_nest *vhost_iommu_nest_find(struct vhost_iommu *viommu,
					       u32 id)
{
	unsigned int i;

	lockdep_assert_held(&viommu->lock);

	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++)
		if (viommu->nests[i] && viommu->nests[i]->id == id)
			return viommu->nests[i];
	return NULL;
}

/**
 * vhost_iommu_nest_ended - A table domain has ended on a vIOMMU's parent
 * @nest: The vIOMMU
 *
 * Its entries are removed by vhost_iommu_nests_flush(), when no device uses its
 * tables any more.
 */
void vhost_iommu_nest_ended(struct vhost_iommu_nest *nest)
{
	lockdep_assert_held(&nest->viommu->lock);
	nest->stale = true;
	nest->viommu->stale = true;
}

/**
 * vhost_iommu_nests_flush - Remove TLB entries of domains that have ended
 * @viommu: The device
 *
 * The guest will use their address space IDs again. If the hardware does not
 * answer, this is tried again the next time.
 *
 * Return: 0, or the errno of vhost_iommu_host_invalidate().
 */
int vhost_iommu_nests_flush(struct vhost_iommu *viommu)
{
	unsigned int i;
	int rc = 0, rc2;

	lockdep_assert_held(&viommu->lock);

	if (!viommu->stale)
		return 0;
	for (i = 0; i < viommu->nests_end; i++) {
		struct vhost_iommu_nest *nest = viommu->nests[i];

		if (!nest || !nest->stale)
			continue;
		rc2 = 0;
		if (nest->format->flush)
			rc2 = vhost_iommu_host_invalidate(viommu, nest,
							  nest->format->flush,
							  1);
		if (!rc2)
			nest->stale = false;
		rc = rc ?: rc2;
	}
	viommu->stale = rc;
	return rc;
}

static struct vhost_iommu_nest *
vhost_iommu_source_nest(struct vhost_iommu_source *source)
{
	return container_of(source, struct vhost_iommu_nest, source);
}

static int vhost_iommu_nest_next(struct vhost_iommu_source *source)
{
	struct vhost_iommu_nest *nest = vhost_iommu_source_nest(source);
	u8 record[VHOST_IOMMU_EVENT_MAX_LEN] __aligned(8);
	struct vhost_iommu *viommu = nest->viommu;
	u32 sequence;
	bool lost;
	int rc;

	rc = vhost_iommu_host_read_event(viommu, source, record,
					 nest->format->event_len, &sequence,
					 &lost);
	if (rc <= 0)
		return 0;
	/* Numbers run from 0 to INT_MAX */
	viommu->eq.lost += (sequence - nest->sequence - !lost) &
				     INT_MAX;
	nest->sequence = sequence;
	if (lost)
		return -EAGAIN;
	nest->format->event(record, &source->event);
	return 1;
}

static const struct vhost_iommu_endpoint *
vhost_iommu_nest_whose(struct vhost_iommu_source *source)
{
	return xa_load(&vhost_iommu_source_nest(source)->endpoints,
		       source->event.virt_id);
}

static const struct vhost_iommu_source_ops vhost_iommu_nest_events = {
	.next = vhost_iommu_nest_next,
	.whose = vhost_iommu_nest_whose,
};

/**
 * vhost_iommu_nest_add - Add a vIOMMU
 * @viommu: The device
 * @args: From VHOST_IOMMU_ADD_VIOMMU, size and flags checked
 *
 * Context: ioctl of the owner.
 * Return: 0 or the errno of VHOST_IOMMU_ADD_VIOMMU.
 */
int vhost_iommu_nest_add(struct vhost_iommu *viommu,
			 const struct vhost_iommu_add_viommu *args)
{
	struct vhost_iommu_nest *nest __free(kfree) = NULL;
	const struct vhost_iommu_format *format;
	unsigned int i;
	int rc;

	lockdep_assert_held(&viommu->lock);

	if (!viommu->host.iommufd)
		return -ENXIO;
	format = vhost_iommu_format_find(args->viommu_type);
	if (!format)
		return -EOPNOTSUPP;
	if (vhost_iommu_nest_find(viommu, args->viommu_id))
		return -EEXIST;
	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS && viommu->nests[i]; i++)
		;
	if (i == VHOST_IOMMU_MAX_VIOMMUS)
		return -ENOSPC;
	rc = vhost_iommu_host_check_hwpt(viommu, args->parent_hwpt_id);
	if (rc)
		return rc;

	nest = kzalloc_obj(*nest, GFP_KERNEL_ACCOUNT);
	if (!nest)
		return -ENOMEM;
	nest->viommu = viommu;
	nest->index = i;
	nest->id = args->viommu_id;
	nest->parent = args->parent_hwpt_id;
	nest->format = format;
	nest->sequence = INT_MAX;
	xa_init_flags(&nest->endpoints, XA_FLAGS_ACCOUNT);
	vhost_iommu_source_init(&nest->source, viommu,
				&vhost_iommu_nest_events);
	if (args->event_fd != -1) {
		rc = vhost_iommu_source_open(&nest->source, args->event_fd);
		if (rc)
			return rc;
	}
	viommu->nests[i] = no_free_ptr(nest);
	viommu->nests_end = max(viommu->nests_end, i + 1);
	return 0;
}

/* It may never have had a device that says what the hardware is */
static void vhost_iommu_nest_inherit(struct vhost_iommu_nest *nest,
				     const struct vhost_iommu_nest *from)
{
	if (!from->stale)
		return;
	vhost_iommu_nest_ended(nest);
	if (!nest->hw.type)
		nest->hw = from->hw;
}

/**
 * vhost_iommu_nest_remove - Remove a vIOMMU
 * @viommu: The device
 * @id: ID of the vIOMMU in the iommufd
 *
 * Context: ioctl of the owner; drops the event queue's file reference.
 * Return: 0, -ENOENT or -EBUSY.
 */
int vhost_iommu_nest_remove(struct vhost_iommu *viommu, u32 id)
{
	struct vhost_iommu_nest *nest;
	unsigned int i;

	lockdep_assert_held(&viommu->dev.mutex);

	scoped_guard(mutex, &viommu->lock) {
		nest = vhost_iommu_nest_find(viommu, id);
		if (!nest)
			return -ENOENT;
		if (nest->users)
			return -EBUSY;
		viommu->nests[nest->index] = NULL;
		/* Another one can do what this one has left to do */
		for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++)
			if (viommu->nests[i] &&
			    viommu->nests[i]->parent == nest->parent)
				vhost_iommu_nest_inherit(viommu->nests[i],
							 nest);
	}
	vhost_iommu_source_close(&nest->source);
	xa_destroy(&nest->endpoints);
	kfree(nest);
	return 0;
}

/**
 * vhost_iommu_nests_free - Free all vIOMMUs
 * @viommu: The device, without endpoints or worker, and silenced
 *
 * Makes no command: the owner's address space may be gone.
 */
void vhost_iommu_nests_free(struct vhost_iommu *viommu)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++) {
		if (!viommu->nests[i])
			continue;
		vhost_iommu_host_put_events(&viommu->nests[i]->source);
		xa_destroy(&viommu->nests[i]->endpoints);
		kfree(viommu->nests[i]);
		viommu->nests[i] = NULL;
	}
}
