/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest and the host agree on: what is in the pages, and how the host
 * directs the vCPUs.
 *
 * Host to guest: each page has a generation, written into its first and last
 * word.  Before the host changes a page it announces the generation to come
 * (high); when it is done it withdraws the earlier ones (low).  A vCPU reads low,
 * the page and high, in this order: a generation outside of low..high was read
 * through a translation that should have been gone.  No page is ever locked, so
 * that the guest is free to fault in the middle of what the host does.
 * An odd generation is a page of zeros.
 *
 * Guest to host: each vCPU has a line of its own in each page, in which it counts
 * up, and a word outside of the data that says how far it got.  A count that is
 * missing from the page was written to a page that is no longer the guest's.
 */
#ifndef MMU_NOTIFIER_GUEST_H
#define MMU_NOTIFIER_GUEST_H

#include "util.h"

#define MAX_VCPUS	16
#define PAGE_WORDS	(PAGE_SIZE / sizeof(uint64_t))

/* What a vCPU reports by a UCALL_SYNC */
enum {
	GUEST_PARKED,
	GUEST_READ_BAD,		/* page, low, high, what it read */
	GUEST_WRITE_LOST,	/* page, what it wrote last, 0, what it read */
};

/* What the vCPUs do */
enum {
	GUEST_SWEEP,		/* the pages to visit, again and again */
	GUEST_STEP,		/* one page each time the host says so */
	GUEST_PRIVATE,		/* a page of guest_memfd that the host punches out */
};

struct page_state {
	uint64_t low;
	uint64_t high;
	/* Not of this page: the one that a sweep visits at its place */
	uint64_t visit;
};

/* Shared by the guest, the host and the host's children */
struct control {
	uint32_t run;
	uint32_t mode;
	uint32_t writes;	/* vCPUs write as well */
	uint32_t zero_ok;	/* odd generations may be seen */
	uint32_t same;		/* all pages have equal contents */
	uint32_t flush_tlb;	/* in each pass */
	uint32_t npages;	/* that a sweep visits */
	uint32_t total;		/* that exist */
	uint64_t go;
	uint64_t ack;
	uint64_t pass[MAX_VCPUS];
	struct page_state page[];
	/* uint64_t commit[vcpu][page] */
};

size_t control_size(size_t pages, uint32_t vcpus);
uint64_t *commit_of(struct control *c, uint32_t vcpu, uint64_t page);
uint64_t page_value(struct control *c, uint64_t page, uint64_t gen);
uint64_t line_value(uint32_t vcpu, uint64_t page, uint32_t count);
uint64_t *line_of(void *page, uint32_t vcpu);

void guest_code(uint32_t id);

#endif /* MMU_NOTIFIER_GUEST_H */
