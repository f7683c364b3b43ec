// SPDX-License-Identifier: GPL-2.0
/*
 * Check the secondary MMUs that mmu_notifier_preload.c has given to the processes
 * of a cgroup (v2), repeatedly, until killed by SIGTERM:
 *
 *	mmu_notifier_freeze CGROUP
 *
 * This is for TEST_MN_SVA, which may be stale between the change of a page table and
 * the flush of the TLB that follows: the processes are frozen while they are
 * checked.  If they can't be frozen they are not checked.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <lib/test_mmu_notifier_uapi.h>

#include "thp_settings.h"

#ifndef PIDFD_THREAD		/* <linux/pidfd.h> and <fcntl.h> exclude each other */
#define PIDFD_THREAD	O_EXCL
#endif

#define NAME		"mmu_notifier\n"	/* of the threads */
#define DESCRIPTOR	0			/* that they have the device at */
#define PATIENCE	1000			/* ms until all are frozen */

static unsigned long freezes, checked, stale;

/* Returns false if it is time to end. */
static bool wait_ms(unsigned int ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return sigtimedwait(&set, NULL, &time) != SIGTERM;
}

static void stop(bool on)
{
	int fd = open("cgroup.freeze", O_WRONLY);

	if (fd < 0 || write(fd, on ? "1" : "0", 1) != 1)
		err(2, "cgroup.freeze");
	close(fd);
}

static bool all_stopped(void)
{
	char events[128];
	int ms;

	for (ms = 0; ms < PATIENCE; ms++) {
		if (read_file("cgroup.events", events, sizeof(events)) &&
		    strstr(events, "frozen 1"))
			return true;
		usleep(1000);
	}
	return false;
}

/* The process may have been killed by now. */
static void check(int thread)
{
	struct test_mn_check all = { .len = -1ULL };
	int pidfd, fd;

	pidfd = syscall(SYS_pidfd_open, thread, PIDFD_THREAD);
	if (pidfd < 0)
		return;
	fd = syscall(SYS_pidfd_getfd, pidfd, DESCRIPTOR, 0);
	close(pidfd);
	if (fd < 0)
		return;
	if (!ioctl(fd, TEST_MN_CHECK, &all)) {
		checked += all.checked;
		stale += all.stale;
	}
	close(fd);
}

static void check_all(void)
{
	FILE *threads = fopen("cgroup.threads", "r");
	char name[32], comm[32];
	int thread;

	if (!threads)
		err(2, "cgroup.threads");
	while (fscanf(threads, "%d", &thread) == 1) {
		snprintf(name, sizeof(name), "/proc/%d/comm", thread);
		if (read_file(name, comm, sizeof(comm)) && !strcmp(comm, NAME))
			check(thread);
	}
	fclose(threads);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CGROUP\n", argv[0]);
		return 2;
	}
	if (chdir(argv[1]))
		err(2, "%s", argv[1]);
	while (wait_ms(20 + rand() % 30)) {
		stop(true);
		if (all_stopped()) {
			freezes++;
			check_all();
		}
		stop(false);
	}
	printf("%lu freezes, %lu translations checked, %lu stale\n", freezes,
	       checked, stale);
	return stale ? 1 : 0;
}
