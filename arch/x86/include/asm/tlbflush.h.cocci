// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/mm_types.h>@p
+ #include <linux/mmu_notifier_tlb.h>

// The batch knows no addresses: secondary TLBs that share the page tables lose
// all of the mm.
// expect 1
@batch@
identifier mm;
position p;
@@
  arch_tlbbatch_add_pending@p(..., struct mm_struct *mm, unsigned long uaddr)
  {
  ...
+ mmu_notifier_arch_invalidate_secondary_tlbs(mm, 0, -1UL);
  }
