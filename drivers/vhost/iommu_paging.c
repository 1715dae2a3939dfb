// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: MAP, UNMAP, and memory that goes
 *
 * A domain's tree says what is mapped; the IOAS follows. A MAP enters the tree
 * when the IOAS has it. An UNMAP leaves the tree first, and an IOAS that does
 * not follow is stuck: it is replaced by a new one that is filled from the tree;
 * when even that fails, the domain's devices are detached from any page table.
 * So what is not in the tree is never reachable once the guest has its answer.
 *
 * Requests for different domains run beside each other: MAP and UNMAP take the lock of
 * their domain. What moves devices or ends a domain needs the device for itself, and
 * so does what is rare: -EBUSY says that the request is for who is alone.
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

/* See &vhost_iommu_vhost.untold; with &vhost_iommu.xlat_lock held for writing */
static void vhost_iommu_tree_untell(struct vhost_iommu *viommu,
				    struct vhost_iommu_map *map)
{
	if (map->clients)
		vhost_iommu_clients_untell(viommu, map);
	map->clients = 0;
}

/*
 * vhost devices forget what is gone before anybody is answered who relies on it: for a
 * request that is when the replies of its batch are published. Who finds nothing to
 * unmap, or room to map, may owe that to another queue, which is not that far yet.
 */
static void vhost_iommu_tree_forget(struct vhost_iommu *viommu,
				    const struct vhost_iommu_caller *by)
{
	unsigned long untold = READ_ONCE(viommu->vhost.untold);

	if (!untold)
		return;
	if (by->rq)
		by->rq->untold |= untold;
	else
		vhost_iommu_clients_forget(viommu, untold);
}

/*
 * What the reply waits for, if entries of the log were written since @since. For an UNMAP
 * that is any of the domain: what it does not find, another queue may have unmapped, whose
 * reply waits.
 */
static void vhost_iommu_tree_settle(struct vhost_iommu *viommu,
				    const struct vhost_iommu_domain *domain,
				    const struct vhost_iommu_caller *by,
				    u64 since)
{
	u64 await = READ_ONCE(domain->await);

	if (await > since)
		by->rq->await = max(by->rq->await, await);
	vhost_iommu_tree_forget(viommu, by);
}

static int vhost_iommu_tree_add(struct vhost_iommu *viommu,
				struct vhost_iommu_domain *domain,
				struct vhost_iommu_map *map)
{
	int rc;

	vhost_iommu_build_drop(viommu, domain, true);
	map->clients = 0;
	scoped_guard(write_lock, &viommu->xlat_lock) {
		rc = vhost_iommu_map_insert(&domain->maps, map);
		if (!rc && READ_ONCE(viommu->vhost.nr))
			domain->recent[domain->nr_recent++ % VHOST_IOMMU_RECENT] =
				map->start;
	}
	if (!rc) {
		atomic64_inc(&viommu->mappings);
		atomic64_add(map->last - map->start + 1, &viommu->mapped_bytes);
	}
	return rc;
}

static void vhost_iommu_tree_del(struct vhost_iommu *viommu,
				 struct vhost_iommu_domain *domain,
				 struct vhost_iommu_map *map)
{
	vhost_iommu_build_drop(viommu, domain, true);
	scoped_guard(write_lock, &viommu->xlat_lock) {
		vhost_iommu_map_erase(&domain->maps, map);
		vhost_iommu_tree_untell(viommu, map);
		vhost_iommu_log_unmap(viommu, domain, map->start, map->last);
	}
	atomic64_dec(&viommu->mappings);
	atomic64_sub(map->last - map->start + 1, &viommu->mapped_bytes);
	domain->unmaps++;
	kfree(map);
}

static void vhost_iommu_tree_resize(struct vhost_iommu *viommu,
				    struct vhost_iommu_domain *domain,
				    struct vhost_iommu_map *map, u64 start,
				    u64 last)
{
	vhost_iommu_build_drop(viommu, domain, true);
	atomic64_add((last - start) - (map->last - map->start),
		     &viommu->mapped_bytes);
	scoped_guard(write_lock, &viommu->xlat_lock) {
		/* What was told of the mapping before is about all of it */
		if (start > map->start || last < map->last) {
			vhost_iommu_log_unmap(viommu, domain, map->start,
					      map->last);
			vhost_iommu_tree_untell(viommu, map);
		}
		vhost_iommu_map_resize(&domain->maps, map, start, last);
	}
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
	if (vhost_iommu_domain_reserves(domain, map->start, map->last))
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
				 struct vhost_iommu_domain *domain,
				 const struct vhost_iommu_caller *by)
{
	struct vhost_iommu_part *part = &domain->part;
	struct vhost_iommu_map *map = part->map;
	u64 start;

	if (!map)
		return 0;
	start = max(map->start, map->last & ~(BIT_ULL(map->shift) - 1));
	if (domain->ioas && !domain->stuck &&
	    vhost_iommu_host_unmap(viommu, domain->ioas, start, map->last, by))
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
				  struct vhost_iommu_domain *domain,
				  const struct vhost_iommu_caller *by)
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
					  map->last + 1, last, by);
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
	rc = vhost_iommu_part_undo(viommu, domain, by);
	if (rc)
		return rc;
	part->active = false;
	/* It made room for something else, and begins anew */
	if (part->error == -ECANCELED)
		return -EAGAIN;
	return vhost_iommu_errno_to_status(part->error);
}

static bool vhost_iommu_part_is(const struct vhost_iommu_part *part,
				const struct vhost_iommu_req *req,
				const struct vhost_iommu_caller *by)
{
	return req && part->owner == by->rq && part->start == req->virt_start &&
	       part->last == req->virt_end &&
	       part->phys == req->phys_start &&
	       part->flags == req->flags;
}

/*
 * Another queue is in the middle of it. As long as that is served it comes back, and
 * either goes on or takes up something else.
 */
static bool vhost_iommu_part_is_others(const struct vhost_iommu_part *part,
				       const struct vhost_iommu_caller *by)
{
	const struct vhost_iommu_rq *owner = part->owner;

	return by->rq && owner && owner != by->rq &&
	       vhost_iommu_is_midway(owner);
}

/*
 * Finish what an earlier piece of a request has left: @map is that request, if it
 * is a MAP. Returns 0; -EAGAIN if there is more to do; -EBUSY if that is for who is
 * alone, or not for a thread that kicks; -EINPROGRESS if another queue has to be served
 * first; or another errno if the domain's devices were taken out of use for it.
 */
static int vhost_iommu_tidy(struct vhost_iommu *viommu,
			    struct vhost_iommu_domain *domain,
			    const struct vhost_iommu_req *map,
			    const struct vhost_iommu_caller *by)
{
	struct vhost_iommu_part *part = &domain->part;
	int rc;

	/* What is built would be in vain, and its IOAS has to go */
	if (!by->alone && (domain->stuck || domain->build.active))
		return -EBUSY;
	if (domain->stuck) {
		rc = vhost_iommu_domain_recover(viommu, domain);
		if (rc)
			return rc;
	}
	if (!part->active)
		return 0;
	if (by->where == VHOST_IOMMU_KICKER)
		return -EBUSY;
	if (vhost_iommu_part_is(part, map, by))
		return 0;
	if (vhost_iommu_part_is_others(part, by)) {
		part->awaited = true;
		return -EINPROGRESS;
	}
	/* The VMM, or the guest, has put another request in its place */
	part->error = part->error ?: -ECANCELED;
	rc = vhost_iommu_part_undo(viommu, domain, by);
	if (rc)
		return rc;
	part->active = false;
	return 0;
}

static bool vhost_iommu_is_undone(int rc)
{
	return rc == -EAGAIN || rc == -EBUSY || rc == -EINPROGRESS;
}

/* Enter a mapping, or as much of it as is made at a time */
static int vhost_iommu_map_enter(struct vhost_iommu *viommu,
				 struct vhost_iommu_domain *domain,
				 struct vhost_iommu_map *map, bool host,
				 const struct vhost_iommu_caller *by)
{
	struct vhost_iommu_part part = {
		.active = true,
		.owner = by->rq,
		.start = map->start,
		.last = map->last,
		.phys = map->phys,
		.flags = map->flags,
	};
	int rc = 0;

	if (host) {
		map->last = vhost_iommu_map_piece(map, map->start, map->last);
		rc = vhost_iommu_host_map(viommu, domain->ioas, map, map->start,
					  map->last, by);
	}
	/* It begins anew, with what may be there out of the way */
	if (vhost_iommu_is_for_worker(by, rc)) {
		vhost_iommu_domain_doubt(domain, map->start, map->last);
		/* The tables that were charged may be there, and the MAP not come again */
		domain->unmaps++;
		return -EBUSY;
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

static int vhost_iommu_map_in(struct vhost_iommu *viommu,
			      struct vhost_iommu_domain *domain,
			      const struct vhost_iommu_req *req,
			      const struct vhost_iommu_caller *by)
{
	struct vhost_iommu_map *map __free(kfree) = NULL;
	bool host;
	int rc;

	rc = vhost_iommu_tidy(viommu, domain, req, by);
	if (rc)
		return vhost_iommu_is_undone(rc) ? rc : VIRTIO_IOMMU_S_DEVERR;
	if (domain->part.active)
		return vhost_iommu_part_go_on(viommu, domain, by);

	map = kmalloc_obj(*map, GFP_KERNEL_ACCOUNT);
	if (!map)
		return VIRTIO_IOMMU_S_NOMEM;
	map->start = req->virt_start;
	map->last = req->virt_end;
	map->phys = req->phys_start;
	map->flags = req->flags;
	map->shift = READ_ONCE(viommu->host.piece_shift);

	rc = vhost_iommu_check_map(viommu, domain, map);
	host = domain->ioas && vhost_iommu_map_in_ioas(map);
	if (!rc && host)
		rc = vhost_iommu_domain_charge(viommu, domain, map, by);
	if (!rc)
		rc = vhost_iommu_map_enter(viommu, domain, map, host, by);
	if (vhost_iommu_is_undone(rc))
		return rc;
	if (rc)
		return vhost_iommu_errno_to_status(rc);
	retain_and_null_ptr(map);
	return domain->part.active ? -EAGAIN : VIRTIO_IOMMU_S_OK;
}

/*
 * Who is alone has nobody to keep out. A thread that kicks can be called back, and looks
 * once more for the scratch area, as it may have waited for long.
 */
static int vhost_iommu_domain_lock(struct vhost_iommu *viommu,
				   struct vhost_iommu_domain *domain,
				   const struct vhost_iommu_caller *by)
{
	if (by->alone)
		return 0;
	if (by->where != VHOST_IOMMU_KICKER)
		return mutex_lock_killable(&domain->lock) ? -EAGAIN : 0;
	if (mutex_trylock(&domain->lock))
		return 0;
	if (mutex_lock_interruptible(&domain->lock))
		return -EAGAIN;
	if (vhost_iommu_host_is_ready(viommu, by))
		return 0;
	mutex_unlock(&domain->lock);
	return -EBUSY;
}

static void vhost_iommu_domain_unlock(struct vhost_iommu_domain *domain,
				      const struct vhost_iommu_caller *by)
{
	if (!by->alone)
		mutex_unlock(&domain->lock);
}

/**
 * vhost_iommu_map - Carry out a MAP request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 * @by: Who serves it
 *
 * VIRTIO 1.3, section 5.13.6.5.
 *
 * Context: Whoever serves the request queue, with its mutex held.
 * Return: The status for the guest: unless it is OK, nothing was changed. Or
 * -EAGAIN if it is not done: the same request goes on with it, and another one
 * undoes what was done. Or -EBUSY if that is for who is alone, or not for a thread
 * that kicks. Or -EINPROGRESS if another queue has to be served first.
 */
int vhost_iommu_map(struct vhost_iommu *viommu,
		    const struct vhost_iommu_req *req,
		    const struct vhost_iommu_caller *by)
{
	struct vhost_iommu_domain *domain;
	u64 since;
	int rc;

	lockdep_assert_held(&viommu->lock);

	domain = xa_load(&viommu->domains, req->domain);
	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	rc = vhost_iommu_domain_lock(viommu, domain, by);
	if (rc)
		return rc;
	since = domain->await;
	rc = vhost_iommu_map_in(viommu, domain, req, by);
	if (domain->part.awaited && !domain->part.active) {
		domain->part.awaited = false;
		vhost_iommu_give_way(by->rq);
	}
	if (domain->part.active && domain->part.owner == by->rq)
		WRITE_ONCE(by->rq->midway, VIRTIO_IOMMU_T_MAP);
	else if (viommu->holder != by->rq)
		WRITE_ONCE(by->rq->midway, 0);
	vhost_iommu_tree_settle(viommu, domain, by, since);
	vhost_iommu_clients_mapped(viommu);
	vhost_iommu_domain_unlock(domain, by);
	return rc;
}

/* Unmap a number of mappings, or a piece of one; -EAGAIN if that was not all */
static int vhost_iommu_unmap_some(struct vhost_iommu *viommu,
				  struct vhost_iommu_domain *domain, u64 start,
				  u64 last, const struct vhost_iommu_caller *by)
{
	u64 host_start = U64_MAX, host_last = 0, bytes = 0;
	struct vhost_iommu_map *map, *next;
	unsigned int nr = 0;
	int rc = 0;

	map = vhost_iommu_map_first(&domain->maps, start, last);
	while (map && map->start <= last &&
	       !(bytes >> READ_ONCE(viommu->host.piece_shift)) &&
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
	if (host_start <= host_last)
		rc = vhost_iommu_host_unmap(viommu, domain->ioas, host_start,
					    host_last, by);
	if (rc) {
		domain->stuck = true;
		if (vhost_iommu_is_for_worker(by, rc))
			vhost_iommu_domain_doubt(domain, host_start, host_last);
		return -EAGAIN;
	}
	return map && map->start <= last ? -EAGAIN : 0;
}

static int vhost_iommu_unmap_in(struct vhost_iommu *viommu,
				struct vhost_iommu_domain *domain, u64 start,
				u64 last, const struct vhost_iommu_caller *by)
{
	int rc = vhost_iommu_tidy(viommu, domain, NULL, by);

	if (rc)
		return vhost_iommu_is_undone(rc) ? rc : VIRTIO_IOMMU_S_DEVERR;
	if (vhost_iommu_map_splits(&domain->maps, start, last))
		return VIRTIO_IOMMU_S_RANGE;
	rc = vhost_iommu_unmap_some(viommu, domain, start, last, by);
	return rc == -EAGAIN ? rc : VIRTIO_IOMMU_S_OK;
}

/**
 * vhost_iommu_unmap - Carry out an UNMAP request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 * @by: Who serves it
 *
 * VIRTIO 1.3, section 5.13.6.6.
 *
 * Return: The status for the guest. If it is OK or DEVERR, no device reaches
 * anything through the range, but for what another queue has mapped there meanwhile;
 * otherwise nothing was changed, or that is in the way of what was not done yet. Or
 * -EAGAIN if there is more to unmap, -EBUSY if that is for who is alone, or not for a
 * thread that kicks, or -EINPROGRESS if another queue has to be served first.
 */
int vhost_iommu_unmap(struct vhost_iommu *viommu,
		      const struct vhost_iommu_req *req,
		      const struct vhost_iommu_caller *by)
{
	struct vhost_iommu_domain *domain;
	int rc;

	lockdep_assert_held(&viommu->lock);

	domain = xa_load(&viommu->domains, req->domain);
	if (!domain) {
		/* Another queue may have ended it, whose reply waits */
		by->rq->await = max(by->rq->await, vhost_iommu_log_moved(viommu));
		return VIRTIO_IOMMU_S_NOENT;
	}
	if (domain->kind != VHOST_IOMMU_PAGING)
		return VIRTIO_IOMMU_S_INVAL;
	rc = vhost_iommu_domain_lock(viommu, domain, by);
	if (rc)
		return rc;
	rc = vhost_iommu_unmap_in(viommu, domain, req->virt_start,
				  req->virt_end, by);
	vhost_iommu_tree_settle(viommu, domain, by, 0);
	vhost_iommu_domain_unlock(domain, by);
	return rc;
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
	lockdep_assert_held_write(&viommu->lock);

	/* A thread that kicks has left that, and the host may be well */
	if (domain->doubt)
		vhost_iommu_domain_clear(viommu, domain);
	if (domain->stuck ||
	    (domain->maps.count <= VHOST_IOMMU_PIECE_MAPS &&
	     domain->maps.bytes >> viommu->host.piece_shift <=
	     VHOST_IOMMU_PIECE_MAPS))
		return 0;
	domain->drained = true;
	/* Another queue's: it begins anew, as long as the domain is there */
	if (domain->part.active) {
		domain->part.error = domain->part.error ?: -ECANCELED;
		if (!vhost_iommu_part_undo(viommu, domain, &vhost_iommu_alone))
			domain->part.active = false;
	} else {
		vhost_iommu_unmap_some(viommu, domain, 0, U64_MAX,
				       &vhost_iommu_alone);
	}
	vhost_iommu_tree_forget(viommu, &vhost_iommu_alone);
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
	return vhost_iommu_host_map(viommu, domain->ioas, map, start, last,
				    &vhost_iommu_alone);
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

	if (host && vhost_iommu_host_unmap(viommu, domain->ioas, first, end,
					   &vhost_iommu_alone))
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

	rc = vhost_iommu_tidy(viommu, domain, NULL, &vhost_iommu_alone);
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

	lockdep_assert_held_write(&viommu->lock);

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
	/* What requests have removed that are not answered yet goes with it */
	vhost_iommu_tree_forget(viommu, &vhost_iommu_alone);
	/* What is left of a mapping was not there for a moment */
	vhost_iommu_clients_mapped(viommu);
	return -EAGAIN;
}
