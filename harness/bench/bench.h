/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the benchmark share.  A part measures rows; main.c runs each
 * part in a process of its own, so that one leaves no address space, subscriber
 * or page to the next.
 */
#ifndef BENCH_H
#define BENCH_H

#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "mn_bench.h"

#define PAGE			4096ul
#define KIB			1024ul
#define MIB			(1024ul * KIB)

/* Where all operations that are measured happen, and what is not hit by them */
#define ARENA			((char *)0x100000000000ul)
#define ARENA_SIZE		(64 * MIB)
#define ELSEWHERE		((char *)0x200000000000ul)
/* Memory that the guest needs for itself */
#define GUEST_OWN		((char *)0x300000000000ul)

/* main.c: what this run has */
extern bool quick;		/* only the most important rows, fewer repeats */
extern bool have_kvm, have_subscribers;

/* measure.c */

/**
 * struct job - something whose cost is measured
 * @prepare: called before each repeat, and not measured; may be NULL
 * @run: what is measured: carries out @ops operations
 * @ops: how many operations a repeat has
 * @repeats: how many repeats; 0 for the usual number
 * @count: how its instructions are counted; NULL for counter(), which counts all;
 *	for a job that sleeps it is thread_counter() or another clock_ns() of CPU time
 */
struct job {
	void (*prepare)(void);
	void (*run)(void);
	unsigned long ops;
	unsigned int repeats;
	uint64_t (*count)(void);
};

void calibrate(void);
void measure(const struct job *job, const char *unit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void row(const char *unit, double value, double spread, double calls,
	 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
uint64_t clock_ns(clockid_t clock);
uint64_t counter(void);
uint64_t thread_counter(void);
double now(void);			/* seconds */

/* util.c */
void *map_at(char *addr, unsigned long size);
void unmap(void *addr, unsigned long size);
void touch(char *addr, unsigned long size);
void write_file(const char *path, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
unsigned long read_number(const char *path, const char *key);
unsigned long meminfo(const char *key);
void in_child(void (*func)(void));
int start_child(void (*func)(void));
void stop_child(int pid);
void wait_child(int pid);
void trace_event(const char *event, bool on);
void trace_probe(const char *event, const char *function);
void trace_filter(const char *event, const char *filter);
void trace_begin(void);
void trace_end(void);
unsigned long trace_count(void);

/* subscribers.c: subscribe() opens the device and adds, unsubscribe() undoes both. */
int open_subscribers(void);
void add_subscribers(int fd, unsigned int kind, unsigned int count, char *start,
		     unsigned long length, unsigned long stride,
		     unsigned int sleep_ms);
void remove_subscribers(int fd);
int subscribe(unsigned int kind, unsigned int count, char *start,
	      unsigned long length, unsigned long stride, unsigned int sleep_ms);
void unsubscribe(int fd);
unsigned long callbacks(int fd);
/* The last ones, whose callbacks measure() counts; or -1 */
extern int current_subscribers;

/* vm.c */

/**
 * struct vm - a KVM virtual machine, perhaps with a vCPU
 * @fd: the file of the VM
 * @vcpu: the file of the vCPU, or -1
 * @run: its shared page
 * @slots: number of memslots so far
 */
struct vm {
	int fd, vcpu;
	void *run;
	unsigned int slots;
};

/* The guest's address of the first memslot that is added */
#define GUEST_MEMORY		(16 * MIB)

void vm_create(struct vm *vm);
void vm_add_slot(struct vm *vm, char *addr, unsigned long size,
		 unsigned long guest_addr);
void vm_add_vcpu(struct vm *vm);
void vm_touch(struct vm *vm, unsigned long guest_addr, unsigned long size,
	      unsigned long stride);
void vm_close(struct vm *vm);
unsigned long vm_stat(struct vm *vm, bool of_vcpu, const char *name);
void vm_count_locks(struct vm *vm, void (*run)(void), unsigned long ops,
		    const char *what, const char *name);

/* damon.c: DAMON watches each page of this process's memory. */
void damon_begin(char *addr, unsigned long size);
void damon_end(void);
void damon_pass(void);
uint64_t damon_counter(void);

/* The parts, each of which is a file */
void part_paths(void);
void part_register(void);
void part_memory(void);
void part_reclaim(void);
void part_ageing(void);
void part_numa(void);
void part_faults(void);
void part_exit(void);

#endif
