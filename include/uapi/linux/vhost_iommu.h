/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * User API of /dev/vhost-iommu, an in-kernel back end for virtio-iommu.
 *
 * One open file is one virtio-iommu device. Ring 0 is the request queue, ring 1
 * the event queue; both are set up by the VHOST_* ioctls of <linux/vhost.h>.
 */
#ifndef _UAPI_LINUX_VHOST_IOMMU_H
#define _UAPI_LINUX_VHOST_IOMMU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * Every structure begins with @size, the number of bytes the caller knows, and
 * @flags. A caller that knows less than the kernel gets the old behaviour; a
 * caller that knows more succeeds as long as the part that the kernel does not
 * know is zero. Members called @out_* are written by the kernel and ignored on
 * input; nothing is written when the call fails. The layout is the same for
 * 32-bit and 64-bit callers.
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
 *    object, or a call that can be made once only was made twice
 *  - EEXIST: there is such an object, or a range overlaps another one
 *  - ENOENT: there is no such endpoint, range, IOAS, HWPT or vIOMMU
 *  - ENOSPC: a limit of the device is reached
 *  - ENOMEM: out of memory
 *  - EIO: the IOMMU did not do what was asked for; the endpoint is blocked
 *  - EINTR: a signal came first. REMOVE_RAM goes on where it was interrupted when
 *    it is called again; all other calls end so only if the caller is killed
 *  - ENOTTY: no such ioctl
 *
 * The VHOST_* ioctls keep the errno values of <linux/vhost.h>.
 */

/* Same magic as <linux/vhost.h>, which not every user of this file includes */
#define VHOST_IOMMU_TYPE		0xAF

#define VHOST_IOMMU_GET_INFO		_IO(VHOST_IOMMU_TYPE, 0x50)
#define VHOST_IOMMU_SET_CONFIG		_IO(VHOST_IOMMU_TYPE, 0x51)
#define VHOST_IOMMU_SET_IOMMUFD		_IO(VHOST_IOMMU_TYPE, 0x52)
#define VHOST_IOMMU_ADD_ENDPOINT	_IO(VHOST_IOMMU_TYPE, 0x53)
#define VHOST_IOMMU_REMOVE_ENDPOINT	_IO(VHOST_IOMMU_TYPE, 0x54)
#define VHOST_IOMMU_SET_DOORBELL	_IO(VHOST_IOMMU_TYPE, 0x55)
#define VHOST_IOMMU_REMOVE_RAM		_IO(VHOST_IOMMU_TYPE, 0x56)
#define VHOST_IOMMU_SET_RUNNING		_IO(VHOST_IOMMU_TYPE, 0x57)
#define VHOST_IOMMU_RESET		_IO(VHOST_IOMMU_TYPE, 0x58)
#define VHOST_IOMMU_SET_LIMITS		_IO(VHOST_IOMMU_TYPE, 0x59)
#define VHOST_IOMMU_SET_BYPASS		_IO(VHOST_IOMMU_TYPE, 0x5A)
#define VHOST_IOMMU_GET_STATS		_IO(VHOST_IOMMU_TYPE, 0x5B)
#define VHOST_IOMMU_GET_ENDPOINT	_IO(VHOST_IOMMU_TYPE, 0x5C)
#define VHOST_IOMMU_ADD_VIOMMU		_IO(VHOST_IOMMU_TYPE, 0x5D)
#define VHOST_IOMMU_REMOVE_VIOMMU	_IO(VHOST_IOMMU_TYPE, 0x5E)

#define VHOST_IOMMU_VQ_REQUEST		0
#define VHOST_IOMMU_VQ_EVENT		1
#define VHOST_IOMMU_VQ_MAX		2

/**
 * struct vhost_iommu_info - ioctl(VHOST_IOMMU_GET_INFO)
 * @size: sizeof(struct vhost_iommu_info)
 * @flags: Must be 0
 * @out_capabilities: What this module can do, a mask of VHOST_IOMMU_CAP_*
 * @out_virtio_features: The feature bits that VHOST_GET_FEATURES offers
 * @out_scratch_size: Smallest scratch area in bytes, see
 *                    struct vhost_iommu_set_iommufd
 * @out_max_probe_size: Largest probe_size and PROBE blob in bytes
 * @out_max_domains: Largest value accepted for max_domains
 * @out_max_endpoints: Number of endpoints that one device can have
 * @out_max_mappings: Largest value accepted for max_mappings
 * @out_max_table_pages: Largest value accepted for max_table_pages
 * @out_max_doorbells: Number of doorbell ranges that one device can have
 * @__reserved: Is written as 0
 * @out_table_formats: Formats of ATTACH_TABLE that this kernel knows, a mask of
 *                     1 << VIRTIO_IOMMU_FORMAT_* (<linux/virtio_iommu_table.h>)
 * @out_max_viommus: Number of vIOMMUs that one device can have
 * @__reserved2: Is written as 0
 *
 * Can be called by anybody who holds the file, at any time. A VMM asks this
 * before it builds a virtual machine.
 */
struct vhost_iommu_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_capabilities;
	__aligned_u64 out_virtio_features;
	__u32 out_scratch_size;
	__u32 out_max_probe_size;
	__u32 out_max_domains;
	__u32 out_max_endpoints;
	__aligned_u64 out_max_mappings;
	__aligned_u64 out_max_table_pages;
	__u32 out_max_doorbells;
	__u32 __reserved;
	__aligned_u64 out_table_formats;
	__u32 out_max_viommus;
	__u32 __reserved2;
};

/* MAP and UNMAP requests are served by this kernel */
#define VHOST_IOMMU_CAP_MAP_UNMAP	(1ULL << 0)
/* ATTACH_TABLE and INVALIDATE requests are served by this kernel */
#define VHOST_IOMMU_CAP_ATTACH_TABLE	(1ULL << 1)

/**
 * struct vhost_iommu_set_config - ioctl(VHOST_IOMMU_SET_CONFIG)
 * @size: sizeof(struct vhost_iommu_set_config)
 * @flags: Must be 0
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
 * @bypass: 1: an endpoint outside any domain is in bypass; 0: it is blocked.
 *          Set 1 only if VIRTIO_IOMMU_F_BYPASS_CONFIG is offered to the guest.
 *          See also VHOST_IOMMU_SET_BYPASS.
 * @__reserved: Must be 0
 *
 * What the VMM presents in the virtio-iommu configuration space (VIRTIO 1.3,
 * section 5.13.4). Has to come before SET_RUNNING and ADD_ENDPOINT; can be
 * repeated as long as the device is stopped and has no endpoint, EBUSY
 * otherwise.
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
	__u8 bypass;
	__u8 __reserved[3];
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
 * struct vhost_iommu_add_viommu - ioctl(VHOST_IOMMU_ADD_VIOMMU)
 * @size: sizeof(struct vhost_iommu_add_viommu)
 * @flags: Must be 0
 * @viommu_id: vIOMMU in the iommufd (IOMMU_VIOMMU_ALLOC). EEXIST if it was
 *             added. An ID that is no vIOMMU's is noticed when an endpoint is
 *             added to it.
 * @viommu_type: The type that it was allocated with, IOMMU_VIOMMU_TYPE_*.
 *               EOPNOTSUPP for one that this kernel has no format for.
 * @parent_hwpt_id: The nesting parent that it was allocated on: an HWPT of the
 *                  RAM IOAS. ENOENT if there is no such HWPT.
 * @event_fd: An event queue of the vIOMMU (IOMMU_VEVENTQ_ALLOC), whose events
 *            become faults on the device's event queue, or -1. EBADFD for a
 *            file of another kind. Nobody else must read from it.
 *
 * Announces one slice of a physical IOMMU, on which guest tables can be nested.
 * Has to come before the endpoints that name it, after SET_IOMMUFD (ENXIO).
 * The kernel keeps a reference on the file until REMOVE_VIOMMU: until then
 * IOMMU_DESTROY of the event queue and of the vIOMMU fail.
 */
struct vhost_iommu_add_viommu {
	__u32 size;
	__u32 flags;
	__u32 viommu_id;
	__u32 viommu_type;
	__u32 parent_hwpt_id;
	__s32 event_fd;
};

/**
 * struct vhost_iommu_remove_viommu - ioctl(VHOST_IOMMU_REMOVE_VIOMMU)
 * @size: sizeof(struct vhost_iommu_remove_viommu)
 * @flags: Must be 0
 * @viommu_id: ENOENT if it was not added; EBUSY as long as an endpoint names it
 * @__reserved: Must be 0
 *
 * Has to come before the VMM destroys the vIOMMU and its event queue.
 */
struct vhost_iommu_remove_viommu {
	__u32 size;
	__u32 flags;
	__u32 viommu_id;
	__u32 __reserved;
};

/**
 * enum vhost_iommu_endpoint_flags - flags of VHOST_IOMMU_ADD_ENDPOINT
 * @VHOST_IOMMU_EP_DEVICE: The endpoint is a VFIO device; without this flag it
 *                         is one that the VMM emulates: it takes part in
 *                         domains and PROBE, but there is no hardware.
 * @VHOST_IOMMU_EP_GROUP: @group_id is valid
 * @VHOST_IOMMU_EP_TABLE: @viommu_id and @virt_id are valid: tables of the guest
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
 * @group_id: With EP_GROUP: a number that the endpoints of one IOMMU group have
 *            in common, and no other endpoint has. Without EP_GROUP the
 *            endpoint is alone in its group.
 * @probe_len: Length in bytes of the property list at @probe_addr. A list that
 *             is longer than probe_size is accepted, but PROBE requests then
 *             fail, as the specification asks for.
 * @probe_addr: Address of the property list that a PROBE request of this
 *              endpoint returns (VIRTIO 1.3, section 5.13.6.7), copied during
 *              the call. RESV_MEM properties in it are enforced on MAP and
 *              ATTACH. EINVAL for a malformed list, overlapping RESV_MEM
 *              regions or more than one MSI region.
 *
 * @viommu_id: With EP_TABLE: a vIOMMU that was announced with
 *             VHOST_IOMMU_ADD_VIOMMU; ENOENT if it was not
 * @__reserved: Must be 0
 * @virt_id: With EP_TABLE: the ID that the VMM gave the endpoint's vDEVICE in
 *           that vIOMMU (IOMMU_VDEVICE_ALLOC), of at most 32 bits: EINVAL
 *           otherwise. EEXIST if another endpoint has it. Need not be the
 *           endpoint ID.
 *
 * A member that belongs to a flag that is not set has to be 0 (@device_fd: -1);
 * EINVAL otherwise, and if the devices of one group differ in EP_TABLE or in
 * the vIOMMU, if the IOMMU is not of the vIOMMU's type, or if the device can't
 * be attached to a table of it.
 *
 * When the call returns, the endpoint is blocked, or in bypass if the
 * configuration says so. Endpoints can be added while the device is running.
 * The device keeps a reference on the file until the endpoint is removed.
 */
struct vhost_iommu_add_endpoint {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__s32 device_fd;
	__u32 dev_id;
	__u32 ram_hwpt_id;
	__u32 group_id;
	__u32 probe_len;
	__aligned_u64 probe_addr;
	__u32 viommu_id;
	__u32 __reserved;
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
 * @out_mappings: Number of mappings that were removed or cut
 *
 * Must be called before the VMM unmaps the range from the RAM IOAS: mappings
 * made from it would otherwise live on. When the call returns, no device
 * reaches the range through a domain. The guest can map it again while it is in
 * the RAM IOAS: the device is best stopped around both. A mapping that lies
 * partly in the range is cut, its remains stay mapped; those within 64 MiB of the
 * range may be out of reach for a moment while that happens. @start and @last + 1
 * have to be aligned to the granule.
 *
 * Goes in pieces, and with EINTR when a signal comes between two of them: some
 * mappings are gone then, and the call is to be made again. It does so as often as
 * needed; each time something is done.
 */
struct vhost_iommu_remove_ram {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 last;
	__aligned_u64 out_mappings;
};

/**
 * struct vhost_iommu_set_running - ioctl(VHOST_IOMMU_SET_RUNNING)
 * @size: sizeof(struct vhost_iommu_set_running)
 * @flags: Must be 0
 * @running: 1 to start, 0 to stop, EINVAL for any other value
 * @__reserved: Must be 0
 *
 * Starts or stops the handling of the rings. Starting needs the rings'
 * addresses (EFAULT) and a configuration (ENXIO); requests that are in the ring
 * already are handled at once, with or without a kick. Stopping waits for what
 * is in progress, some milliseconds of work whatever the guest has asked for, and
 * changes nothing else: domains, mappings and attachments stay, so that a virtual
 * machine can be paused. A request that was not done stays in the ring, and goes on
 * when the device is started. Starting what is running and stopping what is
 * stopped succeeds and does nothing. EIO: it is not known what a device reaches,
 * because not even detaching it worked; VHOST_IOMMU_RESET comes first.
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
 *
 * The device reset of the specification: all domains and mappings are gone, no
 * endpoint is attached, and each is blocked, or in bypass if the
 * configuration says so. An endpoint that was broken is tried again; EIO if
 * one of them could not be brought back (the others are reset all the same).
 * When a VMM makes this call is its own decision: until then, devices of a driver
 * that has reset the virtio device go on in the domains that they are in.
 * The rings have no addresses any more. EBUSY while running.
 */
struct vhost_iommu_reset {
	__u32 size;
	__u32 flags;
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
 *
 * @max_mappings and @max_table_pages are divided: each endpoint that is a device
 * has an equal share, and a domain has those of its devices, so that no domain can
 * use up what another one needs. A domain without devices has the share of one; if
 * there are no devices at all, @max_mappings is for all domains together. A VMM
 * raises the limits when it adds a device.
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

#define VHOST_IOMMU_STATS_NR_TYPES	16
#define VHOST_IOMMU_STATS_NR_STATUS	16

/**
 * struct vhost_iommu_stats - ioctl(VHOST_IOMMU_GET_STATS)
 * @size: sizeof(struct vhost_iommu_stats)
 * @flags: Must be 0
 * @out_requests: Requests by type (VIRTIO_IOMMU_T_*) since the file was
 *                opened; index 0 counts those of unknown type
 * @out_status: Replies by status (VIRTIO_IOMMU_S_*)
 * @out_no_status: Buffers returned with used length 0
 * @out_batches: Publications of the used ring
 * @out_wakeups: Times that somebody began to serve the request queue
 * @out_poll_hits: Requests found by busy polling
 * @out_ring_errors: Times that a ring could not be read or written; the error
 *                   eventfd was signalled
 * @out_mapped_bytes: Bytes mapped at present, in all domains
 * @out_mappings: Mappings at present
 * @out_table_pages: See &vhost_iommu_set_limits.max_table_pages
 * @out_rebuilds: Times that a domain's IOAS was rebuilt to free page tables or
 *                to get rid of a mapping that the IOMMU did not remove
 * @out_host_errors: iommufd or VFIO commands that failed unexpectedly
 * @out_domains: Domains at present
 * @out_endpoints: Endpoints at present
 * @out_broken: Endpoints that are out of use, see VHOST_IOMMU_STATE_BROKEN
 * @__reserved: Is written as 0
 * @out_events: Faults given to the guest
 * @out_events_dropped: Events that no fault was made of: their device is no
 *                      endpoint any more, or the device was reset
 * @out_events_lost: Events that the IOMMU's queue in the host had no room for
 * @out_inv_commands: Commands to the physical IOMMU that INVALIDATE requests
 *                    were turned into, without repetitions
 * @out_inv_calls: Arrays that these commands were handed over in
 * @out_in_place: Requests that the thread which kicked has served, of all
 * @out_refused_maps: MAP requests that were not carried out, by status
 *                    (VIRTIO_IOMMU_S_*). Linux' driver takes no notice of the
 *                    status, so for the guest these are lost DMA: the error
 *                    eventfd of the request queue is signalled for each.
 * @out_refused_domain: Domain ID of the last one
 * @out_refused_status: Its status, VIRTIO_IOMMU_S_*; 0 if there was none
 * @out_refused_start: Its first IOVA
 * @out_refused_last: Its last IOVA
 * @out_refused_phys: Its guest-physical address
 *
 * Can be called by anybody who holds the file, and waits for nobody. The counters
 * are read one by one; they are exact when the device is stopped. The same figures
 * are in /proc/PID/fdinfo/FD.
 */
struct vhost_iommu_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_requests[VHOST_IOMMU_STATS_NR_TYPES];
	__aligned_u64 out_status[VHOST_IOMMU_STATS_NR_STATUS];
	__aligned_u64 out_no_status;
	__aligned_u64 out_batches;
	__aligned_u64 out_wakeups;
	__aligned_u64 out_poll_hits;
	__aligned_u64 out_ring_errors;
	__aligned_u64 out_mapped_bytes;
	__aligned_u64 out_mappings;
	__aligned_u64 out_table_pages;
	__aligned_u64 out_rebuilds;
	__aligned_u64 out_host_errors;
	__u32 out_domains;
	__u32 out_endpoints;
	__u32 out_broken;
	__u32 __reserved;
	__aligned_u64 out_events;
	__aligned_u64 out_events_dropped;
	__aligned_u64 out_events_lost;
	__aligned_u64 out_inv_commands;
	__aligned_u64 out_inv_calls;
	__aligned_u64 out_in_place;
	__aligned_u64 out_refused_maps[VHOST_IOMMU_STATS_NR_STATUS];
	__u32 out_refused_domain;
	__u32 out_refused_status;
	__aligned_u64 out_refused_start;
	__aligned_u64 out_refused_last;
	__aligned_u64 out_refused_phys;
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
 * struct vhost_iommu_get_endpoint - ioctl(VHOST_IOMMU_GET_ENDPOINT)
 * @size: sizeof(struct vhost_iommu_get_endpoint)
 * @flags: Must be 0
 * @endpoint: The endpoint with the lowest ID that is not below this one is
 *            reported; ENOENT if there is none
 * @out_endpoint: Its ID
 * @out_flags: The flags that it was added with
 * @out_state: One of enum vhost_iommu_endpoint_state
 * @out_domain: The domain ID, if @out_state says that it is in one
 * @out_group_id: The group ID, if @out_flags says that it has one
 * @out_mappings: Number of mappings in its domain
 *
 * For state dumps: a caller that begins with 0 and goes on with @out_endpoint
 * + 1 sees all endpoints. Can be called by anybody who holds the file.
 */
struct vhost_iommu_get_endpoint {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__u32 out_endpoint;
	__u32 out_flags;
	__u32 out_state;
	__u32 out_domain;
	__u32 out_group_id;
	__aligned_u64 out_mappings;
};

#endif /* _UAPI_LINUX_VHOST_IOMMU_H */
