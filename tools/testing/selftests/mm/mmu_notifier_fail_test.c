// SPDX-License-Identifier: GPL-2.0
/*
 * Failing allocations: the first allocation of an operation fails, then the second
 * and so on.  The operation must then be done either completely or not at all, and
 * no translation may be stale.
 */
#include <sys/prctl.h>
#include <sys/rseq.h>

#include "mmu_notifier_paths.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAIL_SLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"

#define OUT_OF_MEMORY	"expected_fail"	/* in what the kernel prints */

#define NO_FAULTS	"no fault injection (CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC)"

/* Makes it possible that any allocation fails, and silently. */
static bool allocations_can_fail(void)
{
	return !write_text(FAIL_SLAB "ignore-gfp-wait", "N") &&
	       !write_text(FAIL_SLAB "verbose", "0") &&
	       !write_text(FAIL_PAGES "ignore-gfp-wait", "N") &&
	       !write_text(FAIL_PAGES "ignore-gfp-highmem", "N") &&
	       !write_text(FAIL_PAGES "min-order", "0") &&
	       !write_text(FAIL_PAGES "verbose", "0");
}

/*
 * From here on, the @nth allocation of this thread fails; with 0 none does.  If it
 * was for a stack the kernel complains, and prints the name of the thread.
 */
static void fail_nth(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	prctl(PR_SET_NAME, nth ? OUT_OF_MEMORY : program_invocation_short_name);
	if (pwrite(fd, text, len, 0) != len)
		perror(FAIL_NTH);
}

/* Ends this, and returns whether an allocation has failed. */
static bool has_failed(int fd)
{
	char text[16] = "";
	bool failed = pread(fd, text, sizeof(text) - 1, 0) > 0 && text[0] == '0';

	fail_nth(fd, 0);
	return failed;
}

/* Each allocation takes one more round, and most of a round is looking at memory. */
#define FEW	(4 * PAGE)

/*
 * Something that allocates memory, and must be done either completely or not at
 * all.  Before it, the first pages at @p hold what the device has written.
 */
struct attempt {
	struct mn *self;
	char *p, *to;
	pid_t child;
	int go;
};

struct operation {
	/* Instead of map(), for HUGE bytes. */
	char *(*map_huge)(size_t len);
	/* Those pages are not there before, but must be afterwards. */
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

/* Returns false if the attempt can't be made. */
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
	/* The kernel kills a thread if it fails to write to its rseq area. */
	syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset,
		32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	fd = open(FAIL_NTH, O_RDWR);
	if (fd < 0)
		SKIP(return, NO_FAULTS);
	/* The first time may need more allocations, or fewer. */
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

/* The memory is not mapped by the CPU yet either. */
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
		SKIP(return, NO_SWAP);
	fail_each(_metadata, self, &op);
}

/* The child gets copies of the page tables, and does nothing. */
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
		.map_huge = map_aligned,
		.run = run_collapse,
		.done = collapsed,
	};

	fail_each(_metadata, self, &op);
}

/* How a child has ended: without a failed allocation, with one, or wrongly. */
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

TEST_HARNESS_MAIN
