// SPDX-License-Identifier: GPL-2.0
// Reclaim calls invalidate_range_start(): lockdep learns this from every
// allocation that may reclaim, not only from those that do.

// expect 1
@include@
position p;
@@
  #include <linux/mm_inline.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@reclaim@
position p;
@@
  if (...)
	__fs_reclaim_acquire@p(...);
+ mmu_notifier_lockdep_reclaim();
