// SPDX-License-Identifier: GPL-2.0

// expect 1
@exit_mmap@
position p;
@@
exit_mmap(...)
{
	...
-	mmu_notifier_release@p(mm);
	...
}
