/*
 * What dispatch knows of a worker. Runs in the bus; pure.
 */
#include "bus/bus_load.h"

#include "base/clock.h"

/* One more failure or success counts an eighth: six failures in a row, and it is failing. */
#define FAILURES_WEIGHT 8

/* Enough to keep a worker at work while the next are on their way. */
#define PREFETCH_FEW 4

#define MEMORY_NOISE (UINT64_C(1) << 20)
#define PRESSURE_MAX (UINT64_C(1) << 44) /* so that it can be multiplied by the number of requests */

uint32_t bus_load_prefetch(uint64_t service)
{
    uint64_t fit, few;

    if (service == 0 || service >= CLOCK_NS_PER_MS) {
        return 0;
    }
    if (service <= CLOCK_NS_PER_MS / 4 / BUS_PREFETCH_MAX) {
        return BUS_PREFETCH_MAX;
    }
    fit = CLOCK_NS_PER_MS / 4 / service;
    few = CLOCK_NS_PER_MS / service;
    few = few < PREFETCH_FEW ? few : PREFETCH_FEW;
    fit = fit > few ? fit : few;
    return fit < BUS_PREFETCH_MAX ? (uint32_t)fit : BUS_PREFETCH_MAX;
}

uint64_t bus_load_average(uint64_t average, uint64_t service)
{
    if (average == 0) {
        return service > 0 ? service : 1;
    }
    average = average - average / 4 + service / 4;
    return average > 0 ? average : 1;
}

bool bus_load_is_hot(bool was, uint64_t bytes, uint64_t limit)
{
    return limit > 0 && bytes >= limit / 10 * (was ? 7 : 8) + (was ? 1 : 0);
}

uint64_t bus_load_expected(const struct bus_load *load)
{
    uint64_t seen = (load->pressure < PRESSURE_MAX ? load->pressure : PRESSURE_MAX) + MEMORY_NOISE;

    if (load->in_flight <= load->seen_with) {
        return seen;
    }
    return seen * (load->in_flight + 1) / (load->seen_with + 1);
}

void bus_load_answered(struct bus_load *load, bool failed, uint32_t usual)
{
    load->failures -= load->failures / FAILURES_WEIGHT;
    if (failed) {
        load->failures += BUS_FAILURES_ALL / FAILURES_WEIGHT;
    }
    load->failing = load->failures > usual / 2 + BUS_FAILURES_ALL / 2;
}

void bus_load_reset(struct bus_load *load)
{
    *load = (struct bus_load){.concurrency = load->concurrency};
}
