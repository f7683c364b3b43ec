// SPDX-License-Identifier: GPL-2.0
/*
 * CONFIG_DEBUG_MMU_NOTIFIER: hooks with names, and run-time checks.
 *
 * A hook is a place in the kernel that notifies secondary MMUs of a change.  The
 * linker collects them.  In debugfs/mmu_notifier there are
 *
 *	hooks		a line for each: name, hits, "on" or "off", and the file
 *			it is in; writing anything clears the hits
 *	suppress	the names of the suppressed hooks; writing a name or a
 *			shell pattern suppresses the hooks that match it, and
 *			re-enables all others; an empty line re-enables all
 *
 * A suppressed hook behaves like a forgotten one: the page tables change and no
 * secondary MMU is notified.  That corrupts memory, unless the secondary MMU
 * verifies every translation before it uses it, as one for tests may.
 *
 * The checks find the ranges in progress in a table, by task and address.  A
 * range is on the stack of the function that started it, so one that is found
 * below the stack pointer has been abandoned; and to lockdep a range is a lock
 * that must not be held on the way back to user space.  The table has a fixed
 * size, since ranges are started where memory can't be allocated; a range that
 * does not fit is not checked for an end.
 *
 * Locks: "ranges_lock" is innermost, and taken under page table locks.
 */
#include <linux/debugfs.h>
#include <linux/glob.h>
#include <linux/hash.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "mmu_notifier_internal.h"

#define NR_TRACKED	1024
#define NR_BUCKETS	64
#define NAME_MAX_LEN	128

/* From the linker: all hooks of the kernel proper. */
extern struct mmu_notifier_hook __start___mmu_notifier_hooks[];
extern struct mmu_notifier_hook __stop___mmu_notifier_hooks[];

#define hooks		__start___mmu_notifier_hooks
#define hooks_end	__stop___mmu_notifier_hooks

/* --- ranges --------------------------------------------------------------- */

struct tracked {
	struct hlist_node node;		/* in a bucket, or free */
	struct mmu_notifier_range *range;
	struct task_struct *task;
	struct mm_struct *mm;
	struct mmu_notifier_hook *hook;
};

#ifdef CONFIG_LOCKDEP
static struct lockdep_map in_progress_map = {
	.name = "mmu_notifier_range",
};
#endif

/*
 * To lockdep a range is merely held: it has no order with any lock, many can be
 * held at once, and they may be released in any order.
 */
static void lockdep_start(void)
{
	lock_acquire(&in_progress_map, 0, 1, 2, 0, NULL, _THIS_IP_);
}

static void lockdep_end(void)
{
	lock_release(&in_progress_map, _THIS_IP_);
}

static DEFINE_RAW_SPINLOCK(ranges_lock);	/* all of the following */
static struct tracked tracked[NR_TRACKED];
static struct hlist_head buckets[NR_BUCKETS];
static HLIST_HEAD(free_tracked);
static unsigned int nr_ever_tracked;
static unsigned int nr_in_progress;

static struct hlist_head *bucket_of(const struct task_struct *task)
{
	return &buckets[hash_ptr(task, ilog2(NR_BUCKETS))];
}

static struct tracked *new_tracked(void)
{
	struct tracked *new;

	lockdep_assert_held(&ranges_lock);
	if (!hlist_empty(&free_tracked)) {
		new = hlist_entry(free_tracked.first, struct tracked, node);
		hlist_del(&new->node);
		return new;
	}
	return nr_ever_tracked < NR_TRACKED ? &tracked[nr_ever_tracked++] : NULL;
}

static void track(struct mmu_notifier_range *range)
{
	struct tracked *new = new_tracked();

	if (!new)
		return;
	new->range = range;
	new->task = current;
	new->mm = range->debug.mm;
	new->hook = range->debug.hook;
	hlist_add_head(&new->node, bucket_of(current));
	WRITE_ONCE(nr_in_progress, nr_in_progress + 1);
}

static void untrack(struct tracked *old)
{
	lockdep_assert_held(&ranges_lock);
	hlist_del(&old->node);
	hlist_add_head(&old->node, &free_tracked);
	WRITE_ONCE(nr_in_progress, nr_in_progress - 1);
}

/*
 * Is @range in a stack frame of this task that has returned?  It is if it lies
 * below @frame, the frame of a function that is being executed.
 */
static bool is_abandoned(const struct mmu_notifier_range *range,
			 const void *frame)
{
	return !IS_ENABLED(CONFIG_STACK_GROWSUP) && object_is_on_stack(range) &&
	       (const void *)range < frame;
}

/*
 * forget_abandoned - forget ranges that this task has abandoned without an end
 * @range: one that begins now, so a tracked range at its address is abandoned, too
 * @frame: of a function that is being executed
 * @hook: where to store the hook of an abandoned range
 *
 * Return: whether there is one.
 */
static bool forget_abandoned(const struct mmu_notifier_range *range,
			     const void *frame,
			     struct mmu_notifier_hook **hook)
{
	struct tracked *old;
	struct hlist_node *next;
	bool found = false;

	hlist_for_each_entry_safe(old, next, bucket_of(current), node) {
		if (old->task != current ||
		    (old->range != range && !is_abandoned(old->range, frame)))
			continue;
		*hook = old->hook;
		found = true;
		untrack(old);
	}
	return found;
}

static struct tracked *find_tracked(const struct mmu_notifier_range *range)
{
	struct tracked *old;

	hlist_for_each_entry(old, bucket_of(current), node)
		if (old->task == current && old->range == range)
			return old;
	return NULL;
}

void mmu_notifier_debug_init(struct mmu_notifier_range *range,
			     struct mm_struct *mm)
{
	range->debug = (struct mmu_notifier_range_debug) {
		.mm = mm,
		.state = MMU_NOTIFIER_RANGE_READY,
	};
}

static void check_state_at_start(const struct mmu_notifier_range *range,
				 const void *caller)
{
	switch (range->debug.state) {
	case MMU_NOTIFIER_RANGE_READY:
		break;
	case MMU_NOTIFIER_RANGE_STARTED:
		mmu_notifier_report(MMU_NOTIFIER_STARTED_TWICE,
				    range->debug.hook, NULL);
		break;
	case MMU_NOTIFIER_RANGE_ENDED:
		mmu_notifier_report(MMU_NOTIFIER_REUSED, range->debug.hook,
				    NULL);
		break;
	default:
		mmu_notifier_report(MMU_NOTIFIER_UNINITIALISED, NULL, caller);
	}
}

/**
 * mmu_notifier_debug_start - check a range that begins
 * @range: the range
 * @subscribed: whether there may be a subscriber to notify
 *
 * Return: false if its hook is suppressed.
 */
bool mmu_notifier_debug_start(struct mmu_notifier_range *range, bool subscribed)
{
	struct mmu_notifier_hook *hook = range->debug.hook, *left = NULL;
	bool ready = range->debug.state == MMU_NOTIFIER_RANGE_READY;
	bool abandoned = false;
	unsigned long flags;

	check_state_at_start(range, __builtin_return_address(0));
	if (range->debug.state != MMU_NOTIFIER_RANGE_STARTED) {
		raw_spin_lock_irqsave(&ranges_lock, flags);
		abandoned = forget_abandoned(range, __builtin_frame_address(0),
					     &left);
		track(range);
		raw_spin_unlock_irqrestore(&ranges_lock, flags);
		lockdep_start();
	}
	if (abandoned)
		mmu_notifier_report(MMU_NOTIFIER_NOT_ENDED, left, NULL);

	range->debug.state = MMU_NOTIFIER_RANGE_STARTED;
	range->debug.silent = false;
	if (subscribed && ready && hook)
		range->debug.silent = !mmu_notifier_hook_hit(hook);
	return !range->debug.silent;
}
EXPORT_SYMBOL_GPL(mmu_notifier_debug_start);

static void stop_tracking(struct mmu_notifier_range *range)
{
	struct tracked *old;
	unsigned long flags;

	raw_spin_lock_irqsave(&ranges_lock, flags);
	old = find_tracked(range);
	if (old)
		untrack(old);
	raw_spin_unlock_irqrestore(&ranges_lock, flags);
	lockdep_end();
	range->debug.state = MMU_NOTIFIER_RANGE_ENDED;
}

/**
 * mmu_notifier_debug_cancel - forget a range that was refused and will have no end
 * @range: the range
 */
void mmu_notifier_debug_cancel(struct mmu_notifier_range *range)
{
	stop_tracking(range);
}
EXPORT_SYMBOL_GPL(mmu_notifier_debug_cancel);

/**
 * mmu_notifier_debug_end - check a range that ends
 * @range: the range
 *
 * Return: false if no subscriber was notified of its start.
 */
bool mmu_notifier_debug_end(struct mmu_notifier_range *range)
{
	if (range->debug.state != MMU_NOTIFIER_RANGE_STARTED) {
		mmu_notifier_report(MMU_NOTIFIER_NOT_STARTED, range->debug.hook,
				    __builtin_return_address(0));
		return false;
	}
	stop_tracking(range);
	return !range->debug.silent;
}
EXPORT_SYMBOL_GPL(mmu_notifier_debug_end);

/**
 * mmu_notifier_debug_mm_freed - check that no range of a freed mm is in progress
 * @mm: the mm
 */
void mmu_notifier_debug_mm_freed(struct mm_struct *mm)
{
	struct mmu_notifier_hook *hook = NULL;
	unsigned long flags;
	bool found = false;
	unsigned int i;

	if (!READ_ONCE(nr_in_progress))
		return;

	raw_spin_lock_irqsave(&ranges_lock, flags);
	for (i = 0; i < NR_BUCKETS; i++) {
		struct tracked *old;
		struct hlist_node *next;

		hlist_for_each_entry_safe(old, next, &buckets[i], node) {
			if (old->mm != mm)
				continue;
			hook = old->hook;
			found = true;
			untrack(old);
		}
	}
	raw_spin_unlock_irqrestore(&ranges_lock, flags);

	if (found)
		mmu_notifier_report(MMU_NOTIFIER_NOT_ENDED, hook, NULL);
}

/* --- callbacks ------------------------------------------------------------ */

/**
 * mmu_notifier_debug_inside - check that this is not a callback of an mm
 * @mm: the mm
 *
 * Return: true if it is one.  Then the caller must neither take locks that may be
 * held around the callback, nor wait for the callback to return.
 */
bool mmu_notifier_debug_inside(const struct mm_struct *mm)
{
	if (!mmu_notifier_is_inside(mm))
		return false;
	mmu_notifier_report(MMU_NOTIFIER_CHANGED_INSIDE, NULL,
			    __builtin_return_address(0));
	return true;
}

/**
 * mmu_notifier_debug_exit - check an address space that exits
 *
 * exit_mmap() takes the locks that may be held around a callback of any mm, and
 * invalidates.  So a callback must not drop the last reference itself.
 */
void mmu_notifier_debug_exit(void)
{
	if (mmu_notifier_is_inside(NULL))
		mmu_notifier_report(MMU_NOTIFIER_EXIT_INSIDE, NULL,
				    __builtin_return_address(0));
}

/* --- debugfs -------------------------------------------------------------- */

static DEFINE_MUTEX(suppress_mutex);	/* writers of "suppress" */

/* Without the prefix that all events have */
static const char *short_what(const struct mmu_notifier_hook *hook)
{
	static const char prefix[] = "MMU_NOTIFY_";
	size_t len = sizeof(prefix) - 1;

	return strncmp(hook->what, prefix, len) ? hook->what : hook->what + len;
}

static void hook_name(const struct mmu_notifier_hook *hook, char *name)
{
	snprintf(name, NAME_MAX_LEN, "%s:%s:%u", hook->function,
		 short_what(hook), hook->line);
}

static int hooks_show(struct seq_file *m, void *unused)
{
	struct mmu_notifier_hook *hook;
	char name[NAME_MAX_LEN];

	for (hook = hooks; hook < hooks_end; hook++) {
		hook_name(hook, name);
		seq_printf(m, "%s %lu %s %s\n", name, READ_ONCE(hook->hits),
			   READ_ONCE(hook->suppressed) ? "off" : "on",
			   kbasename(hook->file));
	}
	return 0;
}

static int hooks_open(struct inode *inode, struct file *file)
{
	return single_open(file, hooks_show, NULL);
}

static ssize_t hooks_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *ppos)
{
	struct mmu_notifier_hook *hook;

	for (hook = hooks; hook < hooks_end; hook++)
		WRITE_ONCE(hook->hits, 0);
	return count;
}

static const struct file_operations hooks_fops = {
	.open		= hooks_open,
	.read		= seq_read,
	.write		= hooks_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int suppress_show(struct seq_file *m, void *unused)
{
	struct mmu_notifier_hook *hook;
	char name[NAME_MAX_LEN];

	for (hook = hooks; hook < hooks_end; hook++) {
		if (!READ_ONCE(hook->suppressed))
			continue;
		hook_name(hook, name);
		seq_printf(m, "%s\n", name);
	}
	return 0;
}

static int suppress_open(struct inode *inode, struct file *file)
{
	return single_open(file, suppress_show, NULL);
}

/* Returns how many hooks match.  Changes them only if @change is set. */
static unsigned int suppress_matching(const char *pattern, bool change)
{
	struct mmu_notifier_hook *hook;
	char name[NAME_MAX_LEN];
	unsigned int found = 0;

	for (hook = hooks; hook < hooks_end; hook++) {
		bool is_it;

		hook_name(hook, name);
		is_it = *pattern && glob_match(pattern, name);
		found += is_it;
		if (change)
			WRITE_ONCE(hook->suppressed, is_it);
	}
	return found;
}

/**
 * mmu_notifier_suppress - suppress hooks
 * @pattern: of their names as in debugfs; "" for none
 *
 * All other hooks are re-enabled.
 *
 * Context: may sleep.
 *
 * Return: 0; or -ENOENT if there is no such hook, and then nothing has changed.
 */
int mmu_notifier_suppress(const char *pattern)
{
	int ret = 0;

	mutex_lock(&suppress_mutex);
	if (*pattern && !suppress_matching(pattern, false))
		ret = -ENOENT;
	else
		suppress_matching(pattern, true);
	mutex_unlock(&suppress_mutex);

	return ret;
}

static ssize_t suppress_write(struct file *file, const char __user *buf,
			      size_t count, loff_t *ppos)
{
	char name[NAME_MAX_LEN];
	int ret;

	if (count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, count))
		return -EFAULT;
	name[count] = 0;

	ret = mmu_notifier_suppress(strim(name));
	return ret ?: count;
}

static const struct file_operations suppress_fops = {
	.open		= suppress_open,
	.read		= seq_read,
	.write		= suppress_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init mmu_notifier_debug_files(void)
{
	struct dentry *dir = mmu_notifier_debugfs_dir();

	debugfs_create_file("hooks", 0600, dir, NULL, &hooks_fops);
	debugfs_create_file("suppress", 0600, dir, NULL, &suppress_fops);
	return 0;
}
late_initcall(mmu_notifier_debug_files);
