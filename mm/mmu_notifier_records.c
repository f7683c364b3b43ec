// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: records of the callbacks that are running and of the ranges in
 * progress, so that whoever waits for them can be told whom it waits for.
 *
 * A record is on the stack of the task that is in the callback or the range, and in
 * a list of the CPU on which that began.  So recording writes nothing that other
 * CPUs write, and looking up goes through the lists of all CPUs, which is rare.
 * What is counted for the figures of an mm is counted on the way, under the same lock.
 *
 * Locks: those of the lists are taken under page table locks.  Only that of an mm's
 * figures is taken inside.
 *
 * What holds: a record is in its list only while its task is in the function that
 * has put it there.  So under the lock the record and the task are valid.  (A range
 * that is never ended breaks that; CONFIG_DEBUG_MMU_NOTIFIER finds those.)
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "mmu_notifier_internal.h"

struct records {
	raw_spinlock_t lock;	/* all of this */
	struct hlist_head calls;
	struct mmu_notifier_counting counting;
#ifdef CONFIG_MMU_NOTIFIER_STATS
	struct hlist_head ranges;
	struct mmu_notifier_seen last;	/* the range that ended last */
#endif
};

static DEFINE_PER_CPU(struct records, per_cpu_records) = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(per_cpu_records.lock),
};

static struct records *records_of(int cpu)
{
	return per_cpu_ptr(&per_cpu_records, cpu);
}

/* --- callbacks ------------------------------------------------------------ */

/**
 * mmu_notifier_record_call - record that this task is about to call a callback
 * @call: on the stack until mmu_notifier_forget_call(), with its mm and callback
 */
void mmu_notifier_record_call(struct mmu_notifier_call *call)
{
	struct records *records;
	unsigned long flags;

	/* Any would do; this one is the quickest. */
	call->cpu = raw_smp_processor_id();
	call->task = current;
	records = records_of(call->cpu);

	raw_spin_lock_irqsave(&records->lock, flags);
	hlist_add_head(&call->node, &records->calls);
	raw_spin_unlock_irqrestore(&records->lock, flags);
}

/**
 * mmu_notifier_forget_call - record that the callback has returned, and count it
 * @call: as given to mmu_notifier_record_call()
 * @ns: how long it took, if that is known
 */
void mmu_notifier_forget_call(struct mmu_notifier_call *call, u64 ns)
{
	struct records *records = records_of(call->cpu);
	unsigned long flags;

	raw_spin_lock_irqsave(&records->lock, flags);
	hlist_del(&call->node);
	mmu_notifier_count_callback(&records->counting, call, ns);
	raw_spin_unlock_irqrestore(&records->lock, flags);
}

/**
 * mmu_notifier_is_inside - check whether this task is in a callback
 * @mm: of a subscriber to this mm; or NULL, of any
 *
 * Return: true if it is.
 */
bool mmu_notifier_is_inside(const struct mm_struct *mm)
{
	const struct mmu_notifier_call *call;
	bool inside = false;
	unsigned long flags;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct records *records = records_of(cpu);

		raw_spin_lock_irqsave(&records->lock, flags);
		hlist_for_each_entry(call, &records->calls, node)
			if (call->task == current && (!mm || call->mm == mm))
				inside = true;
		raw_spin_unlock_irqrestore(&records->lock, flags);
	}
	return inside;
}

/* --- ranges, and a view of all -------------------------------------------- */

#ifdef CONFIG_MMU_NOTIFIER_STATS

static void see_task(struct mmu_notifier_seen *seen,
		     const struct task_struct *task)
{
	seen->tgid = task->tgid;
	seen->tid = task->pid;
	/* A name that changes right now may be seen as neither. */
	memcpy(seen->comm, task->comm, sizeof(seen->comm));
	seen->comm[sizeof(seen->comm) - 1] = 0;
}

static void see_range(struct mmu_notifier_seen *seen,
		      const struct mmu_notifier_range *range)
{
	*seen = (struct mmu_notifier_seen) {
		.mm = range->mm,
		.start = range->start,
		.end = range->end,
		.event = range->event,
		.blockable = mmu_notifier_range_blockable(range),
		.since = range->record.since,
	};
	see_task(seen, range->record.task);
}

static void see_call(struct mmu_notifier_seen *seen,
		     const struct mmu_notifier_call *call)
{
	*seen = (struct mmu_notifier_seen) {
		.mm = call->mm,
		.callback = call->callback,
		.since = call->since,
	};
	see_task(seen, call->task);
}

/**
 * mmu_notifier_record_range - count a range, and record it as in progress
 * @range: the range
 */
void mmu_notifier_record_range(struct mmu_notifier_range *range)
{
	struct mmu_notifier_range_record *record = &range->record;
	struct records *records;
	unsigned long flags;

	/* Started twice, which is a bug but not ours */
	if (range->flags & MMU_NOTIFIER_RANGE_RECORDED)
		return;

	range->flags |= MMU_NOTIFIER_RANGE_RECORDED;
	record->since = mmu_notifier_now();
	record->task = current;
	record->cpu = raw_smp_processor_id();
	records = records_of(record->cpu);

	raw_spin_lock_irqsave(&records->lock, flags);
	hlist_add_head(&record->node, &records->ranges);
	mmu_notifier_count_range(&records->counting, range);
	raw_spin_unlock_irqrestore(&records->lock, flags);
}

/**
 * mmu_notifier_forget_range - record that a range is not in progress any more
 * @range: the range; if its start was not recorded, nothing happens
 */
void mmu_notifier_forget_range(struct mmu_notifier_range *range)
{
	struct records *records;
	unsigned long flags;

	if (!(range->flags & MMU_NOTIFIER_RANGE_RECORDED))
		return;
	range->flags &= ~MMU_NOTIFIER_RANGE_RECORDED;

	records = records_of(range->record.cpu);
	raw_spin_lock_irqsave(&records->lock, flags);
	hlist_del(&range->record.node);
	see_range(&records->last, range);
	raw_spin_unlock_irqrestore(&records->lock, flags);
}

/**
 * mmu_notifier_record_young - count a test of accessed bits
 * @subs: the mm's subscriptions
 *
 * Context: any but NMI.
 */
void mmu_notifier_record_young(struct mmu_notifier_subscriptions *subs)
{
	struct records *records = records_of(raw_smp_processor_id());
	unsigned long flags;

	raw_spin_lock_irqsave(&records->lock, flags);
	mmu_notifier_count_young(&records->counting, subs);
	raw_spin_unlock_irqrestore(&records->lock, flags);
}

/**
 * mmu_notifier_collect - make all CPUs hand over what they have counted for an mm
 * @figures: of the mm
 *
 * What is being counted right now may be left out.  If the mm has gone, nothing is
 * counted for it any more, and on return no CPU refers to @figures.
 *
 * Context: any but NMI.
 */
void mmu_notifier_collect(const struct mmu_notifier_figures *figures)
{
	unsigned long flags;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct records *records = records_of(cpu);

		/*
		 * Most CPUs count for others: leave their locks alone.  If the mm has
		 * gone this misses none: a CPU wrote it while the mm was in use, so
		 * before the last reference was dropped that led here.  Pairs with
		 * smp_store_release() in mmu_notifier_hand_over() and counts_for():
		 * a CPU that counts for others has done with @figures.
		 */
		if (smp_load_acquire(&records->counting.figures) != figures)
			continue;
		raw_spin_lock_irqsave(&records->lock, flags);
		if (records->counting.figures == figures)
			mmu_notifier_hand_over(&records->counting);
		raw_spin_unlock_irqrestore(&records->lock, flags);
	}
}

/**
 * mmu_notifier_records - look at what is in progress
 * @mm: in this mm; or NULL, in any
 * @seen: where to store what is seen: ranges and callbacks, in no order
 * @room: how many fit into @seen
 *
 * Context: any.
 *
 * Return: how many there are, which may be more than @room.
 */
unsigned int mmu_notifier_records(const struct mm_struct *mm,
				  struct mmu_notifier_seen *seen,
				  unsigned int room)
{
	const struct mmu_notifier_range *range;
	const struct mmu_notifier_call *call;
	unsigned int nr = 0;
	unsigned long flags;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct records *records = records_of(cpu);

		raw_spin_lock_irqsave(&records->lock, flags);
		hlist_for_each_entry(range, &records->ranges, record.node) {
			if (mm && range->mm != mm)
				continue;
			if (nr < room)
				see_range(&seen[nr], range);
			nr++;
		}
		hlist_for_each_entry(call, &records->calls, node) {
			if (mm && call->mm != mm)
				continue;
			if (nr < room)
				see_call(&seen[nr], call);
			nr++;
		}
		raw_spin_unlock_irqrestore(&records->lock, flags);
	}
	return nr;
}

/**
 * mmu_notifier_last_range - find the range that began last among those that ended
 * @mm: in this mm
 * @seen: where to store it
 *
 * Only the last one of each CPU is remembered, so that of @mm may be forgotten.
 *
 * Context: any.
 *
 * Return: true if there is one.
 */
bool mmu_notifier_last_range(const struct mm_struct *mm,
			     struct mmu_notifier_seen *seen)
{
	unsigned long flags;
	bool found = false;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct records *records = records_of(cpu);

		raw_spin_lock_irqsave(&records->lock, flags);
		if (records->last.mm == mm &&
		    (!found || records->last.since > seen->since)) {
			*seen = records->last;
			found = true;
		}
		raw_spin_unlock_irqrestore(&records->lock, flags);
	}
	return found;
}

#endif /* CONFIG_MMU_NOTIFIER_STATS */

/**
 * mmu_notifier_debugfs_dir - find or create the directory of our files in debugfs
 *
 * Context: initcalls.
 *
 * Return: the directory, or an ERR_PTR() that debugfs accepts.
 */
struct dentry *mmu_notifier_debugfs_dir(void)
{
	static struct dentry *dir;

	if (!dir)
		dir = debugfs_create_dir("mmu_notifier", NULL);
	return dir;
}
