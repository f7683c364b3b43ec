/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM: page faults and pfn caches against invalidations, on processors that
 * reorder.  virt/kvm/mmu_notifier.c, virt/kvm/pfncache.c,
 * include/linux/kvm_mmu_notifier.h.
 *
 * Two invalidations, of which the first covers the page in question and the
 * second covers it or another one, against one that maps the page.  That is, as
 * chosen at the start, a fault under mmu_lock, a fault under a lock of the page,
 * or the refresh of a pfn cache.  They never meet each other, so one at a time
 * is all there is to check.  For the pfn cache the second invalidation may also be
 * the end of the address space: then the first may lose its end, and the page
 * goes without one more.  For a fault it may be one by guest frames, which isn't
 * among the ranges of the host.
 *
 * What stands for what:
 *
 *	Invalidation	kvm_mmu_notifier_invalidate_range_start(), the page
 *			tables change, kvm_mmu_notifier_invalidate_range_end();
 *			the other callers of begin and end do part of it
 *	range_began	range_began(), under mn_lock
 *	pfncaches	gfn_to_pfn_cache_invalidate_start(), must_invalidate()
 *	invalidate_begin mmu_invalidate_begin_with(), or kvm_mmu_invalidate_begin()
 *			and ..._range_add(); kvm_unmap_gfn_range() with the flush;
 *			of which none is called for an address that is in no
 *			memslot, as that of the cache is here
 *	range_ended	kvm_mmu_notifier_invalidate_range_end(), where the end
 *			doesn't take mmu_lock: range_ended(), count_ended(),
 *			waitqueue_active(), wake_up_all()
 *	end_by_gfns	kvm_mmu_invalidate_end(), where it was kvm_mmu_invalidate_begin()
 *			that began
 *	LockedFault	kvm_faultin_pfn(), is_page_fault_stale():
 *			mmu_invalidate_sample(), mmu_invalidate_retry_page()
 *	look_closer	kvm_mmu_invalidates_page(), hva_is_covered()
 *	PageFault	a fault that maps under a lock of the page only, which
 *			kvm_unmap_gfn_range() takes as well:
 *			mmu_invalidate_sample(), mmu_invalidate_retry()
 *	Refresh		one turn of the loop in hva_to_pfn_retry()
 *	wait_for_hva	kvm_mmu_notifier_wait_for_hva(), hva_is_covered(); no
 *			signal comes
 *	Release		kvm_mmu_notifier_release(), then exit_mmap()
 *
 * Memory: a store waits in its writer's buffer until the process Memory puts it
 * into memory, in any order.  smp_wmb() and unlocking wait until the buffer is
 * empty; unlocking need not be that strong for the lock's own sake, but here
 * every store that follows does so under another lock, and an unlock followed by
 * a lock orders stores.  smp_load_acquire() comes before all later loads.  Counting is done under a lock, so memory has
 * the value to count from.  Two loads with no smp_rmb() between them come in either
 * order.  A load doesn't pass a lock upwards, nor an unlock downwards.
 *
 * The flags of a cache are used under its lock only, and so have no buffer.  Nor
 * has the wait queue, which has a lock of its own; a task that goes to sleep sets
 * its state, with a full barrier, before it checks again.  But the last check of a
 * task that ends a range may well come before its stores are in memory.
 *
 * Claims:
 *
 *	claim_fresh	what is mapped is what the page tables say, and no
 *			invalidation that covers it is between the return of
 *			start and the call of end
 *	claim_survives	when page tables change the page is not mapped
 *	claim_counted	when all have ended, none is in progress any more
 *	claim_deadlock	no refresh waits for ever, no wake-up is lost
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_END_NO_WMB		claim_fresh	end stores without smp_wmb()
 *	MUT_END_SWAPPED		claim_fresh	the counter first, then the
 *						sequence number
 *	MUT_END_UNLOCKED	claim_counted	the end counts without mn_lock
 *	MUT_RETRY_NO_ACQUIRE	claim_fresh	retry may load the sequence number
 *						before the counter
 *	MUT_SAMPLE_NO_RMB	claim_fresh	nothing between sample and
 *						lookup
 *	MUT_NO_COUNTER		claim_fresh	retry looks at the number only
 *	MUT_NO_SEQUENCE		claim_fresh	and at the counter only
 *	MUT_BEGIN_LATE		claim_survives	zapped first, counted then
 *	MUT_ZAP_PEEKS		claim_survives	the page's lock isn't taken for
 *						a page that isn't mapped
 *	MUT_RANGE_REPLACED	claim_fresh	a second range replaces the
 *						first
 *	MUT_LOOK_UNLOCKED	claim_fresh	a fault looks for ranges without
 *						mn_lock
 *	MUT_NUMBER_FIRST	claim_fresh	it loads the sequence number before
 *						it takes mn_lock
 *	MUT_GFNS_UNSEEN		claim_fresh	it looks for ranges only
 *	MUT_UNSAFE_ONLY		claim_survives	all that is checked is checked
 *						before mmu_lock is taken
 *	MUT_GPC_NO_WAIT		claim_survives	the refresh doesn't wait for
 *						ranges
 *	MUT_GPC_WAIT_FIRST	claim_survives	it waits before it has cleared
 *						->stale
 *	MUT_GPC_LOOKUP_FIRST	claim_fresh	it looks up the pfn before it
 *						waits
 *	MUT_GPC_STALE_UNSEEN	claim_survives	it doesn't look at ->stale
 *	MUT_GPC_STALE_IF_VALID	claim_survives	a range leaves a cache alone that
 *						isn't valid
 *	MUT_GPC_CACHES_FIRST	claim_survives	it comes to the caches before it
 *						is in mn_ranges
 *	MUT_GPC_BYTE		claim_fresh	the wait is not for a range that
 *						covers the page but not ->uhva
 *	MUT_GPC_PEEK_EARLY	claim_deadlock	the end looks for waiters before
 *						it takes mn_lock
 *	MUT_GPC_LOOK_UNLOCKED	claim_deadlock	the refresh looks for ranges
 *						without mn_lock
 *	MUT_GPC_NO_SECOND_LOOK	claim_deadlock	it sleeps without looking again
 *	MUT_EXIT_CACHES_FIRST	claim_survives	the release comes to the caches
 *						before it sets ->released
 *	MUT_EXIT_UNSEEN		claim_survives	the refresh only ends its wait for
 *						->released
 *	MUT_EXIT_NO_WAKE_UP	claim_deadlock	the release wakes nobody
 */

#define PAGE		0	/* the gfn in question */
#define OTHER_PAGE	1

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_fresh, claim_survives, claim_counted;
#define CLAIM(name, cond)	assert((cond) || name)

/* Memory, and what is on its way there from the one or the other writer */
#define BEGUN		0	/* mmu_invalidate_begun */
#define ENDED		1	/* mmu_invalidate_ended */
#define SEQ		2	/* mmu_invalidate_seq */
#define RUNNING		3	/* mn_ranges: how many cover PAGE, */
#define RUNNING_OTHER	4	/* and how many don't */
#define PTE		5	/* of PAGE in the mm: changes of it */
#define RELEASED	6	/* mn_ranges.released */
#define NR_VARS		7

byte memory[NR_VARS];

typedef store_buffer {
	bit used[NR_VARS];
	byte value[NR_VARS];
}
store_buffer buffer[2];

/* Under mmu_lock, so these need no buffer */
bit range_set[2];		/* mmu_invalidate_range_start and _end */
bit by_gfns;			/* mmu_invalidate_by_gfns */

/* Under the cache's lock */
bit cache_stale;		/* gfn_to_pfn_cache::stale */

bit mmu_lock, page_lock, mn_lock;	/* page_lock: or that of the pfn cache */
bit queued;			/* the refresh is in mn_wait */
bit is_cache;
bit is_mapped;			/* the spte is set or the cache is valid */
bit stale;			/* the PTE has changed since the lookup */
byte covering;			/* invalidations of PAGE that are past start */
bit unsubscribed;		/* no end comes any more */
byte returned;			/* invalidations that are over */

#define is_empty(w)	(!buffer[w].used[BEGUN] &&		\
			 !buffer[w].used[ENDED] &&		\
			 !buffer[w].used[SEQ] &&		\
			 !buffer[w].used[RUNNING] &&		\
			 !buffer[w].used[RUNNING_OTHER] &&	\
			 !buffer[w].used[PTE] &&		\
			 !buffer[w].used[RELEASED])

inline store(var, val)
{
	d_step {
		buffer[w].value[var] = val;
		buffer[w].used[var] = 1
	}
}

inline smp_wmb()
{
	is_empty(w)
}

inline lock(l)
{
	atomic { !l -> l = 1 }
}

inline unlock(l)
{
	atomic { is_empty(w) -> l = 0 }
}

inline commit(w, var)
{
	d_step {
		memory[var] = buffer[w].value[var];
		buffer[w].used[var] = 0;
		buffer[w].value[var] = 0;
		if
		:: var == PTE ->
			CLAIM(claim_survives, !is_mapped);
			stale = 1
		:: else
		fi
	}
}

proctype Memory(byte w)
{
end:
	do
	:: buffer[w].used[BEGUN] -> commit(w, BEGUN)
	:: buffer[w].used[ENDED] -> commit(w, ENDED)
	:: buffer[w].used[SEQ] -> commit(w, SEQ)
	:: buffer[w].used[RUNNING] -> commit(w, RUNNING)
	:: buffer[w].used[RUNNING_OTHER] -> commit(w, RUNNING_OTHER)
	:: buffer[w].used[PTE] -> commit(w, PTE)
	:: buffer[w].used[RELEASED] -> commit(w, RELEASED)
	od
}

/* --- the invalidation ----------------------------------------------------- */

#ifdef MUT_GPC_BYTE
#define running		(w -> RUNNING_OTHER : RUNNING + page)
#else
#define running		(RUNNING + page)
#endif

inline range_began()
{
	lock(mn_lock);
	store(running, memory[running] + 1);
	unlock(mn_lock)
}

/* What it counts from it has loaded before, which matters only without the lock. */
inline count_ended()
{
	number = memory[SEQ];
	counter = memory[ENDED];
#ifdef MUT_END_SWAPPED
	store(ENDED, counter + 1);
	smp_wmb();
	store(SEQ, number + 1);
#else
	store(SEQ, number + 1);
#ifndef MUT_END_NO_WMB
	smp_wmb();
#endif
	store(ENDED, counter + 1);
#endif
}

inline count_ended_in_slots()
{
	if
	:: is_cache
	:: else -> count_ended()
	fi
}

inline range_ended()
{
#ifdef MUT_GPC_PEEK_EARLY
	awaited = queued;
#endif
#ifdef MUT_END_UNLOCKED
	count_ended_in_slots();
#endif
	lock(mn_lock);
	store(running, memory[running] - 1);
#ifndef MUT_END_UNLOCKED
	count_ended_in_slots();
#endif
#ifndef MUT_GPC_PEEK_EARLY
	/* Here, or when it has been released */
	if
	:: awaited = queued;
	   peeked = 1
	:: skip
	fi;
#endif
	unlock(mn_lock);
#ifndef MUT_GPC_PEEK_EARLY
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

#ifdef MUT_GPC_STALE_IF_VALID
#define must_invalidate	is_mapped
#else
#define must_invalidate	(is_mapped || !cache_stale)
#endif

inline pfncaches()
{
	if
	:: is_cache && page == PAGE ->
		lock(page_lock);
		must = must_invalidate;
		unlock(page_lock);
		if
		:: must ->
			lock(page_lock);
			if
			:: must_invalidate ->
				is_mapped = 0;
				cache_stale = 1
			:: else
			fi;
			unlock(page_lock)
		:: else
		fi
	:: else
	fi
}

inline zap()
{
	if
	:: !is_cache && page == PAGE ->
#ifdef MUT_ZAP_PEEKS
		if
		:: is_mapped ->
			lock(page_lock);
			is_mapped = 0;
			unlock(page_lock)
		:: else
		fi
#else
		lock(page_lock);
		is_mapped = 0;
		unlock(page_lock)
#endif
	:: else
	fi
}

inline invalidate_begin()
{
	lock(mmu_lock);
	by_gfns = by_gfns || gfns;
#ifdef MUT_BEGIN_LATE
	zap();
#endif
	d_step {
		if
		:: memory[BEGUN] == memory[ENDED] ->
			range_set[PAGE] = 0;
			range_set[OTHER_PAGE] = 0
		:: else
		fi;
#ifdef MUT_RANGE_REPLACED
		range_set[1 - page] = 0;
#endif
		range_set[page] = 1
	}
	store(BEGUN, memory[BEGUN] + 1);
#ifndef MUT_BEGIN_LATE
	zap();
#endif
	unlock(mmu_lock)
}

inline end_by_gfns()
{
	lock(mmu_lock);
	by_gfns = 0;
	lock(mn_lock);
	count_ended();
	unlock(mn_lock);
	unlock(mmu_lock)
}

inline host_range_began()
{
#ifdef MUT_GPC_CACHES_FIRST
	pfncaches();
	range_began();
#else
	range_began();
	pfncaches();
#endif
}

proctype Invalidation(byte w; byte page; bit gfns)
{
	bit must, awaited, peeked;
	byte number, counter;

	if
	:: gfns
	:: else -> host_range_began()
	fi;
	if
	:: is_cache
	:: else -> invalidate_begin()
	fi;

	/* Under the page table lock, of which only the unlocking matters */
	covering = covering + (page == PAGE);
	if
	:: page == PAGE -> store(PTE, 1)
	:: else
	fi;
	is_empty(w);
	covering = covering - (page == PAGE);

	if
	:: unsubscribed
	:: gfns -> end_by_gfns()
	:: !gfns -> range_ended()
	fi;
	returned++
}

proctype Release(byte w; byte page)
{
	bit must;

#ifdef MUT_EXIT_CACHES_FIRST
	pfncaches();
	store(RELEASED, 1);
#else
	store(RELEASED, 1);
	pfncaches();
#endif
#ifndef MUT_EXIT_NO_WAKE_UP
	queued = 0;
#endif
	unsubscribed = 1;
	store(PTE, 1)
}

/* --- mapping the page ----------------------------------------------------- */

#ifdef MUT_NO_COUNTER
#define should_retry	(number != sample)
#else
#ifdef MUT_NO_SEQUENCE
#define should_retry	(counter != 0)
#else
#define should_retry	(counter || number != sample)
#endif
#endif

/*
 * Nothing comes before the load of ENDED; what follows comes in any order.  Whether
 * the range covers the page matters only to one that holds mmu_lock.
 */
inline check(covers)
{
#ifdef MUT_RETRY_NO_ACQUIRE
	if
	:: number = memory[SEQ];
	   ended = memory[ENDED];
	   counter = (memory[BEGUN] != ended) && (covers)
	:: ended = memory[ENDED];
	   counter = (memory[BEGUN] != ended) && (covers);
	   number = memory[SEQ]
	fi
#else
	ended = memory[ENDED];
	if
	:: number = memory[SEQ];
	   counter = (memory[BEGUN] != ended) && (covers)
	:: counter = (memory[BEGUN] != ended) && (covers);
	   number = memory[SEQ]
	fi
#endif
}

#ifdef MUT_GFNS_UNSEEN
#define may_look	counter
#else
#define may_look	(counter && !by_gfns)
#endif

/* Is it one of the ranges, or only between two?  Loads may come before the unlocking. */
inline look_closer()
{
#ifndef MUT_LOOK_UNLOCKED
	lock(mn_lock);
#endif
	counter = (memory[RUNNING] != 0);
#ifndef MUT_NUMBER_FIRST
	number = memory[SEQ];
#endif
#ifndef MUT_LOOK_UNLOCKED
	mn_lock = 0;
#endif
#ifndef MUT_NUMBER_FIRST
	if
	:: number = memory[SEQ]
	:: skip
	fi
#endif
}

inline check_page()
{
	check(range_set[PAGE]);
	if
	:: may_look -> look_closer()
	:: else
	fi
}

inline sample_and_look_up()
{
	sample = memory[SEQ];
	stale = 0
}

inline look_up_and_sample()
{
	stale = 0;
	sample = memory[SEQ]
}

inline map()
{
	d_step {
		CLAIM(claim_fresh, !stale && !covering);
		is_mapped = 1
	}
}

inline LockedFault()
{
	if
	:: sample_and_look_up()
#ifdef MUT_SAMPLE_NO_RMB
	:: look_up_and_sample()
#endif
	fi;
#ifdef MUT_UNSAFE_ONLY
	check_page();
#endif
	lock(mmu_lock);
#ifndef MUT_UNSAFE_ONLY
	check_page();
#endif
	if
	:: should_retry
	:: else -> map()
	fi;
	mmu_lock = 0
}

inline PageFault()
{
	if
	:: sample_and_look_up()
#ifdef MUT_SAMPLE_NO_RMB
	:: look_up_and_sample()
#endif
	fi;
	lock(page_lock);
	check(true);
	if
	:: should_retry
	:: else -> map()
	fi;
	page_lock = 0
}

/* With very many ranges, others are taken to cover the page too. */
inline look_for_ranges()
{
	gone = memory[RELEASED];
#ifndef MUT_GPC_LOOK_UNLOCKED
	lock(mn_lock);
#endif
	if
	:: must_wait = (memory[RUNNING] != 0)
	:: memory[RUNNING_OTHER] -> must_wait = 1
	fi;
#ifndef MUT_GPC_LOOK_UNLOCKED
	mn_lock = 0;
#endif
	must_wait = must_wait && !gone
}

/* wait_event(): look, queue, look again, sleep. */
inline wait_for_hva()
{
	look_for_ranges();
	do
	:: !must_wait ->
		break
	:: else ->
		queued = 1;
#ifndef MUT_GPC_NO_SECOND_LOOK
		look_for_ranges();
#endif
		if
		:: !must_wait -> queued = 0
		:: !queued
		fi
	od;
#ifdef MUT_EXIT_UNSEEN
	gone = 0
#else
	gone = memory[RELEASED]
#endif
}

/* The cache is not valid, otherwise there is nothing to refresh. */
inline Refresh()
{
#ifdef MUT_GPC_WAIT_FIRST
	wait_for_hva();
#endif
	lock(page_lock);
	cache_stale = 0;
	page_lock = 0;
#ifdef MUT_GPC_LOOKUP_FIRST
	stale = 0;
#endif
#ifndef MUT_GPC_WAIT_FIRST
#ifndef MUT_GPC_NO_WAIT
	wait_for_hva();
#endif
#endif
#ifndef MUT_GPC_LOOKUP_FIRST
	stale = 0;
#endif
	lock(page_lock);
	if
#ifndef MUT_GPC_STALE_UNSEEN
	:: cache_stale
#endif
	:: else ->
		if
		:: gone
		:: else -> map()
		fi
	fi;
	page_lock = 0
}

#define LOCKED	0
#define BY_PAGE	1
#define CACHE	2

proctype Mapper(byte kind)
{
	byte sample, ended, counter, number;
	bit must_wait, gone;

end:
	do
	:: !is_mapped && kind == LOCKED -> LockedFault()
	:: !is_mapped && kind == BY_PAGE -> PageFault()
	:: !is_mapped && kind == CACHE -> Refresh()
	od
}

init
{
	byte kind, page;

	atomic {
		if
		:: kind = LOCKED
		:: kind = BY_PAGE
		:: kind = CACHE
		fi;
		is_cache = (kind == CACHE);
		if
		:: page = PAGE
		:: page = OTHER_PAGE
		fi;
		run Memory(0);
		run Memory(1);
		run Invalidation(0, PAGE, 0);
		if
		:: run Invalidation(1, page, 0)
		:: kind != CACHE -> run Invalidation(1, page, 1)
		:: kind == CACHE -> run Release(1, PAGE)
		fi;
		run Mapper(kind)
	}

	/* Not with a release, after which ends may be missing. */
end:
	returned == 2 && is_empty(0) && is_empty(1);
	CLAIM(claim_counted, memory[BEGUN] == memory[ENDED])
}
