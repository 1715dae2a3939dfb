// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: vIOMMUs, and the events that come from them
 *
 * An event stays in the iommufd until there is a buffer of the guest for it:
 * the queue there is bounded, and says what it lost. So nothing is done when
 * the guest has no buffer, until it says that it has one.
 */
#include <linux/slab.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

/* Events in one pass of the worker, which has requests to serve, too */
#define VHOST_IOMMU_EVENT_WEIGHT	64

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

/* Whose event it is that waits; dropped if that endpoint is not there any more */
static void vhost_iommu_find_endpoint(struct vhost_iommu *viommu,
				      struct vhost_iommu_nest *nest)
{
	const struct vhost_iommu_endpoint *ep;

	lockdep_assert_held(&viommu->lock);

	ep = xa_load(&nest->endpoints, nest->event.virt_id);
	nest->pending = ep;
	if (ep)
		nest->endpoint = ep->id;
	else
		viommu->count.events_dropped++;
}

/* Read the next event, if an endpoint has to do with it; false if none is left */
static bool vhost_iommu_next_event(struct vhost_iommu *viommu,
				   struct vhost_iommu_nest *nest)
{
	u8 record[VHOST_IOMMU_EVENT_MAX_LEN] __aligned(8);
	u32 sequence;
	bool lost;
	int rc;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return false;
	rc = vhost_iommu_host_read_event(viommu, nest, record, &sequence,
					 &lost);
	if (rc <= 0)
		return false;
	/* Numbers run from 0 to INT_MAX */
	viommu->count.events_lost += (sequence - nest->sequence - !lost) &
				     INT_MAX;
	nest->sequence = sequence;
	if (lost)
		return true;

	nest->format->event(record, &nest->event);
	vhost_iommu_find_endpoint(viommu, nest);
	return true;
}

/* VIRTIO 1.3, section 5.13.6.9; returns the used length */
static int vhost_iommu_write_event(struct vhost_virtqueue *vq,
				   const struct vhost_iommu_nest *nest,
				   unsigned int out, unsigned int in)
{
	const struct vhost_iommu_event *event = &nest->event;
	struct virtio_iommu_fault_pasid fault = {
		.reason = event->reason,
		.flags = cpu_to_le32(event->flags),
		.endpoint = cpu_to_le32(nest->endpoint),
		.pasid = cpu_to_le32(event->pasid),
		.address = cpu_to_le64(event->address),
	};
	struct iov_iter to;

	iov_iter_init(&to, ITER_DEST, vq->iov + out, in,
		      iov_length(vq->iov + out, in));
	if (iov_iter_count(&to) < sizeof(fault))
		return 0;
	if (copy_to_iter(&fault, sizeof(fault), &to) != sizeof(fault))
		return -EFAULT;
	return sizeof(fault);
}

/* Returns false if there is no buffer, or no queue, for the pending event */
static bool vhost_iommu_put_event(struct vhost_iommu *viommu,
				  struct vhost_virtqueue *vq,
				  struct vhost_iommu_nest *nest)
{
	unsigned int head, out, in;
	int rc, len = 0;

	/* Not by a vIOMMU that waits for nothing: another one may wait */
	vhost_disable_notify(&viommu->dev, vq);
	rc = vhost_iommu_chain_get(vq, &head, &out, &in);
	/* From there on the guest's next buffer brings us back */
	if (!rc)
		return vhost_enable_notify(&viommu->dev, vq);
	if (rc > 0)
		len = vhost_iommu_write_event(vq, nest, out, in);
	if (rc < 0 || len < 0)
		vhost_iommu_ring_error(viommu, vq);
	if (rc == -EFAULT) {
		viommu->events_dead = true;
		return false;
	}
	if (vhost_add_used(vq, head, max(len, 0)) < 0) {
		viommu->events_dead = true;
		vhost_iommu_ring_error(viommu, vq);
		return false;
	}
	/* A buffer that is too short is not the event's fault */
	if (len) {
		nest->pending = false;
		if (len > 0)
			viommu->count.events++;
		else
			viommu->count.events_dropped++;
		trace_vhost_iommu_event(viommu, nest->endpoint, &nest->event);
	}
	return true;
}

static void vhost_iommu_handle_events(struct vhost_work *work)
{
	struct vhost_iommu_nest *nest = container_of(work,
						     struct vhost_iommu_nest,
						     work);
	struct vhost_iommu *viommu = nest->viommu;
	struct vhost_virtqueue *vq = &viommu->vqs[VHOST_IOMMU_VQ_EVENT];
	unsigned int nr = 0;
	bool more = true;
	u16 used;

	guard(mutex)(&vq->mutex);

	if (nest->gone || !vhost_vq_get_backend(vq) || viommu->events_dead)
		return;

	if (nest->pending) {
		ACQUIRE(mutex_kill, lock)(&viommu->lock);
		if (ACQUIRE_ERR(mutex_kill, &lock))
			return;
		vhost_iommu_find_endpoint(viommu, nest);
	}
	used = vq->last_used_idx;
	while (more && nr++ < VHOST_IOMMU_EVENT_WEIGHT &&
	       !READ_ONCE(viommu->wanted)) {
		if (nest->pending)
			more = vhost_iommu_put_event(viommu, vq, nest);
		else
			more = vhost_iommu_next_event(viommu, nest);
	}
	if (vq->last_used_idx != used)
		vhost_signal(&viommu->dev, vq);
	/* Who wants the ring looks for events afterwards */
	if (more && !READ_ONCE(viommu->wanted))
		vhost_vq_work_queue(vq, &nest->work);
}

/*
 * Called under the iommufd's spinlock, and not always in process context. What
 * comes while the work runs queues it again, so no event is overlooked.
 */
static int vhost_iommu_wake(wait_queue_entry_t *wait, unsigned int mode,
			    int sync, void *key)
{
	struct vhost_iommu_nest *nest = container_of(wait,
						     struct vhost_iommu_nest,
						     wait);
	struct vhost_iommu *viommu = nest->viommu;

	vhost_vq_work_queue(&viommu->vqs[VHOST_IOMMU_VQ_EVENT], &nest->work);
	return 0;
}

/**
 * vhost_iommu_events_kick - Look for events, and for buffers for them
 * @viommu: The device
 */
void vhost_iommu_events_kick(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *vq = &viommu->vqs[VHOST_IOMMU_VQ_EVENT];
	unsigned int i;

	guard(mutex)(&viommu->lock);

	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++)
		if (viommu->nests[i] && viommu->nests[i]->file)
			vhost_vq_work_queue(vq, &viommu->nests[i]->work);
}

/**
 * vhost_iommu_handle_event_kick - The guest has put buffers into the event queue
 * @work: The poll work of the queue
 *
 * Context: vhost worker.
 */
void vhost_iommu_handle_event_kick(struct vhost_work *work)
{
	struct vhost_virtqueue *vq = container_of(work, struct vhost_virtqueue,
						  poll.work);

	guard(mutex)(&vq->mutex);

	/* Once the device is stopped, nothing queues work but what it waits for */
	if (vhost_vq_get_backend(vq))
		vhost_iommu_events_kick(container_of(vq->dev,
						     struct vhost_iommu, dev));
}

/**
 * vhost_iommu_events_drop - Forget events of before a reset
 * @viommu: The device, stopped
 *
 * Context: ioctl of the owner.
 */
void vhost_iommu_events_drop(struct vhost_iommu *viommu)
{
	unsigned int i;

	guard(mutex)(&viommu->vqs[VHOST_IOMMU_VQ_EVENT].mutex);

	/* Adding and removing takes the device's mutex, which the caller has */
	lockdep_assert_held(&viommu->dev.mutex);
	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++) {
		struct vhost_iommu_nest *nest = viommu->nests[i];
		unsigned int nr = 0;

		if (!nest || !nest->file)
			continue;
		do {
			viommu->count.events_dropped += nest->pending;
			nest->pending = false;
			/* As many as come while we look are never left */
			if (nr++ == U16_MAX)
				break;
			cond_resched();
		} while (vhost_iommu_next_event(viommu, nest));
	}
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
	vhost_work_init(&nest->work, vhost_iommu_handle_events);
	init_waitqueue_func_entry(&nest->wait, vhost_iommu_wake);
	if (args->event_fd != -1) {
		rc = vhost_iommu_host_get_events(nest, args->event_fd);
		if (rc)
			return rc;
		/* There may be some already */
		vhost_vq_work_queue(&viommu->vqs[VHOST_IOMMU_VQ_EVENT],
				    &nest->work);
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
	struct vhost_virtqueue *vq = &viommu->vqs[VHOST_IOMMU_VQ_EVENT];
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
	/*
	 * First nothing queues the work any more, itself included, then it does
	 * not run.
	 */
	vhost_iommu_host_unhook_events(nest);
	scoped_guard(mutex, &vq->mutex)
		nest->gone = true;
	vhost_dev_flush(&viommu->dev);
	vhost_iommu_host_put_events(nest);
	scoped_guard(mutex, &vq->mutex)
		viommu->count.events_dropped += nest->pending;
	xa_destroy(&nest->endpoints);
	kfree(nest);
	return 0;
}

/**
 * vhost_iommu_nests_silence - Take no notice of events any more
 * @viommu: The device
 *
 * For the release of the file: events queue no more work.
 */
void vhost_iommu_nests_silence(struct vhost_iommu *viommu)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_MAX_VIOMMUS; i++)
		if (viommu->nests[i])
			vhost_iommu_host_unhook_events(viommu->nests[i]);
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
		vhost_iommu_host_put_events(viommu->nests[i]);
		xa_destroy(&viommu->nests[i]->endpoints);
		kfree(viommu->nests[i]);
		viommu->nests[i] = NULL;
	}
}
