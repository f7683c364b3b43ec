// SPDX-License-Identifier: GPL-2.0
// The APIC-access page is no spte: an invalidation that races with its lookup
// makes the vCPU load it again.

// expect 1
@apic_page@
position p;
@@
  vmx_set_apic_access_page_addr(...)
  {
  ...
  struct kvm_memory_slot *slot;
+ unsigned long mmu_seq;
  kvm_pfn_t pfn;
  ...
  if (!slot || slot->flags & KVM_MEMSLOT_INVALID)
  	return;
+
+ mmu_seq = mmu_invalidate_sample(kvm);
  pfn = gfn_to_pfn_memslot@p(slot, gfn);
  ...
- vmcs_write64(APIC_ACCESS_ADDR, pfn_to_hpa(pfn));
+ if (mmu_invalidate_retry_page(kvm, mmu_seq, slot, gfn)) {
+ 	kvm_make_request(KVM_REQ_APIC_PAGE_RELOAD, vcpu);
+ 	read_unlock(&vcpu->kvm->mmu_lock);
+ 	goto out;
+ }
+
+ vmcs_write64(APIC_ACCESS_ADDR, pfn_to_hpa(pfn));
  read_unlock(&vcpu->kvm->mmu_lock);
  ...
  }
