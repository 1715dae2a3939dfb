// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: the IOAS of a domain
 *
 * A domain's tree says what is mapped; its IOAS follows. Where it can't, or has
 * page tables that nothing needs any more, a new one is filled from the tree and
 * put in its place.
 *
 * That takes as long as the guest has mappings, so it goes in pieces: -EAGAIN
 * says that there is more to do, and whoever asked asks again. What has been
 * built is dropped when the tree changes in between.
 */
#include "iommu.h"

/* Mappings that are looked at in one piece of work, and that are made */
#define VHOST_IOMMU_COUNT_MAPS		4096

/**
 * vhost_iommu_map_in_ioas - Tell whether a mapping is one of the IOAS, too
 * @map: The mapping
 *
 * MMIO mappings and those without a permission exist in the tree only.
 *
 * Return: true if devices reach memory through it.
 */
bool vhost_iommu_map_in_ioas(const struct vhost_iommu_map *map)
{
	return !(map->flags & VIRTIO_IOMMU_MAP_F_MMIO) &&
	       map->flags & (VIRTIO_IOMMU_MAP_F_READ |
			     VIRTIO_IOMMU_MAP_F_WRITE);
}

static void vhost_iommu_tables_set(struct vhost_iommu *viommu,
				   struct vhost_iommu_domain *domain,
				   struct vhost_iommu_tables *tables)
{
	u64 before = vhost_iommu_tables_pages(&domain->tables);

	vhost_iommu_tables_clear(&domain->tables);
	domain->tables = *tables;
	vhost_iommu_tables_init(tables);
	atomic64_add(vhost_iommu_tables_pages(&domain->tables) - before,
		     &viommu->table_pages);
}

/**
 * vhost_iommu_build_drop - Give up an IOAS that is being filled
 * @viommu: The device
 * @domain: The domain
 * @host: The owner's address space can be used
 *
 * The domain goes on with the one it has.
 */
void vhost_iommu_build_drop(struct vhost_iommu *viommu,
			    struct vhost_iommu_domain *domain, bool host)
{
	struct vhost_iommu_build *build = &domain->build;

	if (!build->active)
		return;
	lockdep_assert_held_write(&viommu->lock);

	if (host && build->ioas)
		vhost_iommu_host_destroy(viommu, build->ioas);
	vhost_iommu_tables_clear(&build->tables);
	memset(build, 0, sizeof(*build));
}

/* Find out what page tables the mappings need */
static int vhost_iommu_build_count(struct vhost_iommu *viommu,
				   struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_build *build = &domain->build;
	struct vhost_iommu_map *map;
	unsigned int nr = 0;
	int rc;

	if (!build->active) {
		vhost_iommu_tables_init(&build->tables);
		build->active = true;
	}
	if (build->counted)
		return 0;
	map = vhost_iommu_map_first(&domain->maps, build->at, U64_MAX);
	for (; map; map = vhost_iommu_map_next(map)) {
		if (nr++ == VHOST_IOMMU_COUNT_MAPS) {
			build->at = map->start;
			return -EAGAIN;
		}
		if (!vhost_iommu_map_in_ioas(map))
			continue;
		rc = vhost_iommu_tables_touch(&build->tables, map->start,
					      map->last, GFP_KERNEL_ACCOUNT);
		if (rc) {
			vhost_iommu_build_drop(viommu, domain, true);
			return rc;
		}
	}
	build->counted = true;
	build->at = 0;
	return 0;
}

static int vhost_iommu_build_copy(struct vhost_iommu *viommu,
				  struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_build *build = &domain->build;
	struct vhost_iommu_map *map;
	unsigned int nr = 0;
	u64 bytes = 0, last;
	int rc;

	map = vhost_iommu_map_first(&domain->maps, build->at, U64_MAX);
	while (map) {
		u64 start = max(map->start, build->at);

		if (nr++ == VHOST_IOMMU_PIECE_MAPS ||
		    bytes >> viommu->host.piece_shift)
			return -EAGAIN;
		last = map->last;
		if (vhost_iommu_map_in_ioas(map)) {
			last = vhost_iommu_map_piece(map, start, map->last);
			rc = vhost_iommu_host_map(viommu, build->ioas, map,
						  start, last,
						  &vhost_iommu_alone);
			if (rc)
				return rc;
			bytes += last - start + 1;
		}
		if (last == map->last)
			map = vhost_iommu_map_next(map);
		/* There is no further mapping where this overflows */
		build->at = last + 1;
	}
	return 0;
}

/*
 * Fill the new IOAS, and move the devices over, one group after the other. One
 * that can't be moved is detached from any page table. An error means that
 * nothing was changed.
 */
static int vhost_iommu_build_finish(struct vhost_iommu *viommu,
				    struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_build *build = &domain->build;
	struct vhost_iommu_endpoint *ep, *device;
	int rc = 0;

	if (!build->ioas)
		rc = vhost_iommu_host_ioas_alloc(viommu, &build->ioas);
	if (!rc)
		rc = vhost_iommu_build_copy(viommu, domain);
	if (rc == -EAGAIN)
		return rc;
	if (rc) {
		vhost_iommu_build_drop(viommu, domain, true);
		return rc;
	}

	list_for_each_entry(ep, &domain->endpoints, domain_node) {
		struct vhost_iommu_group *group = ep->group;

		/* All of a group move with the first of them */
		device = vhost_iommu_group_device(group);
		if (group->hw == domain && device &&
		    vhost_iommu_group_enter_ioas(viommu, group, device,
						 &domain->hwpts, build->ioas,
						 true))
			vhost_iommu_group_condemn(viommu, group);
	}
	vhost_iommu_hwpts_trim(viommu, &domain->hwpts);
	if (domain->ioas) {
		vhost_iommu_host_destroy(viommu, domain->ioas);
		viommu->rebuilds++;
	}
	domain->ioas = build->ioas;
	domain->unmaps = 0;
	vhost_iommu_tables_set(viommu, domain, &build->tables);
	memset(build, 0, sizeof(*build));
	return 0;
}

/**
 * vhost_iommu_domain_doubt - Note that an IOAS may hold more than is mapped
 * @domain: The domain
 * @start: First IOVA of what it may hold
 * @last: Last IOVA; the range splits no mapping
 *
 * For a thread that kicks, which could not find out.
 */
void vhost_iommu_domain_doubt(struct vhost_iommu_domain *domain, u64 start,
			      u64 last)
{
	lockdep_assert_held(&domain->lock);

	domain->stuck = true;
	domain->doubt = true;
	domain->doubt_start = start;
	domain->doubt_last = last;
}

/**
 * vhost_iommu_domain_clear - Remove what vhost_iommu_domain_doubt() is about
 * @viommu: The device
 * @domain: The domain, in doubt
 *
 * Return: true if the IOAS has no more than is mapped; it is stuck otherwise.
 */
bool vhost_iommu_domain_clear(struct vhost_iommu *viommu,
			      struct vhost_iommu_domain *domain)
{
	lockdep_assert_held_write(&viommu->lock);

	domain->doubt = false;
	domain->stuck = vhost_iommu_host_clear(viommu, domain->ioas,
					       domain->doubt_start,
					       domain->doubt_last,
					       &vhost_iommu_alone);
	return !domain->stuck;
}

/**
 * vhost_iommu_domain_recover - Get rid of what is in the IOAS, but not mapped
 * @viommu: The device
 * @domain: The domain; &vhost_iommu_domain.stuck says whether it is so
 *
 * Return: 0 if devices work on without it; -EAGAIN if there is more to do; or
 * another errno if they were taken out of use.
 */
int vhost_iommu_domain_recover(struct vhost_iommu *viommu,
			       struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_endpoint *ep;
	struct vhost_iommu_tables none;
	int rc;

	lockdep_assert_held_write(&viommu->lock);

	if (!domain->stuck)
		return 0;
	if (domain->doubt && vhost_iommu_domain_clear(viommu, domain))
		return 0;
	rc = vhost_iommu_build_count(viommu, domain) ?:
	     vhost_iommu_build_finish(viommu, domain);
	if (rc == -EAGAIN)
		return rc;
	domain->stuck = false;
	if (!rc)
		return 0;

	list_for_each_entry(ep, &domain->endpoints, domain_node)
		if (ep->group->hw == domain)
			vhost_iommu_group_condemn(viommu, ep->group);
	vhost_iommu_hwpts_trim(viommu, &domain->hwpts);
	vhost_iommu_host_destroy(viommu, domain->ioas);
	domain->ioas = 0;
	vhost_iommu_tables_init(&none);
	vhost_iommu_tables_set(viommu, domain, &none);
	return rc;
}

/*
 * Each device has an equal share of what the VMM allows, and a domain those of
 * its devices: no domain can use up what others need.
 */
static u64 vhost_iommu_share(const struct vhost_iommu *viommu,
			     const struct vhost_iommu_domain *domain, u64 limit)
{
	if (viommu->nr_devices <= 1)
		return limit;
	return limit / viommu->nr_devices * max(domain->nr_devices, 1);
}

/**
 * vhost_iommu_domain_has_room - Tell whether one more mapping is allowed
 * @viommu: The device
 * @domain: The domain
 *
 * Return: true if it is.
 */
bool vhost_iommu_domain_has_room(const struct vhost_iommu *viommu,
				 const struct vhost_iommu_domain *domain)
{
	u64 limit = READ_ONCE(viommu->max_mappings), bound;

	if (domain->maps.count >= viommu->max_domain_mappings)
		return false;
	/*
	 * Any number of domains can be without devices, some of which had one before: what
	 * they have together is bounded, while a device keeps its share beside that. Each
	 * request queue can be one above.
	 */
	bound = domain->nr_devices ? 2 * limit : limit;
	if (atomic64_read(&viommu->mappings) >= bound)
		return false;
	return !viommu->nr_devices ||
	       domain->maps.count < vhost_iommu_share(viommu, domain, limit);
}

static u64 vhost_iommu_tables_limit(const struct vhost_iommu *viommu,
				    const struct vhost_iommu_domain *domain)
{
	return min(vhost_iommu_share(viommu, domain, viommu->max_table_pages),
		   viommu->max_domain_table_pages);
}

static bool vhost_iommu_tables_fit(const struct vhost_iommu *viommu,
				   const struct vhost_iommu_domain *domain,
				   u64 pages)
{
	u64 limit = vhost_iommu_tables_limit(viommu, domain);
	u64 used = vhost_iommu_tables_pages(&domain->tables);

	return used <= limit && pages <= limit - used;
}

/*
 * Free page tables that no mapping uses any more by rebuilding the domain.
 * A look costs a walk over the mappings and a rebuild a COPY for each piece, so
 * there have to be a quarter as many UNMAPs before either is worth it: the
 * cost per request stays constant. Returns 0, or -EAGAIN.
 */
static int vhost_iommu_reclaim(struct vhost_iommu *viommu,
			       struct vhost_iommu_domain *domain, u64 pages)
{
	struct vhost_iommu_build *build = &domain->build;
	u64 pieces = domain->maps.bytes >> viommu->host.piece_shift;
	u64 stale;
	int rc;

	if (!build->active &&
	    domain->unmaps <= max(domain->maps.count, pieces) / 4)
		return 0;
	rc = vhost_iommu_build_count(viommu, domain);
	if (rc == -EAGAIN)
		return rc;
	stale = vhost_iommu_tables_pages(&domain->tables) -
		vhost_iommu_tables_pages(&build->tables);
	if (!rc && stale >= pages) {
		rc = vhost_iommu_build_finish(viommu, domain);
		if (rc == -EAGAIN)
			return rc;
	}
	/* One that is dropped by others, in the middle of it, begins anew */
	vhost_iommu_build_drop(viommu, domain, true);
	domain->unmaps = 0;
	return 0;
}

/**
 * vhost_iommu_domain_is_rebuilt - Tell whether a domain's IOAS is being replaced
 * @viommu: The device
 * @id: Domain ID
 *
 * Return: true if it is, or has to be; false if there is no such domain, too.
 */
bool vhost_iommu_domain_is_rebuilt(struct vhost_iommu *viommu, u32 id)
{
	const struct vhost_iommu_domain *domain;

	lockdep_assert_held_write(&viommu->lock);

	domain = xa_load(&viommu->domains, id);
	return domain && (domain->stuck || domain->build.active);
}

/**
 * vhost_iommu_domain_charge - Account for the page tables of a mapping
 * @viommu: The device
 * @domain: The domain, which has an IOAS
 * @map: The mapping
 * @by: Who asks
 *
 * Return: 0; -EAGAIN if there is more to do; -EBUSY if that is for who is alone;
 * -ENOSPC or -ENOMEM.
 */
int vhost_iommu_domain_charge(struct vhost_iommu *viommu,
			      struct vhost_iommu_domain *domain,
			      const struct vhost_iommu_map *map,
			      const struct vhost_iommu_caller *by)
{
	u64 pages, before;
	int rc;

	lockdep_assert_held(&viommu->lock);

	/* A guest could ask for that again and again: without a walk */
	if (vhost_iommu_tables_least(map->start, map->last) >
	    vhost_iommu_tables_limit(viommu, domain))
		return -ENOSPC;
	pages = vhost_iommu_tables_missing(&domain->tables, map->start,
					   map->last);
	if (!pages)
		return 0;
	if (!vhost_iommu_tables_fit(viommu, domain, pages)) {
		if (!by->alone)
			return -EBUSY;
		rc = vhost_iommu_reclaim(viommu, domain, pages);
		if (rc)
			return rc;
		pages = vhost_iommu_tables_missing(&domain->tables, map->start,
						   map->last);
		if (!vhost_iommu_tables_fit(viommu, domain, pages))
			return -ENOSPC;
	}

	before = vhost_iommu_tables_pages(&domain->tables);
	rc = vhost_iommu_tables_touch(&domain->tables, map->start, map->last,
				      GFP_KERNEL_ACCOUNT);
	atomic64_add(vhost_iommu_tables_pages(&domain->tables) - before,
		     &viommu->table_pages);
	return rc;
}

/**
 * vhost_iommu_domain_set_device - Make a domain ready for a device
 * @viommu: The device
 * @domain: The domain, a paging domain
 *
 * Return: 0; -EAGAIN if there is more to do; -ENOSPC if its mappings need more
 * page tables than the limit allows; -ENOENT if one of them is not guest RAM to
 * the iommufd; or another errno. After an error nothing is changed, unless its devices
 * had to be taken out of use, see vhost_iommu_domain_recover().
 */
int vhost_iommu_domain_set_device(struct vhost_iommu *viommu,
				  struct vhost_iommu_domain *domain)
{
	u64 pages;
	int rc;

	lockdep_assert_held_write(&viommu->lock);

	/* Whoever comes is not to find more than there is */
	rc = vhost_iommu_domain_recover(viommu, domain);
	if (rc || domain->ioas)
		return rc;
	rc = vhost_iommu_build_count(viommu, domain);
	if (rc)
		return rc;
	pages = vhost_iommu_tables_pages(&domain->build.tables);
	if (pages > vhost_iommu_tables_limit(viommu, domain)) {
		vhost_iommu_build_drop(viommu, domain, true);
		return -ENOSPC;
	}
	return vhost_iommu_build_finish(viommu, domain);
}
