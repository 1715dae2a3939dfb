// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: domains and mappings
 *
 * A domain's tree says what is mapped; the IOAS follows. A MAP enters the tree
 * when the IOAS has it. An UNMAP leaves the tree first, and an IOAS that does
 * not follow is stuck: it is replaced by a new one that is filled from the tree;
 * when even that fails, the domain's devices are detached from any page table.
 * So what is not in the tree is never reachable once the guest has its answer.
 *
 * A request can be for more than should be done at a time. Then it is carried out
 * in pieces: -EAGAIN asks for the same request again, and the domain says how far
 * it is. The lock is given up in between, and the request stays in the ring: a
 * device that is stopped goes on with it when it is started.
 *
 * Pieces of a mapping end at the same IOVAs as long as it exists, so that what is
 * unmapped is what was mapped: iommufd splits nothing.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "iommu.h"

#define VHOST_IOMMU_RESV_START(resv)	((resv)->start)
#define VHOST_IOMMU_RESV_LAST(resv)	((resv)->last)

INTERVAL_TREE_DEFINE(struct vhost_iommu_resv_node, node, u64, subtree_last,
		     VHOST_IOMMU_RESV_START, VHOST_IOMMU_RESV_LAST,
		     static __maybe_unused, vhost_iommu_resv)

static int vhost_iommu_tree_add(struct vhost_iommu *viommu,
				struct vhost_iommu_domain *domain,
				struct vhost_iommu_map *map)
{
	int rc;

	vhost_iommu_build_drop(viommu, domain, true);
	scoped_guard(write_lock, &viommu->xlat_lock)
		rc = vhost_iommu_map_insert(&domain->maps, map);
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
	vhost_iommu_build_drop(viommu, domain, true);
	scoped_guard(write_lock, &viommu->xlat_lock)
		vhost_iommu_map_erase(&domain->maps, map);
	viommu->mappings--;
	viommu->mapped_bytes -= map->last - map->start + 1;
	domain->unmaps++;
	kfree(map);
}

static void vhost_iommu_tree_resize(struct vhost_iommu *viommu,
				    struct vhost_iommu_domain *domain,
				    struct vhost_iommu_map *map, u64 start,
				    u64 last)
{
	vhost_iommu_build_drop(viommu, domain, true);
	viommu->mapped_bytes += (last - start) - (map->last - map->start);
	scoped_guard(write_lock, &viommu->xlat_lock)
		vhost_iommu_map_resize(&domain->maps, map, start, last);
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
	INIT_LIST_HEAD(&domain->hwpts);

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
 * @host: The owner's address space can be used, and no group uses an HWPT of the
 *        domain. If not, the IOAS and its HWPTs are left to the iommufd.
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
	vhost_iommu_build_drop(viommu, domain, host);
	if (host)
		vhost_iommu_hwpts_trim(viommu, &domain->hwpts);
	else
		vhost_iommu_hwpts_forget(&domain->hwpts);
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
	domain->nr_devices += !!ep->file;
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
	domain->nr_devices -= !!ep->file;
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
		/* An IOAS finds out by itself */
		if (!vhost_iommu_ram_has(viommu, map->phys,
					 vhost_iommu_map_phys_last(map)))
			return -EINVAL;
	}
	return vhost_iommu_domain_has_room(viommu, domain) ? 0 : -ENOSPC;
}

/*
 * Take a piece off the end of a MAP that is not going to be. Returns 0 when
 * nothing is left of it.
 */
static int vhost_iommu_part_undo(struct vhost_iommu *viommu,
				 struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_part *part = &domain->part;
	struct vhost_iommu_map *map = part->map;
	u64 start;

	if (!map)
		return 0;
	start = max(map->start, map->last & ~(BIT_ULL(map->shift) - 1));
	if (domain->ioas && !domain->stuck &&
	    vhost_iommu_host_unmap(viommu, domain->ioas, start, map->last))
		domain->stuck = true;
	if (domain->ioas && !domain->stuck && start != map->start) {
		vhost_iommu_tree_resize(viommu, domain, map, map->start,
					start - 1);
		return -EAGAIN;
	}
	vhost_iommu_tree_del(viommu, domain, map);
	part->map = NULL;
	return domain->stuck ? -EAGAIN : 0;
}

/* Go on with a MAP; see &vhost_iommu_domain.part */
static int vhost_iommu_part_go_on(struct vhost_iommu *viommu,
				  struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_part *part = &domain->part;
	struct vhost_iommu_map *map = part->map;
	u64 last;
	int rc;

	if (!part->error && !domain->ioas)
		/* Its devices were taken out of use meanwhile */
		part->error = -EIO;
	if (!part->error) {
		last = vhost_iommu_map_piece(map, map->last + 1, part->last);
		rc = vhost_iommu_host_map(viommu, domain->ioas, map,
					  map->last + 1, last);
		if (!rc) {
			vhost_iommu_tree_resize(viommu, domain, map, map->start,
						last);
			if (last != part->last)
				return -EAGAIN;
			part->active = false;
			return VIRTIO_IOMMU_S_OK;
		}
		part->error = rc;
		domain->stuck = rc == -ESTALE;
	}
	rc = vhost_iommu_part_undo(viommu, domain);
	if (rc)
		return rc;
	part->active = false;
	/* It made room for something else, and begins anew */
	if (part->error == -ECANCELED)
		return -EAGAIN;
	return vhost_iommu_errno_to_status(part->error);
}

static bool vhost_iommu_part_is(const struct vhost_iommu_part *part,
				const struct vhost_iommu_req *req)
{
	return req && part->start == req->virt_start &&
	       part->last == req->virt_end &&
	       part->phys == req->phys_start &&
	       part->flags == req->flags;
}

/*
 * Finish what an earlier piece of a request has left: @map is that request, if it
 * is a MAP. Returns 0; -EAGAIN if there is more to do; -EBUSY if that is not for a
 * thread that kicks; or another errno if the domain's devices were taken out of use
 * for it.
 */
static int vhost_iommu_tidy(struct vhost_iommu *viommu,
			    struct vhost_iommu_domain *domain,
			    const struct vhost_iommu_req *map,
			    enum vhost_iommu_server where)
{
	struct vhost_iommu_part *part = &domain->part;
	int rc;

	if (domain->stuck) {
		if (where == VHOST_IOMMU_KICKER)
			return -EBUSY;
		rc = vhost_iommu_domain_recover(viommu, domain);
		if (rc)
			return rc;
	}
	if (!part->active)
		return 0;
	if (where == VHOST_IOMMU_KICKER)
		return -EBUSY;
	if (vhost_iommu_part_is(part, map))
		return 0;
	/* The VMM, or the guest, has put another request in its place */
	part->error = part->error ?: -ECANCELED;
	rc = vhost_iommu_part_undo(viommu, domain);
	if (rc)
		return rc;
	part->active = false;
	return 0;
}

static bool vhost_iommu_is_undone(int rc)
{
	return rc == -EAGAIN || rc == -EBUSY;
}

/* Enter a mapping, or as much of it as is made at a time */
static int vhost_iommu_map_enter(struct vhost_iommu *viommu,
				 struct vhost_iommu_domain *domain,
				 struct vhost_iommu_map *map, bool host)
{
	struct vhost_iommu_part part = {
		.active = true,
		.start = map->start,
		.last = map->last,
		.phys = map->phys,
		.flags = map->flags,
	};
	int rc = 0;

	if (host) {
		map->last = vhost_iommu_map_piece(map, map->start, map->last);
		rc = vhost_iommu_host_map(viommu, domain->ioas, map, map->start,
					  map->last);
	}
	if (!rc)
		rc = vhost_iommu_tree_add(viommu, domain, map);
	if (rc == -ESTALE) {
		domain->stuck = true;
		domain->part = part;
		domain->part.error = rc;
		return -EAGAIN;
	}
	/* The tables that were charged may be there */
	if (rc) {
		domain->unmaps += host;
	} else if (map->last != part.last) {
		domain->part = part;
		domain->part.map = map;
	}
	return rc;
}

/**
 * vhost_iommu_map - Carry out a MAP request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 * @where: Who serves it
 *
 * VIRTIO 1.3, section 5.13.6.5.
 *
 * Context: Whoever serves the request queue, with its mutex held.
 * Return: The status for the guest: unless it is OK, nothing was changed. Or
 * -EAGAIN if it is not done: the same request goes on with it, and another one
 * undoes what was done. Or -EBUSY if that is not for a thread that kicks.
 */
int vhost_iommu_map(struct vhost_iommu *viommu,
		    const struct vhost_iommu_req *req,
		    enum vhost_iommu_server where)
{
	struct vhost_iommu_map *map __free(kfree) = NULL;
	struct vhost_iommu_domain *domain;
	bool host;
	int rc;

	lockdep_assert_held(&viommu->lock);

	domain = xa_load(&viommu->domains, req->domain);
	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	rc = vhost_iommu_tidy(viommu, domain, req, where);
	if (rc)
		return vhost_iommu_is_undone(rc) ? rc : VIRTIO_IOMMU_S_DEVERR;
	if (domain->part.active)
		return vhost_iommu_part_go_on(viommu, domain);

	map = kmalloc_obj(*map, GFP_KERNEL_ACCOUNT);
	if (!map)
		return VIRTIO_IOMMU_S_NOMEM;
	map->start = req->virt_start;
	map->last = req->virt_end;
	map->phys = req->phys_start;
	map->flags = req->flags;
	map->shift = viommu->host.piece_shift;

	rc = vhost_iommu_check_map(viommu, domain, map);
	host = domain->ioas && vhost_iommu_map_in_ioas(map);
	if (!rc && host)
		rc = vhost_iommu_domain_charge(viommu, domain, map, where);
	if (!rc)
		rc = vhost_iommu_map_enter(viommu, domain, map, host);
	if (vhost_iommu_is_undone(rc))
		return rc;
	if (rc)
		return vhost_iommu_errno_to_status(rc);
	retain_and_null_ptr(map);
	return domain->part.active ? -EAGAIN : VIRTIO_IOMMU_S_OK;
}

/* Unmap a number of mappings, or a piece of one; -EAGAIN if that was not all */
static int vhost_iommu_unmap_some(struct vhost_iommu *viommu,
				  struct vhost_iommu_domain *domain, u64 start,
				  u64 last)
{
	u64 host_start = U64_MAX, host_last = 0, bytes = 0;
	struct vhost_iommu_map *map, *next;
	unsigned int nr = 0;

	map = vhost_iommu_map_first(&domain->maps, start, last);
	while (map && map->start <= last &&
	       !(bytes >> viommu->host.piece_shift) &&
	       nr++ < VHOST_IOMMU_PIECE_MAPS) {
		u64 end = map->last;

		if (domain->ioas && vhost_iommu_map_in_ioas(map)) {
			end = vhost_iommu_map_piece(map, map->start, map->last);
			host_start = min(host_start, map->start);
			host_last = end;
			bytes += end - map->start + 1;
		}
		next = vhost_iommu_map_next(map);
		if (end == map->last) {
			vhost_iommu_tree_del(viommu, domain, map);
			map = next;
		} else {
			vhost_iommu_tree_resize(viommu, domain, map, end + 1,
						map->last);
		}
	}
	if (host_start <= host_last &&
	    vhost_iommu_host_unmap(viommu, domain->ioas, host_start,
				   host_last)) {
		domain->stuck = true;
		return -EAGAIN;
	}
	return map && map->start <= last ? -EAGAIN : 0;
}

/**
 * vhost_iommu_unmap - Carry out an UNMAP request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 * @where: Who serves it
 *
 * VIRTIO 1.3, section 5.13.6.6.
 *
 * Return: The status for the guest. If it is OK or DEVERR, no device reaches
 * anything through the range; otherwise nothing was changed. Or -EAGAIN if there
 * is more to unmap, or -EBUSY if that is not for a thread that kicks.
 */
int vhost_iommu_unmap(struct vhost_iommu *viommu,
		      const struct vhost_iommu_req *req,
		      enum vhost_iommu_server where)
{
	u64 start = req->virt_start, last = req->virt_end;
	struct vhost_iommu_domain *domain;
	int rc;

	lockdep_assert_held(&viommu->lock);

	domain = xa_load(&viommu->domains, req->domain);
	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	if (domain->kind != VHOST_IOMMU_PAGING)
		return VIRTIO_IOMMU_S_INVAL;
	rc = vhost_iommu_tidy(viommu, domain, NULL, where);
	if (rc)
		return vhost_iommu_is_undone(rc) ? rc : VIRTIO_IOMMU_S_DEVERR;
	if (vhost_iommu_map_splits(&domain->maps, start, last))
		return VIRTIO_IOMMU_S_RANGE;
	rc = vhost_iommu_unmap_some(viommu, domain, start, last);
	return rc == -EAGAIN ? rc : VIRTIO_IOMMU_S_OK;
}

/**
 * vhost_iommu_domain_drain - Unmap what a domain has, before it ends
 * @viommu: The device
 * @domain: A domain whose last endpoint is about to leave
 *
 * An IOAS takes as long to go as it has mappings.
 *
 * Return: 0 if few enough are left, or -EAGAIN.
 */
int vhost_iommu_domain_drain(struct vhost_iommu *viommu,
			     struct vhost_iommu_domain *domain)
{
	lockdep_assert_held(&viommu->lock);

	if (domain->stuck ||
	    (domain->maps.count <= VHOST_IOMMU_PIECE_MAPS &&
	     domain->maps.bytes >> viommu->host.piece_shift <=
	     VHOST_IOMMU_PIECE_MAPS))
		return 0;
	domain->drained = true;
	/* Goes with the rest */
	domain->part.active = false;
	vhost_iommu_unmap_some(viommu, domain, 0, U64_MAX);
	return -EAGAIN;
}

/* What is left of the piece that a cut goes through is mapped again */
static int vhost_iommu_remap(struct vhost_iommu *viommu,
			     struct vhost_iommu_domain *domain, bool host,
			     const struct vhost_iommu_map *map, u64 start,
			     u64 last)
{
	if (!host || domain->stuck || start > last)
		return 0;
	return vhost_iommu_host_map(viommu, domain->ioas, map, start, last);
}

/*
 * Take guest-physical [@start, @last] out of the first piece of a mapping that
 * overlaps it. What has to be in the tree is there whatever fails; an IOAS that
 * does not follow is stuck.
 */
static int vhost_iommu_cut(struct vhost_iommu *viommu,
			   struct vhost_iommu_domain *domain,
			   struct vhost_iommu_map *map, u64 start, u64 last)
{
	bool host = domain->ioas && vhost_iommu_map_in_ioas(map);
	struct vhost_iommu_map *right __free(kfree) = NULL;
	struct vhost_iommu_map whole = *map;
	u64 from, to, first, end;
	int rc = 0, rc2;

	/* What goes, and the piece that it begins in */
	from = map->start + (max(map->phys, start) - map->phys);
	to = map->start + (min(vhost_iommu_map_phys_last(map), last) -
			   map->phys);
	first = map->start;
	end = map->last;
	if (host) {
		first = max(first, from & ~(BIT_ULL(map->shift) - 1));
		end = vhost_iommu_map_piece(map, from, map->last);
		to = min(to, end);
	}
	if (to != map->last) {
		right = kmalloc_obj(*right, GFP_KERNEL_ACCOUNT);
		if (!right)
			rc = -ENOMEM;
	}

	if (host && vhost_iommu_host_unmap(viommu, domain->ioas, first, end))
		domain->stuck = true;
	if (from != first) {
		rc2 = vhost_iommu_remap(viommu, domain, host, &whole, first,
					from - 1);
		rc = rc ?: rc2;
		if (rc2)
			from = first;
		domain->stuck |= rc2 == -ESTALE;
	}
	/* Without memory for it, what is to the right goes, too */
	if (!right && to != whole.last) {
		if (host && end != whole.last)
			domain->stuck = true;
		to = whole.last;
	} else if (to != whole.last) {
		rc2 = to == end ? 0 :
		      vhost_iommu_remap(viommu, domain, host, &whole, to + 1,
					end);
		rc = rc ?: rc2;
		if (rc2)
			to = end;
		domain->stuck |= rc2 == -ESTALE;
	}

	if (from == whole.start)
		vhost_iommu_tree_del(viommu, domain, map);
	else
		vhost_iommu_tree_resize(viommu, domain, map, whole.start,
					from - 1);
	if (right && to != whole.last) {
		*right = whole;
		right->start = to + 1;
		right->phys = whole.phys + (to + 1 - whole.start);
		if (!vhost_iommu_tree_add(viommu, domain, right))
			retain_and_null_ptr(right);
	}
	return rc;
}

/* Returns -EAGAIN, or 0 if the domain has nothing of the range any more */
static int vhost_iommu_remove_some(struct vhost_iommu *viommu,
				   struct vhost_iommu_domain *domain,
				   struct vhost_iommu_removal *r)
{
	struct vhost_iommu_map *map;
	unsigned int nr = 0;
	u64 end;
	int rc;

	rc = vhost_iommu_tidy(viommu, domain, NULL, VHOST_IOMMU_WORKER);
	if (rc == -EAGAIN)
		return rc;
	r->rc = r->rc ?: rc;
	map = vhost_iommu_map_first(&domain->maps, r->at, U64_MAX);
	for (; map; map = vhost_iommu_map_next(map)) {
		if (nr++ == VHOST_IOMMU_PIECE_MAPS) {
			r->at = map->start;
			return -EAGAIN;
		}
		if (map->flags & VIRTIO_IOMMU_MAP_F_MMIO ||
		    map->phys > r->last ||
		    vhost_iommu_map_phys_last(map) < r->start)
			continue;
		r->at = map->start;
		end = map->start - map->phys +
		      min(vhost_iommu_map_phys_last(map), r->last);
		rc = vhost_iommu_cut(viommu, domain, map, r->start, r->last);
		r->rc = r->rc ?: rc;
		/* Counted once, in however many pieces it goes: with the last */
		r->count += !vhost_iommu_map_first(&domain->maps, end, end);
		return -EAGAIN;
	}
	return 0;
}

/**
 * vhost_iommu_remove_ram - Remove mappings of a guest-physical range
 * @viommu: The device
 * @r: The range, and how far this is
 *
 * Context: ioctl of the owner.
 * Return: 0, or -EAGAIN if there is more to do. When that ends, no domain
 * reaches the range, whatever &vhost_iommu_removal.rc says; but after an error
 * some of what was mapped outside of it may be gone, too.
 */
int vhost_iommu_remove_ram(struct vhost_iommu *viommu,
			   struct vhost_iommu_removal *r)
{
	struct vhost_iommu_domain *domain;

	lockdep_assert_held(&viommu->lock);

	domain = xa_find(&viommu->domains, &r->domain, U32_MAX, XA_PRESENT);
	if (!domain)
		return 0;
	if (domain->id != r->current_id) {
		r->current_id = domain->id;
		r->at = 0;
	}
	if (!vhost_iommu_remove_some(viommu, domain, r)) {
		r->domain++;
		r->at = 0;
	}
	return -EAGAIN;
}
