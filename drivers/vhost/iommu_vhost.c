// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: vhost devices whose addresses are translated here
 *
 * A vhost device behind an IOMMU keeps translations. What it misses it says in messages
 * that are read from its file; answers, and what it is to forget, are messages written
 * there. The VMM hands such files over, and has nothing to do with a packet any more.
 *
 * No answer comes too late: a mapping notes which vhost devices were told of it. That is
 * noted, and the answer written, under one mutex of the vhost device. Who removes a
 * mapping takes it out of the tree first, and then takes the same mutex to have it
 * forgotten, before the request is answered.
 *
 * To write a message takes all mutexes of the vhost device, whose threads hold them for
 * a batch of packets. None of them waits for us meanwhile.
 */
#include <linux/bitops.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/miscdevice.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "iommu.h"

/* Misses that are read in a pass of the worker, which has requests to serve, too */
#define VHOST_IOMMU_MISS_WEIGHT		64
/* When a vhost device that did not take an answer is given it again, in jiffies */
#define VHOST_IOMMU_RETRY_MIN		max(HZ / 100, 1)
#define VHOST_IOMMU_RETRY_MAX		HZ

/* Of all devices, by their files: a file belongs to one endpoint */
static DEFINE_XARRAY(vhost_iommu_clients);

/*
 * Calls the file's own operation: kernel_write() asks whether the thread may write, and
 * what has to be forgotten is nothing that anybody could refuse.
 */
static int vhost_iommu_client_send(struct vhost_iommu_client *client,
				   const struct vhost_iotlb_msg *iotlb)
{
	struct vhost_msg msg = { .type = VHOST_IOTLB_MSG, .iotlb = *iotlb };
	struct kvec vec = { .iov_base = &msg, .iov_len = sizeof(msg) };
	struct iov_iter from;
	struct kiocb kiocb;
	ssize_t rc;

	lockdep_assert_held(&client->lock);

	init_sync_kiocb(&kiocb, client->file);
	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, sizeof(msg));
	rc = client->file->f_op->write_iter(&kiocb, &from);
	return min(rc, 0);
}

/* Fails only if its IOTLB is off, which has nothing to forget then */
static int vhost_iommu_client_forget(struct vhost_iommu_client *client, u64 start,
				     u64 last)
{
	const struct vhost_iotlb_msg msg = {
		.type = VHOST_IOTLB_INVALIDATE,
		.iova = start,
		/* No size covers the last byte of all together with all others */
		.size = min(last - start, U64_MAX - 1) + 1,
	};

	lockdep_assert_held(&client->lock);

	atomic64_inc(&client->viommu->vhost.forgotten);
	return vhost_iommu_client_send(client, &msg);
}

static int vhost_iommu_client_forget_all(struct vhost_iommu_client *client)
{
	client->ahead = 0;
	scoped_guard(write_lock, &client->viommu->xlat_lock)
		client->untold.nr = 0;
	return vhost_iommu_client_forget(client, 0, U64_MAX) ?:
	       vhost_iommu_client_forget(client, U64_MAX, U64_MAX);
}

/* An answer is as long as the mapping, and as the VMM's memory is in one piece there */
static int vhost_iommu_client_tell(struct vhost_iommu_client *client, u64 iova,
				   const struct vhost_iommu_xlat *xlat)
{
	struct vhost_iotlb_msg msg = {
		.type = VHOST_IOTLB_UPDATE,
		.perm = xlat->perm,
	};
	struct vhost_iommu_region ram;
	u64 phys, before, behind;
	int rc;

	static_assert(VHOST_ACCESS_RO == VIRTIO_IOMMU_MAP_F_READ);
	static_assert(VHOST_ACCESS_WO == VIRTIO_IOMMU_MAP_F_WRITE);

	phys = xlat->phys + (iova - xlat->start);
	rc = vhost_iommu_ram_region(client->viommu, phys, &ram);
	if (rc)
		return rc;
	before = min(iova - xlat->start, phys - ram.start);
	behind = min(xlat->last - iova, ram.last - phys);
	msg.iova = iova - before;
	msg.size = before + behind + 1;
	msg.uaddr = ram.addr + (phys - ram.start) - before;
	rc = vhost_iommu_client_send(client, &msg);
	if (!rc)
		atomic64_inc(&client->viommu->vhost.told);
	return rc;
}

static void vhost_iommu_client_note(struct vhost_iommu_client *client,
				    const struct vhost_iommu_xlat *xlat)
{
	lockdep_assert_held(&client->viommu->xlat_lock);

	if (xlat->map)
		set_bit(client->index, &xlat->map->clients);
}

/* Returns 0, or -ENOENT if what was missed is not there, or not allowed */
static int vhost_iommu_client_find(struct vhost_iommu_client *client,
				   struct vhost_iommu_miss *miss,
				   struct vhost_iommu_xlat *xlat)
{
	struct vhost_iommu *viommu = client->viommu;
	u32 denied;

	guard(read_lock)(&viommu->xlat_lock);

	if (vhost_iommu_translate_locked(viommu, client->endpoint, miss->iova,
					 xlat))
		return -ENOENT;
	denied = miss->access & ~xlat->perm;
	if (!denied)
		vhost_iommu_client_note(client, xlat);
	else if (!miss->denied)
		vhost_iommu_soft_denied(viommu, client->endpoint, miss->iova,
					denied, xlat);
	miss->denied = denied;
	return denied ? -ENOENT : 0;
}

static int vhost_iommu_client_answer(struct vhost_iommu_client *client,
				     struct vhost_iommu_miss *miss)
{
	struct vhost_iommu_xlat xlat;

	return vhost_iommu_client_find(client, miss, &xlat) ?:
	       vhost_iommu_client_tell(client, miss->iova, &xlat);
}

/* The next of the mappings made last that it was not told of; false if there is none */
static bool vhost_iommu_client_next(struct vhost_iommu_client *client,
				    struct vhost_iommu_xlat *xlat)
{
	struct vhost_iommu *viommu = client->viommu;
	const struct vhost_iommu_endpoint *ep;
	const struct vhost_iommu_domain *domain;
	u64 iova;

	guard(read_lock)(&viommu->xlat_lock);

	ep = xa_load(&viommu->endpoints, client->endpoint);
	if (!ep || !ep->group ||
	    vhost_iommu_endpoint_state(ep, &domain) != VHOST_IOMMU_STATE_PAGING)
		return false;
	if (client->ahead > domain->nr_recent ||
	    domain->nr_recent - client->ahead > VHOST_IOMMU_RECENT)
		client->ahead = domain->nr_recent -
				min(domain->nr_recent, VHOST_IOMMU_RECENT);
	while (client->ahead != domain->nr_recent) {
		iova = domain->recent[client->ahead++ % VHOST_IOMMU_RECENT];
		if (vhost_iommu_translate_locked(viommu, client->endpoint, iova,
						 xlat))
			return false;
		if (!xlat->map || !xlat->perm ||
		    test_bit(client->index, &xlat->map->clients))
			continue;
		vhost_iommu_client_note(client, xlat);
		return true;
	}
	return false;
}

/*
 * Who misses one part of a packet will miss the others: ahead of an answer, which has it
 * go on, come the mappings that the guest has made since the last one
 */
static void vhost_iommu_client_look_ahead(struct vhost_iommu_client *client)
{
	struct vhost_iommu_xlat xlat;
	unsigned int nr = 0;
	int rc;

	while (nr++ < VHOST_IOMMU_RECENT &&
	       vhost_iommu_client_next(client, &xlat)) {
		/* A doorbell is no memory, and what is behind it may be */
		rc = vhost_iommu_client_tell(client, xlat.start, &xlat);
		if (rc && rc != -ENOENT)
			return;
	}
}

static void vhost_iommu_client_queue(struct vhost_iommu_client *client)
{
	vhost_poll_queue(&client->poll);
}

static void vhost_iommu_client_found(struct vhost_iommu_client *client,
				     unsigned int at)
{
	unsigned int nr = client->nr_missing - 1;

	memmove(&client->missing[at], &client->missing[at + 1],
		(nr - at) * sizeof(client->missing[0]));
	WRITE_ONCE(client->nr_missing, nr);
	atomic_dec(&client->viommu->vhost.missing);
}

/*
 * A vhost device that is stopped forgets what it has missed, and does not say so: what
 * there is no room for is more recent than the first.
 */
static void vhost_iommu_client_missed(struct vhost_iommu_client *client, u64 iova,
				      u32 access)
{
	struct vhost_iommu_miss *miss;
	unsigned int i;

	for (i = 0; i < client->nr_missing; i++)
		if (client->missing[i].iova == iova &&
		    client->missing[i].access == access)
			return;
	if (client->nr_missing == VHOST_IOMMU_MISSES)
		vhost_iommu_client_found(client, 0);
	miss = &client->missing[client->nr_missing];
	miss->iova = iova;
	miss->access = access;
	miss->denied = false;
	WRITE_ONCE(client->nr_missing, client->nr_missing + 1);
	atomic_inc(&client->viommu->vhost.missing);
	/* Before it is looked for: whoever maps it afterwards sees this */
	smp_mb__after_atomic();
}

/* Returns whether something was read. It would block only if the VMM reads, too. */
static bool vhost_iommu_client_read(struct vhost_iommu_client *client)
{
	union {
		struct vhost_msg v1;
		struct vhost_msg_v2 v2;
	} msg;
	struct kvec vec = { .iov_base = &msg, .iov_len = sizeof(msg) };
	const struct vhost_iotlb_msg *iotlb;
	struct iov_iter to;
	struct kiocb kiocb;

	static_assert(sizeof(msg.v1) == sizeof(msg.v2));

	if (!(vfs_poll(client->file, NULL) & EPOLLIN) ||
	    !(READ_ONCE(client->file->f_flags) & O_NONBLOCK))
		return false;
	init_sync_kiocb(&kiocb, client->file);
	iov_iter_kvec(&to, ITER_DEST, &vec, 1, sizeof(msg));
	if (client->file->f_op->read_iter(&kiocb, &to) != sizeof(msg))
		return false;
	iotlb = msg.v1.type == VHOST_IOTLB_MSG ? &msg.v1.iotlb : &msg.v2.iotlb;
	if (iotlb->type != VHOST_IOTLB_MISS)
		return true;
	atomic64_inc(&client->viommu->vhost.missed);
	if (iotlb->perm & VHOST_ACCESS_RW)
		vhost_iommu_client_missed(client, iotlb->iova,
					  iotlb->perm & VHOST_ACCESS_RW);
	return true;
}

/* Answer what can be answered. Returns false if the vhost device took an answer badly. */
static bool vhost_iommu_client_answer_all(struct vhost_iommu_client *client)
{
	bool well = true, found = false;
	struct vhost_iommu_xlat xlat;
	unsigned int i;
	int rc;

	for (i = 0; i < client->nr_missing; i++)
		found |= !vhost_iommu_client_find(client, &client->missing[i],
						  &xlat);
	if (found)
		vhost_iommu_client_look_ahead(client);
	for (i = 0; i < client->nr_missing; ) {
		rc = vhost_iommu_client_answer(client, &client->missing[i]);
		if (!rc)
			vhost_iommu_client_found(client, i);
		else
			i++;
		well &= !rc || rc == -ENOENT;
	}
	return well;
}

static void vhost_iommu_client_retry(struct work_struct *work)
{
	vhost_iommu_client_queue(container_of(to_delayed_work(work),
					      struct vhost_iommu_client, retry));
}

/* A vhost device without memory for an answer is given it again later */
static void vhost_iommu_client_serve(struct vhost_work *work)
{
	struct vhost_iommu_client *client =
		container_of(work, struct vhost_iommu_client, poll.work);
	unsigned int nr = 0;

	/*
	 * Orders this after the work was taken from the list: whoever wakes it
	 * puts it there again afterwards.
	 */
	smp_mb();
	guard(mutex)(&client->lock);

	if (client->gone)
		return;
	while (nr < VHOST_IOMMU_MISS_WEIGHT && vhost_iommu_client_read(client))
		nr++;
	if (nr == VHOST_IOMMU_MISS_WEIGHT)
		vhost_iommu_client_queue(client);
	if (vhost_iommu_client_answer_all(client)) {
		client->delay = 0;
		return;
	}
	client->delay = clamp(2 * client->delay, VHOST_IOMMU_RETRY_MIN,
			      VHOST_IOMMU_RETRY_MAX);
	schedule_delayed_work(&client->retry, client->delay);
}

/* Its work is queued by nobody any more, and does nothing */
static void vhost_iommu_client_unhook(struct vhost_iommu_client *client)
{
	scoped_guard(mutex, &client->lock)
		client->gone = true;
	cancel_delayed_work_sync(&client->retry);
	vhost_poll_stop(&client->poll);
}

/* If they are too many, all in one: what is between them is missed once more */
static void vhost_iommu_client_untell(struct vhost_iommu_client *client, u64 start,
				      u64 last)
{
	struct vhost_iommu_untold *untold = &client->untold;
	unsigned int i;

	for (i = 0; i < untold->nr; i++) {
		if (start && untold->ranges[i].last == start - 1) {
			untold->ranges[i].last = last;
			return;
		}
		if (last != U64_MAX && untold->ranges[i].start == last + 1) {
			untold->ranges[i].start = start;
			return;
		}
	}
	if (untold->nr == VHOST_IOMMU_UNTOLD) {
		for (i = 1; i < untold->nr; i++) {
			untold->ranges[0].start = min(untold->ranges[0].start,
						      untold->ranges[i].start);
			untold->ranges[0].last = max(untold->ranges[0].last,
						     untold->ranges[i].last);
		}
		untold->nr = 1;
	}
	untold->ranges[untold->nr].start = start;
	untold->ranges[untold->nr].last = last;
	untold->nr++;
}

/**
 * vhost_iommu_clients_untell - A mapping goes that vhost devices were told of
 * @viommu: The device
 * @map: The mapping
 *
 * vhost_iommu_clients_forget() is due before anybody is told that it is gone.
 *
 * Context: With &vhost_iommu.lock held, and &vhost_iommu.xlat_lock for writing.
 */
void vhost_iommu_clients_untell(struct vhost_iommu *viommu,
				const struct vhost_iommu_map *map)
{
	struct vhost_iommu_client *client;
	unsigned int i;

	lockdep_assert_held(&viommu->lock);
	lockdep_assert_held_write(&viommu->xlat_lock);

	for_each_set_bit(i, &map->clients, VHOST_IOMMU_MAX_CLIENTS) {
		client = viommu->vhost.clients[i];
		if (!client)
			continue;
		vhost_iommu_client_untell(client, map->start, map->last);
		WRITE_ONCE(viommu->vhost.untold, viommu->vhost.untold | BIT(i));
	}
}

/* Unless something else was added to what it has to forget meanwhile */
static void vhost_iommu_client_has_forgotten(struct vhost_iommu_client *client)
{
	struct vhost_iommu_vhost *vhost = &client->viommu->vhost;

	guard(write_lock)(&client->viommu->xlat_lock);

	if (!client->untold.nr)
		WRITE_ONCE(vhost->untold, vhost->untold & ~BIT(client->index));
}

/**
 * vhost_iommu_clients_forget - Have vhost devices forget what is gone
 * @viommu: The device
 * @clients: Which of them, a mask of their indices
 *
 * Also if somebody else is about to tell them: it has been told when this returns. Waits
 * for a batch of packets that such a device is at. Threads that kick do, too: it
 * is one of the VMM's own, and goes with it.
 *
 * Context: Whoever serves a request or an ioctl, with &vhost_iommu.lock held.
 */
void vhost_iommu_clients_forget(struct vhost_iommu *viommu,
				unsigned long clients)
{
	struct vhost_iommu_untold untold;
	unsigned int i, n;

	lockdep_assert_held(&viommu->lock);

	for_each_set_bit(i, &clients, VHOST_IOMMU_MAX_CLIENTS) {
		struct vhost_iommu_client *client = viommu->vhost.clients[i];

		if (!client)
			continue;
		guard(mutex)(&client->lock);

		scoped_guard(write_lock, &viommu->xlat_lock) {
			untold = client->untold;
			client->untold.nr = 0;
		}
		for (n = 0; n < untold.nr; n++)
			vhost_iommu_client_forget(client, untold.ranges[n].start,
						  untold.ranges[n].last);
		vhost_iommu_client_has_forgotten(client);
	}
}

/**
 * vhost_iommu_clients_mapped - Something was mapped: vhost devices may have missed it
 * @viommu: The device
 *
 * Context: Whoever serves a request or an ioctl, with &vhost_iommu.lock held.
 */
void vhost_iommu_clients_mapped(struct vhost_iommu *viommu)
{
	unsigned int i;

	lockdep_assert_held(&viommu->lock);

	/* The mapping is there before it is looked whether anybody misses it */
	smp_mb();
	if (!atomic_read(&viommu->vhost.missing))
		return;
	for (i = 0; i < VHOST_IOMMU_MAX_CLIENTS; i++) {
		struct vhost_iommu_client *client = viommu->vhost.clients[i];

		if (client && READ_ONCE(client->nr_missing))
			vhost_iommu_client_queue(client);
	}
}

/**
 * vhost_iommu_clients_moved - Addresses mean something else to vhost devices
 * @viommu: The device
 * @group: The group whose addresses, or NULL if it is all of them
 *
 * Context: Whoever has changed that, with &vhost_iommu.lock held for writing; or the
 * owner's ioctl.
 */
void vhost_iommu_clients_moved(struct vhost_iommu *viommu,
			       const struct vhost_iommu_group *group)
{
	const struct vhost_iommu_endpoint *ep;
	unsigned int i;

	lockdep_assert(lockdep_is_held(&viommu->lock) ||
		       lockdep_is_held(&viommu->dev.mutex));

	if (!viommu->vhost.nr)
		return;
	for (i = 0; i < VHOST_IOMMU_MAX_CLIENTS; i++) {
		struct vhost_iommu_client *client = viommu->vhost.clients[i];

		if (!client)
			continue;
		ep = xa_load(&viommu->endpoints, client->endpoint);
		if (group && (!ep || ep->group != group))
			continue;
		scoped_guard(mutex, &client->lock)
			vhost_iommu_client_forget_all(client);
		vhost_iommu_client_queue(client);
	}
}

static int vhost_iommu_client_check(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	const fmode_t mode = FMODE_READ | FMODE_WRITE;

	if (!S_ISCHR(inode->i_mode) || imajor(inode) != MISC_MAJOR ||
	    (iminor(inode) != VHOST_NET_MINOR &&
	     iminor(inode) != VHOST_VSOCK_MINOR) ||
	    (file->f_mode & mode) != mode || !file->f_op->read_iter ||
	    !file->f_op->write_iter || !file->f_op->poll)
		return -EBADFD;
	return file->f_flags & O_NONBLOCK ? 0 : -EINVAL;
}

/*
 * Queues that wait for an answer say nothing more until they get one: by one that allows
 * nothing they are woken up, to miss again what somebody else will answer. If they look
 * before that is forgotten, only a kick helps.
 */
static int vhost_iommu_client_wake_queues(struct vhost_iommu_client *client,
					  u64 iova, u64 size)
{
	const struct vhost_iotlb_msg msg = {
		.type = VHOST_IOTLB_UPDATE,
		.iova = iova,
		.size = size,
	};

	return vhost_iommu_client_send(client, &msg);
}

/* The VMM may have told it something before, and have read what it missed */
static int vhost_iommu_client_enter(struct vhost_iommu_client *client)
{
	struct vhost_iommu *viommu = client->viommu;
	const struct vhost_iommu_endpoint *ep;
	unsigned int i = 0;

	ACQUIRE(rwsem_write_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(rwsem_write_kill, &lock))
		return -EINTR;
	guard(mutex)(&client->lock);

	ep = xa_load(&viommu->endpoints, client->endpoint);
	if (!ep)
		return -ENOENT;
	if (ep->file)
		return -EINVAL;
	while (i < VHOST_IOMMU_MAX_CLIENTS && viommu->vhost.clients[i])
		i++;
	if (i == VHOST_IOMMU_MAX_CLIENTS)
		return -ENOSPC;
	if (vhost_iommu_client_wake_queues(client, 0, U64_MAX) ||
	    vhost_iommu_client_forget_all(client))
		return -ENXIO;
	client->index = i;
	viommu->vhost.clients[i] = client;
	WRITE_ONCE(viommu->vhost.nr, viommu->vhost.nr + 1);
	return 0;
}

static void vhost_iommu_client_free(struct vhost_iommu_client *client)
{
	xa_erase(&vhost_iommu_clients, (unsigned long)client->file);
	fput(client->file);
	mutex_destroy(&client->lock);
	kfree(client);
}

/**
 * vhost_iommu_client_add - VHOST_IOMMU_ADD_VHOST
 * @viommu: The device
 * @args: From the ioctl, size and flags checked
 *
 * Context: ioctl of the owner. Takes &vhost_iommu.lock.
 * Return: 0 or an errno, see struct vhost_iommu_vhost_file.
 */
int vhost_iommu_client_add(struct vhost_iommu *viommu,
			   const struct vhost_iommu_vhost_file *args)
{
	struct file *file __free(fput) = fget(args->fd);
	struct vhost_iommu_client *client;
	int rc;

	lockdep_assert_held(&viommu->dev.mutex);

	if (!file)
		return -EBADF;
	rc = vhost_iommu_client_check(file);
	if (rc)
		return rc;
	client = kzalloc_obj(*client, GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;
	client->viommu = viommu;
	client->endpoint = args->endpoint;
	client->file = no_free_ptr(file);
	mutex_init(&client->lock);
	vhost_poll_init(&client->poll, vhost_iommu_client_serve, EPOLLIN,
			&viommu->dev, &viommu->eq.vq);
	INIT_DELAYED_WORK(&client->retry, vhost_iommu_client_retry);

	rc = xa_insert(&vhost_iommu_clients, (unsigned long)client->file, client,
		       GFP_KERNEL);
	if (rc) {
		fput(client->file);
		kfree(client);
		return rc == -EBUSY ? -EEXIST : rc;
	}
	rc = vhost_iommu_client_enter(client);
	if (rc) {
		vhost_iommu_client_free(client);
		return rc;
	}
	/* Also for what it has missed so far. No vhost device has errors to tell. */
	vhost_poll_start(&client->poll, client->file);
	return 0;
}

/* Nothing is told it from then on, and it has forgotten what was */
static void vhost_iommu_client_leave(struct vhost_iommu_client *client)
{
	struct vhost_iommu *viommu = client->viommu;
	unsigned int i;

	lockdep_assert_held_write(&viommu->lock);

	scoped_guard(mutex, &client->lock) {
		client->gone = true;
		for (i = 0; i < client->nr_missing; i++)
			vhost_iommu_client_wake_queues(client,
						       client->missing[i].iova,
						       1);
		atomic_sub(client->nr_missing, &viommu->vhost.missing);
		WRITE_ONCE(client->nr_missing, 0);
		vhost_iommu_client_forget_all(client);
		vhost_iommu_client_has_forgotten(client);
	}
	viommu->vhost.clients[client->index] = NULL;
	WRITE_ONCE(viommu->vhost.nr, viommu->vhost.nr - 1);
}

/**
 * vhost_iommu_clients_leave - An endpoint goes
 * @viommu: The device
 * @endpoint: Its ID
 *
 * vhost_iommu_clients_reap() is due.
 *
 * Context: ioctl of the owner.
 */
void vhost_iommu_clients_leave(struct vhost_iommu *viommu, u32 endpoint)
{
	unsigned int i;

	lockdep_assert_held(&viommu->dev.mutex);

	for (i = 0; i < VHOST_IOMMU_MAX_CLIENTS; i++) {
		struct vhost_iommu_client *client = viommu->vhost.clients[i];

		if (!client || client->endpoint != endpoint)
			continue;
		vhost_iommu_client_leave(client);
		list_add(&client->node, &viommu->vhost.left);
	}
}

/**
 * vhost_iommu_clients_reap - Let go of the files of vhost devices that have left
 * @viommu: The device
 *
 * Context: ioctl of the owner, with no lock but &vhost_dev.mutex: waits for the worker.
 */
void vhost_iommu_clients_reap(struct vhost_iommu *viommu)
{
	struct vhost_iommu_client *client, *next;

	lockdep_assert_held(&viommu->dev.mutex);

	if (list_empty(&viommu->vhost.left))
		return;
	list_for_each_entry(client, &viommu->vhost.left, node)
		vhost_iommu_client_unhook(client);
	vhost_dev_flush(&viommu->dev);
	list_for_each_entry_safe(client, next, &viommu->vhost.left, node) {
		list_del(&client->node);
		vhost_iommu_client_free(client);
	}
}

static struct vhost_iommu_client *
vhost_iommu_client_of(struct vhost_iommu *viommu, u32 endpoint, int fd)
{
	struct file *file __free(fput) = fget(fd);
	unsigned int i;

	lockdep_assert_held(&viommu->dev.mutex);

	if (!file)
		return ERR_PTR(-EBADF);
	for (i = 0; i < VHOST_IOMMU_MAX_CLIENTS; i++) {
		struct vhost_iommu_client *client = viommu->vhost.clients[i];

		if (client && client->file == file &&
		    client->endpoint == endpoint)
			return client;
	}
	return ERR_PTR(-ENOENT);
}

/**
 * vhost_iommu_client_remove - VHOST_IOMMU_REMOVE_VHOST
 * @viommu: The device
 * @args: From the ioctl, size and flags checked
 *
 * Context: ioctl of the owner. Takes &vhost_iommu.lock, and waits for the worker.
 * Return: 0 or an errno, see struct vhost_iommu_vhost_file.
 */
int vhost_iommu_client_remove(struct vhost_iommu *viommu,
			      const struct vhost_iommu_vhost_file *args)
{
	struct vhost_iommu_client *client =
		vhost_iommu_client_of(viommu, args->endpoint, args->fd);

	if (IS_ERR(client))
		return PTR_ERR(client);
	scoped_cond_guard(rwsem_write_kill, return -EINTR, &viommu->lock)
		vhost_iommu_client_leave(client);
	list_add(&client->node, &viommu->vhost.left);
	vhost_iommu_clients_reap(viommu);
	return 0;
}

/**
 * vhost_iommu_client_miss - VHOST_IOMMU_VHOST_MISS
 * @viommu: The device
 * @args: From the ioctl, size and flags checked
 *
 * Context: ioctl of the owner.
 * Return: 0 or an errno, see struct vhost_iommu_vhost_miss.
 */
int vhost_iommu_client_miss(struct vhost_iommu *viommu,
			    const struct vhost_iommu_vhost_miss *args)
{
	struct vhost_iommu_client *client =
		vhost_iommu_client_of(viommu, args->endpoint, args->fd);
	struct vhost_iommu_miss miss = {
		.iova = args->iova,
		.access = args->flags,
	};
	int rc;

	if (IS_ERR(client))
		return PTR_ERR(client);
	if (!miss.access)
		return -EINVAL;
	guard(mutex)(&client->lock);

	rc = vhost_iommu_client_answer(client, &miss);
	return rc && rc != -ENOENT ? -ENXIO : rc;
}

/**
 * vhost_iommu_clients_silence - Take no notice of misses any more
 * @viommu: The device
 *
 * For the release of the file: misses queue no more work.
 */
void vhost_iommu_clients_silence(struct vhost_iommu *viommu)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_MAX_CLIENTS; i++)
		if (viommu->vhost.clients[i])
			vhost_iommu_client_unhook(viommu->vhost.clients[i]);
}

/**
 * vhost_iommu_clients_free - Let go of all vhost devices
 * @viommu: The device, which nothing else can reach any more
 *
 * For the release of the file. They forget what they were told: their own files may be
 * open for longer, and the guest's memory be somebody else's.
 */
void vhost_iommu_clients_free(struct vhost_iommu *viommu)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_MAX_CLIENTS; i++) {
		struct vhost_iommu_client *client = viommu->vhost.clients[i];

		if (!client)
			continue;
		vhost_iommu_client_leave(client);
		vhost_iommu_client_free(client);
	}
}
