// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: tables of iommufd's selftest
 *
 * For kernels with CONFIG_IOMMUFD_TEST: a second format, so that the layers
 * above know of no other by accident. Number and descriptor are this file's own:
 * the descriptor's first 4 bytes are the value of the table. There are no TLBs;
 * each endpoint has a cache of a few entries, of which an address names one.
 */
#include <kunit/visibility.h>
#include <linux/export.h>
#include <linux/string.h>
#include <linux/unaligned.h>

/* Has no path in the kernel's include directories; see Kbuild */
#include <iommufd_test.h>

#include "iommu_format.h"

#define SELFTEST_FORMAT			255

static u8 vhost_iommu_selftest_table(const struct vhost_iommu_hw *hw,
				     const u8 *descriptor,
				     struct vhost_iommu_table *table)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = get_unaligned_le32(descriptor),
	};

	if (memchr_inv(descriptor + sizeof(data.iotlb), 0,
		       VHOST_IOMMU_DESCRIPTOR_LEN - sizeof(data.iotlb)))
		return VIRTIO_IOMMU_S_INVAL;
	memset(table, 0, sizeof(*table));
	memcpy(table->data, &data, sizeof(data));
	return VIRTIO_IOMMU_S_OK;
}

static u8 vhost_iommu_selftest_check(const struct vhost_iommu_hw *hw,
				     const struct vhost_iommu_req *req)
{
	return req->pasid ? VIRTIO_IOMMU_S_INVAL : VIRTIO_IOMMU_S_OK;
}

static void vhost_iommu_selftest_device(const struct vhost_iommu_req *req,
					u64 virt_id, bool ats, u8 pasid_bits,
					struct vhost_iommu_cmds *cmds)
{
	struct iommu_viommu_invalidate_selftest data = { .vdev_id = virt_id };
	struct vhost_iommu_cmd *cmd = &cmds->cmd[cmds->nr++];

	if (req->scope == VIRTIO_IOMMU_INV_S_ADDRESS &&
	    req->virt_start >> 12 == req->virt_end >> 12)
		data.cache_id = (req->virt_start >> 12) % MOCK_DEV_CACHE_NUM;
	else
		data.flags = IOMMU_TEST_INVALIDATE_FLAG_ALL;
	memset(cmd, 0, sizeof(*cmd));
	memcpy(cmd, &data, sizeof(data));
}

static void vhost_iommu_selftest_event(const void *record,
				       struct vhost_iommu_event *event)
{
	const struct iommu_viommu_event_selftest *raw = record;

	memset(event, 0, sizeof(*event));
	event->virt_id = raw->virt_id;
	event->reason = VIRTIO_IOMMU_FAULT_R_UNKNOWN;
}

const struct vhost_iommu_format vhost_iommu_format_selftest = {
	.id = SELFTEST_FORMAT,
	.viommu_type = IOMMU_VIOMMU_TYPE_SELFTEST,
	.hw_type = IOMMU_HW_INFO_TYPE_SELFTEST,
	.data_type = IOMMU_HWPT_DATA_SELFTEST,
	.data_len = sizeof(struct iommu_hwpt_selftest),
	.inv_type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
	.event_len = sizeof(struct iommu_viommu_event_selftest),
	.table = vhost_iommu_selftest_table,
	.check = vhost_iommu_selftest_check,
	.device = vhost_iommu_selftest_device,
	.event = vhost_iommu_selftest_event,
};
EXPORT_SYMBOL_IF_KUNIT(vhost_iommu_format_selftest);
