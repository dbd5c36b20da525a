/*
 * Handlers that run for long, `slow_request`: whoever is found in one shows its stack, once for each run of a handler.
 */
#ifndef BUS_SLOW_H
#define BUS_SLOW_H

#include "bus/bus_worker.h"

/* Called from time to time while the worker has something to do; two looks tell for how long its handler has run. */
void bus_slow_look(struct bus_worker *w);

/* Is it to be looked at again, though it has no request? Its handler has answered and still runs. */
bool bus_slow_watches(const struct bus_worker *w);

#endif
