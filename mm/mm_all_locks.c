// SPDX-License-Identifier: GPL-2.0
/*
 * mm_take_all_locks(): stop whatever may look at or change an mm's page tables.
 *
 * With mmap_lock held for writing, page tables can still be reached under a VMA
 * lock (page faults) and through the reverse maps (reclaim, migration,
 * truncation).  One walk over the VMAs shuts out the former and collects the
 * reverse map locks in a list; sorting the list puts them in locking order and
 * brings duplicates together, for many VMAs share a file or an anon_vma root.
 * Unlocking is a walk of that list.
 *
 * Lock order:
 *
 *	mmap_lock, for writing
 *	  VMA locks
 *	    mm_all_locks_mutex
 *	      i_mmap_rwsem of hugetlbfs files
 *	        i_mmap_rwsem of other files
 *	          anon_vma->root->rwsem
 *
 * which is that of mm/rmap.c: a hugetlbfs file's i_mmap_rwsem comes before the
 * folio lock, other files' behind it.  Locks of one kind are not nested
 * elsewhere, and mm_all_locks_mutex keeps two callers from taking them in
 * different order; that the order is by address is a matter of sorting only.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "internal.h"
#include "vma.h"

/* In locking order. */
enum rmap_lock_kind {
	HUGETLB_MAPPING,
	FILE_MAPPING,
	ANON_VMA_ROOT,
};

struct rmap_lock {
	enum rmap_lock_kind kind;
	struct rw_semaphore *rwsem;
};

struct rmap_lock_list {
	struct rmap_lock *locks;
	size_t nr;
	size_t room;
};

static DEFINE_MUTEX(mm_all_locks_mutex);

/* What is locked.  Under mm_all_locks_mutex. */
static struct rmap_lock_list all_locks;

static int add_lock(struct rmap_lock_list *list, enum rmap_lock_kind kind,
		    struct rw_semaphore *rwsem)
{
	/* A VMA often shares its file or its anon_vma with its neighbour. */
	if (list->nr && list->locks[list->nr - 1].rwsem == rwsem)
		return 0;

	if (list->nr == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct rmap_lock *locks;

		locks = kvrealloc(list->locks, array_size(room, sizeof(*locks)),
				  GFP_KERNEL);
		if (!locks)
			return -ENOMEM;
		list->locks = locks;
		list->room = room;
	}

	list->locks[list->nr++] = (struct rmap_lock){ kind, rwsem };
	return 0;
}

static int add_locks_of_vma(struct rmap_lock_list *list,
			    struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;
	int ret;

	if (vma->vm_file && vma->vm_file->f_mapping) {
		ret = add_lock(list, is_vm_hugetlb_page(vma) ?
				     HUGETLB_MAPPING : FILE_MAPPING,
			       &vma->vm_file->f_mapping->i_mmap_rwsem);
		if (ret)
			return ret;
	}

	if (!vma->anon_vma)
		return 0;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma) {
		ret = add_lock(list, ANON_VMA_ROOT, &avc->anon_vma->root->rwsem);
		if (ret)
			return ret;
	}
	return 0;
}

/* VMA locks taken for writing are let go together with mmap_lock. */
static int lock_vmas_and_collect(struct mm_struct *mm,
				 struct rmap_lock_list *list)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	int ret;

	for_each_vma(vmi, vma) {
		if (signal_pending(current))
			return -EINTR;
		vma_start_write(vma);
		ret = add_locks_of_vma(list, vma);
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

static void sort_and_unify(struct rmap_lock_list *list)
{
	size_t kept = 0;

	sort(list->locks, list->nr, sizeof(*list->locks), cmp_locks, NULL);
	for (size_t i = 0; i < list->nr; i++)
		if (!kept || list->locks[kept - 1].rwsem != list->locks[i].rwsem)
			list->locks[kept++] = list->locks[i];
	list->nr = kept;
}

static void unlock_all(struct rmap_lock_list *list, size_t nr_locked)
{
	while (nr_locked)
		up_write(list->locks[--nr_locked].rwsem);
}

/**
 * mm_take_all_locks - lock everything under which page tables are reached
 * @mm: the address space
 *
 * On success no page fault, no walk of the page tables and no reverse map walk
 * is in progress in @mm, nor does one begin, until mm_drop_all_locks().  Must
 * not be nested, and no memory may be allocated before mm_drop_all_locks():
 * reclaim takes these locks.
 *
 * Expensive: takes as many locks as @mm has mapped files and anon_vma roots.
 *
 * Context: may sleep.  mmap_lock is held for writing, until after
 * mm_drop_all_locks().
 *
 * Return: 0; -EINTR if a signal is pending, or -ENOMEM.  Then nothing is locked.
 */
int mm_take_all_locks(struct mm_struct *mm)
{
	struct rmap_lock_list list = {};
	int ret;

	mmap_assert_write_locked(mm);

	/*
	 * Not under the mutex: an allocation may have to wait for reclaim, and
	 * reclaim for the subscribers of any mm.
	 */
	ret = lock_vmas_and_collect(mm, &list);
	if (ret) {
		kvfree(list.locks);
		return ret;
	}
	sort_and_unify(&list);

	mutex_lock(&mm_all_locks_mutex);
	for (size_t i = 0; i < list.nr; i++) {
		if (signal_pending(current)) {
			unlock_all(&list, i);
			mutex_unlock(&mm_all_locks_mutex);
			kvfree(list.locks);
			return -EINTR;
		}
		down_write_nest_lock(list.locks[i].rwsem, &mm->mmap_lock);
	}
	all_locks = list;
	return 0;
}

/**
 * mm_drop_all_locks - undo mm_take_all_locks()
 * @mm: the address space
 *
 * Context: mmap_lock has been held for writing since.
 */
void mm_drop_all_locks(struct mm_struct *mm)
{
	struct rmap_lock_list list = all_locks;

	mmap_assert_write_locked(mm);
	lockdep_assert_held(&mm_all_locks_mutex);

	unlock_all(&list, list.nr);
	mutex_unlock(&mm_all_locks_mutex);
	kvfree(list.locks);
}
