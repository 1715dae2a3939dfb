# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Checks that use a kernel source tree or a compiler.

MOCK=tools/vhost-iommu-test/mock
CANWBS=lab/canwbs

# kernel_arguments ARCH COMPILER: what make needs to build with that compiler
kernel_arguments()
{
	echo "ARCH=$1"
	if [[ $2 == clang ]]; then
		echo LLVM=1
	elif [[ $1 == arm64 ]]; then
		echo CROSS_COMPILE=aarch64-linux-gnu-
	fi
}

# build_objects VERSION ARCH COMPILER DIR [MAKE_ARGUMENTS...]: compile the
# module in DIR from scratch.
build_objects()
{
	make_objects "$1" "$2" "$3" "$TOP/$4" "$OUT/obj/$1-$2-$3/$4" "${@:5}"
}

# make_objects VERSION ARCH COMPILER SOURCE OUTPUT [MAKE_ARGUMENTS...]: the prepared
# trees have no Module.symvers; check_exports() stands in for modpost's look at
# undefined symbols.
make_objects()
{
	local version=$1 arch=$2 compiler=$3 source=$4 out=$5 ksrc log arguments

	shift 5
	ksrc=$(tree "ksrc-$version")
	mapfile -t arguments < <(kernel_arguments "$arch" "$compiler")
	rm -rf "$out"
	mkdir -p "$out"
	log=$out.log
	make -C "$ksrc" O="$(tree "$version-$arch-$compiler")" -j"$(nproc)" \
		"${arguments[@]}" M="$source" MO="$out" KSRC="$ksrc" \
		CONFIG_VHOST_IOMMU=m CONFIG_VHOST_IOMMU_KUNIT_TEST=m \
		CONFIG_VIRTIO_IOMMU_TABLE=m \
		CONFIG_VIRTIO_IOMMU_TABLE_KUNIT_TEST=m \
		KBUILD_MODPOST_WARN=1 "$@" modules 2>&1 | tee "$log"
	if grep 'WARNING: modpost:' "$log" |
	   grep -vE "undefined!|unresolved symbol warnings"; then
		echo "modpost warns, see above"
		return 1
	fi
}

# exported_symbols KSRC: all names that some EXPORT_SYMBOL of the source names
exported_symbols()
{
	local list=$OUT/exports-${1##*/}

	if [[ ! -e $list ]]; then
		grep -rhoE --include='*.[chS]' \
			'\b_?EXPORT_(STATIC_CALL|TRACEPOINT_SYMBOL|SYMBOL|IOMMU_SYMBOL|PER_CPU_SYMBOL)[A-Z_]*\(\s*\w+' \
			"$1" | sed 's/.*(\s*//' | sort -u >"$list.new"
		mv "$list.new" "$list"
	fi
	cat "$list"
}

# check_exports KSRC OBJECT: a symbol that the kernel does not export, in no
# configuration, is a build that can not be loaded.
check_exports()
{
	local undefined

	# What the compiler and macros make up: thunks, the tracer's entry
	# points, sanitizer calls, names of tracepoints, static calls and types
	# of module parameters, dev_err() and its relatives
	undefined=$(nm -u "$2" | awk '{ print $2 }' |
		sed -E 's/^__(SCK|SCT|tracepoint|traceiter)_+//' |
		grep -vE '^(__x86_|__fentry__|_mcount|__stack_chk|__this_module|_GLOBAL_OFFSET_TABLE_|__kasan|__asan|__ubsan|__sanitizer|param_ops_|_dev_(err|warn|notice|info)$)' |
		sort -u | comm -23 - <(exported_symbols "$1"))
	[[ ! $undefined ]] && return 0
	printf '%s: uses what %s does not export:\n%s\n' "$2" "${1##*/}" \
		"$undefined"
	return 1
}

# check_layers MODULE: an object calls those that come behind it in the Kbuild file,
# never one before it. Tracepoints belong to all of them.
check_layers()
{
	local object symbol above=' ' rc=0
	declare -A defined=()

	while read -r object; do
		while read -r symbol; do
			defined[$symbol]=${object##*/}
		done < <(nm -g --defined-only "${1%/*}/$object" |
			 awk '{ print $3 }')
	done <"$1.mod"
	((${#defined[@]})) || {
		echo "$1.mod names no object that defines something"
		return 1
	}
	while read -r object; do
		while read -r symbol; do
			[[ $above == *" ${defined[$symbol]:-none} "* ]] || continue
			printf '%s calls %s() of %s, which is above it\n' \
				"${object##*/}" "$symbol" "${defined[$symbol]}"
			rc=1
		done < <(nm -u "${1%/*}/$object" |
			 awk '$2 !~ /^__/ { print $2 }')
		above+="${object##*/} "
	done <"$1.mod"
	return "$rc"
}

# sparse_program DIR: make a program in DIR that runs sparse and notes the
# files. sparse 0.6.4 lacks two things: __typeof_unqual__, without which the
# kernel goes on without sparse, and __builtin_strlen() of a literal as a
# constant, which MODULE_INFO() asserts.
sparse_program()
{
	local lacks=''

	cat >"$1/probe.c" <<-END
	_Static_assert(__builtin_strlen("a") == 1, "");
	static inline int f(const int *p)
	{
		__typeof_unqual__(*p) v = *p;
		return v;
	}
	END
	if { sparse "$1/probe.c" 2>&1 || true; } | grep -q 'error:'; then
		lacks="'-D__typeof_unqual__=__typeof__' '-D__builtin_strlen(s)=(sizeof(s)-1)'"
	fi
	cat >"$1/sparse" <<-END
	#!/bin/sh
	echo "\$*" >>"$1/ran"
	exec sparse $lacks "\$@"
	END
	chmod +x "$1/sparse"
	if [[ $lacks ]] && "$1/sparse" "$1/probe.c" 2>&1 | grep 'error:'; then
		return 1
	fi
}

# runs_sparse VERSION COMPILER: one compiler's look at each file, with sparse beside it,
# is enough
runs_sparse()
{
	[[ $1 == "$NEWEST" && $2 == gcc ]]
}

check_build()
{
	local version=$1 arch=$2 compiler=$3 ksrc out build strict work='' dir

	[[ -e drivers/vhost/Kbuild ]] || {
		echo "drivers/vhost/Kbuild does not exist"
		return 1
	}
	ksrc=$(tree "ksrc-$version")
	out=$OUT/obj/$version-$arch-$compiler
	# 1 KiB of stack is a lot for what a worker calls into iommufd with
	build=("$version" "$arch" "$compiler")
	strict=(W=1e KCFLAGS=-Wframe-larger-than=1024)
	if runs_sparse "$version" "$compiler"; then
		work=$OUT/sparse-$version-$arch.tmp
		rm -rf "$work"
		mkdir -p "$work"
		sparse_program "$work"
		strict+=(C=2 CHECK="$work/sparse" CF='-Wsparse-error -D__CHECK_ENDIAN__')
	fi
	build_objects "${build[@]}" drivers/vhost "${strict[@]}"
	check_exports "$ksrc" "$out/drivers/vhost/vhost_iommu.o"
	check_layers "$out/drivers/vhost/vhost_iommu"

	# The guest driver runs on arm64; elsewhere it compiles, as the kernel's
	# COMPILE_TEST wants it to
	build_objects "${build[@]}" drivers/iommu "${strict[@]}"
	check_exports "$ksrc" "$out/drivers/iommu/virtio_iommu_table.o"
	check_layers "$out/drivers/iommu/virtio_iommu_table"

	# The mock runs on one kernel, but must not rot; the patches are for that one
	[[ $version == "$NEWEST" && -e $MOCK/Kbuild ]] || return 0
	integration/linux/module.sh "$ksrc" "$out/linux"
	make_objects "${build[@]}" "$out"/linux/{drivers/iommu,patched} "${strict[@]}"
	check_exports "$ksrc" "$out/linux/patched/virtio-iommu.o"
	build_objects "${build[@]}" "$MOCK" "${strict[@]}"
	check_exports "$ksrc" "$out/$MOCK/vhost_iommu_mock.o"
	if [[ $arch == arm64 ]]; then
		build_objects "${build[@]}" "$CANWBS" W=1e
		check_exports "$ksrc" "$out/$CANWBS/lab_canwbs.o"
	fi
	[[ $work ]] || return 0
	for dir in drivers/vhost drivers/iommu linux/drivers/iommu "$MOCK"; do
		grep -qE "/$dir/[a-z_-]+\.c( |\$)" "$work/ran" || {
			echo "make did not run sparse on $dir"
			return 1
		}
	done
}

check_kernel_doc()
{
	local ksrc files

	ksrc=$(tree "ksrc-$NEWEST")
	mapfile -t files < <(files_matching \
		"^(drivers|include)/.*\.[ch]\$|^$MOCK/.*\.[ch]\$")
	((${#files[@]})) || skip "no source files"
	python3 -B "$ksrc/tools/docs/kernel-doc" -none -Wall -Werror \
		"${files[@]}"
}

# uapi_headers: the headers for user space
uapi_headers()
{
	files_matching '^include/uapi/linux/.*\.h$'
}

# exported_headers KARCH: a directory with the kernel's headers for user space, which
# the lab has made, and ours, which the kernel's own script makes
exported_headers()
{
	local ksrc out header

	ksrc=$(tree "ksrc-$NEWEST")
	out=$OUT/headers-${ksrc##*/}-$1
	if [[ ! -e $out/.headers ]]; then
		rm -rf "$out"
		mkdir -p "$out"
		cp -r "$(tree headers)/$1"/{scripts,usr} "$out/"
		touch "$out/.headers"
	fi
	while read -r header; do
		(cd "$out" && sh "$ksrc/scripts/headers_install.sh" \
			"$TOP/$header" "usr/${header/\/uapi/}")
	done < <(uapi_headers)
	echo "$out/usr/include"
}

# Compiler, its options and the kernel's name of the architecture. 32-bit x86
# is the one that aligns 64-bit members to 4 bytes only.
UAPI_TARGETS=(
	"gcc -m64:x86"
	"gcc -m32:x86"
	"aarch64-linux-gnu-gcc:arm64"
	"arm-linux-gnueabihf-gcc:arm"
)

check_uapi_header()
{
	local target compiler headers file flags

	for target in "${UAPI_TARGETS[@]}"; do
		read -ra compiler <<<"${target%%:*}"
		headers=$(exported_headers "${target#*:}")
		flags=(-Wall -Wextra -Wpadded -Wundef -Werror -fsyntax-only
		       -nostdinc -I "$headers")
		while read -r file; do
			file=${file#include/uapi/}
			echo "${compiler[*]}: $file"
			"${compiler[@]}" -std=c90 "${flags[@]}" \
				-x c /dev/null -include "$file" -include "$file"
			perl "$(tree "ksrc-$NEWEST")/usr/include/headers_check.pl" \
				"$headers" "$headers/$file"
			# No C++ compilers for other machines are needed: what
			# can fail is the language
			[[ $target == "gcc "* ]] || continue
			"${compiler[@]}" -std=c++98 "${flags[@]}" \
				-x c++ /dev/null -include "$file" \
				-include "$file"
		done < <(uapi_headers)
	done
}

# uapi_layout VERB TARGET: compare the layout of our headers with the record, or
# write it
uapi_layout()
{
	local compiler headers ours

	read -ra compiler <<<"${2%%:*}"
	headers=$(exported_headers "${2#*:}")
	mapfile -t ours < <(uapi_headers | sed "s,^include/uapi,$headers,")
	python3 -B scripts/uapi-layout "$1" scripts/uapi-layout.txt \
		"${ours[@]}" -- "${compiler[@]}" -nostdinc -I "$headers"
}

check_uapi_layout()
{
	local target bad=0

	for target in "${UAPI_TARGETS[@]}"; do
		echo "${target%%:*}"
		uapi_layout check "$target" || bad=1
	done
	return "$bad"
}

record_layout()
{
	project_files >"$OUT/files"
	uapi_layout update "${UAPI_TARGETS[0]}"
}

check_rst()
{
	local ksrc work=$OUT/rst

	[[ -e Documentation/userspace-api/vhost-iommu.rst ]] || {
		echo "Documentation/userspace-api/vhost-iommu.rst does not exist"
		return 1
	}
	ksrc=$(tree "ksrc-$NEWEST")
	rm -rf "$work"
	mkdir -p "$work/source"
	cp -r Documentation/{userspace-api,driver-api} "$work/source/"
	cat >"$work/source/conf.py" <<-END
	import sys
	sys.path.insert(0, "$ksrc/Documentation/sphinx")
	extensions = ["kerneldoc"]
	kerneldoc_srctree = "$TOP"
	primary_domain = "c"
	highlight_language = "none"
	exclude_patterns = []
	END
	cat >"$work/source/index.rst" <<-END
	Index
	=====

	.. toctree::
	   :glob:

	   userspace-api/*
	   driver-api/*
	END
	# Names of types that are the kernel's own are not to be found here, so
	# no -n
	PYTHONDONTWRITEBYTECODE=1 srctree="$ksrc" \
		sphinx-build -W --keep-going -q -E -b html -d "$work/doctrees" \
		"$work/source" "$work/html"
}

check_tools()
{
	local machine=$1 prefix karch headers out=$OUT/tools-$1

	[[ -e tools/vhost-iommu-test/Makefile ]] || {
		echo "tools/vhost-iommu-test/Makefile does not exist"
		return 1
	}
	case $machine in
	x86_64)
		prefix='' karch=x86
		;;
	aarch64)
		prefix=aarch64-linux-gnu- karch=arm64
		;;
	arm)
		prefix=arm-linux-gnueabihf- karch=arm
		;;
	esac
	# The test tool's Makefile would make the same headers here
	headers=$(exported_headers "$karch")
	rm -rf "$out"
	mkdir -p "$out"
	ln -s "${headers%/usr/include}" "$out/kernel"
	make -C tools/vhost-iommu-test -j"$(nproc)" \
		KSRC="$(tree "ksrc-$NEWEST")" O="$out" \
		CROSS_COMPILE="$prefix" CFLAGS="-O2 -g -Werror"
}
