#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# cocci.sh [DIR]: Coccinelle reads every semantic patch below DIR, by default
# the project.

. "$(dirname "$0")/../lib.sh"

dir=${1:-$top}
log=$logs/cocci.txt
count=0 bad=0
: >"$log"
while read -r file; do
	count=$((count + 1))
	spatch --parse-cocci "$file" >"$log.one" 2>&1 && continue
	bad=$((bad + 1))
	{ echo "== $file"; cat "$log.one"; } >>"$log"
	say "${file#"$dir/"}: $(grep -v '^$' "$log.one" | tail -n 1)"
done < <(find "$dir" -path "$build" -prune -o -path "$dir/build" -prune -o \
	-path "$dir/.git" -prune -o -name '*.cocci' -print | sort)
rm -f "$log.one"

[ $count -gt 0 ] || die 'cocci: there is no semantic patch'
[ $bad -eq 0 ] || die "cocci: $bad of $count cannot be parsed"
echo "$count semantic patches parse"
