/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The paths that mmu_notifier_test takes guest memory along.  Each function
 * returns NULL if all went well, otherwise why the path can't be run.
 */
#ifndef MMU_NOTIFIER_PATHS_H
#define MMU_NOTIFIER_PATHS_H

#include "host.h"

/* paths_mapping.c */
const char *path_mprotect(void);
const char *path_drop(void);
const char *path_zap(void);
const char *path_mremap(void);
const char *path_remap(void);
const char *path_fork(void);
const char *path_storm(void);

/* paths_reclaim.c */
const char *path_pageout(void);
const char *path_reclaim(void);
const char *path_working_set(void);
const char *path_free(void);

/* paths_batch.c */
const char *path_batch(void);
const char *path_deferred(void);
const char *path_deferred_log(void);

/* paths_merging.c */
const char *path_ksm(void);
const char *path_thp(void);

/* paths_migration.c */
const char *path_soft_offline(void);
const char *path_compact(void);

/* paths_numa.c */
const char *path_numa(void);

/* paths_uffd.c */
const char *path_uffd_missing(void);
const char *path_uffd_minor(void);
const char *path_uffd_wp(void);
const char *path_uffd_move(void);
const char *path_postcopy(void);

/* paths_tracking.c */
const char *path_soft_dirty(void);
const char *path_idle(void);
const char *path_age(void);

/* paths_young.c */
const char *path_young(void);

/* race_sequence.c */
const char *path_sequence(void);

/* race_private.c */
const char *path_private(void);

#endif /* MMU_NOTIFIER_PATHS_H */
