/*
 * The memory of workers: the pressure that dispatch looks at, and the end of one that is over its limit.
 */
#ifndef BUS_MEMORY_H
#define BUS_MEMORY_H

#include "bus/bus_worker.h"

/* It is ready for the first time: what it has now is its own, not the requests'. */
void bus_memory_begin(struct bus_worker *w);

/* An answer came: looks at its memory each 64th time. */
void bus_memory_count(struct bus_worker *w);

/* Its pressure now; what was seen last when its memory cannot be read. */
uint64_t bus_memory_pressure(const struct bus_worker *w);

/* Looks now, and acts on what is over the limit. */
void bus_memory_look(struct bus_worker *w);

#endif
