#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# selftests.sh [paths|stress|observe]: run the selftests of MMU notifiers in the
# emulated host, with a software secondary MMU: every path of mm/ that changes page
# tables, a random mix of them, or all.  On a kernel with CONFIG_MMU_NOTIFIER_STATS,
# paths also runs mmu_notifier_top, and the examples of Documentation/trace, beside a
# random mix; observe is only that.  With KUnit this kernel keeps the static key on,
# and so runs the tests of the key again.
#
# selftests.sh build: only build what that needs.
#
# Prints one line for each test: "ok NAME", "FAIL NAME REASON" or "SKIP NAME
# REASON".  ONLY=NAME runs one path alone, VARIANT=NAME one kind of secondary MMU;
# SEEDS="N..." are the seeds of the random mix, OPERATIONS=N how much each does;
# KERNEL=NAME is the kernel (host).
# LEAKS=1 looks for leaked kernel memory with kmemleak, which takes about twice as
# long.
# On a kernel that does not patch itself the processors run in parallel.

. "$(dirname "$0")/lib.sh"
. "$top/harness/kselftest.sh"

part=${1:-all}
case $#,$part in
[01],all|1,build|1,paths|1,stress|1,observe) ;;
*)	die "usage: selftests.sh [build|paths|stress|observe]" ;;
esac
src=$linux
kernel=${KERNEL:-host}
out=$build/selftests
root=$out/root
runner=$src/tools/testing/selftests/mm/run_vmtests.sh

# programs: those that the kernel's own runner runs, in its order
programs() {
	sed -n 's/^CATEGORY="mmu_notifier" run_test \.\///p' "$runner"
}

compile() {
	local goals
	mapfile -t goals < <(programs | sed "s|^|$out/obj/mm/|")
	kselftest_compile "$src" "$out" mm "${goals[@]}"
	gcc -static -O2 -Wall -Wextra -Werror -o "$out/mmu_notifier_top" \
		"$src"/tools/mm/mmu_notifier_top*.c
}

# overlay: what goes on top of the host's root directory
overlay() {
	local p
	rm -rf "$root"
	mkdir -p "$root/selftests"
	for p in $(programs); do
		strip -o "$root/selftests/$p" "$out/obj/mm/$p"
	done
	strip -o "$root/selftests/mmu_notifier_top" "$out/mmu_notifier_top"
	cp "$src/Documentation/trace/mmu_notifier.rst" "$root/selftests/"
	programs | grep '_test$' >"$root/selftests/tests"
}

build_all() {
	mkdir -p "$out"
	exec 8>"$out/.lock"
	flock 8
	step "selftests: kernel headers" selftests-headers.log \
		kselftest_headers "$src" "$out"
	step "selftests: compile" selftests-build.log compile
	overlay
	"$top/harness/initramfs.sh" -o selftests "$root" >&2
	exec 8>&-
}

# boot TEST PARAMETER...: a host with swap.  Memory ends at a multiple of 64
# pages (mem=), as the bitmap of idle pages can't be read beyond.  The machine
# has more, which the tests plug in.  It is on the second node, and so are the
# last 120 MiB of the memory present at boot.
boot() {
	local test=$1 parallel=
	shift
	configured "$kernel" JUMP_LABEL || parallel=-p
	"$top/harness/boot.sh" -q $parallel -k "$kernel" -i selftests \
		-l "$test-$kernel" -m 1280 -n 384 -d 512 "$test" mem=1016M \
		${LEAKS:+leaks=1 kmemleak=on} "$@" 2>&1 |
		tee "$out/$test-$kernel.err" >&2
}

# total: what all seeds together have done
total() {
	awk '/^RESULT stress\.[0-9]* PASS/ {
		for (i = 2; i <= NF; i++) {
			if ($i ~ /^operations/) operations += $(i - 1)
			if ($i ~ /^invalidations/) invalidations += $(i - 1)
			if ($i == "translations") checked += $(i - 1)
		}
		seeds++
	}
	END {
		printf "stress: %d seeds, %d operations, %d invalidations, " \
		       "%d translations checked\n",
		       seeds, operations, invalidations, checked
	}' "$logs/stress-$kernel.log"
}

# run TEST PARAMETER...: boot it and report
run() {
	local status=0
	boot "$@" || status=$?
	report "$1" "$kernel" $status "$out/$1-$kernel.err" || result=1
}

# observe: with KUnit the static key stays on, and its tests check that it does; in
# the boots of other parts they check that it does not
observe() {
	local key=
	! configured "$kernel" KUNIT || key=1
	run observe ${key:+kunit=1 kunit.enable=1 kunit.filter_glob=mmu_notifier_key \
		mmu_notifier.always_on=1}
}

[ -z "${LEAKS:-}" ] || configured "$kernel" DEBUG_KMEMLEAK ||
	die "selftests: kernel $kernel has no kmemleak; try KERNEL=debug"
[ "$part" != observe ] || configured "$kernel" MMU_NOTIFIER_STATS ||
	die "selftests: kernel $kernel has no CONFIG_MMU_NOTIFIER_STATS"
build_all
[ "$part" != build ] || exit 0
result=0
if [[ $part =~ ^(all|paths)$ ]]; then
	if [ -n "${ONLY:-}${VARIANT:-}" ]; then
		run selftests ${ONLY:+"only=$ONLY"} ${VARIANT:+"variant=$VARIANT"}
	elif configured "$kernel" KUNIT; then
		run selftests kunit=1 kunit.enable=1
	else
		run selftests
	fi
fi
if [ "$part" != stress ] && [ -z "${ONLY:-}${VARIANT:-}" ] &&
   configured "$kernel" MMU_NOTIFIER_STATS; then
	observe
fi
if [[ $part =~ ^(all|stress)$ ]] && [ -z "${ONLY:-}${VARIANT:-}" ]; then
	begin=$SECONDS
	run stress ${SEEDS:+"seeds=${SEEDS// /,}"} \
		${OPERATIONS:+"operations=$OPERATIONS"}
	say "$(total), $(((SECONDS - begin) / 60)) minutes"
fi
exit $result
