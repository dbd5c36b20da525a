/*
 * What the master says to the bus.
 */
#ifndef BUS_CONTROL_H
#define BUS_CONTROL_H

#include "bus/bus_process.h"

/* Begins to listen to start->channel. 0 or LPM_ENOMEM. */
int bus_control_init(struct bus *bus);

/* Acts on all that it has said until now. */
void bus_control_hear(struct bus *bus);

#endif
