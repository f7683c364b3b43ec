// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: system calls that change the mapping of guest memory.
 */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "paths.h"

const char *path_mprotect(void)
{
	struct range r;
	int i;

	start_guest(true, false, true);
	for (i = 0; i < test.iterations; i++) {
		r = some_pages();
		test.doing = "read-only";
		must(mprotect(mem_of(r), bytes_of(r), PROT_READ));
		check_frozen(r, mem_of(r));
		test.doing = "no access";
		must(mprotect(mem_of(r), bytes_of(r), PROT_NONE));
		check_frozen(r, NULL);
		test.doing = "back";
		must(mprotect(mem_of(r), bytes_of(r), PROT_READ | PROT_WRITE));
		check_range(r);
		test.count++;
	}
	return NULL;
}

const char *path_drop(void)
{
	struct range r;
	int i;

	start_guest(false, true, false);
	for (i = 0; i < test.iterations * 4; i++) {
		r = some_pages();
		test.doing = "zeros";
		zero_pages(r);
		if (i & 1)
			wait_passes(1);
		test.doing = "new contents";
		renew_pages(r);
		if (i & 2)
			wait_passes(1);
		test.count++;
	}
	wait_passes(2);
	return NULL;
}

/* Shared pages stay in the page cache when they are unmapped. */
const char *path_zap(void)
{
	struct range r;
	int i;

	start_guest(true, false, false);
	for (i = 0; i < test.iterations * 2; i++) {
		r = some_pages();
		must(madvise(mem_of(r), bytes_of(r), MADV_DONTNEED));
		check_mapped(r);
		check_range(r);
		test.count++;
	}
	return NULL;
}

/* The pages are moved away and back, and the host writes to them meanwhile. */
const char *path_mremap(void)
{
	struct range r;
	int i;

	start_guest(true, false, true);
	for (i = 0; i < test.iterations; i++) {
		r = some_pages();
		test.doing = "away";
		move_pages_to(mem_of(r), test.aside, bytes_of(r));
		check_frozen(r, test.aside);
		announce(r, 2);
		fill_pages(r, test.aside);
		test.doing = "back";
		move_pages_to(test.aside, mem_of(r), bytes_of(r));
		withdraw(r);
		check_range(r);
		test.count++;
	}
	return NULL;
}

/* New pages take the place of the old ones, without a hole in between. */
const char *path_remap(void)
{
	struct range r;
	int i;

	start_guest(false, false, false);
	for (i = 0; i < test.iterations * 4; i++) {
		r = some_pages();
		map_aside(bytes_of(r));
		announce(r, 2);
		fill_pages(r, test.aside);
		move_pages_to(test.aside, mem_of(r), bytes_of(r));
		withdraw(r);
		if (i & 1)
			wait_passes(1);
		test.count++;
	}
	wait_passes(2);
	return NULL;
}

/* The child must not see what the vCPUs write after the fork. */
static int child_of_fork(struct range r, uint64_t *pass)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wait_passes_since(pass, 2);
	snapshot_lines(r, mem_of(r));
	wait_passes(2);
	return first_changed(r, mem_of(r)) < r.n * test.nvcpus;
}

const char *path_fork(void)
{
	uint64_t pass[MAX_VCPUS];
	struct range r;
	int i, status;
	pid_t pid;

	start_guest(true, false, false);
	for (i = 0; i < test.iterations; i++) {
		/* Pages that are only read stay shared until the host writes. */
		WRITE_ONCE(test.control->writes, i & 1);
		wait_passes(1);
		test.doing = "fork";
		get_passes(pass);
		pid = fork();
		must(pid);
		if (!pid)
			_exit(child_of_fork(all_pages(), pass));
		r = some_pages();
		if (i & 1)
			host_writes(r);
		wait_passes(2);
		test.doing = "copy on write";
		check_range(r);
		check_range(some_pages());
		must(waitpid(pid, &status, 0));
		if (status)
			fail("a vCPU writes to the memory of the child (status %#x)",
			     status);
		test.count++;
	}
	return NULL;
}

/* One vCPU preempts this thread on its CPU, the others run on other CPUs. */
static void pin_vcpus(bool on)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t i;

	pin(pthread_self(), on ? 0 : -1);
	for (i = 0; i < test.nvcpus; i++)
		pin(test.vcpus[i].thread, on ? (int)i % cpus : -1);
}

/*
 * Few pages are replaced many times, and the vCPUs want them back at once: they
 * fault between the start and the end of a range, and while page tables change.
 */
const char *path_storm(void)
{
	size_t hot = test.unit * 16 < test.npages ? test.unit * 16 : test.npages;
	struct range r;
	int i;

	test.control->npages = hot;
	pin_vcpus(true);
	start_guest(false, true, false);
	for (i = 0; i < test.iterations * 50; i++) {
		r.first = rnd(hot / test.unit) * test.unit;
		r.n = rnd(4) ? test.unit : hot - r.first;
		test.doing = "zeros";
		zero_pages(r);
		switch (rnd(8)) {
		case 0:
			usleep(100);
			break;
		case 1:
			sched_yield();
			break;
		}
		test.doing = "new contents";
		renew_pages(r);
		if (!rnd(4))
			usleep(100);
		test.count++;
	}
	wait_passes(2);
	pin_vcpus(false);
	return NULL;
}
