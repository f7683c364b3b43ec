// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a subscription: with the address space, which exits, executes another
 * program or is reaped; or before it.
 */
#include <sched.h>
#include <signal.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "mmu_notifier_paths.h"

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
	char *p = mirrored(_metadata, self, SMALL);

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
 * process_mrelease() does what the OOM reaper does.  The child must not exit
 * before: it shares a CPU with this process, which doesn't yield.
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
		/* It would have to sleep, so the memory is kept. */
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

#define VICTIM		"expected_oom"	/* in what the kernel prints */
#define VICTIM_MEMORY	(64UL << 20)
#define VICTIM_LIMIT	"8M"
#define VICTIM_SAFE	(6UL << 20)	/* it surely gets that much */
#define BRAKE_LEN	(1024 * PAGE)

/* How often a hook has notified; 0 if the kernel does not count that. */
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
 * Each page is a mapping, so that emptying all of them takes as many ranges.  With
 * a delay in each that is slow, and can't be killed.  It holds mmap_lock for
 * reading, as the OOM reaper does.
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
 * The process that runs out of memory.  After it has been killed, its address
 * space lives on until the delays of @brake_fd are turned off.  Otherwise the exit
 * would unmap the memory, and not the OOM reaper.
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
	/* Before attaching: a new thread maps its stack, which empties a small TLB. */
	if (!memory || !slow.addr || !enter_cgroup() ||
	    write_text(OURS "memory.swap.max", "0") ||
	    write_text(OURS "memory.max", VICTIM_LIMIT) ||
	    pthread_create(&thread, NULL, brake, &slow) ||
	    attach(brake_fd, TEST_MN_PAGE_TABLE, TEST_MN_HLIST) ||
	    !child_attaches(self, fd, p, len) || write(ready, "", 1) != 1)
		return;
	/* The brake lasts for some time only: put it on as late as possible. */
	for (offset = 0; offset < VICTIM_SAFE; offset += PAGE)
		memory[offset] = 1;
	mn_delay(&brakes, TEST_MN_START, 10000);
	__atomic_store_n(&slow.on, true, __ATOMIC_RELEASE);
	while (!mn_stats(&brakes).invalidations[CLEAR])
		sched_yield();
	for (; offset < VICTIM_MEMORY; offset += PAGE)
		memory[offset] = 1;
}

/* Has the OOM reaper taken the memory, or tried to if that would have to wait? */
static bool oom_reaped(struct mn *self, struct mn *victim, struct mn *brakes)
{
	struct test_mn_stats now = mn_stats(victim);

	switch (self->class) {
	case TEST_MN_REMOTE:
		return now.refused > victim->before.refused;
	case TEST_MN_SVA:
		/* Only the other one is notified of ranges. */
		return mn_stats(brakes).invalidations[UNMAP] && !now.entries;
	default:
		return now.dropped[UNMAP] > victim->before.dropped[UNMAP];
	}
}

/* TEST_MN_SVA is flushed after the change, and may be stale until then. */
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

TEST_HARNESS_MAIN
