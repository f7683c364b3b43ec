// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: guest pages are moved, away from memory that goes bad or to get them
 * together.
 */
#include "paths.h"

/* Each page is taken out of use for good, so there are few. */
const char *path_soft_offline(void)
{
	struct range r;
	int i, j;

	test.counted = "pages moved";
	start_guest(true, false, false);
	for (i = 0; i < DIV_ROUND_UP(test.iterations, 2); i++) {
		for (j = 0; j < 2; j++) {
			r = (struct range){ rnd(test.npages), 1 };
			if (!madvise(mem_of(r), PAGE_SIZE, MADV_SOFT_OFFLINE))
				test.count++;
			else if (errno == EINVAL || errno == EPERM)
				return "MADV_SOFT_OFFLINE isn't possible";
			check_range(r);
		}
	}
	if (!test.count)
		fail("no page was moved");
	return NULL;
}

const char *path_compact(void)
{
	uint64_t *before = calloc(test.npages, sizeof(*before));
	const char *skipped = NULL;
	size_t p;
	int i;

	test.counted = "pages moved";
	start_guest(true, false, false);
	for (i = 0; i < test.iterations; i++) {
		for (p = 0; p < test.npages; p++)
			before[p] = pagemap_of(p) & PAGEMAP_PFN;
		if (!write_file("/proc/sys/vm/compact_memory", "1")) {
			skipped = "memory can't be compacted";
			break;
		}
		for (p = 0; p < test.npages; p++)
			test.count += before[p] != (pagemap_of(p) & PAGEMAP_PFN);
		check_range(some_pages());
	}
	free(before);
	if (!skipped && !test.count)
		skipped = "nothing was moved";
	return skipped;
}
