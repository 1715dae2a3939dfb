/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM__VIRTIO_H
#define KVM__VIRTIO_H

#include "kvm/kvm.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#define VIRTIO__STATUS_START	(1 << 8)
#define VIRTIO__STATUS_STOP	(1 << 9)
#define VIRTIO__STATUS_CONFIG	(1 << 10)

enum virtio_trans {
	VIRTIO_PCI,
	VIRTIO_PCI_LEGACY,
	VIRTIO_MMIO,
	VIRTIO_MMIO_LEGACY,
};

struct virt_queue {
	bool	enabled;
};

struct virtio_device {
	bool	use_vhost;
	void	*virtio;
	u64	features;
};

/* With the member that hooks.patch adds, set_config() */
struct virtio_ops {
	u8 *(*get_config)(struct kvm *kvm, void *dev);
	size_t (*get_config_size)(struct kvm *kvm, void *dev);
	void (*set_config)(struct kvm *kvm, void *dev, unsigned long offset, size_t size);
	u64 (*get_host_features)(struct kvm *kvm, void *dev);
	unsigned int (*get_vq_count)(struct kvm *kvm, void *dev);
	int (*init_vq)(struct kvm *kvm, void *dev, u32 vq);
	void (*exit_vq)(struct kvm *kvm, void *dev, u32 vq);
	int (*notify_vq)(struct kvm *kvm, void *dev, u32 vq);
	struct virt_queue *(*get_vq)(struct kvm *kvm, void *dev, u32 vq);
	int (*get_size_vq)(struct kvm *kvm, void *dev, u32 vq);
	int (*set_size_vq)(struct kvm *kvm, void *dev, u32 vq, int size);
	void (*notify_vq_gsi)(struct kvm *kvm, void *dev, u32 vq, u32 gsi);
	void (*notify_vq_eventfd)(struct kvm *kvm, void *dev, u32 vq, u32 efd);
	void (*notify_status)(struct kvm *kvm, void *dev, u32 status);
};

int virtio_init(struct kvm *kvm, void *dev, struct virtio_device *vdev, struct virtio_ops *ops,
		enum virtio_trans trans, int device_id, int subsys_id, int class);
int virtio_compat_add_message(const char *device, const char *config);
void virtio_init_device_vq(struct kvm *kvm, struct virtio_device *vdev,
			   struct virt_queue *queue, size_t size);
void virtio_vhost_init(struct kvm *kvm, int fd);
void virtio_vhost_set_vring(struct kvm *kvm, int fd, u32 index, struct virt_queue *queue);
void virtio_vhost_set_vring_kick(struct kvm *kvm, int fd, u32 index, int event_fd);
void virtio_vhost_set_vring_irqfd(struct kvm *kvm, u32 gsi, struct virt_queue *queue);
void virtio_vhost_reset_vring(struct kvm *kvm, int fd, u32 index, struct virt_queue *queue);
int virtio_vhost_set_features(int fd, u64 features);

#endif /* KVM__VIRTIO_H */
