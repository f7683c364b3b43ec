// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/hugetlb.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@move_pages_huge_pmd@
attribute name __uninitialized;
position p;
@@
move_pages_huge_pmd@p(...)
{
	...
	pgtable_t src_pgtable;
+	struct mmu_notifier_range range __uninitialized;
	... when any
}

// The huge page leaves the source address.
// expect 1
@move_pages_huge_pmd_start exists@
position p;
@@
move_pages_huge_pmd(...)
{
	... when any
	flush_cache_range@p(src_vma, ...);
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, src_addr,
+				src_addr + HPAGE_PMD_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
	... when any
}

// expect 1
@move_pages_huge_pmd_end exists@
position p;
@@
- if (src_folio@p) {
+ if (src_folio)
	folio_unlock(src_folio);
+ mmu_notifier_invalidate_range_end(&range);
+ if (src_folio)
	folio_put(src_folio);
- }

// A huge entry of a file mapping is not split but dropped, and its pages
// come back by faults.
// expect 1
@split_huge_pud@
attribute name __uninitialized;
position p;
@@
__split_huge_pud(...)
{
	spinlock_t *ptl;
+	struct mmu_notifier_range range __uninitialized;
+
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm,
+				address & HPAGE_PUD_MASK,
+				(address & HPAGE_PUD_MASK) + HPAGE_PUD_SIZE);
+	mmu_notifier_invalidate_range_start(&range);

	ptl = pud_lock(...);
	...
	spin_unlock@p(ptl);
+	mmu_notifier_invalidate_range_end(&range);
}

// expect 1
@split_huge_pmd@
attribute name __uninitialized;
position p;
@@
__split_huge_pmd(...)
{
	spinlock_t *ptl;
+	struct mmu_notifier_range range __uninitialized;
+
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm,
+				address & HPAGE_PMD_MASK,
+				(address & HPAGE_PMD_MASK) + HPAGE_PMD_SIZE);
+	mmu_notifier_invalidate_range_start(&range);

	ptl = pmd_lock(...);
	...
	spin_unlock@p(ptl);
+	mmu_notifier_invalidate_range_end(&range);
}
