// SPDX-License-Identifier: GPL-2.0

// expect 1
@split_pud@
position p;
identifier range;
@@
  __split_huge_pud_locked(vma, pud,
-			  range.start@p
+			  address & HPAGE_PUD_MASK
			  );

// expect 1
@split_pmd@
position p;
identifier range;
@@
  split_huge_pmd_locked(vma,
-			range.start@p
+			address & HPAGE_PMD_MASK
			, ...);

// The comment inside asks whether to notify, and goes.
// expect 1
@split_zero@
position p;
@@
- if (is_huge_zero_pmd(*pmd)) {
-	return __split_huge_zero_page_pmd@p(vma, haddr, pmd);
- }
+ if (is_huge_zero_pmd(*pmd))
+	return __split_huge_zero_page_pmd(vma, haddr, pmd);

// One "if (src_folio)" is enough when nothing stands between the two.
// expect 1
@move_pages_huge_pmd@
position p;
expression r;
@@
- if (src_folio@p)
+ if (src_folio) {
	folio_unlock(src_folio);
- mmu_notifier_invalidate_range_end(r);
- if (src_folio)
	folio_put(src_folio);
+ }
