/*
 * Which places of a pool are given up, and which are filled, when its size changes. Pure.
 */
#ifndef BUS_RESIZE_H
#define BUS_RESIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus_resize_place {
    bool given_up;     /* not to be filled any more */
    bool replaced;     /* goes when its successor is ready, which has another place and counts for both */
    bool up;           /* a worker serves there */
    bool empty;        /* there is no process */
    uint64_t pressure; /* bytes, of one that is up */
};

/* How many are to have a worker. */
size_t bus_resize_count(const struct bus_resize_place *places, size_t count);

/* The place to give up next, of those that are not: one without a worker before one whose worker is not up (it starts, or
 * leaves anyway), these before the others; of the others the one under the most pressure; of equals the last. -1: none. */
int bus_resize_victim(const struct bus_resize_place *places, size_t count);

/* The place to fill next: one that was given up and is empty; else `count`, the next new one, if that is below `max`; else
 * one that was given up and whose worker has not ended yet. -1: none. */
int bus_resize_vacancy(const struct bus_resize_place *places, size_t count, size_t max);

#endif
