#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# upstream.sh [PATTERN]: check that nothing in the kernel's own selftests for KVM
# and mm is worse on our kernel than on the pristine one.  Builds both with the
# same configuration, and the selftests of the pristine tree, and runs these on
# both in emulated hosts, side by side.  PATTERN, a shell pattern, selects tests; a
# test is a program and its arguments, with commas in between.
#
# Prints a table of the tests, which is left in $build/upstream.rst too.  The last
# line says how many are the same, better and worse; one that is worse is a
# failure.  A test is worse if on our kernel it, or one of its own results, is
# further down the list of pass, skip, fail, hang and kill the machine, or if the
# kernel complains of something new.  Such a test is run again alone, three times
# on each kernel.  It is worse if ours does so again and pristine never does;
# otherwise it is called a flake.
#
# What harness/upstream.skip names is left out.  A machine that dies is booted
# again and continues after the test that killed it.

. "$(dirname "$0")/lib.sh"
. "$top/harness/kselftest.sh"
. "$top/harness/kconfig.sh"

[ $# -le 1 ] || die "usage: upstream.sh [PATTERN]"
pattern=${1:-}
out=$build/upstream
src=$pristine
root=$out/root
table=$build/upstream.rst
most_boots=10
times=3

# programs DIRECTORY: what it has compiled
programs() {
	(cd "$out/obj/$1" &&
		find . -type f -executable ! -name '*.so' -printf '%P\n' | sort)
}

# overlay: what goes on top of the host's root directory
overlay() {
	local dir program script=kvm/x86_64/nx_huge_pages_test.sh
	rm -rf "$root"
	mkdir -p "$root/etc"
	for dir in kvm mm; do
		for program in $(programs $dir); do
			mkdir -p "$(dirname "$root/upstream/$dir/$program")"
			strip -o "$root/upstream/$dir/$program" \
				"$out/obj/$dir/$program"
		done
	done
	cp "$src/tools/testing/selftests/$script" "$root/upstream/$script"
	cp "$top/harness/upstream.skip" "$root/upstream/skip"
	# The script asks whoami.
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
}

# In mm, khugepaged.c uses KSFT_SKIP but does not include kselftest.h.
build_all() {
	mkdir -p "$out"
	step "upstream: pristine tree" upstream-tree.log checkout_pristine
	step "upstream: kernel headers" upstream-headers.log \
		kselftest_headers "$src" "$out"
	step "upstream: compile kvm" upstream-kvm.log \
		kselftest_compile "$src" "$out" kvm
	step "upstream: compile mm" upstream-mm.log \
		kselftest_compile "$src" "$out" mm \
		EXTRA_CFLAGS="-include $src/tools/testing/selftests/kselftest.h"
	"$top/harness/kernel.sh" pristine "$src"
	"$top/harness/kernel.sh" series
	same_config "$build/kernel-pristine" "$build/kernel-series"
	overlay
	"$top/harness/initramfs.sh" -o upstream "$root" >&2
}

# boot KERNEL ALL PARAMETER...: the console goes to the end of ALL.  The status does
# not matter: a test may well make the kernel complain.  The migration tests need
# two nodes and three processors.  Above the kernel's memory is that of two
# coherent devices, for HMM's tests.
boot() {
	local log=upstream-$1
	"$top/harness/boot.sh" -q -k "$1" -i upstream -l "$log" -m 2576 -c 3 -d 512 \
		upstream mem=2040M numa=fake=2 test_hmm.spm_addr_dev0=0x80000000 \
		test_hmm.spm_addr_dev1=0x90000000 "${@:3}" >&2 || true
	tr -d '\r' <"$logs/$log.log" >>"$2"
}

ended() { grep -aq '^RESULT end PASS' "$1"; }

# died_in ALL: the test that was running when the machine died
died_in() {
	grep -aE '^(===|RESULT) ' "$1" | tail -n 1 | sed -n 's/^=== \([^ ]*\).*/\1/p'
}

# run KERNEL PHASE PARAMETER...: the tests on one kernel, in as many boots as it
# takes; PHASE is "first" or "again"
run() {
	local all=$out/$1.$2.log boots=1 test words=("${@:3}")
	: >"$all.new"
	boot "$1" "$all.new" "${words[@]}"
	until ended "$all.new"; do
		test=$(died_in "$all.new")
		[ -n "$test" ] ||
			die "upstream: the host ended early; log: $logs/upstream-$1.log"
		[ $boots -lt $most_boots ] ||
			die "upstream: $boots boots were not enough; log: $all.new"
		echo "RESULT $test DIED 0/0 $(last_line "$all.new")" >>"$all.new"
		boots=$((boots + 1))
		boot "$1" "$all.new" "${words[@]}" "after=$test"
	done
	cat "$all.new" >>"$all"
	rm "$all.new"
}

# both PHASE PARAMETER...: the two kernels side by side
both() {
	local parameters=("$@")
	run_one() { run "$1" "${parameters[@]}"; }
	in_parallel run_one pristine series
	[ "$failures" -eq 0 ] || exit 1
}

# records KERNEL PHASE: what upstream.awk reads, a line for each result, and for
# each kind of complaint of the kernel
records() {
	complaints "$out/$1.$2.log" '^(===|ITEM|RESULT) ' | tr -d '\t' |
		sed -E "/$stamp/ { s/^.*$stamp */COMPLAINT /; s/[0-9a-f]*[0-9][0-9a-f]*//g }"
}

# compare: "VERDICT TEST PRISTINE OURS REMARK" for each test, with tabs in between
compare() {
	awk -f "$top/harness/upstream.awk" \
		side=pristine again=0 <(records pristine first) \
		side=series <(records series first) \
		side=pristine again=1 <(records pristine again) \
		side=series <(records series again)
}

# repeat: what is worse, alone
repeat() {
	local test
	for test in $(compare | awk '$1 == "worse" { print $2 }'); do
		say "upstream: $test is worse: again, alone"
		both again "only=$test" "times=$times"
	done
}

# tabulate: what compare found, as a table
tabulate() {
	awk -F '\t' '
	function row(a, b, c, d, e) {
		printf "%-*s  %-13s  %-13s  %-7s  %s\n", width, a, b, c, d, e
	}
	function bar(n,  s) { while (n-- > 0) s = s "="; return s }
	{
		gsub(/,/, " ", $2)
		if (length($2) > width)
			width = length($2)
		line[NR] = $0
	}
	END {
		row(bar(width), bar(13), bar(13), bar(7), bar(60))
		row("Test", "Pristine", "Ours", "Ours is", "Remark")
		row(bar(width), bar(13), bar(13), bar(7), bar(60))
		for (i = 1; i <= NR; i++) {
			split(line[i], f, "\t")
			row(f[2], f[3], f[4], f[1], substr(f[5], 1, 160))
		}
		row(bar(width), bar(13), bar(13), bar(7), bar(60))
	}' OFS='\t' "$out/verdicts" | sed 's/ *$//' >"$table"
}

# many VERDICT: how many tests have it
many() { grep -c "^$1" "$out/verdicts" || true; }

build_all
for kernel in pristine series; do
	: >"$out/$kernel.first.log"
	: >"$out/$kernel.again.log"
done
both first ${pattern:+"only=$pattern"}
repeat
compare >"$out/verdicts"
[ -s "$out/verdicts" ] || die "upstream: no test matches $pattern"
tabulate
cat "$table"
say "upstream: $(wc -l <"$out/verdicts") tests, $(many same) the same," \
	"$(many better) better, $(many flake) flakes, $(many worse) worse; table: $table"
[ "$(many worse)" -eq 0 ]
