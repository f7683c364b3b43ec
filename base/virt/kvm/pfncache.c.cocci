// SPDX-License-Identifier: GPL-2.0
// The cache is no longer notified of invalidations, nor checks for one that raced.

// expect 1
@invalidate@
position p;
@@
- void gfn_to_pfn_cache_invalidate_start@p(...)
- {
- 	...
- }

// expect 1
@retry@
type T;
position p;
@@
- static inline T mmu_notifier_retry_cache@p(...)
- {
- 	...
- }

// expect 1
@loop@
position p;
@@
- mmu_notifier_retry_cache@p(gpc->kvm, mmu_seq)
+ false

// expect 1
@sample@
position p;
@@
- mmu_seq = gpc->kvm->mmu_invalidate_seq@p;
- smp_rmb();

// expect 1
@sequence@
position p;
@@
- unsigned long mmu_seq@p;
