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
