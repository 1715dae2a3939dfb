// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: what an access of an endpoint means, and what memory there is
 *
 * For whoever makes an access itself: such a one must not wait for a request that
 * is in progress, which can take as long as the IOMMU and the VMM's memory like. So
 * what is needed to answer is covered by a lock of its own, &vhost_iommu.xlat_lock,
 * which is below all others and is never held over anything that sleeps: endpoints
 * and where their groups are, the trees of domains, and a copy of the memory table.
 */
#include <kunit/visibility.h>
#include <linux/export.h>
#include <linux/slab.h>
#include <linux/vhost_iotlb.h>

#include "iommu.h"

/* Where nothing is translated, an answer is for no more than this */
#define VHOST_IOMMU_XLAT_MAX		(BIT_ULL(52) - 1)

static void vhost_iommu_xlat_identity(struct vhost_iommu_xlat *xlat, u64 start,
				      u64 last, u32 perm)
{
	xlat->start = start;
	xlat->last = last;
	xlat->phys = start;
	xlat->perm = perm;
}

/*
 * Find the region that an IOVA is in. If it is in none, [@start, @last] is what lies
 * between those to its left and to its right.
 */
static const struct vhost_iommu_resv_node *
vhost_iommu_xlat_resv(const struct vhost_iommu_endpoint *ep, u64 iova,
		      u64 *start, u64 *last)
{
	unsigned int i;

	for (i = 0; i < ep->nr_resv; i++) {
		const struct vhost_iommu_resv_node *resv = &ep->resv[i];

		if (resv->last < iova)
			*start = max(*start, resv->last + 1);
		else if (resv->start > iova)
			*last = min(*last, resv->start - 1);
		else
			return resv;
	}
	return NULL;
}

/* A member of a group that is in no domain has no say in what is mapped there */
static void vhost_iommu_xlat_map(struct vhost_iommu_domain *domain,
				 struct vhost_iommu_xlat *xlat, u64 iova,
				 u64 start, u64 last)
{
	struct vhost_iommu_map *map;

	xlat->paging = domain;
	map = vhost_iommu_map_first(&domain->maps, iova, iova);
	if (!map)
		return;
	xlat->map = map;
	xlat->start = max(map->start, start);
	xlat->last = min(map->last, last);
	xlat->phys = map->phys + (xlat->start - map->start);
	xlat->perm = map->flags & (VIRTIO_IOMMU_MAP_F_READ |
				   VIRTIO_IOMMU_MAP_F_WRITE);
}

/**
 * vhost_iommu_translate_locked - Translate an IOVA of an endpoint
 * @viommu: The device
 * @endpoint: Endpoint ID
 * @iova: The IOVA
 * @xlat: The answer: for all of its range, unless a request changes it. What is not
 *        allowed has no permission, and a range of one byte where no mapping is.
 *
 * Tables of the guest are not walked: to those that are attached to them nothing is
 * allowed. Writes to the MSI region go where they are.
 *
 * Context: With &vhost_iommu.xlat_lock held.
 * Return: 0, or -ENOENT if there is no such endpoint.
 */
int vhost_iommu_translate_locked(struct vhost_iommu *viommu, u32 endpoint,
				 u64 iova, struct vhost_iommu_xlat *xlat)
{
	const struct vhost_iommu_resv_node *resv;
	const struct vhost_iommu_endpoint *ep;
	const struct vhost_iommu_domain *domain;
	u64 start = 0, last = U64_MAX;

	lockdep_assert_held(&viommu->xlat_lock);

	vhost_iommu_xlat_identity(xlat, iova, iova, 0);
	xlat->paging = NULL;
	xlat->map = NULL;
	ep = xa_load(&viommu->endpoints, endpoint);
	if (!ep || !ep->group)
		return -ENOENT;
	xlat->state = vhost_iommu_endpoint_state(ep, &domain);
	xlat->domain = domain ? domain->id : 0;
	xlat->sequence = vhost_iommu_log_head(viommu);
	xlat->passed_on = ep->notify;
	resv = vhost_iommu_xlat_resv(ep, iova, &start, &last);
	if (resv) {
		vhost_iommu_xlat_identity(xlat, resv->start, resv->last,
					  resv->msi ? VIRTIO_IOMMU_MAP_F_WRITE :
						      0);
		return 0;
	}
	if (xlat->state == VHOST_IOMMU_STATE_PAGING)
		vhost_iommu_xlat_map(ep->group->hw, xlat, iova, start, last);
	else if ((xlat->state == VHOST_IOMMU_STATE_BYPASS ||
		  xlat->state == VHOST_IOMMU_STATE_BYPASS_DOMAIN) &&
		 iova <= VHOST_IOMMU_XLAT_MAX)
		vhost_iommu_xlat_identity(xlat, start,
					  min(last, VHOST_IOMMU_XLAT_MAX),
					  VIRTIO_IOMMU_MAP_F_READ |
					  VIRTIO_IOMMU_MAP_F_WRITE);
	return 0;
}

/**
 * vhost_iommu_translate_logged - Translate an IOVA of an endpoint
 * @viommu: The device
 * @endpoint: Endpoint ID
 * @iova: The IOVA
 * @xlat: The answer, see vhost_iommu_translate_locked()
 *
 * Who keeps the answer follows the log.
 *
 * Context: With &vhost_iommu.xlat_lock held.
 * Return: 0, or -ENOENT if there is no such endpoint.
 */
int vhost_iommu_translate_logged(struct vhost_iommu *viommu, u32 endpoint,
				 u64 iova, struct vhost_iommu_xlat *xlat)
{
	int rc = vhost_iommu_translate_locked(viommu, endpoint, iova, xlat);

	/* Who changes a mapping holds the lock for writing, and sees it */
	if (rc || !xlat->paging)
		return rc;
	if (!READ_ONCE(xlat->paging->translated))
		WRITE_ONCE(xlat->paging->translated, true);
	if (xlat->passed_on && !READ_ONCE(xlat->paging->passed_on))
		WRITE_ONCE(xlat->paging->passed_on, true);
	return 0;
}

/**
 * vhost_iommu_translate - Translate an IOVA of an endpoint
 * @viommu: The device
 * @endpoint: Endpoint ID
 * @iova: The IOVA
 * @xlat: The answer, see vhost_iommu_translate_logged()
 *
 * Context: Any but interrupts. Takes &vhost_iommu.xlat_lock.
 * Return: 0, or -ENOENT if there is no such endpoint.
 */
int vhost_iommu_translate(struct vhost_iommu *viommu, u32 endpoint, u64 iova,
			  struct vhost_iommu_xlat *xlat)
{
	guard(read_lock)(&viommu->xlat_lock);

	return vhost_iommu_translate_logged(viommu, endpoint, iova, xlat);
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_translate);

/**
 * vhost_iommu_ram_set - Remember the memory table
 * @viommu: The device
 * @umem: The table, or NULL: then there is no memory
 *
 * Context: ioctl of the owner, or the release of the file.
 * Return: 0; or -ENOMEM: then there is no memory until it is set once more.
 */
int vhost_iommu_ram_set(struct vhost_iommu *viommu, struct vhost_iotlb *umem)
{
	struct vhost_iommu_ram *ram = NULL, *old;
	struct vhost_iotlb_map *map;
	unsigned int nr = 0;

	if (umem && umem->nmaps)
		ram = kvmalloc_flex(*ram, region, umem->nmaps,
				    GFP_KERNEL_ACCOUNT);
	if (ram) {
		ram->nr = umem->nmaps;
		map = vhost_iotlb_itree_first(umem, 0, U64_MAX);
		for (; map && nr < ram->nr;
		     map = vhost_iotlb_itree_next(map, 0, U64_MAX)) {
			ram->region[nr].start = map->start;
			ram->region[nr].last = map->last;
			ram->region[nr++].addr = map->addr;
		}
		ram->nr = nr;
	}
	scoped_guard(write_lock, &viommu->xlat_lock) {
		old = viommu->ram;
		viommu->ram = ram;
	}
	kvfree(old);
	return umem && umem->nmaps && !ram ? -ENOMEM : 0;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_ram_set);

/* The region that an address is in. Of regions that overlap it is one of them. */
static const struct vhost_iommu_region *
vhost_iommu_ram_find(const struct vhost_iommu_ram *ram, u64 phys)
{
	unsigned int low = 0, high = ram ? ram->nr : 0;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (ram->region[mid].last < phys)
			low = mid + 1;
		else if (ram->region[mid].start > phys)
			high = mid;
		else
			return &ram->region[mid];
	}
	return NULL;
}

/**
 * vhost_iommu_ram_has - Tell whether a range is guest memory
 * @viommu: The device
 * @start: First guest-physical address
 * @last: Last guest-physical address, not below @start
 *
 * Context: Any but interrupts. Takes &vhost_iommu.xlat_lock.
 * Return: true if all of it is, in one region of the memory table or in several.
 */
bool vhost_iommu_ram_has(struct vhost_iommu *viommu, u64 start, u64 last)
{
	const struct vhost_iommu_region *region;

	guard(read_lock)(&viommu->xlat_lock);

	for (;;) {
		region = vhost_iommu_ram_find(viommu->ram, start);
		if (!region)
			return false;
		if (region->last >= last)
			return true;
		start = region->last + 1;
	}
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_ram_has);

/**
 * vhost_iommu_ram_region - Find guest memory in the VMM
 * @viommu: The device
 * @phys: Guest-physical address
 * @region: The region that it is in
 *
 * Context: Any but interrupts. Takes &vhost_iommu.xlat_lock.
 * Return: 0, or -ENOENT if it is not guest memory.
 */
int vhost_iommu_ram_region(struct vhost_iommu *viommu, u64 phys,
			   struct vhost_iommu_region *region)
{
	const struct vhost_iommu_region *found;

	guard(read_lock)(&viommu->xlat_lock);

	found = vhost_iommu_ram_find(viommu->ram, phys);
	if (!found)
		return -ENOENT;
	*region = *found;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_ram_region);
