// SPDX-License-Identifier: GPL-2.0
/*
 * Software secondary MMU: its subscription, and how callbacks drop translations.
 *
 * There is a set of callbacks for each way in which real secondary MMUs work, see
 * enum test_mn_class.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/time64.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "test_mmu_notifier.h"

#define LONG_DELAY	10000	/* microseconds: a longer one can be cut short */

static struct workqueue_struct *remote_wq;

/* --- translations --------------------------------------------------------- */

/**
 * test_mn_set_young - set or clear the young bit of a translation
 * @mmu: the secondary MMU
 * @index: the number of the virtual page
 * @entry: the translation
 * @young: whether to set it
 *
 * Does nothing if @entry has been replaced.
 */
void test_mn_set_young(struct test_mmu *mmu, unsigned long index, void *entry,
		       bool young)
{
	unsigned long value = xa_to_value(entry) & ~ENTRY_YOUNG;

	if (young)
		value |= ENTRY_YOUNG;
	/* Replacing an entry allocates nothing. */
	xa_cmpxchg(&mmu->entries, index, entry, xa_mk_value(value), GFP_NOWAIT);
}

/*
 * What stays in the TLB was marked dirty when it was mapped for writing, so it may be
 * written to.
 */
static unsigned long drop(struct test_mmu *mmu, unsigned long start,
			  unsigned long end, bool keep_in_tlb)
{
	unsigned long index, dropped = 0;
	void *entry;

	xa_for_each_range(&mmu->entries, index, entry, start >> PAGE_SHIFT,
			  (end - 1) >> PAGE_SHIFT) {
		/* Only the TLB has it. */
		if (xa_get_mark(&mmu->entries, index, ENTRY_DROPPED))
			continue;
		if (keep_in_tlb)
			xa_set_mark(&mmu->entries, index, ENTRY_DROPPED);
		else if (!xa_erase(&mmu->entries, index))
			continue;
		dropped++;
	}
	return dropped;
}

/**
 * test_mn_drop_all - drop all translations
 * @mmu: the secondary MMU
 *
 * Return: how many there were.
 */
unsigned long test_mn_drop_all(struct test_mmu *mmu)
{
	return drop(mmu, 0, ULONG_MAX, false);
}

/* --- ranges --------------------------------------------------------------- */

/* In microseconds, for this thread */
static unsigned int delay_of(const struct test_delay *delay)
{
	/* Pairs with store_release_wake_up() in test_delay(). */
	unsigned int usecs = smp_load_acquire(&delay->usecs);
	pid_t tid = READ_ONCE(delay->tid);

	return !tid || tid == current->pid ? usecs : 0;
}

/**
 * test_mn_delay_at - sleep, to make a race more likely
 * @mmu: the secondary MMU
 * @point: where this is
 *
 * Context: may sleep.
 */
void test_mn_delay_at(struct test_mmu *mmu, enum test_mn_point point)
{
	struct test_delay *delay = &mmu->delays[point];
	unsigned int usecs = delay_of(delay);

	if (usecs > LONG_DELAY)
		wait_var_event_timeout(&delay->usecs,
				       READ_ONCE(delay->usecs) != usecs,
				       usecs_to_jiffies(usecs));
	else if (usecs)
		usleep_range(usecs, usecs + 1 + usecs / 4);
}

static void delay_range(struct test_mmu *mmu, enum test_mn_point point,
			const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		test_mn_delay_at(mmu, point);
}

/*
 * begin_range - drop the translations in a range and let none be set
 * @cur_seq: for an interval subscription, which does not count ranges itself
 * @defer: leave them in the TLB
 */
static void begin_range(struct test_mmu *mmu, unsigned long start,
			unsigned long end, enum mmu_notifier_event event,
			unsigned long cur_seq, bool defer)
{
	unsigned long dropped;

	spin_lock(&mmu->lock);
	if (mmu->kind == TEST_MN_INTERVAL) {
		mmu_interval_set_seq(&mmu->interval, cur_seq);
	} else {
		if (!mmu->in_progress) {
			mmu->range_start = start;
			mmu->range_end = end;
		} else {
			mmu->range_start = min(mmu->range_start, start);
			mmu->range_end = max(mmu->range_end, end);
		}
		WRITE_ONCE(mmu->in_progress, mmu->in_progress + 1);
	}

	if (mmu->class == TEST_MN_TLB &&
	    end - start > TLB_ENTRIES * PAGE_SIZE) {
		dropped = test_mn_drop_all(mmu);
		mmu->tlb_used = 0;
	} else {
		dropped = drop(mmu, start, end, defer);
	}
	spin_unlock(&mmu->lock);

	atomic64_add(dropped, &mmu->count.dropped[event]);
}

static void end_range(struct test_mmu *mmu)
{
	spin_lock(&mmu->lock);
	WRITE_ONCE(mmu->seq, mmu->seq + 1);
	if (mmu->in_progress)
		WRITE_ONCE(mmu->in_progress, mmu->in_progress - 1);
	else
		atomic64_inc(&mmu->count.unpaired);
	spin_unlock(&mmu->lock);
	wake_up_all(&mmu->wait);
}

/* A call to the remote side, which keeps the translations of TEST_MN_REMOTE. */
struct remote_call {
	struct work_struct work;
	struct completion done;
	struct test_mmu *mmu;
	unsigned long start, end;
	enum mmu_notifier_event event;
	unsigned long cur_seq;
};

static void remote_work(struct work_struct *work)
{
	struct remote_call *call = container_of(work, struct remote_call, work);

	test_mn_delay_at(call->mmu, TEST_MN_START);
	begin_range(call->mmu, call->start, call->end, call->event,
		    call->cur_seq, false);
	complete(&call->done);
}

static void begin_range_remotely(struct test_mmu *mmu,
				 const struct mmu_notifier_range *range,
				 unsigned long cur_seq)
{
	struct remote_call call = {
		.mmu = mmu,
		.start = range->start,
		.end = range->end,
		.event = range->event,
		.cur_seq = cur_seq,
	};

	init_completion(&call.done);
	INIT_WORK_ONSTACK(&call.work, remote_work);
	queue_work(remote_wq, &call.work);
	wait_for_completion(&call.done);
	destroy_work_on_stack(&call.work);
}

static bool may_defer(struct test_mmu *mmu,
		      const struct mmu_notifier_range *range)
{
	if (mmu->class != TEST_MN_DEFER || !mmu_notifier_range_may_defer(range))
		return false;
	atomic64_inc(&mmu->count.deferred);
	return true;
}

/* Returns false if it would have to wait in a range that may not block. */
static bool invalidate(struct test_mmu *mmu,
		       const struct mmu_notifier_range *range,
		       unsigned long cur_seq)
{
	if (mmu->class == TEST_MN_REMOTE &&
	    !mmu_notifier_range_blockable(range)) {
		atomic64_inc(&mmu->count.refused);
		return false;
	}

	test_mn_log(mmu, range);
	if (mmu->class == TEST_MN_REMOTE) {
		begin_range_remotely(mmu, range, cur_seq);
	} else {
		delay_range(mmu, TEST_MN_START, range);
		begin_range(mmu, range->start, range->end, range->event,
			    cur_seq, may_defer(mmu, range));
	}
	return true;
}

static struct test_mmu *mmu_of(struct mmu_notifier *sub)
{
	return container_of(sub, struct test_mmu, whole);
}

static int test_range_start(struct mmu_notifier *sub,
			    const struct mmu_notifier_range *range)
{
	return invalidate(mmu_of(sub), range, 0) ? 0 : -EAGAIN;
}

static void test_range_end(struct mmu_notifier *sub,
			   const struct mmu_notifier_range *range)
{
	delay_range(mmu_of(sub), TEST_MN_END, range);
	end_range(mmu_of(sub));
}

static bool test_invalidate(struct mmu_interval_notifier *interval,
			    const struct mmu_notifier_range *range,
			    unsigned long cur_seq)
{
	struct test_mmu *mmu = container_of(interval, struct test_mmu, interval);

	if (range->event == MMU_NOTIFY_RELEASE)
		atomic64_inc(&mmu->count.released);
	return invalidate(mmu, range, cur_seq);
}

/* Where nothing may sleep */
static void spin_at(struct test_mmu *mmu, enum test_mn_point point)
{
	unsigned int usecs = min_t(unsigned int, delay_of(&mmu->delays[point]),
				   LONG_DELAY);

	mdelay(usecs / USEC_PER_MSEC);
	udelay(usecs % USEC_PER_MSEC);
}

/* Under a page table lock, maybe; whoever uses what is dropped here has xa_lock. */
static void test_flush_deferred(struct mmu_notifier *sub, struct mm_struct *mm)
{
	struct test_mmu *mmu = mmu_of(sub);
	unsigned long index;
	void *entry;

	atomic64_inc(&mmu->count.flushes);
	spin_at(mmu, TEST_MN_FLUSH);
	xa_for_each_marked(&mmu->entries, index, entry, ENTRY_DROPPED)
		xa_erase(&mmu->entries, index);
}

static void test_release(struct mmu_notifier *sub, struct mm_struct *mm)
{
	struct test_mmu *mmu = mmu_of(sub);

	atomic64_inc(&mmu->count.released);
	spin_lock(&mmu->lock);
	test_mn_drop_all(mmu);
	spin_unlock(&mmu->lock);
}

/* Ageing runs under a page table lock, so without the device lock. */
static int age(struct test_mmu *mmu, unsigned long start, unsigned long end,
	       bool clear, atomic64_t *calls)
{
	unsigned long index;
	bool young = false;
	void *entry;

	atomic64_inc(calls);
	xa_for_each_range(&mmu->entries, index, entry, start >> PAGE_SHIFT,
			  (end - 1) >> PAGE_SHIFT) {
		if (!(xa_to_value(entry) & ENTRY_YOUNG) ||
		    xa_get_mark(&mmu->entries, index, ENTRY_DROPPED))
			continue;
		young = true;
		if (clear)
			test_mn_set_young(mmu, index, entry, false);
	}
	if (young)
		atomic64_inc(&mmu->count.young);
	return young;
}

static int test_flush_young(struct mmu_notifier *sub, struct mm_struct *mm,
			    unsigned long start, unsigned long end)
{
	return age(mmu_of(sub), start, end, true,
		   &mmu_of(sub)->count.flush_young);
}

static int test_clear_young(struct mmu_notifier *sub, struct mm_struct *mm,
			    unsigned long start, unsigned long end)
{
	return age(mmu_of(sub), start, end, true,
		   &mmu_of(sub)->count.clear_young);
}

static int test_test_young(struct mmu_notifier *sub, struct mm_struct *mm,
			   unsigned long address)
{
	unsigned long page = address & PAGE_MASK;

	return age(mmu_of(sub), page, page + PAGE_SIZE, false,
		   &mmu_of(sub)->count.test_young);
}

static void test_young_pages(struct mmu_notifier *sub,
			     struct mmu_notifier_young_pages *pages)
{
	struct test_mmu *mmu = mmu_of(sub);
	atomic64_t *asked = pages->clear ? &mmu->count.clear_young :
					   &mmu->count.test_young;
	unsigned long page;
	unsigned int i;

	atomic64_inc(&mmu->count.young_pages);
	for_each_set_bit(i, pages->asked, pages->nr) {
		page = pages->start + i * PAGE_SIZE;
		if (age(mmu, page, page + PAGE_SIZE, pages->clear, asked))
			__set_bit(i, pages->young);
	}
}

/* A TLB has no accessed bits: an entry counts as accessed, and is dropped. */
static int age_tlb(struct test_mmu *mmu, unsigned long start, unsigned long end,
		   atomic64_t *calls)
{
	bool young;

	atomic64_inc(calls);
	young = drop(mmu, start, end, false);
	if (young)
		atomic64_inc(&mmu->count.young);
	return young;
}

static int tlb_flush_young(struct mmu_notifier *sub, struct mm_struct *mm,
			   unsigned long start, unsigned long end)
{
	return age_tlb(mmu_of(sub), start, end,
		       &mmu_of(sub)->count.flush_young);
}

static int tlb_clear_young(struct mmu_notifier *sub, struct mm_struct *mm,
			   unsigned long start, unsigned long end)
{
	return age_tlb(mmu_of(sub), start, end,
		       &mmu_of(sub)->count.clear_young);
}

/*
 * To hardware a huge page is one entry of its TLB, which is dropped when any part
 * of it is flushed.  The CPU relies on that: it flushes a hugetlb page by its
 * first address alone.
 */
static unsigned long drop_huge(struct test_mmu *mmu, unsigned long start,
			       unsigned long end)
{
	unsigned long index = (start & PMD_MASK) >> PAGE_SHIFT;
	unsigned long last = ((end - 1) | ~PMD_MASK) >> PAGE_SHIFT;
	unsigned long dropped = 0;

	while (xa_find(&mmu->entries, &index, last, ENTRY_HUGE)) {
		if (xa_erase(&mmu->entries, index))
			dropped++;
	}
	return dropped;
}

static void sva_invalidate(struct mmu_notifier *sub, struct mm_struct *mm,
			   unsigned long start, unsigned long end)
{
	struct test_mmu *mmu = mmu_of(sub);
	unsigned long dropped;

	atomic64_inc(&mmu->count.tlb_flushes);
	atomic_inc(&mmu->flush_seq);
	/*
	 * Either this finds the entry that sva_fill() has set, or sva_fill() sees
	 * the new flush_seq.  Pairs with the smp_mb() there.
	 */
	smp_mb__after_atomic();
	dropped = drop(mmu, start, end, false);
	dropped += drop_huge(mmu, start, end);
	atomic64_add(dropped, &mmu->count.tlb_dropped);
}

static const struct mmu_notifier_ops page_table_ops = {
	.release = test_release,
	.invalidate_range_start = test_range_start,
	.invalidate_range_end = test_range_end,
	.clear_flush_young = test_flush_young,
	.clear_young = test_clear_young,
	.test_young = test_test_young,
	.young_pages = test_young_pages,
};

static const struct mmu_notifier_ops defer_ops = {
	.release = test_release,
	.invalidate_range_start = test_range_start,
	.invalidate_range_end = test_range_end,
	.flush_deferred = test_flush_deferred,
	.clear_flush_young = test_flush_young,
	.clear_young = test_clear_young,
	.test_young = test_test_young,
	.young_pages = test_young_pages,
};

static const struct mmu_notifier_ops tlb_ops = {
	.release = test_release,
	.invalidate_range_start = test_range_start,
	.invalidate_range_end = test_range_end,
	.clear_flush_young = tlb_flush_young,
	.clear_young = tlb_clear_young,
};

static const struct mmu_notifier_ops remote_ops = {
	.release = test_release,
	.invalidate_range_start = test_range_start,
	.invalidate_range_end = test_range_end,
};

static const struct mmu_notifier_ops sva_ops = {
	.release = test_release,
	.arch_invalidate_secondary_tlbs = sva_invalidate,
};

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate = test_invalidate,
};

static const struct mmu_notifier_ops *const ops_of_class[] = {
	[TEST_MN_PAGE_TABLE] = &page_table_ops,
	[TEST_MN_TLB] = &tlb_ops,
	[TEST_MN_REMOTE] = &remote_ops,
	[TEST_MN_SVA] = &sva_ops,
	[TEST_MN_DEFER] = &defer_ops,
};

/* --- subscribing ---------------------------------------------------------- */

/**
 * test_mn_subscribe - subscribe to the address space
 * @mmu: the secondary MMU
 * @attach: what part of it
 *
 * Return: 0 or an error.
 */
int test_mn_subscribe(struct test_mmu *mmu, const struct test_mn_attach *attach)
{
	if (mmu->kind == TEST_MN_INTERVAL)
		return mmu_interval_notifier_insert(&mmu->interval, mmu->mm,
						    attach->start, attach->len,
						    &interval_ops);
	mmu->whole.ops = ops_of_class[mmu->class];
	return mmu_notifier_register(&mmu->whole, mmu->mm);
}

/**
 * test_mn_unsubscribe - end the subscription
 * @mmu: the secondary MMU
 */
void test_mn_unsubscribe(struct test_mmu *mmu)
{
	if (mmu->kind == TEST_MN_INTERVAL)
		mmu_interval_notifier_remove(&mmu->interval);
	else
		mmu_notifier_unregister(&mmu->whole, mmu->mm);
}

/**
 * test_mn_remote_init - start the remote side of TEST_MN_REMOTE
 *
 * Return: 0 or -ENOMEM.
 */
int __init test_mn_remote_init(void)
{
	/* Reclaim waits for it. */
	remote_wq = alloc_workqueue("test_mmu_notifier",
				    WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return remote_wq ? 0 : -ENOMEM;
}

/**
 * test_mn_remote_exit - stop the remote side of TEST_MN_REMOTE
 */
void __init test_mn_remote_exit(void)
{
	destroy_workqueue(remote_wq);
}
