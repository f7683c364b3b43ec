// SPDX-License-Identifier: GPL-2.0
// Secondary TLBs that share the page tables lose what the CPUs' lose.

// expect 1
@include@
position p;
@@
  #include <linux/sched.h>@p
+ #include <linux/mmu_notifier_tlb.h>

// expect 1
@whole_mm@
identifier mm;
position p;
@@
  flush_tlb_mm@p(struct mm_struct *mm)
  {
  ...
+ mmu_notifier_arch_invalidate_secondary_tlbs(mm, 0, -1UL);
  }

// expect 1
@page@
identifier mm, uaddr;
position p;
@@
  __flush_tlb_page_nosync@p(struct mm_struct *mm, unsigned long uaddr)
  {
  ...
+ mmu_notifier_arch_invalidate_secondary_tlbs(mm, uaddr & PAGE_MASK,
+					      (uaddr & PAGE_MASK) + PAGE_SIZE);
  }

// Where it flushes the whole mm instead and returns, flush_tlb_mm() notifies.
// expect 1
@range@
identifier vma, start, end;
position p;
@@
  __flush_tlb_range_nosync@p(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end, ...)
  {
  ... when any
  if (...)
	__flush_tlb_range_op(...);
  else
	__flush_tlb_range_op(...);
+
+ mmu_notifier_arch_invalidate_secondary_tlbs(vma->vm_mm, start, end);
  }
