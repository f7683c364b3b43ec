// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: what interval subscriptions leave behind.
 *
 * An mm counts ranges in progress from its first interval subscription on, until a
 * work stops that some time after the last one has gone.  If counted ranges are
 * still in progress then, the end of the last one stops it.  The tests don't wait
 * for the work: they run it, or keep it from running.
 *
 * Removals that have to wait for the tree to thaw are tested here too.
 */

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"
#include "mmu_notifier_registrant_kunit.h"

static struct mmu_notifier_intervals *intervals_of(struct mm_struct *mm)
{
	return &mm->notifier_subscriptions->intervals;
}

/* Run the work now, if it is pending */
static void time_passes(struct mm_struct *mm)
{
	flush_delayed_work(&intervals_of(mm)->close_work);
}

/* Keep it from running, however slow the machine is */
static void time_stops(struct mm_struct *mm)
{
	cancel_delayed_work_sync(&intervals_of(mm)->close_work);
}

static long in_progress(struct mm_struct *mm)
{
	return atomic_long_read(&intervals_of(mm)->in_progress);
}

static void start_beside(struct mmu_notifier_range *range, struct mm_struct *mm)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, mn_page(10),
				mn_page(11));
	mmu_notifier_invalidate_range_start(range);
}

static bool is_counted(const struct mmu_notifier_range *range)
{
	return range->flags & MMU_NOTIFIER_RANGE_COUNTED;
}

static void expect_open(struct kunit *test, struct mm_struct *mm,
			unsigned long nr, long counted)
{
	KUNIT_EXPECT_TRUE(test, intervals_of(mm)->open);
	KUNIT_EXPECT_TRUE(test, mm->notifier_subscriptions->armed);
	KUNIT_EXPECT_EQ(test, intervals_of(mm)->nr, nr);
	KUNIT_EXPECT_EQ(test, in_progress(mm), counted);
}

/* Ranges are no longer counted, and no counted one is left */
static void expect_closed(struct kunit *test, struct mm_struct *mm, bool armed)
{
	struct mmu_notifier_intervals *intervals = intervals_of(mm);
	struct mmu_notifier_range range;

	KUNIT_EXPECT_FALSE(test, intervals->open);
	KUNIT_EXPECT_FALSE(test, intervals->opening);
	KUNIT_EXPECT_FALSE(test, intervals->closing);
	KUNIT_EXPECT_EQ(test, intervals->nr, 0);
	KUNIT_EXPECT_EQ(test, in_progress(mm), 0);
	KUNIT_EXPECT_EQ(test, intervals->seq & 1, 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&intervals->tree.rb_root));
	KUNIT_EXPECT_TRUE(test, hlist_empty(&intervals->deferred));
	/* With a list there is a work between the last subscription and this. */
	flush_work(&mm->notifier_subscriptions->disarm_work);
	KUNIT_EXPECT_EQ(test, mm->notifier_subscriptions->armed, armed);

	start_beside(&range, mm);
	KUNIT_EXPECT_FALSE(test, is_counted(&range));
	KUNIT_EXPECT_EQ(test, in_progress(mm), 0);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, in_progress(mm), 0);
}

struct insertion_job {
	struct mn_listener *listener;
	struct mm_struct *mm;
	int ret;
};

static void insert_thread(void *data)
{
	struct insertion_job *job = data;

	job->ret = mn_interval_insert(job->listener, job->mm);
}

static struct insertion_job *insertion_job(struct kunit *test,
					   struct mm_struct *mm)
{
	struct insertion_job *job = mn_test_alloc(test, sizeof(*job));

	job->listener = mn_listener_alloc(test);
	job->mm = mm;
	job->ret = -EINPROGRESS;
	return job;
}

/* Without taking mmap_lock, which is held by the test */
static struct mn_listener *insert_at_once(struct kunit *test,
					  struct mm_struct *mm)
{
	struct insertion_job *job = insertion_job(test, mm);
	struct mn_thread *thread;
	bool at_once;

	mmap_write_lock(mm);
	thread = mn_thread_run(test, insert_thread, job);
	at_once = mn_thread_completed(thread);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_TRUE_MSG(test, at_once, "the insertion waits for mmap_lock");
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_EQ(test, job->ret, 0);
	return job->listener;
}

static void remove(struct mn_listener *listener)
{
	mmu_interval_notifier_remove(&listener->interval);
}

/* -------------------------------- closing --------------------------------- */

static void closes_after_the_last(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mn_listener *first = mn_interval_new(test, mm);
	struct mn_listener *second = mn_interval_new(test, mm);

	remove(first);
	time_passes(mm);
	expect_open(test, mm, 1, 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, second->starts, 1);

	remove(second);
	time_passes(mm);
	expect_closed(test, mm, false);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
}

/* The end of the last counted range closes */
static void closes_after_ranges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_interval_new(test, mm);
	struct mmu_notifier_range range[3];
	int i;

	for (i = 0; i < 2; i++)
		start_beside(&range[i], mm);
	remove(listener);
	time_passes(mm);
	expect_open(test, mm, 0, 2);

	/* a range that begins now is still counted */
	start_beside(&range[2], mm);
	KUNIT_EXPECT_TRUE(test, is_counted(&range[2]));
	for (i = 0; i < 3; i++) {
		expect_open(test, mm, 0, 3 - i);
		KUNIT_EXPECT_TRUE(test, is_counted(&range[i]));
		mmu_notifier_invalidate_range_end(&range[i]);
		KUNIT_EXPECT_FALSE(test, is_counted(&range[i]));
	}
	expect_closed(test, mm, false);
}

/* Before the work has run, the end of a range does not close */
static void range_ends_before(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_interval_new(test, mm);
	struct mmu_notifier_range range;

	start_beside(&range, mm);
	remove(listener);
	time_stops(mm);
	mmu_notifier_invalidate_range_end(&range);
	expect_open(test, mm, 0, 0);

	remove(insert_at_once(test, mm));
	time_passes(mm);
	expect_closed(test, mm, false);
}

/* Other subscribers are still notified, and need the static key */
static void closes_beside_others(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval = mn_interval_new(test, mm);
	struct mmu_notifier_range range;

	remove(interval);
	start_beside(&range, mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	time_passes(mm);
	expect_open(test, mm, 0, 1);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	expect_closed(test, mm, true);
	KUNIT_EXPECT_EQ(test, listener->starts, 2);
	KUNIT_EXPECT_EQ(test, listener->ends, 2);

	mmu_notifier_unregister(&listener->mn, mm);
	expect_closed(test, mm, false);
}

/* And vice versa: intervals need the static key as well */
static void other_goes_first(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval = mn_interval_new(test, mm);

	mmu_notifier_unregister(&listener->mn, mm);
	expect_open(test, mm, 1, 0);
	remove(interval);
	time_passes(mm);
	expect_closed(test, mm, false);
}

/* ------------------------------- reopening -------------------------------- */

static void reopened_in_time(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_interval_new(test, mm);

	/* without the work, and with a work that finds nothing to do */
	remove(listener);
	time_stops(mm);
	listener = insert_at_once(test, mm);
	time_passes(mm);
	expect_open(test, mm, 1, 0);

	remove(listener);
	KUNIT_ASSERT_EQ(test, mn_interval_insert(listener, mm), 0);
	time_passes(mm);
	expect_open(test, mm, 1, 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);

	remove(listener);
	time_passes(mm);
	expect_closed(test, mm, false);
}

/* The work has run, but a range in progress keeps it open */
static void reopened_while_closing(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_interval_new(test, mm);
	struct mmu_notifier_range range;

	start_beside(&range, mm);
	remove(listener);
	time_passes(mm);
	expect_open(test, mm, 0, 1);

	listener = insert_at_once(test, mm);
	mmu_notifier_invalidate_range_end(&range);
	expect_open(test, mm, 1, 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);

	remove(listener);
	time_passes(mm);
	expect_closed(test, mm, false);
}

/*
 * After it has closed ranges are not counted, so the next subscription waits for
 * them as the first one did.
 */
static void opened_again(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct insertion_job *job = insertion_job(test, mm);
	struct mmu_notifier_range range;
	struct mn_thread *thread;

	remove(mn_interval_new(test, mm));
	time_passes(mm);
	expect_closed(test, mm, true);

	mmap_read_lock(mm);
	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_FALSE(test, is_counted(&range));
	thread = mn_thread_run(test, insert_thread, job);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_EQ(test, job->ret, 0);

	KUNIT_EXPECT_EQ(test, job->listener->starts, 0);
	expect_open(test, mm, 1, 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, job->listener->starts, 1);
	mmu_interval_read_begin(&job->listener->interval);
	remove(job->listener);
	mmu_notifier_unregister(&listener->mn, mm);
	time_passes(mm);
	expect_closed(test, mm, false);
}

/* The sequence number does not start from scratch: drivers keep old ones */
static void sequence_goes_on(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_interval_new(test, mm);
	unsigned long seq, before = 0;
	int i;

	for (i = 0; i < 3; i++) {
		seq = mmu_interval_read_begin(&listener->interval);
		KUNIT_EXPECT_EQ(test, seq & 1, 1);
		mn_invalidate(mm);
		KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&listener->interval,
								seq));
		if (i)
			KUNIT_EXPECT_GT(test, seq, before);
		before = seq;

		remove(listener);
		time_passes(mm);
		expect_closed(test, mm, false);
		KUNIT_ASSERT_EQ(test, mn_interval_insert(listener, mm), 0);
	}
	remove(listener);
}

/* --------------------------------- exit ----------------------------------- */

static void exits_open(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_interval_new(test, mm);
	int count = atomic_read(&mm->mm_count);

	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	remove(listener);
	/* the references of the users and of the subscription are gone */
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 2);
	time_passes(mm);
	expect_closed(test, mm, false);
}

/* The mm is freed while the work is pending */
static void freed_before(struct kunit *test)
{
	struct static_key *key = &mmu_notifier_key.key.key;
	struct mm_struct *mm = mm_alloc(), *keeps = mn_test_mm(test);
	struct mn_listener *keeper = mn_listener_new(test, keeps);
	unsigned long give_up = jiffies + MN_DEADLOCK;
	int count = static_key_count(key);

	KUNIT_ASSERT_NOT_NULL(test, mm);
	remove(mn_interval_new(test, mm));
	KUNIT_EXPECT_TRUE(test, mm->notifier_subscriptions->armed);
	mmput(mm);

	/* its reference of the static key is the last thing that it drops */
	while (static_key_count(key) > count && time_before(jiffies, give_up))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_LE(test, static_key_count(key), count);

	/* by then the work would have run */
	schedule_timeout_uninterruptible(MMU_NOTIFIER_LINGER + 2);
	mmu_notifier_unregister(&keeper->mn, keeps);
}

/* ------------------------------ removed twice ----------------------------- */

/* A thread whose reports come to the test, too */
struct remover {
	struct kunit *test;
	struct mn_listener *listener;
};

static void remove_thread(void *data)
{
	struct remover *remover = data;

	current->kunit_test = remover->test;
	mmu_interval_notifier_remove(&remover->listener->interval);
	current->kunit_test = NULL;
}

/* A removal that waits for the tree to thaw can't be repeated */
static void removed_twice_while_frozen(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	unsigned long count = atomic_read(&mm->mm_count);
	struct mn_listener *stays = mn_interval_new(test, mm);
	struct mn_listener *goes = mn_interval_new(test, mm);
	struct remover *remover = mn_test_alloc(test, sizeof(*remover));
	struct mn_thread *first, *second;
	struct mmu_notifier_range range;

	remover->test = test;
	remover->listener = goes;
	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	first = mn_thread_run(test, remove_thread, remover);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(first));
	mn_expect_no_report(test);

	second = mn_thread_run(test, remove_thread, remover);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(second));
	mn_expect_culprit(test, MMU_NOTIFIER_NOT_SUBSCRIBED, &mn_interval_ops);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(first));

	/* until it is out of the tree it is notified */
	mn_invalidate(mm);
	mn_expect_no_report(test);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(first));
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);

	mmu_interval_notifier_remove(&goes->interval);
	mn_expect_culprit(test, MMU_NOTIFIER_NOT_SUBSCRIBED, &mn_interval_ops);
	KUNIT_EXPECT_EQ(test, mm->notifier_subscriptions->intervals.nr, 1);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, stays->starts, 3);
	KUNIT_EXPECT_EQ(test, goes->starts, 2);
	mmu_interval_notifier_remove(&stays->interval);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	mn_expect_no_report(test);
}

/* Inserted and removed while the tree is frozen, so never in it */
static void removed_twice_before_insertion(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *stays = mn_interval_new(test, mm);
	struct mn_listener *passes = mn_listener_alloc(test);
	unsigned long count = atomic_read(&mm->mm_count);
	struct mmu_notifier_range range;

	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_ASSERT_EQ(test, mn_interval_insert(passes, mm), 0);
	mmu_interval_notifier_remove(&passes->interval);
	mn_expect_no_report(test);
	mmu_interval_notifier_remove(&passes->interval);
	mn_expect_culprit(test, MMU_NOTIFIER_NOT_SUBSCRIBED, &mn_interval_ops);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);

	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, stays->starts, 2);
	KUNIT_EXPECT_EQ(test, passes->starts, 0);
	mmu_interval_notifier_remove(&stays->interval);
	mn_expect_no_report(test);
}

/*
 * Removed before its insertion, the first one, has returned.  That is a mistake, but the
 * mm must not close before, nor stay open for good.
 */
static void removed_while_opening(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	unsigned long count = atomic_read(&mm->mm_count);
	struct file *file = mn_test_file(test);
	struct mn_registrant *comes = mn_registrant_new(test, mm);
	struct remover *goes = mn_test_alloc(test, sizeof(*goes));
	struct mn_thread *first, *second;
	struct mn_holder *range;

	mn_test_vma(test, mm, mn_page(0), file);
	range = mn_range_new(test, mm, file);
	comes->interval = true;
	first = mn_thread_run(test, mn_registrant_thread, comes);
	mn_expect_appears(test, comes);
	expect_open(test, mm, 1, 1);

	goes->test = test;
	goes->listener = comes->listener;
	second = mn_thread_run(test, remove_thread, goes);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(second));
	time_passes(mm);
	expect_open(test, mm, 0, 1);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(first));

	mn_holder_end(test, range);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(first));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(second));
	KUNIT_EXPECT_EQ(test, comes->ret, 0);
	KUNIT_EXPECT_EQ(test, comes->listener->starts, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	expect_closed(test, mm, false);
	mn_expect_no_report(test);
}

static struct kunit_case mmu_interval_notifier_close_cases[] = {
	KUNIT_CASE(closes_after_the_last),
	KUNIT_CASE(closes_after_ranges),
	KUNIT_CASE(range_ends_before),
	KUNIT_CASE(closes_beside_others),
	KUNIT_CASE(other_goes_first),
	KUNIT_CASE(reopened_in_time),
	KUNIT_CASE(reopened_while_closing),
	KUNIT_CASE(opened_again),
	KUNIT_CASE(sequence_goes_on),
	KUNIT_CASE(exits_open),
	KUNIT_CASE(freed_before),
	KUNIT_CASE(removed_twice_while_frozen),
	KUNIT_CASE(removed_twice_before_insertion),
	KUNIT_CASE(removed_while_opening),
	{ }
};

static struct kunit_suite mmu_interval_notifier_close_suite = {
	.name = "mmu_interval_notifier_close",
	.init = mn_test_init_reports,
	.test_cases = mmu_interval_notifier_close_cases,
};

kunit_test_suite(mmu_interval_notifier_close_suite);

MODULE_DESCRIPTION("KUnit tests for what MMU interval notifiers leave behind");
MODULE_LICENSE("GPL");
