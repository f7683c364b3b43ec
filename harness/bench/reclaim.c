// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to swap out the memory of a guest, which has all of it mapped:
 * instructions, calls of KVM, acquisitions of its mmu_lock and flushes of its TLB
 * for a page of 4 KiB, when the host has it in folios of different sizes.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>

#include "bench.h"

#define SIZE			(4 * MIB)
#define THP			"/sys/kernel/mm/transparent_hugepage/"

static const struct folio_size {
	const char *name;
	const char *sysfs;		/* of this size, or NULL */
	bool quick;
} sizes[] = {
	{ "4k", NULL, true },
	{ "64k", "hugepages-64kB", true },
	{ "2m", "hugepages-2048kB", true },
};

#define SIZES			(sizeof(sizes) / sizeof(*sizes))

static const struct folio_size *of;
static struct vm vm;

static unsigned long large_faults(void)
{
	char path[256];

	if (!of->sysfs)
		return 0;
	snprintf(path, sizeof(path), THP "%s/stats/anon_fault_alloc", of->sysfs);
	return read_number(path, NULL);
}

/*
 * New folios of the right size, all of them mapped by the guest.  Where there has
 * been a page table there would be no huge page.
 */
static void prepare(void)
{
	unsigned long before = large_faults();

	unmap(ARENA, SIZE);
	map_at(ARENA, SIZE);
	vm_touch(&vm, GUEST_MEMORY, SIZE, PAGE);
	if (of->sysfs && large_faults() == before)
		errx(1, "reclaim.%s: there are no folios of this size", of->name);
}

static void page_out(void)
{
	if (madvise(ARENA, SIZE, MADV_PAGEOUT))
		err(1, "MADV_PAGEOUT");
}

static void check_gone(void)
{
	static unsigned char in_core[SIZE / PAGE];
	unsigned long i;

	if (mincore(ARENA, SIZE, in_core))
		err(1, "mincore");
	for (i = 0; i < SIZE / PAGE; i++)
		if (in_core[i] & 1)
			errx(1, "reclaim.%s: page %lu was not swapped out",
			     of->name, i);
}

static void count(const char *event, const char *name)
{
	prepare();
	trace_event(event, true);
	trace_begin();
	page_out();
	trace_end();
	trace_event(event, false);
	row("per-page", trace_count() / (double)(SIZE / PAGE), 0, 0, "%s.%s",
	    name, of->name);
}

static void measure_size(void)
{
	struct job job = {
		.prepare = prepare,
		.run = page_out,
		.ops = SIZE / PAGE,
		.repeats = 5,
	};
	unsigned long flushes;

	map_at(ARENA, SIZE);
	vm_create(&vm);
	vm_add_slot(&vm, ARENA, SIZE, GUEST_MEMORY);
	vm_add_vcpu(&vm);
	measure(&job, "instr/page", "reclaim.%s", of->name);
	check_gone();

	prepare();
	flushes = vm_stat(&vm, false, "remote_tlb_flush_requests");
	page_out();
	flushes = vm_stat(&vm, false, "remote_tlb_flush_requests") - flushes;
	row("per-page", flushes / (double)(SIZE / PAGE), 0, 0,
	    "reclaim-flushes.%s", of->name);
	count("kvm/kvm_unmap_hva_range", "reclaim-calls");

	prepare();
	vm_count_locks(&vm, page_out, SIZE / PAGE, "reclaim", of->name);
}

static void use_size(const char *value)
{
	char path[256];

	if (!of->sysfs)
		return;
	snprintf(path, sizeof(path), THP "%s/enabled", of->sysfs);
	write_file(path, "%s", value);
}

void part_reclaim(void)
{
	unsigned int i;

	for (i = 0; i < SIZES; i++) {
		of = &sizes[i];
		if (quick && !of->quick)
			continue;
		use_size("always");
		in_child(measure_size);
		use_size("never");
	}
}
