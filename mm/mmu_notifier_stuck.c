// SPDX-License-Identifier: GPL-2.0
/*
 * CONFIG_MMU_NOTIFIER_STATS: who waits, or tries again, for very long is reported
 * in the kernel log, once, with what it waits for: the ranges in progress and the
 * callbacks that are running, and the tasks that are in them.
 *
 * A wait has a timer on its stack.  Whoever tries again and again has the count of
 * it in struct mmu_notifier_retry, and looks at the clock each time.
 *
 * "report_lock" is for the array of records, which is too large for a stack and
 * can't be allocated in a timer, and keeps the lines of a report together.  Nothing
 * but the locks of the records and what printk() takes is taken under it.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mmu_notifier.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/stdarg.h>
#include <linux/timer.h>

#include "mmu_notifier_internal.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"mmu_notifier."

#define NR_REPORTED	16	/* ranges and callbacks in a report */
#define LINE_MAX_LEN	200

static unsigned int stuck_seconds = 10;
module_param(stuck_seconds, uint, 0644);
MODULE_PARM_DESC(stuck_seconds,
		 "report waits for ranges or callbacks that take longer (0: never)");

static DEFINE_RAW_SPINLOCK(report_lock);	/* seen_now */
static struct mmu_notifier_seen seen_now[NR_REPORTED];

/*
 * No static stub of KUnit's: it goes by the current task, and a timer interrupts any.
 */
static const struct mmu_notifier_stuck_test *replaced;

/**
 * mmu_notifier_stuck_replace - let a test have the reports, and say when
 * @test: what the test has; NULL to go back
 *
 * The caller makes sure that no wait is in progress.
 */
void mmu_notifier_stuck_replace(const struct mmu_notifier_stuck_test *test)
{
	WRITE_ONCE(replaced, test);
}

/* In jiffies; 0 if never */
static unsigned long stuck_after(void)
{
	const struct mmu_notifier_stuck_test *test = READ_ONCE(replaced);

	if (test)
		return test->after;
	return min_t(unsigned long, READ_ONCE(stuck_seconds), INT_MAX / HZ) * HZ;
}

/* --- a report ------------------------------------------------------------- */

static __printf(1, 2) void say(const char *fmt, ...)
{
	const struct mmu_notifier_stuck_test *test = READ_ONCE(replaced);
	char line[LINE_MAX_LEN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (test)
		test->say(line);
	else
		pr_warn("MMU notifiers: %s\n", line);
}

static unsigned long ms_since(u64 since)
{
	u64 now = mmu_notifier_now();

	return now > since ? div_u64(now - since, NSEC_PER_MSEC) : 0;
}

static void say_record(const struct mmu_notifier_seen *seen)
{
	unsigned long ms = ms_since(seen->since);

	if (seen->callback)
		say("  %ps() is running in %s (%d/%d) for %lu ms",
		    seen->callback, seen->comm, seen->tgid, seen->tid, ms);
	else
		say("  %s %lx-%lx, %s, is in progress in %s (%d/%d) for %lu ms",
		    mmu_notifier_event_name(seen->event), seen->start,
		    seen->end, seen->blockable ? "blockable" : "nonblock",
		    seen->comm, seen->tgid, seen->tid, ms);
}

/* Say what has been in progress since before @since.  Of others, only how many. */
static void say_records(const struct mm_struct *mm, u64 since)
{
	unsigned int i, nr, younger = 0;

	lockdep_assert_held(&report_lock);
	nr = mmu_notifier_records(mm, seen_now, NR_REPORTED);
	for (i = 0; i < min(nr, NR_REPORTED); i++) {
		if (seen_now[i].since <= since)
			say_record(&seen_now[i]);
		else
			younger++;
	}
	if (younger)
		say("  %u ranges and callbacks have begun since", younger);
	if (nr > NR_REPORTED)
		say("  there are %u more", nr - NR_REPORTED);
	if (!nr)
		say("  no range is in progress, and no callback is running");
}

static void say_owner(const struct mm_struct *mm)
{
	struct mmu_notifier_owner owner;

	if (!mm) {
		say("  in any mm");
		return;
	}
	mmu_notifier_owner(mm, &owner);
	say("  in the mm of %s (%d)", owner.comm, owner.tgid);
}

/* --- waits ---------------------------------------------------------------- */

static const char * const wait_texts[NR_MMU_NOTIFIER_WAITS] = {
	[MMU_NOTIFIER_WAIT_LOCKS]	= "the locks for a registration",
	[MMU_NOTIFIER_WAIT_CALLBACKS]	= "callbacks to return",
	[MMU_NOTIFIER_WAIT_FREED]	= "subscriptions to be freed",
	[MMU_NOTIFIER_WAIT_READ]	= "ranges to end, to look up pages",
	[MMU_NOTIFIER_WAIT_REMOVE]	= "ranges to end, to remove an interval",
	[MMU_NOTIFIER_WAIT_MEMSLOTS]	= "ranges to end, to change memslots",
	[MMU_NOTIFIER_WAIT_HVA]		= "ranges to end, to map a page of the host",
	[MMU_NOTIFIER_WAIT_SPAN]	= "ranges to end, to be notified of more",
};

static void report_wait(struct timer_list *timer)
{
	struct mmu_notifier_wait *wait = from_timer(wait, timer, timer);
	unsigned long flags;

	raw_spin_lock_irqsave(&report_lock, flags);
	say("%s (%d/%d) has waited %lu ms for %s", wait->task->comm,
	    wait->task->tgid, wait->task->pid, ms_since(wait->since),
	    wait_texts[wait->kind]);
	say_owner(wait->mm);
	say_records(wait->mm, wait->since);
	raw_spin_unlock_irqrestore(&report_lock, flags);
}

/**
 * mmu_notifier_stuck_begin - report this wait if it takes very long
 * @wait: the wait, which begins
 */
void mmu_notifier_stuck_begin(struct mmu_notifier_wait *wait)
{
	unsigned long after = stuck_after();

	wait->task = current;
	timer_setup_on_stack(&wait->timer, report_wait, 0);
	if (after)
		mod_timer(&wait->timer, jiffies + after);
}

/**
 * mmu_notifier_stuck_end - don't report this wait
 * @wait: the wait, which ends
 */
void mmu_notifier_stuck_end(struct mmu_notifier_wait *wait)
{
	timer_delete_sync(&wait->timer);
	destroy_timer_on_stack(&wait->timer);
}

/* --- retries -------------------------------------------------------------- */

static void report_retries(unsigned int nr, unsigned long since,
			   struct mm_struct *mm, const void *who,
			   unsigned long address)
{
	struct mmu_notifier_seen last;
	unsigned long flags;

	raw_spin_lock_irqsave(&report_lock, flags);
	say("%s (%d/%d) has tried %u times in %u ms to look up %lx for %ps",
	    current->comm, current->tgid, current->pid, nr,
	    jiffies_to_msecs(jiffies - since), address, who);
	say_owner(mm);
	say_records(mm, U64_MAX);
	if (mmu_notifier_last_range(mm, &last))
		say("  %s %lx-%lx was in progress last, in %s (%d/%d)",
		    mmu_notifier_event_name(last.event), last.start, last.end,
		    last.comm, last.tgid, last.tid);
	raw_spin_unlock_irqrestore(&report_lock, flags);
}

/**
 * mmu_notifier_retried - record that a reader must start over
 * @retry: of the reader, or of those who look up the same; zeroed at first
 * @mm: where it looks up pages
 * @who: for whom, as a symbol: a callback of the subscriber, for example
 * @address: what it looks up
 *
 * mmu_notifier_retry_done() must follow when it has got through, unless @retry is
 * not used again.  If that takes longer than the parameter
 * mmu_notifier.stuck_seconds it is reported, once.
 *
 * Context: any but NMI.  The caller keeps @mm from being freed.
 */
void mmu_notifier_retried(struct mmu_notifier_retry *retry,
			  struct mm_struct *mm, const void *who,
			  unsigned long address)
{
	unsigned int nr = READ_ONCE(retry->nr) + 1;
	unsigned long after = stuck_after(), since;

	mmu_notifier_count_retry(mm);
	if (nr == 1)
		WRITE_ONCE(retry->since, jiffies);
	WRITE_ONCE(retry->nr, nr);

	since = READ_ONCE(retry->since);
	if (!after || READ_ONCE(retry->told) ||
	    time_before(jiffies, since + after))
		return;
	WRITE_ONCE(retry->told, true);
	report_retries(nr, since, mm, who, address);
}
EXPORT_SYMBOL_GPL(mmu_notifier_retried);
