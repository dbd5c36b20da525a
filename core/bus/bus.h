/*
 * The bus role: ingress modules, the queue, dispatch, time limits. One process of a generation, between the clients
 * and the workers; the master tells it which workers there are.
 */
#ifndef BUS_H
#define BUS_H

#include "role/role.h"

/* Runs until soft or hard kill, or until the master is gone. Returns the exit status: 0, ROLE_EXIT_FAILED, or
 * ROLE_EXIT_INIT (a module's supervisor_init refused). */
int bus_main(struct role_start *start);

#endif
