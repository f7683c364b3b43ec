/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel says of the MMU notifiers of this process: its figures, and
 * reports of whatever waits or is retried for too long.
 *
 * All this can be asked while a range is in progress: it neither allocates memory
 * nor changes mappings, which might wait for the end of the range.
 */
#ifndef MMU_NOTIFIER_OBSERVE_H
#define MMU_NOTIFIER_OBSERVE_H

#include "util.h"

#define FIGURES		"/sys/kernel/debug/mmu_notifier/mms"
#define STUCK_SECONDS	"/sys/module/mmu_notifier/parameters/stuck_seconds"

/* debugfs */
uint64_t figure(const char *keyword);
bool in_callback(pid_t tid, const char *callback);
bool in_range(pid_t tid, char *start);

/* The kernel log */
void log_begin(void);
bool log_has(const char *const *words);

#endif /* MMU_NOTIFIER_OBSERVE_H */
