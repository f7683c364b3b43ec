/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counts of those who are inside something, for whoever has to wait until they
 * have left: the readers of a list of subscriptions, which run callbacks and may
 * sleep; and the ranges that nobody was notified of.
 *
 * SRCU does the same, with two counters for each CPU that may ever be there and
 * two full barriers for each reader.  Here a reader pays one atomic operation at
 * each end, which is a full barrier anyway on most machines, and a few groups of
 * CPUs share a counter, so the size does not grow with the machine.  Waiting
 * without a reader is reading some counters.
 *
 *	reader					whoever waits
 *
 *	count itself, in the current phase	change what readers look at
 *	(A) full barrier			(B) full barrier
 *	look					for each phase, but change the
 *	...						current one in between:
 *	(C) count itself out			(D) until its counters were 0
 *							use what was changed
 *
 * Either a reader sees the change, or its count is seen and waited for: (A) pairs
 * with (B).  What a reader did comes before what the waiter does next: (C) pairs
 * with (D).  A reader may be in either phase, since it may read which is current
 * and then be preempted for long, so counters of both are waited for.  Those of the
 * phase that isn't current get no new readers but such late ones, so the wait ends.
 * A late reader that is not waited for counts itself after (B), and sees the change.
 */
#ifndef _MM_MMU_NOTIFIER_READERS_H
#define _MM_MMU_NOTIFIER_READERS_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/smp.h>
#include <linux/wait.h>

/* At most so many groups of CPUs; a power of two */
#define MMU_NOTIFIER_READER_GROUPS	8

/**
 * enum mmu_notifier_readers_of - what readers are inside of
 * @MMU_NOTIFIER_CALLBACKS: a walk of the list, which runs callbacks
 * @MMU_NOTIFIER_PASSED: a range of which nobody was notified, to its end
 */
enum mmu_notifier_readers_of {
	MMU_NOTIFIER_CALLBACKS,
	MMU_NOTIFIER_PASSED,
};

#define NR_MMU_NOTIFIER_READERS_OF	(MMU_NOTIFIER_PASSED + 1)

/* The counters of a group of CPUs have a cache line of their own. */
struct mmu_notifier_reader_group {
	atomic_t nr[NR_MMU_NOTIFIER_READERS_OF][2];
} ____cacheline_aligned_in_smp;

/**
 * struct mmu_notifier_readers - those who are inside
 * @wait: for each kind: the current phase, 0 or 1, changed under the mutex, which
 *	serializes those who wait; and what they sleep on
 * @dep_map: stands for the callbacks in which a reader is
 * @mask: the number of groups less one
 * @group: the counters
 */
struct mmu_notifier_readers {
	struct {
		unsigned int phase;
		struct mutex mutex;	/* @phase, held while one waits */
		wait_queue_head_t wq;
	} wait[NR_MMU_NOTIFIER_READERS_OF];
#ifdef CONFIG_DEBUG_LOCK_ALLOC
	struct lockdep_map dep_map;
#endif
	unsigned int mask;
	struct mmu_notifier_reader_group group[];
};

struct mmu_notifier_readers *mmu_notifier_readers_alloc(void);
void mmu_notifier_readers_free(struct mmu_notifier_readers *readers);
bool mmu_notifier_readers_have_left(struct mmu_notifier_readers *readers,
				    enum mmu_notifier_readers_of what);
void mmu_notifier_readers_wait(struct mmu_notifier_readers *readers,
			       enum mmu_notifier_readers_of what);

static inline atomic_t *
mmu_notifier_reader_count(struct mmu_notifier_readers *readers,
			  enum mmu_notifier_readers_of what,
			  unsigned int group, unsigned int phase)
{
	return &readers->group[group].nr[what][phase];
}

/* Any group is right; that of this CPU is hardly shared. */
static inline unsigned int
mmu_notifier_reader_group(const struct mmu_notifier_readers *readers)
{
	return raw_smp_processor_id() & readers->mask;
}

static inline void mmu_notifier_count_in(atomic_t *count)
{
	atomic_inc(count);
	/* (A), pairs with (B) in mmu_notifier_readers_wait(). */
	smp_mb__after_atomic();
}

static inline void mmu_notifier_count_out(struct mmu_notifier_readers *readers,
					  enum mmu_notifier_readers_of what,
					  atomic_t *count)
{
	/* (C), pairs with (D) in mmu_notifier_readers_wait(). */
	if (!atomic_dec_and_test(count))
		return;
	/*
	 * Nor is this before the count: that was fully ordered, and a waiter queues
	 * itself, with a full barrier, before it looks at the count again.
	 */
	if (waitqueue_active(&readers->wait[what].wq))
		wake_up_all(&readers->wait[what].wq);
}

/**
 * mmu_notifier_reader_enter - count the caller as inside
 * @readers: where
 * @what: of what
 *
 * Context: any but NMI.  The caller may sleep, and leave on another CPU.
 * Return: what mmu_notifier_reader_leave() wants: the group and, in the lowest bit, the
 * phase; less than twice the number of groups.
 */
static inline unsigned int
mmu_notifier_reader_enter(struct mmu_notifier_readers *readers,
			  enum mmu_notifier_readers_of what)
{
	unsigned int group = mmu_notifier_reader_group(readers);
	unsigned int phase = READ_ONCE(readers->wait[what].phase);

	mmu_notifier_count_in(mmu_notifier_reader_count(readers, what, group,
							phase));
	return group << 1 | phase;
}

/**
 * mmu_notifier_reader_leave - count the caller out
 * @readers: where
 * @what: of what
 * @reader: what mmu_notifier_reader_enter() returned
 *
 * Context: as mmu_notifier_reader_enter().
 */
static inline void
mmu_notifier_reader_leave(struct mmu_notifier_readers *readers,
			  enum mmu_notifier_readers_of what,
			  unsigned int reader)
{
	mmu_notifier_count_out(readers, what,
			       mmu_notifier_reader_count(readers, what,
							 reader >> 1,
							 reader & 1));
}

/*
 * Around a walk of the list, in one function: the same, but what the first returns
 * and the second wants is the counter, which is quicker.
 */
static inline atomic_t *
mmu_notifier_walk_begin(struct mmu_notifier_readers *readers)
{
	unsigned int phase;
	atomic_t *count;

	lock_map_acquire_read(&readers->dep_map);
	phase = READ_ONCE(readers->wait[MMU_NOTIFIER_CALLBACKS].phase);
	count = mmu_notifier_reader_count(readers, MMU_NOTIFIER_CALLBACKS,
					  mmu_notifier_reader_group(readers),
					  phase);
	mmu_notifier_count_in(count);
	return count;
}

static inline void mmu_notifier_walk_end(struct mmu_notifier_readers *readers,
					 atomic_t *count)
{
	mmu_notifier_count_out(readers, MMU_NOTIFIER_CALLBACKS, count);
	lock_map_release(&readers->dep_map);
}

#endif /* _MM_MMU_NOTIFIER_READERS_H */
