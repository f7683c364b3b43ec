// SPDX-License-Identifier: GPL-2.0
// mm_take_all_locks() and all that it alone uses.

// expect 1
@mutex@
declarer name DEFINE_MUTEX;
position p;
@@
- static DEFINE_MUTEX(mm_all_locks_mutex@p);

// expect 6
@functions@
identifier f =~ "^(mm_(take|drop)_all_locks|vm_(un)?lock_(anon_vma|mapping))$";
position p;
@@
- f@p(...) { ... }
