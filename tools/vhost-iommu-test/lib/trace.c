// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's trace of the emulated SMMU, readable while it is written: one event a
 * line. VHOST_IOMMU_SMMU_TRACE names the file.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vit.h"

/**
 * trace_open() - Open the trace, if there is one
 * @t: Trace; @t->fd is -1 without
 */
void trace_open(struct trace *t)
{
	const char *path = getenv("VHOST_IOMMU_SMMU_TRACE");

	t->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	trace_mark(t);
}

/**
 * trace_close() - Close it
 * @t: Trace
 */
void trace_close(struct trace *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/**
 * trace_mark() - The next look begins with what is written from now on
 * @t: Trace
 */
void trace_mark(struct trace *t)
{
	struct stat st;

	/* Not lseek(): a network file system may remember an old size */
	t->pos = t->fd >= 0 && !fstat(t->fd, &st) ? st.st_size : 0;
}

/**
 * trace_since() - What was written since the mark
 * @t: Trace
 *
 * Return: Text to be freed, NULL without a trace
 */
char *trace_since(struct trace *t)
{
	size_t size = 0, done = 0;
	char *buf = NULL, *more;
	ssize_t n;

	if (t->fd < 0)
		return NULL;
	do {
		if (done + 4096 >= size) {
			size = size ? size * 2 : 65536;
			more = realloc(buf, size);
			if (!more)
				break;
			buf = more;
		}
		n = pread(t->fd, buf + done, size - done - 1, t->pos + done);
		if (n > 0)
			done += n;
	} while (n > 0);
	if (buf)
		buf[done] = 0;
	return buf;
}

/**
 * trace_wait() - Wait until certain words were written since the mark
 * @t: Trace
 * @words: Words, one of which has to be there, ended by NULL
 * @timeout_ms: How long
 *
 * Return: Whether one of the words is there
 */
bool trace_wait(struct trace *t, const char *const *words,
		unsigned int timeout_ms)
{
	__u64 end = now_ns() + timeout_ms * 1000000ULL;
	const char *const *w;
	bool found = false;
	char *text;

	for (;;) {
		text = trace_since(t);
		for (w = words; text && *w && !found; w++)
			found = strstr(text, *w);
		free(text);
		if (found || now_ns() > end)
			return found;
		sleep_ms(10);
	}
}

/**
 * trace_invalidated() - Whether the SMMU was told to forget something
 * @t: Trace
 *
 * To be asked right after the reply to an UNMAP: does not wait.
 *
 * Return: Whether since the mark there is a TLB invalidation with a SYNC behind
 * it
 */
bool trace_invalidated(struct trace *t)
{
	char *text = trace_since(t), *p;
	bool found;

	p = text ? strstr(text, "CMD_TLBI") : NULL;
	found = p && strstr(p, "CMD_SYNC");
	free(text);
	return found;
}
