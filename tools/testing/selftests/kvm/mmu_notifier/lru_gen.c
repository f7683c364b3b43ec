// SPDX-License-Identifier: GPL-2.0
/*
 * The multi-gen LRU: it is turned on, and begins new generations when told to.  For
 * that it walks page tables, and asks KVM which pages the guest has used.
 */
#include <sys/stat.h>

#include "host.h"

#define ENABLED	"/sys/kernel/mm/lru_gen/enabled"
#define STATE	"/sys/kernel/debug/lru_gen"
#define CGROUP	"/sys/fs/cgroup/"
#define NAME	"mmu_notifier_kvm"

static long enabled_before;

/* Returns false if there is none. */
bool lru_gen_begin(void)
{
	char text[16] = "";
	FILE *file = fopen(ENABLED, "r");

	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = 0;
	fclose(file);
	enabled_before = strtol(text, NULL, 16);
	return !access(STATE, W_OK) && write_file(ENABLED, "y");
}

void lru_gen_end(void)
{
	write_number(ENABLED, enabled_before);
}

static bool age_node(unsigned long memcg, unsigned long node, unsigned long newest)
{
	char command[80];

	snprintf(command, sizeof(command), "+ %lu %lu %lu 1 1", memcg, node, newest);
	return write_file(STATE, command);
}

/*
 * Begins a new generation of the pages that are charged to the cgroup @name, on each
 * node.  Returns false if none has begun: another one may just be beginning.
 */
bool new_generation(const char *name)
{
	unsigned long memcg, node = 0, newest = 0, id = 0, n;
	bool found = false, begun = false;
	FILE *file = fopen(STATE, "r");
	char line[512], path[256];

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " memcg %lu %255s", &memcg, path) == 2) {
			if (newest)
				begun |= age_node(id, node, newest);
			newest = 0;
			found = !strcmp(path, name);
			id = memcg;
		} else if (sscanf(line, " node %lu", &n) == 1) {
			if (newest)
				begun |= age_node(id, node, newest);
			newest = 0;
			node = n;
		} else if (found && sscanf(line, " %lu", &n) == 1) {
			newest = n;
		}
	}
	if (newest)
		begun |= age_node(id, node, newest);
	fclose(file);
	return begun;
}

/* A cgroup of this process alone.  Returns its name, or NULL. */
const char *enter_cgroup(void)
{
	write_file(CGROUP "cgroup.subtree_control", "+memory");
	mkdir(CGROUP NAME, 0755);
	return write_file(CGROUP NAME "/cgroup.procs", "0") ? "/" NAME : NULL;
}

void leave_cgroup(void)
{
	write_file(CGROUP "cgroup.procs", "0");
	rmdir(CGROUP NAME);
}

/* Of pages that are charged to the cgroup; it may find fewer. */
void reclaim_cgroup(size_t bytes)
{
	char size[24];

	snprintf(size, sizeof(size), "%lu", bytes);
	write_file(CGROUP NAME "/memory.reclaim", size);
}
