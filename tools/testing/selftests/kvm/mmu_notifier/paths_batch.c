// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: the guest's TLBs are flushed once for many pages that are swapped out, or when
 * KVM needs it before.
 */
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "../../../../../lib/test_mmu_notifier_uapi.h"

#include "paths.h"

#define PAGES_A_FLUSH	16	/* at least */

static uint64_t flush_requests(void)
{
	return vm_get_stat(test.vm, "remote_tlb_flush_requests");
}

/* The guest has used all of its memory, and is parked. */
static void use_all(void)
{
	resume_vcpus(test.nvcpus);
	wait_passes(1);
	park_vcpus();
}

const char *path_batch(void)
{
	struct range all = all_pages();
	uint64_t requests;
	size_t out;
	int i;

	if (!have_swap())
		return "there is no swap";
	test.counted = "pages swapped out";
	start_guest(true, false, false);
	park_vcpus();
	for (i = 0; i < test.iterations; i++) {
		use_all();
		requests = flush_requests();
		must(madvise(mem_of(all), bytes_of(all), MADV_PAGEOUT));
		requests = flush_requests() - requests;
		out = count_out(all);
		if (out < all.n / 2)
			continue;
		if (!requests)
			fail("%lu pages swapped out without a flush", out);
		if (requests * PAGES_A_FLUSH > out)
			fail("%lu flushes for %lu pages", requests, out);
		test.count += out;
	}
	if (!test.count)
		fail("nothing was swapped out");
	resume_vcpus(test.nvcpus);
	check_range(all);
	return NULL;
}

/* --- what comes between unmapping and flush -------------------------------- */

#define DEVICE		"/dev/test_mmu_notifier"
#define FOR_NOW		60000000	/* until another delay is set */
#define A_WHILE		100000	/* ... or so long */
#define OTHER_SLOT	12
#define OTHER_GPA	0xc0000000ul

/* The thread that reclaims, and the device that delays it */
static struct {
	int device;
	pthread_t thread;
	pid_t tid;
	sem_t may_begin;
	bool over;
} reclaim;

/* Only there: NUMA balancing, for one, may come by in any thread. */
static void delay_start(uint32_t usecs)
{
	must(ioctl(reclaim.device, TEST_MN_DELAY, &(struct test_mn_delay){
		.point = TEST_MN_START,
		.usecs = usecs,
		.tid = READ_ONCE(reclaim.tid),
	}));
}

/* Returns false if reclaim is over without so many ranges. */
static bool wait_started(uint64_t n)
{
	struct test_mn_stats stats = {};

	do {
		if (READ_ONCE(reclaim.over)) {
			/* A page was in another CPU's batch, most likely: drain them. */
			write_file("/proc/sys/vm/compact_memory", "1");
			return false;
		}
		spin();
		sched_yield();
		must(ioctl(reclaim.device, TEST_MN_STATS, &stats));
	} while (stats.invalidations[1] < n);
	return true;
}

static void *page_out_two(void *data)
{
	struct range r = { 0, 2 };

	WRITE_ONCE(reclaim.tid, syscall(__NR_gettid));
	while (sem_wait(&reclaim.may_begin))
		;
	must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
	WRITE_ONCE(reclaim.over, true);
	return NULL;
}

/* The device, which is notified first, keeps reclaim at the first page. */
static bool begin_reclaim(void)
{
	must(reclaim.device = open(DEVICE, O_RDWR));
	must(ioctl(reclaim.device, TEST_MN_ATTACH, &(struct test_mn_attach){
		.class = TEST_MN_PAGE_TABLE,
		.kind = TEST_MN_HLIST,
	}));
	sem_init(&reclaim.may_begin, 0, 0);
	WRITE_ONCE(reclaim.tid, 0);
	WRITE_ONCE(reclaim.over, false);
	pthread_create(&reclaim.thread, NULL, page_out_two, NULL);
	while (!READ_ONCE(reclaim.tid))
		usleep(100);
	delay_start(FOR_NOW);
	sem_post(&reclaim.may_begin);
	return wait_started(1);
}

/*
 * It keeps reclaim at the second page instead.  Then the first one has been unmapped, and
 * its flush deferred.  No memory must be mapped meanwhile, as reclaim has mmap_lock.
 */
static bool unmap_first(uint32_t usecs)
{
	delay_start(usecs);
	return wait_started(2);
}

static void end_reclaim(void)
{
	delay_start(0);
	pthread_join(reclaim.thread, NULL);
	close(reclaim.device);
}

static const char *cannot_delay_reclaim(void)
{
	if (!have_swap())
		return "there is no swap";
	if (test.src == VM_MEM_SRC_ANONYMOUS_THP)
		return "a huge page is split and flushed for first";
	if (access(DEVICE, R_OK | W_OK))
		return "there is no " DEVICE;
	return NULL;
}

static void set_other_slot(void *memory, size_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = OTHER_SLOT,
		.guest_phys_addr = OTHER_GPA,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	must(ioctl(test.vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

/*
 * To create a memslot has nothing else to flush.  Returns false if reclaim did not get
 * to where it is kept.
 */
static bool create_slot_before_flush(void *memory)
{
	uint64_t before, unmapped, created;
	bool kept;

	use_all();
	kept = begin_reclaim();
	before = flush_requests();
	kept = kept && unmap_first(FOR_NOW - 1);
	unmapped = flush_requests();
	if (kept)
		set_other_slot(memory, PAGE_SIZE);
	created = flush_requests();
	end_reclaim();
	if (!kept)
		return false;
	set_other_slot(memory, 0);
	if (unmapped != before)
		fail("the flush was not deferred");
	if (created == unmapped)
		fail("a memslot was published without the flush that was due");
	return true;
}

const char *path_deferred(void)
{
	const char *skipped = cannot_delay_reclaim();
	void *memory;
	int i;

	if (skipped)
		return skipped;
	memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	/* The thread that reclaims stays there, too, and so do the batches that it drains. */
	pin(pthread_self(), 0);
	start_guest(true, false, false);
	park_vcpus();
	for (i = 0; i < test.iterations; i++)
		test.count += create_slot_before_flush(memory);
	if (!test.count)
		fail("two pages were never reclaimed");
	pin(pthread_self(), -1);
	resume_vcpus(test.nvcpus);
	check_range(all_pages());
	munmap(memory, PAGE_SIZE);
	return NULL;
}

static void set_logging(bool on)
{
	vm_mem_region_set_flags(test.vm, DATA_SLOT, on ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

static void set_manual(uint64_t options)
{
	vm_enable_cap(test.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, options);
}

/* These return false if the first page is missing from a log that must have it. */
static bool enable_log(void)
{
	set_logging(true);
	return true;
}

static bool get_log(void)
{
	forget_dirty_log();
	add_dirty_log();
	return is_logged(0);
}

static bool get_and_clear_log(void)
{
	bool logged = get_log();

	clear_dirty_log();
	return logged;
}

static bool enable_and_clear_log(void)
{
	set_logging(true);
	return get_and_clear_log();
}

static const struct log_op {
	const char *doing;
	bool (*run)(void);
	bool enabled;		/* before */
	uint64_t manual;	/* options of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
} log_ops[] = {
	{ "enable the log", enable_log, false, 0 },
	{ "get the log", get_log, true, 0 },
	{ "clear the log", get_and_clear_log, true,
	  KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	{ "enable the log, with all bits set, and clear it", enable_and_clear_log, false,
	  KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
};

/*
 * Returns true as soon as the guest has written to the first page.  It commits a write
 * after it: the first commit that is seen may be of one that came before the call.
 */
static bool guest_writes(void)
{
	uint64_t *commit = commit_of(test.control, 0, 0);
	uint64_t was = READ_ONCE(*commit);
	int i;

	for (i = 0; i < 1000; i++) {
		if ((uint32_t)(READ_ONCE(*commit) - was) >= 2)
			return true;
		spin();
	}
	return false;
}

static void wait_writes(void)
{
	while (!guest_writes())
		;
}

/*
 * Once @op is done, the guest can't write to the unmapped page until reclaim unlocks it,
 * or the page is in the log.  Returns whether the guest did write to it before, through
 * its TLB.
 *
 * Reclaim is kept only for a while: a change of memslots waits for faults, and a fault on
 * that page for reclaim.
 */
static bool log_before_flush(const struct log_op *op)
{
	bool stale, logged, late = false;

	set_logging(false);
	set_manual(op->manual);
	set_logging(op->enabled);
	wait_writes();
	if (!begin_reclaim() || !unmap_first(A_WHILE)) {
		end_reclaim();
		return false;
	}
	stale = guest_writes() && pagemap_of(0) & PAGEMAP_SWAPPED;
	logged = op->run();
	forget_dirty_log();
	if (guest_writes()) {
		add_dirty_log();
		late = !is_logged(0);
	}
	end_reclaim();
	if (!logged)
		fail("gpa %#lx: what was written before isn't in the dirty log",
		     gpa_of(0));
	if (late)
		fail("gpa %#lx: written to through a TLB, but isn't in the dirty log",
		     gpa_of(0));
	wait_writes();
	add_dirty_log();
	if (!is_logged(0))
		fail("gpa %#lx: what is written afterwards isn't in the dirty log",
		     gpa_of(0));
	return stale;
}

/*
 * In an emulator any exit of the vCPU flushes its TLB.  After one that comes before the
 * end of @op there is nothing to find; on one CPU there always is one.  Returns false if
 * that was so each time.
 */
static bool race_log(const struct log_op *op)
{
	bool smp = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	int i, stale = 0, n = test.iterations * 4;

	test.doing = op->doing;
	for (i = 0; i < n || (smp && stale < n && i < n * 50); i++)
		stale += log_before_flush(op);
	test.count += stale;
	return stale;
}

const char *path_deferred_log(void)
{
	pthread_t vcpu = test.vcpus[0].thread;
	const char *skipped = cannot_delay_reclaim();
	bool raced = true;
	size_t i;

	if (skipped)
		return skipped;
	test.counted = "writes between unmapping and flush";
	/* As in path_deferred(), and nothing else is to run where the vCPU does. */
	pin(pthread_self(), 0);
	pin(vcpu, 1 % sysconf(_SC_NPROCESSORS_ONLN));
	test.control->npages = 2;
	set_guest(true, false, false);
	resume_vcpus(1);
	for (i = 0; i < ARRAY_SIZE(log_ops); i++)
		raced &= race_log(&log_ops[i]);
	park_vcpus();
	set_manual(0);
	set_logging(test.dirty_log);
	pin(vcpu, -1);
	pin(pthread_self(), -1);
	return raced ? NULL : "no write came between unmapping and flush";
}
