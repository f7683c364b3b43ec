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
	# A rule for coccicheck reads as empty until one of its modes is chosen.
	mode=$(awk '$1 == "virtual" { print $2; exit }' "$file")
	spatch ${mode:+-D "$mode"} --parse-cocci "$file" >"$log.one" 2>&1 &&
		continue
	bad=$((bad + 1))
	{ echo "== $file"; cat "$log.one"; } >>"$log"
	say "${file#"$dir/"}: $(grep -v '^$' "$log.one" | tail -n 1)"
done < <(find "$dir" -path "$dir/build" -prune -o -path "$dir/.git" -prune \
	-o -name '*.cocci' -print | sort)
rm -f "$log.one"

[ $count -gt 0 ] || die 'cocci: there is no semantic patch'
[ $bad -eq 0 ] || die "cocci: $bad of $count cannot be parsed"
echo "$count semantic patches parse"
