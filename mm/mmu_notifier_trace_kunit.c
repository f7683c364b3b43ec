// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the tracepoints of MMU notifiers: each fires for what it stands
 * for, in order, with the right fields, and for nothing else.
 *
 * The probes log what they are given. A test does something, and compares the log
 * with what should have been traced.
 */

#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include <trace/events/mmu_notifier.h>

#include "mmu_interval_monitor_kunit.h"
#include "mmu_notifier_kunit.h"
#include "mmu_notifier_sub_kunit.h"

/* -------------------------------- the log --------------------------------- */

enum point {
	NONE,
	REGISTER,
	UNREGISTER,
	NOTIFY_RELEASE,
	RANGE_START,
	RANGE_END,
	CALLBACK,
	INTERVAL,
	YOUNG,
	WAIT,
	NR_POINTS,
};

struct entry {
	enum point point;
	const void *symbol;	/* ops or callback */
	unsigned long start;
	unsigned long end;
	unsigned long value;	/* kind, event, sequence number or which */
	int result;		/* or whether the range may block */
	u64 ns;			/* not compared */
};

#define MAX_ENTRIES	32

static struct {
	spinlock_t lock;		/* all of this */
	struct mm_struct *mm;		/* the others' is not logged */
	unsigned int points;		/* those that are logged */
	unsigned int nr;
	struct entry entries[MAX_ENTRIES];
} traced = {
	.lock = __SPIN_LOCK_UNLOCKED(traced.lock),
};

static void trace(const struct mm_struct *mm, const struct entry *entry)
{
	spin_lock(&traced.lock);
	if ((!mm || mm == traced.mm) && (traced.points & BIT(entry->point))) {
		if (traced.nr < MAX_ENTRIES)
			traced.entries[traced.nr] = *entry;
		traced.nr++;
	}
	spin_unlock(&traced.lock);
}

#define TRACE(mm, ...)	trace(mm, &(struct entry) { __VA_ARGS__ })

/* Expect that @nr entries have been logged, and empty the log */
static void expect_entries(struct kunit *test, const struct entry *expected,
			   unsigned int nr)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, traced.nr, nr);
	for (i = 0; i < min(nr, traced.nr); i++) {
		const struct entry *entry = &traced.entries[i];

		KUNIT_EXPECT_EQ_MSG(test, entry->point, expected[i].point,
				    "entry %u", i);
		KUNIT_EXPECT_PTR_EQ_MSG(test, entry->symbol, expected[i].symbol,
					"entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, entry->start, expected[i].start,
				    "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, entry->end, expected[i].end,
				    "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, entry->value, expected[i].value,
				    "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, entry->result, expected[i].result,
				    "entry %u", i);
	}
	traced.nr = 0;
}

#define EXPECT_TRACED(test, ...)					\
do {									\
	static const struct entry none = { };				\
	const struct entry expected[] = { none, ##__VA_ARGS__ };	\
									\
	expect_entries(test, expected + 1, ARRAY_SIZE(expected) - 1);	\
} while (0)

/* --------------------------------- probes --------------------------------- */

static void on_register(void *data, struct mm_struct *mm, const void *ops,
			enum mmu_notifier_kind kind)
{
	TRACE(mm, REGISTER, .symbol = ops, .value = kind);
}

static void on_unregister(void *data, struct mm_struct *mm, const void *ops,
			  enum mmu_notifier_kind kind)
{
	TRACE(mm, UNREGISTER, .symbol = ops, .value = kind);
}

static void on_release(void *data, struct mm_struct *mm, const void *ops,
		       enum mmu_notifier_kind kind)
{
	TRACE(mm, NOTIFY_RELEASE, .symbol = ops, .value = kind);
}

static void on_range_start(void *data, const struct mmu_notifier_range *range)
{
	TRACE(range->mm, RANGE_START, .start = range->start, .end = range->end,
	      .value = range->event,
	      .result = mmu_notifier_range_blockable(range));
}

static void on_range_end(void *data, const struct mmu_notifier_range *range)
{
	TRACE(range->mm, RANGE_END, .start = range->start, .end = range->end,
	      .value = range->event,
	      .result = mmu_notifier_range_blockable(range));
}

static void on_callback(void *data, struct mm_struct *mm, const void *callback,
			unsigned long start, unsigned long end, u64 duration,
			int result)
{
	TRACE(mm, CALLBACK, .symbol = callback, .start = start, .end = end,
	      .result = result, .ns = duration);
}

static void on_interval(void *data, const struct mmu_interval_notifier *sub,
			unsigned long seq, u64 duration, bool result)
{
	TRACE(sub->mm, INTERVAL, .symbol = sub->ops,
	      .start = sub->interval_tree.start, .end = sub->interval_tree.last,
	      .value = seq, .result = result, .ns = duration);
}

static void on_young(void *data, struct mm_struct *mm,
		     enum mmu_notifier_young which, unsigned long start,
		     unsigned long end, int young)
{
	TRACE(mm, YOUNG, .start = start, .end = end, .value = which,
	      .result = young);
}

static void on_wait(void *data, struct mm_struct *mm,
		    enum mmu_notifier_wait_kind kind, u64 duration)
{
	TRACE(mm, WAIT, .value = kind, .ns = duration);
}

static void stop_tracing(void *unused)
{
	unregister_trace_mmu_notifier_register(on_register, NULL);
	unregister_trace_mmu_notifier_unregister(on_unregister, NULL);
	unregister_trace_mmu_notifier_release(on_release, NULL);
	unregister_trace_mmu_notifier_range_start(on_range_start, NULL);
	unregister_trace_mmu_notifier_range_end(on_range_end, NULL);
	unregister_trace_mmu_notifier_callback(on_callback, NULL);
	unregister_trace_mmu_notifier_interval(on_interval, NULL);
	unregister_trace_mmu_notifier_young(on_young, NULL);
	unregister_trace_mmu_notifier_wait(on_wait, NULL);
	tracepoint_synchronize_unregister();
}

static int start_tracing(void)
{
	return register_trace_mmu_notifier_register(on_register, NULL) ?:
	       register_trace_mmu_notifier_unregister(on_unregister, NULL) ?:
	       register_trace_mmu_notifier_release(on_release, NULL) ?:
	       register_trace_mmu_notifier_range_start(on_range_start, NULL) ?:
	       register_trace_mmu_notifier_range_end(on_range_end, NULL) ?:
	       register_trace_mmu_notifier_callback(on_callback, NULL) ?:
	       register_trace_mmu_notifier_interval(on_interval, NULL) ?:
	       register_trace_mmu_notifier_young(on_young, NULL) ?:
	       register_trace_mmu_notifier_wait(on_wait, NULL);
}

/* An mm of which @points are logged until the test ends */
static struct mm_struct *traced_mm(struct kunit *test, unsigned int points)
{
	struct mm_struct *mm = mn_test_mm(test);
	int ret;

	traced.mm = mm;
	traced.points = points;
	traced.nr = 0;
	ret = start_tracing();
	mn_test_defer(test, stop_tracing, NULL);
	KUNIT_ASSERT_EQ(test, ret, 0);
	return mm;
}

/* ------------------------------ subscriptions ----------------------------- */

#define SUBSCRIPTIONS	(BIT(REGISTER) | BIT(UNREGISTER) | BIT(NOTIFY_RELEASE))

static void trace_list(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, SUBSCRIPTIONS);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);

	EXPECT_TRACED(test, { REGISTER, &mn_pages_ops });
	mn_notify_all(mm);
	EXPECT_TRACED(test);
	mn_sub_unregister(test, sub);
	EXPECT_TRACED(test, { UNREGISTER, &mn_pages_ops },
		      { NOTIFY_RELEASE, &mn_pages_ops });
}

static void trace_interval(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, SUBSCRIPTIONS);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 1);
	const unsigned long kind = MMU_NOTIFIER_KIND_INTERVAL;

	EXPECT_TRACED(test, { REGISTER, &mn_monitor_ops, .value = kind });
	mn_notify_all(mm);
	EXPECT_TRACED(test);
	mn_monitor_remove(test, mon);
	EXPECT_TRACED(test, { UNREGISTER, &mn_monitor_ops, .value = kind });
}

static void trace_exit(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, SUBSCRIPTIONS);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 1);
	const unsigned long kind = MMU_NOTIFIER_KIND_INTERVAL;

	traced.nr = 0;
	mn_test_mm_exit(test, mm);
	EXPECT_TRACED(test,
		      { NOTIFY_RELEASE, &mn_monitor_ops, .value = kind },
		      { NOTIFY_RELEASE, &mn_pages_ops });
	mn_sub_unregister(test, sub);
	mn_monitor_remove(test, mon);
	EXPECT_TRACED(test, { UNREGISTER, &mn_pages_ops },
		      { UNREGISTER, &mn_monitor_ops, .value = kind });
}

static void trace_put(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, SUBSCRIPTIONS);
	struct mn_sub *sub = mn_kept_get(test, mm, &mn_kept_ops);

	mn_kept_get(test, mm, &mn_kept_ops);
	EXPECT_TRACED(test, { REGISTER, &mn_kept_ops });
	mmu_notifier_put(&sub->mn);
	EXPECT_TRACED(test);
	mmu_notifier_put(&sub->mn);
	EXPECT_TRACED(test, { UNREGISTER, &mn_kept_ops });
	mmu_notifier_synchronize();
}

/* ------------------------------- invalidations ---------------------------- */

static void trace_ranges(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(RANGE_START) | BIT(RANGE_END));
	struct mmu_notifier_range range;
	struct mn_sub *sub;

	/* no subscription yet */
	mn_invalidate(mm);
	EXPECT_TRACED(test);

	sub = mn_sub_new(test, mm, &mn_start_ops);
	mn_invalidate_at(mm, 2, 3);
	EXPECT_TRACED(test,
		      { RANGE_START, NULL, mn_page(2), mn_page(5),
			MMU_NOTIFY_CLEAR, true },
		      { RANGE_END, NULL, mn_page(2), mn_page(5),
			MMU_NOTIFY_CLEAR, true });

	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_VMA, 0, mm,
				mn_page(0), mn_page(9));
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	EXPECT_TRACED(test,
		      { RANGE_START, NULL, mn_page(0), mn_page(9),
			MMU_NOTIFY_PROTECTION_VMA, true },
		      { RANGE_END, NULL, mn_page(0), mn_page(9),
			MMU_NOTIFY_PROTECTION_VMA, true });

	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), 0);
	EXPECT_TRACED(test,
		      { RANGE_START, NULL, mn_page(0), mn_page(1),
			MMU_NOTIFY_CLEAR, false },
		      { RANGE_END, NULL, mn_page(0), mn_page(1),
			MMU_NOTIFY_CLEAR, false });

	/* refused: no end */
	sub->start_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), -EAGAIN);
	EXPECT_TRACED(test,
		      { RANGE_START, NULL, mn_page(0), mn_page(1),
			MMU_NOTIFY_CLEAR, false });
}

static void trace_callbacks(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(CALLBACK));
	struct mn_sub *pages = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *shared = mn_sub_new(test, mm, &mn_shared_ops);

	pages->young = 1;
	mn_notify_all(mm);
	EXPECT_TRACED(test,
		      { CALLBACK, mn_pages_ops.invalidate_range_start,
			mn_page(0), mn_page(1) },
		      { CALLBACK, mn_pages_ops.invalidate_range_end,
			mn_page(0), mn_page(1) },
		      { CALLBACK, mn_pages_ops.clear_flush_young,
			mn_page(0), mn_page(1), .result = 1 },
		      { CALLBACK, mn_pages_ops.clear_young,
			mn_page(0), mn_page(1), .result = 1 },
		      { CALLBACK, mn_pages_ops.test_young,
			mn_page(0), mn_page(0) + 1, .result = 1 },
		      { CALLBACK, mn_shared_ops.arch_invalidate_secondary_tlbs,
			mn_page(0), mn_page(1) });

	pages->start_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock(mm), -EAGAIN);
	EXPECT_TRACED(test,
		      { CALLBACK, mn_pages_ops.invalidate_range_start,
			mn_page(0), mn_page(1), .result = -EAGAIN });

	mn_sub_unregister(test, pages);
	mn_sub_unregister(test, shared);
	EXPECT_TRACED(test,
		      { CALLBACK, mn_pages_ops.release, 0, ULONG_MAX },
		      { CALLBACK, mn_shared_ops.release, 0, ULONG_MAX });
}

static void trace_invalidate(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(CALLBACK) | BIT(INTERVAL));
	struct mn_monitor *mon = mn_monitor_new(test, mm, 1, 2);

	mn_invalidate_at(mm, 0, 2);
	EXPECT_TRACED(test,
		      { CALLBACK, mn_monitor_ops.invalidate, mn_page(0),
			mn_page(2), .result = true },
		      { INTERVAL, &mn_monitor_ops, mn_page(1), mn_page(3) - 1,
			mon->seq, true });

	/* beside it */
	mn_invalidate_at(mm, 3, 2);
	EXPECT_TRACED(test);

	mon->refuse = true;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 2, 1), -EAGAIN);
	EXPECT_TRACED(test,
		      { CALLBACK, mn_monitor_ops.invalidate, mn_page(2),
			mn_page(3), .result = false },
		      { INTERVAL, &mn_monitor_ops, mn_page(1), mn_page(3) - 1,
			mon->seq, false });
}

static void trace_passes(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(CALLBACK) | BIT(INTERVAL));
	struct mn_listener *list = mn_listener_passes_new(test, mm);
	struct mn_listener *interval = mn_interval_passes_new(test, mm);

	mn_invalidate_at(mm, 0, 2);
	EXPECT_TRACED(test,
		      { CALLBACK, mn_interval_passes_ops.invalidate_start,
			mn_page(0), mn_page(2), .result = true },
		      { INTERVAL, &mn_interval_passes_ops, mn_page(0),
			mn_page(1) - 1, interval->interval.invalidate_seq,
			true },
		      { CALLBACK, mn_interval_passes_ops.invalidate_finish,
			mn_page(0), mn_page(2) },
		      { CALLBACK, mn_listener_passes_ops.invalidate_range_start,
			mn_page(0), mn_page(2) },
		      { CALLBACK,
			mn_listener_passes_ops.invalidate_range_start_finish,
			mn_page(0), mn_page(2) },
		      { CALLBACK, mn_listener_passes_ops.invalidate_range_end,
			mn_page(0), mn_page(2) });

	mmu_notifier_unregister(&list->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
}

/* A duration is not less than it can have been. */
static void trace_duration(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(CALLBACK) | BIT(INTERVAL));
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval = mn_interval_new(test, mm);
	const u64 tick = jiffies_to_nsecs(1);

	listener->in_callback = mn_sleep_inside;
	interval->in_callback = mn_sleep_inside;
	mn_invalidate(mm);
	KUNIT_ASSERT_EQ(test, traced.nr, 4);
	KUNIT_EXPECT_EQ(test, traced.entries[0].point, CALLBACK);
	KUNIT_EXPECT_GE(test, traced.entries[0].ns, tick);
	KUNIT_EXPECT_EQ(test, traced.entries[1].point, INTERVAL);
	KUNIT_EXPECT_EQ(test, traced.entries[1].ns, traced.entries[0].ns);
	KUNIT_EXPECT_EQ(test, traced.entries[2].point, CALLBACK);
	KUNIT_EXPECT_GE(test, traced.entries[2].ns, tick);

	mmu_notifier_unregister(&listener->mn, mm);
	mmu_interval_notifier_remove(&interval->interval);
}

/* How many were young, of those that were asked for */
static void trace_young_pages(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(YOUNG));
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_ages_ops);
	struct mmu_notifier_young_pages *pages =
		mn_test_alloc(test, sizeof(*pages));

	sub->young = 1;
	KUNIT_ASSERT_TRUE(test, mmu_notifier_young_pages_init(pages, mm, mn_page(0),
							      mn_page(8)));
	mmu_notifier_clear_young_pages(pages);
	/* None was asked for. */
	EXPECT_TRACED(test);

	mmu_notifier_ask_young(pages, mn_page(1));
	mmu_notifier_ask_young(pages, mn_page(2));
	mmu_notifier_ask_young(pages, mn_page(7));
	mmu_notifier_clear_young_pages(pages);
	mmu_notifier_test_young_pages(pages);
	EXPECT_TRACED(test,
		      { YOUNG, NULL, mn_page(0), mn_page(8),
			MMU_NOTIFIER_CLEAR_YOUNG, 3 },
		      { YOUNG, NULL, mn_page(0), mn_page(8),
			MMU_NOTIFIER_TEST_YOUNG, 3 });
}

static void trace_young(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(YOUNG));
	struct mn_sub *none = mn_sub_new(test, mm, &mn_start_ops);
	struct mn_sub *sub;

	/* nobody to ask */
	mn_notify_all(mm);
	EXPECT_TRACED(test);
	mn_sub_unregister(test, none);

	sub = mn_sub_new(test, mm, &mn_ages_ops);
	mn_notify_all(mm);
	EXPECT_TRACED(test,
		      { YOUNG, NULL, mn_page(0), mn_page(1),
			MMU_NOTIFIER_CLEAR_FLUSH_YOUNG, 0 },
		      { YOUNG, NULL, mn_page(0), mn_page(1),
			MMU_NOTIFIER_CLEAR_YOUNG, 0 },
		      { YOUNG, NULL, mn_page(0), mn_page(0) + 1,
			MMU_NOTIFIER_TEST_YOUNG, 0 });

	sub->young = 1;
	mmu_notifier_test_young(mm, mn_page(7));
	EXPECT_TRACED(test,
		      { YOUNG, NULL, mn_page(7), mn_page(7) + 1,
			MMU_NOTIFIER_TEST_YOUNG, 1 });
}

/* ---------------------------------- waits --------------------------------- */

static void trace_waits(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(WAIT));
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);

	EXPECT_TRACED(test, { WAIT, .value = MMU_NOTIFIER_WAIT_LOCKS });
	mn_sub_unregister(test, sub);
	EXPECT_TRACED(test, { WAIT, .value = MMU_NOTIFIER_WAIT_CALLBACKS });
	mmu_notifier_synchronize();
	EXPECT_TRACED(test, { WAIT, .value = MMU_NOTIFIER_WAIT_FREED });
}

/* A reader and a removal that wait for a range */
static void trace_waits_for_ranges(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(WAIT));
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 1);
	struct mn_reader *reader = mn_reader_new(test, mon);
	struct mmu_notifier_range range;
	struct mn_thread *thread;
	const u64 tick = jiffies_to_nsecs(1);

	/* nothing to wait for */
	traced.nr = 0;
	mn_expect_readable(test, mon);
	EXPECT_TRACED(test);

	kunit_remove_action(test, mn_monitor_cleanup, mon);
	reader->remove = true;
	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	thread = mn_thread_run(test, mn_reader_thread, reader);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_GE(test, traced.entries[0].ns, tick);
	EXPECT_TRACED(test, { WAIT, .value = MMU_NOTIFIER_WAIT_READ });
}

static void trace_wait_to_remove(struct kunit *test)
{
	struct mm_struct *mm = traced_mm(test, BIT(WAIT));
	struct mn_monitor *mon = mn_monitor_new(test, mm, 0, 1);
	struct mn_remover *remover = mn_test_alloc(test, sizeof(*remover));
	struct mmu_notifier_range range;
	struct mn_thread *thread;

	kunit_remove_action(test, mn_monitor_cleanup, mon);
	remover->mon = mon;
	traced.nr = 0;
	mn_range_init(&range, mm);
	mmu_notifier_invalidate_range_start(&range);
	thread = mn_thread_run(test, mn_remove_thread, remover);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	EXPECT_TRACED(test, { WAIT, .value = MMU_NOTIFIER_WAIT_REMOVE });
}

static struct kunit_case mmu_notifier_trace_cases[] = {
	KUNIT_CASE(trace_list),
	KUNIT_CASE(trace_interval),
	KUNIT_CASE(trace_exit),
	KUNIT_CASE(trace_put),
	KUNIT_CASE(trace_ranges),
	KUNIT_CASE(trace_callbacks),
	KUNIT_CASE(trace_invalidate),
	KUNIT_CASE(trace_passes),
	KUNIT_CASE(trace_duration),
	KUNIT_CASE(trace_young),
	KUNIT_CASE(trace_young_pages),
	KUNIT_CASE(trace_waits),
	KUNIT_CASE(trace_waits_for_ranges),
	KUNIT_CASE(trace_wait_to_remove),
	{ }
};

static struct kunit_suite mmu_notifier_trace_suite = {
	.name = "mmu_notifier_trace",
	.init = mn_sub_init,
	.test_cases = mmu_notifier_trace_cases,
};

kunit_test_suite(mmu_notifier_trace_suite);

MODULE_DESCRIPTION("KUnit tests for the tracepoints of MMU notifiers");
MODULE_LICENSE("GPL");
