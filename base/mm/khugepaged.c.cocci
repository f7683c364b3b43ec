// SPDX-License-Identifier: GPL-2.0

// expect 2
@test_young@
position p;
expression e;
expression list es;
@@
  e
- || mmu_notifier_test_young@p(es)

// expect 1
@notified@
position p;
@@
- bool notified@p = false;

// expect 1
@notified_set@
position p;
@@
- notified@p = true;

// expect 1
@notified_test@
position p;
expression r;
@@
- if (notified@p)
-	mmu_notifier_invalidate_range_end(r);
