// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: domains and mappings
 *
 * A domain's tree says what is mapped; the IOAS follows. A MAP enters the tree
 * when the IOAS has it. An UNMAP leaves the tree first, and an IOAS that does
 * not follow is replaced by a new one that is filled from the tree; when even
 * that fails, the domain's devices are detached from any page table. So what is
 * not in the tree is never reachable once the guest has its answer.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "iommu.h"

#define VHOST_IOMMU_RESV_START(resv)	((resv)->start)
#define VHOST_IOMMU_RESV_LAST(resv)	((resv)->last)

INTERVAL_TREE_DEFINE(struct vhost_iommu_resv_node, node, u64, subtree_last,
		     VHOST_IOMMU_RESV_START, VHOST_IOMMU_RESV_LAST,
		     static __maybe_unused, vhost_iommu_resv)

/* MMIO mappings and those without a permission exist in the tree only */
static bool vhost_iommu_map_in_ioas(const struct vhost_iommu_map *map)
{
	return !(map->flags & VIRTIO_IOMMU_MAP_F_MMIO) &&
	       map->flags & (VIRTIO_IOMMU_MAP_F_READ |
			     VIRTIO_IOMMU_MAP_F_WRITE);
}

static int vhost_iommu_tree_add(struct vhost_iommu *viommu,
				struct vhost_iommu_domain *domain,
				struct vhost_iommu_map *map)
{
	int rc = vhost_iommu_map_insert(&domain->maps, map);

	if (!rc) {
		viommu->mappings++;
		viommu->mapped_bytes += map->last - map->start + 1;
	}
	return rc;
}

static void vhost_iommu_tree_del(struct vhost_iommu *viommu,
				 struct vhost_iommu_domain *domain,
				 struct vhost_iommu_map *map)
{
	vhost_iommu_map_erase(&domain->maps, map);
	viommu->mappings--;
	viommu->mapped_bytes -= map->last - map->start + 1;
	domain->unmaps++;
}

static int vhost_iommu_tables_of(const struct vhost_iommu_domain *domain,
				 struct vhost_iommu_tables *tables)
{
	struct vhost_iommu_map *map;
	int rc;

	map = vhost_iommu_map_first(&domain->maps, 0, U64_MAX);
	for (; map; map = vhost_iommu_map_next(map)) {
		if (!vhost_iommu_map_in_ioas(map))
			continue;
		rc = vhost_iommu_tables_touch(tables, map->start, map->last,
					      GFP_KERNEL_ACCOUNT);
		if (rc) {
			vhost_iommu_tables_clear(tables);
			return rc;
		}
		cond_resched();
	}
	return 0;
}

static int vhost_iommu_fill(struct vhost_iommu *viommu,
			    struct vhost_iommu_domain *domain, u32 ioas)
{
	struct vhost_iommu_map *map;
	int rc;

	map = vhost_iommu_map_first(&domain->maps, 0, U64_MAX);
	for (; map; map = vhost_iommu_map_next(map)) {
		if (!vhost_iommu_map_in_ioas(map))
			continue;
		rc = vhost_iommu_host_map(viommu, ioas, map);
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}

static void vhost_iommu_tables_set(struct vhost_iommu *viommu,
				   struct vhost_iommu_domain *domain,
				   const struct vhost_iommu_tables *tables)
{
	viommu->table_pages -= vhost_iommu_tables_pages(&domain->tables);
	vhost_iommu_tables_clear(&domain->tables);
	domain->tables = *tables;
	viommu->table_pages += vhost_iommu_tables_pages(&domain->tables);
}

/*
 * Give the domain a new IOAS that holds what the tree says. Devices are moved
 * over one by one; one that can't be moved is detached from any page table.
 * An error means that nothing was changed.
 */
static int vhost_iommu_rebuild(struct vhost_iommu *viommu,
			       struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_endpoint *ep;
	struct vhost_iommu_tables tables;
	u32 ioas;
	int rc;

	vhost_iommu_tables_init(&tables);
	rc = vhost_iommu_tables_of(domain, &tables);
	if (rc)
		return rc;
	rc = vhost_iommu_host_ioas_alloc(viommu, &ioas);
	if (rc) {
		vhost_iommu_tables_clear(&tables);
		return rc;
	}
	rc = vhost_iommu_fill(viommu, domain, ioas);
	if (rc) {
		vhost_iommu_host_destroy(viommu, ioas);
		vhost_iommu_tables_clear(&tables);
		return rc;
	}

	list_for_each_entry(ep, &domain->endpoints, domain_node)
		if (!ep->group->broken &&
		    vhost_iommu_group_move(viommu, ep->group, ioas))
			vhost_iommu_group_condemn(viommu, ep->group);
	vhost_iommu_host_destroy(viommu, domain->ioas);
	domain->ioas = ioas;
	domain->unmaps = 0;
	vhost_iommu_tables_set(viommu, domain, &tables);
	viommu->count.rebuilds++;
	return 0;
}

/*
 * The IOAS holds something that is not in the tree. Returns 0 if the devices
 * work on without it, or an error if they were taken out of use.
 */
static int vhost_iommu_recover(struct vhost_iommu *viommu,
			       struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_endpoint *ep;
	struct vhost_iommu_tables none;
	int rc;

	rc = vhost_iommu_rebuild(viommu, domain);
	if (!rc)
		return 0;

	list_for_each_entry(ep, &domain->endpoints, domain_node)
		vhost_iommu_group_condemn(viommu, ep->group);
	vhost_iommu_host_destroy(viommu, domain->ioas);
	domain->ioas = 0;
	vhost_iommu_tables_init(&none);
	vhost_iommu_tables_set(viommu, domain, &none);
	return rc;
}

/*
 * Free page tables that no mapping uses any more by rebuilding the domain.
 * A look costs a walk over the mappings and a rebuild a COPY for each, so
 * there have to be a quarter as many UNMAPs before either is worth it: the
 * cost per request stays constant.
 */
static bool vhost_iommu_reclaim(struct vhost_iommu *viommu,
				struct vhost_iommu_domain *domain, u64 pages)
{
	struct vhost_iommu_tables live;
	u64 stale;

	if (!domain->ioas || domain->unmaps <= domain->maps.count / 4)
		return false;
	domain->unmaps = 0;

	vhost_iommu_tables_init(&live);
	if (vhost_iommu_tables_of(domain, &live))
		return false;
	stale = vhost_iommu_tables_pages(&domain->tables) -
		vhost_iommu_tables_pages(&live);
	vhost_iommu_tables_clear(&live);
	return stale >= pages && !vhost_iommu_rebuild(viommu, domain);
}

static bool vhost_iommu_tables_fit(const struct vhost_iommu *viommu, u64 pages)
{
	return viommu->table_pages <= viommu->max_table_pages &&
	       pages <= viommu->max_table_pages - viommu->table_pages;
}

static int vhost_iommu_charge(struct vhost_iommu *viommu,
			      struct vhost_iommu_domain *domain,
			      const struct vhost_iommu_map *map)
{
	struct vhost_iommu_domain *other;
	unsigned long id;
	u64 pages;
	int rc;

	pages = vhost_iommu_tables_missing(&domain->tables, map->start,
					   map->last);
	if (!pages)
		return 0;
	if (!vhost_iommu_tables_fit(viommu, pages) &&
	    vhost_iommu_reclaim(viommu, domain, pages))
		pages = vhost_iommu_tables_missing(&domain->tables, map->start,
						   map->last);
	if (!vhost_iommu_tables_fit(viommu, pages))
		xa_for_each(&viommu->domains, id, other)
			if (other != domain &&
			    vhost_iommu_reclaim(viommu, other, pages))
				break;
	if (!vhost_iommu_tables_fit(viommu, pages))
		return -ENOSPC;

	viommu->table_pages -= vhost_iommu_tables_pages(&domain->tables);
	rc = vhost_iommu_tables_touch(&domain->tables, map->start, map->last,
				      GFP_KERNEL_ACCOUNT);
	viommu->table_pages += vhost_iommu_tables_pages(&domain->tables);
	return rc;
}

/**
 * vhost_iommu_domain_get - Find a domain, or make it
 * @viommu: The device
 * @id: Domain ID
 * @kind: The kind of domain that is asked for
 *
 * A new domain has no endpoint yet: the caller links one to it or releases it.
 * One of tables has no table yet either.
 *
 * Return: The domain; -EINVAL if there is one of another kind; -ENOSPC if
 * there are too many; -ENOMEM.
 */
struct vhost_iommu_domain *
vhost_iommu_domain_get(struct vhost_iommu *viommu, u32 id,
		       enum vhost_iommu_domain_kind kind)
{
	struct vhost_iommu_domain *domain;
	int rc;

	lockdep_assert_held(&viommu->lock);

	domain = xa_load(&viommu->domains, id);
	if (domain)
		return domain->kind == kind ? domain : ERR_PTR(-EINVAL);
	if (viommu->nr_domains >= viommu->max_domains)
		return ERR_PTR(-ENOSPC);

	domain = kzalloc_obj(*domain, GFP_KERNEL_ACCOUNT);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->id = id;
	domain->kind = kind;
	vhost_iommu_map_tree_init(&domain->maps);
	vhost_iommu_tables_init(&domain->tables);
	domain->resv = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&domain->endpoints);

	rc = xa_insert(&viommu->domains, id, domain, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(domain);
		return ERR_PTR(rc);
	}
	viommu->nr_domains++;
	return domain;
}

/**
 * vhost_iommu_domain_release - Free a domain that has no endpoint any more
 * @viommu: The device
 * @domain: The domain; still there afterwards if it has an endpoint
 * @host: The owner's address space can be used. If not, the IOAS is left to
 *        the iommufd.
 */
void vhost_iommu_domain_release(struct vhost_iommu *viommu,
				struct vhost_iommu_domain *domain, bool host)
{
	struct vhost_iommu_map *map, *tmp;

	lockdep_assert_held(&viommu->lock);

	if (!list_empty(&domain->endpoints))
		return;
	xa_erase(&viommu->domains, domain->id);
	viommu->nr_domains--;
	if (host && domain->ioas)
		vhost_iommu_host_destroy(viommu, domain->ioas);

	viommu->mappings -= domain->maps.count;
	viommu->mapped_bytes -= domain->maps.bytes;
	rbtree_postorder_for_each_entry_safe(map, tmp, &domain->maps.root,
					     node) {
		kfree(map);
		cond_resched();
	}
	viommu->table_pages -= vhost_iommu_tables_pages(&domain->tables);
	vhost_iommu_tables_clear(&domain->tables);
	kfree(domain);
}

/**
 * vhost_iommu_domain_set_device - Make a domain ready for a device
 * @viommu: The device
 * @domain: The domain, a paging domain
 *
 * Return: 0; -ENOSPC if its mappings need more page tables than the limit
 * allows; -ENOENT if one of them is not guest RAM to the iommufd; or another
 * errno. After an error nothing is changed.
 */
int vhost_iommu_domain_set_device(struct vhost_iommu *viommu,
				  struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_tables tables;
	u32 ioas;
	int rc;

	lockdep_assert_held(&viommu->lock);

	if (domain->ioas)
		return 0;
	vhost_iommu_tables_init(&tables);
	rc = vhost_iommu_tables_of(domain, &tables);
	if (rc)
		return rc;
	if (!vhost_iommu_tables_fit(viommu, vhost_iommu_tables_pages(&tables)))
		rc = -ENOSPC;
	else
		rc = vhost_iommu_host_ioas_alloc(viommu, &ioas);
	if (!rc) {
		rc = vhost_iommu_fill(viommu, domain, ioas);
		if (rc)
			vhost_iommu_host_destroy(viommu, ioas);
	}
	if (rc) {
		vhost_iommu_tables_clear(&tables);
		return rc;
	}
	domain->ioas = ioas;
	vhost_iommu_tables_set(viommu, domain, &tables);
	return 0;
}

/**
 * vhost_iommu_domain_fits - Tell whether an endpoint can live with a domain
 * @domain: The domain
 * @ep: The endpoint
 *
 * Return: false if a mapping overlaps a RESV_MEM region of the endpoint.
 */
bool vhost_iommu_domain_fits(const struct vhost_iommu_domain *domain,
			     const struct vhost_iommu_endpoint *ep)
{
	unsigned int i;

	for (i = 0; i < ep->nr_resv; i++)
		if (vhost_iommu_map_first(&domain->maps, ep->resv[i].start,
					  ep->resv[i].last))
			return false;
	return true;
}

/**
 * vhost_iommu_domain_link - Put an endpoint into a domain
 * @domain: The domain
 * @ep: The endpoint, in no domain
 */
void vhost_iommu_domain_link(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_endpoint *ep)
{
	unsigned int i;

	ep->domain = domain;
	ep->group->attached++;
	list_add_tail(&ep->domain_node, &domain->endpoints);
	if (domain->kind == VHOST_IOMMU_TABLE)
		domain->nests |= BIT_ULL(ep->nest->index);
	for (i = 0; i < ep->nr_resv; i++)
		vhost_iommu_resv_insert(&ep->resv[i], &domain->resv);
}

/*
 * TLB entries belong to a nesting parent. Once no endpoint of the domain is on
 * it any more, the domain's invalidations do not reach them.
 */
static void vhost_iommu_domain_left(struct vhost_iommu_domain *domain,
				    struct vhost_iommu_nest *nest)
{
	const struct vhost_iommu_endpoint *ep;
	bool ended = true;

	domain->nests = 0;
	list_for_each_entry(ep, &domain->endpoints, domain_node) {
		domain->nests |= BIT_ULL(ep->nest->index);
		if (ep->nest->parent == nest->parent)
			ended = false;
	}
	if (ended)
		vhost_iommu_nest_ended(nest);
}

/**
 * vhost_iommu_domain_unlink - Take an endpoint out of its domain
 * @ep: The endpoint, in a domain
 *
 * When the hardware has followed, vhost_iommu_nests_flush() is due.
 */
void vhost_iommu_domain_unlink(struct vhost_iommu_endpoint *ep)
{
	struct vhost_iommu_domain *domain = ep->domain;
	unsigned int i;

	for (i = 0; i < ep->nr_resv; i++)
		vhost_iommu_resv_remove(&ep->resv[i], &domain->resv);
	list_del(&ep->domain_node);
	ep->group->attached--;
	ep->domain = NULL;
	if (domain->kind == VHOST_IOMMU_TABLE)
		vhost_iommu_domain_left(domain, ep->nest);
}

static bool vhost_iommu_is_doorbell(const struct vhost_iommu *viommu,
				    const struct vhost_iommu_map *map)
{
	unsigned int i;

	for (i = 0; i < viommu->nr_doorbells; i++)
		if (map->phys >= viommu->doorbells[i].start &&
		    vhost_iommu_map_phys_last(map) <= viommu->doorbells[i].last)
			return true;
	return false;
}

/* The IOAS finds out by itself; this is for what does not reach one */
static bool vhost_iommu_is_ram(struct vhost_iommu *viommu,
			       const struct vhost_iommu_map *map)
{
	struct vhost_virtqueue *vq = &viommu->vqs[VHOST_IOMMU_VQ_REQUEST];
	u64 at = map->phys, last = vhost_iommu_map_phys_last(map);
	const struct vhost_iotlb_map *ram;

	/* The memory table is replaced under this mutex */
	lockdep_assert_held(&vq->mutex);

	if (!vq->umem)
		return false;
	do {
		ram = vhost_iotlb_itree_first(vq->umem, at, last);
		if (!ram || ram->start > at)
			return false;
		at = ram->last + 1;
	} while (ram->last < last);
	return true;
}

static int vhost_iommu_check_map(struct vhost_iommu *viommu,
				 struct vhost_iommu_domain *domain,
				 const struct vhost_iommu_map *map)
{
	if (domain->kind != VHOST_IOMMU_PAGING)
		return -EINVAL;
	if (vhost_iommu_map_first(&domain->maps, map->start, map->last))
		return -EINVAL;
	if (vhost_iommu_resv_iter_first(&domain->resv, map->start, map->last))
		return -EINVAL;
	if (map->flags & VIRTIO_IOMMU_MAP_F_MMIO) {
		if (!vhost_iommu_is_doorbell(viommu, map))
			return -EINVAL;
	} else if (!domain->ioas || !vhost_iommu_map_in_ioas(map)) {
		if (!vhost_iommu_is_ram(viommu, map))
			return -EINVAL;
	}
	return viommu->mappings < viommu->max_mappings ? 0 : -ENOSPC;
}

/**
 * vhost_iommu_map - Carry out a MAP request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 *
 * VIRTIO 1.3, section 5.13.6.5.
 *
 * Context: Whoever serves the request queue, with its mutex held.
 * Return: The status for the guest. Unless it is OK, nothing was changed.
 */
u8 vhost_iommu_map(struct vhost_iommu *viommu,
		   const struct vhost_iommu_req *req)
{
	struct vhost_iommu_map *map __free(kfree) = NULL;
	struct vhost_iommu_domain *domain;
	int rc;

	lockdep_assert_held(&viommu->lock);

	domain = xa_load(&viommu->domains, req->domain);
	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	map = kmalloc_obj(*map, GFP_KERNEL_ACCOUNT);
	if (!map)
		return VIRTIO_IOMMU_S_NOMEM;
	map->start = req->virt_start;
	map->last = req->virt_end;
	map->phys = req->phys_start;
	map->flags = req->flags;

	rc = vhost_iommu_check_map(viommu, domain, map);
	if (!rc && domain->ioas && vhost_iommu_map_in_ioas(map)) {
		rc = vhost_iommu_charge(viommu, domain, map);
		if (!rc)
			rc = vhost_iommu_host_map(viommu, domain->ioas, map);
		/* The tables that were charged may be there */
		if (rc)
			domain->unmaps++;
		if (rc == -ESTALE)
			vhost_iommu_recover(viommu, domain);
	}
	if (!rc)
		rc = vhost_iommu_tree_add(viommu, domain, map);
	if (!rc)
		retain_and_null_ptr(map);
	return vhost_iommu_errno_to_status(rc);
}

/**
 * vhost_iommu_unmap - Carry out an UNMAP request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 *
 * VIRTIO 1.3, section 5.13.6.6.
 *
 * Return: The status for the guest. If it is OK or DEVERR, no device reaches
 * anything through the range; otherwise nothing was changed.
 */
u8 vhost_iommu_unmap(struct vhost_iommu *viommu,
		     const struct vhost_iommu_req *req)
{
	u64 start = req->virt_start, last = req->virt_end;
	u64 host_start = U64_MAX, host_last = 0;
	struct vhost_iommu_map *map, *next;
	struct vhost_iommu_domain *domain;

	lockdep_assert_held(&viommu->lock);

	domain = xa_load(&viommu->domains, req->domain);
	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	if (domain->kind != VHOST_IOMMU_PAGING)
		return VIRTIO_IOMMU_S_INVAL;
	if (vhost_iommu_map_splits(&domain->maps, start, last))
		return VIRTIO_IOMMU_S_RANGE;

	map = vhost_iommu_map_first(&domain->maps, start, last);
	for (; map && map->start <= last; map = next) {
		next = vhost_iommu_map_next(map);
		if (domain->ioas && vhost_iommu_map_in_ioas(map)) {
			host_start = min(host_start, map->start);
			host_last = map->last;
		}
		vhost_iommu_tree_del(viommu, domain, map);
		kfree(map);
		cond_resched();
	}
	if (host_start > host_last)
		return VIRTIO_IOMMU_S_OK;
	if (vhost_iommu_host_unmap(viommu, domain->ioas, host_start,
				   host_last) &&
	    vhost_iommu_recover(viommu, domain))
		return VIRTIO_IOMMU_S_DEVERR;
	return VIRTIO_IOMMU_S_OK;
}

static int vhost_iommu_add_piece(struct vhost_iommu *viommu,
				 struct vhost_iommu_domain *domain,
				 const struct vhost_iommu_map *whole, u64 start,
				 u64 last, bool host)
{
	struct vhost_iommu_map *map __free(kfree) = NULL;
	int rc = 0;

	map = kmalloc_obj(*map, GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	map->start = start;
	map->last = last;
	map->phys = whole->phys + (start - whole->start);
	map->flags = whole->flags;
	if (host)
		rc = vhost_iommu_host_map(viommu, domain->ioas, map);
	if (!rc)
		rc = vhost_iommu_tree_add(viommu, domain, map);
	if (!rc)
		retain_and_null_ptr(map);
	return rc;
}

/* Take guest-physical [@start, @last] out of a mapping that overlaps it */
static int vhost_iommu_cut(struct vhost_iommu *viommu,
			   struct vhost_iommu_domain *domain,
			   struct vhost_iommu_map *whole, u64 start, u64 last)
{
	bool host = domain->ioas && vhost_iommu_map_in_ioas(whole);
	u64 phys_last = vhost_iommu_map_phys_last(whole);
	bool stuck = false;
	int rc = 0, rc2;

	vhost_iommu_tree_del(viommu, domain, whole);
	if (host)
		stuck = vhost_iommu_host_unmap(viommu, domain->ioas,
					       whole->start, whole->last);
	host = host && !stuck;

	if (whole->phys < start)
		rc = vhost_iommu_add_piece(viommu, domain, whole, whole->start,
					   whole->start +
					   (start - whole->phys - 1), host);
	if (phys_last > last) {
		rc2 = vhost_iommu_add_piece(viommu, domain, whole,
					    whole->start +
					    (last - whole->phys + 1),
					    whole->last, host);
		/* Of two errors the one that asks for more */
		if (!rc || rc2 == -ESTALE)
			rc = rc2;
	}
	kfree(whole);
	if (stuck || rc == -ESTALE) {
		rc2 = vhost_iommu_recover(viommu, domain);
		rc = rc2 ?: rc;
	}
	return rc;
}

/**
 * vhost_iommu_remove_ram - Remove all mappings of a guest-physical range
 * @viommu: The device
 * @start: First address
 * @last: Last address
 * @count: Number of mappings that were in the range
 *
 * Context: ioctl of the owner.
 * Return: 0, or the first error. No domain reaches the range in any case, but
 * after an error some of what was mapped outside of it may be gone too.
 */
int vhost_iommu_remove_ram(struct vhost_iommu *viommu, u64 start, u64 last,
			   u64 *count)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_map *map, *next;
	unsigned long id;
	int rc = 0, rc2;

	lockdep_assert_held(&viommu->lock);

	*count = 0;
	xa_for_each(&viommu->domains, id, domain) {
		map = vhost_iommu_map_first(&domain->maps, 0, U64_MAX);
		for (; map; map = next) {
			next = vhost_iommu_map_next(map);
			cond_resched();
			if (map->flags & VIRTIO_IOMMU_MAP_F_MMIO ||
			    map->phys > last ||
			    vhost_iommu_map_phys_last(map) < start)
				continue;
			(*count)++;
			rc2 = vhost_iommu_cut(viommu, domain, map, start, last);
			rc = rc ?: rc2;
		}
	}
	return rc;
}
