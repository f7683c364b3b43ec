// SPDX-License-Identifier: GPL-2.0
// Secondary TLBs are flushed where the CPU's are, if these are flushed later.

// expect 1
@flush@
identifier batch;
position p;
@@
  try_to_unmap_flush@p(void)
  {
  struct tlbflush_unmap_batch *batch = &current->tlb_ubc;
+
+ mmu_notifier_flush_batch();
  ...
  }

// Whether a secondary TLB has a writable entry isn't known.
// expect 1
@flush_dirty@
identifier batch;
position p;
@@
  try_to_unmap_flush_dirty@p(void)
  {
  struct tlbflush_unmap_batch *batch = &current->tlb_ubc;
+
+ mmu_notifier_flush_batch();
  ...
  }

// expect 2
@defer@
identifier try_to =~ "^try_to_(unmap|migrate)_one$";
identifier folio, range;
expression event, nr, mm;
position p;
@@
  try_to(struct folio *folio, ...)
  {
  ...
  mmu_notifier_range_init@p(&range, event, nr, mm, ...);
+ if (mmu_notifier_range_has_notifiers(&range) &&
+     should_defer_secondary(folio, flags))
+ 	mmu_notifier_range_defer(&range);
  ...
  }
