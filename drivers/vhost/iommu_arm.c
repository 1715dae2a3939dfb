// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: tables of Arm SMMUv3
 *
 * Arm IHI 0070, System Memory Management Unit architecture version 3: sections
 * 4 (commands), 5.2 (stream table entry), 6.3 (ID registers), 7.3 (events).
 * What is made here has to pass the checks of Linux' driver: it refuses
 * commands with a reserved bit, or with a field that the SMMU does not have.
 */
#include <kunit/visibility.h>
#include <linux/bitfield.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <uapi/linux/iommufd.h>

#include "iommu_format.h"

/* IOMMU_HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI, new in Linux 7.3 */
#define ARM_HW_REPEAT_TLBI_CFGI		BIT(0)

#define ARM_IDR0_ATS			BIT(10)
#define ARM_IDR0_ASID16			BIT(12)
#define ARM_IDR0_CD2L			BIT(19)
#define ARM_IDR0_STALL_MODEL		GENMASK(25, 24)
#define ARM_STALL_MODEL_BOTH		0
#define ARM_IDR1_SSIDSIZE		GENMASK(10, 6)
#define ARM_IDR3_RIL			BIT(10)
#define ARM_IDR5_GRAN4K			BIT(4)
#define ARM_IDR5_GRAN16K		BIT(5)
#define ARM_IDR5_GRAN64K		BIT(6)

#define ARM_STE_0_V			BIT_ULL(0)
#define ARM_STE_0_CONFIG		GENMASK_ULL(3, 1)
#define ARM_STE_0_S1FMT			GENMASK_ULL(5, 4)
#define ARM_STE_0_S1CONTEXTPTR		GENMASK_ULL(51, 6)
#define ARM_STE_0_S1CDMAX		GENMASK_ULL(63, 59)
#define ARM_STE_0_ALLOWED		(ARM_STE_0_V | ARM_STE_0_CONFIG | \
					 ARM_STE_0_S1FMT | \
					 ARM_STE_0_S1CONTEXTPTR | \
					 ARM_STE_0_S1CDMAX)
#define ARM_STE_CONFIG_ABORT		0
#define ARM_STE_CONFIG_BYPASS		4
#define ARM_STE_CONFIG_S1		5
#define ARM_STE_S1FMT_LINEAR		0
#define ARM_STE_S1FMT_RESERVED		3

#define ARM_STE_1_S1DSS			GENMASK_ULL(1, 0)
#define ARM_STE_1_S1CIR			GENMASK_ULL(3, 2)
#define ARM_STE_1_S1COR			GENMASK_ULL(5, 4)
#define ARM_STE_1_S1CSH			GENMASK_ULL(7, 6)
#define ARM_STE_1_S1STALLD		BIT_ULL(27)
#define ARM_STE_1_EATS			GENMASK_ULL(29, 28)
#define ARM_STE_1_ALLOWED		(ARM_STE_1_S1DSS | ARM_STE_1_S1CIR | \
					 ARM_STE_1_S1COR | ARM_STE_1_S1CSH | \
					 ARM_STE_1_S1STALLD | ARM_STE_1_EATS)
#define ARM_STE_S1DSS_RESERVED		3
#define ARM_STE_S1CSH_RESERVED		1
#define ARM_STE_EATS_TRANS		1

#define ARM_CMD_CFGI_CD			0x05
#define ARM_CMD_CFGI_CD_ALL		0x06
#define ARM_CMD_TLBI_NH_ALL		0x10
#define ARM_CMD_TLBI_NH_ASID		0x11
#define ARM_CMD_TLBI_NH_VA		0x12
#define ARM_CMD_TLBI_NH_VAA		0x13
#define ARM_CMD_TLBI_NSNH_ALL		0x30
#define ARM_CMD_ATC_INV			0x40

#define ARM_CMD_0_SSV			BIT_ULL(11)
#define ARM_CMD_0_SSID			GENMASK_ULL(31, 12)
#define ARM_CMD_0_SID			GENMASK_ULL(63, 32)
#define ARM_CFGI_1_LEAF			BIT_ULL(0)
#define ARM_TLBI_0_NUM			GENMASK_ULL(16, 12)
#define ARM_TLBI_0_SCALE		GENMASK_ULL(24, 20)
#define ARM_TLBI_0_ASID			GENMASK_ULL(63, 48)
#define ARM_TLBI_1_LEAF			BIT_ULL(0)
#define ARM_TLBI_1_TTL			GENMASK_ULL(9, 8)
#define ARM_TLBI_1_TG			GENMASK_ULL(11, 10)
#define ARM_TLBI_1_ADDRESS		GENMASK_ULL(63, 12)
#define ARM_ATC_1_SIZE			GENMASK_ULL(5, 0)
#define ARM_ATC_1_ADDRESS		GENMASK_ULL(63, 12)
#define ARM_ATC_SIZE_ALL		52

#define ARM_EVENT_0_TYPE		GENMASK_ULL(7, 0)
#define ARM_EVENT_0_SSV			BIT_ULL(11)
#define ARM_EVENT_0_SSID		GENMASK_ULL(31, 12)
#define ARM_EVENT_0_SID			GENMASK_ULL(63, 32)
#define ARM_EVENT_1_IND			BIT_ULL(34)
#define ARM_EVENT_1_RNW			BIT_ULL(35)

#define ARM_EVENT_C_BAD_STREAMID	0x02
#define ARM_EVENT_F_STE_FETCH		0x03
#define ARM_EVENT_C_BAD_STE		0x04
#define ARM_EVENT_F_STREAM_DISABLED	0x06
#define ARM_EVENT_C_BAD_SUBSTREAMID	0x08
#define ARM_EVENT_F_TRANSLATION		0x10
#define ARM_EVENT_F_ADDR_SIZE		0x11
#define ARM_EVENT_F_ACCESS		0x12
#define ARM_EVENT_F_PERMISSION		0x13

static u32 vhost_iommu_arm_ssid_bits(const struct vhost_iommu_hw *hw)
{
	return FIELD_GET(ARM_IDR1_SSIDSIZE, hw->idr[1]);
}

static bool vhost_iommu_arm_repeat(const struct vhost_iommu_hw *hw)
{
	return hw->flags & ARM_HW_REPEAT_TLBI_CFGI;
}

static bool vhost_iommu_arm_s1_valid(const struct vhost_iommu_hw *hw, u64 ste0,
				     u64 ste1)
{
	u64 s1cdmax = FIELD_GET(ARM_STE_0_S1CDMAX, ste0);
	u64 s1fmt = FIELD_GET(ARM_STE_0_S1FMT, ste0);

	if (s1fmt == ARM_STE_S1FMT_RESERVED ||
	    s1cdmax > vhost_iommu_arm_ssid_bits(hw))
		return false;
	/* The format is ignored as long as there is one descriptor */
	if (s1cdmax && s1fmt != ARM_STE_S1FMT_LINEAR &&
	    !(hw->idr[0] & ARM_IDR0_CD2L))
		return false;
	return FIELD_GET(ARM_STE_1_S1DSS, ste1) != ARM_STE_S1DSS_RESERVED &&
	       FIELD_GET(ARM_STE_1_S1CSH, ste1) != ARM_STE_S1CSH_RESERVED;
}

/*
 * The descriptor begins at offset 13 of the request; the double words of the
 * stream table entry at offsets 16 and 24. An entry that is not valid is
 * refused: abort is asked for by its Config.
 */
static u8 vhost_iommu_arm_table(const struct vhost_iommu_hw *hw,
				const u8 *descriptor,
				struct vhost_iommu_table *table)
{
	const size_t ste = offsetof(struct virtio_iommu_req_attach_table_arm,
				    ste) -
			   offsetof(struct virtio_iommu_req_attach_table,
				    descriptor);
	const size_t end = ste + 2 * sizeof(__le64);
	u64 ste0 = get_unaligned_le64(descriptor + ste);
	u64 ste1 = get_unaligned_le64(descriptor + ste + sizeof(__le64));
	u64 eats = FIELD_GET(ARM_STE_1_EATS, ste1);

	if (memchr_inv(descriptor, 0, ste) ||
	    memchr_inv(descriptor + end, 0, VHOST_IOMMU_DESCRIPTOR_LEN - end))
		return VIRTIO_IOMMU_S_INVAL;
	if (!(ste0 & ARM_STE_0_V) || ste0 & ~ARM_STE_0_ALLOWED ||
	    ste1 & ~ARM_STE_1_ALLOWED)
		return VIRTIO_IOMMU_S_INVAL;
	if (eats > ARM_STE_EATS_TRANS ||
	    (eats && !(hw->idr[0] & ARM_IDR0_ATS)))
		return VIRTIO_IOMMU_S_INVAL;

	switch (FIELD_GET(ARM_STE_0_CONFIG, ste0)) {
	case ARM_STE_CONFIG_S1:
		if (!vhost_iommu_arm_s1_valid(hw, ste0, ste1))
			return VIRTIO_IOMMU_S_INVAL;
		break;
	case ARM_STE_CONFIG_ABORT:
	case ARM_STE_CONFIG_BYPASS:
		/*
		 * Without a stage 1 there is nothing that the guest could
		 * invalidate. The host leaves ATS on in the device, but the SMMU
		 * refuses its translation requests.
		 */
		eats = 0;
		break;
	default:
		return VIRTIO_IOMMU_S_INVAL;
	}

	table->data[0] = cpu_to_le64(ste0);
	table->data[1] = cpu_to_le64(ste1 & ~ARM_STE_1_EATS);
	table->ats = eats;
	return VIRTIO_IOMMU_S_OK;
}

/*
 * Nobody answers a transaction that stalls. Where the SMMU leaves it to context
 * descriptors, which are the guest's, whether one does, the entry forbids it;
 * elsewhere the bit is reserved.
 */
static void vhost_iommu_arm_host_table(const struct vhost_iommu_hw *hw,
				       struct vhost_iommu_table *table)
{
	u64 config = FIELD_GET(ARM_STE_0_CONFIG, le64_to_cpu(table->data[0]));

	if (table->ats)
		table->data[1] |= cpu_to_le64(FIELD_PREP(ARM_STE_1_EATS,
							 ARM_STE_EATS_TRANS));
	if (config == ARM_STE_CONFIG_S1 &&
	    FIELD_GET(ARM_IDR0_STALL_MODEL, hw->idr[0]) == ARM_STALL_MODEL_BOTH)
		table->data[1] |= cpu_to_le64(ARM_STE_1_S1STALLD);
}

static u8 vhost_iommu_arm_check(const struct vhost_iommu_hw *hw,
				const struct vhost_iommu_req *req)
{
	u64 max_asid = hw->idr[0] & ARM_IDR0_ASID16 ? U16_MAX : U8_MAX;

	if (req->flags & VIRTIO_IOMMU_INV_F_ID && req->id > max_asid)
		return VIRTIO_IOMMU_S_INVAL;
	if (req->pasid >> vhost_iommu_arm_ssid_bits(hw))
		return VIRTIO_IOMMU_S_INVAL;
	return VIRTIO_IOMMU_S_OK;
}

/* Section 4.3. The leaf flag says that no table of a two-level set changed */
static void vhost_iommu_arm_context(const struct vhost_iommu_req *req,
				    u64 virt_id, struct vhost_iommu_cmds *cmds)
{
	u64 sid = FIELD_PREP(ARM_CMD_0_SID, virt_id);

	if (req->scope == VIRTIO_IOMMU_INV_S_DOMAIN)
		vhost_iommu_cmd_add(cmds, ARM_CMD_CFGI_CD_ALL | sid, 0);
	else
		vhost_iommu_cmd_add(cmds, ARM_CMD_CFGI_CD | sid |
				    FIELD_PREP(ARM_CMD_0_SSID, req->pasid),
				    req->flags & VIRTIO_IOMMU_INV_F_LEAF ?
				    ARM_CFGI_1_LEAF : 0);
}

/*
 * Only the address of a request says which entries of other address spaces are
 * meant, too; without an ASID, or with global entries, whatever is wider.
 */
static void vhost_iommu_arm_tlb(const struct vhost_iommu_req *req,
				struct vhost_iommu_inv *inv)
{
	bool any = !(req->flags & VIRTIO_IOMMU_INV_F_ID) ||
		   req->flags & VIRTIO_IOMMU_INV_F_GLOBAL;
	u64 mask;

	memset(inv, 0, sizeof(*inv));
	if (!any)
		inv->id = req->id;

	switch (req->scope) {
	case VIRTIO_IOMMU_INV_S_ADDRESS:
		mask = BIT_ULL(req->page_size) - 1;
		inv->scope = any ? VHOST_IOMMU_INV_RANGE_ANY :
				   VHOST_IOMMU_INV_RANGE;
		inv->leaf = req->flags & VIRTIO_IOMMU_INV_F_LEAF;
		inv->page_size = req->page_size;
		inv->start = req->virt_start & ~mask;
		inv->last = req->virt_end | mask;
		break;
	case VIRTIO_IOMMU_INV_S_PASID:
		inv->scope = any ? VHOST_IOMMU_INV_ALL : VHOST_IOMMU_INV_ID;
		break;
	default:
		inv->scope = VHOST_IOMMU_INV_ALL;
		inv->id = 0;
	}
}

/**
 * struct vhost_iommu_arm_granule - How pages of a size are invalidated
 * @shift: Logarithm of the translation granule
 * @tg: Its encoding in commands, 0 if the SMMU does not have it
 * @ttl: Level of the page
 */
struct vhost_iommu_arm_granule {
	u8 shift;
	u8 tg;
	u8 ttl;
};

/* Logarithm of the granule that has pages of a size, or 0 */
static u8 vhost_iommu_arm_shift(u8 page_size)
{
	switch (page_size) {
	case 12:
	case 21:
	case 30:
		return 12;
	case 14:
	case 25:
		return 14;
	case 16:
	case 29:
		return 16;
	default:
		return 0;
	}
}

static struct vhost_iommu_arm_granule
vhost_iommu_arm_granule(const struct vhost_iommu_hw *hw, u8 page_size)
{
	struct vhost_iommu_arm_granule granule = {
		.shift = vhost_iommu_arm_shift(page_size),
	};
	u32 needed = ARM_IDR5_GRAN4K;

	if (!granule.shift)
		return granule;
	if (granule.shift == 14)
		needed = ARM_IDR5_GRAN16K;
	else if (granule.shift == 16)
		needed = ARM_IDR5_GRAN64K;
	if (hw->idr[5] & needed)
		granule.tg = (granule.shift - 10) / 2;
	/* A level has 3 bits less than the granule */
	granule.ttl = 3 - (page_size - granule.shift) / (granule.shift - 3);
	return granule;
}

static u64 vhost_iommu_arm_asid(const struct vhost_iommu_inv *inv)
{
	return FIELD_PREP(ARM_TLBI_0_ASID, inv->id);
}

/* More than the range: all of its address space, or everything */
static void vhost_iommu_arm_wide(const struct vhost_iommu_inv *inv,
				 struct vhost_iommu_cmds *cmds)
{
	if (inv->scope == VHOST_IOMMU_INV_ID ||
	    inv->scope == VHOST_IOMMU_INV_RANGE)
		vhost_iommu_cmd_add(cmds, ARM_CMD_TLBI_NH_ASID |
				    vhost_iommu_arm_asid(inv), 0);
	else
		vhost_iommu_cmd_add(cmds, ARM_CMD_TLBI_NH_ALL, 0);
}

/* Section 4.4.1: (NUM + 1) * 2^SCALE granules */
#define ARM_TLBI_MAX_NUM		32
#define ARM_TLBI_MAX_SCALE		31

static void
vhost_iommu_arm_ranges(const struct vhost_iommu_inv *inv, u64 pages, u64 lo,
		       u64 hi, const struct vhost_iommu_arm_granule *granule,
		       struct vhost_iommu_cmds *cmds)
{
	u64 at = inv->start;

	hi |= FIELD_PREP(ARM_TLBI_1_TG, granule->tg);
	if (inv->leaf)
		hi |= FIELD_PREP(ARM_TLBI_1_TTL, granule->ttl);
	/* Most are of a page, for which NUM and SCALE are 0 */
	if (pages == 1 && inv->leaf) {
		vhost_iommu_cmd_add(cmds, lo, hi | (at & ARM_TLBI_1_ADDRESS));
		return;
	}

	while (pages) {
		unsigned int scale = min(__ffs64(pages), ARM_TLBI_MAX_SCALE);
		u64 num = (pages >> scale) & (ARM_TLBI_MAX_NUM - 1);
		u64 from = at;

		at += num << scale << granule->shift;
		pages -= num << scale;
		/* A single page needs a level; without one, take two */
		if (!scale && num == 1 && !inv->leaf) {
			num = 2;
			if (from >> granule->shift ==
			    U64_MAX >> granule->shift)
				from -= BIT_ULL(granule->shift);
		}
		vhost_iommu_cmd_add(cmds, lo |
				    FIELD_PREP(ARM_TLBI_0_NUM, num - 1) |
				    FIELD_PREP(ARM_TLBI_0_SCALE, scale),
				    hi | (from & ARM_TLBI_1_ADDRESS));
	}
}

/*
 * Whatever the page size, all bytes of the range are named: the entries of the
 * TLB are as small as the smaller of the pages of both stages.
 */
static void vhost_iommu_arm_tlb_commands(const struct vhost_iommu_hw *hw,
					 const struct vhost_iommu_inv *inv,
					 struct vhost_iommu_cmds *cmds)
{
	struct vhost_iommu_arm_granule granule = {};
	bool ranges = hw->idr[3] & ARM_IDR3_RIL;
	u64 pages, most, lo, hi;

	if (inv->scope == VHOST_IOMMU_INV_RANGE ||
	    inv->scope == VHOST_IOMMU_INV_RANGE_ANY)
		granule = vhost_iommu_arm_granule(hw, inv->page_size);
	if (!granule.tg) {
		vhost_iommu_arm_wide(inv, cmds);
		return;
	}

	/* Beyond, a list takes longer than a new start with an empty TLB */
	most = ranges ? (u64)(ARM_TLBI_MAX_NUM - 1) << ARM_TLBI_MAX_SCALE :
			VHOST_IOMMU_SYNC_CMDS;
	pages = ((inv->last - inv->start) >> granule.shift) + 1;
	if (pages > most) {
		vhost_iommu_arm_wide(inv, cmds);
		return;
	}

	lo = inv->scope == VHOST_IOMMU_INV_RANGE ?
	     ARM_CMD_TLBI_NH_VA | vhost_iommu_arm_asid(inv) :
	     ARM_CMD_TLBI_NH_VAA;
	hi = inv->leaf ? ARM_TLBI_1_LEAF : 0;
	if (ranges) {
		vhost_iommu_arm_ranges(inv, pages, lo, hi, &granule, cmds);
		return;
	}
	while (pages--)
		vhost_iommu_cmd_add(cmds, lo, hi |
				    (inv->start + (pages << granule.shift)));
}

/*
 * Section 4.5: the range is a power of two of 4 KiB pages, and aligned to it.
 * So take the smallest such block that holds both ends.
 */
static u64 vhost_iommu_arm_atc_range(u64 start, u64 last)
{
	unsigned int size = fls64((start ^ last) >> 12);

	if (size >= ARM_ATC_SIZE_ALL)
		return ARM_ATC_SIZE_ALL;
	return FIELD_PREP(ARM_ATC_1_SIZE, size) |
	       (start & ARM_ATC_1_ADDRESS & ~((BIT_ULL(size) - 1) << 12));
}

/*
 * A device that is asked without a PASID drops what it has of the range for all
 * of them. It is asked about one only if it can have it, whatever the guest
 * says: a device need not answer what it does not understand. PASID 0 is what
 * the endpoint does without one, too.
 */
static void vhost_iommu_arm_device(const struct vhost_iommu_req *req,
				   u64 virt_id, bool ats, u8 pasid_bits,
				   struct vhost_iommu_cmds *cmds)
{
	u64 lo = ARM_CMD_ATC_INV | FIELD_PREP(ARM_CMD_0_SID, virt_id);
	u64 mask = BIT_ULL(req->page_size) - 1;
	u64 hi = ARM_ATC_SIZE_ALL;

	if (!ats)
		return;
	/* A page size that no granule has means all addresses, here, too */
	if (req->scope == VIRTIO_IOMMU_INV_S_ADDRESS &&
	    vhost_iommu_arm_shift(req->page_size))
		hi = vhost_iommu_arm_atc_range(req->virt_start & ~mask,
					       req->virt_end | mask);
	if (req->pasid && !(req->pasid >> pasid_bits) &&
	    req->scope != VIRTIO_IOMMU_INV_S_DOMAIN)
		lo |= ARM_CMD_0_SSV | FIELD_PREP(ARM_CMD_0_SSID, req->pasid);
	vhost_iommu_cmd_add(cmds, lo, hi);
}

/* Section 7.3 */
static void vhost_iommu_arm_event(const void *record,
				  struct vhost_iommu_event *event)
{
	const __le64 *raw = record;
	u64 word0 = le64_to_cpu(raw[0]), word1 = le64_to_cpu(raw[1]);

	event->virt_id = FIELD_GET(ARM_EVENT_0_SID, word0);
	event->reason = VIRTIO_IOMMU_FAULT_R_UNKNOWN;
	event->flags = 0;
	event->pasid = 0;
	event->address = 0;

	switch (FIELD_GET(ARM_EVENT_0_TYPE, word0)) {
	case ARM_EVENT_C_BAD_STREAMID:
	case ARM_EVENT_F_STE_FETCH:
	case ARM_EVENT_C_BAD_STE:
	case ARM_EVENT_F_STREAM_DISABLED:
	case ARM_EVENT_C_BAD_SUBSTREAMID:
		event->reason = VIRTIO_IOMMU_FAULT_R_DOMAIN;
		break;
	case ARM_EVENT_F_TRANSLATION:
	case ARM_EVENT_F_ADDR_SIZE:
	case ARM_EVENT_F_ACCESS:
	case ARM_EVENT_F_PERMISSION:
		event->reason = VIRTIO_IOMMU_FAULT_R_MAPPING;
		event->flags = VIRTIO_IOMMU_FAULT_F_ADDRESS;
		event->address = le64_to_cpu(raw[2]);
		if (word1 & ARM_EVENT_1_IND)
			event->flags |= VIRTIO_IOMMU_FAULT_F_EXEC;
		event->flags |= word1 & ARM_EVENT_1_RNW ?
				VIRTIO_IOMMU_FAULT_F_READ :
				VIRTIO_IOMMU_FAULT_F_WRITE;
		break;
	}
	if (word0 & ARM_EVENT_0_SSV) {
		event->flags |= VIRTIO_IOMMU_FAULT_F_PASID;
		event->pasid = FIELD_GET(ARM_EVENT_0_SSID, word0);
	}
}

/* The driver makes it the one that spares other guests' entries */
static const struct vhost_iommu_cmd vhost_iommu_arm_flush = {
	.data = { cpu_to_le64(ARM_CMD_TLBI_NSNH_ALL), },
};

const struct vhost_iommu_format vhost_iommu_format_arm = {
	.id = VIRTIO_IOMMU_FORMAT_ARM_SMMUV3,
	.viommu_type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
	.hw_type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
	.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3,
	.data_len = sizeof(struct iommu_hwpt_arm_smmuv3),
	.inv_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
	.event_len = sizeof(struct iommu_vevent_arm_smmuv3),
	.blocked = {
		.data = { cpu_to_le64(ARM_STE_0_V), },
	},
	.flush = &vhost_iommu_arm_flush,
	.host_table = vhost_iommu_arm_host_table,
	.repeat = vhost_iommu_arm_repeat,
	.table = vhost_iommu_arm_table,
	.check = vhost_iommu_arm_check,
	.context = vhost_iommu_arm_context,
	.tlb = vhost_iommu_arm_tlb,
	.tlb_commands = vhost_iommu_arm_tlb_commands,
	.device = vhost_iommu_arm_device,
	.event = vhost_iommu_arm_event,
};
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_format_arm);
