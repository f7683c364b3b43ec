/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all users of lib/test_mmu_notifier_device.c share: its device, the kinds of
 * secondary MMU that it offers, and random numbers to use them with.
 *
 * Nothing here needs code from elsewhere: the thread of mmu_notifier_preload.c
 * can't call any.
 */
#ifndef __MMU_NOTIFIER_DEVICE_H__
#define __MMU_NOTIFIER_DEVICE_H__

#include <stdint.h>

#include <lib/test_mmu_notifier_uapi.h>

#define DEVICE		"/dev/test_mmu_notifier"
#define PAGE		4096UL
#define HUGE		(2UL << 20)

/* Everything but the first page and the end of the address space. */
#define ALL_START	PAGE
#define ALL_LEN		((1UL << 47) - 4 * PAGE)

struct mn_class {
	const char *name;
	unsigned int class, kind;
};

static const struct mn_class mn_classes[] = {
	{ "page_table", TEST_MN_PAGE_TABLE, TEST_MN_HLIST },
	{ "page_table_interval", TEST_MN_PAGE_TABLE, TEST_MN_INTERVAL },
	{ "tlb", TEST_MN_TLB, TEST_MN_HLIST },
	{ "remote", TEST_MN_REMOTE, TEST_MN_HLIST },
	{ "remote_interval", TEST_MN_REMOTE, TEST_MN_INTERVAL },
	{ "sva", TEST_MN_SVA, TEST_MN_HLIST },
	{ "defer", TEST_MN_DEFER, TEST_MN_HLIST },
	{}
};

#define NR_CLASSES	7

/* The argument of TEST_MN_ATTACH for the whole address space. */
static inline struct test_mn_attach mn_attach_all(unsigned int class,
						  unsigned int kind)
{
	struct test_mn_attach arg = { .class = class, .kind = kind };

	if (kind == TEST_MN_INTERVAL) {
		arg.start = ALL_START;
		arg.len = ALL_LEN;
	}
	return arg;
}

/* splitmix64: any seed is as good as another. */
static inline uint64_t mn_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

#endif /* __MMU_NOTIFIER_DEVICE_H__ */
