/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The accessed bits of many pages, asked for at once.
 *
 * Code that ages all pages of a page table asks subscribers once, and not for each
 * page.  First it finds out which pages it would ask for, then it asks, and then it
 * goes through the page table as it would without secondary MMUs:
 *
 *	if (mmu_notifier_young_pages_init(&pages, mm, start, end)) {
 *		for (each page that is to be aged)
 *			mmu_notifier_ask_young(&pages, addr);
 *		mmu_notifier_clear_young_pages(&pages);
 *	}
 *	for (each page)
 *		if (ptep_test_and_clear_young(...) ||
 *		    mmu_notifier_was_young(&pages, addr))
 *			...
 *
 * All this is done under the lock of the page table, so that what was mapped when
 * subscribers were asked still is when the answer is used.
 */
#ifndef _LINUX_MMU_NOTIFIER_YOUNG_H
#define _LINUX_MMU_NOTIFIER_YOUNG_H

#ifndef _LINUX_MMU_NOTIFIER_H
#error "Include <linux/mmu_notifier.h> instead"
#endif

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier_tlb.h>
#include <linux/types.h>

/*
 * For how many pages subscribers are asked at once.  Most page tables have no more
 * entries; those that have are asked for by parts, as this is on the stack.
 */
#define MMU_NOTIFIER_YOUNG_PAGES	512U

#ifdef CONFIG_MMU_NOTIFIER

/**
 * struct mmu_notifier_young_pages - pages of a page table, and which were accessed
 * @mm: the address space
 * @start: address of the first page
 * @nr: how many pages there are, %MMU_NOTIFIER_YOUNG_PAGES at most; 0 if no subscriber
 *	would be asked, and then what is done with them does nothing
 * @clear: the accessed bits are to be cleared
 * @asked: which pages are asked for: bit i is the page at @start + i * PAGE_SIZE
 * @young: which of them have been accessed
 */
struct mmu_notifier_young_pages {
	struct mm_struct *mm;
	unsigned long start;
	unsigned int nr;
	bool clear;
	DECLARE_BITMAP(asked, MMU_NOTIFIER_YOUNG_PAGES);
	DECLARE_BITMAP(young, MMU_NOTIFIER_YOUNG_PAGES);
};

bool __mmu_notifier_young_pages_init(struct mmu_notifier_young_pages *pages,
				     unsigned long start, unsigned long end);
void __mmu_notifier_clear_young_pages(struct mmu_notifier_young_pages *pages);
void __mmu_notifier_test_young_pages(struct mmu_notifier_young_pages *pages);

/**
 * mmu_notifier_young_pages_end - find out how far one question reaches
 * @start: address of the first page
 * @end: end address of those that are to be asked for, exclusive
 *
 * Return: the end address of those that can be asked for at once.
 */
static inline unsigned long mmu_notifier_young_pages_end(unsigned long start,
							 unsigned long end)
{
	return start + min(end - start, MMU_NOTIFIER_YOUNG_PAGES * PAGE_SIZE);
}

/**
 * mmu_notifier_young_pages_init - prepare to ask for the accessed bits of pages
 * @pages: what to fill in; none of the pages is asked for yet
 * @mm: the address space
 * @start: address of the first page
 * @end: end address, exclusive, of at most %MMU_NOTIFIER_YOUNG_PAGES pages
 *
 * Context: atomic.  The caller has the lock of the page table, until it has used the
 * answer.
 *
 * Return: false if no subscriber would be asked.  Then there is no need to find out
 * for which pages, and mmu_notifier_was_young() is false for all.
 */
static inline bool
mmu_notifier_young_pages_init(struct mmu_notifier_young_pages *pages,
			      struct mm_struct *mm, unsigned long start,
			      unsigned long end)
{
	pages->mm = mm;
	pages->nr = 0;
	return mm_has_notifiers(mm) &&
	       __mmu_notifier_young_pages_init(pages, start, end);
}

static inline unsigned int
mmu_notifier_young_pages_index(const struct mmu_notifier_young_pages *pages,
			       unsigned long address)
{
	return (address - pages->start) >> PAGE_SHIFT;
}

/* Whether the page has a bit in @bitmap, which is one of those of @pages */
static inline bool
mmu_notifier_young_pages_test(const struct mmu_notifier_young_pages *pages,
			      const unsigned long *bitmap, unsigned long address)
{
	return pages->nr &&
	       test_bit(mmu_notifier_young_pages_index(pages, address), bitmap);
}

/**
 * mmu_notifier_ask_young - ask for a page
 * @pages: the pages of a part of a page table
 * @address: the page's address, one of those that @pages was initialised with
 *
 * Context: any.
 */
static inline void mmu_notifier_ask_young(struct mmu_notifier_young_pages *pages,
					  unsigned long address)
{
	if (pages->nr)
		__set_bit(mmu_notifier_young_pages_index(pages, address),
			  pages->asked);
}

/**
 * mmu_notifier_is_asked - check whether a page is asked for
 * @pages: the pages of a part of a page table
 * @address: the page's address, one of those that @pages was initialised with
 *
 * Whoever asks only for pages that fulfil some condition need not look twice.
 *
 * Context: any.
 *
 * Return: true if mmu_notifier_ask_young() was called for it, and there is a subscriber
 * to ask.
 */
static inline bool
mmu_notifier_is_asked(const struct mmu_notifier_young_pages *pages,
		      unsigned long address)
{
	return mmu_notifier_young_pages_test(pages, pages->asked, address);
}

/**
 * mmu_notifier_clear_young_pages - test and clear accessed bits of secondary MMUs
 * @pages: those that were asked for
 *
 * As mmu_notifier_clear_young() for each of them.
 *
 * Context: atomic.  The lock of the page table is held.
 */
static inline void
mmu_notifier_clear_young_pages(struct mmu_notifier_young_pages *pages)
{
	if (mm_has_notifiers(pages->mm))
		__mmu_notifier_clear_young_pages(pages);
}

/**
 * mmu_notifier_test_young_pages - test accessed bits of secondary MMUs
 * @pages: those that were asked for
 *
 * As mmu_notifier_test_young() for each of them.
 *
 * Context: atomic.  The lock of the page table is held.
 */
static inline void
mmu_notifier_test_young_pages(struct mmu_notifier_young_pages *pages)
{
	if (mm_has_notifiers(pages->mm))
		__mmu_notifier_test_young_pages(pages);
}

/**
 * mmu_notifier_was_young - check whether a secondary MMU has accessed a page
 * @pages: the pages, for which subscribers have been asked
 * @address: the page's address, one of those that @pages was initialised with
 *
 * Context: any.
 *
 * Return: true if the page was asked for, and has been accessed.
 */
static inline bool
mmu_notifier_was_young(const struct mmu_notifier_young_pages *pages,
		       unsigned long address)
{
	return mmu_notifier_young_pages_test(pages, pages->young, address);
}

/**
 * mmu_notifier_nr_young - count the pages that a secondary MMU has accessed
 * @pages: the pages, for which subscribers have been asked
 *
 * Context: any.
 *
 * Return: how many of those asked for have been accessed.
 */
static inline unsigned int
mmu_notifier_nr_young(const struct mmu_notifier_young_pages *pages)
{
	return bitmap_weight(pages->young, pages->nr);
}

#else /* !CONFIG_MMU_NOTIFIER */

struct mmu_notifier_young_pages { };

static inline unsigned long mmu_notifier_young_pages_end(unsigned long start,
							 unsigned long end)
{
	return end;
}

static inline bool
mmu_notifier_young_pages_init(struct mmu_notifier_young_pages *pages,
			      struct mm_struct *mm, unsigned long start,
			      unsigned long end)
{
	return false;
}

static inline void mmu_notifier_ask_young(struct mmu_notifier_young_pages *pages,
					  unsigned long address)
{
}

static inline bool
mmu_notifier_is_asked(const struct mmu_notifier_young_pages *pages,
		      unsigned long address)
{
	return false;
}

static inline void
mmu_notifier_clear_young_pages(struct mmu_notifier_young_pages *pages)
{
}

static inline void
mmu_notifier_test_young_pages(struct mmu_notifier_young_pages *pages)
{
}

static inline bool
mmu_notifier_was_young(const struct mmu_notifier_young_pages *pages,
		       unsigned long address)
{
	return false;
}

static inline unsigned int
mmu_notifier_nr_young(const struct mmu_notifier_young_pages *pages)
{
	return 0;
}

#endif /* CONFIG_MMU_NOTIFIER */

#endif /* _LINUX_MMU_NOTIFIER_YOUNG_H */
