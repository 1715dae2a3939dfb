// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest: faults
 *
 * The device writes events to buffers of its second queue, which a work takes off
 * and gives back. Whoever has set a fault handler for the domain is asked first.
 */
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/ratelimit.h>
#include <linux/scatterlist.h>

#include "virtio-iommu-table.h"

static void vtab_log_fault(struct vtab_dev *vtab, struct vtab_endpoint *ep,
			   const struct virtio_iommu_fault_pasid *event)
{
	struct device *dev = ep ? ep->dev : &vtab->vdev->dev;
	u32 flags = le32_to_cpu(event->flags);
	const char *reason = "unknown reason";
	char address[32] = "", pasid[24] = "";

	if (event->reason == VIRTIO_IOMMU_FAULT_R_DOMAIN)
		reason = "not attached";
	else if (event->reason == VIRTIO_IOMMU_FAULT_R_MAPPING)
		reason = "not mapped or not permitted";
	if (flags & VIRTIO_IOMMU_FAULT_F_ADDRESS)
		snprintf(address, sizeof(address), ", address %#llx",
			 le64_to_cpu(event->address));
	if (flags & VIRTIO_IOMMU_FAULT_F_PASID)
		snprintf(pasid, sizeof(pasid), ", PASID %#x",
			 le32_to_cpu(event->pasid));
	dev_err(dev, "virtio-iommu: DMA fault: %s%s%s%s%s%s, endpoint %#x\n",
		reason, address,
		flags & VIRTIO_IOMMU_FAULT_F_READ ? ", read" : "",
		flags & VIRTIO_IOMMU_FAULT_F_WRITE ? ", write" : "",
		flags & VIRTIO_IOMMU_FAULT_F_EXEC ? ", execute" : "",
		pasid, le32_to_cpu(event->endpoint));
}

/* Returns the device that faulted, with a reference, if it is in a domain */
static struct device *
vtab_begin_fault(struct vtab_dev *vtab,
		 const struct virtio_iommu_fault_pasid *event)
{
	struct vtab_endpoint *ep;

	guard(mutex)(&vtab->mutex);
	ep = xa_load(&vtab->ids, le32_to_cpu(event->endpoint));
	if (!ep || !ep->domain)
		return NULL;
	vtab->faulting = ep->domain;
	return get_device(ep->dev);
}

static void vtab_end_fault(struct vtab_dev *vtab)
{
	scoped_guard(mutex, &vtab->mutex)
		vtab->faulting = NULL;
	wake_up_all(&vtab->wq);
}

/*
 * Returns whether somebody has handled it. A handler may attach and detach, so
 * no lock is held; see vtab_forget_handler() for how long the domain is there.
 */
static bool vtab_report_fault(struct vtab_dev *vtab,
			      const struct virtio_iommu_fault_pasid *event)
{
	struct device *dev __free(put_device) = vtab_begin_fault(vtab, event);
	u32 flags = le32_to_cpu(event->flags);
	int rc = -EOPNOTSUPP;

	if (!dev)
		return false;
	if (flags & VIRTIO_IOMMU_FAULT_F_ADDRESS)
		rc = report_iommu_fault(&vtab->faulting->domain, dev,
					le64_to_cpu(event->address),
					flags & VIRTIO_IOMMU_FAULT_F_WRITE ?
					IOMMU_FAULT_WRITE : IOMMU_FAULT_READ);
	vtab_end_fault(vtab);
	return !rc;
}

static void vtab_fault(struct vtab_dev *vtab,
		       const struct virtio_iommu_fault_pasid *event)
{
	static DEFINE_RATELIMIT_STATE(unknown, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);
	struct vtab_endpoint *ep;

	if (vtab_report_fault(vtab, event))
		return;
	guard(mutex)(&vtab->mutex);
	ep = xa_load(&vtab->ids, le32_to_cpu(event->endpoint));
	if (__ratelimit(ep ? &ep->faults : &unknown))
		vtab_log_fault(vtab, ep, event);
}

/**
 * vtab_forget_handler - Don't call a domain's fault handler any more
 * @dom: The domain, which its owner gives up
 *
 * A handler that is running has returned when this returns. So it may do anything
 * but free the domain.
 */
void vtab_forget_handler(struct vtab_domain *dom)
{
	struct vtab_dev *vtab = dom->vtab;

	scoped_guard(mutex, &vtab->mutex)
		dom->domain.cookie_type = IOMMU_COOKIE_NONE;
	wait_event(vtab->wq, READ_ONCE(vtab->faulting) != dom);
}

static int vtab_add_event(struct vtab_dev *vtab,
			  struct virtio_iommu_fault_pasid *event)
{
	struct scatterlist sg;

	sg_init_one(&sg, event, sizeof(*event));
	return virtqueue_add_inbuf(vtab->event_vq, &sg, 1, event, GFP_KERNEL);
}

/**
 * vtab_fill_events - Give all buffers to the device
 * @vtab: The virtio-iommu, which has none of them
 *
 * Return: 0 or a negative errno.
 */
int vtab_fill_events(struct vtab_dev *vtab)
{
	unsigned int i;
	int rc;

	for (i = 0; i < vtab->nr_events; i++) {
		rc = vtab_add_event(vtab, &vtab->events[i]);
		if (rc)
			return rc;
	}
	virtqueue_kick(vtab->event_vq);
	return 0;
}

/**
 * vtab_event_work - Read the event queue
 * @work: &vtab_dev.event_work
 *
 * A device can fault without end: this is in a thread, and starts anew after
 * one round of the queue, so that others get their turn.
 */
void vtab_event_work(struct work_struct *work)
{
	struct vtab_dev *vtab = container_of(work, struct vtab_dev, event_work);
	struct virtqueue *vq = vtab->event_vq;
	struct virtio_iommu_fault_pasid *event;
	unsigned int i, len;

	for (i = 0; i < vtab->nr_events; i++) {
		event = virtqueue_get_buf(vq, &len);
		if (!event)
			break;
		if (len == sizeof(*event))
			vtab_fault(vtab, event);
		/* It fails when the queue is broken; then there is no more */
		if (vtab_add_event(vtab, event))
			return;
	}
	virtqueue_kick(vq);
	if (i == vtab->nr_events || !virtqueue_enable_cb(vq))
		schedule_work(work);
}

/**
 * vtab_event_callback - There may be something in the event queue
 * @vq: &vtab_dev.event_vq
 */
void vtab_event_callback(struct virtqueue *vq)
{
	struct vtab_dev *vtab = vq->vdev->priv;

	virtqueue_disable_cb(vq);
	schedule_work(&vtab->event_work);
}
