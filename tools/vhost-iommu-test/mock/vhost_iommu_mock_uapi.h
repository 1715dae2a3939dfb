/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Regions of a vhost_iommu_mock VFIO device.
 *
 * The device is found as a child of /sys/bus/vhost_iommu_mock/devices/<name>,
 * in vfio-dev/, where <name> is "dma<n>" for a device behind the mock IOMMU and
 * "emulated<n>" for one that has no IOMMU. Its regions are accessed with
 * pread() and pwrite() on the VFIO device file; VFIO_DEVICE_GET_REGION_INFO
 * gives their offsets.
 */
#ifndef VHOST_IOMMU_MOCK_UAPI_H
#define VHOST_IOMMU_MOCK_UAPI_H

#include <linux/types.h>

#define VHOST_IOMMU_MOCK_REGION_DMA	0
#define VHOST_IOMMU_MOCK_REGION_CTL	1
/* The last two are there only if the device is behind an IOMMU. */
#define VHOST_IOMMU_MOCK_REGION_NEST	2
#define VHOST_IOMMU_MOCK_REGION_LOG	3
#define VHOST_IOMMU_MOCK_NR_REGIONS	4

/* The IOVA window that every device reports as a hardware MSI region. */
#define VHOST_IOMMU_MOCK_MSI_BASE	0x8000000
#define VHOST_IOMMU_MOCK_MSI_SIZE	0x100000

/* Region 0: registers at offset 0, the data window behind them. */
#define VHOST_IOMMU_MOCK_WINDOW		0x1000
#define VHOST_IOMMU_MOCK_WINDOW_SIZE	0x10000

/* The device reads memory at the IOVA into its window. */
#define VHOST_IOMMU_MOCK_CMD_READ	1
/* The device writes its window to memory at the IOVA. */
#define VHOST_IOMMU_MOCK_CMD_WRITE	2

#define VHOST_IOMMU_MOCK_DMA_OK		0
/* The device is blocked: it is not attached to a page table. */
#define VHOST_IOMMU_MOCK_DMA_BLOCKED	1
/* The page table has no entry for the address. */
#define VHOST_IOMMU_MOCK_DMA_UNMAPPED	2
/* The entry does not allow this access. */
#define VHOST_IOMMU_MOCK_DMA_DENIED	3
/* The command is unknown, or the length is zero or exceeds the window. */
#define VHOST_IOMMU_MOCK_DMA_BAD_CMD	4
/* The entry points at something that is not memory. */
#define VHOST_IOMMU_MOCK_DMA_BUS_ERROR	5
/* The guest's stream table entry or context descriptor is not valid. */
#define VHOST_IOMMU_MOCK_DMA_BAD_CONFIG	6
/*
 * The access stalls. Nobody resumes it: a real device would wait for ever, and
 * the host's driver would warn.
 */
#define VHOST_IOMMU_MOCK_DMA_STALLED	7

/**
 * struct vhost_iommu_mock_dma - Registers of the DMA engine
 * @iova: Address of the first byte
 * @len: Bytes to transfer, at most VHOST_IOMMU_MOCK_WINDOW_SIZE
 * @cmd: Command; a write that includes this field runs it, and returns when the
 *	transfer has ended
 * @status: Result of the last command, VHOST_IOMMU_MOCK_DMA_*; read only
 * @done: Bytes that were transferred before the transfer ended; read only
 * @fault_iova: Where the transfer faulted, if it did; read only
 * @pasid: PASID of the transfers, 0 for none
 * @__reserved: Ignored
 *
 * A transfer is done page by page and stops at the first page that faults.
 */
struct vhost_iommu_mock_dma {
	__aligned_u64 iova;
	__u32 len;
	__u32 cmd;
	__u32 status;
	__u32 done;
	__aligned_u64 fault_iova;
	__u32 pasid;
	__u32 __reserved;
};

/* The VFIO attach operation, before it reaches iommufd. */
#define VHOST_IOMMU_MOCK_INJECT_ATTACH	0
/* The IOMMU driver's attach to a page table (never to the blocked domain). */
#define VHOST_IOMMU_MOCK_INJECT_DOMAIN	1
/*
 * The IOMMU driver's map operation, of the page tables that were allocated for
 * this device.
 */
#define VHOST_IOMMU_MOCK_INJECT_MAP	2
/* The allocation of a page table for this device. */
#define VHOST_IOMMU_MOCK_INJECT_ALLOC	3
/*
 * An array of invalidation commands. Without VHOST_IOMMU_MOCK_INJECT_F_COMMAND
 * a call is one sync, and when it fails the commands that it would have ended
 * were not executed; with the flag a call is one command, which is refused.
 * Commands of the selftest's format are always counted one by one.
 *
 * This point and the next two are looked for on all devices behind the same
 * IOMMU.
 */
#define VHOST_IOMMU_MOCK_INJECT_INVALIDATE	4
/* The allocation of a nested page table. */
#define VHOST_IOMMU_MOCK_INJECT_NESTED	5
/* The allocation of a vIOMMU. */
#define VHOST_IOMMU_MOCK_INJECT_VIOMMU	6
#define VHOST_IOMMU_MOCK_NR_INJECT	7

/*
 * For VHOST_IOMMU_MOCK_INJECT_DOMAIN: the device is blocked when the attach
 * fails, as hardware does that tears down the old translation first. The
 * kernel still believes in the old one.
 */
#define VHOST_IOMMU_MOCK_INJECT_F_BLOCK	0x1
/* For VHOST_IOMMU_MOCK_INJECT_INVALIDATE: see there */
#define VHOST_IOMMU_MOCK_INJECT_F_COMMAND	0x2

/**
 * struct vhost_iommu_mock_inject - One point of failure
 * @skip: Calls that still succeed before the first failure
 * @count: Calls that fail after those
 * @error: Positive errno that they fail with
 * @flags: VHOST_IOMMU_MOCK_INJECT_F_*
 *
 * @skip and @count go down as calls are made. When devices share a group, a
 * failed attach makes the kernel attach the other devices to the old page table
 * again, and the kernel warns if that fails: do not arm
 * VHOST_IOMMU_MOCK_INJECT_DOMAIN with @skip on two devices of one group.
 */
struct vhost_iommu_mock_inject {
	__u32 skip;
	__u32 count;
	__u32 error;
	__u32 flags;
};

/**
 * struct vhost_iommu_mock_ctl - Region 1
 * @inject: Points of failure, by VHOST_IOMMU_MOCK_INJECT_*; writable, the rest
 *	is not
 * @attach: VFIO attach operations of this device, failed ones included
 * @detach: VFIO detach operations of this device
 * @attach_domain: Times the IOMMU attached this device to a page table
 * @attach_blocked: Times the IOMMU blocked this device
 * @injected: Failures that were injected through this device
 * @dma_ok: Transfers that succeeded
 * @dma_fault: Transfers that did not
 * @domain_id: Serial number of the page table that translates this device's
 *	DMA now, 0 if it is blocked; if a page table is nested on it, see struct
 *	vhost_iommu_mock_nest. Numbers are never used again
 * @domain_map: Map operations on that page table
 * @domain_unmap: Unmap operations on that page table
 * @domain_flush: TLB flushes of that page table
 * @domain_bytes: Bytes that it maps
 * @domain_tables: Bytes of leaf tables, of 4 KiB for each 2 MiB of IOVA space
 *	that ever had an entry smaller than 2 MiB; they are freed only with the
 *	page table, as the kernel's page tables do it
 * @total_domains: Page tables that exist, of all devices
 * @total_map: Map operations, of all devices
 * @total_unmap: Unmap operations, of all devices
 * @total_flush: TLB flushes, of all devices
 * @total_tables: Bytes of leaf tables, of all devices
 */
struct vhost_iommu_mock_ctl {
	struct vhost_iommu_mock_inject inject[VHOST_IOMMU_MOCK_NR_INJECT];
	__aligned_u64 attach;
	__aligned_u64 detach;
	__aligned_u64 attach_domain;
	__aligned_u64 attach_blocked;
	__aligned_u64 injected;
	__aligned_u64 dma_ok;
	__aligned_u64 dma_fault;
	__aligned_u64 domain_id;
	__aligned_u64 domain_map;
	__aligned_u64 domain_unmap;
	__aligned_u64 domain_flush;
	__aligned_u64 domain_bytes;
	__aligned_u64 domain_tables;
	__aligned_u64 total_domains;
	__aligned_u64 total_map;
	__aligned_u64 total_unmap;
	__aligned_u64 total_flush;
	__aligned_u64 total_tables;
};

/* What struct vhost_iommu_mock_config has at first, apart from zeros. */
#define VHOST_IOMMU_MOCK_IDR0		0x0d44101b
#define VHOST_IOMMU_MOCK_IDR1		0x02730010
#define VHOST_IOMMU_MOCK_IDR3		0x00001414
#define VHOST_IOMMU_MOCK_IDR5		0x00000014

/* IDR0: 16-bit ASIDs, ATS */
#define VHOST_IOMMU_MOCK_IDR0_ASID16	0x1000
#define VHOST_IOMMU_MOCK_IDR0_ATS	0x400
/* IDR0: 0, context descriptors say whether accesses stall; 1, none does */
#define VHOST_IOMMU_MOCK_IDR0_STALL_MODEL	0x3000000
/* IDR1: bits of a SubstreamID, in bits 10:6 */
#define VHOST_IOMMU_MOCK_IDR1_SSIDSIZE(n)	((n) << 6)
/* IDR3: range invalidation */
#define VHOST_IOMMU_MOCK_IDR3_RIL	0x400

/**
 * struct vhost_iommu_mock_config - What a mock IOMMU is
 * @type: What IOMMU_GET_HW_INFO says: IOMMU_HW_INFO_TYPE_ARM_SMMUV3 (at first),
 *	or IOMMU_HW_INFO_TYPE_SELFTEST of the kernel's iommufd_test.h
 * @flags: Arm: as in struct iommu_hw_info_arm_smmuv3
 * @idr: Arm: ID registers; with the granule 4 KiB whatever they say
 * @iidr: Arm: as in struct iommu_hw_info_arm_smmuv3
 * @aidr: Arm: as in struct iommu_hw_info_arm_smmuv3
 * @no_nesting: 1: vIOMMUs and nesting parents can't be allocated
 * @no_hwpt_flags: Of IOMMU_HWPT_ALLOC_DIRTY_TRACKING and IOMMU_HWPT_ALLOC_PASID,
 *	those that page tables can't be allocated with
 *
 * Shared by all devices behind one IOMMU. Can be written while there is no
 * vIOMMU, EBUSY otherwise. Has its first value again when the last of the
 * devices was closed.
 */
struct vhost_iommu_mock_config {
	__u32 type;
	__u32 flags;
	__u32 idr[6];
	__u32 iidr;
	__u32 aidr;
	__u32 no_nesting;
	__u32 no_hwpt_flags;
};

/* Replace the event's stream ID by the device's virtual one. */
#define VHOST_IOMMU_MOCK_EVENT_F_SID	0x1

/**
 * struct vhost_iommu_mock_event - Raise events
 * @count: How often
 * @flags: VHOST_IOMMU_MOCK_EVENT_F_*
 * @data: The event record; of the selftest's format, the virtual ID in bits
 *	31:0
 *
 * A write fails with ENOENT if the device is not attached to a nested page
 * table, or with what the kernel's event queue says. An event that the queue
 * has no room for is no failure.
 */
struct vhost_iommu_mock_event {
	__u32 count;
	__u32 flags;
	__aligned_u64 data[4];
};

/* Nothing is nested, the device is blocked or attached to a page table. */
#define VHOST_IOMMU_MOCK_NEST_NONE	0
/* Arm: a stream table entry that is not valid, or aborts */
#define VHOST_IOMMU_MOCK_NEST_ABORT	1
/* Arm: only the parent translates */
#define VHOST_IOMMU_MOCK_NEST_BYPASS	2
/* Arm: the guest's tables translate, and then the parent */
#define VHOST_IOMMU_MOCK_NEST_STAGE1	3
/* The selftest's format; the parent translates */
#define VHOST_IOMMU_MOCK_NEST_SELFTEST	4

#define VHOST_IOMMU_MOCK_NR_CACHE	4
/* What the entries have when the device is opened */
#define VHOST_IOMMU_MOCK_CACHE_DEFAULT	0xbaddad

/**
 * struct vhost_iommu_mock_nest - Region 2
 * @config: See there; writable as a whole
 * @cache: What selftest commands invalidate, which is to set it to 0; writable
 *	as a whole
 * @event: Writable as a whole, reads as 0
 * @iommu: Number of the IOMMU that the device is behind; this and the rest is
 *	read only
 * @state: What is attached, VHOST_IOMMU_MOCK_NEST_*
 * @nested_id: Serial number of the nested page table
 * @vmid: Serial number of its parent
 * @ste: Arm: the stream table entry that it was made of
 * @iotlb: Selftest: the value that it was made of
 * @ats: Device translations are cached in the device
 * @virt_id: Virtual ID that events get, if @has_virt_id
 * @has_virt_id: The attached page table's vIOMMU has a vDEVICE of the device
 * @cd_entries: Context descriptors cached for this device
 * @atc_entries: Translations in the device's cache
 * @tlb_entries: Translations in the IOMMU's cache; this and the rest is of the
 *	IOMMU, not of the device
 * @walk_entries: Pointers to tables of the last level in the IOMMU's cache
 * @evictions: Times that a cache was full and lost an entry
 * @viommus: vIOMMUs that exist
 * @nested: Nested page tables that exist
 * @inv_calls: Arrays of invalidation commands, failed ones included
 * @inv_commands: Commands that were executed
 * @inv_syncs: Syncs after those, one for at most 63 commands
 * @inv_errors: Arrays that failed
 * @events: Events that were given to an event queue
 * @events_unheard: Events that no event queue took, as there was none
 * @stage2_faults: Faults that the guest has no part in, of which it gets no
 *	event
 *
 * The caches know no time and evict nothing by themselves: what was not
 * invalidated stays.
 */
struct vhost_iommu_mock_nest {
	struct vhost_iommu_mock_config config;
	__u32 cache[VHOST_IOMMU_MOCK_NR_CACHE];
	struct vhost_iommu_mock_event event;
	__u32 iommu;
	__u32 state;
	__aligned_u64 nested_id;
	__aligned_u64 vmid;
	__aligned_u64 ste[2];
	__u32 iotlb;
	__u32 ats;
	__aligned_u64 virt_id;
	__u32 has_virt_id;
	__u32 cd_entries;
	__u32 atc_entries;
	__u32 tlb_entries;
	__u32 walk_entries;
	__u32 evictions;
	__u32 viommus;
	__u32 nested;
	__aligned_u64 inv_calls;
	__aligned_u64 inv_commands;
	__aligned_u64 inv_syncs;
	__aligned_u64 inv_errors;
	__aligned_u64 events;
	__aligned_u64 events_unheard;
	__aligned_u64 stage2_faults;
};

#define VHOST_IOMMU_MOCK_LOG_SIZE	512

/**
 * struct vhost_iommu_mock_log_entry - One command that was executed
 * @vmid: Serial number of the parent of the vIOMMU that it was given to
 * @call: Number of the array that it was in, by @inv_calls of struct
 *	vhost_iommu_mock_nest
 * @sync: Number of the sync that ended it, by @inv_syncs
 * @device: Number of the device that a CFGI or ATC command was for, as in its
 *	name; ~0 for other commands
 * @__reserved: 0
 * @cmd: Arm: the command as it was given. Selftest: flags in bits 31:0 and
 *	virtual ID in bits 63:32 of the first word, the cache's number in the
 *	second
 */
struct vhost_iommu_mock_log_entry {
	__aligned_u64 vmid;
	__aligned_u64 call;
	__aligned_u64 sync;
	__u32 device;
	__u32 __reserved;
	__aligned_u64 cmd[2];
};

/**
 * struct vhost_iommu_mock_log - Region 3: the commands that an IOMMU executed
 * @count: Commands since the log was cleared, also those that the log no longer
 *	has. A write of 0 clears the log; nothing else can be written.
 * @entry: The last of them; number i is at i % VHOST_IOMMU_MOCK_LOG_SIZE
 *
 * Shared by all devices behind one IOMMU. Is cleared when the last of the
 * devices was closed, too.
 */
struct vhost_iommu_mock_log {
	__aligned_u64 count;
	struct vhost_iommu_mock_log_entry entry[VHOST_IOMMU_MOCK_LOG_SIZE];
};

#endif /* VHOST_IOMMU_MOCK_UAPI_H */
