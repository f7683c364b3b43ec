// SPDX-License-Identifier: GPL-2.0
// Not in calls.files: Coccinelle takes the blank line above the file's first
// #include with it.

// expect 2
@young@
expression e;
position p;
@@
  e
- || mmu_notifier_test_young@p(...)
