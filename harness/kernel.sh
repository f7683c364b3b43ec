#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh NAME [SOURCE]: build the kernel of harness/config/NAME.config from
# SOURCE (default: the series' tree) in $build/kernel-NAME.
#
# The configuration is allnoconfig plus what NAME.config asks for (a line
# "#include OTHER.config" takes another file in first), and every line of it
# must come true: a symbol that Kconfig drops is an error that names it.

. "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: kernel.sh NAME [SOURCE]"
config=$1
src=$(realpath -e "${2:-$linux}" 2>/dev/null) ||
	die "kernel.sh: there is no kernel source at ${2:-$linux}"
out=$build/kernel-$config
configs=$top/harness/config
[ -f "$configs/$config.config" ] || die "kernel.sh: no config named $config"

# wanted FILE: the lines FILE asks for, those it includes first
wanted() {
	local line
	while read -r line; do
		case $line in
		'#include '*)	wanted "$configs/${line#* }" ;;
		CONFIG_*|'# CONFIG_'*' is not set') printf '%s\n' "$line" ;;
		esac
	done <"$1"
}

kmake() { kernel_make "$src" "$out" "$@"; }

# unmet FILE: the lines of FILE that .config does not agree with
unmet() {
	awk '
	function sym(s) { sub(/^# /, "", s); sub(/[ =].*/, "", s); return s }
	function val(s) { return s ~ /^#/ || s ~ /=n$/ ? "n" : \
			  substr(s, index(s, "=") + 1) }
	!/CONFIG_/ { next }
	FILENAME == ARGV[1] { have[sym($0)] = val($0); next }
	{ want[sym($0)] = val($0) }
	END {
		for (s in want) {
			got = s in have ? have[s] : "n"
			if (got != want[s])
				print s " is " got ", not " want[s]
		}
	}' "$out/.config" "$1" | sort
}

configure() {
	local wrong

	wanted "$configs/$config.config" >"$out/wanted.config"
	KCONFIG_ALLCONFIG=$out/wanted.config kmake allnoconfig
	wrong=$(unmet "$out/wanted.config")
	[ -z "$wrong" ] && return
	echo "$config.config: $(head -n 3 <<<"$wrong" | paste -sd,)"
	return 1
}

mkdir -p "$out"
exec 9>"$out/.lock"
flock 9			# two scripts may want the same kernel at once
step "configure kernel $config" "kernel-$config-config.log" configure
step "build kernel $config" "kernel-$config.log" kmake -j"$jobs" bzImage
