# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How checks are run and reported.

# Have the lab make the trees that the selected checks need, and run this
# script again in the build root. CHECK_STATIC_TREES tells it where they are:
# lines of "KEY PATH".
enter_build_root()
{
	local name trees='' version arch compiler path

	for version in "${VERSIONS[@]}"; do
		path=$("$LAB" source "$version")
		trees+="ksrc-$version $path"$'\n'
	done
	for name in "${SELECTED[@]}"; do
		case $name in
		build=*)
			IFS=- read -r version arch compiler <<<"${name#*=}"
			;;
		*)
			continue
			;;
		esac
		path=$("$LAB" prepared "$version" "$arch" "$compiler")
		trees+="$version-$arch-$compiler $path"$'\n'
	done
	trees+="headers $("$LAB" entry headers)"$'\n'
	mkdir -p "$OUT"
	exec "$LAB" in-root env CHECK_STATIC_TREES="$trees" \
		CHECK_STATIC_OUT="$OUT" "$SELF" "$@"
}

# tree KEY: the path of a tree that the lab made
tree()
{
	local path

	path=$(awk -v key="$1" '$1 == key { print $2; exit }' \
		<<<"$CHECK_STATIC_TREES")
	if [[ ! -d $path ]]; then
		echo "The lab gave no tree for $1 (\"$path\")"
		return 1
	fi
	echo "$path"
}

# A check that ends with this has nothing to check.
skip()
{
	echo "$*"
	exit 77
}

# Files of the project: what git knows, and what it would not ignore. An
# unpacked archive has no git.
project_files()
{
	cd "$TOP" || return
	if [[ -e .git ]]; then
		git -c safe.directory='*' ls-files -co --exclude-standard |
			while read -r file; do
				[[ -f $file ]] && echo "$file"
			done
	else
		find . -type f -not -path "./build/*" -printf '%P\n'
	fi | sort -u
}

# files_matching REGEX
files_matching()
{
	grep -E "$1" "$OUT/files" || true
}

# files_run_by REGEX: files whose first line names such an interpreter
files_run_by()
{
	local file line

	while read -r file; do
		# A text file may lack its last newline, a binary one has NULs
		IFS= read -r line <"$TOP/$file" 2>/dev/null || true
		[[ $line =~ ^'#!' && $line =~ $1 ]] && echo "$file"
	done <"$OUT/files"
	return 0
}

# run_one NAME: run a check, with its output in its log
run_one()
{
	local name=$1 args=()
	local function="check_${name%%=*}"

	function=${function//-/_}
	if [[ $name == *=* ]]; then
		IFS=- read -ra args <<<"${name#*=}"
	fi
	# Not in a condition, where set -e would be off
	(
		set -e
		cd "$TOP"
		"$function" ${args[@]+"${args[@]}"}
	) >"$OUT/${name/=/-}.log" 2>&1 </dev/null
}

# Run what was selected and report it as TAP
run_selected()
{
	local name log rc start first='' number=0 passed=0 failed=0 skipped=0

	mkdir -p "$OUT"
	project_files >"$OUT/files"
	echo "TAP version 13"
	echo "1..${#SELECTED[@]}"
	for name in "${SELECTED[@]}"; do
		log=$OUT/${name/=/-}.log
		number=$((number + 1))
		start=$SECONDS
		set +e
		run_one "$name"
		rc=$?
		set -e
		name=${name/=/-}
		case $rc in
		0)
			passed=$((passed + 1))
			echo "ok $number $name"
			;;
		77)
			skipped=$((skipped + 1))
			echo "ok $number $name # SKIP $(tail -n 1 "$log")"
			;;
		*)
			failed=$((failed + 1))
			first=${first:-$log}
			echo "not ok $number $name"
			echo "#   log: $log"
			;;
		esac
		echo "#   $((SECONDS - start)) s"
	done
	if [[ $first ]]; then
		echo "# The last lines of the first failure, $first:"
		tail -n 40 "$first" | sed 's/^/#   | /'
	fi
	echo "# $passed passed, $failed failed, $skipped skipped"
	((failed == 0))
}
