/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranges of which nobody is notified, a subscriber that comes to care for them, and
 * the reference of the static key.
 * mm/mmu_notifier_deliver.c, mm/mmu_notifier.c.
 *
 * Two ranges come again and again.  A subscriber is registered, may extend its span to
 * hold them and map a page there, and unregisters; then another one comes.
 *
 * What stands for what:
 *
 *	held		the locks that ranges hold, each one of its own, and that a
 *			registration takes and releases
 *	Range		notify_start(), pass_over(), the page tables change,
 *			__mmu_notifier_invalidate_range_end()
 *	passed		the counters of MMU_NOTIFIER_PASSED: readers.pml has what it
 *			takes to wait for them.  There each counter must have been
 *			0 at some time, here their sum: a range that counts itself
 *			later looks again, and sees what has changed
 *	in_span		mmu_notifier_in_span()
 *	Subscriber	mmu_notifier_register(), mmu_notifier_add_span(), and
 *			unlink_notifier(), sum_up()
 *	Work		disarm_work(), with the last part of the key's own work
 *
 * Claims:
 *
 *	claim_told	when page tables change and the subscriber may have mapped
 *			the page, it has been notified of the start
 *	claim_paired	the subscriber is notified of an end only if it has been of
 *			the start
 *	claim_key	the key is on when a range ends that was passed over, and as
 *			long as there is a subscriber
 *	claim_counted	when a registration returns, every range in progress has been
 *			notified to the subscriber, or counts as passed over
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_ADD_NO_WAIT		claim_told	the span grows, and that is all
 *	MUT_NOT_COUNTED		claim_key	ranges aren't counted
 *	MUT_NO_LOOK_AGAIN	claim_key	a range doesn't look again once it
 *						is counted
 *	MUT_END_BY_SPAN		claim_paired	the end looks at the span, not at
 *						whether the range was passed over
 *	MUT_DISARM_AT_ONCE	claim_key	the key's reference is dropped with
 *						the last subscription
 *	MUT_STAYS_NARROW	claim_key	without a subscription ranges are
 *						still passed over
 *	MUT_DISARM_UNSEEN	claim_key	the work doesn't look whether there is
 *						a subscription
 *	MUT_DISARM_STALE	claim_key	or whether there has been another one
 *						since it began to wait
 *	MUT_KEY_IGNORED		claim_key	the end of a range that was passed over
 *						does nothing when there is no subscription
 *	MUT_NO_PASS		claim_counted	a registration doesn't pass the locks
 *	MUT_PASS_FIRST		claim_counted	it does so before the subscription
 *						appears
 */

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_told, claim_paired, claim_key, claim_counted;
#define CLAIM(name, cond)	assert((cond) || name)

bit held[2];
bit missed[2];		/* ranges that the subscriber doesn't know of, nor any count */
bit registered;
bit in_span = 1;	/* the ranges are in what subscribers care for */
bit armed;		/* the mm has a reference of the key */
byte key;		/* all references */
byte passed;
bit mapped;
bit told[2];		/* ranges that the subscriber has to see the end of */
bit work_queued;
bit registered_since;	/* the serial number is another one than the work saw */

proctype Range(bit l)
{
	bit was_passed;

end:
	do
	:: held[l] = 1;
	   if
	   :: !key ->	/* the hook is a no-op */
		missed[l] = 1
	   :: else ->
		if
		:: in_span
		:: else ->
#ifndef MUT_NOT_COUNTED
			passed++;
#endif
			was_passed = 1;
#ifndef MUT_NO_LOOK_AGAIN
			if
			:: in_span ->
#ifndef MUT_NOT_COUNTED
				passed--;
#endif
				was_passed = 0
			:: else
			fi
#endif
		fi;
		if
		:: !was_passed ->
			d_step {
				if
				:: registered ->
					told[l] = 1; mapped = 0
				:: else ->
					missed[l] = 1
				fi
			}
		:: else
		fi
	   fi;

	   /* the page tables change */
	   CLAIM(claim_told, !mapped || told[l]);

#ifdef MUT_END_BY_SPAN
	   if
	   :: was_passed && !in_span -> passed--
	   :: was_passed && in_span ->
		passed--;
		CLAIM(claim_paired, !registered)
	   :: else
	   fi;
#else
	   if
	   :: was_passed ->
		CLAIM(claim_key, key);
#ifdef MUT_KEY_IGNORED
		if
		:: registered -> passed--
		:: else
		fi
#else
#ifndef MUT_NOT_COUNTED
		passed--
#else
		skip
#endif
#endif
	   :: else
	   fi;
#endif
	   d_step {
		told[l] = 0; missed[l] = 0; was_passed = 0;
		held[l] = 0
	   }
	od
}

proctype Subscriber()
{
end:
	do
	:: key++;
#ifdef MUT_PASS_FIRST
	   !held[0];
	   !held[1];
#endif
	   d_step {
		registered = 1; in_span = 0;
		/* These were told an earlier one. */
		missed[0] = missed[0] || told[0]; told[0] = 0;
		missed[1] = missed[1] || told[1]; told[1] = 0;
		registered_since = 1;
		if
		:: armed -> key--
		:: else -> armed = 1
		fi
	   }
#ifndef MUT_PASS_FIRST
#ifndef MUT_NO_PASS
	   !held[0];
	   !held[1];
#endif
#endif
	   CLAIM(claim_counted, !missed[0] && !missed[1]);

	   if
	   :: in_span = 1;
#ifndef MUT_ADD_NO_WAIT
		passed == 0;
#endif
		/* its own protocol has it wait for ranges that it was told of */
		if
		:: d_step { !told[0] && !told[1] -> mapped = 1 }
		:: skip
		fi
	   :: skip
	   fi;

	   CLAIM(claim_key, key);
	   d_step {
		mapped = 0;
		registered = 0;
#ifdef MUT_STAYS_NARROW
		in_span = 0;
#else
		in_span = 1;
#endif
#ifdef MUT_DISARM_AT_ONCE
		armed = 0; key--
#else
		work_queued = 1
#endif
	   }
	od
}

proctype Work()
{
end:
	do
	:: atomic { work_queued; work_queued = 0 }
	   /* one that is registered now is as good as one that comes later */
	   registered_since = registered;
	   passed == 0;
	   d_step {
		if
#if defined(MUT_DISARM_UNSEEN)
		:: armed -> armed = 0; key--
#elif defined(MUT_DISARM_STALE)
		:: armed && !registered -> armed = 0; key--
#else
		:: armed && !registered && !registered_since -> armed = 0; key--
#endif
		:: else
		fi
	   }
	od
}

init
{
	atomic {
		run Range(0);
		run Range(1);
		run Subscriber();
		run Work()
	}
}
