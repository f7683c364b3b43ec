// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: subscriptions to an interval.
 *
 * The tests insert monitors, invalidate ranges over and beside them, and read
 * with mmu_interval_read_begin() and mmu_interval_read_retry() as a driver that
 * faults pages in does. What must hold is what drivers rely on: a read that need
 * not retry overlapped no invalidation of its interval. Whether a read waits in
 * read_begin() or has to retry is not tested.
 */

#include <linux/atomic.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include "mmu_interval_monitor_kunit.h"
#include "mmu_notifier_kunit.h"

/* --------------------------- insert and remove ---------------------------- */

static void insert_remove(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mn_monitor *mon;

	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
	mon = mn_monitor_new(test, mm, 0, 4);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(mm));
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
	KUNIT_EXPECT_PTR_EQ(test, mon->interval.mm, mm);
	KUNIT_EXPECT_EQ(test, mon->calls, 0);

	mn_invalidate_at(mm, 0, 4);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
	mn_monitor_remove(test, mon);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	mn_invalidate_at(mm, 0, 4);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
}

static void insert_locked(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon[2];
	int i, ret;

	/* the first of an mm, and one more */
	for (i = 0; i < 2; i++) {
		mon[i] = mn_monitor_alloc(test);
		mmap_write_lock(mm);
		ret = mmu_interval_notifier_insert_locked(&mon[i]->interval, mm,
							  mn_page(i), PAGE_SIZE,
							  &mn_monitor_ops);
		mmap_write_unlock(mm);
		KUNIT_ASSERT_EQ(test, ret, 0);
		mn_test_defer(test, mn_monitor_cleanup, mon[i]);
	}
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, mon[0]->calls, 1);
	KUNIT_EXPECT_EQ(test, mon[1]->calls, 0);
}

static void insert_bad_length(struct kunit *test)
{
	static const struct {
		unsigned long start, length;
	} bad[] = {
		{ mn_page(0), 0 }, { 0, 0 }, { mn_page(0), -1UL },
		{ -PAGE_SIZE, PAGE_SIZE + 1 }, { -PAGE_SIZE, -PAGE_SIZE },
	};
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mn_monitor *mon = mn_monitor_alloc(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test,
				mmu_interval_notifier_insert(&mon->interval, mm,
							     bad[i].start,
							     bad[i].length,
							     &mn_monitor_ops),
				-EOVERFLOW);
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	}
	mn_invalidate_at(mm, 0, 100);
	KUNIT_EXPECT_EQ(test, mon->calls, 0);
}

/* The largest that are allowed end at the last address */
static void insert_to_the_end(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *all = mn_monitor_alloc(test);
	struct mn_monitor *last = mn_monitor_alloc(test);

	KUNIT_ASSERT_EQ(test,
			mmu_interval_notifier_insert(&all->interval, mm, 1,
						     -1UL, &mn_monitor_ops), 0);
	mn_test_defer(test, mn_monitor_cleanup, all);
	KUNIT_ASSERT_EQ(test,
			mmu_interval_notifier_insert(&last->interval, mm,
						     -PAGE_SIZE, PAGE_SIZE,
						     &mn_monitor_ops), 0);
	mn_test_defer(test, mn_monitor_cleanup, last);

	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, all->calls, 1);
	KUNIT_EXPECT_EQ(test, last->calls, 0);
	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, all->calls, 2);
	KUNIT_EXPECT_EQ(test, last->calls, 1);
}

/* -------------------------------- delivery -------------------------------- */

static void sees_the_range(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 2, 4);
	struct mmu_notifier_range range;
	int event;

	mmap_read_lock(mm);
	for (event = MMU_NOTIFY_UNMAP; event <= MMU_NOTIFY_EXCLUSIVE; event++) {
		mmu_notifier_range_init_owner(&range, event, 0, mm,
					      mn_page(1), mn_page(4), test);
		mmu_notifier_invalidate_range_start(&range);
		KUNIT_EXPECT_EQ(test, mon->calls, event + 1);
		mmu_notifier_invalidate_range_end(&range);
		KUNIT_EXPECT_PTR_EQ(test, mon->range.mm, mm);
		KUNIT_EXPECT_EQ(test, mon->range.event, event);
		KUNIT_EXPECT_PTR_EQ(test, mon->range.owner, (void *)test);
		KUNIT_EXPECT_TRUE(test,
				  mmu_notifier_range_blockable(&mon->range));
		/* the whole range, not the intersection */
		KUNIT_EXPECT_EQ(test, mon->range.start, mn_page(1));
		KUNIT_EXPECT_EQ(test, mon->range.end, mn_page(4));
		KUNIT_EXPECT_EQ(test, mon->seq & 1, 1);
	}
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, mon->calls, MMU_NOTIFY_EXCLUSIVE + 1);
}

/* All intervals of a few pages against all ranges: those that overlap are hit */
static void overlaps(struct kunit *test)
{
	enum { NR = 6 };
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon[NR][NR + 1];
	unsigned int a, b, c, d;

	for (a = 0; a < NR; a++)
		for (b = a + 1; b <= NR; b++)
			mon[a][b] = mn_monitor_new(test, mm, a, b - a);

	for (c = 0; c < NR; c++) {
		for (d = c + 1; d <= NR; d++) {
			for (a = 0; a < NR; a++)
				for (b = a + 1; b <= NR; b++)
					mon[a][b]->calls = 0;
			mn_invalidate_at(mm, c, d - c);
			for (a = 0; a < NR; a++)
				for (b = a + 1; b <= NR; b++)
					KUNIT_EXPECT_EQ(test, mon[a][b]->calls,
							a < d && c < b);
		}
	}
}

/* Exact to the byte; alone, as a neighbour that is hit would hide a wrong hit */
static void edges(struct kunit *test)
{
	static const struct {
		unsigned long byte;
		bool inside;
	} bytes[] = {
		{ mn_page(2) - 1, false }, { mn_page(2), true },
		{ mn_page(3) - 1, true }, { mn_page(3), false },
	};
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 2, 1);
	struct mmu_notifier_range range;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		mon->calls = 0;
		mmap_read_lock(mm);
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm,
					bytes[i].byte, bytes[i].byte + 1);
		mmu_notifier_invalidate_range_start(&range);
		mmu_notifier_invalidate_range_end(&range);
		mmap_read_unlock(mm);
		KUNIT_EXPECT_EQ(test, mon->calls, bytes[i].inside);
	}
}

/* An mm can have both kinds of subscriptions, whichever comes first */

static void list_cleanup(void *data)
{
	struct mn_listener *listener = data;

	if (!mn_test_lost())
		mmu_notifier_unregister(&listener->mn, listener->mn.mm);
}

static struct mn_listener *list_new(struct kunit *test, struct mm_struct *mm,
				    const struct mmu_notifier_ops *ops)
{
	struct mn_listener *listener = mn_listener_alloc(test);

	listener->mn.ops = ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	mn_test_defer(test, list_cleanup, listener);
	return listener;
}

static void both_kinds(struct kunit *test)
{
	struct mn_listener *sub;
	struct mm_struct *mm;
	struct mn_monitor *mon;
	int list_first;

	for (list_first = 0; list_first < 2; list_first++) {
		mm = mn_test_mm(test);
		sub = list_first ? list_new(test, mm, &mn_listener_ops) : NULL;
		mon = mn_monitor_new(test, mm, 0, 4);
		sub = sub ?: list_new(test, mm, &mn_listener_ops);

		mn_invalidate_at(mm, 2, 8);
		KUNIT_EXPECT_EQ(test, mon->calls, 1);
		KUNIT_EXPECT_EQ(test, sub->starts, 1);
		KUNIT_EXPECT_EQ(test, sub->ends, 1);
		mn_invalidate_at(mm, 8, 1);
		KUNIT_EXPECT_EQ(test, mon->calls, 1);
		KUNIT_EXPECT_EQ(test, sub->starts, 2);
		KUNIT_EXPECT_EQ(test, sub->ends, 2);
	}
}

/* --------------------------------- reading -------------------------------- */

static void read_alone(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 4);
	unsigned long seq;
	int i;

	for (i = 0; i < 3; i++) {
		seq = mmu_interval_read_begin(&mon->interval);
		KUNIT_EXPECT_FALSE(test, mmu_interval_check_retry(&mon->interval,
								  seq));
		KUNIT_EXPECT_FALSE(test, mn_monitor_retry(mon, seq));
		/* an invalidation between reads affects neither */
		mn_invalidate_at(mm, 0, 1);
	}
}

static void read_collides(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 4);
	struct mmu_notifier_range range;
	unsigned long seq;

	/* with a whole one */
	seq = mmu_interval_read_begin(&mon->interval);
	mn_invalidate_at(mm, 3, 4);
	KUNIT_EXPECT_TRUE(test, mmu_interval_check_retry(&mon->interval, seq));
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq));

	/* with two */
	seq = mmu_interval_read_begin(&mon->interval);
	mn_invalidate_at(mm, 0, 1);
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq));

	/* with one that has begun */
	seq = mmu_interval_read_begin(&mon->interval);
	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, 0, 1);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq));
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq));

	seq = mmu_interval_read_begin(&mon->interval);
	KUNIT_EXPECT_FALSE(test, mn_monitor_retry(mon, seq));
}

/* What happens beside the interval, to another monitor or to none */
static void read_beside(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 4);
	struct mn_monitor *other = mn_monitor_new(test, mm, 4, 4);
	unsigned long seq, other_seq;
	struct mmu_notifier_range range;

	seq = mmu_interval_read_begin(&mon->interval);
	other_seq = mmu_interval_read_begin(&other->interval);
	mn_invalidate_at(mm, 4, 4);
	mn_invalidate_at(mm, 20, 4);
	KUNIT_EXPECT_FALSE(test, mn_monitor_retry(mon, seq));
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(other, other_seq));

	/* a read need not wait for a range that is not its own */
	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, 4, 16);
	mmu_notifier_invalidate_range_start(&range);
	mn_expect_readable(test, mon);
	KUNIT_EXPECT_FALSE(test, mn_monitor_retry(mon, seq));
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, mon->calls, 0);
	KUNIT_EXPECT_EQ(test, other->calls, 2);
}

/* A read that begins inside ranges succeeds when the last one has ended */
static void read_waits(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 4);
	struct mn_reader *reader = mn_reader_new(test, mon);
	struct mmu_notifier_range first, second;
	struct mn_thread *thread;

	mmap_read_lock(mm);
	mn_range_init_at(&first, mm, 0, 1);
	mn_range_init_at(&second, mm, 2, 9);
	mmu_notifier_invalidate_range_start(&first);
	mmu_notifier_invalidate_range_start(&second);
	thread = mn_thread_run(test, mn_reader_thread, reader);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	mmu_notifier_invalidate_range_end(&first);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	WRITE_ONCE(reader->ended, true);
	mmu_notifier_invalidate_range_end(&second);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, reader->saw_ended);
}

/* --------------------- insert and remove inside a range ------------------- */

/*
 * A monitor that is inserted while a range is in progress was not notified of its
 * start, and still does not read before its end. @busy: another one was hit.
 */
static void expect_insert_collides(struct kunit *test, bool busy)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *other = mn_monitor_new(test, mm, busy ? 0 : 50, 4);
	struct mn_monitor *mon = mn_monitor_alloc(test);
	struct mn_reader *reader = mn_reader_new(test, mon);
	struct mmu_notifier_range range;
	struct mn_thread *thread;
	unsigned int calls;

	reader->insert = true;
	reader->mm = mm;
	reader->nr = 4;
	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, 0, 8);
	mmu_notifier_invalidate_range_start(&range);
	thread = mn_thread_run(test, mn_reader_thread, reader);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	WRITE_ONCE(reader->ended, true);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_EQ(test, reader->ret, 0);
	KUNIT_EXPECT_TRUE(test, reader->saw_ended);
	KUNIT_EXPECT_EQ(test, other->calls, busy);

	/* from then on it is like any other */
	calls = mon->calls;
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, mon->calls, calls + 1);
	mmu_interval_notifier_remove(&mon->interval);
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, mon->calls, calls + 1);
}

static void insert_in_idle_range(struct kunit *test)
{
	expect_insert_collides(test, false);
}

static void insert_in_busy_range(struct kunit *test)
{
	expect_insert_collides(test, true);
}

static void passer_thread(void *data)
{
	struct mn_reader *passer = data;

	passer->ret = mn_monitor_insert(passer->mon, passer->mm, passer->first,
					passer->nr);
	if (!passer->ret)
		mmu_interval_notifier_remove(&passer->mon->interval);
}

/* Removed before the range that it was inserted in has ended */
static void insert_remove_in_range(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *other = mn_monitor_new(test, mm, 0, 4);
	struct mn_monitor *mon = mn_monitor_alloc(test);
	struct mn_reader *passer = mn_reader_new(test, mon);
	struct mmu_notifier_range range;
	struct mn_thread *thread;

	passer->mm = mm;
	passer->nr = 4;
	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, 0, 8);
	mmu_notifier_invalidate_range_start(&range);
	thread = mn_thread_run(test, passer_thread, passer);
	mn_thread_returned(thread);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_EQ(test, passer->ret, 0);

	mn_invalidate_at(mm, 0, 8);
	KUNIT_EXPECT_EQ(test, mon->calls, 0);
	KUNIT_EXPECT_EQ(test, other->calls, 2);
}

static void remove_waits(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_alloc(test);
	struct mn_remover *remover = mn_test_alloc(test, sizeof(*remover));
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mn_thread *range, *remove;

	KUNIT_ASSERT_EQ(test, mn_monitor_insert(mon, mm, 0, 4), 0);
	mon->gate = gate;
	remover->mon = mon;
	range = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	remove = mn_thread_run(test, mn_remove_thread, remover);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(remove));
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(remove));
	KUNIT_EXPECT_EQ(test, remover->running, 0);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);

	mn_invalidate_at(mm, 0, 4);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
}

/* Several are removed in the same range, and others inserted in their places */
static void many_come_and_go_in_range(struct kunit *test)
{
	enum { NR = 8 };
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *stayer = mn_monitor_new(test, mm, 0, 8);
	struct mn_monitor *go[NR], *come[NR];
	struct mn_thread *goes[NR], *comes[NR];
	struct mmu_notifier_range range;
	struct mn_reader *reader[NR];
	int i;

	for (i = 0; i < NR; i++) {
		go[i] = mn_monitor_alloc(test);
		KUNIT_ASSERT_EQ(test, mn_monitor_insert(go[i], mm, i, 1), 0);
		come[i] = mn_monitor_alloc(test);
		reader[i] = mn_reader_new(test, come[i]);
		reader[i]->insert = true;
		reader[i]->remove = true;
		reader[i]->mm = mm;
		reader[i]->first = i;
		reader[i]->nr = 1;
	}
	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, 0, 8);
	mmu_notifier_invalidate_range_start(&range);
	for (i = 0; i < NR; i++) {
		struct mn_remover *remover = mn_test_alloc(test, sizeof(*remover));

		remover->mon = go[i];
		goes[i] = mn_thread_run(test, mn_remove_thread, remover);
		comes[i] = mn_thread_run(test, mn_reader_thread, reader[i]);
	}
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(comes[NR - 1]));
	for (i = 0; i < NR; i++)
		WRITE_ONCE(reader[i]->ended, true);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_TRUE(test, mn_thread_join(goes[i]));
		KUNIT_EXPECT_TRUE(test, mn_thread_join(comes[i]));
		KUNIT_EXPECT_EQ(test, reader[i]->ret, 0);
		KUNIT_EXPECT_TRUE(test, reader[i]->saw_ended);
	}
	mn_invalidate_at(mm, 0, 8);
	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_EQ(test, go[i]->calls, 1);
		KUNIT_EXPECT_EQ(test, come[i]->calls, 0);
	}
	KUNIT_EXPECT_EQ(test, stayer->calls, 2);
}

/* ------------------------- ranges that may not block ---------------------- */

static void nonblock(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 4);
	unsigned long seq = mmu_interval_read_begin(&mon->interval);

	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
	KUNIT_EXPECT_FALSE(test, mmu_notifier_range_blockable(&mon->range));
	KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon, seq));
	mn_expect_readable(test, mon);
}

/* A start that failed leaves no range in progress, whichever made it fail */
static void nonblock_refused(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *sub = list_new(test, mm, &mn_listener_ops);
	struct mn_monitor *mon[3];
	int i, refusing;

	for (i = 0; i < 3; i++)
		mon[i] = mn_monitor_new(test, mm, i, 4);

	for (refusing = 0; refusing < 3; refusing++) {
		mon[refusing]->refuse = true;
		KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 8), -EAGAIN);
		KUNIT_EXPECT_EQ(test, sub->starts, sub->ends);
		for (i = 0; i < 3; i++)
			mn_expect_readable(test, mon[i]);
		mon[refusing]->refuse = false;
		KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 8), 0);
		mn_invalidate_at(mm, 0, 8);
		KUNIT_EXPECT_EQ(test, sub->starts, sub->ends);
	}

	/* one that would refuse but is not hit does not */
	mon[2]->refuse = true;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 2), 0);
}

/*
 * The intervals have been notified when a subscriber on the list fails: the
 * range must have ended for them, too. If it has not, nobody reads here any more
 * until the test ends the range in place of the core.
 */
static void nonblock_fails_on_list(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *sub = list_new(test, mm, &mn_listener_start_ops);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 4);
	struct mmu_notifier_range range;
	struct mn_thread *thread;
	bool ended;

	sub->nonblock_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 4), -EAGAIN);
	thread = mn_thread_run(test, mn_reader_thread, mn_reader_new(test, mon));
	ended = mn_thread_completed(thread);
	KUNIT_EXPECT_TRUE_MSG(test, ended,
			      "the range that failed is still in progress");
	if (!ended) {
		mn_range_init_at(&range, mm, 0, 4);
		mmu_notifier_invalidate_range_end(&range);
	}
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	mn_invalidate_at(mm, 0, 4);
	KUNIT_EXPECT_EQ(test, sub->starts, 2);
}

/* ---------------------------------- exit ---------------------------------- */

static void exit_releases(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mn_monitor *mon[3];
	unsigned long seq[3];
	int i;

	for (i = 0; i < 3; i++) {
		mon[i] = mn_monitor_new(test, mm, 10 * i, 4);
		seq[i] = mmu_interval_read_begin(&mon[i]->interval);
	}
	mn_test_mm_exit(test, mm);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, mon[i]->calls, 1);
		KUNIT_EXPECT_EQ(test, mon[i]->range.event, MMU_NOTIFY_RELEASE);
		KUNIT_EXPECT_EQ(test, mon[i]->range.start, 0);
		KUNIT_EXPECT_EQ(test, mon[i]->range.end, ULONG_MAX);
		KUNIT_EXPECT_PTR_EQ(test, mon[i]->range.mm, mm);
		KUNIT_EXPECT_TRUE(test,
				  mmu_notifier_range_blockable(&mon[i]->range));
		KUNIT_EXPECT_TRUE(test, mn_monitor_retry(mon[i], seq[i]));
		/* no range stays in progress */
		mn_expect_readable(test, mon[i]);
	}
	for (i = 0; i < 3; i++)
		mn_monitor_remove(test, mon[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 1);
}

/* The exit waits for the monitor, and its removal for the exit */
static void remove_during_exit(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_monitor *mon = mn_monitor_alloc(test);
	struct mn_remover *remover = mn_test_alloc(test, sizeof(*remover));
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mn_thread *exit, *remove;

	KUNIT_ASSERT_EQ(test, mn_monitor_insert(mon, mm, 0, 4), 0);
	mon->gate = gate;
	remover->mon = mon;
	mmget(mm);
	mn_test_mm_exit(test, mm);
	exit = mn_thread_run(test, mn_mmput_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	remove = mn_thread_run(test, mn_remove_thread, remover);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(remove));
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(exit));
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(exit));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(remove));
	KUNIT_EXPECT_EQ(test, remover->running, 0);
	KUNIT_EXPECT_EQ(test, mon->calls, 1);
}

/* ------------------------------ two mms apart ----------------------------- */

/* While a monitor of one mm sleeps, others are inserted, read and removed */
static void isolated(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *other = mn_test_mm(test);
	struct mn_monitor *sleeper = mn_monitor_new(test, mm, 0, 4);
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mn_reader *reader = mn_reader_new(test, mn_monitor_alloc(test));
	struct mn_thread *range, *thread, *exit;

	sleeper->gate = gate;
	range = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));

	reader->insert = true;
	reader->remove = true;
	reader->mm = other;
	reader->nr = 4;
	thread = mn_thread_run(test, mn_reader_thread, reader);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(thread));
	mmget(other);
	mn_test_mm_exit(test, other);
	exit = mn_thread_run(test, mn_mmput_thread, other);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(exit));
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(exit));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_EQ(test, reader->ret, 0);
}

/* --------------------------------- stress --------------------------------- */

#define STRESS_ROUNDS	200

/* A driver mirrors one page; the mm changes it between start and end only */
struct stress {
	struct mm_struct *mm;
	struct mn_monitor *mirror;
	unsigned int page;		/* its contents, changed under lock */
	spinlock_t lock;
	atomic_t filled;
	atomic_t stale;			/* entries older than the page */
	atomic_t early;			/* entries set inside a range */
	atomic_t late;			/* callbacks after removal */
};

static void expect_empty(struct stress *stress)
{
	spin_lock(&stress->mirror->lock);
	if (stress->mirror->spte)
		atomic_inc(&stress->early);
	spin_unlock(&stress->mirror->lock);
}

static void stress_invalidate(void *data)
{
	struct stress *stress = data;
	struct mmu_notifier_range range;
	int i;

	for (i = 0; i < STRESS_ROUNDS; i++) {
		bool hit = i % 3;

		/* the mirrored page, or those after it */
		mmap_read_lock(stress->mm);
		mn_range_init_at(&range, stress->mm, hit ? 0 : 1, 1 + i % 4);
		mmu_notifier_invalidate_range_start(&range);
		if (hit) {
			expect_empty(stress);
			spin_lock(&stress->lock);
			stress->page++;
			spin_unlock(&stress->lock);
		}
		if (i % 8 == 0)
			schedule_timeout_uninterruptible(1);
		else
			schedule();
		if (hit)
			expect_empty(stress);
		mmu_notifier_invalidate_range_end(&range);
		mmap_read_unlock(stress->mm);
		schedule();
	}
}

static void stress_fill(void *data)
{
	struct stress *stress = data;
	struct mn_monitor *mirror = stress->mirror;
	unsigned long seq;
	unsigned int page;
	int i;

	for (i = 0; i < STRESS_ROUNDS; i++) {
		seq = mmu_interval_read_begin(&mirror->interval);
		page = READ_ONCE(stress->page);
		if (i % 8 == 4)
			schedule_timeout_uninterruptible(1);
		else
			schedule();
		spin_lock(&mirror->lock);
		if (!mmu_interval_read_retry(&mirror->interval, seq)) {
			if (page != READ_ONCE(stress->page))
				atomic_inc(&stress->stale);
			mirror->spte = page;
			atomic_inc(&stress->filled);
		}
		spin_unlock(&mirror->lock);
	}
}

static void stress_come_and_go(void *data)
{
	struct stress *stress = data;
	struct mn_monitor mon = { };
	unsigned int calls;
	unsigned long seq;
	int i;

	spin_lock_init(&mon.lock);
	for (i = 0; i < STRESS_ROUNDS / 4; i++) {
		if (mn_monitor_insert(&mon, stress->mm, i % 3, 2)) {
			atomic_inc(&stress->late);
			continue;
		}
		seq = mmu_interval_read_begin(&mon.interval);
		schedule();
		mn_monitor_retry(&mon, seq);
		mmu_interval_notifier_remove(&mon.interval);
		calls = READ_ONCE(mon.calls);
		if (READ_ONCE(mon.running))
			atomic_inc(&stress->late);
		schedule();
		if (calls != READ_ONCE(mon.calls))
			atomic_inc(&stress->late);
	}
}

static void mirror_stress(struct kunit *test)
{
	static void (*const fn[])(void *) = {
		stress_invalidate, stress_invalidate, stress_fill, stress_fill,
		stress_come_and_go, stress_come_and_go,
	};
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct stress *stress = mn_test_alloc(test, sizeof(*stress));
	struct mn_thread *thread[ARRAY_SIZE(fn)];
	unsigned int i;

	spin_lock_init(&stress->lock);
	stress->mm = mm;
	stress->page = 1;
	stress->mirror = mn_monitor_new(test, mm, 0, 1);
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		thread[i] = mn_thread_run(test, fn[i], stress);
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		KUNIT_EXPECT_TRUE(test, mn_thread_join(thread[i]));

	KUNIT_EXPECT_EQ(test, atomic_read(&stress->stale), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&stress->early), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&stress->late), 0);
	/* otherwise nothing was tested */
	KUNIT_EXPECT_GT(test, atomic_read(&stress->filled), 0);
	KUNIT_EXPECT_EQ(test, stress->mirror->calls, stress->page - 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
	mn_expect_readable(test, stress->mirror);
}

static struct kunit_case mmu_interval_notifier_cases[] = {
	KUNIT_CASE(insert_remove),
	KUNIT_CASE(insert_locked),
	KUNIT_CASE(insert_bad_length),
	KUNIT_CASE(insert_to_the_end),
	KUNIT_CASE(sees_the_range),
	KUNIT_CASE(overlaps),
	KUNIT_CASE(edges),
	KUNIT_CASE(both_kinds),
	KUNIT_CASE(read_alone),
	KUNIT_CASE(read_collides),
	KUNIT_CASE(read_beside),
	KUNIT_CASE(read_waits),
	KUNIT_CASE(insert_in_idle_range),
	KUNIT_CASE(insert_in_busy_range),
	KUNIT_CASE(insert_remove_in_range),
	KUNIT_CASE(remove_waits),
	KUNIT_CASE(many_come_and_go_in_range),
	KUNIT_CASE(nonblock),
	KUNIT_CASE(nonblock_refused),
	KUNIT_CASE(nonblock_fails_on_list),
	KUNIT_CASE(exit_releases),
	KUNIT_CASE(remove_during_exit),
	KUNIT_CASE(isolated),
	KUNIT_CASE(mirror_stress),
	{ }
};

static struct kunit_suite mmu_interval_notifier_suite = {
	.name = "mmu_interval_notifier",
	.init = mn_test_init,
	.test_cases = mmu_interval_notifier_cases,
};

kunit_test_suite(mmu_interval_notifier_suite);

MODULE_DESCRIPTION("KUnit tests for MMU interval notifiers");
MODULE_LICENSE("GPL");
