/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of MMU notifiers share: paths to run, failures, files of the
 * kernel with numbers in them, and the CPU, priority and state of a thread.
 */
#ifndef MMU_NOTIFIER_UTIL_H
#define MMU_NOTIFIER_UTIL_H

#include <pthread.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define DATA_GPA	0x40000000ul
#define DATA_SLOT	10
#define CTRL_GPA	0x80000000ul
#define CTRL_SLOT	11

struct path {
	const char *name;
	/* Returns NULL if all went well, otherwise why it can't be run. */
	const char *(*run)(void);
	unsigned int sources;	/* kinds of memory that it is for */
};

/* Each test has its own. */
void __noreturn __printf(1, 2) fail(const char *format, ...);

#define must(what)							\
do {									\
	if ((what) < 0)							\
		fail("%s: %s", #what, strerror(errno));			\
} while (0)

void print_paths(const struct path *paths, size_t npaths);
size_t choose_path(bool *chosen, const char *name, const struct path *paths,
		   size_t npaths);

uint64_t rnd(uint64_t n);
void *add_control(struct kvm_vm *vm, size_t size);
void map_anonymous(void *at, size_t size);

bool write_file(const char *name, const char *text);
long read_number(const char *name);
void write_number(const char *name, long n);
long read_field(const char *name, const char *field);
bool have_swap(void);

void spin(void);
void pin(pthread_t thread, int cpu);
bool set_fifo(pthread_t thread, int priority);
bool waits_for_lock(pid_t tid);

#endif /* MMU_NOTIFIER_UTIL_H */
