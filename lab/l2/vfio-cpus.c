// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-cpus NVME
 *
 * Runs in a guest (L2) with two processors and a huge page, and uses an NVMe, which
 * vfio-pci has, through VFIO and iommufd. Pages are mapped and unmapped by a task
 * that is moved from one processor to the other meanwhile, so that one call makes
 * requests on both, in one queue or in two. It must not be over before all of them
 * are answered: the NVMe has to reach what is mapped, and nothing that was unmapped.
 */
#define _GNU_SOURCE
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "nvme.h"
#include "vfio.h"

#define HUGE_PAGE	0x200000
/* MSIs are at 128 MiB */
#define QUEUES		0x1000000
#define IOVA		0x2000000
/* One call in some fifty is hit in the right moment */
#define ROUNDS		500

/* Move the caller back and forth, until it ends, whatever it is about in the kernel */
static void start_moving(void)
{
	struct sched_param param = { .sched_priority = 1 };
	pid_t parent = getpid();
	cpu_set_t set;
	int cpu = 0;

	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		break;
	default:
		return;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		err(1, "prctl");
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "SCHED_FIFO");
	while (getppid() == parent) {
		cpu = !cpu;
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(parent, sizeof(set), &set))
			err(1, "processor %d", cpu);
		usleep(100);
	}
	_exit(0);
}

/* Whether the NVMe writes to memory */
static int reaches(struct nvme *nvme, __u64 iova, __u16 *word)
{
	*word = 0;
	nvme_identify(nvme, iova);
	return *word == NVME_VENDOR;
}

int main(int argc, char **argv)
{
	size_t page = getpagesize(), length = HUGE_PAGE - 2 * page;
	unsigned int i, moved = 0, lost = 0, left = 0;
	char *queues, *memory;
	struct vfio_dev vfio;
	struct nvme nvme;
	__u32 ioas;
	int cpu;

	if (argc != 2)
		errx(2, "see the head of vfio-cpus.c");
	start_moving();
	queues = get_pages(2 * page);
	memory = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "huge page");
	/* Without its ends it takes a request for each power of two, up and down */
	memory += page;
	open_vfio(&vfio, argv[1]);
	bar = vfio.bar;
	ioas = alloc_ioas();
	attach(&vfio, ioas);
	map(ioas, queues, 2 * page, QUEUES);
	nvme_start(&nvme, queues, QUEUES);

	for (i = 0; i < ROUNDS; i++) {
		cpu = sched_getcpu();
		map(ioas, memory, length, IOVA + page);
		lost += !reaches(&nvme, IOVA + page, (__u16 *)memory);
		unmap(ioas, IOVA + page, length);
		moved += sched_getcpu() != cpu;
		left += reaches(&nvme, IOVA + page, (__u16 *)memory);
	}
	printf("%u times mapped and unmapped, then on another processor in %u\n",
	       i, moved);
	if (lost)
		warnx("%u times what is mapped is not reached", lost);
	if (left)
		warnx("%u times what was unmapped is reached", left);
	nvme_enable(0);
	return !moved || lost || left;
}
