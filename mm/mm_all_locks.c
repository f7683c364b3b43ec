// SPDX-License-Identifier: GPL-2.0
/*
 * mm_take_all_locks(): stop whatever may read or change an mm's page tables; and
 * mm_pass_all_locks(): wait for it.
 *
 * With mmap_lock held for writing, page tables can still be reached under a VMA
 * lock (page faults) and through the reverse maps (reclaim, migration,
 * truncation).  One walk over the VMAs takes the VMA locks and collects the
 * reverse map locks in a list; sorting the list puts them in locking order and
 * brings duplicates together, as many VMAs share a file or an anon_vma root.
 * Unlocking walks that list, which the caller keeps.
 *
 * Whoever need not stop it, but only wait until what is in progress is over, takes
 * and releases one lock after the other, and needs neither a list nor an order.
 *
 * Lock order:
 *
 *	mmap_lock, for writing
 *	  VMA locks
 *	    i_mmap_rwsem of hugetlbfs files, by address
 *	      i_mmap_rwsem of other files, by address
 *	        anon_vma->root->rwsem, by address
 *
 * The kinds are in the order of mm/rmap.c: a hugetlbfs file's i_mmap_rwsem comes
 * before the folio lock, those of other files after it.
 *
 * Callers for different mms share locks and run in parallel.  They can't deadlock:
 * the VMA locks are of an mm whose mmap_lock is held, and all reverse map locks in
 * the system are in one order, as the kind of a lock is a property of the lock
 * (see kind_of_mapping()) and so is its address.  A caller waits only for a lock
 * that comes after all those it holds.  Every other task holds at most one lock of
 * a kind, and takes the kinds in the same order.
 *
 * lockdep knows the kinds, but not the order of addresses within one:
 * down_write_nest_lock() tells it that there may be many of a class.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include <kunit/static_stub.h>

#include "internal.h"
#include "mm_all_locks.h"

/* In locking order. */
enum rmap_lock_kind {
	HUGETLB_MAPPING,
	FILE_MAPPING,
	ANON_VMA_ROOT,
	NR_RMAP_LOCK_KINDS,
};

struct rmap_lock {
	enum rmap_lock_kind kind;
	struct rw_semaphore *rwsem;
};

/* Non-static for the tests, which make it fail. */
int mm_all_locks_grow(struct mm_all_locks *list)
{
	size_t room = list->room ? 2 * list->room : 64;
	struct rmap_lock *locks;

	KUNIT_STATIC_STUB_REDIRECT(mm_all_locks_grow, list);

	locks = kvrealloc(list->locks, array_size(room, sizeof(*locks)),
			  GFP_KERNEL);
	if (!locks)
		return -ENOMEM;
	list->locks = locks;
	list->room = room;
	return 0;
}

static int add_lock(void *data, enum rmap_lock_kind kind,
		    struct rw_semaphore *rwsem)
{
	struct mm_all_locks *list = data;

	/* A VMA often shares its file or its anon_vma with its neighbour. */
	if (list->nr && list->locks[list->nr - 1].rwsem == rwsem)
		return 0;

	if (list->nr == list->room) {
		int ret = mm_all_locks_grow(list);

		if (ret)
			return ret;
	}

	list->locks[list->nr++] = (struct rmap_lock){ kind, rwsem };
	return 0;
}

/*
 * By the mapping alone, so that a lock has the same place in the order through
 * whichever VMA it is found.
 */
static enum rmap_lock_kind kind_of_mapping(const struct address_space *mapping)
{
	const struct inode *inode = mapping->host;

	return inode && inode->i_sb->s_magic == HUGETLBFS_MAGIC ?
	       HUGETLB_MAPPING : FILE_MAPPING;
}

typedef int (*rmap_lock_fn)(void *data, enum rmap_lock_kind kind,
			    struct rw_semaphore *rwsem);

/* Inlined into its callers, so that @fn is no call through a pointer */
static __always_inline int visit_rmap_locks(struct vm_area_struct *vma,
					    rmap_lock_fn fn, void *data)
{
	struct address_space *mapping = vma->vm_file ? vma->vm_file->f_mapping : NULL;
	struct anon_vma_chain *avc;
	int ret;

	if (mapping) {
		ret = fn(data, kind_of_mapping(mapping), &mapping->i_mmap_rwsem);
		if (ret)
			return ret;
	}

	if (!vma->anon_vma)
		return 0;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma) {
		ret = fn(data, ANON_VMA_ROOT, &avc->anon_vma->root->rwsem);
		if (ret)
			return ret;
	}
	return 0;
}

/* VMA locks taken for writing are released together with mmap_lock. */
static int lock_vmas_and_collect(struct mm_struct *mm,
				 struct mm_all_locks *list)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	int ret;

	for_each_vma(vmi, vma) {
		if (signal_pending(current))
			return -EINTR;
		vma_start_write(vma);
		ret = visit_rmap_locks(vma, add_lock, list);
		if (ret)
			return ret;
	}
	return 0;
}

static int cmp_locks(const void *va, const void *vb)
{
	const struct rmap_lock *a = va, *b = vb;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->rwsem != b->rwsem)
		return a->rwsem < b->rwsem ? -1 : 1;
	return 0;
}

static void sort_and_unify(struct mm_all_locks *list)
{
	size_t kept = 0;

	sort(list->locks, list->nr, sizeof(*list->locks), cmp_locks, NULL);
	for (size_t i = 0; i < list->nr; i++)
		if (!kept || list->locks[kept - 1].rwsem != list->locks[i].rwsem)
			list->locks[kept++] = list->locks[i];
	list->nr = kept;
}

static void release_all(struct mm_all_locks *list, size_t nr_locked)
{
	while (nr_locked)
		up_write(list->locks[--nr_locked].rwsem);
	kvfree(list->locks);
}

/**
 * mm_take_all_locks - lock everything under which page tables are reached
 * @mm: the address space
 * @list: filled in with what is locked, for mm_drop_all_locks()
 *
 * On success no page fault, no walk of the page tables and no reverse map walk
 * is in progress in @mm, nor does one begin, until mm_drop_all_locks().  No
 * memory may be allocated before that: reclaim takes these locks.  Must not be
 * nested, not for another mm either.
 *
 * Expensive: takes as many locks as @mm has mapped files and anon_vma roots.
 *
 * Context: may sleep.  mmap_lock is held for writing, until after
 * mm_drop_all_locks().
 *
 * Return: 0; -EINTR if a signal is pending, or -ENOMEM.  Then nothing is locked.
 */
int mm_take_all_locks(struct mm_struct *mm, struct mm_all_locks *list)
{
	int ret;

	mmap_assert_write_locked(mm);

	*list = (struct mm_all_locks){};
	/* All memory is allocated before the first reverse map lock is taken. */
	ret = lock_vmas_and_collect(mm, list);
	if (ret) {
		release_all(list, 0);
		return ret;
	}
	sort_and_unify(list);

	for (size_t i = 0; i < list->nr; i++) {
		if (signal_pending(current)) {
			release_all(list, i);
			return -EINTR;
		}
		down_write_nest_lock(list->locks[i].rwsem, &mm->mmap_lock);
	}
	return 0;
}

/**
 * mm_drop_all_locks - undo mm_take_all_locks()
 * @mm: the address space
 * @list: as filled in by mm_take_all_locks()
 *
 * Context: the caller has held mmap_lock for writing since mm_take_all_locks().
 */
void mm_drop_all_locks(struct mm_struct *mm, struct mm_all_locks *list)
{
	mmap_assert_write_locked(mm);

	release_all(list, list->nr);
}

static int pass_lock(void *data, enum rmap_lock_kind kind,
		     struct rw_semaphore *rwsem)
{
	struct rw_semaphore **last = data;

	/* As in add_lock() */
	if (last[kind] == rwsem)
		return 0;

	last[kind] = rwsem;
	down_write(rwsem);
	up_write(rwsem);
	return 0;
}

/**
 * mm_pass_all_locks - wait for everything under which page tables are reached
 * @mm: the address space
 *
 * On return all is over that was in progress in @mm, under any of the locks that
 * mm_take_all_locks() takes, when this function was called.  What has begun since, by
 * rmap alone, sees what the caller did before the call.  It may go on meanwhile: only
 * one reverse map lock is held at a time.
 *
 * Context: may sleep.  mmap_lock is held for writing, and VMA locks remain taken until
 * it is released.
 */
void mm_pass_all_locks(struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct rw_semaphore *last[NR_RMAP_LOCK_KINDS] = { };
	struct vm_area_struct *vma;

	mmap_assert_write_locked(mm);

	for_each_vma(vmi, vma) {
		vma_start_write(vma);
		visit_rmap_locks(vma, pass_lock, last);
		cond_resched();
	}
}
