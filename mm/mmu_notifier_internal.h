/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What registration (mmu_notifier.c), delivery (mmu_notifier_deliver.c) and interval
 * subscriptions (mmu_interval_notifier.c) share.
 */
#ifndef _MM_MMU_NOTIFIER_INTERNAL_H
#define _MM_MMU_NOTIFIER_INTERNAL_H

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "mmu_notifier_observe.h"
#include "mmu_notifier_readers.h"

/* What is costly to set up again stays for a while after its last user. */
#define MMU_NOTIFIER_LINGER	HZ

/**
 * struct mmu_notifier_intervals - the interval subscriptions of an mm
 * @open: ranges count themselves.  Set by the first subscription; cleared some time
 *	after the last one has gone, when no counted range is left.
 * @opening: but there may be ranges in progress that don't.  Until they have ended, the
 *	one who opened is counted in @in_progress for them.
 * @closing: that time has passed: the end of the last counted range clears @open
 * @two_passes: one of the subscriptions has, or has had, ->invalidate_start()
 * @nr: how many subscriptions there are
 * @seq: odd while the tree is frozen, which it is from the first invalidation
 *	that hits a subscription until no range is left in progress
 * @in_progress: ranges between start and end, whether they hit or not; counted
 *	without the lock
 * @first: no subscription has a lower address
 * @last: nor a higher one
 * @tree: the subscriptions by range; a range that froze it reads it without
 *	mmu_notifier_subscriptions::lock until it ends
 * @deferred: insertions and removals requested while the tree was frozen
 * @wq: waits for the tree to thaw
 * @close_work: sets @closing
 *
 * All but @in_progress is under mmu_notifier_subscriptions::lock.  @open to @last,
 * but for @opening and @nr, are also read without it.
 */
struct mmu_notifier_intervals {
	bool open;
	bool opening;
	bool closing;
	bool two_passes;
	unsigned long nr;
	unsigned long seq;
	atomic_long_t in_progress;
	unsigned long first;
	unsigned long last;
	struct rb_root_cached tree;
	struct hlist_head deferred;
	wait_queue_head_t wq;
	struct delayed_work close_work;
};

/**
 * struct mmu_notifier_deferred - whether secondary TLBs have to be flushed
 * @begun: ranges whose subscribers may have dropped something without a flush
 * @done: those of them whose subscribers have been notified
 * @flushed: what @done was when the last flush began that has ended
 *
 * See mmu_notifier_batch.c.
 */
struct mmu_notifier_deferred {
	atomic_long_t begun;
	atomic_long_t done;
	atomic_long_t flushed;
};

/**
 * struct mmu_notifier_subscriptions - all subscriptions of an mm
 * @list: the struct mmu_notifiers, newest first; written under @lock, read by
 *	@readers, and under RCU by those that call only what can't sleep
 * @wants: which callbacks the subscribers in @list have, see enum
 *	mmu_notifier_wants
 * @ever_wanted: all bits that @wants has had; written under @lock
 * @span: what holds all that the subscribers in @list care for
 * @armed: this mm holds a reference of the static key; under @lock
 * @serial: of the newest subscription in @list; under @lock
 * @lock: serializes changes.  Innermost, except for the workqueue and timer
 *	locks, which queueing works and the static key's own work takes.
 * @readers: those who are in a callback that may sleep, and ranges outside @span.
 *	Of this mm alone, so that a callback that sleeps delays only those that
 *	wait for this mm.  Allocated by the first subscription in @list.
 * @deferred: flushes of those in @list
 * @intervals: the other kind of subscription
 * @puts: subscriptions that were put and are to be freed
 * @put_work: frees them when no callback of theirs runs
 * @disarm_work: disarms, when the last range outside @span has ended
 * @destroy_work: frees all this; __mmdrop() can't wait for the other works
 * @figures: what debugfs shows of the mm
 *
 * Allocated by the first registration and freed after the mm, so a pointer to it
 * is valid for as long as the mm is.
 */
struct mmu_notifier_subscriptions {
	struct hlist_head list;
	unsigned int wants;
	unsigned int ever_wanted;
	struct mmu_notifier_span span;
	bool armed;
	unsigned long serial;
	spinlock_t lock;	/* @list to @serial, @readers, @intervals */
	struct mmu_notifier_readers *readers;
	struct mmu_notifier_deferred deferred;
	struct mmu_notifier_intervals intervals;
	struct llist_head puts;
	struct work_struct put_work;
	struct work_struct disarm_work;
	struct work_struct destroy_work;
	struct mmu_notifier_figures figures;
};

/*
 * Bits of mmu_notifier_subscriptions::wants.  A bit is set before its first
 * subscriber can be found in the list: a range that finds one between its start and
 * its end looks at the bits again.  It may be set spuriously.
 */
enum mmu_notifier_wants {
	WANTS_START		= 1 << 0,
	WANTS_END		= 1 << 1,
	WANTS_FLUSH_YOUNG	= 1 << 2,
	WANTS_YOUNG		= 1 << 3,
	WANTS_TEST_YOUNG	= 1 << 4,
	WANTS_TLB		= 1 << 5,
	WANTS_FINISH		= 1 << 6,
	WANTS_DEFERRED		= 1 << 7,
};

/* Those that a subscriber misses outside the span that it cares for */
#define WANTS_SPANNED	(WANTS_START | WANTS_END | WANTS_FLUSH_YOUNG | \
			 WANTS_YOUNG | WANTS_TEST_YOUNG)

/* Those that are called under RCU, and only under RCU */
#define WANTS_UNDER_RCU	(WANTS_FLUSH_YOUNG | WANTS_YOUNG | WANTS_TEST_YOUNG | \
			 WANTS_TLB | WANTS_DEFERRED)

/*
 * mmu_notifier_wants - check whether a walk of the list may find one of these callbacks
 *
 * Every walk checks it first, except those that hold ->lock, or call release().
 */
static inline bool mmu_notifier_wants(const struct mmu_notifier_subscriptions *subs,
				      unsigned int which)
{
	/*
	 * Pairs with smp_wmb() in attach_locked(), for ->readers; and with ->lock, from
	 * unlink_notifier() in one section to attach_notifier() in a later one: a walk
	 * that sees the bit of the second can't find what the first has unlinked, for
	 * which wait_for_walks() may not have waited.
	 */
	return smp_load_acquire(&subs->wants) & which;
}

/**
 * struct mmu_notifier_joining - how a subscription is to appear
 * @to_list: it is to the whole mm
 * @waits: its registration doesn't return before all ranges have ended that may not
 *	have seen it appear
 * @attach: puts it in place, under mmu_notifier_subscriptions::lock; can't fail, and
 *	is the first to write to it
 * @complete: called when these ranges have ended, with mmap_lock held; or NULL
 * @data: for both
 */
struct mmu_notifier_joining {
	bool to_list;
	bool waits;
	void (*attach)(struct mmu_notifier_subscriptions *subs, void *data);
	void (*complete)(struct mmu_notifier_subscriptions *subs, void *data);
	void *data;
};

int mmu_notifier_subscribe(struct mm_struct *mm, bool mmap_locked,
			   const struct mmu_notifier_joining *joining);
void mmu_notifier_lockdep_register(bool mmap_locked);

extern bool mmu_notifier_always_on;
int mmu_notifier_key_get(bool mmap_locked);
void mmu_notifier_key_put(void);
void mmu_notifier_disarm_if_unused(struct mmu_notifier_subscriptions *subs);
struct mmu_notifier_subscriptions *mmu_notifier_subscriptions_alloc(struct mm_struct *mm);
void mmu_notifier_wait_for_rcu(unsigned long grace_period);

void mmu_intervals_init(struct mmu_notifier_intervals *intervals);
int mmu_intervals_start(struct mmu_notifier_subscriptions *subs,
			struct mmu_notifier_range *range);
void mmu_intervals_end_counted(struct mmu_notifier_subscriptions *subs,
			       struct mmu_notifier_range *range);
void mmu_intervals_release(struct mmu_notifier_subscriptions *subs,
			   struct mm_struct *mm);
unsigned long mmu_intervals_bounds(struct mmu_notifier_subscriptions *subs,
				   unsigned long *first, unsigned long *last);

/* End a range, if it was counted. */
static inline void mmu_intervals_end(struct mmu_notifier_subscriptions *subs,
				     struct mmu_notifier_range *range)
{
	if (range->flags & MMU_NOTIFIER_RANGE_COUNTED)
		mmu_intervals_end_counted(subs, range);
}

/* What a range that hits calls first, by which the subscriber is known */
static inline const void *
mmu_interval_callback(const struct mmu_interval_notifier_ops *ops)
{
	if (ops->invalidate_start)
		return ops->invalidate_start;
	return ops->invalidate;
}

/* Call it.  What it leaves to be finished it stores in *@finish, which is NULL. */
static inline bool
mmu_interval_invalidate(struct mmu_interval_notifier *sub,
			const struct mmu_notifier_range *range,
			unsigned long cur_seq,
			struct mmu_interval_notifier_finish **finish)
{
	if (sub->ops->invalidate_start)
		return sub->ops->invalidate_start(sub, range, cur_seq, finish);
	return sub->ops->invalidate(sub, range, cur_seq);
}

/* Whether the caller may walk mmu_notifier_subscriptions::list */
static inline bool
mmu_notifier_may_walk(struct mmu_notifier_subscriptions *subs)
{
	return lockdep_is_held(&subs->lock) || lockdep_is_held(subs->readers);
}

/* --- which addresses subscribers care for --------------------------------- */

/* With READ_ONCE(), as whoever widens the span takes no lock of ours. */
static inline bool
mmu_notifier_in_span(const struct mmu_notifier_subscriptions *subs,
		     unsigned long start, unsigned long end)
{
	return start < READ_ONCE(subs->span.end) &&
	       end > READ_ONCE(subs->span.start);
}

/* --- flushes that were deferred, mmu_notifier_batch.c ---------------------- */

void mmu_notifier_deferred_begins(struct mmu_notifier_subscriptions *subs);
void mmu_notifier_deferred_done(struct mmu_notifier_subscriptions *subs);
void mmu_notifier_flush_earlier(struct mmu_notifier_subscriptions *subs,
				struct mm_struct *mm);

/* Whether a flush has ended that counts for @nr of the ranges that were deferred */
static inline bool
mmu_notifier_flushed_up_to(const struct mmu_notifier_subscriptions *subs, long nr)
{
	/* Pairs with the release in count_flushed(). */
	return nr - atomic_long_read_acquire(&subs->deferred.flushed) <= 0;
}

/* Whether something may have been dropped that wasn't flushed */
static inline bool
mmu_notifier_has_deferred(const struct mmu_notifier_subscriptions *subs)
{
	return !mmu_notifier_flushed_up_to(subs,
					   atomic_long_read(&subs->deferred.begun));
}

/* --- whether a subscription exists ---------------------------------------- */

/* ->self while the owner waits for callbacks that may still run */
static inline const struct mmu_subscribed *
mmu_subscription_ending(const struct mmu_subscribed *subscribed)
{
	return (const void *)subscribed + 1;
}

static inline bool mmu_is_subscribed(const struct mmu_subscribed *subscribed)
{
	const struct mmu_subscribed *self = READ_ONCE(subscribed->self);

	return self == subscribed || self == mmu_subscription_ending(subscribed);
}

/* After the subscription is filled in, before it can be found. */
static inline void mmu_subscription_begins(struct mmu_subscribed *subscribed)
{
	WRITE_ONCE(subscribed->self, subscribed);
}

static inline void mmu_subscription_ended(struct mmu_subscribed *subscribed)
{
	WRITE_ONCE(subscribed->self, NULL);
}

/* --- run-time checks, mmu_notifier_debug.c -------------------------------- */

void mmu_notifier_report(enum mmu_notifier_fault fault,
			 const struct mmu_notifier_hook *hook,
			 const void *callback);

#ifdef CONFIG_DEBUG_MMU_NOTIFIER
bool mmu_notifier_debug_inside(const struct mm_struct *mm);
int mmu_notifier_suppress(const char *pattern);
#else
static inline bool mmu_notifier_debug_inside(const struct mm_struct *mm)
{
	return false;
}
#endif /* CONFIG_DEBUG_MMU_NOTIFIER */

/* Before a callback: only a bug of the core lets it find one that has ended. */
static inline bool
mmu_notifier_debug_may_call(const struct mmu_subscribed *subscribed,
			    const void *callback)
{
	if (!IS_ENABLED(CONFIG_DEBUG_MMU_NOTIFIER) ||
	    mmu_is_subscribed(subscribed))
		return true;
	mmu_notifier_report(MMU_NOTIFIER_NOT_SUBSCRIBED, NULL, callback);
	return false;
}

/* Whether to call @callback of a subscription that is in the list */
static inline bool mmu_notifier_should_call(const struct mmu_notifier *sub,
					    const void *callback)
{
	return callback &&
	       mmu_notifier_debug_may_call(&sub->subscribed, callback);
}

/* Before a subscription of @ops begins. */
static inline bool
mmu_notifier_debug_may_begin(const struct mmu_subscribed *subscribed,
			     const void *ops)
{
	if (!IS_ENABLED(CONFIG_DEBUG_MMU_NOTIFIER) ||
	    !mmu_is_subscribed(subscribed))
		return true;
	mmu_notifier_report(MMU_NOTIFIER_SUBSCRIBED_TWICE, NULL, ops);
	return false;
}

/* Before the owner drops a reference of a subscription of @ops. */
static inline bool mmu_notifier_may_put(const struct mmu_subscribed *subscribed,
					const void *ops)
{
	if (likely(READ_ONCE(subscribed->self) == subscribed))
		return true;
	mmu_notifier_report(MMU_NOTIFIER_NOT_SUBSCRIBED, NULL, ops);
	return false;
}

/* Before the owner ends a subscription of @ops, which is done only once. */
static inline bool mmu_notifier_may_end(struct mmu_subscribed *subscribed,
					const void *ops)
{
	if (likely(cmpxchg(&subscribed->self, subscribed,
			   mmu_subscription_ending(subscribed)) == subscribed))
		return true;
	mmu_notifier_report(MMU_NOTIFIER_NOT_SUBSCRIBED, NULL, ops);
	return false;
}

/*
 * Around a callback.  In a range that may not block it must not sleep:
 * might_sleep() reports that it could have, the count of voluntary context
 * switches that it has.
 */
static inline unsigned long
mmu_notifier_call_begin(const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		non_block_start();
	return current->nvcsw;
}

static inline void
mmu_notifier_call_end(const struct mmu_notifier_range *range,
		      unsigned long switches, const void *callback)
{
	if (mmu_notifier_range_blockable(range))
		return;

	non_block_end();
	if (IS_ENABLED(CONFIG_DEBUG_MMU_NOTIFIER) &&
	    !IS_ENABLED(CONFIG_PREEMPT_RT) && current->nvcsw != switches)
		mmu_notifier_report(MMU_NOTIFIER_SLEPT, NULL, callback);
}

#endif /* _MM_MMU_NOTIFIER_INTERNAL_H */
