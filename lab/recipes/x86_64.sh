#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# x86_64.sh SOURCE OUTPUT FRAGMENT MAKE_ARGUMENTS...: kernel.sh for the emulated x86 host,
# with a line of SOURCE changed. Runs in the build root.
set -euo pipefail

svm=$1/arch/x86/kvm/svm/svm.c

# After an exception in a guest, TCG leaves its type where an interrupted event would be,
# and only takes back that there is one. KVM goes by the type, and ends the guest at its
# next access to a register that is emulated. sed -i makes a new file: the source tree that
# this one is linked to stays as it was.
sed -i 's/exit_int_info & SVM_EXITINTINFO_TYPE_MASK) &&$/exit_int_info \& SVM_EXITINTINFO_VALID) \&\&/' "$svm"
grep -q 'exit_int_info & SVM_EXITINTINFO_VALID) &&$' "$svm" || {
	echo "error: svm_check_emulate_instruction() in $svm looks different from what is expected" >&2
	exit 1
}
exec "${BASH_SOURCE%/*}/kernel.sh" "$@"
