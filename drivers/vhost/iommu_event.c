// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: the event queue, and where events come from
 *
 * Of each source one event is read, and waits for a buffer of the guest; the others
 * stay where they come from: the queue there is bounded, and says what it lost. So
 * nothing is done when the guest has no buffer, until it says that it has one.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/wait.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

/* Events in one pass of the worker, which has requests to serve, too */
#define VHOST_IOMMU_EVENT_WEIGHT	64

/* Whose event it is that waits; dropped if that endpoint is not there any more */
static void vhost_iommu_find_endpoint(struct vhost_iommu *viommu,
				      struct vhost_iommu_source *source)
{
	const struct vhost_iommu_endpoint *ep;

	lockdep_assert_held_write(&viommu->lock);

	ep = source->ops->whose(source);
	source->pending = ep;
	if (ep)
		source->endpoint = ep->id;
	else
		viommu->eq.dropped++;
}

/* Read the next event, if an endpoint has to do with it; false if none is left */
static bool vhost_iommu_next_event(struct vhost_iommu *viommu,
				   struct vhost_iommu_source *source)
{
	int rc;

	ACQUIRE(rwsem_write_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(rwsem_write_kill, &lock))
		return false;
	rc = source->ops->next(source);
	if (rc > 0)
		vhost_iommu_find_endpoint(viommu, source);
	return rc > 0 || rc == -EAGAIN;
}

/* VIRTIO 1.3, section 5.13.6.9; returns the used length */
static int vhost_iommu_write_event(const struct vhost_iommu_source *source,
				   const struct vhost_iommu_buffer *to)
{
	const struct vhost_iommu_event *event = &source->event;
	struct virtio_iommu_fault_pasid fault = {
		.reason = event->reason,
		.flags = cpu_to_le32(event->flags),
		.endpoint = cpu_to_le32(source->endpoint),
		.pasid = cpu_to_le32(event->pasid),
		.address = cpu_to_le64(event->address),
	};

	if (to->len < sizeof(fault))
		return 0;
	if (vhost_iommu_buffer_write(to, &fault, sizeof(fault)))
		return -EFAULT;
	return sizeof(fault);
}

/* Returns false if there is no buffer, or no queue, for the pending event */
static bool vhost_iommu_put_event(struct vhost_iommu *viommu,
				  struct vhost_virtqueue *vq,
				  struct vhost_iommu_source *source)
{
	const struct vhost_iotlb_map *ram = NULL;
	struct vhost_iommu_buffer from, to;
	int rc, len = 0;
	unsigned int head;

	rc = vhost_iommu_chain_get(vq, &ram, &head, &from, &to);
	/*
	 * From there on the guest's next buffer brings us back. Not before: it would not
	 * bring back another source that waits for one.
	 */
	if (!rc) {
		vhost_disable_notify(&viommu->dev, vq);
		return vhost_enable_notify(&viommu->dev, vq);
	}
	if (rc > 0)
		len = vhost_iommu_write_event(source, &to);
	if (rc < 0 || len < 0)
		vhost_iommu_vq_error(viommu, vq);
	if (rc == -EFAULT) {
		viommu->eq.dead = true;
		return false;
	}
	if (vhost_add_used(vq, head, max(len, 0)) < 0) {
		viommu->eq.dead = true;
		vhost_iommu_vq_error(viommu, vq);
		return false;
	}
	/* A buffer that is too short is not the event's fault */
	if (len) {
		source->pending = false;
		if (len > 0)
			viommu->eq.faults++;
		else
			viommu->eq.dropped++;
		trace_vhost_iommu_event(viommu, source->endpoint,
					&source->event);
	}
	return true;
}

static void vhost_iommu_handle_events(struct vhost_work *work)
{
	struct vhost_iommu_source *source =
		container_of(work, struct vhost_iommu_source, work);
	struct vhost_iommu *viommu = source->viommu;
	struct vhost_virtqueue *vq = &viommu->eq.vq;
	unsigned int nr = 0;
	bool more = true;
	u16 used;

	guard(mutex)(&vq->mutex);

	if (source->gone || !vhost_vq_get_backend(vq) || viommu->eq.dead)
		return;

	if (source->pending) {
		ACQUIRE(rwsem_write_kill, lock)(&viommu->lock);
		if (ACQUIRE_ERR(rwsem_write_kill, &lock))
			return;
		vhost_iommu_find_endpoint(viommu, source);
	}
	used = vq->last_used_idx;
	while (more && nr++ < VHOST_IOMMU_EVENT_WEIGHT &&
	       !READ_ONCE(viommu->wanted)) {
		if (source->pending)
			more = vhost_iommu_put_event(viommu, vq, source);
		else
			more = vhost_iommu_next_event(viommu, source);
	}
	if (vq->last_used_idx != used)
		vhost_signal(&viommu->dev, vq);
	/* Who wants the ring looks for events afterwards */
	if (more && !READ_ONCE(viommu->wanted))
		vhost_vq_work_queue(vq, &source->work);
}

/*
 * Called under the iommufd's spinlock, and not always in process context. What
 * comes while the work runs queues it again, so no event is overlooked.
 */
static int vhost_iommu_wake(wait_queue_entry_t *wait, unsigned int mode,
			    int sync, void *key)
{
	struct vhost_iommu_source *source =
		container_of(wait, struct vhost_iommu_source, wait);
	struct vhost_iommu *viommu = source->viommu;

	vhost_vq_work_queue(&viommu->eq.vq, &source->work);
	return 0;
}

/**
 * vhost_iommu_events_kick - Look for events, and for buffers for them
 * @viommu: The device
 */
void vhost_iommu_events_kick(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *vq = &viommu->eq.vq;
	struct vhost_iommu_source *source;

	scoped_cond_guard(rwsem_write_kill, return, &viommu->lock) {
		list_for_each_entry(source, &viommu->sources, node)
			vhost_vq_work_queue(vq, &source->work);
		/* If buffers are few, another one has them the next time */
		list_rotate_left(&viommu->sources);
	}
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
	struct vhost_iommu_source *source;

	guard(mutex)(&viommu->eq.vq.mutex);

	/* Adding and removing takes the device's mutex, which the caller has */
	lockdep_assert_held(&viommu->dev.mutex);
	list_for_each_entry(source, &viommu->sources, node) {
		unsigned int nr = 0;

		do {
			viommu->eq.dropped += source->pending;
			source->pending = false;
			/* As many as come while we look are never left */
			if (nr++ == U16_MAX)
				break;
			cond_resched();
		} while (vhost_iommu_next_event(viommu, source));
	}
}

/**
 * vhost_iommu_source_init - Make a source of events, which has none yet
 * @source: The source
 * @viommu: The device
 * @ops: What it does
 */
void vhost_iommu_source_init(struct vhost_iommu_source *source,
			     struct vhost_iommu *viommu,
			     const struct vhost_iommu_source_ops *ops)
{
	source->viommu = viommu;
	source->ops = ops;
	INIT_LIST_HEAD(&source->node);
	vhost_work_init(&source->work, vhost_iommu_handle_events);
	init_waitqueue_func_entry(&source->wait, vhost_iommu_wake);
}

static void vhost_iommu_source_hook(struct file *file, wait_queue_head_t *head,
				    poll_table *table)
{
	struct vhost_iommu_source *source =
		container_of(table, struct vhost_iommu_source, table);

	source->head = head;
	add_wait_queue(head, &source->wait);
}

/* Nothing queues the work for it afterwards, but that may be queued or running */
static void vhost_iommu_source_unhook(struct vhost_iommu_source *source)
{
	if (source->head)
		remove_wait_queue(source->head, &source->wait);
	source->head = NULL;
}

/**
 * vhost_iommu_source_open - Begin to forward what comes from a file
 * @source: The source
 * @fd: The file
 *
 * Event queues wake their waiters without saying what for, which vhost's own
 * polling ignores; hence a waiter of our own.
 *
 * Context: ioctl of the owner.
 * Return: 0 or the errno of vhost_iommu_host_get_events().
 */
int vhost_iommu_source_open(struct vhost_iommu_source *source, int fd)
{
	struct vhost_iommu *viommu = source->viommu;
	int rc;

	lockdep_assert_held(&viommu->dev.mutex);
	lockdep_assert_held_write(&viommu->lock);

	rc = vhost_iommu_host_get_events(source, fd);
	if (rc)
		return rc;
	init_poll_funcptr(&source->table, vhost_iommu_source_hook);
	vfs_poll(source->file, &source->table);
	if (!source->head) {
		vhost_iommu_host_put_events(source);
		return -EBADFD;
	}
	list_add_tail(&source->node, &viommu->sources);
	/* There may be some already */
	vhost_vq_work_queue(&viommu->eq.vq, &source->work);
	return 0;
}

/**
 * vhost_iommu_source_close - Forward nothing any more
 * @source: The source; may never have been opened
 *
 * First nothing queues the work any more, itself included, then it does not run.
 *
 * Context: ioctl of the owner; drops the file reference.
 */
void vhost_iommu_source_close(struct vhost_iommu_source *source)
{
	struct vhost_iommu *viommu = source->viommu;
	struct vhost_virtqueue *vq = &viommu->eq.vq;

	lockdep_assert_held(&viommu->dev.mutex);

	scoped_guard(rwsem_write, &viommu->lock)
		list_del_init(&source->node);
	vhost_iommu_source_unhook(source);
	scoped_guard(mutex, &vq->mutex)
		source->gone = true;
	vhost_dev_flush(&viommu->dev);
	vhost_iommu_host_put_events(source);
	scoped_guard(mutex, &vq->mutex)
		viommu->eq.dropped += source->pending;
}

/**
 * vhost_iommu_sources_silence - Take no notice of events any more
 * @viommu: The device
 *
 * For the release of the file: events queue no more work.
 */
void vhost_iommu_sources_silence(struct vhost_iommu *viommu)
{
	struct vhost_iommu_source *source;

	list_for_each_entry(source, &viommu->sources, node)
		vhost_iommu_source_unhook(source);
}
