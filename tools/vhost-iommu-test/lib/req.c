// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests. The bytes go through guest RAM, the way a driver sends them.
 */
#include <errno.h>
#include <string.h>

#include "vit.h"

#define MAX_SEGS	64

/**
 * req_buf() - Take a piece of the request area
 * @v: VMM
 * @len: Bytes
 * @gpa: Its guest-physical address
 *
 * Pieces are handed out round robin and are never given back.
 *
 * Return: Where it is here
 */
void *req_buf(struct vmm *v, __u32 len, __u64 *gpa)
{
	__u64 area = v->ram[0].gpa + v->ram[0].size - RING_AREA + v->buf_start;

	len = (len + 15) & ~15u;
	if (v->buf_next + len > v->buf_size)
		v->buf_next = 0;
	*gpa = area + v->buf_next;
	v->buf_next += len;
	return ram_va(v, *gpa);
}

static unsigned int split(struct seg *segs, unsigned int n, __u64 gpa,
			  __u32 len, bool write)
{
	unsigned int i;
	__u32 part;

	if (!n)
		n = 1;
	if (n > len && len)
		n = len;
	if (!len)
		return 0;
	for (i = 0; i < n; i++) {
		part = i + 1 < n ? len / n : len - (len / n) * (n - 1);
		segs[i] = (struct seg){ .gpa = gpa, .len = part,
					.write = write };
		gpa += part;
	}
	return n;
}

/**
 * req_add() - Add a request to the ring, without publishing it
 * @v: VMM
 * @r: Request
 * @in: Where its device-writable part is here; may be NULL
 *
 * Return: The head
 */
int req_add(struct vmm *v, const struct req *r, void **in)
{
	struct vq *q = &v->vq[v->ring];
	struct seg segs[2 * MAX_SEGS];
	__u64 out_gpa = 0, in_gpa = 0, table_gpa;
	unsigned int n = 0;
	void *p, *table;

	if (r->out_segs > MAX_SEGS || r->in_segs > MAX_SEGS)
		return -EINVAL;
	if (r->out_len) {
		p = req_buf(v, r->out_len, &out_gpa);
		memcpy(p, r->out, r->out_len);
		n += split(segs, r->out_segs, out_gpa, r->out_len, false);
	}
	p = NULL;
	if (r->in_len) {
		p = req_buf(v, r->in_len, &in_gpa);
		memset(p, REQ_FILL, r->in_len);
		n += split(segs + n, r->in_segs, in_gpa, r->in_len, true);
	}
	if (in)
		*in = p;
	if (!v->indirect)
		return vq_add(q, segs, n);
	table = req_buf(v, n * sizeof(struct vring_desc), &table_gpa);
	return vq_add_indirect(q, segs, n, table, table_gpa);
}

/**
 * req_sync() - Make one request and wait for it
 * @v: VMM
 * @r: Request; @r->in is filled with what came back. The status is taken from
 *     the end of it.
 *
 * Return: The status, NO_STATUS or a negative errno. EPROTO if the device
 * returned another buffer or wrote what it should not.
 */
int req_sync(struct vmm *v, const struct req *r)
{
	struct vq *q = &v->vq[v->ring];
	struct virtio_iommu_req_tail *tail;
	struct vring_used_elem u;
	__u16 old = q->published;
	void *in;
	int head, rc;

	head = req_add(v, r, &in);
	if (head < 0)
		return head;
	vq_publish(q);
	if (vq_wants_kick(q, old))
		vq_kick(q);
	rc = vq_wait(q, 1, REQ_TIMEOUT_MS);
	if (rc)
		return rc;
	u = vq_pop(q);
	v->last_used_len = u.len;
	if (r->in_len && r->in)
		memcpy(r->in, in, r->in_len);
	if (u.id != (__u32)head)
		return -EPROTO;
	if (!u.len)
		return NO_STATUS;
	if (u.len < sizeof(*tail) || u.len > r->in_len)
		return -EPROTO;
	tail = (void *)((char *)in + u.len - sizeof(*tail));
	if (tail->reserved[0] || tail->reserved[1] || tail->reserved[2])
		return -EPROTO;
	return tail->status;
}

/**
 * req_simple() - Make a request whose reply is just a tail
 * @v: VMM
 * @out: Device-readable part
 * @out_len: Its length
 */
int req_simple(struct vmm *v, const void *out, __u32 out_len)
{
	struct virtio_iommu_req_tail tail;
	struct req r = {
		.out = out, .out_len = out_len,
		.in = &tail, .in_len = sizeof(tail),
	};
	int rc = req_sync(v, &r);

	if (rc >= 0 && rc != NO_STATUS && v->last_used_len != sizeof(tail))
		return -EPROTO;
	return rc;
}

/**
 * g_attach_flags() - ATTACH
 * @v: VMM
 * @domain: Domain ID
 * @ep: Endpoint ID
 * @flags: VIRTIO_IOMMU_ATTACH_F_*
 */
int g_attach_flags(struct vmm *v, __u32 domain, __u32 ep, __u32 flags)
{
	struct virtio_iommu_req_attach r = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = htole32(domain),
		.endpoint = htole32(ep),
		.flags = htole32(flags),
	};

	return req_simple(v, &r, offsetof(struct virtio_iommu_req_attach,
					  tail));
}

/**
 * g_attach() - ATTACH to a paging domain
 * @v: VMM
 * @domain: Domain ID
 * @ep: Endpoint ID
 */
int g_attach(struct vmm *v, __u32 domain, __u32 ep)
{
	return g_attach_flags(v, domain, ep, 0);
}

/**
 * g_detach() - DETACH
 * @v: VMM
 * @domain: Domain ID
 * @ep: Endpoint ID
 */
int g_detach(struct vmm *v, __u32 domain, __u32 ep)
{
	struct virtio_iommu_req_detach r = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = htole32(domain),
		.endpoint = htole32(ep),
	};

	return req_simple(v, &r, offsetof(struct virtio_iommu_req_detach,
					  tail));
}

static struct virtio_iommu_req_map map_req(__u32 domain, __u64 start,
					   __u64 last, __u64 phys, __u32 flags)
{
	return (struct virtio_iommu_req_map){
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = htole32(domain),
		.virt_start = htole64(start),
		.virt_end = htole64(last),
		.phys_start = htole64(phys),
		.flags = htole32(flags),
	};
}

static struct virtio_iommu_req_unmap unmap_req(__u32 domain, __u64 start,
					       __u64 last)
{
	return (struct virtio_iommu_req_unmap){
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = htole32(domain),
		.virt_start = htole64(start),
		.virt_end = htole64(last),
	};
}

/**
 * g_map() - MAP
 * @v: VMM
 * @domain: Domain ID
 * @start: First IOVA
 * @last: Last IOVA
 * @phys: Guest-physical address
 * @flags: VIRTIO_IOMMU_MAP_F_*
 */
int g_map(struct vmm *v, __u32 domain, __u64 start, __u64 last, __u64 phys,
	  __u32 flags)
{
	struct virtio_iommu_req_map r = map_req(domain, start, last, phys,
						flags);

	return req_simple(v, &r, offsetof(struct virtio_iommu_req_map, tail));
}

/**
 * g_unmap() - UNMAP
 * @v: VMM
 * @domain: Domain ID
 * @start: First IOVA
 * @last: Last IOVA
 */
int g_unmap(struct vmm *v, __u32 domain, __u64 start, __u64 last)
{
	struct virtio_iommu_req_unmap r = unmap_req(domain, start, last);

	return req_simple(v, &r, offsetof(struct virtio_iommu_req_unmap,
					  tail));
}

/**
 * g_probe() - PROBE
 * @v: VMM
 * @ep: Endpoint ID
 * @props: Is filled with the properties and the tail
 * @len: Size of @props: probe_size and the tail's 4 bytes
 */
int g_probe(struct vmm *v, __u32 ep, void *props, __u32 len)
{
	struct virtio_iommu_req_probe r = {
		.head.type = VIRTIO_IOMMU_T_PROBE,
		.endpoint = htole32(ep),
	};
	struct req q = {
		.out = &r, .out_len = sizeof(r),
		.in = props, .in_len = len,
	};

	return req_sync(v, &q);
}

/**
 * g_batch_add() - Add a request to the next g_batch_run()
 * @v: VMM
 * @op: MAP or UNMAP
 * @domain: Domain ID
 * @iova: First IOVA
 * @len: Bytes
 * @phys: Guest-physical address, for MAP
 *
 * A ring entry and its buffers are used again as soon as the ring has wrapped:
 * collect with g_batch_run() before that.
 */
int g_batch_add(struct vmm *v, enum batch_op op, __u32 domain, __u64 iova,
		__u64 len, __u64 phys)
{
	struct virtio_iommu_req_map m;
	struct virtio_iommu_req_unmap u;
	struct req r = { .in_len = sizeof(struct virtio_iommu_req_tail) };

	if (op == BATCH_MAP) {
		m = map_req(domain, iova, iova + len - 1, phys,
			    VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE);
		r.out = &m;
		r.out_len = offsetof(struct virtio_iommu_req_map, tail);
	} else {
		u = unmap_req(domain, iova, iova + len - 1);
		r.out = &u;
		r.out_len = offsetof(struct virtio_iommu_req_unmap, tail);
	}
	return req_add(v, &r, NULL);
}

/* Where the last descriptor of a chain points */
static void *chain_end(struct vmm *v, struct vq *q, __u32 head)
{
	struct vring_desc *d = &q->desc[head];

	if (d->flags & htole16(VRING_DESC_F_INDIRECT)) {
		__u32 len = le32toh(d->len) / sizeof(*d);

		d = ram_va(v, le64toh(d->addr));
		d += len - 1;
	} else {
		while (d->flags & htole16(VRING_DESC_F_NEXT))
			d = &q->desc[le16toh(d->next) % q->num];
	}
	return ram_va(v, le64toh(d->addr));
}

/**
 * g_batch_status() - Publish what was added, kick once, collect all of it
 * @v: VMM
 * @n: Number of requests that were added
 * @status: Is filled: the status of each, or NO_STATUS
 *
 * Return: 0 or a negative errno
 */
int g_batch_status(struct vmm *v, unsigned int n, int *status)
{
	struct vq *q = &v->vq[v->ring];
	struct virtio_iommu_req_tail *tail;
	__u16 old = q->published;
	struct vring_used_elem u;
	unsigned int i;
	int rc;

	vq_publish(q);
	if (vq_wants_kick(q, old))
		vq_kick(q);
	rc = vq_wait(q, n, REQ_TIMEOUT_MS);
	if (rc)
		return rc;
	for (i = 0; i < n; i++) {
		u = vq_pop(q);
		status[i] = NO_STATUS;
		if (u.len != sizeof(*tail) || u.id >= q->num)
			continue;
		tail = chain_end(v, q, u.id);
		status[i] = tail->status;
	}
	return 0;
}

/**
 * g_batch_run() - Publish what was added, kick once, collect all of it
 * @v: VMM
 * @n: Number of requests that were added, at most the ring's size
 *
 * Return: The first status that isn't OK, or a negative errno
 */
int g_batch_run(struct vmm *v, unsigned int n)
{
	int status[1024], rc;
	unsigned int i;

	if (n > ARRAY_SIZE(status))
		return -EINVAL;
	rc = g_batch_status(v, n, status);
	for (i = 0; !rc && i < n; i++)
		rc = status[i];
	return rc;
}

/**
 * g_times() - Map and unmap one by one, and print how long that takes
 * @v: VMM
 * @what: What is going on meanwhile
 * @domain: Domain ID
 * @iova: IOVA of a page that is not mapped
 * @gpa: Guest-physical address of another page
 *
 * Return: The longest time in ns; all ones if a request failed
 */
__u64 g_times(struct vmm *v, const char *what, __u32 domain, __u64 iova,
	      __u64 gpa)
{
	static __u64 ns[400];
	unsigned int i;
	__u64 start;
	int st;

	for (i = 0; i < ARRAY_SIZE(ns); i++) {
		start = now_ns();
		st = i % 2 ? g_unmap(v, domain, iova, iova + PAGE - 1) :
			     g_map(v, domain, iova, iova + PAGE - 1, gpa, MAP_RW);
		ns[i] = now_ns() - start;
		if (st != VIRTIO_IOMMU_S_OK)
			return ~0ULL;
		/* Spread over what the others do */
		if (!(i % 10))
			sleep_ms(2);
	}
	return print_times(what, ns, ARRAY_SIZE(ns));
}

/**
 * probe_resv() - Write a RESV_MEM property
 * @buf: Where
 * @subtype: VIRTIO_IOMMU_RESV_MEM_T_*
 * @start: First IOVA
 * @end: Last IOVA
 *
 * Return: Its length
 */
size_t probe_resv(void *buf, __u8 subtype, __u64 start, __u64 end)
{
	struct virtio_iommu_probe_resv_mem p = {
		.head.type = htole16(VIRTIO_IOMMU_PROBE_T_RESV_MEM),
		.head.length = htole16(sizeof(p) - sizeof(p.head)),
		.subtype = subtype,
		.start = htole64(start),
		.end = htole64(end),
	};

	memcpy(buf, &p, sizeof(p));
	return sizeof(p);
}
