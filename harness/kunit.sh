#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the KUnit suites of the core under UML: kunit.sh [SUITE[.TEST]]
#
# Says "ok NAME" or "FAIL NAME" for every test, and fails if one did, if none
# ran, if a suite was cut short, or if the kernel warned of anything that no
# test announced. The log of the kernel is test.log in the build directory.

. "$(dirname "$0")/lib.sh"

kunit=$build/kunit
filter=${1:-mmu_*notifier*}
seconds=1800	# far more than the tests take: ends a kernel that hangs

run_suites() {
	cd "$linux"
	rm -f "$kunit/test.log"
	tools/testing/kunit/kunit.py run --arch=um --build_dir="$kunit" \
		--kunitconfig="$top/harness/config/kunit.config" \
		--make_options CC="ccache gcc" --jobs "$jobs" \
		--timeout "$seconds" --raw_output=kunit "$filter"
}

# The results of the tests from KTAP, which indents those of a suite. The list
# of suites and every suite begin with how many there are to come.
list_results() {
	awk '
	/^1\.\.[0-9]+$/		{ suites = substr($0, 4) }
	/^(not )?ok [0-9]+ /	{ finished++ }
	/^ *# Subtest: /	{ suite = $NF }
	/^ +1\.\.[0-9]+$/	{ sub(/.*\.\./, ""); planned += $0 }
	/^ +(not )?ok [0-9]+ /	{
		verdict = /^ +not/ ? "FAIL" : / # SKIP/ ? "skipped" : "ok"
		sub(/^ +(not )?ok [0-9]+ /, ""); sub(/ # .*/, "")
		print verdict, suite "." $0
		seen++
		if (verdict == "ok")
			good++
	}
	END {
		if (seen < planned || !suites || finished < suites)
			print "FAIL", suite, "ended after", seen + 0, "of",
				planned + 0, "tests"
		exit !(good && good == planned && finished == suites)
	}' "$kunit/test.log"
}

# What the kernel complained of since the tests began, but for what a test said
# it would provoke
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

[ -x "$linux/tools/testing/kunit/kunit.py" ] || die "no kernel tree at $linux"
mkdir -p "$kunit"

failed=0
step kunit kunit.log run_suites || failed=1
[ -s "$kunit/test.log" ] || die "no test ran; log: $logs/kunit.log"
list_results || failed=1
list_complaints || failed=1
[ $failed -eq 0 ] || die "KUnit tests failed; log: $kunit/test.log"
