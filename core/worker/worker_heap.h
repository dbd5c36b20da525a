/*
 * What this worker's malloc holds, for the bus's health.
 */
#ifndef WORKER_HEAP_H
#define WORKER_HEAP_H

#include "worker/worker_process.h"

/* Tells the bus, at most once a second, when it has changed by 64 KiB or more. Call at the end of each turn. */
void worker_heap_tell(struct worker *w);

#endif
