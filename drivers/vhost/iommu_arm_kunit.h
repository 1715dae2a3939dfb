/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit tests of vhost-iommu: what those of Arm SMMUv3 share
 *
 * Numbers are those of Arm IHI 0070, written down here once more: the module's
 * own definitions are under test, too.
 */
#ifndef _VHOST_IOMMU_ARM_KUNIT_H
#define _VHOST_IOMMU_ARM_KUNIT_H

#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/limits.h>
#include <linux/prandom.h>

#include "iommu_format.h"

#define IDR0_ATS		BIT(10)
#define IDR0_ASID16		BIT(12)
#define IDR0_CD2L		BIT(19)
/* IDR0.STALL_MODEL: no access stalls; 0, context descriptors decide */
#define IDR0_NO_STALL		BIT(24)
#define IDR0_STALL_FORCED	BIT(25)
#define IDR1_SSIDSIZE(bits)	((bits) << 6)
#define IDR3_RIL		BIT(10)
#define IDR5_DS			BIT(31)
#define IDR5_GRANULES		(BIT(4) | BIT(5) | BIT(6))

#define CFGI_CD			0x05
#define CFGI_CD_ALL		0x06
#define TLBI_NH_ALL		0x10
#define TLBI_NH_ASID		0x11
#define TLBI_NH_VA		0x12
#define TLBI_NH_VAA		0x13
#define TLBI_NSNH_ALL		0x30
#define ATC_INV			0x40

#define LO_OP			GENMASK_ULL(7, 0)
#define LO_SSV			BIT_ULL(11)
#define LO_SSID			GENMASK_ULL(31, 12)
#define LO_SID			GENMASK_ULL(63, 32)
#define LO_GLOBAL		BIT_ULL(9)
#define LO_NUM			GENMASK_ULL(16, 12)
#define LO_SCALE		GENMASK_ULL(24, 20)
#define LO_SCALE_DS		BIT_ULL(25)
#define LO_VMID			GENMASK_ULL(47, 32)
#define LO_ASID			GENMASK_ULL(63, 48)
#define HI_LEAF			BIT_ULL(0)
#define HI_TTL			GENMASK_ULL(9, 8)
#define HI_TG			GENMASK_ULL(11, 10)
#define HI_ADDRESS		GENMASK_ULL(63, 12)
#define HI_ATC_SIZE		GENMASK_ULL(5, 0)
#define ATC_SIZE_ALL		52

static const struct vhost_iommu_hw __maybe_unused hw_full = {
	.idr = {
		[0] = IDR0_ATS | IDR0_ASID16 | IDR0_CD2L | IDR0_NO_STALL,
		[1] = IDR1_SSIDSIZE(20),
		[3] = IDR3_RIL,
		[5] = IDR5_GRANULES,
	},
};

/* The same without range invalidation */
static const struct vhost_iommu_hw __maybe_unused hw_no_ril = {
	.idr = {
		[0] = IDR0_ATS | IDR0_ASID16 | IDR0_CD2L | IDR0_NO_STALL,
		[1] = IDR1_SSIDSIZE(20),
		[5] = IDR5_GRANULES,
	},
};

/* As little as there can be, and what the lab emulates */
static const struct vhost_iommu_hw __maybe_unused hw_plain = {
	.idr = { [5] = BIT(4) },
};

static const struct vhost_iommu_hw __maybe_unused hw_lab = {
	.idr = { 0x0d44101b, 0x02730010, 0, 0x00001414, 0, 0x00000074 },
};

static inline u64 rnd64(struct rnd_state *rnd)
{
	return (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
}

static inline struct vhost_iommu_cmds *cmds_alloc(struct kunit *test)
{
	struct vhost_iommu_cmds *cmds;

	cmds = kunit_kzalloc(test, sizeof(*cmds), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cmds);
	return cmds;
}

static inline u64 cmd_lo(const struct vhost_iommu_cmds *cmds, unsigned int i)
{
	return le64_to_cpu(cmds->cmd[i].data[0]);
}

static inline u64 cmd_hi(const struct vhost_iommu_cmds *cmds, unsigned int i)
{
	return le64_to_cpu(cmds->cmd[i].data[1]);
}

/* NUM, SCALE and TTL have no meaning without TG; other values are reserved */
static inline bool host_takes_range(const struct vhost_iommu_hw *hw, u64 lo,
				    u64 hi)
{
	bool one = !(lo & (LO_NUM | LO_SCALE | LO_SCALE_DS));

	switch (FIELD_GET(HI_TG, hi)) {
	case 0:
		return one && !(hi & HI_TTL);
	case 2:
		if (FIELD_GET(HI_TTL, hi) == 1 && !(hw->idr[5] & IDR5_DS))
			return false;
		break;
	}
	return !one || hi & HI_TTL;
}

/*
 * What Linux' driver lets a VMM send: anything else would stop the queue that
 * all users of the SMMU share, so it refuses the array.
 */
static inline bool host_takes(const struct vhost_iommu_hw *hw, u64 lo, u64 hi)
{
	u64 asid = hw->idr[0] & IDR0_ASID16 ? LO_ASID : GENMASK_ULL(55, 48);
	bool substreams = FIELD_GET(GENMASK(10, 6), hw->idr[1]);
	u64 lo_mask = LO_OP, hi_mask = 0;

	switch (lo & LO_OP) {
	case TLBI_NSNH_ALL:
		break;
	case TLBI_NH_ALL:
		lo_mask |= LO_VMID;
		break;
	case TLBI_NH_ASID:
		lo_mask |= LO_VMID | asid;
		break;
	case TLBI_NH_VA:
	case TLBI_NH_VAA:
		lo_mask |= LO_VMID;
		if ((lo & LO_OP) == TLBI_NH_VA)
			lo_mask |= asid;
		hi_mask |= HI_LEAF | HI_ADDRESS;
		if (!(hw->idr[3] & IDR3_RIL))
			break;
		if (!host_takes_range(hw, lo, hi))
			return false;
		lo_mask |= LO_NUM | LO_SCALE;
		if (hw->idr[5] & IDR5_DS)
			lo_mask |= LO_SCALE_DS;
		hi_mask |= HI_TG | HI_TTL;
		break;
	case ATC_INV:
		if (!(hw->idr[0] & IDR0_ATS) ||
		    FIELD_GET(HI_ATC_SIZE, hi) > ATC_SIZE_ALL)
			return false;
		lo_mask |= LO_SID;
		if (substreams)
			lo_mask |= LO_SSV | LO_SSID | LO_GLOBAL;
		hi_mask |= HI_ATC_SIZE | HI_ADDRESS;
		break;
	case CFGI_CD:
		lo_mask |= LO_SID;
		if (substreams)
			lo_mask |= LO_SSID;
		hi_mask |= HI_LEAF;
		break;
	case CFGI_CD_ALL:
		lo_mask |= LO_SID;
		break;
	default:
		return false;
	}
	return !(lo & ~lo_mask) && !(hi & ~hi_mask);
}

#endif /* _VHOST_IOMMU_ARM_KUNIT_H */
