/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost_iommu

#if !defined(_TRACE_VHOST_IOMMU_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VHOST_IOMMU_H

#include <linux/tracepoint.h>

#define show_vhost_iommu_type(type)					\
	__print_symbolic(type,						\
		{ 0, "unknown" },					\
		{ 1, "ATTACH" },					\
		{ 2, "DETACH" },					\
		{ 3, "MAP" },						\
		{ 4, "UNMAP" },						\
		{ 5, "PROBE" },						\
		{ 6, "ATTACH_TABLE" },					\
		{ 7, "INVALIDATE" })

#define show_vhost_iommu_status(status)					\
	__print_symbolic(status,					\
		{ -1, "none" },						\
		{ 0, "OK" },						\
		{ 1, "IOERR" },						\
		{ 2, "UNSUPP" },					\
		{ 3, "DEVERR" },					\
		{ 4, "INVAL" },						\
		{ 5, "RANGE" },						\
		{ 6, "NOENT" },						\
		{ 7, "FAULT" },						\
		{ 8, "NOMEM" })

#define show_vhost_iommu_state(state)					\
	__print_symbolic(state,						\
		{ 0, "blocked" },					\
		{ 1, "bypass" },					\
		{ 2, "paging" },					\
		{ 3, "bypass-domain" },					\
		{ 4, "broken" },					\
		{ 5, "table" })

/* A request was carried out; its reply is in guest memory, not yet published */
TRACE_EVENT(vhost_iommu_request,
	TP_PROTO(const struct vhost_iommu *viommu,
		 const struct vhost_iommu_req *req, int status, u32 used_len,
		 u64 latency),
	TP_ARGS(viommu, req, status, used_len, latency),
	TP_STRUCT__entry(
		__field(u32, device)
		__field(u8, type)
		__field(u32, domain)
		__field(u32, endpoint)
		__field(u64, virt_start)
		__field(u64, virt_end)
		__field(u64, phys_start)
		__field(u32, flags)
		__field(int, status)
		__field(u32, used_len)
		__field(u64, latency)
	),
	TP_fast_assign(
		__entry->device = viommu->number;
		__entry->type = req->type;
		__entry->domain = req->domain;
		__entry->endpoint = req->endpoint;
		__entry->virt_start = req->virt_start;
		__entry->virt_end = req->virt_end;
		__entry->phys_start = req->phys_start;
		__entry->flags = req->flags;
		__entry->status = status;
		__entry->used_len = used_len;
		__entry->latency = latency;
	),
	TP_printk("dev=%u type=%s domain=%u endpoint=%u virt=%#llx-%#llx phys=%#llx flags=%#x status=%s used_len=%u latency_ns=%llu",
		  __entry->device, show_vhost_iommu_type(__entry->type),
		  __entry->domain, __entry->endpoint, __entry->virt_start,
		  __entry->virt_end, __entry->phys_start, __entry->flags,
		  show_vhost_iommu_status(__entry->status), __entry->used_len,
		  __entry->latency)
);

/* A MAP was not carried out; Linux' driver takes no notice of that */
TRACE_EVENT(vhost_iommu_refused,
	TP_PROTO(const struct vhost_iommu *viommu,
		 const struct vhost_iommu_req *req, int status),
	TP_ARGS(viommu, req, status),
	TP_STRUCT__entry(
		__field(u32, device)
		__field(u32, domain)
		__field(u64, virt_start)
		__field(u64, virt_end)
		__field(u64, phys_start)
		__field(u32, flags)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->device = viommu->number;
		__entry->domain = req->domain;
		__entry->virt_start = req->virt_start;
		__entry->virt_end = req->virt_end;
		__entry->phys_start = req->phys_start;
		__entry->flags = req->flags;
		__entry->status = status;
	),
	TP_printk("dev=%u domain=%u virt=%#llx-%#llx phys=%#llx flags=%#x status=%s",
		  __entry->device, __entry->domain, __entry->virt_start,
		  __entry->virt_end, __entry->phys_start, __entry->flags,
		  show_vhost_iommu_status(__entry->status))
);

/* An event of the IOMMU was given to the guest */
TRACE_EVENT(vhost_iommu_event,
	TP_PROTO(const struct vhost_iommu *viommu, u32 endpoint,
		 const struct vhost_iommu_event *event),
	TP_ARGS(viommu, endpoint, event),
	TP_STRUCT__entry(
		__field(u32, device)
		__field(u32, endpoint)
		__field(u8, reason)
		__field(u32, flags)
		__field(u32, pasid)
		__field(u64, address)
	),
	TP_fast_assign(
		__entry->device = viommu->number;
		__entry->endpoint = endpoint;
		__entry->reason = event->reason;
		__entry->flags = event->flags;
		__entry->pasid = event->pasid;
		__entry->address = event->address;
	),
	TP_printk("dev=%u endpoint=%u reason=%u flags=%#x pasid=%u address=%#llx",
		  __entry->device, __entry->endpoint, __entry->reason,
		  __entry->flags, __entry->pasid, __entry->address)
);

/* An endpoint was added, moved, reset or (as blocked) removed */
TRACE_EVENT(vhost_iommu_endpoint,
	TP_PROTO(const struct vhost_iommu *viommu, u32 endpoint, u32 state,
		 u32 domain, int rc),
	TP_ARGS(viommu, endpoint, state, domain, rc),
	TP_STRUCT__entry(
		__field(u32, device)
		__field(u32, endpoint)
		__field(u32, state)
		__field(u32, domain)
		__field(int, rc)
	),
	TP_fast_assign(
		__entry->device = viommu->number;
		__entry->endpoint = endpoint;
		__entry->state = state;
		__entry->domain = domain;
		__entry->rc = rc;
	),
	TP_printk("dev=%u endpoint=%u state=%s domain=%u rc=%d",
		  __entry->device, __entry->endpoint,
		  show_vhost_iommu_state(__entry->state), __entry->domain,
		  __entry->rc)
);

/* A command was forwarded to iommufd or VFIO */
TRACE_EVENT(vhost_iommu_host_cmd,
	TP_PROTO(const struct vhost_iommu *viommu, u32 cmd, int rc),
	TP_ARGS(viommu, cmd, rc),
	TP_STRUCT__entry(
		__field(u32, device)
		__field(u32, cmd)
		__field(int, rc)
	),
	TP_fast_assign(
		__entry->device = viommu->number;
		__entry->cmd = cmd;
		__entry->rc = rc;
	),
	TP_printk("dev=%u cmd=%#x rc=%d", __entry->device, __entry->cmd,
		  __entry->rc)
);

#endif /* _TRACE_VHOST_IOMMU_H */

#include <trace/define_trace.h>
