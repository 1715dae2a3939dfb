/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own for user space, and the short names */
#ifndef LINUX_TYPES_H
#define LINUX_TYPES_H

#include_next <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#endif /* LINUX_TYPES_H */
