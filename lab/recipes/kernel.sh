#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh SOURCE OUTPUT FRAGMENT MAKE_ARGUMENTS...: configure a kernel from
# allnoconfig and the fragment, see that each option took effect, and build it.
# Runs in the build root.
set -euo pipefail

source=$1 out=$2 fragment=$3
shift 3

build()
{
	make -C "$source" O="$out" -j"$(nproc)" "$@"
}

# The arguments up to "--" go to every make, the targets follow it
args=()
while [[ $1 != -- ]]; do
	args+=("$1")
	shift
done
shift

build "${args[@]}" KCONFIG_ALLCONFIG="$fragment" allnoconfig
lost=0
while read -r line; do
	case $line in
	CONFIG_*)
		grep -qxF "$line" "$out/.config" && continue
		echo "error: $line of $fragment did not take effect" >&2
		lost=1
		;;
	esac
done <"$fragment"
((lost == 0)) || exit 1

build "${args[@]}" "$@"

# Building modules needs neither objects nor archives of the kernel itself
find "$out" -type f \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \) \
	-not -path "$out/scripts/*" -not -path "$out/tools/*" -delete
