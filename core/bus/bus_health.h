/*
 * How a worker is, for lpm_supervisor_health() and the events about workers.
 */
#ifndef BUS_HEALTH_H
#define BUS_HEALTH_H

#include "bus/bus_worker.h"

/* How it is now; what it says of itself (its heap) as it said last. */
void bus_health_fill(const struct bus_worker *w, lpm_health *health);

/* lpm_supervisor_health() in the host table. */
void bus_health_host_init(lpm_host *host);

#endif
