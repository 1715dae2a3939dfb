// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of the guest, for endpoints that share an IOMMU group: they move one after
 * the other, and what one of them has cached is invalidated with the others'.
 */
#include "suite.h"
#include "table.h"

#define GROUP	5
#define DOM	1
#define SRC	(IOVA + MIB(1))
#define SRC_GPA	(RAM_GPA + MIB(2))
#define OLD_GPA	(RAM_GPA + MIB(4))
#define NEW_GPA	(RAM_GPA + MIB(6))
#define LEN	256

FIXTURE(tgroup)
{
	struct env e;
	struct vmm *v;
	struct s1 s;
	struct s1 t;
	__u8 seed;
};

KIND_VARIANTS(tgroup);
KIND_MOCK(tgroup);
KIND_EDU(tgroup);

#define SELF	FIXTURE_DATA(tgroup) *self

FIXTURE_SETUP(tgroup)
{
	unsigned int i;

	self->v = &self->e.v;
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_open(&self->e, 2, true));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vmm_add_endpoint(self->v, EP(i), self->e.dev[i],
					      GROUP, NULL, 0));
	ASSERT_EQ(0, vmm_start(self->v));
	s1_usual(&self->s, self->v, 0, 1);
	s1_usual(&self->t, self->v, 1, 2);
	s1_map(&self->s, SRC, SRC_GPA, PAGE, MAP_R);
	s1_map(&self->t, SRC, SRC_GPA, PAGE, MAP_R);
	s1_map(&self->s, IOVA, OLD_GPA, PAGE, MAP_RW);
	s1_map(&self->t, IOVA, NEW_GPA, PAGE, MAP_RW);
}

FIXTURE_TEARDOWN(tgroup)
{
	env_down(&self->e);
}

/* Where what a device writes to IOVA arrives: an address, or 0 */
static __u64 goes_to(SELF, unsigned int i)
{
	__u8 *old = ram_va(self->v, OLD_GPA), *new = ram_va(self->v, NEW_GPA);

	fill(ram_va(self->v, SRC_GPA), ++self->seed, LEN);
	memset(old, 0xee, LEN);
	memset(new, 0xee, LEN);
	dev_copy(self->e.dev[i], SRC, IOVA, LEN);
	if (filled(old, self->seed, LEN))
		return OLD_GPA;
	return filled(new, self->seed, LEN) ? NEW_GPA : 0;
}

static int attach(SELF, unsigned int dom, unsigned int i, const struct s1 *s)
{
	return g_attach_s1(self->v, dom, EP(i), s);
}

/* From one table to another, to a paging domain, to bypass, and back */
TEST_F_TIMEOUT(tgroup, moves_one_by_one, 120)
{
	struct vmm *v = self->v;
	unsigned int i, first;

	for (i = 0; i < 2; i++)
		ASSERT_ST(OK, attach(self, DOM, i, &self->s));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(OLD_GPA, goes_to(self, i));
	for (first = 0; first < 2; first++) {
		ASSERT_ST(OK, attach(self, DOM + 1, first, &self->t));
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(0, goes_to(self, i));
			EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED,
				  vmm_ep_state(v, EP(i)));
		}
		/* Both domains can be asked to invalidate */
		EXPECT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
		EXPECT_ST(OK, g_inv(v, inv_domain(DOM + 1, 3)));
		ASSERT_ST(OK, attach(self, DOM + 1, !first, &self->t));
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(NEW_GPA, goes_to(self, i));
			EXPECT_EQ(VHOST_IOMMU_STATE_TABLE,
				  vmm_ep_state(v, EP(i)));
		}
		EXPECT_ST(NOENT, g_inv(v, inv_domain(DOM, 3)));
		ASSERT_ST(OK, attach(self, DOM, first, &self->s));
		EXPECT_EQ(0, goes_to(self, 0));
		EXPECT_EQ(0, goes_to(self, 1));
		ASSERT_ST(OK, attach(self, DOM, !first, &self->s));
		EXPECT_EQ(OLD_GPA, goes_to(self, 0));
		EXPECT_EQ(OLD_GPA, goes_to(self, 1));
	}
	/* What Linux calls its identity domain, and one of MAP and UNMAP */
	for (i = 0; i < 2; i++)
		ASSERT_ST(OK, g_attach_flags(v, DOM + 2, EP(i),
					     VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_EQ(VHOST_IOMMU_STATE_BYPASS_DOMAIN, vmm_ep_state(v, EP(0)));
	ASSERT_ST(OK, attach(self, DOM, 0, &self->s));
	EXPECT_EQ(VHOST_IOMMU_STATE_BLOCKED, vmm_ep_state(v, EP(1)));
	ASSERT_ST(OK, g_detach(v, DOM + 2, EP(1)));
	EXPECT_EQ(OLD_GPA, goes_to(self, 0));
	EXPECT_EQ(OLD_GPA, goes_to(self, 1));
}

/* The table changes while a device that walks it is in no domain */
static void change(SELF)
{
	s1_clear(&self->s, IOVA, PAGE);
	s1_map(&self->s, IOVA, NEW_GPA, PAGE, MAP_RW);
}

/*
 * All devices of a group walk the table that one of them is attached to, and cache
 * the context descriptor. It is replaced, and that is invalidated; a device must not
 * find the old one, neither before it is attached itself nor afterwards.
 */
TEST_F_TIMEOUT(tgroup, late_member_sees_no_stale_table, 120)
{
	struct vmm *v = self->v;
	unsigned int how, i;
	__u64 root = self->s.root;
	struct s1 other = self->t;

	for (how = 0; how < 2; how++) {
		/* @how 1: a member leaves, and comes back */
		ASSERT_ST(OK, attach(self, DOM, 0, &self->s));
		if (how)
			ASSERT_ST(OK, attach(self, DOM, 1, &self->s));
		for (i = 0; i < 2; i++)
			EXPECT_EQ(OLD_GPA, goes_to(self, i));
		if (how)
			ASSERT_ST(OK, g_detach(v, DOM, EP(1)));
		/* The same address space, but in other tables */
		self->s.root = other.root;
		s1_write_cd(&self->s, s1_cd0(&self->s));
		ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
		/* It follows the other one, attached or not */
		EXPECT_EQ(NEW_GPA, goes_to(self, 1));
		ASSERT_ST(OK, attach(self, DOM, 1, &self->s));
		EXPECT_EQ(NEW_GPA, goes_to(self, 0));
		EXPECT_EQ(NEW_GPA, goes_to(self, 1));
		self->s.root = root;
		s1_write_cd(&self->s, s1_cd0(&self->s));
		ASSERT_ST(OK, g_inv(v, inv_domain(DOM, 3)));
		for (i = 0; i < 2; i++)
			ASSERT_ST(OK, g_detach(v, DOM, EP(i)));
	}
	/* And what the TLB has of it */
	ASSERT_ST(OK, attach(self, DOM, 0, &self->s));
	EXPECT_EQ(OLD_GPA, goes_to(self, 1));
	change(self);
	ASSERT_ST(OK, g_inv(v, inv_asid(DOM, self->s.asid)));
	ASSERT_ST(OK, attach(self, DOM, 1, &self->s));
	EXPECT_EQ(NEW_GPA, goes_to(self, 1));
}

SUITE;
