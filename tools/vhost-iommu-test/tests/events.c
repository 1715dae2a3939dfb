// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: what an operator sees of requests and endpoints.
 */
#include <fcntl.h>

#include "suite.h"

#define TRACING	"/sys/kernel/tracing/"
#define DOM	1

FIXTURE(events)
{
	struct env e;
	struct vmm *v;
	char *text;
};

KIND_VARIANTS(events);
KIND_NONE(events);
KIND_MOCK(events);
KIND_EDU(events);

FIXTURE_SETUP(events)
{
	self->v = &self->e.v;
	if (access(TRACING "events", F_OK))
		SKIP(return, "tracefs is not mounted at " TRACING);
	self->text = malloc(1 << 20);
	ASSERT_NE(NULL, self->text);
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_EQ(0, write_file(TRACING "events/vhost_iommu/enable", "1"));
	/* Writing nothing clears it */
	close(open(TRACING "trace", O_WRONLY | O_TRUNC));
}

FIXTURE_TEARDOWN(events)
{
	write_file(TRACING "events/vhost_iommu/enable", "0");
	free(self->text);
	env_down(&self->e);
}

static unsigned int lines(const char *text, const char *word)
{
	unsigned int n = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

TEST_F(events, requests_and_endpoints)
{
	struct vmm *v = self->v;
	unsigned int n;
	char dev[32];

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM, 0x2345000, 0x2346fff, RAM_GPA, MAP_R));
	ASSERT_ST(INVAL, g_map(v, DOM, 0x2345000, 0x2345fff, RAM_GPA, MAP_R));
	ASSERT_ST(OK, g_unmap(v, DOM, 0x2345000, 0x2346fff));
	ASSERT_ST(OK, g_detach(v, DOM, EP(0)));
	/* The reply comes before the event */
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_GT(read_file(TRACING "trace", self->text, 1 << 20), 0);
	if (verbose)
		fputs(self->text, stdout);
	EXPECT_EQ(5, lines(self->text, " vhost_iommu_request:"));
	EXPECT_EQ(2, lines(self->text, " vhost_iommu_endpoint:"));
	n = lines(self->text, " vhost_iommu_host_cmd:");
	EXPECT_TRUE(variant->kind == DEV_NONE ? n == 0 : n >= 4);
	/* The MAP that failed, which has an event of its own, and what was asked for */
	EXPECT_EQ(1, lines(self->text, " vhost_iommu_refused:"));
	EXPECT_EQ(4, lines(self->text, "0x2345000"));
	EXPECT_EQ(2, lines(self->text, "0x2346fff"));
	EXPECT_EQ(2, lines(self->text, "INVAL"));
	EXPECT_EQ(0, lines(self->text, "UNKNOWN"));
	/* Nobody else has a device */
	snprintf(dev, sizeof(dev), ": dev=%u ", vmm_number(v));
	EXPECT_EQ(lines(self->text, " vhost_iommu_"), lines(self->text, dev));
}

SUITE;
