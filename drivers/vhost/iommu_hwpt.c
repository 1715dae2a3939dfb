// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: page tables of an IOAS
 *
 * What devices of a paging domain are attached to. Those that one physical IOMMU
 * translates for share one, as long as they ask for the same kind of it; on the
 * IOAS are as many as that takes. One that is in use is in a domain that has the
 * devices of at least one group on it.
 */
#include <linux/list.h>
#include <linux/slab.h>

#include "iommu.h"

static void vhost_iommu_hwpt_free(struct vhost_iommu *viommu,
				  struct vhost_iommu_hwpt *hwpt)
{
	vhost_iommu_host_destroy(viommu, hwpt->id);
	list_del(&hwpt->node);
	kfree(hwpt);
}

/* One more HWPT, which nobody uses yet */
static struct vhost_iommu_hwpt *
vhost_iommu_hwpt_new(struct vhost_iommu *viommu, struct list_head *hwpts,
		     u32 ioas, const struct vhost_iommu_endpoint *ep)
{
	struct vhost_iommu_hwpt *hwpt __free(kfree) = NULL;
	int rc;

	hwpt = kzalloc_obj(*hwpt, GFP_KERNEL_ACCOUNT);
	if (!hwpt)
		return ERR_PTR(-ENOMEM);
	hwpt->ioas = ioas;
	hwpt->flags = ep->hwpt_flags;
	rc = vhost_iommu_host_hwpt_alloc(viommu, ep->dev_id, ioas, hwpt->flags,
					 NULL, NULL, &hwpt->id);
	if (rc)
		return ERR_PTR(rc);
	list_add_tail(&hwpt->node, hwpts);
	return no_free_ptr(hwpt);
}

/**
 * vhost_iommu_hwpt_attach - Attach a device and its group to an IOAS
 * @viommu: The device
 * @hwpts: HWPTs of the domain; one may be added
 * @ioas: The IOAS
 * @ep: The device
 * @wait: See vhost_iommu_device_attach()
 * @out: The HWPT that it is attached to, until vhost_iommu_hwpt_put()
 *
 * Whether an IOMMU can use the HWPT of another device, only trying tells.
 *
 * Return: 0, or the errno of vhost_iommu_device_attach() or of IOMMU_HWPT_ALLOC. An
 * HWPT that was made in vain stays: for the next attempt if the device is being reset,
 * or else because the device may be attached to it all the same, until the caller has
 * seen to that, and calls vhost_iommu_hwpts_trim().
 */
int vhost_iommu_hwpt_attach(struct vhost_iommu *viommu, struct list_head *hwpts,
			    u32 ioas, const struct vhost_iommu_endpoint *ep,
			    bool wait, struct vhost_iommu_hwpt **out)
{
	struct vhost_iommu_hwpt *hwpt;
	int rc;

	lockdep_assert_held_write(&viommu->lock);

	list_for_each_entry(hwpt, hwpts, node) {
		if (hwpt->ioas != ioas || hwpt->flags != ep->hwpt_flags)
			continue;
		rc = vhost_iommu_device_try(viommu, ep->file, hwpt->id, wait);
		if (!rc)
			goto out_use;
		if (rc != -EINVAL) {
			if (rc != -EAGAIN)
				atomic64_inc(&viommu->host.errors);
			return rc;
		}
	}
	hwpt = vhost_iommu_hwpt_new(viommu, hwpts, ioas, ep);
	if (IS_ERR(hwpt)) {
		atomic64_inc(&viommu->host.errors);
		return PTR_ERR(hwpt);
	}
	rc = vhost_iommu_device_attach(viommu, ep->file, hwpt->id, wait);
	if (rc)
		return rc;
out_use:
	hwpt->users++;
	*out = hwpt;
	return 0;
}

/**
 * vhost_iommu_hwpt_put - Use an HWPT no more
 * @viommu: The device
 * @hwpt: The HWPT; destroyed when no group uses it
 */
void vhost_iommu_hwpt_put(struct vhost_iommu *viommu,
			  struct vhost_iommu_hwpt *hwpt)
{
	lockdep_assert_held_write(&viommu->lock);

	if (!--hwpt->users)
		vhost_iommu_hwpt_free(viommu, hwpt);
}

/**
 * vhost_iommu_hwpts_trim - Destroy what is left of HWPTs that nobody uses
 * @viommu: The device
 * @hwpts: HWPTs of a domain
 */
void vhost_iommu_hwpts_trim(struct vhost_iommu *viommu, struct list_head *hwpts)
{
	struct vhost_iommu_hwpt *hwpt, *tmp;

	lockdep_assert_held_write(&viommu->lock);

	list_for_each_entry_safe(hwpt, tmp, hwpts, node)
		if (!hwpt->users)
			vhost_iommu_hwpt_free(viommu, hwpt);
}

/**
 * vhost_iommu_hwpts_forget - Leave all HWPTs of a domain to the iommufd
 * @hwpts: They
 *
 * For the release of the file, which makes no command.
 */
void vhost_iommu_hwpts_forget(struct list_head *hwpts)
{
	struct vhost_iommu_hwpt *hwpt, *tmp;

	list_for_each_entry_safe(hwpt, tmp, hwpts, node) {
		list_del(&hwpt->node);
		kfree(hwpt);
	}
}
