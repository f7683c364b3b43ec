// SPDX-License-Identifier: GPL-2.0
/*
 * Beginning and ending subscriptions: in address spaces of many mappings, and
 * while subscribers of other address spaces are slow.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MAPPINGS		((char *)0x400000000000ul)
#define SOME_PAGES		16

static unsigned int vmas;
static int file;
static struct vm vm;

/*
 * Mappings of a page, with a page in between so that they don't share what the
 * kernel needs for reverse mapping.  Only that is left of the pages.
 */
static void make_vmas(void)
{
	unsigned int i;

	for (i = 0; i < vmas; i++) {
		map_at(MAPPINGS + i * 2 * PAGE, PAGE);
		touch(MAPPINGS + i * 2 * PAGE, PAGE);
		if (madvise(MAPPINGS + i * 2 * PAGE, PAGE, MADV_DONTNEED))
			err(1, "MADV_DONTNEED");
	}
}

static void add(void)
{
	add_subscribers(file, MN_BENCH_LIST, 1, ELSEWHERE, PAGE, 0, 0);
}

static void drop(void)
{
	remove_subscribers(file);
}

static void add_vm(void)
{
	vm_create(&vm);
}

static void drop_vm(void)
{
	vm_close(&vm);
}

/* @undo must be measured too: each of the two prepares the other. */
static void measure_pair(void (*it)(void), const char *name,
			 void (*undo)(void), const char *undo_name)
{
	struct job job = {
		.ops = 1,
		.repeats = quick ? 3 : 5,
		.count = thread_counter,
	};

	job.run = undo;
	job.prepare = it;
	measure(&job, "instr", "%s.%u", undo_name, vmas);
	job.run = it;
	job.prepare = undo;
	it();
	measure(&job, "instr", "%s.%u", name, vmas);
	undo();
}

/* --- locks and allocations ---------------------------------------------- */

static const char *const locks[] = { "bench/down_write", "bench/mutex_lock", NULL };
static const char *const allocations[] = {
	"kmem/kmalloc", "kmem/kmem_cache_alloc", "kmem/mm_page_alloc", NULL
};

/* How many of the events this process causes in @run */
static unsigned long count(const char *const *events, void (*run)(void))
{
	const char *const *event;
	char filter[32];

	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	for (event = events; *event; event++) {
		trace_filter(*event, filter);
		trace_event(*event, true);
	}
	trace_begin();
	run();
	trace_end();
	for (event = events; *event; event++) {
		trace_event(*event, false);
		trace_filter(*event, "0");
	}
	return trace_count();
}

static unsigned long least(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

/* The least of several times: what caches lack is allocated at times. */
static void count_pair(const char *const *events, const char *what,
		       void (*it)(void), const char *name,
		       void (*undo)(void), const char *undo_name)
{
	unsigned long done = -1ul, undone = -1ul;
	int i;

	for (i = 0; i < 3; i++) {
		done = least(done, count(events, it));
		undone = least(undone, count(events, undo));
	}
	row("count", done, 0, 0, "%s-%s.%u", name, what, vmas);
	row("count", undone, 0, 0, "%s-%s.%u", undo_name, what, vmas);
}

static void measure_and_count(void (*it)(void), const char *name,
			      void (*undo)(void), const char *undo_name)
{
	measure_pair(it, name, undo, undo_name);
	count_pair(locks, "locks", it, name, undo, undo_name);
	count_pair(allocations, "allocations", it, name, undo, undo_name);
}

static void many_vmas(void)
{
	make_vmas();
	file = open_subscribers();
	measure_and_count(add, "register", drop, "unregister");
	measure_and_count(add_vm, "vm-create", drop_vm, "vm-close");
}

/* --- while others are slow ---------------------------------------------- */

static unsigned int sleep_ms;
static int shared;			/* a file of memory */

static void announce(int fd)
{
	char c = 0;

	if (write(fd, &c, 1) != 1)
		err(1, "write to a pipe");
}

static void await(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		err(1, "read from a pipe");
}

static int ready[2], go[2];

/* Private memory is unmapped, and the subscriber sleeps. */
static void sleep_alone(void)
{
	map_at(ARENA, SOME_PAGES * PAGE);
	touch(ARENA, SOME_PAGES * PAGE);
	subscribe(MN_BENCH_LIST, 1, ARENA, SOME_PAGES * PAGE, 0, sleep_ms);
	announce(ready[1]);
	madvise(ARENA, SOME_PAGES * PAGE, MADV_DONTNEED);
	pause();
}

static void map_shared(void)
{
	if (mmap(ARENA, SOME_PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, shared, 0) != ARENA)
		err(1, "mmap of a memfd");
}

/* A file is truncated, and the subscriber sleeps with its lock held. */
static void sleep_shared(void)
{
	map_shared();
	touch(ARENA, SOME_PAGES * PAGE);
	subscribe(MN_BENCH_LIST, 1, ARENA, SOME_PAGES * PAGE, 0, sleep_ms);
	announce(ready[1]);
	pause();
}

static void truncate_it(void)
{
	announce(ready[1]);
	if (ftruncate(shared, 0))
		err(1, "ftruncate");
}

/* A registration that waits for the lock of the file */
static void register_shared(void)
{
	map_shared();
	announce(ready[1]);
	await(go[0]);
	announce(ready[1]);
	subscribe(MN_BENCH_LIST, 1, ELSEWHERE, PAGE, 0, 0);
	pause();
}

/* Give those that were started the time to get stuck. */
static void settle(void)
{
	usleep(20000);
}

static void unregister_while_other_sleeps(void)
{
	int pid, fd = subscribe(MN_BENCH_LIST, 1, ELSEWHERE, PAGE, 0, 0);
	double begin;

	pid = start_child(sleep_alone);
	await(ready[0]);
	settle();
	begin = now();
	unsubscribe(fd);
	row("s", now() - begin, 0, 0, "unregister-while.other-sleeps");
	stop_child(pid);
}

static void close_vm_while_other_sleeps(void)
{
	double begin;
	int pid;

	vm_create(&vm);
	pid = start_child(sleep_alone);
	await(ready[0]);
	settle();
	begin = now();
	vm_close(&vm);
	row("s", now() - begin, 0, 0, "vm-close-while.other-sleeps");
	stop_child(pid);
}

static void register_while_other_sleeps(void)
{
	int pid = start_child(sleep_alone);
	double begin;

	await(ready[0]);
	settle();
	begin = now();
	subscribe(MN_BENCH_LIST, 1, ELSEWHERE, PAGE, 0, 0);
	row("s", now() - begin, 0, 0, "register-while.other-sleeps");
	stop_child(pid);
}

static void register_while_other_waits(void)
{
	int sleeper, truncater, waiter;
	double begin;

	shared = memfd_create("bench", MFD_CLOEXEC);
	if (shared < 0 || ftruncate(shared, SOME_PAGES * PAGE))
		err(1, "memfd_create");
	sleeper = start_child(sleep_shared);
	await(ready[0]);
	waiter = start_child(register_shared);
	await(ready[0]);
	truncater = start_child(truncate_it);
	await(ready[0]);
	settle();
	announce(go[1]);
	await(ready[0]);
	settle();
	begin = now();
	subscribe(MN_BENCH_LIST, 1, ELSEWHERE, PAGE, 0, 0);
	row("s", now() - begin, 0, 0, "register-while.other-waits");
	stop_child(waiter);
	stop_child(sleeper);
	wait_child(truncater);
}

void part_register(void)
{
	static const unsigned int sizes[] = { 10, 1000, 30000, 65000 };
	unsigned int i;

	write_file("/proc/sys/vm/max_map_count", "200000");
	trace_probe("bench/down_write", "down_write");
	trace_probe("bench/mutex_lock", "mutex_lock");
	for (i = 0; i < 4; i++) {
		vmas = sizes[i];
		if (!quick || vmas == 10 || vmas == 30000)
			in_child(many_vmas);
	}

	sleep_ms = quick ? 1000 : 10000;
	if (pipe(ready) || pipe(go))
		err(1, "pipe");
	in_child(unregister_while_other_sleeps);
	in_child(close_vm_while_other_sleeps);
	in_child(register_while_other_sleeps);
	in_child(register_while_other_waits);
}
