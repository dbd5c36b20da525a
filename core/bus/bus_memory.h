/*
 * The memory of workers: the pressure that dispatch looks at, and the end of one that is over its limit.
 */
#ifndef BUS_MEMORY_H
#define BUS_MEMORY_H

#include "bus/bus_worker.h"

/* The timer that looks at the workers of a pool. */
void bus_memory_init(struct bus_pool *pool);
void bus_memory_fini(struct bus_pool *pool);

/* It is ready for the first time: what it has now is its own, not the requests'. */
void bus_memory_begin(struct bus_worker *w);

/* An answer of that handler (its number in the pool) came: every 64 of them it is looked at, but not more than five times a
 * second for that. */
void bus_memory_count(struct bus_worker *w, size_t handler);

/* Its pressure now; what was seen last when its memory cannot be read. */
uint64_t bus_memory_pressure(const struct bus_worker *w);

/* ms until it should reach its limit; -1: it does not grow, or has none. */
int64_t bus_memory_to_limit(const struct bus_worker *w);

/* Looks now, and acts on it: it is told to trim, or has to leave. */
void bus_memory_look(struct bus_worker *w);

#endif
