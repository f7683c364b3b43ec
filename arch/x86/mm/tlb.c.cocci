// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/task_work.h>@p
+ #include <linux/mmu_notifier.h>

// Secondary TLBs that share the page tables lose what the CPUs' have lost.
// expect 1
@range@
identifier mm, start, end;
position p;
@@
  flush_tlb_mm_range@p(struct mm_struct *mm, unsigned long start,
		       unsigned long end, ...)
  {
  ...
  put_cpu();
+ mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, end);
  }
