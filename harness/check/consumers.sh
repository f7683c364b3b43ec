#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# consumers.sh [SRC [OUT]]: compile, from SRC, every x86 subscriber that the
# pristine kernel has outside the parts that the series rewrites, unmodified.
# Only their objects are built.

. "$(dirname "$0")/../lib.sh"

src=${1:-$linux}
out=${2:-$build/consumers}
config=$top/harness/check/consumers.config
log=$logs/consumers.log

# Where subscribers live.  lib/ and mm/ also hold files of the series, so that
# the ones that count there are named.
places='drivers lib/test_hmm.c mm/hmm.c include/linux/hmm.h
	arch/x86/kernel/cpu/sgx'

# These need another architecture to be compiled at all.
foreign='^drivers/(iommu/arm|misc/ocxl)/'

kmake() {
	make -s -C "$src" O="$out" CC='ccache gcc' "$@"
}

# users SUFFIX...: the files below $places that use the API
users() {
	local includes=("${@/#/--include=*.}")

	(cd "$src" && grep -rlE "${includes[@]}" \
		'\bmmu_(interval_)?notifier_' $places) | sort
}

# configured: every line of the fragment must have taken effect, or a consumer
# would be compiled without the code that matters
configured() {
	local line

	kmake KCONFIG_ALLCONFIG="$config" allnoconfig || return 1
	while read -r line; do
		grep -qx "$line" "$out/.config" ||
			{ echo "config: $line did not take effect"; return 1; }
	done < <(grep '^CONFIG_' "$config")
}

# unmodified: the same files as in the pristine tree
unmodified() {
	local changed

	changed=$(git -C "$src" diff --name-only pristine series -- \
		$(users c h)) || return 1
	[ -z "$changed" ] || { echo "modified: $changed"; return 1; }
}

compile() {
	local objects object

	objects=$(users c | grep -Ev "$foreign" | sed 's/c$/o/')
	# An object that this run cannot make must not be there afterwards.
	kmake -j"$jobs" -k $objects ||
		{ echo 'some consumer does not compile'; return 1; }
	for object in $objects; do
		[ -e "$out/$object" ] || { echo "not built: $object"; return 1; }
	done
	echo "$(wc -w <<<"$objects") consumers compile unmodified"
}

main() {
	mkdir -p "$out"
	[ "$src" != "$linux" ] || unmodified
	configured
	compile
}

# The log's last line is what a failed step shows.
main >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
tail -n 1 "$log"
