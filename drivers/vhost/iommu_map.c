// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu mappings of a domain, and the page-table memory that they touch
 *
 * The specification's rules for MAP and UNMAP (VIRTIO 1.3, sections 5.13.6.5
 * and 5.13.6.6) are stricter than iommufd's, so each domain keeps its own
 * tree, is asked first, and the IOMMU is then given exact ranges.
 */
#include <kunit/visibility.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "iommu_map.h"

/**
 * vhost_iommu_map_tree_init - Make an empty tree
 * @tree: The tree
 */
void vhost_iommu_map_tree_init(struct vhost_iommu_map_tree *tree)
{
	tree->root = RB_ROOT;
	tree->count = 0;
	tree->bytes = 0;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_map_tree_init);

/**
 * vhost_iommu_map_first - Find the lowest mapping that overlaps a range
 * @tree: The tree
 * @start: First IOVA of the range
 * @last: Last IOVA of the range
 *
 * Return: The mapping, or NULL.
 */
struct vhost_iommu_map *
vhost_iommu_map_first(const struct vhost_iommu_map_tree *tree, u64 start,
		      u64 last)
{
	struct rb_node *node = tree->root.rb_node;
	struct vhost_iommu_map *found = NULL;

	while (node) {
		struct vhost_iommu_map *map;

		map = rb_entry(node, struct vhost_iommu_map, node);
		if (map->last < start) {
			node = node->rb_right;
		} else {
			found = map;
			node = node->rb_left;
		}
	}
	return found && found->start <= last ? found : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_map_first);

/**
 * vhost_iommu_map_next - Find the mapping that follows in IOVA order
 * @map: A mapping that is in a tree
 *
 * Return: The next mapping, or NULL.
 */
struct vhost_iommu_map *vhost_iommu_map_next(const struct vhost_iommu_map *map)
{
	struct rb_node *node = rb_next(&map->node);

	return node ? rb_entry(node, struct vhost_iommu_map, node) : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_map_next);

/**
 * vhost_iommu_map_insert - Add a mapping
 * @tree: The tree
 * @map: The mapping; the tree keeps it until vhost_iommu_map_erase()
 *
 * Return: 0, or -EEXIST if it overlaps a mapping in the tree.
 */
int vhost_iommu_map_insert(struct vhost_iommu_map_tree *tree,
			   struct vhost_iommu_map *map)
{
	struct rb_node **link = &tree->root.rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		struct vhost_iommu_map *other;

		parent = *link;
		other = rb_entry(parent, struct vhost_iommu_map, node);
		if (map->last < other->start)
			link = &parent->rb_left;
		else if (map->start > other->last)
			link = &parent->rb_right;
		else
			return -EEXIST;
	}
	rb_link_node(&map->node, parent, link);
	rb_insert_color(&map->node, &tree->root);
	tree->count++;
	tree->bytes += map->last - map->start + 1;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_map_insert);

/**
 * vhost_iommu_map_erase - Take a mapping out
 * @tree: The tree
 * @map: A mapping that is in @tree; the caller frees it
 */
void vhost_iommu_map_erase(struct vhost_iommu_map_tree *tree,
			   struct vhost_iommu_map *map)
{
	rb_erase(&map->node, &tree->root);
	tree->count--;
	tree->bytes -= map->last - map->start + 1;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_map_erase);

/**
 * vhost_iommu_map_resize - Let a mapping begin or end elsewhere
 * @tree: The tree
 * @map: A mapping that is in @tree
 * @start: New first IOVA; what it stands for moves with it
 * @last: New last IOVA; no other mapping is in the way
 */
void vhost_iommu_map_resize(struct vhost_iommu_map_tree *tree,
			    struct vhost_iommu_map *map, u64 start, u64 last)
{
	tree->bytes += (last - start) - (map->last - map->start);
	map->phys += start - map->start;
	map->start = start;
	map->last = last;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_map_resize);

/**
 * vhost_iommu_map_splits - Tell whether removing a range would split a mapping
 * @tree: The tree
 * @start: First IOVA of the range
 * @last: Last IOVA of the range
 *
 * Mappings do not overlap, so only the one over @start and the one over @last
 * can stick out.
 *
 * Return: true if a mapping lies partly inside and partly outside of the range.
 */
bool vhost_iommu_map_splits(const struct vhost_iommu_map_tree *tree, u64 start,
			    u64 last)
{
	const struct vhost_iommu_map *map;

	map = vhost_iommu_map_first(tree, start, start);
	if (map && map->start < start)
		return true;
	map = vhost_iommu_map_first(tree, last, last);
	return map && map->last > last;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_map_splits);

struct vhost_iommu_span {
	struct rb_node node;
	u64 first;
	u64 last;
};

static struct vhost_iommu_span *
vhost_iommu_span_first(const struct vhost_iommu_spans *spans, u64 first,
		       u64 last)
{
	struct rb_node *node = spans->root.rb_node;
	struct vhost_iommu_span *found = NULL;

	while (node) {
		struct vhost_iommu_span *span;

		span = rb_entry(node, struct vhost_iommu_span, node);
		if (span->last < first) {
			node = node->rb_right;
		} else {
			found = span;
			node = node->rb_left;
		}
	}
	return found && found->first <= last ? found : NULL;
}

static struct vhost_iommu_span *
vhost_iommu_span_next(const struct vhost_iommu_span *span)
{
	struct rb_node *node = rb_next(&span->node);

	return node ? rb_entry(node, struct vhost_iommu_span, node) : NULL;
}

static u64 vhost_iommu_spans_missing(const struct vhost_iommu_spans *spans,
				     u64 first, u64 last)
{
	const struct vhost_iommu_span *span;
	u64 missing = last - first + 1;

	span = vhost_iommu_span_first(spans, first, last);
	while (span && span->first <= last) {
		missing -= min(span->last, last) - max(span->first, first) + 1;
		span = vhost_iommu_span_next(span);
	}
	return missing;
}

static void vhost_iommu_span_insert(struct vhost_iommu_spans *spans,
				    struct vhost_iommu_span *span)
{
	struct rb_node **link = &spans->root.rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		parent = *link;
		if (span->first < rb_entry(parent, struct vhost_iommu_span,
					   node)->first)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&span->node, parent, link);
	rb_insert_color(&span->node, &spans->root);
}

static int vhost_iommu_spans_add(struct vhost_iommu_spans *spans, u64 first,
				 u64 last, gfp_t gfp)
{
	/* Neighbours that touch the range become one with it */
	u64 low = first ? first - 1 : 0;
	struct vhost_iommu_span *span, *next;

	span = vhost_iommu_span_first(spans, low, last + 1);
	if (!span) {
		span = kmalloc_obj(*span, gfp);
		if (!span)
			return -ENOMEM;
		span->first = first;
		span->last = last;
		vhost_iommu_span_insert(spans, span);
		spans->count += last - first + 1;
		return 0;
	}

	spans->count += vhost_iommu_spans_missing(spans, first, last);
	/* No range before it reaches as far as @first - 1: the order holds */
	span->first = min(span->first, first);
	span->last = max(span->last, last);
	next = vhost_iommu_span_next(span);
	while (next && next->first <= span->last + 1) {
		span->last = max(span->last, next->last);
		rb_erase(&next->node, &spans->root);
		kfree(next);
		next = vhost_iommu_span_next(span);
	}
	return 0;
}

static void vhost_iommu_spans_clear(struct vhost_iommu_spans *spans)
{
	struct vhost_iommu_span *span, *tmp;

	rbtree_postorder_for_each_entry_safe(span, tmp, &spans->root, node) {
		kfree(span);
		cond_resched();
	}
	spans->root = RB_ROOT;
	spans->count = 0;
}

/*
 * A table is a page with entries of 8 bytes. IOMMU drivers use the CPU's page
 * size wherever the IOMMU has it.
 */
static unsigned int vhost_iommu_table_shift(unsigned int level)
{
	return PAGE_SHIFT + (PAGE_SHIFT - 3) * (level + 1);
}

/**
 * vhost_iommu_tables_init - Make an empty account of page tables
 * @tables: The account
 */
void vhost_iommu_tables_init(struct vhost_iommu_tables *tables)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_TABLE_LEVELS; i++) {
		tables->level[i].root = RB_ROOT;
		tables->level[i].count = 0;
	}
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_tables_init);

/**
 * vhost_iommu_tables_pages - Number of pages that the tables can take
 * @tables: The account
 *
 * Return: The number of 4 KiB pages.
 */
u64 vhost_iommu_tables_pages(const struct vhost_iommu_tables *tables)
{
	u64 pages = 0;
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_TABLE_LEVELS; i++)
		pages += tables->level[i].count;
	return pages * (PAGE_SIZE / SZ_4K);
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_tables_pages);

/**
 * vhost_iommu_tables_least - Number of pages that a mapping takes at least
 * @start: First IOVA of the mapping
 * @last: Last IOVA of the mapping
 *
 * Those of its leaf tables, whoever has touched them: no walk.
 *
 * Return: The number of 4 KiB pages.
 */
u64 vhost_iommu_tables_least(u64 start, u64 last)
{
	unsigned int shift = vhost_iommu_table_shift(0);

	return ((last >> shift) - (start >> shift) + 1) * (PAGE_SIZE / SZ_4K);
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_tables_least);

/**
 * vhost_iommu_tables_missing - Number of pages that a mapping would add
 * @tables: The account
 * @start: First IOVA of the mapping
 * @last: Last IOVA of the mapping
 *
 * Counts all leaf tables, as if no large page were used: whether the host's
 * memory allows one is not known here.
 *
 * Return: The number of 4 KiB pages.
 */
u64 vhost_iommu_tables_missing(const struct vhost_iommu_tables *tables,
			       u64 start, u64 last)
{
	u64 missing = 0;
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_TABLE_LEVELS; i++) {
		unsigned int shift = vhost_iommu_table_shift(i);

		missing += vhost_iommu_spans_missing(&tables->level[i],
						     start >> shift,
						     last >> shift);
	}
	return missing * (PAGE_SIZE / SZ_4K);
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_tables_missing);

/**
 * vhost_iommu_tables_touch - Account for a mapping
 * @tables: The account
 * @start: First IOVA of the mapping
 * @last: Last IOVA of the mapping
 * @gfp: How to allocate
 *
 * There is no way back but vhost_iommu_tables_clear(): IOMMU drivers do not
 * free the tables either when a mapping goes.
 *
 * Return: 0, or -ENOMEM; part of the mapping is then accounted for.
 */
int vhost_iommu_tables_touch(struct vhost_iommu_tables *tables, u64 start,
			     u64 last, gfp_t gfp)
{
	unsigned int i;
	int rc;

	for (i = 0; i < VHOST_IOMMU_TABLE_LEVELS; i++) {
		unsigned int shift = vhost_iommu_table_shift(i);

		rc = vhost_iommu_spans_add(&tables->level[i], start >> shift,
					   last >> shift, gfp);
		if (rc)
			return rc;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_tables_touch);

/**
 * vhost_iommu_tables_clear - Forget all tables
 * @tables: The account; can be used again
 */
void vhost_iommu_tables_clear(struct vhost_iommu_tables *tables)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_TABLE_LEVELS; i++)
		vhost_iommu_spans_clear(&tables->level[i]);
}
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_tables_clear);
