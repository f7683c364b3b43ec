// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that is populated by userfaultfd: a thread resolves the faults of
 * the vCPUs, or only counts that they are stuck.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "uffd.h"

struct uffd uffd;

static void uffd_stuck(pid_t tid)
{
	uint32_t i;

	for (i = 0; i < test.nvcpus; i++)
		if (test.vcpus[i].tid == tid)
			add_stuck(&test.vcpus[i]);
}

static void *uffd_thread(void *unused)
{
	struct pollfd fds[2] = {
		{ .fd = uffd.fd, .events = POLLIN },
		{ .fd = uffd.stop, .events = POLLIN },
	};
	struct uffd_msg msg;

	for (;;) {
		must(poll(fds, 2, -1));
		if (fds[1].revents)
			return NULL;
		if (read(uffd.fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		uffd.faults++;
		if (uffd.resolve)
			uffd.resolve((void *)(msg.arg.pagefault.address &
					      -(test.unit * PAGE_SIZE)));
		/* Last, as whoever waits for it may change the resolver. */
		uffd_stuck(msg.arg.pagefault.feat.ptid);
	}
}

bool uffd_open(uint64_t features)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = features | UFFD_FEATURE_THREAD_ID,
	};

	uffd.fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd.fd < 0)
		return false;
	if (ioctl(uffd.fd, UFFDIO_API, &api)) {
		close(uffd.fd);
		return false;
	}
	if (!uffd.buffer)
		uffd.buffer = mmap(NULL, test.unit * PAGE_SIZE,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uffd.faults = 0;
	return true;
}

bool uffd_register(void *start, size_t length, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (unsigned long)start, length },
		.mode = mode,
	};

	return !ioctl(uffd.fd, UFFDIO_REGISTER, &reg);
}

void uffd_start(void (*resolve)(void *address))
{
	uffd.resolve = resolve;
	uffd.stop = eventfd(0, EFD_CLOEXEC);
	pthread_create(&uffd.thread, NULL, uffd_thread, NULL);
}

void uffd_close(void)
{
	if (uffd.stop) {
		must(eventfd_write(uffd.stop, 1));
		pthread_join(uffd.thread, NULL);
		close(uffd.stop);
		uffd.stop = 0;
	}
	close(uffd.fd);
}

void uffd_wake(void *address, size_t length)
{
	struct uffdio_range range = { (unsigned long)address, length };

	must(ioctl(uffd.fd, UFFDIO_WAKE, &range));
}

/* If two resolve one fault, the second finds the page there and only wakes. */
static void uffd_put(unsigned long request, void *argument, void *address)
{
	while (ioctl(uffd.fd, request, argument)) {
		if (errno == EAGAIN)
			continue;
		if (errno != EEXIST)
			fail("userfaultfd, gpa %#lx: %s",
			     DATA_GPA + (address - test.mem), strerror(errno));
		uffd_wake(address, test.unit * PAGE_SIZE);
		return;
	}
}

static struct range unit_of(void *address)
{
	return (struct range){ (address - test.mem) / PAGE_SIZE, test.unit };
}

void uffd_copy_mode(void *address, uint64_t mode)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)address,
		.src = (unsigned long)uffd.buffer,
		.len = test.unit * PAGE_SIZE,
		.mode = mode,
	};

	fill_pages(unit_of(address), uffd.buffer);
	uffd_put(UFFDIO_COPY, &copy, address);
}

void uffd_copy(void *address)
{
	uffd_copy_mode(address, 0);
}

/* The page is in the page cache but not mapped, so that it can be filled first. */
void uffd_continue(void *address)
{
	struct uffdio_continue cont = {
		.range = { (unsigned long)address, test.unit * PAGE_SIZE },
	};
	struct range r = unit_of(address);

	fill_pages(r, page_at(test.alias, r.first));
	uffd_put(UFFDIO_CONTINUE, &cont, address);
}
