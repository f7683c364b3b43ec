/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registration against ranges in progress: mm/mmu_notifier.c and mm/mm_all_locks.c.
 *
 * Two subscribers register, which may fail, and unregister, and a range comes
 * and goes, for ever.  A subscriber appears, and then takes and releases the locks.  The
 * range is under any one of the locks that it may be under: mmap_lock, a VMA lock, a
 * reverse map lock.  One range stands for all, as ranges change nothing that other
 * ranges look at.  Another mm has subscriptions now and then; all that is seen of them
 * is the static key.
 *
 * What stands for what:
 *
 *	Subscriber	mmu_notifier_subscribe(), attach_locked(),
 *			attach_notifier(); then mmu_notifier_unregister(), of
 *			which release.pml has the rest
 *	pass_all_locks	mm_pass_all_locks()
 *	unlink		unlink_notifier()
 *	Range		mmu_notifier_invalidate_range_start(), or _nonblock(),
 *			mmu_notifier_invalidate_range_end()
 *	range_start	list_start(), and unwind_starts() if a callback fails
 *	range_end	list_end()
 *	notified	MMU_NOTIFIER_RANGE_NOTIFIED; without it a range's serial number is
 *			anything
 *	Other		mmu_notifier_key_get() and _put() on behalf of another mm
 *
 * What is under mmu_notifier_subscriptions::lock is one atomic step, but for the
 * order of ->wants and the list, which ranges look at without it.  There is
 * whether there is a reader and, for each that waits, whether it still waits for
 * that reader; readers.pml has how.
 * That the key is turned off a while later than its count says is left out: it
 * is on for longer, never for less.  To keep the model finite, serial numbers are 1
 * for the older and 2 for the newer subscriber, and what the range remembers of
 * them is renumbered, too: only their order matters.  What it spares a subscriber to care
 * for a span only is in span.pml.
 *
 * Claims:
 *
 *	claim_caught	when registration returns 0, no range is in progress
 *			of which the subscriber was not notified
 *	claim_heard	before page tables change, every subscriber that is
 *			registered has been notified of the range
 *	claim_paired	no end without its start
 *	claim_ended	after a range has ended, or its start has failed, no
 *			registered subscriber takes it to be in progress
 *	claim_balance	the static key's references come out even
 *	claim_readers	a range that looks into the list finds the counters of readers
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_MMAP_READ		claim_caught	mmap_lock is taken for reading
 *	MUT_NO_VMA_LOCKS	claim_caught	VMA locks are not taken
 *	MUT_NO_RMAP_LOCKS	claim_caught	nor reverse map locks
 *	MUT_PASS_FIRST		claim_caught	locks are taken before it appears
 *	MUT_PASS_READ		claim_caught	for reading
 *	MUT_READERS_LATE	claim_readers	->readers are there after ->wants is set
 *	MUT_ARM_LATE		claim_ended	the key is turned on last
 *	MUT_WANTS_LATE		claim_ended	->wants is set last
 *	MUT_LINK_FIRST		claim_ended	or, under the same lock, after the
 *						subscriber is in the list
 *	MUT_LOOK_UNLOCKED	claim_heard	a range looks for subscribers before it
 *						has its lock
 *	MUT_WANTS_CLEARED	claim_ended	an unregister clears the others'
 *						->wants
 *	MUT_DISARM_EACH		claim_ended	an unregister turns off the key,
 *						though it isn't the last
 *	MUT_KEEP_BOTH		claim_balance	a second reference of the key
 *						is not dropped
 *	MUT_KEEP_ON_EINTR	claim_balance	nor is that of an attempt that
 *						failed
 *	MUT_UNWIND_ALL		claim_paired	a failed start ends the range
 *						for all
 *	MUT_UNWIND_TO_FAILED	claim_paired	it ends it up to the subscriber
 *						that failed, by its address
 *	MUT_NO_UNWIND		claim_ended	it ends it for none
 *	MUT_END_ALL		claim_paired	a range ends for those that came
 *						after its start, too
 *	MUT_END_UNMARKED	claim_paired	the end of one that looked for nobody
 *						looks at its serial number
 */

#define NR_SUBS		2
#define NONE		NR_SUBS

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_caught, claim_heard, claim_paired, claim_ended, claim_balance;
hidden byte claim_readers;
#define CLAIM(name, cond)	assert((cond) || name)

#define MMAP	0
#define VMA	1
#define RMAP	2

byte readers[3];
bit writer[3];

byte key;		/* references of the static key */
byte key_of_other;	/* of these, the other mm's */
bit has_subscriptions;	/* mm->notifier_subscriptions */

/* struct mmu_notifier_subscriptions */
byte head = NONE;
byte next[NR_SUBS] = NONE;
bit linked[NR_SUBS];
byte serial_of[NR_SUBS];
bit wants, armed;
bit has_readers;	/* ->readers */
bit subs_lock;

bit walker;	/* the range is in a read section */
bit waits[NR_SUBS];	/* wait_for_readers() waits for it */

bit heard[NR_SUBS];	/* of the start of the range, not yet of its end */
bit subscribed[NR_SUBS];	/* registration has returned 0 */
bit running;		/* the range's start has returned, end not called */
byte newest;		/* the serial number up to which its start came */
bit idle[NR_SUBS] = 1;	/* holds no reference of the key */

inline down_read(l)
{
	atomic { !writer[l] -> readers[l]++ }
}

inline up_read(l)
{
	readers[l]--
}

inline down_write(l)
{
	atomic { !writer[l] && !readers[l] -> writer[l] = 1 }
}

inline up_write(l)
{
	writer[l] = 0
}

inline walk_begin()
{
	walker = 1
}

inline walk_end()
{
	d_step {
		walker = 0;
		waits[0] = 0;
		waits[1] = 0
	}
}

inline wait_for_readers()
{
	waits[s] = walker;
	waits[s] == 0
}

/* --- the range ------------------------------------------------------------ */

/* Both go on to the next subscriber. */
inline call_start(s)
{
	d_step {
		newest = (serial_of[s] > newest -> serial_of[s] : newest);
		CLAIM(claim_ended, !heard[s]);
		heard[s] = 1;
		s = next[s]
	}
}

inline call_end(s)
{
	d_step {
		CLAIM(claim_paired, heard[s]);
		heard[s] = 0;
		s = next[s]
	}
}

#ifdef MUT_END_ALL
#define was_notified(s)	true
#else
#define was_notified(s)	(serial_of[s] <= newest)
#endif

#ifdef MUT_UNWIND_ALL
#define told_before(s)	true
#else
#ifdef MUT_UNWIND_TO_FAILED
#define told_before(s)	((s) != failed)
#else
#define told_before(s)	(serial_of[s] > failed_serial)
#endif
#endif

inline unwind_starts()
{
#ifndef MUT_NO_UNWIND
	other = head;
	do
	:: other != NONE && told_before(other) && was_notified(other) ->
		call_end(other)
	:: other != NONE && told_before(other) && !was_notified(other) ->
		other = next[other]
	:: else ->
		break
	od;
	other = NONE;
#endif
	failed_serial = 0
}

inline range_start()
{
	CLAIM(claim_readers, has_readers);
	walk_begin();
	newest = 0;
	sub = head;
	do
	:: sub == NONE ->
		break
	:: sub != NONE ->
		call_start(sub)
	:: sub != NONE && !blockable ->
		/* -EAGAIN */
		d_step {
			newest = (serial_of[sub] > newest -> serial_of[sub] : newest);
			failed = sub;
			failed_serial = serial_of[sub]
		}
		unwind_starts();
		sub = NONE;
		break
	od;
	walk_end()
}

inline range_end()
{
	walk_begin();
	sub = head;
	do
	:: sub == NONE ->
		break
	:: sub != NONE && was_notified(sub) ->
		call_end(sub)
	:: sub != NONE && !was_notified(sub) ->
		sub = next[sub]
	od;
	walk_end()
}

#define mm_has_notifiers	(key && has_subscriptions)
#define has_heard(s)		(!subscribed[s] || heard[s])
#define has_forgotten(s)	(!subscribed[s] || !heard[s])

proctype Range()
{
	byte lock, sub, other = NONE, failed, failed_serial;
	bit blockable, notified;
#ifdef MUT_LOOK_UNLOCKED
	bit peeked;
#endif

end:
	do
	:: atomic {
		if
		:: lock = MMAP
		:: lock = VMA
		:: lock = RMAP
		fi;
		if
		:: blockable = 0
		:: blockable = 1
		fi;
		failed = NONE;
		newest = 0
	   }
#ifdef MUT_LOOK_UNLOCKED
		peeked = wants;
#endif
		down_read(lock);
		if
		:: mm_has_notifiers ->
			if
#ifdef MUT_LOOK_UNLOCKED
			:: peeked ->
#else
			:: wants ->
#endif
				range_start();
				notified = 1
			:: else
			fi
		:: else
		fi;

		if
		:: failed == NONE ->
			running = 1;
			/* Here page tables change. */
			CLAIM(claim_heard, has_heard(0) && has_heard(1));
			running = 0;
			if
			:: mm_has_notifiers ->
				if
#ifdef MUT_END_UNMARKED
				:: wants ->
					newest = (notified -> newest : NR_SUBS);
					range_end()
#else
				:: notified && wants -> range_end()
#endif
				:: else
				fi
			:: else
			fi
		:: else
		fi;
		CLAIM(claim_ended, has_forgotten(0) && has_forgotten(1));
		d_step {
			up_read(lock);
			lock = MMAP;
			failed = NONE;
			notified = 0;
			blockable = 0
		}
	od
}

/* --- the subscriber ------------------------------------------------------- */

#ifdef MUT_PASS_READ
#define pass_rmap	(!writer[RMAP])
#else
#define pass_rmap	(!writer[RMAP] && !readers[RMAP])
#endif

/* Taken and released at once, which nobody else notices */
inline pass_all_locks()
{
#ifndef MUT_NO_VMA_LOCKS
	down_write(VMA);
#endif
#ifndef MUT_NO_RMAP_LOCKS
	pass_rmap
#else
	skip
#endif
}

inline mmap_lock()
{
#ifdef MUT_MMAP_READ
	down_read(MMAP)
#else
	down_write(MMAP)
#endif
}

/* VMA locks that have been taken go together with it. */
inline mmap_unlock()
{
	up_write(VMA);
#ifdef MUT_MMAP_READ
	up_read(MMAP)
#else
	up_write(MMAP)
#endif
}

inline want()
{
#ifndef MUT_WANTS_LATE
	wants = 1
#else
	skip
#endif
}

inline link()
{
	d_step {
		newest = (serial_of[1 - s] && serial_of[1 - s] <= newest);
		serial_of[1 - s] = 1;
		serial_of[s] = 2;
		next[s] = head;
		head = s;
		linked[s] = 1
	}
}

inline attach()
{
#ifndef MUT_READERS_LATE
	has_readers = 1;
#endif
	has_subscriptions = 1;
	atomic {
		!subs_lock ->
		subs_lock = 1;
		was_armed = armed;
		armed = 1
	}
#ifdef MUT_LINK_FIRST
	link();
	want();
#else
	want();
	link();
#endif
#ifdef MUT_READERS_LATE
	has_readers = 1;
#endif
	subs_lock = 0
}

inline unlink()
{
	atomic {
		!subs_lock ->
		if
		:: head == s -> head = next[s]
		:: else -> next[1 - s] = next[s]
		fi;
		linked[s] = 0;
#ifdef MUT_WANTS_CLEARED
		wants = 0;
#else
		wants = (head != NONE);
#endif
		if
#ifdef MUT_DISARM_EACH
		:: armed ->
#else
		:: head == NONE ->
#endif
			armed = 0;
			key--
		:: else
		fi
	}
}

proctype Subscriber(byte s)
{
	bit was_armed;

end:
	do
	:: atomic {
		idle[s] = 0;
#ifndef MUT_ARM_LATE
		key++
#endif
	   }
		mmap_lock();
		if
		:: true ->
			/* a signal, or no memory */
			mmap_unlock();
#ifndef MUT_ARM_LATE
#ifndef MUT_KEEP_ON_EINTR
			key--
#endif
#endif
		:: true ->
#ifdef MUT_PASS_FIRST
			pass_all_locks();
#endif
			attach();
#ifndef MUT_PASS_FIRST
			pass_all_locks();
#endif
#ifndef MUT_ARM_LATE
			if
#ifndef MUT_KEEP_BOTH
			:: was_armed -> key--
#endif
			:: else
			fi;
#endif
			mmap_unlock();
#ifdef MUT_ARM_LATE
			if
			:: was_armed
			:: else -> key++
			fi;
#endif
#ifdef MUT_WANTS_LATE
			wants = 1;
#endif
			atomic {
				was_armed = 0;
				subscribed[s] = 1;
				CLAIM(claim_caught, !running || heard[s])
			}

			subscribed[s] = 0;
			unlink();
			wait_for_readers();
			d_step {
				heard[s] = 0;
				next[s] = NONE;
				serial_of[s] = 0
			}
		fi;
		d_step {
			idle[s] = 1;
			CLAIM(claim_balance,
			      !idle[1 - s] || key == key_of_other)
		}
	od
}

proctype Other()
{
end:
	do
	:: atomic { key++; key_of_other = 1 }
		atomic { key--; key_of_other = 0 }
	od
}

init
{
	atomic {
		run Range();
		run Subscriber(0);
		run Subscriber(1);
		run Other()
	}
}
