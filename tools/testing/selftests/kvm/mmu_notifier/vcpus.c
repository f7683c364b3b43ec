// SPDX-License-Identifier: GPL-2.0
/*
 * The threads that run the vCPUs: what they report, how they are parked and
 * resumed, and how far they have got.
 */
#include <sys/syscall.h>

#include "host.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	uint32_t active;	/* vCPUs that run */
	uint32_t parked;
	uint64_t resumed;
} parking = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.cond = PTHREAD_COND_INITIALIZER,
};

void report_vcpu(uint32_t id, struct ucall *uc)
{
	uint64_t page = uc->args[1], low = uc->args[2], high = uc->args[3];
	uint64_t seen = uc->args[4];

	if (uc->args[0] == GUEST_WRITE_LOST)
		fail("vCPU %u, gpa %#lx: its write of %#lx is lost, it sees %#lx",
		     id, gpa_of(page), low, seen);

	fail("vCPU %u, gpa %#lx: expected %#lx..%#lx (generation %lu..%lu), seen %#lx",
	     id, gpa_of(page), page_value(test.control, page, low),
	     page_value(test.control, page, high), low, high, seen);
}

static void wait_parked(struct vcpu_thread *v)
{
	uint64_t resumed;

	pthread_mutex_lock(&parking.lock);
	resumed = parking.resumed;
	parking.parked++;
	pthread_cond_broadcast(&parking.cond);
	while (resumed == parking.resumed || v->id >= parking.active)
		pthread_cond_wait(&parking.cond, &parking.lock);
	pthread_mutex_unlock(&parking.lock);
}

void add_stuck(struct vcpu_thread *v)
{
	__atomic_add_fetch(&v->stuck, 1, __ATOMIC_SEQ_CST);
}

static void vcpu_failed(struct vcpu_thread *v, int error)
{
	struct kvm_run *run = v->vcpu->run;

	if (error == EINTR)
		return;
	if (error != EFAULT || !READ_ONCE(test.may_fault))
		fail("vCPU %u: KVM_RUN: %s, exit reason %s, gpa %#llx", v->id,
		     strerror(error), exit_reason_str(run->exit_reason),
		     run->exit_reason == KVM_EXIT_MEMORY_FAULT ?
		     run->memory_fault.gpa : 0);
	add_stuck(v);
	usleep(100);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu_thread *v = arg;
	struct ucall uc;

	WRITE_ONCE(v->tid, syscall(SYS_gettid));
	for (;;) {
		if (_vcpu_run(v->vcpu)) {
			vcpu_failed(v, errno);
			continue;
		}
		switch (get_ucall(v->vcpu, &uc)) {
		case UCALL_SYNC:
			if (uc.args[0] != GUEST_PARKED)
				report_vcpu(v->id, &uc);
			wait_parked(v);
			break;
		default:
			fail("vCPU %u died: exit reason %s", v->id,
			     exit_reason_str(v->vcpu->run->exit_reason));
		}
	}
	return NULL;
}

/* Starts a thread for each vCPU and waits until all of them are parked. */
void start_vcpu_threads(struct kvm_vcpu **vcpus)
{
	struct vcpu_thread *v;
	uint32_t i;

	for (i = 0; i < test.nvcpus; i++) {
		vcpu_args_set(vcpus[i], 1, i);
		v = &test.vcpus[i];
		*v = (struct vcpu_thread){ .vcpu = vcpus[i], .id = i };
		pthread_create(&v->thread, NULL, vcpu_thread, v);
	}
	park_vcpus();
}

/* Returns when no vCPU runs. */
void park_vcpus(void)
{
	WRITE_ONCE(test.control->run, 0);
	pthread_mutex_lock(&parking.lock);
	while (parking.parked < test.nvcpus)
		pthread_cond_wait(&parking.cond, &parking.lock);
	pthread_mutex_unlock(&parking.lock);
}

/* Lets the first @vcpus run. */
void resume_vcpus(uint32_t vcpus)
{
	pthread_mutex_lock(&parking.lock);
	WRITE_ONCE(test.control->run, 1);
	parking.active = vcpus;
	parking.parked = test.nvcpus - vcpus;
	parking.resumed++;
	pthread_cond_broadcast(&parking.cond);
	pthread_mutex_unlock(&parking.lock);
}

void set_guest(bool writes, bool zero_ok, bool may_fault)
{
	WRITE_ONCE(test.control->writes, writes);
	WRITE_ONCE(test.control->zero_ok, zero_ok);
	WRITE_ONCE(test.may_fault, may_fault);
}

void start_guest(bool writes, bool zero_ok, bool may_fault)
{
	set_guest(writes, zero_ok, may_fault);
	resume_vcpus(test.nvcpus);
	wait_passes(1);
}

void get_passes(uint64_t *pass)
{
	uint32_t i;

	for (i = 0; i < test.nvcpus; i++)
		pass[i] = READ_ONCE(test.control->pass[i]);
}

void wait_passes_since(const uint64_t *pass, unsigned int n)
{
	uint32_t i;

	for (i = 0; i < test.nvcpus; i++)
		while (READ_ONCE(test.control->pass[i]) < pass[i] + n)
			usleep(200);
}

/* After two passes, each vCPU has seen every page once more. */
void wait_passes(unsigned int n)
{
	uint64_t pass[MAX_VCPUS];

	get_passes(pass);
	wait_passes_since(pass, n);
}

void get_stuck(uint64_t *stuck)
{
	uint32_t i;

	for (i = 0; i < test.nvcpus; i++)
		stuck[i] = __atomic_load_n(&test.vcpus[i].stuck, __ATOMIC_SEQ_CST);
}

/*
 * Waits until each vCPU got stuck in @r after get_stuck(@stuck).  None of them
 * may complete a pass instead.
 */
void wait_stuck(struct range r, const uint64_t *stuck)
{
	uint64_t pass[MAX_VCPUS];
	uint64_t *now;
	uint32_t i;

	get_passes(pass);
	for (i = 0; i < test.nvcpus; i++) {
		now = &test.vcpus[i].stuck;
		while (__atomic_load_n(now, __ATOMIC_SEQ_CST) == stuck[i]) {
			if (READ_ONCE(test.control->pass[i]) >= pass[i] + 2)
				fail("gpa %#lx, %lu pages: vCPU %u gets round, expected it stuck",
				     gpa_of(r.first), r.n, i);
			usleep(200);
		}
	}
}
