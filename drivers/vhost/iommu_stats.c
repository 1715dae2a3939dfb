// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: statistics
 */
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "iommu.h"

static const char * const vhost_iommu_types[] = {
	"unknown", "attach", "detach", "map", "unmap", "probe",
	"attach-table", "invalidate",
};

static const char * const vhost_iommu_statuses[] = {
	"ok", "ioerr", "unsupp", "deverr", "inval", "range", "noent", "fault",
	"nomem",
};

static const char * const vhost_iommu_queues[] = {
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
	"13", "14", "15",
};

static_assert(ARRAY_SIZE(vhost_iommu_queues) == VHOST_IOMMU_MAX_QUEUES);
static_assert(ARRAY_SIZE(vhost_iommu_types) <= VHOST_IOMMU_NR_TYPES);
static_assert(ARRAY_SIZE(vhost_iommu_statuses) <= VHOST_IOMMU_NR_STATUS);

/**
 * struct vhost_iommu_stat_kind - A kind of figures
 * @id: One of enum vhost_iommu_stat_id
 * @name: Its name in fdinfo
 * @index: Names of its indices, or NULL: then it is one figure
 * @first: The first index
 * @end: Above the last one
 */
struct vhost_iommu_stat_kind {
	u32 id;
	const char *name;
	const char * const *index;
	unsigned int first;
	unsigned int end;
};

#define VHOST_IOMMU_STAT(_id, _name)					\
	{ VHOST_IOMMU_STAT_##_id, _name, NULL, 0, 1 }
#define VHOST_IOMMU_STAT_ARRAY(_id, _name, _index, _first)		\
	{ VHOST_IOMMU_STAT_##_id, _name, _index, _first, ARRAY_SIZE(_index) }

/* In order of the ID. No MAP is refused with the status OK. */
static const struct vhost_iommu_stat_kind vhost_iommu_stat_kinds[] = {
	VHOST_IOMMU_STAT_ARRAY(REQUESTS, "requests", vhost_iommu_types, 0),
	VHOST_IOMMU_STAT_ARRAY(REPLIES, "status", vhost_iommu_statuses, 0),
	VHOST_IOMMU_STAT(NO_STATUS, "no-status"),
	VHOST_IOMMU_STAT(BATCHES, "batches"),
	VHOST_IOMMU_STAT(WAKEUPS, "wakeups"),
	VHOST_IOMMU_STAT(POLL_HITS, "poll-hits"),
	VHOST_IOMMU_STAT(IN_PLACE, "in-place"),
	VHOST_IOMMU_STAT(RING_ERRORS, "ring-errors"),
	VHOST_IOMMU_STAT_ARRAY(REFUSED_MAPS, "refused-maps",
			       vhost_iommu_statuses, 1),
	VHOST_IOMMU_STAT(DOMAINS, "domains"),
	VHOST_IOMMU_STAT(ENDPOINTS, "endpoints"),
	VHOST_IOMMU_STAT(BROKEN, "broken"),
	VHOST_IOMMU_STAT(MAPPINGS, "mappings"),
	VHOST_IOMMU_STAT(MAPPED_BYTES, "mapped-bytes"),
	VHOST_IOMMU_STAT(TABLE_PAGES, "table-pages"),
	VHOST_IOMMU_STAT(REBUILDS, "rebuilds"),
	VHOST_IOMMU_STAT(HOST_ERRORS, "host-errors"),
	VHOST_IOMMU_STAT(EVENTS, "events"),
	VHOST_IOMMU_STAT(EVENTS_DROPPED, "events-dropped"),
	VHOST_IOMMU_STAT(EVENTS_LOST, "events-lost"),
	VHOST_IOMMU_STAT(INV_COMMANDS, "inv-commands"),
	VHOST_IOMMU_STAT(INV_CALLS, "inv-calls"),
	VHOST_IOMMU_STAT_ARRAY(QUEUE_REQUESTS, "queue-requests",
			       vhost_iommu_queues, 0),
	VHOST_IOMMU_STAT(VHOST_MISSES, "vhost-misses"),
	VHOST_IOMMU_STAT(VHOST_UPDATES, "vhost-updates"),
	VHOST_IOMMU_STAT(VHOST_INVALIDATIONS, "vhost-invalidations"),
	VHOST_IOMMU_STAT(HELD_REPLIES, "held-replies"),
};

/* Of queues that the VMM has not asked for there is nothing to tell */
static unsigned int
vhost_iommu_stat_end(const struct vhost_iommu *viommu,
		     const struct vhost_iommu_stat_kind *kind)
{
	if (kind->id == VHOST_IOMMU_STAT_QUEUE_REQUESTS)
		return max(READ_ONCE(viommu->num_queues), 1);
	return kind->end;
}

/* What each queue counts for itself */
static u64 vhost_iommu_stat_of(const struct vhost_iommu_rq_counters *count,
			       u32 id, unsigned int index)
{
	switch ((enum vhost_iommu_stat_id)id) {
	case VHOST_IOMMU_STAT_REQUESTS:
		return READ_ONCE(count->requests[index]);
	case VHOST_IOMMU_STAT_REPLIES:
		return READ_ONCE(count->status[index]);
	case VHOST_IOMMU_STAT_NO_STATUS:
		return READ_ONCE(count->no_status);
	case VHOST_IOMMU_STAT_BATCHES:
		return READ_ONCE(count->batches);
	case VHOST_IOMMU_STAT_WAKEUPS:
		return READ_ONCE(count->wakeups);
	case VHOST_IOMMU_STAT_POLL_HITS:
		return READ_ONCE(count->poll_hits);
	case VHOST_IOMMU_STAT_IN_PLACE:
		return READ_ONCE(count->in_place);
	case VHOST_IOMMU_STAT_INV_COMMANDS:
		return READ_ONCE(count->inv_commands);
	case VHOST_IOMMU_STAT_INV_CALLS:
		return READ_ONCE(count->inv_calls);
	case VHOST_IOMMU_STAT_HELD_REPLIES:
		return READ_ONCE(count->held);
	default:
		return 0;
	}
}

static u64 vhost_iommu_stat_queue(const struct vhost_iommu_rq_counters *count)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < VHOST_IOMMU_NR_TYPES; i++)
		sum += READ_ONCE(count->requests[i]);
	return sum;
}

/*
 * Takes no lock that somebody could have who waits for memory of the VMM: the
 * figures are read one by one.
 */
static u64 vhost_iommu_stat_read(const struct vhost_iommu *viommu, u32 id,
				 unsigned int index)
{
	unsigned int i;
	u64 sum = 0;

	switch ((enum vhost_iommu_stat_id)id) {
	case VHOST_IOMMU_STAT_RING_ERRORS:
		return atomic64_read(&viommu->ring_errors);
	case VHOST_IOMMU_STAT_REFUSED_MAPS:
		return READ_ONCE(viommu->refused.nr[index]);
	case VHOST_IOMMU_STAT_DOMAINS:
		return READ_ONCE(viommu->nr_domains);
	case VHOST_IOMMU_STAT_ENDPOINTS:
		return READ_ONCE(viommu->nr_endpoints);
	case VHOST_IOMMU_STAT_BROKEN:
		return READ_ONCE(viommu->nr_broken);
	case VHOST_IOMMU_STAT_MAPPINGS:
		return atomic64_read(&viommu->mappings);
	case VHOST_IOMMU_STAT_MAPPED_BYTES:
		return atomic64_read(&viommu->mapped_bytes);
	case VHOST_IOMMU_STAT_TABLE_PAGES:
		return atomic64_read(&viommu->table_pages);
	case VHOST_IOMMU_STAT_REBUILDS:
		return READ_ONCE(viommu->rebuilds);
	case VHOST_IOMMU_STAT_HOST_ERRORS:
		return atomic64_read(&viommu->host.errors);
	case VHOST_IOMMU_STAT_EVENTS:
		return READ_ONCE(viommu->eq.faults);
	case VHOST_IOMMU_STAT_EVENTS_DROPPED:
		return READ_ONCE(viommu->eq.dropped);
	case VHOST_IOMMU_STAT_EVENTS_LOST:
		return READ_ONCE(viommu->eq.lost) +
		       READ_ONCE(viommu->soft.lost);
	case VHOST_IOMMU_STAT_QUEUE_REQUESTS:
		return vhost_iommu_stat_queue(&viommu->rqs[index].count);
	case VHOST_IOMMU_STAT_VHOST_MISSES:
		return atomic64_read(&viommu->vhost.missed);
	case VHOST_IOMMU_STAT_VHOST_UPDATES:
		return atomic64_read(&viommu->vhost.told);
	case VHOST_IOMMU_STAT_VHOST_INVALIDATIONS:
		return atomic64_read(&viommu->vhost.forgotten);
	default:
		break;
	}
	for (i = 0; i < viommu->nr_rqs; i++)
		sum += vhost_iommu_stat_of(&viommu->rqs[i].count, id, index);
	return sum;
}

/**
 * vhost_iommu_stats_get - Carry out VHOST_IOMMU_GET_STATS
 * @viommu: The device
 * @args: The call's argument
 *
 * Context: Any process that has the file open, without locks.
 * Return: 0 or -EFAULT.
 */
int vhost_iommu_stats_get(struct vhost_iommu *viommu,
			  struct vhost_iommu_get_stats *args)
{
	struct vhost_iommu_stat __user *to = u64_to_user_ptr(args->addr);
	u32 i, index, nr = 0;

	for (i = 0; i < ARRAY_SIZE(vhost_iommu_stat_kinds); i++) {
		const struct vhost_iommu_stat_kind *kind =
			&vhost_iommu_stat_kinds[i];

		for (index = kind->first;
		     index < vhost_iommu_stat_end(viommu, kind);
		     index++, nr++) {
			struct vhost_iommu_stat stat = {
				.id = kind->id,
				.index = index,
				.value = vhost_iommu_stat_read(viommu, kind->id,
							       index),
			};

			if (nr < args->nr &&
			    copy_to_user(&to[nr], &stat, sizeof(stat)))
				return -EFAULT;
		}
	}
	args->out_nr = nr;
	return 0;
}

/**
 * vhost_iommu_refusal_get - Carry out VHOST_IOMMU_GET_REFUSAL
 * @viommu: The device
 * @args: The call's argument
 *
 * Context: Any process that has the file open.
 * Return: 0 or -ENOENT.
 */
int vhost_iommu_refusal_get(struct vhost_iommu *viommu,
			    struct vhost_iommu_get_refusal *args)
{
	const struct vhost_iommu_refusals *refused = &viommu->refused;
	unsigned int i;

	guard(spinlock)(&viommu->refused.lock);

	args->out_count = 0;
	for (i = 0; i < VHOST_IOMMU_NR_STATUS; i++)
		args->out_count += refused->nr[i];
	if (!args->out_count)
		return -ENOENT;
	args->out_start = refused->start;
	args->out_last = refused->last;
	args->out_phys = refused->phys;
	args->out_domain = refused->domain;
	args->out_status = refused->status;
	return 0;
}

/**
 * vhost_iommu_stats_show - Print the device's number and all figures
 * @viommu: The device
 * @m: Where to, for /proc/PID/fdinfo/FD
 *
 * Context: Any process that may read the file.
 */
void vhost_iommu_stats_show(struct vhost_iommu *viommu, struct seq_file *m)
{
	unsigned int i, index;

	seq_printf(m, "vhost-iommu-device:\t%u\n", viommu->number);
	for (i = 0; i < ARRAY_SIZE(vhost_iommu_stat_kinds); i++) {
		const struct vhost_iommu_stat_kind *kind =
			&vhost_iommu_stat_kinds[i];

		for (index = kind->first;
		     index < vhost_iommu_stat_end(viommu, kind); index++)
			seq_printf(m, "vhost-iommu-%s%s%s:\t%llu\n", kind->name,
				   kind->index ? "-" : "",
				   kind->index ? kind->index[index] : "",
				   vhost_iommu_stat_read(viommu, kind->id,
							 index));
	}
}
