// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/init.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@reap@
position p;
@@
__oom_reap_task_mm@p(...)
{
	...
	struct vm_area_struct *vma;
+	bool ret = true;
	... when any
}

// The reaper must not wait for a subscriber, which may wait for memory.  A
// mapping that can't be invalidated now is left to the next attempt.
// expect 1
@reap_range exists@
attribute name __uninitialized;
position p;
identifier tlb;
@@
__oom_reap_task_mm(...)
{
	... when any
+	struct mmu_notifier_range range __uninitialized;
	struct mmu_gather tlb;

	tlb_gather_mmu@p(&tlb, ...);
+	mmu_notifier_range_init(&range, MMU_NOTIFY_UNMAP, 0, mm,
+				vma->vm_start, vma->vm_end);
+	if (mmu_notifier_invalidate_range_start_nonblock(&range)) {
+		tlb_finish_mmu(&tlb);
+		ret = false;
+		continue;
+	}
	unmap_page_range(&tlb, ...);
+	mmu_notifier_invalidate_range_end(&range);
	... when any
}

// expect 1
@reap_result exists@
position p;
@@
__oom_reap_task_mm(...)
{
	... when any
-	return true@p;
+	return ret;
}
