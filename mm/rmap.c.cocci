// SPDX-License-Identifier: GPL-2.0
// The reverse map: what reclaim, migration and writeback take from all mappings
// of one folio.  The notified range is always as large as the folio can be
// mapped, as a walk may find it mapped by a pmd.

// expect 1
@include@
position p;
@@
  #include <linux/memcontrol.h>@p
+ #include <linux/mmu_notifier.h>

// A page that a secondary MMU has used is referenced.
// expect 1
@referenced_pte@
expression list es;
position p;
@@
- ptep_clear_flush_young@p(es)
+ ptep_clear_flush_young_notify(es)

// expect 1
@referenced_pmd@
expression list es;
position p;
@@
- pmdp_clear_flush_young@p(es)
+ pmdp_clear_flush_young_notify(es)

// Secondary MMUs lose write access when the ptes do, so that the next write
// makes the page dirty again.
// expect 1
@mkclean@
identifier pvmw, vma, address;
statement S;
attribute name __uninitialized;
position p;
@@
  page_vma_mkclean_one(struct page_vma_mapped_walk *pvmw)
  {
  ...
  struct vm_area_struct *vma = pvmw->vma;
+ struct mmu_notifier_range range __uninitialized;
  unsigned long address = pvmw->address;
+
+ mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0,
+			vma->vm_mm, address, vma_address_end(pvmw));
+ mmu_notifier_invalidate_range_start(&range);
  while (page_vma_mapped_walk@p(pvmw)) S
+
+ mmu_notifier_invalidate_range_end(&range);
  ...
  }

// The pages go to swap, to another place or back to the file: from start to end
// nothing may reach them through a secondary pte.  start and end are those that
// hugetlb may have widened for a shared pmd.
// expect 2
@unmap_locals@
identifier try_to =~ "^try_to_(unmap|migrate)_one$", flags, arg;
attribute name __uninitialized;
position p;
@@
  try_to@p(...)
  {
  ...
+ struct mmu_notifier_range range __uninitialized;
  enum ttu_flags flags = (enum ttu_flags)(long)arg;
  ...
  }

// expect 2
@unmap@
identifier try_to =~ "^try_to_(unmap|migrate)_one$";
identifier mm, vma, folio, address, start, end;
statement S1, S2;
position p;
@@
  try_to(...)
  {
  ...
  struct mm_struct *mm = vma->vm_mm;
  ...
  start = address;
  end = vma_address_end(...);
  if (folio_test_hugetlb(folio)) S1
+
+ mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
+ mmu_notifier_invalidate_range_start(&range);
  while (page_vma_mapped_walk@p(...)) S2
+
+ mmu_notifier_invalidate_range_end(&range);
  ...
  }

// The CPU loses the page to a device.  The owner lets that device's driver
// recognise, and ignore, the event it has caused itself.
// expect 1
@exclusive@
identifier vma, folio, address, args, priv;
statement S;
attribute name __uninitialized;
position p;
@@
  page_make_device_exclusive_one(struct folio *folio,
  				 struct vm_area_struct *vma,
  				 unsigned long address, void *priv)
  {
  ...
+ struct mmu_notifier_range range __uninitialized;
  struct make_exclusive_args *args = priv;
  ...
+ mmu_notifier_range_init_owner(&range, MMU_NOTIFY_EXCLUSIVE, 0,
+				vma->vm_mm, address,
+				min(vma->vm_end,
+				    address + folio_size(folio)),
+				args->owner);
+ mmu_notifier_invalidate_range_start(&range);
+
  while (page_vma_mapped_walk@p(...)) S
+
+ mmu_notifier_invalidate_range_end(&range);
  ...
  }
