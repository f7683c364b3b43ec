/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interval subscriptions: readers, insertion and removal against ranges that
 * overlap.  mm/mmu_interval_notifier.c.
 *
 * Two ranges, one of which comes twice, hit any of two subscriptions, and may
 * fail, as if they may not block.  The owner of the one subscription inserts it,
 * tries to look up and map its page up to twice, removes and frees it.  The other
 * subscription is there all the time, so that the tree can be frozen on its
 * account, and so that all ranges are counted: interval_open.pml has the first
 * subscription and the last.
 *
 * What stands for what:
 *
 *	Range		mmu_intervals_start(), the page tables change,
 *			mmu_intervals_end()
 *	count_range	count_range(), and the look at what is spanned in
 *			first_hit()
 *	find_hits	the rest of first_hit()
 *	invalidate_mine	a subscriber's ->invalidate()
 *	intervals_end	uncount_range(), after_last_range(), thaw(), wake_up_all()
 *	insert		attach_to_open(), attach_interval()
 *	remove		mmu_interval_notifier_remove(), remove_or_defer(),
 *			has_thawed()
 *	read_begin	mmu_interval_read_begin(), have_ended()
 *	Owner		an attempt to map a page: mmu_interval_read_begin(), the
 *			lookup, mmu_interval_read_retry(), the translation
 *	wait_event	wait_event(): queue, look again, sleep; wake.pml has its
 *			barriers
 *
 * What is under mmu_notifier_subscriptions::lock is one atomic step, except
 * for what others see half done because they look without the lock: thaw(), and an
 * insertion.  What the full barriers keep in order is here done in that order, and
 * some mutants do it in another one.
 *
 * Nothing orders the lookup against the sampling of the number: it may come
 * first, though not before the lock is taken.  But if there was anything to wait
 * for it comes after the wait, that is, after the load of intervals->seq that
 * ends it, which is what its smp_load_acquire() is for.
 *
 * Claims:
 *
 *	claim_fresh	what is mapped is what the page tables say, and no range
 *			that covers it is between start and end
 *	claim_survives	when page tables change nothing of the range is mapped
 *	claim_gone	when remove has returned the callback does not run, and
 *			nothing touches the subscription
 *	claim_tree	the tree doesn't change while it is walked
 *	claim_deadlock	nothing waits for ever, no wake-up is lost
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_NO_SET_SEQ		claim_survives	->invalidate() stores no number
 *	MUT_NO_WAIT		claim_survives	read_begin doesn't wait
 *	MUT_LOOKUP_BEFORE_WAIT	claim_fresh	the lookup comes before the wait
 *						has ended
 *	MUT_RETRY_UNLOCKED	claim_survives	read_retry before the lock is
 *						taken
 *	MUT_THAW_EARLY		claim_survives	any range that ends thaws
 *	MUT_DEFERRED_UNHIT	claim_survives	an insertion into a frozen tree
 *						doesn't count as hit
 *	MUT_INSERTED_UNHIT	claim_survives	nor one with a range in progress
 *						that hit nothing
 *	MUT_COUNT_HITS		claim_survives	only ranges that hit are counted
 *	MUT_LOOK_FIRST		claim_survives	a range looks at what is spanned
 *						before it is counted
 *	MUT_SPAN_LATE		claim_survives	an insertion looks at the count
 *						before it widens the span
 *	MUT_FREEZE_LATE		claim_deadlock	or before it freezes the tree
 *	MUT_THAW_UNCHECKED	claim_tree	the last range doesn't look again,
 *						under the lock, at the count
 *	MUT_INSERT_AT_ONCE	claim_tree	insertions are not deferred
 *	MUT_REMOVE_AT_ONCE	claim_tree	removals are not deferred
 *	MUT_REMOVE_NO_WAIT	claim_gone	deferred, but not waited for
 *	MUT_THAW_PEEKED		claim_gone	remove looks without the lock
 *	MUT_NO_WAKE		claim_deadlock	thawed, but none is woken
 *	MUT_WAKE_FIRST		claim_deadlock	woken, then thawed
 *	MUT_NO_SECOND_LOOK	claim_deadlock	waits without checking again
 *	MUT_FAILED_COUNTS	claim_deadlock	a range that fails stays counted
 */

/* The subscriptions */
#define MINE		0
#define OTHER		1
#define BIT(n)		(1 << (n))

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_fresh, claim_survives, claim_gone, claim_tree;
#define CLAIM(name, cond)	assert((cond) || name)

/* struct mmu_notifier_intervals, and the lock */
bit lock;
byte seq = 2;
byte in_progress;
byte tree = BIT(OTHER);
byte spanned = BIT(OTHER);
bit deferred;		/* MINE is in that list */
bit asleep;

#define is_frozen	(seq & 1)
#define in_tree		(tree & BIT(MINE))

/* MINE, and its owner's lock */
byte invalidate_seq;
bit freed = 1;
byte in_callback;
bit user_lock;
bit spte;

bit stale;		/* page tables have changed since the lookup */
byte walkers;		/* ranges that read the tree without the lock */
byte covering;		/* ranges that hit MINE, between start and end */

inline change_tree(new)
{
	CLAIM(claim_tree, !walkers);
	tree = new
}

/* --- waiting -------------------------------------------------------------- */

/* The condition is looked at when @can_look allows. */
inline wait_event(can_look, cond)
{
	atomic { can_look -> done = (cond) }
	do
	:: done ->
		done = 0;
		break
	:: else ->
		asleep = 1;
#ifndef MUT_NO_SECOND_LOOK
		atomic { can_look -> done = (cond) }
#else
		done = 1;
#endif
		if
#ifndef MUT_NO_SECOND_LOOK
		:: done -> asleep = 0
#endif
		:: !asleep
		fi
	od
}

inline wake_up_all()
{
	asleep = 0
}

/* --- the range ------------------------------------------------------------ */

inline look_at_span()
{
	inside = ((covers & spanned) != 0)
}

inline count()
{
	counted = 1;
	in_progress++
}

inline count_range()
{
#ifdef MUT_LOOK_FIRST
	look_at_span();
	count()
#else
#ifndef MUT_COUNT_HITS
	count();
#endif
	look_at_span()
#endif
}

inline find_hits()
{
	atomic {
		!lock ->
		hit = tree & covers;
#ifdef MUT_COUNT_HITS
		counted = (hit != 0);
		in_progress = in_progress + counted;
#endif
		if
		:: hit -> seq = seq | 1; walkers++
		:: else
		fi;
		cur_seq = seq
	}
}

inline store_seq()
{
#ifndef MUT_NO_SET_SEQ
	invalidate_seq = cur_seq
#else
	skip
#endif
}

/* Any range may be non-blockable. */
inline invalidate_mine()
{
	d_step {
		CLAIM(claim_gone, !freed);
		in_callback++
	}
	if
	:: atomic { !user_lock -> user_lock = 1; store_seq() }
		d_step {
			spte = 0;
			user_lock = 0
		}
	:: user_lock ->
		failed = 1
	fi;
	d_step {
		CLAIM(claim_gone, !freed);
		in_callback--
	}
}

inline thaw()
{
	seq++;
	atomic {
		if
		:: deferred ->
			CLAIM(claim_gone, !freed);
			deferred = 0;
			change_tree(tree ^ BIT(MINE))
		:: else
		fi;
		spanned = tree;
		lock = 0
	}
}

#ifdef MUT_THAW_EARLY
#define is_last		true
#define must_thaw	(is_frozen && !walkers)
#else
#define is_last		!in_progress
#ifdef MUT_THAW_UNCHECKED
#define must_thaw	is_frozen
#else
#define must_thaw	(is_frozen && !in_progress)
#endif
#endif

inline after_last_range()
{
	atomic {
		!lock ->
		thawing = must_thaw;
		lock = thawing
	}
	if
	:: thawing ->
#ifdef MUT_WAKE_FIRST
		wake_up_all();
#endif
		thaw();
#ifndef MUT_NO_WAKE
#ifndef MUT_WAKE_FIRST
		wake_up_all()
#endif
#endif
	:: else
	fi
}

inline intervals_end()
{
	d_step {
		covering = covering - covers_mine;
		covers_mine = 0;
		in_progress = in_progress - counted;
		thawing = counted && is_last
	}
	if
	:: thawing && is_frozen -> after_last_range()
	:: else
	fi
}

proctype Range(byte times)
{
	byte i, covers, hit, cur_seq;
	bit failed, inside, counted, covers_mine, thawing;

	for (i : 1 .. times) {
		if
		:: covers = 0
		:: covers = BIT(MINE)
		:: covers = BIT(OTHER)
		:: covers = BIT(MINE) | BIT(OTHER)
		fi;
		count_range();
		if
		:: inside -> find_hits()
		:: else
		fi;
		if
		:: hit ->
			if
			:: tree & covers & BIT(MINE) -> invalidate_mine()
			:: else
			fi;
			atomic {
				if
				:: tree & covers & BIT(OTHER) -> failed = 1
				:: skip
				fi;
				walkers--
			}
		:: else
		fi;

		if
		:: !failed && (covers & BIT(MINE)) ->
			d_step {
				covers_mine = 1;
				covering++
			}
			d_step {
				CLAIM(claim_survives, !spte);
				stale = 1
			}
		:: else
		fi;
#ifdef MUT_FAILED_COUNTS
		if
		:: !failed -> intervals_end()
		:: else
		fi;
#else
		intervals_end();
#endif
		d_step {
			covers = 0;
			hit = 0;
			cur_seq = 0;
			failed = 0;
			inside = 0;
			counted = 0;
			thawing = 0
		}
	}
}

/* --- the subscriber ------------------------------------------------------- */

inline widen_span()
{
	spanned = spanned | BIT(MINE)
}

inline insert_and_freeze()
{
	d_step {
		if
#ifndef MUT_INSERT_AT_ONCE
		:: was_frozen -> deferred = 1
#endif
		:: else -> change_tree(tree | BIT(MINE))
		fi;
		seq = seq | 1;
#ifdef MUT_DEFERRED_UNHIT
		invalidate_seq = (was_frozen -> seq - 2 : seq)
#else
		invalidate_seq = seq
#endif
	}
}

#ifdef MUT_INSERTED_UNHIT
#define look_at_count()	any = 0
#else
#define look_at_count()	any = (in_progress != 0)
#endif

inline insert()
{
	atomic {
		!lock ->
		lock = 1;
		freed = 0;
		was_frozen = is_frozen
	}
#ifdef MUT_SPAN_LATE
	insert_and_freeze();
	look_at_count();
	widen_span();
#else
	widen_span();
#ifdef MUT_FREEZE_LATE
	look_at_count();
	insert_and_freeze();
#else
	insert_and_freeze();
	look_at_count();
#endif
#endif
	if
	:: was_frozen || any -> lock = 0
	:: else ->
		/* thaw(), with nothing deferred */
		seq++;
		lock = 0
	fi;
	d_step {
		was_frozen = 0;
		any = 0
	}
}

#ifdef MUT_THAW_PEEKED
#define may_peek	true
#else
#define may_peek	!lock
#endif

inline remove()
{
	atomic {
		!lock ->
		frozen_seq = 0;
		if
#ifdef MUT_REMOVE_AT_ONCE
		:: in_tree ->
#else
		:: !is_frozen ->
#endif
			change_tree(tree & ~BIT(MINE));
			spanned = tree
		:: else ->
			if
			:: !in_tree ->
				deferred = 0
			:: else ->
				deferred = 1;
				frozen_seq = seq
			fi
		fi
	}
#ifndef MUT_REMOVE_NO_WAIT
	if
	:: frozen_seq -> wait_event(may_peek, seq != frozen_seq)
	:: else
	fi;
#endif
	atomic {
		CLAIM(claim_gone, !in_callback);
		freed = 1
	}
}

inline lookup()
{
	stale = 0;
	looked_up = 1
}

inline sample_seq()
{
	sample = invalidate_seq;
	being_hit = (sample == seq)
}

inline read_begin()
{
	if
	:: atomic { !lock -> lock = 1; lookup() }
		atomic { sample_seq(); lock = 0 }
	:: atomic { !lock -> sample_seq() }
	fi;
#ifndef MUT_NO_WAIT
	if
	:: being_hit ->
#ifndef MUT_LOOKUP_BEFORE_WAIT
		looked_up = 0;
#endif
		wait_event(true, seq != sample)
	:: else
	fi
#endif
}

inline try_to_map()
{
	read_begin();
	if
	:: looked_up
	:: else -> lookup()
	fi;
#ifdef MUT_RETRY_UNLOCKED
	retry = (invalidate_seq != sample);
	atomic { !user_lock -> user_lock = 1 }
#else
	atomic { !user_lock -> user_lock = 1 }
	retry = (invalidate_seq != sample);
#endif
	if
	:: retry
	:: else ->
		d_step {
			CLAIM(claim_fresh, !stale && !covering);
			spte = 1
		}
	fi;
	user_lock = 0
}

inline unmap()
{
	atomic { !user_lock -> spte = 0 }
}

proctype Owner()
{
	byte i, sample, frozen_seq;
	bit being_hit, looked_up, retry, done, was_frozen, any;

	insert();
	for (i : 1 .. 2) {
		if
		:: try_to_map()
		:: break
		fi;
		d_step {
			sample = 0;
			being_hit = 0;
			looked_up = 0;
			retry = 0
		}
	}
	unmap();
	remove()
}

init
{
	atomic {
		run Range(2);
		run Range(1);
		run Owner()
	}
}
