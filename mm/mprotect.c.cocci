// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/swapops.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@change_pud_range@
attribute name __uninitialized;
position p;
@@
change_pud_range@p(...)
{
	...
+	struct mmu_notifier_range range __uninitialized;
	unsigned long next;
+	bool notified = false;
	... when any
}

// A range without a page table below it is not announced.  A flag says whether
// start ran; the address can't, because 0 is a valid one.
// expect 1
@change_pud_range_start exists@
position p;
@@
change_pud_range(...)
{
	... when any
	if (pud_none@p(pud))
		continue;
+
+	if (!notified) {
+		mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_VMA, 0,
+					vma->vm_mm, addr, end);
+		mmu_notifier_invalidate_range_start(&range);
+		notified = true;
+	}
	... when any
}

// expect 1
@change_pud_range_end exists@
position p;
@@
change_pud_range(...)
{
	... when any
+	if (notified)
+		mmu_notifier_invalidate_range_end(&range);
	return pages@p;
}
