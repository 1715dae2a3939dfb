// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu requests: decode and the rules that need no state
 *
 * VIRTIO 1.3, section 5.13.6 "Device operations".
 */
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "iommu_req.h"

/* MAP reads up to its flags; the tail that follows them is written */
#define VHOST_IOMMU_REQ_LEN(type)	offsetof(type, tail)

static bool vhost_iommu_has(const struct vhost_iommu_rules *rules, int bit)
{
	return rules->features & BIT_ULL(bit);
}

static u64 vhost_iommu_granule(const struct vhost_iommu_rules *rules)
{
	return rules->page_size_mask & -rules->page_size_mask;
}

static bool vhost_iommu_domain_in_range(const struct vhost_iommu_rules *rules,
					u32 domain)
{
	return !vhost_iommu_has(rules, VIRTIO_IOMMU_F_DOMAIN_RANGE) ||
	       (domain >= rules->domain_start && domain <= rules->domain_end);
}

static int vhost_iommu_req_attach(const struct vhost_iommu_rules *rules,
				  const struct virtio_iommu_req_attach *raw,
				  struct vhost_iommu_req *req)
{
	u32 known = 0;

	req->domain = le32_to_cpu(raw->domain);
	req->endpoint = le32_to_cpu(raw->endpoint);
	req->flags = le32_to_cpu(raw->flags);

	if (vhost_iommu_has(rules, VIRTIO_IOMMU_F_BYPASS_CONFIG))
		known |= VIRTIO_IOMMU_ATTACH_F_BYPASS;
	if (req->flags & ~known)
		return VIRTIO_IOMMU_S_INVAL;
	if (memchr_inv(raw->reserved, 0, sizeof(raw->reserved)))
		return VIRTIO_IOMMU_S_INVAL;
	return vhost_iommu_domain_in_range(rules, req->domain) ?
	       VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_INVAL;
}

static int vhost_iommu_req_map(const struct vhost_iommu_rules *rules,
			       const struct virtio_iommu_req_map *raw,
			       struct vhost_iommu_req *req)
{
	u64 mask = vhost_iommu_granule(rules) - 1;
	u32 known = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
	u64 phys_last;

	req->domain = le32_to_cpu(raw->domain);
	req->virt_start = le64_to_cpu(raw->virt_start);
	req->virt_end = le64_to_cpu(raw->virt_end);
	req->phys_start = le64_to_cpu(raw->phys_start);
	req->flags = le32_to_cpu(raw->flags);

	if (vhost_iommu_has(rules, VIRTIO_IOMMU_F_MMIO))
		known |= VIRTIO_IOMMU_MAP_F_MMIO;
	if (req->flags & ~known)
		return VIRTIO_IOMMU_S_INVAL;
	if (req->virt_end < req->virt_start)
		return VIRTIO_IOMMU_S_INVAL;
	/* virt_end + 1 may wrap to 0, which is aligned as it should be */
	if ((req->virt_start | req->phys_start | (req->virt_end + 1)) & mask)
		return VIRTIO_IOMMU_S_RANGE;
	if (vhost_iommu_has(rules, VIRTIO_IOMMU_F_INPUT_RANGE) &&
	    (req->virt_start < rules->input_start ||
	     req->virt_end > rules->input_end))
		return VIRTIO_IOMMU_S_RANGE;
	if (check_add_overflow(req->phys_start,
			       req->virt_end - req->virt_start, &phys_last))
		return VIRTIO_IOMMU_S_INVAL;
	return VIRTIO_IOMMU_S_OK;
}

static int vhost_iommu_req_unmap(const struct virtio_iommu_req_unmap *raw,
				 struct vhost_iommu_req *req)
{
	req->domain = le32_to_cpu(raw->domain);
	req->virt_start = le64_to_cpu(raw->virt_start);
	req->virt_end = le64_to_cpu(raw->virt_end);

	if (req->virt_end < req->virt_start)
		return VIRTIO_IOMMU_S_INVAL;
	return VIRTIO_IOMMU_S_OK;
}

/* The descriptor is the format's business */
static int
vhost_iommu_req_attach_table(const struct vhost_iommu_rules *rules,
			     const struct virtio_iommu_req_attach_table *raw,
			     struct vhost_iommu_req *req)
{
	req->domain = le32_to_cpu(raw->domain);
	req->endpoint = le32_to_cpu(raw->endpoint);
	req->format = raw->format;
	req->descriptor = raw->descriptor;

	return vhost_iommu_domain_in_range(rules, req->domain) ?
	       VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_INVAL;
}

/* By words, the last of which overlaps the one before */
static bool
vhost_iommu_inv_is_clean(const struct virtio_iommu_req_invalidate *raw)
{
	const u8 *rest = raw->reserved;

	static_assert(sizeof(raw->reserved) == 19);
	return !(get_unaligned_le64(rest) | get_unaligned_le64(rest + 8) |
		 get_unaligned_le32(rest + 15));
}

/* PASIDs have 20 bits on every bus and in every IOMMU */
#define VHOST_IOMMU_PASID_MAX		(BIT(20) - 1)

static int
vhost_iommu_req_invalidate(const struct virtio_iommu_req_invalidate *raw,
			   struct vhost_iommu_req *req)
{
	u64 pages, bytes;

	req->domain = le32_to_cpu(raw->domain);
	req->scope = raw->scope;
	req->caches = raw->caches;
	req->flags = le16_to_cpu(raw->flags);
	req->id = le64_to_cpu(raw->id);
	if (req->flags & VIRTIO_IOMMU_INV_F_PASID)
		req->pasid = le32_to_cpu(raw->pasid);

	if (req->flags & ~(VIRTIO_IOMMU_INV_F_LEAF | VIRTIO_IOMMU_INV_F_PASID |
			   VIRTIO_IOMMU_INV_F_ID | VIRTIO_IOMMU_INV_F_GLOBAL))
		return VIRTIO_IOMMU_S_INVAL;
	if (!req->caches ||
	    req->caches & ~(VIRTIO_IOMMU_INV_C_PASID | VIRTIO_IOMMU_INV_C_TLB))
		return VIRTIO_IOMMU_S_INVAL;
	if (!vhost_iommu_inv_is_clean(raw) || req->pasid > VHOST_IOMMU_PASID_MAX)
		return VIRTIO_IOMMU_S_INVAL;

	switch (req->scope) {
	case VIRTIO_IOMMU_INV_S_DOMAIN:
	case VIRTIO_IOMMU_INV_S_PASID:
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_INV_S_ADDRESS:
		break;
	default:
		return VIRTIO_IOMMU_S_INVAL;
	}

	/* A PASID table has no addresses */
	pages = le64_to_cpu(raw->nr_pages);
	req->page_size = raw->page_size;
	req->virt_start = le64_to_cpu(raw->address);
	if (req->caches != VIRTIO_IOMMU_INV_C_TLB || req->page_size >= 64 ||
	    !pages)
		return VIRTIO_IOMMU_S_INVAL;
	/* One less than the length: the range may end at the last address */
	if (check_shl_overflow(pages - 1, req->page_size, &bytes) ||
	    check_add_overflow(bytes, BIT_ULL(req->page_size) - 1, &bytes) ||
	    check_add_overflow(req->virt_start, bytes, &req->virt_end))
		return VIRTIO_IOMMU_S_INVAL;
	return VIRTIO_IOMMU_S_OK;
}

static size_t vhost_iommu_req_len(const struct vhost_iommu_rules *rules,
				  u8 type)
{
	switch (type) {
	case VIRTIO_IOMMU_T_ATTACH:
		return VHOST_IOMMU_REQ_LEN(struct virtio_iommu_req_attach);
	case VIRTIO_IOMMU_T_DETACH:
		return VHOST_IOMMU_REQ_LEN(struct virtio_iommu_req_detach);
	case VIRTIO_IOMMU_T_MAP:
		if (!vhost_iommu_has(rules, VIRTIO_IOMMU_F_MAP_UNMAP))
			return 0;
		return VHOST_IOMMU_REQ_LEN(struct virtio_iommu_req_map);
	case VIRTIO_IOMMU_T_UNMAP:
		if (!vhost_iommu_has(rules, VIRTIO_IOMMU_F_MAP_UNMAP))
			return 0;
		return VHOST_IOMMU_REQ_LEN(struct virtio_iommu_req_unmap);
	case VIRTIO_IOMMU_T_PROBE:
		if (!vhost_iommu_has(rules, VIRTIO_IOMMU_F_PROBE))
			return 0;
		return sizeof(struct virtio_iommu_req_probe);
	case VIRTIO_IOMMU_T_ATTACH_TABLE:
		if (!vhost_iommu_has(rules, VIRTIO_IOMMU_F_ATTACH_TABLE))
			return 0;
		return VHOST_IOMMU_REQ_LEN(struct virtio_iommu_req_attach_table);
	case VIRTIO_IOMMU_T_INVALIDATE:
		if (!vhost_iommu_has(rules, VIRTIO_IOMMU_F_ATTACH_TABLE))
			return 0;
		return VHOST_IOMMU_REQ_LEN(struct virtio_iommu_req_invalidate);
	default:
		return 0;
	}
}

/**
 * vhost_iommu_req_decode - Decode and check a request
 * @rules: What to check against
 * @buf: Copy of the device-readable part; an ATTACH_TABLE request points into it
 * @len: Its length, at most VHOST_IOMMU_REQ_MAX_LEN
 * @reply_len: Length of the device-writable part
 * @req: The result; its type and tail are valid whenever a status is returned
 *
 * Return: VIRTIO_IOMMU_S_OK for a request that can be carried out, another
 * status to put in the tail of one that can't, or a negative errno if there is
 * no tail: -ENOMSG for a type that is not known or whose feature was not
 * accepted, -EMSGSIZE for a buffer that is too short. Such a buffer is
 * returned with a used length of 0.
 */
int vhost_iommu_req_decode(const struct vhost_iommu_rules *rules,
			   const void *buf, size_t len, size_t reply_len,
			   struct vhost_iommu_req *req)
{
	const struct virtio_iommu_req_head *head = buf;
	const struct virtio_iommu_req_detach *detach = buf;
	const struct virtio_iommu_req_probe *probe = buf;
	size_t want;

	memset(req, 0, sizeof(*req));
	if (len < sizeof(*head))
		return -EMSGSIZE;
	want = vhost_iommu_req_len(rules, head->type);
	if (!want)
		return -ENOMSG;
	req->type = head->type;
	if (req->type == VIRTIO_IOMMU_T_PROBE)
		req->tail = rules->probe_size;
	if (reply_len < (size_t)req->tail + VHOST_IOMMU_TAIL_LEN)
		return -EMSGSIZE;
	if (len < want)
		return VIRTIO_IOMMU_S_INVAL;

	switch (req->type) {
	case VIRTIO_IOMMU_T_ATTACH:
		return vhost_iommu_req_attach(rules, buf, req);
	case VIRTIO_IOMMU_T_DETACH:
		req->domain = le32_to_cpu(detach->domain);
		req->endpoint = le32_to_cpu(detach->endpoint);
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_T_MAP:
		return vhost_iommu_req_map(rules, buf, req);
	case VIRTIO_IOMMU_T_UNMAP:
		return vhost_iommu_req_unmap(buf, req);
	case VIRTIO_IOMMU_T_ATTACH_TABLE:
		return vhost_iommu_req_attach_table(rules, buf, req);
	case VIRTIO_IOMMU_T_INVALIDATE:
		return vhost_iommu_req_invalidate(buf, req);
	default:
		req->endpoint = le32_to_cpu(probe->endpoint);
		return VIRTIO_IOMMU_S_OK;
	}
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_req_decode);

static int vhost_iommu_probe_resv(const struct virtio_iommu_probe_resv_mem *mem,
				  struct vhost_iommu_resv *resv,
				  unsigned int nr)
{
	struct vhost_iommu_resv *new = &resv[nr];
	unsigned int i;

	new->start = get_unaligned_le64(&mem->start);
	new->last = get_unaligned_le64(&mem->end);
	new->msi = mem->subtype == VIRTIO_IOMMU_RESV_MEM_T_MSI;
	if (new->last < new->start)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		if (new->start <= resv[i].last && resv[i].start <= new->last)
			return -EINVAL;
		if (new->msi && resv[i].msi)
			return -EINVAL;
	}
	return 0;
}

/**
 * vhost_iommu_probe_check - Check a property list and find the RESV_MEM regions
 * @blob: The properties of PROBE, VIRTIO 1.3, section 5.13.6.7
 * @len: Length of @blob in bytes
 * @resv: Filled with the regions; its size is @max
 * @max: Number of regions that @resv can take
 *
 * A property of type 0 ends the list. Properties of types not known here are
 * passed over.
 *
 * Return: The number of regions, -EINVAL if the list is malformed, regions
 * overlap or more than one is for MSIs, -ENOSPC if there are more than @max.
 */
int vhost_iommu_probe_check(const void *blob, size_t len,
			    struct vhost_iommu_resv *resv, unsigned int max)
{
	const struct virtio_iommu_probe_property *prop;
	unsigned int nr = 0;
	size_t at = 0;

	while (at < len) {
		u16 type, size;
		int rc;

		if (len - at < sizeof(*prop))
			return -EINVAL;
		prop = blob + at;
		type = get_unaligned_le16(&prop->type);
		type &= VIRTIO_IOMMU_PROBE_T_MASK;
		if (type == VIRTIO_IOMMU_PROBE_T_NONE)
			break;
		size = get_unaligned_le16(&prop->length);
		at += sizeof(*prop);
		if (len - at < size)
			return -EINVAL;
		if (type == VIRTIO_IOMMU_PROBE_T_RESV_MEM) {
			if (size < sizeof(struct virtio_iommu_probe_resv_mem) -
				   sizeof(*prop))
				return -EINVAL;
			if (nr == max)
				return -ENOSPC;
			rc = vhost_iommu_probe_resv((const void *)prop, resv,
						    nr);
			if (rc)
				return rc;
			nr++;
		}
		at += size;
	}
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_probe_check);

/**
 * vhost_iommu_errno_to_status - Status for a host operation's result
 * @rc: 0 or a negative errno
 *
 * Return: VIRTIO_IOMMU_S_*. What the guest could not have caused is DEVERR.
 */
u8 vhost_iommu_errno_to_status(int rc)
{
	switch (rc) {
	case 0:
		return VIRTIO_IOMMU_S_OK;
	case -ENOMEM:
	case -ENOSPC:
		return VIRTIO_IOMMU_S_NOMEM;
	case -ENOENT:
	case -EINVAL:
	case -EPERM:
		return VIRTIO_IOMMU_S_INVAL;
	case -ERANGE:
	case -EOVERFLOW:
		return VIRTIO_IOMMU_S_RANGE;
	case -EOPNOTSUPP:
		return VIRTIO_IOMMU_S_UNSUPP;
	default:
		return VIRTIO_IOMMU_S_DEVERR;
	}
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_errno_to_status);
