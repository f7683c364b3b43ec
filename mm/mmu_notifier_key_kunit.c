// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the static key of MMU notifiers: it is on while an mm has a
 * subscription, and otherwise only if mmu_notifier.always_on says so.
 *
 * What follows holds for either value of the parameter.  A kernel that has it on
 * its command line must run these tests, too: the other suites can't tell.
 */

#include <linux/jiffies.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

static int key_count(void)
{
	return static_key_count(&mmu_notifier_key.key.key);
}

/* The references that are left when no mm has a subscription */
static int count_unused(void)
{
	return mmu_notifier_always_on ? 1 : 0;
}

/*
 * The key gets @count references, and stays so.  mms of earlier tests may still hold
 * theirs.  That the key is turned off late isn't waited for.
 */
static void expect_count(struct kunit *test, int count)
{
	unsigned long give_up = jiffies + MN_DEADLOCK;

	static_key_deferred_flush(&mmu_notifier_key);
	while (key_count() != count && time_before(jiffies, give_up)) {
		schedule_timeout_uninterruptible(1);
		static_key_deferred_flush(&mmu_notifier_key);
	}
	schedule_timeout_uninterruptible(MN_CHANCE);
	static_key_deferred_flush(&mmu_notifier_key);
	KUNIT_EXPECT_EQ(test, key_count(), count);
}

static void expect_unused(struct kunit *test)
{
	expect_count(test, count_unused());
	KUNIT_EXPECT_EQ(test, static_key_enabled(&mmu_notifier_key.key),
			mmu_notifier_always_on);
}

static void never_used(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	expect_unused(test);
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
}

/* mm_has_notifiers() tests the key as hooks do: there has been a subscription. */
static void list_ended(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener;

	expect_unused(test);
	listener = mn_listener_new(test, mm);
	expect_count(test, count_unused() + 1);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(mm));

	mmu_notifier_unregister(&listener->mn, mm);
	expect_unused(test);
	KUNIT_EXPECT_EQ(test, mm_has_notifiers(mm), mmu_notifier_always_on);
}

static void interval_ended(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener;

	expect_unused(test);
	listener = mn_interval_new(test, mm);
	expect_count(test, count_unused() + 1);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(mm));

	mmu_interval_notifier_remove(&listener->interval);
	expect_unused(test);
	KUNIT_EXPECT_EQ(test, mm_has_notifiers(mm), mmu_notifier_always_on);
}

/* A subscription of another mm, or both, may be the last to end. */
static void last_of_two_mms(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *other = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *another = mn_listener_new(test, other);

	expect_count(test, count_unused() + 2);
	mmu_notifier_unregister(&listener->mn, mm);
	expect_count(test, count_unused() + 1);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(mm));

	mmu_notifier_unregister(&another->mn, other);
	expect_unused(test);
}

/* What hooks do with a range that lives on their stack */
static void init_on_stack(struct mmu_notifier_range *range, struct mm_struct *mm)
{
	memset(range, 0xff, sizeof(*range));
	mn_range_init(range, mm);
}

/*
 * The key is turned on while ranges are described or in progress: nobody is notified
 * of these, neither at their start nor at their end.  Usually it is for another mm; if
 * not, the registration waits for them, which this one can't see.
 */
static void turned_on_inside(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range described, started, refusing;
	struct mn_listener *listener, *interval;

	/* So that the mm has what it keeps of a subscription that has ended */
	listener = mn_listener_new(test, mm);
	mmu_notifier_unregister(&listener->mn, mm);
	expect_unused(test);
	if (mmu_notifier_always_on)
		kunit_skip(test, "the key is always on");

	init_on_stack(&described, mm);
	init_on_stack(&refusing, mm);
	init_on_stack(&started, mm);
	mmu_notifier_invalidate_range_start(&started);

	listener = mn_listener_new(test, mm);
	interval = mn_interval_new(test, mm);
	mmu_notifier_invalidate_range_start(&described);
	KUNIT_EXPECT_EQ(test,
			mmu_notifier_invalidate_range_start_nonblock(&refusing), 0);
	mmu_notifier_invalidate_range_end(&refusing);
	mmu_notifier_invalidate_range_end(&started);
	mmu_notifier_invalidate_range_end(&described);
	KUNIT_EXPECT_EQ(test, listener->starts, 0);
	KUNIT_EXPECT_EQ(test, listener->ends, 0);
	KUNIT_EXPECT_EQ(test, interval->starts, 0);

	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	KUNIT_EXPECT_EQ(test, interval->starts, 1);

	mmu_interval_notifier_remove(&interval->interval);
	mmu_notifier_unregister(&listener->mn, mm);
	expect_unused(test);
}

/* And turned off, which leaves nothing of a range that was described before. */
static void turned_off_inside(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *other = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, other);
	struct mmu_notifier_range described, started;

	init_on_stack(&described, mm);
	init_on_stack(&started, mm);
	mmu_notifier_invalidate_range_start(&started);

	mmu_notifier_unregister(&listener->mn, other);
	expect_unused(test);
	mmu_notifier_invalidate_range_start(&described);
	mmu_notifier_invalidate_range_end(&described);
	mmu_notifier_invalidate_range_end(&started);
	KUNIT_EXPECT_EQ(test, listener->starts, 0);
}

/* The reference that the parameter makes the kernel take at boot */
static void reference_without_mm(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);

	KUNIT_ASSERT_EQ(test, mmu_notifier_key_get(false), 0);
	mmu_notifier_unregister(&listener->mn, mm);
	expect_count(test, count_unused() + 1);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(mm));

	mmu_notifier_key_put();
	expect_unused(test);
}

static struct kunit_case mmu_notifier_key_cases[] = {
	KUNIT_CASE(never_used),
	KUNIT_CASE(list_ended),
	KUNIT_CASE(interval_ended),
	KUNIT_CASE(last_of_two_mms),
	KUNIT_CASE(turned_on_inside),
	KUNIT_CASE(turned_off_inside),
	KUNIT_CASE(reference_without_mm),
	{ }
};

static struct kunit_suite mmu_notifier_key_suite = {
	.name = "mmu_notifier_key",
	.init = mn_test_init,
	.test_cases = mmu_notifier_key_cases,
};

kunit_test_suite(mmu_notifier_key_suite);

MODULE_DESCRIPTION("KUnit tests for the static key of MMU notifiers");
MODULE_LICENSE("GPL");
