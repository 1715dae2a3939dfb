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
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "edu.h"
#include "vfio.h"

/* MSIs are at 128 MiB */
#define IOVA		0x1000000
#define STAMP		0x600df00d

static __u32 ioas;

static void timed_unmap(void)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	unmap(ioas, IOVA, getpagesize());
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("unmapped after %.0f ms\n", (end.tv_sec - begin.tv_sec) * 1e3 +
	       (end.tv_nsec - begin.tv_nsec) / 1e6);
}

int main(int argc, char **argv)
{
	struct sched_param param = { .sched_priority = 1 };
	int iommu, status, rc = 0;
	struct vfio_dev edu;
	__u32 *page;
	char text[16] = "";

	if (argc != 3)
		errx(2, "see the head of vfio-user.c");
	iommu = open_match(argv[2], "config", O_RDWR);
	status = open_match(argv[2], "virtio*/status", O_RDONLY);
	open_vfio(&edu, argv[1]);
	bar = edu.bar;
	ioas = alloc_ioas();
	attach(&edu, ioas);
	page = get_pages(getpagesize());
	map(ioas, page, getpagesize(), IOVA);

	/* A translation that was used is cached, and remains so */
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
	timed_unmap();
	if (read(status, text, sizeof(text) - 1) < 1)
		err(1, "status");
	if (strtoul(text, NULL, 0)) {
		warnx("the page is unmapped before the virtio-iommu was reset, status %s",
		      text);
		rc = 1;
	}
	set_command(edu.fd, edu.config, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	run_edu(IOVA, 1);
	if (*page) {
		warnx("the edu writes to memory that was unmapped");
		rc = 1;
	}
	if (!try_map(ioas, page, getpagesize(), IOVA)) {
		warnx("memory can be mapped");
		rc = 1;
	} else if (errno != EIO) {
		err(1, "IOMMU_IOAS_MAP");
	}
	return rc;
}
