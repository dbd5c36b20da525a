/*
 * May one more wait? The decision, from what is known when it comes. Pure.
 */
#ifndef BUS_ADMIT_H
#define BUS_ADMIT_H

#include <stddef.h>
#include <stdint.h>

#define BUS_ADMIT_UNBOUNDED UINT64_MAX
#define BUS_ADMIT_BOUNDS    4

/* Why one is refused, or was waiting in vain. */
enum bus_shed {
    BUS_SHED_NONE = 0,
    BUS_SHED_FULL, /* over a bound on how much may wait; or one of a higher priority came, and took its place */
    BUS_SHED_OLD,      /* it has waited as long as it may */
    BUS_SHED_HOPELESS, /* it would */
    BUS_SHED_UNFAIR,   /* its client has more than its share of what waits */
    BUS_SHED_KINDS
};

/* How much there would be with it: of its priority or a higher one, and of its own; and how much there may be. */
struct bus_admit_bound {
    uint64_t used, level, limit;
};

struct bus_admit {
    struct bus_admit_bound bounds[BUS_ADMIT_BOUNDS]; /* requests and bytes, of its pool and of all pools */
    uint64_t wait;                                   /* ns: bus_admit_wait(); 0: not known */
    uint64_t service;          /* ns: how long it takes on average from then to its answer */
    uint64_t in_queue, in_all; /* ns: how long it may wait, and until its answer; BUS_ADMIT_UNBOUNDED */
    uint64_t own;              /* how many wait that are of its client; 0 if it is nobody's */
    uint64_t queued;           /* of all that wait, as far as it was asked whose they are */
    uint64_t clients;          /* and so many have something waiting */
};

/*
 * Refused is
 * - what goes over a bound, unless its priority has no more than the part that is kept for it (BUS_QUEUE_KEPT);
 * - what would wait in vain: if it waits a quarter longer than by the measured rate, and takes three times as long as the
 *   average then (one in twenty does, if they are exponentially distributed), a time limit is over;
 * - while a bound is half used up, or half of a time limit would pass in the queue, what is of a client that has twice its fair
 *   share or more. The fair share is an equal one for each client that has something waiting and one more, who may be
 *   about to come. So a client that is alone may have half of the queue.
 */
enum bus_shed bus_admit_decide(const struct bus_admit *facts);

/* What decides how long one waits. */
struct bus_admit_line {
    uint64_t gap;       /* ns: that of the pool's bus_drain; 0: not known */
    uint64_t level_gap; /* and of its priority */
    uint64_t ahead;     /* how many wait with its priority or a higher one */
    uint64_t level;     /* and with its own */
    uint64_t one_in;    /* of so many that leave, one is of its priority: bus_queue_one_in */
};

/* ns: how long it should take until it is sent to a worker, or 0: not known. Those that are before it in the queue and itself have
 * to leave, at the rate of all or, if that is slower, of its priority, but no slower than its priority is promised. */
uint64_t bus_admit_wait(const struct bus_admit_line *line);

#endif
