// SPDX-License-Identifier: GPL-2.0
// What every notifying function has in common, taken out of the files that
// base/calls.files lists.  What is peculiar to a file is in a semantic patch of
// its own, at its kernel path below base/, which goes first.

@@
@@
- #include <linux/mmu_notifier.h>

@@
expression list es;
@@
- mmu_notifier_range_init(es);

@@
expression list es;
@@
- mmu_notifier_range_init_owner(es);

@@
expression e;
@@
- mmu_notifier_invalidate_range_start(e);

@@
expression e;
@@
- mmu_notifier_invalidate_range_end(e);

@@
expression list es;
@@
- mmu_notifier_arch_invalidate_secondary_tlbs(es);

@@
expression e;
@@
- if (e) { }

@@
identifier r;
@@
- struct mmu_notifier_range r;

@@
expression list es;
@@
- ptep_clear_young_notify(es)
+ ptep_test_and_clear_young(es)

@@
expression list es;
@@
- pmdp_clear_young_notify(es)
+ pmdp_test_and_clear_young(es)

@@
expression list es;
@@
- ptep_clear_flush_young_notify(es)
+ ptep_clear_flush_young(es)

@@
expression list es;
@@
- pmdp_clear_flush_young_notify(es)
+ pmdp_clear_flush_young(es)

@@
expression e;
expression list es;
@@
(
  e
- || mmu_notifier_test_young(es)
|
  e
- | mmu_notifier_test_young(es)
)
