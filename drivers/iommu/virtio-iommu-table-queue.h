/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-iommu with tables of the guest: how many request queues, and which one
 *
 * What is here knows of no device, so that it is unit-tested.
 */
#ifndef _VIRTIO_IOMMU_TABLE_QUEUE_H
#define _VIRTIO_IOMMU_TABLE_QUEUE_H

#include <linux/minmax.h>

/* Request queues that are used at most; each has memory for its requests */
#define VTAB_MAX_QUEUES		16U
/* Index of the event queue among the virtqueues of the device */
#define VTAB_EVENT_VQ		1

/**
 * vtab_nr_queues - Say how many request queues to use
 * @num_queues: How many the device has
 * @nr_cpus: How many processors there can be
 *
 * Return: their number, 0 if the device has none.
 */
static inline unsigned int vtab_nr_queues(unsigned int num_queues,
					  unsigned int nr_cpus)
{
	return min3(num_queues, nr_cpus, VTAB_MAX_QUEUES);
}

/**
 * vtab_cpu_queue - Choose a request queue
 * @cpu: The processor that makes the request
 * @nr_queues: Number of request queues in use, at least 1
 *
 * Return: which one, counted from 0.
 */
static inline unsigned int vtab_cpu_queue(unsigned int cpu,
					  unsigned int nr_queues)
{
	return cpu % nr_queues;
}

/**
 * vtab_queue_vq - Say which virtqueue a request queue is
 * @queue: Which one of the request queues, counted from 0
 *
 * Return: its index among the virtqueues of the device.
 */
static inline unsigned int vtab_queue_vq(unsigned int queue)
{
	return queue < VTAB_EVENT_VQ ? queue : queue + 1;
}

#endif /* _VIRTIO_IOMMU_TABLE_QUEUE_H */
