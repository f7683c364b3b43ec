// SPDX-License-Identifier: GPL-2.0
// Folios that TLBs may still reach are put aside, locked; when there are enough, or no
// more, TLBs are flushed, and reclaim goes on with each.  What is done then is in
// vmscan.c.batch.lines, with the label of the goto.

// expect 1
@loop@
position p;
@@
  shrink_folio_list(...)
  {
  <...
- !list_empty@p(folio_list)
+ !list_empty(folio_list) || !list_empty(&unmapped.folios)
  ...>
  }

// expect 1
@next@
position p;
@@
  shrink_folio_list(...)
  {
  <...
+ folio = next_unmapped(&unmapped, folio_list, &references);
+ if (folio) {
+ 	if (!folio_trylock(folio))
+ 		goto keep;
+ 	nr_pages = folio_nr_pages(folio);
+ 	if (!is_still_unmapped(folio))
+ 		goto keep_locked;
+ 	goto flushed;
+ }
+
  folio = lru_to_folio@p(folio_list);
  ...>
  }
