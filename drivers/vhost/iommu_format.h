/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-iommu: formats of guest tables
 *
 * A format turns what is in ATTACH_TABLE and INVALIDATE requests into what the
 * physical IOMMU's driver takes through iommufd, and its events into faults.
 * Pure functions: no locks, no user pointers, no allocation.
 */
#ifndef _VHOST_IOMMU_FORMAT_H
#define _VHOST_IOMMU_FORMAT_H

#include <linux/types.h>
#include <asm/byteorder.h>

#include "iommu_req.h"

/**
 * struct vhost_iommu_hw - What a format has to know of a physical IOMMU
 * @type: IOMMU_HW_INFO_TYPE_*, 0 as long as it is not known
 * @flags: By type
 * @idr: ID registers, by type
 */
struct vhost_iommu_hw {
	u32 type;
	u32 flags;
	u32 idr[6];
};

/**
 * struct vhost_iommu_table - Tables of the guest, as an HWPT is made of them
 * @data: Argument of IOMMU_HWPT_ALLOC, in the byte order of the IOMMU
 * @ats: Translations may be cached in the endpoint. Is not in @data: endpoints
 *       of one domain may differ in it.
 */
struct vhost_iommu_table {
	__le64 data[2];
	bool ats;
};

/**
 * struct vhost_iommu_cmd - A command, in the byte order of the IOMMU
 * @data: Element of the array of IOMMU_HWPT_INVALIDATE; shorter ones are padded
 */
struct vhost_iommu_cmd {
	__le64 data[2];
};

/* The SMMU driver of Linux waits for the hardware once for this many commands */
#define VHOST_IOMMU_SYNC_CMDS		63

/* Commands that are handed over at a time */
#define VHOST_IOMMU_CALL_CMDS		(4 * VHOST_IOMMU_SYNC_CMDS)

/* Most commands that a format makes of one invalidation */
#define VHOST_IOMMU_INV_CMDS		64

/**
 * struct vhost_iommu_cmds - Commands to hand over
 * @nr: Number of them
 * @cmd: The commands; there is always room for those of one more invalidation
 *       when @nr is below VHOST_IOMMU_CALL_CMDS
 */
struct vhost_iommu_cmds {
	unsigned int nr;
	struct vhost_iommu_cmd cmd[VHOST_IOMMU_CALL_CMDS +
				   VHOST_IOMMU_INV_CMDS];
};

/**
 * enum vhost_iommu_inv_scope - What an invalidation of TLBs is about
 * @VHOST_IOMMU_INV_ALL: All entries of the guest
 * @VHOST_IOMMU_INV_ID: All entries of one address space
 * @VHOST_IOMMU_INV_RANGE: A range in one address space
 * @VHOST_IOMMU_INV_RANGE_ANY: A range in all address spaces, global entries
 *                             included
 */
enum vhost_iommu_inv_scope {
	VHOST_IOMMU_INV_ALL,
	VHOST_IOMMU_INV_ID,
	VHOST_IOMMU_INV_RANGE,
	VHOST_IOMMU_INV_RANGE_ANY,
};

/**
 * struct vhost_iommu_inv - An invalidation of TLBs
 * @scope: Says which of the following members are meant; others are 0
 * @leaf: No table was freed
 * @page_size: Logarithm of the size of the pages in the range
 * @id: Address space
 * @start: First address, a multiple of the page size
 * @last: Last address
 */
struct vhost_iommu_inv {
	enum vhost_iommu_inv_scope scope;
	bool leaf;
	u8 page_size;
	u32 id;
	u64 start;
	u64 last;
};

unsigned int vhost_iommu_inv_merge(struct vhost_iommu_inv *inv,
				   unsigned int nr);

/**
 * struct vhost_iommu_event - An event of the IOMMU
 * @virt_id: The endpoint's vDEVICE
 * @reason: VIRTIO_IOMMU_FAULT_R_*
 * @flags: Mask of VIRTIO_IOMMU_FAULT_F_*
 * @pasid: If @flags says so
 * @address: If @flags says so
 */
struct vhost_iommu_event {
	u64 virt_id;
	u8 reason;
	u32 flags;
	u32 pasid;
	u64 address;
};

/* The longest event record of a format */
#define VHOST_IOMMU_EVENT_MAX_LEN	32

/**
 * struct vhost_iommu_format - A format of guest tables
 * @id: VIRTIO_IOMMU_FORMAT_*
 * @viommu_type: IOMMU_VIOMMU_TYPE_*, or 0 if the iommufd has no vIOMMU for it
 * @hw_type: IOMMU_HW_INFO_TYPE_*
 * @data_type: IOMMU_HWPT_DATA_*
 * @data_len: Bytes of &vhost_iommu_table.data that are used
 * @inv_type: IOMMU_VIOMMU_INVALIDATE_DATA_*
 * @event_len: Bytes of an event record
 * @blocked: A table that reaches nothing
 * @flush: The command that removes all stage-1 translations of a nesting
 *         parent, NULL if there are none
 * @host_table: Put &vhost_iommu_table.ats into the data, and what the host decides
 * @repeat: Commands have to be given twice (an erratum)
 * @table: Check the descriptor of an ATTACH_TABLE request. Returns a status.
 * @check: Check an INVALIDATE request. Returns a status.
 * @context: Commands for an endpoint's context descriptors
 * @tlb: Say what an INVALIDATE request means for TLBs
 * @tlb_commands: Commands for that
 * @device: Commands for the cache of an endpoint, which is off unless ats is
 *          set; the device has PASIDs of pasid_bits bits, or none
 * @event: Decode an event record
 *
 * Functions that are NULL have nothing to do; @table, @check and, with @tlb,
 * @tlb_commands are always there. @context, @tlb_commands and
 * @device append at most VHOST_IOMMU_INV_CMDS commands.
 */
struct vhost_iommu_format {
	u8 id;
	u32 viommu_type;
	u32 hw_type;
	u32 data_type;
	u32 data_len;
	u32 inv_type;
	u32 event_len;
	struct vhost_iommu_table blocked;
	const struct vhost_iommu_cmd *flush;
	void (*host_table)(const struct vhost_iommu_hw *hw,
			   struct vhost_iommu_table *table);
	bool (*repeat)(const struct vhost_iommu_hw *hw);
	u8 (*table)(const struct vhost_iommu_hw *hw, const u8 *descriptor,
		    struct vhost_iommu_table *table);
	u8 (*check)(const struct vhost_iommu_hw *hw,
		    const struct vhost_iommu_req *req);
	void (*context)(const struct vhost_iommu_req *req, u64 virt_id,
			struct vhost_iommu_cmds *cmds);
	void (*tlb)(const struct vhost_iommu_req *req,
		    struct vhost_iommu_inv *inv);
	void (*tlb_commands)(const struct vhost_iommu_hw *hw,
			     const struct vhost_iommu_inv *inv,
			     struct vhost_iommu_cmds *cmds);
	void (*device)(const struct vhost_iommu_req *req, u64 virt_id, bool ats,
		       u8 pasid_bits, struct vhost_iommu_cmds *cmds);
	void (*event)(const void *record, struct vhost_iommu_event *event);
};

extern const struct vhost_iommu_format vhost_iommu_format_arm;
extern const struct vhost_iommu_format vhost_iommu_format_selftest;

const struct vhost_iommu_format *vhost_iommu_format_find(u32 id);
u64 vhost_iommu_format_mask(void);

/**
 * vhost_iommu_cmd_add - Append a command
 * @cmds: Has room
 * @lo: First double word
 * @hi: Second double word
 */
static inline void vhost_iommu_cmd_add(struct vhost_iommu_cmds *cmds, u64 lo,
				       u64 hi)
{
	struct vhost_iommu_cmd *cmd = &cmds->cmd[cmds->nr++];

	cmd->data[0] = cpu_to_le64(lo);
	cmd->data[1] = cpu_to_le64(hi);
}

#endif /* _VHOST_IOMMU_FORMAT_H */
