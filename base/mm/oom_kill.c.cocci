// SPDX-License-Identifier: GPL-2.0
// Only a subscriber can make the reaping of a mapping fail.

// expect 1
@reap_start@
position p;
expression range;
statement S;
@@
- if (mmu_notifier_invalidate_range_start_nonblock@p(range)) S

// expect 1
@reap_range@
position p;
identifier range;
expression tlb, vma;
@@
  unmap_page_range(tlb, vma,
-		   range.start@p, range.end
+		   vma->vm_start, vma->vm_end
		   , NULL)

// expect 1
@reap_variable@
position p;
identifier ret;
@@
__oom_reap_task_mm@p(...)
{
	...
-	bool ret = true;
	... when any
}

// expect 1
@reap_result@
position p;
@@
__oom_reap_task_mm(...)
{
	<+...
-	return ret@p;
+	return true;
	...+>
}
