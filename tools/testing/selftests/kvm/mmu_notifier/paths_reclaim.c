// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: guest memory is swapped out, and freed lazily.
 */
#include "paths.h"

/*
 * Gets pages swapped out by @out and back in by the guest.  Now and then the guest
 * is parked, as it would want them back before they are counted.
 */
static const char *swap_pages(size_t (*out)(struct range r, bool parked))
{
	struct range r;
	bool parked;
	int i;

	start_guest(true, false, false);
	test.counted = "pages swapped out";
	for (i = 0; i < test.iterations; i++) {
		r = i & 1 ? some_pages() : all_pages();
		parked = !(i & 3);
		test.doing = "out";
		if (parked)
			park_vcpus();
		test.count += out(r, parked);
		if (parked)
			resume_vcpus(test.nvcpus);
		test.doing = "back in";
		check_mapped(r);
		check_range(i & 2 ? some_pages() : r);
	}
	if (!test.count)
		fail("nothing was swapped out");
	return NULL;
}

static size_t page_out(struct range r, bool parked)
{
	must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
	return count_out(r);
}

const char *path_pageout(void)
{
	return have_swap() ? swap_pages(page_out) : "there is no swap";
}

#define RECLAIM "/sys/fs/cgroup/memory.reclaim"

/*
 * Cold pages are reclaimed first.  It may still be other memory, so try until
 * some of this is out, unless the guest wants it back.
 */
static size_t reclaim(struct range r, bool parked)
{
	int tries = parked ? 100 : 1;
	size_t out = 0;
	char size[24];

	snprintf(size, sizeof(size), "%lu", bytes_of(r));
	while (tries-- && !out) {
		must(madvise(mem_of(r), bytes_of(r), MADV_COLD));
		/* This fails if less was reclaimed. */
		write_file(RECLAIM, size);
		out = count_out(r);
	}
	return out;
}

const char *path_reclaim(void)
{
	if (!have_swap())
		return "there is no swap";
	if (access(RECLAIM, W_OK))
		return "there is no memory.reclaim";
	return swap_pages(reclaim);
}

#define GENERATIONS	4	/* as many as there are at a time */

/*
 * The guest uses one half of its memory, and the host none.  When the other half is
 * some generations older, all that is reclaimed must come from there.
 */
static void use_half(const char *cgroup)
{
	struct range used = { 0, test.npages / 2 };
	struct range rest = { used.n, test.npages - used.n };
	size_t out;
	int i;

	test.doing = "use one half";
	park_vcpus();
	test.control->npages = used.n;
	resume_vcpus(test.nvcpus);
	for (i = 0; i < GENERATIONS; i++) {
		wait_passes(2);
		if (!new_generation(cgroup))
			fail("no new generation");
	}
	wait_passes(2);

	test.doing = "reclaim";
	park_vcpus();
	reclaim_cgroup(bytes_of(rest) / 2);
	out = count_out(used);
	if (out)
		fail("%lu of %lu pages that the guest uses were reclaimed, and %lu of %lu others",
		     out, used.n, count_out(rest), rest.n);
	test.count += count_out(rest);

	test.doing = "use all";
	test.control->npages = test.npages;
	resume_vcpus(test.nvcpus);
	check_range(all_pages());
}

const char *path_working_set(void)
{
	const char *cgroup;
	int i;

	if (!have_swap())
		return "there is no swap";
	if (!lru_gen_begin())
		return "there is no multi-gen LRU";
	cgroup = enter_cgroup(0);
	if (!cgroup) {
		lru_gen_end();
		return "there are no memory cgroups";
	}

	test.counted = "pages reclaimed that the guest doesn't use";
	/* What was there before is charged elsewhere. */
	reset_memory();
	/* As in path_idle() */
	test.control->flush_tlb = 1;
	start_guest(true, false, false);
	for (i = 0; i < test.iterations; i++)
		use_half(cgroup);
	leave_cgroup();
	lru_gen_end();
	if (!test.count)
		fail("nothing was reclaimed");
	return NULL;
}

/* The guest may see the old contents until they are reclaimed, then zeros. */
const char *path_free(void)
{
	struct range r;
	int i;

	start_guest(false, true, false);
	for (i = 0; i < test.iterations * 2; i++) {
		r = some_pages();
		announce(r, 2);
		test.doing = "free";
		must(madvise(mem_of(r), bytes_of(r), MADV_FREE));
		if (i & 1)
			wait_passes(1);
		test.doing = "reclaim";
		must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
		wait_passes(1);
		test.doing = "new contents";
		fill_pages(r, mem_of(r));
		withdraw(r);
		test.count++;
	}
	wait_passes(2);
	return NULL;
}
