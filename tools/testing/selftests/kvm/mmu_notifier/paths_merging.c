// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: guest pages are merged into shared or huge ones, and split again.
 */
#include "paths.h"

#define KSM "/sys/kernel/mm/ksm/"
#define MERGED "/proc/self/ksm_merging_pages"

/* Waits for the pages to be merged, for eight scans, and returns how many were. */
static long wait_merged(void)
{
	long scans = read_number(KSM "full_scans");
	long n;

	do {
		usleep(1000);
		n = read_number(MERGED);
	} while (n < (long)test.npages - 16 &&
		 read_number(KSM "full_scans") < scans + 8);
	return n;
}

/* All pages are equal, get merged, and differ again one by one. */
static void merge_pages(void)
{
	struct range all = all_pages();
	long merged;

	test.doing = "merge";
	drop_pages(all);
	forget_lines();
	host_writes(all);
	start_guest(false, false, false);
	must(madvise(test.mem, bytes_of(all), MADV_MERGEABLE));
	merged = wait_merged();
	if (merged <= 0)
		fail("no page was merged");
	test.count += merged;
	wait_passes(1);
	test.doing = "break by the host";
	check_range((struct range){ 0, test.npages / 2 });
	test.doing = "break by the guest";
	WRITE_ONCE(test.control->writes, 1);
	wait_passes(2);
	check_range((struct range){ test.npages / 4, test.npages / 2 });
	test.doing = "unmerge";
	must(madvise(test.mem, bytes_of(all), MADV_UNMERGEABLE));
	check_range(all);
	park_vcpus();
	check_lines(all);
}

const char *path_ksm(void)
{
	long run = read_number(KSM "run"), interval, pages;
	int i;

	if (run < 0 || read_number(MERGED) < 0)
		return "there is no KSM";
	interval = read_number(KSM "sleep_millisecs");
	pages = read_number(KSM "pages_to_scan");

	test.counted = "pages merged";
	test.control->same = 1;
	write_number(KSM "sleep_millisecs", 0);
	write_number(KSM "pages_to_scan", 4096);
	write_number(KSM "run", 1);
	for (i = 0; i < DIV_ROUND_UP(test.iterations, 4); i++)
		merge_pages();
	write_number(KSM "run", run);
	write_number(KSM "sleep_millisecs", interval);
	write_number(KSM "pages_to_scan", pages);
	return NULL;
}

/* Returns false if the kernel can't do it. */
static bool collapse(struct range r)
{
	int i;

	test.doing = "collapse";
	for (i = 0; i < 50; i++) {
		if (!madvise(mem_of(r), bytes_of(r), MADV_COLLAPSE)) {
			test.count++;
			break;
		}
		if (errno == EINVAL)
			return false;
	}
	check_range(r);
	return true;
}

static void split_mapping(struct range r)
{
	test.doing = "split of the mapping";
	set_guest(true, false, true);
	must(mprotect(mem_of(r), bytes_of(r), PROT_READ));
	check_frozen(r, mem_of(r));
	must(mprotect(mem_of(r), bytes_of(r), PROT_READ | PROT_WRITE));
	check_range(r);
}

static void split_pages(void)
{
	char command[80];

	test.doing = "split of the page";
	snprintf(command, sizeof(command), "%d,0x%lx,0x%lx,0", getpid(),
		 (long)test.mem, (long)page_at(test.mem, test.npages));
	write_file("/sys/kernel/debug/split_huge_pages", command);
	check_range(some_pages());
}

const char *path_thp(void)
{
	size_t first, huge = 512;
	int i;

	if (!thp_configured() || test.npages < huge)
		return "there are no huge pages";

	test.counted = "huge pages made";
	must(madvise(test.mem, bytes_of(all_pages()), MADV_HUGEPAGE));
	start_guest(true, false, false);
	for (i = 0; i < test.iterations; i++) {
		first = rnd(test.npages / huge) * huge;
		if (!collapse((struct range){ first, huge }))
			return "MADV_COLLAPSE isn't supported";
		split_mapping((struct range){ first + rnd(huge), 1 });
		split_pages();
	}
	if (!test.count)
		fail("no huge page could be made");
	return NULL;
}
