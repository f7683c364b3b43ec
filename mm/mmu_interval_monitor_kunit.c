// SPDX-License-Identifier: GPL-2.0
/*
 * Interval subscriptions of a KUnit suite, see mmu_interval_monitor_kunit.h.
 */

#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <kunit/test.h>

#include "mmu_interval_monitor_kunit.h"
#include "mmu_notifier_kunit.h"

/* -------------------------------- monitors -------------------------------- */

static struct mn_monitor *to_monitor(struct mmu_interval_notifier *interval)
{
	return container_of(interval, struct mn_monitor, interval);
}

static bool monitor_invalidate(struct mmu_interval_notifier *interval,
			       const struct mmu_notifier_range *range,
			       unsigned long cur_seq)
{
	struct mn_monitor *mon = to_monitor(interval);
	bool refused = mon->refuse && !mmu_notifier_range_blockable(range);

	spin_lock(&mon->lock);
	mon->calls++;
	mon->running++;
	mon->range = *range;
	mon->seq = cur_seq;
	spin_unlock(&mon->lock);

	mn_gate_pass(mon->gate);

	spin_lock(&mon->lock);
	mon->running--;
	if (!refused) {
		mmu_interval_set_seq(interval, cur_seq);
		mon->spte = 0;
	}
	spin_unlock(&mon->lock);
	return !refused;
}

const struct mmu_interval_notifier_ops mn_monitor_ops = {
	.invalidate	= monitor_invalidate,
};

struct mn_monitor *mn_monitor_alloc(struct kunit *test)
{
	struct mn_monitor *mon = mn_test_alloc(test, sizeof(*mon));

	spin_lock_init(&mon->lock);
	return mon;
}

int mn_monitor_insert(struct mn_monitor *mon, struct mm_struct *mm,
		      unsigned int first, unsigned int nr)
{
	return mmu_interval_notifier_insert(&mon->interval, mm, mn_page(first),
					    nr * PAGE_SIZE, &mn_monitor_ops);
}

void mn_monitor_cleanup(void *data)
{
	struct mn_monitor *mon = data;

	if (!mn_test_lost())
		mmu_interval_notifier_remove(&mon->interval);
}

struct mn_monitor *mn_monitor_new(struct kunit *test, struct mm_struct *mm,
				  unsigned int first, unsigned int nr)
{
	struct mn_monitor *mon = mn_monitor_alloc(test);

	KUNIT_ASSERT_EQ(test, mn_monitor_insert(mon, mm, first, nr), 0);
	mn_test_defer(test, mn_monitor_cleanup, mon);
	return mon;
}

void mn_monitor_remove(struct kunit *test, struct mn_monitor *mon)
{
	kunit_release_action(test, mn_monitor_cleanup, mon);
}

bool mn_monitor_retry(struct mn_monitor *mon, unsigned long seq)
{
	bool retry;

	spin_lock(&mon->lock);
	retry = mmu_interval_read_retry(&mon->interval, seq);
	spin_unlock(&mon->lock);
	return retry;
}

/* ---------------------------- drivers as threads -------------------------- */

/* Read until no retry is needed */
void mn_reader_thread(void *data)
{
	struct mn_reader *reader = data;
	struct mn_monitor *mon = reader->mon;
	unsigned long seq;

	if (reader->insert) {
		reader->ret = mn_monitor_insert(mon, reader->mm, reader->first,
						reader->nr);
		if (reader->ret)
			return;
	}
	do {
		schedule();
		seq = mmu_interval_read_begin(&mon->interval);
	} while (mn_monitor_retry(mon, seq));
	reader->saw_ended = READ_ONCE(reader->ended);
	if (reader->remove)
		mmu_interval_notifier_remove(&mon->interval);
}

struct mn_reader *mn_reader_new(struct kunit *test, struct mn_monitor *mon)
{
	struct mn_reader *reader = mn_test_alloc(test, sizeof(*reader));

	reader->mon = mon;
	return reader;
}

/* Expect that a read that begins now succeeds */
void mn_expect_readable(struct kunit *test, struct mn_monitor *mon)
{
	struct mn_thread *thread = mn_thread_run(test, mn_reader_thread,
						 mn_reader_new(test, mon));

	KUNIT_EXPECT_TRUE(test, mn_thread_join(thread));
}

void mn_remove_thread(void *data)
{
	struct mn_remover *remover = data;

	mmu_interval_notifier_remove(&remover->mon->interval);
	remover->running = READ_ONCE(remover->mon->running);
}
