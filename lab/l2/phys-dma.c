// SPDX-License-Identifier: GPL-2.0-only
/*
 * phys-dma EDU
 *
 * Runs in the guest (L2) and has an edu without a driver read and write a page at
 * its physical address. Says "reached", if nothing translates for the edu, or
 * "blocked".
 */
#include <err.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"
#include "sysfs.h"

#define STAMP		0x600df00dU
#define PFN_MASK	((1ULL << 55) - 1)

static __u64 phys_of(const void *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	__u64 entry;

	if (fd < 0 ||
	    pread(fd, &entry, sizeof(entry), (uintptr_t)page / getpagesize() *
		  sizeof(entry)) != sizeof(entry) || !(entry & PFN_MASK))
		err(1, "/proc/self/pagemap");
	close(fd);
	return (entry & PFN_MASK) * getpagesize();
}

int main(int argc, char **argv)
{
	__u32 *word;
	__u64 phys;

	if (argc != 2)
		errx(2, "see the head of phys-dma.c");
	word = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (word == MAP_FAILED || mlock(word, getpagesize()))
		err(1, "memory");
	phys = phys_of(word);
	bar = open_bar(argv[1]);

	word[0] = STAMP;
	word[1] = ~STAMP;
	run_edu(phys, 0);
	run_edu(phys + sizeof(*word), 1);
	/* What can't be read is zero */
	if (word[0] != STAMP || (word[1] != STAMP && word[1] != ~STAMP))
		errx(1, "there is %#x %#x in memory", word[0], word[1]);
	puts(word[1] == STAMP ? "reached" : "blocked");
	return 0;
}
