/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's NVMe, which writes to memory what it is: what programs in the guest (L2)
 * need to have it do so. Its registers are those that edu.h is about.
 */
#ifndef _NVME_H
#define _NVME_H

#include <err.h>
#include <linux/types.h>
#include <string.h>
#include <unistd.h>

#include "edu.h"

#define NVME_VENDOR		0x1b36
#define NVME_CC			0x14
#define NVME_CC_EN		0x460001
#define NVME_CSTS		0x1c
#define NVME_AQA		0x24
#define NVME_ASQ		0x28
#define NVME_ACQ		0x30
#define NVME_TAIL		0x1000
#define NVME_HEAD		0x1004
#define NVME_IDENTIFY		0x06
#define NVME_CNS_CONTROLLER	1

/* A queue for commands and one for replies, of two entries, in a page each */
struct nvme {
	__u32 *commands;
	__u32 *replies;
	unsigned int count;
};

static inline void nvme_enable(int enable)
{
	int tries;

	reg_write(NVME_CC, enable ? NVME_CC_EN : 0);
	for (tries = 500; tries; tries--) {
		if ((reg_read(NVME_CSTS) & 1) == (__u32)enable)
			return;
		usleep(10000);
	}
	errx(1, "NVMe: enable %d has no effect", enable);
}

/* Start it with two pages at @memory, which it has at @iova */
static inline void nvme_start(struct nvme *nvme, char *memory, __u64 iova)
{
	size_t page = getpagesize();

	nvme->commands = (void *)memory;
	nvme->replies = (void *)(memory + page);
	nvme->count = 0;
	memset(memory, 0, 2 * page);
	nvme_enable(0);
	reg_write(NVME_AQA, 0x10001);
	reg_write(NVME_ASQ, iova);
	reg_write(NVME_ASQ + 4, iova >> 32);
	reg_write(NVME_ACQ, iova + page);
	reg_write(NVME_ACQ + 4, (iova + page) >> 32);
	nvme_enable(1);
}

/* Have it write to @iova what it is; returns the status in its reply */
static inline __u32 nvme_identify(struct nvme *nvme, __u64 iova)
{
	unsigned int slot = nvme->count % 2, phase = !(nvme->count / 2 % 2);
	__u32 *command = nvme->commands + slot * 16;
	__u32 status = 0;
	int tries;

	memset(command, 0, 64);
	command[0] = NVME_IDENTIFY;
	command[6] = iova;
	command[7] = iova >> 32;
	command[10] = NVME_CNS_CONTROLLER;
	nvme->count++;
	reg_write(NVME_TAIL, nvme->count % 2);
	for (tries = 50000; tries; tries--) {
		status = __atomic_load_n(&nvme->replies[slot * 4 + 3],
					 __ATOMIC_ACQUIRE);
		if ((status >> 16 & 1) == phase)
			break;
		usleep(100);
	}
	if (!tries)
		errx(1, "NVMe: no answer in memory");
	reg_write(NVME_HEAD, nvme->count % 2);
	return status >> 17;
}

#endif /* _NVME_H */
