# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the machine itself must provide: apt sources, mmdebstrap, bubblewrap.

RELEASE=trixie

# need_commands COMMAND:PACKAGE...: install what is missing, or say how
need_commands()
{
	local pair missing=()

	for pair; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	((${#missing[@]})) || return 0
	command -v apt-get >/dev/null ||
		die "install ${missing[*]} first (this is not a Debian system, so the lab can't)"
	if ((UID)); then
		die "missing packages; run: sudo apt-get install ${missing[*]}"
	fi
	say "installing ${missing[*]}"
	apt_install "${missing[@]}"
}

apt_install()
{
	apt_get update || die "apt-get update failed"
	apt_get install -y --no-install-recommends "$@" ||
		die "apt-get could not install $*"
}

# apt_get ARGUMENT...: one at a time, as apt does not wait for another one
apt_get()
{
	local lock rc=0

	mkdir -p "$CACHE/logs"
	exec {lock}>"$CACHE/.lock-apt"
	flock "$lock"
	DEBIAN_FRONTEND=noninteractive logged "$CACHE/logs/apt.log" 0 \
		apt-get "$@" || rc=$?
	exec {lock}>&-
	return "$rc"
}

# The archive keys of a release that is older than trixie may lack trixie's.
need_keyring()
{
	local keys=/usr/share/keyrings

	[[ -e $keys/debian-archive-$RELEASE-automatic.gpg ||
	   -e $keys/debian-archive-$RELEASE-automatic.pgp ]] && return 0
	((UID)) && die "no archive keys for $RELEASE; run: sudo apt-get install debian-archive-keyring"
	say "installing the archive keys of $RELEASE"
	apt_install debian-archive-keyring
	[[ -e $keys/debian-archive-$RELEASE-automatic.gpg ||
	   -e $keys/debian-archive-$RELEASE-automatic.pgp ]] ||
		die "debian-archive-keyring has no keys for $RELEASE: upgrade it"
}

# The URI of the Debian archive that this machine uses. apt reads both source
# formats and knows each archive's origin once its index was fetched; the
# security and third-party archives differ in origin, label or suite.
archive_uri()
{
	local codename uri suite origin label component

	codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
	while IFS='|' read -r uri suite origin label component; do
		[[ $suite == "$codename" && $component == main ]] || continue
		[[ $origin == Debian && $label == Debian ]] || continue
		printf '%s\n' "$uri"
		return
	done < <(apt-get indextargets --format \
		'$(REPO_URI)|$(CODENAME)|$(ORIGIN)|$(LABEL)|$(COMPONENT)' 2>/dev/null)
	return 1
}

# write_sources FILE: one-line apt sources (mmdebstrap wants such a file's name
# to end in .list). Left empty when the machine names no Debian archive:
# mmdebstrap then has a default of its own.
write_sources()
{
	local uri

	: >"$1"
	uri=$(archive_uri) || {
		if ((UID == 0)) && command -v apt-get >/dev/null; then
			apt_get update || true
		fi
		uri=$(archive_uri) || return 0
	}
	cat >"$1" <<-END
	deb $uri $RELEASE main
	deb $uri $RELEASE-backports main
	END
}

# bootstrap SUITE_OPTIONS... -- DEST [MMDEBSTRAP_OPTIONS]
bootstrap()
{
	local dest=$1 tmp rc=0 proxy

	shift
	need_commands mmdebstrap:mmdebstrap mount:mount
	need_keyring
	tmp=$(mktemp -d)
	write_sources "$tmp/debian.list"
	while read -r proxy; do
		set -- "$@" --aptopt="$proxy"
	done < <(apt-config dump 2>/dev/null | grep -E '^Acquire::https?::Proxy ')
	if [[ -s $tmp/debian.list ]]; then
		mmdebstrap "$@" "$RELEASE" "$dest" "$tmp/debian.list" || rc=$?
	else
		say "no Debian archive in this machine's apt sources: using mmdebstrap's default"
		mmdebstrap "$@" --setup-hook="sed -n 's/ $RELEASE / $RELEASE-backports /p' \"\$1/etc/apt/sources.list\" >\"\$1/etc/apt/sources.list.d/backports.list\"" \
			"$RELEASE" "$dest" || rc=$?
	fi
	rm -rf "$tmp"
	return "$rc"
}
