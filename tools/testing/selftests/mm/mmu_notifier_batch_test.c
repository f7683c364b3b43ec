// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that reclaim has unmapped, and that a secondary TLB still has: it is flushed once
 * for a batch of them.
 *
 * A delay at the end of a range keeps reclaim between the two: the page is unmapped and
 * locked, and the TLB isn't flushed.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <time.h>

#include "mmu_notifier_harness.h"

#define IN_WINDOW	60000000	/* cut short by end_window() */
#define PATIENCE	10		/* seconds, for what should have happened */
#define ROUNDS		10		/* of what depends on a race */

FIXTURE(batch)
{
	struct mn mn;
};

FIXTURE_SETUP(batch)
{
	set_up(_metadata, &self->mn, TEST_MN_DEFER, TEST_MN_HLIST);
}

FIXTURE_TEARDOWN(batch)
{
	close(self->mn.fd);
}

#define TEST_BATCH(name)						\
	static void path_##name(struct __test_metadata *_metadata,	\
				 struct mn *self);			\
	TEST_F_TIMEOUT(batch, name, FOR_EVER)				\
	{								\
		path_##name(_metadata, &self->mn);			\
	}								\
	static void path_##name(struct __test_metadata *_metadata,	\
				 struct mn *self)

/* --- the window ------------------------------------------------------------ */

/* What a thread does, when it is told to, with this memory */
struct work {
	int (*run)(struct work *work);
	char *addr;
	size_t len;
	int advice;
	int node;
	int ret;
	pid_t tid;
	sem_t go;
	pthread_t thread;
};

static int advise(struct work *work)
{
	return madvise(work->addr, work->len, work->advice);
}

static int move(struct work *work)
{
	return !pages_on(work->addr, work->len, work->node, true);
}

/* Of all in the cgroup.  There may be less than that. */
static int shrink(struct work *work)
{
	write_text(OURS "memory.reclaim", "1M");
	return 0;
}

static void *worker(void *data)
{
	struct work *work = data;

	run_anywhere();
	__atomic_store_n(&work->tid, syscall(__NR_gettid), __ATOMIC_RELEASE);
	sem_wait(&work->go);
	work->ret = work->run(work);
	return NULL;
}

/* Before the window: to create a thread needs mmap_lock, which reclaim holds then. */
static bool get_ready(struct work *work)
{
	if (sem_init(&work->go, 0, 0) ||
	    pthread_create(&work->thread, NULL, worker, work))
		return false;
	while (!__atomic_load_n(&work->tid, __ATOMIC_ACQUIRE))
		usleep(100);
	return true;
}

static void begin(struct work *work)
{
	sem_post(&work->go);
}

static int finish(struct work *work)
{
	pthread_join(work->thread, NULL);
	return work->ret;
}

static bool in_time(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - since->tv_sec > PATIENCE)
		return false;
	usleep(1000);
	return true;
}

/* Reclaim waits with one page unmapped, and its flush deferred. */
static bool in_window(struct mn *self, const char *addr)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (mn_stats(self).deferred == self->before.deferred ||
	       count_pages(addr, PAGE, PM_PRESENT)) {
		if (!in_time(&begin))
			return false;
	}
	return true;
}

/* Waits until a counter of the statistics, which is at @offset, has grown. */
static bool grows(struct mn *self, size_t offset)
{
	const char *before = (char *)&self->before + offset;
	struct test_mn_stats now;
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		now = mn_stats(self);
		if (memcmp((char *)&now + offset, before, sizeof(__u64)))
			return true;
	} while (in_time(&begin));
	return false;
}

/* Reclaim has announced a range, and the translations in it were dropped. */
static bool dropped(struct mn *self)
{
	return grows(self, offsetof(struct test_mn_stats, dropped[CLEAR]));
}

/* ... and their flush was deferred. */
static bool deferred(struct mn *self)
{
	return grows(self, offsetof(struct test_mn_stats, deferred));
}

static bool flushed(struct mn *self)
{
	return grows(self, offsetof(struct test_mn_stats, flushes));
}

/* Of this thread: NUMA balancing may come by in any other. */
static void hold_end(struct mn *self, pid_t reclaimer)
{
	struct test_mn_delay delay = {
		.point = TEST_MN_END,
		.usecs = IN_WINDOW,
		.tid = reclaimer,
	};

	ioctl(self->fd, TEST_MN_DELAY, &delay);
}

static void hold_window(struct mn *self, pid_t reclaimer)
{
	/* The page may be on another CPU's way to the lists, where reclaim looks. */
	drain_batches();
	hold_end(self, reclaimer);
}

static void end_window(struct mn *self)
{
	mn_delay(self, TEST_MN_END, 0);
}

/* No translation is stale; ranges are in progress. */
static void check_now(struct __test_metadata *_metadata, struct mn *self)
{
	struct test_mn_check arg = { .len = -1ULL };

	ASSERT_EQ(0, ioctl(self->fd, TEST_MN_CHECK, &arg));
	EXPECT_EQ(0, arg.stale);
}

/* --- tests ----------------------------------------------------------------- */

TEST_BATCH(one_flush)
{
	struct test_mn_stats now;
	char *p;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	p = mirrored(_metadata, self, SMALL);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	now = mn_stats(self);
	EXPECT_EQ(SMALL / PAGE, now.deferred - self->before.deferred);
	EXPECT_LE(1, now.flushes - self->before.flushes);
	EXPECT_GE(2, now.flushes - self->before.flushes);
	told(_metadata, self, CLEAR);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
}

#define MANY	64

/* Many pages had their flush deferred, and each flush was for many of them. */
static void few_flushes(struct __test_metadata *_metadata, struct mn *self)
{
	struct test_mn_stats now = mn_stats(self);
	uint64_t pages = now.deferred - self->before.deferred;
	uint64_t flushes = now.flushes - self->before.flushes;

	TH_LOG("%lu pages, %lu flushes", (unsigned long)pages,
	       (unsigned long)flushes);
	EXPECT_LE(MANY, pages);
	EXPECT_GE(pages / 16, flushes);
	check(_metadata, self);
}

TEST_BATCH(few_flushes_memcg)
{
	const size_t len = 256 * PAGE;
	char *p;

	if (!have_swap() || !enter_cgroup())
		SKIP(return, "no swap, or no memory cgroups");
	p = mirrored(_metadata, self, len);
	drain_batches();
	write_text("/proc/self/clear_refs", "1");
	self->before = mn_stats(self);
	/* There may be less to reclaim than that. */
	write_text(OURS "memory.reclaim", "1M");
	few_flushes(_metadata, self);
	EXPECT_TRUE(holds(p, len, BY_DEVICE));
	leave_cgroup();
}

/* Compaction moves some of the pages into the holes between others. */
TEST_BATCH(few_flushes_compaction)
{
	const size_t len = 16384 * PAGE;
	char *p = map(len), *end = p + len, *at;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, madvise(p, len, MADV_NOHUGEPAGE));
	for (at = p; at < end; at += 2 * PAGE) {
		ASSERT_TRUE(mn_fill(self, at, PAGE, BY_DEVICE));
		fill(at + PAGE, PAGE, BY_CPU);
	}
	for (at = p; at < end; at += 2 * PAGE)
		ASSERT_EQ(0, madvise(at + PAGE, PAGE, MADV_DONTNEED));
	drain_batches();
	self->before = mn_stats(self);
	if (write_text("/proc/sys/vm/compact_memory", "1"))
		SKIP(return, "no compaction");
	/* Pages of others, at lower addresses, may have filled all holes. */
	if (mn_stats(self).dropped[CLEAR] - self->before.dropped[CLEAR] < MANY)
		SKIP(return, "compaction moved other pages");
	few_flushes(_metadata, self);
	for (at = p; at < end; at += 2 * PAGE)
		ASSERT_TRUE(holds(at, PAGE, BY_DEVICE));
}

struct watcher {
	int fd, cpu;
	bool running, stop;
	unsigned long stale;
	pthread_t thread;
};

/* Checks all translations, over and over again. */
static void *watch(void *data)
{
	struct watcher *watcher = data;

	go_to_cpu(watcher->cpu);
	while (!__atomic_load_n(&watcher->stop, __ATOMIC_RELAXED)) {
		struct test_mn_check arg = { .len = -1ULL };

		if (!ioctl(watcher->fd, TEST_MN_CHECK, &arg))
			watcher->stale += arg.stale;
		__atomic_store_n(&watcher->running, true, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* On another CPU than this.  Flushes take long meanwhile. */
static bool begin_watch(struct __test_metadata *_metadata, struct mn *self,
			struct watcher *watcher)
{
	int here = sched_getcpu();

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || here > 1)
		SKIP(return false, "needs CPUs 0 and 1");
	*watcher = (struct watcher){ .fd = self->fd, .cpu = !here };
	mn_delay(self, TEST_MN_FLUSH, 10000);
	ASSERT_EQ(0, pthread_create(&watcher->thread, NULL, watch, watcher));
	while (!__atomic_load_n(&watcher->running, __ATOMIC_ACQUIRE))
		sched_yield();
	return true;
}

/* Returns how many translations were stale. */
static unsigned long end_watch(struct mn *self, struct watcher *watcher)
{
	__atomic_store_n(&watcher->stop, true, __ATOMIC_RELAXED);
	pthread_join(watcher->thread, NULL);
	mn_delay(self, TEST_MN_FLUSH, 0);
	return watcher->stale;
}

/* A page is locked until the TLB has been flushed, else it counts as stale. */
TEST_BATCH(then_unlock)
{
	struct watcher watcher;
	char *p;
	int i;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	p = map(SMALL);
	ASSERT_NE(NULL, p);
	if (!begin_watch(_metadata, self, &watcher))
		return;
	/* Pages that are still being written from the round before are left alone. */
	for (i = 0; i < ROUNDS; i++) {
		mirror(_metadata, self, p, SMALL);
		ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	}
	EXPECT_EQ(0, end_watch(self, &watcher));
	EXPECT_LT(0, mn_stats(self).flushes);
	EXPECT_TRUE(holds(p, SMALL, BY_DEVICE));
	usable(_metadata, self, p, SMALL);
}

/* What is written by the TLB alone isn't lost. */
TEST_BATCH(late_write)
{
	struct work pageout = { .run = advise, .len = PAGE, .advice = MADV_PAGEOUT };
	char *p;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	p = mirrored(_metadata, self, PAGE);
	pageout.addr = p;
	ASSERT_TRUE(get_ready(&pageout));
	hold_window(self, pageout.tid);
	begin(&pageout);
	EXPECT_TRUE(in_window(self, p));
	EXPECT_TRUE(mn_fill(self, p, PAGE, BY_DEVICE_AGAIN));
	EXPECT_LT(self->before.late, mn_stats(self).late);
	end_window(self);
	ASSERT_EQ(0, finish(&pageout));

	check(_metadata, self);
	EXPECT_TRUE(holds(p, PAGE, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, PAGE);
}

/* The page can't be had before the flush: the CPU waits for it. */
TEST_BATCH(then_fault)
{
	struct work pageout = { .run = advise, .len = PAGE, .advice = MADV_PAGEOUT };
	struct work populate = { .run = advise, .len = PAGE, .advice = MADV_POPULATE_WRITE };
	char *p;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	p = mirrored(_metadata, self, PAGE);
	pageout.addr = p;
	populate.addr = p;
	ASSERT_TRUE(get_ready(&pageout));
	ASSERT_TRUE(get_ready(&populate));
	hold_window(self, pageout.tid);
	begin(&pageout);
	EXPECT_TRUE(in_window(self, p));
	begin(&populate);
	usleep(100000);
	EXPECT_EQ(0, count_pages(p, PAGE, PM_PRESENT));
	EXPECT_TRUE(mn_fill(self, p, PAGE, BY_DEVICE_AGAIN));
	end_window(self);
	ASSERT_EQ(0, finish(&pageout));
	ASSERT_EQ(0, finish(&populate));

	check(_metadata, self);
	EXPECT_TRUE(holds(p, PAGE, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, PAGE);
}

/*
 * The reverse map also leads to where the page was mapped before copy on write.  What is
 * mapped there now stays, and can be used meanwhile.  Reclaim comes there first, as the
 * mapping begins one page before that of the child.
 */
TEST_BATCH(still_mapped)
{
	char *before = map(2 * PAGE), *p = before + PAGE, c = 0;
	int fds[2];
	pid_t pid;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	ASSERT_NE(NULL, before);
	fill(p, PAGE, BY_CPU);
	ASSERT_EQ(0, pipe(fds));
	IN_CHILD(pid) {
		if (munmap(before, PAGE) || read(fds[0], &c, 1) != 1 ||
		    madvise(p, PAGE, MADV_PAGEOUT) || !holds(p, PAGE, BY_CPU))
			_exit(1);
	}
	mirror(_metadata, self, p, PAGE);
	hold_window(self, pid);
	ASSERT_EQ(1, write(fds[1], &c, 1));
	EXPECT_TRUE(dropped(self));
	EXPECT_LT(self->before.deferred, mn_stats(self).deferred);
	EXPECT_TRUE(mn_fill(self, p, PAGE, BY_DEVICE_AGAIN));
	EXPECT_LT(self->before.late, mn_stats(self).late);
	check_now(_metadata, self);
	end_window(self);
	EXPECT_TRUE(child_ok(pid));

	check(_metadata, self);
	EXPECT_TRUE(holds(p, PAGE, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, PAGE);
	close(fds[0]);
	close(fds[1]);
}

/* A range that isn't deferred flushes when it starts, whatever it covers. */
TEST_BATCH(then_range)
{
	struct work pageout = { .run = advise, .len = PAGE, .advice = MADV_PAGEOUT };
	struct work drop = { .run = advise, .len = PAGE, .advice = MADV_DONTNEED };
	char *p, *other;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	other = mirrored(_metadata, self, PAGE);
	p = mirrored(_metadata, self, PAGE);
	pageout.addr = p;
	drop.addr = other;
	ASSERT_TRUE(get_ready(&pageout));
	ASSERT_TRUE(get_ready(&drop));
	hold_window(self, pageout.tid);
	begin(&pageout);
	EXPECT_TRUE(in_window(self, p));
	EXPECT_EQ(self->before.flushes, mn_stats(self).flushes);
	begin(&drop);
	EXPECT_TRUE(flushed(self));
	end_window(self);
	ASSERT_EQ(0, finish(&pageout));
	ASSERT_EQ(0, finish(&drop));

	check(_metadata, self);
	EXPECT_TRUE(holds(p, PAGE, BY_DEVICE));
	EXPECT_TRUE(holds_zeros(other, PAGE));
	usable(_metadata, self, p, PAGE);
}

/* Nothing is left for the CPU to wait for where a page of a file was mapped privately. */
TEST_BATCH(then_zeropage)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct work pageout = { .run = advise, .len = PAGE, .advice = MADV_PAGEOUT };
	struct uffdio_register watch = { .range.len = PAGE,
					 .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage zero = { .range.len = PAGE };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int fd = memory_file(PAGE);
	uint64_t value = 1;
	char *p;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(sizeof(value), pwrite(fd, &value, sizeof(value), 0));
	p = map_flags(PAGE, MAP_PRIVATE, fd);
	ASSERT_NE(NULL, p);
	mirror_read(_metadata, self, p, PAGE);
	watch.range.start = (uintptr_t)p;
	zero.range.start = (uintptr_t)p;
	pageout.addr = p;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &watch));

	ASSERT_TRUE(get_ready(&pageout));
	hold_window(self, pageout.tid);
	begin(&pageout);
	EXPECT_TRUE(in_window(self, p));
	EXPECT_EQ(0, mn_read(self, p, &value, sizeof(value)));
	EXPECT_EQ(1, value);
	EXPECT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	check_now(_metadata, self);
	end_window(self);
	ASSERT_EQ(0, finish(&pageout));

	EXPECT_EQ(0, mn_read(self, p, &value, sizeof(value)));
	EXPECT_EQ(0, value);
	check(_metadata, self);
	close(fd);
	close(uffd);
}

/* A clean page may be dropped at once, so nothing must write to it any more. */
TEST_BATCH(madv_free)
{
	char *p = mirrored(_metadata, self, SMALL);

	ASSERT_EQ(0, madvise(p, SMALL, MADV_FREE));
	EXPECT_TRUE(agrees(self, p, SMALL));
	self->before = mn_stats(self);
	ASSERT_EQ(0, madvise(p, SMALL, MADV_PAGEOUT));
	EXPECT_EQ(self->before.deferred, mn_stats(self).deferred);
	told(_metadata, self, CLEAR);
	usable(_metadata, self, p, SMALL);
}

/* Others are flushed at the start, and have the page no more. */
TEST_BATCH(beside)
{
	struct work pageout = { .run = advise, .len = PAGE, .advice = MADV_PAGEOUT };
	struct mn other;
	char *p;

	if (!have_swap())
		SKIP(return, NO_SWAP);
	set_up(_metadata, &other, TEST_MN_PAGE_TABLE, TEST_MN_HLIST);
	p = mirrored(_metadata, self, PAGE);
	ASSERT_TRUE(agrees(&other, p, PAGE));
	pageout.addr = p;
	ASSERT_TRUE(get_ready(&pageout));
	hold_window(self, pageout.tid);
	begin(&pageout);
	EXPECT_TRUE(in_window(self, p));
	EXPECT_EQ(0, mn_stats(&other).entries);
	EXPECT_TRUE(mn_fill(self, p, PAGE, BY_DEVICE_AGAIN));
	end_window(self);
	ASSERT_EQ(0, finish(&pageout));

	check(_metadata, &other);
	EXPECT_TRUE(agrees(&other, p, PAGE));
	EXPECT_TRUE(holds(p, PAGE, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, PAGE);
	close(other.fd);
}

/* What is written by the TLB alone is there after the copy. */
TEST_BATCH(migrate)
{
	struct work moving = { .run = move, .len = PAGE };
	char *p;

	if (far_node() < 0)
		SKIP(return, NO_NODE);
	p = mirrored(_metadata, self, PAGE);
	moving.addr = p;
	moving.node = far_node();
	if (pages_on(p, PAGE, moving.node, false))
		moving.node = this_node();
	ASSERT_TRUE(get_ready(&moving));
	hold_window(self, moving.tid);
	begin(&moving);
	EXPECT_TRUE(in_window(self, p));
	EXPECT_TRUE(mn_fill(self, p, PAGE, BY_DEVICE_AGAIN));
	EXPECT_LT(self->before.late, mn_stats(self).late);
	check_now(_metadata, self);
	end_window(self);
	EXPECT_EQ(0, finish(&moving));

	check(_metadata, self);
	EXPECT_TRUE(holds(p, PAGE, BY_DEVICE_AGAIN));
	usable(_metadata, self, p, PAGE);
}

/* --- memory of two processes ------------------------------------------------ */

/*
 * A page of a file in memory.  Reclaim comes to the first process first: its mapping
 * begins one page before.
 */
struct pair {
	char *p;
	pid_t pid;
	int to, from;		/* pipes */
	struct mn other;	/* the secondary MMU of the other process */
};

enum request { LOCK, WRITE };
enum answer { FAILED, DONE, NO_CGROUP };

static enum answer serve(struct pair *pair, enum request request)
{
	switch (request) {
	case LOCK:
		return mlock(pair->p, PAGE) ? FAILED : DONE;
	case WRITE:
		return mn_fill(&pair->other, pair->p, PAGE, BY_DEVICE_AGAIN) ?
		       DONE : FAILED;
	}
	return FAILED;
}

/* The page belongs to its cgroup, and so does nothing of the first process. */
static void be_other(struct pair *pair, int in, int out)
{
	enum answer answer = NO_CGROUP;
	enum request request;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (enter_cgroup())
		answer = !munmap(pair->p - PAGE, PAGE) &&
			 child_attaches(&pair->other, pair->other.fd, pair->p, PAGE) ?
			 DONE : FAILED;
	while (write(out, &answer, sizeof(answer)) == sizeof(answer) &&
	       read(in, &request, sizeof(request)) == sizeof(request))
		answer = serve(pair, request);
}

static enum answer answer_of(struct pair *pair)
{
	enum answer answer;

	return read(pair->from, &answer, sizeof(answer)) == sizeof(answer) ?
	       answer : FAILED;
}

static enum answer ask(struct pair *pair, enum request request)
{
	return write(pair->to, &request, sizeof(request)) == sizeof(request) ?
	       answer_of(pair) : FAILED;
}

static enum answer begin_other(struct mn *self, struct pair *pair)
{
	int file = memory_file(2 * PAGE), to[2], from[2];
	char *map = map_flags(2 * PAGE, MAP_SHARED, file);

	if (!map || pipe(to) || pipe(from))
		return FAILED;
	pair->p = map + PAGE;
	pair->other = *self;
	pair->other.fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	IN_CHILD(pair->pid) {
		close(to[1]);
		close(from[0]);
		be_other(pair, to[0], from[1]);
	}
	close(file);
	close(to[0]);
	close(from[1]);
	pair->to = to[1];
	pair->from = from[0];
	return answer_of(pair);
}

/* Both have it mapped, and @reclaiming is ready.  Returns false if the test is skipped. */
static bool begin_pair(struct __test_metadata *_metadata, struct mn *self,
		       struct pair *pair, struct work *reclaiming)
{
	enum answer answer;

	if (!have_swap())
		SKIP(return false, NO_SWAP);
	answer = begin_other(self, pair);
	if (answer == NO_CGROUP)
		SKIP(return false, "no memory cgroups");
	ASSERT_EQ(DONE, answer);
	mirror(_metadata, self, pair->p, PAGE);
	ASSERT_TRUE(get_ready(reclaiming));
	return true;
}

static bool end_pair(struct pair *pair)
{
	bool ok;

	close(pair->to);
	close(pair->from);
	ok = child_ok(pair->pid);
	close(pair->other.fd);
	leave_cgroup();
	return ok;
}

/* Both are flushed, and before that both may write. */
TEST_BATCH(two_mms)
{
	struct work reclaiming = { .run = shrink };
	struct pair pair;

	if (!begin_pair(_metadata, self, &pair, &reclaiming))
		return;
	hold_window(self, reclaiming.tid);
	begin(&reclaiming);
	EXPECT_TRUE(in_window(self, pair.p));
	/* It has more that may be reclaimed, but this is what comes next. */
	pair.other.before = mn_stats(&pair.other);
	hold_end(&pair.other, reclaiming.tid);
	end_window(self);
	EXPECT_TRUE(deferred(&pair.other));
	EXPECT_TRUE(mn_fill(self, pair.p, PAGE, BY_DEVICE));
	EXPECT_LT(self->before.late, mn_stats(self).late);
	EXPECT_EQ(DONE, ask(&pair, WRITE));
	EXPECT_LT(pair.other.before.late, mn_stats(&pair.other).late);
	check_now(_metadata, self);
	check_now(_metadata, &pair.other);
	EXPECT_EQ(self->before.flushes, mn_stats(self).flushes);
	end_window(&pair.other);
	finish(&reclaiming);

	EXPECT_EQ(1, mn_stats(self).flushes - self->before.flushes);
	EXPECT_LT(pair.other.before.flushes, mn_stats(&pair.other).flushes);
	check(_metadata, self);
	check(_metadata, &pair.other);
	EXPECT_TRUE(holds(pair.p, PAGE, BY_DEVICE_AGAIN));
	usable(_metadata, self, pair.p, PAGE);
	EXPECT_TRUE(end_pair(&pair));
}

/* The other process locks the page in memory before reclaim comes to it. */
TEST_BATCH(unmapped_in_part)
{
	struct work reclaiming = { .run = shrink };
	struct watcher watcher;
	unsigned char resident;
	struct pair pair;

	if (!begin_pair(_metadata, self, &pair, &reclaiming))
		return;
	if (!begin_watch(_metadata, self, &watcher))
		return;
	hold_window(self, reclaiming.tid);
	begin(&reclaiming);
	EXPECT_TRUE(in_window(self, pair.p));
	EXPECT_TRUE(mn_fill(self, pair.p, PAGE, BY_DEVICE_AGAIN));
	EXPECT_EQ(DONE, ask(&pair, LOCK));
	end_window(self);
	finish(&reclaiming);

	EXPECT_EQ(0, end_watch(self, &watcher));
	EXPECT_LT(self->before.flushes, mn_stats(self).flushes);
	EXPECT_EQ(0, mincore(pair.p, PAGE, &resident));
	EXPECT_TRUE(resident & 1);
	check(_metadata, self);
	EXPECT_TRUE(holds(pair.p, PAGE, BY_DEVICE_AGAIN));
	usable(_metadata, self, pair.p, PAGE);
	EXPECT_TRUE(end_pair(&pair));
}

TEST_HARNESS_MAIN
