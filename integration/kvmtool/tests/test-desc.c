// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of virtio/iommu-desc.c: options, PROBE properties, what the device tree
 * says. They run on any machine, and print TAP.
 */
#include "iommu-internal.h"

#include <endian.h>
#include <stdarg.h>

#define RANGE(a, b)	{ .start = (a), .last = (b) }
#define MAX_RANGES	6

static unsigned int number, failed;

#define CHECK(condition, ...) check(condition, #condition, __VA_ARGS__)

static void __attribute__((format(printf, 3, 4)))
check(bool ok, const char *what, const char *format, ...)
{
	char name[128];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	printf("%sok %u %s\n", ok ? "" : "not ", ++number, name);
	if (!ok) {
		printf("#   %s\n", what);
		failed++;
	}
}

/* Options */

struct option_case {
	const char		*arg;
	struct viommu_params	params;
	const char		*error;		/* part of it, NULL if there is none */
};

#define GOOD(_arg, ...)							\
	{ .arg = _arg, .params = { .enabled = true, .boot_bypass = true,	\
				   .poll_us = 200, ##__VA_ARGS__ } }
#define BAD(_arg, _error)	{ .arg = _arg, .error = _error }

static const struct option_case option_cases[] = {
	GOOD("vhost"),
	GOOD("vhost,granule=4k", .granule = 4096),
	GOOD("vhost,granule=16k", .granule = 16384),
	GOOD("vhost,granule=64k,tables=on", .granule = 65536, .tables = VIOMMU_TABLES_ON),
	GOOD("vhost,tables=both", .tables = VIOMMU_TABLES_BOTH),
	GOOD("vhost,tables=both,tables=off"),
	GOOD("vhost,boot-bypass=on"),
	{ .arg = "vhost,boot-bypass=off", .params = { .enabled = true, .poll_us = 200 } },
	{ .arg = "vhost,poll-us=0", .params = { .enabled = true, .boot_bypass = true } },
	{ .arg = "vhost,poll-us=10000",
	  .params = { .enabled = true, .boot_bypass = true, .poll_us = 10000 } },
	BAD("", "\"\" is no kind"),
	BAD("qemu", "\"qemu\" is no kind"),
	BAD("vhost=on", "\"vhost=on\" is no kind"),
	BAD("poll-us=0,vhost", "is no kind"),
	BAD("vhost,", "\"\" is no option"),
	BAD("vhost,,tables=on", "\"\" is no option"),
	BAD("vhost,table=on", "\"table\" is no option"),
	BAD("vhost,poll-us", "poll-us=: has to be"),
	BAD("vhost,poll-us=", "poll-us=: has to be"),
	BAD("vhost,poll-us=-1", "poll-us=-1: has to be"),
	BAD("vhost,poll-us= 1", "poll-us= 1: has to be"),
	BAD("vhost,poll-us=10us", "poll-us=10us: has to be"),
	BAD("vhost,poll-us=10001", "0 to 10000"),
	BAD("vhost,poll-us=99999999999999999999", "0 to 10000"),
	BAD("vhost,granule=8k", "4k, 16k or 64k"),
	BAD("vhost,granule=4096", "4k, 16k or 64k"),
	BAD("vhost,tables=yes", "off, on or both"),
	BAD("vhost,boot-bypass=1", "on or off"),
};

static void test_options(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(option_cases); i++) {
		const struct option_case *c = &option_cases[i];
		struct viommu_params params;
		char error[256] = "";
		int ret = viommu_parse_options(c->arg, &params, error, sizeof(error));

		if (c->error)
			CHECK(ret == -EINVAL && strstr(error, c->error),
			      "options \"%s\" are refused", c->arg);
		else
			CHECK(!ret && params.enabled == c->params.enabled &&
			      params.boot_bypass == c->params.boot_bypass &&
			      params.tables == c->params.tables &&
			      params.poll_us == c->params.poll_us &&
			      params.granule == c->params.granule,
			      "options \"%s\"", c->arg);
	}
}

/* Reserved regions */

struct merge_case {
	const char		*name;
	struct viommu_range	in[MAX_RANGES];
	unsigned int		nr_in;
	struct viommu_range	out[MAX_RANGES];
	int			nr_out;
};

/* What is left of ranges: MERGE(name, IN(...), OUT(...)) */
#define IN(...)		{ __VA_ARGS__ }, sizeof((struct viommu_range[]){ __VA_ARGS__ }) /	\
			sizeof(struct viommu_range)
#define NOTHING		{ RANGE(0, 0) }, 0
#define NO_ROOM		{ RANGE(0, 0) }, -ENOSPC

static const struct merge_case merge_cases[] = {
	{ "none", NOTHING, NOTHING },
	{ "that of the SMMU", IN(RANGE(0x8000000, 0x80fffff)), NOTHING },
	{ "two in order",
	  IN(RANGE(0x1000, 0x1fff), RANGE(0x3000, 0x3fff)),
	  IN(RANGE(0x1000, 0x1fff), RANGE(0x3000, 0x3fff)) },
	{ "two out of order",
	  IN(RANGE(0x3000, 0x3fff), RANGE(0x1000, 0x1fff)),
	  IN(RANGE(0x1000, 0x1fff), RANGE(0x3000, 0x3fff)) },
	{ "neighbours",
	  IN(RANGE(0x1000, 0x1fff), RANGE(0x2000, 0x2fff)), IN(RANGE(0x1000, 0x2fff)) },
	{ "one over another",
	  IN(RANGE(0x1000, 0x2fff), RANGE(0x2000, 0x3fff)), IN(RANGE(0x1000, 0x3fff)) },
	{ "one in another",
	  IN(RANGE(0x1000, 0x4fff), RANGE(0x2000, 0x2fff)), IN(RANGE(0x1000, 0x4fff)) },
	{ "the same twice",
	  IN(RANGE(0x1000, 0x1fff), RANGE(0x1000, 0x1fff)), IN(RANGE(0x1000, 0x1fff)) },
	{ "a chain",
	  IN(RANGE(0x3000, 0x3fff), RANGE(0x1000, 0x2000), RANGE(0x2000, 0x2fff)),
	  IN(RANGE(0x1000, 0x3fff)) },
	{ "up to the last address, with the MSI region",
	  IN(RANGE(0x1000, ~0ULL), RANGE(0xffff0000, 0xfffffffff), RANGE(0x10000000, ~0ULL)),
	  IN(RANGE(0x1000, 0x7ffffff), RANGE(0x8100000, ~0ULL)) },
	{ "over the begin of the MSI region",
	  IN(RANGE(0x7000000, 0x8000fff)), IN(RANGE(0x7000000, 0x7ffffff)) },
	{ "over the end of the MSI region",
	  IN(RANGE(0x80ff000, 0x8100fff)), IN(RANGE(0x8100000, 0x8100fff)) },
	{ "within the MSI region, twice",
	  IN(RANGE(0x8000000, 0x8000fff), RANGE(0x80f0000, 0x80fffff)), NOTHING },
	{ "beside the MSI region",
	  IN(RANGE(0x7fff000, 0x7ffffff), RANGE(0x8100000, 0x8100fff)),
	  IN(RANGE(0x7fff000, 0x7ffffff), RANGE(0x8100000, 0x8100fff)) },
	{ "around the MSI region, and one more",
	  IN(RANGE(0xfee00000, 0xfeefffff), RANGE(0x7fff000, 0x8100fff)),
	  IN(RANGE(0x7fff000, 0x7ffffff), RANGE(0x8100000, 0x8100fff),
	     RANGE(0xfee00000, 0xfeefffff)) },
	{ "no room to cut the MSI region out",
	  IN(RANGE(0x1000, 0x1fff), RANGE(0x3000, 0x3fff), RANGE(0x5000, 0x5fff),
	     RANGE(0x7000, 0x7fff), RANGE(0x9000, 0x9fff), RANGE(0x7fff000, 0x8100fff)),
	  NO_ROOM },
};

static void test_merge(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(merge_cases); i++) {
		const struct merge_case *c = &merge_cases[i];
		struct viommu_range ranges[MAX_RANGES];
		int ret;

		memcpy(ranges, c->in, sizeof(ranges));
		ret = viommu_merge_ranges(ranges, c->nr_in, MAX_RANGES);
		CHECK(ret == c->nr_out &&
		      (ret <= 0 || !memcmp(ranges, c->out, ret * sizeof(*ranges))),
		      "reserved regions: %s", c->name);
	}
}

static void test_lines(void)
{
	struct viommu_range range;

	CHECK(!viommu_parse_range("0x0000000008000000 0x00000000080fffff msi\n", &range) &&
	      range.start == 0x8000000 && range.last == 0x80fffff,
	      "a line of reserved_regions");
	CHECK(!viommu_parse_range("0x00000000fee00000 0xffffffffffffffff reserved\n", &range) &&
	      range.last == ~0ULL, "a line with the last address");
	CHECK(viommu_parse_range("0x1000 0xfff reserved\n", &range) == -EINVAL,
	      "a line whose end is before its begin");
	CHECK(viommu_parse_range("\n", &range) == -EINVAL, "an empty line");
	CHECK(viommu_parse_range("0x1000\n", &range) == -EINVAL, "half a line");
}

/* PROBE */

static const u32 idr[VIOMMU_NR_IDR] = { 0x11, 0x22, 0, 0x44, 0, 0x66 };

static void test_probe(void)
{
	static const struct viommu_range ranges[] = {
		RANGE(0x1000, 0x1fff), RANGE(0xfee00000, 0xfeefffff),
	};
	/* By VIRTIO 1.3, section 5.13.6.7: type, length, subtype, begin, end */
	static const u8 expected[] = {
		1, 0, 20, 0, 1, 0, 0, 0,
		0, 0, 0, 8, 0, 0, 0, 0, 0xff, 0xff, 0x0f, 8, 0, 0, 0, 0,
		1, 0, 20, 0, 0, 0, 0, 0,
		0, 0x10, 0, 0, 0, 0, 0, 0, 0xff, 0x1f, 0, 0, 0, 0, 0, 0,
		1, 0, 20, 0, 0, 0, 0, 0,
		0, 0, 0xe0, 0xfe, 0, 0, 0, 0, 0xff, 0xff, 0xef, 0xfe, 0, 0, 0, 0,
		/* The proposal's: type, length, and six registers */
		2, 0, 52, 0, 0, 0, 0, 0,
		0x11, 0, 0, 0, 0, 0, 0, 0, 0x22, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0x66, 0, 0, 0, 0, 0, 0, 0,
	};
	u8 buf[sizeof(expected) + 1];

	memset(buf, 0xaa, sizeof(buf));
	CHECK(viommu_fill_probe(buf, sizeof(buf), NULL, 0, NULL) == 24 &&
	      !memcmp(buf, expected, 24) && buf[24] == 0xaa,
	      "PROBE: the MSI region alone");
	CHECK(viommu_fill_probe(buf, sizeof(buf), ranges, 2, NULL) == 72 &&
	      !memcmp(buf, expected, 72) && buf[72] == 0xaa,
	      "PROBE: with reserved regions");
	CHECK(viommu_fill_probe(buf, sizeof(expected), ranges, 2, idr) == sizeof(expected) &&
	      !memcmp(buf, expected, sizeof(expected)) && buf[sizeof(expected)] == 0xaa,
	      "PROBE: with tables, and as long as there is room");
	CHECK(viommu_fill_probe(buf, sizeof(expected) - 1, ranges, 2, idr) == -ENOSPC,
	      "PROBE: no room");
}

static void test_idr(void)
{
	u32 host[VIOMMU_NR_IDR], out[VIOMMU_NR_IDR];

	memset(host, 0xff, sizeof(host));
	viommu_smmu_idr(out, host, true);
	/* Bits of Arm IHI 0070, section 6.3 */
	CHECK(out[0] == 0x1f68141e && out[1] == 0x7ff && !out[2] && out[3] == 0x1c00 &&
	      !out[4] && out[5] == 0xcf7, "ID registers: what is passed on");
	viommu_smmu_idr(out, host, false);
	CHECK(out[0] == 0x1f68101e, "ID registers: without ATS");
	memset(host, 0, sizeof(host));
	viommu_smmu_idr(out, host, true);
	CHECK(out[0] == 0x1000012, "ID registers: what is always true, and no stalls");
	host[0] = 2U << 24;
	viommu_smmu_idr(out, host, true);
	CHECK(out[0] == 0x2000012, "ID registers: forced stalls are told");
}

static void test_granules(void)
{
	CHECK(viommu_page_sizes(4096) == 0x40201000 && viommu_page_sizes(16384) == 0x2004000 &&
	      viommu_page_sizes(65536) == 0x20010000, "page sizes of a granule");
	CHECK(viommu_smmu_granule(SMMU_IDR5_GRAN4K | SMMU_IDR5_GRAN64K) == 4096 &&
	      viommu_smmu_granule(SMMU_IDR5_GRAN16K) == 16384 &&
	      viommu_smmu_granule(SMMU_IDR5_GRAN64K) == 65536 && !viommu_smmu_granule(0),
	      "the smallest granule of an SMMU");
	CHECK(viommu_smmu_has_granule(SMMU_IDR5_GRAN16K, 16384) &&
	      !viommu_smmu_has_granule(SMMU_IDR5_GRAN16K, 4096) &&
	      !viommu_smmu_has_granule(SMMU_IDR5_GRAN64K, 0), "granules that an SMMU has");
}

static void test_map(void)
{
	static const u8 expected[] = {
		0, 0, 0, 0x28, 0, 0, 0, 3, 0, 0, 0, 0x28, 0, 0, 0, 1,
	};
	const u64 frame = VIOMMU_MSI_FRAME;
	struct viommu_map_entry entry;

	viommu_map_entry(&entry, 5, 3);
	CHECK(sizeof(entry) == sizeof(expected) && !memcmp(&entry, expected, sizeof(expected)),
	      "iommu-map: slot 5 is requester and endpoint 0x28");
	CHECK(VIOMMU_ENDPOINT_ID(0) == 0 && VIOMMU_ENDPOINT_ID(31) == 0xf8,
	      "endpoint IDs of the first and the last slot");
	CHECK(frame >= VIOMMU_MSI_START && frame + 0x20000 - 1 <= VIOMMU_MSI_LAST,
	      "both pages of an ITS lie in the MSI region");
}

static void test_limits(void)
{
	CHECK(viommu_max_mappings(512ULL << 20, 1) == 131072 + 65536 &&
	      viommu_max_mappings(512ULL << 20, 3) == 3 * (131072 + 65536),
	      "limit of mappings: all RAM for each device");
	CHECK(viommu_max_table_pages(512ULL << 20, 1) == 1024 + 4096,
	      "limit of page tables");
}

int main(void)
{
	printf("TAP version 13\n");
	test_options();
	test_lines();
	test_merge();
	test_probe();
	test_idr();
	test_granules();
	test_map();
	test_limits();
	printf("1..%u\n", number);
	return failed ? 1 : 0;
}
