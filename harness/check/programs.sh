#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# programs.sh: the programs of the harness compile without a warning.

. "$(dirname "$0")/../lib.sh"

out=$build/check/programs
mkdir -p "$out"
make -C "$top/harness/bench" O="$out" "$out/bench"
make -C "$top/harness/guest" O="$out" "$out/swapguest"
gcc -O2 -Wall -Wextra -Werror -o "$out/tsc-khz" "$top/harness/tsc-khz.c"
echo "$(find "$top/harness" -name '*.c' | wc -l) files in C"
