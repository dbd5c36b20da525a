/*
 * What there is too little of in the machine: fewer requests are given to the workers at once. Never the other way round: it does
 * not stop a worker, and does not add one; what a pool that scales itself makes of it, see bus_scale.h.
 */
#ifndef BUS_SQUEEZE_H
#define BUS_SQUEEZE_H

#include "bus/bus_process.h"

#define BUS_SQUEEZE_MAX 2u

/* % of the limit, where level 2 begins. */
#define BUS_SQUEEZE_FULL 97u

/*
 * Pure: the next level after `level`, from what is seen now. 0: nothing is short. 1: from 90 % of the cgroup's limit on, or when
 * some wait for memory 10 % of the time (PSI avg10). 2: from 97 % on, or when all wait 10 % of the time. Up at once,
 * down by one level each time, and only 3 (5 from level 1) points below, or at half of the waiting.
 */
unsigned bus_squeeze_next(unsigned level, const struct os_memory *memory);

/* Pure: how many requests a worker may have at once: all, a half, an eighth; at least one. */
uint32_t bus_squeeze_concurrency(unsigned level, uint32_t concurrency);

/* Looks once a second, from now on. */
void bus_squeeze_init(struct bus *bus);
void bus_squeeze_fini(struct bus *bus);

/* Looks now. */
void bus_squeeze_look(struct bus *bus);

#endif
