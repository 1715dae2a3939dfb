/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-iommu requests: decode and the rules that need no state
 *
 * Pure functions: no locks, no user pointers. The bytes of a request are copied
 * once, and only the copy is looked at.
 */
#ifndef _VHOST_IOMMU_REQ_H
#define _VHOST_IOMMU_REQ_H

#include <linux/types.h>
#include <uapi/linux/virtio_iommu_table.h>

/* The longest readable part */
#define VHOST_IOMMU_REQ_MAX_LEN		\
	offsetof(struct virtio_iommu_req_attach_table, tail)

#define VHOST_IOMMU_TAIL_LEN		sizeof(struct virtio_iommu_req_tail)

/**
 * struct vhost_iommu_rules - What a request is checked against
 * @features: Feature bits that the driver accepted
 * @page_size_mask: As in the configuration space; not 0
 * @input_start: First IOVA; used with VIRTIO_IOMMU_F_INPUT_RANGE
 * @input_end: Last IOVA
 * @domain_start: First domain ID; used with VIRTIO_IOMMU_F_DOMAIN_RANGE
 * @domain_end: Last domain ID
 * @probe_size: Length in bytes of the property list of PROBE
 */
struct vhost_iommu_rules {
	u64 features;
	u64 page_size_mask;
	u64 input_start;
	u64 input_end;
	u32 domain_start;
	u32 domain_end;
	u32 probe_size;
};

/* Length of the format-specific part of ATTACH_TABLE */
#define VHOST_IOMMU_DESCRIPTOR_LEN	\
	sizeof_field(struct virtio_iommu_req_attach_table, descriptor)

/**
 * struct vhost_iommu_req - A decoded request
 * @type: VIRTIO_IOMMU_T_*, or 0 if it is not one of those known here
 * @format: ATTACH_TABLE
 * @scope: INVALIDATE: VIRTIO_IOMMU_INV_S_*
 * @caches: INVALIDATE: VIRTIO_IOMMU_INV_C_*, at least one
 * @page_size: INVALIDATE, scope address: logarithm, below 64
 * @tail: Offset of the tail in the writable part
 * @domain: All but PROBE
 * @endpoint: ATTACH, DETACH, PROBE, ATTACH_TABLE
 * @flags: ATTACH, MAP, INVALIDATE
 * @pasid: INVALIDATE: 0 if the request has none
 * @virt_start: MAP, UNMAP, INVALIDATE of scope address
 * @virt_end: MAP, UNMAP, INVALIDATE of scope address
 * @phys_start: MAP
 * @id: INVALIDATE
 * @descriptor: ATTACH_TABLE: the format-specific part, in the copy that was decoded
 */
struct vhost_iommu_req {
	u8 type;
	u8 format;
	u8 scope;
	u8 caches;
	u8 page_size;
	u32 tail;
	u32 domain;
	u32 endpoint;
	u32 flags;
	u32 pasid;
	u64 virt_start;
	u64 virt_end;
	union {
		u64 phys_start;
		u64 id;
	};
	const u8 *descriptor;
};

int vhost_iommu_req_decode(const struct vhost_iommu_rules *rules,
			   const void *buf, size_t len, size_t reply_len,
			   struct vhost_iommu_req *req);

/**
 * struct vhost_iommu_resv - A region that an endpoint's mappings must avoid
 * @start: First IOVA
 * @last: Last IOVA
 * @msi: It is the MSI doorbell
 */
struct vhost_iommu_resv {
	u64 start;
	u64 last;
	bool msi;
};

int vhost_iommu_probe_check(const void *blob, size_t len,
			    struct vhost_iommu_resv *resv, unsigned int max);
u8 vhost_iommu_errno_to_status(int rc);

#endif /* _VHOST_IOMMU_REQ_H */
