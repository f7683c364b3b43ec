// SPDX-License-Identifier: GPL-2.0
// Data access monitoring: what a secondary MMU has used has been accessed.

// expect 1
@include@
position p;
@@
  #include <linux/mman.h>@p
+ #include <linux/mmu_notifier.h>

// expect 3
@young@
expression old, folio;
position p;
@@
  if (old || !folio_test_idle@p(folio))
	priv->young = true;
+ if (!priv->young)
+	priv->young = mmu_notifier_test_young(walk->mm, addr);

// A huge page that is old in the page table may be young in a secondary MMU.
// expect 1
@mkold@
typedef pte_t;
identifier mm, addr, psize, referenced;
position p;
@@
  damon_hugetlb_mkold(pte_t *pte, struct mm_struct *mm,
		      struct vm_area_struct *vma, unsigned long addr)
  {
  ...
  unsigned long psize = ...;
  ...
  if (pte_young@p(...)) {
	referenced = true;
	...
  }
+
+ if (mmu_notifier_clear_young(mm, addr, addr + psize))
+	referenced = true;
  ...
  }
