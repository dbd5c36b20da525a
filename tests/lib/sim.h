/*
 * A pool on a virtual clock: the functions that dispatch in the bus, and others to compare them with, over the same arrivals and
 * the same workers, some of which are bad in their own way. The same seed gives the same figures on every machine.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_WORKERS 16u

enum sim_policy {
    SIM_LEAST_PRESSURE = 0, /* the first four: as enum conf_dispatch, by bus_dispatch.h */
    SIM_LEAST_LOADED,
    SIM_PREQUAL,
    SIM_ROUND_ROBIN,
    SIM_RANDOM,      /* any, at once */
    SIM_TWO_CHOICES, /* of two at random the one with fewer in flight, at once (Mitzenmacher, 2001) */
    SIM_IDEAL, /* one queue; the fastest that is idle; knows who fails; nothing takes time but the work */
    SIM_POLICIES
};

struct sim_setup {
    uint64_t seed;
    uint64_t service; /* ns: mean work of a request; exponential */
    unsigned percent; /* arrivals, of what those can do that do not fail */
    bool
        bursty; /* the rate is half as much again and half as much in turn, for 20 mean services x workers each */
    bool antagonists;  /* the last four: one leaks, one is slow, one freezes, one fails fast */
    uint32_t requests; /* to send */
};

struct sim_result {
    double p50, p99, p999; /* ns from arrival to answer, of those that were answered well */
    double refused;        /* share of all */
    double failed;         /* share of all: answered by the one that fails */
    uint64_t peak_memory;  /* bytes, of the pool */
    uint32_t replaced;     /* workers, for their memory */
};

extern const char *const sim_names[SIM_POLICIES];

/* Fails (asserts) only for want of memory. */
void sim_run(const struct sim_setup *setup, enum sim_policy policy, struct sim_result *result);

#endif
