/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of tests that run with every kind of secondary MMU, one test for
 * each path of mm/.  One alone is run by
 *
 *	mmu_notifier_..._test -r mn.VARIANT.PATH
 */
#ifndef __MMU_NOTIFIER_PATHS_H__
#define __MMU_NOTIFIER_PATHS_H__

#include "mmu_notifier_harness.h"

FIXTURE(mn)
{
	struct mn mn;
};

FIXTURE_VARIANT(mn)
{
	unsigned int class;
	unsigned int kind;
};

FIXTURE_VARIANT_ADD(mn, page_table)
{
	.class = TEST_MN_PAGE_TABLE,
	.kind = TEST_MN_HLIST,
};

FIXTURE_VARIANT_ADD(mn, page_table_interval)
{
	.class = TEST_MN_PAGE_TABLE,
	.kind = TEST_MN_INTERVAL,
};

FIXTURE_VARIANT_ADD(mn, tlb)
{
	.class = TEST_MN_TLB,
	.kind = TEST_MN_HLIST,
};

FIXTURE_VARIANT_ADD(mn, remote)
{
	.class = TEST_MN_REMOTE,
	.kind = TEST_MN_HLIST,
};

FIXTURE_VARIANT_ADD(mn, remote_interval)
{
	.class = TEST_MN_REMOTE,
	.kind = TEST_MN_INTERVAL,
};

FIXTURE_VARIANT_ADD(mn, sva)
{
	.class = TEST_MN_SVA,
	.kind = TEST_MN_HLIST,
};

FIXTURE_VARIANT_ADD(mn, defer)
{
	.class = TEST_MN_DEFER,
	.kind = TEST_MN_HLIST,
};

FIXTURE_SETUP(mn)
{
	set_up(_metadata, &self->mn, variant->class, variant->kind);
}

FIXTURE_TEARDOWN(mn)
{
	close(self->mn.fd);
}

#define TEST_PATH(name)							\
	static void path_##name(struct __test_metadata *_metadata,	\
				struct mn *self);			\
	TEST_F_TIMEOUT(mn, name, FOR_EVER)				\
	{								\
		path_##name(_metadata, &self->mn);			\
	}								\
	static void path_##name(struct __test_metadata *_metadata,	\
				struct mn *self)

#endif /* __MMU_NOTIFIER_PATHS_H__ */
