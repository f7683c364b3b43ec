#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The proof in one run: a KVM guest with 384 MiB of memory on a host that has
# 256 MiB.  Does its own set-up, and ends with the figures and PASS or FAIL.

. "$(dirname "$0")/lib.sh"

harness=$top/harness
log=$logs/demo.log

# value NAME: a figure that the guest program printed
value() { sed -n "s/^STAT $1 //p" "$log" 2>/dev/null | tail -n 1; }

# figure TEXT NAME UNIT: one line of the summary
figure() {
	local number
	number=$(value "$2")
	printf '%-30s %10s%s\n' "$1" "${number:-unknown}" "${number:+ $3}"
}

summary() {
	echo
	figure 'Host memory' host_mib MiB
	figure 'Guest memory' guest_mib MiB
	figure 'Virtual CPUs' vcpus ''
	figure 'Passes over all guest memory' passes ''
	figure 'Guest page faults' faults ''
	figure 'Swapped out' swapped_out pages
	figure 'Swapped in' swapped_in pages
	figure 'Verified' pages_verified pages
	figure 'Pinned' pinned pages
	figure 'Bad' bad_pages pages
	echo "$1"
}

fail() {
	summary FAIL
	exit 1
}

bash "$harness/setup.sh"
bash "$harness/tree.sh"
bash "$harness/kernel.sh" host
bash "$harness/initramfs.sh"
say "boot an emulated host with 256 MiB, and in it a KVM guest with 384 MiB"
rm -f "$log"
bash "$harness/boot.sh" -q -l demo -m 256 -d 1024 swap mode=npt \
	'args="--mib 384 --vcpus 2 --passes 2"' || fail
# What was said must be what is shown.
[ "$(value pinned)" = 0 ] && [ "$(value bad_pages)" = 0 ] || fail
summary PASS
