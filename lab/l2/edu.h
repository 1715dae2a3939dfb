/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's edu, a PCI device that copies memory: what programs in the guest (L2)
 * need to have it do so.
 */
#ifndef _EDU_H
#define _EDU_H

#include <err.h>
#include <linux/types.h>
#include <unistd.h>

#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_RUN		0x1
#define EDU_DMA_TO_RAM		0x2
#define EDU_BUFFER		0x40000

/* The device's registers */
static void *bar;

/*
 * KVM knows what simple instructions do, so no others must come of this: on Arm a
 * compiler has some to choose from
 */
#ifdef __aarch64__
#define STORE32	"str %w0, [%1]"
#define STORE64	"str %0, [%1]"
#define LOAD32	"ldr %w0, [%1]"
#else
#define STORE32	"movl %0, (%1)"
#define STORE64	"movq %0, (%1)"
#define LOAD32	"movl (%1), %0"
#endif

static inline void reg_write(unsigned int reg, __u32 val)
{
	asm volatile(STORE32 : : "r" (val), "r" (bar + reg) : "memory");
}

static inline void reg_write64(unsigned int reg, __u64 val)
{
	asm volatile(STORE64 : : "r" (val), "r" (bar + reg) : "memory");
}

static inline __u32 reg_read(unsigned int reg)
{
	__u32 val;

	asm volatile(LOAD32 : "=r" (val) : "r" (bar + reg) : "memory");
	return val;
}

/*
 * Copy four bytes from the edu's buffer to memory, or the other way. The
 * compiler thinks that any access to a register can change memory.
 */
static inline void run_edu(__u64 iova, int write)
{
	int tries;

	reg_write64(EDU_DMA_SRC, write ? EDU_BUFFER : iova);
	reg_write64(EDU_DMA_DST, write ? iova : EDU_BUFFER);
	reg_write(EDU_DMA_COUNT, 4);
	reg_write(EDU_DMA_CMD, EDU_DMA_RUN | (write ? EDU_DMA_TO_RAM : 0));
	for (tries = 1000; tries; tries--) {
		if (!(reg_read(EDU_DMA_CMD) & EDU_DMA_RUN))
			return;
		usleep(10000);
	}
	errx(1, "the edu does not come to an end");
}

#endif /* _EDU_H */
