/*
 * The life of a worker: ready, busy, draining, over.
 */
#ifndef WORKER_LIFE_H
#define WORKER_LIFE_H

#include "worker/worker_process.h"

/* Runs the worker_init hooks of the pool's modules. 0, or ROLE_EXIT_INIT with the module named in the log. */
int worker_life_init(struct worker *w);

/* Tells the bus what has changed between ready and busy; call after anything that could change it. */
void worker_life_announce(struct worker *w);

/* Soft kill has begun: open requests are as good as cancelled. */
void worker_life_drain(struct worker *w);

/* The bus's soft kill: runs the hooks; from then on worker_life_end_if_done() may end the loop. */
void worker_life_soft_kill(struct worker *w);

/* Draining, nothing open, no hook unfinished, no module busy: leaves the loop. */
void worker_life_end_if_done(struct worker *w);

/* The bus's hard kill, or its end: runs the hooks and leaves the loop. */
void worker_life_hard_kill(struct worker *w);

#endif
