// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-user EDU IOMMU
 *
 * Runs in the guest (L2) and uses an edu, which vfio-pci has, through VFIO and
 * iommufd. While IOMMU, the PCI device that is its virtio-iommu, answers no more
 * because it has lost its bus master bit, a page is unmapped that the edu has
 * accessed. The kernel must not let go of the page before the virtio-iommu was
 * reset, because a user of VFIO can have the device go on: this one tries.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "edu.h"

/* The edu has 28 address lines, and MSIs are at 128 MiB */
#define IOVA		0x1000000
#define STAMP		0x600df00d

static int iommufd;
static __u32 ioas;
static __u64 config;

/* Open the file that matches @pattern, of a PCI device */
static int open_match(const char *device, const char *pattern, int flags)
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

static int open_edu(const char *device)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt pt = { .argsz = sizeof(pt) };
	struct vfio_region_info info = { .argsz = sizeof(info) };
	int fd = open_match(device, "vfio-dev/vfio*", O_RDWR);

	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	bind.iommufd = iommufd;
	if (iommufd < 0 || ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ||
	    ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc))
		err(1, "iommufd");
	ioas = alloc.out_ioas_id;
	pt.pt_id = ioas;
	if (ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt))
		err(1, "VFIO_DEVICE_ATTACH_IOMMUFD_PT");

	info.index = VFIO_PCI_CONFIG_REGION_INDEX;
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		err(1, "config space");
	config = info.offset;
	info.index = VFIO_PCI_BAR0_REGION_INDEX;
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		err(1, "BAR 0");
	bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   info.offset);
	if (bar == MAP_FAILED)
		err(1, "BAR 0");
	return fd;
}

/* @offset is that of the config space in the file @fd */
static void set_command(int fd, __u64 offset, __u16 command)
{
	if (pwrite(fd, &command, sizeof(command), offset + PCI_COMMAND) !=
	    sizeof(command))
		err(1, "PCI command register");
}

static int map(void *page)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)page,
		.length = getpagesize(),
		.iova = IOVA,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP, &map);
}

static void unmap(void)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = IOVA,
		.length = getpagesize(),
	};
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap))
		err(1, "IOMMU_IOAS_UNMAP");
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("unmapped after %.0f ms\n", (end.tv_sec - begin.tv_sec) * 1e3 +
	       (end.tv_nsec - begin.tv_nsec) / 1e6);
}

int main(int argc, char **argv)
{
	struct sched_param param = { .sched_priority = 1 };
	int edu, iommu, status, rc = 0;
	__u32 *page;
	char text[16] = "";

	if (argc != 3)
		errx(2, "see the head of vfio-user.c");
	iommu = open_match(argv[2], "config", O_RDWR);
	status = open_match(argv[2], "virtio*/status", O_RDONLY);
	edu = open_edu(argv[1]);
	page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED || map(page))
		err(1, "IOMMU_IOAS_MAP");

	/*
	 * A translation that was used is cached, and remains so. The compiler
	 * thinks that any access to a register can change memory.
	 */
	set_command(edu, config, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	*page = STAMP;
	run_edu(IOVA, 0);
	*page = 0;
	run_edu(IOVA, 1);
	if (*page != STAMP)
		errx(1, "the edu does not write to memory");
	*page = 0;

	/* On one processor, whoever is to reset has to wait until this waits */
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "SCHED_FIFO");
	set_command(iommu, 0, PCI_COMMAND_MEMORY);
	unmap();
	if (read(status, text, sizeof(text) - 1) < 1)
		err(1, "status");
	if (strtoul(text, NULL, 0)) {
		warnx("the page is unmapped before the virtio-iommu was reset, status %s",
		      text);
		rc = 1;
	}
	set_command(edu, config, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	run_edu(IOVA, 1);
	if (*page) {
		warnx("the edu writes to memory that was unmapped");
		rc = 1;
	}
	if (!map(page)) {
		warnx("memory can be mapped");
		rc = 1;
	} else if (errno != EIO) {
		err(1, "IOMMU_IOAS_MAP");
	}
	return rc;
}
