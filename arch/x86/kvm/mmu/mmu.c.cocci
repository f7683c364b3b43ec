// SPDX-License-Identifier: GPL-2.0
// No page is mapped that an invalidation may have taken since it was looked up,
// and notifier.c gets at the rmaps.

// expect 1
@to_rmap@
typedef gfn_t;
position p;
@@
- static struct kvm_rmap_head *gfn_to_rmap@p(gfn_t gfn, int level, const struct kvm_memory_slot *slot)
+ struct kvm_rmap_head *gfn_to_rmap(gfn_t gfn, int level,
+ 				  const struct kvm_memory_slot *slot)
  {
  ...
  }

// expect 1
@first@
typedef u64;
position p;
@@
- static u64 *rmap_get_first@p(struct kvm_rmap_head *rmap_head, struct rmap_iterator *iter)
+ u64 *rmap_get_first(struct kvm_rmap_head *rmap_head,
+ 		    struct rmap_iterator *iter)
  {
  ...
  }

// expect 1
@next@
position p;
@@
- static u64 *rmap_get_next@p(struct rmap_iterator *iter)
+ u64 *rmap_get_next(struct rmap_iterator *iter)
  {
  ...
  }

// expect 1
@zap_rmaps@
typedef bool;
position p;
@@
- static bool __kvm_rmap_zap_gfn_range@p(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t start, gfn_t end, bool can_yield, bool flush)
+ bool __kvm_rmap_zap_gfn_range(struct kvm *kvm,
+ 			      const struct kvm_memory_slot *slot,
+ 			      gfn_t start, gfn_t end, bool can_yield,
+ 			      bool flush)
  {
  ...
  }

// expect 1
@mixed@
position p;
@@
- static bool hugepage_test_mixed@p(struct kvm_memory_slot *slot, gfn_t gfn, int level)
+ bool hugepage_test_mixed(struct kvm_memory_slot *slot, gfn_t gfn, int level)
  {
  ...
  }

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
+ if (mmu_invalidate_retry_gfn_unsafe(vcpu->kvm, fault->mmu_seq, fault->gfn)) {
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
+ /* Only now, with mmu_lock held, is the answer the last word. */
+ return fault->slot &&
+        mmu_invalidate_retry_gfn(vcpu->kvm, fault->mmu_seq, fault->gfn);
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
