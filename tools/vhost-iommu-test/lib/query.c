// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device tells of itself, to anybody who has the file.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vit.h"

#define ONE(_id, _member)						\
	[VHOST_IOMMU_STAT_##_id] = {					\
		.at = offsetof(struct vmm_stats, _member), .nr = 1 }

/* Where the figures go, by their ID */
static const struct {
	size_t at;
	unsigned int nr;
} stat_places[] = {
	[VHOST_IOMMU_STAT_REQUESTS] = {
		.at = offsetof(struct vmm_stats, requests),
		.nr = VMM_NR_TYPES,
	},
	[VHOST_IOMMU_STAT_REPLIES] = {
		.at = offsetof(struct vmm_stats, replies),
		.nr = VMM_NR_STATUS,
	},
	ONE(NO_STATUS, no_status),
	ONE(BATCHES, batches),
	ONE(WAKEUPS, wakeups),
	ONE(POLL_HITS, poll_hits),
	ONE(IN_PLACE, in_place),
	ONE(RING_ERRORS, ring_errors),
	[VHOST_IOMMU_STAT_REFUSED_MAPS] = {
		.at = offsetof(struct vmm_stats, refused_maps),
		.nr = VMM_NR_STATUS,
	},
	ONE(DOMAINS, domains),
	ONE(ENDPOINTS, endpoints),
	ONE(BROKEN, broken),
	ONE(MAPPINGS, mappings),
	ONE(MAPPED_BYTES, mapped_bytes),
	ONE(TABLE_PAGES, table_pages),
	ONE(REBUILDS, rebuilds),
	ONE(HOST_ERRORS, host_errors),
	ONE(EVENTS, events),
	ONE(EVENTS_DROPPED, events_dropped),
	ONE(EVENTS_LOST, events_lost),
	ONE(INV_COMMANDS, inv_commands),
	ONE(INV_CALLS, inv_calls),
	[VHOST_IOMMU_STAT_QUEUE_REQUESTS] = {
		.at = offsetof(struct vmm_stats, queue_requests),
		.nr = VMM_MAX_QUEUES,
	},
	ONE(VHOST_MISSES, vhost_misses),
	ONE(VHOST_UPDATES, vhost_updates),
	ONE(VHOST_INVALIDATIONS, vhost_invalidations),
	ONE(HELD_REPLIES, held_replies),
};

/**
 * vmm_stats() - VHOST_IOMMU_GET_STATS
 * @v: VMM
 * @s: Is filled; 0 for what the kernel does not tell
 */
int vmm_stats(struct vmm *v, struct vmm_stats *s)
{
	struct vhost_iommu_stat list[256];
	struct vhost_iommu_get_stats a = {
		.size = sizeof(a), .addr = (__u64)(uintptr_t)list,
		.nr = ARRAY_SIZE(list),
	};
	int rc = xioctl(v->fd, VHOST_IOMMU_GET_STATS, &a);
	unsigned int i;

	memset(s, 0, sizeof(*s));
	if (rc)
		return rc;
	for (i = 0; i < a.out_nr && i < ARRAY_SIZE(list); i++) {
		const struct vhost_iommu_stat *f = &list[i];

		if (f->id < ARRAY_SIZE(stat_places) &&
		    f->index < stat_places[f->id].nr)
			((__u64 *)((char *)s + stat_places[f->id].at))
				[f->index] = f->value;
	}
	return 0;
}

/**
 * vmm_number() - The device's number
 * @v: VMM
 *
 * Return: What fdinfo says, 0 if it says nothing
 */
__u32 vmm_number(struct vmm *v)
{
	static const char name[] = "\nvhost-iommu-device:\t";
	char path[64], text[KIB(8)], *at;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", v->fd);
	if (read_file(path, text, sizeof(text)) < 0)
		return 0;
	at = strstr(text, name);
	return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/**
 * vmm_refusal() - VHOST_IOMMU_GET_REFUSAL
 * @v: VMM
 * @r: Is filled
 */
int vmm_refusal(struct vmm *v, struct vhost_iommu_get_refusal *r)
{
	memset(r, 0, sizeof(*r));
	r->size = sizeof(*r);
	return xioctl(v->fd, VHOST_IOMMU_GET_REFUSAL, r);
}

/**
 * vmm_attachment() - VHOST_IOMMU_GET_ATTACHMENT
 * @v: VMM
 * @ep: Lowest endpoint ID to look for
 * @pasid: Lowest PASID of that endpoint
 * @a: Is filled
 */
int vmm_attachment(struct vmm *v, __u32 ep, __u32 pasid,
		   struct vhost_iommu_get_attachment *a)
{
	memset(a, 0, sizeof(*a));
	a->size = sizeof(*a);
	a->endpoint = ep;
	a->pasid = pasid;
	return xioctl(v->fd, VHOST_IOMMU_GET_ATTACHMENT, a);
}

/**
 * vmm_ep_state() - State of one endpoint
 * @v: VMM
 * @id: Its ID
 *
 * Return: One of enum vhost_iommu_endpoint_state, or a negative errno
 */
int vmm_ep_state(struct vmm *v, __u32 id)
{
	struct vhost_iommu_get_attachment a;
	int rc = vmm_attachment(v, id, 0, &a);

	if (rc)
		return rc;
	return a.out_endpoint == id ? (int)a.out_state : -ENOENT;
}

/**
 * vmm_ep_hwpt() - The HWPT that an endpoint is attached to
 * @v: VMM
 * @id: Its ID
 *
 * Return: The HWPT's ID, 0 if there is none, or ~0 if there is no such endpoint
 */
__u32 vmm_ep_hwpt(struct vmm *v, __u32 id)
{
	struct vhost_iommu_get_attachment a;

	if (vmm_attachment(v, id, 0, &a) || a.out_endpoint != id)
		return ~0u;
	return a.out_hwpt_id;
}

/**
 * vmm_translate() - VHOST_IOMMU_TRANSLATE
 * @v: VMM
 * @ep: Endpoint ID
 * @iova: I/O virtual address
 * @access: Access that is made, 0 to look
 * @t: Is filled
 */
int vmm_translate(struct vmm *v, __u32 ep, __u64 iova, __u32 access,
		  struct vhost_iommu_translate *t)
{
	memset(t, 0, sizeof(*t));
	t->size = sizeof(*t);
	t->flags = access;
	t->endpoint = ep;
	t->iova = iova;
	return xioctl(v->fd, VHOST_IOMMU_TRANSLATE, t);
}
