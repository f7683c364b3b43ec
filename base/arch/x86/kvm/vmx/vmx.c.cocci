// SPDX-License-Identifier: GPL-2.0
// The APIC-access page's address is loaded without a look for an invalidation.

// expect 1
@apic_page@
identifier seq;
position p;
@@
  vmx_set_apic_access_page_addr(...)
  {
  ...
- unsigned long seq@p;
  ...
- seq = kvm->mmu_invalidate_seq;
- smp_rmb();
  ...
- if (mmu_invalidate_retry_gfn(kvm, seq, gfn)) {
- 	...
- }
  vmcs_write64(APIC_ACCESS_ADDR, ...);
  read_unlock(...);
  out:
  kvm_release_pfn_clean(pfn);
  }
