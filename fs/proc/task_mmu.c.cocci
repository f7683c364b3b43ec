// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/swapops.h>@p
+ #include <linux/mmu_notifier.h>

// clear_refs takes write access from the whole mm, so that the next write to a
// page makes it soft-dirty.
// expect 1
@clear_refs@
identifier vmi, mm;
attribute name __uninitialized;
position p;
@@
  VMA_ITERATOR@p(vmi, mm, 0);
+ struct mmu_notifier_range range __uninitialized;
  struct clear_refs_private cp = ...;

// expect 1
@clear_refs_start@
expression mm;
position p;
@@
  inc_tlb_flush_pending@p(mm);
+ mmu_notifier_range_init(&range, MMU_NOTIFY_SOFT_DIRTY, 0, mm, 0, -1UL);
+ mmu_notifier_invalidate_range_start(&range);

// expect 1
@clear_refs_end@
expression mm;
position p;
@@
+ mmu_notifier_invalidate_range_end(&range);
  flush_tlb_mm(mm);
  dec_tlb_flush_pending@p(mm);

// PAGEMAP_SCAN write-protects what it reports, if asked to.
// expect 1
@pagemap_scan@
attribute name __uninitialized;
position p;
@@
+ struct mmu_notifier_range range __uninitialized;
  long n_out@p;

// expect 1
@pagemap_walk@
identifier ps, mm, walk_start;
expression ret;
position p;
@@
+ if (ps.arg.flags & PM_SCAN_WP_MATCHING) {
+	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_VMA, 0,
+				mm, walk_start, ps.arg.end);
+	mmu_notifier_invalidate_range_start(&range);
+ }
+
  ret = walk_page_range@p(mm, walk_start, ps.arg.end, ...);
+
+ if (ps.arg.flags & PM_SCAN_WP_MATCHING)
+	mmu_notifier_invalidate_range_end(&range);
