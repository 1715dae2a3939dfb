/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Library of vhost-iommu-test: a small VMM (struct vmm) and the guest's side of
 * the rings (struct vq) in one process, and devices that do DMA (struct
 * dma_dev).
 *
 * Functions return 0 or a negative errno unless their comment says otherwise.
 */
#ifndef VHOST_IOMMU_TEST_VIT_H
#define VHOST_IOMMU_TEST_VIT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include <linux/iommufd.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <linux/vhost_iommu.h>
#include <linux/virtio_config.h>
#include <linux/virtio_iommu.h>
#include <linux/virtio_ring.h>

#include "vhost_iommu_mock_uapi.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define KIB(n)		((__u64)(n) << 10)
#define MIB(n)		((__u64)(n) << 20)
#define GIB(n)		((__u64)(n) << 30)
#define PAGE		KIB(4)

/* What is read and written by another thread, the kernel or a device */
#define LOAD(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Guest-physical layout. The end of the RAM holds rings and requests */
#define RAM_GPA		0x40000000ULL
#define RAM_SIZE	MIB(16)
#define RING_AREA	MIB(4)
#define RING_SPAN	KIB(256)
/* Request queues, and the event queue */
#define VMM_MAX_QUEUES	4
#define VMM_MAX_RINGS	(VMM_MAX_QUEUES + 1)
/* An address that is not guest memory */
#define NOT_RAM_GPA	0x30000000ULL
#define DOORBELL_GPA	0x08090000ULL

#define FEATURE(b)	(1ULL << (b))
#define IOMMU_FEATURES	(FEATURE(VIRTIO_IOMMU_F_INPUT_RANGE) | \
			 FEATURE(VIRTIO_IOMMU_F_DOMAIN_RANGE) | \
			 FEATURE(VIRTIO_IOMMU_F_MAP_UNMAP) | \
			 FEATURE(VIRTIO_IOMMU_F_PROBE) | \
			 FEATURE(VIRTIO_IOMMU_F_MMIO) | \
			 FEATURE(VIRTIO_IOMMU_F_BYPASS_CONFIG))
#define RING_FEATURES	(FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
			 FEATURE(VIRTIO_RING_F_EVENT_IDX))
#define ALL_FEATURES	(IOMMU_FEATURES | RING_FEATURES | \
			 FEATURE(VIRTIO_F_VERSION_1))

/* How long a request may take before the test gives up */
#define REQ_TIMEOUT_MS	15000

/* util.c */
extern bool verbose;
bool long_tests(void);
__u64 now_ns(void);
__u64 print_times(const char *what, __u64 *ns, unsigned int nr);
__u64 thread_ns(pid_t tid);
bool host_iommu_is_amd(void);
void sleep_ms(unsigned int ms);
__u64 rand64(__u64 *state);
int write_file(const char *path, const char *text);
ssize_t read_file(const char *path, char *buf, size_t len);
void kmsg(const char *text);
int xioctl(int fd, unsigned long cmd, void *arg);
long slab_kib(void);
bool huge_pages(unsigned int n);
void huge_pages_back(void);
const char *status_name(int status);

/* ring.c */

/**
 * struct seg - One descriptor
 * @gpa: Guest-physical address
 * @len: Length in bytes
 * @write: The device writes to it
 */
struct seg {
	__u64 gpa;
	__u32 len;
	bool write;
};

/**
 * struct vq - The driver's side of a split ring, built by hand
 * @num: Number of entries
 * @desc: Descriptor table
 * @avail: Available ring
 * @used: Used ring
 * @avail_idx: What the driver has added, published or not
 * @published: What the device can see of that
 * @used_idx: What was collected
 * @next_desc: Next entry of @desc to use; entries are used round robin, tests
 *	never have more than @num outstanding
 * @kick: Eventfd that tells the device
 * @call: Eventfd by which the device interrupts
 * @err: Eventfd by which the device reports a ring error
 * @event_idx: VIRTIO_RING_F_EVENT_IDX was accepted
 * @sleep: vq_wait() sleeps until the device interrupts; otherwise it spins, as
 *	a driver does
 */
struct vq {
	unsigned int num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	__u16 avail_idx;
	__u16 published;
	__u16 used_idx;
	__u16 next_desc;
	int kick;
	int call;
	int err;
	bool event_idx;
	bool sleep;
};

void vq_reset(struct vq *q);
__u16 vq_add(struct vq *q, const struct seg *segs, unsigned int n);
__u16 vq_add_indirect(struct vq *q, const struct seg *segs, unsigned int n,
		      void *table, __u64 table_gpa);
void vq_push_head(struct vq *q, __u16 head);
void vq_publish(struct vq *q);
bool vq_wants_kick(struct vq *q, __u16 old);
void vq_kick(struct vq *q);
int vq_wait(struct vq *q, unsigned int n, unsigned int timeout_ms);
struct vring_used_elem vq_pop(struct vq *q);
__u64 eventfd_take(int fd);
bool eventfd_wait(int fd, unsigned int timeout_ms);

/* vmm.c */

/**
 * struct ram - A region of guest RAM
 * @gpa: Guest-physical address
 * @size: Size in bytes
 * @va: Where it is mapped here
 * @memfd: The file behind it
 */
struct ram {
	__u64 gpa;
	__u64 size;
	void *va;
	int memfd;
};

#define VMM_MAX_RAM	6

/* No ID of an iommufd is like this, nor is the number of anything else */
#define VMM_HANDLE(i)	(0x70000000u + (i))

/* Types of requests and statuses that there can be */
#define VMM_NR_TYPES	16
#define VMM_NR_STATUS	16

/**
 * struct vmm_stats - What VHOST_IOMMU_GET_STATS tells
 * @requests: Requests by type
 * @replies: Replies by status
 * @no_status: Buffers without a status
 * @batches: Publications of the used ring
 * @wakeups: Times that somebody began to serve the request queue
 * @poll_hits: Times that busy polling found requests
 * @in_place: Requests that the thread which kicked has served
 * @ring_errors: Ring errors
 * @refused_maps: MAP requests that were not carried out, by status
 * @domains: Domains
 * @endpoints: Endpoints
 * @broken: Endpoints out of use
 * @mappings: Mappings
 * @mapped_bytes: Bytes mapped
 * @table_pages: Pages of page tables
 * @rebuilds: Rebuilds of a domain
 * @host_errors: Commands that failed unexpectedly
 * @events: Faults given to the guest
 * @events_dropped: Events of nobody
 * @events_lost: Events that the host's queue had no room for
 * @inv_commands: Invalidation commands
 * @inv_calls: Arrays of those
 * @queue_requests: Requests by queue
 * @vhost_misses: Misses of vhost devices
 * @vhost_updates: Translations given to them
 * @vhost_invalidations: Times that one of them had to forget some
 * @held_replies: Replies that waited for VHOST_IOMMU_ACK
 */
struct vmm_stats {
	__u64 requests[VMM_NR_TYPES];
	__u64 replies[VMM_NR_STATUS];
	__u64 no_status;
	__u64 batches;
	__u64 wakeups;
	__u64 poll_hits;
	__u64 in_place;
	__u64 ring_errors;
	__u64 refused_maps[VMM_NR_STATUS];
	__u64 domains;
	__u64 endpoints;
	__u64 broken;
	__u64 mappings;
	__u64 mapped_bytes;
	__u64 table_pages;
	__u64 rebuilds;
	__u64 host_errors;
	__u64 events;
	__u64 events_dropped;
	__u64 events_lost;
	__u64 inv_commands;
	__u64 inv_calls;
	__u64 queue_requests[VMM_MAX_QUEUES];
	__u64 vhost_misses;
	__u64 vhost_updates;
	__u64 vhost_invalidations;
	__u64 held_replies;
};

struct dma_dev;

/**
 * struct nest - The host's objects for tables of the guest, on one IOMMU
 * @parent: The nesting parent over RAM
 * @viommu: The vIOMMU on it, or 0
 * @type: Its type, IOMMU_VIOMMU_TYPE_*
 * @event_type: Type of its event queue, IOMMU_VEVENTQ_TYPE_*
 * @veventq: The event queue's ID
 * @event_fd: Its file, or -1
 * @handle: The VMM's number for the vIOMMU, see VMM_HANDLE()
 * @format: Format of its tables, VIRTIO_IOMMU_FORMAT_*
 * @next_id: ID of the next vDEVICE
 * @idr: ID registers of an SMMU
 */
struct nest {
	__u32 parent;
	__u32 viommu;
	__u32 type;
	__u32 event_type;
	__u32 veventq;
	int event_fd;
	__u32 handle;
	__u32 format;
	__u64 next_id;
	__u32 idr[6];
};

/**
 * struct vmm - A VMM with one vhost-iommu
 * @fd: /dev/vhost-iommu
 * @iommufd: /dev/iommu, or -1
 * @ram_ioas: The RAM IOAS
 * @ram_hwpt: An HWPT of it, or 0; with @table a nesting parent
 * @table: Endpoints can have tables of the guest
 * @nest: What that takes on the first device's IOMMU
 * @far: The same on another IOMMU, if devices are behind one
 * @depth: Number of events that their queues hold
 * @mock: What mock IOMMUs are made to be, or NULL
 * @ram: Guest RAM; the first region holds rings and request buffers
 * @nr_ram: Number of regions
 * @small_pages: New regions come in pages of the smallest size, also if there
 *	are others
 * @scratch: The kernel's scratch area
 * @scratch_len: Its length
 * @config: What SET_CONFIG is given
 * @features: What SET_FEATURES is given
 * @vq: The rings: VHOST_IOMMU_VQ_REQUEST_NR(), VHOST_IOMMU_VQ_EVENT
 * @ring: The one of @vq that requests are put into
 * @indirect: Requests go by indirect descriptors
 * @buf_start: Where the request area begins in the ring area
 * @buf_size: Its length
 * @buf_next: Next byte of it to use
 * @last_used_len: Used length of the last request
 */
struct vmm {
	int fd;
	int iommufd;
	__u32 ram_ioas;
	__u32 ram_hwpt;
	bool table;
	struct nest nest;
	struct nest far;
	__u32 depth;
	const struct vhost_iommu_mock_config *mock;
	struct ram ram[VMM_MAX_RAM];
	unsigned int nr_ram;
	bool small_pages;
	void *scratch;
	size_t scratch_len;
	struct vhost_iommu_set_config config;
	__u64 features;
	struct vq vq[VMM_MAX_RINGS];
	unsigned int ring;
	bool indirect;
	__u32 buf_start;
	__u32 buf_size;
	__u32 buf_next;
	__u32 last_used_len;
};

void vmm_init(struct vmm *v);
void vmm_close(struct vmm *v);
int vmm_open(struct vmm *v);
int vmm_open_iommufd(struct vmm *v);
int vmm_add_ram(struct vmm *v, __u64 gpa, __u64 size);
int vmm_ioas_map(struct vmm *v, __u32 ioas, const void *va, __u64 iova,
		 __u64 len);
int vmm_ioas_unmap(struct vmm *v, __u32 ioas, __u64 iova, __u64 len);
int vmm_ioas_copy(struct vmm *v, __u32 dst, __u32 src, __u64 dst_iova,
		  __u64 src_iova, __u64 len, __u32 flags);
int vmm_ioas_alloc(struct vmm *v, __u32 *id);
int vmm_hwpt_alloc(struct vmm *v, __u32 dev_id, __u32 ioas, __u32 *id);
int vmm_destroy(struct vmm *v, __u32 id);
int vmm_set_owner(struct vmm *v);
int vmm_set_mem_table(struct vmm *v);
int vmm_set_features(struct vmm *v);
int vmm_set_config(struct vmm *v);
void vmm_propose_tables(struct vmm *v);
void vmm_propose_queues(struct vmm *v, unsigned int n);
void vmm_view(struct vmm *view, const struct vmm *v, unsigned int n);
int vmm_set_vring(struct vmm *v, unsigned int i, unsigned int num);
int vmm_set_rings(struct vmm *v, unsigned int num);
int vmm_set_iommufd(struct vmm *v);
int vmm_set_running(struct vmm *v, bool run);
int vmm_reset(struct vmm *v);
int vmm_set_bypass(struct vmm *v, bool on);
int vmm_set_doorbell(struct vmm *v, __u64 start, __u64 last, __u32 flags);
int vmm_set_limits(struct vmm *v, __u32 domains, __u64 mappings, __u64 tables);
int vmm_set_domain_limits(struct vmm *v, __u64 mappings, __u64 tables);
int vmm_remove_ram(struct vmm *v, __u64 start, __u64 last, __u64 *mappings);
int vmm_add_endpoint(struct vmm *v, __u32 id, struct dma_dev *dev, int group,
		     const void *probe, __u32 probe_len);
int vmm_remove_endpoint(struct vmm *v, __u32 id);
int vmm_prepare(struct vmm *v, bool iommufd);
int vmm_start(struct vmm *v);
pid_t vmm_worker_tid(void);
void *ram_va(struct vmm *v, __u64 gpa);

/* query.c: what anybody can ask */
int vmm_stats(struct vmm *v, struct vmm_stats *s);
__u32 vmm_number(struct vmm *v);
int vmm_refusal(struct vmm *v, struct vhost_iommu_get_refusal *r);
int vmm_attachment(struct vmm *v, __u32 ep, __u32 pasid,
		   struct vhost_iommu_get_attachment *a);
int vmm_ep_state(struct vmm *v, __u32 id);
__u32 vmm_ep_hwpt(struct vmm *v, __u32 id);
int vmm_translate(struct vmm *v, __u32 ep, __u64 iova, __u32 access,
		  struct vhost_iommu_translate *t);

/* hold.c: memory that keeps whoever touches it waiting */

/**
 * struct hold - A region of such memory
 * @uffd: Userfaultfd
 * @va: Where it is here
 * @gpa: Guest-physical address
 */
struct hold {
	int uffd;
	char *va;
	__u64 gpa;
};

int hold_open(struct hold *h, struct vmm *v, __u64 gpa, __u64 len);
int hold_over(struct hold *h, void *va, __u64 len);
void hold_close(struct hold *h);
int hold_wait(struct hold *h, char **page, unsigned int timeout_ms);
int hold_give(struct hold *h, char *page, const void *data);
int hold_take(char *page);

/* req.c: requests. They return the status, NO_STATUS or a negative errno */

/* The buffer came back with used length 0 */
#define NO_STATUS	0x100

/**
 * struct req - One request on the request queue
 * @out: Device-readable part
 * @out_len: Its length
 * @in: Device-writable part, filled with 0xa5 before the request is made
 * @in_len: Its length
 * @out_segs: Number of descriptors of the readable part, 0 for 1
 * @in_segs: Number of descriptors of the writable part, 0 for 1
 */
struct req {
	const void *out;
	__u32 out_len;
	void *in;
	__u32 in_len;
	unsigned int out_segs;
	unsigned int in_segs;
};

#define REQ_FILL	0xa5

void *req_buf(struct vmm *v, __u32 len, __u64 *gpa);
int req_add(struct vmm *v, const struct req *r, void **in);
int req_sync(struct vmm *v, const struct req *r);
int req_simple(struct vmm *v, const void *out, __u32 out_len);
int g_attach(struct vmm *v, __u32 domain, __u32 ep);
int g_attach_flags(struct vmm *v, __u32 domain, __u32 ep, __u32 flags);
int g_detach(struct vmm *v, __u32 domain, __u32 ep);
int g_map(struct vmm *v, __u32 domain, __u64 start, __u64 last, __u64 phys,
	  __u32 flags);
int g_unmap(struct vmm *v, __u32 domain, __u64 start, __u64 last);
int g_probe(struct vmm *v, __u32 ep, void *props, __u32 len);

/**
 * enum batch_op - What one entry of a batch does
 * @BATCH_MAP: MAP, one page, read and write
 * @BATCH_UNMAP: UNMAP, one page
 */
enum batch_op { BATCH_MAP, BATCH_UNMAP };

int g_batch_add(struct vmm *v, enum batch_op op, __u32 domain, __u64 iova,
		__u64 len, __u64 phys);
int g_batch_status(struct vmm *v, unsigned int n, int *status);
int g_batch_run(struct vmm *v, unsigned int n);

/* What a request takes of which a flood of others does not hold it up, in ns */
#define TIMES_MAX	2000000000ULL

__u64 g_times(struct vmm *v, const char *what, __u32 domain, __u64 iova,
	      __u64 gpa);

size_t probe_resv(void *buf, __u8 subtype, __u64 start, __u64 end);

/* dev.c */

enum dev_kind { DEV_NONE, DEV_MOCK, DEV_EDU, DEV_IGB };

/**
 * struct dma_dev - A device that a test can make do DMA
 * @kind: What it is
 * @name: Name in sysfs
 * @cdev: VFIO character device
 * @fd: The open VFIO device, or -1
 * @iommufd: The iommufd that it is bound to
 * @dev_id: Its ID in the iommufd
 * @hwpt_flags: What the HWPTs of its domains are made with
 * @table: It has a vDEVICE, and is to be an endpoint with tables
 * @nest: The IOMMU that it is behind
 * @vdevice: The vDEVICE
 * @virt_id: ID that the vIOMMU knows the device by
 * @group: Number of its IOMMU group
 * @max_iova: Highest IOVA that it can address
 * @max_len: Most bytes in one transfer
 * @min_len: Fewest bytes in one transfer
 * @drv_len: Bytes of memory that its driver needs, mapped for the device at
 *	@drv_iova, before anything moves; 0 if none
 * @drv_iova: Where that memory is for the device
 * @drv_va: Where it is here
 * @status: What the device said about its last transfer, if it says anything
 * @priv: The driver's own data
 */
struct dma_dev {
	enum dev_kind kind;
	char name[32];
	char cdev[64];
	int fd;
	int iommufd;
	__u32 dev_id;
	__u32 hwpt_flags;
	bool table;
	struct nest *nest;
	__u32 vdevice;
	__u64 virt_id;
	int group;
	__u64 max_iova;
	__u32 max_len;
	__u32 min_len;
	__u32 drv_len;
	__u64 drv_iova;
	void *drv_va;
	__u32 status;
	void *priv;
};

/* Where tests let a driver that needs memory have it */
#define DRV_IOVA	0x0c000000ULL

int dev_find(enum dev_kind kind, struct dma_dev *devs, int max);
int dev_find_emulated(struct dma_dev *d);
const char *dev_missing(enum dev_kind kind);
int dev_open(struct dma_dev *d, struct vmm *v);
void dev_close(struct dma_dev *d);
int dev_start(struct dma_dev *d, void *va, __u64 iova);
bool dev_has_buffer(const struct dma_dev *d);
int dev_load(struct dma_dev *d, __u64 iova, __u32 len);
int dev_store(struct dma_dev *d, __u64 iova, __u32 len);
int dev_copy(struct dma_dev *d, __u64 src, __u64 dst, __u32 len);
int dev_flood(struct dma_dev *d, __u64 src, __u64 dst, __u32 len, __u32 count);
int dev_attach(struct dma_dev *d, __u32 pt_id);
int dev_detach(struct dma_dev *d);
int dev_region(struct dma_dev *d, unsigned int index, __u64 *offset,
	       __u64 *size);
int dev_bus_master(struct dma_dev *d);

/* mock.c: error injection and counters of a mock device */
int mock_inject(struct dma_dev *d, unsigned int point, __u32 skip, __u32 count,
		__u32 error, __u32 flags);
int mock_ctl(struct dma_dev *d, struct vhost_iommu_mock_ctl *ctl);

/* mock.c: nesting on a mock IOMMU */
void mock_config_init(struct vhost_iommu_mock_config *c);
int mock_config(struct dma_dev *d, const struct vhost_iommu_mock_config *c);
int mock_nest(struct dma_dev *d, struct vhost_iommu_mock_nest *nest);
int mock_cache(struct dma_dev *d, const __u32 *cache);
int mock_event(struct dma_dev *d, __u32 count, __u32 flags, const __u64 *data);
int mock_log(struct dma_dev *d, struct vhost_iommu_mock_log *log);
int mock_log_clear(struct dma_dev *d);
int mock_pasid(struct dma_dev *d, __u32 pasid);

int edu_open(struct dma_dev *d);
int edu_load(struct dma_dev *d, __u64 iova, __u32 len);
int edu_store(struct dma_dev *d, __u64 iova, __u32 len);
int mock_open(struct dma_dev *d);
int mock_load(struct dma_dev *d, __u64 iova, __u32 len);
int mock_store(struct dma_dev *d, __u64 iova, __u32 len);

/* trace.c: what QEMU's SMMU says it did */

/**
 * struct trace - A position in the SMMU's trace
 * @fd: The trace file, or -1
 * @pos: Where the next look begins
 */
struct trace {
	int fd;
	off_t pos;
};

void trace_open(struct trace *t);
void trace_close(struct trace *t);
void trace_mark(struct trace *t);
bool trace_wait(struct trace *t, const char *const *words,
		unsigned int timeout_ms);
char *trace_since(struct trace *t);
bool trace_refused(struct trace *t);
bool trace_invalidated(struct trace *t);

/**
 * struct trace_range - An invalidation by address
 * @vmid: VMID, the guest's
 * @asid: ASID, or -1 for all
 * @addr: First address
 * @len: Bytes
 * @tg: Granule as in the command: 0 none, 1 4 KiB, 2 16 KiB, 3 64 KiB
 * @ttl: Level of the leaves, 0 if any
 * @leaf: Only leaves
 */
struct trace_range {
	int vmid;
	int asid;
	unsigned long long addr;
	unsigned long long len;
	unsigned int tg;
	unsigned int ttl;
	unsigned int leaf;
};

char *trace_cmds(struct trace *t, char *buf, size_t len);
unsigned int trace_ranges(struct trace *t, struct trace_range *r,
			  unsigned int max);

/* env.c: a running device with endpoints, what most tests begin with */

#define EP(i)		(0x10 + (i))
#define EMU(i)		(0x1000 + (i))
#define ENV_MAX_DEV	4
/* A second region, within reach of a device that has few address bits */
#define LOW_GPA		0x01000000ULL
#define LOW_SIZE	MIB(4)
/* Where tests map things: reachable by every device, not reserved anywhere */
#define IOVA		0x02000000ULL

#define MAP_R		VIRTIO_IOMMU_MAP_F_READ
#define MAP_W		VIRTIO_IOMMU_MAP_F_WRITE
#define MAP_RW		(MAP_R | MAP_W)

/**
 * struct env - A VMM with devices
 * @v: VMM
 * @kind: Kind of the devices; DEV_NONE for endpoints without one
 * @dev: Open devices; dev[i] is endpoint EP(i)
 * @nr: Number of endpoints
 * @all: All devices of that kind that there are
 * @nr_all: Their number
 * @trace: The SMMU's trace
 * @skip: Why the test can't be run here, if it can't
 */
struct env {
	struct vmm v;
	enum dev_kind kind;
	struct dma_dev *dev[ENV_MAX_DEV];
	unsigned int nr;
	struct dma_dev all[16];
	int nr_all;
	struct trace trace;
	char skip[128];
};

void env_init(struct env *e, enum dev_kind kind);
void env_init_table(struct env *e, enum dev_kind kind);
int env_open(struct env *e, unsigned int nr, bool one_group);
int env_add(struct env *e);
int env_up(struct env *e, unsigned int nr);
void env_down(struct env *e);
int env_driver(struct env *e, unsigned int i, __u32 domain);
void fill(void *p, __u8 seed, size_t len);
bool filled(const void *p, __u8 seed, size_t len);

/* xfer.c: transfers that are judged */

/**
 * struct xfer - Transfers of one device
 * @e: Environment
 * @d: Device
 * @seed: Of the last transfer's pattern
 * @skipped_trace: Times that there was no trace to look into
 * @host_blocks: The device is not in a domain of the module's, and blocked by Linux itself
 */
struct xfer {
	struct env *e;
	struct dma_dev *d;
	__u8 seed;
	unsigned int skipped_trace;
	bool host_blocks;
};

void xfer_init(struct xfer *x, struct env *e, unsigned int i);
bool all_bytes(const void *p, __u8 val, size_t len);
bool xfer_refused(struct xfer *x);
bool xfer_copies(struct xfer *x, __u64 src, __u64 src_gpa, __u64 dst,
		 __u64 dst_gpa, __u32 len);
bool xfer_write_denied(struct xfer *x, __u64 src, __u64 src_gpa, __u64 dst,
		       __u64 dst_gpa, __u32 len);
bool xfer_read_denied(struct xfer *x, __u64 src, __u64 src_gpa, __u64 dst,
		      __u64 dst_gpa, __u32 len);

#endif /* VHOST_IOMMU_TEST_VIT_H */
