// SPDX-License-Identifier: GPL-2.0
// The multi-generational LRU walks page tables, which don't have the
// young bits of secondary MMUs.

// expect 1
@include@
position p;
@@
  #include <linux/random.h>@p
+ #include <linux/mmu_notifier.h>

// A page that is old in the page table may be young in a secondary MMU.
// expect 1
@old_pte@
identifier vma;
position p;
@@
  get_pte_pfn(..., struct vm_area_struct *vma, ...)
  {
  ... when any
  if (!pte_young@p(...)
+     && !mm_has_notifiers(vma->vm_mm)
     ) return -1;
  ... when any
  }

// expect 1
@old_pmd@
identifier vma;
position p;
@@
  get_pmd_pfn(..., struct vm_area_struct *vma, ...)
  {
  ... when any
  if (!pmd_young@p(...)
+     && !mm_has_notifiers(vma->vm_mm)
     ) return -1;
  ... when any
  }

// Where a leaf's young bit is cleared, the secondary MMUs' is cleared too.
// expect 1
@leaf_pte@
expression vma, addr, pte;
position p;
@@
  if (!
- ptep_test_and_clear_young@p
+ ptep_clear_young_notify
  (vma, addr, pte)) return false;

// expect 1
@leaf_pmd@
position p;
@@
  !
- pmdp_test_and_clear_young@p
+ pmdp_clear_young_notify
  (...)

// For the pages of a page table they are asked at once, before it is gone through.
// What happens then is in vmscan.c.lines.
// expect 1
@walk_pte_range@
attribute name __uninitialized;
position p;
@@
walk_pte_range@p(...)
{
	...
	unsigned long addr;
+	unsigned long next;
+	struct mmu_notifier_young_pages pages __uninitialized;
	... when any
}

// expect 1
@walk_pte_range_ask exists@
position p;
@@
walk_pte_range(...)
{
	... when any
	arch_enter_lazy_mmu_mode@p();
restart:
+	next = mmu_notifier_young_pages_end(start, end);
+	if (mmu_notifier_young_pages_init(&pages, args->mm, start, next)) {
+		ask_young_folios(&pages, pte + pte_index(start), start, next,
+				 args->vma, memcg, pgdat, walk->can_swap);
+		mmu_notifier_clear_young_pages(&pages);
+	}
+
	for (...;...;...) { ... }
+
+	if (next != end) {
+		start = next;
+		goto restart;
+	}
	... when any
}

// expect 1
@lru_gen_look_around@
attribute name __uninitialized;
position p;
@@
lru_gen_look_around@p(...)
{
	...
	unsigned long end;
+	struct mmu_notifier_young_pages pages __uninitialized;
	... when any
}

// It looks at MIN_LRU_BATCH pages at most.
// expect 1
@lru_gen_look_around_ask exists@
position p;
@@
lru_gen_look_around(...)
{
	... when any
	pte -= (addr - start) / PAGE_SIZE@p;
+
+	if (mmu_notifier_young_pages_init(&pages, vma->vm_mm, start, end)) {
+		ask_young_folios(&pages, pte, start, end, vma, memcg, pgdat, can_swap);
+		mmu_notifier_clear_young_pages(&pages);
+	}
	... when any
}

// Whether a page is one that would be aged has been found out to ask for it.
// expect 2
@walk_folio@
identifier f;
expression vma, addr, can_swap;
position p;
@@
f(...)
{
	<...
-	pfn = get_pte_pfn@p(ptent, vma, addr, pgdat);
-	if (pfn == -1)
-		continue;
-
-	folio = get_pfn_folio(pfn, memcg, pgdat, can_swap);
+	folio = get_asked_folio(&pages, ptent, vma, addr, memcg, pgdat, can_swap);
	...>
}

// expect 2
@walk_pfn@
identifier f =~ "^(walk_pte_range|lru_gen_look_around)$";
position p;
@@
f(...)
{
	<...
-	unsigned long pfn@p;
	...>
}
