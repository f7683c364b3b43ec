// SPDX-License-Identifier: GPL-2.0
/*
 * Software secondary MMU: the report of a stale translation, which includes
 * the last event that should have removed it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "test_mmu_notifier.h"

/**
 * test_mn_log - log an invalidation
 * @mmu: the secondary MMU
 * @range: the range
 */
void test_mn_log(struct test_mmu *mmu, const struct mmu_notifier_range *range)
{
	struct test_event *event;

	atomic64_inc(&mmu->count.invalidations[range->event]);
	if (range->end - range->start >= PMD_SIZE)
		atomic64_inc(&mmu->count.wide);
	spin_lock(&mmu->log_lock);
	event = &mmu->log[mmu->logged++ % LOG_SIZE];
	event->start = range->start;
	event->end = range->end;
	event->event = range->event;
	event->when = jiffies;
	spin_unlock(&mmu->log_lock);
}

/* Find the last invalidation of an address. */
static void last_event(struct test_mmu *mmu, struct test_mn_stale *stale)
{
	unsigned int n, oldest = 0;

	stale->event = TEST_MN_NO_EVENT;
	lockdep_assert_held(&mmu->log_lock);
	if (mmu->logged > LOG_SIZE)
		oldest = mmu->logged - LOG_SIZE;
	for (n = mmu->logged; n > oldest; n--) {
		struct test_event *event = &mmu->log[(n - 1) % LOG_SIZE];

		if (stale->addr < event->start || stale->addr >= event->end)
			continue;
		stale->event = event->event;
		stale->event_age_ms = jiffies_to_msecs(jiffies - event->when);
		return;
	}
}

static void report(struct test_mmu *mmu, const struct test_verdict *verdict)
{
	struct test_mn_stale stale = {
		.addr = verdict->addr & PAGE_MASK,
		.pfn = entry_pfn(verdict->entry),
		.cpu_pfn = verdict->leaf.pfn,
		.age_ms = entry_age(verdict->entry),
		.flags = TEST_MN_STALE_FOUND,
	};
	bool first = false;

	if (entry_writable(verdict->entry))
		stale.flags |= TEST_MN_STALE_WRITABLE;
	if (verdict->leaf.present)
		stale.flags |= TEST_MN_CPU_PRESENT;
	if (verdict->leaf.writable)
		stale.flags |= TEST_MN_CPU_WRITABLE;

	atomic64_inc(&mmu->count.stale);
	spin_lock(&mmu->log_lock);
	last_event(mmu, &stale);
	if (!mmu->first_stale.flags) {
		mmu->first_stale = stale;
		first = true;
	}
	spin_unlock(&mmu->log_lock);

	if (first)
		pr_warn("%s[%d]: stale translation of %#llx: pfn %#llx%s, the CPU has %#llx%s%s; set %llu ms ago, last event %d %llu ms ago\n",
			current->comm, task_pid_nr(current), stale.addr,
			stale.pfn,
			stale.flags & TEST_MN_STALE_WRITABLE ? " rw" : " ro",
			stale.cpu_pfn,
			stale.flags & TEST_MN_CPU_PRESENT ? "" : " not present",
			stale.flags & TEST_MN_CPU_WRITABLE ? " rw" : " ro",
			stale.age_ms, (int)stale.event, stale.event_age_ms);
}

/**
 * test_mn_verify - verify the translation of an address
 * @mmu: the secondary MMU
 * @addr: the address
 *
 * A stale translation is reported and dropped.
 *
 * Return: 1 if it is stale, 0 if not, -ENOENT if there is none, or -EINTR.
 */
int test_mn_verify(struct test_mmu *mmu, unsigned long addr)
{
	struct test_verdict verdict = {
		.mm = mmu->mm,
		.entries = &mmu->entries,
		.addr = addr,
	};

	if (test_mn_judge(&verdict))
		return -EINTR;
	if (!verdict.entry)
		return -ENOENT;
	atomic64_inc(&mmu->count.checked);
	if (verdict.stale)
		report(mmu, &verdict);
	return verdict.stale;
}
