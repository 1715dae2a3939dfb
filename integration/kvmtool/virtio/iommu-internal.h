/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_IOMMU_INTERNAL_H
#define VIRTIO_IOMMU_INTERNAL_H

#include "kvm/epoll.h"
#include "kvm/kvm.h"
#include "kvm/mutex.h"
#include "kvm/vfio.h"
#include "kvm/vfio-iommufd.h"
#include "kvm/virtio.h"
#include "kvm/virtio-iommu.h"

#include <linux/types.h>
#include <linux/vhost_iommu.h>
#include <linux/virtio_iommu.h>
#include <linux/virtio_iommu_table.h>

/* Bus 0, function 0 of a slot: what the guest calls the requester ID */
#define VIOMMU_ENDPOINT_ID(slot)	((u32)(slot) << 3)
#define VIOMMU_PROBE_SIZE		512
#define VIOMMU_MAX_POLL_US		10000
/* SMMU_IDR0 to SMMU_IDR5 */
#define VIOMMU_NR_IDR			6
#define SMMU_IDR5_GRAN4K		(1U << 4)
#define SMMU_IDR5_GRAN16K		(1U << 5)
#define SMMU_IDR5_GRAN64K		(1U << 6)

/* iommu-desc.c: what the guest is told. Pure functions, unit-tested. */

/* Addresses that an endpoint has no use of */
struct viommu_range {
	u64	start;
	u64	last;
};

/* <first requester ID> <phandle> <first endpoint ID> <length> */
struct viommu_map_entry {
	__be32	rid;
	__be32	phandle;
	__be32	id;
	__be32	length;
};

int viommu_parse_options(const char *arg, struct viommu_params *params,
			 char *error, size_t len);
u64 viommu_page_sizes(u64 granule);
bool viommu_smmu_has_granule(u32 idr5, u64 granule);
u64 viommu_smmu_granule(u32 idr5);
int viommu_parse_range(const char *line, struct viommu_range *range);
int viommu_merge_ranges(struct viommu_range *ranges, unsigned int nr,
			unsigned int max);
int viommu_fill_probe(void *buf, size_t size, const struct viommu_range *ranges,
		      unsigned int nr, const u32 *idr);
void viommu_smmu_idr(u32 *idr, const u32 *host, bool ats);
void viommu_map_entry(struct viommu_map_entry *entry, unsigned int slot,
		      u32 phandle);
u64 viommu_max_mappings(u64 ram, unsigned int devices);
u64 viommu_max_table_pages(u64 ram, unsigned int devices);

struct viommu_nest;

struct viommu_endpoint {
	struct vfio_iommufd_device	*dev;
	u32				id;
	/* Tables of the guest; 0 and NULL if it has none */
	struct viommu_nest		*nest;
	u32				vdevice_id;
	u32				idr[VIOMMU_NR_IDR];
};

/* A slice of a physical IOMMU, for tables of the guest */
struct viommu_nest {
	u32				number;		/* as vhost-iommu knows it */
	u32				hwpt_id;	/* what tables are nested on */
	u32				viommu_id;
	u32				veventq_id;
};

struct viommu_dev {
	struct virt_queue		vqs[VHOST_IOMMU_VQ_MAX];
	int				vq_size[VHOST_IOMMU_VQ_MAX];
	/* The guest can write to @config; all but bypass is restored */
	struct virtio_iommu_config	config;
	struct virtio_iommu_config	shown;
	struct virtio_device		vdev;
	struct kvm			*kvm;
	struct vfio_iommufd		*iommufd;
	int				fd;
	u64				features;	/* offered */
	struct vhost_iommu_info		info;
	void				*scratch;
	size_t				scratch_len;

	/* Processors of the guest can write to registers at the same time */
	struct mutex			lock;
	bool				running;
	bool				failed;
	bool				reset_due;	/* the guest's was not made yet */
	bool				bypass_written;	/* since the last reset */

	struct kvm__epoll		errors;
	int				error_fd;
	u64				refused;	/* MAPs that were told of */

	unsigned int			nr_endpoints;
	struct viommu_endpoint		*endpoints;
	unsigned int			nr_nests;
	struct viommu_nest		*nests;
};

/* Returns 0 or a negative errno. Calls that go in pieces come to their end. */
int viommu_ioctl(struct viommu_dev *viommu, unsigned long request, void *arg);

/* iommu-table.c: tables of the guest. What fails ends the process. */
void viommu_table_check(struct viommu_dev *viommu);
u64 viommu_table_granule(struct viommu_dev *viommu, u64 granule);
void viommu_table_add(struct viommu_dev *viommu);
void viommu_table_remove(struct viommu_dev *viommu);

#endif /* VIRTIO_IOMMU_INTERNAL_H */
