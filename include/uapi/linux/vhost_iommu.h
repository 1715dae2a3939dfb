/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * User API of /dev/vhost-iommu, an in-kernel back end for virtio-iommu.
 *
 * One open file is one virtio-iommu device. Ring 1 is the event queue, the others
 * are request queues; all are set up by the VHOST_* ioctls of <linux/vhost.h>.
 */
#ifndef _UAPI_LINUX_VHOST_IOMMU_H
#define _UAPI_LINUX_VHOST_IOMMU_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include <linux/vhost_iommu_soft.h>

/**
 * DOC: General ioctl format
 *
 * Every structure begins with @size, the number of bytes the caller knows, and
 * @flags. A caller that knows less than the kernel gets the old behaviour; a
 * caller that knows more succeeds as long as the part that the kernel does not
 * know is zero. Members whose name begins with out are written by the kernel and
 * ignored on input; nothing is written when the call fails. Those whose name begins
 * with next are for calls that go in pieces, and are written after EINTR, EIO and
 * ENOMEM, too. The layout is the same for 32-bit and 64-bit callers.
 *
 * An errno means one thing for all of these ioctls:
 *
 *  - EPERM: the caller's address space is not the device's owner (see
 *    VHOST_SET_OWNER), or a security module refused the forwarded command
 *  - E2BIG: @size covers members that this kernel does not know, and they are
 *    not zero
 *  - EINVAL: @size is smaller than the first version of the structure, or a
 *    value is out of its documented range
 *  - EOPNOTSUPP: an unknown flag or a reserved member that is not zero, or
 *    something this kernel or this IOMMU does not do
 *  - EFAULT: the argument, or memory that it points to, can not be accessed
 *  - EBADF: a file descriptor is not open
 *  - EBADFD: a file descriptor is open, but of the wrong kind
 *  - ENODEV: the VFIO device has no IOMMU, or is not bound to an iommufd
 *  - EXDEV: the VFIO device is bound to another iommufd
 *  - ENXIO: a call that has to come first was not made
 *  - EBUSY: not while the device is running, or as long as something uses the
 *    object, or a call that can be made once only was made twice, or a reset has
 *    begun and not come to its end
 *  - EEXIST: there is such an object, or a range overlaps another one
 *  - ENOENT: there is no such object or range
 *  - EMFILE, ENFILE: the process, or the system, has no room for another file
 *  - ENOSPC: a limit of the device is reached
 *  - ENOMEM: out of memory
 *  - EIO: the IOMMU did not do what was asked for; the endpoint is blocked
 *  - EINTR: a signal came first. Calls that go in pieces have done a part then, and
 *    written the members whose name begins with next: made again with what is in
 *    there, they go on. All others end so only if the caller is killed.
 *  - ENOTTY: no such ioctl
 *
 * The VHOST_* ioctls keep the errno values of <linux/vhost.h>.
 *
 * Objects that the VMM adds (endpoints, vIOMMUs, event queues) have numbers of its
 * choice, of 32 bits each and distinct among their kind.
 */

/*
 * A type of its own: that of <linux/vhost.h> is shared by all vhost devices, and has
 * little room left. Numbers 0x00 to 0x3F are this file's.
 */
#define VHOST_IOMMU_TYPE		0xBC

#define VHOST_IOMMU_GET_INFO		_IO(VHOST_IOMMU_TYPE, 0x00)
#define VHOST_IOMMU_SET_CONFIG		_IO(VHOST_IOMMU_TYPE, 0x01)
#define VHOST_IOMMU_SET_LIMITS		_IO(VHOST_IOMMU_TYPE, 0x02)
#define VHOST_IOMMU_SET_IOMMUFD		_IO(VHOST_IOMMU_TYPE, 0x03)
#define VHOST_IOMMU_ADD_VIOMMU		_IO(VHOST_IOMMU_TYPE, 0x04)
#define VHOST_IOMMU_REMOVE_VIOMMU	_IO(VHOST_IOMMU_TYPE, 0x05)
#define VHOST_IOMMU_ADD_EVENTQ		_IO(VHOST_IOMMU_TYPE, 0x06)
#define VHOST_IOMMU_REMOVE_EVENTQ	_IO(VHOST_IOMMU_TYPE, 0x07)
#define VHOST_IOMMU_ADD_ENDPOINT	_IO(VHOST_IOMMU_TYPE, 0x08)
#define VHOST_IOMMU_REMOVE_ENDPOINT	_IO(VHOST_IOMMU_TYPE, 0x09)
#define VHOST_IOMMU_SET_DOORBELL	_IO(VHOST_IOMMU_TYPE, 0x0A)
#define VHOST_IOMMU_REMOVE_RAM		_IO(VHOST_IOMMU_TYPE, 0x0B)
#define VHOST_IOMMU_SET_BYPASS		_IO(VHOST_IOMMU_TYPE, 0x0C)
#define VHOST_IOMMU_SET_RUNNING		_IO(VHOST_IOMMU_TYPE, 0x0D)
#define VHOST_IOMMU_RESET		_IO(VHOST_IOMMU_TYPE, 0x0E)
#define VHOST_IOMMU_GET_STATS		_IO(VHOST_IOMMU_TYPE, 0x0F)
#define VHOST_IOMMU_GET_REFUSAL		_IO(VHOST_IOMMU_TYPE, 0x10)
#define VHOST_IOMMU_GET_ATTACHMENT	_IO(VHOST_IOMMU_TYPE, 0x11)
#define VHOST_IOMMU_TRANSLATE		_IO(VHOST_IOMMU_TYPE, 0x12)
#define VHOST_IOMMU_GET_LOG		_IO(VHOST_IOMMU_TYPE, 0x13)
#define VHOST_IOMMU_ADD_VHOST		_IO(VHOST_IOMMU_TYPE, 0x14)
#define VHOST_IOMMU_REMOVE_VHOST	_IO(VHOST_IOMMU_TYPE, 0x15)
#define VHOST_IOMMU_VHOST_MISS		_IO(VHOST_IOMMU_TYPE, 0x16)
#define VHOST_IOMMU_SET_NOTIFY		_IO(VHOST_IOMMU_TYPE, 0x17)
#define VHOST_IOMMU_ACK			_IO(VHOST_IOMMU_TYPE, 0x18)

/*
 * Rings, as the guest numbers its virtqueues: the first request queue, the event queue,
 * and the further request queues of VIRTIO_IOMMU_F_MQ. Without those there are two.
 */
#define VHOST_IOMMU_VQ_REQUEST		0
#define VHOST_IOMMU_VQ_EVENT		1
#define VHOST_IOMMU_VQ_MAX		2
#define VHOST_IOMMU_VQ_REQUEST_NR(n)	((n) ? (n) + 1 : 0)

/**
 * struct vhost_iommu_info - ioctl(VHOST_IOMMU_GET_INFO)
 * @size: sizeof(struct vhost_iommu_info)
 * @flags: Must be 0
 * @out_calls: The calls that there are, a mask of 1 << the number of each
 * @out_capabilities: What this module can do, a mask of VHOST_IOMMU_CAP_*
 * @out_features: All feature bits that VHOST_GET_FEATURES can offer
 * @out_proposals: Those of them that no specification has: they are offered only if
 *                 &vhost_iommu_set_config.proposals asks for them
 * @out_table_formats: Formats of ATTACH_TABLE that this kernel knows, a mask of
 *                     1 << VIRTIO_IOMMU_FORMAT_* (<linux/virtio_iommu_table.h>)
 * @out_max_mappings: Largest value accepted for a limit of mappings
 * @out_max_table_pages: Largest value accepted for a limit of page-table pages
 * @out_max_domains: Largest value accepted for max_domains
 * @out_max_endpoints: Number of endpoints that one device can have
 * @out_max_viommus: Number of vIOMMUs that one device can have
 * @out_max_eventqs: Number of event queues of vIOMMUs that one device can have
 * @out_max_doorbells: Number of doorbell ranges that one device can have
 * @out_max_queues: Number of request queues that one device can have
 * @out_scratch_size: Smallest scratch area in bytes, see
 *                    struct vhost_iommu_set_iommufd
 * @out_max_probe_size: Largest probe_size and PROBE blob in bytes
 * @out_hwpt_flags: Flags that are accepted as &vhost_iommu_add_endpoint.hwpt_flags
 * @__reserved: Is written as 0
 *
 * Can be called by anybody who holds the file, at any time. A VMM asks this
 * before it builds a virtual machine.
 */
struct vhost_iommu_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_calls;
	__aligned_u64 out_capabilities;
	__aligned_u64 out_features;
	__aligned_u64 out_proposals;
	__aligned_u64 out_table_formats;
	__aligned_u64 out_max_mappings;
	__aligned_u64 out_max_table_pages;
	__u32 out_max_domains;
	__u32 out_max_endpoints;
	__u32 out_max_viommus;
	__u32 out_max_eventqs;
	__u32 out_max_doorbells;
	__u32 out_max_queues;
	__u32 out_scratch_size;
	__u32 out_max_probe_size;
	__u32 out_hwpt_flags;
	__u32 __reserved;
};

/* MAP and UNMAP requests are served by this kernel */
#define VHOST_IOMMU_CAP_MAP_UNMAP	(1ULL << 0)
/* ATTACH_TABLE and INVALIDATE requests are served by this kernel */
#define VHOST_IOMMU_CAP_ATTACH_TABLE	(1ULL << 1)

/**
 * enum vhost_iommu_config_flags - flags of VHOST_IOMMU_SET_CONFIG
 * @VHOST_IOMMU_CONFIG_WORKER_ONLY: Requests are served by the vhost worker only,
 *                                  not by the thread that kicks
 */
enum vhost_iommu_config_flags {
	VHOST_IOMMU_CONFIG_WORKER_ONLY = 1 << 0,
};

/**
 * struct vhost_iommu_set_config - ioctl(VHOST_IOMMU_SET_CONFIG)
 * @size: sizeof(struct vhost_iommu_set_config)
 * @flags: Combination of enum vhost_iommu_config_flags
 * @page_size_mask: As in the virtio-iommu configuration space. The lowest bit
 *                  is the granule in bytes, 4 KiB or more; must not be 0.
 * @input_start: First IOVA of the input range
 * @input_end: Last IOVA of the input range, not below @input_start. Used when
 *             the driver accepted VIRTIO_IOMMU_F_INPUT_RANGE.
 * @domain_start: First domain ID
 * @domain_end: Last domain ID, not below @domain_start. Used when the driver
 *              accepted VIRTIO_IOMMU_F_DOMAIN_RANGE.
 * @probe_size: Size in bytes of the property part of a PROBE request, at most
 *              &vhost_iommu_info.out_max_probe_size
 * @num_queues: Number of request queues that the guest sees, from 1 to
 *              &vhost_iommu_info.out_max_queues
 * @proposals: Feature bits that VHOST_GET_FEATURES offers from now on though no
 *             specification has them, of &vhost_iommu_info.out_proposals:
 *             EOPNOTSUPP for others. EINVAL if one is missing that was accepted
 *             by VHOST_SET_FEATURES.
 * @bypass: 1: an endpoint outside any domain is in bypass; 0: it is blocked.
 *          Set 1 only if VIRTIO_IOMMU_F_BYPASS_CONFIG is offered to the guest.
 *          See also VHOST_IOMMU_SET_BYPASS.
 * @__reserved: Must be 0
 *
 * What the VMM presents in the virtio-iommu configuration space (VIRTIO 1.3,
 * section 5.13.4). Has to come before SET_RUNNING, ADD_ENDPOINT, REMOVE_RAM and
 * SET_BYPASS; can be repeated as long as the device is stopped and has no endpoint,
 * EBUSY otherwise.
 */
struct vhost_iommu_set_config {
	__u32 size;
	__u32 flags;
	__aligned_u64 page_size_mask;
	__aligned_u64 input_start;
	__aligned_u64 input_end;
	__u32 domain_start;
	__u32 domain_end;
	__u32 probe_size;
	__u32 num_queues;
	__aligned_u64 proposals;
	__u8 bypass;
	__u8 __reserved[7];
};

/**
 * struct vhost_iommu_set_iommufd - ioctl(VHOST_IOMMU_SET_IOMMUFD)
 * @size: sizeof(struct vhost_iommu_set_iommufd)
 * @flags: Must be 0
 * @iommufd: An open /dev/iommu. EBADFD for any other file.
 * @ram_ioas_id: The IOAS in which the VMM has mapped guest RAM at
 *               guest-physical addresses. It should have an HWPT, so that
 *               its pages are pinned once. ENOENT if there is no such IOAS.
 * @scratch_addr: Address of memory of the caller that the kernel uses for the
 *                arguments of iommufd and VFIO commands, aligned to 8 bytes
 * @scratch_len: Its length in bytes, at least
 *               &vhost_iommu_info.out_scratch_size
 * @__reserved: Must be 0
 *
 * Hands over the iommufd. The VMM must leave the scratch area mapped and
 * untouched until the file is closed: what it writes there, it does to its own
 * guest. If the area is gone when a device has to be detached, the kernel maps a
 * page of its own for a moment. Can be made once, before the first endpoint with
 * a device is added; EBUSY afterwards.
 */
struct vhost_iommu_set_iommufd {
	__u32 size;
	__u32 flags;
	__s32 iommufd;
	__u32 ram_ioas_id;
	__aligned_u64 scratch_addr;
	__u32 scratch_len;
	__u32 __reserved;
};

/**
 * enum vhost_iommu_viommu_flags - flags of VHOST_IOMMU_ADD_VIOMMU
 * @VHOST_IOMMU_VIOMMU_ID: @viommu_id is valid
 */
enum vhost_iommu_viommu_flags {
	VHOST_IOMMU_VIOMMU_ID = 1 << 0,
};

/**
 * struct vhost_iommu_add_viommu - ioctl(VHOST_IOMMU_ADD_VIOMMU)
 * @size: sizeof(struct vhost_iommu_add_viommu)
 * @flags: Combination of enum vhost_iommu_viommu_flags
 * @viommu: The VMM's number for it. EEXIST if there is one.
 * @format: Format of the tables, VIRTIO_IOMMU_FORMAT_*. EOPNOTSUPP for one that
 *          this kernel does not know.
 * @parent_hwpt_id: The nesting parent: an HWPT of the RAM IOAS. ENOENT if there
 *                  is no such HWPT.
 * @viommu_id: With VIOMMU_ID: vIOMMU in the iommufd that was allocated on the
 *             parent (IOMMU_VIOMMU_ALLOC), of the type that @format has. An ID that
 *             is no vIOMMU's is noticed when an endpoint is added to it. 0
 *             otherwise. EINVAL if @format needs one.
 *
 * Announces one slice of a physical IOMMU, on which guest tables can be nested.
 * Has to come before the endpoints that name it, after SET_IOMMUFD (ENXIO).
 */
struct vhost_iommu_add_viommu {
	__u32 size;
	__u32 flags;
	__u32 viommu;
	__u32 format;
	__u32 parent_hwpt_id;
	__u32 viommu_id;
};

/**
 * struct vhost_iommu_remove_viommu - ioctl(VHOST_IOMMU_REMOVE_VIOMMU)
 * @size: sizeof(struct vhost_iommu_remove_viommu)
 * @flags: Must be 0
 * @viommu: The VMM's number. ENOENT if it was not added; EBUSY as long as an
 *          endpoint or an event queue names it.
 * @__reserved: Must be 0
 *
 * Has to come before the VMM destroys the vIOMMU or the nesting parent.
 */
struct vhost_iommu_remove_viommu {
	__u32 size;
	__u32 flags;
	__u32 viommu;
	__u32 __reserved;
};

/**
 * enum vhost_iommu_eventq_type - what comes from an event queue
 * @VHOST_IOMMU_EVENTQ_VIOMMU: Events of a vIOMMU (IOMMU_VEVENTQ_ALLOC), of the type
 *                             that its format has. They become faults on the
 *                             device's event queue.
 */
enum vhost_iommu_eventq_type {
	VHOST_IOMMU_EVENTQ_VIOMMU = 1,
};

/**
 * struct vhost_iommu_add_eventq - ioctl(VHOST_IOMMU_ADD_EVENTQ)
 * @size: sizeof(struct vhost_iommu_add_eventq)
 * @flags: Must be 0
 * @eventq: The VMM's number for it. EEXIST if there is one.
 * @type: One of enum vhost_iommu_eventq_type. EOPNOTSUPP for others, and for
 *        one that the vIOMMU's format does not have.
 * @viommu: The VMM's number of the vIOMMU that it belongs to. ENOENT if that was
 *          not added; EEXIST if it has a queue of this type.
 * @fd: The queue's file. EBADFD for a file of another kind. Nobody else must
 *      read from it.
 *
 * The kernel keeps a reference on the file until REMOVE_EVENTQ: until then
 * IOMMU_DESTROY of the event queue and of the vIOMMU fail.
 */
struct vhost_iommu_add_eventq {
	__u32 size;
	__u32 flags;
	__u32 eventq;
	__u32 type;
	__u32 viommu;
	__s32 fd;
};

/**
 * struct vhost_iommu_remove_eventq - ioctl(VHOST_IOMMU_REMOVE_EVENTQ)
 * @size: sizeof(struct vhost_iommu_remove_eventq)
 * @flags: Must be 0
 * @eventq: The VMM's number. ENOENT if it was not added.
 * @__reserved: Must be 0
 *
 * An event that waits for a buffer of the guest is dropped. Has to come before the
 * VMM destroys the event queue.
 */
struct vhost_iommu_remove_eventq {
	__u32 size;
	__u32 flags;
	__u32 eventq;
	__u32 __reserved;
};

/**
 * enum vhost_iommu_endpoint_flags - flags of VHOST_IOMMU_ADD_ENDPOINT
 * @VHOST_IOMMU_EP_DEVICE: The endpoint is a VFIO device; without this flag it
 *                         is one that the VMM emulates: it takes part in
 *                         domains and PROBE, but there is no hardware.
 * @VHOST_IOMMU_EP_GROUP: @group_id is valid
 * @VHOST_IOMMU_EP_TABLE: @viommu and @virt_id are valid: tables of the guest
 *                        can be attached. Only with EP_DEVICE.
 */
enum vhost_iommu_endpoint_flags {
	VHOST_IOMMU_EP_DEVICE = 1 << 0,
	VHOST_IOMMU_EP_GROUP = 1 << 1,
	VHOST_IOMMU_EP_TABLE = 1 << 2,
};

/**
 * struct vhost_iommu_add_endpoint - ioctl(VHOST_IOMMU_ADD_ENDPOINT)
 * @size: sizeof(struct vhost_iommu_add_endpoint)
 * @flags: Combination of enum vhost_iommu_endpoint_flags
 * @endpoint: Endpoint ID as the guest knows it. EEXIST if it is there.
 * @device_fd: With EP_DEVICE: a VFIO device cdev, bound to the iommufd. EBADFD
 *             for a file of another kind (also a VFIO group, a device opened
 *             through its group, or a vhost-iommu), ENODEV for a device that
 *             no IOMMU translates or that is not bound, EXDEV for one that is
 *             bound to another iommufd. -1 otherwise.
 * @dev_id: With EP_DEVICE: the device ID that VFIO_DEVICE_BIND_IOMMUFD returned
 * @ram_hwpt_id: With EP_DEVICE: an HWPT of the RAM IOAS that the endpoint is
 *               attached to in bypass, or 0 if the endpoint can't be in bypass
 * @hwpt_flags: With EP_DEVICE: what the HWPTs of the domains that the endpoint is
 *              attached to are made with, of &vhost_iommu_info.out_hwpt_flags
 *              (IOMMU_HWPT_ALLOC_*), and the one that blocks it if it is not one
 *              of tables: for dirty pages, or so that the VMM can attach PASIDs of the
 *              device itself. EOPNOTSUPP for other flags, and if the device's IOMMU
 *              can't. Which HWPT it is tells VHOST_IOMMU_GET_ATTACHMENT.
 * @group_id: With EP_GROUP: a number that the endpoints of one IOMMU group have
 *            in common, and no other endpoint has. Without EP_GROUP the
 *            endpoint is alone in its group.
 * @viommu: With EP_TABLE: the VMM's number of a vIOMMU that was announced with
 *          VHOST_IOMMU_ADD_VIOMMU; ENOENT if it was not
 * @probe_len: Length in bytes of the property list at @probe_addr. A list that
 *             is longer than probe_size is accepted, but PROBE requests then
 *             fail, as the specification asks for.
 * @probe_addr: Address of the property list that a PROBE request of this
 *              endpoint returns (VIRTIO 1.3, section 5.13.6.7), copied during
 *              the call. RESV_MEM properties in it are enforced on MAP and
 *              ATTACH. EINVAL for a malformed list, overlapping RESV_MEM
 *              regions or more than one MSI region.
 * @virt_id: With EP_TABLE: the ID by which the vIOMMU knows the endpoint's
 *           device, if it has vDEVICEs that of IOMMU_VDEVICE_ALLOC; of at most 32
 *           bits: EINVAL otherwise. EEXIST if another endpoint has it. Need not be
 *           the endpoint ID.
 *
 * A member that belongs to a flag that is not set has to be 0 (@device_fd: -1);
 * EINVAL otherwise, and if the devices of one group differ in EP_TABLE, in the
 * vIOMMU or in @hwpt_flags, if the IOMMU is not of the vIOMMU's format, or if the
 * device can't be attached to a table of it.
 *
 * When the call returns, the endpoint is in no domain: its device is blocked, in bypass
 * if the configuration says so, or where the members of its group are. If it fails, the
 * device may be detached (blocked). Endpoints can be added while the device is running.
 * The device keeps a reference on the file until the endpoint is removed.
 */
struct vhost_iommu_add_endpoint {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__s32 device_fd;
	__u32 dev_id;
	__u32 ram_hwpt_id;
	__u32 hwpt_flags;
	__u32 group_id;
	__u32 viommu;
	__u32 probe_len;
	__aligned_u64 probe_addr;
	__aligned_u64 virt_id;
};

/**
 * struct vhost_iommu_remove_endpoint - ioctl(VHOST_IOMMU_REMOVE_ENDPOINT)
 * @size: sizeof(struct vhost_iommu_remove_endpoint)
 * @flags: Must be 0
 * @endpoint: ENOENT if it is not there
 * @__reserved: Must be 0
 *
 * The endpoint leaves its domain, its device is detached from the IOMMU page
 * table (all its DMA is then blocked) and its file reference is dropped. Must
 * be called before the VMM unplugs the device: the reference would keep it.
 */
struct vhost_iommu_remove_endpoint {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__u32 __reserved;
};

/**
 * enum vhost_iommu_doorbell_flags - flags of VHOST_IOMMU_SET_DOORBELL
 * @VHOST_IOMMU_DOORBELL_REMOVE: Remove exactly this range; ENOENT if it is not
 *                               there. What was mapped stays mapped.
 */
enum vhost_iommu_doorbell_flags {
	VHOST_IOMMU_DOORBELL_REMOVE = 1 << 0,
};

/**
 * struct vhost_iommu_set_doorbell - ioctl(VHOST_IOMMU_SET_DOORBELL)
 * @size: sizeof(struct vhost_iommu_set_doorbell)
 * @flags: Combination of enum vhost_iommu_doorbell_flags
 * @start: First guest-physical address
 * @last: Last guest-physical address, not below @start
 *
 * Declares a range in which the guest's interrupt controller takes MSI writes.
 * MAP requests with the MMIO flag are accepted inside these ranges and nowhere
 * else. They map nothing: the host routes the interrupts itself. EEXIST if the
 * range overlaps another one, ENOSPC if there are too many.
 */
struct vhost_iommu_set_doorbell {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 last;
};

/**
 * struct vhost_iommu_remove_ram - ioctl(VHOST_IOMMU_REMOVE_RAM)
 * @size: sizeof(struct vhost_iommu_remove_ram)
 * @flags: Must be 0
 * @start: First guest-physical address that goes away
 * @last: Last guest-physical address that goes away, not below @start
 * @next_domain: 0; after EINTR where the next call goes on
 * @next_iova: 0; after EINTR where the next call goes on
 * @next_mappings: 0; number of mappings that were removed or cut so far
 *
 * Must be called before the VMM unmaps the range from the RAM IOAS: mappings
 * made from it would otherwise live on. When the call returns, no device
 * reaches the range through a domain. The guest can map it again while it is in
 * the RAM IOAS: the device is best stopped around both. A mapping that lies
 * partly in the range is cut, its remains stay mapped; those within 64 MiB of the
 * range may be out of reach for a moment while that happens. @start and @last + 1
 * have to be aligned to the granule.
 *
 * Goes in pieces, and with EINTR when a signal comes between two of them. What the
 * guest maps in the meantime may be missed by a call that goes on: if it is not
 * stopped, begin anew, with zeroes. EIO and ENOMEM: no device reaches the range all
 * the same, but some of what was mapped outside of it may be gone, too.
 */
struct vhost_iommu_remove_ram {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 last;
	__aligned_u64 next_domain;
	__aligned_u64 next_iova;
	__aligned_u64 next_mappings;
};

/**
 * struct vhost_iommu_set_running - ioctl(VHOST_IOMMU_SET_RUNNING)
 * @size: sizeof(struct vhost_iommu_set_running)
 * @flags: Must be 0
 * @running: 1 to start, 0 to stop, EINVAL for any other value
 * @__reserved: Must be 0
 *
 * Starts or stops the handling of the rings. Starting needs the addresses of ring 0
 * (EFAULT) and a configuration (ENXIO); other rings are left alone if they have none, and
 * those from 2 on if the driver did not accept VIRTIO_IOMMU_F_MQ.
 * Requests that are in the ring already are handled at once, with or without a
 * kick. Stopping waits for what is in progress, some milliseconds of work whatever
 * the guest has asked for, and changes nothing else: domains, mappings and
 * attachments stay, so that a virtual machine can be paused. A request that was not
 * done stays in the ring, and goes on when the device is started. Starting what is
 * running and stopping what is stopped succeeds and does nothing. Is not ended by a
 * signal, but by the caller's death. EIO: it is not known what a device reaches,
 * because not even detaching it worked; VHOST_IOMMU_RESET comes first. EBUSY: a
 * reset has begun that was not carried to its end.
 */
struct vhost_iommu_set_running {
	__u32 size;
	__u32 flags;
	__u32 running;
	__u32 __reserved;
};

/**
 * struct vhost_iommu_reset - ioctl(VHOST_IOMMU_RESET)
 * @size: sizeof(struct vhost_iommu_reset)
 * @flags: Must be 0
 * @next_endpoint: Is written: the endpoint where the next call goes on, or above
 *                 all of them
 * @next_failed: Is written: number of IOMMU groups that could not be brought back
 *               so far
 *
 * The device reset of the specification: all domains and mappings are gone, no
 * endpoint is attached, and each is blocked, or in bypass if the
 * configuration says so. An endpoint that was broken is tried again; EIO if
 * one of them could not be brought back (the others are reset all the same).
 * When a VMM makes this call is its own decision: until then, devices of a driver
 * that has reset the virtio device go on in the domains that they are in.
 * The rings have no addresses any more. EBUSY while running.
 *
 * Goes in pieces, first what is mapped and then devices, and with EINTR when a
 * signal comes between two of them: then devices may still reach what was mapped, and
 * the next call goes on. Until one came to its end, the device can't be started, and
 * calls that change endpoints, memory or bypass fail with EBUSY.
 */
struct vhost_iommu_reset {
	__u32 size;
	__u32 flags;
	__aligned_u64 next_endpoint;
	__aligned_u64 next_failed;
};

/**
 * struct vhost_iommu_set_limits - ioctl(VHOST_IOMMU_SET_LIMITS)
 * @size: sizeof(struct vhost_iommu_set_limits)
 * @flags: Must be 0
 * @max_domains: Number of domains that the guest can have at a time; 0 keeps
 *               the present limit
 * @__reserved: Must be 0
 * @max_mappings: Number of mappings in all domains together; 0 keeps the
 *                present limit
 * @max_table_pages: Number of 4 KiB pages of IOMMU page tables that the
 *                   guest's mappings can have touched, in all domains
 *                   together; 0 keeps the present limit. IOMMU drivers do
 *                   not free a table whose entries were all removed, so this
 *                   counts the tables of past mappings too, until the domain
 *                   is rebuilt. As a rule: guest RAM / 2 MiB for each domain
 *                   that maps all of it.
 * @max_domain_mappings: Number of mappings in one domain, whatever its share is; 0
 *                       keeps the present limit. There is none before the first
 *                       call.
 * @max_domain_table_pages: The same for pages of page tables
 *
 * @max_mappings and @max_table_pages are divided: each endpoint that is a device
 * has an equal share, and a domain has those of its devices, so that no domain can
 * use up what another one needs. A domain without devices has the share of one, and
 * nothing more once all domains together have @max_mappings; a device keeps its share
 * even then, until all together have twice as many. If there are no devices at all, only
 * @max_mappings counts. A VMM raises the limits when it adds an endpoint.
 *
 * EINVAL for a limit above what VHOST_IOMMU_GET_INFO says. A request beyond a
 * limit fails with VIRTIO_IOMMU_S_NOMEM. Lowering a limit below what is in use
 * takes nothing away.
 */
struct vhost_iommu_set_limits {
	__u32 size;
	__u32 flags;
	__u32 max_domains;
	__u32 __reserved;
	__aligned_u64 max_mappings;
	__aligned_u64 max_table_pages;
	__aligned_u64 max_domain_mappings;
	__aligned_u64 max_domain_table_pages;
};

/**
 * struct vhost_iommu_set_bypass - ioctl(VHOST_IOMMU_SET_BYPASS)
 * @size: sizeof(struct vhost_iommu_set_bypass)
 * @flags: Must be 0
 * @bypass: 0 or 1, as in struct vhost_iommu_set_config
 * @__reserved: Must be 0
 *
 * The guest wrote the bypass field of the configuration space: endpoints
 * outside any domain are moved to or out of bypass. EIO if one of them
 * could not be moved; it is then blocked.
 */
struct vhost_iommu_set_bypass {
	__u32 size;
	__u32 flags;
	__u8 bypass;
	__u8 __reserved[7];
};

/**
 * enum vhost_iommu_stat_id - what a figure counts
 * @VHOST_IOMMU_STAT_REQUESTS: Requests since the file was opened. Index: type
 *                             (VIRTIO_IOMMU_T_*); 0 counts those of unknown type
 * @VHOST_IOMMU_STAT_REPLIES: Replies. Index: status (VIRTIO_IOMMU_S_*)
 * @VHOST_IOMMU_STAT_NO_STATUS: Buffers returned with used length 0
 * @VHOST_IOMMU_STAT_BATCHES: Publications of the used ring
 * @VHOST_IOMMU_STAT_WAKEUPS: Times that somebody began to serve the request queue
 * @VHOST_IOMMU_STAT_POLL_HITS: Times that busy polling found requests
 * @VHOST_IOMMU_STAT_IN_PLACE: Requests that the thread which kicked has served, of
 *                             all
 * @VHOST_IOMMU_STAT_RING_ERRORS: Times that a ring, or a chain in it, could not be
 *                                read or written; the error eventfd was signalled
 * @VHOST_IOMMU_STAT_REFUSED_MAPS: MAP requests that were not carried out. Index:
 *                                 status. Linux' driver takes no notice of the
 *                                 status, so for the guest these are lost DMA: the
 *                                 error eventfd of the request queue is signalled
 *                                 for each. See VHOST_IOMMU_GET_REFUSAL.
 * @VHOST_IOMMU_STAT_DOMAINS: Domains at present
 * @VHOST_IOMMU_STAT_ENDPOINTS: Endpoints at present
 * @VHOST_IOMMU_STAT_BROKEN: Endpoints that are out of use at present, see
 *                           VHOST_IOMMU_STATE_BROKEN
 * @VHOST_IOMMU_STAT_MAPPINGS: Mappings at present, in all domains
 * @VHOST_IOMMU_STAT_MAPPED_BYTES: Bytes mapped at present
 * @VHOST_IOMMU_STAT_TABLE_PAGES: See &vhost_iommu_set_limits.max_table_pages
 * @VHOST_IOMMU_STAT_REBUILDS: Times that a domain's IOAS was rebuilt to free page
 *                             tables or to get rid of a mapping that the IOMMU did
 *                             not remove
 * @VHOST_IOMMU_STAT_HOST_ERRORS: iommufd or VFIO commands that failed unexpectedly
 * @VHOST_IOMMU_STAT_EVENTS: Faults given to the guest
 * @VHOST_IOMMU_STAT_EVENTS_DROPPED: Events that no fault was made of: their device
 *                                   is no endpoint any more, the device was reset,
 *                                   the event queue removed, or the guest's buffer
 *                                   could not be written to
 * @VHOST_IOMMU_STAT_EVENTS_LOST: Events that the IOMMU's queue in the host had no
 *                                room for, nor that of VHOST_IOMMU_TRANSLATE
 * @VHOST_IOMMU_STAT_INV_COMMANDS: Commands to the physical IOMMU that INVALIDATE
 *                                 requests were turned into, without repetitions
 * @VHOST_IOMMU_STAT_INV_CALLS: Arrays that these commands were handed over in
 * @VHOST_IOMMU_STAT_QUEUE_REQUESTS: Requests of one request queue. Index: the queue,
 *                                   below &vhost_iommu_set_config.num_queues
 * @VHOST_IOMMU_STAT_VHOST_MISSES: Misses of the vhost devices of VHOST_IOMMU_ADD_VHOST
 * @VHOST_IOMMU_STAT_VHOST_UPDATES: Translations that they were given
 * @VHOST_IOMMU_STAT_VHOST_INVALIDATIONS: Times that one of them had to forget some
 * @VHOST_IOMMU_STAT_HELD_REPLIES: Replies that waited for VHOST_IOMMU_ACK, or still do
 *
 * A kernel may have further ones, and further indices: a reader passes over what it
 * does not know. The index is 0 where nothing is said of it.
 */
enum vhost_iommu_stat_id {
	VHOST_IOMMU_STAT_REQUESTS = 1,
	VHOST_IOMMU_STAT_REPLIES = 2,
	VHOST_IOMMU_STAT_NO_STATUS = 3,
	VHOST_IOMMU_STAT_BATCHES = 4,
	VHOST_IOMMU_STAT_WAKEUPS = 5,
	VHOST_IOMMU_STAT_POLL_HITS = 6,
	VHOST_IOMMU_STAT_IN_PLACE = 7,
	VHOST_IOMMU_STAT_RING_ERRORS = 8,
	VHOST_IOMMU_STAT_REFUSED_MAPS = 9,
	VHOST_IOMMU_STAT_DOMAINS = 10,
	VHOST_IOMMU_STAT_ENDPOINTS = 11,
	VHOST_IOMMU_STAT_BROKEN = 12,
	VHOST_IOMMU_STAT_MAPPINGS = 13,
	VHOST_IOMMU_STAT_MAPPED_BYTES = 14,
	VHOST_IOMMU_STAT_TABLE_PAGES = 15,
	VHOST_IOMMU_STAT_REBUILDS = 16,
	VHOST_IOMMU_STAT_HOST_ERRORS = 17,
	VHOST_IOMMU_STAT_EVENTS = 18,
	VHOST_IOMMU_STAT_EVENTS_DROPPED = 19,
	VHOST_IOMMU_STAT_EVENTS_LOST = 20,
	VHOST_IOMMU_STAT_INV_COMMANDS = 21,
	VHOST_IOMMU_STAT_INV_CALLS = 22,
	VHOST_IOMMU_STAT_QUEUE_REQUESTS = 23,
	VHOST_IOMMU_STAT_VHOST_MISSES = 24,
	VHOST_IOMMU_STAT_VHOST_UPDATES = 25,
	VHOST_IOMMU_STAT_VHOST_INVALIDATIONS = 26,
	VHOST_IOMMU_STAT_HELD_REPLIES = 27,
};

/**
 * struct vhost_iommu_stat - One figure
 * @id: One of enum vhost_iommu_stat_id
 * @index: What it depends on, see there
 * @value: The figure
 */
struct vhost_iommu_stat {
	__u32 id;
	__u32 index;
	__aligned_u64 value;
};

/**
 * struct vhost_iommu_get_stats - ioctl(VHOST_IOMMU_GET_STATS)
 * @size: sizeof(struct vhost_iommu_get_stats)
 * @flags: Must be 0
 * @addr: Address of an array of struct vhost_iommu_stat, which is filled
 * @nr: Its length. If it is shorter than what there is, the rest is left out.
 * @out_nr: Number of figures that there are
 *
 * Can be called by anybody who holds the file, and waits for nobody. The figures
 * come in order of @id and @index. They are read one by one, and are exact when the
 * device is stopped. The same figures are in /proc/PID/fdinfo/FD.
 */
struct vhost_iommu_get_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 addr;
	__u32 nr;
	__u32 out_nr;
};

/**
 * struct vhost_iommu_get_refusal - ioctl(VHOST_IOMMU_GET_REFUSAL)
 * @size: sizeof(struct vhost_iommu_get_refusal)
 * @flags: Must be 0
 * @out_count: Number of MAP requests that were not carried out so far
 * @out_start: First IOVA of the last of them
 * @out_last: Its last IOVA
 * @out_phys: Its guest-physical address
 * @out_domain: Its domain ID
 * @out_status: Its status, VIRTIO_IOMMU_S_*
 *
 * Can be called by anybody who holds the file, and waits for nobody. ENOENT if
 * there was none.
 */
struct vhost_iommu_get_refusal {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_count;
	__aligned_u64 out_start;
	__aligned_u64 out_last;
	__aligned_u64 out_phys;
	__u32 out_domain;
	__u32 out_status;
};

/**
 * enum vhost_iommu_endpoint_state - where an endpoint's DMA goes
 * @VHOST_IOMMU_STATE_BLOCKED: Outside any domain, or the members of its group are
 *                             in different ones; reaches nothing
 * @VHOST_IOMMU_STATE_BYPASS: Outside any domain; reaches guest RAM untranslated
 * @VHOST_IOMMU_STATE_PAGING: In a domain that MAP and UNMAP fill
 * @VHOST_IOMMU_STATE_BYPASS_DOMAIN: In a domain created with
 *                                   VIRTIO_IOMMU_ATTACH_F_BYPASS
 * @VHOST_IOMMU_STATE_BROKEN: The IOMMU refused even the blocked page table, as it
 *                            may while the device is reset; reaches nothing until
 *                            the endpoint is attached or detached once more, or the
 *                            device is reset
 * @VHOST_IOMMU_STATE_TABLE: In a domain of ATTACH_TABLE: translated by tables
 *                           of the guest
 */
enum vhost_iommu_endpoint_state {
	VHOST_IOMMU_STATE_BLOCKED = 0,
	VHOST_IOMMU_STATE_BYPASS = 1,
	VHOST_IOMMU_STATE_PAGING = 2,
	VHOST_IOMMU_STATE_BYPASS_DOMAIN = 3,
	VHOST_IOMMU_STATE_BROKEN = 4,
	VHOST_IOMMU_STATE_TABLE = 5,
};

/**
 * struct vhost_iommu_get_attachment - ioctl(VHOST_IOMMU_GET_ATTACHMENT)
 * @size: sizeof(struct vhost_iommu_get_attachment)
 * @flags: Must be 0
 * @endpoint: With @pasid: the first attachment that is not before these is
 *            reported, in order of endpoint and PASID; ENOENT if there is none
 * @pasid: See @endpoint
 * @out_endpoint: Endpoint ID
 * @out_pasid: PASID; 0 for what the endpoint does without one, which every endpoint
 *             has an attachment for
 * @out_flags: The flags that the endpoint was added with
 * @out_state: One of enum vhost_iommu_endpoint_state
 * @out_domain: The domain ID, if @out_state says that it is in one
 * @out_group_id: The group ID, if @out_flags says that it has one
 * @out_viommu: The vIOMMU, if @out_flags says that it has one
 * @out_hwpt_id: The HWPT in the iommufd that the device is attached to; 0 if the
 *               endpoint is broken or no device
 * @out_mappings: Number of mappings in its domain
 *
 * Tells where DMA goes, which the members of an IOMMU group have in common, and not
 * what was asked for. For state dumps: a caller that begins with 0 and 0, and goes
 * on with @out_endpoint and @out_pasid + 1, sees all. Can be called by anybody who
 * holds the file. An HWPT of a domain is the kernel's: a VMM may ask it for dirty
 * pages, and do nothing else to it. It goes when the last group has left it, and
 * when the domain is rebuilt.
 */
struct vhost_iommu_get_attachment {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__u32 pasid;
	__u32 out_endpoint;
	__u32 out_pasid;
	__u32 out_flags;
	__u32 out_state;
	__u32 out_domain;
	__u32 out_group_id;
	__u32 out_viommu;
	__u32 out_hwpt_id;
	__aligned_u64 out_mappings;
};

#endif /* _UAPI_LINUX_VHOST_IOMMU_H */
