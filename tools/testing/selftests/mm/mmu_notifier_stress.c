// SPDX-License-Identifier: GPL-2.0
/*
 * A random mix of operations that change page tables, from many threads, while the
 * same threads use the memory through a secondary MMU of lib/test_mmu_notifier_device.c.
 *
 *	mmu_notifier_stress [-s SEED] [-n OPERATIONS] [-t THREADS] [-c CLASS]
 *			    [-f PERCENT]
 *
 * There are two areas.  In the first one, the operations don't change the contents:
 * CPU and device add to counters there, and no addition may be lost.  In the second
 * one anything may happen, except that a translation is used that should be gone.
 *
 * The seed determines what each thread does, but not how the threads interleave.
 *
 * With -f, that share of the threads' slab allocations fails (CONFIG_FAILSLAB).  An
 * access by the device may then fail, but must have had no effect.
 */
#include <pthread.h>

#include "../kselftest.h"
#include "mmu_notifier_common.h"

#define AREA		(2 * HUGE)
#define COUNTERS	(AREA / PAGE)	/* one in each page */
#define MAX_THREADS	64

#define FAIL_SLAB	"/sys/kernel/debug/failslab/"

#define USAGE "usage: %s [-s SEED] [-n OPERATIONS] [-t THREADS] [-c CLASS]" \
	      " [-f PERCENT]\n"

static const struct mn_class *class;
static unsigned long seed = 1, operations = 20000, threads = 4, percent;
static int device;
static char *counted, *wild;
static uint64_t expected[COUNTERS];
static unsigned long failures, without_memory;

struct worker {
	pthread_t thread;
	uint64_t random;
	unsigned long operations;
	bool talks;
};

static unsigned long pick(struct worker *w, unsigned long n)
{
	return mn_random(&w->random) % n;
}

/* One printf() for each line: ksft_print_msg() has two, and threads would mix. */
static void fail(const char *what, unsigned long where, int error)
{
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	printf("# seed %lu: %s at %#lx: %s\n", seed, what, where,
	       error ? strerror(error) : "wrong");
}

/* Did the device fail for lack of memory, as it may with -f? */
static bool lacked_memory(void)
{
	if (!percent || errno != ENOMEM)
		return false;
	__atomic_fetch_add(&without_memory, 1, __ATOMIC_RELAXED);
	return true;
}

/* A part of an area: mostly small, sometimes a huge page. */
struct part {
	unsigned long offset, len;
};

static struct part pick_part(struct worker *w)
{
	struct part part;

	if (!pick(w, 8)) {
		part.offset = pick(w, AREA / HUGE) * HUGE;
		part.len = HUGE;
	} else {
		part.offset = pick(w, AREA / PAGE - 16) * PAGE;
		part.len = (1 + pick(w, 16)) * PAGE;
	}
	return part;
}

/* --- the area with counters ----------------------------------------------- */

static char *counter(unsigned long n)
{
	return counted + n * PAGE + n % (PAGE / 8) * 8;
}

static void add_by_device(struct worker *w)
{
	unsigned long n = pick(w, COUNTERS);
	uint64_t value = pick(w, 1000);
	struct test_mn_access arg = {
		.addr = (uintptr_t)counter(n),
		.len = 8,
		.value = value,
	};

	if (!ioctl(device, TEST_MN_FETCH_ADD, &arg))
		__atomic_fetch_add(&expected[n], value, __ATOMIC_RELAXED);
	else if (!lacked_memory())
		fail("FETCH_ADD", arg.addr, errno);
}

static void add_by_cpu(struct worker *w)
{
	unsigned long n = pick(w, COUNTERS);
	uint64_t value = pick(w, 1000);

	__atomic_fetch_add((uint64_t *)counter(n), value, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&expected[n], value, __ATOMIC_RELAXED);
}

/* From here on, allocations of this thread may fail, or not. */
static void may_fail(bool may)
{
	static __thread int fd = -1;

	if (!percent)
		return;
	/* Opened once, as that may fail too. */
	if (fd < 0)
		fd = open("/proc/thread-self/make-it-fail", O_WRONLY);
	if (pwrite(fd, may ? "1" : "0", 1, 0) != 1)
		fail("make-it-fail", 0, errno);
}

static void fork_and_wait(void)
{
	int status;
	pid_t pid;

	/* The kernel complains if it can't allocate a stack. */
	may_fail(false);
	pid = fork();
	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, &status, 0);
	may_fail(true);
}

static void split(const char *addr, unsigned long len)
{
	char command[80];

	snprintf(command, sizeof(command), "%d,%p,%p,0", getpid(), addr,
		 addr + len);
	write_text("/sys/kernel/debug/split_huge_pages", command);
}

/* Operations that must not change the contents. */
static void preserve(struct worker *w)
{
	struct part part = pick_part(w);
	char *p = counted + part.offset;

	switch (pick(w, 16)) {
	case 0 ... 4:
		madvise(p, part.len, MADV_PAGEOUT);
		break;
	case 5 ... 7:
		madvise(p, part.len, MADV_COLD);
		break;
	case 8 ... 9:
		madvise(counted + part.offset / HUGE * HUGE, HUGE,
			MADV_COLLAPSE);
		break;
	case 10:
		split(p, part.len);
		break;
	case 11:
		madvise(p, part.len, MADV_MERGEABLE);
		break;
	case 12:
		madvise(p, part.len, MADV_UNMERGEABLE);
		break;
	case 13:
		write_text("/proc/self/clear_refs", pick(w, 2) ? "1" : "4");
		break;
	case 14:
		write_text("/proc/sys/vm/compact_memory", "1");
		break;
	case 15:
		fork_and_wait();
		break;
	}
}

/* --- the area where anything may happen ------------------------------------ */

static void access_wild(struct worker *w)
{
	char buffer[256] = "";
	struct test_mn_access arg = {
		.addr = (uintptr_t)wild + pick(w, AREA - sizeof(buffer)),
		.len = 1 + pick(w, sizeof(buffer)),
		.buffer = (uintptr_t)buffer,
	};

	if (ioctl(device, pick(w, 2) ? TEST_MN_READ : TEST_MN_WRITE, &arg) &&
	    errno != EFAULT && !lacked_memory())
		fail("access", arg.addr, errno);
}

static void change(struct worker *w)
{
	static const int protections[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE,
	};
	struct part part = pick_part(w), other = pick_part(w);
	char *p = wild + part.offset;

	switch (pick(w, 9)) {
	case 0 ... 1:
		mprotect(p, part.len, protections[pick(w, 4)]);
		break;
	case 2:
		madvise(p, part.len, MADV_DONTNEED);
		break;
	case 3:
		madvise(p, part.len, MADV_FREE);
		break;
	case 4:
		madvise(p, part.len, MADV_PAGEOUT);
		break;
	case 5:
		/* In one step, as another thread could fill a hole. */
		mmap(p, part.len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 6:
		if (other.offset + part.len > AREA)
			other.offset = AREA - part.len;
		mremap(p, part.len, part.len,
		       MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		       wild + other.offset);
		break;
	case 7:
		madvise(p, part.len, MADV_HUGEPAGE);
		break;
	case 8:
		madvise(wild + part.offset / HUGE * HUGE, HUGE, MADV_COLLAPSE);
		break;
	}
}

/* --- threads -------------------------------------------------------------- */

static void check(void)
{
	struct test_mn_check all = { .len = -1ULL };

	if (ioctl(device, TEST_MN_CHECK, &all))
		fail("CHECK", 0, errno);
}

static void *work(void *data)
{
	struct worker *w = data;
	unsigned long i, tenth = w->operations / 10 + 1;

	may_fail(true);
	for (i = 0; i < w->operations; i++) {
		switch (pick(w, 100)) {
		case 0 ... 39:
			add_by_device(w);
			break;
		case 40 ... 59:
			add_by_cpu(w);
			break;
		case 60 ... 67:
			preserve(w);
			break;
		case 68 ... 84:
			access_wild(w);
			break;
		case 85 ... 98:
			change(w);
			break;
		case 99:
			/* TEST_MN_SVA is flushed late: stale until then. */
			if (class->class != TEST_MN_SVA)
				check();
			break;
		}
		if (w->talks && i % tenth == tenth - 1)
			printf("# %lu of %lu\n", i, w->operations);
	}
	return NULL;
}

static char *map_area(void)
{
	char *p = mmap(NULL, AREA + HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		ksft_exit_fail_perror("mmap");
	return (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
}

static void attach_device(struct worker *w)
{
	struct test_mn_delay delay = {
		.point = pick(w, TEST_MN_POINTS),
		.usecs = pick(w, 200),
	};

	device = open(DEVICE, O_RDWR);
	if (device < 0)
		ksft_exit_fail_perror(DEVICE);
	if (attach(device, class->class, class->kind) ||
	    ioctl(device, TEST_MN_DELAY, &delay))
		ksft_exit_fail_perror("attach");
}

static void compare(void)
{
	unsigned long n;
	uint64_t value;

	for (n = 0; n < COUNTERS; n++) {
		struct test_mn_access arg = {
			.addr = (uintptr_t)counter(n),
			.len = 8,
			.buffer = (uintptr_t)&value,
		};

		if (*(uint64_t *)counter(n) != expected[n])
			fail("counter", arg.addr, 0);
		if (ioctl(device, TEST_MN_READ, &arg) || value != expected[n])
			fail("counter read by the device", arg.addr, 0);
	}
}

/* @share percent of the slab allocations fail, in threads that may fail. */
static bool fail_slab(unsigned long share)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", share);
	return !write_text(FAIL_SLAB "task-filter", "Y") &&
	       !write_text(FAIL_SLAB "ignore-gfp-wait", "N") &&
	       !write_text(FAIL_SLAB "verbose", "0") &&
	       !write_text(FAIL_SLAB "interval", "1") &&
	       !write_text(FAIL_SLAB "times", "-1") &&
	       !write_text(FAIL_SLAB "probability", text);
}

static void run(void)
{
	static struct worker workers[MAX_THREADS];
	struct worker *w;
	unsigned long i;

	for (i = 0; i < threads; i++) {
		w = &workers[i];
		w->random = seed * 1000003 + i;
		w->operations = operations / threads;
		w->talks = !i;
		if (!i)
			attach_device(w);
		if (pthread_create(&w->thread, NULL, work, w))
			ksft_exit_fail_perror("pthread_create");
	}
	for (i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
}

static void print_totals(const struct test_mn_stats *stats, unsigned long told)
{
	ksft_print_msg("seed %lu: %s, %lu operations, %lu invalidations, ",
		       seed, class->name, operations, told);
	if (percent)
		printf("%lu%% of slab allocations fail, %lu accesses for that, ",
		       percent, without_memory);
	printf("%llu retries, %llu translations checked, %llu stale\n",
	       stats->retries, stats->checked, stats->stale);
}

static bool succeeded(void)
{
	struct test_mn_stats stats;
	unsigned long told;
	int i;

	check();
	compare();
	if (ioctl(device, TEST_MN_STATS, &stats))
		ksft_exit_fail_perror("STATS");
	told = stats.tlb_flushes;
	for (i = 0; i < TEST_MN_EVENTS; i++)
		told += stats.invalidations[i];
	print_totals(&stats, told);
	if (!told || !stats.checked || (percent && !without_memory))
		fail("nothing was tested", 0, 0);
	if (!failures && !stats.stale && !stats.unpaired && !stats.in_progress)
		return true;
	ksft_print_msg("FAIL, again with: mmu_notifier_stress -s %lu -n %lu -t %lu -c %s -f %lu\n",
		       seed, operations, threads, class->name, percent);
	return false;
}

static const struct mn_class *find_class(const char *name)
{
	unsigned int i;

	for (i = 0; mn_classes[i].name; i++)
		if (!strcmp(mn_classes[i].name, name))
			return &mn_classes[i];
	ksft_exit_fail_msg("no class %s\n", name);
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:t:c:f:")) != -1) {
		switch (c) {
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			operations = strtoul(optarg, NULL, 0);
			break;
		case 't':
			threads = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			class = find_class(optarg);
			break;
		case 'f':
			percent = strtoul(optarg, NULL, 0);
			break;
		default:
			ksft_exit_fail_msg(USAGE, argv[0]);
		}
	}
	if (!threads || threads > MAX_THREADS || operations < threads)
		ksft_exit_fail_msg("1 to %d threads, and work for each\n",
				   MAX_THREADS);
	if (!class)
		class = &mn_classes[seed % NR_CLASSES];
}

int main(int argc, char **argv)
{
	ksft_print_header();
	parse(argc, argv);
	if (access(DEVICE, R_OK | W_OK))
		ksft_exit_skip("no " DEVICE " (CONFIG_TEST_MMU_NOTIFIER)\n");
	ksft_set_plan(1);

	counted = map_area();
	wild = map_area();
	if (percent && !fail_slab(percent))
		ksft_exit_fail_msg("no " FAIL_SLAB "\n");
	run();
	if (percent)
		fail_slab(0);
	ksft_test_result(succeeded(), "%s, seed %lu\n", class->name, seed);
	ksft_finished();
}
