/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-iommu: page tables of the guest
 *
 * A proposed extension of VIRTIO 1.3, section 5.13, by which the driver hands
 * its own page tables to the device instead of mapping and unmapping. What is
 * here adds to <linux/virtio_iommu.h>, for device and driver. All fields are
 * little-endian.
 */
#ifndef _UAPI_LINUX_VIRTIO_IOMMU_TABLE_H
#define _UAPI_LINUX_VIRTIO_IOMMU_TABLE_H

#include <linux/types.h>
#include <linux/virtio_iommu.h>

/* Feature bit: ATTACH_TABLE and INVALIDATE requests are served */
#define VIRTIO_IOMMU_F_ATTACH_TABLE		7
/* Feature bit: there can be several request queues */
#define VIRTIO_IOMMU_F_MQ			8

/*
 * With VIRTIO_IOMMU_F_MQ the configuration space goes on with a __le16: the number of
 * request queues, at least 1. They are virtqueue 0, and 2 and those that follow; 1 is
 * the event queue. Requests of one queue are carried out in order, those of different
 * queues in no order: a driver waits for what a request depends on before it sends that
 * on another queue.
 */
#define VIRTIO_IOMMU_CONFIG_NUM_QUEUES		40

/* Request types */
#define VIRTIO_IOMMU_T_ATTACH_TABLE		0x06
#define VIRTIO_IOMMU_T_INVALIDATE		0x07

/* Formats of tables */
#define VIRTIO_IOMMU_FORMAT_ARM_SMMUV3		1
#define VIRTIO_IOMMU_FORMAT_INTEL_VTD		2
#define VIRTIO_IOMMU_FORMAT_RISCV		4
#define VIRTIO_IOMMU_FORMAT_AMD_GCR3		5
#define VIRTIO_IOMMU_FORMAT_AMD			6

/**
 * struct virtio_iommu_req_attach_table - ATTACH_TABLE request, any format
 * @head: Type VIRTIO_IOMMU_T_ATTACH_TABLE
 * @domain: Domain ID
 * @endpoint: Endpoint ID
 * @format: VIRTIO_IOMMU_FORMAT_*
 * @descriptor: The table, by format
 * @tail: Written by the device
 *
 * Attaches the endpoint to a domain whose mappings are in tables of the driver.
 * Like ATTACH otherwise: an endpoint that is in another domain leaves it.
 *
 * When the last endpoint leaves a domain, by whatever request, the device removes
 * the entries of the domain's address space IDs (Arm: the ASIDs of its context
 * descriptors) from the TLB before it replies. The driver uses these IDs again,
 * and can't ask for it: the domain is unknown by then.
 */
struct virtio_iommu_req_attach_table {
	struct virtio_iommu_req_head		head;
	__le32					domain;
	__le32					endpoint;
	__u8					format;
	__u8					descriptor[111];
	struct virtio_iommu_req_tail		tail;
};

/**
 * struct virtio_iommu_req_attach_table_arm - ATTACH_TABLE, Arm SMMUv3
 * @head: Type VIRTIO_IOMMU_T_ATTACH_TABLE
 * @domain: Domain ID
 * @endpoint: Endpoint ID
 * @format: VIRTIO_IOMMU_FORMAT_ARM_SMMUV3
 * @reserved: Must be 0
 * @ste: The first two double words of a stream table entry (Arm IHI 0070,
 *       section 5.2). Fields that can be set: V, Config (abort, bypass or stage
 *       1), S1Fmt, S1ContextPtr (the guest-physical address of the context
 *       descriptors) and S1CDMax; S1DSS, S1CIR, S1COR, S1CSH, S1STALLD and EATS
 *       (0 or 1).
 * @reserved2: Must be 0
 * @tail: Written by the device
 */
struct virtio_iommu_req_attach_table_arm {
	struct virtio_iommu_req_head		head;
	__le32					domain;
	__le32					endpoint;
	__u8					format;
	__u8					reserved[3];
	__le64					ste[2];
	__u8					reserved2[92];
	struct virtio_iommu_req_tail		tail;
};

/* What an INVALIDATE request is about */
#define VIRTIO_IOMMU_INV_S_DOMAIN		1
#define VIRTIO_IOMMU_INV_S_PASID		2
#define VIRTIO_IOMMU_INV_S_ADDRESS		3

/* Caches, a mask */
#define VIRTIO_IOMMU_INV_C_PASID		(1 << 0)
#define VIRTIO_IOMMU_INV_C_TLB			(1 << 1)

/* Only entries of the last level changed, no table was freed */
#define VIRTIO_IOMMU_INV_F_LEAF			(1 << 0)
/* The field pasid is valid */
#define VIRTIO_IOMMU_INV_F_PASID		(1 << 1)
/* The field id is valid */
#define VIRTIO_IOMMU_INV_F_ID			(1 << 2)
/* Global entries, too */
#define VIRTIO_IOMMU_INV_F_GLOBAL		(1 << 3)

/**
 * struct virtio_iommu_req_invalidate - INVALIDATE request
 * @head: Type VIRTIO_IOMMU_T_INVALIDATE
 * @scope: VIRTIO_IOMMU_INV_S_*
 * @caches: Mask of VIRTIO_IOMMU_INV_C_*. Context descriptors are what the PASID
 *          table is on Arm.
 * @flags: Mask of VIRTIO_IOMMU_INV_F_*
 * @domain: Domain ID
 * @pasid: PASID, 0 unless VIRTIO_IOMMU_INV_F_PASID is set
 * @id: By format. Arm: the ASID, in bits 15:0
 * @address: Scope address: first I/O virtual address
 * @nr_pages: Scope address: size of the range in pages
 * @page_size: Scope address: size of a page, as the logarithm to base 2
 * @reserved: Must be 0
 * @tail: Written by the device
 *
 * The device replies when the IOMMU no longer uses what is invalidated. The
 * translation caches of the endpoints themselves (ATS) are included.
 *
 * That goes for the status VIRTIO_IOMMU_S_NOENT as well, which says that nothing of
 * the domain is in use. With several request queues, a request of another one can
 * make the domain known or unknown at the same time: it is known before an endpoint
 * uses its tables, and until none does and its entries are removed from the caches.
 */
struct virtio_iommu_req_invalidate {
	struct virtio_iommu_req_head		head;
	__u8					scope;
	__u8					caches;
	__le16					flags;
	__le32					domain;
	__le32					pasid;
	__le64					id;
	__le64					address;
	__le64					nr_pages;
	__u8					page_size;
	__u8					reserved[19];
	struct virtio_iommu_req_tail		tail;
};

/* PROBE property: what the guest may rely on of an Arm SMMUv3 */
#define VIRTIO_IOMMU_PROBE_T_ARM_SMMUV3		2

/**
 * struct virtio_iommu_probe_arm_smmuv3 - ID registers of an SMMUv3
 * @head: Type VIRTIO_IOMMU_PROBE_T_ARM_SMMUV3, length 52
 * @reserved: Is 0
 * @idr: SMMU_IDR0 to SMMU_IDR5 (Arm IHI 0070, section 6.3) in bits 31:0, less
 *       what the host does not pass on. Registers 2 and 4 are 0.
 */
struct virtio_iommu_probe_arm_smmuv3 {
	struct virtio_iommu_probe_property	head;
	__u8					reserved[4];
	__le64					idr[6];
};

/* Fault: the field pasid is valid */
#define VIRTIO_IOMMU_FAULT_F_PASID		(1 << 9)

/**
 * struct virtio_iommu_fault_pasid - An event, as struct virtio_iommu_fault
 * @reason: VIRTIO_IOMMU_FAULT_R_*
 * @reserved: Is 0
 * @flags: Mask of VIRTIO_IOMMU_FAULT_F_*
 * @endpoint: Endpoint ID
 * @pasid: PASID, if VIRTIO_IOMMU_FAULT_F_PASID is set
 * @address: I/O virtual address, if VIRTIO_IOMMU_FAULT_F_ADDRESS is set
 */
struct virtio_iommu_fault_pasid {
	__u8					reason;
	__u8					reserved[3];
	__le32					flags;
	__le32					endpoint;
	__le32					pasid;
	__le64					address;
};

#endif /* _UAPI_LINUX_VIRTIO_IOMMU_TABLE_H */
