// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: the locks that a registration takes.
 *
 * A registration takes every lock of its mm, so it waits for every range in that
 * mm.  But it must not delay registrations in other mms, and no two may wait for
 * each other: mms share files and, after fork(), anon_vmas, and each mm has them in
 * an order of its own.
 *
 * Some subscribers appear before that, while ranges are in progress, of which they
 * must never be told.
 *
 * Deadlocks are rare even where they are possible, so a test also fails if lockdep
 * has complained meanwhile.
 */

#include <linux/cpuhplock.h>
#include <linux/fs.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "mm_all_locks.h"
#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"

static bool lockdep_is_content(void)
{
#ifdef CONFIG_LOCKDEP
	return debug_locks;
#else
	return true;
#endif
}

static bool content_before;

static int suite_init(struct kunit *test)
{
	content_before = lockdep_is_content();
	return mn_test_init(test);
}

static void suite_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, lockdep_is_content(), content_before);
}

/* ------------------------- registering in a thread ------------------------ */

struct registrant {
	struct mn_listener *listener;
	struct mm_struct *mm;
	struct mn_gate *gate;	/* before it begins */
	int ret;
};

static struct registrant *registrant_new(struct kunit *test,
					 struct mm_struct *mm)
{
	struct registrant *registrant = mn_test_alloc(test, sizeof(*registrant));

	registrant->listener = mn_listener_alloc(test);
	registrant->mm = mm;
	registrant->ret = -EINPROGRESS;
	return registrant;
}

static void register_thread(void *data)
{
	struct registrant *registrant = data;

	allow_signal(SIGUSR1);
	mn_gate_pass(registrant->gate);
	registrant->ret = mmu_notifier_register(&registrant->listener->mn,
						registrant->mm);
	flush_signals(current);
}

/* It has registered: the subscription is notified and can be unregistered */
static void expect_registered(struct kunit *test, struct registrant *registrant)
{
	struct mn_listener *listener = registrant->listener;

	KUNIT_ASSERT_EQ(test, registrant->ret, 0);
	mn_invalidate(registrant->mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	mmu_notifier_unregister(&listener->mn, registrant->mm);
}

/* --------------------------- mms that share locks ------------------------- */

/* Holds a lock of the reverse map for reading, in a thread of its own */
struct holder {
	struct file *file;
	struct anon_vma *anon_vma;	/* if no file */
	struct mm_struct *mm;		/* where it invalidates under the lock, if any */
	struct mn_gate *gate;
	struct mn_thread *thread;
};

static void hold(struct holder *holder)
{
	if (holder->file)
		i_mmap_lock_read(holder->file->f_mapping);
	else
		anon_vma_lock_read(holder->anon_vma);
}

static void release(struct holder *holder)
{
	if (holder->file)
		i_mmap_unlock_read(holder->file->f_mapping);
	else
		anon_vma_unlock_read(holder->anon_vma);
}

static void holder_thread(void *data)
{
	struct holder *holder = data;

	hold(holder);
	if (holder->mm)
		mn_invalidate(holder->mm);
	mn_gate_pass(holder->gate);
	release(holder);
}

static struct holder *holder_new(struct kunit *test, struct file *file,
				 struct anon_vma *anon_vma)
{
	struct holder *holder = mn_test_alloc(test, sizeof(*holder));

	holder->file = file;
	holder->anon_vma = anon_vma;
	holder->gate = mn_gate_alloc(test);
	holder->thread = mn_thread_run(test, holder_thread, holder);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(holder->gate));
	return holder;
}

/* As fork() does: the child's anon_vma has the parent's root, and so its lock */
static struct vm_area_struct *share_anon_vma(struct kunit *test,
					     struct mm_struct *mm,
					     unsigned long start,
					     struct vm_area_struct *parent)
{
	struct vm_area_struct *vma = mn_test_vma(test, mm, start, NULL);
	int ret;

	mmap_write_lock(mm);
	unlink_anon_vmas(vma);
	ret = anon_vma_fork(vma, parent);
	mmap_write_unlock(mm);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_ASSERT_PTR_EQ(test, vma->anon_vma->root, parent->anon_vma->root);
	return vma;
}

/* --------------------------- one mm and another --------------------------- */

/*
 * A registration waits for a callback that sleeps with a lock of the mm held, such
 * as reclaim and truncation hold.  Registrations in other mms don't wait for it.
 */
static void hangs_alone(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *elsewhere = mn_test_mm(test);
	struct registrant *hangs = registrant_new(test, mm);
	struct registrant *other = registrant_new(test, elsewhere);
	struct holder *holder = mn_test_alloc(test, sizeof(*holder));
	struct mn_thread *range, *hanging, *thread;
	struct mn_listener *sleeper;

	holder->mm = mm;
	holder->file = mn_test_file(test);
	mn_test_vma(test, mm, mn_page(0), holder->file);
	mn_test_vma(test, elsewhere, mn_page(0), mn_test_file(test));
	mn_test_vma(test, elsewhere, mn_page(2), NULL);

	sleeper = mn_listener_new(test, mm);
	sleeper->gate = mn_gate_alloc(test);
	range = mn_thread_run(test, holder_thread, holder);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(sleeper->gate));
	hanging = mn_thread_run(test, register_thread, hangs);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(hanging));

	thread = mn_thread_run(test, register_thread, other);
	KUNIT_EXPECT_TRUE_MSG(test, mn_thread_completed(thread),
			      "held up by a registration in another mm");
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(hanging));

	mn_gate_open(sleeper->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(hanging));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	expect_registered(test, other);
	expect_registered(test, hangs);
	mmu_notifier_unregister(&sleeper->mn, mm);
}

/*
 * Two mms map the same files in opposite orders.  Both files stay locked until both
 * registrations wait.  If each waited for the file that it finds first then each
 * would get that one, and wait for the other one forever.
 */
static void opposite_orders(struct kunit *test)
{
	struct mm_struct *mm[2] = { mn_test_mm(test), mn_test_mm(test) };
	struct file *file[2] = { mn_test_file(test), mn_test_file(test) };
	struct registrant *registrant[2];
	struct mn_thread *thread[2];
	struct holder *holder[2];
	int i;

	for (i = 0; i < 2; i++) {
		mn_test_vma(test, mm[i], mn_page(0), file[i]);
		mn_test_vma(test, mm[i], mn_page(2), file[!i]);
		registrant[i] = registrant_new(test, mm[i]);
	}
	for (i = 0; i < 2; i++)
		holder[i] = holder_new(test, file[i], NULL);
	for (i = 0; i < 2; i++)
		thread[i] = mn_thread_run(test, register_thread, registrant[i]);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread[i]));
	for (i = 0; i < 2; i++)
		mn_gate_open(holder[i]->gate);
	for (i = 0; i < 2; i++)
		KUNIT_ASSERT_TRUE(test, mn_thread_join(thread[i]));
	for (i = 0; i < 2; i++)
		expect_registered(test, registrant[i]);
}

/* --------------------------------- one mm --------------------------------- */

/* In a thread, as a registration that takes a lock twice hangs */
static void expect_registers(struct kunit *test, struct mm_struct *mm)
{
	struct registrant *registrant = registrant_new(test, mm);
	struct mn_thread *thread = mn_thread_run(test, register_thread,
						 registrant);

	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	expect_registered(test, registrant);
	mn_expect_unlocked(test, mm);
}

/* The same lock through several VMAs, or through several anon_vmas of one VMA */
static void found_twice(struct kunit *test)
{
	struct mm_struct *parent = mn_test_mm(test), *child = mn_test_mm(test);
	struct file *file[2] = { mn_test_file(test), mn_test_file(test) };
	struct vm_area_struct *vma;
	int i;

	for (i = 0; i < 4; i++) {
		mn_test_vma(test, child, mn_page(4 * i), file[i & 1]);
		vma = mn_test_vma(test, parent, mn_page(4 * i + 2), NULL);
		share_anon_vma(test, child, mn_page(4 * i + 2), vma);
	}
	expect_registers(test, child);
	expect_registers(test, parent);
}

/* A signal arrives while it waits for the lock of a file */
static void register_interrupted(struct kunit *test,
				 struct registrant *registrant,
				 struct file *file)
{
	struct holder *holder = holder_new(test, file, NULL);
	struct mn_thread *thread;

	thread = mn_thread_run(test, register_thread, registrant);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	send_sig(SIGUSR1, thread->task, 1);
	mn_gate_open(holder->gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(holder->thread));
}

/* A signal arrives between two locks: the first one is released again */
static void signal_halfway(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	unsigned long count = atomic_read(&mm->mm_count);
	struct registrant *registrant = registrant_new(test, mm);
	struct file *file = mn_test_file(test);

	mn_test_vma(test, mm, mn_page(0), file);
	mn_test_vma(test, mm, mn_page(2), NULL);

	/* files come before anon_vmas */
	register_interrupted(test, registrant, file);

	KUNIT_EXPECT_EQ(test, registrant->ret, -EINTR);
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
	mn_expect_unlocked(test, mm);
	expect_registers(test, mm);
}

/* So many that the list of locks has to grow */
enum { MANY = 150 };

static unsigned int growths;

/* Succeeds once */
static int grow_once(struct mm_all_locks *list)
{
	struct kunit *test = kunit_get_current_test();
	int ret;

	if (growths++)
		return -ENOMEM;
	kunit_deactivate_static_stub(test, mm_all_locks_grow);
	ret = mm_all_locks_grow(list);
	kunit_activate_static_stub(test, mm_all_locks_grow, grow_once);
	return ret;
}

static void many_locks(struct kunit *test)
{
	static const unsigned int samples[] = { 0, 63, 64, 127, 128, MANY - 1 };
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *listener = mn_listener_alloc(test);
	struct vm_area_struct *vma[MANY];
	unsigned int i;

	for (i = 0; i < MANY; i++)
		vma[i] = mn_test_vma(test, mm, mn_page(2 * i), NULL);

	growths = 0;
	kunit_activate_static_stub(test, mm_all_locks_grow, grow_once);
	KUNIT_EXPECT_EQ(test, mmu_notifier_register(&listener->mn, mm), -ENOMEM);
	kunit_deactivate_static_stub(test, mm_all_locks_grow);
	KUNIT_EXPECT_EQ(test, growths, 2);
	KUNIT_EXPECT_FALSE(test, mm_has_notifiers(mm));
	mn_expect_unlocked(test, mm);

	/* whichever of them is held, a registration waits for it */
	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		struct registrant *registrant = registrant_new(test, mm);
		struct mn_thread *thread;
		struct holder *holder;

		holder = holder_new(test, NULL, vma[samples[i]]->anon_vma);
		thread = mn_thread_run(test, register_thread, registrant);
		KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
		mn_gate_open(holder->gate);
		KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
		expect_registered(test, registrant);
	}
	mn_expect_unlocked(test, mm);
}

/* ------------------------- many mms, many threads ------------------------- */

enum {
	MMS		= 4,
	FILES		= 3,
	REGISTRANTS	= 4,
	HOLDERS		= 2,
	ROUNDS		= 50,
};

static struct {
	struct mm_struct *mm[MMS];
	struct file *file[FILES];
	struct anon_vma *anon_vma[MMS];
	atomic_t next;		/* number of a thread */
	atomic_t failed;
} many;

static void register_in_all_thread(void *data)
{
	struct mn_listener *listener = data;
	int i, first = atomic_inc_return(&many.next);

	for (i = 0; i < ROUNDS; i++) {
		struct mm_struct *mm = many.mm[(first + i) % MMS];

		if (mmu_notifier_register(&listener->mn, mm)) {
			atomic_inc(&many.failed);
			continue;
		}
		schedule();
		mmu_notifier_unregister(&listener->mn, mm);
	}
}

/* Makes registrations wait while they hold some of their locks */
static void hold_each_thread(void *data)
{
	int i, first = atomic_inc_return(&many.next);

	for (i = 0; i < ROUNDS; i++) {
		struct holder holder = { };

		if (i & 1)
			holder.file = many.file[(first + i / 2) % FILES];
		else
			holder.anon_vma = many.anon_vma[(first + i / 2) % MMS];
		hold(&holder);
		mn_invalidate(many.mm[i % MMS]);
		schedule_timeout_uninterruptible(1);
		release(&holder);
	}
}

/* Each mm maps all files twice, in its own order; anon_vmas as after fork() */
static void make_many(struct kunit *test)
{
	struct vm_area_struct *vma = NULL;
	int i, j;

	memset(&many, 0, sizeof(many));
	for (i = 0; i < FILES; i++)
		many.file[i] = mn_test_file(test);
	for (i = 0; i < MMS; i++) {
		struct mm_struct *mm = mn_test_mm(test);

		for (j = 0; j < 2 * FILES; j++)
			mn_test_vma(test, mm, mn_page(2 * j),
				    many.file[i & 1 ? (i + j) % FILES :
						      (i + 5 * j) % FILES]);
		/* an anon_vma of its own, and one below that of its parent */
		many.anon_vma[i] = mn_test_vma(test, mm, mn_page(30), NULL)->anon_vma;
		vma = vma ? share_anon_vma(test, mm, mn_page(40), vma) :
			    mn_test_vma(test, mm, mn_page(40), NULL);
		many.mm[i] = mm;
	}
}

static void all_get_through(struct kunit *test)
{
	struct mn_thread *thread[REGISTRANTS + HOLDERS];
	struct mn_listener *listener[REGISTRANTS];
	int i;

	make_many(test);
	for (i = 0; i < REGISTRANTS; i++) {
		listener[i] = mn_listener_alloc(test);
		thread[i] = mn_thread_run(test, register_in_all_thread,
					  listener[i]);
	}
	for (; i < REGISTRANTS + HOLDERS; i++)
		thread[i] = mn_thread_run(test, hold_each_thread, NULL);
	for (i = 0; i < REGISTRANTS + HOLDERS; i++)
		KUNIT_ASSERT_TRUE(test, mn_thread_join(thread[i]));

	KUNIT_EXPECT_EQ(test, atomic_read(&many.failed), 0);
	for (i = 0; i < REGISTRANTS; i++)
		KUNIT_EXPECT_EQ(test, listener[i]->releases, ROUNDS);
	for (i = 0; i < MMS; i++)
		mn_expect_unlocked(test, many.mm[i]);
}

/* ------------------------------- callbacks -------------------------------- */

static void unregister_other(struct mn_listener *listener)
{
	listener->in_callback = NULL;
	mmu_notifier_unregister(&listener->other->mn, listener->other->mm);
}

/* A callback may wait for the callbacks of another mm, and vice versa */
static void unregister_in_other_callback(struct kunit *test)
{
	struct mm_struct *mm[2] = { mn_test_mm(test), mn_test_mm(test) };
	struct mn_listener *caller, *other;
	int i;

	for (i = 0; i < 2; i++) {
		caller = mn_listener_new(test, mm[i]);
		other = mn_listener_new(test, mm[!i]);
		caller->in_callback = unregister_other;
		caller->other = other;
		mn_invalidate_thread(mm[i]);
		KUNIT_EXPECT_EQ(test, caller->ends, 1);
		KUNIT_EXPECT_EQ(test, other->releases, 1);
		mn_invalidate(mm[!i]);
		KUNIT_EXPECT_EQ(test, other->starts, 0);
		mmu_notifier_unregister(&caller->mn, mm[i]);
	}
}

static void unregister_waits_in_other_callback(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *elsewhere = mn_test_mm(test);
	struct mn_listener *caller = mn_listener_new(test, mm);
	struct mn_listener *other = mn_listener_new(test, elsewhere);
	struct mn_thread *sleeps, *waits;

	other->gate = mn_gate_alloc(test);
	sleeps = mn_thread_run(test, mn_invalidate_thread, elsewhere);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(other->gate));

	caller->in_callback = unregister_other;
	caller->other = other;
	waits = mn_thread_run(test, mn_invalidate_thread, mm);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(waits));
	KUNIT_EXPECT_EQ(test, caller->ends, 0);

	mn_gate_open(other->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(sleeps));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(waits));
	KUNIT_EXPECT_EQ(test, caller->ends, 1);
	KUNIT_EXPECT_EQ(test, other->releases, 1);
	mmu_notifier_unregister(&caller->mn, mm);
}

/* ------------------------- inside a range in progress --------------------- */

/* @ops is what the listener has, changed */
static struct mn_listener *with_ops(struct mn_listener *listener,
				    const struct mmu_notifier_ops *ops)
{
	listener->mn.ops = ops;
	return listener;
}

/* A listener that doesn't care for any address */
static struct mn_listener *spanned_alloc(struct kunit *test,
					 const struct mmu_notifier_ops *base)
{
	struct mmu_notifier_ops *ops = mn_test_alloc(test, sizeof(*ops));

	*ops = *base;
	ops->only_spanned = true;
	return with_ops(mn_listener_alloc(test), ops);
}

static void tlbs_flushed(struct mmu_notifier *mn, struct mm_struct *mm,
			 unsigned long start, unsigned long end)
{
	container_of(mn, struct mn_listener, mn)->starts++;
}

static const struct mmu_notifier_ops tlb_ops = {
	.arch_invalidate_secondary_tlbs = tlbs_flushed,
};

static const struct mmu_notifier_ops empty_ops = { };

/* Register in a thread, with the holder's lock held; whether it waits for that */
static bool waits_for(struct kunit *test, struct holder *holder,
		      struct mm_struct *mm, struct mn_listener *listener)
{
	struct registrant *registrant = registrant_new(test, mm);
	struct mn_thread *thread;
	bool waits;

	registrant->listener = listener;
	thread = mn_thread_run(test, register_thread, registrant);
	waits = !mn_thread_returned(thread);
	mn_gate_open(holder->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_TRUE(test, mn_thread_join(holder->thread));
	KUNIT_EXPECT_EQ(test, registrant->ret, 0);
	mn_expect_unlocked(test, mm);
	mmu_notifier_unregister(&listener->mn, mm);
	return waits;
}

/* Whichever of its locks is held */
static void joins_then_waits(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct file *file[2] = { mn_test_file(test), mn_test_file(test) };
	struct vm_area_struct *vma[2];
	int i;

	for (i = 0; i < 2; i++) {
		mn_test_vma(test, mm, mn_page(8 * i), file[i]);
		mn_test_vma(test, mm, mn_page(8 * i + 2), file[!i]);
		vma[i] = mn_test_vma(test, mm, mn_page(8 * i + 4), NULL);
	}
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test, waits_for(test, holder_new(test, file[i], NULL), mm,
						  spanned_alloc(test, &mn_listener_ops)));
		KUNIT_EXPECT_TRUE(test, waits_for(test,
						  holder_new(test, NULL, vma[i]->anon_vma), mm,
						  with_ops(mn_listener_alloc(test), &tlb_ops)));
	}
}

/* One without callbacks has nothing to miss */
static void does_not_wait(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct file *file = mn_test_file(test);

	mn_test_vma(test, mm, mn_page(0), file);
	KUNIT_EXPECT_FALSE(test, waits_for(test, holder_new(test, file, NULL), mm,
					   with_ops(mn_listener_alloc(test), &empty_ops)));
}

static void join(struct kunit *test, struct mn_listener *listener,
		 struct mm_struct *mm)
{
	KUNIT_ASSERT_EQ(test, mmu_notifier_register(&listener->mn, mm), 0);
}

/* It is called for the next range, but not for the one before */
static void expect_called_next(struct kunit *test, struct mn_listener *listener,
			       struct mm_struct *mm)
{
	KUNIT_EXPECT_EQ(test, listener->starts, 0);
	KUNIT_EXPECT_EQ(test, listener->finishes, 0);
	KUNIT_EXPECT_EQ(test, listener->ends, 0);
	mn_invalidate(mm);
	KUNIT_EXPECT_EQ(test, listener->starts, 1);
	KUNIT_EXPECT_EQ(test, listener->ends, 1);
	mmu_notifier_unregister(&listener->mn, mm);
}

/* The mm has never had a subscription, or has had one, when the range starts */
static void joins_first(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test), *elsewhere = mn_test_mm(test);
	struct mn_listener *other = mn_listener_new(test, elsewhere);
	struct mmu_notifier_range range;
	struct mn_listener *listener;
	int i;

	for (i = 0; i < 2; i++) {
		listener = spanned_alloc(test, &mn_listener_ops);
		mn_range_init(&range, mm);
		mmu_notifier_invalidate_range_start(&range);
		join(test, listener, mm);
		mmu_notifier_add_span(&listener->mn, 0, mn_page(0));
		mmu_notifier_invalidate_range_end(&range);
		mmu_notifier_add_span(&listener->mn, 0, ULONG_MAX);
		expect_called_next(test, listener, mm);
	}
	mmu_notifier_unregister(&other->mn, elsewhere);
}

/* One that knows of the range has left, or not, before another one joins */
static void joins_after_another(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *first, *last, *listener;
	struct mmu_notifier_range range;
	int i;

	for (i = 0; i < 2; i++) {
		first = mn_listener_new(test, mm);
		last = mn_listener_new(test, mm);
		listener = spanned_alloc(test, &mn_listener_ops);

		mn_range_init(&range, mm);
		mmu_notifier_invalidate_range_start(&range);
		if (i)
			mmu_notifier_unregister(&last->mn, mm);
		join(test, listener, mm);
		mmu_notifier_invalidate_range_end(&range);
		KUNIT_EXPECT_EQ(test, first->ends, 1);
		KUNIT_EXPECT_EQ(test, last->ends, i ? 0 : 1);

		expect_called_next(test, listener, mm);
		if (!i)
			mmu_notifier_unregister(&last->mn, mm);
		mmu_notifier_unregister(&first->mn, mm);
	}
}

/* With no lock held for which a registration would wait */
static void invalidate_unlocked_thread(void *mm)
{
	mn_invalidate(mm);
}

/* Between the two passes of a start */
static void joins_between_passes(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	struct mn_listener *first = mn_listener_passes_new(test, mm);
	struct mn_listener *listener = spanned_alloc(test, &mn_listener_passes_ops);
	struct mn_thread *range;

	first->gate = mn_gate_alloc(test);
	range = mn_thread_run(test, invalidate_unlocked_thread, mm);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(first->gate));
	join(test, listener, mm);
	mn_gate_open(first->gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(range));
	KUNIT_EXPECT_EQ(test, first->finishes, 1);
	KUNIT_EXPECT_EQ(test, first->ends, 1);

	first->gate = NULL;
	expect_called_next(test, listener, mm);
	mmu_notifier_unregister(&first->mn, mm);
}

/* A signal comes before it has joined, or is no reason to give up any more */
static void signal_before_joining(struct kunit *test)
{
	struct mn_listener *listener = spanned_alloc(test, &mn_listener_ops);
	struct mmu_notifier before = listener->mn;
	struct registrant *registrant;
	struct mm_struct *mm = mn_test_mm(test);
	struct file *file = mn_test_file(test);
	struct mn_thread *thread;

	mn_test_vma(test, mm, mn_page(0), file);
	registrant = registrant_new(test, mm);
	registrant->listener = listener;
	registrant->gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, register_thread, registrant);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(registrant->gate));
	send_sig(SIGUSR1, thread->task, 1);
	mn_gate_open(registrant->gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_EQ(test, registrant->ret, -EINTR);
	KUNIT_EXPECT_MEMEQ(test, &listener->mn, &before, sizeof(before));
	KUNIT_EXPECT_NULL(test, mm->notifier_subscriptions);

	registrant->gate = NULL;
	register_interrupted(test, registrant, file);
	KUNIT_ASSERT_EQ(test, registrant->ret, 0);
	mmu_notifier_unregister(&listener->mn, mm);
}

#if defined(CONFIG_HOTPLUG_CPU) && defined(CONFIG_JUMP_LABEL)
/* ------------------------------- CPU hotplug ------------------------------ */

static void register_locked_thread(void *data)
{
	struct registrant *registrant = data;

	allow_signal(SIGUSR1);
	mn_gate_pass(registrant->gate);
	mmap_write_lock(registrant->mm);
	registrant->ret = __mmu_notifier_register(&registrant->listener->mn,
						  registrant->mm);
	mmap_write_unlock(registrant->mm);
	flush_signals(current);
}

/*
 * The first registration in the system turns the static key on, which it can't
 * while a CPU comes or goes.  If it holds mmap_lock, it waits for a while or until
 * a signal arrives, and gives up.  Without jump labels the key needs no lock.
 */
static void expect_given_up(struct kunit *test, struct mm_struct *mm, int signal,
			    int error)
{
	struct registrant *registrant = registrant_new(test, mm);
	unsigned long count = atomic_read(&mm->mm_count);
	struct mmu_notifier before = registrant->listener->mn;
	struct mn_thread *thread;

	registrant->gate = mn_gate_alloc(test);
	thread = mn_thread_run(test, register_locked_thread, registrant);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(registrant->gate));

	cpus_write_lock();
	mn_gate_open(registrant->gate);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	if (signal)
		send_sig(signal, thread->task, 1);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(thread));
	cpus_write_unlock();

	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	KUNIT_EXPECT_EQ(test, registrant->ret, error);
	KUNIT_EXPECT_MEMEQ(test, &registrant->listener->mn, &before,
			   sizeof(before));
	KUNIT_EXPECT_NULL(test, mm->notifier_subscriptions);
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), count);
}

static void hotplug_in_the_way(struct kunit *test)
{
	struct mm_struct *mm = mn_test_mm(test);
	unsigned long give_up = jiffies + MN_DEADLOCK;

	/* mms of earlier tests may still hold it on */
	static_key_deferred_flush(&mmu_notifier_key);
	while (static_key_enabled(&mmu_notifier_key.key) &&
	       time_before(jiffies, give_up)) {
		schedule_timeout_uninterruptible(1);
		static_key_deferred_flush(&mmu_notifier_key);
	}
	if (static_key_enabled(&mmu_notifier_key.key))
		kunit_skip(test, "the static key is on");

	expect_given_up(test, mm, SIGUSR1, -EINTR);
	expect_given_up(test, mm, 0, -EAGAIN);
	expect_registers(test, mm);
}
#endif

static struct kunit_case mmu_notifier_locks_cases[] = {
	KUNIT_CASE(hangs_alone),
	KUNIT_CASE(opposite_orders),
	KUNIT_CASE(found_twice),
	KUNIT_CASE(signal_halfway),
	KUNIT_CASE(many_locks),
	KUNIT_CASE(all_get_through),
	KUNIT_CASE(unregister_in_other_callback),
	KUNIT_CASE(unregister_waits_in_other_callback),
	KUNIT_CASE(joins_then_waits),
	KUNIT_CASE(does_not_wait),
	KUNIT_CASE(joins_first),
	KUNIT_CASE(joins_after_another),
	KUNIT_CASE(joins_between_passes),
	KUNIT_CASE(signal_before_joining),
#if defined(CONFIG_HOTPLUG_CPU) && defined(CONFIG_JUMP_LABEL)
	KUNIT_CASE(hotplug_in_the_way),
#endif
	{ }
};

static struct kunit_suite mmu_notifier_locks_suite = {
	.name = "mmu_notifier_locks",
	.init = suite_init,
	.exit = suite_exit,
	.test_cases = mmu_notifier_locks_cases,
};

kunit_test_suite(mmu_notifier_locks_suite);

MODULE_DESCRIPTION("KUnit tests for the locks of MMU notifiers");
MODULE_LICENSE("GPL");
