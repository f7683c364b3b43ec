/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of MMU notifiers have in common: accesses through a secondary
 * MMU, memory of all kinds whose contents show who wrote last, and other
 * processes.  None of it depends on the test harness.
 */
#ifndef __MMU_NOTIFIER_COMMON_H__
#define __MMU_NOTIFIER_COMMON_H__

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmu_notifier_device.h"
#include "thp_settings.h"
#include "vm_util.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* As in include/linux/mmu_notifier.h. */
enum event {
	UNMAP,
	CLEAR,
	PROTECTION_VMA,
	PROTECTION_PAGE,
	SOFT_DIRTY,
	RELEASE,
	MIGRATE,
	EXCLUSIVE,
};

/* --- the secondary MMU ---------------------------------------------------- */

/* A secondary MMU, and its statistics before what is tested. */
struct mn {
	int fd;
	unsigned int class;
	unsigned int kind;
	struct test_mn_stats before;
};

/* These return 0 or a negative error. */
int attach(int fd, unsigned int class, unsigned int kind);
int mn_read(struct mn *self, const void *addr, void *buffer, size_t len);
int mn_write(struct mn *self, void *addr, const void *buffer, size_t len);
int mn_touch(struct mn *self, const void *addr);

struct test_mn_stats mn_stats(struct mn *self);
void mn_delay(struct mn *self, unsigned int point, unsigned int usecs);

/* --- contents ------------------------------------------------------------- */

#define SMALL		(16 * PAGE)

/* The contents show who wrote last. */
enum { BY_CPU = 1, BY_DEVICE, BY_CPU_AGAIN, BY_CHILD, BY_DEVICE_AGAIN };

void make_page(uint64_t *page, size_t offset, unsigned int who);
void fill(char *addr, size_t len, unsigned int who);
bool holds(const char *addr, size_t len, unsigned int who);
bool holds_zeros(const char *addr, size_t len);

bool mn_fill(struct mn *self, char *addr, size_t len, unsigned int who);
bool agrees(struct mn *self, const char *addr, size_t len);
bool faults(struct mn *self, char *addr, size_t len, bool write);

/* --- mappings ------------------------------------------------------------- */

#define NO_THP		"no transparent huge page"
#define NO_HUGETLB	"no hugetlb page in the pool"
#define NO_SWAP		"no swap"

/* These return NULL if there is no memory of this kind. */
char *map(size_t len);
char *map_flags(size_t len, int flags, int fd);
char *map_at(char *addr, size_t len, int flags, int fd);
char *map_aligned(size_t len);
char *map_filled(size_t len);
char *map_thp(size_t len);
char *map_hugetlb(size_t len);
char *reserve(size_t len);

/* A kind of memory; @none says why there may be none of it. */
struct memory {
	char *(*map)(size_t len);
	size_t len;
	const char *none;
};

extern const struct memory small_memory, thp_memory;

int memory_file(size_t len);

uint64_t pagemap_entry(const char *addr);
size_t count_pages(const char *addr, size_t len, uint64_t bit);

/* --- ageing --------------------------------------------------------------- */

void drain_batches(void);
bool can_mark_idle(void);
int page_idle(char *addr, bool mark);

/* --- the system ----------------------------------------------------------- */

/*
 * write_file() and read_num() of thp_settings.h are for files that must be
 * there; these are for those that may not be.
 */
int write_text(const char *name, const char *text);
unsigned long read_number(const char *name);

bool have_swap(void);

#define MAX_NODES	64
#define NO_NODE		"no second node with memory"

int this_node(void);
unsigned long memory_nodes(void);
int far_node(void);
bool pages_on(char *addr, size_t len, int node, bool move);

bool go_to_cpu(int cpu);
void stay_on_cpu(void);
void run_anywhere(void);

#define CGROUP	"/sys/fs/cgroup/"
#define OURS	CGROUP "mmu_notifier_test/"

bool enter_cgroup(void);
void leave_cgroup(void);

/* --- other processes ------------------------------------------------------ */

/* The parent's way to run something in a process of its own. */
#define IN_CHILD(pid)	for (; !((pid) = fork()); _exit(0))

bool child_ok(pid_t pid);
bool child_attaches(struct mn *self, int fd, char *p, size_t len);
pid_t attached_child(struct mn *self, int fd, char *p, size_t len);
pid_t sharing_child(int *go);

#endif /* __MMU_NOTIFIER_COMMON_H__ */
