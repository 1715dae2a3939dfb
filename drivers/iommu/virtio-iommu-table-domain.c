// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu with tables of the guest: paging domains
 *
 * A domain is a set of page tables in AArch64 format, made by the kernel's own
 * allocator, and the context descriptor that points to them. The device is told
 * when entries may be cached that are not valid any more, and of nothing else.
 */
#include <linux/align.h>
#include <linux/cleanup.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "virtio-iommu-table.h"

/*
 * ASIDs go round: what an IOMMU has cached for one that is free again, although
 * the host should have seen to that, has most likely gone when it is used next.
 */
static DEFINE_XARRAY_ALLOC1(vtab_asids);
static u32 vtab_next_asid;

/* Whether entries of the domain can be cached */
static bool vtab_is_live(const struct vtab_domain *dom)
{
	/*
	 * Orders the change of the tables before the look at nr_endpoints, and
	 * pairs with the barrier in vtab_attach_locked(): either the endpoint
	 * is seen here, or it sees the change.
	 */
	smp_mb();
	return READ_ONCE(dom->nr_endpoints) &&
	       !READ_ONCE(dom->vtab->was_reset);
}

static bool vtab_invalidated(struct vtab_domain *dom,
			     const struct virtio_iommu_req_invalidate *req)
{
	int status = vtab_request(dom->vtab, req,
				  offsetof(typeof(*req), tail), NULL,
				  sizeof(req->tail));

	/*
	 * A domain is unknown to the device until an endpoint is attached, and none
	 * is while the device sleeps. The first one may be attached, or the last
	 * one leave, at this moment and by another queue, with which this one has
	 * no order. But the device says that a domain is unknown only if nothing
	 * of it is in use: an endpoint that comes afterwards finds the tables as
	 * they are now, and what those that were there had cached is gone.
	 */
	return status == VIRTIO_IOMMU_S_OK || status == VIRTIO_IOMMU_S_NOENT ||
	       status == -ESHUTDOWN;
}

/*
 * There is nobody to return an error to: whoever unmapped goes on to use the
 * memory for something else.
 */
static void vtab_invalidate(struct vtab_domain *dom,
			    struct virtio_iommu_req_invalidate *req)
{
	if (likely(vtab_invalidated(dom, req)))
		return;
	vtab_arm_make_inv_asid(dom->table.id, dom->asid, req);
	if (!vtab_invalidated(dom, req))
		vtab_break(dom->vtab, "an invalidation failed");
}

static void vtab_inv_asid(struct vtab_domain *dom)
{
	struct virtio_iommu_req_invalidate req;

	if (!vtab_is_live(dom))
		return;
	vtab_arm_make_inv_asid(dom->table.id, dom->asid, &req);
	vtab_invalidate(dom, &req);
}

static void vtab_inv_range(struct vtab_domain *dom, u64 start, u64 last,
			   unsigned long sizes, bool leaf)
{
	struct virtio_iommu_req_invalidate req;

	if (!vtab_is_live(dom))
		return;
	vtab_arm_make_inv_range(dom->table.id, dom->asid, start, last, sizes,
				leaf, &req);
	vtab_invalidate(dom, &req);
}

static void vtab_tlb_flush_all(void *cookie)
{
	vtab_inv_asid(cookie);
}

/**
 * struct vtab_unmap - An unmap that may free tables, on its stack
 * @entry: In &vtab_domain.unmaps
 * @task: Who unmaps
 * @level: interrupt_context_level() of it
 * @gather: What is to be invalidated afterwards
 * @pages: Pages of the tables that it has freed
 */
struct vtab_unmap {
	struct list_head entry;
	struct task_struct *task;
	unsigned char level;
	struct iommu_iotlb_gather *gather;
	struct list_head pages;
};

/*
 * Returns the unmap that the page table calls us for, or NULL if it is something
 * else. Many can be going on, also of the same task: a handler of an interrupt
 * is at another level.
 */
static struct vtab_unmap *vtab_this_unmap(struct vtab_domain *dom)
{
	struct vtab_unmap *unmap;

	if (list_empty(&dom->unmaps))
		return NULL;
	guard(raw_spinlock_irqsave)(&dom->lock);
	list_for_each_entry(unmap, &dom->unmaps, entry)
		if (unmap->task == current &&
		    unmap->level == interrupt_context_level())
			return unmap;
	return NULL;
}

/*
 * The tables are freed as soon as this returns: for an unmap that means that they
 * wait until what it unmapped is invalidated, as a whole. What else frees tables
 * is a map that puts a block in place of one, and has no gather.
 */
static void vtab_tlb_flush_walk(unsigned long iova, size_t size,
				size_t granule, void *cookie)
{
	struct vtab_unmap *unmap = vtab_this_unmap(cookie);

	if (unmap)
		vtab_gather_add_tables(unmap->gather, iova, size, granule);
	else
		vtab_inv_range(cookie, iova, iova + size - 1, granule, false);
}

static void vtab_tlb_add_page(struct iommu_iotlb_gather *gather,
			      unsigned long iova, size_t granule, void *cookie)
{
	vtab_gather_add(gather, iova, granule);
}

static const struct iommu_flush_ops vtab_flush_ops = {
	.tlb_flush_all	= vtab_tlb_flush_all,
	.tlb_flush_walk	= vtab_tlb_flush_walk,
	.tlb_add_page	= vtab_tlb_add_page,
};

/* In the statistics of the system and of memory cgroups, as for other IOMMUs */
static void vtab_account(struct folio *folio, bool add)
{
	long nr = folio_nr_pages(folio);

	if (!add)
		nr = -nr;
	mod_node_page_state(folio_pgdat(folio), NR_IOMMU_PAGES, nr);
	lruvec_stat_mod_folio(folio, NR_SECONDARY_PAGETABLE, nr);
}

static void *vtab_alloc_table(void *cookie, size_t size, gfp_t gfp)
{
	struct vtab_domain *dom = cookie;
	struct page *page;

	page = alloc_pages_node(dev_to_node(&dom->vtab->vdev->dev),
				gfp | __GFP_ZERO | __GFP_COMP,
				get_order(size));
	if (!page)
		return NULL;
	vtab_account(page_folio(page), true);
	return page_address(page);
}

static void vtab_free_page(struct page *page)
{
	struct folio *folio = page_folio(page);

	vtab_account(folio, false);
	folio_put(folio);
}

/* Free pages of tables, or keep them if the device may walk these tables */
static void vtab_free_tables(struct vtab_dev *vtab, struct list_head *pages)
{
	struct page *page, *next;

	if (list_empty(pages))
		return;
	if (unlikely(READ_ONCE(vtab->keep))) {
		scoped_guard(raw_spinlock_irqsave, &vtab->lock) {
			if (vtab->keep) {
				list_splice_init(pages, &vtab->kept_pages);
				return;
			}
		}
	}
	list_for_each_entry_safe(page, next, pages, lru)
		vtab_free_page(page);
	INIT_LIST_HEAD(pages);
}

static void vtab_free_table(void *cookie, void *table, size_t size)
{
	struct vtab_unmap *unmap = vtab_this_unmap(cookie);
	struct page *page = virt_to_page(table);
	struct vtab_domain *dom = cookie;
	LIST_HEAD(pages);

	if (unmap) {
		list_add(&page->lru, &unmap->pages);
		return;
	}
	list_add(&page->lru, &pages);
	vtab_free_tables(dom->vtab, &pages);
}

static int vtab_alloc_tables(struct vtab_domain *dom,
			     const struct vtab_endpoint *ep)
{
	struct vtab_dev *vtab = dom->vtab;
	struct io_pgtable_cfg cfg = {
		.pgsize_bitmap = ep->caps.pgsizes,
		.ias = clamp_t(unsigned int, fls64(vtab->input_last), 32,
			       ep->caps.ias),
		.oas = ep->caps.oas,
		.coherent_walk = true,
		.tlb = &vtab_flush_ops,
		.iommu_dev = vtab->vdev->dev.parent,
		.alloc = vtab_alloc_table,
		.free = vtab_free_table,
	};

	dom->pgtbl = alloc_io_pgtable_ops(ARM_64_LPAE_S1, &cfg, dom);
	if (!dom->pgtbl)
		return -ENOMEM;
	vtab_arm_make_cd(&cfg, dom->asid, dom->cd);
	vtab_arm_make_ste_s1(virt_to_phys(dom->cd), dom->table.ste);
	dom->domain.pgsize_bitmap = cfg.pgsize_bitmap;
	dom->domain.geometry = (struct iommu_domain_geometry) {
		.aperture_start = vtab->input_first,
		.aperture_end = min(vtab->input_last, BIT_ULL(cfg.ias) - 1),
		.force_aperture = true,
	};
	return 0;
}

/* A copy of an endpoint's window for MSIs; all 0 if there is none */
static struct vtab_resv vtab_msi(const struct vtab_endpoint *ep)
{
	unsigned int i;

	for (i = 0; i < ep->nr_resv; i++)
		if (ep->resv[i].msi)
			return ep->resv[i];
	return (struct vtab_resv) {};
}

/*
 * The host has the device write its MSIs to this window, and the device's
 * writes are translated by our tables. What Linux puts into the device's MSI
 * registers is the address of its own doorbell, as the window is an
 * IOMMU_RESV_MSI region; nothing but the emulation of these registers sees it.
 */
static int vtab_map_msi(struct vtab_domain *dom)
{
	size_t size = BIT(__ffs(dom->domain.pgsize_bitmap)), mapped;
	int prot = IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO;
	u64 start, last;
	int rc;

	if (!dom->msi.msi)
		return 0;
	start = ALIGN_DOWN(dom->msi.start, size);
	last = dom->msi.last | (size - 1);
	if (last > dom->domain.geometry.aperture_end)
		return -ERANGE;
	for (; start < last; start += mapped) {
		mapped = 0;
		rc = dom->pgtbl->map_pages(dom->pgtbl, start, start, size,
					   (last - start) / size + 1, prot,
					   GFP_KERNEL, &mapped);
		if (rc)
			return rc;
	}
	return 0;
}

static void vtab_domain_destroy(struct vtab_domain *dom)
{
	struct vtab_dev *vtab = dom->vtab;

	if (dom->pgtbl)
		free_io_pgtable_ops(dom->pgtbl);
	vtab_free_tables(vtab, &dom->freed);
	if (dom->asid)
		xa_erase(&vtab_asids, dom->asid);
	if (dom->table.id)
		ida_free(&vtab->domain_ids, dom->table.id);
	kfree(dom->cd);
	kfree(dom);
	vtab_put(vtab);
	module_put(THIS_MODULE);
}

static int vtab_domain_init(struct vtab_domain *dom,
			    const struct vtab_endpoint *ep)
{
	struct vtab_dev *vtab = dom->vtab;
	u32 asid;
	int rc;

	/* The size is a power of two, so this is aligned as it must be */
	dom->cd = kzalloc_objs(*dom->cd, VTAB_CD_DWORDS);
	if (!dom->cd)
		return -ENOMEM;
	rc = xa_alloc_cyclic(&vtab_asids, &asid, dom,
			     XA_LIMIT(1, ep->caps.max_asid), &vtab_next_asid,
			     GFP_KERNEL);
	if (rc < 0)
		return rc;
	dom->asid = asid;
	rc = ida_alloc_range(&vtab->domain_ids, vtab->first_id, vtab->last_id,
			     GFP_KERNEL);
	if (rc < 0)
		return rc;
	dom->table.id = rc;
	dom->msi = vtab_msi(ep);
	rc = vtab_alloc_tables(dom, ep);
	if (rc)
		return rc;
	return vtab_map_msi(dom);
}

/**
 * vtab_domain_alloc - Make a paging domain
 * @dev: Device that it is for
 *
 * Return: the domain or an ERR_PTR().
 */
struct iommu_domain *vtab_domain_alloc(struct device *dev)
{
	struct vtab_endpoint *ep = vtab_model(dev_iommu_priv_get(dev));
	struct vtab_domain *dom;
	int rc;

	if (!ep)
		return ERR_PTR(-EOPNOTSUPP);
	if (READ_ONCE(ep->vtab->broken))
		return ERR_PTR(-EIO);
	dom = kzalloc_obj(*dom);
	if (!dom)
		return ERR_PTR(-ENOMEM);
	raw_spin_lock_init(&dom->lock);
	INIT_LIST_HEAD(&dom->unmaps);
	INIT_LIST_HEAD(&dom->freed);
	dom->vtab = ep->vtab;
	kref_get(&dom->vtab->kref);
	/* The endpoint's reference goes with the endpoint, which may go first */
	__module_get(THIS_MODULE);
	rc = vtab_domain_init(dom, ep);
	if (rc) {
		vtab_domain_destroy(dom);
		return ERR_PTR(rc);
	}
	return &dom->domain;
}

/* The device may still walk the tables of a domain that is freed */
static void vtab_domain_free(struct iommu_domain *domain)
{
	struct vtab_domain *dom = to_vtab_domain(domain);
	struct vtab_dev *vtab = dom->vtab;

	vtab_forget_handler(dom);
	scoped_guard(mutex, &vtab->mutex) {
		if (!vtab->was_reset &&
		    (dom->nr_endpoints || READ_ONCE(vtab->keep))) {
			list_add(&dom->kept, &vtab->kept_domains);
			return;
		}
	}
	vtab_domain_destroy(dom);
}

/**
 * vtab_free_kept - Free what the device might have used
 * @vtab: The virtio-iommu, which was reset
 */
void vtab_free_kept(struct vtab_dev *vtab)
{
	struct vtab_domain *dom, *next_dom;
	struct page *page, *next_page;
	LIST_HEAD(domains);
	LIST_HEAD(pages);

	scoped_guard(mutex, &vtab->mutex) {
		scoped_guard(raw_spinlock_irq, &vtab->lock) {
			WRITE_ONCE(vtab->keep, false);
			list_splice_init(&vtab->kept_pages, &pages);
		}
		list_splice_init(&vtab->kept_domains, &domains);
	}
	list_for_each_entry_safe(dom, next_dom, &domains, kept)
		vtab_domain_destroy(dom);
	list_for_each_entry_safe(page, next_page, &pages, lru)
		vtab_free_page(page);
}

/* Whether an endpoint can be attached to a domain */
static bool vtab_domain_fits(const struct vtab_domain *dom,
			     const struct vtab_endpoint *ep)
{
	struct vtab_resv msi = vtab_msi(ep);

	return dom->vtab == ep->vtab && dom->msi.msi == msi.msi &&
	       dom->msi.start == msi.start && dom->msi.last == msi.last &&
	       vtab_arm_can_use(&ep->caps,
				&io_pgtable_ops_to_pgtable(dom->pgtbl)->cfg,
				dom->asid);
}

/* A bridge makes no DMA of its own: it is blocked, for the sake of its group */
static int vtab_attach_paging(struct iommu_domain *domain,
			      struct device *dev, struct iommu_domain *old)
{
	struct vtab_domain *dom = to_vtab_domain(domain);
	struct vtab_endpoint *ep = dev_iommu_priv_get(dev);

	if (!ep->tables && vtab_is_bridge(ep))
		return vtab_attach(ep, &ep->vtab->blocked, NULL);
	if (!ep->tables || !vtab_domain_fits(dom, ep))
		return -EINVAL;
	return vtab_attach(ep, &dom->table, dom);
}

static int vtab_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct vtab_domain *dom = to_vtab_domain(domain);

	if (unlikely(READ_ONCE(dom->vtab->broken)))
		return -EIO;
	return dom->pgtbl->map_pages(dom->pgtbl, iova, paddr, pgsize, pgcount,
				     prot, gfp, mapped);
}

static size_t vtab_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct vtab_domain *dom = to_vtab_domain(domain);
	struct vtab_unmap unmap = {
		.task = current,
		.level = interrupt_context_level(),
		.gather = gather,
		.pages = LIST_HEAD_INIT(unmap.pages),
	};
	size_t unmapped;

	/* That frees no table */
	if (pgsize == BIT(__ffs(domain->pgsize_bitmap)))
		return dom->pgtbl->unmap_pages(dom->pgtbl, iova, pgsize,
					       pgcount, gather);

	scoped_guard(raw_spinlock_irqsave, &dom->lock)
		list_add(&unmap.entry, &dom->unmaps);
	unmapped = dom->pgtbl->unmap_pages(dom->pgtbl, iova, pgsize, pgcount,
					   gather);
	scoped_guard(raw_spinlock_irqsave, &dom->lock) {
		list_del(&unmap.entry);
		if (iommu_iotlb_gather_queued(gather))
			list_splice_init(&unmap.pages, &dom->freed);
	}
	list_splice(&unmap.pages, &gather->freelist.pages);
	return unmapped;
}

static phys_addr_t vtab_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	struct vtab_domain *dom = to_vtab_domain(domain);

	return dom->pgtbl->iova_to_phys(dom->pgtbl, iova);
}

/*
 * What was unmapped may still be cached when the device is broken. Its bus
 * master bit keeps an endpoint from it as long as it has a driver of the kernel,
 * which may unmap in any context and can't wait. Who else has a domain, VFIO and
 * iommufd most of all, may sleep when it unmaps, and must not let go of the
 * memory before the device was reset: user space sets the bit as it likes.
 */
static void vtab_await_reset(struct vtab_domain *dom)
{
	struct vtab_dev *vtab = dom->vtab;

	if (likely(!READ_ONCE(vtab->broken)) ||
	    iommu_is_dma_domain(&dom->domain) || !vtab_is_live(dom))
		return;
	/* Pairs with vtab_reset_done() */
	wait_event_idle(vtab->wq, smp_load_acquire(&vtab->was_reset));
}

static void vtab_flush_iotlb_all(struct iommu_domain *domain)
{
	struct vtab_domain *dom = to_vtab_domain(domain);
	LIST_HEAD(pages);

	/* What is freed from here on is for the next time */
	scoped_guard(raw_spinlock_irqsave, &dom->lock)
		list_splice_init(&dom->freed, &pages);
	vtab_inv_asid(dom);
	vtab_await_reset(dom);
	vtab_free_tables(dom->vtab, &pages);
}

static void vtab_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	struct vtab_domain *dom = to_vtab_domain(domain);

	if (gather->pgsize)
		vtab_inv_range(dom, gather->start, gather->end, gather->pgsize,
			       true);
	vtab_await_reset(dom);
	vtab_free_tables(dom->vtab, &gather->freelist.pages);
}

const struct iommu_domain_ops vtab_paging_ops = {
	.attach_dev		= vtab_attach_paging,
	.map_pages		= vtab_map_pages,
	.unmap_pages		= vtab_unmap_pages,
	.flush_iotlb_all	= vtab_flush_iotlb_all,
	.iotlb_sync		= vtab_iotlb_sync,
	.iova_to_phys		= vtab_iova_to_phys,
	.free			= vtab_domain_free,
};
