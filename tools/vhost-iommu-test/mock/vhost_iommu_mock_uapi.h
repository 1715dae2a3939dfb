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
#define VHOST_IOMMU_MOCK_NR_REGIONS	2

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

/**
 * struct vhost_iommu_mock_dma - Registers of the DMA engine
 * @iova: Address of the first byte
 * @len: Bytes to transfer, at most VHOST_IOMMU_MOCK_WINDOW_SIZE
 * @cmd: Command; a write that includes this field runs it, and returns when the
 *	transfer has ended
 * @status: Result of the last command, VHOST_IOMMU_MOCK_DMA_*; read only
 * @done: Bytes that were transferred before the transfer ended; read only
 * @fault_iova: Where the transfer faulted, if it did; read only
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
#define VHOST_IOMMU_MOCK_NR_INJECT	4

/*
 * For VHOST_IOMMU_MOCK_INJECT_DOMAIN: the device is blocked when the attach
 * fails, as hardware does that tears down the old translation first. The
 * kernel still believes in the old one.
 */
#define VHOST_IOMMU_MOCK_INJECT_F_BLOCK	0x1

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
 *	DMA now, 0 if it is blocked. Numbers are never used again
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

#endif /* VHOST_IOMMU_MOCK_UAPI_H */
