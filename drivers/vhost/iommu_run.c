// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: whether the rings are served
 *
 * All of this is for the owner's ioctls, under &vhost_dev.mutex.
 */
#include "iommu.h"

/**
 * vhost_iommu_running - Tell whether the rings are served
 * @viommu: The device
 *
 * Return: true if they are.
 */
bool vhost_iommu_running(struct vhost_iommu *viommu)
{
	/* The backend is changed with both mutexes held: one is enough here */
	lockdep_assert_held(&viommu->dev.mutex);
	return viommu->rq.vq.private_data;
}

/**
 * vhost_iommu_want - Have who serves a ring let go of it
 * @viommu: The device
 *
 * Who serves a ring holds its mutex for a pass, and can be in the middle of a
 * request of any size.
 */
void vhost_iommu_want(struct vhost_iommu *viommu)
{
	lockdep_assert_held(&viommu->dev.mutex);
	WRITE_ONCE(viommu->wanted, true);
}

/**
 * vhost_iommu_unwant - Have the rings looked at again
 * @viommu: The device
 */
void vhost_iommu_unwant(struct vhost_iommu *viommu)
{
	unsigned int i;

	WRITE_ONCE(viommu->wanted, false);
	/* Before the work is put on the list, see vhost_iommu_handle_kick() */
	smp_mb();
	if (vhost_iommu_running(viommu))
		for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++)
			vhost_poll_queue(&viommu->vq_ptrs[i]->poll);
}

/**
 * vhost_iommu_stop_vq - Have a ring served no more
 * @vq: The ring
 */
void vhost_iommu_stop_vq(struct vhost_virtqueue *vq)
{
	lockdep_assert_held(&vq->mutex);
	vhost_vq_set_backend(vq, NULL);
}

/**
 * vhost_iommu_stop - Stop serving the rings
 * @viommu: The device, which the caller wants
 *
 * Return: 0, or -EINTR if the caller was killed first.
 */
int vhost_iommu_stop(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *requests = &viommu->rq.vq;
	struct vhost_virtqueue *events = &viommu->eq.vq;

	scoped_cond_guard(mutex_kill, return -EINTR, &events->mutex)
		vhost_iommu_stop_vq(events);
	scoped_cond_guard(mutex_kill, return -EINTR, &requests->mutex) {
		if (vhost_iommu_running(viommu))
			vhost_iommu_ring_settle(&viommu->rq);
		vhost_iommu_stop_vq(requests);
	}
	return 0;
}

static int vhost_iommu_start_vq(struct vhost_iommu *viommu,
				struct vhost_virtqueue *vq)
{
	int rc;

	guard(mutex)(&vq->mutex);

	if (!vhost_vq_is_setup(vq))
		return -EFAULT;
	vhost_vq_set_backend(vq, viommu);
	rc = vhost_vq_init_access(vq);
	if (rc)
		vhost_vq_set_backend(vq, NULL);
	return rc ? -EFAULT : 0;
}

/**
 * vhost_iommu_start - Begin to serve the rings
 * @viommu: The device
 *
 * Return: 0 or the errno of VHOST_IOMMU_SET_RUNNING.
 */
int vhost_iommu_start(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *requests = &viommu->rq.vq;
	struct vhost_virtqueue *events = &viommu->eq.vq;
	int rc = 0;

	if (vhost_iommu_running(viommu))
		return 0;
	if (!viommu->configured)
		return -ENXIO;
	if (READ_ONCE(viommu->host.lost))
		return -EIO;
	/* Domains without endpoints may still have mappings */
	if (READ_ONCE(viommu->reset.active))
		return -EBUSY;

	/* A guest that does not want events leaves their queue alone */
	if (events->desc) {
		scoped_guard(mutex, &events->mutex)
			viommu->eq.dead = false;
		rc = vhost_iommu_start_vq(viommu, events);
	}
	if (!rc) {
		scoped_guard(mutex, &requests->mutex) {
			viommu->rq.dead = false;
			viommu->rq.kicked_at = 0;
		}
		rc = vhost_iommu_start_vq(viommu, requests);
	}
	if (rc) {
		scoped_guard(mutex, &events->mutex)
			vhost_iommu_stop_vq(events);
		return rc;
	}
	/* A kick that came while the ring was stopped was lost */
	vhost_poll_queue(&requests->poll);
	vhost_iommu_events_kick(viommu);
	return 0;
}
