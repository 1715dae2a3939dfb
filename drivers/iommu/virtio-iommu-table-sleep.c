// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest: suspend, hibernation and reset
 *
 * The tables are in the machine's memory, the device has nothing that can't be
 * told to it again. It sleeps while it is reset: all endpoints are blocked then,
 * so that nothing is cached and unmaps need no request, and their domains are
 * remembered. Endpoints are suspended first and resumed last, see
 * vtab_probe_device().
 */
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "virtio-iommu-table.h"

/* Returns false if there is one that may be in no domain */
static bool vtab_wake_endpoints(struct vtab_dev *vtab)
{
	struct vtab_endpoint *ep;
	bool all = true;

	lockdep_assert_held(&vtab->mutex);
	list_for_each_entry(ep, &vtab->endpoints, entry) {
		if (!ep->asleep_table)
			continue;
		if (vtab_attach_locked(ep, ep->asleep_table, ep->asleep_domain)) {
			dev_err(ep->dev, "virtio-iommu: remains blocked\n");
			all = false;
		}
		ep->asleep_table = NULL;
		ep->asleep_domain = NULL;
	}
	return all;
}

static int vtab_block_endpoints(struct vtab_dev *vtab)
{
	const struct vtab_table *table;
	struct vtab_endpoint *ep;
	struct vtab_domain *dom;
	int rc;

	lockdep_assert_held(&vtab->mutex);
	list_for_each_entry(ep, &vtab->endpoints, entry) {
		table = ep->table;
		dom = ep->domain;
		rc = vtab_attach_locked(ep, &vtab->blocked, NULL);
		if (rc)
			return rc;
		ep->asleep_table = table;
		ep->asleep_domain = dom;
	}
	return 0;
}

static int vtab_fall_asleep(struct vtab_dev *vtab)
{
	int rc;

	guard(mutex)(&vtab->mutex);
	if (READ_ONCE(vtab->broken) || vtab->stopped)
		return -EIO;
	rc = vtab_block_endpoints(vtab);
	if (!rc)
		rc = vtab_ring_sleep(vtab);
	if (rc)
		vtab_wake_endpoints(vtab);
	return rc;
}

/**
 * vtab_freeze - The device is going to lose its state
 * @vdev: The device
 *
 * Return: 0 or a negative errno. If it is an error, the device goes on.
 */
int vtab_freeze(struct virtio_device *vdev)
{
	struct vtab_dev *vtab = vdev->priv;
	int rc;

	disable_work_sync(&vtab->event_work);
	rc = vtab_fall_asleep(vtab);
	if (rc) {
		dev_err(&vdev->dev, "can't be suspended\n");
		enable_work(&vtab->event_work);
		/* Events may have come meanwhile */
		schedule_work(&vtab->event_work);
		return rc;
	}
	vtab->asleep_bypass = vtab_swap_bypass(vtab, 0);
	virtio_reset_device(vdev);
	if (vdev->config->get_status(vdev)) {
		vtab_break(vtab, "it can't be reset");
		return -EIO;
	}
	vdev->config->del_vqs(vdev);
	vtab_free_vqs(vtab);
	return 0;
}

/**
 * vtab_restore - The device is there again
 * @vdev: The device, of which the virtio core has negotiated the features
 *
 * If there is an error, the device sleeps on, and its endpoints are blocked.
 *
 * Return: 0 or a negative errno.
 */
int vtab_restore(struct virtio_device *vdev)
{
	struct vtab_dev *vtab = vdev->priv;
	int rc;

	rc = vtab_find_vqs(vtab);
	if (rc)
		return rc;
	virtio_device_ready(vdev);
	rc = vtab_fill_events(vtab);
	if (rc)
		return rc;
	enable_work(&vtab->event_work);
	scoped_guard(mutex, &vtab->mutex) {
		vtab_ring_wake(vtab);
		/* Bypass is where an endpoint without a domain would be */
		if (vtab_wake_endpoints(vtab) && !READ_ONCE(vtab->broken))
			vtab_swap_bypass(vtab, vtab->asleep_bypass);
	}
	return 0;
}
