// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidations that begin with guest frames: memory attributes change, or a
 * guest_memfd file loses pages.
 *
 * Page faults take them for what they are in mmu_notifier.c: between begin and end
 * nothing of the range is mapped.  All is done under mmu_lock, which is released in
 * between; the callers keep the memslots, or the bindings of the file, from changing
 * until the end.
 */

#include <linux/kvm_host.h>
#include <linux/mmu_notifier.h>
#include <linux/xarray.h>

#include "kvm_mm.h"
#include "mmu_notifier.h"

#ifdef CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES
typedef bool (*attributes_handler)(struct kvm *kvm, struct kvm_gfn_range *range);

static bool gfn_range_has_memslot(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_memslot_iter iter;
	int i;

	/* The answer is the same for begin and end, as the memslots are. */
	lockdep_assert_held(&kvm->slots_lock);

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++)
		kvm_for_each_memslot_in_gfn_range(&iter, __kvm_memslots(kvm, i),
						  start, end)
			return true;

	return false;
}

static __always_inline bool
attributes_walk_memslots(struct kvm *kvm, gfn_t start, gfn_t end,
			 unsigned long attributes, attributes_handler handler)
{
	struct kvm_gfn_range range = {
		.arg.attributes = attributes,
		.may_block = true,
	};
	struct kvm_memslot_iter iter;
	bool ret = false;
	int i;

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		kvm_for_each_memslot_in_gfn_range(&iter, __kvm_memslots(kvm, i),
						  start, end) {
			struct kvm_memory_slot *slot = iter.slot;

			range.slot = slot;
			range.start = max(start, slot->base_gfn);
			range.end = min(end, slot->base_gfn + slot->npages);
			ret |= handler(kvm, &range);
		}
	}

	return ret;
}

/*
 * Whether or not the architecture has to unmap it, the range isn't mapped
 * while its attributes change.
 */
static bool attributes_unmap(struct kvm *kvm, struct kvm_gfn_range *range)
{
	kvm_mmu_invalidate_range_add(kvm, range->start, range->end);
	return kvm_arch_pre_set_memory_attributes(kvm, range);
}

/* Called before attributes change: no fault may use the old ones any more. */
void kvm_mmu_attributes_begin(struct kvm *kvm, gfn_t start, gfn_t end,
			      unsigned long attributes)
{
	bool flush;

	if (!gfn_range_has_memslot(kvm, start, end))
		return;

	KVM_MMU_LOCK(kvm);
	kvm_mmu_invalidate_begin(kvm);
	flush = attributes_walk_memslots(kvm, start, end, attributes,
					 attributes_unmap);
	if (kvm_flush_is_deferred(kvm) &&
	    !mmu_notifier_suppressed("deferred_attrs"))
		flush = true;
	kvm_mmu_notifier_flush_if(kvm, flush);
	KVM_MMU_UNLOCK(kvm);
}

void kvm_mmu_attributes_end(struct kvm *kvm, gfn_t start, gfn_t end,
			    unsigned long attributes)
{
	if (!gfn_range_has_memslot(kvm, start, end))
		return;

	KVM_MMU_LOCK(kvm);
	kvm_mmu_invalidate_end(kvm);
	attributes_walk_memslots(kvm, start, end, attributes,
				 kvm_arch_post_set_memory_attributes);
	KVM_MMU_UNLOCK(kvm);
}
#endif /* CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES */

#ifdef CONFIG_KVM_PRIVATE_MEM
static bool gmem_unmap(struct kvm *kvm, struct xarray *bindings,
		       pgoff_t start, pgoff_t end)
{
	struct kvm_gfn_range range = {
		.may_block = true,
		/* What the guest shares is not in the file. */
		.attr_filter = KVM_FILTER_PRIVATE,
	};
	struct kvm_memory_slot *slot;
	unsigned long index;
	bool flush = false;

	xa_for_each_range(bindings, index, slot, start, end - 1) {
		pgoff_t first = slot->gmem.pgoff;
		pgoff_t behind = first + slot->npages;

		range.slot = slot;
		range.start = slot->base_gfn + max(first, start) - first;
		range.end = slot->base_gfn + min(behind, end) - first;
		flush |= kvm_mmu_unmap_gfn_range(kvm, &range);
	}

	return flush;
}

static bool gmem_range_is_bound(struct xarray *bindings, pgoff_t start,
				pgoff_t end)
{
	unsigned long index = start;

	return xa_find(bindings, &index, end - 1, XA_PRESENT);
}

/*
 * Called before the guest loses the pages [@start, @end) of a guest_memfd file.
 * The caller keeps the file's bindings from changing until the end.
 */
void kvm_mmu_gmem_begin(struct kvm *kvm, struct xarray *bindings,
			pgoff_t start, pgoff_t end)
{
	if (!gmem_range_is_bound(bindings, start, end))
		return;

	KVM_MMU_LOCK(kvm);
	kvm_mmu_invalidate_begin(kvm);
	kvm_mmu_notifier_flush_if(kvm, gmem_unmap(kvm, bindings, start, end));
	KVM_MMU_UNLOCK(kvm);
}

void kvm_mmu_gmem_end(struct kvm *kvm, struct xarray *bindings,
		      pgoff_t start, pgoff_t end)
{
	if (!gmem_range_is_bound(bindings, start, end))
		return;

	KVM_MMU_LOCK(kvm);
	kvm_mmu_invalidate_end(kvm);
	KVM_MMU_UNLOCK(kvm);
}
#endif /* CONFIG_KVM_PRIVATE_MEM */
