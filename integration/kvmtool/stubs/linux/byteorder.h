/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LINUX_BYTEORDER_H
#define LINUX_BYTEORDER_H

#include <endian.h>

#define cpu_to_le32(n)	htole32(n)
#define cpu_to_le64(n)	htole64(n)
#define le32_to_cpu(n)	le32toh(n)
#define le64_to_cpu(n)	le64toh(n)

#endif /* LINUX_BYTEORDER_H */
