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
