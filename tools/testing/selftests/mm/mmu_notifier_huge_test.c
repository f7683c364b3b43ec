// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages, transparent and of hugetlb: they are mapped, split, collapsed, copied
 * and moved as a whole.
 */
#include "mmu_notifier_paths.h"

/* Begins with HUGE bytes of @memory, mapped and written by the secondary MMU. */
#define TEST_HUGE(name, memory)						\
	static void huge_##name(struct __test_metadata *_metadata,	\
				struct mn *self, char *p);		\
	TEST_PATH(name)							\
	{								\
		char *p = map_memory(_metadata, memory);		\
									\
		if (p) {						\
			mirror(_metadata, self, p, HUGE);		\
			huge_##name(_metadata, self, p);		\
		}							\
	}								\
	static void huge_##name(struct __test_metadata *_metadata,	\
				struct mn *self, char *p)

#define TEST_THP(name)		TEST_HUGE(name, &thp_memory)
#define TEST_HUGETLB(name)	TEST_HUGE(name, &hugetlb_memory)

/* Two pages; only the first one is used. */
static const struct memory hugetlb_memory = {
	.map = map_hugetlb,
	.len = 2 * HUGE,
	.none = NO_HUGETLB,
};

TEST_THP(thp_munmap)
{
	ASSERT_EQ(0, munmap(p, HUGE));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, false));
}

/* The rest of the huge page must be as it was. */
TEST_THP(thp_split_munmap)
{
	ASSERT_EQ(0, munmap(p + HUGE / 2, PAGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(faults(self, p + HUGE / 2, PAGE, false));
	usable(_metadata, self, p, HUGE / 2);
}

TEST_THP(thp_split_mprotect)
{
	ASSERT_EQ(0, mprotect(p, HUGE / 2, PROT_READ));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, true));
	EXPECT_TRUE(agrees(self, p, HUGE));
	usable(_metadata, self, p + HUGE / 2, HUGE / 2);
}

TEST_THP(thp_mprotect)
{
	ASSERT_EQ(0, mprotect(p, HUGE, PROT_READ));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, true));
	EXPECT_TRUE(agrees(self, p, HUGE));
}

TEST_THP(thp_dontneed)
{
	ASSERT_EQ(0, madvise(p, HUGE, MADV_DONTNEED));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p, HUGE));
	usable(_metadata, self, p, HUGE);
}

TEST_THP(thp_free)
{
	ASSERT_EQ(0, madvise(p, HUGE, MADV_FREE));
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, HUGE);
}

TEST_THP(thp_split_debugfs)
{
	char command[80];

	snprintf(command, sizeof(command), "%d,%p,%p,0", getpid(), p, p + HUGE);
	if (write_text("/sys/kernel/debug/split_huge_pages", command))
		SKIP(return, "no split_huge_pages in debugfs");
	ASSERT_FALSE(check_huge_anon(p, 1, HUGE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, HUGE, BY_DEVICE));
	usable(_metadata, self, p, HUGE);
}

TEST_THP(thp_pageout)
{
	if (!have_swap())
		SKIP(return, NO_SWAP);
	ASSERT_EQ(0, madvise(p, HUGE, MADV_PAGEOUT));
	told(_metadata, self, CLEAR);
	EXPECT_GT(count_pages(p, HUGE, PM_SWAP), 0);
	EXPECT_TRUE(holds(p, HUGE, BY_DEVICE));
	usable(_metadata, self, p, HUGE);
}

TEST_THP(thp_mremap)
{
	char *to = map_aligned(HUGE);

	ASSERT_NE(NULL, to);
	self->before = mn_stats(self);
	ASSERT_EQ(to, mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(check_huge_anon(to, 1, HUGE));
	EXPECT_TRUE(faults(self, p, 4 * PAGE, false));
	EXPECT_TRUE(holds(to, HUGE, BY_DEVICE));
	usable(_metadata, self, to, HUGE);
}

TEST_THP(thp_fork)
{
	pid_t pid;
	int go;

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
	char *p = map_aligned(HUGE);

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
	char *p = map_aligned(HUGE);

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
 * Collapsing a file removes the page tables of all its mappings, though they are
 * empty: a secondary MMU that walks them must be notified.
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

/* A huge page of a file is mapped page by page, then as a whole. */
TEST_PATH(thp_collapse_mapped)
{
	int fd = memory_file(HUGE);
	char *whole = map_at(reserve(HUGE), HUGE, MAP_SHARED, fd);
	char *p = reserve(HUGE);

	ASSERT_NE(NULL, whole);
	fill(whole, HUGE, BY_CPU);
	if (madvise(whole, HUGE, MADV_COLLAPSE))
		SKIP(return, "MADV_COLLAPSE: %s", strerror(errno));

	/* Too small for a huge page at first. */
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

TEST_HUGETLB(hugetlb_munmap)
{
	ASSERT_EQ(0, munmap(p, 2 * HUGE));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, false));
}

TEST_HUGETLB(hugetlb_dontneed)
{
	ASSERT_EQ(0, madvise(p, HUGE, MADV_DONTNEED));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p, HUGE));
	usable(_metadata, self, p, HUGE);
}

TEST_HUGETLB(hugetlb_mprotect)
{
	ASSERT_EQ(0, mprotect(p, HUGE, PROT_READ));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(faults(self, p, 4 * PAGE, true));
	EXPECT_TRUE(agrees(self, p, HUGE));
	ASSERT_EQ(0, mprotect(p, HUGE, PROT_READ | PROT_WRITE));
	usable(_metadata, self, p, HUGE);
}

TEST_HUGETLB(hugetlb_fork)
{
	pid_t pid;
	int go;

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

TEST_HUGETLB(hugetlb_mremap)
{
	char *to = map_aligned(2 * HUGE);

	ASSERT_NE(NULL, to);
	self->before = mn_stats(self);
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
 * Two large mappings of a file share a page table until one of them is split,
 * which is then left without any.
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

TEST_HARNESS_MAIN
