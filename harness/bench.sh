#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# bench.sh [quick]: what do MMU notifiers cost on the pristine kernel, and on ours?
# Builds three kernels of one configuration: pristine, ours, and ours without MMU
# notifiers.  Each is booted in an emulated host that counts instructions (or bytes,
# for different numbers of possible processors), with the same programs.  "quick"
# measures only the most important rows, with fewer repeats.
#
# Prints a table, with a row for each thing measured, and leaves in $build/bench
#
#	table.txt	the table
#	results.csv	the same, for programs
#	*.svg, *.png	plots of it
#
# Succeeds if no row is worse on our kernel than on the pristine one, by more than
# the repeats of it differ.  harness/bench/rows says what is the best that could be,
# and what the target is; a row with a number as its target is judged by that alone.

. "$(dirname "$0")/lib.sh"
. "$top/harness/kconfig.sh"

mode=${1:-full}
[ $# -le 1 ] && [[ $mode =~ ^(full|quick)$ ]] || die "usage: bench.sh [quick]"
src=$top/harness/bench
out=$build/bench
root=$out/root
kernels='bench-pristine bench-series bench-off'
parts='paths register reclaim ageing numa faults exit'
# How many CPUs may be there, where it matters; 255 is the most that the emulated
# machine can have.
possible='8 64 255'
[ "$mode" = full ] || possible=255

# module KERNEL SOURCE: the subscribers, compiled against a kernel
module() {
	local dir=$out/module-$1
	kernel_make "$2" "$build/kernel-$1" -j"$jobs" modules
	mkdir -p "$dir"
	cp "$src/mn_bench.c" "$src/mn_bench.h" "$dir/"
	echo 'obj-m := mn_bench.o' >"$dir/Kbuild"
	kernel_make "$2" "$build/kernel-$1" M="$dir" KCFLAGS=-Werror modules
	cp "$dir/mn_bench.ko" "$root/bench/$1.ko"
}

program() {
	mkdir -p "$out/obj"
	make -C "$src" O="$out/obj" "$out/obj/bench"
	cp "$out/obj/bench" "$root/bench/"
}

build_all() {
	rm -rf "$root"
	mkdir -p "$root/bench"
	step "bench: compile the program" bench-program.log program
	step "bench: pristine tree" bench-tree.log checkout_pristine
	"$top/harness/kernel.sh" bench-pristine "$pristine"
	"$top/harness/kernel.sh" bench-series
	"$top/harness/kernel.sh" bench-off
	same_config "$build/kernel-bench-pristine" "$build/kernel-bench-series"
	step "bench: compile the module for pristine" bench-module-pristine.log \
		module bench-pristine "$pristine"
	step "bench: compile the module for ours" bench-module-series.log \
		module bench-series "$linux"
	"$top/harness/initramfs.sh" -o bench "$root" >&2
}

# boot KERNEL NAME PARTS OPTION...: measure, on a machine that OPTION... makes; the rows
# go to the end of the kernel's file
boot() {
	local kernel=$1 name=$1-$2 parts=$3 quick=0 log
	[ "$mode" = full ] || quick=1
	log=$logs/$name.log
	"$top/harness/boot.sh" -q -k "$kernel" -i bench -l "$name" -m 1024 \
		"${@:4}" bench "args=\"$parts\"" "module=$kernel" quick=$quick \
		quiet norandmaps brd.rd_size=65536 brd.rd_nr=2 >&2 || exit 1
	sed -n 's/^ROW //p' "$log" >>"$out/$kernel.rows"
}

# measure KERNEL: all of its boots
measure() {
	local kernel=$1 cpus
	: >"$out/$kernel.rows"
	boot "$kernel" main "$parts" -t
	[ "$kernel" != bench-off ] || return 0
	for cpus in $possible; do
		boot "$kernel" "cpus$cpus" memory -x "$cpus"
	done
}

tabulate() {
	awk -f "$src/table.awk" table="$out/table.txt" csv="$out/results.csv" \
		worse="$out/worse" what=rows "$src/rows" \
		what=off "$out/bench-off.rows" \
		what=pristine "$out/bench-pristine.rows" \
		what=series "$out/bench-series.rows"
}

# plot: as SVG and PNG; SVG as the kernel's documentation has it
plot() {
	local format file
	awk -f "$src/summary.awk" "$out/results.csv" >"$out/summary.tsv"
	for format in svg png; do
		gnuplot -e "format='$format'; csv='$out/results.csv'; out='$out';
			summary='$out/summary.tsv'" "$src/plot.gp"
	done
	for file in "$out"/*.svg; do
		awk -f "$src/tidy.awk" "$file" >"$out/tidy.new"
		mv "$out/tidy.new" "$file"
	done
}

"$top/harness/setup.sh" bench
build_all
# shellcheck disable=SC2086	# a word for each kernel
in_parallel measure $kernels
[ "$failures" -eq 0 ] || exit 1
step "bench: table" bench-table.log tabulate
cat "$out/table.txt"
step "bench: plots" bench-plots.log plot
say "bench: table, CSV and plots: $out"
[ ! -s "$out/worse" ] || die "bench: worse than pristine: $(paste -sd ' ' "$out/worse")"
