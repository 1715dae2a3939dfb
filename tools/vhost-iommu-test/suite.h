/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests are spread over several files, each with the kselftest harness and so
 * with a list of fixtures of its own. main.c runs all lists as one.
 */
#ifndef VHOST_IOMMU_TEST_SUITE_H
#define VHOST_IOMMU_TEST_SUITE_H

#include <kselftest_harness.h>

#include "vit.h"

/**
 * struct suite - The tests of one file
 * @fixtures: The harness's list
 * @next: Next file
 */
struct suite {
	struct __fixture_metadata *fixtures;
	struct suite *next;
};

void suite_add(struct suite *s);

/* Once in each file; after the constructors that fill the list */
#define SUITE								\
	static struct suite suite_of_file;				\
	static void __attribute__((constructor(30000)))			\
	register_suite_of_file(void)					\
	{								\
		suite_of_file.fixtures = __fixture_list;		\
		suite_add(&suite_of_file);				\
	}								\
	struct suite

/* Variants by what the endpoints are; main.c knows their levels by name */
#define KIND_VARIANTS(fixture)						\
	FIXTURE_VARIANT(fixture) { enum dev_kind kind; }

#define KIND_NONE(f)	FIXTURE_VARIANT_ADD(f, none) { .kind = DEV_NONE, }
#define KIND_MOCK(f)	FIXTURE_VARIANT_ADD(f, mock) { .kind = DEV_MOCK, }
#define KIND_EDU(f)	FIXTURE_VARIANT_ADD(f, edu) { .kind = DEV_EDU, }
#define KIND_IGB(f)	FIXTURE_VARIANT_ADD(f, igb) { .kind = DEV_IGB, }

/* In FIXTURE_SETUP: go on, skip or fail by what an env_*() function returned */
#define ENV_UP(e, call) do {						\
	struct env *__e = (e);						\
	int __rc = (call);						\
									\
	if (__rc && __e->skip[0])					\
		SKIP(return, "%s", __e->skip);				\
	ASSERT_EQ(0, __rc)						\
		TH_LOG("%s: %s", #call, strerror(-__rc));		\
} while (0)

/* A request's outcome, by name in messages */
#define EXPECT_ST(_status, _call) do {					\
	int __want = (_status), __st = (_call);				\
									\
	EXPECT_EQ(__want, __st)						\
		TH_LOG("%s: %s, not %s", #_call, status_name(__st),	\
		       status_name(__want));				\
} while (0)

#define ASSERT_ST(_status, _call) do {					\
	int __want = (_status), __st = (_call);				\
									\
	ASSERT_EQ(__want, __st)						\
		TH_LOG("%s: %s, not %s", #_call, status_name(__st),	\
		       status_name(__want));				\
} while (0)

#define OK	VIRTIO_IOMMU_S_OK
#define IOERR	VIRTIO_IOMMU_S_IOERR
#define UNSUPP	VIRTIO_IOMMU_S_UNSUPP
#define DEVERR	VIRTIO_IOMMU_S_DEVERR
#define INVAL	VIRTIO_IOMMU_S_INVAL
#define RANGE	VIRTIO_IOMMU_S_RANGE
#define NOENT	VIRTIO_IOMMU_S_NOENT
#define NOMEM	VIRTIO_IOMMU_S_NOMEM

int bench_main(int argc, char **argv);
int demo_main(int argc, char **argv);

#endif /* VHOST_IOMMU_TEST_SUITE_H */
