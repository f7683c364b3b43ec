// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: the accessed bits of many pages, asked for at once.
 *
 * Subscribers of both kinds, with the callback for many pages and without, must give
 * the answer that they would give page by page, and lose no accessed bit but of the
 * pages that they were asked for.
 */

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"

#define NR	MMU_NOTIFIER_YOUNG_PAGES

struct aged {
	struct mmu_notifier mn;
	DECLARE_BITMAP(accessed, NR);	/* bit i is mn_page(i) */
	unsigned int clears;
	unsigned int tests;
	unsigned int questions;
};

static struct aged *to_aged(struct mmu_notifier *mn)
{
	return container_of(mn, struct aged, mn);
}

static unsigned int page_nr(unsigned long address)
{
	return (address - mn_page(0)) / PAGE_SIZE;
}

static int aged_clear(struct mmu_notifier *mn, struct mm_struct *mm,
		      unsigned long start, unsigned long end)
{
	struct aged *sub = to_aged(mn);

	sub->clears++;
	/* Only one page at a time is expected. */
	return end == start + PAGE_SIZE &&
	       __test_and_clear_bit(page_nr(start), sub->accessed);
}

static int aged_test(struct mmu_notifier *mn, struct mm_struct *mm,
		     unsigned long address)
{
	struct aged *sub = to_aged(mn);

	sub->tests++;
	return test_bit(page_nr(address), sub->accessed);
}

static void aged_pages(struct mmu_notifier *mn,
		       struct mmu_notifier_young_pages *pages)
{
	struct aged *sub = to_aged(mn);
	unsigned int i, page;

	sub->questions++;
	for_each_set_bit(i, pages->asked, pages->nr) {
		page = page_nr(pages->start) + i;
		if (!test_bit(page, sub->accessed))
			continue;
		__set_bit(i, pages->young);
		if (pages->clear)
			__clear_bit(page, sub->accessed);
	}
}

static const struct mmu_notifier_ops by_page_ops = {
	.clear_flush_young	= aged_clear,
	.clear_young		= aged_clear,
	.test_young		= aged_test,
};

static const struct mmu_notifier_ops by_table_ops = {
	.clear_flush_young	= aged_clear,
	.clear_young		= aged_clear,
	.test_young		= aged_test,
	.young_pages		= aged_pages,
};

/* A TLB has nothing that could be tested. */
static const struct mmu_notifier_ops untested_ops = {
	.clear_flush_young	= aged_clear,
	.clear_young		= aged_clear,
};

static const struct mmu_notifier_ops spanned_ops = {
	.clear_flush_young	= aged_clear,
	.clear_young		= aged_clear,
	.test_young		= aged_test,
	.young_pages		= aged_pages,
	.only_spanned		= true,
};

static const struct mmu_notifier_ops ageless_ops = { };

static void aged_cleanup(void *data)
{
	struct aged *sub = data;

	if (!mn_test_lost())
		mmu_notifier_unregister(&sub->mn, sub->mn.mm);
}

static struct aged *aged_new(struct kunit *test, struct mm_struct *mm,
			     const struct mmu_notifier_ops *ops)
{
	struct aged *sub = mn_test_alloc(test, sizeof(*sub));

	sub->mn.ops = ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	mn_test_defer(test, aged_cleanup, sub);
	return sub;
}

static void access_every(struct aged *sub, unsigned int step)
{
	unsigned int i;

	for (i = 0; i < NR; i += step)
		__set_bit(i, sub->accessed);
}

/* Asks for every third page of [@first, @first + @nr). */
static bool ask_every_third(struct mmu_notifier_young_pages *pages,
			    struct mm_struct *mm, unsigned int first,
			    unsigned int nr)
{
	unsigned int i;

	if (!mmu_notifier_young_pages_init(pages, mm, mn_page(first),
					   mn_page(first + nr)))
		return false;
	for (i = first; i < first + nr; i += 3)
		mmu_notifier_ask_young(pages, mn_page(i));
	return true;
}

static struct mmu_notifier_young_pages *pages_alloc(struct kunit *test)
{
	return mn_test_alloc(test, sizeof(struct mmu_notifier_young_pages));
}

/* ------------------------------- the answer -------------------------------- */

/*
 * One subscriber accesses every second page, the other every fifth.  Those that were
 * asked for are every third one from @first on.
 */
static void expect_answer(struct kunit *test,
			  const struct mmu_notifier_young_pages *pages,
			  unsigned int first, unsigned int nr)
{
	unsigned int i, young = 0;

	for (i = first; i < first + nr; i++) {
		bool asked = !((i - first) % 3);
		bool expected = asked && (!(i % 2) || !(i % 5));

		KUNIT_EXPECT_EQ_MSG(test, mmu_notifier_is_asked(pages, mn_page(i)),
				    asked, "page %u", i);
		KUNIT_EXPECT_EQ_MSG(test, mmu_notifier_was_young(pages, mn_page(i)),
				    expected, "page %u", i);
		young += expected;
	}
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), young);
}

/* Only the bits of those that were asked for are cleared, in all subscribers. */
static void expect_cleared(struct kunit *test, struct aged *sub, unsigned int step,
			   unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < NR; i++) {
		bool cleared = i >= first && i < first + nr &&
			       !((i - first) % 3);

		KUNIT_EXPECT_EQ_MSG(test, test_bit(i, sub->accessed),
				    !(i % step) && !cleared, "page %u", i);
	}
}

/* Twice: what was cleared is old, what was only tested is not. */
static void ask_two(struct kunit *test, const struct mmu_notifier_ops *a_ops,
		    const struct mmu_notifier_ops *b_ops, unsigned int first,
		    unsigned int nr)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct aged *a = aged_new(test, mm, a_ops);
	struct aged *b = aged_new(test, mm, b_ops);
	int round;

	access_every(a, 2);
	access_every(b, 5);
	for (round = 0; round < 2; round++) {
		KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, first, nr));
		mmu_notifier_test_young_pages(pages);
		expect_answer(test, pages, first, nr);
	}

	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, first, nr));
	mmu_notifier_clear_young_pages(pages);
	expect_answer(test, pages, first, nr);
	expect_cleared(test, a, 2, first, nr);
	expect_cleared(test, b, 5, first, nr);

	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, first, nr));
	mmu_notifier_clear_young_pages(pages);
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), 0);
}

static void by_table(struct kunit *test)
{
	ask_two(test, &by_table_ops, &by_table_ops, 0, NR);
}

static void by_page(struct kunit *test)
{
	ask_two(test, &by_page_ops, &by_page_ops, 0, NR);
}

static void mixed(struct kunit *test)
{
	ask_two(test, &by_table_ops, &by_page_ops, 0, NR);
	ask_two(test, &by_page_ops, &by_table_ops, 0, NR);
}

static void part_of_table(struct kunit *test)
{
	ask_two(test, &by_table_ops, &by_page_ops, 7, 1);
	ask_two(test, &by_table_ops, &by_page_ops, 63, 66);
	ask_two(test, &by_page_ops, &by_table_ops, NR - 40, 40);
}

/* --------------------------- how often it is called ------------------------ */

static void calls(struct kunit *test)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct aged *table = aged_new(test, mm, &by_table_ops);
	struct aged *page = aged_new(test, mm, &by_page_ops);

	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, 0, 99));
	mmu_notifier_clear_young_pages(pages);
	KUNIT_EXPECT_EQ(test, table->questions, 1);
	KUNIT_EXPECT_EQ(test, page->clears, 33);
	KUNIT_EXPECT_EQ(test, page->tests, 0);

	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, 0, 99));
	mmu_notifier_test_young_pages(pages);
	KUNIT_EXPECT_EQ(test, table->questions, 2);
	KUNIT_EXPECT_EQ(test, page->clears, 33);
	KUNIT_EXPECT_EQ(test, page->tests, 33);
	KUNIT_EXPECT_EQ(test, table->clears + table->tests, 0);
}

/* To test, one that is young is enough.  To clear, all are asked. */
static void enough_to_test(struct kunit *test)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct aged *older = aged_new(test, mm, &by_page_ops);
	struct aged *newer = aged_new(test, mm, &by_page_ops);

	access_every(older, 1);
	access_every(newer, 1);
	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, 0, 99));
	mmu_notifier_test_young_pages(pages);
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), 33);
	KUNIT_EXPECT_EQ(test, older->tests + newer->tests, 33);

	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, 0, 99));
	mmu_notifier_clear_young_pages(pages);
	KUNIT_EXPECT_EQ(test, older->clears, 33);
	KUNIT_EXPECT_EQ(test, newer->clears, 33);
}

static void cannot_test(struct kunit *test)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct aged *sub = aged_new(test, mm, &untested_ops);

	access_every(sub, 1);
	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, 0, 99));
	mmu_notifier_test_young_pages(pages);
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), 0);
	KUNIT_EXPECT_EQ(test, sub->clears, 0);
	mmu_notifier_clear_young_pages(pages);
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), 33);
}

/* ------------------------------- nobody to ask ----------------------------- */

static void expect_nobody(struct kunit *test, struct mm_struct *mm,
			  unsigned int first, unsigned int nr)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);

	/* as a stack may be */
	memset(pages, 0xff, sizeof(*pages));
	KUNIT_EXPECT_FALSE(test, ask_every_third(pages, mm, first, nr));
	KUNIT_EXPECT_FALSE(test, mmu_notifier_was_young(pages, mn_page(first)));
	/* It is allowed, and does nothing. */
	mmu_notifier_ask_young(pages, mn_page(first));
	KUNIT_EXPECT_FALSE(test, mmu_notifier_is_asked(pages, mn_page(first)));
	mmu_notifier_test_young_pages(pages);
	mmu_notifier_clear_young_pages(pages);
	KUNIT_EXPECT_FALSE(test, mmu_notifier_was_young(pages, mn_page(first)));
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), 0);
}

static void nobody(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	expect_nobody(test, mm, 0, NR);
	aged_new(test, mm, &ageless_ops);
	expect_nobody(test, mm, 0, NR);
}

static void elsewhere(struct kunit *test)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct aged *sub = aged_new(test, mm, &spanned_ops);

	access_every(sub, 1);
	expect_nobody(test, mm, 0, NR);
	mmu_notifier_add_span(&sub->mn, mn_page(100), mn_page(110));
	expect_nobody(test, mm, 0, 100);
	expect_nobody(test, mm, 110, 100);
	KUNIT_EXPECT_EQ(test, sub->questions, 0);
	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, 0, 101));
	mmu_notifier_clear_young_pages(pages);
	KUNIT_EXPECT_EQ(test, sub->questions, 1);
}

static void no_page(struct kunit *test)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct aged *sub = aged_new(test, mm, &by_table_ops);

	access_every(sub, 1);
	KUNIT_EXPECT_TRUE(test, mmu_notifier_young_pages_init(pages, mm, mn_page(0),
							      mn_page(NR)));
	mmu_notifier_clear_young_pages(pages);
	mmu_notifier_test_young_pages(pages);
	KUNIT_EXPECT_EQ(test, sub->questions, 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), 0);
}

/* A subscription ends before the others are asked. */
static void ends_before(struct kunit *test)
{
	struct mmu_notifier_young_pages *pages = pages_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct aged *stays = aged_new(test, mm, &by_table_ops);
	struct aged *goes = aged_new(test, mm, &by_table_ops);

	access_every(goes, 1);
	KUNIT_ASSERT_TRUE(test, ask_every_third(pages, mm, 0, NR));
	kunit_release_action(test, aged_cleanup, goes);
	mmu_notifier_clear_young_pages(pages);
	KUNIT_EXPECT_EQ(test, stays->questions, 1);
	KUNIT_EXPECT_EQ(test, goes->questions, 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_nr_young(pages), 0);
}

/* ------------------------------ how far it goes ---------------------------- */

static void parts(struct kunit *test)
{
	unsigned long start = mn_page(0), end = mn_page(2 * NR + 1);

	KUNIT_EXPECT_EQ(test, mmu_notifier_young_pages_end(start, start), start);
	KUNIT_EXPECT_EQ(test, mmu_notifier_young_pages_end(start, mn_page(1)),
			mn_page(1));
	KUNIT_EXPECT_EQ(test, mmu_notifier_young_pages_end(start, mn_page(NR)),
			mn_page(NR));
	KUNIT_EXPECT_EQ(test, mmu_notifier_young_pages_end(start, end),
			mn_page(NR));
	KUNIT_EXPECT_EQ(test, mmu_notifier_young_pages_end(mn_page(2 * NR), end),
			end);
}

static struct kunit_case young_cases[] = {
	KUNIT_CASE(by_table),
	KUNIT_CASE(by_page),
	KUNIT_CASE(mixed),
	KUNIT_CASE(part_of_table),
	KUNIT_CASE(calls),
	KUNIT_CASE(enough_to_test),
	KUNIT_CASE(cannot_test),
	KUNIT_CASE(nobody),
	KUNIT_CASE(elsewhere),
	KUNIT_CASE(no_page),
	KUNIT_CASE(ends_before),
	KUNIT_CASE(parts),
	{ }
};

static struct kunit_suite mmu_notifier_young_suite = {
	.name = "mmu_notifier_young",
	.init = mn_test_init,
	.test_cases = young_cases,
};

kunit_test_suite(mmu_notifier_young_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers: accessed bits of many pages");
MODULE_LICENSE("GPL");
