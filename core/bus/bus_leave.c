/*
 * The table of leaving. Runs in the bus; pure. Every cell is written down, the ignored ones too, so that a new state or event
 * makes its author think about each.
 */
#include "bus/bus_leave.h"

/* clang-format off */
#define STAY(state)     {BUS_LEAVE_##state, BUS_LEAVE_IGNORE}
#define GO(state, what) {BUS_LEAVE_##state, BUS_LEAVE_DO_##what}

static const struct bus_leave_step table[BUS_LEAVE_STATES][BUS_LEAVE_EVENTS] = {
    [BUS_LEAVE_STAYING] = {
        [BUS_LEAVE_ON_DUE]    = GO(REPLACING, CALL),
        [BUS_LEAVE_ON_ALONE]  = GO(DRAINING, RETIRE),
        [BUS_LEAVE_ON_READY]  = STAY(STAYING),
        [BUS_LEAVE_ON_LOST]   = STAY(STAYING),
        [BUS_LEAVE_ON_TAKEN]  = STAY(STAYING),
        [BUS_LEAVE_ON_REMOVE] = GO(DRAINING, REMOVE),
        [BUS_LEAVE_ON_HOME]   = STAY(HOME),
        [BUS_LEAVE_ON_OVER]   = GO(GONE, KILL_RETIRE),
        [BUS_LEAVE_ON_BROKEN] = STAY(GONE), /* its death costs a restart */
        [BUS_LEAVE_ON_REAPED] = STAY(STAYING),
    },
    [BUS_LEAVE_REPLACING] = {
        [BUS_LEAVE_ON_DUE]    = STAY(REPLACING),
        [BUS_LEAVE_ON_ALONE]  = GO(DRAINING, REMOVE), /* the successor is on its way */
        [BUS_LEAVE_ON_READY]  = GO(DRAINING, REMOVE),
        [BUS_LEAVE_ON_LOST]   = GO(STAYING, DISMISS),
        [BUS_LEAVE_ON_TAKEN]  = GO(DRAINING, REMOVE),
        [BUS_LEAVE_ON_REMOVE] = GO(DRAINING, REMOVE),
        [BUS_LEAVE_ON_HOME]   = STAY(HOME),
        [BUS_LEAVE_ON_OVER]   = GO(GONE, KILL_REMOVE),
        [BUS_LEAVE_ON_BROKEN] = GO(GONE, GIVE_UP),
        [BUS_LEAVE_ON_REAPED] = GO(STAYING, GIVE_UP),
    },
    [BUS_LEAVE_DRAINING] = {
        [BUS_LEAVE_ON_DUE]    = STAY(DRAINING),
        [BUS_LEAVE_ON_ALONE]  = STAY(DRAINING),
        [BUS_LEAVE_ON_READY]  = STAY(DRAINING),
        [BUS_LEAVE_ON_LOST]   = STAY(DRAINING),
        [BUS_LEAVE_ON_TAKEN]  = STAY(DRAINING),
        [BUS_LEAVE_ON_REMOVE] = GO(DRAINING, REMOVE),
        [BUS_LEAVE_ON_HOME]   = STAY(HOME),
        [BUS_LEAVE_ON_OVER]   = GO(GONE, KILL), /* the master knows already what becomes of its place */
        [BUS_LEAVE_ON_BROKEN] = STAY(GONE),
        [BUS_LEAVE_ON_REAPED] = STAY(STAYING),
    },
    [BUS_LEAVE_HOME] = {
        [BUS_LEAVE_ON_DUE]    = STAY(HOME),
        [BUS_LEAVE_ON_ALONE]  = STAY(HOME),
        [BUS_LEAVE_ON_READY]  = STAY(HOME),
        [BUS_LEAVE_ON_LOST]   = STAY(HOME),
        [BUS_LEAVE_ON_TAKEN]  = STAY(HOME),
        [BUS_LEAVE_ON_REMOVE] = GO(HOME, GIVE_UP),
        [BUS_LEAVE_ON_HOME]   = STAY(HOME),
        [BUS_LEAVE_ON_OVER]   = GO(GONE, KILL),
        [BUS_LEAVE_ON_BROKEN] = STAY(GONE),
        [BUS_LEAVE_ON_REAPED] = STAY(STAYING),
    },
    [BUS_LEAVE_GONE] = {
        [BUS_LEAVE_ON_DUE]    = STAY(GONE),
        [BUS_LEAVE_ON_ALONE]  = STAY(GONE),
        [BUS_LEAVE_ON_READY]  = STAY(GONE),
        [BUS_LEAVE_ON_LOST]   = STAY(GONE),
        [BUS_LEAVE_ON_TAKEN]  = STAY(GONE),
        [BUS_LEAVE_ON_REMOVE] = GO(GONE, GIVE_UP),
        [BUS_LEAVE_ON_HOME]   = STAY(GONE),
        [BUS_LEAVE_ON_OVER]   = STAY(GONE),
        [BUS_LEAVE_ON_BROKEN] = STAY(GONE),
        [BUS_LEAVE_ON_REAPED] = STAY(STAYING),
    },
};
/* clang-format on */

struct bus_leave_step bus_leave_next(enum bus_leave_state state, enum bus_leave_event event)
{
    return table[state][event];
}

enum bus_leave_level bus_leave_level(uint64_t bytes, uint64_t limit)
{
    if (limit == 0 || bytes <= limit) {
        return BUS_LEAVE_BELOW;
    }
    if (bytes - limit > limit / 2) {
        return BUS_LEAVE_HARD;
    }
    return bytes - limit > limit / 4 ? BUS_LEAVE_URGENT : BUS_LEAVE_OVER;
}

size_t bus_leave_bound(size_t count)
{
    return count < 8 ? 1 : count / 4;
}

uint64_t bus_leave_jitter(uint64_t value, uint32_t index, uint32_t incarnation)
{
    /* Multiples of the golden ratio's fraction: however many there are, they lie apart. */
    uint32_t share = (index + incarnation * 7) * 2654435769u;
    uint64_t quarter = value / 4;

    return value - (uint64_t)((double)quarter * ((double)share / 4294967296.0));
}

int bus_leave_choose(const struct bus_leave_facts *facts)
{
    bool for_memory = facts->reason == BUS_LEAVE_FOR_MEMORY;

    if (facts->state == BUS_LEAVE_REPLACING) {
        return for_memory && facts->urgent ? (int)BUS_LEAVE_ON_ALONE : -1;
    }
    if (facts->state != BUS_LEAVE_STAYING || facts->away >= bus_leave_bound(facts->count)) {
        return -1;
    }
    if (facts->may_start && facts->has_room) {
        return BUS_LEAVE_ON_DUE;
    }
    return for_memory && (facts->urgent || !facts->has_room) ? (int)BUS_LEAVE_ON_ALONE : -1;
}
