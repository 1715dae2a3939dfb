# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# Tests of devices that are no NICs, and of what a guest does with them: power off,
# change domains, reset them, map more than it may. system-test sources this.

# What L1 has, by their places in it
nvme_host=0000:00:10.0
pair_host=0000:00:11
rng_host=0000:01:00.0

# In the guest
nvme=0000:00:05.0

# assigned HOST_DEVICE PROPERTY...: set ASSIGNED to QEMU's arguments
assigned()
{
	local IFS=,

	ASSIGNED=(-device "vfio-pci,host=$1,iommufd=iommufd0,romfile=,${*:2}")
}

now_ms()
{
	local up

	read -r up _ </proc/uptime
	echo "${up/./}0"
}

# quick WHAT MS BASE_MS: no more than three times as long as without a vIOMMU. A
# few seconds are always granted: this may have a busy machine beneath it.
quick()
{
	local limit=$(($3 * 3))

	((limit >= 8000)) || limit=8000
	note "$1 takes $2 ms, $3 ms without a vIOMMU"
	(($2 <= limit)) || { note "no more than $limit ms are expected"; return 1; }
}

# in_guest NAME FILE: wait until the guest has it
in_guest()
{
	l2_run "$1" "for i in \$(seq 150); do
		[ -e $2 ] && exit 0; usleep 100000; done; exit 1" ||
		{ note "the guest has no $2"; return 1; }
}

# disk_write NAME DISK MIB: write to a disk of the guest's, and set SUM to what was written
disk_write()
{
	in_guest "$1" "$2" || return
	SUM=$(l2_run "$1" "dd if=/dev/urandom of=/tmp/file bs=1M count=$3 2>/dev/null &&
		dd if=/tmp/file of=$2 bs=1M conv=fsync 2>/dev/null &&
		md5sum </tmp/file && rm /tmp/file") ||
		{ note "$1 can't write: $SUM"; return 1; }
}

# nvme_write NAME MIB: the same with its NVMe
nvme_write()
{
	disk_write "$1" /dev/nvme0n1 "$2"
}

# is_sum SUM: it is what disk_write() has written
is_sum()
{
	[[ $SUM == *-* && $1 == "$SUM" ]] && return 0
	note "written was $SUM, read is $1"
	return 1
}

# disk_reads NAME DISK MIB: what disk_write() has written is there
disk_reads()
{
	in_guest "$1" "$2" &&
		is_sum "$(l2_run "$1" "dd if=$2 bs=1M count=$3 iflag=direct 2>/dev/null |
			md5sum")"
}

# nvme_reads NAME MIB: the same with its NVMe
nvme_reads()
{
	disk_reads "$1" /dev/nvme0n1 "$2"
}

# l1_takes DEVICE DRIVER: give a device of L1 to another driver
l1_takes()
{
	local device=/sys/bus/pci/devices/$1

	[[ ! -e $device/driver ]] || echo "$1" >"$device/driver/unbind"
	echo "$2" >"$device/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
	[[ $(readlink "$device/driver") == */"$2" ]]
}

# l1_reads MIB: the same as nvme_reads(), when the guest is gone
l1_reads()
{
	local rc=0

	l1_takes "$nvme_host" nvme &&
		until_it 10 test -b /dev/nvme0n1 &&
		is_sum "$(dd if=/dev/nvme0n1 bs=1M count="$1" iflag=direct 2>/dev/null |
			md5sum)" || rc=1
	l1_takes "$nvme_host" vfio-pci && return "$rc"
}

# Linux shuts the virtio-iommu down before the NVMe, which then is told to finish.
# What the kernel does first is not told from what comes later: TOOK is all of it.
nvme_power_off()
{
	local start tries=900

	start=$(now_ms)
	printf 'poweroff -f\n' >&"${L2_IN[$1]}"
	while l2_alive "$1" && ((tries--)); do
		sleep 0.1
	done
	TOOK=$(($(now_ms) - start))
	! l2_alive "$1" || { note "no end after $TOOK ms"; return 1; }
	l2_reap "$1"
}

# ... until all devices are shut down. To start the next kernel takes much longer.
nvme_reboot()
{
	local start tries=900

	start=$(now_ms)
	printf 'reboot -f\n' >&"${L2_IN[$1]}"
	until in_console "$1" 'reboot: Restarting system'; do
		((tries--)) || { note "it does not reboot"; return 1; }
		sleep 0.1
	done
	TOOK=$(($(now_ms) - start))
	l2_wait "$1" && note "$1: the next kernel is there after $(($(now_ms) - start)) ms"
}

# nvme_boot NAME MODE: a guest without a NIC
nvme_boot()
{
	local L2_NIC='' L2_APPEND='l2.nonic'

	assigned "$nvme_host" addr=5
	l2_start "$1" "$2" "${ASSIGNED[@]}" && l2_wait "$1"
}

# How long it takes without a vIOMMU; once is enough. This guest is not tested.
nvme_baseline()
{
	[[ ! ${BASE_OFF:-} ]] || return 0
	nvme_boot bare none && nvme_write bare 8 && nvme_reboot bare || return
	BASE_REBOOT=$TOOK
	nvme_reads bare 8 && nvme_power_off bare || return
	BASE_OFF=$TOOK
	l1_reads 8
}

test_power_off_nvme()
{
	nvme_baseline && nvme_boot nvmeoff "$mode" && nvme_write nvmeoff 8 &&
		served nvmeoff && nvme_power_off nvmeoff && check_log nvmeoff &&
		l1_reads 8 && quick "power-off" "$TOOK" "$BASE_OFF"
}

test_reboot_nvme()
{
	nvme_baseline && nvme_boot nvmeboot "$mode" && nvme_write nvmeboot 8 &&
		nvme_reboot nvmeboot && quick "reboot" "$TOOK" "$BASE_REBOOT" &&
		nvme_reads nvmeboot 8 && nvme_write nvmeboot 8 &&
		nvme_reads nvmeboot 8 && served nvmeboot && finish nvmeboot
}

# An NVMe maps a request's parts one by one, without waiting, and unmaps them at
# once. Its resets find requests that are under way.
test_nvme()
{
	local L2_CPUS=2 i before

	assigned "$nvme_host" addr=5
	boot nvme "$mode" "${ASSIGNED[@]}" && nvme_write nvme 24 && nvme_reads nvme 24 ||
		return
	traffic_start 120 || return
	l2_run nvme 'for i in 0 1 2 3; do
		while [ ! -e /tmp/stop ]; do
			dd if=/dev/nvme0n1 of=/dev/null bs=4k count=200 skip=$((i * 1000))
				iflag=direct 2>/dev/null || { touch /tmp/failed; break; }; done &
		done; while [ ! -e /tmp/stop ]; do
			dd if=/dev/zero of=/dev/nvme0n1 bs=512k count=16 seek=60 oflag=direct
				2>/dev/null || { touch /tmp/failed; break; }; done &
		for i in 1 2 3 4 5; do
			sleep 1; echo 1 >/sys/class/nvme/nvme0/reset_controller || exit 1;
			done; sleep 1; touch /tmp/stop; wait; [ ! -e /tmp/failed ]' ||
		{ note "I/O fails"; return 1; }
	kill -0 "$TRAFFIC" || { note "traffic has ended"; return 1; }
	traffic_stop
	nvme_reads nvme 24 && throughput TCP_MAERTS && served nvme && finish nvme
}

# pair_is NAME DRIVER: give both functions to a driver, or to none
pair_is()
{
	local take='[ ! -e driver ] || echo $d >driver/unbind || exit 1;'

	[[ ! $2 ]] || take+=" echo $2 >driver_override &&
		echo \$d >/sys/bus/pci/drivers_probe && [ -e driver ] || exit 1;"
	l2_run "$1" "for d in $nvme ${nvme%.0}.1; do
		cd /sys/bus/pci/devices/\$d || exit 1; $take done" ||
		{ note "the pair has not become one of \"$2\""; return 1; }
}

# pair_type NAME TYPE EXPECTED: change the type of the pair's domain; then DMA to
# physical memory is what is EXPECTED, and the NVMe's driver works
pair_type()
{
	local out

	pair_is "$1" '' || return
	out=$(l2_run "$1" "cd /sys/bus/pci/devices/$nvme/iommu_group &&
		echo $2 >type && cat type; phys-dma ${nvme%.0}.1" 2>&1)
	note "$out"
	[[ $out == "$2"$'\n'"$3" ]] || { note "$3 is expected"; return 1; }
	l2_run "$1" "cd /sys/bus/pci/devices/$nvme && echo nvme >driver_override &&
		echo $nvme >/sys/bus/pci/drivers_probe && [ -e driver ]" &&
		nvme_reads "$1" 4
}

# An NVMe and an edu are functions of one slot, in one group. Linux moves one after
# the other to another domain.
test_group_moves()
{
	local group

	assigned "$pair_host.0" addr=5.0 multifunction=on
	group=("${ASSIGNED[@]}")
	assigned "$pair_host.1" addr=5.1
	boot moves "$mode" "${group[@]}" "${ASSIGNED[@]}" && traffic_start 120 &&
		nvme_write moves 4 && nvme_reads moves 4 || return
	l2_run moves "cd /sys/bus/pci/devices &&
		[ \$(readlink $nvme/iommu_group) = \$(readlink ${nvme%.0}.1/iommu_group) ]" ||
		{ note "they are not one group"; return 1; }

	pair_is moves vfio-pci &&
		l2_run moves "vfio-dma 0x1000000 $nvme ${nvme%.0}.1" || return
	pair_type moves identity reached && pair_type moves DMA blocked || return
	pair_is moves vfio-pci &&
		l2_run moves "vfio-dma 0x2000000 ${nvme%.0}.1 $nvme" &&
		pair_type moves DMA blocked || return
	kill -0 "$TRAFFIC" || { note "traffic has ended"; return 1; }
	traffic_stop
	throughput TCP_STREAM && served moves && finish moves
}

# 20 resets that the guest's kernel makes, of an NVMe in use; then 20 that it does not
# know of, of a device with ATS: for as long as one lasts, the host can't attach it.
# What a guest asks for meanwhile may fail, and its kernel warns of that.
test_reset_function()
{
	local L2_CPUS=2 rng=0000:00:06.0 group splat=${splat/WARNING:|/} out

	assigned "$nvme_host" addr=5
	group=("${ASSIGNED[@]}")
	assigned "$rng_host" addr=6
	boot reset "$mode" "${group[@]}" "${ASSIGNED[@]}" && traffic_start 240 &&
		nvme_write reset 4 && nvme_reads reset 4 || return
	l2_run reset "cd /sys/bus/pci/devices/$nvme &&
		live() { for i in \$(seq 150); do
			grep -q live nvme/nvme0/state && return 0; usleep 100000; done; return 1; } &&
		{ while [ ! -e /tmp/stop ]; do
			dd if=/dev/nvme0n1 of=/dev/null bs=64k count=64 iflag=direct ||
				usleep 100000; done 2>/dev/null & } &&
		for round in 1 2 3 4 5; do
			for i in 1 2 3 4; do echo 1 >reset && live || exit 1; done;
			echo $nvme >driver/unbind && echo $nvme >/sys/bus/pci/drivers/nvme/bind &&
				live || exit 1;
		done 2>/dev/null; touch /tmp/stop; wait" || { note "the NVMe is not reset"; return 1; }
	nvme_reads reset 4 || return

	l2_run reset "cd /sys/bus/pci/devices/$rng && echo $rng >driver/unbind &&
		echo vfio-pci >driver_override && echo $rng >/sys/bus/pci/drivers_probe &&
		flr-attach $rng 20" || { note "the other one is not reset"; return 1; }
	out=$(kernel_counter reset broken)
	note "$out endpoints are broken"
	[[ $out == 0 ]] || return
	# After an ATTACH that failed, the mainline driver does not know any more which
	# domains have endpoints: the device has to come anew
	out=$(l2_run reset "cd /sys/bus/pci && echo 1 >devices/$rng/remove &&
		echo 1 >rescan && timeout -s KILL 20 dd if=/dev/hwrng bs=16 count=4 2>/dev/null | wc -c")
	[[ $out == 64 ]] || { note "64 random bytes are expected: $out"; return 1; }
	kill -0 "$TRAFFIC" || { note "traffic has ended"; return 1; }
	traffic_stop
	throughput TCP_STREAM && nvme_reads reset 4 &&
		served reset host-errors deverr ioerr && finish reset
}

# told_of NAME COUNT: events have told of so many MAPs that were refused
told_of()
{
	(($(sed -n '/VHOST_IOMMU_MAP_REFUSED/s/.*"count": \([0-9]*\).*/\1/p' \
		"$L2_RUN/qmp.log" | awk '{ sum += $1 } END { print sum + 0 }') == $2))
}

# The guest's kernel does not look at what becomes of a MAP. So the host has to
# tell, without filling its log.
test_refused_maps()
{
	local L2_NIC='' L2_APPEND='l2.nonic' edu=0000:00:05.0 limit=1000 count=1500
	local iova=$((16 * mib)) rc=0 qmp key value told event

	rm -f "$L2_RUN"/qmp.*
	mkdir -p "$L2_RUN"
	mkfifo "$L2_RUN"/qmp.{in,out}
	cat "$L2_RUN/qmp.out" >"$L2_RUN/qmp.log" &
	exec {qmp}<>"$L2_RUN/qmp.in"
	printf '{"execute":"qmp_capabilities"}\n' >&"$qmp"
	assigned 0000:00:07.0 addr=5
	L2_VHOST="$vhost,max-mappings=$limit" l2_start refused "$mode" \
		-chardev "pipe,id=qmp,path=$L2_RUN/qmp" -mon chardev=qmp,mode=control \
		"${ASSIGNED[@]}" && l2_wait refused || rc=1
	# Not earlier: what is in a pipe is lost with its last end
	exec {qmp}>&-
	((rc == 0)) || return
	l2_run refused "cd /sys/bus/pci && echo vfio-pci >devices/$edu/driver_override &&
		echo $edu >drivers_probe && vfio-limit $edu $iova $limit $count" || return

	for key in status-nomem refused-maps-nomem; do
		value=$(kernel_counter refused "$key")
		note "$key $value"
		[[ $value == $((count - limit)) ]] ||
			{ note "$((count - limit)) is expected"; return 1; }
	done
	# Once a second at most
	until_it 10 told_of refused $((count - limit)) || return
	told=$(grep -c 'MAP requests were refused' "$L2_RUN/refused/qemu.log")
	((told > 0 && told <= 10)) || { note "QEMU warns $told times"; return 1; }
	event=$(grep VHOST_IOMMU_MAP_REFUSED "$L2_RUN/qmp.log")
	note "$event"
	[[ $event == *'"endpoint": 40'* ]] || { note "the edu's endpoint is 40"; return 1; }
	# The last one, whose pages are one after the other
	event=${event##*$'\n'} value=$((iova + (count - 1) * 4096))
	for key in '"status": "nomem"' '"domain": [0-9]' "\"start\": ${value}[,}]" \
		   "\"end\": $((value + 4095))[,}]"; do
		[[ $event =~ $key ]] || { note "the event lacks $key"; return 1; }
	done
	served refused nomem && finish refused
}

# As a user-space driver has it that takes its virtual addresses
test_high_iova()
{
	local edu=0000:00:05.0

	assigned 0000:00:07.0 addr=5
	boot high "$mode" "${ASSIGNED[@]}" || return
	l2_run high "cd /sys/bus/pci && echo vfio-pci >devices/$edu/driver_override &&
		echo $edu >drivers_probe && vfio-dma 0x7fff00000000 $edu" || return
	throughput TCP_STREAM && served high && finish high
}
