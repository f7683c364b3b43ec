// SPDX-License-Identifier: GPL-2.0
/*
 * How often a vCPU faults for one page while other pages of the memslot change, at
 * both ends of it: its VMM unmaps them, KSM merges them, or NUMA balancing looks
 * whether they are used.  Slow subscribers keep a range in progress for long.
 * The pages that the vCPU wants are in the middle, so one fault for each is enough.
 *
 * All of it ends after a while, since a vCPU may well have to wait until then.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define SIZE			(16 * MIB)
#define END			(32 * PAGE)	/* each end of it */
#define MIDDLE			(SIZE / 2)
#define WANTED			(64 * PAGE)
#define KSM			"/sys/kernel/mm/ksm/"
#define BALANCING		"/proc/sys/kernel/numa_balancing"

/* What goes on at both ends */
struct disturbance {
	const char *name;
	double seconds;
	unsigned int sleep_ms;		/* of a subscriber */
	void (*begin)(void);
	void (*disturb)(char *end);	/* by a thread for each end, again and again */
	void (*finish)(void);
};

static const struct disturbance *current;
static struct vm vm;
static double deadline;

static void unmap_page(char *end)
{
	touch(end, PAGE);
	if (madvise(end, PAGE, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
}

static void merge(void)
{
	if (madvise(ARENA, END, MADV_MERGEABLE) ||
	    madvise(ARENA + SIZE - END, END, MADV_MERGEABLE))
		err(1, "MADV_MERGEABLE");
	write_file(KSM "sleep_millisecs", "0");
	write_file(KSM "pages_to_scan", "1000");
	write_file(KSM "run", "1");
}

/* What is written is a page of its own again, and can be merged again. */
static void write_pages(char *end)
{
	touch(end, END);
	usleep(20000);
}

static void unmerge(void)
{
	if (!read_number(KSM "pages_shared", NULL))
		errx(1, "KSM has merged nothing");
	write_file(KSM "run", "2");
}

static void balance(void)
{
	write_file(BALANCING, "1");
}

/* The memory of a process is scanned while that runs. */
static void use_pages(char *end)
{
	double until = now() + 0.02;

	while (now() < until)
		touch(end, END);
}

static void stop_balancing(void)
{
	write_file(BALANCING, "0");
}

static void *disturb(void *end)
{
	while (now() < deadline)
		current->disturb(end);
	return NULL;
}

/* Returns how many faults the vCPU had for the pages in the middle. */
static unsigned long faults_for_wanted(void)
{
	unsigned long before = vm_stat(&vm, true, "pf_taken");

	vm_touch(&vm, GUEST_MEMORY + MIDDLE, WANTED, PAGE);
	return vm_stat(&vm, true, "pf_taken") - before;
}

static void drop_wanted(void)
{
	if (madvise(ARENA + MIDDLE, WANTED, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
	touch(ARENA + MIDDLE, WANTED);
}

static void make_vm(void)
{
	map_at(ARENA, SIZE);
	touch(ARENA, END);
	touch(ARENA + SIZE - END, END);
	/* KVM subscribes last, is notified first, and then has to wait. */
	subscribe(MN_BENCH_LIST, 2, ARENA, END, SIZE - END, current->sleep_ms);
	vm_create(&vm);
	vm_add_slot(&vm, ARENA, SIZE, GUEST_MEMORY);
	vm_add_vcpu(&vm);
	/* What the vCPU needs besides the pages in the middle */
	vm_touch(&vm, GUEST_MEMORY + MIDDLE + WANTED, PAGE, PAGE);
}

static void measure_faults(void)
{
	unsigned long faults = 0, rounds = 0;
	pthread_t low, high;
	double seconds = 0, begin;

	make_vm();
	if (current->begin)
		current->begin();
	deadline = now() + current->seconds;
	if (pthread_create(&low, NULL, disturb, ARENA) ||
	    pthread_create(&high, NULL, disturb, ARENA + SIZE - END))
		errx(1, "pthread_create");
	/* By then both have begun. */
	usleep(20000);
	do {
		drop_wanted();
		begin = now();
		faults += faults_for_wanted();
		seconds += now() - begin;
		rounds++;
	} while (now() < deadline);
	pthread_join(low, NULL);
	pthread_join(high, NULL);
	if (current->finish)
		current->finish();
	row("s", seconds / rounds, 0, 0, "faults-time.%s", current->name);
	row("per-page", (double)faults / rounds / (WANTED / PAGE), 0, 0, "faults.%s",
	    current->name);
}

static const struct disturbance disturbances[] = {
	{ "unmap-elsewhere", 1, 1, NULL, unmap_page, NULL },
	{ "ksm", 2, 1, merge, write_pages, unmerge },
	/* There is a range every second or two. */
	{ "numa-balancing", 6, 50, balance, use_pages, stop_balancing },
};

void part_faults(void)
{
	unsigned int i, n = sizeof(disturbances) / sizeof(disturbances[0]);

	for (i = 0; i < (quick ? 1 : n); i++) {
		current = &disturbances[i];
		in_child(measure_faults);
	}
}
