// SPDX-License-Identifier: GPL-2.0
// Write-protects or cleans shared mappings one vma at a time: the range starts
// before the first pte of the vma changes and ends when its TLBs are flushed.

// expect 1
@include@
position p;
@@
  #include <linux/bitops.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@member@
position p;
@@
  struct wp_walk {
  unsigned long start;
  unsigned long end@p;
+ struct mmu_notifier_range range;
  ...
  };

// expect 1
@pre@
identifier walk, wpwalk, start, end;
position p;
@@
  wp_clean_pre_vma(..., struct mm_walk *walk)
  {
  ...
  struct wp_walk *wpwalk = ...;
  ...
+ mmu_notifier_range_init(&wpwalk->range, MMU_NOTIFY_PROTECTION_PAGE, 0,
+			  walk->mm, start, end);
+ mmu_notifier_invalidate_range_start(&wpwalk->range);
  flush_cache_range@p(..., start, end);
  ...
  }

// expect 1
@post@
identifier wpwalk;
position p;
@@
  wp_clean_post_vma(...)
  {
  ...
  struct wp_walk *wpwalk = ...;
  ...
+ mmu_notifier_invalidate_range_end(&wpwalk->range);
  dec_tlb_flush_pending@p(...);
  }
