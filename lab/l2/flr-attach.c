// SPDX-License-Identifier: GPL-2.0-only
/*
 * flr-attach DEVICE COUNT
 *
 * Runs in the guest (L2), on two processors. One resets DEVICE COUNT times, by
 * its config space, so that the guest's kernel does not know of it. Meanwhile the
 * other one, a user of VFIO, attaches it to an address space and detaches it
 * again and again, which the host may have to refuse for as long as a reset
 * lasts. Afterwards it works.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sysfs.h"
#include "vfio.h"

static void reset(const char *device, unsigned int count)
{
	int fd = open_file(device, "config");
	__u8 pos = PCI_CAPABILITY_LIST, head[2];
	__u16 control;

	/* Capabilities begin with their ID and the place of the next one */
	if (pread(fd, &pos, 1, pos) != 1)
		err(1, "config");
	while (pos && pread(fd, head, 2, pos) == 2 && head[0] != PCI_CAP_ID_EXP)
		pos = head[1];
	if (!pos)
		errx(1, "%s is not PCI Express", device);
	for (; count; count--) {
		if (pread(fd, &control, 2, pos + PCI_EXP_DEVCTL) != 2)
			err(1, "config");
		control |= PCI_EXP_DEVCTL_BCR_FLR;
		if (pwrite(fd, &control, 2, pos + PCI_EXP_DEVCTL) != 2)
			err(1, "config");
	}
}

int main(int argc, char **argv)
{
	unsigned int good = 0, bad = 0;
	struct vfio_dev dev;
	pid_t child;
	__u32 ioas;
	int status;

	if (argc != 3)
		errx(2, "see the head of flr-attach.c");
	open_vfio(&dev, argv[1]);
	ioas = alloc_ioas();
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		reset(argv[1], strtoul(argv[2], NULL, 0));
		return 0;
	}
	while (!waitpid(child, &status, WNOHANG)) {
		if (try_attach(&dev, ioas)) {
			bad++;
			continue;
		}
		good++;
		detach(&dev);
	}
	printf("while it was reset: attached %u times, refused %u times\n",
	       good, bad);
	if (status)
		errx(1, "the resets fail");
	attach(&dev, ioas);
	detach(&dev);
	return 0;
}
