// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user API's structures have one layout, for 32-bit and 64-bit callers.
 * Checked by the compiler; this file is built for both.
 */
#include <linux/virtio_iommu_table.h>

#include "suite.h"

#define SIZE(s, n)							\
	_Static_assert(sizeof(struct vhost_iommu_##s) == (n),		\
		       "size of vhost_iommu_" #s)
#define AT(s, m, n)							\
	_Static_assert(offsetof(struct vhost_iommu_##s, m) == (n),	\
		       #m " of vhost_iommu_" #s)

SIZE(info, 104);
AT(info, size, 0);
AT(info, flags, 4);
AT(info, out_calls, 8);
AT(info, out_capabilities, 16);
AT(info, out_features, 24);
AT(info, out_proposals, 32);
AT(info, out_table_formats, 40);
AT(info, out_max_mappings, 48);
AT(info, out_max_table_pages, 56);
AT(info, out_max_domains, 64);
AT(info, out_max_endpoints, 68);
AT(info, out_max_viommus, 72);
AT(info, out_max_eventqs, 76);
AT(info, out_max_doorbells, 80);
AT(info, out_max_queues, 84);
AT(info, out_scratch_size, 88);
AT(info, out_max_probe_size, 92);
AT(info, out_hwpt_flags, 96);
AT(info, __reserved, 100);

SIZE(set_config, 64);
AT(set_config, page_size_mask, 8);
AT(set_config, input_start, 16);
AT(set_config, input_end, 24);
AT(set_config, domain_start, 32);
AT(set_config, domain_end, 36);
AT(set_config, probe_size, 40);
AT(set_config, num_queues, 44);
AT(set_config, proposals, 48);
AT(set_config, bypass, 56);
AT(set_config, __reserved, 57);

SIZE(set_iommufd, 32);
AT(set_iommufd, iommufd, 8);
AT(set_iommufd, ram_ioas_id, 12);
AT(set_iommufd, scratch_addr, 16);
AT(set_iommufd, scratch_len, 24);
AT(set_iommufd, __reserved, 28);

SIZE(add_viommu, 24);
AT(add_viommu, viommu, 8);
AT(add_viommu, format, 12);
AT(add_viommu, parent_hwpt_id, 16);
AT(add_viommu, viommu_id, 20);

SIZE(remove_viommu, 16);
AT(remove_viommu, viommu, 8);
AT(remove_viommu, __reserved, 12);

SIZE(add_eventq, 24);
AT(add_eventq, eventq, 8);
AT(add_eventq, type, 12);
AT(add_eventq, viommu, 16);
AT(add_eventq, fd, 20);

SIZE(remove_eventq, 16);
AT(remove_eventq, eventq, 8);
AT(remove_eventq, __reserved, 12);

SIZE(add_endpoint, 56);
AT(add_endpoint, endpoint, 8);
AT(add_endpoint, device_fd, 12);
AT(add_endpoint, dev_id, 16);
AT(add_endpoint, ram_hwpt_id, 20);
AT(add_endpoint, hwpt_flags, 24);
AT(add_endpoint, group_id, 28);
AT(add_endpoint, viommu, 32);
AT(add_endpoint, probe_len, 36);
AT(add_endpoint, probe_addr, 40);
AT(add_endpoint, virt_id, 48);

SIZE(remove_endpoint, 16);
AT(remove_endpoint, endpoint, 8);
AT(remove_endpoint, __reserved, 12);

SIZE(set_doorbell, 24);
AT(set_doorbell, start, 8);
AT(set_doorbell, last, 16);

SIZE(remove_ram, 48);
AT(remove_ram, start, 8);
AT(remove_ram, last, 16);
AT(remove_ram, next_domain, 24);
AT(remove_ram, next_iova, 32);
AT(remove_ram, next_mappings, 40);

SIZE(set_running, 16);
AT(set_running, running, 8);
AT(set_running, __reserved, 12);

SIZE(reset, 24);
AT(reset, next_endpoint, 8);
AT(reset, next_failed, 16);

SIZE(set_limits, 48);
AT(set_limits, max_domains, 8);
AT(set_limits, __reserved, 12);
AT(set_limits, max_mappings, 16);
AT(set_limits, max_table_pages, 24);
AT(set_limits, max_domain_mappings, 32);
AT(set_limits, max_domain_table_pages, 40);

SIZE(set_bypass, 16);
AT(set_bypass, bypass, 8);
AT(set_bypass, __reserved, 9);

SIZE(stat, 16);
AT(stat, id, 0);
AT(stat, index, 4);
AT(stat, value, 8);

SIZE(get_stats, 24);
AT(get_stats, addr, 8);
AT(get_stats, nr, 16);
AT(get_stats, out_nr, 20);

SIZE(get_refusal, 48);
AT(get_refusal, out_count, 8);
AT(get_refusal, out_start, 16);
AT(get_refusal, out_last, 24);
AT(get_refusal, out_phys, 32);
AT(get_refusal, out_domain, 40);
AT(get_refusal, out_status, 44);

SIZE(get_attachment, 56);
AT(get_attachment, endpoint, 8);
AT(get_attachment, pasid, 12);
AT(get_attachment, out_endpoint, 16);
AT(get_attachment, out_pasid, 20);
AT(get_attachment, out_flags, 24);
AT(get_attachment, out_state, 28);
AT(get_attachment, out_domain, 32);
AT(get_attachment, out_group_id, 36);
AT(get_attachment, out_viommu, 40);
AT(get_attachment, out_hwpt_id, 44);
AT(get_attachment, out_mappings, 48);

SIZE(translate, 72);
AT(translate, endpoint, 8);
AT(translate, __reserved, 12);
AT(translate, iova, 16);
AT(translate, out_start, 24);
AT(translate, out_last, 32);
AT(translate, out_phys, 40);
AT(translate, out_access, 48);
AT(translate, out_state, 52);
AT(translate, out_domain, 56);
AT(translate, __reserved2, 60);
AT(translate, out_sequence, 64);

SIZE(log_entry, 24);
AT(log_entry, start, 0);
AT(log_entry, last, 8);
AT(log_entry, id, 16);
AT(log_entry, kind, 20);

SIZE(log, 16);
AT(log, head, 0);
AT(log, nr, 8);
AT(log, __reserved, 12);
AT(log, entries, 16);

SIZE(get_log, 16);
AT(get_log, out_fd, 8);
AT(get_log, out_len, 12);

SIZE(vhost_file, 16);
AT(vhost_file, endpoint, 8);
AT(vhost_file, fd, 12);

SIZE(vhost_miss, 24);
AT(vhost_miss, endpoint, 8);
AT(vhost_miss, fd, 12);
AT(vhost_miss, iova, 16);

SIZE(set_notify, 16);
AT(set_notify, endpoint, 8);
AT(set_notify, __reserved, 12);

SIZE(ack, 16);
AT(ack, sequence, 8);

/* The ioctl numbers don't change either */
_Static_assert(VHOST_IOMMU_GET_INFO == 0xbc00, "GET_INFO");
_Static_assert(VHOST_IOMMU_SET_CONFIG == 0xbc01, "SET_CONFIG");
_Static_assert(VHOST_IOMMU_SET_LIMITS == 0xbc02, "SET_LIMITS");
_Static_assert(VHOST_IOMMU_SET_IOMMUFD == 0xbc03, "SET_IOMMUFD");
_Static_assert(VHOST_IOMMU_ADD_VIOMMU == 0xbc04, "ADD_VIOMMU");
_Static_assert(VHOST_IOMMU_REMOVE_VIOMMU == 0xbc05, "REMOVE_VIOMMU");
_Static_assert(VHOST_IOMMU_ADD_EVENTQ == 0xbc06, "ADD_EVENTQ");
_Static_assert(VHOST_IOMMU_REMOVE_EVENTQ == 0xbc07, "REMOVE_EVENTQ");
_Static_assert(VHOST_IOMMU_ADD_ENDPOINT == 0xbc08, "ADD_ENDPOINT");
_Static_assert(VHOST_IOMMU_REMOVE_ENDPOINT == 0xbc09, "REMOVE_ENDPOINT");
_Static_assert(VHOST_IOMMU_SET_DOORBELL == 0xbc0a, "SET_DOORBELL");
_Static_assert(VHOST_IOMMU_REMOVE_RAM == 0xbc0b, "REMOVE_RAM");
_Static_assert(VHOST_IOMMU_SET_BYPASS == 0xbc0c, "SET_BYPASS");
_Static_assert(VHOST_IOMMU_SET_RUNNING == 0xbc0d, "SET_RUNNING");
_Static_assert(VHOST_IOMMU_RESET == 0xbc0e, "RESET");
_Static_assert(VHOST_IOMMU_GET_STATS == 0xbc0f, "GET_STATS");
_Static_assert(VHOST_IOMMU_GET_REFUSAL == 0xbc10, "GET_REFUSAL");
_Static_assert(VHOST_IOMMU_GET_ATTACHMENT == 0xbc11, "GET_ATTACHMENT");
_Static_assert(VHOST_IOMMU_TRANSLATE == 0xbc12, "TRANSLATE");
_Static_assert(VHOST_IOMMU_GET_LOG == 0xbc13, "GET_LOG");
_Static_assert(VHOST_IOMMU_ADD_VHOST == 0xbc14, "ADD_VHOST");
_Static_assert(VHOST_IOMMU_REMOVE_VHOST == 0xbc15, "REMOVE_VHOST");
_Static_assert(VHOST_IOMMU_VHOST_MISS == 0xbc16, "VHOST_MISS");
_Static_assert(VHOST_IOMMU_SET_NOTIFY == 0xbc17, "SET_NOTIFY");
_Static_assert(VHOST_IOMMU_ACK == 0xbc18, "ACK");

/* What figures are called, too */
_Static_assert(VHOST_IOMMU_STAT_REQUESTS == 1, "STAT_REQUESTS");
_Static_assert(VHOST_IOMMU_STAT_REPLIES == 2, "STAT_REPLIES");
_Static_assert(VHOST_IOMMU_STAT_NO_STATUS == 3, "STAT_NO_STATUS");
_Static_assert(VHOST_IOMMU_STAT_BATCHES == 4, "STAT_BATCHES");
_Static_assert(VHOST_IOMMU_STAT_WAKEUPS == 5, "STAT_WAKEUPS");
_Static_assert(VHOST_IOMMU_STAT_POLL_HITS == 6, "STAT_POLL_HITS");
_Static_assert(VHOST_IOMMU_STAT_IN_PLACE == 7, "STAT_IN_PLACE");
_Static_assert(VHOST_IOMMU_STAT_RING_ERRORS == 8, "STAT_RING_ERRORS");
_Static_assert(VHOST_IOMMU_STAT_REFUSED_MAPS == 9, "STAT_REFUSED_MAPS");
_Static_assert(VHOST_IOMMU_STAT_DOMAINS == 10, "STAT_DOMAINS");
_Static_assert(VHOST_IOMMU_STAT_ENDPOINTS == 11, "STAT_ENDPOINTS");
_Static_assert(VHOST_IOMMU_STAT_BROKEN == 12, "STAT_BROKEN");
_Static_assert(VHOST_IOMMU_STAT_MAPPINGS == 13, "STAT_MAPPINGS");
_Static_assert(VHOST_IOMMU_STAT_MAPPED_BYTES == 14, "STAT_MAPPED_BYTES");
_Static_assert(VHOST_IOMMU_STAT_TABLE_PAGES == 15, "STAT_TABLE_PAGES");
_Static_assert(VHOST_IOMMU_STAT_REBUILDS == 16, "STAT_REBUILDS");
_Static_assert(VHOST_IOMMU_STAT_HOST_ERRORS == 17, "STAT_HOST_ERRORS");
_Static_assert(VHOST_IOMMU_STAT_EVENTS == 18, "STAT_EVENTS");
_Static_assert(VHOST_IOMMU_STAT_EVENTS_DROPPED == 19, "STAT_EVENTS_DROPPED");
_Static_assert(VHOST_IOMMU_STAT_EVENTS_LOST == 20, "STAT_EVENTS_LOST");
_Static_assert(VHOST_IOMMU_STAT_INV_COMMANDS == 21, "STAT_INV_COMMANDS");
_Static_assert(VHOST_IOMMU_STAT_INV_CALLS == 22, "STAT_INV_CALLS");
_Static_assert(VHOST_IOMMU_STAT_QUEUE_REQUESTS == 23, "STAT_QUEUE_REQUESTS");
_Static_assert(VHOST_IOMMU_STAT_VHOST_MISSES == 24, "STAT_VHOST_MISSES");
_Static_assert(VHOST_IOMMU_STAT_VHOST_UPDATES == 25, "STAT_VHOST_UPDATES");
_Static_assert(VHOST_IOMMU_STAT_VHOST_INVALIDATIONS == 26,
	       "STAT_VHOST_INVALIDATIONS");
_Static_assert(VHOST_IOMMU_STAT_HELD_REPLIES == 27, "STAT_HELD_REPLIES");

/* Nor does what goes over the ring */
_Static_assert(VIRTIO_IOMMU_F_ATTACH_TABLE == 7, "F_ATTACH_TABLE");
_Static_assert(VIRTIO_IOMMU_T_ATTACH_TABLE == 6, "T_ATTACH_TABLE");
_Static_assert(VIRTIO_IOMMU_T_INVALIDATE == 7, "T_INVALIDATE");

#define WIRE(s, n)							\
	_Static_assert(sizeof(struct virtio_iommu_##s) == (n),		\
		       "size of virtio_iommu_" #s)
#define WIRE_AT(s, m, n)						\
	_Static_assert(offsetof(struct virtio_iommu_##s, m) == (n),	\
		       #m " of virtio_iommu_" #s)

WIRE(req_attach_table, 128);
WIRE_AT(req_attach_table, domain, 4);
WIRE_AT(req_attach_table, endpoint, 8);
WIRE_AT(req_attach_table, format, 12);
WIRE_AT(req_attach_table, descriptor, 13);
WIRE_AT(req_attach_table, tail, 124);
WIRE(req_attach_table_arm, 128);
WIRE_AT(req_attach_table_arm, domain, 4);
WIRE_AT(req_attach_table_arm, endpoint, 8);
WIRE_AT(req_attach_table_arm, format, 12);
WIRE_AT(req_attach_table_arm, reserved, 13);
WIRE_AT(req_attach_table_arm, ste, 16);
WIRE_AT(req_attach_table_arm, reserved2, 32);
WIRE_AT(req_attach_table_arm, tail, 124);
WIRE(req_invalidate, 64);
WIRE_AT(req_invalidate, scope, 4);
WIRE_AT(req_invalidate, caches, 5);
WIRE_AT(req_invalidate, flags, 6);
WIRE_AT(req_invalidate, domain, 8);
WIRE_AT(req_invalidate, pasid, 12);
WIRE_AT(req_invalidate, id, 16);
WIRE_AT(req_invalidate, address, 24);
WIRE_AT(req_invalidate, nr_pages, 32);
WIRE_AT(req_invalidate, page_size, 40);
WIRE_AT(req_invalidate, reserved, 41);
WIRE_AT(req_invalidate, tail, 60);
WIRE(probe_arm_smmuv3, 56);
WIRE_AT(probe_arm_smmuv3, idr, 8);
WIRE(fault_pasid, 24);
WIRE_AT(fault_pasid, flags, 4);
WIRE_AT(fault_pasid, endpoint, 8);
WIRE_AT(fault_pasid, pasid, 12);
WIRE_AT(fault_pasid, address, 16);

/* The compiler has done the work; the kernel has to agree on one structure */
TEST(layout)
{
	struct vhost_iommu_get_stats s = { .size = sizeof(s) };
	struct vmm v;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	EXPECT_EQ(0, xioctl(v.fd, VHOST_IOMMU_GET_STATS, &s));
	s.size = sizeof(s) - 1;
	EXPECT_EQ(-EINVAL, xioctl(v.fd, VHOST_IOMMU_GET_STATS, &s));
	vmm_close(&v);
}

SUITE;
