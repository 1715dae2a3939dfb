/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost-net behind the virtio-iommu, with a tap that frames are seen at, and the
 * guest's driver for it. Or a vhost-vsock, with no tap.
 */
#ifndef VHOST_IOMMU_TEST_VNET_H
#define VHOST_IOMMU_TEST_VNET_H

#include "vit.h"

/* Receive and send queue, as vhost-net numbers them */
#define VNET_RX		0
#define VNET_TX		1
#define VNET_NUM	64
/* What a ring takes of guest memory, and both */
#define VNET_RING	(4 * PAGE)
#define VNET_AREA	(2 * VNET_RING)
/* In front of each frame */
#define VNET_HDR	12
/* Frames are as long as this, without the header: addresses, type, and a pattern */
#define VNET_FRAME	256

/**
 * struct vnet_ring - A ring of it
 * @desc: Descriptor table
 * @avail: Available ring
 * @used: Used ring
 * @iova: Where it begins for the device
 * @added: Number of buffers that were added
 * @kick: Eventfd that tells the device
 * @call: Eventfd by which the device interrupts
 */
struct vnet_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	__u64 iova;
	__u16 added;
	int kick;
	int call;
};

/**
 * struct vnet - A vhost-net
 * @v: VMM
 * @ep: Endpoint ID
 * @fd: /dev/vhost-net
 * @tap: The tap, or -1
 * @see: Socket that sees and makes frames at the other side of the tap, or -1
 * @ifindex: The tap's
 * @ring: The rings
 */
struct vnet {
	struct vmm *v;
	__u32 ep;
	int fd;
	int tap;
	int see;
	int ifindex;
	struct vnet_ring ring[2];
};

const char *vnet_missing(void);
int vnet_file(bool iotlb, int flags);
int vnet_add(struct vmm *v, __u32 ep, int fd);
int vnet_remove(struct vmm *v, __u32 ep, int fd);
int vnet_miss(struct vmm *v, __u32 ep, int fd, __u64 iova, __u32 access);
int vnet_open(struct vnet *n, struct vmm *v, __u32 ep, __u64 gpa, __u64 iova);
int vnet_start(struct vnet *n);
int vsock_open(struct vnet *n, struct vmm *v, __u32 ep, __u64 gpa, __u64 iova,
	       __u64 cid);
int vsock_start(struct vnet *n);
void vnet_close(struct vnet *n);
void vnet_put(struct vnet *n, unsigned int ring, const __u64 *iovas,
	      unsigned int nr, __u32 len);
bool vnet_done(struct vnet *n, unsigned int ring, unsigned int timeout_ms);
void vnet_frame(void *buf, __u64 mark);
bool vnet_sees(struct vnet *n, __u64 *mark, unsigned int timeout_ms);
int vnet_receives(struct vnet *n, __u64 mark);
bool vnet_has(const void *buf, __u64 mark);

#endif /* VHOST_IOMMU_TEST_VNET_H */
