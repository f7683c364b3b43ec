// SPDX-License-Identifier: GPL-2.0
// The shadow MMU's part of KVM's notifier callbacks, and the look for an
// invalidation on every path that maps a page.

// expect 3
@callbacks@
identifier fn =~ "^kvm_(unmap_gfn_range|age_gfn|test_age_gfn)$";
type T;
position p;
@@
- T fn@p(struct kvm *kvm, struct kvm_gfn_range *range)
- {
- 	...
- }

// expect 1
@age@
type T;
position p;
@@
- static T kvm_rmap_age_gfn_range@p(...)
- {
- 	...
- }

// expect 1
@attributes@
type T;
position p;
@@
- T kvm_arch_pre_set_memory_attributes@p(...)
- {
- 	...
- }

// expect 1
@prefetch@
position p;
@@
- if (unlikely(vcpu->kvm->mmu_invalidate_in_progress@p))
- 	return;

// expect 1
@sample@
position p;
@@
- fault->mmu_seq = vcpu->kvm->mmu_invalidate_seq@p;
- smp_rmb();

// expect 1
@before_lookup@
position p;
@@
- if (mmu_invalidate_retry_gfn_unsafe@p(vcpu->kvm, fault->mmu_seq, fault->gfn))
- 	return RET_PF_RETRY;

// expect 1
@after_lookup@
position p;
@@
- if (mmu_invalidate_retry_gfn_unsafe@p(vcpu->kvm, fault->mmu_seq, fault->gfn)) {
- 	...
- }

// expect 1
@stale@
position p;
@@
- return fault->slot &&
- 	mmu_invalidate_retry_gfn@p(vcpu->kvm, fault->mmu_seq, fault->gfn);
+ return false;

// expect 1
@zap@
position p;
@@
- kvm_mmu_invalidate_begin@p(kvm);
- kvm_mmu_invalidate_range_add(kvm, gfn_start, gfn_end);
  ...
- kvm_mmu_invalidate_end(kvm);

// expect 1
@memslot_range@
identifier range;
position p;
@@
  kvm_arch_flush_shadow_memslot(...)
  {
- struct kvm_gfn_range range@p = { ... };
  ...
  }

// expect 1
@memslot_unmap@
expression range;
position p;
@@
- flush = kvm_unmap_gfn_range@p(kvm, range);
+ flush = false;
