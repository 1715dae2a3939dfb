# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Building the module, the mock and the tools for the machines of the lab.

BUILD=$TOP/build

# build_module DIR FLAVOUR [VARIABLES...]: build the module of DIR (relative to
# the clone) for a host's kernel or for uml into build/FLAVOUR/DIR
build_module()
{
	local dir=$1 flavour=$2 out kdir arch=(ARCH=um)

	shift 2
	out=$BUILD/$flavour/$dir
	if [[ $flavour == uml ]]; then
		need_uml
		kdir=$UML/build
	else
		need_host "$flavour"
		kdir=$HOST
		read -ra arch <<<"$(compiler_arguments "$(arch_of "$flavour")" gcc)"
		arch+=("${HOST_MAKE[@]}")
	fi
	mkdir -p "$out" "$BUILD/logs"
	say "building $dir for $flavour"
	logged "$BUILD/logs/module-$flavour-${dir##*/}.log" 0 \
		in_root make -C "$kdir" M="$TOP/$dir" MO="$out" "${arch[@]}" \
		KSRC="$SOURCE" -j"$(nproc)" "$@" modules ||
		die "$dir does not build for $flavour"
}

# build_tool FLAVOUR ARCH COMPILER_PREFIX: as strictly as check_tools() of check-static
build_tool()
{
	local out=$BUILD/$1/test-tool

	need_headers
	mkdir -p "$out" "$BUILD/logs"
	say "building the test tool for $1"
	# The tool's Makefile would make the same headers here
	[[ -e $out/kernel/.headers ]] || {
		mkdir -p "$out/kernel" && cp -r "$HEADERS/$2/usr" "$out/kernel/" &&
			touch "$out/kernel/.headers"
	} || die "cannot copy the kernel's headers to $out"
	logged "$BUILD/logs/tool-$1.log" 0 \
		in_root make -C "$TOP/tools/vhost-iommu-test" KSRC="$SOURCE" \
		O="$out" CROSS_COMPILE="$3" CFLAGS="-O2 -g -Werror" -j"$(nproc)" ||
		die "the test tool does not build for $1"
}

# stage_modules FLAVOUR STAGE: build and gather what there is
stage_modules()
{
	local flavour=$1 stage=$2 driver='' kunit=(CONFIG_VHOST_IOMMU_KUNIT_TEST=m)

	# Kernels without KUnit
	[[ $flavour == arm64-bench || $flavour == x86_64-debian ]] && kunit=()
	# Others have no page tables for the guest driver: its tests only
	[[ $flavour == arm64* ]] && driver=m
	mkdir -p "$stage/modules" "$stage/bin"
	build_module drivers/vhost "$flavour" CONFIG_VHOST_IOMMU=m "${kunit[@]}"
	cp "$BUILD/$flavour/drivers/vhost"/*.ko "$stage/modules/" ||
		die "the module is not where it was built"
	if [[ $flavour == arm64* ]]; then
		build_module lab/canwbs "$flavour"
		cp "$BUILD/$flavour/lab/canwbs"/*.ko "$stage/modules/" ||
			die "the module for nesting is not where it was built"
	fi
	if [[ $driver || ${kunit[*]} ]]; then
		build_module drivers/iommu "$flavour" CONFIG_VIRTIO_IOMMU_TABLE=$driver \
			"${kunit[@]/VHOST_IOMMU_KUNIT/VIRTIO_IOMMU_TABLE_KUNIT}"
		cp "$BUILD/$flavour/drivers/iommu"/*.ko "$stage/modules/" ||
			die "the guest driver is not where it was built"
	fi
	if [[ $flavour == uml ]]; then
		build_module tools/vhost-iommu-test/mock uml
		cp "$BUILD/uml/tools/vhost-iommu-test/mock"/*.ko "$stage/modules/" ||
			die "the mock is not where it was built"
	fi
}

# build_l2_programs DIR: what guests need and their file system does not have
build_l2_programs()
{
	local file cc

	cc=$(gnu_arch_of "$LAB_FLAVOUR")-linux-gnu-gcc
	mkdir -p "$1" "$BUILD/logs"
	for file in "$LAB"/l2/*.c; do
		# For the benchmark, by registers of Arm's machine
		[[ $cc$file != x86*/exit-cost.c ]] || continue
		logged "$BUILD/logs/l2-programs.log" 0 in_root \
			"$cc" -static -O2 -Wall -Wextra -Werror \
			-o "$1/$(basename "$file" .c)" "$file" ||
			die "$file does not build"
	done
}

# stage_bench STAGE: the programs of the benchmark
stage_bench()
{
	local stage=$1/bench out=$BUILD/$LAB_FLAVOUR/bench

	need_source 7.3
	mkdir -p "$stage" "$out/include/linux" "$BUILD/logs"
	cp "$LAB/bench/round" "$LAB/bench/mix" "$stage/"
	cp "$SOURCE/include/uapi/linux/map_benchmark.h" "$out/include/linux/"
	logged "$BUILD/logs/bench.log" 0 in_root bash -euc '
		cc="aarch64-linux-gnu-gcc -O2 -Wall -static"
		$cc -Wextra -Werror -o "$1/sample" "$2/sample.c"
		$cc -D_GNU_SOURCE -I"$1/include" -o "$1/dma_map_benchmark" \
			"$3/tools/dma/dma_map_benchmark.c"
		' - "$out" "$LAB/bench" "$SOURCE" ||
		die "the programs of the benchmark do not build"
	cp "$out/sample" "$stage/"
	cp "$out/dma_map_benchmark" "$1/l2/"
}
