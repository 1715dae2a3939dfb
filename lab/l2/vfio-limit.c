// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-limit EDU IOVA LIMIT COUNT
 *
 * Runs in the guest (L2) and uses an edu, which vfio-pci has, through VFIO and
 * iommufd. COUNT pages are mapped from IOVA on, one by one, in a guest whose
 * virtio-iommu has room for LIMIT mappings. The guest may be told that all are
 * mapped: the edu has to reach those within the limit, and no others. When all
 * are unmapped there is room again.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "edu.h"
#include "vfio.h"

#define STAMP		0x5a000000U

static char *pages;
static size_t page;
static __u64 iova;
static __u32 ioas;

static __u32 *word_of(unsigned int i)
{
	return (__u32 *)(pages + i * page);
}

static void map_pages(unsigned int count)
{
	unsigned int i, refused = 0;

	for (i = 0; i < count; i++) {
		*word_of(i) = STAMP + i;
		refused += !!try_map(ioas, word_of(i), page, iova + i * page);
	}
	printf("%u pages, the kernel knows of %u that are refused\n", count,
	       refused);
}

/* Whether the edu reads page @i; it writes what it has read to page 0 */
static int reads(unsigned int i)
{
	word_of(0)[1] = 0;
	run_edu(iova + i * page, 0);
	run_edu(iova + sizeof(__u32), 1);
	return word_of(0)[1] == STAMP + i;
}

static int writes(unsigned int i)
{
	*word_of(0) = STAMP;
	*word_of(i) = ~STAMP;
	run_edu(iova, 0);
	run_edu(iova + i * page, 1);
	return *word_of(i) == STAMP;
}

/* See whether page @i is mapped; its stamp is not there afterwards */
static int check(unsigned int i, int mapped)
{
	int rd, wr;

	*word_of(i) = STAMP + i;
	rd = reads(i);
	wr = writes(i);
	if (rd == mapped && wr == mapped)
		return 0;
	warnx("page %u: read %d, written %d, mapped should be %d", i, rd, wr,
	      mapped);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned int limit, count;
	struct vfio_dev edu;
	int rc = 0;

	if (argc != 5)
		errx(2, "see the head of vfio-limit.c");
	iova = strtoull(argv[2], NULL, 0);
	limit = strtoul(argv[3], NULL, 0);
	count = strtoul(argv[4], NULL, 0);
	if (limit < 3 || count <= limit)
		errx(2, "there is no page beyond the limit");
	page = getpagesize();
	pages = get_pages(count * page);
	open_vfio(&edu, argv[1]);
	bar = edu.bar;
	ioas = alloc_ioas();
	attach(&edu, ioas);

	map_pages(count);
	rc |= check(1, 1);
	rc |= check(limit - 1, 1);
	rc |= check(limit, 0);
	rc |= check(count - 1, 0);

	/* What was not mapped is no obstacle */
	unmap(ioas, iova, count * page);
	map_pages(limit);
	rc |= check(1, 1);
	rc |= check(limit - 1, 1);
	unmap(ioas, iova + (limit - 1) * page, page);
	rc |= check(limit - 1, 0);
	return rc;
}
