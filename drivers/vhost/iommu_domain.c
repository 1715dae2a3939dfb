// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: domains, and which endpoints are in them
 *
 * Whoever changes any of that is alone: requests for the mappings of a domain, and
 * translation, find it as it is.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "iommu.h"

#define VHOST_IOMMU_RESV_START(resv)	((resv)->start)
#define VHOST_IOMMU_RESV_LAST(resv)	((resv)->last)

INTERVAL_TREE_DEFINE(struct vhost_iommu_resv_node, node, u64, subtree_last,
		     VHOST_IOMMU_RESV_START, VHOST_IOMMU_RESV_LAST,
		     static __maybe_unused, vhost_iommu_resv)

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

	lockdep_assert_held_write(&viommu->lock);

	domain = xa_load(&viommu->domains, id);
	if (domain)
		return domain->kind == kind ? domain : ERR_PTR(-EINVAL);
	if (viommu->nr_domains >= viommu->max_domains)
		return ERR_PTR(-ENOSPC);

	domain = kzalloc_obj(*domain, GFP_KERNEL_ACCOUNT);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	mutex_init(&domain->lock);
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

	lockdep_assert_held_write(&viommu->lock);

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

	atomic64_sub(domain->maps.count, &viommu->mappings);
	atomic64_sub(domain->maps.bytes, &viommu->mapped_bytes);
	rbtree_postorder_for_each_entry_safe(map, tmp, &domain->maps.root,
					     node) {
		kfree(map);
		cond_resched();
	}
	atomic64_sub(vhost_iommu_tables_pages(&domain->tables),
		     &viommu->table_pages);
	vhost_iommu_tables_clear(&domain->tables);
	mutex_destroy(&domain->lock);
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

/**
 * vhost_iommu_domain_reserves - Tell whether a range is not for mappings
 * @domain: The domain
 * @start: First IOVA
 * @last: Last IOVA
 *
 * Return: true if it overlaps a RESV_MEM region of one of the domain's endpoints.
 */
bool vhost_iommu_domain_reserves(struct vhost_iommu_domain *domain, u64 start,
				 u64 last)
{
	return vhost_iommu_resv_iter_first(&domain->resv, start, last);
}
