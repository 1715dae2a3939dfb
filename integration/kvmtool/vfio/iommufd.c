// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO by iommufd: each device has a file of its own, and guest RAM is mapped
 * once, at guest-physical addresses, for all of them.
 *
 * What is used here is for a virtio-iommu in the host's kernel, which takes its
 * mappings from that IOAS and moves the devices to others. When this returns,
 * devices are attached to the page table with all of guest RAM, as they are
 * without an IOMMU; they are not enabled yet, and before the guest runs, the
 * virtio-iommu takes them over.
 */
#include "kvm/kvm.h"
#include "kvm/vfio.h"
#include "kvm/vfio-iommufd.h"
#include "kvm/virtio-iommu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#define IOMMUFD_NODE		"/dev/iommu"
#define VFIO_CDEV_DIR		"/dev/vfio/devices"

static struct vfio_iommufd iommufd = {
	.fd	= -1,
};

struct vfio_iommufd *vfio_iommufd_get(void)
{
	return &iommufd;
}

void vfio_iommufd_destroy(u32 id)
{
	struct iommu_destroy destroy = {
		.size	= sizeof(destroy),
		.id	= id,
	};

	if (ioctl(iommufd.fd, IOMMU_DESTROY, &destroy))
		pr_warning("iommufd: object %u can't be destroyed: %s", id,
			   strerror(errno));
}

static void vfio_iommufd_open(void)
{
	struct iommu_ioas_alloc alloc = {
		.size	= sizeof(alloc),
	};

	iommufd.fd = open(IOMMUFD_NODE, O_RDWR | O_CLOEXEC);
	if (iommufd.fd < 0) {
		switch (errno) {
		case ENOENT:
		case ENODEV:
		case ENXIO:
			die("%s: %s. The host's kernel needs CONFIG_IOMMUFD; load the module iommufd",
			    IOMMUFD_NODE, strerror(errno));
		case EACCES:
		case EPERM:
			die("%s: %s. Run lkvm as a user who may open it",
			    IOMMUFD_NODE, strerror(errno));
		default:
			die("%s: %s", IOMMUFD_NODE, strerror(errno));
		}
	}
	if (ioctl(iommufd.fd, IOMMU_IOAS_ALLOC, &alloc))
		die_perror("IOMMU_IOAS_ALLOC failed");
	iommufd.ioas_id = alloc.out_ioas_id;
}

static int vfio_iommufd_map_bank(struct kvm *kvm, struct kvm_mem_bank *bank,
				 void *data)
{
	struct iommu_ioas_map map = {
		.size		= sizeof(map),
		.flags		= IOMMU_IOAS_MAP_FIXED_IOVA |
				  IOMMU_IOAS_MAP_READABLE |
				  IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id	= iommufd.ioas_id,
		.user_va	= (unsigned long)bank->host_addr,
		.length		= bank->size,
		.iova		= bank->guest_phys_addr,
	};

	if (ioctl(iommufd.fd, IOMMU_IOAS_MAP, &map))
		die("guest RAM at 0x%llx (%llu bytes) can't be mapped for devices: %s",
		    (unsigned long long)bank->guest_phys_addr,
		    (unsigned long long)bank->size, strerror(errno));
	return 0;
}

/* The name of the device's own file is that of a directory in sysfs */
static void vfio_iommufd_cdev(struct vfio_device *vdev, char *path, size_t len)
{
	char dir[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/vfio-dev", vdev->sysfs_path);
	d = opendir(dir);
	while (d && !found && (entry = readdir(d))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, len, VFIO_CDEV_DIR "/%s", entry->d_name);
		found = true;
	}
	if (d)
		closedir(d);
	if (!found)
		vfio_dev_die(vdev, "is not bound to vfio-pci, or the host's kernel lacks CONFIG_VFIO_DEVICE_CDEV");
}

static void vfio_iommufd_bind(struct vfio_iommufd_device *dev)
{
	struct vfio_device *vdev = dev->vdev;
	struct vfio_device_bind_iommufd bind = {
		.argsz		= sizeof(bind),
		.iommufd	= iommufd.fd,
	};
	char path[PATH_MAX];

	vfio_iommufd_cdev(vdev, path, sizeof(path));
	vdev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (vdev->fd < 0)
		vfio_dev_die(vdev, "%s: %s%s", path, strerror(errno),
			     errno == EACCES || errno == EPERM ?
			     ". Run lkvm as a user who may open it" : "");

	/* Nothing works on this file before */
	if (!ioctl(vdev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		dev->dev_id = bind.out_devid;
		return;
	}
	switch (errno) {
	case EBUSY:
	case EPERM:
		vfio_dev_die(vdev, "can't be bound to the iommufd: %s. It is in use, or a device of IOMMU group %lu is bound to a driver of the host: bind all of them to vfio-pci",
			     strerror(errno), vdev->group->id);
	case EINVAL:
	case ENODEV:
		vfio_dev_die(vdev, "can't be bound to the iommufd: %s. It may have no IOMMU in the host, or one that lets devices forge interrupts; see the host's kernel log",
			     strerror(errno));
	default:
		vfio_dev_die(vdev, "can't be bound to the iommufd: %s",
			     strerror(errno));
	}
}

/* Returns false if that page table is not for this device's IOMMU */
static bool vfio_iommufd_attach(struct vfio_iommufd_device *dev, u32 hwpt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz	= sizeof(attach),
		.pt_id	= hwpt_id,
	};

	if (!ioctl(dev->vdev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach)) {
		dev->hwpt_id = hwpt_id;
		return true;
	}
	if (errno == EADDRINUSE)
		vfio_dev_die(dev->vdev, "guest RAM lies in what the host reserves for the device: move it (--mem size@address)");
	if (errno != EINVAL)
		vfio_dev_die(dev->vdev, "can't be attached to guest RAM: %s",
			     strerror(errno));
	return false;
}

/*
 * A page table of its own, not one that comes with attaching to the IOAS: that
 * would vanish when the virtio-iommu moves the last device away from it.
 */
static u32 vfio_iommufd_alloc_hwpt(struct kvm *kvm, struct vfio_iommufd_device *dev)
{
	bool nest = kvm->cfg.viommu.tables != VIOMMU_TABLES_OFF;
	struct iommu_hwpt_alloc alloc = {
		.size	= sizeof(alloc),
		.flags	= nest ? IOMMU_HWPT_ALLOC_NEST_PARENT : 0,
		.dev_id	= dev->dev_id,
		.pt_id	= iommufd.ioas_id,
	};

	if (!ioctl(iommufd.fd, IOMMU_HWPT_ALLOC, &alloc))
		return alloc.out_hwpt_id;

	if (nest && errno == EOPNOTSUPP)
		vfio_dev_die(dev->vdev, "the host's IOMMU can't nest tables of the guest: it has to be an Arm SMMUv3 with both stages, and the kernel needs CONFIG_ARM_SMMU_V3_IOMMUFD. Otherwise use tables=off");
	if (errno == ENOMEM)
		vfio_dev_die(dev->vdev, "guest RAM can't be pinned: %s. The limit of locked memory has to be above the guest's RAM (ulimit -l)",
			     strerror(errno));
	vfio_dev_die(dev->vdev, "no page table with guest RAM: %s",
		     strerror(errno));
}

static void vfio_iommufd_attach_ram(struct kvm *kvm, unsigned int nr)
{
	struct vfio_iommufd_device *dev = &iommufd.devices[nr];
	unsigned int i;

	/* There is one for each physical IOMMU */
	for (i = 0; i < nr; i++)
		if (vfio_iommufd_attach(dev, iommufd.devices[i].hwpt_id))
			return;
	if (!vfio_iommufd_attach(dev, vfio_iommufd_alloc_hwpt(kvm, dev)))
		vfio_dev_die(dev->vdev, "can't be attached to guest RAM: %s",
			     strerror(errno));
}

/* What all devices together leave, as their IOMMUs and firmware have it */
static void vfio_iommufd_get_ranges(void)
{
	struct iommu_iova_range *list = NULL;
	struct iommu_ioas_iova_ranges ranges = {
		.size		= sizeof(ranges),
		.ioas_id	= iommufd.ioas_id,
	};
	int ret;

	/* The first call tells how many there are */
	ret = ioctl(iommufd.fd, IOMMU_IOAS_IOVA_RANGES, &ranges);
	if (ret && errno == EMSGSIZE) {
		list = calloc(ranges.num_iovas, sizeof(*list));
		if (!list)
			die("out of memory");
		ranges.allowed_iovas = (unsigned long)list;
		ret = ioctl(iommufd.fd, IOMMU_IOAS_IOVA_RANGES, &ranges);
	}
	if (ret)
		die_perror("IOMMU_IOAS_IOVA_RANGES failed");
	if (!ranges.num_iovas || !list)
		die("the host's IOMMU leaves no addresses to the devices");
	iommufd.iova_last = list[ranges.num_iovas - 1].last;
	iommufd.iova_alignment = ranges.out_iova_alignment;
	free(list);
}

/*
 * In place of a container: @devices are known by name and group, and have no
 * files yet.
 */
int vfio_iommufd_init(struct kvm *kvm, struct vfio_device *devices)
{
	unsigned int i;

	vfio_iommufd_open();
	kvm__for_each_mem_bank(kvm, KVM_MEM_TYPE_RAM, vfio_iommufd_map_bank, NULL);

	iommufd.nr_devices = kvm->cfg.num_vfio_devices;
	iommufd.devices = calloc(iommufd.nr_devices, sizeof(*iommufd.devices));
	if (!iommufd.devices)
		return -ENOMEM;

	for (i = 0; i < iommufd.nr_devices; i++) {
		struct vfio_device *vdev = &devices[i];

		iommufd.devices[i].vdev = vdev;
		/*
		 * Each function has a slot of its own in the guest, which then
		 * puts them into different groups, and what can't be separated
		 * into different domains.
		 */
		if (vdev->group->refs > 1)
			vfio_dev_die(vdev, "%d devices of IOMMU group %lu are assigned. With --viommu it can be one of each group",
				     vdev->group->refs, vdev->group->id);
		vfio_iommufd_bind(&iommufd.devices[i]);
		vfio_iommufd_attach_ram(kvm, i);
	}
	vfio_iommufd_get_ranges();
	pr_info("Using iommufd for VFIO, %u device(s)", iommufd.nr_devices);
	return 0;
}

/* After the devices' files, and all that the virtio-iommu has made, are gone */
void vfio_iommufd_exit(struct kvm *kvm)
{
	if (iommufd.fd < 0)
		return;

	free(iommufd.devices);
	iommufd.devices = NULL;
	iommufd.nr_devices = 0;
	close(iommufd.fd);
	iommufd.fd = -1;
}
