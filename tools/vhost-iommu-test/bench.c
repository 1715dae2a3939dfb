// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures requests on the ring beside the same operations as iommufd ioctls of
 * this process. Both have a page table of their own with a device attached, and
 * their samples are taken in turn, so that both see the same machine.
 *
 * A sample of the ring is the time from the publication of a batch of requests
 * to the last reply; the requests were put into the ring before. With the
 * ioctls, it's the time from the first call to the return of the last.
 */
#include <getopt.h>
#include <sched.h>

#include "bench.h"
#include "suite.h"

#define OPS_PER_SAMPLE	512

static const char *const mode_names[] = {
	"vhost-iommu", "vhost-iommu, busy polling", "iommufd ioctls",
};

/**
 * bench_pin() - Run on another CPU than the worker, as a VMM would arrange it
 *
 * Otherwise a worker that polls keeps the one from running that it waits for.
 */
void bench_pin(void)
{
	pid_t worker = vmm_worker_tid();
	cpu_set_t set;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	if (worker > 0)
		sched_setaffinity(worker, sizeof(set), &set);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double quantile(struct samples *s, double q)
{
	qsort(s->ns, s->n, sizeof(s->ns[0]), by_value);
	return s->ns[(unsigned int)(q * (s->n - 1) + 0.5)];
}

static void row(struct bench *b, const char *mode, const char *workload,
		const char *unit, double median, double low, double high,
		const struct samples *s, bool raw)
{
	unsigned int i;

	if (!b->json)
		return;
	fprintf(b->json, "%s\n  {\"mode\": \"%s\", \"workload\": \"%s\", ",
		b->rows++ ? "," : "", mode, workload);
	fprintf(b->json, "\"unit\": \"%s\", \"median\": %.3f, ", unit, median);
	fprintf(b->json, "\"low\": %.3f, \"high\": %.3f, \"n\": %u", low, high,
		s->n);
	for (i = 0; raw && i < s->n; i++)
		fprintf(b->json, "%s%.1f", i ? ", " : ", \"samples\": [",
			s->ns[i]);
	fprintf(b->json, "%s}", raw ? "]" : "");
}

/**
 * bench_report() - Write the rows of a figure
 * @b: Benchmark
 * @mode: Who did it
 * @workload: What was done
 * @s: Samples, of one request; are sorted
 *
 * Return: The median
 */
double bench_report(struct bench *b, enum bench_mode mode, const char *workload,
		    struct samples *s)
{
	double med = quantile(s, 0.5), low = quantile(s, 0.1),
	       high = quantile(s, 0.9);

	row(b, mode_names[mode], workload, "ns", med, low, high, s, true);
	row(b, mode_names[mode], workload, "requests/s", 1e9 / med, 1e9 / high,
	    1e9 / low, s, false);
	return med;
}

/**
 * bench_rate() - Write the row of a figure in requests per second
 * @b: Benchmark
 * @mode: Who did it
 * @workload: What was done
 * @s: Samples; are sorted
 *
 * Return: The median
 */
double bench_rate(struct bench *b, const char *mode, const char *workload,
		  struct samples *s)
{
	double med = quantile(s, 0.5);

	row(b, mode, workload, "requests/s", med, quantile(s, 0.1),
	    quantile(s, 0.9), s, true);
	return med;
}

/* The page of guest RAM that is mapped at an IOVA */
static __u64 page_of(struct bench *b, __u64 iova)
{
	return BIG_GPA +
	       (b->first + (iova - BENCH_BASE) / PAGE % b->pages) * PAGE;
}

/**
 * bench_batch() - One batch of MAPs or UNMAPs of a page each
 * @b: Benchmark
 * @mode: Who does it
 * @op: What is done
 * @iova: Where
 * @n: Number of pages, at most BENCH_BATCH
 * @ns: The time it took is added here
 *
 * Return: The first status that isn't OK, or a negative errno
 */
int bench_batch(struct bench *b, enum bench_mode mode, enum batch_op op,
		const __u64 *iova, unsigned int n, __u64 *ns)
{
	struct vmm *v = &b->e.v;
	unsigned int i;
	__u64 start;
	int rc = 0;

	if (mode == MODE_IOCTL) {
		start = now_ns();
		for (i = 0; !rc && i < n; i++)
			rc = op == BATCH_MAP ?
			     vmm_ioas_copy(v, b->ioas, v->ram_ioas, iova[i],
					   page_of(b, iova[i]), PAGE,
					   IOMMU_IOAS_MAP_READABLE |
					   IOMMU_IOAS_MAP_WRITEABLE) :
			     vmm_ioas_unmap(v, b->ioas, iova[i], PAGE);
		*ns += now_ns() - start;
		return rc;
	}
	for (i = 0; i < n; i++)
		g_batch_add(v, op, BENCH_DOM, iova[i], PAGE,
			    page_of(b, iova[i]));
	if (b->count && op == b->count_op)
		bench_mark(MARK_START);
	start = now_ns();
	rc = g_batch_run(v, n);
	*ns += now_ns() - start;
	bench_mark(MARK_STOP);
	return rc;
}

/**
 * bench_polling() - Have the worker poll, or not
 * @b: Benchmark
 * @on: Whether
 */
void bench_polling(struct bench *b, bool on)
{
	struct vhost_vring_state s = {
		.index = VHOST_IOMMU_VQ_REQUEST, .num = on ? b->poll_us : 0,
	};

	xioctl(b->e.v.fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s);
	/* A poll that has begun goes on to its end */
	if (!on)
		sleep_ms(20);
}

/**
 * bench_places() - Free places between pages that are mapped at every second one
 * @b: Benchmark
 * @iova: Is filled with IOVAs
 * @n: Their number
 * @present: Number of mapped pages
 */
void bench_places(struct bench *b, __u64 *iova, unsigned int n, __u64 present)
{
	__u64 slots = present < n ? n : present, first;
	unsigned int i;

	first = rand64(&b->rand) % (slots - n + 1);
	for (i = 0; i < n; i++)
		iova[i] = BENCH_BASE + (2 * (first + i) + 1) * PAGE;
}

static int sample(struct bench *b, enum bench_mode mode, unsigned int size,
		  __u64 present, struct samples *map, struct samples *unmap)
{
	unsigned int rounds = OPS_PER_SAMPLE / size, i;
	__u64 map_ns = 0, unmap_ns = 0, iova[BENCH_BATCH];
	int rc = 0;

	if (rounds > 128)
		rounds = 128;
	for (i = 0; !rc && i < rounds; i++) {
		bench_places(b, iova, size, present);
		rc = bench_batch(b, mode, BATCH_MAP, iova, size, &map_ns);
		if (!rc)
			rc = bench_batch(b, mode, BATCH_UNMAP, iova, size,
					 &unmap_ns);
	}
	map->ns[map->n++] = (double)map_ns / (rounds * size);
	unmap->ns[unmap->n++] = (double)unmap_ns / (rounds * size);
	return rc;
}

/**
 * bench_die() - Give up
 * @what: What went wrong
 * @rc: Status or negative errno
 */
void bench_die(const char *what, int rc)
{
	fprintf(stderr, "bench: %s: %s\n", what, status_name(rc));
	exit(1);
}

/*
 * How the ring compares with the ioctls: of the pairs of samples that were taken
 * one after the other, so that a slow moment of the machine does not count
 */
static double ratio(struct bench *b, enum bench_mode mode, const char *workload,
		    const struct samples *s, const struct samples *base)
{
	struct samples r = { .n = s->n };
	double med, low, high;
	char name[64];
	unsigned int i;

	for (i = 0; i < r.n; i++)
		r.ns[i] = s->ns[i] / base->ns[i];
	med = quantile(&r, 0.5);
	low = quantile(&r, 0.1);
	high = quantile(&r, 0.9);
	snprintf(name, sizeof(name), "%s / %s", mode_names[mode],
		 mode_names[MODE_IOCTL]);
	row(b, name, workload, "ratio", med, low, high, &r, false);
	return med;
}

/**
 * bench_compare() - Measure MAP and UNMAP in all modes and print a line
 * @b: Benchmark
 * @what: The line's name
 * @size: Requests for each kick
 * @present: See bench_places()
 */
void bench_compare(struct bench *b, const char *what, unsigned int size,
		   __u64 present)
{
	static struct samples map[NR_MODES], unmap[NR_MODES];
	double mr[NR_MODES] = { }, ur[NR_MODES] = { };
	char map_name[64], unmap_name[64];
	unsigned int i;
	int mode, rc;

	memset(map, 0, sizeof(map));
	memset(unmap, 0, sizeof(unmap));
	for (i = 0; i < b->samples; i++)
		for (mode = 0; mode < NR_MODES; mode++) {
			if (mode == MODE_IOCTL && !b->ioctls)
				continue;
			if (mode == MODE_POLL)
				bench_polling(b, true);
			rc = sample(b, mode, size, present, &map[mode],
				    &unmap[mode]);
			if (mode == MODE_POLL)
				bench_polling(b, false);
			if (rc)
				bench_die(what, rc);
		}
	snprintf(map_name, sizeof(map_name), "map, %s", what);
	snprintf(unmap_name, sizeof(unmap_name), "unmap, %s", what);
	for (mode = 0; b->ioctls && mode < MODE_IOCTL; mode++) {
		mr[mode] = ratio(b, mode, map_name, &map[mode],
				 &map[MODE_IOCTL]);
		ur[mode] = ratio(b, mode, unmap_name, &unmap[mode],
				 &unmap[MODE_IOCTL]);
	}
	printf("| %s |", what);
	for (mode = 0; mode < NR_MODES; mode++) {
		if (!map[mode].n)
			continue;
		printf(" %.1f /", bench_report(b, mode, map_name, &map[mode]) /
		       1000);
		printf(" %.1f |",
		       bench_report(b, mode, unmap_name, &unmap[mode]) / 1000);
	}
	for (mode = 0; b->ioctls && mode < MODE_IOCTL; mode++)
		printf(" %.2f / %.2f |", mr[mode], ur[mode]);
	printf("\n");
	fflush(stdout);
}

/**
 * bench_table() - Print the head of a table that bench_compare() fills
 * @b: Benchmark
 * @first: Title of the first column
 */
void bench_table(struct bench *b, const char *first)
{
	printf("\n| %s | vhost-iommu | busy polling |%s\n", first,
	       b->ioctls ? " iommufd ioctls | ratio | ratio, polling |" : "");
	printf("| --- | --- | --- |%s\n",
	       b->ioctls ? " --- | --- | --- |" : "");
}

static void batches(struct bench *b)
{
	static const unsigned int sizes[] = { 1, 4, 16, 64, 256 };
	char name[64];
	unsigned int i;

	printf("\nTime per MAP / UNMAP of one page in microseconds (median of\n");
	printf("%u samples), by the number of requests per kick:\n",
	       b->samples);
	bench_table(b, "requests per kick");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "batch %u", sizes[i]);
		bench_compare(b, name, sizes[i], 256);
	}
}

/* Have @n mappings, at every second page */
static void grow(struct bench *b, __u64 from, __u64 to)
{
	__u64 iova[BENCH_BATCH], ns = 0, at;
	unsigned int i, n;
	int rc = 0;

	for (at = from; !rc && at < to; at += n) {
		n = to - at < 256 ? to - at : 256;
		for (i = 0; i < n; i++)
			iova[i] = BENCH_BASE + 2 * (at + i) * PAGE;
		rc = bench_batch(b, MODE_RING, BATCH_MAP, iova, n, &ns);
		if (!rc && b->ioctls)
			rc = bench_batch(b, MODE_IOCTL, BATCH_MAP, iova, n,
					 &ns);
	}
	if (rc)
		bench_die("filling", rc);
}

static void mappings(struct bench *b, __u64 max)
{
	__u64 n, have = 0;
	char name[64];

	printf("\nThe same in batches of 16, by the mappings present:\n");
	bench_table(b, "mappings");
	for (n = 1; n <= max; n *= 10) {
		grow(b, have, n);
		have = n;
		snprintf(name, sizeof(name), "%llu mapping%s", n,
			 n > 1 ? "s" : "");
		bench_compare(b, name, 16, n);
	}
	g_unmap(&b->e.v, BENCH_DOM, 0, ~0ULL);
}

/* Many domains; nothing but the module's own work */
static void domains(unsigned int samples, FILE *json, unsigned int *rows,
		    __u32 max)
{
	static struct samples map, unmap;
	struct bench b = {
		.json = json, .rows = *rows, .samples = samples, .rand = 7,
	};
	struct vmm *v = &b.e.v;
	__u32 n, have = 0, i, k, dom[16];
	__u64 start, ns;
	char name[64];
	double m, u;
	int rc;

	env_init(&b.e, DEV_NONE);
	rc = env_open(&b.e, 0, false);
	if (!rc)
		rc = vmm_set_rings(v, BENCH_RING);
	if (!rc)
		rc = vmm_set_limits(v, max, 1000000, 0);
	if (!rc)
		rc = vmm_start(v);
	if (rc)
		bench_die("domains", rc);
	bench_pin();
	printf("\nMAP / UNMAP in batches of 16 in microseconds, by the number\n");
	printf("of domains (software only: endpoints without a device):\n");
	printf("\n| domains | vhost-iommu |\n| --- | --- |\n");
	for (n = 1; n <= max; n *= 16) {
		for (; have < n; have++) {
			rc = vmm_add_endpoint(v, have, NULL, -1, NULL, 0);
			if (!rc)
				rc = g_attach(v, have, have);
			if (rc)
				bench_die("domains", rc);
		}
		map.n = unmap.n = 0;
		for (k = 0; k < samples; k++) {
			for (i = 0; i < 16; i++) {
				dom[i] = rand64(&b.rand) % n;
				g_batch_add(v, BATCH_MAP, dom[i],
					    BENCH_BASE + i * PAGE, PAGE, RAM_GPA);
			}
			start = now_ns();
			rc = g_batch_run(v, 16);
			ns = now_ns() - start;
			map.ns[map.n++] = ns / 16.0;
			for (i = 0; i < 16; i++)
				g_batch_add(v, BATCH_UNMAP, dom[i],
					    BENCH_BASE + i * PAGE, PAGE, 0);
			start = now_ns();
			if (!rc)
				rc = g_batch_run(v, 16);
			ns = now_ns() - start;
			unmap.ns[unmap.n++] = ns / 16.0;
			if (rc)
				bench_die("domains", rc);
		}
		snprintf(name, sizeof(name), "map, %u domains, software only",
			 n);
		m = bench_report(&b, MODE_RING, name, &map);
		snprintf(name, sizeof(name),
			 "unmap, %u domains, software only", n);
		u = bench_report(&b, MODE_RING, name, &unmap);
		printf("| %u | %.1f / %.1f |\n", n, m / 1000, u / 1000);
		fflush(stdout);
	}
	*rows = b.rows;
	env_down(&b.e);
}

/* Big guest RAM, as far as the module and the iommufd can tell */
static int add_big_ram(struct bench *b, __u64 max_mappings)
{
	struct vmm *v = &b->e.v;
	__u64 size = (2 * max_mappings + 1024) * PAGE, at;
	void *va;
	int rc = 0;

	size = (size + BIG_PIECE - 1) / BIG_PIECE * BIG_PIECE;
	b->pages = size / PAGE;
	if (v->iommufd < 0) {
		va = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_NORESERVE, -1, 0);
		if (va == MAP_FAILED)
			return -ENOMEM;
		v->ram[v->nr_ram++] = (struct ram){
			.gpa = BIG_GPA, .size = size, .va = va, .memfd = -1,
		};
		return vmm_set_mem_table(v);
	}
	for (at = 0; !rc && at < size; at += BIG_PIECE)
		rc = vmm_ioas_map(v, v->ram_ioas, v->ram[0].va, BIG_GPA + at,
				  BIG_PIECE);
	return rc;
}

/* RAM in huge pages and in one piece, as it is of a guest that has some */
static int add_large_ram(struct bench *b)
{
	struct vmm *v = &b->e.v;
	int rc = vmm_add_ram(v, BIG_GPA, b->large);

	b->pages = b->large / PAGE;
	return rc ? rc : vmm_set_mem_table(v);
}

/**
 * bench_set_up() - A running device for the ring, one beside it for the ioctls
 * @b: Benchmark
 * @kind: Kind of the devices
 * @max_mappings: How many mappings there will be
 *
 * Return: 0, or -ENODEV with b->e.skip set, or another negative errno
 */
int bench_set_up(struct bench *b, enum dev_kind kind, __u64 max_mappings)
{
	struct vmm *v = &b->e.v;
	int rc;

	env_init(&b->e, kind);
	/* Two devices: one for the ring, one for the ioctls */
	rc = env_open(&b->e, kind == DEV_NONE ? 1 : 2, false);
	if (rc)
		return rc;
	b->e.nr = 1;
	if (kind != DEV_NONE) {
		b->e.nr = 2;
		rc = vmm_ioas_alloc(v, &b->ioas);
		if (!rc)
			rc = vmm_hwpt_alloc(v, b->e.dev[1]->dev_id, b->ioas,
					    &b->hwpt);
		if (!rc)
			rc = dev_attach(b->e.dev[1], b->hwpt);
		b->ioctls = true;
	}
	if (!rc)
		rc = vmm_set_rings(v, BENCH_RING);
	v->vq[VHOST_IOMMU_VQ_REQUEST].sleep = b->sleep;
	if (!rc)
		rc = b->large ? add_large_ram(b) : add_big_ram(b, max_mappings);
	if (!rc)
		rc = vmm_set_limits(v, 0, max_mappings + 4096, 0);
	if (!rc)
		rc = vmm_add_endpoint(v, EP(0), b->e.dev[0], -1, NULL, 0);
	if (!rc)
		rc = vmm_start(v);
	if (!rc)
		rc = g_attach(v, BENCH_DOM, EP(0));
	if (!rc)
		bench_pin();
	return rc;
}

static const char bench_usage[] =
	"usage: vhost-iommu-test bench [--json FILE] [--device edu|igb|mock|none]\n"
	"                              [--samples N] [--max-mappings N]\n"
	"                              [--max-domains N] [--poll-us N]\n"
	"                              [--wait spin|sleep] [--static-gib N]\n"
	"       vhost-iommu-test bench --count [--json FILE] [--device ...]\n"
	"  The side of the guest spins until it has its replies, as Linux does.\n"
	"  Where that takes the CPU from the worker, as on an emulated machine\n"
	"  that shares its CPUs, let it sleep until the interrupt comes.\n"
	"  Without --device: the first of edu, igb and mock of which there are\n"
	"  two in IOMMU groups of their own, otherwise none (software only).\n"
	"  --static-gib: map and unmap that much RAM in huge pages, which the\n"
	"  system must have memory for.\n"
	"  --count: no times; tell an emulator that counts instructions when.\n";

/**
 * bench_main() - The command "bench"
 * @argc: Number of arguments
 * @argv: Arguments
 */
int bench_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "device", required_argument, NULL, 'd' },
		{ "samples", required_argument, NULL, 's' },
		{ "max-mappings", required_argument, NULL, 'm' },
		{ "max-domains", required_argument, NULL, 'D' },
		{ "poll-us", required_argument, NULL, 'p' },
		{ "wait", required_argument, NULL, 'w' },
		{ "static-gib", required_argument, NULL, 'S' },
		{ "count", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	static const char *const kinds[] = { "none", "mock", "edu", "igb" };
	static const int order[] = { DEV_EDU, DEV_IGB, DEV_MOCK, DEV_NONE };
	__u64 max_mappings = 1000000, static_size = 0;
	static struct bench b = { .samples = 31, .rand = 1, .poll_us = 5000 };
	__u32 max_domains = 65536;
	int opt, rc = -ENODEV, kind = -1;
	unsigned int i;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (opt) {
		case 'j':
			b.json = fopen(optarg, "w");
			if (!b.json) {
				perror(optarg);
				return 2;
			}
			break;
		case 'd':
			for (i = 0; i < ARRAY_SIZE(kinds); i++)
				if (!strcmp(optarg, kinds[i]))
					kind = i;
			break;
		case 's':
			b.samples = atoi(optarg);
			break;
		case 'm':
			max_mappings = strtoull(optarg, NULL, 0);
			break;
		case 'D':
			max_domains = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			b.poll_us = strtoul(optarg, NULL, 0);
			break;
		case 'S':
			static_size = GIB(strtoull(optarg, NULL, 0));
			break;
		case 'c':
			b.count = b.sleep = true;
			max_mappings = 1024;
			break;
		case 'w':
			b.sleep = !strcmp(optarg, "sleep");
			break;
		default:
			fputs(bench_usage, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	if (b.samples < 3 || b.samples > BENCH_SAMPLES) {
		fprintf(stderr, "bench: 3 to %d samples\n", BENCH_SAMPLES);
		return 2;
	}
	kmsg("bench");
	for (i = 0; rc == -ENODEV && i < ARRAY_SIZE(order); i++) {
		if (kind >= 0 && order[i] != kind)
			continue;
		rc = bench_set_up(&b, order[i], max_mappings);
		if (rc && b.e.skip[0]) {
			env_down(&b.e);
			continue;
		}
		printf("Devices: %s\n", kinds[order[i]]);
		kind = order[i];
	}
	if (rc) {
		fprintf(stderr, "bench: can't set up: %s\n",
			b.e.skip[0] ? b.e.skip : status_name(rc));
		return 1;
	}
	if (b.json)
		fprintf(b.json, "{\"rows\": [");
	if (b.count) {
		bench_count(&b);
		env_down(&b.e);
		bench_invalidate(&b, kind);
	} else {
		batches(&b);
		mappings(&b, max_mappings);
		env_down(&b.e);
		bench_invalidate(&b, kind);
		if (static_size && kind != DEV_NONE)
			bench_static(&b, kind, static_size);
		domains(b.samples, b.json, &b.rows, max_domains);
		bench_queues(&b, kind);
	}
	if (b.json) {
		fprintf(b.json, "\n]}\n");
		fclose(b.json);
	}
	return 0;
}
