#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# base.sh TREE TAG: TAG is an honest base.  Nothing of MMU notifiers is left in the
# code of mm/, fs/, kernel/, the headers, the architectures' mm/ or x86's
# KVM, and no x86 configuration has them, or KVM.  What only subscribes may
# stay: it cannot be configured.

. "$(dirname "$0")/../lib.sh"

tree=$1 tag=$2
here=$top/harness/check
log=$logs/base.txt
src=$build/check/base

places=(mm fs kernel include 'arch/*/mm' 'arch/*/include' virt arch/x86)
subscribers='^(mm/hmm\.c|include/linux/hmm\.h|include/(rdma|uapi)/.*'
subscribers+='|arch/x86/kernel/cpu/sgx/.*|arch/(powerpc|s390)/include/asm/kvm_.*)$'

names='mmu_notifier|mmu_interval|MMU_NOTIFIER|MMU_NOTIFY|_young_notify'
names+='|mm_has_notifiers|invalidate_secondary_tlbs|notifier_subscriptions'
names+='|(mm|vm)_[a-z_]*all_locks|AS_MM_ALL_LOCKS|mm_all_locks_mutex'
names+='|mmu_invalidate_(retry|in_progress|seq|range_start|range_end)'
names+='|kvm_mmu_invalidate_(begin|range_add|end)'

# leftovers: FILE:LINE:TEXT of code, not comments, that still has such a name
leftovers() {
	local file

	git -C "$tree" grep -lE "$names" "$tag" -- "${places[@]/%//*.[ch]}" |
		sed 's/^[^:]*://' | grep -Ev "$subscribers" |
		while read -r file; do
			git -C "$tree" show "$tag:$file" |
				awk -f "$here/code.awk" \
					-f <(echo '{ print code($0) }') |
				grep -nE "$names" | sed "s|^|$file:|" || true
		done
}

# The largest configuration there is, from nothing but what Kconfig reads.
largest_config() {
	rm -rf "$src"
	mkdir -p "$src/out"
	git -C "$tree" archive "$tag" Kbuild scripts ':(glob)**/Kconfig*' \
		':(glob)**/Makefile*' | tar x -C "$src"
	make -s -C "$src" O="$src/out" ARCH=x86_64 allyesconfig
	[ -s "$src/out/.config" ]
}

selectable() {
	largest_config >"$logs/base-kconfig.log" 2>&1 ||
		{ echo "Kconfig: allyesconfig failed, see $logs/base-kconfig.log"; return; }
	sed -nE 's/^CONFIG_(KVM|[A-Z_]*MMU_NOTIFIER[A-Z_]*)=/Kconfig: &/p' \
		"$src/out/.config"
	rm -rf "$src"
}

{ leftovers; selectable; } >"$log"
if [ -s "$log" ]; then
	cat "$log" >&2
	exit 1
fi
echo "no trace of MMU notifiers in $tag"
