/*
 * The worker role: loads the modules, runs handlers. One process of a pool; the bus is its only peer.
 */
#ifndef WORKER_H
#define WORKER_H

#include "role/role.h"

/* Runs until soft or hard kill, or until the bus is gone. Returns the exit status: 0, ROLE_EXIT_FAILED (not able to
 * work), ROLE_EXIT_INIT (a module's worker_init refused). */
int worker_main(struct role_start *start);

#endif
