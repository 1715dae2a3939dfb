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
 */
struct vhost_iommu_log_area {
	struct kref kref;
	u64 head;
	struct vhost_iommu_log *log;
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

static int vhost_iommu_log_close(struct inode *inode, struct file *file)
{
	vhost_iommu_log_area_put(file->private_data);
	return 0;
}

static const struct file_operations vhost_iommu_log_fops = {
	.owner = THIS_MODULE,
	.mmap = vhost_iommu_log_mmap,
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
	scoped_guard(write_lock, &viommu->xlat_lock)
		viommu->log = no_free_ptr(area);
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
	if (viommu->log)
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
			   const struct vhost_iommu_domain *domain, u64 start,
			   u64 last)
{
	if (READ_ONCE(domain->translated))
		vhost_iommu_log_add(viommu, VHOST_IOMMU_LOG_DOMAIN, domain->id,
				    start, last);
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
