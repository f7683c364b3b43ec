/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How those who use MMU notifiers let themselves be observed: whoever waits for
 * invalidations or callbacks says so for as long as it waits, and whoever must
 * start over because of an invalidation says so each time.
 *
 * With CONFIG_MMU_NOTIFIER_STATS both are counted for the mm, and a wait or a
 * series of attempts that takes very long is reported with what it waits for.
 * Without it a wait is but a tracepoint, and the rest is empty.
 *
 * See Documentation/mm/mmu_notifier_observing.rst.
 */
#ifndef _LINUX_MMU_NOTIFIER_STATS_H
#define _LINUX_MMU_NOTIFIER_STATS_H

#include <linux/compiler.h>
#include <linux/timer.h>
#include <linux/types.h>

struct mm_struct;
struct task_struct;

/**
 * enum mmu_notifier_wait_kind - what somebody waits for
 * @MMU_NOTIFIER_WAIT_LOCKS: a registration, for mmap_lock and
 *	mm_pass_all_locks()
 * @MMU_NOTIFIER_WAIT_CALLBACKS: unregister and exit, for the callbacks of the mm
 * @MMU_NOTIFIER_WAIT_FREED: mmu_notifier_synchronize(), for what was put in any mm
 * @MMU_NOTIFIER_WAIT_READ: mmu_interval_read_begin(), for ranges to end
 * @MMU_NOTIFIER_WAIT_REMOVE: mmu_interval_notifier_remove(), for ranges to end
 * @MMU_NOTIFIER_WAIT_MEMSLOTS: KVM publishes memslots, for ranges to end
 * @MMU_NOTIFIER_WAIT_HVA: KVM refreshes a pfn cache, for ranges that cover it
 * @MMU_NOTIFIER_WAIT_SPAN: mmu_notifier_add_span(), for ranges that were passed over
 * @NR_MMU_NOTIFIER_WAITS: how many kinds there are
 */
enum mmu_notifier_wait_kind {
	MMU_NOTIFIER_WAIT_LOCKS,
	MMU_NOTIFIER_WAIT_CALLBACKS,
	MMU_NOTIFIER_WAIT_FREED,
	MMU_NOTIFIER_WAIT_READ,
	MMU_NOTIFIER_WAIT_REMOVE,
	MMU_NOTIFIER_WAIT_MEMSLOTS,
	MMU_NOTIFIER_WAIT_HVA,
	MMU_NOTIFIER_WAIT_SPAN,
	NR_MMU_NOTIFIER_WAITS,
};

#ifdef CONFIG_MMU_NOTIFIER

/**
 * struct mmu_notifier_wait - a wait in progress, on the stack of who waits
 * @mm: the mm that is waited for, or NULL if it is any
 * @kind: what is waited for
 * @since: when it began, in ns; 0 if nobody wants to know
 * @timer: reports the wait if it takes very long
 * @task: who waits
 */
struct mmu_notifier_wait {
	struct mm_struct *mm;
	enum mmu_notifier_wait_kind kind;
	u64 since;
#ifdef CONFIG_MMU_NOTIFIER_STATS
	struct timer_list timer;
	struct task_struct *task;
#endif
};

void mmu_notifier_wait_begin(struct mmu_notifier_wait *wait,
			     struct mm_struct *mm,
			     enum mmu_notifier_wait_kind kind);
void mmu_notifier_wait_end(struct mmu_notifier_wait *wait);

#else /* !CONFIG_MMU_NOTIFIER */

struct mmu_notifier_wait { };

static inline void mmu_notifier_wait_begin(struct mmu_notifier_wait *wait,
					   struct mm_struct *mm,
					   enum mmu_notifier_wait_kind kind)
{
}

static inline void mmu_notifier_wait_end(struct mmu_notifier_wait *wait)
{
}

#endif /* CONFIG_MMU_NOTIFIER */

#ifdef CONFIG_MMU_NOTIFIER_STATS

/**
 * struct mmu_notifier_retry - the attempts of a reader that has to start over
 * @nr: how many have failed since one got through
 * @since: when the first of them failed, in jiffies
 * @told: they have been reported
 *
 * Zeroed at first.  Readers that share one need no lock: then a report may be
 * lost, or say a number that is too small.
 */
struct mmu_notifier_retry {
	unsigned int nr;
	unsigned long since;
	bool told;
};

void mmu_notifier_retried(struct mmu_notifier_retry *retry,
			  struct mm_struct *mm, const void *who,
			  unsigned long address);

/**
 * mmu_notifier_retry_done - record that a reader got through
 * @retry: as given to mmu_notifier_retried(), or zeroed
 *
 * Context: any.
 */
static inline void mmu_notifier_retry_done(struct mmu_notifier_retry *retry)
{
	if (likely(!READ_ONCE(retry->nr)))
		return;
	WRITE_ONCE(retry->told, false);
	WRITE_ONCE(retry->nr, 0);
}

/**
 * struct mmu_notifier_range_record - that a range is in progress, in the range
 * @node: entry in the list of a CPU
 * @task: who started it
 * @since: when, in ns
 * @cpu: in the list of which CPU it is
 */
struct mmu_notifier_range_record {
	struct hlist_node node;
	struct task_struct *task;
	u64 since;
	int cpu;
};

#else /* !CONFIG_MMU_NOTIFIER_STATS */

struct mmu_notifier_retry { };
struct mmu_notifier_range_record { };

static inline void mmu_notifier_retried(struct mmu_notifier_retry *retry,
					struct mm_struct *mm, const void *who,
					unsigned long address)
{
}

static inline void mmu_notifier_retry_done(struct mmu_notifier_retry *retry)
{
}

#endif /* CONFIG_MMU_NOTIFIER_STATS */

#endif /* _LINUX_MMU_NOTIFIER_STATS_H */
