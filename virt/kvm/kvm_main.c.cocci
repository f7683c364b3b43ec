// SPDX-License-Identifier: GPL-2.0
// KVM attaches to the VMM's mm for as long as the VM lives.

// expect 1
@headers@
position p;
@@
  #include "kvm_mm.h"@p
+ #include "mmu_notifier.h"

// expect 1
@setup@
position p;
@@
  kvm_create_vm(...)
  {
  ...
+ kvm_mmu_notifier_init(kvm);
  xa_init@p(&kvm->vcpu_array);
  ...
  }

// With an MMU notifier, unregistering it does that.
// expect 1
@detach@
position p;
@@
- kvm_flush_shadow_all@p(kvm);
+ if (IS_ENABLED(CONFIG_KVM_GENERIC_MMU_NOTIFIER))
+ 	kvm_mmu_notifier_destroy(kvm);
+ else
+ 	kvm_flush_shadow_all(kvm);
  kvm_arch_destroy_vm(kvm);

// expect 1
@publish@
expression slots;
position p;
@@
- rcu_assign_pointer@p(kvm->memslots[as_id], slots);
+ kvm_mmu_notifier_publish_memslots(kvm, as_id, slots);

// expect 1
@attributes@
position p;
@@
  kvm_vm_set_mem_attributes@p(struct kvm *kvm, gfn_t start, gfn_t end, unsigned long attributes)
  {
  ...
+ kvm_mmu_attributes_begin(kvm, start, end, attributes);
+
  for (i = start; i < end; i++) {
  	r = xa_err(xa_store(...));
  	...
  }
+
+ kvm_mmu_attributes_end(kvm, start, end, attributes);
  ...
  }
