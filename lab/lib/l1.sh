# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# L1: the emulated host. Arm's has a two-stage SMMUv3, that of x86 an IOMMU of Intel's
# or of AMD's.

: "${LAB_L1_MEMORY:=3G}" "${LAB_L1_CPUS:=2}"

# The IOMMUs of the emulated x86 host, by the properties of their devices
X86_ALL=(intel intel-scalable intel-first amd)
declare -A X86_IOMMUS=(
	# Tables of the second stage, as without scalable mode
	[intel]="intel-iommu,intremap=on,device-iotlb=on"
	# The same behind entries for each PASID
	[intel-scalable]="intel-iommu,intremap=on,device-iotlb=on,scalable-mode=on"
	# Tables in the processor's format
	[intel-first]="intel-iommu,intremap=on,device-iotlb=on,scalable-mode=on,fsts=on"
	# It is a PCI device as well
	[amd]="AMDVI-PCI,id=iommu,addr=12 amd-iommu,intremap=on,dma-remap=on,pci-id=iommu"
)
: "${LAB_IOMMU:=intel}"

# l1_name LEVEL: what to call a run of L1 (l1) or of guests in it (l2)
l1_name()
{
	case $LAB_FLAVOUR in
	x86_64*)	echo "$1-${LAB_FLAVOUR/x86_64/x86}-$LAB_IOMMU" ;;
	*)		echo "$1${LAB_FLAVOUR#arm64}" ;;
	esac
}

stage_l1()
{
	local stage=$BUILD/$LAB_FLAVOUR/stage name target
	# The test tool for the host's own programs, and for 32-bit ones
	local tools=('arm64 arm64 aarch64-linux-gnu-' 'armhf arm arm-linux-gnueabihf-')

	need_host
	need_l1root
	rm -rf "$stage"
	mkdir -p "$stage/bin" "$stage/modules"
	cp "$LAB/guest/l1-init" "$stage/init"
	cp "$LAB/guest/bashrc" "$LAB/guest/welcome" "$stage/"
	[[ $(arch_of "$LAB_FLAVOUR") == arm64 ]] ||
		tools=('x86_64 x86 x86_64-linux-gnu-' 'i386 x86 i686-linux-gnu-')
	if [[ ! ${LAB_BARE:-} ]]; then
		stage_modules "$LAB_FLAVOUR" "$stage"
		target=$stage/vhost-iommu-test
		for name in "${tools[@]}"; do
			# shellcheck disable=SC2086 # three words
			build_tool $name
			cp "$BUILD/${name%% *}/test-tool/vhost-iommu-test" "$target" ||
				die "the test tool is not where it was built"
			target=$stage/vhost-iommu-test-32
		done
		ln -s ../vhost-iommu-test "$stage/bin/"
	fi
	L1_STAGE=$stage
}

# What guests (L2) need, beside the rest
stage_l2()
{
	local stage=$BUILD/$LAB_FLAVOUR/stage/l2

	need_qemu
	need_mq
	rm -rf "$stage"
	mkdir -p "$stage"
	cp "$LAB"/l2/* "$QEMU_L1" "$MQ" "$HOST_KERNEL" "$stage/"
	build_l2_programs "$stage/programs"
}

# l1_disk RUN: the disk of tools, made anew for each run, and those of the NVMes
l1_disk()
{
	local size

	size=$(($(du -sm "$L1_STAGE" | cut -f1) * 5 / 4 + 16))
	rm -f "$1/tools.ext4"
	in_root mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$L1_STAGE" \
		"$1/tools.ext4" "${size}M" >/dev/null ||
		die "making the disk of tools failed"
	truncate -s 64M "$1"/nvme{0,1}.img
}

# l1_clean RUN: what is of no use after it
l1_clean()
{
	rm -f "$1"/{tools.ext4,nvme{0,1}.img}
}

# l1_machine: set QEMU to the emulator and the machine, console to that of its kernel, nic
# to the slot of the first igb
# shellcheck disable=SC2054 # these commas are the emulator's
l1_machine()
{
	local device

	if [[ $(arch_of "$LAB_FLAVOUR") == arm64 ]]; then
		console=ttyAMA0
		QEMU=(qemu-system-aarch64
		-M "virt,virtualization=on,gic-version=3,iommu=smmuv3"
		-global arm-smmuv3.stage=nested
		-cpu "max,pauth-impdef=on,sve=off")
		return
	fi
	[[ ${X86_IOMMUS[$LAB_IOMMU]:-} ]] ||
		die "no such IOMMU: $LAB_IOMMU (${X86_ALL[*]})"
	need_x86root
	console=ttyS0
	QEMU=(qemu-system-x86_64
	-M "q35,sata=off,smbus=off,vmport=off,hpet=off"
	-cpu "max,la57=off")
	# Firmware says that the IOAPIC is in slot 14 (hexadecimal), where QEMU has nothing, and
	# Linux remaps no interrupts if it finds no ISA bridge there. That slot is for virtual
	# functions of an igb in slot 3.
	if [[ $LAB_IOMMU == amd ]]; then
		nic=c
		QEMU+=(-blockdev null-co,node-name=ioapic
		-device virtio-blk-pci,drive=ioapic,class=0x0601,addr=14,romfile=)
	fi
	# Before what it translates for
	for device in ${X86_IOMMUS[$LAB_IOMMU]}; do
		QEMU+=(-device "$device")
	done
}

# l1_trace: what the IOMMU does, as the emulator tells it; LAB_TRACE='' turns it off
l1_trace()
{
	if [[ $(arch_of "$LAB_FLAVOUR") == arm64 ]]; then
		echo 'smmuv3_cmdq_* smmuv3_range_inval smmuv3_record_event smmuv3_translate_abort'
	elif [[ $LAB_IOMMU == amd ]]; then
		echo 'amdvi_*_inval amdvi_completion_wait amdvi_page_fault'
	else
		echo 'vtd_inv_desc* vtd_dmar_fault'
	fi
}

# l1_qemu RUN KERNEL_ARGUMENTS: set QEMU to the emulator's command line
l1_qemu()
{
	local run=$1 event trace=() console nic=3

	for event in ${LAB_TRACE-$(l1_trace)}; do
		trace+=(-trace "$event")
	done
	((${#trace[@]})) && trace+=(-D "$run/iommu-trace.log")
	l1_machine
	# shellcheck disable=SC2054 # these commas are the emulator's
	QEMU+=(-smp "$LAB_L1_CPUS" -m "$LAB_L1_MEMORY" -no-reboot
	-display none -nodefaults
	-kernel "$HOST_KERNEL" ${HOST_INITRAMFS:+-initrd "$HOST_INITRAMFS"}
	-append "console=$console root=/dev/vda rw init=/init loglevel=5 panic=-1 watchdog_thresh=30 ${LAB_L1_APPEND:-} $2"
	-drive "file=$L1ROOT/root.ext4,format=raw,if=none,id=root,snapshot=on"
	-device virtio-blk-pci,drive=root,addr=1
	-drive "file=$run/tools.ext4,format=raw,if=none,id=tools,readonly=on"
	-device virtio-blk-pci,drive=tools,addr=2
	-fsdev "local,id=results,path=$run,security_model=none"
	-device virtio-9p-pci,fsdev=results,mount_tag=results,addr=8
	-netdev hubport,id=n0,hubid=0
	-device "igb,netdev=n0,addr=$nic,romfile=,mac=52:54:00:00:00:03"
	-netdev hubport,id=n1,hubid=0
	-device virtio-net-pci,netdev=n1,addr=5,romfile=,mac=52:54:00:00:00:05
	-netdev hubport,id=n2,hubid=0
	-device igb,netdev=n2,addr=6,romfile=,mac=52:54:00:00:00:06
	# Two functions of one slot share an IOMMU group
	-device edu,addr=4.0,multifunction=on
	-device edu,addr=4.1
	-device edu,addr=7,dma_mask=0xffffffffffffffff
	-drive "file=$run/nvme0.img,format=raw,if=none,id=nvme0"
	-device nvme,serial=lab0,drive=nvme0,addr=10
	-drive "file=$run/nvme1.img,format=raw,if=none,id=nvme1"
	-device nvme,serial=lab1,drive=nvme1,addr=11.0,multifunction=on
	-device edu,addr=11.1,dma_mask=0xffffffffffffffff
	# While a device with ATS is reset, Linux attaches it to nothing
	-device pcie-root-port,id=rp0,addr=9
	-device virtio-rng-pci,bus=rp0,ats=on,iommu_platform=on,romfile=
	"${trace[@]}")
}

# in_emulator: in_root with the emulator of L1
in_emulator()
{
	local BUILDROOT=$BUILDROOT

	[[ $(arch_of "$LAB_FLAVOUR") == arm64 ]] || BUILDROOT=$X86ROOT
	in_root "$@"
}

# l1_run NAME TIMEOUT COMMAND: run COMMAND in L1; its output and what else it
# leaves in /results is then in build/results/NAME
l1_run()
{
	local name=$1 timeout=$2 run=$BUILD/results/$1 rc=0

	stage_l1
	[[ ! ${LAB_L2:-} ]] || stage_l2
	rm -rf "$run"
	mkdir -p "$run"
	printf '%s\n' "$3" >"$run/command"
	l1_disk "$run"
	l1_qemu "$run" ''
	say "booting L1 for $name (log: $run/console)"
	in_emulator -w "$run" "$LAB/lib/machine.py" --label "$name" \
		--results "$run" --console "$run/console" \
		--timeout "$timeout" --silence "${LAB_SILENCE:-300}" ${LAB_VERBOSE:+--verbose} -- \
		"${QEMU[@]}" -serial stdio || rc=$?
	l1_clean "$run"
	return "$rc"
}

l1_shell()
{
	local run=$BUILD/results/shell

	stage_l1
	rm -rf "$run"
	mkdir -p "$run"
	l1_disk "$run"
	l1_qemu "$run" lab.shell
	say "booting L1; leave with exit, or ctrl-a x at once"
	in_emulator -w "$run" "${QEMU[@]}" -serial mon:stdio
}
