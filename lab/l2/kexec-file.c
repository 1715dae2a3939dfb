// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec-file KERNEL INITRAMFS
 *
 * Runs in the guest (L2): start KERNEL with the command line of the one that is
 * running, which is shut down as for a reboot.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

int main(int argc, char **argv)
{
	int fd = open_file("/proc/cmdline");
	char cmdline[2048];
	ssize_t len;

	if (argc != 3)
		errx(2, "usage: kexec-file KERNEL INITRAMFS");
	len = read(fd, cmdline, sizeof(cmdline));
	if (len <= 0)
		err(1, "/proc/cmdline");
	/* A newline ends it: that is where the string ends */
	cmdline[len - 1] = '\0';
	if (syscall(SYS_kexec_file_load, open_file(argv[1]), open_file(argv[2]),
		    (unsigned long)len, cmdline, 0UL))
		err(1, "kexec_file_load");
	reboot(LINUX_REBOOT_CMD_KEXEC);
	err(1, "reboot");
}
