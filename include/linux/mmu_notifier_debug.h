/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What CONFIG_DEBUG_MMU_NOTIFIER adds to MMU notifiers: a name for every place
 * that tells secondary MMUs something, so that tests can make it keep silent,
 * and run-time checks of those who tell and those who listen.
 *
 * Without the option all of this is nothing.  Only linux/mmu_notifier.h and
 * whoever implements a secondary MMU needs to include it.
 */
#ifndef _LINUX_MMU_NOTIFIER_DEBUG_H
#define _LINUX_MMU_NOTIFIER_DEBUG_H

#include <linux/compiler.h>
#include <linux/types.h>

struct mmu_notifier;
struct mmu_notifier_range;
struct mmu_notifier_subscriptions;
struct mm_struct;
struct task_struct;

/**
 * enum mmu_notifier_fault - what the run-time checks find
 * @MMU_NOTIFIER_UNINITIALISED: a range is started that nobody initialised
 * @MMU_NOTIFIER_STARTED_TWICE: a range is started that has not ended
 * @MMU_NOTIFIER_REUSED: a range that has ended is started again as it is
 * @MMU_NOTIFIER_NOT_STARTED: a range ends that has not been started
 * @MMU_NOTIFIER_NOT_ENDED: the function that started a range returned, or the
 *	mm is freed, and the range has not ended
 * @MMU_NOTIFIER_SLEPT: a callback slept in a range that is not blockable
 * @MMU_NOTIFIER_NOT_SUBSCRIBED: a callback, an unregister, a put or a removal
 *	for a subscription that has ended or never began; told without
 *	CONFIG_DEBUG_MMU_NOTIFIER too, but for callbacks
 * @MMU_NOTIFIER_SUBSCRIBED_TWICE: a subscription is registered once more
 * @MMU_NOTIFIER_CHANGED_INSIDE: a callback registers with its own mm or waits
 *	for its callbacks, of which it is one
 * @MMU_NOTIFIER_EXIT_INSIDE: a callback drops the last reference of an mm
 * @NR_MMU_NOTIFIER_FAULTS: how many there are
 */
enum mmu_notifier_fault {
	MMU_NOTIFIER_UNINITIALISED,
	MMU_NOTIFIER_STARTED_TWICE,
	MMU_NOTIFIER_REUSED,
	MMU_NOTIFIER_NOT_STARTED,
	MMU_NOTIFIER_NOT_ENDED,
	MMU_NOTIFIER_SLEPT,
	MMU_NOTIFIER_NOT_SUBSCRIBED,
	MMU_NOTIFIER_SUBSCRIBED_TWICE,
	MMU_NOTIFIER_CHANGED_INSIDE,
	MMU_NOTIFIER_EXIT_INSIDE,
	NR_MMU_NOTIFIER_FAULTS,
};

/**
 * struct mmu_notifier_hook - a place in the kernel that tells secondary MMUs
 * @function: where it is
 * @file: and in which file
 * @what: what it tells
 * @line: where in the file, to tell two of the same name apart
 * @suppressed: it says nothing
 * @hits: how often it had something to say to a subscriber
 */
struct mmu_notifier_hook {
	const char *function;
	const char *file;
	const char *what;
	unsigned int line;
	bool suppressed;
	unsigned long hits;
} __aligned(8);

#ifdef CONFIG_DEBUG_MMU_NOTIFIER

/* The hook that the source line with this macro is. */
#define mmu_notifier_hook(_what)					\
({									\
	static struct mmu_notifier_hook __hook				\
	__used __aligned(8) __section("__mmu_notifier_hooks") = {	\
		.function = __func__,					\
		.file = __FILE__,					\
		.what = _what,						\
		.line = __LINE__,					\
	};								\
	&__hook;							\
})

/* Counts the hit.  Returns false if the hook is to keep silent. */
static inline bool mmu_notifier_hook_hit(struct mmu_notifier_hook *hook)
{
	/* A count that is a little off does no harm. */
	WRITE_ONCE(hook->hits, READ_ONCE(hook->hits) + 1);
	return !READ_ONCE(hook->suppressed);
}

/**
 * mmu_notifier_suppressed - is a step of a secondary MMU to be left out?
 * @what: the step
 *
 * For what a secondary MMU does to keep its translations right: the tests leave
 * it out and see to it that this is noticed.
 *
 * Return: whether to leave it out.
 */
#define mmu_notifier_suppressed(what)					\
	unlikely(!mmu_notifier_hook_hit(mmu_notifier_hook(what)))

enum mmu_notifier_range_state {
	MMU_NOTIFIER_RANGE_RAW = 0,
	MMU_NOTIFIER_RANGE_READY = 0x4d4e5201,
	MMU_NOTIFIER_RANGE_STARTED,
	MMU_NOTIFIER_RANGE_ENDED,
};

/* In struct mmu_notifier_range. */
struct mmu_notifier_range_debug {
	struct mmu_notifier_hook *hook;
	enum mmu_notifier_range_state state;
	bool silent;
};

void mmu_notifier_debug_init(struct mmu_notifier_range *range);
bool mmu_notifier_debug_start(struct mmu_notifier_range *range, bool heard);
void mmu_notifier_debug_cancel(struct mmu_notifier_range *range);
bool mmu_notifier_debug_end(struct mmu_notifier_range *range);
void mmu_notifier_debug_exit(void);
void mmu_notifier_debug_mm_freed(struct mm_struct *mm);

#else /* !CONFIG_DEBUG_MMU_NOTIFIER */

#define mmu_notifier_suppressed(what)	((void)(what), false)

struct mmu_notifier_range_debug { };

static inline void mmu_notifier_debug_init(struct mmu_notifier_range *range)
{
}

static inline bool mmu_notifier_debug_start(struct mmu_notifier_range *range,
					    bool heard)
{
	return true;
}

static inline void mmu_notifier_debug_cancel(struct mmu_notifier_range *range)
{
}

static inline bool mmu_notifier_debug_end(struct mmu_notifier_range *range)
{
	return true;
}

static inline void mmu_notifier_debug_mm_freed(struct mm_struct *mm)
{
}

#endif /* CONFIG_DEBUG_MMU_NOTIFIER */

#endif /* _LINUX_MMU_NOTIFIER_DEBUG_H */
