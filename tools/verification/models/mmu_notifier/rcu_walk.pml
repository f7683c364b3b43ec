/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walks of the list under RCU, and subscriptions that end without a grace period.
 * mm/mmu_notifier.c, mm/mmu_notifier_deliver.c.
 *
 * A subscriber whose callbacks are not called under RCU is in the list, and leaves.
 * Another one, of ageing, comes and leaves.  A walk that tests accessed bits comes
 * again and again.
 *
 * What stands for what:
 *
 *	Walk		mmu_notifier_wants(), and a walk under rcu_read_lock()
 *	wants		WANTS_UNDER_RCU of mmu_notifier_subscriptions::wants
 *	ever_wanted	the same of ->ever_wanted
 *	Plain		unlink_notifier(), wait_for_walks(), and the memory is freed
 *	Ager		attach_notifier(), then the same
 *	in_list, freed	of one and the other
 *	grace_period	synchronize_rcu(): with one walk it is enough to wait until it
 *			is out of its section
 *
 * Claims:
 *
 *	claim_alive	nothing is used that has been freed
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_NO_WAIT	claim_alive	a grace period is never waited for
 *	MUT_WANTED_NOW	claim_alive	it is if an ager is in the list now
 *	MUT_LOOK_FIRST	claim_alive	a subscriber looks at ->ever_wanted, then leaves
 *	MUT_EVER_LATE	claim_alive	->ever_wanted is set without the lock, afterwards
 *	MUT_NO_ACQUIRE	claim_alive	a walk reads the list before ->wants; nothing would
 *					be wrong with that if all waited
 */

#define PLAIN	0
#define AGER	1

/* Always 0: it names, in pan's output, what was violated. */
hidden byte claim_alive;
#define CLAIM(name, cond)	assert((cond) || name)

bit in_list[2], freed[2];
bit wants, ever_wanted;
bit lock;
bit inside;		/* the walk is inside rcu_read_lock() */

inline acquire_lock() { atomic { !lock; lock = 1 } }
inline release_lock() { lock = 0 }

inline read_list()
{
	seen[PLAIN] = in_list[PLAIN];
	seen[AGER] = in_list[AGER]
}

proctype Walk()
{
	bit seen[2];

end:
	do
	:: true ->
#ifdef MUT_NO_ACQUIRE
	   inside = 1;
	   read_list();
#endif
	   if
	   :: wants ->
#ifndef MUT_NO_ACQUIRE
		inside = 1;
		read_list();
#endif
		CLAIM(claim_alive, !seen[PLAIN] || !freed[PLAIN]);
		CLAIM(claim_alive, !seen[AGER] || !freed[AGER])
	   :: else
	   fi;
	   d_step { inside = 0; seen[PLAIN] = 0; seen[AGER] = 0 }
	od
}

inline look()
{
#ifdef MUT_WANTED_NOW
	waits = wants
#else
	waits = ever_wanted
#endif
}

inline leave(which)
{
#ifdef MUT_LOOK_FIRST
	look();
#endif
	acquire_lock();
	in_list[which] = 0;
	wants = (which == AGER -> 0 : wants);
	release_lock();
#ifndef MUT_LOOK_FIRST
	look();
#endif
#ifdef MUT_NO_WAIT
	waits = 0;
#endif
	if
	:: waits -> !inside	/* grace_period */
	:: else
	fi;
	freed[which] = 1
}

proctype Plain()
{
	bit waits;

	leave(PLAIN)
}

proctype Ager()
{
	bit waits;

	acquire_lock();
#ifndef MUT_EVER_LATE
	ever_wanted = 1;
#endif
	wants = 1;
	in_list[AGER] = 1;
	release_lock();
#ifdef MUT_EVER_LATE
	ever_wanted = 1;
#endif
	leave(AGER)
}

init
{
	atomic {
		in_list[PLAIN] = 1;
		run Walk();
		run Plain();
		run Ager()
	}
}
