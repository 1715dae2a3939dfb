// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: whether the rings are served
 *
 * All of this is for the owner's ioctls, under &vhost_dev.mutex if nothing else is said.
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
	return viommu->rqs[0].vq.private_data;
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
		for (i = 0; i < viommu->dev.nvqs; i++)
			vhost_poll_queue(&viommu->vq_ptrs[i]->poll);
}

/**
 * vhost_iommu_settle - Answer what has been carried out
 * @viommu: The device, which the caller wants
 *
 * Replies have been translated already: whoever changes the memory table has them
 * written before. Nothing is carried out from then on, as long as the device is wanted.
 *
 * Return: 0, or -EINTR if the caller was killed first.
 */
int vhost_iommu_settle(struct vhost_iommu *viommu)
{
	unsigned int i;

	for (i = 0; i < viommu->nr_rqs; i++) {
		struct vhost_iommu_rq *rq = &viommu->rqs[i];

		scoped_cond_guard(mutex_kill, return -EINTR, &rq->vq.mutex)
			if (vhost_vq_get_backend(&rq->vq) &&
			    vhost_iommu_ring_settle(rq))
				return -EINTR;
	}
	return 0;
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

static int vhost_iommu_stop_rq(struct vhost_iommu_rq *rq)
{
	lockdep_assert_held(&rq->vq.mutex);

	if (vhost_vq_get_backend(&rq->vq)) {
		if (vhost_iommu_ring_settle(rq))
			return -EINTR;
		WRITE_ONCE(rq->viommu->nr_serving, rq->viommu->nr_serving - 1);
	}
	WRITE_ONCE(rq->serves, false);
	vhost_iommu_stop_vq(&rq->vq);
	return 0;
}

/**
 * vhost_iommu_stop - Stop serving the rings
 * @viommu: The device, which the caller wants
 *
 * The first request queue is the last that stops: the device is running until then.
 *
 * Return: 0, or -EINTR if the caller was killed first.
 */
int vhost_iommu_stop(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *events = &viommu->eq.vq;
	unsigned int i = viommu->nr_rqs;

	scoped_cond_guard(mutex_kill, return -EINTR, &events->mutex)
		vhost_iommu_stop_vq(events);
	while (i--) {
		struct vhost_iommu_rq *rq = &viommu->rqs[i];

		scoped_cond_guard(mutex_kill, return -EINTR, &rq->vq.mutex)
			if (vhost_iommu_stop_rq(rq))
				return -EINTR;
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

static int vhost_iommu_start_rq(struct vhost_iommu_rq *rq)
{
	int rc;

	scoped_guard(mutex, &rq->vq.mutex) {
		WRITE_ONCE(rq->dead, false);
		WRITE_ONCE(rq->kicked_at, 0);
	}
	rc = vhost_iommu_start_vq(rq->viommu, &rq->vq);
	if (rc)
		return rc;
	WRITE_ONCE(rq->serves, true);
	WRITE_ONCE(rq->viommu->nr_serving, rq->viommu->nr_serving + 1);
	return 0;
}

/* A driver that does not know of more than one queue has one */
static unsigned int vhost_iommu_queues(const struct vhost_iommu *viommu)
{
	return viommu->rules.features & BIT_ULL(VIRTIO_IOMMU_F_MQ) ?
	       viommu->num_queues : 1;
}

/**
 * vhost_iommu_start - Begin to serve the rings
 * @viommu: The device
 *
 * Return: 0 or the errno of VHOST_IOMMU_SET_RUNNING.
 */
int vhost_iommu_start(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *events = &viommu->eq.vq;
	unsigned int i;
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

	/* None is served before it is known that the first one can be */
	scoped_guard(mutex, &viommu->rqs[0].vq.mutex)
		if (!vhost_vq_is_setup(&viommu->rqs[0].vq))
			return -EFAULT;

	/* A guest that does not want events leaves their queue alone */
	if (events->desc) {
		scoped_guard(mutex, &events->mutex)
			viommu->eq.dead = false;
		rc = vhost_iommu_start_vq(viommu, events);
	}
	/* Nor does a driver have to use all queues; but it does the first one */
	for (i = vhost_iommu_queues(viommu); i-- && !rc; ) {
		struct vhost_iommu_rq *rq = &viommu->rqs[i];

		if (!i || rq->vq.desc)
			rc = vhost_iommu_start_rq(rq);
	}
	if (rc) {
		for (i = 0; i < viommu->nr_rqs; i++)
			scoped_guard(mutex, &viommu->rqs[i].vq.mutex)
				vhost_iommu_stop_rq(&viommu->rqs[i]);
		scoped_guard(mutex, &events->mutex)
			vhost_iommu_stop_vq(events);
		return rc;
	}
	/* A kick that came while the ring was stopped was lost */
	for (i = 0; i < viommu->nr_rqs; i++)
		vhost_poll_queue(&viommu->rqs[i].vq.poll);
	vhost_iommu_events_kick(viommu);
	return 0;
}

/**
 * vhost_iommu_let_go - Give replies that do not have to wait any more
 * @viommu: The device
 *
 * Context: Any thread of the owner, without &vhost_iommu.lock. Waits for nobody.
 */
void vhost_iommu_let_go(struct vhost_iommu *viommu)
{
	unsigned int i;

	for (i = 0; i < viommu->nr_rqs; i++)
		vhost_iommu_ring_let_go(&viommu->rqs[i]);
}
