# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Tests of the driver with tables of the guest. system-test sources this.

# own_vfio NAME DEVICE: give a device to vfio-pci in the guest
own_vfio()
{
	l2_run "$1" "cd /sys/bus/pci && echo vfio-pci >devices/$2/driver_override &&
		{ [ ! -e devices/$2/driver ] || echo $2 >devices/$2/driver/unbind; } &&
		echo $2 >drivers_probe"
}

# Unmapping a GiB of pages of 4 KiB frees 512 tables. They are invalidated together
# with the pages: the kernel unmaps some 20 MiB at a time.
test_freed_tables()
{
	local edu=0000:00:05.0 before after

	boot freed "$mode" -device vfio-pci,host=0000:00:07.0,iommufd=iommufd0,addr=5 &&
		own_vfio freed "$edu" &&
		l2_run freed 'echo 300000 >/proc/sys/vm/max_map_count' || return
	before=$(counter freed invalidate)
	note "$(l2_run freed "static-map $edu 1 small 2>&1; grep nr_iommu /proc/vmstat")"
	after=$(counter freed invalidate)
	note "$((after - before)) invalidations"
	((after - before > 0 && after - before < 200)) || return
	throughput TCP_MAERTS && served freed && finish freed
}

# group_of NAME DEVICE: print the number of its IOMMU group in the guest
group_of()
{
	l2_run "$1" "basename \$(readlink /sys/bus/pci/devices/$2/iommu_group)"
}

# A port without ACS does not isolate what is behind it: one group, which is
# translated and can be given to user space. Bridges are endpoints for that.
test_bridge_group()
{
	local port=0000:00:04.0 lone=0000:00:06.0 nic=0000:01:00.0 group

	boot bridge "$mode" \
		-device pcie-root-port,id=rp0,chassis=1,addr=4,disable-acs=on \
		-device vfio-pci,host=0000:00:06.0,iommufd=iommufd0,romfile=,bus=rp0 \
		-device pcie-root-port,id=rp1,chassis=2,addr=6 || return
	group=$(group_of bridge "$port")
	note "$port is in group $group, $nic in group $(group_of bridge "$nic")"
	[[ $group && $(group_of bridge "$nic") == "$group" ]] || return
	l2_run bridge "grep -q DMA /sys/kernel/iommu_groups/$group/type &&
		grep -q identity /sys/bus/pci/devices/$lone/iommu_group/type" ||
		{ note "the groups' types are not what they should be"; return 1; }
	own_vfio bridge "$nic" &&
		note "$(l2_run bridge "echo 64 >/proc/sys/vm/nr_hugepages;
			static-map $nic 1 runs 2>&1")" || return
	l2_run bridge "static-map $nic 1 runs >/dev/null" || return
	throughput TCP_STREAM && served bridge && finish bridge
}

test_stats()
{
	local stats='/sys/bus/virtio/devices/virtio*/stats' requests

	boot stats "$mode" && throughput TCP_MAERTS || return
	requests=$(l2_run stats "cat $stats/requests")
	note "$requests requests, $(l2_run stats "cat $stats/late_notifications") late notifications, $(l2_run stats 'grep nr_iommu_pages /proc/vmstat')"
	((requests > 100)) &&
		l2_run stats 'grep -q "nr_iommu_pages [1-9]" /proc/vmstat' &&
		served stats && finish stats
}
