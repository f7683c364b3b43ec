// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: the subscriptions of an mm, from registration to removal.
 *
 * They are in a list that delivery (mmu_notifier_deliver.c) walks under SRCU,
 * because callbacks may sleep.  Every mm has an SRCU domain of its own.
 *
 * Registration takes all locks under which a range can be in progress: mmap_lock
 * for writing, every VMA lock, every reverse map lock.  So no range is in
 * progress at the moment a subscription appears, and from then on the
 * subscriber is notified of every start.  A removal takes none of them: it waits
 * for the callbacks that are running.
 *
 * Lock order:
 *
 *	mmap_lock
 *	  cpu_hotplug_lock (only tried), then the jump label locks
 *	  mm_take_all_locks(), see mm_all_locks.c
 *	    mmu_notifier_subscriptions::lock
 *
 * What holds:
 *
 *  - The static key is on from before a subscription appears until after the
 *    last one has gone.  It changes while ranges are in progress, but only in
 *    mms that have no subscription.
 *  - Whoever finds ->released clear under the lock calls release(), so it is
 *    called once.  The subscription stays in the list until release() has
 *    returned: what it still maps is still invalidated.
 *  - exit_mmap() frees no page before every release() has returned, whoever
 *    called it: __mmu_notifier_release() waits for a grace period, and release()
 *    runs inside a read section.
 */
#include <linux/cpu.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <kunit/static_stub.h>

#include <trace/events/mmu_notifier.h>

#include "mm_all_locks.h"
#include "mmu_notifier_internal.h"

/* How long a caller that holds mmap_lock waits for CPU hotplug to finish. */
#define HOTPLUG_WAIT	(10 * HZ)

#define DEFINE_LINGERING_KEY(name)					\
	DEFINE_STATIC_KEY_DEFERRED_FALSE(name, MMU_NOTIFIER_LINGER)

DEFINE_LINGERING_KEY(mmu_notifier_key);
EXPORT_SYMBOL_GPL(mmu_notifier_key);

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
	       (ops->invalidate_range_start_finish ? WANTS_FINISH : 0);
}

/* --- the static key ------------------------------------------------------- */

/**
 * mmu_notifier_lockdep_register - tell lockdep which locks a registration may take
 * @mmap_locked: the caller holds mmap_lock
 *
 * Only the first registration in the system turns the key on.  Let lockdep see
 * the locks for that in every one.
 */
void mmu_notifier_lockdep_register(bool mmap_locked)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return;

	if (!mmap_locked)
		cpus_read_lock();
	else if (!cpus_read_trylock())
		return;
	jump_label_lock();
	jump_label_unlock();
	cpus_read_unlock();
}

/*
 * arm - take a reference of the static key
 * @mmap_locked: the caller holds mmap_lock
 *
 * Turning the key on takes cpu_hotplug_lock.  There are paths that hold it and
 * wait for an mmap_lock (cpuset does when it rebinds memory policies), so under
 * mmap_lock it can only be tried.  That fails while a CPU comes or goes, which
 * is worth waiting for, but not forever: CPU hotplug may wait for such a path,
 * and that path for us.
 */
static int arm(bool mmap_locked)
{
	struct static_key *key = &mmu_notifier_key.key.key;
	unsigned long give_up = jiffies + HOTPLUG_WAIT;

	mmu_notifier_lockdep_register(mmap_locked);

	if (static_key_fast_inc_not_disabled(key))
		return 0;

	if (!mmap_locked) {
		static_branch_inc(&mmu_notifier_key.key);
		return 0;
	}

	while (!cpus_read_trylock()) {
		if (signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, give_up))
			return -EAGAIN;
		schedule_timeout_interruptible(1);
	}
	static_key_slow_inc_cpuslocked(key);
	cpus_read_unlock();

	return 0;
}

/* May be called in atomic context: a work turns the key off. */
static void disarm(void)
{
	static_branch_slow_dec_deferred(&mmu_notifier_key);
}

/**
 * mmu_notifier_disarm_if_unused - drop an mm's reference of the static key
 * @subs: the mm's subscriptions, of which one has just ended
 *
 * A counted range needs its end, so the key stays on until none is left.
 *
 * Context: atomic.  mmu_notifier_subscriptions::lock is held.
 */
void mmu_notifier_disarm_if_unused(struct mmu_notifier_subscriptions *subs)
{
	lockdep_assert_held(&subs->lock);
	if (!subs->armed || !hlist_empty(&subs->list) || subs->intervals.open)
		return;

	subs->armed = false;
	disarm();
}

/* --- the subscriptions of an mm ------------------------------------------- */

static void subscriptions_destroy_work(struct work_struct *work)
{
	struct mmu_notifier_subscriptions *subs =
		container_of(work, struct mmu_notifier_subscriptions,
			     destroy_work);

	/* The mm may be freed before close_work has run. */
	cancel_delayed_work_sync(&subs->intervals.close_work);
	if (subs->armed)
		disarm();
	/* The SRCU callback whose mmdrop() brought us here may still return. */
	srcu_barrier(&subs->srcu);
	cleanup_srcu_struct(&subs->srcu);
	mmu_notifier_figures_free(&subs->figures);
	kfree(subs);
}

#ifdef CONFIG_PROVE_LOCKING
/*
 * A callback of one mm may wait for those of another mm, by unregistering there.
 * It can never wait for callbacks of its own mm.
 */
static int compare_srcu(const struct lockdep_map *a, const struct lockdep_map *b)
{
	return a == b ? 0 : -1;
}
#endif

/* Non-static for the tests, which make it fail. */
struct mmu_notifier_subscriptions *
mmu_notifier_subscriptions_alloc(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs;

	KUNIT_STATIC_STUB_REDIRECT(mmu_notifier_subscriptions_alloc, mm);

	subs = kzalloc(sizeof(*subs), GFP_KERNEL);
	if (!subs)
		return NULL;
	if (mmu_notifier_figures_init(&subs->figures, mm))
		goto free;
	if (init_srcu_struct(&subs->srcu))
		goto free_figures;
	lock_set_cmp_fn(&subs->srcu, compare_srcu, NULL);

	INIT_HLIST_HEAD(&subs->list);
	spin_lock_init(&subs->lock);
	mmu_intervals_init(&subs->intervals);
	INIT_WORK(&subs->destroy_work, subscriptions_destroy_work);
	return subs;

free_figures:
	mmu_notifier_figures_free(&subs->figures);
free:
	kfree(subs);
	return NULL;
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
 * attach_locked - make a subscription appear, with no range in progress
 *
 * Consumes the caller's reference of the static key on success.
 */
static int attach_locked(struct mm_struct *mm, mmu_notifier_attach_t attach,
			 void *subscription)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mm_all_locks locks;
	bool was_armed;
	int ret;

	mmap_assert_write_locked(mm);
	if (WARN_ON_ONCE(atomic_read(&mm->mm_users) <= 0))
		return -EINVAL;

	if (!subs) {
		subs = mmu_notifier_subscriptions_alloc(mm);
		if (!subs)
			return -ENOMEM;
	}

	ret = mm_take_all_locks(mm, &locks);
	if (ret) {
		if (!mm->notifier_subscriptions)
			subscriptions_destroy_work(&subs->destroy_work);
		return ret;
	}

	/*
	 * attach_to_open(), the one reader that holds none of the locks, must see
	 * @subs initialised.  Pairs with smp_load_acquire() there.
	 */
	smp_store_release(&mm->notifier_subscriptions, subs);
	mmu_notifier_figures_show(&subs->figures);

	spin_lock(&subs->lock);
	was_armed = subs->armed;
	subs->armed = true;
	attach(subs, subscription);
	spin_unlock(&subs->lock);

	mm_drop_all_locks(mm, &locks);

	if (was_armed)
		disarm();
	return 0;
}

/**
 * mmu_notifier_subscribe - make a subscription of either kind appear
 * @mm: the address space; the caller has it in use
 * @mmap_locked: the caller holds its mmap_lock for writing
 * @attach: puts the subscription in place; it can't fail, and it is the first to
 *	write to the subscription
 * @subscription: for @attach
 *
 * Return: 0; -EINTR if a signal is pending, -ENOMEM, or -EAGAIN if @mmap_locked
 * and CPU hotplug prevents the static key from being turned on.  Then nothing has
 * changed.
 */
int mmu_notifier_subscribe(struct mm_struct *mm, bool mmap_locked,
			   mmu_notifier_attach_t attach, void *subscription)
{
	struct mmu_notifier_wait wait;
	int ret;

	ret = arm(mmap_locked);
	if (ret)
		return ret;

	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_LOCKS);
	if (!mmap_locked)
		mmap_write_lock(mm);
	ret = attach_locked(mm, attach, subscription);
	if (!mmap_locked)
		mmap_write_unlock(mm);
	mmu_notifier_wait_end(&wait);

	if (ret)
		disarm();
	return ret;
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
	mmu_subscription_begins(&sub->subscribed);

	WRITE_ONCE(subs->wants, subs->wants | wanted_by(sub->ops));
	hlist_add_head_rcu(&sub->hlist, &subs->list);
}

/* Take a subscription out of the list, if it is still in it. */
static void unlink_notifier(struct mmu_notifier_subscriptions *subs,
			    struct mmu_notifier *sub)
{
	struct mmu_notifier *other;
	unsigned int still_wanted = 0;

	lockdep_assert_held(&subs->lock);
	if (hlist_unhashed(&sub->hlist))
		return;

	hlist_del_init_rcu(&sub->hlist);
	hlist_for_each_entry_srcu(other, &subs->list, hlist,
				  mmu_notifier_may_walk(subs))
		still_wanted |= wanted_by(other->ops);
	WRITE_ONCE(subs->wants, still_wanted);
	mmu_notifier_disarm_if_unused(subs);
}

/*
 * A TLB that shares the CPU's page tables is flushed where they change.  And only a
 * start leaves something to be finished.
 */
static bool make_sense(const struct mmu_notifier_ops *ops)
{
	if (ops->arch_invalidate_secondary_tlbs &&
	    (ops->invalidate_range_start || ops->invalidate_range_end))
		return false;
	return ops->invalidate_range_start ||
	       !ops->invalidate_range_start_finish;
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
	int ret;

	if (WARN_ON_ONCE(!make_sense(ops)))
		return -EINVAL;

	if (!mmu_notifier_debug_may_begin(&sub->subscribed, ops))
		return -EBUSY;
	if (mmu_notifier_debug_inside(mm))
		return -EDEADLK;

	ret = mmu_notifier_subscribe(mm, mmap_locked, attach_notifier,
				     &registration);
	if (!ret)
		trace_mmu_notifier_register(mm, ops, MMU_NOTIFIER_KIND_LIST);
	return ret;
}

/**
 * mmu_notifier_register - subscribe to an mm
 * @subscription: with ->ops set
 * @mm: current->mm, or an mm that the caller has pinned with mmget()
 *
 * From here on @subscription is notified of every change, and pins @mm with
 * mmgrab() until mmu_notifier_unregister() or, if @subscription->ops has
 * free_notifier(), mmu_notifier_put(); one of them must follow.  mmget_not_zero()
 * on ->mm says whether the address space still exists.
 *
 * Context: may sleep.  Takes cpu_hotplug_lock, then mmap_lock for writing, the VMA
 * locks and all reverse map locks of the mm; the caller holds none of them, nor a
 * lock that is held while one of them is taken.
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
 * Context: may sleep.  mmap_lock is held for writing.  Takes the VMA locks and all
 * reverse map locks of the mm.
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

static struct mmu_notifier *find_and_get(struct mmu_notifier_subscriptions *subs,
					 const struct mmu_notifier_ops *ops)
{
	struct mmu_notifier *sub, *found = NULL;

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
 * Context: may sleep.  mmap_lock is held for writing.  Takes the VMA locks and all
 * reverse map locks of the mm, if it creates one.
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

	if (mm->notifier_subscriptions) {
		sub = find_and_get(mm->notifier_subscriptions, ops);
		if (sub)
			return sub;
	}

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

	/* Wait for CPU hotplug before mmap_lock is taken, see arm(). */
	arm(false);
	mmap_write_lock(mm);
	sub = mmu_notifier_get_locked(ops, mm);
	mmap_write_unlock(mm);
	disarm();

	return sub;
}
EXPORT_SYMBOL_GPL(mmu_notifier_get);

static void free_after_put(struct rcu_head *rcu)
{
	struct mmu_notifier *sub = container_of(rcu, struct mmu_notifier, rcu);
	struct mm_struct *mm = sub->mm;
	int idx = sub->put_idx;

	mmu_subscription_ended(&sub->subscribed);
	sub->ops->free_notifier(sub);
	__acquire(&mmu_notifier_puts);	/* from free_after_callbacks() */
	srcu_up_read(&mmu_notifier_puts, idx);
	/* Pairs with mmgrab() in attach_notifier(). */
	mmdrop(mm);
}

static void free_after_callbacks(struct mmu_notifier_subscriptions *subs,
				 struct mmu_notifier *sub)
{
	sub->put_idx = srcu_down_read(&mmu_notifier_puts);
	call_srcu(&subs->srcu, &sub->rcu, free_after_put);
	__release(&mmu_notifier_puts);	/* free_after_put() owns it now */
}

/**
 * mmu_notifier_put - drop a reference of mmu_notifier_get()
 * @subscription: what it returned, or what mmu_notifier_register() was given
 *
 * After the last one no new callback begins, and @ops->free_notifier() runs when
 * those that are running have returned.  @ops->release() is not called, so the
 * caller must have dropped all translations, waited for those that a start has begun
 * to drop, and set up none again.
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

static void wait_for_callbacks(struct mmu_notifier_subscriptions *subs,
			       struct mm_struct *mm)
{
	struct mmu_notifier_wait wait;

	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_CALLBACKS);
	synchronize_srcu(&subs->srcu);
	mmu_notifier_wait_end(&wait);
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
		return true;
	if (mmu_notifier_observed())
		mmu_notifier_observe_release(sub, mm);
	else
		sub->ops->release(sub, mm);
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
	bool released;
	int idx;

	if (!mmu_notifier_may_end(&subscription->subscribed, subscription->ops))
		return;

	if (mmu_notifier_debug_inside(mm)) {
		mmu_subscription_begins(&subscription->subscribed);
		return;
	}

	subs = mm->notifier_subscriptions;
	trace_mmu_notifier_unregister(mm, subscription->ops,
				      MMU_NOTIFIER_KIND_LIST);
	idx = srcu_read_lock(&subs->srcu);
	released = call_release(subs, subscription, mm);
	srcu_read_unlock(&subs->srcu, idx);

	/* exit_mmap() may be in release(): ranges are delivered until it returns. */
	if (!released)
		wait_for_callbacks(subs, mm);

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
	int idx;

	if (READ_ONCE(subs->intervals.open))
		mmu_intervals_release(subs, mm);

	if (hlist_empty(&subs->list))
		return;

	idx = srcu_read_lock(&subs->srcu);
	hlist_for_each_entry_srcu(sub, &subs->list, hlist,
				  mmu_notifier_may_walk(subs))
		call_release(subs, sub, mm);
	srcu_read_unlock(&subs->srcu, idx);

	/*
	 * A concurrent unregister may be in release(): until that has returned,
	 * the subscription must be notified, and no page may be freed.
	 */
	wait_for_callbacks(subs, mm);

	spin_lock(&subs->lock);
	hlist_for_each_entry_safe(sub, next, &subs->list, hlist)
		unlink_notifier(subs, sub);
	spin_unlock(&subs->lock);
}
