// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: iommufd and VFIO commands
 *
 * iommufd and VFIO have no interface for modules that reaches another
 * process's objects, so their ioctls are called on the files that the VMM
 * handed over, in the VMM's address space: in ioctl context, in a thread of the
 * VMM that kicks, or in the vhost worker, which shares it. What the module does
 * this way the VMM could have done itself.
 *
 * The worker has no file table (current->files is NULL): only commands that
 * neither take nor return a file descriptor may be called, and no file
 * reference is dropped there, as the last one would be put off until the worker
 * exits.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/jiffies.h>
#include <linux/magic.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/vfio.h>
#include <uapi/linux/iommufd.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

/*
 * iommufd walks the pages of a COPY without rescheduling. This many bytes keep
 * one call below some 10 ms, and a guest-sized mapping at a few thousand areas.
 */
#define VHOST_IOMMU_COPY_MAX		((u64)SZ_256M)

/* A PCI reset makes attaching fail with EBUSY for as long as it lasts */
#define VHOST_IOMMU_ATTACH_TIMEOUT_MS	100

/* The scratch area begins with a command's argument */
#define VHOST_IOMMU_ARG_MAX		64

static_assert(VHOST_IOMMU_ARG_MAX + VHOST_IOMMU_CALL_CMDS *
	      sizeof(struct vhost_iommu_cmd) <= VHOST_IOMMU_SCRATCH_SIZE);

static int vhost_iommu_host_cmd(struct vhost_iommu *viommu, struct file *file,
				unsigned int cmd, const void *arg, size_t len)
{
	void __user *scratch = viommu->host.scratch;
	int rc;

	lockdep_assert_held(&viommu->lock);

	rc = security_file_ioctl(file, cmd, (unsigned long)scratch);
	if (rc)
		rc = -EPERM;
	if (!rc && copy_to_user(scratch, arg, len))
		rc = -EFAULT;
	if (!rc)
		rc = file->f_op->unlocked_ioctl(file, cmd,
						(unsigned long)scratch);
	if (rc == -ENOIOCTLCMD)
		rc = -ENOTTY;
	trace_vhost_iommu_host_cmd(viommu, cmd, rc);
	return rc;
}

/* Where data goes that a command's argument points to */
static void __user *vhost_iommu_host_data(const struct vhost_iommu *viommu)
{
	return viommu->host.scratch + VHOST_IOMMU_ARG_MAX;
}

/* For a command that answers in its argument */
static int vhost_iommu_host_query(struct vhost_iommu *viommu, struct file *file,
				  unsigned int cmd, void *arg, size_t len)
{
	int rc = vhost_iommu_host_cmd(viommu, file, cmd, arg, len);

	if (!rc && copy_from_user(arg, viommu->host.scratch, len))
		rc = -EFAULT;
	return rc;
}

static int vhost_iommu_iommufd_cmd(struct vhost_iommu *viommu,
				   unsigned int cmd, const void *arg,
				   size_t len)
{
	return vhost_iommu_host_cmd(viommu, viommu->host.iommufd, cmd, arg,
				    len);
}

/* errno of an ioctl for a command whose failure nobody foresaw */
static int vhost_iommu_host_errno(struct vhost_iommu *viommu, int rc)
{
	switch (rc) {
	case 0:
	case -EPERM:
	case -EFAULT:
	case -ENOMEM:
		return rc;
	default:
		viommu->host.errors++;
		return -EIO;
	}
}

static int vhost_iommu_host_check_ioas(struct vhost_iommu *viommu, u32 ioas)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
	};
	int rc;

	rc = vhost_iommu_iommufd_cmd(viommu, IOMMU_IOAS_IOVA_RANGES, &cmd,
				     sizeof(cmd));
	/* There is room for no range, so this is the answer if it exists */
	if (rc == -EMSGSIZE)
		return 0;
	return rc == -ENOENT ? rc : vhost_iommu_host_errno(viommu, rc);
}

/**
 * vhost_iommu_host_check_hwpt - Tell whether there is such an HWPT
 * @viommu: The device
 * @hwpt: ID of a paging HWPT in the iommufd
 *
 * An empty range is refused by GET_DIRTY_BITMAP, but after the ID was looked
 * up, and whether the IOMMU tracks dirty pages or not.
 *
 * Return: 0, -ENOENT, or the errno of VHOST_IOMMU_ADD_ENDPOINT.
 */
int vhost_iommu_host_check_hwpt(struct vhost_iommu *viommu, u32 hwpt)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
	};
	int rc;

	rc = vhost_iommu_iommufd_cmd(viommu, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd,
				     sizeof(cmd));
	if (rc == -EINVAL)
		return 0;
	return rc == -ENOENT ? rc : vhost_iommu_host_errno(viommu, rc);
}

/**
 * vhost_iommu_host_set - Take over the VMM's iommufd
 * @viommu: The device
 * @args: From VHOST_IOMMU_SET_IOMMUFD, sizes and reserved members checked
 *
 * Context: ioctl of the owner.
 * Return: 0 or the errno of VHOST_IOMMU_SET_IOMMUFD.
 */
int vhost_iommu_host_set(struct vhost_iommu *viommu,
			 const struct vhost_iommu_set_iommufd *args)
{
	struct vhost_iommu_host *host = &viommu->host;
	struct file *file __free(fput) = NULL;
	struct iommufd_ctx *ictx;
	void __user *scratch;
	int rc;

	lockdep_assert_held(&viommu->lock);

	if (host->iommufd)
		return -EBUSY;
	file = fget(args->iommufd);
	if (!file)
		return -EBADF;
	/* Only to ask what kind of file it is */
	ictx = iommufd_ctx_from_file(file);
	if (IS_ERR(ictx))
		return -EBADFD;
	iommufd_ctx_put(ictx);

	scratch = u64_to_user_ptr(args->scratch_addr);
	if ((unsigned long)scratch != args->scratch_addr ||
	    clear_user(scratch, args->scratch_len))
		return -EFAULT;

	host->iommufd = file;
	host->scratch = scratch;
	host->ram_ioas = args->ram_ioas_id;
	rc = vhost_iommu_host_check_ioas(viommu, host->ram_ioas);
	if (!rc) {
		rc = vhost_iommu_host_ioas_alloc(viommu, &host->blocked_ioas);
		rc = vhost_iommu_host_errno(viommu, rc);
	}
	if (rc)
		host->iommufd = NULL;
	else
		retain_and_null_ptr(file);
	return rc;
}

/**
 * vhost_iommu_host_put - Let go of the iommufd
 * @viommu: The device
 *
 * Makes no command: the owner's address space may be gone. The blocked IOAS
 * lives as long as the iommufd.
 */
void vhost_iommu_host_put(struct vhost_iommu *viommu)
{
	if (viommu->host.iommufd)
		fput(viommu->host.iommufd);
	viommu->host.iommufd = NULL;
}

/**
 * vhost_iommu_host_ioas_alloc - Make an empty IOAS
 * @viommu: The device
 * @ioas: Its ID
 *
 * Return: 0 or the errno of IOMMU_IOAS_ALLOC.
 */
int vhost_iommu_host_ioas_alloc(struct vhost_iommu *viommu, u32 *ioas)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int rc;

	rc = vhost_iommu_host_query(viommu, viommu->host.iommufd,
				    IOMMU_IOAS_ALLOC, &cmd, sizeof(cmd));
	if (!rc)
		*ioas = cmd.out_ioas_id;
	return rc;
}

static int vhost_iommu_host_try_destroy(struct vhost_iommu *viommu, u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return vhost_iommu_iommufd_cmd(viommu, IOMMU_DESTROY, &cmd,
				       sizeof(cmd));
}

/**
 * vhost_iommu_host_destroy - Destroy an IOAS or HWPT that nothing uses
 * @viommu: The device
 * @id: Its ID
 *
 * A failure is counted, no more: the object then lives as long as the iommufd.
 */
void vhost_iommu_host_destroy(struct vhost_iommu *viommu, u32 id)
{
	if (vhost_iommu_host_try_destroy(viommu, id))
		viommu->host.errors++;
}

static int vhost_iommu_host_attach_once(struct vhost_iommu *viommu,
					struct file *device, u32 *pt_id)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = *pt_id,
	};
	int rc;

	rc = vhost_iommu_host_query(viommu, device,
				    VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd,
				    sizeof(cmd));
	if (!rc)
		*pt_id = cmd.pt_id;
	return rc;
}

/**
 * vhost_iommu_host_attach - Attach a device and its group to a page table
 * @viommu: The device
 * @device: VFIO device
 * @pt_id: ID of an HWPT, or of an IOAS that iommufd makes one for
 *
 * Replaces what is attached, in one step. While the device is reset, this is
 * tried again for up to 100 ms.
 *
 * Return: 0 or the errno of VFIO_DEVICE_ATTACH_IOMMUFD_PT. After an error the
 * device may be attached to the old page table or to none.
 */
int vhost_iommu_host_attach(struct vhost_iommu *viommu, struct file *device,
			    u32 pt_id)
{
	unsigned long timeout;
	u32 id;
	int rc;

	timeout = jiffies + msecs_to_jiffies(VHOST_IOMMU_ATTACH_TIMEOUT_MS);
	for (;;) {
		id = pt_id;
		rc = vhost_iommu_host_attach_once(viommu, device, &id);
		if (rc != -EBUSY || time_after(jiffies, timeout) ||
		    fatal_signal_pending(current))
			break;
		fsleep(USEC_PER_MSEC);
	}
	if (rc)
		viommu->host.errors++;
	return rc;
}

/**
 * vhost_iommu_host_detach - Detach a device from any page table
 * @viommu: The device
 * @device: VFIO device
 *
 * All DMA of the device is blocked afterwards, if no other device of its group
 * is attached.
 */
void vhost_iommu_host_detach(struct vhost_iommu *viommu, struct file *device)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	if (vhost_iommu_host_cmd(viommu, device, VFIO_DEVICE_DETACH_IOMMUFD_PT,
				 &cmd, sizeof(cmd)))
		viommu->host.errors++;
}

/*
 * The iommufd does not know the ID as that of a device with an IOMMU. Attach
 * the device to an IOAS: one that is in use afterwards says that the device is
 * bound to this iommufd, and one without an HWPT that it has no IOMMU.
 */
static int vhost_iommu_host_explain(struct vhost_iommu *viommu,
				    struct file *device)
{
	bool bound = false;
	u32 ioas, pt_id;
	int rc;

	if (vhost_iommu_host_ioas_alloc(viommu, &ioas))
		return -EXDEV;
	pt_id = ioas;
	rc = vhost_iommu_host_attach_once(viommu, device, &pt_id);
	if (!rc) {
		bound = vhost_iommu_host_try_destroy(viommu, ioas) == -EBUSY;
		vhost_iommu_host_detach(viommu, device);
	}
	if (rc || bound)
		vhost_iommu_host_destroy(viommu, ioas);
	if (!bound)
		return -EXDEV;
	return pt_id == ioas ? -ENODEV : -EINVAL;
}

/**
 * vhost_iommu_host_get_device - Take a reference on a VFIO device
 * @viommu: The device
 * @fd: VFIO device cdev
 * @dev_id: Its ID in the iommufd
 * @out: The file
 *
 * Context: ioctl of the owner.
 * Return: 0 or the errno of VHOST_IOMMU_ADD_ENDPOINT.
 */
int vhost_iommu_host_get_device(struct vhost_iommu *viommu, int fd, u32 dev_id,
				struct file **out)
{
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = dev_id };
	struct file *file __free(fput) = fget(fd);
	u32 no_pt = 0;
	int rc;

	if (!viommu->host.iommufd)
		return -ENXIO;
	if (!file)
		return -EBADF;
	if (!vfio_file_is_valid(file) || vfio_file_is_group(file))
		return -EBADFD;

	/*
	 * No object has the ID 0, so this changes nothing. A device that was
	 * opened through its group does not know the command, and one that is
	 * not bound knows none at all.
	 */
	rc = vhost_iommu_host_attach_once(viommu, file, &no_pt);
	if (rc == -ENOTTY)
		return -EBADFD;
	if (rc == -EINVAL)
		return -ENODEV;
	if (rc != -ENOENT)
		return vhost_iommu_host_errno(viommu, rc ?: -EIO);

	rc = vhost_iommu_iommufd_cmd(viommu, IOMMU_GET_HW_INFO, &info,
				     sizeof(info));
	if (rc == -ENOENT)
		return vhost_iommu_host_explain(viommu, file);
	if (rc == -EOPNOTSUPP)
		return -ENODEV;
	if (rc)
		return vhost_iommu_host_errno(viommu, rc);

	*out = no_free_ptr(file);
	return 0;
}

static int vhost_iommu_host_hwpt_alloc(struct vhost_iommu *viommu, u32 dev_id,
				       u32 pt_id,
				       const struct vhost_iommu_format *format,
				       const struct vhost_iommu_table *table,
				       u32 *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = dev_id,
		.pt_id = pt_id,
	};
	void __user *data = vhost_iommu_host_data(viommu);
	int rc;

	if (table) {
		cmd.data_type = format->data_type;
		cmd.data_len = format->data_len;
		cmd.data_uptr = (uintptr_t)data;
		if (copy_to_user(data, table->data, format->data_len))
			return -EFAULT;
	}
	rc = vhost_iommu_host_query(viommu, viommu->host.iommufd,
				    IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd));
	if (!rc)
		*hwpt = cmd.out_hwpt_id;
	return rc;
}

/**
 * vhost_iommu_host_settle - Have iommufd find the only HWPT of an IOAS at once
 * @viommu: The device
 * @dev_id: A device that is attached to the IOAS
 * @ioas: The IOAS, best without mappings
 *
 * iommufd looks through an xarray of HWPTs for each area that is mapped or
 * unmapped. It stores the first HWPT over a reservation, and so in a node whose
 * 64 slots are all looked at each time, which is a quarter of what a MAP or
 * UNMAP costs. When another HWPT goes, the first one becomes the xarray's only
 * entry, without a node. Nothing but time is lost if that fails.
 */
void vhost_iommu_host_settle(struct vhost_iommu *viommu, u32 dev_id, u32 ioas)
{
	u32 hwpt;

	if (!vhost_iommu_host_hwpt_alloc(viommu, dev_id, ioas, NULL, NULL,
					 &hwpt))
		vhost_iommu_host_destroy(viommu, hwpt);
}

/**
 * vhost_iommu_host_table_alloc - Make an HWPT of tables of the guest
 * @viommu: The device
 * @nest: vIOMMU
 * @dev_id: A device behind it
 * @table: The tables
 * @hwpt: ID of the HWPT
 *
 * Return: 0 or the errno of IOMMU_HWPT_ALLOC.
 */
int vhost_iommu_host_table_alloc(struct vhost_iommu *viommu,
				 const struct vhost_iommu_nest *nest,
				 u32 dev_id,
				 const struct vhost_iommu_table *table,
				 u32 *hwpt)
{
	struct vhost_iommu_table full = *table;

	if (nest->format->host_table)
		nest->format->host_table(&nest->hw, &full);
	return vhost_iommu_host_hwpt_alloc(viommu, dev_id, nest->id,
					   nest->format, &full, hwpt);
}

/**
 * vhost_iommu_host_hw_info - Ask what the IOMMU of a device is
 * @viommu: The device
 * @dev_id: A device that is bound to the iommufd
 * @hw: What formats have to know of the IOMMU
 * @ats: The device can cache translations
 * @pasid_bits: Size of its PASIDs, 0 if it has none
 *
 * The VMM may write to the answer before it is read. The host checks all that
 * is made of it.
 *
 * Return: 0 or the errno of IOMMU_GET_HW_INFO.
 */
int vhost_iommu_host_hw_info(struct vhost_iommu *viommu, u32 dev_id,
			     struct vhost_iommu_hw *hw, bool *ats,
			     u8 *pasid_bits)
{
	struct iommu_hw_info_arm_smmuv3 arm = {};
	void __user *data = vhost_iommu_host_data(viommu);
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = dev_id,
		.data_len = sizeof(arm),
		.data_uptr = (uintptr_t)data,
	};
	int rc;

	memset(hw, 0, sizeof(*hw));
	rc = vhost_iommu_host_query(viommu, viommu->host.iommufd,
				    IOMMU_GET_HW_INFO, &cmd, sizeof(cmd));
	if (rc)
		return rc;
	hw->type = cmd.out_data_type;
	*ats = !(cmd.out_capabilities & IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED);
	*pasid_bits = min(cmd.out_max_pasid_log2, 20);
	if (hw->type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		return 0;
	if (copy_from_user(&arm, data, sizeof(arm)))
		return -EFAULT;
	hw->flags = arm.flags;
	static_assert(sizeof(hw->idr) == sizeof(arm.idr));
	memcpy(hw->idr, arm.idr, sizeof(hw->idr));
	return 0;
}

/**
 * vhost_iommu_host_invalidate - Hand commands over to the physical IOMMU
 * @viommu: The device
 * @nest: vIOMMU
 * @cmds: Commands
 * @nr: Their number, at most VHOST_IOMMU_CALL_CMDS
 *
 * When this returns 0, the hardware has carried them out: the host waits for
 * it.
 *
 * Return: 0; -ETIMEDOUT if the hardware did not answer; or another errno of
 * IOMMU_HWPT_INVALIDATE. After an error any of the commands may have been
 * carried out.
 */
int vhost_iommu_host_invalidate(struct vhost_iommu *viommu,
				const struct vhost_iommu_nest *nest,
				const struct vhost_iommu_cmd *cmds,
				unsigned int nr)
{
	const struct vhost_iommu_format *format = nest->format;
	void __user *data = vhost_iommu_host_data(viommu);
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = nest->id,
		.data_uptr = (uintptr_t)data,
		.data_type = format->inv_type,
		.entry_len = sizeof(*cmds),
		.entry_num = nr,
	};
	int rc = 0, times;

	if (copy_to_user(data, cmds, nr * sizeof(*cmds)))
		rc = -EFAULT;
	times = format->repeat && format->repeat(&nest->hw) ? 2 : 1;
	while (!rc && times--)
		rc = vhost_iommu_iommufd_cmd(viommu, IOMMU_HWPT_INVALIDATE,
					     &cmd, sizeof(cmd));
	if (rc)
		viommu->host.errors++;
	return rc;
}

/**
 * vhost_iommu_host_attach_first - Block the first device of a group
 * @viommu: The device
 * @device: VFIO device, in any state of attachment
 * @dev_id: Its ID in the iommufd
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
int vhost_iommu_host_attach_first(struct vhost_iommu *viommu,
				  struct file *device, u32 dev_id,
				  struct vhost_iommu_nest *nest, u32 *hwpt)
{
	u32 id;
	int rc;

	if (nest)
		rc = vhost_iommu_host_table_alloc(viommu, nest, dev_id,
						  &nest->format->blocked, &id);
	else
		rc = vhost_iommu_host_hwpt_alloc(viommu, dev_id,
						 viommu->host.blocked_ioas,
						 NULL, NULL, &id);
	/* There is no such vIOMMU, or it is one of another physical IOMMU */
	if (nest && (rc == -ENOENT || rc == -EINVAL || rc == -EOPNOTSUPP))
		return -EINVAL;
	if (rc)
		return vhost_iommu_host_errno(viommu, rc);

	rc = vhost_iommu_host_attach(viommu, device, id);
	if (rc) {
		vhost_iommu_host_detach(viommu, device);
		vhost_iommu_host_destroy(viommu, id);
		return rc == -ENOENT ? -EXDEV :
				       vhost_iommu_host_errno(viommu, rc);
	}

	rc = vhost_iommu_host_try_destroy(viommu, id);
	if (rc != -EBUSY) {
		vhost_iommu_host_detach(viommu, device);
		return rc ? vhost_iommu_host_errno(viommu, rc) : -EXDEV;
	}
	*hwpt = id;
	return 0;
}

static int vhost_iommu_host_copy(struct vhost_iommu *viommu, u32 ioas, u64 iova,
				 u64 gpa, u64 length, u32 flags)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = ioas,
		.src_ioas_id = viommu->host.ram_ioas,
		.length = length,
		.dst_iova = iova,
		.src_iova = gpa,
	};

	if (flags & VIRTIO_IOMMU_MAP_F_READ)
		cmd.flags |= IOMMU_IOAS_MAP_READABLE;
	if (flags & VIRTIO_IOMMU_MAP_F_WRITE)
		cmd.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	return vhost_iommu_iommufd_cmd(viommu, IOMMU_IOAS_COPY, &cmd,
				       sizeof(cmd));
}

/**
 * vhost_iommu_host_map - Let devices reach guest RAM
 * @viommu: The device
 * @ioas: IOAS of a domain
 * @map: The mapping, not an MMIO one, with at least one permission
 *
 * Return: 0; -ENOENT if some of it is not guest RAM; -EINVAL if the IOMMU can't
 * map the IOVA; -EPERM for write access to read-only memory; -ESTALE if some of
 * it may be mapped and could not be removed; or another errno. After any error
 * but -ESTALE nothing of it is mapped.
 */
int vhost_iommu_host_map(struct vhost_iommu *viommu, u32 ioas,
			 const struct vhost_iommu_map *map)
{
	u64 at = map->start, piece;
	int rc, rc2;

	do {
		/* One less than the length: the range may be all of 64 bits */
		piece = min(map->last - at, VHOST_IOMMU_COPY_MAX - 1 -
			    (at & (VHOST_IOMMU_COPY_MAX - 1)));
		if (at != map->start && fatal_signal_pending(current))
			rc = -EINTR;
		else
			rc = vhost_iommu_host_copy(viommu, ioas, at, map->phys +
						   (at - map->start), piece + 1,
						   map->flags);
		if (rc)
			break;
		at += piece;
		cond_resched();
	} while (at++ != map->last);

	switch (rc) {
	case 0:
		return 0;
	case -ENOENT:
	case -EINVAL:
	case -EPERM:
	case -ENOMEM:
		break;
	case -EFAULT:
		/* The one error that can leave this piece in place */
		at += piece + 1;
		fallthrough;
	default:
		viommu->host.errors++;
	}
	if (at == map->start)
		return rc;
	rc2 = vhost_iommu_host_unmap(viommu, ioas, map->start, at - 1);
	return rc2 && rc2 != -ENOENT ? -ESTALE : rc;
}

/**
 * vhost_iommu_host_unmap - Remove mappings
 * @viommu: The device
 * @ioas: IOAS of a domain
 * @start: First IOVA
 * @last: Last IOVA; the range splits no mapping and has at least one in it
 *
 * When this returns 0, no device uses the mappings any more: iommufd has
 * invalidated the IOMMU's caches and waited for it.
 *
 * Return: 0 or the errno of IOMMU_IOAS_UNMAP; some mappings may then be left.
 */
int vhost_iommu_host_unmap(struct vhost_iommu *viommu, u32 ioas, u64 start,
			   u64 last)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = start,
		.length = last - start,
	};
	int rc;

	/* (0, U64_MAX) means everything; other ranges that long do not exist */
	if (start || last != U64_MAX)
		cmd.length++;
	rc = vhost_iommu_iommufd_cmd(viommu, IOMMU_IOAS_UNMAP, &cmd,
				     sizeof(cmd));
	if (rc)
		viommu->host.errors++;
	return rc;
}

static void vhost_iommu_host_hook(struct file *file, wait_queue_head_t *head,
				  poll_table *table)
{
	struct vhost_iommu_nest *nest = container_of(table,
						     struct vhost_iommu_nest,
						     table);

	nest->head = head;
	add_wait_queue(head, &nest->wait);
}

/**
 * vhost_iommu_host_get_events - Take over an event queue
 * @nest: Its vIOMMU; &vhost_iommu_nest.wait is set up
 * @fd: The event queue
 *
 * Event queues wake their waiters without saying what for, which vhost's own
 * polling ignores; hence a waiter of our own. What kind of file it is can only
 * be told by its name, which no process can choose.
 *
 * Return: 0, -EBADF or -EBADFD.
 */
int vhost_iommu_host_get_events(struct vhost_iommu_nest *nest, int fd)
{
	struct file *file __free(fput) = fget(fd);

	if (!file)
		return -EBADF;
	if (file_inode(file)->i_sb->s_magic != ANON_INODE_FS_MAGIC ||
	    strcmp(file->f_path.dentry->d_name.name,
		   "[iommufd-viommu-event]") ||
	    !(file->f_mode & FMODE_READ) || !file->f_op->read ||
	    !file_can_poll(file))
		return -EBADFD;

	init_poll_funcptr(&nest->table, vhost_iommu_host_hook);
	vfs_poll(file, &nest->table);
	if (!nest->head)
		return -EBADFD;
	nest->file = no_free_ptr(file);
	return 0;
}

/**
 * vhost_iommu_host_unhook_events - Take no notice of an event queue any more
 * @nest: Its vIOMMU; may have none
 *
 * &vhost_iommu_nest.wait is not called any more afterwards, but the work may be
 * queued or running.
 */
void vhost_iommu_host_unhook_events(struct vhost_iommu_nest *nest)
{
	if (nest->head)
		remove_wait_queue(nest->head, &nest->wait);
	nest->head = NULL;
}

/**
 * vhost_iommu_host_put_events - Let go of an event queue
 * @nest: Its vIOMMU; may have none. Is unhooked, and its work does not run.
 */
void vhost_iommu_host_put_events(struct vhost_iommu_nest *nest)
{
	if (nest->file)
		fput(nest->file);
	nest->file = NULL;
}

/**
 * vhost_iommu_host_read_event - Read an event, if there is one
 * @viommu: The device
 * @nest: vIOMMU with an event queue
 * @record: The event, &vhost_iommu_format.event_len bytes
 * @sequence: Its number
 * @lost: There is no record: all events up to @sequence were lost
 *
 * Does not wait.
 *
 * Return: 1, 0 if there is no event, or a negative errno.
 */
int vhost_iommu_host_read_event(struct vhost_iommu *viommu,
				struct vhost_iommu_nest *nest, void *record,
				u32 *sequence, bool *lost)
{
	void __user *scratch = viommu->host.scratch;
	struct iommufd_vevent_header header;
	u32 len = nest->format->event_len;
	ssize_t got;
	loff_t pos = 0;

	lockdep_assert_held(&viommu->lock);

	if (!nest->file)
		return 0;
	got = nest->file->f_op->read(nest->file, scratch, sizeof(header) + len,
				     &pos);
	if (got <= 0)
		return got;
	if (copy_from_user(&header, scratch, sizeof(header)))
		return -EFAULT;
	*sequence = header.sequence & INT_MAX;
	*lost = got < (ssize_t)(sizeof(header) + len);
	if (!*lost && copy_from_user(record, scratch + sizeof(header), len))
		return -EFAULT;
	return 1;
}
