// SPDX-License-Identifier: GPL-2.0
/* Subscribers of /dev/mn_bench in this process */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"

int current_subscribers = -1;

int open_subscribers(void)
{
	int fd = open("/dev/mn_bench", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "/dev/mn_bench");
	return fd;
}

void add_subscribers(int fd, unsigned int kind, unsigned int count, char *start,
		     unsigned long length, unsigned long stride,
		     unsigned int sleep_ms)
{
	struct mn_bench_add add = {
		.kind = kind,
		.count = count,
		.start = (uintptr_t)start,
		.length = length,
		.stride = stride,
		.sleep_ms = sleep_ms,
	};

	if (ioctl(fd, MN_BENCH_ADD, &add))
		err(1, "add %u subscribers", count);
	current_subscribers = fd;
}

int subscribe(unsigned int kind, unsigned int count, char *start,
	      unsigned long length, unsigned long stride, unsigned int sleep_ms)
{
	int fd = open_subscribers();

	add_subscribers(fd, kind, count, start, length, stride, sleep_ms);
	return fd;
}

void remove_subscribers(int fd)
{
	if (ioctl(fd, MN_BENCH_REMOVE))
		err(1, "remove subscribers");
	current_subscribers = -1;
}

void unsubscribe(int fd)
{
	remove_subscribers(fd);
	close(fd);
}

/* How many callbacks they have had so far */
unsigned long callbacks(int fd)
{
	uint64_t calls;

	if (fd < 0)
		return 0;
	if (ioctl(fd, MN_BENCH_CALLS, &calls))
		err(1, "count callbacks");
	return calls;
}
