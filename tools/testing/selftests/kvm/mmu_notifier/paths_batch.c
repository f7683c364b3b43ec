// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: the guest's TLBs are flushed once for many pages that are swapped out, or when
 * KVM needs it before.
 */
#include <fcntl.h>
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
#define OTHER_SLOT	12
#define OTHER_GPA	0xc0000000ul

static int device;

/* The thread that reclaims, once it is told to */
static pid_t reclaimer;
static sem_t may_reclaim;

/* Only there: NUMA balancing, for one, may come by in any thread. */
static void delay_start(uint32_t usecs)
{
	must(ioctl(device, TEST_MN_DELAY, &(struct test_mn_delay){
		.point = TEST_MN_START,
		.usecs = usecs,
		.tid = READ_ONCE(reclaimer),
	}));
}

static void wait_started(uint64_t n)
{
	struct test_mn_stats stats = {};

	do {
		usleep(1000);
		must(ioctl(device, TEST_MN_STATS, &stats));
	} while (stats.invalidations[1] < n);
}

static void *page_out_two(void *data)
{
	struct range r = { 0, 2 };

	WRITE_ONCE(reclaimer, syscall(__NR_gettid));
	while (sem_wait(&may_reclaim))
		;
	must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
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
 * The device, which is notified first, keeps reclaim at the second page.  Then the first
 * one is unmapped, and its flush deferred.  To create a memslot has nothing else to flush.
 * No memory must be mapped meanwhile, as reclaim has mmap_lock.
 */
static void create_slot_before_flush(void *memory)
{
	uint64_t requests;
	pthread_t thread;

	use_all();
	must(device = open(DEVICE, O_RDWR));
	must(ioctl(device, TEST_MN_ATTACH, &(struct test_mn_attach){
		.class = TEST_MN_PAGE_TABLE,
		.kind = TEST_MN_HLIST,
	}));
	sem_init(&may_reclaim, 0, 0);
	WRITE_ONCE(reclaimer, 0);
	pthread_create(&thread, NULL, page_out_two, NULL);
	while (!READ_ONCE(reclaimer))
		usleep(100);
	delay_start(FOR_NOW);
	sem_post(&may_reclaim);
	wait_started(1);
	requests = flush_requests();
	delay_start(FOR_NOW - 1);
	wait_started(2);
	if (flush_requests() != requests)
		fail("the flush was not deferred");
	set_other_slot(memory, PAGE_SIZE);
	requests = flush_requests() - requests;
	delay_start(0);
	pthread_join(thread, NULL);
	close(device);
	set_other_slot(memory, 0);
	if (!requests)
		fail("a memslot was published without the flush that was due");
}

const char *path_deferred(void)
{
	void *memory;
	int i;

	if (!have_swap())
		return "there is no swap";
	if (test.src == VM_MEM_SRC_ANONYMOUS_THP)
		return "a huge page is split and flushed for first";
	if (access(DEVICE, R_OK | W_OK))
		return "there is no " DEVICE;
	memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	start_guest(true, false, false);
	park_vcpus();
	for (i = 0; i < test.iterations; i++) {
		create_slot_before_flush(memory);
		test.count++;
	}
	resume_vcpus(test.nvcpus);
	check_range(all_pages());
	munmap(memory, PAGE_SIZE);
	return NULL;
}
