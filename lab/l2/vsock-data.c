// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsock-data listen PORT MIB, vsock-data connect CID PORT MIB: send so much data each way
 * over a vsock, at once, and see that what comes is what was sent.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <linux/vm_sockets.h>

#define PIECE	65536

/* What is at a place of the stream, and at no place near it */
static __u32 word_at(__u64 place, int from)
{
	return (__u32)(place * 2654435761u) ^ (from ? 0x5a5a5a5a : 0);
}

static void send_all(int fd, __u64 len, int from)
{
	static __u32 buf[PIECE / sizeof(__u32)];
	size_t i, done;
	__u64 at;

	for (at = 0; at < len; at += PIECE) {
		for (i = 0; i < PIECE / sizeof(__u32); i++)
			buf[i] = word_at(at / sizeof(__u32) + i, from);
		for (done = 0; done < PIECE; ) {
			ssize_t n = write(fd, (char *)buf + done, PIECE - done);

			if (n <= 0)
				err(1, "sending");
			done += n;
		}
	}
}

static void receive_all(int fd, __u64 len, int from)
{
	static __u32 buf[PIECE / sizeof(__u32)];
	size_t i, done;
	__u64 at;

	for (at = 0; at < len; at += PIECE) {
		for (done = 0; done < PIECE; ) {
			ssize_t n = read(fd, (char *)buf + done, PIECE - done);

			if (n <= 0)
				err(1, "receiving");
			done += n;
		}
		for (i = 0; i < PIECE / sizeof(__u32); i++) {
			if (buf[i] == word_at(at / sizeof(__u32) + i, from))
				continue;
			errx(1, "other data at %llu",
			     (unsigned long long)(at + i * sizeof(__u32)));
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK };
	int listens = argc == 4 && !strcmp(argv[1], "listen");
	int fd, status;
	__u64 len;
	pid_t pid;

	if (!listens && (argc != 5 || strcmp(argv[1], "connect"))) {
		fprintf(stderr, "usage: vsock-data listen PORT MIB\n"
			"       vsock-data connect CID PORT MIB\n");
		return 2;
	}
	len = strtoull(argv[argc - 1], NULL, 0) << 20;
	addr.svm_port = strtoul(argv[argc - 2], NULL, 0);
	addr.svm_cid = listens ? VMADDR_CID_ANY : strtoul(argv[2], NULL, 0);
	alarm(120);
	fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (fd < 0)
		err(1, "socket");
	if (listens) {
		int one;

		if (bind(fd, (void *)&addr, sizeof(addr)) || listen(fd, 1))
			err(1, "listen");
		one = accept(fd, NULL, NULL);
		if (one < 0)
			err(1, "accept");
		fd = one;
	} else {
		/* The other one may not listen yet */
		while (connect(fd, (void *)&addr, sizeof(addr))) {
			if (errno != ECONNRESET && errno != ETIMEDOUT)
				err(1, "connect");
			usleep(100000);
			close(fd);
			fd = socket(AF_VSOCK, SOCK_STREAM, 0);
		}
	}
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		send_all(fd, len, listens);
		exit(0);
	}
	receive_all(fd, len, !listens);
	if (waitpid(pid, &status, 0) != pid || status)
		return 1;
	return 0;
}
