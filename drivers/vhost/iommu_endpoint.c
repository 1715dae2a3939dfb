// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: endpoints
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

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

	lockdep_assert_held_write(&viommu->lock);

	viommu->bypass = bypass;
	xa_for_each(&viommu->endpoints, id, ep) {
		struct vhost_iommu_group *group = ep->group;

		if (!vhost_iommu_group_leader(ep) || group->attached)
			continue;
		if (vhost_iommu_group_idle(viommu, group))
			rc = -EIO;
		vhost_iommu_trace_endpoint(viommu, ep, rc);
	}
	return rc;
}

static void vhost_iommu_reset_begin(struct vhost_iommu *viommu)
{
	if (viommu->reset.active)
		return;
	memset(&viommu->reset, 0, sizeof(viommu->reset));
	WRITE_ONCE(viommu->reset.active, true);
}

/* First, no endpoint is in a domain any more. Returns 0 or -EAGAIN. */
static int vhost_iommu_reset_unlink(struct vhost_iommu *viommu)
{
	struct vhost_iommu_resetting *reset = &viommu->reset;
	struct vhost_iommu_endpoint *ep;
	unsigned int nr = 0;

	for (;;) {
		ep = xa_find(&viommu->endpoints, &reset->linked, U32_MAX,
			     XA_PRESENT);
		if (!ep)
			return 0;
		if (nr++ == VHOST_IOMMU_PIECE_MAPS)
			return -EAGAIN;
		if (ep->domain)
			vhost_iommu_domain_unlink(ep);
		reset->linked++;
	}
}

/* An HWPT takes as long to go as it has mappings. Returns 0 or -EAGAIN. */
static int vhost_iommu_reset_drain(struct vhost_iommu *viommu)
{
	struct vhost_iommu_resetting *reset = &viommu->reset;
	struct vhost_iommu_domain *domain;
	unsigned int nr = 0;
	int rc;

	for (;;) {
		domain = xa_find(&viommu->domains, &reset->domain, U32_MAX,
				 XA_PRESENT);
		if (!domain)
			return 0;
		if (nr++ == VHOST_IOMMU_PIECE_MAPS)
			return -EAGAIN;
		rc = vhost_iommu_domain_drain(viommu, domain);
		if (rc)
			return rc;
		reset->domain++;
	}
}

/*
 * Once for each group: at its first member. Devices move one group at a time.
 * Returns 0 or -EAGAIN.
 */
static int vhost_iommu_reset_groups(struct vhost_iommu *viommu)
{
	struct vhost_iommu_resetting *reset = &viommu->reset;
	struct vhost_iommu_endpoint *ep;
	unsigned int nr = 0;
	int rc;

	for (;;) {
		ep = xa_find(&viommu->endpoints, &reset->endpoint, U32_MAX,
			     XA_PRESENT);
		if (!ep)
			return 0;
		if (nr++ == VHOST_IOMMU_PIECE_MAPS)
			return -EAGAIN;
		reset->endpoint++;
		if (!vhost_iommu_group_leader(ep))
			continue;
		rc = vhost_iommu_group_idle(viommu, ep->group);
		reset->failed += !!rc;
		vhost_iommu_trace_endpoint(viommu, ep, rc);
		if (vhost_iommu_group_device(ep->group))
			return -EAGAIN;
	}
}

static int vhost_iommu_reset_domains(struct vhost_iommu *viommu)
{
	struct vhost_iommu_domain *domain;
	unsigned int nr = 0;
	unsigned long id;

	xa_for_each(&viommu->domains, id, domain) {
		if (nr++ == VHOST_IOMMU_PIECE_MAPS)
			return -EAGAIN;
		vhost_iommu_domain_release(viommu, domain, true);
	}
	return 0;
}

/**
 * vhost_iommu_endpoints_reset - Take all endpoints out of all domains
 * @viommu: The device, which is not running
 *
 * VIRTIO 1.3, section 5.13.5: after a device reset no endpoint is attached. How far
 * it is says &vhost_iommu.reset.
 *
 * Return: 0; -EAGAIN if there is more to do; or -EIO if an endpoint is broken or
 * could not be put into bypass, or the IOMMU's TLBs could not be cleared.
 */
int vhost_iommu_endpoints_reset(struct vhost_iommu *viommu)
{
	struct vhost_iommu_resetting *reset = &viommu->reset;
	int rc;

	lockdep_assert_held_write(&viommu->lock);

	vhost_iommu_reset_begin(viommu);
	rc = vhost_iommu_reset_unlink(viommu) ?:
	     vhost_iommu_reset_drain(viommu) ?:
	     vhost_iommu_reset_groups(viommu) ?:
	     vhost_iommu_reset_domains(viommu);
	if (rc)
		return rc;
	WRITE_ONCE(reset->active, false);
	/* Every device is where it is known to be */
	if (!reset->failed && !viommu->host.lost_for_good)
		viommu->host.lost = false;
	return vhost_iommu_nests_flush(viommu) || reset->failed ? -EIO : 0;
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
		ep->resv[i].msi = resv[i].msi;
	}
	ep->id = args->endpoint;
	ep->flags = args->flags;
	ep->dev_id = args->dev_id;
	ep->ram_hwpt = args->ram_hwpt_id;
	ep->hwpt_flags = args->hwpt_flags;
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

static int vhost_iommu_join_errno(int rc)
{
	switch (rc) {
	case -EAGAIN:
	case -ENOMEM:
	case -EFAULT:
	case -EPERM:
		return rc;
	default:
		return -EIO;
	}
}

/* Attach a device, the first of its group or a further one, where it belongs */
static int vhost_iommu_device_join(struct vhost_iommu *viommu,
				   struct vhost_iommu_group *group,
				   struct vhost_iommu_endpoint *ep)
{
	struct vhost_iommu_domain *domain = group->hw;
	u32 ram = vhost_iommu_group_ram(group) ?: ep->ram_hwpt;
	u32 pt_id = group->blocked_hwpt;
	int rc;

	if (vhost_iommu_group_revive(viommu, group, true))
		return -EIO;
	/* Goes in pieces: nothing was changed before */
	if (domain && domain->kind == VHOST_IOMMU_PAGING && !group->hwpt) {
		rc = vhost_iommu_domain_set_device(viommu, domain);
		if (rc)
			return vhost_iommu_join_errno(rc);
	}
	if (!group->blocked_hwpt) {
		rc = vhost_iommu_device_attach_first(viommu, ep->file,
						     ep->dev_id, ep->hwpt_flags,
						     ep->nest,
						     &group->blocked_hwpt);
		if (rc)
			return rc;
		pt_id = group->blocked_hwpt;
	}
	if (domain && domain->kind == VHOST_IOMMU_PAGING && !group->hwpt) {
		rc = vhost_iommu_group_enter_ioas(viommu, group, ep,
						  &domain->hwpts, domain->ioas,
						  true);
		if (rc)
			goto out_detach;
		return 0;
	}
	if (group->hwpt)
		pt_id = group->hwpt->id;
	else if (domain && domain->kind == VHOST_IOMMU_TABLE)
		pt_id = group->table_hwpt;
	else if (domain || (!group->attached && viommu->bypass && ram))
		pt_id = ram;
	rc = vhost_iommu_device_attach(viommu, ep->file, pt_id, true);
	if (!rc) {
		vhost_iommu_group_set(viommu, group, domain,
				      !group->attached && viommu->bypass &&
				      ram);
		return 0;
	}
out_detach:
	vhost_iommu_device_let_go(viommu, ep->file);
	if (domain)
		vhost_iommu_hwpts_trim(viommu, &domain->hwpts);
	if (!vhost_iommu_group_device(group)) {
		vhost_iommu_device_unblock(viommu, ep->nest, group->blocked_hwpt);
		group->blocked_hwpt = 0;
	}
	return vhost_iommu_join_errno(rc);
}

/* Find the vIOMMU of a device whose endpoint can have tables of the guest */
static int vhost_iommu_device_nest(struct vhost_iommu *viommu,
				   struct vhost_iommu_endpoint *ep, u32 handle)
{
	struct vhost_iommu_nest *nest = vhost_iommu_nest_find(viommu, handle);
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

	if (!ep->file) {
		rc = vhost_iommu_host_get_device(viommu, args->device_fd,
						 args->dev_id, &ep->file);
		if (rc)
			return rc;
	}
	if (ep->ram_hwpt) {
		rc = vhost_iommu_host_check_hwpt(viommu, ep->ram_hwpt);
		if (rc)
			return rc;
	}
	rc = vhost_iommu_device_check_flags(viommu, ep->dev_id, ep->hwpt_flags);
	if (rc)
		return rc;
	if (args->flags & VHOST_IOMMU_EP_TABLE) {
		rc = vhost_iommu_device_nest(viommu, ep, args->viommu);
		if (rc)
			return rc;
	}
	if (vhost_iommu_group_device(group) &&
	    (group->nest != ep->nest || group->hwpt_flags != ep->hwpt_flags))
		rc = -EINVAL;
	else
		rc = vhost_iommu_device_join(viommu, group, ep);
	if (rc) {
		vhost_iommu_device_unnest(ep);
		return rc;
	}
	group->nest = ep->nest;
	group->hwpt_flags = ep->hwpt_flags;
	return 0;
}

static void vhost_iommu_device_leave(struct vhost_iommu *viommu,
				     struct vhost_iommu_group *group,
				     struct vhost_iommu_endpoint *ep)
{
	struct vhost_iommu_nest *nest = ep->nest;

	vhost_iommu_device_let_go(viommu, ep->file);
	vhost_iommu_device_unnest(ep);
	viommu->nr_devices--;
	if (vhost_iommu_group_device(group))
		return;
	vhost_iommu_group_drop_hwpt(viommu, group);
	vhost_iommu_device_unblock(viommu, nest, group->blocked_hwpt);
	group->blocked_hwpt = 0;
	group->nest = NULL;
	vhost_iommu_group_set_broken(viommu, group, false);
}

static int vhost_iommu_endpoint_enter(struct vhost_iommu *viommu,
				      struct vhost_iommu_endpoint *ep,
				      const struct vhost_iommu_add_endpoint *args)
{
	struct vhost_iommu_group *group;
	int rc = 0;

	lockdep_assert_held_write(&viommu->lock);

	if (xa_load(&viommu->endpoints, args->endpoint))
		return -EEXIST;
	if (viommu->nr_endpoints >= VHOST_IOMMU_MAX_ENDPOINTS)
		return -ENOSPC;
	group = vhost_iommu_group_get(viommu, args);
	if (IS_ERR(group))
		return PTR_ERR(group);
	rc = xa_insert(&viommu->endpoints, ep->id, ep, GFP_KERNEL_ACCOUNT);
	if (!rc) {
		if (args->flags & VHOST_IOMMU_EP_DEVICE)
			rc = vhost_iommu_device_add(viommu, group, ep, args);
		else if (!vhost_iommu_group_device(group))
			vhost_iommu_group_set(viommu, group, group->hw,
					      !group->attached &&
					      viommu->bypass);
		if (rc) {
			scoped_guard(write_lock, &viommu->xlat_lock)
				xa_erase(&viommu->endpoints, ep->id);
		}
	}
	if (rc) {
		vhost_iommu_group_put(viommu, group);
		return rc;
	}

	scoped_guard(write_lock, &viommu->xlat_lock)
		ep->group = group;
	list_add_tail(&ep->group_node, &group->endpoints);
	WRITE_ONCE(viommu->nr_endpoints, viommu->nr_endpoints + 1);
	WRITE_ONCE(viommu->nr_broken, viommu->nr_broken + group->broken);
	viommu->nr_devices += !!ep->file;
	vhost_iommu_trace_endpoint(viommu, ep, 0);
	return 0;
}

/**
 * vhost_iommu_endpoint_add - Add an endpoint
 * @viommu: The device
 * @args: From VHOST_IOMMU_ADD_ENDPOINT, size and flags checked
 *
 * Context: ioctl of the owner. Takes &vhost_iommu.lock: what it reads of the
 * owner's memory is read without.
 * Return: 0; -EAGAIN if a domain with mappings gets its first device, and there is
 * more to do; or the errno of VHOST_IOMMU_ADD_ENDPOINT.
 */
int vhost_iommu_endpoint_add(struct vhost_iommu *viommu,
			     const struct vhost_iommu_add_endpoint *args)
{
	struct vhost_iommu_endpoint *ep;
	int rc;

	ep = vhost_iommu_endpoint_alloc(args);
	if (IS_ERR(ep))
		return PTR_ERR(ep);
	rc = down_write_killable(&viommu->lock);
	if (!rc) {
		rc = vhost_iommu_endpoint_enter(viommu, ep, args);
		up_write(&viommu->lock);
	}
	if (rc)
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
	vhost_iommu_clients_leave(viommu, id);
	vhost_iommu_soft_no_notify(viommu, ep);
	/* Who translates has not found it, or is done with it and its domain */
	scoped_guard(write_lock, &viommu->xlat_lock) {
		xa_erase(&viommu->endpoints, id);
		vhost_iommu_log_endpoint(viommu, id);
	}
	vhost_iommu_soft_forget(viommu, id);
	if (domain)
		vhost_iommu_domain_unlink(ep);
	list_del(&ep->group_node);
	WRITE_ONCE(viommu->nr_broken, viommu->nr_broken - group->broken);
	/* Blocks it, unless other devices of the group remain */
	if (ep->file)
		vhost_iommu_device_leave(viommu, group, ep);
	if (domain && !list_empty(&group->endpoints))
		vhost_iommu_group_follow(viommu, group);
	if (domain)
		vhost_iommu_domain_release(viommu, domain, true);
	vhost_iommu_nests_flush(viommu);

	WRITE_ONCE(viommu->nr_endpoints, viommu->nr_endpoints - 1);
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

	lockdep_assert_held_write(&viommu->lock);

	xa_for_each(&viommu->endpoints, id, ep) {
		if (ep->domain)
			vhost_iommu_domain_unlink(ep);
		ep->group->hw = NULL;
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
