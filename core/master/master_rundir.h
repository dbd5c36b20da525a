/*
 * Directories with the copies of modules: run/gen-N, held by a lock as long as their master lives.
 */
#ifndef MASTER_RUNDIR_H
#define MASTER_RUNDIR_H

#include <stddef.h>

#include "conf/conf_core.h"

/* Removes what masters that are dead left behind. Nothing it meets is an error. */
void master_rundir_clean(void);

/* Makes a directory for generation `number` (0: for lpm -t, elsewhere if run/ cannot be written), locks it, and
 * copies the modules of `core` into it. `path` (size bytes) and `*lock` receive it. 0, or negative with the text and
 * nothing left. */
int master_rundir_make(const struct conf_core *core, unsigned number, char *path, size_t size, int *lock,
                       struct error *err);

/* Removes it and gives up the lock. */
void master_rundir_remove(const struct conf_core *core, const char *path, int *lock);

#endif
