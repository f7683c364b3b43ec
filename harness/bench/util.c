// SPDX-License-Identifier: GPL-2.0
/* Memory, files, processes and trace events */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define TRACING			"/sys/kernel/tracing"

void *map_at(char *addr, unsigned long size)
{
	void *p = mmap(addr, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		       MAP_FIXED_NOREPLACE, -1, 0);

	if (p != addr)
		err(1, "mmap at %p", addr);
	return p;
}

void unmap(void *addr, unsigned long size)
{
	if (munmap(addr, size))
		err(1, "munmap of %p", addr);
}

void touch(char *addr, unsigned long size)
{
	unsigned long i;

	for (i = 0; i < size; i += PAGE)
		*(volatile char *)(addr + i) = 1;
}

void write_file(const char *path, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int fd, n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, n) != n)
		err(1, "write '%s' to %s", text, path);
	close(fd);
}

/* The number that follows @key in a file, or that is all of it without @key */
unsigned long read_number(const char *path, const char *key)
{
	unsigned long value;
	char line[256];
	FILE *f = fopen(path, "r");
	size_t len = key ? strlen(key) : 0;

	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		if (key && strncmp(line, key, len))
			continue;
		if (sscanf(line + len, " %lu", &value) != 1)
			continue;
		fclose(f);
		return value;
	}
	errx(1, "%s: no %s", path, key ?: "number");
}

/* In KiB */
unsigned long meminfo(const char *key)
{
	return read_number("/proc/meminfo", key);
}

int start_child(void (*func)(void))
{
	int pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	func();
	fflush(stdout);
	_exit(0);
}

void wait_child(int pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		errx(1, "a child has failed: status %#x", status);
}

void stop_child(int pid)
{
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) != pid)
		err(1, "waitpid");
}

void in_child(void (*func)(void))
{
	wait_child(start_child(func));
}

void trace_event(const char *event, bool on)
{
	char path[256];

	snprintf(path, sizeof(path), TRACING "/events/%s/enable", event);
	write_file(path, on ? "1" : "0");
}

/* Makes an event of each call of a function. */
void trace_probe(const char *event, const char *function)
{
	write_file(TRACING "/kprobe_events", "p:%s %s", event, function);
}

/* Leaves out of the trace what does not match; it counts as if it never was. */
void trace_filter(const char *event, const char *filter)
{
	char path[256];

	snprintf(path, sizeof(path), TRACING "/events/%s/filter", event);
	write_file(path, "%s", filter);
}

static int tracing_on = -1;

static void trace_switch(const char *value)
{
	if (write(tracing_on, value, 1) != 1)
		err(1, TRACING "/tracing_on");
}

/* Clears the trace, and goes on with the events that are on. */
void trace_begin(void)
{
	if (tracing_on < 0)
		tracing_on = open(TRACING "/tracing_on", O_WRONLY | O_CLOEXEC);
	if (tracing_on < 0)
		err(1, TRACING "/tracing_on");
	trace_switch("0");
	close(open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
	trace_switch("1");
}

void trace_end(void)
{
	trace_switch("0");
}

/* How many events there were, even if the buffer was too small for them */
unsigned long trace_count(void)
{
	return read_number(TRACING "/per_cpu/cpu0/stats", "entries:") +
	       read_number(TRACING "/per_cpu/cpu0/stats", "overrun:");
}
