// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-iommu: what the user asks for, and what the guest is told. All of it
 * is computed from arguments, nothing is asked of the host.
 */
#include "iommu-internal.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB			1024ULL
#define MIB			(KIB * KIB)
#define GIB			(KIB * MIB)

/* What vhost-iommu's other users poll for by default */
#define VIOMMU_POLL_US		200

static int viommu_parse_word(char *word, struct viommu_params *params,
			     char *error, size_t len)
{
	char *value = strchr(word, '='), *end;

	if (value)
		*value++ = '\0';
	else
		value = word + strlen(word);

	if (!strcmp(word, "poll-us")) {
		unsigned long n;

		errno = 0;
		n = strtoul(value, &end, 10);
		if (*value < '0' || *value > '9' || *end || errno ||
		    n > VIOMMU_MAX_POLL_US) {
			snprintf(error, len, "poll-us=%s: has to be a number of microseconds, 0 to %d",
				 value, VIOMMU_MAX_POLL_US);
			return -EINVAL;
		}
		params->poll_us = n;
	} else if (!strcmp(word, "granule")) {
		if (!strcmp(value, "4k")) {
			params->granule = 4 * KIB;
		} else if (!strcmp(value, "16k")) {
			params->granule = 16 * KIB;
		} else if (!strcmp(value, "64k")) {
			params->granule = 64 * KIB;
		} else {
			snprintf(error, len, "granule=%s: has to be 4k, 16k or 64k",
				 value);
			return -EINVAL;
		}
	} else if (!strcmp(word, "tables")) {
		if (!strcmp(value, "off")) {
			params->tables = VIOMMU_TABLES_OFF;
		} else if (!strcmp(value, "on")) {
			params->tables = VIOMMU_TABLES_ON;
		} else if (!strcmp(value, "both")) {
			params->tables = VIOMMU_TABLES_BOTH;
		} else {
			snprintf(error, len, "tables=%s: has to be off, on or both",
				 value);
			return -EINVAL;
		}
	} else if (!strcmp(word, "boot-bypass")) {
		if (!strcmp(value, "on")) {
			params->boot_bypass = true;
		} else if (!strcmp(value, "off")) {
			params->boot_bypass = false;
		} else {
			snprintf(error, len, "boot-bypass=%s: has to be on or off",
				 value);
			return -EINVAL;
		}
	} else {
		snprintf(error, len, "\"%s\" is no option; there are poll-us, granule, tables and boot-bypass",
			 word);
		return -EINVAL;
	}
	return 0;
}

/* vhost[,OPTION=VALUE]... Of an option that is given twice the last one counts. */
int viommu_parse_options(const char *arg, struct viommu_params *params,
			 char *error, size_t len)
{
	char *copy = strdup(arg), *rest = copy, *word;
	int ret = 0;

	if (!copy) {
		snprintf(error, len, "out of memory");
		return -ENOMEM;
	}
	*params = (struct viommu_params) {
		.enabled	= true,
		.boot_bypass	= true,
		.poll_us	= VIOMMU_POLL_US,
	};
	word = strsep(&rest, ",");
	if (strcmp(word, "vhost")) {
		snprintf(error, len, "\"%s\" is no kind of virtio-iommu; there is vhost",
			 word);
		ret = -EINVAL;
	}
	while (!ret && (word = strsep(&rest, ",")))
		ret = viommu_parse_word(word, params, error, len);
	free(copy);
	return ret;
}

/*
 * The host maps whatever is a multiple of the granule. Larger sizes are a hint
 * for the guest's allocator: those of its IOMMU's blocks.
 */
u64 viommu_page_sizes(u64 granule)
{
	switch (granule) {
	case 16 * KIB:
		return 16 * KIB | 32 * MIB;
	case 64 * KIB:
		return 64 * KIB | 512 * MIB;
	default:
		return 4 * KIB | 2 * MIB | GIB;
	}
}

bool viommu_smmu_has_granule(u32 idr5, u64 granule)
{
	return (granule == 4 * KIB && idr5 & SMMU_IDR5_GRAN4K) ||
	       (granule == 16 * KIB && idr5 & SMMU_IDR5_GRAN16K) ||
	       (granule == 64 * KIB && idr5 & SMMU_IDR5_GRAN64K);
}

/* The smallest that it has, or 0 */
u64 viommu_smmu_granule(u32 idr5)
{
	static const u64 granules[] = { 4 * KIB, 16 * KIB, 64 * KIB };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(granules); i++)
		if (viommu_smmu_has_granule(idr5, granules[i]))
			return granules[i];
	return 0;
}

/* A line of reserved_regions in sysfs: first and last address, and a type */
int viommu_parse_range(const char *line, struct viommu_range *range)
{
	unsigned long long start, last;

	if (sscanf(line, "0x%llx 0x%llx", &start, &last) != 2 || last < start)
		return -EINVAL;
	range->start = start;
	range->last = last;
	return 0;
}

static int viommu_compare_ranges(const void *a, const void *b)
{
	const struct viommu_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/*
 * Regions of an endpoint must not overlap, and what the host reserves may: they
 * are sorted and merged. The MSI region is reported as such, so it is cut out:
 * on Arm it is the one that the host has there, too.
 *
 * Returns how many there are then, or -ENOSPC if @max is too few.
 */
int viommu_merge_ranges(struct viommu_range *ranges, unsigned int nr,
			unsigned int max)
{
	unsigned int i, out = 0;

	qsort(ranges, nr, sizeof(*ranges), viommu_compare_ranges);
	for (i = 0; i < nr; i++) {
		struct viommu_range *prev = out ? &ranges[out - 1] : NULL;

		/* Also if one begins where the other ends */
		if (prev && (prev->last == ~0ULL ||
			     ranges[i].start <= prev->last + 1)) {
			if (ranges[i].last > prev->last)
				prev->last = ranges[i].last;
		} else {
			ranges[out++] = ranges[i];
		}
	}

	for (nr = out, i = 0; i < nr; i++) {
		struct viommu_range *r = &ranges[i];

		if (r->last < VIOMMU_MSI_START || r->start > VIOMMU_MSI_LAST)
			continue;
		if (r->start < VIOMMU_MSI_START && r->last > VIOMMU_MSI_LAST) {
			if (nr == max)
				return -ENOSPC;
			memmove(r + 1, r, (nr - i) * sizeof(*r));
			nr++;
			r[0].last = VIOMMU_MSI_START - 1;
			r[1].start = VIOMMU_MSI_LAST + 1;
		} else if (r->start < VIOMMU_MSI_START) {
			r->last = VIOMMU_MSI_START - 1;
		} else if (r->last > VIOMMU_MSI_LAST) {
			r->start = VIOMMU_MSI_LAST + 1;
		} else {
			nr--;
			memmove(r, r + 1, (nr - i) * sizeof(*r));
			i--;
		}
	}
	return nr;
}

static void viommu_fill_range(struct virtio_iommu_probe_resv_mem *prop,
			      u8 subtype, u64 start, u64 last)
{
	*prop = (struct virtio_iommu_probe_resv_mem) {
		.head.type	= htole16(VIRTIO_IOMMU_PROBE_T_RESV_MEM),
		.head.length	= htole16(sizeof(*prop) - sizeof(prop->head)),
		.subtype	= subtype,
		.start		= htole64(start),
		.end		= htole64(last),
	};
}

/*
 * The properties that PROBE returns: the MSI region, @ranges, which were merged,
 * and, if there are tables of the guest (@idr), what the SMMU can.
 *
 * Returns their length in bytes, or -ENOSPC.
 */
int viommu_fill_probe(void *buf, size_t size, const struct viommu_range *ranges,
		      unsigned int nr, const u32 *idr)
{
	struct virtio_iommu_probe_resv_mem *prop = buf;
	struct virtio_iommu_probe_arm_smmuv3 smmu = {
		.head.type	= htole16(VIRTIO_IOMMU_PROBE_T_ARM_SMMUV3),
		.head.length	= htole16(sizeof(smmu) - sizeof(smmu.head)),
	};
	size_t len = (nr + 1) * sizeof(*prop) + (idr ? sizeof(smmu) : 0);
	unsigned int i;

	if (len > size)
		return -ENOSPC;

	viommu_fill_range(prop++, VIRTIO_IOMMU_RESV_MEM_T_MSI, VIOMMU_MSI_START,
			  VIOMMU_MSI_LAST);
	for (i = 0; i < nr; i++)
		viommu_fill_range(prop++, VIRTIO_IOMMU_RESV_MEM_T_RESERVED,
				  ranges[i].start, ranges[i].last);
	if (idr) {
		for (i = 0; i < VIOMMU_NR_IDR; i++)
			smmu.idr[i] = htole64(idr[i]);
		memcpy(prop, &smmu, sizeof(smmu));
	}
	return len;
}

/*
 * Fields of the SMMU's ID registers that the guest may rely on: those that
 * iommufd's description of the hardware lists for guests, and S1P, COHACC and
 * OAS: the first two are true of any SMMU that nests, the last one bounds what
 * the host maps as well.
 */
#define SMMU_IDR0_S1P			(1U << 1)
#define SMMU_IDR0_TTF			(3U << 2)
#define SMMU_IDR0_COHACC		(1U << 4)
#define SMMU_IDR0_ATS			(1U << 10)
#define SMMU_IDR0_ASID16		(1U << 12)
#define SMMU_IDR0_CD2L			(1U << 19)
#define SMMU_IDR0_TTENDIAN		(3U << 21)
#define SMMU_IDR0_STALL_MODEL		(3U << 24)
#define SMMU_IDR0_STALL_MODEL_NONE	(1U << 24)
#define SMMU_IDR0_TERM_MODEL		(1U << 26)
#define SMMU_IDR0_ST_LEVEL		(3U << 27)
#define SMMU_IDR1_SSIDSIZE		(0x1fU << 6)
#define SMMU_IDR1_SIDSIZE		0x3fU
#define SMMU_IDR3_RIL			(1U << 10)
#define SMMU_IDR3_BBML			(3U << 11)
#define SMMU_IDR5_OAS			7U
#define SMMU_IDR5_DS			(1U << 7)
#define SMMU_IDR5_VAX			(3U << 10)

void viommu_smmu_idr(u32 *idr, const u32 *host, bool ats)
{
	idr[0] = host[0] & (SMMU_IDR0_TTF | SMMU_IDR0_ASID16 | SMMU_IDR0_CD2L |
			    SMMU_IDR0_TTENDIAN | SMMU_IDR0_STALL_MODEL |
			    SMMU_IDR0_TERM_MODEL | SMMU_IDR0_ST_LEVEL);
	idr[0] |= SMMU_IDR0_S1P | SMMU_IDR0_COHACC;
	/*
	 * Nobody resumes what stalls: where stalls are optional, there are none.
	 * Where they are forced, the guest has to know.
	 */
	if (!(idr[0] & SMMU_IDR0_STALL_MODEL))
		idr[0] |= SMMU_IDR0_STALL_MODEL_NONE;
	if (ats)
		idr[0] |= host[0] & SMMU_IDR0_ATS;
	idr[1] = host[1] & (SMMU_IDR1_SIDSIZE | SMMU_IDR1_SSIDSIZE);
	idr[2] = 0;
	idr[3] = host[3] & (SMMU_IDR3_RIL | SMMU_IDR3_BBML);
	idr[4] = 0;
	idr[5] = host[5] & (SMMU_IDR5_OAS | SMMU_IDR5_GRAN4K | SMMU_IDR5_GRAN16K |
			    SMMU_IDR5_GRAN64K | SMMU_IDR5_DS | SMMU_IDR5_VAX);
}

/*
 * One entry for each endpoint, not one for the bus: what is not in the list is
 * not behind the IOMMU, as kvmtool's own virtio devices.
 */
void viommu_map_entry(struct viommu_map_entry *entry, unsigned int slot,
		      u32 phandle)
{
	*entry = (struct viommu_map_entry) {
		.rid		= htobe32(VIOMMU_ENDPOINT_ID(slot)),
		.phandle	= htobe32(phandle),
		.id		= htobe32(VIOMMU_ENDPOINT_ID(slot)),
		.length		= htobe32(1),
	};
}

/*
 * A guest may map all of its RAM for each of its devices, in pages of 4 KiB.
 * That takes a page of tables for each 2 MiB, and more if addresses are
 * scattered, since tables of those that were used before are kept.
 */
u64 viommu_max_mappings(u64 ram, unsigned int devices)
{
	return devices * (ram / (4 * KIB) + 64 * KIB);
}

u64 viommu_max_table_pages(u64 ram, unsigned int devices)
{
	return devices * (4 * (ram / (2 * MIB)) + 4 * KIB);
}
