// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MMU notifiers: the suite mmu_notifier.
 *
 * Every test allocates address spaces of its own with mm_alloc(), registers
 * subscribers that record what they are notified of, calls the functions that the
 * mm calls (mmu_notifier_invalidate_range_start() and the like), and compares. No
 * page table is involved unless a test says so: what the mm notifies of is tested
 * elsewhere, that everybody is notified is tested here.
 *
 * Tests of concurrency hold a callback at a gate in one thread and check what
 * another thread can do meanwhile. No test depends on how long anything takes; a
 * thread that never returns fails its test and all that follow, as whatever it
 * holds can't be freed.
 */

#include <linux/init.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"
#include "mmu_notifier_sub_kunit.h"

static struct kunit_case * const parts[] = {
	mn_register_cases, mn_delivery_cases, mn_race_cases,
};

static struct kunit_suite mmu_notifier_suite = {
	.name = "mmu_notifier",
	.init = mn_sub_init,
};

/* KUnit takes one array of cases, after all initcalls */
static int __init join_parts(void)
{
	struct kunit_case *tests, *next, *part;
	size_t i, nr = 1;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		for (part = parts[i]; part->run_case; part++)
			nr++;

	tests = kcalloc(nr, sizeof(*tests), GFP_KERNEL | __GFP_NOFAIL);
	next = tests;
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		for (part = parts[i]; part->run_case; part++)
			*next++ = *part;

	mmu_notifier_suite.test_cases = tests;
	return 0;
}
subsys_initcall(join_parts);

kunit_test_suite(mmu_notifier_suite);

MODULE_DESCRIPTION("KUnit tests for MMU notifiers");
MODULE_LICENSE("GPL");
