/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the mock share: mock_main.c has the bus and its devices,
 * mock_iommu.c the IOMMU driver, mock_nest.c vIOMMUs and nested page tables,
 * mock_cmd.c invalidation commands, mock_walk.c the guest's tables and the
 * caches in front of them, and mock_vfio.c the VFIO driver with the DMA engine.
 */
#ifndef VHOST_IOMMU_MOCK_H
#define VHOST_IOMMU_MOCK_H

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "vhost_iommu_mock_uapi.h"

#define MOCK_MAX_DEVICES	64
#define MOCK_MAX_IOMMUS		4

/* What page tables that are no nesting parents can be allocated with */
#define MOCK_HWPT_FLAGS		(IOMMU_HWPT_ALLOC_DIRTY_TRACKING | \
				 IOMMU_HWPT_ALLOC_PASID)

/* Commands that one sync ends */
#define MOCK_SYNC_COMMANDS	63

struct mock_device;
struct mock_iommu;

/**
 * struct mock_domain - A page table
 * @domain: The IOMMU core's part
 * @owner: Device that the table was allocated for. The table holds a module
 *	reference, and devices go only when the module does.
 * @id: Serial number
 * @nest_parent: Others can be nested on it
 * @pt: The entries, by IOVA page number: see mock_pte(). The tree's lock is
 *	held while the DMA engine copies a page, so that no access outlives the
 *	entry that allowed it.
 * @tracking: Pages that are written are recorded; this and the next two are
 *	protected by the lock of @pt
 * @all_dirty: A page could not be recorded
 * @dirty: The numbers of those that were
 * @leaf: Leaf tables that exist, by number
 * @nr_leaf: How many those are
 * @nr_map: Map operations
 * @nr_unmap: Unmap operations
 * @nr_flush: TLB flushes
 * @bytes: Bytes mapped
 */
struct mock_domain {
	struct iommu_domain domain;
	struct mock_device *owner;
	u64 id;
	bool nest_parent;
	/** @map_mutex: Serialises the accounting of leaf tables */
	struct mutex map_mutex;
	struct maple_tree pt;
	bool tracking;
	bool all_dirty;
	struct xarray dirty;
	struct maple_tree leaf;
	atomic64_t nr_leaf;
	atomic64_t nr_map;
	atomic64_t nr_unmap;
	atomic64_t nr_flush;
	atomic64_t bytes;
};

/**
 * struct mock_viommu - A vIOMMU
 * @core: iommufd's part
 * @iommu: The IOMMU that it is a slice of
 * @parent: The page table that others are nested on
 */
struct mock_viommu {
	struct iommufd_viommu core;
	struct mock_iommu *iommu;
	struct mock_domain *parent;
};

/**
 * struct mock_nested - A nested page table
 * @domain: The IOMMU core's part
 * @viommu: The vIOMMU that it was allocated on
 * @id: Serial number
 * @state: VHOST_IOMMU_MOCK_NEST_*
 * @ste: Arm: the stream table entry
 * @ats: Arm: devices may cache translations
 * @iotlb: Selftest: the value that it was made of
 */
struct mock_nested {
	struct iommu_domain domain;
	struct mock_viommu *viommu;
	u64 id;
	u32 state;
	u64 ste[2];
	bool ats;
	u32 iotlb;
};

/**
 * struct mock_tlb_entry - What an IOMMU knows of a page
 * @vmid: Serial number of the parent, 0 if the entry is free
 * @page: The number of the page, of 4 KiB; of a @walk entry, of the 2 MiB that
 *	the table is for
 * @target: The physical page number; of a @walk entry, the table's address in
 *	the guest's memory
 * @asid: Address space
 * @level: Level of the entry that maps the page, 1 to 3
 * @prot: What the guest's table allows
 * @s2_prot: What the parent allows
 * @global: The page is the same in all address spaces
 * @walk: The entry is for a table of the last level
 */
struct mock_tlb_entry {
	u64 vmid;
	u64 page;
	u64 target;
	u16 asid;
	u8 level;
	u8 prot;
	u8 s2_prot;
	bool global;
	bool walk;
};

#define MOCK_TLB_SIZE	2048

/**
 * struct mock_cd - A context descriptor in the cache
 * @valid: The entry is in use. What it holds need not be valid.
 * @ssid: Its number in the table
 * @data: The descriptor
 */
struct mock_cd {
	bool valid;
	u32 ssid;
	u64 data[8];
};

#define MOCK_CD_SIZE	16

/**
 * struct mock_atc_entry - What a device knows of a page
 * @vmid: Serial number of the parent, 0 if the entry is free
 * @page: The number of the page
 * @pfn: The physical page number
 * @pasid: PASID, 0 for none
 * @prot: What is allowed
 */
struct mock_atc_entry {
	u64 vmid;
	u64 page;
	u64 pfn;
	u32 pasid;
	u8 prot;
};

#define MOCK_ATC_SIZE	256

/**
 * struct mock_iommu - An IOMMU
 * @iommu: The IOMMU core's part
 * @index: Its number
 * @users: Open devices
 * @stats: Configuration and counters; what is of a device is unused
 * @tlb: Translations. Entries from @tlb_used on were never used.
 * @tlb_used: See @tlb
 * @tlb_hand: The entry that goes next when all are in use
 * @log: Commands
 */
struct mock_iommu {
	struct iommu_device iommu;
	unsigned int index;
	/**
	 * @lock: Protects the rest, and the caches of the devices behind the
	 * IOMMU. Held while the DMA engine copies a page that a nested page
	 * table translates, so that no access outlives the cache entry that
	 * allowed it. Taken after the lock of a device, and before the lock of
	 * a page table.
	 */
	spinlock_t lock;
	unsigned int users;
	struct vhost_iommu_mock_nest stats;
	struct mock_tlb_entry *tlb;
	unsigned int tlb_used;
	unsigned int tlb_hand;
	struct vhost_iommu_mock_log *log;
};

/**
 * struct mock_access - A transfer within one page
 * @iova: Address of the first byte
 * @pasid: PASID, 0 for none
 * @write: Memory is written
 * @buf: What is written, or where what is read goes
 * @len: How many bytes
 * @fault: The guest is to get an event
 * @event: Arm: the event record, without the stream ID
 */
struct mock_access {
	u64 iova;
	u32 pasid;
	bool write;
	void *buf;
	size_t len;
	bool fault;
	u64 event[4];
};

/**
 * struct mock_device - A device on the mock bus
 * @dev: The device
 * @index: Number among the devices of its kind
 * @emulated: The device has no IOMMU
 * @group: Number of the shared IOMMU group, 0 for a group of its own
 * @iommu: The IOMMU that the device is behind
 * @domain: Page table that translates DMA, NULL if the device is blocked; the
 *	parent, if a nested one does
 * @nested: Nested page table that translates DMA, or NULL
 * @ctl: Points of failure, and the counters that belong to the device
 * @viommu: Where faults are reported, or NULL
 * @virt_id: The ID that is reported
 * @cd: Cached context descriptors, protected by the lock of @iommu, as are
 *	the following members
 * @cd_hand: The one that goes next when all are in use
 * @atc: The device's own cache of translations
 * @atc_hand: The entry that goes next when all are in use
 * @cache: Selftest: what commands invalidate
 */
struct mock_device {
	struct device dev;
	unsigned int index;
	bool emulated;
	int group;
	struct mock_iommu *iommu;
	/**
	 * @lock: Protects @domain, @nested and @ctl. Held while the DMA engine
	 * copies a page, so that no access through a page table outlives its
	 * attachment. Taken before the lock of a page table.
	 */
	spinlock_t lock;
	struct mock_domain *domain;
	struct mock_nested *nested;
	struct vhost_iommu_mock_ctl ctl;
	/**
	 * @event_lock: Protects @viommu and @virt_id. Held while an event is
	 * reported, which can sleep, so that the vIOMMU stays: it goes only
	 * after everything was detached from it. Taken before @lock.
	 */
	struct mutex event_lock;
	struct mock_viommu *viommu;
	u64 virt_id;
	struct mock_cd cd[MOCK_CD_SIZE];
	unsigned int cd_hand;
	struct mock_atc_entry atc[MOCK_ATC_SIZE];
	unsigned int atc_hand;
	u32 cache[VHOST_IOMMU_MOCK_NR_CACHE];
};

extern const struct bus_type mock_bus;
extern struct device_driver mock_driver;
extern struct mock_device *mock_devices[2 * MOCK_MAX_DEVICES];
extern unsigned int nr_mock_devices;
extern unsigned int mock_iova_bits;

static inline struct mock_device *to_mock_device(struct device *dev)
{
	return container_of(dev, struct mock_device, dev);
}

static inline struct mock_domain *to_mock_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static inline struct mock_viommu *to_mock_viommu(struct iommufd_viommu *core)
{
	return container_of(core, struct mock_viommu, core);
}

static inline struct mock_nested *to_mock_nested(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_nested, domain);
}

static inline struct mock_iommu *to_mock_iommu(struct iommu_device *iommu)
{
	return container_of(iommu, struct mock_iommu, iommu);
}

/* mock_iommu.c */
int mock_inject(struct mock_device *mdev, unsigned int point);
int mock_inject_iommu(struct mock_iommu *iommu, unsigned int point, u32 flags);
int mock_attach(struct mock_device *mdev, struct mock_domain *mdom,
		struct mock_nested *nested, struct mock_viommu *viommu,
		u64 virt_id);
u64 mock_domain_new_id(void);
u32 mock_domain_walk(struct mock_domain *mdom, u64 iova, u64 *pfn, int *prot);
u32 mock_domain_access(struct mock_domain *mdom, u64 iova, void *buf,
		       size_t len, bool write);
u32 mock_copy(u64 pfn, u64 iova, void *buf, size_t len, bool write);
int mock_iommu_register(struct device *parent);
void mock_iommu_unregister(void);
int mock_iommu_device_add(struct mock_device *mdev, unsigned int iommu);
u32 mock_iommu_dma(struct mock_device *mdev, struct mock_access *acc);
void mock_iommu_stats(struct mock_device *mdev,
		      struct vhost_iommu_mock_ctl *ctl);

/* mock_nest.c */
int mock_nest_init(struct mock_iommu *iommu);
void mock_nest_exit(struct mock_iommu *iommu);
void mock_nest_open(struct mock_device *mdev);
void mock_nest_close(struct mock_device *mdev);
void mock_nest_report(struct mock_device *mdev, struct mock_access *acc);
void mock_nest_stats(struct mock_device *mdev,
		     struct vhost_iommu_mock_nest *nest);
int mock_nest_write(struct mock_device *mdev, u64 pos, const char __user *buf,
		    size_t count);
struct vhost_iommu_mock_log *mock_nest_log(struct mock_device *mdev);
void mock_nest_clear_log(struct mock_device *mdev);
bool mock_nest_possible(struct mock_iommu *iommu);
bool mock_nest_has_ats(struct mock_iommu *iommu);
u32 mock_nest_hwpt_flags(struct mock_iommu *iommu);
void *mock_nest_hw_info(struct device *dev, u32 *length,
			enum iommu_hw_info_type *type);
size_t mock_nest_viommu_size(struct device *dev, enum iommu_viommu_type type);
int mock_nest_viommu_init(struct iommufd_viommu *core,
			  struct iommu_domain *parent,
			  const struct iommu_user_data *user_data);

/* mock_cmd.c */
int mock_cmd_arm(struct iommufd_viommu *core,
		 struct iommu_user_data_array *array);
int mock_cmd_selftest(struct iommufd_viommu *core,
		      struct iommu_user_data_array *array);

/* mock_walk.c */

/**
 * struct mock_tlb_inv - What to invalidate
 * @vmid: Of this parent
 * @by_asid: Only what is of the address space @asid
 * @asid: See @by_asid
 * @by_page: Only the pages @first to @last
 * @first: See @by_page
 * @last: See @by_page
 * @leaf: No tables
 * @level: Only pages that an entry of this level maps, 0 for any
 */
struct mock_tlb_inv {
	u64 vmid;
	bool by_asid;
	u16 asid;
	bool by_page;
	u64 first;
	u64 last;
	bool leaf;
	u8 level;
};

void mock_tlb_invalidate(struct mock_iommu *iommu,
			 const struct mock_tlb_inv *inv);
void mock_cd_invalidate(struct mock_device *mdev, bool all, u32 ssid);
void mock_atc_invalidate(struct mock_device *mdev, bool all_pasids, u32 pasid,
			 u64 first, u64 last);
void mock_walk_flush_parent(struct mock_iommu *iommu, u64 vmid);
void mock_walk_flush_device(struct mock_device *mdev);
void mock_walk_stats(struct mock_device *mdev,
		     struct vhost_iommu_mock_nest *nest);
u32 mock_walk_access(struct mock_device *mdev, struct mock_access *acc);

#endif /* VHOST_IOMMU_MOCK_H */
