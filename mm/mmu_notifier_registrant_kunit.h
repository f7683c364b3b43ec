/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that register, and threads that hold a lock for which these wait, for the
 * KUnit suites about what a registration meets.
 */
#ifndef _MM_MMU_NOTIFIER_REGISTRANT_KUNIT_H
#define _MM_MMU_NOTIFIER_REGISTRANT_KUNIT_H

#include <linux/mm_types.h>
#include <linux/types.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"

struct anon_vma;
struct file;

/* Registers, in a thread of its own */
struct mn_registrant {
	struct mn_listener *listener;
	struct mm_struct *mm;
	struct mn_gate *gate;	/* before it begins */
	bool interval;		/* inserts the listener's */
	int ret;
};

/* Holds a lock of a mapping for reading, in a thread of its own */
struct mn_holder {
	struct file *file;
	struct anon_vma *anon_vma;	/* if no file */
	struct vm_area_struct *vma;	/* if neither: the VMA lock */
	struct mm_struct *mm;		/* where it invalidates under the lock, if any */
	bool inside;			/* the gate is between start and end */
	bool failed;
	struct mn_gate *gate;
	struct mn_thread *thread;
};

int mn_locks_init(struct kunit *test);
void mn_locks_exit(struct kunit *test);

struct mn_registrant *mn_registrant_new(struct kunit *test,
					struct mm_struct *mm);
void mn_registrant_thread(void *data);
void mn_registrant_end(struct mn_registrant *registrant);
void mn_expect_notified(struct kunit *test, struct mn_registrant *registrant,
			unsigned int starts);
void mn_expect_registered(struct kunit *test,
			  struct mn_registrant *registrant);
void mn_expect_appears(struct kunit *test,
		       const struct mn_registrant *registrant);

void mn_hold(struct mn_holder *holder);
void mn_holder_release(struct mn_holder *holder);
void mn_holder_thread(void *data);
void mn_holder_run(struct kunit *test, struct mn_holder *holder);
void mn_holder_end(struct kunit *test, struct mn_holder *holder);
struct mn_holder *mn_holder_new(struct kunit *test, struct file *file,
				struct anon_vma *anon_vma);
struct mn_holder *mn_range_new(struct kunit *test, struct mm_struct *mm,
			       struct file *file);

#endif /* _MM_MMU_NOTIFIER_REGISTRANT_KUNIT_H */
