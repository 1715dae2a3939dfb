/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files here use of kvmtool, so that they can be compiled without it: names
 * and types, as far as they are used. There is nothing behind these declarations.
 */
#ifndef KVM__STUB_H
#define KVM__STUB_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <linux/types.h>

/* kvm/util.h */
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof(*(a)))
#define is_power_of_two(n)	((n) > 0 && !((n) & ((n) - 1)))

void die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
void die_perror(const char *what) __attribute__((noreturn));
void pr_err(const char *format, ...) __attribute__((format(printf, 1, 2)));
void pr_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void pr_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* kvm/mutex.h */
struct mutex {
	pthread_mutex_t	mutex;
};

void mutex_init(struct mutex *lock);
void mutex_lock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);

/* kvm/parse-options.h */
struct option {
	void	*ptr;
};

/* kvm/gic.h, kvm/fdt-arch.h, kvm/fdt.h and libfdt */
enum irqchip_type {
	IRQCHIP_AUTO,
	IRQCHIP_GICV2M,
	IRQCHIP_GICV3_ITS,
};

enum phandles {
	PHANDLES_MAX = 3,
};

#define cpu_to_fdt32(n)		htobe32(n)
#define _FDT(call)		((void)(call))

int fdt_begin_node(void *fdt, const char *name);
int fdt_property(void *fdt, const char *name, const void *value, int len);
int fdt_property_cell(void *fdt, const char *name, u32 value);
int fdt_end_node(void *fdt);

/* kvm/devices.h, kvm/vfio.h */
struct device_header {
	int	dev_num;
};

struct vfio_device_params {
	char	*name;
};

struct vfio_group {
	unsigned long	id;
	int		refs;
};

struct vfio_device {
	struct device_header		dev_hdr;
	struct vfio_device_params	*params;
	struct vfio_group		*group;
	int				fd;
	char				*sysfs_path;
};

#define vfio_dev_die(vdev, format, ...) \
	die("%s: " format, (vdev)->params->name, ##__VA_ARGS__)
#define vfio_dev_warn(vdev, format, ...) \
	pr_warning("%s: " format, (vdev)->params->name, ##__VA_ARGS__)
#define vfio_dev_info(vdev, format, ...) \
	pr_info("%s: " format, (vdev)->params->name, ##__VA_ARGS__)

#endif /* KVM__STUB_H */
