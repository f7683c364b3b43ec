// SPDX-License-Identifier: GPL-2.0

// Secondary TLBs that share the page tables lose what the CPUs' lose.
// expect 1
@range@
identifier vma, start, end;
position p;
@@
  radix__flush_hugetlb_tlb_range@p(struct vm_area_struct *vma,
				   unsigned long start, unsigned long end)
  {
  ...
+ mmu_notifier_arch_invalidate_secondary_tlbs(vma->vm_mm, start, end);
  }
