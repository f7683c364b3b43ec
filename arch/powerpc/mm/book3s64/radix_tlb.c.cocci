// SPDX-License-Identifier: GPL-2.0
// Secondary TLBs that share the page tables lose what the CPUs' lose,
// by whatever means.

// expect 2
@whole_mm@
identifier flush =~ "^(radix__flush_tlb_mm|__flush_all_mm)$", mm;
position p;
@@
  flush@p(struct mm_struct *mm, ...)
  {
  ... when any
  preempt_enable();
+ mmu_notifier_arch_invalidate_secondary_tlbs(mm, 0, -1UL);
  }

// expect 2
@range@
identifier flush =~ "^__radix__flush_tlb_range(_psize)?$", mm, start, end;
position p;
@@
  flush@p(struct mm_struct *mm, unsigned long start, unsigned long end, ...)
  {
  ... when any
  preempt_enable();
+ mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, end);
  }
