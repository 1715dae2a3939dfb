// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: the thread that kicks serves the request queue
 *
 * That is a virtual CPU, which waits for the reply anyway. What would keep it for
 * long, or make it wait for memory, is left to the worker.
 */
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched/clock.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include "iommu.h"

/*
 * Returns false if it is left to the worker. Page faults are off: a thread that
 * kicks never waits for memory of the guest or the VMM, which may come late, or
 * never, and can't be called back while it does.
 */
static bool vhost_iommu_serve_in_place(struct vhost_iommu_rq *rq)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;
	bool ready;

	/* A thread that exits has left its address space */
	if (vhost_dev_check_owner(&viommu->dev))
		return false;
	/* The worker can be at it for long, and this thread be wanted */
	ACQUIRE(mutex_intr, lock)(&vq->mutex);
	if (ACQUIRE_ERR(mutex_intr, &lock))
		return false;
	/* Who wants it may have waited for this mutex less long */
	if (READ_ONCE(viommu->wanted))
		return false;
	pagefault_disable();
	ready = vhost_iommu_vq_is_ready(vq);
	if (ready)
		vhost_iommu_ring_serve(rq, VHOST_IOMMU_KICKER);
	pagefault_enable();
	return ready;
}

static void vhost_iommu_kick_work(struct callback_head *work)
{
	struct vhost_iommu_rq *rq = container_of(work, struct vhost_iommu_rq,
						 kick_work);
	struct vhost_iommu *viommu = rq->viommu;

	clear_bit(VHOST_IOMMU_KICK_PENDING, &rq->kick_flags);
	/*
	 * Orders this before the ring is read below: who still saw the bit has
	 * the worker look, who did not adds the work again.
	 */
	smp_mb__after_atomic();
	if (READ_ONCE(viommu->wanted) || !vhost_iommu_serve_in_place(rq))
		vhost_poll_queue(&rq->vq.poll);
	vhost_iommu_put(viommu);
	module_put(THIS_MODULE);
}

/*
 * Have the thread that kicks serve the queue before it returns to the guest, or
 * to user space. That is a virtual CPU, which waits for the reply anyway: this
 * way it pays for its requests itself, and nobody has to be woken. Not if
 * requests come so fast that a worker which polls meets them without a kick.
 */
static bool vhost_iommu_kick_in_place(struct vhost_iommu_rq *rq)
{
	struct vhost_iommu *viommu = rq->viommu;

	if (READ_ONCE(rq->polls) || READ_ONCE(viommu->worker_only) ||
	    !in_task() ||
	    current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING) ||
	    vhost_dev_check_owner(&viommu->dev))
		return false;
	/* Somebody is about to look at the ring, but may be kept from it */
	if (test_and_set_bit(VHOST_IOMMU_KICK_PENDING, &rq->kick_flags))
		return false;
	/*
	 * The file may be closed before the work has run, which then finds the
	 * ring stopped; the memory stays until then.
	 */
	refcount_inc(&viommu->refs);
	__module_get(THIS_MODULE);
	init_task_work(&rq->kick_work, vhost_iommu_kick_work);
	if (!task_work_add(current, &rq->kick_work, TWA_RESUME))
		return true;
	/* The file's own reference is there as long as it can be kicked */
	refcount_dec(&viommu->refs);
	module_put(THIS_MODULE);
	clear_bit(VHOST_IOMMU_KICK_PENDING, &rq->kick_flags);
	return false;
}

/**
 * vhost_iommu_kicked - Wake function of the request queue's kick eventfd
 * @wait: The wait queue entry of the queue's poll
 * @mode: Unused
 * @sync: Unused
 * @key: Poll events
 *
 * Context: Whatever signals the eventfd, with the lock of its wait queue held.
 * Return: 0, others may wait for it, too.
 */
int vhost_iommu_kicked(struct wait_queue_entry *wait, unsigned int mode,
		       int sync, void *key)
{
	struct vhost_poll *poll = container_of(wait, struct vhost_poll, wait);
	struct vhost_iommu_rq *rq = container_of(poll, struct vhost_iommu_rq,
						 vq.poll);

	if (!(key_to_poll(key) & poll->mask))
		return 0;
	if (READ_ONCE(rq->vq.busyloop_timeout))
		WRITE_ONCE(rq->kicked_at, local_clock());
	if (!vhost_iommu_kick_in_place(rq))
		vhost_poll_queue(poll);
	return 0;
}
