// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: two passes.
 *
 * A subscriber begins a flush in its start and waits for it in its finish. What must
 * hold is that all have begun before the first one waits, that each that has begun
 * is finished, whatever the others do, and that it stays subscribed until then.
 *
 * Nothing here depends on time: every call takes a number, and flushes that have
 * begun and are not finished are counted.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <kunit/test.h>

#include "mmu_interval_monitor_kunit.h"
#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

enum kind {
	LIST,
	INTERVAL,
	NR_KINDS,
};

/* A secondary MMU whose flush takes a while; subscribes in one of the two ways */
struct flusher {
	enum kind kind;
	struct mmu_notifier mn;
	struct mmu_interval_notifier interval;
	struct mmu_interval_notifier_finish finish;

	/* what to do when called */
	bool at_once;			/* leave nothing to be finished */
	bool refuse;			/* ranges that may not block */
	unsigned long delay;		/* what a flush takes, in jiffies */
	struct mn_gate *start_gate;
	struct mn_gate *finish_gate;
	struct delayed_work flush;
	struct completion flushed;

	/* what happened */
	unsigned int starts;
	unsigned int finishes;
	unsigned int ends;
	unsigned int releases;
	unsigned int old_calls;		/* of ->invalidate() */
	unsigned int running;		/* callbacks that have not returned */
	unsigned int running_when_gone;
	unsigned int in_flight;		/* of all, when its finish began */
	unsigned long in_progress;	/* ranges, when its finish began */
	int start_tick;
	int finish_tick;
	int end_tick;
	bool taken;			/* its object is handed over */
	bool not_null;			/* *finish, on entry */
	bool lost;			/* a flush that never ended */
	enum mmu_notifier_event event;
	bool blockable;
	struct mmu_interval_notifier *notifier;
};

static atomic_t ticks;
static atomic_t in_flight;

/* ------------------------------- a flusher -------------------------------- */

static void flush_ends(struct work_struct *work)
{
	struct flusher *sub = container_of(to_delayed_work(work),
					   struct flusher, flush);

	complete(&sub->flushed);
}

/* Return: false if it refuses; otherwise, unless @at_once, it must be finished */
static bool begin(struct flusher *sub, const struct mmu_notifier_range *range,
		  bool at_once)
{
	sub->starts++;
	sub->running++;
	sub->start_tick = atomic_inc_return(&ticks);
	sub->event = range->event;
	sub->blockable = mmu_notifier_range_blockable(range);
	mn_gate_pass(sub->start_gate);
	sub->running--;
	if (sub->refuse && !sub->blockable)
		return false;
	if (at_once)
		return true;

	sub->taken = true;
	atomic_inc(&in_flight);
	if (sub->delay)
		schedule_delayed_work(&sub->flush, sub->delay);
	return true;
}

static void finish(struct flusher *sub, struct mm_struct *mm)
{
	sub->finishes++;
	sub->running++;
	sub->finish_tick = atomic_inc_return(&ticks);
	sub->in_flight = atomic_read(&in_flight);
	sub->in_progress =
		atomic_long_read(&mm->notifier_subscriptions->intervals.in_progress);
	mn_gate_pass(sub->finish_gate);
	if (sub->delay &&
	    !wait_for_completion_timeout(&sub->flushed, MN_DEADLOCK))
		sub->lost = true;
	atomic_dec(&in_flight);
	sub->taken = false;
	sub->running--;
}

static struct flusher *of_list(struct mmu_notifier *mn)
{
	return container_of(mn, struct flusher, mn);
}

static int list_start(struct mmu_notifier *mn,
		      const struct mmu_notifier_range *range)
{
	return begin(of_list(mn), range, false) ? 0 : -EAGAIN;
}

static void list_finish(struct mmu_notifier *mn,
			const struct mmu_notifier_range *range)
{
	finish(of_list(mn), range->mm);
}

static void list_end(struct mmu_notifier *mn,
		     const struct mmu_notifier_range *range)
{
	struct flusher *sub = of_list(mn);

	sub->ends++;
	sub->end_tick = atomic_inc_return(&ticks);
}

/* What a start has begun must end here, too. */
static void list_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct flusher *sub = of_list(mn);

	sub->releases++;
	if (sub->taken) {
		atomic_dec(&in_flight);
		sub->taken = false;
	}
}

static const struct mmu_notifier_ops list_ops = {
	.release			= list_release,
	.invalidate_range_start		= list_start,
	.invalidate_range_start_finish	= list_finish,
	.invalidate_range_end		= list_end,
};

static struct flusher *of_interval(struct mmu_interval_notifier *interval)
{
	return container_of(interval, struct flusher, interval);
}

static bool interval_start(struct mmu_interval_notifier *interval,
			   const struct mmu_notifier_range *range,
			   unsigned long cur_seq,
			   struct mmu_interval_notifier_finish **to_finish)
{
	struct flusher *sub = of_interval(interval);
	bool at_once = sub->at_once || sub->taken;

	if (*to_finish)
		sub->not_null = true;
	if (!begin(sub, range, at_once))
		return false;
	mmu_interval_set_seq(interval, cur_seq);
	if (!at_once)
		*to_finish = &sub->finish;
	return true;
}

/* The object is the subscriber's again: the core must not look at it any more. */
static void interval_finish(struct mmu_interval_notifier_finish *to_finish)
{
	struct flusher *sub = container_of(to_finish, struct flusher, finish);

	sub->notifier = to_finish->notifier;
	memset(to_finish, 0xa5, sizeof(*to_finish));
	finish(sub, sub->interval.mm);
}

static bool old_invalidate(struct mmu_interval_notifier *interval,
			   const struct mmu_notifier_range *range,
			   unsigned long cur_seq)
{
	mmu_interval_set_seq(interval, cur_seq);
	of_interval(interval)->old_calls++;
	return true;
}

/* Without the old callback: a driver that has only the new ones */
static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate_start	= interval_start,
	.invalidate_finish	= interval_finish,
};

static const struct mmu_interval_notifier_ops old_and_new_ops = {
	.invalidate		= old_invalidate,
	.invalidate_start	= interval_start,
	.invalidate_finish	= interval_finish,
};

static const struct mmu_interval_notifier_ops start_alone_ops = {
	.invalidate		= old_invalidate,
	.invalidate_start	= interval_start,
};

static struct flusher *flusher_alloc(struct kunit *test, enum kind kind)
{
	struct flusher *sub = mn_test_alloc(test, sizeof(*sub));

	sub->kind = kind;
	sub->mn.ops = &list_ops;
	INIT_DELAYED_WORK(&sub->flush, flush_ends);
	init_completion(&sub->flushed);
	return sub;
}

static int flusher_begin(struct flusher *sub, struct mm_struct *mm,
			 const struct mmu_interval_notifier_ops *ops)
{
	if (sub->kind == LIST)
		return mmu_notifier_register(&sub->mn, mm);
	return mmu_interval_notifier_insert(&sub->interval, mm, mn_page(0),
					    PAGE_SIZE, ops);
}

static void flusher_end(void *data)
{
	struct flusher *sub = data;

	if (sub->kind == LIST)
		mmu_notifier_unregister(&sub->mn, sub->mn.mm);
	else
		mmu_interval_notifier_remove(&sub->interval);
	sub->running_when_gone = READ_ONCE(sub->running);
}

static void flusher_cleanup(void *data)
{
	struct flusher *sub = data;

	if (mn_test_lost())
		return;
	flusher_end(sub);
	cancel_delayed_work_sync(&sub->flush);
}

/* Subscribed to page 0 or to all, until the test ends */
static struct flusher *flusher_new(struct kunit *test, struct mm_struct *mm,
				   enum kind kind)
{
	struct flusher *sub = flusher_alloc(test, kind);

	KUNIT_ASSERT_EQ(test, flusher_begin(sub, mm, &interval_ops), 0);
	mn_test_defer(test, flusher_cleanup, sub);
	return sub;
}

static void flushers_new(struct kunit *test, struct mm_struct *mm,
			 enum kind kind, struct flusher **subs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		subs[i] = flusher_new(test, mm, kind);
}

static unsigned long in_progress(struct mm_struct *mm)
{
	return atomic_long_read(&mm->notifier_subscriptions->intervals.in_progress);
}

/* Every one of @subs has started before any finishes, and in the same order */
static void expect_passes(struct kunit *test, struct flusher **subs,
			  unsigned int nr)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		const struct flusher *a = subs[i];

		KUNIT_EXPECT_EQ(test, a->starts, 1);
		KUNIT_EXPECT_EQ(test, a->finishes, 1);
		for (j = 0; j < nr; j++) {
			const struct flusher *b = subs[j];

			KUNIT_EXPECT_LT(test, a->start_tick, b->finish_tick);
			KUNIT_EXPECT_EQ(test, a->start_tick < b->start_tick,
					a->finish_tick < b->finish_tick);
		}
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&in_flight), 0);
}

/* --------------------------------- order ---------------------------------- */

static void all_start_first(struct kunit *test)
{
	enum { NR = 4 };
	struct mmu_notifier_range range;
	struct flusher *sub[NR];
	enum kind kind;
	int i, returned;

	for (kind = 0; kind < NR_KINDS; kind++) {
		struct mm_struct *mm = mn_test_mm(test);

		flushers_new(test, mm, kind, sub, NR);
		mn_range_init(&range, mm);
		mmu_notifier_invalidate_range_start(&range);
		returned = atomic_inc_return(&ticks);
		for (i = 0; i < NR; i++)
			KUNIT_EXPECT_EQ(test, sub[i]->ends, 0);
		mmu_notifier_invalidate_range_end(&range);

		expect_passes(test, sub, NR);
		for (i = 0; i < NR; i++) {
			KUNIT_EXPECT_LT(test, sub[i]->finish_tick, returned);
			KUNIT_EXPECT_TRUE(test, sub[i]->blockable);
			KUNIT_EXPECT_EQ(test, sub[i]->ends, kind == LIST);
		}
	}
}

/* A flush takes a while, and at the first finish all are on their way. */
static void flushes_overlap(struct kunit *test)
{
	enum { NR = 8 };
	struct flusher *sub[NR], *first;
	enum kind kind;
	int i;

	for (kind = 0; kind < NR_KINDS; kind++) {
		struct mm_struct *mm = mn_test_mm(test);

		flushers_new(test, mm, kind, sub, NR);
		for (i = 0; i < NR; i++)
			sub[i]->delay = max(HZ / 50, 1);
		mn_invalidate(mm);

		expect_passes(test, sub, NR);
		first = sub[0];
		for (i = 0; i < NR; i++) {
			KUNIT_EXPECT_FALSE(test, sub[i]->lost);
			if (sub[i]->finish_tick < first->finish_tick)
				first = sub[i];
		}
		KUNIT_EXPECT_EQ(test, first->in_flight, NR);
	}
}

/* Those with one pass and with two, in one mm */
static void beside_others(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *list = mn_listener_new(test, mm);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 1);
	struct flusher *sub[2];

	sub[0] = flusher_new(test, mm, INTERVAL);
	sub[1] = flusher_new(test, mm, LIST);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, sub[0]->finishes, 1);
	KUNIT_EXPECT_EQ(test, sub[1]->finishes, 1);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
	KUNIT_EXPECT_EQ(test, list->starts, 1);
	KUNIT_EXPECT_EQ(test, list->ends, 1);

	/* beside the intervals */
	mn_invalidate_at(mm, 4, 1);
	KUNIT_EXPECT_EQ(test, sub[0]->starts, 1);
	KUNIT_EXPECT_EQ(test, sub[0]->finishes, 1);
	KUNIT_EXPECT_EQ(test, sub[1]->finishes, 2);
	mmu_notifier_unregister(&list->mn, mm);
}

/* ------------------------ the object to be finished ----------------------- */

static void finish_of_the_subscription(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub[3];
	int i, round;

	flushers_new(test, mm, INTERVAL, sub, 3);
	for (round = 1; round <= 2; round++) {
		mn_invalidate(mm);
		for (i = 0; i < 3; i++) {
			KUNIT_EXPECT_EQ(test, sub[i]->finishes, round);
			KUNIT_EXPECT_FALSE(test, sub[i]->not_null);
			KUNIT_EXPECT_PTR_EQ(test, sub[i]->notifier,
					    &sub[i]->interval);
			sub[i]->notifier = NULL;
		}
	}
}

static void nothing_to_finish(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub[3];
	int i, quick;

	flushers_new(test, mm, INTERVAL, sub, 3);
	for (quick = 0; quick < 3; quick++) {
		for (i = 0; i < 3; i++) {
			sub[i]->at_once = i == quick;
			sub[i]->finishes = 0;
		}
		mn_invalidate(mm);
		for (i = 0; i < 3; i++) {
			KUNIT_EXPECT_EQ(test, sub[i]->starts, quick + 1);
			KUNIT_EXPECT_EQ(test, sub[i]->finishes, i != quick);
		}
	}
}

/* Of two ranges at the same time the second finds it taken, and flushes at once. */
static void one_object(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub = flusher_new(test, mm, INTERVAL);
	struct mn_thread *thread;

	sub->finish_gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(sub->finish_gate));
	KUNIT_EXPECT_TRUE(test, sub->taken);
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->starts, 2);
	KUNIT_EXPECT_EQ(test, sub->finishes, 1);
	KUNIT_EXPECT_TRUE(test, sub->taken);
	mn_gate_open(sub->finish_gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_EQ(test, sub->finishes, 1);
	KUNIT_EXPECT_FALSE(test, sub->taken);
}

static void collides_with_reader(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub = flusher_new(test, mm, INTERVAL);
	unsigned long seq = mmu_interval_read_begin(&sub->interval);

	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&sub->interval, seq));
	mn_invalidate(mm);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&sub->interval, seq));
	seq = mmu_interval_read_begin(&sub->interval);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&sub->interval, seq));
}

/* -------------------------- which ops are accepted ------------------------ */

static void new_before_old(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub = flusher_alloc(test, INTERVAL);

	KUNIT_ASSERT_EQ(test, flusher_begin(sub, mm, &old_and_new_ops), 0);
	mn_test_defer(test, flusher_cleanup, sub);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, sub->starts, 1);
	KUNIT_EXPECT_EQ(test, sub->finishes, 1);
	KUNIT_EXPECT_EQ(test, sub->old_calls, 0);
}

/* Nobody could finish what it begins. */
static void start_alone_refused(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub = flusher_alloc(test, INTERVAL);
	int ret;

	kunit_info(test, "a warning is expected here\n");
	ret = flusher_begin(sub, mm, &start_alone_ops);
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	if (!ret)
		flusher_end(sub);
	KUNIT_EXPECT_NULL(test, sub->interval.mm);
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
}

/* ------------------------- ranges that may not block ---------------------- */

static void nonblock(struct kunit *test)
{
	struct flusher *sub[2];
	enum kind kind;
	int i;

	for (kind = 0; kind < NR_KINDS; kind++) {
		struct mm_struct *mm = mn_test_mm(test);

		flushers_new(test, mm, kind, sub, 2);
		KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
		expect_passes(test, sub, 2);
		for (i = 0; i < 2; i++)
			KUNIT_EXPECT_FALSE(test, sub[i]->blockable);
	}
}

/* What has been begun is finished, while the range is still counted. */
static void interval_refuses(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub[3];
	unsigned int others;
	int i, refusing;

	flushers_new(test, mm, INTERVAL, sub, 3);
	for (refusing = 0; refusing < 3; refusing++) {
		for (i = 0; i < 3; i++) {
			sub[i]->refuse = i == refusing;
			sub[i]->starts = 0;
			sub[i]->finishes = 0;
		}
		KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), -EAGAIN);
		KUNIT_EXPECT_EQ(test, sub[refusing]->starts, 1);
		KUNIT_EXPECT_EQ(test, sub[refusing]->finishes, 0);
		others = 0;
		for (i = 0; i < 3; i++) {
			if (i == refusing)
				continue;
			others += sub[i]->starts;
			KUNIT_EXPECT_EQ(test, sub[i]->finishes, sub[i]->starts);
			if (!sub[i]->finishes)
				continue;
			KUNIT_EXPECT_EQ(test, sub[i]->in_progress, 1);
			KUNIT_EXPECT_GT(test, sub[i]->finish_tick,
					sub[refusing]->start_tick);
		}
		/* equal intervals are hit in the order of their insertion */
		KUNIT_EXPECT_EQ(test, others, refusing);
		KUNIT_EXPECT_EQ(test, in_progress(mm), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&in_flight), 0);
	}
}

/* Whoever was notified of the start sees the finish, and then the end. */
static void list_refuses(struct kunit *test)
{
	struct flusher *sub[3];
	int i, refusing;

	for (refusing = 0; refusing < 3; refusing++) {
		struct mm_struct *mm = mn_test_mm(test);

		flushers_new(test, mm, LIST, sub, 3);
		sub[refusing]->refuse = true;
		KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), -EAGAIN);
		for (i = 0; i < 3; i++) {
			bool refused = i == refusing;
			bool begun = i > refusing;	/* newest first */

			KUNIT_EXPECT_EQ(test, sub[i]->starts, begun || refused);
			KUNIT_EXPECT_EQ(test, sub[i]->finishes, begun);
			KUNIT_EXPECT_EQ(test, sub[i]->ends, begun);
			if (!begun)
				continue;
			KUNIT_EXPECT_GT(test, sub[i]->finish_tick,
					sub[refusing]->start_tick);
			KUNIT_EXPECT_GT(test, sub[i]->end_tick,
					sub[2]->finish_tick);
			KUNIT_EXPECT_GT(test, sub[i]->end_tick,
					sub[refusing + 1]->finish_tick);
		}
		KUNIT_EXPECT_EQ(test, atomic_read(&in_flight), 0);
	}
}

/* The intervals have finished before the list is asked. */
static void list_refuses_after_intervals(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *interval = flusher_new(test, mm, INTERVAL);
	struct flusher *list = flusher_new(test, mm, LIST);

	list->refuse = true;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), -EAGAIN);
	KUNIT_EXPECT_EQ(test, interval->starts, 1);
	KUNIT_EXPECT_EQ(test, interval->finishes, 1);
	KUNIT_EXPECT_LT(test, interval->finish_tick, list->start_tick);
	KUNIT_EXPECT_EQ(test, list->finishes, 0);
	KUNIT_EXPECT_EQ(test, list->ends, 0);
	KUNIT_EXPECT_EQ(test, in_progress(mm), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&in_flight), 0);
}

/* ----------------------- the end of a subscription ------------------------ */

static void exit_finishes(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *sub[3];
	int i;

	flushers_new(test, mm, INTERVAL, sub, 3);
	for (i = 0; i < 3; i++)
		sub[i]->delay = 1;
	mn_test_mm_exit(test, mm);
	expect_passes(test, sub, 3);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sub[i]->event, MMU_NOTIFY_RELEASE);
		KUNIT_EXPECT_TRUE(test, sub[i]->blockable);
		KUNIT_EXPECT_EQ(test, sub[i]->in_progress, 1);
		KUNIT_EXPECT_FALSE(test, sub[i]->lost);
	}
	KUNIT_EXPECT_EQ(test, in_progress(mm), 0);
}

/* @gate holds the range where it has begun with @goes and not finished. */
static void expect_remove_waits(struct kunit *test, struct mm_struct *mm,
				struct flusher *goes, struct mn_gate *gate)
{
	struct mn_thread *range, *remove;

	range = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	KUNIT_EXPECT_EQ(test, goes->starts, 1);
	KUNIT_EXPECT_TRUE(test, goes->taken);
	remove = mn_thread_run(test, flusher_end, goes);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(remove));
	KUNIT_EXPECT_TRUE(test, goes->taken);
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(remove));
	KUNIT_EXPECT_EQ(test, goes->finishes, 1);
	KUNIT_EXPECT_EQ(test, goes->running_when_gone, 0);
	KUNIT_EXPECT_FALSE(test, goes->taken);

	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, goes->starts, 1);
}

static void remove_waits_for_finish(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *goes = flusher_alloc(test, INTERVAL);

	goes->finish_gate = mn_gate_alloc(test);
	KUNIT_ASSERT_EQ(test, flusher_begin(goes, mm, &interval_ops), 0);
	expect_remove_waits(test, mm, goes, goes->finish_gate);
}

/* The other one is in its start. */
static void remove_waits_between_passes(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *goes = flusher_alloc(test, INTERVAL);
	struct flusher *slow;

	KUNIT_ASSERT_EQ(test, flusher_begin(goes, mm, &interval_ops), 0);
	slow = flusher_new(test, mm, INTERVAL);
	slow->start_gate = mn_gate_alloc(test);
	expect_remove_waits(test, mm, goes, slow->start_gate);
	KUNIT_EXPECT_EQ(test, slow->finishes, 2);
}

static bool leaves_list(struct flusher *sub)
{
	unsigned long deadline = jiffies + MN_DEADLOCK;

	while (!hlist_unhashed_lockless(&sub->mn.hlist) &&
	       time_before(jiffies, deadline))
		schedule_timeout_uninterruptible(1);
	return hlist_unhashed_lockless(&sub->mn.hlist);
}

/* It has been released, so that it has nothing left to finish. */
static void unregister_between_passes(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct flusher *slow = flusher_new(test, mm, LIST);
	struct flusher *goes = flusher_alloc(test, LIST);
	struct mn_thread *range, *unregister;

	/* the newest, so it is the first to be notified */
	KUNIT_ASSERT_EQ(test, flusher_begin(goes, mm, NULL), 0);
	slow->start_gate = mn_gate_alloc(test);
	range = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(slow->start_gate));
	KUNIT_EXPECT_TRUE(test, goes->taken);
	unregister = mn_thread_run(test, flusher_end, goes);
	KUNIT_EXPECT_TRUE(test, leaves_list(goes));
	KUNIT_EXPECT_EQ(test, goes->releases, 1);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(unregister));
	mn_gate_open(slow->start_gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(unregister));
	KUNIT_EXPECT_EQ(test, goes->starts, 1);
	KUNIT_EXPECT_EQ(test, goes->finishes, 0);
	KUNIT_EXPECT_EQ(test, goes->ends, 0);
	KUNIT_EXPECT_EQ(test, slow->finishes, 1);
	KUNIT_EXPECT_EQ(test, slow->ends, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&in_flight), 0);
}

static int passes_init(struct kunit *test)
{
	atomic_set(&ticks, 0);
	atomic_set(&in_flight, 0);
	return mn_test_init(test);
}

static struct kunit_case passes_cases[] = {
	KUNIT_CASE(all_start_first),
	KUNIT_CASE(flushes_overlap),
	KUNIT_CASE(beside_others),
	KUNIT_CASE(finish_of_the_subscription),
	KUNIT_CASE(nothing_to_finish),
	KUNIT_CASE(one_object),
	KUNIT_CASE(collides_with_reader),
	KUNIT_CASE(new_before_old),
	KUNIT_CASE(start_alone_refused),
	KUNIT_CASE(nonblock),
	KUNIT_CASE(interval_refuses),
	KUNIT_CASE(list_refuses),
	KUNIT_CASE(list_refuses_after_intervals),
	KUNIT_CASE(exit_finishes),
	KUNIT_CASE(remove_waits_for_finish),
	KUNIT_CASE(remove_waits_between_passes),
	KUNIT_CASE(unregister_between_passes),
	{ }
};

static struct kunit_suite mmu_notifier_passes_suite = {
	.name = "mmu_notifier_passes",
	.init = passes_init,
	.test_cases = passes_cases,
};

kunit_test_suite(mmu_notifier_passes_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers: two passes");
MODULE_LICENSE("GPL");
