/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of MMU notifiers.  None is in an inline function: they fire only in
 * an mm that has, or has had, a subscription.
 *
 * See Documentation/trace/mmu_notifier.rst.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mmu_notifier

#if !defined(_TRACE_MMU_NOTIFIER_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MMU_NOTIFIER_H

#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/tracepoint.h>

#ifndef _TRACE_MMU_NOTIFIER_ENUMS
#define _TRACE_MMU_NOTIFIER_ENUMS

/* Of what kind a subscription is */
enum mmu_notifier_kind {
	MMU_NOTIFIER_KIND_LIST,		/* struct mmu_notifier */
	MMU_NOTIFIER_KIND_INTERVAL,	/* struct mmu_interval_notifier */
};

/* Which test of accessed bits */
enum mmu_notifier_young {
	MMU_NOTIFIER_CLEAR_FLUSH_YOUNG,
	MMU_NOTIFIER_CLEAR_YOUNG,
	MMU_NOTIFIER_TEST_YOUNG,
};

#endif /* _TRACE_MMU_NOTIFIER_ENUMS */

TRACE_DEFINE_ENUM(MMU_NOTIFIER_KIND_LIST);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_KIND_INTERVAL);

TRACE_DEFINE_ENUM(MMU_NOTIFIER_CLEAR_FLUSH_YOUNG);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_CLEAR_YOUNG);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_TEST_YOUNG);

TRACE_DEFINE_ENUM(MMU_NOTIFY_UNMAP);
TRACE_DEFINE_ENUM(MMU_NOTIFY_CLEAR);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_VMA);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_PAGE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_SOFT_DIRTY);
TRACE_DEFINE_ENUM(MMU_NOTIFY_RELEASE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_MIGRATE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_EXCLUSIVE);

TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_LOCKS);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_CALLBACKS);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_FREED);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_READ);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_REMOVE);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_MEMSLOTS);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_HVA);
TRACE_DEFINE_ENUM(MMU_NOTIFIER_WAIT_SPAN);

#define show_mmu_notifier_kind(kind)					\
	__print_symbolic(kind,						\
		{ MMU_NOTIFIER_KIND_LIST,		"list" },	\
		{ MMU_NOTIFIER_KIND_INTERVAL,		"interval" })

#define show_mmu_notifier_young(which)					\
	__print_symbolic(which,						\
		{ MMU_NOTIFIER_CLEAR_FLUSH_YOUNG,	"clear_flush_young" }, \
		{ MMU_NOTIFIER_CLEAR_YOUNG,		"clear_young" }, \
		{ MMU_NOTIFIER_TEST_YOUNG,		"test_young" })

#define show_mmu_notifier_event(event)					\
	__print_symbolic(event,						\
		{ MMU_NOTIFY_UNMAP,			"UNMAP" },	\
		{ MMU_NOTIFY_CLEAR,			"CLEAR" },	\
		{ MMU_NOTIFY_PROTECTION_VMA,		"PROTECTION_VMA" }, \
		{ MMU_NOTIFY_PROTECTION_PAGE,		"PROTECTION_PAGE" }, \
		{ MMU_NOTIFY_SOFT_DIRTY,		"SOFT_DIRTY" },	\
		{ MMU_NOTIFY_RELEASE,			"RELEASE" },	\
		{ MMU_NOTIFY_MIGRATE,			"MIGRATE" },	\
		{ MMU_NOTIFY_EXCLUSIVE,			"EXCLUSIVE" })

#define show_mmu_notifier_wait(kind)					\
	__print_symbolic(kind,						\
		{ MMU_NOTIFIER_WAIT_LOCKS,		"locks" },	\
		{ MMU_NOTIFIER_WAIT_CALLBACKS,		"callbacks" },	\
		{ MMU_NOTIFIER_WAIT_FREED,		"freed" },	\
		{ MMU_NOTIFIER_WAIT_READ,		"read" },	\
		{ MMU_NOTIFIER_WAIT_REMOVE,		"remove" },	\
		{ MMU_NOTIFIER_WAIT_MEMSLOTS,		"memslots" },	\
		{ MMU_NOTIFIER_WAIT_HVA,		"hva" },	\
		{ MMU_NOTIFIER_WAIT_SPAN,		"span" })

DECLARE_EVENT_CLASS(mmu_notifier_subscription,
		    TP_PROTO(struct mm_struct *mm, const void *ops,
			     enum mmu_notifier_kind kind),
		    TP_ARGS(mm, ops, kind),
		    TP_STRUCT__entry(__field(struct mm_struct *, mm)
				     __field(const void *, ops)
				     __field(int, kind)),
		    TP_fast_assign(__entry->mm = mm;
				   __entry->ops = ops;
				   __entry->kind = kind;),
		    TP_printk("mm=%p kind=%s ops=%ps",
			      __entry->mm, show_mmu_notifier_kind(__entry->kind),
			      __entry->ops));

/* A subscription begins. */
DEFINE_EVENT(mmu_notifier_subscription, mmu_notifier_register,
	     TP_PROTO(struct mm_struct *mm, const void *ops,
		      enum mmu_notifier_kind kind),
	     TP_ARGS(mm, ops, kind));

/* Its owner ends it: mmu_notifier_unregister(), the last put, a removal. */
DEFINE_EVENT(mmu_notifier_subscription, mmu_notifier_unregister,
	     TP_PROTO(struct mm_struct *mm, const void *ops,
		      enum mmu_notifier_kind kind),
	     TP_ARGS(mm, ops, kind));

/* It is about to be notified that the address space goes away. */
DEFINE_EVENT(mmu_notifier_subscription, mmu_notifier_release,
	     TP_PROTO(struct mm_struct *mm, const void *ops,
		      enum mmu_notifier_kind kind),
	     TP_ARGS(mm, ops, kind));

DECLARE_EVENT_CLASS(mmu_notifier_range,
		    TP_PROTO(const struct mmu_notifier_range *range),
		    TP_ARGS(range),
		    TP_STRUCT__entry(__field(struct mm_struct *, mm)
				     __field(unsigned long, start)
				     __field(unsigned long, end)
				     __field(int, event)
				     __field(bool, blockable)),
		    TP_fast_assign(__entry->mm = range->mm;
				   __entry->start = range->start;
				   __entry->end = range->end;
				   __entry->event = range->event;
				   __entry->blockable = mmu_notifier_range_blockable(range);),
		    TP_printk("mm=%p start=0x%lx end=0x%lx event=%s %s",
			      __entry->mm, __entry->start, __entry->end,
			      show_mmu_notifier_event(__entry->event),
			      __entry->blockable ? "blockable" : "nonblock"));

/* Before any subscriber is notified.  One that is refused has no end. */
DEFINE_EVENT(mmu_notifier_range, mmu_notifier_range_start,
	     TP_PROTO(const struct mmu_notifier_range *range),
	     TP_ARGS(range));

/* After all subscribers have been notified */
DEFINE_EVENT(mmu_notifier_range, mmu_notifier_range_end,
	     TP_PROTO(const struct mmu_notifier_range *range),
	     TP_ARGS(range));

/* A callback of either kind of subscription has returned. */
TRACE_EVENT(mmu_notifier_callback,
	    TP_PROTO(struct mm_struct *mm, const void *callback,
		     unsigned long start, unsigned long end, u64 duration,
		     int result),
	    TP_ARGS(mm, callback, start, end, duration, result),
	    TP_STRUCT__entry(__field(struct mm_struct *, mm)
			     __field(const void *, callback)
			     __field(unsigned long, start)
			     __field(unsigned long, end)
			     __field(u64, duration)
			     __field(int, result)),
	    TP_fast_assign(__entry->mm = mm;
			   __entry->callback = callback;
			   __entry->start = start;
			   __entry->end = end;
			   __entry->duration = duration;
			   __entry->result = result;),
	    TP_printk("mm=%p callback=%ps start=0x%lx end=0x%lx duration=%llu result=%d",
		      __entry->mm, __entry->callback, __entry->start, __entry->end,
		      __entry->duration, __entry->result));

/* invalidate() or invalidate_start() of an interval subscription has returned. */
TRACE_EVENT(mmu_notifier_interval,
	    TP_PROTO(const struct mmu_interval_notifier *sub, unsigned long seq,
		     u64 duration, bool result),
	    TP_ARGS(sub, seq, duration, result),
	    TP_STRUCT__entry(__field(struct mm_struct *, mm)
			     __field(const void *, ops)
			     __field(unsigned long, first)
			     __field(unsigned long, last)
			     __field(unsigned long, seq)
			     __field(u64, duration)
			     __field(bool, result)),
	    TP_fast_assign(__entry->mm = sub->mm;
			   __entry->ops = sub->ops;
			   __entry->first = sub->interval_tree.start;
			   __entry->last = sub->interval_tree.last;
			   __entry->seq = seq;
			   __entry->duration = duration;
			   __entry->result = result;),
	    TP_printk("mm=%p ops=%ps first=0x%lx last=0x%lx seq=%lu duration=%llu result=%d",
		      __entry->mm, __entry->ops, __entry->first, __entry->last,
		      __entry->seq, __entry->duration, __entry->result));

/*
 * The subscribers have been asked whether there was an access; or, if it was for each of
 * several pages, to how many of them.
 */
TRACE_EVENT(mmu_notifier_young,
	    TP_PROTO(struct mm_struct *mm, enum mmu_notifier_young which,
		     unsigned long start, unsigned long end, int young),
	    TP_ARGS(mm, which, start, end, young),
	    TP_STRUCT__entry(__field(struct mm_struct *, mm)
			     __field(int, which)
			     __field(unsigned long, start)
			     __field(unsigned long, end)
			     __field(int, young)),
	    TP_fast_assign(__entry->mm = mm;
			   __entry->which = which;
			   __entry->start = start;
			   __entry->end = end;
			   __entry->young = young;),
	    TP_printk("mm=%p which=%s start=0x%lx end=0x%lx young=%d",
		      __entry->mm, show_mmu_notifier_young(__entry->which),
		      __entry->start, __entry->end, __entry->young));

/* A wait is over; mm is NULL if it was for any. */
TRACE_EVENT(mmu_notifier_wait,
	    TP_PROTO(struct mm_struct *mm, enum mmu_notifier_wait_kind kind,
		     u64 duration),
	    TP_ARGS(mm, kind, duration),
	    TP_STRUCT__entry(__field(struct mm_struct *, mm)
			     __field(int, kind)
			     __field(u64, duration)),
	    TP_fast_assign(__entry->mm = mm;
			   __entry->kind = kind;
			   __entry->duration = duration;),
	    TP_printk("mm=%p kind=%s duration=%llu",
		      __entry->mm, show_mmu_notifier_wait(__entry->kind),
		      __entry->duration));

#endif /* _TRACE_MMU_NOTIFIER_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
