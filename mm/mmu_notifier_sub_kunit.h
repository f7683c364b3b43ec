/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The subscribers of the KUnit suites mmu_notifier_register, _delivery and _race:
 * they record what they are notified of, wait at gates, and misbehave on request.
 */
#ifndef _MM_MMU_NOTIFIER_SUB_KUNIT_H
#define _MM_MMU_NOTIFIER_SUB_KUNIT_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"

enum mn_call {
	RELEASE,
	START,
	END,
	CLEAR_FLUSH_YOUNG,
	CLEAR_YOUNG,
	TEST_YOUNG,
	TLBS,
	NR_CALLS,
};

struct mn_sub {
	struct mmu_notifier mn;

	/* what to do when called */
	int start_ret;
	int young;
	struct mn_gate *start_gate;
	struct mn_gate *release_gate;
	bool put_in_start;
	bool put_in_release;
	struct page *watched;

	/* what happened */
	spinlock_t lock;
	unsigned int calls[NR_CALLS];
	unsigned int running;		/* callbacks that have not returned */
	unsigned int active;		/* ranges between start and end */
	unsigned int max_active;
	unsigned int unpaired;		/* ends without a start */
	struct mmu_notifier_range at_start;
	struct mmu_notifier_range at_end;
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	int start_tick;
	int end_tick;
	int watched_refs;
};

/* Those of mmu_notifier_get(), which are not given a test */
struct mn_kept {
	int error;
	unsigned int allocs;
	atomic_t frees;
	atomic_t freed_running;		/* freed inside a callback */
	struct completion freed;
	struct mn_gate *start_gate;
	bool put_in_start;
	bool put_in_release;
};

struct mn_unregister_job {
	struct mn_sub *sub;
	unsigned int running;	/* callbacks running when unregister returned */
};

struct mn_register_job {
	struct mn_sub *sub;
	struct mm_struct *mm;
	int ret;
};

/* Orders the calls of subscribers and the steps of the test */
extern atomic_t mn_ticks;
extern struct mn_kept mn_kept;

extern const struct mmu_notifier_ops mn_pages_ops;
extern const struct mmu_notifier_ops mn_shared_ops;
extern const struct mmu_notifier_ops mn_start_ops;
extern const struct mmu_notifier_ops mn_end_ops;
extern const struct mmu_notifier_ops mn_ages_ops;
extern const struct mmu_notifier_ops mn_no_ops;
extern const struct mmu_notifier_ops mn_kept_ops;
extern const struct mmu_notifier_ops mn_other_kept_ops;
extern const struct mmu_notifier_ops mn_kept_start_ops;

int mn_sub_init(struct kunit *test);
struct mn_sub *mn_sub_alloc(struct kunit *test,
			    const struct mmu_notifier_ops *ops);
void mn_sub_register(struct kunit *test, struct mn_sub *sub,
		     struct mm_struct *mm);
void mn_sub_unregister(struct kunit *test, struct mn_sub *sub);
struct mn_sub *mn_sub_new(struct kunit *test, struct mm_struct *mm,
			  const struct mmu_notifier_ops *ops);
unsigned int mn_sub_calls(struct mn_sub *sub);

struct mmu_notifier *mn_kept_alloc(struct mm_struct *mm);
struct mn_sub *mn_kept_get(struct kunit *test, struct mm_struct *mm,
			   const struct mmu_notifier_ops *ops);

void mn_notify_all(struct mm_struct *mm);

struct mn_register_job *mn_register_job(struct kunit *test, struct mn_sub *sub,
					struct mm_struct *mm);
void mn_register_thread(void *data);
struct mn_unregister_job *mn_unregister_job(struct kunit *test,
					    struct mn_sub *sub);
void mn_unregister_thread(void *data);

#endif /* _MM_MMU_NOTIFIER_SUB_KUNIT_H */
