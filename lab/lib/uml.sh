# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# User-mode Linux with iommufd's mock: unit and device tests.

: "${LAB_UML_MEMORY:=1G}"

stage_uml()
{
	local stage=$BUILD/uml/stage

	need_uml
	rm -rf "$stage"
	mkdir -p "$stage"
	if [[ ! ${LAB_BARE:-} ]]; then
		stage_modules uml "$stage"
		build_tool uml x86 ''
		cp "$BUILD/uml/test-tool/vhost-iommu-test" "$stage/" ||
			die "the test tool is not where it was built"
	fi
	UML_STAGE=$stage
}

# uml_run NAME TIMEOUT COMMAND: as l1_run, with $STAGE for the tools in COMMAND
uml_run()
{
	local name=$1 timeout=$2 run=$BUILD/results/$1 rc=0

	stage_uml
	rm -rf "$run"
	mkdir -p "$run"
	printf 'STAGE=%q\n%s\n' "$UML_STAGE" "$3" >"$run/command"
	say "booting user-mode Linux for $name (log: $run/console)"
	in_root -w "$run" "$LAB/lib/machine.py" --label "$name" \
		--results "$run" --console "$run/console" \
		--timeout "$timeout" --silence "${LAB_SILENCE:-300}" ${LAB_VERBOSE:+--verbose} -- \
		"$UML/build/linux" "mem=$LAB_UML_MEMORY" \
		rootfstype=hostfs rw "init=$LAB/guest/uml-init" \
		con0=null,fd:1 con=null ssl=null console=tty0 loglevel=5 \
		panic=-1 uml_dir=/tmp/ \
		"lab.results=$run" "lab.stage=$UML_STAGE" || rc=$?
	return "$rc"
}
