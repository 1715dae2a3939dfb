/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-iommu with tables of the guest: conversions
 *
 * What is here has no state: PROBE properties, the ID registers, stream table
 * entry and context descriptor of an SMMUv3 (Arm IHI 0070, sections 6.3, 5.2
 * and 5.4), and INVALIDATE requests. These are inline functions so that the
 * KUnit tests, which run where there are no page tables for them, are a module
 * of their own.
 */
#ifndef _VIRTIO_IOMMU_TABLE_ARM_H
#define _VIRTIO_IOMMU_TABLE_ARM_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <uapi/linux/virtio_iommu_table.h>

#define VTAB_IDR0_S1P			BIT(1)
#define VTAB_IDR0_TTF_AARCH64		BIT(3)
#define VTAB_IDR0_COHACC		BIT(4)
#define VTAB_IDR0_ATS			BIT(10)
#define VTAB_IDR0_ASID16		BIT(12)
#define VTAB_IDR0_TTENDIAN		GENMASK(22, 21)
#define VTAB_IDR0_TTENDIAN_BE		3
#define VTAB_IDR0_STALL_MODEL		GENMASK(25, 24)
#define VTAB_IDR0_STALL_MODEL_FORCE	2
#define VTAB_IDR5_OAS			GENMASK(2, 0)
#define VTAB_IDR5_GRAN4K		BIT(4)
#define VTAB_IDR5_GRAN16K		BIT(5)
#define VTAB_IDR5_GRAN64K		BIT(6)
#define VTAB_IDR5_VAX			GENMASK(11, 10)
#define VTAB_IDR5_VAX_52		1

#define VTAB_STE_0_V			BIT_ULL(0)
#define VTAB_STE_0_CONFIG		GENMASK_ULL(3, 1)
#define VTAB_STE_0_CONFIG_ABORT		0
#define VTAB_STE_0_CONFIG_BYPASS	4
#define VTAB_STE_0_CONFIG_S1		5
#define VTAB_STE_0_S1CONTEXTPTR		GENMASK_ULL(51, 6)
#define VTAB_STE_1_S1DSS		GENMASK_ULL(1, 0)
#define VTAB_STE_1_S1DSS_SSID0		2
#define VTAB_STE_1_S1CIR		GENMASK_ULL(3, 2)
#define VTAB_STE_1_S1COR		GENMASK_ULL(5, 4)
#define VTAB_STE_1_WBRA			1
#define VTAB_STE_1_S1CSH		GENMASK_ULL(7, 6)
#define VTAB_STE_1_INNER		3
#define VTAB_STE_1_EATS			GENMASK_ULL(29, 28)
#define VTAB_STE_1_EATS_FULL		1
#define VTAB_STE_DWORDS			2

#define VTAB_CD_0_T0SZ			GENMASK_ULL(5, 0)
#define VTAB_CD_0_TG0			GENMASK_ULL(7, 6)
#define VTAB_CD_0_IR0			GENMASK_ULL(9, 8)
#define VTAB_CD_0_OR0			GENMASK_ULL(11, 10)
#define VTAB_CD_0_SH0			GENMASK_ULL(13, 12)
#define VTAB_CD_0_EPD1			BIT_ULL(30)
#define VTAB_CD_0_V			BIT_ULL(31)
#define VTAB_CD_0_IPS			GENMASK_ULL(34, 32)
#define VTAB_CD_0_AA64			BIT_ULL(41)
#define VTAB_CD_0_R			BIT_ULL(45)
#define VTAB_CD_0_A			BIT_ULL(46)
#define VTAB_CD_0_ASET			BIT_ULL(47)
#define VTAB_CD_0_ASID			GENMASK_ULL(63, 48)
#define VTAB_CD_1_TTB0			GENMASK_ULL(51, 4)
#define VTAB_CD_DWORDS			8

#define VTAB_GRANULES			(SZ_4K | SZ_16K | SZ_64K)

/**
 * struct vtab_arm_caps - What an endpoint's SMMU can do
 * @pgsizes: Sizes of pages and blocks
 * @ias: Bits of an I/O virtual address
 * @oas: Bits of a guest-physical address
 * @max_asid: Largest ASID
 * @ats: The SMMU answers translation requests
 */
struct vtab_arm_caps {
	unsigned long pgsizes;
	unsigned int ias;
	unsigned int oas;
	u32 max_asid;
	bool ats;
};

/**
 * struct vtab_resv - A RESV_MEM property
 * @start: First address
 * @last: Last address
 * @msi: The window for MSIs, not just an address range to keep clear of
 */
struct vtab_resv {
	u64 start;
	u64 last;
	bool msi;
};

/**
 * vtab_errno - What a request's status means to Linux
 * @status: VIRTIO_IOMMU_S_*
 *
 * Return: 0 or a negative errno of those that attach_dev() may return.
 */
static inline int vtab_errno(u8 status)
{
	switch (status) {
	case VIRTIO_IOMMU_S_OK:
		return 0;
	case VIRTIO_IOMMU_S_INVAL:
	case VIRTIO_IOMMU_S_RANGE:
	case VIRTIO_IOMMU_S_FAULT:
		return -EINVAL;
	case VIRTIO_IOMMU_S_NOENT:
	case VIRTIO_IOMMU_S_UNSUPP:
		return -ENODEV;
	case VIRTIO_IOMMU_S_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/**
 * vtab_next_property - Walk through the properties of a PROBE reply
 * @props: The properties
 * @size: Their size
 * @offset: Where the next one is; 0 at first
 *
 * Return: the next property, complete in the buffer; NULL after the last one;
 * an ERR_PTR() if it goes beyond the end.
 */
static inline const struct virtio_iommu_probe_property *
vtab_next_property(const void *props, size_t size, size_t *offset)
{
	const struct virtio_iommu_probe_property *prop = props + *offset;
	size_t left = size - *offset, len;

	if (left < sizeof(*prop) ||
	    !(le16_to_cpu(prop->type) & VIRTIO_IOMMU_PROBE_T_MASK))
		return NULL;
	len = sizeof(*prop) + le16_to_cpu(prop->length);
	if (len > left)
		return ERR_PTR(-EINVAL);
	*offset += len;
	return prop;
}

/**
 * vtab_parse_resv - Read a RESV_MEM property
 * @prop: Property, as vtab_next_property() returns it
 * @resv: Result
 *
 * Return: 0, or -EINVAL if it makes no sense.
 */
static inline int
vtab_parse_resv(const struct virtio_iommu_probe_property *prop,
		struct vtab_resv *resv)
{
	const struct virtio_iommu_probe_resv_mem *mem = (const void *)prop;

	if (le16_to_cpu(prop->length) < sizeof(*mem) - sizeof(*prop))
		return -EINVAL;
	/* VIRTIO 1.3, section 5.13.6.7: any other subtype is reserved, too */
	resv->msi = mem->subtype == VIRTIO_IOMMU_RESV_MEM_T_MSI;
	resv->start = le64_to_cpu(mem->start);
	resv->last = le64_to_cpu(mem->end);
	if (resv->last < resv->start ||
	    (resv->start == 0 && resv->last == U64_MAX))
		return -EINVAL;
	return 0;
}

/**
 * vtab_arm_parse_idr - See whether an SMMU can use Linux's page tables
 * @prop: Property VIRTIO_IOMMU_PROBE_T_ARM_SMMUV3, as vtab_next_property()
 *        returns it
 * @sizes: Sizes of pages that the virtio-iommu supports
 * @page_size: Size of the kernel's pages
 * @caps: Result
 *
 * Return: NULL, or what the SMMU lacks.
 */
static inline const char *
vtab_arm_parse_idr(const struct virtio_iommu_probe_property *prop, u64 sizes,
		   unsigned long page_size, struct vtab_arm_caps *caps)
{
	static const u8 oas[] = { 32, 36, 40, 42, 44, 48, 52, 52 };
	const struct virtio_iommu_probe_arm_smmuv3 *arm = (const void *)prop;
	u64 idr0, idr5;

	if (le16_to_cpu(prop->length) < sizeof(*arm) - sizeof(*prop))
		return "the property with its ID registers is too short";
	idr0 = le64_to_cpu(arm->idr[0]);
	idr5 = le64_to_cpu(arm->idr[5]);

	if (!(idr0 & VTAB_IDR0_S1P))
		return "no stage 1";
	if (!(idr0 & VTAB_IDR0_TTF_AARCH64))
		return "no tables in AArch64 format";
	if (!(idr0 & VTAB_IDR0_COHACC))
		return "its table walks are not coherent";
	if (FIELD_GET(VTAB_IDR0_TTENDIAN, idr0) == VTAB_IDR0_TTENDIAN_BE)
		return "no little-endian tables";
	if (FIELD_GET(VTAB_IDR0_STALL_MODEL, idr0) ==
	    VTAB_IDR0_STALL_MODEL_FORCE)
		return "it can't but stall what faults";

	*caps = (struct vtab_arm_caps) {
		.ias = FIELD_GET(VTAB_IDR5_VAX, idr5) == VTAB_IDR5_VAX_52 ?
		       52 : 48,
		.oas = oas[FIELD_GET(VTAB_IDR5_OAS, idr5)],
		.max_asid = idr0 & VTAB_IDR0_ASID16 ? U16_MAX : U8_MAX,
		.ats = idr0 & VTAB_IDR0_ATS,
	};
	if (idr5 & VTAB_IDR5_GRAN4K)
		caps->pgsizes |= SZ_4K | SZ_2M | SZ_1G;
	if (idr5 & VTAB_IDR5_GRAN16K)
		caps->pgsizes |= SZ_16K | SZ_32M;
	if (idr5 & VTAB_IDR5_GRAN64K)
		caps->pgsizes |= SZ_64K | SZ_512M;
	caps->pgsizes &= sizes;
	if (!(caps->pgsizes & VTAB_GRANULES & (page_size | (page_size - 1))))
		return "no granule that fits the kernel's page size";
	return NULL;
}

/**
 * vtab_arm_can_use - See whether an SMMU can use a domain's tables
 * @caps: What the SMMU can do
 * @cfg: Configuration of the tables
 * @asid: The domain's ASID
 *
 * Return: whether it can.
 */
static inline bool vtab_arm_can_use(const struct vtab_arm_caps *caps,
				    const struct io_pgtable_cfg *cfg, u32 asid)
{
	return !(cfg->pgsize_bitmap & ~caps->pgsizes) &&
	       cfg->ias <= caps->ias && cfg->oas <= caps->oas &&
	       asid <= caps->max_asid;
}

/**
 * vtab_arm_make_ste_s1 - Fill a stream table entry in: stage 1
 * @cd: Guest-physical address of the context descriptor
 * @ste: Result
 *
 * There is one context descriptor (S1CDMax and S1Fmt are 0).
 */
static inline void vtab_arm_make_ste_s1(u64 cd, __le64 ste[VTAB_STE_DWORDS])
{
	ste[0] = cpu_to_le64(VTAB_STE_0_V |
			     FIELD_PREP(VTAB_STE_0_CONFIG,
					VTAB_STE_0_CONFIG_S1) |
			     (cd & VTAB_STE_0_S1CONTEXTPTR));
	ste[1] = cpu_to_le64(FIELD_PREP(VTAB_STE_1_S1DSS,
					VTAB_STE_1_S1DSS_SSID0) |
			     FIELD_PREP(VTAB_STE_1_S1CIR, VTAB_STE_1_WBRA) |
			     FIELD_PREP(VTAB_STE_1_S1COR, VTAB_STE_1_WBRA) |
			     FIELD_PREP(VTAB_STE_1_S1CSH, VTAB_STE_1_INNER));
}

/**
 * vtab_arm_make_ste_fixed - Fill a stream table entry in: no translation
 * @bypass: Let everything through; otherwise, nothing
 * @ste: Result
 */
static inline void vtab_arm_make_ste_fixed(bool bypass,
					   __le64 ste[VTAB_STE_DWORDS])
{
	ste[0] = cpu_to_le64(VTAB_STE_0_V |
			     FIELD_PREP(VTAB_STE_0_CONFIG,
					bypass ? VTAB_STE_0_CONFIG_BYPASS :
						 VTAB_STE_0_CONFIG_ABORT));
	ste[1] = 0;
}

/**
 * vtab_arm_make_cd - Fill a context descriptor in
 * @cfg: Configuration of the tables, format ARM_64_LPAE_S1
 * @asid: ASID
 * @cd: Result
 *
 * A transaction that faults is aborted and recorded (A and R set, S clear).
 */
static inline void vtab_arm_make_cd(const struct io_pgtable_cfg *cfg, u32 asid,
				    __le64 cd[VTAB_CD_DWORDS])
{
	typeof(cfg->arm_lpae_s1_cfg.tcr) tcr = cfg->arm_lpae_s1_cfg.tcr;

	memset(cd, 0, VTAB_CD_DWORDS * sizeof(*cd));
	cd[0] = cpu_to_le64(FIELD_PREP(VTAB_CD_0_T0SZ, tcr.tsz) |
			    FIELD_PREP(VTAB_CD_0_TG0, tcr.tg) |
			    FIELD_PREP(VTAB_CD_0_IR0, tcr.irgn) |
			    FIELD_PREP(VTAB_CD_0_OR0, tcr.orgn) |
			    FIELD_PREP(VTAB_CD_0_SH0, tcr.sh) |
			    VTAB_CD_0_EPD1 | VTAB_CD_0_V |
			    FIELD_PREP(VTAB_CD_0_IPS, tcr.ips) |
			    VTAB_CD_0_AA64 | VTAB_CD_0_R | VTAB_CD_0_A |
			    VTAB_CD_0_ASET | FIELD_PREP(VTAB_CD_0_ASID, asid));
	cd[1] = cpu_to_le64(cfg->arm_lpae_s1_cfg.ttbr & VTAB_CD_1_TTB0);
	cd[3] = cpu_to_le64(cfg->arm_lpae_s1_cfg.mair);
}

/**
 * vtab_arm_make_attach - Fill an ATTACH_TABLE request in
 * @domain: Domain ID
 * @endpoint: Endpoint ID
 * @ste: Stream table entry
 * @ats: Whether the device may cache translations itself. This is the only part
 *       of the entry that may differ between endpoints of a domain.
 * @req: Result
 */
static inline void
vtab_arm_make_attach(u32 domain, u32 endpoint,
		     const __le64 ste[VTAB_STE_DWORDS], bool ats,
		     struct virtio_iommu_req_attach_table_arm *req)
{
	*req = (struct virtio_iommu_req_attach_table_arm) {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = cpu_to_le32(domain),
		.endpoint = cpu_to_le32(endpoint),
		.format = VIRTIO_IOMMU_FORMAT_ARM_SMMUV3,
		.ste = { ste[0], ste[1] },
	};
	if (ats)
		req->ste[1] |= cpu_to_le64(FIELD_PREP(VTAB_STE_1_EATS,
						      VTAB_STE_1_EATS_FULL));
}

/**
 * vtab_gather_add - Add a page or block to what is to be invalidated
 * @gather: The gather
 * @iova: Its address
 * @size: Its size
 *
 * A gather becomes one request, whatever it consists of: the wait for a request
 * costs more than a few entries that are invalidated needlessly because they
 * lie in between. &iommu_iotlb_gather.pgsize is the mask of all sizes here.
 */
static inline void vtab_gather_add(struct iommu_iotlb_gather *gather,
				   unsigned long iova, size_t size)
{
	gather->pgsize |= size;
	iommu_iotlb_gather_add_range(gather, iova, size);
}

/**
 * vtab_gather_add_tables - Add tables that were freed to what is to be invalidated
 * @gather: The gather
 * @iova: First address that they translated
 * @size: Size of what they translated
 * @granule: Size of the smallest page
 *
 * This makes two sizes in the mask, for which there is no LEAF.
 */
static inline void vtab_gather_add_tables(struct iommu_iotlb_gather *gather,
					  unsigned long iova, size_t size,
					  size_t granule)
{
	vtab_gather_add(gather, iova, size);
	gather->pgsize |= granule;
}

/**
 * vtab_arm_make_inv_range - Fill an INVALIDATE request in: addresses
 * @domain: Domain ID
 * @asid: ASID
 * @start: First address
 * @last: Last address
 * @sizes: Mask of the sizes of the pages and blocks in the range; start and
 *         last + 1 are aligned to the smallest one
 * @leaf: No table was freed, only pages and blocks were unmapped
 * @req: Result
 *
 * The device derives the level of the entries from page size and LEAF: there is
 * no LEAF where entries of several levels have changed.
 */
static inline void
vtab_arm_make_inv_range(u32 domain, u32 asid, u64 start, u64 last,
			unsigned long sizes, bool leaf,
			struct virtio_iommu_req_invalidate *req)
{
	unsigned int shift = __ffs(sizes);
	u16 flags = VIRTIO_IOMMU_INV_F_ID;

	if (leaf && sizes == BIT(shift))
		flags |= VIRTIO_IOMMU_INV_F_LEAF;
	*req = (struct virtio_iommu_req_invalidate) {
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.scope = VIRTIO_IOMMU_INV_S_ADDRESS,
		.caches = VIRTIO_IOMMU_INV_C_TLB,
		.flags = cpu_to_le16(flags),
		.domain = cpu_to_le32(domain),
		.id = cpu_to_le64(asid),
		.address = cpu_to_le64(start),
		.nr_pages = cpu_to_le64(((last - start) >> shift) + 1),
		.page_size = shift,
	};
}

/**
 * vtab_arm_make_inv_asid - Fill an INVALIDATE request in: a whole ASID
 * @domain: Domain ID
 * @asid: ASID
 * @req: Result
 */
static inline void
vtab_arm_make_inv_asid(u32 domain, u32 asid,
		       struct virtio_iommu_req_invalidate *req)
{
	*req = (struct virtio_iommu_req_invalidate) {
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.scope = VIRTIO_IOMMU_INV_S_PASID,
		.caches = VIRTIO_IOMMU_INV_C_TLB,
		.flags = cpu_to_le16(VIRTIO_IOMMU_INV_F_ID),
		.domain = cpu_to_le32(domain),
		.id = cpu_to_le64(asid),
	};
}

#endif /* _VIRTIO_IOMMU_TABLE_ARM_H */
