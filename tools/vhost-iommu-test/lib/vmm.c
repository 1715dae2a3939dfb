// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM: iommufd with the RAM IOAS, guest RAM, and the set-up of
 * /dev/vhost-iommu.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/memfd.h>

#include "table.h"

/* Request buffers are between the first two rings and the others */
#define BUF_START	(VHOST_IOMMU_VQ_MAX * RING_SPAN)
#define BUF_SIZE	(RING_AREA - VMM_MAX_RINGS * RING_SPAN)

#define RING_AVAIL	KIB(64)
#define RING_USED	KIB(128)

/**
 * vmm_init() - Default values: everything is offered and accepted
 * @v: VMM
 */
void vmm_init(struct vmm *v)
{
	unsigned int i;

	memset(v, 0, sizeof(*v));
	v->fd = -1;
	v->iommufd = -1;
	v->nest.event_fd = -1;
	v->far.event_fd = -1;
	v->depth = 64;
	v->buf_start = BUF_START;
	v->buf_size = BUF_SIZE;
	/* No vDEVICE has its endpoint's ID; two IOMMUs can have the same */
	v->nest.next_id = 0x51;
	v->far.next_id = 0x51;
	v->nest.handle = VMM_HANDLE(1);
	v->far.handle = VMM_HANDLE(2);
	for (i = 0; i < VMM_MAX_RINGS; i++) {
		v->vq[i].kick = -1;
		v->vq[i].call = -1;
		v->vq[i].err = -1;
	}
	v->features = FEATURE(VIRTIO_F_VERSION_1) | IOMMU_FEATURES |
		      FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	v->config = (struct vhost_iommu_set_config){
		.size = sizeof(v->config),
		.page_size_mask = ~(PAGE - 1),
		.input_start = 0,
		.input_end = (1ULL << 39) - 1,
		.domain_start = 0,
		.domain_end = 0xffff,
		.probe_size = 256,
		.num_queues = 1,
	};
}

/**
 * vmm_propose_tables() - Offer table mode to the guest, which accepts it
 * @v: VMM, before vmm_set_config()
 */
void vmm_propose_tables(struct vmm *v)
{
	v->config.proposals |= FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE);
	v->features |= FEATURE(VIRTIO_IOMMU_F_ATTACH_TABLE);
}

/**
 * vmm_propose_queues() - Offer several request queues to the guest, which accepts it
 * @v: VMM, before vmm_set_config()
 * @n: Number of request queues
 */
void vmm_propose_queues(struct vmm *v, unsigned int n)
{
	v->config.num_queues = n;
	v->config.proposals |= FEATURE(VIRTIO_IOMMU_F_MQ);
	v->features |= FEATURE(VIRTIO_IOMMU_F_MQ);
}

/**
 * vmm_view() - What one of several processors of the guest sees
 * @view: Is filled. Its requests go to that queue, from buffers of its own.
 * @v: VMM, whose rings are set up, and that nobody makes requests on meanwhile
 * @n: Number of the request queue
 */
void vmm_view(struct vmm *view, const struct vmm *v, unsigned int n)
{
	*view = *v;
	view->ring = VHOST_IOMMU_VQ_REQUEST_NR(n);
	view->buf_size = BUF_SIZE / VMM_MAX_QUEUES;
	view->buf_start = BUF_START + n * view->buf_size;
	view->buf_next = 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/**
 * vmm_close() - Close and unmap what is open
 * @v: VMM
 */
void vmm_close(struct vmm *v)
{
	unsigned int i;

	close_fd(&v->fd);
	close_fd(&v->nest.event_fd);
	close_fd(&v->far.event_fd);
	close_fd(&v->iommufd);
	for (i = 0; i < VMM_MAX_RINGS; i++) {
		close_fd(&v->vq[i].kick);
		close_fd(&v->vq[i].call);
		close_fd(&v->vq[i].err);
	}
	for (i = 0; i < v->nr_ram; i++) {
		munmap(v->ram[i].va, v->ram[i].size);
		close_fd(&v->ram[i].memfd);
	}
	v->nr_ram = 0;
	if (v->scratch)
		munmap(v->scratch, v->scratch_len);
	v->scratch = NULL;
}

/**
 * vmm_open() - Open /dev/vhost-iommu
 * @v: VMM
 */
int vmm_open(struct vmm *v)
{
	v->fd = open("/dev/vhost-iommu", O_RDWR | O_CLOEXEC);
	return v->fd < 0 ? -errno : 0;
}

/**
 * vmm_ioas_alloc() - Make an IOAS
 * @v: VMM
 * @id: Its ID
 */
int vmm_ioas_alloc(struct vmm *v, __u32 *id)
{
	struct iommu_ioas_alloc a = { .size = sizeof(a) };
	int rc = xioctl(v->iommufd, IOMMU_IOAS_ALLOC, &a);

	*id = a.out_ioas_id;
	return rc;
}

/**
 * vmm_open_iommufd() - Open /dev/iommu and make the RAM IOAS
 * @v: VMM
 */
int vmm_open_iommufd(struct vmm *v)
{
	v->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (v->iommufd < 0)
		return -errno;
	return vmm_ioas_alloc(v, &v->ram_ioas);
}

/**
 * vmm_ioas_map() - Map memory of this process
 * @v: VMM
 * @ioas: IOAS
 * @va: Memory
 * @iova: Where
 * @len: Bytes
 */
int vmm_ioas_map(struct vmm *v, __u32 ioas, const void *va, __u64 iova,
		 __u64 len)
{
	struct iommu_ioas_map m = {
		.size = sizeof(m),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (__u64)(uintptr_t)va,
		.length = len,
		.iova = iova,
	};

	return xioctl(v->iommufd, IOMMU_IOAS_MAP, &m);
}

/**
 * vmm_ioas_unmap() - Unmap a range
 * @v: VMM
 * @ioas: IOAS
 * @iova: Where
 * @len: Bytes
 */
int vmm_ioas_unmap(struct vmm *v, __u32 ioas, __u64 iova, __u64 len)
{
	struct iommu_ioas_unmap u = {
		.size = sizeof(u),
		.ioas_id = ioas,
		.iova = iova,
		.length = len,
	};

	return xioctl(v->iommufd, IOMMU_IOAS_UNMAP, &u);
}

/**
 * vmm_ioas_copy() - What a MAP request does, from user space
 * @v: VMM
 * @dst: Destination IOAS
 * @src: Source IOAS
 * @dst_iova: Where
 * @src_iova: From where
 * @len: Bytes
 * @flags: IOMMU_IOAS_MAP_READABLE and _WRITEABLE
 */
int vmm_ioas_copy(struct vmm *v, __u32 dst, __u32 src, __u64 dst_iova,
		  __u64 src_iova, __u64 len, __u32 flags)
{
	struct iommu_ioas_copy c = {
		.size = sizeof(c),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | flags,
		.dst_ioas_id = dst,
		.src_ioas_id = src,
		.length = len,
		.dst_iova = dst_iova,
		.src_iova = src_iova,
	};

	return xioctl(v->iommufd, IOMMU_IOAS_COPY, &c);
}

/**
 * vmm_hwpt_alloc() - Make an HWPT of an IOAS
 * @v: VMM
 * @dev_id: A device that it fits
 * @ioas: The IOAS
 * @id: The HWPT's ID
 */
int vmm_hwpt_alloc(struct vmm *v, __u32 dev_id, __u32 ioas, __u32 *id)
{
	struct iommu_hwpt_alloc a = {
		.size = sizeof(a),
		.dev_id = dev_id,
		.pt_id = ioas,
	};
	int rc = xioctl(v->iommufd, IOMMU_HWPT_ALLOC, &a);

	*id = rc ? 0 : a.out_hwpt_id;
	return rc;
}

/**
 * vmm_destroy() - Destroy an iommufd object
 * @v: VMM
 * @id: Object
 */
int vmm_destroy(struct vmm *v, __u32 id)
{
	struct iommu_destroy d = { .size = sizeof(d), .id = id };

	return xioctl(v->iommufd, IOMMU_DESTROY, &d);
}

/**
 * vmm_add_ram() - Add guest RAM, and map it in the RAM IOAS if there is one
 * @v: VMM
 * @gpa: Guest-physical address
 * @size: Bytes
 *
 * The memory comes in huge pages if the system has reserved some, so that an
 * IOMMU can use large pages; unless @v->small_pages is set.
 */
int vmm_add_ram(struct vmm *v, __u64 gpa, __u64 size)
{
	struct ram *r = &v->ram[v->nr_ram];
	unsigned int flags = MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB;
	void *va = MAP_FAILED;
	int fd;

	if (v->nr_ram == VMM_MAX_RAM)
		return -ENOSPC;
	fd = v->small_pages ? -1 : memfd_create("guest-ram", flags);
	if (fd >= 0 && !(size % MIB(2)) && !ftruncate(fd, size))
		va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  0);
	if (va == MAP_FAILED) {
		close_fd(&fd);
		fd = memfd_create("guest-ram", MFD_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (ftruncate(fd, size)) {
			close_fd(&fd);
			return -ENOMEM;
		}
		va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  0);
	}
	if (va == MAP_FAILED) {
		close_fd(&fd);
		return -ENOMEM;
	}
	*r = (struct ram){ .gpa = gpa, .size = size, .va = va, .memfd = fd };
	v->nr_ram++;
	if (v->iommufd < 0)
		return 0;
	return vmm_ioas_map(v, v->ram_ioas, va, gpa, size);
}

/**
 * ram_va() - Where guest memory is here
 * @v: VMM
 * @gpa: Guest-physical address
 */
void *ram_va(struct vmm *v, __u64 gpa)
{
	unsigned int i;

	for (i = 0; i < v->nr_ram; i++)
		if (gpa - v->ram[i].gpa < v->ram[i].size)
			return (char *)v->ram[i].va + (gpa - v->ram[i].gpa);
	return NULL;
}

/**
 * vmm_set_owner() - VHOST_SET_OWNER
 * @v: VMM
 */
int vmm_set_owner(struct vmm *v)
{
	return xioctl(v->fd, VHOST_SET_OWNER, NULL);
}

/**
 * vmm_set_mem_table() - VHOST_SET_MEM_TABLE with all of the RAM
 * @v: VMM
 */
int vmm_set_mem_table(struct vmm *v)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[VMM_MAX_RAM];
	} t = { .m.nregions = v->nr_ram };
	unsigned int i;

	for (i = 0; i < v->nr_ram; i++)
		t.r[i] = (struct vhost_memory_region){
			.guest_phys_addr = v->ram[i].gpa,
			.memory_size = v->ram[i].size,
			.userspace_addr = (__u64)(uintptr_t)v->ram[i].va,
		};
	return xioctl(v->fd, VHOST_SET_MEM_TABLE, &t);
}

/**
 * vmm_set_features() - VHOST_SET_FEATURES
 * @v: VMM
 */
int vmm_set_features(struct vmm *v)
{
	unsigned int i;

	for (i = 0; i < VMM_MAX_RINGS; i++)
		v->vq[i].event_idx =
			v->features & FEATURE(VIRTIO_RING_F_EVENT_IDX);
	return xioctl(v->fd, VHOST_SET_FEATURES, &v->features);
}

/**
 * vmm_set_config() - VHOST_IOMMU_SET_CONFIG
 * @v: VMM
 */
int vmm_set_config(struct vmm *v)
{
	return xioctl(v->fd, VHOST_IOMMU_SET_CONFIG, &v->config);
}

/**
 * vmm_set_vring() - Lay out one ring in guest RAM and hand it over
 * @v: VMM
 * @i: Ring
 * @num: Entries
 */
int vmm_set_vring(struct vmm *v, unsigned int i, unsigned int num)
{
	struct ram *r = &v->ram[0];
	__u64 at = i < VHOST_IOMMU_VQ_MAX ? i * RING_SPAN :
		   RING_AREA - (VMM_MAX_RINGS - i) * RING_SPAN;
	char *base = (char *)r->va + r->size - RING_AREA + at;
	struct vhost_vring_state s = { .index = i, .num = num };
	struct vhost_vring_addr a = { .index = i };
	struct vq *q = &v->vq[i];
	struct vhost_vring_file f = { .index = i };
	int rc;

	q->num = num;
	q->desc = (void *)base;
	q->avail = (void *)(base + RING_AVAIL);
	q->used = (void *)(base + RING_USED);
	vq_reset(q);
	a.desc_user_addr = (__u64)(uintptr_t)q->desc;
	a.avail_user_addr = (__u64)(uintptr_t)q->avail;
	a.used_user_addr = (__u64)(uintptr_t)q->used;

	rc = xioctl(v->fd, VHOST_SET_VRING_NUM, &s);
	if (rc)
		return rc;
	s.num = 0;
	rc = xioctl(v->fd, VHOST_SET_VRING_BASE, &s);
	if (rc)
		return rc;
	rc = xioctl(v->fd, VHOST_SET_VRING_ADDR, &a);
	if (rc)
		return rc;
	if (q->kick < 0)
		q->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f.fd = q->kick;
	rc = xioctl(v->fd, VHOST_SET_VRING_KICK, &f);
	if (rc)
		return rc;
	if (q->call < 0)
		q->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f.fd = q->call;
	rc = xioctl(v->fd, VHOST_SET_VRING_CALL, &f);
	if (rc)
		return rc;
	if (q->err < 0)
		q->err = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f.fd = q->err;
	return xioctl(v->fd, VHOST_SET_VRING_ERR, &f);
}

/**
 * vmm_set_rings() - Hand over all rings
 * @v: VMM
 * @num: Entries of each
 */
int vmm_set_rings(struct vmm *v, unsigned int num)
{
	int rc = vmm_set_vring(v, VHOST_IOMMU_VQ_EVENT, num);
	unsigned int i;

	for (i = 0; !rc && i < v->config.num_queues && i < VMM_MAX_QUEUES; i++)
		rc = vmm_set_vring(v, VHOST_IOMMU_VQ_REQUEST_NR(i), num);
	return rc;
}

/**
 * vmm_set_iommufd() - VHOST_IOMMU_SET_IOMMUFD with a scratch area that the
 *		       module's information asks for
 * @v: VMM
 */
int vmm_set_iommufd(struct vmm *v)
{
	struct vhost_iommu_info info = { .size = sizeof(info) };
	struct vhost_iommu_set_iommufd a = { .size = sizeof(a) };
	int rc;

	rc = xioctl(v->fd, VHOST_IOMMU_GET_INFO, &info);
	if (rc)
		return rc;
	if (!v->scratch) {
		v->scratch_len = info.out_scratch_size;
		/*
		 * User-mode Linux oopses if it is the kernel that touches it first,
		 * and there is no memory for its page table
		 */
		v->scratch = mmap(NULL, v->scratch_len,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				  -1, 0);
		if (v->scratch == MAP_FAILED) {
			v->scratch = NULL;
			return -ENOMEM;
		}
	}
	a.iommufd = v->iommufd;
	a.ram_ioas_id = v->ram_ioas;
	a.scratch_addr = (__u64)(uintptr_t)v->scratch;
	a.scratch_len = v->scratch_len;
	return xioctl(v->fd, VHOST_IOMMU_SET_IOMMUFD, &a);
}

/**
 * vmm_set_running() - VHOST_IOMMU_SET_RUNNING
 * @v: VMM
 * @run: Start or stop
 */
int vmm_set_running(struct vmm *v, bool run)
{
	struct vhost_iommu_set_running a = {
		.size = sizeof(a), .running = run,
	};

	return xioctl(v->fd, VHOST_IOMMU_SET_RUNNING, &a);
}

/**
 * vmm_reset() - VHOST_IOMMU_RESET, to its end
 * @v: VMM, stopped
 */
int vmm_reset(struct vmm *v)
{
	struct vhost_iommu_reset a = { .size = sizeof(a) };
	int rc;

	do
		rc = xioctl(v->fd, VHOST_IOMMU_RESET, &a);
	while (rc == -EINTR);
	return rc;
}

/**
 * vmm_set_bypass() - VHOST_IOMMU_SET_BYPASS
 * @v: VMM
 * @on: 1 or 0
 */
int vmm_set_bypass(struct vmm *v, bool on)
{
	struct vhost_iommu_set_bypass a = { .size = sizeof(a), .bypass = on };

	return xioctl(v->fd, VHOST_IOMMU_SET_BYPASS, &a);
}

/**
 * vmm_set_doorbell() - VHOST_IOMMU_SET_DOORBELL
 * @v: VMM
 * @start: First address
 * @last: Last address
 * @flags: VHOST_IOMMU_DOORBELL_REMOVE or 0
 */
int vmm_set_doorbell(struct vmm *v, __u64 start, __u64 last, __u32 flags)
{
	struct vhost_iommu_set_doorbell a = {
		.size = sizeof(a), .flags = flags, .start = start, .last = last,
	};

	return xioctl(v->fd, VHOST_IOMMU_SET_DOORBELL, &a);
}

/**
 * vmm_set_limits() - VHOST_IOMMU_SET_LIMITS
 * @v: VMM
 * @domains: max_domains
 * @mappings: max_mappings
 * @tables: max_table_pages
 */
int vmm_set_limits(struct vmm *v, __u32 domains, __u64 mappings, __u64 tables)
{
	struct vhost_iommu_set_limits a = {
		.size = sizeof(a), .max_domains = domains,
		.max_mappings = mappings, .max_table_pages = tables,
	};

	return xioctl(v->fd, VHOST_IOMMU_SET_LIMITS, &a);
}

/**
 * vmm_set_domain_limits() - VHOST_IOMMU_SET_LIMITS of one domain
 * @v: VMM
 * @mappings: max_domain_mappings
 * @tables: max_domain_table_pages
 */
int vmm_set_domain_limits(struct vmm *v, __u64 mappings, __u64 tables)
{
	struct vhost_iommu_set_limits a = {
		.size = sizeof(a), .max_domain_mappings = mappings,
		.max_domain_table_pages = tables,
	};

	return xioctl(v->fd, VHOST_IOMMU_SET_LIMITS, &a);
}

/**
 * vmm_remove_ram() - VHOST_IOMMU_REMOVE_RAM, to its end
 * @v: VMM
 * @start: First address
 * @last: Last address
 * @mappings: Number of mappings that were removed or cut, may be NULL
 */
int vmm_remove_ram(struct vmm *v, __u64 start, __u64 last, __u64 *mappings)
{
	struct vhost_iommu_remove_ram a = {
		.size = sizeof(a), .start = start, .last = last,
	};
	int rc;

	do
		rc = xioctl(v->fd, VHOST_IOMMU_REMOVE_RAM, &a);
	while (rc == -EINTR);
	if (mappings)
		*mappings = a.next_mappings;
	return rc;
}

/**
 * vmm_add_endpoint() - VHOST_IOMMU_ADD_ENDPOINT
 * @v: VMM
 * @id: Endpoint ID
 * @dev: Its open device, or NULL for one without
 * @group: Group ID, or -1
 * @probe: PROBE properties, may be NULL
 * @probe_len: Their length
 */
int vmm_add_endpoint(struct vmm *v, __u32 id, struct dma_dev *dev, int group,
		     const void *probe, __u32 probe_len)
{
	struct vhost_iommu_add_endpoint a = {
		.size = sizeof(a),
		.endpoint = id,
		.device_fd = -1,
		.probe_len = probe_len,
		.probe_addr = (__u64)(uintptr_t)probe,
	};

	if (dev) {
		a.flags |= VHOST_IOMMU_EP_DEVICE;
		a.device_fd = dev->fd;
		a.dev_id = dev->dev_id;
		a.ram_hwpt_id = v->ram_hwpt;
		a.hwpt_flags = dev->hwpt_flags;
	}
	if (dev && dev->table) {
		a.flags |= VHOST_IOMMU_EP_TABLE;
		a.ram_hwpt_id = dev->nest->parent;
		a.viommu = dev->nest->handle;
		a.virt_id = dev->virt_id;
	}
	if (group >= 0) {
		a.flags |= VHOST_IOMMU_EP_GROUP;
		a.group_id = group;
	}
	return xioctl(v->fd, VHOST_IOMMU_ADD_ENDPOINT, &a);
}

/**
 * vmm_remove_endpoint() - VHOST_IOMMU_REMOVE_ENDPOINT
 * @v: VMM
 * @id: Endpoint ID
 */
int vmm_remove_endpoint(struct vmm *v, __u32 id)
{
	struct vhost_iommu_remove_endpoint a = {
		.size = sizeof(a), .endpoint = id,
	};

	return xioctl(v->fd, VHOST_IOMMU_REMOVE_ENDPOINT, &a);
}

/**
 * vmm_prepare() - All steps up to and without adding endpoints and starting
 * @v: VMM, after vmm_init()
 * @iommufd: Open /dev/iommu too
 */
int vmm_prepare(struct vmm *v, bool iommufd)
{
	int rc = vmm_open(v);

	if (!rc && iommufd)
		rc = vmm_open_iommufd(v);
	if (!rc)
		rc = vmm_add_ram(v, RAM_GPA, RAM_SIZE);
	if (!rc)
		rc = vmm_set_owner(v);
	if (!rc)
		rc = vmm_set_mem_table(v);
	/* What is offered depends on it */
	if (!rc)
		rc = vmm_set_config(v);
	if (!rc)
		rc = vmm_set_features(v);
	if (!rc)
		rc = vmm_set_rings(v, 256);
	if (!rc && iommufd)
		rc = vmm_set_iommufd(v);
	return rc;
}

/**
 * vmm_start() - Set the device running
 * @v: VMM
 */
int vmm_start(struct vmm *v)
{
	return vmm_set_running(v, true);
}

/**
 * vmm_worker_tid() - Thread of this process that serves the ring
 *
 * Return: Its ID, or -ENOENT
 */
pid_t vmm_worker_tid(void)
{
	char path[64], comm[32];
	struct dirent *e;
	pid_t tid = -ENOENT;
	DIR *d = opendir("/proc/self/task");

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm",
			 e->d_name);
		if (e->d_name[0] != '.' &&
		    read_file(path, comm, sizeof(comm)) > 0 &&
		    !strncmp(comm, "vhost-", 6))
			tid = atoi(e->d_name);
	}
	if (d)
		closedir(d);
	return tid;
}
