#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# parity.sh TREE A B: whatever notifies secondary MMUs in the tree of tag A does so
# in that of tag B: in the same function, at the same place of
# it, with the same event and the same range, as often, and in the same order.
# Intended differences are listed in parity.moved.
#
# The whole comparison goes to $logs/parity.txt.

. "$(dirname "$0")/../lib.sh"

tree=$1 a=$2 b=$3
here=$top/harness/check
moved=${MOVED:-$here/parity.moved}
table=$logs/parity.txt

# Where hooks and KVM's side of them are.  Drivers only subscribe.
places=(mm fs kernel include virt/kvm arch)

# What implements the notifiers or only subscribes is no place that notifies.
own='^(mm/(mmu_[a-z_]*|mm_all_locks|hmm)\.[ch]|include/linux/(mmu_notifier(_hooks)?|hmm)\.h'
own+='|include/trace/events/mmu_notifier\.h|arch/x86/kernel/cpu/sgx/.*)$'

names='mmu_notifier|mmu_invalidate|_young_notify|mm_has_notifiers'
names+='|pmd_sharing_possible|hugetlb_zap_begin|pfncache|pfn_cache_invalidate'
names+='|(kvm|tdp_mmu)_(unmap|age|test_age)_(gfn|memslot)'

# hooks TAG: every use of a notifying name
hooks() {
	local file

	git -C "$tree" grep -lE "$names" "$1" -- "${places[@]/%//*.[ch]}" |
		sed 's/^[^:]*://' | grep -Ev "$own" | sort |
		while read -r file; do
			git -C "$tree" show "$1:$file" |
				awk -v file="$file" -f "$here/code.awk" \
					-f "$here/notifies.awk"
		done
}

compare() {
	# Without a change diff prints nothing: every line has to show.
	diff --unchanged-line-format='= %L' --old-line-format='< %L' \
		--new-line-format='> %L' "$1" "$2" || [ $? -eq 1 ]
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
hooks "$a" >"$tmp/a"
hooks "$b" >"$tmp/b"
[ -s "$tmp/a" ] || die "parity: no hook found in $a"
compare "$tmp/a" "$tmp/b" >"$tmp/both"
awk -F '\t' -v moved="$moved" -f "$here/parity.awk" "$tmp/both" >"$table" ||
	{ grep -E '^(MISSING|DIFFERS|PLACE|STALE|BAD)' "$table" >&2; exit 1; }
tail -n 1 "$table"
