#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# hooks.sh TREE [TAG]: the table of hooks in Documentation/mm/mmu_notifier_hooks.rst
# agrees with the code of the tag, by default series: each place that notifies has a
# row of its own, with what it notifies of, each row has such a place, and the test
# that a row names exists.  KVM's steps, which tests can suppress too, have rows.
# And each range is initialised directly before its start.
#
# A row of the table is "FUNCTION() WHAT RANGE... TEST", below the name of its file in
# bold; all files of an architecture are one.

. "$(dirname "$0")/../lib.sh"

tree=$1 tag=${2:-series}
here=$top/harness/check
document=Documentation/mm/mmu_notifier_hooks.rst
tests=(tools/testing/selftests/mm/mmu_notifier\* tools/testing/selftests/kvm/mmu_notifier\*)

# The implementation itself, its tests, and the macros that have a hook inside
own='^(mm/mmu_.*|include/linux/mmu_notifier(_debug)?\.h)$'

show() { git -C "$tree" show "$tag:$1"; }

# files PATTERN DIRECTORY...: the C files that have it
files() {
	git -C "$tree" grep -lE "$1" "$tag" -- "${@:2}" | sed 's/^[^:]*://' |
		grep '\.[ch]$' | grep -Ev "$own" | sort
}

# notifying: "FILE FUNCTION() WHAT" for each place that notifies
notifying() {
	local file
	files 'mmu_notifier_|_young_notify' mm fs kernel include arch |
		while read -r file; do
			show "$file" | awk -v file="$file" -f "$here/code.awk" \
				-f "$here/notifies.awk"
		done | awk -F '\t' '
		$2 ~ /^mmu_notifier_range_init/ {
			split($3, argument, /, */)
			what = argument[2]
			sub(/^MMU_NOTIFY_/, "", what)
		}
		$2 ~ /_young(_notify|_pages)?$|_secondary_tlbs$|^mmu_notifier_release$/ {
			what = $2
			sub(/^(ptep|pmdp|mmu_notifier(_arch_invalidate)?)_/, "", what)
			sub(/_(notify|pages)$/, "", what)
		}
		what != "" {
			split($1, place, ":")
			print place[1], place[2] "()", what
		}
		{ what = "" }' | sed -E 's|^(arch/[^/]*/)[^ ]*|\1|'
}

# apart: "FILE:LINE" for each range that isn't initialised directly before its start
apart() {
	local file
	files 'mmu_notifier_range_init' mm fs kernel arch |
		while read -r file; do
			show "$file" | awk -v file="$file" -f "$here/code.awk" \
				-f "$here/adjacent.awk"
		done
}

# steps: KVM's, in the same form
steps() {
	files 'mmu_notifier_suppressed' include/linux virt arch | while read -r file; do
		show "$file" | grep -o 'mmu_notifier_suppressed("[a-z_]*")'
	done | sed 's/.*"\(.*\)".*/steps KVM \1/' | sort -u
}

# rows: the table, in the same form, and the test
rows() {
	show "$document" | awk '
		/^=+ =+ =+ =+$/ { inside++; next }
		inside != 2 { next }
		/^\*\*/ { file = $1 == "**KVM\047s" ? "steps" : $1; gsub(/\*/, "", file); next }
		{ print file, $1, $2, $NF }'
}

# known: what may be the name of a test: what a macro of the selftests takes, and
# strings
known() {
	git -C "$tree" grep -ohE '[("][a-z0-9_-]+[,)"]' "$tag" -- "${tests[@]}" |
		tr -d '(",)' | sort -u
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
{ notifying; steps || true; } | sort >"$tmp/code"
rows >"$tmp/rows" || die "hooks: the tree has no $document"
cut -d ' ' -f 1-3 "$tmp/rows" | sort >"$tmp/table"
[ -s "$tmp/code" ] || die "hooks: no hook found in $tag"

{
	comm -23 "$tmp/code" "$tmp/table" | sed 's/^/NO ROW /'
	comm -13 "$tmp/code" "$tmp/table" | sed 's/^/NO HOOK /'
} >"$tmp/wrong"
awk '
	NR == FNR { known[$1]; next }
	$4 != "none" && $4 != "kernel" && !($4 in known) { print "NO TEST", $0 }
' <(known) "$tmp/rows" >>"$tmp/wrong"
apart | sed 's/^/APART /' >>"$tmp/wrong"
if [ -s "$tmp/wrong" ]; then
	cat "$tmp/wrong"
	die "hooks: $(wc -l <"$tmp/wrong") differences between $document and the code, or APART"
fi
echo "$(wc -l <"$tmp/code") hooks, each in the table;" \
	"$(grep -c ' none$' "$tmp/rows") without a test"
