#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh DSC OUTPUT [ARCH]: unpack Debian's QEMU source package, apply the series
# beside this file and build QEMU for hosts of ARCH (arm64, which is the default, or
# x86_64) and guests of the same, small and without emulation of processors, into
# OUTPUT/qemu-system-*. Runs in a trixie amd64 root with the packages that are listed in
# "packages".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
dsc=$(realpath "$1") out=$(realpath -m "$2")
source=$out/source build=$out/build
case ${3:-arm64} in
arm64)	target=aarch64 board=(ARM_VIRT) cross=aarch64-linux-gnu- ;;
# With what the machine has if nobody says "-nodefaults"
x86_64)	target=x86_64 board=(Q35 VGA_PCI) cross=x86_64-linux-gnu- ;;
*)	echo "error: no such architecture: $3 (arm64, x86_64)" >&2; exit 2 ;;
esac

mkdir -p "$out"
rm -rf "$source" "$build"
# With Debian's own patches, which the stripped source package needs
dpkg-source --no-check -x "$dsc" "$source"
for patch in "$here"/[0-9]*.patch; do
	echo "applying ${patch##*/}"
	patch -d "$source" -p1 --no-backup-if-mismatch -f <"$patch"
done

{
	cat "$here/devices.mak"
	printf 'CONFIG_%s=y\n' "${board[@]}"
} >"$source/configs/devices/$target-softmmu/viommu.mak"
mkdir "$build"
cd "$build"
export PKG_CONFIG=pkg-config
export PKG_CONFIG_LIBDIR=/usr/lib/$target-linux-gnu/pkgconfig:/usr/share/pkgconfig
"$source/configure" --cross-prefix="$cross" \
	--target-list="$target-softmmu" \
	--without-default-features --without-default-devices \
	"--with-devices-$target=viommu" --enable-kvm --disable-tcg \
	--enable-vhost-kernel --enable-vhost-user --enable-vhost-vdpa \
	--enable-vhost-net \
	--enable-fdt=system \
	--enable-coroutine-pool --disable-install-blobs --disable-download \
	--disable-docs --disable-tools --disable-guest-agent \
	--disable-containers --audio-drv-list= --enable-trace-backends=log \
	--disable-werror --disable-debug-info
ninja "qemu-system-$target"
"${cross}strip" -o "$out/qemu-system-$target" "qemu-system-$target"
cd "$out"
rm -rf "$source" "$build"
