#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh DSC OUTPUT: unpack Debian's QEMU source package, apply the series
# beside this file and build qemu-system-aarch64 for arm64, small and without
# emulation of processors, into OUTPUT/qemu-system-aarch64. Runs in a trixie
# amd64 root with the packages that are listed in "packages".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
dsc=$(realpath "$1") out=$(realpath -m "$2")
source=$out/source build=$out/build

mkdir -p "$out"
rm -rf "$source" "$build"
# With Debian's own patches, which the stripped source package needs
dpkg-source --no-check -x "$dsc" "$source"
for patch in "$here"/[0-9]*.patch; do
	echo "applying ${patch##*/}"
	patch -d "$source" -p1 --no-backup-if-mismatch -f <"$patch"
done

cp "$here/devices.mak" "$source/configs/devices/aarch64-softmmu/viommu.mak"
mkdir "$build"
cd "$build"
export PKG_CONFIG=pkg-config
export PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig
"$source/configure" --cross-prefix=aarch64-linux-gnu- \
	--target-list=aarch64-softmmu \
	--without-default-features --without-default-devices \
	--with-devices-aarch64=viommu --enable-kvm --disable-tcg \
	--enable-vhost-kernel --enable-vhost-user --enable-vhost-vdpa \
	--enable-vhost-net \
	--enable-fdt=system \
	--enable-coroutine-pool --disable-install-blobs --disable-download \
	--disable-docs --disable-tools --disable-guest-agent \
	--disable-containers --audio-drv-list= --enable-trace-backends=log \
	--disable-werror --disable-debug-info
ninja qemu-system-aarch64
aarch64-linux-gnu-strip -o "$out/qemu-system-aarch64" qemu-system-aarch64
cd "$out"
rm -rf "$source" "$build"
