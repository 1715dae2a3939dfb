# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
# Linux' own driver with the series of integration/linux: a request queue for each
# processor. system-test sources this.

# lazy NAME: the NIC's mappings are unmapped later, many at once, by either processor
lazy()
{
	l2_run "$1" 'cd /sys/class/net/eth0/device/iommu_group && echo DMA-FQ >type &&
		grep -qx DMA-FQ type' || { note "no lazy invalidation"; return 1; }
}

test_processors_mq()
{
	local L2_CPUS=2 L2_APPEND='iommu.strict=1 hugepages=1' edu=0000:00:06.0 devices out rc=0
	# Nobody looks for requests that nobody was notified of
	local L2_VHOST="$vhost,poll-us=0"

	assigned "$nvme_host" addr=5
	devices=("${ASSIGNED[@]}")
	assigned 0000:00:07.0 addr=6
	boot mq mq "${devices[@]}" "${ASSIGNED[@]}" && busy_processors mq &&
		queues_used mq 2 && lazy mq && busy_processors mq &&
		own_vfio mq "$nvme" && own_vfio mq "$edu" &&
		l2_run mq "vfio-dma 0x1000000 $nvme $edu" || return
	# Nor would anybody notify of others, but for the NIC's
	l2_run mq 'ifconfig eth0 down' || return
	out=$(l2_run mq "vfio-cpus $nvme 2>&1") || rc=1
	note "$out"
	((rc == 0)) || return
	l2_run mq "ifconfig eth0 $L2_ADDRESS up" && reachable &&
		throughput TCP_MAERTS && served mq && finish mq
}
