// SPDX-License-Identifier: GPL-2.0
// Secondary TLBs that share the page tables lose what the CPUs' lose.

// expect 1
@include@
position p;
@@
  #include <linux/hugetlb.h>@p
+ #include <linux/mmu_notifier.h>

// Kernel ranges and batches have no mm; a batch notifies as it is gathered.
// expect 1
@range@
identifier mm, cmask, start, size;
position p;
@@
  __flush_tlb_range@p(struct mm_struct *mm, const struct cpumask *cmask,
		      unsigned long start, unsigned long size, ...)
  {
  ...
  put_cpu();
+
+ if (mm)
+	mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, start + size);
  }

// expect 1
@batch@
identifier mm, start;
position p;
@@
  arch_tlbbatch_add_pending@p(..., struct mm_struct *mm, ...)
  {
  unsigned long start = ...;
  ...
+ mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, start + PAGE_SIZE);
  }
