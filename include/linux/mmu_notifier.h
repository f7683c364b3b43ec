/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MMU notifiers: whatever keeps translations of its own for a process's
 * addresses is notified before the process's page tables change.
 *
 * A secondary MMU (KVM, a GPU, a NIC with on-demand paging, a remote mapper)
 * subscribes to an mm in one of two ways:
 *
 *  - struct mmu_notifier is notified of every change in the whole address space,
 *    or in the part of it that the subscriber has named;
 *  - struct mmu_interval_notifier is notified of changes in one range of it,
 *    and has a sequence count to detect that one raced with its page lookup.
 *
 * Either way it drops its translations and flushes its TLB when it is notified,
 * and needs no page reference in the meantime.
 *
 * For as long as no mm in the system has a subscription, every hook below is a
 * no-op behind a static key.
 *
 * See Documentation/mm/mmu_notifier.rst.
 */
#ifndef _LINUX_MMU_NOTIFIER_H
#define _LINUX_MMU_NOTIFIER_H

#include <linux/bits.h>
#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/mm_types.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_notifier_debug.h>
#include <linux/mmu_notifier_stats.h>
#include <linux/mmu_notifier_tlb.h>
#include <linux/mmu_notifier_young.h>
#include <linux/spinlock.h>

struct mmu_interval_notifier;
struct mmu_interval_notifier_finish;
struct mmu_notifier;
struct mmu_notifier_range;
struct mmu_notifier_subscriptions;
struct mmu_notifier_young_pages;

/**
 * enum mmu_notifier_event - why a range is invalidated
 * @MMU_NOTIFY_UNMAP: the mapping goes away: munmap(), or mremap() moves it
 * @MMU_NOTIFY_CLEAR: page table entries are cleared or point to another page
 *	afterwards: reclaim, copy on write, madvise(), THP split, and so on
 * @MMU_NOTIFY_PROTECTION_VMA: mprotect() gives the whole range one new
 *	protection; the pages stay
 * @MMU_NOTIFY_PROTECTION_PAGE: single pages change between read-only and
 *	writable; the page tables say which
 * @MMU_NOTIFY_SOFT_DIRTY: soft-dirty bits are reset: same pages, same
 *	protection, but the next write must fault
 * @MMU_NOTIFY_RELEASE: the address space goes away; only interval
 *	subscriptions see it, a struct mmu_notifier has its release() instead
 * @MMU_NOTIFY_MIGRATE: pages move to or from device memory; a driver that finds
 *	its own pgmap owner in range->owner may ignore it
 * @MMU_NOTIFY_EXCLUSIVE: a device gains exclusive access (range->owner is what
 *	make_device_exclusive_range() was given) or loses it (owner is NULL)
 */
enum mmu_notifier_event {
	MMU_NOTIFY_UNMAP = 0,
	MMU_NOTIFY_CLEAR,
	MMU_NOTIFY_PROTECTION_VMA,
	MMU_NOTIFY_PROTECTION_PAGE,
	MMU_NOTIFY_SOFT_DIRTY,
	MMU_NOTIFY_RELEASE,
	MMU_NOTIFY_MIGRATE,
	MMU_NOTIFY_EXCLUSIVE,
};

/* In mmu_notifier_range::flags: the callbacks may sleep. */
#define MMU_NOTIFIER_RANGE_BLOCKABLE	BIT(0)
/*
 * For the core alone: the range is counted as in progress for the mm's interval
 * subscriptions, so its end must count it out.
 */
#define MMU_NOTIFIER_RANGE_COUNTED	BIT(1)
/*
 * For the core alone: the range is recorded as in progress, for those who want to
 * know, so its end must remove the record.
 */
#define MMU_NOTIFIER_RANGE_RECORDED	BIT(2)
/*
 * For the core alone: no subscriber to the whole mm was notified of the range, so
 * its end must only count it out, from the counter that the highest bits name.
 */
#define MMU_NOTIFIER_RANGE_PASSED	BIT(3)
/*
 * For the core alone: those in the list, up to @serial, were notified of the start,
 * so its end must notify them, too.
 */
#define MMU_NOTIFIER_RANGE_NOTIFIED	BIT(4)
/* Secondary TLBs may be flushed later, see mmu_notifier_range_may_defer(). */
#define MMU_NOTIFIER_RANGE_DEFERRED	BIT(5)
#define MMU_NOTIFIER_RANGE_READER_SHIFT	6

/**
 * struct mmu_subscribed - whether a subscription of either kind exists
 * @self: points to this structure for as long as the subscription exists, and
 *	one byte further while its owner ends it; so one that has ended or never
 *	began is recognised whatever the memory held before
 */
struct mmu_subscribed {
	const struct mmu_subscribed *self;
};

/**
 * struct mmu_notifier_ops - what a subscriber to a whole mm implements
 *
 * Every callback is optional.  Those that may not sleep run under RCU.  The others
 * are counted: ending a subscription waits for all callbacks of the mm, and for those
 * of no other.  All run with locks of the mm held (mmap_lock, reverse map
 * locks or, where noted, page table locks): they must not take those, must not
 * register or unregister anything on the same mm, and must not drop what may be
 * the last reference of any mm with mmput(), which takes these locks as well;
 * use mmput_async() instead.  mmu_notifier_put() is allowed.
 */
struct mmu_notifier_ops {
	/**
	 * @release: the address space goes away, or the subscriber unregisters.
	 *
	 * Runs exactly once for a registered subscriber that does not end its
	 * subscription with mmu_notifier_put(), and before any page of the mm is
	 * freed.  It must drop every translation and make sure that none is set
	 * up again: no invalidation is delivered from here on.  That includes what
	 * the hardware may do on its own, such as speculative accesses through
	 * another cache attribute.  It may run in parallel with every other
	 * callback.  Without it, nothing may reach the pages through the
	 * secondary MMU by the time the last user of the mm is gone.  May
	 * sleep.
	 */
	void (*release)(struct mmu_notifier *subscription,
			struct mm_struct *mm);

	/**
	 * @clear_flush_young: test and clear the accessed bit of every
	 * translation in [start, end), and flush the secondary TLB so that the
	 * next access sets it again.
	 *
	 * Where the hardware has no accessed bit, the translations may be
	 * dropped instead, and their presence counts as an access.  The
	 * range is larger than a page when the primary MMU maps a huge one.
	 * Runs under a page table lock: must not sleep.  Returns whether there
	 * was an access.
	 */
	int (*clear_flush_young)(struct mmu_notifier *subscription,
				 struct mm_struct *mm,
				 unsigned long start,
				 unsigned long end);

	/**
	 * @clear_young: as @clear_flush_young, but the TLB may keep stale
	 * accessed bits; for ageing that wants a cheap estimate.
	 */
	int (*clear_young)(struct mmu_notifier *subscription,
			   struct mm_struct *mm,
			   unsigned long start,
			   unsigned long end);

	/**
	 * @test_young: return whether @address has been accessed since its bit
	 * was last cleared.  Changes nothing.  Must not sleep.
	 */
	int (*test_young)(struct mmu_notifier *subscription,
			  struct mm_struct *mm,
			  unsigned long address);

	/**
	 * @young_pages: as @clear_young, if @pages->clear is set, or else as
	 * @test_young, for all pages that are asked for in a part of a page table.
	 *
	 * Sets the bit of each of them that has been accessed in @pages->young,
	 * where other subscribers may have set some, and no other bit.  The
	 * accessed bit of a page that isn't asked for must stay as it is.
	 * Changes nothing else in @pages.  Must not sleep.
	 *
	 * A subscriber that has it must also have the other three, which are
	 * used where a single page is looked at.  One that doesn't have it is
	 * called page by page.
	 */
	void (*young_pages)(struct mmu_notifier *subscription,
			    struct mmu_notifier_young_pages *pages);

	/**
	 * @invalidate_range_start: the page tables in the range are about to
	 * change.
	 *
	 * On return no translation of the range may be in use anywhere, and
	 * until the matching @invalidate_range_end none may be set up.  When it
	 * is called every page of the range is still mapped and referenced.
	 * Ranges nest and overlap, in one thread and between threads.
	 *
	 * A subscriber that does hold page references may drop them here or in
	 * @invalidate_range_end; a reference that is dropped there keeps the
	 * page from being freed until then.
	 *
	 * May sleep if mmu_notifier_range_blockable() says so.  Otherwise, if
	 * it would have to sleep, it must return -EAGAIN with nothing done; the
	 * core then calls @invalidate_range_end of the subscribers that were
	 * notified earlier, and not of this one.  Returns 0 in every other case.
	 */
	int (*invalidate_range_start)(struct mmu_notifier *subscription,
				      const struct mmu_notifier_range *range);

	/**
	 * @invalidate_range_start_finish: wait for what
	 * @invalidate_range_start has begun.
	 *
	 * With it the start need only begin to drop the translations, and what
	 * must hold when the start returns must hold when this does.  It is
	 * called when the starts of all subscribers to the mm have returned,
	 * with the same range and before the page tables change, so that what
	 * they wait for overlaps.  No translation may be set up in between, and
	 * no lock may be held from the one to the other.
	 *
	 * If a later subscriber's start returns -EAGAIN, this is called all the
	 * same, and @invalidate_range_end after it: what is called is always
	 * start, finish, end.  A subscriber that returned -EAGAIN itself gets
	 * neither.  Several ranges may be between start and finish at a time.
	 * May sleep if the start may.
	 *
	 * It is not called if the subscription has ended since the start.  So
	 * @release must also wait for what a start has begun, and so must
	 * whoever calls the last mmu_notifier_put(), before that call.  A start
	 * that comes later finds nothing left to drop.
	 */
	void (*invalidate_range_start_finish)(struct mmu_notifier *subscription,
					      const struct mmu_notifier_range *range);

	/**
	 * @invalidate_range_end: the page tables have changed and the pages
	 * that were unmapped may have been freed.
	 *
	 * Called once for each @invalidate_range_start that returned 0, with
	 * the same range.
	 */
	void (*invalidate_range_end)(struct mmu_notifier *subscription,
				     const struct mmu_notifier_range *range);

	/**
	 * @flush_deferred: flush from the TLB what starts have left in it.
	 *
	 * With it, a start of which mmu_notifier_range_may_defer() says so may leave
	 * what it drops in the TLB, and this is called later, once for many of
	 * them; the task that unmaps the pages keeps them locked until then.  The
	 * translation itself must be dropped, and if the page can be written
	 * through the TLB without it, must have been marked dirty, by the time
	 * the start returns.
	 *
	 * On return nothing that was dropped before the call may be in the TLB.  It
	 * may be called at any time, from many tasks at once, and also if there is
	 * nothing to flush.  It is called after the start of any other range of the
	 * mm, before page tables change.  It isn't called for what is left when the
	 * last mmu_notifier_put() comes: whoever calls that must flush before.
	 * Needs @invalidate_range_start.  Must not sleep.
	 */
	void (*flush_deferred)(struct mmu_notifier *subscription,
			       struct mm_struct *mm);

	/**
	 * @arch_invalidate_secondary_tlbs: flush [start, end) from a TLB that
	 * is filled from the CPU's own page tables.
	 *
	 * Called by the architecture where it flushes the CPU's TLBs, possibly
	 * under a page table lock: must not sleep.  Excludes
	 * @invalidate_range_start and @invalidate_range_end: a device that
	 * walks the CPU's page tables has no translations but its TLB's.
	 */
	void (*arch_invalidate_secondary_tlbs)(struct mmu_notifier *subscription,
					       struct mm_struct *mm,
					       unsigned long start,
					       unsigned long end);

	/**
	 * @alloc_notifier: allocate the subscription that mmu_notifier_get()
	 * did not find.  Called with mmap_lock held for writing.  Returns it, or
	 * an ERR_PTR().
	 */
	struct mmu_notifier *(*alloc_notifier)(struct mm_struct *mm);

	/**
	 * @free_notifier: free what @alloc_notifier returned.  Called after the
	 * last mmu_notifier_put() and after the last callback, from a
	 * workqueue: should not sleep, others may wait behind it.
	 */
	void (*free_notifier)(struct mmu_notifier *subscription);

	/**
	 * @only_spanned: the subscriber cares only for what it passes to
	 * mmu_notifier_add_span(), which in the beginning is nothing.  It may
	 * still be notified of other ranges, also while it registers: then the
	 * registration may wait for its callbacks.
	 */
	bool only_spanned;
};

/**
 * struct mmu_notifier_span - consecutive addresses, or none
 * @start: first address
 * @end: end address, exclusive; there is none if it isn't above @start
 */
struct mmu_notifier_span {
	unsigned long start;
	unsigned long end;
};

/**
 * struct mmu_notifier - a subscription to a whole mm
 * @hlist: entry in the mm's list; under the mm's subscription lock
 * @ops: set by the subscriber before it registers
 * @mm: the mm, pinned with mmgrab() for as long as the subscription exists
 * @put: entry in the list of those that wait for @ops->free_notifier()
 * @users: references of mmu_notifier_get(); under the subscription lock
 * @released: whoever set it has called @ops->release(), or is about to; under
 *	the subscription lock
 * @put_idx: what mmu_notifier_synchronize() waits for after the last put
 * @serial: order of registration in the mm; larger is newer and notified first
 * @span: what the subscriber cares for; under the subscription lock
 * @subscribed: whether the subscription exists
 *
 * The subscriber sets only @ops and reads only @mm.  A registration that fails
 * changes nothing in it.
 */
struct mmu_notifier {
	struct hlist_node hlist;
	const struct mmu_notifier_ops *ops;
	struct mm_struct *mm;
	struct llist_node put;
	unsigned int users;
	bool released;
	int put_idx;
	unsigned long serial;
	struct mmu_notifier_span span;
	struct mmu_subscribed subscribed;
};

/**
 * struct mmu_interval_notifier_finish - what a subscriber has begun and will finish
 * @link: entry in the list of the range that it was begun for
 * @notifier: the subscription; set by the core
 *
 * The subscriber allocates it, usually as part of something of its own, and hands
 * it over in ->invalidate_start().  It is the core's until ->invalidate_finish() is
 * called, which may free it or use it again.  Until then it must not be handed over
 * for another range.
 */
struct mmu_interval_notifier_finish {
	struct llist_node link;
	struct mmu_interval_notifier *notifier;
};

/**
 * struct mmu_interval_notifier_ops - what a subscriber to a range implements
 * @invalidate: the page tables in @range, which intersects the subscription,
 *	are about to change.  Must take the lock under which the subscriber sets
 *	up translations, call mmu_interval_set_seq() with @cur_seq, and drop all
 *	translations of the range.  None may be set up for as long as
 *	mmu_interval_read_retry() says so.  Returns true; or false, with nothing
 *	done, if it would have to sleep and mmu_notifier_range_blockable() is
 *	false.
 * @invalidate_start: if set, is called instead of @invalidate, and does the same,
 *	except that it need only begin to drop the translations.  For the rest to
 *	be done in @invalidate_finish, which must be set as well, it stores a
 *	pointer to an object where its last argument points, which holds NULL on
 *	entry.  If it still does on return, nothing is left to be done.  As several
 *	ranges may hit a subscription at the same time, one that has a single
 *	object, and finds it handed over already, must drop the translations at
 *	once.  No lock may be held from here to @invalidate_finish.
 * @invalidate_finish: wait until the translations have been dropped.  Called by the
 *	same task, when all subscriptions that the range hits have begun, in the
 *	order in which they have; also if one of them has returned false.  Page
 *	tables don't change before all have finished, and a subscription is not
 *	removed in between.  Must not sleep if the range may not block; what would
 *	need that must not be begun.
 */
struct mmu_interval_notifier_ops {
	bool (*invalidate)(struct mmu_interval_notifier *interval_sub,
			   const struct mmu_notifier_range *range,
			   unsigned long cur_seq);
	bool (*invalidate_start)(struct mmu_interval_notifier *interval_sub,
				 const struct mmu_notifier_range *range,
				 unsigned long cur_seq,
				 struct mmu_interval_notifier_finish **finish);
	void (*invalidate_finish)(struct mmu_interval_notifier_finish *finish);
};

/**
 * struct mmu_interval_notifier - a subscription to a range of an mm
 * @interval_tree: the range, and the place in the mm's tree; under the mm's
 *	subscription lock
 * @ops: the subscriber's callbacks
 * @mm: the mm, pinned with mmgrab() for as long as the subscription exists
 * @deferred_item: entry in the list of changes that wait for the tree to thaw
 * @invalidate_seq: sequence number of the last invalidation that hit; under
 *	the subscriber's own lock
 * @subscribed: whether the subscription exists
 * @retry: the readers' attempts that failed
 *
 * An insertion that fails changes nothing in it.
 */
struct mmu_interval_notifier {
	struct interval_tree_node interval_tree;
	const struct mmu_interval_notifier_ops *ops;
	struct mm_struct *mm;
	struct hlist_node deferred_item;
	unsigned long invalidate_seq;
	struct mmu_subscribed subscribed;
	struct mmu_notifier_retry retry;
};

#ifdef CONFIG_MMU_NOTIFIER

/**
 * struct mmu_notifier_range - one invalidation, from start to end
 * @mm: the address space; NULL if there was no subscription in the system when the
 *	range was initialised, and then the rest means nothing
 * @start: first address
 * @end: end address, exclusive
 * @flags: %MMU_NOTIFIER_RANGE_BLOCKABLE, and flags of the core
 * @event: why
 * @owner: for %MMU_NOTIFY_MIGRATE and %MMU_NOTIFY_EXCLUSIVE, else NULL
 * @serial: for the core alone: the newest subscriber that was notified
 * @debug: for the run-time checks
 * @record: of the range as in progress
 */
struct mmu_notifier_range {
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	unsigned int flags;
	enum mmu_notifier_event event;
	void *owner;
	unsigned long serial;
	struct mmu_notifier_range_debug debug;
	struct mmu_notifier_range_record record;
};

#ifdef CONFIG_LOCKDEP
extern struct lockdep_map __mmu_notifier_invalidate_range_start_map;
#endif

int mmu_notifier_register(struct mmu_notifier *subscription,
			  struct mm_struct *mm);
int __mmu_notifier_register(struct mmu_notifier *subscription,
			    struct mm_struct *mm);
void mmu_notifier_unregister(struct mmu_notifier *subscription,
			     struct mm_struct *mm);
void mmu_notifier_add_span(struct mmu_notifier *subscription,
			   unsigned long start, unsigned long end);
struct mmu_notifier *mmu_notifier_get(const struct mmu_notifier_ops *ops,
				      struct mm_struct *mm);
struct mmu_notifier *mmu_notifier_get_locked(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm);
void mmu_notifier_put(struct mmu_notifier *subscription);
void mmu_notifier_synchronize(void);

int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub,
				 struct mm_struct *mm, unsigned long start,
				 unsigned long length,
				 const struct mmu_interval_notifier_ops *ops);
int mmu_interval_notifier_insert_locked(struct mmu_interval_notifier *interval_sub,
					struct mm_struct *mm,
					unsigned long start,
					unsigned long length,
					const struct mmu_interval_notifier_ops *ops);
void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub);
unsigned long mmu_interval_read_begin(struct mmu_interval_notifier *interval_sub);

int __mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range);
void __mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range);
int __mmu_notifier_clear_flush_young(struct mm_struct *mm, unsigned long start,
				     unsigned long end);
int __mmu_notifier_clear_young(struct mm_struct *mm, unsigned long start,
			       unsigned long end);
int __mmu_notifier_test_young(struct mm_struct *mm, unsigned long address);
void __mmu_notifier_release(struct mm_struct *mm);
void __mmu_notifier_subscriptions_destroy(struct mm_struct *mm);

/*
 * A callback may wait for memory that reclaim is to free, and reclaim
 * invalidates: tell lockdep at every allocation that may enter reclaim, not
 * only at the rare ones that get that far.
 */
static inline void mmu_notifier_lockdep_reclaim(void)
{
	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
	lock_map_release(&__mmu_notifier_invalidate_range_start_map);
}

/* If there is a subscription in the system */
static inline void
__mmu_notifier_range_describe(struct mmu_notifier_range *range,
			      enum mmu_notifier_event event, unsigned int flags,
			      struct mm_struct *mm, unsigned long start,
			      unsigned long end, void *owner)
{
	range->mm = mm;
	range->start = start;
	range->end = end;
	range->flags = flags | MMU_NOTIFIER_RANGE_BLOCKABLE;
	range->event = event;
	range->owner = owner;
}

/* If there is none */
static inline void
__mmu_notifier_range_for_nobody(struct mmu_notifier_range *range)
{
	range->mm = NULL;
	/* The end call checks that it may sleep. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		range->flags = MMU_NOTIFIER_RANGE_BLOCKABLE;
}

/**
 * mmu_notifier_range_init_owner - describe an invalidation
 * @range: what to fill in; all that is read later is stored, so on the stack it may be
 *	__uninitialized
 * @event: why the range is invalidated
 * @flags: 0; whether it may block is for the start call to say
 * @mm: the address space
 * @start: first address
 * @end: end address, exclusive
 * @owner: the driver that causes a %MMU_NOTIFY_MIGRATE or %MMU_NOTIFY_EXCLUSIVE
 *
 * Only callbacks may read @range: if no mm in the system has a subscription, all it
 * says is that nobody is notified of it, even if somebody subscribes before its start
 * or its end.  So this must be called under the lock that is held from the start to
 * the end: a registration waits for whoever holds it.  Best call it directly before
 * the start.
 *
 * A macro has the same name, which evaluates what describes the range only if there
 * is a subscription in the system.  So it must have no side effects.
 *
 * Context: as mmu_notifier_invalidate_range_start().
 */
static inline void
mmu_notifier_range_init_owner(struct mmu_notifier_range *range,
			      enum mmu_notifier_event event, unsigned int flags,
			      struct mm_struct *mm, unsigned long start,
			      unsigned long end, void *owner)
{
	if (static_branch_unlikely(&mmu_notifier_key.key))
		__mmu_notifier_range_describe(range, event, flags, mm, start,
					      end, owner);
	else
		__mmu_notifier_range_for_nobody(range);
	mmu_notifier_debug_init(range, mm);
}

/**
 * mmu_notifier_range_init - describe an invalidation that has no owner
 * @range: as for mmu_notifier_range_init_owner()
 * @event: why the range is invalidated
 * @flags: as for mmu_notifier_range_init_owner()
 * @mm: the address space
 * @start: first address
 * @end: end address, exclusive
 *
 * Must be called under the lock that is held from the start to the end of the range,
 * and without side effects: see mmu_notifier_range_init_owner().
 *
 * Context: as mmu_notifier_invalidate_range_start().
 */
static inline void mmu_notifier_range_init(struct mmu_notifier_range *range,
					   enum mmu_notifier_event event,
					   unsigned int flags,
					   struct mm_struct *mm,
					   unsigned long start,
					   unsigned long end)
{
	mmu_notifier_range_init_owner(range, event, flags, mm, start, end, NULL);
}

/**
 * mmu_notifier_range_blockable - check whether a callback may sleep
 * @range: what the callback was given
 *
 * Return: true if it may.
 */
static inline bool
mmu_notifier_range_blockable(const struct mmu_notifier_range *range)
{
	return range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE;
}

/**
 * mmu_notifier_range_may_defer - check whether the TLB may be flushed later
 * @range: what the callback was given
 *
 * Only for a subscriber that has @flush_deferred.
 *
 * Return: true if translations may be left in the TLB until that is called.
 */
static inline bool
mmu_notifier_range_may_defer(const struct mmu_notifier_range *range)
{
	return range->flags & MMU_NOTIFIER_RANGE_DEFERRED;
}

/**
 * mmu_notifier_range_update_to_read_only - check whether this only write-protects
 * @range: what the callback was given
 *
 * Return: always false: the range does not carry enough information.
 */
static inline bool
mmu_notifier_range_update_to_read_only(const struct mmu_notifier_range *range)
{
	return false;
}

/*
 * Whether there may be a subscriber to notify of a range.  Not of one that was
 * initialised while the key was off, which may be on by now, for another mm.
 */
static inline bool
mmu_notifier_range_has_notifiers(const struct mmu_notifier_range *range)
{
	return static_branch_unlikely(&mmu_notifier_key.key) && range->mm &&
	       READ_ONCE(range->mm->notifier_subscriptions);
}

/**
 * mmu_notifier_invalidate_range_start - begin to change page tables in a range
 * @range: filled in by mmu_notifier_range_init()
 *
 * On return no secondary MMU has a translation in the range, and none sets one
 * up before mmu_notifier_invalidate_range_end(), which must follow.
 *
 * Context: may sleep.  The caller holds mmap_lock, the VMA lock or a reverse
 * map lock of what it changes, in any mode, from here to the end call.
 */
static inline void
mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	bool subscribed = mmu_notifier_range_has_notifiers(range);

	might_sleep();

	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
	if (mmu_notifier_debug_start(range, subscribed) && subscribed)
		__mmu_notifier_invalidate_range_start(range);
	lock_map_release(&__mmu_notifier_invalidate_range_start_map);
}

/**
 * mmu_notifier_invalidate_range_start_nonblock - begin to change page tables
 *						   without blocking
 * @range: filled in by mmu_notifier_range_init()
 *
 * As mmu_notifier_invalidate_range_start(), for the OOM reaper, which must not
 * wait for what a subscriber may wait for.
 *
 * Context: may be preempted, does not block.  Locks as above.
 *
 * Return: 0; or -EAGAIN if a subscriber would have to sleep.  Then the page
 * tables must not be changed, and the end call must not be made.
 */
static inline int __must_check
mmu_notifier_invalidate_range_start_nonblock(struct mmu_notifier_range *range)
{
	bool subscribed = mmu_notifier_range_has_notifiers(range);
	int ret = 0;

	/* Without an mm there may be no flags yet. */
	range->flags = range->mm ?
		       range->flags & ~MMU_NOTIFIER_RANGE_BLOCKABLE : 0;
	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
	if (mmu_notifier_debug_start(range, subscribed) && subscribed) {
		ret = __mmu_notifier_invalidate_range_start(range);
		if (ret)
			mmu_notifier_debug_cancel(range);
	}
	lock_map_release(&__mmu_notifier_invalidate_range_start_map);

	return ret;
}

/* The record of a range must be removed, even if the key is off by now. */
static inline bool
mmu_notifier_range_is_recorded(const struct mmu_notifier_range *range)
{
	return IS_ENABLED(CONFIG_MMU_NOTIFIER_STATS) && range->mm &&
	       (range->flags & MMU_NOTIFIER_RANGE_RECORDED);
}

/**
 * mmu_notifier_invalidate_range_end - end a change of page tables in a range
 * @range: as given to the start call
 *
 * Context: may sleep if the start call might.
 */
static inline void
mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
	/* Just the check, if nobody is notified: to read the flags isn't free. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) &&
	    mmu_notifier_range_blockable(range))
		might_sleep();

	if (mmu_notifier_debug_end(range) &&
	    (mmu_notifier_range_has_notifiers(range) ||
	     mmu_notifier_range_is_recorded(range)))
		__mmu_notifier_invalidate_range_end(range);
}

/**
 * mmu_notifier_clear_flush_young - test and clear accessed bits of secondary MMUs
 * @mm: the address space
 * @start: first address
 * @end: end address, exclusive
 *
 * Flushes their TLBs, so that the next access sets the bits again.
 *
 * Context: atomic.
 * Return: non-zero if a secondary MMU has accessed the range.
 */
static inline int mmu_notifier_clear_flush_young(struct mm_struct *mm,
						 unsigned long start,
						 unsigned long end)
{
	if (!mm_has_notifiers(mm))
		return 0;
	return __mmu_notifier_clear_flush_young(mm, start, end);
}

/**
 * mmu_notifier_clear_young - test and clear accessed bits without a TLB flush
 * @mm: the address space
 * @start: first address
 * @end: end address, exclusive
 *
 * Context: atomic.
 * Return: non-zero if a secondary MMU has accessed the range.
 */
static inline int mmu_notifier_clear_young(struct mm_struct *mm,
					   unsigned long start,
					   unsigned long end)
{
	if (!mm_has_notifiers(mm))
		return 0;
	return __mmu_notifier_clear_young(mm, start, end);
}

/**
 * mmu_notifier_test_young - test accessed bits of secondary MMUs
 * @mm: the address space
 * @address: the address
 *
 * Context: atomic.
 * Return: non-zero if a secondary MMU has accessed the address.
 */
static inline int mmu_notifier_test_young(struct mm_struct *mm,
					  unsigned long address)
{
	if (!mm_has_notifiers(mm))
		return 0;
	return __mmu_notifier_test_young(mm, address);
}

/* exit_mmap(), before it unmaps anything */
static inline void mmu_notifier_release(struct mm_struct *mm)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_release(mm);
}

/* mm_init() */
static inline void mmu_notifier_subscriptions_init(struct mm_struct *mm)
{
	mm->notifier_subscriptions = NULL;
}

/*
 * __mmdrop().  Checks the pointer and not the key, which may be off by now
 * although there is something to free.
 */
static inline void mmu_notifier_subscriptions_destroy(struct mm_struct *mm)
{
	mmu_notifier_debug_mm_freed(mm);
	if (unlikely(mm->notifier_subscriptions))
		__mmu_notifier_subscriptions_destroy(mm);
}

/**
 * mmu_interval_set_seq - record that an invalidation hit
 * @interval_sub: what ->invalidate() or ->invalidate_start() was given
 * @cur_seq: what ->invalidate() or ->invalidate_start() was given
 *
 * Must be the first thing that every one of these does under the lock under which
 * mmu_interval_read_retry() is called, whether or not anything is mapped.
 * Not needed by a subscriber that never calls mmu_interval_read_begin().
 */
static inline void
mmu_interval_set_seq(struct mmu_interval_notifier *interval_sub,
		     unsigned long cur_seq)
{
	WRITE_ONCE(interval_sub->invalidate_seq, cur_seq);
}

#ifdef CONFIG_MMU_NOTIFIER_STATS
void mmu_interval_retried(struct mmu_interval_notifier *interval_sub);
#else
static inline void
mmu_interval_retried(struct mmu_interval_notifier *interval_sub)
{
}
#endif

/**
 * mmu_interval_read_retry - check for a hit since mmu_interval_read_begin()
 * @interval_sub: the subscription
 * @seq: what mmu_interval_read_begin() returned
 *
 * If an invalidation has hit, what was looked up since must not be mapped.  If
 * none has, it may be mapped for as long as the lock is held: the next
 * invalidation waits for the lock in ->invalidate() or ->invalidate_start(), and
 * finds it.
 *
 * Context: the subscriber's lock that these take is held.
 * Return: true if the caller must start from scratch.
 */
static inline bool
mmu_interval_read_retry(struct mmu_interval_notifier *interval_sub,
			unsigned long seq)
{
	if (interval_sub->invalidate_seq != seq) {
		mmu_interval_retried(interval_sub);
		return true;
	}
	mmu_notifier_retry_done(&interval_sub->retry);
	return false;
}

/**
 * mmu_interval_check_retry - check without a lock for a hit
 * @interval_sub: the subscription
 * @seq: what mmu_interval_read_begin() returned
 *
 * To give up a long lookup early.
 *
 * Context: any, no lock needed.
 * Return: true if mmu_interval_read_retry() will return true.  False means
 * nothing.
 */
static inline bool
mmu_interval_check_retry(struct mmu_interval_notifier *interval_sub,
			 unsigned long seq)
{
	/* Pairs with WRITE_ONCE() in mmu_interval_set_seq(). */
	return READ_ONCE(interval_sub->invalidate_seq) != seq;
}

/*
 * The accessed bit of a page is the primary MMU's or any secondary MMU's, and
 * both are cleared together.  Macros, because with CONFIG_DEBUG_MMU_NOTIFIER what
 * they call is named after the function that they are used in.
 */
#define __mmu_young_both(primary, secondary, vma, addr, ptep, size)	\
({									\
	struct vm_area_struct *__vma = (vma);				\
	unsigned long __addr = (addr);					\
	int __young = primary(__vma, __addr, ptep);			\
									\
	__young |= secondary(__vma->vm_mm, __addr, __addr + (size));	\
	__young;							\
})

#define ptep_clear_flush_young_notify(vma, addr, ptep)			\
	__mmu_young_both(ptep_clear_flush_young,			\
			 mmu_notifier_clear_flush_young, vma, addr, ptep, PAGE_SIZE)
#define pmdp_clear_flush_young_notify(vma, addr, pmdp)			\
	__mmu_young_both(pmdp_clear_flush_young,			\
			 mmu_notifier_clear_flush_young, vma, addr, pmdp, PMD_SIZE)
#define ptep_clear_young_notify(vma, addr, ptep)			\
	__mmu_young_both(ptep_test_and_clear_young,			\
			 mmu_notifier_clear_young, vma, addr, ptep, PAGE_SIZE)
#define pmdp_clear_young_notify(vma, addr, pmdp)			\
	__mmu_young_both(pmdp_test_and_clear_young,			\
			 mmu_notifier_clear_young, vma, addr, pmdp, PMD_SIZE)

#else /* !CONFIG_MMU_NOTIFIER */

struct mmu_notifier_range {
	unsigned long start;
	unsigned long end;
};

static inline void mmu_notifier_lockdep_reclaim(void)
{
}

static inline void
mmu_notifier_range_init_owner(struct mmu_notifier_range *range,
			      enum mmu_notifier_event event, unsigned int flags,
			      struct mm_struct *mm, unsigned long start,
			      unsigned long end, void *owner)
{
	range->start = start;
	range->end = end;
}

static inline void mmu_notifier_range_init(struct mmu_notifier_range *range,
					   enum mmu_notifier_event event,
					   unsigned int flags,
					   struct mm_struct *mm,
					   unsigned long start,
					   unsigned long end)
{
	range->start = start;
	range->end = end;
}

static inline bool
mmu_notifier_range_blockable(const struct mmu_notifier_range *range)
{
	return true;
}

static inline bool
mmu_notifier_range_may_defer(const struct mmu_notifier_range *range)
{
	return false;
}

static inline bool
mmu_notifier_range_update_to_read_only(const struct mmu_notifier_range *range)
{
	return false;
}

static inline void
mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
}

static inline int __must_check
mmu_notifier_invalidate_range_start_nonblock(struct mmu_notifier_range *range)
{
	return 0;
}

static inline void
mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
}

static inline int mmu_notifier_clear_flush_young(struct mm_struct *mm,
						 unsigned long start,
						 unsigned long end)
{
	return 0;
}

static inline int mmu_notifier_clear_young(struct mm_struct *mm,
					   unsigned long start,
					   unsigned long end)
{
	return 0;
}

static inline int mmu_notifier_test_young(struct mm_struct *mm,
					  unsigned long address)
{
	return 0;
}

static inline void mmu_notifier_release(struct mm_struct *mm)
{
}

static inline void mmu_notifier_subscriptions_init(struct mm_struct *mm)
{
}

static inline void mmu_notifier_subscriptions_destroy(struct mm_struct *mm)
{
}

static inline void mmu_notifier_synchronize(void)
{
}

#define ptep_clear_flush_young_notify	ptep_clear_flush_young
#define pmdp_clear_flush_young_notify	pmdp_clear_flush_young
#define ptep_clear_young_notify		ptep_test_and_clear_young
#define pmdp_clear_young_notify		pmdp_test_and_clear_young

#endif /* CONFIG_MMU_NOTIFIER */

#include <linux/mmu_notifier_batch.h>

/* Last: its macros have the names of functions defined above. */
#include <linux/mmu_notifier_hooks.h>

#endif /* _LINUX_MMU_NOTIFIER_H */
