/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-iommu with tables of the guest: how long a request is waited for
 *
 * What is here knows of no device, so that it is unit-tested.
 */
#ifndef _VIRTIO_IOMMU_TABLE_WAIT_H
#define _VIRTIO_IOMMU_TABLE_WAIT_H

#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <linux/types.h>

/* Time after which somebody else's notification is not relied on any more */
#define VTAB_LATE_NS		(75 * NSEC_PER_USEC)
/* What a single look at the clock counts for at most */
#define VTAB_STEP_NS		(10 * NSEC_PER_MSEC)

/**
 * enum vtab_wait - What to do next
 * @VTAB_WAIT_ON: Go on waiting
 * @VTAB_WAIT_NOTIFY: Notify the device once more, and go on waiting
 * @VTAB_WAIT_TIMEOUT: Give up
 */
enum vtab_wait {
	VTAB_WAIT_ON,
	VTAB_WAIT_NOTIFY,
	VTAB_WAIT_TIMEOUT,
};

/**
 * struct vtab_timer - How long a request has been waited for
 * @spins: Times that there was nothing
 * @last: When the clock was last looked at
 * @waited: Time waited
 * @notify_at: At what time waited the device is notified once more
 */
struct vtab_timer {
	unsigned int spins;
	u64 last;
	u64 waited;
	u64 notify_at;
};

/**
 * vtab_timer_arm - A request is in the ring
 * @timer: How long its slot has been waited for
 * @notified: The device was notified of it, by who waits for it
 * @timeout: When to give up
 *
 * Whoever puts the first of several requests into the ring notifies of all of
 * them. The host may stop that processor in between, and the others would wait
 * until it runs again.
 */
static inline void vtab_timer_arm(struct vtab_timer *timer, bool notified,
				  u64 timeout)
{
	timer->notify_at = notified ? timeout / 2 :
				      timer->waited + VTAB_LATE_NS;
}

/**
 * vtab_timer_step - The clock was looked at
 * @timer: How long the request has been waited for
 * @now: The time
 * @timeout: When to give up
 *
 * A machine that was paused, or a processor that was, finds that much time has
 * passed in which the device may have been paused, too. No single step counts
 * for more than a few milliseconds.
 *
 * A notification that the device does not need costs time and nothing else, so
 * there are no more than two for a request: soon, for one that is stuck behind
 * another processor, and halfway to the timeout.
 *
 * Return: what to do.
 */
static inline enum vtab_wait vtab_timer_step(struct vtab_timer *timer, u64 now,
					     u64 timeout)
{
	if (timer->last)
		timer->waited += min(now - timer->last, VTAB_STEP_NS);
	timer->last = now;
	if (timer->waited > timeout)
		return VTAB_WAIT_TIMEOUT;
	if (timer->waited < timer->notify_at)
		return VTAB_WAIT_ON;
	timer->notify_at = timer->notify_at < timeout / 2 ? timeout / 2 :
							    U64_MAX;
	return VTAB_WAIT_NOTIFY;
}

#endif /* _VIRTIO_IOMMU_TABLE_WAIT_H */
