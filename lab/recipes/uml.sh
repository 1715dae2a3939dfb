#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# uml.sh OUTPUT FRAGMENT: build user-mode Linux from OUTPUT/source into
# OUTPUT/build. Runs in the build root.
set -euo pipefail

out=$1 fragment=$2
kconfig=$out/source/drivers/iommu/Kconfig

# The mock devices of iommufd bind only when there is a default domain, which
# takes IOMMU_DMA, which user-mode Linux may not select by itself. sed -i makes
# a new file: the source tree that this one is linked to stays as it was.
sed -i '/^config IOMMU_DMA$/,/^$/s/def_bool ARM64 || X86 || S390$/& || UML/' "$kconfig"
grep -q 'def_bool ARM64 || X86 || S390 || UML$' "$kconfig" || {
	echo "error: config IOMMU_DMA in $kconfig looks different from what is expected" >&2
	exit 1
}
mkdir -p "$out/build"
"${BASH_SOURCE%/*}/kernel.sh" "$out/source" "$out/build" "$fragment" \
	ARCH=um -- all
grep -qx CONFIG_IOMMU_DMA=y "$out/build/.config" || {
	echo "error: IOMMU_DMA is off" >&2
	exit 1
}
