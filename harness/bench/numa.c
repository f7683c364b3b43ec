// SPDX-License-Identifier: GPL-2.0
/*
 * How often NUMA balancing announces a guest's memory to KVM, per second in which its
 * process runs: it scans all memory about as often.  One node is enough for that, as the
 * process has two threads: one is KVM's own.
 */
#include <stdio.h>

#include "bench.h"

#define SIZE			(4 * MIB)
#define SECONDS			4
#define BALANCING		"/proc/sys/kernel/numa_balancing"
#define EVENT			"kvm/kvm_unmap_hva_range"

static struct vm vm;

static void guest_uses_all(void)
{
	vm_touch(&vm, GUEST_MEMORY, SIZE, PAGE);
}

static void spin(double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		;
}

/* With a guest that uses its memory at times, or is idle. */
static void run_for(double seconds, void (*use)(void))
{
	double end = now() + seconds;

	while (now() < end) {
		if (use)
			use();
		spin(0.25);
	}
}

static void begin(void)
{
	char filter[96];

	map_at(ARENA, SIZE);
	vm_create(&vm);
	vm_add_slot(&vm, ARENA, SIZE, GUEST_MEMORY);
	vm_add_vcpu(&vm);
	guest_uses_all();
	snprintf(filter, sizeof(filter), "start >= %#lx && start < %#lx",
		 (unsigned long)ARENA, (unsigned long)ARENA + SIZE);
	trace_filter(EVENT, filter);
	write_file(BALANCING, "1");
}

static void end(void)
{
	write_file(BALANCING, "0");
	trace_filter(EVENT, "0");
}

static void count(const char *name, void (*use)(void))
{
	trace_event(EVENT, true);
	trace_begin();
	run_for(SECONDS, use);
	trace_end();
	trace_event(EVENT, false);
	row("per-second", trace_count() / (double)SECONDS, 0, 0, "numa-ranges.%s",
	    name);
}

/* What was scanned once, and has not been used since, has lost access already. */
static void unused(void)
{
	begin();
	run_for(2, NULL);
	count("unused", NULL);
	end();
}

static void used(void)
{
	begin();
	count("used", guest_uses_all);
	end();
}

void part_numa(void)
{
	in_child(unused);
	in_child(used);
}
