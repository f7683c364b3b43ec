// SPDX-License-Identifier: GPL-2.0
// hugetlb.  Where page tables may be shared, unsharing one takes away a whole
// PUD_SIZE of mappings, and the notified range has to be as wide as that.

// expect 1
@include@
position p;
@@
  #include <linux/highmem.h>@p
+ #include <linux/mmu_notifier.h>

// fork() takes write access from the parent's private pages.
// expect 1
@copy_local@
attribute name __uninitialized;
position p;
@@
  copy_hugetlb_page_range@p(...)
  {
  ...
+ struct mmu_notifier_range range __uninitialized;
  unsigned long last_addr_mask;
  ...
  if (cow) { ... } else { ... }
  ... when any
  }

// expect 1
@copy_start@
identifier src, src_vma;
position p;
@@
+ mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, src,
+			  src_vma->vm_start, src_vma->vm_end);
+ mmu_notifier_invalidate_range_start(&range);
  vma_assert_write_locked@p(src_vma);
  raw_write_seqcount_begin(&src->write_protect_seq);

// expect 1
@copy_end@
identifier src;
position p;
@@
  raw_write_seqcount_end@p(&src->write_protect_seq);
+ mmu_notifier_invalidate_range_end(&range);

// The old addresses lose their pages.  start and end are widened already.
// expect 1
@move@
identifier start, end, mm, tlb;
attribute name __uninitialized;
position p;
@@
  move_hugetlb_page_tables(...)
  {
  ...
  struct mm_struct *mm = ...;
  ...
+ struct mmu_notifier_range range __uninitialized;
  struct mmu_gather tlb;
  ...
  flush_cache_range@p(..., start, end);
  tlb_gather_mmu_vma(...);
+ mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
+ mmu_notifier_invalidate_range_start(&range);
  ... when any
  huge_pmd_unshare_flush(...);
+ mmu_notifier_invalidate_range_end(&range);
  ...
  }

// tlb_finish_mmu() frees the pages after the end: their ptes are none by then, so
// that nothing can find them again.
// expect 1
@unmap@
identifier vma, start, end, tlb;
attribute name __uninitialized;
position p;
@@
  unmap_hugepage_range(struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, ...)
  {
+ struct mmu_notifier_range range __uninitialized;
+ unsigned long notify_start = start;
+ unsigned long notify_end = end;
  struct mmu_gather tlb;
+
+ adjust_range_if_pmd_sharing_possible(vma, &notify_start, &notify_end);
+ mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm,
+			  notify_start, notify_end);
+ mmu_notifier_invalidate_range_start(&range);
  tlb_gather_mmu(...);
  __unmap_hugepage_range@p(...);
+ mmu_notifier_invalidate_range_end(&range);
  ...
  }

// The copy takes the page's place.  A fault that finds the pte changed
// meanwhile leaves it alone, but passes the end as well.
// expect 1
@wp_local@
attribute name __uninitialized;
position p;
@@
  hugetlb_wp@p(...)
  {
  ...
+ struct mmu_notifier_range range __uninitialized;
  vm_fault_t ret = 0;
  ... when any
  }

// expect 1
@wp_start@
identifier vmf;
position p;
@@
  __folio_mark_uptodate@p(...);
+
+ mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, vmf->address,
+			  vmf->address + huge_page_size(h));
+ mmu_notifier_invalidate_range_start(&range);
  spin_lock(vmf->ptl);

// expect 1
@wp_end@
identifier vmf, old_folio, new_folio;
position p;
@@
  if (...) {
	...
	new_folio = old_folio;
  }
  spin_unlock@p(vmf->ptl);
+ mmu_notifier_invalidate_range_end(&range);

// The widened range again: mprotect() does not know of shared pmds.
// expect 1
@protect@
identifier mm, start, end;
attribute name __uninitialized;
position p;
@@
  hugetlb_change_protection(...)
  {
  ...
  struct mm_struct *mm = ...;
  ...
+ struct mmu_notifier_range range __uninitialized;
  unsigned long last_addr_mask;
  ...
  flush_cache_range@p(..., start, end);
  tlb_gather_mmu_vma(...);
+ mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_VMA, 0, mm, start,
+			  end);
+ mmu_notifier_invalidate_range_start(&range);
  ... when any
  hugetlb_vma_unlock_write(...);
+ mmu_notifier_invalidate_range_end(&range);
  tlb_finish_mmu(...);
  ...
  }

// start and end are whole PUDs already.
// expect 1
@unshare@
identifier mm, start, end, tlb;
attribute name __uninitialized;
position p;
@@
  hugetlb_unshare_pmds(..., unsigned long start, unsigned long end, ...)
  {
  ...
  struct mm_struct *mm = ...;
+ struct mmu_notifier_range range __uninitialized;
  struct mmu_gather tlb;
  ... when any
  tlb_gather_mmu_vma@p(...);
+
+ mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
+ mmu_notifier_invalidate_range_start(&range);
  ... when any
+ mmu_notifier_invalidate_range_end(&range);
  tlb_finish_mmu(...);
  }
