// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/rmap.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@exit_mmap exists@
position p;
@@
exit_mmap(...)
{
	...
+	/* No fault can come any more; secondary MMUs go first. */
+	mmu_notifier_release(mm);
+
	mmap_read_lock@p(mm);
	arch_exit_mmap(mm);
	... when any
}
