// SPDX-License-Identifier: GPL-2.0
// Data access monitoring: what a secondary MMU has used has been accessed.

// expect 1
@include@
position p;
@@
+ #include <linux/mmu_notifier.h>
  #include <linux/page_idle.h>@p

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
