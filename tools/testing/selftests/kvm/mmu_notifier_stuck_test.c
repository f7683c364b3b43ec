// SPDX-License-Identifier: GPL-2.0
/*
 * Test that the kernel says whom KVM waits for, and what it retries, while a range
 * doesn't end: changes of memslots wait for all ranges, the refresh of a page that
 * KVM caches for those that cover it, and a vCPU faults again and again for a page of
 * the range.  For one that is only between two ranges it must not.  A refresh that
 * ranges overtake starts over again and again.  A memslot far from all others waits for
 * the ranges that KVM wasn't notified of, and no page that one of these takes away may
 * get into it.
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
#include "userfaultfd_util.h"
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

/*
 * Only there: others may come by, be it to reclaim memory, with pages locked, or to
 * balance NUMA nodes, which any thread does, also the one that looks on.
 */
static void hold_by(int fd, unsigned int point, struct worker *w)
{
	must(ioctl(fd, TEST_MN_DELAY, &(struct test_mn_delay){
		.point = point,
		.usecs = HOLD,
		.tid = w->tid,
	}));
}

static void hold_at(unsigned int point, struct worker *w)
{
	hold_by(device, point, w);
}

static void release_by(int fd, unsigned int point)
{
	must(ioctl(fd, TEST_MN_DELAY, &(struct test_mn_delay){
		.point = point,
	}));
}

static void release_at(unsigned int point)
{
	release_by(device, point);
}

static void wait_callback(struct worker *w, const char *callback)
{
	while (!in_callback(w->tid, callback)) {
		if (is_done(w))
			fail("no callback was seen in a range");
		usleep(1000);
	}
}

static void wait_range(struct worker *w, char *page)
{
	start_work(w);
	wait_callback(w, CALLBACK);
	if (!in_range(w->tid, page))
		fail("a callback was seen, but not the range that it is for");
}

static void hold_range(unsigned int point)
{
	hold_at(point, &holder);
	wait_range(&holder, held);
}

static void release_range(unsigned int point)
{
	release_at(point);
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

/* Whether the log has a report of who is stuck and who holds the range */
static bool is_told(const struct worker *stuck, const char *symbol)
{
	char holder_tid[16], stuck_tid[16], address[32];
	const char *const words[] = {
		STUCK, stuck_tid, HOLDER, holder_tid, address, symbol, NULL
	};

	snprintf(stuck_tid, sizeof(stuck_tid), "/%d)", stuck->tid);
	snprintf(holder_tid, sizeof(holder_tid), "/%d)", holder.tid);
	snprintf(address, sizeof(address), "%lx", (unsigned long)held);
	return log_has(words);
}

/*
 * Returns whether the operation was reported, rather than done, while a callback
 * slept at @point.
 */
static bool is_reported(const struct operation *o, struct worker *stuck,
			unsigned int point)
{
	uint64_t before;
	bool done, reported;

	o->prepare();
	before = figure(o->figure);
	log_begin();
	hold_range(point);
	start_work(stuck);
	do {
		usleep(1000);
		done = is_done(stuck);
		reported = is_told(stuck, o->symbol);
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

static int attached_device(struct test_mn_attach attach)
{
	int fd = open(DEVICE, O_RDWR);

	must(fd);
	must(ioctl(fd, TEST_MN_ATTACH, &attach));
	return fd;
}

static int any_device(void)
{
	return attached_device((struct test_mn_attach) {
		.class = TEST_MN_PAGE_TABLE,
		.kind = TEST_MN_HLIST,
	});
}

/* As it happens, whoever comes last is notified first: one attempt will do. */
static void create_vm_and_device(void)
{
	device = any_device();
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

/*
 * The range of page 0 is held as ever, and that of page 2 by a device of its own.  So
 * page 1 is between two ranges, neither of which is about it.
 */
static struct {
	struct worker holder;
	int device;
	uint64_t wanted;	/* gpa that the vCPU reads */
} between;

#define VAIN	100		/* retries; there are some if others change the mm */

static char *data_page(size_t page)
{
	return test.data + page * PAGE_SIZE;
}

static void drop_page_2(void)
{
	drop(data_page(2), 1);
}

static void read_wanted(void)
{
	guest_reads(between.wanted);
}

/* Returns true while the guest still waits for the page, and false if it has it. */
static bool must_wait(struct worker *reader, size_t page)
{
	uint64_t before = figure("retries");

	between.wanted = DATA_GPA + page * PAGE_SIZE;
	start_work(reader);
	while (!is_done(reader)) {
		if (figure("retries") > before + VAIN)
			return true;
		usleep(1000);
	}
	return false;
}

/* Returns whether KVM had been notified of both ranges. */
static bool faults_between(struct worker *reader, unsigned int point)
{
	bool notified;
	size_t page;

	drop(test.data, 3);
	for (page = 0; page < 3; page++)
		WRITE_ONCE(*(uint64_t *)data_page(page), 1);
	hold_range(point);
	hold_by(between.device, point, &between.holder);
	wait_range(&between.holder, data_page(2));

	if (must_wait(reader, 1))
		fail("the guest waits for ranges that its page is only between");
	notified = must_wait(reader, 0);
	release_range(point);
	wait_work(reader);
	notified &= must_wait(reader, 2);
	release_by(between.device, point);
	wait_work(&between.holder);
	wait_work(reader);
	return notified;
}

static const char *path_fault_between(void)
{
	static struct worker reader;
	int i;

	counted("faults");
	between.device = any_device();
	create_vm_and_device();
	held = data_page(0);
	create_worker(&holder, HOLDER, drop_held);
	create_worker(&between.holder, HOLDER, drop_page_2);
	create_worker(&reader, "reader", read_wanted);
	report->what = "a fault between two ranges";
	/* Once, while no range is held: the memory for it is mapped, which needs mmap_lock. */
	figure("retries");
	for (i = 0; i < test.iterations; i++) {
		if (!faults_between(&reader, TEST_MN_START) &&
		    !faults_between(&reader, TEST_MN_END))
			fail("the guest has not waited for a range of its page");
		report->count++;
	}
	return NULL;
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

/*
 * Until this is done the lookup of a cached page waits in userfaultfd, for a page
 * that comes only when a range has overtaken it: KVM has been notified of the start,
 * and then the device sleeps.  So the refresh must start over, which waits for the
 * end of the range, and finds that the page has been dropped.
 */
static struct {
	struct worker refresher;
	uint64_t begun;
	bool reported;
} overtaken;

#define NEVER	(10ull * NSEC_PER_SEC)	/* much more than STUCK_SECONDS */

static void wait_retry(uint64_t before)
{
	uint64_t retries;

	while ((retries = figure("retries")) == before) {
		if (is_done(&overtaken.refresher))
			fail("a range overtook the lookup of a cached page, which was used");
		usleep(1000);
	}
	if (retries != before + 1)
		fail("one retry is counted as %lu", retries - before);
}

/* Called when the lookup waits in userfaultfd. */
static int overtake_lookup(int mode, int uffd, struct uffd_msg *msg)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)held,
		.src = (unsigned long)test.data,
		.len = PAGE_SIZE,
	};
	uint64_t before = figure("retries");
	bool last = overtaken.reported;

	if (!last)
		hold_range(TEST_MN_START);
	must(ioctl(uffd, UFFDIO_COPY, &copy));
	if (last)
		return 0;

	wait_retry(before);
	/* It is counted before it is reported: the next time is early enough. */
	overtaken.reported = is_told(&overtaken.refresher, "kvm_gpc_refresh");
	release_range(TEST_MN_START);
	if (!overtaken.reported && now() > overtaken.begun + NEVER)
		fail("a refresh that starts over again and again was not reported");
	return 0;
}

static const char *path_pfncache_retries(void)
{
	int i, fd = syscall(__NR_userfaultfd, O_CLOEXEC);
	struct uffd_desc *uffd;

	if (fd < 0)
		return "there is no userfaultfd";
	close(fd);
	create_vm_and_device();
	held = test.clock;
	write_data();
	counted("reports");
	create_worker(&holder, HOLDER, drop_held);
	create_worker(&overtaken.refresher, STUCK, set_clock_in_range);
	report->what = "a refresh that starts over";
	for (i = 0; i < test.iterations; i++) {
		set_clock_elsewhere();
		drop_held();
		overtaken.reported = false;
		overtaken.begun = now();
		log_begin();
		uffd = uffd_setup_demand_paging(UFFDIO_REGISTER_MODE_MISSING, 0,
						held, PAGE_SIZE, 1,
						overtake_lookup);
		start_work(&overtaken.refresher);
		wait_work(&overtaken.refresher);
		uffd_stop_demand_paging(uffd);
		if (!overtaken.reported)
			fail("the lookup of a cached page didn't wait in userfaultfd");
		report->count++;
	}
	return NULL;
}

/*
 * A memslot is created over memory that is being unmapped.  KVM isn't notified of
 * that range, as it is far from all memslots, and so must wait until it has ended.
 *
 * If a subscriber slept in the range, KVM would be notified, too.  So a lock keeps it
 * in progress: munmap() of a huge page takes that of the file between start and end.
 * A thread that punches a hole elsewhere in the file holds it, and sleeps in a callback
 * of the device, which has subscribed only to the addresses of the hole.
 */
static struct {
	struct worker puncher;
	char *hole;
	int fd;
} file;

#define HUGE_PAGE		(2ul << 20)
#define INTERVAL_CALLBACK	"test_invalidate"
#define FAR_GPA			0xb0000000ul
#define FAR_SLOT		14
#define FAR_FROM_ALL		((char *)(64ul << 30))	/* much lower than any other */
#define OLD_VALUE		0x01dul
#define NEW_VALUE		0x2e3ul

static void punch_hole(void)
{
	must(madvise(file.hole, HUGE_PAGE, MADV_REMOVE));
}

static void unmap_held(void)
{
	must(munmap(held, HUGE_PAGE));
}

static void add_far_slot(void)
{
	set_slot(FAR_SLOT, FAR_GPA, HUGE_PAGE / PAGE_SIZE, held);
}

static char *map_file(char *at, int flags, size_t offset)
{
	char *p = mmap(at, HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | flags,
		       file.fd, offset);

	if (p == MAP_FAILED)
		fail("mmap of a huge page: %s", strerror(errno));
	return p;
}

/* Returns when the range has been passed over: in between nothing else sleeps. */
static void hold_passed_over(void)
{
	hold_at(TEST_MN_START, &file.puncher);
	start_work(&file.puncher);
	wait_callback(&file.puncher, INTERVAL_CALLBACK);
	start_work(&holder);
	while (!in_range(holder.tid, held) || !waits_for_lock(holder.tid)) {
		if (is_done(&holder))
			fail("a range ended that should wait for a lock");
		usleep(1000);
	}
}

static void release_passed_over(void)
{
	release_range(TEST_MN_START);
	wait_work(&file.puncher);
}

/* The guest must see what the host has put where the memory was unmapped. */
static void check_far_slot(void)
{
	uint64_t seen;

	map_anonymous(held, PAGE_SIZE);
	WRITE_ONCE(*(uint64_t *)held, NEW_VALUE);
	seen = guest_reads(FAR_GPA);
	if (seen != NEW_VALUE)
		fail("the guest has read %#lx, in a page that had been unmapped", seen);
}

static void overtake_unmapping(struct worker *stuck)
{
	uint64_t before = figure("waits");
	bool reported;

	log_begin();
	hold_passed_over();
	start_work(stuck);
	do {
		usleep(1000);
		reported = is_told(stuck, "to be notified of more");
	} while (!reported && !is_done(stuck));
	/* It is too early: what the guest maps now, KVM won't be told to unmap. */
	if (!reported)
		guest_reads(FAR_GPA);
	release_passed_over();
	wait_work(stuck);
	check_far_slot();
	if (!reported)
		fail("the memslot has not waited for a range, or that was not reported");
	if (figure("waits") == before)
		fail("that the memslot waits was reported, but isn't counted");
}

static bool have_huge_pages(void)
{
	return read_field("/proc/meminfo", "Hugepagesize") == HUGE_PAGE / 1024 &&
	       read_field("/proc/meminfo", "HugePages_Free") >= 2;
}

static const char *path_span(void)
{
	static struct worker stuck;
	int i;

	if (!have_huge_pages())
		return "there are no two huge pages of 2 MiB";
	counted("reports");
	file.fd = kvm_memfd_alloc(2 * HUGE_PAGE, true);
	file.hole = map_file(NULL, 0, HUGE_PAGE);
	device = attached_device((struct test_mn_attach) {
		.class = TEST_MN_PAGE_TABLE,
		.kind = TEST_MN_INTERVAL,
		.start = (unsigned long)file.hole,
		.len = HUGE_PAGE,
	});
	create_vm();
	virt_map(test.vm, FAR_GPA, FAR_GPA, 1);
	create_worker(&file.puncher, "file_puncher", punch_hole);
	create_worker(&holder, HOLDER, unmap_held);
	create_worker(&stuck, STUCK, add_far_slot);
	report->what = "the creation of a memslot beside munmap()";
	for (i = 1; i <= test.iterations; i++) {
		/* Once KVM has cared for an address, it is notified of all above. */
		held = map_file(FAR_FROM_ALL - i * 2 * HUGE_PAGE,
				MAP_FIXED_NOREPLACE, 0);
		WRITE_ONCE(*(uint64_t *)held, OLD_VALUE);
		overtake_unmapping(&stuck);
		delete_slot(FAR_SLOT);
		must(munmap(held, PAGE_SIZE));
		report->count++;
	}
	return NULL;
}

static const struct path paths[] = {
	{ .name = "memslots", .run = path_memslots },
	{ .name = "span", .run = path_span },
	{ .name = "fault", .run = path_fault },
	{ .name = "fault-between", .run = path_fault_between },
	{ .name = "pfncache", .run = path_pfncache },
	{ .name = "pfncache-retries", .run = path_pfncache_retries },
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
