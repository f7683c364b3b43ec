// SPDX-License-Identifier: GPL-2.0
/*
 * Many VMs, each in a process of its own, that are killed at once: how long it
 * takes until all are gone, what memory they had, and what of it does not come
 * back.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define VMS			(quick ? 50 : 150)
#define MOST_VMS		150
#define SIZE			(256 * KIB)

static int ready[2];

static void run_vm(void)
{
	struct vm vm;
	char c = 0;

	map_at(ARENA, SIZE);
	vm_create(&vm);
	vm_add_slot(&vm, ARENA, SIZE, GUEST_MEMORY);
	vm_add_vcpu(&vm);
	vm_touch(&vm, GUEST_MEMORY, SIZE, PAGE);
	if (write(ready[1], &c, 1) != 1)
		err(1, "write to a pipe");
	pause();
}

/* In KiB, with nothing in caches that can be dropped */
static double free_memory(void)
{
	sleep(3);
	write_file("/proc/sys/vm/drop_caches", "3");
	write_file("/proc/sys/vm/stat_refresh", "1");
	return meminfo("MemFree:");
}

static void start_all(int *pids)
{
	char c;
	int i;

	for (i = 0; i < VMS; i++) {
		pids[i] = start_child(run_vm);
		if (read(ready[0], &c, 1) != 1)
			err(1, "read from a pipe");
	}
}

static double kill_all(int *pids)
{
	double begin = now();
	int i;

	for (i = 0; i < VMS; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < VMS; i++)
		if (waitpid(pids[i], NULL, 0) != pids[i])
			err(1, "waitpid");
	return now() - begin;
}

void part_exit(void)
{
	double before, during, after, time;
	int pids[MOST_VMS];

	if (pipe(ready))
		err(1, "pipe");
	/* What the first VMs leave in caches of the kernel is not a loss. */
	start_all(pids);
	kill_all(pids);

	before = free_memory();
	start_all(pids);
	during = free_memory();
	time = kill_all(pids);
	row("s", time, 0, 0, "exit-time.%d-vms", VMS);
	row("KiB", (before - during) / VMS, 0, 0, "exit-memory.each");
	after = free_memory();
	row("KiB", after < before ? before - after : 0, 0, 0,
	    "exit-memory.left");
}
