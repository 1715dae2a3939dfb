/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM__EPOLL_H
#define KVM__EPOLL_H

#include "kvm/stub.h"

struct kvm;

struct kvm__epoll {
	int	fd;
};

int epoll__init(struct kvm *kvm, struct kvm__epoll *epoll, const char *name,
		void (*handler)(struct kvm *kvm, struct epoll_event *event));
int epoll__exit(struct kvm__epoll *epoll);

/* kvm/guest_compat.h */
int compat__remove_message(int id);

#endif /* KVM__EPOLL_H */
