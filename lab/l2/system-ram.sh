# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
# Tests of memory that comes and goes while a NIC does DMA. system-test sources
# this.

mib=$((1024 * 1024))

# until_it SECONDS COMMAND...: try until it succeeds
until_it()
{
	local deadline=$((SECONDS + $1))

	shift
	while ((SECONDS < deadline)); do
		"$@" && return 0
		sleep 0.5
	done
	note "in vain: $*"
	return 1
}

# MiB of memory that the guest has
total_memory()
{
	l2_run "$1" "awk '/^MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo"
}

# MiB that the guest uses of memory that can go away again
movable_memory()
{
	l2_run "$1" "awk '/^Node/ { movable = /Movable/ }
		movable && /pages free/ { free += \$3 }
		movable && /managed/ { managed += \$2 }
		END { print int((managed - free) / 256) }' /proc/zoneinfo"
}

total_reaches()
{
	(($(total_memory "$1") >= $2))
}

file_make()
{
	l2_run "$1" "rm -f /tmp/file; pidof httpd >/dev/null || httpd -h /tmp;
		dd if=/dev/urandom of=/tmp/file bs=1M count=$2 2>/dev/null"
}

# file_comes NAME: what the guest's file has is what arrives. The server uses
# sendfile: the NIC reads the pages of the file themselves.
file_comes()
{
	local here there

	there=$(l2_run "$1" 'md5sum </tmp/file') || return
	here=$(timeout 120 wget -qO- "http://$L2_ADDRESS/file" | md5sum)
	[[ $here == "$there" ]] && return 0
	note "the file is $there, and $here arrived"
	return 1
}

# removed NAME START SIZE: VFIO has unmapped all of that range, and the kernel has given it
# up. Nothing is mapped between the two, in whichever order.
removed()
{
	local log=$L2_RUN/$1/trace.log

	grep '^vhost_iommu_remove_ram' "$log" >"$log.sorted"
	grep -v '^vhost_iommu_remove_ram' "$log" >>"$log.sorted"
	removed_first "$@" "$log.sorted"
}

# removed_first NAME START SIZE [LOG]: VFIO has unmapped all of that range, and each
# part after the kernel has given it up
removed_first()
{
	local first=$(($2)) end=$(($2 + $3)) event rest start last i bytes=0
	local starts=() lasts=()

	while read -r event rest; do
		case $event in
		vhost_iommu_remove_ram)
			rest=${rest%% *}
			starts+=("$((${rest%-*}))") lasts+=("$((${rest#*-}))")
			;;
		iommufd_backend_unmap_dma)
			start=${rest#*iova=} last=${rest#*size=}
			start=$((${start%% *}))
			last=$((start + ${last%% *} - 1))
			((start >= first && last < end)) || continue
			for i in "${!starts[@]}"; do
				((starts[i] <= start && last <= lasts[i])) &&
					break
			done
			((${#starts[@]} && starts[i] <= start &&
			  last <= lasts[i])) || {
				note "unmapped while in use: $rest"
				return 1
			}
			((bytes += last - start + 1))
			;;
		esac
	done <"${4:-$L2_RUN/$1/trace.log}"
	note "$1: $bytes bytes went away"
	((bytes >= $3)) || { note "$3 are expected"; return 1; }
}

dimm_gone()
{
	[[ -z $(l2_hmp "$1" "info memory-devices") ]]
}

# What can't be taken away at once, the guest says no to
dimm_unplug()
{
	l2_hmp "$1" "device_del dimm" >/dev/null
	sleep 2
	dimm_gone "$1"
}

test_ram_hotplug()
{
	local L2_TRACE='vhost_iommu_remove_ram' L2_MEMORY='512,slots=2,maxmem=2G'
	local L2_APPEND='acpi=force memhp_default_state=online_movable'
	local before out start

	boot ramplug "$mode" "${firmware[@]}" \
		-trace iommufd_backend_unmap_dma && traffic_start || return
	before=$(total_memory ramplug)
	out=$(l2_hmp ramplug "object_add memory-backend-ram,id=ram,size=256M"
	      l2_hmp ramplug "device_add pc-dimm,id=dimm,memdev=ram")
	[[ -z $out ]] || { note "$out"; return 1; }
	until_it 30 total_reaches ramplug $((before + 256)) || return
	start=$(l2_hmp ramplug "info memory-devices" | awk '$1 == "addr:" { print $2 }')
	note "$before MiB became $(total_memory ramplug), at $start"

	file_make ramplug 16 || return
	traffic_stop
	out=$(movable_memory ramplug)
	note "$out MiB of the new memory are used"
	((out >= 16)) && file_comes ramplug && reachable || return

	l2_run ramplug 'rm /tmp/file; echo 3 >/proc/sys/vm/drop_caches'
	traffic_start && until_it 60 dimm_unplug ramplug || return
	traffic_stop
	removed ramplug "$start" $((256 * mib)) || return
	throughput TCP_STREAM && file_make ramplug 4 && file_comes ramplug &&
		served ramplug && finish ramplug
}

vmem_is()
{
	(($(l2_hmp "$1" "qom-get /machine/peripheral/vmem size") == $2 * mib))
}

vmem_resize()
{
	l2_hmp "$1" "qom-set /machine/peripheral/vmem requested-size $2M"
	until_it 60 vmem_is "$1" "$2"
}

test_virtio_mem()
{
	local L2_TRACE='vhost_iommu_remove_ram' L2_MEMORY='512,maxmem=2G'
	local L2_APPEND='memhp_default_state=online_movable'
	local before out start

	boot vmem "$mode" -trace iommufd_backend_unmap_dma \
		-object memory-backend-ram,id=ram,size=512M \
		-device virtio-mem-pci,id=vmem,memdev=ram,requested-size=0,addr=5 &&
		traffic_start || return
	before=$(total_memory vmem)
	vmem_resize vmem 256 &&
		until_it 30 total_reaches vmem $((before + 256)) || return
	start=$(l2_hmp vmem "info memory-devices" | awk '$1 == "memaddr:" { print $2 }')
	note "$before MiB became $(total_memory vmem), at $start"

	file_make vmem 16 || return
	traffic_stop
	out=$(movable_memory vmem)
	note "$out MiB of the new memory are used"
	((out >= 16)) && file_comes vmem && reachable || return

	# What stays is moved out of the memory that goes
	traffic_start && vmem_resize vmem 64 || return
	traffic_stop
	file_comes vmem && l2_run vmem 'rm /tmp/file' || return
	traffic_start && vmem_resize vmem 0 || return
	traffic_stop
	removed_first vmem "$start" $((256 * mib)) || return
	vmem_resize vmem 128 && file_make vmem 4 && file_comes vmem &&
		throughput TCP_STREAM && served vmem && finish vmem
}

# MiB of memory that QEMU has
resident_memory()
{
	awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/${L2_PID[$1]}/status"
}

balloon_is()
{
	[[ $(l2_hmp "$1" "info balloon") == "balloon: actual=$2" ]]
}

balloon_resize()
{
	l2_hmp "$1" "balloon $2"
	until_it 60 balloon_is "$1" "$2"
}

# VFIO has pinned all memory: what the guest gives away has to stay
test_balloon()
{
	local L2_TRACE='vhost_iommu_remove_ram' unmapped before after

	boot balloon "$mode" -trace iommufd_backend_unmap_dma \
		-device virtio-balloon-pci,addr=5 || return
	unmapped=$(wc -l <"$L2_RUN/balloon/trace.log")
	before=$(resident_memory balloon)
	traffic_start && balloon_resize balloon 300 || return
	traffic_stop
	throughput TCP_STREAM && throughput TCP_MAERTS || return
	after=$(resident_memory balloon)
	note "QEMU had $before MiB and has $after"
	((after > before - 100)) || return
	traffic_start && balloon_resize balloon 512 || return
	traffic_stop
	file_make balloon 24 && file_comes balloon || return
	(($(wc -l <"$L2_RUN/balloon/trace.log") == unmapped)) ||
		{ note "memory was unmapped"; return 1; }
	throughput TCP_STREAM && served balloon && finish balloon
}
