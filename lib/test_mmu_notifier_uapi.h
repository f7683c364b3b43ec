/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/test_mmu_notifier: a software secondary MMU for testing that secondary MMUs
 * are notified of every change of a process's page tables.
 *
 * Each open file is one secondary MMU.  It attaches to the address space of the
 * process that asks for it, and reads and writes that process's memory through
 * translations that it keeps without holding references to the pages.  It compares
 * every translation it uses with the page tables of the CPU; one that should have
 * been dropped is *stale*.
 *
 * Errors: -EINVAL for an argument that makes no sense, for a reserved field that
 * is not 0 and for a structure of another size or direction; -EFAULT for memory
 * that the process can't access that way; -ENOTTY for an unknown command; -ENOENT
 * if no address space is attached; -EPERM from another address space than the one
 * attached; -EINTR when a signal kills the caller; -ENOMEM.  If there is more than
 * one reason to fail, the error is that of any of them.
 */
#ifndef _LIB_TEST_MMU_NOTIFIER_UAPI_H
#define _LIB_TEST_MMU_NOTIFIER_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * enum test_mn_class - how the secondary MMU works
 * @TEST_MN_PAGE_TABLE: a page table of its own, with young bits, which are asked for
 *	many pages at once, as KVM has
 * @TEST_MN_TLB: only a small TLB, as GRU has: faults wait for ranges in progress
 *	to end, and young bits are asked for page by page
 * @TEST_MN_REMOTE: a remote side keeps the translations, as with XPMEM, and
 *	invalidations wait for it; ranges that may not block are refused
 * @TEST_MN_SVA: a TLB that is filled from the CPU's page tables, and is notified
 *	only of TLB flushes.  Between the change of a page table and the flush it
 *	may be stale, so only TEST_MN_CHECK judges it, and it must be called only
 *	when nothing changes.  It can't use gigantic pages.
 * @TEST_MN_DEFER: as @TEST_MN_PAGE_TABLE, with a TLB that is flushed once for many
 *	ranges, where that is allowed.  Until then it goes on using what it has
 *	dropped, which is stale only if the CPU maps something else or the page
 *	isn't locked
 */
enum test_mn_class {
	TEST_MN_PAGE_TABLE = 1,
	TEST_MN_TLB,
	TEST_MN_REMOTE,
	TEST_MN_SVA,
	TEST_MN_DEFER,
};

/**
 * enum test_mn_kind - how it subscribes
 * @TEST_MN_HLIST: to the whole address space, with mmu_notifier_register()
 * @TEST_MN_INTERVAL: to a range, with mmu_interval_notifier_insert(); only for
 *	TEST_MN_PAGE_TABLE and TEST_MN_REMOTE
 */
enum test_mn_kind {
	TEST_MN_HLIST = 1,
	TEST_MN_INTERVAL,
};

/**
 * struct test_mn_attach - attach to the caller's address space
 * @class: enum test_mn_class
 * @kind: enum test_mn_kind
 * @start: first address of the range; page aligned; 0 for TEST_MN_HLIST
 * @len: its length; a multiple of the page size; 0 for TEST_MN_HLIST
 * @flags: 0, as none are defined yet
 *
 * -EEXIST if the file is attached already.
 */
struct test_mn_attach {
	__u32 class;
	__u32 kind;
	__u64 start;
	__u64 len;
	__u64 flags;
};

/**
 * struct test_mn_fault - map a range in advance
 * @addr: first address
 * @len: its length, not 0
 * @write: 1 to map it for writing, or 0
 * @reserved: 0
 */
struct test_mn_fault {
	__u64 addr;
	__u64 len;
	__u32 write;
	__u32 reserved;
};

/**
 * struct test_mn_access - read or write through the secondary MMU
 * @addr: where; a multiple of 8 for TEST_MN_FETCH_ADD
 * @len: how much; up to 4096, and 8 for TEST_MN_FETCH_ADD
 * @buffer: where the data goes to or comes from; 0 for TEST_MN_FETCH_ADD
 * @value: for TEST_MN_FETCH_ADD what to add, and on return the old value;
 *	otherwise 0
 *
 * Pages that are not mapped yet are faulted in.
 */
struct test_mn_access {
	__u64 addr;
	__u64 len;
	__u64 buffer;
	__u64 value;
};

/**
 * struct test_mn_check - compare all translations of a range
 * @addr: first address
 * @len: its length, not 0; everything after @addr if the range would wrap
 * @checked: how many translations were compared (out)
 * @stale: how many of them were stale, and were dropped therefore (out)
 *
 * -ESRCH if the address space has exited.
 */
struct test_mn_check {
	__u64 addr;
	__u64 len;
	__u64 checked;
	__u64 stale;
};

/**
 * struct test_mn_clean - remove write access or dirty bits in all maps of a file
 * @addr: first address; page aligned
 * @len: its length; a multiple of the page size, up to 2 MiB
 * @write_protect: 1 for write access, 0 for the dirty bits
 * @reserved: 0
 * @changed: how many page table entries were changed (out)
 *
 * As graphics drivers do that track what is written, with
 * wp_shared_mapping_range() and clean_record_shared_mapping_range().  The range
 * is part of one shared mapping of a file, and not in huge pages.
 */
struct test_mn_clean {
	__u64 addr;
	__u64 len;
	__u32 write_protect;
	__u32 reserved;
	__u64 changed;
};

/**
 * enum test_mn_point - where to wait, to make races likely
 * @TEST_MN_LOOKUP: in a fault, before the page is looked up
 * @TEST_MN_SET: in a fault, after the lookup, before the translation is set
 * @TEST_MN_START: in an invalidation, before anything is dropped
 * @TEST_MN_END: at the end of an invalidation, while it is still in progress
 * @TEST_MN_FLUSH: in flush_deferred(), before the TLB is flushed
 * @TEST_MN_POINTS: how many there are
 */
enum test_mn_point {
	TEST_MN_LOOKUP,
	TEST_MN_SET,
	TEST_MN_START,
	TEST_MN_END,
	TEST_MN_FLUSH,
	TEST_MN_POINTS,
};

/**
 * struct test_mn_delay - wait at a point
 * @point: enum test_mn_point
 * @usecs: how long, up to 60000000
 * @tid: only in this thread; 0 for all
 *
 * Stays in effect for the file, even after it is detached.  A wait of more than
 * 10000 ends when another delay is set for the point; it had better be for one thread:
 * reclaim comes by with pages locked, and NUMA balancing in any thread of the process.
 * At TEST_MN_FLUSH, where nothing may sleep, it keeps the CPU busy, 10000 at most.
 */
struct test_mn_delay {
	__u32 point;
	__u32 usecs;
	__u32 tid;
};

#define TEST_MN_EVENTS	8	/* enum mmu_notifier_event */

/**
 * struct test_mn_stats - what has happened since it was attached
 * @accesses: pages read or written
 * @faults: how often a page was looked up
 * @retries: how often a lookup had to be repeated, because the page tables changed
 * @checked: translations compared with the CPU's page tables
 * @stale: how many of them were stale
 * @invalidations: ranges started, by event
 * @dropped: translations dropped by them, by event
 * @wide: how many of the ranges were at least as large as a huge page
 * @tlb_flushes: calls of arch_invalidate_secondary_tlbs()
 * @tlb_dropped: translations dropped by these
 * @flush_young: calls of clear_flush_young()
 * @clear_young: calls of clear_young(), and pages that young_pages() was asked to clear
 * @test_young: calls of test_young(), and pages that young_pages() was asked to test
 * @young_pages: calls of young_pages()
 * @young: how many of the calls and pages found an accessed translation
 * @refused: ranges refused because they may not block
 * @unpaired: ends of ranges without a start
 * @in_progress: ranges in progress now; 0 for TEST_MN_INTERVAL
 * @deferred: ranges whose translations were left in the TLB
 * @late: accesses by these
 * @flushes: calls of flush_deferred()
 * @released: how often it was notified that the address space goes away
 * @entries: number of translations now
 */
struct test_mn_stats {
	__u64 accesses;
	__u64 faults;
	__u64 retries;
	__u64 checked;
	__u64 stale;
	__u64 invalidations[TEST_MN_EVENTS];
	__u64 dropped[TEST_MN_EVENTS];
	__u64 wide;
	__u64 tlb_flushes;
	__u64 tlb_dropped;
	__u64 flush_young;
	__u64 clear_young;
	__u64 test_young;
	__u64 young_pages;
	__u64 young;
	__u64 refused;
	__u64 unpaired;
	__u64 in_progress;
	__u64 deferred;
	__u64 late;
	__u64 flushes;
	__u64 released;
	__u64 entries;
};

/* test_mn_stale::flags */
#define TEST_MN_STALE_FOUND	0x1	/* there is one, and the rest is valid */
#define TEST_MN_STALE_WRITABLE	0x2	/* the translation allows writing */
#define TEST_MN_CPU_PRESENT	0x4	/* the CPU maps a page there ... */
#define TEST_MN_CPU_WRITABLE	0x8	/* ... and allows writing */

#define TEST_MN_NO_EVENT	0xffffffffU

/**
 * struct test_mn_stale - the first stale translation that was found
 * @addr: its address
 * @pfn: the page that it refers to
 * @cpu_pfn: the page that the CPU maps, if any
 * @age_ms: how long ago it was set; wraps after 17 minutes
 * @event_age_ms: how long ago the last invalidation of the address began
 * @event: its event; TEST_MN_NO_EVENT if none of the last 32 invalidations
 *	included the address, or for TEST_MN_SVA
 * @flags: TEST_MN_STALE_*, TEST_MN_CPU_*
 */
struct test_mn_stale {
	__u64 addr;
	__u64 pfn;
	__u64 cpu_pfn;
	__u64 age_ms;
	__u64 event_age_ms;
	__u32 event;
	__u32 flags;
};

/* CHECK, DETACH, STATS, STALE and DELAY may come from any process. */
#define TEST_MN_ATTACH		_IOW('N', 0x00, struct test_mn_attach)
#define TEST_MN_DETACH		_IO('N', 0x01)
#define TEST_MN_FAULT		_IOW('N', 0x02, struct test_mn_fault)
#define TEST_MN_READ		_IOW('N', 0x03, struct test_mn_access)
#define TEST_MN_WRITE		_IOW('N', 0x04, struct test_mn_access)
#define TEST_MN_FETCH_ADD	_IOWR('N', 0x05, struct test_mn_access)
#define TEST_MN_CHECK		_IOWR('N', 0x06, struct test_mn_check)
#define TEST_MN_STATS		_IOR('N', 0x07, struct test_mn_stats)
#define TEST_MN_STALE		_IOR('N', 0x08, struct test_mn_stale)
#define TEST_MN_DELAY		_IOW('N', 0x09, struct test_mn_delay)
#define TEST_MN_CLEAN		_IOWR('N', 0x0a, struct test_mn_clean)

#endif /* _LIB_TEST_MMU_NOTIFIER_UAPI_H */
