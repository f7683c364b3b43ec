// SPDX-License-Identifier: GPL-2.0
/*
 * CONFIG_MMU_NOTIFIER_STATS: what is known about every mm that has, or has had, a
 * subscription, in debugfs/mmu_notifier/mms.
 *
 * What happens often is counted by each CPU for itself, for the mm that it has to do
 * with; before it counts for another mm, and when somebody wants to know, it hands over
 * what it has.  So counting writes nothing that other CPUs write, and an mm needs no
 * memory for each CPU.  The rest is counted in atomics, or kept where it belongs and
 * only read here: the subscribers in their list, what is in progress in the records.
 *
 * Memory: NR_MMU_NOTIFY_EVENTS + 2 words and 8 bytes (88 bytes on 64 bits) and some
 * 110 bytes besides, charged to the memory cgroup of the first registration.  It goes
 * with the mm.  If it can't be had the registration fails.
 *
 * Locks: "mms_lock" is innermost, and taken with interrupts disabled: __mmdrop() may
 * be called anywhere.  So is the lock of an mm's figures, which nests inside those of
 * the records.
 *
 * What holds: an mm leaves the list before it is freed.  So one that is found there
 * can be pinned, unless its last reference has just gone.  The list is sorted by
 * ->nr, which is the position in the file: readers can drop the lock and go on
 * where they were.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

#include "mmu_notifier_internal.h"

static DEFINE_SPINLOCK(mms_lock);	/* mms, last_nr */
static LIST_HEAD(mms);
static u64 last_nr;

/* --- counting ------------------------------------------------------------- */

static const char * const event_names[NR_MMU_NOTIFY_EVENTS] = {
	[MMU_NOTIFY_UNMAP]		= "UNMAP",
	[MMU_NOTIFY_CLEAR]		= "CLEAR",
	[MMU_NOTIFY_PROTECTION_VMA]	= "PROTECTION_VMA",
	[MMU_NOTIFY_PROTECTION_PAGE]	= "PROTECTION_PAGE",
	[MMU_NOTIFY_SOFT_DIRTY]		= "SOFT_DIRTY",
	[MMU_NOTIFY_RELEASE]		= "RELEASE",
	[MMU_NOTIFY_MIGRATE]		= "MIGRATE",
	[MMU_NOTIFY_EXCLUSIVE]		= "EXCLUSIVE",
};

/**
 * mmu_notifier_event_name - the name of an event, without MMU_NOTIFY_
 * @event: the event
 *
 * Return: the name, for an unknown event "?".
 */
const char *mmu_notifier_event_name(enum mmu_notifier_event event)
{
	return event < NR_MMU_NOTIFY_EVENTS ? event_names[event] : "?";
}

/* Of an mm whose first registration may have failed */
static struct mmu_notifier_figures *figures_of(const struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs;

	/* Pairs with smp_store_release() in attach_locked(). */
	subs = smp_load_acquire(&mm->notifier_subscriptions);
	return subs ? &subs->figures : NULL;
}

static void add_counts(struct mmu_notifier_counts *to,
		       const struct mmu_notifier_counts *from)
{
	unsigned int event;

	for (event = 0; event < NR_MMU_NOTIFY_EVENTS; event++)
		to->ranges[event] += from->ranges[event];
	to->callbacks += from->callbacks;
	to->young += from->young;
	to->callback_ns += from->callback_ns;
}

/**
 * mmu_notifier_hand_over - add what a CPU has counted to the figures of its mm
 * @counting: of the CPU; it has an mm
 *
 * Afterwards the CPU counts for no mm.
 *
 * Context: atomic.  The lock of the CPU's records is held, with interrupts disabled.
 */
void mmu_notifier_hand_over(struct mmu_notifier_counting *counting)
{
	struct mmu_notifier_figures *figures = counting->figures;

	raw_spin_lock(&figures->lock);
	add_counts(figures->counts, &counting->counts);
	raw_spin_unlock(&figures->lock);
	memset(&counting->counts, 0, sizeof(counting->counts));
	/*
	 * Pairs with smp_load_acquire() in mmu_notifier_collect(): whoever sees that
	 * the CPU counts for others may free @figures.
	 */
	smp_store_release(&counting->figures, NULL);
}

/* Where a CPU counts for an mm, which is in use; so its figures are, too. */
static struct mmu_notifier_counts *
counts_for(struct mmu_notifier_counting *counting,
	   struct mmu_notifier_figures *figures)
{
	if (unlikely(counting->figures != figures)) {
		if (counting->figures)
			mmu_notifier_hand_over(counting);
		/* As there: NULL may never be seen in between. */
		smp_store_release(&counting->figures, figures);
	}
	return &counting->counts;
}

/**
 * mmu_notifier_count_range - count a range that begins
 * @counting: of a CPU, the lock of whose records is held
 * @range: the range
 */
void mmu_notifier_count_range(struct mmu_notifier_counting *counting,
			      const struct mmu_notifier_range *range)
{
	struct mmu_notifier_figures *figures =
		&range->mm->notifier_subscriptions->figures;

	if (range->event < NR_MMU_NOTIFY_EVENTS)
		counts_for(counting, figures)->ranges[range->event]++;
}

/**
 * mmu_notifier_count_young - count a test of accessed bits
 * @counting: of a CPU, the lock of whose records is held
 * @subs: the mm's subscriptions
 */
void mmu_notifier_count_young(struct mmu_notifier_counting *counting,
			      struct mmu_notifier_subscriptions *subs)
{
	counts_for(counting, &subs->figures)->young++;
}

static void note_longest(struct mmu_notifier_figures *figures,
			 const void *callback, u64 ns)
{
	raw_spin_lock(&figures->lock);
	if (ns > figures->longest_ns) {
		WRITE_ONCE(figures->longest_ns, ns);
		figures->longest = callback;
	}
	raw_spin_unlock(&figures->lock);
}

/**
 * mmu_notifier_count_callback - count a callback that has returned
 * @counting: of a CPU, the lock of whose records is held
 * @call: the callback
 * @ns: how long it took
 */
void mmu_notifier_count_callback(struct mmu_notifier_counting *counting,
				 const struct mmu_notifier_call *call, u64 ns)
{
	struct mmu_notifier_figures *figures =
		&call->mm->notifier_subscriptions->figures;
	struct mmu_notifier_counts *counts = counts_for(counting, figures);

	counts->callbacks++;
	counts->callback_ns += ns;
	/* Spares the lock; looked at again under it. */
	if (ns > READ_ONCE(figures->longest_ns))
		note_longest(figures, call->callback, ns);
}

/**
 * mmu_notifier_count_wait - count a wait that has ended
 * @mm: the mm, or NULL if it was for any
 * @ns: how long it took
 */
void mmu_notifier_count_wait(struct mm_struct *mm, u64 ns)
{
	struct mmu_notifier_figures *figures = mm ? figures_of(mm) : NULL;

	if (!figures)
		return;
	atomic_long_inc(&figures->waits);
	atomic64_add(ns, &figures->wait_ns);
}

/**
 * mmu_notifier_count_retry - count a reader's attempt that has failed
 * @mm: the mm
 */
void mmu_notifier_count_retry(struct mm_struct *mm)
{
	struct mmu_notifier_figures *figures = figures_of(mm);

	if (figures)
		atomic_long_inc(&figures->retries);
}

/* --- from the first registration until the mm is freed -------------------- */

/**
 * mmu_notifier_figures_init - set up the figures of an mm, which nobody sees yet
 * @figures: zeroed
 * @mm: the mm
 *
 * Context: may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int mmu_notifier_figures_init(struct mmu_notifier_figures *figures,
			      struct mm_struct *mm)
{
	figures->counts = kzalloc(sizeof(*figures->counts), GFP_KERNEL_ACCOUNT);
	if (!figures->counts)
		return -ENOMEM;
	INIT_LIST_HEAD(&figures->list);
	raw_spin_lock_init(&figures->lock);
	figures->mm = mm;
	figures->tgid = current->tgid;
	get_task_comm(figures->comm, current->group_leader);
	return 0;
}

/**
 * mmu_notifier_figures_show - put an mm into the list, if it is not there
 * @figures: those of the mm, whose mmap_lock is held for writing
 */
void mmu_notifier_figures_show(struct mmu_notifier_figures *figures)
{
	unsigned long flags;

	if (!list_empty(&figures->list))
		return;
	spin_lock_irqsave(&mms_lock, flags);
	figures->nr = ++last_nr;
	list_add_tail(&figures->list, &mms);
	spin_unlock_irqrestore(&mms_lock, flags);
}

/**
 * mmu_notifier_figures_hide - take an mm out of the list
 * @figures: those of the mm, which is about to be freed
 */
void mmu_notifier_figures_hide(struct mmu_notifier_figures *figures)
{
	unsigned long flags;

	spin_lock_irqsave(&mms_lock, flags);
	list_del_init(&figures->list);
	spin_unlock_irqrestore(&mms_lock, flags);
}

/**
 * mmu_notifier_figures_free - free the figures of an mm
 * @figures: not in the list; the mm has gone, so that nothing is counted any more
 */
void mmu_notifier_figures_free(struct mmu_notifier_figures *figures)
{
	/* CPUs that have counted for the mm still refer to them. */
	mmu_notifier_collect(figures);
	kfree(figures->counts);
}

static void set_owner(struct mmu_notifier_owner *owner, pid_t tgid,
		      const char *comm)
{
	owner->tgid = tgid;
	/* A name that changes right now may be seen as neither. */
	memcpy(owner->comm, comm, sizeof(owner->comm));
	owner->comm[sizeof(owner->comm) - 1] = 0;
}

#ifdef CONFIG_MEMCG
/* As long as a process has the mm, that is known. */
static void set_process(struct mmu_notifier_owner *owner,
			const struct mm_struct *mm)
{
	const struct task_struct *task;

	rcu_read_lock();
	task = rcu_dereference(mm->owner);
	if (task)
		set_owner(owner, task->tgid, task->comm);
	rcu_read_unlock();
}
#else
static void set_process(struct mmu_notifier_owner *owner,
			const struct mm_struct *mm)
{
}
#endif

/**
 * mmu_notifier_owner - find out whose mm it is
 * @mm: the mm
 * @owner: where to store it: its process if that is known, or whoever registered
 *	first; empty if neither is
 *
 * Context: any.
 */
void mmu_notifier_owner(const struct mm_struct *mm,
			struct mmu_notifier_owner *owner)
{
	const struct mmu_notifier_figures *figures = figures_of(mm);

	*owner = (struct mmu_notifier_owner) { };
	if (figures)
		set_owner(owner, figures->tgid, figures->comm);
	set_process(owner, mm);
}

/* --- debugfs -------------------------------------------------------------- */

/* A reader of the file: how it holds the mm that it is at. */
struct mms_reader {
	struct mmu_notifier_figures *at;
};

/* Pin the first mm from @pos on, and unpin the one before. */
static void *seek(struct mms_reader *reader, loff_t *pos)
{
	struct mmu_notifier_figures *before = reader->at, *figures;

	reader->at = NULL;
	spin_lock_irq(&mms_lock);
	figures = before ?: list_entry(&mms, struct mmu_notifier_figures, list);
	list_for_each_entry_continue(figures, &mms, list) {
		/* One whose last reference has gone is about to leave the list. */
		if (figures->nr < *pos ||
		    !atomic_inc_not_zero(&figures->mm->mm_count))
			continue;
		reader->at = figures;
		*pos = figures->nr;
		break;
	}
	spin_unlock_irq(&mms_lock);

	if (before)
		mmdrop(before->mm);
	return reader->at;
}

static void *mms_start(struct seq_file *m, loff_t *pos)
{
	return seek(m->private, pos);
}

static void *mms_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return seek(m->private, pos);
}

static void mms_stop(struct seq_file *m, void *v)
{
	struct mms_reader *reader = m->private;

	if (reader->at)
		mmdrop(reader->at->mm);
	reader->at = NULL;
}

/* As one word: what is no letter, digit or other mark is escaped. */
static void show_comm(struct seq_file *m, const char *comm)
{
	if (!*comm)
		comm = "-";
	seq_escape_mem(m, comm, strlen(comm),
		       ESCAPE_NAP | ESCAPE_APPEND | ESCAPE_OCTAL, " \\");
}

static void show_subscribers(struct seq_file *m,
			     struct mmu_notifier_subscriptions *subs)
{
	struct mmu_notifier *sub;

	spin_lock(&subs->lock);
	hlist_for_each_entry_srcu(sub, &subs->list, hlist,
				  mmu_notifier_may_walk(subs))
		seq_printf(m, "  subscriber %ps\n", sub->ops);
	spin_unlock(&subs->lock);
}

static void show_intervals(struct seq_file *m,
			   struct mmu_notifier_subscriptions *subs)
{
	unsigned long nr, first, last;

	nr = mmu_intervals_bounds(subs, &first, &last);
	if (nr)
		seq_printf(m, "  intervals %lu %lx-%lx\n", nr, first, last);
}

static void show_record(struct seq_file *m, const struct mmu_notifier_seen *seen)
{
	s64 age = max_t(s64, mmu_notifier_now() - seen->since, 0);

	if (seen->callback)
		seq_printf(m, "  call %ps", seen->callback);
	else
		seq_printf(m, "  range %lx-%lx %s %s", seen->start, seen->end,
			   mmu_notifier_event_name(seen->event),
			   seen->blockable ? "blockable" : "nonblock");
	seq_printf(m, " %d %d ", seen->tgid, seen->tid);
	show_comm(m, seen->comm);
	seq_printf(m, " %llu\n", div_u64(age, NSEC_PER_USEC));
}

/* Returns an array of what is in progress, for kvfree(); NULL if there is no memory. */
static struct mmu_notifier_seen *records_alloc(const struct mm_struct *mm,
					       unsigned int *nr)
{
	struct mmu_notifier_seen *seen;
	unsigned int room = 16;

	for (;;) {
		seen = kvmalloc_array(room, sizeof(*seen), GFP_KERNEL);
		if (!seen)
			return NULL;
		*nr = mmu_notifier_records(mm, seen, room);
		if (*nr <= room)
			return seen;
		room = *nr + 16;
		kvfree(seen);
	}
}

static int show_records(struct seq_file *m, const struct mm_struct *mm)
{
	struct mmu_notifier_seen *seen;
	unsigned int i, nr;

	seen = records_alloc(mm, &nr);
	if (!seen)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		if (!seen[i].callback)
			show_record(m, &seen[i]);
	for (i = 0; i < nr; i++)
		if (seen[i].callback)
			show_record(m, &seen[i]);
	kvfree(seen);
	return 0;
}

/* Never less than before, as what CPUs have handed over stays there. */
static struct mmu_notifier_counts all_counts(struct mmu_notifier_figures *figures)
{
	struct mmu_notifier_counts counts;
	unsigned long flags;

	mmu_notifier_collect(figures);
	raw_spin_lock_irqsave(&figures->lock, flags);
	counts = *figures->counts;
	raw_spin_unlock_irqrestore(&figures->lock, flags);
	return counts;
}

static void show_longest(struct seq_file *m,
			 struct mmu_notifier_figures *figures)
{
	const void *longest;
	unsigned long flags;
	u64 ns;

	raw_spin_lock_irqsave(&figures->lock, flags);
	ns = figures->longest_ns;
	longest = figures->longest;
	raw_spin_unlock_irqrestore(&figures->lock, flags);

	if (longest)
		seq_printf(m, "%llu %ps\n", ns, longest);
	else
		seq_puts(m, "0 -\n");
}

static void show_figures(struct seq_file *m,
			 struct mmu_notifier_figures *figures)
{
	const struct mmu_notifier_counts counts = all_counts(figures);
	unsigned int event;

	seq_puts(m, "  ranges");
	for (event = 0; event < NR_MMU_NOTIFY_EVENTS; event++)
		seq_printf(m, " %s=%lu", event_names[event],
			   counts.ranges[event]);
	seq_printf(m, "\n  callbacks %lu %llu ", counts.callbacks,
		   counts.callback_ns);
	show_longest(m, figures);
	seq_printf(m, "  young %lu\n", counts.young);
	seq_printf(m, "  waits %ld %llu\n", atomic_long_read(&figures->waits),
		   div_u64(atomic64_read(&figures->wait_ns), NSEC_PER_USEC));
	seq_printf(m, "  retries %ld\n", atomic_long_read(&figures->retries));
}

static int mms_show(struct seq_file *m, void *v)
{
	struct mmu_notifier_figures *figures = v;
	struct mmu_notifier_subscriptions *subs =
		container_of(figures, struct mmu_notifier_subscriptions,
			     figures);
	struct mmu_notifier_owner owner;
	int ret;

	mmu_notifier_owner(figures->mm, &owner);
	seq_printf(m, "mm %d ", owner.tgid);
	show_comm(m, owner.comm);
	seq_putc(m, '\n');
	show_subscribers(m, subs);
	show_intervals(m, subs);
	ret = show_records(m, figures->mm);
	if (ret)
		return ret;
	show_figures(m, figures);
	return 0;
}

static const struct seq_operations mms_ops = {
	.start	= mms_start,
	.next	= mms_next,
	.stop	= mms_stop,
	.show	= mms_show,
};

static int mms_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &mms_ops, sizeof(struct mms_reader));
}

/* Non-static for the tests, which read it. */
const struct file_operations mmu_notifier_mms_fops = {
	.open		= mms_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release_private,
};

static int __init mmu_notifier_stats_files(void)
{
	debugfs_create_file("mms", 0400, mmu_notifier_debugfs_dir(), NULL,
			    &mmu_notifier_mms_fops);
	return 0;
}
late_initcall(mmu_notifier_stats_files);
