/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-iommu mappings of a domain, and the page-table memory that they touch
 *
 * Pure data structures: no locks, no user pointers, no IOMMU. The caller
 * serializes all calls for one object.
 */
#ifndef _VHOST_IOMMU_MAP_H
#define _VHOST_IOMMU_MAP_H

#include <linux/gfp.h>
#include <linux/rbtree.h>
#include <linux/types.h>

/**
 * struct vhost_iommu_map - What one MAP request asked for
 * @node: In &vhost_iommu_map_tree.root
 * @start: First IOVA
 * @last: Last IOVA
 * @phys: Guest-physical address that @start stands for
 * @flags: VIRTIO_IOMMU_MAP_F_*
 * @shift: It is mapped and unmapped in pieces, which end where the IOVA is a
 *         multiple of 1 << @shift
 * @clients: Who was told of it, a mask
 */
struct vhost_iommu_map {
	struct rb_node node;
	u64 start;
	u64 last;
	u64 phys;
	u32 flags;
	u8 shift;
	unsigned long clients;
};

/**
 * struct vhost_iommu_map_tree - The mappings of a domain; they never overlap
 * @root: Ordered by IOVA
 * @count: Number of mappings
 * @bytes: Sum of their sizes
 */
struct vhost_iommu_map_tree {
	struct rb_root root;
	u64 count;
	u64 bytes;
};

void vhost_iommu_map_tree_init(struct vhost_iommu_map_tree *tree);
struct vhost_iommu_map *
vhost_iommu_map_first(const struct vhost_iommu_map_tree *tree, u64 start,
		      u64 last);
struct vhost_iommu_map *vhost_iommu_map_next(const struct vhost_iommu_map *map);
int vhost_iommu_map_insert(struct vhost_iommu_map_tree *tree,
			   struct vhost_iommu_map *map);
void vhost_iommu_map_erase(struct vhost_iommu_map_tree *tree,
			   struct vhost_iommu_map *map);
void vhost_iommu_map_resize(struct vhost_iommu_map_tree *tree,
			    struct vhost_iommu_map *map, u64 start, u64 last);
bool vhost_iommu_map_splits(const struct vhost_iommu_map_tree *tree, u64 start,
			    u64 last);

static inline u64 vhost_iommu_map_phys_last(const struct vhost_iommu_map *map)
{
	return map->phys + (map->last - map->start);
}

/* Where the piece ends that @at is in, if the mapping reaches as far as @last */
static inline u64 vhost_iommu_map_piece(const struct vhost_iommu_map *map,
					u64 at, u64 last)
{
	u64 end = at | ((1ULL << map->shift) - 1);

	return end < last ? end : last;
}

/* With pages of 4 KiB: tables that cover 2 MiB, 1 GiB and 512 GiB */
#define VHOST_IOMMU_TABLE_LEVELS	3

/**
 * struct vhost_iommu_spans - A set of numbers, kept as ranges
 * @root: Ranges that neither overlap nor touch
 * @count: Size of the set
 */
struct vhost_iommu_spans {
	struct rb_root root;
	u64 count;
};

/**
 * struct vhost_iommu_tables - Page tables that mappings have touched
 * @level: The tables by level, leaf tables first
 */
struct vhost_iommu_tables {
	struct vhost_iommu_spans level[VHOST_IOMMU_TABLE_LEVELS];
};

void vhost_iommu_tables_init(struct vhost_iommu_tables *tables);
u64 vhost_iommu_tables_pages(const struct vhost_iommu_tables *tables);
u64 vhost_iommu_tables_least(u64 start, u64 last);
u64 vhost_iommu_tables_missing(const struct vhost_iommu_tables *tables,
			       u64 start, u64 last);
int vhost_iommu_tables_touch(struct vhost_iommu_tables *tables, u64 start,
			     u64 last, gfp_t gfp);
void vhost_iommu_tables_clear(struct vhost_iommu_tables *tables);

#endif /* _VHOST_IOMMU_MAP_H */
