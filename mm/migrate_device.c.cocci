// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/mm_inline.h>@p
+ #include <linux/mmu_notifier.h>

// Collecting already puts migration entries where it can.
// expect 1
@migrate_vma_collect@
attribute name __uninitialized;
position p;
@@
migrate_vma_collect(...)
{
+	struct mmu_notifier_range range __uninitialized;
+
+	/*
+	 * The owner lets a driver recognize its own device private pages,
+	 * whose mappings stay when it migrates something else.
+	 */
+	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_MIGRATE, 0,
+				      migrate->vma->vm_mm, migrate->start,
+				      migrate->end, migrate->pgmap_owner);
+	mmu_notifier_invalidate_range_start(&range);
	walk_page_range@p(...);
+	mmu_notifier_invalidate_range_end(&range);
	...
}

// expect 1
@insert@
attribute name __uninitialized;
position p;
@@
__migrate_device_pages@p(...)
{
+	struct mmu_notifier_range range __uninitialized;
	unsigned long i;
+	bool notified = false;
	... when any
}

// Only pages that are inserted where there was a hole change a pte here; the
// others have migration entries, which were announced when they were unmapped.
// expect 1
@insert_start exists@
position p;
expression e;
@@
__migrate_device_pages(...)
{
	... when any
	addr = e;
+	if (!notified) {
+		mmu_notifier_range_init_owner(&range, MMU_NOTIFY_MIGRATE, 0,
+					      migrate->vma->vm_mm, addr,
+					      migrate->end,
+					      migrate->pgmap_owner);
+		mmu_notifier_invalidate_range_start(&range);
+		notified = true;
+	}
	migrate_vma_insert_page@p(...);
	... when any
}

// expect 1
@insert_end exists@
position p;
statement S;
@@
__migrate_device_pages(...)
{
	... when any
	for@p (...;...;...) S
+
+	if (notified)
+		mmu_notifier_invalidate_range_end(&range);
}
