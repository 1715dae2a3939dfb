// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life cycle: start, stop, reset, removal under load, death of the owner, files
 * closed in any order, files passed on.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "suite.h"

#define DOM	1

FIXTURE(life)
{
	struct env e;
	struct vmm *v;
};

KIND_VARIANTS(life);
KIND_NONE(life);
KIND_MOCK(life);
KIND_EDU(life);

FIXTURE_SETUP(life)
{
	self->v = &self->e.v;
	env_init(&self->e, variant->kind);
	ENV_UP(&self->e, env_up(&self->e, 2));
}

FIXTURE_TEARDOWN(life)
{
	env_down(&self->e);
}

/* Requests that are in the ring before it is served are served at the start */
TEST_F(life, kick_pending_at_start)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_EQ(0, vmm_set_running(v, false));
	g_batch_add(v, BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA);
	vq_publish(q);
	vq_kick(q);
	EXPECT_EQ(-ETIMEDOUT, vq_wait(q, 1, 100));
	ASSERT_EQ(0, vmm_set_running(v, true));
	ASSERT_EQ(0, vq_wait(q, 1, REQ_TIMEOUT_MS));
	vq_pop(q);
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_R));
}

TEST_F(life, no_kick_at_start)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_EQ(0, vmm_set_running(v, false));
	g_batch_add(v, BATCH_MAP, DOM, IOVA, PAGE, RAM_GPA);
	vq_publish(q);
	ASSERT_EQ(0, vmm_set_running(v, true));
	ASSERT_EQ(0, vq_wait(q, 1, REQ_TIMEOUT_MS));
	vq_pop(q);
}

TEST_F(life, stop_keeps_domains)
{
	struct vmm_stats s;
	struct vmm *v = self->v;

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ(1, s.domains);
	EXPECT_EQ(1, s.mappings);
	EXPECT_EQ(VHOST_IOMMU_STATE_PAGING, vmm_ep_state(v, EP(0)));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
			       MAP_RW));
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
}

/* The ring goes on where it was */
TEST_F(life, ring_base_after_stop)
{
	struct vhost_vring_state s = { .index = VHOST_IOMMU_VQ_REQUEST };
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_ST(NOENT, g_unmap(v, DOM, 0, PAGE - 1));
	EXPECT_EQ(-EBUSY, xioctl(v->fd, VHOST_SET_VRING_BASE, &s));
	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, xioctl(v->fd, VHOST_GET_VRING_BASE, &s));
	EXPECT_EQ(5, s.num);
	ASSERT_EQ(0, xioctl(v->fd, VHOST_SET_VRING_BASE, &s));
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(NOENT, g_unmap(v, DOM, 0, PAGE - 1));
}

TEST_F(life, reset_and_again)
{
	struct vmm *v = self->v;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
		ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
				    MAP_RW));
		ASSERT_EQ(0, vmm_set_running(v, false));
		ASSERT_EQ(0, vmm_reset(v));
		ASSERT_EQ(0, vmm_set_rings(v, 256));
		ASSERT_EQ(0, vmm_start(v));
	}
}

/* Where the rings of a driver were may be anything to the next one */
TEST_F(life, reset_forgets_rings)
{
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_EVENT];

	ASSERT_EQ(0, vmm_set_running(v, false));
	ASSERT_EQ(0, vmm_reset(v));
	EXPECT_EQ(-EFAULT, vmm_set_running(v, true));
	/* A driver that does not want events */
	ASSERT_EQ(0, vmm_set_vring(v, VHOST_IOMMU_VQ_REQUEST, 256));
	memset(q->used, REQ_FILL, PAGE);
	ASSERT_EQ(0, vmm_set_running(v, true));
	EXPECT_ST(OK, g_attach(v, DOM, EP(0)));
	vq_kick(q);
	sleep_ms(20);
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_TRUE(all_bytes(q->used, REQ_FILL, PAGE));
}

/* Other threads change the device while the ring is full */
struct load {
	struct vmm *v;
	int stop;
	unsigned long done;
	int error;
};

static void *load_thread(void *arg)
{
	struct load *l = arg;
	unsigned int i, n = 0;
	int rc;

	while (!LOAD(&l->stop)) {
		for (i = 0; i < 32; i++)
			g_batch_add(l->v, n & 1 ? BATCH_UNMAP : BATCH_MAP, DOM,
				    IOVA + i * PAGE, PAGE, RAM_GPA);
		n++;
		rc = g_batch_run(l->v, 32);
		/* The domain comes and goes; only a lost request is an error */
		if (rc < 0 || rc == NO_STATUS)
			STORE(&l->error, rc);
		if (rc < 0)
			break;
		l->done += 32;
	}
	return NULL;
}

TEST_F_TIMEOUT(life, endpoints_come_and_go_under_load, 120)
{
	struct load l = { .v = self->v };
	struct vmm *v = self->v;
	unsigned int i;
	pthread_t t;

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_attach(v, DOM, EP(1)));
	ASSERT_EQ(0, pthread_create(&t, NULL, load_thread, &l));
	for (i = 0; i < 30; i++) {
		EXPECT_EQ(0, vmm_remove_endpoint(v, EP(1)));
		EXPECT_EQ(0, vmm_add_endpoint(v, EP(1), self->e.dev[1], -1,
					      NULL, 0));
		EXPECT_EQ(0, vmm_set_bypass(v, i & 1));
		EXPECT_EQ(0, vmm_remove_ram(v, RAM_GPA + MIB(8), RAM_GPA +
					    MIB(8) + PAGE - 1, NULL));
		sleep_ms(2);
	}
	/* The last one goes, and with it the domain that is being filled */
	EXPECT_EQ(0, vmm_remove_endpoint(v, EP(0)));
	sleep_ms(20);
	STORE(&l.stop, 1);
	pthread_join(t, NULL);
	EXPECT_EQ(0, l.error);
	EXPECT_GT(l.done, 0);
	EXPECT_EQ(0, vmm_add_endpoint(v, EP(0), self->e.dev[0], -1, NULL, 0));
}

static void *toggle_thread(void *arg)
{
	struct load *l = arg;

	while (!LOAD(&l->stop)) {
		l->error |= vmm_set_running(l->v, false);
		l->error |= vmm_set_running(l->v, true);
		l->done++;
		/* The request thread has to get its turn on one CPU */
		sleep_ms(1);
	}
	return NULL;
}

TEST_F_TIMEOUT(life, stop_and_start_under_load, 120)
{
	struct load l = { .v = self->v };
	struct vmm *v = self->v;
	unsigned int i;
	pthread_t t;

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_EQ(0, pthread_create(&t, NULL, toggle_thread, &l));
	for (i = 0; i < 300; i++) {
		ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
				    MAP_RW));
		ASSERT_ST(OK, g_unmap(v, DOM, IOVA, IOVA + PAGE - 1));
	}
	STORE(&l.stop, 1);
	pthread_join(t, NULL);
	EXPECT_EQ(0, l.error);
	EXPECT_GT(l.done, 0);
}

static void *kick_thread(void *arg)
{
	struct load *l = arg;

	while (!LOAD(&l->stop)) {
		vq_kick(&l->v->vq[VHOST_IOMMU_VQ_REQUEST]);
		vq_kick(&l->v->vq[VHOST_IOMMU_VQ_EVENT]);
		l->done++;
		sched_yield();
	}
	return NULL;
}

/* Whoever serves a request may find everything about the ring replaced */
TEST_F_TIMEOUT(life, rings_change_under_load, 120)
{
	struct load l = { .v = self->v }, k = { .v = self->v };
	struct vmm *v = self->v;
	pthread_t t, kickers[2];
	unsigned int i, q;

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_EQ(0, pthread_create(&t, NULL, load_thread, &l));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&kickers[i], NULL, kick_thread,
					    &k));
	for (i = 0; i < 60; i++) {
		for (q = 0; q < VHOST_IOMMU_VQ_MAX; q++) {
			struct vhost_vring_state s = {
				.index = q, .num = i % 3 * 100,
			};
			struct vhost_vring_file f = { .index = q };

			f.fd = v->vq[q].kick;
			EXPECT_EQ(0, xioctl(v->fd, VHOST_SET_VRING_KICK, &f));
			f.fd = v->vq[q].call;
			EXPECT_EQ(0, xioctl(v->fd, VHOST_SET_VRING_CALL, &f));
			f.fd = v->vq[q].err;
			EXPECT_EQ(0, xioctl(v->fd, VHOST_SET_VRING_ERR, &f));
			EXPECT_EQ(0, xioctl(v->fd,
					    VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
					    &s));
		}
		EXPECT_EQ(0, vmm_set_mem_table(v));
		EXPECT_EQ(0, vmm_set_running(v, false));
		EXPECT_EQ(0, vmm_set_running(v, true));
		sleep_ms(2);
	}
	STORE(&l.stop, 1);
	STORE(&k.stop, 1);
	pthread_join(t, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(kickers[i], NULL);
	EXPECT_EQ(0, l.error);
	EXPECT_GT(l.done, 0);
	EXPECT_GT(k.done, 0);
	EXPECT_ST(OK, g_map(v, DOM, MIB(512), MIB(513) - 1, RAM_GPA, MAP_RW));
}

/* REMOVE_RAM: mappings go, are cut on either side, or stay */
TEST_F(life, remove_ram_cuts)
{
	static const struct {
		__u32 dom;
		unsigned int at;
		unsigned int n;
		unsigned int gpa;
	} maps[] = {
		{ DOM, 0, 2, 11 }, { DOM, 10, 4, 8 }, { DOM, 20, 4, 18 },
		{ DOM, 30, 30, 0 }, { DOM, 70, 10, 0 }, { DOM + 1, 0, 10, 10 },
	};
	struct vmm_stats s;
	struct vmm *v = self->v;
	unsigned int i;
	__u64 n;

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_attach(v, DOM + 1, EP(1)));
	/* Inside, over the begin, over the end, all around, beside */
	for (i = 0; i < ARRAY_SIZE(maps); i++)
		ASSERT_ST(OK, g_map(v, maps[i].dom, IOVA + maps[i].at * PAGE,
				    IOVA + (maps[i].at + maps[i].n) * PAGE - 1,
				    RAM_GPA + maps[i].gpa * PAGE, MAP_RW));
	ASSERT_EQ(0, vmm_remove_ram(v, RAM_GPA + 10 * PAGE,
				    RAM_GPA + 20 * PAGE - 1, &n));
	EXPECT_EQ(5, n);
	ASSERT_EQ(0, vmm_stats(v, &s));
	EXPECT_EQ((2 + 2 + 20 + 10) * PAGE, s.mapped_bytes);
	EXPECT_EQ(5, s.mappings);
	/* What is left are mappings with their own ends */
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA + 10 * PAGE,
			      IOVA + 12 * PAGE - 1));
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA + 22 * PAGE,
			      IOVA + 24 * PAGE - 1));
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA + 30 * PAGE,
			      IOVA + 40 * PAGE - 1));
	EXPECT_ST(RANGE, g_unmap(v, DOM, IOVA + 50 * PAGE,
				 IOVA + 59 * PAGE - 1));
	EXPECT_ST(OK, g_unmap(v, DOM, IOVA + 50 * PAGE,
			      IOVA + 60 * PAGE - 1));
	/* The hole can be mapped again, from elsewhere */
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	ASSERT_EQ(0, vmm_remove_ram(v, RAM_GPA + 10 * PAGE,
				    RAM_GPA + 20 * PAGE - 1, &n));
	EXPECT_EQ(0, n);
}

/* Memory that the VMM has taken away after that can't be mapped any more */
TEST_F(life, remove_ram_then_unmap)
{
	const __u64 gpa = 0x80000000;
	struct vmm *v = self->v;

	ASSERT_EQ(0, vmm_add_ram(v, gpa, MIB(2)));
	ASSERT_EQ(0, vmm_set_mem_table(v));
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + MIB(2) - 1, gpa, MAP_RW));
	ASSERT_EQ(0, vmm_remove_ram(v, gpa, gpa + MIB(2) - 1, NULL));
	if (variant->kind != DEV_NONE)
		ASSERT_EQ(0, vmm_ioas_unmap(v, v->ram_ioas, gpa, MIB(2)));
	v->nr_ram--;
	munmap(v->ram[v->nr_ram].va, MIB(2));
	close(v->ram[v->nr_ram].memfd);
	ASSERT_EQ(0, vmm_set_mem_table(v));
	EXPECT_ST(INVAL, g_map(v, DOM, IOVA, IOVA + MIB(2) - 1, gpa, MAP_RW));
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + MIB(2) - 1, RAM_GPA,
			    MAP_RW));
}

/* A file in another process is good for nothing but questions */
TEST_F(life, passed_to_another_process)
{
	struct vmm *v = self->v;
	int status;
	pid_t pid;

	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct vmm_stats s;

		if (vmm_set_running(v, false) != -EPERM ||
		    vmm_remove_endpoint(v, EP(0)) != -EPERM ||
		    vmm_reset(v) != -EPERM ||
		    vmm_set_mem_table(v) != -EPERM || vmm_stats(v, &s))
			_exit(1);
		close(v->fd);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
}

/* The copy outlives the owner; closing it ends the device */
TEST_F(life, file_outlives_its_owner)
{
	struct vmm_stats s;
	struct env e;
	int status, fd[2];
	pid_t pid;
	char c;

	env_down(&self->e);
	ASSERT_EQ(0, pipe(fd));
	/* The file is opened here, and owned there */
	env_init(&e, DEV_NONE);
	ASSERT_EQ(0, vmm_open(&e.v));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (vmm_add_ram(&e.v, RAM_GPA, RAM_SIZE) ||
		    vmm_set_owner(&e.v) || vmm_set_mem_table(&e.v) ||
		    vmm_set_config(&e.v) || vmm_set_features(&e.v) ||
		    vmm_set_rings(&e.v, 256) ||
		    vmm_add_endpoint(&e.v, EP(0), NULL, -1, NULL, 0) ||
		    vmm_start(&e.v) || g_attach(&e.v, DOM, EP(0)))
			_exit(1);
		vq_kick(&e.v.vq[0]);
		_exit(write(fd[1], "x", 1) != 1);
	}
	ASSERT_EQ(1, read(fd[0], &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, vmm_stats(&e.v, &s));
	EXPECT_EQ(1, s.domains);
	EXPECT_EQ(-EPERM, vmm_set_running(&e.v, false));
	vmm_close(&e.v);
}

/* Killed while it makes requests, at whatever point that is */
TEST_F_TIMEOUT(life, owner_killed, 240)
{
	unsigned int i, rounds = long_tests() ? 200 : 30;
	__u64 seed = 4711;
	pid_t pid;

	env_down(&self->e);
	for (i = 0; i < rounds; i++) {
		int fd[2], status;
		char c;

		ASSERT_EQ(0, pipe(fd));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			struct load l = { .v = &self->e.v };

			env_init(&self->e, variant->kind);
			/* Half of them die while they set up */
			if (i & 1 && write(fd[1], "x", 1) != 1)
				_exit(1);
			if (env_up(&self->e, 2) ||
			    g_attach(&self->e.v, DOM, EP(0)) ||
			    g_attach(&self->e.v, DOM, EP(1)))
				_exit(2);
			if (!(i & 1) && write(fd[1], "x", 1) != 1)
				_exit(1);
			load_thread(&l);
			_exit(3);
		}
		close(fd[1]);
		/* It ends itself only if something failed */
		EXPECT_EQ(1, read(fd[0], &c, 1));
		close(fd[0]);
		usleep(rand64(&seed) % (i & 1 ? 400000 : 20000));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status))
			TH_LOG("round %u: status 0x%x", i, status);
	}
	/* The devices are free again */
	env_init(&self->e, variant->kind);
	ASSERT_EQ(0, env_up(&self->e, 2));
	EXPECT_ST(OK, g_attach(self->v, DOM, EP(0)));
}

/* All orders in which the three files can be closed, with a domain in use */
TEST_F_TIMEOUT(life, close_in_any_order, 120)
{
	static const unsigned char order[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct env *e = &self->e;
	unsigned int i, k, j;

	env_down(e);
	for (i = 0; i < 6; i++) {
		env_init(e, variant->kind);
		ASSERT_EQ(0, env_up(e, 2));
		ASSERT_ST(OK, g_attach(self->v, DOM, EP(0)));
		ASSERT_ST(OK, g_attach(self->v, DOM, EP(1)));
		ASSERT_ST(OK, g_map(self->v, DOM, IOVA, IOVA + MIB(1) - 1,
				    RAM_GPA, MAP_RW));
		for (k = 0; k < 3; k++)
			switch (order[i][k]) {
			case 0:
				close(self->v->fd);
				self->v->fd = -1;
				break;
			case 1:
				if (self->v->iommufd >= 0)
					close(self->v->iommufd);
				self->v->iommufd = -1;
				break;
			case 2:
				for (j = 0; j < e->nr; j++)
					if (e->dev[j])
						dev_close(e->dev[j]);
				break;
			}
		env_down(e);
	}
	env_init(e, variant->kind);
	ASSERT_EQ(0, env_up(e, 2));
}

/* The scratch area is the VMM's: what it does there hurts only itself */
TEST_F_TIMEOUT(life, scratch_is_overwritten, 60)
{
	struct load l = { .v = self->v };
	struct vmm *v = self->v;
	__u64 seed = 99, end;
	unsigned int i;
	pthread_t t;

	if (!v->scratch) {
		ksft_print_msg("without devices there is no scratch area\n");
		return;
	}
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_EQ(0, pthread_create(&t, NULL, load_thread, &l));
	end = now_ns() + 1500000000ULL;
	while (now_ns() < end)
		for (i = 0; i + 8 <= v->scratch_len; i += 8)
			STORE((__u64 *)((char *)v->scratch + i),
			      rand64(&seed));
	STORE(&l.stop, 1);
	pthread_join(t, NULL);
	EXPECT_EQ(0, l.error);
	memset(v->scratch, 0, v->scratch_len);
	/* Whatever it did to itself, a reset or closing the files ends it */
	ASSERT_EQ(0, vmm_set_running(v, false));
	vmm_reset(v);
}

TEST_F(life, scratch_goes_away)
{
	struct vmm *v = self->v;

	if (!v->scratch) {
		ksft_print_msg("without devices there is no scratch area\n");
		return;
	}
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	munmap(v->scratch, v->scratch_len);
	v->scratch = NULL;
	/* An answer there is, and it isn't OK */
	EXPECT_NE(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	EXPECT_LT(g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW),
		  NO_STATUS);
}

/* The module can't be taken away while it is in use */
/* What was unmapped is out of reach, whatever became of the scratch area */
TEST_F(life, scratch_goes_away_at_unmap)
{
	struct vmm *v = self->v;
	struct dma_dev *d = self->e.dev[0];
	char *dst = ram_va(v, RAM_GPA + PAGE);

	if (!v->scratch) {
		ksft_print_msg("without devices there is no scratch area\n");
		return;
	}
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + 2 * PAGE - 1, RAM_GPA,
			    MAP_RW));
	fill(ram_va(v, RAM_GPA), 0x31, 256);
	ASSERT_EQ(0, dev_copy(d, IOVA, IOVA + PAGE, 256));
	ASSERT_TRUE(filled(dst, 0x31, 256));
	munmap(v->scratch, v->scratch_len);
	v->scratch = NULL;
	EXPECT_ST(DEVERR, g_unmap(v, DOM, IOVA, IOVA + 2 * PAGE - 1));
	EXPECT_EQ(VHOST_IOMMU_STATE_BROKEN, vmm_ep_state(v, EP(0)));
	memset(dst, 0xee, 256);
	dev_copy(d, IOVA, IOVA + PAGE, 256);
	EXPECT_TRUE(all_bytes(dst, 0xee, 256));
}

/* Not even memory of its own: then the guest is not told that it was unmapped */
TEST_F(life, nothing_helps_at_unmap)
{
	struct rlimit all, none = { 0, RLIM_INFINITY };
	struct vmm *v = self->v;
	struct vq *q = &v->vq[VHOST_IOMMU_VQ_REQUEST];

	if (!v->scratch) {
		ksft_print_msg("without devices there is no scratch area\n");
		return;
	}
	ASSERT_ST(OK, g_attach(v, DOM, EP(0)));
	ASSERT_ST(OK, g_map(v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA, MAP_RW));
	munmap(v->scratch, v->scratch_len);
	v->scratch = NULL;
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &all));
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &none));
	eventfd_take(q->err);
	g_batch_add(v, BATCH_UNMAP, DOM, IOVA, PAGE, 0);
	vq_publish(q);
	vq_kick(q);
	EXPECT_TRUE(eventfd_wait(q->err, 5000));
	EXPECT_EQ(-ETIMEDOUT, vq_wait(q, 1, 200));
	ASSERT_EQ(0, vmm_set_running(v, false));
	EXPECT_EQ(-EIO, vmm_set_running(v, true));
	EXPECT_EQ(-EIO, vmm_reset(v));
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &all));
}

TEST_F(life, module_unload)
{
	char text[64];

	if (access("/sys/module/vhost_iommu/refcnt", F_OK)) {
		ksft_print_msg("vhost_iommu is built in\n");
		return;
	}
	EXPECT_EQ(-1, syscall(SYS_delete_module, "vhost_iommu", O_NONBLOCK));
	EXPECT_TRUE(errno == EWOULDBLOCK || errno == EBUSY)
		TH_LOG("%s", strerror(errno));
	ASSERT_GT(read_file("/sys/module/vhost_iommu/refcnt", text,
			    sizeof(text)), 0);
	EXPECT_GE(atoi(text), 1);
}

/* A worker that is stopped by a signal goes on when the process does */
TEST_F(life, owner_stopped_and_continued)
{
	int status, fd[2];
	pid_t pid;
	char c;

	env_down(&self->e);
	ASSERT_EQ(0, pipe(fd));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		unsigned int i;

		env_init(&self->e, variant->kind);
		if (env_up(&self->e, 2) || g_attach(self->v, DOM, EP(0)) ||
		    write(fd[1], "x", 1) != 1)
			_exit(1);
		for (i = 0; i < 500; i++)
			if (g_map(self->v, DOM, IOVA, IOVA + PAGE - 1, RAM_GPA,
				  MAP_R) ||
			    g_unmap(self->v, DOM, IOVA, IOVA + PAGE - 1))
				_exit(2);
		env_down(&self->e);
		_exit(0);
	}
	ASSERT_EQ(1, read(fd[0], &c, 1));
	kill(pid, SIGSTOP);
	sleep_ms(200);
	kill(pid, SIGCONT);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	self->v->fd = -1;
	self->e.nr = 0;
}

SUITE;
