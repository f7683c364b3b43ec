// SPDX-License-Identifier: GPL-2.0
/*
 * The path of NUMA balancing.  The host takes access away from memory to see who
 * uses it, and moves it there.  If the guest didn't fault, the memory would stay
 * where it is.
 */
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>

#include "paths.h"

#define MAX_NODES	64
#define BALANCING	"/proc/sys/kernel/numa_balancing"

static size_t count_on_node(int node)
{
	void **pages = calloc(test.npages, sizeof(*pages));
	int *status = calloc(test.npages, sizeof(*status));
	size_t p, n = 0;

	for (p = 0; p < test.npages; p++)
		pages[p] = page_at(test.mem, p);
	must(syscall(SYS_move_pages, 0, test.npages, pages, NULL, status, 0));
	for (p = 0; p < test.npages; p++)
		n += status[p] == node;
	free(pages);
	free(status);
	return n;
}

static void move_to_node(int node)
{
	unsigned long nodes = 1ul << node;
	size_t size = test.npages * PAGE_SIZE;

	must(syscall(SYS_mbind, test.mem, size, MPOL_BIND, &nodes, MAX_NODES,
		     MPOL_MF_MOVE_ALL));
	must(syscall(SYS_mbind, test.mem, size, MPOL_DEFAULT, NULL, 0, 0));
}

/* Lets the vCPUs run on @node only, or anywhere if it is -1. */
static void pin_to_node(int node)
{
	char name[64];
	cpu_set_t set;
	uint32_t i;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
		snprintf(name, sizeof(name),
			 "/sys/devices/system/cpu/cpu%d/node%d", cpu, node);
		if (node < 0 || !access(name, F_OK))
			CPU_SET(cpu, &set);
	}
	for (i = 0; i < test.nvcpus; i++)
		must(sched_setaffinity(test.vcpus[i].tid, sizeof(set), &set));
}

/*
 * A thread marks pages once it has run for its scan period, of about a minute at
 * most.  If none is marked while each vCPU could run for several, none will be.
 */
#define MARKING_LIMIT	(240 * CLOCKS_PER_SEC)

static unsigned long marked_pages(void)
{
	return read_field("/proc/vmstat", "numa_pte_updates");
}

/* Waits for @pages to be marked, unless that stops; returns how many were. */
static unsigned long wait_marked(unsigned long before, unsigned long pages)
{
	unsigned long seen, marked = 0;
	clock_t begin = clock();

	while (marked < pages && clock() - begin < test.nvcpus * MARKING_LIMIT) {
		usleep(1000);
		seen = marked_pages() - before;
		if (seen != marked)
			begin = clock();
		marked = seen;
	}
	return marked;
}

/* Moves the memory to @node, and returns how many pages are there then. */
static size_t move_away(int node)
{
	size_t away;

	test.doing = "away";
	move_to_node(node);
	check_range(some_pages());
	/* After that all of the memory is mapped again. */
	wait_passes(2);
	away = count_on_node(node);
	if (away < test.npages / 2)
		fail("only %lu of %lu pages were moved", away, test.npages);
	return away;
}

/* Lets the host move the memory to the guest, and returns how many pages came. */
static size_t move_back(int node, size_t away, long balancing)
{
	unsigned long before = marked_pages(), marked;
	size_t back;

	test.doing = "back";
	write_number(BALANCING, 1);
	marked = wait_marked(before, away);
	write_number(BALANCING, 0);
	if (marked < away) {
		write_number(BALANCING, balancing);
		fail("NUMA balancing has stopped after marking %lu pages of %lu",
		     marked, away);
	}
	wait_passes(2);
	back = away - count_on_node(node);
	if (back < away / 2)
		fail("the guest uses %lu pages of node %d, only %lu came",
		     away, node, back);
	check_range(some_pages());
	return back;
}

const char *path_numa(void)
{
	long balancing = read_number(BALANCING);
	unsigned long nodes = 0;
	unsigned int cpu, here;
	int i, far;

	getcpu(&cpu, &here);
	syscall(SYS_get_mempolicy, NULL, &nodes, MAX_NODES, NULL,
		MPOL_F_MEMS_ALLOWED);
	nodes &= ~(1ul << here);
	if (!nodes)
		return "there is no second node with memory";
	if (balancing < 0)
		return "there is no NUMA balancing";

	far = __builtin_ctzl(nodes);
	test.counted = "pages moved to the guest's node";
	pin_to_node(here);
	start_guest(true, false, false);
	for (i = 0; i < DIV_ROUND_UP(test.iterations, 2); i++)
		test.count += move_back(far, move_away(far), balancing);
	write_number(BALANCING, balancing);
	pin_to_node(-1);
	return NULL;
}
