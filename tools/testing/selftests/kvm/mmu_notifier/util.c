// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of MMU notifiers share.
 */
#include <sched.h>

#include "util.h"

void print_paths(const struct path *paths, size_t npaths)
{
	size_t i;

	printf(" -p: run only this path; may be given several times\n    ");
	for (i = 0; i < npaths; i++)
		printf(" %s", paths[i].name);
	printf("\n");
}

/* Returns how many more paths there are to run. */
size_t choose_path(bool *chosen, const char *name, const struct path *paths,
		   size_t npaths)
{
	size_t i, more;

	for (i = 0; i < npaths; i++) {
		if (!strcmp(paths[i].name, name)) {
			more = !chosen[i];
			chosen[i] = true;
			return more;
		}
	}
	TEST_FAIL("There is no path '%s'", name);
}

uint64_t rnd(uint64_t n)
{
	return (uint64_t)random() % n;
}

/* Adds memory at CTRL_GPA, by which the host and the guest communicate. */
void *add_control(struct kvm_vm *vm, size_t size)
{
	size_t pages = align_up(size, PAGE_SIZE) / PAGE_SIZE;

	vm_mem_add(vm, VM_MEM_SRC_SHMEM, CTRL_GPA, CTRL_SLOT, pages, 0, -1, 0);
	virt_map(vm, CTRL_GPA, CTRL_GPA, pages);
	return addr_gpa2hva(vm, CTRL_GPA);
}

/* Replaces what is mapped at @at by new private memory. */
void map_anonymous(void *at, size_t size)
{
	if (mmap(at, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		fail("mmap: %s", strerror(errno));
}

bool write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

/* Returns -1 if the file has no number. */
long read_number(const char *name)
{
	FILE *file = fopen(name, "r");
	long n;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &n) != 1)
		n = -1;
	fclose(file);
	return n;
}

void write_number(const char *name, long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", n);
	if (!write_file(name, text))
		fail("cannot write %s", name);
}

/* Returns the number that follows @field in a file like /proc/vmstat, or 0. */
long read_field(const char *name, const char *field)
{
	FILE *file = fopen(name, "r");
	char line[128], key[64];
	long n, found = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^: ]%*[: ]%ld", key, &n) == 2 &&
		    !strcmp(key, field))
			found = n;
	if (file)
		fclose(file);
	return found;
}

bool have_swap(void)
{
	FILE *file = fopen("/proc/swaps", "r");
	char line[256];
	int lines = 0;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		lines++;
	fclose(file);
	/* The first line is a heading. */
	return lines > 1;
}

/*
 * Waits a little, without giving up the CPU if there are others.  An emulator that runs
 * one of them at a time goes on with the next.
 */
void spin(void)
{
	static long cpus;

	if (!cpus)
		cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_relax();
	if (cpus == 1)
		sched_yield();
}

/* Lets @thread run on @cpu only, or on any CPU if it is -1. */
void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;
	int i, error;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	else
		for (i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++)
			CPU_SET(i, &set);
	error = pthread_setaffinity_np(thread, sizeof(set), &set);
	if (error)
		fail("cannot move a thread to CPU %d: %s", cpu, strerror(error));
}

/* Makes @thread a real-time one, or an ordinary one again if @priority is 0. */
bool set_fifo(pthread_t thread, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return !pthread_setschedparam(thread, priority ? SCHED_FIFO : SCHED_OTHER,
				      &param);
}

/* A thread that waits for a lock can't be interrupted. */
bool waits_for_lock(pid_t tid)
{
	char name[64], line[256], *p;
	bool waits = false;
	int fd;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return false;
	memset(line, 0, sizeof(line));
	if (read(fd, line, sizeof(line) - 1) > 0) {
		p = strrchr(line, ')');
		waits = p && p[1] && p[2] == 'D';
	}
	close(fd);
	return waits;
}
