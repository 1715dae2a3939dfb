// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: when the worker polls for requests, and when it lets that be
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include "iommu.h"

/* Stopping the device waits for the poll; vhost stores any timeout */
#define VHOST_IOMMU_POLL_MAX_US		10000

/*
 * Whether to poll is decided by a counter that goes up by one for a request that
 * came within the time of polling after the one before, and down for others:
 * polling goes on while more than two of three come that soon.
 */
#define VHOST_IOMMU_POLL_SCORE_MAX	32
#define VHOST_IOMMU_POLL_SCORE		16
#define VHOST_IOMMU_POLL_SCORE_LATE	2

/*
 * A worker that is woken later than this, in ns, had to wait for a processor.
 * It is let alone for so many times as long.
 */
#define VHOST_IOMMU_WAKE_LATE_NS	(4 * NSEC_PER_MSEC)
#define VHOST_IOMMU_HOLD_FACTOR		16
/* Whatever kept it away for longer says nothing of the processors */
#define VHOST_IOMMU_WAKE_MAX_NS		((u64)NSEC_PER_SEC)

static u64 vhost_iommu_poll_max(const struct vhost_virtqueue *vq)
{
	return min(READ_ONCE(vq->busyloop_timeout), VHOST_IOMMU_POLL_MAX_US) *
	       (u64)NSEC_PER_USEC;
}

/*
 * Polling pays when requests come soon after each other, and costs a processor
 * when they don't. @soon tells whether one came, in time to be met.
 */
static void vhost_iommu_poll_adapt(struct vhost_iommu_rq *rq, bool soon,
				   u64 now)
{
	unsigned int score = rq->poll_score;
	bool polls;

	if (soon)
		score = min(score + 1, VHOST_IOMMU_POLL_SCORE_MAX);
	else
		score -= min(score, VHOST_IOMMU_POLL_SCORE_LATE);
	rq->poll_score = score;
	polls = score >= VHOST_IOMMU_POLL_SCORE && now >= rq->poll_hold;
	/* Whoever kicks looks at it */
	WRITE_ONCE(rq->polls, polls);
}

/**
 * vhost_iommu_poll_kicked - See what a kick says about polling
 * @rq: The request queue
 * @where: Who begins to serve it
 *
 * When all processors are busy, as with virtual CPUs that wait for us, a worker comes
 * late, and no thread but the one that kicks can be relied upon to run. And it polls
 * one queue at a time: a kick that it gets in the time of polling has found it at
 * another one.
 *
 * Context: Under the ring's mutex.
 */
void vhost_iommu_poll_kicked(struct vhost_iommu_rq *rq,
			     enum vhost_iommu_server where)
{
	u64 window = vhost_iommu_poll_max(&rq->vq), now, late;
	u64 kicked = READ_ONCE(rq->kicked_at);
	bool soon, missed;

	if (!window) {
		rq->poll_score = 0;
		WRITE_ONCE(rq->polls, false);
	}
	if (!window || !kicked)
		return;
	now = local_clock();
	WRITE_ONCE(rq->kicked_at, 0);
	late = min(now - min(kicked, now), VHOST_IOMMU_WAKE_MAX_NS);
	soon = kicked < rq->idle_since + window;
	missed = soon && rq->polls && READ_ONCE(rq->viommu->nr_serving) > 1;
	if (where == VHOST_IOMMU_WORKER &&
	    (missed || late > VHOST_IOMMU_WAKE_LATE_NS))
		rq->poll_hold = now + max(late, window) * VHOST_IOMMU_HOLD_FACTOR;
	vhost_iommu_poll_adapt(rq, soon, now);
}

/* Somebody else has work to do; a lazy scheduler asks only at the next tick */
static bool vhost_iommu_should_yield(struct vhost_iommu_rq *rq)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;

	return need_resched() || test_thread_flag(TIF_NEED_RESCHED_LAZY) ||
	       signal_pending(current) || READ_ONCE(viommu->wanted) ||
	       vhost_vq_has_work(vq);
}

/**
 * vhost_iommu_poll_idle - Note that a queue is empty
 * @rq: The request queue
 */
void vhost_iommu_poll_idle(struct vhost_iommu_rq *rq)
{
	if (vhost_iommu_poll_max(&rq->vq))
		rq->idle_since = local_clock();
}

/**
 * vhost_iommu_poll - Look for requests for as long as it pays
 * @rq: The request queue, which vhost_iommu_poll_idle() was called for
 *
 * Context: The worker, with page faults, under the ring's mutex.
 * Return: true if there is one.
 */
bool vhost_iommu_poll(struct vhost_iommu_rq *rq)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;
	u64 now = rq->idle_since, end = now;

	if (rq->polls)
		end += vhost_iommu_poll_max(vq);
	for (; now < end; now = local_clock()) {
		if (!vhost_vq_avail_empty(&viommu->dev, vq)) {
			rq->count.poll_hits++;
			vhost_iommu_poll_adapt(rq, true, now);
			return true;
		}
		if (vhost_iommu_should_yield(rq))
			return false;
		cpu_relax();
	}
	return false;
}
