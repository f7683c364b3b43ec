// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: registration, lifetime and delivery.
 *
 * Every test makes address spaces of its own with mm_alloc(), registers
 * subscribers that record what they are told, calls the functions that the mm
 * calls (mmu_notifier_invalidate_range_start() and its kin), and compares. No
 * page table is involved but where a test says so: what the mm tells is tested
 * elsewhere, that everybody hears it is tested here.
 *
 * Tests of concurrency hold a callback at a gate in one thread and look at
 * what another thread can do meanwhile. No test depends on how long anything
 * takes; a thread that never comes back fails its test and all that follow,
 * as whatever it holds cannot be freed.
 */

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"

#define BASE	(16UL * PAGE_SIZE)
#define page_at(n)	(BASE + (n) * PAGE_SIZE)

/* ------------------------------ subscribers ------------------------------- */

enum call {
	RELEASE,
	START,
	END,
	CLEAR_FLUSH_YOUNG,
	CLEAR_YOUNG,
	TEST_YOUNG,
	TLBS,
	NR_CALLS,
};

struct subscriber {
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
	unsigned int running;		/* callbacks entered and not left */
	unsigned int active;		/* ranges between start and end */
	unsigned int max_active;
	unsigned int unpaired;		/* ends that no start came before */
	struct mmu_notifier_range at_start;
	struct mmu_notifier_range at_end;
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	int start_tick;
	int end_tick;
	int watched_refs;
};

/* Orders the calls that subscribers get and the steps of the test */
static atomic_t ticks;

static struct subscriber *to_subscriber(struct mmu_notifier *mn)
{
	return container_of(mn, struct subscriber, mn);
}

static void called(struct subscriber *sub, enum call call,
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

static void enter(struct subscriber *sub)
{
	spin_lock(&sub->lock);
	sub->running++;
	spin_unlock(&sub->lock);
}

static void leave(struct subscriber *sub)
{
	spin_lock(&sub->lock);
	sub->running--;
	spin_unlock(&sub->lock);
}

static void sub_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct subscriber *sub = to_subscriber(mn);

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
	struct subscriber *sub = to_subscriber(mn);

	enter(sub);
	spin_lock(&sub->lock);
	sub->calls[START]++;
	sub->at_start = *range;
	sub->start_tick = atomic_inc_return(&ticks);
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
	struct subscriber *sub = to_subscriber(mn);

	spin_lock(&sub->lock);
	sub->calls[END]++;
	sub->at_end = *range;
	sub->end_tick = atomic_inc_return(&ticks);
	if (sub->active)
		sub->active--;
	else
		sub->unpaired++;
	spin_unlock(&sub->lock);
}

static int sub_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				 unsigned long start, unsigned long end)
{
	called(to_subscriber(mn), CLEAR_FLUSH_YOUNG, mm, start, end);
	return to_subscriber(mn)->young;
}

static int sub_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			   unsigned long start, unsigned long end)
{
	called(to_subscriber(mn), CLEAR_YOUNG, mm, start, end);
	return to_subscriber(mn)->young;
}

static int sub_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			  unsigned long address)
{
	called(to_subscriber(mn), TEST_YOUNG, mm, address, 0);
	return to_subscriber(mn)->young;
}

static void sub_tlbs(struct mmu_notifier *mn, struct mm_struct *mm,
		     unsigned long start, unsigned long end)
{
	called(to_subscriber(mn), TLBS, mm, start, end);
}

/* A secondary MMU with page tables of its own */
static const struct mmu_notifier_ops pages_ops = {
	.release		= sub_release,
	.clear_flush_young	= sub_clear_flush_young,
	.clear_young		= sub_clear_young,
	.test_young		= sub_test_young,
	.invalidate_range_start	= sub_start,
	.invalidate_range_end	= sub_end,
};

/* One that walks the page tables of the CPU */
static const struct mmu_notifier_ops shared_ops = {
	.release			= sub_release,
	.arch_invalidate_secondary_tlbs	= sub_tlbs,
};

/* One that may fail start, and so has no end */
static const struct mmu_notifier_ops start_ops = {
	.invalidate_range_start	= sub_start,
};

/* One that only hears of ends */
static const struct mmu_notifier_ops end_ops = {
	.invalidate_range_end	= sub_end,
};

static const struct mmu_notifier_ops no_ops = { };

static struct subscriber *sub_alloc(struct kunit *test,
				    const struct mmu_notifier_ops *ops)
{
	struct subscriber *sub = mn_test_alloc(test, sizeof(*sub));

	spin_lock_init(&sub->lock);
	sub->mn.ops = ops;
	return sub;
}

static void sub_cleanup(void *data)
{
	struct subscriber *sub = data;

	if (!mn_test_lost())
		mmu_notifier_unregister(&sub->mn, sub->mn.mm);
}

static void sub_register(struct kunit *test, struct subscriber *sub,
			 struct mm_struct *mm)
{
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	mn_test_defer(test, sub_cleanup, sub);
}

static void sub_unregister(struct kunit *test, struct subscriber *sub)
{
	kunit_release_action(test, sub_cleanup, sub);
}

static struct subscriber *sub_new(struct kunit *test, struct mm_struct *mm,
				  const struct mmu_notifier_ops *ops)
{
	struct subscriber *sub = sub_alloc(test, ops);

	sub_register(test, sub, mm);
	return sub;
}

static unsigned int nr_calls(struct subscriber *sub)
{
	unsigned int i, nr = 0;

	for (i = 0; i < NR_CALLS; i++)
		nr += sub->calls[i];
	return nr;
}

/* ---------------------- subscribers for get and put ----------------------- */

static struct {
	int error;
	unsigned int allocs;
	atomic_t frees;
	atomic_t freed_running;		/* freed inside a callback */
	struct completion freed;
	struct mn_gate *start_gate;
	bool put_in_start;
	bool put_in_release;
} kept;

static struct mmu_notifier *kept_alloc(struct mm_struct *mm)
{
	struct subscriber *sub;

	kept.allocs++;
	if (kept.error)
		return ERR_PTR(kept.error);
	sub = kzalloc(sizeof(*sub), GFP_KERNEL);
	if (!sub)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&sub->lock);
	sub->mm = mm;
	sub->start_gate = kept.start_gate;
	sub->put_in_start = kept.put_in_start;
	sub->put_in_release = kept.put_in_release;
	return &sub->mn;
}

static void kept_free(struct mmu_notifier *mn)
{
	struct subscriber *sub = to_subscriber(mn);

	/* it is still in use then, so it stays */
	if (sub->running)
		atomic_inc(&kept.freed_running);
	else
		kfree(sub);
	atomic_inc(&kept.frees);
	complete(&kept.freed);
}

static const struct mmu_notifier_ops kept_ops = {
	.release		= sub_release,
	.invalidate_range_start	= sub_start,
	.invalidate_range_end	= sub_end,
	.alloc_notifier		= kept_alloc,
	.free_notifier		= kept_free,
};

/* The same functions, but other ops: another subscription */
static const struct mmu_notifier_ops other_kept_ops = {
	.release		= sub_release,
	.invalidate_range_start	= sub_start,
	.invalidate_range_end	= sub_end,
	.alloc_notifier		= kept_alloc,
	.free_notifier		= kept_free,
};

static struct subscriber *kept_get(struct kunit *test, struct mm_struct *mm,
				   const struct mmu_notifier_ops *ops)
{
	struct mmu_notifier *mn = mmu_notifier_get(ops, mm);

	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(mn));
	return to_subscriber(mn);
}

static int suite_init(struct kunit *test)
{
	memset(&kept, 0, sizeof(kept));
	init_completion(&kept.freed);
	atomic_set(&ticks, 0);
	return mn_test_init(test);
}

/* ----------------------- what the mm does, in short ----------------------- */

static void range_init(struct mmu_notifier_range *range, struct mm_struct *mm,
		       unsigned int first, unsigned int nr)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, page_at(first),
				page_at(first + nr));
}

static void invalidate(struct mm_struct *mm, unsigned int first,
		       unsigned int nr)
{
	struct mmu_notifier_range range;

	mmap_read_lock(mm);
	range_init(&range, mm, first, nr);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
}

/* What the OOM reaper does */
static int invalidate_nonblock(struct mm_struct *mm, unsigned int first,
			       unsigned int nr)
{
	struct mmu_notifier_range range;
	int ret;

	mmap_read_lock(mm);
	range_init(&range, mm, first, nr);
	ret = mmu_notifier_invalidate_range_start_nonblock(&range);
	if (!ret)
		mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	return ret;
}

static void tell_all(struct mm_struct *mm)
{
	invalidate(mm, 0, 1);
	mmu_notifier_clear_flush_young(mm, page_at(0), page_at(1));
	mmu_notifier_clear_young(mm, page_at(0), page_at(1));
	mmu_notifier_test_young(mm, page_at(0));
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, page_at(0),
						    page_at(1));
}

/* The same in a thread of their own */

static void invalidate_thread(void *data)
{
	invalidate(data, 0, 1);
}

static void mmput_thread(void *data)
{
	mmput(data);
}

struct unregister_job {
	struct subscriber *sub;
	unsigned int running;	/* callbacks running when unregister returned */
};

static void unregister_thread(void *data)
{
	struct unregister_job *job = data;

	mmu_notifier_unregister(&job->sub->mn, job->sub->mn.mm);
	job->running = READ_ONCE(job->sub->running);
}

static struct unregister_job *unregister_job(struct kunit *test,
					     struct subscriber *sub)
{
	struct unregister_job *job = mn_test_alloc(test, sizeof(*job));

	job->sub = sub;
	return job;
}

struct register_job {
	struct subscriber *sub;
	struct mm_struct *mm;
	int ret;
};

static void register_thread(void *data)
{
	struct register_job *job = data;

	job->ret = mmu_notifier_register(&job->sub->mn, job->mm);
}

static struct register_job *register_job(struct kunit *test,
					 struct subscriber *sub,
					 struct mm_struct *mm)
{
	struct register_job *job = mn_test_alloc(test, sizeof(*job));

	job->sub = sub;
	job->mm = mm;
	job->ret = -EINPROGRESS;
	return job;
}

/* ------------------------ register and unregister ------------------------- */

static void register_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct subscriber *sub;

	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));

	sub = sub_new(test, mm, &pages_ops);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(mm));
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.mm, mm);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
	KUNIT_EXPECT_EQ(test, nr_calls(sub), 0);

	tell_all(mm);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[END], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[CLEAR_FLUSH_YOUNG], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[CLEAR_YOUNG], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[TEST_YOUNG], 1);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 0);

	sub_unregister(test, sub);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
	KUNIT_EXPECT_PTR_EQ(test, sub->mm, mm);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);

	memset(sub->calls, 0, sizeof(sub->calls));
	tell_all(mm);
	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, nr_calls(sub), 0);
}

static void register_locked(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_alloc(test, &pages_ops);
	int ret;

	mmap_write_lock(mm);
	ret = __mmu_notifier_register(&sub->mn, mm);
	mmap_write_unlock(mm);
	KUNIT_ASSERT_EQ(test, ret, 0);

	invalidate(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	mmu_notifier_unregister(&sub->mn, mm);
}

static void register_again(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int i, count = atomic_read(&mm->mm_count);
	struct subscriber *sub = sub_alloc(test, &pages_ops);

	for (i = 1; i <= 3; i++) {
		sub_register(test, sub, mm);
		invalidate(mm, 0, 1);
		sub_unregister(test, sub);
		KUNIT_EXPECT_EQ(test, sub->calls[START], i);
		KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], i);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
}

/* One goes, the others stay and notice nothing */
static void unregister_one_of_three(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub[3];
	int i, gone;

	for (gone = 0; gone < 3; gone++) {
		for (i = 0; i < 3; i++)
			sub[i] = sub_new(test, mm, &pages_ops);
		sub_unregister(test, sub[gone]);
		invalidate(mm, 0, 1);
		for (i = 0; i < 3; i++) {
			KUNIT_EXPECT_EQ(test, sub[i]->calls[START], i != gone);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[END], i != gone);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[RELEASE],
					i == gone);
		}
		for (i = 0; i < 3; i++)
			if (i != gone)
				sub_unregister(test, sub[i]);
	}
}

/* Subscribers with different operations; who goes takes only its own along */
static void unregister_by_kind(struct kunit *test)
{
	static const struct mmu_notifier_ops ages_ops = {
		.clear_flush_young	= sub_clear_flush_young,
		.clear_young		= sub_clear_young,
		.test_young		= sub_test_young,
	};
	static const struct {
		const struct mmu_notifier_ops *ops;
		unsigned int calls;
	} kinds[] = {
		{ &start_ops, 1 }, { &end_ops, 1 }, { &ages_ops, 3 },
		{ &shared_ops, 1 }, { &no_ops, 0 },
	};
	struct subscriber *sub[ARRAY_SIZE(kinds)];
	struct mm_struct *mm = mn_test_mm(test);
	int i, nr, gone;

	for (gone = 0; gone < ARRAY_SIZE(kinds); gone++) {
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			sub[i] = sub_new(test, mm, kinds[i].ops);
		tell_all(mm);
		sub_unregister(test, sub[gone]);
		sub[gone]->calls[RELEASE] = 0;
		tell_all(mm);
		for (i = 0; i < ARRAY_SIZE(kinds); i++) {
			nr = i == gone ? 1 : 2;
			KUNIT_EXPECT_EQ(test, nr_calls(sub[i]),
					nr * kinds[i].calls);
		}
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			if (i != gone)
				sub_unregister(test, sub[i]);
	}
}

/* All operations are optional */
static void missing_ops(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *none = sub_new(test, mm, &no_ops);
	struct subscriber *start = sub_new(test, mm, &start_ops);
	struct subscriber *end = sub_new(test, mm, &end_ops);

	tell_all(mm);
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, nr_calls(none), 0);
	KUNIT_EXPECT_EQ(test, nr_calls(start), 2);
	KUNIT_EXPECT_EQ(test, start->calls[START], 2);
	KUNIT_EXPECT_EQ(test, nr_calls(end), 2);
	KUNIT_EXPECT_EQ(test, end->calls[END], 2);

	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, nr_calls(start), 2);
	KUNIT_EXPECT_EQ(test, nr_calls(end), 2);
}

/* ------------------------------ get and put ------------------------------- */

static void get_shares(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct subscriber *sub;

	sub = kept_get(test, mm, &kept_ops);
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.mm, mm);
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.ops, &kept_ops);
	KUNIT_EXPECT_PTR_EQ(test, sub->mm, mm);
	KUNIT_EXPECT_PTR_EQ(test, kept_get(test, mm, &kept_ops), sub);
	KUNIT_EXPECT_EQ(test, kept.allocs, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);

	invalidate(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 0);
	invalidate(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 2);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 0);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);

	/* a new one, not the old one back */
	sub = kept_get(test, mm, &kept_ops);
	KUNIT_EXPECT_EQ(test, kept.allocs, 2);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 0);
	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 2);
}

static void get_tells_apart(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mm_struct *mm2 = mn_test_mm(test);
	struct subscriber *sub = kept_get(test, mm, &kept_ops);
	struct subscriber *other_ops = kept_get(test, mm, &other_kept_ops);
	struct subscriber *other_mm = kept_get(test, mm2, &kept_ops);

	KUNIT_EXPECT_EQ(test, kept.allocs, 3);
	KUNIT_EXPECT_PTR_NE(test, sub, other_ops);
	KUNIT_EXPECT_PTR_NE(test, sub, other_mm);
	KUNIT_EXPECT_PTR_EQ(test, other_mm->mn.mm, mm2);

	invalidate(mm, 0, 1);
	KUNIT_EXPECT_EQ(test, sub->calls[START], 1);
	KUNIT_EXPECT_EQ(test, other_ops->calls[START], 1);
	KUNIT_EXPECT_EQ(test, other_mm->calls[START], 0);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_put(&other_ops->mn);
	mmu_notifier_put(&other_mm->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 3);
}

static void get_locked(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = kept_get(test, mm, &kept_ops);
	struct mmu_notifier *mn;

	mmap_write_lock(mm);
	mn = mmu_notifier_get_locked(&kept_ops, mm);
	mmap_write_unlock(mm);
	KUNIT_EXPECT_PTR_EQ(test, mn, &sub->mn);
	mmu_notifier_put(&sub->mn);
	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
}

static void get_without_memory(struct kunit *test)
{
	static const int errors[] = { -ENOMEM, -ENODEV };
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		kept.error = errors[i];
		KUNIT_EXPECT_PTR_EQ(test, mmu_notifier_get(&kept_ops, mm),
				    ERR_PTR(errors[i]));
		KUNIT_EXPECT_EQ(test, kept.allocs, i + 1);
	}
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	invalidate(mm, 0, 1);
}

/* release() comes from the exit alone, the memory stays until the put */
static void get_exit_put(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = kept_get(test, mm, &kept_ops);

	mn_test_mm_exit(test, mm);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 0);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
	KUNIT_EXPECT_PTR_EQ(test, sub->mn.mm, mm);

	mmu_notifier_put(&sub->mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
}

static void put_in_release(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);

	kept.put_in_release = true;
	kept_get(test, mm, &kept_ops);
	kept_get(test, mm, &other_kept_ops);
	mn_test_mm_exit(test, mm);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 2);
	/* only ours is left; all users shared one */
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 1);
}

/* put() never waits, yet nothing is freed under a callback that runs */
static void put_in_start(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	kept.put_in_start = true;
	kept_get(test, mm, &kept_ops);
	invalidate(mm, 0, 1);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.freed_running), 0);
}

static void put_beside_callback(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub;
	struct mn_thread *thread;

	kept.start_gate = gate;
	sub = kept_get(test, mm, &kept_ops);
	thread = mn_thread_run(test, invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	mmu_notifier_put(&sub->mn);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&kept.freed,
							     MN_CHANCE));
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.freed_running), 0);
}

/* put() also ends a plain registration */
static void register_put(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	int count = atomic_read(&mm->mm_count);
	struct mmu_notifier *mn = kept_alloc(mm);

	KUNIT_ASSERT_FALSE(test, IS_ERR(mn));
	mn->ops = &kept_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(mn, mm), 0);
	mmu_notifier_put(mn);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	invalidate(mm, 0, 1);
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
	struct subscriber *sub[3];
	int i;

	page = map_page(test, mn_test_vma(test, mm, page_at(0), NULL));
	for (i = 0; i < 3; i++) {
		sub[i] = sub_new(test, mm, i ? &pages_ops : &shared_ops);
		sub[i]->watched = page;
	}

	mn_test_mm_exit(test, mm);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sub[i]->calls[RELEASE], 1);
		KUNIT_EXPECT_PTR_EQ(test, sub[i]->mm, mm);
		/* before any page went */
		KUNIT_EXPECT_EQ(test, sub[i]->watched_refs, 2);
	}

	/* who was released hears no more, not even from unregister */
	for (i = 0; i < 3; i++)
		memset(sub[i]->calls, 0, sizeof(sub[i]->calls));
	tell_all(mm);
	for (i = 0; i < 3; i++)
		sub_unregister(test, sub[i]);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, nr_calls(sub[i]), 0);
	/* the three and the users are gone */
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count - 1);
}

/* The memory of the exited mm stays until the last one unregisters */
static void exit_then_unregister(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();
	struct subscriber *sub = sub_alloc(test, &pages_ops);

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
 * Who comes second neither releases again nor goes on before the first one's
 * release() has returned.
 */
static void unregister_during_exit(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_alloc(test, &pages_ops);
	struct unregister_job *job = unregister_job(test, sub);
	struct mn_thread *exit, *unregister;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	sub->release_gate = gate;
	mmget(mm);
	mn_test_mm_exit(test, mm);
	exit = mn_thread_run(test, mmput_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));

	unregister = mn_thread_run(test, unregister_thread, job);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(unregister));
	/* what release() has not dropped yet is still invalidated */
	invalidate_thread(mm);
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
	struct subscriber *sub = sub_alloc(test, &pages_ops);
	struct mn_thread *exit, *unregister;

	page = map_page(test, mn_test_vma(test, mm, page_at(0), NULL));
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	sub->release_gate = gate;
	unregister = mn_thread_run(test, unregister_thread,
				   unregister_job(test, sub));
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));

	mmget(mm);
	mn_test_mm_exit(test, mm);
	exit = mn_thread_run(test, mmput_thread, mm);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(exit));
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	/* what release() has not dropped yet is still invalidated */
	invalidate_thread(mm);
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
	struct subscriber *sub = sub_new(test, mm, &pages_ops);
	struct mn_thread *exit, *thread;

	sub->start_gate = gate;
	thread = mn_thread_run(test, invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	mmget(mm);
	mn_test_mm_exit(test, mm);
	exit = mn_thread_run(test, mmput_thread, mm);
	mn_thread_returned(exit);
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(exit));
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

/* -------------------------------- delivery -------------------------------- */

static void expect_range(struct kunit *test,
			 const struct mmu_notifier_range *seen,
			 const struct mmu_notifier_range *sent)
{
	KUNIT_EXPECT_PTR_EQ(test, seen->mm, sent->mm);
	KUNIT_EXPECT_EQ(test, seen->start, sent->start);
	KUNIT_EXPECT_EQ(test, seen->end, sent->end);
	KUNIT_EXPECT_EQ(test, seen->event, sent->event);
	KUNIT_EXPECT_EQ(test, seen->flags, sent->flags);
	KUNIT_EXPECT_PTR_EQ(test, seen->owner, sent->owner);
}

/* Everybody has heard of the start before it returns, and so of the end */
static void start_then_end(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mmu_notifier_range range;
	struct subscriber *sub[3];
	int i, started, ended;

	for (i = 0; i < 3; i++)
		sub[i] = sub_new(test, mm, &pages_ops);

	mmap_read_lock(mm);
	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_MIGRATE, 0, mm,
				      page_at(3), page_at(8), test);
	mmu_notifier_invalidate_range_start(&range);
	started = atomic_inc_return(&ticks);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sub[i]->active, 1);
		KUNIT_EXPECT_EQ(test, sub[i]->calls[END], 0);
	}
	mmu_notifier_invalidate_range_end(&range);
	ended = atomic_inc_return(&ticks);
	mmap_read_unlock(mm);

	KUNIT_EXPECT_TRUE(test, mmu_notifier_range_blockable(&range));
	KUNIT_EXPECT_PTR_EQ(test, range.owner, (void *)test);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sub[i]->calls[START], 1);
		KUNIT_EXPECT_EQ(test, sub[i]->calls[END], 1);
		KUNIT_EXPECT_LT(test, sub[i]->start_tick, started);
		KUNIT_EXPECT_GT(test, sub[i]->end_tick, started);
		KUNIT_EXPECT_LT(test, sub[i]->end_tick, ended);
		expect_range(test, &sub[i]->at_start, &range);
		expect_range(test, &sub[i]->at_end, &range);
	}
}

static void every_event(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_new(test, mm, &pages_ops);
	struct mmu_notifier_range range = { };
	int event;

	mmap_read_lock(mm);
	for (event = MMU_NOTIFY_UNMAP; event <= MMU_NOTIFY_EXCLUSIVE; event++) {
		mmu_notifier_range_init(&range, event, 0, mm, page_at(event),
					page_at(event + 2));
		mmu_notifier_invalidate_range_start(&range);
		KUNIT_EXPECT_EQ(test, sub->at_start.event, event);
		expect_range(test, &sub->at_start, &range);
		mmu_notifier_invalidate_range_end(&range);
		expect_range(test, &sub->at_end, &range);
	}
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, sub->calls[START], MMU_NOTIFY_EXCLUSIVE + 1);
	KUNIT_EXPECT_EQ(test, sub->unpaired, 0);
}

static void nested_ranges(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_new(test, mm, &pages_ops);
	struct mmu_notifier_range outer = { }, inner = { }, overlap = { };

	mmap_read_lock(mm);
	range_init(&outer, mm, 0, 8);
	range_init(&inner, mm, 2, 2);
	range_init(&overlap, mm, 3, 8);
	mmu_notifier_invalidate_range_start(&outer);
	mmu_notifier_invalidate_range_start(&inner);
	expect_range(test, &sub->at_start, &inner);
	mmu_notifier_invalidate_range_start(&overlap);
	KUNIT_EXPECT_EQ(test, sub->active, 3);
	KUNIT_EXPECT_EQ(test, sub->calls[END], 0);

	/* neither first in first out nor last in first out */
	mmu_notifier_invalidate_range_end(&inner);
	expect_range(test, &sub->at_end, &inner);
	mmu_notifier_invalidate_range_end(&outer);
	expect_range(test, &sub->at_end, &outer);
	KUNIT_EXPECT_EQ(test, sub->active, 1);
	mmu_notifier_invalidate_range_end(&overlap);
	expect_range(test, &sub->at_end, &overlap);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test, sub->active, 0);
	KUNIT_EXPECT_EQ(test, sub->unpaired, 0);
}

static void ranges_in_threads(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *quick = sub_new(test, mm, &pages_ops);
	struct subscriber *slow = sub_new(test, mm, &pages_ops);
	struct mn_thread *thread[4];
	int i;

	slow->start_gate = gate;
	for (i = 0; i < 4; i++) {
		thread[i] = mn_thread_run(test, invalidate_thread, mm);
		KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
		reinit_completion(&gate->reached);
	}
	/* one sleeping callback keeps nobody else out */
	KUNIT_EXPECT_EQ(test, slow->running, 4);
	KUNIT_EXPECT_EQ(test, slow->active, 4);
	KUNIT_EXPECT_EQ(test, quick->calls[END] + slow->calls[END], 0);
	mn_gate_open(gate);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, mn_thread_join(thread[i]));
	KUNIT_EXPECT_EQ(test, quick->calls[START], 4);
	KUNIT_EXPECT_EQ(test, quick->calls[END], 4);
	KUNIT_EXPECT_EQ(test, slow->calls[END], 4);
	KUNIT_EXPECT_EQ(test, quick->active + slow->active, 0);
	KUNIT_EXPECT_EQ(test, quick->unpaired + slow->unpaired, 0);
}

/* ------------------------- ranges that can't block ------------------------ */

static void nonblock(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_new(test, mm, &pages_ops);
	struct mmu_notifier_range range;

	mmap_read_lock(mm);
	range_init(&range, mm, 0, 4);
	range.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
	KUNIT_EXPECT_EQ(test,
			mmu_notifier_invalidate_range_start_nonblock(&range),
			0);
	KUNIT_EXPECT_EQ(test, sub->active, 1);
	mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_FALSE(test, mmu_notifier_range_blockable(&sub->at_start));
	KUNIT_EXPECT_FALSE(test, mmu_notifier_range_blockable(&sub->at_end));
	KUNIT_EXPECT_EQ(test, sub->calls[END], 1);
}

/*
 * Wherever the one that fails stands in line: who was told the start is told
 * the end, by the start that fails.
 */
static void nonblock_fails(struct kunit *test)
{
	int i, failing;

	for (failing = 0; failing < 3; failing++) {
		struct mm_struct *mm = mn_test_mm(test);
		struct subscriber *sub[3];

		for (i = 0; i < 3; i++)
			sub[i] = sub_new(test, mm, i == failing ? &start_ops :
								  &pages_ops);
		sub[failing]->start_ret = -EAGAIN;
		KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm, 0, 4), -EAGAIN);
		KUNIT_EXPECT_EQ(test, sub[failing]->calls[START], 1);
		for (i = 0; i < 3; i++) {
			if (i == failing)
				continue;
			KUNIT_EXPECT_LE(test, sub[i]->calls[START], 1);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[END],
					sub[i]->calls[START]);
			KUNIT_EXPECT_EQ(test, sub[i]->active, 0);
			KUNIT_EXPECT_EQ(test, sub[i]->unpaired, 0);
		}

		/* and it is as if nothing had been */
		sub[failing]->start_ret = 0;
		KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm, 0, 4), 0);
		invalidate(mm, 0, 4);
		KUNIT_EXPECT_EQ(test, sub[failing]->calls[START], 3);
		for (i = 0; i < 3; i++) {
			if (i == failing)
				continue;
			KUNIT_EXPECT_GE(test, sub[i]->calls[START], 2);
			KUNIT_EXPECT_EQ(test, sub[i]->calls[END],
					sub[i]->calls[START]);
			KUNIT_EXPECT_EQ(test, sub[i]->unpaired, 0);
		}
	}
}

/* It fails and takes its leave at once; the others notice nothing */
static void nonblock_fails_and_goes(struct kunit *test)
{
	static const struct mmu_notifier_ops going_ops = {
		.invalidate_range_start	= sub_start,
		.alloc_notifier		= kept_alloc,
		.free_notifier		= kept_free,
	};
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *older = sub_new(test, mm, &pages_ops);
	struct subscriber *going = kept_get(test, mm, &going_ops);
	struct subscriber *newer = sub_new(test, mm, &pages_ops);

	going->start_ret = -EAGAIN;
	going->put_in_start = true;
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm, 0, 4), -EAGAIN);
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.freed_running), 0);
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm, 0, 4), 0);
	KUNIT_EXPECT_EQ(test, older->calls[END], older->calls[START]);
	KUNIT_EXPECT_EQ(test, newer->calls[END], newer->calls[START]);
	KUNIT_EXPECT_EQ(test, older->unpaired + newer->unpaired, 0);
}

static void nonblock_all_fail(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub[2];
	int i;

	for (i = 0; i < 2; i++) {
		sub[i] = sub_new(test, mm, &start_ops);
		sub[i]->start_ret = -EAGAIN;
	}
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm, 0, 1), -EAGAIN);
	KUNIT_EXPECT_GE(test, sub[0]->calls[START] + sub[1]->calls[START], 1);
}

/* ------------------------- ageing, secondary TLBs ------------------------- */

static void ageing(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *none = sub_new(test, mm, &no_ops);
	struct subscriber *a = sub_new(test, mm, &pages_ops);
	struct subscriber *b = sub_new(test, mm, &pages_ops);
	unsigned long start = page_at(5), end = page_at(9);
	int young;

	for (young = 0; young < 4; young++) {
		unsigned int before;

		a->young = young & 1;
		b->young = young >> 1;

		KUNIT_EXPECT_EQ(test,
				!!mmu_notifier_clear_flush_young(mm, start,
								 end),
				!!young);
		/* what is to be cleared is cleared everywhere */
		KUNIT_EXPECT_EQ(test, a->calls[CLEAR_FLUSH_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, b->calls[CLEAR_FLUSH_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, a->start, start);
		KUNIT_EXPECT_EQ(test, a->end, end);
		KUNIT_EXPECT_PTR_EQ(test, a->mm, mm);

		KUNIT_EXPECT_EQ(test,
				!!mmu_notifier_clear_young(mm, start + PAGE_SIZE,
							   end),
				!!young);
		KUNIT_EXPECT_EQ(test, a->calls[CLEAR_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, b->calls[CLEAR_YOUNG], young + 1);
		KUNIT_EXPECT_EQ(test, b->start, start + PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, b->end, end);

		/* to look at, one that is young is enough */
		before = a->calls[TEST_YOUNG] + b->calls[TEST_YOUNG];
		KUNIT_EXPECT_EQ(test, !!mmu_notifier_test_young(mm, end),
				!!young);
		if (!young)
			KUNIT_EXPECT_EQ(test, a->calls[TEST_YOUNG] +
					b->calls[TEST_YOUNG], before + 2);
		else
			KUNIT_EXPECT_GT(test, a->calls[TEST_YOUNG] +
					b->calls[TEST_YOUNG], before);
		KUNIT_EXPECT_TRUE(test, a->start == end || b->start == end);
	}
	KUNIT_EXPECT_EQ(test, nr_calls(none), 0);
	KUNIT_EXPECT_EQ(test, a->calls[START] + b->calls[START], 0);
}

static void ageing_of_nobody(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	KUNIT_EXPECT_EQ(test, mmu_notifier_clear_flush_young(mm, 0, PAGE_SIZE),
			0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_clear_young(mm, 0, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mmu_notifier_test_young(mm, 0), 0);
	KUNIT_EXPECT_EQ(test, invalidate_nonblock(mm, 0, 1), 0);
	tell_all(mm);
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
}

static void secondary_tlbs(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *own = sub_new(test, mm, &pages_ops);
	struct subscriber *a = sub_new(test, mm, &shared_ops);
	struct subscriber *b = sub_new(test, mm, &shared_ops);

	/* as from a TLB flush: under a page table lock */
	spin_lock(&mm->page_table_lock);
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, page_at(2), page_at(7));
	spin_unlock(&mm->page_table_lock);
	KUNIT_EXPECT_EQ(test, a->calls[TLBS], 1);
	KUNIT_EXPECT_EQ(test, b->calls[TLBS], 1);
	KUNIT_EXPECT_EQ(test, a->start, page_at(2));
	KUNIT_EXPECT_EQ(test, a->end, page_at(7));
	KUNIT_EXPECT_PTR_EQ(test, a->mm, mm);
	KUNIT_EXPECT_EQ(test, nr_calls(own), 0);

	/* a range alone says nothing to them, the flush will */
	invalidate(mm, 0, 4);
	KUNIT_EXPECT_EQ(test, nr_calls(a), 1);
	KUNIT_EXPECT_EQ(test, own->calls[START], 1);

	sub_unregister(test, a);
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, 0, -1UL);
	KUNIT_EXPECT_EQ(test, a->calls[TLBS], 1);
	KUNIT_EXPECT_EQ(test, b->calls[TLBS], 2);
	KUNIT_EXPECT_EQ(test, b->start, 0);
	KUNIT_EXPECT_EQ(test, b->end, -1UL);
}

/* --------------- callbacks that run, others that come or go --------------- */

static void unregister_waits(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_alloc(test, &pages_ops);
	struct unregister_job *job = unregister_job(test, sub);
	struct mn_thread *range, *unregister;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	sub->start_gate = gate;
	range = mn_thread_run(test, invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	unregister = mn_thread_run(test, unregister_thread, job);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(unregister));
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(unregister));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_EQ(test, job->running, 0);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
	KUNIT_EXPECT_EQ(test, sub->unpaired, 0);
}

/* Of the same mm, another one: it may wait, and must get through */
static void unregister_beside_callback(struct kunit *test)
{
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_new(test, mm, &pages_ops);
	struct subscriber *other = sub_alloc(test, &pages_ops);
	struct mn_thread *range, *unregister;

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&other->mn, mm), 0);
	sub->start_gate = gate;
	range = mn_thread_run(test, invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	unregister = mn_thread_run(test, unregister_thread,
				   unregister_job(test, other));
	mn_thread_returned(unregister);
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(unregister));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_EQ(test, other->calls[RELEASE], 1);
	KUNIT_EXPECT_EQ(test, other->unpaired, 0);
	KUNIT_EXPECT_EQ(test, sub->calls[END], 1);
}

/*
 * Whichever of the locks a range in progress relies on, a registration that
 * has returned comes wholly before it or wholly after it.
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
	range_init(&range, job->mm, 0, 1);
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
	struct subscriber *first = sub_new(test, mm, &pages_ops);
	struct subscriber *sub = sub_alloc(test, &pages_ops);
	struct register_job *registering = register_job(test, sub, mm);
	struct mn_thread *range, *thread;

	job->mm = mm;
	job->vma = mn_test_vma(test, mm, page_at(0), file);
	job->gate = mn_gate_alloc(test);
	job->lock = lock;
	job->unlock = unlock;

	range = mn_thread_run(test, locked_range_thread, job);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(job->gate));
	thread = mn_thread_run(test, register_thread, registering);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	mn_gate_open(job->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_EQ(test, registering->ret, 0);
	KUNIT_EXPECT_EQ(test, nr_calls(sub), 0);
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
 * While a callback sleeps in one mm, @fn must get done in another. If it does
 * not, the sleeper is woken so that the test fails without hanging.
 */
static void expect_isolated(struct kunit *test, void (*fn)(void *data),
			    void *data)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sleeper = sub_new(test, mm, &pages_ops);
	struct mn_gate *gate = mn_gate_alloc(test);
	struct mn_thread *range, *thread;

	sleeper->start_gate = gate;
	range = mn_thread_run(test, invalidate_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(gate));
	thread = mn_thread_run(test, fn, data);
	KUNIT_EXPECT_TRUE_MSG(test,
			      wait_for_completion_timeout(&thread->done,
							  MN_DEADLOCK),
			      "held up by a callback that sleeps in another mm");
	mn_gate_open(gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
}

static void isolated_register(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_alloc(test, &pages_ops);
	struct register_job *job = register_job(test, sub, mm);

	expect_isolated(test, register_thread, job);
	KUNIT_ASSERT_EQ(test, job->ret, 0);
	mmu_notifier_unregister(&sub->mn, mm);
}

static void isolated_unregister(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_alloc(test, &pages_ops);

	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&sub->mn, mm), 0);
	expect_isolated(test, unregister_thread, unregister_job(test, sub));
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

static void isolated_exit(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct subscriber *sub = sub_new(test, mm, &pages_ops);

	mmget(mm);
	mn_test_mm_exit(test, mm);
	expect_isolated(test, mmput_thread, mm);
	KUNIT_EXPECT_EQ(test, sub->calls[RELEASE], 1);
}

static void put_thread(void *data)
{
	struct subscriber *sub = data;

	mmu_notifier_put(&sub->mn);
	wait_for_completion(&kept.freed);
}

static void isolated_put(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	expect_isolated(test, put_thread, kept_get(test, mm, &kept_ops));
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.frees), 1);
}

/* --------------------------------- stress --------------------------------- */

#define STRESS_ROUNDS	200

struct stress {
	struct mm_struct *mm;
	struct subscriber *comer;	/* registers and unregisters */
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
		range_init(&range, stress->mm, i % 7, 1 + i % 5);
		range_init(&nested, stress->mm, i % 5, 1 + i % 3);
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

/* The comer is told of no end whose start it was not told of */
static void stress_register(void *data)
{
	struct stress *stress = data;
	struct subscriber *sub = stress->comer;
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
		mn = mmu_notifier_get(&kept_ops, stress->mm);
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
	struct subscriber *stayer = sub_new(test, mm, &pages_ops);
	struct mn_thread *thread[ARRAY_SIZE(fn)];
	int i;

	stress->mm = mm;
	stress->comer = sub_alloc(test, &pages_ops);
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
	KUNIT_EXPECT_EQ(test, kept.allocs, atomic_read(&kept.frees));
	KUNIT_EXPECT_EQ(test, atomic_read(&kept.freed_running), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count + 1);
}

static struct kunit_case mmu_notifier_cases[] = {
	KUNIT_CASE(register_unregister),
	KUNIT_CASE(register_locked),
	KUNIT_CASE(register_again),
	KUNIT_CASE(unregister_one_of_three),
	KUNIT_CASE(unregister_by_kind),
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
	KUNIT_CASE(start_then_end),
	KUNIT_CASE(every_event),
	KUNIT_CASE(nested_ranges),
	KUNIT_CASE(ranges_in_threads),
	KUNIT_CASE(nonblock),
	KUNIT_CASE(nonblock_fails),
	KUNIT_CASE(nonblock_fails_and_goes),
	KUNIT_CASE(nonblock_all_fail),
	KUNIT_CASE(ageing),
	KUNIT_CASE(ageing_of_nobody),
	KUNIT_CASE(secondary_tlbs),
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

static struct kunit_suite mmu_notifier_suite = {
	.name = "mmu_notifier",
	.init = suite_init,
	.test_cases = mmu_notifier_cases,
};

kunit_test_suite(mmu_notifier_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers");
MODULE_LICENSE("GPL");
