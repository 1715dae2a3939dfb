// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of table mode as buffers: lengths, layout over descriptors, and what
 * happens without the feature. Needs no device: a request that is understood
 * is refused for what it says.
 */
#include "suite.h"
#include "table.h"

#define DOM	1

FIXTURE(tformat)
{
	struct env e;
	struct vmm *v;
};

FIXTURE_VARIANT(tformat)
{
	enum dev_kind kind;
	bool indirect;
};

FIXTURE_VARIANT_ADD(tformat, direct)
{
	.kind = DEV_NONE,
	.indirect = false,
};

FIXTURE_VARIANT_ADD(tformat, indirect)
{
	.kind = DEV_NONE,
	.indirect = true,
};

FIXTURE_VARIANT_ADD(tformat, mock_direct)
{
	.kind = DEV_MOCK,
	.indirect = false,
};

FIXTURE_VARIANT_ADD(tformat, mock_indirect)
{
	.kind = DEV_MOCK,
	.indirect = true,
};

FIXTURE_VARIANT_ADD(tformat, edu_direct)
{
	.kind = DEV_EDU,
	.indirect = false,
};

FIXTURE_VARIANT_ADD(tformat, edu_indirect)
{
	.kind = DEV_EDU,
	.indirect = true,
};

FIXTURE_SETUP(tformat)
{
	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	self->v->indirect = variant->indirect;
	ENV_UP(&self->e, env_up(&self->e, 1));
}

FIXTURE_TEARDOWN(tformat)
{
	env_down(&self->e);
}

#define ATTACH_LEN							\
	offsetof(struct virtio_iommu_req_attach_table_arm, tail)
#define INV_LEN	offsetof(struct virtio_iommu_req_invalidate, tail)

static bool untouched(const void *p, size_t len)
{
	const __u8 *b = p;

	while (len--)
		if (*b++ != REQ_FILL)
			return false;
	return true;
}

/* What a request comes back with that is as it should be */
static int attach_good(FIXTURE_DATA(tformat) *self)
{
	return self->e.kind == DEV_NONE ? UNSUPP : OK;
}

static int inv_good(FIXTURE_DATA(tformat) *self)
{
	return self->e.kind == DEV_NONE ? NOENT : OK;
}

static struct virtio_iommu_req_attach_table_arm good_attach(void)
{
	return attach_table_req(DOM, EP(0), STE0_BYPASS, 0);
}

TEST_F(tformat, readable_part_too_short)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct virtio_iommu_req_invalidate i = inv_domain(DOM, 3);
	__u8 in[4];
	struct req r = { .in = in, .in_len = sizeof(in) };

	for (r.out_len = 0; r.out_len < ATTACH_LEN; r.out_len++) {
		r.out = &a;
		EXPECT_EQ(r.out_len < 4 ? NO_STATUS : INVAL,
			  req_sync(self->v, &r))
			TH_LOG("ATTACH_TABLE of %u bytes", r.out_len);
		if (r.out_len >= INV_LEN)
			continue;
		r.out = &i;
		EXPECT_EQ(r.out_len < 4 ? NO_STATUS : INVAL,
			  req_sync(self->v, &r))
			TH_LOG("INVALIDATE of %u bytes", r.out_len);
	}
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(self->v, EP(0)));
	r.out = &a;
	EXPECT_ST(attach_good(self), req_sync(self->v, &r));
	r.out = &i;
	r.out_len = INV_LEN;
	EXPECT_ST(inv_good(self), req_sync(self->v, &r));
}

TEST_F(tformat, writable_part_too_short)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct virtio_iommu_req_invalidate i = inv_domain(DOM, 3);
	__u8 in[4];
	struct req r = { .in = in };

	for (r.in_len = 0; r.in_len < 4; r.in_len++) {
		r.out = &a;
		r.out_len = ATTACH_LEN;
		EXPECT_ST(NO_STATUS, req_sync(self->v, &r));
		EXPECT_TRUE(untouched(in, r.in_len));
		r.out = &i;
		r.out_len = INV_LEN;
		EXPECT_ST(NO_STATUS, req_sync(self->v, &r));
		EXPECT_TRUE(untouched(in, r.in_len));
	}
	/* And they were not carried out */
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(self->v, EP(0)));
}

TEST_F(tformat, longer_parts)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct virtio_iommu_req_invalidate i = inv_domain(DOM, 3);
	__u8 out[256], in[64];
	struct req r = {
		.out = out, .out_len = sizeof(out),
		.in = in, .in_len = sizeof(in),
	};

	memset(out, 0x77, sizeof(out));
	memcpy(out, &a, ATTACH_LEN);
	EXPECT_ST(attach_good(self), req_sync(self->v, &r));
	EXPECT_EQ(4, self->v->last_used_len);
	EXPECT_TRUE(untouched(in + 4, sizeof(in) - 4));
	memset(out, 0x77, sizeof(out));
	memcpy(out, &i, INV_LEN);
	EXPECT_ST(inv_good(self), req_sync(self->v, &r));
	EXPECT_EQ(4, self->v->last_used_len);
	EXPECT_TRUE(untouched(in + 4, sizeof(in) - 4));
}

/* Any number of descriptors, wherever they end */
TEST_F(tformat, any_layout)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct virtio_iommu_req_invalidate i = inv_domain(DOM, 3);
	__u8 in[4];
	struct req r = { .in = in, .in_len = sizeof(in) };

	for (r.out_segs = 1; r.out_segs <= 60; r.out_segs++)
		for (r.in_segs = 1; r.in_segs <= 4; r.in_segs++) {
			r.out = &a;
			r.out_len = ATTACH_LEN;
			EXPECT_EQ(attach_good(self), req_sync(self->v, &r))
				TH_LOG("ATTACH_TABLE, %u + %u descriptors",
				       r.out_segs, r.in_segs);
			r.out = &i;
			r.out_len = INV_LEN;
			EXPECT_EQ(inv_good(self), req_sync(self->v, &r))
				TH_LOG("INVALIDATE, %u + %u descriptors",
				       r.out_segs, r.in_segs);
		}
}

/* Cut in two at every byte */
TEST_F(tformat, cut_anywhere)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct vq *q = &self->v->vq[VHOST_IOMMU_VQ_REQUEST];
	__u64 out, in;
	__u8 *p, *t;
	__u32 cut;

	if (self->v->indirect) {
		ksft_print_msg("covered by the direct variant\n");
		return;
	}
	for (cut = 1; cut < ATTACH_LEN; cut++) {
		struct seg s[3] = { { }, { }, { .len = 4, .write = true } };
		struct vring_used_elem u;

		/* The two parts are apart and in the other order */
		p = req_buf(self->v, 512, &out);
		t = req_buf(self->v, 4, &in);
		s[0] = (struct seg){ .gpa = out + 256, .len = cut };
		s[1] = (struct seg){ .gpa = out, .len = ATTACH_LEN - cut };
		s[2].gpa = in;
		memset(p, 0xff, 512);
		memcpy(p + 256, &a, cut);
		memcpy(p, (__u8 *)&a + cut, ATTACH_LEN - cut);
		t[0] = REQ_FILL;
		vq_add(q, s, 3);
		vq_publish(q);
		vq_kick(q);
		ASSERT_EQ(0, vq_wait(q, 1, REQ_TIMEOUT_MS));
		u = vq_pop(q);
		EXPECT_EQ(4, u.len);
		EXPECT_EQ(attach_good(self), t[0])
			TH_LOG("cut at %u: %s", cut, status_name(t[0]));
	}
}

static int with_features(struct vmm *v, __u64 features)
{
	int rc = vmm_set_running(v, false);

	v->features = features;
	if (!rc)
		rc = vmm_set_features(v);
	return rc ? rc : vmm_set_running(v, true);
}

TEST_F(tformat, without_the_feature)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct vmm_stats before, after;
	__u64 features = self->v->features;
	struct vmm *v = self->v;

	ASSERT_EQ(0, with_features(v, features &
				   ~FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE)));
	ASSERT_EQ(0, vmm_stats(v, &before));
	EXPECT_ST(NO_STATUS, attach_table_raw(v, &a));
	EXPECT_ST(NO_STATUS, g_inv(v, inv_domain(DOM, 3)));
	ASSERT_EQ(0, vmm_stats(v, &after));
	EXPECT_EQ(2, after.no_status - before.no_status);
	EXPECT_EQ(0, after.domains);
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	EXPECT_ST(OK, g_detach(v, DOM, EP(0)));
	ASSERT_EQ(0, with_features(v, features));
	EXPECT_ST(attach_good(self), attach_table_raw(v, &a));
}

/* What a device offers for table drivers only */
TEST_F(tformat, without_map_and_unmap)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct vmm *v = self->v;

	ASSERT_EQ(0, with_features(v, v->features &
				   ~FEATURE(VIRTIO_IOMMU_F_MAP_UNMAP)));
	EXPECT_ST(attach_good(self), attach_table_raw(v, &a));
	EXPECT_ST(inv_good(self), g_inv(v, inv_domain(DOM, 3)));
	EXPECT_ST(NO_STATUS, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
				   MAP_RW));
	EXPECT_ST(NO_STATUS, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
}

TEST_F(tformat, counted_by_type)
{
	struct virtio_iommu_req_attach_table_arm a = good_attach();
	struct vmm_stats before, after;

	ASSERT_EQ(0, vmm_stats(self->v, &before));
	attach_table_raw(self->v, &a);
	g_inv(self->v, inv_domain(DOM, 3));
	g_inv(self->v, inv_domain(DOM, 3));
	ASSERT_EQ(0, vmm_stats(self->v, &after));
	EXPECT_EQ(1, after.requests[VIRTIO_IOMMU_T_ATTACH_TABLE] -
		     before.requests[VIRTIO_IOMMU_T_ATTACH_TABLE]);
	EXPECT_EQ(2, after.requests[VIRTIO_IOMMU_T_INVALIDATE] -
		     before.requests[VIRTIO_IOMMU_T_INVALIDATE]);
	EXPECT_EQ(0, after.requests[0] - before.requests[0]);
}

SUITE;
