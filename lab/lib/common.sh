# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Messages, logged steps and progress.

say()
{
	printf 'lab: %s\n' "$*" >&2
}

die()
{
	printf 'lab: error: %s\n' "$*" >&2
	exit 1
}

elapsed()
{
	printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60))
}

# show_progress LOG EXPECTED: how many build steps LOG has recorded so far
show_progress()
{
	local log=$1 expected=$2 count start=$SECONDS now

	while sleep 20; do
		count=$(grep -cE '^(  (CC|AS|AR|LD|HOSTCC|HOSTLD)|\[[0-9]+/)' "$log")
		now=$((SECONDS - start))
		say "    $count of about $expected steps" \
		    "after $((now / 60)):$(printf %02d $((now % 60)))"
	done
}

# logged LOG EXPECTED COMMAND...: run with the output in LOG and show progress
# (EXPECTED build steps, 0 to show none); on failure show the log's end.
logged()
{
	local log=$1 expected=$2 watcher='' rc=0

	shift 2
	: >"$log"
	if ((expected)); then
		show_progress "$log" "$expected" &
		watcher=$!
	fi
	"$@" >>"$log" 2>&1 </dev/null || rc=$?
	if [[ $watcher ]]; then
		kill "$watcher" 2>/dev/null
		wait "$watcher" 2>/dev/null
	fi
	if ((rc)); then
		say "the last lines of $log:"
		tail -n 40 "$log" | sed 's/^/    | /' >&2
	fi
	return "$rc"
}
