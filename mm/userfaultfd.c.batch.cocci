// SPDX-License-Identifier: GPL-2.0
// In a private mapping of a file reclaim leaves an empty entry.  What fills it doesn't
// take the lock of the folio that was mapped there.

// expect 3
@fill@
identifier mfill =~ "^mfill_atomic_(install_pte|pte_zeropage|pte_poison)$";
expression mm;
position p;
@@
  mfill(...)
  {
  ... when any
+ mmu_notifier_flush_deferred(mm);
  set_pte_at@p(mm, ...);
  ... when any
  }
