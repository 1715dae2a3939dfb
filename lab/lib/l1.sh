# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# L1: the emulated Arm host with a two-stage SMMUv3.

# What the SMMU does, as the emulator tells it; LAB_TRACE='' turns it off
: "${LAB_TRACE=smmuv3_cmdq_* smmuv3_range_inval smmuv3_record_event smmuv3_translate_abort}"
: "${LAB_L1_MEMORY:=3G}" "${LAB_L1_CPUS:=2}"

stage_l1()
{
	local stage=$BUILD/$LAB_FLAVOUR/stage

	need_arm64
	need_l1root
	rm -rf "$stage"
	mkdir -p "$stage/bin" "$stage/modules"
	cp "$LAB/guest/l1-init" "$stage/init"
	cp "$LAB/guest/bashrc" "$LAB/guest/welcome" "$stage/"
	if [[ ! ${LAB_BARE:-} ]]; then
		stage_modules "$LAB_FLAVOUR" "$stage"
		build_tool arm64 arm64 aarch64-linux-gnu-
		build_tool armhf arm arm-linux-gnueabihf-
		if ! { cp "$BUILD/arm64/test-tool/vhost-iommu-test" "$stage/" &&
		       cp "$BUILD/armhf/test-tool/vhost-iommu-test" \
			  "$stage/vhost-iommu-test-armhf" &&
		       ln -s ../vhost-iommu-test "$stage/bin/"; }; then
			die "the test tool is not where it was built"
		fi
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
	cp "$LAB"/l2/* "$QEMU_L1" "$MQ" "$ARM64/arch/arm64/boot/Image" "$stage/"
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

# l1_qemu RUN KERNEL_ARGUMENTS: set QEMU to the emulator's command line
l1_qemu()
{
	local run=$1 event trace=()

	for event in $LAB_TRACE; do
		trace+=(-trace "$event")
	done
	((${#trace[@]})) && trace+=(-D "$run/smmu-trace.log")
	# shellcheck disable=SC2054 # these commas are the emulator's
	QEMU=(qemu-system-aarch64
	-M "virt,virtualization=on,gic-version=3,iommu=smmuv3"
	-global arm-smmuv3.stage=nested
	-cpu "max,pauth-impdef=on,sve=off"
	-smp "$LAB_L1_CPUS" -m "$LAB_L1_MEMORY" -no-reboot
	-display none -nodefaults
	-kernel "$ARM64/arch/arm64/boot/Image"
	-append "console=ttyAMA0 root=/dev/vda rw init=/init loglevel=5 panic=-1 watchdog_thresh=30 $2"
	-drive "file=$L1ROOT/root.ext4,format=raw,if=none,id=root,snapshot=on"
	-device virtio-blk-pci,drive=root,addr=1
	-drive "file=$run/tools.ext4,format=raw,if=none,id=tools,readonly=on"
	-device virtio-blk-pci,drive=tools,addr=2
	-fsdev "local,id=results,path=$run,security_model=none"
	-device virtio-9p-pci,fsdev=results,mount_tag=results,addr=8
	-netdev hubport,id=n0,hubid=0
	-device igb,netdev=n0,addr=3,romfile=,mac=52:54:00:00:00:03
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
	in_root -w "$run" "$LAB/lib/machine.py" --label "$name" \
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
	in_root -w "$run" "${QEMU[@]}" -serial mon:stdio
}
