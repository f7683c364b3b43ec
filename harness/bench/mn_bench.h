/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/mn_bench: subscribers whose cost is to be measured.  Each open file has
 * any number of them, all in the address space of the process that adds them.
 *
 * A file may also count how often mmu_lock of a VM is taken; one at a time.
 */
#ifndef MN_BENCH_H
#define MN_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MN_BENCH_LIST		0	/* mmu_notifier_register() */
#define MN_BENCH_INTERVAL	1	/* mmu_interval_notifier_insert() */

/**
 * struct mn_bench_add - add subscribers to the caller's address space
 * @kind: MN_BENCH_LIST or MN_BENCH_INTERVAL
 * @count: how many
 * @start: first address that the first one is interested in
 * @length: how much it is interested in
 * @stride: from one subscriber's first address to that of the next
 * @sleep_ms: how long a blockable invalidation that hits sleeps
 * @reserved: 0
 */
struct mn_bench_add {
	__u32 kind;
	__u32 count;
	__u64 start;
	__u64 length;
	__u64 stride;
	__u32 sleep_ms;
	__u32 reserved;
};

/**
 * struct mn_bench_call - call a subscriber of the file, without the core
 * @kind: as in struct mn_bench_add
 * @count: how often: this shows what a callback costs by itself
 */
struct mn_bench_call {
	__u32 kind;
	__u32 count;
};

/**
 * struct mn_bench_locks - how often mmu_lock of a VM was taken
 * @read: for reading
 * @write: for writing
 */
struct mn_bench_locks {
	__u64 read;
	__u64 write;
};

#define MN_BENCH_ADD	_IOW('B', 0, struct mn_bench_add)
#define MN_BENCH_REMOVE	_IO('B', 1)		/* all of the file */
#define MN_BENCH_CALLS	_IOR('B', 2, __u64)	/* how many callbacks so far */
#define MN_BENCH_CALL	_IOW('B', 3, struct mn_bench_call)
/* Count the locks of the VM that has this file descriptor, until the file is closed. */
#define MN_BENCH_COUNT	_IOW('B', 4, __s32)
#define MN_BENCH_LOCKS	_IOR('B', 5, struct mn_bench_locks)

#endif
