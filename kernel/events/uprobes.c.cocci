// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/export.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@replace_page@
attribute name __uninitialized;
position p;
@@
__replace_page@p(...)
{
	...
	int err;
+	struct mmu_notifier_range range __uninitialized;
	... when any
}

// The page with the breakpoint takes the place of the original, or gives it
// back; both between start and end.
// expect 1
@replace_page_start exists@
position p;
@@
__replace_page(...)
{
	... when any
	folio_lock@p(old_folio);
+
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, addr,
+				addr + PAGE_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
	... when any
}

// expect 1
@replace_page_end exists@
position p;
@@
__replace_page(...)
{
	... when any
+	mmu_notifier_invalidate_range_end(&range);
	folio_unlock@p(old_folio);
	... when any
}
