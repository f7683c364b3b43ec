/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a subscription: unregister, put and exit against each other and
 * against callbacks.  mm/mmu_notifier.c.
 *
 * Subscription A is unregistered while B is put, its module is unloaded, the
 * last user of the mm exits, and reclaim, which needs no user of the mm, goes on
 * invalidating through the reverse map.  All the while both secondary MMUs set
 * up translations whenever they may.  The list begins in either order.
 *
 * What stands for what:
 *
 *	Unregister	mmu_notifier_unregister()
 *	Put		mmu_notifier_put(), free_after_callbacks(), then
 *			mmu_notifier_synchronize()
 *	Work		free_puts_work(), free_after_put()
 *	Exit		exit_mmap(): __mmu_notifier_release(), unmapping and
 *			freeing, unlinking from the reverse map; mmdrop()
 *	Reclaim		a range of try_to_unmap(): list_start(), the page is
 *			freed, list_end(); and the page comes back; or a test of
 *			accessed bits, clear_young(), which walks the list under RCU
 *	Fault		both secondary MMUs, as their contract has it: nothing
 *			is set up during a range or when release() has begun
 *	Destroy		subscriptions_destroy_work()
 *	call_release	call_release(); release() itself is two steps: set up
 *			nothing more, and drop what there is
 *
 * What is under mmu_notifier_subscriptions::lock is one atomic step.  There
 * is the set of readers and, for each that waits, the readers it still waits for;
 * readers.pml has how.  RCU is the same with its only reader; rcu_walk.pml has when it is
 * waited for.
 * exit_mmap() delivers ranges too, but then no subscriber is left to be notified,
 * and the claim is that nothing is mapped any more.
 *
 * Claims:
 *
 *	claim_once	release() is called at most once, for A exactly once
 *	claim_released	pages are freed by exit_mmap() after every release()
 *			has returned
 *	claim_unmapped	no page is freed that a secondary MMU maps
 *	claim_quiet	no callback runs, and nobody looks at the subscription,
 *			once unregister has returned, or free_notifier() has been
 *			called; free_notifier() is not
 *			running once mmu_notifier_synchronize() has returned
 *	claim_alive	struct mmu_notifier_subscriptions is not used once it
 *			is freed, and its list is empty then
 *	claim_deadlock	nothing waits for ever
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_NO_RELEASED_FLAG	claim_once	->released is not checked
 *	MUT_UNLINK_FIRST	claim_unmapped	out of the list before release()
 *	MUT_NO_WAIT_FOR_EXIT	claim_unmapped	unregister unlinks while
 *						exit_mmap() is in release()
 *	MUT_RELEASE_NO_READER	claim_released	unregister calls release()
 *						outside of a read section
 *	MUT_NO_SYNC_EXIT	claim_released	exit_mmap() doesn't wait
 *	MUT_NO_SYNC_UNREGISTER	claim_quiet	unregister doesn't wait for
 *						callbacks
 *	MUT_NO_RCU_UNREGISTER	claim_quiet	nor for those who test accessed bits
 *	MUT_PUT_NO_WAIT		claim_quiet	put frees at once
 *	MUT_PUT_NO_RCU		claim_quiet	or while accessed bits are tested
 *	MUT_UP_BEFORE_FREE	claim_quiet	mmu_notifier_synchronize() is
 *						woken before free_notifier()
 *	MUT_SYNC_MM_ONLY	claim_quiet	it waits for callbacks, not for
 *						free_notifier()
 *	MUT_DROP_BEFORE_SYNC	claim_alive	unregister drops the mm, then
 *						waits
 *	MUT_NO_BARRIER		claim_alive	destroyed without flush_work()
 *	MUT_UNDELIVERED		claim_unmapped	reclaim notifies none
 *	MUT_EXIT_TOO_LATE	claim_released	exit_mmap() frees, then calls
 *						release()
 *	MUT_SYNC_IN_READER	claim_deadlock	unregister waits for its own
 *						read section
 */

#define A	0
#define B	1
#define NONE	2
#define BIT(n)	(1 << (n))

/* Who may be in a read section or wait for those who are */
#define EXIT		0
#define UNREGISTER	1
#define RECLAIM		2
#define WORK		3
#define PUT		4

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_once, claim_released, claim_unmapped, claim_quiet, claim_alive;
#define CLAIM(name, cond)	assert((cond) || name)

/* The mm */
bit rmap_lock;
bit in_rmap = 1;
bit mapped = 1;		/* the page that reclaim is after */
bit exiting;		/* the last user is gone */
byte mm_count = 3;	/* of the users, of A, of B */

/* struct mmu_notifier_subscriptions */
bit freed;
byte head;
byte next[2];
bit linked[2] = 1;
bit released[2];

byte walkers;
byte waits[5];
bit rcu_walker;
bit rcu_waits[2];	/* of A's unregister, and of the work for B */
bit callback_queued, callback_running;
bit puts_readers;	/* of mmu_notifier_puts */

/* The subscribers */
byte in_callback[2];
bit gone[2];		/* the caller may free the subscription */
bit unloaded;		/* the code of B's callbacks */
bit dead[2];
bit spte[2];
byte in_range[2];
byte release_calls[2];
bit release_returned[2];

inline use_subscriptions()
{
	CLAIM(claim_alive, !freed)
}

inline walk_begin(who)
{
	d_step {
		use_subscriptions();
		walkers = walkers | BIT(who)
	}
}

inline walk_end(who)
{
	d_step {
		use_subscriptions();
		walkers = walkers & ~BIT(who);
		waits[EXIT] = waits[EXIT] & ~BIT(who);
		waits[UNREGISTER] = waits[UNREGISTER] & ~BIT(who);
		waits[WORK] = waits[WORK] & ~BIT(who);
		waits[PUT] = waits[PUT] & ~BIT(who)
	}
}

inline rcu_read_lock()
{
	d_step {
		use_subscriptions();
		rcu_walker = 1
	}
}

inline rcu_read_unlock()
{
	d_step {
		rcu_walker = 0;
		rcu_waits[A] = 0;
		rcu_waits[B] = 0
	}
}

inline wait_for_readers(who)
{
	d_step {
		use_subscriptions();
		waits[who] = walkers
	}
	waits[who] == 0;
	use_subscriptions()
}

inline callback_begin(s)
{
	d_step {
		CLAIM(claim_quiet, !gone[s] && !(s == B && unloaded));
		in_callback[s]++
	}
}

inline callback_return(s)
{
	d_step {
		CLAIM(claim_quiet, !gone[s] && !(s == B && unloaded));
		in_callback[s]--
	}
}

/* Under the lock.  Who reads the list may be at @s, so next[s] stays. */
inline unlink(s)
{
	d_step {
		use_subscriptions();
		if
		:: !linked[s]
		:: else ->
			if
			:: head == s -> head = next[s]
			:: else -> next[1 - s] = next[s]
			fi;
			linked[s] = 0
		fi
	}
}

inline call_release(s, ours, theirs)
{
	d_step {
		use_subscriptions();
		ours = 0;
		theirs = 0;
		if
		:: linked[s] ->
#ifndef MUT_NO_RELEASED_FLAG
			theirs = released[s];
#endif
			ours = !theirs;
			released[s] = 1
		:: else
		fi
	}
#ifdef MUT_UNLINK_FIRST
	unlink(s);
#endif
	if
	:: ours ->
		callback_begin(s);
		d_step {
			CLAIM(claim_once, !release_calls[s]);
			release_calls[s]++;
			dead[s] = 1
		}
		spte[s] = 0;
		d_step {
			callback_return(s);
			release_returned[s] = 1
		}
	:: else
	fi
}

inline mmdrop()
{
	mm_count--
}

proctype Unregister()
{
	bit ours, theirs;

#ifdef MUT_RELEASE_NO_READER
	call_release(A, ours, theirs);
#else
	walk_begin(UNREGISTER);
	call_release(A, ours, theirs);
#ifdef MUT_SYNC_IN_READER
	wait_for_readers(UNREGISTER);
#endif
	walk_end(UNREGISTER);
#endif

#ifndef MUT_NO_WAIT_FOR_EXIT
	if
	:: theirs -> wait_for_readers(UNREGISTER)
	:: else
	fi;
#endif
	unlink(A);
#ifdef MUT_DROP_BEFORE_SYNC
	mmdrop();
#endif
#ifndef MUT_NO_SYNC_UNREGISTER
	wait_for_readers(UNREGISTER);
#endif
#ifndef MUT_NO_RCU_UNREGISTER
	rcu_waits[A] = rcu_walker;
	!rcu_waits[A];
#endif
#ifndef MUT_DROP_BEFORE_SYNC
	mmdrop();
#endif
	d_step {
		CLAIM(claim_once, release_calls[A] == 1 && release_returned[A]);
		CLAIM(claim_quiet, !in_callback[A]);
		gone[A] = 1
	}
}

proctype Put()
{
	/* What mmu_notifier_put() asks of its caller */
	d_step {
		dead[B] = 1;
		spte[B] = 0
	}

	unlink(B);
	puts_readers = 1;
	d_step {
		use_subscriptions();
#ifndef MUT_PUT_NO_WAIT
		waits[WORK] = walkers;
#ifndef MUT_PUT_NO_RCU
		rcu_waits[B] = rcu_walker;
#endif
#endif
		callback_queued = 1
	}

	/* mmu_notifier_synchronize() */
#ifdef MUT_SYNC_MM_ONLY
	waits[PUT] = walkers;
	waits[PUT] == 0;
#else
	puts_readers == 0;
#endif
	unloaded = 1
}

proctype Work()
{
	atomic {
		callback_queued && !waits[WORK] && !rcu_waits[B] ->
		callback_queued = 0;
		callback_running = 1
	}
#ifdef MUT_UP_BEFORE_FREE
	puts_readers = 0;
#endif
	/* free_notifier() */
	d_step {
		CLAIM(claim_quiet, !in_callback[B] && !unloaded);
		gone[B] = 1
	}
	CLAIM(claim_quiet, !unloaded);
#ifndef MUT_UP_BEFORE_FREE
	puts_readers = 0;
#endif
	mmdrop();
	/* Back in the workqueue's code, which has the work item in there */
	use_subscriptions();
	callback_running = 0
}

inline free_pages()
{
	d_step {
		CLAIM(claim_released, release_returned[A]);
		CLAIM(claim_released, release_calls[B] == release_returned[B]);
		CLAIM(claim_unmapped, !spte[A] && !spte[B]);
		mapped = 0
	}
}

proctype Exit()
{
	byte sub;
	bit ours, theirs;

	exiting = 1;
	use_subscriptions();
#ifdef MUT_EXIT_TOO_LATE
	free_pages();
#endif
	if
	:: head != NONE ->
		walk_begin(EXIT);
		sub = head;
		do
		:: sub == NONE ->
			break
		:: else ->
			call_release(sub, ours, theirs);
			sub = next[sub]
		od;
		walk_end(EXIT);
#ifndef MUT_NO_SYNC_EXIT
		wait_for_readers(EXIT);
#endif
		d_step {
			unlink(A);
			unlink(B)
		}
	:: else
	fi;

#ifndef MUT_EXIT_TOO_LATE
	free_pages();
#endif

	atomic { !rmap_lock -> rmap_lock = 1 }
	in_rmap = 0;
	rmap_lock = 0;
	mmdrop()
}

proctype Reclaim()
{
	byte sub;

end:
	do
	:: atomic { !rmap_lock && in_rmap -> rmap_lock = 1 }
		rcu_read_lock();
		sub = head;
		do
		:: sub == NONE ->
			break
		:: else ->
			CLAIM(claim_quiet, !gone[sub]);
			sub = next[sub]
		od;
		rcu_read_unlock();
		rmap_lock = 0
	:: atomic { !rmap_lock && in_rmap -> rmap_lock = 1 }
#ifndef MUT_UNDELIVERED
		walk_begin(RECLAIM);
		sub = head;
		do
		:: sub == NONE ->
			break
		:: else ->
			callback_begin(sub);
			d_step {
				in_range[sub]++;
				spte[sub] = 0
			}
			callback_return(sub);
			sub = next[sub]
		od;
		walk_end(RECLAIM);
#endif
		if
		:: mapped ->
			d_step {
				CLAIM(claim_unmapped, !spte[A] && !spte[B]);
				mapped = 0
			}
		:: else
		fi;
#ifndef MUT_UNDELIVERED
		walk_begin(RECLAIM);
		sub = head;
		do
		:: sub == NONE ->
			break
		:: else ->
			callback_begin(sub);
			in_range[sub]--;
			callback_return(sub);
			sub = next[sub]
		od;
		walk_end(RECLAIM);
#endif
		rmap_lock = 0
	:: atomic { !in_rmap -> break }
	od
}

/*
 * Without a reference to the mm's users it couldn't look up anything after exit
 * has begun, but it may have looked up before.
 */
#define may_map(s)	(mapped && !dead[s] && !in_range[s] && !spte[s])

proctype Fault()
{
end:
	do
	:: atomic { may_map(A) -> spte[A] = 1 }
	:: atomic { may_map(B) -> spte[B] = 1 }
	:: atomic { !mapped && !exiting -> mapped = 1 }
	od
}

proctype Destroy()
{
	mm_count == 0;
	CLAIM(claim_alive, head == NONE);
#ifndef MUT_NO_BARRIER
	!callback_queued && !callback_running;
#endif
	d_step {
		CLAIM(claim_alive, !walkers);
		freed = 1
	}
}

init
{
	atomic {
		if
		:: head = A; next[A] = B; next[B] = NONE
		:: head = B; next[B] = A; next[A] = NONE
		fi;
		run Unregister();
		run Put();
		run Work();
		run Exit();
		run Reclaim();
		run Fault();
		run Destroy()
	}
}
