// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: endpoints and groups, and what they are attached to
 *
 * iommufd moves all devices of an IOMMU group together, so the hardware state
 * belongs to the group. It is one of:
 *
 *   attached   a member is in a domain; the others are in the same or in none
 *   bypass     no member is in a domain, and config.bypass is 1
 *   blocked    no member is in a domain, and config.bypass is 0; the devices
 *              are attached to the HWPT of an IOAS that stays empty or, if they
 *              can have tables of the guest, to one of a table that reaches
 *              nothing: that of an IOAS would have no place for their MSIs
 *   broken     the IOMMU refused even that: the devices are detached, which
 *              can't fail and blocks them, until the next reset
 *
 * The blocked HWPT is made before the endpoint can be seen, so that blocking
 * allocates nothing. Every step that fails ends in blocked or in broken.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

static struct vhost_iommu_endpoint *
vhost_iommu_group_device(const struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	list_for_each_entry(ep, &group->endpoints, group_node)
		if (ep->file)
			return ep;
	return NULL;
}

static struct vhost_iommu_domain *
vhost_iommu_group_domain(const struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	if (!group->attached)
		return NULL;
	list_for_each_entry(ep, &group->endpoints, group_node)
		if (ep->domain)
			return ep->domain;
	return NULL;
}

/* HWPT for bypass, or 0 if the devices of the group can't be in bypass */
static u32 vhost_iommu_group_ram(const struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	list_for_each_entry(ep, &group->endpoints, group_node)
		if (ep->ram_hwpt)
			return ep->ram_hwpt;
	return 0;
}

static bool vhost_iommu_group_can_bypass(const struct vhost_iommu_group *group)
{
	return !vhost_iommu_group_device(group) || vhost_iommu_group_ram(group);
}

/**
 * vhost_iommu_endpoint_state - Tell where an endpoint's DMA goes
 * @ep: The endpoint
 * @domain: The domain, if the state has one. An endpoint in no domain follows
 *          the other members of its group.
 *
 * Return: One of enum vhost_iommu_endpoint_state.
 */
u32 vhost_iommu_endpoint_state(const struct vhost_iommu_endpoint *ep,
			       const struct vhost_iommu_domain **domain)
{
	const struct vhost_iommu_group *group = ep->group;

	*domain = vhost_iommu_group_domain(group);
	if (group->broken)
		return VHOST_IOMMU_STATE_BROKEN;
	if (!*domain)
		return group->bypass ? VHOST_IOMMU_STATE_BYPASS :
				       VHOST_IOMMU_STATE_BLOCKED;
	switch ((*domain)->kind) {
	case VHOST_IOMMU_BYPASS:
		return VHOST_IOMMU_STATE_BYPASS_DOMAIN;
	case VHOST_IOMMU_TABLE:
		return VHOST_IOMMU_STATE_TABLE;
	default:
		return VHOST_IOMMU_STATE_PAGING;
	}
}

static void vhost_iommu_trace_endpoint(const struct vhost_iommu *viommu,
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

/* The devices are attached to something else, or to nothing */
static void vhost_iommu_group_drop_table(struct vhost_iommu *viommu,
					 struct vhost_iommu_group *group)
{
	if (group->table_hwpt)
		vhost_iommu_host_destroy(viommu, group->table_hwpt);
	group->table_hwpt = 0;
	group->table_ats = false;
}

/**
 * vhost_iommu_group_move - Attach the devices of a group to a page table
 * @viommu: The device
 * @group: The group
 * @pt_id: ID of an HWPT or IOAS
 *
 * Return: 0, also if no member is a device; -EIO if the group is broken; or the
 * errno of vhost_iommu_host_attach(). After an error it is not known what the
 * devices are attached to.
 */
int vhost_iommu_group_move(struct vhost_iommu *viommu,
			   struct vhost_iommu_group *group, u32 pt_id)
{
	struct vhost_iommu_endpoint *ep = vhost_iommu_group_device(group);

	if (!ep)
		return 0;
	if (group->broken)
		return -EIO;
	return vhost_iommu_host_attach(viommu, ep->file, pt_id);
}

/**
 * vhost_iommu_group_condemn - Take a group out of use until the next reset
 * @viommu: The device
 * @group: The group
 */
void vhost_iommu_group_condemn(struct vhost_iommu *viommu,
			       struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	if (group->broken || !vhost_iommu_group_device(group))
		return;
	group->broken = true;
	group->bypass = false;
	list_for_each_entry(ep, &group->endpoints, group_node) {
		if (!ep->file)
			continue;
		vhost_iommu_host_detach(viommu, ep->file);
		vhost_iommu_trace_endpoint(viommu, ep, -EIO);
	}
	vhost_iommu_group_drop_table(viommu, group);
}

static void vhost_iommu_group_block(struct vhost_iommu *viommu,
				    struct vhost_iommu_group *group)
{
	group->bypass = false;
	if (vhost_iommu_group_move(viommu, group, group->blocked_hwpt))
		vhost_iommu_group_condemn(viommu, group);
	else
		vhost_iommu_group_drop_table(viommu, group);
}

/* No member is in a domain: go where the configuration says */
static int vhost_iommu_group_idle(struct vhost_iommu *viommu,
				  struct vhost_iommu_group *group)
{
	int rc = 0;

	if (group->broken)
		return -EIO;
	if (viommu->bypass && vhost_iommu_group_can_bypass(group)) {
		rc = vhost_iommu_group_move(viommu, group,
					    vhost_iommu_group_ram(group));
		if (!rc) {
			vhost_iommu_group_drop_table(viommu, group);
			group->bypass = true;
			return 0;
		}
	}
	vhost_iommu_group_block(viommu, group);
	return group->broken ? -EIO : rc;
}

/* Bring a broken group back, blocked */
static int vhost_iommu_group_revive(struct vhost_iommu *viommu,
				    struct vhost_iommu_group *group)
{
	struct vhost_iommu_endpoint *ep;

	if (!group->broken)
		return 0;
	group->broken = false;
	list_for_each_entry(ep, &group->endpoints, group_node) {
		if (!ep->file)
			continue;
		if (vhost_iommu_host_attach(viommu, ep->file,
					    group->blocked_hwpt)) {
			vhost_iommu_group_condemn(viommu, group);
			return -EIO;
		}
	}
	return 0;
}

/* Once for each group: at its first member */
static bool vhost_iommu_group_leader(struct vhost_iommu_endpoint *ep)
{
	return list_is_first(&ep->group_node, &ep->group->endpoints);
}

/**
 * vhost_iommu_set_bypass - Follow a change of config.bypass
 * @viommu: The device
 * @bypass: The new value
 *
 * Return: 0, or -EIO if an endpoint could not be moved; it is then blocked.
 */
int vhost_iommu_set_bypass(struct vhost_iommu *viommu, bool bypass)
{
	struct vhost_iommu_endpoint *ep;
	unsigned long id;
	int rc = 0;

	lockdep_assert_held(&viommu->lock);

	viommu->bypass = bypass;
	xa_for_each(&viommu->endpoints, id, ep) {
		struct vhost_iommu_group *group = ep->group;

		if (!vhost_iommu_group_leader(ep) || group->attached ||
		    group->broken)
			continue;
		if (vhost_iommu_group_idle(viommu, group))
			rc = -EIO;
		vhost_iommu_trace_endpoint(viommu, ep, rc);
	}
	return rc;
}

/**
 * vhost_iommu_endpoints_reset - Take all endpoints out of all domains
 * @viommu: The device
 *
 * VIRTIO 1.3, section 5.13.5: after a device reset no endpoint is attached.
 *
 * Return: 0, or -EIO if an endpoint is broken or could not be put into bypass,
 * or the IOMMU's TLBs could not be cleared.
 */
int vhost_iommu_endpoints_reset(struct vhost_iommu *viommu)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_endpoint *ep;
	unsigned long id;
	int rc = 0;

	lockdep_assert_held(&viommu->lock);

	xa_for_each(&viommu->endpoints, id, ep)
		if (ep->domain)
			vhost_iommu_domain_unlink(ep);
	xa_for_each(&viommu->endpoints, id, ep) {
		if (!vhost_iommu_group_leader(ep))
			continue;
		if (vhost_iommu_group_revive(viommu, ep->group) ||
		    vhost_iommu_group_idle(viommu, ep->group))
			rc = -EIO;
		vhost_iommu_trace_endpoint(viommu, ep, rc);
		cond_resched();
	}
	xa_for_each(&viommu->domains, id, domain)
		vhost_iommu_domain_release(viommu, domain, true);
	return vhost_iommu_nests_flush(viommu) ? -EIO : rc;
}

/**
 * vhost_iommu_endpoint_find - Find an endpoint
 * @viommu: The device
 * @id: Endpoint ID
 *
 * Return: The endpoint or NULL.
 */
struct vhost_iommu_endpoint *
vhost_iommu_endpoint_find(struct vhost_iommu *viommu, u32 id)
{
	lockdep_assert_held(&viommu->lock);
	return xa_load(&viommu->endpoints, id);
}

/**
 * vhost_iommu_endpoints_broken - Count the endpoints that are out of use
 * @viommu: The device
 *
 * Return: Their number.
 */
unsigned int vhost_iommu_endpoints_broken(struct vhost_iommu *viommu)
{
	struct vhost_iommu_endpoint *ep;
	unsigned int nr = 0;
	unsigned long id;

	lockdep_assert_held(&viommu->lock);

	xa_for_each(&viommu->endpoints, id, ep)
		nr += ep->group->broken;
	return nr;
}

static struct vhost_iommu_group *
vhost_iommu_group_get(struct vhost_iommu *viommu,
		      const struct vhost_iommu_add_endpoint *args)
{
	bool shared = args->flags & VHOST_IOMMU_EP_GROUP;
	struct vhost_iommu_group *group = NULL;
	int rc;

	if (shared)
		group = xa_load(&viommu->groups, args->group_id);
	if (group)
		return group;

	group = kzalloc_obj(*group, GFP_KERNEL_ACCOUNT);
	if (!group)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&group->endpoints);
	group->shared = shared;
	group->id = args->group_id;
	if (shared) {
		rc = xa_insert(&viommu->groups, group->id, group,
			       GFP_KERNEL_ACCOUNT);
		if (rc) {
			kfree(group);
			return ERR_PTR(rc);
		}
	}
	return group;
}

static void vhost_iommu_group_put(struct vhost_iommu *viommu,
				  struct vhost_iommu_group *group)
{
	if (!list_empty(&group->endpoints))
		return;
	if (group->shared)
		xa_erase(&viommu->groups, group->id);
	kfree(group);
}

static struct vhost_iommu_endpoint *
vhost_iommu_endpoint_alloc(const struct vhost_iommu_add_endpoint *args)
{
	struct vhost_iommu_resv *resv __free(kfree) = NULL;
	void *probe __free(kvfree) = NULL;
	struct vhost_iommu_endpoint *ep;
	int i, nr;

	probe = kvmalloc(max(args->probe_len, 1U), GFP_KERNEL_ACCOUNT);
	resv = kmalloc_objs(*resv, VHOST_IOMMU_MAX_RESV);
	if (!probe || !resv)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(probe, u64_to_user_ptr(args->probe_addr),
			   args->probe_len))
		return ERR_PTR(-EFAULT);
	nr = vhost_iommu_probe_check(probe, args->probe_len, resv,
				     VHOST_IOMMU_MAX_RESV);
	if (nr < 0)
		return ERR_PTR(nr);

	ep = kzalloc_flex(*ep, resv, nr, GFP_KERNEL_ACCOUNT);
	if (!ep)
		return ERR_PTR(-ENOMEM);
	ep->nr_resv = nr;
	for (i = 0; i < nr; i++) {
		ep->resv[i].start = resv[i].start;
		ep->resv[i].last = resv[i].last;
	}
	ep->id = args->endpoint;
	ep->flags = args->flags;
	ep->dev_id = args->dev_id;
	ep->ram_hwpt = args->ram_hwpt_id;
	ep->virt_id = args->virt_id;
	ep->probe = no_free_ptr(probe);
	ep->probe_len = args->probe_len;
	return ep;
}

static void vhost_iommu_endpoint_free(struct vhost_iommu_endpoint *ep)
{
	if (ep->file)
		fput(ep->file);
	kvfree(ep->probe);
	kfree(ep);
}

/* Attach a device, the first of its group or a further one, where it belongs */
static int vhost_iommu_device_join(struct vhost_iommu *viommu,
				   struct vhost_iommu_group *group,
				   struct vhost_iommu_endpoint *ep)
{
	struct vhost_iommu_domain *domain = vhost_iommu_group_domain(group);
	u32 ram = vhost_iommu_group_ram(group) ?: ep->ram_hwpt;
	u32 pt_id = group->blocked_hwpt;
	int rc;

	if (group->broken)
		return -EIO;
	if (!group->blocked_hwpt) {
		rc = vhost_iommu_host_attach_first(viommu, ep->file, ep->dev_id,
						   ep->nest,
						   &group->blocked_hwpt);
		if (rc)
			return rc;
		pt_id = group->blocked_hwpt;
	}
	if (domain && domain->kind == VHOST_IOMMU_PAGING) {
		rc = vhost_iommu_domain_set_device(viommu, domain);
		if (rc)
			goto out_detach;
		pt_id = domain->ioas;
	} else if (domain && domain->kind == VHOST_IOMMU_TABLE) {
		pt_id = group->table_hwpt;
	} else if (domain || (viommu->bypass && ram)) {
		pt_id = ram;
	}
	rc = vhost_iommu_host_attach(viommu, ep->file, pt_id);
	if (!rc) {
		group->bypass = !domain && viommu->bypass && ram;
		return 0;
	}
out_detach:
	vhost_iommu_host_detach(viommu, ep->file);
	if (!vhost_iommu_group_device(group)) {
		vhost_iommu_host_destroy(viommu, group->blocked_hwpt);
		group->blocked_hwpt = 0;
	}
	return rc == -ENOMEM || rc == -EFAULT || rc == -EPERM ? rc : -EIO;
}

/* Find the vIOMMU of a device whose endpoint can have tables of the guest */
static int vhost_iommu_device_nest(struct vhost_iommu *viommu,
				   struct vhost_iommu_endpoint *ep, u32 id)
{
	struct vhost_iommu_nest *nest = vhost_iommu_nest_find(viommu, id);
	struct vhost_iommu_hw hw;
	int rc;

	if (!nest)
		return -ENOENT;
	rc = vhost_iommu_host_hw_info(viommu, ep->dev_id, &hw, &ep->ats,
				      &ep->pasid_bits);
	if (rc)
		return rc == -ENOMEM || rc == -EFAULT || rc == -EPERM ? rc :
								       -EIO;
	if (hw.type != nest->format->hw_type)
		return -EINVAL;
	rc = xa_insert(&nest->endpoints, ep->virt_id, ep, GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc == -EBUSY ? -EEXIST : rc;
	/* It is the same for all devices that can be behind it */
	nest->hw = hw;
	nest->users++;
	ep->nest = nest;
	return 0;
}

static void vhost_iommu_device_unnest(struct vhost_iommu_endpoint *ep)
{
	if (!ep->nest)
		return;
	xa_erase(&ep->nest->endpoints, ep->virt_id);
	ep->nest->users--;
	ep->nest = NULL;
}

static int vhost_iommu_device_add(struct vhost_iommu *viommu,
				  struct vhost_iommu_group *group,
				  struct vhost_iommu_endpoint *ep,
				  const struct vhost_iommu_add_endpoint *args)
{
	int rc;

	rc = vhost_iommu_host_get_device(viommu, args->device_fd, args->dev_id,
					 &ep->file);
	if (rc)
		return rc;
	if (ep->ram_hwpt) {
		rc = vhost_iommu_host_check_hwpt(viommu, ep->ram_hwpt);
		if (rc)
			return rc;
	}
	if (args->flags & VHOST_IOMMU_EP_TABLE) {
		rc = vhost_iommu_device_nest(viommu, ep, args->viommu_id);
		if (rc)
			return rc;
	}
	if (vhost_iommu_group_device(group) && group->nest != ep->nest)
		rc = -EINVAL;
	else
		rc = vhost_iommu_device_join(viommu, group, ep);
	if (rc)
		vhost_iommu_device_unnest(ep);
	else
		group->nest = ep->nest;
	return rc;
}

static void vhost_iommu_device_leave(struct vhost_iommu *viommu,
				     struct vhost_iommu_group *group,
				     struct vhost_iommu_endpoint *ep)
{
	vhost_iommu_host_detach(viommu, ep->file);
	vhost_iommu_device_unnest(ep);
	if (vhost_iommu_group_device(group))
		return;
	vhost_iommu_group_drop_table(viommu, group);
	vhost_iommu_host_destroy(viommu, group->blocked_hwpt);
	group->blocked_hwpt = 0;
	group->nest = NULL;
	group->broken = false;
}

/**
 * vhost_iommu_endpoint_add - Add an endpoint
 * @viommu: The device
 * @args: From VHOST_IOMMU_ADD_ENDPOINT, size and flags checked
 *
 * Context: ioctl of the owner.
 * Return: 0 or the errno of VHOST_IOMMU_ADD_ENDPOINT.
 */
int vhost_iommu_endpoint_add(struct vhost_iommu *viommu,
			     const struct vhost_iommu_add_endpoint *args)
{
	struct vhost_iommu_group *group;
	struct vhost_iommu_endpoint *ep;
	int rc;

	lockdep_assert_held(&viommu->lock);

	if (xa_load(&viommu->endpoints, args->endpoint))
		return -EEXIST;
	if (viommu->nr_endpoints >= VHOST_IOMMU_MAX_ENDPOINTS)
		return -ENOSPC;

	ep = vhost_iommu_endpoint_alloc(args);
	if (IS_ERR(ep))
		return PTR_ERR(ep);
	group = vhost_iommu_group_get(viommu, args);
	if (IS_ERR(group)) {
		rc = PTR_ERR(group);
		goto out_free;
	}
	rc = xa_insert(&viommu->endpoints, ep->id, ep, GFP_KERNEL_ACCOUNT);
	if (rc)
		goto out_group;

	if (args->flags & VHOST_IOMMU_EP_DEVICE) {
		rc = vhost_iommu_device_add(viommu, group, ep, args);
		if (rc)
			goto out_erase;
	} else if (!vhost_iommu_group_device(group)) {
		group->bypass = !group->attached && viommu->bypass;
	}

	ep->group = group;
	list_add_tail(&ep->group_node, &group->endpoints);
	viommu->nr_endpoints++;
	vhost_iommu_trace_endpoint(viommu, ep, 0);
	return 0;

out_erase:
	xa_erase(&viommu->endpoints, ep->id);
out_group:
	vhost_iommu_group_put(viommu, group);
out_free:
	vhost_iommu_endpoint_free(ep);
	return rc;
}

/**
 * vhost_iommu_endpoint_remove - Remove an endpoint
 * @viommu: The device
 * @id: Endpoint ID
 *
 * Context: ioctl of the owner; drops the device's file reference.
 * Return: 0 or -ENOENT.
 */
int vhost_iommu_endpoint_remove(struct vhost_iommu *viommu, u32 id)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_endpoint *ep;
	struct vhost_iommu_group *group;

	ep = vhost_iommu_endpoint_find(viommu, id);
	if (!ep)
		return -ENOENT;
	group = ep->group;
	domain = ep->domain;
	if (domain)
		vhost_iommu_domain_unlink(ep);
	list_del(&ep->group_node);
	/* Blocks it, unless other devices of the group remain */
	if (ep->file)
		vhost_iommu_device_leave(viommu, group, ep);
	if (domain && !group->attached && !list_empty(&group->endpoints))
		vhost_iommu_group_idle(viommu, group);
	if (domain)
		vhost_iommu_domain_release(viommu, domain, true);
	vhost_iommu_nests_flush(viommu);

	xa_erase(&viommu->endpoints, id);
	viommu->nr_endpoints--;
	trace_vhost_iommu_endpoint(viommu, id, VHOST_IOMMU_STATE_BLOCKED, 0, 0);
	vhost_iommu_group_put(viommu, group);
	vhost_iommu_endpoint_free(ep);
	return 0;
}

/**
 * vhost_iommu_endpoints_free - Free all endpoints and domains
 * @viommu: The device, which nothing else can reach any more
 *
 * For the release of the file: the owner's address space may be gone, so no
 * command is made. Devices stay attached to what they are attached to until
 * their own files are closed.
 */
void vhost_iommu_endpoints_free(struct vhost_iommu *viommu)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_endpoint *ep;
	unsigned long id;

	lockdep_assert_held(&viommu->lock);

	xa_for_each(&viommu->endpoints, id, ep) {
		if (ep->domain)
			vhost_iommu_domain_unlink(ep);
		list_del(&ep->group_node);
		vhost_iommu_group_put(viommu, ep->group);
		vhost_iommu_device_unnest(ep);
		vhost_iommu_endpoint_free(ep);
		cond_resched();
	}
	xa_for_each(&viommu->domains, id, domain)
		vhost_iommu_domain_release(viommu, domain, false);
	xa_destroy(&viommu->endpoints);
	xa_destroy(&viommu->groups);
	xa_destroy(&viommu->domains);
}

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

/* What an endpoint is to be attached to */
struct vhost_iommu_target {
	enum vhost_iommu_domain_kind kind;
	u32 domain;
	const struct vhost_iommu_table *table;
};

/* Find or make what the devices of a group are attached to in a domain */
static int vhost_iommu_attach_prepare(struct vhost_iommu *viommu,
				      struct vhost_iommu_group *group,
				      struct vhost_iommu_domain *domain,
				      const struct vhost_iommu_target *target,
				      u32 *pt_id)
{
	struct vhost_iommu_endpoint *device = vhost_iommu_group_device(group);
	int rc;

	switch (target->kind) {
	case VHOST_IOMMU_PAGING:
		rc = vhost_iommu_domain_set_device(viommu, domain);
		*pt_id = domain->ioas;
		return rc;
	case VHOST_IOMMU_BYPASS:
		*pt_id = vhost_iommu_group_ram(group);
		return 0;
	default:
		return vhost_iommu_host_table_alloc(viommu, group->nest,
						    device->dev_id,
						    target->table, pt_id);
	}
}

/*
 * Move the hardware for an endpoint that is alone in its group's domain. The
 * HWPT of the guest's tables that it leaves goes when nothing is attached to it
 * any more.
 */
static int vhost_iommu_attach_device(struct vhost_iommu *viommu,
				     struct vhost_iommu_endpoint *ep,
				     struct vhost_iommu_domain *domain,
				     const struct vhost_iommu_target *target)
{
	struct vhost_iommu_endpoint *device = vhost_iommu_group_device(ep->group);
	bool table = target->kind == VHOST_IOMMU_TABLE;
	struct vhost_iommu_domain *old = ep->domain;
	struct vhost_iommu_group *group = ep->group;
	u32 pt_id;
	int rc;

	rc = vhost_iommu_attach_prepare(viommu, group, domain, target, &pt_id);
	if (rc)
		return rc;
	rc = vhost_iommu_group_move(viommu, group, pt_id);
	if (!rc) {
		vhost_iommu_group_drop_table(viommu, group);
		group->table_hwpt = table ? pt_id : 0;
		group->table_ats = table && target->table->ats;
		group->bypass = false;
		if (target->kind == VHOST_IOMMU_PAGING && !domain->maps.count)
			vhost_iommu_host_settle(viommu, device->dev_id,
						pt_id);
		return 0;
	}
	if (old)
		vhost_iommu_domain_unlink(ep);
	vhost_iommu_group_block(viommu, group);
	/* It may have been attached all the same, until now */
	if (table)
		vhost_iommu_host_destroy(viommu, pt_id);
	if (old)
		vhost_iommu_domain_release(viommu, old, true);
	return rc;
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
	return target->kind != VHOST_IOMMU_TABLE ||
	       (vhost_iommu_same_table(domain, ep->group, target->table) &&
		ep->group->table_ats == target->table->ats);
}

static u8 vhost_iommu_attach_to(struct vhost_iommu *viommu,
				struct vhost_iommu_endpoint *ep,
				const struct vhost_iommu_target *target)
{
	struct vhost_iommu_domain *domain, *old = ep->domain, *current_domain;
	struct vhost_iommu_group *group = ep->group;
	bool alone = group->attached == !!old;
	int rc = 0;

	current_domain = vhost_iommu_group_domain(group);
	if (!alone && current_domain->id != target->domain)
		return VIRTIO_IOMMU_S_UNSUPP;

	domain = vhost_iommu_attach_domain(viommu, ep, target);
	if (IS_ERR(domain))
		return vhost_iommu_errno_to_status(PTR_ERR(domain));
	if (vhost_iommu_is_attached(ep, domain, target))
		return VIRTIO_IOMMU_S_OK;
	/* The others of the group would be moved, too */
	if (!alone && target->kind == VHOST_IOMMU_TABLE &&
	    group->table_ats != target->table->ats)
		return VIRTIO_IOMMU_S_UNSUPP;
	if (!vhost_iommu_domain_fits(domain, ep)) {
		vhost_iommu_domain_release(viommu, domain, true);
		return VIRTIO_IOMMU_S_UNSUPP;
	}
	if (alone && vhost_iommu_group_device(group))
		rc = vhost_iommu_attach_device(viommu, ep, domain, target);
	if (rc) {
		/* That of an endpoint that came back to it is gone already */
		if (domain != old)
			vhost_iommu_domain_release(viommu, domain, true);
		vhost_iommu_nests_flush(viommu);
		vhost_iommu_trace_endpoint(viommu, ep, rc);
		return vhost_iommu_attach_status(rc);
	}
	if (old)
		vhost_iommu_domain_unlink(ep);
	group->bypass = false;
	if (target->kind == VHOST_IOMMU_TABLE) {
		domain->format = group->nest->format;
		memcpy(domain->table.data, target->table->data,
		       sizeof(domain->table.data));
	}
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
 * Return: The status for the guest. If the IOMMU refused, the endpoint is in no
 * domain and blocked; otherwise, if not OK, nothing was changed.
 */
u8 vhost_iommu_attach(struct vhost_iommu *viommu,
		      const struct vhost_iommu_req *req)
{
	struct vhost_iommu_target target = {
		.kind = req->flags & VIRTIO_IOMMU_ATTACH_F_BYPASS ?
			VHOST_IOMMU_BYPASS : VHOST_IOMMU_PAGING,
		.domain = req->domain,
	};
	struct vhost_iommu_endpoint *ep;

	ep = vhost_iommu_endpoint_find(viommu, req->endpoint);
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	if (ep->group->broken)
		return VIRTIO_IOMMU_S_DEVERR;
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
 * Return: The status for the guest. If the IOMMU refused, the endpoint is in no
 * domain and blocked; otherwise, if not OK, nothing was changed.
 */
u8 vhost_iommu_attach_table(struct vhost_iommu *viommu,
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
	if (ep->group->broken || vhost_iommu_nests_flush(viommu))
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
 * through the domain any more.
 */
u8 vhost_iommu_detach(struct vhost_iommu *viommu,
		      const struct vhost_iommu_req *req)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_endpoint *ep;

	ep = vhost_iommu_endpoint_find(viommu, req->endpoint);
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	domain = ep->domain;
	if (!domain || (domain->id != req->domain &&
			domain->kind != VHOST_IOMMU_BYPASS))
		return VIRTIO_IOMMU_S_INVAL;

	vhost_iommu_domain_unlink(ep);
	if (!ep->group->attached)
		vhost_iommu_group_idle(viommu, ep->group);
	vhost_iommu_domain_release(viommu, domain, true);
	vhost_iommu_nests_flush(viommu);
	vhost_iommu_trace_endpoint(viommu, ep, 0);
	return VIRTIO_IOMMU_S_OK;
}
