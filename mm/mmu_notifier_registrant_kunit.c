// SPDX-License-Identifier: GPL-2.0
/*
 * What KUnit suites register in, and what they make it wait for, see
 * mmu_notifier_registrant_kunit.h.
 */

#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include <kunit/test.h>

#include "mmu_notifier_internal.h"
#include "mmu_notifier_registrant_kunit.h"

static bool lockdep_is_content(void)
{
#ifdef CONFIG_LOCKDEP
	return debug_locks;
#else
	return true;
#endif
}

static bool content_before;

/* A suite that takes many locks also fails if lockdep has complained meanwhile. */
int mn_locks_init(struct kunit *test)
{
	content_before = lockdep_is_content();
	return mn_test_init(test);
}

void mn_locks_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, lockdep_is_content(), content_before);
}

/* ------------------------- registering in a thread ------------------------ */

struct mn_registrant *mn_registrant_new(struct kunit *test,
					struct mm_struct *mm)
{
	struct mn_registrant *registrant = mn_test_alloc(test, sizeof(*registrant));

	registrant->listener = mn_listener_alloc(test);
	registrant->mm = mm;
	registrant->ret = -EINPROGRESS;
	return registrant;
}

void mn_registrant_thread(void *data)
{
	struct mn_registrant *registrant = data;

	allow_signal(SIGUSR1);
	mn_gate_pass(registrant->gate);
	if (registrant->interval)
		registrant->ret = mn_interval_insert(registrant->listener,
						     registrant->mm);
	else
		registrant->ret = mmu_notifier_register(&registrant->listener->mn,
							registrant->mm);
	flush_signals(current);
}

void mn_registrant_end(struct mn_registrant *registrant)
{
	struct mn_listener *listener = registrant->listener;

	if (registrant->interval)
		mmu_interval_notifier_remove(&listener->interval);
	else
		mmu_notifier_unregister(&listener->mn, registrant->mm);
}

/* So often it has been notified of a start and, if it is, of an end */
void mn_expect_notified(struct kunit *test, struct mn_registrant *registrant,
			unsigned int starts)
{
	struct mn_listener *listener = registrant->listener;

	KUNIT_EXPECT_EQ(test, listener->starts, starts);
	KUNIT_EXPECT_EQ(test, listener->ends, registrant->interval ? 0 : starts);
}

/* It has registered: the subscription is notified and can be unregistered */
void mn_expect_registered(struct kunit *test,
			  struct mn_registrant *registrant)
{
	KUNIT_ASSERT_EQ(test, registrant->ret, 0);
	mn_invalidate(registrant->mm);
	mn_expect_notified(test, registrant, 1);
	mn_registrant_end(registrant);
}

static bool has_appeared(const struct mn_registrant *registrant)
{
	struct mmu_notifier_subscriptions *subs;
	bool ret;

	/* Pairs with smp_store_release() in attach_locked(). */
	subs = smp_load_acquire(&registrant->mm->notifier_subscriptions);
	if (!subs)
		return false;
	spin_lock(&subs->lock);
	ret = mmu_is_subscribed(registrant->interval ?
				&registrant->listener->interval.subscribed :
				&registrant->listener->mn.subscribed);
	spin_unlock(&subs->lock);
	return ret;
}

/* The subscription is in place, whether or not the registration has returned */
void mn_expect_appears(struct kunit *test,
		       const struct mn_registrant *registrant)
{
	unsigned long give_up = jiffies + MN_DEADLOCK;

	while (!has_appeared(registrant) && time_before(jiffies, give_up))
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_TRUE(test, has_appeared(registrant));
}

/* ------------------------- holding a lock in a thread --------------------- */

void mn_hold(struct mn_holder *holder)
{
	if (holder->file)
		i_mmap_lock_read(holder->file->f_mapping);
	else if (holder->anon_vma)
		anon_vma_lock_read(holder->anon_vma);
	else
		holder->failed = !vma_start_read(holder->vma);
}

void mn_holder_release(struct mn_holder *holder)
{
	if (holder->file)
		i_mmap_unlock_read(holder->file->f_mapping);
	else if (holder->anon_vma)
		anon_vma_unlock_read(holder->anon_vma);
	else if (!holder->failed)
		vma_end_read(holder->vma);
}

void mn_holder_thread(void *data)
{
	struct mn_holder *holder = data;
	struct mmu_notifier_range range;

	mn_hold(holder);
	if (holder->inside) {
		mn_range_init(&range, holder->mm);
		mmu_notifier_invalidate_range_start(&range);
		mn_gate_pass(holder->gate);
		mmu_notifier_invalidate_range_end(&range);
	} else {
		if (holder->mm)
			mn_invalidate(holder->mm);
		mn_gate_pass(holder->gate);
	}
	mn_holder_release(holder);
}

void mn_holder_run(struct kunit *test, struct mn_holder *holder)
{
	holder->gate = mn_gate_alloc(test);
	holder->thread = mn_thread_run(test, mn_holder_thread, holder);
	KUNIT_ASSERT_TRUE(test, mn_gate_reached(holder->gate));
	KUNIT_ASSERT_FALSE(test, holder->failed);
}

void mn_holder_end(struct kunit *test, struct mn_holder *holder)
{
	mn_gate_open(holder->gate);
	KUNIT_ASSERT_TRUE(test, mn_thread_join(holder->thread));
}

struct mn_holder *mn_holder_new(struct kunit *test, struct file *file,
				struct anon_vma *anon_vma)
{
	struct mn_holder *holder = mn_test_alloc(test, sizeof(*holder));

	holder->file = file;
	holder->anon_vma = anon_vma;
	mn_holder_run(test, holder);
	return holder;
}

/* It is between the start and the end of a range in @mm, until its gate is opened */
struct mn_holder *mn_range_new(struct kunit *test, struct mm_struct *mm,
			       struct file *file)
{
	struct mn_holder *holder = mn_test_alloc(test, sizeof(*holder));

	holder->file = file;
	holder->mm = mm;
	holder->inside = true;
	mn_holder_run(test, holder);
	return holder;
}
