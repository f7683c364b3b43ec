// SPDX-License-Identifier: GPL-2.0
/*
 * The multi-gen LRU: it is turned on, and begins new generations when told to.  For
 * that it walks page tables, and asks KVM which pages the guest has used.
 */
#include <sys/stat.h>

#include "host.h"

#define ENABLED	"/sys/kernel/mm/lru_gen/enabled"
#define STATE	"/sys/kernel/debug/lru_gen"
#define CGROUP	"/sys/fs/cgroup"
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

#define MAX_GENERATIONS	256

/* The generations of a cgroup, node by node and from the oldest to the newest */
static struct generation {
	unsigned long memcg;
	unsigned long node;
	unsigned long number;
	size_t pages;		/* backed by swap */
} generations[MAX_GENERATIONS];

static size_t ngenerations;

static void read_generations(const char *name)
{
	FILE *file = fopen(STATE, "r");
	struct generation g = {};
	char line[512], path[256];
	bool ours = false;

	ngenerations = 0;
	if (!file)
		return;
	while (fgets(line, sizeof(line), file) && ngenerations < MAX_GENERATIONS) {
		if (sscanf(line, " memcg %lu %255s", &g.memcg, path) == 2) {
			ours = !strcmp(path, name);
			/* One that was removed comes before the one that is there. */
			if (ours)
				ngenerations = 0;
		} else if (ours && sscanf(line, " node %lu", &g.node) != 1 &&
			   sscanf(line, " %lu %*u %lu", &g.number, &g.pages) == 2) {
			generations[ngenerations++] = g;
		}
	}
	fclose(file);
}

static bool is_newest(size_t i)
{
	const struct generation *g = &generations[i];

	return i + 1 == ngenerations || g[0].memcg != g[1].memcg ||
	       g[0].node != g[1].node;
}

/*
 * Begins a new generation of the pages that are charged to the cgroup @name, on each
 * node.  Returns false if none has begun: another one may just be beginning.
 */
bool new_generation(const char *name)
{
	bool begun = false;
	char command[80];
	size_t i;

	read_generations(name);
	for (i = 0; i < ngenerations; i++) {
		if (!is_newest(i))
			continue;
		snprintf(command, sizeof(command), "+ %lu %lu %lu 1 1",
			 generations[i].memcg, generations[i].node,
			 generations[i].number);
		begun |= write_file(STATE, command);
	}
	return begun;
}

/*
 * A walk puts the pages that it finds young into what is the newest generation, and
 * then begins another one.  Returns how many the last walk has found, new pages among
 * them, and how many there are in @all.
 */
size_t count_found(const char *name, size_t *all)
{
	size_t i, found = 0;

	*all = 0;
	read_generations(name);
	for (i = 0; i < ngenerations; i++) {
		*all += generations[i].pages;
		if (!is_newest(i) && is_newest(i + 1))
			found += generations[i].pages;
	}
	return found;
}

static const char *const cgroups[NR_CGROUPS] = { "/" NAME, "/" NAME "_2" };

/* Enters one of the cgroups of this process alone.  Returns its name, or NULL. */
const char *enter_cgroup(unsigned int cgroup)
{
	char name[64];

	write_file(CGROUP "/cgroup.subtree_control", "+memory");
	snprintf(name, sizeof(name), CGROUP "%s", cgroups[cgroup]);
	mkdir(name, 0755);
	strcat(name, "/cgroup.procs");
	return write_file(name, "0") ? cgroups[cgroup] : NULL;
}

/* Leaves them all. */
void leave_cgroup(void)
{
	char name[64];
	size_t i;

	write_file(CGROUP "/cgroup.procs", "0");
	for (i = 0; i < NR_CGROUPS; i++) {
		snprintf(name, sizeof(name), CGROUP "%s", cgroups[i]);
		rmdir(name);
	}
}

/* Of pages that are charged to the first one; it may find fewer. */
void reclaim_cgroup(size_t bytes)
{
	char size[24];

	snprintf(size, sizeof(size), "%lu", bytes);
	write_file(CGROUP "/" NAME "/memory.reclaim", size);
}
