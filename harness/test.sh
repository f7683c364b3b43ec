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
debug_kernels=${DEBUG_KERNELS:-debug}
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

# What a script has logged since mark() was called is about its failure: best
# the log with the name of the suite, else the one written last.
mark() { touch "$logs/.mark"; }

newest_log() {
	local file=$logs/$1.log
	if [ "$file" -nt "$logs/.begin" ]; then
		echo "$file"
	else
		find "$logs" -maxdepth 1 -name '*.log' -newer "$logs/.mark" \
			-printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2
	fi
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

# result SUITE LOG LINE: one line that a suite has printed; false when it is not
# a result.  Our scripts say "ok NAME", what runs in the host "NAME PASS".
result() {
	local kind name text
	read -r kind name text <<<"$3"
	case $name in
	PASS|FAIL|SKIP) read -r name kind text <<<"$3" ;;
	esac
	name=${name%:}
	[ "$name" = "$1" ] || name="$1: $name"
	case $kind in
	ok|PASS)	pass "$name" "$text" ;;
	SKIP|skipped)	skip "$name" "$text" ;;
	FAIL)		fail "$name" "$text" "$2" ;;
	*)		return 1 ;;
	esac
}

# suite NAME COMMAND...: a script which prints a line for each of its tests.
# That it fails as a whole counts as one failure more, unless a test of it has
# failed; and so does no result at all.
suite() {
	local name=$1 log=$logs/test-$1.log before=$failed results=0 status=0 line
	shift
	say "--- $name"
	while IFS= read -r line; do
		result "$name" "$(newest_log "$name")" "$line" || continue
		results=$((results + 1))
	done < <(mark; "$@" </dev/null | tee "$log")
	wait $! || status=$?
	log=$(newest_log "$name")
	if [ $status -ne 0 ] && [ $failed -eq $before ]; then
		fail "$name" "(exit status $status)" "$log"
	elif [ $status -eq 0 ] && [ $results -eq 0 ]; then
		fail "$name" "(ran no test)" "$log"
	fi
}

# single NAME COMMAND...: a script which is one test
single() {
	local name=$1
	shift
	say "--- $name"
	mark
	if "$@" </dev/null >&2; then
		good[$name]=1
		pass "$name"
	else
		fail "$name" "(exit status $?)" "$(newest_log "$name")"
	fi
}

# prepare NAME COMMAND...: what is no test, but counts as failed when it fails
prepare() {
	local name=$1
	shift
	mark
	if "$@" </dev/null >&2; then
		good[$name]=1
	else
		fail "$name" "(exit status $?)" "$(newest_log "$name")"
	fi
}

# after STEPS COMMAND NAME...: runs COMMAND NAME... if all of STEPS went well;
# otherwise NAME has failed
after() {
	local step
	for step in $1; do
		[ -z "${good[$step]:-}" ] || continue
		fail "$3" "(not run: it needs $step)"
		return
	done
	shift
	"$@"
}

# queue NAME COMMAND...: a suite that run_queue is to run
# One emulated machine, whatever it is made of, keeps one processor busy: as many
# run at a time as there are processors.
queue() {
	queue_names+=("$1")
	shift
	queue_commands+=("$(printf '%q ' "$@")")
}

run_queued() {
	local out=$logs/queue-$1 status=0
	bash -c "$2" </dev/null >"$out.out" 2> >(cat >&2) || status=$?
	echo $status >"$out.status"
}

run_queue() {
	local i
	for i in "${!queue_names[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
			wait -n || true
		done
		run_queued "${queue_names[i]}" "${queue_commands[i]}" &
	done
	wait
}

# queued NAME: prints what the suite NAME has printed, when it has ended, and
# ends with its status
queued() {
	local out=$logs/queue-$1
	while [ ! -s "$out.status" ] && kill -0 "$queue_pid" 2>/dev/null; do
		sleep 0.5
	done
	cat "$out.out"
	return "$(cat "$out.status")"
}

rm -f "$logs"/queue-*
touch "$logs/.begin"
queue_names=() queue_commands=()
begin=$SECONDS
host="build-host initramfs"

prepare setup "$harness/setup.sh"
after setup single tree "$harness/tree.sh"

# Each in turn, as each keeps all processors busy by itself.
after tree suite check "$harness/check.sh"
after tree suite arches "$harness/arches.sh" -s arm64 x86_64-nommu_notifier
after setup suite model "$harness/model.sh"
for kernel in host $debug_kernels; do
	after tree single "build-$kernel" "$harness/kernel.sh" "$kernel"
done
after setup prepare initramfs "$harness/initramfs.sh"

if [ -n "${good[build-host]:-}" ] && [ -n "${good[initramfs]:-}" ]; then
	queue boot-host "$harness/boot.sh" -l boot-host boot notifier=y
	queue boot-checks "$harness/boot-checks.sh"
	# The longest come first.
	for mode in $modes; do
		queue "kvm-selftests-$mode" "$harness/kvm-selftests.sh" "$mode"
	done
	for mode in $modes checks; do
		queue "swap-$mode" "$harness/swap-test.sh" "$mode"
	done
fi
for kernel in $debug_kernels; do
	[ -n "${good[build-$kernel]:-}" ] && [ -n "${good[initramfs]:-}" ] ||
		continue
	selftests=(env "KERNEL=$kernel" "$harness/selftests.sh")
	queue "selftests-$kernel" "${selftests[@]}" paths
	leaks=
	! configured "$kernel" DEBUG_KMEMLEAK || leaks=1
	queue "stress-$kernel" env "LEAKS=$leaks" OPERATIONS=10000 \
		"${selftests[@]}" stress
done
run_queue &
queue_pid=$!
trap 'kill "$queue_pid" 2>/dev/null || true' EXIT

after "$host" suite boot-host queued boot-host
after "$host" suite boot-checks queued boot-checks
for mode in $modes checks; do
	after "$host" suite "swap-$mode" queued "swap-$mode"
done
for mode in $modes; do
	after "$host" suite "kvm-selftests-$mode" queued "kvm-selftests-$mode"
done
for kernel in $debug_kernels; do
	for part in selftests stress; do
		after "build-$kernel initramfs" \
			suite "$part-$kernel" queued "$part-$kernel"
	done
done

say "--- $(((SECONDS - begin) / 60)) minutes"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
