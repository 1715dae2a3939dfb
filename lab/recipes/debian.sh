#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# debian.sh SOURCE PACKAGES OUTPUT: have Debian's own kernel boot as L1. PACKAGES is a
# directory with its image and busybox-static, extracted; its headers are in the build
# root, where this runs, and SOURCE is its source. OUTPUT/vmlinuz is the kernel,
# OUTPUT/initramfs goes on with the root disk's /init, OUTPUT/version is its name, and
# OUTPUT/Module.symvers has what its new modules export.
#
# Debian's kernel for amd64 is configured without iommufd. What it lacks for that are
# modules, which the same source makes: iommufd, what drivers need of it, and a VFIO that
# knows of it.
set -euo pipefail

source=$1 packages=$2 out=$3
modules=(virtio_blk ext4 9p 9pnet_virtio tun vhost_net vhost_vsock iommufd vfio-pci)

version=$(basename "$packages"/usr/lib/modules/*)
headers=/usr/src/linux-headers-$version
tree=$packages/usr/lib/modules/$version
[[ -d $headers ]] || {
	echo "error: the build root has no headers of $version" >&2
	exit 1
}

# iommufd, and a VFIO that knows of it
build=$out/build
mkdir -p "$build/drivers/iommu"
cp -r "$source/drivers/vfio" "$build/drivers/"
cp -r "$source/drivers/iommu/iommufd" "$source"/drivers/iommu/*.h "$build/drivers/iommu/"
echo 'obj-y += drivers/iommu/iommufd/ drivers/vfio/' >"$build/Kbuild"
# What is built into a kernel for it alone, and exported there
sed '/^EXPORT_SYMBOL/d' "$source/lib/interval_tree.c" \
	>"$build/drivers/iommu/iommufd/interval_tree_span.c"
sed -i '/^obj-.*iova_bitmap\.o/d' "$build/drivers/iommu/iommufd/Makefile"
cat >>"$build/drivers/iommu/iommufd/Makefile" <<'END'
iommufd-y += interval_tree_span.o
iommufd_driver-y += iova_bitmap.o
END
# No type information, which takes more programs; none of VFIO's other drivers
others=(MLX5_VFIO_PCI PDS_VFIO_PCI VIRTIO_VFIO_PCI QAT_VFIO_PCI XE_VFIO_PCI
	VFIO_MDEV VFIO_DEBUGFS DEBUG_INFO_BTF DEBUG_INFO_BTF_MODULES)
make -C "$headers" M="$build" -j"$(nproc)" \
	CONFIG_IOMMUFD=m CONFIG_IOMMUFD_DRIVER=m CONFIG_IOMMUFD_DRIVER_CORE=m \
	CONFIG_VFIO_DEVICE_CDEV=y "${others[@]/%/=}" \
	KCFLAGS="-DCONFIG_IOMMUFD_MODULE=1 -DCONFIG_IOMMUFD_DRIVER_MODULE=1 \
		-DCONFIG_IOMMUFD_DRIVER_CORE_MODULE=1 -DCONFIG_VFIO_DEVICE_CDEV=1 \
		-DCONFIG_INTERVAL_TREE_SPAN_ITER=1" modules
cp "$build/Module.symvers" "$out/"
rm -rf "$tree/kernel/drivers/vfio"
mkdir "$tree/updates"
find "$build" -name '*.ko' -exec cp -t "$tree/updates" {} +
strip --strip-debug "$tree"/updates/*.ko
depmod -b "$packages/usr" "$version"

# With what these modules need, and no other
root=$out/root
mkdir -p "$root"/{bin,dev,proc,sys,root,lib/modules}
cp "$packages/usr/bin/busybox" "$root/bin/"
for module in "${modules[@]}"; do
	modprobe -d "$packages/usr" -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$out/list"
while read -r file; do
	name=${file##*/}
	case $file in
	*.xz)	xz -dc "$file" >"$root/lib/modules/${name%.xz}" ;;
	*)	cp "$file" "$root/lib/modules/$name" ;;
	esac
	echo "${name%.xz}"
done <"$out/list" >"$root/lib/modules/order"
cat >"$root/init" <<'END'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
while read -r file; do
	/bin/busybox insmod "/lib/modules/$file" || echo "initramfs: $file does not load"
done </lib/modules/order
/bin/busybox mount -t ext4 /dev/vda /root || echo "initramfs: no root disk"
exec /bin/busybox switch_root /root /init
END
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$out/initramfs"
cp "$tree/vmlinuz" "$out/vmlinuz"
echo "$version" >"$out/version"
rm -rf "$build" "$root" "$out/list"
