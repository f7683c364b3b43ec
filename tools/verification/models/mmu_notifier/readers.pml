/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Readers that are counted, and those who wait for them.
 * mm/mmu_notifier_readers.h, mm/mmu_notifier_readers.c.
 *
 * Two readers come again and again, look which of two things are in the list, and
 * use those.  Each thing has an owner that takes it out, waits, and frees it.
 *
 * What stands for what:
 *
 *	Reader		mmu_notifier_reader_enter(), a walk of the list,
 *			mmu_notifier_reader_leave()
 *	Owner		unlink_notifier(), mmu_notifier_readers_wait()
 *	look_whether_left	mmu_notifier_readers_have_left()
 *	nr		the counters of one group of CPUs; each counter of another
 *			group is waited for in the same way
 *
 * A barrier that is left out shows as the two accesses around it in the other order,
 * which is the worst that can come of it.
 *
 * Claims:
 *
 *	claim_alive	nothing is used that has been freed
 *	claim_late	no reader is waited for that read the phase after the wait
 *			for that phase had begun; there can be only so many
 *			others, so the wait ends
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_NO_A	claim_alive	a reader looks, then counts itself
 *	MUT_NO_B	claim_alive	the owner looks at counters, then takes out
 *	MUT_NO_C	claim_alive	a reader counts itself out, then uses
 *	MUT_NO_D	claim_alive	the owner frees, then looks at the counters
 *	MUT_ONE_PHASE	claim_alive	only the phase that was current is waited for
 *	MUT_LEFT_ONE	claim_alive	who doesn't wait has looked at that phase alone
 *	MUT_NO_FLIP	claim_late	the phase stays
 *	MUT_FLIP_FIRST	claim_late	it changes before the other one is waited for
 *	MUT_NO_MUTEX	claim_late	two wait at the same time
 */

#define NR_THINGS	2
#define NONE		2

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_alive, claim_late;
#define CLAIM(name, cond)	assert((cond) || name)

bit unlinked[NR_THINGS], freed[NR_THINGS];
bit phase;
byte nr[2];
bit mutex;
byte waited_for[NR_THINGS] = NONE;

proctype Reader()
{
	bit mine, seen[NR_THINGS];

end:
	do
	:: atomic {
		mine = phase;
		CLAIM(claim_late, mine != waited_for[0] && mine != waited_for[1])
	   }
#ifndef MUT_NO_A
	   nr[mine]++;
#endif
	   seen[0] = !unlinked[0];
	   seen[1] = !unlinked[1];
#ifdef MUT_NO_A
	   nr[mine]++;
#endif
#ifdef MUT_NO_C
	   nr[mine]--;
#endif
	   CLAIM(claim_alive, !seen[0] || !freed[0]);
	   CLAIM(claim_alive, !seen[1] || !freed[1]);
#ifndef MUT_NO_C
	   nr[mine]--;
#endif
	   d_step { mine = 0; seen[0] = 0; seen[1] = 0 }
	od
}

inline wait_for_phase(which)
{
	waited_for[thing] = which;
	atomic { nr[which] == 0; waited_for[thing] = NONE }
}

inline look_whether_left()
{
#ifdef MUT_LEFT_ONE
	left = nr[phase] == 0;
#else
	left = nr[0] == 0;
	left = left && nr[1] == 0;
#endif
}

proctype Owner(byte thing)
{
	bit old, left;

#ifndef MUT_NO_B
	unlinked[thing] = 1;
#endif
#ifdef MUT_NO_D
	freed[thing] = 1;
#endif
	look_whether_left();
	if
	:: left
	:: else ->
#ifndef MUT_NO_MUTEX
	   atomic { !mutex; mutex = 1 }
#endif
	   old = phase;
#ifdef MUT_FLIP_FIRST
	   phase = !old;
#endif
#ifndef MUT_ONE_PHASE
	   wait_for_phase(!old);
#endif
#if !defined(MUT_NO_FLIP) && !defined(MUT_FLIP_FIRST)
	   phase = !old;
#endif
	   wait_for_phase(old);
#ifndef MUT_NO_MUTEX
	   mutex = 0
#endif
	fi;
#ifdef MUT_NO_B
	unlinked[thing] = 1;
#endif
#ifndef MUT_NO_D
	freed[thing] = 1
#endif
}

init
{
	atomic {
		run Reader();
		run Reader();
		run Owner(0);
		run Owner(1)
	}
}
