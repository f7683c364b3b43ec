// SPDX-License-Identifier: GPL-2.0

// expect 1
@range@
position p;
identifier range;
@@
madvise_free_single_vma(...)
{
	...
-	struct mmu_notifier_range range@p;
+	unsigned long start;
+	unsigned long end;
	...
}

// expect 4
@start@
position p;
@@
- range.start@p
+ start

// expect 4
@end@
position p;
@@
- range.end@p
+ end
