// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that subscriptions take in an address space, and that is left when
 * they have ended.  It is taken from the trace events of the allocators, and so
 * is exact to the byte: what was allocated on behalf of the registration, by its
 * thread, and has not been freed since by anyone.  What the subscriber itself
 * needs is left out.
 *
 * Rows are memory.WHAT, with the number of possible CPUs behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define TRACE			"/sys/kernel/tracing/trace"
#define MOST_BLOCKS		4096

static const char *const events[] = {
	"kmem/kmalloc", "kmem/kmem_cache_alloc", "kmem/kfree",
	"kmem/kmem_cache_free", "percpu/percpu_alloc_percpu",
	"percpu/percpu_free_percpu",
};

#define EVENTS			(sizeof(events) / sizeof(*events))

static struct block {
	char address[32];
	unsigned long bytes;
} blocks[MOST_BLOCKS];
static unsigned int n_blocks;

/* The value of KEY=VALUE in a line */
static const char *field(const char *line, const char *key, char *value)
{
	const char *at = strstr(line, key);

	*value = '\0';
	if (at)
		sscanf(at + strlen(key), "%31[^ \n]", value);
	return value;
}

static void allocated(const char *line)
{
	char address[32], bytes[32];

	if (n_blocks == MOST_BLOCKS)
		errx(1, "more than %u allocations", MOST_BLOCKS);
	field(line, " ptr=", address);
	if (!*address || !strcmp(address, "(null)"))
		return;
	strcpy(blocks[n_blocks].address, address);
	blocks[n_blocks++].bytes = strtoul(field(line, " bytes_alloc=", bytes),
					   NULL, 10);
}

static void freed(const char *line)
{
	char address[32];
	unsigned int i;

	field(line, " ptr=", address);
	for (i = n_blocks; i-- > 0; ) {
		if (strcmp(blocks[i].address, address))
			continue;
		blocks[i] = blocks[--n_blocks];
		return;
	}
}

static bool is(const char *line, const char *event)
{
	const char *at = strstr(line, event);

	return at && at[-1] == ' ' && at[strlen(event)] == ':';
}

/* Sum up what is still there of all that this thread has allocated. */
static unsigned long live_bytes(void)
{
	char line[1024], mine[32];
	FILE *f = fopen(TRACE, "r");
	unsigned long sum = 0;
	unsigned int i;

	if (!f)
		err(1, TRACE);
	snprintf(mine, sizeof(mine), "-%d ", getpid());
	n_blocks = 0;
	while (fgets(line, sizeof(line), f)) {
		if (is(line, "kfree") || is(line, "kmem_cache_free") ||
		    is(line, "percpu_free_percpu"))
			freed(line);
		else if (strstr(line, " bytes_alloc=") && strstr(line, mine) &&
			 !strstr(line, "[mn_bench]"))
			allocated(line);
	}
	fclose(f);
	for (i = 0; i < n_blocks; i++)
		sum += blocks[i].bytes;
	if (read_number("/sys/kernel/tracing/per_cpu/cpu0/stats", "overrun:"))
		errx(1, "the trace buffer was too small");
	return sum;
}

static void trace_all(bool on)
{
	unsigned int i;

	for (i = 0; i < EVENTS; i++)
		trace_event(events[i], on);
}

static unsigned long possible_cpus(void)
{
	unsigned long cpus = read_number("/sys/devices/system/cpu/possible",
					 "0-");

	return cpus + 1;
}

static unsigned int kind;
static const char *const names[] = { "list", "interval" };

/* What the first subscription of an mm takes */
static void held(void)
{
	int fd = open_subscribers();

	trace_all(true);
	trace_begin();
	add_subscribers(fd, kind, 1, ARENA, PAGE, 0, 0);
	trace_end();
	trace_all(false);
	row("bytes", live_bytes(), 0, 0, "memory.%s.%lu", names[kind],
	    possible_cpus());
}

/* What is left of it three seconds after the last subscription has ended */
static void left(void)
{
	int fd = open_subscribers();

	trace_all(true);
	trace_begin();
	add_subscribers(fd, kind, 1, ARENA, PAGE, 0, 0);
	remove_subscribers(fd);
	sleep(3);
	trace_end();
	trace_all(false);
	row("bytes", live_bytes(), 0, 0, "memory.after-%s.%lu", names[kind],
	    possible_cpus());
}

/* What an mm needs that never has a subscription */
static void nothing(void)
{
	row("bytes", read_number("/sys/kernel/slab/mm_struct/object_size", NULL),
	    0, 0, "memory.mm.%lu", possible_cpus());
}

void part_memory(void)
{
	nothing();
	for (kind = 0; kind < 2; kind++) {
		in_child(held);
		in_child(left);
	}
}
