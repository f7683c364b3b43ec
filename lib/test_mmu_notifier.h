/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The software secondary MMU, as its parts see it.
 *
 * The translations are in an XArray, so that they can be read and dropped, and
 * their young bits cleared, where the device lock can't be taken.  That is also why
 * what TEST_MN_DEFER has dropped stays there, with a mark, until its TLB is flushed.
 *
 * Lock order:
 *
 *	test_file::sem
 *	  mmap_lock
 *	    page table lock
 *	      test_mmu::log_lock
 *	      xa_lock of test_mmu::entries
 *	  test_mmu::lock	(in callbacks: below mmap_lock and the locks of
 *	    xa_lock		 the reverse map, never below a page table lock)
 */
#ifndef _LIB_TEST_MMU_NOTIFIER_H
#define _LIB_TEST_MMU_NOTIFIER_H

#include <linux/atomic.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "test_mmu_notifier_oracle.h"
#include "test_mmu_notifier_uapi.h"

#define TLB_ENTRIES	64
#define LOG_SIZE	32

/* Marks what is part of a huge page, or was when it was last set; TEST_MN_SVA */
#define ENTRY_HUGE	XA_MARK_0

/* Counters are only ever added to, and each is read on its own. */
struct test_counters {
	atomic64_t accesses, faults, retries, checked, stale;
	atomic64_t invalidations[TEST_MN_EVENTS], dropped[TEST_MN_EVENTS];
	atomic64_t tlb_flushes, tlb_dropped, wide;
	atomic64_t flush_young, clear_young, test_young, young_pages, young;
	atomic64_t refused, unpaired, released;
	atomic64_t deferred, late, flushes;
};

struct test_event {
	unsigned long start, end;
	unsigned long when;		/* jiffies */
	enum mmu_notifier_event event;
};

/* At a point.  ->tid is set first, and read last. */
struct test_delay {
	unsigned int usecs;
	pid_t tid;			/* 0: of any thread */
};

/* An attached secondary MMU. */
struct test_mmu {
	struct mm_struct *mm;
	enum test_mn_class class;
	enum test_mn_kind kind;
	struct test_delay *delays;
	struct mmu_notifier whole;
	struct mmu_interval_notifier interval;
	struct xarray entries;

	spinlock_t lock;		/* to set, use and drop translations */
	unsigned long seq;		/* ranges that have ended */
	unsigned long in_progress;
	unsigned long range_start, range_end;	/* around all in progress */
	unsigned int tlb_used;

	/* TEST_MN_SVA takes no lock; see sva_fill(). */
	atomic_t flush_seq;

	wait_queue_head_t wait;		/* for in_progress to become 0 */
	struct test_counters count;

	spinlock_t log_lock;		/* the rest, below page table locks */
	struct test_event log[LOG_SIZE];
	unsigned int logged;
	struct test_mn_stale first_stale;
};

enum test_access_how { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH_ADD };

struct test_access {
	enum test_access_how how;
	void *buffer;		/* ACCESS_READ, ACCESS_WRITE */
	u64 value;		/* ACCESS_FETCH_ADD */
};

/* test_mmu_notifier_subscriber.c */
int test_mn_remote_init(void);
void test_mn_remote_exit(void);
int test_mn_subscribe(struct test_mmu *mmu, const struct test_mn_attach *attach);
void test_mn_unsubscribe(struct test_mmu *mmu);
void test_mn_delay_at(struct test_mmu *mmu, enum test_mn_point point);
unsigned long test_mn_drop_all(struct test_mmu *mmu);
void test_mn_set_young(struct test_mmu *mmu, unsigned long index, void *entry,
		       bool young);

/* test_mmu_notifier_access.c */
int test_mn_map(struct test_mmu *mmu, unsigned long addr, bool write);
int test_mn_access_page(struct test_mmu *mmu, unsigned long addr,
			unsigned long len, struct test_access *access);

/* test_mmu_notifier_report.c */
void test_mn_log(struct test_mmu *mmu, const struct mmu_notifier_range *range);
int test_mn_verify(struct test_mmu *mmu, unsigned long addr);

#endif /* _LIB_TEST_MMU_NOTIFIER_H */
