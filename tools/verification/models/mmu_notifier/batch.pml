/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One flush of secondary TLBs for a batch of folios, and all that relies on there being
 * nothing left in a TLB.  mm/mmu_notifier_batch.c, mm/mmu_notifier_deliver.c,
 * mm/rmap.c, mm/vmscan.c, mm/userfaultfd.c, virt/kvm/mmu_notifier.c.
 *
 * Two pages of one mm, each in a folio of its own, and a subscriber like KVM, which has an
 * spte for each, under mmu_lock, and a TLB.  Two tasks reclaim, each a folio of its own:
 * one of them twice, as it is mapped again and used; the other once, which is
 * there for what two do to each other's flushes.  The subscriber is there from the
 * beginning, or comes meanwhile; it may leave.
 *
 * What stands for what:
 *
 *	Reclaim		shrink_folio_list(), try_to_unmap_one(), and
 *			try_to_unmap_flush(), or what happens if the folio stays mapped
 *	Later		a range that may not be deferred, from start to end
 *	Fill		mfill_atomic_install_pte(): a page is mapped where none was,
 *			without a range and without the lock of the folio that was there
 *	Fault		the host maps the folio again, with its lock; and the guest maps
 *			what the host has mapped
 *	Cpu		the guest, by its TLB
 *	Protect		kvm_mmu_slot_gfn_write_protect() with the flush of its caller
 *	Join		attach_notifier()
 *	Release		call_release(), once, and unlink_notifier()
 *	in_list, wants	whether the subscriber is in the list, and WANTS_DEFERRED
 *	begun, done, flushed	of struct mmu_notifier_deferred
 *	dropped, kvm_flushed	kvm->mn_dropped, kvm->mn_flushed
 *	flush_all	flush_subscribers()
 *	kvm_flush	kvm_flush_deferred()
 *	invalidating	ranges in progress that cover the page: the guest's faults look
 *			at it under mmu_lock, see kvm_fault.pml.  It counts those that have
 *			missed the subscriber, too: registration waits for them before the
 *			guest may fault, see register.pml
 *
 * A page table entry is changed in one step, as it is under its lock; so is the spte, but
 * for what mmu_lock is there for.  A TLB entry that is clean becomes dirty only by way of
 * a present spte, as with hardware dirty bits.
 *
 * Claims:
 *
 *	claim_locked	a folio is unlocked by whoever unmapped it only when no TLB has
 *			what the unmapping has dropped
 *	claim_dirty	what the guest has written isn't dropped as clean, nor written
 *			to after it was saved, before it is mapped again
 *	claim_later	from when the start of a later range returns until it ends, no
 *			TLB has its page, whatever is deferred meanwhile
 *	claim_mapped	when another page is mapped, no TLB has the one before
 *	claim_protect	when an spte has been write-protected, no TLB can be written
 *			through
 *	claim_released	when release() has been called, TLBs are empty
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_NO_FLUSH		claim_locked	the batch isn't flushed for
 *	MUT_UNLOCK_EARLY	claim_locked	the folio is unlocked, then it is
 *	MUT_ABORT_NO_FLUSH	claim_locked	a folio that stays mapped is unlocked
 *						without a flush
 *	MUT_COUNT_BEGUN		claim_locked	a flush counts for what has only begun
 *	MUT_SAMPLE_LATE		claim_locked	it counts for what was done when it ended
 *	MUT_FLUSHED_EARLY	claim_locked	it counts before it is done
 *	MUT_KVM_FLUSHED_EARLY	claim_locked	KVM's does
 *	MUT_KVM_SAMPLE_LATE	claim_locked	KVM's counts for what came meanwhile
 *	MUT_DIRTY_AT_FLUSH	claim_dirty	dirty bits aren't handed on by who drops
 *						the spte
 *	MUT_NO_KEEP_OUT		claim_later	a later range doesn't flush
 *	MUT_KEEP_OUT_DONE	claim_later	it doesn't flush for what isn't done
 *	MUT_BEGUN_LATE		claim_later	what is deferred is announced when it has
 *						been dropped
 *	MUT_KEEP_OUT_FIRST	claim_later	a later range flushes before it is
 *						announced
 *	MUT_DROPPED_UNLOCKED	claim_later	KVM notes what it has dropped without
 *						mmu_lock
 *	MUT_FAULT_INSIDE	claim_later	faults don't look whether a later range is
 *						in progress
 *	MUT_FILL_NO_FLUSH	claim_mapped	a page is mapped without a flush
 *	MUT_PROTECT_NO_FLUSH	claim_protect	write-protection looks only at the spte
 *	MUT_WANTS_LATE		claim_locked	WANTS_DEFERRED is set when the subscriber is
 *						in the list
 *	MUT_UNWANTED_FIRST	claim_released	it is cleared, and then release() called
 *	MUT_RELEASE_NO_FLUSH	claim_released	release() is all there is
 *	MUT_RELEASE_FLUSH_FIRST	claim_released	it is called after the flush
 */

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_locked, claim_dirty, claim_later, claim_mapped, claim_protect;
hidden byte claim_released;
#define CLAIM(name, cond)	assert((cond) || name)

#define NONE	0
#define CLEAN	1
#define DIRTY	2

bit locked[2];		/* the folio */
bit mapped[2];		/* by the host */
byte spte[2], tlb[2];	/* NONE, CLEAN or DIRTY */
bit stale[2];		/* the TLB has what reclaim has dropped */
bit dirty[2];		/* the folio, for the host */
bit unsaved[2];		/* it isn't what the host would read back */
byte invalidating[2];
bit mmu_lock;
bit in_list, wants;
bit released;

byte begun, done, flushed;
byte dropped, kvm_flushed;

inline lock_mmu()
{
	atomic { !mmu_lock -> mmu_lock = 1 }
}

inline unlock_mmu()
{
	mmu_lock = 0
}

inline flush_page(p)
{
	d_step { tlb[p] = NONE; stale[p] = 0 }
}

inline flush_tlbs()
{
	flush_page(0);
	flush_page(1)
}

/* --- KVM ------------------------------------------------------------------- */

inline kvm_flush()
{
	kvm_sample = dropped;
	if
	:: kvm_sample > kvm_flushed ->
#ifdef MUT_KVM_FLUSHED_EARLY
		kvm_flushed = kvm_sample;
#endif
		flush_tlbs();
#ifdef MUT_KVM_SAMPLE_LATE
		kvm_sample = dropped;
#endif
		d_step {
			if
			:: kvm_sample > kvm_flushed -> kvm_flushed = kvm_sample
			:: else
			fi;
			kvm_sample = 0
		}
	:: else -> kvm_sample = 0
	fi
}

inline hand_on_dirty(p)
{
	if
	:: spte[p] == DIRTY -> dirty[p] = 1
	:: else
	fi
}

/* A start that may be deferred */
inline kvm_drop(p)
{
	lock_mmu();
	invalidating[p]++;
	d_step {
		was = spte[p];
#ifndef MUT_DIRTY_AT_FLUSH
		hand_on_dirty(p);
#endif
		spte[p] = NONE;
		stale[p] = stale[p] || (was && tlb[p])
	}
#ifdef MUT_DROPPED_UNLOCKED
	unlock_mmu();
#endif
	if
	:: was -> dropped++
	:: else
	fi;
#ifndef MUT_DROPPED_UNLOCKED
	unlock_mmu();
#endif
	was = 0
}

/* One that may not */
inline kvm_zap(p)
{
	lock_mmu();
#ifndef MUT_FAULT_INSIDE
	invalidating[p]++;
#endif
	d_step {
		was = spte[p];
		hand_on_dirty(p);
		spte[p] = NONE
	}
	if
	:: was -> flush_tlbs()
	:: else
	fi;
	was = 0;
	unlock_mmu()
}

/* --- the core -------------------------------------------------------------- */

inline flush_all()
{
#ifdef MUT_COUNT_BEGUN
	sample = begun;
#else
	sample = done;
#endif
#ifdef MUT_FLUSHED_EARLY
	flushed = (sample > flushed -> sample : flushed);
#endif
	if
	:: wants -> kvm_flush()
	:: else
	fi;
#ifdef MUT_SAMPLE_LATE
	sample = done;
#endif
	d_step {
		flushed = (sample > flushed -> sample : flushed);
		sample = 0
	}
}

inline keep_out()
{
	if
#ifdef MUT_KEEP_OUT_DONE
	:: done > flushed -> flush_all()
#else
	:: begun > flushed -> flush_all()
#endif
	:: else
	fi
}

inline flush_batch()
{
	if
	:: done > flushed -> flush_all()
	:: else
	fi
}

inline deferred_start(p)
{
#ifndef MUT_BEGUN_LATE
	begun++;
#endif
	if
	:: in_list -> kvm_drop(p)
	:: atomic { !in_list -> invalidating[p]++ }
	fi;
#ifdef MUT_BEGUN_LATE
	begun++;
#endif
	done++
}

inline later_start(p)
{
#ifdef MUT_KEEP_OUT_FIRST
	keep_out();
#endif
	if
	:: in_list -> kvm_zap(p)
#ifndef MUT_FAULT_INSIDE
	:: atomic { !in_list -> invalidating[p]++ }
#else
	:: !in_list
#endif
	fi;
#if !defined(MUT_NO_KEEP_OUT) && !defined(MUT_KEEP_OUT_FIRST)
	keep_out()
#endif
}

inline end_range(p)
{
	invalidating[p]--
}

/* --- mm -------------------------------------------------------------------- */

inline unlock_folio(p)
{
	d_step {
		CLAIM(claim_locked, !stale[p]);
		locked[p] = 0
	}
}

/* The folio is written, or dropped if it is clean. */
inline pageout(p)
{
	if
	:: dirty[p] -> d_step { dirty[p] = 0; unsaved[p] = 0 }
	:: else
	fi;
	CLAIM(claim_dirty, mapped[p] || !unsaved[p])
}

proctype Reclaim(bit p)
{
	byte was, sample, kvm_sample;
	byte left = 2 - p;
	bit gone;

end:
	do
	:: atomic { left && !locked[p] && mapped[p] -> locked[p] = 1; left-- }
	   deferred_start(p);
	   if
	   :: mapped[p] = 0; gone = 1
	   :: skip	/* the page table entry is put back */
	   fi;
	   end_range(p);

#ifdef MUT_UNLOCK_EARLY
	   unlock_folio(p);
#endif
	   if
	   :: gone ->
#ifndef MUT_NO_FLUSH
		flush_batch();
#endif
		skip
	   :: else ->
#ifndef MUT_ABORT_NO_FLUSH
		flush_batch();
#endif
		skip
	   fi;
#ifndef MUT_UNLOCK_EARLY
	   unlock_folio(p);
#endif
	   if
	   :: gone ->
		if
		:: atomic { !locked[p] -> locked[p] = 1 }
		   if
		   :: !mapped[p] -> pageout(p)
		   :: else
		   fi;
		   unlock_folio(p)
		:: skip
		fi
	   :: else
	   fi;
	   gone = 0
	od
}

proctype Later(bit p)
{
	byte was, sample, kvm_sample;

	later_start(p);
	CLAIM(claim_later, !tlb[p]);
	atomic {
		CLAIM(claim_later, !tlb[p]);
#ifndef MUT_FAULT_INSIDE
		end_range(p)
#endif
	}
}

proctype Fill(bit p)
{
	byte sample, kvm_sample;

	if
	:: atomic { !mapped[p] && !invalidating[p] ->
		/* the lock of the page table: nobody maps anything before the end */
		invalidating[p]++ }
#ifndef MUT_FILL_NO_FLUSH
	   keep_out();
#endif
	   CLAIM(claim_mapped, !tlb[p]);
	   invalidating[p]--
	:: skip
	fi
}

proctype Fault(bit p)
{
end:
	do
	:: atomic { !mapped[p] && !locked[p] && !invalidating[p] -> mapped[p] = 1 }
	:: atomic {
		mapped[p] && !spte[p] && !invalidating[p] && !mmu_lock &&
		in_list && !released ->
		spte[p] = CLEAN
	   }
	od
}

proctype Cpu(bit p)
{
end:
	do
	:: atomic { spte[p] && !tlb[p] -> tlb[p] = spte[p] }
	:: atomic {
		tlb[p] == CLEAN && spte[p] ->
		spte[p] = DIRTY; tlb[p] = DIRTY; unsaved[p] = 1
	   }
	:: atomic { tlb[p] == DIRTY && !unsaved[p] -> unsaved[p] = 1 }
	od
}

proctype Protect(bit p)
{
	byte kvm_sample;

	lock_mmu();
	if
	:: spte[p] ->
		d_step { hand_on_dirty(p); spte[p] = NONE }
		flush_tlbs()
	:: else ->
#ifndef MUT_PROTECT_NO_FLUSH
		kvm_flush()
#else
		skip
#endif
	fi;
	CLAIM(claim_protect, !tlb[p]);
	unlock_mmu()
}

proctype Join()
{
#ifndef MUT_WANTS_LATE
	wants = 1;
#endif
	in_list = 1;
#ifdef MUT_WANTS_LATE
	wants = 1
#endif
}

proctype Release()
{
	byte sample, kvm_sample;

	released = 1;
#ifdef MUT_UNWANTED_FIRST
	wants = 0;
#endif
#ifdef MUT_RELEASE_FLUSH_FIRST
	keep_out();
#endif
	lock_mmu();
	d_step {
		if
		:: spte[0] -> hand_on_dirty(0); spte[0] = NONE; tlb[0] = NONE
		:: else
		fi;
		if
		:: spte[1] -> hand_on_dirty(1); spte[1] = NONE; tlb[1] = NONE
		:: else
		fi
	}
	unlock_mmu();
#if !defined(MUT_RELEASE_NO_FLUSH) && !defined(MUT_RELEASE_FLUSH_FIRST)
	keep_out();
#endif
	CLAIM(claim_released, !tlb[0] && !tlb[1]);
	in_list = 0;
	wants = 0
}

init
{
	atomic {
		mapped[0] = 1; mapped[1] = 1;
		run Reclaim(0);
		run Reclaim(1);
		run Fault(0);
		run Cpu(0);
		if
		:: run Join()
		:: in_list = 1; wants = 1; spte[1] = CLEAN; tlb[1] = CLEAN
		fi;
		if
		:: run Later(0)
		:: run Fill(0)
		:: run Protect(0)
		:: run Release()
		fi
	}
}
