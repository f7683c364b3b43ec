// SPDX-License-Identifier: GPL-2.0
// Two functions use the range they notify for themselves: as the addresses
// that adjust_range_if_pmd_sharing_possible() widens and whose caches they
// flush.

// expect 2
@locals@
identifier range;
position p;
@@
- struct mmu_notifier_range range;
+ unsigned long start;
+ unsigned long end;
  ... when any
- range.end = vma_address_end@p(&pvmw);
+ start = address;
+ end = vma_address_end(&pvmw);

// expect 2
@adjust@
expression vma;
identifier range;
position p;
@@
- adjust_range_if_pmd_sharing_possible@p(vma, &range.start, &range.end);
+ adjust_range_if_pmd_sharing_possible(vma, &start, &end);

// expect 2
@flush@
identifier range;
position p;
@@
  flush_cache_range@p(...,
- range.start, range.end
+ start, end
  );
