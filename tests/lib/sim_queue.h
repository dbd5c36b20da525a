/*
 * A queue in front of some workers, on a virtual clock, with requests that are worth nothing after a time: lpm's own
 * (core/bus/bus_queue.h, bus_drain.h, bus_admit.h) beside others. The same seed gives the same figures on every machine.
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

enum sim_queue_policy {
    SIM_QUEUE_FIFO = 0, /* whoever comes waits, until his time is over */
    SIM_QUEUE_LPM,      /* who would wait in vain is refused */
    SIM_QUEUE_LPM_ONE,  /* the same, all of one client */
    SIM_QUEUE_LPM_DROP, /* and none is begun that has less time left than a request takes on average */
    SIM_QUEUE_LIFO,     /* adaptive: while the oldest has waited for over 100 ms, the last comes first */
    SIM_QUEUE_CODEL, /* refused when its turn comes after 5 ms, or 100 if the queue was empty in the last 100 ms;
                         * Maurer, "Fail at Scale", ACM Queue 2015, after Nichols and Jacobson, 2012 */
    SIM_QUEUE_BOTH, /* the last two together, as there */
    SIM_QUEUE_POLICIES
};

struct sim_queue_setup {
    uint64_t seed;
    unsigned workers, percent;
    uint64_t service, patience; /* ns: mean, exponential; and how long an answer is worth something */
    bool bursty; /* the rate is half as much again and half as much in turn, for a second each */
    uint32_t requests;
};

struct sim_queue_result {
    double goodput;  /* answered in time, of what the workers can do, or of what came if that is less */
    double wasted;   /* share of the workers' work that was for answers too late */
    double p50, p99; /* ns, of answers in time */
    double refused;  /* share of all */
    double refused_p50, refused_p99; /* ns until it was */
};

extern const char *const sim_queue_names[SIM_QUEUE_POLICIES];

/* Fails (asserts) only for want of memory. */
void sim_queue_run(const struct sim_queue_setup *setup, enum sim_queue_policy policy,
                   struct sim_queue_result *result);

#endif
