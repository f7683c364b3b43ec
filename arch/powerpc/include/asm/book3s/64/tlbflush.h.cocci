// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/mm_types.h>@p
+ #include <linux/mmu_notifier_tlb.h>
