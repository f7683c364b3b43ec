// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the counts of CONFIG_MMU_NOTIFIER_STATS: a CPU counts for one mm at
 * a time, and nothing is lost or added when it turns to another mm, when somebody
 * looks, or when the mm goes.
 */

#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

#define NR_MMS		3
#define NR_THREADS	4
#define ROUNDS		1000

static struct mmu_notifier_counts counts_of(struct mm_struct *mm)
{
	struct mmu_notifier_figures *figures = &mm->notifier_subscriptions->figures;
	struct mmu_notifier_counts counts;
	unsigned long flags;

	mmu_notifier_collect(figures);
	raw_spin_lock_irqsave(&figures->lock, flags);
	counts = *figures->counts;
	raw_spin_unlock_irqrestore(&figures->lock, flags);
	return counts;
}

static unsigned long all_ranges(const struct mmu_notifier_counts *counts)
{
	unsigned long sum = 0;
	unsigned int event;

	for (event = 0; event < NR_MMU_NOTIFY_EVENTS; event++)
		sum += counts->ranges[event];
	return sum;
}

/* The start and the end of a range are a callback each. */
static void expect_counted(struct kunit *test, struct mm_struct *mm,
			   unsigned long ranges, unsigned long young)
{
	struct mmu_notifier_counts counts = counts_of(mm);

	KUNIT_EXPECT_EQ(test, counts.ranges[MMU_NOTIFY_CLEAR], ranges);
	KUNIT_EXPECT_EQ(test, all_ranges(&counts), ranges);
	KUNIT_EXPECT_EQ(test, counts.callbacks, 2 * ranges);
	KUNIT_EXPECT_EQ(test, counts.young, young);
}

static int is_young(struct mmu_notifier *mn, struct mm_struct *mm,
		    unsigned long address)
{
	return 1;
}

static const struct mmu_notifier_ops young_ops = {
	.test_young = is_young,
};

/* Is asked for accessed bits, and nothing else */
static struct mmu_notifier *young_new(struct kunit *test, struct mm_struct *mm)
{
	struct mmu_notifier *mn = mn_test_alloc(test, sizeof(*mn));

	mn->ops = &young_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(mn, mm), 0);
	return mn;
}

static void mms_in_turn(struct kunit *test)
{
	struct mn_listener *listeners[NR_MMS];
	struct mm_struct *mms[NR_MMS];
	unsigned int i, round;

	for (i = 0; i < NR_MMS; i++) {
		mms[i] = mn_test_mm(test);
		listeners[i] = mn_listener_new(test, mms[i]);
	}
	/* The first one is counted for in each round, the last one in few. */
	for (round = 1; round <= ROUNDS; round++)
		for (i = 0; i < NR_MMS; i++)
			if (round % (i + 1) == 0)
				mn_invalidate(mms[i]);
	for (i = 0; i < NR_MMS; i++) {
		expect_counted(test, mms[i], ROUNDS / (i + 1), 0);
		mmu_notifier_unregister(&listeners[i]->mn, mms[i]);
	}
}

static void young_of_two_mms(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *other = mn_test_mm(test);
	struct mmu_notifier *mn = young_new(test, mm);
	struct mn_listener *listener = mn_listener_new(test, other);
	struct mmu_notifier_counts counts;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		KUNIT_EXPECT_EQ(test, mmu_notifier_test_young(mm, mn_page(0)), 1);
		mn_invalidate(other);
	}
	counts = counts_of(mm);
	KUNIT_EXPECT_EQ(test, counts.young, ROUNDS);
	KUNIT_EXPECT_EQ(test, counts.callbacks, ROUNDS);
	KUNIT_EXPECT_EQ(test, all_ranges(&counts), 0);
	expect_counted(test, other, ROUNDS, 0);

	mmu_notifier_unregister(mn, mm);
	mmu_notifier_unregister(&listener->mn, other);
}

/* Whoever looks makes the CPUs hand over, and they start from scratch. */
static void looked_at(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_new(test, mm);
	unsigned int i;

	for (i = 1; i <= 10; i++) {
		expect_counted(test, mm, i - 1, 0);
		expect_counted(test, mm, i - 1, 0);
		mn_invalidate(mm);
	}
	mmu_notifier_unregister(&listener->mn, mm);
}

/* Several threads, and more than one mm for each CPU */
struct crowd {
	struct mm_struct *mms[NR_MMS];
	atomic_t busy;
};

static void crowd_thread(void *data)
{
	struct crowd *crowd = data;
	unsigned int i, round;

	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < NR_MMS; i++)
			mn_invalidate(crowd->mms[i]);
	atomic_dec(&crowd->busy);
}

/* What is seen meanwhile never becomes less. */
static void watch_crowd(struct kunit *test, struct crowd *crowd)
{
	struct mmu_notifier_counts before = {}, counts;

	while (atomic_read(&crowd->busy)) {
		counts = counts_of(crowd->mms[0]);
		KUNIT_ASSERT_GE(test, all_ranges(&counts), all_ranges(&before));
		KUNIT_ASSERT_GE(test, counts.callbacks, before.callbacks);
		KUNIT_ASSERT_GE(test, counts.callback_ns, before.callback_ns);
		before = counts;
		schedule_timeout_uninterruptible(1);
	}
}

static void many_threads(struct kunit *test)
{
	struct crowd *crowd = mn_test_alloc(test, sizeof(*crowd));
	struct mn_listener *listeners[NR_MMS];
	struct mn_thread *threads[NR_THREADS];
	unsigned int i;

	for (i = 0; i < NR_MMS; i++) {
		crowd->mms[i] = mn_test_mm(test);
		listeners[i] = mn_listener_new(test, crowd->mms[i]);
	}
	atomic_set(&crowd->busy, NR_THREADS);
	for (i = 0; i < NR_THREADS; i++)
		threads[i] = mn_thread_run(test, crowd_thread, crowd);
	watch_crowd(test, crowd);
	for (i = 0; i < NR_THREADS; i++)
		KUNIT_ASSERT_TRUE(test, mn_thread_join(threads[i]));
	for (i = 0; i < NR_MMS; i++) {
		expect_counted(test, crowd->mms[i], NR_THREADS * ROUNDS, 0);
		mmu_notifier_unregister(&listeners[i]->mn, crowd->mms[i]);
	}
}

/* The mm that a CPU counts for goes, before or while the CPU turns to the next one. */
static void mms_that_go(struct kunit *test)
{
	struct mm_struct *stays = mn_test_mm(test), *mm;
	struct mn_listener *listener = mn_listener_new(test, stays), *goes;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		mm = mm_alloc();
		KUNIT_ASSERT_NOT_NULL(test, mm);
		goes = mn_listener_new(test, mm);
		mn_invalidate(stays);
		mn_invalidate(mm);
		mmu_notifier_unregister(&goes->mn, mm);
		mn_mmput(mm);
		/* Leave it to chance whether its figures are freed before. */
		if (i % 2)
			schedule_timeout_uninterruptible(1);
	}
	expect_counted(test, stays, 100, 0);
	mmu_notifier_unregister(&listener->mn, stays);
}

static struct kunit_case mmu_notifier_counts_cases[] = {
	KUNIT_CASE(mms_in_turn),
	KUNIT_CASE(young_of_two_mms),
	KUNIT_CASE(looked_at),
	KUNIT_CASE(many_threads),
	KUNIT_CASE(mms_that_go),
	{ }
};

static struct kunit_suite mmu_notifier_counts_suite = {
	.name = "mmu_notifier_counts",
	.init = mn_test_init,
	.test_cases = mmu_notifier_counts_cases,
};

kunit_test_suite(mmu_notifier_counts_suite);

MODULE_DESCRIPTION("KUnit tests for the counts of MMU notifiers");
MODULE_LICENSE("GPL");
