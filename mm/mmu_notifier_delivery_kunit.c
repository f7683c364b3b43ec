// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: delivery.
 *
 * Who is called for a range, for ageing or for a TLB flush, in which order and
 * with which arguments, and what the return values do.
 */

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"
#include "mmu_notifier_sub_kunit.h"

/* -------------------------------- delivery -------------------------------- */

static void expect_range(struct kunit *test,
			 const struct mmu_notifier_range *seen,
			 const struct mmu_notifier_range *sent)
{
	KUNIT_EXPECT_PTR_EQ(test, seen->mm, sent->mm);
	KUNIT_EXPECT_EQ(test, seen->start, sent->start);
	KUNIT_EXPECT_EQ(test, seen->end, sent->end);
	KUNIT_EXPECT_EQ(test, seen->event, sent->event);
	/* The other flags are the core's, and say how far it has come. */
	KUNIT_EXPECT_EQ(test, seen->flags & MMU_NOTIFIER_RANGE_BLOCKABLE,
			sent->flags & MMU_NOTIFIER_RANGE_BLOCKABLE);
	KUNIT_EXPECT_PTR_EQ(test, seen->owner, sent->owner);
}

/* All are notified of a start before it returns, and likewise of an end */
static void start_then_end(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range range;
	struct mn_sub *sub[3];
	int i, started, ended;

	for (i = 0; i < 3; i++)
		sub[i] = mn_sub_new(test, mm, &mn_pages_ops);

	mmap_read_lock(mm);
	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_MIGRATE, 0, mm,
				      mn_page(3), mn_page(8), test);
	mmu_notifier_invalidate_range_start(&range);
	started = atomic_inc_return(&mn_ticks);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sub[i]->active, 1);
		KUNIT_EXPECT_EQ(test, sub[i]->calls[END], 0);
	}
	mmu_notifier_invalidate_range_end(&range);
	ended = atomic_inc_return(&mn_ticks);
	mmap_read_unlock(mm);

	KUNIT_EXPECT_TRUE(test, mmu_notifier_range_blockable(&range));
	KUNIT_EXPECT_PTR_EQ(test, range.owner, (void *)test);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sub[i]->calls[START], 1);
		KUNIT_EXPECT_EQ(test, sub[i]->calls[END], 1);
		KUNIT_EXPECT_LT(test, sub[i]->start_tick, started);
		KUNIT_EXPECT_GT(test, sub[i]->end_tick, started);
		KUNIT_EXPECT_LT(test, sub[i]->end_tick, ended);
		expect_range(test, &sub[i]->at_start, &range);
		expect_range(test, &sub[i]->at_end, &range);
	}
}

static void every_event(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mmu_notifier_range range = { };
	int event;

	mmap_read_lock(mm);
	for (event = MMU_NOTIFY_UNMAP; event <= MMU_NOTIFY_EXCLUSIVE; event++) {
		mmu_notifier_range_init(&range, event, 0, mm, mn_page(event),
					mn_page(event + 2));
		mmu_notifier_invalidate_range_start(&range);
		KUNIT_EXPECT_EQ(test, sub->at_start.event, event);
		expect_range(test, &sub->at_start, &range);
		mmu_notifier_invalidate_range_end(&range);
		expect_range(test, &sub->at_end, &range);
	}
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, sub->calls[START], MMU_NOTIFY_EXCLUSIVE + 1);
	KUNIT_EXPECT_EQ(test, sub->unpaired, 0);
}

static void nested_ranges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mmu_notifier_range outer = { }, inner = { }, overlap = { };

	mmap_read_lock(mm);
	mn_range_init_at(&outer, mm, 0, 8);
	mn_range_init_at(&inner, mm, 2, 2);
	mn_range_init_at(&overlap, mm, 3, 8);
	mmu_notifier_invalidate_range_start(&outer);
	mmu_notifier_invalidate_range_start(&inner);
	expect_range(test, &sub->at_start, &inner);
	mmu_notifier_invalidate_range_start(&overlap);
	KUNIT_EXPECT_EQ(test, sub->active, 3);
	KUNIT_EXPECT_EQ(test, sub->calls[END], 0);

	/* neither first in, first out nor last in, first out */
	mmu_notifier_invalidate_range_end(&inner);
	expect_range(test, &sub->at_end, &inner);
	mmu_notifier_invalidate_range_end(&outer);
	expect_range(test, &sub->at_end, &outer);
	KUNIT_EXPECT_EQ(test, sub->active, 1);
	mmu_notifier_invalidate_range_end(&overlap);
	expect_range(test, &sub->at_end, &overlap);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, sub->active, 0);
	KUNIT_EXPECT_EQ(test, sub->unpaired, 0);
}

static void ranges_in_threads(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *quick = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *slow = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_thread *thread[4];
	int i;

	slow->start_gate = gate;
	for (i = 0; i < 4; i++) {
		thread[i] = mn_thread_run(test, mn_invalidate_thread, mm);
		KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
		reinit_completion(&gate->reached);
	}
	/* one sleeping callback blocks no other */
	KUNIT_EXPECT_EQ(test, slow->running, 4);
	KUNIT_EXPECT_EQ(test, slow->active, 4);
	KUNIT_EXPECT_EQ(test, quick->calls[END] + slow->calls[END], 0);
	mn_gate_open(gate);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, mn_thread_join(thread[i]));
	KUNIT_EXPECT_EQ(test, quick->calls[START], 4);
	KUNIT_EXPECT_EQ(test, quick->calls[END], 4);
	KUNIT_EXPECT_EQ(test, slow->calls[END], 4);
	KUNIT_EXPECT_EQ(test, quick->active + slow->active, 0);
	KUNIT_EXPECT_EQ(test, quick->unpaired + slow->unpaired, 0);
}

/* ------------------------- ranges that may not block ---------------------- */

static void nonblock(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mmu_notifier_range range;

	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, 0, 4);
	range.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
	KUNIT_EXPECT_EQ(test,
			mmu_notifier_invalidate_range_start_nonblock(&range),
			0);
	KUNIT_EXPECT_EQ(test, sub->active, 1);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_FALSE(test, mmu_notifier_range_blockable(&sub->at_start));
	KUNIT_EXPECT_FALSE(test, mmu_notifier_range_blockable(&sub->at_end));
	KUNIT_EXPECT_EQ(test, sub->calls[END], 1);
}

/*
 * Whichever position the one that fails is in, those that were notified of the
 * start are notified of the end by the start that fails.
 */
static void nonblock_fails(struct kunit *test)
{
	int i, failing;

	for (failing = 0; failing < 3; failing++) {
		struct mm_struct *mm = mn_test_mm(test);
		struct mn_sub *sub[3];

		for (i = 0; i < 3; i++)
			sub[i] = mn_sub_new(test, mm, i == failing ?
					    &mn_start_ops : &mn_pages_ops);
		sub[failing]->start_ret = -EAGAIN;
		KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 4),
				-EAGAIN);
		KUNIT_EXPECT_EQ(test, sub[failing]->calls[START], 1);
		for (i = 0; i < 3; i++) {
			if (i == failing)
				continue;
			KUNIT_EXPECT_LE(test, sub[i]->calls[START], 1);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[END],
					sub[i]->calls[START]);
			KUNIT_EXPECT_EQ(test, sub[i]->active, 0);
			KUNIT_EXPECT_EQ(test, sub[i]->unpaired, 0);
		}

		/* and the next ranges are delivered as usual */
		sub[failing]->start_ret = 0;
		KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 4), 0);
		mn_invalidate_at(mm, 0, 4);
		KUNIT_EXPECT_EQ(test, sub[failing]->calls[START], 3);
		for (i = 0; i < 3; i++) {
			if (i == failing)
				continue;
			KUNIT_EXPECT_GE(test, sub[i]->calls[START], 2);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[END],
					sub[i]->calls[START]);
			KUNIT_EXPECT_EQ(test, sub[i]->unpaired, 0);
		}
	}
}

/* It fails and ends at once; the others are notified as usual */
static void nonblock_fails_and_goes(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *older = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *going = mn_kept_get(test, mm, &mn_kept_start_ops);
	struct mn_sub *newer = mn_sub_new(test, mm, &mn_pages_ops);

	going->start_ret = -EAGAIN;
	going->put_in_start = true;
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 4), -EAGAIN);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.freed_running), 0);
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 4), 0);
	KUNIT_EXPECT_EQ(test, older->calls[END], older->calls[START]);
	KUNIT_EXPECT_EQ(test, newer->calls[END], newer->calls[START]);
	KUNIT_EXPECT_EQ(test, older->unpaired + newer->unpaired, 0);
}

static void nonblock_all_fail(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub[2];
	int i;

	for (i = 0; i < 2; i++) {
		sub[i] = mn_sub_new(test, mm, &mn_start_ops);
		sub[i]->start_ret = -EAGAIN;
	}
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 1), -EAGAIN);
	KUNIT_EXPECT_GE(test, sub[0]->calls[START] + sub[1]->calls[START], 1);
}

/* ------------------------- ageing, secondary TLBs ------------------------- */

static void ageing(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *none = mn_sub_new(test, mm, &mn_no_ops);
	struct mn_sub *a = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *b = mn_sub_new(test, mm, &mn_pages_ops);
	unsigned long start = mn_page(5), end = mn_page(9);
	int young;

	for (young = 0; young < 4; young++) {
		unsigned int before;

		a->young = young & 1;
		b->young = young >> 1;

		KUNIT_EXPECT_EQ(test,
				!!mmu_notifier_clear_flush_young(mm, start,
								 end),
				!!young);
		/* the bits of all subscribers are cleared */
		KUNIT_EXPECT_EQ(test, a->calls[CLEAR_FLUSH_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, b->calls[CLEAR_FLUSH_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, a->start, start);
		KUNIT_EXPECT_EQ(test, a->end, end);
		KUNIT_EXPECT_PTR_EQ(test, a->mm, mm);

		KUNIT_EXPECT_EQ(test,
				!!mmu_notifier_clear_young(mm, start + PAGE_SIZE,
							   end),
				!!young);
		KUNIT_EXPECT_EQ(test, a->calls[CLEAR_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, b->calls[CLEAR_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, b->start, start + PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, b->end, end);

		/* to test, one that is young is enough */
		before = a->calls[TEST_YOUNG] + b->calls[TEST_YOUNG];
		KUNIT_EXPECT_EQ(test, !!mmu_notifier_test_young(mm, end),
				!!young);
		if (!young)
			KUNIT_EXPECT_EQ(test, a->calls[TEST_YOUNG] +
					b->calls[TEST_YOUNG], before + 2);
		else
			KUNIT_EXPECT_GT(test, a->calls[TEST_YOUNG] +
					b->calls[TEST_YOUNG], before);
		KUNIT_EXPECT_TRUE(test, a->start == end || b->start == end);
	}
	KUNIT_EXPECT_EQ(test, mn_sub_calls(none), 0);
	KUNIT_EXPECT_EQ(test, a->calls[START] + b->calls[START], 0);
}

static void ageing_of_nobody(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	KUNIT_EXPECT_EQ(test, mmu_notifier_clear_flush_young(mm, 0, PAGE_SIZE),
			0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_clear_young(mm, 0, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_test_young(mm, 0), 0);
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 1), 0);
	mn_notify_all(mm);
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
}

static void secondary_tlbs(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *own = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *a = mn_sub_new(test, mm, &mn_shared_ops);
	struct mn_sub *b = mn_sub_new(test, mm, &mn_shared_ops);

	/* as from a TLB flush: under a page table lock */
	spin_lock(&mm->page_table_lock);
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, mn_page(2), mn_page(7));
	spin_unlock(&mm->page_table_lock);
	KUNIT_EXPECT_EQ(test, a->calls[TLBS], 1);
	KUNIT_EXPECT_EQ(test, b->calls[TLBS], 1);
	KUNIT_EXPECT_EQ(test, a->start, mn_page(2));
	KUNIT_EXPECT_EQ(test, a->end, mn_page(7));
	KUNIT_EXPECT_PTR_EQ(test, a->mm, mm);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(own), 0);

	/* they are not notified of a range, only of the flush */
	mn_invalidate_at(mm, 0, 4);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(a), 1);
	KUNIT_EXPECT_EQ(test, own->calls[START], 1);

	mn_sub_unregister(test, a);
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, 0, -1UL);
	KUNIT_EXPECT_EQ(test, a->calls[TLBS], 1);
	KUNIT_EXPECT_EQ(test, b->calls[TLBS], 2);
	KUNIT_EXPECT_EQ(test, b->start, 0);
	KUNIT_EXPECT_EQ(test, b->end, -1UL);
}

static struct kunit_case delivery_cases[] = {
	KUNIT_CASE(start_then_end),
	KUNIT_CASE(every_event),
	KUNIT_CASE(nested_ranges),
	KUNIT_CASE(ranges_in_threads),
	KUNIT_CASE(nonblock),
	KUNIT_CASE(nonblock_fails),
	KUNIT_CASE(nonblock_fails_and_goes),
	KUNIT_CASE(nonblock_all_fail),
	KUNIT_CASE(ageing),
	KUNIT_CASE(ageing_of_nobody),
	KUNIT_CASE(secondary_tlbs),
	{ }
};

static struct kunit_suite mmu_notifier_delivery_suite = {
	.name = "mmu_notifier_delivery",
	.init = mn_sub_init,
	.test_cases = delivery_cases,
};

kunit_test_suite(mmu_notifier_delivery_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers: delivery");
MODULE_LICENSE("GPL");
