/*
 * How fast a worker's memory grows, when it should reach its limit, and when to look again. Pure.
 */
#ifndef BUS_GROWTH_H
#define BUS_GROWTH_H

#include <stdint.h>

#define BUS_GROWTH_LOOK_MIN (UINT64_C(20) * 1000000)
#define BUS_GROWTH_LOOK_MAX UINT64_C(1000000000)

#define BUS_GROWTH_NEVER UINT64_MAX

struct bus_growth {
    uint64_t at;    /* ns: the last look; 0: none yet */
    uint64_t bytes; /* what was seen then */
    int64_t
        rate; /* bytes a second: moving average, in which half is younger than about 1.4 s; at first, of all */
    uint64_t first; /* ns: the first look */
};

/* One more look. */
void bus_growth_add(struct bus_growth *growth, uint64_t now, uint64_t bytes);

/* ns from the last look to the limit at this rate (0: over it), or BUS_GROWTH_NEVER: it does not grow, or has none
 * (`limit` 0). */
uint64_t bus_growth_to_limit(const struct bus_growth *growth, uint64_t limit);

/* When to look again (ns): after half of that, at least BUS_GROWTH_LOOK_MIN and at most BUS_GROWTH_LOOK_MAX after the last; nor
 * longer than it has been looked at so far, as nothing is known of a new one. */
uint64_t bus_growth_next_look(const struct bus_growth *growth, uint64_t limit);

#endif
