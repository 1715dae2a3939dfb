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
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uio.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

/* Most bytes of a MAP or UNMAP that the thread which kicked carries out */
#define VHOST_IOMMU_SHORT_MAX		SZ_2M

/*
 * How long a pass of the worker lasts, in ms, if nobody wants the ring before:
 * events have to be served, too.
 */
#define VHOST_IOMMU_PASS_MS		10

/*
 * A thread that kicks can be called back, and the worker be killed, while somebody
 * else has the lock. Who kicks is never alone: that is for the worker.
 */
static int vhost_iommu_lock(struct vhost_iommu *viommu,
			    const struct vhost_iommu_caller *by)
{
	if (by->alone)
		return down_write_killable(&viommu->lock);
	if (by->where == VHOST_IOMMU_KICKER)
		return down_read_interruptible(&viommu->lock);
	return down_read_killable(&viommu->lock);
}

static void vhost_iommu_unlock(struct vhost_iommu *viommu,
			       const struct vhost_iommu_caller *by)
{
	if (by->alone)
		up_write(&viommu->lock);
	else
		up_read(&viommu->lock);
}

/* What leaves domains, endpoints and groups as they are runs beside others */
static bool vhost_iommu_req_is_alone(const struct vhost_iommu_req *req)
{
	switch (req->type) {
	case VIRTIO_IOMMU_T_ATTACH:
	case VIRTIO_IOMMU_T_ATTACH_TABLE:
	case VIRTIO_IOMMU_T_DETACH:
		return true;
	default:
		return false;
	}
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

/*
 * One piece of a request, see &vhost_iommu.lock. Returns the status, -EAGAIN, -EBUSY or
 * -EINPROGRESS.
 */
static int vhost_iommu_execute(struct vhost_iommu *viommu,
			       const struct vhost_iommu_req *req,
			       const struct vhost_iommu_caller *by,
			       void **props, u32 *len)
{
	switch (req->type) {
	case VIRTIO_IOMMU_T_ATTACH:
		return vhost_iommu_attach(viommu, req);
	case VIRTIO_IOMMU_T_DETACH:
		return vhost_iommu_detach(viommu, req);
	case VIRTIO_IOMMU_T_MAP:
		return vhost_iommu_map(viommu, req, by);
	case VIRTIO_IOMMU_T_UNMAP:
		return vhost_iommu_unmap(viommu, req, by);
	case VIRTIO_IOMMU_T_ATTACH_TABLE:
		return vhost_iommu_attach_table(viommu, req);
	case VIRTIO_IOMMU_T_PROBE:
		return vhost_iommu_probe(viommu, req, props, len);
	default:
		return VIRTIO_IOMMU_S_OK;
	}
}

/* Rare, and so out of line, as others here: what is seldom called costs each request */
static noinline int
vhost_iommu_reply_probe(const struct vhost_iommu_req *req,
			const struct virtio_iommu_req_tail *tail,
			const void *props, u32 len,
			const struct vhost_iommu_buffer *to)
{
	struct iov_iter iter;

	iov_iter_init(&iter, ITER_DEST, to->iov, to->nr, to->len);
	if (copy_to_iter(props, len, &iter) != len ||
	    iov_iter_zero(req->tail - len, &iter) != req->tail - len ||
	    copy_to_iter(tail, sizeof(*tail), &iter) != sizeof(*tail))
		return -EFAULT;
	return 0;
}

/* @to has room for the tail, as decoding has found, and for what is before it */
static int vhost_iommu_reply(const struct vhost_iommu_req *req, u8 status,
			     const void *props, u32 len,
			     const struct vhost_iommu_buffer *to)
{
	union {
		struct virtio_iommu_req_tail tail;
		u32 word;
	} last = { .tail.status = status };

	static_assert(sizeof(last.tail) == sizeof(last.word));

	if (req->type == VIRTIO_IOMMU_T_PROBE)
		return vhost_iommu_reply_probe(req, &last.tail, props, len, to);
	/* Mostly in one piece, for which a copy would cost more */
	if (to->iov->iov_len >= sizeof(last.word))
		return put_user(last.word, (u32 __user *)to->iov->iov_base);
	return vhost_iommu_buffer_write(to, &last.tail, sizeof(last.tail));
}

/* vhost devices forget what the batch has unmapped, once for all of it */
static noinline int vhost_iommu_forget(struct vhost_iommu_rq *rq,
				       enum vhost_iommu_server where)
{
	const struct vhost_iommu_caller by = { .where = where, .rq = rq };

	if (vhost_iommu_lock(rq->viommu, &by))
		return -EFAULT;
	vhost_iommu_clients_forget(rq->viommu, rq->untold);
	rq->untold = 0;
	vhost_iommu_unlock(rq->viommu, &by);
	return 0;
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

	if (!rq->nr_heads && !rq->nr_held)
		return 0;
	/* Also for replies that wait: they are given when nobody looks at this any more */
	if (rq->untold && vhost_iommu_forget(rq, where))
		return -EFAULT;
	if (!rq->nr_heads)
		return 0;
	if (vhost_add_used_n(vq, rq->heads, NULL, rq->nr_heads) < 0) {
		if (where == VHOST_IOMMU_KICKER) {
			vq->last_used_idx = used;
			vq->signalled_used_valid = valid;
			return -EFAULT;
		}
		WRITE_ONCE(rq->dead, true);
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

/*
 * A reply that waits until the VMM has followed the log, see VHOST_IOMMU_SET_NOTIFY. No
 * thread does: the queue goes on, and who acknowledges has the reply given. Returns false
 * if that has been done already.
 */
static noinline bool vhost_iommu_hold(struct vhost_iommu_rq *rq,
				      const struct vring_used_elem *elem,
				      u64 await)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_iommu_held *held = &rq->held[rq->nr_held];

	held->elem = *elem;
	held->sequence = await;
	/* Who acknowledges sees it, or it sees that */
	scoped_guard(write_lock, &viommu->xlat_lock) {
		if (!vhost_iommu_log_await(viommu, await))
			return false;
		WRITE_ONCE(rq->nr_held, rq->nr_held + 1);
	}
	WRITE_ONCE(rq->count.held, rq->count.held + 1);
	vhost_iommu_log_wake(viommu);
	return true;
}

/*
 * No request is taken then that might have to wait, too. One that is taken adds one reply
 * at most: invalidations that are put off do not wait, and what a thread that kicked could
 * not answer is answered before the next one is taken.
 */
static bool vhost_iommu_is_held_up(const struct vhost_iommu_rq *rq)
{
	return rq->nr_held >= VHOST_IOMMU_HELD;
}

/* Give replies that do not have to wait any more. There is room for others afterwards. */
static int vhost_iommu_give(struct vhost_iommu_rq *rq,
			    enum vhost_iommu_server where)
{
	u64 acked = vhost_iommu_log_acked(rq->viommu);
	unsigned int i, kept = 0;
	int rc = 0;

	if (!rq->nr_held)
		return 0;
	for (i = 0; i < rq->nr_held; i++) {
		bool held = rc || rq->held[i].sequence > acked;

		if (!held && vhost_iommu_is_full(rq))
			rc = vhost_iommu_publish(rq, where);
		if (!held && !rc)
			rq->heads[rq->nr_heads++] = rq->held[i].elem;
		else
			rq->held[kept++] = rq->held[i];
	}
	WRITE_ONCE(rq->nr_held, kept);
	return rc ?: vhost_iommu_publish(rq, where);
}

/* @await is a sequence of the log that the reply waits for, or 0 */
static void vhost_iommu_done(struct vhost_iommu_rq *rq, unsigned int head,
			     u32 used, u64 await, enum vhost_iommu_server where)
{
	struct vhost_virtqueue *vq = &rq->vq;
	struct vring_used_elem elem = {
		.id = cpu_to_vhost32(vq, head),
		.len = cpu_to_vhost32(vq, used),
	};

	/* If that was another request than the one that is half done, it goes no further */
	WRITE_ONCE(rq->midway, 0);
	if (await && vhost_iommu_hold(rq, &elem, await))
		return;
	rq->heads[rq->nr_heads++] = elem;
	if (vhost_iommu_is_full(rq))
		vhost_iommu_publish(rq, where);
}

static noinline void vhost_iommu_trace(const struct vhost_iommu *viommu,
				       const struct vhost_iommu_req *req, int rc,
				       u32 used, u64 begin)
{
	trace_vhost_iommu_request(viommu, req, max(rc, -1), used,
				  ktime_get_ns() - begin);
}

/*
 * Linux' driver takes no notice of what becomes of a MAP, and goes on as if it
 * were OK: so the VMM is told.
 */
static noinline void vhost_iommu_refused(struct vhost_iommu_rq *rq,
					 const struct vhost_iommu_req *req,
					 int status)
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
			       u64 await, u64 begin,
			       enum vhost_iommu_server where)
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
		vhost_iommu_trace(viommu, req, rc, used, begin);
	vhost_iommu_done(rq, head, used, await, where);
}

/* Remember a request whose reply is yet to be written */
static void vhost_iommu_pend(struct vhost_iommu_rq *rq,
			     struct vhost_iommu_pending *p, unsigned int head,
			     const struct iovec *in, u64 begin)
{
	size_t left = VHOST_IOMMU_TAIL_LEN;

	rq->nr_pending++;
	p->head = head;
	/* It was in a copy that does not live as long */
	p->req.descriptor = NULL;
	p->await = 0;
	p->begin = begin;
	p->nr_tail = 0;
	/* Mostly it is in one piece */
	if (in->iov_len >= left) {
		p->tail[0].iov_base = in->iov_base;
		p->tail[0].iov_len = left;
		p->nr_tail = 1;
		return;
	}
	for (; left; in++) {
		struct iovec *tail = &p->tail[p->nr_tail];

		if (!in->iov_len)
			continue;
		tail->iov_base = in->iov_base;
		tail->iov_len = min(in->iov_len, left);
		left -= tail->iov_len;
		p->nr_tail++;
	}
}

/* A thread that kicks makes no command that would wait for the VMM's memory */
static bool vhost_iommu_is_ready(struct vhost_iommu *viommu,
				 const struct vhost_iommu_caller *by)
{
	return by->where != VHOST_IOMMU_KICKER ||
	       vhost_iommu_host_is_ready(viommu, by);
}

/* Write replies of requests that are pending, and have been carried out */
static int vhost_iommu_answer(struct vhost_iommu_rq *rq,
			      enum vhost_iommu_server where)
{
	unsigned int i, nr = rq->nr_pending;
	int rc = 0;

	for (i = 0; i < nr; i++) {
		struct vhost_iommu_pending *p = &rq->pending[i];
		struct vhost_iommu_buffer to = {
			p->tail, p->nr_tail, VHOST_IOMMU_TAIL_LEN,
		};
		int status = p->status;

		if (vhost_iommu_reply(&p->req, p->status, NULL, 0, &to)) {
			if (where == VHOST_IOMMU_KICKER) {
				rc = -EFAULT;
				break;
			}
			vhost_iommu_vq_error(rq->viommu, &rq->vq);
			status = -EFAULT;
		}
		vhost_iommu_finish(rq, p->head, &p->req, status, p->await,
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

/* The IOMMU may still use what the guest would take as free: nothing is answered */
static void vhost_iommu_give_up(struct vhost_iommu_rq *rq)
{
	if (rq->dead)
		return;
	WRITE_ONCE(rq->dead, true);
	vhost_iommu_vq_error(rq->viommu, &rq->vq);
}

/*
 * Carry out the invalidations that have been put off, and answer them. After an
 * error some are still pending: either they have not been carried out, or
 * &vhost_iommu_rq.answers says that their replies are for the worker to write.
 */
static int vhost_iommu_flush(struct vhost_iommu_rq *rq,
			     enum vhost_iommu_server where)
{
	struct vhost_iommu_caller by = { .where = where, .rq = rq };
	struct vhost_iommu *viommu = rq->viommu;
	bool lost;
	int rc;

	if (!rq->nr_pending)
		return 0;
	while (!rq->answers) {
		rc = vhost_iommu_lock(viommu, &by);
		if (rc)
			return rc;
		rc = -EAGAIN;
		if (vhost_iommu_is_ready(viommu, &by))
			rc = vhost_iommu_invalidate(rq, &by);
		lost = viommu->host.lost;
		vhost_iommu_unlock(viommu, &by);
		if (lost) {
			vhost_iommu_give_up(rq);
			return -ENOTRECOVERABLE;
		}
		by.alone = rc == -EBUSY;
		if (rc && (!by.alone || where == VHOST_IOMMU_KICKER))
			return rc;
		rq->answers = !rc;
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

/* Who is alone has to wait until another one has ended what it has begun alone */
static bool vhost_iommu_is_held(const struct vhost_iommu_rq *rq)
{
	const struct vhost_iommu_rq *holder = rq->viommu->holder;

	lockdep_assert_held_write(&rq->viommu->lock);

	return holder && holder != rq && vhost_iommu_is_midway(holder);
}

/* Nobody else makes a queue the holder */
static bool vhost_iommu_goes_alone(const struct vhost_iommu_rq *rq,
				   const struct vhost_iommu_req *req)
{
	return vhost_iommu_req_is_alone(req) ||
	       READ_ONCE(rq->viommu->holder) == rq;
}

/*
 * What is left of a MAP or UNMAP needs nobody else kept out, once the domain's IOAS is as
 * it should be
 */
static bool vhost_iommu_stays_alone(struct vhost_iommu *viommu,
				    const struct vhost_iommu_req *req)
{
	return vhost_iommu_req_is_alone(req) ||
	       vhost_iommu_domain_is_rebuilt(viommu, req->domain);
}

/* One piece of a request, under the lock; see there for what is returned */
static int vhost_iommu_carry_on(struct vhost_iommu_rq *rq,
				const struct vhost_iommu_req *req,
				const struct vhost_iommu_caller *by,
				void **props, u32 *len)
{
	struct vhost_iommu *viommu = rq->viommu;
	int rc = -EBUSY;
	bool held;

	if (by->alone && vhost_iommu_is_held(rq)) {
		viommu->holder_awaited = true;
		return -EINPROGRESS;
	}
	if (vhost_iommu_is_ready(viommu, by))
		rc = vhost_iommu_execute(viommu, req, by, props, len);
	if (by->alone)
		rq->await = max(rq->await, vhost_iommu_log_moved(viommu));
	/* Nobody undoes it, or does half of something else, before it is done */
	if (by->alone) {
		held = rc == -EAGAIN && vhost_iommu_stays_alone(viommu, req);
		WRITE_ONCE(viommu->holder, held ? rq : NULL);
		if (held)
			WRITE_ONCE(rq->midway, req->type);
		else if (viommu->holder_awaited)
			vhost_iommu_give_way(rq);
		viommu->holder_awaited &= held;
	}
	/* Who waits for another queue keeps none waiting: they would for each other */
	if (rc == -EINPROGRESS)
		WRITE_ONCE(rq->midway, 0);
	return viommu->host.lost ? -ENOTRECOVERABLE : rc;
}

/*
 * Carry out a request, piece by piece. Returns its status; -EAGAIN if it is not
 * done, and is to be begun again, which goes on where this ended; or another
 * errno if it must not be answered. An UNMAP that is short, and still takes several
 * pieces, is not too long for a thread that kicks.
 */
static int vhost_iommu_carry_out(struct vhost_iommu_rq *rq,
				 const struct vhost_iommu_req *req,
				 enum vhost_iommu_server where, void **props,
				 u32 *len)
{
	struct vhost_iommu *viommu = rq->viommu;
	struct vhost_iommu_caller by = {
		.where = where,
		.rq = rq,
		.alone = vhost_iommu_goes_alone(rq, req),
	};
	int rc;

	if (by.alone && where == VHOST_IOMMU_KICKER)
		return -EAGAIN;
	/* The guest has put another request in the place of the one that is half done */
	if (rq->midway != req->type)
		WRITE_ONCE(rq->midway, 0);
	for (;;) {
		if (vhost_iommu_lock(viommu, &by))
			return -EAGAIN;
		rc = vhost_iommu_carry_on(rq, req, &by, props, len);
		vhost_iommu_unlock(viommu, &by);
		if (rc != -EAGAIN && rc != -EBUSY && rc != -EINPROGRESS)
			return rc;
		/* The same worker may have to serve another queue first */
		if (vhost_iommu_is_wanted(rq, where) || rc == -EINPROGRESS ||
		    (rc == -EBUSY && where == VHOST_IOMMU_KICKER))
			return -EAGAIN;
		by.alone = rc == -EBUSY || vhost_iommu_goes_alone(rq, req);
		/* It is this request that waits for the device */
		if (by.alone && READ_ONCE(viommu->host.busy_until))
			fsleep(USEC_PER_MSEC);
		else
			cond_resched();
	}
}

/* @p is the place behind those that are pending, and has the request */
static int vhost_iommu_handle_decoded(struct vhost_iommu_rq *rq,
				      unsigned int head,
				      struct vhost_iommu_pending *p, int rc,
				      const struct vhost_iommu_buffer *to,
				      u64 begin, enum vhost_iommu_server where)
{
	void *props __free(kvfree) = NULL;
	const struct vhost_iommu_req *req = &p->req;
	u64 await = 0;
	u32 len = 0;

	if (req->type == VIRTIO_IOMMU_T_INVALIDATE &&
	    rc == VIRTIO_IOMMU_S_OK) {
		/*
		 * Those that come behind may share its wait for the hardware.
		 * The ring's iovec is used again by then.
		 */
		vhost_iommu_pend(rq, p, head, to->iov, begin);
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
		await = rq->await;
		rq->await = 0;
	}
	if (rc == -ENOTRECOVERABLE) {
		vhost_iommu_give_up(rq);
		return -EAGAIN;
	}
	if (rc >= 0 && vhost_iommu_reply(req, rc, props, len, to)) {
		if (where == VHOST_IOMMU_KICKER) {
			/* Nothing is pending any more: it is the first one */
			rq->pending[0].req = *req;
			p = &rq->pending[0];
			vhost_iommu_pend(rq, p, head, to->iov, begin);
			p->status = rc;
			p->await = await;
			rq->answers = true;
			return -EINTR;
		}
		vhost_iommu_vq_error(rq->viommu, &rq->vq);
		rc = -EFAULT;
	}
	vhost_iommu_finish(rq, head, req, rc, await, begin, where);
	return 0;
}

/*
 * Returns 0; -EAGAIN if the request is to be left in the ring; or -EINTR if it
 * is done with, or pending itself, and no further one is to be taken.
 */
static int vhost_iommu_handle_request(struct vhost_iommu_rq *rq,
				      unsigned int head,
				      const struct vhost_iommu_buffer *from,
				      const struct vhost_iommu_buffer *to,
				      enum vhost_iommu_server where)
{
	u64 begin = trace_vhost_iommu_request_enabled() ? ktime_get_ns() : 0;
	struct vhost_iommu_pending *p = &rq->pending[rq->nr_pending];
	u8 buf[VHOST_IOMMU_REQ_MAX_LEN] __aligned(8);
	struct vhost_iommu *viommu = rq->viommu;
	size_t len = min(from->len, sizeof(buf));
	int rc;

	if (from->nr == 1)
		rc = copy_from_user(buf, from->iov->iov_base, len);
	else
		rc = vhost_iommu_buffer_read(from, buf, len);
	if (rc) {
		if (where == VHOST_IOMMU_KICKER ||
		    vhost_iommu_flush(rq, where))
			return -EAGAIN;
		vhost_iommu_vq_error(rq->viommu, &rq->vq);
		rq->count.no_status++;
		vhost_iommu_done(rq, head, 0, 0, where);
		return 0;
	}
	rc = vhost_iommu_req_decode(&viommu->rules, buf, len, to->len, &p->req);
	if (where == VHOST_IOMMU_KICKER && rc == VIRTIO_IOMMU_S_OK &&
	    !vhost_iommu_req_is_short(&p->req))
		return -EAGAIN;
	return vhost_iommu_handle_decoded(rq, head, p, rc, to, begin, where);
}

static int vhost_iommu_skip_chain(struct vhost_iommu_rq *rq, unsigned int head,
				  enum vhost_iommu_server where)
{
	if (vhost_iommu_flush(rq, where))
		return -EAGAIN;
	vhost_iommu_vq_error(rq->viommu, &rq->vq);
	rq->count.no_status++;
	vhost_iommu_done(rq, head, 0, 0, where);
	return 0;
}

/*
 * vhost_enable_notify() takes memory that it can't write or read for an empty ring. For
 * a thread that kicks that may be out of place only: tell whether the guest will kick.
 */
static bool vhost_iommu_will_be_kicked(struct vhost_virtqueue *vq)
{
	__virtio16 event, idx;

	if (vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX)) {
		if (get_user(event, (__virtio16 __user *)&vq->used->ring[vq->num]) ||
		    vhost16_to_cpu(vq, event) != vq->avail_idx)
			return false;
	} else {
		if (get_user(event, &vq->used->flags) ||
		    vhost16_to_cpu(vq, event) & VRING_USED_F_NO_NOTIFY)
			return false;
	}
	return !get_user(idx, &vq->avail->idx) &&
	       vhost16_to_cpu(vq, idx) == vq->avail_idx;
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
	int rc;

	/* Another ring may have taken the place of the one with that request in it */
	WRITE_ONCE(rq->midway, 0);
	if (vhost_iommu_flush(rq, where) || vhost_iommu_publish(rq, where))
		return -EINTR;
	vhost_iommu_poll_idle(rq);
	if (where == VHOST_IOMMU_WORKER && vhost_iommu_poll(rq))
		return 1;
	rc = vhost_enable_notify(&viommu->dev, vq);
	if (!rc && where == VHOST_IOMMU_KICKER && !vhost_iommu_will_be_kicked(vq))
		rc = -EINTR;
	if (rc)
		vhost_disable_notify(&viommu->dev, vq);
	return rc;
}

/*
 * Take a request from the ring and carry it out. Returns 1; 0 if there is
 * nothing to do until the next kick; or an errno if this pass is to end.
 */
static int vhost_iommu_serve_one(struct vhost_iommu_rq *rq,
				 enum vhost_iommu_server where)
{
	struct vhost_virtqueue *vq = &rq->vq;
	struct vhost_iommu_buffer from, to;
	unsigned int head;
	int rc;

	if (vhost_iommu_is_held_up(rq))
		return -ENOSPC;
	rc = vhost_iommu_chain_get(vq, &rq->ram, &head, &from, &to);
	if (!rc)
		return vhost_iommu_ring_wait(rq, where);
	if (rc == -EFAULT) {
		if (where == VHOST_IOMMU_WORKER) {
			WRITE_ONCE(rq->dead, true);
			vhost_iommu_vq_error(rq->viommu, &rq->vq);
		}
		return rc;
	}
	if (rc == -EBADMSG)
		rc = vhost_iommu_skip_chain(rq, head, where);
	else
		rc = vhost_iommu_handle_request(rq, head, &from, &to, where);
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
	bool more;
	int rc;

	lockdep_assert_held(&vq->mutex);

	if (!vhost_vq_get_backend(vq) || rq->dead)
		return;

	rq->pass_end = jiffies + msecs_to_jiffies(VHOST_IOMMU_PASS_MS) + 1;
	/* The table may be another one */
	rq->ram = NULL;
	rq->count.wakeups++;
	vhost_iommu_poll_kicked(rq, where);
	vhost_disable_notify(&viommu->dev, vq);
	/* What a thread that kicked could not answer comes first */
	rc = vhost_iommu_publish(rq, where) ?: vhost_iommu_give(rq, where) ?:
	     vhost_iommu_flush(rq, where);
	while (!rc) {
		rc = vhost_iommu_serve_one(rq, where);
		if (!rc)
			return;
		if (rc > 0 && !vhost_iommu_is_full(rq) &&
		    !vhost_iommu_is_wanted(rq, where) &&
		    ++nr < VHOST_IOMMU_WEIGHT)
			rc = 0;
	}
	/* Who acknowledges has a queue go on that is held up */
	more = rc != -ENOSPC;
	/* There has to be room for what the flush answers */
	if (vhost_iommu_publish(rq, where) || vhost_iommu_flush(rq, where)) {
		vhost_iommu_retreat(rq);
		more = true;
	}
	if (vhost_iommu_publish(rq, where))
		more = true;
	if (more && !rq->dead)
		vhost_poll_queue(&vq->poll);
}

/* What can't be given at once is for the worker */
static bool vhost_iommu_let_go_at_once(struct vhost_iommu_rq *rq)
{
	bool done = false;

	if (rq->dead || rq->untold)
		return false;
	pagefault_disable();
	if (vhost_iommu_vq_is_ready(&rq->vq))
		done = !vhost_iommu_give(rq, VHOST_IOMMU_KICKER);
	pagefault_enable();
	return done;
}

/* Nobody else will. The ring may be another one by now, which nobody has looked at. */
static void vhost_iommu_let_go_stopped(struct vhost_iommu_rq *rq)
{
	struct vhost_virtqueue *vq = &rq->vq;

	scoped_cond_guard(mutex_kill, return, &vq->mutex)
		if (!vhost_vq_get_backend(vq) && !rq->dead &&
		    vhost_vq_is_setup(vq))
			vhost_iommu_give(rq, VHOST_IOMMU_WORKER);
}

/**
 * vhost_iommu_ring_let_go - Give replies that do not have to wait any more
 * @rq: The request queue
 *
 * If the queue is served, this waits neither for who is at it, who has to look again, nor
 * for memory: it may be called by a thread that both wait for. Otherwise it does.
 *
 * Context: Any thread of the owner, with no lock that is taken by who serves a request.
 */
void vhost_iommu_ring_let_go(struct vhost_iommu_rq *rq)
{
	struct vhost_virtqueue *vq = &rq->vq;
	bool more = true;

	if (!READ_ONCE(rq->nr_held))
		return;
	if (!READ_ONCE(rq->serves)) {
		vhost_iommu_let_go_stopped(rq);
		return;
	}
	if (mutex_trylock(&vq->mutex)) {
		more = vhost_iommu_is_held_up(rq);
		more |= !vhost_iommu_let_go_at_once(rq);
		mutex_unlock(&vq->mutex);
	}
	if (more)
		vhost_poll_queue(&vq->poll);
}

/**
 * vhost_iommu_ring_settle - Answer what has been carried out
 * @rq: The request queue
 *
 * For a stop of the request queue, or another memory table: a thread that kicked may
 * have left that to the worker. Further requests stay in the ring.
 *
 * Context: ioctl of the owner.
 * Return: 0, or -EINTR if the caller was killed first.
 */
int vhost_iommu_ring_settle(struct vhost_iommu_rq *rq)
{
	lockdep_assert_held(&rq->vq.mutex);

	if (vhost_iommu_publish(rq, VHOST_IOMMU_WORKER) ||
	    vhost_iommu_give(rq, VHOST_IOMMU_WORKER))
		return -EINTR;
	if (rq->answers)
		vhost_iommu_answer(rq, VHOST_IOMMU_WORKER);
	return vhost_iommu_publish(rq, VHOST_IOMMU_WORKER) ? -EINTR : 0;
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
