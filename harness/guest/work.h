/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is done to guest memory, by the guest and by its host alike.
 *
 * Both sides compile this file, so that a word written on one side can be
 * judged on the other.
 */
#ifndef GUEST_WORK_H
#define GUEST_WORK_H

#define GUEST_PAGE_SIZE		4096ul
#define GUEST_PAGE_WORDS	(GUEST_PAGE_SIZE / 8)

/* Where things are in guest-physical memory. */
#define GUEST_PML4		0x1000ul
#define GUEST_PDPT		0x2000ul
#define GUEST_PD		0x3000ul	/* four pages, for 4 GiB */
#define GUEST_GDT		0x7000ul
#define GUEST_IDT		0x7100ul
#define GUEST_ORDERS		0x8000ul	/* one struct order per vCPU */
#define GUEST_STACKS		0x9000ul	/* one page per vCPU */
#define GUEST_CODE		0x20000ul
#define GUEST_ENTRY		(GUEST_CODE + 0x400)
#define GUEST_FREE		0x30000ul	/* tested, or page tables first */

#define GUEST_MAX_VCPUS		16

/* A byte written to one of these ports hands control to the host. */
#define GUEST_PORT_STEP		0x10		/* some more pages are done */
#define GUEST_PORT_DONE		0x11		/* the order is carried out */
#define GUEST_PORT_EXCEPTION	0x12		/* RDI: struct exception */

#define GUEST_VECTORS		32
#define GUEST_VECTOR_SIZE	16		/* code of one vector's entry */

/* What the guest's stack holds when it calls the host for an exception */
struct exception {
	unsigned long vector, error, rip, cs, rflags, rsp, ss;
};

#define ORDER_STEP_PAGES	1024

#define ORDER_VERIFY		1ul		/* what was filled last */
#define ORDER_FILL		2ul

/* One sweep over one vCPU's share of the pages. */
struct order {
	unsigned long what;
	unsigned long old_seed;		/* to verify */
	unsigned long new_seed;		/* to fill with */
	unsigned long first;		/* page numbers: first, first + stride... */
	unsigned long end;		/* ... below end */
	unsigned long stride;
	/* the outcome */
	unsigned long pages;
	unsigned long bad_pages;
	unsigned long bad_words;
	unsigned long bad_address;	/* of the first bad word */
	unsigned long bad_value;
};

/*
 * For one seed no two addresses have the same pattern, and an address has
 * another one for every seed: a word that is lost, stale or in the wrong place
 * can't pass for the right one.
 */
static inline unsigned long pattern(unsigned long address, unsigned long seed)
{
	return (address + seed * 0x9e3779b97f4a7c15ul) * 0xbf58476d1ce4e5b9ul;
}

static inline void fill_page(volatile unsigned long *page,
			     unsigned long address, unsigned long seed)
{
	unsigned long i;

	for (i = 0; i < GUEST_PAGE_WORDS; i++)
		page[i] = pattern(address + i * 8, seed);
}

static inline void verify_page(const volatile unsigned long *page,
			       unsigned long address, struct order *o)
{
	unsigned long i, value, bad = 0;

	for (i = 0; i < GUEST_PAGE_WORDS; i++) {
		value = page[i];
		if (value == pattern(address + i * 8, o->old_seed))
			continue;
		if (!o->bad_words && !bad) {
			o->bad_address = address + i * 8;
			o->bad_value = value;
		}
		bad++;
	}
	o->bad_words += bad;
	o->bad_pages += bad != 0;
}

/* Carry out an order on the guest memory that is mapped at @memory. */
static inline void carry_out(char *memory, struct order *o, void (*step)(void))
{
	unsigned long page, address;

	for (page = o->first; page < o->end; page += o->stride) {
		address = page * GUEST_PAGE_SIZE;
		if (o->what & ORDER_VERIFY)
			verify_page((void *)(memory + address), address, o);
		if (o->what & ORDER_FILL)
			fill_page((void *)(memory + address), address,
				  o->new_seed);
		if (++o->pages % ORDER_STEP_PAGES == 0)
			step();
	}
}

#endif
