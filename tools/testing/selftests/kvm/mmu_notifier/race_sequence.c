// SPDX-License-Identifier: GPL-2.0
/*
 * A forced race: a page is replaced exactly between KVM's lookup in the primary
 * page table and its taking mmu_lock, so that only the sequence number reveals it.
 *
 * All threads run on one CPU, the host's at the highest priority, and a helper,
 * which holds mmap_lock for writing for a long time, at the lowest.  A fault that
 * has waited in userfaultfd then queues for mmap_lock, and the host, which wants
 * to replace the page, after it.  When the vCPU's lookup is done it releases
 * mmap_lock and wakes the host, which preempts the vCPU there and then.
 */
#include <poll.h>
#include <sched.h>
#include <semaphore.h>

#include "paths.h"
#include "uffd.h"

/* Holds mmap_lock by changing the protection of much memory. */
static struct {
	sem_t begin;
	pthread_t thread;
	clockid_t clock;	/* its CPU time */
	void *mem;
	size_t length;
	bool begun;
	bool busy;
	bool end;
} holder;

static uint64_t holder_time(void)
{
	struct timespec now;

	clock_gettime(holder.clock, &now);
	return timespec_to_ns(now);
}

static void *holder_thread(void *unused)
{
	int prot = PROT_READ;

	for (;;) {
		while (sem_wait(&holder.begin))
			;
		if (holder.end)
			return NULL;
		WRITE_ONCE(holder.busy, true);
		WRITE_ONCE(holder.begun, true);
		must(mprotect(holder.mem, holder.length, prot));
		prot ^= PROT_WRITE;
		WRITE_ONCE(holder.busy, false);
	}
}

static void create_holder(void)
{
	holder.length = 1ul << 30;
	holder.mem = mmap(NULL, holder.length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(madvise(holder.mem, holder.length, MADV_NOHUGEPAGE));
	must(madvise(holder.mem, holder.length, MADV_POPULATE_READ));
	holder.end = false;
	sem_init(&holder.begin, 0, 0);
	pthread_create(&holder.thread, NULL, holder_thread, NULL);
	pthread_getcpuclockid(holder.thread, &holder.clock);
	pin(holder.thread, 0);
}

static void destroy_holder(void)
{
	holder.end = true;
	sem_post(&holder.begin);
	pthread_join(holder.thread, NULL);
	munmap(holder.mem, holder.length);
}

/* Returns when the holder has mmap_lock, most likely. */
static void start_holder(void)
{
	uint64_t begin;

	WRITE_ONCE(holder.begun, false);
	sem_post(&holder.begin);
	while (!READ_ONCE(holder.begun))
		usleep(50);
	begin = holder_time();
	while (READ_ONCE(holder.busy) && holder_time() < begin + 200 * 1000)
		usleep(50);
}

/* The vCPU faults, and gets its page, but waits on in userfaultfd. */
static void let_vcpu_fault(struct range r)
{
	struct pollfd fds = { .fd = uffd.fd, .events = POLLIN };
	struct uffd_msg msg;

	announce(r, 2);
	WRITE_ONCE(test.control->go, r.first + 1);
	do {
		must(poll(&fds, 1, -1));
	} while (read(uffd.fd, &msg, sizeof(msg)) != sizeof(msg));
	uffd_copy_mode(mem_of(r), UFFDIO_COPY_MODE_DONTWAKE);
	withdraw(r);
}

/* Returns true if the vCPU queues for mmap_lock while the holder has it. */
static bool let_vcpu_queue(struct range r)
{
	bool waits;

	uffd_wake(mem_of(r), PAGE_SIZE);
	do {
		usleep(50);
		waits = waits_for_lock(test.vcpus[0].tid);
	} while (!waits && READ_ONCE(holder.busy));
	/* It may have had its page before, and wait for another one. */
	return waits && READ_ONCE(holder.busy) &&
	       !READ_ONCE(*line_of(mem_of(r), 0));
}

static void overtake_fault(size_t page)
{
	struct range r = { page, 1 };
	uint64_t commit, seen;
	bool forced;

	let_vcpu_fault(r);
	start_holder();
	forced = let_vcpu_queue(r);
	announce(r, 2);
	map_anonymous(mem_of(r), PAGE_SIZE);
	/* If the vCPU has not faulted yet, it gets the new page. */
	fill_pages(r, mem_of(r));
	withdraw(r);
	test.count += forced;

	while (READ_ONCE(test.control->ack) <= page)
		usleep(500);
	while (READ_ONCE(holder.busy))
		usleep(500);
	commit = READ_ONCE(*commit_of(test.control, 0, page));
	seen = READ_ONCE(*line_of(mem_of(r), 0));
	/* If it wasn't forced the write may have come before the new page. */
	if (forced && seen != commit)
		fail("gpa %#lx: the vCPU wrote %#lx, the host sees %#lx",
		     gpa_of(page), commit, seen);
}

static void overtake_faults(void)
{
	size_t i, n = test.iterations * 4;

	drop_pages(all_pages());
	if (!uffd_register(test.mem, bytes_of(all_pages()),
			   UFFDIO_REGISTER_MODE_MISSING))
		fail("cannot register with userfaultfd");
	test.control->mode = GUEST_STEP;
	test.control->go = 0;
	test.control->ack = 0;
	set_guest(true, true, false);
	resume_vcpus(1);
	/* On a busy machine not every try succeeds. */
	for (i = 0; (i < n || !test.count) && i < test.npages; i++)
		overtake_fault(i);
	park_vcpus();
}

const char *path_sequence(void)
{
	pthread_t host = pthread_self(), vcpu = test.vcpus[0].thread;

	if (!uffd_open(0))
		return "there is no userfaultfd";
	if (!set_fifo(host, 2)) {
		uffd_close();
		return "there is no permission for real-time priorities";
	}
	/* The holder must not inherit the priority. */
	set_fifo(host, 0);
	create_holder();
	pin(host, 0);
	pin(vcpu, 0);
	set_fifo(host, 2);
	set_fifo(vcpu, 1);

	test.counted = "faults overtaken";
	overtake_faults();

	set_fifo(vcpu, 0);
	set_fifo(host, 0);
	pin(vcpu, -1);
	pin(host, -1);
	destroy_holder();
	uffd_close();
	if (!test.count)
		fail("no fault was overtaken");
	return NULL;
}
