# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Running commands in the build root: its own view of the file system, no
# network, processes that end with the command.

BWRAP_NS=()

probe_sandbox()
{
	local try

	((${#BWRAP_NS[@]})) && return 0
	need_commands bwrap:bubblewrap
	# The last one is for containers that forbid a fresh /proc
	for try in '--unshare-net --unshare-pid --proc /proc' \
		   '--unshare-pid --proc /proc' '--proc /proc' \
		   '--ro-bind /proc /proc'; do
		read -ra BWRAP_NS <<<"$try"
		bwrap --ro-bind / / --dev /dev "${BWRAP_NS[@]}" true 2>/dev/null &&
			return 0
	done
	bwrap --ro-bind / / --dev /dev true >&2
	die "bubblewrap can't make a mount namespace here: allow user namespaces" \
	    "(sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces)" \
	    "or, in a container, add the capability SYS_ADMIN"
}

# in_root [-b SRC DEST] [-w DIR] [-n] COMMAND...: -b and -w make more directories
# writable, -n leaves standard input to the command
in_root()
{
	local binds=() root=$BUILDROOT

	while :; do
		case $1 in
		-b) binds+=(--bind "$2" "$3"); shift 3 ;;
		-w) binds+=(--bind "$2" "$2"); shift 2 ;;
		*) break ;;
		esac
	done
	probe_sandbox
	case $TOP/ in
	/usr/*|/etc/*|/dev/*|/proc/*) die "$TOP is hidden by the build root: put the clone elsewhere" ;;
	esac
	bwrap --die-with-parent --tmpfs / \
		--ro-bind "$root/usr" /usr --ro-bind "$root/etc" /etc \
		--symlink usr/bin /bin --symlink usr/sbin /sbin \
		--symlink usr/lib /lib --symlink usr/lib64 /lib64 \
		--tmpfs /tmp --dir /var/tmp --dir /root --dir /sys --tmpfs /run --dev /dev \
		"${BWRAP_NS[@]}" \
		--ro-bind "$CACHE" "$CACHE" --bind "$TOP" "$TOP" "${binds[@]}" \
		--clearenv --setenv PATH /usr/sbin:/usr/bin --setenv HOME /root \
		--setenv LC_ALL C.UTF-8 --setenv TERM "${TERM:-dumb}" \
		--setenv KBUILD_BUILD_USER lab --setenv KBUILD_BUILD_HOST lab \
		--setenv KBUILD_BUILD_TIMESTAMP 2000-01-01 \
		--chdir "$TOP" "$@"
}
