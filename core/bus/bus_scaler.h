/*
 * Pools with a range of workers: sees what bus_scale asks for, and does it by way of bus_rule.
 */
#ifndef BUS_SCALER_H
#define BUS_SCALER_H

#include "bus/bus_pool.h"

/* Looks every BUS_SCALE_LOOK_NS from now on, if there is such a pool. */
void bus_scaler_init(struct bus *bus);
void bus_scaler_fini(struct bus *bus);

/* Looks now. */
void bus_scaler_look(struct bus *bus);

/* Somebody has asked for a number of his own: it holds until the generation ends. */
void bus_scaler_pin(struct bus_pool *pool);

#endif
