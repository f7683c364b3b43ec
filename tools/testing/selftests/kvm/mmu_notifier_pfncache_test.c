// SPDX-License-Identifier: GPL-2.0
/*
 * Test the refresh of pages that KVM caches, such as that of the guest's clock,
 * after they have been invalidated.  Invalidations of other memory must not keep
 * it from ending; those of the page itself must not leave the cache with a page
 * that is no longer the guest's.
 */
#include <asm/kvm_para.h>
#include <asm/pvclock-abi.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "mmu_notifier/liveness.h"

/* The guest's clock, in a page that KVM caches */

static uint64_t clock_gpa(unsigned int page)
{
	return CLOCK_GPA + page * PAGE_SIZE;
}

/* Makes KVM look the page up, unless it is the clock's already. */
static void set_clock(unsigned int page)
{
	if (_vcpu_set_msr(test.vcpu, MSR_KVM_SYSTEM_TIME_NEW,
			  clock_gpa(page) | KVM_MSR_ENABLED) != 1)
		fail("MSR_KVM_SYSTEM_TIME_NEW can't be set");
}

/* Requests an update, which the vCPU makes when it runs next. */
static void update_clock(void)
{
	vcpu_ioctl(test.vcpu, KVM_KVMCLOCK_CTRL, NULL);
}

/* An update must reach the page that the host has. */
static void check_clock(unsigned int page, char *hva)
{
	uint64_t host, guest;

	WRITE_ONCE(*(uint64_t *)hva, 0);
	update_clock();
	guest = guest_reads(clock_gpa(page));
	host = READ_ONCE(*(uint64_t *)hva);
	if (!(uint32_t)host || (uint32_t)host & 1)
		fail("the clock was updated in a page that isn't the guest's any more: version %u",
		     (uint32_t)host);
	if (guest != host)
		fail("version of the clock: %lu for the guest, %lu for the host",
		     guest, host);
}

static void refresh_beside_storms(int n, uint64_t limit)
{
	int i;

	counted("refreshes");
	for (i = 0; i < n; i++) {
		must_end("setting of the clock's page", limit);
		set_clock(i & 1);
		ended();
		report->count++;

		drop(test.clock, 2);
		update_clock();
		must_end("update of the clock by KVM_RUN", limit);
		guest_reads(clock_gpa(i & 1));
		ended();
		report->count++;
	}
}

static const char *path_storm(void)
{
	create_vm();
	start_short_storms();
	refresh_beside_storms(test.iterations * 100, LIMIT_SHORT);
	end_storms();
	set_clock(0);
	check_clock(0, test.clock);
	return NULL;
}

static const char *path_long_storm(void)
{
	create_vm();
	start_long_storms();
	refresh_beside_storms(test.iterations * 25, LIMIT_LONG);
	end_storms();
	set_clock(0);
	check_clock(0, test.clock);
	return NULL;
}

/*
 * A refresh must wait for as long as a range that contains its page is in progress.
 * If there always is one, only a fatal signal ends it.  The page stays where it is,
 * so that its lookup is quick and doesn't end the refresh itself.
 */
static void blow_free(struct storm *s)
{
	must(madvise(s->at, s->size, MADV_FREE));
}

/* The storms are processes that share the mm: they survive the signal. */
static int storm_process(void *arg)
{
	struct storm *s = arg;

	while (getppid() != 1) {
		s->blow(s);
		__atomic_add_fetch(&report->invalidations, 1, __ATOMIC_SEQ_CST);
	}
	return 0;
}

static void __noreturn refresh_until_killed(void)
{
	static char stacks[MAX_STORMS][16384] __aligned(16);
	struct storm s = {
		.blow = blow_free,
		.size = LONG_SIZE,
	};
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	create_vm();
	s.at = test.clock - LONG_SIZE / 2;
	make_page_tables(s.at, s.size);
	set_clock(0);
	for (i = 0; i < MAX_STORMS; i++) {
		report->storms[i] = clone(storm_process,
					  stacks[i] + sizeof(stacks[i]),
					  CLONE_VM | SIGCHLD, &s);
		must(report->storms[i]);
	}
	WRITE_ONCE(report->ready, 1);
	for (i = 1; ; i++) {
		set_clock(i & 1);
		WRITE_ONCE(report->count, report->count + 1);
	}
}

static void wait_invalidations(uint64_t n)
{
	uint64_t begin = invalidations();

	while (invalidations() - begin < n)
		usleep(100);
}

static bool refresh_is_stuck(void)
{
	uint64_t count;
	int i;

	for (i = 0; i < 100; i++) {
		count = READ_ONCE(report->count);
		wait_invalidations(20);
		if (count == READ_ONCE(report->count))
			return true;
	}
	return false;
}

static const char *path_kill(void)
{
	bool stuck, died;
	uint64_t killed = 0;
	int i, round;
	pid_t pid;

	counted("refreshes");
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (round = 0; round < test.iterations; round++) {
		WRITE_ONCE(report->ready, 0);
		pid = fork();
		must(pid);
		if (!pid)
			refresh_until_killed();
		while (!READ_ONCE(report->ready)) {
			if (waitpid(pid, NULL, WNOHANG))
				fail("the process that refreshes has died");
			usleep(1000);
		}
		stuck = refresh_is_stuck();
		must_end("a process that was killed in a refresh", LIMIT_LONG);
		kill(pid, SIGKILL);
		died = wait_process(pid);
		if (died)
			ended();
		for (i = 0; i < MAX_STORMS; i++)
			kill(report->storms[i], SIGKILL);
		while (waitpid(-1, NULL, 0) > 0)
			;
		if (!died)
			fail("%s has not died after %lu invalidations",
			     report->what, report->limit);
		killed += stuck;
		report->count++;
	}
	if (!killed)
		return "no refresh had to wait";
	report->counted = "refreshes killed";
	report->count = killed;
	return NULL;
}

/* Replaces the page while it is looked up; the cache must not be left with it. */
static struct {
	sem_t begin;
	uint64_t begun;
	uint64_t done;
	uint64_t delay;
	bool end;
} dropper;

static void sleep_ns(uint64_t ns)
{
	struct timespec time = {
		.tv_sec = ns / NSEC_PER_SEC,
		.tv_nsec = ns % NSEC_PER_SEC,
	};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/*
 * The page is the last one of a long range, so that it can still be looked up for
 * a while after the range has started.
 */
static void drop_long_range(uint64_t n)
{
	must(madvise(test.clock - LONG_SIZE, LONG_SIZE + PAGE_SIZE, MADV_DONTNEED));
}

/* The page is replaced at once, in one of several ways. */
static void replace_page(uint64_t n)
{
	switch (n % 3) {
	case 0:
		drop(test.clock, 1);
		break;
	case 1:
		map_anonymous(test.clock, PAGE_SIZE);
		break;
	case 2:
		if (mremap(test.other, PAGE_SIZE, PAGE_SIZE,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   test.clock) != test.clock)
			fail("mremap: %s", strerror(errno));
		map_anonymous(test.other, PAGE_SIZE);
		break;
	}
}

static void *dropper_thread(void *arg)
{
	void (*drop_it)(uint64_t n) = arg;

	for (;;) {
		while (sem_wait(&dropper.begin))
			;
		if (dropper.end)
			return NULL;
		if (dropper.delay)
			sleep_ns(dropper.delay);
		WRITE_ONCE(dropper.begun, dropper.begun + 1);
		drop_it(dropper.begun);
		WRITE_ONCE(dropper.done, dropper.begun);
	}
}

/* Both threads run on one CPU, so that one preempts the other. */
static pthread_t start_dropper(void (*drop_it)(uint64_t n))
{
	pthread_t thread;

	sem_init(&dropper.begin, 0, 0);
	pthread_create(&thread, NULL, dropper_thread, drop_it);
	pin(thread, 0);
	pin(pthread_self(), 0);
	return thread;
}

static void wait_dropper(uint64_t n)
{
	while (READ_ONCE(dropper.done) < n)
		usleep(50);
	check_clock(0, test.clock);
}

static void end_dropper(pthread_t thread)
{
	dropper.end = true;
	sem_post(&dropper.begin);
	pthread_join(thread, NULL);
}

/* The refresh begins while the range is in progress. */
static const char *path_running(void)
{
	struct sched_param param = {};
	pthread_t thread;
	uint64_t takes;
	int i;

	counted("refreshes in a range");
	create_vm();
	make_page_tables(test.clock - LONG_SIZE, LONG_SIZE);
	thread = start_dropper(drop_long_range);
	pthread_setschedparam(thread, SCHED_IDLE, &param);
	takes = now();
	drop_long_range(0);
	takes = now() - takes;

	for (i = 1; i <= test.iterations * 50; i++) {
		report->what = "refresh of a page that is being dropped";
		set_clock(1);
		sem_post(&dropper.begin);
		sleep_ns(1 + rnd(takes));
		if (READ_ONCE(dropper.begun) == (uint64_t)i &&
		    READ_ONCE(dropper.done) < (uint64_t)i)
			report->count++;
		set_clock(0);
		wait_dropper(i);
	}
	end_dropper(thread);
	return NULL;
}

/* Now and then a range starts and ends between the page's lookup and its use. */
static const char *path_ended(void)
{
	pthread_t thread;
	uint64_t takes;
	int i;

	counted("pages replaced");
	create_vm();
	thread = start_dropper(replace_page);
	if (!set_fifo(thread, 2) || !set_fifo(pthread_self(), 1))
		return "there is no permission for real-time priorities";
	set_clock(1);
	takes = now();
	set_clock(0);
	takes = now() - takes;

	for (i = 1; i <= test.iterations * 500; i++) {
		report->what = "refresh of a page that is being replaced";
		set_clock(1);
		dropper.delay = 1 + rnd(takes * 2);
		sem_post(&dropper.begin);
		set_clock(0);
		wait_dropper(i);
		report->count++;
	}
	end_dropper(thread);
	return NULL;
}

static void *refresher_thread(void *arg)
{
	bool *end = arg;
	int i;

	for (i = 0; !READ_ONCE(*end); i++) {
		set_clock(i & 1);
		update_clock();
		guest_reads(CTRL_GPA);
	}
	return NULL;
}

/* The cache's memslot is deleted, moved and gets other memory. */
static const char *path_memslot(void)
{
	char *at[2];
	bool end = false;
	pthread_t thread;
	int i;

	counted("changes");
	create_vm();
	at[0] = test.clock;
	at[1] = test.clock + PTE_TABLE / 4;
	start_yardstick();
	for (i = 0; i < test.iterations * 25; i++) {
		WRITE_ONCE(end, false);
		pthread_create(&thread, NULL, refresher_thread, &end);
		must_end("deletion of the memslot of a cached page", LIMIT_BUSY);
		delete_slot(CLOCK_SLOT);
		ended();
		set_slot(CLOCK_SLOT, clock_gpa(CLOCK_PAGES), CLOCK_PAGES,
			 at[i & 1]);
		must_end("move of a memslot to that of a cached page", LIMIT_BUSY);
		set_slot(CLOCK_SLOT, CLOCK_GPA, CLOCK_PAGES, at[i & 1]);
		ended();
		must_end("refreshes beside changes of memslots", LIMIT_BUSY);
		WRITE_ONCE(end, true);
		pthread_join(thread, NULL);
		ended();
		set_clock(0);
		check_clock(0, at[i & 1]);
		report->count++;
	}
	end_storms();
	return NULL;
}

static const struct path paths[] = {
	{ .name = "storm", .run = path_storm },
	{ .name = "long-storm", .run = path_long_storm },
	{ .name = "kill", .run = path_kill },
	{ .name = "running", .run = path_running },
	{ .name = "ended", .run = path_ended },
	{ .name = "memslot", .run = path_memslot },
};

int main(int argc, char *argv[])
{
	return run_paths(argc, argv, paths, ARRAY_SIZE(paths));
}
