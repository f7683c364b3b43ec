// SPDX-License-Identifier: GPL-2.0
/*
 * DAMON, made predictable.  It watches regions of which it samples one page each, at
 * random, in a thread that a timer wakes, and splits and merges them as it likes.
 * So each page is a region: that leaves nothing to choose, and a region can't be
 * split, nor merged as the regions must not be fewer.  And a pass, which is one
 * sample of all of them, is recognised by the CPU time of the thread: between two
 * passes it sleeps for so long that no other can come in between.
 *
 * In a pass it asks whether each page was accessed since the last one, and then marks
 * it as not accessed.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define KDAMONDS		"/sys/kernel/mm/damon/admin/kdamonds/"
#define KDAMOND			KDAMONDS "0/"
#define CONTEXT			KDAMOND "contexts/0/"
#define ATTRS			CONTEXT "monitoring_attrs/"
#define TARGET			CONTEXT "targets/0/"

#define PASS_US			1000000u	/* from one pass to the next */
#define POLL_US			(PASS_US / 20)	/* a pass takes less */
#define NEVER_US		(3600ul * PASS_US)

static clockid_t clock_of_thread;

/* What the thread has executed */
uint64_t damon_counter(void)
{
	return clock_ns(clock_of_thread);
}

/* Wait until the thread sleeps. */
static void wait_sleep(void)
{
	uint64_t last;

	do {
		last = damon_counter();
		usleep(POLL_US);
	} while (damon_counter() != last);
}

/* Wait for the next pass, and its end. */
void damon_pass(void)
{
	uint64_t before = damon_counter();

	while (damon_counter() == before)
		usleep(POLL_US);
	wait_sleep();
}

static void set(const char *path, unsigned long value)
{
	write_file(path, "%lu", value);
}

static void set_regions(char *addr, unsigned long pages)
{
	char path[256];
	unsigned long i;

	set(TARGET "regions/nr_regions", pages);
	for (i = 0; i < pages; i++) {
		snprintf(path, sizeof(path), TARGET "regions/%lu/start", i);
		set(path, (uintptr_t)addr + i * PAGE);
		snprintf(path, sizeof(path), TARGET "regions/%lu/end", i);
		set(path, (uintptr_t)addr + (i + 1) * PAGE);
	}
}

/*
 * New pages wait in a batch of their CPU before DAMON can find them.  This drains
 * it.
 */
static void drain_batch(void)
{
	map_at(ELSEWHERE, PAGE);
	if (madvise(ELSEWHERE, PAGE, MADV_COLD))
		err(1, "MADV_COLD");
	unmap(ELSEWHERE, PAGE);
}

/* Watch all pages of a range, all of which are in memory; returns after a pass. */
void damon_begin(char *addr, unsigned long size)
{
	unsigned long pages = size / PAGE, pid;

	drain_batch();
	set(KDAMONDS "nr_kdamonds", 1);
	set(KDAMOND "contexts/nr_contexts", 1);
	/* Virtual addresses, and only those that it is given */
	write_file(CONTEXT "operations", "fvaddr");
	set(ATTRS "intervals/sample_us", PASS_US);
	set(ATTRS "intervals/aggr_us", PASS_US);
	set(ATTRS "intervals/update_us", NEVER_US);
	set(ATTRS "nr_regions/min", pages);
	set(ATTRS "nr_regions/max", pages);
	set(CONTEXT "targets/nr_targets", 1);
	set(TARGET "pid_target", getpid());
	set_regions(addr, pages);
	write_file(KDAMOND "state", "on");

	usleep(POLL_US);
	pid = read_number(KDAMOND "pid", NULL);
	if (clock_getcpuclockid(pid, &clock_of_thread))
		errx(1, "there is no CPU time of DAMON's thread %lu", pid);
	damon_pass();
}

void damon_end(void)
{
	write_file(KDAMOND "state", "off");
	set(KDAMONDS "nr_kdamonds", 0);
}
