// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: subscriptions that appear while ranges are in
 * progress.
 *
 * They must never be told of such a range, but of all that begin later, even if the
 * registration has not returned.  And that must not return before the range has ended.
 */

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"
#include "mmu_notifier_registrant_kunit.h"

/* @ops is what the listener has, changed */
static struct mn_listener *with_ops(struct mn_listener *listener,
				    const struct mmu_notifier_ops *ops)
{
	listener->mn.ops = ops;
	return listener;
}

/* A listener that doesn't care for any address */
static struct mn_listener *spanned_alloc(struct kunit *test,
					 const struct mmu_notifier_ops *base)
{
	struct mmu_notifier_ops *ops = mn_test_alloc(test, sizeof(*ops));

	*ops = *base;
	ops->only_spanned = true;
	return with_ops(mn_listener_alloc(test), ops);
}

static void tlbs_flushed(struct mmu_notifier *mn, struct mm_struct *mm,
			 unsigned long start, unsigned long end)
{
	container_of(mn, struct mn_listener, mn)->starts++;
}

static const struct mmu_notifier_ops tlb_ops = {
	.arch_invalidate_secondary_tlbs = tlbs_flushed,
};

static const struct mmu_notifier_ops empty_ops = { };

/* Register in a thread, with the holder's lock held; whether it waits for that */
static bool waits_for(struct kunit *test, struct mn_holder *holder,
		      struct mm_struct *mm, struct mn_listener *listener)
{
	struct mn_registrant *registrant = mn_registrant_new(test, mm);
	struct mn_thread *thread;
	bool waits;

	registrant->listener = listener;
	thread = mn_thread_run(test, mn_registrant_thread, registrant);
	waits = !mn_thread_returned(thread);
	mn_gate_open(holder->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(holder->thread));
	KUNIT_EXPECT_EQ(test, registrant->ret, 0);
	mn_expect_unlocked(test, mm);
	mmu_notifier_unregister(&listener->mn, mm);
	return waits;
}

/* Whichever of its locks is held */
static void joins_then_waits(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct file *file[2] = { mn_test_file(test), mn_test_file(test) };
	struct vm_area_struct *vma[2];
	int i;

	for (i = 0; i < 2; i++) {
		mn_test_vma(test, mm, mn_page(8 * i), file[i]);
		mn_test_vma(test, mm, mn_page(8 * i + 2), file[!i]);
		vma[i] = mn_test_vma(test, mm, mn_page(8 * i + 4), NULL);
	}
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test, waits_for(test, mn_holder_new(test, file[i], NULL), mm,
						  spanned_alloc(test, &mn_listener_ops)));
		KUNIT_EXPECT_TRUE(test, waits_for(test, mn_holder_new(test, file[i], NULL), mm,
						  mn_listener_alloc(test)));
		KUNIT_EXPECT_TRUE(test, waits_for(test,
						  mn_holder_new(test, NULL, vma[i]->anon_vma), mm,
						  with_ops(mn_listener_alloc(test), &tlb_ops)));
	}
}

/* One without callbacks has nothing to miss */
static void does_not_wait(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct file *file = mn_test_file(test);

	mn_test_vma(test, mm, mn_page(0), file);
	KUNIT_EXPECT_FALSE(test, waits_for(test, mn_holder_new(test, file, NULL), mm,
					   with_ops(mn_listener_alloc(test), &empty_ops)));
}

/*
 * A range is in progress under the lock of the file at page 0 or, if there is none, of
 * the VMA there.  A subscription that joins isn't notified of it, and is notified of
 * one under another lock before its registration returns, which it doesn't until the
 * first one has ended.
 */
static void expect_joins_inside(struct kunit *test, struct mn_registrant *registrant,
				struct mn_holder *range, struct file *other)
{
	struct mn_holder beside = { .file = other };
	struct mn_thread *thread;

	thread = mn_thread_run(test, mn_registrant_thread, registrant);
	mn_expect_appears(test, registrant);
	mn_hold(&beside);
	mn_invalidate(registrant->mm);
	mn_holder_release(&beside);
	mn_expect_notified(test, registrant, 1);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));

	mn_holder_end(test, range);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_EQ(test, registrant->ret, 0);
	mn_expect_notified(test, registrant, 1);
	mn_expect_unlocked(test, registrant->mm);

	mn_invalidate(registrant->mm);
	mn_expect_notified(test, registrant, 2);
	mn_registrant_end(registrant);
}

/* What an mm has before somebody joins */
enum before { NOTHING, A_LIST, AN_INTERVAL, NR_BEFORES };

/* Whether the other lock has been passed or not while that of the range is waited for */
static void joins_inside_each(struct kunit *test, enum before before, bool interval)
{
	struct mn_registrant *registrant;
	struct file *file[2] = { mn_test_file(test), mn_test_file(test) };
	struct mn_listener *other = NULL;
	struct mm_struct *mm;
	int i;

	for (i = 0; i < 2; i++) {
		mm = mn_test_mm(test);
		mn_test_vma(test, mm, mn_page(0), file[i]);
		mn_test_vma(test, mm, mn_page(2), file[!i]);
		if (before == A_LIST)
			other = mn_listener_new(test, mm);
		else if (before == AN_INTERVAL)
			other = mn_interval_new(test, mm);

		registrant = mn_registrant_new(test, mm);
		registrant->interval = interval;
		expect_joins_inside(test, registrant, mn_range_new(test, mm, file[0]),
				    file[1]);
		if (before == A_LIST)
			mmu_notifier_unregister(&other->mn, mm);
		else if (before == AN_INTERVAL)
			mmu_interval_notifier_remove(&other->interval);
		if (before == NOTHING)
			continue;
		KUNIT_EXPECT_EQ(test, other->starts, 3);
		KUNIT_EXPECT_EQ(test, other->ends, before == A_LIST ? 3 : 0);
	}
}

/* With an interval before, its ->readers appear together with it */
static void list_joins_inside(struct kunit *test)
{
	enum before before;

	for (before = NOTHING; before < NR_BEFORES; before++)
		joins_inside_each(test, before, false);
}

/* A second interval doesn't wait: the range is counted */
static void interval_joins_inside(struct kunit *test)
{
	joins_inside_each(test, NOTHING, true);
	joins_inside_each(test, A_LIST, true);
}

#ifdef CONFIG_PER_VMA_LOCK
static void joins_inside_vma_lock(struct kunit *test)
{
	struct file *file = mn_test_file(test);
	struct mn_registrant *registrant;
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	struct mn_holder *range;
	int i;

	for (i = 0; i < 2; i++) {
		mm = mn_test_mm(test);
		vma = mn_test_vma(test, mm, mn_page(0), NULL);
		mn_test_vma(test, mm, mn_page(2), file);
		range = mn_test_alloc(test, sizeof(*range));
		range->vma = vma;
		range->mm = mm;
		range->inside = true;
		mn_holder_run(test, range);

		registrant = mn_registrant_new(test, mm);
		registrant->interval = i;
		expect_joins_inside(test, registrant, range, file);
	}
}
#endif

static void read_thread(void *interval)
{
	mmu_interval_read_begin(interval);
}

/*
 * Those who insert a second interval while the first one waits for ranges that aren't
 * counted wait for them, too.  So does somebody who reads before he may.
 */
static void second_interval_waits(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct file *file = mn_test_file(test);
	struct mmu_notifier_intervals *intervals;
	struct mn_registrant *registrant[2];
	struct mn_thread *thread[2], *reader;
	struct mn_holder *range;
	int i;

	mn_test_vma(test, mm, mn_page(0), file);
	range = mn_range_new(test, mm, file);
	for (i = 0; i < 2; i++) {
		registrant[i] = mn_registrant_new(test, mm);
		registrant[i]->interval = true;
		thread[i] = mn_thread_run(test, mn_registrant_thread, registrant[i]);
		if (!i)
			mn_expect_appears(test, registrant[i]);
	}
	reader = mn_thread_run(test, read_thread, &registrant[0]->listener->interval);
	/* what is counted comes and goes */
	mn_invalidate(mm);
	mn_expect_notified(test, registrant[0], 1);
	mn_expect_notified(test, registrant[1], 0);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread[i]));
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(reader));

	mn_holder_end(test, range);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(reader));
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_TRUE(test, mn_thread_join(thread[i]));
		KUNIT_ASSERT_EQ(test, registrant[i]->ret, 0);
		mmu_interval_read_begin(&registrant[i]->listener->interval);
	}
	intervals = &mm->notifier_subscriptions->intervals;
	KUNIT_EXPECT_FALSE(test, intervals->opening);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&intervals->in_progress), 0);
	KUNIT_EXPECT_EQ(test, intervals->seq & 1, 0);

	mn_invalidate(mm);
	for (i = 0; i < 2; i++) {
		mn_expect_notified(test, registrant[i], 2 - i);
		mn_registrant_end(registrant[i]);
	}
}

static void join(struct kunit *test, struct mn_listener *listener,
		 struct mm_struct *mm)
{
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
}

/* It is called for the next range, but not for the one before */
static void expect_called_next(struct kunit *test, struct mn_listener *listener,
			       struct mm_struct *mm)
{
	KUNIT_EXPECT_EQ(test, listener->starts, 0);
	KUNIT_EXPECT_EQ(test, listener->finishes, 0);
	KUNIT_EXPECT_EQ(test, listener->ends, 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	mmu_notifier_unregister(&listener->mn, mm);
}

/* One that cares for all addresses, or one that doesn't care for any */
static struct mn_listener *listener_alloc(struct kunit *test, bool spanned,
					  const struct mmu_notifier_ops *ops)
{
	if (spanned)
		return spanned_alloc(test, ops);
	return with_ops(mn_listener_alloc(test), ops);
}

/* The mm has never had a subscription, or has had one, when the range starts */
static void joins_first(struct kunit *test)
{
	struct mm_struct *mm = NULL, *elsewhere = mn_test_mm(test);
	struct mn_listener *other = mn_listener_new(test, elsewhere);
	struct mmu_notifier_range range;
	struct mn_listener *listener;
	int i;

	for (i = 0; i < 4; i++) {
		if (!(i & 1))
			mm = mn_test_mm(test);
		listener = listener_alloc(test, i & 2, &mn_listener_ops);
		mn_range_init(&range, mm);
		mmu_notifier_invalidate_range_start(&range);
		join(test, listener, mm);
		if (i & 2)
			mmu_notifier_add_span(&listener->mn, 0, mn_page(0));
		mmu_notifier_invalidate_range_end(&range);
		if (i & 2)
			mmu_notifier_add_span(&listener->mn, 0, ULONG_MAX);
		expect_called_next(test, listener, mm);
	}
	mmu_notifier_unregister(&other->mn, elsewhere);
}

/* One that knows of the range has left, or not, before another one joins */
static void joins_after_another(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *first, *last, *listener;
	struct mmu_notifier_range range;
	int i;

	for (i = 0; i < 4; i++) {
		first = mn_listener_new(test, mm);
		last = mn_listener_new(test, mm);
		listener = listener_alloc(test, i & 2, &mn_listener_ops);

		mn_range_init(&range, mm);
		mmu_notifier_invalidate_range_start(&range);
		if (i & 1)
			mmu_notifier_unregister(&last->mn, mm);
		join(test, listener, mm);
		mmu_notifier_invalidate_range_end(&range);
		KUNIT_EXPECT_EQ(test, first->ends, 1);
		KUNIT_EXPECT_EQ(test, last->ends, i & 1 ? 0 : 1);

		expect_called_next(test, listener, mm);
		if (!(i & 1))
			mmu_notifier_unregister(&last->mn, mm);
		mmu_notifier_unregister(&first->mn, mm);
	}
}

/* With no lock held for which a registration would wait */
static void invalidate_unlocked_thread(void *mm)
{
	mn_invalidate(mm);
}

/* Between the two passes of a start */
static void joins_between_passes(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *first, *listener;
	struct mn_thread *range;
	int i;

	for (i = 0; i < 2; i++) {
		first = mn_listener_passes_new(test, mm);
		listener = listener_alloc(test, i, &mn_listener_passes_ops);
		first->gate = mn_gate_alloc(test);
		range = mn_thread_run(test, invalidate_unlocked_thread, mm);
		KUNIT_EXPECT_TRUE(test, mn_gate_reached(first->gate));
		join(test, listener, mm);
		mn_gate_open(first->gate);
		KUNIT_ASSERT_TRUE(test, mn_thread_join(range));
		KUNIT_EXPECT_EQ(test, first->finishes, 1);
		KUNIT_EXPECT_EQ(test, first->ends, 1);

		first->gate = NULL;
		expect_called_next(test, listener, mm);
		mmu_notifier_unregister(&first->mn, mm);
	}
}

/* A signal arrives while it waits for the lock of a file */
static void register_interrupted(struct kunit *test,
				 struct mn_registrant *registrant,
				 struct file *file)
{
	struct mn_holder *holder = mn_holder_new(test, file, NULL);
	struct mn_thread *thread;

	thread = mn_thread_run(test, mn_registrant_thread, registrant);
	mn_expect_appears(test, registrant);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	send_sig(SIGUSR1, thread->task, 1);
	mn_gate_open(holder->gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(holder->thread));
}

/* A signal comes before it has joined, or is no reason to give up any more */
static void expect_signal_before_joining(struct kunit *test,
					 struct mn_listener *listener, bool interval)
{
	struct mn_listener before = *listener;
	struct mn_registrant *registrant;
	struct mm_struct *mm = mn_test_mm(test);
	unsigned long count = atomic_read(&mm->mm_count);
	struct file *file = mn_test_file(test);
	struct mn_thread *thread;

	mn_test_vma(test, mm, mn_page(0), file);
	registrant = mn_registrant_new(test, mm);
	registrant->listener = listener;
	registrant->interval = interval;
	registrant->gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, mn_registrant_thread, registrant);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(registrant->gate));
	send_sig(SIGUSR1, thread->task, 1);
	mn_gate_open(registrant->gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_EQ(test, registrant->ret, -EINTR);
	KUNIT_EXPECT_MEMEQ(test, listener, &before, sizeof(before));
	KUNIT_EXPECT_NULL(test, mm->notifier_subscriptions);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	mn_expect_unlocked(test, mm);

	registrant->gate = NULL;
	register_interrupted(test, registrant, file);
	mn_expect_registered(test, registrant);
}

static void signal_before_joining(struct kunit *test)
{
	expect_signal_before_joining(test, mn_listener_alloc(test), false);
	expect_signal_before_joining(test, mn_listener_alloc(test), true);
}

static struct kunit_case mmu_notifier_join_cases[] = {
	KUNIT_CASE(joins_then_waits),
	KUNIT_CASE(does_not_wait),
	KUNIT_CASE(list_joins_inside),
	KUNIT_CASE(interval_joins_inside),
#ifdef CONFIG_PER_VMA_LOCK
	KUNIT_CASE(joins_inside_vma_lock),
#endif
	KUNIT_CASE(second_interval_waits),
	KUNIT_CASE(joins_first),
	KUNIT_CASE(joins_after_another),
	KUNIT_CASE(joins_between_passes),
	KUNIT_CASE(signal_before_joining),
	{ }
};

static struct kunit_suite mmu_notifier_join_suite = {
	.name = "mmu_notifier_join",
	.init = mn_locks_init,
	.exit = mn_locks_exit,
	.test_cases = mmu_notifier_join_cases,
};

kunit_test_suite(mmu_notifier_join_suite);

MODULE_DESCRIPTION("KUnit tests for subscriptions that appear inside a range");
MODULE_LICENSE("GPL");
