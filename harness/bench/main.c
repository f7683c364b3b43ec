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
	bool needs_kvm, needs_subscribers;
} parts[] = {
	{ "paths", part_paths, false, false },
	{ "register", part_register, true, true },
	{ "memory", part_memory, false, true },
	{ "reclaim", part_reclaim, true, true },
	{ "ageing", part_ageing, true, true },
	{ "numa", part_numa, true, true },
	{ "faults", part_faults, true, true },
	{ "exit", part_exit, true, false },
};

static const struct part *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (!strcmp(parts[i].name, name))
			return &parts[i];
	errx(2, "there is no part '%s'", name);
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
	calibrate();
	for (i = 1; i < argc; i++) {
		part = find(argv[i]);
		if ((part->needs_kvm && !have_kvm) ||
		    (part->needs_subscribers && !have_subscribers))
			continue;
		printf("=== %s\n", part->name);
		in_child(part->run);
	}
	printf("=== end\n");
	return 0;
}
