// SPDX-License-Identifier: GPL-2.0

// expect 1
@include@
position p;
@@
  #include <linux/mman.h>@p
+ #include <linux/mmu_notifier.h>

// A child inherits no subscriptions: the copy of the parent's pointer goes.
// expect 1
@init@
expression mm;
position p;
@@
+ mmu_notifier_subscriptions_init(mm);
  init_tlb_flush_pending@p(mm);

// Nobody is subscribed any more: a subscription holds a reference on the mm.
// expect 1
@destroy@
identifier mm;
position p;
@@
  __mmdrop(struct mm_struct *mm)
  {
  ...
  destroy_context@p(mm);
+ mmu_notifier_subscriptions_destroy(mm);
  ...
  }
