/*
 * Whose requests a pool's memory grows by: least squares over what its workers were seen to grow by, and the requests that they
 * answered meanwhile. Pure but for its memory.
 *
 * Between two looks at a worker its memory grew by d bytes while it answered n[h] requests of each handler h. What is told
 * is the g[h] for which the sum of (d - sum of n[h] g[h])^2 over all looks at all workers of the pool is least, an old look counting
 * less than a new one: after five minutes a half. So a handler that is always seen with another is told from it as soon as
 * their numbers differ; until then, and where they never do, the growth is shared among them in proportion. What grows
 * without requests (timers, broadcasts) is laid to those of the same time.
 */
#ifndef BUS_LEAK_H
#define BUS_LEAK_H

#include <stddef.h>
#include <stdint.h>

struct bus_leak {
    size_t count;      /* handlers */
    double *products;  /* [h * count + i]: of n[h] and n[i] */
    double *growths;   /* [h]: of n[h] and d */
    uint64_t *answers; /* [h]: all of its requests, whenever */
    uint64_t at;       /* ns: the last look */
};

/* 0 or LPM_ENOMEM; `*leak` can be given to _fini in any case, and when it is all zero. */
int bus_leak_init(struct bus_leak *leak, size_t count);
void bus_leak_fini(struct bus_leak *leak);

/* One more look: `answered[h]` requests since the one before it, and `growth` bytes, which may be negative. */
void bus_leak_add(struct bus_leak *leak, uint64_t now, const uint32_t *answered, double growth);

/* The same where the growth says nothing of the requests. */
void bus_leak_count(struct bus_leak *leak, const uint32_t *answered);

/* Bytes a request, for each handler; 0 for one without requests. O(count^3): when somebody asks. 0 or LPM_ENOMEM. */
int bus_leak_solve(const struct bus_leak *leak, double *growth);

#endif
