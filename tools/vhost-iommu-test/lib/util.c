// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "vit.h"

/* Set by -v: tests say what they do */
bool verbose;

/**
 * long_tests() - Whether tests that repeat something should take their time
 */
bool long_tests(void)
{
	const char *s = getenv("VHOST_IOMMU_TEST_LONG");

	return s && *s && strcmp(s, "0");
}

/**
 * now_ns() - Monotonic time in nanoseconds
 */
__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/**
 * print_times() - Print how long something took, for whoever reads the test's output
 * @what: What it was
 * @ns: Times in nanoseconds, which are sorted
 * @nr: Number of them, at least 1
 *
 * Return: The longest
 */
__u64 print_times(const char *what, __u64 *ns, unsigned int nr)
{
	qsort(ns, nr, sizeof(*ns), compare);
	printf("# %s: median %llu us, p99 %llu us, most %llu us\n", what,
	       ns[nr / 2] / 1000, ns[nr * 99 / 100] / 1000, ns[nr - 1] / 1000);
	fflush(stdout);
	return ns[nr - 1];
}

/**
 * thread_ns() - CPU time of a thread of this process
 * @tid: Its ID
 */
__u64 thread_ns(pid_t tid)
{
	/* The clock of a thread, see CPUCLOCK_* in the kernel */
	clockid_t clock = (clockid_t)((~(__u32)tid << 3) | 6);
	struct timespec ts = { };

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/**
 * sleep_ms() - Sleep
 * @ms: Milliseconds
 */
void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = (ms % 1000) * 1000000L,
	};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/**
 * rand64() - Next number of a reproducible sequence (splitmix64)
 * @state: The seed at first
 */
__u64 rand64(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/**
 * write_file() - Write a short text to a file
 * @path: The file, which exists
 * @text: The text
 */
int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int rc;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	rc = n < 0 ? -errno : 0;
	close(fd);
	return rc;
}

/**
 * read_file() - Read a short file
 * @path: The file
 * @buf: Is filled and terminated
 * @len: Size of @buf
 *
 * Return: Number of bytes, or a negative errno
 */
ssize_t read_file(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, done = 0;

	buf[0] = 0;
	if (fd < 0)
		return -errno;
	while ((size_t)done < len - 1) {
		n = read(fd, buf + done, len - 1 - done);
		if (n < 0) {
			done = -errno;
			break;
		}
		if (!n)
			break;
		done += n;
	}
	close(fd);
	if (done >= 0)
		buf[done] = 0;
	return done;
}

/**
 * kmsg() - Write a line to the kernel log, where that is allowed
 * @text: The line
 *
 * Whoever reads the log can then tell which test a message belongs to.
 */
void kmsg(const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "vhost-iommu-test: %s\n", text);
	write_file("/dev/kmsg", line);
}

/**
 * xioctl() - ioctl() that returns a negative errno
 * @fd: File
 * @cmd: Command
 * @arg: Argument
 */
int xioctl(int fd, unsigned long cmd, void *arg)
{
	int rc = ioctl(fd, cmd, arg);

	return rc < 0 ? -errno : rc;
}

/**
 * slab_kib() - Kernel memory in slabs, in KiB
 */
long slab_kib(void)
{
	char buf[8192];
	char *p;

	if (read_file("/proc/meminfo", buf, sizeof(buf)) < 0)
		return -1;
	p = strstr(buf, "\nSlab:");
	return p ? strtol(p + 6, NULL, 10) : -1;
}

/**
 * status_name() - Name of what a request function returned
 * @status: A status, NO_STATUS or a negative errno
 */
const char *status_name(int status)
{
	static const char *const names[] = {
		"OK", "IOERR", "UNSUPP", "DEVERR", "INVAL", "RANGE", "NOENT",
		"FAULT", "NOMEM",
	};

	if (status < 0)
		return strerror(-status);
	if (status == NO_STATUS)
		return "no status";
	return status < (int)ARRAY_SIZE(names) ? names[status] : "unknown";
}

#define HUGE_DIR	"/sys/kernel/mm/hugepages/hugepages-2048kB/"

static char huge_before[32];

/**
 * huge_pages() - Reserve huge pages of 2 MiB, if this process may
 * @n: How many it needs
 *
 * Return: Whether there are as many that are free
 */
bool huge_pages(unsigned int n)
{
	char buf[32];

	if (!huge_before[0])
		read_file(HUGE_DIR "nr_hugepages", huge_before,
			  sizeof(huge_before));
	snprintf(buf, sizeof(buf), "%u", n);
	write_file(HUGE_DIR "nr_hugepages", buf);
	return read_file(HUGE_DIR "free_hugepages", buf, sizeof(buf)) > 0 &&
	       strtoul(buf, NULL, 10) >= n;
}

/**
 * huge_pages_back() - Let go of what huge_pages() reserved
 */
void huge_pages_back(void)
{
	if (huge_before[0])
		write_file(HUGE_DIR "nr_hugepages", huge_before);
}

/**
 * host_iommu_is_amd() - Whether the host's IOMMUs are AMD's
 *
 * Their tables reach all of the 64-bit address space.
 */
bool host_iommu_is_amd(void)
{
	return !access("/sys/class/iommu/ivhd0", F_OK);
}
