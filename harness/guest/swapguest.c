// SPDX-License-Identifier: GPL-2.0
/*
 * A KVM guest whose memory is swapped under it.
 *
 * The guest has more memory than its host, so that its pages are taken away
 * and come back while its vCPUs use them.  In each pass
 *
 *	every vCPU verifies what the host wrote to its share of the pages, and
 *	fills them again;
 *	every vCPU verifies another's share;
 *	all of the memory is paged out while the guest has it mapped;
 *	the host verifies all pages through its own mapping, and fills them.
 *
 * A page that is reclaimed while the guest still reaches it, a write of the
 * guest that misses the swap disk, or a stale page shown to the guest is a bad
 * word.  A page that the guest keeps in memory is counted as pinned.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "long_mode.h"
#include "work.h"

#define MIB			(1ul << 20)
#define HUGE			(2 * MIB)
#define PIN_PAGES		16

/* Page table bits: present, writable, user, accessed, dirty; a large page */
#define PTE			0x67ul
#define PTE_LARGE		(PTE | 0x80ul)

extern const char guest_code[], guest_code_end[];

struct vcpu {
	int fd;
	int index;
	struct kvm_run *run;
	struct order *order;		/* in guest memory */
	struct order result;
	bool on_host;			/* this sweep is the host's own */
	pthread_t thread;
};

static struct {
	unsigned long mib, vcpus, passes;
	bool small_pages, thp, corrupt, pin;
} opt = { .mib = 384, .vcpus = 2, .passes = 2 };

static int kvm_fd, vm_fd;
static char *memory;
static unsigned long size, first_page, end_page;
static struct vcpu vcpus[GUEST_MAX_VCPUS];

static unsigned long pages_verified, pages_expected, bad_pages, bad_words;

/* Progress: what runs, and how much of it is done */
static char doing[64];
static unsigned long done_pages, shown_quarter;
static pthread_mutex_t show_lock = PTHREAD_MUTEX_INITIALIZER;

static void begin(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(doing, sizeof(doing), fmt, args);
	va_end(args);
	done_pages = 0;
	shown_quarter = 0;
}

static void step(void)
{
	unsigned long quarter;

	pthread_mutex_lock(&show_lock);
	done_pages += ORDER_STEP_PAGES;
	quarter = 4 * done_pages / (end_page - first_page);
	if (quarter > shown_quarter) {
		shown_quarter = quarter;
		printf("%s: %lu%%\n", doing, quarter * 25);
	}
	pthread_mutex_unlock(&show_lock);
}

/* The value of one line of a /proc file of "name value" lines */
static unsigned long proc_value(const char *path, const char *name)
{
	char key[64];
	unsigned long value;
	FILE *f = fopen(path, "r");

	if (!f)
		err(2, "%s", path);
	while (fscanf(f, "%63s %lu%*[^\n]", key, &value) >= 1) {
		if (!strcmp(key, name)) {
			fclose(f);
			return value;
		}
	}
	errx(2, "%s: no %s", path, name);
}

static unsigned long vmstat(const char *name)
{
	return proc_value("/proc/vmstat", name);
}

/* One of the statistics that KVM keeps for a VM or a vCPU */
static unsigned long kvm_stat(int fd, const char *name)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	size_t desc_size;
	uint64_t value;
	unsigned int i;
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);

	if (stats < 0)
		err(2, "KVM_GET_STATS_FD");
	if (pread(stats, &header, sizeof(header), 0) != sizeof(header))
		err(2, "read KVM statistics");
	desc_size = sizeof(*desc) + header.name_size;
	desc = malloc(desc_size);
	if (!desc)
		err(2, "malloc");
	for (i = 0; i < header.num_desc; i++) {
		if (pread(stats, desc, desc_size,
			  header.desc_offset + i * desc_size) < 0)
			err(2, "read KVM statistics");
		if (strcmp(desc->name, name))
			continue;
		if (pread(stats, &value, 8, header.data_offset + desc->offset) != 8)
			err(2, "read KVM statistics");
		free(desc);
		close(stats);
		return value;
	}
	errx(2, "KVM has no statistic %s", name);
}

static unsigned long guest_faults(void)
{
	unsigned long i, sum = 0;

	for (i = 0; i < opt.vcpus; i++)
		sum += kvm_stat(vcpus[i].fd, "pf_taken");
	return sum;
}

/* How many pages KVM's page tables map at this moment */
static unsigned long guest_mapped(void)
{
	return kvm_stat(vm_fd, "pages_4k") + kvm_stat(vm_fd, "pages_2m") * 512 +
	       kvm_stat(vm_fd, "pages_1g") * 512 * 512;
}

static unsigned long *guest_table(unsigned long address)
{
	return (unsigned long *)(memory + address);
}

/*
 * Map all of the guest's memory at its own address, with large pages or with
 * small ones.  The tables of small pages are in guest memory as well, and are
 * swapped like the rest of it.
 */
static void build_page_tables(void)
{
	unsigned long address, table = GUEST_FREE, *pt, i;

	guest_table(GUEST_PML4)[0] = GUEST_PDPT | PTE;
	for (i = 0; i < 4; i++)
		guest_table(GUEST_PDPT)[i] = (GUEST_PD + i * GUEST_PAGE_SIZE) | PTE;
	for (address = 0; address < size; address += HUGE) {
		unsigned long *pd = guest_table(GUEST_PD) + address / HUGE;

		if (!opt.small_pages) {
			*pd = address | PTE_LARGE;
			continue;
		}
		*pd = table | PTE;
		pt = guest_table(table);
		for (i = 0; i < 512; i++)
			pt[i] = (address + i * GUEST_PAGE_SIZE) | PTE;
		table += GUEST_PAGE_SIZE;
	}
	first_page = table / GUEST_PAGE_SIZE;
	end_page = size / GUEST_PAGE_SIZE;
}

/* Flat segments, and a gate to the guest's code for every exception */
static void build_descriptors(void)
{
	unsigned long *gdt = guest_table(GUEST_GDT);
	unsigned long *idt = guest_table(GUEST_IDT);
	unsigned long i, entry;

	gdt[1] = 0x00af9b000000fffful;
	gdt[2] = 0x00cf93000000fffful;
	for (i = 0; i < GUEST_VECTORS; i++) {
		entry = GUEST_CODE + i * GUEST_VECTOR_SIZE;
		idt[2 * i] = (entry & 0xffff) | 8ul << 16 | 0x8eul << 40 |
			     (entry >> 16 & 0xffff) << 48;
	}
}

static void set_registers(struct vcpu *vcpu)
{
	struct kvm_regs regs = {
		.rip = GUEST_ENTRY,
		.rsp = GUEST_STACKS + (vcpu->index + 1) * GUEST_PAGE_SIZE - 8,
		.rdi = (char *)vcpu->order - memory,
		.rflags = 2,
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		err(2, "KVM_GET_SREGS");
	set_long_mode(&sregs, GUEST_PML4);
	sregs.gdt.base = GUEST_GDT;
	sregs.gdt.limit = 3 * 8 - 1;
	sregs.idt.base = GUEST_IDT;
	sregs.idt.limit = GUEST_VECTORS * 16 - 1;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs))
		err(2, "KVM_SET_SREGS");
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		err(2, "KVM_SET_REGS");
}

static void create_vcpu(struct vcpu *vcpu, int index)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };
	int run_size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, NULL);

	vcpu->index = index;
	vcpu->order = (struct order *)(memory + GUEST_ORDERS) + index;
	vcpu->fd = ioctl(vm_fd, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0 || run_size < 0)
		err(2, "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		err(2, "mmap of a vCPU");
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &cpuid) ||
	    ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid))
		err(2, "KVM_SET_CPUID2");
	set_registers(vcpu);
}

static void create_vm(void)
{
	struct kvm_userspace_memory_region region = { 0 };
	unsigned long i;

	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm_fd < 0)
		err(2, "/dev/kvm");
	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (vm_fd < 0)
		err(2, "KVM_CREATE_VM");

	/* Aligned, so that a huge page of the host can be one of the guest. */
	size = opt.mib * MIB;
	memory = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		err(2, "mmap of %lu MiB", opt.mib);
	memory += -(uintptr_t)memory % HUGE;
	if (opt.thp && madvise(memory, size, MADV_HUGEPAGE))
		err(2, "MADV_HUGEPAGE");

	build_page_tables();
	build_descriptors();
	memcpy(memory + GUEST_CODE, guest_code, guest_code_end - guest_code);

	region.memory_size = size;
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		err(2, "KVM_SET_USER_MEMORY_REGION");
	for (i = 0; i < opt.vcpus; i++)
		create_vcpu(&vcpus[i], i);
}

static void guest_exception(struct vcpu *vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct exception *e;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		err(2, "KVM_GET_REGS");
	e = (struct exception *)(memory + regs.rdi % size);
	errx(1, "FAIL: %s: vCPU %d: exception %lu, error code %#lx, at %#lx, CR2 %#llx",
	     doing, vcpu->index, e->vector, e->error, e->rip, sregs.cr2);
}

/* Run a vCPU until it says that its order is carried out. */
static void run_vcpu(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, NULL)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			err(1, "FAIL: %s: vCPU %d: KVM_RUN", doing, vcpu->index);
		}
		if (run->exit_reason != KVM_EXIT_IO)
			errx(1, "FAIL: %s: vCPU %d stopped: exit reason %u",
			     doing, vcpu->index, run->exit_reason);
		if (run->io.port == GUEST_PORT_DONE)
			return;
		if (run->io.port == GUEST_PORT_EXCEPTION)
			guest_exception(vcpu);
		step();
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	if (vcpu->on_host) {
		carry_out(memory, &vcpu->result, step);
	} else {
		*vcpu->order = vcpu->result;
		run_vcpu(vcpu);
		vcpu->result = *vcpu->order;
	}
	return NULL;
}

static void account(const struct order *o)
{
	if (!(o->what & ORDER_VERIFY))
		return;
	pages_verified += o->pages;
	bad_pages += o->bad_pages;
	bad_words += o->bad_words;
	if (o->bad_words)
		printf("%s: %lu bad words in %lu pages, the first at %#lx: %#lx, not %#lx\n",
		       doing, o->bad_words, o->bad_pages, o->bad_address,
		       o->bad_value, pattern(o->bad_address, o->old_seed));
}

/*
 * One sweep over all pages by all vCPUs, or by as many threads of the host:
 * verify what the last fill wrote, or fill again, or both.  The pages are dealt
 * out in turn; @shift lets everyone have its neighbour's.
 */
static void sweep(bool on_host, unsigned long what, int shift)
{
	static unsigned long seed;
	unsigned long i;

	for (i = 0; i < opt.vcpus; i++) {
		struct vcpu *vcpu = &vcpus[i];

		memset(&vcpu->result, 0, sizeof(vcpu->result));
		vcpu->result.what = what;
		vcpu->result.old_seed = seed;
		vcpu->result.new_seed = seed + 1;
		vcpu->result.first = first_page + (i + shift) % opt.vcpus;
		vcpu->result.end = end_page;
		vcpu->result.stride = opt.vcpus;
		vcpu->on_host = on_host;
		if (pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu))
			errx(2, "pthread_create");
	}
	for (i = 0; i < opt.vcpus; i++) {
		pthread_join(vcpus[i].thread, NULL);
		account(&vcpus[i].result);
	}
	if (what & ORDER_FILL)
		seed++;
	if (what & ORDER_VERIFY)
		pages_expected += end_page - first_page;
}

/* The guest must not find its code changed either. */
static void verify_code(void)
{
	if (!memcmp(memory + GUEST_CODE, guest_code, guest_code_end - guest_code))
		return;
	printf("the guest's code has changed\n");
	bad_words++;
	bad_pages++;
}

/* Ask for all of guest memory to be paged out, from each CPU in turn. */
static void page_out_once(void)
{
	unsigned long cpu, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set, saved;
	int fd;

	/*
	 * A page may sit in a CPU's batch of pages on their way to the LRU,
	 * which holds a reference: compaction begins with emptying them all.
	 */
	fd = open("/proc/sys/vm/compact_memory", O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		err(2, "compact_memory");
	close(fd);

	sched_getaffinity(0, sizeof(saved), &saved);
	for (cpu = 0; cpu < cpus; cpu++) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
		if (madvise(memory, size, MADV_PAGEOUT))
			err(2, "MADV_PAGEOUT");
	}
	sched_setaffinity(0, sizeof(saved), &saved);
}

/*
 * How many pages of the guest are in memory, mapped or only in the swap cache.
 * Those are mapped again when @touch is set.
 */
static unsigned long resident(bool touch)
{
	unsigned long page, pages = size / GUEST_PAGE_SIZE, count = 0;
	unsigned char *vec = malloc(pages);

	if (!vec || mincore(memory, size, vec))
		err(2, "mincore");
	for (page = 0; page < pages; page++) {
		if (!(vec[page] & 1))
			continue;
		count++;
		if (touch)
			*(volatile char *)(memory + page * GUEST_PAGE_SIZE);
	}
	free(vec);
	return count;
}

/*
 * Page the guest out while KVM has its pages mapped, and count the pages that
 * stay in memory.
 *
 * Reclaim unmaps a page from every page table first and then frees it only if
 * nobody but the swap cache has a reference to it.  A page that KVM's page
 * tables hold a reference to therefore stays, if nowhere else, in the swap
 * cache, and mincore() says so.  A page that stays is mapped again and paged
 * out again: by then it is clean, and whatever held it only for a moment
 * (writeback, an LRU batch) has released it.  What still stays when
 * nothing is being written any more and several rounds in a row freed nothing
 * is pinned.
 */
static unsigned long count_pinned(void)
{
	unsigned long now, fewest = ~0ul;
	int idle = 0;

	for (;;) {
		page_out_once();
		now = resident(false);
		if (!now)
			return 0;
		if (now < fewest) {
			fewest = now;
			idle = 0;
			printf("%s: %lu pages in memory\n", doing, now);
		} else if (vmstat("nr_writeback") == 0 && ++idle == 20) {
			return fewest;
		}
		usleep(50000);
		resident(true);
	}
}

static void pin_pages(void)
{
	struct iovec iov = {
		.iov_base = memory + (end_page - PIN_PAGES) * GUEST_PAGE_SIZE,
		.iov_len = PIN_PAGES * GUEST_PAGE_SIZE,
	};
	int fds[2];

	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != (ssize_t)iov.iov_len)
		err(2, "vmsplice");
}

static void corrupt_word(void)
{
	char *middle = memory + (first_page + end_page) / 2 * GUEST_PAGE_SIZE;

	*(volatile unsigned long *)(middle + 8) ^= 1ul << 17;
}

/* What the guest did, in numbers */
static struct {
	unsigned long swapped_out;	/* by memory pressure alone */
	unsigned long swapped_in;
	unsigned long mapped;		/* in the guest, when it was paged out */
	unsigned long pinned;
} seen = { .mapped = ~0ul };

static void page_guest_out(unsigned long pass)
{
	unsigned long mapped = guest_mapped(), pinned;

	begin("pass %lu: page the guest out", pass);
	printf("%s: %lu pages mapped in the guest\n", doing, mapped);
	if (opt.pin && pass == 1)
		pin_pages();
	pinned = count_pinned();
	if (mapped < seen.mapped)
		seen.mapped = mapped;
	if (pinned > seen.pinned)
		seen.pinned = pinned;
}

static void run_pass(unsigned long pass)
{
	unsigned long out = vmstat("pswpout");

	begin("pass %lu: the guest fills its memory", pass);
	sweep(false, pass == 1 ? ORDER_FILL : ORDER_VERIFY | ORDER_FILL, 0);
	if (opt.corrupt)
		corrupt_word();
	begin("pass %lu: the guest verifies its memory", pass);
	sweep(false, ORDER_VERIFY, 1);
	seen.swapped_out += vmstat("pswpout") - out;

	page_guest_out(pass);

	out = vmstat("pswpout");
	begin("pass %lu: the host verifies and fills guest memory", pass);
	sweep(true, ORDER_VERIFY | ORDER_FILL, 0);
	verify_code();
	seen.swapped_out += vmstat("pswpout") - out;
}

static int verdict(void)
{
	const char *why = NULL;

	if (bad_words)
		why = "guest memory is corrupt";
	else if (pages_verified != pages_expected)
		why = "not every page was verified";
	else if (!seen.mapped)
		why = "nothing was mapped in the guest when it was paged out";
	else if (seen.pinned)
		why = "the guest pins pages";
	else if (!seen.swapped_out || !seen.swapped_in)
		why = "nothing was swapped, so nothing was tested";

	if (why)
		printf("FAIL: %s\n", why);
	else
		printf("PASS\n");
	return why ? 1 : 0;
}

static int run(void)
{
	unsigned long pass, in;

	if (!proc_value("/proc/meminfo", "SwapTotal:")) {
		printf("FAIL: the host has no swap space\n");
		return 1;
	}
	create_vm();
	in = vmstat("pswpin");
	for (pass = 1; pass <= opt.passes; pass++)
		run_pass(pass);
	begin("last: the guest verifies what the host wrote");
	sweep(false, ORDER_VERIFY, 1);
	seen.swapped_in = vmstat("pswpin") - in;

	printf("STAT guest_mib %lu\n", opt.mib);
	printf("STAT vcpus %lu\n", opt.vcpus);
	printf("STAT passes %lu\n", opt.passes);
	printf("STAT swapped_out %lu\n", seen.swapped_out);
	printf("STAT swapped_in %lu\n", seen.swapped_in);
	printf("STAT faults %lu\n", guest_faults());
	printf("STAT mapped %lu\n", seen.mapped);
	printf("STAT pinned %lu\n", seen.pinned);
	printf("STAT pages_verified %lu\n", pages_verified);
	printf("STAT bad_pages %lu\n", bad_pages);
	printf("STAT bad_words %lu\n", bad_words);
	return verdict();
}

static void usage(void)
{
	fprintf(stderr,
		"usage: swapguest [option...]\n"
		"  --mib N      guest memory (384)\n"
		"  --vcpus N    virtual CPUs (2)\n"
		"  --passes N   passes over all memory (2)\n"
		"  --small      the guest's page tables have 4 KiB pages\n"
		"  --thp        the host backs the guest with huge pages\n"
		"  --corrupt    change a word behind the guest's back: must FAIL\n"
		"  --pin        pin %d pages: must FAIL\n", PIN_PAGES);
	exit(2);
}

static unsigned long number(const char *s, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || n < min || n > max)
		usage();
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "vcpus", required_argument, NULL, 'v' },
		{ "passes", required_argument, NULL, 'p' },
		{ "small", no_argument, NULL, 's' },
		{ "thp", no_argument, NULL, 't' },
		{ "corrupt", no_argument, NULL, 'c' },
		{ "pin", no_argument, NULL, 'P' },
		{ }
	};
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			opt.mib = number(optarg, 16, 4096);
			break;
		case 'v':
			opt.vcpus = number(optarg, 1, GUEST_MAX_VCPUS);
			break;
		case 'p':
			opt.passes = number(optarg, 1, 1000);
			break;
		case 's':
			opt.small_pages = true;
			break;
		case 't':
			opt.thp = true;
			break;
		case 'c':
			opt.corrupt = true;
			break;
		case 'P':
			opt.pin = true;
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	return run();
}
