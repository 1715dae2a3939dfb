// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: vIOMMUs, and their event queues
 */
#include <linux/slab.h>

#include "iommu.h"

/**
 * vhost_iommu_nest_find - Find a vIOMMU
 * @viommu: The device
 * @handle: The VMM's number
 *
 * Return: The vIOMMU or NULL.
 */
struct vhost_iommu_nest *vhost_iommu_nest_find(struct vhost_iommu *viommu,
					       u32 handle)
{
	unsigned int i;

	lockdep_assert_held_write(&viommu->lock);

	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++)
		if (viommu->nests[i] && viommu->nests[i]->handle == handle)
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
	lockdep_assert_held_write(&nest->viommu->lock);
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

	lockdep_assert_held_write(&viommu->lock);

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
							  1, &vhost_iommu_alone);
		if (!rc2)
			nest->stale = false;
		rc = rc ?: rc2;
	}
	viommu->stale = rc;
	return rc;
}

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

	lockdep_assert_held_write(&viommu->lock);

	if (!viommu->host.iommufd)
		return -ENXIO;
	format = vhost_iommu_format_find(args->format);
	if (!format)
		return -EOPNOTSUPP;
	if (!(args->flags & VHOST_IOMMU_VIOMMU_ID) ?
	    format->viommu_type || args->viommu_id : !format->viommu_type)
		return -EINVAL;
	if (vhost_iommu_nest_find(viommu, args->viommu))
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
	nest->handle = args->viommu;
	nest->id = format->viommu_type ? args->viommu_id :
					 args->parent_hwpt_id;
	nest->parent = args->parent_hwpt_id;
	nest->format = format;
	xa_init_flags(&nest->endpoints, XA_FLAGS_ACCOUNT);
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
 * @handle: The VMM's number
 *
 * Context: ioctl of the owner.
 * Return: 0, -ENOENT or -EBUSY.
 */
int vhost_iommu_nest_remove(struct vhost_iommu *viommu, u32 handle)
{
	struct vhost_iommu_nest *nest = vhost_iommu_nest_find(viommu, handle);
	unsigned int i;

	lockdep_assert_held_write(&viommu->lock);

	if (!nest)
		return -ENOENT;
	if (nest->users || nest->eventq)
		return -EBUSY;
	viommu->nests[nest->index] = NULL;
	/* Another one can do what this one has left to do */
	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++)
		if (viommu->nests[i] &&
		    viommu->nests[i]->parent == nest->parent)
			vhost_iommu_nest_inherit(viommu->nests[i], nest);
	xa_destroy(&nest->endpoints);
	kfree(nest);
	return 0;
}

static struct vhost_iommu_eventq *
vhost_iommu_source_eventq(struct vhost_iommu_source *source)
{
	return container_of(source, struct vhost_iommu_eventq, source);
}

static int vhost_iommu_eventq_next(struct vhost_iommu_source *source)
{
	struct vhost_iommu_eventq *eventq = vhost_iommu_source_eventq(source);
	const struct vhost_iommu_format *format = eventq->nest->format;
	u8 record[VHOST_IOMMU_EVENT_MAX_LEN] __aligned(8);
	struct vhost_iommu *viommu = source->viommu;
	u32 sequence;
	bool lost;
	int rc;

	rc = vhost_iommu_host_read_event(viommu, source, record,
					 format->event_len, &sequence, &lost);
	if (rc <= 0)
		return 0;
	/* Numbers run from 0 to INT_MAX. What was read before is not known here. */
	if (!eventq->begun)
		eventq->sequence = sequence - 1;
	eventq->begun = true;
	viommu->eq.lost += (sequence - eventq->sequence - !lost) & INT_MAX;
	eventq->sequence = sequence;
	if (lost)
		return -EAGAIN;
	format->event(record, &source->event);
	return 1;
}

static const struct vhost_iommu_endpoint *
vhost_iommu_eventq_whose(struct vhost_iommu_source *source)
{
	return xa_load(&vhost_iommu_source_eventq(source)->nest->endpoints,
		       source->event.virt_id);
}

static const struct vhost_iommu_source_ops vhost_iommu_eventq_ops = {
	.next = vhost_iommu_eventq_next,
	.whose = vhost_iommu_eventq_whose,
};

/**
 * vhost_iommu_eventq_add - Add an event queue of a vIOMMU
 * @viommu: The device
 * @args: From VHOST_IOMMU_ADD_EVENTQ, size and flags checked
 *
 * Context: ioctl of the owner.
 * Return: 0 or the errno of VHOST_IOMMU_ADD_EVENTQ.
 */
int vhost_iommu_eventq_add(struct vhost_iommu *viommu,
			   const struct vhost_iommu_add_eventq *args)
{
	struct vhost_iommu_eventq *eventq __free(kfree) = NULL;
	struct vhost_iommu_nest *nest;
	int rc;

	lockdep_assert_held_write(&viommu->lock);

	if (args->type != VHOST_IOMMU_EVENTQ_VIOMMU)
		return -EOPNOTSUPP;
	if (xa_load(&viommu->eventqs, args->eventq))
		return -EEXIST;
	nest = vhost_iommu_nest_find(viommu, args->viommu);
	if (!nest)
		return -ENOENT;
	if (!nest->format->event)
		return -EOPNOTSUPP;
	if (nest->eventq)
		return -EEXIST;
	if (viommu->nr_eventqs == VHOST_IOMMU_MAX_EVENTQS)
		return -ENOSPC;

	eventq = kzalloc_obj(*eventq, GFP_KERNEL_ACCOUNT);
	if (!eventq)
		return -ENOMEM;
	eventq->nest = nest;
	rc = xa_insert(&viommu->eventqs, args->eventq, eventq,
		       GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc;
	vhost_iommu_source_init(&eventq->source, viommu,
				&vhost_iommu_eventq_ops);
	rc = vhost_iommu_source_open(&eventq->source, args->fd);
	if (rc) {
		xa_erase(&viommu->eventqs, args->eventq);
		return rc;
	}
	viommu->nr_eventqs++;
	nest->eventq = no_free_ptr(eventq);
	return 0;
}

/**
 * vhost_iommu_eventq_remove - Remove an event queue
 * @viommu: The device
 * @handle: The VMM's number
 *
 * Context: ioctl of the owner, without &vhost_iommu.lock; drops the file reference.
 * Return: 0, -ENOENT, or -EINTR if the caller was killed.
 */
int vhost_iommu_eventq_remove(struct vhost_iommu *viommu, u32 handle)
{
	struct vhost_iommu_eventq *eventq;

	lockdep_assert_held(&viommu->dev.mutex);

	scoped_cond_guard(rwsem_write_kill, return -EINTR, &viommu->lock) {
		eventq = xa_erase(&viommu->eventqs, handle);
		if (!eventq)
			return -ENOENT;
		viommu->nr_eventqs--;
		eventq->nest->eventq = NULL;
	}
	/* The vIOMMU, whose endpoints its events are about, stays meanwhile */
	vhost_iommu_source_close(&eventq->source);
	kfree(eventq);
	return 0;
}

/**
 * vhost_iommu_nests_free - Free all vIOMMUs and event queues
 * @viommu: The device, without endpoints or worker, and silenced
 *
 * Makes no command: the owner's address space may be gone.
 */
void vhost_iommu_nests_free(struct vhost_iommu *viommu)
{
	struct vhost_iommu_eventq *eventq;
	unsigned long handle;
	unsigned int i;

	xa_for_each(&viommu->eventqs, handle, eventq) {
		vhost_iommu_host_put_events(&eventq->source);
		kfree(eventq);
	}
	xa_destroy(&viommu->eventqs);
	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++) {
		if (!viommu->nests[i])
			continue;
		xa_destroy(&viommu->nests[i]->endpoints);
		kfree(viommu->nests[i]);
		viommu->nests[i] = NULL;
	}
}
