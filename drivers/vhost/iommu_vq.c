// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: what both queues need: chains, and the way to say that a ring is bad
 *
 * VIRTIO 1.3, section 2.7. vhost_get_vq_desc() follows a chain for as long as
 * the guest has made it: tables of 65,536 empty descriptors, as many as the ring
 * has entries. Whoever serves a ring has to come back soon, so chains are read
 * here, and one of more descriptors than VHOST_IOMMU_CHAIN_MAX is bad.
 */
#include <linux/eventfd.h>
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
 * @found: Descriptors read so far
 */
struct vhost_iommu_chain {
	struct vhost_virtqueue *vq;
	const struct vhost_iotlb_map *ram;
	unsigned int out;
	unsigned int in;
	unsigned int found;
};

/* Find what is at the beginning of a range of guest memory; shortens @len */
static void __user *vhost_iommu_chain_ram(struct vhost_iommu_chain *chain,
					  u64 gpa, u64 *len, u32 access)
{
	const struct vhost_iotlb_map *ram = chain->ram;

	if (!ram || gpa < ram->start || gpa > ram->last) {
		ram = vhost_iotlb_itree_first(chain->vq->umem, gpa, gpa);
		if (!ram)
			return NULL;
		chain->ram = ram;
	}
	if (!(ram->perm & access))
		return NULL;
	*len = min(*len - 1, ram->last - gpa) + 1;
	return u64_to_user_ptr(ram->addr + (gpa - ram->start));
}

static int vhost_iommu_chain_copy(struct vhost_iommu_chain *chain, void *to,
				  u64 gpa, u64 len)
{
	while (len) {
		u64 piece = len;
		void __user *from;

		from = vhost_iommu_chain_ram(chain, gpa, &piece, VHOST_MAP_RO);
		if (!from)
			return -EBADMSG;
		if (copy_from_user(to, from, piece))
			return -EFAULT;
		to += piece;
		gpa += piece;
		len -= piece;
	}
	return 0;
}

/* Readable descriptors come before writable ones */
static int vhost_iommu_chain_add(struct vhost_iommu_chain *chain,
				 const struct vring_desc *desc)
{
	struct vhost_virtqueue *vq = chain->vq;
	bool write = desc->flags & cpu_to_vhost16(vq, VRING_DESC_F_WRITE);
	u64 gpa = vhost64_to_cpu(vq, desc->addr);
	u64 len = vhost32_to_cpu(vq, desc->len);

	if (!write && chain->in)
		return -EBADMSG;
	while (len) {
		unsigned int nr = chain->out + chain->in;
		u64 piece = len;
		void __user *at;

		if (nr == ARRAY_SIZE(vq->iov))
			return -EBADMSG;
		at = vhost_iommu_chain_ram(chain, gpa, &piece, write ?
					   VHOST_MAP_WO : VHOST_MAP_RO);
		if (!at)
			return -EBADMSG;
		vq->iov[nr].iov_base = at;
		vq->iov[nr].iov_len = piece;
		if (write)
			chain->in++;
		else
			chain->out++;
		gpa += piece;
		len -= piece;
	}
	return 0;
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
		rc = vhost_iommu_chain_copy(chain, &desc,
					    gpa + i * sizeof(desc),
					    sizeof(desc));
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
		if (copy_from_user(&desc, vq->desc + i, sizeof(desc)))
			return -EFAULT;
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
 * @head: The chain's head, to return it by; valid if it was taken
 * @out: Number of readable entries of the iovec, which come first
 * @in: Number of writable entries
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
int vhost_iommu_chain_get(struct vhost_virtqueue *vq, unsigned int *head,
			  unsigned int *out, unsigned int *in)
{
	struct vhost_iommu_chain chain = { .vq = vq };
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
	if (rc == -EFAULT && pagefault_disabled())
		return rc;
	*out = chain.out;
	*in = chain.in;
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
