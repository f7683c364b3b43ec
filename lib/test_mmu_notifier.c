// SPDX-License-Identifier: GPL-2.0
/*
 * A secondary MMU in software, for testing MMU notifiers.
 *
 * It maps pages of a process without holding references to them, in one of the
 * ways that real ones do (see enum test_mn_class), and verifies every
 * translation that it uses against the CPU's page tables.  This oracle walks the
 * page tables itself: it must not depend on anything that it tests.
 *
 * What makes the verdict reliable is the order of things.  A translation is
 * dropped before the page table entry changes, and none is set before the range
 * has ended.  So, under the page table lock, an entry that disagrees with a
 * translation that still exists means that somebody changed it without telling.
 * The translations are in an XArray for that: they can be read and dropped, and
 * their young bits cleared, where the device lock can't be taken.
 *
 * A stale translation is reported and dropped, and never followed: the memory is
 * accessed only under a page reference that was taken from the CPU's page table
 * at this moment.
 *
 * Lock order:
 *
 *	test_file::sem
 *	  mmap_lock
 *	    page table lock
 *	      test_mmu::log_lock
 *	      xa_lock of test_mmu::entries
 *	  test_mmu::lock	(in callbacks: below mmap_lock and the locks of
 *	    xa_lock		 the reverse map, never below a page table lock)
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "test_mmu_notifier_uapi.h"

#define TLB_ENTRIES	64
#define MAX_ACCESS	4096
#define MAX_DELAY	10000
#define MAX_CLEAN	512		/* pages */
#define LOG_SIZE	32
#define LAST_EVENT	MMU_NOTIFY_EXCLUSIVE

static_assert(LAST_EVENT + 1 == TEST_MN_EVENTS);

/*
 * A translation is a value entry of the XArray, at the index of its virtual page:
 * permission, young bit, when it was set, and the page frame.
 */
#define ENTRY_WRITABLE	BIT(0)
#define ENTRY_YOUNG	BIT(1)
#define ENTRY_TIME	GENMASK(21, 2)
#define ENTRY_TIME_SHIFT 2
#define ENTRY_PFN_SHIFT	22

/* Marks what is part of a huge page, or was before it was set anew; TEST_MN_SVA */
#define ENTRY_HUGE	XA_MARK_0

/* Counters are only ever added to, and read one by one. */
struct test_counters {
	atomic64_t accesses, faults, retries, checked, stale;
	atomic64_t invalidations[TEST_MN_EVENTS], dropped[TEST_MN_EVENTS];
	atomic64_t tlb_flushes, tlb_dropped, wide;
	atomic64_t flush_young, clear_young, test_young, young;
	atomic64_t refused, unpaired, released;
};

struct test_event {
	unsigned long start, end;
	unsigned long when;		/* jiffies */
	enum mmu_notifier_event event;
};

/* An attached secondary MMU. */
struct test_mmu {
	struct mm_struct *mm;
	enum test_mn_class class;
	enum test_mn_kind kind;
	const unsigned int *delays;
	struct mmu_notifier whole;
	struct mmu_interval_notifier interval;
	struct xarray entries;

	spinlock_t lock;		/* to set, use and drop translations */
	unsigned long seq;		/* ranges that have ended */
	unsigned long in_progress;
	unsigned long range_start, range_end;	/* around all in progress */
	unsigned int tlb_used;

	/* TEST_MN_SVA takes no lock; see sva_fill(). */
	atomic_t flush_seq;

	wait_queue_head_t wait;		/* for in_progress to become 0 */
	struct test_counters count;

	spinlock_t log_lock;		/* the rest, below page table locks */
	struct test_event log[LOG_SIZE];
	unsigned int logged;
	struct test_mn_stale first_stale;
};

struct test_file {
	struct rw_semaphore sem;	/* for writing: attach and detach */
	struct test_mmu *mmu;
	unsigned int delays[TEST_MN_POINTS];
};

static struct workqueue_struct *remote_wq;

/* --- translations --------------------------------------------------------- */

static unsigned long entry_now(void)
{
	return ((unsigned long)jiffies_to_msecs(jiffies) << ENTRY_TIME_SHIFT) &
	       ENTRY_TIME;
}

static void *make_entry(unsigned long pfn, unsigned long flags)
{
	return xa_mk_value((pfn << ENTRY_PFN_SHIFT) | entry_now() | flags);
}

static unsigned long entry_pfn(const void *entry)
{
	return xa_to_value(entry) >> ENTRY_PFN_SHIFT;
}

static bool entry_writable(const void *entry)
{
	return xa_to_value(entry) & ENTRY_WRITABLE;
}

static unsigned long entry_age(const void *entry)
{
	return ((entry_now() - xa_to_value(entry)) & ENTRY_TIME) >>
	       ENTRY_TIME_SHIFT;
}

/* Changes one bit of an entry, unless the entry is another by now. */
static void entry_set_young(struct test_mmu *mmu, unsigned long index,
			    void *entry, bool young)
{
	unsigned long value = xa_to_value(entry) & ~ENTRY_YOUNG;

	if (young)
		value |= ENTRY_YOUNG;
	/* Replacing an entry allocates nothing. */
	xa_cmpxchg(&mmu->entries, index, entry, xa_mk_value(value), GFP_NOWAIT);
}

static unsigned long drop(struct test_mmu *mmu, unsigned long start,
			  unsigned long end)
{
	unsigned long index, dropped = 0;
	void *entry;

	xa_for_each_range(&mmu->entries, index, entry, start >> PAGE_SHIFT,
			  (end - 1) >> PAGE_SHIFT) {
		if (xa_erase(&mmu->entries, index))
			dropped++;
	}
	return dropped;
}

static unsigned long drop_all(struct test_mmu *mmu)
{
	return drop(mmu, 0, ULONG_MAX);
}

/* --- being told ----------------------------------------------------------- */

/* Delays only where it may sleep: they widen races and do no more. */
static void delay(struct test_mmu *mmu, enum test_mn_point point)
{
	unsigned int usecs = READ_ONCE(mmu->delays[point]);

	if (usecs)
		usleep_range(usecs, usecs + 1 + usecs / 4);
}

static void delay_range(struct test_mmu *mmu, enum test_mn_point point,
			const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		delay(mmu, point);
}

static void log_event(struct test_mmu *mmu,
		      const struct mmu_notifier_range *range)
{
	struct test_event *event;

	atomic64_inc(&mmu->count.invalidations[range->event]);
	if (range->end - range->start >= PMD_SIZE)
		atomic64_inc(&mmu->count.wide);
	spin_lock(&mmu->log_lock);
	event = &mmu->log[mmu->logged++ % LOG_SIZE];
	event->start = range->start;
	event->end = range->end;
	event->event = range->event;
	event->when = jiffies;
	spin_unlock(&mmu->log_lock);
}

/*
 * begin_range - from here on nothing in the range is mapped or gets mapped
 * @cur_seq: for an interval subscription, which has its own way to count ranges
 */
static void begin_range(struct test_mmu *mmu, unsigned long start,
			unsigned long end, enum mmu_notifier_event event,
			unsigned long cur_seq)
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

	if (mmu->class != TEST_MN_TLB) {
		dropped = drop(mmu, start, end);
	} else if (end - start <= TLB_ENTRIES * PAGE_SIZE) {
		dropped = drop(mmu, start, end);
	} else {
		dropped = drop_all(mmu);
		mmu->tlb_used = 0;
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

/* The remote side, which has the translations of TEST_MN_REMOTE. */
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

	delay(call->mmu, TEST_MN_START);
	begin_range(call->mmu, call->start, call->end, call->event,
		    call->cur_seq);
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

/* Returns false if it would have to wait and may not. */
static bool invalidate(struct test_mmu *mmu,
		       const struct mmu_notifier_range *range,
		       unsigned long cur_seq)
{
	if (mmu->class == TEST_MN_REMOTE &&
	    !mmu_notifier_range_blockable(range)) {
		atomic64_inc(&mmu->count.refused);
		return false;
	}

	log_event(mmu, range);
	if (mmu->class == TEST_MN_REMOTE) {
		begin_range_remotely(mmu, range, cur_seq);
	} else {
		delay_range(mmu, TEST_MN_START, range);
		begin_range(mmu, range->start, range->end, range->event,
			    cur_seq);
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

static void test_release(struct mmu_notifier *sub, struct mm_struct *mm)
{
	struct test_mmu *mmu = mmu_of(sub);

	atomic64_inc(&mmu->count.released);
	spin_lock(&mmu->lock);
	drop_all(mmu);
	spin_unlock(&mmu->lock);
}

/* Ageing happens under a page table lock, so without the device lock. */
static int age(struct test_mmu *mmu, unsigned long start, unsigned long end,
	       bool clear, atomic64_t *calls)
{
	unsigned long index;
	bool young = false;
	void *entry;

	atomic64_inc(calls);
	xa_for_each_range(&mmu->entries, index, entry, start >> PAGE_SHIFT,
			  (end - 1) >> PAGE_SHIFT) {
		if (!(xa_to_value(entry) & ENTRY_YOUNG))
			continue;
		young = true;
		if (clear)
			entry_set_young(mmu, index, entry, false);
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

/* A TLB has no accessed bits: what is in it counts, and goes. */
static int age_tlb(struct test_mmu *mmu, unsigned long start, unsigned long end,
		   atomic64_t *calls)
{
	bool young;

	atomic64_inc(calls);
	young = drop(mmu, start, end);
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
 * To hardware a huge page is one entry of its TLB, which goes when any part of
 * it is flushed.  The CPU relies on that: it flushes a hugetlb page by its first
 * address alone.
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
	smp_mb__after_atomic();		/* pairs with smp_mb() in sva_fill() */
	dropped = drop(mmu, start, end);
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
};

/* --- the page tables of the CPU ------------------------------------------- */

/* What the CPU's page tables say of one address. */
struct leaf {
	unsigned long pfn;
	unsigned long size;
	bool present, writable, young, dirty;
};

static struct leaf pte_leaf(pte_t pte, unsigned long offset)
{
	struct leaf leaf = {};

	if (!pte_present(pte) || !pte_access_permitted(pte, false))
		return leaf;
	leaf.present = true;
	leaf.writable = pte_access_permitted(pte, true);
	leaf.young = pte_young(pte);
	leaf.dirty = pte_dirty(pte);
	leaf.pfn = pte_pfn(pte) + (offset >> PAGE_SHIFT);
	return leaf;
}

static struct leaf pmd_to_leaf(pmd_t pmd, unsigned long addr)
{
	struct leaf leaf = {};

	if (!pmd_present(pmd) || !pmd_access_permitted(pmd, false))
		return leaf;
	leaf.present = true;
	leaf.writable = pmd_access_permitted(pmd, true);
	leaf.young = pmd_young(pmd);
	leaf.dirty = pmd_dirty(pmd);
	leaf.size = PMD_SIZE;
	leaf.pfn = pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
	return leaf;
}

/* Only hugetlb has leaves here, as it has no DAX. */
static struct leaf pud_to_leaf(pud_t pud, unsigned long addr)
{
	struct leaf leaf = {};

	if (!pud_present(pud) || !pud_access_permitted(pud, false))
		return leaf;
	leaf.present = true;
	leaf.writable = pud_access_permitted(pud, true);
	leaf.young = pud_young(pud);
	leaf.dirty = pud_dirty(pud);
	leaf.size = PUD_SIZE;
	leaf.pfn = pud_pfn(pud) + ((addr & ~PUD_MASK) >> PAGE_SHIFT);
	return leaf;
}

/*
 * set_accessed - what hardware does with an entry that it uses
 *
 * Without the page table lock, so only if the entry is still the same.
 */
static unsigned long set_accessed(unsigned long *entry, unsigned long value)
{
	unsigned long young = value | _PAGE_ACCESSED;

	if (young != value && (value & _PAGE_PRESENT) &&
	    try_cmpxchg(entry, &value, young))
		return young;
	return value;
}

/*
 * walk - read the CPU's page tables as get_user_pages_fast() does
 * @use: make the leaf young, as hardware does that walks the same tables
 *
 * Interrupts are off: this is what keeps page tables from being freed.
 */
static struct leaf walk(struct mm_struct *mm, unsigned long addr, bool use)
{
	struct leaf none = {};
	pgd_t pgd, *pgdp;
	p4d_t p4d, *p4dp;
	pud_t pud, *pudp;
	pmd_t pmd, *pmdp;
	pte_t pte, *ptep;

	lockdep_assert_irqs_disabled();

	pgdp = pgd_offset(mm, addr);
	pgd = READ_ONCE(*pgdp);
	if (pgd_none(pgd) || pgd_bad(pgd))
		return none;
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (!p4d_present(p4d) || p4d_bad(p4d))
		return none;
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	pud = READ_ONCE(*pudp);
	if (!pud_present(pud))
		return none;
	if (pud_leaf(pud)) {
		if (use)
			pud = __pud(set_accessed(&pudp->pud, pud_val(pud)));
		return pud_to_leaf(pud, addr);
	}
	if (pud_bad(pud))
		return none;
	pmdp = pmd_offset_lockless(pudp, pud, addr);
	pmd = pmdp_get_lockless(pmdp);
	if (!pmd_present(pmd))
		return none;
	if (pmd_leaf(pmd)) {
		if (use)
			pmd = __pmd(set_accessed(&pmdp->pmd, pmd_val(pmd)));
		return pmd_to_leaf(pmd, addr);
	}
	ptep = pte_offset_kernel(&pmd, addr);
	pte = ptep_get_lockless(ptep);
	if (use)
		pte = __pte(set_accessed(&ptep->pte, pte_val(pte)));
	return pte_leaf(pte, 0);
}

static struct leaf walk_and_use(struct mm_struct *mm, unsigned long addr)
{
	unsigned long flags;
	struct leaf leaf;

	local_irq_save(flags);
	leaf = walk(mm, addr, true);
	local_irq_restore(flags);
	return leaf;
}

/*
 * get_mapped - take a reference to the page that the CPU maps at this moment
 *
 * If there is one, and it is the page of @entry with at least the permission.
 * The reference makes that a stale translation does no harm.
 */
static struct folio *get_mapped(struct mm_struct *mm, unsigned long addr,
				void *entry)
{
	struct folio *folio = NULL;
	struct leaf leaf, again;
	unsigned long flags;
	struct page *page;

	local_irq_save(flags);
	leaf = walk(mm, addr, false);
	if (!leaf.present || leaf.pfn != entry_pfn(entry) ||
	    (entry_writable(entry) && !leaf.writable) || !pfn_valid(leaf.pfn))
		goto out;

	page = pfn_to_page(leaf.pfn);
	folio = page_folio(page);
	if (!folio_try_get(folio)) {
		folio = NULL;
		goto out;
	}
	/* It may have been freed before, and be another's by now. */
	again = walk(mm, addr, false);
	if (page_folio(page) != folio || !again.present ||
	    again.pfn != leaf.pfn || again.writable != leaf.writable) {
		folio_put(folio);
		folio = NULL;
	}
out:
	local_irq_restore(flags);
	return folio;
}

/* --- the verdict ---------------------------------------------------------- */

/* What judge() has found. */
struct verdict {
	void *entry;		/* the translation, if there is one */
	struct leaf leaf;
	bool stale;
};

/*
 * compare - a translation with what is known to be the truth
 *
 * The caller holds the lock under which @leaf would change.  Nothing is judged
 * if there is no translation any more.
 */
static void compare(struct test_mmu *mmu, unsigned long addr, struct leaf leaf,
		    struct verdict *verdict)
{
	void *entry = xa_load(&mmu->entries, addr >> PAGE_SHIFT);

	verdict->entry = entry;
	verdict->leaf = leaf;
	if (!entry)
		return;
	verdict->stale = !leaf.present || leaf.pfn != entry_pfn(entry) ||
			 (entry_writable(entry) && !leaf.writable);
	if (verdict->stale)
		xa_cmpxchg(&mmu->entries, addr >> PAGE_SHIFT, entry, NULL,
			   GFP_NOWAIT);
}

/* Upper levels are populated under mm->page_table_lock. */
static void compare_to_nothing(struct test_mmu *mmu, unsigned long addr,
			       struct verdict *verdict)
{
	compare(mmu, addr, (struct leaf){}, verdict);
}

static void judge_hugetlb(struct test_mmu *mmu, struct vm_area_struct *vma,
			  unsigned long addr, struct verdict *verdict)
{
	struct hstate *h = hstate_vma(vma);
	unsigned long haddr = addr & huge_page_mask(h);
	spinlock_t *ptl;	/* the page table's */
	pte_t *ptep;

	hugetlb_vma_lock_read(vma);
	ptep = hugetlb_walk(vma, haddr, huge_page_size(h));
	if (!ptep) {
		spin_lock(&mmu->mm->page_table_lock);
		ptep = hugetlb_walk(vma, haddr, huge_page_size(h));
		if (!ptep)
			compare_to_nothing(mmu, addr, verdict);
		spin_unlock(&mmu->mm->page_table_lock);
	}
	if (ptep) {
		ptl = huge_pte_lock(h, mmu->mm, ptep);
		compare(mmu, addr,
			pte_leaf(huge_ptep_get(mmu->mm, haddr, ptep),
				 addr - haddr), verdict);
		spin_unlock(ptl);
	}
	hugetlb_vma_unlock_read(vma);
}

static pmd_t *find_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (pgd_none_or_clear_bad(pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none_or_clear_bad(p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none_or_clear_bad(pud))
		return NULL;
	return pmd_offset(pud, addr);
}

static bool judge_pte(struct test_mmu *mmu, pmd_t *pmdp, unsigned long addr,
		      struct verdict *verdict)
{
	spinlock_t *ptl;	/* the page table's */
	pte_t *ptep;

	ptep = __pte_offset_map_lock(mmu->mm, pmdp, addr, &ptl);
	if (!ptep)
		return false;
	/* That it has locked, sparse can't know. */
	__acquire(ptl);
	__acquire(RCU);
	compare(mmu, addr, pte_leaf(ptep_get(ptep), 0), verdict);
	pte_unmap_unlock(ptep, ptl);
	return true;
}

static void judge_page(struct test_mmu *mmu, unsigned long addr,
		       struct verdict *verdict)
{
	struct mm_struct *mm = mmu->mm;
	spinlock_t *ptl;	/* the page table's */
	pmd_t *pmdp, pmd;

	pmdp = find_pmd(mm, addr);
	if (!pmdp) {
		spin_lock(&mm->page_table_lock);
		pmdp = find_pmd(mm, addr);
		if (!pmdp)
			compare_to_nothing(mmu, addr, verdict);
		spin_unlock(&mm->page_table_lock);
	}
	while (pmdp) {
		ptl = pmd_lock(mm, pmdp);
		pmd = pmdp_get(pmdp);
		if (!pmd_present(pmd) || pmd_leaf(pmd)) {
			compare(mmu, addr, pmd_to_leaf(pmd, addr), verdict);
			spin_unlock(ptl);
			return;
		}
		spin_unlock(ptl);

		/* If it can't, a huge page has come or gone. */
		if (judge_pte(mmu, pmdp, addr, verdict))
			return;
	}
}

static bool judge_mapped(struct test_mmu *mmu, unsigned long addr,
			 struct verdict *verdict)
{
	struct vm_area_struct *vma = vma_lookup(mmu->mm, addr);

	if (!vma)
		return false;
	if (is_vm_hugetlb_page(vma))
		judge_hugetlb(mmu, vma, addr, verdict);
	else
		judge_page(mmu, addr, verdict);
	return true;
}

/* The last invalidation that there was of an address. */
static void last_event(struct test_mmu *mmu, struct test_mn_stale *stale)
{
	unsigned int n, oldest = 0;

	stale->event = TEST_MN_NO_EVENT;
	lockdep_assert_held(&mmu->log_lock);
	if (mmu->logged > LOG_SIZE)
		oldest = mmu->logged - LOG_SIZE;
	for (n = mmu->logged; n > oldest; n--) {
		struct test_event *event = &mmu->log[(n - 1) % LOG_SIZE];

		if (stale->addr < event->start || stale->addr >= event->end)
			continue;
		stale->event = event->event;
		stale->event_age_ms = jiffies_to_msecs(jiffies - event->when);
		return;
	}
}

static void report(struct test_mmu *mmu, unsigned long addr,
		   const struct verdict *verdict)
{
	struct test_mn_stale stale = {
		.addr = addr & PAGE_MASK,
		.pfn = entry_pfn(verdict->entry),
		.cpu_pfn = verdict->leaf.pfn,
		.age_ms = entry_age(verdict->entry),
		.flags = TEST_MN_STALE_FOUND,
	};
	bool first = false;

	if (entry_writable(verdict->entry))
		stale.flags |= TEST_MN_STALE_WRITABLE;
	if (verdict->leaf.present)
		stale.flags |= TEST_MN_CPU_PRESENT;
	if (verdict->leaf.writable)
		stale.flags |= TEST_MN_CPU_WRITABLE;

	atomic64_inc(&mmu->count.stale);
	spin_lock(&mmu->log_lock);
	last_event(mmu, &stale);
	if (!mmu->first_stale.flags) {
		mmu->first_stale = stale;
		first = true;
	}
	spin_unlock(&mmu->log_lock);

	if (first)
		pr_warn("%s[%d]: stale translation of %#llx: pfn %#llx%s, the CPU has %#llx%s%s; set %llu ms ago, last event %d %llu ms ago\n",
			current->comm, task_pid_nr(current), stale.addr,
			stale.pfn,
			stale.flags & TEST_MN_STALE_WRITABLE ? " rw" : " ro",
			stale.cpu_pfn,
			stale.flags & TEST_MN_CPU_PRESENT ? "" : " not present",
			stale.flags & TEST_MN_CPU_WRITABLE ? " rw" : " ro",
			stale.age_ms, (int)stale.event, stale.event_age_ms);
}

/*
 * judge - is the translation of an address stale?
 *
 * A stale translation is reported and dropped.  Returns 1 if it is, 0 if not,
 * -ENOENT if there is none, -EINTR.
 */
static int judge(struct test_mmu *mmu, unsigned long addr)
{
	struct verdict verdict = {};
	bool mapped;

	if (mmap_read_lock_killable(mmu->mm))
		return -EINTR;
	mapped = judge_mapped(mmu, addr, &verdict);
	mmap_read_unlock(mmu->mm);

	if (!mapped) {
		/*
		 * munmap() makes the mapping disappear, and goes on to unmap the
		 * pages with mmap_lock for reading.  For writing it is over.
		 */
		if (mmap_write_lock_killable(mmu->mm))
			return -EINTR;
		if (!judge_mapped(mmu, addr, &verdict))
			compare_to_nothing(mmu, addr, &verdict);
		mmap_write_unlock(mmu->mm);
	}

	if (!verdict.entry)
		return -ENOENT;
	atomic64_inc(&mmu->count.checked);
	if (verdict.stale)
		report(mmu, addr, &verdict);
	return verdict.stale;
}

/* --- faults --------------------------------------------------------------- */

static int wait_for_ranges(struct test_mmu *mmu)
{
	/* Ranges may follow one another for ever; a fault goes on in between. */
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
	/* Before the page is looked up; end_range() writes it under the lock. */
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

static int set_entry(struct test_mmu *mmu, unsigned long addr,
		     unsigned long pfn, unsigned long flags)
{
	lockdep_assert_held(&mmu->lock);
	if (mmu->class == TEST_MN_TLB && mmu->tlb_used++ >= TLB_ENTRIES) {
		drop_all(mmu);
		mmu->tlb_used = 1;
	}
	/* Memory was reserved, but an invalidation takes the reservation away. */
	return xa_err(xa_store(&mmu->entries, addr >> PAGE_SHIFT,
			       make_entry(pfn, flags),
			       GFP_NOWAIT | __GFP_NOWARN));
}

/* What a fault may return; everything else is the caller's bad memory. */
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
	delay(mmu, TEST_MN_LOOKUP);

	ret = get_user_pages_fast(addr, 1, write ? FOLL_WRITE : 0, &page);
	if (ret != 1)
		return fault_error(ret);
	/* While the reference is there to do it; what cleans it invalidates. */
	if (write)
		set_page_dirty_lock(page);
	delay(mmu, TEST_MN_SET);

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
 * Hardware does this at once, with the flush before or after it.  Here the flush
 * that comes in between either finds the entry, or is seen to have come.
 *
 * A page table entry that is used becomes young at the same time, and for writing
 * it must be dirty, which the fault handler sees to: the CPU need not flush what
 * nobody can have cached.
 */
static int sva_fill(struct test_mmu *mmu, unsigned long addr, bool write)
{
	int seq = atomic_read(&mmu->flush_seq);
	struct leaf leaf;
	int ret;

	/*
	 * Sample before the page table is read.  Pairs with atomic_inc() in
	 * sva_invalidate(), which the change of the page table comes before.
	 */
	smp_rmb();
	delay(mmu, TEST_MN_LOOKUP);
	leaf = walk_and_use(mmu->mm, addr);
	if (!leaf.present || !leaf.young ||
	    (write && !(leaf.writable && leaf.dirty)))
		return sva_fault(mmu, addr, write);
	if (leaf.size > PMD_SIZE)
		return -EFAULT;
	delay(mmu, TEST_MN_SET);

	spin_lock(&mmu->lock);
	ret = set_entry(mmu, addr, leaf.pfn, write ? ENTRY_WRITABLE : 0);
	if (leaf.size == PMD_SIZE)
		xa_set_mark(&mmu->entries, addr >> PAGE_SHIFT, ENTRY_HUGE);
	smp_mb();	/* pairs with the one in sva_invalidate() */
	if (atomic_read(&mmu->flush_seq) != seq) {
		xa_erase(&mmu->entries, addr >> PAGE_SHIFT);
		ret = -EAGAIN;
	}
	spin_unlock(&mmu->lock);
	return ret == -ENOMEM ? -EAGAIN : ret;
}

static int fault(struct test_mmu *mmu, unsigned long addr, bool write)
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
		atomic64_inc(&mmu->count.retries);
		cond_resched();
	}
}

/* --- accesses ------------------------------------------------------------- */

enum access_how { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH_ADD };

struct access {
	enum access_how how;
	void *buffer;		/* ACCESS_READ, ACCESS_WRITE */
	u64 value;		/* ACCESS_FETCH_ADD */
};

static void touch(struct access *access, struct page *page,
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

/* Returns whether there was a translation, and whether it could be used. */
enum access_result { ACCESS_DONE, ACCESS_FAULT, ACCESS_MISMATCH };

static enum access_result try_access(struct test_mmu *mmu, unsigned long addr,
				     unsigned long len, struct access *access)
{
	unsigned long index = addr >> PAGE_SHIFT;
	enum access_result result = ACCESS_MISMATCH;
	struct folio *folio = NULL;
	void *entry;

	spin_lock(&mmu->lock);
	entry = xa_load(&mmu->entries, index);
	if (!entry || (access->how != ACCESS_READ && !entry_writable(entry))) {
		result = ACCESS_FAULT;
		goto unlock;
	}
	folio = get_mapped(mmu->mm, addr, entry);
	if (folio) {
		touch(access, pfn_to_page(entry_pfn(entry)),
		      offset_in_page(addr), len);
		entry_set_young(mmu, index, entry, true);
		result = ACCESS_DONE;
	} else if (mmu->class == TEST_MN_SVA) {
		/* Its flush may be to come. */
		xa_cmpxchg(&mmu->entries, index, entry, NULL, GFP_NOWAIT);
	}
unlock:
	spin_unlock(&mmu->lock);
	if (folio)
		folio_put(folio);
	return result;
}

/* access_page - one access within a page */
static int access_page(struct test_mmu *mmu, unsigned long addr,
		       unsigned long len, struct access *access)
{
	int ret;

	for (;;) {
		switch (try_access(mmu, addr, len, access)) {
		case ACCESS_DONE:
			atomic64_inc(&mmu->count.accesses);
			atomic64_inc(&mmu->count.checked);
			return 0;
		case ACCESS_FAULT:
			ret = fault(mmu, addr, access->how != ACCESS_READ);
			if (ret)
				return ret;
			break;
		case ACCESS_MISMATCH:
			/* The page table may be about to change, or locked. */
			if (mmu->class != TEST_MN_SVA &&
			    judge(mmu, addr) == -EINTR)
				return -EINTR;
			atomic64_inc(&mmu->count.retries);
			cond_resched();
			break;
		}
	}
}

/* --- ioctls --------------------------------------------------------------- */

union test_args {
	struct test_mn_attach attach;
	struct test_mn_fault fault;
	struct test_mn_access access;
	struct test_mn_check check;
	struct test_mn_stats stats;
	struct test_mn_stale stale;
	struct test_mn_delay delay;
	struct test_mn_clean clean;
};

static bool bad_range(u64 addr, u64 len)
{
	return !len || addr >= TASK_SIZE || len > TASK_SIZE - addr;
}

static int test_attach(struct test_file *file, union test_args *args)
{
	struct test_mn_attach *attach = &args->attach;
	bool interval = attach->kind == TEST_MN_INTERVAL;
	struct test_mmu *mmu;
	int ret;

	if (attach->class < TEST_MN_PAGE_TABLE || attach->class > TEST_MN_SVA ||
	    attach->kind < TEST_MN_HLIST || attach->kind > TEST_MN_INTERVAL ||
	    attach->flags)
		return -EINVAL;
	if (interval && (attach->class == TEST_MN_TLB ||
			 attach->class == TEST_MN_SVA))
		return -EINVAL;
	if (interval && (bad_range(attach->start, attach->len) ||
			 offset_in_page(attach->start | attach->len)))
		return -EINVAL;
	if (!interval && (attach->start || attach->len))
		return -EINVAL;
	if (file->mmu)
		return -EEXIST;

	mmu = kzalloc(sizeof(*mmu), GFP_KERNEL);
	if (!mmu)
		return -ENOMEM;
	mmu->mm = current->mm;
	mmu->class = attach->class;
	mmu->kind = attach->kind;
	mmu->delays = file->delays;
	mmu->whole.ops = ops_of_class[mmu->class];
	xa_init(&mmu->entries);
	spin_lock_init(&mmu->lock);
	spin_lock_init(&mmu->log_lock);
	init_waitqueue_head(&mmu->wait);

	if (interval)
		ret = mmu_interval_notifier_insert(&mmu->interval, mmu->mm,
						   attach->start, attach->len,
						   &interval_ops);
	else
		ret = mmu_notifier_register(&mmu->whole, mmu->mm);
	if (ret) {
		kfree(mmu);
		return ret;
	}
	file->mmu = mmu;
	return 0;
}

static int test_detach(struct test_file *file, union test_args *args)
{
	struct test_mmu *mmu = file->mmu;

	if (!mmu)
		return -ENOENT;
	if (mmu->kind == TEST_MN_INTERVAL)
		mmu_interval_notifier_remove(&mmu->interval);
	else
		mmu_notifier_unregister(&mmu->whole, mmu->mm);
	xa_destroy(&mmu->entries);
	kfree(mmu);
	file->mmu = NULL;
	return 0;
}

static int test_fault(struct test_file *file, union test_args *args)
{
	struct test_mn_fault *arg = &args->fault;
	u64 addr, end = arg->addr + arg->len;
	int ret;

	if (bad_range(arg->addr, arg->len) || arg->write > 1 || arg->reserved)
		return -EINVAL;
	for (addr = arg->addr & PAGE_MASK; addr < end; addr += PAGE_SIZE) {
		ret = fault(file->mmu, addr, arg->write);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static int access_range(struct test_mmu *mmu, unsigned long addr,
			unsigned long len, struct access *access)
{
	unsigned long part;
	int ret;

	for (; len; len -= part, addr += part) {
		part = min(len, PAGE_SIZE - offset_in_page(addr));
		ret = access_page(mmu, addr, part, access);
		if (ret)
			return ret;
		access->buffer += part;
	}
	return 0;
}

static int test_access(struct test_file *file, struct test_mn_access *arg,
		       enum access_how how)
{
	void __user *user = u64_to_user_ptr(arg->buffer);
	struct access access = { .how = how };
	void *buffer;
	int ret;

	if (bad_range(arg->addr, arg->len) || arg->len > MAX_ACCESS ||
	    arg->value)
		return -EINVAL;

	buffer = kmalloc(arg->len, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	access.buffer = buffer;
	if (how == ACCESS_WRITE && copy_from_user(buffer, user, arg->len))
		ret = -EFAULT;
	else
		ret = access_range(file->mmu, arg->addr, arg->len, &access);
	if (!ret && how == ACCESS_READ && copy_to_user(user, buffer, arg->len))
		ret = -EFAULT;
	kfree(buffer);
	return ret;
}

static int test_read(struct test_file *file, union test_args *args)
{
	return test_access(file, &args->access, ACCESS_READ);
}

static int test_write(struct test_file *file, union test_args *args)
{
	return test_access(file, &args->access, ACCESS_WRITE);
}

static int test_fetch_add(struct test_file *file, union test_args *args)
{
	struct test_mn_access *arg = &args->access;
	struct access access = {
		.how = ACCESS_FETCH_ADD,
		.value = arg->value,
	};
	int ret;

	if (bad_range(arg->addr, arg->len) || arg->len != sizeof(u64) ||
	    arg->addr % sizeof(u64) || arg->buffer)
		return -EINVAL;
	ret = access_page(file->mmu, arg->addr, arg->len, &access);
	arg->value = access.value;
	return ret;
}

static int test_check(struct test_file *file, union test_args *args)
{
	struct test_mn_check *arg = &args->check;
	unsigned long index, last = arg->addr + arg->len - 1;
	struct test_mmu *mmu = file->mmu;
	void *entry;
	int ret = 0;

	if (!arg->len || arg->checked || arg->stale)
		return -EINVAL;
	if (last < arg->addr)
		last = ULONG_MAX;
	if (!mmu)
		return -ENOENT;
	if (!mmget_not_zero(mmu->mm))
		return -ESRCH;

	xa_for_each_range(&mmu->entries, index, entry, arg->addr >> PAGE_SHIFT,
			  last >> PAGE_SHIFT) {
		ret = judge(mmu, index << PAGE_SHIFT);
		if (ret == -EINTR)
			break;
		arg->checked += ret != -ENOENT;
		arg->stale += ret == 1;
		cond_resched();
	}
	mmput(mmu->mm);
	return ret == -EINTR ? ret : 0;
}

static int test_stats(struct test_file *file, union test_args *args)
{
	struct test_mn_stats *stats = &args->stats;
	struct test_mmu *mmu = file->mmu;
	struct test_counters *count;
	unsigned long index;
	void *entry;
	int i;

	if (!mmu)
		return -ENOENT;
	count = &mmu->count;
	*stats = (struct test_mn_stats){
		.accesses = atomic64_read(&count->accesses),
		.faults = atomic64_read(&count->faults),
		.retries = atomic64_read(&count->retries),
		.checked = atomic64_read(&count->checked),
		.stale = atomic64_read(&count->stale),
		.tlb_flushes = atomic64_read(&count->tlb_flushes),
		.tlb_dropped = atomic64_read(&count->tlb_dropped),
		.wide = atomic64_read(&count->wide),
		.flush_young = atomic64_read(&count->flush_young),
		.clear_young = atomic64_read(&count->clear_young),
		.test_young = atomic64_read(&count->test_young),
		.young = atomic64_read(&count->young),
		.refused = atomic64_read(&count->refused),
		.unpaired = atomic64_read(&count->unpaired),
		.in_progress = READ_ONCE(mmu->in_progress),
		.released = atomic64_read(&count->released),
	};
	for (i = 0; i < TEST_MN_EVENTS; i++) {
		stats->invalidations[i] =
			atomic64_read(&count->invalidations[i]);
		stats->dropped[i] = atomic64_read(&count->dropped[i]);
	}
	xa_for_each(&mmu->entries, index, entry)
		stats->entries++;
	return 0;
}

static int test_stale(struct test_file *file, union test_args *args)
{
	if (!file->mmu)
		return -ENOENT;
	spin_lock(&file->mmu->log_lock);
	args->stale = file->mmu->first_stale;
	spin_unlock(&file->mmu->log_lock);
	return 0;
}

static int test_delay(struct test_file *file, union test_args *args)
{
	struct test_mn_delay *arg = &args->delay;

	if (arg->point >= TEST_MN_POINTS || arg->usecs > MAX_DELAY)
		return -EINVAL;
	WRITE_ONCE(file->delays[arg->point], arg->usecs);
	return 0;
}

/* The file that a range is a shared mapping of, and the first page in it. */
static struct file *get_shared_file(unsigned long addr, unsigned long len,
				    pgoff_t *first)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct file *file = NULL;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file && (vma->vm_flags & VM_SHARED) &&
	    !is_vm_hugetlb_page(vma) && len <= vma->vm_end - addr) {
		*first = linear_page_index(vma, addr);
		file = get_file(vma->vm_file);
	}
	mmap_read_unlock(mm);
	return file;
}

static int test_clean(struct test_file *file, union test_args *args)
{
	struct test_mn_clean *arg = &args->clean;
	pgoff_t first, nr = arg->len >> PAGE_SHIFT, start = 0, end = 0;
	DECLARE_BITMAP(dirty, MAX_CLEAN) = {};
	struct address_space *mapping;
	struct file *mapped;

	if (bad_range(arg->addr, arg->len) || nr > MAX_CLEAN ||
	    offset_in_page(arg->addr | arg->len) || arg->write_protect > 1 ||
	    arg->reserved || arg->changed)
		return -EINVAL;
	mapped = get_shared_file(arg->addr, arg->len, &first);
	if (!mapped)
		return -EFAULT;

	mapping = mapped->f_mapping;
	if (arg->write_protect)
		arg->changed = wp_shared_mapping_range(mapping, first, nr);
	else
		arg->changed = clean_record_shared_mapping_range(mapping, first,
								 nr, first,
								 dirty, &start,
								 &end);
	fput(mapped);
	return 0;
}

static const struct test_command {
	unsigned int cmd;
	bool exclusive;		/* no other command meanwhile */
	bool own_mm;		/* only for the process that is attached */
	int (*run)(struct test_file *file, union test_args *args);
} commands[] = {
	{ TEST_MN_ATTACH, true, false, test_attach },
	{ TEST_MN_DETACH, true, false, test_detach },
	{ TEST_MN_FAULT, false, true, test_fault },
	{ TEST_MN_READ, false, true, test_read },
	{ TEST_MN_WRITE, false, true, test_write },
	{ TEST_MN_FETCH_ADD, false, true, test_fetch_add },
	{ TEST_MN_CHECK, false, false, test_check },
	{ TEST_MN_STATS, false, false, test_stats },
	{ TEST_MN_STALE, false, false, test_stale },
	{ TEST_MN_DELAY, false, false, test_delay },
	{ TEST_MN_CLEAN, false, true, test_clean },
};

static int run_command(const struct test_command *command,
		       struct test_file *file, union test_args *args)
{
	int ret = 0;

	if (command->exclusive)
		down_write(&file->sem);
	else
		down_read(&file->sem);
	if (command->own_mm && !file->mmu)
		ret = -ENOENT;
	else if (command->own_mm && file->mmu->mm != current->mm)
		ret = -EPERM;
	else
		ret = command->run(file, args);
	if (command->exclusive)
		up_write(&file->sem);
	else
		up_read(&file->sem);
	return ret;
}

static long test_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	const struct test_command *command;
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union test_args args = {};
	int ret;

	if (_IOC_TYPE(cmd) != 'N' || _IOC_NR(cmd) >= ARRAY_SIZE(commands))
		return -ENOTTY;
	command = &commands[_IOC_NR(cmd)];
	if (command->cmd != cmd)
		return -EINVAL;

	if ((_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(&args, user, size))
		return -EFAULT;
	ret = run_command(command, filp->private_data, &args);
	if (!ret && (_IOC_DIR(cmd) & _IOC_READ) &&
	    copy_to_user(user, &args, size))
		ret = -EFAULT;
	return ret;
}

static int test_open(struct inode *inode, struct file *filp)
{
	struct test_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	init_rwsem(&file->sem);
	filp->private_data = file;
	return 0;
}

static int test_close(struct inode *inode, struct file *filp)
{
	struct test_file *file = filp->private_data;

	if (file->mmu)
		test_detach(file, NULL);
	kfree(file);
	return 0;
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_close,
	.unlocked_ioctl = test_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice test_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "test_mmu_notifier",
	.fops = &test_fops,
	.mode = 0600,
};

static int __init test_mmu_notifier_init(void)
{
	int ret;

	/* Reclaim waits for it. */
	remote_wq = alloc_workqueue("test_mmu_notifier",
				    WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!remote_wq)
		return -ENOMEM;
	ret = misc_register(&test_device);
	if (ret)
		destroy_workqueue(remote_wq);
	return ret;
}
module_init(test_mmu_notifier_init);
