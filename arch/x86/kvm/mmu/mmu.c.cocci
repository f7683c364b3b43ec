// SPDX-License-Identifier: GPL-2.0
// No page is mapped that an invalidation may have taken since it was looked up.

// expect 1
@sample@
position p;
@@
  kvm_faultin_pfn@p(...)
  {
  ...
  int ret;
+
+ /* Attributes change by an invalidation, too: sample before they are read. */
+ fault->mmu_seq = mmu_invalidate_sample(vcpu->kvm);
  ...
  }

// expect 1
@lookup@
position p;
@@
  kvm_faultin_pfn(...)
  {
  ...
  ret = __kvm_faultin_pfn@p(vcpu, fault);
  ...
+ /* The lookup may have taken long: again, stay away from mmu_lock. */
+ if (mmu_invalidate_retry_page_unsafe(vcpu->kvm, fault->mmu_seq, fault->slot,
+ 				      fault->gfn)) {
+ 	kvm_release_pfn_clean(fault->pfn);
+ 	return RET_PF_RETRY;
+ }
+
  return RET_PF_CONTINUE;
  }

// expect 1
@stale@
position p;
@@
  is_page_fault_stale(...)
  {
  ...
- return false@p;
+ /* Only now, with mmu_lock held, is the answer final. */
+ return fault->slot &&
+        mmu_invalidate_retry_page(vcpu->kvm, fault->mmu_seq, fault->slot,
+ 				  fault->gfn);
  }

// expect 1
@zap@
position p;
@@
  kvm_zap_gfn_range(...)
  {
  ...
  write_lock(&kvm->mmu_lock);
+
+ kvm_mmu_invalidate_begin(kvm);
+ kvm_mmu_invalidate_range_add(kvm, gfn_start, gfn_end);
  ...
+ kvm_mmu_invalidate_end(kvm);
+
  write_unlock@p(&kvm->mmu_lock);
  }

// expect 1
@memslot@
position p;
@@
  kvm_arch_flush_shadow_memslot(...)
  {
  <...
- flush = false@p;
+ flush = kvm_unmap_memslot(kvm, slot);
  ...>
  }
