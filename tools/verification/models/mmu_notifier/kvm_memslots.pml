/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM: ranges, which use memslots without kvm->srcu, against those who publish others.
 * virt/kvm/mmu_notifier.c, and kvm_swap_active_memslots() in virt/kvm/kvm_main.c.
 *
 * Two ranges of the same bounds, of which either set of memslots may hold a part, and
 * two changes of memslots.  KVM has two sets: the inactive one is changed, then
 * published, then the one that was active before is brought up to date.
 *
 * What stands for what:
 *
 *	range_began	range_began(), under mn_lock; one that finds all entries used
 *			is counted among the others
 *	Range		kvm_mmu_notifier_invalidate_range_start(), which uses the
 *			memslots that it has found; the page tables change;
 *			kvm_mmu_notifier_invalidate_range_end()
 *	range_ended	range_ended(): any entry of these bounds may be taken
 *	try_publish	publish_memslots()
 *	Publisher	kvm_mmu_notifier_publish_memslots(), with slots_lock held
 *	changing	a set is being changed, and its memslots may be freed
 *
 * Readers of memslots that have kvm->srcu, which the publisher waits for before it
 * changes a set that was active, are left out: no range is one of them.
 *
 * Memory: all that matters is done under mn_lock, but for the wait queue.  A range looks
 * at it when it has released the lock, and may do so before anything that it has stored
 * under the lock is seen.
 *
 * Claims:
 *
 *	claim_stable	no set changes while a range uses it
 *	claim_seen	when page tables change, an invalidation has begun if an active
 *			memslot holds a part of the range
 *	claim_balanced	as many invalidations have ended as have begun
 *	claim_deadlock	no wake-up is lost
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_LOOK_UP_FIRST	claim_seen	the range looks up its memslots before
 *						it has mn_lock
 *	MUT_NOT_COUNTED		claim_seen	it isn't in mn_ranges while it uses them
 *	MUT_USED_LATE		claim_stable	it still uses them when it has ended
 *	MUT_PUBLISH_AT_ONCE	claim_seen	ranges aren't waited for
 *	MUT_PUBLISH_UNLOCKED	claim_seen	memslots are published after mn_lock was
 *						released
 *	MUT_OTHERS_UNCOUNTED	claim_seen	only ranges with an entry are waited for
 *	MUT_RECORD_LATE		claim_balanced	what was found is noted without mn_lock
 *	MUT_LOOK_UP_LATE	claim_balanced	one of the others looks up again when it
 *						has released mn_lock
 *	MUT_PEEK_EARLY		claim_deadlock	the end looks for a waiter before it
 *						takes mn_lock
 *	MUT_WAIT_UNLOCKED	claim_deadlock	the publisher looks for ranges without
 *						mn_lock
 *	MUT_NO_SECOND_LOOK	claim_deadlock	it sleeps without looking again
 */

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_stable, claim_seen, claim_balanced;
#define CLAIM(name, cond)	assert((cond) || name)

bit mn_lock;

bit published;			/* kvm->memslots: which set */
bit has[2];			/* the set has a memslot with a part of the range */
bit changing[2];

/* mn_ranges: all entries but two are taken, or all but one */
bit used[2], in_slots[2];
byte nr_entries;
byte nr_others;

bit queued;			/* the publisher is in mn_wait */
byte begun, ended;
byte returned;			/* ranges that are over */

inline lock()
{
	atomic { !mn_lock -> mn_lock = 1 }
}

#define unlock()	mn_lock = 0

/* --- a range --------------------------------------------------------------- */

inline look_up()
{
	d_step {
		set = published;
		CLAIM(claim_stable, !changing[set]);
		found = has[set]
	}
}

inline count_range()
{
	d_step {
		if
		:: !used[0] ->
			used[0] = 1;
			entry = 0
		:: used[0] && nr_entries == 2 && !used[1] ->
			used[1] = 1;
			entry = 1
		:: else ->
			nr_others++;
			entry = 2
		fi
	}
}

inline record()
{
	d_step {
		if
		:: entry < 2 -> in_slots[entry] = found
		:: else
		fi
	}
}

inline range_began()
{
#ifdef MUT_LOOK_UP_FIRST
	look_up();
#endif
	lock();
	count_range();
#ifndef MUT_LOOK_UP_FIRST
	look_up();
#endif
#ifndef MUT_RECORD_LATE
	record();
#endif
	unlock();
#ifdef MUT_RECORD_LATE
	record()
#endif
}

/* Those of the memslots that have a part of the range are walked in two steps. */
inline unmap()
{
	if
	:: found ->
		CLAIM(claim_stable, !changing[set]);
		begun++;
		CLAIM(claim_stable, !changing[set])
	:: else
	fi
}

/* With the same bounds, any entry is as good; the others come after the entries. */
inline uncount_range()
{
	d_step {
		among_others = 0;
		if
		:: used[0] ->
			used[0] = 0;
			found = in_slots[0]
		:: !used[0] && used[1] ->
			used[1] = 0;
			found = in_slots[1]
		:: else ->
			nr_others--;
			among_others = 1
		fi
	}
}

inline range_ended()
{
#ifdef MUT_PEEK_EARLY
	awaited = queued;
#endif
	lock();
	/* Not before the lock is taken, but otherwise in no order */
	if
	:: skip
#ifndef MUT_PEEK_EARLY
	:: awaited = queued;
	   peeked = 1
#endif
	fi;
	uncount_range();
#ifndef MUT_LOOK_UP_LATE
	if
	:: among_others -> look_up()
	:: else
	fi;
#endif
	unlock();
#ifdef MUT_LOOK_UP_LATE
	if
	:: among_others -> look_up()
	:: else
	fi;
#endif
	ended = ended + found;
#ifndef MUT_PEEK_EARLY
	if
	:: !peeked -> awaited = queued
	:: else
	fi;
#endif
	if
	:: awaited -> queued = 0
	:: else
	fi
}

proctype Range()
{
	bit set, found, among_others, awaited, peeked;
	byte entry;

#ifdef MUT_NOT_COUNTED
	lock();
	look_up();
	unlock();
	unmap();
	lock();
	count_range();
	record();
	unlock();
#else
	range_began();
	unmap();
#endif

	/* The page tables change. */
	CLAIM(claim_seen, found || !has[published]);

	range_ended();
#ifdef MUT_USED_LATE
	CLAIM(claim_stable, !changing[set]);
#endif
	returned++
}

/* --- a change of memslots -------------------------------------------------- */

#ifdef MUT_OTHERS_UNCOUNTED
#define running		(used[0] || used[1])
#else
#define running		(used[0] || used[1] || nr_others)
#endif

inline try_publish()
{
#ifdef MUT_PUBLISH_AT_ONCE
	published = new;
	idle = 1;
#else
#ifndef MUT_WAIT_UNLOCKED
	lock();
#endif
	idle = !running;
#ifdef MUT_PUBLISH_UNLOCKED
	unlock();
#endif
#ifdef MUT_WAIT_UNLOCKED
	lock();
	idle = (idle && !running);
#endif
	if
	:: idle -> published = new
	:: else
	fi;
#ifndef MUT_PUBLISH_UNLOCKED
	unlock();
#endif
#endif
}

/* wait_event(): look, queue, look again, sleep. */
inline publish()
{
	try_publish();
	do
	:: idle ->
		break
	:: else ->
		queued = 1;
#ifdef MUT_NO_SECOND_LOOK
		!queued;
		try_publish();
#else
		try_publish();
		if
		:: !idle -> !queued
		:: else
		fi;
#endif
		queued = 0
	od
}

inline change(set)
{
	changing[set] = 1;
	if
	:: has[set] = 0
	:: has[set] = 1
	fi;
	changing[set] = 0
}

proctype Publisher()
{
	bit new, old, idle;
	byte i;

	for (i : 0 .. 1) {
		old = published;
		new = 1 - published;
		change(new);
		publish();
		change(old)
	}
}

init
{
	atomic {
		if
		:: has[0] = 0
		:: has[0] = 1
		fi;
		if
		:: nr_entries = 1
		:: nr_entries = 2
		fi;
		run Range();
		run Range();
		run Publisher()
	}

	returned == 2;
	CLAIM(claim_balanced, begun == ended)
}
