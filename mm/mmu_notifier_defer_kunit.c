// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: one flush for many ranges.
 *
 * A subscriber that may defer its flush keeps in its TLB what it has dropped. What must
 * hold is that it is flushed once for a batch, and at the latest when anything relies on
 * the TLB having nothing that isn't mapped.
 */

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

#define NR	16

/* Maps, and has in its TLB, the page at mn_page(i) if bit i is set */
struct lazy {
	struct mmu_notifier mn;
	spinlock_t lock;		/* the rest */
	DECLARE_BITMAP(mapped, NR);
	DECLARE_BITMAP(tlb, NR);
	unsigned int deferred;		/* starts whose flush may be deferred */
	unsigned int starts;		/* and others */
	unsigned int flushes;
	bool young;
	/* where a start that has dropped something waits */
	struct mn_gate *gate;
};

static struct lazy *to_lazy(struct mmu_notifier *mn)
{
	return container_of(mn, struct lazy, mn);
}

static int lazy_start(struct mmu_notifier *mn,
		      const struct mmu_notifier_range *range)
{
	struct lazy *sub = to_lazy(mn);
	unsigned int first = (range->start - mn_page(0)) / PAGE_SIZE;
	unsigned int nr = (range->end - range->start) / PAGE_SIZE;
	bool may_defer = mmu_notifier_range_may_defer(range);

	spin_lock(&sub->lock);
	bitmap_clear(sub->mapped, first, nr);
	if (may_defer) {
		sub->deferred++;
	} else {
		bitmap_clear(sub->tlb, first, nr);
		sub->starts++;
	}
	spin_unlock(&sub->lock);

	if (may_defer)
		mn_gate_pass(sub->gate);
	return 0;
}

static void lazy_flush(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct lazy *sub = to_lazy(mn);

	spin_lock(&sub->lock);
	bitmap_and(sub->tlb, sub->tlb, sub->mapped, NR);
	sub->flushes++;
	spin_unlock(&sub->lock);
}

static void lazy_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct lazy *sub = to_lazy(mn);

	/* It flushes what it drops here, and no more. */
	spin_lock(&sub->lock);
	bitmap_andnot(sub->tlb, sub->tlb, sub->mapped, NR);
	bitmap_zero(sub->mapped, NR);
	spin_unlock(&sub->lock);
}

static int lazy_young(struct mmu_notifier *mn, struct mm_struct *mm,
		      unsigned long start, unsigned long end)
{
	return to_lazy(mn)->young;
}

static const struct mmu_notifier_ops lazy_ops = {
	.release		= lazy_release,
	.invalidate_range_start	= lazy_start,
	.flush_deferred		= lazy_flush,
	.clear_flush_young	= lazy_young,
	.clear_young		= lazy_young,
};

static const struct mmu_notifier_ops lazy_spanned_ops = {
	.release		= lazy_release,
	.invalidate_range_start	= lazy_start,
	.flush_deferred		= lazy_flush,
	.only_spanned		= true,
};

/* Doesn't look at whether it may defer. */
static int eager_start(struct mmu_notifier *mn,
		       const struct mmu_notifier_range *range)
{
	to_lazy(mn)->starts++;
	return 0;
}

static const struct mmu_notifier_ops eager_ops = {
	.invalidate_range_start	= eager_start,
};

static void lazy_cleanup(void *data)
{
	struct lazy *sub = data;

	if (!mn_test_lost() && mmu_is_subscribed(&sub->mn.subscribed))
		mmu_notifier_unregister(&sub->mn, sub->mn.mm);
}

static struct lazy *sub_new(struct kunit *test, struct mm_struct *mm,
			    const struct mmu_notifier_ops *ops)
{
	struct lazy *sub = mn_test_alloc(test, sizeof(*sub));

	spin_lock_init(&sub->lock);
	bitmap_fill(sub->mapped, NR);
	bitmap_fill(sub->tlb, NR);
	sub->mn.ops = ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	mn_test_defer(test, lazy_cleanup, sub);
	return sub;
}

static void defer_unmap(struct mm_struct *mm, unsigned int page)
{
	struct mmu_notifier_range range;

	mmap_read_lock(mm);
	mn_range_init_at(&range, mm, page, 1);
	mmu_notifier_range_defer(&range);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
}

/* What is in the TLB only */
static unsigned int nr_stale(struct lazy *sub)
{
	DECLARE_BITMAP(stale, NR);

	bitmap_andnot(stale, sub->tlb, sub->mapped, NR);
	return bitmap_weight(stale, NR);
}

static void defer_once_for_a_batch(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);
	unsigned int i;

	KUNIT_EXPECT_FALSE(test, mmu_notifier_batch_pending());
	for (i = 0; i < 5; i++)
		defer_unmap(mm, i);
	KUNIT_EXPECT_TRUE(test, mmu_notifier_batch_pending());
	KUNIT_EXPECT_EQ(test, sub->deferred, 5);
	KUNIT_EXPECT_EQ(test, sub->flushes, 0);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 5);

	mmu_notifier_flush_batch();
	KUNIT_EXPECT_FALSE(test, mmu_notifier_batch_pending());
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);

	mmu_notifier_flush_batch();
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
}

/* Whatever it covers.  Then nothing is left for the batch. */
static void defer_until_a_later_range(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);
	struct mmu_notifier_range range;

	defer_unmap(mm, 0);
	mn_range_init_at(&range, mm, 8, 1);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_flush_batch();
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);

	/* And nothing for those that come when nothing is outstanding */
	mn_invalidate_at(mm, 9, 1);
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
}

static void defer_until_one_that_may_not_block(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);

	defer_unmap(mm, 0);
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 8, 1), 0);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
}

static void defer_until_something_is_mapped(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);

	mmu_notifier_flush_deferred(mm);
	KUNIT_EXPECT_EQ(test, sub->flushes, 0);
	defer_unmap(mm, 0);
	mmu_notifier_flush_deferred(mm);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
}

static void defer_until_ageing_flushes(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);

	defer_unmap(mm, 0);
	mmu_notifier_clear_flush_young(mm, mn_page(8), mn_page(9));
	KUNIT_EXPECT_EQ(test, sub->flushes, 0);
	sub->young = true;
	mmu_notifier_clear_young(mm, mn_page(8), mn_page(9));
	KUNIT_EXPECT_EQ(test, sub->flushes, 0);
	mmu_notifier_clear_flush_young(mm, mn_page(8), mn_page(9));
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
}

static void defer_until_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);

	defer_unmap(mm, 0);
	mmu_notifier_unregister(&sub->mn, mm);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
	mmu_notifier_flush_batch();
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
}

/* The batch pins what is left of the mm. */
static void defer_until_exit(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);
	int pins = atomic_read(&mm->mm_count);

	defer_unmap(mm, 0);
	defer_unmap(mm, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), pins + 1);
	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
	KUNIT_EXPECT_TRUE(test, mmu_notifier_batch_pending());
	mmu_notifier_flush_batch();
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
}

static void defer_in_two_mms(struct kunit *test)
{
	struct mm_struct *a = mn_test_mm(test), *b = mn_test_mm(test);
	struct lazy *sub_a = sub_new(test, a, &lazy_ops);
	struct lazy *sub_b = sub_new(test, b, &lazy_ops);

	defer_unmap(a, 0);
	defer_unmap(b, 0);
	defer_unmap(a, 1);
	mn_invalidate_at(a, 8, 1);
	KUNIT_EXPECT_EQ(test, nr_stale(sub_a), 0);
	KUNIT_EXPECT_EQ(test, nr_stale(sub_b), 1);
	defer_unmap(a, 2);

	mmu_notifier_flush_batch();
	KUNIT_EXPECT_EQ(test, nr_stale(sub_a), 0);
	KUNIT_EXPECT_EQ(test, nr_stale(sub_b), 0);
	KUNIT_EXPECT_EQ(test, sub_a->flushes, 2);
	KUNIT_EXPECT_EQ(test, sub_b->flushes, 1);
}

static void defer_in_too_many_mms(struct kunit *test)
{
	struct lazy *subs[MMU_NOTIFIER_BATCH_MMS + 1];
	unsigned int i, last = MMU_NOTIFIER_BATCH_MMS;

	for (i = 0; i <= last; i++) {
		struct mm_struct *mm = mn_test_mm(test);

		subs[i] = sub_new(test, mm, &lazy_ops);
		defer_unmap(mm, 0);
	}
	KUNIT_EXPECT_EQ(test, subs[last]->deferred, 0);
	KUNIT_EXPECT_EQ(test, subs[last]->starts, 1);
	KUNIT_EXPECT_EQ(test, nr_stale(subs[last]), 0);
	/* One that is remembered has its place. */
	defer_unmap(subs[0]->mn.mm, 1);
	KUNIT_EXPECT_EQ(test, subs[0]->deferred, 2);

	mmu_notifier_flush_batch();
	for (i = 0; i < last; i++) {
		KUNIT_EXPECT_EQ(test, subs[i]->flushes, 1);
		KUNIT_EXPECT_EQ(test, nr_stale(subs[i]), 0);
	}
}

static void defer_beside_one_that_does_not(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *eager = sub_new(test, mm, &eager_ops);
	struct lazy *sub;

	/* Alone, it leaves nothing to be flushed. */
	defer_unmap(mm, 0);
	KUNIT_EXPECT_FALSE(test, mmu_notifier_batch_pending());
	KUNIT_EXPECT_EQ(test, eager->starts, 1);

	sub = sub_new(test, mm, &lazy_ops);
	defer_unmap(mm, 1);
	KUNIT_EXPECT_EQ(test, eager->starts, 2);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 1);
	mmu_notifier_flush_batch();
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
}

static void defer_outside_of_the_span(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_spanned_ops);

	mmu_notifier_add_span(&sub->mn, mn_page(4), mn_page(8));
	defer_unmap(mm, 0);
	KUNIT_EXPECT_FALSE(test, mmu_notifier_batch_pending());
	defer_unmap(mm, 4);
	KUNIT_EXPECT_TRUE(test, mmu_notifier_batch_pending());
	mmu_notifier_flush_batch();
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);
}

static void unmap_and_flush_thread(void *data)
{
	struct lazy *sub = data;

	defer_unmap(sub->mn.mm, 0);
	mmu_notifier_flush_batch();
}

/*
 * A later range finds nothing of what a start has dropped that hasn't returned: it flushes
 * for it.  That doesn't count for the start, which may drop more.
 */
static void defer_while_a_start_runs(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lazy *sub = sub_new(test, mm, &lazy_ops);
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mn_thread *thread;

	sub->gate = gate;
	thread = mn_thread_run(test, unmap_and_flush_thread, sub);
	KUNIT_ASSERT_TRUE(test, mn_gate_reached(gate));
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 1);

	mn_invalidate_at(mm, 8, 1);
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
	KUNIT_EXPECT_EQ(test, sub->flushes, 1);

	/* As if it dropped something now */
	spin_lock(&sub->lock);
	__clear_bit(1, sub->mapped);
	spin_unlock(&sub->lock);
	mn_gate_open(gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_EQ(test, nr_stale(sub), 0);
	KUNIT_EXPECT_EQ(test, sub->flushes, 2);
}

static struct kunit_case defer_cases[] = {
	KUNIT_CASE(defer_once_for_a_batch),
	KUNIT_CASE(defer_until_a_later_range),
	KUNIT_CASE(defer_until_one_that_may_not_block),
	KUNIT_CASE(defer_until_something_is_mapped),
	KUNIT_CASE(defer_until_ageing_flushes),
	KUNIT_CASE(defer_until_unregister),
	KUNIT_CASE(defer_until_exit),
	KUNIT_CASE(defer_in_two_mms),
	KUNIT_CASE(defer_in_too_many_mms),
	KUNIT_CASE(defer_beside_one_that_does_not),
	KUNIT_CASE(defer_outside_of_the_span),
	KUNIT_CASE(defer_while_a_start_runs),
	{}
};

static struct kunit_suite mmu_notifier_defer_suite = {
	.name = "mmu_notifier_defer",
	.init = mn_test_init,
	.test_cases = defer_cases,
};

kunit_test_suite(mmu_notifier_defer_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers: one flush for many ranges");
MODULE_LICENSE("GPL");
