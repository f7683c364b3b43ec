/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM on x86: ageing without mmu_lock against those who have it, against page faults
 * that don't, and against the CPU.  arch/x86/kvm/mmu/spte.c, tdp_mmu.c and mmu.c,
 * virt/kvm/mmu_notifier.c.
 *
 * One spte, in a page table that is freed now and then.  It is one of the TDP MMU or of
 * the shadow MMU, and has accessed and dirty bits or not, as chosen at the start.
 * Without them, ACCESSED stands for the rights to read, which are given back by the next
 * fault, and WRITE for the dirty bit as well.
 *
 * What stands for what:
 *
 *	Ageing		kvm_age_gfn() and spte_age(), inside the lock of the host's
 *			page table (ptl)
 *	readers		rcu_read_lock()
 *	rmap, rmap_lock	the page table whose spte is in the rmap, if any, and
 *			rmap_lock()
 *	Cpu		accesses of the guest that don't fault
 *	Fault		fast_page_fault(); or, if nothing is mapped,
 *			kvm_tdp_mmu_map(), or mmu_set_spte() with rmap_add()
 *	update		kvm_tdp_mmu_write_spte() with handle_changed_spte();
 *			mmu_spte_clear_track_bits(), mmu_spte_update()
 *	invalidate	an invalidation, which zaps the spte, and may free the page
 *			table; then the host unmaps the page, and writes it back if it
 *			is dirty, or drops it
 *	split		the spte, of a huge page, is replaced by a page table
 *	get_log		KVM_GET_DIRTY_LOG: reads the bitmap, and write-protects
 *
 * An inline that has mmu_lock reads the spte and then updates it, in two steps.
 *
 * To age the pages of a page table KVM walks many sptes, in one RCU section and inside
 * one lock of the host's page table.  Each of them is aged as the one here is, with a
 * cmpxchg of its own, and all claims are about one spte.  What the walk has of the others
 * is the pointer to the page table, and that may have been unlinked here, too, between
 * the look for it and the spte; and longer sections keep it from being freed for longer.
 *
 * TLBs are left out: ageing without a flush leaves them alone, and all others flush.  So
 * is what becomes of the sptes below one that was split: kvm_age_split.pml has that.
 *
 * Claims:
 *
 *	claim_access	an access that was not reported as young is in the spte, or
 *			handed on to the page when it goes
 *	claim_twice	what ageing has reported is not handed on once more; but for an
 *			spte that was write-protected meanwhile, which looks young again
 *	claim_dirty	a page that the guest has written to is not dropped as clean
 *	claim_logged	a writable spte is in the bitmap, or its fault is about to put
 *			it there
 *	claim_leaf	ageing changes only leaves, and overwrites nothing that it
 *			hasn't looked at
 *	claim_alive	ageing uses no page table that was freed
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_AGE_PLAIN		claim_leaf	ageing writes without cmpxchg
 *	MUT_NO_RECHECK		claim_leaf	it doesn't look at what made the
 *						cmpxchg fail
 *	MUT_OLD_PLAIN		claim_access	an spte that wasn't accessed is
 *						overwritten without xchg
 *	MUT_YOUNG_PLAIN		claim_twice	one that was accessed, and is dirty
 *	MUT_DIRTY_AS_READ	claim_dirty	the dirty bit is handed on that was
 *						read before the xchg
 *	MUT_DIRTY_UNMARKED	claim_dirty	ageing doesn't mark the page dirty when
 *						it removes write access
 *	MUT_DIRTY_UNLOCKED	claim_dirty	it does so without the page table lock
 *	MUT_RESTORES_WRITE	claim_logged	a fault that restores access restores
 *						write access as well
 *	MUT_NO_RCU		claim_alive	ageing walks the TDP MMU without RCU
 *	MUT_WALK_UNLOCKED	claim_alive	it walks an rmap without its lock
 *	MUT_UNLINK_UNLOCKED	claim_alive	an spte leaves its rmap without it
 */

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_access, claim_twice, claim_dirty, claim_logged, claim_leaf;
hidden byte claim_alive;
#define CLAIM(name, cond)	assert((cond) || name)

/* An spte that maps nothing is 0. */
#define PRESENT		1
#define ACCESSED	2
#define WRITE		4
#define DIRTY		8
#define TABLE		16	/* no leaf */

bit tdp;			/* or the shadow MMU */
bit ad;				/* sptes have accessed and dirty bits */

byte spte[2];			/* of the page table that is in use, and of */
bit table;			/* the one that was before */
bit freed[2];
byte rmap;			/* 1 + the page table whose spte is in it */

bit mmu_lock, rmap_lock, ptl;
bit readers;
bit fast;			/* fast_page_fault() uses the page table */
bit invalidating;		/* nothing may be mapped */
bit bitmap;			/* the page is dirty for KVM_GET_DIRTY_LOG, or is */
bit marking;			/* about to be */
bit page_dirty;			/* for the host */
bit unseen;			/* an access that nobody has reported */
bit unsaved;			/* the page isn't what the host would read back */

#define is_leaf(s)	(((s) & PRESENT) && !((s) & TABLE))
#define is_dirty(s)	(ad -> ((s) & DIRTY) : ((s) & WRITE))
#define aged(s)		(ad -> ((s) & ~ACCESSED) : ((s) & ~(ACCESSED | WRITE)))

inline lock(l)
{
	atomic { !l -> l = 1 }
}

/* --- ageing ---------------------------------------------------------------- */

inline walk_begin()
{
	if
	:: tdp ->
#ifndef MUT_NO_RCU
		readers = 1;
#endif
		t = table;
		found = 1
	:: else ->
#ifndef MUT_WALK_UNLOCKED
		lock(rmap_lock);
#endif
		d_step {
			found = (rmap != 0);
			t = (rmap -> rmap - 1 : 0)
		}
	fi
}

inline walk_end()
{
	if
	:: tdp ->
		readers = 0
	:: else ->
#ifndef MUT_WALK_UNLOCKED
		rmap_lock = 0
#else
		skip
#endif
	fi
}

#ifdef MUT_AGE_PLAIN
#define is_unchanged	1
#else
#define is_unchanged	(spte[t] == s)
#endif

/* One turn of the loop in spte_age() */
inline try_age()
{
	d_step {
		CLAIM(claim_alive, !freed[t]);
		if
		:: is_unchanged ->
			CLAIM(claim_leaf, is_leaf(spte[t]) && spte[t] == s);
			spte[t] = aged(s);
			unseen = 0;
			removed_write = (!ad && (s & WRITE));
			done = 1
		:: else ->
			s = spte[t];
#ifndef MUT_NO_RECHECK
			done = (!is_leaf(s) || !(s & ACCESSED))
#endif
		fi
	}
}

inline mark_dirty()
{
	if
	:: removed_write ->
		d_step {
#ifndef MUT_DIRTY_UNMARKED
			page_dirty = 1;
#endif
			removed_write = 0
		}
	:: else
	fi
}

proctype Ageing()
{
	byte s;
	bit t, found, done, removed_write;

end:
	do
	:: lock(ptl);
	   walk_begin();
	   if
	   :: found ->
		d_step {
			CLAIM(claim_alive, !freed[t]);
			s = spte[t];
			done = (!is_leaf(s) || !(s & ACCESSED))
		}
		do
		:: done -> break
		:: else -> try_age()
		od
	   :: else
	   fi;
#ifndef MUT_DIRTY_UNLOCKED
	   mark_dirty();
#endif
	   walk_end();
	   d_step { ptl = 0; s = 0; t = 0; found = 0; done = 0 }
#ifdef MUT_DIRTY_UNLOCKED
	   mark_dirty()
#endif
	od
}

/* --- with mmu_lock --------------------------------------------------------- */

/* Which sptes are not volatile: the update overwrites more than it was told of. */
#ifdef MUT_OLD_PLAIN
#define is_plain	!(old & ACCESSED)
#endif
#ifdef MUT_YOUNG_PLAIN
#define is_plain	((old & ACCESSED) && (old & WRITE) && is_dirty(old))
#endif

#ifdef MUT_DIRTY_AS_READ
#define dirty_before	was_dirty
#else
#define dirty_before	is_dirty(old)
#endif

/*
 * What was accessed or dirty, and is no more, is handed on.  An spte that was aged after
 * it was read looks young again if @new was made from what was read.
 */
inline update(t, new)
{
	d_step {
		was_dirty = (is_dirty(old) != 0);
		if
#ifdef is_plain
		:: is_plain
#endif
		:: else ->
			old = spte[t];
			if
			:: is_leaf(new) && ((new) & ACCESSED) && !(old & ACCESSED) ->
				unseen = 1
			:: else
			fi
		fi;
		spte[t] = new;
		if
		:: (old & ACCESSED) && !(is_leaf(new) && ((new) & ACCESSED)) ->
			CLAIM(claim_twice, unseen);
			unseen = 0
		:: else
		fi;
		CLAIM(claim_access, !unseen || is_leaf(new) && ((new) & ACCESSED));
		if
		:: dirty_before && !(is_leaf(new) && is_dirty(new)) -> page_dirty = 1
		:: else
		fi;
		was_dirty = 0
	}
}

inline unlink(t)
{
	if
	:: tdp
	:: else ->
#ifdef MUT_UNLINK_UNLOCKED
		rmap = 0
#else
		lock(rmap_lock);
		rmap = 0;
		rmap_lock = 0
#endif
	fi
}

inline zap(t)
{
	old = spte[t];
	if
	:: is_leaf(old) ->
		update(t, 0);
		unlink(t)
	:: else ->
		spte[t] = 0
	fi
}

/* Page tables are unlinked first, then emptied, then freed. */
inline zap_table()
{
	d_step {
		gone = table;
		table = 1 - table;
		spte[table] = 0;
		freed[table] = 0
	}
	zap(gone)
}

inline free_table()
{
	d_step { !fast && (!tdp || !readers) -> freed[gone] = 1; gone = 0 }
}

inline invalidate()
{
	atomic { !mmu_lock -> mmu_lock = 1; invalidating = 1 }
	if
	:: zap(table);
	   mmu_lock = 0
	:: zap_table();
	   if
	   :: tdp -> mmu_lock = 0; free_table()
	   :: else -> free_table(); mmu_lock = 0
	   fi
	fi;
	lock(ptl);
	d_step {
		if
		:: page_dirty ->
			page_dirty = 0;
			unsaved = 0
		:: else ->
			CLAIM(claim_dirty, !unsaved)
		fi;
		ptl = 0;
		invalidating = 0
	}
}

inline split()
{
	lock(mmu_lock);
	old = spte[table];
	if
	:: is_leaf(old) ->
		update(table, (PRESENT | ACCESSED | WRITE | TABLE));
		unlink(table)
	:: else
	fi;
	mmu_lock = 0
}

inline get_log()
{
	lock(mmu_lock);
	if
	:: bitmap ->
		bitmap = 0;
		old = spte[table];
		if
		:: is_leaf(old) && (old & WRITE) ->
			protected = old & ~WRITE;
			update(table, protected)
		:: else
		fi
	:: else ->
		/* A fault may have come since. */
		CLAIM(claim_logged, bitmap || marking ||
		      !(is_leaf(spte[table]) && (spte[table] & WRITE)))
	fi;
	mmu_lock = 0
}

proctype Host()
{
	byte old, protected;
	bit gone, was_dirty;

end:
	do
	:: invalidate(); old = 0
	:: split(); old = 0
	:: get_log(); d_step { old = 0; protected = 0 }
	od
}

/* --- the guest ------------------------------------------------------------- */

#define may_read	(is_leaf(spte[table]) && (ad || (spte[table] & ACCESSED)))

proctype Cpu()
{
end:
	do
	:: d_step {
		may_read ->
		spte[table] = spte[table] | ACCESSED;
		unseen = 1
	   }
	:: d_step {
		may_read && (spte[table] & WRITE) ->
		spte[table] = spte[table] | ACCESSED | (ad -> DIRTY : 0);
		unseen = 1;
		unsaved = 1
	   }
	od
}

#ifdef MUT_RESTORES_WRITE
#define restored	(ACCESSED | WRITE)
#else
#define restored	ACCESSED
#endif

/* Only what is no longer write-protected is marked in the bitmap, and after that. */
inline fast_page_fault()
{
	d_step {
		new = s | (write -> WRITE : 0);
		if
		:: !ad && !(s & ACCESSED) -> new = new | restored
		:: else
		fi
	}
	d_step {
		if
		:: spte[t] == s ->
			spte[t] = new;
			unseen = (unseen || (new & ACCESSED) && !(s & ACCESSED));
			marking = (write && !(s & WRITE))
		:: else
		fi
	}
	if
	:: marking -> d_step { bitmap = 1; marking = 0 }
	:: else
	fi
}

inline map()
{
	lock(mmu_lock);
	if
	:: !spte[table] && !invalidating ->
		d_step {
			bitmap = (bitmap || write);
			spte[table] = PRESENT | ACCESSED |
				(write -> (ad -> (WRITE | DIRTY) : WRITE) : 0);
			unseen = 1
		}
		if
		:: tdp
		:: else ->
			lock(rmap_lock);
			rmap = 1 + table;
			rmap_lock = 0
		fi
	:: else
	fi;
	mmu_lock = 0
}

proctype Fault()
{
	byte s, new;
	bit t, write;

end:
	do
	:: atomic {
		if
		:: write = 0
		:: write = 1
		fi;
		fast = 1;
		t = table;
		s = spte[t]
	   }
	   if
	   :: is_leaf(s) ->
		fast_page_fault();
		fast = 0
	   :: else ->
		fast = 0;
		map()
	   fi;
	   d_step { s = 0; new = 0; t = 0; write = 0 }
	od
}

init
{
	atomic {
		if
		:: tdp = 0
		:: tdp = 1
		fi;
		if
		:: ad = 0
		:: ad = 1
		fi;
		freed[1] = 1;
		run Ageing();
		run Host();
		run Cpu();
		run Fault()
	}
}
