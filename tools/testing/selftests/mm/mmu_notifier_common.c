// SPDX-License-Identifier: GPL-2.0
/* See mmu_notifier_common.h. */
#include <linux/mempolicy.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "mmu_notifier_common.h"

/* --- the secondary MMU ---------------------------------------------------- */

int attach(int fd, unsigned int class, unsigned int kind)
{
	struct test_mn_attach arg = mn_attach_all(class, kind);

	return ioctl(fd, TEST_MN_ATTACH, &arg) ? -errno : 0;
}

static int mn_access(struct mn *self, unsigned long cmd, const void *addr,
		     const void *buffer, size_t len)
{
	struct test_mn_access arg = {
		.addr = (uintptr_t)addr,
		.len = len,
		.buffer = (uintptr_t)buffer,
	};

	return ioctl(self->fd, cmd, &arg) ? -errno : 0;
}

int mn_read(struct mn *self, const void *addr, void *buffer, size_t len)
{
	return mn_access(self, TEST_MN_READ, addr, buffer, len);
}

int mn_write(struct mn *self, void *addr, const void *buffer, size_t len)
{
	return mn_access(self, TEST_MN_WRITE, addr, buffer, len);
}

/* Reads one byte of a page, which makes it young. */
int mn_touch(struct mn *self, const void *addr)
{
	char c;

	return mn_read(self, addr, &c, 1);
}

struct test_mn_stats mn_stats(struct mn *self)
{
	struct test_mn_stats stats = {};

	if (ioctl(self->fd, TEST_MN_STATS, &stats))
		memset(&stats, 0xff, sizeof(stats));
	return stats;
}

void mn_delay(struct mn *self, unsigned int point, unsigned int usecs)
{
	struct test_mn_delay arg = { .point = point, .usecs = usecs };

	ioctl(self->fd, TEST_MN_DELAY, &arg);
}

/* --- contents ------------------------------------------------------------ */

static uint64_t word(size_t offset, unsigned int who)
{
	return ((uint64_t)who << 56) ^ (offset * 0x9e3779b97f4a7c15ULL >> 8);
}

void make_page(uint64_t *page, size_t offset, unsigned int who)
{
	size_t i;

	for (i = 0; i < PAGE / 8; i++)
		page[i] = word(offset + i * 8, who);
}

void fill(char *addr, size_t len, unsigned int who)
{
	size_t offset;

	for (offset = 0; offset < len; offset += PAGE)
		make_page((void *)(addr + offset), offset, who);
}

/* Does the CPU see what fill() has written? */
bool holds(const char *addr, size_t len, unsigned int who)
{
	const uint64_t *words = (const void *)addr;
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (words[i] != word(i * 8, who))
			return false;
	return true;
}

bool holds_zeros(const char *addr, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (addr[i])
			return false;
	return true;
}

bool mn_fill(struct mn *self, char *addr, size_t len, unsigned int who)
{
	uint64_t page[PAGE / 8];
	size_t offset;

	for (offset = 0; offset < len; offset += PAGE) {
		make_page(page, offset, who);
		if (mn_write(self, addr + offset, page, PAGE))
			return false;
	}
	return true;
}

/* Does the secondary MMU see what the CPU sees? */
bool agrees(struct mn *self, const char *addr, size_t len)
{
	char page[PAGE];
	size_t offset;

	for (offset = 0; offset < len; offset += PAGE)
		if (mn_read(self, addr + offset, page, PAGE) ||
		    memcmp(page, addr + offset, PAGE))
			return false;
	return true;
}

/* Are all accesses refused? */
bool faults(struct mn *self, char *addr, size_t len, bool write)
{
	size_t offset;
	char c = 0;

	for (offset = 0; offset < len; offset += PAGE)
		if (mn_access(self, write ? TEST_MN_WRITE : TEST_MN_READ,
			      addr + offset, &c, 1) != -EFAULT)
			return false;
	return true;
}

/* --- mappings ------------------------------------------------------------ */

char *map_flags(size_t len, int flags, int fd)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

char *map(size_t len)
{
	return map_flags(len, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

char *map_filled(size_t len)
{
	char *p = map(len);

	if (p)
		fill(p, len, BY_CPU);
	return p;
}

/* An empty range of addresses, aligned for huge pages. */
char *reserve(size_t len)
{
	char *p = mmap(NULL, len + HUGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

	if (p == MAP_FAILED)
		return NULL;
	munmap(p, len + HUGE);
	return aligned;
}

char *map_at(char *addr, size_t len, int flags, int fd)
{
	void *p = mmap(addr, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		       fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Anonymous memory that huge pages fit into. */
char *map_aligned(size_t len)
{
	return map_at(reserve(len), len, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* Anonymous memory in huge pages. */
char *map_thp(size_t len)
{
	char *p = map_aligned(len);

	if (!p || madvise(p, len, MADV_HUGEPAGE))
		return NULL;
	fill(p, len, BY_CPU);
	return check_huge_anon(p, len / HUGE, HUGE) ? p : NULL;
}

const struct memory small_memory = {
	.map = map_filled,
	.len = SMALL,
};

const struct memory thp_memory = {
	.map = map_thp,
	.len = HUGE,
	.none = NO_THP,
};

char *map_hugetlb(size_t len)
{
	return map_flags(len, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
}

int memory_file(size_t len)
{
	int fd = memfd_create("mmu_notifier_test", 0);

	if (fd >= 0 && ftruncate(fd, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* --- ageing -------------------------------------------------------------- */

/*
 * New pages wait in a batch of their CPU before ageing can find them.  This is a
 * cheap way to drain it.
 */
void drain_batches(void)
{
	char *dummy = map(PAGE);

	madvise(dummy, PAGE, MADV_COLD);
	munmap(dummy, PAGE);
}

#define IDLE	"/sys/kernel/mm/page_idle/bitmap"

bool can_mark_idle(void)
{
	return !access(IDLE, W_OK);
}

/* Marks a page idle, or asks whether it still is; -1 if that is not possible. */
int page_idle(char *addr, bool mark)
{
	uint64_t pfn = PAGEMAP_PFN(pagemap_entry(addr)), word = 0;
	int fd = open(IDLE, O_RDWR);
	ssize_t n;

	if (fd < 0 || !pfn)
		return -1;
	if (mark) {
		word = 1ULL << pfn % 64;
		n = pwrite(fd, &word, 8, pfn / 64 * 8);
	} else {
		n = pread(fd, &word, 8, pfn / 64 * 8);
	}
	close(fd);
	return n == 8 ? word >> pfn % 64 & 1 : -1;
}

/* --- the system ---------------------------------------------------------- */

int write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : 0;
}

/* Returns 0 if there is no such file, or it can't be read right now. */
unsigned long read_number(const char *name)
{
	char text[64] = "";

	read_file(name, text, sizeof(text));
	return strtoul(text, NULL, 0);
}

bool have_swap(void)
{
	FILE *f = fopen("/proc/swaps", "r");
	int c, lines = 0;

	if (!f)
		return false;
	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines > 1;
}

uint64_t pagemap_entry(const char *addr)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd >= 0) {
		entry = pagemap_get_entry(fd, (char *)addr);
		close(fd);
	}
	return entry;
}

size_t count_pages(const char *addr, size_t len, uint64_t bit)
{
	size_t offset, n = 0;

	for (offset = 0; offset < len; offset += PAGE)
		n += !!(pagemap_entry(addr + offset) & bit);
	return n;
}

int this_node(void)
{
	unsigned int cpu, node = 0;

	getcpu(&cpu, &node);
	return node;
}

/* The nodes that have memory, as a mask; 0 without CONFIG_NUMA. */
unsigned long memory_nodes(void)
{
	unsigned long nodes = 0;

	syscall(SYS_get_mempolicy, NULL, &nodes, MAX_NODES, NULL,
		MPOL_F_MEMS_ALLOWED);
	return nodes;
}

/* A node with memory, but not the one of this CPU; -1 if there is none. */
int far_node(void)
{
	unsigned long nodes = memory_nodes() & ~(1UL << this_node());

	return nodes ? __builtin_ctzl(nodes) : -1;
}

/*
 * Returns whether all pages are on @node.  With @move they are moved there first.
 * A huge page moves as a whole.
 */
bool pages_on(char *addr, size_t len, int node, bool move)
{
	size_t n = len < HUGE ? len / PAGE : 1, i;
	int nodes[SMALL / PAGE], status[SMALL / PAGE];
	void *pages[SMALL / PAGE];

	for (i = 0; i < n; i++) {
		pages[i] = addr + i * PAGE;
		nodes[i] = node;
	}
	if (syscall(SYS_move_pages, 0, n, pages, move ? nodes : NULL, status,
		    MPOL_MF_MOVE))
		return false;
	for (i = 0; i < n; i++)
		if (status[i] != node)
			return false;
	return true;
}

static cpu_set_t all_cpus;

bool go_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/*
 * New pages, and those about to change lists, wait in a batch of their CPU, where
 * reclaim does not find them.  Reclaim drains only the batch of its own CPU, so a
 * test must not move to another one in between.
 */
void stay_on_cpu(void)
{
	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	go_to_cpu(sched_getcpu());
}

void run_anywhere(void)
{
	sched_setaffinity(0, sizeof(all_cpus), &all_cpus);
}

/* Moves this process to a memory cgroup of its own. */
bool enter_cgroup(void)
{
	write_text(CGROUP "cgroup.subtree_control", "+memory");
	mkdir(OURS, 0755);
	return !write_text(OURS "cgroup.procs", "0");
}

void leave_cgroup(void)
{
	write_text(CGROUP "cgroup.procs", "0");
	rmdir(OURS);
}

/* --- other processes ----------------------------------------------------- */

bool child_ok(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The child attaches @fd to itself, and maps all of @p with it. */
bool child_attaches(struct mn *self, int fd, char *p, size_t len)
{
	struct mn child = { .fd = fd };

	if (attach(fd, self->class, self->kind))
		return false;
	fill(p, len, BY_CHILD);
	return agrees(&child, p, len) && mn_fill(&child, p, len, BY_DEVICE);
}

/* Starts a child that does so, and then waits to be killed. */
pid_t attached_child(struct mn *self, int fd, char *p, size_t len)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe(fds))
		return -1;
	IN_CHILD(pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		c = child_attaches(self, fd, p, len);
		if (write(fds[1], &c, 1) != 1)
			_exit(1);
		pause();
	}
	close(fds[1]);
	if (pid > 0 && (read(fds[0], &c, 1) != 1 || !c))
		pid = -1;
	close(fds[0]);
	return pid;
}

/* Starts a child that shares all pages until @go is closed. */
pid_t sharing_child(int *go)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe(fds))
		return -1;
	IN_CHILD(pid) {
		close(fds[1]);
		if (read(fds[0], &c, 1) < 0)
			_exit(1);
	}
	close(fds[0]);
	*go = fds[1];
	return pid;
}
