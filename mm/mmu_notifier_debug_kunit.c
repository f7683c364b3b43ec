// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for CONFIG_DEBUG_MMU_NOTIFIER: every check is provoked, and must
 * report; correct use of the same functions must not be reported.
 *
 * The reports that the test's own thread causes come to the test instead of the
 * kernel log.
 */

#include <linux/console.h>
#include <linux/delay.h>
#include <linux/kmsg_dump.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

/* --- ranges --------------------------------------------------------------- */

static void good_ranges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range one, two, three;

	mn_range_init(&one, mm);
	mn_range_init(&two, mm);
	mn_range_init(&three, mm);
	mmu_notifier_invalidate_range_start(&one);
	mmu_notifier_invalidate_range_start(&two);
	mmu_notifier_invalidate_range_start(&three);
	mmu_notifier_invalidate_range_end(&two);
	mmu_notifier_invalidate_range_end(&one);
	mn_range_init(&one, mm);
	mmu_notifier_invalidate_range_start(&one);
	mmu_notifier_invalidate_range_end(&three);
	mmu_notifier_invalidate_range_end(&one);
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);

	mn_expect_no_report(test);
}

static void not_initialised(struct kunit *test)
{
	struct mmu_notifier_range range = {
		.mm = mn_test_mm(test),
		.start = mn_page(0),
		.end = mn_page(1),
	};

	mmu_notifier_invalidate_range_start(&range);
	mn_expect_reports(test, MMU_NOTIFIER_UNINITIALISED, 1);
	mmu_notifier_invalidate_range_end(&range);
	mn_expect_no_report(test);
}

static void started_twice(struct kunit *test)
{
	struct mmu_notifier_range range;

	mn_range_init(&range, mn_test_mm(test));
	mmu_notifier_invalidate_range_start(&range);
	mn_expect_no_report(test);
	mmu_notifier_invalidate_range_start(&range);
	mn_expect_reports(test, MMU_NOTIFIER_STARTED_TWICE, 1);
	mmu_notifier_invalidate_range_end(&range);
	mn_expect_no_report(test);
}

static void used_again(struct kunit *test)
{
	struct mmu_notifier_range range;

	mn_range_init(&range, mn_test_mm(test));
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	mn_expect_no_report(test);
	mmu_notifier_invalidate_range_start(&range);
	mn_expect_reports(test, MMU_NOTIFIER_REUSED, 1);
	mmu_notifier_invalidate_range_end(&range);
}

static void end_without_start(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mmu_notifier_range range;

	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_end(&range);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_STARTED, 1);

	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	mn_expect_no_report(test);
	mmu_notifier_invalidate_range_end(&range);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_STARTED, 1);

	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	mmu_notifier_unregister(&listener->mn, mm);
}

static noinline void start_and_return(struct mm_struct *mm)
{
	struct mmu_notifier_range range;

	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
}

/*
 * Deep in the stack, so that the range lies below the frames that come next.
 * lockdep would report it, rightly, as a lock that is never released.
 */
static noinline void start_deep_and_return(struct mm_struct *mm)
{
	char room[512];

	barrier_data(room);
	lockdep_off();
	start_and_return(mm);
	lockdep_on();
}

static void no_end(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	start_deep_and_return(mm);
	mn_expect_no_report(test);
	mn_invalidate(mm);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_ENDED, 1);
	mn_invalidate(mm);
	mn_expect_no_report(test);
}

#ifdef CONFIG_DEBUG_ATOMIC_SLEEP

/* Is @text in the kernel log, behind where @log was left? */
static bool is_logged(struct kmsg_dump_iter *log, const char *text)
{
	static char line[512];
	bool found = false;
	size_t len;

	while (kmsg_dump_get_line(log, false, line, sizeof(line) - 1, &len)) {
		line[len] = 0;
		found |= !!strstr(line, text);
	}
	return found;
}

/* The complaint is wanted: keep it from the console. */
static bool end_is_said_to_sleep(struct mmu_notifier_range *range)
{
	static const char complaint[] = "sleeping function called";
	int loglevel = console_loglevel;
	struct kmsg_dump_iter log;

	kmsg_dump_rewind(&log);
	is_logged(&log, complaint);

	/* It comes once a second at most. */
	ssleep(2);
	console_loglevel = CONSOLE_LOGLEVEL_SILENT;
	preempt_disable();
	mmu_notifier_invalidate_range_end(range);
	preempt_enable();
	/* Whoever has the console may not have come to the complaint yet. */
	console_lock();
	console_unlock();
	console_loglevel = loglevel;

	return is_logged(&log, complaint);
}

static void end_in_atomic_context(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range range;
	struct mn_listener *listener;

	/* no one subscribes */
	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_TRUE(test, end_is_said_to_sleep(&range));

	/* someone does, whose callback doesn't sleep */
	listener = mn_listener_new(test, mm);
	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_TRUE(test, end_is_said_to_sleep(&range));
	mn_range_init(&range, mm);
	KUNIT_EXPECT_EQ(test,
			mmu_notifier_invalidate_range_start_nonblock(&range), 0);
	KUNIT_EXPECT_FALSE(test, end_is_said_to_sleep(&range));

	KUNIT_EXPECT_EQ(test, listener->ends, 2);
	mmu_notifier_unregister(&listener->mn, mm);
	mn_expect_no_report(test);
}

#endif /* CONFIG_DEBUG_ATOMIC_SLEEP */

static void no_end_and_mm_freed(struct kunit *test)
{
	struct mmu_notifier_range *range = mn_test_alloc(test, sizeof(*range));
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mn_range_init(range, mm);
	lockdep_off();
	mmu_notifier_invalidate_range_start(range);
	lockdep_on();
	mmput(mm);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_ENDED, 1);
}

/* More ranges than the table holds: some are not tracked, none is reported */
static void many_ranges(struct kunit *test)
{
	const unsigned int many = 3000;
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range *ranges;
	unsigned int i;

	ranges = mn_test_alloc(test, many * sizeof(*ranges));
	/* lockdep can't track so many held locks. */
	lockdep_off();
	for (i = 0; i < many; i++) {
		mn_range_init(&ranges[i], mm);
		mmu_notifier_invalidate_range_start(&ranges[i]);
	}
	for (i = 0; i < many; i++)
		mmu_notifier_invalidate_range_end(&ranges[i]);
	lockdep_on();
	mn_expect_no_report(test);

	start_deep_and_return(mm);
	mn_invalidate(mm);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_ENDED, 1);
}

/* --- callbacks ------------------------------------------------------------ */

static void sleep_a_while(struct mn_listener *listener)
{
	schedule_timeout_uninterruptible(1);
}

static void skip_if_scheduler_reports(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		kunit_skip(test, "the scheduler itself would report it");
}

static void sleeping_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener;

	skip_if_scheduler_reports(test);
	listener = mn_listener_new(test, mm);
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	listener->in_callback = sleep_a_while;
	mn_invalidate(mm);
	mn_expect_no_report(test);

	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	mn_expect_reports(test, MMU_NOTIFIER_SLEPT, 1);
	mmu_notifier_unregister(&listener->mn, mm);
}

static void sleeping_interval_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener;

	skip_if_scheduler_reports(test);
	listener = mn_interval_new(test, mm);
	listener->in_callback = sleep_a_while;
	mn_invalidate(mm);
	mn_expect_no_report(test);

	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	mn_expect_reports(test, MMU_NOTIFIER_SLEPT, 1);
	mmu_interval_notifier_remove(&listener->interval);
}

/* It may in a range that may block. */
static void expect_finish_may_not_sleep(struct kunit *test,
					struct mn_listener *listener,
					struct mm_struct *mm, const void *finish)
{
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	listener->in_finish = sleep_a_while;
	mn_invalidate(mm);
	mn_expect_no_report(test);

	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	mn_expect_culprit(test, MMU_NOTIFIER_SLEPT, finish);
}

static void sleeping_finish(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener;

	skip_if_scheduler_reports(test);
	listener = mn_listener_passes_new(test, mm);
	expect_finish_may_not_sleep(test, listener, mm,
				    mn_listener_passes_ops.invalidate_range_start_finish);
	mmu_notifier_unregister(&listener->mn, mm);
}

static void sleeping_interval_finish(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener;

	skip_if_scheduler_reports(test);
	listener = mn_interval_passes_new(test, mm);
	expect_finish_may_not_sleep(test, listener, mm,
				    mn_interval_passes_ops.invalidate_finish);

	listener->in_finish = NULL;
	listener->in_callback = sleep_a_while;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	mn_expect_culprit(test, MMU_NOTIFIER_SLEPT,
			  mn_interval_passes_ops.invalidate_start);
	mmu_interval_notifier_remove(&listener->interval);
}

/* As if unregister had left it in the list */
static void callback_after_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *stays = mn_listener_new(test, mm);
	struct mn_listener *goes = mn_listener_new(test, mm);
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;

	mmu_notifier_unregister(&goes->mn, mm);
	hlist_add_head_rcu(&goes->mn.hlist, &subs->list);
	mn_invalidate(mm);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_SUBSCRIBED, 2);
	KUNIT_EXPECT_EQ(test, goes->starts, 0);
	KUNIT_EXPECT_EQ(test, stays->starts, 1);

	hlist_del_init_rcu(&goes->mn.hlist);
	mn_invalidate(mm);
	mn_expect_no_report(test);
	mmu_notifier_unregister(&stays->mn, mm);
}

static void callback_after_remove(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *stays = mn_interval_new(test, mm);
	struct mn_listener *goes = mn_interval_new(test, mm);
	struct rb_root_cached *tree =
		&mm->notifier_subscriptions->intervals.tree;

	mmu_interval_notifier_remove(&goes->interval);
	interval_tree_insert(&goes->interval.interval_tree, tree);
	mn_invalidate(mm);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_SUBSCRIBED, 1);
	KUNIT_EXPECT_EQ(test, goes->starts, 0);
	KUNIT_EXPECT_EQ(test, stays->starts, 1);

	interval_tree_remove(&goes->interval.interval_tree, tree);
	mmu_interval_notifier_remove(&stays->interval);
	mn_expect_no_report(test);
}

static void unregistered_twice(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *stays = mn_listener_new(test, mm);
	struct mn_listener *goes = mn_listener_new(test, mm);
	int count = atomic_read(&mm->mm_count);

	mmu_notifier_unregister(&goes->mn, mm);
	mn_expect_no_report(test);
	mmu_notifier_unregister(&goes->mn, mm);
	mn_expect_reports(test, MMU_NOTIFIER_NOT_SUBSCRIBED, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 1);
	mmu_notifier_unregister(&stays->mn, mm);
}

static void registered_twice(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval = mn_interval_new(test, mm);

	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&listener->mn, mm), -EBUSY);
	mn_expect_reports(test, MMU_NOTIFIER_SUBSCRIBED_TWICE, 1);
	KUNIT_EXPECT_EQ(test,
			mmu_interval_notifier_insert(&interval->interval, mm,
						     mn_page(0), PAGE_SIZE,
						     &mn_interval_ops), -EBUSY);
	mn_expect_reports(test, MMU_NOTIFIER_SUBSCRIBED_TWICE, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	mmu_notifier_unregister(&listener->mn, mm);
	mn_expect_no_report(test);
}

static void register_other(struct mn_listener *listener)
{
	listener->ret = mmu_notifier_register(&listener->other->mn,
					      listener->mm);
}

static void unregister_other(struct mn_listener *listener)
{
	mmu_notifier_unregister(&listener->other->mn, listener->mm);
}

static void remove_other(struct mn_listener *listener)
{
	mmu_interval_notifier_remove(&listener->other->interval);
}

static void register_in_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *other = mn_test_alloc(test, sizeof(*other));

	other->mn.ops = &mn_listener_ops;
	listener->other = other;
	listener->in_callback = register_other;
	mn_invalidate(mm);
	mn_expect_reports(test, MMU_NOTIFIER_CHANGED_INSIDE, 1);
	KUNIT_EXPECT_EQ(test, listener->ret, -EDEADLK);

	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&other->mn, mm), 0);
	mmu_notifier_unregister(&other->mn, mm);
	mmu_notifier_unregister(&listener->mn, mm);
	mn_expect_no_report(test);
}

static void unregister_in_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval = mn_interval_new(test, mm);

	listener->in_callback = unregister_other;
	listener->other = listener;
	mn_invalidate(mm);
	mn_expect_reports(test, MMU_NOTIFIER_CHANGED_INSIDE, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);

	listener->in_callback = remove_other;
	listener->other = interval;
	mn_invalidate(mm);
	mn_expect_reports(test, MMU_NOTIFIER_CHANGED_INSIDE, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
	mn_expect_no_report(test);
}

/* lockdep would complain, too: exit_mmap() takes mmap_lock */
static void mmput_inside(struct mn_listener *listener)
{
	lockdep_off();
	mmput(listener->mm);
	lockdep_on();
}

static void mmput_async_inside(struct mn_listener *listener)
{
	mmput_async(listener->mm);
}

/* An mm with one reference, which is left to the caller */
static struct mm_struct *last_reference(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	mmget(mm);
	mn_test_mm_exit(test, mm);
	return mm;
}

static void expect_exit_reported(struct kunit *test, struct mn_listener *calls,
				 struct mm_struct *mm)
{
	struct mm_struct *exits = mn_test_mm(test);
	struct mn_listener *released;

	calls->in_callback = mmput_inside;

	/* not the last reference */
	calls->mm = exits;
	mmget(exits);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, atomic_read(&exits->mm_users), 1);
	mn_expect_no_report(test);

	/* the last one, of an mm without subscribers */
	mmget(exits);
	mn_test_mm_exit(test, exits);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, atomic_read(&exits->mm_users), 0);
	mn_expect_reports(test, MMU_NOTIFIER_EXIT_INSIDE, 1);

	/* and of an mm with one */
	calls->mm = last_reference(test);
	released = mn_listener_new(test, calls->mm);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, released->releases, 1);
	mn_expect_reports(test, MMU_NOTIFIER_EXIT_INSIDE, 1);
	mmu_notifier_unregister(&released->mn, calls->mm);

	/* somebody else drops it */
	calls->in_callback = mmput_async_inside;
	calls->mm = last_reference(test);
	mn_invalidate(mm);
	flush_work(&calls->mm->async_put_work);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->mm->mm_users), 0);
	mn_expect_no_report(test);

	calls->in_callback = NULL;
}

static void exit_in_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval = mn_interval_new(test, mm);

	expect_exit_reported(test, listener, mm);
	expect_exit_reported(test, interval, mm);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
	mmput(last_reference(test));
	mn_expect_no_report(test);
}

/* --- hooks ---------------------------------------------------------------- */

static void name_of(const struct mmu_notifier_hook *hook, char *name,
		    size_t size)
{
	snprintf(name, size, "%s:CLEAR:%u", hook->function, hook->line);
}

static void suppressed_range(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval = mn_interval_new(test, mm);
	struct mmu_notifier_range range;
	unsigned long hits;
	char name[100];

	mn_range_init(&range, mm);
	name_of(range.debug.hook, name, sizeof(name));
	hits = range.debug.hook->hits;

	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress("no_such_hook"), -ENOENT);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(name), 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress("no_such_hook"), -ENOENT);
	KUNIT_EXPECT_TRUE(test, range.debug.hook->suppressed);
	KUNIT_EXPECT_EQ(test, listener->starts, 0);
	KUNIT_EXPECT_EQ(test, listener->ends, 0);
	KUNIT_EXPECT_EQ(test, interval->starts, 0);
	KUNIT_EXPECT_EQ(test, range.debug.hook->hits, hits + 2);

	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(""), 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	KUNIT_EXPECT_EQ(test, interval->starts, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
	mn_expect_no_report(test);
}

/* A range whose start was delivered is delivered at its end, and vice versa */
static void suppressed_in_between(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mmu_notifier_range range;
	char name[100];

	mn_range_init(&range, mm);
	name_of(range.debug.hook, name, sizeof(name));
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(name), 0);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);

	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(""), 0);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	mn_expect_no_report(test);
}

static int all_young(struct mmu_notifier *mn, struct mm_struct *mm,
		     unsigned long start, unsigned long end)
{
	return 1;
}

static const struct mmu_notifier_ops all_young_ops = {
	.clear_young	= all_young,
};

/* A hook that asks for many pages has the same name as one that asks for one. */
static void suppressed_pages(struct kunit *test)
{
	struct mmu_notifier_young_pages *pages =
		mn_test_alloc(test, sizeof(*pages));
	struct mmu_notifier *mn = mn_test_alloc(test, sizeof(*mn));
	struct mm_struct *mm = mn_test_mm(test);
	char name[100];
	int i;

	mn->ops = &all_young_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(mn, mm), 0);
	snprintf(name, sizeof(name), "%s:clear_young:*", __func__);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(name), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test,
				  mmu_notifier_young_pages_init(pages, mm, mn_page(0),
								mn_page(8)));
		mmu_notifier_ask_young(pages, mn_page(3));
		mmu_notifier_clear_young_pages(pages);
		KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), i);
		KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(""), 0);
	}
	mmu_notifier_unregister(mn, mm);
	mn_expect_no_report(test);
}

static struct kunit_case mmu_notifier_debug_cases[] = {
	KUNIT_CASE(good_ranges),
	KUNIT_CASE(not_initialised),
	KUNIT_CASE(started_twice),
	KUNIT_CASE(used_again),
	KUNIT_CASE(end_without_start),
	KUNIT_CASE(no_end),
#ifdef CONFIG_DEBUG_ATOMIC_SLEEP
	KUNIT_CASE_SLOW(end_in_atomic_context),
#endif
	KUNIT_CASE(no_end_and_mm_freed),
	KUNIT_CASE(many_ranges),
	KUNIT_CASE(sleeping_callback),
	KUNIT_CASE(sleeping_interval_callback),
	KUNIT_CASE(sleeping_finish),
	KUNIT_CASE(sleeping_interval_finish),
	KUNIT_CASE(callback_after_unregister),
	KUNIT_CASE(callback_after_remove),
	KUNIT_CASE(unregistered_twice),
	KUNIT_CASE(registered_twice),
	KUNIT_CASE(register_in_callback),
	KUNIT_CASE(unregister_in_callback),
	KUNIT_CASE(exit_in_callback),
	KUNIT_CASE(suppressed_range),
	KUNIT_CASE(suppressed_in_between),
	KUNIT_CASE(suppressed_pages),
	{ }
};

static struct kunit_suite mmu_notifier_debug_suite = {
	.name = "mmu_notifier_debug",
	.init = mn_test_init_reports,
	.test_cases = mmu_notifier_debug_cases,
};

kunit_test_suite(mmu_notifier_debug_suite);

MODULE_DESCRIPTION("KUnit tests for the run-time checks of MMU notifiers");
MODULE_LICENSE("GPL");
