// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's and the guest's part of a vhost-net whose addresses the kernel translates.
 *
 * What it sends comes in at the host's end of a tap, where a packet socket sees it; what
 * that socket sends is received. Frames have a type that nobody else uses.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_tun.h>

#include "vnet.h"

#define TYPE		0x88b5
#define F_PLATFORM	33

/**
 * vnet_missing() - Tell what is missing for a vhost-net
 *
 * Return: What it is, or NULL
 */
const char *vnet_missing(void)
{
	if (access("/dev/vhost-net", R_OK | W_OK))
		return "/dev/vhost-net";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "/dev/net/tun";
	return NULL;
}

static int vhost_file(const char *name, bool iotlb, int flags)
{
	__u64 features = FEATURE(VIRTIO_F_VERSION_1) |
			 (iotlb ? FEATURE(F_PLATFORM) : 0);
	/* What is not translated is nowhere */
	struct vhost_memory mem = { .nregions = 0 };
	int fd = open(name, O_RDWR | O_CLOEXEC | flags), rc;

	if (fd < 0)
		return -errno;
	rc = xioctl(fd, VHOST_SET_OWNER, NULL);
	if (!rc)
		rc = xioctl(fd, VHOST_SET_FEATURES, &features);
	if (!rc)
		rc = xioctl(fd, VHOST_SET_MEM_TABLE, &mem);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

/**
 * vnet_file() - Open a vhost-net
 * @iotlb: It has its addresses translated
 * @flags: O_NONBLOCK, or 0
 *
 * Return: The file descriptor or a negative errno
 */
int vnet_file(bool iotlb, int flags)
{
	return vhost_file("/dev/vhost-net", iotlb, flags);
}

static int file_call(struct vmm *v, unsigned long cmd, __u32 ep, int fd)
{
	struct vhost_iommu_vhost_file a = {
		.size = sizeof(a),
		.endpoint = ep,
		.fd = fd,
	};

	return xioctl(v->fd, cmd, &a);
}

/**
 * vnet_add() - Have the kernel translate for a vhost-net
 * @v: VMM
 * @ep: Endpoint ID
 * @fd: Its file
 */
int vnet_add(struct vmm *v, __u32 ep, int fd)
{
	return file_call(v, VHOST_IOMMU_ADD_VHOST, ep, fd);
}

/**
 * vnet_remove() - Have it translate no more
 * @v: VMM
 * @ep: Endpoint ID
 * @fd: Its file
 */
int vnet_remove(struct vmm *v, __u32 ep, int fd)
{
	return file_call(v, VHOST_IOMMU_REMOVE_VHOST, ep, fd);
}

/**
 * vnet_miss() - Have a vhost-net told of an address
 * @v: VMM
 * @ep: Endpoint ID
 * @fd: Its file
 * @iova: The address
 * @access: VHOST_IOMMU_ACCESS_*
 */
int vnet_miss(struct vmm *v, __u32 ep, int fd, __u64 iova, __u32 access)
{
	struct vhost_iommu_vhost_miss a = {
		.size = sizeof(a),
		.flags = access,
		.endpoint = ep,
		.fd = fd,
		.iova = iova,
	};

	return xioctl(v->fd, VHOST_IOMMU_VHOST_MISS, &a);
}

static int open_tap(struct vnet *n)
{
	struct ifreq ifr = {
		.ifr_name = "vit%d",
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	};
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(TYPE),
	};
	int hdr = VNET_HDR, rc;

	n->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	n->see = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (n->tap < 0 || n->see < 0)
		return -errno;
	rc = xioctl(n->tap, TUNSETIFF, &ifr);
	if (!rc)
		rc = xioctl(n->tap, TUNSETVNETHDRSZ, &hdr);
	ifr.ifr_flags = IFF_UP;
	if (!rc)
		rc = xioctl(n->see, SIOCSIFFLAGS, &ifr);
	if (!rc)
		rc = xioctl(n->see, SIOCGIFINDEX, &ifr);
	if (rc)
		return rc;
	n->ifindex = ifr.ifr_ifindex;
	addr.sll_ifindex = ifr.ifr_ifindex;
	return bind(n->see, (void *)&addr, sizeof(addr)) ? -errno : 0;
}

static int set_ring(struct vnet *n, unsigned int i)
{
	struct vnet_ring *r = &n->ring[i];
	struct vhost_vring_state num = { .index = i, .num = VNET_NUM };
	struct vhost_vring_state base = { .index = i };
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = r->iova,
		.avail_user_addr = r->iova + PAGE,
		.used_user_addr = r->iova + 2 * PAGE,
	};
	struct vhost_vring_file kick = { .index = i, .fd = r->kick };
	struct vhost_vring_file call = { .index = i, .fd = r->call };
	int rc;

	rc = xioctl(n->fd, VHOST_SET_VRING_NUM, &num);
	if (!rc)
		rc = xioctl(n->fd, VHOST_SET_VRING_BASE, &base);
	if (!rc)
		rc = xioctl(n->fd, VHOST_SET_VRING_ADDR, &addr);
	if (!rc)
		rc = xioctl(n->fd, VHOST_SET_VRING_KICK, &kick);
	if (!rc)
		rc = xioctl(n->fd, VHOST_SET_VRING_CALL, &call);
	return rc;
}

static void make_rings(struct vnet *n, struct vmm *v, __u32 ep, __u64 gpa,
		       __u64 iova)
{
	unsigned int i;

	memset(n, 0, sizeof(*n));
	n->v = v;
	n->ep = ep;
	n->tap = -1;
	n->see = -1;
	for (i = 0; i < 2; i++) {
		char *va = ram_va(v, gpa + i * VNET_RING);

		memset(va, 0, VNET_RING);
		n->ring[i].desc = (void *)va;
		n->ring[i].avail = (void *)(va + PAGE);
		n->ring[i].used = (void *)(va + 2 * PAGE);
		n->ring[i].iova = iova + i * VNET_RING;
		n->ring[i].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		n->ring[i].call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

/**
 * vnet_open() - Make a vhost-net with rings
 * @n: Is filled; vnet_close() whatever is returned
 * @v: VMM
 * @ep: Endpoint ID
 * @gpa: VNET_AREA bytes of guest memory for the rings
 * @iova: Where they are for the device
 */
int vnet_open(struct vnet *n, struct vmm *v, __u32 ep, __u64 gpa, __u64 iova)
{
	unsigned int i;
	int rc;

	make_rings(n, v, ep, gpa, iova);
	n->fd = vnet_file(true, O_NONBLOCK);
	if (n->fd < 0)
		return n->fd;
	rc = open_tap(n);
	for (i = 0; i < 2 && !rc; i++)
		rc = set_ring(n, i);
	return rc;
}

/* The device touches its used rings when it is started */
static int add_rings(struct vnet *n)
{
	int rc = vnet_add(n->v, n->ep, n->fd);
	unsigned int i;

	for (i = 0; i < 2 && !rc; i++)
		rc = vnet_miss(n->v, n->ep, n->fd, n->ring[i].iova + 2 * PAGE,
			       VHOST_IOMMU_ACCESS_READ |
			       VHOST_IOMMU_ACCESS_WRITE);
	return rc;
}

/**
 * vnet_start() - Have it translated for, and start it
 * @n: vhost-net, whose rings are mapped
 */
int vnet_start(struct vnet *n)
{
	int rc = add_rings(n);
	unsigned int i;

	for (i = 0; i < 2 && !rc; i++) {
		struct vhost_vring_file tap = { .index = i, .fd = n->tap };

		rc = xioctl(n->fd, VHOST_NET_SET_BACKEND, &tap);
	}
	return rc;
}

/**
 * vsock_open() - Make a vhost-vsock with rings
 * @n: Is filled; vnet_close() whatever is returned
 * @v: VMM
 * @ep: Endpoint ID
 * @gpa: VNET_AREA bytes of guest memory for the rings
 * @iova: Where they are for the device
 * @cid: The guest's address
 */
int vsock_open(struct vnet *n, struct vmm *v, __u32 ep, __u64 gpa, __u64 iova,
	       __u64 cid)
{
	unsigned int i;
	int rc;

	make_rings(n, v, ep, gpa, iova);
	n->fd = vhost_file("/dev/vhost-vsock", true, O_NONBLOCK);
	if (n->fd < 0)
		return n->fd;
	rc = xioctl(n->fd, VHOST_VSOCK_SET_GUEST_CID, &cid);
	for (i = 0; i < 2 && !rc; i++)
		rc = set_ring(n, i);
	return rc;
}

/**
 * vsock_start() - Have it translated for, and start it
 * @n: vhost-vsock, whose rings are mapped
 */
int vsock_start(struct vnet *n)
{
	int rc = add_rings(n), on = 1;

	return rc ? rc : xioctl(n->fd, VHOST_VSOCK_SET_RUNNING, &on);
}

/**
 * vnet_close() - Close it, whoever translates for it
 * @n: vhost-net, opened or all zeroes
 */
void vnet_close(struct vnet *n)
{
	unsigned int i;

	if (!n->v)
		return;
	for (i = 0; i < 2; i++) {
		close(n->ring[i].kick);
		close(n->ring[i].call);
	}
	if (n->fd >= 0)
		close(n->fd);
	if (n->tap >= 0)
		close(n->tap);
	if (n->see >= 0)
		close(n->see);
	n->v = NULL;
}

/**
 * vnet_put() - Give it a buffer
 * @n: vhost-net
 * @ring: VNET_RX or VNET_TX
 * @iovas: Where the parts of the buffer are
 * @nr: Number of them, less than VNET_NUM
 * @len: Length of each in bytes
 */
void vnet_put(struct vnet *n, unsigned int ring, const __u64 *iovas,
	      unsigned int nr, __u32 len)
{
	struct vnet_ring *r = &n->ring[ring];
	unsigned int i;
	__u64 one = 1;

	for (i = 0; i < nr; i++) {
		r->desc[i].addr = htole64(iovas[i]);
		r->desc[i].len = htole32(len);
		r->desc[i].flags = htole16((ring == VNET_RX ?
					    VRING_DESC_F_WRITE : 0) |
					   (i < nr - 1 ? VRING_DESC_F_NEXT : 0));
		r->desc[i].next = htole16(i + 1);
	}
	r->avail->ring[r->added++ % VNET_NUM] = 0;
	STORE(&r->avail->idx, htole16(r->added));
	if (write(r->kick, &one, sizeof(one)) < 0)
		perror("kick");
}

/**
 * vnet_done() - Wait until it has done with all buffers
 * @n: vhost-net
 * @ring: VNET_RX or VNET_TX
 * @timeout_ms: How long
 *
 * Return: false if it has not
 */
bool vnet_done(struct vnet *n, unsigned int ring, unsigned int timeout_ms)
{
	struct vnet_ring *r = &n->ring[ring];
	__u64 end = now_ns() + timeout_ms * 1000000ULL;

	while (le16toh(LOAD(&r->used->idx)) != r->added) {
		if (now_ns() > end)
			return false;
		eventfd_wait(r->call, 1);
		eventfd_take(r->call);
	}
	return true;
}

/**
 * vnet_frame() - Make a frame
 * @buf: Place for it, VNET_HDR + VNET_FRAME bytes
 * @mark: What tells it from others
 */
void vnet_frame(void *buf, __u64 mark)
{
	struct ethhdr *eth = buf + VNET_HDR;

	memset(buf, 0, VNET_HDR + VNET_FRAME);
	memset(eth->h_dest, 0xff, ETH_ALEN);
	memset(eth->h_source, 0x02, ETH_ALEN);
	eth->h_proto = htobe16(TYPE);
	memcpy(eth + 1, &mark, sizeof(mark));
}

/**
 * vnet_has() - Tell whether a frame is in a buffer
 * @buf: The buffer
 * @mark: See vnet_frame()
 */
bool vnet_has(const void *buf, __u64 mark)
{
	return !memcmp(buf + VNET_HDR + ETH_HLEN, &mark, sizeof(mark));
}

/**
 * vnet_sees() - Wait for a frame that was sent
 * @n: vhost-net
 * @mark: Is set to what tells it from others
 * @timeout_ms: How long
 *
 * Return: false if there was none
 */
bool vnet_sees(struct vnet *n, __u64 *mark, unsigned int timeout_ms)
{
	struct pollfd p = { .fd = n->see, .events = POLLIN };
	char buf[VNET_FRAME + 64];
	struct sockaddr_ll from;
	socklen_t len;
	ssize_t got;

	for (;;) {
		if (poll(&p, 1, timeout_ms) <= 0)
			return false;
		len = sizeof(from);
		got = recvfrom(n->see, buf, sizeof(buf), 0, (void *)&from, &len);
		if (got < (ssize_t)(ETH_HLEN + sizeof(*mark)))
			return false;
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		memcpy(mark, buf + ETH_HLEN, sizeof(*mark));
		return true;
	}
}

/**
 * vnet_receives() - Let a frame come
 * @n: vhost-net
 * @mark: What tells it from others
 */
int vnet_receives(struct vnet *n, __u64 mark)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(TYPE),
		.sll_ifindex = n->ifindex,
		.sll_halen = ETH_ALEN,
	};
	char buf[VNET_HDR + VNET_FRAME];

	vnet_frame(buf, mark);
	return sendto(n->see, buf + VNET_HDR, VNET_FRAME, 0, (void *)&to,
		      sizeof(to)) < 0 ? -errno : 0;
}
