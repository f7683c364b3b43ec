// SPDX-License-Identifier: GPL-2.0
// Architectures that hook their TLB flushes get the header from here.

// expect 1
@include@
position p;
@@
+ #include <linux/mmu_notifier.h>
  #include <linux/swap.h>@p
