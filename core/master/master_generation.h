/*
 * One generation: what the actions of the state table do.
 */
#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H

#include "master/master_context.h"

/* The next generation of the setup's master, in its list, in state NEW; it holds the setup. 0, or LPM_ENOMEM with the
 * text and nothing left. */
int master_generation_new(struct master_generation **generation, struct master_setup *setup, bool is_reload,
                          struct error *err);

/* Takes it out of the list. No process of it may run. */
void master_generation_free(struct master_generation *generation);

/* Something has happened: the one way in which a generation's state changes. Frees nothing: what is gone waits to be
 * buried by the fleet. */
void master_generation_event(struct master_generation *generation, enum master_event event);

/* What its bus (NULL), or that worker, shows to the master while it starts. NULL: there is no such memory. */
role_step_word *master_generation_step(const struct master_generation *generation,
                                       const struct master_worker *worker);

/* The same as a text, to follow how it ended: ", in the init hook of module ..."; or "". */
#define MASTER_STEP_TEXT_SIZE 256
const char *master_generation_step_text(const struct master_generation *generation,
                                        const struct master_worker *worker, char room[MASTER_STEP_TEXT_SIZE]);

/* The time of its state: of NEW until it begins, of PROBATION until that is over. */
void master_generation_set_timer(struct master_generation *generation, uint64_t ns);

/* It cannot start, for that reason. Ignored when it has started. */
void master_generation_fail(struct master_generation *generation, const struct error *why);

/* Every worker has been ready once: now the bus has to be online in time. */
void master_generation_workers_ready(struct master_generation *generation);

/* `pid` was reaped: true if it was one of this generation's, and has been dealt with. */
bool master_generation_reaped(struct master_generation *generation, pid_t pid, int status);

/* Has it a process of that pid? */
bool master_generation_has(const struct master_generation *generation, pid_t pid);

#endif
