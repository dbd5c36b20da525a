/*
 * Which worker gets the next request. Pure: one table of loads in, a place in it out.
 */
#ifndef BUS_DISPATCH_H
#define BUS_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than this is never sent ahead to a worker. */
#define BUS_PREFETCH_MAX 64u

/* What dispatch knows of a worker. */
struct bus_load {
    bool ready;           /* said ready, is not busy, not on its way out, and its channel has room */
    bool running;         /* a handler runs now */
    uint32_t in_flight;   /* sent and not answered */
    uint32_t unstarted;   /* of these, not started */
    uint32_t sockets;     /* connections that were handed over to it and are open */
    uint32_t concurrency; /* most requests that may be in flight */
    uint64_t service;     /* ns: moving average of how long it takes for one; 0: not known */
    uint64_t pressure;    /* bytes: private resident memory, less that at its start */
    uint64_t limit;       /* bytes: rss_limit; 0: none */
};

/* How many requests may wait in a worker behind the one that runs: as many as it works off in a millisecond, none
 * when one takes longer (or when it is not known), so that a slow handler has nothing queued behind it while a fast
 * one is fed in batches. */
uint32_t bus_dispatch_prefetch(uint64_t service);

/*
 * The place of the worker to send to, or -1 when none may have one now: the request then waits in the pool's queue.
 * May have one: ready, in flight < concurrency, and nothing before it in the worker, or less than the prefetch.
 * With `socket`, the request hands a connection over: the fewest sockets come first of all. Then
 * the order: below 80 % of its memory limit before the others; idle (nothing in flight) before loaded; the fewest
 * requests before it; then the least pressure (the seed's rule); then the fewest in flight; then the first
 * after `last` (so that equals take turns).
 */
int bus_dispatch_pick(const struct bus_load *loads, size_t count, size_t last, bool socket);

/* The moving average with one more measurement (ns): a quarter of the new to three of the old. */
uint64_t bus_dispatch_average(uint64_t average, uint64_t service);

#endif
