// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/sched/coredump.h>@p
+ #include <linux/mmu_notifier.h>

// A page that only a secondary MMU uses is in use.  They are asked for all pages at
// once that look old otherwise, see khugepaged.c.lines.
// expect 1
@isolate_begin@
position p;
@@
__collapse_huge_page_isolate@p(...)
{
	...
	bool writable = false;
+	unsigned int part;
+
+	ask_young_init(cc, vma->vm_mm, address);
	...
}

// expect 1
@isolate_ask exists@
position p;
identifier folio;
@@
__collapse_huge_page_isolate(...)
{
	... when any
	folio_test_referenced@p(
-	folio)
+	folio) || ask_young_later(cc, address)
	... when any
}

// expect 1
@scan_begin exists@
position p;
@@
hpage_collapse_scan_pmd(...)
{
	...
	bool writable = false;
+	unsigned int part;
	... when any
	pte = pte_offset_map_lock@p(mm, pmd, address, &ptl);
	if (!pte) { ... }
+
+	ask_young_init(cc, mm, address);
	... when any
}

// expect 1
@scan_ask exists@
position p;
identifier folio;
@@
hpage_collapse_scan_pmd(...)
{
	... when any
	folio_test_referenced@p(
-	folio)
+	folio) || ask_young_later(cc, _address)
	... when any
}

// expect 1
@collapse_huge_page@
attribute name __uninitialized;
position p;
@@
collapse_huge_page@p(...)
{
	...
	struct vm_area_struct *vma;
+	struct mmu_notifier_range range __uninitialized;
	... when any
}

// The pmd goes here, and with it all that was mapped below it.  Whatever comes
// of the collapse, nothing is mapped again under the old translation, so the
// range ends as soon as the pmd is gone.
// expect 1
@collapse_huge_page_start exists@
position p;
@@
collapse_huge_page(...)
{
	... when any
	anon_vma_lock_write@p(...);
+
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, address,
+				address + HPAGE_PMD_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
	... when any
}

// expect 1
@collapse_huge_page_end exists@
position p;
@@
collapse_huge_page(...)
{
	... when any
+	mmu_notifier_invalidate_range_end(&range);
	tlb_remove_table_sync_one@p();
	... when any
}

// expect 1
@collapse_pte_mapped_thp@
attribute name __uninitialized;
position p;
@@
collapse_pte_mapped_thp@p(...)
{
+	struct mmu_notifier_range range __uninitialized;
+	bool notified = false;
	unsigned long haddr = ...;
	... when any
}

// start may sleep, which is why it can only come after the first scan has
// dropped its lock.
// expect 1
@collapse_pte_mapped_thp_start exists@
position p;
statement S;
expression e;
@@
collapse_pte_mapped_thp(...)
{
	... when any
	pte_unmap_unlock@p(start_pte, ptl);
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, haddr,
+				haddr + HPAGE_PMD_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
+	notified = true;
	if (userfaultfd_armed(vma) && e) S
	... when any
}

// expect 1
@collapse_pte_mapped_thp_end exists@
position p;
@@
collapse_pte_mapped_thp(...)
{
	... when any
	spin_unlock(pml);
+
+	mmu_notifier_invalidate_range_end(&range);
	mm_dec_nr_ptes@p(mm);
	... when any
}

// expect 1
@collapse_pte_mapped_thp_abort exists@
position p;
@@
collapse_pte_mapped_thp(...)
{
	... when any
	if (pml@p && pml != ptl)
		spin_unlock(pml);
+	if (notified)
+		mmu_notifier_invalidate_range_end(&range);
	... when any
}

// expect 1
@retract_page_tables exists@
attribute name __uninitialized;
position p;
@@
retract_page_tables(...)
{
	... when any
+	struct mmu_notifier_range range __uninitialized;
	struct mm_struct *mm@p;
	... when any
}

// The page table that goes must be empty, but a secondary MMU that walks the
// page tables itself may have cached the pointer to it.
// expect 1
@retract_page_tables_start exists@
position p;
@@
retract_page_tables(...)
{
	... when any
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, addr,
+				addr + HPAGE_PMD_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
+
	pml = pmd_lock@p(...);
	... when any
}

// expect 1
@retract_page_tables_end exists@
position p;
@@
retract_page_tables(...)
{
	... when any
	spin_unlock(pml);
+
+	mmu_notifier_invalidate_range_end(&range);
	if (!skipped_uffd@p) { ... }
	... when any
}
