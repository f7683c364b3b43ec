// SPDX-License-Identifier: GPL-2.0
/*
 * How a row is measured.  The emulated machine has one CPU, whose time-stamp
 * counter counts the instructions that it has executed, and jumps when it idles.
 * So the difference of two readings is the number of instructions in between, of
 * the program and of the kernel, for whatever does not sleep.  For what does,
 * the CPU time of the thread that executes it is taken, which the kernel derives
 * from the same counter.
 *
 * The least of several repeats is the value: an interrupt, or work that the
 * kernel had put off, can only add to it.  The spread is how far the median is
 * above the least.
 *
 * Each repeat begins when that work is done, and as long after a tick as the others.
 * Otherwise it is chance how many callbacks of RCU, by which munmap() frees much, are
 * those of the repeat before, and how many are left to the next one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "bench.h"

#define MOST_REPEATS		32
#define LOOPS			1000000ul
#define SETTLE_NS		100000000l	/* many ticks, and no part of one */

static double per_instruction;		/* what the counter grows by */

/* CPU time is in the unit of counter(), see calibrate(). */
uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		err(1, "clock_gettime");
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

uint64_t counter(void)
{
	return __rdtsc();
}

uint64_t thread_counter(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

double now(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double loop_once(uint64_t (*count)(void))
{
	unsigned long n = LOOPS;
	uint64_t begin = count();

	asm volatile("1:	dec %0\n"
		     "	jnz 1b\n" : "+r"(n));
	return (count() - begin) / (2.0 * LOOPS);
}

/*
 * Find what one instruction is worth, and that both counters agree on it.  On a
 * machine that does not count instructions no two loops take the same.
 */
void calibrate(void)
{
	double value[9];
	unsigned int i;

	for (i = 0; i < 9; i++)
		value[i] = loop_once(counter);
	qsort(value, 9, sizeof(*value), compare);
	if (value[0] <= 0 || value[4] / value[0] > 1.01)
		errx(1, "the time-stamp counter does not count instructions: %f to %f",
		     value[0], value[8]);
	per_instruction = value[0];
	for (i = 0; i < 9; i++)
		value[i] = loop_once(thread_counter);
	qsort(value, 9, sizeof(*value), compare);
	if (value[0] / per_instruction > 1.01 || value[0] / per_instruction < 0.99)
		errx(1, "CPU time is not that of the counter: %f and %f",
		     value[0], per_instruction);
	printf("the counter grows by %.4f for an instruction\n", per_instruction);
}

static void print_row(const char *unit, double value, double spread, double calls,
		      const char *fmt, va_list args)
{
	printf("ROW ");
	vprintf(fmt, args);
	printf(" %s %.4f %.4f %.4f\n", unit, value, spread, calls);
}

/*
 * Print a row that was measured otherwise.  @spread is in percent; @calls is
 * how many callbacks of ours an operation had.
 */
void row(const char *unit, double value, double spread, double calls,
	 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_row(unit, value, spread, calls, fmt, args);
	va_end(args);
}

static void settle(void)
{
	struct timespec until;
	int ret;

	if (clock_gettime(CLOCK_MONOTONIC, &until))
		err(1, "clock_gettime");
	until.tv_nsec = (until.tv_nsec / SETTLE_NS + 2) * SETTLE_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	ret = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	if (ret)
		errx(1, "clock_nanosleep: %s", strerror(ret));
}

void measure(const struct job *job, const char *unit, const char *fmt, ...)
{
	uint64_t (*count)(void) = job->count ?: counter;
	unsigned int i, repeats = job->repeats ?: quick ? 7 : 11;
	unsigned long calls = 0;
	int subscribers;
	double value[MOST_REPEATS];
	uint64_t begin;
	va_list args;

	/* The first two are to warm up. */
	for (i = 0; i < repeats + 2; i++) {
		if (job->prepare)
			job->prepare();
		settle();
		subscribers = current_subscribers;
		calls = callbacks(subscribers);
		begin = count();
		job->run();
		begin = count() - begin;
		/* They may be what has just ended. */
		if (subscribers == current_subscribers)
			calls = callbacks(subscribers) - calls;
		if (i >= 2)
			value[i - 2] = begin / per_instruction / job->ops;
	}
	qsort(value, repeats, sizeof(*value), compare);
	va_start(args, fmt);
	print_row(unit, value[0], (value[repeats / 2] / value[0] - 1) * 100,
		  (double)calls / job->ops, fmt, args);
	va_end(args);
}
