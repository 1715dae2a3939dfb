// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: it lands where it was mapped, and nowhere else.
 */
#include "suite.h"

#define DOM	1
#define LEN	512

/* Guest memory that the device reads and writes */
#define SRC_GPA	(RAM_GPA + MIB(2))
#define DST_GPA	(RAM_GPA + MIB(4))
#define SRC	IOVA
#define DST	(IOVA + MIB(1))
/* Where a device may write what it read; in every domain that uses it */
#define OUT	(IOVA + MIB(2))
#define OUT_GPA	(RAM_GPA + MIB(6))

FIXTURE(dma)
{
	struct env e;
	struct vmm *v;
	struct xfer x;
};

KIND_VARIANTS(dma);
KIND_MOCK(dma);
KIND_EDU(dma);
KIND_IGB(dma);

FIXTURE_SETUP(dma)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
	xfer_init(&self->x, &self->e, 0);
}

FIXTURE_TEARDOWN(dma)
{
	env_down(&self->e);
}

#define SELF	FIXTURE_DATA(dma) *self

static int map(SELF, __u32 dom, __u64 iova, __u64 gpa, __u64 len, __u32 flags)
{
	return g_map(self->v, dom, iova, iova + len - 1, gpa, flags);
}

static int unmap(SELF, __u32 dom, __u64 iova, __u64 len)
{
	return g_unmap(self->v, dom, iova, iova + len - 1);
}

static bool copies(SELF, __u64 src, __u64 src_gpa, __u64 dst, __u64 dst_gpa,
		   __u32 len)
{
	return xfer_copies(&self->x, src, src_gpa, dst, dst_gpa, len);
}

static bool write_denied(SELF, __u64 src, __u64 src_gpa, __u64 dst,
			 __u64 dst_gpa, __u32 len)
{
	return xfer_write_denied(&self->x, src, src_gpa, dst, dst_gpa, len);
}

static bool read_denied(SELF, __u64 src, __u64 src_gpa, __u64 dst,
			__u64 dst_gpa, __u32 len)
{
	return xfer_read_denied(&self->x, src, src_gpa, dst, dst_gpa, len);
}

/* The usual domain: SRC can be read, DST and OUT written */
static int usual(SELF, unsigned int i, __u32 dom)
{
	int rc = g_attach(self->v, dom, EP(i));

	if (!rc)
		rc = map(self, dom, SRC, SRC_GPA, MIB(1), MAP_R);
	if (!rc)
		rc = map(self, dom, DST, DST_GPA, MIB(1), MAP_W);
	if (!rc)
		rc = map(self, dom, OUT, OUT_GPA, PAGE, MAP_RW);
	return rc ? rc : env_driver(&self->e, i, dom);
}

TEST_F_TIMEOUT(dma, mapped, 60)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_TRUE(copies(self, OUT, OUT_GPA, DST, DST_GPA, LEN));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, OUT, OUT_GPA, LEN));
}

/* QEMU's igb sends nothing from a buffer that crosses a page of the IOMMU */
static __u32 src_offset(SELF, __u32 offset)
{
	if (self->x.d->kind == DEV_IGB && offset % PAGE + LEN > PAGE)
		return offset - LEN;
	return offset;
}

/* Any byte offset, in what the IOMMU may map by large pages, over page ends */
TEST_F_TIMEOUT(dma, offsets, 120)
{
	static const __u32 offset[] = {
		64, PAGE - 64, PAGE * 5 + 1000, KIB(512) - 256, KIB(769) + 96,
		MIB(1) - LEN,
	};
	unsigned int i;

	ASSERT_ST(OK, usual(self, 0, DOM));
	for (i = 0; i < ARRAY_SIZE(offset); i++) {
		__u32 from = src_offset(self, offset[i]);

		EXPECT_TRUE(copies(self, SRC + from, SRC_GPA + from,
				   DST + offset[i], DST_GPA + offset[i], LEN))
			TH_LOG("offset 0x%x", offset[i]);
	}
}

TEST_F_TIMEOUT(dma, offsets_in_large_pages, 120)
{
	static const __u32 offset[] = {
		0, KIB(4), MIB(1) + 4000, MIB(2) - 300, MIB(2) + 128,
		MIB(4) - LEN,
	};
	const __u64 at = 0x04000000;
	unsigned int i;

	ASSERT_ST(OK, usual(self, 0, DOM));
	ASSERT_ST(OK, map(self, DOM, at, SRC_GPA, MIB(4), MAP_R));
	for (i = 0; i < ARRAY_SIZE(offset); i++) {
		__u32 from = src_offset(self, offset[i]);

		EXPECT_TRUE(copies(self, at + from, SRC_GPA + from, OUT,
				   OUT_GPA, LEN))
			TH_LOG("offset 0x%x", offset[i]);
	}
	/* A part of it can't be taken out, all of it can */
	EXPECT_ST(RANGE, unmap(self, DOM, at, MIB(2)));
	EXPECT_TRUE(copies(self, at, SRC_GPA, OUT, OUT_GPA, LEN));
	EXPECT_ST(OK, unmap(self, DOM, at, MIB(4)));
	EXPECT_TRUE(read_denied(self, at + MIB(2), SRC_GPA + MIB(2), OUT,
				OUT_GPA, LEN));
}

TEST_F_TIMEOUT(dma, not_mapped, 90)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(read_denied(self, SRC + MIB(8), SRC_GPA, OUT, OUT_GPA,
				LEN));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST + MIB(8), DST_GPA,
				 LEN));
	/* The identity is not mapped, either */
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, LOW_GPA, LOW_GPA, LEN));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, OUT, OUT_GPA, LEN));
}

TEST_F_TIMEOUT(dma, read_only, 60)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(write_denied(self, OUT, OUT_GPA, SRC, SRC_GPA, LEN));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, OUT, OUT_GPA, LEN));
}

TEST_F_TIMEOUT(dma, no_permission_at_all, 60)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	ASSERT_ST(OK, map(self, DOM, SRC + MIB(8), SRC_GPA, PAGE, 0));
	EXPECT_TRUE(write_denied(self, OUT, OUT_GPA, SRC + MIB(8), SRC_GPA,
				 LEN));
	EXPECT_TRUE(read_denied(self, SRC + MIB(8), SRC_GPA, OUT, OUT_GPA,
				LEN));
	EXPECT_ST(OK, unmap(self, DOM, SRC + MIB(8), PAGE));
}

TEST_F_TIMEOUT(dma, unmapped, 90)
{
	struct vhost_iommu_mock_ctl before, after;

	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	trace_mark(&self->e.trace);
	if (self->x.d->kind == DEV_MOCK)
		ASSERT_EQ(0, mock_ctl(self->x.d, &before));
	EXPECT_ST(OK, unmap(self, DOM, DST, MIB(1)));
	/* The reply is there: so is the invalidation, without waiting */
	if (self->x.d->kind == DEV_MOCK) {
		ASSERT_EQ(0, mock_ctl(self->x.d, &after));
		EXPECT_GT(after.domain_flush, before.domain_flush);
	} else if (self->e.trace.fd >= 0) {
		EXPECT_TRUE(trace_invalidated(&self->e.trace));
	}
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_ST(OK, unmap(self, DOM, SRC, MIB(1)));
	EXPECT_TRUE(read_denied(self, SRC, SRC_GPA, OUT, OUT_GPA, LEN));
	/* And mapped to another place, it goes there */
	EXPECT_ST(OK, map(self, DOM, SRC, SRC_GPA + MIB(6), PAGE, MAP_R));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA + MIB(6), OUT, OUT_GPA, LEN));
}

TEST_F_TIMEOUT(dma, detached, 90)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	/* The domain is gone with its last endpoint, also when it's back */
	EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
}

/* What a blocked device read is in its buffer: look there, too */
TEST_F_TIMEOUT(dma, blocked_read, 60)
{
	__u8 *to = ram_va(self->v, OUT_GPA);

	if (!dev_has_buffer(self->x.d)) {
		ksft_print_msg("covered by the devices that have a buffer\n");
		return;
	}
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	self->x.seed = 0x77;
	fill(ram_va(self->v, SRC_GPA), self->x.seed, LEN);
	trace_mark(&self->e.trace);
	dev_load(self->x.d, SRC, LEN);
	EXPECT_TRUE(xfer_refused(&self->x));
	ASSERT_ST(OK, usual(self, 0, DOM));
	memset(to, 0xee, LEN);
	ASSERT_EQ(0, dev_store(self->x.d, OUT, LEN));
	EXPECT_FALSE(filled(to, self->x.seed, LEN));
	EXPECT_FALSE(all_bytes(to, 0xee, LEN));
}

TEST_F_TIMEOUT(dma, after_reset, 90)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	ASSERT_EQ(0, vmm_set_running(self->v, false));
	/* Stopping alone changes nothing */
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	ASSERT_EQ(0, vmm_reset(self->v));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
}

TEST_F_TIMEOUT(dma, after_endpoint_removal, 90)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	ASSERT_EQ(0, vmm_remove_endpoint(self->v, EP(0)));
	self->x.host_blocks = true;
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
}

TEST_F_TIMEOUT(dma, after_ram_removal, 90)
{
	__u64 mappings;

	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST + PAGE, DST_GPA + PAGE,
			   LEN));
	/* Cuts DST in two */
	EXPECT_EQ(0, vmm_remove_ram(self->v, DST_GPA + PAGE,
				    DST_GPA + 3 * PAGE - 1, &mappings));
	EXPECT_EQ(1, mappings);
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST + PAGE,
				 DST_GPA + PAGE, LEN));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST + 3 * PAGE - LEN,
				 DST_GPA + 3 * PAGE - LEN, LEN));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST + 3 * PAGE,
			   DST_GPA + 3 * PAGE, LEN));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST + MIB(1) - LEN,
			   DST_GPA + MIB(1) - LEN, LEN));
	EXPECT_ST(OK, unmap(self, DOM, DST, MIB(1)));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST + 3 * PAGE,
				 DST_GPA + 3 * PAGE, LEN));
}

/*
 * Closing the vhost-iommu file changes nothing on the device: it stays attached
 * until its own file is closed.
 */
TEST_F_TIMEOUT(dma, after_close, 90)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	close(self->v->fd);
	self->v->fd = -1;
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST + MIB(8), DST_GPA,
				 LEN));
	EXPECT_EQ(0, dev_detach(self->x.d));
	self->x.host_blocks = true;
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
}

TEST_F_TIMEOUT(dma, two_in_one_domain, 120)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(1)));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	self->x.d = self->e.dev[1];
	ASSERT_EQ(0, env_driver(&self->e, 1, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	/* One leaves, the other keeps what is mapped */
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	self->x.d = self->e.dev[0];
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	/* An unmap holds for all that are in the domain */
	EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
	EXPECT_ST(OK, unmap(self, DOM, DST, MIB(1)));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	self->x.d = self->e.dev[1];
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
}

TEST_F_TIMEOUT(dma, same_iova_in_two_domains, 120)
{
	const __u64 other = DST_GPA + MIB(4);

	ASSERT_ST(OK, usual(self, 0, DOM));
	ASSERT_ST(OK, g_attach(self->v, DOM + 1, EP(1)));
	ASSERT_ST(OK, map(self, DOM + 1, SRC, SRC_GPA, PAGE, MAP_R));
	ASSERT_ST(OK, map(self, DOM + 1, DST, other, PAGE, MAP_W));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	self->x.d = self->e.dev[1];
	ASSERT_EQ(0, env_driver(&self->e, 1, DOM + 1));
	memset(ram_va(self->v, DST_GPA), 0x42, LEN);
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, other, LEN));
	EXPECT_TRUE(all_bytes(ram_va(self->v, DST_GPA), 0x42, LEN));
	/* What the other domain has, this one has not */
	EXPECT_TRUE(read_denied(self, OUT, OUT_GPA, DST, other, LEN));
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, other, LEN));
}

TEST_F_TIMEOUT(dma, attached_elsewhere, 90)
{
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_ST(OK, g_attach(self->v, DOM + 1, EP(0)));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_ST(OK, map(self, DOM + 1, SRC, SRC_GPA, PAGE, MAP_R));
	EXPECT_ST(OK, map(self, DOM + 1, DST, DST_GPA + PAGE, PAGE, MAP_W));
	ASSERT_EQ(0, env_driver(&self->e, 0, DOM + 1));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA + PAGE, LEN));
}

/* An endpoint that is alone in its domain, with mappings, is joined */
TEST_F_TIMEOUT(dma, joins_a_filled_domain, 90)
{
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EMU(0), NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(self->v, DOM, EMU(0)));
	ASSERT_ST(OK, map(self, DOM, SRC, SRC_GPA, MIB(1), MAP_R));
	ASSERT_ST(OK, map(self, DOM, DST, DST_GPA, MIB(1), MAP_W));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
	ASSERT_EQ(0, env_driver(&self->e, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, OUT, OUT_GPA, LEN));
}

TEST_F_TIMEOUT(dma, bypass_domain, 90)
{
	ASSERT_ST(OK, g_attach_flags(self->v, 5, EP(0),
				     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	ASSERT_EQ(0, env_driver(&self->e, 0, ~0u));
	EXPECT_TRUE(copies(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
			   LOW_GPA + PAGE, LEN));
	EXPECT_ST(OK, g_detach(self->v, 5, EP(0)));
	EXPECT_TRUE(write_denied(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
				 LOW_GPA + PAGE, LEN));
}

TEST_F_TIMEOUT(dma, set_bypass, 90)
{
	ASSERT_EQ(0, vmm_set_bypass(self->v, 1));
	ASSERT_EQ(0, env_driver(&self->e, 0, ~0u));
	EXPECT_TRUE(copies(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
			   LOW_GPA + PAGE, LEN));
	/* Not guest memory, so not in the RAM IOAS */
	EXPECT_TRUE(write_denied(self, LOW_GPA, LOW_GPA, LOW_GPA - PAGE,
				 LOW_GPA + PAGE, LEN));
	ASSERT_EQ(0, vmm_set_bypass(self->v, 0));
	EXPECT_TRUE(write_denied(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
				 LOW_GPA + PAGE, LEN));
	ASSERT_EQ(0, vmm_set_bypass(self->v, 1));
	ASSERT_ST(OK, usual(self, 0, DOM));
	EXPECT_TRUE(copies(self, SRC, SRC_GPA, DST, DST_GPA, LEN));
	EXPECT_TRUE(write_denied(self, SRC, SRC_GPA, LOW_GPA + PAGE,
				 LOW_GPA + PAGE, LEN));
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
	ASSERT_EQ(0, env_driver(&self->e, 0, ~0u));
	EXPECT_TRUE(copies(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
			   LOW_GPA + PAGE, LEN));
}

/* A device that is added while it does DMA reaches nothing */
TEST_F_TIMEOUT(dma, blocked_from_the_start, 60)
{
	self->x.seed = 0x31;
	EXPECT_TRUE(dev_has_buffer(self->x.d) ?
		    write_denied(self, LOW_GPA, LOW_GPA, LOW_GPA + PAGE,
				 LOW_GPA + PAGE, LEN) : true);
}

/*
 * The SMMU caches translations: map, DMA, unmap, DMA, and the second never
 * lands. edu takes 100 ms for each transfer, so it does fewer rounds.
 */
TEST_F_TIMEOUT(dma, stale, 900)
{
	unsigned int i, rounds = self->x.d->kind != DEV_EDU || long_tests() ?
				 1000 : 50;
	void *src = ram_va(self->v, SRC_GPA), *dst;
	__u64 at, gpa;

	ASSERT_ST(OK, usual(self, 0, DOM));
	ASSERT_ST(OK, unmap(self, DOM, DST, MIB(1)));
	for (i = 0; i < rounds; i++) {
		at = DST + (i % 7) * PAGE;
		gpa = DST_GPA + (i % 11) * PAGE;
		dst = ram_va(self->v, gpa);
		ASSERT_ST(OK, map(self, DOM, at, gpa, PAGE, MAP_W));
		fill(src, i, LEN);
		memset(dst, 0xee, LEN);
		ASSERT_EQ(0, dev_copy(self->x.d, SRC, at, LEN));
		ASSERT_TRUE(filled(dst, i, LEN))
			TH_LOG("round %u: the first write did not land", i);
		ASSERT_ST(OK, unmap(self, DOM, at, PAGE));
		memset(dst, 0xee, LEN);
		if (self->x.d->kind == DEV_EDU)
			dev_store(self->x.d, at, LEN);
		else
			dev_copy(self->x.d, SRC, at, LEN);
		ASSERT_TRUE(all_bytes(dst, 0xee, LEN))
			TH_LOG("round %u: a write landed after UNMAP", i);
	}
	ksft_print_msg("%u rounds\n", i);
}

SUITE;
