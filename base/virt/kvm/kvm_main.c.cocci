// SPDX-License-Identifier: GPL-2.0
// KVM no longer attaches to the mm; unifdef took the callbacks.

// expect 1
@stub@
position p;
@@
- static int kvm_init_mmu_notifier@p(struct kvm *kvm)
- {
- 	return 0;
- }

// expect 1
@setup@
position p;
@@
  kvm_create_vm(...)
  {
  ...
- spin_lock_init@p(&kvm->mn_invalidate_lock);
- rcuwait_init(&kvm->mn_memslots_update_rcuwait);
  ...
  }

// expect 1
@attach@
position p;
@@
- r = kvm_init_mmu_notifier@p(kvm);
- if (r)
- 	goto out_err_no_mmu_notifier;

// expect 1
@swap@
expression slots;
position p;
@@
- spin_lock@p(&kvm->mn_invalidate_lock);
- prepare_to_rcuwait(&kvm->mn_memslots_update_rcuwait);
- while (kvm->mn_active_invalidate_count) {
- 	...
- }
- finish_rcuwait(&kvm->mn_memslots_update_rcuwait);
- rcu_assign_pointer(kvm->memslots[as_id], slots);
- spin_unlock(&kvm->mn_invalidate_lock);
+ rcu_assign_pointer(kvm->memslots[as_id], slots);

// expect 1
@gfn_walk@
attribute name __always_inline;
position p;
@@
- static __always_inline void kvm_handle_gfn_range@p(...)
- {
- 	...
- }

// expect 1
@pre_set@
type T;
position p;
@@
- static T kvm_pre_set_memory_attributes@p(...)
- {
- 	...
- }

// expect 2
@walk_args@
identifier range;
position p;
@@
- struct kvm_mmu_notifier_range range@p = { ... };

// expect 2
@walk_calls@
expression range;
position p;
@@
- kvm_handle_gfn_range@p(kvm, range);
