// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for CONFIG_MMU_NOTIFIER_STATS: the figures in debugfs add up to what
 * was done, what is in progress is in the file for as long as it is, and who waits
 * or tries again for too long is reported with what it waits for.
 *
 * The file is read as debugfs would read it. The reports come to the test, and soon.
 */

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include <linux/uio.h>

#include <kunit/test.h>

#include "mmu_interval_monitor_kunit.h"
#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"
#include "mmu_notifier_sub_kunit.h"

#define TEXT_SIZE	65536
#define NAME_SIZE	256

/* -------------------------------- the file -------------------------------- */

static struct file *mms_open(struct kunit *test)
{
	struct file *file = mn_test_alloc(test, sizeof(*file));

	KUNIT_ASSERT_EQ(test, mmu_notifier_mms_fops.open(NULL, file), 0);
	return file;
}

static void mms_close(struct file *file)
{
	mmu_notifier_mms_fops.release(NULL, file);
}

/* Append up to @room bytes of the file, from @pos on, to @text */
static ssize_t mms_read(struct file *file, loff_t *pos, char *text, size_t room)
{
	struct kvec vec = { .iov_base = text, .iov_len = room };
	struct kiocb kiocb = { .ki_filp = file, .ki_pos = *pos };
	struct iov_iter iter;
	ssize_t ret;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, room);
	ret = seq_read_iter(&kiocb, &iter);
	*pos = kiocb.ki_pos;
	return ret;
}

static char *mms_text(struct kunit *test)
{
	char *text = mn_test_alloc(test, TEXT_SIZE);
	struct file *file = mms_open(test);
	size_t len = 0;
	loff_t pos = 0;
	ssize_t ret;

	do {
		ret = mms_read(file, &pos, text + len, TEXT_SIZE - 1 - len);
		len += max_t(ssize_t, ret, 0);
	} while (ret > 0);
	mms_close(file);
	KUNIT_ASSERT_EQ(test, ret, 0);
	return text;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int nr = 0;

	while ((text = strstr(text, what))) {
		nr++;
		text += strlen(what);
	}
	return nr;
}

/* Until the test ends @mm is the one of a process @tgid, which there is not. */
static void name_mm(struct mm_struct *mm, pid_t tgid)
{
	mm->notifier_subscriptions->figures.tgid = tgid;
#ifdef CONFIG_MEMCG
	RCU_INIT_POINTER(mm->owner, NULL);
#endif
}

static unsigned int count_mm(const char *text, pid_t tgid)
{
	char mm[30];

	snprintf(mm, sizeof(mm), "mm %d ", tgid);
	return count(text, mm);
}

/* The block of the mm that has subscribed last, which is the test's */
static char *last_block(struct kunit *test)
{
	char *text = mms_text(test), *next;

	while ((next = strstr(text, "\nmm ")))
		text = next + 1;
	KUNIT_ASSERT_TRUE(test, strstarts(text, "mm "));
	return text;
}

static bool has_line(const char *block, const char *line)
{
	size_t len = strlen(line);

	while ((block = strstr(block, line))) {
		if (block[-1] == '\n' && block[len] == '\n')
			return true;
		block += len;
	}
	return false;
}

static __printf(3, 4)
void expect_line(struct kunit *test, const char *block, const char *fmt, ...)
{
	char line[NAME_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	KUNIT_EXPECT_TRUE_MSG(test, has_line(block, line),
			      "no line '%s' in\n%s", line, block);
}

/* ------------------------------- the figures ------------------------------ */

static void mm_and_subscribers(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	char *block = last_block(test), expected[NAME_SIZE];

	snprintf(expected, sizeof(expected), "mm %d %s\n", current->tgid,
		 current->comm);
	KUNIT_EXPECT_TRUE_MSG(test, strstarts(block, expected), "%s", block);
	expect_line(test, block, "  subscriber %ps", &mn_pages_ops);
	KUNIT_EXPECT_EQ(test, count(block, "\n  intervals "), 0);

	mn_monitor_new(test, mm, 2, 1);
	mn_monitor_new(test, mm, 5, 3);
	mn_sub_new(test, mm, &mn_shared_ops);
	mn_sub_unregister(test, sub);
	block = last_block(test);
	KUNIT_EXPECT_EQ(test, count(block, "\n  subscriber "), 1);
	expect_line(test, block, "  subscriber %ps", &mn_shared_ops);
	expect_line(test, block, "  intervals 2 %lx-%lx", mn_page(2),
		    mn_page(8) - 1);
}

/* One whose insertion waits for a range counts. */
static void deferred_interval(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range range;

	mn_monitor_new(test, mm, 2, 1);
	mn_range_init_at(&range, mm, 2, 1);
	mmu_notifier_invalidate_range_start(&range);
	mn_monitor_new(test, mm, 0, 1);
	expect_line(test, last_block(test), "  intervals 2 %lx-%lx", mn_page(0),
		    mn_page(3) - 1);
	mmu_notifier_invalidate_range_end(&range);
	expect_line(test, last_block(test), "  intervals 2 %lx-%lx", mn_page(0),
		    mn_page(3) - 1);
}

static void invalidate(struct mm_struct *mm, enum mmu_notifier_event event)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, event, 0, mm, mn_page(0), mn_page(1));
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void figures_add_up(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	unsigned long nr;
	char *block;

	expect_line(test, last_block(test), "  callbacks 0 0 0 -");

	invalidate(mm, MMU_NOTIFY_UNMAP);
	invalidate(mm, MMU_NOTIFY_CLEAR);
	invalidate(mm, MMU_NOTIFY_EXCLUSIVE);
	invalidate(mm, MMU_NOTIFY_EXCLUSIVE);
	sub->start_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), -EAGAIN);
	sub->start_ret = 0;
	mmu_notifier_clear_flush_young(mm, mn_page(0), mn_page(1));
	mmu_notifier_clear_young(mm, mn_page(0), mn_page(1));
	mmu_notifier_test_young(mm, mn_page(0));
	/* has no subscriber, so it is no callback */
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, mn_page(0),
						    mn_page(1));
	nr = 4 * 2 + 1 + 3;
	KUNIT_EXPECT_EQ(test, nr, mn_sub_calls(sub));

	block = last_block(test);
	expect_line(test, block,
		    "  ranges UNMAP=1 CLEAR=2 PROTECTION_VMA=0 PROTECTION_PAGE=0 SOFT_DIRTY=0 RELEASE=0 MIGRATE=0 EXCLUSIVE=2");
	KUNIT_EXPECT_NOT_NULL(test, strstr(block, "\n  callbacks 12 "));
	expect_line(test, block, "  young 3");
	expect_line(test, block, "  retries 0");
	/* The registration has waited, if only for a moment. */
	KUNIT_EXPECT_NOT_NULL(test, strstr(block, "\n  waits 1 "));
	KUNIT_EXPECT_EQ(test, count(block, "\n  range "), 0);
	KUNIT_EXPECT_EQ(test, count(block, "\n  call "), 0);

	mn_sub_unregister(test, sub);
	block = last_block(test);
	KUNIT_EXPECT_NOT_NULL(test, strstr(block, "\n  callbacks 13 "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(block, "\n  waits 2 "));
}

static void exit_is_counted(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 1);
	char *block;

	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
	block = last_block(test);
	KUNIT_EXPECT_NOT_NULL(test, strstr(block, " RELEASE=1 "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(block, "\n  callbacks 1 "));
	KUNIT_EXPECT_EQ(test, count(block, "\n  range "), 0);
}

/* Each pass is a callback. */
static void passes_are_counted(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *list = mn_listener_passes_new(test, mm);
	struct mn_listener *interval = mn_interval_passes_new(test, mm);

	mn_invalidate(mm);
	KUNIT_EXPECT_NOT_NULL(test,
			      strstr(last_block(test), "\n  callbacks 5 "));
	mmu_notifier_unregister(&list->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
}

static void longest_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *quick = mn_listener_new(test, mm);
	struct mn_listener *slow = mn_interval_new(test, mm);
	char symbol[NAME_SIZE], expected[NAME_SIZE];
	unsigned long long total, longest;
	unsigned long nr;
	char *line;
	int fields;

	slow->in_callback = mn_sleep_inside;
	mn_invalidate(mm);
	slow->in_callback = NULL;
	mn_invalidate(mm);

	line = strstr(last_block(test), "\n  callbacks ");
	KUNIT_ASSERT_NOT_NULL(test, line);
	fields = sscanf(line, "\n  callbacks %lu %llu %llu %255s", &nr, &total,
			&longest, symbol);
	KUNIT_ASSERT_EQ(test, fields, 4);
	KUNIT_EXPECT_EQ(test, nr, 6);
	KUNIT_EXPECT_GE(test, longest, jiffies_to_nsecs(1));
	KUNIT_EXPECT_GT(test, total, longest);
	snprintf(expected, sizeof(expected), "%ps", mn_interval_ops.invalidate);
	KUNIT_EXPECT_STREQ(test, symbol, expected);

	mmu_notifier_unregister(&quick->mn, mm);
	mmu_interval_notifier_remove(&slow->interval);
}

/* -------------------------- what is in progress --------------------------- */

static void invalidate_oddly_named(void *mm)
{
	set_task_comm(current, "a b\\c\nd\001");
	mn_invalidate(mm);
}

static void in_progress(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_thread *thread;
	char expected[NAME_SIZE], *block;

	sub->start_gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, invalidate_oddly_named, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(sub->start_gate));
	block = last_block(test);

	snprintf(expected, sizeof(expected),
		 "\n  range %lx-%lx CLEAR blockable %d %d a\\040b\\134c\\012d\\001 ",
		 mn_page(0), mn_page(1), thread->task->tgid, thread->task->pid);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(block, expected), "%s", block);
	snprintf(expected, sizeof(expected),
		 "\n  call %ps %d %d a\\040b\\134c\\012d\\001 ",
		 mn_pages_ops.invalidate_range_start, thread->task->tgid,
		 thread->task->pid);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(block, expected), "%s", block);

	mn_gate_open(sub->start_gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	block = last_block(test);
	KUNIT_EXPECT_EQ(test, count(block, "\n  range "), 0);
	KUNIT_EXPECT_EQ(test, count(block, "\n  call "), 0);
}

/* Each of a page.  lockdep can't track so many held locks. */
static struct mmu_notifier_range *
start_ranges(struct kunit *test, struct mm_struct *mm, unsigned int nr)
{
	struct mmu_notifier_range *ranges =
		mn_test_alloc(test, nr * sizeof(*ranges));
	unsigned int i;

	lockdep_off();
	for (i = 0; i < nr; i++) {
		mn_range_init_at(&ranges[i], mm, i, 1);
		mmu_notifier_invalidate_range_start(&ranges[i]);
	}
	lockdep_on();
	return ranges;
}

static void end_ranges(struct mmu_notifier_range *ranges, unsigned int nr)
{
	unsigned int i;

	lockdep_off();
	for (i = 0; i < nr; i++)
		mmu_notifier_invalidate_range_end(&ranges[i]);
	lockdep_on();
}

/* Between start and end, with a subscription or not at either */
static void ranges_come_and_go(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *other = mn_test_mm(test);
	struct mmu_notifier_range *ranges, before;
	struct mn_sub *sub, *other_sub;
	const unsigned int nr = 40;

	mn_range_init(&before, mm);
	mmu_notifier_invalidate_range_start(&before);
	sub = mn_sub_new(test, mm, &mn_no_ops);
	mmu_notifier_invalidate_range_end(&before);
	KUNIT_EXPECT_EQ(test, count(last_block(test), "\n  range "), 0);

	ranges = start_ranges(test, mm, nr);
	KUNIT_EXPECT_EQ(test, count(last_block(test), "\n  range "), nr);

	/* the file, not the other mm, has them */
	other_sub = mn_sub_new(test, other, &mn_no_ops);
	KUNIT_EXPECT_EQ(test, count(last_block(test), "\n  range "), 0);

	/* without a subscription, here or anywhere */
	mn_sub_unregister(test, sub);
	mn_sub_unregister(test, other_sub);
	static_key_deferred_flush(&mmu_notifier_key);
	end_ranges(ranges, nr);
	KUNIT_EXPECT_EQ(test, count(mms_text(test), "\n  range "), 0);
}

/* ---------------------------- mms come and go ----------------------------- */

static void gone_with_the_mm(struct kunit *test)
{
	const pid_t tgid = PID_MAX_LIMIT + 1;
	struct mm_struct *mm = mm_alloc();
	struct mn_listener *listener;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	listener = mn_listener_new(test, mm);
	name_mm(mm, tgid);
	KUNIT_EXPECT_EQ(test, count_mm(mms_text(test), tgid), 1);
	mmgrab(mm);
	mmput(mm);
	mmu_notifier_unregister(&listener->mn, mm);
	KUNIT_EXPECT_EQ(test, count_mm(mms_text(test), tgid), 1);
	mmdrop(mm);
	KUNIT_EXPECT_EQ(test, count_mm(mms_text(test), tgid), 0);
}

static void failed_registration(struct kunit *test)
{
	const pid_t tgid = PID_MAX_LIMIT + 1;
	struct mm_struct *good = mn_test_mm(test), *bad = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);
	int ret;

	mn_sub_new(test, good, &mn_pages_ops);
	name_mm(good, tgid);
	mmap_write_lock(bad);
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	ret = __mmu_notifier_register(&sub->mn, bad);
	flush_signals(current);
	disallow_signal(SIGUSR1);
	mmap_write_unlock(bad);
	KUNIT_EXPECT_EQ(test, ret, -EINTR);
	if (!ret)
		mmu_notifier_unregister(&sub->mn, bad);
	KUNIT_EXPECT_EQ(test, count_mm(last_block(test), tgid), 1);
}

static void end_and_drop(void *data)
{
	struct mn_listener *listener = data;

	if (!listener->mm)
		return;
	mmu_notifier_unregister(&listener->mn, listener->mm);
	mmput(listener->mm);
	listener->mm = NULL;
}

/* An mm that goes with its only subscription */
static struct mn_listener *listener_with_mm(struct kunit *test, pid_t tgid)
{
	struct mm_struct *mm = mm_alloc();
	struct mn_listener *listener;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	listener = mn_listener_new(test, mm);
	mn_test_defer(test, end_and_drop, listener);
	name_mm(mm, tgid);
	return listener;
}

/* More than fits into a buffer, in small pieces, while half of them go */
static void many_mms(struct kunit *test)
{
	const unsigned int nr = 100;
	struct mn_listener **listeners =
		mn_test_alloc(test, nr * sizeof(*listeners));
	char *text = mn_test_alloc(test, TEXT_SIZE), *after;
	struct file *file;
	unsigned int i;
	size_t len = 0;
	loff_t pos = 0;
	ssize_t ret;

	for (i = 0; i < nr; i++)
		listeners[i] = listener_with_mm(test, PID_MAX_LIMIT + i);

	file = mms_open(test);
	for (i = 0;; i++) {
		/* those with odd numbers go, from the last one down */
		if (i < nr / 2)
			end_and_drop(listeners[nr - 1 - 2 * i]);
		ret = mms_read(file, &pos, text + len,
			       min_t(size_t, 300, TEXT_SIZE - 1 - len));
		if (ret <= 0)
			break;
		len += ret;
	}
	mms_close(file);
	KUNIT_EXPECT_EQ(test, ret, 0);

	after = mms_text(test);
	for (i = 0; i < nr; i++) {
		const pid_t tgid = PID_MAX_LIMIT + i;
		bool stays = i % 2 == 0;

		KUNIT_EXPECT_LE(test, count_mm(text, tgid), 1);
		if (stays)
			KUNIT_EXPECT_EQ(test, count_mm(text, tgid), 1);
		KUNIT_EXPECT_EQ(test, count_mm(after, tgid), stays);
	}
}

/* -------------------------------- reports --------------------------------- */

static struct {
	raw_spinlock_t lock;	/* text */
	struct completion said;
	char text[4096];
} reported = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(reported.lock),
};

static void say_to_test(const char *line)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&reported.lock, flags);
	strlcat(reported.text, line, sizeof(reported.text));
	strlcat(reported.text, "\n", sizeof(reported.text));
	raw_spin_unlock_irqrestore(&reported.lock, flags);
	complete(&reported.said);
}

static const struct mmu_notifier_stuck_test soon = {
	.after	= HZ / 20 + 1,
	.say	= say_to_test,
};

static const struct mmu_notifier_stuck_test never = {
	.after	= 0,
	.say	= say_to_test,
};

static void restore_reports(void *unused)
{
	mmu_notifier_stuck_replace(NULL);
}

/* Until the test ends reports come to it */
static void replace_reports(struct kunit *test,
			    const struct mmu_notifier_stuck_test *by)
{
	reported.text[0] = 0;
	init_completion(&reported.said);
	mmu_notifier_stuck_replace(by);
	mn_test_defer(test, restore_reports, NULL);
}

static bool was_said(const char *what)
{
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&reported.lock, flags);
	found = strstr(reported.text, what);
	raw_spin_unlock_irqrestore(&reported.lock, flags);
	return found;
}

static __printf(2, 3) void expect_said(struct kunit *test, const char *fmt, ...)
{
	char what[NAME_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	while (!was_said(what) &&
	       wait_for_completion_timeout(&reported.said, MN_DEADLOCK))
		;
	KUNIT_EXPECT_TRUE_MSG(test, was_said(what), "no '%s' in\n%s", what,
			      reported.text);
}

static void expect_waiter(struct kunit *test, struct mn_thread *waiter,
			  const char *what)
{
	expect_said(test, "mn_kunit (%d/%d) has waited ", waiter->task->tgid,
		    waiter->task->pid);
	expect_said(test, " ms for %s\n", what);
}

static void expect_mm(struct kunit *test)
{
	expect_said(test, "  in the mm of %s (%d)\n", current->comm,
		    current->tgid);
}

static void expect_range(struct kunit *test, struct mn_thread *thread)
{
	expect_said(test,
		    "  CLEAR %lx-%lx, blockable, is in progress in mn_kunit (%d/%d) for ",
		    mn_page(0), mn_page(1), thread->task->tgid,
		    thread->task->pid);
}

static void expect_call(struct kunit *test, struct mn_thread *thread,
			const void *callback)
{
	expect_said(test, "  %ps() is running in mn_kunit (%d/%d) for ",
		    callback, thread->task->tgid, thread->task->pid);
}

/* @waiter waits for @what: for the range that @thread is in, and its @callback */
static void expect_stuck(struct kunit *test, struct mn_thread *waiter,
			 const char *what, struct mn_thread *thread,
			 const void *callback)
{
	expect_waiter(test, waiter, what);
	expect_mm(test);
	expect_range(test, thread);
	expect_call(test, thread, callback);
}

/* The wait goes on, and is not reported again; then it ends. */
static void finish(struct kunit *test, struct mn_gate *gate,
		   struct mn_thread *waiter, struct mn_thread *thread)
{
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(waiter));
	KUNIT_EXPECT_EQ(test, count(reported.text, "has waited"), 1);
	mn_gate_open(gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(waiter));
}

/* A thread that is in a callback of @sub */
static struct mn_thread *run_callback(struct kunit *test, struct mn_sub *sub,
				      void (*fn)(void *data))
{
	struct mn_thread *thread;

	sub->start_gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, fn, sub->mn.mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(sub->start_gate));
	return thread;
}

static void invalidate_unlocked(void *mm)
{
	mn_invalidate(mm);
}

static void stuck_registration(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *second = mn_sub_alloc(test, &mn_shared_ops);
	struct mn_thread *thread, *waiter;
	struct mn_register_job *job;

	replace_reports(test, &soon);
	/* holds mmap_lock */
	thread = run_callback(test, sub, mn_invalidate_thread);
	job = mn_register_job(test, second, mm);
	waiter = mn_thread_run(test, mn_register_thread, job);
	expect_stuck(test, waiter, "the locks for a registration", thread,
		     mn_pages_ops.invalidate_range_start);
	finish(test, sub->start_gate, waiter, thread);
	KUNIT_EXPECT_EQ(test, job->ret, 0);
	if (!job->ret)
		mmu_notifier_unregister(&second->mn, mm);
}

static void stuck_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *second = mn_sub_alloc(test, &mn_shared_ops);
	struct mn_thread *thread, *waiter;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&second->mn, mm), 0);
	replace_reports(test, &soon);
	thread = run_callback(test, sub, mn_invalidate_thread);
	waiter = mn_thread_run(test, mn_unregister_thread,
			       mn_unregister_job(test, second));
	expect_stuck(test, waiter, "callbacks to return", thread,
		     mn_pages_ops.invalidate_range_start);
	finish(test, sub->start_gate, waiter, thread);
}

/* In the second pass */
static void stuck_finish(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *slow = mn_listener_passes_new(test, mm);
	struct mn_sub *goes = mn_sub_alloc(test, &mn_shared_ops);
	struct mn_thread *thread, *waiter;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&goes->mn, mm), 0);
	replace_reports(test, &soon);
	slow->finish_gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(slow->finish_gate));
	waiter = mn_thread_run(test, mn_unregister_thread,
			       mn_unregister_job(test, goes));
	expect_stuck(test, waiter, "callbacks to return", thread,
		     mn_listener_passes_ops.invalidate_range_start_finish);
	finish(test, slow->finish_gate, waiter, thread);
	mmu_notifier_unregister(&slow->mn, mm);
}

static void stuck_exit(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_thread *thread, *waiter;

	replace_reports(test, &soon);
	/* as by the reverse map */
	thread = run_callback(test, sub, invalidate_unlocked);
	mmget(mm);
	mn_test_mm_exit(test, mm);
	waiter = mn_thread_run(test, mn_mmput_thread, mm);
	expect_waiter(test, waiter, "callbacks to return");
	expect_mm(test);
	expect_call(test, thread, mn_pages_ops.invalidate_range_start);
	finish(test, sub->start_gate, waiter, thread);
}

static void synchronize(void *unused)
{
	mmu_notifier_synchronize();
}

static void stuck_synchronize(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_kept_get(test, mm, &mn_kept_ops);
	struct mn_thread *thread, *waiter;
	struct mn_gate *gate;

	replace_reports(test, &soon);
	thread = run_callback(test, sub, mn_invalidate_thread);
	/* the subscription is freed afterwards */
	gate = sub->start_gate;
	mmu_notifier_put(&sub->mn);
	waiter = mn_thread_run(test, synchronize, NULL);
	expect_waiter(test, waiter, "subscriptions to be freed");
	expect_said(test, "  in any mm\n");
	expect_range(test, thread);
	expect_call(test, thread, mn_kept_ops.invalidate_range_start);
	finish(test, gate, waiter, thread);
}

static struct mn_thread *run_interval(struct kunit *test, struct mn_monitor *mon)
{
	struct mn_thread *thread;

	mon->gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, mn_invalidate_thread, mon->interval.mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(mon->gate));
	return thread;
}

/* It has to be hit already, which it is after its own callback: a second one. */
static void stuck_reader(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *slow = mn_monitor_new(test, mm, 0, 1);
	struct mn_monitor *read = mn_monitor_alloc(test);
	struct mn_thread *thread, *waiter;

	replace_reports(test, &soon);
	thread = run_interval(test, slow);
	/* Inserted in a freeze, so it counts as hit. */
	KUNIT_ASSERT_EQ(test, mn_monitor_insert(read, mm, 4, 1), 0);
	mn_test_defer(test, mn_monitor_cleanup, read);
	waiter = mn_thread_run(test, mn_reader_thread,
			       mn_reader_new(test, read));
	expect_stuck(test, waiter, "ranges to end, to look up pages", thread,
		     mn_monitor_ops.invalidate);
	finish(test, slow->gate, waiter, thread);
}

static void stuck_remove(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *slow = mn_monitor_new(test, mm, 0, 1);
	struct mn_monitor *goes = mn_monitor_alloc(test);
	struct mn_remover *remover = mn_test_alloc(test, sizeof(*remover));
	struct mn_thread *thread, *waiter;

	KUNIT_ASSERT_EQ(test, mn_monitor_insert(goes, mm, 4, 1), 0);
	remover->mon = goes;
	replace_reports(test, &soon);
	thread = run_interval(test, slow);
	waiter = mn_thread_run(test, mn_remove_thread, remover);
	expect_stuck(test, waiter, "ranges to end, to remove an interval", thread,
		     mn_monitor_ops.invalidate);
	finish(test, slow->gate, waiter, thread);
}

static void stuck_interval_finish(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *slow = mn_interval_passes_new(test, mm);
	struct mn_remover *remover = mn_test_alloc(test, sizeof(*remover));
	struct mn_thread *thread, *waiter;

	remover->mon = mn_monitor_alloc(test);
	KUNIT_ASSERT_EQ(test, mn_monitor_insert(remover->mon, mm, 4, 1), 0);
	replace_reports(test, &soon);
	slow->finish_gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(slow->finish_gate));
	waiter = mn_thread_run(test, mn_remove_thread, remover);
	expect_stuck(test, waiter, "ranges to end, to remove an interval", thread,
		     mn_interval_passes_ops.invalidate_finish);
	finish(test, slow->finish_gate, waiter, thread);
	mmu_interval_notifier_remove(&slow->interval);
}

static int ignore_start(struct mmu_notifier *mn,
			const struct mmu_notifier_range *range)
{
	return 0;
}

static const struct mmu_notifier_ops spanned_ops = {
	.invalidate_range_start	= ignore_start,
	.only_spanned		= true,
};

static void add_span_thread(void *mn)
{
	mmu_notifier_add_span(mn, mn_page(0), mn_page(1));
}

/* The range that it waits for is one that nobody was notified of. */
static void stuck_add_span(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &spanned_ops);
	struct mmu_notifier_range range;
	struct mn_thread *waiter;

	mn_range_init_at(&range, mm, 0, 1);
	replace_reports(test, &soon);
	mmu_notifier_invalidate_range_start(&range);
	waiter = mn_thread_run(test, add_span_thread, &sub->mn);
	expect_said(test, "ranges to end, to be notified of more");
	expect_said(test, "  CLEAR %lx-%lx, ", mn_page(0), mn_page(1));
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(waiter));
}

/* A range that began after the wait did is not what it waits for. */
static void younger_ranges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_no_ops);
	struct mmu_notifier_range older, younger;
	struct mmu_notifier_wait wait;

	mn_range_init_at(&older, mm, 0, 1);
	mn_range_init_at(&younger, mm, 1, 1);
	replace_reports(test, &soon);
	mmu_notifier_invalidate_range_start(&older);
	mmu_notifier_invalidate_range_start(&younger);
	/* as if it began later, however long this takes */
	younger.record.since += 3600ULL * NSEC_PER_SEC;
	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_HVA);
	expect_said(test, "  1 ranges and callbacks have begun since\n");
	expect_said(test, "  CLEAR %lx-%lx, ", mn_page(0), mn_page(1));
	KUNIT_EXPECT_FALSE(test, was_said("is in progress in mn_kunit"));
	KUNIT_EXPECT_EQ(test, count(reported.text, "is in progress"), 1);
	mmu_notifier_wait_end(&wait);
	mmu_notifier_invalidate_range_end(&younger);
	mmu_notifier_invalidate_range_end(&older);
	mn_sub_unregister(test, sub);
}

/* More than a report has room for */
static void many_ranges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range *ranges;
	const unsigned int nr = 20;
	struct mmu_notifier_wait wait;

	mn_sub_new(test, mm, &mn_no_ops);
	ranges = start_ranges(test, mm, nr);
	replace_reports(test, &soon);
	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_MEMSLOTS);
	expect_said(test, "  there are 4 more\n");
	mmu_notifier_wait_end(&wait);
	KUNIT_EXPECT_EQ(test, count(reported.text, "is in progress"), 16);
	end_ranges(ranges, nr);
}

static void never_stuck(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_retry retry = { };
	struct mmu_notifier_wait wait;

	mn_sub_new(test, mm, &mn_no_ops);
	replace_reports(test, &never);
	mmu_notifier_wait_begin(&wait, mm, MMU_NOTIFIER_WAIT_HVA);
	mmu_notifier_retried(&retry, mm, never_stuck, mn_page(0));
	schedule_timeout_uninterruptible(MN_CHANCE);
	mmu_notifier_retried(&retry, mm, never_stuck, mn_page(0));
	mmu_notifier_wait_end(&wait);
	KUNIT_EXPECT_STREQ(test, reported.text, "");
	expect_line(test, last_block(test), "  retries 2");
}

static void retries_are_told(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 2);
	unsigned long give_up = jiffies + MN_DEADLOCK;
	unsigned int nr = 0;
	unsigned long seq;

	replace_reports(test, &soon);
	do {
		seq = mmu_interval_read_begin(&mon->interval);
		mn_invalidate_at(mm, 1, 1);
		KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq));
		nr++;
		schedule_timeout_uninterruptible(1);
	} while (!was_said("has tried") && time_before(jiffies, give_up));

	expect_said(test, "%s (%d/%d) has tried %u times in ", current->comm,
		    current->tgid, current->pid, nr);
	expect_said(test, " to look up %lx for %ps\n", mn_page(0),
		    mn_monitor_ops.invalidate);
	expect_mm(test);
	expect_said(test, "  CLEAR %lx-%lx was in progress last, in %s (%d/%d)\n",
		    mn_page(1), mn_page(2), current->comm, current->tgid,
		    current->pid);

	/* once */
	seq = mmu_interval_read_begin(&mon->interval);
	mn_invalidate_at(mm, 1, 1);
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq));
	KUNIT_EXPECT_EQ(test, mon->interval.retry.nr, nr + 1);
	KUNIT_EXPECT_EQ(test, count(reported.text, "has tried"), 1);
	expect_line(test, last_block(test), "  retries %u", nr + 1);

	/* until it gets through */
	seq = mmu_interval_read_begin(&mon->interval);
	KUNIT_EXPECT_FALSE(test, mn_monitor_retry(mon, seq));
	KUNIT_EXPECT_EQ(test, mon->interval.retry.nr, 0);
	KUNIT_EXPECT_FALSE(test, mon->interval.retry.told);

	/* nor when it has been removed, as drivers do */
	mn_monitor_remove(test, mon);
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq + 2));
	KUNIT_EXPECT_EQ(test, mon->interval.retry.nr, 0);
	expect_line(test, last_block(test), "  retries %u", nr + 1);
}

static struct kunit_case mmu_notifier_stats_cases[] = {
	KUNIT_CASE(mm_and_subscribers),
	KUNIT_CASE(deferred_interval),
	KUNIT_CASE(figures_add_up),
	KUNIT_CASE(exit_is_counted),
	KUNIT_CASE(passes_are_counted),
	KUNIT_CASE(longest_callback),
	KUNIT_CASE(in_progress),
	KUNIT_CASE(ranges_come_and_go),
	KUNIT_CASE(gone_with_the_mm),
	KUNIT_CASE(failed_registration),
	KUNIT_CASE(many_mms),
	KUNIT_CASE(stuck_registration),
	KUNIT_CASE(stuck_unregister),
	KUNIT_CASE(stuck_finish),
	KUNIT_CASE(stuck_exit),
	KUNIT_CASE(stuck_synchronize),
	KUNIT_CASE(stuck_reader),
	KUNIT_CASE(stuck_remove),
	KUNIT_CASE(stuck_interval_finish),
	KUNIT_CASE(stuck_add_span),
	KUNIT_CASE(younger_ranges),
	KUNIT_CASE(many_ranges),
	KUNIT_CASE(never_stuck),
	KUNIT_CASE(retries_are_told),
	{ }
};

static struct kunit_suite mmu_notifier_stats_suite = {
	.name = "mmu_notifier_stats",
	.init = mn_sub_init,
	.test_cases = mmu_notifier_stats_cases,
};

kunit_test_suite(mmu_notifier_stats_suite);

MODULE_DESCRIPTION("KUnit tests for the figures and reports of MMU notifiers");
MODULE_LICENSE("GPL");
