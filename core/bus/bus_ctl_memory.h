/*
 * What the control socket tells of the memory life of workers.
 */
#ifndef BUS_CTL_MEMORY_H
#define BUS_CTL_MEMORY_H

#include <jansson.h>

#include "bus/bus_pool.h"

/* Adds to the pool's object: how many workers have left for what, and how often they were told to trim. */
void bus_ctl_memory_of_pool(json_t *object, const struct bus_pool *pool);

/* An array, NULL without memory: for each handler that has answered, what its requests seem to leave behind. */
json_t *bus_ctl_memory_of_handlers(const struct bus *bus);

#endif
