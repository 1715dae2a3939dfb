// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu, served by the host's kernel: /dev/vhost-iommu
 *
 * The guest's requests go to the kernel, which maps, unmaps and attaches without
 * kvmtool. What is done here is set-up and life cycle: which devices are behind
 * the IOMMU, what the guest is told of them, and resets.
 *
 * There is no hot-plug, no removal of memory and no migration in kvmtool, so
 * what is announced at the start stays until the end. A guest that reboots ends.
 */
#include "iommu-internal.h"

#include "kvm/fdt.h"
#include "kvm/guest_compat.h"
#include "kvm/util.h"
#include "kvm/virtio-pci.h"
#include "kvm/virtio-pci-dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/byteorder.h>
#include <linux/kernel.h>
#include <linux/vhost.h>

#define VHOST_IOMMU_NODE	"/dev/vhost-iommu"
#define IOMMU_GROUP_DIR		"/sys/kernel/iommu_groups"

#define PCI_CLASS_IOMMU		0x080600
#define VIOMMU_QUEUE_SIZE	256
#define VIOMMU_MAX_RANGES	64
#define VIOMMU_LAST_DOMAIN	0xffff
/* A page table of four levels */
#define VIOMMU_LAST_IOVA	((1ULL << 48) - 1)

/* No other node has it: kvmtool's own are below */
#define PHANDLE_VIOMMU		PHANDLES_MAX

#define FEATURE(bit)		(1ULL << (bit))

static struct viommu_dev *viommu;
static int compat_id = -1;

int viommu_ioctl(struct viommu_dev *dev, unsigned long request, void *arg)
{
	int ret;

	/* kvmtool's threads get signals; with EINTR @arg says where to go on */
	do
		ret = ioctl(dev->fd, request, arg);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

int viommu_parser(const struct option *opt, const char *arg, int unset)
{
	struct kvm *kvm = opt->ptr;
	char error[256];

	if (unset) {
		kvm->cfg.viommu.enabled = false;
		return 0;
	}
	if (kvm->cfg.viommu.enabled)
		die("--viommu can be given once only");
	if (viommu_parse_options(arg, &kvm->cfg.viommu, error, sizeof(error)))
		die("--viommu: %s", error);
	return 0;
}

/* What can be said before there is a virtual machine */
void viommu_validate_cfg(struct kvm *kvm)
{
	if (!kvm->cfg.viommu.enabled)
		return;
	if (!kvm->cfg.num_vfio_devices)
		die("--viommu is for assigned devices, and there is none: use --vfio-pci, or leave it out");
	if (kvm->cfg.balloon)
		die("--viommu can't be used with --balloon: memory that the guest gives away would still be what its devices reach");
	if (kvm->cfg.virtio_transport == VIRTIO_PCI_LEGACY ||
	    kvm->cfg.virtio_transport == VIRTIO_MMIO_LEGACY)
		die("--viommu needs modern virtio: use --virtio-transport pci or mmio");
}

/* Life cycle. The lock is held. */

static int viommu_set_running(bool running)
{
	struct vhost_iommu_set_running args = {
		.size		= sizeof(args),
		.running	= running,
	};

	return viommu_ioctl(viommu, VHOST_IOMMU_SET_RUNNING, &args);
}

static void viommu_reset(void)
{
	struct vhost_iommu_reset args = {
		.size	= sizeof(args),
	};
	int ret;

	viommu->reset_due = false;
	viommu->bypass_written = false;
	viommu->failed = false;
	ret = viommu_ioctl(viommu, VHOST_IOMMU_RESET, &args);
	if (ret)
		pr_err("virtio-iommu: some devices are blocked: reset failed: %s",
		       strerror(-ret));
}

static void viommu_stop(void)
{
	int ret;

	if (!viommu->running)
		return;
	viommu->running = false;
	ret = viommu_set_running(false);
	if (ret)
		pr_err("virtio-iommu: can't be stopped: %s", strerror(-ret));
}

static void viommu_start(void)
{
	int ret = 0;

	if (viommu->running)
		return;
	if (virtio_vhost_set_features(viommu->fd, viommu->vdev.features))
		ret = -errno;
	if (!ret)
		ret = viommu_set_running(true);
	if (ret) {
		/* It may be the guest's doing, which is no reason to end it */
		viommu->failed = true;
		pr_err("virtio-iommu: the host does not serve the guest's requests: %s. The guest may wait for ever",
		       strerror(-ret));
		return;
	}
	viommu->running = true;
}

/*
 * Linux resets the virtio-iommu before the devices behind it when it powers off
 * or starts another kernel, and their drivers give last commands, which would
 * take long to time out if they reached nothing. So endpoints stay in their
 * domains until there is a next driver. What they reach there is what the guest
 * has given to them.
 *
 * Not so for a driver with tables, which may use their memory for something
 * else, for one that has written config.bypass, which is about endpoints in no
 * domain, and if the kernel could not go on.
 */
static void viommu_driver_reset(void)
{
	if (viommu->failed || viommu->bypass_written ||
	    viommu->vdev.features & FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE))
		viommu_reset();
	else
		viommu->reset_due = true;
}

static void viommu_tell_bypass(void)
{
	struct vhost_iommu_set_bypass args = {
		.size	= sizeof(args),
		.bypass	= viommu->shown.bypass,
	};
	int ret = viommu_ioctl(viommu, VHOST_IOMMU_SET_BYPASS, &args);

	if (ret)
		pr_err("virtio-iommu: some devices are blocked: bypass can't be set: %s",
		       strerror(-ret));
}

/* The device, as kvmtool's virtio code sees it */

static u8 *get_config(struct kvm *kvm, void *dev)
{
	return (u8 *)&viommu->config;
}

static size_t get_config_size(struct kvm *kvm, void *dev)
{
	return sizeof(viommu->config);
}

/* The guest has written something, and nothing but bypass is to be written */
static void set_config(struct kvm *kvm, void *dev, unsigned long offset,
		       size_t size)
{
	size_t at = offsetof(struct virtio_iommu_config, bypass);
	u8 bypass;

	mutex_lock(&viommu->lock);
	bypass = viommu->config.bypass;
	if (offset <= at && at < offset + size && bypass <= 1 &&
	    viommu->vdev.features & FEATURE(VIRTIO_IOMMU_F_BYPASS_CONFIG)) {
		viommu->shown.bypass = bypass;
		/* For the driver all endpoints are outside any domain by now */
		if (viommu->reset_due)
			viommu_reset();
		viommu_tell_bypass();
		viommu->bypass_written = true;
	}
	viommu->config = viommu->shown;
	mutex_unlock(&viommu->lock);
}

static u64 get_host_features(struct kvm *kvm, void *dev)
{
	return viommu->features;
}

static unsigned int get_vq_count(struct kvm *kvm, void *dev)
{
	return VHOST_IOMMU_VQ_MAX;
}

static struct virt_queue *get_vq(struct kvm *kvm, void *dev, u32 vq)
{
	return &viommu->vqs[vq];
}

static int get_size_vq(struct kvm *kvm, void *dev, u32 vq)
{
	return viommu->vq_size[vq];
}

static int set_size_vq(struct kvm *kvm, void *dev, u32 vq, int size)
{
	if (size <= VIOMMU_QUEUE_SIZE && is_power_of_two(size))
		viommu->vq_size[vq] = size;
	return viommu->vq_size[vq];
}

/* The kernel takes eventfds and addresses in any order while it is stopped */
static int init_vq(struct kvm *kvm, void *dev, u32 vq)
{
	struct virt_queue *queue = &viommu->vqs[vq];
	int ret = 0;

	compat__remove_message(compat_id);
	mutex_lock(&viommu->lock);
	if (viommu->running) {
		pr_err("virtio-iommu: the driver adds queue %u to a device that runs", vq);
		ret = -EBUSY;
		goto out;
	}
	/* There is a next driver. After this no ring has an address. */
	if (viommu->reset_due)
		viommu_reset();
	virtio_init_device_vq(kvm, &viommu->vdev, queue, viommu->vq_size[vq]);
	virtio_vhost_set_vring(kvm, viommu->fd, vq, queue);
out:
	mutex_unlock(&viommu->lock);
	return ret;
}

/* Comes before notify_status() with STOP */
static void exit_vq(struct kvm *kvm, void *dev, u32 vq)
{
	mutex_lock(&viommu->lock);
	viommu_stop();
	virtio_vhost_set_vring_kick(kvm, viommu->fd, vq, -1);
	virtio_vhost_reset_vring(kvm, viommu->fd, vq, &viommu->vqs[vq]);
	mutex_unlock(&viommu->lock);
}

/* KVM's ioeventfd has the kicks, which the kernel serves */
static int notify_vq(struct kvm *kvm, void *dev, u32 vq)
{
	return 0;
}

static void notify_vq_gsi(struct kvm *kvm, void *dev, u32 vq, u32 gsi)
{
	virtio_vhost_set_vring_irqfd(kvm, gsi, &viommu->vqs[vq]);
}

static void notify_vq_eventfd(struct kvm *kvm, void *dev, u32 vq, u32 efd)
{
	virtio_vhost_set_vring_kick(kvm, viommu->fd, vq, efd);
}

static void viommu_reset_sizes(void)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++)
		viommu->vq_size[i] = VIOMMU_QUEUE_SIZE;
}

/*
 * With STATUS_STOP the queues are gone, and what the driver had accepted is
 * still known: kvmtool forgets it after this.
 */
static void notify_status(struct kvm *kvm, void *dev, u32 status)
{
	mutex_lock(&viommu->lock);
	if (status & VIRTIO__STATUS_START) {
		viommu_start();
	} else if (status & VIRTIO__STATUS_STOP) {
		viommu_stop();
		viommu_driver_reset();
	}
	if (status & VIRTIO__STATUS_CONFIG)
		viommu_reset_sizes();
	mutex_unlock(&viommu->lock);
}

static struct virtio_ops viommu_ops = {
	.get_config		= get_config,
	.get_config_size	= get_config_size,
	.set_config		= set_config,
	.get_host_features	= get_host_features,
	.get_vq_count		= get_vq_count,
	.init_vq		= init_vq,
	.exit_vq		= exit_vq,
	.get_vq			= get_vq,
	.get_size_vq		= get_size_vq,
	.set_size_vq		= set_size_vq,
	.notify_vq		= notify_vq,
	.notify_vq_gsi		= notify_vq_gsi,
	.notify_vq_eventfd	= notify_vq_eventfd,
	.notify_status		= notify_status,
};

/*
 * Linux' driver does not look at the status of a MAP request, so the device's
 * DMA fails without a word of the reason. Tell it here.
 */
static void viommu_handle_error(struct kvm *kvm, struct epoll_event *ev)
{
	struct vhost_iommu_get_refusal args = {
		.size	= sizeof(args),
	};
	u64 count;

	if (read(viommu->error_fd, &count, sizeof(count)) < 0)
		return;
	if (!viommu_ioctl(viommu, VHOST_IOMMU_GET_REFUSAL, &args) &&
	    args.out_count != viommu->refused) {
		viommu->refused = args.out_count;
		pr_warning("virtio-iommu: the host has refused %llu MAP request(s), and the guest may not notice; the last one: status %u, domain %u, 0x%llx-0x%llx to 0x%llx%s",
			   (unsigned long long)args.out_count, args.out_status,
			   args.out_domain, (unsigned long long)args.out_start,
			   (unsigned long long)args.out_last,
			   (unsigned long long)args.out_phys,
			   args.out_status == VIRTIO_IOMMU_S_NOMEM ?
			   " (a limit; the kernel module has parameters for them)" : "");
	} else {
		pr_warning("virtio-iommu: the host can't use one of the guest's rings; see the trace events of vhost_iommu");
	}
	/* However many there are */
	sleep(1);
}

static void viommu_init_errors(void)
{
	struct epoll_event event = {
		.events	= EPOLLIN,
	};
	struct vhost_vring_file file;
	u32 i;

	viommu->error_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (viommu->error_fd < 0)
		die_perror("eventfd()");
	if (epoll__init(viommu->kvm, &viommu->errors, "viommu-errors",
			viommu_handle_error) ||
	    epoll_ctl(viommu->errors.fd, EPOLL_CTL_ADD, viommu->error_fd, &event))
		die("virtio-iommu: no thread for errors");
	for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++) {
		file.index = i;
		file.fd = viommu->error_fd;
		if (ioctl(viommu->fd, VHOST_SET_VRING_ERR, &file))
			die_perror("VHOST_SET_VRING_ERR failed");
	}
}

/* Set-up. What fails ends the process. */

static void viommu_call(unsigned long request, const char *name, void *arg)
{
	int ret = viommu_ioctl(viommu, request, arg);

	if (ret)
		die("%s failed: %s", name, strerror(-ret));
}

#define VIOMMU_CALL(request, arg)	viommu_call(request, #request, arg)

static void viommu_open(void)
{
	viommu->fd = open(VHOST_IOMMU_NODE, O_RDWR | O_CLOEXEC);
	if (viommu->fd >= 0)
		return;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		die("%s: %s. Load the kernel module vhost_iommu, or leave out --viommu",
		    VHOST_IOMMU_NODE, strerror(errno));
	case EACCES:
	case EPERM:
		die("%s: %s. Run lkvm as a user who may open it (often a member of the group kvm), or leave out --viommu",
		    VHOST_IOMMU_NODE, strerror(errno));
	default:
		die("%s: %s", VHOST_IOMMU_NODE, strerror(errno));
	}
}

static void viommu_check_info(void)
{
	struct vhost_iommu_info *info = &viommu->info;
	enum viommu_tables tables = viommu->kvm->cfg.viommu.tables;
	u64 features = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_IOMMU_F_PROBE);
	u64 caps = 0;
	int ret;

	if (tables != VIOMMU_TABLES_ON) {
		features |= FEATURE(VIRTIO_IOMMU_F_MAP_UNMAP);
		caps |= VHOST_IOMMU_CAP_MAP_UNMAP;
	}
	info->size = sizeof(*info);
	ret = viommu_ioctl(viommu, VHOST_IOMMU_GET_INFO, info);
	if (ret == -ENOTTY)
		die("%s is not the file of a vhost-iommu: remove what is there, and load the kernel module vhost_iommu",
		    VHOST_IOMMU_NODE);
	if (ret)
		die("VHOST_IOMMU_GET_INFO failed: %s", strerror(-ret));
	if (caps & ~info->out_capabilities || features & ~info->out_features ||
	    info->out_max_probe_size < VIOMMU_PROBE_SIZE)
		die("the host's vhost-iommu is too old: capabilities 0x%llx, features 0x%llx. Update the kernel module vhost_iommu, or leave out --viommu",
		    (unsigned long long)info->out_capabilities,
		    (unsigned long long)info->out_features);
	if (tables != VIOMMU_TABLES_OFF)
		viommu_table_check(viommu);
}

/* Without one, devices have no interrupts but INTx */
static void viommu_check_irqchip(struct kvm *kvm)
{
	enum irqchip_type irqchip = kvm->cfg.arch.irqchip;

	if (irqchip != IRQCHIP_GICV3_ITS && irqchip != IRQCHIP_GICV2M)
		die("--viommu needs an interrupt controller with a frame for MSIs: use --irqchip gicv3-its or gicv2m");
}

static void viommu_init_config(void)
{
	const struct viommu_params *params = &viommu->kvm->cfg.viommu;
	bool maps = params->tables != VIOMMU_TABLES_ON;
	u64 granule = params->granule ?: 4096;
	u64 last = VIOMMU_LAST_IOVA;

	if (params->tables != VIOMMU_TABLES_OFF)
		granule = viommu_table_granule(viommu, params->granule);
	if (maps && viommu->iommufd->iova_alignment > granule)
		die("--viommu: the host maps pages of %llu KiB: use granule=%lluk",
		    (unsigned long long)viommu->iommufd->iova_alignment / 1024,
		    (unsigned long long)viommu->iommufd->iova_alignment / 1024);
	/* What the guest's own tables translate may be above what the host maps */
	if (maps)
		last = min(last, viommu->iommufd->iova_last);

	viommu->shown = (struct virtio_iommu_config) {
		.page_size_mask		= cpu_to_le64(viommu_page_sizes(granule)),
		.input_range.end	= cpu_to_le64(last),
		.domain_range.end	= cpu_to_le32(VIOMMU_LAST_DOMAIN),
		.probe_size		= cpu_to_le32(VIOMMU_PROBE_SIZE),
		.bypass			= params->boot_bypass,
	};
	viommu->config = viommu->shown;
}

static void viommu_init_features(void)
{
	enum viommu_tables tables = viommu->kvm->cfg.viommu.tables;
	u64 features;

	if (ioctl(viommu->fd, VHOST_GET_FEATURES, &features))
		die_perror("VHOST_GET_FEATURES failed");
	viommu->features = FEATURE(VIRTIO_RING_F_EVENT_IDX) |
			   FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
			   FEATURE(VIRTIO_IOMMU_F_INPUT_RANGE) |
			   FEATURE(VIRTIO_IOMMU_F_DOMAIN_RANGE) |
			   FEATURE(VIRTIO_IOMMU_F_PROBE) |
			   FEATURE(VIRTIO_IOMMU_F_MMIO) |
			   FEATURE(VIRTIO_IOMMU_F_BYPASS_CONFIG);
	if (tables != VIOMMU_TABLES_ON)
		viommu->features |= FEATURE(VIRTIO_IOMMU_F_MAP_UNMAP);
	if (tables != VIOMMU_TABLES_OFF)
		viommu->features |= FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE);
	viommu->features &= features;
}

static void viommu_configure(void)
{
	struct kvm *kvm = viommu->kvm;
	const struct virtio_iommu_config *shown = &viommu->shown;
	struct vhost_iommu_set_config config = {
		.size		= sizeof(config),
		.page_size_mask	= le64_to_cpu(shown->page_size_mask),
		.input_end	= le64_to_cpu(shown->input_range.end),
		.domain_end	= le32_to_cpu(shown->domain_range.end),
		.probe_size	= le32_to_cpu(shown->probe_size),
		.num_queues	= 1,
		.bypass		= shown->bypass,
	};
	struct vhost_iommu_set_limits limits = {
		.size			= sizeof(limits),
		.max_mappings		= min_t(u64, viommu->info.out_max_mappings,
						viommu_max_mappings(kvm->ram_size,
								    viommu->nr_endpoints)),
		.max_table_pages	= min_t(u64, viommu->info.out_max_table_pages,
						viommu_max_table_pages(kvm->ram_size,
								       viommu->nr_endpoints)),
	};
	struct vhost_iommu_set_doorbell doorbell = {
		.size	= sizeof(doorbell),
		.start	= VIOMMU_MSI_START,
		.last	= VIOMMU_MSI_LAST,
	};
	struct vhost_vring_state poll = {
		.index	= VHOST_IOMMU_VQ_REQUEST,
		.num	= kvm->cfg.viommu.poll_us,
	};

	/* A proposal, which is offered to nobody who does not ask for it */
	if (kvm->cfg.viommu.tables != VIOMMU_TABLES_OFF)
		config.proposals = FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE);
	VIOMMU_CALL(VHOST_IOMMU_SET_CONFIG, &config);
	VIOMMU_CALL(VHOST_IOMMU_SET_LIMITS, &limits);
	/* For drivers that map it; Linux does not map an MSI region */
	VIOMMU_CALL(VHOST_IOMMU_SET_DOORBELL, &doorbell);
	if (ioctl(viommu->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll))
		die_perror("VHOST_SET_VRING_BUSYLOOP_TIMEOUT failed");
}

/* The scratch area is the kernel's until the file is closed */
static void viommu_set_iommufd(void)
{
	struct vhost_iommu_set_iommufd args = {
		.size		= sizeof(args),
		.iommufd	= viommu->iommufd->fd,
		.ram_ioas_id	= viommu->iommufd->ioas_id,
	};

	viommu->scratch_len = viommu->info.out_scratch_size;
	viommu->scratch = mmap(NULL, viommu->scratch_len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (viommu->scratch == MAP_FAILED)
		die_perror("mmap()");
	args.scratch_addr = (unsigned long)viommu->scratch;
	args.scratch_len = viommu->scratch_len;
	VIOMMU_CALL(VHOST_IOMMU_SET_IOMMUFD, &args);
}

/* What the host reserves for the device's group */
static int viommu_read_ranges(struct vfio_device *vdev,
			      struct viommu_range *ranges)
{
	char path[PATH_MAX], line[128];
	unsigned int nr = 0;
	FILE *file;
	int ret;

	snprintf(path, sizeof(path), IOMMU_GROUP_DIR "/%lu/reserved_regions",
		 vdev->group->id);
	file = fopen(path, "r");
	if (!file)
		vfio_dev_die(vdev, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (nr == VIOMMU_MAX_RANGES)
			vfio_dev_die(vdev, "the host reserves more than %d regions",
				     VIOMMU_MAX_RANGES);
		if (viommu_parse_range(line, &ranges[nr++]))
			vfio_dev_die(vdev, "%s: no region: %s", path, line);
	}
	fclose(file);
	ret = viommu_merge_ranges(ranges, nr, VIOMMU_MAX_RANGES);
	if (ret < 0)
		vfio_dev_die(vdev, "the host reserves more than %d regions",
			     VIOMMU_MAX_RANGES);
	return ret;
}

static const char *viommu_endpoint_hint(int err)
{
	switch (err) {
	case ENODEV:
		return ". The device has no IOMMU in the host";
	case ENOSPC:
		return ". vhost-iommu's limit of endpoints is reached";
	case EIO:
		return ". The host's IOMMU could not be programmed; see the host's kernel log";
	default:
		return "";
	}
}

static void viommu_add_endpoint(struct viommu_endpoint *ep)
{
	struct vfio_device *vdev = ep->dev->vdev;
	struct viommu_range ranges[VIOMMU_MAX_RANGES];
	u8 probe[VIOMMU_PROBE_SIZE];
	struct vhost_iommu_add_endpoint args = {
		.size		= sizeof(args),
		.flags		= VHOST_IOMMU_EP_DEVICE | VHOST_IOMMU_EP_GROUP,
		.endpoint	= ep->id,
		.device_fd	= vdev->fd,
		.dev_id		= ep->dev->dev_id,
		.ram_hwpt_id	= ep->dev->hwpt_id,
		.group_id	= vdev->group->id,
		.probe_addr	= (unsigned long)probe,
	};
	int ret;

	ret = viommu_read_ranges(vdev, ranges);
	ret = viommu_fill_probe(probe, sizeof(probe), ranges, ret,
				ep->nest ? ep->idr : NULL);
	if (ret < 0)
		vfio_dev_die(vdev, "the host reserves more regions than fit into %d bytes of PROBE properties",
			     VIOMMU_PROBE_SIZE);
	args.probe_len = ret;
	if (ep->nest) {
		args.flags |= VHOST_IOMMU_EP_TABLE;
		args.viommu = ep->nest->number;
		args.virt_id = ep->dev->dev_id;
	}
	ret = viommu_ioctl(viommu, VHOST_IOMMU_ADD_ENDPOINT, &args);
	if (ret)
		vfio_dev_die(vdev, "vhost-iommu refuses the device: %s%s",
			     strerror(-ret), viommu_endpoint_hint(-ret));
	vfio_dev_info(vdev, "is endpoint 0x%x of the virtio-iommu%s", ep->id,
		      ep->nest ? ", with tables of the guest" : "");
}

static void viommu_find_endpoints(void)
{
	unsigned int i;

	viommu->nr_endpoints = viommu->iommufd->nr_devices;
	viommu->endpoints = calloc(viommu->nr_endpoints, sizeof(*viommu->endpoints));
	if (!viommu->endpoints)
		die("out of memory");
	for (i = 0; i < viommu->nr_endpoints; i++) {
		struct viommu_endpoint *ep = &viommu->endpoints[i];

		ep->dev = &viommu->iommufd->devices[i];
		/* The device has its slot since VFIO registered it */
		ep->id = VIOMMU_ENDPOINT_ID(ep->dev->vdev->dev_hdr.dev_num);
	}
}

static int viommu_init(struct kvm *kvm)
{
	unsigned int i;
	int ret;

	if (!kvm->cfg.viommu.enabled)
		return 0;

	viommu_check_irqchip(kvm);
	viommu = calloc(1, sizeof(*viommu));
	if (!viommu)
		return -ENOMEM;
	viommu->kvm = kvm;
	viommu->iommufd = vfio_iommufd_get();
	mutex_init(&viommu->lock);
	viommu_reset_sizes();

	viommu_open();
	viommu_check_info();
	/* The owner, and guest RAM */
	virtio_vhost_init(kvm, viommu->fd);
	viommu_find_endpoints();
	viommu_init_config();
	viommu_configure();
	viommu_init_features();
	viommu_set_iommufd();
	if (kvm->cfg.viommu.tables != VIOMMU_TABLES_OFF)
		viommu_table_add(viommu);
	for (i = 0; i < viommu->nr_endpoints; i++)
		viommu_add_endpoint(&viommu->endpoints[i]);
	viommu_init_errors();

	/* Always a modern PCI device: the device tree names it by its slot */
	viommu->vdev.use_vhost = true;
	ret = virtio_init(kvm, viommu, &viommu->vdev, &viommu_ops, VIRTIO_PCI,
			  PCI_DEVICE_ID_VIRTIO_BASE + VIRTIO_ID_IOMMU,
			  VIRTIO_ID_IOMMU, PCI_CLASS_IOMMU);
	if (ret < 0)
		die("virtio-iommu: no PCI device: %s", strerror(-ret));
	compat_id = virtio_compat_add_message("virtio-iommu", "CONFIG_VIRTIO_IOMMU");
	return 0;
}

virtio_dev_init(viommu_init);

/* Before the devices' files are closed, and RAM is unmapped */
static int viommu_exit(struct kvm *kvm)
{
	struct vhost_iommu_remove_endpoint args = {
		.size	= sizeof(args),
	};
	unsigned int i;
	int ret;

	if (!viommu)
		return 0;

	for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++)
		if (viommu->vqs[i].enabled)
			exit_vq(kvm, viommu, i);
	viommu_reset();
	for (i = 0; i < viommu->nr_endpoints; i++) {
		args.endpoint = viommu->endpoints[i].id;
		ret = viommu_ioctl(viommu, VHOST_IOMMU_REMOVE_ENDPOINT, &args);
		if (ret)
			pr_warning("VHOST_IOMMU_REMOVE_ENDPOINT failed: %s",
				   strerror(-ret));
	}
	viommu_table_remove(viommu);
	epoll__exit(&viommu->errors);
	close(viommu->error_fd);
	close(viommu->fd);
	munmap(viommu->scratch, viommu->scratch_len);
	free(viommu->endpoints);
	free(viommu);
	viommu = NULL;
	return 0;
}

virtio_dev_exit(viommu_exit);

/*
 * To be called in the node of the PCI host bridge, after its own properties: its
 * devices that are behind the IOMMU, and the IOMMU itself, which is one of them.
 */
void viommu_generate_fdt_nodes(void *fdt, struct kvm *kvm)
{
	static const char compatible[] = "pci1af4,1057\0virtio,pci-iommu";
	struct viommu_map_entry *map;
	struct virtio_pci *vpci;
	u32 reg[5] = { 0 };
	char name[16];
	unsigned int i;

	if (!viommu)
		return;

	map = calloc(viommu->nr_endpoints, sizeof(*map));
	if (!map)
		die("out of memory");
	for (i = 0; i < viommu->nr_endpoints; i++)
		viommu_map_entry(&map[i],
				 viommu->endpoints[i].dev->vdev->dev_hdr.dev_num,
				 PHANDLE_VIOMMU);
	_FDT(fdt_property(fdt, "iommu-map", map,
			  viommu->nr_endpoints * sizeof(*map)));
	free(map);

	vpci = viommu->vdev.virtio;
	reg[0] = cpu_to_fdt32(vpci->dev_hdr.dev_num << 11);
	snprintf(name, sizeof(name), "iommu@%x", vpci->dev_hdr.dev_num);
	_FDT(fdt_begin_node(fdt, name));
	_FDT(fdt_property(fdt, "compatible", compatible, sizeof(compatible)));
	_FDT(fdt_property(fdt, "reg", reg, sizeof(reg)));
	_FDT(fdt_property_cell(fdt, "#iommu-cells", 1));
	_FDT(fdt_property_cell(fdt, "phandle", PHANDLE_VIOMMU));
	_FDT(fdt_end_node(fdt));
}
