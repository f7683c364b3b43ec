// SPDX-License-Identifier: GPL-2.0
// notifier.c walks the roots and zaps under them.

// expect 1
@next_root@
position p;
@@
- static struct kvm_mmu_page *tdp_mmu_next_root@p(struct kvm *kvm, struct kvm_mmu_page *prev_root, bool only_valid)
+ struct kvm_mmu_page *tdp_mmu_next_root(struct kvm *kvm,
+ 				       struct kvm_mmu_page *prev_root,
+ 				       bool only_valid)
  {
  ...
  }

// expect 1
@zap_leafs@
typedef bool, gfn_t;
position p;
@@
- static bool tdp_mmu_zap_leafs@p(struct kvm *kvm, struct kvm_mmu_page *root, gfn_t start, gfn_t end, bool can_yield, bool flush)
+ bool tdp_mmu_zap_leafs(struct kvm *kvm, struct kvm_mmu_page *root,
+ 		       gfn_t start, gfn_t end, bool can_yield, bool flush)
  {
  ...
  }
