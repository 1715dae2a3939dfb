# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Guests (L2) in the emulated host (L1), of its architecture. Source this in L1; all names
# begin with l2_. A guest has a name and a directory, $L2_RUN/NAME, with its console
# (console), its messages and those of QEMU (qemu.log).
#
#   l2_network                   L1's end of the wire: eth0, 10.0.0.1
#   l2_start NAME MODE [ARG...]  boot; MODE is none, qemu, vhost, table, which is
#                                vhost with tables of the guest, poll and tpoll,
#                                which are the same with poll-us=50, mq, which is
#                                vhost with a request queue for each processor and
#                                Linux' driver patched for that, or accel and
#                                smmu, QEMU's own SMMU with and without the host's
#                                (table, tpoll, accel and smmu on Arm only);
#                                net-MODE has the card of l2_card behind the same,
#                                by the host's vhost-net, and net-MODE-off by QEMU,
#                                without an assigned NIC; nvme-MODE is the same with
#                                an emulated NVMe, which has no data; ARGs are more
#                                arguments of QEMU
#   l2_use MODE                  see that L2_ADDRESS and L2_NIC are those of MODE
#   l2_card NETDEV DEVICE        set L2_CARD to the arguments for a virtio-net on the
#                                tap net0, with more properties of both
#   l2_card_up                   L1's end of it: 10.0.1.1
#   l2_wait NAME [SECONDS]       wait until it is ready
#   l2_run NAME COMMAND          run a shell command in it, with its status; a
#                                line's end is a space
#   l2_hmp NAME COMMAND          the same for QEMU's monitor
#   l2_netperf TEST SECONDS      print the Mbit/s between L1 and the guest
#   l2_stop NAME                 power it off
#   l2_kill NAME                 kill QEMU

: "${L2_DIR:=/opt/vhost-iommu/l2}" "${L2_RUN:=/tmp/l2}" "${L2_ARCH:=$(uname -m)}"
: "${L2_QEMU:=$L2_DIR/qemu-system-$L2_ARCH}"
: "${L2_NIC:=0000:00:03.0}" "${L2_ADDRESS:=10.0.0.2}" "${L2_TIMEOUT:=240}"
: "${L2_MEMORY:=512}" "${L2_CPUS:=1}" "${L2_APPEND:=}" "${L2_TRACE:=}"
# virtio-serial-device is beside PCI, where no vIOMMU has to do with it
: "${L2_SERIAL:=virtio-serial-pci,addr=3,romfile=}"
# Without it there is also what the machine has by itself
L2_DEFAULTS=(-nodefaults)

case $L2_ARCH in
aarch64)
	: "${L2_KERNEL:=$L2_DIR/Image}"
	L2_MACHINE=(-M "virt,gic-version=3" -cpu host)
	L2_LOADER=/lib/ld-linux-aarch64.so.1
	L2_ALWAYS=console=ttyAMA0
	;;
x86_64)
	: "${L2_KERNEL:=$L2_DIR/vmlinux}"
	L2_MACHINE=(-M q35 -cpu "host,-svm" -L /usr/share/seabios -L /usr/share/qemu)
	L2_LOADER=/lib64/ld-linux-x86-64.so.2
	# A virtio-iommu remaps no interrupts: user space in the guest has its devices
	# by this only
	L2_ALWAYS="console=ttyS0 vfio_iommu_type1.allow_unsafe_interrupts=1"
	L2_ALWAYS+=" iommufd.allow_unsafe_interrupts=1"
	;;
esac

declare -A L2_PID L2_HMP_OUT L2_OUT L2_HMP_IN L2_IN

l2_fail()
{
	echo "l2: $*" >&2
	return 1
}

l2_network()
{
	local dev

	for dev in /sys/class/net/*; do
		[[ -e $dev/device && $(readlink -f "$dev/device/driver") == */virtio_net ]] ||
			continue
		ip addr add 10.0.0.1/24 dev "${dev##*/}" 2>/dev/null
		ip link set "${dev##*/}" up
		return
	done
	l2_fail "no virtio-net in L1"
}

# The guest's file system, made of L1's own programs
l2_initramfs()
{
	local root=$L2_RUN/root

	[[ -e $L2_RUN/initramfs ]] && return 0
	mkdir -p "$root"/{bin,lib/modules,proc,sys,dev,tmp,etc}
	cp "$L2_DIR/guest-init" "$root/init"
	chmod 755 "$root/init"
	cp /usr/bin/busybox /usr/bin/netperf /usr/bin/netserver \
		/usr/bin/ioping "$root/bin/"
	cp "$L2_DIR/programs"/* "$root/bin/"
	[[ ! -e $L2_DIR/dma_map_benchmark ]] ||
		cp "$L2_DIR/dma_map_benchmark" "$root/bin/"
	mkdir -p "$root${L2_LOADER%/*}"
	cp -L "$L2_LOADER" "$root${L2_LOADER%/*}/"
	cp -L "/lib/$L2_ARCH-linux-gnu"/lib{c,m}.so.6 "$root/lib/"
	cp "$L2_DIR/virtio-iommu.ko" "$root/lib/modules/"
	[[ $L2_ARCH != aarch64 ]] ||
		cp "$L2_DIR/../modules/virtio_iommu_table.ko" "$root/lib/modules/"
	printf 'root:x:0:0:root:/:/bin/sh\n' >"$root/etc/passwd"
	printf 'netperf\t12865/tcp\n' >"$root/etc/services"
	printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
	(cd "$root" && find . | cpio -o -H newc 2>/dev/null) >"$L2_RUN/initramfs.new" &&
		mv "$L2_RUN/initramfs.new" "$L2_RUN/initramfs"
}

l2_use()
{
	[[ $1 != @(net|nvme)-* ]] || L2_NIC=''
	[[ $1 != net-* ]] || L2_ADDRESS=10.0.1.2
}

l2_card()
{
	L2_CARD=(-netdev "tap,id=net,ifname=net0,script=no,downscript=no,$1"
		-device "virtio-net-pci,netdev=net,addr=5,id=card,iommu_platform=on,disable-legacy=on,romfile=,$2")
}

l2_card_up()
{
	local tries=600

	until ip link set net0 up 2>/dev/null; do
		((tries--)) || { l2_fail "there is no tap"; return; }
		sleep 0.1
	done
	ip addr add 10.0.1.1/24 dev net0
}

# l2_arguments NAME MODE: set L2_ARGS
# shellcheck disable=SC2054 # these commas are QEMU's
l2_arguments()
{
	local run=$L2_RUN/$1 append kind=${2#net-}

	kind=${kind#nvme-} kind=${kind%-off}
	# Each letter takes the guest to QEMU and back: warnings only, see guest-init
	append="$L2_ALWAYS loglevel=5 panic=-1 l2.address=$L2_ADDRESS $L2_APPEND"
	[[ $2 != nvme-* ]] || append+=" l2.nonic"
	[[ $kind != @(table|tpoll) ]] || append+=" l2.table"
	# The driver that is in the kernel is not the one that is wanted
	[[ $kind != mq ]] || append+=" l2.mq initcall_blacklist=virtio_iommu_drv_init"
	L2_ARGS=("$L2_QEMU" -enable-kvm "${L2_MACHINE[@]}"
	-smp "$L2_CPUS" -m "$L2_MEMORY" "${L2_DEFAULTS[@]}" -display none
	-kernel "$L2_KERNEL" -initrd "$L2_RUN/initramfs" -append "$append"
	-serial "file:$run/console"
	-chardev "pipe,id=hmp,path=$run/hmp" -mon chardev=hmp,mode=readline
	-object iommufd,id=iommufd0)
	case $kind in
	none)	;;
	qemu)	L2_ARGS+=(-device virtio-iommu-pci,addr=1) ;;
	vhost)	L2_ARGS+=(-device "virtio-iommu-pci,addr=1,${L2_VHOST:-vhost=on}") ;;
	poll)	L2_ARGS+=(-device virtio-iommu-pci,addr=1,vhost=on,poll-us=50) ;;
	mq)	L2_ARGS+=(-device "virtio-iommu-pci,addr=1,${L2_VHOST:-vhost=on},num-queues=$L2_CPUS") ;;
	table)	L2_ARGS+=(-device "virtio-iommu-pci,addr=1,${L2_VHOST:-vhost=on,tables=on}") ;;
	tpoll)	L2_ARGS+=(-device virtio-iommu-pci,addr=1,vhost=on,tables=on,poll-us=50) ;;
	accel)	L2_ARGS+=(-device arm-smmuv3,primary-bus=pcie.0,id=smmu0,accel=on) ;;
	smmu)	L2_ARGS+=(-device arm-smmuv3,primary-bus=pcie.0,id=smmu0) ;;
	*)	l2_fail "no such mode: $2 (none, qemu, vhost, poll, mq, table, tpoll, accel, smmu)"; return ;;
	esac
	if [[ $2 == net-* ]]; then
		l2_card "vhost=$([[ $2 == *-off ]] && echo off || echo on)" vectors=3
		L2_ARGS+=("${L2_CARD[@]}")
	elif [[ $2 == nvme-* ]]; then
		L2_ARGS+=(-blockdev null-co,node-name=disk,size=268435456,read-zeroes=on
			-device nvme,drive=disk,serial=1,addr=6)
	fi
	L2_ARGS+=(-chardev "pipe,id=commands,path=$run/commands"
	-device "$L2_SERIAL" -device virtconsole,chardev=commands)
	[[ -z $L2_NIC ]] || L2_ARGS+=(-device
		"vfio-pci,host=$L2_NIC,iommufd=iommufd0,romfile=,addr=2,id=nic")
	[[ -z $L2_TRACE ]] || L2_ARGS+=(-D "$run/trace.log" -trace "$L2_TRACE")
}

l2_start()
{
	local name=$1 mode=$2 run=$L2_RUN/$1 in out

	shift 2
	mkdir -p "$run"
	l2_initramfs || return
	rm -f "$run"/*
	mkfifo "$run"/{hmp,commands}.{in,out}
	l2_arguments "$name" "$mode" || return
	"${L2_ARGS[@]}" "$@" >"$run/qemu.log" 2>&1 </dev/null &
	L2_PID[$name]=$!
	# Read and write, so that neither side waits for the other to open
	exec {in}<>"$run/commands.in" {out}<>"$run/commands.out"
	L2_IN[$name]=$in L2_OUT[$name]=$out
	exec {in}<>"$run/hmp.in" {out}<>"$run/hmp.out"
	L2_HMP_IN[$name]=$in L2_HMP_OUT[$name]=$out
}

l2_alive()
{
	kill -0 "${L2_PID[$1]}" 2>/dev/null
}

# l2_read FD: set LINE to the next line, within a second. What came of a line by
# then waits in L2_PARTIAL for the rest.
declare -A L2_PARTIAL
l2_read()
{
	local rc=0

	IFS= read -r -t 1 -u "$1" LINE || rc=$?
	LINE=${L2_PARTIAL[$1]-}$LINE
	if ((rc)); then
		L2_PARTIAL[$1]=$LINE
	else
		unset "L2_PARTIAL[$1]"
		LINE=${LINE%$'\r'}
	fi
	return "$rc"
}

# l2_answer NAME SECONDS: print what comes up to the line with the status
l2_answer()
{
	local deadline=$((SECONDS + $2)) LINE

	while ((SECONDS < deadline)); do
		if ! l2_read "${L2_OUT[$1]}"; then
			l2_alive "$1" && continue
			l2_fail "$1: QEMU has ended"
			return 125
		fi
		case $LINE in
		# Firmware may have written to this console before
		*"--- ready")	return 0 ;;
		"--- "*)	return "${LINE#--- }" ;;
		*)		printf '%s\n' "$LINE" ;;
		esac
	done
	l2_fail "$1: no answer after $2 seconds"
	return 124
}

l2_wait()
{
	l2_answer "$1" "${2:-$L2_TIMEOUT}"
}

l2_run()
{
	printf '%s\n' "${2//$'\n'/ }" >&"${L2_IN[$1]}"
	l2_answer "$1" "${3:-$L2_TIMEOUT}"
}

# The monitor echoes what it reads, prompts with "(qemu) " and ends no line
# before a prompt: ask for something known to see the end.
l2_hmp()
{
	local deadline=$((SECONDS + 60)) LINE

	printf '%s\nprint /d 123454321\n' "$2" >&"${L2_HMP_IN[$1]}"
	while ((SECONDS < deadline)); do
		l2_read "${L2_HMP_OUT[$1]}" || continue
		case $LINE in
		123454321)	return 0 ;;
		*"(qemu) "*|QEMU*)	;;
		*)		printf '%s\n' "$LINE" ;;
		esac
	done
	l2_fail "$1: the monitor does not answer"
}

# netperf may tell of a timer that was late, before the figure
l2_netperf()
{
	local said

	said=$(timeout $(($2 + 60)) netperf -H "$L2_ADDRESS" -t "$1" -l "$2" \
		-P 0 -v 0) || return
	[[ $said =~ ([0-9.]+)[[:space:]]*$ ]] && echo "${BASH_REMATCH[1]}"
}

# l2_reap NAME: wait for QEMU's end and forget the guest
l2_reap()
{
	local fd rc=0

	wait "${L2_PID[$1]}" || rc=$?
	for fd in "${L2_IN[$1]}" "${L2_OUT[$1]}" "${L2_HMP_IN[$1]}" "${L2_HMP_OUT[$1]}"; do
		unset "L2_PARTIAL[$fd]"
		exec {fd}>&-
	done
	unset "L2_PID[$1]"
	return "$rc"
}

# The interface goes down first: Linux shuts the virtio-iommu down before the NIC
# and then warns of each buffer that it can't unmap any more, whoever serves it
l2_stop()
{
	local tries=300

	l2_run "$1" "ifconfig eth0 down 2>/dev/null; echo off" >/dev/null
	printf '%s\n' "echo o >/proc/sysrq-trigger" >&"${L2_IN[$1]}"
	while l2_alive "$1" && ((tries--)); do
		sleep 0.1
	done
	l2_alive "$1" && kill "${L2_PID[$1]}"
	l2_reap "$1"
}

l2_kill()
{
	kill -KILL "${L2_PID[$1]}"
	l2_reap "$1" 2>/dev/null
}

# Seconds that L1's processors have worked since it started
l2_cpu_seconds()
{
	awk '$1 == "cpu" { print ($2 + $3 + $4 + $7 + $8 + $9) / 100 }' /proc/stat
}
