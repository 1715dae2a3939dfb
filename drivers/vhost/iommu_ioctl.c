// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: the ioctls of <linux/vhost_iommu.h>, features and limits
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/moduleparam.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "iommu.h"

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
	VIRTIO_IOMMU_F_MQ,
};

#define VHOST_IOMMU_FEATURES	VHOST_FEATURES_U64(vhost_iommu_bits, 0)

/* Those that no specification has; a VMM that does not know them is spared them */
#define VHOST_IOMMU_PROPOSALS	(BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE) | \
				 BIT_ULL(VIRTIO_IOMMU_F_MQ))

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

/* A ring that nobody uses takes some 60 KiB all the same */
static unsigned int max_queues = 4;
module_param(max_queues, uint, 0444);
MODULE_PARM_DESC(max_queues, "Most request queues that a device can have, 1 to 16");

/* What a device may use before the VMM says something else */
#define VHOST_IOMMU_DEFAULT_MAPPINGS	((ulong)SZ_1M)
#define VHOST_IOMMU_DEFAULT_TABLE_PAGES	((ulong)SZ_256K)

static u64 vhost_iommu_calls(void);

static int vhost_iommu_ioctl_get_info(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_info *info = arg;

	info->out_calls = vhost_iommu_calls();
	info->out_capabilities = VHOST_IOMMU_CAP_MAP_UNMAP |
				 VHOST_IOMMU_CAP_ATTACH_TABLE;
	info->out_features = VHOST_IOMMU_FEATURES;
	info->out_proposals = VHOST_IOMMU_PROPOSALS;
	info->out_table_formats = vhost_iommu_format_mask();
	info->out_max_mappings = max_mappings;
	info->out_max_table_pages = max_table_pages;
	info->out_max_domains = max_domains;
	info->out_max_endpoints = VHOST_IOMMU_MAX_ENDPOINTS;
	info->out_max_viommus = VHOST_IOMMU_MAX_VIOMMUS;
	info->out_max_eventqs = VHOST_IOMMU_MAX_EVENTQS;
	info->out_max_doorbells = VHOST_IOMMU_MAX_DOORBELLS;
	info->out_max_queues = viommu->nr_rqs;
	info->out_scratch_size = viommu->nr_rqs * VHOST_IOMMU_SCRATCH_SIZE;
	info->out_max_probe_size = VHOST_IOMMU_MAX_PROBE_SIZE;
	info->out_hwpt_flags = vhost_iommu_host_hwpt_flags();
	info->__reserved = 0;
	return 0;
}

static int vhost_iommu_ioctl_set_config(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_config *config = arg;
	struct vhost_iommu_rules *rules = &viommu->rules;

	if (memchr_inv(config->__reserved, 0, sizeof(config->__reserved)) ||
	    config->proposals & ~VHOST_IOMMU_PROPOSALS)
		return -EOPNOTSUPP;
	if (!config->page_size_mask || config->page_size_mask & (SZ_4K - 1) ||
	    config->input_end < config->input_start ||
	    config->domain_end < config->domain_start ||
	    config->probe_size > VHOST_IOMMU_MAX_PROBE_SIZE ||
	    !config->num_queues ||
	    config->num_queues > viommu->nr_rqs || config->bypass > 1)
		return -EINVAL;

	if (vhost_iommu_running(viommu) || viommu->nr_endpoints)
		return -EBUSY;
	if (rules->features & VHOST_IOMMU_PROPOSALS & ~config->proposals)
		return -EINVAL;
	rules->page_size_mask = config->page_size_mask;
	rules->input_start = config->input_start;
	rules->input_end = config->input_end;
	rules->domain_start = config->domain_start;
	rules->domain_end = config->domain_end;
	rules->probe_size = config->probe_size;
	viommu->bypass = config->bypass;
	WRITE_ONCE(viommu->num_queues, config->num_queues);
	WRITE_ONCE(viommu->proposals, config->proposals);
	WRITE_ONCE(viommu->worker_only,
		   config->flags & VHOST_IOMMU_CONFIG_WORKER_ONLY);
	viommu->configured = true;
	return 0;
}

static int vhost_iommu_ioctl_set_iommufd(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_iommufd *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->scratch_addr % 8 ||
	    args->scratch_len < viommu->nr_rqs * VHOST_IOMMU_SCRATCH_SIZE)
		return -EINVAL;

	return vhost_iommu_host_set(viommu, args);
}

/*
 * Between two pieces of a call: -EAGAIN to go on, or -EINTR; that only if the caller
 * is killed, if the call is to come to its end
 */
static int vhost_iommu_between(bool to_the_end)
{
	if (to_the_end ? fatal_signal_pending(current) :
			 signal_pending(current))
		return -EINTR;
	cond_resched();
	return -EAGAIN;
}

static int vhost_iommu_ioctl_add_endpoint(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_add_endpoint *args = arg;
	int rc;

	if (args->hwpt_flags & ~vhost_iommu_host_hwpt_flags())
		return -EOPNOTSUPP;
	if (args->probe_len > VHOST_IOMMU_MAX_PROBE_SIZE ||
	    args->virt_id > U32_MAX)
		return -EINVAL;
	if (!(args->flags & VHOST_IOMMU_EP_GROUP) && args->group_id)
		return -EINVAL;
	if (!(args->flags & VHOST_IOMMU_EP_DEVICE) &&
	    (args->device_fd != -1 || args->dev_id || args->ram_hwpt_id ||
	     args->hwpt_flags || args->flags & VHOST_IOMMU_EP_TABLE))
		return -EINVAL;
	if (!(args->flags & VHOST_IOMMU_EP_TABLE) &&
	    (args->viommu || args->virt_id))
		return -EINVAL;
	if (!viommu->configured)
		return -ENXIO;

	rc = vhost_iommu_endpoint_add(viommu, args);
	if (rc != -EAGAIN)
		return rc;
	/* What is built for a domain with mappings is in vain if they change */
	guard(vhost_iommu_wanted)(viommu);
	do {
		rc = vhost_iommu_between(true);
		if (rc == -EAGAIN)
			rc = vhost_iommu_endpoint_add(viommu, args);
	} while (rc == -EAGAIN);
	return rc;
}

static int vhost_iommu_ioctl_remove_endpoint(struct vhost_iommu *viommu,
					     void *arg)
{
	struct vhost_iommu_remove_endpoint *args = arg;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;

	scoped_cond_guard(rwsem_write_kill, return -EINTR, &viommu->lock)
		rc = vhost_iommu_endpoint_remove(viommu, args->endpoint);
	vhost_iommu_clients_reap(viommu);
	vhost_iommu_let_go(viommu);
	return rc;
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
		.count = args->next_mappings,
		.domain = args->next_domain,
		.current_id = args->next_domain,
		.at = args->next_iova,
	};
	u64 granule;
	int rc;

	if (!viommu->configured)
		return -ENXIO;
	granule = viommu->rules.page_size_mask & -viommu->rules.page_size_mask;
	if (args->last < args->start ||
	    (args->start | (args->last + 1)) & (granule - 1) ||
	    args->next_domain > VHOST_IOMMU_NO_DOMAIN)
		return -EINVAL;

	do {
		scoped_cond_guard(rwsem_write_kill, return -EINTR,
				  &viommu->lock)
			rc = vhost_iommu_remove_ram(viommu, &removal);
		/* An error is told by the call that has met it */
		if (rc == -EAGAIN)
			rc = vhost_iommu_between(removal.rc);
	} while (rc == -EAGAIN);
	args->next_domain = rc ? removal.domain : 0;
	args->next_iova = rc ? removal.at : 0;
	args->next_mappings = removal.count;
	if (rc)
		return rc;
	if (removal.rc && removal.rc != -ENOMEM)
		return -EIO;
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
static void vhost_iommu_forget_replies(struct vhost_iommu_rq *rq)
{
	guard(mutex)(&rq->vq.mutex);
	rq->nr_heads = 0;
	WRITE_ONCE(rq->nr_held, 0);
	rq->await = 0;
	rq->nr_pending = 0;
	rq->answers = false;
	WRITE_ONCE(rq->midway, 0);
}

static int vhost_iommu_ioctl_reset(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_reset *args = arg;
	unsigned int i;
	int rc;

	if (vhost_iommu_running(viommu))
		return -EBUSY;

	do {
		scoped_cond_guard(rwsem_write_kill, return -EINTR,
				  &viommu->lock) {
			rc = vhost_iommu_endpoints_reset(viommu);
			/* To be told, not to be relied upon */
			args->next_endpoint = viommu->reset.endpoint;
			args->next_failed = viommu->reset.failed;
		}
		if (rc == -EAGAIN)
			rc = vhost_iommu_between(false);
	} while (rc == -EAGAIN);
	if (rc == -EINTR)
		return rc;
	/* Afterwards nothing is attached any more that could cause new ones */
	vhost_iommu_events_drop(viommu);
	/* Where they were may be memory of the next driver */
	for (i = 0; i < viommu->dev.nvqs; i++)
		vhost_iommu_forget_vq(viommu->vq_ptrs[i]);
	for (i = 0; i < viommu->nr_rqs; i++)
		vhost_iommu_forget_replies(&viommu->rqs[i]);
	vhost_iommu_log_ack_all(viommu);
	return rc;
}

static int vhost_iommu_ioctl_add_viommu(struct vhost_iommu *viommu, void *arg)
{
	return vhost_iommu_nest_add(viommu, arg);
}

static int vhost_iommu_ioctl_remove_viommu(struct vhost_iommu *viommu,
					   void *arg)
{
	struct vhost_iommu_remove_viommu *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	return vhost_iommu_nest_remove(viommu, args->viommu);
}

static int vhost_iommu_ioctl_add_eventq(struct vhost_iommu *viommu, void *arg)
{
	return vhost_iommu_eventq_add(viommu, arg);
}

static int vhost_iommu_ioctl_remove_eventq(struct vhost_iommu *viommu,
					   void *arg)
{
	struct vhost_iommu_remove_eventq *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	return vhost_iommu_eventq_remove(viommu, args->eventq);
}

static int vhost_iommu_ioctl_set_limits(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_limits *args = arg;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->max_domains > max_domains ||
	    args->max_mappings > max_mappings ||
	    args->max_table_pages > max_table_pages ||
	    args->max_domain_mappings > max_mappings ||
	    args->max_domain_table_pages > max_table_pages)
		return -EINVAL;

	if (args->max_domains)
		viommu->max_domains = args->max_domains;
	if (args->max_mappings)
		viommu->max_mappings = args->max_mappings;
	if (args->max_table_pages)
		viommu->max_table_pages = args->max_table_pages;
	if (args->max_domain_mappings)
		viommu->max_domain_mappings = args->max_domain_mappings;
	if (args->max_domain_table_pages)
		viommu->max_domain_table_pages = args->max_domain_table_pages;
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

	return vhost_iommu_set_bypass(viommu, args->bypass);
}

static int vhost_iommu_ioctl_get_stats(struct vhost_iommu *viommu, void *arg)
{
	return vhost_iommu_stats_get(viommu, arg);
}

static int vhost_iommu_ioctl_get_refusal(struct vhost_iommu *viommu, void *arg)
{
	return vhost_iommu_refusal_get(viommu, arg);
}

/* There is no attachment with a PASID yet: each endpoint has the one without */
static int vhost_iommu_ioctl_get_attachment(struct vhost_iommu *viommu,
					    void *arg)
{
	struct vhost_iommu_get_attachment *args = arg;
	const struct vhost_iommu_domain *domain;
	struct vhost_iommu_endpoint *ep;
	unsigned long id = args->endpoint;

	ep = xa_find(&viommu->endpoints, &id, U32_MAX, XA_PRESENT);
	if (ep && ep->id == args->endpoint && args->pasid)
		ep = xa_find_after(&viommu->endpoints, &id, U32_MAX,
				   XA_PRESENT);
	if (!ep)
		return -ENOENT;
	args->out_endpoint = ep->id;
	args->out_pasid = 0;
	args->out_flags = ep->flags;
	args->out_state = vhost_iommu_endpoint_state(ep, &domain);
	args->out_domain = domain ? domain->id : 0;
	args->out_group_id = ep->group->id;
	args->out_viommu = ep->nest ? ep->nest->handle : 0;
	args->out_hwpt_id = ep->file ? vhost_iommu_group_hwpt(ep->group) : 0;
	args->out_mappings = domain ? domain->maps.count : 0;
	return 0;
}

static int vhost_iommu_ioctl_translate(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_translate *args = arg;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	rc = vhost_dev_check_owner(&viommu->dev);
	if (rc)
		return rc;
	return vhost_iommu_soft_translate(viommu, args);
}

/* See vhost_iommu_give_log() for the file */
static int vhost_iommu_ioctl_get_log(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_get_log *args = arg;

	return vhost_iommu_log_make(viommu, &args->out_len);
}

static int vhost_iommu_ioctl_add_vhost(struct vhost_iommu *viommu, void *arg)
{
	return vhost_iommu_client_add(viommu, arg);
}

static int vhost_iommu_ioctl_remove_vhost(struct vhost_iommu *viommu, void *arg)
{
	return vhost_iommu_client_remove(viommu, arg);
}

static int vhost_iommu_ioctl_vhost_miss(struct vhost_iommu *viommu, void *arg)
{
	return vhost_iommu_client_miss(viommu, arg);
}

static int vhost_iommu_ioctl_set_notify(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_set_notify *args = arg;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	scoped_cond_guard(rwsem_write_kill, return -EINTR, &viommu->lock)
		rc = vhost_iommu_soft_notify(viommu, args->endpoint,
					     args->flags & VHOST_IOMMU_NOTIFY_ON);
	vhost_iommu_let_go(viommu);
	return rc;
}

static int vhost_iommu_ioctl_ack(struct vhost_iommu *viommu, void *arg)
{
	struct vhost_iommu_ack *args = arg;
	int rc;

	rc = vhost_dev_check_owner(&viommu->dev);
	if (rc)
		return rc;
	rc = vhost_iommu_log_ack(viommu, args->sequence);
	if (!rc)
		vhost_iommu_let_go(viommu);
	return rc;
}

union vhost_iommu_ioctl_arg {
	struct vhost_iommu_info info;
	struct vhost_iommu_set_config set_config;
	struct vhost_iommu_set_limits set_limits;
	struct vhost_iommu_set_iommufd set_iommufd;
	struct vhost_iommu_add_viommu add_viommu;
	struct vhost_iommu_remove_viommu remove_viommu;
	struct vhost_iommu_add_eventq add_eventq;
	struct vhost_iommu_remove_eventq remove_eventq;
	struct vhost_iommu_add_endpoint add_endpoint;
	struct vhost_iommu_remove_endpoint remove_endpoint;
	struct vhost_iommu_set_doorbell set_doorbell;
	struct vhost_iommu_remove_ram remove_ram;
	struct vhost_iommu_set_bypass set_bypass;
	struct vhost_iommu_set_running set_running;
	struct vhost_iommu_reset reset;
	struct vhost_iommu_get_stats get_stats;
	struct vhost_iommu_get_refusal get_refusal;
	struct vhost_iommu_get_attachment get_attachment;
	struct vhost_iommu_translate translate;
	struct vhost_iommu_get_log get_log;
	struct vhost_iommu_vhost_file vhost_file;
	struct vhost_iommu_vhost_miss vhost_miss;
	struct vhost_iommu_set_notify set_notify;
	struct vhost_iommu_ack ack;
};

/*
 * Every structure begins like this. min_size stays the size of the first
 * version when members are added. Calls of the owner are made under the device's
 * mutex; those with lock under &vhost_iommu.lock, too. The argument is written back
 * after success if it has members to write, and after -EINTR, -EIO and -ENOMEM if it
 * says how far the call came. Those that are settled do not come in the middle of a
 * reset. One opens a file, which the caller must not have if the call fails.
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
	bool lock;
	bool out;
	bool pieces;
	bool settled;
	bool opens;
};

#define VHOST_IOMMU_OP(_call, _fn, _struct, _last, ...)			\
	[_IOC_NR(VHOST_IOMMU_##_call)] = {				\
		.fn = vhost_iommu_ioctl_##_fn,				\
		.size = sizeof(struct vhost_iommu_##_struct) +		\
			BUILD_BUG_ON_ZERO(				\
				sizeof(struct vhost_iommu_##_struct) >	\
				sizeof(union vhost_iommu_ioctl_arg)),	\
		.min_size = offsetofend(struct vhost_iommu_##_struct,	\
					_last),				\
		__VA_ARGS__						\
	}

static const struct vhost_iommu_ioctl_op vhost_iommu_ioctl_ops[] = {
	VHOST_IOMMU_OP(GET_INFO, get_info, info, __reserved, .out = true),
	VHOST_IOMMU_OP(SET_CONFIG, set_config, set_config, __reserved,
		       .owner = true, .lock = true,
		       .flags = VHOST_IOMMU_CONFIG_WORKER_ONLY),
	VHOST_IOMMU_OP(SET_LIMITS, set_limits, set_limits,
		       max_domain_table_pages, .owner = true, .lock = true),
	VHOST_IOMMU_OP(SET_IOMMUFD, set_iommufd, set_iommufd, __reserved,
		       .owner = true, .lock = true),
	VHOST_IOMMU_OP(ADD_VIOMMU, add_viommu, add_viommu, viommu_id,
		       .owner = true, .lock = true,
		       .flags = VHOST_IOMMU_VIOMMU_ID),
	VHOST_IOMMU_OP(REMOVE_VIOMMU, remove_viommu, remove_viommu, __reserved,
		       .owner = true, .lock = true),
	VHOST_IOMMU_OP(ADD_EVENTQ, add_eventq, add_eventq, fd,
		       .owner = true, .lock = true),
	VHOST_IOMMU_OP(REMOVE_EVENTQ, remove_eventq, remove_eventq, __reserved,
		       .owner = true),
	VHOST_IOMMU_OP(ADD_ENDPOINT, add_endpoint, add_endpoint, virt_id,
		       .owner = true, .settled = true,
		       .flags = VHOST_IOMMU_EP_DEVICE | VHOST_IOMMU_EP_GROUP |
				VHOST_IOMMU_EP_TABLE),
	VHOST_IOMMU_OP(REMOVE_ENDPOINT, remove_endpoint, remove_endpoint,
		       __reserved, .owner = true, .settled = true),
	VHOST_IOMMU_OP(SET_DOORBELL, set_doorbell, set_doorbell, last,
		       .owner = true, .lock = true,
		       .flags = VHOST_IOMMU_DOORBELL_REMOVE),
	VHOST_IOMMU_OP(REMOVE_RAM, remove_ram, remove_ram, next_mappings,
		       .owner = true, .out = true, .pieces = true,
		       .settled = true),
	VHOST_IOMMU_OP(SET_BYPASS, set_bypass, set_bypass, __reserved,
		       .owner = true, .lock = true, .settled = true),
	VHOST_IOMMU_OP(SET_RUNNING, set_running, set_running, __reserved,
		       .owner = true),
	VHOST_IOMMU_OP(RESET, reset, reset, next_failed, .owner = true,
		       .out = true, .pieces = true),
	VHOST_IOMMU_OP(GET_STATS, get_stats, get_stats, out_nr, .out = true),
	VHOST_IOMMU_OP(GET_REFUSAL, get_refusal, get_refusal, out_status,
		       .out = true),
	VHOST_IOMMU_OP(GET_ATTACHMENT, get_attachment, get_attachment,
		       out_mappings, .lock = true, .out = true),
	VHOST_IOMMU_OP(GET_LOG, get_log, get_log, out_len, .owner = true,
		       .opens = true),
	VHOST_IOMMU_OP(TRANSLATE, translate, translate, out_sequence, .out = true,
		       .flags = VHOST_IOMMU_ACCESS_READ |
				VHOST_IOMMU_ACCESS_WRITE),
	VHOST_IOMMU_OP(ADD_VHOST, add_vhost, vhost_file, fd, .owner = true,
		       .settled = true),
	VHOST_IOMMU_OP(REMOVE_VHOST, remove_vhost, vhost_file, fd,
		       .owner = true),
	VHOST_IOMMU_OP(SET_NOTIFY, set_notify, set_notify, __reserved,
		       .owner = true, .settled = true,
		       .flags = VHOST_IOMMU_NOTIFY_ON),
	VHOST_IOMMU_OP(ACK, ack, ack, sequence),
	VHOST_IOMMU_OP(VHOST_MISS, vhost_miss, vhost_miss, iova, .owner = true,
		       .flags = VHOST_IOMMU_ACCESS_READ |
				VHOST_IOMMU_ACCESS_WRITE),
};

static u64 vhost_iommu_calls(void)
{
	u64 calls = 0;
	unsigned int i;

	static_assert(ARRAY_SIZE(vhost_iommu_ioctl_ops) <= 64);
	for (i = 0; i < ARRAY_SIZE(vhost_iommu_ioctl_ops); i++)
		if (vhost_iommu_ioctl_ops[i].fn)
			calls |= BIT_ULL(i);
	return calls;
}

static int vhost_iommu_give_log(struct vhost_iommu *viommu,
				struct vhost_iommu_get_log *args, u32 size,
				void __user *argp)
{
	FD_PREPARE(fdf, O_CLOEXEC, vhost_iommu_log_file(viommu));

	if (fdf.err)
		return fdf.err;
	args->size = size;
	args->out_fd = fd_prepare_fd(fdf);
	if (copy_to_user(argp, args, min_t(size_t, size, sizeof(*args))))
		return -EFAULT;
	fd_publish(fdf);
	return 0;
}

static long vhost_iommu_own_call(struct vhost_iommu *viommu,
				 const struct vhost_iommu_ioctl_op *op,
				 union vhost_iommu_ioctl_arg *arg, u32 size,
				 void __user *argp)
{
	struct vhost_iommu_ioctl_head *head = (void *)arg;
	int rc;

	if (op->lock) {
		scoped_cond_guard(rwsem_write_kill, return -EINTR,
				  &viommu->lock)
			rc = op->fn(viommu, arg);
	} else {
		rc = op->fn(viommu, arg);
	}
	if (!rc && op->opens)
		return vhost_iommu_give_log(viommu, &arg->get_log, size, argp);
	/* The caller may have changed it since */
	head->size = size;
	if (((!rc && op->out) ||
	     (op->pieces && (rc == -EINTR || rc == -EIO || rc == -ENOMEM))) &&
	    copy_to_user(argp, arg, min_t(size_t, size, op->size)))
		rc = -EFAULT;
	return rc;
}

/**
 * vhost_iommu_own_ioctl - Carry out an ioctl that is not one of all vhost devices
 * @viommu: The device
 * @cmd: The ioctl
 * @argp: Its argument
 *
 * Return: 0; -ENOIOCTLCMD if it is another one; or an errno, see
 * <linux/vhost_iommu.h>.
 */
long vhost_iommu_own_ioctl(struct vhost_iommu *viommu, unsigned int cmd,
			   void __user *argp)
{
	unsigned int nr = _IOC_NR(cmd);
	const struct vhost_iommu_ioctl_op *op;
	union vhost_iommu_ioctl_arg arg;
	struct vhost_iommu_ioctl_head *head = (void *)&arg;
	u32 size;
	int rc;

	if (nr >= ARRAY_SIZE(vhost_iommu_ioctl_ops) ||
	    cmd != _IO(VHOST_IOMMU_TYPE, nr))
		return -ENOIOCTLCMD;
	nr = array_index_nospec(nr, ARRAY_SIZE(vhost_iommu_ioctl_ops));
	op = &vhost_iommu_ioctl_ops[nr];
	if (!op->fn)
		return -ENOIOCTLCMD;
	if (get_user(size, (u32 __user *)argp))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	rc = copy_struct_from_user(&arg, op->size, argp, size);
	if (rc)
		return rc;
	if (head->flags & ~op->flags)
		return -EOPNOTSUPP;

	/* These are to be had whatever somebody else is doing */
	if (!op->owner)
		return vhost_iommu_own_call(viommu, op, &arg, size, argp);

	ACQUIRE(mutex_kill, lock)(&viommu->dev.mutex);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	rc = vhost_dev_check_owner(&viommu->dev);
	if (rc)
		return rc;
	if (op->settled && viommu->reset.active)
		return -EBUSY;
	return vhost_iommu_own_call(viommu, op, &arg, size, argp);
}

static u64 vhost_iommu_offered(const struct vhost_iommu *viommu)
{
	return (VHOST_IOMMU_FEATURES & ~VHOST_IOMMU_PROPOSALS) |
	       READ_ONCE(viommu->proposals);
}

/**
 * vhost_iommu_get_features - VHOST_GET_FEATURES
 * @viommu: The device
 * @argp: Its argument
 *
 * Return: 0 or -EFAULT.
 */
long vhost_iommu_get_features(struct vhost_iommu *viommu, void __user *argp)
{
	u64 features = vhost_iommu_offered(viommu);

	return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
}

/**
 * vhost_iommu_set_features - VHOST_SET_FEATURES
 * @viommu: The device
 * @argp: Its argument
 *
 * Return: 0; -EFAULT; -EOPNOTSUPP for a feature that is not offered; -EPERM if the
 * caller is not the owner; -EBUSY while running; or -EINTR if it was killed.
 */
long vhost_iommu_set_features(struct vhost_iommu *viommu, void __user *argp)
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
	/* What is offered changes under the mutex */
	if (features & ~vhost_iommu_offered(viommu))
		return -EOPNOTSUPP;
	if (vhost_iommu_running(viommu))
		return -EBUSY;
	for (i = 0; i < viommu->dev.nvqs; i++) {
		struct vhost_virtqueue *vq = viommu->vq_ptrs[i];

		guard(mutex)(&vq->mutex);
		memset(vq->acked_features_array, 0,
		       sizeof(vq->acked_features_array));
		vq->acked_features = features;
	}
	scoped_guard(rwsem_write, &viommu->lock)
		viommu->rules.features = features;
	return 0;
}

/**
 * vhost_iommu_limits_init - Set the limits of before VHOST_IOMMU_SET_LIMITS
 * @viommu: The device
 */
void vhost_iommu_limits_init(struct vhost_iommu *viommu)
{
	viommu->max_domains = max_domains;
	viommu->max_mappings = min(max_mappings, VHOST_IOMMU_DEFAULT_MAPPINGS);
	viommu->max_table_pages = min(max_table_pages,
				      VHOST_IOMMU_DEFAULT_TABLE_PAGES);
	viommu->max_domain_mappings = U64_MAX;
	viommu->max_domain_table_pages = U64_MAX;
}

/**
 * vhost_iommu_max_queues - Tell how many request queues a device has
 *
 * Return: The number, 1 or more.
 */
unsigned int vhost_iommu_max_queues(void)
{
	return clamp(max_queues, 1U, VHOST_IOMMU_MAX_QUEUES);
}
