// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: endpoints that the VMM emulates
 *
 * The VMM makes their accesses itself, and asks what each of them means. What is not
 * allowed becomes a fault of the guest's, as if the hardware had met it.
 */
#include <linux/compiler.h>
#include <linux/spinlock.h>

#include "iommu.h"

/* Instead of the ID of an endpoint that was removed; no ID is like this */
#define VHOST_IOMMU_SOFT_GONE		U64_MAX

static struct vhost_iommu_soft *
vhost_iommu_source_soft(struct vhost_iommu_source *source)
{
	return container_of(source, struct vhost_iommu_soft, source);
}

static int vhost_iommu_soft_next(struct vhost_iommu_source *source)
{
	struct vhost_iommu_soft *soft = vhost_iommu_source_soft(source);

	guard(spinlock)(&soft->lock);

	if (!soft->nr)
		return 0;
	source->event = soft->faults[soft->first];
	soft->first = (soft->first + 1) % VHOST_IOMMU_SOFT_FAULTS;
	soft->nr--;
	return 1;
}

static const struct vhost_iommu_endpoint *
vhost_iommu_soft_whose(struct vhost_iommu_source *source)
{
	u64 id = source->event.virt_id;

	return id == VHOST_IOMMU_SOFT_GONE ?
	       NULL : xa_load(&source->viommu->endpoints, id);
}

static const struct vhost_iommu_source_ops vhost_iommu_soft_ops = {
	.next = vhost_iommu_soft_next,
	.whose = vhost_iommu_soft_whose,
};

/**
 * vhost_iommu_soft_init - Prepare for faults of accesses that the VMM makes
 * @viommu: The device, which nobody else knows yet
 */
void vhost_iommu_soft_init(struct vhost_iommu *viommu)
{
	struct vhost_iommu_soft *soft = &viommu->soft;

	spin_lock_init(&soft->lock);
	vhost_iommu_source_init(&soft->source, viommu, &vhost_iommu_soft_ops);
	list_add_tail(&soft->source.node, &viommu->sources);
}

/**
 * vhost_iommu_soft_forget - An endpoint goes
 * @viommu: The device
 * @id: Its ID
 *
 * Another one may come that has its ID: what is not told yet is nobody's.
 *
 * Context: ioctl of the owner.
 */
void vhost_iommu_soft_forget(struct vhost_iommu *viommu, u32 id)
{
	struct vhost_iommu_soft *soft = &viommu->soft;
	unsigned int i;

	/* Whoever looks whose an event is holds it, too */
	lockdep_assert_held_write(&viommu->lock);

	if (soft->source.event.virt_id == id)
		soft->source.event.virt_id = VHOST_IOMMU_SOFT_GONE;
	guard(spinlock)(&soft->lock);
	for (i = 0; i < VHOST_IOMMU_SOFT_FAULTS; i++)
		if (soft->faults[i].virt_id == id)
			soft->faults[i].virt_id = VHOST_IOMMU_SOFT_GONE;
}

static u8 vhost_iommu_soft_reason(u32 state)
{
	switch (state) {
	case VHOST_IOMMU_STATE_BLOCKED:
		return VIRTIO_IOMMU_FAULT_R_DOMAIN;
	case VHOST_IOMMU_STATE_BROKEN:
	case VHOST_IOMMU_STATE_TABLE:
		return VIRTIO_IOMMU_FAULT_R_UNKNOWN;
	default:
		return VIRTIO_IOMMU_FAULT_R_MAPPING;
	}
}

/* Faults that nobody fetches are counted: a guest's device can make any number */
static bool vhost_iommu_soft_fault(struct vhost_iommu_soft *soft,
				   const struct vhost_iommu_event *fault)
{
	unsigned int at;

	guard(spinlock)(&soft->lock);

	if (soft->nr == VHOST_IOMMU_SOFT_FAULTS) {
		WRITE_ONCE(soft->lost, soft->lost + 1);
		return false;
	}
	at = (soft->first + soft->nr++) % VHOST_IOMMU_SOFT_FAULTS;
	soft->faults[at] = *fault;
	return true;
}

/**
 * vhost_iommu_soft_denied - Make a fault of an access that is not allowed
 * @viommu: The device
 * @endpoint: Endpoint ID
 * @iova: Where it was
 * @access: What of it is not allowed: VIRTIO_IOMMU_MAP_F_*
 * @xlat: What is there
 *
 * Context: With &vhost_iommu.xlat_lock held as it was when @xlat was found: the endpoint
 * has not gone before, see vhost_iommu_soft_forget().
 */
void vhost_iommu_soft_denied(struct vhost_iommu *viommu, u32 endpoint, u64 iova,
			     u32 access, const struct vhost_iommu_xlat *xlat)
{
	const struct vhost_iommu_event fault = {
		.virt_id = endpoint,
		.flags = VIRTIO_IOMMU_FAULT_F_ADDRESS | access,
		.address = iova,
		.reason = vhost_iommu_soft_reason(xlat->state),
	};

	static_assert(VHOST_IOMMU_ACCESS_READ == VIRTIO_IOMMU_MAP_F_READ);
	static_assert(VHOST_IOMMU_ACCESS_WRITE == VIRTIO_IOMMU_MAP_F_WRITE);
	static_assert(VHOST_IOMMU_ACCESS_READ == VIRTIO_IOMMU_FAULT_F_READ);
	static_assert(VHOST_IOMMU_ACCESS_WRITE == VIRTIO_IOMMU_FAULT_F_WRITE);
	lockdep_assert_held(&viommu->xlat_lock);

	if (vhost_iommu_soft_fault(&viommu->soft, &fault))
		vhost_vq_work_queue(&viommu->eq.vq, &viommu->soft.source.work);
}

/**
 * vhost_iommu_soft_translate - VHOST_IOMMU_TRANSLATE
 * @viommu: The device
 * @args: From the ioctl, size and flags checked
 *
 * Waits for nobody: a device model may make an access while a request is in
 * progress, with locks of the VMM held that other threads need.
 *
 * Context: ioctl of the owner, without a lock.
 * Return: 0 or -ENOENT.
 */
int vhost_iommu_soft_translate(struct vhost_iommu *viommu,
			       struct vhost_iommu_translate *args)
{
	struct vhost_iommu_xlat xlat;
	u32 denied;
	int rc;

	scoped_guard(read_lock, &viommu->xlat_lock) {
		rc = vhost_iommu_translate_logged(viommu, args->endpoint,
						  args->iova, &xlat);
		if (rc)
			return rc;
		denied = args->flags & ~xlat.perm;
		if (denied)
			vhost_iommu_soft_denied(viommu, args->endpoint,
						args->iova, denied, &xlat);
	}
	args->out_start = xlat.start;
	args->out_last = xlat.last;
	args->out_phys = xlat.phys;
	args->out_access = xlat.perm;
	args->out_state = xlat.state;
	args->out_domain = xlat.domain;
	args->__reserved2 = 0;
	args->out_sequence = xlat.sequence;
	return 0;
}

/**
 * vhost_iommu_soft_no_notify - No reply waits for an endpoint any more
 * @viommu: The device
 * @ep: The endpoint
 *
 * If it was the last one, those that wait are acknowledged, and are for the caller to be
 * given.
 *
 * Context: ioctl of the owner.
 */
void vhost_iommu_soft_no_notify(struct vhost_iommu *viommu,
				struct vhost_iommu_endpoint *ep)
{
	lockdep_assert_held_write(&viommu->lock);

	if (!ep->notify)
		return;
	scoped_guard(write_lock, &viommu->xlat_lock) {
		ep->notify = false;
		viommu->nr_notify--;
	}
	if (!viommu->nr_notify)
		vhost_iommu_log_ack_all(viommu);
}

/**
 * vhost_iommu_soft_notify - VHOST_IOMMU_SET_NOTIFY
 * @viommu: The device
 * @id: Endpoint ID
 * @on: Replies are to wait
 *
 * Context: ioctl of the owner.
 * Return: 0 or an errno, see struct vhost_iommu_set_notify.
 */
int vhost_iommu_soft_notify(struct vhost_iommu *viommu, u32 id, bool on)
{
	struct vhost_iommu_endpoint *ep = xa_load(&viommu->endpoints, id);

	lockdep_assert_held_write(&viommu->lock);

	if (!viommu->log)
		return -ENXIO;
	if (!ep)
		return -ENOENT;
	if (ep->file)
		return -EINVAL;
	if (!on)
		vhost_iommu_soft_no_notify(viommu, ep);
	if (on == ep->notify)
		return 0;
	guard(write_lock)(&viommu->xlat_lock);
	/* What was told before may have been passed on: nobody would have it forgotten */
	vhost_iommu_log_endpoint(viommu, id);
	ep->notify = true;
	viommu->nr_notify++;
	return 0;
}
