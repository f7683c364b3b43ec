// SPDX-License-Identifier: GPL-2.0
// A pfn is cached only if no host range was invalidated since it was looked up.

// expect 1
@headers@
position p;
@@
  #include "kvm_mm.h"@p
+ #include "mmu_notifier.h"

// expect 1
@sequence@
position p;
@@
  hva_to_pfn_retry@p(...)
  {
  ...
  void *new_khva = NULL;
+ unsigned long ended;
  ...
  }

// expect 1
@sample@
position p;
@@
  hva_to_pfn_retry(...)
  {
  <...
- write_unlock_irq@p(&gpc->lock);
+ ended = kvm_pfncache_sample(gpc->kvm);
+
+ write_unlock_irq(&gpc->lock);
  ...>
  }
