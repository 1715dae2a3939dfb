// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: devices behind endpoints, and how they are attached
 *
 * What takes more than one command of iommufd or VFIO: a device that is being reset
 * is tried again, the first one of a group gets something that blocks it.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>

#include "iommu.h"

/*
 * A PCI reset makes attaching fail with EBUSY for as long as it lasts, which is
 * never less than 100 ms. A request is tried again for longer than what can't be
 * put off.
 */
#define VHOST_IOMMU_ATTACH_TIMEOUT_MS	1000
#define VHOST_IOMMU_WAIT_MS		100

/*
 * Attaching fails with EBUSY while the device is reset. Returns whether that is
 * going on for no longer than it may.
 */
static bool vhost_iommu_device_is_busy(struct vhost_iommu_host *host, int rc,
				       unsigned int ms)
{
	unsigned long until = host->busy_until;

	if (rc == -EBUSY) {
		if (!until)
			/* 0 says that it is not busy */
			until = (jiffies + msecs_to_jiffies(ms)) | 1;
		else if (time_after(jiffies, until))
			until = 0;
	} else {
		until = 0;
	}
	WRITE_ONCE(host->busy_until, until);
	return until;
}

/**
 * vhost_iommu_device_try - Attach a device and its group, if the IOMMU can do it
 * @viommu: The device
 * @device: VFIO device
 * @pt_id: ID of an HWPT
 * @wait: Wait here while the device is reset, for up to 100 ms, unless somebody wants the
 *        device. If not, the caller tries again.
 *
 * Replaces what is attached, in one step.
 *
 * Return: 0; -EAGAIN, without @wait, if the device is being reset, which is not for
 * ever: nothing was changed; or the errno of VFIO_DEVICE_ATTACH_IOMMUFD_PT. After
 * an error but -EAGAIN the device may be attached to the old page table or to none.
 */
int vhost_iommu_device_try(struct vhost_iommu *viommu, struct file *device,
			   u32 pt_id, bool wait)
{
	struct vhost_iommu_host *host = &viommu->host;
	unsigned int ms;
	u32 id;
	int rc;

	ms = wait ? VHOST_IOMMU_WAIT_MS : VHOST_IOMMU_ATTACH_TIMEOUT_MS;
	if (wait)
		WRITE_ONCE(host->busy_until, 0);
	for (;;) {
		id = pt_id;
		rc = vhost_iommu_host_attach_once(viommu, device, &id);
		if (!vhost_iommu_device_is_busy(host, rc, ms))
			break;
		if (!wait)
			return -EAGAIN;
		if (READ_ONCE(viommu->wanted) || fatal_signal_pending(current))
			break;
		fsleep(USEC_PER_MSEC);
	}
	WRITE_ONCE(host->busy_until, 0);
	return rc;
}

/**
 * vhost_iommu_device_attach - Attach a device and its group to a page table
 * @viommu: The device
 * @device: VFIO device
 * @pt_id: ID of an HWPT
 * @wait: See vhost_iommu_device_try()
 *
 * Return: As vhost_iommu_device_try(), but nobody expects it to fail.
 */
int vhost_iommu_device_attach(struct vhost_iommu *viommu, struct file *device,
			      u32 pt_id, bool wait)
{
	int rc = vhost_iommu_device_try(viommu, device, pt_id, wait);

	if (rc && rc != -EAGAIN)
		atomic64_inc(&viommu->host.errors);
	return rc;
}

/**
 * vhost_iommu_device_table_alloc - Make an HWPT of tables of the guest
 * @viommu: The device
 * @nest: vIOMMU
 * @dev_id: A device behind it
 * @table: The tables
 * @hwpt: ID of the HWPT
 *
 * Return: 0 or the errno of IOMMU_HWPT_ALLOC.
 */
int vhost_iommu_device_table_alloc(struct vhost_iommu *viommu,
				   const struct vhost_iommu_nest *nest,
				   u32 dev_id,
				   const struct vhost_iommu_table *table,
				   u32 *hwpt)
{
	struct vhost_iommu_table full = *table;

	if (nest->format->host_table)
		nest->format->host_table(&nest->hw, &full);
	return vhost_iommu_host_hwpt_alloc(viommu, dev_id, nest->id, 0,
					   nest->format, &full, hwpt);
}

/**
 * vhost_iommu_device_check_flags - Tell whether HWPTs for a device can be so
 * @viommu: The device
 * @dev_id: A device
 * @flags: IOMMU_HWPT_ALLOC_*
 *
 * There is no other way to find out than to make one.
 *
 * Return: 0, -EOPNOTSUPP, or another errno of VHOST_IOMMU_ADD_ENDPOINT.
 */
int vhost_iommu_device_check_flags(struct vhost_iommu *viommu, u32 dev_id,
				   u32 flags)
{
	u32 ioas, hwpt;
	int rc;

	if (!flags)
		return 0;
	rc = vhost_iommu_host_ioas_alloc(viommu, &ioas);
	if (rc)
		return vhost_iommu_host_errno(viommu, rc);
	rc = vhost_iommu_host_hwpt_alloc(viommu, dev_id, ioas, flags, NULL,
					 NULL, &hwpt);
	if (!rc)
		vhost_iommu_host_destroy(viommu, hwpt);
	vhost_iommu_host_destroy(viommu, ioas);
	return rc == -EOPNOTSUPP || rc == -EINVAL ?
	       -EOPNOTSUPP : vhost_iommu_host_errno(viommu, rc);
}

/**
 * vhost_iommu_device_settle - Have iommufd find the only HWPT of an IOAS at once
 * @viommu: The device
 * @dev_id: A device that is attached to an HWPT of the IOAS
 * @ioas: The IOAS, best without mappings
 *
 * iommufd looks through an xarray of HWPTs for each area that is mapped or
 * unmapped. It stores the first HWPT over a reservation, and so in a node whose
 * 64 slots are all looked at each time, which is a quarter of what a MAP or
 * UNMAP costs. When another HWPT goes, the first one becomes the xarray's only
 * entry, without a node. Nothing but time is lost if that fails.
 */
void vhost_iommu_device_settle(struct vhost_iommu *viommu, u32 dev_id, u32 ioas)
{
	u32 hwpt;

	if (!vhost_iommu_host_hwpt_alloc(viommu, dev_id, ioas, 0, NULL, NULL,
					 &hwpt))
		vhost_iommu_host_destroy(viommu, hwpt);
}

/**
 * vhost_iommu_device_let_go - Detach a device that is no endpoint, or is going to be none
 * @viommu: The device
 * @device: VFIO device
 */
void vhost_iommu_device_let_go(struct vhost_iommu *viommu, struct file *device)
{
	if (vhost_iommu_host_detach(viommu, device))
		viommu->host.lost_for_good = true;
}

/* The HWPT that blocks a group. The empty IOAS lives as long as there is one */
static int vhost_iommu_device_block(struct vhost_iommu *viommu, u32 dev_id,
				    u32 flags, u32 *hwpt)
{
	struct vhost_iommu_host *host = &viommu->host;
	int rc = 0;

	if (!host->blocked_users)
		rc = vhost_iommu_host_ioas_alloc(viommu, &host->blocked_ioas);
	if (rc)
		return rc;
	rc = vhost_iommu_host_hwpt_alloc(viommu, dev_id, host->blocked_ioas,
					 flags, NULL, NULL, hwpt);
	if (!rc)
		host->blocked_users++;
	else if (!host->blocked_users)
		vhost_iommu_host_destroy(viommu, host->blocked_ioas);
	return rc;
}

/**
 * vhost_iommu_device_unblock - Destroy what blocked a group
 * @viommu: The device
 * @nest: vIOMMU of the group, or NULL
 * @hwpt: From vhost_iommu_device_attach_first(); nothing is attached to it
 */
void vhost_iommu_device_unblock(struct vhost_iommu *viommu,
				const struct vhost_iommu_nest *nest, u32 hwpt)
{
	vhost_iommu_host_destroy(viommu, hwpt);
	if (!nest && !--viommu->host.blocked_users)
		vhost_iommu_host_destroy(viommu, viommu->host.blocked_ioas);
}

/**
 * vhost_iommu_device_attach_first - Block the first device of a group
 * @viommu: The device
 * @device: VFIO device, in any state of attachment
 * @dev_id: Its ID in the iommufd
 * @flags: What its HWPTs are made with, IOMMU_HWPT_ALLOC_*
 * @nest: Its vIOMMU, or NULL
 * @hwpt: ID of the HWPT that blocks the group from now on
 *
 * Nothing exported tells which iommufd a device is bound to; IDs are looked up
 * in its own. But an HWPT of ours that the device is attached to is in use: if
 * it can be destroyed, the device took one of the same number elsewhere.
 *
 * Return: 0 or the errno of VHOST_IOMMU_ADD_ENDPOINT. After an error the
 * device is detached.
 */
int vhost_iommu_device_attach_first(struct vhost_iommu *viommu,
				    struct file *device, u32 dev_id, u32 flags,
				    struct vhost_iommu_nest *nest, u32 *hwpt)
{
	u32 id;
	int rc;

	if (nest)
		rc = vhost_iommu_device_table_alloc(viommu, nest, dev_id,
						    &nest->format->blocked,
						    &id);
	else
		rc = vhost_iommu_device_block(viommu, dev_id, flags, &id);
	/* There is no such vIOMMU, or it is one of another physical IOMMU */
	if (nest && (rc == -ENOENT || rc == -EINVAL || rc == -EOPNOTSUPP))
		return -EINVAL;
	if (rc)
		return vhost_iommu_host_errno(viommu, rc);

	rc = vhost_iommu_device_attach(viommu, device, id, true);
	if (rc) {
		vhost_iommu_device_let_go(viommu, device);
		vhost_iommu_device_unblock(viommu, nest, id);
		return rc == -ENOENT ? -EXDEV :
				       vhost_iommu_host_errno(viommu, rc);
	}

	rc = vhost_iommu_host_try_destroy(viommu, id);
	if (rc != -EBUSY) {
		vhost_iommu_device_let_go(viommu, device);
		if (!nest && !--viommu->host.blocked_users)
			vhost_iommu_host_destroy(viommu,
						 viommu->host.blocked_ioas);
		return rc ? vhost_iommu_host_errno(viommu, rc) : -EXDEV;
	}
	*hwpt = id;
	return 0;
}
