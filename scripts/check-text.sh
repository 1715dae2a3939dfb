# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Checks that look at text.

check_spdx()
{
	local file want have bad=0

	while read -r file; do
		case $file in
		COPYING|LICENSES/*|*.json|*.csv|*.svg|*.patch)
			# Licences; data that has no comments, and plots of it;
			# patches, which carry the licence of what they change
			continue
			;;
		include/uapi/linux/virtio_iommu*)
			want='BSD-3-Clause' ;;
		include/uapi/*|*_uapi.h)
			want='GPL-2.0-only WITH Linux-syscall-note' ;;
		*)
			want='GPL-2.0-only' ;;
		esac
		# What has no comments can have a file beside it that says so
		[[ -e $file.license ]] && file+=.license
		have=$(head -n 5 "$file" |
		       sed -n 's/.*SPDX-License-Identifier: *//p' |
		       sed 's/ *\(\*\/\|-->\) *$//; q')
		[[ $have == "$want" ]] && continue
		bad=1
		if [[ $have ]]; then
			echo "$file: the licence is \"$have\", should be \"$want\""
		else
			echo "$file: no SPDX-License-Identifier in the first 5 lines, should be \"$want\""
		fi
	done <"$OUT/files"
	return "$bad"
}

check_length()
{
	local file lines bad=0

	while read -r file; do
		case $file in
		COPYING|LICENSES/*|*.json|*.csv|*.svg|*.patch) continue ;;
		esac
		lines=$(wc -l <"$file")
		((lines <= MAX_LINES)) && continue
		echo "$file: $lines lines, more than $MAX_LINES: split it"
		bad=1
	done <"$OUT/files"
	return "$bad"
}

check_shellcheck()
{
	local files

	mapfile -t files < <({ files_matching '\.sh$'
		files_run_by '[/ ](ba|da)?sh( |$)'; } | sort -u)
	((${#files[@]})) || skip "no shell scripts"
	printf '%s\n' "${files[@]}"
	shellcheck -x "${files[@]}"
}

check_python()
{
	local files

	mapfile -t files < <({ files_matching '\.py$'
		files_run_by '[/ ]python3'; } | sort -u)
	((${#files[@]})) || skip "no Python programs"
	printf '%s\n' "${files[@]}"
	python3 -X pycache_prefix="$OUT/pycache" -W error -m py_compile \
		"${files[@]}"
}

# Words of kernel code that look like misspellings
SPELLING=(
	iff		# if and only if
	unmapp		# stem in patterns
	te		# hexadecimal digits and table entries
	inval		# the virtio status, and invalidate
)

check_codespell()
{
	local files

	mapfile -t files < <(files_matching . |
		grep -vE '^(COPYING|LICENSES/)|\.(json|csv|svg|patch)$')
	codespell --ignore-words-list="$(IFS=,; echo "${SPELLING[*]}")" \
		"${files[@]}"
}

# Rules of checkpatch.pl that are not followed, and why
CHECKPATCH_IGNORE=(
	# MAINTAINERS is that of the kernel, which has no entry for this yet
	FILE_PATH_CHANGES
	# Messages are not split, so that they can be searched for
	LONG_LINE_STRING
	# Tables of operations name a type several times in a macro, as
	# iommufd's IOCTL_OP() does; types have no side effects
	MACRO_ARG_REUSE
)
# TRACE_EVENT() has a layout of its own
CHECKPATCH_IGNORE_TRACE=(
	OPEN_ENDED_LINE
	PARENTHESIS_ALIGNMENT
)
# The test tool is a user space program that uses the kselftest harness; the lab's
# own programs and what is for kvmtool are user space, too
CHECKPATCH_IGNORE_TOOLS=(
	# Types of C and POSIX, not of the kernel
	PREFER_KERNEL_TYPES
	CAMELCASE
	# No kernel logging, no BIT(), no __printf()
	PREFER_PR_LEVEL
	BIT_MACRO
	PREFER_DEFINED_ATTRIBUTE_MACRO
	# A volatile access is how user space reads a ring
	VOLATILE
	# FIXTURE(), TEST_F() and tables of cases are macros that declare or
	# return, and whose parts do not all use all arguments
	SPACING
	BRACKET_SPACE
	COMPLEX_MACRO
	MACRO_WITH_FLOW_CONTROL
	MACRO_ARG_PRECEDENCE
	MACRO_ARG_UNUSED
	MULTISTATEMENT_MACRO_USE_DO_WHILE
	TRAILING_SEMICOLON
	# Words of a sentence that are the name of the function by chance
	EMBEDDED_FUNCTION_NAME
	# "enum mode mode" is a declaration
	REPEATED_WORD
	# Text for people is wrapped
	SPLIT_STRING
	# Both ends of a range, in one line
	MULTIPLE_ASSIGNMENTS
	# Loops over the harness's nested lists, written as one loop
	SUSPECT_CODE_INDENT
)

# checkpatch IGNORED_TYPES FILE...
checkpatch()
{
	local ksrc ignore=$1 work=$OUT/checkpatch-tree

	shift
	printf '%s\n' "$@"
	ksrc=$(tree "ksrc-$NEWEST")
	# In a git repository checkpatch.pl leaves a file behind; it takes some
	# decisions by a file's path from the top
	rm -rf "$work"
	mkdir "$work"
	ln -s "$TOP"/* "$work"
	(cd "$work" && perl "$ksrc/scripts/checkpatch.pl" --no-tree --root="$work" \
		--strict --quiet --show-types --max-line-length=100 \
		--ignore "${ignore// /,}" -f "$@")
}

check_checkpatch()
{
	local common="${CHECKPATCH_IGNORE[*]}" rc=0
	local tools='^tools/vhost-iommu-test/(lib/|tests/|[^/]*$)|^lab/(bench|plugin)/'
	tools+='|^integration/kvmtool/'
	local trace='^include/trace/'
	local source='\.[ch]$|(^|/)(Kconfig|Kbuild)$'
	local file files ksrc

	mapfile -t files < <(files_matching "$source" |
			     grep -vE "$tools|$trace")
	((${#files[@]})) || skip "no source files"
	checkpatch "$common" "${files[@]}" || rc=1

	mapfile -t files < <(files_matching "$source" | grep -E "$trace")
	((${#files[@]} == 0)) ||
		checkpatch "$common ${CHECKPATCH_IGNORE_TRACE[*]}" \
			"${files[@]}" || rc=1

	mapfile -t files < <(files_matching "$source" | grep -E "$tools")
	((${#files[@]} == 0)) ||
		checkpatch "$common ${CHECKPATCH_IGNORE_TOOLS[*]}" \
			"${files[@]}" || rc=1

	# By the kernel's own rules, but for the sign-off of who submits them
	ksrc=$(tree "ksrc-$NEWEST")
	mapfile -t files < <(files_matching '^integration/linux/.*\.patch$')
	for file in "${files[@]}"; do
		echo "$file"
		# What git knows by its name it takes for a source file
		perl "$ksrc/scripts/checkpatch.pl" --no-tree --root="$ksrc" --strict \
			--quiet --show-types --no-signoff - <"$file" || rc=1
	done
	return "$rc"
}

in_git()
{
	git -c safe.directory='*' -C "$TOP" "$@"
}

check_commits()
{
	local commit bad=0

	in_git rev-parse -q --verify HEAD >/dev/null || skip "no commits"
	while read -r commit; do
		in_git show -s --format=%B "$commit" | awk -v commit="$commit" '
			function complain(what) {
				printf "%.12s: %s\n", commit, what
				bad = 1
			}
			NR == 1 && length > 75 {
				complain("the subject has more than 75 columns")
			}
			NR == 1 && /\.$/ {
				complain("the subject ends with a full stop")
			}
			NR == 2 && NF {
				complain("no empty line after the subject")
			}
			# What can not be broken may be longer: output, links
			NR > 2 && length > 80 && !/^[ \t>]/ && / .* / &&
			!/^[A-Z][A-Za-z-]+: / {
				complain("line " NR " has more than 80 columns")
			}
			/^Signed-off-by:/ {
				complain("a sign-off; only the person who submits may add it")
			}
			/^(fixup|squash|amend)!/ {
				complain("to be squashed")
			}
			END { exit bad }' || bad=1
	done < <(in_git rev-list --no-merges -n "$MAX_COMMITS" HEAD)
	return "$bad"
}
