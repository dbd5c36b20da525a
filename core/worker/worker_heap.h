/*
 * What this worker's malloc holds, for the bus's health.
 */
#ifndef WORKER_HEAP_H
#define WORKER_HEAP_H

#include "worker/worker_process.h"

/* Call at the end of each turn of the loop. Looks at most once a second, and only after something has run; tells the bus
 * when the heap has changed by 64 KiB or more. A turn that comes too soon after a look has another one follow it, so that
 * the last change before a worker falls idle is told, too. */
void worker_heap_tell(struct worker *w);

void worker_heap_fini(struct worker *w);

#endif
