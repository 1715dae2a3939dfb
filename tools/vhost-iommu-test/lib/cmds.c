// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands that an IOMMU was given: QEMU's trace of the SMMU, or the log of
 * a mock IOMMU.
 */
#include <stdlib.h>
#include <string.h>

#include "table.h"

static char cmd_letter(__u64 word)
{
	switch (word & 0xff) {
	case CMD_CFGI_CD:
		return 'C';
	case CMD_CFGI_CD_ALL:
		return 'c';
	case CMD_TLBI_NH_ALL:
	case CMD_TLBI_NSNH_ALL:
		return 'N';
	case CMD_TLBI_NH_ASID:
		return 'D';
	case CMD_TLBI_NH_VA:
		return 'V';
	case CMD_TLBI_NH_VAA:
		return 'A';
	case CMD_ATC_INV:
		return 'T';
	default:
		return '?';
	}
}

/**
 * cmds_known() - Whether it can be told what an IOMMU was given
 * @e: Environment
 * @d: A device behind it
 */
bool cmds_known(struct env *e, struct dma_dev *d)
{
	return d->kind == DEV_MOCK || e->trace.fd >= 0;
}

/**
 * cmds_mark() - Forget what was before
 * @e: Environment
 * @d: A device behind the IOMMU
 */
void cmds_mark(struct env *e, struct dma_dev *d)
{
	if (d->kind == DEV_MOCK)
		mock_log_clear(d);
	else
		trace_mark(&e->trace);
}

static struct vhost_iommu_mock_log *read_log(struct dma_dev *d)
{
	struct vhost_iommu_mock_log *log = malloc(sizeof(*log));

	if (log && mock_log(d, log)) {
		free(log);
		log = NULL;
	}
	if (log && log->count > VHOST_IOMMU_MOCK_LOG_SIZE)
		log->count = VHOST_IOMMU_MOCK_LOG_SIZE;
	return log;
}

/**
 * cmds_seq() - What an IOMMU was given since the mark, a letter each
 * @e: Environment
 * @d: A device behind it
 * @buf: Is filled as by trace_cmds(); stream table entries are in a trace only
 * @len: Its size
 *
 * Return: @buf
 */
char *cmds_seq(struct env *e, struct dma_dev *d, char *buf, size_t len)
{
	struct vhost_iommu_mock_log *log;
	size_t n = 0;
	__u64 i;

	if (d->kind != DEV_MOCK)
		return trace_cmds(&e->trace, buf, len);
	log = read_log(d);
	for (i = 0; log && i < log->count && n + 2 < len; i++) {
		buf[n++] = cmd_letter(log->entry[i].cmd[0]);
		if (i + 1 == log->count ||
		    log->entry[i + 1].sync != log->entry[i].sync)
			buf[n++] = 'S';
	}
	buf[n] = 0;
	free(log);
	return buf;
}

/* Section 4.4.1: (NUM + 1) * 2^SCALE pages of the granule, or one page */
static struct trace_range decode(const __u64 *cmd)
{
	struct trace_range r = {
		.asid = cmd_letter(cmd[0]) == 'V' ? (int)(cmd[0] >> 48) : -1,
		.addr = cmd[1] & ~(PAGE - 1),
		.tg = cmd[1] >> 10 & 3,
		.ttl = cmd[1] >> 8 & 3,
		.leaf = cmd[1] & 1,
	};

	r.len = r.tg ? ((cmd[0] >> 12 & 0x1f) + 1) << (cmd[0] >> 20 & 0x3f)
			<< (r.tg * 2 + 10) : PAGE;
	return r;
}

/**
 * cmds_ranges() - What the invalidations by address since the mark cover
 * @e: Environment
 * @d: A device behind the IOMMU
 * @r: Is filled as by trace_ranges()
 * @max: Its size
 *
 * Return: Number of ranges
 */
unsigned int cmds_ranges(struct env *e, struct dma_dev *d,
			 struct trace_range *r, unsigned int max)
{
	struct vhost_iommu_mock_log *log;
	unsigned int n = 0;
	__u64 i;
	char c;

	if (d->kind != DEV_MOCK)
		return trace_ranges(&e->trace, r, max);
	log = read_log(d);
	for (i = 0; log && i < log->count && n < max; i++) {
		c = cmd_letter(log->entry[i].cmd[0]);
		if (c == 'V' || c == 'A')
			r[n++] = decode((const __u64 *)log->entry[i].cmd);
	}
	free(log);
	return n;
}
