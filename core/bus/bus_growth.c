/*
 * How memory grows. Runs in the bus; pure.
 */
#include "bus/bus_growth.h"

#define SECOND 1e9

/* The older a look is, the less it counts: after so many seconds a third. */
#define MEMORY_OF_LOOKS 2.0

/* Less than that a second is noise. */
#define STANDSTILL 4096

static uint64_t known_for(const struct bus_growth *growth)
{
    return growth->at - growth->first;
}

/* How much of the average the new measurement is. */
static double weight_of(const struct bus_growth *growth, double seconds)
{
    double before = (double)known_for(growth) / SECOND;
    return seconds / (seconds + (before < MEMORY_OF_LOOKS ? before : MEMORY_OF_LOOKS));
}

void bus_growth_add(struct bus_growth *growth, uint64_t now, uint64_t bytes)
{
    if (growth->at != 0 && now > growth->at) {
        double seconds = (double)(now - growth->at) / SECOND;
        double change =
            bytes >= growth->bytes ? (double)(bytes - growth->bytes) : -(double)(growth->bytes - bytes);
        double rate = (double)growth->rate;

        rate += (change / seconds - rate) * weight_of(growth, seconds);
        growth->rate = (int64_t)rate;
    }
    if (growth->at == 0) {
        growth->first = now;
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
    uint64_t most = known_for(growth) < BUS_GROWTH_LOOK_MAX ? known_for(growth) : BUS_GROWTH_LOOK_MAX;

    wait = wait < most ? wait : most;
    return growth->at + (wait > BUS_GROWTH_LOOK_MIN ? wait : BUS_GROWTH_LOOK_MIN);
}
