// SPDX-License-Identifier: GPL-2.0
// One that somebody else uses is unlocked at once; the others stay locked until TLBs have
// been flushed.

// expect 1
@collapse_file@
position p;
@@
  if (folio_ref_count@p(folio) != 2 + folio_nr_pages(folio)) {
  	result = SCAN_PAGE_COUNT;
  	xas_unlock_irq(&xas);
+ 	try_to_unmap_flush();
  	folio_putback_lru(folio);
  	...
  }
