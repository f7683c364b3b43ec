/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM: page faults and pfn caches against invalidations, on processors that
 * reorder.  virt/kvm/mmu_notifier.c, virt/kvm/mmu_notifier.h,
 * include/linux/kvm_mmu_notifier.h.
 *
 * Two invalidations, of which the first covers the page in question and the
 * second covers it or another one, against one who maps the page.  That is, as
 * chosen at the start, a fault under mmu_lock, a fault under a lock of the page,
 * or the refresh of a pfn cache.  They never meet each other, so one at a time
 * is all there is to check.
 *
 * What stands for what:
 *
 *	Invalidation	kvm_mn_range_start(), the page tables change,
 *			kvm_mn_range_end(); the other callers of begin and end
 *			do part of it
 *	pfncaches	kvm_pfncaches_invalidate()
 *	range_begin	kvm_mmu_invalidate_begin(), ..._range_add(), and
 *			kvm_unmap_gfn_range() with the flush
 *	range_end	kvm_mmu_invalidate_end(), and the counting in
 *			kvm_mn_range_end()
 *	LockedFault	kvm_faultin_pfn(), is_page_fault_stale():
 *			mmu_invalidate_sample(), mmu_invalidate_retry_gfn()
 *	PageFault	a fault that maps under a lock of the page only, which
 *			kvm_unmap_gfn_range() takes as well:
 *			mmu_invalidate_sample(), mmu_invalidate_retry()
 *	Refresh		hva_to_pfn_retry(): kvm_pfncache_sample(),
 *			kvm_pfncache_retry()
 *
 * Memory: a store waits in its writer's buffer until the process Memory puts it
 * into memory, in any order.  smp_wmb() and unlocking wait until the buffer is
 * empty; unlocking need not be that strong for the lock's own sake, but here
 * every store that follows does so under another lock, and an unlock followed by
 * a lock orders stores.  Who counts, does so under a lock, so memory has the
 * value to count from.  Two loads with no smp_rmb() between them come in either
 * order.  A load doesn't pass a lock upwards, nor an unlock downwards.
 *
 * Claims:
 *
 *	claim_fresh	what is mapped is what the page tables say, and no
 *			invalidation that covers it is between the return of
 *			start and the call of end
 *	claim_survives	when page tables change the page is not mapped
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_END_NO_WMB		claim_fresh	end stores without smp_wmb()
 *	MUT_END_SWAPPED		claim_fresh	the counter first, then the
 *						sequence number
 *	MUT_RETRY_NO_RMB	claim_fresh	retry loads without smp_rmb()
 *	MUT_SAMPLE_NO_RMB	claim_fresh	nothing between sample and
 *						lookup
 *	MUT_NO_COUNTER		claim_survives	retry looks at the number only
 *	MUT_NO_SEQUENCE		claim_fresh	and at the counter only
 *	MUT_BEGIN_LATE		claim_survives	zapped first, counted then
 *	MUT_ZAP_PEEKS		claim_survives	the page's lock isn't taken for
 *						a page that isn't mapped
 *	MUT_RANGE_REPLACED	claim_fresh	a second range replaces the
 *						first
 *	MUT_UNSAFE_ONLY		claim_survives	retry_gfn_unsafe() in place of
 *						the check under mmu_lock
 *	MUT_GPC_END_NO_WMB	claim_fresh	as above, for pfn caches
 *	MUT_GPC_END_SWAPPED	claim_fresh
 *	MUT_GPC_RETRY_NO_RMB	claim_fresh
 *	MUT_GPC_SAMPLE_NO_RMB	claim_fresh
 *	MUT_GPC_NO_COUNTER	claim_survives
 *	MUT_GPC_NO_SEQUENCE	claim_fresh
 *	MUT_GPC_BEGIN_LATE	claim_survives	caches first, counted then
 */

#define PAGE		0	/* the gfn in question */
#define OTHER_PAGE	1

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_fresh, claim_survives;
#define CLAIM(name, cond)	assert((cond) || name)

/* Memory, and what is on its way there from the one or the other writer */
#define IN_PROGRESS	0	/* mmu_invalidate_in_progress */
#define SEQ		1	/* mmu_invalidate_seq */
#define RUNNING		2	/* mn_ranges_running */
#define ENDED		3	/* mn_ranges_ended */
#define PTE		4	/* of PAGE in the mm: changes of it */
#define NR_VARS		5

byte memory[NR_VARS];

typedef store_buffer {
	bit used[NR_VARS];
	byte value[NR_VARS];
}
store_buffer buffer[2];

/* Under mmu_lock, so it needs no buffer */
bit range_set[2];		/* mmu_invalidate_range_start and _end */

bit mmu_lock, page_lock, mn_lock;	/* page_lock: or that of the pfn cache */
bit is_cache;
bit is_mapped;			/* the spte is set or the cache is valid */
bit stale;			/* the PTE has changed since the lookup */
byte covering;			/* invalidations of PAGE that are past start */

#define is_empty(w)	(!buffer[w].used[IN_PROGRESS] &&	\
			 !buffer[w].used[SEQ] &&		\
			 !buffer[w].used[RUNNING] &&		\
			 !buffer[w].used[ENDED] &&		\
			 !buffer[w].used[PTE])

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
	:: buffer[w].used[IN_PROGRESS] -> commit(w, IN_PROGRESS)
	:: buffer[w].used[SEQ] -> commit(w, SEQ)
	:: buffer[w].used[RUNNING] -> commit(w, RUNNING)
	:: buffer[w].used[ENDED] -> commit(w, ENDED)
	:: buffer[w].used[PTE] -> commit(w, PTE)
	od
}

/* --- the invalidation ----------------------------------------------------- */

inline count_running()
{
	lock(mn_lock);
	store(RUNNING, memory[RUNNING] + 1);
	unlock(mn_lock)
}

inline pfncaches()
{
	if
	:: is_cache && page == PAGE ->
		lock(page_lock);
		is_mapped = 0;
		unlock(page_lock)
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

inline range_begin()
{
	lock(mmu_lock);
#ifdef MUT_BEGIN_LATE
	zap();
#endif
	d_step {
		if
		:: !memory[IN_PROGRESS] ->
			range_set[PAGE] = 0;
			range_set[OTHER_PAGE] = 0
		:: else
		fi;
#ifdef MUT_RANGE_REPLACED
		range_set[1 - page] = 0;
#endif
		range_set[page] = 1
	}
	store(IN_PROGRESS, memory[IN_PROGRESS] + 1);
#ifndef MUT_BEGIN_LATE
	zap();
#endif
	unlock(mmu_lock)
}

inline range_end()
{
	lock(mmu_lock);
#ifdef MUT_END_SWAPPED
	store(IN_PROGRESS, memory[IN_PROGRESS] - 1);
	smp_wmb();
	store(SEQ, memory[SEQ] + 1);
#else
	store(SEQ, memory[SEQ] + 1);
#ifndef MUT_END_NO_WMB
	smp_wmb();
#endif
	store(IN_PROGRESS, memory[IN_PROGRESS] - 1);
#endif
	unlock(mmu_lock);

	lock(mn_lock);
#ifdef MUT_GPC_END_SWAPPED
	store(RUNNING, memory[RUNNING] - 1);
	smp_wmb();
	store(ENDED, memory[ENDED] + 1);
#else
	store(ENDED, memory[ENDED] + 1);
#ifndef MUT_GPC_END_NO_WMB
	smp_wmb();
#endif
	store(RUNNING, memory[RUNNING] - 1);
#endif
	unlock(mn_lock)
}

proctype Invalidation(byte w; byte page)
{
#ifdef MUT_GPC_BEGIN_LATE
	pfncaches();
	count_running();
#else
	count_running();
	pfncaches();
#endif
	range_begin();

	/* Under the page table lock, of which only the unlocking matters */
	covering = covering + (page == PAGE);
	if
	:: page == PAGE -> store(PTE, 1)
	:: else
	fi;
	is_empty(w);
	covering = covering - (page == PAGE);

	range_end()
}

/* --- who maps the page ---------------------------------------------------- */

#ifdef MUT_NO_COUNTER
#define should_retry	(number != sample)
#else
#ifdef MUT_NO_SEQUENCE
#define should_retry	(counter != 0)
#else
#define should_retry	(counter || number != sample)
#endif
#endif

#ifdef MUT_GPC_NO_COUNTER
#define gpc_should_retry	(number != sample)
#else
#ifdef MUT_GPC_NO_SEQUENCE
#define gpc_should_retry	(counter != 0)
#else
#define gpc_should_retry	(counter || number != sample)
#endif
#endif

inline sample_and_look_up(var)
{
	sample = memory[var];
	stale = 0
}

inline look_up_and_sample(var)
{
	stale = 0;
	sample = memory[var]
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
	:: sample_and_look_up(SEQ)
#ifdef MUT_SAMPLE_NO_RMB
	:: look_up_and_sample(SEQ)
#endif
	fi;
#ifdef MUT_UNSAFE_ONLY
	counter = memory[IN_PROGRESS] && range_set[PAGE];
	number = memory[SEQ];
#endif
	lock(mmu_lock);
#ifndef MUT_UNSAFE_ONLY
	counter = memory[IN_PROGRESS] && range_set[PAGE];
	number = memory[SEQ];
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
	:: sample_and_look_up(SEQ)
#ifdef MUT_SAMPLE_NO_RMB
	:: look_up_and_sample(SEQ)
#endif
	fi;
	lock(page_lock);
	if
	:: counter = memory[IN_PROGRESS]; number = memory[SEQ]
#ifdef MUT_RETRY_NO_RMB
	:: number = memory[SEQ]; counter = memory[IN_PROGRESS]
#endif
	fi;
	if
	:: should_retry
	:: else -> map()
	fi;
	page_lock = 0
}

/* The cache is not valid, or else there is nothing to refresh. */
inline Refresh()
{
	if
	:: sample_and_look_up(ENDED)
#ifdef MUT_GPC_SAMPLE_NO_RMB
	:: look_up_and_sample(ENDED)
#endif
	fi;
	lock(page_lock);
	if
	:: counter = memory[RUNNING]; number = memory[ENDED]
#ifdef MUT_GPC_RETRY_NO_RMB
	:: number = memory[ENDED]; counter = memory[RUNNING]
#endif
	fi;
	if
	:: gpc_should_retry
	:: else -> map()
	fi;
	page_lock = 0
}

#define LOCKED	0
#define BY_PAGE	1
#define CACHE	2

proctype Mapper(byte kind)
{
	byte sample, counter, number;

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
		run Invalidation(0, PAGE);
		run Invalidation(1, page);
		run Mapper(kind)
	}
}
