#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh NAME [SOURCE]: build the kernel of harness/config/NAME.config from
# SOURCE (default: the series' tree) in $build/kernel-NAME.

. "$(dirname "$0")/lib.sh"
. "$top/harness/kconfig.sh"

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: kernel.sh NAME [SOURCE]"
config=$1
src=$(realpath -e "${2:-$linux}" 2>/dev/null) ||
	die "kernel.sh: there is no kernel source at ${2:-$linux}"
out=$build/kernel-$config
file=$top/harness/config/$config.config
[ -f "$file" ] || die "kernel.sh: there is no harness/config/$config.config"

kmake() { kernel_make "$src" "$out" "$@"; }

mkdir -p "$out"
exec 9>"$out/.lock"
flock 9			# two scripts may want the same kernel at once
wanted "$file" >"$out/wanted.config"
step "configure kernel $config" "kernel-$config-config.log" \
	configure "$config" "$out" kmake
step "build kernel $config" "kernel-$config.log" kmake -j"$jobs" bzImage
