// SPDX-License-Identifier: GPL-2.0

// expect 1
@init@
position p;
@@
- mmu_notifier_subscriptions_init@p(...);

// expect 1
@destroy@
position p;
@@
- mmu_notifier_subscriptions_destroy@p(...);
