/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory that is populated by userfaultfd.
 */
#ifndef MMU_NOTIFIER_UFFD_H
#define MMU_NOTIFIER_UFFD_H

#include <linux/userfaultfd.h>

#include "host.h"

struct uffd {
	int fd;
	int stop;
	pthread_t thread;
	uint64_t faults;
	void (*resolve)(void *address);
	void *buffer;		/* what is copied */
};

extern struct uffd uffd;

bool uffd_open(uint64_t features);
bool uffd_register(void *start, size_t length, uint64_t mode);
void uffd_start(void (*resolve)(void *address));
void uffd_close(void);
void uffd_wake(void *address, size_t length);
void uffd_copy_mode(void *address, uint64_t mode);
void uffd_copy(void *address);
void uffd_continue(void *address);

#endif /* MMU_NOTIFIER_UFFD_H */
