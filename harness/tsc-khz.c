// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the frequency in kHz of this machine's time-stamp counter, which is
 * also that of the machines that QEMU emulates on it.  A kernel that measures
 * it by itself, against an emulated timer and on a busy host, may find a tenth
 * of it, and its clock then runs ten times too fast.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

/* The counter and the clock at the same moment: the closest pair of many */
static void sample(unsigned long long *tsc, unsigned long long *ns)
{
	unsigned long long before, after, best = -1ULL;
	struct timespec now;

	for (int i = 0; i < 1000; i++) {
		before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC, &now);
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	}
}

int main(void)
{
	struct timespec while_ = { .tv_nsec = 100000000 };
	unsigned long long t0, t1, n0, n1;

	sample(&t0, &n0);
	nanosleep(&while_, NULL);
	sample(&t1, &n1);
	printf("%llu\n", (t1 - t0) * 1000000 / (n1 - n0));
	return 0;
}
