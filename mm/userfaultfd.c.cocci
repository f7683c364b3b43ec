// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/userfaultfd_k.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@move_pages_pte@
attribute name __uninitialized;
position p;
@@
move_pages_pte@p(...)
{
	...
	struct anon_vma *src_anon_vma = NULL;
+	struct mmu_notifier_range range __uninitialized;
	... when any
}

// The page leaves the source address; nothing was mapped at the other one.
// Retries go on in the same range.
// expect 1
@move_pages_pte_start exists@
position p;
@@
move_pages_pte(...)
{
	... when any
	flush_cache_range@p(src_vma, ...);
+	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, src_addr,
+				src_addr + PAGE_SIZE);
+	mmu_notifier_invalidate_range_start(&range);
	... when any
}

// After the unmapping of the ptes, because end may sleep.
// expect 1
@move_pages_pte_end exists@
position p;
@@
move_pages_pte(...)
{
	... when any
+	mmu_notifier_invalidate_range_end(&range);
	if (si@p)
		put_swap_device(si);
	... when any
}
