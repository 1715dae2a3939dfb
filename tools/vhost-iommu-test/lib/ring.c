// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's side of a split ring. Nothing here checks that a chain makes
 * sense: tests build bad ones with the same functions.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "vit.h"

/**
 * vq_reset() - Make a ring empty, as after a device reset
 * @q: Ring, not in use by the device
 */
void vq_reset(struct vq *q)
{
	q->avail_idx = 0;
	q->published = 0;
	q->used_idx = 0;
	q->next_desc = 0;
	memset(q->desc, 0, q->num * sizeof(*q->desc));
	memset(q->avail, 0, sizeof(*q->avail) + (q->num + 1) * 2);
	memset(q->used, 0, sizeof(*q->used) + 4 +
	       q->num * sizeof(struct vring_used_elem));
}

static void fill_desc(struct vring_desc *d, const struct seg *s, bool next,
		      __u16 next_idx)
{
	d->addr = htole64(s->gpa);
	d->len = htole32(s->len);
	d->flags = htole16((s->write ? VRING_DESC_F_WRITE : 0) |
			   (next ? VRING_DESC_F_NEXT : 0));
	d->next = htole16(next_idx);
}

/**
 * vq_push_head() - Put a head into the available ring
 * @q: Ring
 * @head: Descriptor index, valid or not
 */
void vq_push_head(struct vq *q, __u16 head)
{
	q->avail->ring[q->avail_idx++ % q->num] = htole16(head);
}

/**
 * vq_add() - Add a chain of direct descriptors
 * @q: Ring
 * @segs: Descriptors
 * @n: Number of them
 *
 * Return: The chain's head
 */
__u16 vq_add(struct vq *q, const struct seg *segs, unsigned int n)
{
	__u16 head = q->next_desc;
	unsigned int i;

	for (i = 0; i < n; i++) {
		__u16 next = (q->next_desc + 1) % q->num;

		fill_desc(&q->desc[q->next_desc], &segs[i], i + 1 < n, next);
		q->next_desc = next;
	}
	vq_push_head(q, head);
	return head;
}

/**
 * vq_add_indirect() - Add an indirect table
 * @q: Ring
 * @segs: Descriptors
 * @n: Number of them
 * @table: Where the table is built
 * @table_gpa: Its guest-physical address
 *
 * Return: The chain's head
 */
__u16 vq_add_indirect(struct vq *q, const struct seg *segs, unsigned int n,
		      void *table, __u64 table_gpa)
{
	struct vring_desc *t = table;
	__u16 head = q->next_desc;
	unsigned int i;

	for (i = 0; i < n; i++)
		fill_desc(&t[i], &segs[i], i + 1 < n, i + 1);
	q->desc[head] = (struct vring_desc){
		.addr = htole64(table_gpa),
		.len = htole32(n * sizeof(*t)),
		.flags = htole16(VRING_DESC_F_INDIRECT),
	};
	q->next_desc = (head + 1) % q->num;
	vq_push_head(q, head);
	return head;
}

/**
 * vq_publish() - Let the device see what was added
 * @q: Ring
 */
void vq_publish(struct vq *q)
{
	STORE(&q->avail->idx, htole16(q->avail_idx));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	q->published = q->avail_idx;
}

/**
 * vq_wants_kick() - Whether the device asked for a kick
 * @q: Ring
 * @old: Published index before the last vq_publish()
 */
bool vq_wants_kick(struct vq *q, __u16 old)
{
	__u16 event;

	if (!q->event_idx)
		return !(LOAD(&q->used->flags) &
			 htole16(VRING_USED_F_NO_NOTIFY));
	event = le16toh(LOAD((__u16 *)&q->used->ring[q->num]));
	return vring_need_event(event, q->published, old);
}

/**
 * vq_kick() - Tell the device, wanted or not
 * @q: Ring
 */
void vq_kick(struct vq *q)
{
	__u64 one = 1;

	if (write(q->kick, &one, sizeof(one)) != sizeof(one))
		perror("kick");
}

/**
 * vq_wait() - Wait until the device returned buffers
 * @q: Ring
 * @n: How many, counted from the last one that was collected
 * @timeout_ms: How long
 *
 * Return: 0 or -ETIMEDOUT
 */
int vq_wait(struct vq *q, unsigned int n, unsigned int timeout_ms)
{
	__u64 end = now_ns() + timeout_ms * 1000000ULL;
	unsigned int spins = 0;

	for (;;) {
		__u16 idx = le16toh(LOAD(&q->used->idx));

		if ((__u16)(idx - q->used_idx) >= n)
			return 0;
		if (now_ns() > end)
			return -ETIMEDOUT;
		/* On a machine with few CPUs the worker needs this one */
		if (q->sleep)
			eventfd_wait(q->call, 10);
		else if (++spins > 20000)
			sleep_ms(1);
		else
			sched_yield();
	}
}

/**
 * vq_pop() - Collect one buffer that vq_wait() saw
 * @q: Ring
 */
struct vring_used_elem vq_pop(struct vq *q)
{
	struct vring_used_elem *e = &q->used->ring[q->used_idx++ % q->num];

	return (struct vring_used_elem){
		.id = le32toh(LOAD(&e->id)),
		.len = le32toh(LOAD(&e->len)),
	};
}

/**
 * eventfd_take() - Read and clear an eventfd without waiting
 * @fd: A non-blocking eventfd
 *
 * Return: Its count
 */
__u64 eventfd_take(int fd)
{
	__u64 n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/**
 * eventfd_wait() - Wait for an eventfd and clear it
 * @fd: A non-blocking eventfd
 * @timeout_ms: How long
 *
 * Return: Whether it was signalled
 */
bool eventfd_wait(int fd, unsigned int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1 && eventfd_take(fd);
}
