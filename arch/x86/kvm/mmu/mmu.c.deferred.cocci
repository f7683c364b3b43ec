// SPDX-License-Identifier: GPL-2.0
// TLBs may hold what is not in page tables any more, because a flush was deferred.

// The guest page table that is to be shadowed may be written to through a TLB.
// expect 1
@write_protect@
identifier write_protected;
position p;
@@
  kvm_mmu_slot_gfn_write_protect(...)
  {
  ...
+ if (kvm_flush_is_deferred(kvm) &&
+     !mmu_notifier_suppressed("deferred_protect"))
+ 	return true;
  return write_protected@p;
  }

// What is zapped for KVM's own reasons must not be used any more, either.
// expect 1
@zap_gfn_range@
position p;
@@
  kvm_zap_gfn_range(...)
  {
  ...
+ if (kvm_flush_is_deferred(kvm) &&
+     !mmu_notifier_suppressed("deferred_zap"))
+ 	flush = true;
  if (flush@p)
  	kvm_flush_remote_tlbs_range(...);
  ...
  }
