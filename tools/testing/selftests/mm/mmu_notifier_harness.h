/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test of MMU notifiers does and checks.  It fills memory, has the
 * secondary MMU read and write all of it, and lets the kernel change it.  Then
 *
 *  - no translation may be left that disagrees with the CPU's page tables,
 *  - the secondary MMU must have been notified, and have dropped something for it,
 *  - it must read what the CPU reads, and the other way round.
 *
 * The functions are here because kselftest_harness.h can be in only one object
 * file of a program.
 */
#ifndef __MMU_NOTIFIER_HARNESS_H__
#define __MMU_NOTIFIER_HARNESS_H__

#include "../kselftest_harness.h"
#include "mmu_notifier_common.h"

/*
 * Only whoever runs the tests can say how long one may take, and sees whether it
 * makes progress.
 */
#define FOR_EVER	86400

/* Opens the device, and attaches nothing yet. */
static inline void open_device(struct __test_metadata *_metadata, struct mn *mn,
			       unsigned int class, unsigned int kind)
{
	stay_on_cpu();
	mn->class = class;
	mn->kind = kind;
	mn->fd = open(DEVICE, O_RDWR);
	if (mn->fd < 0)
		SKIP(return, "no " DEVICE " (CONFIG_TEST_MMU_NOTIFIER)");
}

static inline void set_up(struct __test_metadata *_metadata, struct mn *mn,
			  unsigned int class, unsigned int kind)
{
	open_device(_metadata, mn, class, kind);
	if (mn->fd >= 0)
		ASSERT_EQ(0, attach(mn->fd, class, kind));
}

/* Maps some of @memory.  Returns NULL if the test is to be skipped. */
static inline char *map_memory(struct __test_metadata *_metadata,
			       const struct memory *memory)
{
	char *p = memory->map(memory->len);

	if (!p && memory->none)
		SKIP(return NULL, "%s", memory->none);
	ASSERT_NE(NULL, p);
	return p;
}

/* The secondary MMU has all of the range mapped for writing, and has written it. */
static inline void mirror(struct __test_metadata *_metadata, struct mn *self,
			  char *addr, size_t len)
{
	fill(addr, len, BY_CPU);
	ASSERT_TRUE(agrees(self, addr, len));
	ASSERT_TRUE(mn_fill(self, addr, len, BY_DEVICE));
	ASSERT_TRUE(holds(addr, len, BY_DEVICE));
	self->before = mn_stats(self);
	ASSERT_EQ(0, self->before.stale);
}

/* Maps memory of its own for that, and returns where it is. */
static inline char *mirrored(struct __test_metadata *_metadata,
			     struct mn *self, size_t len)
{
	char *p = map(len);

	ASSERT_NE(NULL, p);
	mirror(_metadata, self, p, len);
	return p;
}

/* The secondary MMU has all of the range mapped for reading. */
static inline void mirror_read(struct __test_metadata *_metadata,
			       struct mn *self, char *addr, size_t len)
{
	ASSERT_TRUE(agrees(self, addr, len));
	self->before = mn_stats(self);
	ASSERT_EQ(0, self->before.stale);
}

/* No translation is stale, and each start had its end. */
static inline void check(struct __test_metadata *_metadata, struct mn *self)
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

/* There was an invalidation that dropped something, and nothing is stale. */
static inline void told(struct __test_metadata *_metadata, struct mn *self,
			enum event event)
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
static inline void usable(struct __test_metadata *_metadata, struct mn *self,
			  char *addr, size_t len)
{
	EXPECT_TRUE(agrees(self, addr, len));
	fill(addr, len, BY_CPU_AGAIN);
	EXPECT_TRUE(agrees(self, addr, len));
	EXPECT_TRUE(mn_fill(self, addr, len, BY_DEVICE_AGAIN));
	EXPECT_TRUE(holds(addr, len, BY_DEVICE_AGAIN));
	check(_metadata, self);
}

/* The address space that @fd was attached to has ended. */
static inline void gone(struct __test_metadata *_metadata, int fd)
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

#endif /* __MMU_NOTIFIER_HARNESS_H__ */
