/*
 * A request's way into the bus.
 */
#ifndef BUS_ENQUEUE_H
#define BUS_ENQUEUE_H

#include "bus/bus_request.h"

/* The calls of the same names in lpm/module.h. */
int bus_enqueue(struct lpm_supervisor *s, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg);
int bus_enqueue_cancel(struct bus *bus, uint64_t ticket);

#endif
