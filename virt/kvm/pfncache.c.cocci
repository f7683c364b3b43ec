// SPDX-License-Identifier: GPL-2.0
// A pfn is cached only if no host range that covers it was invalidated since it
// was looked up.

// expect 1
@headers@
position p;
@@
  #include "kvm_mm.h"@p
+ #include "mmu_notifier.h"

// expect 1
@begin@
position p;
@@
  hva_to_pfn_retry(...)
  {
  <...
+ gpc->stale = false;
  write_unlock_irq@p(&gpc->lock);
  ...>
  }
