// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that do DMA when told to, found through sysfs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "igb_glue.h"
#include "table.h"

struct kind_info {
	const char *bus;
	const char *vendor;
	const char *device;
	const char *missing;
	__u64 max_iova;
	__u32 max_len;
	__u32 min_len;
	__u32 drv_len;
};

static const struct kind_info kinds[] = {
	[DEV_MOCK] = {
		.bus = "/sys/bus/vhost_iommu_mock/devices",
		.missing = "vhost_iommu_mock is not loaded",
		.max_iova = ~0ULL,
		.max_len = VHOST_IOMMU_MOCK_WINDOW_SIZE,
		.min_len = 1,
	},
	[DEV_EDU] = {
		.bus = "/sys/bus/pci/devices",
		.vendor = "0x1234",
		.device = "0x11e8",
		.missing = "no edu device is bound to vfio-pci",
		.max_iova = (1ULL << 28) - 1,
		.max_len = 2048,
		.min_len = 1,
	},
	[DEV_IGB] = {
		.bus = "/sys/bus/pci/devices",
		.vendor = "0x8086",
		.device = "0x10c9",
		.missing = "no igb device is bound to vfio-pci",
		.max_iova = ~0ULL,
		.max_len = 1024,
		.min_len = 60,
		.drv_len = KIB(256),
	},
};

static bool file_says(const char *dir, const char *name, const char *word)
{
	char path[512], text[32];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return read_file(path, text, sizeof(text)) > 0 &&
	       !strncmp(text, word, strlen(word));
}

static bool find_cdev(const char *dir, char *cdev, size_t len)
{
	struct dirent *e;
	char path[512];
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "%s/vfio-dev", dir);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, "vfio", 4))
			continue;
		snprintf(cdev, len, "/dev/vfio/devices/%.32s", e->d_name);
		found = true;
	}
	if (d)
		closedir(d);
	return found;
}

static int group_of(const char *dir)
{
	char path[512], link[512];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/iommu_group", dir);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -1;
	link[n] = 0;
	return atoi(strrchr(link, '/') ? strrchr(link, '/') + 1 : link);
}

/**
 * dev_find() - Find devices that are ready for VFIO
 * @kind: Which
 * @devs: Is filled, in the order of their names
 * @max: Its size
 *
 * Return: Number of devices
 */
int dev_find(enum dev_kind kind, struct dma_dev *devs, int max)
{
	const struct kind_info *k = &kinds[kind];
	struct dirent **list;
	int i, n, found = 0;
	char dir[256];

#ifndef HAVE_IGB
	if (kind == DEV_IGB)
		return 0;
#endif
	n = kind == DEV_NONE ? 0 : scandir(k->bus, &list, NULL, alphasort);
	if (n <= 0)
		return 0;
	for (i = 0; i < n; i++) {
		struct dma_dev *d = &devs[found];
		const char *name = list[i]->d_name;

		snprintf(dir, sizeof(dir), "%s/%.64s", k->bus, name);
		if (found < max && name[0] != '.' &&
		    (k->vendor ? file_says(dir, "vendor", k->vendor) &&
				 file_says(dir, "device", k->device)
			       : !strncmp(name, "dma", 3))) {
			memset(d, 0, sizeof(*d));
			d->fd = -1;
			d->kind = kind;
			d->max_iova = k->max_iova;
			d->max_len = k->max_len;
			d->min_len = k->min_len;
			d->drv_len = k->drv_len;
			snprintf(d->name, sizeof(d->name), "%.31s", name);
			d->group = group_of(dir);
			if (find_cdev(dir, d->cdev, sizeof(d->cdev)))
				found++;
		}
		free(list[i]);
	}
	free(list);
	return found;
}

/**
 * dev_find_emulated() - Find the mock's device that has no IOMMU
 * @d: Is filled
 *
 * Return: Whether there is one
 */
int dev_find_emulated(struct dma_dev *d)
{
	char dir[256];

	memset(d, 0, sizeof(*d));
	d->fd = -1;
	d->kind = DEV_MOCK;
	snprintf(d->name, sizeof(d->name), "emulated0");
	snprintf(dir, sizeof(dir), "%s/%s", kinds[DEV_MOCK].bus, d->name);
	return find_cdev(dir, d->cdev, sizeof(d->cdev));
}

/**
 * dev_missing() - Why dev_find() found nothing
 * @kind: What it looked for
 */
const char *dev_missing(enum dev_kind kind)
{
	return kinds[kind].missing;
}

/**
 * dev_region() - Where a VFIO region is
 * @d: Device
 * @index: Region
 * @offset: For pread(), pwrite() and mmap()
 * @size: Bytes; may be NULL
 */
int dev_region(struct dma_dev *d, unsigned int index, __u64 *offset,
	       __u64 *size)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = index,
	};
	int rc = xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	*offset = info.offset;
	if (size)
		*size = info.size;
	return rc;
}

/**
 * dev_bus_master() - Let a PCI device do DMA
 * @d: Device
 */
int dev_bus_master(struct dma_dev *d)
{
	__u64 config;
	__u16 cmd;
	int rc = dev_region(d, VFIO_PCI_CONFIG_REGION_INDEX, &config, NULL);

	if (rc)
		return rc;
	if (pread(d->fd, &cmd, 2, config + PCI_COMMAND) != 2)
		return -EIO;
	cmd |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	return pwrite(d->fd, &cmd, 2, config + PCI_COMMAND) == 2 ? 0 : -EIO;
}

/**
 * dev_open() - Open a device and bind it to the VMM's iommufd
 * @d: Device
 * @v: VMM. The first device gives the RAM IOAS its HWPT, with @v->table a
 *     nesting parent.
 *
 * Waits a moment for a device that the test before still holds.
 */
int dev_open(struct dma_dev *d, struct vmm *v)
{
	struct vfio_device_bind_iommufd b = {
		.argsz = sizeof(b), .iommufd = v->iommufd,
	};
	int rc, tries;

	d->fd = open(d->cdev, O_RDWR | O_CLOEXEC);
	if (d->fd < 0)
		return -errno;
	for (tries = 0; tries < 100; tries++) {
		rc = xioctl(d->fd, VFIO_DEVICE_BIND_IOMMUFD, &b);
		if (rc != -EBUSY && rc != -EPERM)
			break;
		sleep_ms(20);
	}
	if (rc)
		return rc;
	d->iommufd = v->iommufd;
	d->dev_id = b.out_devid;
	if (d->kind == DEV_EDU)
		rc = edu_open(d);
	else if (d->kind == DEV_MOCK)
		rc = mock_open(d);
	if (!rc && v->table)
		rc = nest_open(v, d);
	else if (!rc && !v->ram_hwpt)
		rc = vmm_hwpt_alloc(v, d->dev_id, v->ram_ioas, &v->ram_hwpt);
	return rc;
}

/**
 * dev_close() - Close a device
 * @d: Device
 */
void dev_close(struct dma_dev *d)
{
#ifdef HAVE_IGB
	if (d->kind == DEV_IGB && d->priv)
		igb_glue_free(d->priv);
#else
	free(d->priv);
#endif
	d->priv = NULL;
	if (d->table) {
		struct iommu_destroy a = {
			.size = sizeof(a), .id = d->vdevice,
		};

		/* Has to go before the file does */
		xioctl(d->iommufd, IOMMU_DESTROY, &a);
		d->table = false;
	}
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

/**
 * dev_start() - Start the driver of a device that needs memory for it
 * @d: Device
 * @va: Memory of d->drv_len bytes
 * @iova: Where the device finds it
 */
int dev_start(struct dma_dev *d, void *va, __u64 iova)
{
	d->drv_va = va;
	d->drv_iova = iova;
#ifdef HAVE_IGB
	if (d->kind == DEV_IGB) {
		int rc = dev_bus_master(d);

		if (rc)
			return rc;
		if (!d->priv)
			d->priv = igb_glue_new(d->name, d->fd);
		return d->priv ? igb_glue_start(d->priv, va, iova, d->drv_len)
			       : -ENOMEM;
	}
#endif
	return 0;
}

/**
 * dev_has_buffer() - Whether dev_load() and dev_store() work
 * @d: Device
 */
bool dev_has_buffer(const struct dma_dev *d)
{
	return d->kind == DEV_EDU || d->kind == DEV_MOCK;
}

/**
 * dev_load() - The device reads memory into its buffer
 * @d: Device
 * @iova: Address
 * @len: Bytes
 *
 * Return: 0 if the transfer ended, also if the IOMMU denied it
 */
int dev_load(struct dma_dev *d, __u64 iova, __u32 len)
{
	if (d->kind == DEV_EDU)
		return edu_load(d, iova, len);
	if (d->kind == DEV_MOCK)
		return mock_load(d, iova, len);
	return -EOPNOTSUPP;
}

/**
 * dev_store() - The device writes its buffer to memory
 * @d: Device
 * @iova: Address
 * @len: Bytes
 *
 * Return: 0 if the transfer ended, also if the IOMMU denied it
 */
int dev_store(struct dma_dev *d, __u64 iova, __u32 len)
{
	if (d->kind == DEV_EDU)
		return edu_store(d, iova, len);
	if (d->kind == DEV_MOCK)
		return mock_store(d, iova, len);
	return -EOPNOTSUPP;
}

/**
 * dev_copy() - The device reads memory and writes what it read elsewhere
 * @d: Device
 * @src: Address it reads
 * @dst: Address it writes
 * @len: Bytes
 *
 * Return: 0 if the transfer ended, also if the IOMMU denied it; -ETIMEDOUT if
 * the device can't say, as it could not reach its own descriptors
 */
int dev_copy(struct dma_dev *d, __u64 src, __u64 dst, __u32 len)
{
	int rc;

#ifdef HAVE_IGB
	if (d->kind == DEV_IGB)
		return d->priv ? igb_glue_copy(d->priv, src, dst, len, 1)
			       : -EINVAL;
#endif
	rc = dev_load(d, src, len);
	return rc ? rc : dev_store(d, dst, len);
}

/**
 * dev_flood() - As dev_copy(), many times and as fast as the device can
 * @d: A device with a driver
 * @src: Address it reads
 * @dst: Address it writes
 * @len: Bytes
 * @count: How often, less than 4096
 */
int dev_flood(struct dma_dev *d, __u64 src, __u64 dst, __u32 len, __u32 count)
{
#ifdef HAVE_IGB
	if (d->kind == DEV_IGB && d->priv)
		return igb_glue_copy(d->priv, src, dst, len, count);
#endif
	return -EOPNOTSUPP;
}

/**
 * dev_attach() - VFIO_DEVICE_ATTACH_IOMMUFD_PT, behind the module's back
 * @d: Device
 * @pt_id: IOAS or HWPT
 */
int dev_attach(struct dma_dev *d, __u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt a = {
		.argsz = sizeof(a), .pt_id = pt_id,
	};

	return xioctl(d->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a);
}

/**
 * dev_detach() - VFIO_DEVICE_DETACH_IOMMUFD_PT, behind the module's back
 * @d: Device
 */
int dev_detach(struct dma_dev *d)
{
	struct vfio_device_detach_iommufd_pt a = { .argsz = sizeof(a) };

	return xioctl(d->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &a);
}
