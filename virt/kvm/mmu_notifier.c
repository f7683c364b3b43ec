// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's MMU notifier: turn what happens to the mm of the VMM into what has to
 * happen to guest memory.
 *
 * Host addresses become guest frames by way of the memslots; most of what a VMM
 * does to its mm touches no memslot, and then mmu_lock isn't taken.  Attribute
 * changes and guest_memfd know the guest frames themselves and join in at
 * kvm_mmu_invalidate_begin().  include/linux/kvm_mmu_notifier.h has the
 * protocol with page faults.
 */

#include <linux/bitops.h>
#include <linux/interval_tree.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/mmu_notifier.h>
#include <linux/mmu_notifier_stats.h>
#include <linux/rcuwait.h>
#include <linux/sched/signal.h>
#include <linux/srcu.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <trace/events/kvm.h>

#include "kvm_mm.h"
#include "mmu_notifier.h"

static struct kvm *mn_to_kvm(struct mmu_notifier *mn)
{
	return container_of(mn, struct kvm, mmu_notifier);
}

/*
 * Whether a host range holds guest memory.  For a range that is in mn_ranges the
 * answer doesn't change, see kvm_mmu_notifier_publish_memslots().
 */
static bool hva_range_has_guest_memory(struct kvm *kvm, unsigned long start,
				       unsigned long end)
{
	int i;

	if (WARN_ON_ONCE(end <= start))
		return false;

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		struct kvm_memslots *slots = __kvm_memslots(kvm, i);

		if (interval_tree_iter_first(&slots->hva_tree, start, end - 1))
			return true;
	}

	return false;
}

/* Returns whether the range holds guest memory, for which kvm->srcu is held. */
static bool range_began(struct kvm *kvm, unsigned long start, unsigned long end)
{
	struct kvm_mn_ranges *ranges = &kvm->mn_ranges;
	struct kvm_mn_range *others = &ranges->others;
	bool in_slots = hva_range_has_guest_memory(kvm, start, end);
	unsigned int i;

	lockdep_assert_held(&kvm->mn_lock);
	/* Those that wait for 0 read it without the lock. */
	WRITE_ONCE(ranges->nr, ranges->nr + 1);

	if (ranges->used != ~0UL) {
		i = ffz(ranges->used);
		ranges->used |= BIT(i);
		__assign_bit(i, &ranges->in_slots, in_slots);
		ranges->range[i] = (struct kvm_mn_range){ start, end };
		return in_slots;
	}

	if (!ranges->nr_others++)
		*others = (struct kvm_mn_range){ start, end };
	others->start = min(others->start, start);
	others->end = max(others->end, end);
	return in_slots;
}

/*
 * Returns what range_began() returned for a range of these bounds.  Those with the
 * same bounds are interchangeable, as memslots don't change before all have ended.
 */
static bool range_ended(struct kvm *kvm, unsigned long start, unsigned long end)
{
	struct kvm_mn_ranges *ranges = &kvm->mn_ranges;
	unsigned int i;
	bool in_slots;
	int idx;

	lockdep_assert_held(&kvm->mn_lock);
	if (WARN_ON_ONCE(!ranges->nr))
		return false;
	WRITE_ONCE(ranges->nr, ranges->nr - 1);

	for_each_set_bit(i, &ranges->used, BITS_PER_LONG) {
		if (ranges->range[i].start != start || ranges->range[i].end != end)
			continue;
		ranges->used &= ~BIT(i);
		return ranges->in_slots & BIT(i);
	}
	if (!WARN_ON_ONCE(!ranges->nr_others))
		ranges->nr_others--;

	idx = srcu_read_lock(&kvm->srcu);
	in_slots = hva_range_has_guest_memory(kvm, start, end);
	srcu_read_unlock(&kvm->srcu, idx);
	return in_slots;
}

/* False is certain; with very many ranges it may be true spuriously. */
static bool hva_is_covered(struct kvm *kvm, unsigned long hva)
{
	const struct kvm_mn_ranges *ranges = &kvm->mn_ranges;
	bool covered = false;
	unsigned int i;

	spin_lock(&kvm->mn_lock);
	for_each_set_bit(i, &ranges->used, BITS_PER_LONG)
		covered |= hva_page_in_range(hva, ranges->range[i].start,
					     ranges->range[i].end);
	if (ranges->nr_others)
		covered |= hva_page_in_range(hva, ranges->others.start,
					     ranges->others.end);
	spin_unlock(&kvm->mn_lock);

	return covered;
}

/*
 * KVM is notified only of ranges in one span, which holds all memslots and the pages
 * of all pfn caches, and never shrinks: what is known to be in it is in it for good.
 */
static bool is_watched(struct kvm *kvm, unsigned long start, unsigned long end)
{
	bool watched;

	spin_lock(&kvm->mn_lock);
	watched = start >= kvm->mn_span.start && end <= kvm->mn_span.end;
	spin_unlock(&kvm->mn_lock);

	return watched;
}

/*
 * On return range_began() has been called for all that run in the span, or will be
 * before they change page tables.
 */
static void watch(struct kvm *kvm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_span *span = &kvm->mn_span;

	if (is_watched(kvm, start, end))
		return;

	mmu_notifier_add_span(&kvm->mmu_notifier, start, end);
	spin_lock(&kvm->mn_lock);
	span->start = min(span->start, start);
	span->end = max(span->end, end);
	spin_unlock(&kvm->mn_lock);
}

static bool must_wait_for_hva(struct kvm *kvm, unsigned long hva)
{
	return !READ_ONCE(kvm->mn_ranges.released) && hva_is_covered(kvm, hva);
}

/**
 * kvm_mmu_notifier_wait_for_hva() - wait for the ranges that cover an address
 * @kvm: the VM
 * @hva: the host address
 *
 * If there is none, this is no wait, and appears in no figure of the mm.  A cache of
 * an address that is far from all memslots also waits for the ranges that KVM wasn't
 * notified of, the first time, and a signal doesn't end that.
 *
 * Context: may sleep.  The caller holds no lock that a range callback, or the
 * code that changes page tables, takes.
 *
 * Return: 0 when no range that covers @hva is between start and end; -EINTR if
 * the task is being killed; or -ESRCH if the address space is gone, whose ranges
 * may have lost their ends.
 */
int kvm_mmu_notifier_wait_for_hva(struct kvm *kvm, unsigned long hva)
{
	struct mmu_notifier_wait wait;
	bool killed;

	if (fatal_signal_pending(current))
		return -EINTR;
	hva = PAGE_ALIGN_DOWN(hva);
	if (!READ_ONCE(kvm->mn_ranges.released))
		watch(kvm, hva, hva + PAGE_SIZE);
	if (must_wait_for_hva(kvm, hva)) {
		mmu_notifier_wait_begin(&wait, kvm->mm, MMU_NOTIFIER_WAIT_HVA);
		killed = wait_event_killable(kvm->mn_hva_wait,
					     !must_wait_for_hva(kvm, hva));
		mmu_notifier_wait_end(&wait);
		if (killed)
			return -EINTR;
	}
	return READ_ONCE(kvm->mn_ranges.released) ? -ESRCH : 0;
}

/* Read without mmu_lock by mmu_invalidate_retry_gfn_unsafe(). */
static void set_invalidate_range(struct kvm *kvm, gfn_t start, gfn_t end)
{
	WRITE_ONCE(kvm->mmu_invalidate_range_start, start);
	WRITE_ONCE(kvm->mmu_invalidate_range_end, end);
}

/**
 * kvm_mmu_invalidate_begin() - begin to invalidate guest memory
 * @kvm: the VM, whose mmu_lock is held for write
 *
 * The range is supplied by kvm_mmu_invalidate_range_add(), before mmu_lock is
 * released.  Invalidations nest and overlap.
 */
void kvm_mmu_invalidate_begin(struct kvm *kvm)
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	if (!mmu_invalidate_in_progress(kvm))
		set_invalidate_range(kvm, U64_MAX, 0);
	WRITE_ONCE(kvm->mmu_invalidate_begun, kvm->mmu_invalidate_begun + 1);
}

/**
 * kvm_mmu_invalidate_range_add() - add to the range that is being invalidated
 * @kvm: the VM, whose mmu_lock is held for write
 * @start: the first gfn
 * @end: the end gfn, exclusive
 *
 * The ranges of all invalidations in progress are kept as the one range that
 * holds them all, until the last of them ends.  It is rare that more than one
 * is in progress, and a fault in between is only delayed.
 */
void kvm_mmu_invalidate_range_add(struct kvm *kvm, gfn_t start, gfn_t end)
{
	lockdep_assert_held_write(&kvm->mmu_lock);
	WARN_ON_ONCE(!mmu_invalidate_in_progress(kvm));

	set_invalidate_range(kvm, min(kvm->mmu_invalidate_range_start, start),
			     max(kvm->mmu_invalidate_range_end, end));
}

static void count_ended(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->mn_lock);
	if (KVM_BUG_ON(!mmu_invalidate_in_progress(kvm), kvm))
		return;

	/* Between begin and end some range must have been added. */
	WARN_ON_ONCE(mmu_invalidate_range_is_empty(kvm));

	WRITE_ONCE(kvm->mmu_invalidate_seq, kvm->mmu_invalidate_seq + 1);
	/* Pairs with smp_load_acquire() in mmu_invalidate_in_progress(). */
	smp_wmb();
	WRITE_ONCE(kvm->mmu_invalidate_ended, kvm->mmu_invalidate_ended + 1);
}

/**
 * kvm_mmu_invalidate_end() - let guest memory be mapped again
 * @kvm: the VM, whose mmu_lock is held for write
 */
void kvm_mmu_invalidate_end(struct kvm *kvm)
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	spin_lock(&kvm->mn_lock);
	count_ended(kvm);
	spin_unlock(&kvm->mn_lock);
}

/*
 * Some architectures change the sequence number themselves, under mmu_lock: then an
 * end takes it, too.
 */
#define END_LOCKS_MMU	!IS_ENABLED(CONFIG_HAVE_KVM_UNLOCKED_INVALIDATE_END)

static void end_under_mmu_lock(struct kvm *kvm)
{
	KVM_MMU_LOCK(kvm);
	kvm_mmu_invalidate_end(kvm);
	KVM_MMU_UNLOCK(kvm);
}

#ifdef CONFIG_MMU_NOTIFIER_STATS
/**
 * kvm_mmu_fault_retried() - note that an invalidation made a page fault stale
 * @vcpu: the vCPU, by its own thread
 * @who: the function that handles its faults
 * @slot: the memslot of @gfn
 * @gfn: the guest frame
 *
 * An attempt doesn't know of those before it, nor need another one follow:
 * another vCPU may map the page, or the guest turn to something else.  So it
 * counts as one more of the same fault only if it is for the same gfn, within a
 * second.  Faults that are made stale by something else don't come here.
 *
 * Context: kvm->srcu is held, as for the fault, and mmu_lock isn't: the kernel
 * log may be written to.
 */
void kvm_mmu_fault_retried(struct kvm_vcpu *vcpu, const void *who,
			   const struct kvm_memory_slot *slot, gfn_t gfn)
{
	struct kvm_mn_retry *fault = &vcpu->mn_retry;

	if (fault->gfn != gfn || time_after(jiffies, fault->last + HZ))
		mmu_notifier_retry_done(&fault->retry);
	fault->gfn = gfn;
	fault->last = jiffies;
	mmu_notifier_retried(&fault->retry, vcpu->kvm->mm, who,
			     __gfn_to_hva_memslot(slot, gfn));
}
#endif

/* Called with mmu_lock still held, for what was unmapped under it. */
static void flush_if(struct kvm *kvm, bool needed)
{
	if (needed && !mmu_notifier_suppressed("flush"))
		kvm_flush_remote_tlbs(kvm);
}

#ifdef __KVM_HAVE_ARCH_DEFERRED_FLUSH
/*
 * In place of a flush, with mmu_lock still held: whoever has it next sees either the sptes
 * or that a flush is due.
 */
static void defer_flush(struct kvm *kvm)
{
	lockdep_assert_held_write(&kvm->mmu_lock);
	/* Pairs with the acquire in kvm_flush_deferred(). */
	smp_store_release(&kvm->mn_dropped, kvm->mn_dropped + 1);
}

/**
 * kvm_flush_deferred() - flush TLBs for the invalidations that have not done so
 * @kvm: the VM
 *
 * Two that are called at the same time may both flush; neither returns before TLBs have
 * been flushed for what was zapped before it was called.
 *
 * Context: any, mmu_lock may be held or not.  Doesn't sleep.
 */
void kvm_flush_deferred(struct kvm *kvm)
{
	/* What is counted here has been zapped, and what comes later isn't counted. */
	unsigned long dropped = smp_load_acquire(&kvm->mn_dropped);
	/* Pairs with the release below: those TLBs have been flushed. */
	long flushed = atomic_long_read_acquire(&kvm->mn_flushed);

	if ((long)(dropped - flushed) <= 0)
		return;

	if (!mmu_notifier_suppressed("flush_deferred"))
		kvm_flush_remote_tlbs(kvm);
	/* Encrypted guests may have written to their caches until now. */
	kvm_arch_guest_memory_reclaimed(kvm);

	while ((long)(dropped - flushed) > 0 &&
	       !atomic_long_try_cmpxchg_release(&kvm->mn_flushed, &flushed, dropped))
		;
}

static bool may_defer_flush(const struct mmu_notifier_range *range)
{
	return mmu_notifier_range_may_defer(range);
}
#else
static void defer_flush(struct kvm *kvm)
{
}

static bool may_defer_flush(const struct mmu_notifier_range *range)
{
	return false;
}
#endif /* __KVM_HAVE_ARCH_DEFERRED_FLUSH */

/* Once an invalidation has begun: adds a range to it and unmaps the range. */
bool kvm_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)
{
	kvm_mmu_invalidate_range_add(kvm, range->start, range->end);
	return kvm_unmap_gfn_range(kvm, range);
}

/* The guest frames of range->slot with a byte between @start and @end. */
static void hva_range_to_gfns(unsigned long start, unsigned long end,
			      struct kvm_gfn_range *range)
{
	struct kvm_memory_slot *slot = range->slot;
	unsigned long slot_start = slot->userspace_addr;
	unsigned long slot_end = slot_start + (slot->npages << PAGE_SHIFT);

	start = max(start, slot_start);
	end = min(end, slot_end);
	range->start = hva_to_gfn_memslot(start, slot);
	range->end = hva_to_gfn_memslot(end + PAGE_SIZE - 1, slot);
}

/*
 * A walk over the guest memory that the host range [@start, @end) backs.  The
 * callers' walks are constant and the walk is inlined into each of them, so
 * that no handler is called through a pointer.
 */
struct hva_walk {
	unsigned long start;
	unsigned long end;
	/* Called for each memslot, with mmu_lock held for write but for ageing */
	bool (*handler)(struct kvm *kvm, struct kvm_gfn_range *range);
	/* Begin an invalidation before the first */
	bool invalidate;
	/* Flush TLBs, once for all, if a handler returned true */
	bool flush;
	/* ... or leave that to kvm_flush_deferred() */
	bool defer;
	bool may_block;
	/* Age these, and no others; bit 0 is @start */
	struct mmu_notifier_young_pages *pages;
};

/* @range is what its memslot has of the walk. */
static void age_single_gfns(struct kvm_gfn_range *range, struct kvm_age_gfns *age,
			    const struct hva_walk *walk)
{
	unsigned long hva = max(walk->start, range->slot->userspace_addr);

	age->first = range->start - ((hva - walk->start) >> PAGE_SHIFT);
	age->asked = walk->pages->asked;
	age->young = walk->pages->young;
	range->arg.age = age;
}

static __always_inline bool
hva_walk_memslots(struct kvm *kvm, const struct hva_walk *walk)
{
	const unsigned long start = walk->start, last = walk->end - 1;
	struct kvm_gfn_range range = {
		.may_block = walk->may_block,
		/* What is private to the guest has no host address. */
		.attr_filter = KVM_FILTER_SHARED,
	};
	struct kvm_age_gfns age;
	bool ret = false;
	int i;

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		struct kvm_memslots *slots = __kvm_memslots(kvm, i);
		struct interval_tree_node *node;

		for (node = interval_tree_iter_first(&slots->hva_tree, start, last);
		     node; node = interval_tree_iter_next(node, start, last)) {
			range.slot = container_of(node, struct kvm_memory_slot,
						  hva_node[slots->node_idx]);
			hva_range_to_gfns(start, walk->end, &range);
			if (walk->pages)
				age_single_gfns(&range, &age, walk);
			ret |= walk->handler(kvm, &range);
		}
	}

	return ret;
}

/* For a range that holds guest memory.  Returns what the handlers did, or'ed. */
static __always_inline bool
kvm_walk_hva_range(struct kvm *kvm, const struct hva_walk *walk)
{
	bool ret;

	KVM_MMU_LOCK(kvm);
	if (walk->invalidate)
		kvm_mmu_invalidate_begin(kvm);
	ret = hva_walk_memslots(kvm, walk);
	if (walk->defer && ret)
		defer_flush(kvm);
	else
		flush_if(kvm, walk->flush && ret);
	KVM_MMU_UNLOCK(kvm);

	return ret;
}

#define AGEING_LOCKS_MMU	!IS_ENABLED(CONFIG_HAVE_KVM_UNLOCKED_AGEING)

/*
 * The flush needs no mmu_lock either.  Until it comes, TLBs may hold what looks old in
 * the page tables.  That is so for good after clear_young(): whoever zaps such an spte,
 * or write-protects it, has to flush whether or not it is old.
 */
static __always_inline bool
kvm_age_hva_range(struct kvm *kvm, const struct hva_walk *walk)
{
	bool young = false;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	if (!AGEING_LOCKS_MMU) {
		young = hva_walk_memslots(kvm, walk);
		flush_if(kvm, walk->flush && young);
	} else if (hva_range_has_guest_memory(kvm, walk->start, walk->end)) {
		young = kvm_walk_hva_range(kvm, walk);
	}
	srcu_read_unlock(&kvm->srcu, idx);

	return young;
}

/*
 * Nothing below sleeps if the range is not blockable: the locks spin, and
 * the architecture keeps mmu_lock unless it is told that it may block.
 */
static int
kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mn_to_kvm(mn);
	const struct hva_walk walk = {
		.start		= range->start,
		.end		= range->end,
		.handler	= kvm_mmu_unmap_gfn_range,
		.invalidate	= true,
		.flush		= true,
		.defer		= may_defer_flush(range),
		.may_block	= mmu_notifier_range_blockable(range),
	};
	bool in_slots, deferred = false;
	int idx;

	trace_kvm_unmap_hva_range(range->start, range->end);

	idx = srcu_read_lock(&kvm->srcu);
	/*
	 * Until the range has ended no memslots are published: for those that it
	 * touches no invalidation would have begun.
	 */
	spin_lock(&kvm->mn_lock);
	in_slots = range_began(kvm, range->start, range->end);
	spin_unlock(&kvm->mn_lock);

	/*
	 * Before mmu_lock, so that the caches' locks don't nest in it.  A cache that is
	 * added unseen looks for ranges later, under mn_lock, and finds this one.
	 */
	if (!list_empty(&kvm->gpc_list))
		gfn_to_pfn_cache_invalidate_start(kvm, range->start, range->end);

	if (in_slots)
		deferred = kvm_walk_hva_range(kvm, &walk) && walk.defer;
	srcu_read_unlock(&kvm->srcu, idx);

	/*
	 * This is slow on x86 with encrypted guests: not under mmu_lock.  And not before
	 * the flush.
	 */
	if (in_slots && !deferred)
		kvm_arch_guest_memory_reclaimed(kvm);

	return 0;
}

static void
kvm_mmu_notifier_invalidate_range_end(struct mmu_notifier *mn,
				      const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mn_to_kvm(mn);
	bool in_slots, last, awaited;

	spin_lock(&kvm->mn_lock);
	in_slots = range_ended(kvm, range->start, range->end);
	/* Memslots may be others soon: what began ends, whatever they are. */
	if (in_slots && !END_LOCKS_MMU)
		count_ended(kvm);
	last = !kvm->mn_ranges.nr;
	/*
	 * Needs no barrier: a waiter that found the range running had queued
	 * itself, and then taken mn_lock to check.
	 */
	awaited = waitqueue_active(&kvm->mn_hva_wait);
	spin_unlock(&kvm->mn_lock);

	if (in_slots && END_LOCKS_MMU)
		end_under_mmu_lock(kvm);

	/* There is one waiter at most: it holds slots_lock. */
	if (last)
		rcuwait_wake_up(&kvm->mn_memslots_wait);
	if (awaited)
		wake_up_all(&kvm->mn_hva_wait);
}

/*
 * Only clear_flush_young() flushes TLBs.  After clear_young(), a page that goes
 * on being used from a TLB may look old.
 */
static int kvm_mmu_notifier_clear_flush_young(struct mmu_notifier *mn,
					      struct mm_struct *mm,
					      unsigned long start,
					      unsigned long end)
{
	const struct hva_walk walk = {
		.start		= start,
		.end		= end,
		.handler	= kvm_age_gfn,
		.flush		= true,
	};

	trace_kvm_age_hva(start, end);
	return kvm_age_hva_range(mn_to_kvm(mn), &walk);
}

static int kvm_mmu_notifier_clear_young(struct mmu_notifier *mn,
					struct mm_struct *mm,
					unsigned long start, unsigned long end)
{
	const struct hva_walk walk = {
		.start		= start,
		.end		= end,
		.handler	= kvm_age_gfn,
	};

	trace_kvm_age_hva(start, end);
	return kvm_age_hva_range(mn_to_kvm(mn), &walk);
}

static int kvm_mmu_notifier_test_young(struct mmu_notifier *mn,
				       struct mm_struct *mm,
				       unsigned long address)
{
	const struct hva_walk walk = {
		.start		= address,
		.end		= address + 1,
		.handler	= kvm_test_age_gfn,
	};

	trace_kvm_test_age_hva(address);
	return kvm_age_hva_range(mn_to_kvm(mn), &walk);
}

#ifdef __KVM_HAVE_ARCH_AGE_GFNS
static __always_inline void
kvm_age_pages(struct kvm *kvm, struct mmu_notifier_young_pages *pages,
	      bool (*handler)(struct kvm *kvm, struct kvm_gfn_range *range))
{
	const struct hva_walk walk = {
		.start		= pages->start,
		.end		= pages->start + pages->nr * PAGE_SIZE,
		.handler	= handler,
		.pages		= pages,
	};

	kvm_age_hva_range(kvm, &walk);
}

/*
 * One walk for all pages.  Like clear_young(), it doesn't flush.  The events stand for
 * all of them: kvm_age_hva has the range, with pages that are not asked for, too, and
 * kvm_test_age_hva only the address of the first.
 */
static void kvm_mmu_notifier_young_pages(struct mmu_notifier *mn,
					 struct mmu_notifier_young_pages *pages)
{
	struct kvm *kvm = mn_to_kvm(mn);

	if (pages->clear) {
		trace_kvm_age_hva(pages->start,
				  pages->start + pages->nr * PAGE_SIZE);
		kvm_age_pages(kvm, pages, kvm_age_gfn);
	} else {
		trace_kvm_test_age_hva(pages->start);
		kvm_age_pages(kvm, pages, kvm_test_age_gfn);
	}
}
#else
#define kvm_mmu_notifier_young_pages	NULL
#endif

#ifdef __KVM_HAVE_ARCH_DEFERRED_FLUSH
static void kvm_mmu_notifier_flush_deferred(struct mmu_notifier *mn,
					    struct mm_struct *mm)
{
	kvm_flush_deferred(mn_to_kvm(mn));
}
#else
#define kvm_mmu_notifier_flush_deferred	NULL
#endif

static void kvm_mmu_notifier_release(struct mmu_notifier *mn,
				     struct mm_struct *mm)
{
	struct kvm *kvm = mn_to_kvm(mn);
	int idx;

	/*
	 * For the pfn caches.  A refresh either sees it or is invalidated below,
	 * after it has cleared ->stale; nothing notifies it of what follows.
	 */
	WRITE_ONCE(kvm->mn_ranges.released, true);
	gfn_to_pfn_cache_invalidate_start(kvm, 0, ULONG_MAX);
	wake_up_all(&kvm->mn_hva_wait);

	idx = srcu_read_lock(&kvm->srcu);
	kvm_arch_flush_shadow_all(kvm);
	kvm_arch_guest_memory_reclaimed(kvm);
	srcu_read_unlock(&kvm->srcu, idx);
}

static const struct mmu_notifier_ops kvm_mmu_notifier_ops = {
	.invalidate_range_start	= kvm_mmu_notifier_invalidate_range_start,
	.invalidate_range_end	= kvm_mmu_notifier_invalidate_range_end,
	.clear_flush_young	= kvm_mmu_notifier_clear_flush_young,
	.clear_young		= kvm_mmu_notifier_clear_young,
	.test_young		= kvm_mmu_notifier_test_young,
	.young_pages		= kvm_mmu_notifier_young_pages,
	.flush_deferred		= kvm_mmu_notifier_flush_deferred,
	.release		= kvm_mmu_notifier_release,
	.only_spanned		= true,
};

/* Called first: the cleanup of a VM that failed may publish memslots. */
void kvm_mmu_notifier_init(struct kvm *kvm)
{
	spin_lock_init(&kvm->mn_lock);
	init_waitqueue_head(&kvm->mn_hva_wait);
	rcuwait_init(&kvm->mn_memslots_wait);
	kvm->mn_span.start = ULONG_MAX;
}

int kvm_mmu_notifier_register(struct kvm *kvm)
{
	kvm->mmu_notifier.ops = &kvm_mmu_notifier_ops;
	return mmu_notifier_register(&kvm->mmu_notifier, kvm->mm);
}

void kvm_mmu_notifier_unregister(struct kvm *kvm)
{
	mmu_notifier_unregister(&kvm->mmu_notifier, kvm->mm);
}

/* The last user of the VM is gone: release() drops its sptes. */
void kvm_mmu_notifier_destroy(struct kvm *kvm)
{
	kvm_mmu_notifier_unregister(kvm);

	/*
	 * A range that was running then has lost its end.  No fault will ask
	 * for it any more, but kvm_arch_destroy_vm() may delete memslots and
	 * would wait for it for ever.
	 */
	WARN_ON(rcuwait_active(&kvm->mn_memslots_wait));
	if (kvm->mn_ranges.nr)
		kvm->mn_ranges.nr = 0;
	else
		WARN_ON(mmu_invalidate_in_progress(kvm));
}

static void watch_memslots(struct kvm *kvm, const struct kvm_memslots *slots)
{
	const struct rb_root_cached *tree = &slots->hva_tree;
	unsigned long first, last;

	if (RB_EMPTY_ROOT(&tree->rb_root))
		return;

	first = rb_entry(rb_first_cached(tree), struct interval_tree_node,
			 rb)->start;
	last = rb_entry(tree->rb_root.rb_node, struct interval_tree_node,
			rb)->__subtree_last;
	watch(kvm, first, last + 1);
}

/**
 * kvm_mmu_notifier_publish_memslots() - make memslots the active ones
 * @kvm: the VM, whose slots_lock is held
 * @as_id: the address space
 * @slots: its new memslots
 *
 * Waits until no host range that KVM was notified of is between start and end: a
 * page of the new memslots could be mapped that one of these is about to take away,
 * as it began no invalidation for them.  Starts that come meanwhile go first, and
 * are part of the same wait in the figures of the mm.  Before that, if the memslots
 * are outside of what KVM was notified of so far, it waits for all others, which is
 * a wait of its own.
 *
 * On return TLBs have nothing that was zapped before: of a memslot that is deleted or
 * moved, the invalidations have left no spte when it is published without it.
 */
void kvm_mmu_notifier_publish_memslots(struct kvm *kvm, int as_id,
				       struct kvm_memslots *slots)
{
	struct mmu_notifier_wait wait;
	bool waited = false;

	watch_memslots(kvm, slots);

	spin_lock(&kvm->mn_lock);
	while (kvm->mn_ranges.nr) {
		spin_unlock(&kvm->mn_lock);
		if (!waited)
			mmu_notifier_wait_begin(&wait, kvm->mm,
						MMU_NOTIFIER_WAIT_MEMSLOTS);
		waited = true;
		rcuwait_wait_event(&kvm->mn_memslots_wait,
				   !READ_ONCE(kvm->mn_ranges.nr),
				   TASK_UNINTERRUPTIBLE);
		spin_lock(&kvm->mn_lock);
	}
	rcu_assign_pointer(kvm->memslots[as_id], slots);
	spin_unlock(&kvm->mn_lock);
	if (kvm_flush_is_deferred(kvm))
		kvm_flush_deferred(kvm);
	if (waited)
		mmu_notifier_wait_end(&wait);
}

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
	if (!gfn_range_has_memslot(kvm, start, end))
		return;

	KVM_MMU_LOCK(kvm);
	kvm_mmu_invalidate_begin(kvm);
	flush_if(kvm, attributes_walk_memslots(kvm, start, end, attributes,
					       attributes_unmap) ||
		      kvm_flush_is_deferred(kvm));
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
	flush_if(kvm, gmem_unmap(kvm, bindings, start, end));
	KVM_MMU_UNLOCK(kvm);
}

void kvm_mmu_gmem_end(struct kvm *kvm, struct xarray *bindings,
		      pgoff_t start, pgoff_t end)
{
	if (gmem_range_is_bound(bindings, start, end))
		end_under_mmu_lock(kvm);
}
#endif /* CONFIG_KVM_PRIVATE_MEM */
