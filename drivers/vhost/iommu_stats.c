// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-iommu: statistics
 */
#include <linux/compiler.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "iommu.h"

/**
 * vhost_iommu_stats_get - Read all figures
 * @viommu: The device
 * @stats: What VHOST_IOMMU_GET_STATS returns; its head is left alone
 *
 * Context: Any that has the file open. Takes no lock that somebody could have who
 * waits for memory of the VMM: the figures are read one by one.
 */
void vhost_iommu_stats_get(struct vhost_iommu *viommu,
			   struct vhost_iommu_stats *stats)
{
	const struct vhost_iommu_rq_counters *count = &viommu->rq.count;
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_STATS_NR_TYPES; i++)
		stats->out_requests[i] = READ_ONCE(count->requests[i]);
	for (i = 0; i < VHOST_IOMMU_STATS_NR_STATUS; i++)
		stats->out_status[i] = READ_ONCE(count->status[i]);
	stats->out_no_status = READ_ONCE(count->no_status);
	stats->out_batches = READ_ONCE(count->batches);
	stats->out_wakeups = READ_ONCE(count->wakeups);
	stats->out_poll_hits = READ_ONCE(count->poll_hits);
	stats->out_ring_errors = atomic64_read(&viommu->ring_errors);
	stats->out_mapped_bytes = READ_ONCE(viommu->mapped_bytes);
	stats->out_mappings = READ_ONCE(viommu->mappings);
	stats->out_table_pages = READ_ONCE(viommu->table_pages);
	stats->out_rebuilds = READ_ONCE(viommu->rebuilds);
	stats->out_host_errors = READ_ONCE(viommu->host.errors);
	stats->out_domains = READ_ONCE(viommu->nr_domains);
	stats->out_endpoints = READ_ONCE(viommu->nr_endpoints);
	stats->out_broken = READ_ONCE(viommu->nr_broken);
	stats->__reserved = 0;
	stats->out_events = READ_ONCE(viommu->eq.faults);
	stats->out_events_dropped = READ_ONCE(viommu->eq.dropped);
	stats->out_events_lost = READ_ONCE(viommu->eq.lost);
	stats->out_inv_commands = READ_ONCE(count->inv_commands);
	stats->out_inv_calls = READ_ONCE(count->inv_calls);
	stats->out_in_place = READ_ONCE(count->in_place);

	guard(spinlock)(&viommu->refused.lock);

	memcpy(stats->out_refused_maps, viommu->refused.nr,
	       sizeof(stats->out_refused_maps));
	stats->out_refused_domain = viommu->refused.domain;
	stats->out_refused_status = viommu->refused.status;
	stats->out_refused_start = viommu->refused.start;
	stats->out_refused_last = viommu->refused.last;
	stats->out_refused_phys = viommu->refused.phys;
}

/**
 * vhost_iommu_stats_show - Print all figures
 * @viommu: The device
 * @m: Where to, for /proc/PID/fdinfo/FD
 *
 * Context: As vhost_iommu_stats_get().
 */
void vhost_iommu_stats_show(struct vhost_iommu *viommu, struct seq_file *m)
{
	static const char * const types[] = {
		"unknown", "attach", "detach", "map", "unmap", "probe",
		"attach-table", "invalidate",
	};
	static const char * const statuses[] = {
		"ok", "ioerr", "unsupp", "deverr", "inval", "range", "noent",
		"fault", "nomem",
	};
	struct vhost_iommu_stats stats;
	unsigned int i;

	vhost_iommu_stats_get(viommu, &stats);

	seq_printf(m, "vhost-iommu-domains:\t%u\n", stats.out_domains);
	seq_printf(m, "vhost-iommu-endpoints:\t%u\n", stats.out_endpoints);
	seq_printf(m, "vhost-iommu-broken:\t%u\n", stats.out_broken);
	seq_printf(m, "vhost-iommu-mappings:\t%llu\n", stats.out_mappings);
	seq_printf(m, "vhost-iommu-mapped-bytes:\t%llu\n",
		   stats.out_mapped_bytes);
	seq_printf(m, "vhost-iommu-table-pages:\t%llu\n",
		   stats.out_table_pages);
	seq_printf(m, "vhost-iommu-rebuilds:\t%llu\n", stats.out_rebuilds);
	seq_printf(m, "vhost-iommu-host-errors:\t%llu\n",
		   stats.out_host_errors);
	seq_printf(m, "vhost-iommu-batches:\t%llu\n", stats.out_batches);
	seq_printf(m, "vhost-iommu-wakeups:\t%llu\n", stats.out_wakeups);
	seq_printf(m, "vhost-iommu-poll-hits:\t%llu\n", stats.out_poll_hits);
	seq_printf(m, "vhost-iommu-in-place:\t%llu\n", stats.out_in_place);
	seq_printf(m, "vhost-iommu-ring-errors:\t%llu\n",
		   stats.out_ring_errors);
	seq_printf(m, "vhost-iommu-events:\t%llu\n", stats.out_events);
	seq_printf(m, "vhost-iommu-events-dropped:\t%llu\n",
		   stats.out_events_dropped);
	seq_printf(m, "vhost-iommu-events-lost:\t%llu\n",
		   stats.out_events_lost);
	seq_printf(m, "vhost-iommu-inv-commands:\t%llu\n",
		   stats.out_inv_commands);
	seq_printf(m, "vhost-iommu-inv-calls:\t%llu\n",
		   stats.out_inv_calls);
	seq_printf(m, "vhost-iommu-no-status:\t%llu\n", stats.out_no_status);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		seq_printf(m, "vhost-iommu-requests-%s:\t%llu\n", types[i],
			   stats.out_requests[i]);
	for (i = 0; i < ARRAY_SIZE(statuses); i++)
		seq_printf(m, "vhost-iommu-status-%s:\t%llu\n", statuses[i],
			   stats.out_status[i]);
	/* There is none that is OK */
	for (i = 1; i < ARRAY_SIZE(statuses); i++)
		seq_printf(m, "vhost-iommu-refused-maps-%s:\t%llu\n",
			   statuses[i], stats.out_refused_maps[i]);
}
