/*
 * Which worker gets the next request. Pure: the loads in, a place in them out, no clock, no I/O. A policy is an order of the
 * workers, one key for each, from its own load; those that may have a request stand in a heap by their keys. So a pick
 * is one look, and what changes in one worker costs log2(workers) steps.
 */
#ifndef BUS_DISPATCH_H
#define BUS_DISPATCH_H

#include "bus/bus_load.h"
#include "conf/conf_core.h"

/* How long a failing worker is left alone before the next request that it gets while others are left. */
#define BUS_PROBE_NS UINT64_C(1000000000)

/*
 * The order in which workers are taken, the lowest first: `rank`, then `score`, then the one that has not had a request for
 * longest, so that equals take turns.
 *
 * What holds for all policies but round_robin:
 * - A worker may have a request if it is ready, has less than `concurrency` in flight, and has nothing before it, or
 *   fewer unstarted than its prefetch. Else the request waits in the pool's queue for the first that may: a
 *   central queue, which does without knowing it what the best policy at arrival does that knows how long each request
 *   will take (Harchol-Balter, "Performance Modeling and Design of Computer Systems", 2013, chapter 24).
 * - One that is failing comes last, and then only once in BUS_PROBE_NS: an error is quick, and who answers quickly is
 *   soon free again and would get most of the load ("sinkholing" in the paper on Prequal below; Envoy's outlier
 *   detection is the same remedy). When more than half of the pool is failing none counts as such:
 *   then waiting for the others is no remedy (Envoy's panic threshold).
 * - One that is hot comes after those that are not.
 *
 * CONF_LEAST_PRESSURE: idle before loaded; then the fewest requests before it; then the least expected memory,
 *   bus_load_expected(). From the npm library load-process-manager, which takes the worker with the least memory. That
 *   alone sends to busy workers while others are idle, and herds: all go to one until it is measured again.
 * CONF_LEAST_LOADED: the fewest in flight. HAProxy's leastconn, nginx's least_conn.
 * CONF_PREQUAL: hot-cold lexicographic: a worker with more in flight than 84 % (2^-1/4) of the pool is hot. Of the cold
 *   ones the one with the least latency, here the service time of what it has and of one more; if all are hot,
 *   the fewest in flight. Wyatt et al., "Load is not what you should balance: introducing Prequal", NSDI 2024. There
 *   the probes are random and old; here the bus knows all of them.
 * CONF_ROUND_ROBIN: each in its turn, whatever it has, up to `concurrency`. nginx's default, and Node's cluster. What is
 *   sent to a worker that is slow waits there.
 */
struct bus_dispatch_key {
    uint64_t rank, score, turn;
};

/* What the order sees of the pool as a whole. */
struct bus_dispatch_pool {
    enum conf_dispatch policy;
    bool all_fail;      /* more than half are failing */
    uint32_t in_flight; /* prequal: with more than this, a worker is hot */
};

/* May it have a request now? Then `*key` is its place in the order. */
bool bus_dispatch_key(const struct bus_dispatch_pool *pool, const struct bus_load *load,
                      struct bus_dispatch_key *key);

/* A place in the heap: each has four below it, which stand together. Its key is packed, so that two are compared by two words. */
struct bus_dispatch_node {
    uint64_t high, low;
    uint32_t place;
};

struct bus_dispatch_entry {
    uint32_t position; /* in the heap; UINT32_MAX: not there */
    uint32_t failures; /* what of its load is counted in the sums ... */
    uint32_t in_flight;
    bool serving, failing;
};

struct bus_dispatch {
    struct bus_dispatch_pool pool;
    struct bus_load *loads; /* by place */
    struct bus_dispatch_entry *entries;
    struct bus_dispatch_node *heap;
    uint32_t *scratch;
    size_t room, count;
    uint32_t heap_count;
    uint32_t changed;          /* the one place whose key may be another than in the heap; UINT32_MAX: none */
    uint32_t serving, failing; /* how many are */
    uint64_t failures;         /* of all that serve, together ... */
    uint64_t in_flight;
    uint64_t turn;
    size_t sorted_at; /* prequal: sent since its bound was counted */
};

/* For places below `room`. 0 or LPM_ENOMEM. What is in `loads` is the caller's to change, then to tell. */
int bus_dispatch_init(struct bus_dispatch *d, enum conf_dispatch policy, size_t room);
void bus_dispatch_fini(struct bus_dispatch *d);

/* The load of `place` has changed. Its key is looked at when another's changes or one is picked: what comes and goes meanwhile
 * costs nothing. */
void bus_dispatch_update(struct bus_dispatch *d, size_t place);

/* The mean of the share of failures of those that serve. */
uint32_t bus_dispatch_usual_failures(const struct bus_dispatch *d);

/* The place of the worker to send to, or -1 when none may have one now. With `socket`, the request hands a connection
 * over: the fewest sockets come first of all, then the order (this looks at all workers). */
int bus_dispatch_pick(struct bus_dispatch *d, uint64_t now, bool socket);

/* A request was sent there; what that changed in its load besides is told with it. */
void bus_dispatch_sent(struct bus_dispatch *d, size_t place, uint64_t now);

#endif
