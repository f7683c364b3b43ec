/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM on x86: the walk that ages without mmu_lock, against huge sptes that are split and
 * page tables that are zapped.  tdp_root_age_gfn_range() of arch/x86/kvm/mmu/tdp_mmu.c.
 * What happens to one spte is in kvm_age.pml; here it is which ones the walk comes to.
 *
 * There are two pages, which one huge spte maps, or the two sptes of a page table.  A
 * walk ages both, or only the second one.
 *
 * What stands for what:
 *
 *	Walk		tdp_root_age_gfn_range(), with tdp_mmu_find_spte() and
 *			tdp_mmu_age_page_table()
 *	age		spte_age()
 *	readers		rcu_read_lock()
 *	Holder		who has mmu_lock, for reading (split_shared) or for writing:
 *			tdp_mmu_split_huge_page(), and a zap, as when dirty logging
 *			ends, or a memslot goes
 *	freed		tdp_mmu_free_sp_rcu_callback()
 *	Guest		accesses, and faults if nothing is mapped
 *	before		a page was accessed before the walk began, which the walk hasn't
 *			found yet
 *
 * Claims:
 *
 *	claim_found	the walk finds what was accessed before it began; but for a bit
 *			that was handed on to the page in the meantime
 *	claim_range	nothing is aged that is before the range
 *	claim_table	what the walk goes down to is a page table
 *	claim_alive	and not one that was freed
 *
 * Mutants, and the claim that the search first finds broken by each:
 *
 *	MUT_NO_LOOK	claim_found	the walk doesn't look again whether an spte has
 *					become a page table
 *	MUT_LOOK_FIRST	claim_found	it looks again before it has aged the spte
 *	MUT_GO_BACK	claim_range	it goes on with the first page of that page table
 *	MUT_READ_TWICE	claim_table	it goes down by another value of the spte than the
 *					one that it has looked at
 *	MUT_NO_RCU	claim_alive	it walks without RCU
 *
 * To test without ageing is the same walk, with a load instead of the cmpxchg.
 */

/* Always 0: they name, in pan's output, what was violated. */
hidden byte claim_found, claim_range, claim_table, claim_alive;
#define CLAIM(name, cond)	assert((cond) || name)

#define PAGES		2

/* An spte that maps nothing is 0. */
#define PRESENT		1
#define ACCESSED	2
#define TABLE(t)	(4 + 8 * (t))

#define is_table(s)	(((s) & 4) != 0)
#define table_of(s)	((s) >> 3)
#define is_leaf(s)	(((s) & PRESENT) && !is_table(s))
#define is_young(s)	(is_leaf(s) && ((s) & ACCESSED))

byte huge;			/* the spte of both pages */
byte small[2 * PAGES];		/* those of two page tables, one page after the other */
#define small_of(t, page)	small[(t) * PAGES + (page)]

#define FREE	0
#define IN_USE	1
#define ZAPPED	2
byte state[2];			/* of the page tables */

bit readers;
bit before[PAGES];

/* --- ageing ---------------------------------------------------------------- */

#define seems_young(page)							\
	(is_table(huge) -> is_young(small_of(table_of(huge), page)) : is_young(huge))

inline found(first, last)
{
	before[first] = 0;
	before[last] = 0
}

inline age(spte, first, last)
{
	old = spte;
	do
	:: is_young(old) ->
		if
		:: atomic { spte == old -> spte = old & ~ACCESSED; found(first, last) };
		   break
		:: atomic { spte != old -> old = spte }
		fi
	:: else -> break
	od
}

/* Whether there is a page table now, below what was an spte of both pages */
inline look()
{
	was_split = is_table(huge)
}

inline age_huge()
{
#ifdef MUT_LOOK_FIRST
	look();
#endif
	age(huge, 0, 1);
#ifndef MUT_LOOK_FIRST
	look();
#endif
#ifdef MUT_NO_LOOK
	was_split = 0;
#endif
	if
	:: was_split ->
#ifdef MUT_GO_BACK
		page = 0
#else
		skip
#endif
	:: else -> page = PAGES
	fi
}

inline age_small()
{
#ifdef MUT_READ_TWICE
	spte = huge;
#endif
	CLAIM(claim_table, is_table(spte));
	do
	:: page < PAGES ->
		CLAIM(claim_range, page >= start);
		CLAIM(claim_alive, state[table_of(spte)] != FREE);
		age(small_of(table_of(spte), page), page, page);
		page++
	:: else -> break
	od
}

proctype Walk()
{
	byte start, page, spte, old;
	bit was_split;

end:
	do
	:: true ->
		if
		:: start = 0
		:: start = 1
		fi;
		page = start;
		d_step {
#ifndef MUT_NO_RCU
			readers = 1;
#endif
			before[0] = start == 0 && seems_young(0);
			before[1] = seems_young(1)
		}

		do
		:: page < PAGES ->
			spte = huge;
			if
			:: is_table(spte) -> age_small()
			:: else -> age_huge()
			fi
		:: else -> break
		od;

		CLAIM(claim_found, !before[0] && !before[1]);
		d_step { readers = 0; start = 0; page = 0; spte = 0; old = 0; was_split = 0 }
	od
}

/* --- mmu_lock -------------------------------------------------------------- */

inline make_table(t, accessed)
{
	state[t] = IN_USE;
	small_of(t, 0) = PRESENT | (accessed);
	small_of(t, 1) = PRESENT | (accessed)
}

inline free_unused(t)
{
	state[t] = FREE;
	small_of(t, 0) = 0;
	small_of(t, 1) = 0
}

/* For reading: with a cmpxchg, since others may split or map meanwhile. */
inline split_shared(t)
{
	d_step { seen = huge; make_table(t, seen & ACCESSED) };
	if
	:: atomic { huge == seen -> huge = TABLE(t) }
	:: d_step { huge != seen -> free_unused(t) }
	fi
}

/* For writing: with an xchg, which finds what the new page table doesn't have. */
inline split_exclusive(t)
{
	d_step { seen = huge; make_table(t, seen & ACCESSED) };
	d_step {
		if
		:: (huge & ACCESSED) && !(seen & ACCESSED) -> found(0, 1)
		:: else
		fi;
		huge = TABLE(t)
	}
}

/* Accessed bits that it finds are handed on, those of a page table afterwards. */
inline zap()
{
	d_step {
		seen = huge;
		before[0] = before[0] && !seems_young(0);
		before[1] = before[1] && !seems_young(1);
		huge = 0
	};
	if
	:: is_table(seen) ->
		small_of(table_of(seen), 0) = 0;
		small_of(table_of(seen), 1) = 0;
		state[table_of(seen)] = ZAPPED
	:: else
	fi
}

proctype Holder()
{
	byte seen;

end:
	do
	:: is_leaf(huge) && state[0] == FREE -> split_shared(0); seen = 0
	:: is_leaf(huge) && state[1] == FREE -> split_exclusive(1); seen = 0
	:: huge -> zap(); seen = 0
	:: d_step { state[0] == ZAPPED && !readers -> state[0] = FREE }
	:: d_step { state[1] == ZAPPED && !readers -> state[1] = FREE }
	od
}

/* --- the guest ------------------------------------------------------------- */

inline access(spte)
{
	spte = spte | PRESENT | ACCESSED
}

proctype Guest(byte page)
{
end:
	do
	:: atomic { is_table(huge) -> access(small_of(table_of(huge), page)) }
	:: atomic { !is_table(huge) -> access(huge) }
	od
}

init
{
	atomic {
		run Walk();
		run Holder();
		run Guest(0);
		run Guest(1)
	}
}
