// SPDX-License-Identifier: GPL-2.0

// expect 1
@member@
position p;
@@
  struct wp_walk {
- struct mmu_notifier_range range@p;
+ unsigned long start;
+ unsigned long end;
  ...
  };

// expect 1
@pre@
identifier wpwalk, start, end;
position p;
@@
- mmu_notifier_range_init@p(&wpwalk->range, ..., start, end);
+ wpwalk->start = start;
+ wpwalk->end = end;

// expect 1
@post@
identifier wpwalk;
position p;
@@
  flush_tlb_range@p(...,
- wpwalk->range.start, wpwalk->range.end
+ wpwalk->start, wpwalk->end
  );
