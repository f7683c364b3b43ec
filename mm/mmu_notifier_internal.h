/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What registration and delivery (mmu_notifier.c) and interval subscriptions
 * (mmu_interval_notifier.c) share.
 */
#ifndef _MM_MMU_NOTIFIER_INTERNAL_H
#define _MM_MMU_NOTIFIER_INTERNAL_H

#include <linux/kernel.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/**
 * struct mmu_notifier_intervals - the interval subscriptions of an mm
 * @open: there has been one.  Set under mm_take_all_locks() and never cleared:
 *	ranges are counted from then on.
 * @seq: odd while the tree is frozen, which it is from the first invalidation
 *	that hits a subscription until no range is left in progress
 * @in_progress: ranges between start and end, whether they hit or not
 * @tree: the subscriptions by range; may be read without @lock by who froze it
 * @deferred: insertions and removals that came while the tree was frozen
 * @wq: waits for the tree to thaw
 *
 * All but @open is under mmu_notifier_subscriptions::lock.
 */
struct mmu_notifier_intervals {
	bool open;
	unsigned long seq;
	unsigned long in_progress;
	struct rb_root_cached tree;
	struct hlist_head deferred;
	wait_queue_head_t wq;
};

/**
 * struct mmu_notifier_subscriptions - all subscriptions of an mm
 * @list: the struct mmu_notifiers, newest first; written under @lock, read
 *	under @srcu
 * @wants: which callbacks anyone in @list has, see enum mmu_notifier_wants
 * @armed: this mm holds a reference of the static key; under @lock
 * @serial: of the newest subscription in @list; under @lock
 * @lock: serializes changes; innermost but for the wait queue's own lock
 * @srcu: readers run callbacks.  Of this mm alone, so that a callback which
 *	sleeps delays no one but those who wait for this very mm.
 * @intervals: the other kind of subscription
 * @destroy_work: takes all this down; __mmdrop() can't wait for @srcu
 *
 * Comes with the first registration and stays until the mm is freed, so that a
 * pointer to it, once seen, is good for as long as the mm is.
 */
struct mmu_notifier_subscriptions {
	struct hlist_head list;
	unsigned int wants;
	bool armed;
	unsigned long serial;
	spinlock_t lock;	/* @list, @armed, @serial, @intervals */
	struct srcu_struct srcu;
	struct mmu_notifier_intervals intervals;
	struct work_struct destroy_work;
};

/* Called under mm_take_all_locks() and the subscription lock. */
typedef void (*mmu_notifier_attach_t)(struct mmu_notifier_subscriptions *subs,
				      void *subscription);

int mmu_notifier_subscribe(struct mm_struct *mm, bool mmap_locked,
			   mmu_notifier_attach_t attach, void *subscription);
struct mmu_notifier_subscriptions *mmu_notifier_subscriptions_alloc(struct mm_struct *mm);

void mmu_intervals_init(struct mmu_notifier_intervals *intervals);
int mmu_intervals_start(struct mmu_notifier_subscriptions *subs,
			const struct mmu_notifier_range *range);
void mmu_intervals_end(struct mmu_notifier_subscriptions *subs);
void mmu_intervals_release(struct mmu_notifier_subscriptions *subs,
			   struct mm_struct *mm);

/* --- run-time checks, mmu_notifier_debug.c -------------------------------- */

/**
 * struct mmu_notifier_calling - a task calls callbacks of an mm
 * @list: entry in the list of all of them
 * @task: the task
 * @subs: the mm's subscriptions
 */
struct mmu_notifier_calling {
#ifdef CONFIG_DEBUG_MMU_NOTIFIER
	struct list_head list;
	const struct task_struct *task;
	const struct mmu_notifier_subscriptions *subs;
#endif
};

void mmu_notifier_report(enum mmu_notifier_fault fault,
			 const struct mmu_notifier_hook *hook,
			 const void *callback);

#ifdef CONFIG_DEBUG_MMU_NOTIFIER
bool mmu_notifier_debug_subscribe(struct mmu_notifier_debug *debug);
void mmu_notifier_debug_unsubscribe(struct mmu_notifier_debug *debug);
bool mmu_notifier_debug_subscribed(const struct mmu_notifier_debug *debug);
void mmu_notifier_calling_begin(struct mmu_notifier_calling *calling,
				const struct mmu_notifier_subscriptions *subs);
void mmu_notifier_calling_end(struct mmu_notifier_calling *calling);
bool mmu_notifier_debug_inside(const struct mmu_notifier_subscriptions *subs);
int mmu_notifier_suppress(const char *pattern);
#else
static inline bool mmu_notifier_debug_subscribe(struct mmu_notifier_debug *debug)
{
	return true;
}

static inline void
mmu_notifier_debug_unsubscribe(struct mmu_notifier_debug *debug)
{
}

static inline bool
mmu_notifier_debug_subscribed(const struct mmu_notifier_debug *debug)
{
	return true;
}

static inline void
mmu_notifier_calling_begin(struct mmu_notifier_calling *calling,
			   const struct mmu_notifier_subscriptions *subs)
{
}

static inline void
mmu_notifier_calling_end(struct mmu_notifier_calling *calling)
{
}

static inline bool
mmu_notifier_debug_inside(const struct mmu_notifier_subscriptions *subs)
{
	return false;
}
#endif /* CONFIG_DEBUG_MMU_NOTIFIER */

/*
 * Around a callback.  In a range that is not blockable it must not sleep:
 * might_sleep() tells if it could have, the count of voluntary context switches
 * if it has.
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
