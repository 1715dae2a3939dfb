// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: what is not translated as before any more
 *
 * A VMM keeps answers of VHOST_IOMMU_TRANSLATE, and reads in memory that it shares with
 * the kernel which of them to forget. The kernel only writes there, and never waits for
 * a reader: one that is too slow forgets all it has.
 *
 * An entry is written in the same section of &vhost_iommu.xlat_lock as the change that
 * it is about, hence before the reply to the request. Who has read the log up to an
 * entry, and asks anew, sees the change.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/wait.h>

#include "iommu.h"

#define VHOST_IOMMU_LOG_NR		512
/* Members of a group that have an entry each; if there are more, one is for all */
#define VHOST_IOMMU_LOG_MEMBERS		16
/* An answer that is older than the log does not know of any entry */
#define VHOST_IOMMU_LOG_FIRST		1

/**
 * struct vhost_iommu_log_area - A log, as long as somebody can read it
 * @kref: One reference is the device's, and each file of the log has one
 * @head: Number of the next entry; that in @log is for readers
 * @log: The shared memory
 * @moved: @head behind the last entry that is not about a domain, and that replies have to
 *         wait for; under &vhost_iommu.xlat_lock, as the next two
 * @awaited: The highest @head that a reply has waited for
 * @acked: The @head that was acknowledged; read without the lock, too, as @awaited
 * @ended: The device's file is closed
 * @wait: Who polls for replies that wait
 */
struct vhost_iommu_log_area {
	struct kref kref;
	u64 head;
	struct vhost_iommu_log *log;
	u64 moved;
	u64 awaited;
	u64 acked;
	bool ended;
	wait_queue_head_t wait;
};

static size_t vhost_iommu_log_size(void)
{
	return PAGE_ALIGN(struct_size_t(struct vhost_iommu_log, entries,
					VHOST_IOMMU_LOG_NR));
}

static void vhost_iommu_log_release(struct kref *kref)
{
	struct vhost_iommu_log_area *area =
		container_of(kref, struct vhost_iommu_log_area, kref);

	free_pages_exact(area->log, vhost_iommu_log_size());
	kfree(area);
}

static void vhost_iommu_log_area_put(struct vhost_iommu_log_area *area)
{
	kref_put(&area->kref, vhost_iommu_log_release);
}

static int vhost_iommu_log_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vhost_iommu_log_area *area = file->private_data;
	unsigned long len = vma->vm_end - vma->vm_start;

	if (vma->vm_pgoff || len > vhost_iommu_log_size())
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYWRITE);
	return remap_pfn_range(vma, vma->vm_start, PHYS_PFN(__pa(area->log)),
			       len, vma->vm_page_prot);
}

static __poll_t vhost_iommu_log_poll(struct file *file, poll_table *pt)
{
	struct vhost_iommu_log_area *area = file->private_data;

	poll_wait(file, &area->wait, pt);
	if (READ_ONCE(area->ended))
		return EPOLLHUP;
	return READ_ONCE(area->awaited) > READ_ONCE(area->acked) ?
	       EPOLLIN | EPOLLRDNORM : 0;
}

static int vhost_iommu_log_close(struct inode *inode, struct file *file)
{
	vhost_iommu_log_area_put(file->private_data);
	return 0;
}

static const struct file_operations vhost_iommu_log_fops = {
	.owner = THIS_MODULE,
	.mmap = vhost_iommu_log_mmap,
	.poll = vhost_iommu_log_poll,
	.release = vhost_iommu_log_close,
	.llseek = noop_llseek,
};

static int vhost_iommu_log_begin(struct vhost_iommu *viommu)
{
	struct vhost_iommu_log_area *area __free(kfree) =
		kzalloc_obj(*area, GFP_KERNEL_ACCOUNT);

	if (!area)
		return -ENOMEM;
	area->log = alloc_pages_exact(vhost_iommu_log_size(),
				      GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!area->log)
		return -ENOMEM;
	area->head = VHOST_IOMMU_LOG_FIRST;
	area->log->head = area->head;
	area->log->nr = VHOST_IOMMU_LOG_NR;
	kref_init(&area->kref);
	init_waitqueue_head(&area->wait);
	scoped_guard(write_lock, &viommu->xlat_lock) {
		/* Who finds it without the lock finds it as it is here */
		smp_store_release(&viommu->log, no_free_ptr(area));
	}
	return 0;
}

/**
 * vhost_iommu_log_make - Begin to write a log, unless there is one
 * @viommu: The device
 * @len: Its length in bytes
 *
 * Context: ioctl of the owner.
 * Return: 0 or -ENOMEM.
 */
int vhost_iommu_log_make(struct vhost_iommu *viommu, u32 *len)
{
	lockdep_assert_held(&viommu->dev.mutex);

	*len = vhost_iommu_log_size();
	return viommu->log ? 0 : vhost_iommu_log_begin(viommu);
}

/**
 * vhost_iommu_log_file - Open the log
 * @viommu: The device, which has one
 *
 * Context: ioctl of the owner.
 * Return: A file to map, or an ERR_PTR().
 */
struct file *vhost_iommu_log_file(struct vhost_iommu *viommu)
{
	struct file *file;

	lockdep_assert_held(&viommu->dev.mutex);

	file = anon_inode_getfile("[vhost-iommu-log]", &vhost_iommu_log_fops,
				  viommu->log, O_RDONLY);
	if (!IS_ERR(file))
		kref_get(&viommu->log->kref);
	return file;
}

/**
 * vhost_iommu_log_put - Write nothing any more
 * @viommu: The device, which nothing else can reach any more
 */
void vhost_iommu_log_put(struct vhost_iommu *viommu)
{
	if (!viommu->log)
		return;
	WRITE_ONCE(viommu->log->ended, true);
	wake_up_poll(&viommu->log->wait, EPOLLHUP);
	vhost_iommu_log_area_put(viommu->log);
	viommu->log = NULL;
}

/**
 * vhost_iommu_log_head - Tell how far the log is
 * @viommu: The device
 *
 * Context: With &vhost_iommu.xlat_lock held.
 * Return: Number of the next entry; 0 if there is no log.
 */
u64 vhost_iommu_log_head(const struct vhost_iommu *viommu)
{
	return viommu->log ? viommu->log->head : 0;
}

static void vhost_iommu_log_add(struct vhost_iommu *viommu, u32 kind, u32 id,
				u64 start, u64 last)
{
	struct vhost_iommu_log_area *area = viommu->log;
	struct vhost_iommu_log_entry *entry;

	lockdep_assert_held_write(&viommu->xlat_lock);

	if (!area)
		return;
	entry = &area->log->entries[area->head % VHOST_IOMMU_LOG_NR];
	/*
	 * Who reads what is written here also reads the last head, and knows by it that
	 * the entry which was in this place may be gone
	 */
	smp_wmb();
	WRITE_ONCE(entry->start, start);
	WRITE_ONCE(entry->last, last);
	WRITE_ONCE(entry->id, id);
	WRITE_ONCE(entry->kind, kind);
	/* Who reads the new head reads the entry */
	smp_store_release(&area->log->head, ++area->head);
	if (kind != VHOST_IOMMU_LOG_DOMAIN && viommu->nr_notify)
		WRITE_ONCE(area->moved, area->head);
}

/**
 * vhost_iommu_log_unmap - A range of a domain is not mapped any more
 * @viommu: The device
 * @domain: The domain
 * @start: First IOVA
 * @last: Last IOVA
 *
 * Nothing is written for a domain that nobody has asked about.
 *
 * Context: With &vhost_iommu.xlat_lock held for writing.
 */
void vhost_iommu_log_unmap(struct vhost_iommu *viommu,
			   struct vhost_iommu_domain *domain, u64 start, u64 last)
{
	if (!READ_ONCE(domain->translated))
		return;
	vhost_iommu_log_add(viommu, VHOST_IOMMU_LOG_DOMAIN, domain->id, start,
			    last);
	if (viommu->nr_notify && READ_ONCE(domain->passed_on))
		WRITE_ONCE(domain->await, vhost_iommu_log_head(viommu));
}

/**
 * vhost_iommu_log_endpoint - Addresses of an endpoint mean something else
 * @viommu: The device
 * @id: Its ID
 *
 * Context: With &vhost_iommu.xlat_lock held for writing.
 */
void vhost_iommu_log_endpoint(struct vhost_iommu *viommu, u32 id)
{
	vhost_iommu_log_add(viommu, VHOST_IOMMU_LOG_ENDPOINT, id, 0, U64_MAX);
}

/**
 * vhost_iommu_log_group - Addresses of all members of a group mean something else
 * @viommu: The device
 * @group: The group
 *
 * Context: With &vhost_iommu.lock, and &vhost_iommu.xlat_lock for writing.
 */
void vhost_iommu_log_group(struct vhost_iommu *viommu,
			   const struct vhost_iommu_group *group)
{
	const struct vhost_iommu_endpoint *ep;
	unsigned int nr = 0;

	lockdep_assert_held_write(&viommu->lock);

	list_for_each_entry(ep, &group->endpoints, group_node) {
		if (nr++ == VHOST_IOMMU_LOG_MEMBERS) {
			vhost_iommu_log_add(viommu, VHOST_IOMMU_LOG_ALL, 0, 0,
					    U64_MAX);
			return;
		}
		vhost_iommu_log_endpoint(viommu, ep->id);
	}
}

/**
 * vhost_iommu_log_moved - Tell what the reply to who moves an endpoint waits for
 * @viommu: The device
 *
 * Context: With &vhost_iommu.lock held. Entries that requests cause are written with it
 * held for writing.
 * Return: A sequence of the log, or 0.
 */
u64 vhost_iommu_log_moved(struct vhost_iommu *viommu)
{
	struct vhost_iommu_log_area *area = READ_ONCE(viommu->log);

	lockdep_assert_held(&viommu->lock);

	return area ? READ_ONCE(area->moved) : 0;
}

/**
 * vhost_iommu_log_await - A reply waits, unless what it is for is acknowledged
 * @viommu: The device
 * @sequence: What the reply waits for
 *
 * Who finds that it waits has to let it be known in the same section. Then
 * vhost_iommu_log_wake() is due.
 *
 * Context: With &vhost_iommu.xlat_lock held for writing.
 * Return: true if it waits.
 */
bool vhost_iommu_log_await(struct vhost_iommu *viommu, u64 sequence)
{
	struct vhost_iommu_log_area *area = viommu->log;

	lockdep_assert_held_write(&viommu->xlat_lock);

	if (sequence <= area->acked)
		return false;
	WRITE_ONCE(area->awaited, max(area->awaited, sequence));
	return true;
}

/**
 * vhost_iommu_log_wake - Tell the VMM that a reply waits
 * @viommu: The device
 */
void vhost_iommu_log_wake(struct vhost_iommu *viommu)
{
	wake_up_poll(&viommu->log->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * vhost_iommu_log_acked - Tell which replies do not have to wait
 * @viommu: The device
 *
 * Return: The sequence up to which the VMM has followed the log, as far as it says.
 */
u64 vhost_iommu_log_acked(struct vhost_iommu *viommu)
{
	struct vhost_iommu_log_area *area = READ_ONCE(viommu->log);

	return area ? READ_ONCE(area->acked) : 0;
}

/**
 * vhost_iommu_log_ack - Replies do not have to wait any more
 * @viommu: The device
 * @sequence: The sequence that they waited for at most
 *
 * Who does this gives them afterwards. Those that are told to wait from then on know of
 * it.
 *
 * Context: Any but interrupts. Takes &vhost_iommu.xlat_lock.
 * Return: 0; -ENXIO if there is no log; or -EINVAL if it has not come that far.
 */
int vhost_iommu_log_ack(struct vhost_iommu *viommu, u64 sequence)
{
	struct vhost_iommu_log_area *area;

	guard(write_lock)(&viommu->xlat_lock);

	area = viommu->log;
	if (!area)
		return -ENXIO;
	if (sequence > area->head)
		return -EINVAL;
	WRITE_ONCE(area->acked, max(area->acked, sequence));
	return 0;
}

/**
 * vhost_iommu_log_ack_all - No reply has to wait any more, of those that do now
 * @viommu: The device
 *
 * Context: Any but interrupts. Takes &vhost_iommu.xlat_lock.
 */
void vhost_iommu_log_ack_all(struct vhost_iommu *viommu)
{
	guard(write_lock)(&viommu->xlat_lock);

	if (viommu->log)
		WRITE_ONCE(viommu->log->acked, viommu->log->head);
}
