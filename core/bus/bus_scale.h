/*
 * How many workers a pool with a range should have. Pure: what is seen in, a number and the reason out, no clock, no I/O.
 *
 * Up, fast: when requests wait longer than one takes to be served (at least 10 ms, at most 1 s) and nobody is free, in two looks
 * in a row, a quarter more workers, and no more before all of these serve. Never one that finds no room in memory, nor while memory is short.
 *
 * Down, slowly: one at a time, when the pool could have done with one less for `idle` without a break. With one less it must
 * still have a square root more than are busy: the rule of Halfin and Whitt (1981) for how many servers keep waits short. At
 * that size requests wait a half of the time that would have another one started, so that nothing swings between the two.
 * While memory is short, two seconds are enough; when it is very short, one goes every two seconds, down to the least.
 */
#ifndef BUS_SCALE_H
#define BUS_SCALE_H

#include <stddef.h>
#include <stdint.h>

/* How often to look. */
#define BUS_SCALE_LOOK_NS UINT64_C(250000000)

struct bus_scale_bounds {
    unsigned min, max;
    uint64_t idle; /* ns */
};

enum bus_scale_reason {
    BUS_SCALE_STAYS = 0, /* as it is: nothing to say */
    BUS_SCALE_WAIT,      /* one or more up: requests wait */
    BUS_SCALE_IDLE,      /* one down: it was not needed */
    BUS_SCALE_SHORT,     /* one down: memory is short */
    /* requests wait, and yet nobody comes: */
    BUS_SCALE_MOST,    /* it has the most that it may have */
    BUS_SCALE_NO_ROOM, /* one more would find no memory */
    BUS_SCALE_SQUEEZED /* memory is short */
};

struct bus_scale_view {
    uint64_t now;     /* ns */
    unsigned target;  /* how many workers the pool is to have */
    unsigned serving; /* of these, how many serve */
    unsigned busy;    /* of these, how many can do nothing more now */
    uint64_t wait;    /* ns: how long requests wait for a worker */
    uint64_t service; /* ns: how long one takes; 0: not known */
    uint64_t memory;  /* bytes: what a worker takes */
    uint64_t
        still_taken;  /* bytes: what all workers that there are, and those that start, will take besides */
    uint64_t room;    /* bytes that are left for all; UINT64_MAX: not known */
    unsigned squeeze; /* how short of memory the machine is, see bus_squeeze.h */
};

/* What was seen before; of zeros at the beginning. */
struct bus_scale {
    double busy;          /* moving average */
    uint64_t looked_at;   /* ns: the last look; 0: none yet */
    uint64_t waits_since; /* ns: requests wait too long without a break; 0: they do not */
    uint64_t spare_since; /* ns: one could be spared; 0: no */
    uint64_t changed_at;  /* ns: the last change, 0: none yet */
};

/* One look. Returns how many workers the pool is to have from now on, which is what the caller sees to. */
unsigned bus_scale_look(struct bus_scale *scale, const struct bus_scale_bounds *bounds,
                        const struct bus_scale_view *view, enum bus_scale_reason *reason);

/* Why, for people: "requests wait 35 ms for a worker". Into `room`. */
const char *bus_scale_text(enum bus_scale_reason reason, const struct bus_scale_bounds *bounds,
                           const struct bus_scale_view *view, char *room, size_t size);

#endif
