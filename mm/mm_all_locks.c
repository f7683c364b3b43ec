// SPDX-License-Identifier: GPL-2.0
/*
 * mm_pass_all_locks(): wait for whatever may read or change an mm's page tables.
 *
 * With mmap_lock held for writing, page tables can still be reached under a VMA
 * lock (page faults) and through the reverse maps (reclaim, migration,
 * truncation).  Whoever has changed what they look at, and must know when nobody
 * goes by the old state any more, takes and releases each of these locks.
 *
 * Only one lock of a reverse map is held at a time, so there is no order among them,
 * callers for different mms can't deadlock, and whoever waits for one lock keeps
 * nobody from the others.
 *
 * Lock order:
 *
 *	mmap_lock, for writing
 *	  VMA locks
 *	    i_mmap_rwsem of a file, or anon_vma->root->rwsem
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched.h>

#include "mm_all_locks.h"

/* A VMA often shares its file or its anon_vma with its neighbour. */
static void pass_lock(struct rw_semaphore *rwsem, struct rw_semaphore **last)
{
	if (*last == rwsem)
		return;

	*last = rwsem;
	down_write(rwsem);
	up_write(rwsem);
}

/**
 * mm_pass_all_locks - wait for everything under which page tables are reached
 * @mm: the address space
 *
 * On return all has ended that was in progress in @mm, under a VMA lock or a lock of
 * a reverse map, when this function was called.  What has begun since sees what the
 * caller did before the call.
 *
 * Context: may sleep.  mmap_lock is held for writing, and VMA locks remain taken until
 * it is released.
 */
void mm_pass_all_locks(struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct rw_semaphore *last_file = NULL, *last_anon = NULL;
	struct anon_vma_chain *avc;
	struct vm_area_struct *vma;

	mmap_assert_write_locked(mm);

	for_each_vma(vmi, vma) {
		vma_start_write(vma);
		if (vma->vm_file)
			pass_lock(&vma->vm_file->f_mapping->i_mmap_rwsem,
				  &last_file);
		if (vma->anon_vma)
			list_for_each_entry(avc, &vma->anon_vma_chain, same_vma)
				pass_lock(&avc->anon_vma->root->rwsem,
					  &last_anon);
		cond_resched();
	}
}
