// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: the span that a subscriber cares for, and the
 * counters of readers by which others wait for it.
 */

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

/* ---------------------------- a spanned subscriber ------------------------- */

struct spanned {
	struct mmu_notifier mn;
	atomic_t starts;
	atomic_t ends;
	unsigned int young;
};

static int spanned_start(struct mmu_notifier *mn,
			 const struct mmu_notifier_range *range)
{
	atomic_inc(&container_of(mn, struct spanned, mn)->starts);
	return 0;
}

static void spanned_end(struct mmu_notifier *mn,
			const struct mmu_notifier_range *range)
{
	atomic_inc(&container_of(mn, struct spanned, mn)->ends);
}

static int spanned_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			       unsigned long start, unsigned long end)
{
	container_of(mn, struct spanned, mn)->young++;
	return 1;
}

static int spanned_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			      unsigned long address)
{
	container_of(mn, struct spanned, mn)->young++;
	return 1;
}

static const struct mmu_notifier_ops spanned_ops = {
	.invalidate_range_start	= spanned_start,
	.invalidate_range_end	= spanned_end,
	.clear_flush_young	= spanned_clear_young,
	.clear_young		= spanned_clear_young,
	.test_young		= spanned_test_young,
	.only_spanned		= true,
};

static struct spanned *spanned_new(struct kunit *test, struct mm_struct *mm)
{
	struct spanned *sub = mn_test_alloc(test, sizeof(*sub));

	sub->mn.ops = &spanned_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	return sub;
}

static void care_for(struct spanned *sub, unsigned int first, unsigned int nr)
{
	mmu_notifier_add_span(&sub->mn, mn_page(first), mn_page(first + nr));
}

/* Whether the subscriber is notified of a range */
static bool is_notified(struct kunit *test, struct spanned *sub,
			unsigned int first, unsigned int nr)
{
	int before = atomic_read(&sub->starts);

	mn_invalidate_at(sub->mn.mm, first, nr);
	KUNIT_EXPECT_EQ(test, atomic_read(&sub->starts), atomic_read(&sub->ends));
	return atomic_read(&sub->starts) > before;
}

static void nothing_at_first(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);

	KUNIT_EXPECT_FALSE(test, is_notified(test, sub, 0, 100));
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&sub->starts), 0);
	mmu_notifier_unregister(&sub->mn, mm);
}

static void edges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);

	care_for(sub, 10, 10);
	KUNIT_EXPECT_FALSE(test, is_notified(test, sub, 0, 10));
	KUNIT_EXPECT_FALSE(test, is_notified(test, sub, 20, 10));
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 0, 11));
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 19, 10));
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 12, 2));
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 0, 100));
	mmu_notifier_unregister(&sub->mn, mm);
}

/* It is one span, with what is between the parts. */
static void grows_both_ways(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);

	care_for(sub, 10, 1);
	KUNIT_EXPECT_FALSE(test, is_notified(test, sub, 14, 1));
	care_for(sub, 20, 1);
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 14, 1));
	KUNIT_EXPECT_FALSE(test, is_notified(test, sub, 9, 1));
	care_for(sub, 5, 1);
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 9, 1));
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 20, 1));
	KUNIT_EXPECT_FALSE(test, is_notified(test, sub, 21, 1));
	mmu_notifier_unregister(&sub->mn, mm);
}

/* A subscriber that cares for everything misses nothing beside one that doesn't. */
static void beside_one_of_all(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);
	struct mn_listener *all = mn_listener_alloc(test);

	care_for(sub, 10, 1);
	mn_invalidate_at(mm, 0, 1);
	all->mn.ops = &mn_listener_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&all->mn, mm), 0);
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, all->starts, 1);
	KUNIT_EXPECT_EQ(test, all->ends, 1);
	mmu_notifier_unregister(&all->mn, mm);
	KUNIT_EXPECT_FALSE(test, is_notified(test, sub, 0, 1));
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 10, 1));
	mmu_notifier_unregister(&sub->mn, mm);
}

static void two_spans(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *low = spanned_new(test, mm);
	struct spanned *high = spanned_new(test, mm);

	care_for(low, 0, 1);
	care_for(high, 20, 1);
	KUNIT_EXPECT_TRUE(test, is_notified(test, low, 0, 1));
	KUNIT_EXPECT_TRUE(test, is_notified(test, high, 20, 1));
	mmu_notifier_unregister(&high->mn, mm);
	KUNIT_EXPECT_FALSE(test, is_notified(test, low, 20, 1));
	KUNIT_EXPECT_TRUE(test, is_notified(test, low, 0, 1));
	mmu_notifier_unregister(&low->mn, mm);
}

static void accessed_bits(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);
	unsigned long in = mn_page(10), out = mn_page(11);

	care_for(sub, 10, 1);
	KUNIT_EXPECT_EQ(test, mmu_notifier_test_young(mm, out), 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_clear_young(mm, out, out + PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_clear_flush_young(mm, out,
							     out + PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, sub->young, 0);
	KUNIT_EXPECT_NE(test, mmu_notifier_test_young(mm, in), 0);
	KUNIT_EXPECT_NE(test, mmu_notifier_clear_young(mm, in, in + PAGE_SIZE), 0);
	KUNIT_EXPECT_NE(test, mmu_notifier_clear_flush_young(mm, in,
							     in + PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, sub->young, 3);
	mmu_notifier_unregister(&sub->mn, mm);
}

/* --------------------- ranges that are in progress ------------------------- */

struct held_range {
	struct mm_struct *mm;
	unsigned int page;
	struct mn_gate *gate;
};

static void held_range_thread(void *data)
{
	struct held_range *held = data;
	struct mmu_notifier_range range;

	mmap_read_lock(held->mm);
	mn_range_init_at(&range, held->mm, held->page, 1);
	mmu_notifier_invalidate_range_start(&range);
	mn_gate_pass(held->gate);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(held->mm);
}

static struct mn_thread *hold_range(struct kunit *test, struct held_range *held,
				    struct mm_struct *mm, unsigned int page)
{
	struct mn_thread *thread;

	held->mm = mm;
	held->page = page;
	held->gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, held_range_thread, held);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(held->gate));
	return thread;
}

static void add_page_10(void *data)
{
	care_for(data, 10, 1);
}

static void unregister_thread(void *data)
{
	struct spanned *sub = data;

	mmu_notifier_unregister(&sub->mn, sub->mn.mm);
}

/* Of a range that was passed over the subscriber sees neither start nor end. */
static void add_waits(struct kunit *test)
{
	struct held_range *held = mn_test_alloc(test, 2 * sizeof(*held));
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);
	struct mn_thread *passed, *notified, *add;

	passed = hold_range(test, &held[0], mm, 10);
	add = mn_thread_run(test, add_page_10, sub);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(add));
	/* those that start meanwhile are notified, and not waited for */
	notified = hold_range(test, &held[1], mm, 10);
	mn_gate_open(held[0].gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(add));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(passed));
	KUNIT_EXPECT_EQ(test, atomic_read(&sub->starts), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&sub->ends), 0);
	mn_gate_open(held[1].gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(notified));
	KUNIT_EXPECT_TRUE(test, is_notified(test, sub, 10, 1));
	mmu_notifier_unregister(&sub->mn, mm);
}

/* A second caller may not rely on the first one, which still waits. */
static void second_add_waits(struct kunit *test)
{
	struct held_range *held = mn_test_alloc(test, sizeof(*held));
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);
	struct mn_thread *range, *first, *second;

	range = hold_range(test, held, mm, 10);
	first = mn_thread_run(test, add_page_10, sub);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(first));
	second = mn_thread_run(test, add_page_10, sub);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(second));
	mn_gate_open(held->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(first));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(second));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	mmu_notifier_unregister(&sub->mn, mm);
}

static void add_beside_notified_range(struct kunit *test)
{
	struct held_range *held = mn_test_alloc(test, sizeof(*held));
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = spanned_new(test, mm);
	struct mn_thread *range, *add;

	care_for(sub, 20, 1);
	range = hold_range(test, held, mm, 20);
	add = mn_thread_run(test, add_page_10, sub);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(add));
	KUNIT_EXPECT_EQ(test, atomic_read(&sub->starts), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&sub->ends), 0);
	mn_gate_open(held->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_EQ(test, atomic_read(&sub->ends), 1);
	mmu_notifier_unregister(&sub->mn, mm);
}

/* A range that nobody was notified of keeps nobody; but the static key stays on. */
static void unregister_beside_passed_range(struct kunit *test)
{
	struct held_range *held = mn_test_alloc(test, sizeof(*held));
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_subscriptions *subs;
	struct spanned *sub = spanned_new(test, mm);
	struct mn_thread *range, *unregister;

	subs = mm->notifier_subscriptions;
	range = hold_range(test, held, mm, 10);
	unregister = mn_thread_run(test, unregister_thread, sub);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(unregister));
	KUNIT_EXPECT_TRUE(test, hlist_empty(&subs->list));
	/* as long as a work might need to turn it off */
	schedule_timeout_uninterruptible(MN_CHANCE);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(subs->armed));
	/* without a subscription nothing more is passed over */
	mn_invalidate_at(mm, 10, 1);

	mn_gate_open(held->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	flush_work(&subs->disarm_work);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(subs->armed));
	/* and nothing of it is left for the next one */
	sub = spanned_new(test, mm);
	care_for(sub, 10, 1);
	mmu_notifier_unregister(&sub->mn, mm);
}

/* ------------------------------- at random --------------------------------- */

#define ROUNDS	100

struct random {
	struct mm_struct *mm;
	atomic_t busy;		/* ranges between start and end */
	bool stop;
};

static void random_ranges_thread(void *data)
{
	struct random *random = data;
	struct mmu_notifier_range range;

	while (!READ_ONCE(random->stop)) {
		mmap_read_lock(random->mm);
		mn_range_init_at(&range, random->mm, 10, 1);
		mmu_notifier_invalidate_range_start(&range);
		atomic_inc(&random->busy);
		schedule_timeout_uninterruptible(1);
		atomic_dec(&random->busy);
		mmu_notifier_invalidate_range_end(&range);
		mmap_read_unlock(random->mm);
		cond_resched();
	}
}

/*
 * A range in progress that the span touches is one whose start was delivered, and
 * whose end wasn't.  Ends are read before, and starts after.
 */
static void expect_notified_of_all(struct kunit *test, struct random *random,
				   struct spanned *sub)
{
	int ends = atomic_read(&sub->ends);
	int busy;

	/* Of these three the ends come first; full barriers are in the callbacks. */
	smp_rmb();
	busy = atomic_read(&random->busy);
	/* And the starts come last. */
	smp_rmb();
	if (busy)
		KUNIT_EXPECT_GT(test, atomic_read(&sub->starts), ends);
}

static void at_random(struct kunit *test)
{
	struct random *random = mn_test_alloc(test, sizeof(*random));
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_thread *thread[3];
	unsigned int i, round, passed = 0;
	struct spanned *sub;

	random->mm = mm;
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		thread[i] = mn_thread_run(test, random_ranges_thread, random);
	for (round = 0; round < ROUNDS; round++) {
		sub = spanned_new(test, mm);
		schedule_timeout_uninterruptible(1);
		passed += atomic_read(&random->busy) != 0;
		care_for(sub, 10, 1);
		for (i = 0; i < 3; i++) {
			expect_notified_of_all(test, random, sub);
			schedule_timeout_uninterruptible(1);
		}
		mmu_notifier_unregister(&sub->mn, mm);
	}
	WRITE_ONCE(random->stop, true);
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		KUNIT_EXPECT_TRUE(test, mn_thread_join(thread[i]));
	KUNIT_EXPECT_GT(test, passed, 0);
}

/* -------------------------------- readers ---------------------------------- */

static void free_readers(void *readers)
{
	mmu_notifier_readers_free(readers);
}

static struct mmu_notifier_readers *readers_new(struct kunit *test)
{
	struct mmu_notifier_readers *readers = mmu_notifier_readers_alloc();

	KUNIT_ASSERT_NOT_NULL(test, readers);
	mn_test_defer(test, free_readers, readers);
	return readers;
}

static void wait_thread(void *readers)
{
	mmu_notifier_readers_wait(readers, MMU_NOTIFIER_CALLBACKS);
}

static unsigned int enter(struct mmu_notifier_readers *readers)
{
	return mmu_notifier_reader_enter(readers, MMU_NOTIFIER_CALLBACKS);
}

static void leave(struct mmu_notifier_readers *readers, unsigned int reader)
{
	mmu_notifier_reader_leave(readers, MMU_NOTIFIER_CALLBACKS, reader);
}

static bool leaves_phase(struct mmu_notifier_readers *readers, unsigned int phase)
{
	unsigned int *now = &readers->wait[MMU_NOTIFIER_CALLBACKS].phase;
	unsigned long deadline = jiffies + MN_DEADLOCK;

	while (READ_ONCE(*now) == phase && time_before(jiffies, deadline))
		schedule_timeout_uninterruptible(1);
	return READ_ONCE(*now) != phase;
}

/* Those who come later are not waited for, in whichever phase. */
static void waits_for_earlier_readers(struct kunit *test)
{
	struct mmu_notifier_readers *readers = readers_new(test);
	unsigned int early, late, i;
	struct mn_thread *thread;

	for (i = 0; i < 3; i++) {
		wait_thread(readers);
		early = enter(readers);
		thread = mn_thread_run(test, wait_thread, readers);
		KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
		KUNIT_EXPECT_TRUE(test, leaves_phase(readers, early & 1));
		late = enter(readers);
		KUNIT_EXPECT_NE(test, early, late);
		leave(readers, early);
		KUNIT_EXPECT_TRUE(test, mn_thread_completed(thread));
		leave(readers, late);
	}
}

/* One that read the phase, and counted itself after the phase had changed */
static void waits_for_both_phases(struct kunit *test)
{
	struct mmu_notifier_readers *readers = readers_new(test);
	struct mn_thread *thread;
	unsigned int i, reader;
	atomic_t *count;

	for (i = 0; i < 4; i++) {
		reader = readers->mask << 1 | (i & 1);
		count = mmu_notifier_reader_count(readers, MMU_NOTIFIER_CALLBACKS,
						  readers->mask, i & 1);
		atomic_inc(count);
		thread = mn_thread_run(test, wait_thread, readers);
		KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
		leave(readers, reader);
		KUNIT_EXPECT_TRUE(test, mn_thread_completed(thread));
	}
}

/* Those in callbacks, and ranges that were passed over, have nothing in common. */
static void kinds_are_apart(struct kunit *test)
{
	struct mmu_notifier_readers *readers = readers_new(test);
	struct mn_thread *thread;
	unsigned int reader;

	reader = mmu_notifier_reader_enter(readers, MMU_NOTIFIER_PASSED);
	thread = mn_thread_run(test, wait_thread, readers);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(thread));
	mmu_notifier_reader_leave(readers, MMU_NOTIFIER_PASSED, reader);
}

static struct mmu_notifier_readers *no_readers(void)
{
	return NULL;
}

/* Without memory for them nothing changes, whether there are intervals or not. */
static void no_memory_for_readers(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct spanned *sub = mn_test_alloc(test, sizeof(*sub));
	struct mn_listener *interval;

	sub->mn.ops = &spanned_ops;
	kunit_activate_static_stub(test, mmu_notifier_readers_alloc, no_readers);
	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&sub->mn, mm), -ENOMEM);
	KUNIT_EXPECT_NULL(test, mm->notifier_subscriptions);

	interval = mn_interval_new(test, mm);
	KUNIT_EXPECT_NULL(test, mm->notifier_subscriptions->readers);
	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&sub->mn, mm), -ENOMEM);
	KUNIT_EXPECT_NULL(test, mm->notifier_subscriptions->readers);
	KUNIT_EXPECT_NULL(test, sub->mn.mm);
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, interval->starts, 1);

	kunit_deactivate_static_stub(test, mmu_notifier_readers_alloc);
	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	mmu_notifier_unregister(&sub->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
}

static struct kunit_case span_cases[] = {
	KUNIT_CASE(nothing_at_first),
	KUNIT_CASE(edges),
	KUNIT_CASE(grows_both_ways),
	KUNIT_CASE(beside_one_of_all),
	KUNIT_CASE(two_spans),
	KUNIT_CASE(accessed_bits),
	KUNIT_CASE(add_waits),
	KUNIT_CASE(second_add_waits),
	KUNIT_CASE(add_beside_notified_range),
	KUNIT_CASE(unregister_beside_passed_range),
	KUNIT_CASE(at_random),
	KUNIT_CASE(waits_for_earlier_readers),
	KUNIT_CASE(waits_for_both_phases),
	KUNIT_CASE(kinds_are_apart),
	KUNIT_CASE(no_memory_for_readers),
	{ }
};

static struct kunit_suite mmu_notifier_span_suite = {
	.name = "mmu_notifier_span",
	.init = mn_test_init,
	.test_cases = span_cases,
};

kunit_test_suite(mmu_notifier_span_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers: spans and readers");
MODULE_LICENSE("GPL");
