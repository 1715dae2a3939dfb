// SPDX-License-Identifier: GPL-2.0-only
/*
 * stray-dma edu DEVICE IOVA read|write
 * stray-dma igb DEVICE IOVA COUNT
 *
 * Runs in the guest (L2) and has a device without a driver do DMA to an address
 * that nothing is mapped at: QEMU's edu once, or an igb, which fetches COUNT
 * descriptors of 16 bytes, as many as it is told to, at once.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edu.h"

#define IGB_TCTL		0x400
#define IGB_TCTL_EN		0x2
#define IGB_TDBAL		0xe000
#define IGB_TDBAH		0xe004
#define IGB_TDLEN		0xe008
#define IGB_TDH			0xe010
#define IGB_TDT			0xe018
#define IGB_TXDCTL		0xe028
#define IGB_TXDCTL_ENABLE	0x2000000
#define IGB_DESC_SIZE		16
/* The longest ring that TDLEN can say */
#define IGB_MAX_DESCS		32768

static int open_file(const char *device, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device,
		 name);
	fd = open(path, O_RDWR);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void open_device(const char *device)
{
	int fd = open_file(device, "config");
	struct stat st;
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
}

static void run_igb(__u64 iova, __u32 count)
{
	if (!count || count >= IGB_MAX_DESCS)
		errx(1, "no more than %u descriptors", IGB_MAX_DESCS - 1);
	reg_write(IGB_TCTL, 0);
	reg_write(IGB_TDBAL, iova);
	reg_write(IGB_TDBAH, iova >> 32);
	reg_write(IGB_TDLEN, IGB_MAX_DESCS * IGB_DESC_SIZE);
	reg_write(IGB_TDH, 0);
	reg_write(IGB_TDT, 0);
	reg_write(IGB_TXDCTL, IGB_TXDCTL_ENABLE);
	reg_write(IGB_TCTL, IGB_TCTL_EN);
	reg_write(IGB_TDT, count);
	if (reg_read(IGB_TDH) != count)
		errx(1, "the igb has not fetched its descriptors");
}

int main(int argc, char **argv)
{
	__u64 iova;

	if (argc != 5)
		errx(2, "see the head of stray-dma.c");
	iova = strtoull(argv[3], NULL, 0);
	open_device(argv[2]);
	if (!strcmp(argv[1], "edu"))
		run_edu(iova, !strcmp(argv[4], "write"));
	else
		run_igb(iova, strtoul(argv[4], NULL, 0));
	return 0;
}
