/*
 * The life of the bus: starting, online, draining, over; and what it tells the master on the way.
 */
#ifndef BUS_LIFECYCLE_H
#define BUS_LIFECYCLE_H

#include "bus/bus_worker.h"

/* Runs the supervisor_init hooks. 0, or ROLE_EXIT_INIT with the module named in the log. */
int bus_lifecycle_init(struct bus *bus);

/* A message about `w` (NULL: about the bus itself), by bus_master_send(). */
void bus_lifecycle_tell_master(struct bus *bus, enum control_type type, const struct bus_worker *w);

/* Tells the master whether a module acts on the signal. */
void bus_lifecycle_want_signal(struct bus *bus, int number, bool wanted);

/* A worker said ready for the first time: tells the master; when it was the last of all, the bus is online. */
void bus_lifecycle_worker_ready(struct bus_worker *w);

/* A worker was reaped. */
void bus_lifecycle_worker_gone(struct bus *bus);

/* The master's soft kill: nothing new is taken. */
void bus_lifecycle_soft_kill(struct bus *bus);

/* There will be another turn, whatever happens or not. */
void bus_lifecycle_again(struct bus *bus);

/* The end of each turn of the loop: does once what its events have made possible. Requests are sent in batches, and a
 * worker's doorbell rings once. Draining: when all is answered and every module is done, the workers are sent home;
 * when these are gone, the loop is left. */
void bus_lifecycle_end_turn(struct bus *bus);

/* The master's hard kill: runs the hooks, tells the workers, leaves the loop. */
void bus_lifecycle_hard_kill(struct bus *bus);

#endif
