// SPDX-License-Identifier: GPL-2.0-only
/*
 * The specification's rules on MAP and UNMAP, with its own examples.
 */
#include "suite.h"

#define DOM	1

FIXTURE(map)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(map);
KIND_NONE(map);
KIND_MOCK(map);
KIND_EDU(map);

FIXTURE_SETUP(map)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(map)
{
	env_down(&self->e);
}

/* Units of the granule from IOVA on, as the specification's examples count */
static int m(struct vmm *v, unsigned int first, unsigned int last)
{
	return g_map(v, DOM, IOVA + first * PAGE, IOVA + (last + 1) * PAGE - 1,
		     RAM_GPA + first * PAGE, MAP_RW);
}

static int u(struct vmm *v, unsigned int first, unsigned int last)
{
	return g_unmap(v, DOM, IOVA + first * PAGE,
		       IOVA + (last + 1) * PAGE - 1);
}

static __u64 mappings(struct vmm *v)
{
	struct vmm_stats s;

	return vmm_stats(v, &s) ? ~0ULL : s.mappings;
}

static __u64 bytes(struct vmm *v)
{
	struct vmm_stats s;

	return vmm_stats(v, &s) ? ~0ULL : s.mapped_bytes;
}

TEST_F(map, unmap_example_1)
{
	EXPECT_ST(OK, u(self->v, 0, 4));
}

TEST_F(map, unmap_example_2)
{
	EXPECT_ST(OK, m(self->v, 0, 9));
	EXPECT_ST(OK, u(self->v, 0, 9));
	EXPECT_EQ(0, mappings(self->v));
	EXPECT_EQ(0, bytes(self->v));
}

TEST_F(map, unmap_example_3)
{
	EXPECT_ST(OK, m(self->v, 0, 4));
	EXPECT_ST(OK, m(self->v, 5, 9));
	EXPECT_EQ(2, mappings(self->v));
	EXPECT_ST(OK, u(self->v, 0, 9));
	EXPECT_EQ(0, mappings(self->v));
}

TEST_F(map, unmap_example_4)
{
	EXPECT_ST(OK, m(self->v, 0, 9));
	EXPECT_ST(RANGE, u(self->v, 0, 4));
	EXPECT_EQ(1, mappings(self->v));
	EXPECT_EQ(10 * PAGE, bytes(self->v));
	EXPECT_ST(OK, u(self->v, 0, 9));
}

TEST_F(map, unmap_example_5)
{
	EXPECT_ST(OK, m(self->v, 0, 4));
	EXPECT_ST(OK, m(self->v, 5, 9));
	EXPECT_ST(OK, u(self->v, 0, 4));
	EXPECT_EQ(1, mappings(self->v));
	EXPECT_ST(OK, m(self->v, 0, 4));
	EXPECT_ST(INVAL, m(self->v, 5, 9));
}

TEST_F(map, unmap_example_6)
{
	EXPECT_ST(OK, m(self->v, 0, 4));
	EXPECT_ST(OK, u(self->v, 0, 9));
	EXPECT_EQ(0, mappings(self->v));
}

TEST_F(map, unmap_example_7)
{
	EXPECT_ST(OK, m(self->v, 0, 4));
	EXPECT_ST(OK, m(self->v, 10, 14));
	EXPECT_ST(OK, u(self->v, 0, 14));
	EXPECT_EQ(0, mappings(self->v));
}

TEST_F(map, unmap_split_removes_nothing_else)
{
	EXPECT_ST(OK, m(self->v, 0, 1));
	EXPECT_ST(OK, m(self->v, 2, 3));
	EXPECT_ST(OK, m(self->v, 4, 9));
	EXPECT_ST(RANGE, u(self->v, 0, 4));
	EXPECT_ST(RANGE, u(self->v, 1, 9));
	EXPECT_ST(RANGE, u(self->v, 5, 6));
	EXPECT_ST(RANGE, u(self->v, 9, 20));
	EXPECT_EQ(3, mappings(self->v));
	EXPECT_ST(OK, u(self->v, 0, 9));
}

/* A range that isn't aligned still splits, or still has nothing in it */
TEST_F(map, unmap_unaligned)
{
	EXPECT_ST(OK, m(self->v, 1, 1));
	EXPECT_ST(RANGE, g_unmap(self->v, DOM, IOVA + PAGE,
				 IOVA + 2 * PAGE - 2));
	EXPECT_ST(RANGE, g_unmap(self->v, DOM, IOVA + PAGE + 1,
				 IOVA + 2 * PAGE - 1));
	EXPECT_ST(OK, g_unmap(self->v, DOM, IOVA + 1, IOVA + 2));
	EXPECT_EQ(1, mappings(self->v));
	EXPECT_ST(OK, g_unmap(self->v, DOM, IOVA + 5, IOVA + 3 * PAGE + 1));
	EXPECT_EQ(0, mappings(self->v));
}

TEST_F(map, unmap_everything)
{
	EXPECT_ST(OK, m(self->v, 0, 0));
	EXPECT_ST(OK, m(self->v, 1000, 1000));
	EXPECT_ST(OK, m(self->v, 2500, 2500));
	EXPECT_ST(OK, g_unmap(self->v, DOM, 0, ~0ULL));
	EXPECT_EQ(0, mappings(self->v));
	EXPECT_ST(OK, g_unmap(self->v, DOM, 0, ~0ULL));
}

TEST_F(map, unmap_end_before_start)
{
	EXPECT_ST(OK, m(self->v, 0, 0));
	EXPECT_ST(INVAL, g_unmap(self->v, DOM, IOVA + PAGE, IOVA));
	EXPECT_ST(INVAL, g_unmap(self->v, DOM, IOVA, IOVA - 1));
	EXPECT_ST(INVAL, g_unmap(self->v, DOM, ~0ULL, 0));
	EXPECT_EQ(1, mappings(self->v));
}

TEST_F(map, unmap_unknown_domain)
{
	EXPECT_ST(NOENT, g_unmap(self->v, DOM + 1, 0, PAGE - 1));
}

TEST_F(map, counts)
{
	EXPECT_ST(OK, m(self->v, 0, 9));
	EXPECT_ST(OK, m(self->v, 10, 10));
	EXPECT_EQ(2, mappings(self->v));
	EXPECT_EQ(11 * PAGE, bytes(self->v));
}

TEST_F(map, unknown_flag)
{
	unsigned int bit;

	for (bit = 3; bit < 32; bit++)
		EXPECT_ST(INVAL, g_map(self->v, DOM, IOVA, IOVA + PAGE - 1,
				       RAM_GPA, MAP_R | 1u << bit));
	EXPECT_EQ(0, mappings(self->v));
}

TEST_F(map, permissions)
{
	unsigned int f;

	for (f = 0; f <= MAP_RW; f++)
		EXPECT_ST(OK, g_map(self->v, DOM, IOVA + f * PAGE,
				    IOVA + (f + 1) * PAGE - 1, RAM_GPA, f));
	EXPECT_EQ(4, mappings(self->v));
	/* Also without any, it is a mapping as the others */
	EXPECT_ST(INVAL, m(self->v, 0, 0));
	EXPECT_ST(OK, u(self->v, 0, 3));
	EXPECT_EQ(0, mappings(self->v));
}

TEST_F(map, alignment)
{
	struct vmm *v = self->v;

	EXPECT_ST(RANGE, g_map(v, DOM, IOVA + 1, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA, IOVA + PAGE - 2, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA, IOVA + PAGE, RAM_GPA, MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA + 1,
			       MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA + 512, IOVA + PAGE + 511,
			       RAM_GPA + 512, MAP_RW));
	EXPECT_EQ(0, mappings(v));
}

TEST_F(map, end_before_start)
{
	struct vmm *v = self->v;

	EXPECT_ST(INVAL, g_map(v, DOM, IOVA + PAGE, IOVA - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(INVAL, g_map(v, DOM, ~0ULL - PAGE + 1, 0, RAM_GPA, MAP_RW));
	EXPECT_EQ(0, mappings(v));
}

TEST_F(map, unknown_domain)
{
	EXPECT_ST(NOENT, g_map(self->v, DOM + 1, IOVA, IOVA + PAGE - 1,
			       RAM_GPA, MAP_RW));
}

TEST_F(map, overlap)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, m(v, 10, 19));
	EXPECT_ST(INVAL, m(v, 10, 19));
	EXPECT_ST(INVAL, m(v, 10, 10));
	EXPECT_ST(INVAL, m(v, 15, 15));
	EXPECT_ST(INVAL, m(v, 19, 19));
	EXPECT_ST(INVAL, m(v, 5, 10));
	EXPECT_ST(INVAL, m(v, 19, 25));
	EXPECT_ST(INVAL, m(v, 5, 25));
	EXPECT_EQ(1, mappings(v));
	EXPECT_EQ(10 * PAGE, bytes(v));
	EXPECT_ST(OK, m(v, 9, 9));
	EXPECT_ST(OK, m(v, 20, 20));
}

TEST_F(map, outside_input_range)
{
	struct vmm *v = self->v;
	__u64 end = v->config.input_end;

	EXPECT_ST(OK, g_map(v, DOM, end - PAGE + 1, end, RAM_GPA, MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, end + 1, end + PAGE, RAM_GPA, MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, end - 2 * PAGE + 1, end + PAGE,
			       RAM_GPA, MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, ~0ULL - PAGE + 1, ~0ULL, RAM_GPA,
			       MAP_RW));
	EXPECT_EQ(1, mappings(v));
}

TEST_F(map, begin_of_input_range)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	v->config.input_start = IOVA;
	ASSERT_EQ(0, vmm_set_config(v));
	ASSERT_EQ(0, env_add(&self->e));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA - PAGE, IOVA - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA - PAGE, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
}

TEST_F(map, no_input_range_without_the_feature)
{
	struct vmm *v = self->v;
	__u64 at = v->config.input_end + 1;

	ASSERT_EQ(0, vmm_set_running(v, false));
	v->features &= ~FEATURE(VIRTIO_IOMMU_F_INPUT_RANGE);
	ASSERT_EQ(0, vmm_set_features(v));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(OK, g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW));
}

/* The top of the address space, where sums wrap */
TEST_F(map, top_of_the_address_space)
{
	struct vmm *v = self->v;
	bool reaches = variant->kind == DEV_NONE || host_iommu_is_amd();

	ASSERT_EQ(0, vmm_set_running(v, false));
	v->features &= ~FEATURE(VIRTIO_IOMMU_F_INPUT_RANGE);
	ASSERT_EQ(0, vmm_set_features(v));
	ASSERT_EQ(0, vmm_set_running(v, true));
	/* Most hardware does not reach that far; without it, it's just a number */
	EXPECT_ST(reaches ? OK : INVAL,
		  g_map(v, DOM, ~0ULL - PAGE + 1, ~0ULL, RAM_GPA, MAP_RW));
	/* The limit on page tables is looked at before the host is asked */
	EXPECT_ST(reaches ? INVAL : NOMEM,
		  g_map(v, DOM, 0, ~0ULL, 0, MAP_RW));
	EXPECT_ST(OK, g_unmap(v, DOM, ~0ULL - PAGE + 1, ~0ULL));
}

TEST_F(map, phys_overflow)
{
	struct vmm *v = self->v;

	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1,
			       ~0ULL - PAGE + 1, MAP_RW));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1,
			       ~0ULL - PAGE + 1, MAP_RW));
	EXPECT_EQ(0, mappings(v));
}

TEST_F(map, phys_not_ram)
{
	struct vmm *v = self->v;

	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, NOT_RAM_GPA,
			       MAP_RW));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, NOT_RAM_GPA,
			       0));
	/* Half of it is */
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1,
			       RAM_GPA - PAGE, MAP_RW));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1,
			       RAM_GPA + RAM_SIZE - PAGE, MAP_RW));
	/* Both ends are, with a hole between */
	EXPECT_ST(INVAL, g_map(v, DOM, 0x100000000ULL, 0x100000000ULL +
			       RAM_GPA + PAGE - LOW_GPA - 1, LOW_GPA, MAP_RW));
	EXPECT_EQ(0, mappings(v));
	EXPECT_EQ(0, bytes(v));
	/* Nothing is left of the half that could be done */
	EXPECT_ST(OK, m(v, 0, 9));
}

TEST_F(map, phys_in_adjacent_regions)
{
	struct vmm *v = self->v;
	__u64 gpa = RAM_GPA + RAM_SIZE;

	ASSERT_EQ(0, vmm_add_ram(v, gpa, MIB(2)));
	ASSERT_EQ(0, vmm_set_mem_table(v));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1, gpa - PAGE,
			    MAP_RW));
	EXPECT_EQ(1, mappings(v));
	EXPECT_ST(RANGE, u(v, 0, 0));
	EXPECT_ST(OK, u(v, 0, 1));
	EXPECT_EQ(0, mappings(v));
}

TEST_F(map, same_phys_twice)
{
	struct vmm *v = self->v;

	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_R));
	EXPECT_ST(OK, g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_W));
	EXPECT_EQ(2, mappings(v));
}

TEST_F(map, mmio_without_the_feature)
{
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_set_doorbell(v, DOORBELL_GPA, DOORBELL_GPA + PAGE - 1,
				      0));
	ASSERT_EQ(0, vmm_set_running(v, false));
	v->features &= ~FEATURE(VIRTIO_IOMMU_F_MMIO);
	ASSERT_EQ(0, vmm_set_features(v));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, DOORBELL_GPA,
			       MAP_W | VIRTIO_IOMMU_MAP_F_MMIO));
}

TEST_F(map, mmio)
{
	const __u32 f = MAP_W | VIRTIO_IOMMU_MAP_F_MMIO;
	struct vmm *v = self->v;

	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, DOORBELL_GPA,
			       f));
	ASSERT_EQ(0, vmm_set_doorbell(v, DOORBELL_GPA,
				      DOORBELL_GPA + 2 * PAGE - 1, 0));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, DOORBELL_GPA, f));
	EXPECT_ST(OK, g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1,
			    DOORBELL_GPA + PAGE, f));
	/* Part of it, RAM, and the doorbell without the flag */
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA + 4 * PAGE, IOVA + 6 * PAGE - 1,
			       DOORBELL_GPA + PAGE, f));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA + 4 * PAGE, IOVA + 5 * PAGE - 1,
			       RAM_GPA, f));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA + 4 * PAGE, IOVA + 5 * PAGE - 1,
			       DOORBELL_GPA, MAP_W));
	EXPECT_EQ(2, mappings(v));
	/* It is a mapping as the others */
	EXPECT_ST(INVAL, m(v, 0, 0));
	/* What was mapped stays when the range goes */
	ASSERT_EQ(0, vmm_set_doorbell(v, DOORBELL_GPA,
				      DOORBELL_GPA + 2 * PAGE - 1,
				      VHOST_IOMMU_DOORBELL_REMOVE));
	EXPECT_ST(INVAL, m(v, 1, 1));
	EXPECT_ST(OK, u(v, 0, 1));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, DOORBELL_GPA,
			       f));
}

TEST_F(map, resv_mem)
{
	struct vmm *v = self->v;
	__u8 p[2 * sizeof(struct virtio_iommu_probe_resv_mem)];
	size_t n;

	n = probe_resv(p, VIRTIO_IOMMU_RESV_MEM_T_RESERVED, IOVA + 10 * PAGE,
		       IOVA + 20 * PAGE - 1);
	n += probe_resv(p + n, VIRTIO_IOMMU_RESV_MEM_T_MSI, IOVA + 30 * PAGE,
			IOVA + 31 * PAGE - 1);
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, p, n));
	/* As long as it's in no domain, it does not matter */
	EXPECT_ST(OK, m(v, 10, 10));
	EXPECT_ST(OK, u(v, 10, 10));
	ASSERT_ST(OK, g_attach(v, DOM, EMU(0)));
	EXPECT_ST(INVAL, m(v, 10, 10));
	EXPECT_ST(INVAL, m(v, 15, 15));
	EXPECT_ST(INVAL, m(v, 19, 19));
	EXPECT_ST(INVAL, m(v, 5, 25));
	EXPECT_ST(INVAL, m(v, 9, 10));
	EXPECT_ST(INVAL, m(v, 19, 20));
	EXPECT_ST(INVAL, m(v, 30, 30));
	EXPECT_EQ(0, mappings(v));
	EXPECT_ST(OK, m(v, 9, 9));
	EXPECT_ST(OK, m(v, 20, 29));
	ASSERT_ST(OK, g_detach(v, DOM, EMU(0)));
	EXPECT_ST(OK, m(v, 10, 10));
}

/* Which answer comes first when several are due */
TEST_F(map, order_of_checks)
{
	struct vmm *v = self->v;

	EXPECT_ST(INVAL, g_map(v, DOM + 1, IOVA + 1, IOVA, 1, 1u << 9));
	EXPECT_ST(INVAL, g_map(v, DOM + 1, IOVA + 1, IOVA, RAM_GPA, MAP_R));
	EXPECT_ST(RANGE, g_map(v, DOM + 1, IOVA + 1, IOVA + PAGE - 1, RAM_GPA,
			       MAP_R));
	EXPECT_ST(RANGE, g_map(v, DOM + 1, v->config.input_end + 1,
			       v->config.input_end + PAGE, RAM_GPA, MAP_R));
	EXPECT_ST(INVAL, g_map(v, DOM + 1, IOVA, IOVA + 2 * PAGE - 1,
			       ~0ULL - PAGE + 1, MAP_R));
	EXPECT_ST(NOENT, g_map(v, DOM + 1, IOVA, IOVA + PAGE - 1, NOT_RAM_GPA,
			       MAP_R));
	EXPECT_EQ(0, mappings(v));
}

/* What takes a device, mock or real */
FIXTURE(map_dev)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(map_dev);
KIND_MOCK(map_dev);
KIND_EDU(map_dev);

FIXTURE_SETUP(map_dev)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(map_dev)
{
	env_down(&self->e);
}

/* Where the host has the device's interrupts written, or 0 */
static __u64 host_msi(const struct dma_dev *d)
{
	unsigned long long start, last;
	char path[128], kind[16];
	__u64 at = 0;
	FILE *f;

	if (d->kind == DEV_MOCK)
		return VHOST_IOMMU_MOCK_MSI_BASE;
	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/iommu_group/reserved_regions",
		 d->name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!at && fscanf(f, "%llx %llx %15s", &start, &last, kind) == 3)
		if (!strcmp(kind, "msi"))
			at = start;
	fclose(f);
	return at;
}

TEST_F(map_dev, host_reserved_iova)
{
	struct vmm *v = self->v;
	__u64 at = host_msi(self->e.dev[0]);

	ASSERT_LT(0, at);
	EXPECT_ST(INVAL, g_map(v, DOM, at, at + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_ST(INVAL, g_map(v, DOM, at - PAGE, at + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_EQ(0, mappings(v));
	EXPECT_ST(OK, g_map(v, DOM, at - PAGE, at - 1, RAM_GPA, MAP_RW));
}

FIXTURE(granule)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(granule);
KIND_NONE(granule);
KIND_MOCK(granule);
KIND_EDU(granule);

FIXTURE_SETUP(granule)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	self->v->config.page_size_mask = ~(KIB(64) - 1);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(granule)
{
	env_down(&self->e);
}

TEST_F(granule, larger_than_a_page)
{
	struct vmm *v = self->v;

	EXPECT_ST(RANGE, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA, IOVA + KIB(64) - 1,
			       RAM_GPA + PAGE, MAP_RW));
	EXPECT_ST(RANGE, g_map(v, DOM, IOVA + PAGE, IOVA + PAGE + KIB(64) - 1,
			       RAM_GPA, MAP_RW));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + KIB(64) - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(RANGE, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + KIB(64) - 1));
}

SUITE;
