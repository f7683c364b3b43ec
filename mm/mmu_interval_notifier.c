// SPDX-License-Identifier: GPL-2.0
/*
 * Interval subscriptions: a subscriber to one range of an mm, with a sequence
 * number to order its page lookups against invalidations.
 *
 * Subscriptions are in an interval tree.  A range that hits one freezes the tree,
 * so that the callbacks, which may sleep, can be called while walking it without
 * a lock.  As ranges overlap freely, the tree thaws when no range at all is left
 * in progress; insertions and removals requested meanwhile are put on a list, and
 * the end of the last range carries them out.
 *
 * Ranges are counted from the first subscription until some time after the last one
 * has gone, when no counted range is left.  (Some drivers insert and remove one for
 * each page fault; they should not take the locks of the mm for each.)
 *
 * The first one may be inserted while ranges are in progress that don't count
 * themselves.  Its insertion waits until these have ended, see attach_locked(), and
 * until then it is counted for them: nothing thaws, closes or is read.  Other
 * insertions wait for it, as they would look at a count that isn't complete.
 *
 * A counted range carries MMU_NOTIFIER_RANGE_COUNTED, and its end relies on that.
 * It counts itself without a lock, and if it is outside of what the subscriptions
 * span, that is all.  The others look at the count to find out whether ranges are in
 * progress that have not seen what they change:
 *
 *	range				insertion, closing
 *
 *	count itself			widen the span, freeze; or clear ->open
 *	(A) full barrier		(B) full barrier
 *	look at ->open, the span	look at the count
 *	...
 *	count itself out		freeze; or set ->closing
 *	(C) full barrier		(B) full barrier
 *	look at ->seq, ->closing	look at the count
 *
 * Either the range sees the change, or it is counted when the other one looks.  So
 * it finds a subscription or is one for which the tree is frozen; and whoever leaves a
 * frozen tree, or a closing, to the last range that ends is seen by that range.
 *
 * The sequence number ->seq has two uses.  Odd means frozen.  And it dates
 * subscriptions: ->invalidate() stores the odd number of the freeze it belongs
 * to in the subscription, under the subscriber's own lock.  So a subscription
 *
 *	that carries the current number	has been hit, by a range that may still
 *					be in progress: a reader waits;
 *	that carries another number	has not been hit in this freeze: a
 *					reader goes ahead with that number;
 *	whose number changed since	was hit in between: the reader retries.
 *
 * Stored numbers are always odd and ->seq of a thawed tree is even, so a stale
 * number can't be taken for the current one while nothing is in progress, not
 * even after ->seq has wrapped.
 *
 * A subscriber may drop its translations in two passes.  All that a range hits have
 * returned from ->invalidate_start(), which stores the number as ->invalidate()
 * does, before the first ->invalidate_finish() is called; and all have finished
 * before the start of the range returns or, if it fails, before the range is counted
 * out.  So the tree stays frozen, and a removal waits, from the first pass until
 * after the second.
 *
 * All of this is under mmu_notifier_subscriptions::lock, except for the count and the
 * looks above, and that the tree may be read without it between a start that hit and
 * its end.  Callbacks take the
 * subscriber's own lock, and run without this one.
 */
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/llist.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>

#include <trace/events/mmu_notifier.h>

#include "mmu_notifier_internal.h"

/* Even, and far from the odd number 1 below it that a subscription starts with */
#define FIRST_SEQ	2

static bool is_frozen(const struct mmu_notifier_intervals *intervals)
{
	return intervals->seq & 1;
}

/*
 * A reader in have_ended() may see this number instead of the one that thaw()
 * stored.  thaw() held the lock, too, which orders the reader's lookup all the same.
 */
static void freeze(struct mmu_notifier_intervals *intervals)
{
	WRITE_ONCE(intervals->seq, intervals->seq | 1);
}

static struct mmu_interval_notifier *
to_interval_sub(struct interval_tree_node *node)
{
	return container_of(node, struct mmu_interval_notifier, interval_tree);
}

/* A subscription whose insertion is deferred is in no tree yet. */
static bool in_tree(const struct mmu_interval_notifier *sub)
{
	return !RB_EMPTY_NODE(&sub->interval_tree.rb);
}

/*
 * Readers and removals wait for ranges to end, and so for everything that
 * callbacks and changes of page tables in these ranges wait for.
 */
static void lockdep_will_wait_for_ranges(void)
{
	mmu_notifier_lockdep_reclaim();
}

/* --- counting ranges ------------------------------------------------------ */

/* Not while insertions are deferred: the span holds them, too. */
static void span_tree(struct mmu_notifier_intervals *intervals)
{
	const struct rb_root_cached *tree = &intervals->tree;
	unsigned long first = ULONG_MAX, last = 0;

	if (!RB_EMPTY_ROOT(&tree->rb_root)) {
		first = rb_entry(rb_first_cached(tree),
				 struct interval_tree_node, rb)->start;
		last = rb_entry(tree->rb_root.rb_node,
				struct interval_tree_node, rb)->__subtree_last;
	}
	WRITE_ONCE(intervals->first, first);
	WRITE_ONCE(intervals->last, last);
}

/* If there is none, whatever the caller does comes after the end of the last one. */
static bool is_any_counted(struct mmu_notifier_intervals *intervals)
{
	/* Pairs with atomic_long_dec_and_test() in uncount_range(). */
	return atomic_long_read_acquire(&intervals->in_progress);
}

/*
 * Stop counting ranges, if that is due and no counted one is left.  The next
 * subscription is then inserted as the first one was.
 *
 * If the tree is still frozen, the last range is on its way here.  So nobody waits for
 * a thaw when the next one opens, and none comes to wait for the locks that it takes.
 */
static void close_if_due(struct mmu_notifier_subscriptions *subs)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;

	lockdep_assert_held(&subs->lock);
	if (!intervals->closing || is_any_counted(intervals) ||
	    is_frozen(intervals))
		return;

	WRITE_ONCE(intervals->open, false);
	/* (B), pairs with (A) in count_range(). */
	smp_mb();
	/* It may just have been counted; then it comes here when it ends. */
	if (is_any_counted(intervals))
		return;
	WRITE_ONCE(intervals->closing, false);
	mmu_notifier_disarm_if_unused(subs);
}

static void close_work(struct work_struct *work)
{
	struct mmu_notifier_subscriptions *subs =
		container_of(to_delayed_work(work),
			     struct mmu_notifier_subscriptions,
			     intervals.close_work);
	struct mmu_notifier_intervals *intervals = &subs->intervals;

	spin_lock(&subs->lock);
	if (intervals->open && !intervals->nr)
		WRITE_ONCE(intervals->closing, true);
	/* (B), pairs with (C) in uncount_range(). */
	smp_mb();
	close_if_due(subs);
	spin_unlock(&subs->lock);
}

void mmu_intervals_init(struct mmu_notifier_intervals *intervals)
{
	intervals->seq = FIRST_SEQ;
	intervals->tree = RB_ROOT_CACHED;
	span_tree(intervals);
	INIT_HLIST_HEAD(&intervals->deferred);
	init_waitqueue_head(&intervals->wq);
	INIT_DELAYED_WORK(&intervals->close_work, close_work);
}

static void remove_from_tree(struct mmu_notifier_intervals *intervals,
			     struct mmu_interval_notifier *sub)
{
	interval_tree_remove(&sub->interval_tree, &intervals->tree);
	RB_CLEAR_NODE(&sub->interval_tree.rb);
}

/* Carry out what was requested while the tree was frozen; then it has no walkers. */
static void thaw(struct mmu_notifier_intervals *intervals)
{
	struct mmu_interval_notifier *sub;
	struct hlist_node *next;

	/*
	 * A reader that sees the new number in have_ended() looks up pages next,
	 * and must see what the ended ranges did to the page tables.  Pairs with
	 * smp_load_acquire() there.
	 */
	smp_store_release(&intervals->seq, intervals->seq + 1);
	if (hlist_empty(&intervals->deferred))
		return;
	hlist_for_each_entry_safe(sub, next, &intervals->deferred,
				  deferred_item) {
		hlist_del(&sub->deferred_item);
		if (in_tree(sub))
			remove_from_tree(intervals, sub);
		else
			interval_tree_insert(&sub->interval_tree,
					     &intervals->tree);
	}
	span_tree(intervals);
}

/* Thaw and close, if that is left to the last range that ends. */
static void after_last_range(struct mmu_notifier_subscriptions *subs)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;
	bool thaws;

	spin_lock(&subs->lock);
	/* Another range may have begun meanwhile, and hit. */
	thaws = is_frozen(intervals) && !is_any_counted(intervals);
	if (thaws)
		thaw(intervals);
	close_if_due(subs);
	spin_unlock(&subs->lock);

	/*
	 * The full barrier in it is between the new number and the queue: whoever isn't
	 * seen there sees the number, as wait_event() queues the task first, and has
	 * such a barrier, too.  tools/verification/models/mmu_notifier/wake.pml is a
	 * model of this.
	 */
	if (thaws && wq_has_sleeper(&intervals->wq))
		wake_up_all(&intervals->wq);
}

static void uncount_range(struct mmu_notifier_subscriptions *subs)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;

	/* (C), a full barrier, pairs with (B) in attach_interval() and close_work(). */
	if (!atomic_long_dec_and_test(&intervals->in_progress))
		return;
	if ((READ_ONCE(intervals->seq) & 1) || READ_ONCE(intervals->closing))
		after_last_range(subs);
}

/*
 * Count a range as in progress.
 *
 * Return: false if no range is counted any more.
 */
static bool count_range(struct mmu_notifier_subscriptions *subs,
			struct mmu_notifier_range *range)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;

	atomic_long_inc(&intervals->in_progress);
	/* (A), pairs with (B) in attach_interval() and close_if_due(). */
	smp_mb__after_atomic();
	if (!READ_ONCE(intervals->open)) {
		uncount_range(subs);
		return false;
	}
	range->flags |= MMU_NOTIFIER_RANGE_COUNTED;
	return true;
}

/*
 * first_hit - find what a range hits, and freeze the tree if it hits
 * @subs: the mm's subscriptions
 * @range: the range, which is counted
 * @cur_seq: the number to store in what it hits
 *
 * Return: the first node, if any.
 */
static struct interval_tree_node *
first_hit(struct mmu_notifier_subscriptions *subs,
	  const struct mmu_notifier_range *range, unsigned long *cur_seq)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;
	struct interval_tree_node *hit;

	if (range->end <= READ_ONCE(intervals->first) ||
	    range->start > READ_ONCE(intervals->last))
		return NULL;

	spin_lock(&subs->lock);
	hit = interval_tree_iter_first(&intervals->tree, range->start,
				       range->end - 1);
	if (hit)
		freeze(intervals);
	*cur_seq = intervals->seq;
	spin_unlock(&subs->lock);

	return hit;
}

/* --- delivery ------------------------------------------------------------- */

/*
 * start_full - call a subscription that may have two passes or be observed
 * @sub: the subscription
 * @range: the range
 * @cur_seq: the number to store
 * @begun: what is to be finished, last one first
 *
 * Out of line, to keep it out of the loop over those with one pass.
 *
 * Return: what the callback returned.
 */
static noinline bool start_full(struct mmu_interval_notifier *sub,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq, struct llist_head *begun)
{
	struct mmu_interval_notifier_finish *finish = NULL;
	bool done;

	if (mmu_interval_observed())
		done = mmu_notifier_observe_invalidate(sub, range, cur_seq,
						       &finish);
	else
		done = mmu_interval_invalidate(sub, range, cur_seq, &finish);

	/* In a range that may block it goes on regardless. */
	if (finish && (done || mmu_notifier_range_blockable(range))) {
		finish->notifier = sub;
		__llist_add(&finish->link, begun);
	}
	return done;
}

/* Notify a subscription that a range hits.  Returns false if the range can't go on. */
static __always_inline bool start_one(struct mmu_interval_notifier *sub,
				      const struct mmu_notifier_range *range,
				      unsigned long cur_seq,
				      struct llist_head *begun, bool full)
{
	const struct mmu_interval_notifier_ops *ops = sub->ops;
	const void *callback = mmu_interval_callback(ops);
	unsigned long switches;
	bool done;

	if (!mmu_notifier_debug_may_call(&sub->subscribed, callback))
		return true;

	switches = mmu_notifier_call_begin(range);
	if (full)
		done = start_full(sub, range, cur_seq, begun);
	else
		done = ops->invalidate(sub, range, cur_seq);
	mmu_notifier_call_end(range, switches, callback);

	/* In a range that may block the page tables change regardless. */
	return likely(done) || WARN_ON_ONCE(mmu_notifier_range_blockable(range));
}

/* Inlined twice, see start_all(). */
static __always_inline bool
start_each(struct interval_tree_node *node,
	   const struct mmu_notifier_range *range, unsigned long cur_seq,
	   struct llist_head *begun, bool full)
{
	unsigned long first = range->start, last = range->end - 1;

	do {
		if (!start_one(to_interval_sub(node), range, cur_seq, begun,
			       full))
			return false;
		node = interval_tree_iter_next(node, first, last);
	} while (node);

	return true;
}

/*
 * start_all - notify all subscriptions that a range hits
 * @intervals: the mm's interval subscriptions
 * @node: the first one that is hit
 * @range: the range
 * @cur_seq: the number to store
 * @begun: what is to be finished, last one first
 *
 * What they share is looked at only once.  Whoever is in the tree has set ->two_passes
 * under the lock that first_hit() has taken after that.  And whoever turns on a
 * tracepoint sees the callbacks of ranges that start later.
 *
 * Return: false if the range can't go on.
 */
static bool start_all(const struct mmu_notifier_intervals *intervals,
		      struct interval_tree_node *node,
		      const struct mmu_notifier_range *range,
		      unsigned long cur_seq, struct llist_head *begun)
{
	if (READ_ONCE(intervals->two_passes) || mmu_interval_observed())
		return start_each(node, range, cur_seq, begun, true);
	return start_each(node, range, cur_seq, begun, false);
}

static void call_finish(struct mmu_interval_notifier_finish *finish,
			const struct mmu_notifier_range *range)
{
	/* The callback may free @finish. */
	const struct mmu_interval_notifier_ops *ops = finish->notifier->ops;
	unsigned long switches = mmu_notifier_call_begin(range);

	if (mmu_notifier_observed())
		mmu_notifier_observe_invalidate_finish(finish, range);
	else
		ops->invalidate_finish(finish);
	mmu_notifier_call_end(range, switches, ops->invalidate_finish);
}

static noinline void finish_all(struct llist_head *begun,
				const struct mmu_notifier_range *range)
{
	struct mmu_interval_notifier_finish *finish, *next;
	struct llist_node *first;

	first = llist_reverse_order(__llist_del_all(begun));
	llist_for_each_entry_safe(finish, next, first, link)
		call_finish(finish, range);
}

/* Both passes.  Returns false if the range can't go on. */
static bool notify_all(const struct mmu_notifier_intervals *intervals,
		       struct interval_tree_node *node,
		       const struct mmu_notifier_range *range,
		       unsigned long cur_seq)
{
	LLIST_HEAD(begun);
	bool done = start_all(intervals, node, range, cur_seq, &begun);

	if (!llist_empty(&begun))
		finish_all(&begun, range);
	return done;
}

/**
 * mmu_intervals_start - notify the subscriptions that a range hits
 * @subs: the mm's subscriptions
 * @range: the range
 *
 * Return: 0, and mmu_intervals_end() must follow; or -EAGAIN, only for a range
 * that may not block, and mmu_intervals_end() must not follow.
 */
int mmu_intervals_start(struct mmu_notifier_subscriptions *subs,
			struct mmu_notifier_range *range)
{
	struct interval_tree_node *node;
	unsigned long cur_seq = 0;

	if (!count_range(subs, range))
		return 0;

	node = first_hit(subs, range, &cur_seq);
	if (!node || notify_all(&subs->intervals, node, range, cur_seq))
		return 0;
	mmu_intervals_end(subs, range);
	return -EAGAIN;
}

/**
 * mmu_intervals_end_counted - end a range that was counted
 * @subs: the mm's subscriptions
 * @range: the range
 */
void mmu_intervals_end_counted(struct mmu_notifier_subscriptions *subs,
			       struct mmu_notifier_range *range)
{
	range->flags &= ~MMU_NOTIFIER_RANGE_COUNTED;
	uncount_range(subs);
}

/**
 * mmu_intervals_release - notify all subscriptions of the end of the address space
 * @subs: the mm's subscriptions
 * @mm: the mm
 */
void mmu_intervals_release(struct mmu_notifier_subscriptions *subs,
			   struct mm_struct *mm)
{
	struct mmu_notifier_range range = {
		.mm = mm,
		.start = 0,
		.end = ULONG_MAX,
		.flags = MMU_NOTIFIER_RANGE_BLOCKABLE,
		.event = MMU_NOTIFY_RELEASE,
	};

	mmu_notifier_record_range(&range);
	mmu_intervals_start(subs, &range);
	mmu_intervals_end(subs, &range);
	mmu_notifier_forget_range(&range);
}

/*
 * Have @seq's ranges ended?  If so, whatever the caller looks up next, perhaps
 * without a lock, it looks up after their end.
 */
static bool have_ended(struct mmu_notifier_intervals *intervals, unsigned long seq)
{
	/* Pairs with smp_store_release() in thaw(). */
	return smp_load_acquire(&intervals->seq) != seq;
}

/* --- the subscriber's side ------------------------------------------------ */

/**
 * mmu_interval_read_begin - begin to look up pages in the range
 * @interval_sub: the subscription
 *
 * Waits for invalidations that have hit the range.  What is looked up afterwards
 * may be mapped if mmu_interval_read_retry(), called under the subscriber's own
 * lock, finds that none has hit since.  There may have been one by the time this
 * function returns; to let the caller bound its attempts, it doesn't look again.
 *
 * If an invalidation's callback stores its number after it is sampled here, the
 * subscriber's lock makes the reader see that.  If it stored it before, then
 * either the number is current, and the lookup comes after the wait for the
 * range's end; or the tree had thawed before the number was sampled, under the
 * same lock and after the range's end, and the lookup comes after that.
 *
 * Context: may sleep, until no range of the mm is in progress.  Not from a
 * callback.  The caller holds no lock that a callback takes, or that is acquired
 * between the start of a range and its end; mmap_lock is neither.
 *
 * Return: the number for mmu_interval_read_retry().
 */
unsigned long mmu_interval_read_begin(struct mmu_interval_notifier *interval_sub)
{
	struct mmu_notifier_subscriptions *subs =
		interval_sub->mm->notifier_subscriptions;
	struct mmu_notifier_intervals *intervals = &subs->intervals;
	struct mmu_notifier_wait wait;
	unsigned long seq;
	bool being_hit;

	spin_lock(&subs->lock);
	/* Pairs with WRITE_ONCE() in mmu_interval_set_seq(). */
	seq = READ_ONCE(interval_sub->invalidate_seq);
	being_hit = seq == intervals->seq;
	spin_unlock(&subs->lock);

	lockdep_will_wait_for_ranges();
	if (being_hit && !have_ended(intervals, seq)) {
		mmu_notifier_wait_begin(&wait, interval_sub->mm,
					MMU_NOTIFIER_WAIT_READ);
		wait_event(intervals->wq, have_ended(intervals, seq));
		mmu_notifier_wait_end(&wait);
	}
	return seq;
}
EXPORT_SYMBOL_GPL(mmu_interval_read_begin);

struct insertion {
	struct mmu_interval_notifier *sub;
	struct mm_struct *mm;
	const struct mmu_interval_notifier_ops *ops;
	unsigned long start;
	unsigned long last;
	bool opens;
};

/*
 * The subscription is written only when the insertion can't fail any more: drivers
 * look at its fields to see whether it is inserted.
 *
 * A range in progress may be one that hits, but it looked for subscriptions before
 * this one was there.  So a new subscription counts as hit, and its first reader
 * waits, unless the tree thaws again at once because there is no such range.
 */
static void attach_interval(struct mmu_notifier_subscriptions *subs, void *data)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;
	struct insertion *insertion = data;
	struct mmu_interval_notifier *sub = insertion->sub;
	bool was_frozen = is_frozen(intervals);

	lockdep_assert_held(&subs->lock);

	/* Dropped by mmu_interval_notifier_remove(). */
	mmgrab(insertion->mm);
	sub->mm = insertion->mm;
	sub->ops = insertion->ops;
	RB_CLEAR_NODE(&sub->interval_tree.rb);
	sub->interval_tree.start = insertion->start;
	sub->interval_tree.last = insertion->last;
	sub->retry = (struct mmu_notifier_retry) { };
	mmu_subscription_begins(&sub->subscribed);

	intervals->nr++;
	if (sub->ops->invalidate_start)
		WRITE_ONCE(intervals->two_passes, true);
	WRITE_ONCE(intervals->closing, false);
	if (!intervals->open) {
		/* Until complete_insertion(). */
		insertion->opens = true;
		intervals->opening = true;
		atomic_long_inc(&intervals->in_progress);
		WRITE_ONCE(intervals->open, true);
	}

	WRITE_ONCE(intervals->first, min(intervals->first, insertion->start));
	WRITE_ONCE(intervals->last, max(intervals->last, insertion->last));
	if (was_frozen)
		hlist_add_head(&sub->deferred_item, &intervals->deferred);
	else
		interval_tree_insert(&sub->interval_tree, &intervals->tree);
	freeze(intervals);
	sub->invalidate_seq = intervals->seq;

	/* (B), pairs with (A) in count_range() and (C) in uncount_range(). */
	smp_mb();
	if (!was_frozen && !is_any_counted(intervals))
		thaw(intervals);
}

/* All ranges in progress count themselves. */
static void complete_insertion(struct mmu_notifier_subscriptions *subs,
			       void *data)
{
	const struct insertion *insertion = data;

	if (!insertion->opens)
		return;

	spin_lock(&subs->lock);
	subs->intervals.opening = false;
	spin_unlock(&subs->lock);
	uncount_range(subs);
}

/*
 * Only the first subscription has to wait for ranges in progress, and others until it
 * has.  Afterwards ranges are counted.
 *
 * Return: whether it is attached; if not, it must be attached as the first one.
 */
static bool attach_to_open(struct mm_struct *mm, struct insertion *insertion)
{
	struct mmu_notifier_subscriptions *subs;
	bool open;

	/* Pairs with smp_store_release() in attach_locked(). */
	subs = smp_load_acquire(&mm->notifier_subscriptions);
	if (!subs)
		return false;

	spin_lock(&subs->lock);
	open = subs->intervals.open && !subs->intervals.opening;
	if (open)
		attach_interval(subs, insertion);
	spin_unlock(&subs->lock);

	return open;
}

/* Not inlined, so that all callers share the WARN_ON_ONCE(). */
static noinline int insert_interval(struct mmu_interval_notifier *sub,
				    struct mm_struct *mm, unsigned long start,
				    unsigned long length,
				    const struct mmu_interval_notifier_ops *ops,
				    bool mmap_locked)
{
	struct insertion insertion = {
		.sub = sub,
		.mm = mm,
		.ops = ops,
		.start = start,
	};
	const struct mmu_notifier_joining joining = {
		.waits = true,
		.attach = attach_interval,
		.complete = complete_insertion,
		.data = &insertion,
	};
	int ret = 0;

	if (!length || check_add_overflow(start, length - 1, &insertion.last))
		return -EOVERFLOW;
	if (WARN_ON_ONCE(atomic_read(&mm->mm_users) <= 0))
		return -EINVAL;
	if (WARN_ON_ONCE(ops->invalidate_start && !ops->invalidate_finish))
		return -EINVAL;
	if (!mmu_notifier_debug_may_begin(&sub->subscribed, ops))
		return -EBUSY;
	if (mmu_notifier_debug_inside(mm))
		return -EDEADLK;

	mmu_notifier_lockdep_register(mmap_locked);
	if (!attach_to_open(mm, &insertion))
		ret = mmu_notifier_subscribe(mm, mmap_locked, &joining);
	if (!ret)
		trace_mmu_notifier_register(mm, ops,
					    MMU_NOTIFIER_KIND_INTERVAL);
	return ret;
}

/**
 * mmu_interval_notifier_insert - subscribe to a range of an mm
 * @interval_sub: the subscription
 * @mm: current->mm, or an mm that the caller has pinned with mmget()
 * @start: first address
 * @length: in bytes
 * @ops: the callbacks
 *
 * From here on @ops->invalidate_start() or, if there is none, @ops->invalidate() is
 * called for every invalidation that intersects the range, except for those already
 * in progress, for which mmu_interval_read_begin() waits.  Pins @mm with mmgrab()
 * until mmu_interval_notifier_remove(), which must follow.
 *
 * Context: may sleep.  If @mm has no other interval subscription, takes
 * cpu_hotplug_lock, then mmap_lock for writing, the VMA locks and, one at a time, the
 * reverse map locks of the mm.  The caller holds none of them, nor a lock that a
 * callback takes, those of @interval_sub included.
 *
 * Return: 0; -EOVERFLOW if @length is 0 or too large, -EINTR if a signal is
 * pending, -ENOMEM, or -EINVAL if @ops has an invalidate_start() alone.  Then nothing
 * has changed, in the mm or in @interval_sub.  With CONFIG_DEBUG_MMU_NOTIFIER also,
 * after a report, -EBUSY if @interval_sub is inserted and -EDEADLK in a callback of
 * @mm.
 */
int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub,
				 struct mm_struct *mm, unsigned long start,
				 unsigned long length,
				 const struct mmu_interval_notifier_ops *ops)
{
	might_lock(&mm->mmap_lock);

	return insert_interval(interval_sub, mm, start, length, ops, false);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert);

/**
 * mmu_interval_notifier_insert_locked - subscribe with mmap_lock held
 * @interval_sub: the subscription
 * @mm: current->mm, or an mm that the caller has pinned with mmget()
 * @start: first address
 * @length: in bytes
 * @ops: the callbacks
 *
 * See mmu_interval_notifier_insert().
 *
 * Context: may sleep.  mmap_lock is held for writing.  If @mm has no other interval
 * subscription, takes the VMA locks and, one at a time, the reverse map locks of the
 * mm.  The caller holds no lock that a callback takes.
 *
 * Return: as mmu_interval_notifier_insert(); also -EAGAIN if this would be the
 * first subscription in the system and CPU hotplug takes very long.
 */
int mmu_interval_notifier_insert_locked(struct mmu_interval_notifier *interval_sub,
					struct mm_struct *mm,
					unsigned long start,
					unsigned long length,
					const struct mmu_interval_notifier_ops *ops)
{
	mmap_assert_write_locked(mm);

	return insert_interval(interval_sub, mm, start, length, ops, true);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert_locked);

/*
 * remove_or_defer - take a subscription out of the tree, now or later
 *
 * Return: 0 if it is out; otherwise the number of the freeze that keeps it in.
 */
static unsigned long remove_or_defer(struct mmu_notifier_subscriptions *subs,
				     struct mmu_interval_notifier *sub)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;
	unsigned long seq = 0;

	spin_lock(&subs->lock);
	if (!is_frozen(intervals)) {
		if (!WARN_ON_ONCE(!in_tree(sub))) {
			remove_from_tree(intervals, sub);
			span_tree(intervals);
		}
	} else if (!in_tree(sub)) {
		hlist_del(&sub->deferred_item);
	} else {
		hlist_add_head(&sub->deferred_item, &intervals->deferred);
		seq = intervals->seq;
	}
	if (!--intervals->nr)
		mod_delayed_work(system_unbound_wq, &intervals->close_work,
				 MMU_NOTIFIER_LINGER);
	spin_unlock(&subs->lock);

	return seq;
}

/* Under the lock, so that thaw() is complete. */
static bool has_thawed(struct mmu_notifier_subscriptions *subs,
		       unsigned long seq)
{
	bool thawed;

	spin_lock(&subs->lock);
	thawed = subs->intervals.seq != seq;
	spin_unlock(&subs->lock);

	return thawed;
}

/**
 * mmu_interval_notifier_remove - end a subscription
 * @interval_sub: what was inserted
 *
 * On return the callback is not running and will not run, and the reference to
 * the mm is dropped.  If it is not inserted, warns and does nothing.
 *
 * Context: may sleep, until no range of the mm is in progress.  Not from a
 * callback.  The caller holds no lock that a callback takes, or that is acquired
 * between the start of a range and its end; mmap_lock is neither.
 */
void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub)
{
	struct mmu_notifier_subscriptions *subs;
	struct mmu_notifier_wait wait;
	struct mm_struct *mm;
	unsigned long seq;

	if (!mmu_notifier_may_end(&interval_sub->subscribed, interval_sub->ops))
		return;

	mm = interval_sub->mm;
	subs = mm->notifier_subscriptions;
	if (mmu_notifier_debug_inside(mm)) {
		mmu_subscription_begins(&interval_sub->subscribed);
		return;
	}

	might_sleep();
	lockdep_will_wait_for_ranges();
	trace_mmu_notifier_unregister(mm, interval_sub->ops,
				      MMU_NOTIFIER_KIND_INTERVAL);

	seq = remove_or_defer(subs, interval_sub);
	if (seq) {
		mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_REMOVE);
		wait_event(subs->intervals.wq, has_thawed(subs, seq));
		mmu_notifier_wait_end(&wait);
	}

	mmu_subscription_ended(&interval_sub->subscribed);
	/* Pairs with mmgrab() in attach_interval(). */
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_remove);

#ifdef CONFIG_MMU_NOTIFIER_STATS
/*
 * For mmu_interval_read_retry().  A driver may still ask it when it has removed the
 * subscription, and the mm may be gone.
 */
void mmu_interval_retried(struct mmu_interval_notifier *interval_sub)
{
	if (mmu_is_subscribed(&interval_sub->subscribed))
		mmu_notifier_retried(&interval_sub->retry, interval_sub->mm,
				     mmu_interval_callback(interval_sub->ops),
				     interval_sub->interval_tree.start);
}
EXPORT_SYMBOL_GPL(mmu_interval_retried);

/**
 * mmu_intervals_bounds - find out what the interval subscriptions span
 * @subs: the mm's subscriptions
 * @first: where to store the lowest address
 * @last: where to store the highest address
 *
 * Return: how many subscriptions there are; if none, the bounds mean nothing.
 */
unsigned long mmu_intervals_bounds(struct mmu_notifier_subscriptions *subs,
				   unsigned long *first, unsigned long *last)
{
	struct mmu_notifier_intervals *intervals = &subs->intervals;
	unsigned long nr;

	spin_lock(&subs->lock);
	nr = intervals->nr;
	*first = intervals->first;
	*last = intervals->last;
	spin_unlock(&subs->lock);

	return nr;
}
#endif
