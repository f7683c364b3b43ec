// SPDX-License-Identifier: GPL-2.0
/*
 * The device of lib/test_mmu_notifier_device.c itself: it must reject what is wrong,
 * and survive any arguments.
 */
#include <signal.h>

#include "mmu_notifier_paths.h"

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
	EXPECT_EQ(-EINVAL, attach(self->fd, TEST_MN_DEFER + 1, TEST_MN_HLIST));
	EXPECT_EQ(-EINVAL, attach(self->fd, TEST_MN_SVA, TEST_MN_INTERVAL));
	EXPECT_EQ(-EINVAL, attach(self->fd, TEST_MN_DEFER, TEST_MN_INTERVAL));
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

	/* Another address space is not attached, even if it is a copy. */
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
 * The device must cope with any arguments, and return what its header says.
 * What is wrong with the arguments is worked out here, as the set of errors that
 * would be right; if nothing is, the call must succeed.
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
 * Flipping one bit of these addresses doesn't make them addresses of other memory,
 * except for bits 20 to 31, which are not flipped.
 */
#define ARENA		((char *)0x155500000000)
#define ARENA_RW	(ARENA + 0x100000)
#define ARENA_RO	(ARENA + 0x200000)
#define ARENA_LEN	0x1000000UL
#define ARENA_ARGS	(ARENA + 0x400000)	/* a page */
#define ARENA_SEALED	(ARENA + 0x800000)	/* the same page, read-only */

/* The end of the address space with four levels of page tables. */
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

/* An open device, and what it must be attached to. */
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
	return mn_random(&f->random) % n;
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
		args->delay.tid = pick(f, 2) ? 0 : pick(f, -1U);
		args->delay.usecs = pick(f, 4) ? pick(f, 10) :
				    pick(f, 2) ? pick(f, 20001) : 60000001;
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

/* Where the arguments claim to be: the kernel may have no access to them. */
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

/* Arguments that cross the end of the page are cut off. */
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

	if (arg->class < TEST_MN_PAGE_TABLE || arg->class > TEST_MN_DEFER ||
	    (!interval && arg->kind != TEST_MN_HLIST) || arg->flags)
		wrong |= ERROR(EINVAL);
	if (!interval && (arg->start || arg->len))
		wrong |= ERROR(EINVAL);
	if (interval && (arg->class == TEST_MN_TLB || arg->class == TEST_MN_SVA ||
			 arg->class == TEST_MN_DEFER ||
			 (arg->start | arg->len) % PAGE || !arg->len ||
			 beyond_end(arg->start, arg->len)))
		wrong |= ERROR(EINVAL);
	return wrong;
}

/* For calls that only the attached process may make, and on mapped memory. */
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
		       args->delay.usecs > 60000000 ? ERROR(EINVAL) : 0;
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
	/* No other thread would attach it again. */
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

	/* None of them has suffered, or done, any harm. */
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

TEST_HARNESS_MAIN
