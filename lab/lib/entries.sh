# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the cache can hold and how each entry is made.

RECIPES=$LAB/recipes
KCONFIG=$LAB/kconfig
SERIES=$TOP/integration/qemu
LINUX_SERIES=$TOP/integration/linux
KERNELS=(7.3 7.2)
: "${LAB_FLAVOUR:=arm64}"
# Whether the kernel of the emulated host, which is built anyway, serves as prepared tree
: "${KERNEL_IS_PREPARED:=0}"

# strip_comments FILE: comments are no input
strip_comments()
{
	sed -e '/^[[:space:]]*#/d' -e '/^$/d' "$1"
}

need_buildroot()
{
	[[ ${BUILDROOT:-} ]] && return 0
	cache_entry buildroot "$RELEASE $(strip_comments "$RECIPES/buildroot.packages")" \
		"2 min" build_buildroot || return
	BUILDROOT=$ENTRY
	VERSIONS=$BUILDROOT/versions
}

build_buildroot()
{
	build_root_of "$RECIPES/buildroot.packages" "$@"
}

# build_root_of PACKAGES DEST
build_root_of()
{
	local dest=$2 include

	include=$(strip_comments "$1" | paste -sd,)
	rmdir "$dest"
	logged "$LOG" 0 bootstrap "$dest" --architectures=amd64 --variant=apt \
		--include="$include" --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='chroot "$1" dpkg-query -W >"$1/versions"' || return
	# Names of files made for the machine at hand
	rm -f "$dest/etc/hostname"
	: >"$dest/etc/resolv.conf"
}

# A root for the benchmark's report: Python with a library that plots
need_plotroot()
{
	cache_entry plotroot "$RELEASE $(strip_comments "$RECIPES/plotroot.packages")" \
		"1 min" build_root_of "$RECIPES/plotroot.packages" || return
	PLOTROOT=$ENTRY
}

# version_of PACKAGE: its version in the build root
version_of()
{
	awk -v p="$1" '$1 == p || index($1, p ":") == 1 { print $2; exit }' "$VERSIONS"
}

need_source()
{
	local version=$1

	need_buildroot || return
	cache_entry "source-$version" \
		"linux-source $(version_of "linux-source-$version")" \
		"1 min" build_source "$version" || return
	SOURCE=$ENTRY
}

build_source()
{
	local version=$1 tmp=$2

	logged "$LOG" 0 in_root -w "$tmp" tar -C "$tmp" --strip-components=1 \
		-xf "/usr/src/linux-source-$version.tar.xz"
}

# The kernel's headers for user space, of each architecture that the test tool and
# the user API's header are compiled for
need_headers()
{
	need_source 7.3 || return
	cache_entry headers "${SOURCE##*/} arm arm64 x86" "1 min" build_headers "$SOURCE" || return
	HEADERS=$ENTRY
}

build_headers()
{
	local arch

	for arch in arm arm64 x86; do
		logged "$LOG" 0 in_root -b "$2" "$3" make -s -C "$1" O="$3/$arch" \
			ARCH="$arch" -j"$(nproc)" headers || return
	done
}

# arch_of FLAVOUR: arm64 or x86_64
arch_of()
{
	echo "${1%%-*}"
}

# gnu_arch_of FLAVOUR: the same as compilers and QEMU call it
gnu_arch_of()
{
	local arch

	arch=$(arch_of "$1")
	echo "${arch/arm64/aarch64}"
}

# host_fragment FLAVOUR: the configuration of one of the kernels for L1 and L2
host_fragment()
{
	strip_comments "$KCONFIG/host.config"
	strip_comments "$KCONFIG/$(arch_of "$1").config"
	[[ $1 == *-bench ]] || strip_comments "$KCONFIG/host-debug.config"
	[[ $1 != *-* ]] || strip_comments "$KCONFIG/$1.config"
}

# need_host [FLAVOUR]: the kernel that runs as L1 and as L2: arm64, arm64-bench,
# which has no checks, arm64-kasan, which has all of them but one, arm64-kcsan,
# which has that one, x86_64, or x86_64-debian, which is Debian's own and L1's only.
# HOST is what modules are built against, HOST_MAKE what make has to be told for that.
need_host()
{
	local flavour=${1:-$LAB_FLAVOUR} fragment compiler=gcc-aarch64-linux-gnu

	if [[ $flavour == x86_64-debian ]]; then
		need_debian
		return
	fi
	HOST_INITRAMFS='' HOST_MAKE=()
	[[ $flavour != x86_64* ]] || compiler=gcc
	need_source 7.3 || return
	fragment=$(host_fragment "$flavour")
	cache_entry "$flavour" \
		"$(kernel_inputs "$compiler" <<<"$fragment"
		   [[ $flavour != x86_64 ]] || strip_comments "$RECIPES/x86_64.sh")" \
		"16 min" build_host "$SOURCE" "$(arch_of "$flavour")" "$fragment" ||
		return
	HOST=$ENTRY
	HOST_KERNEL=$HOST/arch/arm64/boot/Image
	[[ $flavour != x86_64* ]] || HOST_KERNEL=$HOST/vmlinux
}

need_debian()
{
	local packages

	need_source 7.3 || return
	packages=$(strip_comments "$RECIPES/debian.packages")
	cache_entry x86_64-debian "$RELEASE ${SOURCE##*/} $(version_of linux-headers-amd64)
$packages
$(strip_comments "$RECIPES/debian.sh")" \
		"2 min" build_debian "$SOURCE" "$packages" || return
	HOST=/usr/src/linux-headers-$(<"$ENTRY/version")
	HOST_KERNEL=$ENTRY/vmlinuz
	HOST_INITRAMFS=$ENTRY/initramfs
	HOST_MAKE=(KCFLAGS=-DCONFIG_IOMMUFD_MODULE=1 CONFIG_DEBUG_INFO_BTF_MODULES=
		KBUILD_EXTRA_SYMBOLS="$ENTRY/Module.symvers")
}

# build_debian SOURCE PACKAGES TEMPORARY_DIR FINAL_DIR
build_debian()
{
	mkdir "$3/packages"
	logged "$LOG.packages" 0 bootstrap "$3/packages.tar" --architectures=amd64 \
		--variant=extract --format=tar --include="${2//$'\n'/,}" \
		--aptopt='APT::Install-Recommends "false"' || return
	# shellcheck disable=SC2016 # expanded in the root
	logged "$LOG" 0 in_root -w "$3" bash -euc '
		tar -C "$1/packages" -xf "$1/packages.tar" ./usr/bin/busybox ./usr/lib/modules
		rm "$1/packages.tar"
		"$2" "$3" "$1/packages" "$1"
		rm -r "$1/packages"
		' - "$3" "$RECIPES/debian.sh" "$1"
}

# build_host SOURCE ARCH FRAGMENT TEMPORARY_DIR FINAL_DIR
build_host()
{
	local arguments image=Image source=$1 recipe=$RECIPES/kernel.sh

	if [[ $2 == x86_64 ]]; then
		image=vmlinux source=$5/source recipe=$RECIPES/x86_64.sh
		# Hard links need both ends in one mount, hence not in the build root
		cp -al "$1" "$4/source" || return
	fi
	read -ra arguments <<<"$(compiler_arguments "$2" gcc)"
	printf '%s\n' "$3" >"$4/fragment"
	logged "$LOG" 2050 in_root -b "$4" "$5" "$recipe" "$source" "$5" \
		"$5/fragment" "${arguments[@]}" -- "$image" modules
}

# need_mq [FLAVOUR]: Linux' own driver with the series of integration/linux, for guests
# with that kernel. A module is made in seconds, a kernel is not; the driver in the
# kernel keeps out of the way, see l2_arguments().
need_mq()
{
	need_host "${1:-$LAB_FLAVOUR}" || return
	cache_entry mq "$(echo "${HOST##*/}"
			  cat "$LINUX_SERIES"/*.patch
			  strip_comments "$LINUX_SERIES/Kbuild"
			  strip_comments "$LINUX_SERIES/module.sh")" \
		"10 s" build_mq "$SOURCE" "$HOST" "$(arch_of "${1:-$LAB_FLAVOUR}")" ||
		return
	MQ=$ENTRY/drivers/iommu/virtio-iommu.ko
}

# build_mq SOURCE HOST ARCH TEMPORARY_DIR FINAL_DIR: what keeps the driver in the kernel
# from starting is the name of its function, which must not be that of the module's
build_mq()
{
	local arguments

	read -ra arguments <<<"$(compiler_arguments "$3" gcc)"
	# shellcheck disable=SC2016 # expanded in the root
	logged "$LOG" 0 in_root -b "$4" "$5" bash -euc '
		"$1/module.sh" "$2" "$4"
		make -C "$3" M="$4/drivers/iommu" "${@:5}" \
			KCFLAGS=-Dvirtio_iommu_drv=virtio_iommu_mq modules
		' - "$LINUX_SERIES" "$1" "$2" "$5" "${arguments[@]}"
}

# kernel_inputs COMPILER: what a kernel's hash covers; its configuration is read
kernel_inputs()
{
	echo "${SOURCE##*/}"
	echo "$1 $(version_of "$1")"
	strip_comments "$RECIPES/kernel.sh"
	cat
}

# User-mode Linux; its source has one line changed, see uml.sh
need_uml()
{
	need_source 7.3 || return
	cache_entry uml "$(strip_comments "$KCONFIG/uml.config" | kernel_inputs gcc
			   strip_comments "$RECIPES/uml.sh")" \
		"9 min" build_uml "$SOURCE" || return
	UML=$ENTRY
}

build_uml()
{
	# Hard links need both ends in one mount, hence not in the build root
	cp -al "$1" "$2/source" || return
	logged "$LOG" 1230 in_root -b "$2" "$3" "$RECIPES/uml.sh" "$3" \
		"$KCONFIG/uml.config"
}

# need_l1root [ARCH]: the root disk of L1. Packages are extracted, not run, so no
# emulation is needed. Never written to: each run has its own overlay.
need_l1root()
{
	local arch=${1:-$(arch_of "$LAB_FLAVOUR")} packages

	need_buildroot || return
	packages=$(strip_comments "$RECIPES/l1.packages"
		   strip_comments "$RECIPES/l1-$arch.packages")
	cache_entry "l1root-$arch" "$RELEASE $packages
$(strip_comments "$RECIPES/l1.applets"; strip_comments "$RECIPES/l1root.sh")" \
		"2 min" build_l1root "${arch/x86_64/amd64}" "$packages" || return
	L1ROOT=$ENTRY
}

# build_l1root DEBIAN_ARCH PACKAGES TEMPORARY_DIR
build_l1root()
{
	local tmp=$3 links

	# shellcheck disable=SC2016 # expanded by mmdebstrap's shell
	links='cd "$1" && for d in bin sbin lib lib64; do mkdir -p usr/$d; ln -sfn usr/$d $d; done'
	logged "$LOG" 0 bootstrap "$tmp/root.tar" --architectures="$1" \
		--variant=extract --format=tar --include="${2//$'\n'/,}" \
		--setup-hook="$links" \
		--extract-hook="sh '$RECIPES/l1root.sh' \"\$1\"" || return
	# A tar archive keeps owners whoever runs this; its size is that of the
	# files, some room is for whoever works in the shell
	logged "$LOG.ext4" 0 in_root -w "$tmp" mke2fs -q -t ext4 -L l1root \
		-O '^has_journal,^metadata_csum' -m 0 -E root_owner=0:0 \
		-d "$tmp/root.tar" "$tmp/root.ext4" 2560M || return
	rm -f "$tmp/root.tar"
}

# The root that the emulated x86 host runs in
need_x86root()
{
	cache_entry x86root "$RELEASE $(strip_comments "$RECIPES/x86root.packages")" \
		"1 min" build_root_of "$RECIPES/x86root.packages" || return
	X86ROOT=$ENTRY
}

# The root that QEMU is built in, with its source package in /usr/src
need_qemuroot()
{
	cache_entry qemuroot "$RELEASE $(strip_comments "$SERIES/packages")" \
		"2 min" build_qemuroot || return
	QEMUROOT=$ENTRY
}

build_qemuroot()
{
	local dest=$1 include sources

	include=$(strip_comments "$SERIES/packages" | paste -sd,)
	# shellcheck disable=SC2016 # expanded by mmdebstrap's shell
	sources='cd "$1/etc/apt" && { cat sources.list; cat sources.list.d/*.list; } 2>/dev/null |
		sed -n "s/^deb /deb-src /p" >src.list && mv src.list sources.list.d &&
		cd "$1/usr/src" && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
		apt-get update && apt-get source --download-only "qemu/$0"'
	rmdir "$dest"
	logged "$LOG" 0 bootstrap "$dest" --architectures=amd64,arm64 \
		--variant=apt --include="$include" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt=force-unsafe-io \
		--customize-hook="${sources/\$0/$RELEASE}" || return
	rm -f "$dest/etc/hostname"
	: >"$dest/etc/resolv.conf"
}

# need_qemu [ARCH]: QEMU with the series of integration/qemu, for L1
need_qemu()
{
	local arch=${1:-$(arch_of "$LAB_FLAVOUR")} dsc

	need_qemuroot || return
	dsc=$(compgen -G "$QEMUROOT/usr/src/qemu_*.dsc") ||
		die "no QEMU source package in $QEMUROOT/usr/src"
	cache_entry "qemu-$arch" "$(echo "${dsc##*/} ${QEMUROOT##*/}"
				    cat "$SERIES"/*.patch "$SERIES/devices.mak"
				    strip_comments "$SERIES/build.sh")" \
		"5 min" build_qemu "/usr/src/${dsc##*/}" "$arch" || return
	QEMU_L1=$ENTRY/qemu-system-${arch/arm64/aarch64}
}

# build_qemu DSC ARCH TEMPORARY_DIR FINAL_DIR
build_qemu()
{
	local BUILDROOT=$QEMUROOT

	logged "$LOG" 1250 in_root -b "$3" "$4" "$SERIES/build.sh" "$1" "$4" "$2"
}

# The emulator's plugin that counts instructions. QEMU's interface to plugins is
# in its source, which need not be of the emulator's very version.
need_insncount()
{
	local tar

	need_qemuroot || return
	tar=$(compgen -G "$QEMUROOT/usr/src/qemu_*.orig.tar.xz") ||
		die "no QEMU source package in $QEMUROOT/usr/src"
	cache_entry insncount "$(echo "${tar##*/} ${QEMUROOT##*/}"
				 cat "$LAB/plugin/insncount.c")" \
		"10 s" build_insncount "/usr/src/${tar##*/}" || return
	INSNCOUNT=$ENTRY/insncount.so
}

build_insncount()
{
	local BUILDROOT=$QEMUROOT

	# shellcheck disable=SC2016 # expanded in the root
	logged "$LOG" 0 in_root -w "$2" bash -euc '
		tar -xf "$1" -C "$2" --strip-components=3 --wildcards \
			"*/include/*/qemu-plugin.h"
		gcc -O2 -Wall -Wextra -Wno-unused-parameter -Werror -fPIC \
			-shared -o "$2/insncount.so" "$3" -I"$2" \
			-isystem /usr/include/glib-2.0 \
			-isystem /usr/lib/aarch64-linux-gnu/glib-2.0/include
		' - "$1" "$2" "$LAB/plugin/insncount.c"
}

# A tree to compile the module against, without a built kernel
need_prepared()
{
	local version=$1 arch=$2 compiler=$3

	if ((KERNEL_IS_PREPARED)) && [[ $* == "${KERNELS[0]} arm64 gcc" ]]; then
		need_host arm64 && PREPARED=$HOST
		return
	fi

	[[ " ${KERNELS[*]} " == *" $version "* ]] ||
		die "no such kernel: $version (${KERNELS[*]})"
	[[ -e $KCONFIG/modules-$arch.config ]] || die "no such architecture: $arch (arm64, x86_64)"
	need_source "$version" || return
	cache_entry "prepared-$version-$arch-$compiler" "$(
		strip_comments "$KCONFIG/modules-$arch.config" | kernel_inputs \
			"$([[ $compiler == clang ]] && echo clang-19 || echo gcc)")" \
		"1 min" build_prepared "$SOURCE" "$arch" "$compiler" || return
	PREPARED=$ENTRY
}

# compiler_arguments ARCH COMPILER: what make needs for both
compiler_arguments()
{
	case $1-$2 in
	arm64-gcc)	echo ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- ;;
	*-gcc)		echo "ARCH=$1" ;;
	*-clang)	echo "ARCH=$1" LLVM=1 ;;
	*)		die "no such compiler: $2 (gcc, clang)" ;;
	esac
}

build_prepared()
{
	local arguments

	read -ra arguments <<<"$(compiler_arguments "$2" "$3")"
	logged "$LOG" 0 in_root -b "$4" "$5" "$RECIPES/kernel.sh" "$1" "$5" \
		"$KCONFIG/modules-$2.config" "${arguments[@]}" -- modules_prepare
}

# What the tests need. Downloads come first: they leave the processors to whoever
# builds something that is needed earlier, such as user-mode Linux.
all_entries()
{
	need_buildroot || return 0
	need_l1root arm64 || true
	need_qemuroot || true
	need_mq arm64 || true
	need_qemu arm64 || true
	need_uml || true
	need_headers || true
	need_x86root || true
	need_l1root x86_64 || true
	need_host x86_64-debian || true
}

# What the static checks of "make check" need beside that
static_entries()
{
	need_buildroot || return 0
	need_prepared "${KERNELS[0]}" arm64 clang || true
	# The older kernel: see LONG_CHECKS of scripts/check-static
	need_prepared "${KERNELS[1]}" arm64 gcc || true
}

# What "make check-x86" needs beside that
x86_entries()
{
	need_mq x86_64 || true
	need_qemu x86_64 || true
}

# What only the benchmark and "make check-long" need
more_entries()
{
	need_buildroot || return 0
	need_prepared "${KERNELS[0]}" arm64 gcc || true
	need_prepared "${KERNELS[0]}" x86_64 gcc || true
	need_prepared "${KERNELS[0]}" x86_64 clang || true
	need_prepared "${KERNELS[1]}" arm64 clang || true
	need_prepared "${KERNELS[1]}" x86_64 gcc || true
	need_prepared "${KERNELS[1]}" x86_64 clang || true
	need_mq arm64-kasan || true
	need_mq arm64-kcsan || true
	need_mq arm64-bench || true
	need_insncount || true
	need_plotroot || true
	x86_entries
}
