// SPDX-License-Identifier: GPL-2.0
/*
 * Test that the kernel says whom KVM waits for, and which faults it retries, while
 * a range doesn't end: changes of memslots wait for all ranges, the refresh of a
 * page that KVM caches for those that cover it, and a vCPU faults again and again.
 *
 * What keeps the range in progress is a callback that sleeps: that of a secondary
 * MMU that is in software, in the same process.  It sleeps until the test has seen
 * what it looks for, so the speed of the machine doesn't matter.
 */
#include <asm/kvm_para.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "../../../../lib/test_mmu_notifier_uapi.h"
#include "mmu_notifier/liveness.h"
#include "mmu_notifier/observe.h"

#define DEVICE		"/dev/test_mmu_notifier"
#define CALLBACK	"test_range_"	/* start or end */
#define HOLDER		"range_holder"
#define STUCK		"stuck_in_kvm"
#define HOLD		60000000	/* microseconds: until it is released */

/* A thread that does what it is told to.  None is created while a range is held. */
struct worker {
	const char *name;
	void (*work)(void);
	sem_t begin;
	bool done;
	pid_t tid;
	pthread_t thread;
};

static void *worker_thread(void *arg)
{
	struct worker *w = arg;

	block_signals();
	must(prctl(PR_SET_NAME, w->name));
	WRITE_ONCE(w->tid, syscall(__NR_gettid));
	for (;;) {
		while (sem_wait(&w->begin))
			;
		w->work();
		__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	}
}

static bool is_done(struct worker *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_ACQUIRE);
}

static void create_worker(struct worker *w, const char *name, void (*work)(void))
{
	w->name = name;
	w->work = work;
	sem_init(&w->begin, 0, 0);
	pthread_create(&w->thread, NULL, worker_thread, w);
	while (!READ_ONCE(w->tid))
		usleep(100);
}

static void start_work(struct worker *w)
{
	__atomic_store_n(&w->done, false, __ATOMIC_RELEASE);
	sem_post(&w->begin);
}

static void wait_work(struct worker *w)
{
	while (!is_done(w))
		usleep(100);
}

/* The range, of one page */
static struct worker holder;
static char *held;
static int device;

static void drop_held(void)
{
	drop(held, 1);
}

static void set_delay(unsigned int point, unsigned int usecs)
{
	struct test_mn_delay delay = { .point = point, .usecs = usecs };

	must(ioctl(device, TEST_MN_DELAY, &delay));
}

static void hold_range(unsigned int point)
{
	set_delay(point, HOLD);
	start_work(&holder);
	while (!in_callback(holder.tid, CALLBACK)) {
		if (is_done(&holder))
			fail("no callback was seen in a range");
		usleep(1000);
	}
	if (!in_range(holder.tid, held))
		fail("a callback was seen, but not the range that it is for");
}

static void release_range(unsigned int point)
{
	set_delay(point, 0);
	wait_work(&holder);
}

/* What waits for its end, or can't get through before it */
struct operation {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
	const char *figure;	/* that counts it */
	const char *symbol;	/* in the report */
};

/*
 * Returns whether the operation was reported, rather than done, while a callback
 * slept at @point.
 */
static bool is_reported(const struct operation *o, struct worker *stuck,
			unsigned int point)
{
	char holder_tid[16], stuck_tid[16], address[32];
	const char *const words[] = {
		STUCK, stuck_tid, HOLDER, holder_tid, address, o->symbol, NULL
	};
	uint64_t before;
	bool done, reported;

	snprintf(stuck_tid, sizeof(stuck_tid), "/%d)", stuck->tid);
	snprintf(holder_tid, sizeof(holder_tid), "/%d)", holder.tid);
	snprintf(address, sizeof(address), "%lx", (unsigned long)held);
	o->prepare();
	before = figure(o->figure);
	log_begin();
	hold_range(point);
	start_work(stuck);
	do {
		usleep(1000);
		done = is_done(stuck);
		reported = log_has(words);
	} while (!done && !reported);
	release_range(point);
	wait_work(stuck);
	if (reported && figure(o->figure) == before)
		fail("%s was reported, but isn't counted as one of '%s'",
		     o->name, o->figure);
	return reported;
}

/*
 * Nobody says in which order KVM and the device are notified.  If KVM is the first
 * at the start of a range, it waits while the device sleeps there, and otherwise
 * while the device sleeps at the end.
 */
static const char *report_of(const struct operation *o)
{
	static struct worker stuck;
	int i;

	counted("reports");
	create_worker(&holder, HOLDER, drop_held);
	create_worker(&stuck, STUCK, o->run);
	report->what = o->name;
	for (i = 0; i < test.iterations; i++) {
		if (!is_reported(o, &stuck, TEST_MN_START) &&
		    !is_reported(o, &stuck, TEST_MN_END))
			fail("%s has not waited for a range, or that was not reported",
			     o->name);
		report->count++;
	}
	return NULL;
}

/* As it happens, whoever comes last is notified first: one attempt will do. */
static void create_vm_and_device(void)
{
	struct test_mn_attach attach = {
		.class = TEST_MN_PAGE_TABLE,
		.kind = TEST_MN_HLIST,
	};

	device = open(DEVICE, O_RDWR);
	must(device);
	must(ioctl(device, TEST_MN_ATTACH, &attach));
	create_vm();
}

/* Any range will do, of guest memory or not. */
static void add_other_slot(void)
{
	set_slot(OTHER_SLOT, OTHER_GPA, OTHER_PAGES, test.other);
}

static void delete_other_slot(void)
{
	delete_slot(OTHER_SLOT);
}

static const char *path_memslots(void)
{
	const struct operation deletion = {
		.name = "the deletion of a memslot",
		.prepare = add_other_slot,
		.run = delete_other_slot,
		.figure = "waits",
		.symbol = CALLBACK,
	};

	create_vm_and_device();
	delete_other_slot();
	held = test.right;
	return report_of(&deletion);
}

static void write_data(void)
{
	WRITE_ONCE(*(uint64_t *)test.data, 1);
}

static void read_data(void)
{
	guest_reads(DATA_GPA);
}

static const char *path_fault(void)
{
	const struct operation fault = {
		.name = "a fault of the guest",
		.prepare = write_data,
		.run = read_data,
		.figure = "retries",
		.symbol = "page_fault",
	};

	create_vm_and_device();
	held = test.data;
	return report_of(&fault);
}

static void set_clock(unsigned int page)
{
	uint64_t gpa = CLOCK_GPA + page * PAGE_SIZE;

	if (_vcpu_set_msr(test.vcpu, MSR_KVM_SYSTEM_TIME_NEW,
			  gpa | KVM_MSR_ENABLED) != 1)
		fail("MSR_KVM_SYSTEM_TIME_NEW can't be set");
}

static void set_clock_elsewhere(void)
{
	set_clock(1);
}

static void set_clock_in_range(void)
{
	set_clock(0);
}

static const char *path_pfncache(void)
{
	const struct operation refresh = {
		.name = "the refresh of a cached page",
		.prepare = set_clock_elsewhere,
		.run = set_clock_in_range,
		.figure = "waits",
		.symbol = CALLBACK,
	};

	create_vm_and_device();
	held = test.clock;
	return report_of(&refresh);
}

static const struct path paths[] = {
	{ .name = "memslots", .run = path_memslots },
	{ .name = "fault", .run = path_fault },
	{ .name = "pfncache", .run = path_pfncache },
};

static long stuck_seconds;

static void restore_stuck_seconds(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", stuck_seconds);
	write_file(STUCK_SECONDS, text);
}

static void __noreturn skip_all(const char *file, const char *option)
{
	ksft_print_header();
	ksft_exit_skip("there is no %s: %s is not set, or you are not root\n",
		       file, option);
}

int main(int argc, char *argv[])
{
	if (access(FIGURES, R_OK))
		skip_all(FIGURES, "CONFIG_MMU_NOTIFIER_STATS");
	if (access(DEVICE, R_OK | W_OK))
		skip_all(DEVICE, "CONFIG_TEST_MMU_NOTIFIER");

	stuck_seconds = read_number(STUCK_SECONDS);
	TEST_ASSERT(stuck_seconds >= 0, "There is no %s", STUCK_SECONDS);
	atexit(restore_stuck_seconds);
	TEST_ASSERT(write_file(STUCK_SECONDS, "1\n"), "Can't write %s",
		    STUCK_SECONDS);
	return run_paths(argc, argv, paths, ARRAY_SIZE(paths));
}
