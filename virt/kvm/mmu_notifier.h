/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KVM_MMU_NOTIFIER_H
#define __KVM_MMU_NOTIFIER_H

#include <linux/kvm_host.h>

void kvm_flush_shadow_all(struct kvm *kvm);

#ifdef CONFIG_KVM_GENERIC_MMU_NOTIFIER

void kvm_mmu_notifier_init(struct kvm *kvm);
int kvm_mmu_notifier_register(struct kvm *kvm);
void kvm_mmu_notifier_unregister(struct kvm *kvm);
void kvm_mmu_notifier_destroy(struct kvm *kvm);
void kvm_mmu_notifier_publish_memslots(struct kvm *kvm, int as_id,
				       struct kvm_memslots *slots);

void kvm_mmu_attributes_begin(struct kvm *kvm, gfn_t start, gfn_t end,
			      unsigned long attributes);
void kvm_mmu_attributes_end(struct kvm *kvm, gfn_t start, gfn_t end,
			    unsigned long attributes);

void kvm_mmu_gmem_begin(struct kvm *kvm, struct xarray *bindings,
			pgoff_t start, pgoff_t end);
void kvm_mmu_gmem_end(struct kvm *kvm, struct xarray *bindings,
		      pgoff_t start, pgoff_t end);

/*
 * A pfn cache follows a host address, which need not be guest memory, and its
 * pages are mapped in the kernel, not in the guest.  So it doesn't go by
 * mmu_invalidate_seq, but by the host ranges themselves.
 *
 * kvm_mn_range_start() first counts the range as running and then looks for the
 * caches it covers, under their locks.  A cache that is looked at after its
 * refresh is invalidated there; one that is looked at before finds, when the
 * refresh takes the cache's lock, the range either running or ended.
 */

/* Before the pfn is looked up. */
static inline unsigned long kvm_pfncache_sample(struct kvm *kvm)
{
	unsigned long ended = READ_ONCE(kvm->mn_ranges_ended);

	/* As in mmu_invalidate_sample(), with mn_lock for mmu_lock. */
	smp_rmb();
	return ended;
}

/* With the cache's lock held, before the pfn is used. */
static inline bool kvm_pfncache_retry(struct kvm *kvm, unsigned long ended)
{
	if (READ_ONCE(kvm->mn_ranges_running))
		return true;

	/* Pairs with the smp_wmb() in kvm_mn_range_end(). */
	smp_rmb();
	return READ_ONCE(kvm->mn_ranges_ended) != ended;
}

#else /* !CONFIG_KVM_GENERIC_MMU_NOTIFIER */

static inline void kvm_mmu_notifier_init(struct kvm *kvm)
{
}

static inline int kvm_mmu_notifier_register(struct kvm *kvm)
{
	return 0;
}

static inline void kvm_mmu_notifier_unregister(struct kvm *kvm)
{
}

static inline void kvm_mmu_notifier_destroy(struct kvm *kvm)
{
	kvm_flush_shadow_all(kvm);
}

static inline void
kvm_mmu_notifier_publish_memslots(struct kvm *kvm, int as_id,
				  struct kvm_memslots *slots)
{
	rcu_assign_pointer(kvm->memslots[as_id], slots);
}

#endif /* CONFIG_KVM_GENERIC_MMU_NOTIFIER */

#endif /* __KVM_MMU_NOTIFIER_H */
