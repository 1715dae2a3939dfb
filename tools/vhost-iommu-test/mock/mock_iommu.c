// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's IOMMU driver
 *
 * Page tables are trees of ranges, so a mapping costs the same whatever its
 * size.
 */
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "iommu-priv.h"
#include "mock.h"

#define MOCK_LEAF_SHIFT		21

static struct mock_iommu mock_iommus[MOCK_MAX_IOMMUS];
static unsigned int nr_mock_iommus;
static struct notifier_block mock_iommu_nb;

static atomic64_t mock_domain_serial;
static atomic64_t mock_total_domains;
static atomic64_t mock_total_map;
static atomic64_t mock_total_unmap;
static atomic64_t mock_total_flush;
static atomic64_t mock_total_leaf;

static int mock_inject_locked(struct mock_device *mdev, unsigned int point)
{
	struct vhost_iommu_mock_inject *inject = &mdev->ctl.inject[point];

	lockdep_assert_held(&mdev->lock);

	if (!inject->count)
		return 0;
	if (inject->skip) {
		inject->skip--;
		return 0;
	}
	inject->count--;
	mdev->ctl.injected++;
	return -(int)inject->error;
}

/**
 * mock_inject() - Is this operation to fail?
 * @mdev: The device
 * @point: VHOST_IOMMU_MOCK_INJECT_*
 *
 * Return: 0, or the negative errno to fail with.
 */
int mock_inject(struct mock_device *mdev, unsigned int point)
{
	guard(spinlock)(&mdev->lock);
	return mock_inject_locked(mdev, point);
}

/**
 * mock_inject_iommu() - Is this operation of an IOMMU to fail?
 * @iommu: The IOMMU
 * @point: VHOST_IOMMU_MOCK_INJECT_*
 * @flags: Only if the point was armed with exactly these flags
 *
 * Return: 0, or the negative errno to fail with.
 */
int mock_inject_iommu(struct mock_iommu *iommu, unsigned int point, u32 flags)
{
	struct vhost_iommu_mock_inject *inject;
	struct mock_device *mdev;
	unsigned int i;

	for (i = 0; i < nr_mock_devices; i++) {
		mdev = mock_devices[i];
		if (mdev->iommu != iommu)
			continue;
		inject = &mdev->ctl.inject[point];
		guard(spinlock)(&mdev->lock);
		if (inject->count && inject->flags == flags)
			return mock_inject_locked(mdev, point);
	}
	return 0;
}

/**
 * mock_domain_new_id() - Take a serial number for a page table
 *
 * Return: The number, which no other page table has or had.
 */
u64 mock_domain_new_id(void)
{
	return atomic64_inc_return(&mock_domain_serial);
}

/*
 * An entry holds the distance from IOVA to physical page number, and the
 * permissions. Such an entry is right for any part of its range, so the tree
 * can split ranges without help.
 */
static void *mock_pte(unsigned long iova_pfn, unsigned long pfn, int prot)
{
	unsigned long distance = (pfn - iova_pfn) & GENMASK(51, 0);

	BUILD_BUG_ON((IOMMU_READ | IOMMU_WRITE) != 3);
	return xa_mk_value(distance << 2 | (prot & 3));
}

static unsigned long mock_pte_pfn(void *pte, unsigned long iova_pfn)
{
	return ((xa_to_value(pte) >> 2) + iova_pfn) & GENMASK(51, 0);
}

static int mock_pte_prot(void *pte)
{
	return xa_to_value(pte) & 3;
}

/* Account for the leaf tables that entries in [first, last] need. */
static int mock_domain_add_leaves(struct mock_domain *mdom,
				  unsigned long first, unsigned long last,
				  gfp_t gfp)
{
	unsigned long added = last - first + 1;
	struct ma_state mas;
	void *entry;
	int rc;

	guard(mutex)(&mdom->map_mutex);

	mas_init(&mas, &mdom->leaf, first);
	mas_lock(&mas);
	mas_for_each(&mas, entry, last)
		added -= min(mas.last, last) - max(mas.index, first) + 1;
	mas_unlock(&mas);
	if (!added)
		return 0;

	rc = mtree_store_range(&mdom->leaf, first, last, xa_mk_value(0), gfp);
	if (rc)
		return rc;
	atomic64_add(added, &mdom->nr_leaf);
	atomic64_add(added, &mock_total_leaf);
	return 0;
}

static int mock_domain_map_pages(struct iommu_domain *domain,
				 unsigned long iova, phys_addr_t paddr,
				 size_t pgsize, size_t pgcount, int prot,
				 gfp_t gfp, size_t *mapped)
{
	struct mock_domain *mdom = to_mock_domain(domain);
	size_t size = pgsize * pgcount;
	unsigned long first = iova >> PAGE_SHIFT;
	unsigned long last = (iova + size - 1) >> PAGE_SHIFT;
	int rc;

	atomic64_inc(&mdom->nr_map);
	atomic64_inc(&mock_total_map);

	rc = mock_inject(mdom->owner, VHOST_IOMMU_MOCK_INJECT_MAP);
	if (rc)
		return rc;

	if (pgsize < BIT(MOCK_LEAF_SHIFT)) {
		rc = mock_domain_add_leaves(mdom, iova >> MOCK_LEAF_SHIFT,
					    (iova + size - 1) >> MOCK_LEAF_SHIFT,
					    gfp);
		if (rc)
			return rc;
	}

	rc = mtree_insert_range(&mdom->pt, first, last,
				mock_pte(first, paddr >> PAGE_SHIFT, prot),
				gfp);
	if (rc)
		return rc;
	atomic64_add(size, &mdom->bytes);
	*mapped += size;
	return 0;
}

/* What is not mapped any more is not dirty, either */
static void mock_domain_forget_dirty(struct mock_domain *mdom,
				     unsigned long first, unsigned long last)
{
	unsigned long pfn;
	void *entry;

	xa_for_each_range(&mdom->dirty, pfn, entry, first, last)
		xa_erase(&mdom->dirty, pfn);
}

static size_t mock_domain_unmap_pages(struct iommu_domain *domain,
				      unsigned long iova, size_t pgsize,
				      size_t pgcount,
				      struct iommu_iotlb_gather *gather)
{
	struct mock_domain *mdom = to_mock_domain(domain);
	size_t size = pgsize * pgcount;
	unsigned long first = iova >> PAGE_SHIFT;
	unsigned long last = (iova + size - 1) >> PAGE_SHIFT;
	unsigned long next = first;
	struct ma_state mas;
	void *pte;
	int rc;

	atomic64_inc(&mdom->nr_unmap);
	atomic64_inc(&mock_total_unmap);

	/* Unmapping stops at the first hole. */
	mas_init(&mas, &mdom->pt, first);
	mas_lock(&mas);
	mas_for_each(&mas, pte, last) {
		if (mas.index > next)
			break;
		next = min(mas.last, last) + 1;
	}
	mas_unlock(&mas);
	if (next == first)
		return 0;

	/*
	 * Ends of a range that stay may need a new tree node, but unmapping
	 * cannot fail.
	 */
	rc = mtree_store_range(&mdom->pt, first, next - 1, NULL,
			       GFP_KERNEL | __GFP_NOFAIL);
	if (WARN_ON_ONCE(rc))
		return 0;
	mock_domain_forget_dirty(mdom, first, next - 1);

	size = (next - first) << PAGE_SHIFT;
	atomic64_sub(size, &mdom->bytes);
	iommu_iotlb_gather_add_range(gather, iova, size);
	return size;
}

static phys_addr_t mock_domain_iova_to_phys(struct iommu_domain *domain,
					    dma_addr_t iova)
{
	struct mock_domain *mdom = to_mock_domain(domain);
	unsigned long pfn = iova >> PAGE_SHIFT;
	struct ma_state mas;
	void *pte;

	/* The tree is not in RCU mode: readers take the lock, too. */
	mas_init(&mas, &mdom->pt, pfn);
	mas_lock(&mas);
	pte = mas_walk(&mas);
	mas_unlock(&mas);
	if (!pte)
		return 0;
	return PFN_PHYS(mock_pte_pfn(pte, pfn)) + offset_in_page(iova);
}

static void mock_domain_flush_iotlb_all(struct iommu_domain *domain)
{
	struct mock_domain *mdom = to_mock_domain(domain);

	atomic64_inc(&mdom->nr_flush);
	atomic64_inc(&mock_total_flush);
	if (mdom->nest_parent)
		mock_walk_flush_parent(mdom->owner->iommu, mdom->id);
}

static void mock_domain_iotlb_sync(struct iommu_domain *domain,
				   struct iommu_iotlb_gather *gather)
{
	mock_domain_flush_iotlb_all(domain);
}

/**
 * mock_attach() - Change what translates a device's DMA
 * @mdev: The device
 * @mdom: The page table
 * @nested: The one nested on it, or NULL
 * @viommu: Where faults are to be reported, or NULL
 * @virt_id: The ID to report
 *
 * Return: 0, or the error that was injected.
 */
int mock_attach(struct mock_device *mdev, struct mock_domain *mdom,
		struct mock_nested *nested, struct mock_viommu *viommu,
		u64 virt_id)
{
	struct vhost_iommu_mock_inject *inject;
	int rc;

	inject = &mdev->ctl.inject[VHOST_IOMMU_MOCK_INJECT_DOMAIN];

	guard(mutex)(&mdev->event_lock);
	scoped_guard(spinlock, &mdev->lock) {
		rc = mock_inject_locked(mdev, VHOST_IOMMU_MOCK_INJECT_DOMAIN);
		if (rc) {
			if (inject->flags & VHOST_IOMMU_MOCK_INJECT_F_BLOCK) {
				mdev->domain = NULL;
				mdev->nested = NULL;
			}
			return rc;
		}
		mdev->domain = mdom;
		mdev->nested = nested;
		mdev->ctl.attach_domain++;
		mock_walk_flush_device(mdev);
	}
	mdev->viommu = viommu;
	mdev->virt_id = virt_id;
	return 0;
}

static void mock_block(struct mock_device *mdev)
{
	guard(mutex)(&mdev->event_lock);
	scoped_guard(spinlock, &mdev->lock) {
		mdev->domain = NULL;
		mdev->nested = NULL;
		mock_walk_flush_device(mdev);
	}
	mdev->viommu = NULL;
}

static int mock_domain_attach_dev(struct iommu_domain *domain,
				  struct device *dev, struct iommu_domain *old)
{
	struct mock_domain *mdom = to_mock_domain(domain);
	struct mock_device *mdev = to_mock_device(dev);

	if (mdom->owner->iommu != mdev->iommu)
		return -EINVAL;
	return mock_attach(mdev, mdom, NULL, NULL, 0);
}

static void mock_domain_free(struct iommu_domain *domain)
{
	struct mock_domain *mdom = to_mock_domain(domain);

	/* iommufd unmaps everything before it frees a page table. */
	WARN_ON(!mtree_empty(&mdom->pt));
	mtree_destroy(&mdom->pt);
	xa_destroy(&mdom->dirty);
	mtree_destroy(&mdom->leaf);
	mutex_destroy(&mdom->map_mutex);
	atomic64_sub(atomic64_read(&mdom->nr_leaf), &mock_total_leaf);
	atomic64_dec(&mock_total_domains);
	kfree(mdom);
	module_put(THIS_MODULE);
}

static const struct iommu_domain_ops mock_domain_ops = {
	.attach_dev = mock_domain_attach_dev,
	.map_pages = mock_domain_map_pages,
	.unmap_pages = mock_domain_unmap_pages,
	.iova_to_phys = mock_domain_iova_to_phys,
	.flush_iotlb_all = mock_domain_flush_iotlb_all,
	.iotlb_sync = mock_domain_iotlb_sync,
	.free = mock_domain_free,
};

static int mock_domain_set_dirty_tracking(struct iommu_domain *domain,
					  bool enabled)
{
	struct mock_domain *mdom = to_mock_domain(domain);

	guard(spinlock)(&mdom->pt.ma_lock);
	mdom->tracking = enabled;
	mdom->all_dirty = false;
	return 0;
}

static int mock_domain_read_and_clear_dirty(struct iommu_domain *domain,
					    unsigned long iova, size_t size,
					    unsigned long flags,
					    struct iommu_dirty_bitmap *dirty)
{
	struct mock_domain *mdom = to_mock_domain(domain);
	unsigned long first = iova >> PAGE_SHIFT;
	unsigned long last = (iova + size - 1) >> PAGE_SHIFT;
	unsigned long pfn;
	bool all;
	void *entry;

	scoped_guard(spinlock, &mdom->pt.ma_lock) {
		/* Without a bitmap it's about to be switched on */
		if (!mdom->tracking && dirty->bitmap)
			return -EINVAL;
		all = mdom->all_dirty;
	}
	if (all)
		iommu_dirty_bitmap_record(dirty, iova, size);
	xa_for_each_range(&mdom->dirty, pfn, entry, first, last) {
		iommu_dirty_bitmap_record(dirty, pfn << PAGE_SHIFT, PAGE_SIZE);
		if (!(flags & IOMMU_DIRTY_NO_CLEAR))
			xa_erase(&mdom->dirty, pfn);
	}
	return 0;
}

static const struct iommu_dirty_ops mock_dirty_ops = {
	.set_dirty_tracking = mock_domain_set_dirty_tracking,
	.read_and_clear_dirty = mock_domain_read_and_clear_dirty,
};

static struct iommu_domain *
mock_domain_alloc_paging_flags(struct device *dev, u32 flags,
			       const struct iommu_user_data *user_data)
{
	struct mock_device *mdev = to_mock_device(dev);
	struct mock_domain *mdom;
	int rc;

	if (user_data)
		return ERR_PTR(-EOPNOTSUPP);
	/* What is written through a nested page table is not recorded */
	if (flags & IOMMU_HWPT_ALLOC_NEST_PARENT ?
	    flags != IOMMU_HWPT_ALLOC_NEST_PARENT ||
	    !mock_nest_possible(mdev->iommu) :
	    flags & ~mock_nest_hwpt_flags(mdev->iommu))
		return ERR_PTR(-EOPNOTSUPP);

	rc = mock_inject(mdev, VHOST_IOMMU_MOCK_INJECT_ALLOC);
	if (rc)
		return ERR_PTR(rc);

	mdom = kzalloc_obj(*mdom, GFP_KERNEL_ACCOUNT);
	if (!mdom)
		return ERR_PTR(-ENOMEM);

	/*
	 * A page table can outlive the use of the device it was allocated for,
	 * which is all that holds the module otherwise.
	 */
	__module_get(THIS_MODULE);
	mdom->owner = mdev;
	mdom->id = mock_domain_new_id();
	mdom->nest_parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	mutex_init(&mdom->map_mutex);
	mt_init(&mdom->pt);
	xa_init(&mdom->dirty);
	mt_init(&mdom->leaf);
	mdom->domain.type = IOMMU_DOMAIN_UNMANAGED;
	mdom->domain.ops = &mock_domain_ops;
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		mdom->domain.dirty_ops = &mock_dirty_ops;
	mdom->domain.pgsize_bitmap = PAGE_SIZE | SZ_2M | SZ_1G;
	mdom->domain.geometry.aperture_end = GENMASK_ULL(mock_iova_bits - 1, 0);
	mdom->domain.geometry.force_aperture = true;
	atomic64_inc(&mock_total_domains);
	return &mdom->domain;
}

static int mock_blocked_attach_dev(struct iommu_domain *domain,
				   struct device *dev, struct iommu_domain *old)
{
	struct mock_device *mdev = to_mock_device(dev);

	mock_block(mdev);
	guard(spinlock)(&mdev->lock);
	mdev->ctl.attach_blocked++;
	return 0;
}

static const struct iommu_domain_ops mock_blocked_ops = {
	.attach_dev = mock_blocked_attach_dev,
};

static struct iommu_domain mock_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &mock_blocked_ops,
};

/*
 * The IOMMU core wants a default domain, which a device is in while nobody owns
 * it. The DMA engine can't be used then, so nothing has to pass.
 */
static struct iommu_domain mock_identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &mock_blocked_ops,
};

static int mock_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static struct iommu_device *mock_probe_device(struct device *dev)
{
	if (dev->bus != &mock_bus || to_mock_device(dev)->emulated)
		return ERR_PTR(-ENODEV);
	return &to_mock_device(dev)->iommu->iommu;
}

static void mock_release_device(struct device *dev)
{
	mock_block(to_mock_device(dev));
}

static struct iommu_group *mock_device_group(struct device *dev)
{
	struct mock_device *mdev = to_mock_device(dev);
	struct iommu_group *group;
	unsigned int i;

	for (i = 0; mdev->group && i < nr_mock_devices; i++) {
		if (mock_devices[i]->emulated ||
		    mock_devices[i]->group != mdev->group)
			continue;
		group = iommu_group_get(&mock_devices[i]->dev);
		if (group)
			return group;
	}
	return iommu_group_alloc();
}

static void mock_get_resv_regions(struct device *dev, struct list_head *list)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(VHOST_IOMMU_MOCK_MSI_BASE,
					 VHOST_IOMMU_MOCK_MSI_SIZE,
					 IOMMU_WRITE | IOMMU_MMIO,
					 IOMMU_RESV_MSI, GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, list);
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		return true;
	case IOMMU_CAP_DIRTY_TRACKING:
		return mock_nest_hwpt_flags(to_mock_device(dev)->iommu) &
		       IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	case IOMMU_CAP_PCI_ATS_SUPPORTED:
		return mock_nest_has_ats(to_mock_device(dev)->iommu);
	default:
		return false;
	}
}

/*
 * Without an owner: the IOMMU core would hold a reference for each device, and
 * since the devices are the module's own, it could never be unloaded.
 */
static const struct iommu_ops mock_iommu_ops = {
	.capable = mock_capable,
	.hw_info = mock_nest_hw_info,
	.domain_alloc_paging_flags = mock_domain_alloc_paging_flags,
	.probe_device = mock_probe_device,
	.release_device = mock_release_device,
	.device_group = mock_device_group,
	.get_resv_regions = mock_get_resv_regions,
	.def_domain_type = mock_def_domain_type,
	.get_viommu_size = mock_nest_viommu_size,
	.viommu_init = mock_nest_viommu_init,
	.identity_domain = &mock_identity_domain,
	.blocked_domain = &mock_blocked_domain,
};

/**
 * mock_copy() - Access memory
 * @pfn: Physical page number
 * @iova: Any address whose offset in the page is that of the first byte
 * @buf: What is written to memory, or where what is read goes
 * @len: How many bytes; they are within the page
 * @write: Whether memory is written
 *
 * Return: VHOST_IOMMU_MOCK_DMA_*.
 */
u32 mock_copy(u64 pfn, u64 iova, void *buf, size_t len, bool write)
{
	u8 *addr;

	if (!pfn_valid(pfn))
		return VHOST_IOMMU_MOCK_DMA_BUS_ERROR;

	addr = kmap_local_page(pfn_to_page(pfn));
	if (write)
		memcpy(addr + offset_in_page(iova), buf, len);
	else
		memcpy(buf, addr + offset_in_page(iova), len);
	kunmap_local(addr);
	return VHOST_IOMMU_MOCK_DMA_OK;
}

static u32 mock_domain_walk_locked(struct mock_domain *mdom, u64 iova, u64 *pfn,
				   int *prot)
{
	struct ma_state mas;
	void *pte;

	mas_init(&mas, &mdom->pt, iova >> PAGE_SHIFT);
	pte = mas_walk(&mas);
	if (!pte)
		return VHOST_IOMMU_MOCK_DMA_UNMAPPED;
	*pfn = mock_pte_pfn(pte, iova >> PAGE_SHIFT);
	*prot = mock_pte_prot(pte);
	return VHOST_IOMMU_MOCK_DMA_OK;
}

/**
 * mock_domain_walk() - Look an address up
 * @mdom: The page table
 * @iova: The address
 * @pfn: Set to the physical page number
 * @prot: Set to IOMMU_READ and IOMMU_WRITE
 *
 * Return: VHOST_IOMMU_MOCK_DMA_*.
 */
u32 mock_domain_walk(struct mock_domain *mdom, u64 iova, u64 *pfn, int *prot)
{
	guard(spinlock)(&mdom->pt.ma_lock);
	return mock_domain_walk_locked(mdom, iova, pfn, prot);
}

/**
 * mock_domain_access() - Access memory through a page table
 * @mdom: The page table
 * @iova: Address of the first byte
 * @buf: What is written to memory, or where what is read goes
 * @len: How many bytes; they are within one page
 * @write: Whether memory is written
 *
 * Return: VHOST_IOMMU_MOCK_DMA_*.
 */
u32 mock_domain_access(struct mock_domain *mdom, u64 iova, void *buf,
		       size_t len, bool write)
{
	u32 status;
	int prot;
	u64 pfn;

	guard(spinlock)(&mdom->pt.ma_lock);
	status = mock_domain_walk_locked(mdom, iova, &pfn, &prot);
	if (status)
		return status;
	if (!(prot & (write ? IOMMU_WRITE : IOMMU_READ)))
		return VHOST_IOMMU_MOCK_DMA_DENIED;
	status = mock_copy(pfn, iova, buf, len, write);
	if (!status && write && mdom->tracking &&
	    xa_err(xa_store(&mdom->dirty, iova >> PAGE_SHIFT, xa_mk_value(0),
			    GFP_ATOMIC)))
		mdom->all_dirty = true;
	return status;
}

static u32 mock_iommu_access(struct mock_device *mdev, struct mock_access *acc)
{
	guard(spinlock)(&mdev->lock);
	if (!mdev->domain)
		return VHOST_IOMMU_MOCK_DMA_BLOCKED;
	if (mdev->nested)
		return mock_walk_access(mdev, acc);
	if (acc->pasid)
		return VHOST_IOMMU_MOCK_DMA_BAD_CONFIG;
	return mock_domain_access(mdev->domain, acc->iova, acc->buf, acc->len,
				  acc->write);
}

/**
 * mock_iommu_dma() - Access memory as the device would
 * @mdev: The device
 * @acc: The access
 *
 * Return: VHOST_IOMMU_MOCK_DMA_*.
 */
u32 mock_iommu_dma(struct mock_device *mdev, struct mock_access *acc)
{
	u32 status = mock_iommu_access(mdev, acc);

	if (acc->fault)
		mock_nest_report(mdev, acc);
	return status;
}

/**
 * mock_iommu_stats() - Take the counters of a device
 * @mdev: The device
 * @ctl: Set to the device's control region
 */
void mock_iommu_stats(struct mock_device *mdev,
		      struct vhost_iommu_mock_ctl *ctl)
{
	struct mock_domain *mdom;

	scoped_guard(spinlock, &mdev->lock) {
		*ctl = mdev->ctl;
		mdom = mdev->domain;
		if (mdom) {
			ctl->domain_id = mdom->id;
			ctl->domain_map = atomic64_read(&mdom->nr_map);
			ctl->domain_unmap = atomic64_read(&mdom->nr_unmap);
			ctl->domain_flush = atomic64_read(&mdom->nr_flush);
			ctl->domain_bytes = atomic64_read(&mdom->bytes);
			ctl->domain_tables = atomic64_read(&mdom->nr_leaf) *
					     SZ_4K;
		}
	}
	ctl->total_domains = atomic64_read(&mock_total_domains);
	ctl->total_map = atomic64_read(&mock_total_map);
	ctl->total_unmap = atomic64_read(&mock_total_unmap);
	ctl->total_flush = atomic64_read(&mock_total_flush);
	ctl->total_tables = atomic64_read(&mock_total_leaf) * SZ_4K;
}

/**
 * mock_iommu_device_add() - Add a device to the bus, behind an IOMMU
 * @mdev: The device, initialised
 * @iommu: Number of the IOMMU
 *
 * The IOMMU core looks the driver up by the first IOMMU, the only one that is
 * registered; mock_probe_device() names the right one.
 *
 * Return: 0 or a negative errno.
 */
int mock_iommu_device_add(struct mock_device *mdev, unsigned int iommu)
{
	mdev->iommu = &mock_iommus[iommu];
	return iommu_mock_device_add(&mdev->dev, &mock_iommus[0].iommu);
}

static void mock_iommu_remove(void)
{
	while (nr_mock_iommus) {
		struct mock_iommu *iommu = &mock_iommus[--nr_mock_iommus];

		iommu_device_sysfs_remove(&iommu->iommu);
		mock_nest_exit(iommu);
	}
}

/**
 * mock_iommu_register() - Make the IOMMU driver known for the mock bus
 * @parent: Parent of the IOMMUs' devices in sysfs
 *
 * Return: 0 or a negative errno.
 */
int mock_iommu_register(struct device *parent)
{
	unsigned int i;
	int rc;

	for (i = 0; i < MOCK_MAX_IOMMUS; i++) {
		struct mock_iommu *iommu = &mock_iommus[i];

		iommu->index = i;
		iommu->iommu.ops = &mock_iommu_ops;
		rc = mock_nest_init(iommu);
		if (rc)
			goto out_remove;
		rc = iommu_device_sysfs_add(&iommu->iommu, parent, NULL,
					    "vhost_iommu_mock%u", i);
		if (rc) {
			mock_nest_exit(iommu);
			goto out_remove;
		}
		nr_mock_iommus++;
	}

	rc = iommu_device_register_bus(&mock_iommus[0].iommu, &mock_iommu_ops,
				       &mock_bus, &mock_iommu_nb);
	if (rc)
		goto out_remove;
	return 0;

out_remove:
	mock_iommu_remove();
	return rc;
}

/**
 * mock_iommu_unregister() - Undo mock_iommu_register()
 */
void mock_iommu_unregister(void)
{
	iommu_device_unregister_bus(&mock_iommus[0].iommu, &mock_bus,
				    &mock_iommu_nb);
	mock_iommu_remove();
}
