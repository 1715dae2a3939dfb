// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: formats of guest tables, what they have in common
 */
#include <kunit/visibility.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sort.h>

#include "iommu_format.h"

static const struct vhost_iommu_format * const vhost_iommu_formats[] = {
	&vhost_iommu_format_arm,
#if IS_ENABLED(CONFIG_IOMMUFD_TEST)
	&vhost_iommu_format_selftest,
#endif
};

/**
 * vhost_iommu_format_find - Find a format
 * @id: VIRTIO_IOMMU_FORMAT_*
 *
 * Return: The format, or NULL.
 */
const struct vhost_iommu_format *vhost_iommu_format_find(u32 id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vhost_iommu_formats); i++)
		if (vhost_iommu_formats[i]->id == id)
			return vhost_iommu_formats[i];
	return NULL;
}

/**
 * vhost_iommu_format_mask - Tell which formats there are
 *
 * Return: A mask of 1 << VIRTIO_IOMMU_FORMAT_*; a format whose number does not
 * fit is not in it.
 */
u64 vhost_iommu_format_mask(void)
{
	u64 mask = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vhost_iommu_formats); i++)
		if (vhost_iommu_formats[i]->id < 64)
			mask |= BIT_ULL(vhost_iommu_formats[i]->id);
	return mask;
}

/* All members but the range, most important first; page sizes have 6 bits */
static u64 vhost_iommu_inv_kind(const struct vhost_iommu_inv *inv)
{
	return (u64)inv->scope << 48 | (u64)inv->id << 8 | inv->page_size << 1 |
	       inv->leaf;
}

static int vhost_iommu_inv_cmp(const void *_a, const void *_b)
{
	const struct vhost_iommu_inv *a = _a, *b = _b;
	u64 kind = vhost_iommu_inv_kind(a), other = vhost_iommu_inv_kind(b);

	if (kind != other)
		return kind < other ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

/* A guest that unmaps one page after the other has them in order already */
static bool vhost_iommu_inv_is_sorted(const struct vhost_iommu_inv *inv,
				      unsigned int nr)
{
	u64 kind, before = vhost_iommu_inv_kind(inv);
	unsigned int i;

	for (i = 1; i < nr; i++, before = kind) {
		kind = vhost_iommu_inv_kind(&inv[i]);
		if (kind < before ||
		    (kind == before && inv[i].start < inv[i - 1].start))
			return false;
	}
	return true;
}

/* Ranges in order, and none that touches the one before: there is nothing to merge */
static bool vhost_iommu_inv_is_least(const struct vhost_iommu_inv *inv,
				     unsigned int nr)
{
	u64 kind, before = vhost_iommu_inv_kind(inv);
	unsigned int i;

	/* Wider scopes come first */
	if (inv->scope < VHOST_IOMMU_INV_RANGE)
		return false;
	for (i = 1; i < nr; i++, before = kind) {
		kind = vhost_iommu_inv_kind(&inv[i]);
		if (kind < before ||
		    (kind == before && (inv[i - 1].last == U64_MAX ||
					inv[i].start <= inv[i - 1].last + 1)))
			return false;
	}
	return true;
}

/**
 * vhost_iommu_inv_merge - Find fewer invalidations that have the same effect
 * @inv: The invalidations; in no particular order afterwards
 * @nr: Their number
 *
 * Ranges that touch or overlap become one if they are of one address space and
 * equal in page size and leaf hint. What a wider scope covers goes.
 *
 * Return: The number of those that are left, at least 1 if @nr is.
 */
unsigned int vhost_iommu_inv_merge(struct vhost_iommu_inv *inv, unsigned int nr)
{
	unsigned int i, ids = 0, out = 0;
	u64 kind, before = U64_MAX;

	if (nr < 2 || vhost_iommu_inv_is_least(inv, nr))
		return nr;
	if (!vhost_iommu_inv_is_sorted(inv, nr))
		sort(inv, nr, sizeof(*inv), vhost_iommu_inv_cmp, NULL);
	if (inv[0].scope == VHOST_IOMMU_INV_ALL)
		return 1;

	for (i = 0; i < nr; i++) {
		struct vhost_iommu_inv *last = out ? &inv[out - 1] : NULL;
		unsigned int k;

		if (inv[i].scope == VHOST_IOMMU_INV_RANGE) {
			/* Those of scope ID are in front, few and sorted */
			for (k = 0; k < ids && inv[k].id < inv[i].id; k++)
				;
			if (k < ids && inv[k].id == inv[i].id)
				continue;
		}
		kind = vhost_iommu_inv_kind(&inv[i]);
		if (kind == before &&
		    (last->last == U64_MAX || inv[i].start <= last->last + 1)) {
			last->last = max(last->last, inv[i].last);
			continue;
		}
		before = kind;
		if (out != i)
			inv[out] = inv[i];
		out++;
		if (inv[i].scope == VHOST_IOMMU_INV_ID)
			ids = out;
	}
	return out;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_inv_merge);
