/*
 * What dispatch knows of a worker, and how that follows from what is measured. Pure.
 */
#ifndef BUS_LOAD_H
#define BUS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than this is never sent ahead to a worker. */
#define BUS_PREFETCH_MAX 128u

/* A share of failures: all of them. */
#define BUS_FAILURES_ALL 65536u

struct bus_load {
    bool serving;         /* said ready once, and is not on its way out */
    bool ready;           /* serving, not busy, and its channel has room */
    bool running;         /* a handler runs now */
    bool hot;             /* has most of the memory that it may have, see bus_load_is_hot() */
    bool failing;         /* fails much more than the others, see bus_load_answered() */
    uint32_t in_flight;   /* sent and not answered */
    uint32_t unstarted;   /* of these, not started */
    uint32_t sockets;     /* connections that were handed over to it and are open */
    uint32_t concurrency; /* most requests that may be in flight */
    uint32_t seen_with;   /* in flight when `pressure` was seen */
    uint32_t failures;    /* share of its answers that were failures, moving average; of BUS_FAILURES_ALL */
    uint64_t probe_at;    /* ns: failing: not before, as long as others are left */
    uint64_t service;     /* ns: moving average of how long it takes for one; 0: not known */
    uint64_t pressure;    /* bytes: private resident memory, less that at its start */
    uint64_t turn;        /* when it got its last request: higher is later */
};

/* How many requests may wait in a worker behind the one that runs: as many as it works off in a quarter of a millisecond, or
 * up to four if that takes no more than a whole one; none when one takes longer (or when it is not known), so that
 * a slow handler has nothing queued behind it while a fast one is fed in batches. */
uint32_t bus_load_prefetch(uint64_t service);

/* The moving average with one more measurement (ns): a quarter of the new to three of the old. */
uint64_t bus_load_average(uint64_t average, uint64_t service);

/* How many requests the next one would have before it in the worker. */
static inline uint32_t bus_load_ahead(const struct bus_load *load)
{
    return load->unstarted + (load->running ? 1 : 0);
}

/* Is memory of `bytes` hot under `limit` (0: none)? From 80 % on, and, once it is, down to 70 %. */
bool bus_load_is_hot(bool was, uint64_t bytes, uint64_t limit);

/* bytes: what its pressure should be with one more request: as it was seen, and more in the proportion in which more
 * is in flight than was then, so that the others do not all go there before the next look. 1 MiB more than that, for less
 * is noise. */
uint64_t bus_load_expected(const struct bus_load *load);

/*
 * It answered, with a failure or not; `usual` is the mean of `failures` over the pool. It is failing when its share is
 * nearer to all than to the usual one: then it is the worker's fault, not that of the requests.
 */
void bus_load_answered(struct bus_load *load, bool failed, uint32_t usual);

/* A worker that took its place knows nothing of the one before; `concurrency` is not of it, and stays. */
void bus_load_reset(struct bus_load *load);

#endif
