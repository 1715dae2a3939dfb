/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-iommu, internal interfaces
 *
 * Layers, from user space and the guest to the hardware. A file calls those below it,
 * never one above; those of one line do not call each other:
 *
 *   iommu.c         device file, life cycle
 *   iommu_ioctl.c   ioctls, one function each
 *   iommu_run.c     whether the rings are served
 *   iommu_kick.c    the thread that kicks serves the request queue
 *   iommu_ring.c    request queue: batches, replies
 *   iommu_poll.c    when the worker polls for requests
 *   iommu_table.c   INVALIDATE; iommu_attach.c  ATTACH, ATTACH_TABLE, DETACH
 *   iommu_endpoint.c  endpoints
 *   iommu_move.c    groups follow their members
 *   iommu_paging.c  MAP, UNMAP, memory that goes
 *   iommu_domain.c  domains, and who is in them
 *   iommu_build.c   the IOAS of a domain, and the page tables it may have
 *   iommu_group.c   groups of endpoints, and what they are attached to
 *   iommu_hwpt.c    page tables of an IOAS
 *   iommu_device.c  devices: attached, blocked, being reset
 *   iommu_nest.c    vIOMMUs, and their event queues
 *   iommu_vhost.c   vhost devices whose addresses are translated here
 *   iommu_soft.c    accesses that the VMM makes for endpoints, and their faults
 *   iommu_event.c   event queue, and where events come from
 *   iommu_host.c    iommufd and VFIO commands: the only file that makes them
 *   iommu_vq.c      what all queues need; iommu_stats.c  statistics
 *   iommu_xlat.c    what an access means, and the memory table
 *   iommu_log.c     what of that has changed, and who has to know before the guest
 *   iommu_req.c     decode and stateless rules of the specification
 *   iommu_map.c     data structures of a domain
 *   iommu_format.c  formats of guest tables: iommu_arm.c, iommu_selftest.c
 *
 * The last three know nothing of the others.
 *
 * Lock order: vhost_dev.mutex, vhost_virtqueue.mutex of one queue,
 * vhost_iommu.lock, vhost_iommu_domain.lock of one domain, vhost_iommu_client.lock of
 * one vhost device, that device's own mutexes, and below all others, with nothing that
 * sleeps under them, vhost_iommu.xlat_lock and vhost_iommu_soft.lock. The
 * worker takes all but the first, and so do threads that kick a request queue;
 * vhost_dev_flush() waits for the worker, so it is never called with any of them held.
 *
 * The memory of the guest and of the VMM can keep whoever touches it waiting for as
 * long as the VMM likes. vhost_iommu.lock is held over the scratch area only, and
 * whoever takes it can be killed, or ends with the process whose other threads hold
 * it; a thread that kicks faults nothing in and waits for locks in such a way that it
 * can be called back. Mutexes of vhost devices are an exception: whoever removes a mapping
 * that one was told of waits for the packets that it is at, whose memory is the VMM's, or
 * for who reads its file, which the VMM can make block. They end with the VMM.
 * Nobody else waits for either: statistics are read without them.
 */
#ifndef _VHOST_IOMMU_H
#define _VHOST_IOMMU_H

#include <linux/cleanup.h>
#include <linux/jiffies.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "iommu_types.h"

/**
 * vhost_iommu_is_midway - Tell whether others have to wait for a request queue
 * @rq: The request queue
 *
 * Return: true if it will go on with the request at its head, which is half done.
 */
static inline bool vhost_iommu_is_midway(const struct vhost_iommu_rq *rq)
{
	return READ_ONCE(rq->midway) && READ_ONCE(rq->serves) &&
	       !READ_ONCE(rq->dead);
}

/**
 * vhost_iommu_give_way - Have others go on who waited for a request queue
 * @rq: The request queue
 *
 * Requests of many pieces may follow each other: its pass ends after this one.
 *
 * Context: Whoever serves it, under its mutex.
 */
static inline void vhost_iommu_give_way(struct vhost_iommu_rq *rq)
{
	rq->pass_end = jiffies;
}

/**
 * vhost_iommu_put - Drop a reference to a device
 * @viommu: The device; its file is closed before the last reference goes
 */
static inline void vhost_iommu_put(struct vhost_iommu *viommu)
{
	if (!refcount_dec_and_test(&viommu->refs))
		return;
	kvfree(viommu->rqs);
	kvfree(viommu);
}

/**
 * vhost_iommu_endpoint_state - Tell where an endpoint's DMA goes
 * @ep: The endpoint
 * @domain: The domain, if the state has one. An endpoint in no domain follows
 *          the other members of its group.
 *
 * Context: With &vhost_iommu.lock or &vhost_iommu.xlat_lock held.
 * Return: One of enum vhost_iommu_endpoint_state.
 */
static inline u32
vhost_iommu_endpoint_state(const struct vhost_iommu_endpoint *ep,
			   const struct vhost_iommu_domain **domain)
{
	const struct vhost_iommu_group *group = ep->group;

	*domain = group->hw;
	if (group->broken)
		return VHOST_IOMMU_STATE_BROKEN;
	if (!*domain)
		return group->bypass ? VHOST_IOMMU_STATE_BYPASS :
				       VHOST_IOMMU_STATE_BLOCKED;
	switch ((*domain)->kind) {
	case VHOST_IOMMU_BYPASS:
		return VHOST_IOMMU_STATE_BYPASS_DOMAIN;
	case VHOST_IOMMU_TABLE:
		return VHOST_IOMMU_STATE_TABLE;
	default:
		return VHOST_IOMMU_STATE_PAGING;
	}
}

/* iommu_ioctl.c */
long vhost_iommu_own_ioctl(struct vhost_iommu *viommu, unsigned int cmd,
			   void __user *argp);
long vhost_iommu_get_features(struct vhost_iommu *viommu, void __user *argp);
long vhost_iommu_set_features(struct vhost_iommu *viommu, void __user *argp);
void vhost_iommu_limits_init(struct vhost_iommu *viommu);
unsigned int vhost_iommu_max_queues(void);

/* iommu_run.c */
bool vhost_iommu_running(struct vhost_iommu *viommu);
void vhost_iommu_want(struct vhost_iommu *viommu);
void vhost_iommu_unwant(struct vhost_iommu *viommu);
int vhost_iommu_settle(struct vhost_iommu *viommu);
void vhost_iommu_stop_vq(struct vhost_virtqueue *vq);
int vhost_iommu_stop(struct vhost_iommu *viommu);
int vhost_iommu_start(struct vhost_iommu *viommu);
void vhost_iommu_let_go(struct vhost_iommu *viommu);

DEFINE_GUARD(vhost_iommu_wanted, struct vhost_iommu *, vhost_iommu_want(_T),
	     vhost_iommu_unwant(_T))

/* iommu_stats.c */
int vhost_iommu_stats_get(struct vhost_iommu *viommu,
			  struct vhost_iommu_get_stats *args);
int vhost_iommu_refusal_get(struct vhost_iommu *viommu,
			    struct vhost_iommu_get_refusal *args);
void vhost_iommu_stats_show(struct vhost_iommu *viommu, struct seq_file *m);

/* iommu_soft.c */
void vhost_iommu_soft_init(struct vhost_iommu *viommu);
int vhost_iommu_soft_translate(struct vhost_iommu *viommu,
			       struct vhost_iommu_translate *args);
void vhost_iommu_soft_forget(struct vhost_iommu *viommu, u32 id);
int vhost_iommu_soft_notify(struct vhost_iommu *viommu, u32 id, bool on);
void vhost_iommu_soft_no_notify(struct vhost_iommu *viommu,
				struct vhost_iommu_endpoint *ep);
void vhost_iommu_soft_denied(struct vhost_iommu *viommu, u32 endpoint, u64 iova,
			     u32 access, const struct vhost_iommu_xlat *xlat);

/* iommu_vhost.c */
int vhost_iommu_client_add(struct vhost_iommu *viommu,
			   const struct vhost_iommu_vhost_file *args);
int vhost_iommu_client_remove(struct vhost_iommu *viommu,
			      const struct vhost_iommu_vhost_file *args);
int vhost_iommu_client_miss(struct vhost_iommu *viommu,
			    const struct vhost_iommu_vhost_miss *args);
void vhost_iommu_clients_untell(struct vhost_iommu *viommu,
				const struct vhost_iommu_map *map);
void vhost_iommu_clients_forget(struct vhost_iommu *viommu,
				unsigned long clients);
void vhost_iommu_clients_mapped(struct vhost_iommu *viommu);
void vhost_iommu_clients_moved(struct vhost_iommu *viommu,
			       const struct vhost_iommu_group *group);
void vhost_iommu_clients_leave(struct vhost_iommu *viommu, u32 endpoint);
void vhost_iommu_clients_reap(struct vhost_iommu *viommu);
void vhost_iommu_clients_silence(struct vhost_iommu *viommu);
void vhost_iommu_clients_free(struct vhost_iommu *viommu);

/* iommu_xlat.c */
int vhost_iommu_translate_locked(struct vhost_iommu *viommu, u32 endpoint,
				 u64 iova, struct vhost_iommu_xlat *xlat);
int vhost_iommu_translate_logged(struct vhost_iommu *viommu, u32 endpoint,
				 u64 iova, struct vhost_iommu_xlat *xlat);
int vhost_iommu_translate(struct vhost_iommu *viommu, u32 endpoint, u64 iova,
			  struct vhost_iommu_xlat *xlat);
int vhost_iommu_ram_set(struct vhost_iommu *viommu, struct vhost_iotlb *umem);
bool vhost_iommu_ram_has(struct vhost_iommu *viommu, u64 start, u64 last);
int vhost_iommu_ram_region(struct vhost_iommu *viommu, u64 phys,
			   struct vhost_iommu_region *region);

/* iommu_log.c */
int vhost_iommu_log_make(struct vhost_iommu *viommu, u32 *len);
struct file *vhost_iommu_log_file(struct vhost_iommu *viommu);
void vhost_iommu_log_put(struct vhost_iommu *viommu);
u64 vhost_iommu_log_head(const struct vhost_iommu *viommu);
void vhost_iommu_log_unmap(struct vhost_iommu *viommu,
			   struct vhost_iommu_domain *domain, u64 start, u64 last);
void vhost_iommu_log_endpoint(struct vhost_iommu *viommu, u32 id);
void vhost_iommu_log_group(struct vhost_iommu *viommu,
			   const struct vhost_iommu_group *group);
u64 vhost_iommu_log_moved(struct vhost_iommu *viommu);
bool vhost_iommu_log_await(struct vhost_iommu *viommu, u64 sequence);
void vhost_iommu_log_wake(struct vhost_iommu *viommu);
u64 vhost_iommu_log_acked(struct vhost_iommu *viommu);
int vhost_iommu_log_ack(struct vhost_iommu *viommu, u64 sequence);
void vhost_iommu_log_ack_all(struct vhost_iommu *viommu);

/* iommu_kick.c */
int vhost_iommu_kicked(struct wait_queue_entry *wait, unsigned int mode,
		       int sync, void *key);

/* iommu_ring.c */
void vhost_iommu_ring_serve(struct vhost_iommu_rq *rq,
			    enum vhost_iommu_server where);
void vhost_iommu_handle_kick(struct vhost_work *work);
int vhost_iommu_ring_settle(struct vhost_iommu_rq *rq);
void vhost_iommu_ring_let_go(struct vhost_iommu_rq *rq);

/* iommu_poll.c */
void vhost_iommu_poll_kicked(struct vhost_iommu_rq *rq,
			     enum vhost_iommu_server where);
void vhost_iommu_poll_idle(struct vhost_iommu_rq *rq);
bool vhost_iommu_poll(struct vhost_iommu_rq *rq);

/* iommu_vq.c */
int vhost_iommu_chain_get(struct vhost_virtqueue *vq,
			  const struct vhost_iotlb_map **ram,
			  unsigned int *head, struct vhost_iommu_buffer *from,
			  struct vhost_iommu_buffer *to);
void vhost_iommu_chain_put_back(struct vhost_virtqueue *vq, unsigned int nr);
void vhost_iommu_vq_error(struct vhost_iommu *viommu,
			  struct vhost_virtqueue *vq);
bool vhost_iommu_vq_is_ready(struct vhost_virtqueue *vq);
int vhost_iommu_buffer_read(const struct vhost_iommu_buffer *from, void *to,
			    size_t len);
int vhost_iommu_buffer_write(const struct vhost_iommu_buffer *to,
			     const void *from, size_t len);

/* iommu_paging.c */
int vhost_iommu_domain_drain(struct vhost_iommu *viommu,
			     struct vhost_iommu_domain *domain);
int vhost_iommu_map(struct vhost_iommu *viommu,
		    const struct vhost_iommu_req *req,
		    const struct vhost_iommu_caller *by);
int vhost_iommu_unmap(struct vhost_iommu *viommu,
		      const struct vhost_iommu_req *req,
		      const struct vhost_iommu_caller *by);
int vhost_iommu_remove_ram(struct vhost_iommu *viommu,
			   struct vhost_iommu_removal *r);

/* iommu_domain.c */
struct vhost_iommu_domain *
vhost_iommu_domain_get(struct vhost_iommu *viommu, u32 id,
		       enum vhost_iommu_domain_kind kind);
void vhost_iommu_domain_release(struct vhost_iommu *viommu,
				struct vhost_iommu_domain *domain, bool host);
bool vhost_iommu_domain_fits(const struct vhost_iommu_domain *domain,
			     const struct vhost_iommu_endpoint *ep);
void vhost_iommu_domain_link(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_endpoint *ep);
void vhost_iommu_domain_unlink(struct vhost_iommu_endpoint *ep);
bool vhost_iommu_domain_reserves(struct vhost_iommu_domain *domain, u64 start,
				 u64 last);

/* iommu_build.c */
bool vhost_iommu_map_in_ioas(const struct vhost_iommu_map *map);
void vhost_iommu_build_drop(struct vhost_iommu *viommu,
			    struct vhost_iommu_domain *domain, bool host);
void vhost_iommu_domain_doubt(struct vhost_iommu_domain *domain, u64 start,
			      u64 last);
bool vhost_iommu_domain_clear(struct vhost_iommu *viommu,
			      struct vhost_iommu_domain *domain);
int vhost_iommu_domain_recover(struct vhost_iommu *viommu,
			       struct vhost_iommu_domain *domain);
bool vhost_iommu_domain_is_rebuilt(struct vhost_iommu *viommu, u32 id);
bool vhost_iommu_domain_has_room(const struct vhost_iommu *viommu,
				 const struct vhost_iommu_domain *domain);
int vhost_iommu_domain_charge(struct vhost_iommu *viommu,
			      struct vhost_iommu_domain *domain,
			      const struct vhost_iommu_map *map,
			      const struct vhost_iommu_caller *by);
int vhost_iommu_domain_set_device(struct vhost_iommu *viommu,
				  struct vhost_iommu_domain *domain);

/* iommu_attach.c */
int vhost_iommu_attach(struct vhost_iommu *viommu,
		       const struct vhost_iommu_req *req);
int vhost_iommu_attach_table(struct vhost_iommu *viommu,
			     const struct vhost_iommu_req *req);
int vhost_iommu_detach(struct vhost_iommu *viommu,
		       const struct vhost_iommu_req *req);

/* iommu_endpoint.c */
struct vhost_iommu_endpoint *
vhost_iommu_endpoint_find(struct vhost_iommu *viommu, u32 id);
int vhost_iommu_endpoint_add(struct vhost_iommu *viommu,
			     const struct vhost_iommu_add_endpoint *args);
int vhost_iommu_endpoint_remove(struct vhost_iommu *viommu, u32 id);
void vhost_iommu_endpoints_free(struct vhost_iommu *viommu);
int vhost_iommu_endpoints_reset(struct vhost_iommu *viommu);
int vhost_iommu_set_bypass(struct vhost_iommu *viommu, bool bypass);

/* iommu_group.c */
struct vhost_iommu_endpoint *
vhost_iommu_group_device(const struct vhost_iommu_group *group);
u32 vhost_iommu_group_ram(const struct vhost_iommu_group *group);
void vhost_iommu_group_set(struct vhost_iommu *viommu,
			   struct vhost_iommu_group *group,
			   struct vhost_iommu_domain *hw, bool bypass);
bool vhost_iommu_group_can_bypass(const struct vhost_iommu_group *group);
bool vhost_iommu_group_agrees(const struct vhost_iommu_group *group,
			      const struct vhost_iommu_endpoint *except,
			      const struct vhost_iommu_domain *domain);
void vhost_iommu_trace_endpoint(const struct vhost_iommu *viommu,
				const struct vhost_iommu_endpoint *ep, int rc);
u32 vhost_iommu_group_hwpt(const struct vhost_iommu_group *group);
void vhost_iommu_group_drop_hwpt(struct vhost_iommu *viommu,
				 struct vhost_iommu_group *group);
int vhost_iommu_group_enter_ioas(struct vhost_iommu *viommu,
				 struct vhost_iommu_group *group,
				 const struct vhost_iommu_endpoint *ep,
				 struct list_head *hwpts, u32 ioas, bool wait);
int vhost_iommu_group_move(struct vhost_iommu *viommu,
			   struct vhost_iommu_group *group, u32 hwpt,
			   bool wait);
void vhost_iommu_group_set_broken(struct vhost_iommu *viommu,
				  struct vhost_iommu_group *group, bool broken);
void vhost_iommu_group_condemn(struct vhost_iommu *viommu,
			       struct vhost_iommu_group *group);
void vhost_iommu_group_block(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group);
int vhost_iommu_group_revive(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group, bool wait);
int vhost_iommu_group_idle(struct vhost_iommu *viommu,
			   struct vhost_iommu_group *group);

/* iommu_move.c */
int vhost_iommu_group_attach(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group,
			     struct vhost_iommu_domain *domain,
			     const struct vhost_iommu_target *target,
			     bool wait);
int vhost_iommu_group_prepare(struct vhost_iommu *viommu,
			      const struct vhost_iommu_endpoint *ep);
int vhost_iommu_group_follow(struct vhost_iommu *viommu,
			     struct vhost_iommu_group *group);

/* iommu_table.c */
int vhost_iommu_invalidate(struct vhost_iommu_rq *rq,
			   const struct vhost_iommu_caller *by);

/* iommu_nest.c */
struct vhost_iommu_nest *vhost_iommu_nest_find(struct vhost_iommu *viommu,
					       u32 handle);
int vhost_iommu_nest_add(struct vhost_iommu *viommu,
			 const struct vhost_iommu_add_viommu *args);
int vhost_iommu_nest_remove(struct vhost_iommu *viommu, u32 handle);
int vhost_iommu_eventq_add(struct vhost_iommu *viommu,
			   const struct vhost_iommu_add_eventq *args);
int vhost_iommu_eventq_remove(struct vhost_iommu *viommu, u32 handle);
void vhost_iommu_nests_free(struct vhost_iommu *viommu);
void vhost_iommu_nest_ended(struct vhost_iommu_nest *nest);
int vhost_iommu_nests_flush(struct vhost_iommu *viommu);

/* iommu_event.c */
void vhost_iommu_source_init(struct vhost_iommu_source *source,
			     struct vhost_iommu *viommu,
			     const struct vhost_iommu_source_ops *ops);
int vhost_iommu_source_open(struct vhost_iommu_source *source, int fd);
void vhost_iommu_source_close(struct vhost_iommu_source *source);
void vhost_iommu_sources_silence(struct vhost_iommu *viommu);
void vhost_iommu_events_kick(struct vhost_iommu *viommu);
void vhost_iommu_handle_event_kick(struct vhost_work *work);
void vhost_iommu_events_drop(struct vhost_iommu *viommu);

/* iommu_hwpt.c */
int vhost_iommu_hwpt_attach(struct vhost_iommu *viommu, struct list_head *hwpts,
			    u32 ioas, const struct vhost_iommu_endpoint *ep,
			    bool wait, struct vhost_iommu_hwpt **out);
void vhost_iommu_hwpt_put(struct vhost_iommu *viommu,
			  struct vhost_iommu_hwpt *hwpt);
void vhost_iommu_hwpts_trim(struct vhost_iommu *viommu,
			    struct list_head *hwpts);
void vhost_iommu_hwpts_forget(struct list_head *hwpts);

/* iommu_device.c */
int vhost_iommu_device_try(struct vhost_iommu *viommu, struct file *device,
			   u32 pt_id, bool wait);
int vhost_iommu_device_attach(struct vhost_iommu *viommu, struct file *device,
			      u32 pt_id, bool wait);
int vhost_iommu_device_table_alloc(struct vhost_iommu *viommu,
				   const struct vhost_iommu_nest *nest,
				   u32 dev_id,
				   const struct vhost_iommu_table *table,
				   u32 *hwpt);
int vhost_iommu_device_check_flags(struct vhost_iommu *viommu, u32 dev_id,
				   u32 flags);
int vhost_iommu_device_attach_first(struct vhost_iommu *viommu,
				    struct file *device, u32 dev_id, u32 flags,
				    struct vhost_iommu_nest *nest, u32 *hwpt);
void vhost_iommu_device_let_go(struct vhost_iommu *viommu, struct file *device);
void vhost_iommu_device_settle(struct vhost_iommu *viommu, u32 dev_id, u32 ioas);
void vhost_iommu_device_unblock(struct vhost_iommu *viommu,
				const struct vhost_iommu_nest *nest, u32 hwpt);

/* iommu_host.c */
extern const struct vhost_iommu_caller vhost_iommu_alone;

int vhost_iommu_host_set(struct vhost_iommu *viommu,
			 const struct vhost_iommu_set_iommufd *args);
void vhost_iommu_host_put(struct vhost_iommu *viommu);
int vhost_iommu_host_get_device(struct vhost_iommu *viommu, int fd, u32 dev_id,
				struct file **out);
int vhost_iommu_host_hw_info(struct vhost_iommu *viommu, u32 dev_id,
			     struct vhost_iommu_hw *hw, bool *ats,
			     u8 *pasid_bits);
int vhost_iommu_host_invalidate(struct vhost_iommu *viommu,
				const struct vhost_iommu_nest *nest,
				const struct vhost_iommu_cmd *cmds,
				unsigned int nr,
				const struct vhost_iommu_caller *by);
int vhost_iommu_host_get_events(struct vhost_iommu_source *source, int fd);
void vhost_iommu_host_put_events(struct vhost_iommu_source *source);
int vhost_iommu_host_read_event(struct vhost_iommu *viommu,
				const struct vhost_iommu_source *source,
				void *record, u32 len, u32 *sequence,
				bool *lost);
int vhost_iommu_host_check_hwpt(struct vhost_iommu *viommu, u32 hwpt);
int vhost_iommu_host_ioas_alloc(struct vhost_iommu *viommu, u32 *ioas);
int vhost_iommu_host_errno(struct vhost_iommu *viommu, int rc);
int vhost_iommu_host_try_destroy(struct vhost_iommu *viommu, u32 id);
void vhost_iommu_host_destroy(struct vhost_iommu *viommu, u32 id);
int vhost_iommu_host_hwpt_alloc(struct vhost_iommu *viommu, u32 dev_id,
				u32 pt_id, u32 flags,
				const struct vhost_iommu_format *format,
				const struct vhost_iommu_table *table,
				u32 *hwpt);
u32 vhost_iommu_host_hwpt_flags(void);
int vhost_iommu_host_attach_once(struct vhost_iommu *viommu,
				 struct file *device, u32 *pt_id);
int vhost_iommu_host_map(struct vhost_iommu *viommu, u32 ioas,
			 const struct vhost_iommu_map *map, u64 start,
			 u64 last, const struct vhost_iommu_caller *by);
int vhost_iommu_host_unmap(struct vhost_iommu *viommu, u32 ioas, u64 start,
			   u64 last, const struct vhost_iommu_caller *by);
int vhost_iommu_host_detach(struct vhost_iommu *viommu, struct file *device);
int vhost_iommu_host_clear(struct vhost_iommu *viommu, u32 ioas, u64 start,
			   u64 last, const struct vhost_iommu_caller *by);
bool vhost_iommu_host_is_ready(const struct vhost_iommu *viommu,
			       const struct vhost_iommu_caller *by);

#endif /* _VHOST_IOMMU_H */
