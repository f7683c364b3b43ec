// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: one flush of secondary TLBs for a batch of folios.
 *
 * Reclaim and migration unmap many folios and then flush the CPU's TLBs once.  A
 * subscriber with ->flush_deferred() may do the same: in the start of a range that
 * mmu_notifier_range_may_defer() its flush, it drops translations, and leaves them in
 * its TLB until ->flush_deferred().  All others flush at the start, as ever.
 *
 * What holds until then:
 *
 *  - A stale TLB entry leads to a folio that is locked by the task that has unmapped
 *    it.  That task calls mmu_notifier_flush_batch() before it unlocks the folio, and
 *    before it writes it, copies it or drops it.
 *
 *  - Or it leads to a page that is still mapped there: the reverse map also finds where
 *    the folio was once mapped, say before a COW, and the range is announced before that
 *    turns out.  Nothing has happened to that page, and whoever takes it away announces a
 *    range, which flushes.
 *
 *  - A range that began earlier, and has not ended, leaves nothing to be dropped where the
 *    two overlap: at its start subscribers have flushed, and until its end nothing is
 *    established there.  So it doesn't have to look for flushes that were deferred since.
 *
 *  - Nothing else is mapped at such an address.  What reclaim leaves there for an
 *    anonymous folio is an entry of the swap cache, migration one of its own, and a page
 *    of a file is found in the page cache: each is waited for with the folio's lock.
 *    What maps something else, by a range, flushes when that starts.  userfaultfd fills
 *    empty entries of private mappings without either, and calls
 *    mmu_notifier_flush_deferred().
 *
 *  - What can be written through the TLB entry is dirty for the primary MMU: when a
 *    subscriber drops a translation, it marks the page dirty if the translation is, or
 *    else its hardware must not write through the TLB without the translation, which
 *    is gone.  Still, lazily freed folios aren't deferred: nobody would read them again.
 *
 *  - Any other range of the mm that a subscriber is notified of flushes before its start
 *    returns, whatever it covers.  So does release(), and what ages with a flush, if it
 *    finds something that is young.  If it doesn't, there may be a page that was used by
 *    way of the TLB only, until it is flushed for the batch; it looks young the next
 *    time.  To flush for each page that is old would leave nothing of a batch: reclaim
 *    ages one folio after another, and unmaps those that are old.
 *
 * A task remembers the mms with a range that it has deferred, each once, and pins
 * them.  If there is no room, the range isn't deferred.
 *
 * Three counters tell whether a flush is due:
 *
 *	range that is deferred		flush			later range
 *
 *	begun++				n = done		drop translations
 *	drop translations		flush			if (begun > flushed)
 *	done++				flushed = max(n)		flush
 *	...
 *	if (done > flushed)
 *		flush
 *
 * A flush counts only for what was done when it began, since the others may drop
 * something when it is too late for that.  But a later range may find nothing left to be
 * dropped although the one that has dropped it isn't done: for that there is @begun.
 * It is incremented before anything is dropped, so whoever sees a translation dropped
 * (under the lock of the subscriber, or that of the page table) sees it.  Two may flush
 * for the same, but neither goes on before one such flush has ended.
 *
 * tools/verification/models/mmu_notifier/batch.pml is a model of this.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>

#include "mmu_notifier_internal.h"

/* That of @to is a flush that has ended; a later one may have, too. */
static void count_flushed(struct mmu_notifier_deferred *deferred, long to)
{
	long flushed = atomic_long_read(&deferred->flushed);

	/* Pairs with the acquire in mmu_notifier_flushed_up_to(). */
	while (to - flushed > 0 &&
	       !atomic_long_try_cmpxchg_release(&deferred->flushed, &flushed, to))
		;
}

/* Under RCU, as the callbacks of ageing: for both see wait_for_walks(). */
static void call_flush_deferred(struct mmu_notifier_subscriptions *subs,
				struct mm_struct *mm)
{
	struct mmu_notifier *sub;

	rcu_read_lock();
	hlist_for_each_entry_rcu(sub, &subs->list, hlist)
		if (mmu_notifier_should_call(sub, sub->ops->flush_deferred))
			sub->ops->flush_deferred(sub, mm);
	rcu_read_unlock();
}

static void flush_subscribers(struct mmu_notifier_subscriptions *subs,
			      struct mm_struct *mm)
{
	struct mmu_notifier_deferred *deferred = &subs->deferred;
	/* A.  Pairs with B: what was dropped by those that are done is flushed. */
	long done = atomic_long_read_acquire(&deferred->done);

	if (mmu_notifier_wants(subs, WANTS_DEFERRED))
		call_flush_deferred(subs, mm);

	count_flushed(deferred, done);
}

/* Before the start of a range that is deferred */
void mmu_notifier_deferred_begins(struct mmu_notifier_subscriptions *subs)
{
	atomic_long_inc(&subs->deferred.begun);
	/*
	 * Before a subscriber drops anything.  Pairs with the subscriber's lock, and with
	 * the lock of the page table, by which others see that something is gone.
	 */
	smp_mb__after_atomic();
}

/* When its subscribers have been notified */
void mmu_notifier_deferred_done(struct mmu_notifier_subscriptions *subs)
{
	/* B.  Pairs with A. */
	smp_mb__before_atomic();
	atomic_long_inc(&subs->deferred.done);
}

/*
 * When the subscribers have been notified of a range that isn't deferred, have flushed
 * for accessed bits, or were released: there is something that was deferred before.
 */
void mmu_notifier_flush_earlier(struct mmu_notifier_subscriptions *subs,
				struct mm_struct *mm)
{
	if (mmu_notifier_suppressed("keeps_out"))
		return;
	flush_subscribers(subs, mm);
}

void __mmu_notifier_flush_deferred(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;

	if (!mmu_notifier_has_deferred(subs) ||
	    mmu_notifier_suppressed("flush_mapped"))
		return;
	flush_subscribers(subs, mm);
}

/* Returns whether the mm is one of those that this task will flush for. */
static bool remember(struct tlbflush_unmap_batch *batch, struct mm_struct *mm)
{
	unsigned int i;

	for (i = 0; i < batch->nr_mms; i++)
		if (batch->mms[i] == mm)
			return true;
	if (i == MMU_NOTIFIER_BATCH_MMS)
		return false;

	/* It may exit before the flush.  Dropped by __mmu_notifier_flush_batch(). */
	mmgrab(mm);
	batch->mms[i] = mm;
	batch->nr_mms = i + 1;
	return true;
}

/**
 * mmu_notifier_range_defer - let secondary TLBs be flushed after a range
 * @range: one that mmu_notifier_range_has_notifiers(); its start call must follow
 *
 * Subscribers that can may leave translations of the range in their TLBs until
 * mmu_notifier_flush_batch(), which this task must call.  If too many mms wait for that,
 * the range is one as any other.
 *
 * Context: as for the start call.  The folio is locked.
 */
void mmu_notifier_range_defer(struct mmu_notifier_range *range)
{
	struct mmu_notifier_subscriptions *subs =
		range->mm->notifier_subscriptions;

	/*
	 * If somebody joins the list who could defer the flush, between this and the
	 * start, or leaves it, that does no harm: the flush is that of whoever is in it
	 * then, and who leaves has flushed.
	 */
	if ((READ_ONCE(subs->wants) & WANTS_DEFERRED) &&
	    mmu_notifier_in_span(subs, range->start, range->end) &&
	    remember(&current->tlb_ubc, range->mm))
		range->flags |= MMU_NOTIFIER_RANGE_DEFERRED;
}

void __mmu_notifier_flush_batch(void)
{
	struct tlbflush_unmap_batch *batch = &current->tlb_ubc;
	unsigned int i;

	for (i = 0; i < batch->nr_mms; i++) {
		struct mm_struct *mm = batch->mms[i];
		struct mmu_notifier_subscriptions *subs =
			mm->notifier_subscriptions;

		/* Others may have flushed for what this task has done. */
		if (!mmu_notifier_flushed_up_to(subs, atomic_long_read(&subs->deferred.done)) &&
		    !mmu_notifier_suppressed("flush_batch"))
			flush_subscribers(subs, mm);
		mmdrop(mm);
	}
	batch->nr_mms = 0;
}
