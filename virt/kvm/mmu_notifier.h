/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What KVM's MMU notifier and the rest of virt/kvm want of each other: memory
 * attributes and guest_memfd say that guest memory changes, pfn caches are told
 * which host addresses do.
 */
#ifndef __KVM_MMU_NOTIFIER_H
#define __KVM_MMU_NOTIFIER_H

#include <linux/kvm_host.h>
#include <linux/mm.h>

/* Whether the page of @hva is touched: bounds need not be those of pages. */
static inline bool hva_page_in_range(unsigned long hva, unsigned long start,
				     unsigned long end)
{
	unsigned long page = PAGE_ALIGN_DOWN(hva);

	return page < end && page + PAGE_SIZE > start;
}

/* There is none without CONFIG_KVM_GENERIC_MMU_NOTIFIER. */
void kvm_mmu_notifier_destroy(struct kvm *kvm);

#ifdef CONFIG_KVM_GENERIC_MMU_NOTIFIER

void kvm_mmu_notifier_init(struct kvm *kvm);
int kvm_mmu_notifier_register(struct kvm *kvm);
void kvm_mmu_notifier_unregister(struct kvm *kvm);
void kvm_mmu_notifier_publish_memslots(struct kvm *kvm, int as_id,
				       struct kvm_memslots *slots);

void kvm_mmu_notifier_flush_if(struct kvm *kvm, bool needed);

void kvm_mmu_attributes_begin(struct kvm *kvm, gfn_t start, gfn_t end,
			      unsigned long attributes);
void kvm_mmu_attributes_end(struct kvm *kvm, gfn_t start, gfn_t end,
			    unsigned long attributes);

void kvm_mmu_gmem_begin(struct kvm *kvm, struct xarray *bindings,
			pgoff_t start, pgoff_t end);
void kvm_mmu_gmem_end(struct kvm *kvm, struct xarray *bindings,
		      pgoff_t start, pgoff_t end);

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

#ifdef CONFIG_HAVE_KVM_PFNCACHE
void gfn_to_pfn_cache_invalidate_start(struct kvm *kvm, unsigned long start,
				       unsigned long end);
#else
static inline void
gfn_to_pfn_cache_invalidate_start(struct kvm *kvm, unsigned long start,
				  unsigned long end)
{
}
#endif

#endif /* __KVM_MMU_NOTIFIER_H */
