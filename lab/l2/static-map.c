// SPDX-License-Identifier: GPL-2.0-only
/*
 * static-map DEVICE GIB runs|pages|small
 *
 * Maps GIB of huge pages, or of small ones, for a PCI device that vfio-pci has, at once, and unmaps
 * them, as a user-space driver does when it starts and ends. Prints how long both
 * took.
 *
 * A guest has less RAM than that: the same huge pages are there again and again,
 * which is all the same to an IOMMU. It matters how many of them are next to each
 * other in RAM, as the kernel then maps them together: as many as possible with
 * "runs", none with "pages". Chance would have it otherwise each time. With "small",
 * all pages are mapped one by one: their tables are what there is to free.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/iommufd.h>
#include <linux/memfd.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE	(2UL << 20)
#define NR_PAGES	64UL
#define RAM		(NR_PAGES * HUGE_PAGE)
#define SMALL_RAM	(16UL << 20)
/* Where nothing else of a program is */
#define MEMORY		(64UL << 30)
#define PAGEMAP_PFN	((1ULL << 55) - 1)
/* Above all that platforms reserve, for MSIs for example */
#define IOVA		(4ULL << 30)
#define MAX_GIB		64

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int rising(const void *a, const void *b)
{
	const __u64 *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

/* Sort the huge pages of the file @fd by where they are in RAM */
static void sort_pages(int fd, __u64 *pages)
{
	int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char *p = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, fd, 0);
	__u64 i, entry;

	if (p == MAP_FAILED)
		err(1, "too few free huge pages: echo %lu >/proc/sys/vm/nr_hugepages",
		    NR_PAGES);
	for (i = 0; i < NR_PAGES; i++) {
		if (pread(map, &entry, sizeof(entry),
			  (uintptr_t)(p + i * HUGE_PAGE) / getpagesize() *
			  sizeof(entry)) != sizeof(entry) ||
		    !(entry & PAGEMAP_PFN))
			errx(1, "/proc/self/pagemap: be root; the kernel needs CONFIG_PROC_PAGE_MONITOR");
		pages[i] = (entry & PAGEMAP_PFN) * NR_PAGES + i;
	}
	qsort(pages, NR_PAGES, sizeof(*pages), rising);
	for (i = 0; i < NR_PAGES; i++)
		pages[i] %= NR_PAGES;
	munmap(p, RAM);
	close(map);
}

/*
 * Return @size bytes of memory that is in huge pages, and there. Rising in RAM, they
 * are as contiguous as they can be; falling, none is next to the one before.
 */
static void *huge_memory(size_t size, bool runs)
{
	int fd = memfd_create("static-map", MFD_CLOEXEC | MFD_HUGETLB |
			      MFD_HUGE_2MB);
	__u64 pages[NR_PAGES];
	size_t i, at;

	if (fd < 0 || ftruncate(fd, RAM))
		err(1, "memfd: the kernel needs CONFIG_HUGETLBFS and huge pages of 2 MiB");
	sort_pages(fd, pages);
	for (i = 0; i < size / HUGE_PAGE; i++) {
		at = runs ? i % NR_PAGES : NR_PAGES - 1 - i % NR_PAGES;
		if (mmap((void *)(MEMORY + i * HUGE_PAGE), HUGE_PAGE,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE |
			 MAP_FIXED_NOREPLACE, fd, pages[at] * HUGE_PAGE) ==
		    MAP_FAILED)
			err(1, "huge page %zu from %#lx on", i, MEMORY);
	}
	return (void *)MEMORY;
}

/* Return @size bytes of memory in small pages, of which none is next to the last */
static void *small_memory(size_t size)
{
	const size_t page = getpagesize(), nr = SMALL_RAM / page;
	int fd = memfd_create("static-map", MFD_CLOEXEC);
	size_t i;

	if (fd < 0 || ftruncate(fd, SMALL_RAM))
		err(1, "memfd");
	/* Each page of the file is allocated right after the one that follows it */
	for (i = 0; i < size / page; i++) {
		if (mmap((void *)(MEMORY + i * page), page,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE |
			 MAP_FIXED_NOREPLACE, fd, (nr - 1 - i % nr) * page) ==
		    MAP_FAILED)
			err(1, "page %zu from %#lx on: /proc/sys/vm/max_map_count?",
			    i, MEMORY);
	}
	return (void *)MEMORY;
}

static int open_device(const char *device)
{
	char path[300];
	glob_t found;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/vfio*",
		 device);
	if (glob(path, 0, NULL, &found))
		errx(1, "no %s: bind %s to vfio-pci; the kernel needs CONFIG_VFIO_DEVICE_CDEV",
		     path, device);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
		 basename(found.gl_pathv[0]));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s: is devtmpfs mounted, and are you root?", path);
	return fd;
}

/* Return the IOAS that the device is attached to */
static __u32 attach(const char *device, int iommufd)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	struct vfio_device_attach_iommufd_pt pt = { .argsz = sizeof(pt) };
	/* Stays open until the end */
	int dev = open_device(device);

	if (ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		err(1, "VFIO_DEVICE_BIND_IOMMUFD: is %s behind an IOMMU, and all of its group on vfio-pci? see the kernel's messages",
		    device);
	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc))
		err(1, "IOMMU_IOAS_ALLOC");
	pt.pt_id = alloc.out_ioas_id;
	if (ioctl(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt))
		err(1, "VFIO_DEVICE_ATTACH_IOMMUFD_PT: the IOMMU does not take %s; see the kernel's messages",
		    device);
	return alloc.out_ioas_id;
}

static void measure(int iommufd, __u32 ioas, void *memory, size_t size)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)memory,
		.length = size,
		.iova = IOVA,
	};
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = IOVA,
		.length = size,
	};
	double begin, mapped, end;

	begin = now_us();
	if (ioctl(iommufd, IOMMU_IOAS_MAP, &map))
		err(1, "IOMMU_IOAS_MAP of %zu MiB at %#llx: does the IOMMU have such addresses?",
		    size >> 20, IOVA);
	mapped = now_us();
	if (ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap))
		err(1, "IOMMU_IOAS_UNMAP");
	end = now_us();
	printf("map %.1f us, unmap %.1f us\n", mapped - begin, end - mapped);
}

int main(int argc, char **argv)
{
	bool runs, small;
	unsigned long gib;
	int iommufd, ioas;
	void *memory;

	if (argc != 4)
		errx(2, "see the head of static-map.c");
	gib = strtoul(argv[2], NULL, 0);
	runs = !strcmp(argv[3], "runs");
	small = !strcmp(argv[3], "small");
	if (!gib || gib > MAX_GIB ||
	    (!runs && !small && strcmp(argv[3], "pages")))
		errx(2, "from 1 to %d GiB, runs, pages or small", MAX_GIB);

	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0)
		err(1, "/dev/iommu: the kernel needs CONFIG_IOMMUFD");
	ioas = attach(argv[1], iommufd);
	memory = small ? small_memory(gib << 30) :
			 huge_memory(gib << 30, runs);
	measure(iommufd, ioas, memory, gib << 30);
	return 0;
}
