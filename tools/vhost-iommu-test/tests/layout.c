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

SIZE(info, 80);
AT(info, size, 0);
AT(info, flags, 4);
AT(info, out_capabilities, 8);
AT(info, out_virtio_features, 16);
AT(info, out_scratch_size, 24);
AT(info, out_max_probe_size, 28);
AT(info, out_max_domains, 32);
AT(info, out_max_endpoints, 36);
AT(info, out_max_mappings, 40);
AT(info, out_max_table_pages, 48);
AT(info, out_max_doorbells, 56);
AT(info, __reserved, 60);
AT(info, out_table_formats, 64);
AT(info, out_max_viommus, 72);
AT(info, __reserved2, 76);

SIZE(set_config, 48);
AT(set_config, page_size_mask, 8);
AT(set_config, input_start, 16);
AT(set_config, input_end, 24);
AT(set_config, domain_start, 32);
AT(set_config, domain_end, 36);
AT(set_config, probe_size, 40);
AT(set_config, bypass, 44);
AT(set_config, __reserved, 45);

SIZE(set_iommufd, 32);
AT(set_iommufd, iommufd, 8);
AT(set_iommufd, ram_ioas_id, 12);
AT(set_iommufd, scratch_addr, 16);
AT(set_iommufd, scratch_len, 24);
AT(set_iommufd, __reserved, 28);

SIZE(add_viommu, 24);
AT(add_viommu, viommu_id, 8);
AT(add_viommu, viommu_type, 12);
AT(add_viommu, parent_hwpt_id, 16);
AT(add_viommu, event_fd, 20);

SIZE(remove_viommu, 16);
AT(remove_viommu, viommu_id, 8);
AT(remove_viommu, __reserved, 12);

SIZE(add_endpoint, 56);
AT(add_endpoint, endpoint, 8);
AT(add_endpoint, device_fd, 12);
AT(add_endpoint, dev_id, 16);
AT(add_endpoint, ram_hwpt_id, 20);
AT(add_endpoint, group_id, 24);
AT(add_endpoint, probe_len, 28);
AT(add_endpoint, probe_addr, 32);
AT(add_endpoint, viommu_id, 40);
AT(add_endpoint, __reserved, 44);
AT(add_endpoint, virt_id, 48);

SIZE(remove_endpoint, 16);
AT(remove_endpoint, endpoint, 8);
AT(remove_endpoint, __reserved, 12);

SIZE(set_doorbell, 24);
AT(set_doorbell, start, 8);
AT(set_doorbell, last, 16);

SIZE(remove_ram, 32);
AT(remove_ram, start, 8);
AT(remove_ram, last, 16);
AT(remove_ram, out_mappings, 24);

SIZE(set_running, 16);
AT(set_running, running, 8);
AT(set_running, __reserved, 12);

SIZE(reset, 8);

SIZE(set_limits, 32);
AT(set_limits, max_domains, 8);
AT(set_limits, __reserved, 12);
AT(set_limits, max_mappings, 16);
AT(set_limits, max_table_pages, 24);

SIZE(set_bypass, 16);
AT(set_bypass, bypass, 8);
AT(set_bypass, __reserved, 9);

SIZE(stats, 568);
AT(stats, out_requests, 8);
AT(stats, out_status, 136);
AT(stats, out_no_status, 264);
AT(stats, out_batches, 272);
AT(stats, out_wakeups, 280);
AT(stats, out_poll_hits, 288);
AT(stats, out_ring_errors, 296);
AT(stats, out_mapped_bytes, 304);
AT(stats, out_mappings, 312);
AT(stats, out_table_pages, 320);
AT(stats, out_rebuilds, 328);
AT(stats, out_host_errors, 336);
AT(stats, out_domains, 344);
AT(stats, out_endpoints, 348);
AT(stats, out_broken, 352);
AT(stats, __reserved, 356);
AT(stats, out_events, 360);
AT(stats, out_events_dropped, 368);
AT(stats, out_events_lost, 376);
AT(stats, out_inv_commands, 384);
AT(stats, out_inv_calls, 392);
AT(stats, out_in_place, 400);
AT(stats, out_refused_maps, 408);
AT(stats, out_refused_domain, 536);
AT(stats, out_refused_status, 540);
AT(stats, out_refused_start, 544);
AT(stats, out_refused_last, 552);
AT(stats, out_refused_phys, 560);

SIZE(get_endpoint, 40);
AT(get_endpoint, endpoint, 8);
AT(get_endpoint, out_endpoint, 12);
AT(get_endpoint, out_flags, 16);
AT(get_endpoint, out_state, 20);
AT(get_endpoint, out_domain, 24);
AT(get_endpoint, out_group_id, 28);
AT(get_endpoint, out_mappings, 32);

/* The ioctl numbers don't change either */
_Static_assert(VHOST_IOMMU_GET_INFO == 0xaf50, "GET_INFO");
_Static_assert(VHOST_IOMMU_SET_CONFIG == 0xaf51, "SET_CONFIG");
_Static_assert(VHOST_IOMMU_SET_IOMMUFD == 0xaf52, "SET_IOMMUFD");
_Static_assert(VHOST_IOMMU_ADD_ENDPOINT == 0xaf53, "ADD_ENDPOINT");
_Static_assert(VHOST_IOMMU_REMOVE_ENDPOINT == 0xaf54, "REMOVE_ENDPOINT");
_Static_assert(VHOST_IOMMU_SET_DOORBELL == 0xaf55, "SET_DOORBELL");
_Static_assert(VHOST_IOMMU_REMOVE_RAM == 0xaf56, "REMOVE_RAM");
_Static_assert(VHOST_IOMMU_SET_RUNNING == 0xaf57, "SET_RUNNING");
_Static_assert(VHOST_IOMMU_RESET == 0xaf58, "RESET");
_Static_assert(VHOST_IOMMU_SET_LIMITS == 0xaf59, "SET_LIMITS");
_Static_assert(VHOST_IOMMU_SET_BYPASS == 0xaf5a, "SET_BYPASS");
_Static_assert(VHOST_IOMMU_GET_STATS == 0xaf5b, "GET_STATS");
_Static_assert(VHOST_IOMMU_GET_ENDPOINT == 0xaf5c, "GET_ENDPOINT");
_Static_assert(VHOST_IOMMU_ADD_VIOMMU == 0xaf5d, "ADD_VIOMMU");
_Static_assert(VHOST_IOMMU_REMOVE_VIOMMU == 0xaf5e, "REMOVE_VIOMMU");

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
	struct vhost_iommu_stats s = { .size = sizeof(s) };
	struct vmm v;

	vmm_init(&v);
	ASSERT_EQ(0, vmm_open(&v));
	EXPECT_EQ(0, xioctl(v.fd, VHOST_IOMMU_GET_STATS, &s));
	s.size = offsetof(struct vhost_iommu_stats, out_events) - 1;
	EXPECT_EQ(-EINVAL, xioctl(v.fd, VHOST_IOMMU_GET_STATS, &s));
	vmm_close(&v);
}

SUITE;
