// SPDX-License-Identifier: GPL-2.0
/*
 * A forced race: a page of guest_memfd goes while a vCPU has it in its TLB.  The
 * page isn't in the primary page tables, so that only KVM flushes the TLB.
 */
#include "paths.h"

static void *private_thread(void *arg)
{
	struct kvm_vcpu *vcpu = arg;
	struct ucall uc;

	for (;;) {
		if (_vcpu_run(vcpu)) {
			if (errno == EINTR)
				continue;
			fail("KVM_RUN of a private VM: %s", strerror(errno));
		}
		if (get_ucall(vcpu, &uc) != UCALL_SYNC)
			fail("the private VM died: exit reason %s",
			     exit_reason_str(vcpu->run->exit_reason));
		if (uc.args[0] == GUEST_PARKED)
			return NULL;
		report_vcpu(0, &uc);
	}
}

static struct kvm_vm *create_private_vm(struct kvm_vcpu **vcpu)
{
	struct vm_shape shape = {
		.mode = VM_MODE_DEFAULT,
		.type = KVM_X86_SW_PROTECTED_VM,
	};
	struct kvm_vm *vm;

	vm = vm_create_shape_with_one_vcpu(shape, vcpu, guest_code);
	vm_mem_add(vm, VM_MEM_SRC_ANONYMOUS, DATA_GPA, DATA_SLOT, 1,
		   KVM_MEM_GUEST_MEMFD, -1, 0);
	virt_map(vm, DATA_GPA, DATA_GPA, 1);
	vm_mem_set_private(vm, DATA_GPA, PAGE_SIZE);
	vcpu_args_set(*vcpu, 1, 0);
	return vm;
}

static void punch_holes(struct kvm_vm *vm, struct control *c)
{
	int i;

	for (i = 1; i <= test.iterations * 100; i++) {
		while (READ_ONCE(c->ack) < (uint64_t)i)
			spin();
		vm_guest_mem_punch_hole(vm, DATA_GPA, PAGE_SIZE);
		WRITE_ONCE(c->go, i);
		test.count++;
	}
}

const char *path_private(void)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct control *c, *saved = test.control;
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	struct kvm_vm *vm;

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM)))
		return "there are no VMs with private memory";

	vm = create_private_vm(&vcpu);
	c = add_control(vm, control_size(1, 1));
	c->mode = GUEST_PRIVATE;
	c->total = 1;
	c->run = 1;
	/* Reports are in terms of this VM. */
	test.control = c;
	pthread_create(&thread, NULL, private_thread, vcpu);
	pin(pthread_self(), 0);
	pin(thread, 1 % cpus);
	punch_holes(vm, c);
	WRITE_ONCE(c->run, 0);
	pthread_join(thread, NULL);
	pin(pthread_self(), -1);
	test.control = saved;
	kvm_vm_free(vm);
	return NULL;
}
