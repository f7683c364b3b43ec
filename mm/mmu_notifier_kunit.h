/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit suites for MMU notifiers share: address spaces to register
 * in, threads that can be waited for without hanging the suite, and gates
 * that hold a callback where the test wants it.
 */
#ifndef _MM_MMU_NOTIFIER_KUNIT_H
#define _MM_MMU_NOTIFIER_KUNIT_H

#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/types.h>

#include <kunit/test.h>

/*
 * Turns a deadlock into a failure; nothing that works takes a noticeable part
 * of it, on any machine.
 */
#define MN_DEADLOCK	(60 * HZ)

/*
 * How long a thread that must stay blocked is given to prove that it does not.
 * Too short a time can hide a failure, it cannot cause one.
 */
#define MN_CHANCE	max(HZ / 20, 2)

/* A point that callbacks reach, and leave when the test lets them */
struct mn_gate {
	struct completion reached;
	struct completion resume;
};

struct mn_thread {
	struct completion done;
	void (*fn)(void *data);
	void *data;
	bool joined;
};

int mn_test_init(struct kunit *test);
void *mn_test_alloc(struct kunit *test, size_t size);

void mn_test_defer(struct kunit *test, kunit_action_t *action, void *ctx);
bool mn_test_lost(void);

struct mm_struct *mn_test_mm(struct kunit *test);
void mn_test_mm_exit(struct kunit *test, struct mm_struct *mm);
struct vm_area_struct *mn_test_vma(struct kunit *test, struct mm_struct *mm,
				   unsigned long start, struct file *file);

struct mn_gate *mn_gate_alloc(struct kunit *test);
void mn_gate_pass(struct mn_gate *gate);
bool mn_gate_reached(struct mn_gate *gate);
void mn_gate_open(struct mn_gate *gate);

struct mn_thread *mn_thread_run(struct kunit *test, void (*fn)(void *data),
				void *data);
bool mn_thread_returned(struct mn_thread *thread);
bool mn_thread_join(struct mn_thread *thread);

#endif /* _MM_MMU_NOTIFIER_KUNIT_H */
