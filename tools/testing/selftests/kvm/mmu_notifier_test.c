// SPDX-License-Identifier: GPL-2.0
/*
 * What the host does to guest memory must not be seen by the guest too late.
 *
 * vCPUs go over a memory region again and again, read and write it, while the
 * host protects, unmaps, moves, swaps, shares and replaces the pages below.
 *
 * Host to guest: each page has a generation, written into its first and last
 * word.  Before the host changes a page it announces the generation to come
 * (high), and when it is done it withdraws those before it (low).  A vCPU reads
 * low, the page and high, in this order: a generation outside of them was read
 * through a translation that should have been gone.  No page is ever locked, so
 * that the guest is free to fault right into the middle of what the host does.
 * An odd generation is a page of zeros.
 *
 * Guest to host: each vCPU has a line of its own in each page, where it counts
 * up, and a word outside of the region that says how far it got.  A count that
 * isn't in the page was written to one that isn't the guest's any more.
 *
 * While a range is read-only or gone, the vCPUs must get stuck in it, and none
 * of their lines may change.
 */
#include <linux/falloc.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

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

#define MAX_VCPUS	16
#define PAGE_WORDS	(4096 / 8)

#define DATA_GPA	0x40000000ul
#define DATA_SLOT	10
#define CTRL_GPA	0x80000000ul
#define CTRL_SLOT	11

/* What a vCPU tells by a UCALL_SYNC */
enum {
	GUEST_PARKED,
	GUEST_READ_BAD,		/* page, low, high, what it read */
	GUEST_WRITE_LOST,	/* page, what it wrote last, 0, what it read */
};

/* What the vCPUs do */
enum {
	GUEST_SWEEP,		/* all pages, again and again */
	GUEST_STEP,		/* one page each time the host says so */
	GUEST_PRIVATE,		/* a page of guest_memfd that the host punches out */
};

struct page_state {
	uint64_t low;
	uint64_t high;
};

/* Shared by guest, host and the host's children */
struct control {
	uint32_t run;
	uint32_t mode;
	uint32_t writes;	/* vCPUs write, too */
	uint32_t zero_ok;	/* odd generations may be seen */
	uint32_t same;		/* all pages have equal contents */
	uint32_t flush_tlb;	/* in each pass */
	uint32_t npages;	/* that are gone over */
	uint32_t total;		/* that there are */
	uint64_t go;
	uint64_t ack;
	uint64_t pass[MAX_VCPUS];
	struct page_state page[];
	/* uint64_t commit[vcpu][page] */
};

static uint64_t *commit_of(struct control *c, uint32_t vcpu, uint64_t page)
{
	return (uint64_t *)&c->page[c->total] + vcpu * (uint64_t)c->total + page;
}

/* Contents are never 0, as zeros have a meaning. */
#define MAGIC 0x5a00000000000000ull

static uint64_t page_value(struct control *c, uint64_t page, uint64_t gen)
{
	if (gen & 1)
		return 0;
	return MAGIC ^ ((READ_ONCE(c->same) ? 0 : page) << 32) ^ gen;
}

static uint64_t line_value(uint32_t vcpu, uint64_t page, uint32_t count)
{
	return (page << 40) | ((uint64_t)(vcpu + 1) << 32) | count;
}

static uint64_t *line_of(void *page, uint32_t vcpu)
{
	return page + 64 * (vcpu + 1);
}

static bool value_fits(struct control *c, uint64_t page, uint64_t value,
		       uint64_t low, uint64_t high)
{
	if (!value)
		return READ_ONCE(c->zero_ok) && ((low & 1) || low < high);

	value ^= page_value(c, page, 0);
	return value >= low && value <= high && !(value & 1);
}

/* The guest */

static void guest_report(uint64_t kind, uint64_t page, uint64_t low,
			 uint64_t high, uint64_t seen)
{
	GUEST_SYNC5(kind, page, low, high, seen);
}

static void guest_read(struct control *c, uint64_t page)
{
	uint64_t *words = (uint64_t *)(DATA_GPA + page * 4096);
	uint64_t low, high, first, last;

	low = READ_ONCE(c->page[page].low);
	first = READ_ONCE(words[0]);
	last = READ_ONCE(words[PAGE_WORDS - 1]);
	high = READ_ONCE(c->page[page].high);

	if (!value_fits(c, page, first, low, high))
		guest_report(GUEST_READ_BAD, page, low, high, first);
	if (!value_fits(c, page, last, low, high))
		guest_report(GUEST_READ_BAD, page, low, high, last);
}

static void guest_write(struct control *c, uint32_t id, uint64_t page)
{
	uint64_t *line = line_of((void *)(DATA_GPA + page * 4096), id);
	uint64_t *commit = commit_of(c, id, page);
	uint64_t was = *commit, seen = READ_ONCE(*line);

	if (seen != was)
		guest_report(GUEST_WRITE_LOST, page, was, 0, seen);
	was = line_value(id, page, (uint32_t)was + 1);
	WRITE_ONCE(*line, was);
	WRITE_ONCE(*commit, was);
}

static void guest_sweep(struct control *c, uint32_t id)
{
	uint32_t n = READ_ONCE(c->npages);
	/* Not all vCPUs at the same page */
	uint32_t page = id * n / MAX_VCPUS;
	uint32_t i;

	if (READ_ONCE(c->flush_tlb))
		__asm__ __volatile__("mov %0, %%cr3" : : "r" (get_cr3()) : "memory");

	for (i = 0; i < n && READ_ONCE(c->run); i++) {
		guest_read(c, page);
		if (READ_ONCE(c->writes))
			guest_write(c, id, page);
		if (++page == n)
			page = 0;
	}
	if (i == n)
		WRITE_ONCE(c->pass[id], c->pass[id] + 1);
}

/*
 * The fault is one of a write, as KVM looks a page up again after a read fault,
 * to see if it can be mapped writable.  What is read comes after the fault.
 */
static void guest_step(struct control *c, uint32_t id)
{
	uint64_t page = READ_ONCE(c->ack);
	uint64_t value = line_value(id, page, 1);

	if (page == READ_ONCE(c->go)) {
		cpu_relax();
		return;
	}
	WRITE_ONCE(*line_of((void *)(DATA_GPA + page * 4096), id), value);
	WRITE_ONCE(*commit_of(c, id, page), value);
	guest_read(c, page);
	WRITE_ONCE(c->ack, page + 1);
}

/* Without an exit between the write and the read, so that the TLB stays. */
static void guest_private(struct control *c)
{
	uint64_t *word = (uint64_t *)DATA_GPA;
	uint64_t n = c->ack + 1, seen;

	WRITE_ONCE(*word, n);
	WRITE_ONCE(c->ack, n);
	while (READ_ONCE(c->go) < n && READ_ONCE(c->run))
		cpu_relax();
	if (READ_ONCE(c->go) < n)
		return;
	seen = READ_ONCE(*word);
	if (seen)
		guest_report(GUEST_READ_BAD, 0, 1, 1, seen);
}

static void guest_code(uint32_t id)
{
	struct control *c = (struct control *)CTRL_GPA;

	for (;;) {
		if (!READ_ONCE(c->run)) {
			GUEST_SYNC1(GUEST_PARKED);
			continue;
		}
		switch (READ_ONCE(c->mode)) {
		case GUEST_SWEEP:
			guest_sweep(c, id);
			break;
		case GUEST_STEP:
			guest_step(c, id);
			break;
		case GUEST_PRIVATE:
			guest_private(c);
			break;
		}
	}
}

/* The host */

#define ANON	BIT(0)		/* private memory */
#define SHMEM	BIT(1)
#define HUGE	BIT(2)		/* private hugetlb memory */
#define SHUGE	BIT(3)		/* shared hugetlb memory */
#define ALL	(ANON | SHMEM | HUGE | SHUGE)

struct path {
	const char *name;
	unsigned int sources;
	/* NULL if all went well, or else the reason why it can't be run */
	const char *(*run)(void);
};

struct vcpu_thread {
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	uint32_t id;
	pid_t tid;
	uint64_t stuck;		/* faults that the host did not let through */
};

struct range {
	size_t first;
	size_t n;
};

static struct {
	struct kvm_vm *vm;
	struct control *c;
	void *mem;
	int fd;			/* of shared memory */
	void *alias;
	void *aside;		/* where pages are moved to */
	uint64_t *snapshot;
	unsigned long *log;		/* as KVM gave it last */
	unsigned long *dirty;		/* since the lines were copied */
	uint64_t *logged;	/* what was in the lines at the last log */

	struct vcpu_thread vcpus[MAX_VCPUS];
	uint32_t nvcpus;
	uint32_t active;	/* those that run */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	uint32_t parked;
	uint64_t resumed;

	enum vm_mem_backing_src_type src;
	unsigned int kind;
	size_t npages;
	size_t unit;		/* pages that come and go together */
	int iterations;
	bool dirty_log;
	bool may_fault;		/* vCPUs may hit a hole */
	uint64_t count;		/* of what the path counts */
	const char *counted;
	const struct path *path;
	const char *doing;
	int index;
} t = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.cond = PTHREAD_COND_INITIALIZER,
	.nvcpus = 2,
	.fd = -1,
	.iterations = 4,
	.src = DEFAULT_VM_MEM_SRC,
};

/* The first one to find something bad tells, and ends all. */
static void __noreturn __printf(1, 2) bad(const char *format, ...)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	va_list args;

	pthread_mutex_lock(&once);
	printf("# path %s, %s: ", t.path->name, t.doing);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	ksft_test_result_fail("%s\n", t.path->name);
	ksft_print_cnts();
	fflush(stdout);
	_exit(KSFT_FAIL);
}

#define must(what)							\
do {									\
	if ((what) < 0)							\
		bad("%s: %s", #what, strerror(errno));			\
} while (0)

static uint64_t gpa_of(uint64_t page)
{
	return DATA_GPA + page * 4096;
}

static void *at(void *base, size_t page)
{
	return base + page * 4096;
}

static void vcpu_reports(struct vcpu_thread *v, struct ucall *uc)
{
	uint64_t page = uc->args[1], low = uc->args[2], high = uc->args[3];
	uint64_t seen = uc->args[4];

	if (uc->args[0] == GUEST_WRITE_LOST)
		bad("vCPU %u, gpa %#lx: its write of %#lx is lost, it sees %#lx",
		    v->id, gpa_of(page), low, seen);

	bad("vCPU %u, gpa %#lx: expected %#lx..%#lx (generation %lu..%lu), seen %#lx",
	    v->id, gpa_of(page), page_value(t.c, page, low),
	    page_value(t.c, page, high), low, high, seen);
}

static void vcpu_parks(struct vcpu_thread *v)
{
	uint64_t resumed;

	pthread_mutex_lock(&t.lock);
	resumed = t.resumed;
	t.parked++;
	pthread_cond_broadcast(&t.cond);
	while (resumed == t.resumed || v->id >= t.active)
		pthread_cond_wait(&t.cond, &t.lock);
	pthread_mutex_unlock(&t.lock);
}

static void vcpu_stuck(struct vcpu_thread *v, int error)
{
	struct kvm_run *run = v->vcpu->run;

	if (error == EINTR)
		return;
	if (error != EFAULT || !READ_ONCE(t.may_fault))
		bad("vCPU %u: KVM_RUN: %s, exit reason %s, gpa %#llx", v->id,
		    strerror(error), exit_reason_str(run->exit_reason),
		    run->exit_reason == KVM_EXIT_MEMORY_FAULT ?
		    run->memory_fault.gpa : 0);
	__atomic_add_fetch(&v->stuck, 1, __ATOMIC_SEQ_CST);
	usleep(100);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu_thread *v = arg;
	struct ucall uc;

	WRITE_ONCE(v->tid, syscall(SYS_gettid));
	for (;;) {
		if (_vcpu_run(v->vcpu)) {
			vcpu_stuck(v, errno);
			continue;
		}
		switch (get_ucall(v->vcpu, &uc)) {
		case UCALL_SYNC:
			if (uc.args[0] != GUEST_PARKED)
				vcpu_reports(v, &uc);
			vcpu_parks(v);
			break;
		default:
			bad("vCPU %u died: exit reason %s", v->id,
			    exit_reason_str(v->vcpu->run->exit_reason));
		}
	}
	return NULL;
}

/* Returns when no vCPU runs. */
static void park(void)
{
	WRITE_ONCE(t.c->run, 0);
	pthread_mutex_lock(&t.lock);
	while (t.parked < t.nvcpus)
		pthread_cond_wait(&t.cond, &t.lock);
	pthread_mutex_unlock(&t.lock);
}

static void resume(uint32_t vcpus)
{
	pthread_mutex_lock(&t.lock);
	WRITE_ONCE(t.c->run, 1);
	t.active = vcpus;
	t.parked = t.nvcpus - vcpus;
	t.resumed++;
	pthread_cond_broadcast(&t.cond);
	pthread_mutex_unlock(&t.lock);
}

static void get_passes(uint64_t *pass)
{
	uint32_t i;

	for (i = 0; i < t.nvcpus; i++)
		pass[i] = READ_ONCE(t.c->pass[i]);
}

static void wait_passes_since(uint64_t *pass, unsigned int n)
{
	uint32_t i;

	for (i = 0; i < t.nvcpus; i++)
		while (READ_ONCE(t.c->pass[i]) < pass[i] + n)
			usleep(200);
}

/* After two, each vCPU has seen every page once more. */
static void wait_passes(unsigned int n)
{
	uint64_t pass[MAX_VCPUS];

	get_passes(pass);
	wait_passes_since(pass, n);
}

static uint64_t rnd(uint64_t n)
{
	return (uint64_t)random() % n;
}

/* A range of up to a quarter of all */
static struct range some(void)
{
	size_t units = t.npages / t.unit;
	size_t n = 1 + rnd(units / 4 ?: 1);
	size_t first = rnd(units - n + 1);

	return (struct range){ first * t.unit, n * t.unit };
}

static struct range everything(void)
{
	return (struct range){ 0, t.npages };
}

static void *mem_of(struct range r)
{
	return at(t.mem, r.first);
}

static size_t bytes_of(struct range r)
{
	return r.n * 4096;
}

static void announce(struct range r, unsigned int generations)
{
	struct page_state *p;

	for (p = &t.c->page[r.first]; p < &t.c->page[r.first + r.n]; p++)
		WRITE_ONCE(p->high, p->low + generations);
}

static void withdraw(struct range r)
{
	struct page_state *p;

	for (p = &t.c->page[r.first]; p < &t.c->page[r.first + r.n]; p++)
		WRITE_ONCE(p->low, p->high);
}

static void fill_page(void *page, size_t number)
{
	uint64_t value = page_value(t.c, number, READ_ONCE(t.c->page[number].high));
	uint64_t *words = page;

	WRITE_ONCE(words[0], value);
	WRITE_ONCE(words[PAGE_WORDS - 1], value);
}

/* Writes what was announced to pages that are mapped at @base. */
static void fill(struct range r, void *base)
{
	size_t i;

	for (i = 0; i < r.n; i++)
		fill_page(at(base, i), r.first + i);
}

/* The host writes to the memory, the guest must see it. */
static void host_writes(struct range r)
{
	announce(r, 2);
	fill(r, mem_of(r));
	withdraw(r);
}

/* All that the guest has written is in the memory that the host sees. */
static void check_lines(struct range r)
{
	uint64_t commit, seen;
	uint32_t v;
	size_t p;

	for (p = r.first; p < r.first + r.n; p++) {
		for (v = 0; v < t.nvcpus; v++) {
			commit = READ_ONCE(*commit_of(t.c, v, p));
			seen = READ_ONCE(*line_of(at(t.mem, p), v));
			if (seen < commit || (seen && seen >> 32 !=
					      line_value(v, p, 0) >> 32))
				bad("gpa %#lx: vCPU %u wrote %#lx, the host sees %#lx",
				    gpa_of(p), v, commit, seen);
		}
	}
}

static void copy_lines(struct range r, void *base, uint64_t *to)
{
	uint32_t v;
	size_t i;

	for (i = 0; i < r.n; i++)
		for (v = 0; v < t.nvcpus; v++)
			*to++ = READ_ONCE(*line_of(at(base, i), v));
}

static void add_dirty_log(void)
{
	size_t i;

	kvm_vm_get_dirty_log(t.vm, DATA_SLOT, t.log);
	for (i = 0; i <= t.npages / 64; i++)
		t.dirty[i] |= t.log[i];
}

static bool is_logged(size_t page)
{
	return t.dirty[page / 64] & (1ul << (page % 64));
}

/* Returns the number of a line that has changed in a page without a log entry. */
static size_t first_unlogged(void)
{
	size_t n = t.npages * t.nvcpus;
	size_t i;

	for (i = 0; i < n; i++)
		if (t.snapshot[i] != t.logged[i] && !is_logged(i / t.nvcpus))
			break;
	return i;
}

/*
 * Pages that the guest wrote to between two reads of the log are in the second.
 * KVM's fast page fault makes an spte writable before it marks the page, and
 * another vCPU may write in between: such a page is in the log once the vCPU
 * that faulted has gone on.
 */
static void check_dirty_log(void)
{
	size_t n = t.npages * t.nvcpus;
	size_t i;

	if (!t.dirty_log)
		return;

	copy_lines(everything(), t.mem, t.snapshot);
	memset(t.dirty, 0, (t.npages / 64 + 1) * sizeof(*t.dirty));
	add_dirty_log();
	if (first_unlogged() < n) {
		wait_passes(1);
		add_dirty_log();
	}
	i = first_unlogged();
	if (i < n)
		bad("gpa %#lx: vCPU %lu wrote %#lx, but the page isn't in the dirty log",
		    gpa_of(i / t.nvcpus), i % t.nvcpus, t.snapshot[i]);
	copy_lines(everything(), t.mem, t.logged);
}

/* The guest must use what the host has made of the range. */
static void check_range(struct range r)
{
	host_writes(r);
	wait_passes(1);
	check_lines(everything());
	check_dirty_log();
}

static void get_stuck(uint64_t *stuck)
{
	uint32_t i;

	for (i = 0; i < t.nvcpus; i++)
		stuck[i] = __atomic_load_n(&t.vcpus[i].stuck, __ATOMIC_SEQ_CST);
}

/*
 * The guest can't write to the range: each vCPU gets stuck in it sooner or
 * later, more often than @stuck says, and doesn't get round instead.  The lines
 * at @base, if the host can read them, don't change.
 */
static void check_stuck(struct range r, void *base, const uint64_t *stuck)
{
	uint64_t pass[MAX_VCPUS];
	struct vcpu_thread *v;
	uint64_t *line, seen;
	uint32_t i;
	size_t p;

	if (base)
		copy_lines(r, base, t.snapshot);
	get_passes(pass);
	for (i = 0; i < t.nvcpus; i++) {
		v = &t.vcpus[i];
		while (__atomic_load_n(&v->stuck, __ATOMIC_SEQ_CST) == stuck[i]) {
			if (READ_ONCE(t.c->pass[i]) >= pass[i] + 2)
				bad("gpa %#lx, %lu pages: vCPU %u gets round, expected it stuck",
				    gpa_of(r.first), r.n, i);
			usleep(200);
		}
	}

	if (!base)
		return;
	line = t.snapshot;
	for (p = 0; p < r.n; p++) {
		for (i = 0; i < t.nvcpus; i++, line++) {
			seen = READ_ONCE(*line_of(at(base, p), i));
			if (seen != *line)
				bad("gpa %#lx: vCPU %u must not write: expected %#lx, seen %#lx",
				    gpa_of(r.first + p), i, *line, seen);
		}
	}
}

/* For accesses that fail: each of them comes again. */
static void check_frozen(struct range r, void *base)
{
	uint64_t stuck[MAX_VCPUS];

	get_stuck(stuck);
	check_stuck(r, base, stuck);
}

/* userfaultfd */

static struct {
	int fd;
	int stop;
	pthread_t thread;
	uint64_t faults;
	void (*resolve)(void *address);
	void *buffer;
	void *copied;
} uffd;

static void uffd_stuck(pid_t tid)
{
	uint32_t i;

	for (i = 0; i < t.nvcpus; i++)
		if (t.vcpus[i].tid == tid)
			__atomic_add_fetch(&t.vcpus[i].stuck, 1,
					   __ATOMIC_SEQ_CST);
}

static void *uffd_thread(void *unused)
{
	struct pollfd fds[2] = {
		{ .fd = uffd.fd, .events = POLLIN },
		{ .fd = uffd.stop, .events = POLLIN },
	};
	struct uffd_msg msg;

	for (;;) {
		must(poll(fds, 2, -1));
		if (fds[1].revents)
			return NULL;
		if (read(uffd.fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		uffd.faults++;
		if (uffd.resolve)
			uffd.resolve((void *)(msg.arg.pagefault.address &
					      -(t.unit * 4096ul)));
		/* Only now: who waits for it may change what to do next. */
		uffd_stuck(msg.arg.pagefault.feat.ptid);
	}
}

static bool uffd_open(uint64_t features)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = features | UFFD_FEATURE_THREAD_ID,
	};

	uffd.fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd.fd < 0)
		return false;
	if (ioctl(uffd.fd, UFFDIO_API, &api)) {
		close(uffd.fd);
		return false;
	}
	if (!uffd.buffer)
		uffd.buffer = mmap(NULL, t.unit * 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uffd.faults = 0;
	return true;
}

static bool uffd_register(void *start, size_t length, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (unsigned long)start, length },
		.mode = mode,
	};

	return !ioctl(uffd.fd, UFFDIO_REGISTER, &reg);
}

static void uffd_start(void (*resolve)(void *address))
{
	uffd.resolve = resolve;
	uffd.stop = eventfd(0, EFD_CLOEXEC);
	pthread_create(&uffd.thread, NULL, uffd_thread, NULL);
}

static void uffd_close(void)
{
	if (uffd.stop) {
		must(eventfd_write(uffd.stop, 1));
		pthread_join(uffd.thread, NULL);
		close(uffd.stop);
		uffd.stop = 0;
	}
	close(uffd.fd);
}

static void uffd_wake(void *address, size_t length)
{
	struct uffdio_range range = { (unsigned long)address, length };

	must(ioctl(uffd.fd, UFFDIO_WAKE, &range));
}

/* Whoever comes second finds the page there and only wakes. */
static void uffd_put(unsigned long request, void *argument, void *address)
{
	while (ioctl(uffd.fd, request, argument)) {
		if (errno == EAGAIN)
			continue;
		if (errno != EEXIST)
			bad("userfaultfd, gpa %#lx: %s",
			    DATA_GPA + (address - t.mem), strerror(errno));
		uffd_wake(address, t.unit * 4096);
		return;
	}
}

static void uffd_copy_mode(void *address, uint64_t mode)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)address,
		.src = (unsigned long)uffd.buffer,
		.len = t.unit * 4096,
		.mode = mode,
	};

	fill((struct range){ (address - t.mem) / 4096, t.unit }, uffd.buffer);
	uffd_put(UFFDIO_COPY, &copy, address);
}

static void uffd_copy(void *address)
{
	uffd_copy_mode(address, 0);
}

/* The page is in the page cache but not mapped: it may be written before. */
static void uffd_continue(void *address)
{
	struct uffdio_continue cont = {
		.range = { (unsigned long)address, t.unit * 4096 },
	};
	struct range r = { (address - t.mem) / 4096, t.unit };

	fill(r, at(t.alias, r.first));
	uffd_put(UFFDIO_CONTINUE, &cont, address);
}

/* Paths */

static void set_guest(bool writes, bool zero_ok, bool may_fault)
{
	WRITE_ONCE(t.c->writes, writes);
	WRITE_ONCE(t.c->zero_ok, zero_ok);
	WRITE_ONCE(t.may_fault, may_fault);
}

static void start_guest(bool writes, bool zero_ok, bool may_fault)
{
	set_guest(writes, zero_ok, may_fault);
	resume(t.nvcpus);
	wait_passes(1);
}

static const char *path_mprotect(void)
{
	struct range r;
	int i;

	start_guest(true, false, true);
	for (i = 0; i < t.iterations; i++) {
		r = some();
		t.doing = "read-only";
		must(mprotect(mem_of(r), bytes_of(r), PROT_READ));
		check_frozen(r, mem_of(r));
		t.doing = "no access";
		must(mprotect(mem_of(r), bytes_of(r), PROT_NONE));
		check_frozen(r, NULL);
		t.doing = "back";
		must(mprotect(mem_of(r), bytes_of(r), PROT_READ | PROT_WRITE));
		check_range(r);
		t.count++;
	}
	return NULL;
}

static void drop(struct range r)
{
	if (t.fd >= 0)
		must(fallocate(t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       r.first * 4096, bytes_of(r)));
	else
		must(madvise(mem_of(r), bytes_of(r), MADV_DONTNEED));
}

/* The pages go, then there are zeros, then there is something new. */
static void replace(struct range r)
{
	announce(r, 1);
	drop(r);
	withdraw(r);
}

static const char *path_drop(void)
{
	struct range r;
	int i;

	start_guest(false, true, false);
	for (i = 0; i < t.iterations * 4; i++) {
		r = some();
		t.doing = "zeros";
		replace(r);
		if (i & 1)
			wait_passes(1);
		t.doing = "new contents";
		announce(r, 1);
		fill(r, mem_of(r));
		withdraw(r);
		if (i & 2)
			wait_passes(1);
		t.count++;
	}
	wait_passes(2);
	return NULL;
}

static bool have_swap(void)
{
	FILE *file = fopen("/proc/swaps", "r");
	char line[256];
	int lines = 0;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		lines++;
	fclose(file);
	return lines > 1;
}

#define PAGEMAP_PRESENT		BIT_ULL(63)
#define PAGEMAP_SWAPPED		BIT_ULL(62)
#define PAGEMAP_SOFT_DIRTY	BIT_ULL(55)
#define PAGEMAP_PFN		GENMASK_ULL(54, 0)

static int pagemap_fd = -1;

static uint64_t pagemap_of(size_t page)
{
	uint64_t entry = 0;
	off_t offset = (unsigned long)at(t.mem, page) / 4096 * sizeof(entry);

	if (pagemap_fd < 0)
		pagemap_fd = open_path_or_exit("/proc/self/pagemap", O_RDONLY);
	if (pread(pagemap_fd, &entry, sizeof(entry), offset) != sizeof(entry))
		bad("cannot read /proc/self/pagemap");
	return entry;
}

static size_t count_pages(struct range r, uint64_t bits)
{
	size_t p, n = 0;

	for (p = r.first; p < r.first + r.n; p++)
		n += !!(pagemap_of(p) & bits);
	return n;
}

/*
 * What the guest uses is mapped, as its faults do that.  Memory may get short
 * for other reasons, so not each page needs to be there the first time.
 */
static void check_mapped(struct range r)
{
	size_t n = 0;
	int i;

	for (i = 0; i < 10; i++) {
		wait_passes(2);
		n = count_pages(r, PAGEMAP_PRESENT);
		if (n == r.n)
			return;
	}
	bad("gpa %#lx: the guest uses %lu pages, only %lu are mapped",
	    gpa_of(r.first), r.n, n);
}

/* Shared pages stay when they are unmapped. */
static const char *path_zap(void)
{
	struct range r;
	int i;

	start_guest(true, false, false);
	for (i = 0; i < t.iterations * 2; i++) {
		r = some();
		must(madvise(mem_of(r), bytes_of(r), MADV_DONTNEED));
		check_mapped(r);
		check_range(r);
		t.count++;
	}
	return NULL;
}

/* Without an entry for a page: shared memory leaves none when it is swapped. */
static size_t count_out(struct range r)
{
	return t.kind == ANON ? count_pages(r, PAGEMAP_SWAPPED) :
				r.n - count_pages(r, PAGEMAP_PRESENT);
}

static const char *path_pageout(void)
{
	struct range r;
	int i;

	if (!have_swap())
		return "there is no swap";

	start_guest(true, false, false);
	t.counted = "pages swapped out";
	for (i = 0; i < t.iterations; i++) {
		r = i & 1 ? some() : everything();
		t.doing = "out";
		/* If the guest runs, it wants the pages back before they count. */
		if (!(i & 3))
			park();
		must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
		t.count += count_out(r);
		if (!(i & 3))
			resume(t.nvcpus);
		t.doing = "back in";
		check_mapped(r);
		check_range(i & 2 ? some() : r);
	}
	if (!t.count)
		bad("nothing was swapped out");
	return NULL;
}

static bool write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

#define RECLAIM "/sys/fs/cgroup/memory.reclaim"

/* Other memory may be taken as well, so try again until some of it is. */
static size_t reclaim(struct range r, int tries)
{
	size_t out = 0;
	char size[24];

	snprintf(size, sizeof(size), "%lu", bytes_of(r));
	while (tries-- && !out) {
		must(madvise(mem_of(r), bytes_of(r), MADV_COLD));
		/* It complains if it was less. */
		write_file(RECLAIM, size);
		out = count_out(r);
	}
	return out;
}

/* Cold pages go first when memory gets short. */
static const char *path_reclaim(void)
{
	struct range r;
	int i;

	if (!have_swap())
		return "there is no swap";
	if (access(RECLAIM, W_OK))
		return "memory can't be reclaimed at will";

	start_guest(true, false, false);
	t.counted = "pages swapped out";
	for (i = 0; i < t.iterations; i++) {
		r = i & 1 ? some() : everything();
		t.doing = "out";
		if (!(i & 3))
			park();
		t.count += reclaim(r, i & 3 ? 1 : 100);
		if (!(i & 3))
			resume(t.nvcpus);
		t.doing = "back in";
		check_mapped(r);
		check_range(i & 2 ? some() : r);
	}
	if (!t.count)
		bad("nothing was swapped out");
	return NULL;
}

/* Until it is reclaimed the old contents stay, then there are zeros. */
static const char *path_free(void)
{
	struct range r;
	int i;

	start_guest(false, true, false);
	for (i = 0; i < t.iterations * 2; i++) {
		r = some();
		announce(r, 2);
		t.doing = "free";
		must(madvise(mem_of(r), bytes_of(r), MADV_FREE));
		if (i & 1)
			wait_passes(1);
		t.doing = "reclaim";
		must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
		wait_passes(1);
		t.doing = "new contents";
		fill(r, mem_of(r));
		withdraw(r);
		t.count++;
	}
	wait_passes(2);
	return NULL;
}

static void move_pages_to(void *from, void *to, size_t length)
{
	if (mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		bad("mremap: %s", strerror(errno));
}

/* The pages are away for a while, and the host writes to them there. */
static const char *path_mremap(void)
{
	struct range r;
	int i;

	start_guest(true, false, true);
	for (i = 0; i < t.iterations; i++) {
		r = some();
		t.doing = "away";
		move_pages_to(mem_of(r), t.aside, bytes_of(r));
		check_frozen(r, t.aside);
		announce(r, 2);
		fill(r, t.aside);
		t.doing = "back";
		move_pages_to(t.aside, mem_of(r), bytes_of(r));
		withdraw(r);
		check_range(r);
		t.count++;
	}
	return NULL;
}

static void *map_aside(size_t length)
{
	int flags = vm_mem_backing_src_alias(t.src)->flag;
	void *p = mmap(t.aside, length, PROT_READ | PROT_WRITE,
		       flags | MAP_FIXED, -1, 0);

	if (p != t.aside)
		bad("mmap: %s", strerror(errno));
	return p;
}

/* New pages come where the old ones are, with no hole in between. */
static const char *path_remap(void)
{
	struct range r;
	int i;

	start_guest(false, false, false);
	for (i = 0; i < t.iterations * 4; i++) {
		r = some();
		map_aside(bytes_of(r));
		announce(r, 2);
		fill(r, t.aside);
		move_pages_to(t.aside, mem_of(r), bytes_of(r));
		withdraw(r);
		if (i & 1)
			wait_passes(1);
		t.count++;
	}
	wait_passes(2);
	return NULL;
}

/* What the vCPUs write after the fork is none of the child's business. */
static int child_of_fork(struct range r, uint64_t *pass)
{
	uint64_t *line = t.snapshot;
	uint32_t v;
	size_t p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wait_passes_since(pass, 2);
	copy_lines(r, mem_of(r), t.snapshot);
	wait_passes(2);
	for (p = r.first; p < r.first + r.n; p++)
		for (v = 0; v < t.nvcpus; v++)
			if (READ_ONCE(*line_of(at(t.mem, p), v)) != *line++)
				return 1;
	return 0;
}

static const char *path_fork(void)
{
	uint64_t pass[MAX_VCPUS];
	struct range r;
	int i, status;
	pid_t pid;

	start_guest(true, false, false);
	for (i = 0; i < t.iterations; i++) {
		/* Pages that are only read stay shared until the host writes. */
		WRITE_ONCE(t.c->writes, i & 1);
		wait_passes(1);
		t.doing = "fork";
		get_passes(pass);
		pid = fork();
		must(pid);
		if (!pid)
			_exit(child_of_fork(everything(), pass));
		r = some();
		if (i & 1)
			host_writes(r);
		wait_passes(2);
		t.doing = "copy on write";
		check_range(r);
		check_range(some());
		must(waitpid(pid, &status, 0));
		if (status)
			bad("a vCPU writes to the memory of the child (status %#x)",
			    status);
		t.count++;
	}
	return NULL;
}

static long read_number(const char *name)
{
	FILE *file = fopen(name, "r");
	long n;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &n) != 1)
		n = -1;
	fclose(file);
	return n;
}

static void put_number(const char *name, long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", n);
	if (!write_file(name, text))
		bad("cannot write %s", name);
}

#define KSM "/sys/kernel/mm/ksm/"

/* Merges all pages, returns how many were.  Nothing writes meanwhile. */
static long ksm_merge(void)
{
	long scans = read_number(KSM "full_scans");
	long n;

	do {
		usleep(1000);
		n = read_number("/proc/self/ksm_merging_pages");
	} while (n < (long)t.npages - 16 &&
		 read_number(KSM "full_scans") < scans + 8);
	return n;
}

static const char *path_ksm(void)
{
	long run = read_number(KSM "run"), sleep, pages;
	struct range r = everything();
	long merged;
	int i;

	if (run < 0 || read_number("/proc/self/ksm_merging_pages") < 0)
		return "there is no KSM";
	sleep = read_number(KSM "sleep_millisecs");
	pages = read_number(KSM "pages_to_scan");

	t.counted = "pages merged";
	t.c->same = 1;
	put_number(KSM "sleep_millisecs", 0);
	put_number(KSM "pages_to_scan", 4096);
	put_number(KSM "run", 1);
	for (i = 0; i < DIV_ROUND_UP(t.iterations, 4); i++) {
		t.doing = "merge";
		drop(r);
		memset(commit_of(t.c, 0, 0), 0, t.npages * t.nvcpus * 8);
		if (t.dirty_log)
			memset(t.logged, 0, t.npages * t.nvcpus * 8);
		announce(r, 2);
		fill(r, t.mem);
		withdraw(r);
		start_guest(false, false, false);
		must(madvise(t.mem, t.npages * 4096, MADV_MERGEABLE));
		merged = ksm_merge();
		if (merged <= 0)
			bad("no page was merged");
		t.count += merged;
		wait_passes(1);
		t.doing = "break by the host";
		check_range((struct range){ 0, t.npages / 2 });
		t.doing = "break by the guest";
		WRITE_ONCE(t.c->writes, 1);
		wait_passes(2);
		check_range((struct range){ t.npages / 4, t.npages / 2 });
		t.doing = "unmerge";
		must(madvise(t.mem, t.npages * 4096, MADV_UNMERGEABLE));
		check_range(r);
		park();
		check_lines(r);
	}
	put_number(KSM "run", run);
	put_number(KSM "sleep_millisecs", sleep);
	put_number(KSM "pages_to_scan", pages);
	return NULL;
}

static const char *path_thp(void)
{
	size_t huge = 512;
	char command[80];
	struct range r;
	size_t first;
	int i, j;

	if (!thp_configured() || t.npages < huge)
		return "there are no huge pages";

	t.counted = "huge pages made";
	must(madvise(t.mem, t.npages * 4096, MADV_HUGEPAGE));
	start_guest(true, false, false);
	for (i = 0; i < t.iterations; i++) {
		first = rnd(t.npages / huge) * huge;
		r = (struct range){ first, huge };
		t.doing = "collapse";
		for (j = 0; j < 50; j++) {
			if (!madvise(mem_of(r), bytes_of(r), MADV_COLLAPSE)) {
				t.count++;
				break;
			}
			if (errno == EINVAL)
				return "MADV_COLLAPSE isn't supported";
		}
		check_range(r);
		t.doing = "split of the mapping";
		r = (struct range){ first + rnd(huge), 1 };
		set_guest(true, false, true);
		must(mprotect(mem_of(r), 4096, PROT_READ));
		check_frozen(r, mem_of(r));
		must(mprotect(mem_of(r), 4096, PROT_READ | PROT_WRITE));
		check_range(r);
		t.doing = "split of the page";
		snprintf(command, sizeof(command), "%d,0x%lx,0x%lx,0", getpid(),
			 (long)t.mem, (long)t.mem + t.npages * 4096);
		write_file("/sys/kernel/debug/split_huge_pages", command);
		check_range(some());
	}
	if (!t.count)
		bad("no huge page could be made");
	return NULL;
}

/* Takes each page out of use for good, so few of them. */
static const char *path_soft_offline(void)
{
	struct range r;
	int i, j;

	t.counted = "pages moved";
	start_guest(true, false, false);
	for (i = 0; i < DIV_ROUND_UP(t.iterations, 2); i++) {
		for (j = 0; j < 2; j++) {
			r = (struct range){ rnd(t.npages), 1 };
			if (!madvise(mem_of(r), 4096, MADV_SOFT_OFFLINE))
				t.count++;
			else if (errno == EINVAL || errno == EPERM)
				return "MADV_SOFT_OFFLINE isn't possible";
			check_range(r);
		}
	}
	if (!t.count)
		bad("no page was moved");
	return NULL;
}

static const char *path_compact(void)
{
	uint64_t *before = calloc(t.npages, sizeof(*before));
	size_t p;
	int i;

	t.counted = "pages moved";
	start_guest(true, false, false);
	for (i = 0; i < t.iterations; i++) {
		for (p = 0; p < t.npages; p++)
			before[p] = pagemap_of(p) & PAGEMAP_PFN;
		if (!write_file("/proc/sys/vm/compact_memory", "1"))
			return "memory can't be compacted";
		for (p = 0; p < t.npages; p++)
			t.count += before[p] != (pagemap_of(p) & PAGEMAP_PFN);
		check_range(some());
	}
	free(before);
	return t.count ? NULL : "nothing was moved";
}

static const char *path_uffd_missing(void)
{
	struct range r;
	int i;

	if (!uffd_open(0))
		return "there is no userfaultfd";
	if (!uffd_register(t.mem, t.npages * 4096, UFFDIO_REGISTER_MODE_MISSING)) {
		uffd_close();
		return "userfaultfd does not support it";
	}
	t.counted = "faults";
	uffd_start(uffd_copy);
	start_guest(false, false, false);
	for (i = 0; i < t.iterations; i++) {
		r = some();
		announce(r, 2);
		drop(r);
		wait_passes(2);
		withdraw(r);
		wait_passes(1);
	}
	park();
	t.count = uffd.faults;
	if (!t.count)
		bad("no page was missing");
	uffd_close();
	return NULL;
}

static const char *path_uffd_minor(void)
{
	struct range r;
	int i;

	if (!uffd_open(t.kind == SHMEM ? UFFD_FEATURE_MINOR_SHMEM :
					 UFFD_FEATURE_MINOR_HUGETLBFS))
		return "there is no userfaultfd for minor faults";
	if (!uffd_register(t.mem, t.npages * 4096, UFFDIO_REGISTER_MODE_MINOR)) {
		uffd_close();
		return "userfaultfd does not support it";
	}
	t.counted = "faults";
	uffd_start(uffd_continue);
	start_guest(false, false, false);
	for (i = 0; i < t.iterations; i++) {
		r = some();
		announce(r, 2);
		must(madvise(mem_of(r), bytes_of(r), MADV_DONTNEED));
		wait_passes(2);
		withdraw(r);
		wait_passes(1);
	}
	park();
	t.count = uffd.faults;
	if (!t.count)
		bad("no page was unmapped");
	uffd_close();
	return NULL;
}

static void uffd_protect(struct range r, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { (unsigned long)mem_of(r), bytes_of(r) },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	must(ioctl(uffd.fd, UFFDIO_WRITEPROTECT, &wp));
}

static const char *path_uffd_wp(void)
{
	uint64_t stuck[MAX_VCPUS];
	struct range r;
	int i;

	if (!uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP |
		       (t.kind == ANON ? 0 : UFFD_FEATURE_WP_HUGETLBFS_SHMEM)))
		return "there is no userfaultfd for write protection";
	if (!uffd_register(t.mem, t.npages * 4096, UFFDIO_REGISTER_MODE_WP)) {
		uffd_close();
		return "userfaultfd does not support it";
	}
	uffd_start(NULL);
	start_guest(true, false, false);
	for (i = 0; i < t.iterations; i++) {
		r = some();
		t.doing = "write-protected";
		/* A vCPU that waits doesn't tell once more. */
		get_stuck(stuck);
		uffd_protect(r, true);
		check_stuck(r, mem_of(r), stuck);
		t.doing = "back";
		uffd_protect(r, false);
		check_range(r);
		t.count++;
	}
	park();
	uffd_close();
	return NULL;
}

static void uffd_move(void *from, void *to, size_t length)
{
	struct uffdio_move move;

	while (length) {
		move = (struct uffdio_move){
			.dst = (unsigned long)to,
			.src = (unsigned long)from,
			.len = length,
		};
		if (ioctl(uffd.fd, UFFDIO_MOVE, &move) && errno != EAGAIN &&
		    errno != EBUSY)
			bad("UFFDIO_MOVE: %s", strerror(errno));
		if (move.move > 0) {
			from += move.move;
			to += move.move;
			length -= move.move;
		}
	}
}

static const char *path_uffd_move(void)
{
	uint64_t stuck[MAX_VCPUS];
	struct range r;
	int i;

	if (!uffd_open(UFFD_FEATURE_MOVE))
		return "there is no userfaultfd that moves pages";
	map_aside(t.npages * 4096);
	if (!uffd_register(t.mem, t.npages * 4096, UFFDIO_REGISTER_MODE_MISSING) ||
	    !uffd_register(t.aside, t.npages * 4096, UFFDIO_REGISTER_MODE_MISSING)) {
		uffd_close();
		return "userfaultfd does not support it";
	}
	uffd_start(NULL);
	start_guest(true, false, false);
	for (i = 0; i < t.iterations; i++) {
		r = some();
		t.doing = "away";
		get_stuck(stuck);
		uffd_move(mem_of(r), t.aside, bytes_of(r));
		check_stuck(r, t.aside, stuck);
		announce(r, 2);
		fill(r, t.aside);
		t.doing = "back";
		uffd_move(t.aside, mem_of(r), bytes_of(r));
		uffd_wake(mem_of(r), bytes_of(r));
		withdraw(r);
		check_range(r);
		t.count++;
	}
	park();
	uffd_close();
	return NULL;
}

/* Memory arrives while other memory is on its way out. */
static const char *path_postcopy(void)
{
	bool swap = have_swap();
	size_t tries = 0, out = 0;
	struct range r;
	uint32_t i;

	if (!uffd_open(0))
		return "there is no userfaultfd";
	drop(everything());
	if (!uffd_register(t.mem, t.npages * 4096, UFFDIO_REGISTER_MODE_MISSING)) {
		uffd_close();
		return "userfaultfd does not support it";
	}
	t.counted = "pages asked for";
	uffd_start(uffd_copy);
	set_guest(true, false, false);
	resume(t.nvcpus);
	for (i = 0; i < t.nvcpus; i++) {
		while (READ_ONCE(t.c->pass[i]) < 2 || (swap && !out)) {
			r = some();
			must(madvise(mem_of(r), bytes_of(r), MADV_PAGEOUT));
			if (swap && READ_ONCE(t.c->pass[i]))
				out += count_out(r);
			if (++tries > 10000)
				bad("nothing was swapped out");
			usleep(1000);
		}
	}
	check_mapped(everything());
	check_lines(everything());
	check_range(everything());
	park();
	t.count = uffd.faults;
	if (!t.count)
		bad("no page was asked for");
	uffd_close();
	return NULL;
}

static const char *path_soft_dirty(void)
{
	struct range all = everything();
	size_t n;
	int i;

	start_guest(true, false, false);
	for (i = 0; i < t.iterations; i++) {
		t.doing = "clear";
		park();
		if (!write_file("/proc/self/clear_refs", "4"))
			return "there are no soft-dirty bits";
		if (count_pages(all, PAGEMAP_SOFT_DIRTY))
			return "soft-dirty bits can't be cleared";
		resume(t.nvcpus);
		wait_passes(2);
		n = count_pages(all, PAGEMAP_SOFT_DIRTY);
		if (n != t.npages)
			bad("the guest wrote to %lu pages, only %lu are soft-dirty",
			    t.npages, n);
		t.doing = "clear under a running guest";
		write_file("/proc/self/clear_refs", "4");
		wait_passes(2);
		n = count_pages(all, PAGEMAP_SOFT_DIRTY);
		if (n != t.npages)
			bad("the guest wrote to %lu pages, only %lu are soft-dirty",
			    t.npages, n);
		check_range(some());
		t.count++;
	}
	return NULL;
}

#define IDLE "/sys/kernel/mm/page_idle/bitmap"

/* How many of the pages are idle; makes all of them so before, if told to. */
static size_t count_idle(int fd, bool make)
{
	uint64_t pfn, word;
	size_t p, n = 0;

	for (p = 0; p < t.npages; p++) {
		pfn = pagemap_of(p);
		/* On its way to elsewhere */
		if (!(pfn & PAGEMAP_PRESENT))
			continue;
		pfn &= PAGEMAP_PFN;
		word = 1ull << (pfn % 64);
		/* The last word may reach behind the end of memory. */
		if (make && pwrite(fd, &word, 8, pfn / 64 * 8) != 8)
			continue;
		if (pread(fd, &word, 8, pfn / 64 * 8) != 8)
			continue;
		n += !!(word & (1ull << (pfn % 64)));
	}
	return n;
}

/* What the guest uses is not idle, even though nobody else uses it. */
static const char *path_idle(void)
{
	int fd = open(IDLE, O_RDWR);
	size_t idle, left;
	int i;

	if (fd < 0)
		return "idle pages can't be tracked";

	t.counted = "pages found in use";
	/* The TLBs aren't told when a page's young bit is cleared. */
	t.c->flush_tlb = 1;
	start_guest(true, false, false);
	/* Takes pages from where they can't be idle yet. */
	write_file("/proc/sys/vm/compact_memory", "1");
	for (i = 0; i < DIV_ROUND_UP(t.iterations, 2); i++) {
		park();
		idle = count_idle(fd, true);
		if (!idle)
			bad("no page can be idle");
		resume(t.nvcpus);
		wait_passes(2);
		left = count_idle(fd, false);
		if (left > idle / 10)
			bad("expected none of %lu pages that the guest uses to be idle, seen %lu",
			    idle, left);
		t.count += idle - left;
		check_range(some());
	}
	park();
	close(fd);
	return NULL;
}

static void pin(pid_t tid, int cpu)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	else
		for (i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++)
			CPU_SET(i, &set);
	must(sched_setaffinity(tid, sizeof(set), &set));
}

/* On the host's CPU there is one vCPU that preempts it, the others run freely. */
static void pin_vcpus(bool on)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t i;

	pin(0, on ? 0 : -1);
	for (i = 0; i < t.nvcpus; i++)
		pin(t.vcpus[i].tid, on ? (int)i % cpus : -1);
}

/* NUMA nodes */

#define MAX_NODES	64
#define BALANCING	"/proc/sys/kernel/numa_balancing"

/* Asks where the pages are. */
static size_t count_on_node(int node)
{
	void **pages = calloc(t.npages, sizeof(*pages));
	int *status = calloc(t.npages, sizeof(*status));
	size_t p, n = 0;

	for (p = 0; p < t.npages; p++)
		pages[p] = at(t.mem, p);
	must(syscall(SYS_move_pages, 0, t.npages, pages, NULL, status, 0));
	for (p = 0; p < t.npages; p++)
		n += status[p] == node;
	free(pages);
	free(status);
	return n;
}

static void move_to_node(int node)
{
	unsigned long nodes = 1ul << node;
	size_t size = t.npages * 4096;

	must(syscall(SYS_mbind, t.mem, size, MPOL_BIND, &nodes, MAX_NODES,
		     MPOL_MF_MOVE_ALL));
	must(syscall(SYS_mbind, t.mem, size, MPOL_DEFAULT, NULL, 0, 0));
}

/* The vCPUs run on a node, or anywhere if it is -1. */
static void pin_to_node(int node)
{
	char name[64];
	cpu_set_t set;
	uint32_t i;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
		snprintf(name, sizeof(name),
			 "/sys/devices/system/cpu/cpu%d/node%d", cpu, node);
		if (node < 0 || !access(name, F_OK))
			CPU_SET(cpu, &set);
	}
	for (i = 0; i < t.nvcpus; i++)
		must(sched_setaffinity(t.vcpus[i].tid, sizeof(set), &set));
}

static unsigned long vm_event(const char *name)
{
	FILE *file = fopen("/proc/vmstat", "r");
	unsigned long n, found = 0;
	char what[64];

	while (file && fscanf(file, "%63s %lu", what, &n) == 2)
		if (!strcmp(what, name))
			found = n;
	if (file)
		fclose(file);
	return found;
}

/*
 * A thread marks pages once it has run for its scan period, of about a minute at
 * most.  If none is marked while each vCPU could run for several, none will be.
 */
#define MARKING_LIMIT	(240 * CLOCKS_PER_SEC)

/* Waits for @pages to be marked, unless that stops; returns how many were. */
static unsigned long wait_marked(unsigned long before, unsigned long pages)
{
	unsigned long seen, marked = 0;
	clock_t begin = clock();

	while (marked < pages && clock() - begin < t.nvcpus * MARKING_LIMIT) {
		usleep(1000);
		seen = vm_event("numa_pte_updates") - before;
		if (seen != marked)
			begin = clock();
		marked = seen;
	}
	return marked;
}

/*
 * The host takes access away from memory to see who uses it, and moves it there.
 * If the guest didn't fault then, the memory would stay where it is.
 */
static const char *path_numa(void)
{
	unsigned long nodes = 0, before, marked;
	unsigned int cpu, here;
	long balancing = read_number(BALANCING);
	size_t away, back;
	int i, far;

	getcpu(&cpu, &here);
	syscall(SYS_get_mempolicy, NULL, &nodes, MAX_NODES, NULL,
		MPOL_F_MEMS_ALLOWED);
	nodes &= ~(1ul << here);
	if (!nodes)
		return "there is no second node with memory";
	if (balancing < 0)
		return "there is no NUMA balancing";

	far = __builtin_ctzl(nodes);
	t.counted = "pages moved to the guest's node";
	pin_to_node(here);
	start_guest(true, false, false);
	for (i = 0; i < DIV_ROUND_UP(t.iterations, 2); i++) {
		t.doing = "away";
		move_to_node(far);
		check_range(some());
		/* All of it is mapped again. */
		wait_passes(2);
		away = count_on_node(far);
		if (away < t.npages / 2)
			bad("only %lu of %lu pages were moved", away, t.npages);
		t.doing = "back";
		before = vm_event("numa_pte_updates");
		put_number(BALANCING, 1);
		marked = wait_marked(before, away);
		put_number(BALANCING, 0);
		if (marked < away) {
			put_number(BALANCING, balancing);
			bad("NUMA balancing has stopped after marking %lu pages of %lu",
			    marked, away);
		}
		wait_passes(2);
		back = away - count_on_node(far);
		if (back < away / 2)
			bad("the guest uses %lu pages of node %d, only %lu came",
			    away, far, back);
		t.count += back;
		check_range(some());
	}
	put_number(BALANCING, balancing);
	pin_to_node(-1);
	return NULL;
}

/*
 * Many replacements of few pages, which the vCPUs want back at once: they fault
 * between start and end, and while the page tables change.
 */
static const char *path_storm(void)
{
	size_t hot = t.unit * 16 < t.npages ? t.unit * 16 : t.npages;
	struct range r;
	int i;

	t.c->npages = hot;
	pin_vcpus(true);
	start_guest(false, true, false);
	for (i = 0; i < t.iterations * 50; i++) {
		r.first = rnd(hot / t.unit) * t.unit;
		r.n = rnd(4) ? t.unit : hot - r.first;
		t.doing = "zeros";
		replace(r);
		switch (rnd(8)) {
		case 0:
			usleep(100);
			break;
		case 1:
			sched_yield();
			break;
		}
		t.doing = "new contents";
		announce(r, 1);
		fill(r, mem_of(r));
		withdraw(r);
		if (!rnd(4))
			usleep(100);
		t.count++;
	}
	wait_passes(2);
	pin_vcpus(false);
	return NULL;
}

/*
 * A page is replaced exactly between KVM's look at the primary page table and
 * its taking mmu_lock, so that only the sequence number tells.
 *
 * All threads run on one CPU, the host's at the highest priority, and a helper
 * at the lowest, which holds mmap_lock for writing for long.  A fault that has
 * waited in userfaultfd then queues for mmap_lock, and the host, who wants to
 * replace the page, behind it.  When the lookup is done and lets go of
 * mmap_lock, it wakes the host, who preempts the vCPU there and then.
 */
static struct {
	sem_t begin;
	void *mem;
	size_t length;
	bool begun;
	bool busy;
	bool end;
	pid_t tid;
	clockid_t clock;	/* its CPU time */
} holder;

static uint64_t holder_time(void)
{
	struct timespec now;

	clock_gettime(holder.clock, &now);
	return timespec_to_ns(now);
}

static void *holder_thread(void *unused)
{
	int prot = PROT_READ;

	WRITE_ONCE(holder.tid, syscall(SYS_gettid));
	for (;;) {
		while (sem_wait(&holder.begin))
			;
		if (holder.end)
			return NULL;
		WRITE_ONCE(holder.busy, true);
		WRITE_ONCE(holder.begun, true);
		must(mprotect(holder.mem, holder.length, prot));
		prot ^= PROT_WRITE;
		WRITE_ONCE(holder.busy, false);
	}
}

static bool set_fifo(pid_t tid, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return !sched_setscheduler(tid, priority ? SCHED_FIFO : SCHED_OTHER,
				   &param);
}

/* Does the thread wait for a lock? */
static bool waits_for_lock(pid_t tid)
{
	char name[64], line[256], *p;
	bool waits = false;
	int fd;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return false;
	memset(line, 0, sizeof(line));
	if (read(fd, line, sizeof(line) - 1) > 0) {
		p = strrchr(line, ')');
		waits = p && p[1] && p[2] == 'D';
	}
	close(fd);
	return waits;
}

static void sequence_step(size_t page)
{
	struct pollfd fds = { .fd = uffd.fd, .events = POLLIN };
	struct range r = { page, 1 };
	struct uffd_msg msg;
	uint64_t commit, seen, begin;
	bool forced;

	/* The vCPU faults, and the page comes, but the vCPU waits on. */
	announce(r, 2);
	WRITE_ONCE(t.c->go, page + 1);
	do {
		must(poll(&fds, 1, -1));
	} while (read(uffd.fd, &msg, sizeof(msg)) != sizeof(msg));
	uffd_copy_mode(mem_of(r), UFFDIO_COPY_MODE_DONTWAKE);
	withdraw(r);

	/* mmap_lock is taken, the vCPU queues for it. */
	WRITE_ONCE(holder.begun, false);
	sem_post(&holder.begin);
	while (!READ_ONCE(holder.begun))
		usleep(50);
	begin = holder_time();
	while (READ_ONCE(holder.busy) && holder_time() < begin + 200 * 1000)
		usleep(50);
	uffd_wake(mem_of(r), 4096);
	do {
		usleep(50);
		forced = waits_for_lock(t.vcpus[0].tid);
	} while (!forced && READ_ONCE(holder.busy));
	/* It may have had its page before, and wait for another one. */
	forced = forced && READ_ONCE(holder.busy) &&
		 !READ_ONCE(*line_of(mem_of(r), 0));
	announce(r, 2);
	if (mmap(mem_of(r), 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != mem_of(r))
		bad("mmap: %s", strerror(errno));
	/* Had the vCPU not faulted yet, the fault comes to the new page. */
	fill(r, mem_of(r));
	withdraw(r);
	t.count += forced;

	while (READ_ONCE(t.c->ack) <= page)
		usleep(500);
	while (READ_ONCE(holder.busy))
		usleep(500);
	commit = READ_ONCE(*commit_of(t.c, 0, page));
	seen = READ_ONCE(*line_of(mem_of(r), 0));
	/* If it wasn't forced the write may have come before the new page. */
	if (forced && seen != commit)
		bad("gpa %#lx: the vCPU wrote %#lx, the host sees %#lx",
		    gpa_of(page), commit, seen);
}

static const char *path_sequence(void)
{
	size_t i, n = t.iterations * 4;
	pthread_t thread;

	if (!uffd_open(0))
		return "there is no userfaultfd";
	if (!set_fifo(0, 2)) {
		uffd_close();
		return "there is no permission for real-time priorities";
	}
	t.counted = "faults overtaken";
	holder.length = 1ul << 30;
	holder.mem = mmap(NULL, holder.length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(madvise(holder.mem, holder.length, MADV_NOHUGEPAGE));
	must(madvise(holder.mem, holder.length, MADV_POPULATE_READ));
	holder.end = false;
	sem_init(&holder.begin, 0, 0);
	set_fifo(0, 0);
	pthread_create(&thread, NULL, holder_thread, NULL);
	pthread_getcpuclockid(thread, &holder.clock);
	while (!READ_ONCE(holder.tid))
		usleep(100);
	pin(holder.tid, 0);
	pin(0, 0);
	pin(t.vcpus[0].tid, 0);
	set_fifo(0, 2);
	set_fifo(t.vcpus[0].tid, 1);

	drop(everything());
	if (!uffd_register(t.mem, t.npages * 4096, UFFDIO_REGISTER_MODE_MISSING))
		bad("cannot register with userfaultfd");
	t.c->mode = GUEST_STEP;
	t.c->go = 0;
	t.c->ack = 0;
	set_guest(true, true, false);
	resume(1);
	/* On a busy machine not every try succeeds. */
	for (i = 0; (i < n || !t.count) && i < t.npages; i++)
		sequence_step(i);
	park();

	set_fifo(t.vcpus[0].tid, 0);
	set_fifo(0, 0);
	pin(t.vcpus[0].tid, -1);
	pin(0, -1);
	holder.end = true;
	sem_post(&holder.begin);
	pthread_join(thread, NULL);
	holder.tid = 0;
	munmap(holder.mem, holder.length);
	uffd_close();
	if (!t.count)
		bad("no fault was overtaken");
	return NULL;
}

/*
 * A page of guest_memfd isn't in the primary page tables: no one but KVM
 * flushes the TLB of a vCPU that uses it when it goes.
 */
static struct {
	struct kvm_vcpu *vcpu;
	bool done;
	pid_t tid;
} private;

static void *private_thread(void *unused)
{
	struct vcpu_thread v = { .vcpu = private.vcpu };
	struct ucall uc;

	WRITE_ONCE(private.tid, syscall(SYS_gettid));
	for (;;) {
		if (_vcpu_run(v.vcpu)) {
			if (errno == EINTR)
				continue;
			bad("KVM_RUN of a private VM: %s", strerror(errno));
		}
		if (get_ucall(v.vcpu, &uc) != UCALL_SYNC)
			bad("the private VM died: exit reason %s",
			    exit_reason_str(v.vcpu->run->exit_reason));
		if (uc.args[0] == GUEST_PARKED)
			return NULL;
		vcpu_reports(&v, &uc);
	}
}

static const char *path_private(void)
{
	struct vm_shape shape = {
		.mode = VM_MODE_DEFAULT,
		.type = KVM_X86_SW_PROTECTED_VM,
	};
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct control *c, *saved = t.c;
	pthread_t thread;
	struct kvm_vm *vm;
	int i;

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM)))
		return "there are no VMs with private memory";

	vm = vm_create_shape_with_one_vcpu(shape, &private.vcpu, guest_code);
	vm_mem_add(vm, VM_MEM_SRC_ANONYMOUS, DATA_GPA, DATA_SLOT, 1,
		   KVM_MEM_GUEST_MEMFD, -1, 0);
	virt_map(vm, DATA_GPA, DATA_GPA, 1);
	vm_mem_set_private(vm, DATA_GPA, 4096);
	vm_mem_add(vm, VM_MEM_SRC_SHMEM, CTRL_GPA, CTRL_SLOT, 1, 0, -1, 0);
	virt_map(vm, CTRL_GPA, CTRL_GPA, 1);
	vcpu_args_set(private.vcpu, 1, 0);
	c = addr_gpa2hva(vm, CTRL_GPA);
	c->mode = GUEST_PRIVATE;
	c->total = 1;
	c->run = 1;
	/* What is reported is in terms of this VM. */
	t.c = c;
	private.tid = 0;
	pthread_create(&thread, NULL, private_thread, NULL);
	while (!READ_ONCE(private.tid))
		usleep(100);
	pin(0, 0);
	pin(private.tid, 1 % cpus);

	for (i = 1; i <= t.iterations * 100; i++) {
		while (READ_ONCE(c->ack) < (uint64_t)i) {
			cpu_relax();
			if (cpus == 1)
				sched_yield();
		}
		vm_guest_mem_punch_hole(vm, DATA_GPA, 4096);
		WRITE_ONCE(c->go, i);
		t.count++;
	}
	WRITE_ONCE(c->run, 0);
	pthread_join(thread, NULL);
	pin(0, -1);
	t.c = saved;
	kvm_vm_free(vm);
	return NULL;
}

static const struct path paths[] = {
	{ "mprotect",		ALL,			path_mprotect },
	{ "drop",		ALL,			path_drop },
	{ "zap",		SHMEM | SHUGE,		path_zap },
	{ "pageout",		ANON | SHMEM,		path_pageout },
	{ "reclaim",		ANON | SHMEM,		path_reclaim },
	{ "free",		ANON,			path_free },
	{ "mremap",		ALL,			path_mremap },
	{ "remap",		ANON | HUGE,		path_remap },
	{ "fork",		ANON | HUGE,		path_fork },
	{ "ksm",		ANON,			path_ksm },
	{ "thp",		ANON,			path_thp },
	{ "soft-offline",	ANON | SHMEM,		path_soft_offline },
	{ "compact",		ANON | SHMEM,		path_compact },
	{ "numa",		ANON | SHMEM,		path_numa },
	{ "uffd-missing",	ALL,			path_uffd_missing },
	{ "uffd-minor",		SHMEM | SHUGE,		path_uffd_minor },
	{ "uffd-wp",		ALL,			path_uffd_wp },
	{ "uffd-move",		ANON,			path_uffd_move },
	{ "postcopy",		ANON | SHMEM,		path_postcopy },
	{ "soft-dirty",		ANON | SHMEM,		path_soft_dirty },
	{ "idle",		ANON | SHMEM,		path_idle },
	{ "storm",		ALL,			path_storm },
	{ "sequence",		ANON,			path_sequence },
	{ "private",		ANON,			path_private },
};

/* New memory, of one mapping, with nothing left of what a path did to it. */
static void reset_memory(void)
{
	struct range all = everything();
	size_t size = t.npages * 4096;
	int flags = vm_mem_backing_src_alias(t.src)->flag;
	bool thp = t.src == VM_MEM_SRC_ANONYMOUS_THP;

	if (t.fd >= 0)
		drop(all);
	if (mmap(t.mem, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, t.fd,
		 0) != t.mem)
		bad("mmap: %s", strerror(errno));
	if (t.kind == ANON && thp_configured())
		must(madvise(t.mem, size, thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	/* What is left from mremap() and the like */
	if (mmap(t.aside, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE | MAP_FIXED, -1, 0) != t.aside)
		bad("mmap: %s", strerror(errno));

	memset(t.c->page, 0, t.npages * sizeof(t.c->page[0]) +
			     t.npages * t.nvcpus * 8);
	memset(t.c->pass, 0, sizeof(t.c->pass));
	if (t.dirty_log)
		memset(t.logged, 0, t.npages * t.nvcpus * 8);
	t.c->mode = GUEST_SWEEP;
	t.c->npages = t.npages;
	t.c->same = 0;
	t.c->flush_tlb = 0;
	announce(all, 2);
	fill(all, t.mem);
	withdraw(all);
}

static void run_path(const struct path *path)
{
	const char *skipped = NULL;

	t.path = path;
	t.doing = "start";
	t.count = 0;
	t.counted = "times";
	if (!(path->sources & t.kind)) {
		skipped = "not for this kind of memory";
	} else {
		reset_memory();
		t.doing = "run";
		skipped = path->run();
		park();
		t.doing = "end";
		if (!skipped && t.c->writes && t.c->mode == GUEST_SWEEP)
			check_lines(everything());
	}

	if (skipped)
		ksft_test_result_skip("%s: %s\n", path->name, skipped);
	else
		ksft_test_result_pass("%s: %lu %s\n", path->name, t.count,
				      t.counted);
	fflush(stdout);
}

static unsigned int kind_of(enum vm_mem_backing_src_type src)
{
	if (src == VM_MEM_SRC_SHMEM)
		return SHMEM;
	if (src == VM_MEM_SRC_SHARED_HUGETLB)
		return SHUGE;
	return is_backing_src_hugetlb(src) ? HUGE : ANON;
}

static void create_memory(void)
{
	struct userspace_mem_region *region;
	size_t ctrl_size, size = t.npages * 4096, huge = t.unit * 4096;
	/* Small pages are aligned as huge ones, for those that get collapsed. */
	enum vm_mem_backing_src_type src = t.src == VM_MEM_SRC_ANONYMOUS &&
		thp_configured() ? VM_MEM_SRC_ANONYMOUS_THP : t.src;

	vm_mem_add(t.vm, src, DATA_GPA, DATA_SLOT, t.npages,
		   t.dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0, -1, 0);
	virt_map(t.vm, DATA_GPA, DATA_GPA, t.npages);
	region = memslot2region(t.vm, DATA_SLOT);
	t.mem = region->host_mem;
	t.fd = region->fd;
	t.alias = region->host_alias;

	ctrl_size = sizeof(struct control) +
		    t.npages * sizeof(struct page_state) +
		    t.npages * t.nvcpus * sizeof(uint64_t);
	ctrl_size = align_up(ctrl_size, 4096);
	vm_mem_add(t.vm, VM_MEM_SRC_SHMEM, CTRL_GPA, CTRL_SLOT,
		   ctrl_size / 4096, 0, -1, 0);
	virt_map(t.vm, CTRL_GPA, CTRL_GPA, ctrl_size / 4096);
	t.c = addr_gpa2hva(t.vm, CTRL_GPA);
	t.c->total = t.npages;

	t.aside = mmap(NULL, size + huge, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	TEST_ASSERT(t.aside != MAP_FAILED, "mmap");
	t.aside = align_ptr_up(t.aside, huge);
	t.snapshot = calloc(t.npages * t.nvcpus, sizeof(uint64_t));
	t.logged = calloc(t.npages * t.nvcpus, sizeof(uint64_t));
	t.log = calloc(t.npages / 64 + 1, sizeof(unsigned long));
	t.dirty = calloc(t.npages / 64 + 1, sizeof(unsigned long));
}

static void create_vm(void)
{
	struct kvm_vcpu *vcpus[MAX_VCPUS];
	struct userspace_mem_region *code;
	uint32_t i;

	t.vm = __vm_create_with_vcpus(VM_SHAPE_DEFAULT, t.nvcpus, t.npages * 2,
				      guest_code, vcpus);
	create_memory();
	/* The guest's code and stack are not what is tested. */
	code = memslot2region(t.vm, 0);
	TEST_ASSERT(!madvise(code->host_mem, code->region.memory_size,
			     MADV_DONTFORK), "madvise(MADV_DONTFORK)");

	for (i = 0; i < t.nvcpus; i++) {
		vcpu_args_set(vcpus[i], 1, i);
		t.vcpus[i] = (struct vcpu_thread){ .vcpu = vcpus[i], .id = i };
		pthread_create(&t.vcpus[i].thread, NULL, vcpu_thread,
			       &t.vcpus[i]);
	}
	park();
}

static void help(const char *name)
{
	size_t i;

	printf("usage: %s [-h] [-v vCPUs] [-b bytes] [-s source] [-p path]\n", name);
	printf("       [-i iterations] [-r seed] [-d] [-u]\n\n");
	printf(" -v: number of vCPUs (2)\n");
	printf(" -b: size of the memory, like 4M (4M, or four huge pages)\n");
	backing_src_help("-s");
	printf(" -p: do this alone; may be given several times\n    ");
	for (i = 0; i < ARRAY_SIZE(paths); i++)
		printf(" %s", paths[i].name);
	printf("\n -i: how often (4)\n");
	printf(" -r: seed of what is done at random (1)\n");
	printf(" -d: with dirty logging\n");
	printf(" -u: postcopy alone: memory arrives by userfaultfd\n");
	exit(0);
}

/* Returns how many more paths there are to run. */
static size_t choose(bool *chosen, const char *name)
{
	size_t i, more;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!strcmp(paths[i].name, name)) {
			more = !chosen[i];
			chosen[i] = true;
			return more;
		}
	}
	TEST_FAIL("There is no path '%s'", name);
}

int main(int argc, char *argv[])
{
	bool chosen[ARRAY_SIZE(paths)] = {};
	size_t i, size = 0, n = 0;
	unsigned int seed = 1;
	int opt;

	while ((opt = getopt(argc, argv, "hv:b:s:p:i:r:du")) != -1) {
		switch (opt) {
		case 'v':
			t.nvcpus = atoi_positive("Number of vCPUs", optarg);
			TEST_ASSERT(t.nvcpus <= MAX_VCPUS, "At most %d vCPUs",
				    MAX_VCPUS);
			break;
		case 'b':
			size = parse_size(optarg);
			break;
		case 's':
			t.src = parse_backing_src_type(optarg);
			break;
		case 'p':
			n += choose(chosen, optarg);
			break;
		case 'i':
			t.iterations = atoi_positive("Number of iterations", optarg);
			break;
		case 'r':
			seed = atoi_non_negative("Seed", optarg);
			break;
		case 'd':
			t.dirty_log = true;
			break;
		case 'u':
			n += choose(chosen, "postcopy");
			break;
		default:
			help(argv[0]);
		}
	}

	ksft_print_header();
	srandom(seed);
	t.kind = kind_of(t.src);
	t.unit = t.kind & (HUGE | SHUGE) ? get_backing_src_pagesz(t.src) / 4096 : 1;
	if (!size)
		size = t.unit > 1 ? 4 * t.unit * 4096 : 4 << 20;
	t.npages = align_up(size, get_backing_src_pagesz(t.src)) / 4096;
	create_vm();

	ksft_print_msg("%s, %u vCPUs, %lu pages, seed %u%s\n",
		       vm_mem_backing_src_alias(t.src)->name, t.nvcpus, t.npages,
		       seed, t.dirty_log ? ", dirty log" : "");
	ksft_set_plan(n ?: ARRAY_SIZE(paths));
	for (i = 0; i < ARRAY_SIZE(paths); i++)
		if (!n || chosen[i])
			run_path(&paths[i]);
	fflush(stdout);
	ksft_finished();
}
