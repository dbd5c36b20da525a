/*
 * A safety net below the bells of the channels.
 */
#ifndef BUS_SWEEP_H
#define BUS_SWEEP_H

#include "bus/bus_worker.h"

void bus_sweep_init(struct bus_worker *w);

/* It has something to do: looks after its channel until it has nothing more, or its channel is over. */
void bus_sweep_begin(struct bus_worker *w);
void bus_sweep_end(struct bus_worker *w);

#endif
