/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * User API of /dev/vhost-iommu, for endpoints that have no hardware: the VMM emulates
 * them, or a vhost device of the kernel or of another process makes their accesses.
 *
 * Is included by <linux/vhost_iommu.h>, which has the calls and their general format.
 */
#ifndef _UAPI_LINUX_VHOST_IOMMU_SOFT_H
#define _UAPI_LINUX_VHOST_IOMMU_SOFT_H

#include <linux/types.h>

/**
 * enum vhost_iommu_access - flags of VHOST_IOMMU_TRANSLATE, and what it answers
 * @VHOST_IOMMU_ACCESS_READ: Reading memory
 * @VHOST_IOMMU_ACCESS_WRITE: Writing to memory
 */
enum vhost_iommu_access {
	VHOST_IOMMU_ACCESS_READ = 1 << 0,
	VHOST_IOMMU_ACCESS_WRITE = 1 << 1,
};

/**
 * struct vhost_iommu_translate - ioctl(VHOST_IOMMU_TRANSLATE)
 * @size: sizeof(struct vhost_iommu_translate)
 * @flags: The access that is being made, a combination of enum vhost_iommu_access; 0
 *         just to look
 * @endpoint: Endpoint ID; ENOENT if it is not there
 * @__reserved: Must be 0
 * @iova: I/O virtual address
 * @out_start: First IOVA that the answer is about: the whole mapping, or as much of an
 *             endpoint that nothing is translated for as lies between its reserved
 *             regions, up to an address of 52 bits; @iova where nothing is mapped
 * @out_last: Last IOVA that it is about
 * @out_phys: Guest-physical address that @out_start stands for
 * @out_access: What is allowed, a combination of enum vhost_iommu_access
 * @out_state: Where the endpoint's DMA goes, one of enum vhost_iommu_endpoint_state
 * @out_domain: The domain ID, if @out_state says that it is in one
 * @__reserved2: Is written as 0
 * @out_sequence: &vhost_iommu_log.head at the moment of the answer; 0 if there is no
 *                log
 *
 * For a VMM that makes the accesses of an endpoint itself, as of a device that it
 * emulates. What is not allowed is not an error: a part of @flags that is not in
 * @out_access becomes one fault of the guest's. 64 faults can wait for a buffer of the
 * event queue beside the next one, further ones are counted as lost. In the MSI region of its PROBE
 * properties an endpoint can write, whatever domain it is in; tables of the guest are
 * not walked, nothing is allowed where they translate.
 *
 * Can be called by the owner at any time, running or not, by any number of threads.
 * Waits for nobody, least of all for a request that is in progress. The answer is as
 * of a moment within the call: once a request is answered, or a call has returned that
 * changes endpoints, memory, bypass or all of it, no call that begins later tells of what
 * was before. What the VMM keeps it has to forget when the log says so.
 */
struct vhost_iommu_translate {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 out_start;
	__aligned_u64 out_last;
	__aligned_u64 out_phys;
	__u32 out_access;
	__u32 out_state;
	__u32 out_domain;
	__u32 __reserved2;
	__aligned_u64 out_sequence;
};

/**
 * enum vhost_iommu_log_kind - what an entry of the log is about
 * @VHOST_IOMMU_LOG_DOMAIN: What was told of a range of a domain
 * @VHOST_IOMMU_LOG_ENDPOINT: All that was told of an endpoint
 * @VHOST_IOMMU_LOG_ALL: All that was told
 */
enum vhost_iommu_log_kind {
	VHOST_IOMMU_LOG_DOMAIN = 1,
	VHOST_IOMMU_LOG_ENDPOINT = 2,
	VHOST_IOMMU_LOG_ALL = 3,
};

/**
 * struct vhost_iommu_log_entry - Answers that do not hold any more
 * @start: First IOVA
 * @last: Last IOVA
 * @id: ID of the domain or endpoint
 * @kind: One of enum vhost_iommu_log_kind. A reader that does not know it forgets
 *        all it has.
 */
struct vhost_iommu_log_entry {
	__aligned_u64 start;
	__aligned_u64 last;
	__u32 id;
	__u32 kind;
};

/**
 * struct vhost_iommu_log - What the file of VHOST_IOMMU_GET_LOG has
 * @head: Number of the next entry; the first one is 1
 * @nr: Length of @entries
 * @__reserved: Is 0
 * @entries: The last ones: number N is at index N % @nr
 *
 * For a VMM that keeps answers of VHOST_IOMMU_TRANSLATE. With each of them it keeps
 * &vhost_iommu_translate.out_domain, and for all of them the @head up to which it has
 * followed the log, to begin with that of when it kept nothing. Before it uses an answer
 * it
 *
 *  - reads @head, with acquire semantics. If that is where it is, what it keeps holds.
 *  - otherwise reads the entries from there on and then, after a read barrier, @head once
 *    more. If that is @nr or more beyond where it is, what it has read may have been
 *    overwritten: it forgets all answers. If not, it forgets those that an entry is
 *    about, even in part. Either way it has followed the @head that it read first.
 *
 * A new answer it keeps only if it has not followed the log beyond
 * &vhost_iommu_translate.out_sequence, and only what it allows: there are no entries for
 * what is mapped.
 *
 * The entry is there before the reply to the request that it comes of: whoever knows of
 * the reply finds it. There may be entries for what has not changed.
 */
struct vhost_iommu_log {
	__aligned_u64 head;
	__u32 nr;
	__u32 __reserved;
	struct vhost_iommu_log_entry entries[];
};

/**
 * struct vhost_iommu_get_log - ioctl(VHOST_IOMMU_GET_LOG)
 * @size: sizeof(struct vhost_iommu_get_log)
 * @flags: Must be 0
 * @out_fd: A file, close-on-exec, to be mapped with PROT_READ from offset 0 on: struct
 *          vhost_iommu_log
 * @out_len: Its length in bytes
 *
 * The first call makes the log, of which there is one for the device; further calls give
 * further files of it. It can be read for as long as it is mapped, and is not written to
 * any more when the device's file is closed. EMFILE, ENFILE: no room for a file. The
 * file can be polled: it is readable as long as a reply waits, see
 * VHOST_IOMMU_SET_NOTIFY, and hung up when the device's file is closed.
 */
struct vhost_iommu_get_log {
	__u32 size;
	__u32 flags;
	__s32 out_fd;
	__u32 out_len;
};

/**
 * struct vhost_iommu_vhost_file - ioctl(VHOST_IOMMU_ADD_VHOST, VHOST_IOMMU_REMOVE_VHOST)
 * @size: sizeof(struct vhost_iommu_vhost_file)
 * @flags: Must be 0
 * @endpoint: Endpoint ID of the virtio device; EINVAL if it has a VFIO device
 * @fd: File of /dev/vhost-net or /dev/vhost-vsock, opened for reading and writing
 *      (EBADFD), with O_NONBLOCK (EINVAL)
 *
 * From ADD_VHOST to REMOVE_VHOST the kernel tells a vhost device what addresses mean: it
 * reads the misses from @fd, which nobody else may do, and writes there what the guest
 * has mapped, and what is to be forgotten, before the reply to the request. What can't
 * be answered is a fault of the guest's, and is answered once it is mapped. An endpoint
 * can have several files, as many as 64 all together (ENOSPC), and a file one endpoint
 * (EEXIST). The vhost device must have accepted VIRTIO_F_ACCESS_PLATFORM
 * (VHOST_SET_FEATURES on @fd): ENXIO, also if it has no memory for a message. With
 * REMOVE_VHOST, the endpoint's removal and the close of the device, it forgets all; who
 * adds or removes one that runs kicks its queues afterwards. In bypass it forgets memory
 * that goes with VHOST_SET_MEM_TABLE only. Calls of the owner, running or not.
 */
struct vhost_iommu_vhost_file {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__s32 fd;
};

/**
 * struct vhost_iommu_vhost_miss - ioctl(VHOST_IOMMU_VHOST_MISS)
 * @size: sizeof(struct vhost_iommu_vhost_miss)
 * @flags: The access, a combination of enum vhost_iommu_access
 * @endpoint: Endpoint ID
 * @fd: The file, as in ADD_VHOST
 * @iova: I/O virtual address
 *
 * Tells a vhost device of an address before it misses it, as VHOST_NET_SET_BACKEND and
 * VHOST_VSOCK_SET_RUNNING want that of a used ring. ENOENT if it is not mapped for @flags,
 * which is a fault of the guest's, or not to memory; ENXIO if the vhost device takes no
 * answer, as it has no memory for one, or no IOTLB.
 */
struct vhost_iommu_vhost_miss {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__s32 fd;
	__aligned_u64 iova;
};

/**
 * enum vhost_iommu_notify_flags - flags of VHOST_IOMMU_SET_NOTIFY
 * @VHOST_IOMMU_NOTIFY_ON: Replies wait from now on; without it, none waits for this
 *                         endpoint any more
 */
enum vhost_iommu_notify_flags {
	VHOST_IOMMU_NOTIFY_ON = 1 << 0,
};

/**
 * struct vhost_iommu_set_notify - ioctl(VHOST_IOMMU_SET_NOTIFY)
 * @size: sizeof(struct vhost_iommu_set_notify)
 * @flags: Combination of enum vhost_iommu_notify_flags
 * @endpoint: Endpoint ID; ENOENT if it is not there, EINVAL if it has a VFIO device
 * @__reserved: Must be 0
 *
 * For a VMM that passes answers of VHOST_IOMMU_TRANSLATE on, as to a back end in another
 * process, which has to forget them, too, before the guest is told that they do not hold
 * any more. From now on, and as long as the endpoint is there, these replies wait for
 * VHOST_IOMMU_ACK:
 *
 *  - to an UNMAP in a domain that was asked about for such an endpoint, until all entries
 *    of the log are acknowledged that are about that domain; and to a MAP there that has
 *    failed after a part of it could be asked about
 *  - to ATTACH, ATTACH_TABLE and DETACH, to an UNMAP in a domain that is not there, and to
 *    one that has blocked an endpoint, until all entries are acknowledged that are not about
 *    a domain, whichever call they come of
 *
 * The request has been carried out by then, and no thread waits: the queue goes on, and
 * other replies overtake these. If 32 replies of a request queue wait, nothing more is taken
 * from it. The file of the log is readable, as long as a reply waits.
 *
 * What was told of the endpoint before does not hold any more when the call returns: the
 * log says so. There has to be one, see VHOST_IOMMU_GET_LOG: ENXIO. Calls that change what
 * is translated write entries, too, and nobody waits for these: who makes them follows the
 * log afterwards. A stop gives no reply: VHOST_IOMMU_ACK does, after it as before, into the
 * ring as it is then, and VHOST_IOMMU_RESET drops them. When no endpoint is left that
 * notifies, all that wait are given: who does that has had all forgotten. Can be called
 * running or not, and again with the same flags.
 */
struct vhost_iommu_set_notify {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__u32 __reserved;
};

/**
 * struct vhost_iommu_ack - ioctl(VHOST_IOMMU_ACK)
 * @size: sizeof(struct vhost_iommu_ack)
 * @flags: Must be 0
 * @sequence: &vhost_iommu_log.head up to which the log was followed: what the entries
 *            before are about has been forgotten by all. EINVAL if the log has not come
 *            that far.
 *
 * Replies that waited for it are given to the guest, at once or soon. Can be called by the
 * owner at any time, by any number of threads, and waits for nobody, nor for memory, as long
 * as the device is running. If it is stopped, they are given when the call returns, if the
 * rings can be written to. ENXIO if there is no log.
 */
struct vhost_iommu_ack {
	__u32 size;
	__u32 flags;
	__aligned_u64 sequence;
};

#endif /* _UAPI_LINUX_VHOST_IOMMU_SOFT_H */
