// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-vsock behind the virtio-iommu. What the host sends to the guest's address comes in
 * its receive queue; the first packet of a connection is enough to see where it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>

#include "suite.h"
#include "vnet.h"

#define DOM		1
#define EP0		EMU(0)
#define CID		4711
#define PORT		1234
#define RINGS_GPA	(RAM_GPA + MIB(1))
#define BUF_GPA		(RAM_GPA + MIB(2))
#define RINGS_IOVA	(IOVA + MIB(1))
#define BUF_IOVA	(IOVA + MIB(2))
#define SOON		5000
#define NEVER		150

FIXTURE(vsock)
{
	struct env e;
	struct vmm *v;
	struct vnet n;
	int host[4];
	unsigned int nr_hosts;
};

KIND_VARIANTS(vsock);
KIND_NONE(vsock);

#define SELF	FIXTURE_DATA(vsock) *self

FIXTURE_SETUP(vsock)
{
	struct vmm *v = &self->e.v;

	self->v = v;
	env_init(&self->e, variant->kind);
	if (access("/dev/vhost-vsock", R_OK | W_OK))
		SKIP(return, "no /dev/vhost-vsock");
	ENV_UP(&self->e, env_up(&self->e, 1));
	ASSERT_EQ(0, vmm_add_endpoint(v, EP0, NULL, -1, NULL, 0));
	ASSERT_ST(OK, g_attach(v, DOM, EP0));
	ASSERT_ST(OK, g_map(v, DOM, RINGS_IOVA, RINGS_IOVA + VNET_AREA - 1,
			    RINGS_GPA, MAP_RW));
	ASSERT_EQ(0, vsock_open(&self->n, v, EP0, RINGS_GPA, RINGS_IOVA, CID));
	ASSERT_EQ(0, vsock_start(&self->n));
}

FIXTURE_TEARDOWN(vsock)
{
	while (self->nr_hosts)
		close(self->host[--self->nr_hosts]);
	if (self->v->fd >= 0) {
		vmm_set_running(self->v, false);
		vmm_remove_endpoint(self->v, EP0);
	}
	vnet_close(&self->n);
	env_down(&self->e);
}

static struct virtio_vsock_hdr *page(SELF, unsigned int i)
{
	return ram_va(self->v, BUF_GPA + i * PAGE);
}

/* The host asks the guest for a connection, and does not wait for the answer */
static int asks(SELF, unsigned int port)
{
	struct sockaddr_vm to = {
		.svm_family = AF_VSOCK,
		.svm_cid = CID,
		.svm_port = port,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	self->host[self->nr_hosts++] = fd;
	if (!connect(fd, (void *)&to, sizeof(to)))
		return -EISCONN;
	return errno == EINPROGRESS ? 0 : -errno;
}

static int map_page(SELF, unsigned int i, __u32 flags)
{
	memset(page(self, i), 0, PAGE);
	return g_map(self->v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1,
		     BUF_GPA + i * PAGE, flags);
}

static void post(SELF)
{
	const __u64 iova = BUF_IOVA;

	vnet_put(&self->n, VNET_RX, &iova, 1, PAGE);
}

static bool is_asked(SELF, unsigned int i, unsigned int port)
{
	const struct virtio_vsock_hdr *h = page(self, i);

	return le64toh(h->dst_cid) == CID && le32toh(h->dst_port) == port &&
	       le16toh(h->op) == VIRTIO_VSOCK_OP_REQUEST;
}

/* What it is sent comes where its buffer is mapped, when it is mapped */
TEST_F(vsock, receives)
{
	struct vmm_stats s;

	ASSERT_ST(OK, map_page(self, 0, MAP_W));
	post(self);
	ASSERT_EQ(0, asks(self, PORT));
	EXPECT_TRUE(vnet_done(&self->n, VNET_RX, SOON));
	EXPECT_TRUE(is_asked(self, 0, PORT));
	ASSERT_EQ(0, vmm_stats(self->v, &s));
	EXPECT_LT(0, s.vhost_misses);
	/* Taken away, it is not written to */
	post(self);
	ASSERT_ST(OK, g_unmap(self->v, DOM, BUF_IOVA, BUF_IOVA + PAGE - 1));
	memset(page(self, 0), 0x5a, PAGE);
	ASSERT_EQ(0, asks(self, PORT + 1));
	EXPECT_FALSE(vnet_done(&self->n, VNET_RX, NEVER));
	ASSERT_ST(OK, map_page(self, 1, MAP_W));
	EXPECT_TRUE(vnet_done(&self->n, VNET_RX, SOON));
	EXPECT_TRUE(is_asked(self, 1, PORT + 1));
	EXPECT_TRUE(all_bytes(page(self, 0), 0x5a, PAGE));
}

/* It forgets all when it is let go of, and goes on when it is back */
TEST_F(vsock, comes_and_goes)
{
	struct vmm *v = self->v;
	__u64 one = 1;

	ASSERT_ST(OK, map_page(self, 0, MAP_RW));
	post(self);
	ASSERT_EQ(0, asks(self, PORT));
	ASSERT_TRUE(vnet_done(&self->n, VNET_RX, SOON));
	ASSERT_EQ(0, vnet_remove(v, EP0, self->n.fd));
	memset(page(self, 0), 0x5a, PAGE);
	post(self);
	ASSERT_EQ(0, asks(self, PORT + 1));
	EXPECT_FALSE(vnet_done(&self->n, VNET_RX, NEVER));
	EXPECT_TRUE(all_bytes(page(self, 0), 0x5a, PAGE));
	ASSERT_EQ(0, vnet_add(v, EP0, self->n.fd));
	ASSERT_EQ(8, write(self->n.ring[VNET_RX].kick, &one, sizeof(one)));
	EXPECT_TRUE(vnet_done(&self->n, VNET_RX, SOON));
	EXPECT_TRUE(is_asked(self, 0, PORT + 1));
}

SUITE;
