/* SPDX-License-Identifier: GPL-2.0 */
/* mm_pass_all_locks(): wait for whatever may read or change an mm's page tables. */
#ifndef _MM_MM_ALL_LOCKS_H
#define _MM_MM_ALL_LOCKS_H

struct mm_struct;

void mm_pass_all_locks(struct mm_struct *mm);

#endif /* _MM_MM_ALL_LOCKS_H */
