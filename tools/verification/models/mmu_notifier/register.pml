/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registration against ranges in progress: mm/mmu_notifier.c and mm/mm_all_locks.c.
 *
 * Two subscribers register, which may fail, and unregister, and a range comes
 * and goes, for ever.  A subscriber appears while it has all locks, or it appears and
 * then takes and releases one after the other.  The range is under any one of the locks that it may be
 * under: mmap_lock, a VMA lock, a reverse map lock.  One range stands for all, as
 * ranges change nothing that other ranges look at.  Another mm has subscriptions
 * now and then; all that is seen of them is the static key.
 *
 * What stands for what:
 *
 *	Subscriber	mmu_notifier_subscribe(), attach_locked(),
 *			attach_notifier(); then mmu_notifier_unregister(), of
 *			which release.pml has the rest
 *	take_all_locks	mm_take_all_locks(), where a signal may come
 *	pass_all_locks	mm_pass_all_locks()
 *	unlink		unlink_notifier()
 *	Range		mmu_notifier_invalidate_range_start(), or _nonblock(),
 *			mmu_notifier_invalidate_range_end()
 *	range_start	list_start(), and unwind_starts() if a callback fails
 *	range_end	list_end()
 *	Other		arm() and disarm() on behalf of another mm
 *
 * What is under mmu_notifier_subscriptions::lock is one atomic step, but for the
 * order of ->wants and the list, which ranges look at without it.  There is
 * whether there is a reader and, for each that waits, whether it still waits for
 * that reader; readers.pml has how.
 * That the key is turned off a while later than its count says is left out: it
 * is on for longer, never for less.  To keep the model finite, serial numbers are 1
 * for the older and 2 for the newer subscriber, and what the range remembers of
 * them is renumbered, too: only their order matters.  A subscriber that takes one
 * lock after the other has an empty span; what that spares it is in span.pml, and here
 * it is notified like any other.
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
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_MMAP_READ		claim_caught	mmap_lock is taken for reading
 *	MUT_NO_VMA_LOCKS	claim_caught	VMA locks are not taken
 *	MUT_NO_RMAP_LOCKS	claim_caught	reverse map locks are not taken
 *	MUT_ARM_LATE		claim_ended	the key is turned on last
 *	MUT_WANTS_LATE		claim_caught	->wants is set last
 *	MUT_LINK_FIRST		claim_ended	or, under the same lock, after the
 *						subscriber is in the list
 *	MUT_WANTS_CLEARED	claim_heard	an unregister clears the others'
 *						->wants
 *	MUT_DISARM_EACH		claim_heard	an unregister turns off the key,
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
 *	MUT_NO_PASS		claim_caught	locks aren't taken one by one
 *	MUT_PASS_FIRST		claim_caught	they are, but before it appears
 *	MUT_PASS_READ		claim_caught	for reading
 *	MUT_END_ALL		claim_paired	a range ends for those that came
 *						after its start, too
 */

#define NR_SUBS		2
#define NONE		NR_SUBS

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_caught, claim_heard, claim_paired, claim_ended, claim_balance;
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
	walk_begin();
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
	bit blockable;

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
		down_read(lock);
		if
		:: mm_has_notifiers ->
			if
			:: wants -> range_start()
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
				:: wants -> range_end()
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
			blockable = 0
		}
	od
}

/* --- the subscriber ------------------------------------------------------- */

inline take_all_locks(interrupted)
{
#ifndef MUT_NO_VMA_LOCKS
	down_write(VMA);
#endif
	if
	:: interrupted = 1
	:: interrupted = 0;
#ifndef MUT_NO_RMAP_LOCKS
		down_write(RMAP)
#endif
	fi
}

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
#ifndef MUT_NO_PASS
#ifndef MUT_NO_RMAP_LOCKS
	pass_rmap
#else
	skip
#endif
#else
	skip
#endif
}

/* VMA locks go together with mmap_lock, see mmap_unlock(). */
inline drop_all_locks()
{
#ifndef MUT_NO_RMAP_LOCKS
	up_write(RMAP)
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

inline mmap_unlock()
{
#ifndef MUT_NO_VMA_LOCKS
	up_write(VMA);
#endif
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
	bit interrupted, was_armed, between;

end:
	do
	:: atomic {
		idle[s] = 0;
#ifndef MUT_ARM_LATE
		key++
#endif
	   }
		if
		:: between = 0
		:: between = 1
		fi;
		mmap_lock();
		if
		:: between -> take_all_locks(interrupted)
		:: else ->
#ifdef MUT_PASS_FIRST
			pass_all_locks()
#else
			skip
#endif
		fi;
		if
		:: interrupted ->
			mmap_unlock();
#ifndef MUT_ARM_LATE
#ifndef MUT_KEEP_ON_EINTR
			key--;
#endif
#endif
			interrupted = 0
		:: else ->
			attach();
			if
			:: between -> drop_all_locks()
			:: else ->
#ifndef MUT_PASS_FIRST
				pass_all_locks()
#else
				skip
#endif
			fi;
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
			between = 0;
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
