// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: guest memory is populated, write-protected and moved by userfaultfd.
 */
#include "paths.h"
#include "uffd.h"

#define NO_UFFD		"there is no userfaultfd"
#define NO_SUPPORT	"userfaultfd does not support this memory"

/* Returns NULL, or why userfaultfd can't be used; @missing if it lacks @features. */
static const char *open_memory(uint64_t features, uint64_t mode,
			       const char *missing)
{
	if (!uffd_open(features))
		return missing;
	if (!uffd_register(test.mem, bytes_of(all_pages()), mode)) {
		uffd_close();
		return NO_SUPPORT;
	}
	return NULL;
}

/* Pages are taken away by @take, and given back by @give when the guest faults. */
static void take_and_give(void (*take)(struct range r),
			  void (*give)(void *address))
{
	struct range r;
	int i;

	test.counted = "faults";
	uffd_start(give);
	start_guest(false, false, false);
	for (i = 0; i < test.iterations; i++) {
		r = some_pages();
		announce(r, 2);
		take(r);
		wait_passes(2);
		withdraw(r);
		wait_passes(1);
	}
	park_vcpus();
	test.count = uffd.faults;
}

const char *path_uffd_missing(void)
{
	const char *skipped;

	skipped = open_memory(0, UFFDIO_REGISTER_MODE_MISSING, NO_UFFD);
	if (skipped)
		return skipped;
	take_and_give(drop_pages, uffd_copy);
	if (!test.count)
		fail("no page was missing");
	uffd_close();
	return NULL;
}

static void unmap_pages(struct range r)
{
	must(madvise(mem_of(r), bytes_of(r), MADV_DONTNEED));
}

const char *path_uffd_minor(void)
{
	const char *skipped;

	skipped = open_memory(test.kind == SHMEM ? UFFD_FEATURE_MINOR_SHMEM :
						   UFFD_FEATURE_MINOR_HUGETLBFS,
			      UFFDIO_REGISTER_MODE_MINOR,
			      "there is no userfaultfd for minor faults");
	if (skipped)
		return skipped;
	take_and_give(unmap_pages, uffd_continue);
	if (!test.count)
		fail("no page was unmapped");
	uffd_close();
	return NULL;
}

static void uffd_protect(struct range r, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { (unsigned long)mem_of(r), bytes_of(r) },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	must(ioctl(uffd.fd, UFFDIO_WRITEPROTECT, &wp));
}

const char *path_uffd_wp(void)
{
	uint64_t stuck[MAX_VCPUS];
	const char *skipped;
	struct range r;
	int i;

	skipped = open_memory(UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			      (test.kind == ANON ? 0 :
			       UFFD_FEATURE_WP_HUGETLBFS_SHMEM),
			      UFFDIO_REGISTER_MODE_WP,
			      "there is no userfaultfd for write protection");
	if (skipped)
		return skipped;
	uffd_start(NULL);
	start_guest(true, false, false);
	for (i = 0; i < test.iterations; i++) {
		r = some_pages();
		test.doing = "write-protected";
		/* Before, as a vCPU that waits faults only once. */
		get_stuck(stuck);
		uffd_protect(r, true);
		check_stuck(r, mem_of(r), stuck);
		test.doing = "back";
		uffd_protect(r, false);
		check_range(r);
		test.count++;
	}
	park_vcpus();
	uffd_close();
	return NULL;
}

static void uffd_move(void *from, void *to, size_t length)
{
	struct uffdio_move move;

	while (length) {
		move = (struct uffdio_move){
			.dst = (unsigned long)to,
			.src = (unsigned long)from,
			.len = length,
		};
		if (ioctl(uffd.fd, UFFDIO_MOVE, &move) && errno != EAGAIN &&
		    errno != EBUSY)
			fail("UFFDIO_MOVE: %s", strerror(errno));
		if (move.move > 0) {
			from += move.move;
			to += move.move;
			length -= move.move;
		}
	}
}

const char *path_uffd_move(void)
{
	size_t size = bytes_of(all_pages());
	uint64_t stuck[MAX_VCPUS];
	const char *skipped;
	struct range r;
	int i;

	skipped = open_memory(UFFD_FEATURE_MOVE, UFFDIO_REGISTER_MODE_MISSING,
			      "there is no userfaultfd that moves pages");
	if (skipped)
		return skipped;
	map_aside(size);
	if (!uffd_register(test.aside, size, UFFDIO_REGISTER_MODE_MISSING)) {
		uffd_close();
		return NO_SUPPORT;
	}
	uffd_start(NULL);
	start_guest(true, false, false);
	for (i = 0; i < test.iterations; i++) {
		r = some_pages();
		test.doing = "away";
		get_stuck(stuck);
		uffd_move(mem_of(r), test.aside, bytes_of(r));
		check_stuck(r, test.aside, stuck);
		announce(r, 2);
		fill_pages(r, test.aside);
		test.doing = "back";
		uffd_move(test.aside, mem_of(r), bytes_of(r));
		uffd_wake(mem_of(r), bytes_of(r));
		withdraw(r);
		check_range(r);
		test.count++;
	}
	park_vcpus();
	uffd_close();
	return NULL;
}

/*
 * Swaps pages out until each vCPU has seen all of them twice and, if there is
 * swap, some were out that had arrived.
 */
static void page_out_arrivals(void)
{
	size_t tries = 0, out = 0;
	bool swap = have_swap();
	struct range r;
	uint32_t i;

	for (i = 0; i < test.nvcpus; i++) {
		while (READ_ONCE(test.control->pass[i]) < 2 || (swap && !out)) {
			r = some_pages();
			must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
			if (swap && READ_ONCE(test.control->pass[i]))
				out += count_out(r);
			if (++tries > 10000)
				fail("nothing was swapped out");
			usleep(1000);
		}
	}
}

/* Memory arrives while other memory is on its way out. */
const char *path_postcopy(void)
{
	const char *skipped;

	drop_pages(all_pages());
	skipped = open_memory(0, UFFDIO_REGISTER_MODE_MISSING, NO_UFFD);
	if (skipped)
		return skipped;
	test.counted = "pages asked for";
	uffd_start(uffd_copy);
	set_guest(true, false, false);
	resume_vcpus(test.nvcpus);
	page_out_arrivals();
	check_mapped(all_pages());
	check_lines(all_pages());
	check_range(all_pages());
	park_vcpus();
	test.count = uffd.faults;
	if (!test.count)
		fail("no page was asked for");
	uffd_close();
	return NULL;
}
