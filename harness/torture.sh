#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# torture.sh: run programs that are not ours, the memory stressors of Debian's
# stress-ng, in the emulated host, with a software secondary MMU in each of their
# processes, which checks that no translation outlives what it was made from.
#
# Prints a line for each class of secondary MMU: "ok torture.CLASS ..." or "FAIL
# torture.CLASS REASON"; then one for each hook that was silenced, which must be
# noticed.  CLASSES="NAME..." are the classes, STRESSORS=PATTERN chooses from
# harness/torture.stressors, SEED=N is the seed; KERNEL=NAME is the kernel (debug).

. "$(dirname "$0")/lib.sh"
. "$top/harness/kselftest.sh"

[ $# -eq 0 ] || die "usage: torture.sh"
kernel=${KERNEL:-debug}
out=$build/torture
root=$out/root
name=torture-$kernel
obj=$build/selftests/obj/mm
program=$(command -v stress-ng) || die "torture: stress-ng is not installed"

# compile: with the headers of selftests.sh.  The library is for a program that is
# not linked statically.
compile() {
	kselftest_compile "$linux" "$build/selftests" mm "$obj/mmu_notifier_freeze"
	kselftest_compile "$linux" "$build/selftests" mm CC="ccache gcc" \
		"$obj/mmu_notifier_preload.so"
}

# libraries: what the program is linked with, and what pthread_exit() loads
libraries() {
	ldd "$program" | grep -o '/[^ ]*'
	realpath -s "$(gcc -print-file-name=libgcc_s.so.1)"
}

# overlay: what goes on top of the host's root directory
overlay() {
	local file
	rm -rf "$root"
	mkdir -p "$root/torture" "$root/bin"
	cp "$obj/mmu_notifier_preload.so" "$obj/mmu_notifier_freeze" \
		"$root/torture/"
	cp "$top/harness/torture.stressors" "$root/torture/stressors"
	cp "$program" "$root/bin/"
	for file in $(libraries); do
		install -D "$file" "$root$file"
	done
}

# boot: a host with swap, and memory that ends at a multiple of 64 pages
boot() {
	local parallel=
	configured "$kernel" JUMP_LABEL || parallel=-p
	"$top/harness/boot.sh" -q $parallel -k "$kernel" -i torture -l "$name" \
		-m 1536 -d 512 torture mem=1528M \
		${CLASSES:+"classes=${CLASSES// /,}"} \
		${STRESSORS:+"stressors=$STRESSORS"} ${SEED:+"seed=$SEED"} 2>&1 |
		tee "$out/$name.err" >&2
}

"$top/harness/selftests.sh" build
mkdir -p "$out"
step "torture: compile" torture-build.log compile
step "torture: copy stress-ng" torture-copy.log overlay
"$top/harness/initramfs.sh" -o torture "$root" >&2
begin=$SECONDS
status=0
boot || status=$?
result=0
report torture "$kernel" $status "$out/$name.err" || result=1
say "torture: $(((SECONDS - begin) / 60)) minutes"
exit $result
