// SPDX-License-Identifier: GPL-2.0-only
/*
 * sample [-q PID] [-g DIR] [-t SECONDS] KEY=VALUE... -- COMMAND...
 *
 * Runs a command in L1 and prints, as a line of JSON, what it wrote, how long
 * it took, and what L1 spent meanwhile:
 *
 *   busy	seconds that all processors together were not idle
 *   child	processor time of the command itself
 *   tasks	processor time of all tasks but those of QEMU and the command
 *   threads	processor time of QEMU's threads (-q), by what they are for: vcpu,
 *		worker (vhost), and vmm, which is all others
 *   kvm	what KVM counted for that guest
 *   vhost	what vhost-iommu counted for it, if it has one
 *
 * With -g, the command is run in the guest whose pipes are in DIR (see
 * lab/l2/lib.sh). The pairs KEY=VALUE become members of the object.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COUNTERS	64
#define MAX_TASKS	512
#define MAX_OUTPUT	4096

enum role { VCPU, WORKER, VMM, NR_ROLES };

static const char *const role_names[] = { "vcpu", "worker", "vmm" };

/* Of KVM's statistics, what tells about a vIOMMU */
static const char *const kvm_names[] = {
	"exits", "mmio_exit_user", "mmio_exit_kernel", "signal_exits",
	"wfi_exit_stat", "wfe_exit_stat", "hvc_exit_stat", "halt_wakeup",
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NR_KVM		ARRAY_SIZE(kvm_names)

struct counter {
	char name[48];
	long long value;
};

struct task {
	int pid;
	unsigned long long ns;
};

struct snapshot {
	double now;
	double idle;
	struct task task[MAX_TASKS];
	unsigned int nr_tasks;
	unsigned long long role_ns[NR_ROLES];
	long long kvm[NR_KVM];
	struct counter vhost[MAX_COUNTERS];
	unsigned int nr_vhost;
};

static int qemu;
static char kvm_dir[512];
static char fdinfo[64];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static bool read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

static double idle_seconds(void)
{
	long long idle, iowait;
	char buf[512];

	if (!read_text("/proc/stat", buf, sizeof(buf)) ||
	    sscanf(buf, "cpu %*d %*d %*d %lld %lld", &idle, &iowait) != 2)
		return 0;
	return (double)(idle + iowait) / sysconf(_SC_CLK_TCK);
}

static enum role role_of(const char *comm)
{
	if (!strncmp(comm, "CPU ", 4))
		return VCPU;
	return strncmp(comm, "vhost-", 6) ? VMM : WORKER;
}

static void threads(struct snapshot *s)
{
	char path[512], text[128], comm[32];
	unsigned long long ns;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", qemu);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", qemu,
			 e->d_name);
		if (!read_text(path, comm, sizeof(comm)))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat",
			 qemu, e->d_name);
		if (read_text(path, text, sizeof(text)) &&
		    sscanf(text, "%llu", &ns) == 1)
			s->role_ns[role_of(comm)] += ns;
	}
	if (d)
		closedir(d);
}

static void tasks(struct snapshot *s)
{
	DIR *d = opendir("/proc");
	char path[512], text[128];
	struct dirent *e;
	int pid;

	while (d && (e = readdir(d)) && s->nr_tasks < MAX_TASKS) {
		pid = atoi(e->d_name);
		if (pid <= 0 || pid == qemu)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
		if (!read_text(path, text, sizeof(text)))
			continue;
		s->task[s->nr_tasks].pid = pid;
		s->task[s->nr_tasks++].ns = strtoull(text, NULL, 10);
	}
	if (d)
		closedir(d);
}

/* Of the tasks that were there before and after */
static unsigned long long task_ns(const struct snapshot *a,
				  const struct snapshot *b)
{
	unsigned long long ns = 0;
	unsigned int i, k;

	for (i = 0; i < b->nr_tasks; i++)
		for (k = 0; k < a->nr_tasks; k++)
			if (a->task[k].pid == b->task[i].pid)
				ns += b->task[i].ns - a->task[k].ns;
	return ns;
}

/* Where KVM and vhost-iommu count for this guest */
static void find_counters(void)
{
	char path[512], target[64], prefix[16];
	struct dirent *e;
	ssize_t n;
	DIR *d;

	snprintf(prefix, sizeof(prefix), "%d-", qemu);
	d = opendir("/sys/kernel/debug/kvm");
	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, prefix, strlen(prefix)))
			snprintf(kvm_dir, sizeof(kvm_dir),
				 "/sys/kernel/debug/kvm/%s", e->d_name);
	if (d)
		closedir(d);
	snprintf(path, sizeof(path), "/proc/%d/fd", qemu);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", qemu,
			 e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		if (!strcmp(target, "/dev/vhost-iommu"))
			snprintf(fdinfo, sizeof(fdinfo), "/proc/%d/fdinfo/%d",
				 qemu, atoi(e->d_name));
	}
	if (d)
		closedir(d);
}

static void kvm_counters(struct snapshot *s)
{
	char path[600], text[64];
	unsigned int i;

	for (i = 0; kvm_dir[0] && i < NR_KVM; i++) {
		snprintf(path, sizeof(path), "%s/%s", kvm_dir, kvm_names[i]);
		if (read_text(path, text, sizeof(text)))
			s->kvm[i] = atoll(text);
	}
}

static void vhost_counters(struct snapshot *s)
{
	static const char prefix[] = "vhost-iommu-";
	char text[8192], *line, *save, *colon;

	if (!fdinfo[0] || !read_text(fdinfo, text, sizeof(text)))
		return;
	for (line = strtok_r(text, "\n", &save);
	     line && s->nr_vhost < MAX_COUNTERS;
	     line = strtok_r(NULL, "\n", &save)) {
		colon = strchr(line, ':');
		if (!colon || strncmp(line, prefix, strlen(prefix)))
			continue;
		*colon = 0;
		snprintf(s->vhost[s->nr_vhost].name,
			 sizeof(s->vhost[0].name), "%s", line + strlen(prefix));
		s->vhost[s->nr_vhost++].value = atoll(colon + 1);
	}
}

static void snapshot(struct snapshot *s, bool before)
{
	memset(s, 0, sizeof(*s));
	/* The clock next to the command, so that looking does not count */
	if (!before) {
		s->now = now();
		s->idle = idle_seconds();
	}
	tasks(s);
	if (qemu) {
		threads(s);
		kvm_counters(s);
		vhost_counters(s);
	}
	if (before) {
		s->idle = idle_seconds();
		s->now = now();
	}
}

/* Add what can be read up to @deadline; -1 if that has passed, 0 at the end */
static int more(int fd, char *out, size_t *len, double deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	double left = deadline - now();
	char drop[256];
	bool full = *len >= MAX_OUTPUT - 1;
	ssize_t n;

	if (left <= 0 || poll(&p, 1, left * 1000 + 1) <= 0)
		return -1;
	n = full ? read(fd, drop, sizeof(drop)) :
	    read(fd, out + *len, MAX_OUTPUT - 1 - *len);
	if (n > 0 && !full)
		*len += n;
	out[*len] = 0;
	return n > 0;
}

static int run_here(char **argv, char *out, double deadline, double *cpu)
{
	int fds[2], status, rc;
	struct rusage ru;
	size_t len = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return 125;
	pid = fork();
	if (!pid) {
		dup2(fds[1], 1);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(fds[1]);
	while ((rc = more(fds[0], out, &len, deadline)) > 0)
		;
	if (rc < 0)
		kill(pid, SIGKILL);
	close(fds[0]);
	if (pid < 0 || wait4(pid, &status, 0, &ru) < 0)
		return 125;
	*cpu = ru.ru_utime.tv_sec + ru.ru_utime.tv_usec / 1e6 +
	       ru.ru_stime.tv_sec + ru.ru_stime.tv_usec / 1e6;
	if (rc < 0)
		return 124;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* The answer's last line is "--- STATUS" */
static int run_in_guest(const char *dir, char **argv, char *out,
			double deadline)
{
	char path[512], *mark;
	int in, from, rc;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/commands.in", dir);
	in = open(path, O_WRONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/commands.out", dir);
	from = open(path, O_RDWR | O_CLOEXEC);
	if (in < 0 || from < 0)
		return 125;
	for (; *argv; argv++)
		dprintf(in, "%s%s", *argv, argv[1] ? " " : "\n");
	do {
		rc = more(from, out, &len, deadline);
		mark = strstr(out, "--- ");
	} while (rc > 0 && !(mark && strchr(mark, '\n')));
	close(in);
	close(from);
	if (rc <= 0)
		return 124;
	*mark = 0;
	return atoi(mark + 4);
}

static void quoted(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if (*text == '\n')
			printf("\\n");
		else if ((unsigned char)*text >= ' ')
			putchar(*text);
	putchar('"');
}

static void differences(const struct snapshot *a, const struct snapshot *b)
{
	unsigned int i;

	printf(", \"threads\": {");
	for (i = 0; i < NR_ROLES; i++)
		printf("%s\"%s\": %.6f", i ? ", " : "", role_names[i],
		       (double)(b->role_ns[i] - a->role_ns[i]) / 1e9);
	printf("}, \"kvm\": {");
	for (i = 0; i < NR_KVM; i++)
		printf("%s\"%s\": %lld", i ? ", " : "", kvm_names[i],
		       b->kvm[i] - a->kvm[i]);
	printf("}, \"vhost\": {");
	for (i = 0; i < b->nr_vhost && i < a->nr_vhost; i++)
		printf("%s\"%s\": %lld", i ? ", " : "", b->vhost[i].name,
		       b->vhost[i].value - a->vhost[i].value);
	printf("}");
}

int main(int argc, char **argv)
{
	static struct snapshot before, after;
	static char out[MAX_OUTPUT];
	const char *guest = NULL;
	double limit = 60, cpu = 0;
	int opt, status;

	while ((opt = getopt(argc, argv, "+q:g:t:")) != -1)
		switch (opt) {
		case 'q':
			qemu = atoi(optarg);
			break;
		case 'g':
			guest = optarg;
			break;
		case 't':
			limit = atof(optarg);
			break;
		default:
			return 2;
		}
	printf("{");
	for (; optind < argc && strcmp(argv[optind - 1], "--"); optind++) {
		char *value = strchr(argv[optind], '=');

		if (!value)
			break;
		*value++ = 0;
		quoted(argv[optind]);
		printf(": ");
		quoted(value);
		printf(", ");
	}
	if (optind < argc && !strcmp(argv[optind], "--"))
		optind++;
	if (optind >= argc) {
		fprintf(stderr, "sample: no command\n");
		return 2;
	}
	if (qemu)
		find_counters();
	snapshot(&before, true);
	if (guest)
		status = run_in_guest(guest, argv + optind, out,
				      before.now + limit);
	else
		status = run_here(argv + optind, out, before.now + limit,
				  &cpu);
	snapshot(&after, false);
	printf("\"begin\": %.3f, \"seconds\": %.3f, \"status\": %d, ",
	       before.now, after.now - before.now, status);
	printf("\"busy\": %.3f, \"child\": %.6f, ",
	       (after.now - before.now) * sysconf(_SC_NPROCESSORS_ONLN) -
	       (after.idle - before.idle), cpu);
	printf("\"tasks\": %.6f, ", task_ns(&before, &after) / 1e9);
	printf("\"output\": ");
	quoted(out);
	if (qemu)
		differences(&before, &after);
	printf("}\n");
	return status;
}
