// SPDX-License-Identifier: GPL-2.0
/*
 * Young bits of secondary MMUs, in each path that ages pages: page idle tracking,
 * reclaim, the multi-gen LRU, khugepaged and DAMON.
 */
#include "mmu_notifier_harness.h"

#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"

/* The kinds of secondary MMU that have young bits. */
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
	write_text(LRU_GEN, self->lru_gen);
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

static void test_idle(struct __test_metadata *_metadata, struct mn *self,
		      const struct memory *memory)
{
	struct test_mn_stats before;
	char *p;

	if (!can_mark_idle())
		SKIP(return, "no page idle tracking");
	p = map_memory(_metadata, memory);
	if (!p)
		return;
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
	static const struct memory page = {
		.map = map_filled,
		.len = PAGE,
	};

	test_idle(_metadata, self, &page);
}

TEST_YOUNG(idle_huge)
{
	test_idle(_metadata, self, &thp_memory);
}

/* From here on, only the device has used the memory. */
static void use_only_by_device(struct __test_metadata *_metadata,
			       struct mn *self, char *p, size_t len)
{
	size_t offset;

	drain_batches();
	write_text("/proc/self/clear_refs", "1");
	for (offset = 0; offset < len; offset += PAGE)
		ASSERT_EQ(0, mn_touch(self, p + offset));
	self->before = mn_stats(self);
}

static void test_reclaim(struct __test_metadata *_metadata, struct mn *self,
			 char *p, size_t len, const char *lru_gen)
{
	struct test_mn_stats now;
	int tries;

	write_text(LRU_GEN, lru_gen);
	use_only_by_device(_metadata, self, p, len);
	/* After a change of LRU_GEN reclaim may leave a small cgroup alone for a while. */
	for (tries = 0; tries < 100; tries++) {
		write_text(OURS "memory.reclaim", "256K");
		now = mn_stats(self);
		if (now.flush_young + now.clear_young >
		    self->before.flush_young + self->before.clear_young)
			break;
		usleep(10000);
	}
	EXPECT_LT(self->before.young, mn_stats(self).young);
	check(_metadata, self);
	EXPECT_TRUE(agrees(self, p, len));
}

/* Uses only @len bytes of @memory. */
static void test_reclaim_flushes(struct __test_metadata *_metadata,
				 struct mn *self, const struct memory *memory,
				 size_t len)
{
	char *p;

	if (!have_swap() || !enter_cgroup())
		SKIP(return, "no swap, or no memory cgroups");
	p = map_memory(_metadata, memory);
	if (!p)
		return;
	test_reclaim(_metadata, self, p, len, "n");
	EXPECT_LT(self->before.flush_young, mn_stats(self).flush_young);
	leave_cgroup();
}

TEST_YOUNG(reclaim)
{
	test_reclaim_flushes(_metadata, self, &small_memory, SMALL);
}

TEST_YOUNG(reclaim_huge)
{
	test_reclaim_flushes(_metadata, self, &thp_memory, 4 * PAGE);
}

TEST_YOUNG(reclaim_lru_gen)
{
	char *p;

	if (access(LRU_GEN, W_OK) || !have_swap() || !enter_cgroup())
		SKIP(return, "no swap, memory cgroups or multi-gen LRU");
	p = map_filled(SMALL);
	/* Without walks of page tables, so that only the reverse map ages. */
	test_reclaim(_metadata, self, p, SMALL, "1");
	/* Each page is looked up, and its neighbours with it. */
	EXPECT_LE(self->before.clear_young + SMALL / PAGE * 3 / 2,
		  mn_stats(self).clear_young);
	leave_cgroup();
}

/*
 * When reclaim finds a young page it looks around it in the page table.  There is
 * no other way to find a neighbour that waits in the batch of another CPU.
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
		SKIP(return, "needs CPUs 0 and 1");
	p = map(len);
	fill(p + PAGE, len - PAGE, BY_CPU);
	drain_batches();
	write_text("/proc/self/clear_refs", "1");
	write_text(LRU_GEN, "1");
	go_to_cpu(here);
	fill(p, PAGE, BY_CPU);
	go_to_cpu(!here);
	for (tries = 0; tries < 4 && !young; tries++) {
		ASSERT_EQ(0, mn_touch(self, p));
		ASSERT_EQ(0, mn_touch(self, p + PAGE));
		self->before = mn_stats(self);
		write_text(OURS "memory.reclaim", "8K");
		young = mn_stats(self).young - self->before.young;
	}
	EXPECT_EQ(2, young);
	check(_metadata, self);
	leave_cgroup();
}

#define GENERATIONS	"/sys/kernel/debug/lru_gen"

/* What belongs to the cgroup on this node, backed by swap */
struct generations {
	int memcg;
	unsigned long newest;	/* number of the newest one */
	size_t pages;		/* in the newest one */
	size_t found;		/* in the one before it: what the last walk has found */
	size_t all;
};

static bool read_generations(struct generations *g)
{
	unsigned long number;
	bool ours = false;
	int node = -1, n;
	size_t pages;
	char line[256];
	FILE *f = fopen(GENERATIONS, "r");

	*g = (struct generations){};
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memcg %d", &n) == 1) {
			ours = strstr(line, "mmu_notifier_test");
			/* Those that were removed come before. */
			if (ours)
				*g = (struct generations){ .memcg = n };
		} else if (sscanf(line, " node %d", &n) == 1) {
			node = n;
		} else if (ours && node == this_node() &&
			   sscanf(line, "%lu %*u %zu", &number, &pages) == 2) {
			g->newest = number;
			g->found = g->pages;
			g->pages = pages;
			g->all += pages;
		}
	}
	fclose(f);
	return g->memcg;
}

/* Makes the multi-gen LRU walk the page tables of this process. */
static bool lru_gen_age(void)
{
	struct generations g;
	char command[64];

	if (!read_generations(&g))
		return false;
	snprintf(command, sizeof(command), "+%d %d %lu 1 1", g.memcg, this_node(),
		 g.newest);
	return !write_text(GENERATIONS, command);
}

static void test_lru_gen(struct __test_metadata *_metadata, struct mn *self,
			 const struct memory *memory)
{
	char *p;

	if (access(LRU_GEN, W_OK) || !enter_cgroup())
		SKIP(return, "no memory cgroups or multi-gen LRU");
	write_text(LRU_GEN, "y");
	p = map_memory(_metadata, memory);
	if (!p)
		return;
	use_only_by_device(_metadata, self, p, 4 * PAGE);
	EXPECT_TRUE(lru_gen_age());
	EXPECT_LT(self->before.clear_young, mn_stats(self).clear_young);
	EXPECT_LT(self->before.young, mn_stats(self).young);
	check(_metadata, self);
	leave_cgroup();
}

TEST_YOUNG(lru_gen)
{
	test_lru_gen(_metadata, self, &small_memory);
}

/* What one page table maps, in small pages */
static char *map_table(struct __test_metadata *_metadata)
{
	char *p = map_aligned(HUGE);

	ASSERT_NE(NULL, p);
	/* Without huge pages there are none anyway. */
	madvise(p, HUGE, MADV_NOHUGEPAGE);
	return p;
}

/* Every page of a page table is found, and by one call where that is possible. */
TEST_YOUNG(lru_gen_table)
{
	const size_t used = 32 * PAGE;	/* as many as even a TLB holds */
	struct test_mn_stats now;
	char *p;

	if (access(LRU_GEN, W_OK) || !enter_cgroup())
		SKIP(return, "no memory cgroups or multi-gen LRU");
	write_text(LRU_GEN, "y");
	p = map_table(_metadata);
	fill(p, HUGE, BY_CPU);
	use_only_by_device(_metadata, self, p + HUGE - used, used);
	EXPECT_TRUE(lru_gen_age());
	now = mn_stats(self);
	EXPECT_EQ(self->before.young + used / PAGE, now.young);
	EXPECT_LE(self->before.clear_young + HUGE / PAGE, now.clear_young);
	if (self->class == TEST_MN_PAGE_TABLE) {
		EXPECT_LT(self->before.young_pages, now.young_pages);
		/* Other mappings of the process have page tables of their own. */
		EXPECT_GT(now.clear_young - self->before.clear_young,
			  (now.young_pages - self->before.young_pages) * 16);
	}
	/* What was cleared is old; and the rest was asked for, too. */
	self->before = now;
	EXPECT_TRUE(lru_gen_age());
	EXPECT_EQ(self->before.young, mn_stats(self).young);
	check(_metadata, self);
	leave_cgroup();
}

/* Pages of a page table, of which some are charged to the cgroup */
#define TABLE_FIRST	(SMALL / PAGE)		/* the mapping begins in the middle */
#define TABLE_PAGES	(HUGE / PAGE)

struct table {
	char *p;
	bool ours[TABLE_PAGES];
	size_t nr;		/* how many are */
};

static void fill_table(const struct table *table, bool ours)
{
	size_t i;

	for (i = TABLE_FIRST; i < TABLE_PAGES; i++)
		if (table->ours[i] == ours)
			fill(table->p + i * PAGE, PAGE, BY_CPU);
}

static bool map_owned_table(struct __test_metadata *_metadata, struct table *table)
{
	size_t i;

	table->p = map_table(_metadata);
	munmap(table->p, TABLE_FIRST * PAGE);
	for (i = TABLE_FIRST; i < TABLE_PAGES; i++) {
		table->ours[i] = rand() & 1;
		table->nr += table->ours[i];
	}
	fill_table(table, false);
	if (!enter_cgroup())
		return false;
	fill_table(table, true);
	return true;
}

/*
 * The device uses so many pages of the cgroup, and so many others, here and there in
 * the page table.  Then a walk finds young those of the cgroup.  It may also find some
 * that the program has just got.
 */
static void check_found(struct __test_metadata *_metadata, struct mn *self,
			const struct table *table, size_t ours, size_t others)
{
	size_t left[] = { others, ours }, i, page;
	struct generations now;

	for (i = 0; i < TABLE_PAGES; i++) {
		page = i * 37 % TABLE_PAGES;
		if (page < TABLE_FIRST || !left[table->ours[page]])
			continue;
		left[table->ours[page]]--;
		ASSERT_EQ(0, mn_touch(self, table->p + page * PAGE));
	}
	EXPECT_TRUE(lru_gen_age());
	EXPECT_TRUE(read_generations(&now));
	/* Nearly all of its pages were there before. */
	EXPECT_LE(table->nr, now.all);
	EXPECT_GE(table->nr + 8, now.all);
	EXPECT_LE(ours, now.found);
	EXPECT_GE(ours + now.all - table->nr, now.found);
}

/* Pages that only the device has used get younger, and no others do. */
TEST_YOUNG(lru_gen_found)
{
	const size_t used = 16;		/* three times that, even a TLB holds */
	struct table table = {};

	if (access(LRU_GEN, W_OK) || access(GENERATIONS, W_OK))
		SKIP(return, "no multi-gen LRU, or no debugfs");
	/* What is locked isn't walked, nor charged to the cgroup if it is there now. */
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	write_text(LRU_GEN, "y");
	if (!map_owned_table(_metadata, &table))
		SKIP(return, "no memory cgroups");
	drain_batches();
	write_text("/proc/self/clear_refs", "1");
	/* As a new page is in the newest generation, begin another one. */
	EXPECT_TRUE(lru_gen_age());
	check_found(_metadata, self, &table, used, 0);
	check_found(_metadata, self, &table, 0, used);
	check_found(_metadata, self, &table, used / 2, used / 2);
	check_found(_metadata, self, &table, 0, 0);
	check(_metadata, self);
	leave_cgroup();
}

/* What isn't to be aged keeps its young bits: a page of another cgroup. */
TEST_YOUNG(lru_gen_foreign)
{
	uint64_t young;
	char *p;

	if (access(LRU_GEN, W_OK) || !can_mark_idle())
		SKIP(return, "no multi-gen LRU or page idle tracking");
	write_text(LRU_GEN, "y");
	p = map_table(_metadata);
	/* Every page but the first is charged to the cgroup. */
	fill(p, PAGE, BY_CPU);
	if (!enter_cgroup())
		SKIP(return, "no memory cgroups");
	fill(p + PAGE, SMALL - PAGE, BY_CPU);
	use_only_by_device(_metadata, self, p, SMALL);
	EXPECT_TRUE(lru_gen_age());
	young = mn_stats(self).young;
	EXPECT_EQ(self->before.young + SMALL / PAGE - 1, young);
	ASSERT_LE(0, page_idle(p, true));
	EXPECT_EQ(young + 1, mn_stats(self).young);
	check(_metadata, self);
	leave_cgroup();
}

TEST_YOUNG(lru_gen_huge)
{
	test_lru_gen(_metadata, self, &thp_memory);
}

#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"

/* khugepaged collapses memory that is used, even if only by the device. */
TEST_YOUNG(khugepaged)
{
	char *p = map_aligned(HUGE);
	unsigned long scans;

	if (self->class != TEST_MN_PAGE_TABLE)
		SKIP(return, "a TLB can't be asked");
	if (access(KHUGEPAGED "scan_sleep_millisecs", W_OK))
		SKIP(return, "no khugepaged");
	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, HUGE);
	use_only_by_device(_metadata, self, p, HUGE);
	/*
	 * So that the isolation, which comes after the start, finds a page used by
	 * the CPU, which need not mark pages again that its TLB has.
	 */
	ASSERT_EQ(0, madvise(p, PAGE, MADV_DONTNEED));
	p[0] = 1;
	drain_batches();
	self->before = mn_stats(self);
	write_text(KHUGEPAGED "pages_to_scan", "100000");
	write_text(KHUGEPAGED "alloc_sleep_millisecs", "0");
	write_text(KHUGEPAGED "scan_sleep_millisecs", "0");
	ASSERT_EQ(0, madvise(p, HUGE, MADV_HUGEPAGE));
	scans = read_number(KHUGEPAGED "full_scans");
	while (!check_huge_anon(p, 1, HUGE) &&
	       read_number(KHUGEPAGED "full_scans") < scans + 8)
		usleep(1000);
	write_text(KHUGEPAGED "scan_sleep_millisecs", "10000");
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

/* Its thread takes the lock at each sample, and others don't wait for it. */
#define DAMON_TRIES	1000

static bool damon_write(const char *name, const char *text)
{
	int err, tries = 0;

	while ((err = write_text(name, text)) == -EBUSY && tries++ < DAMON_TRIES)
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

/* Watches a range with the operations @ops until they have run for a while. */
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
	char *p = map_filled(SMALL);

	test_damon(_metadata, self, "fvaddr", (uintptr_t)p, SMALL, p);
}

TEST_YOUNG(damon_virtual_huge)
{
	char *p = map_memory(_metadata, &thp_memory);

	if (!p)
		return;
	test_damon(_metadata, self, "fvaddr", (uintptr_t)p, HUGE, p);
}

TEST_YOUNG(damon_virtual_hugetlb)
{
	char *p = map_hugetlb(2 * HUGE);

	if (!p)
		SKIP(return, NO_HUGETLB);
	fill(p, HUGE, BY_CPU);
	test_damon(_metadata, self, "fvaddr", (uintptr_t)p, HUGE, p);
}

TEST_YOUNG(damon_physical)
{
	char *p = map_filled(PAGE);

	/* Unlike test_damon(), only one page: others need not be next to it. */
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
	char *p = map_memory(_metadata, &thp_memory);

	if (!p)
		return;
	ASSERT_NE(0, PAGEMAP_PFN(pagemap_entry(p)));
	test_damon(_metadata, self, "paddr", PAGEMAP_PFN(pagemap_entry(p)) * PAGE,
		   HUGE, p);
}

TEST_HARNESS_MAIN
