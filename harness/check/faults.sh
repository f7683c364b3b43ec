#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# faults.sh [CHECK...]: proves that the static checks can fail.  Each fault below
# is put into a clone of the kernel tree, as one more commit of the series or
# of the base, and the check that is there for it has to find it.

. "$(dirname "$0")/../lib.sh"

only=${*:-base parity checkpatch kernel-doc consumers warnings cocci}
here=$top/harness/check
clone=$build/check/faulty
log=$logs/faults.txt
count=0 missed=0

git_in() {
	git -C "$clone" -c user.name=fault -c user.email=fault@kernel.example "$@"
}

run() {
	case $1 in
	base)	"$here/base.sh" "$clone" base ;;
	parity)	"$here/parity.sh" "$clone" pristine series ;;
	consumers) "$here/consumers.sh" "$clone" "$build/check/faulty.consumers" ;;
	*)	"$here/$1.sh" "$clone" ;;
	esac
}

# fault CHECK FINDS FILE EDIT: CHECK must fail and print FINDS (a regular
# expression) once the perl expression EDIT has changed FILE
fault() {
	local check=$1 finds=$2 file=$3 edit=$4 tag=series good

	[[ " $only " == *" $check "* ]] || return 0
	count=$((count + 1))
	[ "$check" != base ] || tag=base
	good=$(git_in rev-parse "$tag")
	git_in checkout -q -f --detach "$good"
	[ -e "$clone/$file" ] || : >"$clone/$file"
	perl -0777 -pi -e "$edit" "$clone/$file"
	git_in add -f "$file"
	git_in commit -q -m 'mm: a fault' ||
		die "the fault '$edit' changes nothing in $file"
	git_in tag -f "$tag" >/dev/null
	if run "$check" >"$log" 2>&1; then
		missed=$((missed + 1))
		echo "MISSED $check: $file: $edit"
	elif ! grep -qE "$finds" "$log"; then
		missed=$((missed + 1))
		echo "MISSED $check fails, but not with '$finds': $file: $edit"
		cat "$log"
	else
		echo "found $check: $(grep -E "$finds" "$log" | head -n 1)"
	fi
	git_in tag -f "$tag" "$good" >/dev/null
}

rm -rf "$clone"
git -c advice.detachedHead=false clone -q -s "$linux" "$clone"
git_in config advice.detachedHead false

# A hook is gone, says something else, or is not where it was.
fault parity 'MISSING.*move_page_tables.*range_start' mm/mremap.c \
	's/\tmmu_notifier_invalidate_range_start\(&range\);\n//'
fault parity 'MISSING.*wp_page_copy.*range_end' mm/memory.c \
	's/(static vm_fault_t wp_page_copy.*?)\tmmu_notifier_invalidate_range_end\(&range\);\n/$1/s'
fault parity 'MISSING.*collapse_pte_mapped_thp.*range_end' mm/khugepaged.c \
	's/(int collapse_pte_mapped_thp.*?)\tmmu_notifier_invalidate_range_end\(&range\);\n/$1/s'
fault parity 'MISSING.*lru_gen_look_around.*ptep_clear_young_notify' mm/vmscan.c \
	's/(lru_gen_look_around.*)ptep_clear_young_notify/$1ptep_test_and_clear_young/s'
fault parity 'MISSING.*clear_refs_write.*range_end' fs/proc/task_mmu.c \
	's/\t+mmu_notifier_invalidate_range_end\(&range\);\n//'
fault parity 'MISSING.*exit_mmap.*mmu_notifier_release' mm/mmap.c \
	's/\tmmu_notifier_release\(mm\);\n//'
fault parity 'MISSING.*hugetlb_change_protection.*adjust' mm/hugetlb.c \
	's/(long hugetlb_change_protection.*?)\tadjust_range_if_pmd_sharing_possible[^;]*;\n/$1/s'
fault parity 'MISSING.*flush_tlb_mm_range.*secondary_tlbs' arch/x86/mm/tlb.c \
	's/\tmmu_notifier_arch_invalidate_secondary_tlbs[^;]*;\n//'
fault parity 'MISSING.*is_page_fault_stale.*mmu_invalidate_retry_gfn' arch/x86/kvm/mmu/mmu.c \
	's/mmu_invalidate_retry_gfn\(vcpu->kvm[^;]*;/false;/'
fault parity 'DIFFERS.*unmap_vmas.*range_init' mm/memory.c \
	's/MMU_NOTIFY_UNMAP/MMU_NOTIFY_CLEAR/'
fault parity 'DIFFERS.*replace_page.*range_init' mm/ksm.c \
	's/(addr,\s+addr \+) PAGE_SIZE/$1 1/'
fault parity 'DIFFERS.*page_make_device_exclusive_one' mm/rmap.c \
	's/args->owner\);/NULL);/'
fault parity 'PLACE.*__replace_page.*range_end' kernel/events/uprobes.c \
	's/(\tmmu_notifier_invalidate_range_end\(&range\);\n)(\tfolio_unlock\(old_folio\);\n)/$2$1/'
fault parity 'PLACE.*wp_clean_post_vma.*range_end' mm/mapping_dirty_helpers.c \
	's/\t(mmu_notifier_invalidate_range_end\(&wpwalk->range\);)/\tif (walk->private) $1/'

# Something was left in the base.
fault base 'mm/mremap.c:.*mmu_notifier' mm/mremap.c \
	's/\z/void leftover(void)\n{\n\tmmu_notifier_release(NULL);\n}\n/'
fault base 'Kconfig: CONFIG_MMU_NOTIFIER' mm/Kconfig \
	's/\nendmenu/\nconfig MMU_NOTIFIER\n\tbool\n\nendmenu/'

# A patch that checkpatch has something to say about.
fault checkpatch 'ERROR' mm/mremap.c 's/\z/int  f( void ){ return(0); }\n/'

# A parameter that is not described; a document that takes what is not there.
fault kernel-doc 'kernel_doc_fault.c.*not described' mm/kernel_doc_fault.c \
	's/\z/\/\/ SPDX\n\/**\n * f() - no argument\n *\/\nvoid f(int x)\n{\n}\n/'
fault kernel-doc 'no file mm/nowhere.c' Documentation/mm/fault.rst \
	's/\z/.. kernel-doc:: mm\/nowhere.c\n   :export:\n/'
fault kernel-doc 'nosuchfunction. not found' Documentation/mm/fault.rst \
	's/\z/.. kernel-doc:: mm\/memory.c\n   :identifiers: nosuchfunction\n/'

# A subscriber was edited; one no longer compiles.
fault consumers 'modified: .*gntdev.c' drivers/xen/gntdev.c 's/\z/\n/'
fault consumers 'error:.*mmu_interval_read_retry' include/linux/mmu_notifier.h \
	's/mmu_interval_read_retry/mmu_interval_retry/g'

# What only W=1, and what only sparse, sees.
fault warnings 'mm/mremap.c.*no previous prototype' mm/mremap.c \
	's/\z/int w1_only(void);\nint w1_only_too(void)\n{\n\treturn 0;\n}\n/'
fault warnings 'mm/mremap.c.*context imbalance' mm/mremap.c \
	's/(static int mremap_to|move_vma).*?\n\{\n/$&\tspin_lock(&init_mm.page_table_lock);\n/s'
fault warnings 'mm/warning_fault.c.*not declared' mm/warning_fault.c \
	's/\z/\/\/ SPDX-License-Identifier: GPL-2.0\nint sparse_only;\n/i'

# A semantic patch that cannot be read.
if [[ " $only " == *" cocci "* ]]; then
	count=$((count + 1))
	rm -rf "$clone"
	mkdir "$clone"
	printf '@@\n@@\n- f((;\n' >"$clone/fault.cocci"
	if "$here/cocci.sh" "$clone" >"$log" 2>&1; then
		missed=$((missed + 1))
		echo "MISSED cocci"
	else
		echo "found cocci: $(head -n 1 "$log")"
	fi
fi

rm -rf "$clone" "$build/check/faulty.consumers" "$build/check/faulty.out"
[ $count -gt 0 ] || die "no fault for $only"
echo "$((count - missed)) of $count faults found"
[ $missed -eq 0 ]
