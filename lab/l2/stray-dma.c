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
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "edu.h"
#include "sysfs.h"

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
	bar = open_bar(argv[2]);
	if (!strcmp(argv[1], "edu"))
		run_edu(iova, !strcmp(argv[4], "write"));
	else
		run_igb(iova, strtoul(argv[4], NULL, 0));
	return 0;
}
