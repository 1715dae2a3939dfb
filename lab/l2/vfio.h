/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI devices that vfio-pci has, through VFIO and iommufd: what programs in the
 * guest (L2) need to use them.
 */
#ifndef _VFIO_H
#define _VFIO_H

#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct vfio_dev {
	int fd;
	/* Where the config space is in the file */
	__u64 config;
	void *bar;
};

static int iommufd = -1;

/* Open the file that matches @pattern, of a PCI device */
static inline int open_match(const char *device, const char *pattern, int flags)
{
	char path[300];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device,
		 pattern);
	if (glob(path, 0, NULL, &found))
		errx(1, "no %s", path);
	snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
	/* The node of a device whose directory it is */
	if (strstr(path, "/vfio-dev/"))
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 basename(found.gl_pathv[0]));
	globfree(&found);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static inline __u32 alloc_ioas(void)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc))
		err(1, "IOMMU_IOAS_ALLOC");
	return alloc.out_ioas_id;
}

/* @offset is that of the config space in the file @fd */
static inline void set_command(int fd, __u64 offset, __u16 command)
{
	if (pwrite(fd, &command, sizeof(command), offset + PCI_COMMAND) !=
	    sizeof(command))
		err(1, "PCI command register");
}

/* Open a device, which is attached to nothing and may do DMA afterwards */
static inline void open_vfio(struct vfio_dev *dev, const char *device)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_region_info info = { .argsz = sizeof(info) };

	if (iommufd < 0)
		iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0)
		err(1, "/dev/iommu");
	dev->fd = open_match(device, "vfio-dev/vfio*", O_RDWR);
	bind.iommufd = iommufd;
	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		err(1, "%s: VFIO_DEVICE_BIND_IOMMUFD", device);

	info.index = VFIO_PCI_CONFIG_REGION_INDEX;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		err(1, "%s: config space", device);
	dev->config = info.offset;
	set_command(dev->fd, dev->config,
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

	dev->bar = NULL;
	info.index = VFIO_PCI_BAR0_REGION_INDEX;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		err(1, "%s: BAR 0", device);
	if (!info.size)
		return;
	dev->bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			dev->fd, info.offset);
	if (dev->bar == MAP_FAILED)
		err(1, "%s: BAR 0", device);
}

static inline int try_attach(const struct vfio_dev *dev, __u32 ioas)
{
	struct vfio_device_attach_iommufd_pt pt = {
		.argsz = sizeof(pt),
		.pt_id = ioas,
	};

	return ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt);
}

static inline void attach(const struct vfio_dev *dev, __u32 ioas)
{
	if (try_attach(dev, ioas))
		err(1, "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
}

static inline void detach(const struct vfio_dev *dev)
{
	struct vfio_device_detach_iommufd_pt pt = { .argsz = sizeof(pt) };

	if (ioctl(dev->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &pt))
		err(1, "VFIO_DEVICE_DETACH_IOMMUFD_PT");
}

/* Pages of this process, all there */
static inline void *get_pages(size_t length)
{
	void *pages = mmap(NULL, length, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (pages == MAP_FAILED)
		err(1, "mmap");
	return pages;
}

static inline int try_map(__u32 ioas, const void *pages, size_t length,
			  __u64 iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)pages,
		.length = length,
		.iova = iova,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP, &map);
}

static inline void map(__u32 ioas, const void *pages, size_t length, __u64 iova)
{
	if (try_map(ioas, pages, length, iova))
		err(1, "IOMMU_IOAS_MAP of %#zx bytes at %#llx", length,
		    (unsigned long long)iova);
}

static inline void unmap(__u32 ioas, __u64 iova, __u64 length)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};

	if (ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap))
		err(1, "IOMMU_IOAS_UNMAP at %#llx", (unsigned long long)iova);
}

#endif /* _VFIO_H */
