// SPDX-License-Identifier: GPL-2.0
// The pages of a guest_memfd file leave the guest before they leave the file.

// expect 1
@headers@
position p;
@@
  #include "kvm_mm.h"@p
+ #include "mmu_notifier.h"

// The file is closed: the guest loses its pages, which the inode still has.
// expect 1
@release@
position p;
@@
  kvm_gmem_release(...)
  {
  ...
+ /* Nothing can map the file any more. Its pages stay with the inode. */
+ kvm_mmu_gmem_begin(kvm, &gmem->bindings, 0, -1ul);
+ kvm_mmu_gmem_end(kvm, &gmem->bindings, 0, -1ul);
+
  list_del@p(&gmem->entry);
  ...
  }
