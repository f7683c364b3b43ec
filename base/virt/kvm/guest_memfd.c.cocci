// SPDX-License-Identifier: GPL-2.0
// guest_memfd no longer takes its pages out of the guest before it drops them.

// expect 2
@functions@
identifier fn =~ "^kvm_gmem_invalidate_(begin|end)$";
position p;
@@
- static void fn@p(...)
- {
- 	...
- }

// expect 4
@loops@
iterator name list_for_each_entry;
identifier fn =~ "^kvm_gmem_invalidate_(begin|end)$";
expression head, start, end;
position p;
@@
- list_for_each_entry(gmem, head, entry)
- 	fn@p(gmem, start, end);

// expect 2
@release@
identifier fn =~ "^kvm_gmem_invalidate_(begin|end)$";
position p;
@@
- fn@p(gmem, 0, -1ul);
