# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# integration/kvmtool: compiled against declarations of what it uses of kvmtool.

KVMTOOL=integration/kvmtool
KVMTOOL_SOURCES=(vfio/iommufd.c virtio/iommu.c virtio/iommu-desc.c virtio/iommu-table.c)
# kvmtool's own, and -Wextra without what its callbacks are not made for
KVMTOOL_WARNINGS=(
	-Wall -Wextra -Wno-unused-parameter -Werror -Wformat=2 -Winit-self
	-Wmissing-declarations -Wmissing-prototypes -Wnested-externs
	-Wold-style-definition -Wredundant-decls -Wsign-compare -Wstrict-prototypes
	-Wundef -Wwrite-strings -Wno-format-nonliteral
)

# kvmtool_compile KARCH COMPILER...: with the headers of that architecture
kvmtool_compile()
{
	local headers

	headers=$(exported_headers "$1")
	"${@:2}" "${KVMTOOL_WARNINGS[@]}" -O2 -fno-strict-aliasing -D_GNU_SOURCE \
		-D_FILE_OFFSET_BITS=64 -I "$KVMTOOL/include" -I "$KVMTOOL/stubs" \
		-isystem "$headers"
}

# kvmtool_additions PATCH: nothing of kvmtool's may be in there: no context, nothing
# that is removed, and in each hunk as many lines as it says
kvmtool_additions()
{
	awk '
	function complain(what) {
		printf "%s:%d: %s: %s\n", FILENAME, FNR, what, $0
		bad = 1
	}
	left > 0 {
		left--
		if (!/^\+/)
			complain("not an added line")
		next
	}
	/^--- a\// { file = substr($2, 3); next }
	/^\+\+\+ b\// {
		files++
		if (substr($2, 3) != file)
			complain("another file than the one before")
		next
	}
	/^@@ -[0-9]+,0 \+[0-9]+(,[0-9]+)? @@$/ {
		hunks++
		split($3, range, ",")
		left = range[2] == "" ? 1 : range[2]
		next
	}
	{ complain("neither a file, nor a hunk without context, nor an added line") }
	END {
		if (left)
			complain("the last hunk is too short")
		if (!hunks)
			complain("no hunk")
		printf "%d files, %d hunks\n", files, hunks
		exit bad
	}' "$1"
}

check_kvmtool()
{
	local out=$OUT/kvmtool source object compiler file

	rm -rf "$out"
	mkdir -p "$out"
	kvmtool_additions "$KVMTOOL/hooks.patch"
	while read -r file; do
		grep -qF "\`$file\`" "$KVMTOOL/README.md" || {
			echo "$KVMTOOL/README.md does not explain what is added to $file"
			return 1
		}
	done < <(sed -n 's,^+++ b/,,p' "$KVMTOOL/hooks.patch")

	for source in "${KVMTOOL_SOURCES[@]}"; do
		object=$(basename "$source" .c)
		for compiler in aarch64-linux-gnu-gcc "clang --target=aarch64-linux-gnu"; do
			echo "$compiler: $source"
			# shellcheck disable=SC2086 # a command and its option
			kvmtool_compile arm64 $compiler -DCONFIG_ARM64 \
				-c "$KVMTOOL/$source" -o "$out/$object-${compiler%% *}.o"
		done
	done
	# Elsewhere there are no files, but the hooks are the same
	kvmtool_compile x86 gcc -fsyntax-only -x c /dev/null \
		-include kvm/virtio-iommu.h -include kvm/vfio-iommufd.h

	kvmtool_compile x86 gcc -g -fsanitize=address,undefined -fno-sanitize-recover=all \
		-DCONFIG_ARM64 -I "$KVMTOOL/virtio" "$KVMTOOL/virtio/iommu-desc.c" \
		"$KVMTOOL/tests/test-desc.c" -o "$out/test-desc"
	# It looks at other processes for that, which not every container lets it
	ASAN_OPTIONS=detect_leaks=0 "$out/test-desc"
}
