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

# soft_state NAME ID [STATE]: where the DMA of an emulated endpoint goes
soft_state()
{
	local out

	out=$(l2_hmp "$1" "info vhost-iommu" | grep "$2 ")
	note "$out"
	[[ $out == *"$2 ${3-}"* ]] || { note "$2 ${3-} is expected"; return 1; }
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

# Disks, a card and a console that QEMU serves beside the assigned NIC, all behind one IOMMU
test_soft.disks()
{
	local edu=0000:00:08.0 disk blk scsi
	local translated=iommu_platform=on,disable-legacy=on,romfile=
	local L2_SERIAL=virtio-serial-pci,addr=3,$translated

	soft_image nvme 32 && disk=$IMAGE && soft_image blk 32 && blk=$IMAGE &&
		soft_image scsi 32 && scsi=$IMAGE || return
	L2_APPEND='iommu.strict=1 hugepages=1' boot soft "$mode" \
		-drive "file=$disk,if=none,id=nvme,format=raw" \
		-device nvme,drive=nvme,serial=1,addr=5 \
		-drive "file=$blk,if=none,id=blk,format=raw" \
		-device "virtio-blk-pci,drive=blk,addr=6,$translated" \
		-drive "file=$scsi,if=none,id=scsi,format=raw" \
		-device "virtio-scsi-pci,addr=9,$translated" -device scsi-hd,drive=scsi \
		-netdev tap,id=net,ifname=net0,script=no,downscript=no \
		-device pcie-root-port,id=rp0,addr=10,chassis=1 \
		-device edu,addr=8 || return
	traffic_start || return
	nvme_write soft 8 && nvme_reads soft 8 && soft_file 8 "$disk" &&
		disk_write soft /dev/vda 8 && disk_reads soft /dev/vda 8 &&
		soft_file 8 "$blk" &&
		disk_write soft /dev/sda 8 && disk_reads soft /dev/sda 8 &&
		soft_file 8 "$scsi" || return
	traffic_stop
	# Linux would give it the name of the assigned one if it were there from the start
	l2_hmp soft 'device_add e1000e,netdev=net,bus=rp0,id=card,romfile='
	in_guest soft /sys/class/net/eth1 && l2_card_up &&
		l2_run soft 'ifconfig eth1 10.0.1.2 netmask 255.255.255.0 up' &&
		L2_ADDRESS=10.0.1.2 reachable && L2_ADDRESS=10.0.1.2 both_ways || return
	if [[ $mode == vhost ]]; then
		soft_state soft 00:03.0 paging && soft_state soft 00:05.0 paging &&
			soft_state soft 00:06.0 paging && soft_state soft 00:09.0 paging &&
			soft_state soft 01:00.0 paging || return
		l2_run soft "stray-dma edu $edu 0xbadc000 write" &&
			fault_in_log soft 64 0xbadc000 || return
		# Pages of two address spaces, one after the other
		own_vfio soft "$nvme" && own_vfio soft "$edu" &&
			l2_run soft "vfio-dma 0x1000000 $nvme $edu" || return
	fi
	throughput TCP_MAERTS && served soft && finish soft && rm "$disk" "$blk" "$scsi"
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

# soft_net NAME MODE NETDEV DEVICE: boot with the card of l2_card
soft_net()
{
	l2_card "$3" "$4"
	l2_start "$1" "$2" "${L2_CARD[@]}" && l2_card_up && l2_wait "$1" && reachable
}

# both_ways: the guest sends and receives
both_ways()
{
	throughput TCP_STREAM && throughput TCP_MAERTS
}

# A network card that QEMU serves
test_soft.net()
{
	local L2_NIC='' L2_ADDRESS=10.0.1.2 L2_APPEND=iommu.strict=1

	soft_net softnet "$mode" vhost=off vectors=3 || return
	soft_state softnet 00:05.0 paging && both_ways && served softnet &&
		finish softnet
}

# vhost_served NAME: the kernel has answered what vhost-net missed, and QEMU nothing
vhost_served()
{
	local key value

	for key in vhost-misses vhost-updates vhost-invalidations; do
		value=$(kernel_counter "$1" "$key")
		note "$1: $key $value"
		((value > 0)) || { note "$1: no $key"; return 1; }
	done
	[[ -e $L2_RUN/$1/trace.log ]] || { note "there is no trace"; return 1; }
	if grep '^vhost_iotlb_miss' "$L2_RUN/$1/trace.log" | head -n 3 | grep .; then
		note "QEMU answered misses"
		return 1
	fi
}

# vsock_both_ways NAME: data of the guest and of L1, each to the other
vsock_both_ways()
{
	local rc=0

	"$L2_DIR/programs/vsock-data" listen 1234 8 &
	l2_run "$1" 'vsock-data connect 2 1234 8' || rc=1
	wait "$!" && return "$rc"
}

# The same card by the host's vhost-net, with a pair of queues for each processor, and a
# vhost-vsock. Over a reboot, a stop, and while nobody takes what it sends.
test_soft.vhost_net()
{
	local L2_NIC='' L2_ADDRESS=10.0.1.2 L2_CPUS=2 L2_APPEND=iommu.strict=1
	local L2_TRACE=vhost_iotlb_miss

	l2_card vhost=on,queues=2 mq=on,vectors=6
	l2_start softvhost "$mode" "${L2_CARD[@]}" -device \
		vhost-vsock-pci,guest-cid=3,addr=6,iommu_platform=on,disable-legacy=on,romfile= &&
		l2_card_up && l2_wait softvhost && reachable || return
	soft_state softvhost 00:05.0 paging && soft_state softvhost 00:06.0 paging &&
		both_ways && vsock_both_ways softvhost || return
	l2_run softvhost 'ifconfig eth0 down; reboot -f' || return
	reachable && both_ways || return
	l2_hmp softvhost stop
	l2_hmp softvhost cont
	both_ways && vsock_both_ways softvhost && traffic_start || return
	l2_hmp softvhost 'set_link net off'
	sleep 1
	l2_hmp softvhost 'set_link net on'
	traffic_stop
	reachable && both_ways && vhost_served softvhost && served softvhost &&
		finish softvhost
}

# Shows that the test above would see it
test_soft.vhost_net_of_qemu()
{
	local L2_NIC='' L2_ADDRESS=10.0.1.2 L2_APPEND=iommu.strict=1
	local L2_TRACE=vhost_iotlb_miss

	soft_net softqemu qemu vhost=on vectors=3 && both_ways && finish softqemu &&
		grep -q '^vhost_iotlb_miss' "$L2_RUN/softqemu/trace.log"
}

# It is unplugged and plugged while it sends and receives, beside the assigned NIC; for
# ten minutes with --long
test_soft.vhost_unplug()
{
	local i out rounds=2

	[[ $long ]] && rounds=45
	L2_APPEND=iommu.strict=1 boot softunplug "$mode" \
		-device pcie-root-port,id=rp0,addr=7,chassis=1 \
		-netdev tap,id=net,ifname=net0,script=no,downscript=no,vhost=on || return
	l2_card_up && traffic_start $((rounds * 60)) || return
	for ((i = 0; i < rounds; i++)); do
		out=$(l2_hmp softunplug "device_add virtio-net-pci,netdev=net,bus=rp0,id=card,iommu_platform=on,romfile=")
		[[ ! $out ]] || { note "$out"; return 1; }
		l2_run softunplug 'for i in $(seq 300); do [ -e /sys/class/net/eth1 ] &&
			ifconfig eth1 10.0.1.2 netmask 255.255.255.0 up && exit 0;
			usleep 100000; done; exit 1' ||
			{ note "the card does not come: $(l2_run softunplug \
				'ls /sys/class/net; dmesg | tail -n 20')"; return 1; }
		L2_ADDRESS=10.0.1.2 reachable || return
		L2_ADDRESS=10.0.1.2 throughput TCP_STREAM || return
		# In the midst of what it receives
		timeout 30 netperf -H 10.0.1.2 -t TCP_MAERTS -l 5 >/dev/null 2>&1 &
		sleep "0.$((RANDOM % 9 + 1))"
		l2_hmp softunplug 'device_del card'
		l2_run softunplug 'for i in $(seq 300); do [ -e /sys/class/net/eth1 ] || exit 0;
			usleep 100000; done; exit 1' ||
			{ note "the card does not go"; return 1; }
		wait "$!"
		until_it 100 no_card || { note "the slot is not empty"; return 1; }
		kill -0 "$TRAFFIC" || { note "the NIC has no traffic"; return 1; }
		# Linux takes no notice of a slot for a second after its power is off
		sleep 2
	done
	traffic_stop
	reachable && both_ways && served softunplug && finish softunplug
}

no_card()
{
	local out

	out=$(l2_hmp softunplug 'info network')
	[[ $out != *card:* ]]
}

# soft_switch: a bridge of L1, br0 at 10.0.1.1, that has a vhost-user back end with an
# IOTLB at $SWITCH/card: Open vSwitch with DPDK, which sleeps when there is nothing to do
soft_switch()
{
	SWITCH=/tmp/switch
	export OVS_RUNDIR=$SWITCH OVS_LOGDIR=$SWITCH OVS_DBDIR=$SWITCH \
		OVS_SYSCONFDIR=$SWITCH
	mkdir -p "$SWITCH"
	echo 64 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	{
		ovsdb-tool create "$SWITCH/conf.db" \
			/usr/share/openvswitch/vswitch.ovsschema &&
		ovsdb-server "$SWITCH/conf.db" --remote="punix:$SWITCH/db.sock" \
			--log-file --pidfile --detach --no-chdir &&
		ovs-vsctl --no-wait init &&
		ovs-vsctl --no-wait set Open_vSwitch . \
			other_config:dpdk-init=true other_config:pmd-sleep-max=200 \
			other_config:dpdk-extra=--no-pci \
			other_config:vhost-iommu-support=true &&
		/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk \
			"unix:$SWITCH/db.sock" --log-file --detach --no-chdir \
			--pidfile="$SWITCH/ovs-vswitchd.pid" &&
		ovs-vsctl --timeout=60 add-br br0 -- \
			set bridge br0 datapath_type=netdev -- add-port br0 card -- \
			set Interface card type=dpdkvhostuserclient \
			options:vhost-server-path="$SWITCH/card" &&
		ip link set br0 up && ip addr add 10.0.1.1/24 dev br0
	} >"$SWITCH/output" 2>&1 || {
		note "the switch does not start: $(tail -n 5 "$SWITCH/output" \
			"$SWITCH"/*.log)"
		return 1
	}
}

soft_switch_off()
{
	[[ -e ${SWITCH-} ]] || return 0
	kill "$(<"$SWITCH/ovs-vswitchd.pid")" "$(<"$SWITCH/ovsdb-server.pid")" 2>/dev/null
	rm -rf "$SWITCH"
	echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
}

# pings NAME: the guest answers. A back end drops what comes for a buffer whose
# translation it does not have yet.
pings()
{
	local out answers

	out=$(ping -c 80 -i 0.05 -s 1400 -W 1 -q "$L2_ADDRESS")
	answers=$(sed -n 's/.* \([0-9]*\) packets received.*/\1/p' <<<"$out")
	note "$1: $answers of 80 pings"
	((answers >= 10))
}

# A card that another process serves: it keeps translations, and is told what is unmapped
# before the guest is. Over a reboot, a stop, and when QEMU is killed.
#
# Only pings, fewer than 256 for each boot: DPDK takes a ring for one piece of memory, which
# behind an IOMMU it is only within a page. This QEMU gives all rings 1,024 entries, whose
# descriptors are in four pages that Linux has from anywhere.
test_soft.vhost_user()
{
	local L2_NIC='' L2_ADDRESS=10.0.1.2 L2_APPEND=iommu.strict=1
	local held value

	soft_switch || return
	l2_start softuser "$mode" -machine memory-backend=ram \
		-object "memory-backend-memfd,id=ram,size=${L2_MEMORY}M,share=on" \
		-chardev "socket,id=switch,path=$SWITCH/card,server=on,wait=off" \
		-netdev vhost-user,id=net,chardev=switch -device \
		virtio-net-pci,netdev=net,addr=5,id=card,iommu_platform=on,disable-legacy=on,romfile=,vectors=3 &&
		l2_wait softuser && reachable || return
	soft_state softuser 00:05.0 paging && pings softuser || return
	held=$(kernel_counter softuser held-replies)
	note "held replies: $held"
	((held > 0)) || { note "nothing has waited for the back end"; return 1; }
	l2_run softuser 'ifconfig eth0 down; reboot -f' || return
	reachable && pings softuser || return
	l2_hmp softuser stop
	l2_hmp softuser cont
	reachable || return
	value=$(kernel_counter softuser held-replies)
	note "held replies: $value"
	((value > held)) && served softuser || return
	ping -c 40 -i 0.05 -q "$L2_ADDRESS" >/dev/null &
	sleep 1
	l2_kill softuser
	wait "$!"
	check_log softuser
}
