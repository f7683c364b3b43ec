// SPDX-License-Identifier: GPL-2.0
// A page that a secondary MMU has used is not idle.

// expect 1
@include@
position p;
@@
  #include <linux/rmap.h>@p
+ #include <linux/mmu_notifier.h>

// expect 1
@pte@
position p;
@@
- ptep_test_and_clear_young@p
+ ptep_clear_young_notify
  (...)

// expect 1
@pmd@
position p;
@@
- pmdp_test_and_clear_young@p
+ pmdp_clear_young_notify
  (...)
