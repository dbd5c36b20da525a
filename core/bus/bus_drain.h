/*
 * How fast a queue drains, measured while something waits in it: then what leaves it does so as fast as the workers can.
 * Pure.
 */
#ifndef BUS_DRAIN_H
#define BUS_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

/* One measurement: so long at the least, and so many that left, or longer. */
#define BUS_DRAIN_SPAN      (UINT64_C(50) * 1000000)
#define BUS_DRAIN_GONE      16u
#define BUS_DRAIN_SPAN_LONG UINT64_C(1000000000)

/* Older than this, and than four gaps, the last one says nothing any more. A gap above the bound counts as the bound. */
#define BUS_DRAIN_KNOWN   (UINT64_C(10) * 1000000000)
#define BUS_DRAIN_GAP_MAX (UINT64_C(60) * 1000000000)

struct bus_drain {
    uint64_t since; /* ns: the present measurement; 0: nothing waits */
    uint32_t gone;  /* since then */
    uint64_t gap;   /* ns from one that leaves to the next, moving average; 0: not known */
    uint64_t at;    /* ns: the last measurement */
};

/* Does anything wait now? */
void bus_drain_waits(struct bus_drain *drain, uint64_t now, bool waits);

/* One left, for a worker. */
void bus_drain_left(struct bus_drain *drain, uint64_t now);

/* ns from one that leaves to the next; 0: not known. */
uint64_t bus_drain_gap(const struct bus_drain *drain, uint64_t now);

#endif
