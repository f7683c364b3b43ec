// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: races, and what must not wait for what.
 *
 * A callback is held at a gate while another thread registers, unregisters or
 * exits, in the same mm or in another one; and all of that at random.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"
#include "mmu_notifier_sub_kunit.h"

/* ----------- callbacks that run while subscriptions come and go ----------- */

static void unregister_waits(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);
	struct mn_unregister_job *job = mn_unregister_job(test, sub);
	struct mn_thread *range, *unregister;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	sub->start_gate = gate;
	range = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	unregister = mn_thread_run(test, mn_unregister_thread, job);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(unregister));
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(unregister));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_EQ(test, job->running, 0);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
	KUNIT_EXPECT_EQ(test, sub->unpaired, 0);
}

/* Another subscription of the same mm: it may wait, and must end */
static void unregister_beside_callback(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *other = mn_sub_alloc(test, &mn_pages_ops);
	struct mn_thread *range, *unregister;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&other->mn, mm), 0);
	sub->start_gate = gate;
	range = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	unregister = mn_thread_run(test, mn_unregister_thread,
				   mn_unregister_job(test, other));
	mn_thread_returned(unregister);
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(unregister));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_EQ(test, other->calls[RELEASE], 1);
	KUNIT_EXPECT_EQ(test, other->unpaired, 0);
	KUNIT_EXPECT_EQ(test, sub->calls[END], 1);
}

/*
 * Whichever lock a range in progress is under, a registration returns either
 * before the range starts or after it has ended.
 */
struct lock_job {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	struct mn_gate *gate;
	void (*lock)(struct lock_job *job);
	void (*unlock)(struct lock_job *job);
};

static void lock_mmap(struct lock_job *job)
{
	mmap_read_lock(job->mm);
}

static void unlock_mmap(struct lock_job *job)
{
	mmap_read_unlock(job->mm);
}

static void lock_anon_vma(struct lock_job *job)
{
	anon_vma_lock_read(job->vma->anon_vma);
}

static void unlock_anon_vma(struct lock_job *job)
{
	anon_vma_unlock_read(job->vma->anon_vma);
}

static void lock_file(struct lock_job *job)
{
	i_mmap_lock_read(job->vma->vm_file->f_mapping);
}

static void unlock_file(struct lock_job *job)
{
	i_mmap_unlock_read(job->vma->vm_file->f_mapping);
}

static void locked_range_thread(void *data)
{
	struct lock_job *job = data;
	struct mmu_notifier_range range;

	job->lock(job);
	mn_range_init_at(&range, job->mm, 0, 1);
	mmu_notifier_invalidate_range_start(&range);
	mn_gate_pass(job->gate);
	mmu_notifier_invalidate_range_end(&range);
	job->unlock(job);
}

static void expect_register_waits(struct kunit *test, struct file *file,
				  void (*lock)(struct lock_job *job),
				  void (*unlock)(struct lock_job *job))
{
	struct mm_struct *mm = mn_test_mm(test);
	struct lock_job *job = mn_test_alloc(test, sizeof(*job));
	struct mn_sub *first = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);
	struct mn_register_job *registering = mn_register_job(test, sub, mm);
	struct mn_thread *range, *thread;

	job->mm = mm;
	job->vma = mn_test_vma(test, mm, mn_page(0), file);
	job->gate = mn_gate_alloc(test);
	job->lock = lock;
	job->unlock = unlock;

	range = mn_thread_run(test, locked_range_thread, job);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(job->gate));
	thread = mn_thread_run(test, mn_register_thread, registering);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	mn_gate_open(job->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_EQ(test, registering->ret, 0);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(sub), 0);
	KUNIT_EXPECT_EQ(test, first->calls[END], 1);
	mmu_notifier_unregister(&sub->mn, mm);
}

static void register_waits_for_mmap_lock(struct kunit *test)
{
	expect_register_waits(test, NULL, lock_mmap, unlock_mmap);
}

static void register_waits_for_anon_vma(struct kunit *test)
{
	expect_register_waits(test, NULL, lock_anon_vma, unlock_anon_vma);
}

static void register_waits_for_i_mmap(struct kunit *test)
{
	expect_register_waits(test, mn_test_file(test), lock_file, unlock_file);
}

/* ----------------------------- two mms apart ------------------------------ */

/*
 * While a callback sleeps in one mm, @fn must return in another. If it does
 * not, the sleeper is woken so that the test fails without hanging.
 */
static void expect_isolated(struct kunit *test, void (*fn)(void *data),
			    void *data)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sleeper = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mn_thread *range, *thread;

	sleeper->start_gate = gate;
	range = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	thread = mn_thread_run(test, fn, data);
	KUNIT_EXPECT_TRUE_MSG(test, mn_thread_completed(thread),
			      "held up by a callback that sleeps in another mm");
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
}

static void isolated_register(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);
	struct mn_register_job *job = mn_register_job(test, sub, mm);

	expect_isolated(test, mn_register_thread, job);
	KUNIT_ASSERT_EQ(test, job->ret, 0);
	mmu_notifier_unregister(&sub->mn, mm);
}

static void isolated_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	expect_isolated(test, mn_unregister_thread,
			mn_unregister_job(test, sub));
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

static void isolated_exit(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);

	mmget(mm);
	mn_test_mm_exit(test, mm);
	expect_isolated(test, mn_mmput_thread, mm);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

static void put_thread(void *data)
{
	struct mn_sub *sub = data;

	mmu_notifier_put(&sub->mn);
	wait_for_completion(&mn_kept.freed);
}

static void isolated_put(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	expect_isolated(test, put_thread, mn_kept_get(test, mm, &mn_kept_ops));
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
}

/* --------------------------------- stress --------------------------------- */

#define STRESS_ROUNDS	200

struct stress {
	struct mm_struct *mm;
	struct mn_sub *comer;	/* registers and unregisters */
	atomic_t ranges;
	unsigned int failed;
};

static void stress_ranges(void *data)
{
	struct stress *stress = data;
	struct mmu_notifier_range range, nested;
	int i;

	for (i = 0; i < STRESS_ROUNDS; i++) {
		mmap_read_lock(stress->mm);
		mn_range_init_at(&range, stress->mm, i % 7, 1 + i % 5);
		mn_range_init_at(&nested, stress->mm, i % 5, 1 + i % 3);
		mmu_notifier_invalidate_range_start(&range);
		schedule();
		mmu_notifier_invalidate_range_start(&nested);
		if (i % 16 == 0)
			schedule_timeout_uninterruptible(1);
		mmu_notifier_invalidate_range_end(&nested);
		mmu_notifier_invalidate_range_end(&range);
		mmap_read_unlock(stress->mm);
		atomic_add(2, &stress->ranges);
		schedule();
	}
}

/* The comer is not notified of the end of a range whose start it missed */
static void stress_register(void *data)
{
	struct stress *stress = data;
	struct mn_sub *sub = stress->comer;
	int i;

	for (i = 0; i < STRESS_ROUNDS / 4; i++) {
		if (mmu_notifier_register(&sub->mn, stress->mm)) {
			stress->failed++;
			continue;
		}
		schedule();
		mmu_notifier_unregister(&sub->mn, stress->mm);
		if (sub->calls[RELEASE] != i + 1 || sub->running)
			stress->failed++;
		/* ranges that were in progress end without it */
		sub->active = 0;
	}
}

static void stress_get_put(void *data)
{
	struct stress *stress = data;
	struct mmu_notifier *mn;
	int i;

	for (i = 0; i < STRESS_ROUNDS / 4; i++) {
		mn = mmu_notifier_get(&mn_kept_ops, stress->mm);
		if (IS_ERR(mn)) {
			stress->failed++;
			continue;
		}
		schedule();
		mmu_notifier_put(mn);
	}
}

static void come_and_go(struct kunit *test)
{
	static void (*const fn[])(void *) = {
		stress_ranges, stress_ranges, stress_ranges, stress_register,
		stress_get_put, stress_get_put,
	};
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct stress *stress = mn_test_alloc(test, sizeof(*stress));
	struct mn_sub *stayer = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_thread *thread[ARRAY_SIZE(fn)];
	int i;

	stress->mm = mm;
	stress->comer = mn_sub_alloc(test, &mn_pages_ops);
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		thread[i] = mn_thread_run(test, fn[i], stress);
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		KUNIT_EXPECT_TRUE(test, mn_thread_join(thread[i]));
	mmu_notifier_synchronize();

	KUNIT_EXPECT_EQ(test, stress->failed, 0);
	KUNIT_EXPECT_EQ(test, stress->comer->unpaired, 0);
	KUNIT_EXPECT_EQ(test, stayer->unpaired, 0);
	KUNIT_EXPECT_EQ(test, stayer->active, 0);
	KUNIT_EXPECT_GE(test, stayer->max_active, 2);
	KUNIT_EXPECT_EQ(test, stayer->calls[START],
			atomic_read(&stress->ranges));
	KUNIT_EXPECT_EQ(test, stayer->calls[END], atomic_read(&stress->ranges));
	KUNIT_EXPECT_EQ(test, mn_kept.allocs, atomic_read(&mn_kept.frees));
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.freed_running), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE(unregister_waits),
	KUNIT_CASE(unregister_beside_callback),
	KUNIT_CASE(register_waits_for_mmap_lock),
	KUNIT_CASE(register_waits_for_anon_vma),
	KUNIT_CASE(register_waits_for_i_mmap),
	KUNIT_CASE(isolated_register),
	KUNIT_CASE(isolated_unregister),
	KUNIT_CASE(isolated_exit),
	KUNIT_CASE(isolated_put),
	KUNIT_CASE(come_and_go),
	{ }
};

static struct kunit_suite mmu_notifier_race_suite = {
	.name = "mmu_notifier_race",
	.init = mn_sub_init,
	.test_cases = race_cases,
};

kunit_test_suite(mmu_notifier_race_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers: race");
MODULE_LICENSE("GPL");
