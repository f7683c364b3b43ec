// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle of the software secondary MMU: compares a translation with the
 * CPU's page tables.
 *
 * It walks the page tables itself.  It must not depend on anything that it tests:
 * neither on MMU notifiers nor on the rest of the secondary MMU.
 *
 * The order of events makes the verdict reliable.  A translation is dropped before
 * the page table entry changes, and none is set before the range has ended.  So,
 * under the page table lock, an entry that disagrees with a translation that still
 * exists means that it was changed without notifying.  Only where a TLB may be flushed
 * later may a page be unmapped before; it is locked then.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "test_mmu_notifier_oracle.h"

/* --- the page tables of the CPU ------------------------------------------- */

static struct test_leaf pte_leaf(pte_t pte, unsigned long offset)
{
	struct test_leaf leaf = {};

	if (!pte_present(pte) || !pte_access_permitted(pte, false))
		return leaf;
	leaf.present = true;
	leaf.writable = pte_access_permitted(pte, true);
	leaf.young = pte_young(pte);
	leaf.dirty = pte_dirty(pte);
	leaf.pfn = pte_pfn(pte) + (offset >> PAGE_SHIFT);
	return leaf;
}

static struct test_leaf pmd_to_leaf(pmd_t pmd, unsigned long addr)
{
	struct test_leaf leaf = {};

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
static struct test_leaf pud_to_leaf(pud_t pud, unsigned long addr)
{
	struct test_leaf leaf = {};

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
 * set_accessed - set the accessed bit as hardware does in an entry that it uses
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
 * @use: make the leaf young, as hardware that walks the same tables does
 *
 * Interrupts are off, which keeps page tables from being freed.
 */
static struct test_leaf walk(struct mm_struct *mm, unsigned long addr, bool use)
{
	struct test_leaf none = {};
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

/**
 * test_mn_walk_and_use - read the CPU's page tables and make the leaf young
 * @mm: the address space
 * @addr: the address
 *
 * For a secondary MMU that walks the same tables.
 *
 * Return: what they contain.
 */
struct test_leaf test_mn_walk_and_use(struct mm_struct *mm,
				      unsigned long addr)
{
	unsigned long flags;
	struct test_leaf leaf;

	local_irq_save(flags);
	leaf = walk(mm, addr, true);
	local_irq_restore(flags);
	return leaf;
}

/**
 * test_mn_get_mapped - take a reference to the page that the CPU maps right now
 * @mm: the address space
 * @addr: the address
 * @entry: the translation that is about to be used
 *
 * With the reference, the page can be accessed even if @entry is about to become
 * stale.
 *
 * Return: the folio; or NULL, if the CPU does not map the page of @entry with at
 * least the same permission.
 */
struct folio *test_mn_get_mapped(struct mm_struct *mm, unsigned long addr,
				 const void *entry)
{
	struct folio *folio = NULL;
	struct test_leaf leaf, again;
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
	/* It may have been freed before, and reused by now. */
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

/*
 * awaits_flush - check whether a translation may be in a TLB, although it was dropped;
 *		  or was flushed just now
 *
 * That is so for as long as the page is locked by whoever has unmapped it.
 */
static bool awaits_flush(struct xarray *entries, unsigned long index, void *entry)
{
	bool dropped, flushed;

	/* A flush erases the mark before the entry. */
	xa_lock(entries);
	dropped = xa_get_mark(entries, index, ENTRY_DROPPED);
	flushed = xa_load(entries, index) != entry;
	xa_unlock(entries);
	if (flushed)
		return true;
	if (!dropped)
		return false;
	if (PageLocked(pfn_to_page(entry_pfn(entry))))
		return true;
	/* It is flushed before the page is unlocked: is it still there after that? */
	smp_rmb();
	return xa_load(entries, index) != entry;
}

/*
 * compare - compare the translation with what the CPU's page tables contain
 *
 * The caller holds the lock under which @leaf would change.  If there is no
 * translation any more, nothing is judged.
 */
static void compare(struct test_verdict *verdict, struct test_leaf leaf)
{
	unsigned long index = verdict->addr >> PAGE_SHIFT;
	void *entry = xa_load(verdict->entries, index);

	verdict->entry = entry;
	verdict->leaf = leaf;
	if (!entry)
		return;
	verdict->stale = !leaf.present || leaf.pfn != entry_pfn(entry) ||
			 (entry_writable(entry) && !leaf.writable);
	if (!leaf.present && awaits_flush(verdict->entries, index, entry))
		verdict->stale = false;
	if (verdict->stale)
		xa_cmpxchg(verdict->entries, index, entry, NULL, GFP_NOWAIT);
}

/* Upper levels are populated under mm->page_table_lock. */
static void compare_to_nothing(struct test_verdict *verdict)
{
	compare(verdict, (struct test_leaf){});
}

static void judge_hugetlb(struct test_verdict *verdict,
			  struct vm_area_struct *vma)
{
	struct mm_struct *mm = verdict->mm;
	struct hstate *h = hstate_vma(vma);
	unsigned long haddr = verdict->addr & huge_page_mask(h);
	spinlock_t *ptl;	/* the page table's */
	pte_t *ptep;

	hugetlb_vma_lock_read(vma);
	ptep = hugetlb_walk(vma, haddr, huge_page_size(h));
	if (!ptep) {
		spin_lock(&mm->page_table_lock);
		ptep = hugetlb_walk(vma, haddr, huge_page_size(h));
		if (!ptep)
			compare_to_nothing(verdict);
		spin_unlock(&mm->page_table_lock);
	}
	if (ptep) {
		ptl = huge_pte_lock(h, mm, ptep);
		compare(verdict, pte_leaf(huge_ptep_get(mm, haddr, ptep),
					  verdict->addr - haddr));
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

static bool judge_pte(struct test_verdict *verdict, pmd_t *pmdp)
{
	spinlock_t *ptl;	/* the page table's */
	pte_t *ptep;

	ptep = __pte_offset_map_lock(verdict->mm, pmdp, verdict->addr, &ptl);
	if (!ptep)
		return false;
	/* Sparse doesn't know that it has locked. */
	__acquire(ptl);
	__acquire(RCU);
	compare(verdict, pte_leaf(ptep_get(ptep), 0));
	pte_unmap_unlock(ptep, ptl);
	return true;
}

static void judge_page(struct test_verdict *verdict)
{
	struct mm_struct *mm = verdict->mm;
	unsigned long addr = verdict->addr;
	spinlock_t *ptl;	/* the page table's */
	pmd_t *pmdp, pmd;

	pmdp = find_pmd(mm, addr);
	if (!pmdp) {
		spin_lock(&mm->page_table_lock);
		pmdp = find_pmd(mm, addr);
		if (!pmdp)
			compare_to_nothing(verdict);
		spin_unlock(&mm->page_table_lock);
	}
	while (pmdp) {
		ptl = pmd_lock(mm, pmdp);
		pmd = pmdp_get(pmdp);
		if (!pmd_present(pmd) || pmd_leaf(pmd)) {
			compare(verdict, pmd_to_leaf(pmd, addr));
			spin_unlock(ptl);
			return;
		}
		spin_unlock(ptl);

		/* It fails if a huge page has come or gone. */
		if (judge_pte(verdict, pmdp))
			return;
	}
}

/* Returns false if no VMA covers the address. */
static bool judge_mapped(struct test_verdict *verdict)
{
	struct vm_area_struct *vma = vma_lookup(verdict->mm, verdict->addr);

	if (!vma)
		return false;
	if (is_vm_hugetlb_page(vma))
		judge_hugetlb(verdict, vma);
	else
		judge_page(verdict);
	return true;
}

/**
 * test_mn_judge - find out whether the translation of an address is stale
 * @verdict: which one, and where to store the result
 *
 * A stale translation is dropped.
 *
 * Return: 0, or -EINTR.
 */
int test_mn_judge(struct test_verdict *verdict)
{
	struct mm_struct *mm = verdict->mm;
	bool mapped;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	mapped = judge_mapped(verdict);
	mmap_read_unlock(mm);
	if (mapped)
		return 0;

	/*
	 * munmap() removes the VMA, and goes on to unmap the pages with mmap_lock
	 * held for reading.  Once mmap_lock is held for writing, it is done.
	 */
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (!judge_mapped(verdict))
		compare_to_nothing(verdict);
	mmap_write_unlock(mm);
	return 0;
}
