/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit suites for MMU notifiers share: address spaces to register
 * in, threads that can be waited for without hanging the suite, gates that
 * hold a callback where the test wants it, a subscriber of both kinds, and the
 * reports of the core, which come to the test instead of the kernel log.
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
 * Turns a deadlock into a failure.  Much longer than anything that works takes,
 * on any machine.
 */
#define MN_DEADLOCK	(60 * HZ)

/*
 * How long a thread that must stay blocked is given to prove that it does not.
 * Too short a time can hide a failure, it cannot cause one.
 */
#define MN_CHANCE	max(HZ / 20, 2)

/* The address of page @n of those that the tests subscribe to and invalidate */
#define mn_page(n)	((16UL + (n)) * PAGE_SIZE)

/* A point that callbacks reach, and leave when the test opens it */
struct mn_gate {
	struct completion reached;
	struct completion resume;
};

struct mn_thread {
	struct completion done;
	void (*fn)(void *data);
	void *data;
	struct task_struct *task;
	bool joined;
};

/* Can subscribe in both ways, and does in its callback what the test wants */
struct mn_listener {
	struct mmu_notifier mn;
	struct mmu_interval_notifier interval;
	struct mmu_interval_notifier_finish finish;

	/* what to do when notified of a start */
	int nonblock_ret;	/* returned if it may not block; only for @mn */
	struct mn_gate *gate;
	void (*in_callback)(struct mn_listener *listener);
	/* and when called to finish it */
	struct mn_gate *finish_gate;
	void (*in_finish)(struct mn_listener *listener);
	/* for in_callback() */
	struct mn_listener *other;
	struct mm_struct *mm;
	int ret;

	/* what happened */
	unsigned int starts;
	unsigned int finishes;
	unsigned int ends;
	unsigned int releases;
};

extern const struct mmu_notifier_ops mn_listener_ops;
extern const struct mmu_notifier_ops mn_listener_start_ops;
extern const struct mmu_notifier_ops mn_listener_passes_ops;
extern const struct mmu_interval_notifier_ops mn_interval_ops;
extern const struct mmu_interval_notifier_ops mn_interval_passes_ops;

int mn_test_init(struct kunit *test);
int mn_test_init_reports(struct kunit *test);
void *mn_test_alloc(struct kunit *test, size_t size);

void mn_test_defer(struct kunit *test, kunit_action_t *action, void *ctx);
bool mn_test_lost(void);

struct mm_struct *mn_test_mm(struct kunit *test);
void mn_test_mm_exit(struct kunit *test, struct mm_struct *mm);
struct vm_area_struct *mn_test_vma(struct kunit *test, struct mm_struct *mm,
				   unsigned long start, struct file *file);
struct file *mn_test_file(struct kunit *test);
void mn_mmput(struct mm_struct *mm);
void mn_mmput_thread(void *mm);
void mn_expect_unlocked(struct kunit *test, struct mm_struct *mm);

struct mn_gate *mn_gate_alloc(struct kunit *test);
void mn_gate_pass(struct mn_gate *gate);
bool mn_gate_reached(struct mn_gate *gate);
void mn_gate_open(struct mn_gate *gate);

struct mn_thread *mn_thread_run(struct kunit *test, void (*fn)(void *data),
				void *data);
bool mn_thread_returned(struct mn_thread *thread);
bool mn_thread_completed(struct mn_thread *thread);
bool mn_thread_join(struct mn_thread *thread);

struct mn_listener *mn_listener_alloc(struct kunit *test);
struct mn_listener *mn_listener_new(struct kunit *test, struct mm_struct *mm);
struct mn_listener *mn_interval_new(struct kunit *test, struct mm_struct *mm);
struct mn_listener *mn_listener_passes_new(struct kunit *test,
					   struct mm_struct *mm);
struct mn_listener *mn_interval_passes_new(struct kunit *test,
					   struct mm_struct *mm);
int mn_interval_insert(struct mn_listener *listener, struct mm_struct *mm);
void mn_sleep_inside(struct mn_listener *listener);

void mn_range_init(struct mmu_notifier_range *range, struct mm_struct *mm);
void mn_range_init_at(struct mmu_notifier_range *range, struct mm_struct *mm,
		      unsigned int first, unsigned int nr);
void mn_invalidate(struct mm_struct *mm);
void mn_invalidate_at(struct mm_struct *mm, unsigned int first,
		      unsigned int nr);
void mn_invalidate_thread(void *mm);
int mn_invalidate_nonblock(struct mm_struct *mm);
int mn_invalidate_nonblock_at(struct mm_struct *mm, unsigned int first,
			      unsigned int nr);

void mn_expect_reports(struct kunit *test, enum mmu_notifier_fault fault,
		       unsigned int n);
void mn_expect_no_report(struct kunit *test);
void mn_expect_culprit(struct kunit *test, enum mmu_notifier_fault fault,
		       const void *culprit);

#endif /* _MM_MMU_NOTIFIER_KUNIT_H */
