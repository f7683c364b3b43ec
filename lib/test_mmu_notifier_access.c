// SPDX-License-Identifier: GPL-2.0
/*
 * Software secondary MMU: how translations are set and used.
 *
 * A stale translation is never followed: the memory is accessed only under a page
 * reference that was just taken from the CPU's page table.
 */
#include <linux/atomic.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "test_mmu_notifier.h"

/* --- faults --------------------------------------------------------------- */

static int wait_for_ranges(struct test_mmu *mmu)
{
	/* Ranges may follow one another forever; a fault goes on regardless. */
	if (wait_event_killable_timeout(mmu->wait, !READ_ONCE(mmu->in_progress),
					msecs_to_jiffies(20)) < 0)
		return -EINTR;
	return 0;
}

static int sample(struct test_mmu *mmu, unsigned long *seq)
{
	if (mmu->kind == TEST_MN_INTERVAL) {
		*seq = mmu_interval_read_begin(&mmu->interval);
		return 0;
	}
	if (mmu->class == TEST_MN_TLB && wait_for_ranges(mmu))
		return -EINTR;
	*seq = READ_ONCE(mmu->seq);
	/*
	 * If this counts the end of a range, the lookup must see what the range
	 * has changed.  end_range() increments it under the lock.
	 */
	smp_rmb();
	return 0;
}

static bool must_retry(struct test_mmu *mmu, unsigned long addr,
		       unsigned long seq)
{
	lockdep_assert_held(&mmu->lock);
	if (mmu->kind == TEST_MN_INTERVAL)
		return mmu_interval_read_retry(&mmu->interval, seq);
	if (mmu->seq != seq)
		return true;
	if (!mmu->in_progress)
		return false;
	return mmu->class == TEST_MN_TLB ||
	       (addr >= mmu->range_start && addr < mmu->range_end);
}

/*
 * A page that only the TLB had, and that the CPU maps now, was mapped all the time: the
 * reverse map also leads to where a page isn't, or isn't any more.  The TLB keeps what it
 * may.  Another page must not be there before the flush.
 */
static int store_entry(struct test_mmu *mmu, unsigned long index,
		       unsigned long pfn, unsigned long flags)
{
	struct xarray *entries = &mmu->entries;
	int ret = -ENOMEM;
	void *old;

	xa_lock(entries);
	old = xa_load(entries, index);
	if (old && xa_get_mark(entries, index, ENTRY_DROPPED)) {
		if (entry_pfn(old) != pfn)
			goto unlock;
		__xa_clear_mark(entries, index, ENTRY_DROPPED);
		if (entry_writable(old))
			flags |= ENTRY_WRITABLE;
	}
	/* Memory was reserved, but an invalidation drops the reservation. */
	ret = xa_err(__xa_store(entries, index, make_entry(pfn, flags),
				GFP_NOWAIT | __GFP_NOWARN));
unlock:
	xa_unlock(entries);
	return ret;
}

static int set_entry(struct test_mmu *mmu, unsigned long addr,
		     unsigned long pfn, unsigned long flags)
{
	lockdep_assert_held(&mmu->lock);
	if (mmu->class == TEST_MN_TLB && mmu->tlb_used++ >= TLB_ENTRIES) {
		test_mn_drop_all(mmu);
		mmu->tlb_used = 1;
	}
	return store_entry(mmu, addr >> PAGE_SHIFT, pfn, flags);
}

/* What a fault may return; everything else means that the address is bad. */
static int fault_error(long error)
{
	return error == -ENOMEM || error == -EINTR ? error : -EFAULT;
}

static int fill(struct test_mmu *mmu, unsigned long addr, bool write)
{
	bool retry = false;
	struct page *page;
	unsigned long seq;
	int ret;

	if (sample(mmu, &seq))
		return -EINTR;
	test_mn_delay_at(mmu, TEST_MN_LOOKUP);

	ret = get_user_pages_fast(addr, 1, write ? FOLL_WRITE : 0, &page);
	if (ret != 1)
		return fault_error(ret);
	/* While the reference is held.  Whatever cleans it later invalidates. */
	if (write)
		set_page_dirty_lock(page);
	test_mn_delay_at(mmu, TEST_MN_SET);

	spin_lock(&mmu->lock);
	if (must_retry(mmu, addr, seq))
		retry = true;
	else
		ret = set_entry(mmu, addr, page_to_pfn(page),
				write ? ENTRY_WRITABLE : 0);
	spin_unlock(&mmu->lock);
	put_page(page);

	if (retry)
		return wait_for_ranges(mmu) ?: -EAGAIN;
	return ret == -ENOMEM ? -EAGAIN : 0;
}

static int sva_fault(struct test_mmu *mmu, unsigned long addr, bool write)
{
	bool unlocked = false;
	int ret;

	if (mmap_read_lock_killable(mmu->mm))
		return -EINTR;
	ret = fixup_user_fault(mmu->mm, addr, write ? FAULT_FLAG_WRITE : 0,
			       &unlocked);
	mmap_read_unlock(mmu->mm);
	return ret ? fault_error(ret) : -EAGAIN;
}

/*
 * sva_fill - take a translation from the CPU's page table
 *
 * Hardware does this in one step, with the flush before or after it.  Here a flush
 * in the middle either finds the entry, or is noticed afterwards.
 *
 * A page table entry that is used becomes young at the same time, and for writing
 * it must be dirty, which the fault handler sees to: the CPU need not flush what
 * nothing can have cached.
 */
static int sva_fill(struct test_mmu *mmu, unsigned long addr, bool write)
{
	int seq = atomic_read(&mmu->flush_seq);
	struct test_leaf leaf;
	int ret;

	/*
	 * If this counts a flush, the walk must see the change of the page table
	 * that came before the flush.  Pairs with atomic_inc() in
	 * sva_invalidate().
	 */
	smp_rmb();
	test_mn_delay_at(mmu, TEST_MN_LOOKUP);
	leaf = test_mn_walk_and_use(mmu->mm, addr);
	if (!leaf.present || !leaf.young ||
	    (write && !(leaf.writable && leaf.dirty)))
		return sva_fault(mmu, addr, write);
	if (leaf.size > PMD_SIZE)
		return -EFAULT;
	test_mn_delay_at(mmu, TEST_MN_SET);

	spin_lock(&mmu->lock);
	ret = set_entry(mmu, addr, leaf.pfn, write ? ENTRY_WRITABLE : 0);
	if (leaf.size == PMD_SIZE)
		xa_set_mark(&mmu->entries, addr >> PAGE_SHIFT, ENTRY_HUGE);
	/*
	 * Either sva_invalidate() finds the entry, or this sees its flush_seq.
	 * Pairs with smp_mb__after_atomic() there.
	 */
	smp_mb();
	if (atomic_read(&mmu->flush_seq) != seq) {
		xa_erase(&mmu->entries, addr >> PAGE_SHIFT);
		ret = -EAGAIN;
	}
	spin_unlock(&mmu->lock);
	return ret == -ENOMEM ? -EAGAIN : ret;
}

/**
 * test_mn_map - set the translation of an address
 * @mmu: the secondary MMU
 * @addr: the address
 * @write: for writing
 *
 * Return: 0; -EINVAL if @addr is not in the range of an interval subscription,
 * -EFAULT if the memory can't be accessed that way, -EINTR or -ENOMEM.
 */
int test_mn_map(struct test_mmu *mmu, unsigned long addr, bool write)
{
	int ret;

	addr &= PAGE_MASK;
	if (mmu->kind == TEST_MN_INTERVAL &&
	    (addr < mmu->interval.interval_tree.start ||
	     addr > mmu->interval.interval_tree.last))
		return -EINVAL;

	for (;;) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (xa_reserve(&mmu->entries, addr >> PAGE_SHIFT, GFP_KERNEL))
			return -ENOMEM;
		atomic64_inc(&mmu->count.faults);
		if (mmu->class == TEST_MN_SVA)
			ret = sva_fill(mmu, addr, write);
		else
			ret = fill(mmu, addr, write);
		if (ret != -EAGAIN)
			return ret;
		/* What should have been flushed is found out, and not waited for. */
		if (mmu->class == TEST_MN_DEFER &&
		    test_mn_verify(mmu, addr) == -EINTR)
			return -EINTR;
		atomic64_inc(&mmu->count.retries);
		cond_resched();
	}
}

/* --- accesses ------------------------------------------------------------- */

static void touch(struct test_access *access, struct page *page,
		  unsigned long offset, unsigned long len)
{
	void *memory = kmap_local_page(page);

	switch (access->how) {
	case ACCESS_READ:
		memcpy(access->buffer, memory + offset, len);
		break;
	case ACCESS_WRITE:
		memcpy(memory + offset, access->buffer, len);
		break;
	case ACCESS_FETCH_ADD:
		access->value = atomic64_fetch_add(access->value,
						   memory + offset);
		break;
	}
	if (access->how != ACCESS_READ)
		flush_dcache_page(page);
	kunmap_local(memory);
}

enum access_result {
	ACCESS_DONE,
	ACCESS_FAULT,		/* there is no such translation */
	ACCESS_MISMATCH,	/* it is not what the CPU has at this moment */
};

/*
 * By what is only in the TLB.  The page is still mapped, as the reverse map also leads to
 * where a page isn't.  Or whoever has unmapped it keeps it locked, and with it a reference,
 * until the TLB has been flushed, which takes xa_lock for each entry.
 */
static enum access_result try_dropped(struct test_mmu *mmu, unsigned long addr,
				      unsigned long len,
				      struct test_access *access)
{
	unsigned long index = addr >> PAGE_SHIFT;
	enum access_result result = ACCESS_FAULT;
	struct folio *folio = NULL;
	struct page *page;
	void *entry;

	xa_lock(&mmu->entries);
	entry = xa_load(&mmu->entries, index);
	if (!entry || !xa_get_mark(&mmu->entries, index, ENTRY_DROPPED) ||
	    (access->how != ACCESS_READ && !entry_writable(entry)))
		goto unlock;
	page = pfn_to_page(entry_pfn(entry));
	/* In this order: it is locked before it is unmapped. */
	folio = test_mn_get_mapped(mmu->mm, addr, entry);
	if (!folio && !PageLocked(page)) {
		result = ACCESS_MISMATCH;
		goto unlock;
	}
	touch(access, page, offset_in_page(addr), len);
	atomic64_inc(&mmu->count.late);
	result = ACCESS_DONE;
unlock:
	xa_unlock(&mmu->entries);
	if (folio)
		folio_put(folio);
	return result;
}

static enum access_result try_access(struct test_mmu *mmu, unsigned long addr,
				     unsigned long len,
				     struct test_access *access)
{
	unsigned long index = addr >> PAGE_SHIFT;
	enum access_result result = ACCESS_MISMATCH;
	struct folio *folio = NULL;
	void *entry;

	if (xa_get_mark(&mmu->entries, index, ENTRY_DROPPED))
		return try_dropped(mmu, addr, len, access);

	spin_lock(&mmu->lock);
	entry = xa_load(&mmu->entries, index);
	if (!entry || (access->how != ACCESS_READ && !entry_writable(entry))) {
		result = ACCESS_FAULT;
		goto unlock;
	}
	folio = test_mn_get_mapped(mmu->mm, addr, entry);
	if (folio) {
		touch(access, pfn_to_page(entry_pfn(entry)),
		      offset_in_page(addr), len);
		test_mn_set_young(mmu, index, entry, true);
		result = ACCESS_DONE;
	} else if (mmu->class == TEST_MN_SVA) {
		/* Its flush may not have come yet. */
		xa_cmpxchg(&mmu->entries, index, entry, NULL, GFP_NOWAIT);
	}
unlock:
	spin_unlock(&mmu->lock);
	if (folio)
		folio_put(folio);
	return result;
}

/**
 * test_mn_access_page - access memory within a page
 * @mmu: the secondary MMU
 * @addr: where
 * @len: how much
 * @access: how
 *
 * Return: 0, or an error of test_mn_map().
 */
int test_mn_access_page(struct test_mmu *mmu, unsigned long addr,
			unsigned long len, struct test_access *access)
{
	int ret;

	for (;;) {
		switch (try_access(mmu, addr, len, access)) {
		case ACCESS_DONE:
			atomic64_inc(&mmu->count.accesses);
			atomic64_inc(&mmu->count.checked);
			return 0;
		case ACCESS_FAULT:
			ret = test_mn_map(mmu, addr,
					  access->how != ACCESS_READ);
			if (ret)
				return ret;
			break;
		case ACCESS_MISMATCH:
			/* The page table may be about to change, or locked. */
			if (mmu->class != TEST_MN_SVA &&
			    test_mn_verify(mmu, addr) == -EINTR)
				return -EINTR;
			atomic64_inc(&mmu->count.retries);
			cond_resched();
			break;
		}
	}
}
