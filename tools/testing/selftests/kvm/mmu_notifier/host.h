/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's side: the vCPUs' threads, guest memory, and the checks of it.
 */
#ifndef MMU_NOTIFIER_HOST_H
#define MMU_NOTIFIER_HOST_H

#include "guest.h"
#include "util.h"

/* Missing from the headers of older C libraries */
#ifndef MADV_PAGEOUT
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* Kinds of memory */
#define ANON	BIT(0)		/* private memory */
#define SHMEM	BIT(1)
#define HUGE	BIT(2)		/* private hugetlb memory */
#define SHUGE	BIT(3)		/* shared hugetlb memory */
#define ALL	(ANON | SHMEM | HUGE | SHUGE)

struct vcpu_thread {
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	uint32_t id;
	pid_t tid;
	uint64_t stuck;		/* accesses that the host did not let through */
};

/* Pages of the memory */
struct range {
	size_t first;
	size_t n;
};

struct test {
	struct kvm_vm *vm;
	struct vcpu_thread vcpus[MAX_VCPUS];
	uint32_t nvcpus;
	bool may_fault;		/* vCPUs may hit a hole */

	struct control *control;
	void *mem;
	int fd;			/* of shared memory, otherwise -1 */
	void *alias;
	void *aside;		/* where pages are moved to */
	enum vm_mem_backing_src_type src;
	unsigned int kind;
	size_t npages;
	size_t unit;		/* pages that come and go together */
	bool dirty_log;

	int iterations;
	const struct path *path;
	const char *doing;
	uint64_t count;		/* of what the path counts */
	const char *counted;
};

extern struct test test;

/* vcpus.c */
void start_vcpu_threads(struct kvm_vcpu **vcpus);
void __noreturn report_vcpu(uint32_t id, struct ucall *uc);
void park_vcpus(void);
void resume_vcpus(uint32_t vcpus);
void set_guest(bool writes, bool zero_ok, bool may_fault);
void start_guest(bool writes, bool zero_ok, bool may_fault);
void get_passes(uint64_t *pass);
void wait_passes_since(const uint64_t *pass, unsigned int n);
void wait_passes(unsigned int n);
void add_stuck(struct vcpu_thread *v);
void get_stuck(uint64_t *stuck);
void wait_stuck(struct range r, const uint64_t *stuck);

/* memory.c */
void choose_memory(size_t size);
void create_memory(void);
void reset_memory(void);
struct range some_pages(void);
struct range all_pages(void);
uint64_t gpa_of(uint64_t page);
void *page_at(void *base, size_t page);
void *mem_of(struct range r);
size_t bytes_of(struct range r);
void announce(struct range r, unsigned int generations);
void withdraw(struct range r);
void fill_pages(struct range r, void *base);
void host_writes(struct range r);
void drop_pages(struct range r);
void zero_pages(struct range r);
void renew_pages(struct range r);
void map_aside(size_t length);
void move_pages_to(void *from, void *to, size_t length);

/* checks.c */
void create_checks(void);
void forget_lines(void);
void check_lines(struct range r);
void forget_dirty_log(void);
void add_dirty_log(void);
bool is_logged(size_t page);
void clear_dirty_log(void);
void check_range(struct range r);
void check_frozen(struct range r, void *base);
void check_stuck(struct range r, void *base, const uint64_t *stuck);
void snapshot_lines(struct range r, void *base);
size_t first_changed(struct range r, void *base);

/* lru_gen.c */
bool lru_gen_begin(void);
void lru_gen_end(void);
bool new_generation(const char *name);
size_t count_found(const char *name, size_t *all);

#define NR_CGROUPS	2

const char *enter_cgroup(unsigned int cgroup);
void leave_cgroup(void);
void reclaim_cgroup(size_t bytes);

/* pagemap.c */
#define PAGEMAP_PRESENT		BIT_ULL(63)
#define PAGEMAP_SWAPPED		BIT_ULL(62)
#define PAGEMAP_SOFT_DIRTY	BIT_ULL(55)
#define PAGEMAP_PFN		GENMASK_ULL(54, 0)

uint64_t pagemap_of(size_t page);
size_t count_pages(struct range r, uint64_t bits);
size_t count_out(struct range r);
void check_mapped(struct range r);

#endif /* MMU_NOTIFIER_HOST_H */
