// SPDX-License-Identifier: GPL-2.0
// The multi-generational LRU walks page tables, which don't have the
// young bits of secondary MMUs.

// expect 1
@include@
position p;
@@
  #include <linux/random.h>@p
+ #include <linux/mmu_notifier.h>

// A page that is old in the page table may be young in a secondary MMU.
// expect 1
@old_pte@
identifier vma;
position p;
@@
  get_pte_pfn(..., struct vm_area_struct *vma, ...)
  {
  ... when any
  if (!pte_young@p(...)
+     && !mm_has_notifiers(vma->vm_mm)
     ) return -1;
  ... when any
  }

// expect 1
@old_pmd@
identifier vma;
position p;
@@
  get_pmd_pfn(..., struct vm_area_struct *vma, ...)
  {
  ... when any
  if (!pmd_young@p(...)
+     && !mm_has_notifiers(vma->vm_mm)
     ) return -1;
  ... when any
  }

// Where a leaf's young bit is cleared, the secondary MMUs' is cleared too.
// expect 3
@leaf_pte@
position p;
@@
  !
- ptep_test_and_clear_young@p
+ ptep_clear_young_notify
  (...)

// expect 1
@leaf_pmd@
position p;
@@
  !
- pmdp_test_and_clear_young@p
+ pmdp_clear_young_notify
  (...)
