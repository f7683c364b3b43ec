// SPDX-License-Identifier: GPL-2.0
// Data access monitoring: what a secondary MMU has used has been accessed.

// expect 1
@include@
position p;
@@
+ #include <linux/mmu_notifier.h>
  #include <linux/page_idle.h>@p

// expect 2
@young@
expression accessed, old, folio;
position p;
@@
  accessed = (old || !folio_test_idle@p(folio));
+ if (!accessed)
+	accessed = mmu_notifier_test_young(vma->vm_mm, addr);
