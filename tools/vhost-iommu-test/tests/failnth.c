// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection, one allocation or user copy at a time, through all of the
 * user API and of the worker's request path. What is tested is the kernel's
 * integrity: a call may fail, but nothing is lost, and afterwards all works.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "soft.h"
#include "suite.h"
#include "table.h"
#include "vnet.h"

#define DOM	1
#define MAX_NTH	2000

FIXTURE(failnth)
{
	struct env e;
	struct vmm *v;
	int self_nth;
	int worker_nth;
	int kicker[2];
	pid_t kicker_pid;
};

/* What guests' tables are like; made anew whenever they are used */
static struct s1 s1;
static struct s1 other_s1;

KIND_VARIANTS(failnth);
KIND_MOCK(failnth);

static void write_setting(const char *attr, const char *name, const char *val)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", attr, name);
	write_file(path, val);
}

FIXTURE_SETUP(failnth)
{
	struct vmm *v = &self->e.v;

	self->v = v;
	self->self_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (self->self_nth < 0)
		SKIP(return, "the kernel has no CONFIG_FAULT_INJECTION");
	write_setting("failslab", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "ignore-gfp-highmem", "N");
	write_setting("fail_page_alloc", "min-order", "0");
	write_setting("failslab", "verbose", "0");
	write_setting("fail_page_alloc", "verbose", "0");
	write_setting("fail_usercopy", "verbose", "0");
	env_init_table(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
}

/* Kicks for each byte that comes through a pipe, and says so */
static int start_kicker(FIXTURE_DATA(failnth) *self)
{
	struct vq *q = &self->v->vq[VHOST_IOMMU_VQ_REQUEST];
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, self->kicker))
		return -errno;
	self->kicker_pid = fork();
	if (self->kicker_pid)
		return self->kicker_pid < 0 ? -errno : 0;
	close(self->kicker[0]);
	while (read(self->kicker[1], &c, 1) == 1) {
		vq_kick(q);
		if (write(self->kicker[1], &c, 1) != 1)
			break;
	}
	_exit(0);
}

static void stop_kicker(FIXTURE_DATA(failnth) *self)
{
	int status;

	if (self->kicker_pid <= 0)
		return;
	close(self->kicker[0]);
	close(self->kicker[1]);
	waitpid(self->kicker_pid, &status, 0);
}

FIXTURE_TEARDOWN(failnth)
{
	stop_kicker(self);
	env_down(&self->e);
}

/* Fault number @n from now on in that thread; 0 for none */
static void arm(int fd, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	if (pwrite(fd, text, strlen(text), 0) < 0)
		perror("fail-nth");
}

/* Whether it came */
static bool fired(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return true;
	arm(fd, 0);
	return atoi(text) == 0;
}

struct step {
	const char *name;
	int (*prepare)(struct env *e);
	int (*call)(struct env *e);
	void (*undo)(struct env *e);
};

static int nothing(struct env *e)
{
	return 0;
}

static void no_undo(struct env *e)
{
}

static int call_open(struct env *e)
{
	struct vmm v;
	int rc;

	vmm_init(&v);
	rc = vmm_open(&v);
	vmm_close(&v);
	return rc;
}

static int open_owned(struct vmm *v)
{
	int rc;

	vmm_init(v);
	rc = vmm_open(v);
	return rc ? rc : vmm_set_owner(v);
}

static int call_owner(struct env *e)
{
	struct vmm v;
	int rc = open_owned(&v);

	vmm_close(&v);
	return rc;
}

static int call_set_up(struct env *e)
{
	struct vmm v = e->v;
	int rc, i;

	v.scratch = NULL;
	v.nr_ram = 1;
	for (i = 0; i < VMM_MAX_RINGS; i++) {
		v.vq[i].kick = -1;
		v.vq[i].call = -1;
		v.vq[i].err = -1;
	}
	rc = vmm_open(&v);
	if (!rc)
		rc = vmm_set_owner(&v);
	if (!rc)
		rc = vmm_set_mem_table(&v);
	if (!rc)
		rc = vmm_set_config(&v);
	if (!rc)
		rc = vmm_set_features(&v);
	if (!rc)
		rc = vmm_set_iommufd(&v);
	if (v.fd >= 0)
		close(v.fd);
	if (v.scratch)
		munmap(v.scratch, v.scratch_len);
	return rc;
}

static int call_info(struct env *e)
{
	struct vhost_iommu_get_attachment a;
	struct vhost_iommu_get_refusal r;
	struct vmm_stats s;
	int rc = vmm_stats(&e->v, &s);

	if (!rc)
		rc = vmm_attachment(&e->v, EP(0), 0, &a);
	if (rc)
		return rc;
	rc = vmm_refusal(&e->v, &r);
	/* There may have been none */
	return rc == -ENOENT ? 0 : rc;
}

static int call_log(struct env *e)
{
	struct vhost_iommu_get_log a = { .size = sizeof(a) };
	struct vmm v;
	int rc;

	/* The first call makes it */
	rc = open_owned(&v);
	if (!rc)
		rc = xioctl(v.fd, VHOST_IOMMU_GET_LOG, &a);
	if (!rc)
		close(a.out_fd);
	vmm_close(&v);
	return rc;
}

static int call_translate(struct env *e)
{
	struct vhost_iommu_translate t;

	return vmm_translate(&e->v, EP(0), IOVA, MAP_R, &t);
}

static int call_doorbell(struct env *e)
{
	return vmm_set_doorbell(&e->v, DOORBELL_GPA, DOORBELL_GPA + 4095, 0);
}

static void undo_doorbell(struct env *e)
{
	vmm_set_doorbell(&e->v, DOORBELL_GPA, DOORBELL_GPA + 4095,
			 VHOST_IOMMU_DOORBELL_REMOVE);
}

static int call_add_emulated(struct env *e)
{
	struct virtio_iommu_probe_resv_mem p[2];

	probe_resv(&p[0], 1, 0x8000000, 0x80fffff);
	probe_resv(&p[1], 0, 0x9000000, 0x90fffff);
	return vmm_add_endpoint(&e->v, EMU(0), NULL, 7, p, sizeof(p));
}

static void undo_add_emulated(struct env *e)
{
	vmm_remove_endpoint(&e->v, EMU(0));
}

static int prep_device(struct env *e)
{
	vmm_remove_endpoint(&e->v, EP(1));
	return 0;
}

static int call_device(struct env *e)
{
	return vmm_add_endpoint(&e->v, EP(1), e->dev[1], -1, NULL, 0);
}

static int prep_remove(struct env *e)
{
	int rc = call_device(e);

	return rc == -EEXIST ? 0 : rc;
}

static int call_remove(struct env *e)
{
	return vmm_remove_endpoint(&e->v, EP(1));
}

static void undo_remove(struct env *e)
{
	call_device(e);
}

static int call_viommu(struct env *e)
{
	struct nest n = e->v.nest;

	/* Nobody asks an ID that no endpoint has */
	n.handle = VMM_HANDLE(7);
	n.viommu = 4711;
	return vmm_add_nest(&e->v, &n, -1);
}

static void undo_viommu(struct env *e)
{
	struct nest n = e->v.nest;

	n.handle = VMM_HANDLE(7);
	vmm_remove_nest(&e->v, &n);
}

static int prep_events(struct env *e)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < 2; i++)
		rc = vmm_remove_endpoint(&e->v, EP(i));
	return rc ? rc : vmm_remove_viommu(&e->v);
}

static int call_events(struct env *e)
{
	return vmm_add_viommu(&e->v, e->v.nest.event_fd);
}

static void undo_events(struct env *e)
{
	unsigned int i;

	call_events(e);
	for (i = 0; i < 2; i++)
		vmm_add_endpoint(&e->v, EP(i), e->dev[i], -1, NULL, 0);
}

static int prep_eventq(struct env *e)
{
	int rc = vmm_remove_eventq(&e->v, &e->v.nest);

	return rc == -ENOENT ? 0 : rc;
}

static int call_eventq(struct env *e)
{
	return vmm_add_eventq(&e->v, &e->v.nest, e->v.nest.event_fd);
}

static int prep_remove_eventq(struct env *e)
{
	int rc = call_eventq(e);

	return rc == -EEXIST ? 0 : rc;
}

static int call_remove_eventq(struct env *e)
{
	return vmm_remove_eventq(&e->v, &e->v.nest);
}

static void undo_eventq(struct env *e)
{
	call_eventq(e);
}

static int call_bypass(struct env *e)
{
	return vmm_set_bypass(&e->v, 1);
}

static void undo_bypass(struct env *e)
{
	vmm_set_bypass(&e->v, 0);
}

static int prep_cut(struct env *e)
{
	int rc = g_attach(&e->v, DOM, EP(0));

	g_unmap(&e->v, DOM, 0, ~0ULL);
	if (!rc)
		rc = g_map(&e->v, DOM, IOVA, IOVA + 8 * PAGE - 1, RAM_GPA,
			   MAP_RW);
	return rc;
}

static int call_cut(struct env *e)
{
	return vmm_remove_ram(&e->v, RAM_GPA + 2 * PAGE,
			      RAM_GPA + 3 * PAGE - 1, NULL);
}

static int prep_reset(struct env *e)
{
	int rc = prep_cut(e);

	return rc ? rc : vmm_set_running(&e->v, false);
}

static int call_reset(struct env *e)
{
	return vmm_reset(&e->v);
}

static int prep_table_reset(struct env *e)
{
	int rc;

	/* Whatever it was in before */
	g_detach(&e->v, DOM, EP(0));
	s1_usual(&s1, &e->v, 0, 1);
	s1_map(&s1, IOVA, RAM_GPA, PAGE, MAP_RW);
	rc = g_attach_s1(&e->v, DOM, EP(0), &s1);
	return rc ? rc : vmm_set_running(&e->v, false);
}

static int call_running(struct env *e)
{
	int rc = vmm_set_running(&e->v, false);

	return rc ? rc : vmm_set_running(&e->v, true);
}

/* A vhost-net of an emulated endpoint, whose ring is mapped */
static int vhost_fd = -1;

static int prep_vhost(struct env *e)
{
	struct vmm *v = &e->v;
	int rc;

	vhost_fd = vnet_file(true, O_NONBLOCK);
	if (vhost_fd < 0)
		return vhost_fd;
	rc = vmm_add_endpoint(v, EMU(1), NULL, -1, NULL, 0);
	if (!rc)
		rc = g_attach(v, DOM, EMU(1));
	if (!rc)
		rc = g_map(v, DOM, IOVA + PAGE, IOVA + 2 * PAGE - 1, RAM_GPA,
			   MAP_RW);
	return rc;
}

static int prep_vhost_miss(struct env *e)
{
	int rc = prep_vhost(e);

	return rc ? rc : vnet_add(&e->v, EMU(1), vhost_fd);
}

static int call_add_vhost(struct env *e)
{
	return vnet_add(&e->v, EMU(1), vhost_fd);
}

static int call_vhost_miss(struct env *e)
{
	return vnet_miss(&e->v, EMU(1), vhost_fd, IOVA + PAGE,
			 VHOST_IOMMU_ACCESS_READ);
}

static void undo_vhost(struct env *e)
{
	vnet_remove(&e->v, EMU(1), vhost_fd);
	vmm_remove_endpoint(&e->v, EMU(1));
	close(vhost_fd);
}

static int call_notify(struct env *e)
{
	int rc = soft_notify(&e->v, EMU(1), true);

	return rc ? rc : soft_ack(&e->v, 1);
}

static int prep_notify(struct env *e)
{
	struct vhost_iommu_get_log a = { .size = sizeof(a) };
	int rc = vmm_add_endpoint(&e->v, EMU(1), NULL, -1, NULL, 0);

	if (!rc)
		rc = xioctl(e->v.fd, VHOST_IOMMU_GET_LOG, &a);
	if (!rc)
		close(a.out_fd);
	return rc;
}

static void undo_notify(struct env *e)
{
	vmm_remove_endpoint(&e->v, EMU(1));
}

static const struct step api[] = {
	{ "open", nothing, call_open, no_undo },
	{ "SET_OWNER", nothing, call_owner, no_undo },
	{ "set-up", nothing, call_set_up, no_undo },
	{ "queries", nothing, call_info, no_undo },
	{ "SET_DOORBELL", nothing, call_doorbell, undo_doorbell },
	{ "ADD_ENDPOINT, emulated", nothing, call_add_emulated,
	  undo_add_emulated },
	{ "ADD_ENDPOINT, device", prep_device, call_device, no_undo },
	{ "REMOVE_ENDPOINT", prep_remove, call_remove, undo_remove },
	{ "ADD_VIOMMU", nothing, call_viommu, undo_viommu },
	{ "ADD_VIOMMU with events", prep_events, call_events, undo_events },
	{ "ADD_EVENTQ", prep_eventq, call_eventq, undo_eventq },
	{ "REMOVE_EVENTQ", prep_remove_eventq, call_remove_eventq,
	  undo_eventq },
	{ "SET_BYPASS", nothing, call_bypass, undo_bypass },
	{ "GET_LOG", nothing, call_log, no_undo },
	{ "TRANSLATE", nothing, call_translate, no_undo },
	{ "ADD_VHOST", prep_vhost, call_add_vhost, undo_vhost },
	{ "VHOST_MISS", prep_vhost_miss, call_vhost_miss, undo_vhost },
	{ "SET_NOTIFY and ACK", prep_notify, call_notify, undo_notify },
	{ "REMOVE_RAM", prep_cut, call_cut, no_undo },
	{ "RESET", prep_reset, call_reset, no_undo },
	{ "RESET of tables", prep_table_reset, call_reset, no_undo },
	{ "SET_RUNNING", nothing, call_running, no_undo },
};

/* Whatever happened: reset, and all works */
static int clean(struct env *e)
{
	struct vmm *v = &e->v;
	int rc;

	rc = vmm_set_running(v, false);
	if (!rc)
		rc = vmm_reset(v);
	if (!rc)
		rc = vmm_set_rings(v, 256);
	if (!rc)
		rc = vmm_start(v);
	return rc;
}

static int whole(struct env *e)
{
	struct vmm *v = &e->v;
	int rc = g_attach(v, DOM, EP(0));

	if (!rc)
		rc = g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW);
	if (!rc)
		rc = dev_load(e->dev[0], IOVA, 64);
	if (!rc && e->dev[0]->status != VHOST_IOMMU_MOCK_DMA_OK)
		rc = -EIO;
	if (!rc)
		rc = g_unmap(v, DOM, IOVA, IOVA + PAGE - 1);
	return rc;
}

TEST_F_TIMEOUT(failnth, user_api, 400)
{
	unsigned int i, n, failed;
	int rc;

	for (i = 0; i < ARRAY_SIZE(api); i++) {
		failed = 0;
		for (n = 1; n < MAX_NTH; n++) {
			bool done;

			ASSERT_EQ(0, api[i].prepare(&self->e))
				TH_LOG("%s, preparing %u", api[i].name, n);
			arm(self->self_nth, n);
			rc = api[i].call(&self->e);
			done = !fired(self->self_nth);
			failed += rc != 0;
			EXPECT_TRUE(rc <= 0);
			/* Nothing failed that could have been the reason */
			if (done)
				EXPECT_EQ(0, rc)
					TH_LOG("%s without a fault: %s",
					       api[i].name, strerror(-rc));
			api[i].undo(&self->e);
			ASSERT_EQ(0, clean(&self->e))
				TH_LOG("%s, cleaning up after fault %u",
				       api[i].name, n);
			if (done)
				break;
		}
		ASSERT_LT(n, MAX_NTH);
		ASSERT_EQ(0, prep_remove(&self->e));
		ASSERT_EQ(0, whole(&self->e))
			TH_LOG("after %s", api[i].name);
		ksft_print_msg("%s: %u faults, %u calls failed\n", api[i].name,
			       n - 1, failed);
	}
}

/* A request, or the ring if that is what failed */
static int survive(struct env *e, int st)
{
	struct vmm *v = &e->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];

	if (st != -ETIMEDOUT)
		return st;
	/* No answer: then the VMM was told */
	if (!eventfd_wait(q->err, 1000))
		return -ETIMEDOUT;
	return NO_STATUS;
}

static int wait_used_or_error(struct vmm *v)
{
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (!vq_wait(q, 1, 50))
			return 0;
		/* Told, and still nothing: the ring has stopped */
		if (eventfd_take(q->err)) {
			if (!vq_wait(q, 1, 50))
				return 0;
			return NO_STATUS;
		}
		/* The kick itself may have been what failed */
		vq_kick(q);
	}
	return -ETIMEDOUT;
}

/* Who carries a request out is who kicks, or the worker for another process */
enum by { BY_WORKER, BY_KICKER };

/* Makes one request with a fault in @by */
static int faulty(FIXTURE_DATA(failnth) *self, const struct req *r, enum by by,
		  unsigned int n, bool *done)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];
	struct virtio_iommu_req_tail *tail;
	struct vring_used_elem u;
	const __u64 one = 1;
	char c = 0;
	void *in;
	int rc;

	eventfd_take(q->err);
	req_add(v, r, &in);
	vq_publish(q);
	if (by == BY_KICKER) {
		arm(self->self_nth, n);
		/* What fails may be the write() */
		rc = write(q->kick, &one, sizeof(one));
		*done = !fired(self->self_nth) && rc == sizeof(one);
	} else {
		arm(self->worker_nth, n);
		if (write(self->kicker[0], &c, 1) != 1 ||
		    read(self->kicker[0], &c, 1) != 1)
			return -EPIPE;
	}
	rc = wait_used_or_error(v);
	if (by == BY_WORKER)
		*done = !fired(self->worker_nth);
	if (rc)
		return survive(&self->e, rc);
	u = vq_pop(q);
	if (!u.len)
		return NO_STATUS;
	tail = (void *)((char *)in + u.len - sizeof(*tail));
	return tail->status;
}

static int prep_attach(struct env *e)
{
	return 0;
}

static int prep_map(struct env *e)
{
	return g_attach(&e->v, DOM, EP(0));
}

static int prep_unmap(struct env *e)
{
	int rc = g_attach(&e->v, DOM, EP(0));
	unsigned int i;

	for (i = 0; !rc && i < 4; i++)
		rc = g_map(&e->v, DOM, IOVA + i * PAGE,
			   IOVA + (i + 1) * PAGE - 1, RAM_GPA, MAP_RW);
	return rc;
}

/* A domain that has to be filled for its first device */
static int prep_fill(struct env *e)
{
	int rc = vmm_add_endpoint(&e->v, EMU(0), NULL, -1, NULL, 0);

	if (rc && rc != -EEXIST)
		return rc;
	rc = g_attach(&e->v, DOM, EMU(0));
	if (!rc)
		rc = g_map(&e->v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW);
	return rc;
}

static int prep_table(struct env *e)
{
	s1_usual(&s1, &e->v, 0, 1);
	s1_usual(&other_s1, &e->v, 1, 1);
	return 0;
}

static int prep_table_move(struct env *e)
{
	prep_table(e);
	s1_map(&s1, IOVA, RAM_GPA, PAGE, MAP_RW);
	return g_attach_s1(&e->v, DOM, EP(0), &s1);
}

/* Changed, but not yet invalidated: cached, if it was used */
static int prep_table_inv(struct env *e)
{
	int rc = prep_table_move(e);

	if (!rc)
		rc = dev_load(e->dev[0], IOVA, 64);
	if (!rc && e->dev[0]->status != VHOST_IOMMU_MOCK_DMA_OK)
		rc = -EIO;
	s1_clear(&s1, IOVA, PAGE);
	return rc;
}

static void requests(struct __test_metadata *_metadata,
		     FIXTURE_DATA(failnth) *self, enum by by)
{
	struct virtio_iommu_req_attach attach = {
		.head.type = VIRTIO_IOMMU_T_ATTACH, .domain = DOM,
		.endpoint = EP(0),
	}, move = {
		.head.type = VIRTIO_IOMMU_T_ATTACH, .domain = DOM + 1,
		.endpoint = EP(0),
	};
	struct virtio_iommu_req_detach detach = {
		.head.type = VIRTIO_IOMMU_T_DETACH, .domain = DOM,
		.endpoint = EP(0),
	};
	struct virtio_iommu_req_map map = {
		.head.type = VIRTIO_IOMMU_T_MAP, .domain = DOM,
		.virt_start = IOVA, .virt_end = IOVA + 16 * PAGE - 1,
		.phys_start = RAM_GPA, .flags = MAP_RW,
	};
	struct virtio_iommu_req_unmap unmap = {
		.head.type = VIRTIO_IOMMU_T_UNMAP, .domain = DOM,
		.virt_start = IOVA, .virt_end = IOVA + 16 * PAGE - 1,
	};
	struct virtio_iommu_req_probe probe = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP(0),
	};
	struct virtio_iommu_req_attach_table_arm table, table_move;
	struct virtio_iommu_req_invalidate inv_one, inv_all;
	const struct {
		const char *name;
		int (*prepare)(struct env *e);
		const void *out;
		__u32 out_len;
		__u32 in_len;
		bool must_be_out;
		/* What the thread that kicks has to do itself */
		bool in_place;
	} reqs[] = {
		{ "ATTACH", prep_attach, &attach, sizeof(attach) - 4, 4 },
		{ "ATTACH to another", prep_unmap, &move, sizeof(move) - 4, 4 },
		{ "ATTACH to a filled one", prep_fill, &attach,
		  sizeof(attach) - 4, 4 },
		{ "MAP", prep_map, &map, sizeof(map) - 4, 4, false, true },
		{ "UNMAP", prep_unmap, &unmap, sizeof(unmap) - 4, 4, true, true },
		{ "DETACH", prep_unmap, &detach, sizeof(detach) - 4, 4, true },
		{ "PROBE", prep_attach, &probe, sizeof(probe), 260 },
		{ "ATTACH_TABLE", prep_table, &table, sizeof(table) - 4, 4 },
		{ "ATTACH_TABLE, from paging", prep_unmap, &table_move,
		  sizeof(table_move) - 4, 4, true },
		{ "ATTACH_TABLE, another one", prep_table_move, &table_move,
		  sizeof(table_move) - 4, 4, true },
		{ "ATTACH, from tables", prep_table_move, &move,
		  sizeof(move) - 4, 4, true },
		{ "DETACH, from tables", prep_table_move, &detach,
		  sizeof(detach) - 4, 4, true },
		{ "INVALIDATE", prep_table_inv, &inv_one, sizeof(inv_one) - 4,
		  4, true, true },
		{ "INVALIDATE, all", prep_table_inv, &inv_all,
		  sizeof(inv_all) - 4, 4, true, true },
	};
	struct dma_dev *d = self->e.dev[0];
	struct vmm_stats s;
	unsigned int i, n, failed;
	__u64 before = 0;
	char path[64];
	int st, left;
	bool done;

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth",
		 vmm_worker_tid());
	self->worker_nth = open(path, O_RDWR);
	ASSERT_GE(self->worker_nth, 0);
	ASSERT_EQ(0, start_kicker(self));
	prep_table(&self->e);
	table = attach_table_req(DOM, EP(0), s1_ste0(&s1), STE1_USUAL);
	table_move = attach_table_req(DOM + 2, EP(0), s1_ste0(&other_s1),
				      STE1_USUAL);
	inv_one = inv_range(DOM, 1, IOVA, 1, 12, VIRTIO_IOMMU_INV_F_LEAF);
	inv_all = inv_domain(DOM, 3);
	for (i = 0; i < ARRAY_SIZE(reqs); i++) {
		if (by == BY_KICKER && !reqs[i].in_place)
			continue;
		failed = 0;
		for (n = 1; n < MAX_NTH; n++) {
			struct req r = {
				.out = reqs[i].out, .out_len = reqs[i].out_len,
				.in_len = reqs[i].in_len,
			};

			ASSERT_EQ(0, reqs[i].prepare(&self->e))
				TH_LOG("%s, preparing %u", reqs[i].name, n);
			ASSERT_EQ(0, vmm_stats(self->v, &s));
			before = s.in_place;
			st = faulty(self, &r, by, n, &done);
			failed += st != OK;
			EXPECT_GE(st, 0)
				TH_LOG("%s, fault %u: %s", reqs[i].name, n,
				       status_name(st));
			if (done) {
				EXPECT_ST(OK, st);
				ASSERT_EQ(0, vmm_stats(self->v, &s));
				EXPECT_EQ(by == BY_KICKER,
					  s.in_place > before)
					TH_LOG("%s: served by another thread",
					       reqs[i].name);
			}
			/* What the guest was told is gone is out of reach */
			dev_load(d, IOVA, 64);
			left = d->status == VHOST_IOMMU_MOCK_DMA_OK;
			if (reqs[i].must_be_out && st == OK)
				EXPECT_EQ(0, left)
					TH_LOG("%s, fault %u: still mapped",
					       reqs[i].name, n);
			ASSERT_EQ(0, clean(&self->e))
				TH_LOG("%s, cleaning up after fault %u",
				       reqs[i].name, n);
			dev_load(d, IOVA, 64);
			EXPECT_NE(VHOST_IOMMU_MOCK_DMA_OK, d->status);
			if (done)
				break;
		}
		ASSERT_LT(n, MAX_NTH);
		/* The faults have to be with who carries it out */
		EXPECT_GT(n, 1)
			TH_LOG("%s: no faults", reqs[i].name);
		ASSERT_EQ(0, whole(&self->e))
			TH_LOG("after %s", reqs[i].name);
		ASSERT_EQ(0, clean(&self->e));
		ksft_print_msg("%s: %u faults, %u requests failed\n",
			       reqs[i].name, n - 1, failed);
	}
	close(self->worker_nth);
}

TEST_F_TIMEOUT(failnth, requests, 400)
{
	requests(_metadata, self, BY_WORKER);
}

TEST_F_TIMEOUT(failnth, requests_in_place, 400)
{
	requests(_metadata, self, BY_KICKER);
}

SUITE;
