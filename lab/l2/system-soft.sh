# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
# Endpoints that QEMU emulates: their DMA is translated by what the guest has mapped in
# the kernel, and what it has not mapped does not get through. system-test sources this.

# soft_image NAME MIB: set IMAGE to an empty disk of L1
soft_image()
{
	IMAGE=/tmp/soft-$1.img
	rm -f "$IMAGE"
	truncate -s "$2M" "$IMAGE"
}

# soft_file MIB IMAGE: what the guest has written is in the disk
soft_file()
{
	is_sum "$(head -c "$(($1 << 20))" "$2" | md5sum)"
}

# soft_state NAME ID STATE: where the DMA of an emulated endpoint goes
soft_state()
{
	local out

	out=$(l2_hmp "$1" "info vhost-iommu" | grep "$2 ")
	note "$out"
	[[ $out == *"$2 $3"* ]] || { note "$3 is expected"; return 1; }
}

# fault_in_log NAME ENDPOINT ADDRESS: the guest was told, and says so
fault_in_log()
{
	local tries

	for tries in {1..200}; do
		grep -q "fault from EP $2 at $3" "$L2_RUN/$1/console" && return 0
		sleep 0.1
	done
	note "$1 says nothing of a fault at $3"
	return 1
}

# Disks that QEMU serves beside the assigned NIC, all behind one IOMMU
test_soft.disks()
{
	local edu=0000:00:08.0 disk blk

	soft_image nvme 32 && disk=$IMAGE && soft_image blk 32 && blk=$IMAGE || return
	L2_APPEND='iommu.strict=1 hugepages=1' boot soft "$mode" \
		-drive "file=$disk,if=none,id=nvme,format=raw" \
		-device nvme,drive=nvme,serial=1,addr=5 \
		-drive "file=$blk,if=none,id=blk,format=raw" \
		-device virtio-blk-pci,drive=blk,addr=6,iommu_platform=on,disable-legacy=on,romfile= \
		-device edu,addr=8 || return
	traffic_start || return
	nvme_write soft 8 && nvme_reads soft 8 && soft_file 8 "$disk" &&
		disk_write soft /dev/vda 8 && disk_reads soft /dev/vda 8 &&
		soft_file 8 "$blk" || return
	traffic_stop
	if [[ $mode == vhost ]]; then
		soft_state soft 00:05.0 paging && soft_state soft 00:06.0 paging || return
		l2_run soft "stray-dma edu $edu 0xbadc000 write" &&
			fault_in_log soft 64 0xbadc000 || return
		# Pages of two address spaces, one after the other
		own_vfio soft "$nvme" && own_vfio soft "$edu" &&
			l2_run soft "vfio-dma 0x1000000 $nvme $edu" || return
	fi
	throughput TCP_MAERTS && served soft && finish soft && rm "$disk" "$blk"
}

# The same by a guest that reboots, and by one whose disk goes and comes back
test_soft.comes_and_goes()
{
	local disk out

	soft_image nvme 32 && disk=$IMAGE || return
	boot softplug "$mode" -device pcie-root-port,id=rp0,addr=7,chassis=1 \
		-drive "file=$disk,if=none,id=nvme,format=raw" \
		-device nvme,drive=nvme,serial=1,bus=rp0,id=disk || return
	nvme_write softplug 4 && nvme_reads softplug 4 && soft_file 4 "$disk" || return
	l2_hmp softplug stop
	l2_hmp softplug cont
	nvme_write softplug 4 && nvme_reads softplug 4 || return
	l2_run softplug 'ifconfig eth0 down; reboot -f' || return
	reachable && nvme_write softplug 4 && soft_file 4 "$disk" || return
	l2_hmp softplug 'device_del disk'
	l2_run softplug 'for i in $(seq 300); do [ -e /dev/nvme0n1 ] || exit 0;
		usleep 100000; done; exit 1' || { note "the disk does not go"; return 1; }
	# It takes a while until QEMU has closed the file, and the slot has no power
	for _ in {1..100}; do
		out=$(l2_hmp softplug "drive_add 0 file=$disk,if=none,id=again,format=raw")
		[[ $out != OK* ]] ||
			out=$(l2_hmp softplug 'device_add nvme,drive=again,serial=1,bus=rp0,id=disk')
		[[ $out ]] || break
		l2_hmp softplug 'drive_del again' >/dev/null
		sleep 0.2
	done
	[[ ! $out ]] || { note "$out"; return 1; }
	nvme_write softplug 4 && nvme_reads softplug 4 && soft_file 4 "$disk" &&
		served softplug && finish softplug && rm "$disk"
}

# A network card that QEMU serves
test_soft.net()
{
	local L2_NIC='' L2_ADDRESS=10.0.1.2 L2_APPEND=iommu.strict=1

	l2_start softnet "$mode" -netdev tap,id=net,ifname=soft0,script=no,downscript=no \
		-device virtio-net-pci,netdev=net,addr=5,iommu_platform=on,disable-legacy=on,romfile= || return
	until_it 60 ip link set soft0 up && ip addr add 10.0.1.1/24 dev soft0 &&
		l2_wait softnet && reachable || return
	soft_state softnet 00:05.0 paging && throughput TCP_STREAM &&
		throughput TCP_MAERTS && served softnet && finish softnet
}
