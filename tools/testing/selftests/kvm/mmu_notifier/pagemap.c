// SPDX-License-Identifier: GPL-2.0
/*
 * What the host's page tables say about guest memory.
 */
#include "host.h"

uint64_t pagemap_of(size_t page)
{
	static int fd = -1;
	uint64_t entry = 0;
	off_t offset;

	if (fd < 0)
		fd = open_path_or_exit("/proc/self/pagemap", O_RDONLY);
	offset = (unsigned long)page_at(test.mem, page) / PAGE_SIZE * sizeof(entry);
	if (pread(fd, &entry, sizeof(entry), offset) != sizeof(entry))
		fail("cannot read /proc/self/pagemap");
	return entry;
}

size_t count_pages(struct range r, uint64_t bits)
{
	size_t p, n = 0;

	for (p = r.first; p < r.first + r.n; p++)
		n += !!(pagemap_of(p) & bits);
	return n;
}

/* Shared memory leaves no entry behind when it is swapped out. */
size_t count_out(struct range r)
{
	return test.kind == ANON ? count_pages(r, PAGEMAP_SWAPPED) :
				   r.n - count_pages(r, PAGEMAP_PRESENT);
}

/*
 * What the guest uses is mapped in the host, by the guest's own faults.  Memory
 * may get short for other reasons, so it may take several looks to find all of
 * it there.
 */
void check_mapped(struct range r)
{
	size_t n = 0;
	int i;

	for (i = 0; i < 10; i++) {
		wait_passes(2);
		n = count_pages(r, PAGEMAP_PRESENT);
		if (n == r.n)
			return;
	}
	fail("gpa %#lx: the guest uses %lu pages, only %lu are mapped",
	     gpa_of(r.first), r.n, n);
}
