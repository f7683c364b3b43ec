// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: wait until readers have left.  mmu_notifier_readers.h has the
 * protocol.
 */
#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>

#include <kunit/static_stub.h>

#include "mmu_notifier_readers.h"

#ifdef CONFIG_PROVE_LOCKING
/*
 * A callback of one mm may wait for those of another mm, by unregistering there.
 * It can never wait for callbacks of its own mm.
 */
static int compare_readers(const struct lockdep_map *a,
			   const struct lockdep_map *b)
{
	return a == b ? 0 : -1;
}
#endif

/**
 * mmu_notifier_readers_alloc - make room to count readers
 *
 * Charged to the memory cgroup of the caller.
 *
 * Context: may sleep.
 * Return: counters for readers, of which there are none; or NULL.
 */
struct mmu_notifier_readers *mmu_notifier_readers_alloc(void)
{
	static struct lock_class_key __maybe_unused key;
	unsigned int i, groups = min_t(unsigned int, roundup_pow_of_two(nr_cpu_ids),
				       MMU_NOTIFIER_READER_GROUPS);
	struct mmu_notifier_readers *readers;

	KUNIT_STATIC_STUB_REDIRECT(mmu_notifier_readers_alloc);

	readers = kzalloc(struct_size(readers, group, groups), GFP_KERNEL_ACCOUNT);
	if (!readers)
		return NULL;

	readers->mask = groups - 1;
	for (i = 0; i < NR_MMU_NOTIFIER_READERS_OF; i++) {
		mutex_init(&readers->wait[i].mutex);
		init_waitqueue_head(&readers->wait[i].wq);
	}
	lockdep_init_map(&readers->dep_map, "mmu_notifier_callbacks", &key, 0);
	lock_set_cmp_fn(readers, compare_readers, NULL);
	return readers;
}

/* Nobody may be inside, or wait. */
void mmu_notifier_readers_free(struct mmu_notifier_readers *readers)
{
	kfree(readers);
}

static void lockdep_will_wait_for_callbacks(struct mmu_notifier_readers *readers)
{
	lock_map_acquire(&readers->dep_map);
	lock_map_release(&readers->dep_map);
}

static void wait_for_phase(struct mmu_notifier_readers *readers,
			   enum mmu_notifier_readers_of what,
			   unsigned int phase)
{
	unsigned int group;

	/* It is enough that each counter was 0 at some time since (B). */
	for (group = 0; group <= readers->mask; group++)
		wait_event(readers->wait[what].wq,
			   !atomic_read_acquire(&readers->group[group].nr[what][phase]));
}

/**
 * mmu_notifier_readers_have_left - check whether all readers have left
 * @readers: where
 * @what: of what
 *
 * Return: true if mmu_notifier_readers_wait() has nobody to wait for.
 */
bool mmu_notifier_readers_have_left(struct mmu_notifier_readers *readers,
				    enum mmu_notifier_readers_of what)
{
	unsigned int group;

	/* As in mmu_notifier_readers_wait(): (B), and (D). */
	smp_mb();
	for (group = 0; group <= readers->mask; group++) {
		const atomic_t *nr = readers->group[group].nr[what];

		if (atomic_read_acquire(&nr[0]) || atomic_read_acquire(&nr[1]))
			return false;
	}
	return true;
}

/**
 * mmu_notifier_readers_wait - wait until those who are inside have left
 * @readers: where
 * @what: of what
 *
 * Those who enter in the meantime are not waited for: they see what the caller
 * changed before the call.
 *
 * Context: may sleep, for as long as a reader does.  The caller isn't one, and holds
 * no lock that one takes.
 */
void mmu_notifier_readers_wait(struct mmu_notifier_readers *readers,
			       enum mmu_notifier_readers_of what)
{
	unsigned int old;

	might_sleep();
	if (what == MMU_NOTIFIER_CALLBACKS)
		lockdep_will_wait_for_callbacks(readers);
	else
		mmu_notifier_lockdep_reclaim();

	/* Then no phase has to change, and whoever waits for others isn't waited for. */
	if (mmu_notifier_readers_have_left(readers, what))
		return;

	mutex_lock(&readers->wait[what].mutex);
	/* (B), pairs with (A) in mmu_notifier_reader_enter(). */
	smp_mb();

	/* (D), an acquire of each counter, pairs with (C). */
	old = readers->wait[what].phase;
	wait_for_phase(readers, what, !old);
	WRITE_ONCE(readers->wait[what].phase, !old);
	wait_for_phase(readers, what, old);
	mutex_unlock(&readers->wait[what].mutex);
}
