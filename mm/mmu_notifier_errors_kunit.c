// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: registrations that fail, and the end of what
 * never began.
 *
 * Drivers ignore errors, and tell from the fields of a subscription whether it
 * exists.  So a registration that fails must not change a byte of the subscription,
 * whatever its memory held before, nor the mm; and ending a subscription that does
 * not exist must be reported and do nothing else.
 *
 * Every function that registers is made to return every error that it can return,
 * and must then succeed with the same memory.
 */

#include <linux/err.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/panic.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

/* ------------------------ memory for a subscription ----------------------- */

/* What the memory may hold when a driver registers a subscription in it */
enum memory {
	ZEROED,		/* from kzalloc() */
	GARBAGE,	/* from kmalloc(), or from the stack */
	USED,		/* as left by a subscription that has ended */
	NR_MEMORIES,
};

static const char * const memory_names[] = {
	[ZEROED]	= "zeroed",
	[GARBAGE]	= "garbage",
	[USED]		= "used before",
};

/* A subscription of both kinds, a copy of it, and how to register it */
struct attempt {
	struct mn_listener listener;
	struct mn_listener before;
	const struct mmu_notifier_ops *ops;
	struct mm_struct *mm;
	unsigned long start;
	unsigned long length;
	bool mmap_locked;	/* by the test */

	/* by mmu_notifier_get() */
	unsigned int allocs;
	unsigned int frees;
	unsigned int freed_changed;
};

/* For callbacks that do not get a pointer to it */
static struct attempt *trying;

static bool is_unchanged(const struct attempt *try)
{
	return !memcmp(&try->listener.mn, &try->before.mn,
		       sizeof(try->before.mn)) &&
	       !memcmp(&try->listener.interval, &try->before.interval,
		       sizeof(try->before.interval));
}

static struct mmu_notifier *try_alloc(struct mm_struct *mm)
{
	trying->allocs++;
	return &trying->listener.mn;
}

static void try_free(struct mmu_notifier *mn)
{
	trying->frees++;
	if (mn != &trying->listener.mn || !is_unchanged(trying))
		trying->freed_changed++;
}

static int try_start(struct mmu_notifier *mn,
		     const struct mmu_notifier_range *range)
{
	return mn_listener_ops.invalidate_range_start(mn, range);
}

static void try_end(struct mmu_notifier *mn,
		    const struct mmu_notifier_range *range)
{
	mn_listener_ops.invalidate_range_end(mn, range);
}

static void try_tlbs(struct mmu_notifier *mn, struct mm_struct *mm,
		     unsigned long start, unsigned long end)
{
}

static const struct mmu_notifier_ops try_ops = {
	.invalidate_range_start	= try_start,
	.invalidate_range_end	= try_end,
	.alloc_notifier		= try_alloc,
	.free_notifier		= try_free,
};

static struct attempt *attempt_alloc(struct kunit *test, struct mm_struct *mm)
{
	struct attempt *try = mn_test_alloc(test, sizeof(*try));

	try->ops = &try_ops;
	try->mm = mm;
	try->start = mn_page(0);
	try->length = PAGE_SIZE;
	trying = try;
	return try;
}

/* In another mm, so that the mm under test is not affected */
static void use_and_end(struct kunit *test, struct mn_listener *listener)
{
	struct mm_struct *mm = mn_test_mm(test);

	listener->mn.ops = &try_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	KUNIT_ASSERT_EQ(test, mn_interval_insert(listener, mm), 0);
	mn_invalidate(mm);
	mmu_interval_notifier_remove(&listener->interval);
	mmu_notifier_unregister(&listener->mn, mm);
}

static void fill(struct kunit *test, struct attempt *try, enum memory memory)
{
	memset(&try->listener, memory == GARBAGE ? 0xa5 : 0,
	       sizeof(try->listener));
	try->listener.gate = NULL;
	try->listener.in_callback = NULL;
	if (memory == USED)
		use_and_end(test, &try->listener);
	try->listener.starts = 0;
	try->listener.mn.ops = try->ops;

	memcpy(&try->before, &try->listener, sizeof(try->before));
	try->allocs = 0;
	try->frees = 0;
	try->freed_changed = 0;
}

/* --------------------------- the ways to register ------------------------- */

static int by_register(struct attempt *try)
{
	return mmu_notifier_register(&try->listener.mn, try->mm);
}

static int by_register_locked(struct attempt *try)
{
	return __mmu_notifier_register(&try->listener.mn, try->mm);
}

static int by_get(struct attempt *try)
{
	return PTR_ERR_OR_ZERO(mmu_notifier_get(try->ops, try->mm));
}

static int by_get_locked(struct attempt *try)
{
	return PTR_ERR_OR_ZERO(mmu_notifier_get_locked(try->ops, try->mm));
}

static int by_insert(struct attempt *try)
{
	return mmu_interval_notifier_insert(&try->listener.interval, try->mm,
					    try->start, try->length,
					    &mn_interval_ops);
}

static int by_insert_locked(struct attempt *try)
{
	return mmu_interval_notifier_insert_locked(&try->listener.interval,
						   try->mm, try->start,
						   try->length,
						   &mn_interval_ops);
}

static void unregister(struct attempt *try)
{
	mmu_notifier_unregister(&try->listener.mn, try->mm);
}

static void put(struct attempt *try)
{
	mmu_notifier_put(&try->listener.mn);
	mmu_notifier_synchronize();
}

static void remove(struct attempt *try)
{
	mmu_interval_notifier_remove(&try->listener.interval);
}

enum kind {
	REGISTERED	= 1 << 0,
	GOT		= 1 << 1,
	INSERTED	= 1 << 2,
	ALL_KINDS	= REGISTERED | GOT | INSERTED,
};

static const struct way {
	const char *name;
	enum kind kind;
	bool locked;		/* the caller holds mmap_lock */
	int (*begin)(struct attempt *try);
	void (*end)(struct attempt *try);
} ways[] = {
	{ "register", REGISTERED, false, by_register, unregister },
	{ "__register", REGISTERED, true, by_register_locked, unregister },
	{ "get", GOT, false, by_get, put },
	{ "get_locked", GOT, true, by_get_locked, put },
	{ "insert", INSERTED, false, by_insert, remove },
	{ "insert_locked", INSERTED, true, by_insert_locked, remove },
};

/* The next way of @kinds after @way; NULL stands before the first, after the last */
static const struct way *next_way(const struct way *way, enum kind kinds)
{
	for (way = way ? way + 1 : ways; way < ways + ARRAY_SIZE(ways); way++)
		if (way->kind & kinds)
			return way;
	return NULL;
}

/* The kinds that use the same struct as @way */
static enum kind same_memory(const struct way *way)
{
	return way->kind == INSERTED ? INSERTED : REGISTERED | GOT;
}

static int begin(const struct way *way, struct attempt *try)
{
	int ret;

	if (way->locked && !try->mmap_locked)
		mmap_write_lock(try->mm);
	ret = way->begin(try);
	if (way->locked && !try->mmap_locked)
		mmap_write_unlock(try->mm);
	return ret;
}

static const void *ops_of(const struct way *way, struct attempt *try)
{
	return way->kind == INSERTED ? (void *)try->listener.interval.ops :
				       (void *)try->listener.mn.ops;
}

/* ---------------------------- what is expected ---------------------------- */

/* The state of an mm's subscriptions; without padding, as it is compared */
struct mm_state {
	unsigned long count;
	struct mmu_notifier_subscriptions *subs;
	struct hlist_node *first;
	unsigned long wants;
	unsigned long armed;
	unsigned long open;
	unsigned long nr_intervals;
	unsigned long in_progress;
};

static struct mm_state state_of(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mm_state state = {
		.count = atomic_read(&mm->mm_count),
		.subs = subs,
	};

	if (subs) {
		state.first = subs->list.first;
		state.wants = subs->wants;
		state.armed = subs->armed;
		state.open = subs->intervals.open;
		state.nr_intervals = subs->intervals.nr;
		state.in_progress =
			atomic_long_read(&subs->intervals.in_progress);
	}
	return state;
}

/* Expect that @way fails with @error, and that nothing has changed */
static void expect_failure(struct kunit *test, const struct way *way,
			   struct attempt *try, int error, const char *memory)
{
	struct mm_state before = state_of(try->mm), after;
	int ret = begin(way, try);

	after = state_of(try->mm);
	KUNIT_EXPECT_EQ_MSG(test, ret, error, "%s, %s", way->name, memory);
	KUNIT_EXPECT_TRUE_MSG(test, is_unchanged(try), "%s, %s", way->name,
			      memory);
	KUNIT_EXPECT_MEMEQ_MSG(test, &after, &before, sizeof(before), "%s, %s",
			       way->name, memory);
	if (!try->mmap_locked)
		mn_expect_unlocked(test, try->mm);

	/* what was allocated has been freed, unchanged */
	KUNIT_EXPECT_EQ_MSG(test, try->frees, try->allocs, "%s", way->name);
	KUNIT_EXPECT_EQ_MSG(test, try->freed_changed, 0, "%s", way->name);
	if (!ret)
		way->end(try);
}

/* Expect that ending what does not exist is reported, and does nothing else */
static void expect_end_reported(struct kunit *test, const struct way *way,
				struct attempt *try)
{
	struct mm_state before = state_of(try->mm), after;
	unsigned int frees = try->frees;

	mn_expect_no_report(test);
	way->end(try);
	mn_expect_culprit(test, MMU_NOTIFIER_NOT_SUBSCRIBED, ops_of(way, try));
	after = state_of(try->mm);
	KUNIT_EXPECT_MEMEQ_MSG(test, &after, &before, sizeof(before), "%s",
			       way->name);
	KUNIT_EXPECT_EQ(test, try->frees, frees);
}

/* Expect that @way succeeds with the memory that it failed with */
static void expect_success(struct kunit *test, const struct way *way,
			   struct attempt *try)
{
	int count = atomic_read(&try->mm->mm_count);
	int ret = begin(way, try);

	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "%s", way->name);
	if (ret)
		return;
	KUNIT_EXPECT_EQ(test, atomic_read(&try->mm->mm_count), count + 1);
	mn_invalidate(try->mm);
	KUNIT_EXPECT_EQ_MSG(test, try->listener.starts, 1, "%s", way->name);
	way->end(try);
	KUNIT_EXPECT_EQ(test, atomic_read(&try->mm->mm_count), count);
	try->listener.starts = 0;
	mn_expect_no_report(test);
}

/* Expect that @way fails, and that ending what never began is reported */
static void expect_no_subscription(struct kunit *test, const struct way *way,
				   struct attempt *try, int error,
				   const char *memory)
{
	enum kind same = same_memory(way);
	const struct way *end;

	expect_failure(test, way, try, error, memory);
	for (end = next_way(NULL, same); end; end = next_way(end, same))
		expect_end_reported(test, end, try);
	KUNIT_EXPECT_TRUE(test, is_unchanged(try));
}

/* The same for all ways of these kinds, with every memory */
static void expect_all_fail(struct kunit *test, enum kind kinds,
			    struct attempt *try, int error)
{
	const struct way *way;
	unsigned int memory;

	for (way = next_way(NULL, kinds); way; way = next_way(way, kinds)) {
		for (memory = 0; memory < NR_MEMORIES; memory++) {
			fill(test, try, memory);
			expect_no_subscription(test, way, try, error,
					       memory_names[memory]);
		}
	}
}

/* --------------------------------- troubles ------------------------------- */

/* What makes a registration fail in an mm that has a VMA */
struct trouble {
	int error;
	void (*begin)(struct kunit *test);
	void (*end)(struct kunit *test);
	bool first_only;	/* only the first one that an mm ever has */
};

static struct mmu_notifier_subscriptions *no_subscriptions(struct mm_struct *mm)
{
	return NULL;
}

static void subscriptions_fail(struct kunit *test)
{
	kunit_activate_static_stub(test, mmu_notifier_subscriptions_alloc,
				   no_subscriptions);
}

static void subscriptions_work(struct kunit *test)
{
	kunit_deactivate_static_stub(test, mmu_notifier_subscriptions_alloc);
}

static void signal_comes(struct kunit *test)
{
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
}

static void signal_goes(struct kunit *test)
{
	flush_signals(current);
	disallow_signal(SIGUSR1);
}

static const struct trouble no_memory_for_mm = {
	-ENOMEM, subscriptions_fail, subscriptions_work, true,
};

static const struct trouble signal_pending_already = {
	-EINTR, signal_comes, signal_goes,
};

static const struct trouble * const troubles[] = {
	&no_memory_for_mm, &signal_pending_already,
};

static struct mm_struct *mm_with_vma(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);

	mn_test_vma(test, mm, mn_page(0), NULL);
	return mm;
}

/* Every way with every memory: it fails, ending it is reported, it succeeds */
static void expect_trouble(struct kunit *test, const struct trouble *trouble,
			   bool has_other)
{
	struct mn_listener *other = NULL;
	const struct way *way;
	struct mm_struct *mm;
	struct attempt *try;
	unsigned int memory;

	for (way = next_way(NULL, ALL_KINDS); way; way = next_way(way, ALL_KINDS)) {
		for (memory = 0; memory < NR_MEMORIES; memory++) {
			mm = mm_with_vma(test);
			try = attempt_alloc(test, mm);
			if (has_other)
				other = mn_listener_new(test, mm);
			fill(test, try, memory);

			trouble->begin(test);
			expect_no_subscription(test, way, try, trouble->error,
					       memory_names[memory]);
			trouble->end(test);
			if (!other)
				KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));

			expect_success(test, way, try);
			if (!other)
				continue;
			KUNIT_EXPECT_EQ(test, other->starts, 1);
			KUNIT_EXPECT_EQ(test, other->ends, 1);
			mmu_notifier_unregister(&other->mn, mm);
		}
	}
}

static void no_memory(struct kunit *test)
{
	expect_trouble(test, &no_memory_for_mm, false);
}

/* Once the subscription has appeared, a signal is no reason to give up any more */
static void signal_pending_before(struct kunit *test)
{
	expect_trouble(test, &signal_pending_already, false);
	expect_trouble(test, &signal_pending_already, true);
}

static const struct mmu_notifier_ops start_and_tlbs = {
	.invalidate_range_start		= try_start,
	.arch_invalidate_secondary_tlbs	= try_tlbs,
	.alloc_notifier			= try_alloc,
	.free_notifier			= try_free,
};

static const struct mmu_notifier_ops end_and_tlbs = {
	.invalidate_range_end		= try_end,
	.arch_invalidate_secondary_tlbs	= try_tlbs,
	.alloc_notifier			= try_alloc,
	.free_notifier			= try_free,
};

static void try_young(struct mmu_notifier *sub,
		      struct mmu_notifier_young_pages *pages)
{
}

static const struct mmu_notifier_ops many_pages_alone = {
	.young_pages			= try_young,
	.alloc_notifier			= try_alloc,
	.free_notifier			= try_free,
};

static const struct mmu_notifier_ops finish_alone = {
	.invalidate_range_start_finish	= try_end,
	.alloc_notifier			= try_alloc,
	.free_notifier			= try_free,
};

/*
 * A secondary MMU either has page tables of its own or walks those of the CPU, and
 * finishes only what it has begun.  The kernel warns about the first that does not.
 */
static void bad_ops_refused(struct kunit *test)
{
	static const struct mmu_notifier_ops * const bad[] = {
		&start_and_tlbs, &end_and_tlbs, &many_pages_alone, &finish_alone,
	};
	struct mm_struct *mm = mm_with_vma(test);
	struct attempt *try = attempt_alloc(test, mm);
	unsigned int i;

	kunit_info(test, "a warning is expected here\n");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		try->ops = bad[i];
		expect_all_fail(test, REGISTERED | GOT, try, -EINVAL);
	}
	KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
	mn_expect_no_report(test);
}

/*
 * An mm that has exited would never call release().  The kernel warns about the
 * first registration of each kind.
 */
static void exited_mm_refused(struct kunit *test)
{
	struct mm_struct *mm = mm_with_vma(test);
	struct attempt *try = attempt_alloc(test, mm);

	mn_test_mm_exit(test, mm);
	kunit_info(test, "a warning is expected here\n");
	expect_all_fail(test, REGISTERED | GOT, try, -EINVAL);
	kunit_info(test, "a warning is expected here\n");
	expect_all_fail(test, INSERTED, try, -EINVAL);
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
	mn_expect_no_report(test);
}

static void bad_length_refused(struct kunit *test)
{
	static const struct {
		unsigned long start, length;
	} bad[] = {
		{ mn_page(0), 0 }, { 0, 0 }, { mn_page(0), -1UL },
		{ -PAGE_SIZE, PAGE_SIZE + 1 }, { -PAGE_SIZE, -PAGE_SIZE },
	};
	struct mm_struct *mm = mm_with_vma(test);
	struct attempt *try = attempt_alloc(test, mm);
	const struct way *way;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		try->start = bad[i].start;
		try->length = bad[i].length;
		expect_all_fail(test, INSERTED, try, -EOVERFLOW);
	}
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
	try->start = mn_page(0);
	try->length = PAGE_SIZE;
	for (way = next_way(NULL, INSERTED); way; way = next_way(way, INSERTED))
		expect_success(test, way, try);
}

/* One more reference and the count would wrap.  The kernel warns the first time. */
static void too_many_references(struct kunit *test)
{
	struct mm_struct *mm = mm_with_vma(test);
	struct attempt *try = attempt_alloc(test, mm);
	const struct way *way;

	fill(test, try, ZEROED);
	KUNIT_ASSERT_PTR_EQ(test, mmu_notifier_get(&try_ops, mm),
			    &try->listener.mn);
	try->listener.mn.users = UINT_MAX;
	try->allocs = 0;
	memcpy(&try->before, &try->listener, sizeof(try->before));

	kunit_info(test, "a warning is expected here\n");
	for (way = next_way(NULL, GOT); way; way = next_way(way, GOT))
		expect_failure(test, way, try, -EOVERFLOW, "in use");
	KUNIT_EXPECT_EQ(test, try->allocs, 0);

	try->listener.mn.users = 1;
	put(try);
	KUNIT_EXPECT_EQ(test, try->frees, 1);
	mn_expect_no_report(test);
}

#ifdef CONFIG_DEBUG_MMU_NOTIFIER

/* A subscription that is registered stays registered and unchanged */
static void registered_already(struct kunit *test)
{
	struct mm_struct *mm = mm_with_vma(test);
	struct attempt *try = attempt_alloc(test, mm);
	struct mn_listener *listener = &try->listener;
	const struct way *way;

	fill(test, try, ZEROED);
	/* under other ops, so that mmu_notifier_get() doesn't find it */
	listener->mn.ops = &mn_listener_ops;
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
	KUNIT_ASSERT_EQ(test, mn_interval_insert(listener, mm), 0);
	memcpy(&try->before, listener, sizeof(try->before));

	for (way = next_way(NULL, ALL_KINDS); way; way = next_way(way, ALL_KINDS)) {
		expect_failure(test, way, try, -EBUSY, "in use");
		mn_expect_culprit(test, MMU_NOTIFIER_SUBSCRIBED_TWICE,
				  way->kind == GOT ? &try_ops :
						     ops_of(way, try));
	}

	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 2);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	mmu_interval_notifier_remove(&listener->interval);
	mmu_notifier_unregister(&listener->mn, mm);
	mn_expect_no_report(test);
}

/* For in_callback() */
static struct {
	struct kunit *test;
	const struct way *way;
	const char *memory;
} inside;

static void register_inside(struct mn_listener *listener)
{
	/* lockdep assumes that mmap_lock is taken, as it may be. */
	lockdep_off();
	expect_failure(inside.test, inside.way, trying, -EDEADLK,
		       inside.memory);
	lockdep_on();
}

static void expect_refused_inside(struct kunit *test, struct attempt *try)
{
	struct mm_struct *mm = try->mm;
	const struct way *way;
	unsigned int memory;

	for (way = next_way(NULL, ALL_KINDS); way; way = next_way(way, ALL_KINDS)) {
		for (memory = 0; memory < NR_MEMORIES; memory++) {
			fill(test, try, memory);
			inside.test = test;
			inside.way = way;
			inside.memory = memory_names[memory];
			mmap_write_lock(mm);
			mn_invalidate(mm);
			mmap_write_unlock(mm);
			mn_expect_reports(test, MMU_NOTIFIER_CHANGED_INSIDE, 1);
		}
	}
}

static void registered_in_callback(struct kunit *test)
{
	struct mm_struct *mm = mm_with_vma(test);
	struct attempt *try = attempt_alloc(test, mm);
	struct mn_listener *listener = mn_listener_new(test, mm);
	struct mn_listener *interval;

	try->mmap_locked = true;
	listener->in_callback = register_inside;
	expect_refused_inside(test, try);
	/* While ranges are counted, an insertion takes a short cut. */
	interval = mn_interval_new(test, mm);
	expect_refused_inside(test, try);

	listener->in_callback = NULL;
	mmu_interval_notifier_remove(&interval->interval);
	mmu_notifier_unregister(&listener->mn, mm);
	mn_expect_no_report(test);
}

#endif /* CONFIG_DEBUG_MMU_NOTIFIER */

/* ------------------------------- the static key --------------------------- */

/* A registration that fails drops its reference of the key, and no other */
static void key_is_given_back(struct kunit *test)
{
	struct static_key *key = &mmu_notifier_key.key.key;
	struct mm_struct *keeps = mn_test_mm(test);
	struct mn_listener *keeper = mn_listener_new(test, keeps);
	struct mm_struct *mm = mm_with_vma(test);
	struct attempt *try = attempt_alloc(test, mm);
	const struct way *way;
	unsigned int i, round;
	int count;

	fill(test, try, ZEROED);
	/* mms of earlier tests may still drop theirs */
	count = static_key_count(key);
	for (way = next_way(NULL, ALL_KINDS); way; way = next_way(way, ALL_KINDS)) {
		for (i = 0; i < ARRAY_SIZE(troubles); i++) {
			for (round = 0; round < 10; round++) {
				troubles[i]->begin(test);
				KUNIT_EXPECT_EQ(test, begin(way, try),
						troubles[i]->error);
				troubles[i]->end(test);
			}
		}
	}
	KUNIT_EXPECT_LE(test, static_key_count(key), count);

	static_key_deferred_flush(&mmu_notifier_key);
	KUNIT_EXPECT_TRUE(test, mm_has_notifiers(keeps));
	mn_invalidate(keeps);
	KUNIT_EXPECT_EQ(test, keeper->starts, 1);
	mmu_notifier_unregister(&keeper->mn, keeps);
}

/* ---------------------- ends of what is not registered -------------------- */

/* Other subscribers in the mm, which must not be affected */
struct others {
	struct mn_listener *listener;
	struct mn_listener *interval;
};

static struct others others_new(struct kunit *test, struct mm_struct *mm)
{
	return (struct others){
		.listener = mn_listener_new(test, mm),
		.interval = mn_interval_new(test, mm),
	};
}

static void others_end(struct kunit *test, struct others others,
		       struct mm_struct *mm)
{
	unsigned int starts = others.listener->starts;

	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, others.listener->starts, starts + 1);
	KUNIT_EXPECT_EQ(test, others.listener->ends, starts + 1);
	KUNIT_EXPECT_EQ(test, others.interval->starts, starts + 1);
	KUNIT_EXPECT_EQ(test, others.listener->releases, 0);

	mmu_notifier_unregister(&others.listener->mn, mm);
	mmu_interval_notifier_remove(&others.interval->interval);
	KUNIT_EXPECT_EQ(test, others.listener->releases, 1);
	mn_expect_no_report(test);
}

static void expect_all_ends_reported(struct kunit *test, struct attempt *try)
{
	const struct way *way;
	unsigned int memory;

	for (way = next_way(NULL, ALL_KINDS); way; way = next_way(way, ALL_KINDS)) {
		for (memory = 0; memory < NR_MEMORIES; memory++) {
			fill(test, try, memory);
			expect_end_reported(test, way, try);
			KUNIT_EXPECT_TRUE(test, is_unchanged(try));
		}
	}
}

static void never_began(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct attempt *try = attempt_alloc(test, mm);
	struct others others;

	/* in an mm that never had a subscription */
	expect_all_ends_reported(test, try);
	KUNIT_EXPECT_NULL(test, mm->notifier_subscriptions);

	others = others_new(test, mm);
	expect_all_ends_reported(test, try);
	others_end(test, others, mm);
}

static void ended_already(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct attempt *try = attempt_alloc(test, mm);
	struct others others = others_new(test, mm);
	const struct way *way, *end;
	enum kind same;

	for (way = next_way(NULL, ALL_KINDS); way; way = next_way(way, ALL_KINDS)) {
		fill(test, try, ZEROED);
		expect_success(test, way, try);
		KUNIT_EXPECT_EQ(test, try->frees, way->kind == GOT);
		/* some drivers still read it */
		KUNIT_EXPECT_PTR_EQ(test, way->kind == INSERTED ?
				    try->listener.interval.mm :
				    try->listener.mn.mm, mm);
		memcpy(&try->before, &try->listener, sizeof(try->before));
		same = same_memory(way);
		for (end = next_way(NULL, same); end; end = next_way(end, same))
			expect_end_reported(test, end, try);
		KUNIT_EXPECT_TRUE(test, is_unchanged(try));
	}
	others_end(test, others, mm);
}

/* ----------------------------- habits of drivers -------------------------- */

/* i915, radeon: in zeroed memory, ->mm tells whether it is inserted */
static void drop_if_mm(struct mmu_interval_notifier *interval)
{
	if (!interval->mm)
		return;
	mmu_interval_notifier_remove(interval);
	interval->mm = NULL;
}

/* amdkfd: in zeroed memory, the range tells whether it is inserted */
static void drop_if_range(struct mmu_interval_notifier *interval)
{
	if (interval->interval_tree.start != 0 &&
	    interval->interval_tree.last != 0)
		mmu_interval_notifier_remove(interval);
}

static void expect_idiom_survives(struct kunit *test,
				  void (*drop)(struct mmu_interval_notifier *))
{
	struct mm_struct *mm;
	struct mn_listener *object;
	unsigned int i;
	int count;

	for (i = 0; i < ARRAY_SIZE(troubles); i++) {
		mm = mm_with_vma(test);
		count = atomic_read(&mm->mm_count);
		object = mn_listener_alloc(test);

		troubles[i]->begin(test);
		KUNIT_EXPECT_EQ(test, mn_interval_insert(object, mm),
				troubles[i]->error);
		troubles[i]->end(test);
		drop(&object->interval);
		mn_expect_no_report(test);
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);

		KUNIT_ASSERT_EQ(test, mn_interval_insert(object, mm), 0);
		mn_invalidate(mm);
		KUNIT_EXPECT_EQ(test, object->starts, 1);
		drop(&object->interval);
		mn_expect_no_report(test);
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	}
}

static void inserted_if_mm(struct kunit *test)
{
	expect_idiom_survives(test, drop_if_mm);
}

static void inserted_if_range(struct kunit *test)
{
	expect_idiom_survives(test, drop_if_range);
}

/* amdkfd and hfi1 read them, inserted or not */
static void expect_fields(struct kunit *test,
			  const struct mmu_interval_notifier *interval,
			  struct mm_struct *mm)
{
	KUNIT_EXPECT_PTR_EQ(test, interval->mm, mm);
	KUNIT_EXPECT_EQ(test, interval->interval_tree.start, mn_page(0));
	KUNIT_EXPECT_EQ(test, interval->interval_tree.last, mn_page(1) - 1);
}

/*
 * amdkfd also removes and inserts the same subscription again, and ignores errors.
 * After an error the range still looks as if there were something to remove.
 */
static void inserted_again(struct kunit *test)
{
	struct mm_struct *mm;
	struct mn_listener *object;
	unsigned int i;
	int count;

	for (i = 0; i < ARRAY_SIZE(troubles); i++) {
		/* this mm already has its struct mmu_notifier_subscriptions */
		if (troubles[i]->first_only)
			continue;
		mm = mm_with_vma(test);
		count = atomic_read(&mm->mm_count);
		object = mn_interval_new(test, mm);
		expect_fields(test, &object->interval, mm);
		drop_if_range(&object->interval);
		expect_fields(test, &object->interval, mm);
		KUNIT_EXPECT_EQ(test, mn_interval_insert(object, mm), 0);
		drop_if_range(&object->interval);
		mn_expect_no_report(test);

		/* so that it is the first one again, which can fail */
		flush_delayed_work(&mm->notifier_subscriptions->intervals.close_work);
		troubles[i]->begin(test);
		KUNIT_EXPECT_EQ(test, mn_interval_insert(object, mm),
				troubles[i]->error);
		troubles[i]->end(test);
		expect_fields(test, &object->interval, mm);
		drop_if_range(&object->interval);
		mn_expect_culprit(test, MMU_NOTIFIER_NOT_SUBSCRIBED,
				  &mn_interval_ops);
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);

		KUNIT_EXPECT_EQ(test, mn_interval_insert(object, mm), 0);
		mn_invalidate(mm);
		KUNIT_EXPECT_EQ(test, object->starts, 1);
		drop_if_range(&object->interval);
		expect_fields(test, &object->interval, mm);
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
		mn_expect_no_report(test);
	}
}

static struct kunit_case mmu_notifier_errors_cases[] = {
	KUNIT_CASE(no_memory),
	KUNIT_CASE(signal_pending_before),
	KUNIT_CASE(bad_ops_refused),
	KUNIT_CASE(exited_mm_refused),
	KUNIT_CASE(bad_length_refused),
	KUNIT_CASE(too_many_references),
#ifdef CONFIG_DEBUG_MMU_NOTIFIER
	KUNIT_CASE(registered_already),
	KUNIT_CASE(registered_in_callback),
#endif
	KUNIT_CASE(key_is_given_back),
	KUNIT_CASE(never_began),
	KUNIT_CASE(ended_already),
	KUNIT_CASE(inserted_if_mm),
	KUNIT_CASE(inserted_if_range),
	KUNIT_CASE(inserted_again),
	{ }
};

static struct kunit_suite mmu_notifier_errors_suite = {
	.name = "mmu_notifier_errors",
	.init = mn_test_init_reports,
	.test_cases = mmu_notifier_errors_cases,
};

kunit_test_suite(mmu_notifier_errors_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers that can't be registered");
MODULE_LICENSE("GPL");
