// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu-test: runs the tests, one process each, with TAP output; and the
 * benchmark and the demo.
 */
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <sys/resource.h>

#include "suite.h"

static struct suite *suites;

/**
 * suite_add() - Add the tests of one file
 * @s: The file's suite
 */
void suite_add(struct suite *s)
{
	struct suite **p = &suites;

	while (*p)
		p = &(*p)->next;
	*p = s;
}

static const char *const level_names[] = { "unit", "device", "hardware" };

/* What a test needs: nothing, mock devices, or an IOMMU */
static unsigned int level_of(const char *variant)
{
	if (!strncmp(variant, "edu", 3) || !strncmp(variant, "igb", 3))
		return 2;
	return !strncmp(variant, "mock", 4);
}

/* Both have room for as many patterns as there are arguments */
struct filter {
	const char **include;
	const char **exclude;
	unsigned int nr_include;
	unsigned int nr_exclude;
	unsigned int levels;
};

static bool matches(const char *pattern, const char *name)
{
	char any[256];

	if (!strpbrk(pattern, "*?["))
		snprintf(any, sizeof(any), "*%s*", pattern);
	else
		snprintf(any, sizeof(any), "%s", pattern);
	return !fnmatch(any, name, 0);
}

static bool wanted(const struct filter *f, const char *name,
		   unsigned int level)
{
	bool in = !f->nr_include;
	unsigned int i;

	for (i = 0; i < f->nr_include; i++)
		in |= matches(f->include[i], name);
	for (i = 0; i < f->nr_exclude; i++)
		in &= !matches(f->exclude[i], name);
	return in && (f->levels & 1u << level);
}

struct job {
	struct __fixture_metadata *f;
	struct __fixture_variant_metadata *v;
	struct __test_metadata *t;
	char name[256];
	unsigned int level;
};

static struct __fixture_variant_metadata no_variant = { .name = "" };

static unsigned int collect(const struct filter *filter, struct job *jobs,
			    unsigned int max)
{
	struct __fixture_variant_metadata *v;
	struct __fixture_metadata *f;
	struct __test_metadata *t;
	unsigned int n = 0;
	struct suite *s;

	for (s = suites; s; s = s->next)
	for (f = s->fixtures; f; f = f->next)
	for (v = f->variant ?: &no_variant; v; v = v->next)
	for (t = f->tests; t; t = t->next) {
		struct job j = { .f = f, .v = v, .t = t };

		snprintf(j.name, sizeof(j.name), "%s%s%s.%s", f->name,
			 v->name[0] ? "." : "", v->name, t->name);
		j.level = level_of(v->name);
		if (wanted(filter, j.name, j.level) && n < max)
			jobs[n++] = j;
	}
	return n;
}

static int run(struct job *jobs, unsigned int n)
{
	unsigned int i, passed = 0;
	struct __test_results *results;
	__u64 start;

	results = mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED) {
		perror("mmap");
		return KSFT_FAIL;
	}
	ksft_print_header();
	ksft_set_plan(n);
	for (i = 0; i < n; i++) {
		kmsg(jobs[i].name);
		start = now_ns();
		jobs[i].t->results = results;
		__run_test(jobs[i].f, jobs[i].v, jobs[i].t);
		jobs[i].t->results = NULL;
		passed += __test_passed(jobs[i].t);
		if (verbose)
			ksft_print_msg("%s took %llu ms\n", jobs[i].name,
				       (now_ns() - start) / 1000000);
	}
	kmsg("end of tests");
	ksft_print_cnts();
	return passed == n ? KSFT_PASS : KSFT_FAIL;
}

static const char usage_text[] =
	"usage: vhost-iommu-test [OPTIONS]          run tests, TAP output\n"
	"       vhost-iommu-test bench [OPTIONS]    measure (bench --help)\n"
	"       vhost-iommu-test demo [OPTIONS]     show DMA allowed and denied\n"
	"\n"
	"  -l, --list           list the selected tests and their level\n"
	"  -t, --test PATTERN   tests whose name matches; shell pattern, or a\n"
	"                       part of the name; can be repeated\n"
	"  -x, --exclude PATTERN  leave these out; can be repeated\n"
	"      --level LEVEL    unit: needs only the module and /dev/iommu\n"
	"                       device: needs vhost_iommu_mock\n"
	"                       hardware: needs an IOMMU and QEMU's edu and igb\n"
	"                       bound to vfio-pci; can be repeated\n"
	"  -v, --verbose        say more\n"
	"  -h, --help           this\n"
	"\n"
	"Exit status: 0 if all tests passed or were skipped, 1 otherwise.\n";

static int level_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(level_names); i++)
		if (!strcmp(name, level_names[i]))
			return i;
	return -1;
}

static bool device_there(void)
{
	int fd = open("/dev/vhost-iommu", O_RDWR);

	if (fd < 0) {
		printf("Bail out! /dev/vhost-iommu: %s%s\n", strerror(errno),
		       errno == ENOENT ? ": load the module vhost_iommu"
				       : "");
		return false;
	}
	close(fd);
	return true;
}

/**
 * main() - See usage_text
 * @argc: Number of arguments
 * @argv: Arguments
 */
int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "test", required_argument, NULL, 't' },
		{ "exclude", required_argument, NULL, 'x' },
		{ "level", required_argument, NULL, 'L' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };
	static struct job jobs[2048];
	struct filter f = { };
	bool list = false;
	unsigned int i, n;
	int opt;

	/* Guest RAM is pinned; root may raise the limit, others may not need */
	setrlimit(RLIMIT_MEMLOCK, &lim);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "bench"))
		return bench_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "demo"))
		return demo_main(argc - 1, argv + 1);
	f.include = calloc(argc, sizeof(*f.include));
	f.exclude = calloc(argc, sizeof(*f.exclude));
	if (!f.include || !f.exclude) {
		perror("vhost-iommu-test");
		return 1;
	}
	while ((opt = getopt_long(argc, argv, "lt:x:vh", options, NULL)) != -1)
		switch (opt) {
		case 'l':
			list = true;
			break;
		case 't':
			f.include[f.nr_include++] = optarg;
			break;
		case 'x':
			f.exclude[f.nr_exclude++] = optarg;
			break;
		case 'L':
			if (level_by_name(optarg) < 0) {
				fprintf(stderr, "unknown level %s\n", optarg);
				return 2;
			}
			f.levels |= 1u << level_by_name(optarg);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			fputs(usage_text, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	for (; optind < argc; optind++)
		f.include[f.nr_include++] = argv[optind];
	if (!f.levels)
		f.levels = ~0u;
	n = collect(&f, jobs, ARRAY_SIZE(jobs));
	if (list) {
		for (i = 0; i < n; i++)
			printf("%-8s %s\n", level_names[jobs[i].level],
			       jobs[i].name);
		return 0;
	}
	if (!n) {
		fprintf(stderr, "no test matches; see --list\n");
		return 2;
	}
	if (!device_there())
		return KSFT_FAIL;
	return run(jobs, n);
}
