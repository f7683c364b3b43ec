/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interval subscriptions: when ranges are counted.
 * mm/mmu_interval_notifier.c, mm/mmu_notifier.c.
 *
 * Two ranges come again and again, cover one subscription or not, and may fail.
 * The owner of that subscription inserts it, tries any number of times to look up
 * and map its page, removes it, and begins again.  Others insert and remove an
 * interval subscription that no range covers, or register and unregister a struct
 * mmu_notifier.  When there is no subscription the mm may die, and a new one
 * takes its place.
 *
 * What stands for what:
 *
 *	held		the locks that ranges hold: each has one from before its
 *			start until after its end.  They are two; if they were one,
 *			an insertion could do less meanwhile
 *	mmap_lock	mmap_lock for writing
 *	passes		the locks that mm_pass_all_locks() still waits for
 *	Range		mmu_notifier_invalidate_range_start(), the page tables
 *			change, mmu_notifier_invalidate_range_end()
 *	count_range	count_range()
 *	invalidate_mine	a subscriber's ->invalidate()
 *	find_hits	first_hit(); what is spanned is in interval.pml
 *	intervals_end	mmu_intervals_end(), uncount_range(), after_last_range(),
 *			thaw()
 *	counted		MMU_NOTIFIER_RANGE_COUNTED
 *	close_if_due	close_if_due()
 *	disarm_if_unused mmu_notifier_disarm_if_unused()
 *	Work		close_work(), which may come at any time once it is
 *			queued
 *	insert		attach_to_open(), attach_interval(), and for an mm
 *			that is closed mmu_notifier_subscribe(), attach_locked() and
 *			complete_insertion()
 *	remove		mmu_interval_notifier_remove(), remove_or_defer()
 *	register	mmu_notifier_register(), without what it waits for: see
 *			register.pml
 *	unregister	unlink_notifier()
 *	Destroy		subscriptions_destroy_work()
 *
 * What is under mmu_notifier_subscriptions::lock is one atomic step, but for
 * close_if_due(), whose order against ranges matters.  interval.pml
 * has the sequence number.  Here there is is_hit, which says that a subscription
 * carries the current one, and has_changed, which says that it carries another one
 * than when its reader sampled it.
 *
 * The static key goes off with its last reference, though the kernel waits a
 * while.  Insertions that fail are in register.pml.
 *
 * Claims:
 *
 *	claim_fresh	what is mapped is what the page tables say, and no range
 *			that covers it is between start and end
 *	claim_survives	when page tables change nothing of the range is mapped
 *	claim_heard	when page tables change and a struct mmu_notifier is
 *			registered, the key is on
 *	claim_counted	when an insertion returns, every range in progress is counted;
 *			until then the tree is frozen, so that what has appeared can't
 *			be read; and when a range ends that isn't counted, the mm is
 *			closed or opening
 *	claim_closed	in_progress is the number of ranges that were counted and
 *			have not ended, and of insertions that open the mm, so none is
 *			waited for that will not end; there is none in an mm that is
 *			closed for good; and the tree is thawed when an mm opens
 *	claim_balance	the mm has one reference of the key while it is open,
 *			closing or has a struct mmu_notifier, and none otherwise;
 *			and it isn't closing when no range is in progress
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_CLOSE_USED		claim_counted	the work doesn't look whether
 *						there is a subscription
 *	MUT_CLOSING_STAYS	claim_counted	an insertion doesn't call off the
 *						closing
 *	MUT_COUNT_CLOSED	claim_closed	a start doesn't look again, when it
 *						is counted, whether the mm is open
 *	MUT_CLOSE_UNCHECKED	claim_closed	closing doesn't look at the count
 *						again when the mm isn't open
 *	MUT_CLOSE_PEEKED	claim_balance	the work looks at the count before it
 *						says that the mm is closing
 *	MUT_DISARM_CLOSING	claim_closed	the key may go with the last struct
 *						mmu_notifier while the mm closes
 *	MUT_ATTACH_PEEKED	claim_counted	nor does an insertion
 *	MUT_NO_PASS		claim_counted	an insertion opens the mm and doesn't
 *						pass the locks
 *	MUT_PASS_FIRST		claim_counted	it does so before
 *	MUT_SECOND_EARLY	claim_counted	another one doesn't wait for that
 *	MUT_OPENER_UNCOUNTED	claim_counted	one that opens the mm isn't counted
 *	MUT_CLOSE_FROZEN	claim_closed	a frozen mm closes
 *	MUT_INSERTED_UNHIT	claim_fresh	an insertion with a range in
 *						progress doesn't count as hit
 *	MUT_HITS_FIRST		claim_survives	a range looks for what it hits before
 *						it is counted
 *	MUT_DISARM_AT_ONCE	claim_balance	the reference of the key is
 *						dropped with the last interval
 *						subscription
 *	MUT_DISARM_OPEN		claim_counted	or with the last struct
 *						mmu_notifier, though open
 *	MUT_DISARM_LISTED	claim_heard	or when the mm closes, though
 *						there is a struct mmu_notifier
 *	MUT_STAYS_ARMED		claim_counted	it is dropped twice
 *	MUT_KEEP_BOTH		claim_balance	a reference is taken by each, and
 *						one dropped for all
 *
 * Ranges and whoever changes the tree look at each other's doings without the lock;
 * interval.pml says how.
 */

/* The interval subscriptions */
#define MINE		0
#define OTHER		1
#define NR_SUBS		2

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_fresh, claim_survives, claim_counted, claim_closed;
hidden byte claim_heard, claim_balance;
#define CLAIM(name, cond)	assert((cond) || name)

bit held[2];
bit mmap_lock;
bit passes[2];		/* whoever has mmap_lock waits for that lock */

byte key;		/* references of the static key */
byte pins;		/* references of the mm */

/* struct mmu_notifier_subscriptions */
bit armed;
bit listed;		/* a struct mmu_notifier is in the list */

/* struct mmu_notifier_intervals */
bit lock;		/* held for more than one step */
bit open, opening, closing, frozen;
byte nr, in_progress;
bit in_tree[NR_SUBS], deferred[NR_SUBS];
bit work_queued;

bit is_hit[NR_SUBS];

/* Of MINE */
bit has_changed;
bit reader_waits;
bit spte;
bit stale;		/* page tables have changed since the lookup */

byte counted_ranges;	/* that have not come to mmu_intervals_end() */
byte unsure;		/* counted, but they haven't looked at open again */
bit opener;		/* counted, on behalf of ranges that aren't */
byte missed;		/* ranges that have looked and aren't counted */
byte covering;		/* the range that covers MINE is between start and end */

/* --- the static key ------------------------------------------------------- */

inline disarm_if_unused()
{
	if
#ifdef MUT_DISARM_OPEN
	:: armed && !listed ->
#else
#ifdef MUT_DISARM_LISTED
	:: armed && !open && !closing ->
#else
#ifdef MUT_DISARM_CLOSING
	:: armed && !listed && !open ->
#else
	:: armed && !listed && !open && !closing ->
#endif
#endif
#endif
#ifndef MUT_STAYS_ARMED
		armed = 0;
#endif
		key--
	:: else
	fi
}

/* --- the range ------------------------------------------------------------ */

inline check_closed()
{
	CLAIM(claim_closed, in_progress == counted_ranges + unsure + opener);
	CLAIM(claim_closed, open || closing || !counted_ranges)
}

inline invalidate_mine()
{
	has_changed = has_changed || !is_hit[MINE];
	is_hit[MINE] = 1;
	spte = 0
}

/* The lock is held; at the end it is released. */
inline close_if_due(idle)
{
	if
#ifdef MUT_CLOSE_FROZEN
	:: closing && (idle) ->
#else
	:: closing && (idle) && !frozen ->
#endif
		open = 0;
		d_step {
			if
#ifdef MUT_CLOSE_UNCHECKED
			:: true ->
#else
			:: !in_progress ->
#endif
				closing = 0;
				disarm_if_unused()
#ifndef MUT_CLOSE_UNCHECKED
			:: else
#endif
			fi;
			check_closed();
			lock = 0
		}
	:: else ->
		lock = 0
	fi
}

inline thaw_one(s)
{
	is_hit[s] = 0;
	in_tree[s] = in_tree[s] ^ deferred[s];
	deferred[s] = 0
}

inline thaw_if_last()
{
	if
	:: !in_progress && frozen ->
		frozen = 0;
		reader_waits = 0;
		thaw_one(MINE);
		thaw_one(OTHER)
	:: else
	fi
}

inline after_last_range()
{
	atomic {
		!lock ->
		lock = 1;
		thaw_if_last();
		CLAIM(claim_counted, frozen || !opening)
	}
	close_if_due(!in_progress)
}

/* In the same step as the decrement, and so after it: that is all the barrier does. */
#define must_look	(!in_progress && (frozen || closing))

inline look_after_count()
{
	if
	:: last ->
		last = 0;
		after_last_range()
	:: else
	fi
}

inline count_range()
{
	d_step {
		in_progress++;
		unsure++
	}
	d_step {
		unsure--;
#ifdef MUT_COUNT_CLOSED
		counted = 1;
#else
		counted = open;
#endif
		counted_ranges = counted_ranges + counted;
		in_progress = in_progress - !counted;
		last = !counted && must_look;
		is_missed = !counted;
		missed = missed + is_missed;
		check_closed()
	}
	/* It may have to close, but not to thaw. */
	if
	:: last ->
		last = 0;
		atomic {
			!lock ->
			CLAIM(claim_closed, in_progress || !frozen);
			lock = 1
		}
		close_if_due(!in_progress)
	:: else
	fi
}

inline find_hits()
{
	atomic {
		!lock ->
		hit = covers && in_tree[MINE];
		frozen = frozen || hit
	}
}

inline intervals_end()
{
	d_step {
		CLAIM(claim_counted, counted || !open || opening);
		covering = covering - covers_mine;
		covers_mine = 0;
		counted_ranges = counted_ranges - counted;
		in_progress = in_progress - counted;
		last = counted && must_look;
		counted = 0;
		check_closed()
	}
	look_after_count()
}

#define mm_has_notifiers	(key != 0)

proctype Range(bit l)
{
	bit covers, is_open, counted, hit, last, covers_mine, is_missed;

end:
	do
	:: atomic {
		/* It takes its lock when it looks: earlier, others could do less. */
		held[l] = 1;
		is_open = mm_has_notifiers && open;
		is_missed = !is_open;
		missed = missed + is_missed;
		if
		:: covers = 0
		:: covers = 1
		fi
	   }
		if
		:: is_open ->
			is_open = 0;
#ifdef MUT_HITS_FIRST
			find_hits();
#endif
			count_range()
		:: else
		fi;
#ifndef MUT_HITS_FIRST
		if
		:: counted -> find_hits()
		:: else
		fi;
#endif
		if
		:: hit ->
			d_step { invalidate_mine(); hit = 0 }
		:: else
		fi;
		if
		:: counted ->
			/* its start fails */
			intervals_end()
		:: atomic {
			CLAIM(claim_heard, !listed || mm_has_notifiers);
			if
			:: covers ->
				covers_mine = 1;
				covering++;
				CLAIM(claim_survives, !spte);
				stale = 1
			:: else
			fi;
			covers = 0
		   }
			if
			:: mm_has_notifiers -> intervals_end()
			:: else ->
				d_step {
					covering = covering - covers_mine;
					covers_mine = 0;
					counted_ranges = counted_ranges - counted;
					counted = 0;
					check_closed()
				}
			fi
		fi;
		d_step {
			held[l] = 0;
			passes[l] = 0;
			missed = missed - is_missed;
			is_missed = 0;
			covers = 0
		}
	od
}

proctype Work()
{
	bit idle;

end:
	do
	:: atomic {
		work_queued && !lock ->
		work_queued = 0;
		lock = 1
	   }
#ifdef MUT_CLOSE_PEEKED
		idle = !in_progress;
#endif
		d_step {
#ifdef MUT_CLOSE_USED
			closing = closing || open;
#else
			closing = closing || (open && !nr);
#endif
#ifndef MUT_CLOSE_PEEKED
			idle = !in_progress
#endif
		}
		close_if_due(idle)
	od
}

/* --- subscribers ---------------------------------------------------------- */

inline attach_interval(s)
{
	nr++;
#ifndef MUT_CLOSING_STAYS
	closing = 0;
#endif
	open = 1;
	deferred[s] = frozen;
	in_tree[s] = !frozen;
	frozen = frozen || in_progress;
	CLAIM(claim_counted, frozen || !missed)
#ifndef MUT_INSERTED_UNHIT
	is_hit[s] = frozen;
#else
	is_hit[s] = deferred[s];
#endif
}

/* The first lines of it, for a subscription that may open the mm */
inline open_if_closed()
{
	if
	:: !open ->
		CLAIM(claim_closed, !frozen);
		opens = 1;
		opening = 1;
#ifndef MUT_OPENER_UNCOUNTED
		opener = 1;
		in_progress++
#endif
	:: else
	fi
}

inline arm()
{
	CLAIM(claim_balance, key <= 2);
	key++
}

/* Each is taken and released at once: it has not been held at some moment since. */
inline begin_to_pass()
{
	passes[0] = held[0];
	passes[1] = held[1]
}

#define have_passed	(!passes[0] && !passes[1])

inline complete_insertion()
{
	if
	:: opens ->
#ifndef MUT_OPENER_UNCOUNTED
		d_step {
			opener = 0;
			in_progress--;
			last = must_look;
			check_closed()
		}
		/* It may have to thaw, but not to close. */
		if
		:: last ->
			last = 0;
			atomic {
				!lock ->
				thaw_if_last();
				CLAIM(claim_counted, frozen || !opening);
				CLAIM(claim_closed, !closing || nr)
			}
		:: else
		fi
#else
		skip
#endif
	:: else
	fi
}

/* The mm has the reference now. */
inline take_reference()
{
	was_armed = armed;
	armed = 1
}

/* Unless it had one. */
inline disarm_if_both()
{
	if
#ifndef MUT_KEEP_BOTH
	:: was_armed -> key--
#endif
	:: else
	fi;
	was_armed = 0
}

inline insert(s)
{
#ifdef MUT_ATTACH_PEEKED
	is_open = open && !opening;
#endif
	atomic {
		!lock;
#ifndef MUT_ATTACH_PEEKED
#ifdef MUT_SECOND_EARLY
		is_open = open;
#else
		is_open = open && !opening;
#endif
#endif
		if
		:: is_open ->
			attach_interval(s);
			check_closed()
		:: else
		fi
	}
	if
	:: is_open
	:: else ->
#ifdef MUT_PASS_FIRST
		atomic { !mmap_lock -> mmap_lock = 1; begin_to_pass() };
		have_passed;
		mmap_lock = 0;
#endif
		atomic {
			!mmap_lock && !lock ->
			mmap_lock = 1;
			arm();
			take_reference();
			open_if_closed();
			attach_interval(s);
			check_closed();
#ifndef MUT_PASS_FIRST
#ifndef MUT_NO_PASS
			begin_to_pass()
#endif
#endif
		}
		atomic { have_passed && !lock -> opening = 0 };
		complete_insertion();
		d_step {
			mmap_lock = 0;
			opens = 0;
			disarm_if_both()
		}
	fi;
	is_open = 0;
	CLAIM(claim_counted, !missed)
}

inline remove(s)
{
	atomic {
		!lock;
		if
		:: !frozen -> in_tree[s] = 0
		:: frozen && !in_tree[s] -> deferred[s] = 0
		:: frozen && in_tree[s] -> deferred[s] = 1
		fi;
		nr--;
		if
		:: !nr -> work_queued = 1;
#ifdef MUT_DISARM_AT_ONCE
			armed = 0;
			key--
#endif
		:: else
		fi
	}
	!deferred[s]
}

inline try_to_map()
{
	d_step {
		has_changed = 0;
		reader_waits = is_hit[MINE]
	}
	!reader_waits;
	stale = 0;
	d_step {
		if
		:: has_changed
		:: else ->
			CLAIM(claim_fresh, !stale && !covering);
			spte = 1
		fi
	}
}

proctype Owner()
{
	bit is_open, was_armed, opens, last;

end:
	do
	:: pins++;
		insert(MINE);
		do
		:: try_to_map()
		:: break
		od;
		spte = 0;
		remove(MINE);
		d_step {
			is_hit[MINE] = 0;
			has_changed = 0;
			stale = 0;
			pins--
		}
	od
}

inline register()
{
	atomic {
		!mmap_lock && !lock ->
		arm();
		take_reference();
		listed = 1;
		disarm_if_both()
	}
}

inline unregister()
{
	atomic {
		!lock;
		listed = 0;
		disarm_if_unused()
	}
}

proctype Other()
{
	bit is_open, was_armed, opens, last;

end:
	do
	:: pins++;
		if
		:: insert(OTHER);
			remove(OTHER)
		:: register();
			unregister()
		fi;
		d_step {
			is_hit[OTHER] = 0;
			pins--
		}
	od
}

proctype Destroy()
{
end:
	do
	:: atomic {
		!pins && !held[0] && !held[1] && !lock ->
		CLAIM(claim_balance, key == open && !closing);
		if
		:: armed ->
			armed = 0;
			key--
		:: else
		fi;
		CLAIM(claim_balance, !key);
		check_closed();
		open = 0;
		closing = 0;
		work_queued = 0
	   }
	od
}

init
{
	atomic {
		run Destroy();
		run Work();
		run Range(0);
		run Range(1);
		run Other();
		run Owner()
	}
}
