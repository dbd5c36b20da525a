/*
 * The handler `seed`: what the README of load-process-manager promises, by order. See seed_worker.c and seed_bus.c.
 */
#include "seed.h"

LPM_MODULE(.name = "seed", .version = "1.0", .request = seed_request, .worker_init = seed_worker_init,
           .supervisor_init = seed_supervisor_init);
