// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device tells of itself and what can be asked of it: calls, proposals,
 * request queues, figures and the last MAP that was refused.
 */
#include <stdlib.h>
#include <sys/wait.h>

#include <linux/virtio_iommu_table.h>

#include "suite.h"

#define DOM	1
/* More figures than there are */
#define MAX_NR	256
#define TABLE	FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE)
#define MQ	FEATURE(VIRTIO_IOMMU_F_MQ)

FIXTURE(uapi)
{
	struct vmm v;
	struct vhost_iommu_info info;
	struct vhost_iommu_stat list[MAX_NR];
};

#define SELF	FIXTURE_DATA(uapi) *self

FIXTURE_SETUP(uapi)
{
	struct vmm *v = &self->v;

	vmm_init(v);
	ASSERT_EQ(0, vmm_prepare(v, false));
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, xioctl(v->fd, VHOST_IOMMU_GET_INFO, &self->info));
}

FIXTURE_TEARDOWN(uapi)
{
	vmm_close(&self->v);
}

/* The mask says which calls there are, of all that can ever be */
TEST_F(uapi, calls)
{
	unsigned int nr;

	for (nr = 0; nr < 64; nr++) {
		__u32 none[64] = { };
		int rc = xioctl(self->v.fd, _IO(VHOST_IOMMU_TYPE, nr), none);

		/* No structure has a size of 0 */
		EXPECT_EQ(self->info.out_calls >> nr & 1 ? -EINVAL : -ENOTTY,
			  rc)
			TH_LOG("call 0x%x: %s", nr, strerror(-rc));
	}
}

static __u64 offered(struct vmm *v)
{
	__u64 features = 0;

	return xioctl(v->fd, VHOST_GET_FEATURES, &features) ? 0 : features;
}

static int propose(struct vmm *v, __u64 proposals)
{
	v->config.proposals = proposals;
	return vmm_set_config(v);
}

static int accept(struct vmm *v, __u64 more)
{
	__u64 features = FEATURE(VIRTIO_F_VERSION_1) | more;

	return xioctl(v->fd, VHOST_SET_FEATURES, &features);
}

/* A feature that no specification has is offered to whoever asks for it */
TEST_F(uapi, proposals)
{
	const __u64 both = TABLE | MQ;
	struct vmm *v = &self->v;
	unsigned int bit;

	ASSERT_EQ(both, self->info.out_proposals);
	EXPECT_EQ(0, offered(v) & both);
	EXPECT_EQ(-EOPNOTSUPP, accept(v, TABLE));
	ASSERT_EQ(0, propose(v, both));
	EXPECT_EQ(self->info.out_features, offered(v));
	/* Each by itself */
	ASSERT_EQ(0, propose(v, MQ));
	EXPECT_EQ(MQ, offered(v) & both);
	EXPECT_EQ(-EOPNOTSUPP, accept(v, TABLE));
	ASSERT_EQ(0, propose(v, TABLE));
	EXPECT_EQ(TABLE, offered(v) & both);
	EXPECT_EQ(-EOPNOTSUPP, accept(v, MQ));
	/* What is not accepted can be taken back */
	ASSERT_EQ(0, propose(v, 0));
	EXPECT_EQ(0, offered(v) & TABLE);
	EXPECT_EQ(-EOPNOTSUPP, accept(v, TABLE));
	/* What is, can't */
	ASSERT_EQ(0, propose(v, TABLE));
	ASSERT_EQ(0, accept(v, TABLE));
	EXPECT_EQ(-EINVAL, propose(v, 0));
	EXPECT_EQ(TABLE, offered(v) & TABLE);
	EXPECT_EQ(0, propose(v, TABLE));
	ASSERT_EQ(0, accept(v, 0));
	EXPECT_EQ(0, propose(v, 0));
	/* All others are no proposals, also if they are features */
	for (bit = 0; bit < 64; bit++) {
		if (FEATURE(bit) & both)
			continue;
		EXPECT_EQ(-EOPNOTSUPP, propose(v, FEATURE(bit)))
			TH_LOG("feature bit %u", bit);
		EXPECT_EQ(-EOPNOTSUPP, propose(v, FEATURE(bit) | TABLE));
	}
	/* A call that failed has changed nothing */
	EXPECT_EQ(self->info.out_features & ~both, offered(v));
	/* Nor can it be changed under a guest */
	ASSERT_EQ(0, propose(v, 0));
	ASSERT_EQ(0, vmm_start(v));
	EXPECT_EQ(-EBUSY, propose(v, TABLE));
	EXPECT_EQ(0, offered(v) & TABLE);
}

TEST_F(uapi, queues)
{
	struct vmm *v = &self->v;
	unsigned int max = self->info.out_max_queues, i;

	ASSERT_EQ(4, max);
	for (i = 1; i <= max; i++) {
		v->config.num_queues = i;
		EXPECT_EQ(0, vmm_set_config(v));
	}
	v->config.num_queues = 0;
	EXPECT_EQ(-EINVAL, vmm_set_config(v));
	v->config.num_queues = max + 1;
	EXPECT_EQ(-EINVAL, vmm_set_config(v));
	v->config.num_queues = ~0u;
	EXPECT_EQ(-EINVAL, vmm_set_config(v));
}

/* What a guest does with one page, over and over */
static int requests(struct vmm *v, unsigned int n)
{
	int st = g_attach(v, DOM, EMU(0));

	while (!st && n--) {
		st = g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW);
		if (!st)
			st = g_unmap(v, DOM, IOVA, IOVA + PAGE - 1);
	}
	return st ? st : g_detach(v, DOM, EMU(0));
}

TEST_F(uapi, worker_only)
{
	struct vmm *v = &self->v;
	unsigned int only;
	struct vmm_stats s;

	for (only = 2; only--; ) {
		__u64 before;

		v->config.flags = only ? VHOST_IOMMU_CONFIG_WORKER_ONLY : 0;
		ASSERT_EQ(0, vmm_set_config(v));
		ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0));
		ASSERT_EQ(0, vmm_start(v));
		ASSERT_EQ(0, vmm_stats(v, &s));
		before = s.requests[VIRTIO_IOMMU_T_MAP];
		EXPECT_ST(OK, requests(v, 50));
		ASSERT_EQ(0, vmm_stats(v, &s));
		EXPECT_EQ(before + 50, s.requests[VIRTIO_IOMMU_T_MAP]);
		EXPECT_EQ(only, s.in_place == 0);
		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(0, vmm_remove_endpoint(v, EMU(0)));
	}
}

static int get_list(SELF, void *addr, __u32 nr, __u32 *out_nr)
{
	struct vhost_iommu_get_stats a = {
		.size = sizeof(a), .addr = (__u64)(uintptr_t)addr, .nr = nr,
		.out_nr = 0x5a5a5a5a,
	};
	int rc = xioctl(self->v.fd, VHOST_IOMMU_GET_STATS, &a);

	*out_nr = a.out_nr;
	return rc;
}

/* Some requests of each kind, good and bad, and the device is stopped */
static int have_figures(SELF)
{
	const __u32 unknown[2] = { 0x77 };
	struct vmm *v = &self->v;
	int rc;

	rc = vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0);
	rc = rc ? rc : vmm_start(v);
	rc = rc ? rc : requests(v, 3);
	rc = rc ? rc : g_attach(v, DOM, EMU(0));
	rc = rc ? rc : g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA,
			     MAP_R);
	if (rc)
		return rc;
	g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_R);
	g_map(v, DOM + 1, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_R);
	g_unmap(v, DOM, IOVA, IOVA + PAGE - 1);
	req_simple(v, unknown, sizeof(unknown));
	return vmm_set_running(v, false);
}

static const struct {
	const char *name;
	__u32 id;
} alone[] = {
	{ "no-status", VHOST_IOMMU_STAT_NO_STATUS },
	{ "batches", VHOST_IOMMU_STAT_BATCHES },
	{ "wakeups", VHOST_IOMMU_STAT_WAKEUPS },
	{ "poll-hits", VHOST_IOMMU_STAT_POLL_HITS },
	{ "in-place", VHOST_IOMMU_STAT_IN_PLACE },
	{ "ring-errors", VHOST_IOMMU_STAT_RING_ERRORS },
	{ "domains", VHOST_IOMMU_STAT_DOMAINS },
	{ "endpoints", VHOST_IOMMU_STAT_ENDPOINTS },
	{ "broken", VHOST_IOMMU_STAT_BROKEN },
	{ "mappings", VHOST_IOMMU_STAT_MAPPINGS },
	{ "mapped-bytes", VHOST_IOMMU_STAT_MAPPED_BYTES },
	{ "table-pages", VHOST_IOMMU_STAT_TABLE_PAGES },
	{ "rebuilds", VHOST_IOMMU_STAT_REBUILDS },
	{ "host-errors", VHOST_IOMMU_STAT_HOST_ERRORS },
	{ "events", VHOST_IOMMU_STAT_EVENTS },
	{ "events-dropped", VHOST_IOMMU_STAT_EVENTS_DROPPED },
	{ "events-lost", VHOST_IOMMU_STAT_EVENTS_LOST },
	{ "inv-commands", VHOST_IOMMU_STAT_INV_COMMANDS },
	{ "inv-calls", VHOST_IOMMU_STAT_INV_CALLS },
	{ "vhost-misses", VHOST_IOMMU_STAT_VHOST_MISSES },
	{ "vhost-updates", VHOST_IOMMU_STAT_VHOST_UPDATES },
	{ "vhost-invalidations", VHOST_IOMMU_STAT_VHOST_INVALIDATIONS },
	{ "held-replies", VHOST_IOMMU_STAT_HELD_REPLIES },
};

static const char *const types[] = {
	"unknown", "attach", "detach", "map", "unmap", "probe", "attach-table",
	"invalidate",
};

static const char *const statuses[] = {
	"ok", "ioerr", "unsupp", "deverr", "inval", "range", "noent", "fault",
	"nomem",
};

static const char *const queues[] = {
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
	"13", "14", "15",
};

static const struct {
	const char *prefix;
	__u32 id;
	const char *const *names;
	unsigned int nr;
} indexed[] = {
	{ "requests-", VHOST_IOMMU_STAT_REQUESTS, types, ARRAY_SIZE(types) },
	{ "status-", VHOST_IOMMU_STAT_REPLIES, statuses,
	  ARRAY_SIZE(statuses) },
	{ "refused-maps-", VHOST_IOMMU_STAT_REFUSED_MAPS, statuses,
	  ARRAY_SIZE(statuses) },
	{ "queue-requests-", VHOST_IOMMU_STAT_QUEUE_REQUESTS, queues,
	  ARRAY_SIZE(queues) },
};

/* Which figure a line of fdinfo has, by the name in front of its colon */
static bool named(const char *name, __u32 *id, __u32 *index)
{
	unsigned int i, k;

	*index = 0;
	for (i = 0; i < ARRAY_SIZE(alone); i++) {
		*id = alone[i].id;
		if (!strcmp(name, alone[i].name))
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(indexed); i++) {
		size_t len = strlen(indexed[i].prefix);

		if (strncmp(name, indexed[i].prefix, len))
			continue;
		*id = indexed[i].id;
		for (k = 0; k < indexed[i].nr; k++) {
			*index = k;
			if (!strcmp(name + len, indexed[i].names[k]))
				return true;
		}
	}
	return false;
}

TEST_F(uapi, stats_list)
{
	struct vhost_iommu_stat *list = self->list, *f;
	char path[64], text[8192], *line, *save;
	__u32 nr, i, id, index, found = 0;
	bool seen[MAX_NR] = { };

	ASSERT_EQ(0, have_figures(self));
	memset(list, 0x5a, sizeof(self->list));
	ASSERT_EQ(0, get_list(self, list, MAX_NR, &nr));
	ASSERT_GE(nr, ARRAY_SIZE(alone));
	ASSERT_LT(nr, MAX_NR);
	EXPECT_TRUE(all_bytes(&list[nr], 0x5a, (MAX_NR - nr) * sizeof(*list)));
	for (i = 1; i < nr; i++)
		EXPECT_TRUE(list[i - 1].id < list[i].id ||
			    (list[i - 1].id == list[i].id &&
			     list[i - 1].index < list[i].index))
			TH_LOG("figure %u is out of order", i);

	/* Line by line */
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->v.fd);
	ASSERT_GT(read_file(path, text, sizeof(text)), 0);
	line = strtok_r(text, "\n", &save);
	for (; line; line = strtok_r(NULL, "\n", &save)) {
		static const char head[] = "vhost-iommu-";
		char *colon = strchr(line, ':');

		if (strncmp(line, head, strlen(head)) || !colon)
			continue;
		*colon = 0;
		if (!strcmp(line + strlen(head), "device")) {
			/* It is no figure, and comes first */
			EXPECT_EQ(0, found);
			continue;
		}
		ASSERT_TRUE(named(line + strlen(head), &id, &index))
			TH_LOG("%s: not known here", line);
		for (i = 0; i < nr; i++)
			if (list[i].id == id && list[i].index == index)
				break;
		ASSERT_LT(i, nr)
			TH_LOG("%s: not in the list", line);
		EXPECT_EQ(strtoull(colon + 1, NULL, 10), list[i].value)
			TH_LOG("%s", line);
		EXPECT_FALSE(seen[i]);
		seen[i] = true;
		found++;
	}
	EXPECT_GE(found, ARRAY_SIZE(alone) + ARRAY_SIZE(types) +
			 2 * ARRAY_SIZE(statuses) - 1);
	/* What has no line is nothing that was ever counted */
	for (f = list; f < list + nr; f++)
		if (!seen[f - list])
			EXPECT_EQ(0, f->value)
				TH_LOG("figure %u[%u]", f->id, f->index);
}

/* Devices are counted, whatever becomes of them */
TEST_F(uapi, device_number)
{
	__u32 number = vmm_number(&self->v), last = number;
	unsigned int i;

	EXPECT_GT(number, 0);
	for (i = 0; i < 3; i++) {
		struct vmm v;

		vmm_init(&v);
		ASSERT_EQ(0, vmm_open(&v));
		EXPECT_GT(vmm_number(&v), last);
		last = vmm_number(&v);
		vmm_close(&v);
	}
	EXPECT_EQ(number, vmm_number(&self->v));
}

/* An array that is too short, or longer than needed, or not there */
TEST_F(uapi, stats_list_length)
{
	static struct vhost_iommu_stat all[MAX_NR];
	struct vhost_iommu_stat *list = self->list;
	__u32 nr, k, got;
	char *page;

	ASSERT_EQ(0, have_figures(self));
	ASSERT_EQ(0, get_list(self, all, MAX_NR, &nr));
	for (k = 0; k <= nr + 1; k++) {
		__u32 n = k < nr ? k : nr;

		memset(list, 0x5a, sizeof(self->list));
		ASSERT_EQ(0, get_list(self, list, k, &got));
		EXPECT_EQ(nr, got);
		EXPECT_EQ(0, memcmp(list, all, n * sizeof(*list)));
		EXPECT_TRUE(all_bytes(&list[n], 0x5a,
				      (MAX_NR - n) * sizeof(*list)));
	}
	memset(list, 0x5a, sizeof(self->list));
	EXPECT_EQ(0, get_list(self, list, ~0u, &got));
	EXPECT_EQ(nr, got);
	EXPECT_EQ(0, memcmp(list, all, nr * sizeof(*list)));
	EXPECT_TRUE(all_bytes(&list[nr], 0x5a, (MAX_NR - nr) * sizeof(*list)));

	/* Whoever has no array learns how long it has to be */
	EXPECT_EQ(0, get_list(self, NULL, 0, &got));
	EXPECT_EQ(nr, got);
	EXPECT_EQ(-EFAULT, get_list(self, NULL, 1, &got));
	EXPECT_EQ(0x5a5a5a5a, got);
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + PAGE, PAGE, PROT_READ));
	page += PAGE;
	EXPECT_EQ(0, get_list(self, page - nr * sizeof(*list), nr, &got));
	EXPECT_EQ(-EFAULT, get_list(self, page - (nr - 1) * sizeof(*list), nr,
				    &got));
	EXPECT_EQ(0, get_list(self, page - (nr - 1) * sizeof(*list), nr - 1,
			      &got));
	EXPECT_EQ(nr, got);
}

/* The last MAP that was not carried out, whatever came in between */
TEST_F(uapi, refusal)
{
	struct vhost_iommu_get_refusal r;
	struct vmm *v = &self->v;
	unsigned int i, sum = 0;
	struct vmm_stats s;
	int status;
	pid_t pid;

	EXPECT_EQ(-ENOENT, vmm_refusal(v, &r));
	ASSERT_EQ(0, vmm_add_endpoint(v, EMU(0), NULL, -1, NULL, 0));
	ASSERT_EQ(0, vmm_start(v));
	ASSERT_ST(OK, g_attach(v, DOM, EMU(0)));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	EXPECT_ST(RANGE, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	EXPECT_EQ(-ENOENT, vmm_refusal(v, &r));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA + PAGE,
			       MAP_RW));
	EXPECT_ST(RANGE, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	ASSERT_EQ(0, vmm_refusal(v, &r));
	EXPECT_EQ(1, r.out_count);
	EXPECT_EQ(IOVA, r.out_start);
	EXPECT_EQ(IOVA + PAGE - 1, r.out_last);
	EXPECT_EQ(RAM_GPA + PAGE, r.out_phys);
	EXPECT_EQ(DOM, r.out_domain);
	EXPECT_EQ(INVAL, r.out_status);
	EXPECT_ST(NOENT, g_map(v, 77, IOVA + MIB(1), IOVA + MIB(2) - 1,
			       RAM_GPA + MIB(1), MAP_R));
	ASSERT_ST(OK, g_map(v, DOM, IOVA + MIB(1), IOVA + MIB(2) - 1, RAM_GPA,
			    MAP_RW));
	ASSERT_EQ(0, vmm_refusal(v, &r));
	EXPECT_EQ(2, r.out_count);
	EXPECT_EQ(IOVA + MIB(1), r.out_start);
	EXPECT_EQ(IOVA + MIB(2) - 1, r.out_last);
	EXPECT_EQ(RAM_GPA + MIB(1), r.out_phys);
	EXPECT_EQ(77, r.out_domain);
	EXPECT_EQ(NOENT, r.out_status);
	ASSERT_EQ(0, vmm_stats(v, &s));
	for (i = 0; i < VMM_NR_STATUS; i++)
		sum += s.refused_maps[i];
	EXPECT_EQ(2, sum);
	EXPECT_EQ(1, s.refused_maps[INVAL]);
	EXPECT_EQ(1, s.refused_maps[NOENT]);
	/* Another process may ask */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(vmm_refusal(v, &r) || r.out_count != 2);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

SUITE;
