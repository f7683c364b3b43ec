/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an architecture's TLB flushes need of MMU notifiers: a secondary MMU that
 * walks the CPU's page tables has a TLB of its own, which must be flushed with the
 * CPU's.
 *
 * Small, since asm/tlbflush.h includes it and almost everything includes that.
 * Others include linux/mmu_notifier.h.
 */
#ifndef _LINUX_MMU_NOTIFIER_TLB_H
#define _LINUX_MMU_NOTIFIER_TLB_H

#include <linux/compiler.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier_debug.h>

#ifdef CONFIG_MMU_NOTIFIER

/* On while any mm has a subscription.  See mm/mmu_notifier_key.c. */
extern struct static_key_false_deferred mmu_notifier_key;

void __mmu_notifier_arch_invalidate_secondary_tlbs(struct mm_struct *mm,
						   unsigned long start,
						   unsigned long end);

/**
 * mm_has_notifiers - check whether @mm may have subscriptions
 * @mm: the address space
 *
 * While the caller holds mmap_lock, a VMA lock or a reverse map lock of the mm, false
 * means that no registration for ranges or TLBs has returned, nor will before the lock
 * is released: it takes all of them, after the subscription appears.  True may be stale.
 *
 * Return: non-zero if @mm has a subscription, or may have had one.
 */
static inline int mm_has_notifiers(struct mm_struct *mm)
{
	return static_branch_unlikely(&mmu_notifier_key.key) &&
	       READ_ONCE(mm->notifier_subscriptions);
}

/**
 * mmu_notifier_arch_invalidate_secondary_tlbs - flush TLBs that share the CPU's
 *						 page tables
 * @mm: the address space
 * @start: first address
 * @end: end address, exclusive
 *
 * For the architecture, wherever it flushes the CPU's TLBs.
 *
 * Context: atomic.
 */
static inline void
mmu_notifier_arch_invalidate_secondary_tlbs(struct mm_struct *mm,
					    unsigned long start,
					    unsigned long end)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, end);
}

#else /* !CONFIG_MMU_NOTIFIER */

static inline int mm_has_notifiers(struct mm_struct *mm)
{
	return 0;
}

static inline void
mmu_notifier_arch_invalidate_secondary_tlbs(struct mm_struct *mm,
					    unsigned long start,
					    unsigned long end)
{
}

#endif /* CONFIG_MMU_NOTIFIER */

#ifdef CONFIG_DEBUG_MMU_NOTIFIER

#define __mmu_notifier_hook_on(what, mm)					\
	(mm_has_notifiers(mm) &&					\
	 mmu_notifier_hook_hit(mmu_notifier_hook(what)))

/* Has the name of a function above, see linux/mmu_notifier_hooks.h. */
#define mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, end)	\
({									\
	struct mm_struct *__mm = (mm);					\
									\
	if (__mmu_notifier_hook_on("arch_invalidate_secondary_tlbs", __mm)) \
		mmu_notifier_arch_invalidate_secondary_tlbs(__mm, start, \
							    end);	\
})

#endif /* CONFIG_DEBUG_MMU_NOTIFIER */

#endif /* _LINUX_MMU_NOTIFIER_TLB_H */
