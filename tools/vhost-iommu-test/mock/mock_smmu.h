/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the mock knows of Arm's SMMUv3 (Arm IHI 0070) and of its page tables
 * (Arm DDI 0487, VMSAv8-64 stage 1, 4 KiB granule).
 */
#ifndef VHOST_IOMMU_MOCK_SMMU_H
#define VHOST_IOMMU_MOCK_SMMU_H

#include <linux/bits.h>

/* ID registers, section 6.3 */
#define IDR0_ATS		BIT_ULL(10)
#define IDR0_ASID16		BIT_ULL(12)
#define IDR0_STALL_MODEL	GENMASK_ULL(25, 24)
#define IDR1_SSIDSIZE		GENMASK_ULL(10, 6)
#define IDR3_RIL		BIT_ULL(10)
#define IDR5_OAS		GENMASK_ULL(2, 0)
#define IDR5_DS			BIT_ULL(7)

/* Stream table entry, section 5.2 */
#define STE0_V			BIT_ULL(0)
#define STE0_CONFIG		GENMASK_ULL(3, 1)
#define STE0_CONFIG_ABORT	0
#define STE0_CONFIG_BYPASS	4
#define STE0_CONFIG_S1		5
#define STE0_S1FMT		GENMASK_ULL(5, 4)
#define STE0_S1CTXPTR		GENMASK_ULL(51, 6)
#define STE0_S1CDMAX		GENMASK_ULL(63, 59)

#define STE1_S1DSS		GENMASK_ULL(1, 0)
#define STE1_S1DSS_TERMINATE	0
#define STE1_S1DSS_BYPASS	1
#define STE1_S1DSS_SSID0	2
#define STE1_S1CIR		GENMASK_ULL(3, 2)
#define STE1_S1COR		GENMASK_ULL(5, 4)
#define STE1_S1CSH		GENMASK_ULL(7, 6)
#define STE1_S1STALLD		BIT_ULL(27)
#define STE1_EATS		GENMASK_ULL(29, 28)
#define STE1_EATS_OFF		0
#define STE1_EATS_FULL		1

/* What a guest may set */
#define STE0_NESTED		(STE0_V | STE0_CONFIG | STE0_S1FMT | \
				 STE0_S1CTXPTR | STE0_S1CDMAX)
#define STE1_NESTED		(STE1_S1DSS | STE1_S1CIR | STE1_S1COR | \
				 STE1_S1CSH | STE1_S1STALLD | STE1_EATS)

/* Context descriptor, section 5.4 */
#define CD0_T0SZ		GENMASK_ULL(5, 0)
#define CD0_TG0			GENMASK_ULL(7, 6)
#define CD0_EPD0		BIT_ULL(14)
#define CD0_ENDI		BIT_ULL(15)
#define CD0_V			BIT_ULL(31)
#define CD0_IPS			GENMASK_ULL(34, 32)
#define CD0_AFFD		BIT_ULL(35)
#define CD0_AA64		BIT_ULL(41)
#define CD0_S			BIT_ULL(44)
#define CD0_R			BIT_ULL(45)
#define CD0_A			BIT_ULL(46)
#define CD0_ASID		GENMASK_ULL(63, 48)
#define CD1_TTB0		GENMASK_ULL(51, 4)

/* Table entries */
#define LPAE_VALID		BIT_ULL(0)
#define LPAE_TABLE		BIT_ULL(1)	/* level 3: a page */
#define LPAE_AP_UNPRIV		BIT_ULL(6)
#define LPAE_AP_RDONLY		BIT_ULL(7)
#define LPAE_AF			BIT_ULL(10)
#define LPAE_NG			BIT_ULL(11)
#define LPAE_ADDR		GENMASK_ULL(47, 12)

/* Commands, section 4 */
#define CMD_CFGI_CD		0x05
#define CMD_CFGI_CD_ALL		0x06
#define CMD_TLBI_NH_ALL		0x10
#define CMD_TLBI_NH_ASID	0x11
#define CMD_TLBI_NH_VA		0x12
#define CMD_TLBI_NH_VAA		0x13
#define CMD_TLBI_NSNH_ALL	0x30
#define CMD_ATC_INV		0x40

#define CMD0_OP			GENMASK_ULL(7, 0)
#define CMD0_SID		GENMASK_ULL(63, 32)
#define CMD0_SSID		GENMASK_ULL(31, 12)
#define CMD1_LEAF		BIT_ULL(0)

#define TLBI0_NUM		GENMASK_ULL(16, 12)
#define TLBI0_SCALE		GENMASK_ULL(25, 20)
#define TLBI0_SCALE_DS		BIT_ULL(25)
#define TLBI0_VMID		GENMASK_ULL(47, 32)
#define TLBI0_ASID		GENMASK_ULL(63, 48)
#define TLBI0_ASID8		GENMASK_ULL(55, 48)
#define TLBI1_TTL		GENMASK_ULL(9, 8)
#define TLBI1_TG		GENMASK_ULL(11, 10)
#define TLBI1_TG_16K		2
#define TLBI1_VA		GENMASK_ULL(63, 12)

#define ATC0_GLOBAL		BIT_ULL(9)
#define ATC0_SSV		BIT_ULL(11)
#define ATC1_SIZE		GENMASK_ULL(5, 0)
#define ATC1_SIZE_ALL		52
#define ATC1_ADDR		GENMASK_ULL(63, 12)

/* Events, section 7.3 */
#define EVT_BAD_STE		0x04
#define EVT_STREAM_DISABLED	0x06
#define EVT_BAD_SUBSTREAMID	0x08
#define EVT_BAD_CD		0x0a
#define EVT_TRANSLATION		0x10
#define EVT_ADDR_SIZE		0x11
#define EVT_ACCESS		0x12
#define EVT_PERMISSION		0x13

#define EVT0_ID			GENMASK_ULL(7, 0)
#define EVT0_SSV		BIT_ULL(11)
#define EVT0_SSID		GENMASK_ULL(31, 12)
#define EVT0_SID		GENMASK_ULL(63, 32)
#define EVT1_RNW		BIT_ULL(35)
#define EVT1_CLASS		GENMASK_ULL(41, 40)
#define EVT1_CLASS_IN		2

#endif /* VHOST_IOMMU_MOCK_SMMU_H */
