// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for CONFIG_DEBUG_MMU_NOTIFIER: every check is provoked, and must
 * report; what is right is done next to it, and must not.
 *
 * The reports come to report() instead of the kernel log, as long as the thread
 * of the test causes them.
 */

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

#define BASE	(16UL * PAGE_SIZE)

static unsigned int reports[NR_MMU_NOTIFIER_FAULTS];

static void report(enum mmu_notifier_fault fault,
		   const struct mmu_notifier_hook *hook, const void *callback)
{
	reports[fault]++;
}

/* Expect @n reports of @fault, and none of anything else, since the last time */
static void expect_reports(struct kunit *test, enum mmu_notifier_fault fault,
			   unsigned int n)
{
	unsigned int i;

	for (i = 0; i < NR_MMU_NOTIFIER_FAULTS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, reports[i], i == fault ? n : 0,
				    "fault %u", i);
		reports[i] = 0;
	}
}

static void expect_none(struct kunit *test)
{
	expect_reports(test, NR_MMU_NOTIFIER_FAULTS, 0);
}

static int suite_init(struct kunit *test)
{
	int ret = mn_test_init(test);

	memset(reports, 0, sizeof(reports));
	if (!ret)
		kunit_activate_static_stub(test, mmu_notifier_report, report);
	return ret;
}

/* --- a subscriber of each kind, that does in its callback what it is told -- */

struct listener {
	struct mmu_notifier mn;
	struct mmu_interval_notifier interval;
	unsigned int starts;
	unsigned int ends;
	void (*in_callback)(struct listener *listener);
	/* for in_callback */
	struct listener *other;
	struct mm_struct *mm;
	int ret;
};

static int listener_start(struct mmu_notifier *mn,
			  const struct mmu_notifier_range *range)
{
	struct listener *listener = container_of(mn, struct listener, mn);

	listener->starts++;
	if (listener->in_callback)
		listener->in_callback(listener);
	return 0;
}

static void listener_end(struct mmu_notifier *mn,
			 const struct mmu_notifier_range *range)
{
	container_of(mn, struct listener, mn)->ends++;
}

static const struct mmu_notifier_ops listener_ops = {
	.invalidate_range_start	= listener_start,
	.invalidate_range_end	= listener_end,
};

static bool listener_invalidate(struct mmu_interval_notifier *interval,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq)
{
	struct listener *listener = container_of(interval, struct listener,
						 interval);

	mmu_interval_set_seq(interval, cur_seq);
	listener->starts++;
	if (listener->in_callback)
		listener->in_callback(listener);
	return true;
}

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate	= listener_invalidate,
};

static struct listener *listener_new(struct kunit *test, struct mm_struct *mm)
{
	struct listener *listener = mn_test_alloc(test, sizeof(*listener));

	listener->mm = mm;
	listener->mn.ops = &listener_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	return listener;
}

static struct listener *interval_new(struct kunit *test, struct mm_struct *mm)
{
	struct listener *listener = mn_test_alloc(test, sizeof(*listener));

	listener->mm = mm;
	KUNIT_ASSERT_EQ(test, mmu_interval_notifier_insert(&listener->interval,
							   mm, BASE, PAGE_SIZE,
							   &interval_ops), 0);
	return listener;
}

static void range_init(struct mmu_notifier_range *range, struct mm_struct *mm)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, BASE,
				BASE + PAGE_SIZE);
}

static void invalidate(struct mm_struct *mm)
{
	struct mmu_notifier_range range;

	range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static int invalidate_nonblock(struct mm_struct *mm)
{
	struct mmu_notifier_range range;
	int ret;

	range_init(&range, mm);
	ret = mmu_notifier_invalidate_range_start_nonblock(&range);
	if (!ret)
		mmu_notifier_invalidate_range_end(&range);
	return ret;
}

/* --- ranges --------------------------------------------------------------- */

static void good_ranges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range one, two, three;

	range_init(&one, mm);
	range_init(&two, mm);
	range_init(&three, mm);
	mmu_notifier_invalidate_range_start(&one);
	mmu_notifier_invalidate_range_start(&two);
	mmu_notifier_invalidate_range_start(&three);
	mmu_notifier_invalidate_range_end(&two);
	mmu_notifier_invalidate_range_end(&one);
	range_init(&one, mm);
	mmu_notifier_invalidate_range_start(&one);
	mmu_notifier_invalidate_range_end(&three);
	mmu_notifier_invalidate_range_end(&one);
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm), 0);

	expect_none(test);
}

static void not_initialised(struct kunit *test)
{
	struct mmu_notifier_range range = {
		.mm = mn_test_mm(test),
		.start = BASE,
		.end = BASE + PAGE_SIZE,
	};

	mmu_notifier_invalidate_range_start(&range);
	expect_reports(test, MMU_NOTIFIER_UNINITIALISED, 1);
	mmu_notifier_invalidate_range_end(&range);
	expect_none(test);
}

static void started_twice(struct kunit *test)
{
	struct mmu_notifier_range range;

	range_init(&range, mn_test_mm(test));
	mmu_notifier_invalidate_range_start(&range);
	expect_none(test);
	mmu_notifier_invalidate_range_start(&range);
	expect_reports(test, MMU_NOTIFIER_STARTED_TWICE, 1);
	mmu_notifier_invalidate_range_end(&range);
	expect_none(test);
}

static void used_again(struct kunit *test)
{
	struct mmu_notifier_range range;

	range_init(&range, mn_test_mm(test));
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	expect_none(test);
	mmu_notifier_invalidate_range_start(&range);
	expect_reports(test, MMU_NOTIFIER_REUSED, 1);
	mmu_notifier_invalidate_range_end(&range);
}

static void end_without_start(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *listener = listener_new(test, mm);
	struct mmu_notifier_range range;

	range_init(&range, mm);
	mmu_notifier_invalidate_range_end(&range);
	expect_reports(test, MMU_NOTIFIER_NOT_STARTED, 1);

	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	expect_none(test);
	mmu_notifier_invalidate_range_end(&range);
	expect_reports(test, MMU_NOTIFIER_NOT_STARTED, 1);

	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	mmu_notifier_unregister(&listener->mn, mm);
}

static noinline void start_and_return(struct mm_struct *mm)
{
	struct mmu_notifier_range range;

	range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
}

/*
 * Deep in the stack, so that the range lies below what comes next.  lockdep
 * would take it for a lock that was never released, as it is.
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
	expect_none(test);
	invalidate(mm);
	expect_reports(test, MMU_NOTIFIER_NOT_ENDED, 1);
	invalidate(mm);
	expect_none(test);
}

static void no_end_and_mm_freed(struct kunit *test)
{
	struct mmu_notifier_range *range = mn_test_alloc(test, sizeof(*range));
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	range_init(range, mm);
	lockdep_off();
	mmu_notifier_invalidate_range_start(range);
	lockdep_on();
	mmput(mm);
	expect_reports(test, MMU_NOTIFIER_NOT_ENDED, 1);
}

/* More ranges than the table holds: it forgets, and accuses nobody */
static void many_ranges(struct kunit *test)
{
	const unsigned int many = 3000;
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range *ranges;
	unsigned int i;

	ranges = mn_test_alloc(test, many * sizeof(*ranges));
	/* It could not hold so many locks. */
	lockdep_off();
	for (i = 0; i < many; i++) {
		range_init(&ranges[i], mm);
		mmu_notifier_invalidate_range_start(&ranges[i]);
	}
	for (i = 0; i < many; i++)
		mmu_notifier_invalidate_range_end(&ranges[i]);
	lockdep_on();
	expect_none(test);

	start_deep_and_return(mm);
	invalidate(mm);
	expect_reports(test, MMU_NOTIFIER_NOT_ENDED, 1);
}

/* --- callbacks ------------------------------------------------------------ */

static void sleep_a_while(struct listener *listener)
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
	struct listener *listener;

	skip_if_scheduler_reports(test);
	listener = listener_new(test, mm);
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm), 0);
	listener->in_callback = sleep_a_while;
	invalidate(mm);
	expect_none(test);

	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm), 0);
	expect_reports(test, MMU_NOTIFIER_SLEPT, 1);
	mmu_notifier_unregister(&listener->mn, mm);
}

static void sleeping_interval_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *listener;

	skip_if_scheduler_reports(test);
	listener = interval_new(test, mm);
	listener->in_callback = sleep_a_while;
	invalidate(mm);
	expect_none(test);

	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm), 0);
	expect_reports(test, MMU_NOTIFIER_SLEPT, 1);
	mmu_interval_notifier_remove(&listener->interval);
}

/* As if unregister had left it in the list */
static void callback_after_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *stays = listener_new(test, mm);
	struct listener *goes = listener_new(test, mm);
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;

	mmu_notifier_unregister(&goes->mn, mm);
	hlist_add_head_rcu(&goes->mn.hlist, &subs->list);
	invalidate(mm);
	expect_reports(test, MMU_NOTIFIER_NOT_SUBSCRIBED, 2);
	KUNIT_EXPECT_EQ(test, goes->starts, 0);
	KUNIT_EXPECT_EQ(test, stays->starts, 1);

	hlist_del_init_rcu(&goes->mn.hlist);
	invalidate(mm);
	expect_none(test);
	mmu_notifier_unregister(&stays->mn, mm);
}

static void callback_after_remove(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *stays = interval_new(test, mm);
	struct listener *goes = interval_new(test, mm);
	struct rb_root_cached *tree =
		&mm->notifier_subscriptions->intervals.tree;

	mmu_interval_notifier_remove(&goes->interval);
	interval_tree_insert(&goes->interval.interval_tree, tree);
	invalidate(mm);
	expect_reports(test, MMU_NOTIFIER_NOT_SUBSCRIBED, 1);
	KUNIT_EXPECT_EQ(test, goes->starts, 0);
	KUNIT_EXPECT_EQ(test, stays->starts, 1);

	interval_tree_remove(&goes->interval.interval_tree, tree);
	mmu_interval_notifier_remove(&stays->interval);
	expect_none(test);
}

static void unregistered_twice(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *stays = listener_new(test, mm);
	struct listener *goes = listener_new(test, mm);
	int count = atomic_read(&mm->mm_count);

	mmu_notifier_unregister(&goes->mn, mm);
	expect_none(test);
	mmu_notifier_unregister(&goes->mn, mm);
	expect_reports(test, MMU_NOTIFIER_NOT_SUBSCRIBED, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 1);
	mmu_notifier_unregister(&stays->mn, mm);
}

static void registered_twice(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *listener = listener_new(test, mm);
	struct listener *interval = interval_new(test, mm);

	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&listener->mn, mm), -EBUSY);
	expect_reports(test, MMU_NOTIFIER_SUBSCRIBED_TWICE, 1);
	KUNIT_EXPECT_EQ(test,
			mmu_interval_notifier_insert(&interval->interval, mm,
						     BASE, PAGE_SIZE,
						     &interval_ops), -EBUSY);
	expect_reports(test, MMU_NOTIFIER_SUBSCRIBED_TWICE, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	mmu_notifier_unregister(&listener->mn, mm);
	expect_none(test);
}

static void register_other(struct listener *listener)
{
	listener->ret = mmu_notifier_register(&listener->other->mn,
					      listener->mm);
}

static void unregister_other(struct listener *listener)
{
	mmu_notifier_unregister(&listener->other->mn, listener->mm);
}

static void remove_other(struct listener *listener)
{
	mmu_interval_notifier_remove(&listener->other->interval);
}

static void register_in_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *listener = listener_new(test, mm);
	struct listener *other = mn_test_alloc(test, sizeof(*other));

	other->mn.ops = &listener_ops;
	listener->other = other;
	listener->in_callback = register_other;
	invalidate(mm);
	expect_reports(test, MMU_NOTIFIER_CHANGED_INSIDE, 1);
	KUNIT_EXPECT_EQ(test, listener->ret, -EDEADLK);

	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&other->mn, mm), 0);
	mmu_notifier_unregister(&other->mn, mm);
	mmu_notifier_unregister(&listener->mn, mm);
	expect_none(test);
}

static void unregister_in_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *listener = listener_new(test, mm);
	struct listener *interval = interval_new(test, mm);

	listener->in_callback = unregister_other;
	listener->other = listener;
	invalidate(mm);
	expect_reports(test, MMU_NOTIFIER_CHANGED_INSIDE, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);

	listener->in_callback = remove_other;
	listener->other = interval;
	invalidate(mm);
	expect_reports(test, MMU_NOTIFIER_CHANGED_INSIDE, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
	expect_none(test);
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
	struct listener *listener = listener_new(test, mm);
	struct listener *interval = interval_new(test, mm);
	struct mmu_notifier_range range;
	unsigned long hits;
	char name[100];

	range_init(&range, mm);
	name_of(range.debug.hook, name, sizeof(name));
	hits = range.debug.hook->hits;

	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress("no_such_hook"), -ENOENT);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(name), 0);
	invalidate(mm);
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm), 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress("no_such_hook"), -ENOENT);
	KUNIT_EXPECT_TRUE(test, range.debug.hook->suppressed);
	KUNIT_EXPECT_EQ(test, listener->starts, 0);
	KUNIT_EXPECT_EQ(test, listener->ends, 0);
	KUNIT_EXPECT_EQ(test, interval->starts, 0);
	KUNIT_EXPECT_EQ(test, range.debug.hook->hits, hits + 2);

	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(""), 0);
	invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	KUNIT_EXPECT_EQ(test, interval->starts, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
	expect_none(test);
}

/* A range that began with its hook on ends so, and the other way around */
static void suppressed_in_between(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct listener *listener = listener_new(test, mm);
	struct mmu_notifier_range range;
	char name[100];

	range_init(&range, mm);
	name_of(range.debug.hook, name, sizeof(name));
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(name), 0);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);

	range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, mmu_notifier_suppress(""), 0);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);

	mmu_notifier_unregister(&listener->mn, mm);
	expect_none(test);
}

static struct kunit_case mmu_notifier_debug_cases[] = {
	KUNIT_CASE(good_ranges),
	KUNIT_CASE(not_initialised),
	KUNIT_CASE(started_twice),
	KUNIT_CASE(used_again),
	KUNIT_CASE(end_without_start),
	KUNIT_CASE(no_end),
	KUNIT_CASE(no_end_and_mm_freed),
	KUNIT_CASE(many_ranges),
	KUNIT_CASE(sleeping_callback),
	KUNIT_CASE(sleeping_interval_callback),
	KUNIT_CASE(callback_after_unregister),
	KUNIT_CASE(callback_after_remove),
	KUNIT_CASE(unregistered_twice),
	KUNIT_CASE(registered_twice),
	KUNIT_CASE(register_in_callback),
	KUNIT_CASE(unregister_in_callback),
	KUNIT_CASE(suppressed_range),
	KUNIT_CASE(suppressed_in_between),
	{ }
};

static struct kunit_suite mmu_notifier_debug_suite = {
	.name = "mmu_notifier_debug",
	.init = suite_init,
	.test_cases = mmu_notifier_debug_cases,
};

kunit_test_suite(mmu_notifier_debug_suite);

MODULE_DESCRIPTION("KUnit tests for the run-time checks of MMU notifiers");
MODULE_LICENSE("GPL");
