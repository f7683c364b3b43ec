// SPDX-License-Identifier: GPL-2.0
/*
 * Runs tests of liveness: each path in a process of its own, beside threads that
 * invalidate, and watched by another process.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "liveness.h"

struct report *report;

struct liveness test = {
	.iterations = 4,
	.minutes = 4,
};

/* The first failure is reported.  Each ends the process that it is found in. */
void fail(const char *format, ...)
{
	static char text[sizeof(report->text)];
	va_list args;

	if (!__atomic_exchange_n(&report->failed, 1, __ATOMIC_SEQ_CST)) {
		va_start(args, format);
		vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		memcpy(report->text, text, sizeof(text));
		__atomic_store_n(&report->reported, 1, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&report->reported, __ATOMIC_ACQUIRE))
		usleep(100);
	_exit(KSFT_FAIL);
}

uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return timespec_to_ns(time);
}

uint64_t invalidations(void)
{
	return __atomic_load_n(&report->invalidations, __ATOMIC_ACQUIRE);
}

void counted(const char *what)
{
	report->counted = what;
	report->count = 0;
}

/* What follows must end before the storms have made @limit more invalidations. */
void must_end(const char *what, uint64_t limit)
{
	report->what = what;
	__atomic_store_n(&report->since, invalidations(), __ATOMIC_RELEASE);
	__atomic_store_n(&report->limit, limit, __ATOMIC_RELEASE);
}

void ended(void)
{
	__atomic_store_n(&report->limit, 0, __ATOMIC_RELEASE);
	report->worst = max(report->worst, invalidations() - report->since);
	report->what = "the next operation";
}

static bool overdue(void)
{
	uint64_t n = invalidations();
	int64_t limit = __atomic_load_n(&report->limit, __ATOMIC_ACQUIRE);

	/* @since may already be that of a later operation, and more than @n. */
	return limit && (int64_t)(n - READ_ONCE(report->since)) > limit;
}

static struct storm storms[MAX_STORMS];
static int nstorms;
static bool stop_storms;

/* A page that nothing else uses is dropped, replaced and protected. */
static void blow_short(struct storm *s)
{
	WRITE_ONCE(*s->at, 1);
	switch (s->n++ % 3) {
	case 0:
		must(madvise(s->at, PAGE_SIZE, MADV_DONTNEED));
		break;
	case 1:
		map_anonymous(s->at, PAGE_SIZE);
		break;
	case 2:
		must(mprotect(s->at, PAGE_SIZE, PROT_READ));
		must(mprotect(s->at, PAGE_SIZE, PROT_READ | PROT_WRITE));
		break;
	}
}

/*
 * Drops a lot of memory that has page tables but no pages: nearly all of the time
 * is spent between the start of the range and its end.
 */
void blow_long(struct storm *s)
{
	must(madvise(s->at, s->size, MADV_DONTNEED));
}

void make_page_tables(char *at, size_t size)
{
	size_t offset;

	for (offset = 0; offset < size; offset += PTE_TABLE)
		READ_ONCE(at[offset]);
}

void block_signals(void)
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
		__atomic_add_fetch(&report->invalidations, 1, __ATOMIC_SEQ_CST);
		if (overdue())
			fail("%s has not ended after %lu invalidations",
			     report->what, report->limit);
	}
	return NULL;
}

void start_storm(void (*blow)(struct storm *s), char *at, size_t size)
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

void end_storms(void)
{
	WRITE_ONCE(stop_storms, true);
	while (nstorms)
		pthread_join(storms[--nstorms].thread, NULL);
	WRITE_ONCE(stop_storms, false);
}

/* They invalidate on both sides of guest memory, but nothing of it. */
void start_short_storms(void)
{
	start_storm(blow_short, test.left, PAGE_SIZE);
	start_storm(blow_short, test.right, PAGE_SIZE);
}

/*
 * Enough of them for a range to be in progress at any time: half of those that
 * don't run have been preempted between two ranges, after a flush of the TLBs.
 */
void start_long_storms(void)
{
	int i;

	make_page_tables(test.left, LONG_SIZE);
	make_page_tables(test.right, LONG_SIZE);
	for (i = 0; i < MAX_STORMS; i++)
		start_storm(blow_long, i & 1 ? test.left : test.right, LONG_SIZE);
}

/* Measures how long others wait, for paths without storms. */
void start_yardstick(void)
{
	start_storm(blow_short, test.left, PAGE_SIZE);
}

/* The guest reads where it is ordered to. */
static struct control {
	uint64_t address;
} *control;

static void guest_code(void)
{
	struct control *c = (struct control *)CTRL_GPA;

	for (;;)
		GUEST_SYNC1(READ_ONCE(*(uint64_t *)READ_ONCE(c->address)));
}

void set_slot(uint32_t slot, uint64_t gpa, size_t pages, void *hva)
{
	if (__vm_set_user_memory_region(test.vm, slot, 0, gpa,
					pages * PAGE_SIZE, hva))
		fail("memslot %u: %s", slot, strerror(errno));
}

void delete_slot(uint32_t slot)
{
	set_slot(slot, 0, 0, NULL);
}

void drop(char *at, size_t pages)
{
	must(madvise(at, pages * PAGE_SIZE, MADV_DONTNEED));
}

void create_arena(void)
{
	size_t data = DATA_PAGES * PAGE_SIZE;
	size_t size = LONG_SIZE + PTE_TABLE + data + LONG_SIZE;
	char *p = mmap(NULL, size + PTE_TABLE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	test.left = align_ptr_up(p, PTE_TABLE);
	test.clock = test.left + LONG_SIZE;
	test.other = test.clock + PTE_TABLE / 2;
	test.data = test.clock + PTE_TABLE;
	test.right = test.data + data;
	/* Kernels without huge pages return EINVAL. */
	madvise(test.left, size, MADV_NOHUGEPAGE);
}

void create_vm(void)
{
	create_arena();
	test.vm = __vm_create_with_one_vcpu(&test.vcpu, 512, guest_code);
	control = add_control(test.vm, sizeof(*control));
	set_slot(CLOCK_SLOT, CLOCK_GPA, CLOCK_PAGES, test.clock);
	set_slot(OTHER_SLOT, OTHER_GPA, OTHER_PAGES, test.other);
	set_slot(DATA_SLOT, DATA_GPA, DATA_PAGES, test.data);
	virt_map(test.vm, CLOCK_GPA, CLOCK_GPA, CLOCK_PAGES);
	virt_map(test.vm, DATA_GPA, DATA_GPA, FEW_PAGES);
}

uint64_t guest_reads(uint64_t gpa)
{
	struct ucall uc;

	WRITE_ONCE(control->address, gpa);
	if (_vcpu_run(test.vcpu))
		fail("KVM_RUN: %s", strerror(errno));
	if (get_ucall(test.vcpu, &uc) != UCALL_SYNC)
		fail("the guest died: exit reason %s",
		     exit_reason_str(test.vcpu->run->exit_reason));
	return uc.args[0];
}

/* Waits until the process has ended; returns false if that takes too long. */
bool wait_process(pid_t pid)
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

/* How often a path is watched without progress until it counts as hung */
static int intervals(void)
{
	return test.minutes * (60000000 / WATCH_INTERVAL);
}

/* Ends all processes of a path, which are a process group. */
static void kill_path(pid_t pid)
{
	int i;

	kill(-pid, SIGKILL);
	for (i = 0; i < intervals() && waitpid(pid, NULL, WNOHANG) != pid; i++)
		usleep(WATCH_INTERVAL);
	if (i == intervals())
		ksft_exit_fail_msg("%s can't be killed\n", report->what);
}

/* Waits until the path's process ends, or hangs, as its count stands still. */
static int watch_path(pid_t pid)
{
	uint64_t count = 0;
	int status, i = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		usleep(WATCH_INTERVAL);
		if (READ_ONCE(report->count) != count)
			i = 0;
		count = READ_ONCE(report->count);
		if (++i == intervals()) {
			kill_path(pid);
			snprintf(report->text, sizeof(report->text),
				 "hang: %s", report->what);
			return KSFT_FAIL;
		}
	}
	kill(-pid, SIGKILL);
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || report->text[0]))
		return WEXITSTATUS(status);
	snprintf(report->text, sizeof(report->text),
		 "%s: ended with status %#x", report->what, status);
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
	snprintf(report->text, sizeof(report->text), "%s", skipped);
	_exit(KSFT_SKIP);
}

static void run_path(const struct path *path, unsigned int seed)
{
	pid_t pid;

	memset(report, 0, sizeof(*report));
	report->what = "start";
	report->counted = "times";
	fflush(stdout);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		path_process(path, seed);

	switch (watch_path(pid)) {
	case KSFT_PASS:
		if (report->worst)
			ksft_print_msg("%lu invalidations beside the slowest\n",
				       report->worst);
		ksft_test_result_pass("%s: %lu %s\n", path->name, report->count,
				      report->counted);
		break;
	case KSFT_SKIP:
		ksft_test_result_skip("%s: %s\n", path->name, report->text);
		break;
	default:
		ksft_print_msg("path %s: %s\n", path->name, report->text);
		ksft_test_result_fail("%s\n", path->name);
	}
}

static void help(const char *name, const struct path *paths, size_t npaths)
{
	printf("usage: %s [-h] [-p path] [-i iterations] [-r seed] [-w minutes]\n\n",
	       name);
	print_paths(paths, npaths);
	printf(" -i: number of iterations of each path (4)\n");
	printf(" -r: seed of the random numbers (1)\n");
	printf(" -w: minutes without progress that count as a hang (4)\n");
	exit(0);
}

int run_paths(int argc, char *argv[], const struct path *paths, size_t npaths)
{
	bool chosen[npaths];
	unsigned int seed = 1;
	size_t i, n = 0;
	int opt;

	memset(chosen, 0, sizeof(chosen));
	while ((opt = getopt(argc, argv, "hp:i:r:w:")) != -1) {
		switch (opt) {
		case 'p':
			n += choose_path(chosen, optarg, paths, npaths);
			break;
		case 'i':
			test.iterations = atoi_positive("Number of iterations", optarg);
			break;
		case 'r':
			seed = atoi_non_negative("Seed", optarg);
			break;
		case 'w':
			test.minutes = atoi_positive("Minutes", optarg);
			break;
		default:
			help(argv[0], paths, npaths);
		}
	}

	ksft_print_header();
	close(open_kvm_dev_path_or_exit());
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(report != MAP_FAILED, "mmap");
	ksft_set_plan(n ?: npaths);
	for (i = 0; i < npaths; i++)
		if (!n || chosen[i])
			run_path(&paths[i], seed);
	fflush(stdout);
	ksft_finished();
}
