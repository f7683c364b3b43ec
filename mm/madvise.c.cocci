// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/shmem_fs.h>@p
+ #include <linux/mmu_notifier.h>

// MADV_FREE makes the ptes clean and old, and a page that stays clean is
// dropped: a secondary MMU must fault before it writes again.
// expect 1
@madvise_free_single_vma@
attribute name __uninitialized;
position p;
identifier tlb;
@@
madvise_free_single_vma@p(...)
{
	...
+	struct mmu_notifier_range range __uninitialized;
	struct mmu_gather tlb;
	... when any
}

// expect 1
@madvise_free_start exists@
position p;
@@
madvise_free_single_vma(...)
{
	... when any
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
+	mmu_notifier_invalidate_range_start(&range);
	tlb_start_vma@p(...);
	... when any
}

// expect 1
@madvise_free_end exists@
position p;
@@
madvise_free_single_vma(...)
{
	... when any
	tlb_end_vma@p(...);
+	mmu_notifier_invalidate_range_end(&range);
	... when any
}
