/*
 * What a worker hears from the bus.
 */
#ifndef WORKER_INPUT_H
#define WORKER_INPUT_H

#include "worker/worker_process.h"

/* Begins to listen to w->channel. 0 or LPM_ENOMEM. */
int worker_input_init(struct worker *w);
void worker_input_fini(struct worker *w);

#endif
