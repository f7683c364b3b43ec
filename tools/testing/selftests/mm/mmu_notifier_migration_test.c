// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are replaced by others with the same contents: merged by KSM, migrated
 * to other nodes or to a device, or because their memory goes offline.
 */
#include <linux/mempolicy.h>
#include <pthread.h>
#include <time.h>

#include <lib/test_hmm_uapi.h>

#include "mmu_notifier_paths.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

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

	if (write_text(KSM "run", "2"))
		SKIP(return, "no KSM");
	ASSERT_NE(NULL, p);
	write_text(KSM "sleep_millisecs", "0");
	write_text(KSM "pages_to_scan", "1000");
	mirror(_metadata, self, p, len);
	mirror(_metadata, self, p + len, len);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_on, &reader));
	ASSERT_EQ(0, madvise(p, 2 * len, MADV_MERGEABLE));
	scans = read_number(KSM "full_scans");
	ASSERT_EQ(0, write_text(KSM "run", "1"));
	while (read_number(KSM "full_scans") < scans + 8 &&
	       read_number(KSM "pages_sharing") < len / PAGE)
		usleep(1000);
	EXPECT_LT(0, read_number(KSM "pages_sharing"));
	write_text(KSM "run", "0");
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
	write_text(KSM "run", "2");
}

/* --- soft offlining -------------------------------------------------------- */

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
	write_text("/sys/kernel/debug/hwpoison/unpoison-pfn", pfn);
}

/* --- memory that is taken offline ----------------------------------------- */

static long set_policy(char *addr, size_t len, int mode, unsigned long nodes,
		       unsigned int flags)
{
	return syscall(SYS_mbind, addr, len, mode, &nodes, MAX_NODES, flags);
}

#define MEMORY	"/sys/devices/system/memory/"

static const char *memory_block_file(unsigned long block, const char *name)
{
	static char path[80];

	snprintf(path, sizeof(path), MEMORY "memory%lu/%s", block, name);
	return path;
}

/* Only such a block certainly has nothing that can't be moved. */
static bool is_movable(unsigned long block)
{
	char zones[64] = "";

	read_file(memory_block_file(block, "valid_zones"), zones, sizeof(zones));
	return !strcmp(zones, "Movable\n");
}

static int set_memory_block(unsigned long block, const char *state)
{
	return write_text(memory_block_file(block, "state"), state);
}

static unsigned long memory_block_of(const char *addr)
{
	unsigned long size;
	char text[32] = "";

	read_file(MEMORY "block_size_bytes", text, sizeof(text));
	size = strtoul(text, NULL, 16);
	return size ? PAGEMAP_PFN(pagemap_entry(addr)) * PAGE / size : 0;
}

/* Memory in a movable block, of whichever node. */
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

/* The block goes offline with all the memory in it. */
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

static void test_move(struct __test_metadata *_metadata, struct mn *self,
		      const struct memory *memory)
{
	char *p = map_memory(_metadata, memory);
	size_t len = memory->len;
	int node = far_node();

	if (!p)
		return;
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
	test_move(_metadata, self, &small_memory);
}

TEST_PATH(move_pages_huge)
{
	test_move(_metadata, self, &thp_memory);
}

TEST_PATH(move_pages_hugetlb)
{
	static const struct memory hugetlb_memory = {
		.map = map_hugetlb,
		.len = HUGE,
		.none = NO_HUGETLB,
	};

	test_move(_metadata, self, &hugetlb_memory);
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

/* In CPU time, as the kernel's limits are.  It takes a second. */
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
 * Makes the kernel remove access to memory to see who uses it, until it has done
 * so to @n pages.  They are ours: the kernel leaves memory alone that is on
 * the node of a process with one thread.
 */
static bool scan_for_balancing(unsigned long n)
{
	unsigned long before = vm_event("numa_pte_updates"), pages = 0;
	clock_t begin = clock();

	write_text(BALANCING, "1");
	while (pages < n && clock() < begin + BALANCING_LIMIT)
		pages = vm_event("numa_pte_updates") - before;
	write_text(BALANCING, "0");
	return pages >= n;
}

/* The kernel removes access to memory that is far from the CPU, and moves it. */
static void test_balancing(struct __test_metadata *_metadata, struct mn *self,
			   const struct memory *memory)
{
	char *p = map_memory(_metadata, memory), was[16] = "";
	size_t len = memory->len;
	int node = far_node();

	if (!p)
		return;
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
	write_text(BALANCING, was);
}

TEST_PATH(numa_balancing)
{
	test_balancing(_metadata, self, &small_memory);
}

TEST_PATH(numa_balancing_huge)
{
	test_balancing(_metadata, self, &thp_memory);
}

/*
 * Memory that NUMA balancing leaves alone, as it is where its process runs, is not
 * invalidated.  That it was scanned shows in other memory, which is in another mapping.
 */
TEST_PATH(numa_balancing_local)
{
	char *p = map_aligned(HUGE), *q = map_aligned(HUGE), was[16] = "";
	int node = far_node(), round;

	if (self->class == TEST_MN_TLB || self->class == TEST_MN_SVA)
		SKIP(return, "a TLB may drop any entry");
	if (node < 0)
		SKIP(return, NO_NODE);
	if (access(BALANCING, W_OK))
		SKIP(return, "no NUMA balancing");
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, q);
	/* So that the two are not merged. */
	ASSERT_EQ(0, madvise(q, HUGE, MADV_DONTDUMP));
	read_file(BALANCING, was, sizeof(was));
	fill(p, SMALL, BY_CPU);
	ASSERT_TRUE(pages_on(p, SMALL, this_node(), true));
	mirror(_metadata, self, p, SMALL);
	for (round = 0; round < 2; round++) {
		/* This also gives back the access that the last round has taken. */
		fill(q, SMALL, BY_CPU);
		ASSERT_TRUE(pages_on(q, SMALL, node, true));
		ASSERT_TRUE(scan_for_balancing(SMALL / PAGE));
	}
	EXPECT_EQ(self->before.entries, mn_stats(self).entries);
	usable(_metadata, self, p, SMALL);
	write_text(BALANCING, was);
}

/* --- migration to devices ------------------------------------------------- */

/* Maps SMALL for a device.  Without one it skips the test and returns NULL. */
static char *map_for_hmm(struct __test_metadata *_metadata, int *fd)
{
	char *p = map(SMALL);

	*fd = open("/dev/hmm_dmirror0", O_RDWR);
	if (*fd < 0)
		SKIP(return NULL, "no /dev/hmm_dmirror0 (CONFIG_TEST_HMM)");
	ASSERT_NE(NULL, p);
	return p;
}

/* The device also copies its pages to ptr. */
static int hmm(int fd, unsigned long cmd, char *addr)
{
	static char copy[SMALL];
	struct hmm_dmirror_cmd arg = {
		.addr = (uintptr_t)addr,
		.ptr = (uintptr_t)copy,
		.npages = SMALL / PAGE,
	};

	return ioctl(fd, cmd, &arg) ? -errno : 0;
}

TEST_PATH(device_private)
{
	int fd;
	char *p = map_for_hmm(_metadata, &fd);

	if (!p)
		return;
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, hmm(fd, HMM_DMIRROR_MIGRATE_TO_DEV, p));
	told(_metadata, self, MIGRATE);
	/* Either side brings it back. */
	EXPECT_TRUE(agrees(self, p, SMALL));
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
	close(fd);
}

/* Missing pages are allocated on the device: a range to look, another to map. */
TEST_PATH(device_private_hole)
{
	int fd;
	char *p = map_for_hmm(_metadata, &fd);

	if (!p)
		return;
	ASSERT_TRUE(holds_zeros(p, SMALL));
	mirror_read(_metadata, self, p, SMALL);
	ASSERT_EQ(0, hmm(fd, HMM_DMIRROR_MIGRATE_TO_DEV, p));
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
	int fd;
	char *p = map_for_hmm(_metadata, &fd);

	if (!p)
		return;
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, hmm(fd, HMM_DMIRROR_EXCLUSIVE, p));
	told(_metadata, self, EXCLUSIVE);
	/* The CPU takes it back, and the device must be notified of that. */
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	if (self->class != TEST_MN_SVA)
		EXPECT_LT(self->before.invalidations[EXCLUSIVE],
			  mn_stats(self).invalidations[EXCLUSIVE]);
	usable(_metadata, self, p, SMALL);
	close(fd);
}

TEST_HARNESS_MAIN
