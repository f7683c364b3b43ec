/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be observed of MMU notifiers, in three layers:
 *
 *	tracepoints	mmu_notifier_observe.c, always
 *	records		mmu_notifier_records.c, which callbacks are running and
 *			which ranges are in progress
 *	figures, and	mmu_notifier_stats.c and mmu_notifier_stuck.c, with
 *	reports		CONFIG_MMU_NOTIFIER_STATS
 *
 * A callback is called directly if nobody observes it, and through
 * mmu_notifier_observe_*() if somebody does; without the options that is decided by
 * tracepoints, so it costs no-ops.
 */
#ifndef _MM_MMU_NOTIFIER_OBSERVE_H
#define _MM_MMU_NOTIFIER_OBSERVE_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint-defs.h>
#include <linux/types.h>

#define NR_MMU_NOTIFY_EVENTS	(MMU_NOTIFY_EXCLUSIVE + 1)

struct dentry;

/* In any context; monotonic, which is all that is wanted of it. */
static inline u64 mmu_notifier_now(void)
{
	return ktime_get_mono_fast_ns();
}

/* --- callbacks ------------------------------------------------------------ */

DECLARE_TRACEPOINT(mmu_notifier_callback);
DECLARE_TRACEPOINT(mmu_notifier_interval);
DECLARE_TRACEPOINT(mmu_notifier_release);

/* Whether to call callbacks of subscribers to a whole mm through what follows */
static inline bool mmu_notifier_observed(void)
{
	return IS_ENABLED(CONFIG_MMU_NOTIFIER_RECORDS) ||
	       tracepoint_enabled(mmu_notifier_callback);
}

/* The same for interval subscriptions */
static inline bool mmu_interval_observed(void)
{
	return mmu_notifier_observed() ||
	       tracepoint_enabled(mmu_notifier_interval) ||
	       tracepoint_enabled(mmu_notifier_release);
}

/* clear_flush_young() or clear_young() */
typedef int (*mmu_notifier_clear_young_t)(struct mmu_notifier *sub,
					  struct mm_struct *mm,
					  unsigned long start,
					  unsigned long end);

int mmu_notifier_observe_start(struct mmu_notifier *sub,
			       const struct mmu_notifier_range *range);
void mmu_notifier_observe_finish(struct mmu_notifier *sub,
				 const struct mmu_notifier_range *range);
void mmu_notifier_observe_end(struct mmu_notifier *sub,
			      const struct mmu_notifier_range *range);
int mmu_notifier_observe_clear_young(struct mmu_notifier *sub,
				     mmu_notifier_clear_young_t callback,
				     struct mm_struct *mm, unsigned long start,
				     unsigned long end);
int mmu_notifier_observe_test_young(struct mmu_notifier *sub,
				    struct mm_struct *mm,
				    unsigned long address);
void mmu_notifier_observe_young_pages(struct mmu_notifier *sub,
				      struct mmu_notifier_young_pages *pages);
void mmu_notifier_observe_tlbs(struct mmu_notifier *sub, struct mm_struct *mm,
			       unsigned long start, unsigned long end);
void mmu_notifier_observe_release(struct mmu_notifier *sub,
				  struct mm_struct *mm);
bool mmu_notifier_observe_invalidate(struct mmu_interval_notifier *sub,
				     const struct mmu_notifier_range *range,
				     unsigned long cur_seq,
				     struct mmu_interval_notifier_finish **finish);
void mmu_notifier_observe_invalidate_finish(struct mmu_interval_notifier_finish *finish,
					    const struct mmu_notifier_range *range);

/* --- records -------------------------------------------------------------- */

/**
 * struct mmu_notifier_call - a callback that is running, on the stack of its caller
 * @mm: whose subscriber it is of
 * @callback: the function
 * @since: when it was called, in ns; 0 if nobody wants to know
 * @node: entry in the list of a CPU
 * @task: who called it
 * @cpu: in the list of which CPU it is
 */
struct mmu_notifier_call {
	struct mm_struct *mm;
	const void *callback;
	u64 since;
#ifdef CONFIG_MMU_NOTIFIER_RECORDS
	struct hlist_node node;
	struct task_struct *task;
	int cpu;
#endif
};

#ifdef CONFIG_MMU_NOTIFIER_RECORDS
void mmu_notifier_record_call(struct mmu_notifier_call *call);
void mmu_notifier_forget_call(struct mmu_notifier_call *call, u64 ns);
bool mmu_notifier_is_inside(const struct mm_struct *mm);
struct dentry *mmu_notifier_debugfs_dir(void);
#else
static inline void mmu_notifier_record_call(struct mmu_notifier_call *call)
{
}

static inline void mmu_notifier_forget_call(struct mmu_notifier_call *call,
					    u64 ns)
{
}
#endif /* CONFIG_MMU_NOTIFIER_RECORDS */

#ifdef CONFIG_MMU_NOTIFIER_STATS

/**
 * struct mmu_notifier_seen - a copy of a record, to be shown at leisure
 * @mm: the mm
 * @callback: the callback, or NULL if it is a range
 * @start: of the range
 * @end: of the range, exclusive
 * @event: of the range
 * @blockable: the range's callbacks may sleep
 * @since: when it began, in ns
 * @tgid: of the task that is in it
 * @tid: of the task that is in it
 * @comm: of the task that is in it
 */
struct mmu_notifier_seen {
	const struct mm_struct *mm;
	const void *callback;
	unsigned long start;
	unsigned long end;
	enum mmu_notifier_event event;
	bool blockable;
	u64 since;
	pid_t tgid;
	pid_t tid;
	char comm[TASK_COMM_LEN];
};

void mmu_notifier_record_range(struct mmu_notifier_range *range);
void mmu_notifier_forget_range(struct mmu_notifier_range *range);
void mmu_notifier_record_young(struct mmu_notifier_subscriptions *subs);
unsigned int mmu_notifier_records(const struct mm_struct *mm,
				  struct mmu_notifier_seen *seen,
				  unsigned int room);
bool mmu_notifier_last_range(const struct mm_struct *mm,
			     struct mmu_notifier_seen *seen);

/* --- figures -------------------------------------------------------------- */

/**
 * struct mmu_notifier_counts - what happens often, counted
 * @ranges: starts, by event
 * @callbacks: callbacks
 * @young: tests of accessed bits
 * @callback_ns: for how long the callbacks have run in all
 */
struct mmu_notifier_counts {
	unsigned long ranges[NR_MMU_NOTIFY_EVENTS];
	unsigned long callbacks;
	unsigned long young;
	u64 callback_ns;
};

/**
 * struct mmu_notifier_counting - what a CPU has counted and not handed over yet
 * @figures: of the mm that it counts for; NULL if there is none
 * @counts: what it will add to these
 *
 * Under the lock of the CPU's records.  @figures is also read without it.
 */
struct mmu_notifier_counting {
	struct mmu_notifier_figures *figures;
	struct mmu_notifier_counts counts;
};

/**
 * struct mmu_notifier_figures - what debugfs shows of an mm
 * @list: entry in the list of all of them
 * @nr: larger than that of any that was in the list before
 * @mm: the mm; valid for as long as this is in the list
 * @tgid: of the task that registered first
 * @comm: of the task that registered first
 * @counts: what happens often, as far as CPUs have handed it over
 * @lock: protects @counts, and the longest callback from writers; innermost
 * @longest_ns: for how long the longest callback ran
 * @longest: its symbol
 * @waits: how many waits have ended
 * @wait_ns: for how long they took in all
 * @retries: how many attempts of readers have failed
 */
struct mmu_notifier_figures {
	struct list_head list;
	u64 nr;
	struct mm_struct *mm;
	pid_t tgid;
	char comm[TASK_COMM_LEN];
	struct mmu_notifier_counts *counts;
	raw_spinlock_t lock;	/* @counts, @longest_ns, @longest */
	u64 longest_ns;
	const void *longest;
	atomic_long_t waits;
	atomic64_t wait_ns;
	atomic_long_t retries;
};

/**
 * struct mmu_notifier_owner - whose mm it is
 * @tgid: the process
 * @comm: its name
 */
struct mmu_notifier_owner {
	pid_t tgid;
	char comm[TASK_COMM_LEN];
};

int mmu_notifier_figures_init(struct mmu_notifier_figures *figures,
			      struct mm_struct *mm);
void mmu_notifier_figures_show(struct mmu_notifier_figures *figures);
void mmu_notifier_figures_hide(struct mmu_notifier_figures *figures);
void mmu_notifier_figures_free(struct mmu_notifier_figures *figures);
void mmu_notifier_count_range(struct mmu_notifier_counting *counting,
			      const struct mmu_notifier_range *range);
void mmu_notifier_count_young(struct mmu_notifier_counting *counting,
			      struct mmu_notifier_subscriptions *subs);
void mmu_notifier_count_callback(struct mmu_notifier_counting *counting,
				 const struct mmu_notifier_call *call, u64 ns);
void mmu_notifier_hand_over(struct mmu_notifier_counting *counting);
void mmu_notifier_collect(const struct mmu_notifier_figures *figures);
void mmu_notifier_count_wait(struct mm_struct *mm, u64 ns);
void mmu_notifier_count_retry(struct mm_struct *mm);
void mmu_notifier_owner(const struct mm_struct *mm,
			struct mmu_notifier_owner *owner);
const char *mmu_notifier_event_name(enum mmu_notifier_event event);

extern const struct file_operations mmu_notifier_mms_fops;

/* --- reports -------------------------------------------------------------- */

/**
 * struct mmu_notifier_stuck_test - what a test has instead of the real thing
 * @after: after how long to report, in jiffies
 * @say: what to call with each line of a report, in any context
 */
struct mmu_notifier_stuck_test {
	unsigned long after;
	void (*say)(const char *line);
};

void mmu_notifier_stuck_begin(struct mmu_notifier_wait *wait);
void mmu_notifier_stuck_end(struct mmu_notifier_wait *wait);
void mmu_notifier_stuck_replace(const struct mmu_notifier_stuck_test *test);

#else /* !CONFIG_MMU_NOTIFIER_STATS */

struct mmu_notifier_figures { };
struct mmu_notifier_counting { };

static inline void mmu_notifier_record_range(struct mmu_notifier_range *range)
{
}

static inline void mmu_notifier_forget_range(struct mmu_notifier_range *range)
{
}

static inline void
mmu_notifier_record_young(struct mmu_notifier_subscriptions *subs)
{
}

static inline int
mmu_notifier_figures_init(struct mmu_notifier_figures *figures,
			  struct mm_struct *mm)
{
	return 0;
}

static inline void
mmu_notifier_figures_show(struct mmu_notifier_figures *figures)
{
}

static inline void
mmu_notifier_figures_hide(struct mmu_notifier_figures *figures)
{
}

static inline void
mmu_notifier_figures_free(struct mmu_notifier_figures *figures)
{
}

static inline void
mmu_notifier_count_callback(struct mmu_notifier_counting *counting,
			    const struct mmu_notifier_call *call, u64 ns)
{
}

static inline void mmu_notifier_count_wait(struct mm_struct *mm, u64 ns)
{
}

static inline void mmu_notifier_stuck_begin(struct mmu_notifier_wait *wait)
{
}

static inline void mmu_notifier_stuck_end(struct mmu_notifier_wait *wait)
{
}

#endif /* CONFIG_MMU_NOTIFIER_STATS */

#endif /* _MM_MMU_NOTIFIER_OBSERVE_H */
