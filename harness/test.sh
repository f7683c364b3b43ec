#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The whole test suite, from what is fast to what is real.  Does its own set-up,
# prints every result as it comes, and ends with the line
#
#	N passed, N failed, N skipped
#
# A test that fails does not stop the others; one that cannot run because what
# it needs has failed is counted as failed too.

. "$(dirname "$0")/lib.sh"

harness=$top/harness
modes="npt shadow notdp"
passed=0 failed=0 skipped=0
declare -A good

# A log is shown with its last lines, indented so that nothing in it can be
# taken for a result.
show_log() {
	echo "     the end of $1:"
	tail -n 15 "$1" | tr '\r' '\n' | tr -cd '[:print:]\t\n' | sed 's/^/     | /'
}

# log_in TEXT: the existing file that TEXT names
log_in() {
	local word
	for word in $1; do
		word=${word#(}
		word=${word%[),;]}
		[[ $word != /* ]] || [ ! -f "$word" ] || echo "$word"
	done | tail -n 1
}

pass() {
	passed=$((passed + 1))
	echo "ok   $1${2:+ $2}"
}

skip() {
	skipped=$((skipped + 1))
	echo "SKIP $1${2:+: $2}"
}

# fail NAME TEXT LOG: the log that TEXT names is nearer to the fault than LOG
fail() {
	local log
	failed=$((failed + 1))
	echo "FAIL $1${2:+ $2}"
	log=$(log_in "${2:-}")
	log=${log:-${3:-}}
	[ -z "$log" ] || [ ! -s "$log" ] || show_log "$log"
}

# needs NAME STEP...: has all that NAME needs gone well?
needs() {
	local name=$1 step
	shift
	for step; do
		[ -z "${good[$step]:-}" ] || continue
		fail "$name" "(not run: it needs $step)"
		return 1
	done
}

# result SUITE LOG KIND NAME TEXT: one line that a suite has printed
result() {
	case $3 in
	ok)	pass "$1: $4" "$5" ;;
	SKIP)	skip "$1: $4" "$5" ;;
	FAIL)	fail "$1: $4" "$5" "$2" ;;
	*)	return 1 ;;
	esac
	results=$((results + 1))
}

# suite NAME COMMAND...: a script which prints a line "ok NAME", "FAIL NAME" or
# "SKIP NAME" for each of its tests.  That it fails as a whole counts as one
# failure more, unless a test of it has failed; and so does no result at all.
suite() {
	local name=$1 log=$logs/test-$1.log before=$failed results=0
	local status=0 kind test text
	shift
	say "--- $name"
	while read -r kind test text; do
		result "$name" "$log" "$kind" "$test" "$text" || true
	done < <("$@" </dev/null | tee "$log")
	wait $! || status=$?
	if [ $status -ne 0 ] && [ $failed -eq $before ]; then
		fail "$name" "(exit status $status)" "$log"
	elif [ $status -eq 0 ] && [ $results -eq 0 ]; then
		fail "$name" "(ran no test)" "$log"
	fi
}

# single NAME LOG COMMAND...: a script which is one test
single() {
	local name=$1 log=$logs/$2
	shift 2
	say "--- $name"
	if "$@" </dev/null >&2; then
		good[$name]=1
		pass "$name"
	else
		fail "$name" "(exit status $?)" "$log"
	fi
}
