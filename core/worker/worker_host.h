/*
 * The worker's side of the host table: how modules' calls arrive.
 */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include "worker/worker_process.h"

/* Fills w->host. */
void worker_host_init(struct worker *w);

#endif
