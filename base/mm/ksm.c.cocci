// SPDX-License-Identifier: GPL-2.0

// expect 3
@goto_out@
position p;
@@
- goto out_mn@p;
+ goto out;

// expect 2
@label@
position p;
expression r;
@@
- out_mn:
-	mmu_notifier_invalidate_range_end@p(r);

// The comment between the two explains the absence of a notifier, and goes.
// expect 1
@replace_page@
position p;
expression e;
@@
replace_page(...)
{
<+...
-	flush_cache_page@p(vma, addr, e);
-	ptep_clear_flush(vma, addr, ptep);
+	flush_cache_page(vma, addr, e);
+	ptep_clear_flush(vma, addr, ptep);
...+>
}
