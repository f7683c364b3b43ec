// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: callbacks and waits, observed.
 *
 * Around a callback that is observed there is a record of it, a reading of the
 * clock before and after, the figures and the tracepoints.  There is a function for
 * each kind of callback, apart from those that deliver, so that these are as short
 * as they would be if nothing could be observed.
 *
 * No lock is held here, and none is needed: delivery keeps the subscription and the
 * mm alive.
 */
#include <linux/export.h>
#include <linux/mmu_notifier.h>

#define CREATE_TRACE_POINTS
#include <trace/events/mmu_notifier.h>

#include "mmu_notifier_internal.h"

/* --- callbacks ------------------------------------------------------------ */

static bool are_timed(void)
{
	return IS_ENABLED(CONFIG_MMU_NOTIFIER_STATS) ||
	       trace_mmu_notifier_callback_enabled() ||
	       trace_mmu_notifier_interval_enabled();
}

static void call_begin(struct mmu_notifier_call *call, struct mm_struct *mm,
		       const void *callback)
{
	call->mm = mm;
	call->callback = callback;
	call->since = are_timed() ? mmu_notifier_now() : 0;
	mmu_notifier_record_call(call);
}

/* Returns how long it took. */
static u64 call_end(struct mmu_notifier_call *call, unsigned long start,
		    unsigned long end, int result)
{
	u64 ns = 0;

	if (call->since)
		ns = mmu_notifier_now() - call->since;
	mmu_notifier_forget_call(call, ns);
	/* A tracepoint may have been turned on since. */
	if (call->since)
		trace_mmu_notifier_callback(call->mm, call->callback, start,
					    end, ns, result);
	return ns;
}

int mmu_notifier_observe_start(struct mmu_notifier *sub,
			       const struct mmu_notifier_range *range)
{
	struct mmu_notifier_call call;
	int ret;

	call_begin(&call, range->mm, sub->ops->invalidate_range_start);
	ret = sub->ops->invalidate_range_start(sub, range);
	call_end(&call, range->start, range->end, ret);
	return ret;
}

void mmu_notifier_observe_finish(struct mmu_notifier *sub,
				 const struct mmu_notifier_range *range)
{
	struct mmu_notifier_call call;

	call_begin(&call, range->mm, sub->ops->invalidate_range_start_finish);
	sub->ops->invalidate_range_start_finish(sub, range);
	call_end(&call, range->start, range->end, 0);
}

void mmu_notifier_observe_end(struct mmu_notifier *sub,
			      const struct mmu_notifier_range *range)
{
	struct mmu_notifier_call call;

	call_begin(&call, range->mm, sub->ops->invalidate_range_end);
	sub->ops->invalidate_range_end(sub, range);
	call_end(&call, range->start, range->end, 0);
}

int mmu_notifier_observe_clear_young(struct mmu_notifier *sub,
				     mmu_notifier_clear_young_t callback,
				     struct mm_struct *mm, unsigned long start,
				     unsigned long end)
{
	struct mmu_notifier_call call;
	int young;

	call_begin(&call, mm, callback);
	young = callback(sub, mm, start, end);
	call_end(&call, start, end, young);
	return young;
}

int mmu_notifier_observe_test_young(struct mmu_notifier *sub,
				    struct mm_struct *mm,
				    unsigned long address)
{
	struct mmu_notifier_call call;
	int young;

	call_begin(&call, mm, sub->ops->test_young);
	young = sub->ops->test_young(sub, mm, address);
	call_end(&call, address, address + 1, young);
	return young;
}

void mmu_notifier_observe_young_pages(struct mmu_notifier *sub,
				      struct mmu_notifier_young_pages *pages)
{
	struct mmu_notifier_call call;

	call_begin(&call, pages->mm, sub->ops->young_pages);
	sub->ops->young_pages(sub, pages);
	call_end(&call, pages->start, pages->start + pages->nr * PAGE_SIZE, 0);
}

void mmu_notifier_observe_tlbs(struct mmu_notifier *sub, struct mm_struct *mm,
			       unsigned long start, unsigned long end)
{
	struct mmu_notifier_call call;

	call_begin(&call, mm, sub->ops->arch_invalidate_secondary_tlbs);
	sub->ops->arch_invalidate_secondary_tlbs(sub, mm, start, end);
	call_end(&call, start, end, 0);
}

void mmu_notifier_observe_release(struct mmu_notifier *sub,
				  struct mm_struct *mm)
{
	struct mmu_notifier_call call;

	call_begin(&call, mm, sub->ops->release);
	sub->ops->release(sub, mm);
	call_end(&call, 0, ULONG_MAX, 0);
}

bool mmu_notifier_observe_invalidate(struct mmu_interval_notifier *sub,
				     const struct mmu_notifier_range *range,
				     unsigned long cur_seq,
				     struct mmu_interval_notifier_finish **finish)
{
	struct mmu_notifier_call call;
	bool done;
	u64 ns;

	if (range->event == MMU_NOTIFY_RELEASE)
		trace_mmu_notifier_release(range->mm, sub->ops,
					   MMU_NOTIFIER_KIND_INTERVAL);
	call_begin(&call, range->mm, mmu_interval_callback(sub->ops));
	done = mmu_interval_invalidate(sub, range, cur_seq, finish);
	ns = call_end(&call, range->start, range->end, done);
	if (call.since)
		trace_mmu_notifier_interval(sub, cur_seq, ns, done);
	return done;
}

void mmu_notifier_observe_invalidate_finish(struct mmu_interval_notifier_finish *finish,
					    const struct mmu_notifier_range *range)
{
	const struct mmu_interval_notifier_ops *ops = finish->notifier->ops;
	struct mmu_notifier_call call;

	call_begin(&call, range->mm, ops->invalidate_finish);
	ops->invalidate_finish(finish);
	call_end(&call, range->start, range->end, 0);
}

/* --- waits ---------------------------------------------------------------- */

/**
 * mmu_notifier_wait_begin - say that this task is about to wait
 * @wait: on the stack until mmu_notifier_wait_end(), which must follow
 * @mm: whose ranges or callbacks it waits for; NULL if it may be any
 * @kind: what it waits for
 *
 * With CONFIG_MMU_NOTIFIER_STATS a wait that takes longer than the parameter
 * mmu_notifier.stuck_seconds is reported, once, with what it waits for.
 *
 * Context: may sleep.  The caller keeps @mm from being freed.
 */
void mmu_notifier_wait_begin(struct mmu_notifier_wait *wait,
			     struct mm_struct *mm,
			     enum mmu_notifier_wait_kind kind)
{
	wait->mm = mm;
	wait->kind = kind;
	wait->since = 0;
	if (IS_ENABLED(CONFIG_MMU_NOTIFIER_STATS) ||
	    trace_mmu_notifier_wait_enabled())
		wait->since = mmu_notifier_now();
	mmu_notifier_stuck_begin(wait);
}
EXPORT_SYMBOL_GPL(mmu_notifier_wait_begin);

/**
 * mmu_notifier_wait_end - say that this task does not wait any more
 * @wait: as given to mmu_notifier_wait_begin()
 *
 * Context: may sleep.
 */
void mmu_notifier_wait_end(struct mmu_notifier_wait *wait)
{
	u64 ns;

	mmu_notifier_stuck_end(wait);
	/* The tracepoint may have been turned on since. */
	if (!wait->since)
		return;
	ns = mmu_notifier_now() - wait->since;
	mmu_notifier_count_wait(wait->mm, ns);
	trace_mmu_notifier_wait(wait->mm, wait->kind, ns);
}
EXPORT_SYMBOL_GPL(mmu_notifier_wait_end);
