#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# checkpatch.sh TREE: each patch of the series passes checkpatch --strict.

. "$(dirname "$0")/../lib.sh"

tree=$1
log=$logs/checkpatch.txt

# FILE_PATH_CHANGES asks, about every new file, whether MAINTAINERS needs an
# update.  The series' own entry there names directories and patterns, so the
# answer is a question of the whole series, not of one patch.
ignore=FILE_PATH_CHANGES
# EMBEDDED_FILENAME takes the line in mm/Kconfig that sources
# mm/Kconfig.mmu_notifier for a file that states its own name.
ignore+=,EMBEDDED_FILENAME

clean=$build/check/checkpatch
mkdir -p "$clean"

# A patch that has passed does so again.
version=$(cat "$0" "$tree/scripts/checkpatch.pl" | sha256sum)

# checkpatch PATCH: says what is wrong with it
checkpatch() {
	local key

	key=$( (echo "$version"; cat "$1") | sha256sum | cut -d ' ' -f 1)
	[ ! -e "$clean/$key" ] || return 0
	(cd "$tree" && scripts/checkpatch.pl --strict --no-summary \
		--ignore "$ignore" --root . "$1") || return 1
	touch "$clean/$key"
}

count=0 bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: >"$log"
for commit in $(git -C "$tree" rev-list --reverse base..series); do
	count=$((count + 1))
	git -C "$tree" format-patch --stdout --zero-commit -1 "$commit" \
		>"$tmp/patch"
	if ! checkpatch "$tmp/patch" >"$tmp/said" 2>&1; then
		bad=$((bad + 1))
		git -C "$tree" log -1 --format='== %s' "$commit"
		cat "$tmp/said"
	fi >>"$log"
done

[ $count -gt 0 ] || die 'checkpatch: no patch between base and series'
if [ $bad -gt 0 ]; then
	grep -E '^(==|ERROR|WARNING|CHECK)|^#[0-9]+: FILE' "$log" >&2
	die "checkpatch: $bad of $count patches"
fi
echo "$count patches pass checkpatch --strict"
