// SPDX-License-Identifier: GPL-2.0
/*
 * How often a vCPU faults for one page while its VMM unmaps other pages of the
 * memslot: two threads do so, at both ends of it, and a slow subscriber keeps
 * one or the other range in progress nearly all of the time.  The pages that
 * the vCPU wants are in the middle, where nothing is unmapped, so one fault for
 * each is enough.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define SIZE			(16 * MIB)
#define WANTED			(64 * PAGE)
#define ROUNDS			(quick ? 20 : 100)

static struct vm vm;
static bool done;

static void *unmap_page(void *page)
{
	int i;

	for (i = 0; i < ROUNDS && !__atomic_load_n(&done, __ATOMIC_RELAXED); i++) {
		touch(page, PAGE);
		if (madvise(page, PAGE, MADV_DONTNEED))
			err(1, "MADV_DONTNEED");
	}
	return NULL;
}

static void measure_faults(void)
{
	pthread_t low, high;
	unsigned long faults;
	double begin;

	map_at(ARENA, SIZE);
	touch(ARENA + SIZE / 2, WANTED);
	/* KVM subscribes last, is notified first, and then has to wait. */
	subscribe(MN_BENCH_LIST, 1, ARENA, SIZE, 0, 1);
	vm_create(&vm);
	vm_add_slot(&vm, ARENA, SIZE, GUEST_MEMORY);
	vm_add_vcpu(&vm);
	vm_touch(&vm, GUEST_MEMORY + SIZE / 2 + WANTED, PAGE, PAGE);

	if (pthread_create(&low, NULL, unmap_page, ARENA) ||
	    pthread_create(&high, NULL, unmap_page, ARENA + SIZE - PAGE))
		errx(1, "pthread_create");
	/* By then both have begun. */
	usleep(20000);
	faults = vm_stat(&vm, true, "pf_taken");
	begin = now();
	vm_touch(&vm, GUEST_MEMORY + SIZE / 2, WANTED, PAGE);
	row("s", now() - begin, 0, 0, "faults-time.unmap-elsewhere");
	faults = vm_stat(&vm, true, "pf_taken") - faults;
	row("per-page", faults / (double)(WANTED / PAGE), 0, 0,
	    "faults.unmap-elsewhere");
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	pthread_join(low, NULL);
	pthread_join(high, NULL);
}

void part_faults(void)
{
	in_child(measure_faults);
}
