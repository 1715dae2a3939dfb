// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests as buffers: types, lengths, layout over descriptors, PROBE.
 */
#include "suite.h"

#define DOM	1

FIXTURE(format)
{
	struct env e;
	struct vmm *v;
};

FIXTURE_VARIANT(format)
{
	bool indirect;
};

FIXTURE_VARIANT_ADD(format, direct)
{
	.indirect = false,
};

FIXTURE_VARIANT_ADD(format, indirect)
{
	.indirect = true,
};

FIXTURE_SETUP(format)
{
	self->v = &self->e.v;
	env_init(&self->e, DEV_NONE);
	self->v->indirect = variant->indirect;
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(format)
{
	env_down(&self->e);
}

static const struct {
	const char *name;
	__u8 type;
	__u32 len;
} types[] = {
	{ "ATTACH", VIRTIO_IOMMU_T_ATTACH,
	  offsetof(struct virtio_iommu_req_attach, tail) },
	{ "DETACH", VIRTIO_IOMMU_T_DETACH,
	  offsetof(struct virtio_iommu_req_detach, tail) },
	{ "MAP", VIRTIO_IOMMU_T_MAP,
	  offsetof(struct virtio_iommu_req_map, tail) },
	{ "UNMAP", VIRTIO_IOMMU_T_UNMAP,
	  offsetof(struct virtio_iommu_req_unmap, tail) },
	{ "PROBE", VIRTIO_IOMMU_T_PROBE,
	  sizeof(struct virtio_iommu_req_probe) },
};

static bool untouched(const void *p, size_t len)
{
	const __u8 *b = p;

	while (len--)
		if (*b++ != REQ_FILL)
			return false;
	return true;
}

static struct virtio_iommu_req_map good_map(void)
{
	return (struct virtio_iommu_req_map){
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = htole32(DOM),
		.virt_start = htole64(IOVA),
		.virt_end = htole64(IOVA + PAGE - 1),
		.phys_start = htole64(RAM_GPA),
		.flags = htole32(MAP_RW),
	};
}

TEST_F(format, unknown_type)
{
	static const __u8 unknown[] = { 0, 6, 7, 8, 0x7f, 0xff };
	struct vmm_stats before, after;
	__u8 out[128] = { }, in[16];
	struct req r = {
		.out = out, .out_len = sizeof(out),
		.in = in, .in_len = sizeof(in),
	};
	unsigned int i;

	ASSERT_EQ(0, vmm_stats(self->v, &before));
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		out[0] = unknown[i];
		EXPECT_ST(NO_STATUS, req_sync(self->v, &r));
		EXPECT_TRUE(untouched(in, sizeof(in)));
	}
	ASSERT_EQ(0, vmm_stats(self->v, &after));
	EXPECT_EQ(ARRAY_SIZE(unknown),
		  after.requests[0] - before.requests[0]);
	EXPECT_EQ(ARRAY_SIZE(unknown),
		  after.no_status - before.no_status);
}

TEST_F(format, no_head)
{
	__u8 out[3] = { VIRTIO_IOMMU_T_MAP }, in[4];
	struct req r = { .out = out, .in = in, .in_len = sizeof(in) };

	for (r.out_len = 0; r.out_len < 4; r.out_len++) {
		EXPECT_ST(NO_STATUS, req_sync(self->v, &r));
		EXPECT_TRUE(untouched(in, sizeof(in)));
	}
}

TEST_F(format, readable_part_too_short)
{
	__u8 out[128], in[260];
	struct req r = { .out = out, .in = in };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		memset(out, 0, sizeof(out));
		out[0] = types[i].type;
		r.in_len = types[i].type == VIRTIO_IOMMU_T_PROBE ?
			   self->v->config.probe_size + 4 : 4;
		for (r.out_len = 4; r.out_len < types[i].len; r.out_len++) {
			EXPECT_EQ(INVAL, req_sync(self->v, &r)) {
				TH_LOG("%s of %u bytes", types[i].name,
				       r.out_len);
				break;
			}
		}
	}
	EXPECT_ST(OK, g_detach(self->v, DOM, EP(0)));
}

TEST_F(format, writable_part_too_short)
{
	__u8 out[128], in[260];
	struct req r = { .out = out, .in = in };
	unsigned int i;
	__u32 tail;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		memset(out, 0, sizeof(out));
		out[0] = types[i].type;
		r.out_len = types[i].len;
		tail = types[i].type == VIRTIO_IOMMU_T_PROBE ?
		       self->v->config.probe_size : 0;
		for (r.in_len = tail; r.in_len < tail + 4; r.in_len++) {
			EXPECT_EQ(NO_STATUS, req_sync(self->v, &r))
				TH_LOG("%s, %u bytes to write", types[i].name,
				       r.in_len);
			EXPECT_TRUE(untouched(in, r.in_len));
		}
	}
}

TEST_F(format, request_without_room_for_a_reply_changes_nothing)
{
	struct virtio_iommu_req_map m = good_map();
	struct req r = { .out = &m, .out_len = sizeof(m) - 4 };

	EXPECT_ST(NO_STATUS, req_sync(self->v, &r));
	EXPECT_ST(OK, g_map(self->v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			    MAP_RW));
}

TEST_F(format, longer_parts)
{
	struct virtio_iommu_req_map m = good_map();
	__u8 out[256], in[64];
	struct req r = {
		.out = out, .out_len = sizeof(out),
		.in = in, .in_len = sizeof(in),
	};

	memset(out, 0x77, sizeof(out));
	memcpy(out, &m, sizeof(m) - 4);
	EXPECT_ST(OK, req_sync(self->v, &r));
	EXPECT_EQ(4, self->v->last_used_len);
	EXPECT_TRUE(untouched(in + 4, sizeof(in) - 4));
}

/* Any number of descriptors, wherever they end */
TEST_F(format, any_layout)
{
	struct virtio_iommu_req_map m = good_map();
	__u8 in[4];
	struct req r = {
		.out = &m, .out_len = sizeof(m) - 4,
		.in = in, .in_len = sizeof(in),
	};

	for (r.out_segs = 1; r.out_segs <= sizeof(m) - 4; r.out_segs++)
		for (r.in_segs = 1; r.in_segs <= 4; r.in_segs++) {
			EXPECT_EQ(OK, req_sync(self->v, &r))
				TH_LOG("%u + %u descriptors", r.out_segs,
				       r.in_segs);
			EXPECT_ST(OK, g_unmap(self->v, DOM, IOVA,
					      IOVA + PAGE - 1));
		}
}

TEST_F(format, tail_reserved_is_zero)
{
	struct virtio_iommu_req_map m = good_map();
	__u8 in[4];
	struct req r = {
		.out = &m, .out_len = sizeof(m) - 4,
		.in = in, .in_len = sizeof(in),
	};

	EXPECT_ST(OK, req_sync(self->v, &r));
	EXPECT_EQ(0, in[1] | in[2] | in[3]);
	EXPECT_ST(INVAL, req_sync(self->v, &r));
	EXPECT_EQ(0, in[1] | in[2] | in[3]);
}

static int with_features(struct vmm *v, __u64 features)
{
	int rc = vmm_set_running(v, false);

	v->features = features;
	if (!rc)
		rc = vmm_set_features(v);
	return rc ? rc : vmm_set_running(v, true);
}

TEST_F(format, map_without_the_feature)
{
	struct vmm_stats before, after;
	struct vmm *v = self->v;

	ASSERT_EQ(0, with_features(v, v->features &
				   ~FEATURE(VIRTIO_IOMMU_F_MAP_UNMAP)));
	ASSERT_EQ(0, vmm_stats(v, &before));
	EXPECT_ST(NO_STATUS, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
				   MAP_RW));
	EXPECT_ST(NO_STATUS, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	ASSERT_EQ(0, vmm_stats(v, &after));
	EXPECT_EQ(2, after.no_status - before.no_status);
	EXPECT_EQ(0, after.mappings);
	EXPECT_ST(OK, g_attach(v, DOM + 1, EP(0)));
}

TEST_F(format, probe_without_the_feature)
{
	__u8 in[260];

	ASSERT_EQ(0, with_features(self->v, self->v->features &
				   ~FEATURE(VIRTIO_IOMMU_F_PROBE)));
	EXPECT_ST(NO_STATUS, g_probe(self->v, EP(0), in, sizeof(in)));
	EXPECT_TRUE(untouched(in, sizeof(in)));
}

TEST_F(format, probe)
{
	struct virtio_iommu_probe_resv_mem p[2];
	__u8 in[260], zero[256] = { };

	probe_resv(&p[0], VIRTIO_IOMMU_RESV_MEM_T_MSI, 0x8000000, 0x80fffff);
	probe_resv(&p[1], VIRTIO_IOMMU_RESV_MEM_T_RESERVED, 0x9000000,
		   0x9000fff);
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EMU(1), NULL, -1, p,
				      sizeof(p)));
	EXPECT_ST(OK, g_probe(self->v, EMU(1), in, sizeof(in)));
	EXPECT_EQ(sizeof(in), self->v->last_used_len);
	EXPECT_EQ(0, memcmp(in, p, sizeof(p)));
	EXPECT_EQ(0, memcmp(in + sizeof(p), zero, 256 - sizeof(p)));
	/* One that has no properties */
	EXPECT_ST(OK, g_probe(self->v, EP(0), in, sizeof(in)));
	EXPECT_EQ(sizeof(in), self->v->last_used_len);
	EXPECT_EQ(0, memcmp(in, zero, 256));
}

TEST_F(format, probe_room_for_more)
{
	__u8 in[300];

	EXPECT_ST(OK, g_probe(self->v, EP(0), in, sizeof(in)));
	EXPECT_EQ(260, self->v->last_used_len);
	EXPECT_TRUE(untouched(in + 260, sizeof(in) - 260));
}

TEST_F(format, probe_reserved_is_ignored)
{
	struct virtio_iommu_req_probe p = {
		.head.type = VIRTIO_IOMMU_T_PROBE,
		.endpoint = htole32(EP(0)),
	};
	__u8 in[260];
	struct req r = {
		.out = &p, .out_len = sizeof(p), .in = in, .in_len = sizeof(in),
	};

	memset(p.reserved, 0xff, sizeof(p.reserved));
	EXPECT_ST(OK, req_sync(self->v, &r));
}

TEST_F(format, probe_unknown_endpoint)
{
	__u8 in[260], zero[256] = { };

	EXPECT_ST(NOENT, g_probe(self->v, 0xdead, in, sizeof(in)));
	EXPECT_EQ(sizeof(in), self->v->last_used_len);
	EXPECT_EQ(0, memcmp(in, zero, sizeof(zero)));
}

TEST_F(format, probe_list_too_long)
{
	struct virtio_iommu_probe_resv_mem p[12];
	__u8 in[260], zero[256] = { };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		probe_resv(&p[i], VIRTIO_IOMMU_RESV_MEM_T_RESERVED,
			   i * MIB(1), i * MIB(1) + PAGE - 1);
	ASSERT_GT(sizeof(p), self->v->config.probe_size);
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EMU(1), NULL, -1, p,
				      sizeof(p)));
	EXPECT_ST(INVAL, g_probe(self->v, EMU(1), in, sizeof(in)));
	EXPECT_EQ(sizeof(in), self->v->last_used_len);
	EXPECT_EQ(0, memcmp(in, zero, sizeof(zero)));
	/* It fits to the byte */
	ASSERT_EQ(0, vmm_remove_endpoint(self->v, EMU(1)));
	i = self->v->config.probe_size / sizeof(p[0]);
	ASSERT_EQ(0, vmm_add_endpoint(self->v, EMU(1), NULL, -1, p,
				      i * sizeof(p[0])));
	EXPECT_ST(OK, g_probe(self->v, EMU(1), in, sizeof(in)));
	EXPECT_EQ(0, memcmp(in, p, i * sizeof(p[0])));
}

SUITE;
