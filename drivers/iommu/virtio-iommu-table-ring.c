// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest: requests
 *
 * An unmap can't return before the device has replied, in whatever context it
 * is made, so all requests are waited for by polling. Any number of processors
 * can have one in flight. Each waits for a flag on its own stack; whoever sees
 * a reply in the ring and gets the lock takes all replies that are there off the
 * ring and sets the flags of those that they are for.
 *
 * There can be several rings, for processors that would wait for each other
 * otherwise. A request goes to that of the processor which makes it, and all that
 * it takes until it is answered is of that queue.
 *
 * The device keeps requests of one ring in order, and no others. Nothing here
 * needs more than that: who makes a request does not go on before it was answered,
 * so what one thread does one after the other is carried out in that order, whatever
 * rings it is in, and so is what several do under &vtab_dev.mutex, as all do that
 * attach and detach. What goes on at the same time otherwise, such as two unmaps,
 * has no order to begin with; for an unmap while an endpoint is attached or leaves,
 * see vtab_invalidated().
 *
 * The memory of requests is allocated once. It belongs to the device until the
 * request is answered, or the device is reset.
 */
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>

#include "virtio-iommu-table.h"
#include "virtio-iommu-table-wait.h"

static unsigned int timeout_ms = 5000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms,
		 "Time after which a request that is not answered breaks the device, in milliseconds");

/* How often the clock is looked at while polling */
#define VTAB_SPINS	128

static u64 vtab_timeout(void)
{
	return (u64)READ_ONCE(timeout_ms) * NSEC_PER_MSEC;
}

/**
 * struct vtab_waiter - Who waits for a request
 * @done: It is answered; whoever reads this as true can read @status
 * @notified: Who waits has notified the device of it
 * @status: VIRTIO_IOMMU_S_*
 */
struct vtab_waiter {
	bool done;
	bool notified;
	u8 status;
};

/* It need not be this processor's any more, that is only for speed */
static struct vtab_queue *vtab_this_queue(struct vtab_dev *vtab)
{
	return &vtab->queues[vtab_cpu_queue(raw_smp_processor_id(),
					    vtab->nr_queues)];
}

static void vtab_complete(struct vtab_queue *queue, struct vtab_slot *slot,
			  unsigned int len)
{
	const struct virtio_iommu_req_tail *tail = &slot->tail;
	struct vtab_waiter *waiter = slot->waiter;

	if (slot->reply)
		tail = slot->reply + slot->reply_len - sizeof(*tail);
	if (len == slot->reply_len)
		waiter->status = tail->status;
	else
		waiter->status = len ? VIRTIO_IOMMU_S_DEVERR :
				       VIRTIO_IOMMU_S_UNSUPP;
	slot->reply = NULL;
	queue->free[queue->nr_free++] = slot;
	/* The waiter may return as soon as it reads this */
	smp_store_release(&waiter->done, true);
}

static bool vtab_is_done(const struct vtab_waiter *waiter)
{
	/* Pairs with vtab_complete() */
	return smp_load_acquire(&waiter->done);
}

/* A device that is broken answers no more: who waited does not any longer */
static void vtab_reap_locked(struct vtab_queue *queue)
{
	struct vtab_slot *slot;
	unsigned int len;

	lockdep_assert_held(&queue->lock);
	/* Pairs with vtab_give_up() */
	if (READ_ONCE(queue->vtab->broken))
		return;
	while ((slot = virtqueue_get_buf(queue->vq, &len))) {
		WRITE_ONCE(queue->reaped, queue->reaped + 1);
		vtab_complete(queue, slot, len);
	}
}

/* For who does not have the lock of a queue: it has a ring if the device is awake */
static bool vtab_is_asleep(const struct vtab_dev *vtab)
{
	/* Pairs with vtab_ring_wake() */
	return smp_load_acquire(&vtab->asleep);
}

/*
 * Whether there is a reply in the ring. Those who wait look at this, and not at
 * the lock that others need to make their requests. It is the index of a split
 * ring, see vtab_validate().
 */
static bool vtab_peek(const struct vtab_queue *queue)
{
	const struct vtab_dev *vtab = queue->vtab;

	/*
	 * vtab_close() sets broken, vtab_ring_sleep() asleep, and they wait for
	 * this before queues are freed
	 */
	guard(rcu)();
	return !READ_ONCE(vtab->broken) && !vtab_is_asleep(vtab) &&
	       virtqueue_poll(queue->vq, READ_ONCE(queue->reaped));
}

static void vtab_reap(struct vtab_queue *queue)
{
	unsigned long flags;

	/* If somebody else has it, then that one reaps, or we are back soon */
	if (!raw_spin_trylock_irqsave(&queue->lock, flags))
		return;
	if (!READ_ONCE(queue->vtab->asleep))
		vtab_reap_locked(queue);
	raw_spin_unlock_irqrestore(&queue->lock, flags);
}

/*
 * Returns false when there is nothing to wait for any more: the device is broken,
 * and vtab_give_up() comes next for who has a request in the ring.
 */
static bool vtab_poll(struct vtab_queue *queue, struct vtab_timer *timer)
{
	struct vtab_dev *vtab = queue->vtab;

	/* As for vtab_peek() */
	guard(rcu)();
	if (READ_ONCE(vtab->broken))
		return false;
	/* Whoever has put it to sleep waits for the replies */
	if (vtab_is_asleep(vtab)) {
		cpu_relax();
		return true;
	}
	if (virtqueue_is_broken(queue->vq)) {
		vtab_break(vtab, "the request queue is broken");
		return false;
	}
	cpu_relax();
	if (++timer->spins % VTAB_SPINS)
		return true;
	switch (vtab_timer_step(timer, ktime_get_mono_fast_ns(),
				vtab_timeout())) {
	case VTAB_WAIT_TIMEOUT:
		vtab_break(vtab, "a request is not answered");
		return false;
	case VTAB_WAIT_NOTIFY:
		atomic64_inc(&vtab->nr_late);
		virtqueue_notify(queue->vq);
		return true;
	default:
		return true;
	}
}

/*
 * The device is broken, as vtab_poll() has seen: nobody who takes the lock of the
 * queue from now on looks at what is in the ring. But who has it may not have seen
 * that, and may be about to write to @waiter, which is gone when its owner returns.
 * So that one has to be waited for. Returns as vtab_request().
 */
static int vtab_give_up(struct vtab_queue *queue,
			const struct vtab_waiter *waiter)
{
	guard(raw_spinlock_irqsave)(&queue->lock);
	return waiter->done ? waiter->status : -EIO;
}

/* Returns 1 if there is no slot for it: all of them are in flight */
static int vtab_add(struct vtab_queue *queue, const void *req, size_t len,
		    void *reply, size_t reply_len, struct vtab_waiter *waiter)
{
	struct scatterlist out, in, *sgs[] = { &out, &in };
	struct vtab_dev *vtab = queue->vtab;
	struct vtab_slot *slot;
	int rc;

	lockdep_assert_held(&queue->lock);
	if (READ_ONCE(vtab->asleep))
		return -ESHUTDOWN;
	if (!queue->nr_free)
		vtab_reap_locked(queue);
	if (READ_ONCE(vtab->broken))
		return -EIO;
	if (!queue->nr_free)
		return 1;
	slot = queue->free[queue->nr_free - 1];
	memcpy(slot->req, req, len);
	slot->reply = reply;
	slot->reply_len = reply_len;
	slot->waiter = waiter;
	sg_init_one(&out, slot->req, len);
	sg_init_one(&in, reply ?: &slot->tail, reply_len);
	rc = virtqueue_add_sgs(queue->vq, sgs, 1, 1, slot, GFP_ATOMIC);
	if (rc) {
		slot->reply = NULL;
		return rc;
	}
	queue->nr_free--;
	WRITE_ONCE(queue->nr_requests, queue->nr_requests + 1);
	return 0;
}

/*
 * A request that follows another one into the ring is not notified of, as the
 * notification of the first is on its way. So it has to be: interrupts stay off
 * until it is made, lest an interrupt handler waits, on this processor, for a
 * request that the device only sees when the handler has returned. The lock
 * need not be held for that long, a notification makes the processor leave the
 * guest. Who has set &vtab_dev.broken and waits for RCU knows that no notification
 * is on its way, in any queue.
 */
static int vtab_submit(struct vtab_queue *queue, const void *req, size_t len,
		       void *reply, size_t reply_len,
		       struct vtab_waiter *waiter)
{
	unsigned long flags;
	bool kick;
	int rc;

	local_irq_save(flags);
	raw_spin_lock(&queue->lock);
	rc = vtab_add(queue, req, len, reply, reply_len, waiter);
	kick = !rc && virtqueue_kick_prepare(queue->vq);
	raw_spin_unlock(&queue->lock);
	if (kick)
		virtqueue_notify(queue->vq);
	local_irq_restore(flags);
	waiter->notified = kick;
	return rc;
}

/**
 * vtab_request - Make a request and wait for the reply
 * @vtab: The virtio-iommu
 * @req: The part of it that the device reads, at most VTAB_MAX_REQ bytes
 * @len: Its length
 * @reply: Buffer from kmalloc() for a reply that ends with a tail, or NULL if
 *         there is nothing but the tail. If an error is returned, the caller
 *         has lost it.
 * @reply_len: Size of the reply, with the tail
 *
 * Can be called in any context. A device that does not answer in time is
 * broken from then on. When this returns, the request is complete, unless a negative
 * errno is returned.
 *
 * Return: the reply's status, VIRTIO_IOMMU_S_*, or a negative errno: -EIO if
 * the device is broken, -ESHUTDOWN if it sleeps.
 */
int vtab_request(struct vtab_dev *vtab, const void *req, size_t len,
		 void *reply, size_t reply_len)
{
	struct vtab_queue *queue = vtab_this_queue(vtab);
	struct vtab_waiter waiter = {};
	struct vtab_timer timer = {};
	int rc;

	vtab_timer_arm(&timer, false, vtab_timeout());
	while ((rc = vtab_submit(queue, req, len, reply, reply_len, &waiter))) {
		if (rc > 0 && vtab_poll(queue, &timer))
			continue;
		kfree(reply);
		if (rc == -EIO)
			vtab_break(vtab, "the request queue is broken");
		return rc < 0 ? rc : -EIO;
	}

	vtab_timer_arm(&timer, waiter.notified, vtab_timeout());
	while (!vtab_is_done(&waiter)) {
		if (vtab_peek(queue)) {
			vtab_reap(queue);
			if (vtab_is_done(&waiter))
				break;
		}
		if (!vtab_poll(queue, &timer))
			return vtab_give_up(queue, &waiter);
	}
	return waiter.status;
}

/* Stop the DMA of all PCI devices that use tables */
static void vtab_stop_dma(struct vtab_dev *vtab)
{
	struct vtab_endpoint *ep;

	lockdep_assert_held(&vtab->lock);
	list_for_each_entry(ep, &vtab->endpoints, entry)
		if (ep->tables && dev_is_pci(ep->dev))
			pci_clear_master(to_pci_dev(ep->dev));
}

/**
 * vtab_break - Give the device up
 * @vtab: The virtio-iommu
 * @why: What the matter is
 *
 * What the device was asked to forget it may still use, until it is reset, which
 * is not possible here, in any context. The endpoints' DMA is stopped before
 * anybody is told, and page tables are kept from now on.
 *
 * This is for all queues, but takes the lock of none of them: who waits in one
 * does so itself, see vtab_give_up(). When it returns, the device is broken,
 * whoever has broken it.
 */
void vtab_break(struct vtab_dev *vtab, const char *why)
{
	/* vtab_close() waits for this: there is a device to tell of */
	guard(rcu)();
	scoped_guard(raw_spinlock_irqsave, &vtab->lock) {
		if (vtab->broken)
			return;
		vtab_stop_dma(vtab);
		WRITE_ONCE(vtab->keep, true);
		WRITE_ONCE(vtab->broken, true);
	}
	dev_err(&vtab->vdev->dev,
		"%s: the device is broken, DMA behind it is stopped, memory that it may use is kept\n",
		why);
	queue_work(system_dfl_wq, &vtab->reset_work);
}

static int vtab_queue_init(struct vtab_queue *queue)
{
	/* A request takes two descriptors, see vtab_validate() */
	unsigned int i, nr = min(queue->vq->num_free / 2, VTAB_MAX_SLOTS);

	if (!nr)
		return -EINVAL;
	queue->slots = kzalloc_objs(*queue->slots, nr);
	queue->free = kzalloc_objs(*queue->free, nr);
	if (!queue->slots || !queue->free)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		queue->free[i] = &queue->slots[i];
	queue->nr_slots = nr;
	queue->nr_free = nr;
	return 0;
}

static void vtab_queue_free(struct vtab_queue *queue)
{
	unsigned int i;

	for (i = 0; i < queue->nr_slots; i++)
		kfree(queue->slots[i].reply);
	kfree(queue->slots);
	kfree(queue->free);
	queue->slots = NULL;
	queue->free = NULL;
	queue->nr_slots = 0;
	queue->nr_free = 0;
}

/**
 * vtab_ring_init - Allocate memory for requests
 * @vtab: The virtio-iommu, with its request queues
 *
 * Return: 0 or a negative errno.
 */
int vtab_ring_init(struct vtab_dev *vtab)
{
	unsigned int i;
	int rc;

	for (i = 0; i < vtab->nr_queues; i++) {
		rc = vtab_queue_init(&vtab->queues[i]);
		if (rc) {
			vtab_ring_free(vtab);
			return rc;
		}
	}
	return 0;
}

/**
 * vtab_ring_free - Free memory for requests
 * @vtab: The virtio-iommu, which was reset, or makes no requests yet
 */
void vtab_ring_free(struct vtab_dev *vtab)
{
	unsigned int i;

	for (i = 0; i < vtab->nr_queues; i++)
		vtab_queue_free(&vtab->queues[i]);
}

/* Take all replies off all rings. Returns whether there is nothing in flight */
static bool vtab_reap_all(struct vtab_dev *vtab)
{
	struct vtab_queue *queue;
	bool idle = true;
	unsigned int i;

	for (i = 0; i < vtab->nr_queues; i++) {
		queue = &vtab->queues[i];
		guard(raw_spinlock_irq)(&queue->lock);
		vtab_reap_locked(queue);
		idle &= queue->nr_free == queue->nr_slots;
	}
	return idle;
}

/**
 * vtab_ring_sleep - Make no more requests
 * @vtab: The virtio-iommu, all endpoints of which are blocked
 *
 * When this returns 0, nobody uses the request queues, and all that is waited for
 * was answered.
 *
 * Return: 0, or -EIO if a request was not answered.
 */
int vtab_ring_sleep(struct vtab_dev *vtab)
{
	struct vtab_timer timer = {};
	bool idle;

	lockdep_assert_held(&vtab->mutex);
	/*
	 * Who has the lock of a queue now may not see this. Who takes it after
	 * vtab_reap_all() had it does: a queue that was empty then stays so.
	 */
	WRITE_ONCE(vtab->asleep, true);
	for (;;) {
		/* Nobody else does, and all wait until somebody has */
		idle = vtab_reap_all(vtab);
		if (idle || READ_ONCE(vtab->broken))
			break;
		if (vtab_timer_step(&timer, ktime_get_mono_fast_ns(),
				    vtab_timeout()) == VTAB_WAIT_TIMEOUT)
			vtab_break(vtab, "a request is not answered");
		usleep_range(50, 100);
	}
	/* See vtab_peek() and vtab_submit() */
	synchronize_rcu();
	if (idle && !READ_ONCE(vtab->broken))
		return 0;
	WRITE_ONCE(vtab->asleep, false);
	return -EIO;
}

/**
 * vtab_ring_wake - Make requests again
 * @vtab: The virtio-iommu, with its queues, as many as before
 */
void vtab_ring_wake(struct vtab_dev *vtab)
{
	unsigned int i;

	lockdep_assert_held(&vtab->mutex);
	for (i = 0; i < vtab->nr_queues; i++)
		scoped_guard(raw_spinlock_irq, &vtab->queues[i].lock)
			vtab->queues[i].reaped = 0;
	/*
	 * Whoever sees this sees the queues as they are now: pairs with
	 * vtab_is_asleep(), and for who has the lock of a queue with its release
	 * in the loop.
	 */
	smp_store_release(&vtab->asleep, false);
}

static ssize_t requests_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	struct vtab_dev *vtab = dev_to_virtio(dev)->priv;
	u64 nr = 0;
	unsigned int i;

	for (i = 0; i < vtab->nr_queues; i++)
		nr += READ_ONCE(vtab->queues[i].nr_requests);
	return sysfs_emit(buf, "%llu\n", nr);
}
static DEVICE_ATTR_RO(requests);

static ssize_t late_notifications_show(struct device *dev,
				       struct device_attribute *attr, char *buf)
{
	struct vtab_dev *vtab = dev_to_virtio(dev)->priv;

	return sysfs_emit(buf, "%lld\n", atomic64_read(&vtab->nr_late));
}
static DEVICE_ATTR_RO(late_notifications);

static struct attribute *vtab_stats[] = {
	&dev_attr_requests.attr,
	&dev_attr_late_notifications.attr,
	NULL
};

static const struct attribute_group vtab_stats_group = {
	.name = "stats",
	.attrs = vtab_stats,
};

const struct attribute_group *const vtab_groups[] = {
	&vtab_stats_group,
	NULL
};
