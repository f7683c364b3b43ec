#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# boot-checks.sh [HOW]: check that boot.sh notices when a machine dies, in each way
# that harness/host/tests/dies knows, or HOW.  The kernel "host" and the initramfs
# must be there.  Prints a line for each: "ok HOW", or "FAIL HOW
# REASON".

. "$(dirname "$0")/lib.sh"

[ $# -le 1 ] || die "usage: boot-checks.sh [HOW]"
only=${1:-}
result=0

# notices HOW TEXT: boot.sh must fail with TEXT.  A minute of silence is a hang.
notices() {
	local said
	[ -z "$only" ] || [ "$only" = "$1" ] || return 0
	if said=$("$top/harness/boot.sh" -s 1 -l "dies-$1" dies "how=$1" 2>&1); then
		echo "FAIL $1 boot.sh takes it for a success"
		result=1
	elif grep "error: boot dies-$1: .*$2" <<<"$said" >/dev/null; then
		echo "ok $1"
	else
		echo "FAIL $1 $(tail -n 1 <<<"$said")"
		result=1
	fi
}

notices crash 'panic: .*sysrq'
notices chatter 'hang: nothing from the test'
exit $result
