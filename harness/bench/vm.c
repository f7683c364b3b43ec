// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest KVM virtual machine that does something: its one vCPU writes to
 * a range of guest memory and hands over to the host.  It runs in 64-bit mode on
 * identity page tables with large pages, with interrupts off.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../guest/long_mode.h"
#include "bench.h"

/* Guest-physical addresses, in a memslot of the guest's own */
#define PML4			0x1000ul
#define PDPT			0x2000ul
#define PD			0x3000ul
#define CODE			0x8000ul
#define OWN_SIZE		0x10000ul

#define PTE			0x67ul		/* present, writable, user, A, D */
#define PTE_LARGE		(PTE | 0x80ul)

#define PORT			0x10
#define MANY_MMU_PAGES		(1ul << 20)

/*
 * From RDI up to RSI, in steps of RDX.  A read would map the page of zeroes
 * first.
 */
extern const char guest_code[], guest_code_end[];
asm("	.pushsection .rodata\n"
    "guest_code:\n"
    "1:	movb $1, (%rdi)\n"
    "	add %rdx, %rdi\n"
    "	cmp %rsi, %rdi\n"
    "	jb 1b\n"
    "	out %al, $0x10\n"
    "	hlt\n"
    "guest_code_end:\n"
    "	.popsection\n");

static int kvm(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "/dev/kvm");
	return fd;
}

void vm_create(struct vm *vm)
{
	vm->fd = ioctl(kvm(), KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		err(1, "KVM_CREATE_VM");
	vm->vcpu = -1;
	vm->run = NULL;
	vm->slots = 0;
}

void vm_add_slot(struct vm *vm, char *addr, unsigned long size,
		 unsigned long guest_addr)
{
	struct kvm_userspace_memory_region region = {
		.slot = vm->slots++,
		.guest_phys_addr = guest_addr,
		.memory_size = size,
		.userspace_addr = (uintptr_t)addr,
	};

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		err(1, "KVM_SET_USER_MEMORY_REGION %u", region.slot);
}

static void build_guest(char *own)
{
	unsigned long *pd = (unsigned long *)(own + PD), i;

	*(unsigned long *)(own + PML4) = PDPT | PTE;
	*(unsigned long *)(own + PDPT) = PD | PTE;
	for (i = 0; i < 512; i++)
		pd[i] = i * 2 * MIB | PTE_LARGE;
	memcpy(own + CODE, guest_code, guest_code_end - guest_code);
}

static void set_registers(struct vm *vm)
{
	struct kvm_sregs sregs;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		err(1, "KVM_GET_SREGS");
	set_long_mode(&sregs, PML4);
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs))
		err(1, "KVM_SET_SREGS");
}

static void set_cpuid(struct vm *vm)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid;

	cpuid.head.nent = 256;
	if (ioctl(kvm(), KVM_GET_SUPPORTED_CPUID, &cpuid) ||
	    ioctl(vm->vcpu, KVM_SET_CPUID2, &cpuid))
		err(1, "KVM_SET_CPUID2");
}

void vm_add_vcpu(struct vm *vm)
{
	int size = ioctl(kvm(), KVM_GET_VCPU_MMAP_SIZE, 0);
	char *own = map_at(GUEST_OWN, OWN_SIZE);

	build_guest(own);
	vm_add_slot(vm, own, OWN_SIZE, 0);
	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0 || size < 0)
		err(1, "KVM_CREATE_VCPU");
	vm->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu,
		       0);
	if (vm->run == MAP_FAILED)
		err(1, "mmap of a vCPU");
	set_cpuid(vm);
	set_registers(vm);
}

/* Let the guest write to one byte in each @stride of its memory */
void vm_touch(struct vm *vm, unsigned long guest_addr, unsigned long size,
	      unsigned long stride)
{
	struct kvm_regs regs = {
		.rip = CODE,
		.rdi = guest_addr,
		.rsi = guest_addr + size,
		.rdx = stride,
		.rflags = 2,
	};
	struct kvm_run *run = vm->run;

	if (ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		err(1, "KVM_SET_REGS");
	while (ioctl(vm->vcpu, KVM_RUN, 0))
		if (errno != EINTR && errno != EAGAIN)
			err(1, "KVM_RUN");
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT)
		errx(1, "the vCPU stopped: exit reason %u", run->exit_reason);
}

void vm_close(struct vm *vm)
{
	if (vm->vcpu >= 0) {
		munmap(vm->run, ioctl(kvm(), KVM_GET_VCPU_MMAP_SIZE, 0));
		close(vm->vcpu);
		unmap(GUEST_OWN, OWN_SIZE);
	}
	close(vm->fd);
}

/* One of the statistics that KVM keeps for a VM, or for its vCPU */
unsigned long vm_stat(struct vm *vm, bool of_vcpu, const char *name)
{
	int fd = ioctl(of_vcpu ? vm->vcpu : vm->fd, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	uint64_t value = 0;
	size_t size;
	unsigned int i;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		err(1, "KVM_GET_STATS_FD");
	size = sizeof(*desc) + header.name_size;
	desc = malloc(size);
	for (i = 0; desc && i < header.num_desc; i++) {
		if (pread(fd, desc, size, header.desc_offset + i * size) !=
		    (ssize_t)size)
			err(1, "read KVM's statistics");
		if (!strcmp(desc->name, name))
			break;
	}
	if (!desc || i == header.num_desc)
		errx(1, "KVM has no statistic %s", name);
	if (pread(fd, &value, sizeof(value), header.data_offset + desc->offset) !=
	    sizeof(value))
		err(1, "read KVM's statistics");
	free(desc);
	close(fd);
	return value;
}

static struct mn_bench_locks locks(int fd)
{
	struct mn_bench_locks taken;

	if (ioctl(fd, MN_BENCH_LOCKS, &taken))
		err(1, "MN_BENCH_LOCKS");
	return taken;
}

/*
 * Print rows of how often mmu_lock is taken for each of the @ops of @run: at all, and
 * for writing.  Nothing can be measured meanwhile.
 */
void vm_count_locks(struct vm *vm, void (*run)(void), unsigned long ops,
		    const char *what, const char *name)
{
	int fd = open_subscribers();
	struct mn_bench_locks before, after;
	double read, write;

	if (ioctl(fd, MN_BENCH_COUNT, &vm->fd))
		err(1, "MN_BENCH_COUNT");
	/* This takes it, and so shows that it is counted. */
	if (ioctl(vm->fd, KVM_SET_NR_MMU_PAGES, MANY_MMU_PAGES))
		err(1, "KVM_SET_NR_MMU_PAGES");
	before = locks(fd);
	if (!before.write)
		errx(1, "acquisitions of mmu_lock are not counted");
	run();
	after = locks(fd);
	close(fd);
	read = (double)(after.read - before.read) / ops;
	write = (double)(after.write - before.write) / ops;
	row("per-page", read + write, 0, 0, "%s-locks.%s", what, name);
	row("per-page", write, 0, 0, "%s-write-locks.%s", what, name);
}
