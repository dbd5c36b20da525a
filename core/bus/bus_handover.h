/*
 * Connections that go from one generation to the next: a module of a retired bus hands them over, the same module of the one
 * that serves takes them over. Directly from bus to bus: the master touches no client.
 */
#ifndef BUS_HANDOVER_H
#define BUS_HANDOVER_H

#include "bus/bus_process.h"

void bus_handover_init(struct bus *bus);
void bus_handover_fini(struct bus *bus);

/* Takes `fd`, the way to the bus that serves now (-1: it is lost); the one before is over. */
void bus_handover_successor(struct bus *bus, int fd);

/* Takes `fd`, the way from a bus that was retired. */
void bus_handover_predecessor(struct bus *bus, int fd);

/* A soft kill has begun: with a successor, what comes in goes on to it; without one, nothing comes in any more. */
void bus_handover_drain(struct bus *bus);

/* Is there something that a successor still has to get, or that may still come in? */
bool bus_handover_is_open(const struct bus *bus);

void bus_handover_host_init(lpm_host *host);

#endif
