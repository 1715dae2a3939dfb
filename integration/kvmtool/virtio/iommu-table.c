// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu: tables of the guest
 *
 * The guest can hand over page tables in the format of the host's IOMMU, which
 * vhost-iommu nests on the one with guest RAM. It needs some objects of the
 * iommufd for that, which are made here: for each page table with guest RAM, of
 * which there is one for each physical IOMMU, a vIOMMU and its queue of events,
 * and for each device its ID in that vIOMMU. They stay until the guest ends.
 */
#include "iommu-internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/iommufd.h>

/* Events that the host keeps until the guest has room for them */
#define VIOMMU_EVENTQ_DEPTH	256

/* Whether this vhost-iommu can do it at all */
void viommu_table_check(struct viommu_dev *viommu)
{
	const struct vhost_iommu_info *info = &viommu->info;

	if (!(info->out_capabilities & VHOST_IOMMU_CAP_ATTACH_TABLE) ||
	    !(info->out_table_formats & 1ULL << VIRTIO_IOMMU_FORMAT_ARM_SMMUV3) ||
	    !(info->out_proposals & 1ULL << VIRTIO_IOMMU_F_ATTACH_TABLE))
		die("--viommu: the host's vhost-iommu is too old for tables of the guest: capabilities 0x%llx, table formats 0x%llx. Update the kernel module vhost_iommu, or use tables=off",
		    (unsigned long long)info->out_capabilities,
		    (unsigned long long)info->out_table_formats);
}

static void viommu_get_idr(struct viommu_dev *viommu, struct viommu_endpoint *ep)
{
	struct iommu_hw_info_arm_smmuv3 smmu = { };
	struct iommu_hw_info info = {
		.size		= sizeof(info),
		.dev_id		= ep->dev->dev_id,
		.data_len	= sizeof(smmu),
		.data_uptr	= (unsigned long)&smmu,
	};

	if (ioctl(viommu->iommufd->fd, IOMMU_GET_HW_INFO, &info))
		vfio_dev_die(ep->dev->vdev, "IOMMU_GET_HW_INFO failed: %s",
			     strerror(errno));
	if (info.out_data_type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		vfio_dev_die(ep->dev->vdev, "the host's IOMMU is not an Arm SMMUv3, so there can't be tables of the guest; use tables=off");
	viommu_smmu_idr(ep->idr, smmu.idr,
			!(info.out_capabilities &
			  IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED));
}

/*
 * Learn what the host's SMMUs can. Returns @granule, or if that is 0 and there
 * are no MAP requests, which the host has its own page size for, the smallest
 * one that the SMMUs have.
 */
u64 viommu_table_granule(struct viommu_dev *viommu, u64 granule)
{
	bool choose = !granule && viommu->kvm->cfg.viommu.tables == VIOMMU_TABLES_ON;
	struct viommu_endpoint *ep;
	u32 common = ~0U;
	unsigned int i;

	for (i = 0; i < viommu->nr_endpoints; i++) {
		ep = &viommu->endpoints[i];
		viommu_get_idr(viommu, ep);
		common &= ep->idr[5];
	}
	if (choose)
		granule = viommu_smmu_granule(common);
	else if (!granule)
		granule = 4096;
	for (i = 0; i < viommu->nr_endpoints; i++) {
		ep = &viommu->endpoints[i];
		if (!viommu_smmu_has_granule(ep->idr[5], granule))
			vfio_dev_die(ep->dev->vdev, "the host's SMMU has no tables for the granule of the virtio-iommu, it has:%s%s%s. Use granule=",
				     ep->idr[5] & SMMU_IDR5_GRAN4K ? " 4k" : "",
				     ep->idr[5] & SMMU_IDR5_GRAN16K ? " 16k" : "",
				     ep->idr[5] & SMMU_IDR5_GRAN64K ? " 64k" : "");
	}
	return granule;
}

static const char *viommu_nest_hint(int err)
{
	switch (err) {
	case ENOSPC:
		return ". The devices are behind more physical IOMMUs than vhost-iommu supports";
	case EOPNOTSUPP:
		return ". Update the kernel module vhost_iommu, or use tables=off";
	default:
		return "";
	}
}

static void viommu_add_nest(struct viommu_dev *viommu, struct viommu_nest *nest,
			    int event_fd)
{
	struct vhost_iommu_add_viommu add = {
		.size		= sizeof(add),
		.flags		= VHOST_IOMMU_VIOMMU_ID,
		.viommu		= nest->number,
		.format		= VIRTIO_IOMMU_FORMAT_ARM_SMMUV3,
		.parent_hwpt_id	= nest->hwpt_id,
		.viommu_id	= nest->viommu_id,
	};
	struct vhost_iommu_add_eventq eventq = {
		.size		= sizeof(eventq),
		.eventq		= nest->number,
		.type		= VHOST_IOMMU_EVENTQ_VIOMMU,
		.viommu		= nest->number,
		.fd		= event_fd,
	};
	int ret;

	ret = viommu_ioctl(viommu, VHOST_IOMMU_ADD_VIOMMU, &add);
	if (ret)
		die("VHOST_IOMMU_ADD_VIOMMU failed: %s%s", strerror(-ret),
		    viommu_nest_hint(-ret));
	ret = viommu_ioctl(viommu, VHOST_IOMMU_ADD_EVENTQ, &eventq);
	if (ret)
		die("VHOST_IOMMU_ADD_EVENTQ failed: %s%s", strerror(-ret),
		    viommu_nest_hint(-ret));
}

static struct viommu_nest *viommu_new_nest(struct viommu_dev *viommu,
					   struct vfio_iommufd_device *dev)
{
	struct viommu_nest *nest = &viommu->nests[viommu->nr_nests];
	struct iommu_viommu_alloc alloc = {
		.size		= sizeof(alloc),
		.type		= IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.dev_id		= dev->dev_id,
		.hwpt_id	= dev->hwpt_id,
	};
	struct iommu_veventq_alloc eventq = {
		.size		= sizeof(eventq),
		.type		= IOMMU_VEVENTQ_TYPE_ARM_SMMUV3,
		.veventq_depth	= VIOMMU_EVENTQ_DEPTH,
	};

	if (ioctl(viommu->iommufd->fd, IOMMU_VIOMMU_ALLOC, &alloc))
		vfio_dev_die(dev->vdev, "the host's SMMU can't nest tables of the guest: %s. It needs both stages, and forced write-back (FWB) or firmware that says that the PCIe root complex is always coherent (CANWBS in the IORT). Otherwise use tables=off",
			     strerror(errno));
	eventq.viommu_id = alloc.out_viommu_id;
	if (ioctl(viommu->iommufd->fd, IOMMU_VEVENTQ_ALLOC, &eventq))
		vfio_dev_die(dev->vdev, "IOMMU_VEVENTQ_ALLOC failed: %s",
			     strerror(errno));

	*nest = (struct viommu_nest) {
		.number		= viommu->nr_nests++,
		.hwpt_id	= dev->hwpt_id,
		.viommu_id	= alloc.out_viommu_id,
		.veventq_id	= eventq.out_veventq_id,
	};
	/* vhost-iommu keeps the file, and is the only one that reads it */
	viommu_add_nest(viommu, nest, eventq.out_veventq_fd);
	close(eventq.out_veventq_fd);
	return nest;
}

static struct viommu_nest *viommu_get_nest(struct viommu_dev *viommu,
					   struct vfio_iommufd_device *dev)
{
	unsigned int i;

	for (i = 0; i < viommu->nr_nests; i++)
		if (viommu->nests[i].hwpt_id == dev->hwpt_id)
			return &viommu->nests[i];
	return viommu_new_nest(viommu, dev);
}

static unsigned int viommu_count_group(unsigned long id)
{
	unsigned int count = 0;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%lu/devices", id);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

/*
 * The members of a group change their page table together, and the host refuses
 * a table of the guest if one of them has no vDEVICE, as it is not assigned.
 */
static bool viommu_can_nest(struct viommu_dev *viommu, struct vfio_device *vdev)
{
	unsigned int count = viommu_count_group(vdev->group->id);

	if (count <= 1)
		return true;
	if (viommu->kvm->cfg.viommu.tables == VIOMMU_TABLES_ON)
		vfio_dev_die(vdev, "IOMMU group %lu has %u devices, of which this one is assigned: the host would refuse tables of the guest for it. Use tables=off",
			     vdev->group->id, count);
	vfio_dev_warn(vdev, "IOMMU group %lu has %u devices, of which this one is assigned: it is not offered tables of the guest",
		      vdev->group->id, count);
	return false;
}

static const char *viommu_vdevice_hint(int err)
{
	return err == EOPNOTSUPP ? ". With more than one stream ID it needs tables=off" : "";
}

/* Make what endpoints with tables take, before vhost-iommu knows them */
void viommu_table_add(struct viommu_dev *viommu)
{
	unsigned int i;

	viommu->nests = calloc(viommu->nr_endpoints, sizeof(*viommu->nests));
	if (!viommu->nests)
		die("out of memory");
	for (i = 0; i < viommu->nr_endpoints; i++) {
		struct viommu_endpoint *ep = &viommu->endpoints[i];
		struct iommu_vdevice_alloc alloc = {
			.size		= sizeof(alloc),
			.dev_id		= ep->dev->dev_id,
			.virt_id	= ep->dev->dev_id,
		};

		if (!viommu_can_nest(viommu, ep->dev->vdev))
			continue;
		ep->nest = viommu_get_nest(viommu, ep->dev);
		alloc.viommu_id = ep->nest->viommu_id;
		if (ioctl(viommu->iommufd->fd, IOMMU_VDEVICE_ALLOC, &alloc))
			vfio_dev_die(ep->dev->vdev, "IOMMU_VDEVICE_ALLOC failed: %s%s",
				     strerror(errno), viommu_vdevice_hint(errno));
		ep->vdevice_id = alloc.out_vdevice_id;
	}
}

/* When vhost-iommu has let go of the endpoints; in any other order it is EBUSY */
void viommu_table_remove(struct viommu_dev *viommu)
{
	struct vhost_iommu_remove_eventq eventq = {
		.size	= sizeof(eventq),
	};
	struct vhost_iommu_remove_viommu remove = {
		.size	= sizeof(remove),
	};
	unsigned int i;
	int ret;

	for (i = 0; i < viommu->nr_endpoints; i++)
		if (viommu->endpoints[i].nest)
			vfio_iommufd_destroy(viommu->endpoints[i].vdevice_id);
	for (i = 0; i < viommu->nr_nests; i++) {
		eventq.eventq = viommu->nests[i].number;
		ret = viommu_ioctl(viommu, VHOST_IOMMU_REMOVE_EVENTQ, &eventq);
		if (ret)
			pr_warning("VHOST_IOMMU_REMOVE_EVENTQ failed: %s",
				   strerror(-ret));
		vfio_iommufd_destroy(viommu->nests[i].veventq_id);
		remove.viommu = viommu->nests[i].number;
		ret = viommu_ioctl(viommu, VHOST_IOMMU_REMOVE_VIOMMU, &remove);
		if (ret)
			pr_warning("VHOST_IOMMU_REMOVE_VIOMMU failed: %s",
				   strerror(-ret));
		vfio_iommufd_destroy(viommu->nests[i].viommu_id);
	}
	free(viommu->nests);
	viommu->nests = NULL;
	viommu->nr_nests = 0;
}
