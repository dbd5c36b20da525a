/*
 * What a worker hears from the bus.
 */
#ifndef WORKER_INPUT_H
#define WORKER_INPUT_H

#include "worker/worker_process.h"

/* Begins to listen to w->channel. 0 or LPM_ENOMEM. */
int worker_input_init(struct worker *w);

/* Looks at the channel in the next turn of the loop: no bell may tell of what is there already. */
void worker_input_again(struct worker *w);

void worker_input_fini(struct worker *w);

#endif
