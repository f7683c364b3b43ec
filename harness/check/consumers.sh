#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# consumers.sh [SRC [OUT]]: compile, from SRC, every x86 subscriber that the
# pristine kernel has outside the parts that the series rewrites.  Only their
# objects are built.  If SRC is a git tree, they must be the pristine ones.

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
		'\bmmu_(notifier|interval)' $places) | sort
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

# goals: the make goal of every consumer.  amdkfd/ has no rules of its own: it
# is built as a part of amdgpu/.
goals() {
	users c | grep -Ev "$foreign" |
		sed 's/c$/o/; s|/amdkfd/|/amdgpu/../amdkfd/|'
}

compile() {
	local goals goal

	goals=$(goals)
	kmake -j"$jobs" -k $goals ||
		{ echo 'some consumer does not compile'; return 1; }
	for goal in $goals; do
		[ -e "$out/$goal" ] || { echo "not built: $goal"; return 1; }
	done
	echo "$(wc -w <<<"$goals") consumers compile unmodified"
}

check() {
	mkdir -p "$out" || return 1
	[ ! -e "$src/.git" ] || unmodified || return 1
	configured && compile
}

status=0
check >"$log" 2>&1 || status=$?
if [ $status -eq 0 ]; then
	tail -n 1 "$log"
else
	grep -E 'error:|^(config|modified|not built):' "$log" >&2 ||
		tail -n 5 "$log" >&2
fi
exit $status
