// SPDX-License-Identifier: GPL-2.0
// A folio that couldn't be unmapped everywhere is unlocked without being moved.

// expect 1
@undo@
identifier src, mapped;
position p;
@@
  migrate_folio_undo_src(struct folio *src, int mapped, ...)
  {
- if (mapped)
- 	remove_migration_ptes@p(src, src, 0);
+ if (mapped) {
+ 	try_to_unmap_flush();
+ 	remove_migration_ptes(src, src, 0);
+ }
  ...
  }
