/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests that what waits for invalidations ends: a VM, threads that invalidate
 * all the time, and the measure of progress.
 *
 * Progress is measured by what the others achieve meanwhile: an operation has
 * failed to end if it goes on for that many more of their invalidations.  How
 * fast the machine is doesn't matter.
 *
 * Each path runs in a process of its own, whose end also ends an operation that
 * would otherwise go on for ever.
 */
#ifndef MMU_NOTIFIER_LIVENESS_H
#define MMU_NOTIFIER_LIVENESS_H

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define CTRL_GPA	0x80000000ul
#define CTRL_SLOT	10
#define CLOCK_GPA	0x90000000ul
#define CLOCK_SLOT	11
#define CLOCK_PAGES	16
#define OTHER_GPA	0xa0000000ul
#define OTHER_SLOT	12
#define OTHER_PAGES	16
#define DATA_GPA	0x40000000ul
#define DATA_GPA2	0x48000000ul
#define DATA_SLOT	13
#define DATA_PAGES	4096ul
#define FEW_PAGES	64ul	/* of the data */

#define PTE_TABLE	(2ul << 20)	/* what a page table maps */
#define LONG_SIZE	(128ul << 20)	/* of an invalidation that takes long */

/* No operation may take longer than this many invalidations. */
#define LIMIT_SHORT	100000		/* of a page */
#define LIMIT_LONG	5000		/* of LONG_SIZE */
#define LIMIT_BUSY	400000		/* of a page, for what waits for RCU as well */

#define MAX_STORMS	16
#define WATCH_INTERVAL	100000		/* microseconds */

/* The guest reads what it is told to. */
struct control {
	uint64_t address;
};

static void guest_code(void)
{
	struct control *c = (struct control *)CTRL_GPA;

	for (;;)
		GUEST_SYNC1(READ_ONCE(*(uint64_t *)READ_ONCE(c->address)));
}

/* Shared by the processes of a path, and by the one that watches them */
static struct report {
	const char *what;	/* is being done */
	uint64_t limit;		/* of invalidations meanwhile, or 0 */
	uint64_t since;
	uint64_t invalidations;
	uint64_t worst;
	uint64_t count;		/* of what the path counts: its progress */
	const char *counted;
	uint32_t failed;
	uint32_t reported;
	uint32_t ready;
	pid_t storms[MAX_STORMS];
	char text[256];
} *r;

static struct {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	struct control *c;
	/* What is mapped: one side, the clock's and the data's memory, the other */
	char *left;
	char *clock;
	char *other;
	char *data;
	char *right;
	int iterations;
	int minutes;
} t = {
	.iterations = 4,
	.minutes = 4,
};

/* The first one to find something bad reports it; who fails ends its process. */
static void __noreturn __printf(1, 2) fail(const char *format, ...)
{
	static char text[sizeof(r->text)];
	va_list args;

	if (!__atomic_exchange_n(&r->failed, 1, __ATOMIC_SEQ_CST)) {
		va_start(args, format);
		vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		memcpy(r->text, text, sizeof(text));
		__atomic_store_n(&r->reported, 1, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&r->reported, __ATOMIC_ACQUIRE))
		usleep(100);
	_exit(KSFT_FAIL);
}

#define must(what)							\
do {									\
	if ((what) < 0)							\
		fail("%s: %s", #what, strerror(errno));			\
} while (0)

static uint64_t rnd(uint64_t n)
{
	return (uint64_t)random() % n;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return timespec_to_ns(time);
}

static uint64_t invalidations(void)
{
	return __atomic_load_n(&r->invalidations, __ATOMIC_ACQUIRE);
}

static void counted(const char *what)
{
	r->counted = what;
	r->count = 0;
}

/* What follows has to end before the storms get @limit invalidations further. */
static void must_end(const char *what, uint64_t limit)
{
	r->what = what;
	__atomic_store_n(&r->since, invalidations(), __ATOMIC_RELEASE);
	__atomic_store_n(&r->limit, limit, __ATOMIC_RELEASE);
}

static void ended(void)
{
	__atomic_store_n(&r->limit, 0, __ATOMIC_RELEASE);
	r->worst = max(r->worst, invalidations() - r->since);
	r->what = "what comes next";
}

static bool overdue(void)
{
	uint64_t n = invalidations();
	int64_t limit = __atomic_load_n(&r->limit, __ATOMIC_ACQUIRE);

	/* It may be another operation that @since belongs to: a later one. */
	return limit && (int64_t)(n - READ_ONCE(r->since)) > limit;
}

/* Storms: threads that invalidate all the time */

struct storm {
	void (*blow)(struct storm *s);
	char *at;
	size_t size;
	unsigned int seed;
	unsigned int n;
	pthread_t thread;
};

static struct storm storms[MAX_STORMS];
static int nstorms;
static bool stop_storms;

/* A page that nobody else uses is dropped, replaced and protected. */
static void blow_short(struct storm *s)
{
	WRITE_ONCE(*s->at, 1);
	switch (s->n++ % 3) {
	case 0:
		must(madvise(s->at, 4096, MADV_DONTNEED));
		break;
	case 1:
		if (mmap(s->at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0) != s->at)
			fail("mmap: %s", strerror(errno));
		break;
	case 2:
		must(mprotect(s->at, 4096, PROT_READ));
		must(mprotect(s->at, 4096, PROT_READ | PROT_WRITE));
		break;
	}
}

/*
 * Much is dropped that isn't there, but that there are page tables for: nearly
 * all of the time is spent between the start of the range and its end.
 */
static void blow_long(struct storm *s)
{
	must(madvise(s->at, s->size, MADV_DONTNEED));
}

static void make_page_tables(char *at, size_t size)
{
	size_t offset;

	for (offset = 0; offset < size; offset += PTE_TABLE)
		READ_ONCE(at[offset]);
}

static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void *storm_thread(void *arg)
{
	struct storm *s = arg;

	block_signals();
	while (!READ_ONCE(stop_storms)) {
		s->blow(s);
		__atomic_add_fetch(&r->invalidations, 1, __ATOMIC_SEQ_CST);
		if (overdue())
			fail("%s has not ended after %lu invalidations",
			     r->what, r->limit);
	}
	return NULL;
}

static void start_storm(void (*blow)(struct storm *s), char *at, size_t size)
{
	struct storm *s = &storms[nstorms++];
	uint64_t begin = invalidations();

	*s = (struct storm){
		.blow = blow, .at = at, .size = size, .seed = nstorms,
	};
	pthread_create(&s->thread, NULL, storm_thread, s);
	while (invalidations() - begin < 10)
		usleep(100);
}

static void end_storms(void)
{
	WRITE_ONCE(stop_storms, true);
	while (nstorms)
		pthread_join(storms[--nstorms].thread, NULL);
	WRITE_ONCE(stop_storms, false);
}

/* On both sides of guest memory, which is in the middle */
static void start_short_storms(void)
{
	start_storm(blow_short, t.left, 4096);
	start_storm(blow_short, t.right, 4096);
}

/*
 * As many as it takes for a range to be in progress at any time: half of those
 * that don't run have been stopped between two ranges, after a flush of the TLBs.
 */
static void start_long_storms(void)
{
	int i;

	make_page_tables(t.left, LONG_SIZE);
	make_page_tables(t.right, LONG_SIZE);
	for (i = 0; i < MAX_STORMS; i++)
		start_storm(blow_long, i & 1 ? t.left : t.right, LONG_SIZE);
}

/* What others wait for is measured even if nobody storms. */
static void start_yardstick(void)
{
	start_storm(blow_short, t.left, 4096);
}

/* The VM */

static void set_slot(uint32_t slot, uint64_t gpa, size_t pages, void *hva)
{
	if (__vm_set_user_memory_region(t.vm, slot, 0, gpa, pages * 4096, hva))
		fail("memslot %u: %s", slot, strerror(errno));
}

static void delete_slot(uint32_t slot)
{
	set_slot(slot, 0, 0, NULL);
}

static void drop(char *at, size_t pages)
{
	must(madvise(at, pages * 4096, MADV_DONTNEED));
}

static void create_arena(void)
{
	size_t data = DATA_PAGES * 4096;
	size_t size = LONG_SIZE + PTE_TABLE + data + LONG_SIZE;
	char *p = mmap(NULL, size + PTE_TABLE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	t.left = align_ptr_up(p, PTE_TABLE);
	t.clock = t.left + LONG_SIZE;
	t.other = t.clock + PTE_TABLE / 2;
	t.data = t.clock + PTE_TABLE;
	t.right = t.data + data;
	/* Kernels without huge pages say EINVAL. */
	madvise(t.left, size, MADV_NOHUGEPAGE);
}

static void create_vm(void)
{
	create_arena();
	t.vm = __vm_create_with_one_vcpu(&t.vcpu, 512, guest_code);
	vm_mem_add(t.vm, VM_MEM_SRC_SHMEM, CTRL_GPA, CTRL_SLOT, 1, 0, -1, 0);
	set_slot(CLOCK_SLOT, CLOCK_GPA, CLOCK_PAGES, t.clock);
	set_slot(OTHER_SLOT, OTHER_GPA, OTHER_PAGES, t.other);
	set_slot(DATA_SLOT, DATA_GPA, DATA_PAGES, t.data);
	virt_map(t.vm, CTRL_GPA, CTRL_GPA, 1);
	virt_map(t.vm, CLOCK_GPA, CLOCK_GPA, CLOCK_PAGES);
	virt_map(t.vm, DATA_GPA, DATA_GPA, FEW_PAGES);
	t.c = addr_gpa2hva(t.vm, CTRL_GPA);
}

static uint64_t guest_reads(uint64_t gpa)
{
	struct ucall uc;

	WRITE_ONCE(t.c->address, gpa);
	if (_vcpu_run(t.vcpu))
		fail("KVM_RUN: %s", strerror(errno));
	if (get_ucall(t.vcpu, &uc) != UCALL_SYNC)
		fail("the guest died: exit reason %s",
		     exit_reason_str(t.vcpu->run->exit_reason));
	return uc.args[0];
}

/* Returns false if it takes too long. */
static bool wait_process(pid_t pid)
{
	int status;
	pid_t dead;

	while (!(dead = waitpid(pid, &status, WNOHANG))) {
		if (overdue())
			return false;
		usleep(100);
	}
	must(dead);
	return true;
}

struct path {
	const char *name;
	/* NULL if all went well, or else the reason why it can't be run */
	const char *(*run)(void);
};

/* Ends all processes of a path: they are a process group. */
static void kill_path(pid_t pid)
{
	int i;

	kill(-pid, SIGKILL);
	for (i = 0; i < t.minutes * 600 && waitpid(pid, NULL, WNOHANG) != pid; i++)
		usleep(WATCH_INTERVAL);
	if (i == t.minutes * 600)
		ksft_exit_fail_msg("%s can't be killed\n", r->what);
}

/* Waits until the path's process ends, or hangs: what it counts stands still. */
static int watch_path(pid_t pid)
{
	uint64_t count = 0;
	int status, i = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		usleep(WATCH_INTERVAL);
		if (READ_ONCE(r->count) != count)
			i = 0;
		count = READ_ONCE(r->count);
		if (++i == t.minutes * 600) {
			kill_path(pid);
			snprintf(r->text, sizeof(r->text), "hang: %s", r->what);
			return KSFT_FAIL;
		}
	}
	kill(-pid, SIGKILL);
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || r->text[0]))
		return WEXITSTATUS(status);
	snprintf(r->text, sizeof(r->text), "%s: ended with status %#x", r->what,
		 status);
	return KSFT_FAIL;
}

static void __noreturn path_process(const struct path *path, unsigned int seed)
{
	const char *skipped;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srandom(seed);
	skipped = path->run();
	fflush(stdout);
	if (!skipped)
		_exit(KSFT_PASS);
	snprintf(r->text, sizeof(r->text), "%s", skipped);
	_exit(KSFT_SKIP);
}

static void run_path(const struct path *path, unsigned int seed)
{
	pid_t pid;

	memset(r, 0, sizeof(*r));
	r->what = "start";
	r->counted = "times";
	fflush(stdout);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		path_process(path, seed);

	switch (watch_path(pid)) {
	case KSFT_PASS:
		if (r->worst)
			ksft_print_msg("%lu invalidations beside the slowest\n",
				       r->worst);
		ksft_test_result_pass("%s: %lu %s\n", path->name, r->count,
				      r->counted);
		break;
	case KSFT_SKIP:
		ksft_test_result_skip("%s: %s\n", path->name, r->text);
		break;
	default:
		ksft_print_msg("path %s: %s\n", path->name, r->text);
		ksft_test_result_fail("%s\n", path->name);
	}
}

static void help(const char *name, const struct path *paths, size_t npaths)
{
	size_t i;

	printf("usage: %s [-h] [-p path] [-i iterations] [-r seed] [-w minutes]\n\n",
	       name);
	printf(" -p: do this alone; may be given several times\n    ");
	for (i = 0; i < npaths; i++)
		printf(" %s", paths[i].name);
	printf("\n -i: how often (4)\n");
	printf(" -r: seed of what is done at random (1)\n");
	printf(" -w: how long nothing may happen until it counts as a hang (4)\n");
	exit(0);
}

/* Returns how many more paths there are to run. */
static size_t choose(bool *chosen, const char *name, const struct path *paths,
		     size_t npaths)
{
	size_t i, more;

	for (i = 0; i < npaths; i++) {
		if (!strcmp(paths[i].name, name)) {
			more = !chosen[i];
			chosen[i] = true;
			return more;
		}
	}
	TEST_FAIL("There is no path '%s'", name);
}

static int run_paths(int argc, char *argv[], const struct path *paths,
		     size_t npaths)
{
	bool chosen[npaths];
	unsigned int seed = 1;
	size_t i, n = 0;
	int opt;

	memset(chosen, 0, sizeof(chosen));
	while ((opt = getopt(argc, argv, "hp:i:r:w:")) != -1) {
		switch (opt) {
		case 'p':
			n += choose(chosen, optarg, paths, npaths);
			break;
		case 'i':
			t.iterations = atoi_positive("Number of iterations", optarg);
			break;
		case 'r':
			seed = atoi_non_negative("Seed", optarg);
			break;
		case 'w':
			t.minutes = atoi_positive("Minutes", optarg);
			break;
		default:
			help(argv[0], paths, npaths);
		}
	}

	ksft_print_header();
	close(open_kvm_dev_path_or_exit());
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(r != MAP_FAILED, "mmap");
	ksft_set_plan(n ?: npaths);
	for (i = 0; i < npaths; i++)
		if (!n || chosen[i])
			run_path(&paths[i], seed);
	fflush(stdout);
	ksft_finished();
}

#endif /* MMU_NOTIFIER_LIVENESS_H */
