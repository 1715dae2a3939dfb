// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers that are judged: what has to arrive and what must not.
 *
 * Every transfer moves a pattern of its own, so that nothing old is taken for
 * new. A denied write leaves its target as it was; a denied read never shows
 * the pattern; and the emulated SMMU's trace, where there is one, shows that
 * it was the SMMU that denied it.
 */
#include <string.h>

#include "vit.h"

/**
 * xfer_init() - Begin transfers
 * @x: Transfers
 * @e: Environment
 * @i: Endpoint index of the device; it can be exchanged by setting @x->d
 */
void xfer_init(struct xfer *x, struct env *e, unsigned int i)
{
	*x = (struct xfer){ .e = e, .d = e->dev[i], .seed = 0x11 };
}

/**
 * all_bytes() - Whether memory is filled with one byte
 * @p: Memory
 * @val: The byte
 * @len: Bytes
 */
bool all_bytes(const void *p, __u8 val, size_t len)
{
	const __u8 *b = p;

	while (len--)
		if (LOAD(b++) != val)
			return false;
	return true;
}

/**
 * xfer_refused() - Whether the IOMMU says that it refused the last transfer
 * @x: Transfers
 *
 * What a real device's transfer was refused is in the IOMMU's trace since its
 * mark. Without a trace the answer is yes.
 */
bool xfer_refused(struct xfer *x)
{
	if (x->d->kind == DEV_MOCK)
		return x->d->status == VHOST_IOMMU_MOCK_DMA_BLOCKED ||
		       x->d->status == VHOST_IOMMU_MOCK_DMA_UNMAPPED ||
		       x->d->status == VHOST_IOMMU_MOCK_DMA_DENIED ||
		       x->d->status == VHOST_IOMMU_MOCK_DMA_BAD_CONFIG;
	/* AMD's emulated IOMMU tells nothing of a device whose entry has no table */
	if (x->host_blocks && host_iommu_is_amd())
		return true;
	if (x->e->trace.fd >= 0)
		return trace_refused(&x->e->trace);
	if (!x->skipped_trace++)
		printf("# no trace of the IOMMU: its events are not checked\n");
	return true;
}

static void prepare(struct xfer *x, __u64 src_gpa, __u64 dst_gpa, __u32 len)
{
	x->seed += 3;
	fill(ram_va(&x->e->v, src_gpa), x->seed, len);
	memset(ram_va(&x->e->v, dst_gpa), 0xee, len);
}

/**
 * xfer_copies() - Copy through the device
 * @x: Transfers
 * @src: Address that the device reads
 * @src_gpa: Guest memory that should be there
 * @dst: Address that it writes
 * @dst_gpa: Guest memory that should be there
 * @len: Bytes
 *
 * Return: Whether all of it arrived
 */
bool xfer_copies(struct xfer *x, __u64 src, __u64 src_gpa, __u64 dst,
		 __u64 dst_gpa, __u32 len)
{
	prepare(x, src_gpa, dst_gpa, len);
	return !dev_copy(x->d, src, dst, len) &&
	       filled(ram_va(&x->e->v, dst_gpa), x->seed, len);
}

/**
 * xfer_write_denied() - The device reads what it may and writes where it may
 *			 not
 * @x: Transfers
 * @src: Address that the device reads
 * @src_gpa: Guest memory that is there
 * @dst: Address that it must not reach
 * @dst_gpa: Guest memory that it would reach
 * @len: Bytes
 *
 * Return: Whether the target stays as it was and the IOMMU refused
 */
bool xfer_write_denied(struct xfer *x, __u64 src, __u64 src_gpa, __u64 dst,
		       __u64 dst_gpa, __u32 len)
{
	prepare(x, src_gpa, dst_gpa, len);
	trace_mark(&x->e->trace);
	dev_copy(x->d, src, dst, len);
	/* A write that comes late is a write, too */
	sleep_ms(x->d->kind == DEV_MOCK ? 0 : 5);
	if (!all_bytes(ram_va(&x->e->v, dst_gpa), 0xee, len)) {
		printf("# written: 0x%llx, to GPA 0x%llx\n", dst, dst_gpa);
		return false;
	}
	if (!xfer_refused(x)) {
		printf("# the IOMMU did not refuse 0x%llx\n", dst);
		return false;
	}
	return true;
}

/**
 * xfer_read_denied() - The device reads where it may not and writes where it
 *			may
 * @x: Transfers
 * @src: Address that it must not reach
 * @src_gpa: Guest memory that it would reach
 * @dst: Address that it writes
 * @dst_gpa: Guest memory that is there
 * @len: Bytes
 *
 * Return: Whether nothing was read and the IOMMU refused
 */
bool xfer_read_denied(struct xfer *x, __u64 src, __u64 src_gpa, __u64 dst,
		      __u64 dst_gpa, __u32 len)
{
	const __u8 *to = ram_va(&x->e->v, dst_gpa);
	size_t i, same = 0;

	prepare(x, src_gpa, dst_gpa, len);
	trace_mark(&x->e->trace);
	if (dev_has_buffer(x->d)) {
		/* The store must not hide what the load was told */
		dev_load(x->d, src, len);
		if (!xfer_refused(x)) {
			printf("# the IOMMU did not refuse 0x%llx\n", src);
			return false;
		}
		dev_store(x->d, dst, len);
	} else {
		dev_copy(x->d, src, dst, len);
		if (!xfer_refused(x))
			return false;
	}
	for (i = 0; i < len; i++)
		same += to[i] == (__u8)(x->seed ^ (i * 7) ^ (i >> 8));
	/* By chance, one byte in 256 is equal */
	if (same > len / 16) {
		printf("# read: 0x%llx, %zu of %u bytes\n", src, same, len);
		return false;
	}
	return true;
}
