// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vhost-iommu-stat tells of a device is what was done. VHOST_IOMMU_STAT names
 * it; it needs Python.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "suite.h"

#define DOM	1
#define ROUNDS	50
#define LINE	KIB(32)
/* Python may take its time to start */
#define STARTS	30000

FIXTURE(stat_tool)
{
	struct env e;
	struct vmm *v;
	const char *tool;
	pid_t pid;
	FILE *out;
	char first[LINE];
	char second[LINE];
	char third[LINE];
};

#define SELF	FIXTURE_DATA(stat_tool) *self

KIND_VARIANTS(stat_tool);
KIND_MOCK(stat_tool);

/* Start the tool, with its output in a pipe */
static int start(SELF, const char *const *args)
{
	const char *argv[16] = { self->tool };
	posix_spawn_file_actions_t actions;
	unsigned int i;
	int fd[2], rc;

	for (i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
	rc = posix_spawn(&self->pid, self->tool, &actions, NULL,
			 (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	self->out = fdopen(fd[0], "r");
	return -rc;
}

#define START(...)	start(self, (const char *const[]){ __VA_ARGS__, NULL })

/* Returns the tool's exit status */
static int ended(SELF)
{
	int status;

	fclose(self->out);
	if (waitpid(self->pid, &status, 0) != self->pid)
		status = -1;
	self->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

FIXTURE_SETUP(stat_tool)
{
	self->tool = getenv("VHOST_IOMMU_STAT");
	if (!self->tool)
		SKIP(return, "VHOST_IOMMU_STAT does not name the tool");
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

FIXTURE_TEARDOWN(stat_tool)
{
	if (self->pid > 0) {
		kill(self->pid, SIGTERM);
		ended(self);
	}
	env_down(&self->e);
}

/* What is behind these names, in this order */
static const char *member(const char *json, const char *const *names)
{
	char name[64];

	for (; json && *names; names++) {
		snprintf(name, sizeof(name), "\"%s\": ", *names);
		json = strstr(json, name);
		if (json)
			json += strlen(name);
	}
	return json;
}

static double number(const char *json, const char *const *names)
{
	const char *at = member(json, names);

	return at ? strtod(at, NULL) : -1;
}

#define NUMBER(_json, ...)						\
	number(_json, (const char *const[]){ __VA_ARGS__, NULL })

static unsigned int times(const char *text, const char *word)
{
	unsigned int n = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

/* MAPs and UNMAPs, alone and several at a time, and a MAP that is refused */
static int load(struct vmm *v)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < ROUNDS; i++) {
		g_batch_add(v, BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA);
		if (i & 1)
			rc = g_batch_run(v, 1);
		g_batch_add(v, BATCH_UNMAP, DOM, IOVA, PAGE, 0);
		rc = rc ? rc : g_batch_run(v, i & 1 ? 1 : 2);
	}
	if (!rc && g_map(v, DOM, IOVA, IOVA, RAM_GPA, MAP_RW) != RANGE)
		rc = -EPROTO;
	return rc;
}

/* The instance of the tracer that the tool with this PID has */
static bool traces(pid_t pid)
{
	char path[96];

	snprintf(path, sizeof(path),
		 "/sys/kernel/tracing/instances/vhost-iommu-stat-%d", pid);
	return !access(path, F_OK);
}

/* In whatever way several processes have it, a device is one */
TEST_F_TIMEOUT(stat_tool, totals, 120)
{
	struct vmm *v = self->v;
	char *line = self->first;
	struct vmm_stats s;
	int copy, status;
	pid_t pid;

	ASSERT_EQ(0, load(v));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_stats(v, &s));
	copy = dup(v->fd);
	ASSERT_GE(copy, 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		pause();
		_exit(0);
	}
	ASSERT_EQ(0, START("--json", "--once"));
	ASSERT_NE(NULL, fgets(line, LINE, self->out));
	EXPECT_EQ(0, ended(self));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	close(copy);
	if (verbose)
		fputs(line, stdout);

	EXPECT_EQ(1, times(line, "\"figures\""));
	EXPECT_NE(NULL, strstr(line, "\"interval\": null"));
	EXPECT_NE(NULL, strstr(line, "\"rates\": null"));
	EXPECT_EQ(vmm_number(v), NUMBER(line, "device"));
	EXPECT_EQ(getpid(), NUMBER(line, "pid"));
	EXPECT_EQ(v->fd, NUMBER(line, "fd"));
	EXPECT_EQ(ROUNDS + 1, s.requests[VIRTIO_IOMMU_T_MAP]);
	EXPECT_EQ(ROUNDS + 1, NUMBER(line, "figures", "requests-map"));
	EXPECT_EQ(ROUNDS, NUMBER(line, "figures", "requests-unmap"));
	EXPECT_EQ(s.replies[OK], NUMBER(line, "figures", "status-ok"));
	EXPECT_EQ(s.batches, NUMBER(line, "figures", "batches"));
	EXPECT_EQ(s.in_place, NUMBER(line, "figures", "in-place"));
	EXPECT_EQ(1, NUMBER(line, "figures", "domains"));
	/* ATTACH, too */
	EXPECT_EQ(2 * ROUNDS + 2, NUMBER(line, "requests"));
	EXPECT_EQ(1, NUMBER(line, "refused_maps"));
	EXPECT_EQ(1, NUMBER(line, "errors"));

	env_down(&self->e);
	ASSERT_EQ(0, START("--json", "--once"));
	ASSERT_NE(NULL, fgets(line, LINE, self->out));
	EXPECT_EQ(0, ended(self));
	EXPECT_NE(NULL, strstr(line, "\"devices\": []"));
}

/* What a figure of the second line has beyond that of the first one */
static double more(SELF, const char *name)
{
	const char *const names[] = { "figures", name, NULL };

	return number(self->second, names) - number(self->first, names);
}

static bool near(double a, double b)
{
	return a >= b * 0.99 && a <= b * 1.01;
}

/* A line comes at the end of an interval: what is done then is in the next one */
TEST_F_TIMEOUT(stat_tool, rates, 120)
{
	struct vmm *v = self->v;
	double seconds, requests;
	char pid[16];
	pid_t tool;

	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_EQ(0, load(v));
	/* What is between two lines takes no time beside that */
	ASSERT_EQ(0, START("--json", "--latency", "--interval", "5", "--count",
			   "3", "--pid", pid));
	tool = self->pid;
	ASSERT_NE(NULL, fgets(self->first, LINE, self->out));
	EXPECT_TRUE(traces(tool));
	ASSERT_EQ(0, load(v));
	ASSERT_NE(NULL, fgets(self->second, LINE, self->out));
	env_down(&self->e);
	ASSERT_NE(NULL, fgets(self->third, LINE, self->out));
	EXPECT_EQ(NULL, fgets(self->third + strlen(self->third), 2, self->out));
	EXPECT_EQ(0, ended(self));
	EXPECT_FALSE(traces(tool));
	if (verbose)
		printf("%s%s%s", self->first, self->second, self->third);

	EXPECT_EQ(0, NUMBER(self->first, "requests"));
	EXPECT_NE(NULL, strstr(self->first, "\"batch\": null"));
	EXPECT_NE(NULL, strstr(self->first, "\"latency\": {}"));
	requests = 2 * ROUNDS + 1;
	EXPECT_EQ(ROUNDS + 1, more(self, "requests-map"));
	EXPECT_EQ(ROUNDS, more(self, "requests-unmap"));
	EXPECT_EQ(1, more(self, "refused-maps-range"));

	/* All rates go by the same time, which is about that of the interval */
	seconds = ROUNDS / NUMBER(self->second, "rates", "requests-unmap");
	EXPECT_GE(NUMBER(self->second, "interval"), 5);
	EXPECT_GT(seconds, 2);
	EXPECT_LT(seconds, 2 * NUMBER(self->second, "interval"));
	EXPECT_TRUE(near(NUMBER(self->second, "requests") * seconds, requests));
	EXPECT_TRUE(near(NUMBER(self->second, "rates", "wakeups") * seconds,
			 more(self, "wakeups")));
	EXPECT_TRUE(near(NUMBER(self->second, "errors") * seconds, 1));
	EXPECT_TRUE(near(NUMBER(self->second, "refused_maps") * seconds, 1));
	EXPECT_TRUE(near(NUMBER(self->second, "batch"),
			 requests / more(self, "batches")));
	EXPECT_TRUE(near(NUMBER(self->second, "in_place"),
			 more(self, "in-place") / requests));
	EXPECT_TRUE(near(NUMBER(self->second, "worker"),
			 1 - NUMBER(self->second, "in_place")));

	/* All of them were traced, and none from before */
	EXPECT_EQ(0, NUMBER(self->second, "lost_events"));
	EXPECT_EQ(ROUNDS + 1, NUMBER(self->second, "latency", "map", "count"));
	EXPECT_EQ(ROUNDS, NUMBER(self->second, "latency", "unmap", "count"));
	EXPECT_GT(NUMBER(self->second, "latency", "map", "median_us"), 0);
	EXPECT_GE(NUMBER(self->second, "latency", "map", "max_us"),
		  NUMBER(self->second, "latency", "map", "p99_us"));
	EXPECT_NE(NULL, strstr(self->third, "\"devices\": []"));
}

/* However it is told to end, nothing is traced any more */
TEST_F_TIMEOUT(stat_tool, ends, 120)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	unsigned int i, ms;
	pid_t tool;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		ASSERT_EQ(0, START("--latency", "--interval", "100"));
		tool = self->pid;
		for (ms = 0; ms < STARTS && !traces(tool); ms++)
			sleep_ms(1);
		ASSERT_TRUE(traces(tool));
		ASSERT_EQ(0, kill(tool, signals[i]));
		EXPECT_EQ(0, ended(self));
		EXPECT_FALSE(traces(tool));
	}
}

SUITE;
