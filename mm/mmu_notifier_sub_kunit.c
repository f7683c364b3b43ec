// SPDX-License-Identifier: GPL-2.0
/*
 * Subscribers of three KUnit suites, see mmu_notifier_sub_kunit.h.
 */

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"
#include "mmu_notifier_sub_kunit.h"

atomic_t mn_ticks;
struct mn_kept mn_kept;

/* ------------------------ subscribers that register ----------------------- */

static struct mn_sub *to_sub(struct mmu_notifier *mn)
{
	return container_of(mn, struct mn_sub, mn);
}

static void called(struct mn_sub *sub, enum mn_call call,
		   struct mm_struct *mm, unsigned long start,
		   unsigned long end)
{
	spin_lock(&sub->lock);
	sub->calls[call]++;
	sub->mm = mm;
	sub->start = start;
	sub->end = end;
	spin_unlock(&sub->lock);
}

static void enter(struct mn_sub *sub)
{
	spin_lock(&sub->lock);
	sub->running++;
	spin_unlock(&sub->lock);
}

static void leave(struct mn_sub *sub)
{
	spin_lock(&sub->lock);
	sub->running--;
	spin_unlock(&sub->lock);
}

static void sub_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mn_sub *sub = to_sub(mn);

	enter(sub);
	called(sub, RELEASE, mm, 0, 0);
	if (sub->watched)
		sub->watched_refs = page_count(sub->watched);
	mn_gate_pass(sub->release_gate);
	leave(sub);
	if (sub->put_in_release)
		mmu_notifier_put(mn);
}

static int sub_start(struct mmu_notifier *mn,
		     const struct mmu_notifier_range *range)
{
	struct mn_sub *sub = to_sub(mn);

	enter(sub);
	spin_lock(&sub->lock);
	sub->calls[START]++;
	sub->at_start = *range;
	sub->start_tick = atomic_inc_return(&mn_ticks);
	if (!sub->start_ret)
		sub->active++;
	sub->max_active = max(sub->max_active, sub->active);
	spin_unlock(&sub->lock);
	if (sub->put_in_start)
		mmu_notifier_put(mn);
	mn_gate_pass(sub->start_gate);
	leave(sub);
	return sub->start_ret;
}

static void sub_end(struct mmu_notifier *mn,
		    const struct mmu_notifier_range *range)
{
	struct mn_sub *sub = to_sub(mn);

	spin_lock(&sub->lock);
	sub->calls[END]++;
	sub->at_end = *range;
	sub->end_tick = atomic_inc_return(&mn_ticks);
	if (sub->active)
		sub->active--;
	else
		sub->unpaired++;
	spin_unlock(&sub->lock);
}

static int sub_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				 unsigned long start, unsigned long end)
{
	called(to_sub(mn), CLEAR_FLUSH_YOUNG, mm, start, end);
	return to_sub(mn)->young;
}

static int sub_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			   unsigned long start, unsigned long end)
{
	called(to_sub(mn), CLEAR_YOUNG, mm, start, end);
	return to_sub(mn)->young;
}

static int sub_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			  unsigned long address)
{
	called(to_sub(mn), TEST_YOUNG, mm, address, 0);
	return to_sub(mn)->young;
}

static void sub_tlbs(struct mmu_notifier *mn, struct mm_struct *mm,
		     unsigned long start, unsigned long end)
{
	called(to_sub(mn), TLBS, mm, start, end);
}

/* A secondary MMU with page tables of its own */
const struct mmu_notifier_ops mn_pages_ops = {
	.release		= sub_release,
	.clear_flush_young	= sub_clear_flush_young,
	.clear_young		= sub_clear_young,
	.test_young		= sub_test_young,
	.invalidate_range_start	= sub_start,
	.invalidate_range_end	= sub_end,
};

/* One that walks the page tables of the CPU */
const struct mmu_notifier_ops mn_shared_ops = {
	.release			= sub_release,
	.arch_invalidate_secondary_tlbs	= sub_tlbs,
};

/* One that may refuse a start, and has no end */
const struct mmu_notifier_ops mn_start_ops = {
	.invalidate_range_start	= sub_start,
};

/* One that is notified of ends only */
const struct mmu_notifier_ops mn_end_ops = {
	.invalidate_range_end	= sub_end,
};

/* One that is notified of accessed bits only */
const struct mmu_notifier_ops mn_ages_ops = {
	.clear_flush_young	= sub_clear_flush_young,
	.clear_young		= sub_clear_young,
	.test_young		= sub_test_young,
};

const struct mmu_notifier_ops mn_no_ops = { };

/* Not registered */
struct mn_sub *mn_sub_alloc(struct kunit *test,
			    const struct mmu_notifier_ops *ops)
{
	struct mn_sub *sub = mn_test_alloc(test, sizeof(*sub));

	spin_lock_init(&sub->lock);
	sub->mn.ops = ops;
	return sub;
}

static void sub_cleanup(void *data)
{
	struct mn_sub *sub = data;

	if (!mn_test_lost())
		mmu_notifier_unregister(&sub->mn, sub->mn.mm);
}

/* Until mn_sub_unregister() or the end of the test */
void mn_sub_register(struct kunit *test, struct mn_sub *sub,
		     struct mm_struct *mm)
{
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	mn_test_defer(test, sub_cleanup, sub);
}

void mn_sub_unregister(struct kunit *test, struct mn_sub *sub)
{
	kunit_release_action(test, sub_cleanup, sub);
}

struct mn_sub *mn_sub_new(struct kunit *test, struct mm_struct *mm,
			  const struct mmu_notifier_ops *ops)
{
	struct mn_sub *sub = mn_sub_alloc(test, ops);

	mn_sub_register(test, sub, mm);
	return sub;
}

unsigned int mn_sub_calls(struct mn_sub *sub)
{
	unsigned int i, nr = 0;

	for (i = 0; i < NR_CALLS; i++)
		nr += sub->calls[i];
	return nr;
}

/* ---------------------- subscribers for get and put ----------------------- */

struct mmu_notifier *mn_kept_alloc(struct mm_struct *mm)
{
	struct mn_sub *sub;

	mn_kept.allocs++;
	if (mn_kept.error)
		return ERR_PTR(mn_kept.error);
	sub = kzalloc(sizeof(*sub), GFP_KERNEL);
	if (!sub)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&sub->lock);
	sub->mm = mm;
	sub->start_gate = mn_kept.start_gate;
	sub->put_in_start = mn_kept.put_in_start;
	sub->put_in_release = mn_kept.put_in_release;
	return &sub->mn;
}

static void kept_free(struct mmu_notifier *mn)
{
	struct mn_sub *sub = to_sub(mn);

	/* if it is in use, it must stay */
	if (sub->running)
		atomic_inc(&mn_kept.freed_running);
	else
		kfree(sub);
	atomic_inc(&mn_kept.frees);
	complete(&mn_kept.freed);
}

const struct mmu_notifier_ops mn_kept_ops = {
	.release		= sub_release,
	.invalidate_range_start	= sub_start,
	.invalidate_range_end	= sub_end,
	.alloc_notifier		= mn_kept_alloc,
	.free_notifier		= kept_free,
};

/* The same functions, but other ops: another subscription */
const struct mmu_notifier_ops mn_other_kept_ops = {
	.release		= sub_release,
	.invalidate_range_start	= sub_start,
	.invalidate_range_end	= sub_end,
	.alloc_notifier		= mn_kept_alloc,
	.free_notifier		= kept_free,
};

/* May refuse a start, and has no end */
const struct mmu_notifier_ops mn_kept_start_ops = {
	.invalidate_range_start	= sub_start,
	.alloc_notifier		= mn_kept_alloc,
	.free_notifier		= kept_free,
};

struct mn_sub *mn_kept_get(struct kunit *test, struct mm_struct *mm,
			   const struct mmu_notifier_ops *ops)
{
	struct mmu_notifier *mn = mmu_notifier_get(ops, mm);

	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(mn));
	return to_sub(mn);
}

/* Before each test */
int mn_sub_init(struct kunit *test)
{
	memset(&mn_kept, 0, sizeof(mn_kept));
	init_completion(&mn_kept.freed);
	atomic_set(&mn_ticks, 0);
	return mn_test_init(test);
}

/* ------------------------- what is done with them ------------------------- */

/* All that an mm notifies of, but for its exit */
void mn_notify_all(struct mm_struct *mm)
{
	mn_invalidate_at(mm, 0, 1);
	mmu_notifier_clear_flush_young(mm, mn_page(0), mn_page(1));
	mmu_notifier_clear_young(mm, mn_page(0), mn_page(1));
	mmu_notifier_test_young(mm, mn_page(0));
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, mn_page(0),
						    mn_page(1));
}

void mn_unregister_thread(void *data)
{
	struct mn_unregister_job *job = data;

	mmu_notifier_unregister(&job->sub->mn, job->sub->mn.mm);
	job->running = READ_ONCE(job->sub->running);
}

struct mn_unregister_job *mn_unregister_job(struct kunit *test,
					    struct mn_sub *sub)
{
	struct mn_unregister_job *job = mn_test_alloc(test, sizeof(*job));

	job->sub = sub;
	return job;
}

void mn_register_thread(void *data)
{
	struct mn_register_job *job = data;

	job->ret = mmu_notifier_register(&job->sub->mn, job->mm);
}

struct mn_register_job *mn_register_job(struct kunit *test,
					struct mn_sub *sub,
					struct mm_struct *mm)
{
	struct mn_register_job *job = mn_test_alloc(test, sizeof(*job));

	job->sub = sub;
	job->mm = mm;
	job->ret = -EINPROGRESS;
	return job;
}
