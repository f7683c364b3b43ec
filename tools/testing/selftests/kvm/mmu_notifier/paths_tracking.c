// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: the host finds out which pages the guest has used.
 */
#include "paths.h"

/* The guest has written to all pages since the soft-dirty bits were cleared. */
static void check_soft_dirty(void)
{
	size_t n;

	wait_passes(2);
	n = count_pages(all_pages(), PAGEMAP_SOFT_DIRTY);
	if (n != test.npages)
		fail("the guest wrote to %lu pages, only %lu are soft-dirty",
		     test.npages, n);
}

const char *path_soft_dirty(void)
{
	int i;

	start_guest(true, false, false);
	for (i = 0; i < test.iterations; i++) {
		test.doing = "clear";
		park_vcpus();
		if (!write_file("/proc/self/clear_refs", "4"))
			return "there are no soft-dirty bits";
		if (count_pages(all_pages(), PAGEMAP_SOFT_DIRTY))
			return "soft-dirty bits can't be cleared";
		resume_vcpus(test.nvcpus);
		check_soft_dirty();
		test.doing = "clear under a running guest";
		write_file("/proc/self/clear_refs", "4");
		check_soft_dirty();
		check_range(some_pages());
		test.count++;
	}
	return NULL;
}

#define IDLE "/sys/kernel/mm/page_idle/bitmap"

/* Returns how many pages are idle, after making all of them so if @make. */
static size_t count_idle(int fd, bool make)
{
	uint64_t pfn, word;
	size_t p, n = 0;

	for (p = 0; p < test.npages; p++) {
		pfn = pagemap_of(p);
		/* It is being moved. */
		if (!(pfn & PAGEMAP_PRESENT))
			continue;
		pfn &= PAGEMAP_PFN;
		word = 1ull << (pfn % 64);
		/* The last word may reach beyond the end of memory. */
		if (make && pwrite(fd, &word, 8, pfn / 64 * 8) != 8)
			continue;
		if (pread(fd, &word, 8, pfn / 64 * 8) != 8)
			continue;
		n += !!(word & (1ull << (pfn % 64)));
	}
	return n;
}

/* What the guest uses is not idle, even if nobody else uses it. */
const char *path_idle(void)
{
	int fd = open(IDLE, O_RDWR);
	size_t idle, left;
	int i;

	if (fd < 0)
		return "idle pages can't be tracked";

	test.counted = "pages found in use";
	/* Clearing a page's young bit flushes no TLB. */
	test.control->flush_tlb = 1;
	start_guest(true, false, false);
	/* Moves pages off the lists of this CPU, where they can't be made idle. */
	write_file("/proc/sys/vm/compact_memory", "1");
	for (i = 0; i < DIV_ROUND_UP(test.iterations, 2); i++) {
		park_vcpus();
		idle = count_idle(fd, true);
		if (!idle)
			fail("no page can be idle");
		resume_vcpus(test.nvcpus);
		wait_passes(2);
		left = count_idle(fd, false);
		if (left > idle / 10)
			fail("expected none of %lu pages that the guest uses to be idle, seen %lu",
			     idle, left);
		test.count += idle - left;
		check_range(some_pages());
	}
	park_vcpus();
	close(fd);
	return NULL;
}

static struct {
	int fd;			/* of the idle bits */
	bool lru_gen;		/* is on */
	bool end;
	uint64_t found;		/* idle pages */
} ageing;

/*
 * Making a page idle tests and clears its young bits, in KVM as well.  A generation of
 * the multi-gen LRU does so for all pages of each page table.
 */
static void *ageing_thread(void *unused)
{
	while (!READ_ONCE(ageing.end)) {
		ageing.found += count_idle(ageing.fd, true);
		if (ageing.lru_gen)
			new_generation("/");
	}
	return NULL;
}

/*
 * KVM may age without the lock under which it maps, zaps and write-protects.  What
 * the guest writes meanwhile must be in the memory, and in the dirty log.
 */
const char *path_age(void)
{
	pthread_t thread;
	struct range r;
	int i;

	ageing.fd = open(IDLE, O_RDWR);
	if (ageing.fd < 0)
		return "idle pages can't be tracked";

	test.counted = "pages made idle";
	ageing.lru_gen = lru_gen_begin();
	ageing.end = false;
	ageing.found = 0;
	/* Otherwise accesses would not be seen any more. */
	test.control->flush_tlb = 1;
	start_guest(true, false, true);
	/* As in path_idle() */
	write_file("/proc/sys/vm/compact_memory", "1");
	pthread_create(&thread, NULL, ageing_thread, NULL);
	for (i = 0; i < test.iterations * 5; i++) {
		r = some_pages();
		test.doing = "protect";
		must(mprotect(mem_of(r), bytes_of(r), i & 1 ? PROT_READ : PROT_NONE));
		if (i & 2)
			usleep(rnd(1000));
		must(mprotect(mem_of(r), bytes_of(r), PROT_READ | PROT_WRITE));
		test.doing = "back";
		check_range(r);
		test.doing = "faults and ageing only";
		check_range(some_pages());
	}
	WRITE_ONCE(ageing.end, true);
	pthread_join(thread, NULL);
	close(ageing.fd);
	if (ageing.lru_gen)
		lru_gen_end();

	test.count = ageing.found;
	if (!test.count)
		fail("no page can be idle");
	return NULL;
}
