// SPDX-License-Identifier: GPL-2.0-only
/*
 * exit-cost kernel|user
 *
 * Prints what it costs a guest, on average, to read a register that the host's
 * kernel emulates (of the interrupt distributor), or the VMM does (of the serial
 * port): no way to ask the host for something, and wait for the answer, can be
 * faster than that.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* QEMU's machine "virt" */
#define DISTRIBUTOR	0x08000000
#define DISTRIBUTOR_ID	0x8
#define SERIAL		0x09000000
#define SERIAL_FLAGS	0x18

#define TIMES		2000

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* One that KVM can take apart */
static void read_register(const char *reg)
{
	__u32 value;

	__asm__ __volatile__("ldr %w0, [%1]" : "=r"(value) : "r"(reg));
}

int main(int argc, char **argv)
{
	int fd, kernel, i;
	double start;
	char *reg;

	kernel = argc == 2 && !strcmp(argv[1], "kernel");
	if (!kernel && (argc != 2 || strcmp(argv[1], "user")))
		errx(2, "usage: exit-cost kernel|user");
	fd = open("/dev/mem", O_RDONLY | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		err(1, "/dev/mem: CONFIG_DEVMEM is needed");
	reg = mmap(NULL, getpagesize(), PROT_READ, MAP_SHARED, fd,
		   kernel ? DISTRIBUTOR : SERIAL);
	if (reg == MAP_FAILED)
		err(1, "map a register, which CONFIG_IO_STRICT_DEVMEM forbids");
	reg += kernel ? DISTRIBUTOR_ID : SERIAL_FLAGS;
	read_register(reg);
	start = now_us();
	for (i = 0; i < TIMES; i++)
		read_register(reg);
	printf("%.2f us/exit\n", (now_us() - start) / TIMES);
	return 0;
}
