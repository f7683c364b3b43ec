/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interval subscriptions: whoever waits for ranges to end is woken, on processors
 * that delay stores.  mm/mmu_interval_notifier.c.
 *
 * Two ranges, at the same time or one after the other, hit a subscription or not.
 * One subscriber inserts its subscription, another one has done so before.  Each
 * begins to read, and removes the subscription.  All ranges are counted.
 *
 * What stands for what:
 *
 *	Range		mmu_intervals_start(), mmu_intervals_end()
 *	hit		first_hit()
 *	uncount_range	uncount_range()
 *	after_last_range after_last_range(), thaw(), wq_has_sleeper()
 *	insert		attach_interval()
 *	wait_if_frozen	mmu_interval_read_begin(), for a subscription that has been
 *			hit if any has; or mmu_interval_notifier_remove(), for one
 *			that is in the tree
 *	look		have_ended(); or has_thawed(), which takes the lock
 *	wait_event	wait_event()
 *	queue_oneself	prepare_to_wait_event(), with the barrier of
 *			set_current_state()
 *	QUEUED		the task is in the wait queue, and not in TASK_RUNNING: both
 *			change under the lock of the queue
 *
 * Memory: a store waits in its writer's buffer until the process Memory puts it into
 * memory, in the order of the stores: of what one writer stores under a lock, others
 * look at one thing only without the lock.  Unlocking is such a store, and no
 * barrier: what the writer loads next may be older than what it has stored.  A lock
 * is taken in memory, whatever is in the buffer.  A full barrier waits until the
 * buffer is empty, and schedule() has one.  in_progress is an atomic variable, which
 * has no buffer.
 *
 * What is under a lock is one atomic step, except that stores may be in memory
 * long before the unlocking is, and that there are barriers.
 *
 * Claims:
 *
 *	claim_deadlock	nobody waits for ever: a tree that is frozen thaws, and
 *			whoever waits for that is woken
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_NO_WAKER_BARRIER	claim_deadlock	the last range looks at the queue with
 *						waitqueue_active() alone
 *	MUT_NO_WAITER_BARRIER	claim_deadlock	a task queues and looks at the number
 *						without a barrier in between
 *	MUT_QUEUE_PEEKED	claim_deadlock	the last range looks at the queue
 *						before it thaws
 *	MUT_NO_SECOND_LOOK	claim_deadlock	a task looks at the number, then
 *						queues and sleeps
 *	MUT_NO_WAKE		claim_deadlock	nobody is woken
 *	MUT_NO_B		claim_deadlock	an insertion looks at the count
 *						without (B)
 *	MUT_NO_C		claim_deadlock	a range is counted out while its
 *						freeze may still be in the buffer
 *	MUT_SEQ_PEEKED		claim_deadlock	a range looks whether the tree is
 *						frozen before it is counted out
 *
 * A removal looks under the lock that the last range thaws under.  It would be woken
 * without the first two barriers.
 */

/* Whose buffer it is */
#define NEW		0	/* the subscriber that inserts */
#define OLD		1
#define RANGE		2
#define OTHER_RANGE	3
#define NR_WRITERS	4

/* Memory, and what is on its way there */
#define LOCK		0	/* mmu_notifier_subscriptions::lock */
#define SEQ		1	/* mmu_notifier_intervals::seq */
#define WQ_LOCK		2	/* mmu_notifier_intervals::wq, its lock */
#define QUEUED		3	/* NEW is in it, */
#define QUEUED_OLD	4	/* and OLD */
#define NR_VARS		5

byte memory[NR_VARS];
chan buffer[NR_WRITERS] = [6] of { byte, byte };

byte in_progress;

inline store(var, val)
{
	buffer[w]!var,val
}

#define is_empty	empty(buffer[w])

inline smp_mb()
{
	is_empty
}

inline lock(l)
{
	!memory[l] -> memory[l] = 1
}

/* With nothing before it in the buffer, it may be in memory at once. */
inline unlock(l)
{
	if
	:: is_empty -> memory[l] = 0
	:: nempty(buffer[w]) -> store(l, 0)
	fi
}

inline commit(w)
{
	buffer[w]?var,val ->
	memory[var] = val;
	var = 0;
	val = 0
}

proctype Memory()
{
	byte var, val;

end:
	do
	:: atomic { commit(NEW) }
	:: atomic { commit(OLD) }
	:: atomic { commit(RANGE) }
	:: atomic { commit(OTHER_RANGE) }
	od
}

/* --- the range ------------------------------------------------------------ */

inline hit()
{
	atomic {
		lock(LOCK);
		store(SEQ, memory[SEQ] | 1);
		unlock(LOCK)
	}
}

inline wake_one(q)
{
	if
	:: memory[q] -> store(q, 0)
	:: else
	fi
}

inline wake_up_all()
{
#ifndef MUT_NO_WAKE
	atomic {
		lock(WQ_LOCK);
		wake_one(QUEUED);
		wake_one(QUEUED_OLD);
		unlock(WQ_LOCK)
	}
#else
	skip
#endif
}

#define has_sleeper	(memory[QUEUED] || memory[QUEUED_OLD])

inline after_last_range()
{
	atomic {
		lock(LOCK);
#ifdef MUT_QUEUE_PEEKED
		awaited = has_sleeper;
#endif
		thaws = (memory[SEQ] & 1) && !in_progress;
		if
		:: thaws -> store(SEQ, memory[SEQ] + 1)
		:: else
		fi;
		unlock(LOCK)
	}
	if
	:: thaws ->
#ifndef MUT_NO_WAKER_BARRIER
		smp_mb();
#endif
#ifndef MUT_QUEUE_PEEKED
		awaited = has_sleeper;
#endif
		if
		:: awaited -> wake_up_all()
		:: else
		fi
	:: else
	fi
}

inline uncount_range()
{
#ifdef MUT_SEQ_PEEKED
	frozen = memory[SEQ] & 1;
#endif
	atomic {
#ifndef MUT_NO_C
		smp_mb();
#endif
		in_progress--;
		last = !in_progress
	}
#ifndef MUT_SEQ_PEEKED
	frozen = memory[SEQ] & 1;
#endif
	if
	:: last && frozen -> after_last_range()
	:: else
	fi
}

proctype Range(byte w)
{
	bit last, frozen, thaws, awaited;

	in_progress++;
	if
	:: hit()
	:: skip
	fi;
	uncount_range()
}

/* --- waiting -------------------------------------------------------------- */

inline look()
{
	if
	:: removes ->
		atomic {
			lock(LOCK);
			done = (memory[SEQ] != sample);
			unlock(LOCK)
		}
	:: else ->
		done = (memory[SEQ] != sample)
	fi
}

inline queue_oneself()
{
	atomic {
		lock(WQ_LOCK);
		store(QUEUED + w, 1)
	}
	atomic {
#ifndef MUT_NO_WAITER_BARRIER
		smp_mb();
#endif
		unlock(WQ_LOCK)
	}
}

/* The kernel's doesn't take the lock if the task was woken, which is no different. */
inline finish_wait()
{
	atomic {
		lock(WQ_LOCK);
		store(QUEUED + w, 0);
		unlock(WQ_LOCK)
	}
}

inline schedule()
{
	is_empty && !memory[QUEUED + w]
}

inline wait_event()
{
	look();
	do
	:: done ->
		break
	:: else ->
		queue_oneself();
#ifndef MUT_NO_SECOND_LOOK
		look();
#endif
		if
		:: done ->
			finish_wait()
		:: else ->
			schedule();
#ifdef MUT_NO_SECOND_LOOK
			look()
#endif
		fi
	od;
	done = 0
}

/* --- the subscriber ------------------------------------------------------- */

inline insert()
{
	atomic {
		lock(LOCK);
		sample = memory[SEQ];
		store(SEQ, sample | 1)
	}
#ifndef MUT_NO_B
	smp_mb();
#endif
	atomic {
		if
		:: !(sample & 1) && !in_progress ->
			/* thaw(), while nobody can have this number */
			store(SEQ, sample + 2)
		:: else
		fi;
		unlock(LOCK)
	}
}

inline wait_if_frozen()
{
	atomic {
		lock(LOCK);
		sample = memory[SEQ];
		unlock(LOCK)
	}
	if
	:: sample & 1 -> wait_event()
	:: else
	fi;
	sample = 0
}

proctype Subscriber(byte w)
{
	byte sample;
	bit removes, done;

	if
	:: w == NEW -> insert()
	:: else
	fi;
	do
	:: wait_if_frozen();
		if
		:: removes -> break
		:: else -> removes = 1
		fi
	od
}

init
{
	atomic {
		run Memory();
		run Range(RANGE);
		run Range(OTHER_RANGE);
		run Subscriber(NEW);
		run Subscriber(OLD)
	}
}
