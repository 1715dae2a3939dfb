// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: /dev/vhost-iommu, an in-kernel back end for virtio-iommu
 *
 * The VMM sets the device up and describes its endpoints; guest requests are
 * then served here, by the thread that kicks or by the vhost worker, without the
 * VMM. See
 * Documentation/userspace-api/vhost-iommu.rst.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommu.h"

#define CREATE_TRACE_POINTS
#include <trace/events/vhost_iommu.h>

static const int vhost_iommu_bits[] = {
	VIRTIO_F_NOTIFY_ON_EMPTY,
	VIRTIO_F_ANY_LAYOUT,
	VIRTIO_F_VERSION_1,
	VIRTIO_RING_F_INDIRECT_DESC,
	VIRTIO_RING_F_EVENT_IDX,
	VIRTIO_IOMMU_F_INPUT_RANGE,
	VIRTIO_IOMMU_F_DOMAIN_RANGE,
	VIRTIO_IOMMU_F_MAP_UNMAP,
	VIRTIO_IOMMU_F_PROBE,
	VIRTIO_IOMMU_F_MMIO,
	VIRTIO_IOMMU_F_BYPASS_CONFIG,
	VIRTIO_IOMMU_F_ATTACH_TABLE,
};

#define VHOST_IOMMU_FEATURES	VHOST_FEATURES_U64(vhost_iommu_bits, 0)

static unsigned int max_domains = SZ_64K;
module_param(max_domains, uint, 0444);
MODULE_PARM_DESC(max_domains, "Most domains that a device can be allowed");

static ulong max_mappings = SZ_16M;
module_param(max_mappings, ulong, 0444);
MODULE_PARM_DESC(max_mappings, "Most mappings that a device can be allowed");

static ulong max_table_pages = SZ_64M;
module_param(max_table_pages, ulong, 0444);
MODULE_PARM_DESC(max_table_pages,
		 "Most 4 KiB IOMMU page-table pages a device can be allowed");

/* What a device may use before the VMM says something else */
#define VHOST_IOMMU_DEFAULT_MAPPINGS	((ulong)SZ_1M)
#define VHOST_IOMMU_DEFAULT_TABLE_PAGES	((ulong)SZ_256K)

static bool vhost_iommu_running(struct vhost_iommu *viommu)
{
	/* The backend is changed with both mutexes held: one is enough here */
	lockdep_assert_held(&viommu->dev.mutex);
	return viommu->vqs[VHOST_IOMMU_VQ_REQUEST].private_data;
}

/*
 * Who serves a ring holds its mutex for a pass, and can be in the middle of a
 * request of any size: it lets go of the ring when somebody wants it, and looks
 * again when that has ended.
 */
static void vhost_iommu_want(struct vhost_iommu *viommu)
{
	lockdep_assert_held(&viommu->dev.mutex);
	WRITE_ONCE(viommu->wanted, true);
}

static void vhost_iommu_unwant(struct vhost_iommu *viommu)
{
	unsigned int i;

	WRITE_ONCE(viommu->wanted, false);
	/* Before the work is put on the list, see vhost_iommu_handle_kick() */
	smp_mb();
	if (vhost_iommu_running(viommu))
		for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++)
			vhost_poll_queue(&viommu->vqs[i].poll);
}

DEFINE_GUARD(vhost_iommu_wanted, struct vhost_iommu *, vhost_iommu_want(_T),
	     vhost_iommu_unwant(_T))

static void vhost_iommu_stop_vq(struct vhost_virtqueue *vq)
{
	lockdep_assert_held(&vq->mutex);
	vhost_vq_set_backend(vq, NULL);
}

/* Returns 0, or -EINTR if the caller was killed first */
static int vhost_iommu_stop(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *requests = &viommu->vqs[VHOST_IOMMU_VQ_REQUEST];
	struct vhost_virtqueue *events = &viommu->vqs[VHOST_IOMMU_VQ_EVENT];

	scoped_cond_guard(mutex_kill, return -EINTR, &events->mutex)
		vhost_iommu_stop_vq(events);
	scoped_cond_guard(mutex_kill, return -EINTR, &requests->mutex) {
		if (vhost_iommu_running(viommu))
			vhost_iommu_ring_settle(viommu);
		vhost_iommu_stop_vq(requests);
	}
	return 0;
}

static int vhost_iommu_start_vq(struct vhost_iommu *viommu,
				struct vhost_virtqueue *vq)
{
	int rc;

	guard(mutex)(&vq->mutex);

	if (!vhost_vq_is_setup(vq))
		return -EFAULT;
	vhost_vq_set_backend(vq, viommu);
	rc = vhost_vq_init_access(vq);
	if (rc)
		vhost_vq_set_backend(vq, NULL);
	return rc ? -EFAULT : 0;
}

static int vhost_iommu_start(struct vhost_iommu *viommu)
{
	struct vhost_virtqueue *requests = &viommu->vqs[VHOST_IOMMU_VQ_REQUEST];
	struct vhost_virtqueue *events = &viommu->vqs[VHOST_IOMMU_VQ_EVENT];
	int rc = 0;

	if (vhost_iommu_running(viommu))
		return 0;
	if (!viommu->configured)
		return -ENXIO;
	if (READ_ONCE(viommu->host.lost))
		return -EIO;

	/* A guest that does not want events leaves their queue alone */
	if (events->desc) {
		scoped_guard(mutex, &events->mutex)
			viommu->events_dead = false;
		rc = vhost_iommu_start_vq(viommu, events);
	}
	if (!rc) {
		scoped_guard(mutex, &requests->mutex) {
			viommu->ring_dead = false;
			viommu->kicked_at = 0;
		}
		rc = vhost_iommu_start_vq(viommu, requests);
	}
	if (rc) {
		scoped_guard(mutex, &events->mutex)
			vhost_iommu_stop_vq(events);
		return rc;
	}
	/* A kick that came while the ring was stopped was lost */
	vhost_poll_queue(&requests->poll);
	vhost_iommu_events_kick(viommu);
	return 0;
}

static int vhost_iommu_ioctl_get_info(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_info *info = arg;

	info->out_capabilities = VHOST_IOMMU_CAP_MAP_UNMAP |
				 VHOST_IOMMU_CAP_ATTACH_TABLE;
	info->out_virtio_features = VHOST_IOMMU_FEATURES;
	info->out_scratch_size = VHOST_IOMMU_SCRATCH_SIZE;
	info->out_max_probe_size = VHOST_IOMMU_MAX_PROBE_SIZE;
	info->out_max_domains = max_domains;
	info->out_max_endpoints = VHOST_IOMMU_MAX_ENDPOINTS;
	info->out_max_mappings = max_mappings;
	info->out_max_table_pages = max_table_pages;
	info->out_max_doorbells = VHOST_IOMMU_MAX_DOORBELLS;
	info->__reserved = 0;
	info->out_table_formats = vhost_iommu_format_mask();
	info->out_max_viommus = VHOST_IOMMU_MAX_VIOMMUS;
	info->__reserved2 = 0;
	return 0;
}

static int vhost_iommu_ioctl_set_config(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_config *config = arg;
	struct vhost_iommu_rules *rules = &viommu->rules;

	if (memchr_inv(config->__reserved, 0, sizeof(config->__reserved)))
		return -EOPNOTSUPP;
	if (!config->page_size_mask || config->page_size_mask & (SZ_4K - 1) ||
	    config->input_end < config->input_start ||
	    config->domain_end < config->domain_start ||
	    config->probe_size > VHOST_IOMMU_MAX_PROBE_SIZE ||
	    config->bypass > 1)
		return -EINVAL;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;

	if (vhost_iommu_running(viommu) || viommu->nr_endpoints)
		return -EBUSY;
	rules->page_size_mask = config->page_size_mask;
	rules->input_start = config->input_start;
	rules->input_end = config->input_end;
	rules->domain_start = config->domain_start;
	rules->domain_end = config->domain_end;
	rules->probe_size = config->probe_size;
	viommu->bypass = config->bypass;
	viommu->configured = true;
	return 0;
}

static int vhost_iommu_ioctl_set_iommufd(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_iommufd *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->scratch_addr % 8 ||
	    args->scratch_len < VHOST_IOMMU_SCRATCH_SIZE)
		return -EINVAL;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	return vhost_iommu_host_set(viommu, args);
}

static int vhost_iommu_ioctl_add_endpoint(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_add_endpoint *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->probe_len > VHOST_IOMMU_MAX_PROBE_SIZE ||
	    args->virt_id > U32_MAX)
		return -EINVAL;
	if (!(args->flags & VHOST_IOMMU_EP_GROUP) && args->group_id)
		return -EINVAL;
	if (!(args->flags & VHOST_IOMMU_EP_DEVICE) &&
	    (args->device_fd != -1 || args->dev_id || args->ram_hwpt_id ||
	     args->flags & VHOST_IOMMU_EP_TABLE))
		return -EINVAL;
	if (!(args->flags & VHOST_IOMMU_EP_TABLE) &&
	    (args->viommu_id || args->virt_id))
		return -EINVAL;
	if (!viommu->configured)
		return -ENXIO;

	return vhost_iommu_endpoint_add(viommu, args);
}

static int vhost_iommu_ioctl_remove_endpoint(struct vhost_iommu *viommu,
					     void *arg)
{
	struct vhost_iommu_remove_endpoint *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	return vhost_iommu_endpoint_remove(viommu, args->endpoint);
}

static int
vhost_iommu_doorbell_remove(struct vhost_iommu *viommu,
			    const struct vhost_iommu_set_doorbell *db)
{
	unsigned int i;

	for (i = 0; i < viommu->nr_doorbells; i++) {
		if (viommu->doorbells[i].start != db->start ||
		    viommu->doorbells[i].last != db->last)
			continue;
		viommu->doorbells[i] =
			viommu->doorbells[--viommu->nr_doorbells];
		return 0;
	}
	return -ENOENT;
}

static int vhost_iommu_ioctl_set_doorbell(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_doorbell *args = arg;
	struct vhost_iommu_doorbell *db = viommu->doorbells;
	unsigned int i;

	if (args->last < args->start)
		return -EINVAL;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;

	if (args->flags & VHOST_IOMMU_DOORBELL_REMOVE)
		return vhost_iommu_doorbell_remove(viommu, args);
	for (i = 0; i < viommu->nr_doorbells; i++)
		if (args->start <= db[i].last && db[i].start <= args->last)
			return -EEXIST;
	if (i == VHOST_IOMMU_MAX_DOORBELLS)
		return -ENOSPC;
	db[i].start = args->start;
	db[i].last = args->last;
	viommu->nr_doorbells++;
	return 0;
}

static int vhost_iommu_ioctl_remove_ram(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_remove_ram *args = arg;
	struct vhost_iommu_removal removal = {
		.start = args->start,
		.last = args->last,
		.current_id = U64_MAX,
	};
	u64 granule;
	int rc;

	if (!viommu->configured)
		return -ENXIO;
	granule = viommu->rules.page_size_mask & -viommu->rules.page_size_mask;
	if (args->last < args->start ||
	    (args->start | (args->last + 1)) & (granule - 1))
		return -EINVAL;

	do {
		scoped_cond_guard(mutex_kill, return -EINTR, &viommu->lock)
			rc = vhost_iommu_remove_ram(viommu, &removal);
		if (rc == -EAGAIN && signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (rc == -EAGAIN);
	args->out_mappings = removal.count;
	return removal.rc;
}

static int vhost_iommu_ioctl_set_running(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_running *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->running > 1)
		return -EINVAL;
	if (args->running)
		return vhost_iommu_start(viommu);
	guard(vhost_iommu_wanted)(viommu);
	return vhost_iommu_stop(viommu);
}

static void vhost_iommu_forget_vq(struct vhost_virtqueue *vq)
{
	guard(mutex)(&vq->mutex);
	vq->desc = NULL;
	vq->avail = NULL;
	vq->used = NULL;
}

/* Nor are replies of requests that it made */
static void vhost_iommu_forget_replies(struct vhost_iommu *viommu)
{
	guard(mutex)(&viommu->vqs[VHOST_IOMMU_VQ_REQUEST].mutex);
	viommu->nr_heads = 0;
	viommu->nr_pending = 0;
	viommu->answers = false;
}

static int vhost_iommu_ioctl_reset(struct vhost_iommu *viommu, void *arg)
{
	unsigned int i;
	int rc;

	if (vhost_iommu_running(viommu))
		return -EBUSY;

	scoped_cond_guard(mutex_kill, return -EINTR, &viommu->lock)
		rc = vhost_iommu_endpoints_reset(viommu);
	/* Afterwards nothing is attached any more that could cause new ones */
	vhost_iommu_events_drop(viommu);
	/* Where they were may be memory of the next driver */
	for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++)
		vhost_iommu_forget_vq(&viommu->vqs[i]);
	vhost_iommu_forget_replies(viommu);
	return rc;
}

static int vhost_iommu_ioctl_add_viommu(struct vhost_iommu *viommu, void *arg)
{
	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	return vhost_iommu_nest_add(viommu, arg);
}

static int vhost_iommu_ioctl_remove_viommu(struct vhost_iommu *viommu,
					   void *arg)
{
	struct vhost_iommu_remove_viommu *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	return vhost_iommu_nest_remove(viommu, args->viommu_id);
}

static int vhost_iommu_ioctl_set_limits(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_limits *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->max_domains > max_domains ||
	    args->max_mappings > max_mappings ||
	    args->max_table_pages > max_table_pages)
		return -EINVAL;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;

	if (args->max_domains)
		viommu->max_domains = args->max_domains;
	if (args->max_mappings)
		viommu->max_mappings = args->max_mappings;
	if (args->max_table_pages)
		viommu->max_table_pages = args->max_table_pages;
	return 0;
}

static int vhost_iommu_ioctl_set_bypass(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_bypass *args = arg;

	if (memchr_inv(args->__reserved, 0, sizeof(args->__reserved)))
		return -EOPNOTSUPP;
	if (args->bypass > 1)
		return -EINVAL;
	if (!viommu->configured)
		return -ENXIO;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	return vhost_iommu_set_bypass(viommu, args->bypass);
}

static int vhost_iommu_ioctl_get_stats(struct vhost_iommu *viommu, void *arg)
{
	const struct vhost_iommu_counters *count = &viommu->count;
	struct vhost_iommu_stats *stats = arg;
	unsigned int i;

	/*
	 * Without a lock: who has it may wait for memory of the VMM, and anybody
	 * may want to know.
	 */
	for (i = 0; i < VHOST_IOMMU_STATS_NR_TYPES; i++)
		stats->out_requests[i] = READ_ONCE(count->requests[i]);
	for (i = 0; i < VHOST_IOMMU_STATS_NR_STATUS; i++)
		stats->out_status[i] = READ_ONCE(count->status[i]);
	stats->out_no_status = READ_ONCE(count->no_status);
	stats->out_batches = READ_ONCE(count->batches);
	stats->out_wakeups = READ_ONCE(count->wakeups);
	stats->out_poll_hits = READ_ONCE(count->poll_hits);
	stats->out_ring_errors = atomic64_read(&count->ring_errors);
	stats->out_mapped_bytes = READ_ONCE(viommu->mapped_bytes);
	stats->out_mappings = READ_ONCE(viommu->mappings);
	stats->out_table_pages = READ_ONCE(viommu->table_pages);
	stats->out_rebuilds = READ_ONCE(count->rebuilds);
	stats->out_host_errors = READ_ONCE(viommu->host.errors);
	stats->out_domains = READ_ONCE(viommu->nr_domains);
	stats->out_endpoints = READ_ONCE(viommu->nr_endpoints);
	stats->out_broken = READ_ONCE(viommu->nr_broken);
	stats->__reserved = 0;
	stats->out_events = READ_ONCE(count->events);
	stats->out_events_dropped = READ_ONCE(count->events_dropped);
	stats->out_events_lost = READ_ONCE(count->events_lost);
	stats->out_inv_commands = READ_ONCE(count->inv_commands);
	stats->out_inv_calls = READ_ONCE(count->inv_calls);
	stats->out_in_place = READ_ONCE(count->in_place);

	guard(spinlock)(&viommu->refused.lock);

	memcpy(stats->out_refused_maps, viommu->refused.nr,
	       sizeof(stats->out_refused_maps));
	stats->out_refused_domain = viommu->refused.domain;
	stats->out_refused_status = viommu->refused.status;
	stats->out_refused_start = viommu->refused.start;
	stats->out_refused_last = viommu->refused.last;
	stats->out_refused_phys = viommu->refused.phys;
	return 0;
}

static int vhost_iommu_ioctl_get_endpoint(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_get_endpoint *args = arg;
	const struct vhost_iommu_domain *domain;
	struct vhost_iommu_endpoint *ep;
	unsigned long id = args->endpoint;

	ACQUIRE(mutex_kill, lock)(&viommu->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;

	ep = xa_find(&viommu->endpoints, &id, U32_MAX, XA_PRESENT);
	if (!ep)
		return -ENOENT;
	args->out_endpoint = ep->id;
	args->out_flags = ep->flags;
	args->out_state = vhost_iommu_endpoint_state(ep, &domain);
	args->out_domain = domain ? domain->id : 0;
	args->out_group_id = ep->group->id;
	args->out_mappings = domain ? domain->maps.count : 0;
	return 0;
}

union vhost_iommu_ioctl_arg {
	struct vhost_iommu_info info;
	struct vhost_iommu_set_config set_config;
	struct vhost_iommu_set_iommufd set_iommufd;
	struct vhost_iommu_add_endpoint add_endpoint;
	struct vhost_iommu_remove_endpoint remove_endpoint;
	struct vhost_iommu_set_doorbell set_doorbell;
	struct vhost_iommu_remove_ram remove_ram;
	struct vhost_iommu_set_running set_running;
	struct vhost_iommu_reset reset;
	struct vhost_iommu_set_limits set_limits;
	struct vhost_iommu_set_bypass set_bypass;
	struct vhost_iommu_stats stats;
	struct vhost_iommu_get_endpoint get_endpoint;
	struct vhost_iommu_add_viommu add_viommu;
	struct vhost_iommu_remove_viommu remove_viommu;
};

/*
 * Every structure begins like this. min_size stays the size of the first
 * version when members are added.
 */
struct vhost_iommu_ioctl_head {
	u32 size;
	u32 flags;
};

struct vhost_iommu_ioctl_op {
	int (*fn)(struct vhost_iommu *viommu, void *arg);
	size_t size;
	size_t min_size;
	u32 flags;
	bool owner;
	bool out;
};

#define VHOST_IOMMU_OP(_cmd, _fn, _struct, _last, ...)			\
	[_IOC_NR(_cmd) - _IOC_NR(VHOST_IOMMU_GET_INFO)] = {		\
		.fn = _fn,						\
		.size = sizeof(struct _struct) +			\
			BUILD_BUG_ON_ZERO(sizeof(struct _struct) >	\
				sizeof(union vhost_iommu_ioctl_arg)),	\
		.min_size = offsetofend(struct _struct, _last),		\
		__VA_ARGS__						\
	}

static const struct vhost_iommu_ioctl_op vhost_iommu_ioctl_ops[] = {
	VHOST_IOMMU_OP(VHOST_IOMMU_GET_INFO, vhost_iommu_ioctl_get_info,
		       vhost_iommu_info, __reserved, .out = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_SET_CONFIG, vhost_iommu_ioctl_set_config,
		       vhost_iommu_set_config, __reserved, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_SET_IOMMUFD, vhost_iommu_ioctl_set_iommufd,
		       vhost_iommu_set_iommufd, __reserved, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_ADD_ENDPOINT, vhost_iommu_ioctl_add_endpoint,
		       vhost_iommu_add_endpoint, probe_addr, .owner = true,
		       .flags = VHOST_IOMMU_EP_DEVICE | VHOST_IOMMU_EP_GROUP |
				VHOST_IOMMU_EP_TABLE),
	VHOST_IOMMU_OP(VHOST_IOMMU_REMOVE_ENDPOINT,
		       vhost_iommu_ioctl_remove_endpoint,
		       vhost_iommu_remove_endpoint, __reserved, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_SET_DOORBELL, vhost_iommu_ioctl_set_doorbell,
		       vhost_iommu_set_doorbell, last, .owner = true,
		       .flags = VHOST_IOMMU_DOORBELL_REMOVE),
	VHOST_IOMMU_OP(VHOST_IOMMU_REMOVE_RAM, vhost_iommu_ioctl_remove_ram,
		       vhost_iommu_remove_ram, out_mappings, .owner = true,
		       .out = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_SET_RUNNING, vhost_iommu_ioctl_set_running,
		       vhost_iommu_set_running, __reserved, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_RESET, vhost_iommu_ioctl_reset,
		       vhost_iommu_reset, flags, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_SET_LIMITS, vhost_iommu_ioctl_set_limits,
		       vhost_iommu_set_limits, max_table_pages, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_SET_BYPASS, vhost_iommu_ioctl_set_bypass,
		       vhost_iommu_set_bypass, __reserved, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_GET_STATS, vhost_iommu_ioctl_get_stats,
		       vhost_iommu_stats, __reserved, .out = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_GET_ENDPOINT, vhost_iommu_ioctl_get_endpoint,
		       vhost_iommu_get_endpoint, out_mappings, .out = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_ADD_VIOMMU, vhost_iommu_ioctl_add_viommu,
		       vhost_iommu_add_viommu, event_fd, .owner = true),
	VHOST_IOMMU_OP(VHOST_IOMMU_REMOVE_VIOMMU,
		       vhost_iommu_ioctl_remove_viommu,
		       vhost_iommu_remove_viommu, __reserved, .owner = true),
};

static long vhost_iommu_own_call(struct vhost_iommu *viommu,
				 const struct vhost_iommu_ioctl_op *op,
				 union vhost_iommu_ioctl_arg *arg, u32 size,
				 void __user *argp)
{
	struct vhost_iommu_ioctl_head *head = (void *)arg;
	int rc;

	rc = op->fn(viommu, arg);
	/* The caller may have changed it since */
	head->size = size;
	if (!rc && op->out &&
	    copy_to_user(argp, arg, min_t(size_t, size, op->size)))
		rc = -EFAULT;
	return rc;
}

static long vhost_iommu_own_ioctl(struct vhost_iommu *viommu, unsigned int nr,
				  void __user *argp)
{
	const struct vhost_iommu_ioctl_op *op;
	union vhost_iommu_ioctl_arg arg;
	struct vhost_iommu_ioctl_head *head = (void *)&arg;
	u32 size;
	int rc;

	nr = array_index_nospec(nr, ARRAY_SIZE(vhost_iommu_ioctl_ops));
	op = &vhost_iommu_ioctl_ops[nr];
	if (get_user(size, (u32 __user *)argp))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	rc = copy_struct_from_user(&arg, op->size, argp, size);
	if (rc)
		return rc;
	if (head->flags & ~op->flags)
		return -EOPNOTSUPP;

	/* Statistics are to be had whatever somebody else is doing */
	if (!op->owner)
		return vhost_iommu_own_call(viommu, op, &arg, size, argp);

	ACQUIRE(mutex_kill, lock)(&viommu->dev.mutex);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	rc = vhost_dev_check_owner(&viommu->dev);
	if (rc)
		return rc;
	return vhost_iommu_own_call(viommu, op, &arg, size, argp);
}

static long vhost_iommu_get_features(void __user *argp)
{
	u64 features = VHOST_IOMMU_FEATURES;

	return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
}

static long vhost_iommu_set_features(struct vhost_iommu *viommu,
				     void __user *argp)
{
	u64 features;
	unsigned int i;
	int rc;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	if (features & ~VHOST_IOMMU_FEATURES)
		return -EOPNOTSUPP;

	ACQUIRE(mutex_kill, lock)(&viommu->dev.mutex);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;

	rc = vhost_dev_check_owner(&viommu->dev);
	if (rc)
		return rc;
	if (vhost_iommu_running(viommu))
		return -EBUSY;
	for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++) {
		struct vhost_virtqueue *vq = &viommu->vqs[i];

		guard(mutex)(&vq->mutex);
		memset(vq->acked_features_array, 0,
		       sizeof(vq->acked_features_array));
		vq->acked_features = features;
	}
	scoped_guard(mutex, &viommu->lock)
		viommu->rules.features = features;
	return 0;
}

/*
 * A kthread worker would have root's credentials and no memlock limit, and
 * iommufd would account what it pins to nobody: only the owner's own thread
 * is allowed.
 */
static long vhost_iommu_check_fork_owner(void __user *argp)
{
	u8 mode;

	if (get_user(mode, (u8 __user *)argp))
		return -EFAULT;
	return mode == VHOST_FORK_OWNER_TASK ? 0 : -EOPNOTSUPP;
}

static long vhost_iommu_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	struct vhost_iommu *viommu = file->private_data;
	unsigned int nr = _IOC_NR(cmd) - _IOC_NR(VHOST_IOMMU_GET_INFO);
	void __user *argp = (void __user *)arg;
	long rc;

	if (nr < ARRAY_SIZE(vhost_iommu_ioctl_ops) &&
	    cmd == _IO(VHOST_IOMMU_TYPE, _IOC_NR(cmd)))
		return vhost_iommu_own_ioctl(viommu, nr, argp);

	switch (cmd) {
	case VHOST_GET_FEATURES:
		return vhost_iommu_get_features(argp);
	case VHOST_SET_FEATURES:
		return vhost_iommu_set_features(viommu, argp);
	case VHOST_SET_FORK_FROM_OWNER:
		rc = vhost_iommu_check_fork_owner(argp);
		if (rc)
			return rc;
		break;
	case VHOST_RESET_OWNER:
		return -EOPNOTSUPP;
	case VHOST_GET_FORK_FROM_OWNER:
	case VHOST_SET_OWNER:
	case VHOST_SET_MEM_TABLE:
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		break;
	default:
		return -ENOTTY;
	}

	ACQUIRE(mutex_kill, lock)(&viommu->dev.mutex);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	guard(vhost_iommu_wanted)(viommu);

	/* Checks the owner, also for what it leaves to the next */
	rc = vhost_dev_ioctl(&viommu->dev, cmd, argp);
	if (rc == -ENOIOCTLCMD)
		rc = vhost_vring_ioctl(&viommu->dev, cmd, argp);
	else
		vhost_dev_flush(&viommu->dev);
	/* The byte may have been another one when it was read again */
	if (cmd == VHOST_SET_FORK_FROM_OWNER)
		viommu->dev.fork_owner = true;
	return rc;
}

static void vhost_iommu_show_fdinfo(struct seq_file *m, struct file *file)
{
	static const char * const types[] = {
		"unknown", "attach", "detach", "map", "unmap", "probe",
		"attach-table", "invalidate",
	};
	static const char * const statuses[] = {
		"ok", "ioerr", "unsupp", "deverr", "inval", "range", "noent",
		"fault", "nomem",
	};
	struct vhost_iommu_stats stats;
	unsigned int i;

	vhost_iommu_ioctl_get_stats(file->private_data, &stats);

	seq_printf(m, "vhost-iommu-domains:\t%u\n", stats.out_domains);
	seq_printf(m, "vhost-iommu-endpoints:\t%u\n", stats.out_endpoints);
	seq_printf(m, "vhost-iommu-broken:\t%u\n", stats.out_broken);
	seq_printf(m, "vhost-iommu-mappings:\t%llu\n", stats.out_mappings);
	seq_printf(m, "vhost-iommu-mapped-bytes:\t%llu\n",
		   stats.out_mapped_bytes);
	seq_printf(m, "vhost-iommu-table-pages:\t%llu\n",
		   stats.out_table_pages);
	seq_printf(m, "vhost-iommu-rebuilds:\t%llu\n", stats.out_rebuilds);
	seq_printf(m, "vhost-iommu-host-errors:\t%llu\n",
		   stats.out_host_errors);
	seq_printf(m, "vhost-iommu-batches:\t%llu\n", stats.out_batches);
	seq_printf(m, "vhost-iommu-wakeups:\t%llu\n", stats.out_wakeups);
	seq_printf(m, "vhost-iommu-poll-hits:\t%llu\n", stats.out_poll_hits);
	seq_printf(m, "vhost-iommu-in-place:\t%llu\n", stats.out_in_place);
	seq_printf(m, "vhost-iommu-ring-errors:\t%llu\n",
		   stats.out_ring_errors);
	seq_printf(m, "vhost-iommu-events:\t%llu\n", stats.out_events);
	seq_printf(m, "vhost-iommu-events-dropped:\t%llu\n",
		   stats.out_events_dropped);
	seq_printf(m, "vhost-iommu-events-lost:\t%llu\n",
		   stats.out_events_lost);
	seq_printf(m, "vhost-iommu-inv-commands:\t%llu\n",
		   stats.out_inv_commands);
	seq_printf(m, "vhost-iommu-inv-calls:\t%llu\n",
		   stats.out_inv_calls);
	seq_printf(m, "vhost-iommu-no-status:\t%llu\n", stats.out_no_status);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		seq_printf(m, "vhost-iommu-requests-%s:\t%llu\n", types[i],
			   stats.out_requests[i]);
	for (i = 0; i < ARRAY_SIZE(statuses); i++)
		seq_printf(m, "vhost-iommu-status-%s:\t%llu\n", statuses[i],
			   stats.out_status[i]);
	/* There is none that is OK */
	for (i = 1; i < ARRAY_SIZE(statuses); i++)
		seq_printf(m, "vhost-iommu-refused-maps-%s:\t%llu\n",
			   statuses[i], stats.out_refused_maps[i]);
}

static int vhost_iommu_open(struct inode *inode, struct file *file)
{
	struct vhost_iommu *viommu;
	unsigned int i;

	viommu = kvzalloc_obj(*viommu, GFP_KERNEL_ACCOUNT);
	if (!viommu)
		return -ENOMEM;

	refcount_set(&viommu->refs, 1);
	viommu->host.piece_shift = VHOST_IOMMU_PIECE_SHIFT;
	spin_lock_init(&viommu->refused.lock);
	INIT_LIST_HEAD(&viommu->sources);
	mutex_init(&viommu->lock);
	xa_init_flags(&viommu->domains, XA_FLAGS_ACCOUNT);
	xa_init_flags(&viommu->endpoints, XA_FLAGS_ACCOUNT);
	xa_init_flags(&viommu->groups, XA_FLAGS_ACCOUNT);
	viommu->max_domains = max_domains;
	viommu->max_mappings = min(max_mappings, VHOST_IOMMU_DEFAULT_MAPPINGS);
	viommu->max_table_pages = min(max_table_pages,
				      VHOST_IOMMU_DEFAULT_TABLE_PAGES);

	for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++)
		viommu->vq_ptrs[i] = &viommu->vqs[i];
	viommu->vqs[VHOST_IOMMU_VQ_REQUEST].handle_kick =
		vhost_iommu_handle_kick;
	viommu->vqs[VHOST_IOMMU_VQ_EVENT].handle_kick =
		vhost_iommu_handle_event_kick;
	vhost_dev_init(&viommu->dev, viommu->vq_ptrs, VHOST_IOMMU_VQ_MAX,
		       UIO_MAXIOV, VHOST_IOMMU_WEIGHT, 0, true, NULL);
	viommu->dev.fork_owner = true;
	viommu->vqs[VHOST_IOMMU_VQ_REQUEST].poll.wait.func = vhost_iommu_kicked;
	file->private_data = viommu;
	return 0;
}

/**
 * vhost_iommu_put - Drop a reference to a device
 * @viommu: The device; its file is closed before the last reference goes
 */
void vhost_iommu_put(struct vhost_iommu *viommu)
{
	if (!refcount_dec_and_test(&viommu->refs))
		return;
	mutex_destroy(&viommu->lock);
	kvfree(viommu);
}

/*
 * May run in the exit of the owner, without its address space: only references
 * are dropped. Devices stay attached until their own files are closed. A thread
 * that kicked may still have its work to do; it finds the rings stopped.
 */
static int vhost_iommu_release(struct inode *inode, struct file *file)
{
	struct vhost_iommu *viommu = file->private_data;
	unsigned int i;

	scoped_guard(mutex, &viommu->dev.mutex) {
		vhost_iommu_want(viommu);
		for (i = 0; i < VHOST_IOMMU_VQ_MAX; i++)
			scoped_guard(mutex, &viommu->vqs[i].mutex)
				vhost_iommu_stop_vq(&viommu->vqs[i]);
	}
	vhost_iommu_sources_silence(viommu);
	vhost_dev_flush(&viommu->dev);
	vhost_dev_stop(&viommu->dev);
	vhost_dev_cleanup(&viommu->dev);

	scoped_guard(mutex, &viommu->lock) {
		vhost_iommu_endpoints_free(viommu);
		vhost_iommu_nests_free(viommu);
		vhost_iommu_host_put(viommu);
	}
	vhost_iommu_put(viommu);
	return 0;
}

static const struct file_operations vhost_iommu_fops = {
	.owner = THIS_MODULE,
	.open = vhost_iommu_open,
	.release = vhost_iommu_release,
	.unlocked_ioctl = vhost_iommu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = vhost_iommu_show_fdinfo,
	.llseek = noop_llseek,
};

static struct miscdevice vhost_iommu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-iommu",
	.fops = &vhost_iommu_fops,
};

static int __init vhost_iommu_init(void)
{
	return misc_register(&vhost_iommu_misc);
}
module_init(vhost_iommu_init);

static void __exit vhost_iommu_exit(void)
{
	misc_deregister(&vhost_iommu_misc);
	/*
	 * A thread may still return from vhost_iommu_kick_work(). Where it can be
	 * preempted on the way, this waits for it: see NEED_TASKS_RCU.
	 */
	synchronize_rcu_tasks();
}
module_exit(vhost_iommu_exit);

MODULE_IMPORT_NS("IOMMUFD");
MODULE_DESCRIPTION("In-kernel back end for virtio-iommu");
MODULE_LICENSE("GPL");
