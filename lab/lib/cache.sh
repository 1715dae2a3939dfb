# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The cache: one directory per entry, named after its kind and the hash of all
# that went in. An entry is complete when its file .inputs exists, which holds
# those inputs.

CACHE=${VHOST_IOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vhost-iommu}

# cache_entry KIND INPUTS MINUTES BUILDER...: set ENTRY to the entry's path;
# build it first if need be, by BUILDER... TEMPORARY_DIR FINAL_DIR.
cache_entry()
{
	local kind=$1 inputs=$2 cost=$3 lock start=$SECONDS hash path tmp

	shift 3
	hash=$(printf '%s' "$inputs" | sha256sum)
	path=$CACHE/$kind-${hash:0:16}
	ENTRY=$path
	PLANNED+=("$path")
	if [[ -e $path/.inputs ]]; then
		[[ ${LAB_PLAN_ONLY:-} ]] || touch -c "$path/.inputs"
		return 0
	fi
	[[ ${LAB_PLAN_ONLY:-} ]] && return 1
	mkdir -p "$CACHE/logs"
	exec {lock}>"$CACHE/.lock-$kind"
	if ! flock -n "$lock"; then
		say "waiting for another run that builds $kind"
		flock "$lock"
	fi
	if [[ ! -e $path/.inputs ]]; then
		say "building $kind (once; about $cost on 2 cores)"
		tmp=$CACHE/.new-${path##*/}
		remove_tree "$tmp"
		remove_tree "$path"
		mkdir -p "$tmp" "$path"
		LOG=$CACHE/logs/${path##*/}.log
		"$@" "$tmp" "$path" ||
			die "building $kind failed after $(elapsed), log: $LOG"
		printf '%s\n' "$inputs" >"$tmp/.inputs"
		rmdir "$path" || die "$path is in use"
		mv -T "$tmp" "$path" || die "cannot move $tmp to $path"
		start=$((SECONDS - start))
		say "built $kind in $((start / 60)):$(printf %02d $((start % 60)))"
	fi
	exec {lock}>&-
	ENTRY=$path
}

# A file system made without root belongs to a user namespace's ids.
remove_tree()
{
	[[ -e $1 ]] || return 0
	if ((UID)); then
		rm -rf "$1" 2>/dev/null ||
			unshare --map-root-user --map-auto rm -rf "$1"
	else
		rm -rf "$1"
	fi
}

cache_list()
{
	local path

	plan_all
	[[ -d $CACHE ]] || return 0
	for path in "$CACHE"/*-????????????????; do
		[[ -e $path/.inputs ]] || continue
		printf '%-8s %8s  %s  %s\n' \
			"$(is_planned "$path" && echo current || echo old)" \
			"$(du -sh "$path" 2>/dev/null | cut -f1)" \
			"$(date -r "$path/.inputs" +'last used %F %R')" "$path"
	done
}

# Delete what this tree no longer uses.
cache_clean()
{
	local path

	plan_all
	for path in "$CACHE"/.new-* "$CACHE"/*-????????????????; do
		[[ -d $path ]] || continue
		is_planned "$path" && continue
		say "removing $path"
		remove_tree "$path"
	done
}

is_planned()
{
	local path

	for path in "${PLANNED[@]}"; do
		[[ $path == "$1" ]] && return 0
	done
	return 1
}

# Name all entries of this tree without building any.
plan_all()
{
	PLANNED=()
	LAB_PLAN_ONLY=1
	all_entries
	static_entries
	more_entries
	LAB_PLAN_ONLY=''
}
