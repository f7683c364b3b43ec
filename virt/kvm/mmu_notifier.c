// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's MMU notifier: turn what happens to the mm of the VMM into what has to
 * happen to guest memory.
 *
 * Host addresses become guest frames by way of the memslots; most of what a VMM
 * does to its mm touches no memslot, and then mmu_lock isn't taken.  Attribute
 * changes and guest_memfd know the guest frames themselves (mmu_notifier_gfns.c) and
 * join in at kvm_mmu_invalidate_begin().  include/linux/kvm_mmu_notifier.h has the
 * protocol with page faults.
 */

#include <linux/bitops.h>
#include <linux/interval_tree.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/mmu_notifier.h>
#include <linux/mmu_notifier_stats.h>
#include <linux/sched/signal.h>
#include <linux/srcu.h>
#include <linux/wait.h>

#include <trace/events/kvm.h>

#include "kvm_mm.h"
#include "mmu_notifier.h"

static struct kvm *mn_to_kvm(struct mmu_notifier *mn)
{
	return container_of(mn, struct kvm, mmu_notifier);
}

static bool ranges_are_running(struct kvm *kvm)
{
	return kvm->mn_ranges.used || kvm->mn_ranges.nr_others;
}

/*
 * The caller has kvm->srcu, mn_lock, or a range that is running: until that has ended
 * no memslots are published, see kvm_mmu_notifier_publish_memslots().  So the active
 * ones are neither changed nor freed: either is done only to those that aren't active.
 */
static struct kvm_memslots *active_memslots(struct kvm *kvm, int as_id)
{
	return rcu_dereference_check(kvm->memslots[as_id],
				     srcu_read_lock_held(&kvm->srcu) ||
				     lockdep_is_held(&kvm->mn_lock) ||
				     /* The caller's own stays. */
				     data_race(ranges_are_running(kvm)));
}

/* A memslot of address space @as_id that has bytes of a host range; or none */
struct hva_memslot {
	struct interval_tree_node *node;
	struct kvm_memslots *slots;
	int as_id;
};

/* The first one in the address spaces below @as_id, from the last one on */
static __always_inline struct hva_memslot
hva_memslot_below(struct kvm *kvm, int as_id, unsigned long start,
		  unsigned long end)
{
	struct hva_memslot at = { .as_id = as_id };

	while (at.as_id-- > 0) {
		at.slots = active_memslots(kvm, at.as_id);
		/* That of SMM often has none at all. */
		if (RB_EMPTY_ROOT(&at.slots->hva_tree.rb_root))
			continue;
		at.node = interval_tree_iter_first(&at.slots->hva_tree, start,
						   end - 1);
		if (at.node)
			break;
	}

	return at;
}

static __always_inline struct hva_memslot
hva_memslot_first(struct kvm *kvm, unsigned long start, unsigned long end)
{
	if (WARN_ON_ONCE(end <= start))
		return (struct hva_memslot){};

	return hva_memslot_below(kvm, kvm_arch_nr_memslot_as_ids(kvm), start,
				 end);
}

static __always_inline struct hva_memslot
hva_memslot_next(struct kvm *kvm, struct hva_memslot at, unsigned long start,
		 unsigned long end)
{
	at.node = interval_tree_iter_next(at.node, start, end - 1);
	if (at.node)
		return at;

	return hva_memslot_below(kvm, at.as_id, start, end);
}

/* Out of line: it is rare that more than BITS_PER_LONG ranges are running. */
static noinline void began_with_others(struct kvm_mn_ranges *ranges,
				       unsigned long start, unsigned long end)
{
	struct kvm_mn_range *others = &ranges->others;

	if (!ranges->nr_others++)
		*others = (struct kvm_mn_range){ start, end };
	others->start = min(others->start, start);
	others->end = max(others->end, end);
}

static noinline bool ended_with_others(struct kvm *kvm, unsigned long start,
				       unsigned long end)
{
	struct kvm_mn_ranges *ranges = &kvm->mn_ranges;
	bool in_slots;

	if (WARN_ON_ONCE(!ranges->nr_others))
		return false;

	in_slots = hva_memslot_first(kvm, start, end).node;
	ranges->nr_others--;
	return in_slots;
}

/*
 * Returns the first memslot of the range.  It and those after it stay until
 * range_ended().  It is noted under mn_lock whether there is one, as another range of
 * the same bounds may come and go at once.
 */
static __always_inline struct hva_memslot
range_began(struct kvm *kvm, unsigned long start, unsigned long end)
{
	struct kvm_mn_ranges *ranges = &kvm->mn_ranges;
	struct hva_memslot first;
	unsigned int i;

	lockdep_assert_held(&kvm->mn_lock);
	first = hva_memslot_first(kvm, start, end);

	if (unlikely(ranges->used == ~0UL)) {
		began_with_others(ranges, start, end);
		return first;
	}

	i = ffz(ranges->used);
	ranges->used |= BIT(i);
	ranges->range[i] = (struct kvm_mn_range){ start, end };
	if (first.node)
		ranges->in_slots |= BIT(i);
	else
		ranges->in_slots &= ~BIT(i);
	return first;
}

/*
 * Returns whether the range holds guest memory: what range_began() found for a range
 * of these bounds.  Those with the same bounds are interchangeable, as memslots don't
 * change before all have ended.
 */
static __always_inline bool range_ended(struct kvm *kvm, unsigned long start,
					unsigned long end)
{
	struct kvm_mn_ranges *ranges = &kvm->mn_ranges;
	unsigned long left, bit;
	unsigned int i;

	lockdep_assert_held(&kvm->mn_lock);
	for (left = ranges->used; left; left &= ~bit) {
		i = __ffs(left);
		bit = BIT(i);
		if (ranges->range[i].start != start || ranges->range[i].end != end)
			continue;
		ranges->used &= ~bit;
		return ranges->in_slots & bit;
	}

	return ended_with_others(kvm, start, end);
}

/*
 * Without mn_lock this is a guess.  With it, false is certain; with very many ranges it
 * may be true spuriously.
 */
static bool ranges_cover(const struct kvm_mn_ranges *ranges, unsigned long hva)
{
	unsigned long left;
	unsigned int i;

	for (left = READ_ONCE(ranges->used); left; left &= left - 1) {
		i = __ffs(left);
		if (hva_page_in_range(hva, ranges->range[i].start,
				      ranges->range[i].end))
			return true;
	}

	return ranges->nr_others && hva_page_in_range(hva, ranges->others.start,
						      ranges->others.end);
}

static bool hva_is_covered(struct kvm *kvm, unsigned long hva)
{
	bool covered;

	spin_lock(&kvm->mn_lock);
	covered = ranges_cover(&kvm->mn_ranges, hva);
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
		killed = wait_event_killable(kvm->mn_wait,
					     !must_wait_for_hva(kvm, hva));
		mmu_notifier_wait_end(&wait);
		if (killed)
			return -EINTR;
	}
	return READ_ONCE(kvm->mn_ranges.released) ? -ESRCH : 0;
}

/* Read without mmu_lock by mmu_invalidate_retry_page_unsafe(). */
static void set_invalidate_range(struct kvm *kvm, gfn_t start, gfn_t end)
{
	WRITE_ONCE(kvm->mmu_invalidate_range_start, start);
	WRITE_ONCE(kvm->mmu_invalidate_range_end, end);
}

static void widen_invalidate_range(struct kvm *kvm, gfn_t start, gfn_t end)
{
	set_invalidate_range(kvm, min(kvm->mmu_invalidate_range_start, start),
			     max(kvm->mmu_invalidate_range_end, end));
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
	WRITE_ONCE(kvm->mmu_invalidate_by_gfns, kvm->mmu_invalidate_by_gfns + 1);
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
 * is in progress, and a fault in between is only delayed, or asks
 * kvm_mmu_invalidates_page().
 */
void kvm_mmu_invalidate_range_add(struct kvm *kvm, gfn_t start, gfn_t end)
{
	lockdep_assert_held_write(&kvm->mmu_lock);
	WARN_ON_ONCE(!mmu_invalidate_in_progress(kvm));

	widen_invalidate_range(kvm, start, end);
}

/* Both kvm_mmu_invalidate_begin() and kvm_mmu_invalidate_range_add() */
static __always_inline void mmu_invalidate_begin_with(struct kvm *kvm,
						      gfn_t start, gfn_t end)
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	/* Those in progress may end at any time: then the range is larger than need be. */
	if (mmu_invalidate_in_progress(kvm))
		widen_invalidate_range(kvm, start, end);
	else
		set_invalidate_range(kvm, start, end);
	WRITE_ONCE(kvm->mmu_invalidate_begun, kvm->mmu_invalidate_begun + 1);
}

static __always_inline void count_ended(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->mn_lock);
	if (KVM_BUG_ON(!mmu_invalidate_in_progress(kvm), kvm))
		return;

	WRITE_ONCE(kvm->mmu_invalidate_seq, kvm->mmu_invalidate_seq + 1);
	/* Pairs with smp_load_acquire() in mmu_invalidate_in_progress(). */
	smp_wmb();
	WRITE_ONCE(kvm->mmu_invalidate_ended, kvm->mmu_invalidate_ended + 1);
}

static void end_under_mmu_lock(struct kvm *kvm)
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	spin_lock(&kvm->mn_lock);
	count_ended(kvm);
	spin_unlock(&kvm->mn_lock);
}

/**
 * kvm_mmu_invalidate_end() - let guest memory be mapped again
 * @kvm: the VM, whose mmu_lock is held for write
 */
void kvm_mmu_invalidate_end(struct kvm *kvm)
{
	/* Between begin and end some range must have been added. */
	WARN_ON_ONCE(mmu_invalidate_range_is_empty(kvm));

	WRITE_ONCE(kvm->mmu_invalidate_by_gfns, kvm->mmu_invalidate_by_gfns - 1);
	end_under_mmu_lock(kvm);
}

#ifdef CONFIG_HAVE_KVM_UNLOCKED_INVALIDATE_END
/**
 * kvm_mmu_invalidates_page() - check whether a page is being invalidated
 * @kvm: the VM, whose mmu_lock is held
 * @slot: a memslot, with kvm->srcu held
 * @gfn: a guest frame of it, which is in the range that holds all invalidations
 *
 * @slot and whatever replaces it have @gfn at the same address until kvm->srcu has been
 * waited for, so the address can stand for the gfn.  One page is enough to ask about
 * for a huge one, too: what splits or replaces it in the host announces all of it.
 *
 * Context: mmu_lock is held.  Takes mn_lock.
 *
 * Return: false if it certainly isn't.
 */
bool kvm_mmu_invalidates_page(struct kvm *kvm, const struct kvm_memory_slot *slot,
			      gfn_t gfn)
{
	lockdep_assert_held(&kvm->mmu_lock);

	/* Invalidations by guest frames have no host address. */
	return kvm->mmu_invalidate_by_gfns ||
	       hva_is_covered(kvm, __gfn_to_hva_memslot(slot, gfn));
}

/**
 * kvm_mmu_may_invalidate_page() - guess whether a page is being invalidated
 * @kvm: the VM
 * @slot: a memslot, with kvm->srcu held
 * @gfn: a guest frame of it
 *
 * As kvm_mmu_invalidates_page(), without mn_lock: while a page really is being
 * invalidated, many vCPUs may ask again and again.
 *
 * Context: any.
 *
 * Return: true if it probably is.
 */
bool kvm_mmu_may_invalidate_page(struct kvm *kvm,
				 const struct kvm_memory_slot *slot, gfn_t gfn)
{
	unsigned long hva = __gfn_to_hva_memslot(slot, gfn);

	if (READ_ONCE(kvm->mmu_invalidate_by_gfns))
		return true;

	/* It is only a guess. */
	return data_race(ranges_cover(&kvm->mn_ranges, hva));
}
#endif

/*
 * Some architectures change the sequence number themselves, under mmu_lock: then an
 * end takes it, too.
 */
#define END_LOCKS_MMU	!IS_ENABLED(CONFIG_HAVE_KVM_UNLOCKED_INVALIDATE_END)

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
void kvm_mmu_notifier_flush_if(struct kvm *kvm, bool needed)
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

/* The guest frames of the memslot with a byte between @start and @end */
static __always_inline void hva_memslot_to_gfns(const struct hva_memslot *at,
						unsigned long start,
						unsigned long end,
						struct kvm_gfn_range *gfns)
{
	struct kvm_memory_slot *slot;
	unsigned long slot_start, slot_end;

	slot = container_of(at->node, struct kvm_memory_slot,
			    hva_node[at->slots->node_idx]);
	slot_start = slot->userspace_addr;
	slot_end = slot_start + (slot->npages << PAGE_SHIFT);

	start = max(start, slot_start);
	end = min(end, slot_end);
	gfns->slot = slot;
	gfns->start = hva_to_gfn_memslot(start, slot);
	gfns->end = hva_to_gfn_memslot(end + PAGE_SIZE - 1, slot);
}

/* Out of line: the registers that this needs are saved for nobody else. */
static noinline bool unmap_further_memslots(struct kvm *kvm,
					    const struct mmu_notifier_range *range,
					    struct hva_memslot at,
					    struct kvm_gfn_range *gfns)
{
	const unsigned long start = range->start, end = range->end;
	bool flush = false;

	do {
		hva_memslot_to_gfns(&at, start, end, gfns);
		flush |= kvm_mmu_unmap_gfn_range(kvm, gfns);
		at = hva_memslot_next(kvm, at, start, end);
	} while (at.node);

	return flush;
}

/* For a range in mn_ranges, the first of whose memslots is @at. */
static __always_inline bool unmap_hva_range(struct kvm *kvm,
					    const struct mmu_notifier_range *range,
					    struct hva_memslot at)
{
	const unsigned long start = range->start, end = range->end;
	struct kvm_gfn_range gfns = {
		.may_block = mmu_notifier_range_blockable(range),
		/* What is private to the guest has no host address. */
		.attr_filter = KVM_FILTER_SHARED,
	};
	bool flush;

	hva_memslot_to_gfns(&at, start, end, &gfns);
	mmu_invalidate_begin_with(kvm, gfns.start, gfns.end);
	flush = kvm_unmap_gfn_range(kvm, &gfns);

	at = hva_memslot_next(kvm, at, start, end);
	if (at.node)
		flush |= unmap_further_memslots(kvm, range, at, &gfns);

	return flush;
}

/*
 * Nothing below sleeps if the range is not blockable: the locks spin, and
 * the architecture keeps mmu_lock unless it is told that it may block.
 */
static int
kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	const unsigned long start = range->start, end = range->end;
	struct kvm *kvm = mn_to_kvm(mn);
	struct hva_memslot first;
	bool unmapped, deferred;

	trace_kvm_unmap_hva_range(start, end);

	/*
	 * Until the range has ended no memslots are published: for those that it
	 * touches no invalidation would have begun.  That keeps the memslots, too:
	 * kvm->srcu isn't needed.
	 */
	spin_lock(&kvm->mn_lock);
	first = range_began(kvm, start, end);
	spin_unlock(&kvm->mn_lock);

	/*
	 * Before mmu_lock, so that the caches' locks don't nest in it.  A cache that is
	 * added unseen looks for ranges later, under mn_lock, and finds this one.
	 */
	if (!list_empty(&kvm->gpc_list))
		gfn_to_pfn_cache_invalidate_start(kvm, range->start, range->end);

	if (!first.node)
		return 0;

	KVM_MMU_LOCK(kvm);
	unmapped = unmap_hva_range(kvm, range, first);
	deferred = unmapped && may_defer_flush(range);
	if (deferred)
		defer_flush(kvm);
	else
		kvm_mmu_notifier_flush_if(kvm, unmapped);
	KVM_MMU_UNLOCK(kvm);

	/*
	 * This is slow on x86 with encrypted guests: not under mmu_lock.  And not before
	 * the flush.
	 */
	if (!deferred)
		kvm_arch_guest_memory_reclaimed(kvm);

	return 0;
}

static void
kvm_mmu_notifier_invalidate_range_end(struct mmu_notifier *mn,
				      const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mn_to_kvm(mn);
	bool in_slots;

	spin_lock(&kvm->mn_lock);
	in_slots = range_ended(kvm, range->start, range->end);
	/* Memslots may be others soon: what began ends, whatever they are. */
	if (in_slots && !END_LOCKS_MMU)
		count_ended(kvm);
	spin_unlock(&kvm->mn_lock);

	if (in_slots && END_LOCKS_MMU) {
		KVM_MMU_LOCK(kvm);
		end_under_mmu_lock(kvm);
		KVM_MMU_UNLOCK(kvm);
	}

	/*
	 * Needs no barrier: a waiter that found the range running had queued itself, and
	 * then taken mn_lock to check, before it was taken here.
	 */
	if (waitqueue_active(&kvm->mn_wait))
		wake_up_all(&kvm->mn_wait);
}

/*
 * Ageing of the guest memory that the host range [@start, @end) backs.  The callers'
 * are constant and the walk is inlined into each of them, so that no handler is called
 * through a pointer.
 */
struct hva_ageing {
	unsigned long start;
	unsigned long end;
	/* Called for each memslot */
	bool (*handler)(struct kvm *kvm, struct kvm_gfn_range *range);
	/* Flush TLBs, once for all, if a handler returned true */
	bool flush;
	/* Age these, and no others; bit 0 is @start */
	struct mmu_notifier_young_pages *pages;
};

/* @gfns is what its memslot has of the range. */
static __always_inline bool age_single_gfns(struct kvm *kvm,
					    struct kvm_gfn_range *gfns,
					    const struct hva_ageing *ageing)
{
	unsigned long hva = max(ageing->start, gfns->slot->userspace_addr);
	struct kvm_age_gfns age = {
		.first	= gfns->start - ((hva - ageing->start) >> PAGE_SHIFT),
		.asked	= ageing->pages->asked,
		.young	= ageing->pages->young,
	};

	gfns->arg.age = &age;
	return ageing->handler(kvm, gfns);
}

static __always_inline bool
age_memslots(struct kvm *kvm, const struct hva_ageing *ageing,
	     struct hva_memslot at)
{
	const unsigned long start = ageing->start, end = ageing->end;
	struct kvm_gfn_range gfns = { .attr_filter = KVM_FILTER_SHARED };
	bool young = false;

	do {
		hva_memslot_to_gfns(&at, start, end, &gfns);
		young |= ageing->pages ? age_single_gfns(kvm, &gfns, ageing) :
					 ageing->handler(kvm, &gfns);
		at = hva_memslot_next(kvm, at, start, end);
	} while (at.node);
	kvm_mmu_notifier_flush_if(kvm, ageing->flush && young);

	return young;
}

static __always_inline bool
age_memslots_locked(struct kvm *kvm, const struct hva_ageing *ageing,
		    struct hva_memslot at)
{
	bool young;

	KVM_MMU_LOCK(kvm);
	young = age_memslots(kvm, ageing, at);
	KVM_MMU_UNLOCK(kvm);

	return young;
}

#define AGEING_LOCKS_MMU	!IS_ENABLED(CONFIG_HAVE_KVM_UNLOCKED_AGEING)

/*
 * The flush needs no mmu_lock either.  Until it comes, TLBs may hold what looks old in
 * the page tables.  That is so for good after clear_young(): whoever zaps such an spte,
 * or write-protects it, has to flush whether or not it is old.
 */
static __always_inline bool
kvm_age_hva_range(struct kvm *kvm, const struct hva_ageing *ageing)
{
	struct hva_memslot first;
	bool young = false;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	first = hva_memslot_first(kvm, ageing->start, ageing->end);
	if (first.node)
		young = AGEING_LOCKS_MMU ? age_memslots_locked(kvm, ageing, first) :
					   age_memslots(kvm, ageing, first);
	srcu_read_unlock(&kvm->srcu, idx);

	return young;
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
	const struct hva_ageing ageing = {
		.start		= start,
		.end		= end,
		.handler	= kvm_age_gfn,
		.flush		= true,
	};

	trace_kvm_age_hva(start, end);
	return kvm_age_hva_range(mn_to_kvm(mn), &ageing);
}

static int kvm_mmu_notifier_clear_young(struct mmu_notifier *mn,
					struct mm_struct *mm,
					unsigned long start, unsigned long end)
{
	const struct hva_ageing ageing = {
		.start		= start,
		.end		= end,
		.handler	= kvm_age_gfn,
	};

	trace_kvm_age_hva(start, end);
	return kvm_age_hva_range(mn_to_kvm(mn), &ageing);
}

static int kvm_mmu_notifier_test_young(struct mmu_notifier *mn,
				       struct mm_struct *mm,
				       unsigned long address)
{
	const struct hva_ageing ageing = {
		.start		= address,
		.end		= address + 1,
		.handler	= kvm_test_age_gfn,
	};

	trace_kvm_test_age_hva(address);
	return kvm_age_hva_range(mn_to_kvm(mn), &ageing);
}

#ifdef __KVM_HAVE_ARCH_AGE_GFNS
static __always_inline void
kvm_age_pages(struct kvm *kvm, struct mmu_notifier_young_pages *pages,
	      bool (*handler)(struct kvm *kvm, struct kvm_gfn_range *range))
{
	const struct hva_ageing ageing = {
		.start		= pages->start,
		.end		= pages->start + pages->nr * PAGE_SIZE,
		.handler	= handler,
		.pages		= pages,
	};

	kvm_age_hva_range(kvm, &ageing);
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
	wake_up_all(&kvm->mn_wait);

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
	init_waitqueue_head(&kvm->mn_wait);
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
	WARN_ON(waitqueue_active(&kvm->mn_wait));
	WARN_ON(!ranges_are_running(kvm) && mmu_invalidate_in_progress(kvm));
	kvm->mn_ranges.used = 0;
	kvm->mn_ranges.nr_others = 0;
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

/* Returns whether no range is running, and they are published. */
static bool publish_memslots(struct kvm *kvm, int as_id, struct kvm_memslots *slots)
{
	bool idle;

	spin_lock(&kvm->mn_lock);
	idle = !ranges_are_running(kvm);
	if (idle)
		rcu_assign_pointer(kvm->memslots[as_id], slots);
	spin_unlock(&kvm->mn_lock);

	return idle;
}

/**
 * kvm_mmu_notifier_publish_memslots() - make memslots the active ones
 * @kvm: the VM, whose slots_lock is held
 * @as_id: the address space
 * @slots: its new memslots
 *
 * Waits until no host range that KVM was notified of is between start and end: a
 * page of the new memslots could be mapped that one of these is about to take away,
 * as it began no invalidation for them; and they use the old ones without kvm->srcu.
 * Starts that come meanwhile go first, and are part of the same wait in the figures of
 * the mm.  Before that, if the memslots are outside of what KVM was notified of so far,
 * it waits for all others, which is a wait of its own.
 *
 * On return TLBs have nothing that was zapped before: of a memslot that is deleted or
 * moved, the invalidations have left no spte when it is published without it.
 */
void kvm_mmu_notifier_publish_memslots(struct kvm *kvm, int as_id,
				       struct kvm_memslots *slots)
{
	struct mmu_notifier_wait wait;

	watch_memslots(kvm, slots);

	if (!publish_memslots(kvm, as_id, slots)) {
		mmu_notifier_wait_begin(&wait, kvm->mm,
					MMU_NOTIFIER_WAIT_MEMSLOTS);
		wait_event(kvm->mn_wait, publish_memslots(kvm, as_id, slots));
		mmu_notifier_wait_end(&wait);
	}
	if (kvm_flush_is_deferred(kvm) &&
	    !mmu_notifier_suppressed("deferred_memslots"))
		kvm_flush_deferred(kvm);
}
