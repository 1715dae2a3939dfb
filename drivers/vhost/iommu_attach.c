// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: ATTACH, ATTACH_TABLE and DETACH requests
 */
#include <linux/list.h>
#include <linux/string.h>

#include "iommu.h"

static u8 vhost_iommu_attach_status(int rc)
{
	switch (rc) {
	case -EINVAL:
	case -ENOENT:
	case -EADDRINUSE:
		return VIRTIO_IOMMU_S_UNSUPP;
	default:
		return vhost_iommu_errno_to_status(rc);
	}
}

static bool vhost_iommu_same_table(const struct vhost_iommu_domain *domain,
				   const struct vhost_iommu_group *group,
				   const struct vhost_iommu_table *table)
{
	return domain->format == group->nest->format &&
	       !memcmp(domain->table.data, table->data, sizeof(table->data));
}

/*
 * A domain is all of a kind. Its tables are all the same as well, unless its
 * only endpoint comes with others: then it is a new one with the old number.
 */
static struct vhost_iommu_domain *
vhost_iommu_attach_domain(struct vhost_iommu *viommu,
			  struct vhost_iommu_endpoint *ep,
			  const struct vhost_iommu_target *target)
{
	struct vhost_iommu_domain *domain;

	domain = vhost_iommu_domain_get(viommu, target->domain, target->kind);
	if (IS_ERR(domain) || target->kind != VHOST_IOMMU_TABLE ||
	    list_empty(&domain->endpoints))
		return domain;
	if (!vhost_iommu_same_table(domain, ep->group, target->table) &&
	    (domain != ep->domain || !list_is_singular(&domain->endpoints)))
		return ERR_PTR(-EINVAL);
	return domain;
}

/* Nothing is to be done for an endpoint that is where it is to be */
static bool vhost_iommu_is_attached(const struct vhost_iommu_endpoint *ep,
				    const struct vhost_iommu_domain *domain,
				    const struct vhost_iommu_target *target)
{
	if (domain != ep->domain)
		return false;
	/* They may be blocked, because the IOMMU refused, or others disagree */
	if (ep->group->hw != domain &&
	    vhost_iommu_group_agrees(ep->group, ep, domain))
		return false;
	return target->kind != VHOST_IOMMU_TABLE ||
	       (vhost_iommu_same_table(domain, ep->group, target->table) &&
		ep->table_ats == target->table->ats);
}

/* The devices of a group that agrees have one table, with or without ATS */
static bool vhost_iommu_group_ats_fits(const struct vhost_iommu_endpoint *ep,
				       const struct vhost_iommu_domain *domain,
				       const struct vhost_iommu_target *target)
{
	struct vhost_iommu_endpoint *other;

	if (target->kind != VHOST_IOMMU_TABLE)
		return true;
	list_for_each_entry(other, &ep->group->endpoints, group_node)
		if (other != ep && other->domain == domain &&
		    other->table_ats != target->table->ats)
			return false;
	return true;
}

/* Nobody but @ep is in its domain */
static bool vhost_iommu_is_last(const struct vhost_iommu_endpoint *ep)
{
	return ep->domain && list_is_singular(&ep->domain->endpoints);
}

/* Move the hardware for an endpoint that goes to another domain */
static int vhost_iommu_attach_hw(struct vhost_iommu *viommu,
				 struct vhost_iommu_endpoint *ep,
				 struct vhost_iommu_domain *domain,
				 const struct vhost_iommu_target *target)
{
	struct vhost_iommu_group *group = ep->group;

	if (!vhost_iommu_group_agrees(group, ep, domain)) {
		if (group->hw || group->bypass)
			vhost_iommu_group_block(viommu, group);
		return group->broken ? -EIO : 0;
	}
	/* The others of the group have brought it there, and stay */
	if (group->hw == domain && domain != ep->domain)
		return 0;
	return vhost_iommu_group_attach(viommu, group, domain, target, false);
}

static int vhost_iommu_attach_to(struct vhost_iommu *viommu,
				 struct vhost_iommu_endpoint *ep,
				 const struct vhost_iommu_target *target)
{
	struct vhost_iommu_domain *domain, *old = ep->domain;
	struct vhost_iommu_group *group = ep->group;
	bool was_on = old && group->hw == old;
	int rc;

	domain = vhost_iommu_attach_domain(viommu, ep, target);
	if (IS_ERR(domain))
		return vhost_iommu_errno_to_status(PTR_ERR(domain));
	if (vhost_iommu_is_attached(ep, domain, target))
		return VIRTIO_IOMMU_S_OK;
	/* The others of the group would be moved, too */
	if (!vhost_iommu_domain_fits(domain, ep) ||
	    !vhost_iommu_group_ats_fits(ep, domain, target)) {
		vhost_iommu_domain_release(viommu, domain, true);
		return VIRTIO_IOMMU_S_UNSUPP;
	}
	rc = 0;
	if (domain != old && vhost_iommu_is_last(ep))
		rc = vhost_iommu_domain_drain(viommu, old);
	if (!rc)
		rc = vhost_iommu_attach_hw(viommu, ep, domain, target);
	if (rc == -EAGAIN) {
		vhost_iommu_domain_release(viommu, domain, true);
		return rc;
	}
	if (rc) {
		/* Blocked or broken, or as it was if it got nowhere */
		if (old && (old->drained || (was_on && group->hw != old))) {
			vhost_iommu_domain_unlink(ep);
			if (group->hw == old)
				vhost_iommu_group_follow(viommu, group);
			if (domain != old)
				vhost_iommu_domain_release(viommu, old, true);
		}
		vhost_iommu_domain_release(viommu, domain, true);
		vhost_iommu_nests_flush(viommu);
		vhost_iommu_trace_endpoint(viommu, ep, rc);
		return vhost_iommu_attach_status(rc);
	}
	if (old)
		vhost_iommu_domain_unlink(ep);
	if (target->kind == VHOST_IOMMU_TABLE) {
		domain->format = group->nest->format;
		memcpy(domain->table.data, target->table->data,
		       sizeof(domain->table.data));
	}
	ep->table_ats = target->table && target->table->ats;
	vhost_iommu_domain_link(domain, ep);
	if (old)
		vhost_iommu_domain_release(viommu, old, true);
	rc = vhost_iommu_nests_flush(viommu);
	vhost_iommu_trace_endpoint(viommu, ep, rc);
	/* A table must not find entries of another one in the TLB */
	return rc && target->kind == VHOST_IOMMU_TABLE ? VIRTIO_IOMMU_S_DEVERR :
							 VIRTIO_IOMMU_S_OK;
}

/**
 * vhost_iommu_attach - Carry out an ATTACH request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 *
 * VIRTIO 1.3, section 5.13.6.3.
 *
 * Return: The status for the guest. If the IOMMU refused, or the domain that the
 * endpoint leaves had begun to be emptied, the endpoint is in no domain and blocked;
 * otherwise, if not OK, nothing was changed. Or -EAGAIN if it is not done yet.
 */
int vhost_iommu_attach(struct vhost_iommu *viommu,
		       const struct vhost_iommu_req *req)
{
	struct vhost_iommu_target target = {
		.kind = req->flags & VIRTIO_IOMMU_ATTACH_F_BYPASS ?
			VHOST_IOMMU_BYPASS : VHOST_IOMMU_PAGING,
		.domain = req->domain,
	};
	struct vhost_iommu_endpoint *ep;
	int rc;

	ep = vhost_iommu_endpoint_find(viommu, req->endpoint);
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	rc = vhost_iommu_group_revive(viommu, ep->group, false);
	if (rc)
		return rc == -EAGAIN ? rc : VIRTIO_IOMMU_S_DEVERR;
	if (target.kind == VHOST_IOMMU_BYPASS &&
	    !vhost_iommu_group_can_bypass(ep->group))
		return VIRTIO_IOMMU_S_UNSUPP;
	return vhost_iommu_attach_to(viommu, ep, &target);
}

/**
 * vhost_iommu_attach_table - Carry out an ATTACH_TABLE request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 *
 * Attaching the only endpoint of a table domain to it with other tables is like
 * DETACH and ATTACH_TABLE.
 *
 * Return: As vhost_iommu_attach().
 */
int vhost_iommu_attach_table(struct vhost_iommu *viommu,
			     const struct vhost_iommu_req *req)
{
	struct vhost_iommu_table table = {};
	struct vhost_iommu_target target = {
		.kind = VHOST_IOMMU_TABLE,
		.domain = req->domain,
		.table = &table,
	};
	const struct vhost_iommu_nest *nest;
	struct vhost_iommu_endpoint *ep;
	u8 status;
	int rc;

	ep = vhost_iommu_endpoint_find(viommu, req->endpoint);
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	nest = ep->nest;
	if (!nest || nest->format->id != req->format)
		return VIRTIO_IOMMU_S_UNSUPP;
	status = nest->format->table(&nest->hw, req->descriptor, &table);
	if (status != VIRTIO_IOMMU_S_OK)
		return status;
	/* Commands for a cache that is not there would time out */
	if (table.ats && !ep->ats)
		return VIRTIO_IOMMU_S_INVAL;
	rc = vhost_iommu_group_revive(viommu, ep->group, false);
	if (rc == -EAGAIN)
		return rc;
	if (rc || vhost_iommu_nests_flush(viommu))
		return VIRTIO_IOMMU_S_DEVERR;
	return vhost_iommu_attach_to(viommu, ep, &target);
}

/**
 * vhost_iommu_detach - Carry out a DETACH request
 * @viommu: The device
 * @req: The request, checked by vhost_iommu_req_decode()
 *
 * VIRTIO 1.3, section 5.13.6.4. Linux names domain 0 when it leaves its static
 * identity domain, whatever that is called: the domain ID is not compared for
 * bypass domains.
 *
 * Return: The status for the guest. If it is OK, the endpoint reaches nothing
 * through the domain any more; with DEVERR it is not attached either, but the
 * IOMMU may still have its translations. Or -EAGAIN if the domain has more
 * mappings than go at a time.
 */
int vhost_iommu_detach(struct vhost_iommu *viommu,
		       const struct vhost_iommu_req *req)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_endpoint *ep;
	int rc;

	ep = vhost_iommu_endpoint_find(viommu, req->endpoint);
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	domain = ep->domain;
	if (!domain || (domain->id != req->domain &&
			domain->kind != VHOST_IOMMU_BYPASS))
		return VIRTIO_IOMMU_S_INVAL;
	if (vhost_iommu_is_last(ep)) {
		rc = vhost_iommu_domain_drain(viommu, domain);
		if (rc)
			return rc;
	}
	rc = vhost_iommu_group_prepare(viommu, ep);
	if (rc)
		return rc;

	vhost_iommu_domain_unlink(ep);
	vhost_iommu_group_follow(viommu, ep->group);
	vhost_iommu_domain_release(viommu, domain, true);
	rc = vhost_iommu_nests_flush(viommu);
	vhost_iommu_trace_endpoint(viommu, ep, rc);
	return rc ? VIRTIO_IOMMU_S_DEVERR : VIRTIO_IOMMU_S_OK;
}
