# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# What only a guest with x86 processors has. system-test sources this.

# -machine q35 with all that it has by itself: a VGA, an AHCI with a CD drive, an SMBus
test_usual_devices()
{
	local L2_DEFAULTS=() out id

	# It puts the VGA in the first slot
	L2_VHOST="$vhost,addr=6" boot usual "$mode" -nic none || return
	out=$(l2_hmp usual "info pci")
	for id in VGA SATA SMBus; do
		grep -qi "$id" <<<"$out" || { note "no $id: $out"; return 1; }
	done
	# What can make DMA is an endpoint
	soft_state usual 00:1f.2 || return
	throughput TCP_STREAM && throughput TCP_MAERTS && served usual && finish usual
}

# low_memory_went NAME: QEMU has told the kernel of memory below 1 MiB that went away, and
# of no other
low_memory_went()
{
	local range count=0

	while read -r _ range _; do
		((${range%-*} >= 0xa0000 && ${range#*-} < 0x100000)) ||
			{ note "$range went away"; return 1; }
		((count++))
	done < <(grep '^vhost_iommu_remove_ram' "$L2_RUN/$1/trace.log")
	note "memory below 1 MiB has gone $count times"
	((count > 0))
}

# Firmware, and whoever may write the host bridge's registers, puts ROM in the place of
# RAM below 1 MiB and takes it away again. Mappings of other memory stay.
test_low_memory()
{
	local L2_TRACE=vhost_iommu_remove_ram

	boot low "$mode" && throughput TCP_STREAM || return
	l2_run low 'ifconfig eth0 down; reboot -f' || return
	reachable && traffic_start 240 || return
	# PAM0 to PAM6: 0xc0000 to 0xfffff as RAM, one piece with all above, then as what is
	# behind it
	l2_run low 'for i in $(seq 10); do for b in "\063" "\000"; do
		printf "$b$b$b$b$b$b$b" | dd of=/sys/bus/pci/devices/0000:00:00.0/config
			bs=1 seek=144 conv=notrunc 2>/dev/null || exit 1; done; done' ||
		{ note "the registers can't be written"; return 1; }
	kill -0 "$TRAFFIC" || { note "traffic has ended"; return 1; }
	traffic_stop
	throughput TCP_STREAM && throughput TCP_MAERTS && served low && finish low &&
		low_memory_went low
}

# Tables of the guest are for an SMMU
test_no_tables()
{
	local device="vfio-pci,host=$L2_NIC,romfile=,iommufd=iommufd0" runner=()

	refuses 'tables of the guest can be nested' \
		-device virtio-iommu-pci,vhost=on,tables=on -device "$device"
}
