// SPDX-License-Identifier: GPL-2.0
// Not in calls.files: Coccinelle takes the comment above the file's first
// #include with it.

// expect 1
@pte@
position p;
@@
- ptep_clear_young_notify@p
+ ptep_test_and_clear_young
  (...)

// expect 1
@pmd@
position p;
@@
- pmdp_clear_young_notify@p
+ pmdp_test_and_clear_young
  (...)
