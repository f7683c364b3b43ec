// SPDX-License-Identifier: GPL-2.0
/*
 * Run any program under a secondary MMU of lib/test_mmu_notifier_device.c:
 *
 *	LD_PRELOAD=mmu_notifier_preload.so PROGRAM...
 *
 * Every process that starts the program, or another one, and every child that
 * fork() makes, has a secondary MMU of its own.  A thread maps random parts of
 * the address space with it, reads through it, and has all translations checked.
 * The first stale one of each process is reported in the kernel log, by the
 * device.  With class sva it does not check, see mmu_notifier_freeze.c.
 *
 * Environment:
 *	MMU_NOTIFIER_CLASS	one of mn_classes[]; page_table by default
 *	MMU_NOTIFIER_SEED	of all random choices; 1 by default
 *	MMU_NOTIFIER_TOTALS	a file for struct totals, summed over all processes
 *
 * The program should not notice.  The thread is unknown to the C library, and
 * only makes system calls of its own, which leave errno alone.  It blocks all
 * signals, and it has file descriptors and a root directory of its own, so that
 * the program neither runs into them nor takes them away.  Its stack and data
 * are in this library: nothing is allocated or mapped later on.  A process that
 * can't have the thread or the device runs without, and is counted.
 *
 * What can be noticed: the process has one more thread and uses more CPU time;
 * memory becomes resident that the program has not touched.  Children made by
 * vfork() or clone() run without until they start a program.  Filters of system
 * calls may kill children of the process that set them, if they kill for
 * openat().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mmu_notifier_device.h"

#define STACK_SIZE	(32 << 10)
#define RANGES		256
#define LINES_IN_PAGE	84	/* the shortest line of maps has 49 bytes */
#define RECENT		32
#define NEIGHBOURHOOD	(128 * PAGE)
#define STACK_GAP	(64UL << 10)	/* of gup_vma_lookup() */

struct totals {
	uint64_t started;	/* processes */
	uint64_t with;		/* a secondary MMU; not all live that long */
	uint64_t without;
	uint64_t mapped;	/* pages */
	uint64_t checked;	/* translations */
	uint64_t stale;
};

struct range {
	unsigned long start, end;
	bool writable;
	bool may_grow;		/* downwards: only private anonymous memory can */
};

static const struct mn_class *class;
static struct totals *totals, nowhere;
static unsigned long seed = 1;

/* The thread's */
static char stack[STACK_SIZE];
static int device, maps;
static uint64_t random_state, checked, stale;
static char text[PAGE], buffer[64];
/* Ranges that are likely to change come first. */
static struct range ranges[RANGES];
static unsigned long nr_ranges, nr_lively;
static unsigned long recent[RECENT];

/* --- system calls ----------------------------------------------------------- */

static long sys(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ __volatile__("syscall"
			     : "=a" (result)
			     : "a" (number), "D" (a), "S" (b), "d" (c), "r" (r10)
			     : "rcx", "r11", "memory");
	return result;
}

static long sys_open(const char *name, int flags)
{
	return sys(SYS_openat, AT_FDCWD, (long)name, flags | O_CLOEXEC, 0);
}

static long sys_ioctl(unsigned long command, void *arg)
{
	return sys(SYS_ioctl, device, command, (long)arg, 0);
}

/* --- totals and chance ------------------------------------------------------ */

static void add(uint64_t *total, uint64_t n)
{
	__atomic_fetch_add(total, n, __ATOMIC_RELAXED);
}

static unsigned long pick(unsigned long n)
{
	return mn_random(&random_state) % n;
}

/* --- what is mapped --------------------------------------------------------- */

static const char *hex(const char *p, unsigned long *value)
{
	for (*value = 0;; p++) {
		if (*p >= '0' && *p <= '9')
			*value = *value * 16 + *p - '0';
		else if (*p >= 'a' && *p <= 'f')
			*value = *value * 16 + *p - 'a' + 10;
		else
			return p;
	}
}

static void add_range(struct range range, bool lively)
{
	if (lively) {
		ranges[nr_ranges++] = ranges[nr_lively];
		ranges[nr_lively++] = range;
	} else {
		ranges[nr_ranges++] = range;
	}
}

/* start-end rwxp offset major:minor inode ... */
static void parse_line(const char *p)
{
	bool shared, anonymous;
	struct range range;
	int fields;

	p = hex(p, &range.start);
	if (*p++ != '-')
		return;
	p = hex(p, &range.end);
	if (*p++ != ' ' || range.end <= range.start ||
	    range.end > ALL_START + ALL_LEN)
		return;
	range.writable = p[1] == 'w';
	shared = p[3] == 's';
	for (fields = 0; fields < 3; p++)
		if (*p == ' ')
			fields++;
		else if (!*p)
			return;
	anonymous = *p == '0';
	range.may_grow = anonymous && !shared;
	add_range(range, anonymous || shared);
}

static void parse(char *p, char *end)
{
	char *line = p;

	for (; p < end; p++) {
		if (*p != '\n')
			continue;
		*p = 0;
		if (nr_ranges < RANGES)
			parse_line(line);
		line = p + 1;
	}
}

/*
 * Continues reading where the last call has stopped.  Returns false if nothing is
 * mapped any more, because the main thread has ended.
 */
static bool look_around(void)
{
	bool again = false;
	long len;

	nr_ranges = 0;
	nr_lively = 0;
	while (nr_ranges + LINES_IN_PAGE <= RANGES) {
		len = sys(SYS_read, maps, (long)text, sizeof(text), 0);
		if (len > 0) {
			parse(text, text + len);
			continue;
		}
		if (nr_ranges || again)
			break;
		again = true;
		len = sys_open("/proc/self/maps", O_RDONLY);
		if (len >= 0) {
			sys(SYS_close, maps, 0, 0, 0);
			maps = len;
		} else {
			sys(SYS_lseek, maps, 0, SEEK_SET, 0);
		}
	}
	return nr_ranges;
}

/*
 * get_user_pages() of an address that is not mapped, just below a mapping that
 * grows down, prints a call trace.  maps does not tell which mappings do, so this
 * returns true for all that can.  No call can rule it out for certain: the program
 * may unmap the address after maps was read.  What is not read is still checked.
 */
static bool maybe_below_stack(unsigned long addr)
{
	const struct range *range;
	bool below = false;

	for (range = ranges; range < ranges + nr_ranges; range++) {
		if (addr >= range->start && addr < range->end)
			return false;
		if (range->may_grow && addr < range->start &&
		    range->start - addr <= STACK_GAP)
			below = true;
	}
	return below;
}

/* --- the secondary MMU ------------------------------------------------------ */

static bool attach(void)
{
	struct test_mn_attach arg = mn_attach_all(class->class, class->kind);
	struct test_mn_delay delay = {
		.point = pick(TEST_MN_POINTS),
		.usecs = pick(200),
	};

	device = sys_open(DEVICE, O_RDWR);
	if (device < 0 || sys_ioctl(TEST_MN_ATTACH, &arg))
		return false;
	maps = sys_open("/proc/self/maps", O_RDONLY);
	if (maps < 0)
		return false;
	/* Delays make races likely, but programs slow. */
	if (!pick(4))
		sys_ioctl(TEST_MN_DELAY, &delay);
	return true;
}

/* Uses translations that are not new, if they are still there. */
static void read_at(unsigned long addr)
{
	struct test_mn_access arg = {
		.addr = addr,
		.len = sizeof(buffer),
		.buffer = (uintptr_t)buffer,
	};

	if (!maybe_below_stack(addr))
		sys_ioctl(TEST_MN_READ, &arg);
}

static void map(void)
{
	bool lively = nr_lively && pick(4);
	const struct range *range = &ranges[pick(lively ? nr_lively : nr_ranges)];
	unsigned long pages = (range->end - range->start) / PAGE;
	unsigned long first = pick(pages);
	unsigned long len = 1 + pick(pick(8) ? 8 : 128);
	struct test_mn_fault arg = {
		.addr = range->start + first * PAGE,
		.len = (len < pages - first ? len : pages - first) * PAGE,
		.write = range->writable && !pick(4),
	};

	if (sys_ioctl(TEST_MN_FAULT, &arg))
		return;
	add(&totals->mapped, arg.len / PAGE);
	recent[pick(RECENT)] = arg.addr;
}

/* Checks the neighbourhood of an address, and sometimes everything. */
static void check(unsigned long addr)
{
	struct test_mn_check arg = {
		.addr = addr & -NEIGHBOURHOOD,
		.len = NEIGHBOURHOOD,
	};

	if (!pick(128)) {
		arg.addr = 0;
		arg.len = -1ULL;
	}
	sys_ioctl(TEST_MN_CHECK, &arg);
}

static void count(void)
{
	struct test_mn_stats stats;

	if (sys_ioctl(TEST_MN_STATS, &stats))
		return;
	add(&totals->checked, stats.checked - checked);
	add(&totals->stale, stats.stale - stale);
	checked = stats.checked;
	stale = stats.stale;
}

static long now(void)
{
	struct timespec time;

	sys(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0, 0);
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The thread holds mmap_lock most of the time, and the program needs it too. */
static void pause_since(long begin)
{
	long time = (now() - begin) * pick(4) + pick(1000000);
	struct timespec pause = {
		.tv_sec = time / 1000000000,
		.tv_nsec = time % 1000000000,
	};

	sys(SYS_nanosleep, (long)&pause, 0, 0, 0);
}

static void work(void)
{
	unsigned long round;
	long begin;
	int i;

	for (round = 1; begin = now(), look_around(); round++) {
		for (i = 0; i < 4; i++) {
			map();
			if (class->class != TEST_MN_SVA)
				read_at(recent[pick(RECENT)]);
		}
		if (class->class != TEST_MN_SVA)
			check(recent[pick(RECENT)]);
		/* Often at first: the process may be short-lived. */
		if (round % 8 == 0 || !(round & (round - 1)))
			count();
		pause_since(begin);
	}
}

/*
 * If the main thread has ended on its own, without the C library, this may be the
 * last thread, and its exit code that of the process.  So return the exit code of
 * the main thread: the last field, as wait() would return it.
 */
static int exit_code(void)
{
	int fd = sys_open("/proc/self/stat", O_RDONLY), code = 0;
	long len = sys(SYS_read, fd, (long)text, sizeof(text), 0);
	const char *p;

	if (len < 2)
		return 0;
	for (p = text + len - 1; p > text && p[-1] != ' '; p--)
		;
	for (; *p >= '0' && *p <= '9'; p++)
		code = code * 10 + *p - '0';
	return code >> 8;
}

static int serve(void *unused)
{
	sys(SYS_prctl, PR_SET_NAME, (long)"mmu_notifier", 0, 0);
	/* A file table of its own, without the files of the program */
	if (!sys(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE, 0) && attach()) {
		add(&totals->with, 1);
		work();
	} else {
		add(&totals->without, 1);
	}
	return exit_code();
}

/* --- in the program --------------------------------------------------------- */

static void start(void)
{
	uint64_t all = -1, old;
	int saved = errno;

	random_state = seed * 1000003 +
		       __atomic_fetch_add(&totals->started, 1, __ATOMIC_RELAXED);
	checked = 0;
	stale = 0;
	memset(recent, 0, sizeof(recent));
	/* Including those that the C library reserves */
	sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&old, sizeof(all));
	if (clone(serve, stack + sizeof(stack), CLONE_VM | CLONE_FILES |
		  CLONE_SIGHAND | CLONE_THREAD, NULL) < 0)
		add(&totals->without, 1);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, sizeof(all));
	errno = saved;
}

static void map_totals(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	void *p;

	if (fd < 0)
		return;
	if (!ftruncate(fd, PAGE)) {
		p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED)
			totals = p;
	}
	close(fd);
}

__attribute__((constructor)) static void start_program(void)
{
	const char *name = getenv("MMU_NOTIFIER_CLASS");

	/* The end of the table is for unknown names: runs without. */
	class = mn_classes;
	while (name && class->name && strcmp(name, class->name))
		class++;
	name = getenv("MMU_NOTIFIER_SEED");
	if (name)
		seed = strtoul(name, NULL, 0);
	name = getenv("MMU_NOTIFIER_TOTALS");
	totals = &nowhere;
	if (name)
		map_totals(name);
	pthread_atfork(NULL, NULL, start);
	start();
}
