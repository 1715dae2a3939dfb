# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# L1 under gdb, with the symbols of the kernel and of the module.

# l1_gdb [COMMAND]: COMMAND runs in L1 once the module is loaded. The kernel that has
# all checks is the one with debug information.
l1_gdb()
{
	local run=$BUILD/results/gdb LAB_FLAVOUR=arm64-kasan quoted

	stage_l1
	rm -rf "$run"
	mkdir -p "$run"
	printf '%s\n' "${1:-/opt/vhost-iommu/vhost-iommu-test}" >"$run/command"
	l1_disk "$run"
	l1_qemu "$run" lab.gdb
	printf -v quoted '%q ' "${QEMU[@]}"
	cat >"$run/gdbinit" <<-END
	set pagination off
	set confirm off
	set print pretty on
	target remote $run/gdb.socket
	python
	import glob, os
	class ModuleSymbols(gdb.Command):
	    """Load the symbols of the lab's modules that L1 has told the addresses of."""
	    def __init__(self):
	        super().__init__("module-symbols", gdb.COMMAND_FILES)
	    def invoke(self, argument, tty):
	        for path in glob.glob("$run/sections.*"):
	            name = path.rsplit(".", 1)[1]
	            text, others = None, ""
	            for line in open(path):
	                section, address = line.split()
	                if section == ".text":
	                    text = address
	                elif section.split(".")[1] in ("data", "bss", "rodata", "ref"):
	                    others += f" -s {section} {address}"
	            gdb.execute(f"add-symbol-file $L1_STAGE/modules/{name}.ko {text}{others}",
	                        to_string=True)
	            print(f"symbols of {name} are loaded")
	ModuleSymbols()
	class Loaded(gdb.Breakpoint):
	    def stop(self):
	        print("\nThe module is loaded, its tests have not begun.")
	        gdb.post_event(lambda: gdb.execute("module-symbols"))
	        return True
	Loaded("__handle_sysrq", internal=True, temporary=True)
	end
	echo \n\
	The machine has not run yet. "continue" stops again when the module is loaded\n\
	and its symbols are known; then set breakpoints and continue. The console's\n\
	log is $run/console, output of the command is in output beside it.\n\n
	END
	# The debugger keeps the terminal; the emulator ends with it
	in_root -w "$run" bash -c "
		$quoted -serial file:$run/console -S \
			-chardev socket,id=gdb,path=$run/gdb.socket,server=on,wait=off \
			-gdb chardev:gdb </dev/null >$run/qemu.log 2>&1 &
		for _ in {1..50}; do
			[[ -S $run/gdb.socket ]] && break
			sleep 0.1
		done
		gdb-multiarch -q -x $run/gdbinit $HOST/vmlinux
		kill %1"
}
