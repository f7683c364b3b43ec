// SPDX-License-Identifier: GPL-2.0
/*
 * Every path of mm/ that changes page tables under a secondary MMU, one test
 * each, in front of the secondary MMUs of lib/test_mmu_notifier.c.
 *
 * A test fills memory, has the secondary MMU read and write all of it, and lets
 * the path happen.  Then
 *
 *  - no translation may be left that disagrees with the CPU's page tables,
 *  - the secondary MMU must have been told, and have dropped something for it,
 *  - what it reads must be what the CPU reads, and the other way round.
 *
 *	mmu_notifier_test -r mn.VARIANT.PATH
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "vm_util.h"
#include <lib/test_hmm_uapi.h>
#include <lib/test_mmu_notifier_uapi.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* As in include/linux/mmu_notifier.h. */
enum event {
	UNMAP,
	CLEAR,
	PROTECTION_VMA,
	PROTECTION_PAGE,
	SOFT_DIRTY,
	RELEASE,
	MIGRATE,
	EXCLUSIVE,
};

#define DEVICE		"/dev/test_mmu_notifier"
#define PAGE		4096UL
#define HUGE		(2UL << 20)
#define SMALL		(16 * PAGE)

/* Everything but the first page and the end of the address space. */
#define ALL_START	PAGE
#define ALL_LEN		((1UL << 47) - 4 * PAGE)

/* Who wrote last is to be seen in the memory. */
enum { BY_CPU = 1, BY_DEVICE, BY_CPU_AGAIN, BY_CHILD, BY_DEVICE_AGAIN };

/* A secondary MMU, and its statistics before what is tested. */
struct mn {
	int fd;
	unsigned int class;
	unsigned int kind;
	struct test_mn_stats before;
};

FIXTURE(mn)
{
	struct mn mn;
};

FIXTURE_VARIANT(mn)
{
	unsigned int class;
	unsigned int kind;
};

FIXTURE_VARIANT_ADD(mn, page_table)
{
	.class = TEST_MN_PAGE_TABLE,
	.kind = TEST_MN_HLIST,
};

FIXTURE_VARIANT_ADD(mn, page_table_interval)
{
	.class = TEST_MN_PAGE_TABLE,
	.kind = TEST_MN_INTERVAL,
};

FIXTURE_VARIANT_ADD(mn, tlb)
{
	.class = TEST_MN_TLB,
	.kind = TEST_MN_HLIST,
};

FIXTURE_VARIANT_ADD(mn, remote)
{
	.class = TEST_MN_REMOTE,
	.kind = TEST_MN_HLIST,
};

FIXTURE_VARIANT_ADD(mn, remote_interval)
{
	.class = TEST_MN_REMOTE,
	.kind = TEST_MN_INTERVAL,
};

FIXTURE_VARIANT_ADD(mn, sva)
{
	.class = TEST_MN_SVA,
	.kind = TEST_MN_HLIST,
};

/*
 * How long a test may take is for whoever runs it to say, who sees whether there
 * is progress.
 */
#define FOR_EVER	86400

#define TEST_PATH(name)							\
	static void path_##name(struct __test_metadata *_metadata,	\
				struct mn *self);			\
	TEST_F_TIMEOUT(mn, name, FOR_EVER)				\
	{								\
		path_##name(_metadata, &self->mn);			\
	}								\
	static void path_##name(struct __test_metadata *_metadata,	\
				struct mn *self)

/* --- the secondary MMU ---------------------------------------------------- */

static int attach(int fd, unsigned int class, unsigned int kind)
{
	struct test_mn_attach arg = { .class = class, .kind = kind };

	if (kind == TEST_MN_INTERVAL) {
		arg.start = ALL_START;
		arg.len = ALL_LEN;
	}
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

static int mn_read(struct mn *self, const void *addr, void *buffer, size_t len)
{
	return mn_access(self, TEST_MN_READ, addr, buffer, len);
}

static int mn_write(struct mn *self, void *addr, const void *buffer, size_t len)
{
	return mn_access(self, TEST_MN_WRITE, addr, buffer, len);
}

/* Reads one byte of a page, which makes it young. */
static int mn_touch(struct mn *self, const void *addr)
{
	char c;

	return mn_read(self, addr, &c, 1);
}

static struct test_mn_stats mn_stats(struct mn *self)
{
	struct test_mn_stats stats = {};

	if (ioctl(self->fd, TEST_MN_STATS, &stats))
		memset(&stats, 0xff, sizeof(stats));
	return stats;
}

static void mn_delay(struct mn *self, unsigned int point, unsigned int usecs)
{
	struct test_mn_delay arg = { .point = point, .usecs = usecs };

	ioctl(self->fd, TEST_MN_DELAY, &arg);
}

static cpu_set_t all_cpus;

/*
 * New pages, and those that are about to change lists, wait in a batch of their
 * CPU, where reclaim does not find them.  It empties only that of its own CPU, so
 * a test must not move to another one in between.
 */
static bool go_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static void stay_on_cpu(void)
{
	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	go_to_cpu(sched_getcpu());
}

static void run_anywhere(void)
{
	sched_setaffinity(0, sizeof(all_cpus), &all_cpus);
}

static void set_up(struct __test_metadata *_metadata, struct mn *mn,
		   unsigned int class, unsigned int kind)
{
	stay_on_cpu();
	mn->class = class;
	mn->kind = kind;
	mn->fd = open(DEVICE, O_RDWR);
	if (mn->fd < 0)
		SKIP(return, "no " DEVICE " (CONFIG_TEST_MMU_NOTIFIER)");
	ASSERT_EQ(0, attach(mn->fd, class, kind));
}

FIXTURE_SETUP(mn)
{
	set_up(_metadata, &self->mn, variant->class, variant->kind);
}

FIXTURE_TEARDOWN(mn)
{
	close(self->mn.fd);
}

/* --- memory --------------------------------------------------------------- */

static uint64_t word(size_t offset, unsigned int who)
{
	return ((uint64_t)who << 56) ^ (offset * 0x9e3779b97f4a7c15ULL >> 8);
}

static void make_page(uint64_t *page, size_t offset, unsigned int who)
{
	size_t i;

	for (i = 0; i < PAGE / 8; i++)
		page[i] = word(offset + i * 8, who);
}

static void fill(char *addr, size_t len, unsigned int who)
{
	size_t offset;

	for (offset = 0; offset < len; offset += PAGE)
		make_page((void *)(addr + offset), offset, who);
}

/* Is it what fill() has written there?  As the CPU sees it. */
static bool holds(const char *addr, size_t len, unsigned int who)
{
	const uint64_t *words = (const void *)addr;
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (words[i] != word(i * 8, who))
			return false;
	return true;
}

static bool holds_zeros(const char *addr, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (addr[i])
			return false;
	return true;
}

static bool mn_fill(struct mn *self, char *addr, size_t len, unsigned int who)
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
static bool agrees(struct mn *self, const char *addr, size_t len)
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
static bool faults(struct mn *self, char *addr, size_t len, bool write)
{
	size_t offset;
	char c = 0;

	for (offset = 0; offset < len; offset += PAGE)
		if (mn_access(self, write ? TEST_MN_WRITE : TEST_MN_READ,
			      addr + offset, &c, 1) != -EFAULT)
			return false;
	return true;
}

static char *map_flags(size_t len, int flags, int fd)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static char *map(size_t len)
{
	return map_flags(len, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* An empty range of addresses, aligned for huge pages. */
static char *reserve(size_t len)
{
	char *p = mmap(NULL, len + HUGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

	if (p == MAP_FAILED)
		return NULL;
	munmap(p, len + HUGE);
	return aligned;
}

static char *map_at(char *addr, size_t len, int flags, int fd)
{
	void *p = mmap(addr, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		       fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Anonymous memory in huge pages, or NULL if there are none to be had. */
static char *map_thp(size_t len)
{
	char *p = map_at(reserve(len), len, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!p || madvise(p, len, MADV_HUGEPAGE))
		return NULL;
	fill(p, len, BY_CPU);
	return check_huge_anon(p, len / HUGE, HUGE) ? p : NULL;
}

static char *map_hugetlb(size_t len, int flags)
{
	char *p = map_flags(len, flags | MAP_ANONYMOUS | MAP_HUGETLB, -1);

	return p;
}

static int memory_file(size_t len)
{
	int fd = memfd_create("mmu_notifier_test", 0);

	if (fd >= 0 && ftruncate(fd, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int write_file(const char *name, const char *text)
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

/* The beginning of a file; empty if there is none. */
static void read_file(const char *name, char *text, size_t size)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = 0;

	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n < 0 ? 0 : n] = 0;
}

static unsigned long read_number(const char *name)
{
	char text[64];

	read_file(name, text, sizeof(text));
	return strtoul(text, NULL, 0);
}

static bool have_swap(void)
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

static uint64_t pagemap_entry(const char *addr)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd >= 0) {
		if (pread(fd, &entry, 8, (uintptr_t)addr / PAGE * 8) != 8)
			entry = 0;
		close(fd);
	}
	return entry;
}

static size_t count_pages(const char *addr, size_t len, uint64_t bit)
{
	size_t offset, n = 0;

	for (offset = 0; offset < len; offset += PAGE)
		n += !!(pagemap_entry(addr + offset) & bit);
	return n;
}

#define MAX_NODES	64

/* The nodes that have memory, as a mask; 0 without CONFIG_NUMA. */
static unsigned long memory_nodes(void)
{
	unsigned long nodes = 0;

	syscall(SYS_get_mempolicy, NULL, &nodes, MAX_NODES, NULL,
		MPOL_F_MEMS_ALLOWED);
	return nodes;
}

static int this_node(void)
{
	unsigned int cpu, node = 0;

	getcpu(&cpu, &node);
	return node;
}

static long set_policy(char *addr, size_t len, int mode, unsigned long nodes,
		       unsigned int flags)
{
	return syscall(SYS_mbind, addr, len, mode, &nodes, MAX_NODES, flags);
}

#define CGROUP	"/sys/fs/cgroup/"
#define OURS	CGROUP "mmu_notifier_test/"

/* Moves us to a memory cgroup of our own. */
static bool enter_cgroup(void)
{
	write_file(CGROUP "cgroup.subtree_control", "+memory");
	mkdir(OURS, 0755);
	return !write_file(OURS "cgroup.procs", "0");
}

static void leave_cgroup(void)
{
	write_file(CGROUP "cgroup.procs", "0");
	rmdir(OURS);
}

/* The parent's way to run something in a process of its own. */
#define IN_CHILD(pid)	for (; !((pid) = fork()); _exit(0))

static bool child_ok(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* A child that attaches @fd to itself and has all of @p mapped. */
static bool child_attaches(struct mn *self, int fd, char *p, size_t len)
{
	struct mn child = { .fd = fd };

	if (attach(fd, self->class, self->kind))
		return false;
	fill(p, len, BY_CHILD);
	return agrees(&child, p, len) && mn_fill(&child, p, len, BY_DEVICE);
}

/* One that does so and waits to be killed. */
static pid_t attached_child(struct mn *self, int fd, char *p, size_t len)
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

/* --- what all tests do ---------------------------------------------------- */

/* The secondary MMU has all of the range mapped for writing, and wrote it. */
static void mirror(struct __test_metadata *_metadata, struct mn *self, char *addr,
		   size_t len)
{
	fill(addr, len, BY_CPU);
	ASSERT_TRUE(agrees(self, addr, len));
	ASSERT_TRUE(mn_fill(self, addr, len, BY_DEVICE));
	ASSERT_TRUE(holds(addr, len, BY_DEVICE));
	self->before = mn_stats(self);
	ASSERT_EQ(0, self->before.stale);
}

/* It has it mapped for reading only. */
static void mirror_read(struct __test_metadata *_metadata, struct mn *self, char *addr,
			size_t len)
{
	ASSERT_TRUE(agrees(self, addr, len));
	self->before = mn_stats(self);
	ASSERT_EQ(0, self->before.stale);
}

static void check(struct __test_metadata *_metadata, struct mn *self)
{
	struct test_mn_check arg = { .len = -1ULL };
	struct test_mn_stale stale = {};
	struct test_mn_stats stats;

	ASSERT_EQ(0, ioctl(self->fd, TEST_MN_CHECK, &arg));
	EXPECT_EQ(0, arg.stale);
	stats = mn_stats(self);
	EXPECT_EQ(0, stats.stale);
	EXPECT_EQ(0, stats.unpaired);
	EXPECT_EQ(0, stats.in_progress);
	if (!stats.stale)
		return;
	ASSERT_EQ(0, ioctl(self->fd, TEST_MN_STALE, &stale));
	TH_LOG("stale: address %#llx, page %#llx, the CPU has %#llx, flags %#x",
	       stale.addr, stale.pfn, stale.cpu_pfn, stale.flags);
	TH_LOG("set %llu ms ago, last event %d, %llu ms ago", stale.age_ms,
	       (int)stale.event, stale.event_age_ms);
}

/* Nothing is stale, and there was an invalidation which dropped something. */
static void told(struct __test_metadata *_metadata, struct mn *self, enum event event)
{
	struct test_mn_stats now;

	check(_metadata, self);
	now = mn_stats(self);
	if (self->class == TEST_MN_SVA) {
		EXPECT_GT(now.tlb_dropped, self->before.tlb_dropped);
		return;
	}
	EXPECT_GT(now.invalidations[event], self->before.invalidations[event]);
	/* A TLB may have dropped it to make room, or as too old. */
	if (self->class != TEST_MN_TLB)
		EXPECT_GT(now.dropped[event], self->before.dropped[event]);
	self->before = now;
}

/* Both sides see and can change the memory. */
static void usable(struct __test_metadata *_metadata, struct mn *self, char *addr,
		   size_t len)
{
	EXPECT_TRUE(agrees(self, addr, len));
	fill(addr, len, BY_CPU_AGAIN);
	EXPECT_TRUE(agrees(self, addr, len));
	EXPECT_TRUE(mn_fill(self, addr, len, BY_DEVICE_AGAIN));
	EXPECT_TRUE(holds(addr, len, BY_DEVICE_AGAIN));
	check(_metadata, self);
}

/* --- the device itself ---------------------------------------------------- */

TEST_PATH(arguments)
{
	struct test_mn_attach again = { .class = self->class,
					.kind = self->kind };
	struct test_mn_access access = {};
	struct test_mn_fault fault = {};
	struct test_mn_check empty = {};
	struct test_mn_delay delay = {};
	char *p = map(SMALL), buffer[16];
	pid_t pid;

	ASSERT_NE(NULL, p);
	again.flags = 1;
	EXPECT_EQ(-1, ioctl(self->fd, TEST_MN_ATTACH, &again));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-EEXIST, attach(self->fd, self->class, self->kind));
	EXPECT_EQ(-EINVAL, attach(self->fd, 0, TEST_MN_HLIST));
	EXPECT_EQ(-EINVAL, attach(self->fd, TEST_MN_SVA + 1, TEST_MN_HLIST));
	EXPECT_EQ(-EINVAL, attach(self->fd, TEST_MN_SVA, TEST_MN_INTERVAL));
	EXPECT_EQ(-EINVAL, attach(self->fd, TEST_MN_TLB, TEST_MN_INTERVAL));

	EXPECT_EQ(-EINVAL, mn_read(self, p, buffer, 0));
	EXPECT_EQ(-EINVAL, mn_read(self, p, buffer, PAGE + 1));
	EXPECT_EQ(-EINVAL, mn_read(self, (void *)-PAGE, buffer, 8));
	EXPECT_EQ(-EFAULT, mn_read(self, p, (void *)1, 8));
	EXPECT_EQ(-EFAULT, mn_read(self, (void *)ALL_START, buffer, 8));
	access.addr = (uintptr_t)p + 4;
	access.len = 8;
	EXPECT_EQ(-1, ioctl(self->fd, TEST_MN_FETCH_ADD, &access));
	EXPECT_EQ(EINVAL, errno);

	fault.addr = (uintptr_t)p;
	fault.len = PAGE;
	fault.reserved = 1;
	EXPECT_EQ(-1, ioctl(self->fd, TEST_MN_FAULT, &fault));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, TEST_MN_CHECK, &empty));
	EXPECT_EQ(EINVAL, errno);
	delay.point = TEST_MN_POINTS;
	EXPECT_EQ(-1, ioctl(self->fd, TEST_MN_DELAY, &delay));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, _IOW('N', 2, int), &delay));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, _IO('N', 99)));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->fd, TEST_MN_CHECK, NULL));
	EXPECT_EQ(EFAULT, errno);

	/* Another address space, even if it is a copy, is not the one attached. */
	IN_CHILD(pid)
		if (mn_read(self, p, buffer, 8) != -EPERM)
			_exit(1);
	EXPECT_TRUE(child_ok(pid));
	EXPECT_EQ(0, ioctl(self->fd, TEST_MN_DETACH));
	EXPECT_EQ(-ENOENT, mn_read(self, p, buffer, 8));
	EXPECT_EQ(-1, ioctl(self->fd, TEST_MN_DETACH));
	EXPECT_EQ(ENOENT, errno);
}

TEST_PATH(fetch_add)
{
	struct test_mn_access access = { .len = 8, .value = 5 };
	struct test_mn_fault fault = { .len = SMALL, .write = 1 };
	uint64_t *p = (void *)map(SMALL);

	ASSERT_NE(NULL, p);
	fault.addr = (uintptr_t)p;
	ASSERT_EQ(0, ioctl(self->fd, TEST_MN_FAULT, &fault));
	p[1] = 37;
	access.addr = (uintptr_t)&p[1];
	ASSERT_EQ(0, ioctl(self->fd, TEST_MN_FETCH_ADD, &access));
	EXPECT_EQ(37, access.value);
	EXPECT_EQ(42, p[1]);
	check(_metadata, self);
}

/* --- random ioctls -------------------------------------------------------- */

/*
 * The device has to get along with any arguments, and what it returns must be
 * what its header says.  What is wrong with the arguments is worked out here, as
 * the set of errors that would be right; if nothing is, it must succeed.
 */
FIXTURE(device)
{
	struct mn mn;
};

FIXTURE_SETUP(device)
{
	set_up(_metadata, &self->mn, TEST_MN_PAGE_TABLE, TEST_MN_HLIST);
}

FIXTURE_TEARDOWN(device)
{
	close(self->mn.fd);
}

#define FUZZ_CALLS	20000UL
#define ERROR(error)	(1ULL << (error))

/*
 * Addresses that no flip of one bit makes addresses of other memory, except for
 * bits 20 to 31, which are not flipped.
 */
#define ARENA		((char *)0x155500000000)
#define ARENA_RW	(ARENA + 0x100000)
#define ARENA_RO	(ARENA + 0x200000)
#define ARENA_LEN	0x1000000UL
#define ARENA_ARGS	(ARENA + 0x400000)	/* a page */
#define ARENA_SEALED	(ARENA + 0x800000)	/* the same page, read-only */

/* The end of the address space; with five levels of page tables it is another. */
static uint64_t task_end = (1UL << 47) - PAGE;

static const unsigned int commands[] = {
	TEST_MN_ATTACH,
	TEST_MN_DETACH,
	TEST_MN_FAULT,
	TEST_MN_READ,
	TEST_MN_WRITE,
	TEST_MN_FETCH_ADD,
	TEST_MN_CHECK,
	TEST_MN_STATS,
	TEST_MN_STALE,
	TEST_MN_DELAY,
	TEST_MN_CLEAN,
};

#define NR_COMMANDS	ARRAY_SIZE(commands)

union args {
	struct test_mn_attach attach;
	struct test_mn_fault fault;
	struct test_mn_access access;
	struct test_mn_check check;
	struct test_mn_delay delay;
	struct test_mn_clean clean;
	uint32_t words[8];
};

/* An open device, and what it should be attached to. */
struct target {
	enum { NO_MM, OUR_MM, OTHER_MM } whose;
	int fd;
	struct test_mn_attach as;
};

struct fuzz {
	uint64_t random;
	struct target targets[3];
	unsigned long succeeded[NR_COMMANDS], failed[NR_COMMANDS];
};

static uint64_t pick(struct fuzz *f, uint64_t n)
{
	uint64_t x = f->random += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 31)) % n;
}

/* Files should be attached most of the time. */
static unsigned int pick_command(struct fuzz *f)
{
	unsigned int cmd = commands[pick(f, NR_COMMANDS)];

	return cmd == TEST_MN_DETACH && pick(f, 8) ? TEST_MN_ATTACH : cmd;
}

static uint64_t pick_odd_number(struct fuzz *f)
{
	switch (pick(f, 5)) {
	case 0:
		return pick(f, 4);
	case 1:
		return 1ULL << pick(f, 64);
	case 2:
		return -pick(f, 2 * PAGE);
	case 3:
		return task_end + pick(f, 2 * PAGE) - PAGE;
	default:
		return pick(f, -1ULL);
	}
}

static uint64_t pick_addr(struct fuzz *f)
{
	uint64_t addr = (uintptr_t)ARENA_RW;

	switch (pick(f, 16)) {
	case 0:
		return pick_odd_number(f) | 1ULL << 63;
	case 1:
		return task_end + pick(f, 2 * PAGE) - PAGE;
	case 2:
		return addr + SMALL - pick(f, 16);
	case 3 ... 4:
		addr = (uintptr_t)ARENA_RO;
		break;
	case 5:
		/* Nothing is there. */
		addr += 2 * SMALL;
		break;
	}
	addr += pick(f, SMALL);
	return pick(f, 2) ? addr & -8 : pick(f, 2) ? addr & -PAGE : addr;
}

static uint64_t pick_len(struct fuzz *f)
{
	switch (pick(f, 8)) {
	case 0 ... 3:
		return 8;
	case 4:
		return pick(f, PAGE + 2);
	case 5 ... 6:
		return pick(f, SMALL / PAGE + 1) * PAGE;
	default:
		return pick_odd_number(f);
	}
}

static void pick_attach(struct fuzz *f, struct test_mn_attach *arg)
{
	arg->class = pick(f, 6);
	arg->kind = pick(f, 4);
	if (arg->kind == TEST_MN_INTERVAL || !pick(f, 8)) {
		arg->start = pick_addr(f) & -PAGE;
		arg->len = pick_len(f) * (pick(f, 4) ? PAGE : 1);
	}
	arg->flags = pick(f, 8) ? 0 : pick_odd_number(f);
}

static void pick_access(struct fuzz *f, unsigned int cmd,
			struct test_mn_access *arg)
{
	arg->addr = pick_addr(f);
	arg->len = pick_len(f);
	if (cmd == TEST_MN_FETCH_ADD) {
		arg->value = pick_odd_number(f);
		arg->buffer = pick(f, 8) ? 0 : pick_addr(f);
	} else {
		arg->value = pick(f, 8) ? 0 : pick_odd_number(f);
		arg->buffer = pick(f, 16) ? pick_addr(f) : 0;
	}
}

static void pick_args(struct fuzz *f, unsigned int cmd, union args *args)
{
	unsigned int bit;

	memset(args, 0, sizeof(*args));
	switch (cmd) {
	case TEST_MN_ATTACH:
		pick_attach(f, &args->attach);
		break;
	case TEST_MN_FAULT:
		args->fault.addr = pick_addr(f);
		args->fault.len = pick_len(f);
		args->fault.write = pick(f, 16) ? pick(f, 2) : pick(f, -1U);
		args->fault.reserved = pick(f, 8) ? 0 : pick(f, -1U);
		break;
	case TEST_MN_READ:
	case TEST_MN_WRITE:
	case TEST_MN_FETCH_ADD:
		pick_access(f, cmd, &args->access);
		break;
	case TEST_MN_CHECK:
		args->check.addr = pick_odd_number(f);
		args->check.len = pick_len(f);
		args->check.checked = pick(f, 8) ? 0 : pick_odd_number(f);
		args->check.stale = pick(f, 8) ? 0 : pick_odd_number(f);
		break;
	case TEST_MN_DELAY:
		args->delay.point = pick(f, TEST_MN_POINTS + 1);
		args->delay.usecs = pick(f, 4) ? pick(f, 10) : pick(f, 20001);
		break;
	case TEST_MN_CLEAN:
		args->clean.addr = pick_addr(f) & (pick(f, 8) ? -PAGE : -1UL);
		args->clean.len = pick(f, 2) ? PAGE : pick_len(f);
		args->clean.write_protect = pick(f, 3);
		args->clean.reserved = pick(f, 8) ? 0 : pick(f, -1U);
		args->clean.changed = pick(f, 8) ? 0 : pick_odd_number(f);
		break;
	}
	if (!pick(f, 8)) {
		bit = pick(f, 2) ? pick(f, 20) : 32 + pick(f, 32);
		args->words[2 * pick(f, 4) + bit / 32] ^= 1U << bit % 32;
	}
}

/* Where the arguments are, to the kernel: somewhere it can get at, or not. */
static char *pick_place(struct fuzz *f, size_t size)
{
	switch (pick(f, 24)) {
	case 0:
		return NULL;
	case 1:
		return (char *)(pick_odd_number(f) | 1ULL << 63);
	case 2:
		return ARENA_ARGS + PAGE - pick(f, size + 1);
	case 3:
		return ARENA_ARGS - pick(f, size + 1);
	case 4:
		return ARENA_SEALED;
	case 5:
		return ARENA_ARGS + pick(f, PAGE - size);
	default:
		return ARENA_ARGS;
	}
}

static bool inside(uint64_t addr, uint64_t len, const char *start, uint64_t size)
{
	uint64_t offset = addr - (uintptr_t)start;

	return offset < size && len <= size - offset;
}

/* What does not fit into the page is cut off. */
static void put_args(char *place, const union args *args)
{
	const char *from = (const void *)args;
	size_t i;

	if (place == ARENA_SEALED)
		place = ARENA_ARGS;
	for (i = 0; i < sizeof(*args); i++)
		if (inside((uintptr_t)place + i, 1, ARENA_ARGS, PAGE))
			place[i] = from[i];
}

static bool can_access(uint64_t addr, uint64_t len, bool write)
{
	return inside(addr, len, ARENA_RW, SMALL) ||
	       (!write && inside(addr, len, ARENA_RO, SMALL));
}

static bool beyond_end(uint64_t addr, uint64_t len)
{
	return addr >= task_end || len > task_end - addr;
}

static uint64_t wrong_range(uint64_t addr, uint64_t len)
{
	return !len || beyond_end(addr, len) ? ERROR(EINVAL) : 0;
}

static uint64_t wrong_attach(const struct target *t,
			     const struct test_mn_attach *arg)
{
	uint64_t wrong = t->whose == NO_MM ? 0 : ERROR(EEXIST);
	bool interval = arg->kind == TEST_MN_INTERVAL;

	if (arg->class < TEST_MN_PAGE_TABLE || arg->class > TEST_MN_SVA ||
	    (!interval && arg->kind != TEST_MN_HLIST) || arg->flags)
		wrong |= ERROR(EINVAL);
	if (!interval && (arg->start || arg->len))
		wrong |= ERROR(EINVAL);
	if (interval && (arg->class == TEST_MN_TLB || arg->class == TEST_MN_SVA ||
			 (arg->start | arg->len) % PAGE || !arg->len ||
			 beyond_end(arg->start, arg->len)))
		wrong |= ERROR(EINVAL);
	return wrong;
}

/* What only the process that is attached may do, and to what is mapped. */
static uint64_t wrong_memory(const struct target *t, uint64_t addr,
			     uint64_t len, bool write)
{
	uint64_t wrong = wrong_range(addr, len);

	if (t->whose == NO_MM)
		wrong |= ERROR(ENOENT);
	if (t->whose == OTHER_MM)
		wrong |= ERROR(EPERM);
	if (!can_access(addr, len, write))
		wrong |= ERROR(EFAULT);
	if (t->as.kind == TEST_MN_INTERVAL &&
	    !inside(addr, len, (char *)(uintptr_t)t->as.start, t->as.len))
		wrong |= ERROR(EINVAL);
	return wrong;
}

static uint64_t wrong_access(const struct target *t, unsigned int cmd,
			     const struct test_mn_access *arg)
{
	uint64_t wrong = wrong_memory(t, arg->addr, arg->len,
				      cmd != TEST_MN_READ);

	if (cmd == TEST_MN_FETCH_ADD) {
		if (arg->len != 8 || arg->addr % 8 || arg->buffer)
			wrong |= ERROR(EINVAL);
	} else {
		if (arg->len > PAGE || arg->value)
			wrong |= ERROR(EINVAL);
		if (!can_access(arg->buffer, arg->len, cmd == TEST_MN_READ))
			wrong |= ERROR(EFAULT);
	}
	return wrong;
}

static uint64_t wrong_clean(const struct target *t,
			    const struct test_mn_clean *arg)
{
	uint64_t wrong = wrong_range(arg->addr, arg->len);

	if (t->whose == NO_MM)
		wrong |= ERROR(ENOENT);
	if (t->whose == OTHER_MM)
		wrong |= ERROR(EPERM);
	if ((arg->addr | arg->len) % PAGE || arg->len > HUGE ||
	    arg->write_protect > 1 || arg->reserved || arg->changed)
		wrong |= ERROR(EINVAL);
	if (!can_access(arg->addr, arg->len, false))
		wrong |= ERROR(EFAULT);
	return wrong;
}

static uint64_t wrong_args(const struct target *t, unsigned int cmd,
			   const union args *args)
{
	uint64_t wrong = t->whose == NO_MM ? ERROR(ENOENT) : 0;

	switch (cmd) {
	case TEST_MN_ATTACH:
		return wrong_attach(t, &args->attach);
	case TEST_MN_FAULT:
		wrong = wrong_memory(t, args->fault.addr, args->fault.len,
				     args->fault.write);
		if (args->fault.write > 1 || args->fault.reserved)
			wrong |= ERROR(EINVAL);
		return wrong;
	case TEST_MN_READ:
	case TEST_MN_WRITE:
	case TEST_MN_FETCH_ADD:
		return wrong_access(t, cmd, &args->access);
	case TEST_MN_CHECK:
		if (!args->check.len || args->check.checked ||
		    args->check.stale)
			wrong |= ERROR(EINVAL);
		return wrong;
	case TEST_MN_DELAY:
		return args->delay.point >= TEST_MN_POINTS ||
		       args->delay.usecs > 10000 ? ERROR(EINVAL) : 0;
	case TEST_MN_CLEAN:
		return wrong_clean(t, &args->clean);
	}
	return wrong;
}

/* The set of errors that the device may return; empty if it must succeed. */
static uint64_t wrong_call(const struct target *t, unsigned int cmd,
			   char *place, const union args *args)
{
	uint64_t addr = (uintptr_t)place, wrong;
	size_t size = _IOC_SIZE(cmd);
	bool writable = inside(addr, size, ARENA_ARGS, PAGE);
	bool readable = writable || inside(addr, size, ARENA_SEALED, PAGE);

	if (_IOC_TYPE(cmd) != 'N' || _IOC_NR(cmd) >= NR_COMMANDS)
		return ERROR(ENOTTY);
	if (commands[_IOC_NR(cmd)] != cmd)
		return ERROR(EINVAL);
	if ((_IOC_DIR(cmd) & _IOC_WRITE) && !readable)
		return ERROR(EFAULT);
	wrong = wrong_args(t, cmd, args);
	if ((_IOC_DIR(cmd) & _IOC_READ) && !writable)
		wrong |= ERROR(EFAULT);
	return wrong;
}

static void has_succeeded(struct target *t, unsigned int cmd,
			  const union args *args)
{
	struct test_mn_delay none = { .point = args->delay.point };

	switch (cmd) {
	case TEST_MN_ATTACH:
		t->whose = OUR_MM;
		t->as = args->attach;
		break;
	case TEST_MN_DETACH:
		t->whose = NO_MM;
		memset(&t->as, 0, sizeof(t->as));
		break;
	case TEST_MN_DELAY:
		/* Long ones would be most of the test. */
		if (args->delay.usecs > 10)
			ioctl(t->fd, TEST_MN_DELAY, &none);
		break;
	}
}

static bool fuzz_once(struct __test_metadata *_metadata, struct fuzz *f)
{
	unsigned int cmd = pick_command(f), i;
	struct target *t = &f->targets[pick(f, 3)];
	uint64_t wrong;
	union args args;
	char *place;
	int ret;

	pick_args(f, cmd, &args);
	if (!pick(f, 16))
		cmd ^= 1U << pick(f, 32);
	place = pick_place(f, _IOC_SIZE(cmd) % PAGE);
	/* Nobody else would attach it again. */
	if (t->whose == OTHER_MM && cmd == TEST_MN_DETACH)
		return true;

	put_args(place, &args);

	wrong = wrong_call(t, cmd, place, &args);
	ret = ioctl(t->fd, cmd, place) ? errno : 0;
	if (!ret)
		has_succeeded(t, cmd, &args);
	if (_IOC_NR(cmd) < NR_COMMANDS) {
		f->succeeded[_IOC_NR(cmd)] += !ret;
		f->failed[_IOC_NR(cmd)] += !!ret;
	}
	if (wrong ? ret && wrong & ERROR(ret) : !ret)
		return true;
	TH_LOG("command %#x of file %d (of %d) at %p: %s, not one of %#llx", cmd,
	       (int)(t - f->targets), t->whose, place,
	       ret ? strerror(ret) : "succeeded", (unsigned long long)wrong);
	for (i = 0; i < 8; i += 2)
		TH_LOG("  %#010x %#010x", args.words[i], args.words[i + 1]);
	return false;
}

static bool map_arena(void)
{
	int fd = memory_file(2 * SMALL);
	int none = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;

	return fd >= 0 &&
	       mmap(ARENA, ARENA_LEN, PROT_NONE, none, -1, 0) == ARENA &&
	       map_at(ARENA_RW, SMALL, MAP_SHARED, fd) &&
	       map_at(ARENA_RO, SMALL, MAP_SHARED, fd) &&
	       !mprotect(ARENA_RO, SMALL, PROT_READ) &&
	       mmap(ARENA_ARGS, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, SMALL) == ARENA_ARGS &&
	       mmap(ARENA_SEALED, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED,
		    fd, SMALL) == ARENA_SEALED;
}

TEST_F_TIMEOUT(device, fuzz, FOR_EVER)
{
	struct fuzz f = { .random = 1 };
	struct mn *before = &self->mn;
	char *p = map(SMALL);
	unsigned long i;
	pid_t pid;

	ASSERT_NE(NULL, p);
	mirror(_metadata, before, p, SMALL);
	ASSERT_TRUE(map_arena());
	if (mn_touch(before, (char *)task_end) != -EINVAL)
		task_end = (1UL << 56) - PAGE;
	for (i = 0; i < 3; i++) {
		f.targets[i].fd = open(DEVICE, O_RDWR);
		ASSERT_LE(0, f.targets[i].fd);
	}
	pid = attached_child(before, f.targets[2].fd, p, SMALL);
	ASSERT_LT(0, pid);
	f.targets[2].whose = OTHER_MM;

	for (i = 0; i < FUZZ_CALLS; i++)
		ASSERT_TRUE(fuzz_once(_metadata, &f));
	for (i = 0; i < NR_COMMANDS; i++) {
		EXPECT_LT(0, f.succeeded[i]);
		EXPECT_LT(0, f.failed[i]);
	}

	/* None of them has seen, or done, any harm. */
	for (i = 0; i < 3; i++) {
		struct mn target = { .fd = f.targets[i].fd };

		if (f.targets[i].whose == OUR_MM)
			check(_metadata, &target);
		close(target.fd);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	check(_metadata, before);
	usable(_metadata, before, p, SMALL);
	EXPECT_TRUE(agrees(before, ARENA_RW, SMALL));
}

/* --- protection ----------------------------------------------------------- */

TEST_PATH(mprotect_read)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, mprotect(p, SMALL, PROT_READ));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(agrees(self, p, SMALL));
	EXPECT_TRUE(faults(self, p, SMALL, true));
	ASSERT_EQ(0, mprotect(p, SMALL, PROT_READ | PROT_WRITE));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(mprotect_none)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, mprotect(p + PAGE, SMALL - 2 * PAGE, PROT_NONE));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(faults(self, p + PAGE, SMALL - 2 * PAGE, false));
	EXPECT_TRUE(agrees(self, p, PAGE));
	ASSERT_EQ(0, mprotect(p, SMALL, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
}

/* --- unmapping ------------------------------------------------------------ */

TEST_PATH(munmap)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, munmap(p, SMALL));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, SMALL, false));
}

TEST_PATH(munmap_middle)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, munmap(p + 4 * PAGE, 4 * PAGE));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p + 4 * PAGE, 4 * PAGE, false));
	usable(_metadata, self, p, 4 * PAGE);
	usable(_metadata, self, p + 8 * PAGE, SMALL - 8 * PAGE);
}

TEST_PATH(mmap_fixed)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(p, map_at(p, SMALL, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(holds_zeros(p, SMALL));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(brk)
{
	char *top = sbrk(0), *p;

	p = (char *)(((uintptr_t)top + PAGE - 1) & ~(PAGE - 1));
	ASSERT_EQ(0, brk(p + SMALL));
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, brk(p));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, SMALL, false));
	brk(top);
}

/* --- madvise() ------------------------------------------------------------ */

TEST_PATH(madv_dontneed)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_DONTNEED));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p, SMALL));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_free)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_FREE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(agrees(self, p, SMALL));

	/* What is written after it must not be lost, whoever writes. */
	EXPECT_TRUE(mn_fill(self, p, SMALL, BY_DEVICE_AGAIN));
	madvise(p, SMALL, MADV_PAGEOUT);
	check(_metadata, self);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_free_reclaim)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_FREE));
	/* Mapped again, for reading. */
	EXPECT_TRUE(agrees(self, p, SMALL));
	self->before = mn_stats(self);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	told(_metadata, self, CLEAR);
	EXPECT_NE(SMALL / PAGE, count_pages(p, SMALL, PM_PRESENT));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_cold)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_COLD));
	check(_metadata, self);
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_pageout)
{
	char *p = map(SMALL);

	if (!have_swap())
		SKIP(return, "no swap");
	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	told(_metadata, self, CLEAR);
	EXPECT_GT(count_pages(p, SMALL, PM_SWAP), 0);

	/* Swapped in by the secondary MMU, out again, and in by the CPU. */
	EXPECT_TRUE(agrees(self, p, SMALL));
	EXPECT_TRUE(mn_fill(self, p, SMALL, BY_DEVICE_AGAIN));
	ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	check(_metadata, self);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_pageout_shmem)
{
	int fd = memory_file(SMALL);
	char *p = map_flags(SMALL, MAP_SHARED, fd);

	if (!have_swap())
		SKIP(return, "no swap");
	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

struct spinner {
	int cpu;
	bool running, stop;
};

static void *spin(void *data)
{
	struct spinner *spinner = data;

	go_to_cpu(spinner->cpu);
	__atomic_store_n(&spinner->running, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&spinner->stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

/*
 * If another CPU has the address space loaded, the flush of its TLB is put off
 * until many pages are unmapped.  That of the secondary TLBs must not be.  What
 * was young is flushed a second time, as paging out begins by making it old.
 */
TEST_PATH(madv_pageout_two_cpus)
{
	int here = sched_getcpu();
	struct spinner spinner = { .cpu = !here };
	char *p = map(SMALL);
	pthread_t thread;

	if (!have_swap())
		SKIP(return, "no swap");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || here > 1)
		SKIP(return, "it takes CPUs 0 and 1");
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin, &spinner));
	while (!__atomic_load_n(&spinner.running, __ATOMIC_ACQUIRE))
		sched_yield();
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, write_file("/proc/self/clear_refs", "1"));
	ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	told(_metadata, self, CLEAR);
	__atomic_store_n(&spinner.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_remove)
{
	int fd = memory_file(SMALL);
	char *p = map_flags(SMALL, MAP_SHARED, fd);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, madvise(p + PAGE, 2 * PAGE, MADV_REMOVE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p + PAGE, 2 * PAGE));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

TEST_PATH(process_madvise)
{
	char *p = map(SMALL);
	struct iovec iov = { p, SMALL };
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	ssize_t n;

	if (!have_swap())
		SKIP(return, "no swap");
	ASSERT_NE(NULL, p);
	ASSERT_LE(0, pidfd);
	mirror(_metadata, self, p, SMALL);
	n = syscall(SYS_process_madvise, pidfd, &iov, 1, MADV_PAGEOUT, 0);
	ASSERT_EQ(SMALL, n);
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
	close(pidfd);
}

/* --- fork ----------------------------------------------------------------- */

/* A child that shares the pages until it is told to go. */
static pid_t sharing_child(int *go)
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

TEST_PATH(fork)
{
	char *p = map(SMALL);
	pid_t pid;
	int go;

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	pid = sharing_child(&go);
	ASSERT_LT(0, pid);
	told(_metadata, self, PROTECTION_PAGE);
	usable(_metadata, self, p, SMALL);
	close(go);
	EXPECT_TRUE(child_ok(pid));
}

TEST_PATH(fork_parent_writes)
{
	char *p = map(SMALL);
	pid_t pid;
	int go;

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	pid = sharing_child(&go);
	ASSERT_LT(0, pid);
	/* Mapped for reading; the parent then gets pages of its own. */
	mirror_read(_metadata, self, p, SMALL);
	fill(p, SMALL, BY_CPU_AGAIN);
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, SMALL);
	close(go);
	EXPECT_TRUE(child_ok(pid));
}

TEST_PATH(fork_child_writes)
{
	char *p = map(SMALL);
	pid_t pid;

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	IN_CHILD(pid) {
		fill(p, SMALL, BY_CHILD);
		if (!holds(p, SMALL, BY_CHILD))
			_exit(1);
	}
	EXPECT_TRUE(mn_fill(self, p, SMALL, BY_DEVICE_AGAIN));
	EXPECT_TRUE(child_ok(pid));
	told(_metadata, self, PROTECTION_PAGE);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, SMALL);
}

/* The secondary MMU's write breaks the sharing, the child must not see it. */
TEST_PATH(fork_device_writes)
{
	char *p = map(SMALL), c = 0;
	int fds[2];
	pid_t pid;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pipe(fds));
	mirror(_metadata, self, p, SMALL);
	IN_CHILD(pid) {
		if (read(fds[0], &c, 1) != 1 || !holds(p, SMALL, BY_DEVICE))
			_exit(1);
	}
	mirror_read(_metadata, self, p, SMALL);
	EXPECT_TRUE(mn_fill(self, p, SMALL, BY_DEVICE_AGAIN));
	told(_metadata, self, CLEAR);
	ASSERT_EQ(1, write(fds[1], &c, 1));
	EXPECT_TRUE(child_ok(pid));
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, SMALL);
}

/* --- mremap() ------------------------------------------------------------- */

TEST_PATH(mremap_move)
{
	char *p = map(SMALL), *to = reserve(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(to, mremap(p, SMALL, SMALL, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, SMALL, false));
	EXPECT_TRUE(holds(to, SMALL, BY_DEVICE));
	usable(_metadata, self, to, SMALL);
}

TEST_PATH(mremap_over_mapping)
{
	char *p = map(SMALL), *to = map(SMALL);

	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, to);
	mirror(_metadata, self, p, SMALL);
	mirror(_metadata, self, to, SMALL);
	fill(p, SMALL, BY_CPU_AGAIN);
	ASSERT_EQ(to, mremap(p, SMALL, SMALL, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, SMALL, false));
	EXPECT_TRUE(holds(to, SMALL, BY_CPU_AGAIN));
	usable(_metadata, self, to, SMALL);
}

TEST_PATH(mremap_grow)
{
	char *p = map(SMALL + PAGE), *to;

	ASSERT_NE(NULL, p);
	/* There is something behind it, so it must move. */
	ASSERT_EQ(p + SMALL, mmap(p + SMALL, PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				  -1, 0));
	mirror(_metadata, self, p, SMALL);
	to = mremap(p, SMALL, 2 * SMALL, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, to);
	ASSERT_NE(p, to);
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, SMALL, false));
	EXPECT_TRUE(holds(to, SMALL, BY_DEVICE));
	usable(_metadata, self, to, 2 * SMALL);
}

TEST_PATH(mremap_shrink)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(p, mremap(p, SMALL, SMALL / 2, 0));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p + SMALL / 2, SMALL / 2, false));
	usable(_metadata, self, p, SMALL / 2);
}

TEST_PATH(mremap_dontunmap)
{
	char *p = map(SMALL), *to;

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	to = mremap(p, SMALL, SMALL, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ASSERT_NE(MAP_FAILED, to);
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(holds(to, SMALL, BY_DEVICE));
	EXPECT_TRUE(holds_zeros(p, SMALL));
	usable(_metadata, self, to, SMALL);
	usable(_metadata, self, p, SMALL);
}

/* --- copy on write, truncation -------------------------------------------- */

TEST_PATH(cow_zero_page)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	ASSERT_TRUE(holds_zeros(p, SMALL));
	mirror_read(_metadata, self, p, SMALL);
	fill(p, SMALL, BY_CPU_AGAIN);
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(cow_private_file)
{
	int fd = memory_file(SMALL);
	char *file = map_flags(SMALL, MAP_SHARED, fd);
	char *p = map_flags(SMALL, MAP_PRIVATE, fd);

	ASSERT_NE(NULL, file);
	ASSERT_NE(NULL, p);
	fill(file, SMALL, BY_CPU);
	mirror_read(_metadata, self, p, SMALL);
	fill(p, SMALL, BY_CPU_AGAIN);
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, SMALL);
	EXPECT_TRUE(holds(file, SMALL, BY_CPU));
	close(fd);
}

TEST_PATH(ftruncate)
{
	int fd = memory_file(SMALL);
	char *p = map_flags(SMALL, MAP_SHARED, fd);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, ftruncate(fd, SMALL / 2));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(faults(self, p + SMALL / 2, SMALL / 2, false));
	ASSERT_EQ(0, ftruncate(fd, SMALL));
	EXPECT_TRUE(holds_zeros(p + SMALL / 2, SMALL / 2));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

TEST_PATH(fallocate_hole)
{
	int fd = memory_file(SMALL);
	char *p = map_flags(SMALL, MAP_SHARED, fd);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       PAGE, PAGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p + PAGE, PAGE));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

/* Writeback takes write access away, so that the next write dirties the page. */
TEST_PATH(writeback)
{
	int fd = open("/dev/ram0", O_RDWR);
	char *p = fd < 0 ? NULL : map_flags(SMALL, MAP_SHARED, fd);

	if (!p)
		SKIP(return, "no /dev/ram0 (CONFIG_BLK_DEV_RAM)");
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, msync(p, SMALL, MS_SYNC));
	told(_metadata, self, PROTECTION_PAGE);
	usable(_metadata, self, p, SMALL);
	close(fd);
}

/* Returns how many page table entries there were to change, or an error. */
static long clean(struct mn *self, const char *addr, size_t len,
		  bool write_protect)
{
	struct test_mn_clean arg = {
		.addr = (uintptr_t)addr,
		.len = len,
		.write_protect = write_protect,
	};

	return ioctl(self->fd, TEST_MN_CLEAN, &arg) ? -errno : arg.changed;
}

/* Cleans memory that is all dirty, and again when half of it is. */
static void test_clean(struct __test_metadata *_metadata, struct mn *self,
		       bool write_protect)
{
	int fd = memory_file(SMALL);
	char *p = map_flags(SMALL, MAP_SHARED, fd);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	EXPECT_EQ(SMALL / PAGE, clean(self, p, SMALL, write_protect));
	told(_metadata, self, PROTECTION_PAGE);
	EXPECT_TRUE(agrees(self, p, SMALL));
	EXPECT_EQ(0, clean(self, p, SMALL, write_protect));
	/* The point of protecting it: what the device writes is seen. */
	if (!write_protect)
		fill(p, SMALL / 2, BY_CPU_AGAIN);
	else
		EXPECT_TRUE(mn_fill(self, p, SMALL / 2, BY_DEVICE_AGAIN));
	EXPECT_EQ(SMALL / 2 / PAGE, clean(self, p, SMALL, write_protect));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

TEST_PATH(wp_shared)
{
	test_clean(_metadata, self, true);
}

TEST_PATH(clean_shared)
{
	test_clean(_metadata, self, false);
}

/* --- huge pages ----------------------------------------------------------- */

#define NO_THP	"no transparent huge page"

TEST_PATH(thp_munmap)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, munmap(p, HUGE));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, false));
}

/* The rest of the huge page must be as it was. */
TEST_PATH(thp_split_munmap)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, munmap(p + HUGE / 2, PAGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(faults(self, p + HUGE / 2, PAGE, false));
	usable(_metadata, self, p, HUGE / 2);
}

TEST_PATH(thp_split_mprotect)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, mprotect(p, HUGE / 2, PROT_READ));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, true));
	EXPECT_TRUE(agrees(self, p, HUGE));
	usable(_metadata, self, p + HUGE / 2, HUGE / 2);
}

TEST_PATH(thp_mprotect)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, mprotect(p, HUGE, PROT_READ));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, true));
	EXPECT_TRUE(agrees(self, p, HUGE));
}

TEST_PATH(thp_dontneed)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, madvise(p, HUGE, MADV_DONTNEED));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p, HUGE));
	usable(_metadata, self, p, HUGE);
}

TEST_PATH(thp_free)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, madvise(p, HUGE, MADV_FREE));
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, HUGE);
}

TEST_PATH(thp_split_debugfs)
{
	char command[80], *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	snprintf(command, sizeof(command), "%d,%p,%p,0", getpid(), p, p + HUGE);
	if (write_file("/sys/kernel/debug/split_huge_pages", command))
		SKIP(return, "no split_huge_pages in debugfs");
	ASSERT_FALSE(check_huge_anon(p, 1, HUGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, HUGE, BY_DEVICE));
	usable(_metadata, self, p, HUGE);
}

TEST_PATH(thp_pageout)
{
	char *p;

	if (!have_swap())
		SKIP(return, "no swap");
	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, madvise(p, HUGE, MADV_PAGEOUT));
	told(_metadata, self, CLEAR);
	EXPECT_GT(count_pages(p, HUGE, PM_SWAP), 0);
	EXPECT_TRUE(holds(p, HUGE, BY_DEVICE));
	usable(_metadata, self, p, HUGE);
}

TEST_PATH(thp_mremap)
{
	char *to = reserve(HUGE), *p;

	/* Not where the huge page would come to lie. */
	ASSERT_EQ(to, map_at(to, HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(to, mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(check_huge_anon(to, 1, HUGE));
	EXPECT_TRUE(faults(self, p, 4 * PAGE, false));
	EXPECT_TRUE(holds(to, HUGE, BY_DEVICE));
	usable(_metadata, self, to, HUGE);
}

TEST_PATH(thp_fork)
{
	pid_t pid;
	char *p;
	int go;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	mirror(_metadata, self, p, HUGE);
	pid = sharing_child(&go);
	ASSERT_LT(0, pid);
	told(_metadata, self, PROTECTION_PAGE);
	mirror_read(_metadata, self, p, HUGE);
	/* A shared huge page is split before it is copied. */
	p[0]++;
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, HUGE);
	close(go);
	EXPECT_TRUE(child_ok(pid));
}

TEST_PATH(thp_zero_page)
{
	char *p = map_at(reserve(HUGE), HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, madvise(p, HUGE, MADV_HUGEPAGE));
	ASSERT_TRUE(holds_zeros(p, HUGE));
	mirror_read(_metadata, self, p, HUGE);
	p[PAGE] = 1;
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, HUGE);
}

TEST_PATH(thp_collapse)
{
	char *p = map_at(reserve(HUGE), HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, HUGE);
	ASSERT_FALSE(check_huge_anon(p, 1, HUGE));
	if (madvise(p, HUGE, MADV_COLLAPSE))
		SKIP(return, "MADV_COLLAPSE: %s", strerror(errno));
	ASSERT_TRUE(check_huge_anon(p, 1, HUGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, HUGE, BY_DEVICE));
	usable(_metadata, self, p, HUGE);
}

/*
 * Collapsing a file takes the page tables from all who map it, empty as they
 * are: a secondary MMU that walks them has to hear of it.
 */
TEST_PATH(thp_collapse_shmem)
{
	int fd = memory_file(HUGE);
	char *p = map_at(reserve(HUGE), HUGE, MAP_SHARED, fd);
	char *q = map_at(reserve(HUGE), HUGE, MAP_SHARED, fd);
	struct test_mn_stats before;

	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, q);
	mirror(_metadata, self, p, HUGE);
	ASSERT_TRUE(agrees(self, q, HUGE));
	before = mn_stats(self);
	self->before = before;
	if (madvise(p, HUGE, MADV_COLLAPSE))
		SKIP(return, "MADV_COLLAPSE: %s", strerror(errno));
	told(_metadata, self, CLEAR);
	if (self->class != TEST_MN_SVA)
		EXPECT_LE(before.wide + 2, mn_stats(self).wide);
	EXPECT_TRUE(holds(p, HUGE, BY_DEVICE));
	EXPECT_TRUE(agrees(self, q, HUGE));
	usable(_metadata, self, p, HUGE);
	close(fd);
}

/* A huge page of a file that is mapped page by page, then as a whole. */
TEST_PATH(thp_collapse_mapped)
{
	int fd = memory_file(HUGE);
	char *whole = map_at(reserve(HUGE), HUGE, MAP_SHARED, fd);
	char *p = reserve(HUGE);

	ASSERT_NE(NULL, whole);
	fill(whole, HUGE, BY_CPU);
	if (madvise(whole, HUGE, MADV_COLLAPSE))
		SKIP(return, "MADV_COLLAPSE: %s", strerror(errno));

	/* Too small for a huge page, and then no more. */
	ASSERT_EQ(p, map_at(p, HUGE / 2, MAP_SHARED, fd));
	mirror(_metadata, self, p, HUGE / 2);
	ASSERT_EQ(p + HUGE / 2, mmap(p + HUGE / 2, HUGE / 2,
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_FIXED, fd, HUGE / 2));
	ASSERT_TRUE(agrees(self, p, HUGE / 2));
	self->before = mn_stats(self);
	ASSERT_EQ(0, madvise(p, HUGE, MADV_COLLAPSE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, HUGE / 2, BY_DEVICE));
	usable(_metadata, self, p, HUGE);
	close(fd);
}

/* --- KSM ------------------------------------------------------------------ */

#define KSM	"/sys/kernel/mm/ksm/"

struct reader {
	struct mn *self;
	char *addr;
	size_t len;
	bool stop;
	unsigned long failed;
};

static void *read_on(void *data)
{
	struct reader *reader = data;
	size_t offset = 0;

	run_anywhere();
	while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
		if (mn_touch(reader->self, reader->addr + offset))
			reader->failed++;
		offset = (offset + PAGE) % reader->len;
	}
	return NULL;
}

/* Pages are shared, and unshared by a write, while the device reads them. */
TEST_PATH(ksm)
{
	size_t len = 8 * SMALL;
	char *p = map(2 * len);
	struct reader reader = { .self = self, .addr = p, .len = 2 * len };
	unsigned long scans;
	pthread_t thread;

	if (write_file(KSM "run", "2"))
		SKIP(return, "no KSM");
	ASSERT_NE(NULL, p);
	write_file(KSM "sleep_millisecs", "0");
	write_file(KSM "pages_to_scan", "1000");
	mirror(_metadata, self, p, len);
	mirror(_metadata, self, p + len, len);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_on, &reader));
	ASSERT_EQ(0, madvise(p, 2 * len, MADV_MERGEABLE));
	scans = read_number(KSM "full_scans");
	ASSERT_EQ(0, write_file(KSM "run", "1"));
	while (read_number(KSM "full_scans") < scans + 8 &&
	       read_number(KSM "pages_sharing") < len / PAGE)
		usleep(1000);
	EXPECT_LT(0, read_number(KSM "pages_sharing"));
	write_file(KSM "run", "0");
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, reader.failed);

	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, len, BY_DEVICE));
	EXPECT_TRUE(holds(p + len, len, BY_DEVICE));
	mirror_read(_metadata, self, p, 2 * len);
	fill(p, len, BY_CPU_AGAIN);
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p + len, len, BY_DEVICE));
	usable(_metadata, self, p, 2 * len);
	write_file(KSM "run", "2");
}

/* --- hugetlb -------------------------------------------------------------- */

#define NO_HUGETLB	"no hugetlb page in the pool"

TEST_PATH(hugetlb_munmap)
{
	char *p;

	p = map_hugetlb(2 * HUGE, MAP_PRIVATE);
	if (!p)
		SKIP(return, NO_HUGETLB);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, munmap(p, 2 * HUGE));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, false));
}

TEST_PATH(hugetlb_dontneed)
{
	char *p;

	p = map_hugetlb(2 * HUGE, MAP_PRIVATE);
	if (!p)
		SKIP(return, NO_HUGETLB);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, madvise(p, HUGE, MADV_DONTNEED));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p, HUGE));
	usable(_metadata, self, p, HUGE);
}

TEST_PATH(hugetlb_mprotect)
{
	char *p;

	p = map_hugetlb(2 * HUGE, MAP_PRIVATE);
	if (!p)
		SKIP(return, NO_HUGETLB);
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, mprotect(p, HUGE, PROT_READ));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, true));
	EXPECT_TRUE(agrees(self, p, HUGE));
	ASSERT_EQ(0, mprotect(p, HUGE, PROT_READ | PROT_WRITE));
	usable(_metadata, self, p, HUGE);
}

TEST_PATH(hugetlb_fork)
{
	pid_t pid;
	char *p;
	int go;

	p = map_hugetlb(2 * HUGE, MAP_PRIVATE);
	if (!p)
		SKIP(return, NO_HUGETLB);
	mirror(_metadata, self, p, HUGE);
	pid = sharing_child(&go);
	ASSERT_LT(0, pid);
	told(_metadata, self, CLEAR);
	/* The parent writes, and gets a page of its own. */
	mirror_read(_metadata, self, p, HUGE);
	fill(p, HUGE, BY_CPU_AGAIN);
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, HUGE);
	close(go);
	EXPECT_TRUE(child_ok(pid));
}

TEST_PATH(hugetlb_mremap)
{
	char *to = reserve(2 * HUGE), *p;

	/* So that the mapping to be moved is not there already. */
	ASSERT_EQ(to, map_at(to, 2 * HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	p = map_hugetlb(2 * HUGE, MAP_PRIVATE);
	if (!p)
		SKIP(return, NO_HUGETLB);
	mirror(_metadata, self, p, HUGE);
	if (mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) !=
	    to)
		SKIP(return, "mremap: %s", strerror(errno));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, false));
	EXPECT_TRUE(holds(to, HUGE, BY_DEVICE));
	usable(_metadata, self, to, HUGE);
}

static int hugetlb_file(size_t len)
{
	int fd = memfd_create("mmu_notifier_test", MFD_HUGETLB);

	if (fd >= 0 && ftruncate(fd, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

TEST_PATH(hugetlb_truncate)
{
	int fd = hugetlb_file(2 * HUGE);
	char *p = fd < 0 ? NULL : map_flags(2 * HUGE, MAP_SHARED, fd);

	if (!p)
		SKIP(return, NO_HUGETLB);
	mirror(_metadata, self, p, 2 * HUGE);
	ASSERT_EQ(0, ftruncate(fd, HUGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(faults(self, p + HUGE, 4 * PAGE, false));
	usable(_metadata, self, p, HUGE);
	close(fd);
}

#define GIGA	(1024UL << 20)

/*
 * Two large mappings of a file share a page table until one of them is split:
 * it is then left without any.
 */
TEST_PATH(hugetlb_unshare)
{
	int fd = hugetlb_file(GIGA), flags = MAP_SHARED | MAP_NORESERVE;
	char *area = reserve(4 * GIGA), *p, *q;

	ASSERT_NE(NULL, area);
	p = (char *)(((uintptr_t)area + GIGA - 1) & ~(GIGA - 1));
	q = p + 2 * GIGA;
	if (fd < 0 || !map_at(p, GIGA, flags, fd) || !map_at(q, GIGA, flags, fd))
		SKIP(return, "no hugetlb mapping of 1 GiB: %s", strerror(errno));
	mirror(_metadata, self, p, HUGE);
	ASSERT_TRUE(agrees(self, q, HUGE));
	self->before = mn_stats(self);
	ASSERT_EQ(0, munmap(q + GIGA / 2, GIGA / 2));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(agrees(self, q, HUGE));
	usable(_metadata, self, p, HUGE);
	close(fd);
}

/* --- migration ------------------------------------------------------------ */

TEST_PATH(soft_offline)
{
	char *p = map(SMALL), pfn[32];

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	snprintf(pfn, sizeof(pfn), "%#llx", PAGEMAP_PFN(pagemap_entry(p)));
	if (madvise(p, PAGE, MADV_SOFT_OFFLINE))
		SKIP(return, "MADV_SOFT_OFFLINE: %s", strerror(errno));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
	/* Gives the page back, if the kernel can (CONFIG_HWPOISON_INJECT). */
	write_file("/sys/kernel/debug/hwpoison/unpoison-pfn", pfn);
}

#define MEMORY	"/sys/devices/system/memory/"

static int memory_block_file(unsigned long block, const char *name, int flags)
{
	char path[80];

	snprintf(path, sizeof(path), MEMORY "memory%lu/%s", block, name);
	return open(path, flags);
}

/* Only such a block is sure to have nothing that can't be moved. */
static bool is_movable(unsigned long block)
{
	int fd = memory_block_file(block, "valid_zones", O_RDONLY);
	char zones[64] = "";

	if (fd >= 0 && read(fd, zones, sizeof(zones) - 1) < 0)
		zones[0] = 0;
	close(fd);
	return !strcmp(zones, "Movable\n");
}

static int set_memory_block(unsigned long block, const char *state)
{
	int fd = memory_block_file(block, "state", O_WRONLY), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, state, strlen(state)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static unsigned long memory_block_of(const char *addr)
{
	char text[32] = "";
	int fd = open(MEMORY "block_size_bytes", O_RDONLY);
	unsigned long size = 0;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		size = strtoul(text, NULL, 16);
	close(fd);
	return size ? PAGEMAP_PFN(pagemap_entry(addr)) * PAGE / size : 0;
}

/* Memory in such a block, on whichever node that is. */
static char *map_movable(size_t len)
{
	unsigned long nodes = memory_nodes() ?: 1, block;
	char *p;

	for (; nodes; nodes &= nodes - 1) {
		p = map(len);
		if (!p)
			return NULL;
		set_policy(p, len, MPOL_PREFERRED, nodes & -nodes, 0);
		fill(p, len, BY_CPU);
		block = memory_block_of(p);
		if (block && is_movable(block))
			return p;
		munmap(p, len);
	}
	return NULL;
}

/* The block goes, with all the memory in it. */
TEST_PATH(hot_unplug)
{
	unsigned long pfn, block;
	int tries, ret = -1;
	char *p;

	p = map_movable(SMALL);
	if (!p)
		SKIP(return, "no memory in a block of ZONE_MOVABLE");
	mirror(_metadata, self, p, SMALL);
	pfn = PAGEMAP_PFN(pagemap_entry(p));
	block = memory_block_of(p);
	for (tries = 0; ret && tries < 8; tries++)
		ret = set_memory_block(block, "offline");
	if (ret)
		SKIP(return, "memory%lu: %s", block, strerror(-ret));
	EXPECT_NE(0, PAGEMAP_PFN(pagemap_entry(p)));
	EXPECT_NE(pfn, PAGEMAP_PFN(pagemap_entry(p)));
	EXPECT_NE(block, memory_block_of(p));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
	EXPECT_EQ(0, set_memory_block(block, "online_movable"));
	usable(_metadata, self, p, SMALL);
}

/* --- NUMA nodes ----------------------------------------------------------- */

#define NO_NODE	"no second node with memory"

/* A node that has memory, but not this CPU; -1 if there is none. */
static int far_node(void)
{
	unsigned long nodes = memory_nodes() & ~(1UL << this_node());

	return nodes ? __builtin_ctzl(nodes) : -1;
}

/*
 * Asks for the node of each page, or moves the pages to @node first.  A huge one
 * moves as a whole.
 */
static bool pages_on(char *addr, size_t len, int node, bool move)
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

static void test_move(struct __test_metadata *_metadata, struct mn *self,
		      char *p, size_t len)
{
	int node = far_node();

	if (node < 0)
		SKIP(return, NO_NODE);
	mirror(_metadata, self, p, len);
	ASSERT_TRUE(pages_on(p, len, node, true));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, len, BY_DEVICE));
	usable(_metadata, self, p, len);
	EXPECT_TRUE(pages_on(p, len, node, false));
}

TEST_PATH(move_pages)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	test_move(_metadata, self, p, SMALL);
}

TEST_PATH(move_pages_huge)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	test_move(_metadata, self, p, HUGE);
}

TEST_PATH(move_pages_hugetlb)
{
	char *p;

	p = map_hugetlb(HUGE, MAP_PRIVATE);
	if (!p)
		SKIP(return, NO_HUGETLB);
	test_move(_metadata, self, p, HUGE);
}

TEST_PATH(migrate_pages)
{
	unsigned long from = 1UL << this_node(), to;
	char *p = map(SMALL);
	int node = far_node();

	if (node < 0)
		SKIP(return, NO_NODE);
	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_TRUE(pages_on(p, SMALL, this_node(), false));
	to = 1UL << node;
	ASSERT_LE(0, syscall(SYS_migrate_pages, 0, MAX_NODES, &from, &to));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(pages_on(p, SMALL, node, false));
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(mbind)
{
	char *p = map(SMALL);
	int node = far_node();

	if (node < 0)
		SKIP(return, NO_NODE);
	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, set_policy(p, SMALL, MPOL_BIND, 1UL << node,
				MPOL_MF_MOVE | MPOL_MF_STRICT));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(pages_on(p, SMALL, node, false));
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
}

#define BALANCING	"/proc/sys/kernel/numa_balancing"

/* Which takes a second; all limits here are of CPU time, as the kernel's are. */
#define BALANCING_LIMIT	(60 * CLOCKS_PER_SEC)

/* An event counter of the whole machine. */
static unsigned long vm_event(const char *name)
{
	FILE *f = fopen("/proc/vmstat", "r");
	unsigned long n, found = 0;
	char what[64];

	while (f && fscanf(f, "%63s %lu", what, &n) == 2)
		if (!strcmp(what, name))
			found = n;
	if (f)
		fclose(f);
	return found;
}

/*
 * Lets the kernel take access away from memory to see who uses it, until it has
 * done so to @n pages.  Those of others don't count: it leaves alone what is on
 * the node of a process with one thread.
 */
static bool scan_for_balancing(unsigned long n)
{
	unsigned long before = vm_event("numa_pte_updates"), pages = 0;
	clock_t begin = clock();

	write_file(BALANCING, "1");
	while (pages < n && clock() < begin + BALANCING_LIMIT)
		pages = vm_event("numa_pte_updates") - before;
	write_file(BALANCING, "0");
	return pages >= n;
}

/* Memory that is far from the CPU is unmapped to find out, and then moved. */
static void test_balancing(struct __test_metadata *_metadata, struct mn *self,
			   char *p, size_t len)
{
	int node = far_node();
	char was[16];

	if (node < 0)
		SKIP(return, NO_NODE);
	if (access(BALANCING, W_OK))
		SKIP(return, "no NUMA balancing");
	read_file(BALANCING, was, sizeof(was));
	ASSERT_TRUE(pages_on(p, len, node, true));
	mirror(_metadata, self, p, len);
	ASSERT_TRUE(scan_for_balancing(len / PAGE));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(holds(p, len, BY_DEVICE));
	usable(_metadata, self, p, len);
	write_file(BALANCING, was);
}

TEST_PATH(numa_balancing)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	fill(p, SMALL, BY_CPU);
	test_balancing(_metadata, self, p, SMALL);
}

TEST_PATH(numa_balancing_huge)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	test_balancing(_metadata, self, p, HUGE);
}

/* --- migration to devices ------------------------------------------------- */

static int hmm_open(void)
{
	return open("/dev/hmm_dmirror0", O_RDWR);
}

static int hmm(int fd, unsigned long cmd, void *addr, size_t len, void *buffer)
{
	struct hmm_dmirror_cmd arg = {
		.addr = (uintptr_t)addr,
		.ptr = (uintptr_t)buffer,
		.npages = len / PAGE,
	};

	return ioctl(fd, cmd, &arg) ? -errno : 0;
}

TEST_PATH(device_private)
{
	char *p = map(SMALL), *copy = map(SMALL);
	int fd = hmm_open();

	if (fd < 0)
		SKIP(return, "no /dev/hmm_dmirror0 (CONFIG_TEST_HMM)");
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, copy);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, hmm(fd, HMM_DMIRROR_MIGRATE_TO_DEV, p, SMALL, copy));
	told(_metadata, self, MIGRATE);
	/* Either side brings it back. */
	EXPECT_TRUE(agrees(self, p, SMALL));
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

/* What is not there yet is made on the device: two ranges, one to look. */
TEST_PATH(device_private_hole)
{
	char *p = map(SMALL), *copy = map(SMALL);
	int fd = hmm_open();

	if (fd < 0)
		SKIP(return, "no /dev/hmm_dmirror0 (CONFIG_TEST_HMM)");
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, copy);
	ASSERT_TRUE(holds_zeros(p, SMALL));
	mirror_read(_metadata, self, p, SMALL);
	ASSERT_EQ(0, hmm(fd, HMM_DMIRROR_MIGRATE_TO_DEV, p, SMALL, copy));
	if (self->class != TEST_MN_SVA)
		EXPECT_LE(self->before.invalidations[MIGRATE] + 2,
			  mn_stats(self).invalidations[MIGRATE]);
	told(_metadata, self, MIGRATE);
	EXPECT_TRUE(holds_zeros(p, SMALL));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

TEST_PATH(device_exclusive)
{
	char *p = map(SMALL), *copy = map(SMALL);
	int fd = hmm_open();

	if (fd < 0)
		SKIP(return, "no /dev/hmm_dmirror0 (CONFIG_TEST_HMM)");
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, copy);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, hmm(fd, HMM_DMIRROR_EXCLUSIVE, p, SMALL, copy));
	told(_metadata, self, EXCLUSIVE);
	/* The CPU takes it back, and whoever has it must hear of that. */
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	if (self->class != TEST_MN_SVA)
		EXPECT_LT(self->before.invalidations[EXCLUSIVE],
			  mn_stats(self).invalidations[EXCLUSIVE]);
	usable(_metadata, self, p, SMALL);
	close(fd);
}

/* --- userfaultfd, soft-dirty, uprobes ------------------------------------- */

static int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

#define NO_UFFD	"no userfaultfd with the features that it takes"

static int uffd_protect(int fd, char *addr, size_t len, bool on)
{
	struct uffdio_writeprotect arg = {
		.range = { (uintptr_t)addr, len },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &arg);
}

TEST_PATH(uffd_writeprotect)
{
	char *p = map(SMALL);
	int fd;

	fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (fd < 0)
		SKIP(return, NO_UFFD);
	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, uffd_register(fd, p, SMALL, false, true, false));
	ASSERT_EQ(0, uffd_protect(fd, p, SMALL, true));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(agrees(self, p, SMALL));
	ASSERT_EQ(0, uffd_protect(fd, p, SMALL, false));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

/* A page that is missing comes by copying, and by filling with zeros. */
TEST_PATH(uffd_fill)
{
	struct uffdio_zeropage zero = {};
	struct uffdio_copy copy = {};
	char *p = map(SMALL), *from = map(SMALL);
	int fd;

	fd = uffd_open(0);
	if (fd < 0)
		SKIP(return, NO_UFFD);
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, from);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, uffd_register(fd, p, SMALL, true, false, false));
	ASSERT_EQ(0, madvise(p, SMALL, MADV_DONTNEED));
	told(_metadata, self, CLEAR);
	fill(from, SMALL, BY_CPU_AGAIN);
	copy.dst = (uintptr_t)p;
	copy.src = (uintptr_t)from;
	copy.len = SMALL / 2;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
	zero.range.start = (uintptr_t)p + SMALL / 2;
	zero.range.len = SMALL / 2;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_ZEROPAGE, &zero));
	EXPECT_TRUE(holds(p, SMALL / 2, BY_CPU_AGAIN));
	EXPECT_TRUE(holds_zeros(p + SMALL / 2, SMALL / 2));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

static int uffd_move(int fd, char *to, char *from, size_t len)
{
	struct uffdio_move arg = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = len,
	};

	return ioctl(fd, UFFDIO_MOVE, &arg);
}

TEST_PATH(uffd_move)
{
	char *p = map(SMALL), *to = map(SMALL);
	int fd;

	fd = uffd_open(UFFD_FEATURE_MOVE);
	if (fd < 0)
		SKIP(return, NO_UFFD);
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, to);
	ASSERT_EQ(0, uffd_register(fd, to, SMALL, true, false, false));
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, uffd_move(fd, to, p, SMALL));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(to, SMALL, BY_DEVICE));
	EXPECT_TRUE(holds_zeros(p, SMALL));
	usable(_metadata, self, p, SMALL);
	usable(_metadata, self, to, SMALL);
	close(fd);
}

TEST_PATH(uffd_move_huge)
{
	char *to = map_at(reserve(HUGE), HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *p;
	int fd;

	fd = uffd_open(UFFD_FEATURE_MOVE);
	if (fd < 0)
		SKIP(return, NO_UFFD);
	ASSERT_NE(NULL, to);
	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	ASSERT_EQ(0, madvise(to, HUGE, MADV_HUGEPAGE));
	ASSERT_EQ(0, uffd_register(fd, to, HUGE, true, false, false));
	mirror(_metadata, self, p, HUGE);
	ASSERT_EQ(0, uffd_move(fd, to, p, HUGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(check_huge_anon(to, 1, HUGE));
	EXPECT_TRUE(holds(to, HUGE, BY_DEVICE));
	usable(_metadata, self, to, HUGE);
	close(fd);
}

TEST_PATH(soft_dirty)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	if (!count_pages(p, SMALL, PM_SOFT_DIRTY))
		SKIP(return, "no soft-dirty bit");
	ASSERT_EQ(0, write_file("/proc/self/clear_refs", "4"));
	told(_metadata, self, SOFT_DIRTY);
	EXPECT_EQ(0, count_pages(p, SMALL, PM_SOFT_DIRTY));
	/* The point of it: what the device writes is seen to be dirty. */
	EXPECT_TRUE(mn_fill(self, p, SMALL / 2, BY_DEVICE_AGAIN));
	EXPECT_EQ(SMALL / 2 / PAGE, count_pages(p, SMALL, PM_SOFT_DIRTY));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(pagemap_scan)
{
	struct page_region regions[4];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.vec = (uintptr_t)regions,
		.vec_len = 4,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int fd, pm = open("/proc/self/pagemap", O_RDONLY);
	char *p = map(SMALL);

	fd = uffd_open(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	if (fd < 0)
		SKIP(return, NO_UFFD);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, uffd_register(fd, p, SMALL, false, true, false));
	mirror(_metadata, self, p, SMALL);
	arg.start = (uintptr_t)p;
	arg.end = (uintptr_t)p + SMALL;
	ASSERT_EQ(1, ioctl(pm, PAGEMAP_SCAN, &arg));
	told(_metadata, self, PROTECTION_VMA);
	/* The point of it: what the device writes is found by the next scan. */
	EXPECT_EQ(0, ioctl(pm, PAGEMAP_SCAN, &arg));
	EXPECT_TRUE(mn_fill(self, p, PAGE, BY_DEVICE_AGAIN));
	EXPECT_EQ(1, ioctl(pm, PAGEMAP_SCAN, &arg));
	usable(_metadata, self, p, SMALL);
	close(fd);
	close(pm);
}

#define TRACING	"/sys/kernel/tracing/"
#define CODE	"/dev/shm/mmu_notifier_test.code"

TEST_PATH(uprobe)
{
	int fd = open(CODE, O_RDWR | O_CREAT | O_TRUNC, 0700);
	unsigned char code[PAGE];
	char *p;

	ASSERT_LE(0, fd);
	memset(code, 0x90, PAGE);
	ASSERT_EQ(PAGE, write(fd, code, PAGE));
	p = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	mirror_read(_metadata, self, p, PAGE);
	if (write_file(TRACING "uprobe_events", "p:mn/mn " CODE ":0x10"))
		SKIP(return, "no uprobe_events in tracefs");
	EXPECT_EQ(0, write_file(TRACING "events/mn/mn/enable", "1"));
	EXPECT_NE(0x90, (unsigned char)p[0x10]);
	told(_metadata, self, CLEAR);
	mirror_read(_metadata, self, p, PAGE);
	EXPECT_EQ(0, write_file(TRACING "events/mn/mn/enable", "0"));
	EXPECT_EQ(0x90, (unsigned char)p[0x10]);
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(agrees(self, p, PAGE));
	write_file(TRACING "uprobe_events", "-:mn/mn");
	close(fd);
	unlink(CODE);
}

/* --- the end of the address space ----------------------------------------- */

static void gone(struct __test_metadata *_metadata, int fd)
{
	struct test_mn_check all = { .len = -1ULL };
	struct mn child = { .fd = fd };
	struct test_mn_stats stats = mn_stats(&child);

	EXPECT_LE(1, stats.released);
	EXPECT_EQ(0, stats.entries);
	EXPECT_EQ(0, stats.stale);
	EXPECT_EQ(0, stats.unpaired);
	EXPECT_EQ(-1, ioctl(fd, TEST_MN_CHECK, &all));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_EQ(0, ioctl(fd, TEST_MN_DETACH));
}

TEST_PATH(exit)
{
	int fd = open(DEVICE, O_RDWR);
	char *p = map(SMALL);
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, p);
	IN_CHILD(pid)
		if (!child_attaches(self, fd, p, SMALL))
			_exit(1);
	ASSERT_TRUE(child_ok(pid));
	gone(_metadata, fd);
	close(fd);
}

TEST_PATH(exec)
{
	int fd = open(DEVICE, O_RDWR);
	char *p = map(SMALL);
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, p);
	IN_CHILD(pid) {
		if (!child_attaches(self, fd, p, SMALL))
			_exit(1);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	ASSERT_TRUE(child_ok(pid));
	gone(_metadata, fd);
	close(fd);
}

TEST_PATH(detach)
{
	char *p = map(SMALL);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, ioctl(self->fd, TEST_MN_DETACH));
	ASSERT_EQ(0, mprotect(p, SMALL, PROT_READ));
	ASSERT_EQ(0, attach(self->fd, self->class, self->kind));
	EXPECT_EQ(0, mn_stats(self).entries);
	EXPECT_TRUE(agrees(self, p, SMALL));
	EXPECT_TRUE(faults(self, p, SMALL, true));
	ASSERT_EQ(0, mprotect(p, SMALL, PROT_READ | PROT_WRITE));
	usable(_metadata, self, p, SMALL);
}

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

/*
 * What the OOM reaper does, which process_mrelease() does as well.  The child
 * must not get to its exit before: it shares a CPU with us, and we don't yield.
 */
TEST_PATH(oom_reap)
{
	struct sched_param fifo = { .sched_priority = 1 }, normal = {};
	struct test_mn_check all = { .len = -1ULL };
	int fd = open(DEVICE, O_RDWR), pidfd, ret;
	struct mn child = { .fd = fd };
	struct test_mn_stats before, now;
	char *p = map(SMALL);
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, p);
	pid = attached_child(self, fd, p, SMALL);
	ASSERT_LT(0, pid);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	before = mn_stats(&child);
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &fifo));
	kill(pid, SIGKILL);
	ret = syscall(SYS_process_mrelease, pidfd, 0) ? -errno : 0;
	if (!ret || ret == -EAGAIN)
		ioctl(fd, TEST_MN_CHECK, &all);
	now = mn_stats(&child);
	sched_setscheduler(0, SCHED_OTHER, &normal);

	EXPECT_EQ(0, all.stale);
	EXPECT_EQ(0, now.stale);
	if (self->class == TEST_MN_REMOTE) {
		/* It would have to sleep, so the memory stays. */
		EXPECT_EQ(-EAGAIN, ret);
		EXPECT_LT(before.refused, now.refused);
	} else {
		EXPECT_EQ(0, ret);
		if (self->class != TEST_MN_SVA)
			EXPECT_LT(before.invalidations[UNMAP],
				  now.invalidations[UNMAP]);
	}
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	gone(_metadata, fd);
	close(pidfd);
	close(fd);
}

/* --- the OOM killer ------------------------------------------------------- */

#define VICTIM		"expected_oom"	/* the harness knows the name */
#define VICTIM_MEMORY	(64UL << 20)
#define VICTIM_LIMIT	"8M"
#define VICTIM_SAFE	(6UL << 20)	/* that much it surely gets */
#define BRAKE_LEN	(1024 * PAGE)

/* How often a hook had something to say; 0 if nobody counts. */
static unsigned long hook_hits(const char *name)
{
	FILE *f = fopen("/sys/kernel/debug/mmu_notifier/hooks", "r");
	unsigned long hits = 0, n;
	char line[256], what[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) &&
		    sscanf(line, "%127s %lu", what, &n) == 2)
			hits += n;
	if (f)
		fclose(f);
	return hits;
}

/*
 * One mapping for each page, so that there are as many ranges when all of them
 * are emptied: with a delay in each it goes on for long, and can't be killed.
 * It holds mmap_lock for reading, as the OOM reaper does.
 */
struct brake {
	char *addr;
	bool on;
};

static void *brake(void *data)
{
	struct brake *brake = data;

	while (!__atomic_load_n(&brake->on, __ATOMIC_ACQUIRE))
		sched_yield();
	madvise(brake->addr, BRAKE_LEN, MADV_DONTNEED);
	return NULL;
}

static char *map_brake(void)
{
	char *p = map(BRAKE_LEN);
	size_t offset;

	for (offset = 0; p && offset < BRAKE_LEN; offset += 2 * PAGE)
		if (mprotect(p + offset, PAGE, PROT_READ))
			return NULL;
	return p;
}

/*
 * The process that runs out of memory.  Its address space lives on after it was
 * killed, until @brake_fd is told to have no more delays: else it would be the
 * exit that unmaps the memory, and not the OOM reaper.
 */
static void be_killed(struct mn *self, int fd, int brake_fd, char *p,
		      size_t len, int ready)
{
	struct brake slow = { .addr = map_brake() };
	struct mn brakes = { .fd = brake_fd };
	char *memory = map(VICTIM_MEMORY);
	pthread_t thread;
	size_t offset;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, VICTIM);
	/* A new thread maps its stack, which a small TLB does not survive. */
	if (!memory || !slow.addr || !enter_cgroup() ||
	    write_file(OURS "memory.swap.max", "0") ||
	    write_file(OURS "memory.max", VICTIM_LIMIT) ||
	    pthread_create(&thread, NULL, brake, &slow) ||
	    attach(brake_fd, TEST_MN_PAGE_TABLE, TEST_MN_HLIST) ||
	    !child_attaches(self, fd, p, len) || write(ready, "", 1) != 1)
		return;
	/* The brake doesn't last for ever: the nearer to the end the better. */
	for (offset = 0; offset < VICTIM_SAFE; offset += PAGE)
		memory[offset] = 1;
	mn_delay(&brakes, TEST_MN_START, 10000);
	__atomic_store_n(&slow.on, true, __ATOMIC_RELEASE);
	while (!mn_stats(&brakes).invalidations[CLEAR])
		sched_yield();
	for (; offset < VICTIM_MEMORY; offset += PAGE)
		memory[offset] = 1;
}

/* Has the OOM reaper taken the memory, or, if that would have to wait, tried? */
static bool oom_reaped(struct mn *self, struct mn *victim, struct mn *brakes)
{
	struct test_mn_stats now = mn_stats(victim);

	switch (self->class) {
	case TEST_MN_REMOTE:
		return now.refused > victim->before.refused;
	case TEST_MN_SVA:
		/* Of ranges only the other one hears. */
		return mn_stats(brakes).invalidations[UNMAP] && !now.entries;
	default:
		return now.dropped[UNMAP] > victim->before.dropped[UNMAP];
	}
}

/* Translations of memory that is gone; of one that flushes late, none yet. */
static uint64_t count_stale(struct mn *self, struct mn *victim)
{
	struct test_mn_check all = { .len = -1ULL };

	if (self->class != TEST_MN_SVA)
		ioctl(victim->fd, TEST_MN_CHECK, &all);
	return all.stale;
}

/*
 * The kernel kills a process that is out of memory, and takes its memory before
 * it has exited.
 */
TEST_PATH(oom_kill)
{
	struct sched_param fifo = { .sched_priority = 1 };
	struct mn victim = { .fd = open(DEVICE, O_RDWR) };
	struct mn brakes = { .fd = open(DEVICE, O_RDWR) };
	unsigned long hits = hook_hits("__oom_reap_task_mm:");
	bool debugged = !access("/sys/kernel/debug/mmu_notifier", F_OK);
	char *p = map(SMALL), c;
	uint64_t stale = 0;
	int fds[2], status;
	pid_t pid;

	if (access(CGROUP "cgroup.controllers", F_OK))
		SKIP(return, "no memory cgroups");
	ASSERT_LE(0, victim.fd);
	ASSERT_LE(0, brakes.fd);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pipe(fds));
	IN_CHILD(pid)
		be_killed(self, victim.fd, brakes.fd, p, SMALL, fds[1]);
	ASSERT_LT(0, pid);
	close(fds[1]);
	ASSERT_EQ(1, read(fds[0], &c, 1));
	victim.before = mn_stats(&victim);
	EXPECT_LT(0, victim.before.entries);

	/* The OOM reaper gives up after a second. */
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &fifo));
	while (!stale && !oom_reaped(self, &victim, &brakes) &&
	       !mn_stats(&victim).released) {
		usleep(1000);
		stale = count_stale(self, &victim);
	}
	EXPECT_EQ(0, mn_stats(&victim).released);
	EXPECT_TRUE(oom_reaped(self, &victim, &brakes));
	EXPECT_EQ(0, stale + count_stale(self, &victim));
	mn_delay(&brakes, TEST_MN_START, 0);

	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	if (debugged)
		EXPECT_LT(hits, hook_hits("__oom_reap_task_mm:"));
	gone(_metadata, victim.fd);
	gone(_metadata, brakes.fd);
	close(victim.fd);
	close(brakes.fd);
	leave_cgroup();
}

/* --- allocations that fail ------------------------------------------------ */

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAIL_SLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"

#define OUT_OF_MEMORY	"expected_fail"	/* the harness knows the name */

#define NO_FAULTS	"no fault injection (CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC)"

/* Every allocation can be made to fail, and without a word. */
static bool allocations_can_fail(void)
{
	return !write_file(FAIL_SLAB "ignore-gfp-wait", "N") &&
	       !write_file(FAIL_SLAB "verbose", "0") &&
	       !write_file(FAIL_PAGES "ignore-gfp-wait", "N") &&
	       !write_file(FAIL_PAGES "ignore-gfp-highmem", "N") &&
	       !write_file(FAIL_PAGES "min-order", "0") &&
	       !write_file(FAIL_PAGES "verbose", "0");
}

/*
 * From here on the @nth allocation of this thread fails; with 0 none does.  The
 * kernel complains if that was for a stack, and tells the thread's name.
 */
static void fail_nth(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	prctl(PR_SET_NAME, nth ? OUT_OF_MEMORY : program_invocation_short_name);
	if (pwrite(fd, text, len, 0) != len)
		perror(FAIL_NTH);
}

/* Ends that.  Has an allocation failed? */
static bool has_failed(int fd)
{
	char text[16] = "";
	bool failed = pread(fd, text, sizeof(text) - 1, 0) > 0 && text[0] == '0';

	fail_nth(fd, 0);
	return failed;
}

/* Each allocation is one more round, and most of a round is to look at memory. */
#define FEW	(4 * PAGE)

/*
 * Something that allocates memory and is to be done either wholly or not at all.
 * Before it, the first pages at @p hold what the device has written.
 */
struct attempt {
	struct mn *self;
	char *p, *to;
	pid_t child;
	int go;
};

struct operation {
	/* To have a huge page there. */
	char *(*map_huge)(size_t len);
	/* If it is not there before, but is to be there afterwards. */
	bool brings_contents;
	bool (*prepare)(struct attempt *a);
	/* Returns 0 or an error. */
	int (*run)(struct attempt *a);
	bool (*done)(struct attempt *a);
};

static bool unchanged(struct attempt *a)
{
	return holds(a->p, FEW, BY_DEVICE) &&
	       agrees(a->self, a->p, FEW) &&
	       mn_fill(a->self, a->p, FEW, BY_DEVICE);
}

/* Returns false if it can't be made. */
static bool attempt(struct __test_metadata *_metadata, struct mn *self,
		    const struct operation *op, int fd, unsigned int nth,
		    bool *failed, int *error)
{
	size_t len = op->map_huge ? HUGE : FEW;
	struct attempt a = { .self = self };

	a.p = op->map_huge ? op->map_huge(len) : map(len);
	a.to = reserve(FEW);
	if (!a.p || !a.to)
		SKIP(return false, "no memory of this kind");
	if (!op->brings_contents)
		mirror(_metadata, self, a.p, FEW);
	if (op->prepare)
		ASSERT_TRUE(op->prepare(&a));

	fail_nth(fd, nth);
	*error = op->run(&a);
	*failed = has_failed(fd);

	check(_metadata, self);
	if (*error) {
		EXPECT_TRUE(*failed);
		EXPECT_EQ(-ENOMEM, *error);
		if (!op->brings_contents)
			EXPECT_TRUE(unchanged(&a));
		ASSERT_EQ(0, op->run(&a));
	}
	EXPECT_TRUE(op->done(&a));
	check(_metadata, self);
	munmap(a.p, len);
	munmap(a.to, FEW);
	return true;
}

#define MOST_ALLOCATIONS 2000

/* Fails the first allocation, the second and so on, until there are no more. */
static void fail_each(struct __test_metadata *_metadata, struct mn *self,
		      const struct operation *op)
{
	unsigned int nth = 1, errors = 0;
	bool failed = true;
	int fd, error = 0;

	if (!allocations_can_fail())
		SKIP(return, NO_FAULTS);
	/* The kernel kills who can't be told where it was interrupted. */
	syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset,
		32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	fd = open(FAIL_NTH, O_RDWR);
	if (fd < 0)
		SKIP(return, NO_FAULTS);
	/* The first time may take more, or less. */
	if (!attempt(_metadata, self, op, fd, 0, &failed, &error))
		return;
	EXPECT_EQ(0, error);
	for (failed = true; failed && nth < MOST_ALLOCATIONS; nth++) {
		if (!attempt(_metadata, self, op, fd, nth, &failed, &error))
			return;
		errors += !!error;
		if (_metadata->exit_code) {
			TH_LOG("when allocation %u failed", nth);
			return;
		}
	}
	close(fd);
	TH_LOG("%u allocations, %u of them needed", nth - 2, errors);
	EXPECT_FALSE(failed);
	EXPECT_LT(0, errors);
}

/* One more subscription. */
static int run_attach(struct attempt *a)
{
	int fd = open(DEVICE, O_RDWR), ret;

	if (fd < 0)
		return -errno;
	ret = attach(fd, a->self->class, a->self->kind);
	if (!ret && ioctl(fd, TEST_MN_DETACH))
		ret = -errno;
	close(fd);
	return ret;
}

TEST_PATH(fail_attach)
{
	static const struct operation op = {
		.run = run_attach,
		.done = unchanged,
	};

	fail_each(_metadata, self, &op);
}

/* The memory is new to the CPU, too. */
static int run_write(struct attempt *a)
{
	uint64_t page[PAGE / 8];
	size_t offset;
	int ret;

	for (offset = 0; offset < FEW; offset += PAGE) {
		make_page(page, offset, BY_DEVICE);
		ret = mn_write(a->self, a->p + offset, page, PAGE);
		if (ret)
			return ret;
	}
	return 0;
}

TEST_PATH(fail_write)
{
	static const struct operation op = {
		.brings_contents = true,
		.run = run_write,
		.done = unchanged,
	};

	fail_each(_metadata, self, &op);
}

static bool page_out(struct attempt *a)
{
	return !madvise(a->p, FEW, MADV_PAGEOUT);
}

static int run_read(struct attempt *a)
{
	size_t offset;
	int ret;

	for (offset = 0; offset < FEW; offset += PAGE) {
		ret = mn_touch(a->self, a->p + offset);
		if (ret)
			return ret;
	}
	return 0;
}

TEST_PATH(fail_swap_in)
{
	static const struct operation op = {
		.prepare = page_out,
		.run = run_read,
		.done = unchanged,
	};

	if (!have_swap())
		SKIP(return, "no swap");
	fail_each(_metadata, self, &op);
}

/* The child has its page tables copied, and is not to do anything. */
static int run_fork(struct attempt *a)
{
	a->child = fork();
	if (!a->child)
		_exit(0);
	return a->child < 0 ? -errno : 0;
}

static bool forked(struct attempt *a)
{
	return child_ok(a->child) && unchanged(a);
}

TEST_PATH(fail_fork)
{
	static const struct operation op = {
		.run = run_fork,
		.done = forked,
	};

	fail_each(_metadata, self, &op);
}

/* Copy on write by the device. */
static bool share(struct attempt *a)
{
	a->child = sharing_child(&a->go);
	return a->child > 0;
}

static bool unshared(struct attempt *a)
{
	close(a->go);
	return child_ok(a->child) && unchanged(a);
}

TEST_PATH(fail_unshare)
{
	static const struct operation op = {
		.prepare = share,
		.run = run_write,
		.done = unshared,
	};

	fail_each(_metadata, self, &op);
}

static int run_mprotect(struct attempt *a)
{
	return mprotect(a->p + PAGE, PAGE, PROT_READ) ? -errno : 0;
}

static bool protected(struct attempt *a)
{
	return faults(a->self, a->p + PAGE, PAGE, true) &&
	       !mprotect(a->p, FEW, PROT_READ | PROT_WRITE) && unchanged(a);
}

TEST_PATH(fail_mprotect)
{
	static const struct operation op = {
		.run = run_mprotect,
		.done = protected,
	};

	fail_each(_metadata, self, &op);
}

static int run_munmap(struct attempt *a)
{
	return munmap(a->p + PAGE, PAGE) ? -errno : 0;
}

static bool unmapped(struct attempt *a)
{
	return faults(a->self, a->p + PAGE, PAGE, false) &&
	       agrees(a->self, a->p, PAGE) &&
	       agrees(a->self, a->p + 2 * PAGE, FEW - 2 * PAGE);
}

TEST_PATH(fail_munmap)
{
	static const struct operation op = {
		.run = run_munmap,
		.done = unmapped,
	};

	fail_each(_metadata, self, &op);
}

TEST_PATH(fail_thp_munmap)
{
	static const struct operation op = {
		.map_huge = map_thp,
		.run = run_munmap,
		.done = unmapped,
	};

	fail_each(_metadata, self, &op);
}

static int run_mremap(struct attempt *a)
{
	return mremap(a->p, FEW, FEW, MREMAP_MAYMOVE | MREMAP_FIXED,
		      a->to) == a->to ? 0 : -errno;
}

static bool moved(struct attempt *a)
{
	return holds(a->to, FEW, BY_DEVICE) &&
	       agrees(a->self, a->to, FEW) &&
	       mn_fill(a->self, a->to, FEW, BY_DEVICE);
}

TEST_PATH(fail_mremap)
{
	static const struct operation op = {
		.run = run_mremap,
		.done = moved,
	};

	fail_each(_metadata, self, &op);
}

static char *map_for_collapse(size_t len)
{
	return map_at(reserve(len), len, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int run_collapse(struct attempt *a)
{
	return madvise(a->p, HUGE, MADV_COLLAPSE) ? -errno : 0;
}

static bool collapsed(struct attempt *a)
{
	return check_huge_anon(a->p, 1, HUGE) && unchanged(a);
}

TEST_PATH(fail_thp_collapse)
{
	static const struct operation op = {
		.map_huge = map_for_collapse,
		.run = run_collapse,
		.done = collapsed,
	};

	fail_each(_metadata, self, &op);
}

/* What went wrong in a child, and whether an allocation has failed there. */
enum { CHILD_OK, CHILD_FAILED_ONE, CHILD_WRONG };

/* The first subscription of an address space. */
static int attach_first(struct mn *self, int fd, char *p, unsigned int nth)
{
	struct test_mn_check all = { .len = -1ULL };
	struct mn child = { .fd = fd };
	int fail = open(FAIL_NTH, O_RDWR), ret;
	bool failed;

	if (fail < 0)
		return CHILD_WRONG;
	fail_nth(fail, nth);
	ret = attach(fd, self->class, self->kind);
	failed = has_failed(fail);
	if (ret && (!failed || ret != -ENOMEM))
		return CHILD_WRONG;
	if (ret && mn_read(&child, p, &ret, 1) != -ENOENT)
		return CHILD_WRONG;
	if (ret && attach(fd, self->class, self->kind))
		return CHILD_WRONG;
	if (!mn_fill(&child, p, SMALL, BY_DEVICE) ||
	    !holds(p, SMALL, BY_DEVICE) || mprotect(p, SMALL, PROT_READ) ||
	    ioctl(fd, TEST_MN_CHECK, &all) || all.stale ||
	    !faults(&child, p, SMALL, true))
		return CHILD_WRONG;
	return failed ? CHILD_FAILED_ONE : CHILD_OK;
}

TEST_PATH(fail_attach_first)
{
	int fd, status = CHILD_FAILED_ONE;
	char *p = map(SMALL);
	unsigned int nth;
	pid_t pid;

	if (!allocations_can_fail() || access(FAIL_NTH, W_OK))
		SKIP(return, NO_FAULTS);
	ASSERT_NE(NULL, p);
	for (nth = 1; status == CHILD_FAILED_ONE && nth < MOST_ALLOCATIONS;
	     nth++) {
		fd = open(DEVICE, O_RDWR);
		ASSERT_LE(0, fd);
		IN_CHILD(pid)
			_exit(attach_first(self, fd, p, nth));
		ASSERT_LT(0, pid);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		status = WEXITSTATUS(status);
		gone(_metadata, fd);
		close(fd);
	}
	EXPECT_EQ(CHILD_OK, status);
	EXPECT_LT(2, nth);
}

/* --- races ---------------------------------------------------------------- */

struct changer {
	char *addr;
	bool done;
};

/* Pauses in between, or a fault that is held open would never get through. */
static void *change(void *data)
{
	struct changer *changer = data;
	int round;

	run_anywhere();
	for (round = 0; round < 8; round++) {
		mprotect(changer->addr, SMALL, PROT_READ);
		usleep(1000);
		mprotect(changer->addr, SMALL, PROT_READ | PROT_WRITE);
		usleep(1000);
		madvise(changer->addr, SMALL, MADV_DONTNEED);
		usleep(1000);
		madvise(changer->addr, SMALL, MADV_PAGEOUT);
		usleep(1000);
	}
	__atomic_store_n(&changer->done, true, __ATOMIC_RELAXED);
	return NULL;
}

/* Faults that meet invalidations, with the windows held open. */
TEST_PATH(race)
{
	struct changer changer = { .addr = map(SMALL) };
	unsigned long failed = 0;
	unsigned int point;
	pthread_t thread;
	size_t offset;

	ASSERT_NE(NULL, changer.addr);
	for (point = 0; point < TEST_MN_POINTS; point++) {
		mn_delay(self, point, 500);
		changer.done = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, change, &changer));
		for (offset = 0; !__atomic_load_n(&changer.done, __ATOMIC_RELAXED);
		     offset = (offset + PAGE) % SMALL)
			failed += !!mn_touch(self, changer.addr + offset);
		pthread_join(thread, NULL);
		mn_delay(self, point, 0);
		EXPECT_EQ(0, failed);
		check(_metadata, self);
	}
	usable(_metadata, self, changer.addr, SMALL);
}

/* --- ageing --------------------------------------------------------------- */

#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"

/* Of those who have young bits. */
FIXTURE(young)
{
	struct mn mn;
	char lru_gen[16];
};

FIXTURE_VARIANT(young)
{
	unsigned int class;
};

FIXTURE_VARIANT_ADD(young, page_table)
{
	.class = TEST_MN_PAGE_TABLE,
};

FIXTURE_VARIANT_ADD(young, tlb)
{
	.class = TEST_MN_TLB,
};

FIXTURE_SETUP(young)
{
	read_file(LRU_GEN, self->lru_gen, sizeof(self->lru_gen));
	set_up(_metadata, &self->mn, variant->class, TEST_MN_HLIST);
}

FIXTURE_TEARDOWN(young)
{
	close(self->mn.fd);
	write_file(LRU_GEN, self->lru_gen);
}

#define TEST_YOUNG(name)						\
	static void ageing_##name(struct __test_metadata *_metadata,	\
				 struct mn *self);			\
	TEST_F_TIMEOUT(young, name, FOR_EVER)				\
	{								\
		ageing_##name(_metadata, &self->mn);			\
	}								\
	static void ageing_##name(struct __test_metadata *_metadata,	\
				 struct mn *self)

/*
 * New pages wait in a batch of their CPU before they can be found for ageing.
 * This is a cheap way to have it drained.
 */
static void drain_batches(void)
{
	char *dummy = map(PAGE);

	madvise(dummy, PAGE, MADV_COLD);
	munmap(dummy, PAGE);
}

#define IDLE	"/sys/kernel/mm/page_idle/bitmap"

/* Marks a page idle, or asks whether it still is: -1 if that can't be. */
static int page_idle(char *addr, bool mark)
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

static void test_idle(struct __test_metadata *_metadata, struct mn *self, char *p)
{
	struct test_mn_stats before;

	drain_batches();
	ASSERT_EQ(0, mn_touch(self, p));
	before = mn_stats(self);
	ASSERT_LE(0, page_idle(p, true));
	EXPECT_LT(before.clear_young, mn_stats(self).clear_young);
	/* Nobody has used it since. */
	EXPECT_EQ(1, page_idle(p, false));
	ASSERT_LE(0, page_idle(p, true));
	/* Only the secondary MMU has. */
	ASSERT_EQ(0, mn_touch(self, p));
	EXPECT_EQ(0, page_idle(p, false));
	check(_metadata, self);
}

TEST_YOUNG(idle)
{
	char *p = map(PAGE);

	if (access(IDLE, W_OK))
		SKIP(return, "no " IDLE);
	fill(p, PAGE, BY_CPU);
	test_idle(_metadata, self, p);
}

TEST_YOUNG(idle_huge)
{
	char *p;

	if (access(IDLE, W_OK))
		SKIP(return, "no " IDLE);
	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	test_idle(_metadata, self, p);
}

/* Nobody but the device has used the memory for a while. */
static void use_only_by_device(struct __test_metadata *_metadata, struct mn *self,
			       char *p, size_t len)
{
	size_t offset;

	drain_batches();
	write_file("/proc/self/clear_refs", "1");
	for (offset = 0; offset < len; offset += PAGE)
		ASSERT_EQ(0, mn_touch(self, p + offset));
	self->before = mn_stats(self);
}

static void test_reclaim(struct __test_metadata *_metadata, struct mn *self, char *p,
			 size_t len, const char *lru_gen)
{
	struct test_mn_stats now;
	int tries;

	write_file(LRU_GEN, lru_gen);
	use_only_by_device(_metadata, self, p, len);
	for (tries = 0; tries < 4; tries++) {
		write_file(OURS "memory.reclaim", "256K");
		now = mn_stats(self);
		if (now.flush_young + now.clear_young >
		    self->before.flush_young + self->before.clear_young)
			break;
	}
	EXPECT_LT(self->before.young, mn_stats(self).young);
	check(_metadata, self);
	EXPECT_TRUE(agrees(self, p, len));
}

TEST_YOUNG(reclaim)
{
	char *p;

	if (!have_swap() || !enter_cgroup())
		SKIP(return, "no swap, or no memory cgroups");
	p = map(SMALL);
	fill(p, SMALL, BY_CPU);
	test_reclaim(_metadata, self, p, SMALL, "n");
	EXPECT_LT(self->before.flush_young, mn_stats(self).flush_young);
	leave_cgroup();
}

TEST_YOUNG(reclaim_huge)
{
	char *p;

	if (!have_swap() || !enter_cgroup())
		SKIP(return, "no swap, or no memory cgroups");
	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	test_reclaim(_metadata, self, p, 4 * PAGE, "n");
	EXPECT_LT(self->before.flush_young, mn_stats(self).flush_young);
	leave_cgroup();
}

TEST_YOUNG(reclaim_lru_gen)
{
	char *p;

	if (access(LRU_GEN, W_OK) || !have_swap() || !enter_cgroup())
		SKIP(return, "no swap, memory cgroups or multi-gen LRU");
	p = map(SMALL);
	fill(p, SMALL, BY_CPU);
	/* Without walks of page tables, so that only the reverse map ages. */
	test_reclaim(_metadata, self, p, SMALL, "1");
	/* Each page is asked for, and takes its neighbours along. */
	EXPECT_LE(self->before.clear_young + SMALL / PAGE * 3 / 2,
		  mn_stats(self).clear_young);
	leave_cgroup();
}

/*
 * Reclaim that finds a page young looks around it in the page table.  A neighbour
 * that waits in the batch of another CPU can't be found in any other way.
 */
TEST_YOUNG(reclaim_lru_gen_neighbour)
{
	const size_t len = 16 * SMALL;	/* more than is reclaimed */
	int here = sched_getcpu(), tries;
	uint64_t young = 0;
	char *p;

	if (access(LRU_GEN, W_OK) || !have_swap() || !enter_cgroup())
		SKIP(return, "no swap, memory cgroups or multi-gen LRU");
	if (!go_to_cpu(!here))
		SKIP(return, "it takes CPUs 0 and 1");
	p = map(len);
	fill(p + PAGE, len - PAGE, BY_CPU);
	drain_batches();
	write_file("/proc/self/clear_refs", "1");
	write_file(LRU_GEN, "1");
	go_to_cpu(here);
	fill(p, PAGE, BY_CPU);
	go_to_cpu(!here);
	for (tries = 0; tries < 4 && !young; tries++) {
		ASSERT_EQ(0, mn_touch(self, p));
		ASSERT_EQ(0, mn_touch(self, p + PAGE));
		self->before = mn_stats(self);
		write_file(OURS "memory.reclaim", "8K");
		young = mn_stats(self).young - self->before.young;
	}
	EXPECT_EQ(2, young);
	check(_metadata, self);
	leave_cgroup();
}

/* Makes the multi-gen LRU walk our page tables. */
static bool lru_gen_age(void)
{
	int id = 0, found = 0, gen = 0, node = -1, n;
	char line[256], command[64];
	FILE *f = fopen("/sys/kernel/debug/lru_gen", "r");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memcg %d", &n) == 1) {
			id = strstr(line, "mmu_notifier_test") ? n : 0;
			if (id)
				found = id;
		} else if (sscanf(line, " node %d", &n) == 1) {
			node = n;
		} else if (id && node == this_node() &&
			   strtoul(line, NULL, 10)) {
			gen = strtoul(line, NULL, 10);
		}
	}
	fclose(f);
	if (!found)
		return false;
	snprintf(command, sizeof(command), "+%d %d %d 1 1", found, this_node(),
		 gen);
	return !write_file("/sys/kernel/debug/lru_gen", command);
}

static void test_lru_gen(struct __test_metadata *_metadata, struct mn *self, char *p)
{
	write_file(LRU_GEN, "y");
	use_only_by_device(_metadata, self, p, 4 * PAGE);
	EXPECT_TRUE(lru_gen_age());
	EXPECT_LT(self->before.clear_young, mn_stats(self).clear_young);
	EXPECT_LT(self->before.young, mn_stats(self).young);
	check(_metadata, self);
}

TEST_YOUNG(lru_gen)
{
	char *p;

	if (access(LRU_GEN, W_OK) || !enter_cgroup())
		SKIP(return, "no memory cgroups or multi-gen LRU");
	write_file(LRU_GEN, "y");
	p = map(SMALL);
	fill(p, SMALL, BY_CPU);
	test_lru_gen(_metadata, self, p);
	leave_cgroup();
}

TEST_YOUNG(lru_gen_huge)
{
	char *p;

	if (access(LRU_GEN, W_OK) || !enter_cgroup())
		SKIP(return, "no memory cgroups or multi-gen LRU");
	write_file(LRU_GEN, "y");
	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	test_lru_gen(_metadata, self, p);
	leave_cgroup();
}

#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"

/* khugepaged collapses what is used, if only by the device. */
TEST_YOUNG(khugepaged)
{
	char *p = map_at(reserve(HUGE), HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unsigned long scans;

	if (self->class != TEST_MN_PAGE_TABLE)
		SKIP(return, "a TLB can't be asked");
	if (access(KHUGEPAGED "scan_sleep_millisecs", W_OK))
		SKIP(return, "no khugepaged");
	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, HUGE);
	use_only_by_device(_metadata, self, p, HUGE);
	/*
	 * So that isolating them, which is behind the start, finds one used: the
	 * CPU need not say so again of what its TLB has.
	 */
	ASSERT_EQ(0, madvise(p, PAGE, MADV_DONTNEED));
	p[0] = 1;
	drain_batches();
	self->before = mn_stats(self);
	write_file(KHUGEPAGED "pages_to_scan", "100000");
	write_file(KHUGEPAGED "alloc_sleep_millisecs", "0");
	write_file(KHUGEPAGED "scan_sleep_millisecs", "0");
	ASSERT_EQ(0, madvise(p, HUGE, MADV_HUGEPAGE));
	scans = read_number(KHUGEPAGED "full_scans");
	while (!check_huge_anon(p, 1, HUGE) &&
	       read_number(KHUGEPAGED "full_scans") < scans + 8)
		usleep(1000);
	write_file(KHUGEPAGED "scan_sleep_millisecs", "10000");
	EXPECT_TRUE(check_huge_anon(p, 1, HUGE));
	EXPECT_LE(self->before.test_young + 2 * (HUGE / PAGE - 1),
		  mn_stats(self).test_young);
	told(_metadata, self, CLEAR);
}

/* --- DAMON ---------------------------------------------------------------- */

#define DAMON	"/sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT	DAMON "0/contexts/0/"
#define TARGET	CONTEXT "targets/0/"
#define SWITCHES "voluntary_ctxt_switches:"

/* Its thread has the lock for a moment at each sample, and others don't wait. */
#define DAMON_TRIES	1000

static bool damon_write(const char *name, const char *text)
{
	int err, tries = 0;

	while ((err = write_file(name, text)) == -EBUSY && tries++ < DAMON_TRIES)
		usleep(1000);
	if (err)
		ksft_print_msg("writing %s to %s: error %d\n", text, name, err);
	return !err;
}

static bool damon_set(const char *name, unsigned long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", n);
	return damon_write(name, text);
}

static unsigned long damon_pid(void)
{
	unsigned long pid;
	int tries = 0;

	do {
		pid = read_number(DAMON "0/pid");
	} while (!pid && tries++ < DAMON_TRIES && !usleep(1000));
	return pid;
}

/* Watches a range with the operations @ops, until they have run a while. */
static bool damon_watch(const char *ops, unsigned long start, unsigned long len)
{
	unsigned long pid, switches = 0, first = 0;
	char name[64], line[128];
	FILE *f;

	if (!damon_set(DAMON "nr_kdamonds", 1) ||
	    !damon_set(DAMON "0/contexts/nr_contexts", 1) ||
	    !damon_write(CONTEXT "operations", ops) ||
	    !damon_set(CONTEXT "targets/nr_targets", 1) ||
	    !damon_set(TARGET "regions/nr_regions", 1) ||
	    !damon_set(TARGET "regions/0/start", start) ||
	    !damon_set(TARGET "regions/0/end", start + len) ||
	    !damon_set(CONTEXT "monitoring_attrs/intervals/sample_us", 2000) ||
	    !damon_set(CONTEXT "monitoring_attrs/intervals/aggr_us", 20000))
		return false;
	if (strcmp(ops, "paddr") && !damon_set(TARGET "pid_target", getpid()))
		return false;
	if (!damon_write(DAMON "0/state", "on"))
		return false;

	/* Its thread sleeps between two samples. */
	pid = damon_pid();
	snprintf(name, sizeof(name), "/proc/%lu/status", pid);
	while (!first || switches < first + 100) {
		f = fopen(name, "r");
		if (!f)
			return false;
		while (fgets(line, sizeof(line), f))
			if (!strncmp(line, SWITCHES, strlen(SWITCHES)))
				switches = strtoul(line + strlen(SWITCHES),
						   NULL, 10);
		fclose(f);
		if (!first)
			first = switches + 1;
		usleep(2000);
	}
	return damon_write(DAMON "0/state", "off") &&
	       damon_set(DAMON "nr_kdamonds", 0);
}

static void test_damon(struct __test_metadata *_metadata, struct mn *self,
		       const char *ops, unsigned long start, unsigned long len,
		       char *p)
{
	if (access(DAMON, F_OK))
		SKIP(return, "no DAMON");
	use_only_by_device(_metadata, self, p, 4 * PAGE);
	ASSERT_TRUE(damon_watch(ops, start, len));
	EXPECT_LT(self->before.clear_young, mn_stats(self).clear_young);
	if (self->class == TEST_MN_PAGE_TABLE)
		EXPECT_LT(self->before.test_young, mn_stats(self).test_young);
	check(_metadata, self);
}

TEST_YOUNG(damon_virtual)
{
	char *p = map(SMALL);

	fill(p, SMALL, BY_CPU);
	test_damon(_metadata, self, "fvaddr", (uintptr_t)p, SMALL, p);
}

TEST_YOUNG(damon_virtual_huge)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	test_damon(_metadata, self, "fvaddr", (uintptr_t)p, HUGE, p);
}

TEST_YOUNG(damon_virtual_hugetlb)
{
	char *p;

	p = map_hugetlb(2 * HUGE, MAP_PRIVATE);
	if (!p)
		SKIP(return, NO_HUGETLB);
	fill(p, HUGE, BY_CPU);
	test_damon(_metadata, self, "fvaddr", (uintptr_t)p, HUGE, p);
}

TEST_YOUNG(damon_physical)
{
	char *p = map(PAGE);

	fill(p, PAGE, BY_CPU);
	/* One page is the least that can be watched, and it isn't one of 4. */
	use_only_by_device(_metadata, self, p, PAGE);
	ASSERT_NE(0, PAGEMAP_PFN(pagemap_entry(p)));
	if (access(DAMON, F_OK))
		SKIP(return, "no DAMON");
	ASSERT_TRUE(damon_watch("paddr", PAGEMAP_PFN(pagemap_entry(p)) * PAGE, PAGE));
	EXPECT_LT(self->before.clear_young, mn_stats(self).clear_young);
	if (self->class == TEST_MN_PAGE_TABLE)
		EXPECT_LT(self->before.test_young,
			  mn_stats(self).test_young);
	check(_metadata, self);
}

TEST_YOUNG(damon_physical_huge)
{
	char *p;

	p = map_thp(HUGE);
	if (!p)
		SKIP(return, NO_THP);
	ASSERT_NE(0, PAGEMAP_PFN(pagemap_entry(p)));
	test_damon(_metadata, self, "paddr", PAGEMAP_PFN(pagemap_entry(p)) * PAGE,
		   HUGE, p);
}

TEST_HARNESS_MAIN
