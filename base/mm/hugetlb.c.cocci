// SPDX-License-Identifier: GPL-2.0
// Three functions use the range they notify for themselves: as the addresses
// that adjust_range_if_pmd_sharing_possible() widens and whose caches they
// flush.

// expect 1
@move@
identifier range;
position p;
@@
  move_hugetlb_page_tables@p(...)
  {
  ...
- struct mmu_notifier_range range;
+ unsigned long start = old_addr, end = old_end;
  ...
- adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
+ adjust_range_if_pmd_sharing_possible(vma, &start, &end);
- flush_cache_range(vma, range.start, range.end);
+ flush_cache_range(vma, start, end);
  ...
  }

// expect 1
@protect@
identifier range;
position p;
@@
  hugetlb_change_protection@p(...)
  {
  ...
- unsigned long start = address;
+ unsigned long flush_start = address, flush_end = end;
  ...
- adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
+ adjust_range_if_pmd_sharing_possible(vma, &flush_start, &flush_end);
  ...
- flush_cache_range(vma, range.start, range.end);
+ flush_cache_range(vma, flush_start, flush_end);
  ...
  }

// This one widens it for the notifiers alone.
// expect 1
@unmap@
identifier range;
position p;
@@
  unmap_hugepage_range(...)
  {
  ...
- adjust_range_if_pmd_sharing_possible@p(vma, &range.start, &range.end);
  ...
  }

// The rest is for comments that speak of notifiers: they go with the
// statements on both sides of them.

// expect 1
@copy@
expression src, addr, src_pte;
position p;
@@
  copy_hugetlb_page_range@p(...)
  {
  <+...
- if (cow) {
- huge_ptep_set_wrprotect(src, addr, src_pte);
+ if (cow) {
+ huge_ptep_set_wrprotect(src, addr, src_pte);
  ...
  }
  ...+>
  }

// expect 1
@protected@
expression tlb, vma;
position p;
@@
  hugetlb_change_protection@p(...)
  {
  ...
- huge_pmd_unshare_flush(tlb, vma);
- i_mmap_unlock_write(vma->vm_file->f_mapping);
+ huge_pmd_unshare_flush(tlb, vma);
+ i_mmap_unlock_write(vma->vm_file->f_mapping);
  ...
  }

// expect 1
@unshare@
expression tlb, vma;
position p;
@@
  hugetlb_unshare_pmds@p(...)
  {
  ...
- tlb_gather_mmu_vma(tlb, vma);
- mmu_notifier_range_init(...);
- mmu_notifier_invalidate_range_start(...);
+ tlb_gather_mmu_vma(tlb, vma);
  ...
  if (take_locks) {
  i_mmap_unlock_write(vma->vm_file->f_mapping);
- hugetlb_vma_unlock_write(vma);
- }
- mmu_notifier_invalidate_range_end(...);
+ hugetlb_vma_unlock_write(vma);
+ }
  tlb_finish_mmu(tlb);
  }
