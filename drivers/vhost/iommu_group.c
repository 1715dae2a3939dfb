// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: groups of endpoints, and what they are attached to
 *
 * iommufd moves all devices of an IOMMU group together, so the hardware state
 * belongs to the group. It is one of:
 *
 *   attached   all members that are in a domain are in the same one; further
 *              members may be in none
 *   divided    members are in different domains: a guest moves one after the
 *              other, and until they agree the devices are blocked
 *   bypass     no member is in a domain, and config.bypass is 1
 *   blocked    no member is in a domain, and config.bypass is 0; the devices
 *              are attached to the HWPT of an IOAS that stays empty or, if they
 *              can have tables of the guest, to one of a table that reaches
 *              nothing: that of an IOAS would have no place for their MSIs
 *   broken     the IOMMU refused even that: the devices are detached, which
 *              blocks them, until a member is attached or detached, or a reset
 *
 * The blocked HWPT is made before the endpoint can be seen, so that blocking
 * allocates nothing. Every step that fails ends in blocked or in broken.
 */
#include <linux/list.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

/**
 * vhost_iommu_group_device - Find a device of a group
 * @group: The group
 *
 * Return: A member that is a device; they are all attached to the same. NULL if
 * all members are emulated.
 */
struct vhost_iommu_endpoint *
vhost_iommu_group_device(const struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	list_for_each_entry(ep, &group->endpoints, group_node)
		if (ep->file)
			return ep;
	return NULL;
}

/**
 * vhost_iommu_group_agrees - Tell whether a member would make its group agree
 * @group: The group
 * @except: The member
 * @domain: The domain that it is to be in
 *
 * Return: true if all other members are in @domain or in none.
 */
bool vhost_iommu_group_agrees(const struct vhost_iommu_group *group,
			      const struct vhost_iommu_endpoint *except,
			      const struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_endpoint *ep;

	list_for_each_entry(ep, &group->endpoints, group_node)
		if (ep != except && ep->domain && ep->domain != domain)
			return false;
	return true;
}

/**
 * vhost_iommu_group_ram - Find what the devices of a group are attached to in bypass
 * @group: The group
 *
 * Return: ID of the HWPT, or 0 if they can't be in bypass.
 */
u32 vhost_iommu_group_ram(const struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	list_for_each_entry(ep, &group->endpoints, group_node)
		if (ep->ram_hwpt)
			return ep->ram_hwpt;
	return 0;
}

/**
 * vhost_iommu_group_can_bypass - Tell whether a group can be in bypass
 * @group: The group
 *
 * Return: true if it can.
 */
bool vhost_iommu_group_can_bypass(const struct vhost_iommu_group *group)
{
	return !vhost_iommu_group_device(group) || vhost_iommu_group_ram(group);
}

/**
 * vhost_iommu_group_set - Note where the devices of a group are from now on
 * @viommu: The device
 * @group: The group
 * @hw: The domain, or NULL
 * @bypass: They are in bypass, outside any domain
 */
void vhost_iommu_group_set(struct vhost_iommu *viommu,
			   struct vhost_iommu_group *group,
			   struct vhost_iommu_domain *hw, bool bypass)
{
	lockdep_assert_held_write(&viommu->lock);

	if (group->hw == hw && group->bypass == bypass)
		return;
	scoped_guard(write_lock, &viommu->xlat_lock) {
		vhost_iommu_log_group(viommu, group);
		group->hw = hw;
		group->bypass = bypass;
	}
	vhost_iommu_clients_moved(viommu, group);
}

/**
 * vhost_iommu_trace_endpoint - Trace where an endpoint's DMA goes
 * @viommu: The device
 * @ep: The endpoint
 * @rc: 0 or the errno of what was tried
 */
void vhost_iommu_trace_endpoint(const struct vhost_iommu *viommu,
				const struct vhost_iommu_endpoint *ep,
				int rc)
{
	const struct vhost_iommu_domain *domain;
	u32 state;

	if (!trace_vhost_iommu_endpoint_enabled())
		return;
	state = vhost_iommu_endpoint_state(ep, &domain);
	trace_vhost_iommu_endpoint(viommu, ep->id, state,
				   domain ? domain->id : 0, rc);
}

/**
 * vhost_iommu_group_hwpt - Tell what the devices of a group are attached to
 * @group: The group
 *
 * Return: ID of the HWPT in the iommufd; 0 if no member is a device, or if they are
 * detached.
 */
u32 vhost_iommu_group_hwpt(const struct vhost_iommu_group *group)
{
	if (group->broken)
		return 0;
	if (group->table_hwpt)
		return group->table_hwpt;
	if (group->hwpt)
		return group->hwpt->id;
	if (group->bypass || group->hw)
		return vhost_iommu_group_ram(group);
	return group->blocked_hwpt;
}

/**
 * vhost_iommu_group_drop_hwpt - Let go of the HWPT of a domain, if there is one
 * @viommu: The device
 * @group: The group, whose devices are attached to something else
 */
void vhost_iommu_group_drop_hwpt(struct vhost_iommu *viommu,
				 struct vhost_iommu_group *group)
{
	if (group->table_hwpt)
		vhost_iommu_host_destroy(viommu, group->table_hwpt);
	group->table_hwpt = 0;
	group->table_ats = false;
	if (group->hwpt)
		vhost_iommu_hwpt_put(viommu, group->hwpt);
	group->hwpt = NULL;
}

/**
 * vhost_iommu_group_enter_ioas - Attach the devices of a group to an IOAS
 * @viommu: The device
 * @group: The group
 * @ep: A device of it
 * @hwpts: HWPTs of the domain
 * @ioas: The IOAS
 * @wait: See vhost_iommu_device_try()
 *
 * Return: 0; -EIO if the group is broken; or the errno of
 * vhost_iommu_hwpt_attach().
 */
int vhost_iommu_group_enter_ioas(struct vhost_iommu *viommu,
				 struct vhost_iommu_group *group,
				 const struct vhost_iommu_endpoint *ep,
				 struct list_head *hwpts, u32 ioas, bool wait)
{
	struct vhost_iommu_hwpt *hwpt;
	int rc;

	if (group->broken)
		return -EIO;
	if (group->hwpt && group->hwpt->ioas == ioas)
		return 0;
	rc = vhost_iommu_hwpt_attach(viommu, hwpts, ioas, ep, wait, &hwpt);
	if (rc)
		return rc;
	vhost_iommu_group_drop_hwpt(viommu, group);
	group->hwpt = hwpt;
	return 0;
}

/**
 * vhost_iommu_group_move - Attach the devices of a group to a page table
 * @viommu: The device
 * @group: The group
 * @hwpt: ID of an HWPT
 * @wait: See vhost_iommu_device_try()
 *
 * Return: 0, also if no member is a device; -EIO if the group is broken; or the
 * errno of vhost_iommu_device_attach(). After an error it is not known what the
 * devices are attached to.
 */
int vhost_iommu_group_move(struct vhost_iommu *viommu,
			   struct vhost_iommu_group *group, u32 hwpt, bool wait)
{
	struct vhost_iommu_endpoint *ep = vhost_iommu_group_device(group);

	if (!ep)
		return 0;
	if (group->broken)
		return -EIO;
	return vhost_iommu_device_attach(viommu, ep->file, hwpt, wait);
}

/**
 * vhost_iommu_group_set_broken - Take a group out of use, or back into it
 * @viommu: The device
 * @group: The group
 * @broken: Out of use; the caller sees to the devices
 */
void vhost_iommu_group_set_broken(struct vhost_iommu *viommu,
				  struct vhost_iommu_group *group,
				  bool broken)
{
	unsigned int nr = list_count_nodes(&group->endpoints);

	if (group->broken == broken)
		return;
	scoped_guard(write_lock, &viommu->xlat_lock) {
		group->broken = broken;
		vhost_iommu_log_group(viommu, group);
	}
	WRITE_ONCE(viommu->nr_broken, broken ? viommu->nr_broken + nr :
					       viommu->nr_broken - nr);
	vhost_iommu_clients_moved(viommu, group);
}

/**
 * vhost_iommu_group_condemn - Take a group out of use
 * @viommu: The device
 * @group: The group
 */
void vhost_iommu_group_condemn(struct vhost_iommu *viommu,
			       struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	if (group->broken || !vhost_iommu_group_device(group))
		return;
	vhost_iommu_group_set_broken(viommu, group, true);
	vhost_iommu_group_set(viommu, group, NULL, false);
	list_for_each_entry(ep, &group->endpoints, group_node) {
		if (!ep->file)
			continue;
		vhost_iommu_host_detach(viommu, ep->file);
		vhost_iommu_trace_endpoint(viommu, ep, -EIO);
	}
	vhost_iommu_group_drop_hwpt(viommu, group);
}

/**
 * vhost_iommu_group_block - Let the devices of a group reach nothing
 * @viommu: The device
 * @group: The group; broken if the IOMMU refused
 */
void vhost_iommu_group_block(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group)
{
	vhost_iommu_group_set(viommu, group, NULL, false);
	if (vhost_iommu_group_move(viommu, group, group->blocked_hwpt, true))
		vhost_iommu_group_condemn(viommu, group);
	else
		vhost_iommu_group_drop_hwpt(viommu, group);
}

/**
 * vhost_iommu_group_revive - Bring a broken group back, blocked
 * @viommu: The device
 * @group: The group; nothing is done if it is not broken
 * @wait: See vhost_iommu_device_attach()
 *
 * Return: 0, -EAGAIN or -EIO. It is still broken after an error.
 */
int vhost_iommu_group_revive(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group, bool wait)
{
	struct vhost_iommu_endpoint *ep;
	int rc;

	if (!group->broken)
		return 0;
	vhost_iommu_group_set_broken(viommu, group, false);
	list_for_each_entry(ep, &group->endpoints, group_node) {
		if (!ep->file)
			continue;
		rc = vhost_iommu_device_attach(viommu, ep->file,
					       group->blocked_hwpt, wait);
		if (rc) {
			vhost_iommu_group_condemn(viommu, group);
			return rc == -EAGAIN ? rc : -EIO;
		}
	}
	return 0;
}

/**
 * vhost_iommu_group_idle - Bring a group where the configuration says
 * @viommu: The device
 * @group: The group, of which no member is in a domain
 *
 * Return: 0, or an errno if it is blocked though it should be in bypass, or
 * broken.
 */
int vhost_iommu_group_idle(struct vhost_iommu *viommu,
			   struct vhost_iommu_group *group)
{
	int rc = 0;

	if (vhost_iommu_group_revive(viommu, group, true))
		return -EIO;
	if (viommu->bypass && vhost_iommu_group_can_bypass(group)) {
		rc = vhost_iommu_group_move(viommu, group,
					    vhost_iommu_group_ram(group), true);
		if (!rc) {
			vhost_iommu_group_drop_hwpt(viommu, group);
			vhost_iommu_group_set(viommu, group, NULL, true);
			return 0;
		}
	}
	vhost_iommu_group_block(viommu, group);
	return group->broken ? -EIO : rc;
}
