/* SPDX-License-Identifier: GPL-2.0 */
/*
 * With CONFIG_DEBUG_MMU_NOTIFIER, every call that notifies secondary MMUs is a
 * hook named after the function that makes the call.
 *
 * A function can't know its caller's name, so each notifying function of
 * linux/mmu_notifier.h gets a macro of the same name, which expands to a hook
 * and a call of the function.  For that the macros must come after all the
 * functions: linux/mmu_notifier.h includes this file at its end, and nothing
 * else does.
 *
 * Without the option, those that describe a range get macros that don't evaluate the
 * description if there is no subscription in the system.
 */
#ifndef _LINUX_MMU_NOTIFIER_HOOKS_H
#define _LINUX_MMU_NOTIFIER_HOOKS_H

#ifndef _LINUX_MMU_NOTIFIER_H
#error "Include <linux/mmu_notifier.h> instead"
#endif

#ifdef CONFIG_DEBUG_MMU_NOTIFIER

#define mmu_notifier_range_init(range, event, ...)			\
({									\
	struct mmu_notifier_range *__range = (range);			\
									\
	mmu_notifier_range_init(__range, event, __VA_ARGS__);		\
	__range->debug.hook = mmu_notifier_hook(#event);		\
})
#define mmu_notifier_range_init_owner(range, event, ...)		\
({									\
	struct mmu_notifier_range *__range = (range);			\
									\
	mmu_notifier_range_init_owner(__range, event, __VA_ARGS__);	\
	__range->debug.hook = mmu_notifier_hook(#event);		\
})

#define mmu_notifier_clear_flush_young(mm, start, end)			\
({									\
	struct mm_struct *__mm = (mm);					\
									\
	__mmu_notifier_hook_on("clear_flush_young", __mm) ?		\
		mmu_notifier_clear_flush_young(__mm, start, end) : 0;	\
})
#define mmu_notifier_clear_young(mm, start, end)			\
({									\
	struct mm_struct *__mm = (mm);					\
									\
	__mmu_notifier_hook_on("clear_young", __mm) ?			\
		mmu_notifier_clear_young(__mm, start, end) : 0;		\
})
#define mmu_notifier_test_young(mm, address)				\
({									\
	struct mm_struct *__mm = (mm);					\
									\
	__mmu_notifier_hook_on("test_young", __mm) ?			\
		mmu_notifier_test_young(__mm, address) : 0;		\
})
#define mmu_notifier_clear_young_pages(pages)				\
({									\
	struct mmu_notifier_young_pages *__pages = (pages);		\
									\
	if (__pages->nr &&						\
	    __mmu_notifier_hook_on("clear_young", __pages->mm))		\
		mmu_notifier_clear_young_pages(__pages);		\
})
#define mmu_notifier_test_young_pages(pages)				\
({									\
	struct mmu_notifier_young_pages *__pages = (pages);		\
									\
	if (__pages->nr &&						\
	    __mmu_notifier_hook_on("test_young", __pages->mm))		\
		mmu_notifier_test_young_pages(__pages);			\
})
#define mmu_notifier_release(mm)					\
({									\
	struct mm_struct *__mm = (mm);					\
									\
	mmu_notifier_debug_exit();					\
	if (__mmu_notifier_hook_on("release", __mm))			\
		mmu_notifier_release(__mm);				\
})

#elif defined(CONFIG_MMU_NOTIFIER)

#define mmu_notifier_range_init_owner(range, ...)			\
({									\
	struct mmu_notifier_range *__range = (range);			\
									\
	if (static_branch_unlikely(&mmu_notifier_key.key))		\
		__mmu_notifier_range_describe(__range, __VA_ARGS__);	\
	else								\
		__mmu_notifier_range_for_nobody(__range);		\
})
#define mmu_notifier_range_init(range, ...)				\
	mmu_notifier_range_init_owner(range, __VA_ARGS__, NULL)

#endif /* CONFIG_DEBUG_MMU_NOTIFIER */

#endif /* _LINUX_MMU_NOTIFIER_HOOKS_H */
