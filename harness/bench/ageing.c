// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to age the memory of a guest, which has accessed all of it, for
 * a page table entry of the host: instructions, calls of KVM, and acquisitions of
 * its mmu_lock.  On a kernel without KVM there are only the instructions, for memory
 * that the process itself has accessed.
 *
 * The process is in a cgroup of its own, so that nobody else's pages are aged.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define SIZE			(4 * MIB)
#define PAGES			(SIZE / PAGE)
#define CGROUP			"/sys/fs/cgroup/bench"
#define LRU_GEN			"/sys/kernel/debug/lru_gen"

static struct vm vm;

static void access_all(void)
{
	if (have_kvm)
		vm_touch(&vm, GUEST_MEMORY, SIZE, PAGE);
	else
		touch(ARENA, SIZE);
}

/* --- the multi-gen LRU --------------------------------------------------- */

static char aging[128];

/* Find the cgroup's id, and its newest generation on node 0. */
static void prepare_mglru(void)
{
	unsigned long id = 0, seq, newest = 0;
	char line[256], name[128];
	FILE *f = fopen(LRU_GEN, "r");
	bool found = false;

	if (!f)
		err(1, LRU_GEN);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memcg %lu %127s", &seq, name) == 2) {
			if (found)
				break;
			found = !strcmp(name, "/bench");
			id = seq;
		} else if (found && sscanf(line, " %lu", &seq) == 1) {
			newest = seq;
		}
	}
	fclose(f);
	if (!found || !newest)
		errx(1, LRU_GEN ": no generation of the cgroup");
	snprintf(aging, sizeof(aging), "+ %lu 0 %lu 1 1", id, newest);
	access_all();
}

static void run_mglru(void)
{
	write_file(LRU_GEN, "%s", aging);
}

/* --- reclaim by the two lists -------------------------------------------- */

static void prepare_classic(void)
{
	access_all();
	touch(ARENA, SIZE);
}

/* A quarter of the pages are to go; the kernel may find fewer. */
static void run_classic(void)
{
	int fd = open(CGROUP "/memory.reclaim", O_WRONLY | O_CLOEXEC);
	char size[32];
	int n = snprintf(size, sizeof(size), "%lu", SIZE / 4);

	if (fd < 0 || (write(fd, size, n) != n && errno != EAGAIN))
		err(1, "memory.reclaim");
	close(fd);
}

/* --- idle page tracking -------------------------------------------------- */

static struct word {
	unsigned long index;
	uint64_t bits;
} words[PAGES];
static unsigned int n_words;
static int bitmap = -1;

static void add_page(unsigned long pfn)
{
	unsigned int i;

	for (i = 0; i < n_words; i++)
		if (words[i].index == pfn / 64)
			break;
	if (i == n_words)
		words[n_words++].index = pfn / 64;
	words[i].bits |= 1ull << pfn % 64;
}

static void prepare_idle(void)
{
	static uint64_t entries[PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned long i;

	access_all();
	if (fd < 0 || pread(fd, entries, sizeof(entries),
			    (uintptr_t)ARENA / PAGE * 8) != sizeof(entries))
		err(1, "/proc/self/pagemap");
	close(fd);
	memset(words, 0, sizeof(words));
	n_words = 0;
	for (i = 0; i < PAGES; i++) {
		if (!(entries[i] >> 63))
			errx(1, "page %lu is not in memory", i);
		add_page(entries[i] & ((1ull << 55) - 1));
	}
	if (bitmap < 0)
		bitmap = open("/sys/kernel/mm/page_idle/bitmap",
			      O_RDWR | O_CLOEXEC);
	if (bitmap < 0)
		err(1, "page_idle/bitmap");
}

static void run_idle(void)
{
	unsigned int i;

	/* The word of the last pages of memory may not count. */
	for (i = 0; i < n_words; i++)
		if (pwrite(bitmap, &words[i].bits, 8, words[i].index * 8) < 0)
			err(1, "write to page_idle/bitmap");
}

/* --- DAMON --------------------------------------------------------------- */

static void begin_damon(void)
{
	access_all();
	damon_begin(ARENA, SIZE);
}

/*
 * See that it has aged: nearly all pages must be found accessed, and if there is a guest
 * only that has accessed them, as the pass before cleared the accessed bits of the CPU.
 * Pages that are about to change lists are passed over.
 */
static void end_damon(void)
{
	unsigned long accessed;

	access_all();
	trace_filter("damon/damon_aggregated", "nr_accesses > 0");
	trace_event("damon/damon_aggregated", true);
	trace_begin();
	damon_pass();
	trace_end();
	trace_event("damon/damon_aggregated", false);
	accessed = trace_count();
	if (accessed < PAGES - PAGES / 10)
		errx(1, "DAMON finds %lu of %lu pages accessed", accessed, PAGES);
	damon_end();
}

/* ------------------------------------------------------------------------- */

static const struct method {
	const char *name;
	bool mglru;			/* is on */
	void (*prepare)(void);
	void (*run)(void);
	uint64_t (*count)(void);	/* as in struct job */
	void (*begin)(void);
	void (*end)(void);
} methods[] = {
	{ .name = "idle", .prepare = prepare_idle, .run = run_idle },
	{ .name = "classic", .prepare = prepare_classic, .run = run_classic },
	{
		.name = "mglru",
		.mglru = true,
		.prepare = prepare_mglru,
		.run = run_mglru,
	},
	{
		.name = "damon",
		.prepare = access_all,
		.run = damon_pass,
		.count = damon_counter,
		.begin = begin_damon,
		.end = end_damon,
	},
};

static const struct method *by;

static void count_kvm(void)
{
	by->prepare();
	trace_event("kvm/kvm_age_hva", true);
	trace_event("kvm/kvm_test_age_hva", true);
	trace_begin();
	by->run();
	trace_end();
	trace_event("kvm/kvm_age_hva", false);
	trace_event("kvm/kvm_test_age_hva", false);
	row("per-page", trace_count() / (double)PAGES, 0, 0, "ageing-calls.%s",
	    by->name);

	by->prepare();
	vm_count_locks(&vm, by->run, PAGES, "ageing", by->name);
}

static void measure_method(void)
{
	struct job job = {
		.prepare = by->prepare,
		.run = by->run,
		.count = by->count,
		.ops = PAGES,
		.repeats = 5,
	};

	write_file(CGROUP "/cgroup.procs", "%d", getpid());
	map_at(ARENA, SIZE);
	if (have_kvm) {
		vm_create(&vm);
		vm_add_slot(&vm, ARENA, SIZE, GUEST_MEMORY);
		vm_add_vcpu(&vm);
	}
	if (by->begin)
		by->begin();
	measure(&job, "instr/page", "ageing.%s", by->name);
	if (have_kvm)
		count_kvm();
	if (by->end)
		by->end();
}

void part_ageing(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		by = &methods[i];
		write_file("/sys/kernel/mm/lru_gen/enabled",
			   by->mglru ? "y" : "n");
		in_child(measure_method);
		write_file("/sys/kernel/mm/lru_gen/enabled", "n");
	}
}
