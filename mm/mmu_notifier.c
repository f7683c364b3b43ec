// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: the subscriptions of an mm, from registration to removal.
 *
 * They are in a list that delivery (mmu_notifier_deliver.c) walks as a reader,
 * see mmu_notifier_readers.h, since callbacks may sleep; or under RCU, for those that
 * may not.  Every mm has readers of its own.
 *
 * A subscription appears while ranges are in progress, and they remember of whom they
 * were notifying: see mmu_notifier_deliver.c.  Then registration takes and releases, in
 * turn, each lock under which a range can be in progress: it has mmap_lock for
 * writing, and takes every VMA lock and every reverse map lock.  A range that looked for
 * subscribers before the subscription appeared has begun under one of these locks
 * before registration came to it, and registration waits for its end.  One that begins
 * under a lock that registration has passed finds the subscription.
 * TLBs are flushed under the same locks.  Accessed bits and release() need none.
 * A removal takes none of them: it waits for the callbacks that are running.
 *
 * Lock order:
 *
 *	mmap_lock
 *	  cpu_hotplug_lock (only tried), then the jump label locks
 *	  VMA locks, a reverse map lock: mm_pass_all_locks(), see mm_all_locks.c
 *	  mmu_notifier_subscriptions::lock
 *
 * Whoever waits for readers holds the mutex for that, see mmu_notifier_readers.c,
 * and takes nothing inside.
 *
 * What holds:
 *
 *  - The static key is on from before a subscription appears until after the
 *    last one has gone.  It changes while ranges are in progress, but only in
 *    mms that have no subscription.
 *  - From when a subscription appears nothing can fail any more: it may already have
 *    been notified.
 *  - mmap_lock is held until registration has passed all locks, so whoever finds a
 *    subscription with mmap_lock held finds one whose registration is complete.
 *  - Whoever finds ->released clear under the lock calls release(), so it is
 *    called once.  The subscription stays in the list until release() has
 *    returned: what it still maps is still invalidated.
 *  - exit_mmap() frees no page before every release() has returned, whoever
 *    called it: __mmu_notifier_release() waits for readers, and release() is called
 *    by one.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include <kunit/static_stub.h>

#include <trace/events/mmu_notifier.h>

#include "mm_all_locks.h"
#include "mmu_notifier_internal.h"

#ifdef CONFIG_LOCKDEP
struct lockdep_map __mmu_notifier_invalidate_range_start_map = {
	.name = "mmu_notifier_invalidate_range_start"
};
#endif

/* A subscription is a reader from its last put until it is freed. */
DEFINE_STATIC_SRCU(mmu_notifier_puts);

/* --- reports -------------------------------------------------------------- */

static const char * const fault_texts[NR_MMU_NOTIFIER_FAULTS] = {
	[MMU_NOTIFIER_UNINITIALISED]	= "start of a range that was never initialised",
	[MMU_NOTIFIER_STARTED_TWICE]	= "start of a range that has not ended",
	[MMU_NOTIFIER_REUSED]		= "start of a range that has ended",
	[MMU_NOTIFIER_NOT_STARTED]	= "end of a range that was never started",
	[MMU_NOTIFIER_NOT_ENDED]	= "a range was started and never ended",
	[MMU_NOTIFIER_SLEPT]		= "a callback slept in a range that may not block",
	[MMU_NOTIFIER_NOT_SUBSCRIBED]	= "use of a subscription that ended or never began",
	[MMU_NOTIFIER_SUBSCRIBED_TWICE]	= "registration of a subscription that is registered",
	[MMU_NOTIFIER_CHANGED_INSIDE]	= "a callback changes the subscriptions of its own mm",
	[MMU_NOTIFIER_EXIT_INSIDE]	= "a callback drops the last reference of an mm",
};

/**
 * mmu_notifier_report - report what a check has found
 * @fault: what was found
 * @hook: the range's, or NULL
 * @culprit: the callback, the ops or the caller at fault, or NULL
 *
 * Tests replace it with a function of their own.
 */
void mmu_notifier_report(enum mmu_notifier_fault fault,
			 const struct mmu_notifier_hook *hook,
			 const void *culprit)
{
	static unsigned long seen;

	KUNIT_STATIC_STUB_REDIRECT(mmu_notifier_report, fault, hook, culprit);

	/* Once for each fault: a broken path may well be a busy one. */
	if (test_and_set_bit(fault, &seen))
		return;
	WARN(1, "MMU notifiers: %s: %s %s, %ps\n", fault_texts[fault],
	     hook ? hook->function : "-", hook ? hook->what : "-", culprit);
}

static unsigned int wanted_by(const struct mmu_notifier_ops *ops)
{
	return (ops->invalidate_range_start ? WANTS_START : 0) |
	       (ops->invalidate_range_end ? WANTS_END : 0) |
	       (ops->clear_flush_young ? WANTS_FLUSH_YOUNG : 0) |
	       (ops->clear_young ? WANTS_YOUNG : 0) |
	       (ops->test_young ? WANTS_TEST_YOUNG : 0) |
	       (ops->arch_invalidate_secondary_tlbs ? WANTS_TLB : 0) |
	       (ops->invalidate_range_start_finish ? WANTS_FINISH : 0) |
	       (ops->flush_deferred ? WANTS_DEFERRED : 0);
}

/* --- the span that subscribers care for ----------------------------------- */

static bool span_is_empty(struct mmu_notifier_span span)
{
	return span.start >= span.end;
}

/* The smallest span that holds both */
static struct mmu_notifier_span join_spans(struct mmu_notifier_span a,
					   struct mmu_notifier_span b)
{
	if (span_is_empty(a))
		return b;
	if (span_is_empty(b))
		return a;
	return (struct mmu_notifier_span){
		.start = min(a.start, b.start),
		.end = max(a.end, b.end),
	};
}

static struct mmu_notifier_span initial_span(const struct mmu_notifier_ops *ops)
{
	struct mmu_notifier_span span = { };

	if (!ops->only_spanned && (wanted_by(ops) & WANTS_SPANNED))
		span.end = ULONG_MAX;
	return span;
}

/*
 * A range may read one bound before and the other after.  That is harmless: a span
 * shrinks only to something that is in it; and of one that grows, a range reads the
 * old one or more, and mmu_notifier_add_span() or the registration waits for it.  It
 * grows to everything when the list is empty.
 */
static void set_span(struct mmu_notifier_subscriptions *subs,
		     struct mmu_notifier_span span)
{
	lockdep_assert_held(&subs->lock);
	WRITE_ONCE(subs->span.start, span.start);
	WRITE_ONCE(subs->span.end, span.end);
}

/**
 * mmu_notifier_add_span - extend what a subscriber is notified of
 * @subscription: registered, with ops->only_spanned
 * @start: first address
 * @end: end address, exclusive
 *
 * On return every range in progress that touches the addresses, or those between
 * this and what was added earlier, is one that the subscriber has been notified of,
 * or will be before page tables change.  There is no way back: what the subscriber
 * cared for once it may still hold.
 *
 * Context: may sleep, until the ranges in progress of which nobody was notified have
 * ended.  The mm is in use.  The caller holds neither mmap_lock nor a lock that is
 * acquired between the start of a range and its end.
 */
void mmu_notifier_add_span(struct mmu_notifier *subscription,
			   unsigned long start, unsigned long end)
{
	struct mmu_notifier_subscriptions *subs =
		subscription->mm->notifier_subscriptions;
	struct mmu_notifier_span span = { .start = start, .end = end };
	struct mmu_notifier_wait wait;

	spin_lock(&subs->lock);
	subscription->span = join_spans(subscription->span, span);
	if (!hlist_unhashed(&subscription->hlist))
		set_span(subs, join_spans(subs->span, subscription->span));
	spin_unlock(&subs->lock);

	/*
	 * A range has seen the new span, or is waited for; even if the span was wide
	 * enough, as whoever has made it so may still wait.
	 */
	if (mmu_notifier_readers_have_left(subs->readers, MMU_NOTIFIER_PASSED))
		return;
	mmu_notifier_wait_begin(&wait, subscription->mm, MMU_NOTIFIER_WAIT_SPAN);
	mmu_notifier_readers_wait(subs->readers, MMU_NOTIFIER_PASSED);
	mmu_notifier_wait_end(&wait);
}
EXPORT_SYMBOL_GPL(mmu_notifier_add_span);

/* --- when the static key may be turned off ------------------------------- */

static bool may_disarm(struct mmu_notifier_subscriptions *subs)
{
	lockdep_assert_held(&subs->lock);
	return subs->armed && hlist_empty(&subs->list) &&
	       !subs->intervals.open && !subs->intervals.closing;
}

static void disarm_now(struct mmu_notifier_subscriptions *subs)
{
	subs->armed = false;
	mmu_notifier_key_put();
}

static void disarm_work(struct work_struct *work)
{
	struct mmu_notifier_subscriptions *subs =
		container_of(work, struct mmu_notifier_subscriptions, disarm_work);
	unsigned long serial;
	bool due;

	spin_lock(&subs->lock);
	due = may_disarm(subs);
	serial = subs->serial;
	spin_unlock(&subs->lock);
	if (!due)
		return;

	/* With an empty list no more is passed over, see sum_up(). */
	mmu_notifier_readers_wait(subs->readers, MMU_NOTIFIER_PASSED);

	/* If a subscription has come and gone meanwhile, this work is queued again. */
	spin_lock(&subs->lock);
	if (may_disarm(subs) && subs->serial == serial)
		disarm_now(subs);
	spin_unlock(&subs->lock);
}

/**
 * mmu_notifier_disarm_if_unused - drop an mm's reference of the static key
 * @subs: the mm's subscriptions, of which one has just ended
 *
 * A range that is counted, by either kind of subscription, needs its end, so the key
 * stays on until none is left.
 *
 * Context: atomic.  mmu_notifier_subscriptions::lock is held.
 */
void mmu_notifier_disarm_if_unused(struct mmu_notifier_subscriptions *subs)
{
	if (!may_disarm(subs))
		return;

	if (subs->readers)
		queue_work(system_unbound_wq, &subs->disarm_work);
	else
		disarm_now(subs);
}

/* --- the subscriptions of an mm ------------------------------------------- */

static void subscriptions_destroy_work(struct work_struct *work)
{
	struct mmu_notifier_subscriptions *subs =
		container_of(work, struct mmu_notifier_subscriptions,
			     destroy_work);

	/* The mm may be freed before close_work has run, which may queue the other. */
	cancel_delayed_work_sync(&subs->intervals.close_work);
	cancel_work_sync(&subs->disarm_work);
	if (subs->armed)
		mmu_notifier_key_put();
	/* Its mmdrop() may have brought us here. */
	flush_work(&subs->put_work);
	mmu_notifier_readers_free(subs->readers);
	mmu_notifier_figures_free(&subs->figures);
	kfree(subs);
}

static void free_puts_work(struct work_struct *work);

/* Non-static for the tests, which make it fail. */
struct mmu_notifier_subscriptions *
mmu_notifier_subscriptions_alloc(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs;

	KUNIT_STATIC_STUB_REDIRECT(mmu_notifier_subscriptions_alloc, mm);

	subs = kzalloc(sizeof(*subs), GFP_KERNEL_ACCOUNT);
	if (!subs)
		return NULL;
	if (mmu_notifier_figures_init(&subs->figures, mm)) {
		kfree(subs);
		return NULL;
	}

	INIT_HLIST_HEAD(&subs->list);
	spin_lock_init(&subs->lock);
	mmu_intervals_init(&subs->intervals);
	init_llist_head(&subs->puts);
	INIT_WORK(&subs->put_work, free_puts_work);
	INIT_WORK(&subs->disarm_work, disarm_work);
	INIT_WORK(&subs->destroy_work, subscriptions_destroy_work);
	return subs;
}

/* Every subscription pins the mm, so a freed mm has none. */
void __mmu_notifier_subscriptions_destroy(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;

	WARN_ON_ONCE(!hlist_empty(&subs->list) || subs->intervals.nr);
	mmu_notifier_figures_hide(&subs->figures);
	mm->notifier_subscriptions = NULL;
	queue_work(system_unbound_wq, &subs->destroy_work);
}

/*
 * attach_locked - make a subscription appear, and wait for ranges that don't know of it
 *
 * Consumes the caller's reference of the static key on success.
 */
static int attach_locked(struct mm_struct *mm,
			 const struct mmu_notifier_joining *joining)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mmu_notifier_readers *new_readers = NULL;
	bool was_armed;
	int ret = -ENOMEM;

	mmap_assert_write_locked(mm);
	if (WARN_ON_ONCE(atomic_read(&mm->mm_users) <= 0))
		return -EINVAL;

	if (!subs) {
		subs = mmu_notifier_subscriptions_alloc(mm);
		if (!subs)
			return -ENOMEM;
	}
	if (joining->to_list && !subs->readers) {
		new_readers = mmu_notifier_readers_alloc();
		if (!new_readers)
			goto undo;
	}
	if (signal_pending(current)) {
		ret = -EINTR;
		goto undo;
	}

	spin_lock(&subs->lock);
	if (new_readers) {
		subs->readers = new_readers;
		/*
		 * A range that finds ->wants set uses ->readers.  Pairs with
		 * smp_load_acquire() in mmu_notifier_wants().
		 */
		smp_wmb();
	}
	/* For attach_to_open(), and for hooks, which depend on the address. */
	smp_store_release(&mm->notifier_subscriptions, subs);
	was_armed = subs->armed;
	subs->armed = true;
	joining->attach(subs, joining->data);
	spin_unlock(&subs->lock);
	mmu_notifier_figures_show(&subs->figures);

	if (joining->waits)
		mm_pass_all_locks(mm);
	if (joining->complete)
		joining->complete(subs, joining->data);

	if (was_armed)
		mmu_notifier_key_put();
	return 0;

undo:
	mmu_notifier_readers_free(new_readers);
	if (!mm->notifier_subscriptions)
		subscriptions_destroy_work(&subs->destroy_work);
	return ret;
}

/**
 * mmu_notifier_subscribe - make a subscription of either kind appear
 * @mm: the address space; the caller has it in use
 * @mmap_locked: the caller holds its mmap_lock for writing
 * @joining: the subscription, and how it appears
 *
 * Return: 0; -EINTR if a signal is pending, -ENOMEM, or -EAGAIN if @mmap_locked
 * and CPU hotplug prevents the static key from being turned on.  Then nothing has
 * changed.
 */
int mmu_notifier_subscribe(struct mm_struct *mm, bool mmap_locked,
			   const struct mmu_notifier_joining *joining)
{
	struct mmu_notifier_wait wait;
	int ret;

	ret = mmu_notifier_key_get(mmap_locked);
	if (ret)
		return ret;

	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_LOCKS);
	if (!mmap_locked)
		mmap_write_lock(mm);
	ret = attach_locked(mm, joining);
	if (!mmap_locked)
		mmap_write_unlock(mm);
	mmu_notifier_wait_end(&wait);

	if (ret)
		mmu_notifier_key_put();
	return ret;
}

/*
 * What the subscribers in the list want.  If there is none, the span holds everything:
 * no range is passed over any more.
 */
static void sum_up(struct mmu_notifier_subscriptions *subs)
{
	struct mmu_notifier_span span = { };
	struct mmu_notifier *sub;
	unsigned int wants = 0;

	lockdep_assert_held(&subs->lock);
	hlist_for_each_entry_srcu(sub, &subs->list, hlist,
				  mmu_notifier_may_walk(subs)) {
		wants |= wanted_by(sub->ops);
		span = join_spans(span, sub->span);
	}
	if (!wants)
		span.end = ULONG_MAX;

	WRITE_ONCE(subs->wants, wants);
	set_span(subs, span);
}

struct registration {
	struct mmu_notifier *sub;
	struct mm_struct *mm;
	const struct mmu_notifier_ops *ops;
};

/*
 * Callbacks may run before the registration returns, so the subscription is
 * complete before it is in the list.  It is written only when the registration
 * can't fail any more: drivers look at ->mm to see whether the subscription exists.
 */
static void attach_notifier(struct mmu_notifier_subscriptions *subs, void *data)
{
	const struct registration *registration = data;
	struct mmu_notifier *sub = registration->sub;

	/* Dropped by unregister or after the last put. */
	mmgrab(registration->mm);
	sub->mm = registration->mm;
	sub->ops = registration->ops;
	sub->users = 1;
	sub->released = false;
	sub->serial = ++subs->serial;
	sub->span = initial_span(sub->ops);
	mmu_subscription_begins(&sub->subscribed);

	/*
	 * Under the lock, so that whoever unlinks a subscription after this sees it in
	 * wait_for_walks().
	 */
	WRITE_ONCE(subs->ever_wanted, subs->ever_wanted | wanted_by(sub->ops));
	/* Whoever finds it in the list must find its callbacks here. */
	WRITE_ONCE(subs->wants, subs->wants | wanted_by(sub->ops));
	hlist_add_head_rcu(&sub->hlist, &subs->list);
	sum_up(subs);
}

/* Take a subscription out of the list, if it is still in it. */
static void unlink_notifier(struct mmu_notifier_subscriptions *subs,
			    struct mmu_notifier *sub)
{
	lockdep_assert_held(&subs->lock);
	if (hlist_unhashed(&sub->hlist))
		return;

	hlist_del_init_rcu(&sub->hlist);
	sum_up(subs);
	mmu_notifier_disarm_if_unused(subs);
}

/*
 * A TLB that shares the CPU's page tables is flushed where they change.  Who is asked for
 * many pages is asked for one, too.  And only a start leaves something to be finished, or
 * to be flushed.
 */
static bool make_sense(const struct mmu_notifier_ops *ops)
{
	if (ops->arch_invalidate_secondary_tlbs &&
	    (ops->invalidate_range_start || ops->invalidate_range_end))
		return false;
	if (ops->young_pages &&
	    !(ops->clear_flush_young && ops->clear_young && ops->test_young))
		return false;
	return ops->invalidate_range_start ||
	       !(ops->invalidate_range_start_finish || ops->flush_deferred);
}

/*
 * Whether a subscriber must not miss what is in progress.  It has nothing yet whose
 * accessed bits could be missed.
 */
static bool must_wait(const struct mmu_notifier_ops *ops)
{
	return wanted_by(ops) & (WANTS_START | WANTS_END | WANTS_TLB);
}

/* Not inlined, so that all callers share the WARN_ON_ONCE(). */
static noinline int register_notifier(struct mmu_notifier *sub,
				      struct mm_struct *mm,
				      const struct mmu_notifier_ops *ops,
				      bool mmap_locked)
{
	struct registration registration = {
		.sub = sub,
		.mm = mm,
		.ops = ops,
	};
	const struct mmu_notifier_joining joining = {
		.to_list = true,
		.waits = must_wait(ops),
		.attach = attach_notifier,
		.data = &registration,
	};
	int ret;

	if (WARN_ON_ONCE(!make_sense(ops)))
		return -EINVAL;

	if (!mmu_notifier_debug_may_begin(&sub->subscribed, ops))
		return -EBUSY;
	if (mmu_notifier_debug_inside(mm))
		return -EDEADLK;

	ret = mmu_notifier_subscribe(mm, mmap_locked, &joining);
	if (!ret)
		trace_mmu_notifier_register(mm, ops, MMU_NOTIFIER_KIND_LIST);
	return ret;
}

/**
 * mmu_notifier_register - subscribe to an mm
 * @subscription: with ->ops set
 * @mm: current->mm, or an mm that the caller has pinned with mmget()
 *
 * From here on @subscription is notified of every change, or of those that
 * mmu_notifier_add_span() asks for, and pins @mm with mmgrab() until
 * mmu_notifier_unregister() or, if @subscription->ops has free_notifier(),
 * mmu_notifier_put(); one of them must follow.  mmget_not_zero() on ->mm says
 * whether the address space still exists.
 *
 * On return no range is in progress of which @subscription was not notified.  Its
 * callbacks may run before that, but none for a range that began before them: an end
 * always comes after its start.
 *
 * Context: may sleep.  Takes cpu_hotplug_lock, then mmap_lock for writing, the VMA
 * locks and, one at a time, the reverse map locks of the mm.  The caller holds none of
 * them, nor a lock that a callback takes, those of @subscription included.
 *
 * Return: 0; -EINTR if a signal is pending, -ENOMEM, or -EINVAL for a
 * combination of callbacks that makes no sense.  Then nothing has changed, in the
 * mm or in @subscription.  With CONFIG_DEBUG_MMU_NOTIFIER also, after a report,
 * -EBUSY if @subscription is registered and -EDEADLK in a callback of @mm.
 */
int mmu_notifier_register(struct mmu_notifier *subscription,
			  struct mm_struct *mm)
{
	return register_notifier(subscription, mm, subscription->ops, false);
}
EXPORT_SYMBOL_GPL(mmu_notifier_register);

/**
 * __mmu_notifier_register - subscribe to an mm whose mmap_lock is held
 * @subscription: with ->ops set
 * @mm: current->mm, or an mm that the caller has pinned with mmget()
 *
 * See mmu_notifier_register(), which is to be preferred.
 *
 * Context: may sleep.  mmap_lock is held for writing.  Takes the VMA locks and, one at
 * a time, the reverse map locks of the mm.  The caller holds no lock that a callback
 * takes.
 *
 * Return: as mmu_notifier_register(); also -EAGAIN if this would be the first
 * subscription in the system and CPU hotplug takes very long.
 */
int __mmu_notifier_register(struct mmu_notifier *subscription,
			    struct mm_struct *mm)
{
	return register_notifier(subscription, mm, subscription->ops, true);
}
EXPORT_SYMBOL_GPL(__mmu_notifier_register);

/* --- get and put ---------------------------------------------------------- */

/*
 * With mmap_lock held, the registration of what is found is complete: attach_locked()
 * has passed all locks.
 */
static struct mmu_notifier *find_and_get(struct mm_struct *mm,
					 const struct mmu_notifier_ops *ops)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mmu_notifier *sub, *found = NULL;

	mmap_assert_locked(mm);
	if (!subs)
		return NULL;

	spin_lock(&subs->lock);
	hlist_for_each_entry_srcu(sub, &subs->list, hlist,
				  mmu_notifier_may_walk(subs)) {
		if (sub->ops != ops)
			continue;
		if (WARN_ON_ONCE(sub->users == UINT_MAX)) {
			found = ERR_PTR(-EOVERFLOW);
		} else {
			sub->users++;
			found = sub;
		}
		break;
	}
	spin_unlock(&subs->lock);

	return found;
}

/**
 * mmu_notifier_get_locked - find or create the subscription of @ops to an mm
 * @ops: the subscriber, which has at most one subscription to each mm
 * @mm: current->mm, or an mm that the caller has pinned with mmget()
 *
 * If there is none yet, @ops->alloc_notifier() allocates it; if it can't be
 * registered, @ops->free_notifier() gets it back unchanged.  Each call must be
 * matched by a mmu_notifier_put().  ->mm is pinned with mmgrab() until then.
 *
 * Context: may sleep.  mmap_lock is held for writing.  Takes the VMA locks and, one at
 * a time, the reverse map locks of the mm, if it creates one.  The caller holds no lock
 * that a callback takes.
 *
 * Return: the subscription; or an ERR_PTR() as from @ops->alloc_notifier() or
 * __mmu_notifier_register(), or -EOVERFLOW.
 */
struct mmu_notifier *mmu_notifier_get_locked(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm)
{
	struct mmu_notifier *sub;
	int ret;

	mmap_assert_write_locked(mm);
	mmu_notifier_lockdep_register(true);

	sub = find_and_get(mm, ops);
	if (sub)
		return sub;

	sub = ops->alloc_notifier(mm);
	if (IS_ERR(sub))
		return sub;

	ret = register_notifier(sub, mm, ops, true);
	if (ret) {
		ops->free_notifier(sub);
		return ERR_PTR(ret);
	}
	return sub;
}
EXPORT_SYMBOL_GPL(mmu_notifier_get_locked);

/**
 * mmu_notifier_get - find or create the subscription of @ops to an mm
 * @ops: the subscriber, which has at most one subscription to each mm
 * @mm: current->mm, or an mm that the caller has pinned with mmget()
 *
 * Context: may sleep.  Takes cpu_hotplug_lock, then mmap_lock for writing, and
 * what mmu_notifier_get_locked() takes.
 *
 * Return: as mmu_notifier_get_locked(), but never -EAGAIN.
 */
struct mmu_notifier *mmu_notifier_get(const struct mmu_notifier_ops *ops,
				      struct mm_struct *mm)
{
	struct mmu_notifier *sub;

	if (mmu_notifier_debug_inside(mm))
		return ERR_PTR(-EDEADLK);

	mmu_notifier_lockdep_register(false);

	/* A subscription that exists is no reason to touch the key, which all share. */
	mmap_read_lock(mm);
	sub = find_and_get(mm, ops);
	mmap_read_unlock(mm);
	if (sub)
		return sub;

	/* Wait for CPU hotplug before mmap_lock is taken. */
	mmu_notifier_key_get(false);
	mmap_write_lock(mm);
	sub = mmu_notifier_get_locked(ops, mm);
	mmap_write_unlock(mm);
	mmu_notifier_key_put();

	return sub;
}
EXPORT_SYMBOL_GPL(mmu_notifier_get);

/* Non-static for the tests, which count the calls. */
void mmu_notifier_wait_for_rcu(unsigned long grace_period)
{
	KUNIT_STATIC_STUB_REDIRECT(mmu_notifier_wait_for_rcu, grace_period);

	/* No wait if that for callbacks was long enough. */
	cond_synchronize_rcu(grace_period);
}

/*
 * Wait until nobody has any more to do with what has been taken out of the list: those
 * who are in callbacks, and those who walk the list under RCU, be it for the callbacks
 * of others.
 *
 * The list is walked under RCU only for callbacks in WANTS_UNDER_RCU.  If no subscriber
 * had one when a subscription was unlinked, a walk for a subscriber that joined later
 * can't find it: see mmu_notifier_wants().  If one ever had, a walk for it may still be
 * at the subscription that was unlinked, even after that subscriber has left.
 */
static void wait_for_walks(struct mmu_notifier_subscriptions *subs)
{
	unsigned long grace_period = get_state_synchronize_rcu();

	mmu_notifier_readers_wait(subs->readers, MMU_NOTIFIER_CALLBACKS);
	if (READ_ONCE(subs->ever_wanted) & WANTS_UNDER_RCU)
		mmu_notifier_wait_for_rcu(grace_period);
}

static void free_after_put(struct mmu_notifier *sub)
{
	struct mm_struct *mm = sub->mm;
	int idx = sub->put_idx;

	mmu_subscription_ended(&sub->subscribed);
	sub->ops->free_notifier(sub);
	__acquire(&mmu_notifier_puts);	/* from free_after_callbacks() */
	srcu_up_read(&mmu_notifier_puts, idx);
	/* Pairs with mmgrab() in attach_notifier(). */
	mmdrop(mm);
}

static void free_puts_work(struct work_struct *work)
{
	struct mmu_notifier_subscriptions *subs =
		container_of(work, struct mmu_notifier_subscriptions, put_work);
	struct llist_node *puts = llist_del_all(&subs->puts);
	struct mmu_notifier *sub, *next;

	/* They were taken out of the list before they came here. */
	wait_for_walks(subs);
	llist_for_each_entry_safe(sub, next, puts, put)
		free_after_put(sub);
}

static void free_after_callbacks(struct mmu_notifier_subscriptions *subs,
				 struct mmu_notifier *sub)
{
	sub->put_idx = srcu_down_read(&mmu_notifier_puts);
	if (llist_add(&sub->put, &subs->puts))
		queue_work(system_unbound_wq, &subs->put_work);
	__release(&mmu_notifier_puts);	/* free_after_put() owns it now */
}

/**
 * mmu_notifier_put - drop a reference of mmu_notifier_get()
 * @subscription: what it returned, or what mmu_notifier_register() was given
 *
 * After the last one no new callback begins, and @ops->free_notifier() runs when
 * those that are running have returned.  @ops->release() is not called, so the
 * caller must have dropped all translations, waited for those that a start has begun
 * to drop, flushed those that a start has dropped, and set up none again.
 *
 * A module must call mmu_notifier_synchronize() before its code goes away.
 *
 * Context: process context, callbacks of the same mm included.  Doesn't sleep.
 */
void mmu_notifier_put(struct mmu_notifier *subscription)
{
	struct mmu_notifier_subscriptions *subs;
	bool last = false;

	if (!mmu_notifier_may_put(&subscription->subscribed, subscription->ops))
		return;

	subs = subscription->mm->notifier_subscriptions;
	spin_lock(&subs->lock);
	if (!WARN_ON_ONCE(!subscription->users))
		last = !--subscription->users &&
		       mmu_notifier_may_end(&subscription->subscribed,
					    subscription->ops);
	if (last)
		unlink_notifier(subs, subscription);
	spin_unlock(&subs->lock);

	if (!last)
		return;
	trace_mmu_notifier_unregister(subscription->mm, subscription->ops,
				      MMU_NOTIFIER_KIND_LIST);
	free_after_callbacks(subs, subscription);
}
EXPORT_SYMBOL_GPL(mmu_notifier_put);

/**
 * mmu_notifier_synchronize - wait until subscriptions that were put have been freed
 *
 * On return @ops->free_notifier() has returned for every subscription whose last
 * mmu_notifier_put() came before the call, and none of its callbacks is called.
 *
 * Context: may sleep, for as long as any of their callbacks does.
 */
void mmu_notifier_synchronize(void)
{
	struct mmu_notifier_wait wait;

	mmu_notifier_wait_begin(&wait, NULL, MMU_NOTIFIER_WAIT_FREED);
	synchronize_srcu(&mmu_notifier_puts);
	mmu_notifier_wait_end(&wait);
}
EXPORT_SYMBOL_GPL(mmu_notifier_synchronize);

/* --- unregister and exit -------------------------------------------------- */

static void wait_for_release(struct mmu_notifier_subscriptions *subs,
			     struct mm_struct *mm)
{
	struct mmu_notifier_wait wait;

	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_CALLBACKS);
	mmu_notifier_readers_wait(subs->readers, MMU_NOTIFIER_CALLBACKS);
	mmu_notifier_wait_end(&wait);
}

static void wait_for_callbacks(struct mmu_notifier_subscriptions *subs,
			       struct mm_struct *mm)
{
	struct mmu_notifier_wait wait;

	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_CALLBACKS);
	wait_for_walks(subs);
	mmu_notifier_wait_end(&wait);
}

/* What release() doesn't find any more, as the start of a range has dropped it. */
static void flush_after_release(struct mmu_notifier_subscriptions *subs,
				struct mm_struct *mm)
{
	if (mmu_notifier_has_deferred(subs))
		mmu_notifier_flush_earlier(subs, mm);
}

/*
 * call_release - call release(), unless someone else does or did
 *
 * Called inside a read section, for the end of which the others wait.
 *
 * Return: false if someone else calls it, and it may not have returned yet.
 */
static bool call_release(struct mmu_notifier_subscriptions *subs,
			 struct mmu_notifier *sub, struct mm_struct *mm)
{
	bool ours = false, theirs = false;

	spin_lock(&subs->lock);
	if (!hlist_unhashed(&sub->hlist)) {
		theirs = sub->released;
		ours = !theirs;
		sub->released = true;
	}
	spin_unlock(&subs->lock);

	if (!ours)
		return !theirs;
	trace_mmu_notifier_release(mm, sub->ops, MMU_NOTIFIER_KIND_LIST);
	if (!mmu_notifier_should_call(sub, sub->ops->release))
		;
	else if (mmu_notifier_observed())
		mmu_notifier_observe_release(sub, mm);
	else
		sub->ops->release(sub, mm);
	flush_after_release(subs, mm);
	return true;
}

/**
 * mmu_notifier_unregister - end a subscription
 * @subscription: what mmu_notifier_register() was given
 * @mm: what mmu_notifier_register() was given; it may have exited
 *
 * Calls @ops->release() if exit_mmap() has not, and drops the reference to @mm.
 * On return no callback of @subscription is running or will run.  If it is not
 * registered, warns and does nothing.
 *
 * Context: may sleep, for as long as any callback on this mm does.  The caller
 * holds no lock that a callback takes.
 */
void mmu_notifier_unregister(struct mmu_notifier *subscription,
			     struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs;
	atomic_t *reader;
	bool released;

	if (!mmu_notifier_may_end(&subscription->subscribed, subscription->ops))
		return;

	if (mmu_notifier_debug_inside(mm)) {
		mmu_subscription_begins(&subscription->subscribed);
		return;
	}

	subs = mm->notifier_subscriptions;
	trace_mmu_notifier_unregister(mm, subscription->ops,
				      MMU_NOTIFIER_KIND_LIST);
	reader = mmu_notifier_walk_begin(subs->readers);
	released = call_release(subs, subscription, mm);
	mmu_notifier_walk_end(subs->readers, reader);

	/* exit_mmap() may be in release(): ranges are delivered until it returns. */
	if (!released)
		wait_for_release(subs, mm);

	spin_lock(&subs->lock);
	unlink_notifier(subs, subscription);
	spin_unlock(&subs->lock);

	/* For running callbacks, and for exit_mmap() in call_release(). */
	wait_for_callbacks(subs, mm);
	mmu_subscription_ended(&subscription->subscribed);
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(mmu_notifier_unregister);

/*
 * For exit_mmap().  No task uses the mm, so nothing can register, but reclaim and
 * truncation still reach it through the reverse map, and subscribers may
 * unregister at any moment.
 */
void __mmu_notifier_release(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mmu_notifier *sub;
	struct hlist_node *next;
	atomic_t *reader;

	if (READ_ONCE(subs->intervals.open))
		mmu_intervals_release(subs, mm);

	if (hlist_empty(&subs->list))
		return;

	reader = mmu_notifier_walk_begin(subs->readers);
	hlist_for_each_entry_srcu(sub, &subs->list, hlist,
				  mmu_notifier_may_walk(subs))
		call_release(subs, sub, mm);
	mmu_notifier_walk_end(subs->readers, reader);

	/*
	 * A concurrent unregister may be in release(): until that has returned,
	 * the subscription must be notified, and no page may be freed.
	 */
	wait_for_release(subs, mm);

	spin_lock(&subs->lock);
	hlist_for_each_entry_safe(sub, next, &subs->list, hlist)
		unlink_notifier(subs, sub);
	spin_unlock(&subs->lock);
}
