// SPDX-License-Identifier: GPL-2.0
// A label has to exist before a goto to it can be matched, so in both functions
// the end goes in before the start.

// expect 1
@include@
position p;
@@
  #include <linux/memory.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@write_protect_page@
attribute name __uninitialized;
position p;
@@
write_protect_page@p(...)
{
	...
+	struct mmu_notifier_range range __uninitialized;
	bool anon_exclusive;
	... when any
}

// expect 1
@write_protect_page_end exists@
position p;
@@
write_protect_page(...)
{
	... when any
	page_vma_mapped_walk_done@p(...);
+out_end:
+	mmu_notifier_invalidate_range_end(&range);
	... when any
}

// The pte becomes read-only, and nothing may write to the page any more when its
// references are counted and its contents compared.
// expect 1
@write_protect_page_start exists@
position p;
identifier pvmw;
@@
write_protect_page(...)
{
	... when any
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, pvmw.address,
+				pvmw.address + PAGE_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
+
	if (!page_vma_mapped_walk@p(&pvmw))
-		goto out;
+		goto out_end;
	... when any
}

// expect 1
@replace_page@
attribute name __uninitialized;
position p;
@@
replace_page@p(...)
{
	...
	int err = -EFAULT;
+	struct mmu_notifier_range range __uninitialized;
	... when any
}

// expect 1
@replace_page_end exists@
position p;
@@
replace_page(...)
{
	... when any
	pte_unmap_unlock@p(...);
	err = 0;
+out_end:
+	mmu_notifier_invalidate_range_end(&range);
	... when any
}

// The old page is unmapped between start and end, and perhaps freed.
// expect 1
@replace_page_start exists@
position p;
@@
replace_page(...)
{
	... when any
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, addr,
+				addr + PAGE_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
+
	ptep = pte_offset_map_lock@p(...);
	if (!ptep)
-		goto out;
+		goto out_end;
	... when any
}

// expect 1
@replace_page_changed exists@
position p;
@@
replace_page(...)
{
	... when any
	pte_unmap_unlock(...);
-	goto out@p;
+	goto out_end;
	... when any
}
