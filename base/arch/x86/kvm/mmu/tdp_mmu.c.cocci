// SPDX-License-Identifier: GPL-2.0
// The TDP MMU's part of KVM's notifier callbacks.

// expect 1
@unmap@
type T;
position p;
@@
- T kvm_tdp_mmu_unmap_gfn_range@p(...)
- {
- 	...
- }

// expect 1
@handler@
typedef bool;
position p;
@@
- typedef bool (*tdp_handler_t)(struct kvm *kvm@p, struct tdp_iter *iter,
- 			      struct kvm_gfn_range *range);

// expect 1
@walk@
attribute name __always_inline;
type T;
position p;
@@
- static __always_inline T kvm_tdp_mmu_handle_gfn@p(...)
- {
- 	...
- }

// expect 2
@age@
identifier fn =~ "^(test_age_gfn|age_gfn_range)$";
type T;
position p;
@@
- static T fn@p(...)
- {
- 	...
- }

// expect 2
@callbacks@
identifier fn =~ "^kvm_tdp_mmu_(test_age_gfn|age_gfn_range)$";
type T;
position p;
@@
- T fn@p(...)
- {
- 	...
- }
