/*
 * What a worker does to have less memory.
 */
#ifndef WORKER_TRIM_H
#define WORKER_TRIM_H

#include "worker/worker_process.h"

/* Runs the trim hooks of the pool's modules, then gives malloc's free pages back to the system. */
void worker_trim(struct worker *w);

#endif
