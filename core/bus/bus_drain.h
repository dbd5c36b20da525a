/*
 * How fast a queue drains, measured while something waits in it: then what leaves it does so as fast as the workers can. Pure.
 */
#ifndef BUS_DRAIN_H
#define BUS_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

/* One measurement: so long at the least, and so many that left, or longer. */
#define BUS_DRAIN_SPAN      (UINT64_C(50) * 1000000)
#define BUS_DRAIN_GONE      16u
#define BUS_DRAIN_SPAN_LONG UINT64_C(1000000000)

/* A gap above this counts as this. */
#define BUS_DRAIN_GAP_MAX (UINT64_C(60) * 1000000000)

struct bus_drain {
    uint64_t since; /* ns: the present measurement; 0: nothing waits */
    uint32_t gone;  /* since then */
    uint64_t gap;   /* ns from one that leaves to the next, moving average; 0: not known */
};

/* Does anything wait now? When nothing does, what was measured is forgotten: a queue that has emptied was not as slow as that,
 * and of one that fills again nothing is known. */
void bus_drain_waits(struct bus_drain *drain, uint64_t now, bool waits);

/* One left, for a worker. */
void bus_drain_left(struct bus_drain *drain, uint64_t now);

#endif
