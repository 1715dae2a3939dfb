/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI devices without a driver, for programs in the guest (L2) */
#ifndef _SYSFS_H
#define _SYSFS_H

#include <err.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int open_file(const char *device, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device,
		 name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* Map a device's registers, and let it do DMA */
static inline void *open_bar(const char *device)
{
	int fd = open_file(device, "config");
	struct stat st;
	void *bar;
	__u16 cmd;

	if (pread(fd, &cmd, sizeof(cmd), PCI_COMMAND) != sizeof(cmd))
		err(1, "config");
	cmd |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(fd, &cmd, sizeof(cmd), PCI_COMMAND) != sizeof(cmd))
		err(1, "config");
	close(fd);

	fd = open_file(device, "resource0");
	if (fstat(fd, &st))
		err(1, "resource0");
	bar = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED)
		err(1, "resource0");
	close(fd);
	return bar;
}

#endif /* _SYSFS_H */
