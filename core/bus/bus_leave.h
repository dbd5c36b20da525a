/*
 * How a worker leaves, whatever the reason: one table, and the numbers that lead to it. Pure.
 *
 * The deadline of DRAINING and HOME, drain_timeout, is the master's to keep: it holds when this process does not get round to it.
 */
#ifndef BUS_LEAVE_H
#define BUS_LEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bus_leave_state {
    BUS_LEAVE_STAYING = 0, /* it starts, or serves, and is to go on */
    BUS_LEAVE_REPLACING,   /* it serves, while a successor starts in another place */
    BUS_LEAVE_DRAINING,    /* gets nothing new, finishes what it has */
    BUS_LEAVE_HOME,        /* has nothing left, and was told to exit */
    BUS_LEAVE_GONE,        /* dead, or the master was told to see to that; not reaped */
    BUS_LEAVE_STATES
};

enum bus_leave_event {
    BUS_LEAVE_ON_DUE = 0, /* it is time: a successor may be started beside it */
    BUS_LEAVE_ON_ALONE,   /* it is time, and no successor can be had, or waited for */
    BUS_LEAVE_ON_READY,   /* its successor is ready */
    BUS_LEAVE_ON_LOST,    /* its successor did not get ready */
    BUS_LEAVE_ON_TAKEN,   /* its successor is one worker too many by now: a resize */
    BUS_LEAVE_ON_REMOVE,  /* its place is given up: a resize */
    BUS_LEAVE_ON_HOME,    /* it was told to exit: it has nothing left, or all go */
    BUS_LEAVE_ON_OVER,    /* it has half as much again as rss_limit */
    BUS_LEAVE_ON_BROKEN,  /* its channel is over: it hangs, breaks the rules, has exited or crashed */
    BUS_LEAVE_ON_REAPED,  /* the next one in its place begins anew */
    BUS_LEAVE_EVENTS
};

enum bus_leave_action {
    BUS_LEAVE_IGNORE = 0,     /* cannot happen here, or changes nothing */
    BUS_LEAVE_DO_CALL,        /* ask the master for a successor */
    BUS_LEAVE_DO_DISMISS,     /* the successor's place is given up, and another is not tried at once */
    BUS_LEAVE_DO_RETIRE,      /* drain; the master fills its place again, at no cost to the restart limit */
    BUS_LEAVE_DO_REMOVE,      /* drain; its place stays empty */
    BUS_LEAVE_DO_GIVE_UP,     /* its place stays empty: the successor has another one */
    BUS_LEAVE_DO_KILL,        /* SIGKILL */
    BUS_LEAVE_DO_KILL_RETIRE, /* the same, as after RETIRE */
    BUS_LEAVE_DO_KILL_REMOVE, /* the same, as after REMOVE */
    BUS_LEAVE_ACTIONS
};

struct bus_leave_step {
    enum bus_leave_state next;
    enum bus_leave_action action;
};

/* What follows from `event` in `state`. */
struct bus_leave_step bus_leave_next(enum bus_leave_state state, enum bus_leave_event event);

/* -- When it is time ---------------------------------------------------------------------------------- */

enum bus_leave_reason {
    BUS_LEAVE_FOR_NOTHING = 0,
    BUS_LEAVE_FOR_MEMORY,
    BUS_LEAVE_FOR_REQUESTS, /* max_requests */
    BUS_LEAVE_FOR_AGE,      /* max_age */
    BUS_LEAVE_REASONS
};

/* How far its memory is: the limit is passed; half of the way to the hard one is; the hard one is. */
enum bus_leave_level { BUS_LEAVE_BELOW = 0, BUS_LEAVE_OVER, BUS_LEAVE_URGENT, BUS_LEAVE_HARD };

/* `limit` 0: none. */
enum bus_leave_level bus_leave_level(uint64_t bytes, uint64_t limit);

/* Of `count` workers so many may be on their way out at once, for the reasons above: a quarter, at least one. */
size_t bus_leave_bound(size_t count);

/* `value`, or up to a quarter less: for siblings something else each, spread evenly, and the same at each call. */
uint64_t bus_leave_jitter(uint64_t value, uint32_t index, uint32_t incarnation);

struct bus_leave_facts {
    enum bus_leave_state state;
    enum bus_leave_reason reason; /* not NOTHING */
    bool urgent;                  /* MEMORY: URGENT or more */
    size_t away, count;           /* of `count` workers so many leave, or are on their way to be ready */
    bool may_start; /* the restart policy, and the last attempt, do not speak against a successor */
    bool has_room;  /* there is a place and memory for one more */
};

/*
 * ON_DUE, ON_ALONE, or -1: it goes on, for now. Without room it goes first, if it is for its memory: then there is room. One
 * whose successor may not be started, or does not come, goes on until it is urgent: what works is worth more than what
 * may not.
 */
int bus_leave_choose(const struct bus_leave_facts *facts);

#endif
