/*
 * A look, from time to time, at the workers that serve connections of their own: nothing that they do there passes the bus.
 */
#ifndef BUS_WATCH_H
#define BUS_WATCH_H

#include "bus/bus_worker.h"

/* A worker was handed a connection: looks until none has any. Without memory for a timer it does not. */
void bus_watch_begin(struct bus *bus);

void bus_watch_fini(struct bus *bus);

#endif
