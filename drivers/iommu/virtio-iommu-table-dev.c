// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest: the device, its queues and its lifetime
 */
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "virtio-iommu-table.h"

static void vtab_release(struct kref *kref)
{
	struct vtab_dev *vtab = container_of(kref, struct vtab_dev, kref);

	ida_destroy(&vtab->domain_ids);
	xa_destroy(&vtab->ids);
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
 * vtab_find_vqs - Make the queues, and memory for what is in them
 * @vtab: The virtio-iommu
 *
 * Return: 0 or a negative errno.
 */
int vtab_find_vqs(struct vtab_dev *vtab)
{
	struct virtqueue_info info[] = {
		{ "request" },
		{ "event", vtab_event_callback },
	};
	struct virtqueue *vqs[ARRAY_SIZE(info)];
	int rc;

	rc = virtio_find_vqs(vtab->vdev, ARRAY_SIZE(info), vqs, info, NULL);
	if (rc)
		return rc;
	vtab->req_vq = vqs[0];
	vtab->event_vq = vqs[1];
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
	vtab->req_vq = NULL;
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
