/*
 * One generation: what the actions of the state table do.
 */
#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H

#include "master/master_context.h"

/* The next generation of `master`, in its list, in state NEW, with copies of the modules. 0, or negative with the
 * text and nothing left. */
int master_generation_new(struct master_generation **generation, struct master *master, struct error *err);

/* The one that takes the place of `lost`, whose copies it takes over; begins after `wait_ns`. 0 or LPM_ENOMEM. */
int master_generation_succeed(struct master_generation *lost, uint64_t wait_ns, struct error *err);

/* Takes it out of the list and removes its directory. No process of it may run. */
void master_generation_free(struct master_generation *generation);

/* Something has happened: the one way in which a generation's state changes. Frees nothing: what is gone waits for
 * the master's sweep. */
void master_generation_event(struct master_generation *generation, enum master_event event);

/* It cannot start, for that reason. Ignored when it has started. */
void master_generation_fail(struct master_generation *generation, const struct error *why);

/* Every worker has been ready once: now the bus has to be online in time. */
void master_generation_workers_ready(struct master_generation *generation);

/* `pid` was reaped: true if it was one of this generation's, and has been dealt with. */
bool master_generation_reaped(struct master_generation *generation, pid_t pid, int status);

/* Has it a process of that pid? */
bool master_generation_has(const struct master_generation *generation, pid_t pid);

#endif
