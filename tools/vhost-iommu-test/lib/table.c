// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests and events of table mode. The functions that make a request return
 * what those of req.c do.
 */
#include <errno.h>
#include <string.h>

#include "table.h"

/**
 * attach_table_req() - An ATTACH_TABLE request, Arm SMMUv3
 * @domain: Domain ID
 * @ep: Endpoint ID
 * @ste0: Double word 0 of the stream table entry
 * @ste1: Double word 1
 */
struct virtio_iommu_req_attach_table_arm
attach_table_req(__u32 domain, __u32 ep, __u64 ste0, __u64 ste1)
{
	return (struct virtio_iommu_req_attach_table_arm){
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = htole32(domain),
		.endpoint = htole32(ep),
		.format = VIRTIO_IOMMU_FORMAT_ARM_SMMUV3,
		.ste = { htole64(ste0), htole64(ste1) },
	};
}

/**
 * attach_table_raw() - ATTACH_TABLE
 * @v: VMM
 * @r: The request, right or wrong
 */
int attach_table_raw(struct vmm *v,
		     const struct virtio_iommu_req_attach_table_arm *r)
{
	return req_simple(v, r,
			  offsetof(struct virtio_iommu_req_attach_table_arm,
				   tail));
}

/**
 * g_attach_table() - ATTACH_TABLE
 * @v: VMM
 * @domain: Domain ID
 * @ep: Endpoint ID
 * @ste0: Double word 0 of the stream table entry
 * @ste1: Double word 1
 */
int g_attach_table(struct vmm *v, __u32 domain, __u32 ep, __u64 ste0,
		   __u64 ste1)
{
	struct virtio_iommu_req_attach_table_arm r =
		attach_table_req(domain, ep, ste0, ste1);

	return attach_table_raw(v, &r);
}

/**
 * g_attach_s1() - ATTACH_TABLE as a driver does it
 * @v: VMM
 * @domain: Domain ID
 * @ep: Endpoint ID
 * @s: Tables
 */
int g_attach_s1(struct vmm *v, __u32 domain, __u32 ep, const struct s1 *s)
{
	if (s->failed)
		return -ENOMEM;
	return g_attach_table(v, domain, ep, s1_ste0(s), STE1_USUAL);
}

/**
 * inv_domain() - INVALIDATE of all that a domain has
 * @domain: Domain ID
 * @caches: Mask of VIRTIO_IOMMU_INV_C_*
 */
struct virtio_iommu_req_invalidate inv_domain(__u32 domain, __u8 caches)
{
	return (struct virtio_iommu_req_invalidate){
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.scope = VIRTIO_IOMMU_INV_S_DOMAIN,
		.caches = caches,
		.domain = htole32(domain),
	};
}

/**
 * inv_asid() - INVALIDATE of an ASID's translations
 * @domain: Domain ID
 * @asid: ASID
 */
struct virtio_iommu_req_invalidate inv_asid(__u32 domain, __u16 asid)
{
	return (struct virtio_iommu_req_invalidate){
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.scope = VIRTIO_IOMMU_INV_S_PASID,
		.caches = VIRTIO_IOMMU_INV_C_TLB,
		.flags = htole16(VIRTIO_IOMMU_INV_F_ID),
		.domain = htole32(domain),
		.id = htole64(asid),
	};
}

/**
 * inv_range() - INVALIDATE of a range of an ASID
 * @domain: Domain ID
 * @asid: ASID
 * @iova: First address
 * @nr: Number of pages
 * @page_size: Size of a page, as the logarithm to base 2
 * @flags: VIRTIO_IOMMU_INV_F_* in addition to F_ID
 */
struct virtio_iommu_req_invalidate inv_range(__u32 domain, __u16 asid,
					     __u64 iova, __u64 nr,
					     __u8 page_size, __u16 flags)
{
	return (struct virtio_iommu_req_invalidate){
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.scope = VIRTIO_IOMMU_INV_S_ADDRESS,
		.caches = VIRTIO_IOMMU_INV_C_TLB,
		.flags = htole16(flags | VIRTIO_IOMMU_INV_F_ID),
		.domain = htole32(domain),
		.id = htole64(asid),
		.address = htole64(iova),
		.nr_pages = htole64(nr),
		.page_size = page_size,
	};
}

/**
 * g_inv() - INVALIDATE
 * @v: VMM
 * @r: The request, right or wrong
 */
int g_inv(struct vmm *v, struct virtio_iommu_req_invalidate r)
{
	return req_simple(v, &r, offsetof(struct virtio_iommu_req_invalidate,
					  tail));
}

/**
 * g_inv_add() - Add an INVALIDATE to the next g_batch_run()
 * @v: VMM
 * @r: The request, right or wrong
 */
int g_inv_add(struct vmm *v, struct virtio_iommu_req_invalidate r)
{
	struct req q = {
		.out = &r,
		.out_len = offsetof(struct virtio_iommu_req_invalidate, tail),
		.in_len = sizeof(struct virtio_iommu_req_tail),
	};

	return req_add(v, &q, NULL);
}

/**
 * env_table_driver() - As env_driver(), by the endpoint's own tables
 * @e: Environment
 * @i: Endpoint index
 * @s: Tables that it is attached to, or is going to be
 *
 * The MSI window is mapped, too.
 */
int env_table_driver(struct env *e, unsigned int i, struct s1 *s)
{
	struct dma_dev *d = e->dev[i];
	__u64 gpa, iova, leaf = s->leaf;

	if (!d->drv_len)
		return 0;
	s->leaf = PTE_ATTR(1) | PTE_USER | PTE_AF | PTE_NG | PTE_XN;
	s1_map(s, MSI_WINDOW, MSI_WINDOW, MSI_WINDOW_LEN, MAP_RW);
	s->leaf = leaf;
	gpa = LOW_GPA + LOW_SIZE - (i + 1) * d->drv_len;
	iova = DRV_IOVA + i * d->drv_len;
	s1_map(s, iova, gpa, d->drv_len, MAP_RW);
	if (s->failed)
		return -ENOMEM;
	return dev_start(d, ram_va(&e->v, gpa), iova);
}

#define EVENT_LEN	sizeof(struct virtio_iommu_fault_pasid)
/* Behind the event ring, out of the way of the requests' buffers */
#define EVENT_BUFS	KIB(448)
#define EVENT_STRIDE	32

/**
 * g_events_post() - Give the device buffers for events
 * @v: VMM
 * @n: Number of buffers
 */
void g_events_post(struct vmm *v, unsigned int n)
{
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_EVENT];
	struct seg s = { .len = EVENT_LEN, .write = true };
	__u16 old = q->published;

	while (n--) {
		s.gpa = v->ram[0].gpa + v->ram[0].size - RING_AREA +
			EVENT_BUFS + q->next_desc * EVENT_STRIDE;
		memset(ram_va(v, s.gpa), REQ_FILL, s.len);
		vq_add(q, &s, 1);
	}
	vq_publish(q);
	if (vq_wants_kick(q, old))
		vq_kick(q);
}

/**
 * g_event() - Take one event
 * @v: VMM
 * @f: Is filled
 * @timeout_ms: How long to wait for it
 *
 * Return: 0, -ETIMEDOUT, or -EPROTO if the buffer's used length isn't that of an
 * event
 */
int g_event(struct vmm *v, struct virtio_iommu_fault_pasid *f,
	    unsigned int timeout_ms)
{
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_EVENT];
	struct vring_used_elem u;
	int rc = vq_wait(q, 1, timeout_ms);

	if (rc)
		return rc;
	u = vq_pop(q);
	if (u.id >= q->num || u.len != EVENT_LEN)
		return -EPROTO;
	memcpy(f, ram_va(v, le64toh(q->desc[u.id].addr)), EVENT_LEN);
	return 0;
}
