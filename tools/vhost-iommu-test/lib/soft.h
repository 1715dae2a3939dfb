/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM's part of translation.
 */
#ifndef VHOST_IOMMU_TEST_SOFT_H
#define VHOST_IOMMU_TEST_SOFT_H

#include <pthread.h>

#include "vit.h"

/* Answers that are kept, one for each page that falls on the same place */
#define SOFT_KEPT	64
#define SOFT_MAX_LOG	4096

/**
 * struct soft_cache - Answers that are kept for an endpoint, for all threads
 * @v: VMM
 * @ep: Endpoint ID
 * @log: The log
 * @len: Its length
 * @lock: Covers what follows
 * @seen: Where the log was followed up to
 * @kept: The answers; those that allow nothing are not kept
 * @hits: Number of addresses that one of them was for
 * @forgotten: Number of times that all of them were forgotten
 * @late: Number of answers that were not kept, as the log was followed beyond them
 */
struct soft_cache {
	struct vmm *v;
	__u32 ep;
	struct vhost_iommu_log *log;
	size_t len;
	pthread_spinlock_t lock;
	__u64 seen;
	struct vhost_iommu_translate kept[SOFT_KEPT];
	__u64 hits;
	__u64 forgotten;
	__u64 late;
};

struct vhost_iommu_log *soft_open_log(struct vmm *v, size_t *len, int *fd);
struct vhost_iommu_log *soft_map_log(struct vmm *v, size_t *len);
int soft_notify(struct vmm *v, __u32 ep, bool on);
int soft_ack(struct vmm *v, __u64 sequence);
int soft_open(struct soft_cache *c, struct vmm *v, __u32 ep);
void soft_close(struct soft_cache *c);
bool soft_follow(struct soft_cache *c, __u64 head);
int soft_translate(struct soft_cache *c, __u64 iova,
		   struct vhost_iommu_translate *t);

#endif /* VHOST_IOMMU_TEST_SOFT_H */
