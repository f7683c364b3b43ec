// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: registration and lifetime.
 *
 * A subscription begins with mmu_notifier_register() or mmu_notifier_get(), and
 * ends with mmu_notifier_unregister() or mmu_notifier_put(), before its mm exits
 * or afterwards.
 */

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"
#include "mmu_notifier_sub_kunit.h"

/* ------------------------ register and unregister ------------------------- */

static void register_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mn_sub *sub;

	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));

	sub = mn_sub_new(test, mm, &mn_pages_ops);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(mm));
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.mm, mm);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(sub), 0);

	mn_notify_all(mm);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[END], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[CLEAR_FLUSH_YOUNG], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[CLEAR_YOUNG], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[TEST_YOUNG], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 0);

	mn_sub_unregister(test, sub);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
	KUNIT_EXPECT_PTR_EQ(test, sub->mm, mm);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);

	memset(sub->calls, 0, sizeof(sub->calls));
	mn_notify_all(mm);
	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(sub), 0);
}

static void register_locked(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);
	int ret;

	mmap_write_lock(mm);
	ret = __mmu_notifier_register(&sub->mn, mm);
	mmap_write_unlock(mm);
	KUNIT_ASSERT_EQ(test, ret, 0);

	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	mmu_notifier_unregister(&sub->mn, mm);
}

static void register_again(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int i, count = atomic_read(&mm->mm_count);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);

	for (i = 1; i <= 3; i++) {
		mn_sub_register(test, sub, mm);
		mn_invalidate_at(mm, 0, 1);
		mn_sub_unregister(test, sub);
		KUNIT_EXPECT_EQ(test, sub->calls[START], i);
		KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], i);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
}

/* One is unregistered, the others are notified as before */
static void unregister_one_of_three(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub[3];
	int i, gone;

	for (gone = 0; gone < 3; gone++) {
		for (i = 0; i < 3; i++)
			sub[i] = mn_sub_new(test, mm, &mn_pages_ops);
		mn_sub_unregister(test, sub[gone]);
		mn_invalidate_at(mm, 0, 1);
		for (i = 0; i < 3; i++) {
			KUNIT_EXPECT_EQ(test, sub[i]->calls[START], i != gone);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[END], i != gone);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[RELEASE],
					i == gone);
		}
		for (i = 0; i < 3; i++)
			if (i != gone)
				mn_sub_unregister(test, sub[i]);
	}
}

/* Subscribers with different callbacks: the others stay wanted if one ends */
static void unregister_by_kind(struct kunit *test)
{
	static const struct {
		const struct mmu_notifier_ops *ops;
		unsigned int calls;
	} kinds[] = {
		{ &mn_start_ops, 1 }, { &mn_end_ops, 1 }, { &mn_ages_ops, 3 },
		{ &mn_shared_ops, 1 }, { &mn_no_ops, 0 },
	};
	struct mn_sub *sub[ARRAY_SIZE(kinds)];
	struct mm_struct *mm = mn_test_mm(test);
	int i, nr, gone;

	for (gone = 0; gone < ARRAY_SIZE(kinds); gone++) {
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			sub[i] = mn_sub_new(test, mm, kinds[i].ops);
		mn_notify_all(mm);
		mn_sub_unregister(test, sub[gone]);
		sub[gone]->calls[RELEASE] = 0;
		mn_notify_all(mm);
		for (i = 0; i < ARRAY_SIZE(kinds); i++) {
			nr = i == gone ? 1 : 2;
			KUNIT_EXPECT_EQ(test, mn_sub_calls(sub[i]),
					nr * kinds[i].calls);
		}
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			if (i != gone)
				mn_sub_unregister(test, sub[i]);
	}
}

static unsigned int grace_periods;

static void count_grace_period(unsigned long grace_period)
{
	grace_periods++;
	cond_synchronize_rcu(grace_period);
}

static void nothing_to_flush(struct mmu_notifier *mn, struct mm_struct *mm)
{
}

static void expect_grace_periods(struct kunit *test, struct mn_sub *sub,
				 unsigned int nr)
{
	grace_periods = 0;
	mn_sub_unregister(test, sub);
	KUNIT_EXPECT_EQ(test, grace_periods, nr);
}

/* A grace period is waited for if the list may ever have been walked under RCU */
static void unregister_under_rcu(struct kunit *test)
{
	const struct mmu_notifier_ops under_rcu[] = {
		{ .clear_flush_young = mn_ages_ops.clear_flush_young },
		{ .clear_young = mn_ages_ops.clear_young },
		{ .test_young = mn_ages_ops.test_young },
		{ .arch_invalidate_secondary_tlbs =
			mn_shared_ops.arch_invalidate_secondary_tlbs },
		{ .invalidate_range_start = mn_start_ops.invalidate_range_start,
		  .flush_deferred = nothing_to_flush },
	};
	struct mn_sub *plain, *other;
	struct mm_struct *mm;
	int i;

	kunit_activate_static_stub(test, mmu_notifier_wait_for_rcu,
				   count_grace_period);
	for (i = 0; i < ARRAY_SIZE(under_rcu); i++) {
		mm = mn_test_mm(test);
		plain = mn_sub_new(test, mm, &mn_start_ops);
		other = mn_sub_new(test, mm, &mn_end_ops);
		expect_grace_periods(test, other, 0);
		other = mn_sub_new(test, mm, &mn_no_ops);
		expect_grace_periods(test, other, 0);

		/* A walk for one that has gone may still be at those that stay. */
		other = mn_sub_new(test, mm, &under_rcu[i]);
		expect_grace_periods(test, other, 1);
		expect_grace_periods(test, plain, 1);
	}
	kunit_deactivate_static_stub(test, mmu_notifier_wait_for_rcu);
}

/* All callbacks are optional */
static void missing_ops(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *none = mn_sub_new(test, mm, &mn_no_ops);
	struct mn_sub *start = mn_sub_new(test, mm, &mn_start_ops);
	struct mn_sub *end = mn_sub_new(test, mm, &mn_end_ops);

	mn_notify_all(mm);
	KUNIT_EXPECT_EQ(test, mn_invalidate_nonblock_at(mm, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(none), 0);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(start), 2);
	KUNIT_EXPECT_EQ(test, start->calls[START], 2);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(end), 2);
	KUNIT_EXPECT_EQ(test, end->calls[END], 2);

	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(start), 2);
	KUNIT_EXPECT_EQ(test, mn_sub_calls(end), 2);
}

/* ------------------------------ get and put ------------------------------- */

static void get_shares(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mn_sub *sub;

	sub = mn_kept_get(test, mm, &mn_kept_ops);
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.mm, mm);
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.ops, &mn_kept_ops);
	KUNIT_EXPECT_PTR_EQ(test, sub->mm, mm);
	KUNIT_EXPECT_PTR_EQ(test, mn_kept_get(test, mm, &mn_kept_ops), sub);
	KUNIT_EXPECT_EQ(test, mn_kept.allocs, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);

	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 0);
	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 2);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 0);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);

	/* a new one, not the old one again */
	sub = mn_kept_get(test, mm, &mn_kept_ops);
	KUNIT_EXPECT_EQ(test, mn_kept.allocs, 2);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 0);
	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 2);
}

static void get_tells_apart(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mm_struct *mm2 = mn_test_mm(test);
	struct mn_sub *sub = mn_kept_get(test, mm, &mn_kept_ops);
	struct mn_sub *other_ops = mn_kept_get(test, mm, &mn_other_kept_ops);
	struct mn_sub *other_mm = mn_kept_get(test, mm2, &mn_kept_ops);

	KUNIT_EXPECT_EQ(test, mn_kept.allocs, 3);
	KUNIT_EXPECT_PTR_NE(test, sub, other_ops);
	KUNIT_EXPECT_PTR_NE(test, sub, other_mm);
	KUNIT_EXPECT_PTR_EQ(test, other_mm->mn.mm, mm2);

	mn_invalidate_at(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	KUNIT_EXPECT_EQ(test, other_ops->calls[START], 1);
	KUNIT_EXPECT_EQ(test, other_mm->calls[START], 0);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_put(&other_ops->mn);
	mmu_notifier_put(&other_mm->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 3);
}

static void get_locked(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_kept_get(test, mm, &mn_kept_ops);
	struct mmu_notifier *mn;

	mmap_write_lock(mm);
	mn = mmu_notifier_get_locked(&mn_kept_ops, mm);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_PTR_EQ(test, mn, &sub->mn);
	mmu_notifier_put(&sub->mn);
	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
}

static void get_without_memory(struct kunit *test)
{
	static const int errors[] = { -ENOMEM, -ENODEV };
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		mn_kept.error = errors[i];
		KUNIT_EXPECT_PTR_EQ(test, mmu_notifier_get(&mn_kept_ops, mm),
				    ERR_PTR(errors[i]));
		KUNIT_EXPECT_EQ(test, mn_kept.allocs, i + 1);
	}
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	mn_invalidate_at(mm, 0, 1);
}

/* Only the exit calls release(), the memory stays until the put */
static void get_exit_put(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_kept_get(test, mm, &mn_kept_ops);

	mn_test_mm_exit(test, mm);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 0);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.mm, mm);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
}

static void put_in_release(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);

	mn_kept.put_in_release = true;
	mn_kept_get(test, mm, &mn_kept_ops);
	mn_kept_get(test, mm, &mn_other_kept_ops);
	mn_test_mm_exit(test, mm);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 2);
	/* only the test's reference is left; all users shared one */
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 1);
}

/* put() never waits, yet nothing is freed while a callback runs */
static void put_in_start(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	mn_kept.put_in_start = true;
	mn_kept_get(test, mm, &mn_kept_ops);
	mn_invalidate_at(mm, 0, 1);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.freed_running), 0);
}

static void put_beside_callback(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub;
	struct mn_thread *thread;

	mn_kept.start_gate = gate;
	sub = mn_kept_get(test, mm, &mn_kept_ops);
	thread = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	mmu_notifier_put(&sub->mn);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&mn_kept.freed,
							     MN_CHANCE));
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.freed_running), 0);
}

/* put() also ends a plain registration */
static void register_put(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mmu_notifier *mn = mn_kept_alloc(mm);

	KUNIT_ASSERT_FALSE(test, IS_ERR(mn));
	mn->ops = &mn_kept_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(mn, mm), 0);
	mmu_notifier_put(mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mn_kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	mn_invalidate_at(mm, 0, 1);
}

/* ---------------------------------- exit ---------------------------------- */

static void free_page_of(void *data)
{
	if (!mn_test_lost())
		put_page(data);
}

/* A page mapped at @vma, with one reference for that and one for the caller */
static struct page *map_page(struct kunit *test, struct vm_area_struct *vma)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, page);
	mn_test_defer(test, free_page_of, page);
	mmap_write_lock(vma->vm_mm);
	ret = vm_insert_page(vma, vma->vm_start, page);
	mmap_write_unlock(vma->vm_mm);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_ASSERT_EQ(test, page_count(page), 2);
	return page;
}

static void exit_releases(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct page *page;
	struct mn_sub *sub[3];
	int i;

	page = map_page(test, mn_test_vma(test, mm, mn_page(0), NULL));
	for (i = 0; i < 3; i++) {
		sub[i] = mn_sub_new(test, mm,
				    i ? &mn_pages_ops : &mn_shared_ops);
		sub[i]->watched = page;
	}

	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sub[i]->calls[RELEASE], 1);
		KUNIT_EXPECT_PTR_EQ(test, sub[i]->mm, mm);
		/* before any page was freed */
		KUNIT_EXPECT_EQ(test, sub[i]->watched_refs, 2);
	}

	/* after release() nothing is called, not even by unregister */
	for (i = 0; i < 3; i++)
		memset(sub[i]->calls, 0, sizeof(sub[i]->calls));
	mn_notify_all(mm);
	for (i = 0; i < 3; i++)
		mn_sub_unregister(test, sub[i]);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, mn_sub_calls(sub[i]), 0);
	/* the three and the users are gone */
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 1);
}

/* The memory of the exited mm stays until the last one unregisters */
static void exit_then_unregister(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);

	KUNIT_ASSERT_NOT_NULL(test, mm);
	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	mmput(mm);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.mm, mm);
	KUNIT_EXPECT_FALSE(test, mmget_not_zero(sub->mn.mm));
	mmu_notifier_unregister(&sub->mn, mm);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

/*
 * Whichever of the two is second neither calls release() again nor continues
 * before the first one's release() has returned.
 */
static void unregister_during_exit(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);
	struct mn_unregister_job *job = mn_unregister_job(test, sub);
	struct mn_thread *exit, *unregister;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	sub->release_gate = gate;
	mmget(mm);
	mn_test_mm_exit(test, mm);
	exit = mn_thread_run(test, mn_mmput_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));

	unregister = mn_thread_run(test, mn_unregister_thread, job);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(unregister));
	/* what release() has not dropped yet is still invalidated */
	mn_invalidate_thread(mm);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(exit));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(unregister));
	KUNIT_EXPECT_EQ(test, job->running, 0);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

static void exit_during_unregister(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct page *page;
	struct mn_sub *sub = mn_sub_alloc(test, &mn_pages_ops);
	struct mn_thread *exit, *unregister;

	page = map_page(test, mn_test_vma(test, mm, mn_page(0), NULL));
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	sub->release_gate = gate;
	unregister = mn_thread_run(test, mn_unregister_thread,
				   mn_unregister_job(test, sub));
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));

	mmget(mm);
	mn_test_mm_exit(test, mm);
	exit = mn_thread_run(test, mn_mmput_thread, mm);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(exit));
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	/* what release() has not dropped yet is still invalidated */
	mn_invalidate_thread(mm);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(exit));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(unregister));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

/* A callback that runs while the mm exits, as one from the reverse map may */
static void exit_beside_callback(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_sub *sub = mn_sub_new(test, mm, &mn_pages_ops);
	struct mn_thread *exit, *thread;

	sub->start_gate = gate;
	thread = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	mmget(mm);
	mn_test_mm_exit(test, mm);
	exit = mn_thread_run(test, mn_mmput_thread, mm);
	mn_thread_returned(exit);
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(exit));
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

static struct kunit_case register_cases[] = {
	KUNIT_CASE(register_unregister),
	KUNIT_CASE(register_locked),
	KUNIT_CASE(register_again),
	KUNIT_CASE(unregister_one_of_three),
	KUNIT_CASE(unregister_by_kind),
	KUNIT_CASE(unregister_under_rcu),
	KUNIT_CASE(missing_ops),
	KUNIT_CASE(get_shares),
	KUNIT_CASE(get_tells_apart),
	KUNIT_CASE(get_locked),
	KUNIT_CASE(get_without_memory),
	KUNIT_CASE(get_exit_put),
	KUNIT_CASE(put_in_release),
	KUNIT_CASE(put_in_start),
	KUNIT_CASE(put_beside_callback),
	KUNIT_CASE(register_put),
	KUNIT_CASE(exit_releases),
	KUNIT_CASE(exit_then_unregister),
	KUNIT_CASE(unregister_during_exit),
	KUNIT_CASE(exit_during_unregister),
	KUNIT_CASE(exit_beside_callback),
	{ }
};

static struct kunit_suite mmu_notifier_register_suite = {
	.name = "mmu_notifier_register",
	.init = mn_sub_init,
	.test_cases = register_cases,
};

kunit_test_suite(mmu_notifier_register_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers: register");
MODULE_LICENSE("GPL");
