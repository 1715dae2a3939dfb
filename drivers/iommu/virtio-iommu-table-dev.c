// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest: the device, its queues and its lifetime
 */
#include <linux/slab.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/virtio_config.h>

#include "virtio-iommu-table.h"

static void vtab_release(struct kref *kref)
{
	struct vtab_dev *vtab = container_of(kref, struct vtab_dev, kref);

	ida_destroy(&vtab->domain_ids);
	xa_destroy(&vtab->ids);
	kfree(vtab->queues);
	kfree(vtab);
}

/**
 * vtab_put - Drop a reference
 * @vtab: The virtio-iommu
 */
void vtab_put(struct vtab_dev *vtab)
{
	kref_put(&vtab->kref, vtab_release);
}

/**
 * vtab_alloc_queues - Allocate the request queues, without virtqueues
 * @vtab: The virtio-iommu
 * @nr: Number of them, from 1 to VTAB_MAX_QUEUES
 *
 * They go with the last reference.
 *
 * Return: 0 or -ENOMEM.
 */
int vtab_alloc_queues(struct vtab_dev *vtab, unsigned int nr)
{
	struct vtab_queue *queue;
	unsigned int i;

	vtab->queues = kzalloc_objs(*vtab->queues, nr);
	if (!vtab->queues)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		queue = &vtab->queues[i];
		queue->vtab = vtab;
		raw_spin_lock_init(&queue->lock);
		if (i)
			snprintf(queue->name, sizeof(queue->name),
				 "request.%u", i);
		else
			strscpy(queue->name, "request");
	}
	vtab->nr_queues = nr;
	return 0;
}

static int vtab_find_rings(struct vtab_dev *vtab)
{
	struct virtqueue_info info[VTAB_MAX_QUEUES + 1] = {
		[VTAB_EVENT_VQ] = { "event", vtab_event_callback },
	};
	struct virtqueue *vqs[ARRAY_SIZE(info)];
	unsigned int i;
	int rc;

	for (i = 0; i < vtab->nr_queues; i++)
		info[vtab_queue_vq(i)].name = vtab->queues[i].name;
	rc = virtio_find_vqs(vtab->vdev, vtab->nr_queues + 1, vqs, info, NULL);
	if (rc)
		return rc;
	for (i = 0; i < vtab->nr_queues; i++)
		vtab->queues[i].vq = vqs[vtab_queue_vq(i)];
	vtab->event_vq = vqs[VTAB_EVENT_VQ];
	return 0;
}

/**
 * vtab_find_vqs - Make the queues, and memory for what is in them
 * @vtab: The virtio-iommu
 *
 * One request queue is enough to work with, if more can't be set up. Later, when the
 * device sleeps, somebody may have chosen a queue already: then there are as many as
 * before, or none.
 *
 * Return: 0 or a negative errno.
 */
int vtab_find_vqs(struct vtab_dev *vtab)
{
	int rc;

	rc = vtab_find_rings(vtab);
	if (rc && vtab->nr_queues > 1 && !vtab->asleep) {
		dev_warn(&vtab->vdev->dev,
			 "%u request queues can't be set up, error %d: trying one\n",
			 vtab->nr_queues, rc);
		vtab->nr_queues = 1;
		rc = vtab_find_rings(vtab);
	}
	if (rc)
		return rc;
	vtab->nr_events = vtab->event_vq->num_free;
	vtab->events = kzalloc_objs(*vtab->events, vtab->nr_events);
	if (!vtab->events)
		return -ENOMEM;
	return vtab_ring_init(vtab);
}

/**
 * vtab_free_vqs - Forget the queues and free memory for what was in them
 * @vtab: The virtio-iommu, which was reset and has no queues any more
 */
void vtab_free_vqs(struct vtab_dev *vtab)
{
	unsigned int i;

	for (i = 0; i < vtab->nr_queues; i++)
		vtab->queues[i].vq = NULL;
	vtab->event_vq = NULL;
	vtab_ring_free(vtab);
	kfree(vtab->events);
	vtab->events = NULL;
	vtab->nr_events = 0;
}

/**
 * vtab_swap_bypass - Set config.bypass
 * @vtab: The virtio-iommu
 * @bypass: New value
 *
 * After a reset no endpoint is in a domain. It must not be in bypass then, where
 * all memory is within its reach; without BYPASS_CONFIG there is no bypass.
 *
 * Return: the old value.
 */
u8 vtab_swap_bypass(struct vtab_dev *vtab, u8 bypass)
{
	const unsigned int at = offsetof(struct virtio_iommu_config, bypass);
	struct virtio_device *vdev = vtab->vdev;
	u8 old;

	if (!virtio_has_feature(vdev, VIRTIO_IOMMU_F_BYPASS_CONFIG))
		return 0;
	old = virtio_cread8(vdev, at);
	virtio_cwrite8(vdev, at, bypass);
	return old;
}
