// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: groups follow their members
 *
 * A domain has what devices are attached to, made when the first one comes, and a
 * group goes where its members agree to be.
 */
#include <linux/list.h>
#include <linux/sched/signal.h>

#include "iommu.h"

/*
 * The domain that all members but @except are in which are in one; NULL if there is
 * none, or if there are several
 */
static struct vhost_iommu_domain *
vhost_iommu_group_domain(const struct vhost_iommu_group *group,
			 const struct vhost_iommu_endpoint *except)
{
	struct vhost_iommu_domain *domain = NULL;
	struct vhost_iommu_endpoint *ep;

	if (!group->attached)
		return NULL;
	list_for_each_entry(ep, &group->endpoints, group_node) {
		if (ep == except || !ep->domain || ep->domain == domain)
			continue;
		if (domain)
			return NULL;
		domain = ep->domain;
	}
	return domain;
}

/* The HWPT of a table is this group's own */
static int vhost_iommu_attach_table_hwpt(struct vhost_iommu *viommu,
					 struct vhost_iommu_group *group,
					 const struct vhost_iommu_table *table,
					 u32 hwpt, bool wait)
{
	int rc = vhost_iommu_group_move(viommu, group, hwpt, wait);

	if (rc)
		return rc;
	vhost_iommu_group_drop_hwpt(viommu, group);
	group->table_hwpt = hwpt;
	group->table_ats = table->ats;
	return 0;
}

static int vhost_iommu_attach_ram(struct vhost_iommu *viommu,
				  struct vhost_iommu_group *group, bool wait)
{
	int rc = vhost_iommu_group_move(viommu, group,
					vhost_iommu_group_ram(group), wait);

	if (!rc)
		vhost_iommu_group_drop_hwpt(viommu, group);
	return rc;
}

/* Make what has to be there before anything is changed */
static int vhost_iommu_attach_prepare(struct vhost_iommu *viommu,
				      struct vhost_iommu_group *group,
				      struct vhost_iommu_domain *domain,
				      const struct vhost_iommu_target *target,
				      u32 *table_hwpt)
{
	struct vhost_iommu_endpoint *device = vhost_iommu_group_device(group);

	switch (target->kind) {
	case VHOST_IOMMU_PAGING:
		return vhost_iommu_domain_set_device(viommu, domain);
	case VHOST_IOMMU_TABLE:
		return vhost_iommu_device_table_alloc(viommu, group->nest,
						      device->dev_id,
						      target->table,
						      table_hwpt);
	default:
		return 0;
	}
}

/* Members of a group that are in a table domain differ in nothing */
static bool vhost_iommu_group_wants_ats(const struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	list_for_each_entry(ep, &group->endpoints, group_node)
		if (ep->domain)
			return ep->table_ats;
	return false;
}

/**
 * vhost_iommu_group_attach - Attach the devices of a group to a domain
 * @viommu: The device
 * @group: The group
 * @domain: The domain
 * @target: What that is
 * @wait: See vhost_iommu_device_attach()
 *
 * The HWPT of the guest's tables that they leave goes when nothing is attached to
 * it any more.
 *
 * Return: 0; -EAGAIN if there is more to do; or another errno: then either
 * nothing was changed or they are blocked, and &vhost_iommu_group.hw is NULL.
 */
int vhost_iommu_group_attach(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group,
			     struct vhost_iommu_domain *domain,
			     const struct vhost_iommu_target *target, bool wait)
{
	struct vhost_iommu_endpoint *device = vhost_iommu_group_device(group);
	u32 table_hwpt = 0;
	int rc;

	if (!device) {
		vhost_iommu_group_set(viommu, group, domain, false);
		return 0;
	}
	rc = vhost_iommu_attach_prepare(viommu, group, domain, target,
					&table_hwpt);
	if (rc)
		return rc;
	if (target->kind == VHOST_IOMMU_PAGING)
		rc = vhost_iommu_group_enter_ioas(viommu, group, device,
						  &domain->hwpts, domain->ioas,
						  wait);
	else if (target->kind == VHOST_IOMMU_TABLE)
		rc = vhost_iommu_attach_table_hwpt(viommu, group, target->table,
						   table_hwpt, wait);
	else
		rc = vhost_iommu_attach_ram(viommu, group, wait);
	if (rc) {
		if (rc != -EAGAIN)
			vhost_iommu_group_block(viommu, group);
		/* It may have been attached all the same, until now */
		if (table_hwpt)
			vhost_iommu_host_destroy(viommu, table_hwpt);
		if (rc != -EAGAIN)
			vhost_iommu_hwpts_trim(viommu, &domain->hwpts);
		return rc;
	}
	vhost_iommu_group_set(viommu, group, domain, false);
	vhost_iommu_hwpts_trim(viommu, &domain->hwpts);
	if (target->kind == VHOST_IOMMU_PAGING && !domain->maps.count)
		vhost_iommu_device_settle(viommu, device->dev_id, domain->ioas);
	return 0;
}

/**
 * vhost_iommu_group_prepare - Make ready what a group will follow its members to
 * @viommu: The device
 * @ep: The member that is about to leave its domain
 *
 * A domain that others of the group are in may have been filled while the group was
 * divided, and have no IOAS yet.
 *
 * Return: 0, or -EAGAIN if there is more to do.
 */
int vhost_iommu_group_prepare(struct vhost_iommu *viommu,
			      const struct vhost_iommu_endpoint *ep)
{
	struct vhost_iommu_domain *domain;

	domain = vhost_iommu_group_domain(ep->group, ep);
	if (!domain || domain->kind != VHOST_IOMMU_PAGING ||
	    !vhost_iommu_group_device(ep->group))
		return 0;
	/* Of an error the group finds out by itself */
	return vhost_iommu_domain_set_device(viommu, domain) == -EAGAIN ?
	       -EAGAIN : 0;
}

/**
 * vhost_iommu_group_follow - Bring the devices of a group where its members are
 * @viommu: The device
 * @group: The group, of which a member has left its domain
 *
 * Goes without pieces, so that it can be relied upon; a caller that serves a guest
 * has vhost_iommu_group_prepare() do what may take long.
 *
 * Return: 0 or -EIO. The devices are blocked or the group broken after an error.
 */
int vhost_iommu_group_follow(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_target target;
	struct vhost_iommu_table table;
	int rc;

	if (!group->attached)
		return vhost_iommu_group_idle(viommu, group);
	domain = vhost_iommu_group_domain(group, NULL);
	if (domain && domain == group->hw)
		return 0;
	if (vhost_iommu_group_revive(viommu, group, true))
		return -EIO;
	if (domain) {
		target.kind = domain->kind;
		target.table = &table;
		table = domain->table;
		table.ats = vhost_iommu_group_wants_ats(group);
		do
			rc = vhost_iommu_group_attach(viommu, group, domain,
						      &target, true);
		while (rc == -EAGAIN && !fatal_signal_pending(current));
		if (!rc)
			return 0;
	}
	if (group->hw)
		vhost_iommu_group_block(viommu, group);
	return group->broken ? -EIO : 0;
}
