/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The oracle of the software secondary MMU: compares a translation with the
 * CPU's page tables.
 *
 * It knows what a translation looks like and where it is, and nothing else of the
 * secondary MMU.
 */
#ifndef _LIB_TEST_MMU_NOTIFIER_ORACLE_H
#define _LIB_TEST_MMU_NOTIFIER_ORACLE_H

#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct folio;
struct mm_struct;

/*
 * A translation is a value entry of an XArray, at the index of its virtual page:
 * permission, young bit, when it was set, and the page frame.
 */
#define ENTRY_WRITABLE	BIT(0)
#define ENTRY_YOUNG	BIT(1)
#define ENTRY_TIME	GENMASK(21, 2)
#define ENTRY_TIME_SHIFT 2
#define ENTRY_PFN_SHIFT	22

/* Marks one that was dropped, and is in a TLB that hasn't been flushed yet */
#define ENTRY_DROPPED	XA_MARK_1

static inline unsigned long entry_now(void)
{
	return ((unsigned long)jiffies_to_msecs(jiffies) << ENTRY_TIME_SHIFT) &
	       ENTRY_TIME;
}

static inline void *make_entry(unsigned long pfn, unsigned long flags)
{
	return xa_mk_value((pfn << ENTRY_PFN_SHIFT) | entry_now() | flags);
}

/* In ms */
static inline unsigned long entry_age(const void *entry)
{
	return ((entry_now() - xa_to_value(entry)) & ENTRY_TIME) >>
	       ENTRY_TIME_SHIFT;
}

static inline unsigned long entry_pfn(const void *entry)
{
	return xa_to_value(entry) >> ENTRY_PFN_SHIFT;
}

static inline bool entry_writable(const void *entry)
{
	return xa_to_value(entry) & ENTRY_WRITABLE;
}

/* What the CPU's page tables contain for one address. */
struct test_leaf {
	unsigned long pfn;
	unsigned long size;
	bool present, writable, young, dirty;
};

/**
 * struct test_verdict - what is judged, and the result
 * @mm: the address space
 * @entries: the translations
 * @addr: which translation
 * @entry: the translation that was found, or NULL
 * @leaf: what the CPU's page tables contain
 * @stale: whether the translation is stale
 */
struct test_verdict {
	struct mm_struct *mm;
	struct xarray *entries;
	unsigned long addr;
	void *entry;
	struct test_leaf leaf;
	bool stale;
};

int test_mn_judge(struct test_verdict *verdict);

struct test_leaf test_mn_walk_and_use(struct mm_struct *mm,
				      unsigned long addr);
struct folio *test_mn_get_mapped(struct mm_struct *mm, unsigned long addr,
				 const void *entry);

#endif /* _LIB_TEST_MMU_NOTIFIER_ORACLE_H */
