// SPDX-License-Identifier: GPL-2.0

// expect 1
@copy_page_range@
position p;
expression r;
@@
- if (is_cow@p) {
+ if (is_cow)
	raw_write_seqcount_end(...);
-	mmu_notifier_invalidate_range_end(r);
- }

// hugetlb_zap_begin() widens the range that it is given, so the range has
// variables of its own.
// expect 1
@zap_page_range_single@
position p;
identifier range;
expression vma;
@@
zap_page_range_single(...)
{
	...
-	struct mmu_notifier_range range;
+	unsigned long range_start = address, range_end = end;
	...
	hugetlb_zap_begin@p(vma,
-			    &range.start, &range.end
+			    &range_start, &range_end
			    );
	...
}
