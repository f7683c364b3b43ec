// SPDX-License-Identifier: GPL-2.0
/*
 * Paths that track or intercept accesses: cleaning of shared mappings, userfaultfd,
 * soft-dirty bits, PAGEMAP_SCAN and uprobes.
 */
#include <linux/fs.h>
#include <linux/userfaultfd.h>

#include "mmu_notifier_paths.h"

/* Writeback removes write access, so that the next write dirties the page. */
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

/* Returns how many page table entries were changed, or an error. */
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

/* Cleans memory when all of it is dirty, and again when half of it is. */
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
	/* The point of protecting it: a write by the device is noticed. */
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

/* --- userfaultfd ---------------------------------------------------------- */

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

#define NO_UFFD	"no userfaultfd with the required features"

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

/* Missing pages are copied, or filled with zeros. */
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
	char *to = map_aligned(HUGE);
	char *p;
	int fd;

	fd = uffd_open(UFFD_FEATURE_MOVE);
	if (fd < 0)
		SKIP(return, NO_UFFD);
	ASSERT_NE(NULL, to);
	p = map_memory(_metadata, &thp_memory);
	if (!p)
		return;
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

/* --- /proc ---------------------------------------------------------------- */

TEST_PATH(soft_dirty)
{
	char *p = mirrored(_metadata, self, SMALL);

	if (!count_pages(p, SMALL, PM_SOFT_DIRTY))
		SKIP(return, "no soft-dirty bit");
	ASSERT_EQ(0, write_text("/proc/self/clear_refs", "4"));
	told(_metadata, self, SOFT_DIRTY);
	EXPECT_EQ(0, count_pages(p, SMALL, PM_SOFT_DIRTY));
	/* The point of it: writes by the device set it. */
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
	/* The point of it: the next scan finds writes by the device. */
	EXPECT_EQ(0, ioctl(pm, PAGEMAP_SCAN, &arg));
	EXPECT_TRUE(mn_fill(self, p, PAGE, BY_DEVICE_AGAIN));
	EXPECT_EQ(1, ioctl(pm, PAGEMAP_SCAN, &arg));
	usable(_metadata, self, p, SMALL);
	close(fd);
	close(pm);
}

/* --- uprobes -------------------------------------------------------------- */

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
	if (write_text(TRACING "uprobe_events", "p:mn/mn " CODE ":0x10"))
		SKIP(return, "no uprobe_events in tracefs");
	EXPECT_EQ(0, write_text(TRACING "events/mn/mn/enable", "1"));
	EXPECT_NE(0x90, (unsigned char)p[0x10]);
	told(_metadata, self, CLEAR);
	mirror_read(_metadata, self, p, PAGE);
	EXPECT_EQ(0, write_text(TRACING "events/mn/mn/enable", "0"));
	EXPECT_EQ(0x90, (unsigned char)p[0x10]);
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(agrees(self, p, PAGE));
	write_text(TRACING "uprobe_events", "-:mn/mn");
	close(fd);
	unlink(CODE);
}

TEST_HARNESS_MAIN
