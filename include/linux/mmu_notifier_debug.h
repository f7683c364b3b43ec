/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What CONFIG_DEBUG_MMU_NOTIFIER adds to MMU notifiers: a name for every place
 * that notifies secondary MMUs, so that tests can suppress it, and run-time
 * checks of callers and subscribers.
 *
 * Without the option all of it is empty.  Only linux/mmu_notifier.h and the
 * implementation of a secondary MMU need to include it.
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
 * @MMU_NOTIFIER_UNINITIALISED: start of a range that was never initialised
 * @MMU_NOTIFIER_STARTED_TWICE: start of a range that has not ended
 * @MMU_NOTIFIER_REUSED: start of a range that has ended, without initialising it
 *	again
 * @MMU_NOTIFIER_NOT_STARTED: end of a range that was never started
 * @MMU_NOTIFIER_NOT_ENDED: the function that started a range returned, or the
 *	mm is freed, and the range has not ended
 * @MMU_NOTIFIER_SLEPT: a callback slept in a range that may not block
 * @MMU_NOTIFIER_NOT_SUBSCRIBED: a callback, an unregister, a put or a removal
 *	for a subscription that has ended or never began; all but the callback
 *	are reported without CONFIG_DEBUG_MMU_NOTIFIER, too
 * @MMU_NOTIFIER_SUBSCRIBED_TWICE: registration of a subscription that is
 *	registered
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
 * struct mmu_notifier_hook - a place in the kernel that notifies secondary MMUs
 * @function: the function that it is in
 * @file: the file that it is in
 * @what: what it notifies them of
 * @line: the line that it is in, as two may have the same @function and @what
 * @suppressed: its notifications are dropped
 * @hits: how often it was reached with a subscriber to notify
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

/* Define a hook for the source line that this macro is used in. */
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

/* Count the hit.  Returns false if the hook is suppressed. */
static inline bool mmu_notifier_hook_hit(struct mmu_notifier_hook *hook)
{
	/* A count that misses a few does no harm. */
	WRITE_ONCE(hook->hits, READ_ONCE(hook->hits) + 1);
	return !READ_ONCE(hook->suppressed);
}

/**
 * mmu_notifier_suppressed - check whether a step of a secondary MMU is suppressed
 * @what: the step
 *
 * For what a secondary MMU does to keep its translations right: the tests
 * suppress it and make sure that this is noticed.
 *
 * Return: true if the step is to be left out.
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
	struct mm_struct *mm;		/* even if nobody is notified */
	enum mmu_notifier_range_state state;
	bool silent;
};

void mmu_notifier_debug_init(struct mmu_notifier_range *range,
			     struct mm_struct *mm);
bool mmu_notifier_debug_start(struct mmu_notifier_range *range,
			      bool subscribed);
void mmu_notifier_debug_cancel(struct mmu_notifier_range *range);
bool mmu_notifier_debug_end(struct mmu_notifier_range *range);
void mmu_notifier_debug_exit(void);
void mmu_notifier_debug_mm_freed(struct mm_struct *mm);

#else /* !CONFIG_DEBUG_MMU_NOTIFIER */

#define mmu_notifier_suppressed(what)	((void)(what), false)

struct mmu_notifier_range_debug { };

static inline void mmu_notifier_debug_init(struct mmu_notifier_range *range,
					   struct mm_struct *mm)
{
}

static inline bool mmu_notifier_debug_start(struct mmu_notifier_range *range,
					    bool subscribed)
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
