/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mm_take_all_locks(), and the list of the reverse map locks that it takes; and
 * mm_pass_all_locks(), which takes them one by one.
 */
#ifndef _MM_MM_ALL_LOCKS_H
#define _MM_MM_ALL_LOCKS_H

#include <linux/types.h>

struct mm_struct;
struct rmap_lock;

/**
 * struct mm_all_locks - the reverse map locks of an mm
 * @locks: in locking order
 * @nr: how many there are
 * @room: how many fit into @locks
 */
struct mm_all_locks {
	struct rmap_lock *locks;
	size_t nr;
	size_t room;
};

int mm_take_all_locks(struct mm_struct *mm, struct mm_all_locks *list);
void mm_drop_all_locks(struct mm_struct *mm, struct mm_all_locks *list);
void mm_pass_all_locks(struct mm_struct *mm);
int mm_all_locks_grow(struct mm_all_locks *list);

#endif /* _MM_MM_ALL_LOCKS_H */
