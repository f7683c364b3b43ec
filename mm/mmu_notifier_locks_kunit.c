// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: the locks that a registration takes.
 *
 * A registration takes and releases every lock of its mm, so it waits for every range
 * in that mm.  But it must not delay registrations in other mms, nor those who want
 * other locks, and no two registrations may wait for each other: mms share files and,
 * after fork(), anon_vmas, and each mm has them in an order of its own.
 *
 * Deadlocks are rare even where they are possible, so a test also fails if lockdep
 * has complained meanwhile.
 */

#include <linux/cpuhplock.h>
#include <linux/fs.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_kunit.h"
#include "mmu_notifier_registrant_kunit.h"

/* --------------------------- mms that share locks ------------------------- */

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
	struct mn_registrant *hangs = mn_registrant_new(test, mm);
	struct mn_registrant *other = mn_registrant_new(test, elsewhere);
	struct mn_holder *holder = mn_test_alloc(test, sizeof(*holder));
	struct mn_thread *range, *hanging, *thread;
	struct mn_listener *sleeper;

	holder->mm = mm;
	holder->file = mn_test_file(test);
	mn_test_vma(test, mm, mn_page(0), holder->file);
	mn_test_vma(test, elsewhere, mn_page(0), mn_test_file(test));
	mn_test_vma(test, elsewhere, mn_page(2), NULL);

	sleeper = mn_listener_new(test, mm);
	sleeper->gate = mn_gate_alloc(test);
	range = mn_thread_run(test, mn_holder_thread, holder);
	KUNIT_EXPECT_TRUE(test, mn_gate_reached(sleeper->gate));
	hanging = mn_thread_run(test, mn_registrant_thread, hangs);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(hanging));

	thread = mn_thread_run(test, mn_registrant_thread, other);
	KUNIT_EXPECT_TRUE_MSG(test, mn_thread_completed(thread),
			      "held up by a registration in another mm");
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(hanging));

	mn_gate_open(sleeper->gate);
	KUNIT_EXPECT_TRUE(test, mn_thread_join(range));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(hanging));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	mn_expect_registered(test, other);
	mn_expect_registered(test, hangs);
	mmu_notifier_unregister(&sleeper->mn, mm);
}

/*
 * Two mms map the same files in opposite orders.  Both files stay locked until both
 * registrations wait.  If each kept the lock of the file that it finds first, and waited
 * for the other one, they would wait forever.
 */
static void opposite_orders(struct kunit *test)
{
	struct mm_struct *mm[2] = { mn_test_mm(test), mn_test_mm(test) };
	struct file *file[2] = { mn_test_file(test), mn_test_file(test) };
	struct mn_registrant *registrant[2];
	struct mn_thread *thread[2];
	struct mn_holder *holder[2];
	int i;

	for (i = 0; i < 2; i++) {
		mn_test_vma(test, mm[i], mn_page(0), file[i]);
		mn_test_vma(test, mm[i], mn_page(2), file[!i]);
		registrant[i] = mn_registrant_new(test, mm[i]);
	}
	for (i = 0; i < 2; i++)
		holder[i] = mn_holder_new(test, file[i], NULL);
	for (i = 0; i < 2; i++)
		thread[i] = mn_thread_run(test, mn_registrant_thread, registrant[i]);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread[i]));
	for (i = 0; i < 2; i++)
		mn_gate_open(holder[i]->gate);
	for (i = 0; i < 2; i++)
		KUNIT_ASSERT_TRUE(test, mn_thread_join(thread[i]));
	for (i = 0; i < 2; i++)
		mn_expect_registered(test, registrant[i]);
}

/* While a registration waits for the lock of one file, those of others are free */
static void strangers_go_on(struct kunit *test)
{
	struct file *file[3] = { mn_test_file(test), mn_test_file(test), mn_test_file(test) };
	struct mm_struct *mm = mn_test_mm(test), *stranger = mn_test_mm(test);
	struct mn_registrant *registrant, *elsewhere;
	struct vm_area_struct *vma;
	struct mn_thread *thread, *other;
	struct mn_holder *holder;
	bool unlocked;
	int i;

	for (i = 0; i < 3; i++)
		mn_test_vma(test, mm, mn_page(2 * i), file[i]);
	vma = mn_test_vma(test, mm, mn_page(6), NULL);
	mn_test_vma(test, stranger, mn_page(0), file[0]);
	mn_test_vma(test, stranger, mn_page(2), file[2]);
	share_anon_vma(test, stranger, mn_page(4), vma);

	holder = mn_holder_new(test, file[1], NULL);
	registrant = mn_registrant_new(test, mm);
	thread = mn_thread_run(test, mn_registrant_thread, registrant);
	mn_expect_appears(test, registrant);
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
	for (i = 0; i < 3; i += 2) {
		unlocked = i_mmap_trylock_write(file[i]->f_mapping);
		KUNIT_EXPECT_TRUE(test, unlocked);
		if (unlocked)
			i_mmap_unlock_write(file[i]->f_mapping);
	}

	elsewhere = mn_registrant_new(test, stranger);
	other = mn_thread_run(test, mn_registrant_thread, elsewhere);
	KUNIT_EXPECT_TRUE(test, mn_thread_completed(other));
	KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));

	mn_holder_end(test, holder);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(other));
	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	mn_expect_registered(test, elsewhere);
	mn_expect_registered(test, registrant);
}

/* --------------------------------- one mm --------------------------------- */

/* In a thread, as a registration that takes a lock twice hangs */
static void expect_registers(struct kunit *test, struct mm_struct *mm)
{
	struct mn_registrant *registrant = mn_registrant_new(test, mm);
	struct mn_thread *thread = mn_thread_run(test, mn_registrant_thread,
						 registrant);

	KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
	mn_expect_registered(test, registrant);
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

enum { MANY = 150 };

/* Whichever of them is held, a registration waits for it */
static void many_locks(struct kunit *test)
{
	static const unsigned int samples[] = { 0, 63, 64, 127, 128, MANY - 1 };
	struct mm_struct *mm = mn_test_mm(test);
	struct vm_area_struct *vma[MANY];
	unsigned int i;

	for (i = 0; i < MANY; i++)
		vma[i] = mn_test_vma(test, mm, mn_page(2 * i), NULL);

	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		struct mn_registrant *registrant = mn_registrant_new(test, mm);
		struct mn_thread *thread;
		struct mn_holder *holder;

		holder = mn_holder_new(test, NULL, vma[samples[i]]->anon_vma);
		thread = mn_thread_run(test, mn_registrant_thread, registrant);
		KUNIT_EXPECT_FALSE(test, mn_thread_returned(thread));
		mn_gate_open(holder->gate);
		KUNIT_ASSERT_TRUE(test, mn_thread_join(thread));
		mn_expect_registered(test, registrant);
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
		struct mn_holder holder = { };

		if (i & 1)
			holder.file = many.file[(first + i / 2) % FILES];
		else
			holder.anon_vma = many.anon_vma[(first + i / 2) % MMS];
		mn_hold(&holder);
		mn_invalidate(many.mm[i % MMS]);
		schedule_timeout_uninterruptible(1);
		mn_holder_release(&holder);
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

#if defined(CONFIG_HOTPLUG_CPU) && defined(CONFIG_JUMP_LABEL)
/* ------------------------------- CPU hotplug ------------------------------ */

static void register_locked_thread(void *data)
{
	struct mn_registrant *registrant = data;

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
	struct mn_registrant *registrant = mn_registrant_new(test, mm);
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
	KUNIT_CASE(strangers_go_on),
	KUNIT_CASE(found_twice),
	KUNIT_CASE(many_locks),
	KUNIT_CASE(all_get_through),
	KUNIT_CASE(unregister_in_other_callback),
	KUNIT_CASE(unregister_waits_in_other_callback),
#if defined(CONFIG_HOTPLUG_CPU) && defined(CONFIG_JUMP_LABEL)
	KUNIT_CASE(hotplug_in_the_way),
#endif
	{ }
};

static struct kunit_suite mmu_notifier_locks_suite = {
	.name = "mmu_notifier_locks",
	.init = mn_locks_init,
	.exit = mn_locks_exit,
	.test_cases = mmu_notifier_locks_cases,
};

kunit_test_suite(mmu_notifier_locks_suite);

MODULE_DESCRIPTION("KUnit tests for the locks of MMU notifiers");
MODULE_LICENSE("GPL");
