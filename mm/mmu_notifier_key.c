// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: the static key that all hooks are behind, on while any mm in the
 * system has a subscription.
 *
 * To turn it on or off takes cpu_hotplug_lock and the jump label locks, and interrupts
 * every CPU, also those that are isolated.  So it is turned off at most once in ten
 * minutes, and not at all if the command line says so.
 */
#include <linux/cpu.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/lockdep.h>
#include <linux/mmu_notifier.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "mmu_notifier_internal.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"mmu_notifier."

/* How long a caller that holds mmap_lock waits for CPU hotplug to finish */
#define HOTPLUG_WAIT	(10 * HZ)

/*
 * A host between two VMs, or a driver between two jobs, should not interrupt all
 * CPUs.  An idle key costs a load and a branch for each hook; to be rid of that is
 * worth one such interruption in so long a time.  (The time begins with the first
 * subscription that leaves no other one, not with the last.)
 */
#define KEY_LINGERS	(600 * HZ)

#define DEFINE_LINGERING_KEY(name)					\
	DEFINE_STATIC_KEY_DEFERRED_FALSE(name, KEY_LINGERS)

DEFINE_LINGERING_KEY(mmu_notifier_key);
EXPORT_SYMBOL_GPL(mmu_notifier_key);

/* Non-static for the tests, which read it. */
bool mmu_notifier_always_on;
module_param_named(always_on, mmu_notifier_always_on, bool, 0444);
MODULE_PARM_DESC(always_on, "never turn the static key off, nor on after boot");

static int __init keep_key_on(void)
{
	return mmu_notifier_always_on ? mmu_notifier_key_get(false) : 0;
}
late_initcall(keep_key_on);

/**
 * mmu_notifier_lockdep_register - tell lockdep which locks a registration may take
 * @mmap_locked: the caller holds mmap_lock
 *
 * Only the first registration in the system turns the key on.  Let lockdep see
 * the locks for that in every one.
 */
void mmu_notifier_lockdep_register(bool mmap_locked)
{
	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		return;

	if (!mmap_locked)
		cpus_read_lock();
	else if (!cpus_read_trylock())
		return;
	jump_label_lock();
	jump_label_unlock();
	cpus_read_unlock();
}

/**
 * mmu_notifier_key_get - take a reference of the static key
 * @mmap_locked: the caller holds mmap_lock
 *
 * Turning the key on takes cpu_hotplug_lock.  There are paths that hold it and
 * wait for an mmap_lock (cpuset does when it rebinds memory policies), so under
 * mmap_lock it can only be tried.  That fails while a CPU comes or goes, which
 * is worth waiting for, but not forever: CPU hotplug may wait for such a path,
 * and that path for us.
 *
 * Context: may sleep.
 * Return: 0; only if @mmap_locked also -EINTR, or -EAGAIN if CPU hotplug takes very
 * long.
 */
int mmu_notifier_key_get(bool mmap_locked)
{
	struct static_key *key = &mmu_notifier_key.key.key;
	unsigned long give_up = jiffies + HOTPLUG_WAIT;

	mmu_notifier_lockdep_register(mmap_locked);

	if (static_key_fast_inc_not_disabled(key))
		return 0;

	if (!mmap_locked) {
		static_branch_inc(&mmu_notifier_key.key);
		return 0;
	}

	while (!cpus_read_trylock()) {
		if (signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, give_up))
			return -EAGAIN;
		schedule_timeout_interruptible(1);
	}
	static_key_slow_inc_cpuslocked(key);
	cpus_read_unlock();

	return 0;
}

/**
 * mmu_notifier_key_put - drop a reference of the static key
 *
 * Context: any but NMI.  A work turns the key off.
 */
void mmu_notifier_key_put(void)
{
	static_branch_slow_dec_deferred(&mmu_notifier_key);
}
