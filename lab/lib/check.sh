# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The suites, and what "make check" makes of them.

# Whether the test tool takes its time
LONG=0

# run_static: scripts/check-static, as TAP whatever it prints
run_static()
{
	local tap=$BUILD/results/static.tap rc=0 which=lab

	((LONG)) && which=long
	mkdir -p "$BUILD/results"
	"$TOP/scripts/check-static" "$which" | tee "$tap" || rc=$?
	if ! grep -qE '^(not )?ok [0-9]' "$tap"; then
		if ((rc)); then
			echo "not ok 1 check-static"
		else
			echo "ok 1 check-static"
		fi >>"$tap"
	elif ((rc)) && ! grep -q '^not ok' "$tap"; then
		echo "Bail out! check-static ended with status $rc" >>"$tap"
	fi
	return "$rc"
}

# shellcheck disable=SC2120 # the arguments come from the command line
# run_kunit [--long] [TEST_TOOL_ARGUMENT...]
run_kunit()
{
	local arguments='' stat

	[[ ${1:-} != --long ]] || { LONG=1; shift; }
	((!LONG)) || : "${LAB_SILENCE:=900}"
	(($#)) && printf -v arguments '%q ' "$@"
	# Its root is the build root, which has Python
	printf -v stat '%q' "$TOP/tools/vhost-iommu-stat/vhost-iommu-stat"
	uml_run uml "${LAB_TIMEOUT:-$((LONG ? 3600 : 1500))}" \
		"export VHOST_IOMMU_TEST_LONG=$LONG VHOST_IOMMU_STAT=$stat
\"\$STAGE\"/vhost-iommu-test --level unit --level device $arguments"
}

# What a 32-bit caller tries beside rings, which have the same layout for it: all with --long
ABI_TESTS=('ioctl*' 'uapi*' 'tformat*' 'global*' 'granule*' 'soft*' 'limit*' 'group*'
	'events*' 'life*')

# run_hardware [--long] [TEST_TOOL_ARGUMENT...]: without arguments, a 32-bit caller is
# tried, too
# shellcheck disable=SC2120
run_hardware()
{
	local tool=/opt/vhost-iommu/vhost-iommu-test arguments='' command timeout=2400
	local abi=''

	[[ ${1:-} != --long ]] || { LONG=1; shift; }
	# Both take their time, also for a single test
	if ((LONG)) || [[ $LAB_FLAVOUR == arm64-k[ac]san ]]; then
		timeout=7200
		: "${LAB_SILENCE:=900}"
	fi
	(($#)) && printf -v arguments '%q ' "$@"
	command="export VHOST_IOMMU_TEST_LONG=$LONG
$tool --level hardware $arguments"
	((LONG)) || printf -v abi ' -t %q' "${ABI_TESTS[@]}"
	(($#)) || command+=" || status=1
$tool-32 --level unit$abi || status=1
exit \${status:-0}"
	l1_run "$(l1_name l1)" \
		"${LAB_TIMEOUT:-$timeout}" "$command"
}

# run_selftest: that the verdict sees what must fail a run, the benchmark's
# arithmetic, and what needs no kernel of vhost-iommu-stat
run_selftest()
{
	local tap=$BUILD/results/selftest.tap number=0 test

	need_buildroot
	mkdir -p "$BUILD/results" "$BUILD/logs"
	: >"$tap"
	for test in lab/lib/test_verdict.py lab/bench/test_bench.py \
		    tools/vhost-iommu-stat/test_stat.py; do
		number=$((number + 1))
		if ! logged "$BUILD/logs/selftest.$number.log" 0 in_root "$TOP/$test"; then
			printf 'not '
		fi
		echo "ok $number ${test//\//.}"
	done >"$tap"
}

# run_system [ARGUMENT...]: guests that QEMU runs in L1
run_system()
{
	local arguments=''

	[[ ${1:-} != --long ]] || LONG=1
	(($#)) && printf -v arguments '%q ' "$@"
	# Tracing each command would slow the traffic down. Memory that goes takes
	# its time.
	LAB_L2=1 LAB_TRACE='' \
		l1_run "$(l1_name l2)" \
		"${LAB_TIMEOUT:-$((LONG ? 10800 : 4200))}" \
		"bash /opt/vhost-iommu/l2/system-test $arguments"
}

verdict()
{
	need_buildroot
	in_root "$LAB/lib/verdict.py" --skips "$LAB/expected-skips" \
		--known "$LAB/known-reports" \
		--json "$BUILD/results/${JSON:-check.json}" "$@"
}

# hardware_level: what the verdict calls the tests in L1
hardware_level()
{
	[[ $(arch_of "$LAB_FLAVOUR") == arm64 ]] && echo hardware || echo x86
}

# run_x86 [--long]: the test tool with each IOMMU of the emulated x86 host, and guests; sets
# X86_LEVELS to what the verdict judges
run_x86()
{
	local LAB_FLAVOUR=x86_64 iommu

	X86_LEVELS=()
	for iommu in "${X86_ALL[@]}"; do
		(LAB_IOMMU=$iommu run_hardware) || true
		X86_LEVELS+=("x86:$BUILD/results/$(LAB_IOMMU=$iommu l1_name l1)")
		say "the tests with $iommu are done after $(elapsed)"
	done
	(run_system "$@") || true
	X86_LEVELS+=("system:$BUILD/results/$(l1_name l2)")
	say "the tests of x86 guests are done after $(elapsed)"
}

# run_check_x86 [--long]
run_check_x86()
{
	rm -rf "$BUILD/results"/{l1-x86-*,l2-x86-*,check-x86.json}
	run_x86 "$@"
	JSON=check-x86.json verdict "${X86_LEVELS[@]}"
}

# What is built, and then the static checks: for processors that nobody else uses. What
# tests wait for is built at a lower priority, all else only when a processor is idle.
run_beside()
{
	renice -n 10 "$BASHPID" >/dev/null
	(all_entries)
	chrt --idle --pid 0 "$BASHPID" || true
	(static_entries)
	(run_static) || true
	say "the static checks are done after $(elapsed)"
}

# Linux weighs sessions against each other, and priorities within one only
# (sched_autogroup_enabled): the machines, each in a session of its own, come before all
# that is built beside them.
give_way_to_machines()
{
	local own=/proc/self/autogroup nice

	nice=$(sed 's/.* //' $own 2>/dev/null) || return 0
	# Only root can take back what is below 0
	[[ $nice == [0-9]* ]] && { echo 19 >$own; } 2>/dev/null || return 0
	# shellcheck disable=SC2064 # as it is now
	trap "{ echo $nice >$own; } 2>/dev/null || true" EXIT
}

# run_check [--long]: all suites, whatever becomes of the ones before. The machines
# that tests run in keep little more than one processor busy.
run_check()
{
	local long=() levels=() beside
	# Tests of what several threads do at once. Those of large requests, such as
	# "stop*", take longer with KCSAN than they wait for.
	local races=(-t 'queues*' -t 'meanwhile*')

	rm -rf "$BUILD/results"/{static.tap,selftest.tap,uml,l1,l1-k[ac]san,l2,check.json} \
		"$BUILD"/results/l1-x86-debian-intel
	if [[ ${1:-} == --long ]]; then
		LONG=1 LAB_SILENCE=900
		long=(--long)
	fi
	((LONG)) || export KERNEL_IS_PREPARED=1
	give_way_to_machines
	# What runs in the background does not hear of an interrupt
	trap 'trap "" TERM; kill 0; exit 130' INT TERM
	# One downloads and unpacks, and so does the other
	(need_qemuroot) &
	need_buildroot
	run_selftest
	run_beside &
	beside=$!
	(run_kunit) || true
	say "user-mode Linux is done after $(elapsed)"
	(run_hardware) || true
	say "the tests in the emulated host are done after $(elapsed)"
	if ((LONG)); then
		(LONG=0 LAB_FLAVOUR=arm64-kasan run_hardware) || true
		levels+=("hardware:$BUILD/results/l1-kasan")
		say "the same with KASAN and lockdep is done after $(elapsed)"
		(LONG=0 LAB_FLAVOUR=arm64-kcsan run_hardware "${races[@]}") || true
		levels+=("hardware:$BUILD/results/l1-kcsan")
		say "what runs side by side, with KCSAN, is done after $(elapsed)"
		LONG=0 run_x86
		levels+=("${X86_LEVELS[@]}")
	fi
	(LAB_FLAVOUR=x86_64-debian LAB_IOMMU=intel run_hardware) || true
	say "the tests in the emulated x86 host are done after $(elapsed)"
	(run_system "${long[@]}") || true
	say "the tests of guests are done after $(elapsed)"
	wait "$beside" || true
	say "all is done after $(elapsed)"
	verdict "static:$BUILD/results/selftest.tap" \
		"static:$BUILD/results/static.tap" "device:$BUILD/results/uml" \
		"hardware:$BUILD/results/l1" "x86:$BUILD/results/l1-x86-debian-intel" \
		"system:$BUILD/results/l2" \
		"${levels[@]}"
}

# The samples of lab/l2/measure as JSON
demo_json()
{
	in_root jq -R -s '{rows: [split("\n")[] | select(startswith("mode=")) |
		[split(" ")[] | split("=") | {(.[0]): (.[1] | tonumber? // .)}] |
		add]}' "$1"
}

run_demo()
{
	local run=$BUILD/results

	# What is measured is shown at once
	local LAB_VERBOSE=1
	l1_run demo-dma 300 "/opt/vhost-iommu/vhost-iommu-test demo $*" || return
	say "a guest with an assigned NIC, and one or two processors: without a vIOMMU, with QEMU's virtio-iommu, with vhost-iommu: mapping and unmapping, and tables of the guest; then (net-) with a virtio-net by vhost-net: with vhost-iommu without polling, and with it (poll)"
	LAB_L2=1 LAB_TRACE='' l1_run demo 1500 "bash /opt/vhost-iommu/l2/measure" ||
		return
	demo_json "$run/demo/output" >"$run/demo.json"
	in_root jq -r '["mode", "stream Mbit/s", "maerts Mbit/s", "CPU s/Gbit"],
		(.rows[] | [.mode, .stream_mbps, .maerts_mbps, .cpu_s_per_gbit]) |
		@tsv' "$run/demo.json" |
		awk -F '\t' '{ printf "%-12s %14s %14s %12s\n", $1, $2, $3, $4 }'
}
