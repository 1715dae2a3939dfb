// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: /dev/vhost-iommu, an in-kernel back end for virtio-iommu
 *
 * The VMM sets the device up and describes its endpoints; guest requests are
 * then served here, by the thread that kicks or by the vhost worker, without the
 * VMM. See
 * Documentation/userspace-api/vhost-iommu.rst.
 */
#include <linux/atomic.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommu.h"

#define CREATE_TRACE_POINTS
#include <trace/events/vhost_iommu.h>

/*
 * A kthread worker would have root's credentials and no memlock limit, and
 * iommufd would account what it pins to nobody: only the owner's own thread
 * is allowed.
 */
static long vhost_iommu_check_fork_owner(void __user *argp)
{
	u8 mode;

	if (get_user(mode, (u8 __user *)argp))
		return -EFAULT;
	return mode == VHOST_FORK_OWNER_TASK ? 0 : -EOPNOTSUPP;
}

static struct vhost_worker *vhost_iommu_worker(struct vhost_iommu *viommu)
{
	unsigned long id = 0;

	/* There is no more than one */
	return xa_find(&viommu->dev.worker_xa, &id, ULONG_MAX, XA_PRESENT);
}

/*
 * vhost has one class for the mutexes of all devices, one for those of all queues, and
 * one for those of all workers. Who holds this device's can come to those of others: an
 * UNMAP has to reach the vhost devices that keep what it removes. With the worker, which
 * SET_OWNER makes and has take the queues' mutexes under its own.
 */
static void vhost_iommu_set_lock_classes(struct vhost_iommu *viommu)
{
	static struct lock_class_key worker_key, rq_key, eq_key;
	struct vhost_worker *worker = vhost_iommu_worker(viommu);
	unsigned int i;

	if (worker)
		lockdep_set_class(&worker->mutex, &worker_key);
	for (i = 0; i < viommu->nr_rqs; i++)
		lockdep_set_class(&viommu->rqs[i].vq.mutex, &rq_key);
	lockdep_set_class(&viommu->eq.vq.mutex, &eq_key);
}

static long vhost_iommu_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	struct vhost_iommu *viommu = file->private_data;
	void __user *argp = (void __user *)arg;
	long rc;

	rc = vhost_iommu_own_ioctl(viommu, cmd, argp);
	if (rc != -ENOIOCTLCMD)
		return rc;

	switch (cmd) {
	case VHOST_GET_FEATURES:
		return vhost_iommu_get_features(viommu, argp);
	case VHOST_SET_FEATURES:
		return vhost_iommu_set_features(viommu, argp);
	case VHOST_SET_FORK_FROM_OWNER:
		rc = vhost_iommu_check_fork_owner(argp);
		if (rc)
			return rc;
		break;
	case VHOST_RESET_OWNER:
		return -EOPNOTSUPP;
	case VHOST_GET_FORK_FROM_OWNER:
	case VHOST_SET_OWNER:
	case VHOST_SET_MEM_TABLE:
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		break;
	default:
		return -ENOTTY;
	}

	ACQUIRE(mutex_kill, lock)(&viommu->dev.mutex);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	guard(vhost_iommu_wanted)(viommu);

	if (cmd == VHOST_SET_MEM_TABLE && !vhost_dev_check_owner(&viommu->dev)) {
		rc = vhost_iommu_settle(viommu);
		if (rc)
			return rc;
	}
	/* Checks the owner, also for what it leaves to the next */
	rc = vhost_dev_ioctl(&viommu->dev, cmd, argp);
	if (rc == -ENOIOCTLCMD)
		rc = vhost_vring_ioctl(&viommu->dev, cmd, argp);
	else
		vhost_dev_flush(&viommu->dev);
	if (!rc && cmd == VHOST_SET_MEM_TABLE) {
		rc = vhost_iommu_ram_set(viommu, viommu->dev.umem);
		vhost_iommu_clients_moved(viommu, NULL);
	}
	if (!rc && cmd == VHOST_SET_OWNER)
		vhost_iommu_set_lock_classes(viommu);
	/* The byte may have been another one when it was read again */
	if (cmd == VHOST_SET_FORK_FROM_OWNER)
		viommu->dev.fork_owner = true;
	return rc;
}

static void vhost_iommu_show_fdinfo(struct seq_file *m, struct file *file)
{
	vhost_iommu_stats_show(file->private_data, m);
}

static int vhost_iommu_open(struct inode *inode, struct file *file)
{
	static struct lock_class_key dev_key;
	/* Of the device that was opened last, since the module was loaded */
	static atomic_t last_number;
	struct vhost_iommu *viommu;
	unsigned int i;

	viommu = kvzalloc_obj(*viommu, GFP_KERNEL_ACCOUNT);
	if (!viommu)
		return -ENOMEM;
	viommu->nr_rqs = vhost_iommu_max_queues();
	viommu->rqs = kvzalloc_objs(*viommu->rqs, viommu->nr_rqs,
				    GFP_KERNEL_ACCOUNT);
	if (!viommu->rqs) {
		kvfree(viommu);
		return -ENOMEM;
	}

	viommu->number = atomic_inc_return(&last_number);
	refcount_set(&viommu->refs, 1);
	viommu->host.piece_shift = VHOST_IOMMU_PIECE_SHIFT;
	spin_lock_init(&viommu->refused.lock);
	rwlock_init(&viommu->xlat_lock);
	init_rwsem(&viommu->lock);
	xa_init_flags(&viommu->domains, XA_FLAGS_ACCOUNT);
	xa_init_flags(&viommu->endpoints, XA_FLAGS_ACCOUNT);
	xa_init_flags(&viommu->groups, XA_FLAGS_ACCOUNT);
	xa_init_flags(&viommu->eventqs, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&viommu->sources);
	INIT_LIST_HEAD(&viommu->vhost.left);
	vhost_iommu_soft_init(viommu);
	vhost_iommu_limits_init(viommu);

	for (i = 0; i < viommu->nr_rqs; i++) {
		struct vhost_iommu_rq *rq = &viommu->rqs[i];

		rq->viommu = viommu;
		rq->index = i;
		rq->vq.handle_kick = vhost_iommu_handle_kick;
		viommu->vq_ptrs[VHOST_IOMMU_VQ_REQUEST_NR(i)] = &rq->vq;
	}
	viommu->eq.vq.handle_kick = vhost_iommu_handle_event_kick;
	viommu->vq_ptrs[VHOST_IOMMU_VQ_EVENT] = &viommu->eq.vq;
	vhost_dev_init(&viommu->dev, viommu->vq_ptrs, viommu->nr_rqs + 1,
		       UIO_MAXIOV, VHOST_IOMMU_WEIGHT, 0, true, NULL);
	lockdep_set_class(&viommu->dev.mutex, &dev_key);
	viommu->dev.fork_owner = true;
	for (i = 0; i < viommu->nr_rqs; i++)
		viommu->rqs[i].vq.poll.wait.func = vhost_iommu_kicked;
	file->private_data = viommu;
	return 0;
}

/*
 * Nothing is put on the worker's list any more, and what is there has been looked at: a
 * thread that kicked may have done the former when the rings were stopped already. A
 * worker that is being killed does the same, under its mutex.
 */
static void vhost_iommu_worker_retire(struct vhost_iommu *viommu)
{
	struct vhost_worker *worker = vhost_iommu_worker(viommu);
	unsigned int i;

	if (!worker)
		return;
	scoped_guard(mutex, &worker->mutex) {
		for (i = 0; i < viommu->dev.nvqs; i++)
			rcu_assign_pointer(viommu->vq_ptrs[i]->worker, NULL);
		/* vhost looks at the pointer, and puts work there, as a reader */
		synchronize_rcu();
	}
	vhost_dev_flush(&viommu->dev);
}

/*
 * May run in the exit of the owner, without its address space: only references
 * are dropped. Devices stay attached until their own files are closed. A thread
 * that kicked may still have its work to do; it finds the rings stopped.
 */
static int vhost_iommu_release(struct inode *inode, struct file *file)
{
	struct vhost_iommu *viommu = file->private_data;
	unsigned int i;

	scoped_guard(mutex, &viommu->dev.mutex) {
		vhost_iommu_want(viommu);
		for (i = 0; i < viommu->dev.nvqs; i++)
			scoped_guard(mutex, &viommu->vq_ptrs[i]->mutex)
				vhost_iommu_stop_vq(viommu->vq_ptrs[i]);
	}
	vhost_iommu_sources_silence(viommu);
	vhost_iommu_clients_silence(viommu);
	vhost_dev_flush(&viommu->dev);
	vhost_dev_stop(&viommu->dev);
	vhost_iommu_worker_retire(viommu);
	vhost_dev_cleanup(&viommu->dev);
	vhost_iommu_ram_set(viommu, NULL);
	vhost_iommu_log_put(viommu);

	scoped_guard(rwsem_write, &viommu->lock) {
		vhost_iommu_clients_free(viommu);
		vhost_iommu_endpoints_free(viommu);
		vhost_iommu_nests_free(viommu);
		vhost_iommu_host_put(viommu);
	}
	vhost_iommu_put(viommu);
	return 0;
}

static const struct file_operations vhost_iommu_fops = {
	.owner = THIS_MODULE,
	.open = vhost_iommu_open,
	.release = vhost_iommu_release,
	.unlocked_ioctl = vhost_iommu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = vhost_iommu_show_fdinfo,
	.llseek = noop_llseek,
};

static struct miscdevice vhost_iommu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-iommu",
	.fops = &vhost_iommu_fops,
};

static int __init vhost_iommu_init(void)
{
	return misc_register(&vhost_iommu_misc);
}
module_init(vhost_iommu_init);

static void __exit vhost_iommu_exit(void)
{
	misc_deregister(&vhost_iommu_misc);
	/*
	 * A thread may still return from vhost_iommu_kick_work(). Where it can be
	 * preempted on the way, this waits for it: see NEED_TASKS_RCU.
	 */
	synchronize_rcu_tasks();
}
module_exit(vhost_iommu_exit);

MODULE_IMPORT_NS("IOMMUFD");
MODULE_DESCRIPTION("In-kernel back end for virtio-iommu");
MODULE_LICENSE("GPL");
