/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests of liveness, as whatever waits for invalidations must end: a VM,
 * threads that invalidate all the time, and the measure of progress.
 *
 * Progress is measured by what the others achieve meanwhile: an operation has
 * failed to end if it goes on for a given number of their invalidations.  How
 * fast the machine is doesn't matter.
 *
 * Each path runs in a process of its own.  Killing it also ends an operation that
 * would otherwise go on forever.
 */
#ifndef MMU_NOTIFIER_LIVENESS_H
#define MMU_NOTIFIER_LIVENESS_H

#include "util.h"

#define CLOCK_GPA	0x90000000ul
#define CLOCK_SLOT	12
#define CLOCK_PAGES	16
#define OTHER_GPA	0xa0000000ul
#define OTHER_SLOT	13
#define OTHER_PAGES	16
#define DATA_GPA2	0x48000000ul
#define DATA_PAGES	4096ul
#define FEW_PAGES	64ul	/* of the data */

#define PTE_TABLE	(2ul << 20)	/* what a page table maps */
#define LONG_SIZE	(128ul << 20)	/* of an invalidation that takes long */

/* No operation may take longer than this many invalidations. */
#define LIMIT_SHORT	100000		/* of a page */
#define LIMIT_LONG	5000		/* of LONG_SIZE */
#define LIMIT_BUSY	400000		/* of a page, for what waits for RCU as well */

#define MAX_STORMS	16
#define WATCH_INTERVAL	100000		/* microseconds */

/* Shared by the processes of a path and the one that watches them */
struct report {
	const char *what;	/* is being done */
	uint64_t limit;		/* of invalidations meanwhile, or 0 */
	uint64_t since;
	uint64_t invalidations;
	uint64_t worst;
	uint64_t count;		/* of what the path counts: its progress */
	const char *counted;
	uint32_t failed;
	uint32_t reported;
	uint32_t ready;
	pid_t storms[MAX_STORMS];
	char text[256];
};

extern struct report *report;

struct liveness {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	/* What is mapped: one side, the clock's and the data's memory, the other */
	char *left;
	char *clock;
	char *other;
	char *data;
	char *right;
	int iterations;
	int minutes;		/* without progress until a path counts as hung */
};

extern struct liveness test;

int run_paths(int argc, char *argv[], const struct path *paths, size_t npaths);

/* Progress */
uint64_t now(void);
uint64_t invalidations(void);
void counted(const char *what);
void must_end(const char *what, uint64_t limit);
void ended(void);
bool wait_process(pid_t pid);

/* Threads that invalidate all the time */
struct storm {
	void (*blow)(struct storm *s);
	char *at;
	size_t size;
	unsigned int seed;
	unsigned int n;
	pthread_t thread;
};

void blow_long(struct storm *s);
void make_page_tables(char *at, size_t size);
void block_signals(void);
void start_storm(void (*blow)(struct storm *s), char *at, size_t size);
void start_short_storms(void);
void start_long_storms(void);
void start_yardstick(void);
void end_storms(void);

/* The VM */
void create_arena(void);
void create_vm(void);
void set_slot(uint32_t slot, uint64_t gpa, size_t pages, void *hva);
void delete_slot(uint32_t slot);
void drop(char *at, size_t pages);
uint64_t guest_reads(uint64_t gpa);

#endif /* MMU_NOTIFIER_LIVENESS_H */
