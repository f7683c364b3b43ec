#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kunit.sh [SUITE[.TEST]]: run the KUnit suites of the core under UML.
#
# Prints what the kernel's kunit.py prints of each test and suite.  Fails if a test
# failed or was skipped, if there was none, if a suite was cut short, or if the kernel
# warned of anything that no test announced.

. "$(dirname "$0")/lib.sh"

kunit=$build/kunit
filter=${1:-mmu_*notifier*}
seconds=1800	# far more than the tests take: ends a kernel that hangs

# run_suites: succeeds if the kernel ran, whatever became of the tests
run_suites() {
	cd "$linux"
	rm -f "$kunit/test.log"
	tools/testing/kunit/kunit.py run --arch=um --build_dir="$kunit" \
		--kunitconfig="$top/harness/config/kunit.config" \
		--make_options CC="ccache gcc" --jobs "$jobs" \
		--timeout "$seconds" "$filter" || [ -s "$kunit/test.log" ]
}

# results: what kunit.py printed of the tests, without the time of day
results() {
	sed -n 's/^\[[0-9:]*\] //p' "$logs/kunit.log" |
		sed '1,/^Starting KUnit/d; /^Elapsed time/d'
}

# first_fault: the first test or suite that did not end well
first_fault() {
	results | awk '
	/^=+ [^ ]+ \(/ { suite = $2 ": " }
	/^\[(ERROR|FAILED|CRASHED|SKIPPED)\]/ && !n++ { print suite $0 }'
}

# list_complaints: what the kernel complained of since the tests began, except for
# what a test had announced
list_complaints() {
	awk '
	/KTAP version/			{ began = 1 }
	/a warning is expected here/	{ expected++ }
	began && /WARNING: |BUG: |INFO: .*(lock|held)|DEBUG_LOCKS_WARN/ {
		if (/WARNING: CPU/ && expected) { expected--; next }
		print "FAIL kernel: " $0
		bad = 1
	}
	END { exit bad }' "$kunit/test.log"
}

[ -x "$linux/tools/testing/kunit/kunit.py" ] || die "kunit: no kernel tree at $linux: run make tree"
mkdir -p "$kunit"

step kunit kunit.log run_suites || exit 1
results
list_complaints || die "kunit: the kernel complains; log: $kunit/test.log"
# If the kernel dies after the last test, kunit.py counts an error, but succeeds.
summary=$(results | sed -n 's/^Testing complete. //p')
[[ $summary =~ \ passed:\ [0-9]+$ ]] && exit
fault=$(first_fault)
die "kunit: ${fault:-no test passed} (${summary:-no result}); log: $logs/kunit.log"
