/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One flush of secondary TLBs for a batch of folios, as there is one of the CPU's.
 *
 * Code that unmaps many folios, and flushes TLBs once, says so of each range:
 *
 *	folio_lock(folio);
 *	mmu_notifier_range_init(&range, ...);
 *	if (mmu_notifier_range_has_notifiers(&range))
 *		mmu_notifier_range_defer(&range);
 *	mmu_notifier_invalidate_range_start(&range);
 *	...
 *	mmu_notifier_invalidate_range_end(&range);
 *	(the same for more folios)
 *	mmu_notifier_flush_batch();
 *	(now folios may be unlocked)
 *
 * Until the flush a secondary TLB may still lead to the folio.  So it stays locked; it
 * isn't written, freed or handed to anyone; and what is left in the page tables makes
 * whoever wants to map something there wait for the lock.  See mm/mmu_notifier_batch.c.
 */
#ifndef _LINUX_MMU_NOTIFIER_BATCH_H
#define _LINUX_MMU_NOTIFIER_BATCH_H

#ifndef _LINUX_MMU_NOTIFIER_H
#error "Include <linux/mmu_notifier.h> instead"
#endif

#include <linux/sched.h>

#ifdef CONFIG_MMU_NOTIFIER

void mmu_notifier_range_defer(struct mmu_notifier_range *range);
void __mmu_notifier_flush_batch(void);
void __mmu_notifier_flush_deferred(struct mm_struct *mm);

/**
 * mmu_notifier_batch_pending - check whether this task has to flush secondary TLBs
 *
 * Return: true if mmu_notifier_flush_batch() has something to do.
 */
static inline bool mmu_notifier_batch_pending(void)
{
	return current->tlb_ubc.nr_mms;
}

/**
 * mmu_notifier_flush_batch - flush secondary TLBs for the ranges of this task
 *
 * On return no secondary TLB has a translation from before the start of a range that
 * this task has deferred.
 *
 * Context: may sleep.
 */
static inline void mmu_notifier_flush_batch(void)
{
	if (mmu_notifier_batch_pending())
		__mmu_notifier_flush_batch();
}

/**
 * mmu_notifier_flush_deferred - flush secondary TLBs for all deferred ranges of an mm
 * @mm: the address space
 *
 * For code that finds an empty page table entry, and maps another page there: without a
 * range, and without the lock of a folio that was mapped there before.
 *
 * Context: atomic.  The caller has the lock of the page table, from before it looks at
 * the entry until it has set it.
 */
static inline void mmu_notifier_flush_deferred(struct mm_struct *mm)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_flush_deferred(mm);
}

#else /* !CONFIG_MMU_NOTIFIER */

static inline bool
mmu_notifier_range_has_notifiers(const struct mmu_notifier_range *range)
{
	return false;
}

static inline void mmu_notifier_range_defer(struct mmu_notifier_range *range)
{
}

static inline bool mmu_notifier_batch_pending(void)
{
	return false;
}

static inline void mmu_notifier_flush_batch(void)
{
}

static inline void mmu_notifier_flush_deferred(struct mm_struct *mm)
{
}

#endif /* CONFIG_MMU_NOTIFIER */

#endif /* _LINUX_MMU_NOTIFIER_BATCH_H */
