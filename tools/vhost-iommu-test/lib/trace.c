// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's trace of the emulated IOMMU, readable while it is written: one event a
 * line. VHOST_IOMMU_TRACE names the file.
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
	const char *path = getenv("VHOST_IOMMU_TRACE");

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
 * trace_refused() - Wait until the IOMMU tells of an access that it refused
 * @t: Trace
 *
 * Return: Whether it did, since the mark
 */
bool trace_refused(struct trace *t)
{
	static const char *const events[] = {
		/* Arm's SMMU; Intel's IOMMU; AMD's */
		"smmuv3_record_event", "smmuv3_translate_abort",
		"vtd_dmar_fault", "amdvi_page_fault", NULL
	};

	return trace_wait(t, events, 3000);
}

/**
 * trace_invalidated() - Whether the IOMMU was told to forget something
 * @t: Trace
 *
 * To be asked right after the reply to an UNMAP: does not wait.
 *
 * Return: Whether since the mark there is a TLB invalidation that was waited for
 */
bool trace_invalidated(struct trace *t)
{
	static const char *const events[][2] = {
		{ "CMD_TLBI", "CMD_SYNC" },
		{ "vtd_inv_desc_iotlb_", "vtd_inv_desc_wait" },
		/* For tables of the first stage */
		{ "desc type p-iotlb", "vtd_inv_desc_wait" },
		{ "amdvi_pages_inval", "amdvi_completion_wait" },
	};
	char *text = trace_since(t), *p;
	bool found = false;
	unsigned int i;

	for (i = 0; text && i < ARRAY_SIZE(events) && !found; i++) {
		p = strstr(text, events[i][0]);
		found = p && strstr(p, events[i][1]);
	}
	free(text);
	return found;
}

static char letter(const char *name, size_t len)
{
	static const struct {
		const char *name;
		char letter;
	} names[] = {
		{ "SMMU_CMD_SYNC", 'S' },
		{ "SMMU_CMD_CFGI_CD", 'C' },
		{ "SMMU_CMD_CFGI_CD_ALL", 'c' },
		{ "SMMU_CMD_CFGI_STE", 'E' },
		{ "SMMU_CMD_CFGI_ALL", 'e' },
		{ "SMMU_CMD_CFGI_STE_RANGE", 'e' },
		{ "SMMU_CMD_TLBI_NH_VA", 'V' },
		{ "SMMU_CMD_TLBI_NH_VAA", 'A' },
		{ "SMMU_CMD_TLBI_NH_ASID", 'D' },
		{ "SMMU_CMD_TLBI_NH_ALL", 'N' },
		{ "SMMU_CMD_ATC_INV", 'T' },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i].name) &&
		    !memcmp(name, names[i].name, len))
			return names[i].letter;
	return '?';
}

/**
 * trace_cmds() - The commands since the mark, one letter each
 * @t: Trace
 * @buf: Is filled
 * @len: Its size
 *
 * S: SYNC. C: CFGI_CD, c: CFGI_CD_ALL. E: CFGI_STE, e: of several. TLBI by V:
 * address and ASID, A: address of all ASIDs, D: ASID, N: all of the VMID. T:
 * ATC_INV. ?: any other.
 *
 * Return: @buf
 */
char *trace_cmds(struct trace *t, char *buf, size_t len)
{
	static const char event[] = "smmuv3_cmdq_opcode <--- ";
	char *text = trace_since(t), *p = text;
	size_t n = 0;

	while (p && (p = strstr(p, event)) && n + 1 < len) {
		p += strlen(event);
		buf[n++] = letter(p, strcspn(p, " \r\n"));
	}
	buf[n] = 0;
	free(text);
	return buf;
}

/**
 * trace_ranges() - What the invalidations by address since the mark cover
 * @t: Trace
 * @r: Is filled
 * @max: Its size
 *
 * The SMMU shows a command's range in pieces whose size is a power of 2. Pieces
 * that continue each other are joined.
 *
 * Return: Number of ranges
 */
unsigned int trace_ranges(struct trace *t, struct trace_range *r,
			  unsigned int max)
{
	static const char event[] = "smmuv3_range_inval ";
	char *text = trace_since(t), *p = text;
	unsigned int n = 0;

	while (p && (p = strstr(p, event)) && n < max) {
		struct trace_range one = { };
		unsigned long long nr;
		int stage = 0;

		p += strlen(event);
		if (sscanf(p, "vmid=%d asid=%d addr=0x%llx tg=%u num_pages=0x%llx ttl=%u leaf=%u stage=%d",
			   &one.vmid, &one.asid, &one.addr, &one.tg, &nr,
			   &one.ttl, &one.leaf, &stage) < 7)
			continue;
		one.len = nr << (one.tg ? one.tg * 2 + 10 : 12);
		if (n && r[n - 1].asid == one.asid &&
		    r[n - 1].tg == one.tg && r[n - 1].ttl == one.ttl &&
		    r[n - 1].leaf == one.leaf &&
		    r[n - 1].addr + r[n - 1].len == one.addr)
			r[n - 1].len += one.len;
		else
			r[n++] = one;
	}
	free(text);
	return n;
}
