// SPDX-License-Identifier: GPL-2.0
/*
 * What x86 does when the host unmaps or ages guest memory: in the shadow MMU by
 * way of the rmaps, in the TDP MMU by a walk of the page tables.
 */

#include "mmu.h"
#include "mmu_internal.h"
#include "mmutrace.h"
#include "spte.h"
#include "tdp_iter.h"
#include "tdp_mmu.h"

/*
 * Forgets the access to what a leaf spte maps, in either MMU: with an accessed
 * bit by clearing it, else by making the spte non-present so that the next
 * access faults.
 *
 * mmu_lock, held for write, does not stop the CPU from setting accessed and
 * dirty bits, nor fast_page_fault() from giving write access back.  If one of
 * them comes in between, look again: nothing is overwritten unseen.
 *
 * Returns what the spte is then, and in *@spte what it was.
 */
static u64 spte_age(u64 *sptep, u64 *spte)
{
	u64 aged;

	do {
		aged = mark_spte_for_access_track(*spte);
	} while (!try_cmpxchg64(sptep, spte, aged));

	/* Where write access is what says dirty, that has gone with it. */
	if (!spte_ad_enabled(*spte) && is_writable_pte(*spte))
		kvm_set_pfn_dirty(spte_to_pfn(*spte));

	return aged;
}

static bool rmap_age(struct kvm_rmap_head *rmap, bool test_only)
{
	struct rmap_iterator iter;
	bool young = false;
	u64 *sptep;

	for (sptep = rmap_get_first(rmap, &iter); sptep;
	     sptep = rmap_get_next(&iter)) {
		u64 spte = READ_ONCE(*sptep);

		if (!is_accessed_spte(spte))
			continue;
		if (test_only)
			return true;

		spte_age(sptep, &spte);
		young = true;
	}

	return young;
}

static bool rmap_age_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range,
			       bool test_only)
{
	bool young = false;
	int level;

	if (!kvm_memslots_have_rmaps(kvm))
		return false;

	for (level = PG_LEVEL_4K; level <= KVM_MAX_HUGEPAGE_LEVEL; level++) {
		struct kvm_rmap_head *rmap, *last;

		rmap = gfn_to_rmap(range->start, level, range->slot);
		last = gfn_to_rmap(range->end - 1, level, range->slot);
		for (; rmap <= last; rmap++) {
			if (!rmap->val)
				continue;
			young |= rmap_age(rmap, test_only);
			if (young && test_only)
				return true;
		}
	}

	return young;
}

#ifdef CONFIG_X86_64
/*
 * Roots that are no longer valid are walked like the others: until they are
 * zapped their sptes hand accessed and dirty bits on to the pages they map.
 */
static bool tdp_mmu_unmap_gfn_range(struct kvm *kvm,
				    struct kvm_gfn_range *range, bool flush)
{
	struct kvm_mmu_page *root;

	if (!tdp_mmu_enabled)
		return flush;

	/* The reference to the root is what allows to drop mmu_lock. */
	for (root = tdp_mmu_next_root(kvm, NULL, false); root;
	     root = tdp_mmu_next_root(kvm, root, false)) {
		if (kvm_mmu_page_as_id(root) != range->slot->as_id)
			continue;
		flush = tdp_mmu_zap_leafs(kvm, root, range->start, range->end,
					  range->may_block, flush);
	}

	return flush;
}

static void tdp_iter_age(struct tdp_iter *iter)
{
	u64 aged = spte_age(rcu_dereference(iter->sptep), &iter->old_spte);

	trace_kvm_tdp_mmu_spte_changed(iter->as_id, iter->gfn, iter->level,
				       iter->old_spte, aged);
}

static bool tdp_root_age_gfn_range(struct kvm_mmu_page *root,
				   struct kvm_gfn_range *range, bool test_only)
{
	struct tdp_iter iter;
	bool young = false;

	guard(rcu)();

	for_each_tdp_pte(iter, root, range->start, range->end) {
		if (!is_shadow_present_pte(iter.old_spte) ||
		    !is_last_spte(iter.old_spte, iter.level) ||
		    !is_accessed_spte(iter.old_spte))
			continue;
		if (test_only)
			return true;

		tdp_iter_age(&iter);
		young = true;
	}

	return young;
}

static bool tdp_mmu_age_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range,
				  bool test_only)
{
	struct kvm_mmu_page *root;
	bool young = false;

	if (!tdp_mmu_enabled)
		return false;

	/* Held for write, so the roots stay without a reference to them. */
	lockdep_assert_held_write(&kvm->mmu_lock);

	list_for_each_entry(root, &kvm->arch.tdp_mmu_roots, link) {
		if (kvm_mmu_page_as_id(root) != range->slot->as_id)
			continue;
		young |= tdp_root_age_gfn_range(root, range, test_only);
		if (young && test_only)
			break;
	}

	return young;
}
#else
static bool tdp_mmu_unmap_gfn_range(struct kvm *kvm,
				    struct kvm_gfn_range *range, bool flush)
{
	return flush;
}

static bool tdp_mmu_age_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range,
				  bool test_only)
{
	return false;
}
#endif /* CONFIG_X86_64 */

static bool __kvm_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)
{
	bool flush = false;

	if (kvm_memslots_have_rmaps(kvm))
		flush = __kvm_rmap_zap_gfn_range(kvm, range->slot,
						 range->start, range->end,
						 range->may_block, flush);

	flush = tdp_mmu_unmap_gfn_range(kvm, range, flush);

	/* Its address is in the VMCS, too. */
	if (kvm_x86_ops.set_apic_access_page_addr &&
	    range->slot->id == APIC_ACCESS_PAGE_PRIVATE_MEMSLOT)
		kvm_make_all_cpus_request(kvm, KVM_REQ_APIC_PAGE_RELOAD);

	return flush;
}

bool kvm_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)
{
	/* Or else a fault that is under way maps again what is unmapped here. */
	lockdep_assert_once(kvm->mmu_invalidate_in_progress);

	return __kvm_unmap_gfn_range(kvm, range);
}

/*
 * A memslot is deleted.  That needs no invalidation in progress: the memslot
 * was marked invalid, and SRCU has waited for the faults that didn't see it.
 */
bool kvm_unmap_memslot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	struct kvm_gfn_range range = {
		.slot = slot,
		.start = slot->base_gfn,
		.end = slot->base_gfn + slot->npages,
		.may_block = true,
	};

	lockdep_assert_held(&kvm->slots_lock);

	return __kvm_unmap_gfn_range(kvm, &range);
}

static bool __kvm_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range,
			  bool test_only)
{
	bool young = rmap_age_gfn_range(kvm, range, test_only);

	if (young && test_only)
		return true;

	return young | tdp_mmu_age_gfn_range(kvm, range, test_only);
}

bool kvm_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return __kvm_age_gfn(kvm, range, false);
}

bool kvm_test_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return __kvm_age_gfn(kvm, range, true);
}

#ifdef CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES
/*
 * The attributes of a part of this huge page change, and then it must not be
 * mapped as one: take all of it into the invalidation.  Where it couldn't be
 * huge before there is no need to.
 */
static void invalidate_hugepage(struct kvm *kvm, struct kvm_memory_slot *slot,
				gfn_t gfn, int level)
{
	gfn_t start = gfn_round_for_level(gfn, level);
	gfn_t end = start + KVM_PAGES_PER_HPAGE(level);

	if (start < slot->base_gfn || end > slot->base_gfn + slot->npages)
		return;

	if (!hugepage_test_mixed(slot, start, level))
		kvm_mmu_invalidate_range_add(kvm, start, end);
}

bool kvm_arch_pre_set_memory_attributes(struct kvm *kvm,
					struct kvm_gfn_range *range)
{
	int level;

	if (WARN_ON_ONCE(!kvm_arch_has_private_mem(kvm)) ||
	    WARN_ON_ONCE(range->end <= range->start))
		return false;

	/* Huge pages in the middle are in the range anyway. */
	for (level = PG_LEVEL_2M; level <= KVM_MAX_HUGEPAGE_LEVEL; level++) {
		invalidate_hugepage(kvm, range->slot, range->start, level);
		invalidate_hugepage(kvm, range->slot, range->end - 1, level);
	}

	/*
	 * What was shared is unmapped when it becomes private and the other
	 * way around, in slots that can't be private as well: there the guest
	 * must lose what it shares, and the sizes of pages are found anew.
	 */
	if (range->arg.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		range->attr_filter = KVM_FILTER_SHARED;
	else
		range->attr_filter = KVM_FILTER_PRIVATE;

	return kvm_unmap_gfn_range(kvm, range);
}
#endif /* CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES */
