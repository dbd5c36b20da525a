/*
 * How memory grows. Runs in the bus; pure.
 */
#include "bus/bus_growth.h"

#define SECOND 1e9

/* The older a look is, the less it counts: after so many seconds a third. */
#define MEMORY_OF_LOOKS 2.0

/* Less than that a second is noise. */
#define STANDSTILL 4096

void bus_growth_add(struct bus_growth *growth, uint64_t now, uint64_t bytes)
{
    if (growth->at != 0 && now > growth->at) {
        double seconds = (double)(now - growth->at) / SECOND;
        double change =
            bytes >= growth->bytes ? (double)(bytes - growth->bytes) : -(double)(growth->bytes - bytes);
        double rate = (double)growth->rate;

        rate += (change / seconds - rate) * (seconds / (seconds + MEMORY_OF_LOOKS));
        growth->rate = (int64_t)rate;
    }
    growth->at = now;
    growth->bytes = bytes;
}

uint64_t bus_growth_to_limit(const struct bus_growth *growth, uint64_t limit)
{
    double ns;

    if (limit == 0 || growth->at == 0) {
        return BUS_GROWTH_NEVER;
    }
    if (growth->bytes >= limit) {
        return 0;
    }
    if (growth->rate < STANDSTILL) {
        return BUS_GROWTH_NEVER;
    }
    ns = (double)(limit - growth->bytes) / (double)growth->rate * SECOND;
    return ns < (double)INT64_MAX ? (uint64_t)ns : BUS_GROWTH_NEVER;
}

uint64_t bus_growth_next_look(const struct bus_growth *growth, uint64_t limit)
{
    uint64_t wait = bus_growth_to_limit(growth, limit) / 2;

    if (wait < BUS_GROWTH_LOOK_MIN) {
        wait = BUS_GROWTH_LOOK_MIN;
    }
    return growth->at + (wait < BUS_GROWTH_LOOK_MAX ? wait : BUS_GROWTH_LOOK_MAX);
}
