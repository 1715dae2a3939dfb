/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-iommu with tables of the guest: internal interfaces
 *
 * A file calls those below it, never one above:
 *
 *   virtio-iommu-table.c        virtio device, endpoints, iommu_ops
 *   virtio-iommu-table-sleep.c  suspend, hibernation and reset
 *   virtio-iommu-table-domain.c paging domains
 *   virtio-iommu-table-attach.c what endpoints are attached to
 *   virtio-iommu-table-dev.c    the device's queues and lifetime
 *   virtio-iommu-table-event.c  faults
 *   virtio-iommu-table-ring.c   requests and how they are waited for
 *   virtio-iommu-table-arm.h    conversions, Arm SMMUv3; unit-tested
 *   virtio-iommu-table-wait.h   timeouts and late notifications; unit-tested
 *   virtio-iommu-table-queue.h  number and choice of queues; unit-tested
 *
 * Lock order: the group's mutex, vtab_dev.mutex, and one of vtab_dev.lock,
 * vtab_queue.lock and vtab_domain.lock. None of these three is taken with another
 * of them, or of the same kind, held. They are taken in any context and held for a
 * few instructions; no request is waited for with one of them held.
 *
 * Who makes requests takes the lock of one queue, and only reads what is in
 * vtab_dev: &vtab_dev.lock is for what is of the whole device and changes rarely.
 */
#ifndef _VIRTIO_IOMMU_TABLE_H
#define _VIRTIO_IOMMU_TABLE_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/idr.h>
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/ratelimit_types.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "virtio-iommu-table-arm.h"
#include "virtio-iommu-table-queue.h"

/* The longest request that is not PROBE, less its tail */
#define VTAB_MAX_REQ	offsetof(struct virtio_iommu_req_attach_table, tail)
/* Requests in flight in a queue; its ring may have room for less */
#define VTAB_MAX_SLOTS	128

struct vtab_dev;
struct vtab_waiter;

/**
 * struct vtab_slot - A request while it is in the device's hands
 * @req: What the device reads
 * @tail: What it writes, unless there is @reply
 * @reply: Buffer for a longer reply, or NULL
 * @reply_len: Length of what the device writes, with the tail
 * @waiter: Who waits for it; on that one's stack
 *
 * It shares no cache line with others, which are of other processors.
 */
struct vtab_slot {
	u8 req[VTAB_MAX_REQ];
	struct virtio_iommu_req_tail tail;
	void *reply;
	size_t reply_len;
	struct vtab_waiter *waiter;
} ____cacheline_aligned_in_smp;

/**
 * struct vtab_queue - A request queue
 * @vq: The virtqueue; NULL while the device sleeps
 * @vtab: The virtio-iommu
 * @name: Name of @vq
 * @lock: Protects @vq, @slots, @free, @nr_free, writing to @nr_requests and @reaped,
 *        and the waiters of the requests that are in @vq. Whoever has it and has not
 *        seen &vtab_dev.broken may write to these waiters; so a waiter gives up only
 *        after it has taken the lock once, having seen it.
 * @slots: Memory for requests, @nr_slots of them
 * @nr_slots: See @slots
 * @free: The slots that are not in use, @nr_free of them
 * @nr_free: See @free
 * @nr_requests: Number of requests that were made
 * @reaped: Number of replies that were taken off the ring
 *
 * It is there, with its lock, for as long as the device: whoever makes requests
 * may have chosen it before the device was put to sleep, or broke.
 *
 * No two queues share a cache line. Within one, those who wait read the first and
 * the last line, and those who make requests write to the one in between.
 */
struct vtab_queue {
	struct virtqueue *vq;
	struct vtab_dev *vtab;
	char name[20];

	/*
	 * For a few instructions, in any context. Raw, because who holds it
	 * must not be preempted by somebody who polls.
	 */
	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	struct vtab_slot *slots;
	unsigned int nr_slots;
	struct vtab_slot **free;
	unsigned int nr_free;
	u64 nr_requests;

	u16 reaped ____cacheline_aligned_in_smp;
};

/**
 * struct vtab_table - What an endpoint can be attached to
 * @id: Domain ID; one ID never goes with two different tables
 * @plain_id: Domain ID for endpoints that can't use tables, of identity and
 *            blocked
 * @ste: Stream table entry, without ATS
 */
struct vtab_table {
	u32 id;
	u32 plain_id;
	__le64 ste[VTAB_STE_DWORDS];
};

/**
 * struct vtab_dev - A virtio-iommu
 * @iommu: For the IOMMU core
 * @vdev: For the virtio core
 * @kref: One reference is the driver's, the others are the domains'
 * @entry: In the list of all such devices
 * @queues: Request queues, allocated once
 * @nr_queues: Number of them in use. Does not change any more once there is
 *             somebody who makes requests.
 * @broken: A request was not answered: no more are made, in any queue, and none
 *          is looked for. Never cleared; written with @lock held, read with and
 *          without a queue's lock, see &vtab_queue.lock.
 * @keep: The device may use memory that it was given, nothing is freed. Written
 *        with @lock held, which vtab_break() takes: who has called it, because a
 *        request failed, sees this before it frees what that was about.
 * @asleep: All endpoints are blocked and no requests are made, until it is
 *          resumed. Written with @mutex held; who then takes a queue's lock knows
 *          that nobody makes further requests there.
 * @lock: Protects @kept_pages and writing to @broken and @keep; @endpoints together
 *        with @mutex. Never needed to make a request. Raw, like &vtab_queue.lock.
 * @nr_late: Number of notifications that were not relied on others for
 * @reset_work: Resets the device after it broke
 * @wq: For those who wait until @was_reset, or for @faulting
 * @was_reset: A broken device was reset: it uses no memory, and all endpoints
 *             are blocked. Never cleared; written with @mutex held.
 * @mutex: Serialises attaching, protects what endpoints are attached to,
 *         @endpoints together with @lock, @ids, @kept_domains, and @stopped
 * @endpoints: All endpoints
 * @ids: Endpoints by ID
 * @stopped: The machine shuts down, all endpoints are blocked
 * @asleep_bypass: config.bypass when the device was put to sleep
 * @kept_pages: Pages of tables that can't be freed while @keep is set
 * @kept_domains: Domains for which the same is true
 * @domain_ids: IDs of paging domains in use
 * @event_vq: Event queue
 * @event_work: Reads @event_vq
 * @events: Buffers of @event_vq
 * @nr_events: Number of these
 * @faulting: Domain whose fault handler is running. Written with @mutex held;
 *            whoever waits for it to change is in @wq.
 * @pgsizes: page_size_mask
 * @input_first: First I/O virtual address
 * @input_last: Last one
 * @identity: Table that translates nothing
 * @blocked: Table that lets nothing through
 * @first_id: First ID for paging domains
 * @last_id: Last one
 * @probe_size: Size of the properties in a PROBE reply
 */
struct vtab_dev {
	struct iommu_device iommu;
	struct virtio_device *vdev;
	struct kref kref;
	struct list_head entry;

	/* All who make requests read this, and none of them writes to it */
	struct vtab_queue *queues;
	unsigned int nr_queues;
	bool broken;
	bool keep;
	bool asleep;

	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	atomic64_t nr_late;

	struct work_struct reset_work;
	wait_queue_head_t wq;
	bool was_reset;

	/* While an endpoint is attached, which may take until the timeout */
	struct mutex mutex;
	struct list_head endpoints;
	struct xarray ids;
	bool stopped;
	u8 asleep_bypass;
	struct list_head kept_pages;
	struct list_head kept_domains;
	struct ida domain_ids;

	struct virtqueue *event_vq;
	struct work_struct event_work;
	struct virtio_iommu_fault_pasid *events;
	unsigned int nr_events;
	struct vtab_domain *faulting;

	u64 pgsizes;
	u64 input_first;
	u64 input_last;
	struct vtab_table identity;
	struct vtab_table blocked;
	u32 first_id;
	u32 last_id;
	u32 probe_size;
};

/**
 * struct vtab_domain - A paging domain
 * @domain: For the IOMMU core
 * @vtab: The device that it belongs to, of which it holds a reference
 * @table: What endpoints are attached to
 * @pgtbl: The page tables
 * @cd: The context descriptor
 * @asid: Its ASID, unique among all devices, as their endpoints may well share
 *        an SMMU and a VMID
 * @msi: The window for MSIs, which is identity-mapped; all 0 if there is none
 * @nr_endpoints: Endpoints that are, may be, or are about to be, attached.
 *                Written with &vtab_dev.mutex held; read without by who wants
 *                to know whether anything can be cached.
 * @kept: In &vtab_dev.kept_domains
 * @lock: Protects @unmaps and @freed; taken in any context, innermost
 * @unmaps: Unmaps that may free tables, struct vtab_unmap
 * @freed: Pages of tables that are free when the whole ASID was invalidated
 */
struct vtab_domain {
	struct iommu_domain domain;
	struct vtab_dev *vtab;
	struct vtab_table table;
	struct io_pgtable_ops *pgtbl;
	__le64 *cd;
	u32 asid;
	struct vtab_resv msi;
	unsigned int nr_endpoints;
	struct list_head kept;
	raw_spinlock_t lock;
	struct list_head unmaps;
	struct list_head freed;
};

/**
 * struct vtab_endpoint - A device behind a virtio-iommu
 * @dev: The device. Its endpoint IDs are in its fwspec.
 * @vtab: The virtio-iommu
 * @entry: In &vtab_dev.endpoints
 * @table: What it is attached to, NULL before the first time
 * @domain: The paging domain that it is attached to, or NULL
 * @asleep_table: @table after the device has slept, NULL when it is awake
 * @asleep_domain: @domain after the device has slept
 * @tables: It can use tables. If not, it is either in bypass or blocked.
 * @caps: What its SMMU can do, if @tables
 * @ats: It has ATS and the SMMU supports it
 * @ats_on: ATS is enabled
 * @faults: Limits the messages about faults
 * @nr_resv: Number of @resv
 * @resv: Its reserved regions
 */
struct vtab_endpoint {
	struct device *dev;
	struct vtab_dev *vtab;
	struct list_head entry;
	const struct vtab_table *table;
	struct vtab_domain *domain;
	const struct vtab_table *asleep_table;
	struct vtab_domain *asleep_domain;
	bool tables;
	struct vtab_arm_caps caps;
	bool ats;
	bool ats_on;
	struct ratelimit_state faults;
	unsigned int nr_resv;
	struct vtab_resv resv[] __counted_by(nr_resv);
};

static inline struct vtab_domain *to_vtab_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct vtab_domain, domain);
}

/* virtio-iommu-table-dev.c */
int vtab_alloc_queues(struct vtab_dev *vtab, unsigned int nr);
int vtab_find_vqs(struct vtab_dev *vtab);
void vtab_free_vqs(struct vtab_dev *vtab);
u8 vtab_swap_bypass(struct vtab_dev *vtab, u8 bypass);
void vtab_put(struct vtab_dev *vtab);

/* virtio-iommu-table-attach.c */
struct vtab_endpoint *vtab_sharer(const struct vtab_endpoint *ep, u32 id,
				  bool live);
struct vtab_endpoint *vtab_model(struct vtab_endpoint *ep);
int vtab_send_attach(struct vtab_endpoint *ep, const struct vtab_table *table,
		     bool ats);
int vtab_attach_locked(struct vtab_endpoint *ep, const struct vtab_table *table,
		       struct vtab_domain *dom);
int vtab_attach(struct vtab_endpoint *ep, const struct vtab_table *table,
		struct vtab_domain *dom);
bool vtab_is_bridge(const struct vtab_endpoint *ep);
void vtab_leave(struct vtab_endpoint *ep);
extern struct iommu_domain vtab_identity_domain;
extern struct iommu_domain vtab_blocked_domain;

/* virtio-iommu-table-domain.c */
struct iommu_domain *vtab_domain_alloc(struct device *dev);
void vtab_free_kept(struct vtab_dev *vtab);
extern const struct iommu_domain_ops vtab_paging_ops;

/* virtio-iommu-table-event.c */
void vtab_forget_handler(struct vtab_domain *dom);
int vtab_fill_events(struct vtab_dev *vtab);
void vtab_event_work(struct work_struct *work);
void vtab_event_callback(struct virtqueue *vq);

/* virtio-iommu-table-ring.c */
int vtab_ring_init(struct vtab_dev *vtab);
void vtab_ring_free(struct vtab_dev *vtab);
int vtab_ring_sleep(struct vtab_dev *vtab);
void vtab_ring_wake(struct vtab_dev *vtab);
int vtab_request(struct vtab_dev *vtab, const void *req, size_t len,
		 void *reply, size_t reply_len);
void vtab_break(struct vtab_dev *vtab, const char *why);
extern const struct attribute_group *const vtab_groups[];

/* virtio-iommu-table-sleep.c */
int vtab_freeze(struct virtio_device *vdev);
int vtab_restore(struct virtio_device *vdev);

#endif /* _VIRTIO_IOMMU_TABLE_H */
