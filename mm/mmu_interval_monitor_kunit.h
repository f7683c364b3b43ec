/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Monitors, the interval subscriptions of the KUnit suite mmu_interval_notifier,
 * and threads that read and remove them as drivers do.
 *
 * A monitor is an interval with a lock and a count of what it was notified of.
 */
#ifndef _MM_MMU_INTERVAL_MONITOR_KUNIT_H
#define _MM_MMU_INTERVAL_MONITOR_KUNIT_H

#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <kunit/test.h>

#include "mmu_notifier_kunit.h"

struct mn_monitor {
	struct mmu_interval_notifier interval;

	/* what to do when called */
	bool refuse;		/* ranges that may not block */
	struct mn_gate *gate;

	/* what happened */
	spinlock_t lock;
	unsigned int calls;
	unsigned int running;
	unsigned long seq;
	struct mmu_notifier_range range;

	/* the one page table entry of the stress test, 0 if empty */
	unsigned int spte;
};

struct mn_reader {
	struct mn_monitor *mon;
	bool insert;			/* first insert the monitor */
	bool remove;			/* finally remove it */
	struct mm_struct *mm;
	unsigned int first;
	unsigned int nr;
	bool ended;			/* the test: the range has ended */
	bool saw_ended;			/* it had when the reader returned */
	int ret;
};

struct mn_remover {
	struct mn_monitor *mon;
	unsigned int running;	/* callbacks running when remove returned */
};

extern const struct mmu_interval_notifier_ops mn_monitor_ops;

struct mn_monitor *mn_monitor_alloc(struct kunit *test);
int mn_monitor_insert(struct mn_monitor *mon, struct mm_struct *mm,
		      unsigned int first, unsigned int nr);
struct mn_monitor *mn_monitor_new(struct kunit *test, struct mm_struct *mm,
				  unsigned int first, unsigned int nr);
void mn_monitor_remove(struct kunit *test, struct mn_monitor *mon);
void mn_monitor_cleanup(void *data);
bool mn_monitor_retry(struct mn_monitor *mon, unsigned long seq);

struct mn_reader *mn_reader_new(struct kunit *test, struct mn_monitor *mon);
void mn_reader_thread(void *data);
void mn_expect_readable(struct kunit *test, struct mn_monitor *mon);
void mn_remove_thread(void *data);

#endif /* _MM_MMU_INTERVAL_MONITOR_KUNIT_H */
