/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LINUX_KERNEL_H
#define LINUX_KERNEL_H

#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))

#endif /* LINUX_KERNEL_H */
