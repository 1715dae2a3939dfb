// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the mock's Arm IOMMU translates: context descriptors and tables of the
 * guest, and the caches in front of them
 *
 * The caches keep everything they can, pages one by one even if a larger block
 * maps them, until a command or a change of the attachment takes it away; so an
 * invalidation that is missing, or too small, shows as DMA to the old place.
 *
 * One granule (4 KiB), one range of addresses (TTB0), tables of context
 * descriptors of one level, no stalls, no hardware management of flags.
 */
#include <linux/bitfield.h>
#include <linux/sizes.h>

#include "mock.h"
#include "mock_smmu.h"

#define MOCK_LAST_LEVEL	3

/* A page of the parent is a page of the guest. */
static_assert(PAGE_SIZE == SZ_4K);

/* A context descriptor, decoded */
struct mock_context {
	u64 ttb;
	u64 oa_mask;
	unsigned int va_bits;
	u16 asid;
	bool disabled;
	bool report;
	bool access_flag;
	bool stalls;
};

/* Caches */

static struct mock_tlb_entry *mock_tlb_find(struct mock_iommu *iommu, u64 vmid,
					    u16 asid, u64 page, bool walk)
{
	struct mock_tlb_entry *e;

	lockdep_assert_held(&iommu->lock);

	for (e = iommu->tlb; e < iommu->tlb + iommu->tlb_used; e++)
		if (e->vmid == vmid && e->page == page && e->walk == walk &&
		    (e->asid == asid || e->global))
			return e;
	return NULL;
}

static void mock_tlb_add(struct mock_iommu *iommu,
			 const struct mock_tlb_entry *new)
{
	struct mock_tlb_entry *e;

	lockdep_assert_held(&iommu->lock);

	for (e = iommu->tlb; e < iommu->tlb + iommu->tlb_used; e++)
		if (!e->vmid)
			break;
	if (e == iommu->tlb + MOCK_TLB_SIZE) {
		e = &iommu->tlb[iommu->tlb_hand++ % MOCK_TLB_SIZE];
		iommu->stats.evictions++;
	} else if (e == iommu->tlb + iommu->tlb_used) {
		iommu->tlb_used++;
	}
	*e = *new;
}

static bool mock_tlb_matches(const struct mock_tlb_entry *e,
			     const struct mock_tlb_inv *inv)
{
	u64 first = e->page, last = e->page;

	if (e->vmid != inv->vmid)
		return false;
	/* Pages of all address spaces go by address, not by address space. */
	if (inv->by_asid && (e->global ? !inv->by_page : e->asid != inv->asid))
		return false;
	if (!inv->by_page)
		return true;
	if (e->walk) {
		if (inv->leaf)
			return false;
		first = e->page << ilog2(SZ_2M / SZ_4K);
		last = first + SZ_2M / SZ_4K - 1;
	} else if (inv->level && e->level != inv->level) {
		return false;
	}
	return first <= inv->last && last >= inv->first;
}

/**
 * mock_tlb_invalidate() - Drop translations
 * @iommu: The IOMMU
 * @inv: Which
 */
void mock_tlb_invalidate(struct mock_iommu *iommu,
			 const struct mock_tlb_inv *inv)
{
	unsigned int i;

	lockdep_assert_held(&iommu->lock);

	for (i = 0; i < iommu->tlb_used; i++)
		if (mock_tlb_matches(&iommu->tlb[i], inv))
			iommu->tlb[i].vmid = 0;
	while (iommu->tlb_used && !iommu->tlb[iommu->tlb_used - 1].vmid)
		iommu->tlb_used--;
}

static struct mock_cd *mock_cd_find(struct mock_device *mdev, u32 ssid)
{
	struct mock_cd *cd;

	lockdep_assert_held(&mdev->iommu->lock);

	for (cd = mdev->cd; cd < mdev->cd + MOCK_CD_SIZE; cd++)
		if (cd->valid && cd->ssid == ssid)
			return cd;
	return NULL;
}

static struct mock_cd *mock_cd_slot(struct mock_device *mdev)
{
	struct mock_cd *cd;

	lockdep_assert_held(&mdev->iommu->lock);

	for (cd = mdev->cd; cd < mdev->cd + MOCK_CD_SIZE; cd++)
		if (!cd->valid)
			return cd;
	mdev->iommu->stats.evictions++;
	return &mdev->cd[mdev->cd_hand++ % MOCK_CD_SIZE];
}

/**
 * mock_cd_invalidate() - Drop context descriptors of a device
 * @mdev: The device
 * @all: All of them
 * @ssid: If not all, this one
 */
void mock_cd_invalidate(struct mock_device *mdev, bool all, u32 ssid)
{
	struct mock_cd *cd;

	lockdep_assert_held(&mdev->iommu->lock);

	for (cd = mdev->cd; cd < mdev->cd + MOCK_CD_SIZE; cd++)
		if (all || cd->ssid == ssid)
			cd->valid = false;
}

static struct mock_atc_entry *mock_atc_find(struct mock_device *mdev,
					    u32 pasid, u64 page)
{
	struct mock_atc_entry *e;

	lockdep_assert_held(&mdev->iommu->lock);

	for (e = mdev->atc; e < mdev->atc + MOCK_ATC_SIZE; e++)
		if (e->vmid && e->page == page && e->pasid == pasid)
			return e;
	return NULL;
}

static void mock_atc_add(struct mock_device *mdev,
			 const struct mock_atc_entry *new)
{
	struct mock_atc_entry *e = mock_atc_find(mdev, new->pasid, new->page);
	unsigned int i;

	for (i = 0; !e && i < MOCK_ATC_SIZE; i++)
		if (!mdev->atc[i].vmid)
			e = &mdev->atc[i];
	if (!e) {
		e = &mdev->atc[mdev->atc_hand++ % MOCK_ATC_SIZE];
		mdev->iommu->stats.evictions++;
	}
	*e = *new;
}

/**
 * mock_atc_invalidate() - Drop translations of a device's own cache
 * @mdev: The device
 * @all_pasids: Of all PASIDs
 * @pasid: If not of all, of this one
 * @first: First page
 * @last: Last page
 */
void mock_atc_invalidate(struct mock_device *mdev, bool all_pasids, u32 pasid,
			 u64 first, u64 last)
{
	struct mock_atc_entry *e;

	lockdep_assert_held(&mdev->iommu->lock);

	for (e = mdev->atc; e < mdev->atc + MOCK_ATC_SIZE; e++)
		if ((all_pasids || e->pasid == pasid) && e->page >= first &&
		    e->page <= last)
			e->vmid = 0;
}

/**
 * mock_walk_flush_parent() - A parent has lost entries
 * @iommu: The IOMMU
 * @vmid: Serial number of the parent
 *
 * Context descriptors stay: what is in the cache needs no memory any more. A
 * parent that goes has lost all of its entries before.
 */
void mock_walk_flush_parent(struct mock_iommu *iommu, u64 vmid)
{
	const struct mock_tlb_inv inv = { .vmid = vmid };
	struct mock_device *mdev;
	unsigned int i, k;

	guard(spinlock)(&iommu->lock);
	mock_tlb_invalidate(iommu, &inv);
	for (i = 0; i < nr_mock_devices; i++) {
		mdev = mock_devices[i];
		if (mdev->iommu != iommu)
			continue;
		for (k = 0; k < MOCK_ATC_SIZE; k++)
			if (mdev->atc[k].vmid == vmid)
				mdev->atc[k].vmid = 0;
	}
}

/**
 * mock_walk_flush_device() - A device was attached to something else
 * @mdev: The device
 *
 * Translations in the IOMMU stay: they belong to an address space.
 */
void mock_walk_flush_device(struct mock_device *mdev)
{
	guard(spinlock)(&mdev->iommu->lock);
	mock_cd_invalidate(mdev, true, 0);
	mock_atc_invalidate(mdev, true, 0, 0, ~0ULL);
}

/**
 * mock_walk_stats() - Count what is in the caches
 * @mdev: A device
 * @nest: The counters are set
 */
void mock_walk_stats(struct mock_device *mdev,
		     struct vhost_iommu_mock_nest *nest)
{
	struct mock_iommu *iommu = mdev->iommu;
	unsigned int i;

	lockdep_assert_held(&iommu->lock);

	for (i = 0; i < iommu->tlb_used; i++) {
		if (!iommu->tlb[i].vmid)
			continue;
		if (iommu->tlb[i].walk)
			nest->walk_entries++;
		else
			nest->tlb_entries++;
	}
	for (i = 0; i < MOCK_CD_SIZE; i++)
		nest->cd_entries += mdev->cd[i].valid;
	for (i = 0; i < MOCK_ATC_SIZE; i++)
		nest->atc_entries += !!mdev->atc[i].vmid;
}

/* Faults */

static u32 mock_fault(struct mock_access *acc, u8 id, u32 status)
{
	acc->fault = true;
	acc->event[0] = FIELD_PREP(EVT0_ID, id);
	if (acc->pasid)
		acc->event[0] |= EVT0_SSV | FIELD_PREP(EVT0_SSID, acc->pasid);
	if (id < EVT_TRANSLATION)
		return status;
	acc->event[1] = FIELD_PREP(EVT1_CLASS, EVT1_CLASS_IN);
	if (!acc->write)
		acc->event[1] |= EVT1_RNW;
	acc->event[2] = acc->iova;
	return status;
}

static u32 mock_config_fault(struct mock_access *acc, u8 id)
{
	return mock_fault(acc, id, VHOST_IOMMU_MOCK_DMA_BAD_CONFIG);
}

static u32 mock_walk_fault(const struct mock_context *ctx,
			   struct mock_access *acc, u8 id)
{
	u32 status;

	if (ctx->stalls)
		return VHOST_IOMMU_MOCK_DMA_STALLED;
	status = mock_fault(acc, id, id == EVT_TRANSLATION ?
			    VHOST_IOMMU_MOCK_DMA_UNMAPPED :
			    VHOST_IOMMU_MOCK_DMA_DENIED);
	acc->fault = ctx->report;
	return status;
}

/* The guest hears nothing of what the parent does not map. */
static u32 mock_stage2_fault(struct mock_iommu *iommu, u32 status)
{
	if (status)
		iommu->stats.stage2_faults++;
	return status;
}

/* Translation */

static u32 mock_fetch(struct mock_nested *nested, u64 ipa, u64 *data,
		      unsigned int words)
{
	u32 status = mock_domain_access(nested->viommu->parent, ipa, data,
					words * sizeof(*data), false);
	unsigned int i;

	if (status)
		return mock_stage2_fault(nested->viommu->iommu, status);
	for (i = 0; i < words; i++)
		data[i] = le64_to_cpu((__force __le64)data[i]);
	return status;
}

/*
 * Which context descriptor the access is for. Sets @skip if it is for none, as
 * stage 1 lets it pass.
 */
static u32 mock_find_ssid(struct mock_nested *nested, struct mock_access *acc,
			  u32 *ssid, bool *skip)
{
	u64 max = FIELD_GET(STE0_S1CDMAX, nested->ste[0]);
	u32 idr1 = nested->viommu->iommu->stats.config.idr[1];

	if (max > FIELD_GET(IDR1_SSIDSIZE, idr1) ||
	    (max && FIELD_GET(STE0_S1FMT, nested->ste[0])))
		return mock_config_fault(acc, EVT_BAD_STE);

	*ssid = acc->pasid;
	if (acc->pasid >> max)
		return mock_config_fault(acc, EVT_BAD_SUBSTREAMID);
	if (acc->pasid || !max)
		return VHOST_IOMMU_MOCK_DMA_OK;

	switch (FIELD_GET(STE1_S1DSS, nested->ste[1])) {
	case STE1_S1DSS_TERMINATE:
		return mock_config_fault(acc, EVT_STREAM_DISABLED);
	case STE1_S1DSS_BYPASS:
		*skip = true;
		return VHOST_IOMMU_MOCK_DMA_OK;
	case STE1_S1DSS_SSID0:
		return VHOST_IOMMU_MOCK_DMA_OK;
	default:
		return mock_config_fault(acc, EVT_BAD_STE);
	}
}

static bool mock_decode_cd(const struct vhost_iommu_mock_config *config,
			   u64 ste1, const u64 *cd, struct mock_context *ctx)
{
	static const u8 oa_bits[] = { 32, 36, 40, 42, 44, 48, 48, 48 };
	u64 t0sz = FIELD_GET(CD0_T0SZ, cd[0]);
	u64 oas = FIELD_GET(IDR5_OAS, config->idr[5]);
	u64 ips = FIELD_GET(CD0_IPS, cd[0]);

	/* Faults end the access, unless it may stall; it can't be ignored */
	if (!(cd[0] & CD0_V) || !(cd[0] & CD0_AA64) || !(cd[0] & CD0_A) ||
	    (cd[0] & CD0_ENDI))
		return false;
	ctx->stalls = cd[0] & CD0_S;
	if (ctx->stalls && (FIELD_GET(IDR0_STALL_MODEL, config->idr[0]) ||
			    ste1 & STE1_S1STALLD))
		return false;
	ctx->asid = FIELD_GET(CD0_ASID, cd[0]);
	if (!(config->idr[0] & IDR0_ASID16) && ctx->asid > 0xff)
		return false;
	ctx->disabled = cd[0] & CD0_EPD0;
	if (!ctx->disabled &&
	    (FIELD_GET(CD0_TG0, cd[0]) || t0sz < 16 || t0sz > 39))
		return false;
	ctx->va_bits = 64 - t0sz;
	ctx->ttb = cd[1] & CD1_TTB0;
	ctx->oa_mask = BIT_ULL(oa_bits[min(ips, oas)]) - 1;
	ctx->report = cd[0] & CD0_R;
	ctx->access_flag = !(cd[0] & CD0_AFFD);
	return !(ctx->ttb & ~ctx->oa_mask);
}

static u32 mock_find_context(struct mock_device *mdev,
			     struct mock_access *acc, u32 ssid,
			     struct mock_context *ctx)
{
	struct mock_nested *nested = mdev->nested;
	struct mock_cd *cd = mock_cd_find(mdev, ssid);
	u32 status;

	if (!cd) {
		u64 table = nested->ste[0] & STE0_S1CTXPTR;
		u64 data[8];

		status = mock_fetch(nested, table + ssid * sizeof(data), data,
				    ARRAY_SIZE(data));
		if (status)
			return status;
		cd = mock_cd_slot(mdev);
		cd->valid = true;
		cd->ssid = ssid;
		memcpy(cd->data, data, sizeof(data));
	}
	if (!mock_decode_cd(&mdev->iommu->stats.config, nested->ste[1],
			    cd->data, ctx))
		return mock_config_fault(acc, EVT_BAD_CD);
	return VHOST_IOMMU_MOCK_DMA_OK;
}

static unsigned int mock_level_shift(unsigned int level)
{
	return 12 + 9 * (MOCK_LAST_LEVEL - level);
}

/* Find the entry that maps a page, and cache the tables on the way there. */
static u32 mock_walk_tables(struct mock_nested *nested,
			    const struct mock_context *ctx,
			    struct mock_access *acc, u64 *pte, u8 *leaf_level)
{
	struct mock_viommu *viommu = nested->viommu;
	unsigned int level, shift;
	struct mock_tlb_entry walk = {
		.vmid = viommu->parent->id,
		.page = acc->iova >> mock_level_shift(2),
		.asid = ctx->asid,
		.level = MOCK_LAST_LEVEL,
		.walk = true,
	};
	struct mock_tlb_entry *e;
	u64 table = ctx->ttb;
	u32 status;

	level = 4 - DIV_ROUND_UP(ctx->va_bits - 12, 9);
	e = mock_tlb_find(viommu->iommu, walk.vmid, walk.asid, walk.page, true);
	if (e) {
		level = MOCK_LAST_LEVEL;
		table = e->target;
	}

	for (;; level++) {
		shift = mock_level_shift(level);
		status = mock_fetch(nested,
				    table + (acc->iova >> shift) % 512 * 8,
				    pte, 1);
		if (status)
			return status;
		if (!(*pte & LPAE_VALID))
			return mock_walk_fault(ctx, acc, EVT_TRANSLATION);
		if (level == MOCK_LAST_LEVEL || !(*pte & LPAE_TABLE))
			break;
		table = *pte & LPAE_ADDR;
		if (table & ~ctx->oa_mask)
			return mock_walk_fault(ctx, acc, EVT_ADDR_SIZE);
		if (level == MOCK_LAST_LEVEL - 1) {
			walk.target = table;
			mock_tlb_add(viommu->iommu, &walk);
		}
	}

	/* There are no blocks at the first level, nor at the last. */
	if (!level || (level == MOCK_LAST_LEVEL && !(*pte & LPAE_TABLE)))
		return mock_walk_fault(ctx, acc, EVT_TRANSLATION);
	*leaf_level = level;
	return VHOST_IOMMU_MOCK_DMA_OK;
}

static int mock_pte_allows(u64 pte)
{
	if (!(pte & LPAE_AP_UNPRIV))
		return 0;
	return pte & LPAE_AP_RDONLY ? IOMMU_READ : IOMMU_READ | IOMMU_WRITE;
}

/* Walk the guest's tables and the parent, and cache what that led to. */
static u32 mock_walk(struct mock_nested *nested, const struct mock_context *ctx,
		     struct mock_access *acc, struct mock_tlb_entry *e)
{
	struct mock_viommu *viommu = nested->viommu;
	u64 pte, ipa, block;
	int s2_prot;
	u32 status;

	*e = (struct mock_tlb_entry){
		.vmid = viommu->parent->id,
		.page = acc->iova >> PAGE_SHIFT,
		.asid = ctx->asid,
	};
	status = mock_walk_tables(nested, ctx, acc, &pte, &e->level);
	if (status)
		return status;

	if (ctx->access_flag && !(pte & LPAE_AF))
		return mock_walk_fault(ctx, acc, EVT_ACCESS);
	block = BIT_ULL(mock_level_shift(e->level)) - 1;
	ipa = (pte & LPAE_ADDR & ~block) | (acc->iova & block);
	if (ipa & ~ctx->oa_mask)
		return mock_walk_fault(ctx, acc, EVT_ADDR_SIZE);

	status = mock_domain_walk(viommu->parent, ipa, &e->target, &s2_prot);
	if (status)
		return mock_stage2_fault(viommu->iommu, status);
	e->prot = mock_pte_allows(pte);
	e->s2_prot = s2_prot;
	e->global = !(pte & LPAE_NG);
	mock_tlb_add(viommu->iommu, e);
	return VHOST_IOMMU_MOCK_DMA_OK;
}

static u32 mock_translate(struct mock_device *mdev, struct mock_access *acc,
			  struct mock_tlb_entry *out)
{
	int want = acc->write ? IOMMU_WRITE : IOMMU_READ;
	struct mock_nested *nested = mdev->nested;
	u64 vmid = nested->viommu->parent->id;
	struct mock_context ctx = { };
	struct mock_tlb_entry *e;
	bool skip = false;
	int s2_prot;
	u32 status;
	u32 ssid;

	status = mock_find_ssid(nested, acc, &ssid, &skip);
	if (status)
		return status;

	if (skip) {
		*out = (struct mock_tlb_entry){ .vmid = vmid, .prot = want };
		status = mock_domain_walk(nested->viommu->parent, acc->iova,
					  &out->target, &s2_prot);
		if (status)
			return mock_stage2_fault(mdev->iommu, status);
		out->s2_prot = s2_prot;
	} else {
		status = mock_find_context(mdev, acc, ssid, &ctx);
		if (status)
			return status;
		if (ctx.disabled || acc->iova >> ctx.va_bits)
			return mock_walk_fault(&ctx, acc, EVT_TRANSLATION);

		e = mock_tlb_find(mdev->iommu, vmid, ctx.asid,
				  acc->iova >> PAGE_SHIFT, false);
		if (e)
			*out = *e;
		else
			status = mock_walk(nested, &ctx, acc, out);
		if (status)
			return status;
	}

	if (!(out->prot & want))
		return mock_walk_fault(&ctx, acc, EVT_PERMISSION);
	if (!(out->s2_prot & want))
		return mock_stage2_fault(mdev->iommu,
					 VHOST_IOMMU_MOCK_DMA_DENIED);
	return VHOST_IOMMU_MOCK_DMA_OK;
}

/* A device with a cache asks for the translation and remembers it. */
static u32 mock_translate_ats(struct mock_device *mdev, struct mock_access *acc,
			      struct mock_tlb_entry *out)
{
	int want = acc->write ? IOMMU_WRITE : IOMMU_READ;
	u64 page = acc->iova >> PAGE_SHIFT;
	struct mock_atc_entry *e;
	u32 status;

	e = mock_atc_find(mdev, acc->pasid, page);
	if (e && (e->prot & want)) {
		out->target = e->pfn;
		return VHOST_IOMMU_MOCK_DMA_OK;
	}

	status = mock_translate(mdev, acc, out);
	if (!status)
		mock_atc_add(mdev, &(struct mock_atc_entry){
			.vmid = out->vmid,
			.page = page,
			.pfn = out->target,
			.pasid = acc->pasid,
			.prot = out->prot & out->s2_prot,
		});
	return status;
}

/**
 * mock_walk_access() - Access memory through a nested page table
 * @mdev: The device, attached to one
 * @acc: The access
 *
 * Return: VHOST_IOMMU_MOCK_DMA_*. If the guest is to get an event, the access
 * is marked.
 */
u32 mock_walk_access(struct mock_device *mdev, struct mock_access *acc)
{
	struct mock_nested *nested = mdev->nested;
	struct mock_tlb_entry e;
	u32 status;

	lockdep_assert_held(&mdev->lock);

	guard(spinlock)(&mdev->iommu->lock);
	if (nested->state != VHOST_IOMMU_MOCK_NEST_STAGE1) {
		if (acc->pasid)
			return VHOST_IOMMU_MOCK_DMA_BAD_CONFIG;
		status = mock_domain_access(mdev->domain, acc->iova, acc->buf,
					    acc->len, acc->write);
		if (nested->state != VHOST_IOMMU_MOCK_NEST_SELFTEST)
			return mock_stage2_fault(mdev->iommu, status);
		/* An event of this type says nothing but whose it is. */
		acc->fault = status;
		return status;
	}

	if (nested->ats)
		status = mock_translate_ats(mdev, acc, &e);
	else
		status = mock_translate(mdev, acc, &e);
	if (status)
		return status;
	return mock_copy(e.target, acc->iova, acc->buf, acc->len, acc->write);
}
