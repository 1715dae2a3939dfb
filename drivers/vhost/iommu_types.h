/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-iommu, what a device is made of
 *
 * Who may call whom, and which locks there are, says iommu.h.
 */
#ifndef _VHOST_IOMMU_TYPES_H
#define _VHOST_IOMMU_TYPES_H

#include <linux/atomic.h>
#include <linux/interval_tree_generic.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <uapi/linux/vhost_iommu.h>

#include "vhost.h"
#include "iommu_format.h"
#include "iommu_map.h"
#include "iommu_req.h"

#define VHOST_IOMMU_MAX_PROBE_SIZE	SZ_64K
#define VHOST_IOMMU_MAX_RESV		256
#define VHOST_IOMMU_MAX_DOORBELLS	64
#define VHOST_IOMMU_MAX_ENDPOINTS	SZ_128K
#define VHOST_IOMMU_MAX_VIOMMUS		64
#define VHOST_IOMMU_MAX_EVENTQS		128
#define VHOST_IOMMU_MAX_QUEUES		16
/* vhost devices, as many as a mapping has bits for */
#define VHOST_IOMMU_MAX_CLIENTS		BITS_PER_LONG
/* What one of them can wait for at a time; it has a few queues with one miss each */
#define VHOST_IOMMU_MISSES		64
/* Ranges that one of them is to forget, and hears of together */
#define VHOST_IOMMU_UNTOLD		8
/* Mappings of a domain that are remembered as its last ones */
#define VHOST_IOMMU_RECENT		32U
/* Replies of a queue that wait for the VMM; when they are as many, the queue does, too */
#define VHOST_IOMMU_HELD		32
/* Of emulated endpoints, which wait for the guest's buffers */
#define VHOST_IOMMU_SOFT_FAULTS		64
/* Above all domain IDs */
#define VHOST_IOMMU_NO_DOMAIN		BIT_ULL(32)
/* Room for types of requests, and for statuses */
#define VHOST_IOMMU_NR_TYPES		16
#define VHOST_IOMMU_NR_STATUS		16
/* So that N commands, in however many batches, take N / 63 syncs, rounded up */
#define VHOST_IOMMU_BATCH		(2 * VHOST_IOMMU_SYNC_CMDS)
#define VHOST_IOMMU_SCRATCH_SIZE	SZ_4K
/* Requests in a pass of the worker; the rest of a full ring waits for a next one */
#define VHOST_IOMMU_WEIGHT		256
/*
 * What is done at a time takes some milliseconds at most: so many mappings, or a
 * piece of one. iommufd walks the pages of a COPY without rescheduling; how many of
 * them go in that time is found out.
 */
#define VHOST_IOMMU_PIECE_MAPS		32
#define VHOST_IOMMU_PIECE_SHIFT_MIN	18
#define VHOST_IOMMU_PIECE_SHIFT		21
#define VHOST_IOMMU_PIECE_SHIFT_MAX	26

/**
 * struct vhost_iommu_host - The VMM's iommufd and how it is reached
 * @iommufd: File of the iommufd, NULL until SET_IOMMUFD
 * @scratch: Memory of the owner that command arguments are put in. The owner
 *           can write to it at any time: what is read back is not trusted.
 * @ram_ioas: IOAS with all guest RAM at guest-physical addresses
 * @blocked_ioas: IOAS that stays empty
 * @blocked_users: Groups that are blocked by an HWPT of @blocked_ioas
 * @piece_shift: Size of the pieces that the next mapping is made in, as the
 *               logarithm to base 2
 * @busy_until: A device is being reset, and what needs it is tried again until then
 *              (jiffies); 0 if not
 * @errors: Commands that failed though nothing in the request explains it
 * @lost: A device could not even be detached: what it reaches is not known
 * @lost_for_good: That is no endpoint any more, so that a reset does not find it
 */
struct vhost_iommu_host {
	struct file *iommufd;
	void __user *scratch;
	u32 ram_ioas;
	u32 blocked_ioas;
	unsigned int blocked_users;
	u8 piece_shift;
	unsigned long busy_until;
	atomic64_t errors;
	bool lost;
	bool lost_for_good;
};

struct vhost_iommu;
struct vhost_iommu_rq;
struct vhost_iommu_source;
struct vhost_iommu_log_area;

/**
 * struct vhost_iommu_source_ops - What a source of events does
 * @next: Read the next one to &vhost_iommu_source.event. Returns 1; 0 if there is
 *        none, or it can't be read; -EAGAIN if what was read is no event.
 * @whose: Find the endpoint that &vhost_iommu_source.event is about, or NULL if it
 *         is not there any more
 *
 * Both are called under &vhost_iommu.lock.
 */
struct vhost_iommu_source_ops {
	int (*next)(struct vhost_iommu_source *source);
	const struct vhost_iommu_endpoint *
		(*whose)(struct vhost_iommu_source *source);
};

/**
 * struct vhost_iommu_source - Something that events come from
 * @viommu: The device
 * @ops: What it does
 * @node: In &vhost_iommu.sources, while it is open
 * @file: Where they are read, or NULL
 * @wait: In the wait queue @head of @file
 * @head: Wait queue of @file, or NULL
 * @table: How @wait gets there
 * @work: Forwards events. Runs under the event queue's mutex, which covers the
 *        members below; of an endpoint that goes, &vhost_iommu.lock covers @event.
 * @gone: It is closed: @work does nothing, and is not queued again
 * @pending: @event waits for a buffer
 * @event: The event
 * @endpoint: The endpoint that @event is about, when it was last looked for
 */
struct vhost_iommu_source {
	struct vhost_iommu *viommu;
	const struct vhost_iommu_source_ops *ops;
	struct list_head node;
	struct file *file;
	wait_queue_entry_t wait;
	wait_queue_head_t *head;
	poll_table table;
	struct vhost_work work;
	bool gone;
	bool pending;
	struct vhost_iommu_event event;
	u32 endpoint;
};

struct vhost_iommu_eventq;

/**
 * struct vhost_iommu_nest - A vIOMMU: guest tables are nested on its parent
 * @viommu: The device
 * @index: In &vhost_iommu.nests
 * @handle: The VMM's number for it
 * @id: What HWPTs of tables are made on: ID of the vIOMMU in the iommufd, or of
 *      @parent if there is none
 * @parent: ID of its nesting parent. vIOMMUs with the same parent share the tag
 *          of TLB entries (on Arm the VMID), so commands for TLBs go to one of
 *          them.
 * @format: Format of the tables
 * @hw: Physical IOMMU, as the first endpoint's device describes it
 * @users: Endpoints that name this vIOMMU
 * @endpoints: They, by the ID of their vDEVICE
 * @stale: A domain has ended on @parent whose TLB entries may be there still
 * @eventq: Its events, or NULL
 */
struct vhost_iommu_nest {
	struct vhost_iommu *viommu;
	unsigned int index;
	u32 handle;
	u32 id;
	u32 parent;
	const struct vhost_iommu_format *format;
	struct vhost_iommu_hw hw;
	unsigned int users;
	struct xarray endpoints;
	bool stale;
	struct vhost_iommu_eventq *eventq;
};

/**
 * struct vhost_iommu_eventq - An event queue of a vIOMMU
 * @nest: The vIOMMU
 * @source: What is forwarded
 * @begun: There was an event
 * @sequence: Number of the last event that was read
 */
struct vhost_iommu_eventq {
	struct vhost_iommu_nest *nest;
	struct vhost_iommu_source source;
	bool begun;
	u32 sequence;
};

/**
 * struct vhost_iommu_resv_node - RESV_MEM region of an endpoint in its domain
 * @node: In &vhost_iommu_domain.resv while the endpoint is attached
 * @start: First IOVA
 * @last: Last IOVA
 * @subtree_last: For the interval tree
 * @msi: It is the MSI doorbell
 */
struct vhost_iommu_resv_node {
	struct rb_node node;
	u64 start;
	u64 last;
	u64 subtree_last;
	bool msi;
};

/**
 * enum vhost_iommu_domain_kind - What translates for a domain's endpoints
 * @VHOST_IOMMU_PAGING: MAP and UNMAP requests
 * @VHOST_IOMMU_BYPASS: Nothing; created with VIRTIO_IOMMU_ATTACH_F_BYPASS
 * @VHOST_IOMMU_TABLE: Tables of the guest
 */
enum vhost_iommu_domain_kind {
	VHOST_IOMMU_PAGING,
	VHOST_IOMMU_BYPASS,
	VHOST_IOMMU_TABLE,
};

/**
 * struct vhost_iommu_part - A MAP request that is being carried out in pieces
 * @active: There is one
 * @owner: Where it came from
 * @awaited: Another queue waits until it is done
 * @error: It failed, and what was mapped is being unmapped again
 * @start: First IOVA
 * @last: Last IOVA
 * @phys: Guest-physical address
 * @flags: VIRTIO_IOMMU_MAP_F_*
 * @map: What is mapped so far; NULL if that is nothing. Is in the tree.
 */
struct vhost_iommu_part {
	bool active;
	const struct vhost_iommu_rq *owner;
	bool awaited;
	int error;
	u64 start;
	u64 last;
	u64 phys;
	u32 flags;
	struct vhost_iommu_map *map;
};

/**
 * struct vhost_iommu_build - An IOAS that is being filled to replace another
 * @active: There is one
 * @counted: @tables is complete
 * @ioas: Its ID, or 0 if it was not made yet
 * @at: The next IOVA to look at
 * @tables: Page tables that the domain's mappings need
 */
struct vhost_iommu_build {
	bool active;
	bool counted;
	u32 ioas;
	u64 at;
	struct vhost_iommu_tables tables;
};

/**
 * struct vhost_iommu_hwpt - A page table of a domain's IOAS
 * @node: In &vhost_iommu_domain.hwpts
 * @id: ID in the iommufd
 * @ioas: The IOAS
 * @flags: IOMMU_HWPT_ALLOC_*
 * @users: Groups whose devices are attached to it
 */
struct vhost_iommu_hwpt {
	struct list_head node;
	u32 id;
	u32 ioas;
	u32 flags;
	unsigned int users;
};

/**
 * struct vhost_iommu_domain - A domain; exists while it has an endpoint
 * @lock: Covers @stuck, @doubt, @maps, @part, @build, @tables and @unmaps, together with
 *        &vhost_iommu.lock for reading
 * @id: Domain ID
 * @kind: Others than paging domains have no @maps
 * @format: Format of @table
 * @table: The tables of a table domain
 * @nests: Mask of the vIOMMUs, by index, that the endpoints of a table domain
 *         are behind
 * @ioas: IOAS that holds @maps, or 0 as long as no endpoint is a device
 * @hwpts: HWPTs of @ioas, and for a moment of the one that it replaces
 * @stuck: @ioas holds more than @maps
 * @doubt: That is in one range, if it is so at all. Only with @stuck, which has no
 *         other reason then: who finds it so calls vhost_iommu_domain_recover() first
 * @doubt_start: First IOVA of the range
 * @doubt_last: Last IOVA of the range
 * @maps: What the guest mapped
 * @part: The MAP request that is not done
 * @build: What is to replace @ioas
 * @tables: Page tables of @ioas that mappings have touched
 * @unmaps: Mappings removed since stale tables were last looked for
 * @resv: RESV_MEM regions of all endpoints in the domain
 * @endpoints: Endpoints in the domain
 * @nr_devices: Number of them that are devices
 * @nr_recent: Number of mappings that were made while there were vhost devices. Changed
 *             under &vhost_iommu.xlat_lock, as @recent is.
 * @recent: First IOVAs of the last ones: number N is at index N % VHOST_IOMMU_RECENT
 * @drained: Its last endpoint is leaving it, and some of @maps are gone already
 * @translated: The VMM has asked what its addresses mean. Set under
 *              &vhost_iommu.xlat_lock.
 * @passed_on: It has done so for an endpoint that notifies; likewise
 * @await: &vhost_iommu_log.head behind the last entry of it that replies have to wait for,
 *         see VHOST_IOMMU_SET_NOTIFY. Changed under &vhost_iommu.xlat_lock and what
 *         covers @maps.
 */
struct vhost_iommu_domain {
	struct mutex lock;	/* mappings, see above */
	u32 id;
	enum vhost_iommu_domain_kind kind;
	const struct vhost_iommu_format *format;
	struct vhost_iommu_table table;
	u64 nests;
	u32 ioas;
	struct list_head hwpts;
	bool stuck;
	bool doubt;
	u64 doubt_start;
	u64 doubt_last;
	struct vhost_iommu_map_tree maps;
	struct vhost_iommu_part part;
	struct vhost_iommu_build build;
	struct vhost_iommu_tables tables;
	u64 unmaps;
	u64 nr_recent;
	u64 recent[VHOST_IOMMU_RECENT];
	struct rb_root_cached resv;
	struct list_head endpoints;
	unsigned int nr_devices;
	bool drained;
	bool translated;
	bool passed_on;
	u64 await;
};

/**
 * struct vhost_iommu_target - What an endpoint is to be attached to
 * @kind: Kind of the domain
 * @domain: Its ID
 * @table: The guest's tables, if it is one of those
 */
struct vhost_iommu_target {
	enum vhost_iommu_domain_kind kind;
	u32 domain;
	const struct vhost_iommu_table *table;
};

/**
 * struct vhost_iommu_removal - A range of guest memory that goes away
 * @start: First guest-physical address
 * @last: Last guest-physical address
 * @count: Number of mappings that had something in the range, and have not any more
 * @rc: The first error
 * @domain: The next domain to look at
 * @current_id: The domain that @at is about
 * @at: The next IOVA to look at
 */
struct vhost_iommu_removal {
	u64 start;
	u64 last;
	u64 count;
	int rc;
	unsigned long domain;
	u64 current_id;
	u64 at;
};

/**
 * struct vhost_iommu_resetting - A reset that goes in pieces
 * @active: It has begun, and not ended. Changed under &vhost_dev.mutex.
 * @linked: The next endpoint to take out of its domain
 * @domain: The next domain to take the mappings of
 * @endpoint: The next endpoint whose group is to be brought where the configuration
 *            says
 * @failed: Groups that could not be brought there
 */
struct vhost_iommu_resetting {
	bool active;
	unsigned long linked;
	unsigned long domain;
	unsigned long endpoint;
	u64 failed;
};

/**
 * struct vhost_iommu_group - Endpoints that the IOMMU can't tell apart
 * @id: Number that the VMM gave, if @shared
 * @shared: The VMM gave a number; otherwise there is one member
 * @nest: vIOMMU of the devices, or NULL if they have none
 * @blocked_hwpt: HWPT of the empty IOAS or, with @nest, of a table that reaches
 *                nothing; 0 if no member is a device
 * @hw: The domain that translates for the devices: that of all members that are in
 *      one. NULL if no member is in a domain, if members are in different ones, or
 *      if the IOMMU refused.
 * @hwpt_flags: What the devices' HWPTs are made with, IOMMU_HWPT_ALLOC_*
 * @hwpt: HWPT of a domain's IOAS that the devices are attached to, or NULL
 * @table_hwpt: HWPT of the guest's tables that the devices are attached to, or 0
 * @table_ats: @table_hwpt lets the devices cache translations
 * @attached: Number of members that are in a domain
 * @broken: Not even @blocked_hwpt could be attached: the devices are detached
 * @bypass: No member is in a domain, and the hardware is attached to a RAM HWPT
 * @endpoints: All members
 */
struct vhost_iommu_group {
	u32 id;
	bool shared;
	struct vhost_iommu_nest *nest;
	u32 blocked_hwpt;
	struct vhost_iommu_domain *hw;
	u32 hwpt_flags;
	struct vhost_iommu_hwpt *hwpt;
	u32 table_hwpt;
	bool table_ats;
	unsigned int attached;
	bool broken;
	bool bypass;
	struct list_head endpoints;
};

/**
 * struct vhost_iommu_endpoint - An endpoint that the VMM added
 * @id: Endpoint ID of the guest
 * @flags: VHOST_IOMMU_EP_*
 * @file: VFIO device, NULL for an endpoint that the VMM emulates
 * @dev_id: ID of the device in the iommufd
 * @ram_hwpt: HWPT for bypass, or 0
 * @hwpt_flags: What its HWPTs are made with, IOMMU_HWPT_ALLOC_*
 * @nest: Its vIOMMU, or NULL
 * @virt_id: Its vDEVICE there
 * @ats: The device can cache translations
 * @pasid_bits: The device has PASIDs of that many bits; 0 if it has none
 * @group: Its group; NULL while it is being added
 * @group_node: In &vhost_iommu_group.endpoints
 * @domain: Domain that it is attached to, or NULL
 * @domain_node: In &vhost_iommu_domain.endpoints
 * @table_ats: In a table domain: its table lets the device cache translations
 * @notify: See VHOST_IOMMU_SET_NOTIFY. Changed under &vhost_iommu.xlat_lock, too.
 * @probe: What PROBE returns
 * @probe_len: Length of @probe in bytes
 * @nr_resv: Length of @resv
 * @resv: RESV_MEM regions found in @probe
 */
struct vhost_iommu_endpoint {
	u32 id;
	u32 flags;
	struct file *file;
	u32 dev_id;
	u32 ram_hwpt;
	u32 hwpt_flags;
	struct vhost_iommu_nest *nest;
	u64 virt_id;
	bool ats;
	u8 pasid_bits;
	struct vhost_iommu_group *group;
	struct list_head group_node;
	struct vhost_iommu_domain *domain;
	struct list_head domain_node;
	bool table_ats;
	bool notify;
	void *probe;
	u32 probe_len;
	unsigned int nr_resv;
	struct vhost_iommu_resv_node resv[] __counted_by(nr_resv);
};

/**
 * struct vhost_iommu_doorbell - Guest-physical range that takes MSI writes
 * @start: First address
 * @last: Last address
 */
struct vhost_iommu_doorbell {
	u64 start;
	u64 last;
};

/**
 * struct vhost_iommu_rq_counters - What a request queue has done
 * @requests: By type, unknown types at index 0
 * @status: By status
 * @no_status: Buffers returned with used length 0
 * @batches: Publications of the used ring
 * @wakeups: Runs of the kick handler
 * @poll_hits: Requests that busy polling found
 * @in_place: Requests that the thread which kicked has served
 * @inv_commands: Commands of INVALIDATE requests
 * @inv_calls: Arrays of commands
 * @held: Replies that had to wait for the VMM
 *
 * Written under the queue's mutex, read without.
 */
struct vhost_iommu_rq_counters {
	u64 requests[VHOST_IOMMU_NR_TYPES];
	u64 status[VHOST_IOMMU_NR_STATUS];
	u64 no_status;
	u64 batches;
	u64 wakeups;
	u64 poll_hits;
	u64 in_place;
	u64 inv_commands;
	u64 inv_calls;
	u64 held;
};

/**
 * struct vhost_iommu_buffer - A part of a request's buffer
 * @iov: Where it is
 * @nr: Number of @iov
 * @len: Length of all of them in bytes
 */
struct vhost_iommu_buffer {
	const struct iovec *iov;
	unsigned int nr;
	size_t len;
};

/**
 * struct vhost_iommu_pending - A request that was taken, and not answered yet
 * @head: Its buffer
 * @status: Its outcome
 * @nr_tail: Number of @tail
 * @tail: Where the reply goes
 * @await: Sequence of the log that its reply waits for, or 0
 * @begin: When it was taken from the ring in ns, if somebody wants to know
 * @domain: Its domain, while invalidations are carried out
 * @req: The request
 */
struct vhost_iommu_pending {
	unsigned int head;
	u8 status;
	u8 nr_tail;
	struct iovec tail[VHOST_IOMMU_TAIL_LEN];
	u64 await;
	u64 begin;
	const struct vhost_iommu_domain *domain;
	struct vhost_iommu_req req;
};

/**
 * enum vhost_iommu_server - Who serves the request queue
 * @VHOST_IOMMU_WORKER: The vhost worker: anything, for as long as it takes
 * @VHOST_IOMMU_KICKER: The thread that kicked, usually a virtual CPU: what is
 *                      short
 */
enum vhost_iommu_server {
	VHOST_IOMMU_WORKER,
	VHOST_IOMMU_KICKER,
};

/**
 * struct vhost_iommu_caller - Who carries out a request
 * @where: The thread
 * @rq: The request queue that it is from, whose part of the scratch area its commands
 *      use; NULL for an ioctl, which is alone
 * @alone: It holds &vhost_iommu.lock for writing, not for reading
 */
struct vhost_iommu_caller {
	enum vhost_iommu_server where;
	struct vhost_iommu_rq *rq;
	bool alone;
};

/**
 * vhost_iommu_is_for_worker - Tell whether a command failed only for who made it
 * @by: Who made it
 * @rc: 0 or its errno
 *
 * The scratch area is the VMM's memory, which the host moves as it likes: a thread
 * that kicks has found it in place, but does not wait for it when it is not any more.
 * By then the command may have been carried out.
 *
 * Return: true if the worker, which waits, is to make the command again.
 */
static inline bool
vhost_iommu_is_for_worker(const struct vhost_iommu_caller *by, int rc)
{
	return rc == -EFAULT && by->where == VHOST_IOMMU_KICKER;
}

/**
 * struct vhost_iommu_refusals - MAP requests that were not carried out
 * @lock: Covers the others
 * @nr: Number of them by status
 * @domain: Domain of the last one
 * @status: Its status
 * @start: Its first IOVA
 * @last: Its last IOVA
 * @phys: Its guest-physical address
 */
struct vhost_iommu_refusals {
	spinlock_t lock;	/* for a last one that fits together */
	u64 nr[VHOST_IOMMU_NR_STATUS];
	u32 domain;
	u32 status;
	u64 start;
	u64 last;
	u64 phys;
};

/**
 * struct vhost_iommu_xlat - What an access of an endpoint means
 * @start: First IOVA that this is about
 * @last: Last IOVA
 * @phys: Guest-physical address that @start stands for
 * @perm: What is allowed: VIRTIO_IOMMU_MAP_F_READ, VIRTIO_IOMMU_MAP_F_WRITE
 * @state: Where the endpoint's DMA goes, one of enum vhost_iommu_endpoint_state
 * @domain: Its domain, if @state has one
 * @sequence: Number of the log's next entry at this moment; 0 if there is no log
 * @passed_on: The endpoint notifies, see VHOST_IOMMU_SET_NOTIFY
 * @paging: The paging domain that was looked at, or NULL; for as long as
 *          &vhost_iommu.xlat_lock is held
 * @map: The mapping, or NULL if it is none; likewise
 */
struct vhost_iommu_xlat {
	u64 start;
	u64 last;
	u64 phys;
	u32 perm;
	u32 state;
	u32 domain;
	u64 sequence;
	bool passed_on;
	struct vhost_iommu_domain *paging;
	struct vhost_iommu_map *map;
};

/**
 * struct vhost_iommu_miss - What a vhost device has missed
 * @iova: The IOVA
 * @access: What it wants to do there: VHOST_ACCESS_*
 * @denied: The guest was told of a fault
 */
struct vhost_iommu_miss {
	u64 iova;
	u32 access;
	bool denied;
};

/**
 * struct vhost_iommu_untold - Ranges that are gone
 * @nr: Number of @ranges
 * @ranges: Their first and last IOVAs
 */
struct vhost_iommu_untold {
	unsigned int nr;
	struct {
		u64 start;
		u64 last;
	} ranges[VHOST_IOMMU_UNTOLD];
};

/**
 * struct vhost_iommu_client - A vhost device whose addresses are translated here
 * @viommu: The device
 * @endpoint: ID of the endpoint that it is a part of
 * @index: In &vhost_iommu_vhost.clients
 * @node: In &vhost_iommu_vhost.left
 * @file: Where misses are read, and answers written
 * @poll: Waits for misses of @file, and has them read and answered. Woken up by threads
 *        of the vhost device, with mutexes of it held.
 * @untold: What it has to forget, under &vhost_iommu.xlat_lock
 * @lock: Covers what follows, and messages to the vhost device: who has it says nothing
 *        that does not hold
 * @retry: Has it given an answer again that it did not take
 * @delay: How long that waits, in jiffies; 0 if it has taken all
 * @gone: It has left: nothing is told it any more
 * @ahead: It was told of the domain's mappings up to this one, if they are there still,
 *         see &vhost_iommu_domain.nr_recent
 * @nr_missing: Number of @missing; read without the mutex, too
 * @missing: What it waits for
 */
struct vhost_iommu_client {
	struct vhost_iommu *viommu;
	u32 endpoint;
	unsigned int index;
	struct list_head node;
	struct file *file;
	struct vhost_poll poll;
	struct vhost_iommu_untold untold;
	struct mutex lock;	/* messages, see above */
	struct delayed_work retry;
	unsigned int delay;
	bool gone;
	u64 ahead;
	unsigned int nr_missing;
	struct vhost_iommu_miss missing[VHOST_IOMMU_MISSES];
};

/**
 * struct vhost_iommu_vhost - vhost devices whose addresses are translated here
 * @clients: They, by index. Changed under &vhost_dev.mutex and &vhost_iommu.lock for
 *           writing, so one of them is enough to look.
 * @nr: Number of them; read without any, too
 * @untold: Those that have something to forget and have not done so, a mask of indices.
 *          Changed under &vhost_iommu.xlat_lock.
 * @left: Those that have left, and whose files are still held
 * @missing: Number of misses of all of them that wait for a mapping
 * @missed: Number of misses so far
 * @told: Number of answers, and of mappings that went with them
 * @forgotten: Number of times that one had to forget something
 */
struct vhost_iommu_vhost {
	struct vhost_iommu_client *clients[VHOST_IOMMU_MAX_CLIENTS];
	unsigned int nr;
	unsigned long untold;
	struct list_head left;
	atomic_t missing;
	atomic64_t missed;
	atomic64_t told;
	atomic64_t forgotten;
};

/**
 * struct vhost_iommu_soft - Faults of accesses that the VMM makes
 * @source: What is forwarded: an endpoint ID instead of the vDEVICE in the event
 * @lock: Covers the others
 * @lost: Number of faults that there was no room for; read without @lock
 * @first: Index of the first one
 * @nr: Number of them
 * @faults: They, a ring
 */
struct vhost_iommu_soft {
	struct vhost_iommu_source source;
	spinlock_t lock;	/* taken by any thread that makes an access */
	u64 lost;
	unsigned int first;
	unsigned int nr;
	struct vhost_iommu_event faults[VHOST_IOMMU_SOFT_FAULTS];
};

/**
 * struct vhost_iommu_region - A region of guest memory
 * @start: First guest-physical address
 * @last: Last guest-physical address
 * @addr: Where it begins in the VMM's address space
 */
struct vhost_iommu_region {
	u64 start;
	u64 last;
	u64 addr;
};

/**
 * struct vhost_iommu_ram - A copy of the memory table
 * @nr: Number of @region
 * @region: In order of the address
 */
struct vhost_iommu_ram {
	unsigned int nr;
	struct vhost_iommu_region region[] __counted_by(nr);
};

/**
 * struct vhost_iommu_held - A reply that waits
 * @elem: What is to be written into the used ring
 * @sequence: What it waits for, a sequence of the log
 */
struct vhost_iommu_held {
	struct vring_used_elem elem;
	u64 sequence;
};

/* In kick_flags: kick_work is added to a thread, and has not begun */
#define VHOST_IOMMU_KICK_PENDING	0

/**
 * struct vhost_iommu_rq - A request queue
 * @vq: The ring. Its mutex covers what has no other rule.
 * @viommu: The device
 * @index: Which of the device's it is, and its part of the scratch area
 * @serves: It is served, for who holds no mutex
 * @dead: The ring could not be read
 * @midway: Type of the request at its head, if that is half done and others wait for it:
 *          a MAP, see &vhost_iommu_domain.part, or one that is alone, see
 *          &vhost_iommu.holder. Read without the mutex, too
 * @poll_score: How often polling meets a request
 * @polls: The worker looks for further requests before it sleeps; read without the
 *         mutex, too
 * @poll_hold: When polling may begin again, in ns of local_clock()
 * @idle_since: When the ring was last found empty
 * @kicked_at: When the last kick came that nobody has seen yet, or 0; of anybody
 * @kick_work: Serves the queue in a thread that kicked
 * @kick_flags: VHOST_IOMMU_KICK_PENDING
 * @pass_end: When who serves the ring lets somebody else do something, in jiffies
 * @ram: Region of guest memory that was found last, in this pass
 * @nr_heads: Number of @heads in use
 * @heads: Requests that are done but not yet published
 * @untold: vhost devices that have to forget something before @heads are published, a
 *          mask of their indices
 * @await: Sequence of the log that the request which is being carried out, in pieces
 *         maybe, has to wait for, or 0
 * @nr_held: Number of @held in use; read without the mutex, too
 * @held: Requests that are done, and wait until the VMM has followed the log
 * @nr_pending: Number of @pending in use
 * @answers: @pending are carried out: their replies are yet to be written
 * @pending: Invalidations that are carried out together, and what a thread that
 *           kicked could not answer. The next request is decoded behind them
 * @inv: Invalidations of TLBs that are being merged
 * @cmds: Commands that are being put together
 * @count: Counters
 */
struct vhost_iommu_rq {
	struct vhost_virtqueue vq;
	struct vhost_iommu *viommu;
	unsigned int index;
	bool serves;
	bool dead;
	u8 midway;
	unsigned int poll_score;
	bool polls;
	u64 poll_hold;
	u64 idle_since;
	u64 kicked_at;
	struct callback_head kick_work;
	unsigned long kick_flags;
	unsigned long pass_end;
	const struct vhost_iotlb_map *ram;
	unsigned int nr_heads;
	struct vring_used_elem heads[VHOST_IOMMU_BATCH];
	unsigned long untold;
	u64 await;
	unsigned int nr_held;
	struct vhost_iommu_held held[VHOST_IOMMU_HELD];
	unsigned int nr_pending;
	bool answers;
	struct vhost_iommu_pending pending[VHOST_IOMMU_BATCH];
	struct vhost_iommu_inv inv[VHOST_IOMMU_BATCH];
	struct vhost_iommu_cmds cmds;
	struct vhost_iommu_rq_counters count;
};

/**
 * struct vhost_iommu_eq - The event queue
 * @vq: The ring. Its mutex covers the others.
 * @dead: The ring could not be read
 * @faults: Faults given to the guest
 * @dropped: Events that no fault was made of
 * @lost: Events that were lost before they could be read, but for those of
 *        &vhost_iommu.soft
 */
struct vhost_iommu_eq {
	struct vhost_virtqueue vq;
	bool dead;
	u64 faults;
	u64 dropped;
	u64 lost;
};

/**
 * struct vhost_iommu - One open file, one virtio-iommu device
 * @dev: The vhost device; its mutex serializes ioctls and covers @configured
 * @vq_ptrs: For @dev
 * @rqs: Request queues
 * @nr_rqs: Number of @rqs
 * @nr_serving: Number of them that are served. Changed under @dev.mutex.
 * @num_queues: Number of them that the guest is told of. Changed under @dev.mutex.
 * @eq: Event queue
 * @number: Tells it from others in fdinfo and trace events
 * @refs: The file's, and that of a kick's work while it is added
 * @configured: SET_CONFIG was called
 * @proposals: Feature bits without a specification that are offered. Changed under
 *             @dev.mutex.
 * @soft: Faults of accesses that the VMM and vhost devices make
 * @vhost: vhost devices whose addresses are translated here
 * @worker_only: A thread that kicks serves nothing. Changed under @dev.mutex.
 * @wanted: Somebody waits for a ring: who serves it is to let go of it. Changed
 *          under @dev.mutex.
 * @ring_errors: Times that a ring could not be read or written
 * @refused: MAP requests that were not carried out
 * @xlat_lock: Is taken for writing to change what translation looks at: @ram and,
 *             together with @lock, the group of an endpoint, @endpoints when one
 *             goes, @hw, @bypass and @broken of groups, the mappings of a domain,
 *             @nr_notify and @log
 * @ram: The memory table, or NULL. Changed under @dev.mutex.
 * @log: Changes that a VMM which translates reads of, or NULL. Set once, under
 *       @dev.mutex as well.
 * @nr_notify: Number of endpoints whose changes replies wait for. Changed under @lock as
 *             well.
 * @lock: Covers all that follows. Is taken for reading by requests that leave domains,
 *        endpoints and groups as they are, piece by piece: MAP, UNMAP, INVALIDATE and
 *        PROBE. What a domain holds of mappings has &vhost_iommu_domain.lock. Whoever
 *        takes it for writing is alone, and needs no lock below but @xlat_lock.
 *        Statistics are read without it.
 * @holder: Request queue that has to be alone once more before another one is, to end
 *          what it has begun; or NULL, or one that has given up
 * @holder_awaited: Another queue waits until it has ended that
 * @rules: Configuration, and features that the driver accepted. Changed only
 *         while the rings are stopped, so a ring's mutex is enough to read it.
 * @bypass: What config.bypass says
 * @host: iommufd
 * @nests: vIOMMUs
 * @nests_end: Above the highest index of @nests that was ever in use
 * @eventqs: Event queues of vIOMMUs, by the VMM's number
 * @nr_eventqs: Number of @eventqs
 * @sources: Where events come from. They come and go under @dev.mutex as well.
 * @stale: One of @nests is, see &vhost_iommu_nest.stale
 * @domains: By domain ID
 * @nr_domains: Number of @domains
 * @endpoints: By endpoint ID
 * @nr_endpoints: Number of @endpoints
 * @nr_devices: Number of them that are devices
 * @nr_broken: Number of them that are in broken groups
 * @groups: Groups that the VMM gave a number, by that number
 * @doorbells: Ranges in which MMIO mappings are accepted
 * @nr_doorbells: Number of @doorbells
 * @rebuilds: Domains that got a new IOAS
 * @mappings: Mappings in all domains
 * @mapped_bytes: Their sizes
 * @table_pages: Page-table pages touched, all domains
 * @max_domains: Limit of @nr_domains
 * @max_mappings: Limit of @mappings, see vhost_iommu_domain_has_room()
 * @max_table_pages: Limit of @table_pages, of which each device has a share
 * @max_domain_mappings: Limit of the mappings of one domain, whatever its share is
 * @max_domain_table_pages: Limit of its page-table pages
 * @reset: The reset that is going on
 */
struct vhost_iommu {
	struct vhost_dev dev;
	struct vhost_virtqueue *vq_ptrs[VHOST_IOMMU_MAX_QUEUES + 1];
	struct vhost_iommu_rq *rqs;
	unsigned int nr_rqs;
	unsigned int nr_serving;
	unsigned int num_queues;
	struct vhost_iommu_eq eq;
	u32 number;
	refcount_t refs;
	bool configured;
	u64 proposals;
	bool worker_only;
	bool wanted;
	atomic64_t ring_errors;
	struct vhost_iommu_refusals refused;
	struct vhost_iommu_soft soft;
	struct vhost_iommu_vhost vhost;

	rwlock_t xlat_lock;	/* what translation looks at, see above */
	struct vhost_iommu_ram *ram;
	struct vhost_iommu_log_area *log;
	unsigned int nr_notify;
	struct rw_semaphore lock;
	struct vhost_iommu_rq *holder;
	bool holder_awaited;
	struct vhost_iommu_rules rules;
	bool bypass;
	struct vhost_iommu_host host;
	struct vhost_iommu_nest *nests[VHOST_IOMMU_MAX_VIOMMUS];
	unsigned int nests_end;
	struct xarray eventqs;
	unsigned int nr_eventqs;
	struct list_head sources;
	bool stale;
	struct xarray domains;
	unsigned int nr_domains;
	struct xarray endpoints;
	unsigned int nr_endpoints;
	unsigned int nr_devices;
	unsigned int nr_broken;
	struct xarray groups;
	struct vhost_iommu_doorbell doorbells[VHOST_IOMMU_MAX_DOORBELLS];
	unsigned int nr_doorbells;
	u64 rebuilds;
	atomic64_t mappings;
	atomic64_t mapped_bytes;
	atomic64_t table_pages;
	u32 max_domains;
	u64 max_mappings;
	u64 max_table_pages;
	u64 max_domain_mappings;
	u64 max_domain_table_pages;
	struct vhost_iommu_resetting reset;
};

#endif /* _VHOST_IOMMU_TYPES_H */
