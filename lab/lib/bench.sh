# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The benchmark: everything side by side, and what a request costs in
# instructions.

# Guests, and 4 GiB of huge pages for the static mapping
: "${LAB_BENCH_MEMORY:=7G}"

# bench_l1 RUN CPUS MEMORY: have L1 ready to boot with RUN as its /results.
# Tracing every command would be what is measured.
bench_l1()
{
	LAB_TRACE='' LAB_FLAVOUR=arm64-bench LAB_L1_CPUS=$2 LAB_L1_MEMORY=$3
	if [[ ! ${L1_STAGE:-} ]]; then
		stage_l1
		stage_l2
		stage_bench "$L1_STAGE"
	fi
	mkdir -p "$1"
	l1_disk "$1"
	l1_qemu "$1" ''
}

# run_bench [ARGUMENT...]: arguments of bench/bench.py
run_bench()
{
	local run=$BUILD/results/bench rc=0 quick=()

	[[ ! ${QUICK:-} || $QUICK == 0 ]] || quick=(--quick)
	if [[ " $* " == *" --help "* ]]; then
		need_buildroot
		in_root "$LAB/bench/bench.py" --help
		return
	fi
	bench_l1 "$run" 2 "$LAB_BENCH_MEMORY"
	# A run that a person ends is reported, too
	trap : INT
	in_root -w "$run" "$LAB/bench/bench.py" --run "$run" \
		"${quick[@]}" "$@" --input "$L1_STAGE" \
		--version "emulator=$(version_of qemu-system-arm)" \
		--version "source=$(version_of linux-source-7.3)" \
		--version "kernel=${HOST##*/}" --version "root=${L1ROOT##*/}" \
		-- "${QEMU[@]}" -serial stdio || rc=$?
	trap - INT
	l1_clean "$run"
	if ((rc == 130)); then
		say "interrupted; the same command goes on from here"
	else
		run_instructions --guests || rc=1
	fi
	bench_report || return
	return "$rc"
}

# count_instructions RUN COMMAND [QEMU_ARGUMENT...]: run COMMAND in an L1 with one
# processor, whose time goes by instructions: a nanosecond each
count_instructions()
{
	local run=$1 rc=0

	echo "$2" >"$run/command"
	in_root -w "$run" "$LAB/lib/machine.py" --label "${run##*/}" \
		--results "$run" --console "$run/console" --timeout 900 --silence 600 -- \
		"${QEMU[@]}" -serial stdio -icount shift=0,sleep=off "${@:3}" || rc=$?
	l1_clean "$run"
	((rc == 0)) || cat "$run/output"
	return "$rc"
}

# run_instructions [--guests]: what a request costs in instructions, which is the same
# whatever else the machine does; with --guests also what leaving a guest costs, and
# mapping and unmapping in it
run_instructions()
{
	local run=$BUILD/results/instructions guests=()

	need_insncount
	rm -rf "$run"
	bench_l1 "$run" 1 3G
	count_instructions "$run" \
		"/opt/vhost-iommu/vhost-iommu-test bench --count --json /results/rows.json" \
		-plugin "$INSNCOUNT,out=$run/counts" || return
	if [[ ${1:-} == --guests ]]; then
		bench_l1 "$run/guests" 1 3G
		in_root "$LAB/bench/instructions.py" --plan >"$run/guests/plan" || return
		count_instructions "$run/guests" \
			"bash /opt/vhost-iommu/bench/round /results/plan >/results/samples" || return
		guests=(--guests "$run/guests/samples")
	fi
	in_root -w "$run" "$LAB/bench/instructions.py" --rows "$run/rows.json" \
		--counts "$run/counts" "${guests[@]}" --json "$run/instructions.json"
}

# Figures, tables and plots of what there is
bench_report()
{
	local BUILDROOT run=$BUILD/results/bench

	need_plotroot
	BUILDROOT=$PLOTROOT
	in_root -w "$run" "$LAB/bench/report.py" --run "$run" \
		--instructions "$BUILD/results/instructions/instructions.json" \
		--json "$BUILD/results/bench.json"
}
