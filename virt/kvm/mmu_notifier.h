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
 * mmu_invalidate_seq, but by the host ranges that cover its own address:
 *
 *	range				refresh, with ->refresh_lock held
 *
 *	lock mn_lock			lock the cache
 *	it is running			set ->uhva, ->stale = false
 *	unlock mn_lock			unlock the cache
 *	for each cache it covers:	kvm_mmu_notifier_wait_for_hva():
 *		lock the cache			lock mn_lock
 *		->valid = false			a range that covers ->uhva?
 *		->stale = true			unlock mn_lock
 *		unlock the cache		if so: wait, look again
 *	the mm changes			look up the pfn, which may sleep
 *	lock mn_lock			lock the cache
 *	it is not running any more	if ->stale: start over
 *	unlock mn_lock			->valid = true
 *					unlock the cache
 *
 * If the range is running, or has ended, when the refresh has mn_lock, the lookup
 * comes after its end and finds what the mm has become.  Otherwise the range
 * comes to the cache after ->stale was cleared: either before the refresh is
 * done, which then starts over, or after it, and finds the cache valid.
 *
 * A cache is in the list of caches from before its first refresh until after the
 * last.  When the address space is gone, every cache is invalidated and none can be
 * refreshed.
 */
int kvm_mmu_notifier_wait_for_hva(struct kvm *kvm, unsigned long hva);

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

static inline int kvm_mmu_notifier_wait_for_hva(struct kvm *kvm,
						unsigned long hva)
{
	return 0;
}

static inline void
kvm_mmu_notifier_publish_memslots(struct kvm *kvm, int as_id,
				  struct kvm_memslots *slots)
{
	rcu_assign_pointer(kvm->memslots[as_id], slots);
}

#endif /* CONFIG_KVM_GENERIC_MMU_NOTIFIER */

#endif /* __KVM_MMU_NOTIFIER_H */
