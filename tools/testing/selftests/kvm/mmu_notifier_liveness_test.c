// SPDX-License-Identifier: GPL-2.0
/*
 * Test that faults, pre-faults, changes of memslots and the creation of VMs end,
 * beside each other, beside threads that invalidate all the time, and if they
 * are interrupted by signals.
 */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "mmu_notifier/liveness.h"

static void blow_anywhere(struct storm *s)
{
	size_t page = rand_r(&s->seed) % (s->size / PAGE_SIZE);

	must(madvise(s->at + page * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED));
}

static uint64_t data_gpa(size_t page)
{
	return DATA_GPA + page * PAGE_SIZE;
}

/* The guest must read what the host has written. */
static void check_data(void)
{
	static uint64_t value;
	uint64_t seen;
	size_t i;

	for (i = 0; i < FEW_PAGES; i++) {
		WRITE_ONCE(*(uint64_t *)(test.data + i * PAGE_SIZE), ++value);
		seen = guest_reads(data_gpa(i));
		if (seen != value)
			fail("gpa %#lx: expected %#lx, the guest has read %#lx",
			     data_gpa(i), value, seen);
	}
}

/* Faults and memslots */

static const char *path_fault_long_storm(void)
{
	size_t page;
	int i;

	counted("faults");
	create_vm();
	start_long_storms();
	for (i = 0; i < test.iterations * 50; i++) {
		page = i % FEW_PAGES;
		drop(test.data + page * PAGE_SIZE, 1);
		must_end("a fault of the guest", LIMIT_LONG);
		guest_reads(data_gpa(page));
		ended();
		report->count++;
	}
	end_storms();
	check_data();
	return NULL;
}

/* A slot that the guest doesn't use is deleted and added, or moved and back. */
static void change_other_slot(int i)
{
	if (i & 1) {
		set_slot(OTHER_SLOT, OTHER_GPA + OTHER_PAGES * PAGE_SIZE,
			 OTHER_PAGES, test.other);
		set_slot(OTHER_SLOT, OTHER_GPA, OTHER_PAGES, test.other);
	} else {
		delete_slot(OTHER_SLOT);
		set_slot(OTHER_SLOT, OTHER_GPA, OTHER_PAGES, test.other);
	}
}

static const char *path_memslot_storm(void)
{
	int i;

	counted("changes");
	create_vm();
	start_short_storms();
	for (i = 0; i < test.iterations * 25; i++) {
		must_end("a change of memslots", LIMIT_SHORT);
		change_other_slot(i);
		ended();
		report->count++;
	}
	end_storms();
	check_data();
	return NULL;
}

/* Pre-faulting */

/* Returns an error, or 0 if the first @size - @left bytes are mapped. */
static int prefault(uint64_t gpa, uint64_t size, uint64_t *left)
{
	struct kvm_pre_fault_memory range = {
		.gpa = gpa,
		.size = size,
	};
	bool progress;
	int error = 0;

	if (__vcpu_ioctl(test.vcpu, KVM_PRE_FAULT_MEMORY, &range))
		error = errno;
	progress = range.size < size;
	if (progress == !!error || range.gpa + range.size != gpa + size)
		fail("KVM_PRE_FAULT_MEMORY: %s, but %#llx at %#llx are left",
		     strerror(error), range.size, range.gpa);
	*left = range.size;
	return error;
}

static void prefault_all(uint64_t gpa, uint64_t size)
{
	uint64_t left;
	int error;

	for (; size; gpa += size - left, size = left) {
		error = prefault(gpa, size, &left);
		if (error)
			fail("KVM_PRE_FAULT_MEMORY: %s", strerror(error));
	}
}

static const char *no_prefault(void)
{
	return kvm_check_cap(KVM_CAP_PRE_FAULT_MEMORY) ? NULL :
		"KVM cannot pre-fault memory";
}

/* After the deletion of another slot the vCPU's root is obsolete. */
static const char *path_prefault_root(void)
{
	uint64_t before, mapped;
	int i;

	if (no_prefault())
		return no_prefault();
	counted("ranges");
	create_vm();
	start_yardstick();
	for (i = 0; i < test.iterations * 10; i++) {
		/* Now and then the vCPU does not run in between. */
		if (i % 4)
			guest_reads(DATA_GPA);
		drop(test.data, FEW_PAGES);
		change_other_slot(i);
		before = vm_get_stat(test.vm, "pages_4k");
		must_end("KVM_PRE_FAULT_MEMORY after another memslot has gone",
			 LIMIT_SHORT);
		prefault_all(DATA_GPA, FEW_PAGES * PAGE_SIZE);
		ended();
		mapped = vm_get_stat(test.vm, "pages_4k") - before;
		if (mapped != FEW_PAGES)
			fail("%lu pages of %lu are mapped", mapped, FEW_PAGES);
		report->count++;
	}
	end_storms();
	check_data();
	return NULL;
}

static struct {
	pthread_t thread;
	uint64_t gpa;
	uint64_t calls;
	uint64_t shortened;	/* calls that a change made return early */
	bool signals;
	bool end;
} prefaulter;

static void ignore(int signal)
{
}

static void *prefaulter_thread(void *unused)
{
	uint64_t left, size = DATA_PAGES * PAGE_SIZE;
	int error;

	while (!READ_ONCE(prefaulter.end)) {
		error = prefault(READ_ONCE(prefaulter.gpa), size, &left);
		if (error && error != EAGAIN && error != ENOENT &&
		    (error != EINTR || !prefaulter.signals))
			fail("KVM_PRE_FAULT_MEMORY of a memslot that changes: %s",
			     strerror(error));
		if (!error && left)
			prefaulter.shortened++;
		WRITE_ONCE(prefaulter.calls, prefaulter.calls + 1);
		if (error)
			usleep(100);
	}
	return NULL;
}

static void *signaller_thread(void *arg)
{
	bool *end = arg;
	unsigned int seed = 1;

	block_signals();
	while (!READ_ONCE(*end)) {
		pthread_kill(prefaulter.thread, SIGUSR1);
		usleep(rand_r(&seed) % 5000);
	}
	return NULL;
}

static void wait_resident(char *page)
{
	unsigned char resident = 0;

	while (!(resident & 1)) {
		must(mincore(page, PAGE_SIZE, &resident));
		sched_yield();
	}
}

/* The slot that is being pre-faulted is deleted, or moved. */
static void change_prefaulted_slot(bool move)
{
	uint64_t calls = READ_ONCE(prefaulter.calls);
	uint64_t gpa = prefaulter.gpa;

	must_end(move ? "move of a memslot that is being pre-faulted" :
			"deletion of a memslot that is being pre-faulted",
		 LIMIT_BUSY);
	if (move) {
		gpa = DATA_GPA + DATA_GPA2 - gpa;
		set_slot(DATA_SLOT, gpa, DATA_PAGES, test.data);
	} else {
		delete_slot(DATA_SLOT);
	}
	ended();
	must_end("KVM_PRE_FAULT_MEMORY of a memslot that has changed", LIMIT_BUSY);
	while (READ_ONCE(prefaulter.calls) == calls)
		sched_yield();
	ended();
	if (!move) {
		drop(test.data, DATA_PAGES);
		set_slot(DATA_SLOT, gpa, DATA_PAGES, test.data);
	} else {
		WRITE_ONCE(prefaulter.gpa, gpa);
	}
}

static const char *prefault_changing(bool move, bool signals)
{
	struct sigaction action = { .sa_handler = ignore };
	pthread_t signaller;
	uint64_t page;
	int i;

	if (no_prefault())
		return no_prefault();
	counted("changes");
	create_vm();
	start_yardstick();
	sigaction(SIGUSR1, &action, NULL);
	prefaulter.gpa = DATA_GPA;
	prefaulter.signals = signals;
	pthread_create(&prefaulter.thread, NULL, prefaulter_thread, NULL);
	if (signals)
		pthread_create(&signaller, NULL, signaller_thread,
			       &prefaulter.end);

	for (i = 0; i < test.iterations * 5; i++) {
		report->what = "KVM_PRE_FAULT_MEMORY";
		page = rnd(signals ? 2 : DATA_PAGES / 2);
		wait_resident(test.data + page * PAGE_SIZE);
		change_prefaulted_slot(move);
		if (move)
			drop(test.data, DATA_PAGES);
		report->count++;
	}
	must_end("KVM_PRE_FAULT_MEMORY", LIMIT_BUSY);
	WRITE_ONCE(prefaulter.end, true);
	pthread_join(prefaulter.thread, NULL);
	ended();
	if (signals)
		pthread_join(signaller, NULL);
	else if (!prefaulter.shortened)
		fail("no KVM_PRE_FAULT_MEMORY was overtaken by a change");
	end_storms();
	set_slot(DATA_SLOT, DATA_GPA, DATA_PAGES, test.data);
	prefault_all(DATA_GPA, FEW_PAGES * PAGE_SIZE);
	check_data();
	return NULL;
}

static const char *path_prefault_delete(void)
{
	return prefault_changing(false, false);
}

static const char *path_prefault_move(void)
{
	return prefault_changing(true, false);
}

static const char *path_prefault_delete_signal(void)
{
	return prefault_changing(false, true);
}

/* The pages are dropped one by one while they are pre-faulted. */
static const char *path_prefault_storm(void)
{
	int i;

	if (no_prefault())
		return no_prefault();
	counted("ranges");
	create_vm();
	start_storm(blow_anywhere, test.data, FEW_PAGES * PAGE_SIZE);
	start_storm(blow_anywhere, test.data, FEW_PAGES * PAGE_SIZE);
	for (i = 0; i < test.iterations * 25; i++) {
		must_end("KVM_PRE_FAULT_MEMORY of pages that are dropped",
			 LIMIT_SHORT);
		prefault_all(DATA_GPA, FEW_PAGES * PAGE_SIZE);
		ended();
		report->count++;
	}
	end_storms();
	check_data();
	return NULL;
}

/* All pages are being dropped at any time, so that only a signal ends the call. */
static const char *path_prefault_signal(void)
{
	struct sigaction action = { .sa_handler = ignore };
	pthread_t signaller;
	bool end = false;
	uint64_t left;
	int i, error;

	if (no_prefault())
		return no_prefault();
	counted("signals");
	create_vm();
	make_page_tables(test.data - LONG_SIZE / 2, LONG_SIZE);
	for (i = 0; i < MAX_STORMS; i++)
		start_storm(blow_long, test.data - LONG_SIZE / 2, LONG_SIZE);
	sigaction(SIGUSR1, &action, NULL);
	prefaulter.thread = pthread_self();
	pthread_create(&signaller, NULL, signaller_thread, &end);
	for (i = 0; i < test.iterations * 25; i++) {
		must_end("KVM_PRE_FAULT_MEMORY that is interrupted", LIMIT_LONG);
		error = prefault(DATA_GPA, FEW_PAGES * PAGE_SIZE, &left);
		ended();
		if (error && error != EINTR)
			fail("KVM_PRE_FAULT_MEMORY: %s", strerror(error));
		report->count += error == EINTR;
	}
	WRITE_ONCE(end, true);
	pthread_join(signaller, NULL);
	end_storms();
	check_data();
	return NULL;
}

/* KVM_CREATE_VM */

static uint64_t alarms;

static void count_alarm(int signal)
{
	WRITE_ONCE(alarms, alarms + 1);
}

static void set_alarm(uint64_t us)
{
	struct itimerval timer = {
		.it_value.tv_sec = us / 1000000,
		.it_value.tv_usec = us % 1000000,
	};

	must(setitimer(ITIMER_REAL, &timer, NULL));
}

/* KVM_CREATE_VM takes the locks of all VMAs, so there are many. */
static void make_vmas(void)
{
	int i, n = 1000;
	char *p;

	p = mmap(NULL, n * 2 * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	for (i = 0; i < n; i++, p += 2 * PAGE_SIZE) {
		must(mprotect(p, PAGE_SIZE, PROT_READ | PROT_WRITE));
		*p = 1;
	}
}

static int count_entries(const char *path, const char *prefix)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int n = 0;

	while (dir && (entry = readdir(dir)))
		n += !strncmp(entry->d_name, prefix, strlen(prefix));
	if (dir)
		closedir(dir);
	return n;
}

/* Returns how many VMs of a process exist. */
static int count_vms(pid_t pid)
{
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "%d-", pid);
	return count_entries("/sys/kernel/debug/kvm", prefix);
}

static long kibibytes(const char *field)
{
	return read_field("/proc/meminfo", field);
}

/*
 * Up to five times KVM_CREATE_VM gets a signal, at a random moment within the @us
 * microseconds that the call needs; after that it gets none, and must succeed.
 */
static int create_vm_interrupted(int kvm, uint64_t us, uint64_t *eintr)
{
	uint64_t before;
	int fd, error, i;

	for (i = 0; i <= 5; i++) {
		before = READ_ONCE(alarms);
		if (i < 5)
			set_alarm(1 + rnd(us));
		must_end("KVM_CREATE_VM", LIMIT_BUSY);
		fd = ioctl(kvm, KVM_CREATE_VM, 0);
		error = errno;
		ended();
		set_alarm(0);
		if (fd >= 0)
			return fd;
		if (error != EINTR)
			fail("KVM_CREATE_VM: %s", strerror(error));
		if (READ_ONCE(alarms) == before)
			fail("KVM_CREATE_VM: EINTR, but there was no signal");
		++*eintr;
	}
	fail("KVM_CREATE_VM: EINTR, but the only signal was an earlier one");
}

/* A signal may keep the first KVM_RUN of a VM from starting a thread. */
static void run_interrupted(int vm, int mmap_size)
{
	struct kvm_run *run;
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);

	must(vcpu);
	run = mmap(NULL, mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	run->immediate_exit = 1;
	set_alarm(1 + rnd(200));
	if (!ioctl(vcpu, KVM_RUN, NULL) || errno != EINTR)
		fail("KVM_RUN with immediate_exit: %s", strerror(errno));
	set_alarm(0);
	munmap(run, mmap_size);
	close(vcpu);
}

struct usage {
	long vmalloc;
	long percpu;
	int fds;
};

static struct usage get_usage(void)
{
	return (struct usage){
		.vmalloc = kibibytes("VmallocUsed"),
		.percpu = kibibytes("Percpu"),
		.fds = count_entries("/proc/self/fd", ""),
	};
}

/* For each VM that was interrupted, only a small part of one may have been lost. */
static void check_usage(const struct usage *before, uint64_t eintr)
{
	struct usage after = get_usage();
	long lost, lost_percpu;
	int i;

	if (after.fds != before->fds)
		fail("file descriptors are lost");
	/* Some of the memory is freed late. */
	for (i = 0; i < 100; i++) {
		after = get_usage();
		lost = after.vmalloc - before->vmalloc;
		lost_percpu = after.percpu - before->percpu;
		if (lost < (long)eintr * 8 && lost_percpu < (long)eintr / 2 &&
		    !count_vms(getpid()))
			return;
		usleep(WATCH_INTERVAL);
	}
	fail("after %lu EINTR, %ld KiB and %ld KiB per CPU are lost, %d VMs are left",
	     eintr, lost, lost_percpu, count_vms(getpid()));
}

static uint64_t microseconds_to_create(int kvm)
{
	uint64_t begin = now(), end;
	int fd = ioctl(kvm, KVM_CREATE_VM, 0);

	must(fd);
	end = now();
	close(fd);
	return (end - begin) / 1000;
}

/* Returns how often KVM_CREATE_VM was interrupted. */
static uint64_t create_vms_interrupted(int kvm, uint64_t us)
{
	int mmap_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	uint64_t eintr = 0;
	int i, fd;

	must(mmap_size);
	for (i = 0; i < test.iterations * 40; i++) {
		fd = create_vm_interrupted(kvm, us, &eintr);
		if (i % 4 == 0)
			run_interrupted(fd, mmap_size);
		close(fd);
		report->count++;
	}
	return eintr;
}

/* A VM that comes after all of these must work. */
static void check_new_vm(void)
{
	create_vm();
	check_data();
	drop(test.data, FEW_PAGES);
	if (guest_reads(DATA_GPA))
		fail("the guest still has a page that was dropped");
}

static const char *path_create_vm_signal(void)
{
	struct sigaction action = { .sa_handler = count_alarm };
	int kvm = open_kvm_dev_path_or_exit();
	struct usage before;
	uint64_t us, eintr;

	counted("VMs");
	make_vmas();
	create_arena();
	start_yardstick();
	sigaction(SIGALRM, &action, NULL);
	us = microseconds_to_create(kvm);

	/* Twice, as a leak grows and what is kept for reuse doesn't. */
	create_vms_interrupted(kvm, us);
	before = get_usage();
	eintr = create_vms_interrupted(kvm, us);
	if (!eintr)
		fail("KVM_CREATE_VM was never interrupted");
	check_usage(&before, eintr);
	end_storms();
	close(kvm);

	ksft_print_msg("KVM_CREATE_VM failed %lu times with EINTR\n", eintr);
	check_new_vm();
	return NULL;
}

static void __noreturn create_until_killed(void)
{
	int kvm = open_kvm_dev_path_or_exit(), fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_vmas();
	for (;;) {
		must(fd = ioctl(kvm, KVM_CREATE_VM, 0));
		WRITE_ONCE(report->ready, 1);
		close(fd);
	}
}

static const char *path_create_vm_kill(void)
{
	pid_t pid;
	int i;

	counted("processes");
	create_arena();
	start_yardstick();
	for (i = 0; i < test.iterations * 10; i++) {
		WRITE_ONCE(report->ready, 0);
		pid = fork();
		must(pid);
		if (!pid)
			create_until_killed();
		report->what = "KVM_CREATE_VM";
		while (!READ_ONCE(report->ready))
			sched_yield();
		usleep(rnd(10000));
		kill(pid, SIGKILL);
		must_end("a process that was killed in KVM_CREATE_VM", LIMIT_BUSY);
		wait_process(pid);
		ended();
		if (count_vms(pid))
			fail("a VM is left of a process that was killed");
		report->count++;
	}
	end_storms();
	return NULL;
}

static const struct path paths[] = {
	{ .name = "fault-long-storm", .run = path_fault_long_storm },
	{ .name = "memslot-storm", .run = path_memslot_storm },
	{ .name = "prefault-root", .run = path_prefault_root },
	{ .name = "prefault-delete", .run = path_prefault_delete },
	{ .name = "prefault-move", .run = path_prefault_move },
	{ .name = "prefault-delete-signal", .run = path_prefault_delete_signal },
	{ .name = "prefault-storm", .run = path_prefault_storm },
	{ .name = "prefault-signal", .run = path_prefault_signal },
	{ .name = "create-vm-signal", .run = path_create_vm_signal },
	{ .name = "create-vm-kill", .run = path_create_vm_kill },
};

int main(int argc, char *argv[])
{
	return run_paths(argc, argv, paths, ARRAY_SIZE(paths));
}
