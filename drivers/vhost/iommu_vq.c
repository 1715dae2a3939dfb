// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: what all queues need: chains, and the way to say that a ring is bad
 *
 * VIRTIO 1.3, section 2.7. vhost_get_vq_desc() follows a chain for as long as
 * the guest has made it: tables of 65,536 empty descriptors, as many as the ring
 * has entries. Whoever serves a ring has to come back soon, so chains are read
 * here, and one of more descriptors than VHOST_IOMMU_CHAIN_MAX is bad.
 */
#include <linux/eventfd.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/vhost_iotlb.h>

#include "iommu.h"

/* Most descriptors of a chain, those of an indirect table included */
#define VHOST_IOMMU_CHAIN_MAX		UIO_MAXIOV

/**
 * struct vhost_iommu_chain - A chain that is being read
 * @vq: The ring
 * @ram: Region of guest memory that was found last, or NULL
 * @out: Number of readable entries of the ring's iovec
 * @in: Number of writable entries, which follow
 * @out_len: Bytes of the readable entries
 * @in_len: Bytes of the writable ones
 * @found: Descriptors read so far
 */
struct vhost_iommu_chain {
	struct vhost_virtqueue *vq;
	const struct vhost_iotlb_map *ram;
	unsigned int out;
	unsigned int in;
	size_t out_len;
	size_t in_len;
	unsigned int found;
};

static noinline const struct vhost_iotlb_map *
vhost_iommu_chain_find(struct vhost_iommu_chain *chain, u64 gpa)
{
	const struct vhost_iotlb_map *ram;

	ram = vhost_iotlb_itree_first(chain->vq->umem, gpa, gpa);
	if (ram)
		chain->ram = ram;
	return ram;
}

/*
 * Find what is at the beginning of a range of guest memory; shortens @len. Most of
 * what a driver has in its rings is in one region.
 */
static __always_inline void __user *
vhost_iommu_chain_ram(struct vhost_iommu_chain *chain, u64 gpa, u64 *len,
		      u32 access)
{
	const struct vhost_iotlb_map *ram = chain->ram;

	if (!ram || gpa < ram->start || gpa > ram->last) {
		ram = vhost_iommu_chain_find(chain, gpa);
		if (!ram)
			return NULL;
	}
	if (!(ram->perm & access))
		return NULL;
	*len = min(*len - 1, ram->last - gpa) + 1;
	return u64_to_user_ptr(ram->addr + (gpa - ram->start));
}

/* By two words: a copy costs several times as much as what it copies */
static int vhost_iommu_chain_desc(const void __user *at,
				  struct vring_desc *desc)
{
	const u64 __user *from = at;
	union {
		struct vring_desc desc;
		u64 word[2];
	} both;

	static_assert(sizeof(both.desc) == sizeof(both.word));

	if (!user_read_access_begin(from, sizeof(both)))
		return -EFAULT;
	unsafe_get_user(both.word[0], from, fault);
	unsafe_get_user(both.word[1], from + 1, fault);
	user_read_access_end();
	*desc = both.desc;
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/* A descriptor of an indirect table, which may lie in two regions of memory */
static int vhost_iommu_chain_entry(struct vhost_iommu_chain *chain, u64 gpa,
				   struct vring_desc *desc)
{
	size_t done = 0;

	do {
		u64 piece = sizeof(*desc) - done;
		void __user *from;

		from = vhost_iommu_chain_ram(chain, gpa + done, &piece,
					     VHOST_MAP_RO);
		if (!from)
			return -EBADMSG;
		if (piece == sizeof(*desc))
			return vhost_iommu_chain_desc(from, desc);
		if (copy_from_user((void *)desc + done, from, piece))
			return -EFAULT;
		done += piece;
	} while (done < sizeof(*desc));
	return 0;
}

/* Add an entry to the iovec, for as much of a range as is in one region of memory */
static __always_inline int
vhost_iommu_chain_piece(struct vhost_iommu_chain *chain, u64 gpa, u64 *len,
			bool write)
{
	struct vhost_virtqueue *vq = chain->vq;
	unsigned int nr = chain->out + chain->in;
	void __user *at;

	if (nr == ARRAY_SIZE(vq->iov))
		return -EBADMSG;
	at = vhost_iommu_chain_ram(chain, gpa, len, write ? VHOST_MAP_WO :
				   VHOST_MAP_RO);
	if (!at)
		return -EBADMSG;
	vq->iov[nr].iov_base = at;
	vq->iov[nr].iov_len = *len;
	if (write)
		chain->in++;
	else
		chain->out++;
	return 0;
}

static noinline int vhost_iommu_chain_rest(struct vhost_iommu_chain *chain,
					   u64 gpa, u64 len, bool write)
{
	u64 piece;
	int rc;

	for (; len; gpa += piece, len -= piece) {
		piece = len;
		rc = vhost_iommu_chain_piece(chain, gpa, &piece, write);
		if (rc)
			return rc;
	}
	return 0;
}

/* Readable descriptors come before writable ones */
static __always_inline int
vhost_iommu_chain_add(struct vhost_iommu_chain *chain,
		      const struct vring_desc *desc)
{
	struct vhost_virtqueue *vq = chain->vq;
	bool write = desc->flags & cpu_to_vhost16(vq, VRING_DESC_F_WRITE);
	u64 gpa = vhost64_to_cpu(vq, desc->addr);
	u64 len = vhost32_to_cpu(vq, desc->len);
	u64 piece = len;
	int rc;

	if (write) {
		chain->in_len += len;
	} else {
		if (chain->in)
			return -EBADMSG;
		chain->out_len += len;
	}
	if (!len)
		return 0;
	rc = vhost_iommu_chain_piece(chain, gpa, &piece, write);
	if (rc || piece == len)
		return rc;
	return vhost_iommu_chain_rest(chain, gpa + piece, len - piece, write);
}

static int vhost_iommu_chain_indirect(struct vhost_iommu_chain *chain,
				      const struct vring_desc *table)
{
	struct vhost_virtqueue *vq = chain->vq;
	u64 gpa = vhost64_to_cpu(vq, table->addr);
	u32 len = vhost32_to_cpu(vq, table->len);
	struct vring_desc desc;
	u32 i = 0;
	int rc;

	/* An index has 16 bits */
	if (!len || len % sizeof(desc) || len / sizeof(desc) > SZ_64K)
		return -EBADMSG;
	do {
		if (i >= len / sizeof(desc) ||
		    chain->found++ == VHOST_IOMMU_CHAIN_MAX)
			return -EBADMSG;
		rc = vhost_iommu_chain_entry(chain, gpa + i * sizeof(desc),
					     &desc);
		if (rc)
			return rc;
		if (desc.flags & cpu_to_vhost16(vq, VRING_DESC_F_INDIRECT))
			return -EBADMSG;
		rc = vhost_iommu_chain_add(chain, &desc);
		if (rc)
			return rc;
		i = vhost16_to_cpu(vq, desc.next);
	} while (desc.flags & cpu_to_vhost16(vq, VRING_DESC_F_NEXT));
	return 0;
}

static int vhost_iommu_chain_follow(struct vhost_iommu_chain *chain, u32 i)
{
	struct vhost_virtqueue *vq = chain->vq;
	struct vring_desc desc;
	int rc;

	do {
		if (i >= vq->num || chain->found++ == VHOST_IOMMU_CHAIN_MAX)
			return -EBADMSG;
		rc = vhost_iommu_chain_desc(vq->desc + i, &desc);
		if (rc)
			return rc;
		if (desc.flags & cpu_to_vhost16(vq, VRING_DESC_F_INDIRECT))
			rc = vhost_iommu_chain_indirect(chain, &desc);
		else
			rc = vhost_iommu_chain_add(chain, &desc);
		if (rc)
			return rc;
		i = vhost16_to_cpu(vq, desc.next);
	} while (desc.flags & cpu_to_vhost16(vq, VRING_DESC_F_NEXT));
	return 0;
}

/* Returns 1 if there is something in the ring, 0 if not, or -EFAULT */
static int vhost_iommu_chain_avail(struct vhost_virtqueue *vq)
{
	__virtio16 idx;
	u16 avail;

	if (vq->avail_idx != vq->last_avail_idx)
		return 1;
	if (get_user(idx, &vq->avail->idx))
		return -EFAULT;
	avail = vhost16_to_cpu(vq, idx);
	if (avail == vq->last_avail_idx)
		return 0;
	if ((u16)(avail - vq->last_avail_idx) > vq->num)
		return -EFAULT;
	vq->avail_idx = avail;
	/* What the guest has put into the ring before the index is read after it */
	smp_rmb();
	return 1;
}

/**
 * vhost_iommu_chain_get - Take the next chain from a ring
 * @vq: The ring; its iovec gets what the chain is made of
 * @ram: Region of guest memory that was found last, or NULL; valid as long as the
 *       ring's mutex is held
 * @head: The chain's head, to return it by; valid if it was taken
 * @from: Its readable part, which comes first
 * @to: Its writable part
 *
 * VIRTIO 1.3, section 2.7.14. The specification forbids a driver to make chains
 * that are longer than the ring; zero-length descriptors count, too.
 *
 * Context: Under the ring's mutex. Faults guest memory in, unless page faults
 * are disabled.
 * Return: 1; 0 if the ring is empty; -EBADMSG if the chain was taken, but can't
 * be used; or -EFAULT if the ring, or with page faults disabled anything, can't
 * be read. Nothing was taken then.
 */
int vhost_iommu_chain_get(struct vhost_virtqueue *vq,
			  const struct vhost_iotlb_map **ram,
			  unsigned int *head, struct vhost_iommu_buffer *from,
			  struct vhost_iommu_buffer *to)
{
	struct vhost_iommu_chain chain = { .vq = vq, .ram = *ram };
	unsigned int slot = vq->last_avail_idx & (vq->num - 1);
	__virtio16 ring_head;
	int rc;

	lockdep_assert_held(&vq->mutex);

	rc = vhost_iommu_chain_avail(vq);
	if (rc <= 0)
		return rc;
	if (get_user(ring_head, &vq->avail->ring[slot]))
		return -EFAULT;
	*head = vhost16_to_cpu(vq, ring_head);
	if (*head >= vq->num)
		return -EFAULT;

	rc = vhost_iommu_chain_follow(&chain, *head);
	*ram = chain.ram;
	if (rc == -EFAULT && pagefault_disabled())
		return rc;
	*from = (struct vhost_iommu_buffer){
		vq->iov, chain.out, chain.out_len,
	};
	*to = (struct vhost_iommu_buffer){
		vq->iov + chain.out, chain.in, chain.in_len,
	};
	vq->last_avail_idx++;
	return rc ? -EBADMSG : 1;
}

/**
 * vhost_iommu_chain_put_back - Leave chains in a ring that were taken from it
 * @vq: The ring
 * @nr: Number of chains; none that was taken behind them has been returned
 */
void vhost_iommu_chain_put_back(struct vhost_virtqueue *vq, unsigned int nr)
{
	lockdep_assert_held(&vq->mutex);
	vq->last_avail_idx -= nr;
}

/**
 * vhost_iommu_vq_error - Tell the VMM that a ring can't be read or written
 * @viommu: The device
 * @vq: The ring
 */
void vhost_iommu_vq_error(struct vhost_iommu *viommu,
			  struct vhost_virtqueue *vq)
{
	lockdep_assert_held(&vq->mutex);

	atomic64_inc(&viommu->ring_errors);
	if (vq->error_ctx)
		eventfd_signal(vq->error_ctx);
}

static bool vhost_iommu_touch(void __user *at, size_t len)
{
	size_t step = PAGE_SIZE - offset_in_page(at), i = 0;
	u8 __user *p = at;
	u8 byte;

	/* A byte of each page, and the last one */
	for (;;) {
		if (get_user(byte, p + i) || put_user(byte, p + i))
			return false;
		if (i == len - 1)
			return true;
		i = min(i + step, len - 1);
		step = PAGE_SIZE;
	}
}

/**
 * vhost_iommu_vq_is_ready - Tell whether a ring can be written to without a wait
 * @vq: The ring
 *
 * Replies, and the wish for further kicks, have to get to the guest: nobody but
 * the device writes to this part of a ring.
 *
 * Context: Under the ring's mutex, with page faults disabled.
 * Return: true if it is served, and in memory.
 */
bool vhost_iommu_vq_is_ready(struct vhost_virtqueue *vq)
{
	lockdep_assert_held(&vq->mutex);

	return vhost_vq_get_backend(vq) &&
	       vhost_iommu_touch(vq->used, struct_size(vq->used, ring, vq->num) +
				 sizeof(__virtio16));
}

/**
 * vhost_iommu_buffer_read - Read from a buffer of the guest
 * @from: Its readable part
 * @to: Where to
 * @len: Number of bytes; the buffer has as many
 *
 * Requests and their tails are short, and mostly in one piece: for these an iov_iter
 * costs more than the copy.
 *
 * Return: 0 or -EFAULT.
 */
int vhost_iommu_buffer_read(const struct vhost_iommu_buffer *from, void *to,
			    size_t len)
{
	const struct iovec *iov;
	size_t piece;

	for (iov = from->iov; len; iov++) {
		piece = min(iov->iov_len, len);
		if (copy_from_user(to, iov->iov_base, piece))
			return -EFAULT;
		to += piece;
		len -= piece;
	}
	return 0;
}

/**
 * vhost_iommu_buffer_write - Write to a buffer of the guest
 * @to: Its writable part
 * @from: Where from
 * @len: Number of bytes; the buffer has room for as many
 *
 * Return: 0 or -EFAULT.
 */
int vhost_iommu_buffer_write(const struct vhost_iommu_buffer *to,
			     const void *from, size_t len)
{
	const struct iovec *iov;
	size_t piece;

	for (iov = to->iov; len; iov++) {
		piece = min(iov->iov_len, len);
		if (copy_to_user(iov->iov_base, from, piece))
			return -EFAULT;
		from += piece;
		len -= piece;
	}
	return 0;
}
