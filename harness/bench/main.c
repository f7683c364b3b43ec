// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel's MMU notifiers cost: bench PART...; each row is a line
 *
 *	ROW NAME UNIT VALUE SPREAD CALLS
 *
 * VALUE is per operation, SPREAD in percent, CALLS the callbacks of /dev/mn_bench
 * per operation.  A kernel without KVM or without the device has fewer rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

bool quick, have_kvm, have_subscribers;

static const struct part {
	const char *name;
	void (*run)(void);
	bool needs_kvm, needs_subscribers, needs_counter;
} parts[] = {
	{ "paths", part_paths, false, false, true },
	{ "register", part_register, true, true, true },
	{ "memory", part_memory, false, true, false },
	{ "reclaim", part_reclaim, true, true, true },
	{ "ageing", part_ageing, false, false, true },
	{ "numa", part_numa, true, true, true },
	{ "faults", part_faults, true, true, true },
	{ "exit", part_exit, true, false, true },
};

static const struct part *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (!strcmp(parts[i].name, name))
			return &parts[i];
	errx(2, "there is no part '%s'", name);
}

static void run(const struct part *part)
{
	static bool calibrated;

	if (part->needs_counter && !calibrated) {
		calibrate();
		calibrated = true;
	}
	printf("=== %s\n", part->name);
	in_child(part->run);
}

int main(int argc, char **argv)
{
	const char *env = getenv("quick");
	const struct part *part;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	quick = env && *env == '1';
	have_kvm = !access("/dev/kvm", R_OK | W_OK);
	have_subscribers = !access("/dev/mn_bench", R_OK | W_OK);
	for (i = 1; i < argc; i++) {
		part = find(argv[i]);
		if ((part->needs_kvm && !have_kvm) ||
		    (part->needs_subscribers && !have_subscribers))
			continue;
		run(part);
	}
	printf("=== end\n");
	return 0;
}
