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
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/clock.h>
#include <linux/security.h>
#include <linux/vfio.h>
#include <uapi/linux/iommufd.h>

#include "iommu.h"

#include <trace/events/vhost_iommu.h>

#if !IS_ENABLED(CONFIG_IOMMUFD)
#error "This kernel has no iommufd: build one with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV"
#endif

/* A COPY of a piece that takes less or more calls for others */
#define VHOST_IOMMU_COPY_SHORT_NS	NSEC_PER_MSEC
#define VHOST_IOMMU_COPY_LONG_NS	(4 * NSEC_PER_MSEC)

/* The scratch area begins with a command's argument */
#define VHOST_IOMMU_ARG_MAX		64

static_assert(VHOST_IOMMU_ARG_MAX + VHOST_IOMMU_CALL_CMDS *
	      sizeof(struct vhost_iommu_cmd) <= VHOST_IOMMU_SCRATCH_SIZE);

/* An ioctl, and whoever else is alone: its commands may use any part */
const struct vhost_iommu_caller vhost_iommu_alone = { .alone = true };

/* Nobody else uses this part of the scratch area, or there is nobody else */
static void __user *vhost_iommu_host_slot(const struct vhost_iommu *viommu,
					  const struct vhost_iommu_caller *by)
{
	lockdep_assert(by->alone ? lockdep_is_held_type(&viommu->lock, 0) :
				   lockdep_is_held(&viommu->lock));
	return viommu->host.scratch +
	       (by->rq ? by->rq->index : 0) * VHOST_IOMMU_SCRATCH_SIZE;
}

static int vhost_iommu_host_cmd(struct vhost_iommu *viommu, struct file *file,
				unsigned int cmd, const void *arg, size_t len,
				const struct vhost_iommu_caller *by)
{
	void __user *scratch = vhost_iommu_host_slot(viommu, by);
	int rc;

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

static void vhost_iommu_host_count(struct vhost_iommu *viommu, int rc,
				   const struct vhost_iommu_caller *by)
{
	if (rc && !vhost_iommu_is_for_worker(by, rc))
		atomic64_inc(&viommu->host.errors);
}

/* Where data goes that a command's argument points to */
static void __user *vhost_iommu_host_data(const struct vhost_iommu *viommu,
					  const struct vhost_iommu_caller *by)
{
	return vhost_iommu_host_slot(viommu, by) + VHOST_IOMMU_ARG_MAX;
}

/* For a command that answers in its argument. The caller is alone. */
static int vhost_iommu_host_query(struct vhost_iommu *viommu, struct file *file,
				  unsigned int cmd, void *arg, size_t len)
{
	int rc = vhost_iommu_host_cmd(viommu, file, cmd, arg, len,
				      &vhost_iommu_alone);

	if (!rc && copy_from_user(arg, viommu->host.scratch, len))
		rc = -EFAULT;
	return rc;
}

static int vhost_iommu_iommufd_cmd(struct vhost_iommu *viommu,
				   unsigned int cmd, const void *arg,
				   size_t len,
				   const struct vhost_iommu_caller *by)
{
	return vhost_iommu_host_cmd(viommu, viommu->host.iommufd, cmd, arg,
				    len, by);
}

/**
 * vhost_iommu_host_errno - Find what to say of a command that nobody foresaw to fail
 * @viommu: The device
 * @rc: 0 or its errno
 *
 * Return: 0 or the errno of an ioctl of ours.
 */
int vhost_iommu_host_errno(struct vhost_iommu *viommu, int rc)
{
	switch (rc) {
	case 0:
	case -EPERM:
	case -EFAULT:
	case -ENOMEM:
		return rc;
	default:
		atomic64_inc(&viommu->host.errors);
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
				     sizeof(cmd), &vhost_iommu_alone);
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
				     sizeof(cmd), &vhost_iommu_alone);
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

	lockdep_assert_held_write(&viommu->lock);

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
 * Makes no command: the owner's address space may be gone. If there are
 * endpoints, the blocked IOAS lives as long as the iommufd.
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

/**
 * vhost_iommu_host_try_destroy - Destroy an object of the iommufd
 * @viommu: The device
 * @id: Its ID
 *
 * Return: 0 or the errno of IOMMU_DESTROY, -EBUSY if something uses it.
 */
int vhost_iommu_host_try_destroy(struct vhost_iommu *viommu, u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return vhost_iommu_iommufd_cmd(viommu, IOMMU_DESTROY, &cmd,
				       sizeof(cmd), &vhost_iommu_alone);
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
		atomic64_inc(&viommu->host.errors);
}

/**
 * vhost_iommu_host_attach_once - Attach a device and its group to a page table
 * @viommu: The device
 * @device: VFIO device
 * @pt_id: ID of an HWPT, or of an IOAS that iommufd makes one for, whose ID it is
 *         then
 *
 * Return: 0 or the errno of VFIO_DEVICE_ATTACH_IOMMUFD_PT.
 */
int vhost_iommu_host_attach_once(struct vhost_iommu *viommu,
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

static int vhost_iommu_host_try_detach(struct file *device, void __user *at)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	if (copy_to_user(at, &cmd, sizeof(cmd)))
		return -EFAULT;
	return device->f_op->unlocked_ioctl(device,
					    VFIO_DEVICE_DETACH_IOMMUFD_PT,
					    (unsigned long)at);
}

/* The scratch area is not there any more: use memory of our own */
static int vhost_iommu_host_detach_anyhow(struct file *device)
{
	unsigned long at;
	int rc;

	at = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(at))
		return at;
	rc = vhost_iommu_host_try_detach(device, (void __user *)at);
	vm_munmap(at, PAGE_SIZE);
	return rc;
}

/**
 * vhost_iommu_host_detach - Detach a device from any page table
 * @viommu: The device
 * @device: VFIO device
 *
 * All DMA of the device is blocked afterwards, if no other device of its group
 * is attached. This is the last resort, so it needs neither the scratch area nor
 * the consent of a security module. If it fails all the same,
 * &vhost_iommu_host.lost is set: the guest must not be told that anything is out
 * of the device's reach.
 *
 * Return: 0 or the errno of what failed.
 */
int vhost_iommu_host_detach(struct vhost_iommu *viommu, struct file *device)
{
	int rc;

	lockdep_assert_held_write(&viommu->lock);

	rc = vhost_iommu_host_try_detach(device, viommu->host.scratch);
	if (rc) {
		atomic64_inc(&viommu->host.errors);
		rc = vhost_iommu_host_detach_anyhow(device);
	}
	if (rc)
		viommu->host.lost = true;
	trace_vhost_iommu_host_cmd(viommu, VFIO_DEVICE_DETACH_IOMMUFD_PT, rc);
	return rc;
}

/**
 * vhost_iommu_host_is_ready - Tell whether commands would fault nothing in
 * @viommu: The device
 * @by: Who is going to make them
 *
 * Context: With page faults disabled.
 * Return: true if there is no iommufd, or the scratch area is there.
 */
bool vhost_iommu_host_is_ready(const struct vhost_iommu *viommu,
			       const struct vhost_iommu_caller *by)
{
	u8 __user *first = vhost_iommu_host_slot(viommu, by);
	u8 __user *last = first + VHOST_IOMMU_SCRATCH_SIZE - 1;

	/* It lies in two pages at most */
	return !viommu->host.iommufd ||
	       (!put_user(0, first) && !put_user(0, last));
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
				     sizeof(info), &vhost_iommu_alone);
	if (rc == -ENOENT)
		return vhost_iommu_host_explain(viommu, file);
	if (rc == -EOPNOTSUPP)
		return -ENODEV;
	if (rc)
		return vhost_iommu_host_errno(viommu, rc);

	*out = no_free_ptr(file);
	return 0;
}

/**
 * vhost_iommu_host_hwpt_alloc - Make an HWPT
 * @viommu: The device
 * @dev_id: A device that can be attached to it
 * @pt_id: ID of an IOAS or, for tables of the guest, of a vIOMMU
 * @flags: IOMMU_HWPT_ALLOC_*
 * @format: Format of @table, or NULL
 * @table: Tables of the guest, or NULL
 * @hwpt: ID of the HWPT
 *
 * Return: 0 or the errno of IOMMU_HWPT_ALLOC.
 */
int vhost_iommu_host_hwpt_alloc(struct vhost_iommu *viommu, u32 dev_id,
				u32 pt_id, u32 flags,
				const struct vhost_iommu_format *format,
				const struct vhost_iommu_table *table,
				u32 *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev_id,
		.pt_id = pt_id,
	};
	void __user *data = vhost_iommu_host_data(viommu, &vhost_iommu_alone);
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
 * vhost_iommu_host_hwpt_flags - Tell what HWPTs can be made with
 *
 * Return: A mask of IOMMU_HWPT_ALLOC_*.
 */
u32 vhost_iommu_host_hwpt_flags(void)
{
	return IOMMU_HWPT_ALLOC_DIRTY_TRACKING | IOMMU_HWPT_ALLOC_PASID;
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
	void __user *data = vhost_iommu_host_data(viommu, &vhost_iommu_alone);
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
 * @by: Who asks
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
				unsigned int nr,
				const struct vhost_iommu_caller *by)
{
	const struct vhost_iommu_format *format = nest->format;
	void __user *data = vhost_iommu_host_data(viommu, by);
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
					     &cmd, sizeof(cmd), by);
	vhost_iommu_host_count(viommu, rc, by);
	return rc;
}

static int vhost_iommu_host_copy(struct vhost_iommu *viommu, u32 ioas, u64 iova,
				 u64 gpa, u64 length, u32 flags,
				 const struct vhost_iommu_caller *by)
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
				       sizeof(cmd), by);
}

static int vhost_iommu_host_try_unmap(struct vhost_iommu *viommu, u32 ioas,
				      u64 start, u64 last,
				      const struct vhost_iommu_caller *by)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = start,
		.length = last - start,
	};

	/* (0, U64_MAX) means everything; other ranges that long do not exist */
	if (start || last != U64_MAX)
		cmd.length++;
	return vhost_iommu_iommufd_cmd(viommu, IOMMU_IOAS_UNMAP, &cmd,
				       sizeof(cmd), by);
}

/**
 * vhost_iommu_host_unmap - Remove mappings
 * @viommu: The device
 * @ioas: IOAS of a domain
 * @start: First IOVA
 * @last: Last IOVA; the range splits no mapping and has at least one in it
 * @by: Who asks
 *
 * When this returns 0, no device uses the mappings any more: iommufd has
 * invalidated the IOMMU's caches and waited for it.
 *
 * Return: 0 or the errno of IOMMU_IOAS_UNMAP; some mappings may then be left.
 */
int vhost_iommu_host_unmap(struct vhost_iommu *viommu, u32 ioas, u64 start,
			   u64 last, const struct vhost_iommu_caller *by)
{
	int rc = vhost_iommu_host_try_unmap(viommu, ioas, start, last, by);

	vhost_iommu_host_count(viommu, rc, by);
	return rc;
}

/**
 * vhost_iommu_host_clear - Remove mappings, if there are any
 * @viommu: The device
 * @ioas: IOAS of a domain
 * @start: First IOVA
 * @last: Last IOVA; the range splits no mapping
 * @by: Who asks
 *
 * Return: As vhost_iommu_host_unmap().
 */
int vhost_iommu_host_clear(struct vhost_iommu *viommu, u32 ioas, u64 start,
			   u64 last, const struct vhost_iommu_caller *by)
{
	int rc = vhost_iommu_host_try_unmap(viommu, ioas, start, last, by);

	if (rc == -ENOENT)
		return 0;
	vhost_iommu_host_count(viommu, rc, by);
	return rc;
}

/*
 * See what a piece takes, and make those of later mappings larger or smaller. Several
 * requests may do so at once: one of them has its way.
 */
static void vhost_iommu_host_measure(struct vhost_iommu_host *host, u8 shift,
				     u64 ns)
{
	if (shift != READ_ONCE(host->piece_shift))
		return;
	if (ns < VHOST_IOMMU_COPY_SHORT_NS)
		WRITE_ONCE(host->piece_shift,
			   min(shift + 1, VHOST_IOMMU_PIECE_SHIFT_MAX));
	else if (ns > VHOST_IOMMU_COPY_LONG_NS)
		WRITE_ONCE(host->piece_shift,
			   max(shift - 1, VHOST_IOMMU_PIECE_SHIFT_MIN));
}

/**
 * vhost_iommu_host_map - Let devices reach guest RAM
 * @viommu: The device
 * @ioas: IOAS of a domain
 * @map: The mapping, not an MMIO one, with at least one permission
 * @start: First IOVA of the piece of it that is mapped
 * @last: Last IOVA, in the same piece
 * @by: Who asks
 *
 * Return: 0; -ENOENT if some of it is not guest RAM; -EINVAL if the IOMMU can't
 * map the IOVA; -EPERM for write access to read-only memory; -ESTALE if it may be
 * mapped and could not be removed; or another errno. After any error but -ESTALE
 * nothing of the piece is mapped, unless vhost_iommu_is_for_worker() says so.
 */
int vhost_iommu_host_map(struct vhost_iommu *viommu, u32 ioas,
			 const struct vhost_iommu_map *map, u64 start, u64 last,
			 const struct vhost_iommu_caller *by)
{
	bool whole = last - start == BIT_ULL(map->shift) - 1;
	u64 begin = whole ? local_clock() : 0;
	int rc;

	rc = vhost_iommu_host_copy(viommu, ioas, start,
				   map->phys + (start - map->start),
				   last - start + 1, map->flags, by);
	if (!rc && whole)
		vhost_iommu_host_measure(&viommu->host, map->shift,
					 local_clock() - begin);
	switch (rc) {
	case 0:
	case -ENOENT:
	case -EINVAL:
	case -EPERM:
	case -ENOMEM:
		return rc;
	case -EFAULT:
		/* The one error that can leave it in place */
		if (!vhost_iommu_is_for_worker(by, rc) &&
		    vhost_iommu_host_clear(viommu, ioas, start, last, by))
			rc = -ESTALE;
		fallthrough;
	default:
		vhost_iommu_host_count(viommu, rc, by);
		return rc;
	}
}

/**
 * vhost_iommu_host_get_events - Take over an event queue
 * @source: The source
 * @fd: The event queue
 *
 * What kind of file it is can only be told by its name, which no process can choose.
 *
 * Return: 0, -EBADF or -EBADFD.
 */
int vhost_iommu_host_get_events(struct vhost_iommu_source *source, int fd)
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

	source->file = no_free_ptr(file);
	return 0;
}

/**
 * vhost_iommu_host_put_events - Let go of an event queue
 * @source: The source; may have none. Nothing waits for it, and its work does not run.
 */
void vhost_iommu_host_put_events(struct vhost_iommu_source *source)
{
	if (source->file)
		fput(source->file);
	source->file = NULL;
}

/**
 * vhost_iommu_host_read_event - Read an event, if there is one
 * @viommu: The device
 * @source: The source; may have none
 * @record: The event
 * @len: Its length in bytes
 * @sequence: Its number
 * @lost: There is no record: all events up to @sequence were lost
 *
 * Does not wait.
 *
 * Return: 1, 0 if there is no event, or a negative errno.
 */
int vhost_iommu_host_read_event(struct vhost_iommu *viommu,
				const struct vhost_iommu_source *source,
				void *record, u32 len, u32 *sequence,
				bool *lost)
{
	void __user *scratch = viommu->host.scratch;
	struct iommufd_vevent_header header;
	ssize_t got;
	loff_t pos = 0;

	lockdep_assert_held_write(&viommu->lock);

	if (!source->file)
		return 0;
	got = source->file->f_op->read(source->file, scratch,
				       sizeof(header) + len, &pos);
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
