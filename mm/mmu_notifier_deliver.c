// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: delivery to subscribers of a whole mm.
 *
 * The hooks come here if their mm has had a subscription.  A callback that no
 * subscriber has costs a test of ->wants, and a range outside the span that they
 * care for one atomic operation at each end.  For the others the list is walked
 * without a lock: by a reader that is counted, since callbacks may sleep, or under
 * RCU if they may not.  Only tracepoints and options can make that longer: what calls
 * callbacks is inlined, as it would be without them.
 *
 * What holds:
 *
 *  - A range of which nobody was notified is counted as passed over until its end.
 *    So when mmu_notifier_add_span() returns, every range in progress that touches
 *    the span is one that is notified before page tables change.
 *  - A range remembers the newest subscriber that was notified of its start.  Those
 *    that join the list later have a greater serial number, and aren't called for
 *    this range.  So whoever is notified of the end has been of the start.  A range
 *    that found no subscriber to walk the list for, or began before the static key was
 *    on, is not marked as notified, and its end doesn't walk the list.
 *  - A start that fails leaves nobody notified: the end goes to exactly those whose
 *    start returned 0, and the range is not in progress any more.
 *  - Every start returns before a finish is called, and every finish before the
 *    page tables change or an end is called.  A subscription that left the list
 *    after its start has no finish, and needs none: before that its release() has
 *    returned, or its owner has put it, having dropped all translations.  Either
 *    has waited for what earlier starts had begun, and later ones find nothing to
 *    drop.
 *  - A start that may leave something in secondary TLBs is counted before and after;
 *    any other flushes for those that may have, see mmu_notifier_batch.c.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/rculist.h>

#include <trace/events/mmu_notifier.h>

#include "mmu_notifier_internal.h"

/* Whether a range must look into the list */
static bool is_list_concerned(struct mmu_notifier_subscriptions *subs)
{
	return mmu_notifier_wants(subs, WANTS_START | WANTS_END);
}

/* --- ranges --------------------------------------------------------------- */

static __always_inline void call_end(struct mmu_notifier *sub,
				     const struct mmu_notifier_range *range)
{
	const struct mmu_notifier_ops *ops = sub->ops;
	unsigned long switches;

	if (!mmu_notifier_should_call(sub, ops->invalidate_range_end))
		return;

	switches = mmu_notifier_call_begin(range);
	if (mmu_notifier_observed())
		mmu_notifier_observe_end(sub, range);
	else
		ops->invalidate_range_end(sub, range);
	mmu_notifier_call_end(range, switches, ops->invalidate_range_end);
}

/* Out of line, to keep it out of the loop.  Returns what the start of the range does. */
static noinline __cold int start_failed(const struct mmu_notifier *sub,
					const struct mmu_notifier_range *range,
					int ret)
{
	bool blockable = mmu_notifier_range_blockable(range);

	WARN_ONCE(blockable || ret != -EAGAIN,
		  "%ps failed with %d in a %sblockable range\n",
		  sub->ops->invalidate_range_start, ret,
		  blockable ? "" : "non-");
	/* In a blockable range the page tables change regardless. */
	return blockable ? 0 : ret;
}

static __always_inline int call_start(struct mmu_notifier *sub,
				      const struct mmu_notifier_range *range)
{
	const struct mmu_notifier_ops *ops = sub->ops;
	unsigned long switches;
	int ret;

	if (!mmu_notifier_should_call(sub, ops->invalidate_range_start))
		return 0;

	switches = mmu_notifier_call_begin(range);
	if (mmu_notifier_observed())
		ret = mmu_notifier_observe_start(sub, range);
	else
		ret = ops->invalidate_range_start(sub, range);
	mmu_notifier_call_end(range, switches, ops->invalidate_range_start);

	return likely(!ret) ? 0 : start_failed(sub, range, ret);
}

static void call_finish(struct mmu_notifier *sub,
			const struct mmu_notifier_range *range)
{
	unsigned long switches;

	if (!mmu_notifier_should_call(sub,
				      sub->ops->invalidate_range_start_finish))
		return;

	switches = mmu_notifier_call_begin(range);
	if (mmu_notifier_observed())
		mmu_notifier_observe_finish(sub, range);
	else
		sub->ops->invalidate_range_start_finish(sub, range);
	mmu_notifier_call_end(range, switches,
			      sub->ops->invalidate_range_start_finish);
}

/* To be asked after a walk */
static bool must_finish(struct mmu_notifier_subscriptions *subs)
{
	/*
	 * Pairs with hlist_add_head_rcu() in attach_notifier(): who was found in the
	 * list has set its bits before.  Between a walk and the end of a range there is
	 * mmu_notifier_walk_end(), a full barrier.
	 */
	smp_rmb();
	return mmu_notifier_wants(subs, WANTS_FINISH);
}

/*
 * Subscriptions are added only at the head of the list, and one that leaves it still
 * points to an older one: so the serial numbers that a walk finds decrease.
 */
static struct mmu_notifier *newest(struct mmu_notifier_subscriptions *subs)
{
	RCU_LOCKDEP_WARN(!mmu_notifier_may_walk(subs), "walk without a reader");
	return hlist_entry_safe(rcu_dereference_raw(hlist_first_rcu(&subs->list)),
				struct mmu_notifier, hlist);
}

/* Who joined the list after the start isn't called for the range any more. */
static bool was_notified(const struct mmu_notifier *sub,
			 const struct mmu_notifier_range *range)
{
	return sub->serial <= range->serial;
}

/* Serial numbers begin with 1: if none has failed, @failed_serial is 0. */
static void finish_starts(struct mmu_notifier_subscriptions *subs,
			  const struct mmu_notifier_range *range,
			  unsigned long failed_serial)
{
	struct mmu_notifier *sub;

	hlist_for_each_entry_srcu(sub, &subs->list, hlist,
				  mmu_notifier_may_walk(subs)) {
		if (sub->serial <= failed_serial)
			break;
		if (was_notified(sub, range))
			call_finish(sub, range);
	}
}

/*
 * The list is newest first.  Subscriptions may leave it, including the one that
 * failed, so the serial number shows which were notified before it.
 */
static void unwind_starts(struct mmu_notifier_subscriptions *subs,
			  const struct mmu_notifier_range *range,
			  unsigned long failed_serial)
{
	struct mmu_notifier *sub;

	if (must_finish(subs))
		finish_starts(subs, range, failed_serial);

	hlist_for_each_entry_srcu(sub, &subs->list, hlist,
				  mmu_notifier_may_walk(subs)) {
		if (sub->serial <= failed_serial)
			break;
		if (was_notified(sub, range))
			call_end(sub, range);
	}
}

/* Inlined, as it has one caller and is what most ranges come for */
static __always_inline int list_start(struct mmu_notifier_subscriptions *subs,
				      struct mmu_notifier_range *range)
{
	atomic_t *reader = mmu_notifier_walk_begin(subs->readers);
	struct mmu_notifier *sub = newest(subs);
	int ret = 0;

	range->serial = sub ? sub->serial : 0;
	hlist_for_each_entry_from_rcu(sub, hlist) {
		ret = call_start(sub, range);
		if (unlikely(ret)) {
			unwind_starts(subs, range, sub->serial);
			break;
		}
	}
	if (!ret && must_finish(subs))
		finish_starts(subs, range, 0);
	mmu_notifier_walk_end(subs->readers, reader);

	return ret;
}

/* What was dropped, but not flushed, this range doesn't find: it flushes afterwards. */
static int list_start_or_defer(struct mmu_notifier_subscriptions *subs,
			       struct mmu_notifier_range *range)
{
	int ret;

	if (mmu_notifier_range_may_defer(range))
		mmu_notifier_deferred_begins(subs);
	ret = list_start(subs, range);
	if (mmu_notifier_range_may_defer(range))
		mmu_notifier_deferred_done(subs);
	else if (mmu_notifier_has_deferred(subs))
		mmu_notifier_flush_earlier(subs, range->mm);
	return ret;
}

static void list_end(struct mmu_notifier_subscriptions *subs,
		     const struct mmu_notifier_range *range)
{
	atomic_t *reader = mmu_notifier_walk_begin(subs->readers);
	struct mmu_notifier *sub = newest(subs);

	hlist_for_each_entry_from_rcu(sub, hlist)
		if (was_notified(sub, range))
			break;
	/* All that follow are older. */
	hlist_for_each_entry_from_rcu(sub, hlist)
		call_end(sub, range);
	mmu_notifier_walk_end(subs->readers, reader);
}

/*
 * Whether nobody cares for a range.  If so, it is counted until its end: somebody
 * may come to care in the meantime, and waits for it.
 */
static bool pass_over(struct mmu_notifier_subscriptions *subs,
		      struct mmu_notifier_range *range)
{
	unsigned int reader;

	if (mmu_notifier_in_span(subs, range->start, range->end))
		return false;

	reader = mmu_notifier_reader_enter(subs->readers, MMU_NOTIFIER_PASSED);
	/* Again, since mmu_notifier_add_span() may just have missed the count. */
	if (mmu_notifier_in_span(subs, range->start, range->end)) {
		mmu_notifier_reader_leave(subs->readers, MMU_NOTIFIER_PASSED,
					  reader);
		return false;
	}
	range->flags |= MMU_NOTIFIER_RANGE_PASSED |
			reader << MMU_NOTIFIER_RANGE_READER_SHIFT;
	return true;
}

static void end_passed_over(struct mmu_notifier_subscriptions *subs,
			    struct mmu_notifier_range *range)
{
	mmu_notifier_reader_leave(subs->readers, MMU_NOTIFIER_PASSED,
				  range->flags >> MMU_NOTIFIER_RANGE_READER_SHIFT);
	range->flags &= BIT(MMU_NOTIFIER_RANGE_READER_SHIFT) - 1;
	range->flags &= ~MMU_NOTIFIER_RANGE_PASSED;
}

static void end_notified(struct mmu_notifier_subscriptions *subs,
			 struct mmu_notifier_range *range)
{
	range->flags &= ~MMU_NOTIFIER_RANGE_NOTIFIED;
	if (mmu_notifier_wants(subs, WANTS_END))
		list_end(subs, range);
}

static int notify_start(struct mmu_notifier_subscriptions *subs,
			struct mmu_notifier_range *range)
{
	int ret = 0;

	if (READ_ONCE(subs->intervals.open)) {
		ret = mmu_intervals_start(subs, range);
		if (ret)
			return ret;
	}

	if (is_list_concerned(subs) && !pass_over(subs, range)) {
		ret = list_start_or_defer(subs, range);
		if (ret)
			mmu_intervals_end(subs, range);
		else
			range->flags |= MMU_NOTIFIER_RANGE_NOTIFIED;
	}
	return ret;
}

int __mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	int ret;

	trace_mmu_notifier_range_start(range);
	mmu_notifier_record_range(range);
	ret = notify_start(range->mm->notifier_subscriptions, range);
	if (ret)
		mmu_notifier_forget_range(range);
	return ret;
}

void __mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
	struct mmu_notifier_subscriptions *subs =
		range->mm->notifier_subscriptions;

	if (mmu_notifier_range_blockable(range))
		might_sleep();
	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);

	mmu_intervals_end(subs, range);

	if (range->flags & MMU_NOTIFIER_RANGE_PASSED)
		end_passed_over(subs, range);
	else if (range->flags & MMU_NOTIFIER_RANGE_NOTIFIED)
		end_notified(subs, range);

	lock_map_release(&__mmu_notifier_invalidate_range_start_map);
	mmu_notifier_forget_range(range);
	trace_mmu_notifier_range_end(range);
}

/* --- accessed bits -------------------------------------------------------- */

static __always_inline int
call_clear_young(struct mmu_notifier *sub, mmu_notifier_clear_young_t callback,
		 struct mm_struct *mm, unsigned long start, unsigned long end)
{
	if (!mmu_notifier_should_call(sub, callback))
		return 0;
	if (mmu_notifier_observed())
		return mmu_notifier_observe_clear_young(sub, callback, mm,
							start, end);
	return callback(sub, mm, start, end);
}

static int call_test_young(struct mmu_notifier *sub, struct mm_struct *mm,
			   unsigned long address)
{
	if (!mmu_notifier_should_call(sub, sub->ops->test_young))
		return 0;
	if (mmu_notifier_observed())
		return mmu_notifier_observe_test_young(sub, mm, address);
	return sub->ops->test_young(sub, mm, address);
}

/* Inlined into its callers, for which @which is constant */
static __always_inline int clear_young(struct mm_struct *mm,
				       enum mmu_notifier_young which,
				       unsigned long start, unsigned long end)
{
	const bool flush = which == MMU_NOTIFIER_CLEAR_FLUSH_YOUNG;
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mmu_notifier *sub;
	int young = 0;

	if (!mmu_notifier_wants(subs, flush ? WANTS_FLUSH_YOUNG : WANTS_YOUNG) ||
	    !mmu_notifier_in_span(subs, start, end))
		return 0;

	rcu_read_lock();
	hlist_for_each_entry_rcu(sub, &subs->list, hlist)
		young |= call_clear_young(sub, flush ?
					  sub->ops->clear_flush_young :
					  sub->ops->clear_young, mm, start, end);
	rcu_read_unlock();
	/* If all is old nobody flushes, and reclaim goes on with its batch. */
	if (flush && young && mmu_notifier_has_deferred(subs))
		mmu_notifier_flush_earlier(subs, mm);

	mmu_notifier_record_young(subs);
	trace_mmu_notifier_young(mm, which, start, end, young);
	return young;
}

int __mmu_notifier_clear_flush_young(struct mm_struct *mm, unsigned long start,
				     unsigned long end)
{
	return clear_young(mm, MMU_NOTIFIER_CLEAR_FLUSH_YOUNG, start, end);
}

int __mmu_notifier_clear_young(struct mm_struct *mm, unsigned long start,
			       unsigned long end)
{
	return clear_young(mm, MMU_NOTIFIER_CLEAR_YOUNG, start, end);
}

int __mmu_notifier_test_young(struct mm_struct *mm, unsigned long address)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mmu_notifier *sub;
	int young = 0;

	if (!mmu_notifier_wants(subs, WANTS_TEST_YOUNG) ||
	    !mmu_notifier_in_span(subs, address, address + 1))
		return 0;

	rcu_read_lock();
	hlist_for_each_entry_rcu(sub, &subs->list, hlist) {
		young = call_test_young(sub, mm, address);
		if (young)
			break;
	}
	rcu_read_unlock();

	mmu_notifier_record_young(subs);
	trace_mmu_notifier_young(mm, MMU_NOTIFIER_TEST_YOUNG, address, address + 1,
				 young);
	return young;
}

/* --- accessed bits of many pages ------------------------------------------ */

bool __mmu_notifier_young_pages_init(struct mmu_notifier_young_pages *pages,
				     unsigned long start, unsigned long end)
{
	struct mmu_notifier_subscriptions *subs =
		pages->mm->notifier_subscriptions;
	unsigned long nr = (end - start) >> PAGE_SHIFT;

	if (!mmu_notifier_wants(subs, WANTS_YOUNG | WANTS_TEST_YOUNG) ||
	    !mmu_notifier_in_span(subs, start, end) ||
	    WARN_ON_ONCE(nr > MMU_NOTIFIER_YOUNG_PAGES))
		return false;

	pages->start = start;
	pages->nr = nr;
	bitmap_zero(pages->asked, nr);
	bitmap_zero(pages->young, nr);
	return true;
}

static int call_for_page(struct mmu_notifier *sub,
			 const struct mmu_notifier_young_pages *pages,
			 unsigned long address)
{
	if (pages->clear)
		return call_clear_young(sub, sub->ops->clear_young, pages->mm,
					address, address + PAGE_SIZE);
	return call_test_young(sub, pages->mm, address);
}

static void call_page_by_page(struct mmu_notifier *sub,
			      struct mmu_notifier_young_pages *pages)
{
	unsigned int i;

	for_each_set_bit(i, pages->asked, pages->nr) {
		/* To test, one that is young is enough. */
		if (!pages->clear && test_bit(i, pages->young))
			continue;
		if (call_for_page(sub, pages, pages->start + i * PAGE_SIZE))
			__set_bit(i, pages->young);
	}
}

static void call_young_pages(struct mmu_notifier *sub,
			     struct mmu_notifier_young_pages *pages)
{
	/* Nothing is left to be found out. */
	if (!pages->clear && bitmap_equal(pages->asked, pages->young, pages->nr))
		return;
	if (!sub->ops->young_pages)
		call_page_by_page(sub, pages);
	else if (!mmu_notifier_should_call(sub, sub->ops->young_pages))
		return;
	else if (mmu_notifier_observed())
		mmu_notifier_observe_young_pages(sub, pages);
	else
		sub->ops->young_pages(sub, pages);
}

static void trace_young_pages(const struct mmu_notifier_young_pages *pages)
{
	if (!trace_mmu_notifier_young_enabled())
		return;
	trace_mmu_notifier_young(pages->mm, pages->clear ?
				 MMU_NOTIFIER_CLEAR_YOUNG :
				 MMU_NOTIFIER_TEST_YOUNG, pages->start,
				 pages->start + pages->nr * PAGE_SIZE,
				 mmu_notifier_nr_young(pages));
}

static void ask_young_pages(struct mmu_notifier_young_pages *pages, bool clear)
{
	struct mmu_notifier_subscriptions *subs =
		pages->mm->notifier_subscriptions;
	struct mmu_notifier *sub;

	if (!mmu_notifier_wants(subs, clear ? WANTS_YOUNG : WANTS_TEST_YOUNG) ||
	    bitmap_empty(pages->asked, pages->nr))
		return;

	pages->clear = clear;
	rcu_read_lock();
	hlist_for_each_entry_rcu(sub, &subs->list, hlist)
		call_young_pages(sub, pages);
	rcu_read_unlock();

	mmu_notifier_record_young(subs);
	trace_young_pages(pages);
}

void __mmu_notifier_clear_young_pages(struct mmu_notifier_young_pages *pages)
{
	ask_young_pages(pages, true);
}

void __mmu_notifier_test_young_pages(struct mmu_notifier_young_pages *pages)
{
	ask_young_pages(pages, false);
}

/* --- TLBs that share the CPU's page tables -------------------------------- */

static void call_tlbs(struct mmu_notifier *sub, struct mm_struct *mm,
		      unsigned long start, unsigned long end)
{
	if (!mmu_notifier_should_call(sub, sub->ops->arch_invalidate_secondary_tlbs))
		return;
	if (mmu_notifier_observed())
		mmu_notifier_observe_tlbs(sub, mm, start, end);
	else
		sub->ops->arch_invalidate_secondary_tlbs(sub, mm, start, end);
}

void __mmu_notifier_arch_invalidate_secondary_tlbs(struct mm_struct *mm,
						   unsigned long start,
						   unsigned long end)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mmu_notifier *sub;

	if (!mmu_notifier_wants(subs, WANTS_TLB))
		return;

	rcu_read_lock();
	hlist_for_each_entry_rcu(sub, &subs->list, hlist)
		call_tlbs(sub, mm, start, end);
	rcu_read_unlock();
}
