// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: request ring, batching, replies
 *
 * The guest spins with interrupts off until it is answered. Whatever is wrong
 * with a request, its buffer is returned; a chain that can't be read is
 * returned with a used length of 0, and only a ring that can't be read at all
 * stops, after the VMM was told through the error eventfd.
 */
#include <linux/delay.h>
#include <linux/eventfd.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uio.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

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

/* Most bytes of a MAP or UNMAP that the thread which kicked carries out */
#define VHOST_IOMMU_SHORT_MAX		SZ_2M

/*
 * How long a pass of the worker lasts, in ms, if nobody wants the ring before:
 * events have to be served, too.
 */
#define VHOST_IOMMU_PASS_MS		10

/*
 * A thread that kicks can be called back, and the worker be killed, while
 * somebody else has the lock.
 */
static int vhost_iommu_lock(struct vhost_iommu *viommu,
			    enum vhost_iommu_server where)
{
	if (where == VHOST_IOMMU_KICKER)
		return mutex_lock_interruptible(&viommu->lock);
	return mutex_lock_killable(&viommu->lock);
}

/*
 * PROBE, VIRTIO 1.3, section 5.13.6.7. The properties are copied, because guest
 * memory is not written to under the lock.
 */
static int vhost_iommu_probe(struct vhost_iommu *viommu,
			     const struct vhost_iommu_req *req, void **props,
			     u32 *len)
{
	struct vhost_iommu_endpoint *ep;

	ep = vhost_iommu_endpoint_find(viommu, req->endpoint);
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	if (ep->probe_len > req->tail)
		return VIRTIO_IOMMU_S_INVAL;
	*props = kvmemdup(ep->probe, ep->probe_len, GFP_KERNEL_ACCOUNT);
	if (!*props)
		return VIRTIO_IOMMU_S_NOMEM;
	*len = ep->probe_len;
	return VIRTIO_IOMMU_S_OK;
}

/* One piece of a request, see &vhost_iommu.lock; the status, or -EAGAIN */
static int vhost_iommu_execute(struct vhost_iommu *viommu,
			       const struct vhost_iommu_req *req,
			       enum vhost_iommu_server where, void **props,
			       u32 *len)
{
	switch (req->type) {
	case VIRTIO_IOMMU_T_ATTACH:
		return vhost_iommu_attach(viommu, req);
	case VIRTIO_IOMMU_T_DETACH:
		return vhost_iommu_detach(viommu, req);
	case VIRTIO_IOMMU_T_MAP:
		return vhost_iommu_map(viommu, req, where);
	case VIRTIO_IOMMU_T_UNMAP:
		return vhost_iommu_unmap(viommu, req, where);
	case VIRTIO_IOMMU_T_ATTACH_TABLE:
		return vhost_iommu_attach_table(viommu, req);
	case VIRTIO_IOMMU_T_PROBE:
		return vhost_iommu_probe(viommu, req, props, len);
	default:
		return VIRTIO_IOMMU_S_OK;
	}
}

static int vhost_iommu_reply(const struct vhost_iommu_req *req, u8 status,
			     const void *props, u32 len, struct iov_iter *to)
{
	struct virtio_iommu_req_tail tail = { .status = status };

	if (req->type == VIRTIO_IOMMU_T_PROBE) {
		if (copy_to_iter(props, len, to) != len ||
		    iov_iter_zero(req->tail - len, to) != req->tail - len)
			return -EFAULT;
	}
	return copy_to_iter(&tail, sizeof(tail), to) == sizeof(tail) ? 0 :
								       -EFAULT;
}

/*
 * The one place where replies become visible: one index update per batch. A
 * thread that kicks does not wait for the ring's memory: what it can't publish
 * is kept for the worker.
 */
static int vhost_iommu_publish(struct vhost_iommu_rq *rq,
			       enum vhost_iommu_server where)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;
	u16 used = vq->last_used_idx;
	bool valid = vq->signalled_used_valid;

	if (!rq->nr_heads)
		return 0;
	if (vhost_add_used_n(vq, rq->heads, NULL, rq->nr_heads) < 0) {
		if (where == VHOST_IOMMU_KICKER) {
			vq->last_used_idx = used;
			vq->signalled_used_valid = valid;
			return -EFAULT;
		}
		rq->dead = true;
		vhost_iommu_vq_error(rq->viommu, &rq->vq);
	}
	rq->nr_heads = 0;
	rq->count.batches++;
	vhost_signal(&viommu->dev, vq);
	return 0;
}

/*
 * The guest can add to a ring while it is read, so that more buffers are taken
 * from it than it has entries. vhost_add_used_n() can't return more than these.
 */
static bool vhost_iommu_is_full(const struct vhost_iommu_rq *rq)
{
	return rq->nr_heads >= min(VHOST_IOMMU_BATCH, rq->vq.num);
}

static void vhost_iommu_done(struct vhost_iommu_rq *rq, unsigned int head,
			     u32 used, enum vhost_iommu_server where)
{
	struct vhost_virtqueue *vq = &rq->vq;
	struct vring_used_elem *elem = &rq->heads[rq->nr_heads++];

	elem->id = cpu_to_vhost32(vq, head);
	elem->len = cpu_to_vhost32(vq, used);
	if (vhost_iommu_is_full(rq))
		vhost_iommu_publish(rq, where);
}

/*
 * Linux' driver takes no notice of what becomes of a MAP, and goes on as if it
 * were OK: so the VMM is told.
 */
static void vhost_iommu_refused(struct vhost_iommu_rq *rq,
				const struct vhost_iommu_req *req, int status)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;

	trace_vhost_iommu_refused(viommu, req, status);
	scoped_guard(spinlock, &viommu->refused.lock) {
		viommu->refused.nr[status]++;
		viommu->refused.domain = req->domain;
		viommu->refused.status = status;
		viommu->refused.start = req->virt_start;
		viommu->refused.last = req->virt_end;
		viommu->refused.phys = req->phys_start;
	}
	if (vq->error_ctx)
		eventfd_signal(vq->error_ctx);
}

/* @rc is a status, or an errno if the buffer is returned as it came */
static void vhost_iommu_finish(struct vhost_iommu_rq *rq, unsigned int head,
			       const struct vhost_iommu_req *req, int rc,
			       u64 begin, enum vhost_iommu_server where)
{
	struct vhost_iommu *viommu = rq->viommu;
	u32 used = 0;

	rq->count.requests[req->type]++;
	rq->count.in_place += where == VHOST_IOMMU_KICKER;
	if (rc < 0) {
		rq->count.no_status++;
	} else {
		rq->count.status[rc]++;
		used = req->tail + VHOST_IOMMU_TAIL_LEN;
	}
	if (req->type == VIRTIO_IOMMU_T_MAP && rc > 0)
		vhost_iommu_refused(rq, req, rc);
	if (begin)
		trace_vhost_iommu_request(viommu, req, max(rc, -1), used,
					  ktime_get_ns() - begin);
	vhost_iommu_done(rq, head, used, where);
}

/* Remember a request whose reply is yet to be written */
static struct vhost_iommu_pending *
vhost_iommu_pend(struct vhost_iommu_rq *rq, unsigned int head,
		 const struct vhost_iommu_req *req, const struct iovec *in,
		 u64 begin)
{
	struct vhost_iommu_pending *p = &rq->pending[rq->nr_pending++];
	size_t left = VHOST_IOMMU_TAIL_LEN;

	p->head = head;
	p->req = *req;
	p->begin = begin;
	p->nr_tail = 0;
	for (; left; in++) {
		struct iovec *tail = &p->tail[p->nr_tail];

		if (!in->iov_len)
			continue;
		tail->iov_base = in->iov_base;
		tail->iov_len = min(in->iov_len, left);
		left -= tail->iov_len;
		p->nr_tail++;
	}
	return p;
}

/* A thread that kicks makes no command that would wait for the VMM's memory */
static bool vhost_iommu_is_ready(struct vhost_iommu *viommu,
				 enum vhost_iommu_server where)
{
	return where != VHOST_IOMMU_KICKER || vhost_iommu_host_is_ready(viommu);
}

/* Write replies of requests that are pending, and have been carried out */
static int vhost_iommu_answer(struct vhost_iommu_rq *rq,
			      enum vhost_iommu_server where)
{
	unsigned int i, nr = rq->nr_pending;
	int rc = 0;

	for (i = 0; i < nr; i++) {
		struct vhost_iommu_pending *p = &rq->pending[i];
		int status = p->status;
		struct iov_iter to;

		iov_iter_init(&to, ITER_DEST, p->tail, p->nr_tail,
			      VHOST_IOMMU_TAIL_LEN);
		if (vhost_iommu_reply(&p->req, p->status, NULL, 0, &to)) {
			if (where == VHOST_IOMMU_KICKER) {
				rc = -EFAULT;
				break;
			}
			vhost_iommu_vq_error(rq->viommu, &rq->vq);
			status = -EFAULT;
		}
		vhost_iommu_finish(rq, p->head, &p->req, status,
				   p->begin, where);
		if (vhost_iommu_is_full(rq)) {
			/* Could not be published */
			i++;
			rc = -EFAULT;
			break;
		}
	}
	rq->nr_pending -= i;
	memmove(rq->pending, rq->pending + i,
		rq->nr_pending * sizeof(rq->pending[0]));
	rq->answers = rq->nr_pending;
	return rc;
}

/*
 * Carry out the invalidations that have been put off, and answer them. After an
 * error some are still pending: either they have not been carried out, or
 * &vhost_iommu_rq.answers says that their replies are for the worker to write.
 */
static int vhost_iommu_flush(struct vhost_iommu_rq *rq,
			     enum vhost_iommu_server where)
{
	struct vhost_iommu *viommu = rq->viommu;
	int rc;

	if (!rq->nr_pending)
		return 0;
	if (!rq->answers) {
		rc = vhost_iommu_lock(viommu, where);
		if (rc)
			return rc;
		if (vhost_iommu_is_ready(viommu, where))
			vhost_iommu_invalidate(rq);
		else
			rc = -EAGAIN;
		mutex_unlock(&viommu->lock);
		if (rc)
			return rc;
		rq->answers = true;
	}
	return vhost_iommu_answer(rq, where);
}

/* Leave invalidations that could not be carried out to the next pass */
static void vhost_iommu_retreat(struct vhost_iommu_rq *rq)
{
	if (rq->answers)
		return;
	vhost_iommu_chain_put_back(&rq->vq, rq->nr_pending);
	rq->nr_pending = 0;
}

/*
 * What holds a virtual CPU up for no longer than a few milliseconds, unless the
 * host fails to carry it out.
 */
static bool vhost_iommu_req_is_short(const struct vhost_iommu_req *req)
{
	switch (req->type) {
	case VIRTIO_IOMMU_T_INVALIDATE:
		return true;
	case VIRTIO_IOMMU_T_MAP:
	case VIRTIO_IOMMU_T_UNMAP:
		return req->virt_end - req->virt_start < VHOST_IOMMU_SHORT_MAX;
	default:
		return false;
	}
}

/* vhost takes the worker from the ring before it lets it end */
static bool vhost_iommu_is_killed(const struct vhost_virtqueue *vq)
{
	return !rcu_access_pointer(vq->worker) ||
	       fatal_signal_pending(current) ||
	       READ_ONCE(current->signal->flags) & SIGNAL_GROUP_EXIT;
}

/*
 * Somebody waits for the ring, or for the thread that serves it, or may by now.
 * Asked between requests, and between pieces of one.
 */
static bool vhost_iommu_is_wanted(const struct vhost_iommu_rq *rq,
				  enum vhost_iommu_server where)
{
	const struct vhost_iommu *viommu = rq->viommu;
	const struct vhost_virtqueue *vq = &rq->vq;

	if (READ_ONCE(viommu->wanted) ||
	    time_after_eq(jiffies, rq->pass_end))
		return true;
	if (where == VHOST_IOMMU_KICKER)
		return signal_pending(current);
	return vhost_iommu_is_killed(vq);
}

/*
 * Carry out a request, piece by piece. Returns its status; -EAGAIN if it is not
 * done, and is to be begun again, which goes on where this ended; or another
 * errno if it must not be answered. What is short, and still takes several pieces,
 * is not too long for a thread that kicks.
 */
static int vhost_iommu_carry_out(struct vhost_iommu_rq *rq,
				 const struct vhost_iommu_req *req,
				 enum vhost_iommu_server where, void **props,
				 u32 *len)
{
	struct vhost_iommu *viommu = rq->viommu;
	int rc;

	for (;;) {
		if (vhost_iommu_lock(viommu, where))
			return -EAGAIN;
		rc = -EBUSY;
		if (vhost_iommu_is_ready(viommu, where))
			rc = vhost_iommu_execute(viommu, req, where, props,
						 len);
		/* The IOMMU may still use what the guest would take as free */
		if (viommu->host.lost)
			rc = -ENOTRECOVERABLE;
		mutex_unlock(&viommu->lock);
		if (rc == -EBUSY)
			return -EAGAIN;
		if (rc != -EAGAIN || vhost_iommu_is_wanted(rq, where))
			return rc;
		if (READ_ONCE(viommu->host.busy_until))
			fsleep(USEC_PER_MSEC);
		else
			cond_resched();
	}
}

static int vhost_iommu_handle_decoded(struct vhost_iommu_rq *rq,
				      unsigned int head,
				      const struct vhost_iommu_req *req,
				      int rc, const struct iovec *in,
				      struct iov_iter *to, u64 begin,
				      enum vhost_iommu_server where)
{
	struct vhost_iommu_pending *p;
	void *props = NULL;
	u32 len = 0;

	if (req->type == VIRTIO_IOMMU_T_INVALIDATE &&
	    rc == VIRTIO_IOMMU_S_OK) {
		/*
		 * Those that come behind may share its wait for the hardware.
		 * The ring's iovec is used again by then.
		 */
		vhost_iommu_pend(rq, head, req, in, begin);
		return rq->nr_pending < VHOST_IOMMU_BATCH ? 0 :
		       vhost_iommu_flush(rq, where) ? -EINTR : 0;
	}
	/* In order, and what is to come may rely on what came before */
	if (vhost_iommu_flush(rq, where))
		return -EAGAIN;
	if (rc == VIRTIO_IOMMU_S_OK) {
		rc = vhost_iommu_carry_out(rq, req, where, &props, &len);
		if (rc == -EAGAIN)
			return rc;
	}
	if (rc == -ENOTRECOVERABLE) {
		rq->dead = true;
		vhost_iommu_vq_error(rq->viommu, &rq->vq);
		return -EAGAIN;
	}
	if (rc >= 0 && vhost_iommu_reply(req, rc, props, len, to)) {
		if (where == VHOST_IOMMU_KICKER) {
			p = vhost_iommu_pend(rq, head, req, in, begin);
			p->status = rc;
			rq->answers = true;
			return -EINTR;
		}
		vhost_iommu_vq_error(rq->viommu, &rq->vq);
		rc = -EFAULT;
	}
	kvfree(props);
	vhost_iommu_finish(rq, head, req, rc, begin, where);
	return 0;
}

/*
 * Returns 0; -EAGAIN if the request is to be left in the ring; or -EINTR if it
 * is done with, or pending itself, and no further one is to be taken.
 */
static int vhost_iommu_handle_request(struct vhost_iommu_rq *rq,
				      unsigned int head, unsigned int out,
				      unsigned int in,
				      enum vhost_iommu_server where)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;
	u64 begin = trace_vhost_iommu_request_enabled() ? ktime_get_ns() : 0;
	u8 buf[VHOST_IOMMU_REQ_MAX_LEN] __aligned(8);
	struct iov_iter from, to;
	struct vhost_iommu_req req;
	size_t len;
	int rc;

	len = iov_length(vq->iov, out);
	iov_iter_init(&from, ITER_SOURCE, vq->iov, out, len);
	len = min(len, sizeof(buf));
	iov_iter_init(&to, ITER_DEST, vq->iov + out, in,
		      iov_length(vq->iov + out, in));

	if (copy_from_iter(buf, len, &from) != len) {
		if (where == VHOST_IOMMU_KICKER ||
		    vhost_iommu_flush(rq, where))
			return -EAGAIN;
		vhost_iommu_vq_error(rq->viommu, &rq->vq);
		rq->count.no_status++;
		vhost_iommu_done(rq, head, 0, where);
		return 0;
	}
	rc = vhost_iommu_req_decode(&viommu->rules, buf, len,
				    iov_iter_count(&to), &req);
	if (where == VHOST_IOMMU_KICKER && rc == VIRTIO_IOMMU_S_OK &&
	    !vhost_iommu_req_is_short(&req))
		return -EAGAIN;
	return vhost_iommu_handle_decoded(rq, head, &req, rc,
					  vq->iov + out, &to, begin, where);
}

static int vhost_iommu_skip_chain(struct vhost_iommu_rq *rq, unsigned int head,
				  enum vhost_iommu_server where)
{
	if (vhost_iommu_flush(rq, where))
		return -EAGAIN;
	vhost_iommu_vq_error(rq->viommu, &rq->vq);
	rq->count.no_status++;
	vhost_iommu_done(rq, head, 0, where);
	return 0;
}

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

/*
 * See what a kick says about polling. When all processors are busy, as with
 * virtual CPUs that wait for us, a worker comes late, and no thread but the one
 * that kicks can be relied upon to run.
 */
static void vhost_iommu_poll_kicked(struct vhost_iommu_rq *rq,
				    enum vhost_iommu_server where)
{
	u64 max = vhost_iommu_poll_max(&rq->vq), now, late;
	u64 kicked = READ_ONCE(rq->kicked_at);

	if (!max) {
		rq->poll_score = 0;
		WRITE_ONCE(rq->polls, false);
	}
	if (!max || !kicked)
		return;
	now = local_clock();
	WRITE_ONCE(rq->kicked_at, 0);
	late = min(now - min(kicked, now), VHOST_IOMMU_WAKE_MAX_NS);
	if (where == VHOST_IOMMU_WORKER && late > VHOST_IOMMU_WAKE_LATE_NS)
		rq->poll_hold = now + late * VHOST_IOMMU_HOLD_FACTOR;
	vhost_iommu_poll_adapt(rq, kicked < rq->idle_since + max, now);
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

static bool vhost_iommu_busy_poll(struct vhost_iommu_rq *rq)
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

/*
 * Nothing is in the ring. Publish before waiting for more: the guest may wait
 * for what is done. Returns 1 if there is more, 0 if there is nothing to do until
 * the next kick, which is then enabled, or an errno if it can't be published.
 */
static int vhost_iommu_ring_wait(struct vhost_iommu_rq *rq,
				 enum vhost_iommu_server where)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;

	if (vhost_iommu_flush(rq, where) || vhost_iommu_publish(rq, where))
		return -EINTR;
	if (vhost_iommu_poll_max(vq))
		rq->idle_since = local_clock();
	if (where == VHOST_IOMMU_WORKER && vhost_iommu_busy_poll(rq))
		return 1;
	if (!vhost_enable_notify(&viommu->dev, vq))
		return 0;
	vhost_disable_notify(&viommu->dev, vq);
	return 1;
}

/*
 * Take a request from the ring and carry it out. Returns 1; 0 if there is
 * nothing to do until the next kick; or an errno if this pass is to end.
 */
static int vhost_iommu_serve_one(struct vhost_iommu_rq *rq,
				 enum vhost_iommu_server where)
{
	struct vhost_virtqueue *vq = &rq->vq;
	unsigned int head, out, in;
	int rc;

	rc = vhost_iommu_chain_get(vq, &head, &out, &in);
	if (!rc)
		return vhost_iommu_ring_wait(rq, where);
	if (rc == -EFAULT) {
		if (where == VHOST_IOMMU_WORKER) {
			rq->dead = true;
			vhost_iommu_vq_error(rq->viommu, &rq->vq);
		}
		return rc;
	}
	if (rc == -EBADMSG)
		rc = vhost_iommu_skip_chain(rq, head, where);
	else
		rc = vhost_iommu_handle_request(rq, head, out, in, where);
	if (rc == -EAGAIN)
		vhost_iommu_chain_put_back(vq, 1);
	return rc ?: 1;
}

/**
 * vhost_iommu_ring_serve - Serve a request queue for a bounded time
 * @rq: The request queue
 * @where: Who serves it. A thread that kicks has page faults disabled.
 *
 * What is left then is for the worker, which is told.
 */
void vhost_iommu_ring_serve(struct vhost_iommu_rq *rq,
			    enum vhost_iommu_server where)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_virtqueue *vq = &rq->vq;
	unsigned int nr = 0;
	int rc;

	lockdep_assert_held(&vq->mutex);

	if (!vhost_vq_get_backend(vq) || rq->dead)
		return;

	rq->pass_end = jiffies + msecs_to_jiffies(VHOST_IOMMU_PASS_MS) + 1;
	rq->count.wakeups++;
	vhost_iommu_poll_kicked(rq, where);
	vhost_disable_notify(&viommu->dev, vq);
	/* What a thread that kicked could not answer comes first */
	rc = vhost_iommu_publish(rq, where) ?: vhost_iommu_flush(rq, where);
	while (!rc) {
		rc = vhost_iommu_serve_one(rq, where);
		if (!rc)
			return;
		if (rc > 0 && !vhost_iommu_is_full(rq) &&
		    !vhost_iommu_is_wanted(rq, where) &&
		    ++nr < VHOST_IOMMU_WEIGHT)
			rc = 0;
	}
	/* There has to be room for what the flush answers */
	if (vhost_iommu_publish(rq, where) || vhost_iommu_flush(rq, where))
		vhost_iommu_retreat(rq);
	vhost_iommu_publish(rq, where);
	if (!rq->dead)
		vhost_poll_queue(&vq->poll);
}

/**
 * vhost_iommu_ring_settle - Answer what has been carried out
 * @rq: The request queue
 *
 * For a stop of the request queue: a thread that kicked may have left that to
 * the worker. Further requests stay in the ring.
 *
 * Context: ioctl of the owner.
 */
void vhost_iommu_ring_settle(struct vhost_iommu_rq *rq)
{
	lockdep_assert_held(&rq->vq.mutex);

	vhost_iommu_publish(rq, VHOST_IOMMU_WORKER);
	if (rq->answers)
		vhost_iommu_answer(rq, VHOST_IOMMU_WORKER);
	vhost_iommu_publish(rq, VHOST_IOMMU_WORKER);
}

/**
 * vhost_iommu_handle_kick - Serve the request queue
 * @work: The poll work of the queue
 *
 * Returns to the worker's loop after a bounded time; the rest is handled in
 * another pass.
 *
 * Context: vhost worker, which shares the owner's address space.
 */
void vhost_iommu_handle_kick(struct vhost_work *work)
{
	struct vhost_iommu_rq *rq = container_of(work, struct vhost_iommu_rq,
						 vq.poll.work);

	/*
	 * Orders this after the work was taken from the list: whoever wants the
	 * ring puts it there again afterwards.
	 */
	smp_mb();
	if (READ_ONCE(rq->viommu->wanted) || vhost_iommu_is_killed(&rq->vq))
		return;
	guard(mutex)(&rq->vq.mutex);
	vhost_iommu_ring_serve(rq, VHOST_IOMMU_WORKER);
}
