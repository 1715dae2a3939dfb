// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: request ring, batching, replies
 *
 * The guest spins with interrupts off until it is answered. Whatever is wrong
 * with a request, its buffer is returned; a chain that can't be read is
 * returned with a used length of 0, and only a ring that can't be read at all
 * stops, after the VMM was told through the error eventfd.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/task_work.h>
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

/* Most bytes of a MAP or UNMAP that the thread which kicked carries out */
#define VHOST_IOMMU_SHORT_MAX		SZ_2M
/* Most page tables that such a MAP can need: two of each level */
#define VHOST_IOMMU_SHORT_TABLES	(2 * VHOST_IOMMU_TABLE_LEVELS)

/**
 * vhost_iommu_ring_error - Tell the VMM that a ring can't be read or written
 * @viommu: The device
 * @vq: The ring
 */
void vhost_iommu_ring_error(struct vhost_iommu *viommu,
			    struct vhost_virtqueue *vq)
{
	lockdep_assert_held(&vq->mutex);

	atomic64_inc(&viommu->count.ring_errors);
	if (vq->error_ctx)
		eventfd_signal(vq->error_ctx);
}

/*
 * PROBE, VIRTIO 1.3, section 5.13.6.7: the properties, the rest of the list
 * zeroed. Nothing but zeroes if there is an error.
 */
static int vhost_iommu_reply_probe(struct vhost_iommu *viommu,
				   const struct vhost_iommu_req *req,
				   struct iov_iter *to, u8 *status)
{
	struct vhost_iommu_endpoint *ep;
	size_t len = 0;

	ep = vhost_iommu_endpoint_find(viommu, req->endpoint);
	if (!ep)
		*status = VIRTIO_IOMMU_S_NOENT;
	else if (ep->probe_len > req->tail)
		*status = VIRTIO_IOMMU_S_INVAL;
	else
		len = ep->probe_len;

	if (copy_to_iter(ep ? ep->probe : NULL, len, to) != len)
		return -EFAULT;
	if (iov_iter_zero(req->tail - len, to) != req->tail - len)
		return -EFAULT;
	return 0;
}

static u8 vhost_iommu_execute(struct vhost_iommu *viommu,
			      const struct vhost_iommu_req *req)
{
	switch (req->type) {
	case VIRTIO_IOMMU_T_ATTACH:
		return vhost_iommu_attach(viommu, req);
	case VIRTIO_IOMMU_T_DETACH:
		return vhost_iommu_detach(viommu, req);
	case VIRTIO_IOMMU_T_MAP:
		return vhost_iommu_map(viommu, req);
	case VIRTIO_IOMMU_T_UNMAP:
		return vhost_iommu_unmap(viommu, req);
	case VIRTIO_IOMMU_T_ATTACH_TABLE:
		return vhost_iommu_attach_table(viommu, req);
	default:
		/* PROBE is carried out while its reply is written */
		return VIRTIO_IOMMU_S_OK;
	}
}

static int vhost_iommu_reply(struct vhost_iommu *viommu,
			     const struct vhost_iommu_req *req,
			     struct iov_iter *to, u8 *status)
{
	struct virtio_iommu_req_tail tail = {};
	int rc = 0;

	if (req->type == VIRTIO_IOMMU_T_PROBE) {
		if (*status == VIRTIO_IOMMU_S_OK)
			rc = vhost_iommu_reply_probe(viommu, req, to, status);
		else if (iov_iter_zero(req->tail, to) != req->tail)
			rc = -EFAULT;
	}
	tail.status = *status;
	if (!rc && copy_to_iter(&tail, sizeof(tail), to) != sizeof(tail))
		rc = -EFAULT;
	return rc;
}

/* Returns the status that was written, or an errno if there is none */
static int vhost_iommu_carry_out(struct vhost_iommu *viommu,
				 struct vhost_virtqueue *vq,
				 const struct vhost_iommu_req *req, u8 status,
				 struct iov_iter *to)
{
	int rc;

	guard(mutex)(&viommu->lock);

	if (status == VIRTIO_IOMMU_S_OK)
		status = vhost_iommu_execute(viommu, req);
	rc = vhost_iommu_reply(viommu, req, to, &status);
	if (rc) {
		vhost_iommu_ring_error(viommu, vq);
		return rc;
	}
	return status;
}

/* The one place where replies become visible: one index update per batch */
static void vhost_iommu_publish(struct vhost_iommu *viommu,
				struct vhost_virtqueue *vq)
{
	if (!viommu->nr_heads)
		return;
	if (vhost_add_used_n(vq, viommu->heads, NULL, viommu->nr_heads) < 0) {
		viommu->ring_dead = true;
		vhost_iommu_ring_error(viommu, vq);
	}
	viommu->nr_heads = 0;
	viommu->count.batches++;
	vhost_signal(&viommu->dev, vq);
}

/*
 * The guest can add to a ring while it is read, so that more buffers are taken
 * from it than it has entries. vhost_add_used_n() can't return more than these.
 */
static void vhost_iommu_done(struct vhost_iommu *viommu,
			     struct vhost_virtqueue *vq, unsigned int head,
			     u32 used)
{
	struct vring_used_elem *elem = &viommu->heads[viommu->nr_heads++];

	elem->id = cpu_to_vhost32(vq, head);
	elem->len = cpu_to_vhost32(vq, used);
	if (viommu->nr_heads >= min(VHOST_IOMMU_BATCH, vq->num))
		vhost_iommu_publish(viommu, vq);
}

/* @rc is a status, or an errno if the buffer is returned as it came */
static void vhost_iommu_finish(struct vhost_iommu *viommu,
			       struct vhost_virtqueue *vq, unsigned int head,
			       const struct vhost_iommu_req *req, int rc,
			       u64 begin)
{
	u32 used = 0;

	if (rc < 0) {
		viommu->count.no_status++;
	} else {
		viommu->count.status[rc]++;
		used = req->tail + VHOST_IOMMU_TAIL_LEN;
	}
	if (begin)
		trace_vhost_iommu_request(viommu, req, max(rc, -1), used,
					  ktime_get_ns() - begin);
	vhost_iommu_done(viommu, vq, head, used);
}

/* Carry out the invalidations that have been put off, and answer them */
static void vhost_iommu_flush(struct vhost_iommu *viommu,
			      struct vhost_virtqueue *vq)
{
	unsigned int i, nr = viommu->nr_pending;

	if (!nr)
		return;
	viommu->nr_pending = 0;
	scoped_guard(mutex, &viommu->lock)
		vhost_iommu_invalidate(viommu, viommu->pending, nr);

	for (i = 0; i < nr; i++) {
		struct vhost_iommu_pending *p = &viommu->pending[i];
		int rc = p->status;
		struct iov_iter to;

		iov_iter_init(&to, ITER_DEST, p->tail, p->nr_tail,
			      VHOST_IOMMU_TAIL_LEN);
		if (vhost_iommu_reply(viommu, &p->req, &to, &p->status)) {
			vhost_iommu_ring_error(viommu, vq);
			rc = -EFAULT;
		}
		vhost_iommu_finish(viommu, vq, p->head, &p->req, rc, p->begin);
	}
}

/*
 * Put an invalidation off until the run of them ends: those that come behind
 * may share its wait for the hardware. The iovecs of the ring are used again by
 * then.
 */
static void vhost_iommu_put_off(struct vhost_iommu *viommu,
				struct vhost_virtqueue *vq, unsigned int head,
				const struct vhost_iommu_req *req,
				const struct iovec *in, u64 begin)
{
	struct vhost_iommu_pending *p = &viommu->pending[viommu->nr_pending++];
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
	if (viommu->nr_pending == VHOST_IOMMU_BATCH)
		vhost_iommu_flush(viommu, vq);
}

/* A MAP that needs page tables may have to rebuild whole domains for them */
static bool vhost_iommu_has_tables(const struct vhost_iommu *viommu)
{
	/* Others than this request change them seldom, and all under the lock */
	u64 used = READ_ONCE(viommu->table_pages);
	u64 max = READ_ONCE(viommu->max_table_pages);

	return used <= max && max - used >= VHOST_IOMMU_SHORT_TABLES;
}

/*
 * What holds a virtual CPU up for no longer than a few milliseconds, unless the
 * host fails to carry it out.
 */
static bool vhost_iommu_req_is_short(const struct vhost_iommu *viommu,
				     const struct vhost_iommu_req *req)
{
	switch (req->type) {
	case VIRTIO_IOMMU_T_INVALIDATE:
		return true;
	case VIRTIO_IOMMU_T_MAP:
		if (!vhost_iommu_has_tables(viommu))
			return false;
		fallthrough;
	case VIRTIO_IOMMU_T_UNMAP:
		return req->virt_end - req->virt_start < VHOST_IOMMU_SHORT_MAX;
	default:
		return false;
	}
}

/* Returns false, and has done nothing, if it is not for the thread @where */
static bool vhost_iommu_handle_request(struct vhost_iommu *viommu,
				       struct vhost_virtqueue *vq,
				       unsigned int head, unsigned int out,
				       unsigned int in,
				       enum vhost_iommu_server where)
{
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
		vhost_iommu_flush(viommu, vq);
		vhost_iommu_ring_error(viommu, vq);
		memset(&req, 0, sizeof(req));
		vhost_iommu_finish(viommu, vq, head, &req, -EFAULT, begin);
		return true;
	}
	rc = vhost_iommu_req_decode(&viommu->rules, buf, len,
				    iov_iter_count(&to), &req);
	if (where == VHOST_IOMMU_KICKER && rc == VIRTIO_IOMMU_S_OK &&
	    !vhost_iommu_req_is_short(viommu, &req))
		return false;
	viommu->count.requests[req.type]++;
	viommu->count.in_place += where == VHOST_IOMMU_KICKER;
	if (req.type == VIRTIO_IOMMU_T_INVALIDATE &&
	    rc == VIRTIO_IOMMU_S_OK) {
		vhost_iommu_put_off(viommu, vq, head, &req, vq->iov + out,
				    begin);
		return true;
	}
	/* In order, and what is to come may rely on what came before */
	vhost_iommu_flush(viommu, vq);
	if (rc >= 0)
		rc = vhost_iommu_carry_out(viommu, vq, &req, rc, &to);
	vhost_iommu_finish(viommu, vq, head, &req, rc, begin);
	return true;
}

/**
 * vhost_iommu_bad_chain - Take what vhost_get_vq_desc() could not read
 * @viommu: The device
 * @vq: The ring
 *
 * If it was the chain, it can be returned empty: the guest waits for it. If it
 * was the ring, there is nothing to return.
 *
 * Return: The buffer, or -EFAULT.
 */
int vhost_iommu_bad_chain(struct vhost_iommu *viommu,
			  struct vhost_virtqueue *vq)
{
	unsigned int slot = vq->last_avail_idx & (vq->num - 1);
	__virtio16 ring_head;
	unsigned int head;

	vhost_iommu_ring_error(viommu, vq);
	/* The index was read and is plausible exactly if it was taken over */
	if (vq->avail_idx == vq->last_avail_idx ||
	    get_user(ring_head, &vq->avail->ring[slot]))
		return -EFAULT;
	head = vhost16_to_cpu(vq, ring_head);
	if (head >= vq->num)
		return -EFAULT;
	vq->last_avail_idx++;
	return head;
}

static void vhost_iommu_skip_chain(struct vhost_iommu *viommu,
				   struct vhost_virtqueue *vq)
{
	int head;

	vhost_iommu_flush(viommu, vq);
	head = vhost_iommu_bad_chain(viommu, vq);
	if (head < 0) {
		viommu->ring_dead = true;
		return;
	}
	viommu->count.no_status++;
	vhost_iommu_done(viommu, vq, head, 0);
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
static void vhost_iommu_poll_adapt(struct vhost_iommu *viommu, bool soon,
				   u64 now)
{
	unsigned int score = viommu->poll_score;
	bool polls;

	if (soon)
		score = min(score + 1, VHOST_IOMMU_POLL_SCORE_MAX);
	else
		score -= min(score, VHOST_IOMMU_POLL_SCORE_LATE);
	viommu->poll_score = score;
	polls = score >= VHOST_IOMMU_POLL_SCORE && now >= viommu->poll_hold;
	/* Whoever kicks looks at it */
	WRITE_ONCE(viommu->polls, polls);
}

/*
 * See what a kick says about polling. When all processors are busy, as with
 * virtual CPUs that wait for us, a worker comes late, and no thread but the one
 * that kicks can be relied upon to run.
 */
static void vhost_iommu_poll_kicked(struct vhost_iommu *viommu,
				    const struct vhost_virtqueue *vq,
				    enum vhost_iommu_server where)
{
	u64 max = vhost_iommu_poll_max(vq), now, late;
	u64 kicked = READ_ONCE(viommu->kicked_at);

	if (!max) {
		viommu->poll_score = 0;
		WRITE_ONCE(viommu->polls, false);
	}
	if (!max || !kicked)
		return;
	now = local_clock();
	WRITE_ONCE(viommu->kicked_at, 0);
	late = now - min(kicked, now);
	if (where == VHOST_IOMMU_WORKER && late > VHOST_IOMMU_WAKE_LATE_NS)
		viommu->poll_hold = now + late * VHOST_IOMMU_HOLD_FACTOR;
	vhost_iommu_poll_adapt(viommu, kicked < viommu->idle_since + max, now);
}

/* Somebody else has work to do; a lazy scheduler asks only at the next tick */
static bool vhost_iommu_should_yield(struct vhost_virtqueue *vq)
{
	return need_resched() || test_thread_flag(TIF_NEED_RESCHED_LAZY) ||
	       signal_pending(current) || vhost_vq_has_work(vq);
}

static bool vhost_iommu_busy_poll(struct vhost_iommu *viommu,
				  struct vhost_virtqueue *vq)
{
	u64 now = viommu->idle_since, end = now;

	if (viommu->polls)
		end += vhost_iommu_poll_max(vq);
	for (; now < end; now = local_clock()) {
		if (!vhost_vq_avail_empty(&viommu->dev, vq)) {
			viommu->count.poll_hits++;
			vhost_iommu_poll_adapt(viommu, true, now);
			return true;
		}
		if (vhost_iommu_should_yield(vq))
			return false;
		cpu_relax();
	}
	return false;
}

/*
 * Nothing is in the ring. Publish before waiting for more: the guest may wait
 * for what is done. Returns false when there is nothing to do until the next
 * kick, which is then enabled.
 */
static bool vhost_iommu_ring_wait(struct vhost_iommu *viommu,
				  struct vhost_virtqueue *vq,
				  enum vhost_iommu_server where)
{
	vhost_iommu_flush(viommu, vq);
	vhost_iommu_publish(viommu, vq);
	if (vhost_iommu_poll_max(vq))
		viommu->idle_since = local_clock();
	if (where == VHOST_IOMMU_WORKER && vhost_iommu_busy_poll(viommu, vq))
		return true;
	if (!vhost_enable_notify(&viommu->dev, vq))
		return false;
	vhost_disable_notify(&viommu->dev, vq);
	return true;
}

static void vhost_iommu_serve(struct vhost_iommu *viommu,
			      struct vhost_virtqueue *vq,
			      enum vhost_iommu_server where)
{
	unsigned int out, in, nr = 0;
	int head;

	lockdep_assert_held(&vq->mutex);

	if (!vhost_vq_get_backend(vq) || viommu->ring_dead ||
	    !vq_meta_prefetch(vq))
		return;

	viommu->count.wakeups++;
	vhost_iommu_poll_kicked(viommu, vq, where);
	vhost_disable_notify(&viommu->dev, vq);
	do {
		head = vhost_get_vq_desc(vq, vq->iov, ARRAY_SIZE(vq->iov), &out,
					 &in, NULL, NULL);
		if (head == vq->num) {
			if (!vhost_iommu_ring_wait(viommu, vq, where))
				break;
			continue;
		}
		if (head < 0) {
			vhost_iommu_skip_chain(viommu, vq);
		} else if (!vhost_iommu_handle_request(viommu, vq, head, out,
						       in, where)) {
			/* Chains are not used in order: no cursor of them */
			vhost_discard_vq_desc(vq, 1, 0);
			vhost_poll_queue(&vq->poll);
			break;
		}
		/* Somebody wants the virtual CPU to leave the kernel */
		if (where == VHOST_IOMMU_KICKER && signal_pending(current)) {
			vhost_poll_queue(&vq->poll);
			break;
		}
		nr++;
	} while (!viommu->ring_dead && !vhost_exceeds_weight(vq, nr, 0));
	vhost_iommu_flush(viommu, vq);
	vhost_iommu_publish(viommu, vq);
}

/**
 * vhost_iommu_handle_kick - Serve the request queue
 * @work: The poll work of the queue
 *
 * Returns to the worker's loop after a bounded number of requests; the rest is
 * handled in another pass.
 *
 * Context: vhost worker, which shares the owner's address space.
 */
void vhost_iommu_handle_kick(struct vhost_work *work)
{
	struct vhost_virtqueue *vq = container_of(work, struct vhost_virtqueue,
						  poll.work);

	guard(mutex)(&vq->mutex);
	vhost_iommu_serve(container_of(vq->dev, struct vhost_iommu, dev), vq,
			  VHOST_IOMMU_WORKER);
}

/* Returns false if it is left to the worker */
static bool vhost_iommu_serve_in_place(struct vhost_iommu *viommu,
				       struct vhost_virtqueue *vq)
{
	/* A thread that exits has left its address space */
	if (vhost_dev_check_owner(&viommu->dev))
		return false;
	/* The worker can be at it for long, and this thread be wanted */
	ACQUIRE(mutex_intr, lock)(&vq->mutex);
	if (ACQUIRE_ERR(mutex_intr, &lock))
		return false;
	vhost_iommu_serve(viommu, vq, VHOST_IOMMU_KICKER);
	return true;
}

static void vhost_iommu_kick_work(struct callback_head *work)
{
	struct vhost_iommu *viommu = container_of(work, struct vhost_iommu,
						  kick_work);
	struct vhost_virtqueue *vq = &viommu->vqs[VHOST_IOMMU_VQ_REQUEST];

	clear_bit(VHOST_IOMMU_KICK_PENDING, &viommu->kick_flags);
	/*
	 * Orders this before the ring is read below: who still saw the bit has
	 * the worker look, who did not adds the work again.
	 */
	smp_mb__after_atomic();
	if (!vhost_iommu_serve_in_place(viommu, vq))
		vhost_poll_queue(&vq->poll);
	fput(viommu->file);
}

/*
 * Have the thread that kicks serve the queue before it returns to the guest, or
 * to user space. That is a virtual CPU, which waits for the reply anyway: this
 * way it pays for its requests itself, and nobody has to be woken. Not if
 * requests come so fast that a worker which polls meets them without a kick.
 */
static bool vhost_iommu_kick_in_place(struct vhost_iommu *viommu)
{
	if (READ_ONCE(viommu->polls) || !in_task() ||
	    current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING) ||
	    vhost_dev_check_owner(&viommu->dev))
		return false;
	/* Somebody is about to look at the ring, but may be kept from it */
	if (test_and_set_bit(VHOST_IOMMU_KICK_PENDING, &viommu->kick_flags))
		return false;
	/* Until the work has run, the device is not released */
	if (get_file_active(&viommu->file)) {
		init_task_work(&viommu->kick_work, vhost_iommu_kick_work);
		if (!task_work_add(current, &viommu->kick_work, TWA_RESUME))
			return true;
		fput(viommu->file);
	}
	clear_bit(VHOST_IOMMU_KICK_PENDING, &viommu->kick_flags);
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
	struct vhost_iommu *viommu = container_of(poll->dev, struct vhost_iommu,
						  dev);

	if (!(key_to_poll(key) & poll->mask))
		return 0;
	if (READ_ONCE(poll->vq->busyloop_timeout))
		WRITE_ONCE(viommu->kicked_at, local_clock());
	if (!vhost_iommu_kick_in_place(viommu))
		vhost_poll_queue(poll);
	return 0;
}
