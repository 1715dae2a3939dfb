#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# module.sh SOURCE OUTPUT: take Linux' virtio-iommu driver out of SOURCE, apply the
# series beside this file, and leave in OUTPUT/drivers/iommu what kbuild makes
# virtio-iommu.ko of (make -C BUILD M=OUTPUT/drivers/iommu). SOURCE is only read.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source=$1 out=$2

for file in drivers/iommu/{virtio-iommu.c,dma-iommu.h} include/uapi/linux/virtio_iommu.h; do
	mkdir -p "$out/${file%/*}"
	cp "$source/$file" "$out/$file"
done
for patch in "$here"/[0-9]*.patch; do
	echo "applying ${patch##*/}"
	patch -d "$out" -p1 --no-backup-if-mismatch --fuzz=0 -f <"$patch"
done
cp "$here/Kbuild" "$out/drivers/iommu/"
