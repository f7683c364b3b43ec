// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/syscalls.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@move_page_tables@
attribute name __uninitialized;
position p;
@@
move_page_tables@p(...)
{
	...
+	struct mmu_notifier_range range __uninitialized;
	bool uffd_supports_move;
	... when any
}

// Only the old addresses lose something.  They are those that the move was
// realigned to.
// expect 1
@move_page_tables_start exists@
position p;
@@
move_page_tables(...)
{
	... when any
	flush_cache_range@p(vma, old_addr, old_end);
+	mmu_notifier_range_init(&range, MMU_NOTIFY_UNMAP, 0, vma->vm_mm,
+				old_addr, old_end);
+	mmu_notifier_invalidate_range_start(&range);
	... when any
}

// expect 1
@move_page_tables_end exists@
position p;
statement S;
@@
move_page_tables(...)
{
	... when any
	for@p (...;old_addr < old_end;...) S
+
+	mmu_notifier_invalidate_range_end(&range);
	... when any
}
