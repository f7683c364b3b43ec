// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of mappings: protection, unmapping, madvise(), fork, mremap(), copy on
 * write and truncation; and faults that race with them.
 */
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/uio.h>

#include "mmu_notifier_paths.h"

/* --- protection ----------------------------------------------------------- */

TEST_PATH(mprotect_read)
{
	char *p = mirrored(_metadata, self, SMALL);

	ASSERT_EQ(0, mprotect(p, SMALL, PROT_READ));
	told(_metadata, self, PROTECTION_VMA);
	EXPECT_TRUE(agrees(self, p, SMALL));
	EXPECT_TRUE(faults(self, p, SMALL, true));
	ASSERT_EQ(0, mprotect(p, SMALL, PROT_READ | PROT_WRITE));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(mprotect_none)
{
	char *p = mirrored(_metadata, self, SMALL);

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
	char *p = mirrored(_metadata, self, SMALL);

	ASSERT_EQ(0, munmap(p, SMALL));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p, SMALL, false));
}

TEST_PATH(munmap_middle)
{
	char *p = mirrored(_metadata, self, SMALL);

	ASSERT_EQ(0, munmap(p + 4 * PAGE, 4 * PAGE));
	told(_metadata, self, UNMAP);
	EXPECT_TRUE(faults(self, p + 4 * PAGE, 4 * PAGE, false));
	usable(_metadata, self, p, 4 * PAGE);
	usable(_metadata, self, p + 8 * PAGE, SMALL - 8 * PAGE);
}

TEST_PATH(mmap_fixed)
{
	char *p = mirrored(_metadata, self, SMALL);

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
	char *p = mirrored(_metadata, self, SMALL);

	ASSERT_EQ(0, madvise(p, SMALL, MADV_DONTNEED));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds_zeros(p, SMALL));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_free)
{
	char *p = mirrored(_metadata, self, SMALL);

	ASSERT_EQ(0, madvise(p, SMALL, MADV_FREE));
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(agrees(self, p, SMALL));

	/* Later writes must not be lost, whoever writes. */
	EXPECT_TRUE(mn_fill(self, p, SMALL, BY_DEVICE_AGAIN));
	madvise(p, SMALL, MADV_PAGEOUT);
	check(_metadata, self);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_free_reclaim)
{
	char *p = mirrored(_metadata, self, SMALL);

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
	char *p = mirrored(_metadata, self, SMALL);

	ASSERT_EQ(0, madvise(p, SMALL, MADV_COLD));
	check(_metadata, self);
	usable(_metadata, self, p, SMALL);
}

TEST_PATH(madv_pageout)
{
	char *p = map(SMALL);

	if (!have_swap())
		SKIP(return, NO_SWAP);
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
		SKIP(return, NO_SWAP);
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
 * If another CPU has the address space loaded, the flush of its TLB is deferred
 * until many pages have been unmapped.  The flush of secondary TLBs is, too, but only
 * for those that ask for it.  Young pages are flushed a second time, as paging out
 * begins by making them old.
 */
TEST_PATH(madv_pageout_two_cpus)
{
	int here = sched_getcpu();
	struct spinner spinner = { .cpu = !here };
	char *p = map(SMALL);
	pthread_t thread;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || here > 1)
		SKIP(return, "needs CPUs 0 and 1");
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin, &spinner));
	while (!__atomic_load_n(&spinner.running, __ATOMIC_ACQUIRE))
		sched_yield();
	mirror(_metadata, self, p, SMALL);
	ASSERT_EQ(0, write_text("/proc/self/clear_refs", "1"));
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
		SKIP(return, NO_SWAP);
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
	/* Mapped for reading; then the parent gets pages of its own. */
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

/* A write by the secondary MMU breaks the sharing; the child must not see it. */
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
	/* The next page is mapped, so the mapping must move. */
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
	char *p = mirrored(_metadata, self, SMALL);

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

/* --- races ---------------------------------------------------------------- */

struct changer {
	char *addr;
	bool done;
};

/* Pauses in between, otherwise a fault that is held open would never succeed. */
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

/* Faults race with invalidations, with the windows held open. */
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

TEST_HARNESS_MAIN
