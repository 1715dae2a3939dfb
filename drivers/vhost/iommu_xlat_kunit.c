// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vhost-iommu's translation and its copy of the memory table
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/vhost_iotlb.h>

#include "iommu.h"

#define EP		0x10
#define RW		(VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE)
#define MSI		0x08000000ULL
#define RESERVED	0x0a000000ULL
#define LAST_IDENTITY	(BIT_ULL(52) - 1)

/**
 * struct world - A device with one endpoint in one domain
 * @viommu: The device
 * @group: The endpoint's group
 * @domain: The domain
 * @ep: The endpoint, with an MSI region and one that is reserved
 * @begun: A thread that translates has begun to
 */
struct world {
	struct vhost_iommu *viommu;
	struct vhost_iommu_group group;
	struct vhost_iommu_domain domain;
	struct vhost_iommu_endpoint *ep;
	struct completion begun;
};

static struct world *make_world(struct kunit *test)
{
	struct world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->viommu = kunit_kzalloc(test, sizeof(*w->viommu), GFP_KERNEL);
	w->ep = kunit_kzalloc(test, struct_size(w->ep, resv, 2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w->viommu);
	KUNIT_ASSERT_NOT_NULL(test, w->ep);
	rwlock_init(&w->viommu->xlat_lock);
	xa_init(&w->viommu->endpoints);
	w->domain.maps.root = RB_ROOT;
	w->group.hw = &w->domain;
	w->ep->id = EP;
	w->ep->group = &w->group;
	w->ep->nr_resv = 2;
	w->ep->resv[0].start = RESERVED;
	w->ep->resv[0].last = RESERVED + SZ_64K - 1;
	w->ep->resv[1].start = MSI;
	w->ep->resv[1].last = MSI + SZ_1M - 1;
	w->ep->resv[1].msi = true;
	KUNIT_ASSERT_EQ(test, xa_err(xa_store(&w->viommu->endpoints, EP, w->ep,
					      GFP_KERNEL)), 0);
	return w;
}

static void end_world(struct world *w)
{
	xa_destroy(&w->viommu->endpoints);
}

static void add_map(struct kunit *test, struct world *w, u64 start, u64 last,
		    u64 phys, u32 flags)
{
	struct vhost_iommu_map *map = kunit_kzalloc(test, sizeof(*map),
						    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, map);
	map->start = start;
	map->last = last;
	map->phys = phys;
	map->flags = flags;
	KUNIT_ASSERT_EQ(test, vhost_iommu_map_insert(&w->domain.maps, map), 0);
}

static void expect(struct kunit *test, struct world *w, u64 iova, u64 start,
		   u64 last, u64 phys, u32 perm)
{
	struct vhost_iommu_xlat xlat;

	KUNIT_ASSERT_EQ(test, vhost_iommu_translate(w->viommu, EP, iova, &xlat),
			0);
	KUNIT_EXPECT_EQ(test, xlat.start, start);
	KUNIT_EXPECT_EQ(test, xlat.last, last);
	KUNIT_EXPECT_EQ(test, xlat.phys, phys);
	KUNIT_EXPECT_EQ(test, xlat.perm, perm);
}

static void expect_nothing(struct kunit *test, struct world *w, u64 iova)
{
	expect(test, w, iova, iova, iova, iova, 0);
}

static void xlat_mappings(struct kunit *test)
{
	struct world *w = make_world(test);
	struct vhost_iommu_xlat xlat;

	add_map(test, w, SZ_1M, SZ_1M + SZ_64K - 1, SZ_1G, RW);
	add_map(test, w, SZ_2M, SZ_2M + SZ_4K - 1, SZ_2G,
		VIRTIO_IOMMU_MAP_F_READ);
	add_map(test, w, SZ_4M, SZ_4M + SZ_4K - 1, MSI,
		VIRTIO_IOMMU_MAP_F_WRITE | VIRTIO_IOMMU_MAP_F_MMIO);
	add_map(test, w, U64_MAX - SZ_4K + 1, U64_MAX, 0, RW);

	expect_nothing(test, w, 0);
	expect_nothing(test, w, SZ_1M - 1);
	expect(test, w, SZ_1M, SZ_1M, SZ_1M + SZ_64K - 1, SZ_1G, RW);
	expect(test, w, SZ_1M + 0x1234, SZ_1M, SZ_1M + SZ_64K - 1, SZ_1G, RW);
	expect(test, w, SZ_1M + SZ_64K - 1, SZ_1M, SZ_1M + SZ_64K - 1, SZ_1G,
	       RW);
	expect_nothing(test, w, SZ_1M + SZ_64K);
	expect(test, w, SZ_2M, SZ_2M, SZ_2M + SZ_4K - 1, SZ_2G,
	       VIRTIO_IOMMU_MAP_F_READ);
	expect(test, w, SZ_4M, SZ_4M, SZ_4M + SZ_4K - 1, MSI,
	       VIRTIO_IOMMU_MAP_F_WRITE);
	expect(test, w, U64_MAX, U64_MAX - SZ_4K + 1, U64_MAX, 0, RW);
	KUNIT_EXPECT_EQ(test, vhost_iommu_translate(w->viommu, EP + 1, SZ_1M,
						    &xlat), -ENOENT);
	KUNIT_EXPECT_EQ(test, xlat.perm, 0);
	end_world(w);
}

static void xlat_regions(struct kunit *test)
{
	struct world *w = make_world(test);

	expect(test, w, MSI, MSI, MSI + SZ_1M - 1, MSI,
	       VIRTIO_IOMMU_MAP_F_WRITE);
	expect(test, w, MSI + SZ_1M - 1, MSI, MSI + SZ_1M - 1, MSI,
	       VIRTIO_IOMMU_MAP_F_WRITE);
	expect(test, w, RESERVED, RESERVED, RESERVED + SZ_64K - 1, RESERVED, 0);
	expect_nothing(test, w, MSI - 1);
	/* Nor are they memory in bypass, which is all around them */
	w->group.hw = NULL;
	w->group.bypass = true;
	expect(test, w, MSI + 1, MSI, MSI + SZ_1M - 1, MSI,
	       VIRTIO_IOMMU_MAP_F_WRITE);
	expect(test, w, 0, 0, MSI - 1, 0, RW);
	expect(test, w, MSI + SZ_1M, MSI + SZ_1M, RESERVED - 1, MSI + SZ_1M,
	       RW);
	expect(test, w, RESERVED + SZ_64K, RESERVED + SZ_64K, LAST_IDENTITY,
	       RESERVED + SZ_64K, RW);
	expect_nothing(test, w, LAST_IDENTITY + 1);
	end_world(w);
}

static void xlat_states(struct kunit *test)
{
	struct world *w = make_world(test);
	struct vhost_iommu_xlat none;

	add_map(test, w, 0, SZ_4K - 1, SZ_1G, RW);
	expect(test, w, 0, 0, SZ_4K - 1, SZ_1G, RW);
	w->group.broken = true;
	expect_nothing(test, w, 0);
	w->group.broken = false;
	w->domain.kind = VHOST_IOMMU_TABLE;
	expect_nothing(test, w, 0);
	w->domain.kind = VHOST_IOMMU_BYPASS;
	expect(test, w, SZ_4K, 0, MSI - 1, 0, RW);
	w->group.hw = NULL;
	expect_nothing(test, w, 0);
	w->group.bypass = true;
	expect(test, w, SZ_4K, 0, MSI - 1, 0, RW);
	/* It is being added */
	w->ep->group = NULL;
	KUNIT_EXPECT_EQ(test, vhost_iommu_translate(w->viommu, EP, 0, &none),
			-ENOENT);
	end_world(w);
}

static int reader(void *arg)
{
	struct world *w = arg;
	struct vhost_iommu_xlat xlat;
	unsigned long wrong = 0;
	u64 iova = 0;

	complete(&w->begun);
	while (!kthread_should_stop()) {
		iova = (iova + SZ_4K) % SZ_64K;
		/* Either it is there as a whole or not at all */
		if (vhost_iommu_translate(w->viommu, EP, iova, &xlat))
			wrong++;
		else if (xlat.perm)
			wrong += xlat.phys != SZ_1G + xlat.start ||
				 xlat.last != xlat.start + SZ_4K - 1;
		cond_resched();
	}
	return wrong ? -EIO : 0;
}

static void xlat_meanwhile(struct kunit *test)
{
	struct world *w = make_world(test);
	struct vhost_iommu_map *map;
	struct task_struct *task;
	unsigned int i;
	u64 start;

	init_completion(&w->begun);
	task = kthread_run(reader, w, "xlat-reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	/* One that is stopped before it ran does not run at all */
	wait_for_completion(&w->begun);
	for (i = 0; i < 20000; i++) {
		start = (i * 7 % 16) * SZ_4K;
		map = vhost_iommu_map_first(&w->domain.maps, start, start);
		if (map) {
			scoped_guard(write_lock, &w->viommu->xlat_lock)
				vhost_iommu_map_erase(&w->domain.maps, map);
			kfree(map);
		} else {
			map = kzalloc_obj(*map);
			if (!map)
				break;
			map->start = start;
			map->last = start + SZ_4K - 1;
			map->phys = SZ_1G + start;
			map->flags = RW;
			scoped_guard(write_lock, &w->viommu->xlat_lock)
				vhost_iommu_map_insert(&w->domain.maps, map);
		}
		if (!(i % 64))
			cond_resched();
	}
	KUNIT_EXPECT_EQ(test, i, 20000);
	KUNIT_EXPECT_EQ(test, kthread_stop(task), 0);
	while ((map = vhost_iommu_map_first(&w->domain.maps, 0, U64_MAX))) {
		vhost_iommu_map_erase(&w->domain.maps, map);
		kfree(map);
	}
	end_world(w);
}

static void ram_snapshot(struct kunit *test)
{
	struct world *w = make_world(test);
	struct vhost_iotlb *umem = vhost_iotlb_alloc(8, 0);
	struct vhost_iommu_region region;

	KUNIT_ASSERT_NOT_NULL(test, umem);
	KUNIT_EXPECT_FALSE(test, vhost_iommu_ram_has(w->viommu, 0, 0));
	/* In no order; the first two of them touch */
	KUNIT_ASSERT_EQ(test, vhost_iotlb_add_range(umem, SZ_2G, SZ_2G +
						    SZ_1M - 1, 0x7000000,
						    VHOST_MAP_RW), 0);
	KUNIT_ASSERT_EQ(test, vhost_iotlb_add_range(umem, SZ_1G, SZ_2G - 1,
						    0x10000000,
						    VHOST_MAP_RW), 0);
	KUNIT_ASSERT_EQ(test, vhost_iotlb_add_range(umem, 0, SZ_4K - 1,
						    0x5000, VHOST_MAP_RW), 0);
	KUNIT_ASSERT_EQ(test, vhost_iommu_ram_set(w->viommu, umem), 0);
	/* It is a copy */
	vhost_iotlb_free(umem);

	KUNIT_EXPECT_TRUE(test, vhost_iommu_ram_has(w->viommu, 0, SZ_4K - 1));
	KUNIT_EXPECT_FALSE(test, vhost_iommu_ram_has(w->viommu, 0, SZ_4K));
	KUNIT_EXPECT_FALSE(test, vhost_iommu_ram_has(w->viommu, SZ_1G - 1,
						     SZ_1G));
	KUNIT_EXPECT_TRUE(test, vhost_iommu_ram_has(w->viommu, SZ_1G,
						    SZ_2G + SZ_1M - 1));
	KUNIT_EXPECT_FALSE(test, vhost_iommu_ram_has(w->viommu, SZ_1G,
						     SZ_2G + SZ_1M));
	KUNIT_EXPECT_FALSE(test, vhost_iommu_ram_has(w->viommu, U64_MAX,
						     U64_MAX));
	KUNIT_EXPECT_EQ(test, vhost_iommu_ram_region(w->viommu, SZ_1G + 5,
						     &region), 0);
	KUNIT_EXPECT_EQ(test, region.start, SZ_1G);
	KUNIT_EXPECT_EQ(test, region.last, SZ_2G - 1);
	KUNIT_EXPECT_EQ(test, region.addr, 0x10000000);
	KUNIT_EXPECT_EQ(test, vhost_iommu_ram_region(w->viommu, SZ_4K, &region),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, vhost_iommu_ram_set(w->viommu, NULL), 0);
	KUNIT_EXPECT_FALSE(test, vhost_iommu_ram_has(w->viommu, 0, 0));
	end_world(w);
}

static struct kunit_case vhost_iommu_xlat_cases[] = {
	KUNIT_CASE(xlat_mappings),
	KUNIT_CASE(xlat_regions),
	KUNIT_CASE(xlat_states),
	KUNIT_CASE(xlat_meanwhile),
	KUNIT_CASE(ram_snapshot),
	{}
};

static struct kunit_suite vhost_iommu_xlat_suite = {
	.name = "vhost_iommu_xlat",
	.test_cases = vhost_iommu_xlat_cases,
};

kunit_test_suites(&vhost_iommu_xlat_suite);
