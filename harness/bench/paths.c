// SPDX-License-Identifier: GPL-2.0
/*
 * What changes page tables, in an address space that has no subscribers, some
 * that are not interested, and some that are.  Rows are PATH.WHO.
 *
 * Each WHO is a process of its own.  The first has no subscriber, and neither
 * has any other address space by then.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/* Where in the arena each path has its pages */
#define PAGES			(ARENA)
#define MAPPING			(ARENA + 2 * MIB)
#define MOVE_FROM		(ARENA + 4 * MIB)
#define MOVE_TO			(ARENA + 6 * MIB)
#define COPIED			(ARENA + 8 * MIB)
#define SWAPPED			(ARENA + 10 * MIB)
#define FILE_PAGES		(ARENA + 12 * MIB)

#define SOME			(16 * PAGE)
#define MANY			(64 * PAGE)

static unsigned long ops;		/* per repeat, of the path that runs */

static void must(int ret, const char *what)
{
	if (ret)
		err(1, "%s", what);
}

static void run_mprotect(void)
{
	unsigned long i;

	for (i = 0; i < ops; i += 2) {
		must(mprotect(PAGES, SOME, PROT_READ), "mprotect");
		must(mprotect(PAGES, SOME, PROT_READ | PROT_WRITE), "mprotect");
	}
}

static void run_munmap(void)
{
	unsigned long i;

	for (i = 0; i < ops; i++) {
		map_at(MAPPING, SOME);
		touch(MAPPING, PAGE);
		unmap(MAPPING, SOME);
	}
}

static void run_dontneed(void)
{
	unsigned long i;

	for (i = 0; i < ops; i++) {
		must(madvise(PAGES, PAGE, MADV_DONTNEED), "MADV_DONTNEED");
		touch(PAGES, PAGE);
	}
}

static void move(char *from, char *to)
{
	if (mremap(from, SOME, SOME, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		err(1, "mremap");
}

static void run_mremap(void)
{
	unsigned long i;

	for (i = 0; i < ops; i += 2) {
		move(MOVE_FROM, MOVE_TO);
		move(MOVE_TO, MOVE_FROM);
	}
}

/* The child keeps the pages until they have all been copied. */
static void fork_once(void)
{
	int fds[2], pid;
	char c = 0;

	must(pipe(fds), "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		_exit(read(fds[0], &c, 1) != 1);
	touch(COPIED, SOME);
	must(write(fds[1], &c, 1) != 1, "write to a pipe");
	wait_child(pid);
	close(fds[0]);
	close(fds[1]);
}

static void run_fork(void)
{
	unsigned long i;

	for (i = 0; i < ops; i++)
		fork_once();
}

static void page_out(void)
{
	must(madvise(SWAPPED, MANY, MADV_PAGEOUT), "MADV_PAGEOUT");
}

static void page_in(void)
{
	touch(SWAPPED, MANY);
}

static void dirty_file(void)
{
	touch(FILE_PAGES, MANY);
}

static void sync_file(void)
{
	must(msync(FILE_PAGES, MANY, MS_SYNC), "msync");
}

/* Pages that stay in memory would be measured as if they had been swapped. */
static void check_swap(void)
{
	unsigned char in_core[MANY / PAGE];
	unsigned long i;

	page_in();
	page_out();
	must(mincore(SWAPPED, MANY, in_core), "mincore");
	for (i = 0; i < MANY / PAGE; i++)
		if (in_core[i] & 1)
			errx(1, "page %lu was not swapped out", i);
	page_in();
}

static const struct path {
	const char *name;
	unsigned long ops;		/* those that can be scaled down */
	unsigned long pages;		/* or as many as there are pages */
	void (*prepare)(void);
	void (*run)(void);
	const char *unit;
} paths[] = {
	{ "mprotect", 200, 0, NULL, run_mprotect, "instr" },
	{ "munmap", 500, 0, NULL, run_munmap, "instr" },
	{ "dontneed", 100, 0, NULL, run_dontneed, "instr" },
	{ "mremap", 100, 0, NULL, run_mremap, "instr" },
	{ "fork", 10, 0, NULL, run_fork, "instr" },
	{ "pageout", 0, MANY / PAGE, page_in, page_out, "instr/page" },
	{ "pagein", 0, MANY / PAGE, page_out, page_in, "instr/page" },
	{ "writeback", 0, MANY / PAGE, dirty_file, sync_file, "instr/page" },
};

#define PATHS			(sizeof(paths) / sizeof(*paths))

/* Who is subscribed */
enum kind { NONE, VM_OUT, VM_IN, LIST, MISS, HIT, SLOTS };

static const struct who {
	const char *name;
	enum kind kind;
	unsigned int count;
	bool quick;
} everyone[] = {
	{ "none", NONE, 0, true },
	{ "vm-out", VM_OUT, 1, true },
	{ "vm-in", VM_IN, 1, true },
	{ "list-1", LIST, 1, true },
	{ "list-4", LIST, 4, false },
	{ "list-16", LIST, 16, true },
	{ "list-64", LIST, 64, false },
	{ "miss-1", MISS, 1, true },
	{ "miss-10", MISS, 10, false },
	{ "miss-100", MISS, 100, false },
	{ "miss-1000", MISS, 1000, true },
	{ "miss-10000", MISS, 10000, false },
	{ "hit-1", HIT, 1, true },
	{ "hit-10", HIT, 10, false },
	{ "hit-100", HIT, 100, true },
	{ "hit-1000", HIT, 1000, false },
	{ "hit-10000", HIT, 10000, false },
	{ "slots-1", SLOTS, 1, false },
	{ "slots-100", SLOTS, 100, false },
	{ "slots-2000", SLOTS, 2000, true },
};

#define EVERYONE		(sizeof(everyone) / sizeof(*everyone))

static const struct who *who;
static struct vm vm;

/* A memslot of all of the arena, and @others of other memory */
static void vm_with_slots(bool arena, unsigned int others)
{
	unsigned long guest_addr = GUEST_MEMORY + ARENA_SIZE;
	unsigned int i;

	vm_create(&vm);
	if (arena)
		vm_add_slot(&vm, ARENA, ARENA_SIZE, GUEST_MEMORY);
	for (i = 0; i < others; i++)
		vm_add_slot(&vm, ELSEWHERE + i * 2 * PAGE, PAGE,
			    guest_addr + i * 2 * PAGE);
}

static void set_up(void)
{
	switch (who->kind) {
	case NONE:
		break;
	case VM_OUT:
		vm_with_slots(false, 1);
		break;
	case VM_IN:
		vm_with_slots(true, 0);
		break;
	case LIST:
		subscribe(MN_BENCH_LIST, who->count, ELSEWHERE, PAGE,
			  2 * PAGE, 0);
		break;
	case MISS:
		subscribe(MN_BENCH_INTERVAL, who->count, ELSEWHERE, PAGE,
			  2 * PAGE, 0);
		break;
	case HIT:
		subscribe(MN_BENCH_INTERVAL, who->count, ARENA, ARENA_SIZE, 0,
			  0);
		break;
	case SLOTS:
		vm_with_slots(true, who->count - 1);
		break;
	}
}

static void map_all(void)
{
	int fd = open("/dev/ram1", O_RDWR | O_CLOEXEC);

	map_at(PAGES, SOME);
	touch(PAGES, SOME);
	map_at(MOVE_FROM, SOME);
	touch(MOVE_FROM, SOME);
	map_at(COPIED, SOME);
	touch(COPIED, SOME);
	map_at(SWAPPED, MANY);
	if (fd < 0 || mmap(FILE_PAGES, MANY, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) != FILE_PAGES)
		err(1, "/dev/ram1");
	check_swap();
}

static void measure_everything(void)
{
	bool slow = who->kind == HIT && who->count >= 1000;
	unsigned int i;

	map_all();
	set_up();
	for (i = 0; i < PATHS; i++) {
		const struct path *p = &paths[i];
		struct job job = {
			.prepare = p->prepare,
			.run = p->run,
			.repeats = slow ? 5 : 0,
		};

		ops = slow ? p->ops / 5 : p->ops;
		job.ops = ops ?: p->pages;
		measure(&job, p->unit, "%s.%s", p->name, who->name);
	}
}

static bool possible(const struct who *w)
{
	switch (w->kind) {
	case NONE:
		return true;
	case LIST:
	case MISS:
	case HIT:
		return have_subscribers;
	default:
		return have_kvm;
	}
}

static int bare_file;
static unsigned int bare_kind;

static void run_bare(void)
{
	struct mn_bench_call call = { .kind = bare_kind, .count = 1000 };

	must(ioctl(bare_file, MN_BENCH_CALL, &call), "call a subscriber");
}

/* What a callback of ours costs by itself */
static void measure_callbacks(void)
{
	struct job job = { .run = run_bare, .ops = 1000 };

	bare_kind = MN_BENCH_LIST;
	bare_file = subscribe(bare_kind, 1, ELSEWHERE, PAGE, 0, 0);
	measure(&job, "instr", "callback.list");
	unsubscribe(bare_file);
	bare_kind = MN_BENCH_INTERVAL;
	bare_file = subscribe(bare_kind, 1, ELSEWHERE, PAGE, 0, 0);
	measure(&job, "instr", "callback.interval");
	unsubscribe(bare_file);
}

void part_paths(void)
{
	unsigned int i;

	for (i = 0; i < EVERYONE; i++) {
		who = &everyone[i];
		if (possible(who) && (!quick || who->quick))
			in_child(measure_everything);
	}
	if (have_subscribers)
		in_child(measure_callbacks);
}
