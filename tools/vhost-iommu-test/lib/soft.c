// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's part of translation: what it asked the kernel for, kept for as long as the
 * log does not say otherwise. See struct vhost_iommu_log.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soft.h"

/**
 * soft_open_log() - Ask for the log and map it
 * @v: VMM
 * @len: Its length
 * @fd: Its file, or -1
 *
 * Return: The log, or NULL with errno set
 */
struct vhost_iommu_log *soft_open_log(struct vmm *v, size_t *len, int *fd)
{
	struct vhost_iommu_get_log a = { .size = sizeof(a) };
	int rc = xioctl(v->fd, VHOST_IOMMU_GET_LOG, &a);
	void *va;

	*fd = -1;
	if (rc) {
		errno = -rc;
		return NULL;
	}
	*len = a.out_len;
	*fd = a.out_fd;
	va = mmap(NULL, a.out_len, PROT_READ, MAP_SHARED, a.out_fd, 0);
	return va == MAP_FAILED ? NULL : va;
}

/**
 * soft_map_log() - Ask for the log and map it, without its file
 * @v: VMM
 * @len: Its length
 *
 * Return: The log, or NULL with errno set
 */
struct vhost_iommu_log *soft_map_log(struct vmm *v, size_t *len)
{
	int fd, err;
	struct vhost_iommu_log *log = soft_open_log(v, len, &fd);

	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return log;
}

/**
 * soft_notify() - Have replies wait for what an endpoint was told, or no more
 * @v: VMM
 * @ep: Endpoint ID
 * @on: They are to wait
 */
int soft_notify(struct vmm *v, __u32 ep, bool on)
{
	struct vhost_iommu_set_notify a = {
		.size = sizeof(a), .endpoint = ep,
		.flags = on ? VHOST_IOMMU_NOTIFY_ON : 0,
	};

	return xioctl(v->fd, VHOST_IOMMU_SET_NOTIFY, &a);
}

/**
 * soft_ack() - Tell that all have forgotten what the log says
 * @v: VMM
 * @sequence: Up to this head of it
 */
int soft_ack(struct vmm *v, __u64 sequence)
{
	struct vhost_iommu_ack a = { .size = sizeof(a), .sequence = sequence };

	return xioctl(v->fd, VHOST_IOMMU_ACK, &a);
}

/**
 * soft_open() - Begin to keep what an endpoint's addresses mean
 * @c: Is filled
 * @v: VMM
 * @ep: Endpoint ID
 */
int soft_open(struct soft_cache *c, struct vmm *v, __u32 ep)
{
	memset(c, 0, sizeof(*c));
	c->v = v;
	c->ep = ep;
	c->log = soft_map_log(v, &c->len);
	if (!c->log)
		return -errno;
	c->seen = LOAD(&c->log->head);
	return -pthread_spin_init(&c->lock, PTHREAD_PROCESS_PRIVATE);
}

/**
 * soft_close() - Keep nothing any more
 * @c: Cache, open or all zeroes
 */
void soft_close(struct soft_cache *c)
{
	if (c->log)
		munmap(c->log, c->len);
	c->log = NULL;
}

static void forget_all(struct soft_cache *c)
{
	memset(c->kept, 0, sizeof(c->kept));
	c->forgotten++;
}

static void forget(struct soft_cache *c, const struct vhost_iommu_log_entry *e)
{
	unsigned int i;

	switch (e->kind) {
	case VHOST_IOMMU_LOG_DOMAIN:
		for (i = 0; i < SOFT_KEPT; i++)
			if (c->kept[i].out_access &&
			    c->kept[i].out_domain == e->id &&
			    c->kept[i].out_start <= e->last &&
			    c->kept[i].out_last >= e->start)
				c->kept[i].out_access = 0;
		break;
	case VHOST_IOMMU_LOG_ENDPOINT:
		if (e->id == c->ep)
			forget_all(c);
		break;
	default:
		forget_all(c);
	}
}

/**
 * soft_follow() - Follow the log
 * @c: Cache, whose lock is held
 * @head: Up to there, as the log said
 *
 * Return: false if it was overwritten while it was read, and nothing is kept any more
 */
bool soft_follow(struct soft_cache *c, __u64 head)
{
	static __thread struct vhost_iommu_log_entry e[SOFT_MAX_LOG];
	__u32 nr = c->log->nr, n = 0, i;
	bool whole = head - c->seen < nr && nr <= SOFT_MAX_LOG;
	__u64 at;

	for (at = c->seen; whole && at != head; at++)
		e[n++] = c->log->entries[at % nr];
	/* The entries are read before the head is read again */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	whole = whole && LOAD(&c->log->head) - c->seen < nr;
	for (i = 0; whole && i < n; i++)
		forget(c, &e[i]);
	if (!whole)
		forget_all(c);
	c->seen = head;
	return whole;
}

static bool recall(struct soft_cache *c, const struct vhost_iommu_translate *at,
		   __u64 iova, struct vhost_iommu_translate *t)
{
	__u64 head = LOAD(&c->log->head);

	if (head != c->seen)
		soft_follow(c, head);
	if (!at->out_access || at->out_start > iova || iova > at->out_last)
		return false;
	c->hits++;
	*t = *at;
	return true;
}

/**
 * soft_translate() - Translate, by what is kept or by asking
 * @c: Cache
 * @iova: I/O virtual address
 * @t: Is filled
 */
int soft_translate(struct soft_cache *c, __u64 iova,
		   struct vhost_iommu_translate *t)
{
	struct vhost_iommu_translate *kept = &c->kept[iova / PAGE % SOFT_KEPT];
	bool hit;
	int rc;

	pthread_spin_lock(&c->lock);
	hit = recall(c, kept, iova, t);
	pthread_spin_unlock(&c->lock);
	if (hit)
		return 0;
	rc = vmm_translate(c->v, c->ep, iova, 0, t);
	if (rc)
		return rc;
	/* Another thread may have followed the log meanwhile */
	pthread_spin_lock(&c->lock);
	if (t->out_access && c->seen <= t->out_sequence)
		*kept = *t;
	else
		c->late += t->out_access != 0;
	pthread_spin_unlock(&c->lock);
	return 0;
}
